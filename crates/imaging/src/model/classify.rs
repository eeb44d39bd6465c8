//! Classifiers of pictures with what belongs to them.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::store::{self, Metadata};
use nn_core::train::StepError;
use serde::{Deserialize, Serialize};

use super::{CLASSIFIER, CROP, ModelError, NAMES, ORIGIN, Origin, entry, files, json, numbers};
use crate::pictures::{CropConfig, PictureOptions, PictureSet};
use crate::systems::{Classifier, ClassifyConfig, ClassifyNet};

/// Pictures that pass the network at once in use.
const AT_ONCE: usize = 256;

/// How the pixels of a picture become the network's input: less the mean and divided by the standard deviation of each
/// channel over the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureScale {
    /// Rows of a picture.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, above 0.
    pub deviation: Vec<f32>,
}

impl PictureScale {
    /// Means and deviations over the pictures `rows` of a set; a channel that is the same everywhere is only centred.
    pub fn fit(set: &PictureSet, rows: &[usize]) -> Self {
        let plane = (set.height * set.width).max(1);
        let (mut sums, mut squares) = (vec![0.0_f64; set.channels], vec![0.0_f64; set.channels]);
        for &row in rows {
            for (channel, values) in set.picture(row).chunks(plane).enumerate() {
                for &value in values {
                    sums[channel] += f64::from(value);
                    squares[channel] += f64::from(value).powi(2);
                }
            }
        }
        let n = (rows.len() * plane).max(1) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let deviation = squares.iter().zip(&mean).map(|(square, mean)| {
            let variance = (square / n - mean * mean).max(0.0);
            if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 }
        });
        Self {
            height: set.height,
            width: set.width,
            deviation: deviation.collect(),
            mean: mean.into_iter().map(|mean| mean as f32).collect(),
        }
    }

    /// Pixels of one picture, `[channels, height, width]`, scaled in place.
    pub fn apply(&self, pixels: &mut [f32]) {
        let plane = (self.height * self.width).max(1);
        for ((values, mean), deviation) in pixels.chunks_mut(plane).zip(&self.mean).zip(&self.deviation) {
            values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
    }

    /// Pictures as a batch.
    ///
    /// # Shapes
    /// - pixels `[n, channels, height, width]` as one list, scaled already; output the same as a tensor
    pub fn tensor(&self, pixels: Vec<f32>, device: &Device) -> Tensor<4> {
        let stride = self.mean.len() * self.height * self.width;
        let shape = [pixels.len() / stride.max(1), self.mean.len(), self.height, self.width];
        Tensor::from_data(TensorData::new(pixels, shape), device)
    }

    /// The pictures `rows` of a set as a batch.
    ///
    /// # Shapes
    /// - output `[rows, channels, height, width]`
    pub fn batch(&self, set: &PictureSet, rows: &[usize], device: &Device) -> Tensor<4> {
        let mut pixels = Vec::with_capacity(rows.len() * set.stride());
        for &row in rows {
            let start = pixels.len();
            pixels.extend_from_slice(set.picture(row));
            self.apply(&mut pixels[start..]);
        }
        self.tensor(pixels, device)
    }
}

/// What a weights file says of a classifier besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifyCard {
    /// The network.
    pub network: ClassifyConfig,
    /// How pixels become its input.
    pub scale: PictureScale,
    /// How the part is found that lies behind each picture; none for a network that reads pictures once.
    pub crop: Option<CropConfig>,
    /// Names of the classes.
    pub names: Vec<String>,
    /// Where it is from.
    pub origin: Origin,
}

impl ClassifyCard {
    /// The metadata of the weights file.
    pub fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::from([
            (store::ARCHITECTURE.to_owned(), CLASSIFIER.to_owned()),
            (store::CONFIG.to_owned(), json(&self.network)),
            (store::PREPROCESSING.to_owned(), json(&self.scale)),
            (NAMES.to_owned(), json(&self.names)),
            (ORIGIN.to_owned(), json(&self.origin)),
        ]);
        metadata.extend(self.crop.as_ref().map(|crop| (CROP.to_owned(), json(crop))));
        metadata
    }

    /// How pictures are read for the network.
    pub fn options(&self) -> PictureOptions {
        PictureOptions {
            size: Some([self.scale.height, self.scale.width]),
            channels: Some(self.scale.mean.len() / self.network.pictures()),
            classes: self.names.clone(),
        }
    }

    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let pairs = [
            ("the number of classes", self.names.len(), self.network.classes()),
            ("the number of channels", self.scale.mean.len(), self.network.channels()),
            ("the number of deviations", self.scale.deviation.len(), self.network.channels()),
            ("the number of pictures of an input", 1 + usize::from(self.crop.is_some()), self.network.pictures()),
        ];
        match pairs.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => Err(ModelError::Mismatch { path: path.to_owned(), what, found, expected }),
            None => Ok(()),
        }
    }
}

