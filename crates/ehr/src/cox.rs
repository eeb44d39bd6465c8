//! Cox regression, and landmarking with it: what a network that foretells events has to beat.
//!
//! Cox 1972, J R Stat Soc B 34:187; ties by Efron 1977, J Am Stat Assoc 72:557, or Breslow 1974, Biometrics 30:89.
//! Landmarking (van Houwelingen 2007, Scandinavian Journal of Statistics 34:70) fits, at one moment and on those still
//! at risk, one model for each cause with the values last seen, and the causes' hazards together give the risk of each.
//!
//! ```
//! use ehr::cox::CoxConfig;
//! // the higher the value, the earlier the event
//! let (values, times) = ([2.0, 1.0, 1.5, 0.0, -1.0], [1.0, 3.0, 2.0, 4.0, 5.0]);
//! let events = [true, true, false, true, true];
//! let config = CoxConfig { penalty: 0.1, ..CoxConfig::default() };
//! let model = config.fit(&values, 1, &times, &events)?;
//! assert!(model.log_hazards(&[2.0])[0] > model.log_hazards(&[0.0])[0]);
//! # Ok::<(), ehr::cox::CoxError>(())
//! ```

mod landmark;
mod likelihood;
#[cfg(test)]
mod tests;

pub use self::landmark::{LandmarkCox, LandmarkRows};

use nn_core::config::{ConfigError, in_range};
use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

use self::likelihood::{Likelihood, inverse, solve};
use crate::evaluate::survival::StepFunction;

/// Newton steps at most; ten are usual.
const STEPS: usize = 100;
/// The fit ends when a step promises less than this share of the log-likelihood.
const TOLERANCE: f64 = 1e-12;

/// How events at the same time count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// As if they came one by one in each order, on the average (nearly); R's and lifelines' default.
    #[default]
    Efron,
    /// As if all came from the whole risk set.
    Breslow,
}

/// Why a Cox model cannot be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoxError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Times or risks that cannot be used.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Parts of unequal length.
    #[error("{what} has {found} entries, {expected} are needed")]
    Length {
        /// The part.
        what: &'static str,
        /// Entries found.
        found: usize,
        /// Entries needed.
        expected: usize,
    },
    /// An infinite value.
    #[error("row {row}, column {column} is {value}; use finite numbers, and NaN for what is missing")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
    /// Nothing happened.
    #[error("none of the {rows} rows has an event, so no hazard can be estimated")]
    NoEvents {
        /// Rows given.
        rows: usize,
    },
    /// The likelihood grows without end.
    #[error(
        "the likelihood has no maximum: a column orders the events without an error, or columns depend on each other; \
         set penalty above {penalty}"
    )]
    NoMaximum {
        /// The penalty that was too small.
        penalty: f64,
    },
}

/// Settings of a Cox regression.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoxConfig {
    /// How events at the same time count.
    pub ties: Ties,
    /// Factor of half the squared weights of the standardised columns, 0 or more.
    pub penalty: f64,
}

impl CoxConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("penalty", self.penalty, 0.0..=1e12)
    }

    /// Learns from a table `[rows, columns]`, where NaN is missing and counts as the column's mean, the time of each
    /// row's event or loss, and whether it was an event. Constant columns get no weight.
    ///
    /// # Errors
    /// [`CoxError`] for parts of unequal length, values that are not finite, no event, or a likelihood without a
    /// maximum.
    pub fn fit(&self, values: &[f32], columns: usize, times: &[f64], events: &[bool]) -> Result<Cox, CoxError> {
        self.validate()?;
        let rows = times.len();
        check(values, columns, times, events)?;
        let (means, scales) = moments(values, columns, rows);
        let table = standardised(values, &means, &scales);
        let likelihood = Likelihood::new(&table, columns, times, events, self.ties);
        // A constant column has no curvature of its own; one keeps the matrix regular and its weight at zero.
        let ridge: Vec<f64> = scales.iter().map(|scale| if *scale > 0.0 { self.penalty } else { 1.0 }).collect();
        let penalised = |value: f64, weights: &[f64]| {
            value - 0.5 * weights.iter().zip(&ridge).map(|(weight, ridge)| ridge * weight * weight).sum::<f64>()
        };
        let failed = || CoxError::NoMaximum { penalty: self.penalty };

        let mut weights = vec![0.0; columns];
        let mut converged = false;
        let mut now = likelihood.with_derivatives(&weights);
        for _ in 0..STEPS {
            let mut gradient = now.gradient.clone();
            let mut curvature = now.curvature.clone();
            for column in 0..columns {
                gradient[column] -= ridge[column] * weights[column];
                curvature[column * columns + column] += ridge[column];
            }
            let step = solve(&curvature, &gradient).ok_or_else(failed)?;
            let promised: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
            let before = penalised(now.value, &weights);
            if promised <= TOLERANCE * (1.0 + before.abs()) {
                converged = true;
                break;
            }
            let mut length = 1.0;
            let next = loop {
                let next: Vec<f64> = weights.iter().zip(&step).map(|(weight, step)| weight + length * step).collect();
                let value = penalised(likelihood.value(&next), &next);
                if value >= before || length < 1e-10 {
                    break next;
                }
                length *= 0.5;
            };
            weights = next;
            now = likelihood.with_derivatives(&weights);
        }
        // a hazard that grows e²⁰-fold with a standard deviation is no estimate but a flight to infinity
        if !converged || weights.iter().any(|weight| weight.is_nan() || weight.abs() > 20.0) {
            return Err(failed());
        }
        let baseline = likelihood.baseline(&weights);
        let covariance = inverse(&now.curvature, &ridge, columns).ok_or_else(failed)?;
        let errors = (0..columns).map(|column| {
            if scales[column] > 0.0 { covariance[column * columns + column].max(0.0).sqrt() } else { 0.0 }
        });
        Ok(Cox { errors: errors.collect(), log_likelihood: now.value, means, scales, weights, baseline })
    }
}

