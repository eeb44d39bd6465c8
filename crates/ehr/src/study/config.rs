//! Everything that decides a study's result.

use nn_core::config::{ConfigError, in_range};
use nn_core::optim::OptimizerConfig;
use nn_core::train::Monitor;
use serde::{Deserialize, Serialize};

use super::{InputConfig, NetworkConfig};
use crate::baselines::BaselineConfig;
use crate::features::{Recipe, Statistic};
use crate::split::{SplitConfig, SplitKind};

/// Models of one study at most.
pub const MODELS: usize = 100;

/// Scores of which less is better.
const LOWER: [&str; 3] = ["loss", "brier", "ece"];

/// The rule of the steps, each with the constants of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Kingma and Ba 2015.
    #[default]
    Adam,
    /// With weight decay apart from the gradient (Loshchilov and Hutter 2019).
    Adamw,
    /// Hinton 2012.
    Rmsprop,
    /// Zeiler 2012.
    Adadelta,
}

/// How probabilities are put right on the tuning part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecalibrationKind {
    /// As the network gives them.
    None,
    /// All logits divided by one number (Guo et al. 2017).
    #[default]
    Temperature,
    /// A line of the logits (Platt 1999).
    Line,
    /// A rising function (Zadrozny and Elkan 2002); for thousands of tuning labels.
    Isotonic,
}

/// Everything that decides a study's result, besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyConfig {
    /// How subjects are divided; its seed is that of the study.
    pub division: SplitConfig,
    /// Models to train, each with another seed.
    pub models: usize,
    /// Folds of a cross-validation: model `i` is tested on fold `i`. 0 for one held-out part that all models share.
    pub folds: usize,
    /// How views become inputs.
    pub inputs: InputConfig,
    /// The columns that logistic regression and trees read.
    pub table: Recipe,
    /// Logistic regression and trees.
    pub baselines: BaselineConfig,
    /// How probabilities are put right.
    pub recalibration: RecalibrationKind,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// Score of the tuning part that decides: `loss`, `auroc`, `auprc`.
    pub monitor: String,
    /// Labels of a batch.
    pub batch_size: usize,
    /// Step size.
    pub learning_rate: f64,
    /// The rule of the steps.
    pub optimizer: OptimizerKind,
    /// Penalty on the squares of the weights.
    pub weight_decay: f64,
    /// Longest gradient, by its norm; 0 for no limit.
    pub clip_norm: f64,
    /// Seed of split, initial weights, order and dropout; a TOML integer, with room for one seed a model.
    pub seed: u64,
    /// The network; its widths are those of the data.
    pub network: NetworkConfig,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            division: SplitConfig::default(),
            models: 1,
            folds: 0,
            inputs: InputConfig::default(),
            table: Recipe {
                statistics: vec![Statistic::Last, Statistic::Mean, Statistic::Min, Statistic::Max],
                ..Recipe::default()
            },
            baselines: BaselineConfig::default(),
            recalibration: RecalibrationKind::default(),
            epochs: 40,
            patience: 6,
            monitor: "loss".to_owned(),
            batch_size: 64,
            learning_rate: 1e-3,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            clip_norm: 1.0,
            seed: 1,
            network: NetworkConfig::default(),
        }
    }
}

impl StudyConfig {
    /// Checks what can be checked without the data.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("models", self.models, 1..=MODELS)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("patience", self.patience, 1..=100_000)?;
        in_range("batch_size", self.batch_size, 1..=1_000_000)?;
        in_range("learning_rate", self.learning_rate, 1e-9..=10.0)?;
        in_range("weight_decay", self.weight_decay, 0.0..=10.0)?;
        in_range("clip_norm", self.clip_norm, 0.0..=1e9)?;
        in_range("seed", self.seed, 0..=i64::MAX as u64 - MODELS as u64)?;
        if self.folds != 0 {
            in_range("folds", self.folds, 2..=MODELS)?;
            if self.models > self.folds {
                let (models, folds) = (self.models, self.folds);
                return Err(ConfigError::Conflict(format!(
                    "models = {models}, but there are only {folds} folds to test on; ask for at most {folds} models"
                )));
            }
            if self.division.kind != SplitKind::Subject {
                return Err(ConfigError::Conflict(format!(
                    "folds are made of subjects and cannot be had with a {} split; leave out one of the two",
                    self.division.kind
                )));
            }
        }
        if matches!(self.division.kind, SplitKind::Subject | SplitKind::Site) {
            in_range("tuning_fraction", self.division.tuning_fraction, 0.01..=0.5)?;
        }
        if self.division.kind == SplitKind::Calendar && self.division.tuning_from.is_none() {
            let problem = "training needs a tuning part to decide when to stop; set division.tuning_from too";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        self.division.validate()?;
        self.inputs.validate()?;
        self.table.validate()?;
        self.baselines.validate()?;
        self.network.validate()?;
        self.optimizer().validate()
    }

    /// The same with what one setting decides for another: the seed of the split, and what no input may have.
    ///
    /// # Errors
    /// What [`StudyConfig::validate`] finds.
    pub fn resolved(mut self) -> Result<Self, ConfigError> {
        self.division.seed = self.seed;
        for pattern in &self.inputs.exclude {
            if !self.table.exclude.contains(pattern) {
                self.table.exclude.push(pattern.clone());
            }
        }
        self.validate()?;
        Ok(self)
    }

    /// The rule of the steps with its constants.
    pub fn optimizer(&self) -> OptimizerConfig {
        let rule = match self.optimizer {
            OptimizerKind::Adam => OptimizerConfig::adam(),
            OptimizerKind::Adamw => OptimizerConfig::adamw(),
            OptimizerKind::Rmsprop => OptimizerConfig::rmsprop(),
            OptimizerKind::Adadelta => OptimizerConfig::adadelta(),
        };
        rule.with_weight_decay(self.weight_decay)
    }

    /// Which score decides about the best epoch, and in which direction.
    pub fn monitor(&self) -> Monitor {
        if LOWER.contains(&self.monitor.as_str()) {
            Monitor::lower(&self.monitor)
        } else {
            Monitor::higher(&self.monitor)
        }
    }
}
