//! Deep belief networks: directed layers under a restricted Boltzmann machine.
//!
//! Hinton, Osindero & Teh 2006, *A fast learning algorithm for deep belief nets*, Neural Computation 18:1527; Hinton &
//! Salakhutdinov 2006, *Reducing the dimensionality of data with neural networks*, Science 313:504.
//!
//! - [`pretrain`] learns layer after layer, each a machine on the features of the one below;
//! - [`UpDown`] fine-tunes the whole as a generative model (appendix B of the first paper);
//! - [`Dbn::into_classifier`] makes a feed-forward network of it, to be fine-tuned on labels;
//! - [`MultimodalDbn`] joins several stacks by one machine on top, and fills in what is missing.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::dbn::DbnConfig;
//!
//! let device = Device::flex();
//! let config = DbnConfig { visible: 6, layers: vec![4, 3], ..DbnConfig::default() };
//! let network = config.init(&device, &mut rng(7, &[]))?;
//! assert_eq!(network.transform(Tensor::ones([5, 6], &device)).dims(), [5, 3]);
//!
//! // a feed-forward network with a softmax head on top, to be fine-tuned on labels
//! let training = device.autodiff();
//! let classifier = network.into_classifier(2, &training, &mut rng(8, &[]))?;
//! assert_eq!(classifier.forward(Tensor::ones([5, 6], &training)).dims(), [5, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod classifier;
mod greedy;
mod multimodal;
mod stack;
#[cfg(test)]
mod tests;
mod up_down;

pub use self::classifier::DbnClassifier;
pub use self::greedy::{GreedyConfig, Session, pretrain};
pub use self::multimodal::{Completion, MultimodalConfig, MultimodalDbn, pretrain_multimodal};
pub use self::stack::{Directed, Stack};
pub use self::up_down::{GibbsPhase, UpDown, UpDownConfig};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::rbm::{Rbm, RbmConfig, RbmError, VisibleUnits};
use crate::config::{ConfigError, in_range};
use crate::train::TrainError;

/// Why a deep belief network cannot be learnt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbnError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of the machines cannot do what it was asked for.
    #[error(transparent)]
    Rbm(#[from] RbmError),
    /// Training of a machine failed.
    #[error("{machine}: {error}")]
    Train {
        /// Where the machine stands, as its folder is called.
        machine: String,
        /// What went wrong.
        error: Box<TrainError>,
    },
    /// The run was stopped; with a folder it goes on from there.
    #[error("stopped while {machine} was learnt; call again with the same folder to go on")]
    Interrupted {
        /// Where the machine stands, as its folder is called.
        machine: String,
    },
    /// Inputs that are not those of the model's modalities.
    #[error("{found} modalities were given, the model has {expected}")]
    Modalities {
        /// Modalities given.
        found: usize,
        /// Modalities of the model.
        expected: usize,
    },
    /// Modalities whose rows are not the same.
    #[error("modality {modality} has {found} rows, the first one has {expected}; each row must be in all modalities")]
    Rows {
        /// The modality, from 0.
        modality: usize,
        /// Its rows.
        found: usize,
        /// Rows of the first modality.
        expected: usize,
    },
    /// Every modality is missing.
    #[error("no modality is given; at least one must be known to fill in the others")]
    NothingKnown,
}

/// Sizes of a network; the defaults are those of Hinton, Osindero & Teh 2006, section 6, without the labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DbnConfig {
    /// What the visible units are; those of the layers above are Bernoulli.
    pub units: VisibleUnits,
    /// Number of visible units.
    pub visible: usize,
    /// Units of each hidden layer from the bottom, 1 to 64 layers.
    pub layers: Vec<usize>,
    /// Standard deviation of the starting weights, 0 to 10.
    pub weight_sd: f64,
}

impl Default for DbnConfig {
    fn default() -> Self {
        Self { units: VisibleUnits::Bernoulli, visible: 784, layers: vec![500, 500, 2000], weight_sd: 0.01 }
    }
}

