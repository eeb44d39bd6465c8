//! How good predictions are, how far the numbers can be trusted, and whether the probabilities mean what they say.
//!
//! | question | answered by |
//! |---|---|
//! | scores of a yes-or-no task, with intervals by subject | [`Judged`] |
//! | do probabilities mean what they say, and can they be put right | [`Calibration`], [`Recalibration`] |
//! | is acting on them better than treating all or none | [`decision_curve`] |
//! | are the next visit's codes among the first k | [`recall_at_k`] |
//! | does it hold for all kinds of subjects | [`subgroups`] |
//! | risks over time, with competing events | [`survival`] |
//!
//! Rows of one subject are resampled together: two stays of one patient are not two patients.
//!
//! ```
//! use ehr::evaluate::{Judged, Recalibration};
//! let (labels, logits) = (vec![true, false, true, false], vec![2.0, -1.0, 0.5, -0.3]);
//! let judged = Judged::new(labels, logits, &[7, 7, 8, 9], &Recalibration::None)?;
//! assert_eq!(judged.score("auroc")?, 1.0);
//! # Ok::<(), nn_core::metrics::MetricError>(())
//! ```

mod calibration;
mod curves;
mod recall;
mod subgroups;
pub mod survival;
#[cfg(test)]
mod tests;

pub use self::calibration::{Calibration, Recalibration};
pub use self::curves::{NetBenefit, decision_curve, reliability};
pub use self::recall::{recall_at_k, recall_by_row};
pub use self::subgroups::{Subgroup, subgroups};
pub use nn_core::metrics::{Reliability, precision_recall, roc};

use std::collections::BTreeMap;

use nn_core::metrics::{self, Interval, MetricError, interval};

/// Scores by name.
pub type Scores = BTreeMap<String, f64>;

/// Bins of the calibration errors.
pub const BINS: usize = 10;

/// The scores, in the order in which tables show them.
///
/// `auprc` is the average precision: steps between the points of the curve, not trapezoids, which promise too much.
/// `ece` has bins of equal width, `ece_equal_mass` of equally many rows. `calibration_slope` is 1 and
/// `calibration_intercept` 0 where probabilities are right; see [`Calibration`].
pub const SCORES: [&str; 9] = [
    "auroc",
    "auprc",
    "brier",
    "ece",
    "ece_equal_mass",
    "calibration_slope",
    "calibration_intercept",
    "in_the_large",
    "loss",
];

/// Probability of a logit.
pub fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of a probability, which is kept off 0 and 1 by the smallest step that a probability of 32 bits has.
pub fn logit(probability: f64) -> f64 {
    let p = probability.clamp(f64::from(f32::EPSILON), 1.0 - f64::from(f32::EPSILON));
    (p / (1.0 - p)).ln()
}

/// Labels of a yes-or-no task beside what was predicted, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    labels: Vec<bool>,
    logits: Vec<f64>,
    probabilities: Vec<f64>,
    subjects: Vec<u64>,
}

impl Judged {
    /// Puts labels beside logits. `subjects` says whose each row is. Rows are ranked by their logits, and
    /// `recalibration` gives the probabilities, so that it changes no ranking.
    ///
    /// # Errors
    /// [`MetricError::Length`] for parts of unequal length, [`MetricError::Empty`] without a row and
    /// [`MetricError::NotFinite`] for a logit that is no number.
    pub fn new(
        labels: Vec<bool>,
        logits: Vec<f64>,
        subjects: &[i64],
        recalibration: &Recalibration,
    ) -> Result<Self, MetricError> {
        let truth = labels.len();
        if let Some(&pred) = [logits.len(), subjects.len()].iter().find(|&&length| length != truth) {
            return Err(MetricError::Length { truth, pred });
        }
        if labels.is_empty() {
            return Err(MetricError::Empty);
        }
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(MetricError::NotFinite { what: "logit", index, value: logits[index] });
        }
        let probabilities = logits.iter().map(|&logit| recalibration.probability(logit)).collect();
        let subjects = subjects.iter().map(|&subject| subject.cast_unsigned()).collect();
        Ok(Self { labels, logits, probabilities, subjects })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row; never so.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Labels of the rows.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// Logits of the rows, as the model gave them.
    pub fn logits(&self) -> &[f64] {
        &self.logits
    }

    /// Probabilities of the rows, recalibrated.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Share of positives, 0 to 1.
    pub fn prevalence(&self) -> f64 {
        self.labels.iter().filter(|label| **label).count() as f64 / self.labels.len().max(1) as f64
    }

