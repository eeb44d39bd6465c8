//! A trained model as one file: weights, vocabulary or grid, scaling, and how its probabilities were put right; and
//! several of them as one predictor.
//!
//! A safetensors file holds all of it. What is averaged over the members of an [`Ensemble`] are recalibrated
//! probabilities, as each member has its own vocabulary and its own calibration.

mod ensemble;
mod reliability;
#[cfg(test)]
mod tests;

pub use self::ensemble::Ensemble;
pub use self::reliability::{Bin, Reliability};

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::store::{self, Metadata, StoreError};
use nn_core::train::StepError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::evaluate::Recalibration;
use crate::features::FeatureError;
use crate::study::{Inputs, Network, NetworkConfig, Preprocessing};
use crate::systems::parts::numbers;
use crate::view::View;

/// Name in the files' metadata of everything that this module writes; the system is named in its configuration.
pub const ARCHITECTURE: &str = "risk-model";
const TASK: &str = "task";
const CALIBRATION: &str = "calibration";
const ORIGIN: &str = "origin";

/// Rows that pass a network at once.
const AT_ONCE: usize = 256;

/// What a model predicts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicts {
    /// Name of the task, as `in-hospital death`.
    pub task: String,
    /// The cohort's definition as TOML, where there is one: it says when a prediction is made and of what.
    pub definition: Option<String>,
}

/// Where a model is from: what a reader needs to judge its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the data set.
    pub dataset: String,
    /// How the subjects were divided.
    pub split: String,
    /// Seed of the training.
    pub seed: u64,
    /// Labels that it learnt from.
    pub labels: usize,
    /// Share of them that were true.
    pub prevalence: f64,
}

/// How logits become probabilities, and how these have held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Fitted on the tuning part.
    pub recalibration: Recalibration,
    /// Predicted against observed shares of the tuning part.
    pub reliability: Reliability,
}

/// What a weights file says of the model besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// The network.
    pub network: NetworkConfig,
    /// How a view becomes its input.
    pub preprocessing: Preprocessing,
    /// What it predicts.
    pub predicts: Predicts,
    /// How its logits become probabilities.
    pub calibration: Calibration,
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
    /// The card says something else than the network.
    #[error("{path}: {what} is {found}, but the network has {expected}; predictions would be wrong")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
        /// Its value in the card.
        found: String,
        /// That of the network.
        expected: String,
    },
    /// No weights file where a model was expected.
    #[error("{0} holds no model; give a run folder that training finished, or a .safetensors file")]
    Absent(PathBuf),
    /// An ensemble of nothing.
    #[error("an ensemble of 0 models cannot predict; give at least 1")]
    Empty,
    /// Models of one ensemble that do not belong together.
    #[error("{first} and {second} do not belong together: one predicts {a}, the other {b}")]
    Mixed {
        /// The first model: its file, or its place.
        first: String,
        /// The model that differs.
        second: String,
        /// Task of the first.
        a: String,
        /// Of the second.
        b: String,
    },
    /// Views that cannot be made into inputs.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// Numbers that cannot be computed.
    #[error(transparent)]
    Step(#[from] StepError),
}

fn entry<T: DeserializeOwned>(metadata: &Metadata, name: &'static str, path: &Path) -> Result<T, ModelError> {
    let failed = |problem: String| ModelError::Metadata { path: path.to_owned(), entry: name, problem };
    let text = metadata.get(name).ok_or_else(|| failed("is missing".into()))?;
    serde_json::from_str(text).map_err(|error| failed(format!("is malformed ({error})")))
}

/// A value as metadata text.
fn json<T: Serialize>(value: &T) -> String {
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
            (TASK.to_owned(), json(&self.predicts)),
            (CALIBRATION.to_owned(), json(&self.calibration)),
            (ORIGIN.to_owned(), json(&self.origin)),
        ])
    }

    /// Checks that the parts of the card say the same.
    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let (given, network) = (&self.preprocessing, &self.network);
        let pairs = [
            ("what is read", given.reads().describe().to_owned(), network.reads().describe().to_owned()),
            ("the number of codes or variables", given.width().to_string(), network.width().to_string()),
            ("the number of statics", given.statics().len().to_string(), network.statics().to_string()),
        ];
        match pairs.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => Err(ModelError::Mismatch { path: path.to_owned(), what, found, expected }),
            None => Ok(()),
        }
    }
}

/// A network with its card.
#[derive(Debug, Clone)]
pub struct RiskModel {
    /// The network, without gradient tracking.
    pub network: Network,
    /// What else belongs to it.
    pub card: ModelCard,
}

impl RiskModel {
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
            predicts: entry(&metadata, TASK, path)?,
            calibration: entry(&metadata, CALIBRATION, path)?,
            origin: entry(&metadata, ORIGIN, path)?,
        };
        card.check(path)?;
        let impossible = |source| ModelError::Config { path: path.to_owned(), source };
        // The fresh weights are overwritten, so their seed does not matter.
        let network = card.network.init(device, &mut rng(0, &[])).map_err(impossible)?;
        let (network, _) = store::load(network, path)?;
        Ok(Self { network: network.valid(), card })
    }

    /// Logits of inputs that the model's own preprocessing made.
    ///
    /// # Errors
    /// [`StepError`] when a row cannot be used, or the device does not give the numbers back.
    pub fn logits(&self, inputs: &Inputs) -> Result<Vec<f64>, StepError> {
        logits(&self.network, inputs, &(0..inputs.len()).collect::<Vec<_>>())
    }

    /// The probability that a logit stands for.
    pub fn probability(&self, logit: f64) -> f64 {
        self.card.calibration.recalibration.probability(logit)
    }

    /// Probabilities of views of one data set.
    ///
    /// # Errors
    /// [`ModelError::Features`], [`ModelError::Step`].
    pub fn probabilities(&self, views: &[View<'_>]) -> Result<Vec<f64>, ModelError> {
        let logits = self.logits(&self.card.preprocessing.apply(views)?)?;
        Ok(logits.into_iter().map(|logit| self.probability(logit)).collect())
    }
}

/// Logits of some rows of the inputs, without noise.
///
/// # Errors
/// [`StepError`] when a row cannot be used, or the device does not give the numbers back.
pub(crate) fn logits(network: &Network, inputs: &Inputs, rows: &[usize]) -> Result<Vec<f64>, StepError> {
    let device = network.device();
    let mut found = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(AT_ONCE) {
        let (logits, _) = network.penalised(inputs, chunk, &device, None)?; // [chunk, 1]
        found.extend(numbers(logits, "predictions")?);
    }
    Ok(found)
}
