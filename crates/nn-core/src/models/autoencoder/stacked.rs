//! Stacked autoencoders: each layer learns to reconstruct the codes of the one below, then the encoders together become
//! the hidden layers of a classifier.
//!
//! Greedy pre-training is that of Bengio et al. 2007, NIPS 19; with a [`Corruption`](super::Corruption) it is the
//! stacked denoising autoencoder of Vincent et al. 2010, JMLR 11:3371: noise is put on the input of the layer that
//! learns, never on what the layers below compute for it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::dense::{Autoencoder, AutoencoderConfig, Dense, check_widths, through};
use super::objective::{Reconstruct, ReconstructConfig, check_columns};
use super::rows::{Rows, RowsError};
use crate::config::{ConfigError, in_range};
use crate::data::{self, Shuffled};
use crate::models::mlp::{Activation, TableModel};
use crate::optim::{OptimizerConfig, Schedule};
use crate::train::{
    Checkpoints, FitConfig, Monitor, Observer, StepError, StopReason, Supervised, TRAIN_LOSS, TrainError, fit,
};

/// How one layer learns. The papers search these for each data set; the defaults are our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerTraining {
    /// Epochs of each layer.
    pub epochs: usize,
    /// Rows in a step.
    pub batch_size: usize,
    /// Update rule.
    pub optimizer: OptimizerConfig,
    /// Learning rate that the schedule starts from.
    pub learning_rate: f64,
    /// How it changes from epoch to epoch; each layer starts from the beginning.
    pub schedule: Schedule,
    /// Seed of the order of the rows and of the corruption; each layer derives its own.
    pub seed: u64,
}

impl Default for LayerTraining {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 64,
            optimizer: OptimizerConfig::adam(),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            seed: 0,
        }
    }
}

/// A stack and how it is pre-trained. The defaults are three layers of 500 sigmoid units with tied weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackedConfig {
    /// Columns of a row.
    pub inputs: usize,
    /// Units of each layer, from the rows on.
    pub hidden: Vec<usize>,
    /// Nonlinearity of the codes, and of the reconstruction of codes.
    pub activation: Activation,
    /// Nonlinearity of the reconstruction of the rows.
    pub output: Activation,
    /// Whether each layer's decoder multiplies by the transpose of its encoder's matrix.
    pub tied: bool,
    /// Loss, corruption and penalties of every layer.
    pub reconstruct: ReconstructConfig,
    /// How every layer learns.
    pub training: LayerTraining,
}

impl Default for StackedConfig {
    fn default() -> Self {
        Self {
            inputs: 784,
            hidden: vec![500; 3],
            activation: Activation::Sigmoid,
            output: Activation::Sigmoid,
            tied: true,
            reconstruct: ReconstructConfig::default(),
            training: LayerTraining::default(),
        }
    }
}

/// What pre-training made of one layer, in terms of the loss of its clean inputs, without penalties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerReport {
    /// The loss before the first step.
    pub before: f64,
    /// The loss after the last step.
    pub after: f64,
}

/// Why a stack could not be pre-trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A layer failed to learn.
    #[error("layer {}: {error}", .layer + 1)]
    Train {
        /// The layer, from 0.
        layer: usize,
        /// What went wrong.
        error: Box<TrainError>,
    },
    /// A layer's reconstructions or codes could not be computed.
    #[error("layer {}: {error}", .layer + 1)]
    Step {
        /// The layer, from 0.
        layer: usize,
        /// What went wrong.
        error: StepError,
    },
    /// The codes of a layer are not finite.
    #[error("the codes of layer {}: {error}", .layer + 1)]
    Codes {
        /// The layer, from 0.
        layer: usize,
        /// What is wrong with them.
        error: RowsError,
    },
    /// Someone asked to stop.
    #[error("interrupted in layer {}; begin again with the same folder to go on from its last checkpoint", .layer + 1)]
    Interrupted {
        /// The layer, from 0.
        layer: usize,
    },
}