    /// The same for some of the rows; a row may come several times.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            logits: rows.iter().map(|&row| self.logits[row]).collect(),
            probabilities: rows.iter().map(|&row| self.probabilities[row]).collect(),
            subjects: rows.iter().map(|&row| self.subjects[row]).collect(),
        }
    }

    /// The score called `name`, one of [`SCORES`].
    ///
    /// # Errors
    /// [`MetricError::Undefined`] where the labels do not define it or there is no such score.
    pub fn score(&self, name: &str) -> Result<f64, MetricError> {
        let (labels, probabilities) = (&self.labels, &self.probabilities);
        match name {
            "auroc" => metrics::auroc(labels, &self.logits),
            "auprc" => metrics::average_precision(labels, &self.logits),
            "brier" => metrics::brier(labels, probabilities),
            "ece" => metrics::ece_equal_width(labels, probabilities, BINS),
            "ece_equal_mass" => metrics::ece_equal_mass(labels, probabilities, BINS),
            "calibration_slope" => Ok(self.calibration()?.slope),
            "calibration_intercept" => Ok(self.calibration()?.intercept),
            "in_the_large" => Ok(self.calibration()?.in_the_large),
            "loss" => {
                let loss = |(label, p): (&bool, &f64)| {
                    let z = if *label { logit(*p) } else { -logit(*p) };
                    (-z).max(0.0) + (-z.abs()).exp().ln_1p()
                };
                Ok(labels.iter().zip(probabilities).map(loss).sum::<f64>() / labels.len() as f64)
            }
            _ => Err(MetricError::Undefined { metric: "score", why: format!("{name}: there is no such score") }),
        }
    }

    /// Every score that the labels define.
    ///
    /// # Errors
    /// [`MetricError`] other than that a score is not defined.
    pub fn scores(&self) -> Result<Scores, MetricError> {
        let mut scores = Scores::new();
        for name in SCORES {
            match self.score(name) {
                Ok(value) => drop(scores.insert(name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(scores)
    }

    /// Intercept and slope of the labels on the logits of the probabilities.
    ///
    /// # Errors
    /// As [`Calibration::of`].
    pub fn calibration(&self) -> Result<Calibration, MetricError> {
        let logits: Vec<f64> = self.probabilities.iter().map(|&p| logit(p)).collect();
        Calibration::of(&self.labels, &logits)
    }

    /// A score with its bootstrap interval, whole subjects being drawn.
    ///
    /// # Errors
    /// As [`nn_core::metrics::interval`].
    pub fn interval(&self, name: &str, resamples: usize, level: f64, seed: u64) -> Result<Interval, MetricError> {
        interval(&self.subjects, resamples, level, seed, |rows| self.select(rows).score(name))
    }

    /// Intervals of all scores that have one.
    ///
    /// # Errors
    /// [`MetricError`] other than that a score is not defined.
    pub fn intervals(
        &self,
        resamples: usize,
        level: f64,
        seed: u64,
    ) -> Result<BTreeMap<String, Interval>, MetricError> {
        let mut found = BTreeMap::new();
        for name in SCORES {
            match self.interval(name, resamples, level, seed) {
                Ok(value) => drop(found.insert(name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// How much more of a score this model has than `other` on the same rows, with the interval of the difference: both
    /// are judged on the same resamples.
    ///
    /// # Errors
    /// As [`Judged::interval`], and [`MetricError::Length`] for another number of rows.
    pub fn difference(
        &self,
        other: &Self,
        name: &str,
        resamples: usize,
        level: f64,
        seed: u64,
    ) -> Result<Interval, MetricError> {
        if self.len() != other.len() {
            return Err(MetricError::Length { truth: self.len(), pred: other.len() });
        }
        interval(&self.subjects, resamples, level, seed, |rows| {
            Ok(self.select(rows).score(name)? - other.select(rows).score(name)?)
        })
    }
}

/// Labels and one finite number for each, at least one row.
pub(crate) fn check(labels: &[bool], values: &[f64], what: &'static str) -> Result<(), MetricError> {
    if labels.len() != values.len() {
        return Err(MetricError::Length { truth: labels.len(), pred: values.len() });
    }
    if labels.is_empty() {
        return Err(MetricError::Empty);
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// A setting that is out of its range.
pub(crate) fn out_of_range(what: &str, value: impl ToString, allowed: &str) -> MetricError {
    MetricError::OutOfRange { what: what.to_owned(), value: value.to_string(), allowed: allowed.to_owned() }
}
