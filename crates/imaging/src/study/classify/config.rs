//! Everything that decides the result of a study of labelled pictures, besides the data.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use crate::augment::AugmentConfig;
use crate::study::batches::enough;
use crate::study::config::{LearningConfig, seed_in_range};
use crate::study::division::Division;
use crate::systems::ClassifyConfig;

/// A study of labelled pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassifyStudyConfig {
    /// How pictures are divided.
    pub division: Division,
    /// Models to train, each with another seed and another validation part.
    pub models: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without improvement after which training stops; 0 for never.
    pub patience: usize,
    /// Score of the validation part that decides: `loss`, `auroc`, `accuracy`.
    pub monitor: String,
    /// Whether each class is drawn equally often.
    pub balanced: bool,
    /// Leaves pictures out of the test part whose pixels are also in the training part.
    pub drop_duplicates: bool,
    /// How the weights are found.
    pub learning: LearningConfig,
    /// How pictures are varied.
    pub augment: AugmentConfig,
    /// Whether the body of given weights does not learn, but the head alone.
    pub freeze: bool,
    /// Seed of split, initial weights, order and augmentation; a TOML integer.
    pub seed: u64,
    /// The network; its channels, classes and picture size are those of the data.
    pub network: ClassifyConfig,
}

impl Default for ClassifyStudyConfig {
    fn default() -> Self {
        Self {
            division: Division::default(),
            models: 1,
            epochs: 20,
            patience: 0,
            monitor: "auroc".to_owned(),
            balanced: false,
            drop_duplicates: true,
            // Yang et al. 2023, MedMNIST v2, section 4: Adam at 1e-3, batches of 128.
            learning: LearningConfig { batch_size: 128, keep_best: true, ..LearningConfig::default() },
            augment: AugmentConfig::none(),
            freeze: false,
            seed: 1,
            network: ClassifyConfig::default(),
        }
    }
}

/// Scores of pictures that a validation can be judged by.
pub const CLASSIFY_MONITORS: [&str; 3] = ["loss", "auroc", "accuracy"];

impl ClassifyStudyConfig {
    /// Checks what can be checked without the data.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.division.validate(self.models)?;
        in_range("learning.batch_size", self.learning.batch_size, 1..=1 << 16)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("patience", self.patience, 0..=100_000)?;
        if !CLASSIFY_MONITORS.contains(&self.monitor.as_str()) {
            return Err(ConfigError::Unknown {
                field: "monitor",
                value: self.monitor.clone(),
                known: CLASSIFY_MONITORS.join(", "),
            });
        }
        self.learning.validate()?;
        self.augment.validate()?;
        seed_in_range(self.seed)?;
        self.network.validate()
    }

    /// The same with the network's sizes from the data.
    ///
    /// # Errors
    /// [`ConfigError`] where the settings cannot be used with these data.
    pub fn resolved(mut self, channels: usize, classes: usize, size: [usize; 2]) -> Result<Self, ConfigError> {
        let pictures = self.network.pictures();
        if !channels.is_multiple_of(pictures) {
            return Err(ConfigError::Conflict(format!(
                "{} reads each picture twice, whole and cut to the lungs, but the data have {channels} channel; have the \
                 lungs cut out when the pictures are read",
                self.network.name()
            )));
        }
        self.network = self.network.with_shape(channels, classes);
        self.validate()?;
        self.network.check_size(size)?;
        enough(self.learning.batch_size, self.network.smallest_batch(size), self.network.name())?;
        Ok(self)
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed_of(&self, i: usize) -> u64 {
        self.seed + i as u64
    }
}
