//! Phrases in clinical notes, and whether the note says that they hold.
//!
//! A note names a disease to say that the patient has it, has it not, may have it, or that a parent had it. After the
//! algorithm of `NegEx` (Chapman, Bridewell, Hanbury, Cooper, Buchanan, "A simple algorithm for identifying negated findings
//! and diseases in discharge summaries", J Biomed Inform 34:301-310, 2001) a phrase is negated by what stands before it
//! ("no", "denies") or behind it ("was ruled out") in the same sentence, unless something in between ends the scope
//! ("but"); expressions that only look like a negation ("no increase") do nothing. As in its second version, the scope goes
//! on to the end of the sentence; [`PhraseFinder::window`] brings back the five words of the paper. What concerns relatives
//! is from `ConText` (Harkema, Dowling, Thornblade, Chapman, J Biomed Inform 42:839-851, 2009).
//!
//! Words are compared without regard to case, hyphens and line breaks.
//!
//! ```
//! use ehr::text::{Assertion, PhraseFinder};
//! let finder = PhraseFinder::new(["type 2 diabetes", "fever"])?;
//! let found = finder.find("Denies fever. Known type-2 diabetes; her mother had type 2 diabetes.");
//! let said: Vec<Assertion> = found.iter().map(|mention| mention.assertion).collect();
//! assert_eq!(said, [Assertion::Negated, Assertion::Affirmed, Assertion::Family]);
//! # Ok::<(), ehr::text::TextError>(())
//! ```

mod triggers;
mod words;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use self::triggers::{TRIGGERS, Trigger};
use self::words::{Word, sentences};

/// Longest phrase, in words.
const MAX_WORDS: usize = 32;

/// Phrases that cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// There are none.
    #[error("there are no phrases to look for; give at least one")]
    Empty,
    /// A phrase has no letter or digit.
    #[error("phrase {index} ({phrase:?}) has no word in it; give letters or digits")]
    NoWord {
        /// Its place, from 0.
        index: usize,
        /// The phrase.
        phrase: String,
    },
    /// A phrase is a whole text.
    #[error("phrase {index} has {words} words, but at most {MAX_WORDS} are compared; shorten it")]
    TooLong {
        /// Its place, from 0.
        index: usize,
        /// Its words.
        words: usize,
    },
}

/// What a note says about a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assertion {
    /// It holds.
    Affirmed,
    /// It does not hold.
    Negated,
    /// It may hold: it is suspected, or is to be ruled out.
    Possible,
    /// It concerns a relative.
    Family,
}

impl Assertion {
    /// Name, as reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Affirmed => "affirmed",
            Self::Negated => "negated",
            Self::Possible => "possible",
            Self::Family => "family",
        }
    }
}

/// A phrase in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// Which phrase, by its place among those that are looked for.
    pub phrase: usize,
    /// Where it begins, in bytes of the text.
    pub start: usize,
    /// Where it ends, in bytes of the text.
    pub end: usize,
    /// What the text says about it.
    pub assertion: Assertion,
}

/// Finds phrases in texts.
#[derive(Debug, Clone)]
pub struct PhraseFinder {
    phrases: Vec<String>,
    sought: Matcher<usize>,
    triggers: Matcher<Trigger>,
    window: Option<usize>,
}

impl PhraseFinder {
    /// Looks for these phrases.
    ///
    /// # Errors
    /// [`TextError`] if there are none, or one has no words or too many.
    pub fn new<S: AsRef<str>>(phrases: impl IntoIterator<Item = S>) -> Result<Self, TextError> {
        let phrases: Vec<String> = phrases.into_iter().map(|phrase| phrase.as_ref().to_owned()).collect();
        let mut sought = Matcher::default();
        for (index, phrase) in phrases.iter().enumerate() {
            let found = words::of(phrase);
            match found.len() {
                0 => return Err(TextError::NoWord { index, phrase: phrase.chars().take(40).collect() }),
                1..=MAX_WORDS => sought.add(found, index),
                words => return Err(TextError::TooLong { index, words }),
            }
        }
        if phrases.is_empty() {
            return Err(TextError::Empty);
        }
        let mut triggers = Matcher::default();
        TRIGGERS.iter().for_each(|(text, kind)| triggers.add(words::of(text), *kind));
        Ok(Self { phrases, sought, triggers, window: None })
    }

