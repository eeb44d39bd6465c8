//! The U-Net with padding, in two or three dimensions, whose sizes follow the images.
//!
//! Ronneberger et al. 2015 in the form of Isensee et al. 2021, *nnU-Net: a self-configuring method for deep
//! learning-based biomedical image segmentation*, Nature Methods 18:203: convolutions that keep the size, a
//! normalisation of each image with a leaky rectifier behind it, strides and kernels that follow the spacing of the
//! voxels, and deep supervision. Everything that a plan decides is a field of [`UnetConfig`].

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Norm, NormConfig, NormKind, dropout};
use nn_core::ops::{Activation, join, max_pool};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Segmenter;
use super::blocks::{AxisConv, UpConv, axes, per_slice};

/// How a level gets to half of its resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    /// The maximum of neighbours, as in 2015.
    #[default]
    MaxPool,
    /// A stride of the level's first convolution, as nnU-Net has it.
    Stride,
}

/// Sizes of the network; the defaults are those of nnU-Net for planes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnetConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes, the background included.
    pub classes: usize,
    /// 2 for a network that sees each slice by itself, 3 for one that sees volumes.
    pub dims: usize,
    /// Features of the finest level; every further level has twice as many.
    pub base: usize,
    /// The most features that a level has; 512 for planes and 320 for volumes in nnU-Net.
    pub widest: usize,
    /// Resolutions.
    pub levels: usize,
    /// How many times coarser each level is than the one before, along i, j and k: one entry for each level but the
    /// finest. Empty for 2 along each axis that the network sees.
    pub strides: Vec<[usize; 3]>,
    /// Length of the kernels of each level along i, j and k, odd. Empty for 3 along each axis that the network sees.
    pub kernels: Vec<[usize; 3]>,
    /// What stands behind each convolution.
    pub norm: NormConfig,
    /// How a level gets to its resolution.
    pub down: Down,
    /// Whether coarser levels answer too while the network trains: all on the way up but the coarsest of these.
    pub deep_supervision: bool,
    /// Dropout at the end of the contracting path, 0 to 0.95.
    pub dropout: f64,
}

impl Default for UnetConfig {
    fn default() -> Self {
        Self {
            channels: 1,
            classes: 2,
            dims: 2,
            base: 32,
            widest: 512,
            levels: 5,
            strides: Vec::new(),
            kernels: Vec::new(),
            norm: NormConfig { kind: NormKind::Instance, activation: Activation::LeakyRelu(0.01) },
            down: Down::MaxPool,
            deep_supervision: false,
            dropout: 0.0,
        }
    }
}

impl UnetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("dims", self.dims, 2..=3)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("widest", self.widest, 1..=1 << 20)?;
        in_range("levels", self.levels, 1..=9)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        let levels = self.levels;
        let (strides, kernels) = (self.strides.len(), self.kernels.len());
        for (field, found, wanted) in [("strides", strides, levels - 1), ("kernels", kernels, levels)] {
            if found != 0 && found != wanted {
                return Err(ConfigError::Conflict(format!(
                    "{found} {field} for {levels} levels; give {wanted}, or none for the usual ones"
                )));
            }
        }
        for step in &self.strides {
            step.iter().try_for_each(|&stride| in_range("strides", stride, 1..=8))?;
        }
        for kernel in &self.kernels {
            kernel.iter().try_for_each(|&length| in_range("kernels", length, 1..=15))?;
            if kernel.iter().any(|length| length.is_multiple_of(2)) {
                return Err(ConfigError::Conflict(format!("kernels = {kernel:?}: an even kernel has no middle")));
            }
        }
        if self.dims == 2 && self.strides.iter().chain(&self.kernels).any(|along| along[2] != 1) {
            return Err(ConfigError::Conflict(
                "with dims = 2 the strides and kernels along k must be 1: slices do not see each other".to_owned(),
            ));
        }
        (0..levels).try_for_each(|level| self.norm.validate(self.features(level)))
    }

    fn features(&self, level: usize) -> usize {
        (self.base << level).min(self.widest)
    }

    /// Strides to each level but the finest, along i, j, k.
    fn steps(&self) -> Vec<[usize; 3]> {
        if self.strides.is_empty() { vec![self.usual(2); self.levels - 1] } else { self.strides.clone() }
    }

    /// A number along the axes that the network sees, and 1 along the others.
    fn usual(&self, number: usize) -> [usize; 3] {
        [number, number, if self.dims == 3 { number } else { 1 }]
    }

    pub(super) fn multiple(&self) -> [usize; 3] {
        let steps = self.steps();
        std::array::from_fn(|axis| steps.iter().map(|step| step[axis]).product())
    }

    /// Levels on the way up that answer while the network trains.
    fn heads(&self) -> usize {
        if self.deep_supervision { self.levels.saturating_sub(2).max(1) } else { 1 }
    }

    /// How many times coarser each map of [`Segmenter::maps`] is than the first, along i, j, k: the first entry is 1
    /// along each.
    pub fn coarseness(&self) -> Vec<[usize; 3]> {
        let mut scale = [1; 3];
        let mut scales = vec![scale];
        for step in self.steps().iter().take(self.heads() - 1) {
            scale = std::array::from_fn(|axis| scale[axis] * step[axis]);
            scales.push(scale);
        }
        scales
    }

    /// Builds the network with starting values as He et al. 2015 propose, from the input on.
    ///
    /// # Errors
    /// What [`UnetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Unet, ConfigError> {
        self.validate()?;
        let net = if self.dims == 2 {
            Axes::Flat(Body::init(self, device, rng)?)
        } else {
            Axes::Solid(Body::init(self, device, rng)?)
        };
        Ok(Unet { net, config: self.clone() })
    }
}

