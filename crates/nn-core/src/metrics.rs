//! Numbers that say how good a prediction is, and how far to trust the number.
//!
//! Every function takes slices in `f64` (labels as `bool` or class indices) and checks them: the
//! two slices have one length, which is not zero, and every value is finite. A metric that the data
//! do not define is an error of its own kind, [`MetricError::Undefined`], and never a stand-in such
//! as 0 or 0.5: an average over folds must not swallow a fold that had one class only.
//!
//! | kind | functions |
//! |---|---|
//! | errors | [`mse`], [`rmse`], [`mae`] |
//! | fit | [`r2`], [`rm2_published`], [`rm2_deepdta`], [`pearson`], [`spearman`] |
//! | order of values | [`concordance_index`], [`ci_deepdta`] |
//! | order of two classes | [`auroc`], [`average_precision`]; at every threshold [`roc`], [`precision_recall`] |
//! | decisions | [`Confusion`], [`ConfusionMatrix`] |
//! | probabilities | [`brier`], [`ece_equal_width`], [`ece_equal_mass`]; a bin of a diagram is a [`Reliability`] |
//! | intervals | [`interval`] |
//!
//! ```
//! use nn_core::metrics::{MetricError, auroc, interval, mse};
//! let (measured, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
//! assert_eq!(mse(&measured, &predicted)?, 0.375);
//!
//! // one class only: not 0.5, but an answer that a caller cannot overlook
//! assert!(matches!(auroc(&[true, true], &[0.1, 0.9]), Err(MetricError::Undefined { .. })));
//!
//! // rows 0 and 1 come from one subject: they are resampled together
//! let spread = interval(&[7, 7, 8, 9], 200, 0.95, 1, |rows| {
//!     let pick = |values: &[f64]| rows.iter().map(|row| values[*row]).collect::<Vec<_>>();
//!     mse(&pick(&measured), &pick(&predicted))
//! })?;
//! assert!(spread.low <= spread.estimate && spread.estimate <= spread.high);
//! # Ok::<(), MetricError>(())
//! ```

mod bootstrap;
mod calibration;
mod classification;
mod concordance;
mod curves;
mod ranking;
mod regression;

pub use bootstrap::{Interval, interval};
pub use calibration::{brier, ece_equal_mass, ece_equal_width};
pub use classification::{Confusion, ConfusionMatrix};
pub use concordance::{ci_deepdta, concordance_index};
pub use curves::{Reliability, precision_recall, roc};
pub use ranking::{auroc, average_precision};
pub use regression::{mae, mse, pearson, r2, rm2_deepdta, rm2_published, rmse, spearman};

use std::cmp::Ordering;

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Nothing was given.
    #[error("no values were given; a metric needs at least one row")]
    Empty,
    /// The two slices differ in length.
    #[error("{truth} true values but {pred} predictions; give one prediction for each true value")]
    Length {
        /// Number of true values or labels.
        truth: usize,
        /// Number of predictions or scores.
        pred: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what} at index {index} is {value}, not a finite number; repair or leave out the row")]
    NotFinite {
        /// Which of the inputs.
        what: &'static str,
        /// Position in the input, from 0.
        index: usize,
        /// The value found.
        value: f64,
    },
    /// The metric is not defined on these values, for example AUROC with a single class.
    #[error("{metric} is undefined: {why}")]
    Undefined {
        /// Name of the metric.
        metric: &'static str,
        /// What the data lack.
        why: String,
    },
    /// A value or a setting is outside its range.
    #[error("{what} = {value} is out of range; allowed: {allowed}")]
    OutOfRange {
        /// The value's or the setting's name.
        what: String,
        /// The value found.
        value: String,
        /// What would have been accepted.
        allowed: String,
    },
}

/// One prediction for each true value, and at least one.
fn check_lengths(truth: usize, pred: usize) -> Result<(), MetricError> {
    if truth != pred {
        return Err(MetricError::Length { truth, pred });
    }
    if truth == 0 {
        return Err(MetricError::Empty);
    }
    Ok(())
}

/// No NaN and no infinity; the first offender is named.
fn check_finite(what: &'static str, values: &[f64]) -> Result<(), MetricError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// Both checks for a regression: `truth` and `pred` of shape `[n]`, n > 0, finite.
fn check_pair(truth: &[f64], pred: &[f64]) -> Result<(), MetricError> {
    check_lengths(truth.len(), pred.len())?;
    check_finite("true value", truth)?;
    check_finite("prediction", pred)
}

/// Finite inputs can still overflow (or their spread underflow) on the way to the result.
fn in_f64(metric: &'static str, value: f64) -> Result<f64, MetricError> {
    if value.is_finite() {
        return Ok(value);
    }
    let why = "the result does not fit in 64-bit floating point; the values are too large or too \
               close together, rescale them";
    Err(MetricError::Undefined { metric, why: why.to_owned() })
}

/// Order of two checked values. -0 equals +0 here as in the comparisons of the definitions, which
/// `total_cmp` would tell apart.
fn ascending(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}
