//! Recurrent layers: stacks of plain networks, gated recurrent units and long short-term memory, in one or both
//! directions, over batches of sequences of unequal length.
//!
//! Layout of the weights, order of the gates and starting values are PyTorch's (`torch.nn.RNN`, `GRU`, `LSTM`); the work is
//! done by [`crate::ops::recurrence`]. Both directions: Schuster & Paliwal 1997, *Bidirectional recurrent neural networks*,
//! IEEE Transactions on Signal Processing 45:2673.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::layers::RecurrentConfig;
//!
//! let device = Device::flex();
//! let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(8, 16) };
//! let network = config.gru(&device, &mut rng(7, &[]))?;
//! let output = network.forward(Tensor::zeros([3, 10, 8], &device), Some(&[10, 4, 7]), None);
//! assert_eq!((output.sequence.dims(), output.last.dims()), ([3, 10, 32], [3, 32]));
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::dropout;
use super::init::{Fan, Init};
use crate::config::{ConfigError, in_range};
use crate::ops::{Cell, RecurrentWeights, Steps, recurrence};

/// Sizes of a stack of recurrent layers. The defaults are PyTorch's; input and width have none that could be right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecurrentConfig {
    /// Values of a step.
    pub input: usize,
    /// Units of each layer and direction.
    pub hidden: usize,
    /// Layers; each reads the sequence that the one below gives.
    pub layers: usize,
    /// Whether a second network of its own weights reads the sequence from its end; its outputs stand behind those of
    /// the first.
    pub bidirectional: bool,
    /// Probability with which a value between two layers is dropped, 0 to 0.95. As in PyTorch the first layer's input and
    /// the last layer's output are left alone.
    pub dropout: f64,
    /// Drops the same units at all steps of a sequence, as Gal & Ghahramani 2016, *A theoretically grounded application of
    /// dropout in recurrent neural networks*, NIPS, do, instead of drawing anew for each step. Their masks inside of a
    /// layer, from step to step, are not offered.
    pub variational: bool,
    /// Whether there are biases, two for each layer and direction.
    pub bias: bool,
}

impl Default for RecurrentConfig {
    fn default() -> Self {
        Self { input: 1, hidden: 128, layers: 1, bidirectional: false, dropout: 0.0, variational: false, bias: true }
    }
}

impl RecurrentConfig {
    /// One layer in one direction.
    pub fn new(input: usize, hidden: usize) -> Self {
        Self { input, hidden, ..Self::default() }
    }

