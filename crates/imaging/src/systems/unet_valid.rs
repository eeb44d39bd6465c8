//! The U-Net of 2015: convolutions without padding, so that every label is found from real pixels alone.
//!
//! Ronneberger, Fischer and Brox 2015, *U-Net: Convolutional Networks for Biomedical Image Segmentation*, MICCAI,
//! section 2 and figure 1: 572 pixels in, 388 out; weights drawn with a variance of 2 by the inputs of a unit; dropout
//! at the end of the contracting path. Images larger than a tile are seen tile by tile, with the surroundings mirrored
//! at the border (overlap-tile); [`SegmentConfig::margin`](super::SegmentConfig::margin) is what a tile needs of them.
//!
//! Published training: batches of one tile, momentum of 0.99, the border weights of
//! [`border_weights`](super::border_weights).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::dropout;
use nn_core::layers::init::Init;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::hourglass::{Hourglass, Plan, Tiles};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnetValidConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes, the background included.
    pub classes: usize,
    /// Features of the finest level; every further level has twice as many.
    pub base: usize,
    /// Resolutions.
    pub levels: usize,
    /// Dropout at the end of the contracting path, 0 to 0.95; the paper does not say how much, the authors' network
    /// file has 0.5.
    pub dropout: f64,
}

impl Default for UnetValidConfig {
    fn default() -> Self {
        Self { channels: 1, classes: 2, base: 64, levels: 5, dropout: 0.5 }
    }
}

impl UnetValidConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("levels", self.levels, 2..=9)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds the network with the paper's starting values, from the input on.
    ///
    /// # Errors
    /// What [`UnetValidConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<UnetValid, ConfigError> {
        self.validate()?;
        let levels: Vec<usize> = (0..self.levels).map(|level| self.base << level).collect();
        let plan = Plan {
            channels: self.channels,
            classes: self.classes,
            levels: levels.iter().map(|&features| [features; 2]).collect(),
            up: levels[..self.levels - 1].to_vec(),
            norm: false,
            padded: false,
            init: Init::HeNormal,
        };
        Ok(UnetValid { net: Hourglass::init(&plan, device, rng)?, config: self.clone() })
    }

    fn tiles(&self) -> Tiles {
        Tiles { levels: self.levels }
    }

    pub(super) fn multiple(&self) -> [usize; 3] {
        [self.tiles().step(), self.tiles().step(), 1]
    }

    pub(super) fn margin(&self) -> [usize; 3] {
        [self.tiles().margin(), self.tiles().margin(), 0]
    }

    pub(super) fn input_for(&self, [i, j, k]: [usize; 3]) -> [usize; 3] {
        [self.tiles().input_for(i), self.tiles().input_for(j), k.max(1)]
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct UnetValid {
    net: Hourglass<4, 2>,
    #[module(skip)]
    config: UnetValidConfig,
}

impl UnetValid {
    /// The sizes it was built with.
    pub fn config(&self) -> &UnetValidConfig {
        &self.config
    }

    /// Logits of the classes. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, channels, j, i]`; output `[batch, classes, j - 2 margin, i - 2 margin]`
    ///
    /// # Panics
    /// When a size is not one of [`SegmentConfig::input_for`](super::SegmentConfig::input_for).
    pub fn forward(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<4> {
        let dims = x.dims();
        dims[2..].iter().for_each(|&size| self.config.tiles().check(size));
        self.net.forward(x, |x| dropout(x, self.config.dropout, rng))
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::golden::{assert_golden, filled, input, segments_by_heart};
    use crate::systems::{SegmentConfig, Segmenter};

    fn small() -> UnetValidConfig {
        UnetValidConfig { channels: 2, classes: 3, base: 4, levels: 3, dropout: 0.5 }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        let device = Device::flex();
        let config = UnetValidConfig::default();
        // 23 convolutional layers (section 2); the same network in PyTorch has 31,030,658 parameters
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.num_params(), 31_030_658);
        let config = SegmentConfig::UnetValid(config);
        assert_eq!((config.margin(), config.multiple()), ([92, 92, 0], [16, 16, 1]));
        assert_eq!(config.input_for([388, 388, 1]), [572, 572, 1]);
        // 572 pixels of the full network take seconds: the same sizes with few features
        let net = UnetValidConfig { base: 2, ..UnetValidConfig::default() }.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.forward(Tensor::zeros([1, 1, 572, 572], &device), None).dims(), [1, 2, 388, 388]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("unet_valid", [2, 2, 44, 52]), None), "unet_valid", 1e-5);
    }

    #[test]
    fn it_learns_a_picture_by_heart() {
        let net = SegmentConfig::UnetValid(UnetValidConfig { channels: 1, base: 8, dropout: 0.1, ..small() });
        let left = segments_by_heart(&net, 60, 3e-3);
        // the shares of the classes alone leave 0.43
        assert!(left < 0.2, "{left}");
    }

    #[test]
    fn dropout_is_a_matter_of_the_generator() {
        let net = SegmentConfig::UnetValid(small()).init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let run = |noise: Option<u64>| {
            let mut rng = noise.map(|noise| rng(noise, &[]));
            net.maps(input("noise", [1, 2, 1, 44, 44]), rng.as_mut()).remove(0).into_data()
        };
        assert_eq!(run(Some(1)), run(Some(1)));
        assert_ne!(run(Some(1)), run(Some(2)));
        assert_eq!(run(None), run(None));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = UnetValidConfig { levels: 1, ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "levels = 1 is out of range; allowed: 2 to 9");
        assert!(UnetValidConfig { dropout: 1.0, ..small() }.validate().is_err());
    }
}
