//! What a model has to beat, on the very rows that it is judged on.
//!
//! | function | knows of a sequence | typical use |
//! |---|---|---|
//! | [`prior`] | nothing: the majority class, or the mean | the scale of accuracy and of the squared error |
//! | [`gc`] | the share of G and C | how much of a benchmark is composition |
//! | [`kmers`] | how often each word of a few bases occurs | what can be told without knowing where anything lies |
//!
//! Published sets need this. G and C alone reach an AUROC of 0.83 on the iEnhancer-2L benchmark and 0.91 on the
//! promoters of E. coli: a network's score there says little before they stand beside it. On sets whose negatives are
//! dinucleotide shuffles they reach 0.50, and words of four bases still 0.97 for USF2.
//!
//! Each function learns from the rows `train` and predicts the rows `query`, whose labels are not looked at.
//! Predictions are laid out as those of the networks: `[query, outputs]`, logits for yes-or-no labels and classes,
//! values as they are ([`crate::evaluate::outputs`]). A task is learnt from the rows that have a label of it.

use nn_core::config::ConfigError;
use nn_core::metrics::MetricError;

use crate::dataset::{DatasetError, Labels, SequenceSet};
use crate::evaluate::{Judged, Scores, outputs};
use crate::kmer::{Features, KmerConfig, KmerModel, Loss};

/// Why a baseline has no predictions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There is nothing to learn from.
    #[error("the {part} part has no rows; the baselines need some")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A row that the set does not have.
    #[error("row {row} is in the {part} part, but the set has {rows} rows, numbered from 0")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// Which part names it.
        part: &'static str,
        /// Rows of the set.
        rows: usize,
    },
    /// The set does not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Predictions cannot be scored.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// What a baseline predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Name, as tables print it.
    pub name: String,
    /// `[query, outputs]`.
    pub predicted: Vec<f64>,
}

impl Baseline {
    /// Every score that the labels define, of the rows that were predicted.
    ///
    /// # Errors
    /// [`MetricError`] for no rows, or rows other in number than the predictions.
    pub fn scores(&self, set: &SequenceSet, query: &[usize]) -> Result<Scores, MetricError> {
        Judged::of(set, query, self.predicted.clone())?.scores()
    }
}

/// All baselines, the simplest first.
///
/// # Errors
/// [`BaselineError`].
pub fn all(
    set: &SequenceSet,
    train: &[usize],
    query: &[usize],
    config: &KmerConfig,
) -> Result<Vec<Baseline>, BaselineError> {
    let baseline = |name: &str, predicted| Baseline { name: name.to_owned(), predicted };
    Ok(vec![
        baseline(prior_name(&set.labels), prior(set, train, query)?),
        baseline(GC_NAME, gc(set, train, query)?),
        baseline(&kmers_name(&set.labels, config.k), kmers(set, train, query, config)?),
    ])
}

/// Name of [`gc`] in tables.
pub const GC_NAME: &str = "GC content";

/// Name of [`prior`] in tables.
pub fn prior_name(labels: &Labels) -> &'static str {
    match labels {
        Labels::Values => "mean",
        Labels::Binary | Labels::Classes(_) => "majority class",
    }
}

/// Name of [`kmers`] in tables.
pub fn kmers_name(labels: &Labels, k: usize) -> String {
    match labels {
        Labels::Values => format!("{k}-mer ridge regression"),
        Labels::Binary | Labels::Classes(_) => format!("{k}-mer logistic regression"),
    }
}

/// The shares of the classes in training, as logits, with one more row of each class; of values their mean.
///
/// # Errors
/// [`BaselineError`] for rows that are not there, or none to learn from.
pub fn prior(set: &SequenceSet, train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    check(set, train, query)?;
    let row = shares(&set.labels, set.tasks.len(), |task| {
        labelled(set, train, task).into_iter().map(|(_, target)| target).collect()
    });
    Ok(row.repeat(query.len()))
}

