//! What became of everybody who is not in a cohort.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Counts from the data to the labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attrition {
    /// Subjects of the data.
    pub subjects: usize,
    /// Of those, the ones with an index event.
    pub with_index: usize,
    /// Episodes that count.
    pub episodes: usize,
    /// Episodes left out, by reason; each for the first that applies.
    pub dropped: BTreeMap<String, usize>,
    /// Labels that are left.
    pub labels: usize,
    /// Parts of the definition whose codes do not occur in the data, and which therefore did nothing.
    pub without_effect: Vec<String>,
}

impl Attrition {
    pub(super) fn leave_out(&mut self, reason: &str) {
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for Attrition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subjects, with_index, episodes, labels, .. } = self;
        write!(f, "{subjects} subjects, {with_index} with an index event, {episodes} episodes, {labels} labels")?;
        for (reason, count) in &self.dropped {
            write!(f, "; {count} {reason}")?;
        }
        if !self.without_effect.is_empty() {
            write!(f, "; not in the data: {}", self.without_effect.join(", "))?;
        }
        Ok(())
    }
}