impl StackedConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that is out of range or in conflict with another.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_widths("hidden", &self.hidden, false)?;
        for layer in 0..self.hidden.len() {
            self.reconstruct.validate(&self.layer(layer))?;
        }
        in_range("training.batch_size", self.training.batch_size, 1..=10_000_000)?;
        self.training.optimizer.validate()?;
        self.fit(0).validate()
    }

    fn layer(&self, layer: usize) -> AutoencoderConfig {
        let (inputs, output) = match layer.checked_sub(1) {
            None => (self.inputs, self.output),
            Some(below) => (self.hidden[below], self.activation),
        };
        let hidden = vec![self.hidden[layer]];
        AutoencoderConfig { inputs, hidden, activation: self.activation, output, tied: self.tied }
    }

    fn fit(&self, layer: usize) -> FitConfig {
        let training = &self.training;
        FitConfig {
            seed: data::rng(training.seed, &[layer as u64]).next_u64(),
            schedule: training.schedule.clone(),
            restore_best: false,
            ..FitConfig::new(training.epochs, training.learning_rate, Monitor::lower(TRAIN_LOSS))
        }
    }

    /// Trains the layers one after the other, each on the codes of the one below. Comes back with the stack, on
    /// `device` with autodiff and ready to be trained further, and a report on each layer.
    ///
    /// With `folder`, each layer keeps its checkpoints in a folder of its own below it, and a call that finds some goes
    /// on from there; give it the same rows, settings and generator then. `observer` is told of the runs of all layers.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn pretrain(
        &self,
        rows: &Rows,
        device: &Device,
        rng: &mut ChaCha8Rng,
        folder: Option<&Path>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(StackedAutoencoder, Vec<LayerReport>), StackError> {
        self.validate()?;
        check_columns(rows, self.inputs)?;
        let device = device.clone().autodiff();
        let mut codes = rows.clone();
        let (mut layers, mut reports) = (Vec::new(), Vec::new());
        for layer in 0..self.hidden.len() {
            let failed = |error| StackError::Step { layer, error };
            let config = self.layer(layer);
            let model = config.init(&device, rng)?;
            let objective = Reconstruct::new(self.reconstruct.clone(), &config, codes.clone(), None)?;
            let (before, _) = objective.evaluate(&model.valid(), &codes).map_err(failed)?;

            let mut learner = Supervised::new(objective, model, self.training.optimizer.init(), "autoencoder");
            let sampler = Shuffled::new((0..codes.len()).collect(), self.training.batch_size);
            let checkpoints = folder.map(|folder| Checkpoints::new(folder.join(format!("layer-{}", layer + 1))));
            let resume = checkpoints.is_some();
            let outcome = fit(&mut learner, &sampler, &self.fit(layer), checkpoints.as_ref(), resume, observer, stop)
                .map_err(|error| StackError::Train { layer, error: Box::new(error) })?;
            if outcome.stopped == StopReason::Interrupted {
                return Err(StackError::Interrupted { layer });
            }

            let trained = learner.model().map_err(failed)?;
            let (after, _) = learner.objective().evaluate(&trained.valid(), &codes).map_err(failed)?;
            reports.push(LayerReport { before, after });
            codes = encoded(&trained.valid(), &codes, layer)?;
            layers.push(trained.clone());
        }
        Ok((StackedAutoencoder { layers }, reports))
    }
}

/// The codes of all rows.
fn encoded(model: &Autoencoder, rows: &Rows, layer: usize) -> Result<Rows, StackError> {
    let device = model.device();
    let mut width = 1;
    let mut values = Vec::new();
    for x in rows.chunks(&device) {
        let code = model.encode(x); // [chunk, width of the code]
        width = code.dims()[1];
        let read = code.try_into_vec_as::<f32>();
        values.extend(read.map_err(|error| StackError::Step {
            layer,
            error: StepError::Device { what: "codes", reason: error.to_string() },
        })?);
    }
    Rows::new(values, width).map_err(|error| StackError::Codes { layer, error })
}

/// Autoencoders of one layer each, every one on the codes of the one before.
#[derive(Module, Debug)]
pub struct StackedAutoencoder {
    pub(super) layers: Vec<Autoencoder>,
}

impl StackedAutoencoder {
    /// The layers, from the rows on.
    pub fn layers(&self) -> &[Autoencoder] {
        &self.layers
    }

    /// The topmost code.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, units of the last layer]`
    pub fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.encode(x))
    }

    /// The row that the topmost code stands for.
    ///
    /// # Shapes
    /// - code `[batch, units of the last layer]`; output `[batch, inputs]`
    pub fn decode(&self, code: Tensor<2>) -> Tensor<2> {
        self.layers.iter().rev().fold(code, |x, layer| layer.decode(x))
    }

    /// A classifier that starts from the encoders, with a new softmax layer of `classes` logits on top, drawn from
    /// `rng`. It is to be fine-tuned as a whole, for instance by
    /// [`TableObjective`](crate::models::mlp::TableObjective).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no classes.
    pub fn into_classifier(self, classes: usize, rng: &mut ChaCha8Rng) -> Result<StackedClassifier, ConfigError> {
        in_range("classes", classes, 1..=1_000_000)?;
        let Some(top) = self.layers.last() else {
            return Err(ConfigError::Conflict("a stack without layers cannot become a classifier".to_owned()));
        };
        let (activation, device) = (top.config().activation, top.device());
        let width = top.config().hidden.last().copied().unwrap_or(top.config().inputs);
        let head = Dense::new(width, classes, &device, rng);
        let hidden = self.layers.into_iter().flat_map(|layer| layer.encoder).collect();
        Ok(StackedClassifier { hidden, head, activation })
    }
}

/// Dense layers that began as encoders, and a linear head. Parameters are called `hidden.0.weight`, `head.bias` and so
/// on.
#[derive(Module, Debug)]
pub struct StackedClassifier {
    hidden: Vec<Dense>,
    pub(super) head: Dense,
    #[module(skip)]
    activation: Activation,
}

impl StackedClassifier {
    /// The logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, classes]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.head.forward(through(&self.hidden, self.activation, x))
    }
}

impl TableModel for StackedClassifier {
    fn logits(&self, x: Tensor<2>, _rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.forward(x)
    }
}
