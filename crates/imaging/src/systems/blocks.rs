//! What the systems are made of: convolutions whose axes may differ, and the way a network of planes sees a volume.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{BatchNorm, BatchNormConfig, Conv, ConvConfig};
use nn_core::ops::{self, Activation};
use rand_chacha::ChaCha8Rng;

/// Numbers along i, j and k in the order of a tensor's axes: k, j, i, or j, i for a plane.
pub(super) fn axes<const N: usize>(along: [usize; 3]) -> [usize; N] {
    std::array::from_fn(|axis| along[N - 1 - axis])
}

/// Lets a network of planes see each slice of a volume by itself.
///
/// # Shapes
/// - x `[batch, channels, k, j, i]`, what `run` sees `[batch * k, channels, j, i]`; output `[batch, classes, k, j',
///   i']`
pub(super) fn per_slice(x: Tensor<5>, run: impl FnOnce(Tensor<4>) -> Vec<Tensor<4>>) -> Vec<Tensor<5>> {
    let [batch, channels, slices, height, width] = x.dims();
    // with one slice only, nothing has to change its place
    let x = if slices == 1 { x } else { x.swap_dims(1, 2) };
    let maps = run(x.reshape([batch * slices, channels, height, width]));
    let back = |map: Tensor<4>| {
        let [_, classes, height, width] = map.dims();
        if slices == 1 {
            return map.reshape([batch, classes, 1, height, width]);
        }
        map.reshape([batch, slices, classes, height, width]).swap_dims(1, 2)
    };
    maps.into_iter().map(back).collect()
}

/// The middle of x, as large as `like` along every axis behind the channels.
///
/// # Shapes
/// - x `[batch, channels, axes…]`; output `[batch, channels, like…]`
pub(super) fn centre<const D: usize>(mut x: Tensor<D>, like: &[usize]) -> Tensor<D> {
    for (axis, &length) in like.iter().enumerate().skip(2) {
        let found = x.dims()[axis];
        if found != length {
            x = x.narrow(axis, (found - length) / 2, length);
        }
    }
    x
}

/// A convolution with padding and without a bias, as torchvision starts those of its residual networks: normal, with a
/// variance of 2 by the outputs that an input reaches (He et al. 2015).
pub(super) fn plain(inputs: usize, outputs: usize, kernel: usize) -> ConvConfig {
    let reached = (outputs * kernel * kernel) as f64;
    ConvConfig::new(inputs, outputs, kernel).same().with_bias(false).with_init(Init::Normal((2.0 / reached).sqrt()))
}

/// Batch normalisation with a rectifier behind it.
pub(super) fn rectified(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_activation(Activation::Relu).init(device)
}

/// A convolution, batch normalisation where there is any, and a rectifier.
#[derive(Module, Debug)]
pub(super) struct Unit<const D: usize, const N: usize> {
    conv: Conv<D, N>,
    norm: Option<BatchNorm>,
}

impl<const D: usize, const N: usize> Unit<D, N> {
    pub(super) fn init(
        conv: &ConvConfig,
        norm: Option<&BatchNormConfig>,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        let norm = norm.map(|norm| norm.clone().with_activation(Activation::Relu).init(device));
        Ok(Self { conv: conv.init(device, rng)?, norm })
    }

    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes'…]`
    pub(super) fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let x = self.conv.forward(x);
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => relu(x),
        }
    }
}

/// A convolution with padding whose axes may have kernels and strides of their own.
#[derive(Module, Debug)]
pub(super) struct AxisConv<const D: usize, const N: usize> {
    weight: Param<Tensor<D>>,
    bias: Option<Param<Tensor<1>>>,
    stride: [usize; N],
    padding: [usize; N],
}

impl<const D: usize, const N: usize> AxisConv<D, N> {
    /// Starts as He et al. 2015 propose, with biases of zero. Kernels are odd, so that stride 1 keeps the size.
    pub(super) fn init(
        [inputs, outputs]: [usize; 2],
        kernel: [usize; N],
        stride: [usize; N],
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let shape = shape([outputs, inputs], kernel);
        let weight = Init::HeNormal.param(shape, Fan::conv(shape), rng, device);
        let bias = Some(Param::from_tensor(Tensor::zeros([outputs], device)));
        Self { weight, bias, stride, padding: kernel.map(|length| length / 2) }
    }

    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes / stride…]`
    pub(super) fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let options = ConvOptions::new(self.stride, self.padding, [1; N], 1);
        ops::conv(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

/// A transposed convolution that multiplies each axis by its stride.
#[derive(Module, Debug)]
pub(super) struct UpConv<const D: usize, const N: usize> {
    weight: Param<Tensor<D>>,
    bias: Option<Param<Tensor<1>>>,
    stride: [usize; N],
    padding: [usize; N],
    /// Places at the end that the strides alone would leave out.
    extra: [usize; N],
}

impl<const D: usize, const N: usize> UpConv<D, N> {
    /// A kernel as long as its stride, so that windows lie side by side.
    pub(super) fn tiles(
        channels: [usize; 2],
        stride: [usize; N],
        init: Init,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        Self::new(channels, stride, stride, init, device, rng)
    }

    /// A kernel that may be longer than its stride: what it has more is taken off both ends.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        kernel: [usize; N],
        stride: [usize; N],
        init: Init,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let shape = shape([inputs, outputs], kernel);
        let fan = Fan::conv(shape);
        let weight = init.param(shape, fan, rng, device);
        let bias = match init {
            Init::PyTorchDefault => init.param([outputs], fan, rng, device),
            _ => Param::from_tensor(Tensor::zeros([outputs], device)),
        };
        let over: [usize; N] = std::array::from_fn(|axis| kernel[axis].saturating_sub(stride[axis]));
        let padding = over.map(|over| over.div_ceil(2));
        let extra = over.map(|over| over % 2);
        Self { weight, bias: Some(bias), stride, padding, extra }
    }

    /// Takes nothing off the ends: what the kernel has more than the stride makes the output longer.
    pub(super) fn whole(self) -> Self {
        Self { padding: [0; N], extra: [0; N], ..self }
    }

    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes * stride…]`
    pub(super) fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let options = ConvTransposeOptions::new(self.stride, self.padding, self.extra, [1; N], 1);
        ops::conv_transpose(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

/// Two numbers of channels and a kernel behind them.
fn shape<const D: usize, const N: usize>(channels: [usize; 2], kernel: [usize; N]) -> [usize; D] {
    std::array::from_fn(|axis| if axis < 2 { channels[axis] } else { kernel[axis - 2] })
}
