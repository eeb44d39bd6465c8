//! A trained sequence model as a file: weights, and everything that must be applied before and after; and several of
//! them as one predictor.
//!
//! What is averaged, over the two strands as over the members of an ensemble, are logits (for values, the values
//! themselves). What users see are probabilities: [`Ensemble::shown`].

mod ensemble;
#[cfg(test)]
pub(crate) mod tests;

pub use self::ensemble::{Ensemble, files};

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::store::{self, Metadata, StoreError};
use nn_core::train::StepError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dataset::Labels;
use crate::evaluate;
use crate::sequence::{ALPHABET, Unknown, one_hot};
use crate::strands;
use crate::systems::{Net, NetConfig, SequenceNet};

/// Name in the files' metadata of everything that this module writes; the system is named in its configuration.
pub const ARCHITECTURE: &str = "sequence-model";
pub(crate) const TASKS: &str = "tasks";
pub(crate) const ORIGIN: &str = "origin";

/// Bases that pass the network at once when there are many sequences, which bounds the memory of the convolutions.
const BASES_AT_ONCE: usize = 1 << 16;
/// And no more sequences than these.
const SEQUENCES_AT_ONCE: usize = 512;

/// What a model makes of the two strands of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrandPolicy {
    /// The sequence is read as it is given: RNA, promoters, anything with a direction.
    Given,
    /// Half of the training sequences are reverse complements; predictions are of the sequence as it is given.
    Augment,
    /// As `augment`, and predictions are the mean over both strands: the same for a sequence and its reverse
    /// complement.
    #[default]
    Average,
    /// The network reads both strands itself and gives the same for a sequence and its reverse complement.
    Network,
}

impl StrandPolicy {
    /// Whether training draws one of the strands.
    pub fn augments(self) -> bool {
        matches!(self, Self::Augment | Self::Average)
    }
}

/// How a sequence becomes the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The bases in the order of the channels.
    pub alphabet: String,
    /// Bases that the network reads. Shorter sequences stand in the middle of unknown bases, of longer ones the middle
    /// is read.
    pub window: usize,
    /// What the two strands count.
    pub strands: StrandPolicy,
    /// What letters other than the four bases become.
    pub unknown: Unknown,
}

impl Preprocessing {
    /// For a network that reads `window` bases.
    pub fn new(window: usize, strands: StrandPolicy, unknown: Unknown) -> Self {
        Self { alphabet: String::from_utf8_lossy(&ALPHABET).into_owned(), window, strands, unknown }
    }

    /// The part of a sequence that the network reads.
    pub fn window_of<'a>(&self, sequence: &'a [u8]) -> &'a [u8] {
        let first = sequence.len().saturating_sub(self.window) / 2;
        &sequence[first..sequence.len().min(first + self.window)]
    }

    /// One-hot channels of sequences of any length.
    ///
    /// # Shapes
    /// - output `[sequences, 4, window]`
    pub fn encode(&self, sequences: &[&[u8]], device: &Device) -> Tensor<3> {
        self.tensor(self.channels(sequences), device)
    }

    /// The same channels in memory, row by row.
    pub(crate) fn channels(&self, sequences: &[&[u8]]) -> Vec<f32> {
        let windows: Vec<&[u8]> = sequences.iter().map(|sequence| self.window_of(sequence)).collect();
        one_hot(&windows, self.window, self.unknown)
    }

    /// Channels on the device.
    ///
    /// # Shapes
    /// - output `[sequences, 4, window]`
    pub(crate) fn tensor(&self, channels: Vec<f32>, device: &Device) -> Tensor<3> {
        let rows = channels.len() / self.row().max(1);
        Tensor::from_data(TensorData::new(channels, [rows, ALPHABET.len(), self.window]), device)
    }

    /// Channel values of a sequence.
    pub(crate) fn row(&self) -> usize {
        ALPHABET.len() * self.window
    }
}

/// What a model predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicts {
    /// The tasks, in the order of the labels.
    pub tasks: Vec<String>,
    /// What the labels are.
    pub labels: Labels,
}

