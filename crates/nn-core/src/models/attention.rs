//! Attention: means over steps or places, whose weights a net computes from the data and gives to the reader.
//!
//! | block | weights from |
//! |---|---|
//! | [`scaled_dot_product`], [`MultiHead`] | products of queries and keys (Vaswani et al. 2017, *Attention is all you need*) |
//! | [`Additive`] | a small net over a query and each key (Bahdanau, Cho and Bengio 2015), or over each key alone |
//! | [`Additive::over_map`] | the same over the places of a feature map (Xu et al. 2015, *Show, attend and tell*, soft) |
//! | [`RetainAttention`] | two recurrent nets that run backwards in time (Choi et al. 2016, *RETAIN*) |
//!
//! Weights of a row sum to 1. A step that is excluded, as padding or as future, has a weight of exactly 0, and nothing
//! in it changes a bit of the result.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::models::attention::{padding, scaled_dot_product};
//!
//! let device = Device::flex();
//! // two sequences of 3 and 1 steps; equal keys share the weight of what is not padding
//! let x = Tensor::<3>::ones([2, 3, 4], &device);
//! let excluded = padding(&[3, 1], 3, &device).unsqueeze_dim::<3>(1); // [2, 1, 3]
//! let attended = scaled_dot_product(x.clone(), x.clone(), x, Some(excluded));
//! let weights = attended.weights.try_into_vec_as::<f32>()?; // [2, 3, 3]
//! assert!((weights[0] - 1.0 / 3.0).abs() < 1e-6);
//! assert_eq!(weights[9..12], [1.0, 0.0, 0.0]);
//! # Ok::<(), burn::tensor::TensorReadError>(())
//! ```

mod additive;
mod multi_head;
mod retain;

pub use additive::{Additive, AdditiveConfig};
pub use multi_head::{Mask, MultiHead, MultiHeadConfig};
pub use retain::{RetainAttention, RetainConfig, Retained};

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::layers::dropout;
use crate::layers::init::{Fan, Init};

/// A score so low that its exponential is zero, and finite, so that a row without any other one has no NaN.
const EXCLUDED: f64 = -1e9;

/// A weighted mean and its weights.
#[derive(Debug, Clone)]
pub struct Attended<const C: usize, const W: usize> {
    /// The means.
    pub context: Tensor<C>,
    /// What each step or place contributed; each row sums to 1, or to 0 if all of it is excluded.
    pub weights: Tensor<W>,
}

/// Which steps lie behind the end of their sequence.
///
/// # Shapes
/// - lengths: one for each of `batch` sequences; output `[batch, steps]`, true for padding
pub fn padding(lengths: &[usize], steps: usize, device: &Device) -> Tensor<2, Bool> {
    let mask: Vec<bool> = lengths.iter().flat_map(|&length| (0..steps).map(move |step| step >= length)).collect();
    Tensor::from_data(TensorData::new(mask, [lengths.len(), steps]), device)
}

/// Which steps lie in the future of a step.
///
/// # Shapes
/// - output `[steps, steps]`, true where the column lies behind the row
pub fn future(steps: usize, device: &Device) -> Tensor<2, Bool> {
    let mask: Vec<bool> = (0..steps).flat_map(|now| (0..steps).map(move |step| step > now)).collect();
    Tensor::from_data(TensorData::new(mask, [steps, steps]), device)
}

/// Softmax over the last axis in which what is excluded has a weight of exactly zero; a row that is excluded as a whole
/// has zeros only.
///
/// # Shapes
/// - scores, excluded and output: any, the same
pub fn masked_softmax<const D: usize>(scores: Tensor<D>, excluded: Option<Tensor<D, Bool>>) -> Tensor<D> {
    let Some(excluded) = excluded else {
        return softmax(scores, D - 1);
    };
    softmax(scores.mask_fill(excluded.clone(), EXCLUDED), D - 1).mask_fill(excluded, 0.0)
}

/// softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, equation 1).
///
/// # Shapes
/// - query `[…, queries, d]`, key `[…, keys, d]`, value `[…, keys, e]`
/// - excluded: true for what must not be looked at; broadcasts to `[…, queries, keys]`
/// - context `[…, queries, e]`, weights `[…, queries, keys]`
pub fn scaled_dot_product<const D: usize>(
    query: Tensor<D>,
    key: Tensor<D>,
    value: Tensor<D>,
    excluded: Option<Tensor<D, Bool>>,
) -> Attended<D, D> {
    attend(query, key, value, excluded, 0.0, None)
}

/// [`scaled_dot_product`] with dropout of the weights.
fn attend<const D: usize>(
    query: Tensor<D>,
    key: Tensor<D>,
    value: Tensor<D>,
    excluded: Option<Tensor<D, Bool>>,
    probability: f64,
    rng: Option<&mut ChaCha8Rng>,
) -> Attended<D, D> {
    let width = query.dims()[D - 1];
    let scores = query.matmul(key.swap_dims(D - 2, D - 1)).div_scalar((width as f64).sqrt()); // […, queries, keys]
    let shape = scores.dims();
    let weights = masked_softmax(scores, excluded.map(|excluded| excluded.expand(shape)));
    let context = dropout(weights.clone(), probability, rng).matmul(value); // […, queries, e]
    Attended { context, weights }
}

/// A dense layer with Glorot's uniform weights and, if it has one, a bias of zero.
fn linear(inputs: usize, outputs: usize, bias: bool, device: &Device, rng: &mut ChaCha8Rng) -> Linear {
    let shape = [inputs, outputs];
    let mut layer = LinearConfig::new(inputs, outputs).with_bias(false).init(device);
    layer.weight = Init::GlorotUniform.param(shape, Fan::dense(shape), rng, device);
    layer.bias = bias.then(|| Param::from_tensor(Tensor::zeros([outputs], device)));
    layer
}

#[cfg(test)]
mod tests;
