//! Operations with a hand-written backward, for the CPU device.
//!
//! Sequences of different lengths lie back to back in one `[rows, channels]` buffer, described by
//! [`Ragged`]; nothing is computed for padding. In this layout `kernel` consecutive rows are
//! `kernel × channels` consecutive floats, so a stride-1 convolution is a matrix product whose left
//! operand overlaps itself, and no window is ever copied out.
//!
//! - [`lookup_conv_relu`]: embedding followed by a convolution, as additions of table rows;
//! - [`conv_relu`]: convolution, bias and ReLU;
//! - [`conv_relu_max`]: the same followed by the maximum over positions, whose backward touches only
//!   the winning window of each channel.
//!
//! These three run on the `cpu` device alone ([`available`]); a model keeps its composed form for the
//! others, and its tests hold the two equal. The others take burn's tensors on any device, and are composed of burn's own
//! operations where there is no kernel of ours:
//!
//! - [`conv`], [`conv_transpose`]: one to three axes, without a copy of any window;
//! - [`batch_norm_act`] and its kin, [`bias_act`]: with the nonlinearity behind them, in the fewest passes;
//! - [`join`]: two feature maps side by side;
//! - [`max_pool`], [`avg_pool`], [`global_max_pool`], [`global_avg_pool`];
//! - [`rnn`], [`gru`], [`lstm`]: a whole sequence as one operation.
//!
//! What they allocate goes back to a store of buffers, so a steady training loop asks the system for no new memory. Sums
//! are added in an order that the shapes decide: no bit depends on the number of threads.

mod arch;
mod autodiff;
mod bias;
mod conv;
mod join;
mod kernel;
pub(crate) mod loss;
mod memory;
mod norm;
mod pool;
mod ragged;
mod recurrent;
mod shared_rows;
#[cfg(test)]
mod tests;

pub(crate) use self::arch::arch;
pub use self::autodiff::{conv_relu, conv_relu_max, lookup_conv_relu};
pub use self::bias::bias_act;
pub use self::conv::{conv, conv_transpose};
pub use self::join::join;
pub use self::norm::{
    Activation, batch_norm_act, batch_norm_act_inference, group_norm_act, instance_norm_act, layer_norm_act,
};
pub use self::pool::{avg_pool, global_avg_pool, global_max_pool, max_pool};
pub use self::ragged::{Codes, Ragged};
pub use self::recurrent::{Cell, RecurrentWeights, Steps, gru, lstm, recurrence, rnn};
pub(crate) use self::shared_rows::{RowTable, SharedRows};

use burn::tensor::{DType, Device, Tensor};

/// Whether the operations of this module have a kernel for `device`.
pub fn available(device: &Device) -> bool {
    crate::compute::is_cpu(device)
}

/// Whether a tensor is one that the kernels of this module take: single precision on the CPU.
fn runs_here<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && available(&x.device())
}
