//! Starting values of parameters, drawn from a generator that the caller gives.
//!
//! burn's own initialisers draw from a generator of the device, which is one for the whole process;
//! here the same generator gives the same values whatever else runs.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// How many inputs a unit sums over, and how many units an input reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fan {
    /// Inputs of one unit.
    pub inputs: usize,
    /// Units that one input reaches.
    pub outputs: usize,
}

impl Fan {
    /// Of a dense layer's weight, `[inputs, outputs]` as burn lays it out.
    pub fn dense([inputs, outputs]: [usize; 2]) -> Self {
        Self { inputs, outputs }
    }

    /// Of a convolution's weight, `[channels out, channels in, kernel…]`: the channels times the size
    /// of the kernel.
    pub fn conv<const D: usize>(shape: [usize; D]) -> Self {
        let at = |index: usize| shape.get(index).copied().unwrap_or(1);
        let kernel: usize = shape.iter().skip(2).product();
        Self { inputs: at(1) * kernel, outputs: at(0) * kernel }
    }
}

/// A distribution of starting values.
///
/// The normal ones are not truncated (those of Keras are, at two standard deviations).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Every value the same.
    Constant(f64),
    /// U(−a, a).
    Uniform(f64),
    /// N(0, sd²).
    Normal(f64),
    /// U(−a, a), a = √(6 / (inputs + outputs)) (Glorot & Bengio 2010); Keras's for dense layers and convolutions.
    GlorotUniform,
    /// N(0, 2 / (inputs + outputs)).
    GlorotNormal,
    /// U(−a, a), a = √(6 / inputs) (He et al. 2015), for rectified units.
    HeUniform,
    /// N(0, 2 / inputs).
    HeNormal,
    /// U(−a, a), a = √(3 / inputs) (`LeCun` et al. 1998).
    #[serde(rename = "lecun-uniform")]
    LeCunUniform,
    /// N(0, 1 / inputs).
    #[serde(rename = "lecun-normal")]
    LeCunNormal,
    /// Rows or columns, whichever are fewer, orthogonal and of length `gain` (Saxe et al. 2014). A
    /// tensor of more than two axes is seen as `[first, all others]`.
    Orthogonal {
        /// Length of each row or column.
        gain: f64,
    },
    /// U(−0.05, 0.05): what Keras gives embeddings.
    KerasEmbedding,
    /// U(−a, a), a = 1 / √inputs: what PyTorch gives dense layers, convolutions and, with the hidden
    /// size as inputs, recurrent layers; biases too.
    #[serde(rename = "pytorch-default")]
    PyTorchDefault,
}

impl Init {
    /// Values for a tensor of `shape`, row-major. The fan is that of the weight; a bias takes the fan
    /// of the weight that it stands beside.
    pub fn values(&self, shape: &[usize], fan: Fan, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let size = shape.iter().product();
        // an empty fan has no unit to start
        let inputs = fan.inputs.max(1) as f64;
        let both = (fan.inputs + fan.outputs).max(1) as f64;
        match *self {
            Self::Constant(value) => vec![value as f32; size],
            Self::Uniform(bound) => uniform(size, bound, rng),
            Self::Normal(sd) => normal(size, sd, rng),
            Self::GlorotUniform => uniform(size, (6.0 / both).sqrt(), rng),
            Self::GlorotNormal => normal(size, (2.0 / both).sqrt(), rng),
            Self::HeUniform => uniform(size, (6.0 / inputs).sqrt(), rng),
            Self::HeNormal => normal(size, (2.0 / inputs).sqrt(), rng),
            Self::LeCunUniform => uniform(size, (3.0 / inputs).sqrt(), rng),
            Self::LeCunNormal => normal(size, (1.0 / inputs).sqrt(), rng),
            Self::Orthogonal { gain } => orthogonal(shape, gain, rng),
            Self::KerasEmbedding => uniform(size, 0.05, rng),
            Self::PyTorchDefault => uniform(size, 1.0 / inputs.sqrt(), rng),
        }
    }

    /// A trainable parameter of `shape` on `device`.
    pub fn param<const D: usize>(
        &self,
        shape: [usize; D],
        fan: Fan,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(self.values(&shape, fan, rng), shape), device)
    }
}

fn uniform(size: usize, bound: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..size).map(|_| (bound * (2.0 * rng.random::<f64>() - 1.0)) as f32).collect()
}

fn normal(size: usize, sd: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values: Vec<f32> = standard_normal(size, rng).into_iter().map(|z| (sd * z) as f32).collect();
    values.truncate(size);
    values
}

/// Pairs by the Box–Muller transform, so one more than asked for when `size` is odd.
fn standard_normal(size: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut values = Vec::with_capacity(size + 1);
    while values.len() < size {
        // 1 − u lies in (0, 1], where the logarithm is finite
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (TAU * rng.random::<f64>()).sin_cos();
        values.push(radius * cosine);
        values.push(radius * sine);
    }
    values
}

