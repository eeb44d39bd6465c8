//! Layers over the operations of [`crate::ops`], initialisers as the papers state them, and a reproducible dropout.
//!
//! | layers | |
//! |---|---|
//! | [`dense()`] | burn's, with values from the caller's generator |
//! | [`Conv`], [`ConvTranspose`] | one to three axes |
//! | [`BatchNorm`], [`GroupNorm`], [`InstanceNorm`], [`LayerNorm`], [`Norm`] | with the nonlinearity behind them |
//! | [`MaxPool`], [`AvgPool`] | one to three axes |
//! | [`Rnn`], [`Gru`], [`Lstm`] | stacks over sequences of different lengths |
//! | [`UNet`], [`DoubleConv`] | two and three dimensions |

mod conv;
mod dense;
mod dropout;
pub mod init;
mod norm;
mod norm_kind;
mod pool;
mod recurrent;
mod unet;

pub use self::conv::{
    Conv, Conv1d, Conv2d, Conv3d, ConvConfig, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
};
pub use self::dense::dense;
pub use self::dropout::dropout;
pub use self::norm::{
    BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig, LayerNorm,
    LayerNormConfig,
};
pub use self::norm_kind::{Norm, NormConfig, NormKind};
pub use self::pool::{AvgPool, AvgPoolConfig, MaxPool, MaxPoolConfig};
pub use self::recurrent::{Direction, Gru, Lstm, Recurrent, RecurrentConfig, RecurrentLayer, RecurrentOutput, Rnn};
pub use self::unet::{DoubleConv, UNet, UNet2d, UNet3d, UNetConfig};