/// What [`prior`] says of every row, where `learnt` gives the known targets of a task.
pub(crate) fn shares(labels: &Labels, tasks: usize, learnt: impl Fn(usize) -> Vec<f64>) -> Vec<f64> {
    let mut row = Vec::with_capacity(outputs(labels, tasks));
    for task in 0..tasks {
        let targets = learnt(task);
        let n = targets.len() as f64;
        match labels {
            Labels::Values if targets.is_empty() => row.push(0.0),
            Labels::Values => row.push(targets.iter().sum::<f64>() / n),
            Labels::Binary => {
                let positives: f64 = targets.iter().sum();
                row.push(((positives + 1.0) / (n - positives + 1.0)).ln());
            }
            Labels::Classes(classes) => {
                let mut counts = vec![1.0; classes.len()];
                targets.iter().for_each(|class| counts[*class as usize] += 1.0);
                row.extend(counts.iter().map(|count: &f64| (count / (n + classes.len() as f64)).ln()));
            }
        }
    }
    row
}

/// Regression on the share of G and C.
///
/// # Errors
/// [`BaselineError`] for rows that are not there, or none to learn from.
pub fn gc(set: &SequenceSet, train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    let models = fit(set, train, Features::Gc, KmerConfig::default().penalty)?;
    predict(set, &models, query)
}

/// Regression on the counts of words.
///
/// # Errors
/// [`BaselineError`] for rows that are not there, none to learn from, or settings out of range.
pub fn kmers(
    set: &SequenceSet,
    train: &[usize],
    query: &[usize],
    config: &KmerConfig,
) -> Result<Vec<f64>, BaselineError> {
    config.validate()?;
    let models = fit(set, train, config.features(), config.penalty)?;
    predict(set, &models, query)
}

/// One linear model for each task of the set.
///
/// # Errors
/// [`BaselineError`] for rows that are not there, or none to learn from.
///
/// # Panics
/// If `features` counts words of a length that is not supported, or `penalty` is not positive.
pub fn fit(
    set: &SequenceSet,
    train: &[usize],
    features: Features,
    penalty: f64,
) -> Result<Vec<KmerModel>, BaselineError> {
    check(set, train, &[])?;
    let loss = match &set.labels {
        Labels::Binary => Loss::Logistic,
        Labels::Classes(classes) => Loss::Softmax { classes: classes.len() },
        Labels::Values => Loss::Squared,
    };
    let counts = features.count(&sequences(set, train));
    let of_task = |task: usize| {
        let (places, targets): (Vec<usize>, Vec<f64>) = labelled(set, train, task).into_iter().unzip();
        if places.len() == train.len() {
            KmerModel::fit_counts(features, &counts, &targets, loss, penalty)
        } else {
            KmerModel::fit_counts(features, &counts.select(&places), &targets, loss, penalty)
        }
    };
    Ok((0..set.tasks.len()).map(of_task).collect())
}

/// What the models of the tasks say of rows: `[query, outputs]`.
///
/// # Errors
/// [`BaselineError::NoSuchRow`].
pub fn predict(set: &SequenceSet, models: &[KmerModel], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    check_rows(set, query, "query")?;
    let Some(first) = models.first() else { return Ok(Vec::new()) };
    let counts = first.features().count(&sequences(set, query));
    let columns: Vec<Vec<f64>> = models.iter().map(|model| model.predict_counts(&counts)).collect();
    // The models of several tasks have one output each, the one of classes has all of them.
    let width = first.loss().outputs();
    Ok((0..query.len())
        .flat_map(|row| columns.iter().flat_map(move |column| &column[row * width..][..width]))
        .copied()
        .collect())
}

fn sequences<'a>(set: &'a SequenceSet, rows: &[usize]) -> Vec<&'a [u8]> {
    rows.iter().map(|&row| set.sequences[row].as_slice()).collect()
}

/// Places in `rows` and labels of the rows that have one.
fn labelled(set: &SequenceSet, rows: &[usize], task: usize) -> Vec<(usize, f64)> {
    let labels = rows.iter().enumerate().filter_map(|(place, &row)| Some((place, f64::from(set.target(row, task)?))));
    labels.collect()
}

/// Checks what every baseline assumes.
fn check(set: &SequenceSet, train: &[usize], query: &[usize]) -> Result<(), BaselineError> {
    set.check()?;
    if train.is_empty() {
        return Err(BaselineError::Empty { part: "training" });
    }
    check_rows(set, train, "training")?;
    check_rows(set, query, "query")
}

fn check_rows(set: &SequenceSet, rows: &[usize], part: &'static str) -> Result<(), BaselineError> {
    match rows.iter().find(|&&row| row >= set.len()) {
        Some(&row) => Err(BaselineError::NoSuchRow { row, part, rows: set.len() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
