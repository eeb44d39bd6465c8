//! What the convolutional systems are made of: convolutions and dense layers with what stands behind them.
//!
//! Every nonlinear function can be passed through a [`Rescale`], so that one forward serves for use and for `DeepLIFT`.
//! Without one, the fused operations of `nn_core` do the work.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::init::Init;
use nn_core::layers::{self, BatchNorm, BatchNormConfig, Conv1d, ConvConfig};
use nn_core::ops::{Activation, batch_norm_act_inference, global_max_pool, max_pool};
use rand_chacha::ChaCha8Rng;

/// The variance's addition in [`BatchNormConfig::new`].
const EPSILON: f64 = 1e-5;

/// Longest sequence that a network is built for.
pub(crate) const LONGEST: usize = 10_000_000;

/// Sizes of a [`ConvBlock`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvBlockConfig {
    /// Channels in.
    pub(crate) inputs: usize,
    /// Filters.
    pub(crate) outputs: usize,
    /// Positions that a filter sees.
    pub(crate) kernel: usize,
    /// Zeros on each side.
    pub(crate) padding: usize,
    /// Whether batch normalisation stands in front of the rectifier.
    pub(crate) norm: bool,
}

impl ConvBlockConfig {
    pub(crate) fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { inputs, outputs, kernel, padding: 0, norm: false }
    }

    pub(crate) fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<ConvBlock, ConfigError> {
        let conv = ConvConfig::new(self.inputs, self.outputs, self.kernel).with_padding(self.padding);
        let norm = self.norm.then(|| rectified_norm(self.outputs, device));
        Ok(ConvBlock { conv: conv.init(device, rng)?, norm, padding: self.padding })
    }
}

fn rectified_norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_activation(Activation::Relu).init(device)
}

/// A convolution, batch normalisation where there is any, and a rectifier.
#[derive(Module, Debug)]
pub(crate) struct ConvBlock {
    conv: Conv1d,
    norm: Option<BatchNorm>,
    padding: usize,
}

impl ConvBlock {
    /// # Shapes
    /// - x `[batch, inputs, length]`; output `[batch, outputs, length + 2 padding - kernel + 1]`
    pub(crate) fn forward(&self, x: Tensor<3>, rescale: Option<&Rescale>) -> Tensor<3> {
        let x = self.conv.forward(x);
        match (&self.norm, rescale) {
            (Some(norm), None) => norm.forward(x),
            (Some(norm), Some(_)) => rectify(fixed(norm, x, Activation::None), rescale),
            (None, _) => rectify(x, rescale),
        }
    }

    /// The filters, `[outputs, inputs, kernel]`.
    pub(crate) fn filters(&self) -> Tensor<3> {
        self.conv.weight.val()
    }

    /// What the filters find in x, rectified: place `p` of a map is the window that begins at place `p` of x.
    ///
    /// # Shapes
    /// - x `[batch, inputs, length]`; output `[batch, outputs, length - kernel + 1]`
    pub(crate) fn maps(&self, x: Tensor<3>) -> Tensor<3> {
        let found = self.forward(x, None);
        let windows = found.dims()[2] - 2 * self.padding;
        found.narrow(2, self.padding, windows)
    }
}

/// A dense layer, batch normalisation where there is any, and a rectifier.
#[derive(Module, Debug)]
pub(crate) struct DenseBlock {
    linear: Linear,
    norm: Option<BatchNorm>,
}

