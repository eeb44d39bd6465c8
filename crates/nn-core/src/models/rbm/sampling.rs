//! Draws whose random numbers come from a generator that the caller gives.

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::RbmError;
use crate::layers::init::{Fan, Init};

/// The values of a tensor, row-major.
pub(in crate::models) fn host<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, RbmError> {
    tensor.try_into_vec_as::<f32>().map_err(|error| RbmError::Device { what, reason: error.to_string() })
}

/// The value of a tensor of one element.
pub(in crate::models) fn scalar(what: &'static str, tensor: Tensor<1>) -> Result<f64, RbmError> {
    tensor.try_into_scalar::<f64>().map_err(|error| RbmError::Device { what, reason: error.to_string() })
}

/// The rows of a matrix.
pub(in crate::models) fn rows_of(matrix: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let indices: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [rows.len()]), &matrix.device());
    matrix.clone().select(0, indices)
}

/// Ones with the given probabilities, zeros otherwise.
pub(in crate::models) fn bernoulli(probability: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
    let [rows, columns] = probability.dims();
    // In [0, 1), so that a probability of one is always met and one of zero never.
    let draws: Vec<f32> = (0..rows * columns).map(|_| rng.random::<f32>()).collect();
    let draws = Tensor::<2>::from_data(TensorData::new(draws, [rows, columns]), &probability.device());
    draws.lower(probability).float()
}

/// Normal draws of variance one.
pub(in crate::models) fn normal(mean: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
    let [rows, columns] = mean.dims();
    let noise = Init::Normal(1.0).values(&[rows, columns], Fan { inputs: 1, outputs: 1 }, rng);
    let noise = Tensor::<2>::from_data(TensorData::new(noise, [rows, columns]), &mean.device());
    mean + noise
}

/// Counts of as many draws as the row is long (one without `lengths`), with the probabilities of the row.
///
/// # Shapes
/// - probability and output `[rows, words]`, lengths `[rows, 1]`, rounded
pub(in crate::models) fn multinomial(
    probability: Tensor<2>,
    lengths: Option<&Tensor<2>>,
    rng: &mut ChaCha8Rng,
) -> Result<Tensor<2>, RbmError> {
    let [rows, columns] = probability.dims();
    let device = probability.device();
    let lengths = match lengths {
        Some(lengths) => host("lengths", lengths.clone())?,
        None => vec![1.0; rows],
    };
    let probability = host("word probabilities", probability)?;
    let mut counts = vec![0.0_f32; rows * columns];
    let mut cumulative = vec![0.0_f64; columns];
    for ((counts, probability), length) in
        counts.chunks_exact_mut(columns).zip(probability.chunks_exact(columns)).zip(lengths)
    {
        let mut sum = 0.0;
        for (cumulative, &p) in cumulative.iter_mut().zip(probability) {
            sum += f64::from(p);
            *cumulative = sum;
        }
        for _ in 0..length.round() as usize {
            let at = sum * rng.random::<f64>();
            counts[cumulative.partition_point(|&c| c <= at).min(columns - 1)] += 1.0;
        }
    }
    Ok(Tensor::from_data(TensorData::new(counts, [rows, columns]), &device))
}
