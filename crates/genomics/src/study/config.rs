//! Everything that decides a study's result.

use nn_core::config::{ConfigError, in_range};
use nn_core::optim::{OptimizerConfig, Schedule};
use nn_core::train::Monitor;
use serde::{Deserialize, Serialize};

use crate::dataset::SequenceSet;
use crate::evaluate::outputs;
use crate::model::StrandPolicy;
use crate::sequence::Unknown;
use crate::split::{self, SplitKind};
use crate::systems::NetConfig;
use crate::systems::basset::BassetConfig;
use crate::systems::deep_motif::DeepMotifConfig;
use crate::systems::recipe::Recipe;

/// Models of one study at most.
pub const MODELS: usize = 100;

/// Scores of which less is better.
const LOWER: [&str; 5] = ["loss", "mse", "mae", "brier", "ece"];

/// The rule of the steps: a name stands for the constants of PyTorch, a table says them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    expecting = "no optimiser; use adam, adamw, rmsprop, sgd, adadelta, or { kind = \"rmsprop\", alpha = 0.98 }"
)]
pub enum OptimizerKind {
    /// Kingma and Ba 2015.
    #[default]
    Adam,
    /// With weight decay apart from the gradient (Loshchilov and Hutter 2019).
    Adamw,
    /// Hinton 2012.
    Rmsprop,
    /// Gradient descent with momentum 0.9.
    Sgd,
    /// Zeiler 2012.
    Adadelta,
    /// One of these with constants of its own.
    #[serde(untagged)]
    With(OptimizerConfig),
}

/// How the step size changes from epoch to epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    expecting = "no schedule; use constant, cosine, or { kind = \"step\", every = 10, factor = 0.5 }"
)]
pub enum ScheduleKind {
    /// Not at all.
    Constant,
    /// Half a cosine, from the learning rate in the first epoch towards zero behind the last one (Loshchilov and Hutter
    /// 2017, *SGDR: stochastic gradient descent with warm restarts*, ICLR, without restarts).
    Cosine,
    /// Any other rule, or one whose epochs are not those of the study.
    #[serde(untagged)]
    With(Schedule),
}

/// Everything that decides a study's result, besides the data.
///
/// The default is the recipe that the default network's sizes were chosen with ([`crate::systems::deep_bind`]);
/// [`StudyConfig::of`] has that of another network, [`StudyConfig::with_recipe`] takes any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyConfig {
    /// How rows are divided; by default the test part that the data came with, else chromosomes where the rows lie on a
    /// genome, else clusters of similar sequences.
    pub split: Option<SplitKind>,
    /// Models to train, each with another seed and another validation part.
    pub models: usize,
    /// Folds of a cross-validation: model `i` is tested on fold `i`. 0 for one test part that all models share.
    pub folds: usize,
    /// Share of the rows that a split holds out for the test, unless the data came with a test part.
    pub test_fraction: f64,
    /// Share of the other rows that decide when to stop.
    pub validation_fraction: f64,
    /// Contigs of the test part of a split by chromosome; drawn at random where none is named.
    pub test_contigs: Vec<String>,
    /// Bases that the network reads; as many as the longest sequence has by default.
    pub window: Option<usize>,
    /// What the two strands count.
    pub strands: StrandPolicy,
    /// What letters other than the four bases become.
    pub unknown: Unknown,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// Score of the validation part that decides: `loss`, `auroc`, `average_precision`, `accuracy`, `pearson`.
    pub monitor: String,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Step size, in the first epoch.
    pub learning_rate: f64,
    /// How the step size changes.
    pub schedule: ScheduleKind,
    /// The rule of the steps.
    pub optimizer: OptimizerKind,
    /// Penalty on the squares of the weights; 0 leaves that of an optimiser with constants of its own.
    pub weight_decay: f64,
    /// Longest gradient, by its norm; 0 for no limit.
    pub clip_norm: f64,
    /// Size at which each value of a gradient is cut; absent or 0 for no limit.
    pub clip_value: Option<f64>,
    /// Length that the weights which lead to one unit may have; absent or 0 for no limit.
    pub max_norm: Option<f64>,
    /// Seed of split, initial weights, order, strands and dropout; a TOML integer, with room for one seed a model.
    pub seed: u64,
    /// The network; its `length` and `outputs` are those of the data ([`StudyConfig::resolved`]).
    pub network: NetConfig,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            split: None,
            models: 5,
            folds: 0,
            test_fraction: 0.2,
            validation_fraction: 0.1,
            test_contigs: Vec::new(),
            window: None,
            strands: StrandPolicy::default(),
            unknown: Unknown::default(),
            epochs: 12,
            patience: 12,
            monitor: "loss".to_owned(),
            batch_size: 64,
            learning_rate: 2e-3,
            schedule: ScheduleKind::Cosine,
            optimizer: OptimizerKind::Adamw,
            weight_decay: 1e-4,
            clip_norm: 0.0,
            clip_value: None,
            max_norm: None,
            seed: 1,
            network: NetConfig::default(),
        }
    }
}

