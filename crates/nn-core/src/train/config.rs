//! Settings of a run that are not the system's own.

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::optim::Schedule;

/// Name under which the mean training loss of an epoch can be monitored, for runs without a validation part.
pub const TRAIN_LOSS: &str = "train_loss";

/// Which of two values of a metric is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Goal {
    /// The smaller one, as of an error.
    Lower,
    /// The larger one, as of an accuracy.
    Higher,
}

/// The metric that decides which epoch is the best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Name of the metric, as the learner's validation gives it, or [`TRAIN_LOSS`].
    pub metric: String,
    /// Which direction is better.
    pub goal: Goal,
}

impl Monitor {
    /// A metric of which less is better.
    pub fn lower(metric: &str) -> Self {
        Self { metric: metric.to_string(), goal: Goal::Lower }
    }

    /// A metric of which more is better.
    pub fn higher(metric: &str) -> Self {
        Self { metric: metric.to_string(), goal: Goal::Higher }
    }

    /// Whether `value` is better than `best` by more than `min_delta`, as Keras' `EarlyStopping` asks.
    pub fn improves(&self, value: f64, best: f64, min_delta: f64) -> bool {
        match self.goal {
            Goal::Lower => value + min_delta < best,
            Goal::Higher => value - min_delta > best,
        }
    }
}

/// Settings of [`fit`](super::fit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Epochs to run at most.
    pub epochs: usize,
    /// Stop after this many epochs in a row without improvement (Keras' `EarlyStopping`, where 0 acts as 1); never if
    /// absent.
    pub patience: Option<usize>,
    /// What counts as improvement: more than this, in units of the metric.
    pub min_delta: f64,
    /// Seed of the order of the rows and of a model's noise.
    pub seed: u64,
    /// Learning rate that the schedule starts from.
    pub learning_rate: f64,
    /// How the learning rate changes from epoch to epoch.
    pub schedule: Schedule,
    /// The metric that decides about the best epoch, early stopping and a schedule that reacts to a plateau.
    pub monitor: Monitor,
    /// Whether the learner ends with the weights of the best epoch rather than the last.
    pub restore_best: bool,
    /// Epochs from one checkpoint to the next; the last epoch and an interruption always write one.
    pub checkpoint_every_epochs: usize,
}

impl FitConfig {
    /// Constant learning rate, no early stopping, weights of the best epoch, a checkpoint each epoch, seed 0.
    pub fn new(epochs: usize, learning_rate: f64, monitor: Monitor) -> Self {
        Self {
            epochs,
            patience: None,
            min_delta: 0.0,
            seed: 0,
            learning_rate,
            schedule: Schedule::Constant,
            monitor,
            restore_best: true,
            checkpoint_every_epochs: 1,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("epochs", self.epochs, 1..=1_000_000)?;
        in_range("checkpoint_every_epochs", self.checkpoint_every_epochs, 1..=1_000_000)?;
        in_range("learning_rate", self.learning_rate, f64::MIN_POSITIVE..=1e6)?;
        in_range("min_delta", self.min_delta, 0.0..=f64::MAX)?;
        self.schedule.validate()?;
        if self.monitor.metric.is_empty() {
            return Err(ConfigError::OutOfRange {
                field: "monitor.metric",
                value: "\"\"".to_string(),
                allowed: format!("the name of a metric of the validation, or {TRAIN_LOSS}"),
            });
        }
        Ok(())
    }

    /// The first setting in which a run that was begun with `other` would take another course under `self`, with both
    /// values. Epochs, patience, what is restored and when checkpoints are written may change between two parts of a
    /// run.
    pub(super) fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let pairs = [
            ("seed", self.seed.to_string(), other.seed.to_string()),
            ("learning_rate", self.learning_rate.to_string(), other.learning_rate.to_string()),
            ("schedule", format!("{:?}", self.schedule), format!("{:?}", other.schedule)),
            ("min_delta", self.min_delta.to_string(), other.min_delta.to_string()),
            ("monitor.metric", self.monitor.metric.clone(), other.monitor.metric.clone()),
            ("monitor.goal", format!("{:?}", self.monitor.goal), format!("{:?}", other.monitor.goal)),
        ];
        pairs.into_iter().find(|(_, now, then)| now != then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_is_more_than_min_delta() {
        let lower = Monitor::lower("mse");
        assert!(lower.improves(0.5, f64::INFINITY, 0.0));
        assert!(!lower.improves(0.5, 0.5, 0.0));
        assert!(!lower.improves(0.45, 0.5, 0.1));
        assert!(lower.improves(0.35, 0.5, 0.1));
        let higher = Monitor::higher("ci");
        assert!(higher.improves(0.5, f64::NEG_INFINITY, 0.0));
        assert!(!higher.improves(0.55, 0.5, 0.1));
        assert!(higher.improves(0.65, 0.5, 0.1));
        assert!(!higher.improves(f64::NAN, 0.5, 0.0) && !lower.improves(f64::NAN, 0.5, 0.0));
    }

    #[test]
    fn every_field_is_checked() {
        let good = FitConfig::new(10, 1e-3, Monitor::lower("mse"));
        assert_eq!(good.validate(), Ok(()));
        let field = |config: FitConfig| match config.validate() {
            Err(ConfigError::OutOfRange { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(FitConfig { epochs: 0, ..good.clone() }), "epochs");
        assert_eq!(field(FitConfig { learning_rate: 0.0, ..good.clone() }), "learning_rate");
        assert_eq!(field(FitConfig { learning_rate: -1.0, ..good.clone() }), "learning_rate");
        assert_eq!(field(FitConfig { learning_rate: f64::NAN, ..good.clone() }), "learning_rate");
        assert_eq!(field(FitConfig { min_delta: -0.1, ..good.clone() }), "min_delta");
        assert_eq!(field(FitConfig { checkpoint_every_epochs: 0, ..good.clone() }), "checkpoint_every_epochs");
        assert_eq!(field(FitConfig { monitor: Monitor::lower(""), ..good }), "monitor.metric");
    }

    #[test]
    fn a_longer_run_is_the_same_run_and_another_seed_is_not() {
        let then = FitConfig::new(10, 1e-3, Monitor::lower("mse"));
        let longer = FitConfig { epochs: 20, patience: Some(3), checkpoint_every_epochs: 5, ..then.clone() };
        assert_eq!(longer.difference(&then), None);
        let other = FitConfig { seed: 7, ..then.clone() };
        assert_eq!(other.difference(&then), Some(("seed", "7".to_string(), "0".to_string())));
    }
}
