//! U-Net and the blocks that it is made of, in two and three dimensions.
//!
//! Ronneberger, Fischer & Brox 2015, *U-Net: Convolutional Networks for Biomedical Image Segmentation*; Çiçek et al.
//! 2016, *3D U-Net*. Here in the same-padded form with a normalisation behind each convolution, as both are built
//! today: every level halves the resolution and doubles the channels.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::conv::{Conv, ConvConfig, ConvTranspose};
use super::norm_kind::{Norm, NormConfig};
use crate::config::{ConfigError, in_range};
use crate::ops;

/// A U-Net in two dimensions.
pub type UNet2d = UNet<4, 2>;
/// A U-Net in three dimensions.
pub type UNet3d = UNet<5, 3>;

/// Sizes of a U-Net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNetConfig {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Channels of the first level; each further level has twice as many.
    pub base: usize,
    /// Resolutions; each axis is halved `levels − 1` times.
    pub levels: usize,
    /// What stands behind each convolution of a block.
    pub norm: NormConfig,
}

impl Default for UNetConfig {
    /// One channel in and out; 64 channels and five levels (Ronneberger et al. 2015, figure 1).
    fn default() -> Self {
        Self { inputs: 1, outputs: 1, base: 64, levels: 5, norm: NormConfig::default() }
    }
}

impl UNetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=1 << 16)?;
        in_range("outputs", self.outputs, 1..=1 << 16)?;
        in_range("base", self.base, 1..=1 << 12)?;
        in_range("levels", self.levels, 1..=9)?;
        (0..self.levels).try_for_each(|level| self.norm.validate(self.base << level))
    }

    /// What each axis of the input must be a multiple of.
    pub fn multiple(&self) -> usize {
        1 << (self.levels - 1)
    }

    /// A network on `device` with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`], as [`UNetConfig::validate`].
    pub fn init<const D: usize, const N: usize>(
        &self,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<UNet<D, N>, ConfigError> {
        self.validate()?;
        let channels: Vec<usize> = (0..self.levels).map(|level| self.base << level).collect();
        let mut encoder = Vec::with_capacity(self.levels);
        let mut inputs = self.inputs;
        for &outputs in &channels {
            encoder.push(DoubleConv::init(inputs, outputs, &self.norm, device, rng)?);
            inputs = outputs;
        }
        let (mut up, mut decoder) = (Vec::new(), Vec::new());
        for pair in channels.windows(2).rev() {
            up.push(ConvConfig::new(pair[1], pair[0], 2).with_stride(2).init_transposed(device, rng)?);
            decoder.push(DoubleConv::init(2 * pair[0], pair[0], &self.norm, device, rng)?);
        }
        let head = ConvConfig::new(self.base, self.outputs, 1).init(device, rng)?;
        Ok(UNet { encoder, up, decoder, head })
    }
}

/// Two convolutions of width 3, each with its normalisation and nonlinearity.
#[derive(Module, Debug)]
pub struct DoubleConv<const D: usize, const N: usize> {
    conv1: Conv<D, N>,
    norm1: Norm,
    conv2: Conv<D, N>,
    norm2: Norm,
}

impl<const D: usize, const N: usize> DoubleConv<D, N> {
    /// A block on `device` with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`] for sizes that don't fit.
    pub fn init(
        inputs: usize,
        outputs: usize,
        norm: &NormConfig,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            conv1: ConvConfig::new(inputs, outputs, 3).same().init(device, rng)?,
            norm1: norm.init(outputs, device)?,
            conv2: ConvConfig::new(outputs, outputs, 3).same().init(device, rng)?,
            norm2: norm.init(outputs, device)?,
        })
    }

    /// # Shapes
    /// - x `[batch, in, axes…]`; output `[batch, out, axes…]`
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let x = self.norm1.forward(self.conv1.forward(x)); // [batch, out, axes…]
        self.norm2.forward(self.conv2.forward(x)) // [batch, out, axes…]
    }
}

/// A U-Net over `N` axes; `D` is `N + 2`.
#[derive(Module, Debug)]
pub struct UNet<const D: usize, const N: usize> {
    encoder: Vec<DoubleConv<D, N>>,
    up: Vec<ConvTranspose<D, N>>,
    decoder: Vec<DoubleConv<D, N>>,
    head: Conv<D, N>,
}

impl<const D: usize, const N: usize> UNet<D, N> {
    /// # Shapes
    /// - x `[batch, in, axes…]`, each axis a multiple of [`UNetConfig::multiple`]; output `[batch, out, axes…]`, logits
    ///
    /// # Panics
    /// When an axis is no such multiple.
    pub fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let multiple = 1_usize << self.up.len();
        let dims = x.dims();
        assert!(
            dims[2..].iter().all(|axis| axis.is_multiple_of(multiple)),
            "axes {:?} of a U-Net with {} levels must be multiples of {multiple}",
            &dims[2..],
            self.encoder.len()
        );
        let mut skips = Vec::with_capacity(self.encoder.len());
        let mut x = x;
        for (level, block) in self.encoder.iter().enumerate() {
            if level > 0 {
                skips.push(x.clone());
                x = ops::max_pool(x, [2; N], [2; N], [0; N]); // [batch, channels, axes / 2]
            }
            x = block.forward(x); // [batch, base · 2^level, axes / 2^level]
        }
        for (up, block) in self.up.iter().zip(&self.decoder) {
            let grown = up.forward(x); // [batch, channels / 2, axes · 2]
            let joined = match skips.pop() {
                Some(skip) => ops::join(skip, grown), // [batch, channels, axes · 2]
                None => grown,
            };
            x = block.forward(joined); // [batch, channels / 2, axes · 2]
        }
        self.head.forward(x) // [batch, out, axes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;

    #[test]
    fn parameters_are_those_of_the_pytorch_twins() {
        // sum(p.numel()) of the same networks in PyTorch: 2-D, base 32, 5 levels; 3-D, base 16, 4 levels
        let device = Device::flex();
        let config = UNetConfig { base: 32, ..UNetConfig::default() };
        let flat: UNet2d = config.init(&device, &mut rng(1, &[])).unwrap();
        let solid: UNet3d = UNetConfig { base: 16, levels: 4, ..config }.init(&device, &mut rng(1, &[])).unwrap();
        // burn counts the running mean and variance of each normalised channel too
        let norms = |base: usize, levels: usize| -> usize {
            (0..levels).map(|l| 2 * (base << l)).sum::<usize>()
                + (0..levels - 1).map(|l| 2 * (base << l)).sum::<usize>()
        };
        assert_eq!(flat.num_params() - 2 * norms(32, 5), FLAT);
        assert_eq!(solid.num_params() - 2 * norms(16, 4), SOLID);
    }
    const FLAT: usize = 7_765_409;
    const SOLID: usize = 1_401_969;

    #[test]
    fn shapes_are_kept() {
        let device = Device::flex();
        let config = UNetConfig { inputs: 2, outputs: 3, base: 4, levels: 3, ..UNetConfig::default() };
        let flat: UNet2d = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(flat.forward(Tensor::ones([1, 2, 12, 20], &device)).dims(), [1, 3, 12, 20]);
        let solid: UNet3d = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(solid.forward(Tensor::ones([2, 2, 4, 8, 12], &device)).dims(), [2, 3, 4, 8, 12]);
    }
}
