//! What a model has to beat, on the very rows that it is judged on.
//!
//! | function | knows of a pair | typical use |
//! |---|---|---|
//! | [`mean()`] | nothing | the scale of the squared error |
//! | [`bias()`] | which drug, which target | how much of the table is "a sticky drug, a busy target" |
//! | [`matrix_factorisation()`] | which drug, which target | what can be filled in without chemistry, where both are known |
//! | [`tanimoto_knn()`] | the drug's fingerprint, which target | what neighbours tell about a new drug |
//! | [`mlp()`] | fingerprint and k-mers | what a network without sequence layers reaches |
//!
//! On the published Davis folds matrix factorisation, which sees neither SMILES nor sequence, is level with `DeepDTA`: a
//! model's number on that split says little unless this row stands beside it.
//!
//! Each function learns from the rows `train` and predicts the rows `query`; the labels of `query` are not looked at.

mod bias;
mod matrix_factorisation;
mod mlp;
mod tanimoto_knn;

use std::collections::BTreeMap;

use burn::tensor::Device;
use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

pub use self::bias::{bias, mean};
pub use self::matrix_factorisation::{Factorisation, RANKS, RIDGES, matrix_factorisation, tuned_factorisation};
pub use self::mlp::{MlpConfig, mlp};
pub use self::tanimoto_knn::{POWER, tanimoto_knn};

use crate::study::{Scores, Study, StudyError};
use crate::table::AffinityTable;

/// Why a baseline has no predictions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There is nothing to learn from, or to tune on.
    #[error("the {part} part has no rows; the baselines need some")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A row that the table does not have.
    #[error("row {row} is in the {part} part, but the table has {rows} rows, numbered from 0")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// Which part names it.
        part: &'static str,
        /// Rows of the table.
        rows: usize,
    },
    /// A label that is not a number.
    #[error("the label of row {row} is {value}, not a finite number; drop that row when reading the table")]
    Label {
        /// The row.
        row: usize,
        /// Its label.
        value: f32,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A network could not be trained.
    #[error("the perceptron could not be trained: {0}")]
    Training(String),
    /// Predictions could not be scored.
    #[error(transparent)]
    Score(#[from] StudyError),
}

/// Checks what every baseline assumes of its rows.
fn check(table: &AffinityTable, train: &[usize], query: &[usize]) -> Result<(), BaselineError> {
    if train.is_empty() {
        return Err(BaselineError::Empty { part: "training" });
    }
    let rows = table.pairs.len();
    for (part, named) in [("training", train), ("query", query)] {
        if let Some(&row) = named.iter().find(|&&row| row >= rows) {
            return Err(BaselineError::NoSuchRow { row, part, rows });
        }
    }
    match train.iter().find(|&&row| !table.pairs[row].value.is_finite()) {
        Some(&row) => Err(BaselineError::Label { row, value: table.pairs[row].value }),
        None => Ok(()),
    }
}

/// A baseline's scores, once for each training part that it was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Name, as tables print it.
    pub name: String,
    /// The scores on the test part, by the study's protocol.
    pub scores: Vec<Scores>,
}

impl Baseline {
    /// Mean of each score that all runs have.
    pub fn mean(&self) -> BTreeMap<String, f64> {
        let Some(first) = self.scores.first() else {
            return BTreeMap::new();
        };
        first
            .keys()
            .filter_map(|name| {
                let values: Option<Vec<f64>> = self.scores.iter().map(|scores| scores.get(name).copied()).collect();
                let values = values?;
                Some((name.clone(), values.iter().sum::<f64>() / values.len() as f64))
            })
            .collect()
    }
}

