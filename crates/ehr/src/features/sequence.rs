//! Visits as ids of a vocabulary, with the days between them.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::Encoder;
use crate::cohort::code_matches;
use crate::systems::VisitSequence;
use crate::view::{View, VisitRule};

/// Microseconds of a day.
const DAY: f64 = 86_400e6;

/// How a record becomes a sequence of visits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceConfig {
    /// Where a visit begins.
    pub visits: VisitRule,
    /// Visits at most, the last ones before the prediction time; from 1 on.
    pub max_visits: usize,
    /// Patterns of codes that make a visit a planned one, such as `HOSPITAL_ADMISSION//ELECTIVE`.
    pub planned: Vec<String>,
}

impl Default for SequenceConfig {
    fn default() -> Self {
        Self { visits: VisitRule::Day, max_visits: 100, planned: vec!["HOSPITAL_ADMISSION//ELECTIVE".to_owned()] }
    }
}

impl SequenceConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("max_visits", self.max_visits, 1..=1_000_000)
    }
}

/// The visits of a view, those without any code of the vocabulary left out. `statics` are the numbers known besides,
/// without gaps.
///
/// Codes of one visit are a set; days are counted from the start of a visit to the start of the next. A subject without
/// visits has an empty sequence, which is scored like any other.
pub fn sequence(view: &View<'_>, encoder: &Encoder, config: &SequenceConfig, statics: Vec<f32>) -> VisitSequence {
    let book = view.codebook();
    let mut sequence = VisitSequence::new(statics);
    let visits: Vec<(i64, bool, Vec<u32>)> = view
        .visits(&config.visits)
        .iter()
        .filter_map(|visit| {
            let ids: Vec<u32> = visit.codes.iter().filter_map(|&code| encoder.id(code)).collect();
            let is_planned = |name: &str| config.planned.iter().any(|pattern| code_matches(pattern, name));
            let planned = visit.codes.iter().any(|&code| is_planned(book.name(code)));
            (!ids.is_empty()).then_some((visit.start.0, planned, ids))
        })
        .collect();
    let mut before = None;
    for (start, planned, ids) in visits.into_iter().rev().take(config.max_visits.max(1)).rev() {
        let days = before.map_or(0.0, |before: i64| start.saturating_sub(before) as f64 / DAY);
        sequence.push(days as f32, planned, ids);
        before = Some(start);
    }
    sequence
}
