//! Sequences to numbers: an optional embedding, a stack of recurrent layers, a linear head.
//!
//! The networks are those of [`crate::layers::Recurrent`]: plain (Elman 1990, *Finding structure in time*, Cognitive Science
//! 14:179), gated recurrent units (Cho et al. 2014, *Learning phrase representations using RNN encoder–decoder*, EMNLP) or
//! long short-term memory (Hochreiter & Schmidhuber 1997, *Long short-term memory*, Neural Computation 9:1735).
//!
//! One head serves two uses: [`SequenceModel::forward`] reads a whole sequence and answers once,
//! [`SequenceModel::forward_steps`] answers at every step.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Int, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::recurrent::{SequenceModelConfig, Sequences};
//!
//! let device = Device::flex();
//! let config = SequenceModelConfig { vocabulary: 30, outputs: 2, ..SequenceModelConfig::default() };
//! let model = config.init(&device, &mut rng(7, &[]))?;
//! let codes = Sequences::Codes(Tensor::<2, Int>::zeros([3, 20], &device));
//! assert_eq!(model.forward(codes, Some(&[20, 5, 11]), None).dims(), [3, 2]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::layers::{Recurrent, RecurrentConfig, RecurrentOutput, dropout};
use crate::ops::Cell;

/// Sizes of a [`SequenceModel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceModelConfig {
    /// Kind of the recurrent layers.
    pub cell: Cell,
    /// Number of codes, 0 when the steps are vectors of numbers.
    pub vocabulary: usize,
    /// Width of the embedding or, without one, of a step.
    pub input: usize,
    /// Units of each layer and direction.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// Whether each layer reads the sequence from both ends.
    pub bidirectional: bool,
    /// Dropout between two layers and in front of the head, 0 to 0.95.
    pub dropout: f64,
    /// Between layers, one mask for all steps of a sequence (Gal & Ghahramani 2016).
    pub variational: bool,
    /// Values of the head.
    pub outputs: usize,
}

impl Default for SequenceModelConfig {
    fn default() -> Self {
        Self {
            cell: Cell::Gru,
            vocabulary: 0,
            input: 64,
            hidden: 128,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            variational: false,
            outputs: 1,
        }
    }
}

impl SequenceModelConfig {
    fn recurrent(&self) -> RecurrentConfig {
        RecurrentConfig {
            input: self.input,
            hidden: self.hidden,
            layers: self.layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            variational: self.variational,
            bias: true,
        }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("vocabulary", self.vocabulary, 0..=100_000_000)?;
        in_range("outputs", self.outputs, 1..=10_000_000)?;
        self.recurrent().validate()
    }

    /// Builds the network with PyTorch's initialisation: embedding, recurrent layers and head, in this order, are drawn
    /// from `rng`; an embedding from N(0, 1).
    ///
    /// # Errors
    /// What [`SequenceModelConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<SequenceModel, ConfigError> {
        self.validate()?;
        let embedding = (self.vocabulary > 0).then(|| {
            let shape = [self.vocabulary, self.input];
            let mut embedding = EmbeddingConfig::new(self.vocabulary, self.input).init(device);
            embedding.weight = Init::Normal(1.0).param(shape, Fan::dense(shape), rng, device);
            embedding
        });
        let stack = self.recurrent().init(self.cell, device, rng)?;
        let shape = [stack.config().output(), self.outputs];
        let mut head = LinearConfig::new(shape[0], shape[1]).init(device);
        head.weight = Init::PyTorchDefault.param(shape, Fan::dense(shape), rng, device);
        head.bias = Some(Init::PyTorchDefault.param([self.outputs], Fan::dense(shape), rng, device));
        Ok(SequenceModel { embedding, stack, head, config: self.clone() })
    }
}

/// A batch of sequences.
#[derive(Debug, Clone)]
pub enum Sequences {
    /// Codes below the vocabulary, `[batch, time]`. A model without an embedding takes them as numbers, one for a step.
    Codes(Tensor<2, Int>),
    /// Numbers, `[batch, time, input]`. For a model with an embedding they are what stands behind it.
    Values(Tensor<3>),
}

/// The network.
#[derive(Module, Debug)]
pub struct SequenceModel {
    embedding: Option<Embedding>,
    stack: Recurrent,
    head: Linear,
    #[module(skip)]
    config: SequenceModelConfig,
}

impl SequenceModel {
    /// The sizes it was built with.
    pub fn config(&self) -> &SequenceModelConfig {
        &self.config
    }

    /// What the recurrent layers make of the sequences, in front of the head. Without lengths all rows have all steps;
    /// what stands behind a row's end is never read.
    ///
    /// Dropout acts when a generator is given.
    ///
    /// # Panics
    /// When the shapes disagree.
    pub fn read(&self, x: Sequences, lengths: Option<&[usize]>, rng: Option<&mut ChaCha8Rng>) -> RecurrentOutput {
        let x = match (x, &self.embedding) {
            (Sequences::Codes(codes), Some(embedding)) => embedding.forward(codes), // [batch, time, input]
            (Sequences::Codes(codes), None) => codes.float().unsqueeze_dim(2),      // [batch, time, 1]
            (Sequences::Values(values), _) => values,
        };
        self.stack.forward(x, lengths, rng)
    }

    /// One answer for each sequence, from the state behind its last step; in both directions, from both ends.
    ///
    /// # Shapes
    /// - x `[batch, time]` or `[batch, time, input]`; output `[batch, outputs]`
    ///
    /// # Panics
    /// As [`SequenceModel::read`].
    pub fn forward(&self, x: Sequences, lengths: Option<&[usize]>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let last = self.read(x, lengths, rng.as_deref_mut()).last; // [batch, directions hidden]
        self.head.forward(dropout(last, self.config.dropout, rng)) // [batch, outputs]
    }

    /// One answer for each step. In the padding stands the head's bias.
    ///
    /// # Shapes
    /// - x `[batch, time]` or `[batch, time, input]`; output `[batch, time, outputs]`
    ///
    /// # Panics
    /// As [`SequenceModel::read`].
    pub fn forward_steps(
        &self,
        x: Sequences,
        lengths: Option<&[usize]>,
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> Tensor<3> {
        let sequence = self.read(x, lengths, rng.as_deref_mut()).sequence; // [batch, time, directions hidden]
        self.head.forward(dropout(sequence, self.config.dropout, rng)) // [batch, time, outputs]
    }
}

#[cfg(test)]
mod tests;
