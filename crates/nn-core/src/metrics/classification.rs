//! Counts of right and wrong decisions, for two classes and for many, and what follows from them.

use super::ranking::check_scores;
use super::{MetricError, check_lengths};
use std::ops::Add;

/// The four counts of a two-class decision.
///
/// A ratio whose denominator is zero is [`MetricError::Undefined`], where other libraries put 0.
/// Counts add up (`a + b`), which gives the micro-averages of several labels or folds.
///
/// ```
/// use nn_core::metrics::Confusion;
/// let counts = Confusion::at(&[true, true, false], &[0.9, 0.4, 0.6], 0.5)?;
/// assert_eq!((counts.tp, counts.fp, counts.tn, counts.fn_), (1, 1, 0, 1));
/// assert_eq!(counts.f1()?, 0.5);
/// # Ok::<(), nn_core::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Positives taken for positive.
    pub tp: u64,
    /// Negatives taken for positive.
    pub fp: u64,
    /// Negatives taken for negative.
    pub tn: u64,
    /// Positives taken for negative (`fn` is a word of the language).
    pub fn_: u64,
}

impl Confusion {
    /// Counts with the decision "positive where score ≥ `threshold`". An infinite threshold takes
    /// all rows or none.
    ///
    /// # Errors
    /// [`MetricError`] for unequal or zero length, a score that is not finite, or a NaN threshold.
    pub fn at(labels: &[bool], scores: &[f64], threshold: f64) -> Result<Self, MetricError> {
        check_scores(labels, scores)?;
        if threshold.is_nan() {
            return Err(MetricError::OutOfRange {
                what: "threshold".to_owned(),
                value: threshold.to_string(),
                allowed: "any number but NaN".to_owned(),
            });
        }
        let mut counts = Self::default();
        for (label, score) in labels.iter().zip(scores) {
            match (*label, *score >= threshold) {
                (true, true) => counts.tp += 1,
                (false, true) => counts.fp += 1,
                (false, false) => counts.tn += 1,
                (true, false) => counts.fn_ += 1,
            }
        }
        Ok(counts)
    }

    /// Number of rows counted.
    pub fn total(&self) -> u64 {
        self.tp + self.fp + self.tn + self.fn_
    }

    /// `tp / (tp + fp)`, the positive predictive value.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when nothing was taken for positive.
    pub fn precision(&self) -> Result<f64, MetricError> {
        ratio("precision", self.tp, self.tp + self.fp, "no row was predicted positive")
    }

    /// `tp / (tp + fn)`, the sensitivity.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when there is no positive.
    pub fn recall(&self) -> Result<f64, MetricError> {
        ratio("recall", self.tp, self.tp + self.fn_, "no row is positive")
    }

    /// `tn / (tn + fp)`.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when there is no negative.
    pub fn specificity(&self) -> Result<f64, MetricError> {
        ratio("specificity", self.tn, self.tn + self.fp, "no row is negative")
    }

    /// `2tp / (2tp + fp + fn)`, the harmonic mean of precision and recall; 0 when either is 0.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when there is no positive, neither true nor predicted.
    pub fn f1(&self) -> Result<f64, MetricError> {
        let denominator = 2 * self.tp + self.fp + self.fn_;
        ratio("F1", 2 * self.tp, denominator, "no row is positive or was predicted so")
    }

    /// F with recall weighted `beta` times as much as precision:
    /// `(1+β²)tp / ((1+β²)tp + β²fn + fp)`.
    ///
    /// # Errors
    /// As [`Confusion::f1`], or [`MetricError::OutOfRange`] for a `beta` that is not positive and
    /// finite.
    pub fn f_beta(&self, beta: f64) -> Result<f64, MetricError> {
        if !(beta > 0.0 && beta.is_finite()) {
            return Err(MetricError::OutOfRange {
                what: "beta".to_owned(),
                value: beta.to_string(),
                allowed: "above 0 and finite".to_owned(),
            });
        }
        // the reasons for having no value are those of F1
        self.f1()?;
        let weight = beta * beta;
        let hits = (1.0 + weight) * self.tp as f64;
        Ok(hits / (hits + weight * self.fn_ as f64 + self.fp as f64))
    }

    /// Share of right decisions.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when nothing was counted.
    pub fn accuracy(&self) -> Result<f64, MetricError> {
        ratio("accuracy", self.tp + self.tn, self.total(), "no row was counted")
    }

