//! A note in sentences, and sentences in words.

/// Letters of the longest abbreviation (`pt.`, `dept.`) behind which a sentence may go on.
const LONGEST_ABBREVIATION: usize = 4;

/// A word in small letters, and where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The words of a phrase.
pub(super) fn of(phrase: &str) -> Vec<String> {
    sentences(phrase).into_iter().flatten().map(|word| word.text).collect()
}

/// The words of each sentence. A sentence ends at `.`, `!`, `?` and `;`, at a blank line, and at a line break behind which
/// no small letter or digit goes on with it; a point within a number or behind an abbreviation such as `q.d.` ends none.
pub(super) fn sentences(text: &str) -> Vec<Vec<Word>> {
    let (mut all, mut current) = (Vec::new(), Vec::new());
    let mut word: Option<Word> = None;
    let mut colon = false;
    for (at, letter) in text.char_indices() {
        if let Some(word) = &mut word
            && (letter.is_alphanumeric() || within(text, at, letter))
        {
            word.end = at + letter.len_utf8();
            add(&mut word.text, letter);
            continue;
        }
        current.extend(word.take());
        if letter.is_alphanumeric() {
            let mut fresh = Word { text: String::new(), start: at, end: at + letter.len_utf8() };
            add(&mut fresh.text, letter);
            word = Some(fresh);
            colon = false;
            continue;
        }
        // Behind "Family history:" the next line belongs to the heading.
        let ends = match letter {
            '.' => ends_with_point(current.last(), &text[at + 1..]),
            '!' | '?' | ';' => true,
            '\n' => !colon && line_ends(&text[at + 1..]),
            _ => false,
        };
        if !letter.is_whitespace() {
            colon = letter == ':';
        }
        if ends && !current.is_empty() {
            all.push(std::mem::take(&mut current));
        }
    }
    current.extend(word.take());
    if !current.is_empty() {
        all.push(current);
    }
    all
}

/// Whether a sign that is no letter belongs to the word around it: `doesn't`, and the point of `7.2`.
fn within(text: &str, at: usize, letter: char) -> bool {
    let before = text[..at].chars().next_back();
    let behind = text[at + letter.len_utf8()..].chars().next();
    let both = |kind: fn(char) -> bool| before.is_some_and(kind) && behind.is_some_and(kind);
    match letter {
        '\'' | '\u{2019}' => both(char::is_alphabetic),
        '.' => both(|sign| sign.is_ascii_digit()),
        _ => false,
    }
}

fn add(word: &mut String, letter: char) {
    match letter {
        '\u{2019}' => word.push('\''),
        letter => word.extend(letter.to_lowercase()),
    }
}

/// Whether a point ends a sentence: a blank follows, and either no small letter or the point was behind a word that is too
/// long to be cut short.
fn ends_with_point(word: Option<&Word>, behind: &str) -> bool {
    let next = behind.trim_start().chars().next();
    let blank = behind.chars().next().is_none_or(char::is_whitespace);
    let whole = word.is_none_or(|word| word.text.chars().count() > LONGEST_ABBREVIATION);
    blank && (whole || next.is_none_or(|letter| !letter.is_lowercase()))
}

/// Whether what stands behind a line break begins something new.
fn line_ends(behind: &str) -> bool {
    let line = behind.trim_start_matches([' ', '\t', '\r']);
    line.chars().next().is_none_or(|letter| !(letter.is_lowercase() || letter.is_ascii_digit()))
}
