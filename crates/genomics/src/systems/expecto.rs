//! `ExPecto`: expression from the sequence of 40,000 bases around a gene's start, and what variants do to it.
//!
//! Zhou, Theesfeld, Yao, Chen, Wong and Troyanskaya 2018, *Deep learning sequence-based ab initio prediction of variant
//! effects on expression and disease risk*, Nature Genetics 50:1171. Constants as in the authors' repository
//! FunctionLab/ExPecto: `chromatin.py` at 5cdaa16, `train.py` at 7af0408, `predict.py` at 05f482c.
//!
//! Three steps. [`Beluga`] predicts chromatin marks of 2,000 bases. [`SpatialConfig`] sums the marks of windows around
//! a start, with weights that fall off exponentially on either side. [`Ridge`] is linear in these sums, for each
//! tissue. The effect of a variant is linear in the differences that it makes to the marks of the windows that hold it.
//! [`Expecto`] is all of it, [`ExpectoTask`] learns it from genes, [`ExpectoScorer`] scores the variants of a file.
//!
//! The authors' `Beluga` reads its channels in the order A, G, C, T; ours, as everything here, A, C, G, T
//! ([`Beluga::load`] takes their weights). Their linear step is gradient boosting of linear functions, which ends
//! early; ours is the solution of the same problem.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::init::Init;
use nn_core::layers::{Conv1d, ConvConfig, dense, dropout};
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::{Stage, pool, rectify};
use super::parts::{numbers, tensor};
use crate::evaluate::probability;
use crate::model::at_once;
use crate::sequence::{Unknown, one_hot};
use crate::strands::reverse_complement;

mod net;
mod objective;
mod ridge;
mod scorer;
mod spatial;
mod sums;
mod task;
#[cfg(test)]
mod tests;
mod variants;
mod weights;

pub use self::net::{Expecto, ExpectoConfig, ExpectoError};
pub use self::objective::BelugaObjective;
pub use self::ridge::{Ridge, RidgeError};
pub use self::scorer::ExpectoScorer;
pub use self::spatial::SpatialConfig;
pub use self::sums::SumsFile;
pub use self::task::ExpectoTask;
pub use self::variants::Alleles;

/// Sizes of the body; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BelugaConfig {
    /// Bases of a window.
    pub length: usize,
    /// Filters of the six convolutions, two to a stage.
    pub filters: [usize; 6],
    /// Their width.
    pub kernel: usize,
    /// Positions that a maximum takes together behind the first and the second stage.
    pub pool: usize,
    /// Units of the dense layer.
    pub hidden: usize,
    /// Marks that are predicted.
    pub outputs: usize,
    /// Dropout behind each stage.
    pub dropout: [f64; 3],
}

impl Default for BelugaConfig {
    fn default() -> Self {
        Self {
            length: 2000,
            filters: [320, 320, 480, 480, 640, 640],
            kernel: 8,
            pool: 4,
            hidden: 2003,
            outputs: 2002,
            dropout: [0.2, 0.2, 0.5],
        }
    }
}

impl BelugaConfig {
    fn stages(&self) -> [Stage; 6] {
        [1, self.pool, 1, self.pool, 1, 1].map(|pool| Stage { kernel: self.kernel, pool })
    }

    /// Values that the dense layer reads.
    fn width(&self) -> usize {
        self.filters[5] * Stage::after(&self.stages(), self.length)
    }

    /// Parameters of the network: at the authors' sizes 149,536,251, which take 0.6 GB.
    pub fn parameters(&self) -> usize {
        let inputs = [4].into_iter().chain(self.filters);
        let convolutions = inputs.zip(self.filters).map(|(inputs, outputs)| outputs * (inputs * self.kernel + 1));
        convolutions.sum::<usize>() + (self.width() + 1) * self.hidden + (self.hidden + 1) * self.outputs
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the length must hold all convolutions.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.filters.iter().try_for_each(|&filters| in_range("filters", filters, 1..=65_536))?;
        in_range("kernel", self.kernel, 1..=4096)?;
        in_range("pool", self.pool, 1..=4096)?;
        Stage::check(&self.stages(), "length", self.length)?;
        in_range("hidden", self.hidden, 1..=1_000_000)?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        self.dropout.iter().try_for_each(|&rate| in_range("dropout", rate, 0.0..=0.95))
    }

    /// Builds the network with PyTorch's starting values.
    ///
    /// # Errors
    /// What [`BelugaConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Beluga, ConfigError> {
        self.validate()?;
        let inputs = [4].into_iter().chain(self.filters);
        let convolutions = inputs
            .zip(self.filters)
            .map(|(inputs, outputs)| ConvConfig::new(inputs, outputs, self.kernel).init(device, rng))
            .collect::<Result<Vec<Conv1d>, ConfigError>>()?;
        let hidden = dense([self.width(), self.hidden], Init::PyTorchDefault, device, rng);
        let output = dense([self.hidden, self.outputs], Init::PyTorchDefault, device, rng);
        Ok(Beluga { convolutions, hidden, output, config: self.clone() })
    }
}

/// The body: chromatin marks of a window.
#[derive(Module, Debug)]
pub struct Beluga {
    convolutions: Vec<Conv1d>,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    config: BelugaConfig,
}

impl SequenceNet for Beluga {
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, outputs]`
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn rescaled(&self, x: Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        Some(self.run(x, None, Some(rescale)))
    }
}

impl Beluga {
    /// The sizes it was built with.
    pub fn config(&self) -> &BelugaConfig {
        &self.config
    }

    /// The filters that scan the bases, `[filters, 4, kernel]`.
    pub(super) fn first_filters(&self) -> Tensor<3> {
        self.convolutions[0].weight.val()
    }

    /// What these filters find, rectified.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, filters, length - kernel + 1]`
    pub(super) fn first_maps(&self, x: Tensor<3>) -> Tensor<3> {
        rectify(self.convolutions[0].forward(x), None)
    }

    fn run(&self, x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        let BelugaConfig { pool: size, dropout: rates, .. } = &self.config;
        let mut x = x;
        for (stage, pair) in self.convolutions.chunks(2).enumerate() {
            for convolution in pair {
                x = rectify(convolution.forward(x), rescale); // [batch, filters, length]
            }
            x = dropout(x, rates[stage], rng.as_deref_mut());
            if stage < 2 {
                x = pool(x, *size, rescale); // [batch, filters, length / pool]
            }
        }
        let x = rectify(self.hidden.forward(x.flatten::<2>(1, 2)), rescale); // [batch, hidden]
        self.output.forward(x) // [batch, outputs]
    }

    /// Probability of each mark in each window, the mean over its two strands. The network must be in validation state.
    ///
    /// # Shapes
    /// - output `[windows, outputs]`
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    ///
    /// # Panics
    /// If a window is longer than the network reads.
    pub fn chromatin(&self, windows: &[&[u8]]) -> Result<Vec<f64>, StepError> {
        let (length, device) = (self.config.length, self.output.weight.val().device());
        let mut found = Vec::with_capacity(windows.len() * self.config.outputs);
        for windows in windows.chunks(at_once(length)) {
            let x = tensor(one_hot(windows, length, Unknown::Zeros), [windows.len(), 4, length], &device);
            let other = numbers(self.logits(reverse_complement(x.clone()), None), "marks")?;
            let own = numbers(self.logits(x, None), "marks")?;
            found
                .extend(own.iter().zip(other).map(|(own, other)| f64::midpoint(probability(*own), probability(other))));
        }
        Ok(found)
    }
}
