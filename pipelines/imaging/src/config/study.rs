//! What the settings of both kinds of studies have in common.

use imaging::study::{ClassifyStudyConfig, SegmentStudyConfig};
use imaging::systems::{ClassifyConfig, SegmentConfig};
use nn_core::config::ConfigError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Settings of a study that a run can be about.
pub(crate) trait StudySettings: Clone + Default + Serialize + DeserializeOwned {
    /// Takes the network of that name with its publication's sizes.
    fn choose(&mut self, system: &str) -> Result<(), ConfigError>;
    /// The system's name in configurations.
    fn system(&self) -> &'static str;
    /// Checks what can be checked without the data.
    fn check(&self) -> Result<(), ConfigError>;
    /// Seed of everything random.
    fn seed(&self) -> u64;
    /// Models to train.
    fn models(&self) -> usize;
    /// Whether the step sizes depend on the number of epochs.
    fn falls(&self) -> bool;
}

/// The fields have the same names in both; a trait of the library would have no other use.
macro_rules! study_settings {
    ($($study:ty: $network:ty),*) => {$(
        impl StudySettings for $study {
            fn choose(&mut self, system: &str) -> Result<(), ConfigError> {
                self.network = <$network>::named(system)?;
                Ok(())
            }
            fn system(&self) -> &'static str {
                self.network.name()
            }
            fn check(&self) -> Result<(), ConfigError> {
                self.validate()
            }
            fn seed(&self) -> u64 {
                self.seed
            }
            fn models(&self) -> usize {
                self.models
            }
            fn falls(&self) -> bool {
                self.learning.decay > 0.0
            }
        }
    )*};
}

study_settings!(SegmentStudyConfig: SegmentConfig, ClassifyStudyConfig: ClassifyConfig);