impl Predicts {
    /// Name of each number that the model gives: the tasks, or the classes.
    pub fn outputs(&self) -> &[String] {
        match &self.labels {
            Labels::Classes(classes) => classes,
            Labels::Binary | Labels::Values => &self.tasks,
        }
    }

    /// What it is, for a sentence: `USF2, YY1 (yes or no)`.
    pub fn describe(&self) -> String {
        let kind = match self.labels {
            Labels::Binary => "yes or no",
            Labels::Classes(_) => "classes",
            Labels::Values => "values",
        };
        format!("{} ({kind})", self.outputs().join(", "))
    }
}

/// Where a model is from: what a reader needs to judge its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the data set.
    pub dataset: String,
    /// How the rows were divided.
    pub split: String,
    /// Seed of the training.
    pub seed: u64,
    /// Contigs that it learnt from, where the rows lie on a genome.
    pub contigs: Vec<String>,
}

/// What a weights file says of the model besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// The network.
    pub network: NetConfig,
    /// How a sequence becomes its input.
    pub preprocessing: Preprocessing,
    /// What it predicts.
    pub predicts: Predicts,
    /// Where it is from.
    pub origin: Origin,
}

/// Why a model cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is unreadable, damaged, or of another system.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A metadata entry is missing or malformed.
    #[error("{path}: metadata entry {entry:?} {problem}; the file was not written by this program")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Name of the entry.
        entry: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The sizes in the file are impossible.
    #[error("{path}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Which size, and its range.
        source: ConfigError,
    },
    /// The card says something else than the network, or than this program does.
    #[error("{path}: {what} is {found}, but {reference}; predictions would be wrong")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
        /// Its value in the card.
        found: String,
        /// What it must fit.
        reference: String,
    },
    /// No weights file where a model was expected.
    #[error("{0} holds no model; give a run folder that training finished, or a .safetensors file")]
    Absent(PathBuf),
    /// An ensemble of nothing.
    #[error("an ensemble of 0 models cannot predict; give at least 1")]
    Empty,
    /// Models of one ensemble that do not belong together.
    #[error("{first} and {second} do not belong together: {what} is {a} in one and {b} in the other")]
    Mixed {
        /// The first model: its file, or its place.
        first: String,
        /// The model that differs.
        second: String,
        /// In what they differ.
        what: &'static str,
        /// Of the first.
        a: String,
        /// Of the second.
        b: String,
    },
}

/// An entry of the metadata of the file at `path`.
pub(crate) fn entry<T: DeserializeOwned>(
    metadata: &Metadata,
    name: &'static str,
    path: &Path,
) -> Result<T, ModelError> {
    let failed = |problem: String| ModelError::Metadata { path: path.to_owned(), entry: name, problem };
    let text = metadata.get(name).ok_or_else(|| failed("is missing".into()))?;
    serde_json::from_str(text).map_err(|error| failed(format!("is malformed ({error})")))
}

/// A value as metadata text.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    // Serialising these plain structs into a string has no way to fail.
    serde_json::to_string(value).unwrap_or_default()
}

impl ModelCard {
    /// The metadata of the weights file.
    pub fn metadata(&self) -> Metadata {
        Metadata::from([
            (store::ARCHITECTURE.to_owned(), ARCHITECTURE.to_owned()),
            (store::CONFIG.to_owned(), json(&self.network)),
            (store::PREPROCESSING.to_owned(), json(&self.preprocessing)),
            (TASKS.to_owned(), json(&self.predicts)),
            (ORIGIN.to_owned(), json(&self.origin)),
        ])
    }

    /// Checks that the parts of the card say the same, and that this program reads sequences as the card says.
    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let mismatch = |what, found: String, reference: String| {
            Err(ModelError::Mismatch { path: path.to_owned(), what, found, reference })
        };
        let ours = String::from_utf8_lossy(&ALPHABET);
        if self.preprocessing.alphabet != ours {
            let found = self.preprocessing.alphabet.clone();
            return mismatch("the order of the bases", found, format!("this program's is {ours}"));
        }
        let (window, length) = (self.preprocessing.window, self.network.length());
        if window != length {
            return mismatch("the window", window.to_string(), format!("the network reads {length} bases"));
        }
        let (outputs, network) = (self.predicts.outputs().len(), self.network.outputs());
        if outputs != network {
            return mismatch("the number of outputs", outputs.to_string(), format!("the network has {network}"));
        }
        Ok(())
    }
}

