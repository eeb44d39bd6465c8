//! Segmentation networks with what belongs to them.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use nn_core::data::rng;
use nn_core::store::{self, Metadata};
use nn_core::train::StepError;

use super::{ModelError, NAMES, ORIGIN, Origin, Preprocessing, SEGMENTER, WINDOW, entry, files, json, numbers};
use crate::inference::WindowConfig;
use crate::systems::{SegmentConfig, SegmentNet, Segmenter};

/// What a weights file says of a segmentation network besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentCard {
    /// The network.
    pub network: SegmentConfig,
    /// What is done to a case before it.
    pub preprocessing: Preprocessing,
    /// How a volume is covered with windows.
    pub window: WindowConfig,
    /// Names of the labels, the background first.
    pub names: Vec<String>,
    /// Where it is from.
    pub origin: Origin,
}

impl SegmentCard {
    /// The metadata of the weights file.
    pub fn metadata(&self) -> Metadata {
        Metadata::from([
            (store::ARCHITECTURE.to_owned(), SEGMENTER.to_owned()),
            (store::CONFIG.to_owned(), json(&self.network)),
            (store::PREPROCESSING.to_owned(), json(&self.preprocessing)),
            (WINDOW.to_owned(), json(&self.window)),
            (NAMES.to_owned(), json(&self.names)),
            (ORIGIN.to_owned(), json(&self.origin)),
        ])
    }

    /// Checks that the parts of the card say the same.
    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let pairs = [
            ("the number of labels", self.names.len(), self.network.classes()),
            ("the number of channels", self.window.inputs(self.preprocessing.channels.len()), self.network.channels()),
        ];
        match pairs.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => Err(ModelError::Mismatch { path: path.to_owned(), what, found, expected }),
            None => Ok(()),
        }
    }
}

/// A segmentation network with its card.
#[derive(Debug, Clone)]
pub struct SegmentModel {
    /// The network, without gradient tracking.
    pub network: SegmentNet,
    /// What else belongs to it.
    pub card: SegmentCard,
}

impl SegmentModel {
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
        let metadata = store::load_metadata_of(path, SEGMENTER)?;
        let card = SegmentCard {
            network: entry(&metadata, store::CONFIG, path)?,
            preprocessing: entry(&metadata, store::PREPROCESSING, path)?,
            window: entry(&metadata, WINDOW, path)?,
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
}

/// Probabilities of `[batch, channels, k, j, i]` windows: `[batch, classes, k − 2m, j − 2m, i − 2m]`, as one list.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub(crate) fn probabilities(
    network: &SegmentNet,
    values: Vec<f32>,
    shape: [usize; 5],
    device: &Device,
) -> Result<Vec<f32>, StepError> {
    let x = Tensor::<5>::from_data(TensorData::new(values, shape), device);
    let map = network.maps(x, None).into_iter().next();
    let map = map.ok_or_else(|| StepError::other("the network gave no map"))?;
    numbers(activation::softmax(map, 1))
}

/// Networks that segment together: one for each seed or fold of a study.
#[derive(Debug, Clone)]
pub struct SegmentEnsemble {
    models: Vec<SegmentModel>,
}

impl SegmentEnsemble {
    /// Puts `models` together.
    ///
    /// # Errors
    /// [`ModelError::Empty`] for none, [`ModelError::Mixed`] when they read or tell apart different things.
    pub fn new(models: Vec<SegmentModel>) -> Result<Self, ModelError> {
        Self::named(models, |i| format!("model {}", i + 1))
    }

    fn named(models: Vec<SegmentModel>, name: impl Fn(usize) -> String) -> Result<Self, ModelError> {
        let first = &models.first().ok_or(ModelError::Empty)?.card;
        for (place, model) in models.iter().enumerate().skip(1) {
            let card = &model.card;
            let (a, b) = (&first.preprocessing, &card.preprocessing);
            // Intensities are fitted on each model's own training part: their values may differ, their number not.
            let same_input = (&a.orientation, a.crop, a.spacing, a.channels.len())
                == (&b.orientation, b.crop, b.spacing, b.channels.len());
            let what = if card.names != first.names {
                "the labels that they tell apart"
            } else if !same_input {
                "the grids that they read"
            } else if (card.window.patch, card.window.margin, card.window.context)
                != (first.window.patch, first.window.margin, first.window.context)
            {
                "their windows"
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
    /// [`SegmentModel::load`] finds.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = files(path)?;
        let models = files.iter().map(|file| SegmentModel::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        Self::named(models, |i| files[i].display().to_string())
    }

    /// The members, at least one.
    pub fn models(&self) -> &[SegmentModel] {
        &self.models
    }

    /// The card of the first member; the others differ in their intensities and their origin alone.
    pub fn card(&self) -> &SegmentCard {
        &self.models[0].card
    }
}