/// A classifier with its card.
#[derive(Debug, Clone)]
pub struct ClassifyModel {
    /// The network, without gradient tracking.
    pub network: ClassifyNet,
    /// What else belongs to it.
    pub card: ClassifyCard,
}

impl ClassifyModel {
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
        let metadata = store::load_metadata_of(path, CLASSIFIER)?;
        let card = ClassifyCard {
            network: entry(&metadata, store::CONFIG, path)?,
            scale: entry(&metadata, store::PREPROCESSING, path)?,
            crop: if metadata.contains_key(CROP) { Some(entry(&metadata, CROP, path)?) } else { None },
            names: entry(&metadata, NAMES, path)?,
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

    /// Logits of the classes, `[rows, classes]`, for pictures of a set.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn logits(&self, set: &PictureSet, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        logits(&self.network, &self.card.scale, set, rows)
    }
}

/// Logits of the classes, `[rows, classes]`, so many pictures at once as the memory of the convolutions allows.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub(crate) fn logits(
    network: &ClassifyNet,
    scale: &PictureScale,
    set: &PictureSet,
    rows: &[usize],
) -> Result<Vec<f64>, StepError> {
    let device = network.devices().into_iter().next().unwrap_or_default();
    let mut found = Vec::new();
    for chunk in rows.chunks(AT_ONCE) {
        let logits = network.logits(scale.batch(set, chunk, &device), None); // [chunk, classes]
        found.extend(numbers(logits)?.into_iter().map(f64::from));
    }
    Ok(found)
}

/// Classifiers that predict together: one for each seed or fold of a study.
#[derive(Debug, Clone)]
pub struct ClassifyEnsemble {
    models: Vec<ClassifyModel>,
}

impl ClassifyEnsemble {
    /// Puts `models` together.
    ///
    /// # Errors
    /// [`ModelError::Empty`] for none, [`ModelError::Mixed`] when they read or tell apart different things.
    pub fn new(models: Vec<ClassifyModel>) -> Result<Self, ModelError> {
        Self::named(models, |i| format!("model {}", i + 1))
    }

    fn named(models: Vec<ClassifyModel>, name: impl Fn(usize) -> String) -> Result<Self, ModelError> {
        let first = &models.first().ok_or(ModelError::Empty)?.card;
        for (place, model) in models.iter().enumerate().skip(1) {
            let (a, b) = (&first.scale, &model.card.scale);
            let what = if model.card.names != first.names {
                "the classes that they tell apart"
            } else if (a.height, a.width, a.mean.len()) != (b.height, b.width, b.mean.len()) {
                "the pictures that they read"
            } else if model.card.crop != first.crop {
                "the parts of pictures that they read"
            } else {
                continue;
            };
            return Err(ModelError::Mixed { first: name(0), second: name(place), what });
        }
        Ok(Self { models })
    }

    /// Reads all models of `path`: one file, or every one of a run's `model` folder.
    ///
    /// # Errors
    /// [`ModelError::Absent`] when there is none, [`ModelError::Mixed`] when they do not belong together, and what
    /// [`ClassifyModel::load`] finds.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = files(path)?;
        let models = files.iter().map(|file| ClassifyModel::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        Self::named(models, |i| files[i].display().to_string())
    }

    /// The members, at least one.
    pub fn models(&self) -> &[ClassifyModel] {
        &self.models
    }

    /// The card of the first member; the others differ in their scale and their origin alone.
    pub fn card(&self) -> &ClassifyCard {
        &self.models[0].card
    }

    /// Mean probabilities of the classes, `[rows, classes]`, for pictures of a set.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn probabilities(&self, set: &PictureSet, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        let classes = self.card().names.len().max(1);
        let mut mean = vec![0.0; rows.len() * classes];
        for model in &self.models {
            let logits = model.logits(set, rows)?;
            for (mean, logits) in mean.chunks_mut(classes).zip(logits.chunks(classes)) {
                let shares = softmax(logits);
                mean.iter_mut().zip(shares).for_each(|(mean, share)| *mean += share / self.models.len() as f64);
            }
        }
        // Shares of the members may sum to a little more than one.
        mean.iter_mut().for_each(|value| *value = value.min(1.0));
        Ok(mean)
    }
}

/// Probabilities of one row of logits.
pub(crate) fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
