//! The elementwise nonlinearities that a layer can be given by name.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu, sigmoid, silu, softplus, tanh};
use serde::{Deserialize, Serialize};

/// Slope of [`Activation::Leaky`] below zero (Maas, Hannun and Ng 2013; the default of PyTorch).
const LEAK: f64 = 0.01;

/// An elementwise nonlinearity. Softmax is none of these: it belongs to the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x.
    Linear,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// max(x, 0) (Nair and Hinton 2010).
    #[default]
    Relu,
    /// x above zero, x / 100 below (Maas, Hannun and Ng 2013).
    Leaky,
    /// x above zero, eˣ − 1 below (Clevert, Unterthiner and Hochreiter 2016, α = 1).
    Elu,
    /// x Φ(x) with the normal distribution function Φ itself, not its approximation (Hendrycks and Gimpel 2016).
    Gelu,
    /// x σ(x), also called swish (Elfwing, Uchibe and Doya 2018).
    Silu,
    /// ln(1 + eˣ), and x itself above 20, where the two no longer differ.
    Softplus,
}

impl Activation {
    /// # Shapes
    /// - x and output: any, the same
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Linear => x,
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Relu => relu(x),
            Self::Leaky => leaky_relu(x, LEAK),
            Self::Elu => elu(x),
            Self::Gelu => gelu(x),
            Self::Silu => silu(x),
            Self::Softplus => softplus(x, 1.0),
        }
    }
}

/// burn's own has the gradient of the approximation by tanh on every device but `cpu`, wrong in the third digit.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let distribution = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5);
    x * distribution
}

/// burn's own has a gradient of 0 · ∞ = NaN from x = 89 on, where the branch that is not taken overflows.
fn elu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let positive = x.clone().greater_scalar(0.0);
    let below = x.clone().mask_fill(positive.clone(), 0.0).exp().sub_scalar(1.0);
    below.mask_where(positive, x)
}
