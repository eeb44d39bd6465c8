//! `DeepBind` and what became of it: a convolutional network that tells how strongly a protein binds a sequence.
//!
//! Alipanahi, Delong, Weirauch and Frey 2015, *Predicting the sequence specificities of DNA- and RNA-binding proteins
//! by deep learning*, Nature Biotechnology 33:831: filters scan the padded sequence, a rectifier and the maximum over
//! all places (for RNA, the mean too) say how well each motif is matched, and one or two dense layers score the
//! matches; both strands of DNA are scanned, and the stronger one counts. [`DeepBindConfig::published`] is that
//! network, but that the strands meet behind the pooling, so that motifs on different strands can be weighed together.
//!
//! The default adds what has proved itself since: batch normalisation (Ioffe and Szegedy 2015), and a second
//! convolution that combines neighbouring matches (Zeng, Edwards, Liu and Gifford 2016, *Convolutional neural network
//! architectures for predicting DNA–protein binding*, Bioinformatics 32:i121). Its sizes were chosen on a validation
//! part of one ChIP-seq set (SRF, 101 bases), with `AdamW` at a rate of 0.002 that falls to zero along a cosine over 12
//! epochs in batches of 64, which is the default of a [study](crate::study::StudyConfig).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::dropout;
use nn_core::ops::global_avg_pool;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::{ConvBlock, ConvBlockConfig, DenseBlock, Stage, dense, pool, strongest_place};
use crate::strands;

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepBindConfig {
    /// Bases of a sequence.
    pub length: usize,
    /// Tasks, classes or values.
    pub outputs: usize,
    /// Filters that scan the bases: the motifs.
    pub filters: usize,
    /// Bases that a filter sees; the paper's are one and a half times as long as a motif.
    pub kernel: usize,
    /// Unknown bases on each side, so that motifs are found that begin before the sequence does.
    pub padding: usize,
    /// Whether batch normalisation stands in front of each rectifier behind a convolution.
    pub norm: bool,
    /// Filters of the second convolution; 0 for none.
    pub second_filters: usize,
    /// Places that a filter of the second convolution sees.
    pub second_kernel: usize,
    /// Places of the pooling between the convolutions.
    pub pool: usize,
    /// Whether the dense layers see the mean over all places beside the maximum.
    pub average: bool,
    /// Whether both strands are scanned; a sequence and its reverse complement then have the same output. Not for RNA.
    pub both_strands: bool,
    /// Units of the dense layer in front of the output; 0 for none.
    pub hidden: usize,
    /// Dropout in front of the second convolution, 0 to 0.95.
    pub map_dropout: f64,
    /// Dropout in front of each dense layer, 0 to 0.95.
    pub dropout: f64,
}

impl Default for DeepBindConfig {
    fn default() -> Self {
        Self {
            length: 101,
            outputs: 1,
            filters: 64,
            kernel: 11,
            padding: 0,
            norm: true,
            second_filters: 128,
            second_kernel: 9,
            pool: 2,
            average: true,
            both_strands: true,
            hidden: 64,
            map_dropout: 0.0,
            dropout: 0.2,
        }
    }
}

impl DeepBindConfig {
    /// The network of 2015 for DNA: 16 motifs of 24 bases, the maximum over all places, 32 units, dropout of one half
    /// (which the paper chooses for each protein, as it does whether there are hidden units).
    pub fn published() -> Self {
        Self {
            filters: 16,
            kernel: 24,
            padding: 23,
            norm: false,
            second_filters: 0,
            average: false,
            hidden: 32,
            dropout: 0.5,
            ..Self::default()
        }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range; the length must hold one window of all layers.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("kernel", self.kernel, 1..=4096)?;
        in_range("padding", self.padding, 0..=self.kernel - 1)?;
        in_range("second_filters", self.second_filters, 0..=65_536)?;
        in_range("second_kernel", self.second_kernel, 1..=4096)?;
        in_range("pool", self.pool, 1..=4096)?;
        in_range("hidden", self.hidden, 0..=65_536)?;
        in_range("map_dropout", self.map_dropout, 0.0..=0.95)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        let stages = if self.second_filters > 0 {
            vec![Stage { kernel: self.kernel, pool: self.pool }, Stage { kernel: self.second_kernel, pool: 1 }]
        } else {
            vec![Stage { kernel: self.kernel, pool: 1 }]
        };
        Stage::check(&stages, "length", self.length)
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`DeepBindConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepBind, ConfigError> {
        self.validate()?;
        let (filters, norm) = (self.filters, self.norm);
        let first = ConvBlockConfig { padding: self.padding, norm, ..ConvBlockConfig::new(4, filters, self.kernel) };
        let first = first.init(device, rng)?;
        let (mut second, mut width) = (None, filters);
        if self.second_filters > 0 {
            let block = ConvBlockConfig::new(filters, self.second_filters, self.second_kernel);
            second = Some(ConvBlockConfig { norm, ..block }.init(device, rng)?);
            width = self.second_filters;
        }
        if self.average {
            width *= 2;
        }
        let mut hidden = None;
        if self.hidden > 0 {
            hidden = Some(DenseBlock::new([width, self.hidden], false, device, rng));
            width = self.hidden;
        }
        let output = dense([width, self.outputs], device, rng);
        Ok(DeepBind { first, second, hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DeepBind {
    first: ConvBlock,
    second: Option<ConvBlock>,
    hidden: Option<DenseBlock>,
    output: Linear,
    #[module(skip)]
    config: DeepBindConfig,
}

impl DeepBind {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepBindConfig {
        &self.config
    }

    /// Logits, or values. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn run(&self, x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        let config = &self.config;
        // as many rows as strands
        let x = if config.both_strands { strands::both(x) } else { x }; // [rows, 4, length]
        let mut maps = self.first.forward(x, rescale); // [rows, filters, places]
        if let Some(second) = &self.second {
            maps = pool(maps, config.pool, rescale); // [rows, filters, places / pool]
            maps = dropout(maps, config.map_dropout, rng.as_deref_mut());
            maps = second.forward(maps, rescale); // [rows, second_filters, places / pool - second_kernel + 1]
        }
        let mut mean = config.average.then(|| global_avg_pool(maps.clone())); // [rows, filters]
        let mut features = strongest_place(maps, rescale); // [rows, filters]
        if config.both_strands {
            features = strands::strongest(features, rescale); // [batch, filters]
            mean = mean.map(strands::mean); // [batch, filters]
        }
        if let Some(mean) = mean {
            features = Tensor::cat(vec![features, mean], 1); // [batch, 2 filters]
        }
        if let Some(hidden) = &self.hidden {
            features = dropout(features, config.dropout, rng.as_deref_mut());
            features = hidden.forward(features, rescale); // [batch, hidden]
        }
        self.output.forward(dropout(features, config.dropout, rng)) // [batch, outputs]
    }

    pub(super) fn first_block(&self) -> &ConvBlock {
        &self.first
    }
}

impl SequenceNet for DeepBind {
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn rescaled(&self, x: Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        Some(self.run(x, None, Some(rescale)))
    }
}

#[cfg(test)]
mod tests;
