//! What a network has to beat, on the very rows that it is judged on.
//!
//! | baseline | learns from |
//! |---|---|
//! | [`prior`] | how many are positive |
//! | [`severity`] | a score that clinicians use, such as SAPS-I or SOFA, where the data has it |
//! | [`Logistic`] | a table of last, mean, least and largest values |
//! | [`Boosting`] | the same table, gaps included |
//! | [`Forest`] | any table; Deep Patient's classifier |
//!
//! All learn from the rows `train` and predict the rows `query`, whose labels are not looked at. Predictions are
//! logits, as those of the networks.

mod boosting;
mod logistic;
#[cfg(test)]
mod tests;
mod trees;

pub use self::boosting::{Boosting, BoostingConfig, Forest, ForestConfig};
pub use self::logistic::Logistic;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use crate::features::Table;

/// Why a baseline has no predictions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There is nothing to learn from.
    #[error("a baseline was given {rows} rows of {columns} columns to learn from; it needs at least one of each")]
    Empty {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// A table and labels of unequal length.
    #[error(
        "the table has {values} values for {labels} labels and {columns} columns; give {} values",
        .labels * .columns
    )]
    Length {
        /// Values of the table.
        values: usize,
        /// Labels.
        labels: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// An infinite value.
    #[error(
        "row {row}, column {column} of a baseline's table is {value}; use finite numbers, and NaN for what is missing"
    )]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
    /// A row that is not there.
    #[error("row {row} was asked for, the table has {rows}, numbered from 0")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Settings of [`all`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineConfig {
    /// Factor of half the squared weights of the logistic regression, above 0; 1 is scikit-learn's default.
    pub penalty: f64,
    /// Settings of the boosted trees.
    pub boosting: BoostingConfig,
}

impl Default for BaselineConfig {
    fn default() -> Self {
        Self { penalty: 1.0, boosting: BoostingConfig::default() }
    }
}

impl BaselineConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("penalty", self.penalty, 1e-12..=1e12)?;
        self.boosting.validate()
    }
}

/// What a baseline predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Name, as tables print it.
    pub name: String,
    /// Logits of the rows that were asked for.
    pub logits: Vec<f64>,
}

/// A severity score of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Severity<'a> {
    /// Name, for example `SAPS-I`.
    pub name: &'a str,
    /// The score of each row; NaN, and what is below 0 (`PhysioNet` 2012 writes −1), is missing.
    pub scores: &'a [f32],
}

/// All baselines, the simplest first: the prior, each severity score, logistic regression and boosted trees.
///
/// # Errors
/// [`BaselineError`].
pub fn all(
    table: &Table,
    labels: &[bool],
    severities: &[Severity<'_>],
    train: &[usize],
    query: &[usize],
    config: &BaselineConfig,
) -> Result<Vec<Baseline>, BaselineError> {
    config.validate()?;
    let (rows, columns) = (table.rows(), table.columns());
    if rows != labels.len() {
        return Err(BaselineError::Length { values: table.values.len(), labels: labels.len(), columns });
    }
    let known = pick(labels, train)?;
    let (seen, asked) = (gather(table, train)?, gather(table, query)?);
    let baseline = |name: &str, logits| Baseline { name: name.to_owned(), logits };
    let mut found = vec![baseline("prior", prior(labels, train, query)?)];
    for one in severities {
        found.push(baseline(one.name, severity(one, labels, train, query)?));
    }
    let logistic = Logistic::fit(&seen, columns, &known, config.penalty)?;
    found.push(baseline("logistic regression", logistic.logits(&asked)));
    let boosting = config.boosting.fit(&seen, columns, &known)?;
    found.push(baseline("gradient-boosted trees", boosting.logits(&asked)));
    Ok(found)
}

/// The share of positives in training, with one more row of each class.
///
/// # Errors
/// [`BaselineError::NoSuchRow`].
pub fn prior(labels: &[bool], train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    let known = pick(labels, train)?;
    pick(labels, query)?;
    let positives = known.iter().filter(|label| **label).count() as f64;
    Ok(vec![((positives + 1.0) / (known.len() as f64 - positives + 1.0)).ln(); query.len()])
}

/// Logistic regression on a severity score alone, which keeps its order and gives it probabilities.
///
/// # Errors
/// [`BaselineError`] for rows that are not there, or none to learn from.
pub fn severity(
    severity: &Severity<'_>,
    labels: &[bool],
    train: &[usize],
    query: &[usize],
) -> Result<Vec<f64>, BaselineError> {
    let scores: Vec<f32> = severity.scores.iter().map(|&score| if score < 0.0 { f32::NAN } else { score }).collect();
    // A penalty that is next to nothing: one column needs none, and without any, separated classes have no minimum.
    let model = Logistic::fit(&pick(&scores, train)?, 1, &pick(labels, train)?, 1e-6)?;
    Ok(model.logits(&pick(&scores, query)?))
}

/// The values at `rows`.
fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Result<Vec<T>, BaselineError> {
    let value = |&row: &usize| values.get(row).copied().ok_or(BaselineError::NoSuchRow { row, rows: values.len() });
    rows.iter().map(value).collect()
}

/// The table's values at `rows`, row behind row.
fn gather(table: &Table, rows: &[usize]) -> Result<Vec<f32>, BaselineError> {
    let mut values = Vec::with_capacity(rows.len() * table.columns());
    for &row in rows {
        if row >= table.rows() {
            return Err(BaselineError::NoSuchRow { row, rows: table.rows() });
        }
        values.extend_from_slice(table.row(row));
    }
    Ok(values)
}

/// Checks what every model of a table assumes.
fn check_table(values: &[f32], columns: usize, labels: &[bool]) -> Result<(), BaselineError> {
    if columns == 0 || labels.is_empty() {
        return Err(BaselineError::Empty { rows: labels.len(), columns });
    }
    if values.len() != labels.len() * columns {
        return Err(BaselineError::Length { values: values.len(), labels: labels.len(), columns });
    }
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(BaselineError::NotFinite { row: at / columns, column: at % columns, value: values[at] }),
        None => Ok(()),
    }
}
