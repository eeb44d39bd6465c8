//! Everything that decides the result of a study of a task.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::{Prepare, TaskNetConfig};
use crate::split::SplitKind;
use crate::study::MODELS;
use crate::systems::recipe::Recipe;

/// Everything that decides the result of a study of a task, besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskConfig {
    /// How rows are divided; by default as the task says.
    pub split: Option<SplitKind>,
    /// Models to train, each with another seed and another validation part.
    pub models: usize,
    /// Folds of a cross-validation: model `i` is tested on fold `i`. 0 for one test part that all models share.
    pub folds: usize,
    /// Share of the rows that a split holds out for the test.
    pub test_fraction: f64,
    /// Share of the other rows that decide when to stop.
    pub validation_fraction: f64,
    /// Contigs of the test part of a split by chromosome; drawn at random where none is named.
    pub test_contigs: Vec<String>,
    /// Score of the validation part that decides: `loss`, `auroc`, `average_precision`, `accuracy`, `pearson`.
    pub monitor: String,
    /// Whether the network is trained in the phases of its authors, where it has some: `DeepCpG`'s modules alone, and
    /// then the layers over both; SPEID on as many pairs of either kind, and then its dense layers on all. It takes the
    /// epochs of each phase, and the run cannot be made longer later.
    pub phases: bool,
    /// Longest gradient, by its norm; 0 for no limit.
    pub clip_norm: f64,
    /// Seed of split, initial weights, order and dropout; a TOML integer, with room for one seed a model.
    pub seed: u64,
    /// What is done to the numbers of the files.
    pub prepare: Prepare,
    /// How the network is trained.
    pub recipe: Recipe,
    /// The network; sizes that the data decide are set by these.
    pub network: TaskNetConfig,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self::of(TaskNetConfig::default())
    }
}

impl TaskConfig {
    /// The settings of a study of `network` where nothing else is said: the recipe of its authors.
    pub fn of(network: TaskNetConfig) -> Self {
        Self {
            split: None,
            models: 5,
            folds: 0,
            test_fraction: 0.2,
            validation_fraction: 0.1,
            test_contigs: Vec::new(),
            monitor: "loss".to_owned(),
            phases: false,
            clip_norm: network.clip_norm(),
            seed: 1,
            prepare: network.prepare(),
            recipe: network.recipe(),
            network,
        }
    }

    /// Checks what can be checked without the data.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("models", self.models, 1..=MODELS)?;
        in_range("test_fraction", self.test_fraction, 0.01..=0.9)?;
        in_range("validation_fraction", self.validation_fraction, 0.01..=0.5)?;
        in_range("clip_norm", self.clip_norm, 0.0..=1e9)?;
        in_range("pseudocount", self.prepare.pseudocount, 1e-9..=1e9)?;
        in_range("seed", self.seed, 0..=i64::MAX as u64 - MODELS as u64)?;
        if self.folds != 0 {
            in_range("folds", self.folds, 2..=MODELS)?;
            if self.models > self.folds || self.split == Some(SplitKind::Upstream) {
                let (models, folds) = (self.models, self.folds);
                return Err(ConfigError::Conflict(format!(
                    "{folds} folds with {models} models; each model is tested on a fold of its own, so ask for at most as \
                     many models as folds, and for another split than upstream"
                )));
            }
        }
        if !self.test_contigs.is_empty() && !matches!(self.split, None | Some(SplitKind::Chromosome)) {
            let problem = "test_contigs are for a split by chromosome; leave them out, or use split = \"chromosome\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        self.recipe.validate()
    }
}
