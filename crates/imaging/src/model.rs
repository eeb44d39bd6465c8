//! A trained model as a file: weights, and everything that must be applied before and after; and several of them as one
//! predictor.
//!
//! A file is one safetensors container. Its metadata holds the network's configuration, what is done to a volume or a
//! picture before it, the names of what it tells apart, and where it is from, so that a model can be used without the run
//! that it comes from. What is averaged over the members of an ensemble are probabilities.

mod body;
mod classify;
mod preprocessing;
mod segment;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::body::with_body;
pub use self::classify::{ClassifyCard, ClassifyEnsemble, ClassifyModel, PictureScale};
pub(crate) use self::classify::{logits, softmax};
pub use self::preprocessing::{Preprocessing, PreprocessingError};
pub(crate) use self::segment::probabilities;
pub use self::segment::{SegmentCard, SegmentEnsemble, SegmentModel};

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use nn_core::config::ConfigError;
use nn_core::store::{self, Metadata, StoreError};
use nn_core::train::StepError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Name in the metadata of files of segmentation networks; the system is named in its configuration.
pub const SEGMENTER: &str = "segmenter";
/// Name in the metadata of files of classifiers.
pub const CLASSIFIER: &str = "classifier";
const CROP: &str = "crop";
const NAMES: &str = "names";
const ORIGIN: &str = "origin";
const WINDOW: &str = "window";

/// Where a model is from: what a reader needs to judge its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the data set.
    pub dataset: String,
    /// How cases were divided.
    pub split: String,
    /// Seed of the training.
    pub seed: u64,
    /// Cases that it learnt from, by name; so many are listed that a leak can be found.
    pub learnt: Vec<String>,
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
        found: usize,
        /// That of the network.
        expected: usize,
    },
    /// No weights file where a model was expected.
    #[error("{0} holds no model; give a run folder that training finished, or a .safetensors file")]
    Absent(PathBuf),
    /// An ensemble of nothing.
    #[error("an ensemble of 0 models cannot predict; give at least 1")]
    Empty,
    /// Models of one ensemble that do not belong together.
    #[error("{first} and {second} do not belong together: {what} differ")]
    Mixed {
        /// The first model: its file, or its place.
        first: String,
        /// The model that differs.
        second: String,
        /// In what they differ.
        what: &'static str,
    },
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

/// The weights files of `path`: itself, or every `.safetensors` file of a run's `model` folder, in the order of their
/// names.
///
/// # Errors
/// [`ModelError::Absent`] when there is none.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ModelError> {
    store::weights_files(path).ok_or_else(|| ModelError::Absent(path.to_owned()))
}

/// What a model is: [`SEGMENTER`] or [`CLASSIFIER`], as its file says; any other text for a file of something else.
///
/// # Errors
/// [`ModelError`] when there is no file, or it cannot be read.
pub fn architecture(path: &Path) -> Result<String, ModelError> {
    let files = files(path)?;
    let first = files.first().ok_or(ModelError::Empty)?;
    let metadata = store::load_metadata(first)?;
    Ok(metadata.get(store::ARCHITECTURE).cloned().unwrap_or_default())
}

/// The numbers of a tensor on the device, in its order.
///
/// # Errors
/// [`StepError`] when the device does not give them back.
pub(crate) fn numbers<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>, StepError> {
    let values = x.try_into_vec_as::<f32>();
    values.map_err(|error| StepError::Device { what: "predictions", reason: error.to_string() })
}