/// A network with its card.
#[derive(Debug, Clone)]
pub struct SequenceModel {
    /// The network, without gradient tracking.
    pub network: Net,
    /// What else belongs to it.
    pub card: ModelCard,
}

impl SequenceModel {
    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`ModelError::Store`].
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        Ok(store::save(&self.network, &self.card.metadata(), path)?)
    }

    /// Reads a model from one file.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what of it cannot be used.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let metadata = store::load_metadata_of(path, ARCHITECTURE)?;
        let card = ModelCard {
            network: entry(&metadata, store::CONFIG, path)?,
            preprocessing: entry(&metadata, store::PREPROCESSING, path)?,
            predicts: entry(&metadata, TASKS, path)?,
            origin: entry(&metadata, ORIGIN, path)?,
        };
        card.check(path)?;
        let impossible = |source| ModelError::Config { path: path.to_owned(), source };
        // The fresh weights are overwritten, so their seed does not matter.
        let network = card.network.init(device, &mut rng(0, &[])).map_err(impossible)?;
        let (network, _) = store::load(network, path)?;
        Ok(Self { network: network.valid(), card })
    }

    /// The device of the network.
    pub fn device(&self) -> Device {
        self.network.devices().into_iter().next().unwrap_or_default()
    }

    /// Logits, or values, of inputs that are encoded already; the mean over both strands where the card says so.
    ///
    /// # Shapes
    /// - x `[batch, 4, window]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        forward(&self.network, x, self.card.preprocessing.strands)
    }

    /// Logits, or values, of sequences of any length: `[sequences, outputs]`, row by row.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn logits(&self, sequences: &[&[u8]]) -> Result<Vec<f64>, StepError> {
        logits(&self.network, &self.card.preprocessing, sequences)
    }
}

/// Logits of a network under a strand policy.
///
/// # Shapes
/// - x `[batch, 4, window]`; output `[batch, outputs]`
pub fn forward(network: &Net, x: Tensor<3>, policy: StrandPolicy) -> Tensor<2> {
    match policy {
        StrandPolicy::Given | StrandPolicy::Augment | StrandPolicy::Network => network.logits(x, None),
        StrandPolicy::Average => strands::average(|x| network.logits(x, None), x),
    }
}

/// Logits of any number of sequences, so many at once as the memory of the convolutions allows.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub(crate) fn logits(network: &Net, preprocessing: &Preprocessing, sequences: &[&[u8]]) -> Result<Vec<f64>, StepError> {
    let device = network.devices().into_iter().next().unwrap_or_default();
    let mut found = Vec::new();
    for chunk in sequences.chunks(at_once(preprocessing.window)) {
        found.extend(numbers(forward(network, preprocessing.encode(chunk, &device), preprocessing.strands))?);
    }
    Ok(found)
}

/// Windows that pass a network at once.
pub(crate) fn at_once(window: usize) -> usize {
    (BASES_AT_ONCE / window.max(1)).clamp(1, SEQUENCES_AT_ONCE)
}

/// The values of a table on the device, row by row.
///
/// # Errors
/// [`StepError`] when the device does not give them back.
pub(crate) fn numbers(x: Tensor<2>) -> Result<Vec<f64>, StepError> {
    let values = x.try_into_vec_as::<f32>();
    let values = values.map_err(|error| StepError::Device { what: "predictions", reason: error.to_string() })?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// What users see of logits of `[rows, outputs]`: probabilities of yes, of each class, or the values.
pub fn shown(labels: &Labels, logits: &[f64]) -> Vec<f64> {
    match labels {
        Labels::Values => logits.to_vec(),
        Labels::Binary => logits.iter().map(|&logit| evaluate::probability(logit)).collect(),
        Labels::Classes(classes) => logits.chunks(classes.len().max(1)).flat_map(evaluate::softmax).collect(),
    }
}
