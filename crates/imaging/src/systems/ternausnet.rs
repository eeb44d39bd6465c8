//! `TernausNet`-11: a U-Net whose encoder is a network that can name a thousand things.
//!
//! Iglovikov and Shvets 2018, *`TernausNet`: U-Net with VGG11 Encoder Pre-Trained on `ImageNet` for Image
//! Segmentation*, arXiv:1801.05746, figure 1; layers as in the authors' code (repository ternaus/TernausNet, `UNet11`).
//! With [`TernausNetConfig::vgg11`] the encoder takes torchvision's weights of `vgg11`. Shvets et al. 2018 use it for
//! the instruments of a robot, with the loss [`jaccard_loss`](super::jaccard_loss).

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Conv2d, ConvConfig};
use nn_core::ops::{join, max_pool};
use nn_core::store::PyTorchImport;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::{Unit, UpConv};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TernausNetConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes, the background included. The published network has one output, for a logistic function.
    pub classes: usize,
    /// Features by which the decoder counts; the encoder begins with twice as many, 64.
    pub filters: usize,
}

impl Default for TernausNetConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 2, filters: 32 }
    }
}

/// Convolutions of VGG11 in front of each pooling.
const STAGES: [usize; 5] = [1, 1, 2, 2, 2];

impl TernausNetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("filters", self.filters, 1..=1024)
    }

    /// How torchvision's names of `vgg11` become those of the encoder; its `classifier` is left over.
    pub fn vgg11() -> PyTorchImport {
        PyTorchImport { renames: vec![(r"^features\.".to_owned(), "encoder.".to_owned())], ..PyTorchImport::default() }
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`TernausNetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<TernausNet, ConfigError> {
        self.validate()?;
        let filters = self.filters;
        let mut encoder = Vec::with_capacity(8);
        let mut inputs = self.channels;
        for (stage, &convolutions) in STAGES.iter().enumerate() {
            let features = filters * [2, 4, 8, 16, 16][stage];
            for _ in 0..convolutions {
                encoder.push(ConvConfig::new(inputs, features, 3).same().init(device, rng)?);
                inputs = features;
            }
        }
        // features in, between and out, by the number of filters
        let mut decoder = Vec::with_capacity(5);
        for [inputs, middle, outputs] in [[16, 16, 8], [24, 16, 8], [24, 16, 4], [12, 8, 2], [6, 4, 1]] {
            decoder.push(Decoder::init([inputs, middle, outputs].map(|features| features * filters), device, rng)?);
        }
        let last = Unit::init(&ConvConfig::new(3 * filters, filters, 3).same(), None, device, rng)?;
        let head = ConvConfig::new(filters, self.classes, 1).init(device, rng)?;
        Ok(TernausNet { encoder, decoder, last, head, config: self.clone() })
    }
}

/// A convolution and a transposed one that doubles the resolution, both rectified.
#[derive(Module, Debug)]
struct Decoder {
    conv: Unit<4, 2>,
    up: UpConv<4, 2>,
}

impl Decoder {
    fn init([inputs, middle, outputs]: [usize; 3], device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        Ok(Self {
            conv: Unit::init(&ConvConfig::new(inputs, middle, 3).same(), None, device, rng)?,
            up: UpConv::new([middle, outputs], [3, 3], [2, 2], Init::PyTorchDefault, device, rng),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.up.forward(self.conv.forward(x))) // [batch, outputs, 2 height, 2 width]
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct TernausNet {
    encoder: Vec<Conv2d>,
    /// Coarsest first.
    decoder: Vec<Decoder>,
    last: Unit<4, 2>,
    head: Conv2d,
    #[module(skip)]
    config: TernausNetConfig,
}

impl TernausNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &TernausNetConfig {
        &self.config
    }

    /// Logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, channels, j, i]`; output `[batch, classes, j, i]`
    ///
    /// # Panics
    /// When a size is no multiple of 32.
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let fits = height.is_multiple_of(32) && width.is_multiple_of(32);
        assert!(fits, "{height} rows of {width} pixels for a TernausNet; use multiples of 32");
        let mut convolutions = self.encoder.iter();
        let mut skips = Vec::with_capacity(STAGES.len());
        for count in STAGES {
            for conv in convolutions.by_ref().take(count) {
                x = relu(conv.forward(x)); // [batch, features, j / 2^stage, i / 2^stage]
            }
            skips.push(x.clone());
            x = max_pool(x, [2, 2], [2, 2], [0, 0]); // [batch, features, j / 2^(stage + 1), i / 2^(stage + 1)]
        }
        for block in &self.decoder {
            let grown = block.forward(x); // [batch, features, 2 height, 2 width]
            x = match skips.pop() {
                Some(skip) => join(grown, skip), // [batch, features + those of the encoder, 2 height, 2 width]
                None => grown,
            };
        }
        self.head.forward(self.last.forward(x)) // [batch, classes, j, i]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::SegmentConfig;
    use crate::systems::golden::{assert_golden, filled, input, partly_imported, segments_by_heart};

    fn small() -> TernausNetConfig {
        TernausNetConfig { classes: 3, filters: 2, ..TernausNetConfig::default() }
    }

    #[test]
    fn sizes_are_those_of_the_authors_code() {
        // sum(p.numel()) of UNet11, which has one output
        let config = TernausNetConfig { classes: 1, ..TernausNetConfig::default() };
        assert_eq!(config.init(&Device::flex(), &mut rng(1, &[])).unwrap().num_params(), 22_927_393);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("ternausnet", [2, 3, 64, 32])), "ternausnet", 1e-5);
    }

    #[test]
    fn the_encoder_reads_weights_of_torchvision() {
        let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let file = include_bytes!("../../tests/golden/vgg11.pt");
        let (net, report) = partly_imported(net, "vgg11.pt", file, &TernausNetConfig::vgg11());
        assert_eq!(report.applied.len(), 16, "weights and biases of 8 convolutions");
        assert_eq!(report.unused, ["classifier.0.bias", "classifier.0.weight"]);
        assert!(report.missing.iter().all(|name| !name.starts_with("encoder")));
        let mut x = input("vgg11", [1, 3, 32, 32]);
        for (layer, conv) in net.encoder.iter().enumerate() {
            if [1, 2, 4, 6].contains(&layer) {
                x = max_pool(x, [2, 2], [2, 2], [0, 0]);
            }
            x = relu(conv.forward(x));
        }
        // 1e-5: single precision on both sides, of values below 1
        assert_golden(x, "vgg11", 1e-5);
    }

    #[test]
    fn it_learns_a_picture_by_heart() {
        let config = TernausNetConfig { channels: 1, filters: 4, ..small() };
        let left = segments_by_heart(&SegmentConfig::Ternausnet(config), 120, 3e-3);
        // the shares of the classes alone leave 0.43
        assert!(left < 0.2, "{left}");
    }

    #[test]
    #[should_panic(expected = "64 rows of 48 pixels for a TernausNet; use multiples of 32")]
    fn other_sizes_are_refused() {
        let device = Device::flex();
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        let _ = net.forward(Tensor::zeros([1, 3, 64, 48], &device));
    }
}
