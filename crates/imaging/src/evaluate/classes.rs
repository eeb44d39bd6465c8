//! Scores of classifiers, by name.
//!
//! | classes | scores |
//! |---|---|
//! | two, the second being the positive one | `auroc` `average_precision` `sensitivity_at_specificity_90` `accuracy` `balanced_accuracy` `sensitivity` `specificity` `f1` `mcc` `brier` `ece` `loss` |
//! | more | `accuracy` `balanced_accuracy` `macro_f1` `auroc` (each class against the rest) `ece` (of the chosen class) `loss` |
//!
//! A score that the labels do not define, such as the AUROC of one class, is absent, never 0.5.

use std::collections::BTreeMap;

use nn_core::metrics::{self, Confusion, ConfusionMatrix, Interval, MetricError, interval, roc};

/// Scores by name.
pub type ClassNumbers = BTreeMap<String, f64>;

/// The specificity at which `sensitivity_at_specificity_90` is read.
pub const SPECIFICITY: f64 = 0.9;
/// Bins of the calibration error.
pub const BINS: usize = 10;
/// Probabilities are kept this far from 0 for the loss, as scikit-learn does in single precision.
const FLOOR: f64 = 1e-7;
/// Nominal coverage of the intervals.
const LEVEL: f64 = 0.95;

/// The scores of so many classes, in the order in which tables show them.
pub fn names(classes: usize) -> &'static [&'static str] {
    if classes == 2 {
        &[
            "auroc",
            "average_precision",
            "sensitivity_at_specificity_90",
            "accuracy",
            "balanced_accuracy",
            "sensitivity",
            "specificity",
            "f1",
            "mcc",
            "brier",
            "ece",
            "loss",
        ]
    } else {
        &["accuracy", "balanced_accuracy", "macro_f1", "auroc", "ece", "loss"]
    }
}

/// True classes beside predicted probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedPictures {
    labels: Vec<usize>,
    /// `[n, classes]`.
    probabilities: Vec<f64>,
    classes: usize,
    /// The subject of each row.
    subjects: Vec<u64>,
}

