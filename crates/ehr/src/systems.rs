//! The published systems for hospital records, one file each.
//!
//! Networks that read visits, one behind the other, are [`Net`]s, built from a [`NetConfig`], which names its system:
//!
//! ```
//! use ehr::systems::{NetConfig, SequenceNet, VisitBatch, VisitSequence};
//! use nn_core::burn::tensor::Device;
//! use nn_core::data::rng;
//!
//! // a vocabulary of 50 ids, no statics, one label
//! let config = NetConfig::named("retain")?.with_shape(50, 0, 1);
//! let net = config.init(&Device::flex(), &mut rng(1, &[]))?;
//! let mut history = VisitSequence::new(Vec::new());
//! history.push(0.0, false, [7, 12]);
//! history.push(90.0, true, [12, 30, 31]);
//! let logits = net.logits(&VisitBatch::new([&history, &VisitSequence::default()]), None);
//! assert_eq!(logits.dims(), [2, 1]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```
//!
//! | system | reads | module |
//! |---|---|---|
//! | gated recurrent units, the default | visits | [`gru`] |
//! | RETAIN | visits, from the last to the first | [`retain`] |
//! | Doctor AI | visits; foretells the next and its time | [`doctor_ai`] |
//! | Deepr | codes and gaps as words | [`deepr`] |
//! | `Patient2Vec` | months | [`patient2vec`] |
//! | `DeepCare` | visits, interventions, gaps | [`deepcare`] |
//! | GRU-D | measurements with gaps | [`gru_d`] |
//! | Dynamic-DeepHit | measurements, competing events | [`dynamic_deephit`] |
//! | Deep Patient | counts, without labels | [`deep_patient`] |
//! | `Med2Vec`, skip-gram of codes | visits, without labels | [`med2vec`], [`embedding`] |

mod batch;
pub mod deep_patient;
pub mod deepcare;
pub mod deepr;
pub mod doctor_ai;
pub mod dynamic_deephit;
pub mod embedding;
#[cfg(test)]
pub(crate) mod golden;
pub mod gru;
pub mod gru_d;
pub mod med2vec;
pub(crate) mod parts;
pub mod patient2vec;
pub mod retain;
mod visits;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::batch::VisitBatch;
use self::deepcare::{DeepCare, DeepCareConfig};
use self::deepr::{Deepr, DeeprConfig};
use self::doctor_ai::{DoctorAi, DoctorAiConfig};
use self::gru::{GruConfig, GruNet};
use self::patient2vec::{Patient2Vec, Patient2VecConfig};
use self::retain::{Retain, RetainConfig};
pub use self::visits::{PADDING, UNKNOWN, VisitSequence};

/// A network that reads the visits of a patient.
pub trait SequenceNet: Module {
    /// Logits of labels or classes, or values. Noise such as dropout acts when a generator is given. A patient without
    /// visits has logits as well.
    ///
    /// # Shapes
    /// - output `[rows, outputs]`
    ///
    /// # Panics
    /// When the batch has a code beyond the vocabulary, or another number of statics than the network was built for.
    fn logits(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Tensor<2>;

    /// Logits, and what the system adds to the loss in training: the penalties of its paper on weights or on attention.
    ///
    /// # Shapes
    /// - logits `[rows, outputs]`, penalty `[1]`
    ///
    /// # Panics
    /// As [`SequenceNet::logits`].
    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        (self.logits(batch, rng), None)
    }
}

/// Names that [`NetConfig::named`] knows, each with what it is.
pub const SYSTEMS: [(&str, &str); 6] = [
    ("gru", "gated recurrent units over visits and the days between them"),
    ("retain", "RETAIN, Choi et al. 2016: attention backwards in time, whose shares sum to the logit"),
    ("doctor-ai", "Doctor AI, Choi et al. 2016: two layers of units, the next visit's codes and its time"),
    ("deepr", "Deepr, Nguyen et al. 2017: a convolution over codes and words for the time between visits"),
    ("patient2vec", "Patient2Vec, Zhang et al. 2018: attention over codes and over months"),
    ("deepcare", "DeepCare, Pham et al. 2016: a memory that time and interventions moderate"),
];

/// A system with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum NetConfig {
    /// Gated recurrent units.
    Gru(GruConfig),
    /// RETAIN.
    Retain(RetainConfig),
    /// Doctor AI.
    DoctorAi(DoctorAiConfig),
    /// Deepr.
    Deepr(DeeprConfig),
    /// `Patient2Vec`.
    #[serde(rename = "patient2vec")]
    Patient2Vec(Patient2VecConfig),
    /// `DeepCare`.
    #[serde(rename = "deepcare")]
    DeepCare(DeepCareConfig),
}

impl Default for NetConfig {
    fn default() -> Self {
        Self::Gru(GruConfig::default())
    }
}