impl StudyConfig {
    /// The settings of a study of `network` where nothing else is said: for `DeepBind` the default, for Basset and
    /// `DeepMotif` their authors' recipe, for the others Adam at a constant rate until the validation part gets no
    /// better.
    pub fn of(network: NetConfig) -> Self {
        let recipe = match &network {
            NetConfig::DeepBind(_) => None,
            NetConfig::Basset(_) => Some(BassetConfig::recipe()),
            NetConfig::DeepMotif(_) => Some(DeepMotifConfig::recipe()),
            NetConfig::CnnProm(_) | NetConfig::Beluga(_) => {
                Some(Recipe::new(OptimizerConfig::adam(), 1e-3, 64, 40).with_patience(8))
            }
        };
        let config = Self { network, ..Self::default() };
        match recipe {
            Some(recipe) => config.with_recipe(recipe),
            None => config,
        }
    }

    /// The same, trained by another recipe. Rates of parts are left out: no network that reads sequences has any.
    pub fn with_recipe(self, recipe: Recipe) -> Self {
        Self {
            epochs: recipe.epochs,
            patience: recipe.patience.unwrap_or(recipe.epochs),
            batch_size: recipe.batch_size,
            learning_rate: recipe.learning_rate,
            schedule: match recipe.schedule {
                Schedule::Constant => ScheduleKind::Constant,
                other => ScheduleKind::With(other),
            },
            optimizer: if recipe.optimizer == OptimizerConfig::adam() {
                OptimizerKind::Adam
            } else {
                OptimizerKind::With(recipe.optimizer)
            },
            weight_decay: 0.0,
            clip_norm: 0.0,
            clip_value: recipe.clip_value,
            max_norm: recipe.max_norm,
            ..self
        }
    }

    /// How the study trains, but for the bound on the norm of a gradient.
    pub fn recipe(&self) -> Recipe {
        let limit = |value: Option<f64>| value.filter(|value| *value > 0.0);
        Recipe {
            schedule: self.schedule(),
            patience: Some(self.patience),
            clip_value: limit(self.clip_value),
            max_norm: limit(self.max_norm),
            ..Recipe::new(self.optimizer(), self.learning_rate, self.batch_size, self.epochs)
        }
    }

    /// Checks what can be checked without the data; [`StudyConfig::resolved`] is needed for the network's sizes.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("models", self.models, 1..=MODELS)?;
        in_range("test_fraction", self.test_fraction, 0.01..=0.9)?;
        in_range("validation_fraction", self.validation_fraction, 0.01..=0.5)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("patience", self.patience, 1..=100_000)?;
        in_range("batch_size", self.batch_size, 1..=1_000_000)?;
        in_range("learning_rate", self.learning_rate, 1e-9..=10.0)?;
        in_range("weight_decay", self.weight_decay, 0.0..=10.0)?;
        in_range("clip_norm", self.clip_norm, 0.0..=1e9)?;
        in_range("clip_value", self.clip_value.unwrap_or(0.0), 0.0..=1e9)?;
        in_range("max_norm", self.max_norm.unwrap_or(0.0), 0.0..=1e9)?;
        in_range("seed", self.seed, 0..=i64::MAX as u64 - MODELS as u64)?;
        if let Some(window) = self.window {
            in_range("window", window, 1..=10_000_000)?;
        }
        if self.folds != 0 {
            in_range("folds", self.folds, 2..=MODELS)?;
            if self.models > self.folds {
                let (models, folds) = (self.models, self.folds);
                return Err(ConfigError::Conflict(format!(
                    "models = {models}, but there are only {folds} folds to test on; ask for at most {folds} models"
                )));
            }
            if self.split == Some(SplitKind::Upstream) {
                let problem = "folds cannot be made of a test part that the data came with; leave out folds, or use \
                               another split";
                return Err(ConfigError::Conflict(problem.to_owned()));
            }
        }
        if !self.test_contigs.is_empty() && !matches!(self.split, None | Some(SplitKind::Chromosome)) {
            let problem = "test_contigs are for a split by chromosome; leave them out, or use split = \"chromosome\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        self.schedule().validate()?;
        self.optimizer().validate()
    }

