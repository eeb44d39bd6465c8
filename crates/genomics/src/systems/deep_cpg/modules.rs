//! The two modules of the network, each of which can stand alone.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use nn_core::layers::{Conv1d, Gru};
use nn_core::ops::max_pool;

/// Two convolutions and a dense layer over a sequence.
#[derive(Module, Debug)]
pub struct DnaModule {
    pub(super) conv1: Conv1d,
    pub(super) conv2: Conv1d,
    pub(super) hidden: Linear,
    pub(super) pools: [usize; 2],
}

impl DnaModule {
    /// # Shapes
    /// - x `[batch, 4, window]`; output `[batch, hidden]`
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let [first, second] = self.pools;
        let x = max_pool(relu(self.conv1.forward(x)), [first], [first], [0]); // [batch, filters 0, length]
        let x = max_pool(relu(self.conv2.forward(x)), [second], [second], [0]); // [batch, filters 1, length]
        relu(self.hidden.forward(x.flatten::<2>(1, 2))) // [batch, hidden]
    }
}

/// A dense layer over the neighbours in each cell, and a gated layer over the cells in both directions.
#[derive(Module, Debug)]
pub struct CpgModule {
    pub(super) cell: Linear,
    pub(super) recurrent: Gru,
}

impl CpgModule {
    /// # Shapes
    /// - x `[batch, cells, 4 * neighbours]`; output `[batch, 2 * recurrent]`
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let x = relu(self.cell.forward(x)); // [batch, cells, per cell]
        self.recurrent.forward(x, None, None).last // [batch, 2 recurrent]
    }
}