/// The same expression for whichever system it is.
macro_rules! each {
    ($kind:ident, $of:expr, $inner:ident => $value:expr) => {
        match $of {
            $kind::Gru($inner) => $value,
            $kind::Retain($inner) => $value,
            $kind::DoctorAi($inner) => $value,
            $kind::Deepr($inner) => $value,
            $kind::Patient2Vec($inner) => $value,
            $kind::DeepCare($inner) => $value,
        }
    };
}

impl NetConfig {
    /// The system of that name, as [`SYSTEMS`] lists them, with its default sizes.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        Ok(match name {
            "gru" => Self::default(),
            "retain" => Self::Retain(RetainConfig::default()),
            "doctor-ai" => Self::DoctorAi(DoctorAiConfig::default()),
            "deepr" => Self::Deepr(DeeprConfig::default()),
            "patient2vec" => Self::Patient2Vec(Patient2VecConfig::default()),
            "deepcare" => Self::DeepCare(DeepCareConfig::default()),
            _ => {
                let known = SYSTEMS.map(|(name, _)| name).join(", ");
                return Err(ConfigError::Unknown { field: "system", value: name.to_owned(), known });
            }
        })
    }

    /// The system's name in configuration files.
    pub fn system(&self) -> &'static str {
        match self {
            Self::Gru(_) => "gru",
            Self::Retain(_) => "retain",
            Self::DoctorAi(_) => "doctor-ai",
            Self::Deepr(_) => "deepr",
            Self::Patient2Vec(_) => "patient2vec",
            Self::DeepCare(_) => "deepcare",
        }
    }

    /// Ids of the vocabulary, padding and the unknown code included.
    pub fn codes(&self) -> usize {
        each!(Self, self, config => config.codes)
    }

    /// Numbers that are known of a patient besides the visits.
    pub fn statics(&self) -> usize {
        each!(Self, self, config => config.statics)
    }

    /// Numbers that it gives for each patient.
    pub fn outputs(&self) -> usize {
        each!(Self, self, config => config.outputs)
    }

    /// The same system for another vocabulary, other statics and other targets.
    pub fn with_shape(mut self, codes: usize, statics: usize, outputs: usize) -> Self {
        each!(Self, &mut self, config => (config.codes, config.statics, config.outputs) = (codes, statics, outputs));
        self
    }

    /// Tells a system that sets interventions apart, which is `DeepCare` alone, which ids of the vocabulary they are:
    /// procedures and drugs. The others are diagnoses and findings.
    pub fn with_interventions(mut self, interventions: &[u32]) -> Self {
        if let Self::DeepCare(config) = &mut self {
            config.interventions = interventions.to_vec();
        }
        self
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        each!(Self, self, config => config.validate())
    }

    /// Builds the network with starting values from `rng`.
    ///
    /// # Errors
    /// What [`NetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Net, ConfigError> {
        Ok(match self {
            Self::Gru(config) => Net::Gru(config.init(device, rng)?),
            Self::Retain(config) => Net::Retain(config.init(device, rng)?),
            Self::DoctorAi(config) => Net::DoctorAi(config.init(device, rng)?),
            Self::Deepr(config) => Net::Deepr(config.init(device, rng)?),
            Self::Patient2Vec(config) => Net::Patient2Vec(config.init(device, rng)?),
            Self::DeepCare(config) => Net::DeepCare(config.init(device, rng)?),
        })
    }
}

/// A network of any system that reads visits.
// there are a handful of them at a time, and most of each lies behind pointers
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Net {
    /// Gated recurrent units.
    Gru(GruNet),
    /// RETAIN.
    Retain(Retain),
    /// Doctor AI.
    DoctorAi(DoctorAi),
    /// Deepr.
    Deepr(Deepr),
    /// `Patient2Vec`.
    Patient2Vec(Patient2Vec),
    /// `DeepCare`.
    DeepCare(DeepCare),
}

impl Net {
    /// The configuration it was built from.
    pub fn config(&self) -> NetConfig {
        match self {
            Self::Gru(net) => NetConfig::Gru(net.config().clone()),
            Self::Retain(net) => NetConfig::Retain(net.config().clone()),
            Self::DoctorAi(net) => NetConfig::DoctorAi(net.config().clone()),
            Self::Deepr(net) => NetConfig::Deepr(net.config().clone()),
            Self::Patient2Vec(net) => NetConfig::Patient2Vec(net.config().clone()),
            Self::DeepCare(net) => NetConfig::DeepCare(net.config().clone()),
        }
    }
}

impl SequenceNet for Net {
    fn logits(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        each!(Self, self, net => net.logits(batch, rng))
    }

    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        each!(Self, self, net => net.penalised(batch, rng))
    }
}

#[cfg(test)]
mod tests;
