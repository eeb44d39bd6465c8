//! A trained affinity model as a file: weights, and everything that must be applied before and after;
//! and several of them as one predictor.

mod occlusion;

pub use self::occlusion::Occlusion;

use crate::affinity::{Entities, Tokenizers, predict};
use crate::systems::deepdta::{DeepDta, DeepDtaConfig};
use crate::table::{AffinityTable, Pair, Quantity};
use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::store::{self, Metadata, StoreError};
use nn_core::train::StepError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name of the system in the files' metadata.
pub const ARCHITECTURE: &str = "deepdta";
const QUANTITY: &str = "quantity";
const CALIBRATION: &str = "calibration";

/// How far measured values lie from the predictions of one model, on pairs that it did not learn from
/// and that did not decide when it stopped.
///
/// Split conformal prediction (Lei et al. 2018, *J. Am. Stat. Assoc.* 113:1094): if a new pair and the
/// calibration pairs are exchangeable, its value lies within `radius` of its prediction with a
/// probability of at least `level`, on average over calibration parts. Two things to know:
///
/// - Pairs that share a drug or a target are not independent. The promise is for pairs mixed like the
///   calibration part, which is as new to the model as the study's split makes it (a random split:
///   known drugs, known targets, new pairs). For a compound or protein unlike those of the table, or
///   for cold-both, whose calibration part knows the targets, there is none.
/// - It is on average over pairs: of the pairs of one given drug, more or fewer can lie outside.
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
    /// The sizes in the file are impossible, or not those of its tokenisers.
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
    /// An ensemble of nothing.
    #[error("an ensemble of 0 models cannot predict; give at least 1")]
    Empty,
    /// Models of one ensemble that do not belong together.
    #[error("{first} predicts {a}, {second} predicts {b}; an ensemble must predict one quantity")]
    Mixed {
        /// The first model: its file, or its place.
        first: String,
        /// Its quantity.
        a: String,
        /// The model that differs.
        second: String,
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
        let metadata = store::load_metadata_of(path, ARCHITECTURE)?;
        let card = ModelCard {
            config: entry(&metadata, store::CONFIG, path)?,
            tokenizers: entry(&metadata, store::PREPROCESSING, path)?,
            quantity: entry(&metadata, QUANTITY, path)?,
            calibration: entry(&metadata, CALIBRATION, path)?,
        };
        let impossible = |source| ModelError::Config { path: path.to_owned(), source };
        card.tokenizers.check(&card.config).map_err(impossible)?;
        // The fresh weights are overwritten, so their seed does not matter.
        let network = card.config.init(device, &mut rng(0, &[])).map_err(impossible)?;
        let (network, _) = store::load(network, path)?;
        Ok(Self { network, card })
    }
}

/// Models that predict together: one for each fold left out.
#[derive(Debug, Clone)]
pub struct Ensemble {
    models: Vec<AffinityModel>,
}

impl Ensemble {
    /// Puts `models` together.
    ///
    /// # Errors
    /// [`ModelError::Empty`] for none, [`ModelError::Mixed`] when they predict different quantities.
    pub fn new(models: Vec<AffinityModel>) -> Result<Self, ModelError> {
        Self::named(models, |i| format!("model {}", i + 1))
    }

    fn named(models: Vec<AffinityModel>, name: impl Fn(usize) -> String) -> Result<Self, ModelError> {
        let quantities: Vec<&Quantity> = models.iter().map(|m| &m.card.quantity).collect();
        let first = *quantities.first().ok_or(ModelError::Empty)?;
        if let Some(other) = quantities.iter().position(|&quantity| quantity != first) {
            return Err(ModelError::Mixed {
                first: name(0),
                a: first.label().to_owned(),
                second: name(other),
                b: quantities[other].label().to_owned(),
            });
        }
        Ok(Self { models })
    }

    /// Reads all models of `path`: one file, or every `.safetensors` file of a run's `model` folder.
    ///
    /// # Errors
    /// [`ModelError::Absent`] when there is none, [`ModelError::Mixed`] when they predict different
    /// quantities, and what [`AffinityModel::load`] finds.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = store::weights_files(path).ok_or_else(|| ModelError::Absent(path.to_owned()))?;
        let models = files.iter().map(|file| AffinityModel::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        Self::named(models, |i| files[i].display().to_string())
    }

    /// The members, at least one.
    pub fn models(&self) -> &[AffinityModel] {
        &self.models
    }

    /// The card of the first member.
    pub fn card(&self) -> &ModelCard {
        &self.models[0].card
    }

    /// The interval around the ensemble's mean: that of the member with the largest radius, and only
    /// if all members were calibrated at one level.
    ///
    /// Each radius was measured on the residuals of its own member, not of the mean, so that no
    /// theorem promises the level here. The mean is never farther off than its worst member, whose
    /// radius is at most the largest; what follows for `k` members is a miss rate of at most
    /// `k (1 − level)`. In practice the mean is closer than its members and the interval too wide,
    /// which is the error to prefer: a mean of the radii could be too narrow.
    pub fn interval(&self) -> Option<Calibration> {
        let found = self.models.iter().map(|m| m.card.calibration).collect::<Option<Vec<Calibration>>>()?;
        let widest = found.iter().copied().max_by(|a, b| a.radius.total_cmp(&b.radius))?;
        found.iter().all(|c| c.level == widest.level).then_some(widest)
    }

    /// The mean over the members of the values that `of` gives for each, as many for one as for another.
    pub(crate) fn mean(
        &self,
        mut of: impl FnMut(usize, &AffinityModel) -> Result<Vec<f64>, StepError>,
    ) -> Result<Vec<f64>, StepError> {
        let mut mean = of(0, &self.models[0])?;
        for (i, model) in self.models.iter().enumerate().skip(1) {
            mean.iter_mut().zip(of(i, model)?).for_each(|(sum, value)| *sum += value);
        }
        let n = self.models.len() as f64;
        mean.iter_mut().for_each(|value| *value /= n);
        Ok(mean)
    }

    /// The mean prediction for rows of a table, in that order; each member reads the strings with its
    /// own tokenisers and lengths.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn predict(&self, table: &AffinityTable, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        let pairs: Vec<Pair> = rows.iter().map(|&row| table.pairs[row]).collect();
        self.mean(|_, model| {
            let config = &model.card.config;
            let lengths = [config.smiles_length, config.protein_length];
            predict(&model.network, &Entities::new(table, &model.card.tokenizers, lengths), &pairs)
        })
    }
}

#[cfg(test)]
mod tests;
