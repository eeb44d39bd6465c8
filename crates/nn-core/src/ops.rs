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
//! These run on the `cpu` device alone ([`available`]); a model keeps its composed form for the
//! others, and its tests hold the two equal.

mod autodiff;
mod conv;
mod kernel;
mod memory;
mod ragged;
mod recurrent;
#[cfg(test)]
mod tests;

pub use self::autodiff::{conv_relu, conv_relu_max, lookup_conv_relu};
pub use self::conv::{conv, conv_transpose};
pub use self::recurrent::{Cell, RecurrentWeights, Steps, gru, lstm, recurrence, rnn};
pub use self::ragged::{Codes, Ragged};

use burn::tensor::{DType, Device, Tensor};

/// Whether the operations of this module have a kernel for `device`.
pub fn available(device: &Device) -> bool {
    crate::compute::is_cpu(device)
}

/// Whether a tensor is one that the kernels of this module take: single precision on the CPU.
fn runs_here<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && available(&x.device())
}