impl DbnConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("layers", self.layers.len(), 1..=64)?;
        self.machines().iter().try_for_each(RbmConfig::validate)
    }

    /// The machine of each layer, from the bottom.
    fn machines(&self) -> Vec<RbmConfig> {
        let below = [self.visible].into_iter().chain(self.layers.iter().copied());
        let machine = |(layer, (visible, &hidden)): (usize, (usize, &usize))| {
            let units = if layer == 0 { self.units } else { VisibleUnits::Bernoulli };
            RbmConfig { units, visible, hidden, weight_sd: self.weight_sd, hidden_bias: 0.0 }
        };
        below.zip(&self.layers).enumerate().map(machine).collect()
    }

    /// A network with the starting weights of its machines, not yet learnt: see [`pretrain`].
    ///
    /// # Errors
    /// What [`DbnConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Dbn, ConfigError> {
        self.validate()?;
        let machines: Result<Vec<Rbm>, ConfigError> =
            self.machines().iter().map(|machine| machine.init(device, rng)).collect();
        Dbn::new(self, machines?)
    }
}

/// A deep belief network: p(v, h) = p(v | h¹) p(h¹ | h²) … p(hᴸ⁻¹, hᴸ), where the last factor is that of a restricted
/// Boltzmann machine. Features are found by one pass upwards with recognition weights of their own.
#[derive(Module, Debug)]
pub struct Dbn {
    stack: Stack,
    top: Rbm,
    #[module(skip)]
    config: DbnConfig,
}

impl Dbn {
    /// From the machines of all layers, each of which but the last falls apart into recognition and generation.
    fn new(config: &DbnConfig, mut machines: Vec<Rbm>) -> Result<Self, ConfigError> {
        let Some(top) = machines.pop() else {
            let (value, allowed) = ("0".to_owned(), "1 to 64".to_owned());
            return Err(ConfigError::OutOfRange { field: "layers", value, allowed });
        };
        Ok(Self { stack: Stack::of(&machines), top, config: config.clone() })
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &DbnConfig {
        &self.config
    }

    /// The directed layers, one fewer than there are hidden layers.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The machine on top.
    pub fn top(&self) -> &Rbm {
        &self.top
    }

    /// All layers as directed ones, to be joined by another machine.
    pub fn into_stack(self) -> Stack {
        self.stack.with(&self.top)
    }

    /// Probabilities of the uppermost hidden units: the features of the rows.
    ///
    /// # Shapes
    /// - data `[rows, visible]`; output `[rows, last of layers]`
    pub fn transform(&self, data: Tensor<2>) -> Tensor<2> {
        self.top.transform(self.stack.up(data))
    }

    /// The visible means that the features of `data` give, without any sampling.
    ///
    /// # Shapes
    /// - data and output `[rows, visible]`
    pub fn reconstruct(&self, data: Tensor<2>) -> Tensor<2> {
        let lengths = self.config.units.lengths(&data);
        let hidden = self.transform(data); // [rows, last of layers]
        let code = self.top.visible_mean(hidden, lengths.as_ref()); // [rows, last but one]
        self.stack.down(code, lengths.as_ref())
    }

    /// Draws from the model: `steps` of Gibbs sampling in the top machine, from all its hidden units off, and one pass
    /// downwards. The visible means of the last step are given, or with a single layer the draws themselves. `words` is
    /// the length of documents and of no effect but for replicated softmax units.
    ///
    /// # Shapes
    /// - output `[rows, visible]`
    ///
    /// # Errors
    /// [`RbmError::Device`].
    pub fn sample(&self, rows: usize, steps: usize, words: usize, rng: &mut ChaCha8Rng) -> Result<Tensor<2>, RbmError> {
        let device = self.top.device();
        let [_, hidden] = self.top.weight.dims();
        let lengths = self.config.units.lengths(&Tensor::<2>::full([rows, 1], words as f64, &device));
        let off = Tensor::<2>::zeros([rows, hidden], &device);
        let code = self.top.sample_visible(off, lengths.as_ref(), rng)?;
        let code = self.top.gibbs(code, steps, rng)?; // [rows, last but one]
        Ok(self.stack.dream(code, lengths.as_ref(), rng))
    }

    /// Checks that a matrix has as many columns as there are visible units.
    fn check(&self, what: &'static str, matrix: &Tensor<2>) -> Result<(), RbmError> {
        let ([_, found], expected) = (matrix.dims(), self.config.visible);
        if found == expected { Ok(()) } else { Err(RbmError::Columns { what, found, expected }) }
    }
}
