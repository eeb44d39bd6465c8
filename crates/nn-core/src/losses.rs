//! Losses of classification, segmentation and regression.
//!
//! Each takes logits or predictions as the network gives them and finds value and gradient together. Targets,
//! weights and masks are constants: no gradient goes to them, and what a mask leaves out does not count,
//! whatever stands there. A mean over nothing is zero, with a gradient of zero.
//!
//! | loss | targets | paper |
//! |---|---|---|
//! | [`CrossEntropy`] | a class for each position | label smoothing: Szegedy et al. 2016 |
//! | [`Focal`], [`BinaryFocal`] | a class; a number in 0..=1 | Lin et al. 2017 |
//! | [`BinaryCrossEntropy`] | a number in 0..=1 for each logit | |
//! | [`Dice`], [`Tversky`] | a class for each position | Milletari et al. 2016; Salehi et al. 2017 |
//! | [`mse`], [`mae`], [`huber`] | a number for each prediction | Huber 1964 |
//!
//! [`penalty()`] adds weights up instead, by their place in a module.
//!
//! On the CPU these are operations of [`crate::ops`]; elsewhere they are composed of burn's.

mod classes;
mod penalty;
mod points;
mod regions;
#[cfg(test)]
mod tests;

pub use self::classes::{CrossEntropy, Focal};
pub use self::penalty::penalty;
pub use self::points::{BinaryCrossEntropy, BinaryFocal, huber, mae, mse};
pub use self::regions::{Dice, Tversky, dice_of_probabilities};

use crate::ops::loss::Reduce;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the losses of all positions become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Their mean, weighted where there are weights.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl From<Reduction> for Reduce {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Mean => Self::Mean,
            Reduction::Sum => Self::Sum,
        }
    }
}

/// `[batch, channels, positions]` of any input; one axis alone is a batch of single values.
fn view<const D: usize>(x: &Tensor<D>) -> [usize; 3] {
    let dims = x.dims();
    [dims[0], dims.get(1).copied().unwrap_or(1), dims.iter().skip(2).product()]
}
