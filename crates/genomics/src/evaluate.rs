//! How good predictions are: scores by name, task by task, with missing labels left out, and the curves behind them.
//!
//! | labels | scores |
//! |---|---|
//! | yes or no | `auroc` `average_precision` `recall_at_fdr_10` `accuracy` `mcc` `f1` `sensitivity` `specificity` `loss` `brier` `ece` |
//! | classes | `accuracy` `balanced_accuracy` `macro_f1` `auroc` (each class against the rest) `loss` |
//! | values | `mse` `mae` `pearson` `spearman` `r2` |
//!
//! A score of several tasks is the mean over the tasks that have it; `task.auroc` and the like stand beside it. A score
//! that the labels do not define (one class only) is absent, never 0.5.
//!
//! ```
//! use genomics::dataset::Labels;
//! use genomics::evaluate::Judged;
//! let judged = Judged::new(Labels::Binary, vec!["USF2".into()], vec![1.0, 0.0, 1.0], vec![2.0, -1.0, 0.5])?;
//! assert_eq!(judged.scores()?["auroc"], 1.0);
//! # Ok::<(), nn_core::metrics::MetricError>(())
//! ```

mod curves;
#[cfg(test)]
mod tests;

pub use self::curves::reliability;
pub use nn_core::metrics::{Reliability, precision_recall, roc};

use std::collections::BTreeMap;

use nn_core::metrics::{self, Confusion, ConfusionMatrix, MetricError};

use crate::dataset::{Labels, SequenceSet};

/// Scores by name.
pub type Scores = BTreeMap<String, f64>;

/// Share of false discoveries that `recall_at_fdr_10` allows.
pub const FDR: f64 = 0.1;
/// Bins of the calibration error.
pub const BINS: usize = 10;

/// Scores that each task gets by its own name where there are several.
const BY_TASK: [&str; 4] = ["auroc", "average_precision", "pearson", "spearman"];

/// The scores of one kind of labels, in the order in which tables show them.
pub fn names(labels: &Labels) -> &'static [&'static str] {
    match labels {
        Labels::Binary => &[
            "auroc",
            "average_precision",
            "recall_at_fdr_10",
            "accuracy",
            "mcc",
            "f1",
            "sensitivity",
            "specificity",
            "loss",
            "brier",
            "ece",
        ],
        Labels::Classes(_) => &["accuracy", "balanced_accuracy", "macro_f1", "auroc", "loss"],
        Labels::Values => &["pearson", "spearman", "r2", "mse", "mae"],
    }
}

/// Numbers that a model gives for each row: a logit for each yes-or-no task, a logit for each class, a value for each
/// task.
pub fn outputs(labels: &Labels, tasks: usize) -> usize {
    match labels {
        Labels::Classes(classes) => classes.len(),
        Labels::Binary | Labels::Values => tasks,
    }
}

/// Probability of a logit.
pub fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Probabilities of the classes, from their logits.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

/// What was measured beside what was predicted, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    labels: Labels,
    tasks: Vec<String>,
    /// `[rows, tasks]`; NaN is a missing label.
    targets: Vec<f32>,
    /// `[rows, outputs]`.
    predicted: Vec<f64>,
}

/// Labels and logits of one yes-or-no question, without the rows that have no label.
pub type Task = (Vec<bool>, Vec<f64>);

impl Judged {
    /// Puts `targets` of `[rows, tasks]`, where NaN is missing, beside `predicted` of `[rows, outputs]`: logits for
    /// yes-or-no labels and for classes, values as they are.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the two have another number of rows, [`MetricError::NotFinite`] for a prediction
    /// that is no number.
    pub fn new(
        labels: Labels,
        tasks: Vec<String>,
        targets: Vec<f32>,
        predicted: Vec<f64>,
    ) -> Result<Self, MetricError> {
        let (width, outputs) = (tasks.len().max(1), outputs(&labels, tasks.len()).max(1));
        let (truth, pred) = (targets.len() / width, predicted.len() / outputs);
        if truth != pred || !targets.len().is_multiple_of(width) || !predicted.len().is_multiple_of(outputs) {
            return Err(MetricError::Length { truth, pred });
        }
        if let Some(index) = predicted.iter().position(|value| !value.is_finite()) {
            return Err(MetricError::NotFinite { what: "prediction", index, value: predicted[index] });
        }
        Ok(Self { labels, tasks, targets, predicted })
    }