impl JudgedPictures {
    /// Puts the class of each picture beside `probabilities` of `[n, classes]`, whose rows sum to 1; `subjects` has one
    /// number for each picture (`nn_core::data::group_ids`).
    ///
    /// # Errors
    /// [`MetricError`] for unequal or zero length, a class that is not there, or a number that is no probability.
    pub fn new(
        labels: Vec<usize>,
        probabilities: Vec<f64>,
        classes: usize,
        subjects: Vec<u64>,
    ) -> Result<Self, MetricError> {
        if labels.is_empty() {
            return Err(MetricError::Empty);
        }
        let rows = labels.len();
        if rows.checked_mul(classes) != Some(probabilities.len()) {
            return Err(MetricError::Length { truth: rows, pred: probabilities.len() / classes.max(1) });
        }
        if subjects.len() != rows {
            return Err(MetricError::Length { truth: rows, pred: subjects.len() });
        }
        let wrong = |what: &str, value: String, allowed: String| {
            Err(MetricError::OutOfRange { what: what.to_owned(), value, allowed })
        };
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return wrong("class", label.to_string(), format!("0 to {}", classes.saturating_sub(1)));
        }
        if let Some(value) = probabilities.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return wrong("probability", value.to_string(), "0 to 1".to_owned());
        }
        let mut sums = probabilities.chunks_exact(classes).map(|row| row.iter().sum::<f64>());
        // Single precision is good for 1e-6.
        if let Some(sum) = sums.find(|sum| (sum - 1.0).abs() > 1e-3) {
            return wrong("sum of the probabilities of a picture", sum.to_string(), "1".to_owned());
        }
        Ok(Self { labels, probabilities, classes, subjects })
    }

    /// Pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The same for some of the pictures; one may come several times.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            probabilities: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            classes: self.classes,
            subjects: rows.iter().map(|&row| self.subjects[row]).collect(),
        }
    }

    /// The true classes.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// For each picture, whether it is of `class`, and the probability of that.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn against_rest(&self, class: usize) -> (Vec<bool>, Vec<f64>) {
        assert!(class < self.classes, "class {class} of {}", self.classes);
        let rows = 0..self.len();
        (self.labels.iter().map(|label| *label == class).collect(), rows.map(|row| self.row(row)[class]).collect())
    }

    /// The class of the highest probability of each picture, the first of equals; of two classes the second from 0.5.
    pub fn chosen(&self) -> Vec<usize> {
        let of = |row: &[f64]| if row.len() == 2 { usize::from(row[1] >= 0.5) } else { highest(row) };
        (0..self.len()).map(|row| of(self.row(row))).collect()
    }

    /// Rows true, columns chosen.
    ///
    /// # Errors
    /// [`MetricError`] without pictures.
    pub fn confusion(&self) -> Result<ConfusionMatrix, MetricError> {
        ConfusionMatrix::new(&self.labels, &self.chosen(), self.classes)
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.classes..][..self.classes]
    }

    /// Every score that the labels define.
    ///
    /// # Errors
    /// [`MetricError`] without pictures.
    pub fn scores(&self) -> Result<ClassNumbers, MetricError> {
        let mut scores = ClassNumbers::new();
        for &name in names(self.classes) {
            match self.score(name) {
                Ok(value) => drop(scores.insert(name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(scores)
    }

    /// The score called `name`.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] where the labels do not define it or there is none of that name.
    pub fn score(&self, name: &str) -> Result<f64, MetricError> {
        if self.is_empty() {
            return Err(MetricError::Empty);
        }
        match name {
            "loss" => {
                let loss = |row: usize| -self.row(row)[self.labels[row]].max(FLOOR).ln();
                Ok((0..self.len()).map(loss).sum::<f64>() / self.len() as f64)
            }
            "accuracy" => Ok(self.confusion()?.accuracy()),
            _ if self.classes == 2 => self.of_two(name),
            _ => self.of_many(name),
        }
    }

    fn of_two(&self, name: &str) -> Result<f64, MetricError> {
        let (labels, scores) = self.against_rest(1);
        let confusion = || Confusion::at(&labels, &scores, 0.5);
        match name {
            "auroc" => metrics::auroc(&labels, &scores),
            "average_precision" => metrics::average_precision(&labels, &scores),
            "sensitivity_at_specificity_90" => sensitivity_at(&labels, &scores, SPECIFICITY),
            "balanced_accuracy" => confusion()?.balanced_accuracy(),
            "sensitivity" => confusion()?.recall(),
            "specificity" => confusion()?.specificity(),
            "f1" => confusion()?.f1(),
            "mcc" => confusion()?.mcc(),
            "brier" => metrics::brier(&labels, &scores),
            "ece" => metrics::ece_equal_width(&labels, &scores, BINS),
            _ => no_such_score(name),
        }
    }

    fn of_many(&self, name: &str) -> Result<f64, MetricError> {
        match name {
            "macro_f1" => Ok(self.confusion()?.macro_f1()),
            "balanced_accuracy" => {
                let matrix = self.confusion()?;
                mean_of(name, (0..self.classes).map(|class| matrix.one_against_rest(class).recall()))
            }
            "auroc" => {
                let of_class = |class: usize| {
                    let (labels, scores) = self.against_rest(class);
                    metrics::auroc(&labels, &scores)
                };
                mean_of(name, (0..self.classes).map(of_class))
            }
            "ece" => {
                let chosen = self.chosen();
                let right: Vec<bool> = chosen.iter().zip(&self.labels).map(|(one, other)| one == other).collect();
                let sure: Vec<f64> = chosen.iter().enumerate().map(|(row, &class)| self.row(row)[class]).collect();
                metrics::ece_equal_width(&right, &sure, BINS)
            }
            _ => no_such_score(name),
        }
    }

    /// 95 % interval of a score, by a bootstrap over subjects.
    ///
    /// # Errors
    /// [`MetricError`] as [`JudgedPictures::score`], and with fewer than two subjects.
    pub fn interval(&self, name: &str, resamples: usize, seed: u64) -> Result<Interval, MetricError> {
        interval(&self.subjects, resamples, LEVEL, seed, |rows| self.select(rows).score(name))
    }
}

/// Place of the highest value, the first of equals.
pub fn highest(values: &[f64]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

/// The highest sensitivity of a threshold that keeps the specificity at `specificity` or above. Pictures with equal scores
/// are taken together.
///
/// # Errors
/// [`MetricError`] for unequal or zero length or a score that is no number; [`MetricError::Undefined`] where a class is
/// absent.
pub fn sensitivity_at(labels: &[bool], scores: &[f64], specificity: f64) -> Result<f64, MetricError> {
    let curve = roc(labels, scores)?;
    // One of ten and 1 − 0.9 differ in the last digit.
    let allowed = 1.0 - specificity + 1e-12;
    Ok(curve.into_iter().filter(|(wrong, _)| *wrong <= allowed).map(|(_, right)| right).fold(0.0, f64::max))
}

fn no_such_score(name: &str) -> Result<f64, MetricError> {
    Err(MetricError::Undefined { metric: "score", why: format!("{name}: no such score of these classes") })
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