impl DenseBlock {
    pub(crate) fn new(shape: [usize; 2], norm: bool, device: &Device, rng: &mut ChaCha8Rng) -> Self {
        Self { linear: dense(shape, device, rng), norm: norm.then(|| rectified_norm(shape[1], device)) }
    }

    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, outputs]`
    pub(crate) fn forward(&self, x: Tensor<2>, rescale: Option<&Rescale>) -> Tensor<2> {
        let rows = x.dims()[0];
        let x = self.linear.forward(x);
        match (&self.norm, rescale) {
            // the last batch of an epoch can be a single row, which has no statistics
            (Some(norm), None) if rows == 1 => fixed(norm, x, Activation::Relu),
            (Some(norm), None) => norm.forward(x),
            (Some(norm), Some(_)) => rectify(fixed(norm, x, Activation::None), rescale),
            (None, _) => rectify(x, rescale),
        }
    }
}

/// Batch normalisation with the running statistics.
fn fixed<const D: usize>(norm: &BatchNorm, x: Tensor<D>, activation: Activation) -> Tensor<D> {
    let device = x.device();
    let mean = norm.running_mean.value().to_device(&device);
    let variance = norm.running_var.value().to_device(&device);
    batch_norm_act_inference(x, norm.gamma.val(), norm.beta.val(), mean, variance, activation, EPSILON)
}

/// max(x, 0).
pub(crate) fn rectify<const D: usize>(x: Tensor<D>, rescale: Option<&Rescale>) -> Tensor<D> {
    match rescale {
        None => relu(x),
        Some(rescale) => rescale.activation(x, relu),
    }
}

/// Maximum over windows of `size` side by side; what is left over at the end is not seen.
///
/// # Shapes
/// - x `[batch, channels, length]`; output `[batch, channels, length / size]`
pub(crate) fn pool(x: Tensor<3>, size: usize, rescale: Option<&Rescale>) -> Tensor<3> {
    match rescale {
        _ if size == 1 => x,
        None => max_pool(x, [size], [size], [0]),
        Some(rescale) => rescale.max_pool1d(x, MaxPoolOptions::new([size])),
    }
}

/// Maximum over all positions.
///
/// # Shapes
/// - x `[batch, channels, length]`; output `[batch, channels]`
pub(crate) fn strongest_place(x: Tensor<3>, rescale: Option<&Rescale>) -> Tensor<2> {
    match rescale {
        None => global_max_pool(x),
        Some(rescale) => rescale.global_max(x),
    }
}

/// A dense layer, `[inputs, outputs]`, with PyTorch's starting values.
pub(crate) fn dense(shape: [usize; 2], device: &Device, rng: &mut ChaCha8Rng) -> Linear {
    layers::dense(shape, Init::PyTorchDefault, device, rng)
}

/// A convolution without padding and the pooling behind it: what the lengths of an input become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) kernel: usize,
    pub(crate) pool: usize,
}

impl Stage {
    /// Positions behind all stages of an input of `length`; 0 if it is too short.
    pub(crate) fn after(stages: &[Self], length: usize) -> usize {
        stages.iter().fold(length, |length, stage| (length + 1).saturating_sub(stage.kernel) / stage.pool)
    }

    /// Checks that one position at least is left of `length`.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the shortest length that would do.
    pub(crate) fn check(stages: &[Self], field: &'static str, length: usize) -> Result<(), ConfigError> {
        let shortest = stages
            .iter()
            .rev()
            .fold(1, |length: usize, stage| length.saturating_mul(stage.pool).saturating_add(stage.kernel - 1));
        in_range(field, length, shortest..=LONGEST.max(shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::data::rng;
    use nn_core::layers::init::Fan;

    #[test]
    fn lengths_follow_the_layers() {
        let stages = [Stage { kernel: 19, pool: 3 }, Stage { kernel: 11, pool: 4 }, Stage { kernel: 7, pool: 4 }];
        // Basset's: 600 → 582 → 194 → 184 → 46 → 40 → 10
        assert_eq!(Stage::after(&stages, 600), 10);
        let device = Device::flex();
        for length in 1..200 {
            let left = Stage::after(&stages, length);
            let error = Stage::check(&stages, "length", length);
            assert_eq!(error.is_ok(), left > 0, "{length}: {error:?}");
        }
        let error = Stage::check(&stages, "length", 5).unwrap_err().to_string();
        assert_eq!(error, "length = 5 is out of range; allowed: 168 to 10000000");
        // what is computed agrees with what the layers do
        let block = ConvBlockConfig::new(4, 2, 7).init(&device, &mut rng(1, &[])).unwrap();
        for length in 9..30 {
            let x = pool(block.forward(Tensor::zeros([1, 4, length], &device), None), 3, None);
            assert_eq!(x.dims()[2], Stage::after(&[Stage { kernel: 7, pool: 3 }], length));
        }
    }

    #[test]
    fn maps_begin_where_their_windows_do() {
        let device = Device::flex();
        let padded = ConvBlockConfig { padding: 4, ..ConvBlockConfig::new(4, 3, 5) };
        let plain = ConvBlockConfig { padding: 0, ..padded };
        let build = |config: ConvBlockConfig| config.init(&device, &mut rng(2, &[])).unwrap();
        let x = Init::Normal(1.0).param([2, 4, 12], Fan::conv([2, 4, 12]), &mut rng(3, &[]), &device).val();
        let values = |x: Tensor<3>| x.try_into_vec_as::<f32>().unwrap();
        let found = build(padded).maps(x.clone());
        assert_eq!(found.dims(), [2, 3, 8]);
        // 1e-6: the sums may run in another order
        for (found, expected) in values(found).iter().zip(values(build(plain).forward(x, None))) {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }
}
