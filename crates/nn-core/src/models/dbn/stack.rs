//! Directed layers with weights of their own for each direction.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use rand_chacha::ChaCha8Rng;

use crate::models::rbm::sampling::bernoulli;
use crate::models::rbm::units::hidden_inputs;
use crate::models::rbm::{Rbm, VisibleUnits};

/// One directed layer: generation goes down, recognition up.
#[derive(Module, Debug)]
pub struct Directed {
    /// From the units below, `[below, above]`.
    pub recognition: Param<Tensor<2>>,
    /// Of the units above, `[above]`.
    pub recognition_bias: Param<Tensor<1>>,
    /// From the units above, `[above, below]`.
    pub generative: Param<Tensor<2>>,
    /// Of the units below, `[below]`.
    pub generative_bias: Param<Tensor<1>>,
    #[module(skip)]
    units: VisibleUnits,
}

impl Directed {
    /// The layer that a machine becomes when another is put on it: both directions begin with its weights.
    pub fn of(machine: &Rbm) -> Self {
        let weight = machine.weight.val().detach();
        Self {
            recognition: Param::from_tensor(weight.clone()),
            recognition_bias: Param::from_tensor(machine.hidden_bias.val().detach()),
            generative: Param::from_tensor(weight.transpose()),
            generative_bias: Param::from_tensor(machine.visible_bias.val().detach()),
            units: machine.units(),
        }
    }

    /// What the units below are.
    pub fn units(&self) -> VisibleUnits {
        self.units
    }

    /// Probabilities of the units above.
    ///
    /// # Shapes
    /// - below `[rows, below]`; output `[rows, above]`
    pub fn up(&self, below: Tensor<2>) -> Tensor<2> {
        let lengths = self.units.lengths(&below);
        sigmoid(hidden_inputs(below, self.recognition.val(), self.recognition_bias.val(), lengths.as_ref()))
    }

    /// Means of the units below. `lengths` are those of documents; without them the shares of the words are given.
    ///
    /// # Shapes
    /// - above `[rows, above]`, lengths `[rows, 1]`; output `[rows, below]`
    pub fn down(&self, above: Tensor<2>, lengths: Option<&Tensor<2>>) -> Tensor<2> {
        let inputs = above.matmul(self.generative.val()) + self.generative_bias.val().unsqueeze::<2>();
        self.units.mean(inputs, lengths)
    }
}

/// Directed layers from the data upwards; none at all is the identity.
#[derive(Module, Debug)]
pub struct Stack {
    /// From the bottom.
    pub layers: Vec<Directed>,
}

impl Stack {
    /// The layers that `machines`, from the bottom, become.
    pub fn of(machines: &[Rbm]) -> Self {
        Self { layers: machines.iter().map(Directed::of).collect() }
    }

    /// One more layer on top.
    pub(super) fn with(mut self, machine: &Rbm) -> Self {
        self.layers.push(Directed::of(machine));
        self
    }

    /// Probabilities of the uppermost units, each layer seeing those of the one below.
    ///
    /// # Shapes
    /// - data `[rows, visible]`; output `[rows, uppermost]`
    pub fn up(&self, data: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(data, |below, layer| layer.up(below))
    }

    /// Means of the visible units, each layer seeing the means of the one above. `lengths` are those of documents.
    ///
    /// # Shapes
    /// - code `[rows, uppermost]`, lengths `[rows, 1]`; output `[rows, visible]`
    pub fn down(&self, code: Tensor<2>, lengths: Option<&Tensor<2>>) -> Tensor<2> {
        self.layers.iter().rev().fold(code, |above, layer| layer.down(above, lengths))
    }

    /// As [`Stack::down`], with a draw of every layer but the visible one.
    pub fn dream(&self, code: Tensor<2>, lengths: Option<&Tensor<2>>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let mut states = code;
        for (layer, directed) in self.layers.iter().enumerate().rev() {
            let means = directed.down(states, lengths); // [rows, below]
            states = if layer == 0 { means } else { bernoulli(means, rng) };
        }
        states
    }
}
