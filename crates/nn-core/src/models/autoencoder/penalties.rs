//! Penalties on a code: sparse and contractive autoencoders.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::dense::Autoencoder;
use super::rows::normal;
use crate::config::{ConfigError, in_range};
use crate::models::mlp::Activation;

/// Mean activations are kept this far from 0 and 1, where the divergence is infinite.
const EDGE: f64 = 1e-6;

/// The sparse autoencoder: `weight` · Σⱼ KL(ρ‖ρ̂ⱼ), where ρ̂ⱼ is the mean activation of code unit j over the rows of a
/// step (Ng 2011, CS294A lecture notes, section 2). A name like λ or β in the literature is the weight; it is relative
/// to a loss that is a mean over values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sparsity {
    /// ρ, the mean activation wanted, between 0 and 1; 0.05 in the notes.
    pub target: f64,
    /// Factor of the divergence, 0 or more.
    pub weight: f64,
}

impl Sparsity {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("sparsity.target", self.target, EDGE..=1.0 - EDGE)?;
        in_range("sparsity.weight", self.weight, 0.0..=1e9)
    }

    /// # Shapes
    /// - code `[batch, units]`, between 0 and 1; output `[1]`
    pub fn penalty(&self, code: Tensor<2>) -> Tensor<1> {
        let rho = self.target;
        let active = code.mean_dim(0).clamp(EDGE, 1.0 - EDGE); // [1, units]
        let idle = active.clone().neg().add_scalar(1.0); // [1, units]
        // Σ ρ ln(ρ/ρ̂) + (1 − ρ) ln((1 − ρ)/(1 − ρ̂)), the part that does not depend on ρ̂ added once for each unit
        let entropy = rho * rho.ln() + (1.0 - rho) * (1.0 - rho).ln();
        let cross = active.log().mul_scalar(rho) + idle.log().mul_scalar(1.0 - rho);
        cross.neg().add_scalar(entropy).sum().mul_scalar(self.weight)
    }
}

/// The contractive autoencoder: `weight` times the mean over rows of ‖J‖² (Frobenius), J being the Jacobian of the code
/// with respect to the row (Rifai et al. 2011, ICML).
///
/// With one layer of linear, sigmoid, tanh or rectified units the norm is exact ([`jacobian_norm`]), otherwise it is
/// estimated along random directions ([`jacobian_norm_estimate`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contraction {
    /// Factor of the squared norm, 0 or more.
    pub weight: f64,
    /// Random directions for each row, where they are needed.
    #[serde(default = "one")]
    pub directions: usize,
    /// Half of the difference along a direction, in units of the row's values.
    #[serde(default = "hundredth")]
    pub step: f64,
}

fn one() -> usize {
    1
}

fn hundredth() -> f64 {
    1e-2
}

impl Contraction {
    /// One direction and differences of ±1e-2, where they are needed.
    pub fn new(weight: f64) -> Self {
        Self { weight, directions: one(), step: hundredth() }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("contraction.weight", self.weight, 0.0..=1e9)?;
        in_range("contraction.directions", self.directions, 1..=10_000)?;
        in_range("contraction.step", self.step, 1e-4..=1e3)
    }

    /// `code` is the code of `x`. Directions, if needed, are drawn from `rng`.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; code `[batch, width of the code]`; output `[1]`
    pub fn penalty(&self, model: &Autoencoder, x: &Tensor<2>, code: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<1> {
        let norm = jacobian_norm(model, code)
            .unwrap_or_else(|| jacobian_norm_estimate(model, x, self.directions, self.step, rng));
        norm.mean().mul_scalar(self.weight)
    }
}

/// ‖J‖² (Frobenius) of each row from its code, Σⱼ s'(aⱼ)² Σᵢ Wᵢⱼ², where one layer makes the code and the slope of its
/// units is a function of their value; none otherwise.
///
/// # Shapes
/// - code `[batch, units]`; output `[batch]`
pub fn jacobian_norm(model: &Autoencoder, code: Tensor<2>) -> Option<Tensor<1>> {
    let [layer] = model.encoder() else { return None };
    let batch = code.dims()[0];
    let slope = slope(model.config().activation, code)?; // [batch, units]
    let lengths = layer.weight.val().square().sum_dim(0).transpose(); // [units, 1]
    Some(slope.square().matmul(lengths).reshape([batch]))
}

/// The derivative of a unit that has the value `y`.
fn slope(activation: Activation, y: Tensor<2>) -> Option<Tensor<2>> {
    match activation {
        Activation::Linear => Some(y.ones_like()),
        Activation::Sigmoid => Some(y.clone() * y.neg().add_scalar(1.0)),
        Activation::Tanh => Some(y.square().neg().add_scalar(1.0)),
        Activation::Relu => Some(y.greater_scalar(0.0).float()),
        _ => None,
    }
}

/// An unbiased estimate of ‖J‖² (Frobenius) of each row, up to an error of order `step`²: the mean over `directions`
/// v ~ N(0, I) of ‖(f(x + εv) − f(x − εv)) / 2ε‖², since E‖Jv‖² = ‖J‖². Without a direction it is 0.
///
/// # Shapes
/// - x `[batch, inputs]`; output `[batch]`
pub fn jacobian_norm_estimate(
    model: &Autoencoder,
    x: &Tensor<2>,
    directions: usize,
    step: f64,
    rng: &mut ChaCha8Rng,
) -> Tensor<1> {
    let ([batch, columns], device) = (x.dims(), x.device());
    let mut total = Tensor::<1>::zeros([batch], &device);
    for _ in 0..directions {
        let v = normal([batch, columns], rng, &device).mul_scalar(step); // [batch, inputs]
        let there = model.encode(x.clone() + v.clone());
        let difference = (there - model.encode(x.clone() - v)).mul_scalar(0.5 / step); // [batch, units]
        let norm: Tensor<1> = difference.square().sum_dim(1).reshape([batch]);
        total = total + norm;
    }
    total.div_scalar(directions.max(1) as f64)
}