    /// Lets a negation reach over at most this many words; the paper has 5. `None` lets it reach to the end of the sentence.
    pub fn window(mut self, words: Option<usize>) -> Self {
        self.window = words;
        self
    }

    /// The phrases.
    pub fn phrases(&self) -> &[String] {
        &self.phrases
    }

    /// Every mention of a phrase, in the order of the text. Where one phrase begins with another, the longer is found.
    pub fn find(&self, text: &str) -> Vec<Mention> {
        let mut mentions = Vec::new();
        for sentence in sentences(text) {
            let found = self.sought.find(&sentence);
            if found.is_empty() {
                continue;
            }
            let mut triggers = self.triggers.find(&sentence);
            // "No known allergies" as a phrase does not negate itself.
            triggers.retain(|trigger| !found.iter().any(|phrase| phrase.overlaps(trigger)));
            for place in found {
                let assertion = self.judge(&place, &triggers);
                let (start, end) = (sentence[place.first].start, sentence[place.last].end);
                mentions.push(Mention { phrase: place.what, start, end, assertion });
            }
        }
        mentions
    }

    /// Whether a text says of any of the phrases that it holds.
    pub fn affirmed(&self, text: &str) -> bool {
        self.find(text).iter().any(|mention| mention.assertion == Assertion::Affirmed)
    }

    fn judge(&self, place: &Place<usize>, triggers: &[Place<Trigger>]) -> Assertion {
        let near = |gap: usize| self.window.is_none_or(|window| gap <= window);
        let ends = |trigger: &&Place<Trigger>| trigger.what == Trigger::End;
        // From the phrase towards the beginning, as far as nothing ends the scope, and towards the end.
        let before = triggers.iter().rev().filter(|trigger| trigger.last < place.first).take_while(|at| !ends(at));
        let before = before.filter(|trigger| near(place.first - trigger.last - 1)).map(|trigger| trigger.what);
        let behind = triggers.iter().filter(|trigger| trigger.first > place.last).take_while(|at| !ends(at));
        let behind = behind.filter(|trigger| near(trigger.first - place.last - 1)).map(|trigger| trigger.what);
        let (before, behind): (Vec<_>, Vec<_>) = (before.collect(), behind.collect());
        if before.contains(&Trigger::Relative) {
            Assertion::Family
        } else if before.contains(&Trigger::Before) || behind.contains(&Trigger::Behind) {
            Assertion::Negated
        } else if before.contains(&Trigger::MaybeBefore) || behind.contains(&Trigger::MaybeBehind) {
            Assertion::Possible
        } else {
            Assertion::Affirmed
        }
    }
}

/// Sequences of words, each with what it stands for, by their first word.
#[derive(Debug, Clone)]
struct Matcher<T> {
    /// The longest first; of equal ones the first that was added.
    by_first: HashMap<String, Vec<(Vec<String>, T)>>,
}

/// Words of a sentence that match, and what they stand for.
struct Place<T> {
    first: usize,
    last: usize,
    what: T,
}

impl<T> Place<T> {
    fn overlaps<U>(&self, other: &Place<U>) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl<T> Default for Matcher<T> {
    fn default() -> Self {
        Self { by_first: HashMap::new() }
    }
}

impl<T: Copy> Matcher<T> {
    fn add(&mut self, words: Vec<String>, what: T) {
        let Some(first) = words.first().cloned() else { return };
        let sequences = self.by_first.entry(first).or_default();
        let at = sequences.partition_point(|(known, _)| known.len() >= words.len());
        sequences.insert(at, (words, what));
    }

    /// What is found in a sentence from left to right, without overlaps.
    fn find(&self, sentence: &[Word]) -> Vec<Place<T>> {
        let (mut at, mut found) = (0, Vec::new());
        while at < sentence.len() {
            let sequences = self.by_first.get(&sentence[at].text).map(Vec::as_slice).unwrap_or_default();
            let rest = &sentence[at..];
            let fits = |words: &[String]| {
                words.len() <= rest.len() && words.iter().zip(rest).all(|(word, here)| *word == here.text)
            };
            match sequences.iter().find(|(words, _)| fits(words)) {
                Some((words, what)) => {
                    found.push(Place { first: at, last: at + words.len() - 1, what: *what });
                    at += words.len();
                }
                None => at += 1,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
