//! The 3-D U-Net: volumes from a few labelled slices.
//!
//! Çiçek et al. 2016, *3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation*, MICCAI, section 2 and
//! figure 2: four levels, channels doubled before each pooling, batch normalisation before each rectifier; 132 × 132 ×
//! 116 voxels in, 44 × 44 × 28 out, 19,069,955 parameters (without those of the normalisations and the biases of the
//! transposed convolutions). Voxels without a label have a weight of 0 in the loss: give them the
//! label that the loss ignores.
//!
//! Published training: a softmax with weights by class, less for the frequent background.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::hourglass::{Hourglass, Plan, Tiles};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unet3dConfig {
    /// Channels in; 3 in the paper.
    pub channels: usize,
    /// Classes, the background included; 3 in the paper.
    pub classes: usize,
    /// Features behind the first convolution.
    pub base: usize,
    /// Resolutions.
    pub levels: usize,
    /// Whether convolutions keep the size, which the published ones do not.
    pub padded: bool,
}

impl Default for Unet3dConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 3, base: 32, levels: 4, padded: false }
    }
}

impl Unet3dConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("levels", self.levels, 2..=9)
    }

    /// Builds the network with starting values as He et al. 2015 propose, from the input on.
    ///
    /// # Errors
    /// What [`Unet3dConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Unet3d, ConfigError> {
        self.validate()?;
        let levels: Vec<[usize; 2]> =
            (0..self.levels).map(|level| [self.base << level, self.base << (level + 1)]).collect();
        let plan = Plan {
            channels: self.channels,
            classes: self.classes,
            // what comes up to a level has the features of the level below it
            up: levels[1..].iter().map(|&[_, features]| features).collect(),
            levels,
            norm: true,
            padded: self.padded,
            init: Init::HeNormal,
        };
        Ok(Unet3d { net: Hourglass::init(&plan, device, rng)?, config: self.clone() })
    }

    fn tiles(&self) -> Tiles {
        Tiles { levels: self.levels }
    }

    pub(super) fn multiple(&self) -> [usize; 3] {
        [self.tiles().step(); 3]
    }

    pub(super) fn margin(&self) -> [usize; 3] {
        [if self.padded { 0 } else { self.tiles().margin() }; 3]
    }

    pub(super) fn input_for(&self, output: [usize; 3]) -> [usize; 3] {
        let tiles = self.tiles();
        output.map(|size| if self.padded { size.max(1).next_multiple_of(tiles.step()) } else { tiles.input_for(size) })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Unet3d {
    net: Hourglass<5, 3>,
    #[module(skip)]
    config: Unet3dConfig,
}

impl Unet3d {
    /// The sizes it was built with.
    pub fn config(&self) -> &Unet3dConfig {
        &self.config
    }

    /// Logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, channels, k, j, i]`; output `[batch, classes, k - 2 margin, j - 2 margin, i - 2 margin]`
    ///
    /// # Panics
    /// When a size is not one of [`SegmentConfig::input_for`](super::SegmentConfig::input_for).
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let tiles = self.config.tiles();
        let dims = x.dims();
        for &size in &dims[2..] {
            if self.config.padded {
                let step = tiles.step();
                assert!(size.is_multiple_of(step), "a size of {size} for a 3-D U-Net; use a multiple of {step}");
            } else {
                tiles.check(size);
            }
        }
        self.net.forward(x, |x| x)
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::SegmentConfig;
    use crate::systems::golden::{assert_golden, filled, input, segments_by_heart};

    fn small() -> Unet3dConfig {
        Unet3dConfig { channels: 2, classes: 3, base: 2, levels: 3, padded: false }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        // Section 2: 19069955 parameters in total, which is the number without the scale and shift of the 2,336
        // normalised channels (two each, and two running statistics that burn counts) and without the 896 biases of the
        // transposed convolutions; the network in PyTorch has 19,075,523.
        let device = Device::flex();
        let config = Unet3dConfig::default();
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.num_params(), 19_069_955 + 4 * 2_336 + 896);
        assert_eq!(net.num_params(), 19_075_523 + 2 * 2_336);
        let config = SegmentConfig::Unet3d(config);
        assert_eq!((config.margin(), config.multiple()), ([44; 3], [8; 3]));
        assert_eq!(config.input_for([44, 44, 28]), [132, 132, 116]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let device = Device::flex();
        let net = filled(small().init(&device, &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("unet3d", [1, 2, 44, 48, 44])), "unet3d.valid", 1e-5);
        let net = filled(Unet3dConfig { padded: true, ..small() }.init(&device, &mut rng(1, &[])).unwrap());
        assert_golden(net.forward(input("unet3d.padded", [2, 2, 8, 4, 12])), "unet3d.padded", 1e-5);
    }

    #[test]
    fn it_learns_a_volume_by_heart() {
        let net = SegmentConfig::Unet3d(Unet3dConfig { channels: 1, base: 4, padded: true, ..small() });
        let left = segments_by_heart(&net, 60, 1e-2);
        // the shares of the classes alone leave 0.20
        assert!(left < 0.1, "{left}");
    }

    #[test]
    #[should_panic(expected = "a size of 45 for a U-Net without padding; use 44 or a multiple of 4 more")]
    fn other_sizes_are_refused() {
        let device = Device::flex();
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        let _ = net.forward(Tensor::zeros([1, 2, 44, 44, 45], &device));
    }
}
