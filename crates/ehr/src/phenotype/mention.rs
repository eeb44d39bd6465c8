//! What a text says about the phrases of an arm.

use crate::text::{Assertion, PhraseFinder};

/// What a text says about any of the phrases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mention {
    /// That one holds, in these words.
    Affirmed(String),
    /// Only that they do not hold, may hold, or hold for a relative.
    Negated,
    /// Nothing.
    Absent,
}

/// Looks for the phrases of an arm.
#[derive(Debug)]
pub(super) struct Finder(PhraseFinder);

impl Finder {
    pub(super) fn new(phrases: &[String]) -> Result<Self, String> {
        PhraseFinder::new(phrases).map(Self).map_err(|error| error.to_string())
    }

    pub(super) fn find(&self, text: &str) -> Mention {
        let mentions = self.0.find(text);
        match mentions.iter().find(|mention| mention.assertion == Assertion::Affirmed) {
            Some(mention) => Mention::Affirmed(text.get(mention.start..mention.end).unwrap_or("").to_owned()),
            None if mentions.is_empty() => Mention::Absent,
            None => Mention::Negated,
        }
    }
}