/// All baselines on the parts that the study's models get: fitted to the training part of each model and scored on the test
/// part; what has settings is tuned on the validation part. The perceptron, slowest by far, is fitted to the first model's
/// part only.
///
/// # Errors
/// [`BaselineError`].
pub fn all(study: &Study<'_>, device: &Device) -> Result<Vec<Baseline>, BaselineError> {
    let table = study.table();
    let mut found: Vec<Baseline> =
        ["mean", "drug and target biases", "matrix factorisation", "Tanimoto kNN", "fingerprint perceptron"]
            .map(|name| Baseline { name: name.to_owned(), scores: Vec::new() })
            .into();
    for model in 0..study.config().models {
        let split = study.plan().split(model);
        // The study scores the test part in the order of its own rows.
        let (train, validation, query) = (&split.train[..], &split.validation[..], study.plan().test());
        let mut predictions = vec![
            mean(table, train, query)?,
            bias(table, train, query)?,
            tuned_factorisation(table, [train, validation, query], study.seed(model))?.1,
            tanimoto_knn(table, train, query)?,
        ];
        if model == 0 {
            let config = MlpConfig { seed: study.seed(0), ..MlpConfig::default() };
            predictions.push(mlp(table, [train, validation, query], &config, device)?);
        }
        for (baseline, predicted) in found.iter_mut().zip(&predictions) {
            baseline.scores.push(study.score(predicted)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests_support {
    use crate::table::{AffinityTable, Drug, Pair, Quantity, Target};

    /// Every drug against every target, drug by drug, with the values of `value(drug, target)`. The drugs are alkanes.
    pub(super) fn full_table(drugs: usize, targets: usize, value: impl Fn(usize, usize) -> f64) -> AffinityTable {
        let rows = (0..drugs).flat_map(|drug| (0..targets).map(move |target| (drug, target)));
        AffinityTable {
            drugs: (0..drugs).map(|drug| Drug { id: drug.to_string(), smiles: "C".repeat(drug + 1) }).collect(),
            targets: (0..targets).map(|t| Target { id: t.to_string(), sequence: "M".repeat(t + 1) }).collect(),
            pairs: rows.map(|(d, t)| Pair { drug: d as u32, target: t as u32, value: value(d, t) as f32 }).collect(),
            quantity: Quantity::Pkd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Drug, Pair, Quantity, Target};

    #[test]
    fn the_mean_is_over_the_scores_that_all_runs_have() {
        let scores = |pairs: &[(&str, f64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let scores = vec![scores(&[("mse", 1.0), ("ci", 0.5)]), scores(&[("mse", 2.0)])];
        let mean = Baseline { name: "x".into(), scores }.mean();
        assert_eq!(mean.into_iter().collect::<Vec<_>>(), [("mse".to_owned(), 1.5)]);
        assert!(Baseline { name: "x".into(), scores: vec![] }.mean().is_empty());
    }

    type Fit = fn(&AffinityTable, &[usize], &[usize]) -> Result<Vec<f64>, BaselineError>;

    #[test]
    fn impossible_parts_are_refused_by_all() {
        let table = AffinityTable {
            drugs: vec![Drug { id: "d".into(), smiles: "C".into() }],
            targets: vec![Target { id: "t".into(), sequence: "M".into() }],
            pairs: vec![Pair { drug: 0, target: 0, value: 1.0 }, Pair { drug: 0, target: 0, value: f32::NAN }],
            quantity: Quantity::Pkd,
        };
        let factorise: Fit = |table, train, query| matrix_factorisation(table, train, query, &Factorisation::default());
        for fit in [mean as Fit, bias, tanimoto_knn, factorise] {
            assert!(matches!(fit(&table, &[], &[0]), Err(BaselineError::Empty { part: "training" })));
            let error = fit(&table, &[0], &[0, 7]).unwrap_err().to_string();
            assert!(error.starts_with("row 7 is in the query part, but the table has 2 rows"), "{error}");
            assert!(matches!(fit(&table, &[0, 1], &[0]), Err(BaselineError::Label { row: 1, .. })));
            // One label only: that is what all of them predict.
            let predicted = fit(&table, &[0], &[1]).unwrap();
            assert!((predicted[0] - 1.0).abs() < 1e-9, "{predicted:?}");
        }
    }
}