    /// Width of the output: `hidden`, twice in both directions.
    pub fn output(&self) -> usize {
        self.directions() * self.hidden
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("input", self.input, 1..=1_000_000)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("layers", self.layers, 1..=64)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds a stack of `cell`. Layer by layer, forwards before backwards, input weights, state weights and their
    /// biases are drawn from U(−a, a), a = 1 / √hidden.
    ///
    /// # Errors
    /// What [`RecurrentConfig::validate`] finds.
    pub fn init(&self, cell: Cell, device: &Device, rng: &mut ChaCha8Rng) -> Result<Recurrent, ConfigError> {
        self.validate()?;
        let layers = (0..self.layers).map(|index| {
            let input = if index == 0 { self.input } else { self.output() };
            let forward = self.direction(cell, input, device, rng);
            let reverse = self.bidirectional.then(|| self.direction(cell, input, device, rng));
            RecurrentLayer { forward, reverse }
        });
        Ok(Recurrent { layers: layers.collect(), cell, config: self.clone() })
    }

    fn direction(&self, cell: Cell, input: usize, device: &Device, rng: &mut ChaCha8Rng) -> Direction {
        let gates = cell.gates() * self.hidden;
        // PyTorch takes the units, not the inputs, for all four.
        let fan = Fan { inputs: self.hidden, outputs: gates };
        let init = Init::PyTorchDefault;
        Direction {
            weight_ih: init.param([gates, input], fan, rng, device),
            weight_hh: init.param([gates, self.hidden], fan, rng, device),
            bias_ih: self.bias.then(|| init.param([gates], fan, rng, device)),
            bias_hh: self.bias.then(|| init.param([gates], fan, rng, device)),
        }
    }

    /// Builds a plain network with the hyperbolic tangent.
    ///
    /// # Errors
    /// What [`RecurrentConfig::validate`] finds.
    pub fn rnn(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Rnn, ConfigError> {
        Ok(Rnn { stack: self.init(Cell::Tanh, device, rng)? })
    }

    /// Builds a network of gated recurrent units.
    ///
    /// # Errors
    /// What [`RecurrentConfig::validate`] finds.
    pub fn gru(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Gru, ConfigError> {
        Ok(Gru { stack: self.init(Cell::Gru, device, rng)? })
    }

    /// Builds a long short-term memory.
    ///
    /// # Errors
    /// What [`RecurrentConfig::validate`] finds.
    pub fn lstm(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Lstm, ConfigError> {
        Ok(Lstm { stack: self.init(Cell::Lstm, device, rng)? })
    }
}

/// Weights of one layer in one direction; shapes as [`RecurrentWeights`] says.
#[derive(Module, Debug)]
pub struct Direction {
    weight_ih: Param<Tensor<2>>,
    weight_hh: Param<Tensor<2>>,
    bias_ih: Option<Param<Tensor<1>>>,
    bias_hh: Option<Param<Tensor<1>>>,
}

impl Direction {
    fn weights(&self) -> RecurrentWeights {
        RecurrentWeights {
            weight_ih: self.weight_ih.val(),
            weight_hh: self.weight_hh.val(),
            bias_ih: self.bias_ih.as_ref().map(Param::val),
            bias_hh: self.bias_hh.as_ref().map(Param::val),
        }
    }
}

/// One layer in its directions.
#[derive(Module, Debug)]
pub struct RecurrentLayer {
    forward: Direction,
    reverse: Option<Direction>,
}

impl RecurrentLayer {
    /// The outputs of both directions side by side, and the last state of each.
    fn run(&self, cell: Cell, x: Tensor<3>, steps: &Steps) -> (Tensor<3>, Vec<Tensor<2>>) {
        let Some(reverse) = &self.reverse else {
            let (sequence, last) = recurrence(cell, x, self.forward.weights(), None, steps);
            return (sequence, vec![last]);
        };
        let (forth, end) = recurrence(cell, x.clone(), self.forward.weights(), None, steps);
        let (back, start) = recurrence(cell, x, reverse.weights(), None, &steps.reversed());
        (Tensor::cat(vec![forth, back], 2), vec![end, start])
    }
}

/// What a recurrent network makes of a batch.
#[derive(Debug, Clone)]
pub struct RecurrentOutput {
    /// Outputs of the last layer at each step, zeros in the padding, `[batch, time, directions * hidden]`.
    pub sequence: Tensor<3>,
    /// Outputs of the last layer after each row's last step: its own last one forwards, its first one backwards; zeros for
    /// a row without steps. `[batch, directions * hidden]`.
    pub last: Tensor<2>,
    /// The cells at the same steps, for [`Cell::Lstm`]. `[batch, directions * hidden]`.
    pub cell: Option<Tensor<2>>,
}

/// A stack of recurrent layers of any kind.
#[derive(Module, Debug)]
pub struct Recurrent {
    layers: Vec<RecurrentLayer>,
    #[module(skip)]
    cell: Cell,
    #[module(skip)]
    config: RecurrentConfig,
}

impl Recurrent {
    /// The sizes it was built with.
    pub fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// Which kind it is.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// Reads the sequences. Without lengths all rows have all steps; what stands behind a row's end is never read.
    ///
    /// Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, time, input]`, `batch` lengths of at most `time`
    /// - output as [`RecurrentOutput`] says
    ///
    /// # Panics
    /// When the shapes disagree.
    pub fn forward(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> RecurrentOutput {
        let [batch, time, input] = x.dims();
        assert_eq!(input, self.config.input, "values of a step");
        let steps = lengths.map_or_else(|| Steps::all(batch, time), Steps::new);
        let (mut sequence, mut states) = (x, Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                sequence = self.masked(sequence, rng.as_deref_mut());
            }
            (sequence, states) = layer.run(self.cell, sequence, &steps); // [batch, time, directions hidden]
        }
        let hidden = self.config.hidden;
        let part = |index: usize| {
            let parts = states.iter().map(|state| state.clone().narrow(1, index * hidden, hidden));
            Tensor::cat(parts.collect(), 1) // [batch, directions hidden]
        };
        RecurrentOutput { sequence, last: part(0), cell: (self.cell == Cell::Lstm).then(|| part(1)) }
    }

    /// Dropout between two layers.
    fn masked(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<3> {
        let p = self.config.dropout;
        let Some(rng) = rng.filter(|_| p > 0.0) else {
            return x;
        };
        if !self.config.variational {
            return dropout(x, p, Some(rng));
        }
        let [batch, _, width] = x.dims();
        let mask = dropout(Tensor::<3>::ones([batch, 1, width], (&x.device(), x.dtype())), p, Some(rng));
        x * mask // [batch, time, width]
    }
}

/// A network of one kind around its stack.
macro_rules! network {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Module, Debug)]
        pub struct $name {
            stack: Recurrent,
        }

        impl $name {
            /// The layers.
            pub fn stack(&self) -> &Recurrent {
                &self.stack
            }

            /// Reads the sequences, as [`Recurrent::forward`] does.
            ///
            /// # Panics
            /// When the shapes disagree.
            pub fn forward(
                &self,
                x: Tensor<3>,
                lengths: Option<&[usize]>,
                rng: Option<&mut ChaCha8Rng>,
            ) -> RecurrentOutput {
                self.stack.forward(x, lengths, rng)
            }
        }
    };
}

network! {
    /// Plain recurrent network with the hyperbolic tangent, [`Cell::Tanh`]; see [`RecurrentConfig::rnn`].
    Rnn
}
network! {
    /// Gated recurrent units, [`Cell::Gru`]; see [`RecurrentConfig::gru`].
    Gru
}
network! {
    /// Long short-term memory, [`Cell::Lstm`]; see [`RecurrentConfig::lstm`].
    Lstm
}

#[cfg(test)]
mod tests;