/// The orthogonal factor of a matrix of independent normals, by Gram–Schmidt: uniform over all
/// orthogonal matrices, since the other factor's diagonal comes out positive (Mezzadri 2007).
fn orthogonal(shape: &[usize], gain: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let rows = shape.first().copied().unwrap_or(1);
    let columns: usize = shape.iter().skip(1).product();
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    while basis.len() < few {
        let mut vector = standard_normal(many, rng);
        vector.truncate(many);
        // twice: the second pass removes what rounding has left of the first (Giraud et al. 2005)
        for _ in 0..2 {
            for other in &basis {
                let along: f64 = vector.iter().zip(other).map(|(v, o)| v * o).sum();
                for (v, o) in vector.iter_mut().zip(other) {
                    *v -= along * o;
                }
            }
        }
        let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        // a vector that lies in the span of the others has no direction of its own: draw it again
        if length > 1e-9 {
            vector.iter_mut().for_each(|v| *v /= length);
            basis.push(vector);
        }
    }
    let at = |row: usize, column: usize| if rows <= columns { basis[row][column] } else { basis[column][row] };
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    places.map(|(row, column)| (gain * at(row, column)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SHAPE: [usize; 2] = [300, 200];

    fn draw(init: Init) -> Vec<f64> {
        let values = init.values(&SHAPE, Fan::dense(SHAPE), &mut ChaCha8Rng::seed_from_u64(7));
        assert_eq!(values.len(), 60_000);
        values.into_iter().map(f64::from).collect()
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn uniform_values_fill_their_bounds() {
        // variance of U(−a, a) is a²/3; with 60,000 draws its error is below 2 %, and the gap at an
        // end above a thousandth of the range has a probability of e⁻⁶⁰
        for (init, bound) in [
            (Init::Uniform(0.3), 0.3),
            (Init::KerasEmbedding, 0.05),
            (Init::GlorotUniform, (6.0 / 500.0_f64).sqrt()),
            (Init::HeUniform, (6.0 / 300.0_f64).sqrt()),
            (Init::LeCunUniform, 0.1),
            (Init::PyTorchDefault, 1.0 / 300.0_f64.sqrt()),
        ] {
            let values = draw(init);
            let (mean, variance) = moments(&values);
            assert!(mean.abs() < 0.02 * bound, "{init:?}: mean {mean}");
            assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.02, "{init:?}: variance {variance}");
            let (low, high) = values.iter().fold((0.0_f64, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
            for end in [-low, high] {
                assert!(end <= bound * (1.0 + 1e-6) && end > 0.998 * bound, "{init:?}: {low} to {high}");
            }
        }
    }

    #[test]
    fn normal_values_have_the_moments_and_tails_of_a_normal() {
        for (init, variance) in [
            (Init::Normal(0.02), 0.0004),
            (Init::GlorotNormal, 2.0 / 500.0),
            (Init::HeNormal, 2.0 / 300.0),
            (Init::LeCunNormal, 1.0 / 300.0),
        ] {
            let values = draw(init);
            let (mean, found) = moments(&values);
            let sd = f64::sqrt(variance);
            assert!(mean.abs() < 0.02 * sd, "{init:?}: mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.03, "{init:?}: variance {found}");
            // P(|z| > 2) = 0.0455
            let tail = values.iter().filter(|v| v.abs() > 2.0 * sd).count() as f64 / values.len() as f64;
            assert!((tail - 0.0455).abs() < 0.005, "{init:?}: tail {tail}");
        }
    }

    #[test]
    fn orthogonal_matrices_are_orthogonal() {
        for shape in [[40, 40], [12, 50], [50, 12], [1, 5]] {
            let init = Init::Orthogonal { gain: 1.5 };
            let q = init.values(&shape, Fan::dense(shape), &mut ChaCha8Rng::seed_from_u64(3));
            let [rows, columns] = shape;
            let at = |r: usize, c: usize| f64::from(q[r * columns + c]);
            let few = rows.min(columns);
            for i in 0..few {
                for j in 0..few {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| at(i, k) * at(j, k)).sum()
                    } else {
                        (0..rows).map(|k| at(k, i) * at(k, j)).sum()
                    };
                    let expected = if i == j { 2.25 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{shape:?} [{i}, {j}]: {product}");
                }
            }
        }
        let conv = Init::Orthogonal { gain: 1.0 };
        let shape = [8, 3, 5];
        assert_eq!(conv.values(&shape, Fan::conv(shape), &mut ChaCha8Rng::seed_from_u64(3)).len(), 120);
        assert!(conv.values(&[0, 4], Fan::dense([0, 4]), &mut ChaCha8Rng::seed_from_u64(3)).is_empty());
    }

    #[test]
    fn fans_of_dense_and_convolution() {
        assert_eq!(Fan::dense([300, 200]), Fan { inputs: 300, outputs: 200 });
        // PyTorch: fan_in = 16·7·3, fan_out = 32·7·3 for a weight [32, 16, 7, 3]
        assert_eq!(Fan::conv([32, 16, 7, 3]), Fan { inputs: 336, outputs: 672 });
        assert_eq!(Fan::conv([32, 16]), Fan { inputs: 16, outputs: 32 });
    }

    #[test]
    fn a_parameter_is_a_function_of_the_generator() {
        let device = Device::flex().autodiff();
        let draw = |seed| {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            Init::HeNormal.param([5, 3, 3], Fan::conv([5, 3, 3]), rng, &device)
        };
        let (first, again, other) = (draw(1), draw(1), draw(2));
        assert_eq!(first.val().dims(), [5, 3, 3]);
        assert!(first.val().is_require_grad());
        let values = |param: &Param<Tensor<3>>| param.val().try_into_vec_as::<f32>().unwrap();
        assert_eq!(values(&first), values(&again));
        assert_ne!(values(&first), values(&other));
        assert!(values(&first).iter().all(|value| value.is_finite()));
    }
}
