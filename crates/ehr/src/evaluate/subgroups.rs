//! Scores of the kinds of subjects apart: a mean can hide that a model fails some of them.

use std::collections::BTreeMap;

use nn_core::metrics::{Interval, MetricError};
use serde::{Deserialize, Serialize};

use super::{Judged, Scores};

/// The scores of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subgroup {
    /// What the groups are made by, such as `sex`.
    pub by: String,
    /// Which group it is.
    pub group: String,
    /// Rows.
    pub rows: usize,
    /// Share of positives, 0 to 1.
    pub prevalence: f64,
    /// Mean predicted probability.
    pub predicted: f64,
    /// Every score that the group's labels define.
    pub scores: Scores,
    /// AUROC with its interval by subject; none where a class is absent or all rows are of one subject.
    pub auroc: Option<Interval>,
}

/// The scores of each group of rows; `groups` names the group of each row. Groups come in the order of their names.
///
/// # Errors
/// [`MetricError::Length`] when there is not one group for each row; otherwise as [`Judged::interval`].
pub fn subgroups(
    judged: &Judged,
    by: &str,
    groups: &[String],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Result<Vec<Subgroup>, MetricError> {
    if groups.len() != judged.len() {
        return Err(MetricError::Length { truth: judged.len(), pred: groups.len() });
    }
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(row, group)| rows.entry(group).or_default().push(row));
    let one = |(group, rows): (&str, Vec<usize>)| {
        let part = judged.select(&rows);
        let auroc = match part.interval("auroc", resamples, level, seed) {
            Ok(interval) => Some(interval),
            Err(MetricError::Undefined { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Subgroup {
            by: by.to_owned(),
            group: group.to_owned(),
            rows: rows.len(),
            prevalence: part.prevalence(),
            predicted: part.probabilities().iter().sum::<f64>() / rows.len() as f64,
            scores: part.scores()?,
            auroc,
        })
    };
    rows.into_iter().map(one).collect()
}
