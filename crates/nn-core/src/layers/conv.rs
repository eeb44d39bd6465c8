//! Convolutions as layers, over the operations of [`crate::ops`].

use burn::module::{Module, Param};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::init::{Fan, Init};
use crate::config::{ConfigError, in_range};
use crate::ops;

/// A convolution over one axis.
pub type Conv1d = Conv<3, 1>;
/// A convolution over two axes.
pub type Conv2d = Conv<4, 2>;
/// A convolution over three axes.
pub type Conv3d = Conv<5, 3>;
/// A transposed convolution over one axis.
pub type ConvTranspose1d = ConvTranspose<3, 1>;
/// A transposed convolution over two axes.
pub type ConvTranspose2d = ConvTranspose<4, 2>;
/// A transposed convolution over three axes.
pub type ConvTranspose3d = ConvTranspose<5, 3>;

/// Sizes of a convolution; the same along every axis where a number stands for all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvConfig {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Length of the kernel.
    pub kernel: usize,
    /// Positions from a window to the next.
    pub stride: usize,
    /// Zeros on each side; of a transposed convolution, values taken off each side.
    pub padding: usize,
    /// Positions from a tap of the kernel to the next.
    pub dilation: usize,
    /// Groups of channels that don't see each other.
    pub groups: usize,
    /// Whether a value is added to each channel.
    pub bias: bool,
    /// Distribution of the starting weights and biases.
    #[serde(skip, default = "torch")]
    pub init: Init,
}

fn torch() -> Init {
    Init::PyTorchDefault
}

impl ConvConfig {
    /// A convolution of stride 1 without padding, with PyTorch's starting values.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { inputs, outputs, kernel, stride: 1, padding: 0, dilation: 1, groups: 1, bias: true, init: torch() }
    }

    /// Pads so that the output has the length of the input, for an odd kernel at stride 1.
    pub fn same(self) -> Self {
        let padding = (self.kernel - 1) * self.dilation / 2;
        Self { padding, ..self }
    }

    /// Sets the stride.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets the padding.
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// Sets the dilation.
    pub fn with_dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// Sets the number of groups.
    pub fn with_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Leaves the bias out or in.
    pub fn with_bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets the distribution of the starting weights; biases then start at zero, unless it is PyTorch's.
    pub fn with_init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=usize::MAX)?;
        in_range("outputs", self.outputs, 1..=usize::MAX)?;
        in_range("kernel", self.kernel, 1..=4096)?;
        in_range("stride", self.stride, 1..=4096)?;
        in_range("dilation", self.dilation, 1..=4096)?;
        in_range("groups", self.groups, 1..=self.inputs)?;
        if !self.inputs.is_multiple_of(self.groups) || !self.outputs.is_multiple_of(self.groups) {
            let (inputs, outputs, groups) = (self.inputs, self.outputs, self.groups);
            return Err(ConfigError::Conflict(format!(
                "groups = {groups} must divide inputs = {inputs} and outputs = {outputs}"
            )));
        }
        Ok(())
    }

    fn bias(&self, fan: Fan, rng: &mut ChaCha8Rng, device: &Device) -> Option<Param<Tensor<1>>> {
        let init = if self.init == Init::PyTorchDefault { self.init } else { Init::Constant(0.0) };
        self.bias.then(|| init.param([self.outputs], fan, rng, device))
    }

    /// A convolution on `device` with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`], as [`ConvConfig::validate`].
    pub fn init<const D: usize, const N: usize>(
        &self,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Conv<D, N>, ConfigError> {
        self.validate()?;
        let mut shape = [self.kernel; D];
        (shape[0], shape[1]) = (self.outputs, self.inputs / self.groups);
        let fan = Fan::conv(shape);
        let weight = self.init.param(shape, fan, rng, device);
        let (stride, padding, dilation) = (self.stride, self.padding, self.dilation);
        Ok(Conv { weight, bias: self.bias(fan, rng, device), stride, padding, dilation, groups: self.groups })
    }

    /// A transposed convolution on `device` with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`], as [`ConvConfig::validate`].
    pub fn init_transposed<const D: usize, const N: usize>(
        &self,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<ConvTranspose<D, N>, ConfigError> {
        self.validate()?;
        let mut shape = [self.kernel; D];
        (shape[0], shape[1]) = (self.inputs, self.outputs / self.groups);
        // PyTorch counts the second axis of the weight as inputs here too
        let fan = Fan::conv(shape);
        let weight = self.init.param(shape, fan, rng, device);
        let (stride, padding, dilation) = (self.stride, self.padding, self.dilation);
        Ok(ConvTranspose { weight, bias: self.bias(fan, rng, device), stride, padding, dilation, groups: self.groups })
    }
}

/// A convolution over `N` axes; `D` is `N + 2`.
#[derive(Module, Debug)]
pub struct Conv<const D: usize, const N: usize> {
    /// `[out, in / groups, kernel…]`.
    pub weight: Param<Tensor<D>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
}

impl<const D: usize, const N: usize> Conv<D, N> {
    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes'…]`
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let options = ConvOptions::new([self.stride; N], [self.padding; N], [self.dilation; N], self.groups);
        ops::conv(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

/// A transposed convolution over `N` axes; `D` is `N + 2`.
#[derive(Module, Debug)]
pub struct ConvTranspose<const D: usize, const N: usize> {
    /// `[in, out / groups, kernel…]`.
    pub weight: Param<Tensor<D>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
}

impl<const D: usize, const N: usize> ConvTranspose<D, N> {
    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes'…]`
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let options =
            ConvTransposeOptions::new([self.stride; N], [self.padding; N], [0; N], [self.dilation; N], self.groups);
        ops::conv_transpose(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;

    #[test]
    fn sizes_and_parameters_are_those_of_pytorch() {
        let device = Device::flex();
        let conv: Conv2d =
            ConvConfig::new(3, 8, 5).with_stride(2).with_padding(2).init(&device, &mut rng(1, &[])).unwrap();
        // torch.nn.Conv2d(3, 8, 5, 2, 2): 3·8·25 + 8 parameters, 17 → 9
        assert_eq!(conv.num_params(), 608);
        assert_eq!(conv.forward(Tensor::zeros([2, 3, 17, 17], &device)).dims(), [2, 8, 9, 9]);
        let up: ConvTranspose3d =
            ConvConfig::new(4, 2, 2).with_stride(2).init_transposed(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(up.num_params(), 66);
        assert_eq!(up.forward(Tensor::zeros([1, 4, 3, 4, 5], &device)).dims(), [1, 2, 6, 8, 10]);
        // every starting value within 1/√(inputs · kernel)
        let bound = 1.0 / 75.0_f32.sqrt();
        assert!(conv.weight.val().abs().max().into_scalar::<f32>() <= bound);
        assert!(conv.weight.val().abs().max().into_scalar::<f32>() > 0.9 * bound);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = ConvConfig::new(6, 9, 3).with_groups(2).validate().unwrap_err().to_string();
        assert_eq!(error, "groups = 2 must divide inputs = 6 and outputs = 9");
        assert!(ConvConfig::new(6, 9, 0).validate().is_err());
    }
}
