//! Explanations against closed forms, enumerations and Captum.
//!
//! Most tests compute in 64 bits, where rounding is near 1e-16 and a broken axiom cannot be taken for it.

use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;

use super::attribution::host;
use super::*;
use crate::config::ConfigError;
use crate::data::rng;

mod axioms;
mod captum;
mod games;
mod layers;
mod planted;
mod quality;

/// Rounding of a few hundred operations in 64 bits on values near 1.
const EXACT: f64 = 1e-12;

/// A tensor of 64-bit floats.
fn wide<const D: usize>(values: Vec<f64>, dims: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, dims), (&Device::flex(), DType::F64))
}

/// U(−1, 1) in 64 bits.
fn random<const D: usize>(dims: [usize; D], seed: u64) -> Tensor<D> {
    let rng = &mut rng(seed, &[]);
    wide((0..dims.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect(), dims)
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    host(tensor).unwrap()
}

#[track_caller]
fn assert_close(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((found - wanted).abs() <= tolerance, "at {at}: {found}, not {wanted}");
    }
}

/// Dense layers with random weights, in 64 bits, for inputs and a baseline near 1.
struct Net {
    layers: Vec<(Tensor<2>, Tensor<2>)>,
    bend: fn(Tensor<2>) -> Tensor<2>,
}

impl Net {
    fn new(widths: &[usize], bend: fn(Tensor<2>) -> Tensor<2>, seed: u64) -> Self {
        let layer = |(at, width): (usize, &[usize])| {
            let seed = 100 * seed + 2 * at as u64;
            (random([width[0], width[1]], seed), random([1, width[1]], seed + 1))
        };
        Self { layers: widths.windows(2).enumerate().map(layer).collect(), bend }
    }

    fn with_rule(&self, mut x: Tensor<2>, rule: &Rescale) -> Tensor<2> {
        for (at, (weight, bias)) in self.layers.iter().enumerate() {
            if at > 0 {
                x = rule.activation(x, self.bend);
            }
            x = x.matmul(weight.clone()) + bias.clone();
        }
        x
    }
}

impl Scorer<2> for Net {
    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.with_rule(x, &Rescale::off())
    }
}
