//! How a system is trained, as its paper or its code says: a rule with its constants, batches, and when to stop.

use std::sync::atomic::AtomicBool;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::Shuffled;
use nn_core::optim::{Optimizer, OptimizerConfig, Schedule};
use nn_core::train::{FitConfig, Monitor, Objective, Outcome, StepError, Supervised, TrainError, fit};
use serde::{Deserialize, Serialize};

/// Settings of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Parts of the module, by the beginning of their path, whose learning rate is multiplied by a factor.
    pub rates: Vec<(String, f64)>,
    /// Rows of a step.
    pub batch_size: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without improvement after which training stops; never if absent.
    pub patience: Option<usize>,
    /// Size at which each value of a gradient is cut, above 0; none if absent.
    pub clip_value: Option<f64>,
    /// Length that the weights which lead to one unit may have, above 0; any if absent.
    pub max_norm: Option<f64>,
}

/// Why a system could not be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Training broke off.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The trained model cannot be had.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl Recipe {
    /// A rule at a constant learning rate, without an early stop.
    pub fn new(optimizer: OptimizerConfig, learning_rate: f64, batch_size: usize, epochs: usize) -> Self {
        let (schedule, rates) = (Schedule::Constant, Vec::new());
        let (patience, clip_value, max_norm) = (None, None, None);
        Self { optimizer, learning_rate, schedule, rates, batch_size, epochs, patience, clip_value, max_norm }
    }

    /// Stops after this many epochs without improvement.
    pub fn with_patience(mut self, patience: usize) -> Self {
        self.patience = Some(patience);
        self
    }

    /// # Errors
    /// [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("batch_size", self.batch_size, 1..=1_000_000)?;
        in_range("clip_value", self.clip_value.unwrap_or(1.0), 1e-9..=1e9)?;
        in_range("max_norm", self.max_norm.unwrap_or(1.0), 1e-9..=1e9)?;
        self.optimizer.validate()?;
        self.optimizer().map(drop)?;
        self.fit_config(Monitor::lower("loss"), 0).validate()
    }

    /// A fresh optimiser.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a factor of a rate.
    pub fn optimizer(&self) -> Result<Optimizer, ConfigError> {
        self.rates
            .iter()
            .try_fold(self.optimizer.init(), |optimizer, (part, factor)| optimizer.with_rate(part, *factor))
    }

    /// A learner that starts from `model`, which must be on a device with autodiff. `name` is that of the system.
    ///
    /// # Errors
    /// As [`Recipe::optimizer`].
    pub fn learner<O: Objective>(
        &self,
        objective: O,
        model: O::Model,
        name: &str,
    ) -> Result<Supervised<O>, ConfigError> {
        let learner = Supervised::new(objective, model, self.optimizer()?, name);
        Ok(learner.with_clip_value(self.clip_value).with_max_norm(self.max_norm))
    }

    /// Settings of [`fit`] with a seed and the metric that decides about the best epoch.
    pub fn fit_config(&self, monitor: Monitor, seed: u64) -> FitConfig {
        FitConfig {
            patience: self.patience,
            schedule: self.schedule.clone(),
            seed,
            ..FitConfig::new(self.epochs, self.learning_rate, monitor)
        }
    }

    /// Trains `model`, which must be on a device with autodiff, on `rows` of the objective's data, without checkpoints
    /// and without a report. `name` is that of the system. The model comes back in validation state, as it was after its
    /// best epoch.
    ///
    /// # Errors
    /// [`RecipeError`].
    pub fn train<O: Objective>(
        &self,
        name: &str,
        objective: O,
        model: O::Model,
        rows: &[usize],
        monitor: Monitor,
        seed: u64,
    ) -> Result<(O::Model, Outcome), RecipeError> {
        self.validate()?;
        let mut learner = self.learner(objective, model, name)?;
        let sampler = Shuffled::new(rows.to_vec(), self.batch_size);
        let config = self.fit_config(monitor, seed);
        let outcome = fit(&mut learner, &sampler, &config, None, false, &mut (), &AtomicBool::new(false))?;
        Ok((learner.into_model()?, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_checked_and_read_back() {
        let mut recipe = Recipe::new(OptimizerConfig::adam(), 1e-3, 32, 10).with_patience(3);
        recipe.rates.push(("hidden.1".to_owned(), 3.0));
        recipe.validate().unwrap();
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        // one that was written before there were bounds
        let text = text.replace(r#","clip_value":null,"max_norm":null"#, "");
        assert!(!text.contains("max_norm"), "{text}");
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        let config = recipe.fit_config(Monitor::lower("mse"), 7);
        assert_eq!((config.patience, config.seed, config.epochs), (Some(3), 7, 10));
        for (field, bad) in [
            ("batch_size", Recipe { batch_size: 0, ..recipe.clone() }),
            ("learning_rate", Recipe { learning_rate: 0.0, ..recipe.clone() }),
            ("factor", Recipe { rates: vec![("a".to_owned(), -1.0)], ..recipe.clone() }),
            ("clip_value", Recipe { clip_value: Some(0.0), ..recipe.clone() }),
            ("max_norm", Recipe { max_norm: Some(f64::NAN), ..recipe.clone() }),
        ] {
            let error = bad.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
    }
}
