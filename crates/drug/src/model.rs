//! A trained affinity model as a file: weights, and everything that must be applied before and after.

use crate::affinity::Tokenizers;
use crate::systems::deepdta::{DeepDta, DeepDtaConfig};
use crate::table::Quantity;
use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::store::{self, Metadata, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name of the system in the files' metadata.
pub const ARCHITECTURE: &str = "deepdta";
const QUANTITY: &str = "quantity";
const CALIBRATION: &str = "calibration";

/// How far measured values lie from predictions, on pairs that no part of training saw.
///
/// Split conformal prediction (Lei et al. 2018, *J. Am. Stat. Assoc.* 113:1094): a new pair drawn like
/// the calibration pairs lies within `radius` of its prediction with probability `level`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Half width of the interval, in the units of the model's quantity.
    pub radius: f64,
    /// Share of pairs that the interval is made to hold, 0 to 1.
    pub level: f64,
    /// Pairs it was measured on.
    pub pairs: usize,
}

impl Calibration {
    /// The radius from absolute residuals on held-out pairs: their `ceil((n + 1) level)`-th smallest.
    /// `None` when there are too few pairs to promise the level.
    pub fn from_residuals(mut residuals: Vec<f64>, level: f64) -> Option<Self> {
        let n = residuals.len();
        let rank = ((n as f64 + 1.0) * level).ceil() as usize;
        if rank == 0 || rank > n || residuals.iter().any(|r| !r.is_finite()) {
            return None;
        }
        residuals.sort_by(f64::total_cmp);
        Some(Self { radius: residuals[rank - 1], level, pairs: n })
    }
}

/// What a weights file says of the model besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// Sizes of the network.
    pub config: DeepDtaConfig,
    /// How strings become labels.
    pub tokenizers: Tokenizers,
    /// What is predicted.
    pub quantity: Quantity,
    /// Width of the prediction interval, where it was measured.
    pub calibration: Option<Calibration>,
}

/// A network with its card.
#[derive(Debug, Clone)]
pub struct AffinityModel {
    /// The network, without gradient tracking.
    pub network: DeepDta,
    /// What else belongs to it.
    pub card: ModelCard,
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
    /// No weights file where a model was expected.
    #[error("{0} holds no model; give a run folder that training finished, or a .safetensors file")]
    Absent(PathBuf),
    /// Models of one ensemble that do not belong together.
    #[error("{first} predicts {a}, {second} predicts {b}; an ensemble must predict one quantity")]
    Mixed {
        /// The first file.
        first: PathBuf,
        /// Its quantity.
        a: String,
        /// The file that differs.
        second: PathBuf,
        /// Its quantity.
        b: String,
    },
}

fn entry<T: DeserializeOwned>(metadata: &Metadata, name: &'static str, path: &Path) -> Result<T, ModelError> {
    let failed = |problem: String| ModelError::Metadata { path: path.to_owned(), entry: name, problem };
    let text = metadata.get(name).ok_or_else(|| failed("is missing".into()))?;
    serde_json::from_str(text).map_err(|e| failed(format!("is malformed ({e})")))
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
            (store::CONFIG.to_owned(), json(&self.config)),
            (store::PREPROCESSING.to_owned(), json(&self.tokenizers)),
            (QUANTITY.to_owned(), json(&self.quantity)),
            (CALIBRATION.to_owned(), json(&self.calibration)),
        ])
    }
}

impl AffinityModel {
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
        let metadata = store::load_metadata(path)?;
        store::check_architecture(&metadata, ARCHITECTURE)?;
        let card = ModelCard {
            config: entry(&metadata, store::CONFIG, path)?,
            tokenizers: entry(&metadata, store::PREPROCESSING, path)?,
            quantity: entry(&metadata, QUANTITY, path)?,
            calibration: entry(&metadata, CALIBRATION, path)?,
        };
        // The fresh weights are overwritten, so their seed does not matter.
        let network = card
            .config
            .init(device, &mut rng(0, &[]))
            .map_err(|source| ModelError::Config { path: path.to_owned(), source })?;
        let (network, _) = store::load(network, path)?;
        Ok(Self { network, card })
    }

    /// Reads all models of `path`: one file, or every `.safetensors` file of a run's `model` folder.
    ///
    /// # Errors
    /// [`ModelError::Absent`] when there is none, [`ModelError::Mixed`] when they predict different
    /// quantities, and what [`AffinityModel::load`] finds.
    pub fn load_ensemble(path: &Path, device: &Device) -> Result<Vec<Self>, ModelError> {
        let mut files: Vec<PathBuf> = if path.is_file() {
            vec![path.to_owned()]
        } else {
            let inside = path.join("model");
            let folder = if inside.is_dir() { inside } else { path.to_owned() };
            let entries = std::fs::read_dir(&folder).map_err(|_| ModelError::Absent(path.to_owned()))?;
            entries
                .filter_map(|e| e.ok().map(|e| e.path()))
                .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
                .collect()
        };
        files.sort();
        let models = files.iter().map(|file| Self::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = models.first() else {
            return Err(ModelError::Absent(path.to_owned()));
        };
        if let Some(other) = models.iter().position(|m| m.card.quantity != first.card.quantity) {
            return Err(ModelError::Mixed {
                first: files[0].clone(),
                a: first.card.quantity.label().to_owned(),
                second: files[other].clone(),
                b: models[other].card.quantity.label().to_owned(),
            });
        }
        Ok(models)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_is_the_conformal_order_statistic() {
        // n = 9, level 0.9: ceil(10 * 0.9) = 9th smallest.
        let residuals: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        assert_eq!(Calibration::from_residuals(residuals.clone(), 0.9).map(|c| c.radius), Some(9.0));
        assert_eq!(Calibration::from_residuals(residuals.clone(), 0.5).map(|c| c.radius), Some(5.0));
        assert_eq!(Calibration::from_residuals(residuals, 0.95), None);
        assert_eq!(Calibration::from_residuals(vec![f64::NAN; 20], 0.5), None);
    }
}
