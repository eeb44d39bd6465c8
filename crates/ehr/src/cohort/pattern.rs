//! Which codes are meant: patterns over the text of codes.

use serde::{Deserialize, Serialize};

use crate::codebook::{CodeId, Codebook};
use crate::events::Event;

/// Whether a pattern means a code. A pattern means the code that it spells and everything that stands below it:
/// `MEDS_DEATH` also means `MEDS_DEATH//HOSPITAL`, not `MEDS_DEATHS`. A `*` stands for any text, also none:
/// `DIAGNOSIS//ICD9CM//250*`.
///
/// ```
/// use ehr::cohort::code_matches;
/// assert!(code_matches("LAB//GLUCOSE", "LAB//GLUCOSE//mg/dL") && !code_matches("LAB//GLU", "LAB//GLUCOSE"));
/// assert!(code_matches("*//250*", "DIAGNOSIS//25000") && code_matches("LAB//*//%", "LAB//50852//%"));
/// ```
pub fn code_matches(pattern: &str, code: &str) -> bool {
    glob(pattern, code) || glob(&format!("{pattern}//*"), code)
}

/// For each code of a codebook, whether one of the patterns means it.
pub fn matching(patterns: &[String], book: &Codebook) -> Vec<bool> {
    book.iter().map(|(_, name)| patterns.iter().any(|pattern| code_matches(pattern, name))).collect()
}

/// Whether `pattern`, in which `*` stands for any text, is the whole of `text`.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Events of some codes, perhaps with a value on one side of a limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Predicate {
    /// Patterns of codes, one at least.
    pub codes: Vec<String>,
    /// The value must be greater.
    pub above: Option<f32>,
    /// The value must be less.
    pub below: Option<f32>,
}

impl Predicate {
    /// Events of the codes that a pattern means.
    pub fn code(pattern: &str) -> Self {
        Self { codes: vec![pattern.to_owned()], ..Self::default() }
    }

    /// The predicate for the numbers of one codebook.
    pub(super) fn compile(&self, book: &Codebook) -> Compiled {
        Compiled { codes: matching(&self.codes, book), above: self.above, below: self.below }
    }
}

/// A predicate for the numbers of one codebook.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    codes: Vec<bool>,
    above: Option<f32>,
    below: Option<f32>,
}

impl Compiled {
    /// Whether no code of the codebook is meant.
    pub(super) fn is_empty(&self) -> bool {
        !self.codes.contains(&true)
    }

    /// Whether a code is meant.
    pub(super) fn means(&self, code: CodeId) -> bool {
        self.codes[code.index()]
    }

    /// Whether an event is meant. A limit is never met by an event without a value.
    pub(super) fn holds(&self, event: &Event<'_>) -> bool {
        let above = self.above.is_none_or(|limit| event.value.is_some_and(|value| value > limit));
        let below = self.below.is_none_or(|limit| event.value.is_some_and(|value| value < limit));
        self.means(event.code) && above && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every text that a star could stand for.
    fn slow_glob(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|taken| slow_glob(rest, &text[taken..])),
            Some((byte, rest)) => text.first() == Some(byte) && slow_glob(rest, &text[1..]),
        }
    }

    #[test]
    fn patterns_equal_trying_everything() {
        // all words of up to five letters of a, b and *, against all of up to five of a and b
        let words = |letters: &[char]| {
            let mut words = vec![String::new()];
            let mut last = words.clone();
            for _ in 0..5 {
                last =
                    last.iter().flat_map(|word| letters.iter().map(move |letter| format!("{word}{letter}"))).collect();
                words.extend(last.iter().cloned());
            }
            words
        };
        let texts = words(&['a', 'b']);
        for pattern in words(&['a', 'b', '*']) {
            for text in &texts {
                let expected = slow_glob(pattern.as_bytes(), text.as_bytes());
                assert_eq!(glob(&pattern, text), expected, "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_means_what_stands_below() {
        for (pattern, code, expected) in [
            ("MEDS_DEATH", "MEDS_DEATH", true),
            ("MEDS_DEATH", "MEDS_DEATH//HOSPITAL", true),
            ("MEDS_DEATH", "MEDS_DEATHS", false),
            ("DIAGNOSIS//*//250*", "DIAGNOSIS//ICD9CM//25000", true),
            ("DIAGNOSIS//*//250*", "DIAGNOSIS//ICD9CM//V250", false),
            ("*HOSPICE*", "DISCHARGE//HOSPICE - HOME", true),
            ("", "X", false),
        ] {
            assert_eq!(code_matches(pattern, code), expected, "{pattern} {code}");
        }
    }
}