/// A fitted Cox regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cox {
    means: Vec<f64>,
    /// One over each column's standard deviation; 0 for a constant column.
    scales: Vec<f64>,
    weights: Vec<f64>,
    errors: Vec<f64>,
    baseline: StepFunction,
    log_likelihood: f64,
}

impl Cox {
    /// Columns of the tables that it reads.
    pub fn columns(&self) -> usize {
        self.weights.len()
    }

    /// Change of the log hazard with one unit of each column.
    pub fn coefficients(&self) -> Vec<f64> {
        self.weights.iter().zip(&self.scales).map(|(weight, scale)| weight * scale).collect()
    }

    /// Standard errors of the coefficients, from the curvature of the likelihood.
    pub fn standard_errors(&self) -> Vec<f64> {
        self.errors.iter().zip(&self.scales).map(|(error, scale)| error * scale).collect()
    }

    /// The partial log-likelihood, without the penalty.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Cumulative hazard of a row whose columns are at their means (Breslow 1972).
    pub fn baseline(&self) -> &StepFunction {
        &self.baseline
    }

    /// Log hazards of a table's rows, relative to a row at the means; ranks the risks.
    pub fn log_hazards(&self, values: &[f32]) -> Vec<f64> {
        let table = standardised(values, &self.means, &self.scales);
        let hazard = |row: &[f64]| row.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum();
        table.chunks_exact(self.columns().max(1)).map(hazard).collect()
    }

    /// Risk of each row to have had the event by each of `times`: `[rows, times]`.
    pub fn risks(&self, values: &[f32], times: &[f64]) -> Vec<f64> {
        let cumulative: Vec<f64> = times.iter().map(|&time| self.baseline.at(time)).collect();
        let hazards = self.log_hazards(values).into_iter().map(f64::exp);
        hazards
            .flat_map(|hazard| cumulative.iter().map(move |at| -(-at * hazard).exp_m1()).collect::<Vec<_>>())
            .collect()
    }
}

fn check(values: &[f32], columns: usize, times: &[f64], events: &[bool]) -> Result<(), CoxError> {
    let rows = times.len();
    in_range("columns", columns, 1..=10_000)?;
    if events.len() != rows {
        return Err(CoxError::Length { what: "the events", found: events.len(), expected: rows });
    }
    if values.len() != rows * columns {
        return Err(CoxError::Length { what: "the table", found: values.len(), expected: rows * columns });
    }
    if let Some(index) = times.iter().position(|time| !(time.is_finite() && *time >= 0.0)) {
        return Err(MetricError::NotFinite { what: "time", index, value: times[index] }.into());
    }
    if let Some(at) = values.iter().position(|value| value.is_infinite()) {
        return Err(CoxError::NotFinite { row: at / columns, column: at % columns, value: values[at] });
    }
    if events.iter().any(|event| *event) { Ok(()) } else { Err(CoxError::NoEvents { rows }) }
}

/// Mean of each column's values, and one over their deviation, gaps counting as the mean.
fn moments(values: &[f32], columns: usize, rows: usize) -> (Vec<f64>, Vec<f64>) {
    let of_column = |column: usize| {
        let known = || values.iter().skip(column).step_by(columns).filter(|v| !v.is_nan()).copied().map(f64::from);
        let mean = known().sum::<f64>() / known().count().max(1) as f64;
        let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / rows as f64).sqrt();
        (mean, if deviation > 1e-12 * (1.0 + mean.abs()) { 1.0 / deviation } else { 0.0 })
    };
    (0..columns).map(of_column).unzip()
}

fn standardised(values: &[f32], means: &[f64], scales: &[f64]) -> Vec<f64> {
    let columns = means.len().max(1);
    let value = |(at, value): (usize, &f32)| {
        let column = at % columns;
        if value.is_nan() { 0.0 } else { (f64::from(*value) - means[column]) * scales[column] }
    };
    values.iter().enumerate().map(value).collect()
}
