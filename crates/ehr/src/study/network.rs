//! The networks that a study can train, by name: those that read visits, and GRU-D, which reads measurements.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use crate::systems::deepcare::DeepCareConfig;
use crate::systems::deepr::DeeprConfig;
use crate::systems::doctor_ai::DoctorAiConfig;
use crate::systems::gru::GruConfig;
use crate::systems::gru_d::{GruD, GruDConfig, SeriesBatch};
use crate::systems::patient2vec::Patient2VecConfig;
use crate::systems::retain::RetainConfig;
use crate::systems::{self, Net, NetConfig, SequenceNet, VisitBatch};

/// What a network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Codes, visit by visit.
    Visits,
    /// Measurements in steps of time.
    Series,
}

impl Reads {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Visits => "codes of visits",
            Self::Series => "measurements over time",
        }
    }
}

/// Systems that read series, by name.
const SERIES: [(&str, &str); 2] = [
    ("gru-d", "GRU-D, Che et al. 2018: measurements whose last values fade with time"),
    ("gru-mean", "the baseline of that paper: training means where nothing was measured, neither mask nor decay"),
];

/// A system with its sizes, as configurations name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum NetworkConfig {
    /// Gated recurrent units over visits.
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
    /// GRU-D and its baselines.
    GruD(GruDConfig),
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::Gru(GruConfig::default())
    }
}

impl From<NetConfig> for NetworkConfig {
    fn from(config: NetConfig) -> Self {
        match config {
            NetConfig::Gru(config) => Self::Gru(config),
            NetConfig::Retain(config) => Self::Retain(config),
            NetConfig::DoctorAi(config) => Self::DoctorAi(config),
            NetConfig::Deepr(config) => Self::Deepr(config),
            NetConfig::Patient2Vec(config) => Self::Patient2Vec(config),
            NetConfig::DeepCare(config) => Self::DeepCare(config),
        }
    }
}

impl NetworkConfig {
    /// All names with what they stand for.
    pub fn systems() -> Vec<(&'static str, &'static str)> {
        systems::SYSTEMS.into_iter().chain(SERIES).collect()
    }

    /// The system of that name with its publication's sizes.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        match name {
            "gru-d" => Ok(Self::GruD(GruDConfig::default())),
            "gru-mean" => Ok(Self::GruD(GruDConfig::mean())),
            _ => NetConfig::named(name).map(Self::from).map_err(|_| {
                let known: Vec<&str> = Self::systems().into_iter().map(|(name, _)| name).collect();
                ConfigError::Unknown { field: "system", value: name.to_owned(), known: known.join(", ") }
            }),
        }
    }

    /// The system's name in configuration files.
    pub fn system(&self) -> &'static str {
        match self.visits() {
            Some(config) => config.system(),
            None => "gru-d",
        }
    }

    /// What it reads.
    pub fn reads(&self) -> Reads {
        if matches!(self, Self::GruD(_)) { Reads::Series } else { Reads::Visits }
    }

    /// The configuration as one of a network over visits; none for GRU-D.
    pub fn visits(&self) -> Option<NetConfig> {
        Some(match self.clone() {
            Self::Gru(config) => NetConfig::Gru(config),
            Self::Retain(config) => NetConfig::Retain(config),
            Self::DoctorAi(config) => NetConfig::DoctorAi(config),
            Self::Deepr(config) => NetConfig::Deepr(config),
            Self::Patient2Vec(config) => NetConfig::Patient2Vec(config),
            Self::DeepCare(config) => NetConfig::DeepCare(config),
            Self::GruD(_) => return None,
        })
    }

    /// Codes of the vocabulary, or variables of a step, that it reads.
    pub fn width(&self) -> usize {
        match self {
            Self::GruD(config) => config.variables,
            other => other.visits().map_or(0, |config| config.codes()),
        }
    }

    /// Numbers that it reads besides.
    pub fn statics(&self) -> usize {
        match self {
            Self::GruD(config) => config.statics,
            other => other.visits().map_or(0, |config| config.statics()),
        }
    }

    /// The same system for inputs of that width and that many statics, with one logit. `interventions` are the ids of
    /// procedures and drugs, which one system tells apart from what they are for.
    pub fn with_shape(self, width: usize, statics: usize, interventions: &[u32]) -> Self {
        match self {
            Self::GruD(config) => Self::GruD(GruDConfig { variables: width, statics, outputs: 1, ..config }),
            other => match other.visits() {
                Some(config) => config.with_shape(width, statics, 1).with_interventions(interventions).into(),
                None => other,
            },
        }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::GruD(config) => config.validate(),
            other => other.visits().map_or(Ok(()), |config| config.validate()),
        }
    }

    /// Builds the network with starting values from `rng`.
    ///
    /// # Errors
    /// What [`NetworkConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Network, ConfigError> {
        match (self, self.visits()) {
            (Self::GruD(config), _) => Ok(Network::Series(config.init(device, rng)?)),
            (_, Some(config)) => Ok(Network::Visits(config.init(device, rng)?)),
            (_, None) => Err(ConfigError::Conflict("the network reads neither visits nor series".to_owned())),
        }
    }
}

/// A network of any system.
// there are a handful of them at a time, and most of each lies behind pointers
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Network {
    /// One that reads visits.
    Visits(Net),
    /// One that reads series.
    Series(GruD),
}

impl Network {
    /// Logits of rows of the inputs, and what the system adds to the loss. Noise such as dropout acts when a generator
    /// is given.
    ///
    /// # Shapes
    /// - logits `[rows, 1]`, penalty `[1]`
    ///
    /// # Errors
    /// [`StepError::Other`] when the inputs are not what the network reads, or a series cannot be used.
    ///
    /// # Panics
    /// When the inputs are of another vocabulary, or have other variables or statics, than the network was built for.
    pub fn penalised(
        &self,
        inputs: &Inputs,
        rows: &[usize],
        device: &Device,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Result<(Tensor<2>, Option<Tensor<1>>), StepError> {
        match (self, inputs) {
            (Self::Visits(net), Inputs::Visits(sequences)) => {
                let batch = VisitBatch::new(rows.iter().map(|&row| &sequences[row]));
                Ok(net.penalised(&batch, rng))
            }
            (Self::Series(net), Inputs::Series(series)) => {
                let given: Vec<_> = rows.iter().map(|&row| series[row].as_row()).collect();
                let (variables, statics) = (net.config().variables, net.config().statics);
                let batch = SeriesBatch::new(&given, variables, statics, device)
                    .map_err(|error| StepError::Other(Box::new(error)))?;
                Ok((net.forward(&batch, rng), None))
            }
            (Self::Visits(_), Inputs::Series(_)) | (Self::Series(_), Inputs::Visits(_)) => {
                let problem = "the network reads other inputs than these; make them with its own preprocessing";
                Err(StepError::Other(problem.into()))
            }
        }
    }

    /// The device it is on.
    pub fn device(&self) -> Device {
        self.devices().into_iter().next().unwrap_or_default()
    }
}
