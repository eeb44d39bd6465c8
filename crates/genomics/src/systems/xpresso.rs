//! Xpresso: the level of a gene's messenger RNA from the sequence around its start and features of the messenger.
//!
//! Agarwal and Shendure 2020, *Predicting mRNA abundance directly from genomic sequence using deep convolutional neural
//! networks*, Cell Reports 31:107663. Layers as in `Fig1_S2/Xpresso.py` of the authors' repository vagarwal87/Xpresso
//! at 0db50fd; sizes are those of the model that their search found best, as their notebook lists them.

use std::sync::Arc;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Conv1d, ConvConfig, dense, dropout};
use nn_core::ops::max_pool;
use nn_core::optim::OptimizerConfig;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::pad_same;
use super::recipe::Recipe;
use crate::locus::Locus;

pub use self::task::XpressoTask;

/// Bases before the start of transcription that the best model reads.
pub const UPSTREAM: usize = 7000;
/// Bases from the start of transcription on, itself included.
pub const DOWNSTREAM: usize = 3500;

/// What the features of a messenger's half-life are; the authors take logarithms of lengths and density and standardise
/// all of them.
pub const HALF_LIFE_FEATURES: [&str; 8] = [
    "5′ UTR length",
    "coding length",
    "3′ UTR length",
    "5′ UTR GC",
    "coding GC",
    "3′ UTR GC",
    "intron length",
    "exon junctions per coding base",
];

/// Sizes of the network; the defaults are those of the authors' best model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XpressoConfig {
    /// Bases around the start of a gene.
    pub length: usize,
    /// Bases of these that lie upstream of it.
    pub upstream: usize,
    /// Features of a gene beside them; there may be none.
    pub features: usize,
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Their widths; both keep the length.
    pub kernels: [usize; 2],
    /// Positions that a maximum takes together behind each.
    pub pools: [usize; 2],
    /// Units of the two dense layers.
    pub hidden: [usize; 2],
    /// Dropout behind each.
    pub dropout: [f64; 2],
}

impl Default for XpressoConfig {
    fn default() -> Self {
        Self {
            length: UPSTREAM + DOWNSTREAM,
            upstream: UPSTREAM,
            features: HALF_LIFE_FEATURES.len(),
            filters: [128, 32],
            kernels: [6, 9],
            pools: [30, 10],
            hidden: [64, 2],
            dropout: [0.000_99, 0.015_46],
        }
    }
}

impl XpressoConfig {
    /// Adam at 1e-3, batches of 128, 100 epochs, patience of 5.
    pub fn recipe() -> Recipe {
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.0);
        let adam = OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat: true };
        Recipe::new(adam, 1e-3, 128, 100).with_patience(5)
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the length must hold both maxima.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for at in 0..2 {
            in_range("filters", self.filters[at], 1..=65_536)?;
            in_range("kernels", self.kernels[at], 1..=4096)?;
            in_range("pools", self.pools[at], 1..=4096)?;
            in_range("hidden", self.hidden[at], 1..=1_000_000)?;
            in_range("dropout", self.dropout[at], 0.0..=0.95)?;
        }
        in_range("length", self.length, self.pools[0] * self.pools[1]..=10_000_000)?;
        in_range("upstream", self.upstream, 0..=self.length - 1)?;
        in_range("features", self.features, 0..=1_000_000)
    }

    /// The window that is read of a gene, in the direction of its strand; the first base of `gene` in that direction is
    /// its start of transcription, and has index `upstream`.
    pub fn window(&self, gene: &Locus) -> Locus {
        let start = gene.five_prime();
        let base = Locus { contig: Arc::clone(&gene.contig), start, end: start + 1, strand: gene.strand };
        base.extended(self.upstream, self.length - self.upstream - 1)
    }

    /// Builds the network: filters from Glorot's normal distribution, dense layers from his uniform one.
    ///
    /// # Errors
    /// What [`XpressoConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Xpresso, ConfigError> {
        self.validate()?;
        let mut conv = |inputs: usize, at: usize| -> Result<Conv1d, ConfigError> {
            let config = ConvConfig::new(inputs, self.filters[at], self.kernels[at]);
            config.with_init(Init::GlorotNormal).init(device, rng)
        };
        let (conv1, conv2) = (conv(4, 0)?, conv(self.filters[0], 1)?);
        let width = self.filters[1] * (self.length / self.pools[0] / self.pools[1]) + self.features;
        let mut dense = |inputs: usize, outputs: usize| dense([inputs, outputs], Init::GlorotUniform, device, rng);
        let (hidden1, hidden2) = (dense(width, self.hidden[0]), dense(self.hidden[0], self.hidden[1]));
        Ok(Xpresso { conv1, conv2, hidden1, hidden2, output: dense(self.hidden[1], 1), config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Xpresso {
    conv1: Conv1d,
    conv2: Conv1d,
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
    #[module(skip)]
    config: XpressoConfig,
}

impl Xpresso {
    /// The sizes it was built with.
    pub fn config(&self) -> &XpressoConfig {
        &self.config
    }

    /// Expression of each gene. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`, features `[batch, features]`, absent if there are none; output `[batch, 1]`
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn forward(&self, x: Tensor<3>, features: Option<Tensor<2>>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let XpressoConfig { kernels, pools, dropout: rates, .. } = &self.config;
        let found = features.as_ref().map_or(0, |features| features.dims()[1]);
        assert_eq!(found, self.config.features, "features of a gene");
        let convolve = |conv: &Conv1d, x: Tensor<3>, at: usize| {
            max_pool(relu(conv.forward(pad_same(x, kernels[at]))), [pools[at]], [pools[at]], [0])
        };
        let x = convolve(&self.conv1, x, 0); // [batch, filters 0, length / pool 0]
        let x = convolve(&self.conv2, x, 1).flatten::<2>(1, 2); // [batch, filters 1 * length / pools]
        let x = match features {
            Some(features) => Tensor::cat(vec![x, features], 1), // [batch, … + features]
            None => x,
        };
        let x = dropout(relu(self.hidden1.forward(x)), rates[0], rng.as_deref_mut()); // [batch, hidden 0]
        let x = dropout(relu(self.hidden2.forward(x)), rates[1], rng); // [batch, hidden 1]
        self.output.forward(x) // [batch, 1]
    }
}

mod task;
#[cfg(test)]
mod tests;