/// Two convolutions, each with its normalisation.
#[derive(Module, Debug)]
struct Block<const D: usize, const N: usize> {
    conv1: AxisConv<D, N>,
    norm1: Norm,
    conv2: AxisConv<D, N>,
    norm2: Norm,
}

impl<const D: usize, const N: usize> Block<D, N> {
    fn forward(&self, x: Tensor<D>) -> Tensor<D> {
        let x = self.norm1.forward(self.conv1.forward(x)); // [batch, features, axes / stride]
        self.norm2.forward(self.conv2.forward(x)) // [batch, features, axes / stride]
    }
}

#[derive(Module, Debug)]
struct Body<const D: usize, const N: usize> {
    encoder: Vec<Block<D, N>>,
    up: Vec<UpConv<D, N>>,
    decoder: Vec<Block<D, N>>,
    /// Finest first.
    heads: Vec<AxisConv<D, N>>,
}

impl<const D: usize, const N: usize> Body<D, N> {
    fn init(config: &UnetConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        let kernels: Vec<[usize; N]> = if config.kernels.is_empty() {
            vec![[3; N]; config.levels]
        } else {
            config.kernels.iter().copied().map(axes).collect()
        };
        let steps: Vec<[usize; N]> = config.steps().into_iter().map(axes).collect();
        let block = |inputs: usize, level: usize, stride: [usize; N], rng: &mut ChaCha8Rng| {
            let (features, kernel) = (config.features(level), kernels[level]);
            Ok::<_, ConfigError>(Block {
                conv1: AxisConv::init([inputs, features], kernel, stride, device, rng),
                norm1: config.norm.init(features, device)?,
                conv2: AxisConv::init([features, features], kernel, [1; N], device, rng),
                norm2: config.norm.init(features, device)?,
            })
        };
        let mut encoder = Vec::with_capacity(config.levels);
        let mut inputs = config.channels;
        for level in 0..config.levels {
            let stride = if level > 0 && config.down == Down::Stride { steps[level - 1] } else { [1; N] };
            encoder.push(block(inputs, level, stride, rng)?);
            inputs = config.features(level);
        }
        let (mut up, mut decoder) = (Vec::new(), Vec::new());
        for level in (0..config.levels - 1).rev() {
            let features = config.features(level);
            up.push(UpConv::tiles([config.features(level + 1), features], steps[level], Init::HeNormal, device, rng));
            decoder.push(block(2 * features, level, [1; N], rng)?);
        }
        let heads = (0..config.heads())
            .map(|level| AxisConv::init([config.features(level), config.classes], [1; N], [1; N], device, rng))
            .collect();
        Ok(Self { encoder, up, decoder, heads })
    }

    fn run(&self, mut x: Tensor<D>, config: &UnetConfig, rng: Option<&mut ChaCha8Rng>) -> Vec<Tensor<D>> {
        let training = rng.is_some();
        let steps: Vec<[usize; N]> = config.steps().into_iter().map(axes).collect();
        let mut skips = Vec::with_capacity(self.encoder.len());
        for (level, block) in self.encoder.iter().enumerate() {
            if level > 0 {
                skips.push(x.clone());
                if config.down == Down::MaxPool {
                    x = max_pool(x, steps[level - 1], steps[level - 1], [0; N]); // [batch, features, axes / stride]
                }
            }
            x = block.forward(x); // [batch, features', axes / stride]
        }
        x = dropout(x, config.dropout, rng);
        let mut maps = Vec::with_capacity(self.heads.len());
        if let (true, Some(head)) = (self.up.is_empty(), self.heads.first()) {
            maps.push(head.forward(x.clone())); // [batch, classes, axes]
        }
        for (level, (up, block)) in (0..self.up.len()).rev().zip(self.up.iter().zip(&self.decoder)) {
            let grown = up.forward(x); // [batch, features, axes * stride]
            let joined = match skips.pop() {
                Some(skip) => join(skip, grown), // [batch, 2 features, axes * stride]
                None => grown,
            };
            x = block.forward(joined); // [batch, features, axes * stride]
            if let Some(head) = self.heads.get(level)
                && (level == 0 || training)
            {
                maps.push(head.forward(x.clone())); // [batch, classes, axes * stride]
            }
        }
        maps.reverse();
        maps
    }
}

#[derive(Module, Debug)]
enum Axes {
    Flat(Body<4, 2>),
    Solid(Body<5, 3>),
}

/// The network.
#[derive(Module, Debug)]
pub struct Unet {
    net: Axes,
    #[module(skip)]
    config: UnetConfig,
}

impl Unet {
    /// The sizes it was built with.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }
}

impl Segmenter for Unet {
    fn maps(&self, x: Tensor<5>, rng: Option<&mut ChaCha8Rng>) -> Vec<Tensor<5>> {
        let (multiple, dims) = (self.config.multiple(), x.dims());
        let fits = (0..3).all(|axis| dims[4 - axis].is_multiple_of(multiple[axis]));
        assert!(fits, "sizes {:?} (k, j, i) of a U-Net; use multiples (i, j, k) of {multiple:?}", &dims[2..]);
        match &self.net {
            Axes::Flat(body) => per_slice(x, |x| body.run(x, &self.config, rng)),
            Axes::Solid(body) => body.run(x, &self.config, rng),
        }
    }
}

#[cfg(test)]
mod tests;
