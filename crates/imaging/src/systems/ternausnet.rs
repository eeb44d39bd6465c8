//! `TernausNet`-11 and -16: U-Nets whose encoder is a network that can name a thousand things.
//!
//! Iglovikov and Shvets 2018, *`TernausNet`: U-Net with VGG11 Encoder Pre-Trained on `ImageNet` for Image
//! Segmentation*, arXiv:1801.05746, figure 1; layers as in the authors' code (repository ternaus/TernausNet, `UNet11`).
//! With [`TernausNetConfig::vgg`] the encoder takes torchvision's weights of `vgg11`. Shvets et al. 2018, *Automatic
//! Instrument Segmentation in Robot-Assisted Surgery Using Deep Learning*, ICMLA, use it for the instruments of a robot,
//! with the loss [`jaccard_loss`](super::jaccard_loss), and find the one with VGG16 better: layers as in their code
//! (repository ternaus/robot-surgery-segmentation, `UNet16`).

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
    /// Layers with weights of the encoder's network: 11 or 16.
    pub depth: usize,
    /// Features by which the decoder counts; the encoder begins with twice as many, 64.
    pub filters: usize,
}

impl Default for TernausNetConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 2, depth: 11, filters: 32 }
    }
}

/// What the two depths differ in.
struct Layers {
    /// Convolutions of the encoder in front of each pooling.
    stages: [usize; 5],
    /// Features in, between and out of each decoder, by the number of filters, coarsest first.
    decoder: [[usize; 3]; 5],
    /// Pixels along the kernel of a transposed convolution.
    kernel: usize,
}

impl Layers {
    fn of(depth: usize) -> Result<Self, ConfigError> {
        match depth {
            11 => Ok(Self {
                stages: [1, 1, 2, 2, 2],
                decoder: [[16, 16, 8], [24, 16, 8], [24, 16, 4], [12, 8, 2], [6, 4, 1]],
                kernel: 3,
            }),
            16 => Ok(Self {
                stages: [2, 2, 3, 3, 3],
                decoder: [[16, 16, 8], [24, 16, 8], [24, 16, 8], [16, 8, 2], [6, 4, 1]],
                kernel: 4,
            }),
            _ => {
                let (value, allowed) = (depth.to_string(), "11 or 16".to_owned());
                Err(ConfigError::OutOfRange { field: "depth", value, allowed })
            }
        }
    }
}

impl TernausNetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("filters", self.filters, 1..=1024)?;
        Layers::of(self.depth).map(drop)
    }

    /// How torchvision's names of `vgg11` or `vgg16` become those of the encoder; its `classifier` is left over.
    pub fn vgg() -> PyTorchImport {
        PyTorchImport { renames: vec![(r"^features\.".to_owned(), "encoder.".to_owned())], ..PyTorchImport::default() }
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`TernausNetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<TernausNet, ConfigError> {
        self.validate()?;
        let filters = self.filters;
        let layers = Layers::of(self.depth)?;
        let mut encoder = Vec::with_capacity(13);
        let mut inputs = self.channels;
        for (stage, &convolutions) in layers.stages.iter().enumerate() {
            let features = filters * [2, 4, 8, 16, 16][stage];
            for _ in 0..convolutions {
                encoder.push(ConvConfig::new(inputs, features, 3).same().init(device, rng)?);
                inputs = features;
            }
        }
        let mut decoder = Vec::with_capacity(5);
        for features in layers.decoder {
            decoder.push(Decoder::init(features.map(|features| features * filters), layers.kernel, device, rng)?);
        }
        let last = Unit::init(&ConvConfig::new(3 * filters, filters, 3).same(), None, device, rng)?;
        let head = ConvConfig::new(filters, self.classes, 1).init(device, rng)?;
        Ok(TernausNet { encoder, decoder, last, head, stages: layers.stages, config: self.clone() })
    }
}

/// A convolution and a transposed one that doubles the resolution, both rectified.
#[derive(Module, Debug)]
struct Decoder {
    conv: Unit<4, 2>,
    up: UpConv<4, 2>,
}

impl Decoder {
    fn init(
        [inputs, middle, outputs]: [usize; 3],
        kernel: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            conv: Unit::init(&ConvConfig::new(inputs, middle, 3).same(), None, device, rng)?,
            up: UpConv::new([middle, outputs], [kernel; 2], [2, 2], Init::PyTorchDefault, device, rng),
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
    stages: [usize; 5],
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
        let mut skips = Vec::with_capacity(self.stages.len());
        for count in self.stages {
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
        // and of UNet16
        let config = TernausNetConfig { depth: 16, ..config };
        assert_eq!(config.init(&Device::flex(), &mut rng(1, &[])).unwrap().num_params(), 32_202_337);
        let error = TernausNetConfig { depth: 13, ..config }.validate().unwrap_err().to_string();
        assert!(error.contains("11 or 16"), "{error}");
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("ternausnet", [2, 3, 64, 32])), "ternausnet", 1e-5);
        let net = filled(TernausNetConfig { depth: 16, ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        assert_golden(net.forward(input("ternausnet16", [2, 3, 64, 32])), "ternausnet16", 1e-5);
    }

    #[test]
    fn the_encoder_reads_weights_of_torchvision() {
        let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let file = include_bytes!("../../tests/golden/vgg11.pt");
        let (net, report) = partly_imported(net, "vgg11.pt", file, &TernausNetConfig::vgg());
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
        for (depth, steps) in [(11, 120), (16, 160)] {
            let config = TernausNetConfig { channels: 1, depth, filters: 4, ..small() };
            let left = segments_by_heart(&SegmentConfig::Ternausnet(config), steps, 3e-3);
            // the shares of the classes alone leave 0.43
            assert!(left < 0.2, "{depth}: {left}");
        }
    }

    #[test]
    #[should_panic(expected = "64 rows of 48 pixels for a TernausNet; use multiples of 32")]
    fn other_sizes_are_refused() {
        let device = Device::flex();
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        let _ = net.forward(Tensor::zeros([1, 3, 64, 48], &device));
    }
}