    /// As [`Judged::new`], for `rows` of `set` and predictions in the same order.
    ///
    /// # Errors
    /// As [`Judged::new`].
    ///
    /// # Panics
    /// When `set` has no such row.
    pub fn of(set: &SequenceSet, rows: &[usize], predicted: Vec<f64>) -> Result<Self, MetricError> {
        let tasks = set.tasks.len();
        let targets = rows.iter().flat_map(|row| &set.targets[row * tasks..][..tasks]).copied().collect();
        Self::new(set.labels.clone(), set.tasks.clone(), targets, predicted)
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.targets.len() / self.tasks.len().max(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The same for some of the rows; a row may come several times.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        let (tasks, outputs) = (self.tasks.len(), outputs(&self.labels, self.tasks.len()));
        Self {
            labels: self.labels.clone(),
            tasks: self.tasks.clone(),
            targets: rows.iter().flat_map(|row| &self.targets[row * tasks..][..tasks]).copied().collect(),
            predicted: rows.iter().flat_map(|row| &self.predicted[row * outputs..][..outputs]).copied().collect(),
        }
    }

    /// Labels and logits of a yes-or-no task, rows without a label left out.
    ///
    /// # Panics
    /// When there is no such task.
    pub fn binary(&self, task: usize) -> Task {
        assert!(task < self.tasks.len(), "task {task} of {}", self.tasks.len());
        let tasks = self.tasks.len();
        let pairs = self.targets.iter().zip(&self.predicted).skip(task).step_by(tasks);
        pairs.filter(|(target, _)| !target.is_nan()).map(|(target, &logit)| (*target >= 0.5, logit)).unzip()
    }

    /// Labels and logits of one class against all others, rows without a label left out; none where the labels are no
    /// classes.
    pub fn one_against_rest(&self, class: usize) -> Task {
        let Labels::Classes(classes) = &self.labels else { return Task::default() };
        let (truth, logits) = self.classes(classes.len());
        let pairs = truth.iter().zip(logits).filter_map(|(&found, row)| {
            let p = *softmax(row).get(class)?;
            // The logit of the class's probability, kept finite where the probability is 0 or 1.
            let p = p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
            Some((found == class, (p / (1.0 - p)).ln()))
        });
        pairs.unzip()
    }

    /// Measured and predicted values of a task, rows without a label left out.
    ///
    /// # Panics
    /// When there is no such task.
    pub fn values(&self, task: usize) -> (Vec<f64>, Vec<f64>) {
        assert!(task < self.tasks.len(), "task {task} of {}", self.tasks.len());
        let tasks = self.tasks.len();
        let pairs = self.targets.iter().zip(&self.predicted).skip(task).step_by(tasks);
        pairs.filter(|(target, _)| !target.is_nan()).map(|(target, &value)| (f64::from(*target), value)).unzip()
    }

    /// Every score that the labels define.
    ///
    /// # Errors
    /// [`MetricError`] for no rows.
    pub fn scores(&self) -> Result<Scores, MetricError> {
        let mut scores = Scores::new();
        for &name in names(&self.labels) {
            match self.score(name) {
                Ok(value) => drop(scores.insert(name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if self.tasks.len() > 1 {
            for (task, called) in self.tasks.iter().enumerate() {
                for name in BY_TASK {
                    if let Ok(value) = self.of_task(name, task) {
                        scores.insert(format!("{called}.{name}"), value);
                    }
                }
            }
        }
        Ok(scores)
    }

    /// The score called `name`, the mean over the tasks that have it.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] where no task has it, and what the metric finds wrong.
    pub fn score(&self, name: &str) -> Result<f64, MetricError> {
        if self.is_empty() {
            return Err(MetricError::Empty);
        }
        if let Labels::Classes(classes) = &self.labels {
            return self.of_classes(name, classes.len());
        }
        let mut found = Vec::new();
        let mut why = None;
        for task in 0..self.tasks.len() {
            match self.of_task(name, task) {
                Ok(value) => found.push(value),
                // A task without a single label is no reason to fail.
                Err(error @ (MetricError::Undefined { .. } | MetricError::Empty)) => why = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (found.is_empty(), why) {
            (true, Some(MetricError::Empty) | None) => {
                Err(MetricError::Undefined { metric: "score", why: format!("{name}: no row has a label") })
            }
            (true, Some(error)) => Err(error),
            (false, _) => Ok(found.iter().sum::<f64>() / found.len() as f64),
        }
    }

    fn of_task(&self, name: &str, task: usize) -> Result<f64, MetricError> {
        match self.labels {
            Labels::Values => {
                let (measured, predicted) = self.values(task);
                match name {
                    "pearson" => metrics::pearson(&measured, &predicted),
                    "spearman" => metrics::spearman(&measured, &predicted),
                    "r2" => metrics::r2(&measured, &predicted),
                    "mse" => metrics::mse(&measured, &predicted),
                    "mae" => metrics::mae(&measured, &predicted),
                    _ => no_such_score(name),
                }
            }
            Labels::Binary => {
                let (labels, logits) = self.binary(task);
                of_logits(name, &labels, &logits)
            }
            Labels::Classes(_) => no_such_score(name),
        }
    }

    /// True classes and the logits of each row, rows without a label left out.
    fn classes(&self, classes: usize) -> (Vec<usize>, Vec<&[f64]>) {
        let rows = self.targets.iter().zip(self.predicted.chunks_exact(classes));
        rows.filter(|(target, _)| !target.is_nan()).map(|(target, logits)| (*target as usize, logits)).unzip()
    }

    fn of_classes(&self, name: &str, classes: usize) -> Result<f64, MetricError> {
        let (truth, logits) = self.classes(classes);
        if truth.is_empty() {
            return Err(MetricError::Undefined { metric: "score", why: format!("{name}: no row has a label") });
        }
        let chosen: Vec<usize> = logits.iter().map(|row| highest(row)).collect();
        match name {
            "accuracy" => Ok(ConfusionMatrix::new(&truth, &chosen, classes)?.accuracy()),
            "macro_f1" => Ok(ConfusionMatrix::new(&truth, &chosen, classes)?.macro_f1()),
            "balanced_accuracy" => {
                let matrix = ConfusionMatrix::new(&truth, &chosen, classes)?;
                mean_of(name, (0..classes).map(|class| matrix.one_against_rest(class).recall()))
            }
            "auroc" => {
                let probabilities: Vec<Vec<f64>> = logits.iter().map(|row| softmax(row)).collect();
                let each = (0..classes).map(|class| {
                    let labels: Vec<bool> = truth.iter().map(|&found| found == class).collect();
                    let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
                    metrics::auroc(&labels, &scores)
                });
                mean_of(name, each)
            }
            "loss" => {
                let losses = truth.iter().zip(&logits).map(|(&class, row)| {
                    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    row.iter().map(|logit| (logit - highest).exp()).sum::<f64>().ln() + highest - row[class]
                });
                Ok(losses.sum::<f64>() / truth.len() as f64)
            }
            _ => no_such_score(name),
        }
    }
}

/// Place of the highest logit, the first of equals.
pub fn highest(logits: &[f64]) -> usize {
    let mut best = 0;
    for (place, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = place;
        }
    }
    best
}

/// A score of yes-or-no labels; a logit of 0 and above is a yes.
///
/// # Errors
/// [`MetricError`]; `Undefined` also for a name that is none of these scores.
pub fn of_logits(name: &str, labels: &[bool], logits: &[f64]) -> Result<f64, MetricError> {
    let confusion = || Confusion::at(labels, logits, 0.0);
    let probabilities = || logits.iter().map(|&logit| probability(logit)).collect::<Vec<f64>>();
    match name {
        "auroc" => metrics::auroc(labels, logits),
        "average_precision" => metrics::average_precision(labels, logits),
        "recall_at_fdr_10" => recall_at_fdr(labels, logits, FDR),
        "accuracy" => confusion()?.accuracy(),
        "mcc" => confusion()?.mcc(),
        "f1" => confusion()?.f1(),
        "sensitivity" => confusion()?.recall(),
        "specificity" => confusion()?.specificity(),
        "brier" => metrics::brier(labels, &probabilities()),
        "ece" => metrics::ece_equal_width(labels, &probabilities(), BINS),
        "loss" => {
            if labels.len() != logits.len() {
                return Err(MetricError::Length { truth: labels.len(), pred: logits.len() });
            }
            if labels.is_empty() {
                return Err(MetricError::Empty);
            }
            // −ln σ(±z), without overflow
            let loss = |(&yes, &logit): (&bool, &f64)| {
                let z: f64 = if yes { logit } else { -logit };
                (-z).max(0.0) + (-z.abs()).exp().ln_1p()
            };
            Ok(labels.iter().zip(logits).map(loss).sum::<f64>() / labels.len() as f64)
        }
        _ => no_such_score(name),
    }
}

/// The largest share of the positives that can be found while at most `fdr` of what is taken for positive is not; 0
/// where no threshold keeps to it. Rows with equal scores are taken together.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, or [`MetricError::Undefined`] without a positive.
pub fn recall_at_fdr(labels: &[bool], scores: &[f64], fdr: f64) -> Result<f64, MetricError> {
    let curve = precision_recall(labels, scores)?;
    Ok(curve.iter().filter(|(_, precision)| 1.0 - precision <= fdr).map(|(recall, _)| *recall).fold(0.0, f64::max))
}

fn no_such_score(name: &str) -> Result<f64, MetricError> {
    Err(MetricError::Undefined { metric: "score", why: format!("{name}: no such score for these labels") })
}

/// The mean of those that have a value.
fn mean_of(name: &str, values: impl Iterator<Item = Result<f64, MetricError>>) -> Result<f64, MetricError> {
    let mut found = Vec::new();
    for value in values {
        match value {
            Ok(value) => found.push(value),
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() {
        return Err(MetricError::Undefined { metric: "score", why: format!("{name}: no class has it") });
    }
    Ok(found.iter().sum::<f64>() / found.len() as f64)
}
