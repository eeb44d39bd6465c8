//! What all tests of Boltzmann machines share: machines with weights by a formula, and the same machine in double
//! precision and loops.

mod exact;
mod learning;
mod parity;
mod sampling;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Rbm, RbmConfig, VisibleUnits};
use crate::data::rng;

/// The values of a tensor.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Tensor<2> {
    let flat: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(flat, [rows.len(), rows[0].len()]), &Device::flex())
}

/// All `2^n` rows of zeros and ones.
fn states(n: usize) -> Vec<Vec<f64>> {
    (0..1_usize << n).map(|number| (0..n).map(|bit| ((number >> bit) & 1) as f64).collect()).collect()
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + values.iter().map(|value| (value - top).exp()).sum::<f64>().ln()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// No number is further from the expected one than `tolerance`, or that part of it where it is above 1.
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}[{at}]: {f} instead of {e}");
    }
}

/// The energy in double precision, written down once more.
#[derive(Clone)]
struct Exact {
    units: VisibleUnits,
    /// `[visible][hidden]`.
    weight: Vec<Vec<f64>>,
    visible_bias: Vec<f64>,
    hidden_bias: Vec<f64>,
}

impl Exact {
    /// Weights from −`scale` to `scale`, biases from −1/2 to 1/2, all by a formula without symmetry.
    fn new(units: VisibleUnits, visible: usize, hidden: usize, scale: f64) -> Self {
        let weight = |i: usize, j: usize| scale * (((i * 7 + j * 3) % 11) as f64 / 5.0 - 1.0);
        Self {
            units,
            weight: (0..visible).map(|i| (0..hidden).map(|j| weight(i, j)).collect()).collect(),
            visible_bias: (0..visible).map(|i| 0.5 * ((i * 5 % 7) as f64 / 3.0 - 1.0)).collect(),
            hidden_bias: (0..hidden).map(|j| 0.5 * (((j * 4 + 1) % 5) as f64 / 2.0 - 1.0)).collect(),
        }
    }

    /// The machine under test with these parameters.
    fn machine(&self) -> Rbm {
        let device = Device::flex();
        let (visible, hidden) = (self.visible_bias.len(), self.hidden_bias.len());
        let config = RbmConfig { units: self.units, visible, hidden, ..RbmConfig::default() };
        let mut rbm = config.init(&device, &mut rng(0, &[])).unwrap();
        let vector = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            let shape = [values.len()];
            Param::from_data(TensorData::new(values, shape), &device)
        };
        rbm.weight = Param::from_tensor(matrix(&self.weight));
        rbm.visible_bias = vector(&self.visible_bias);
        rbm.hidden_bias = vector(&self.hidden_bias);
        rbm
    }

    fn words(&self, v: &[f64]) -> f64 {
        if self.units == VisibleUnits::ReplicatedSoftmax { v.iter().sum() } else { 1.0 }
    }

    /// Total inputs of the visible units.
    fn visible_inputs(&self, h: &[f64]) -> Vec<f64> {
        self.visible_bias.iter().zip(&self.weight).map(|(b, w)| b + dot(w, h)).collect()
    }

    fn energy(&self, v: &[f64], h: &[f64]) -> f64 {
        let alone = match self.units {
            VisibleUnits::Gaussian => {
                v.iter().zip(&self.visible_bias).map(|(v, b)| 0.5 * (v - b) * (v - b)).sum::<f64>()
            }
            _ => -dot(v, &self.visible_bias),
        };
        let together: f64 = v.iter().zip(&self.weight).map(|(v, w)| v * dot(w, h)).sum();
        alone - together - self.words(v) * dot(&self.hidden_bias, h)
    }

    /// `−log Σ_h exp(−E)`, term by term.
    fn free_energy(&self, v: &[f64]) -> f64 {
        let terms: Vec<f64> = states(self.hidden_bias.len()).iter().map(|h| -self.energy(v, h)).collect();
        -log_sum_exp(&terms)
    }

    /// log Z: the visible units are summed or integrated in closed form for each hidden state; of documents, over all
    /// sequences of `words` words.
    fn log_partition(&self, words: usize) -> f64 {
        let terms: Vec<f64> = states(self.hidden_bias.len())
            .iter()
            .map(|h| {
                let inputs = self.visible_inputs(h);
                let by_bias = dot(&self.hidden_bias, h);
                match self.units {
                    VisibleUnits::Bernoulli => by_bias + inputs.iter().map(|x| x.exp().ln_1p()).sum::<f64>(),
                    VisibleUnits::Gaussian => {
                        // ½‖b + Wh‖² − ½‖b‖² completes the square
                        let squares = dot(&inputs, &inputs) - dot(&self.visible_bias, &self.visible_bias);
                        by_bias + 0.5 * squares + 0.5 * std::f64::consts::TAU.ln() * inputs.len() as f64
                    }
                    VisibleUnits::ReplicatedSoftmax => words as f64 * (by_bias + log_sum_exp(&inputs)),
                }
            })
            .collect();
        log_sum_exp(&terms)
    }
}

/// The parameters that a machine has now, in double precision.
fn exact_of(rbm: &Rbm) -> Exact {
    let [_, hidden] = rbm.weight.dims();
    Exact {
        units: rbm.units(),
        weight: values(rbm.weight.val()).chunks_exact(hidden).map(<[f64]>::to_vec).collect(),
        visible_bias: values(rbm.visible_bias.val()),
        hidden_bias: values(rbm.hidden_bias.val()),
    }
}