    /// The same with the split and the window that the data decide, for who only divides the rows.
    ///
    /// # Errors
    /// [`ConfigError`] where the settings cannot be used with these data.
    pub fn divided(mut self, set: &SequenceSet, upstream: bool) -> Result<Self, ConfigError> {
        let contigs = split::groups(set, SplitKind::Chromosome).unwrap_or_default();
        let on_genome = contigs.iter().any(|&contig| contig > 1);
        let fallback = match (upstream, on_genome || !self.test_contigs.is_empty()) {
            (true, _) => SplitKind::Upstream,
            (false, true) => SplitKind::Chromosome,
            (false, false) => SplitKind::Cluster,
        };
        let split = self.split.get_or_insert(fallback);
        if *split == SplitKind::Upstream && !upstream {
            let problem = "split = \"upstream\" needs data with a test part of their own (--test); use random, \
                           chromosome, cluster or group";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        self.window.get_or_insert_with(|| set.longest().max(1));
        self.validate()?;
        Ok(self)
    }

    /// The same with all that the data decide: the split, the window, and the sizes of the network.
    ///
    /// # Errors
    /// [`ConfigError`] where the settings cannot be used with these data.
    pub fn resolved(self, set: &SequenceSet, upstream: bool) -> Result<Self, ConfigError> {
        let mut config = self.divided(set, upstream)?;
        let window = config.window.unwrap_or_else(|| set.longest());
        config.network = config.network.with_shape(window, outputs(&set.labels, set.tasks.len()));
        config.agree_on_strands()?;
        config.network.validate()?;
        Ok(config)
    }

    /// Lets a network that can read both strands itself do so where both count, and not where one does.
    fn agree_on_strands(&mut self) -> Result<(), ConfigError> {
        match (&mut self.network, self.strands) {
            (NetConfig::DeepBind(network), StrandPolicy::Given) => network.both_strands = false,
            (NetConfig::DeepBind(network), StrandPolicy::Augment | StrandPolicy::Average) if network.both_strands => {
                self.strands = StrandPolicy::Network;
            }
            (NetConfig::DeepBind(network), StrandPolicy::Network) if network.both_strands => {}
            (_, StrandPolicy::Network) => {
                let problem = "strands = \"network\" needs a network that reads both strands itself, which is deepbind with \
                               both_strands; use average, augment or given";
                return Err(ConfigError::Conflict(problem.to_owned()));
            }
            (_, StrandPolicy::Given | StrandPolicy::Augment | StrandPolicy::Average) => {}
        }
        Ok(())
    }

    /// The rule of the steps with its constants.
    pub fn optimizer(&self) -> OptimizerConfig {
        let rule = match self.optimizer {
            OptimizerKind::Adam => OptimizerConfig::adam(),
            OptimizerKind::Adamw => OptimizerConfig::adamw(),
            OptimizerKind::Rmsprop => OptimizerConfig::rmsprop(),
            OptimizerKind::Sgd => OptimizerConfig::sgd_momentum(0.9),
            OptimizerKind::Adadelta => OptimizerConfig::adadelta(),
            OptimizerKind::With(rule) if self.weight_decay == 0.0 => return rule,
            OptimizerKind::With(rule) => rule,
        };
        rule.with_weight_decay(self.weight_decay)
    }

    /// How the step size changes over the epochs of the study.
    pub fn schedule(&self) -> Schedule {
        match &self.schedule {
            ScheduleKind::Constant => Schedule::Constant,
            ScheduleKind::Cosine => Schedule::Cosine { epochs: self.epochs, minimum: 0.0 },
            ScheduleKind::With(schedule) => schedule.clone(),
        }
    }

    /// Which score decides about the best epoch, and in which direction.
    pub fn monitor(&self) -> Monitor {
        monitor(&self.monitor)
    }
}

/// The score of that name, with the direction in which it is better.
pub(crate) fn monitor(name: &str) -> Monitor {
    if LOWER.contains(&name) { Monitor::lower(name) } else { Monitor::higher(name) }
}

#[cfg(test)]
mod tests;