    /// Mean of recall and specificity: 0.5 for any decision that ignores the input.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when one of the classes is absent.
    pub fn balanced_accuracy(&self) -> Result<f64, MetricError> {
        Ok(f64::midpoint(self.recall()?, self.specificity()?))
    }

    /// Matthews' correlation coefficient, in -1..=1.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] when all labels or all decisions are the same.
    pub fn mcc(&self) -> Result<f64, MetricError> {
        let (tp, fp, tn, fn_) = (self.tp as f64, self.fp as f64, self.tn as f64, self.fn_ as f64);
        let spread = ((tp + fp) * (tn + fn_)).sqrt() * ((tp + fn_) * (tn + fp)).sqrt();
        if spread == 0.0 {
            let why = format!("all {} labels or all decisions are of one class", self.total());
            return Err(MetricError::Undefined { metric: "Matthews correlation", why });
        }
        Ok(((tp * tn - fp * fn_) / spread).clamp(-1.0, 1.0))
    }
}

impl Add for Confusion {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { tp: self.tp + other.tp, fp: self.fp + other.fp, tn: self.tn + other.tn, fn_: self.fn_ + other.fn_ }
    }
}

fn ratio(metric: &'static str, numerator: u64, denominator: u64, why: &str) -> Result<f64, MetricError> {
    if denominator == 0 {
        return Err(MetricError::Undefined { metric, why: why.to_owned() });
    }
    Ok(numerator as f64 / denominator as f64)
}

/// Counts of each true class against each predicted class, every row having exactly one of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    // row-major, true class × predicted class
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Counts the classes `0..classes` in `truth` `[n]` and `pred` `[n]`.
    ///
    /// # Errors
    /// [`MetricError`] for unequal or zero length or a class index that is `classes` or above.
    pub fn new(truth: &[usize], pred: &[usize], classes: usize) -> Result<Self, MetricError> {
        check_lengths(truth.len(), pred.len())?;
        let known = |what: &str, values: &[usize]| match values.iter().find(|c| **c >= classes) {
            Some(class) => Err(MetricError::OutOfRange {
                what: format!("{what} class"),
                value: class.to_string(),
                allowed: format!("below {classes}, the number of classes"),
            }),
            None => Ok(()),
        };
        known("true", truth)?;
        known("predicted", pred)?;
        let mut counts = vec![0; classes * classes];
        for (truth, pred) in truth.iter().zip(pred) {
            counts[truth * classes + pred] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows of true class `truth` that were taken for class `pred`; 0 for a class that is not one.
    pub fn count(&self, truth: usize, pred: usize) -> u64 {
        if truth < self.classes && pred < self.classes { self.counts[truth * self.classes + pred] } else { 0 }
    }

    /// The four counts of `class` against all others.
    pub fn one_against_rest(&self, class: usize) -> Confusion {
        let tp = self.count(class, class);
        let actual: u64 = (0..self.classes).map(|other| self.count(class, other)).sum();
        let predicted: u64 = (0..self.classes).map(|other| self.count(other, class)).sum();
        let total: u64 = self.counts.iter().sum();
        Confusion { tp, fp: predicted - tp, tn: total + tp - actual - predicted, fn_: actual - tp }
    }

    /// Share of rows on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        // `new` counted at least one row
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Mean of the classes' F1, each class counting the same. Classes that occur neither in the
    /// truth nor in the predictions have no F1 and are left out, as scikit-learn does by default.
    pub fn macro_f1(&self) -> f64 {
        let scores: Vec<f64> = (0..self.classes).filter_map(|class| self.one_against_rest(class).f1().ok()).collect();
        scores.iter().sum::<f64>() / scores.len() as f64
    }

    /// F1 of the counts summed over the classes. With one class per row this is the accuracy; for
    /// several labels per row add up one [`Confusion`] per label instead.
    pub fn micro_f1(&self) -> f64 {
        self.accuracy()
    }

    /// Mean of the classes' F1, each weighted by the number of its true rows.
    pub fn weighted_f1(&self) -> f64 {
        let (mut sum, mut rows) = (0.0, 0.0);
        for class in 0..self.classes {
            let counts = self.one_against_rest(class);
            let actual = (counts.tp + counts.fn_) as f64;
            // a class without a true row has weight zero, with or without an F1
            sum += counts.f1().unwrap_or(0.0) * actual;
            rows += actual;
        }
        sum / rows
    }
}

#[cfg(test)]
mod tests;
