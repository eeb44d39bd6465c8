//! `LinkNet`-34 for the instruments of a robot: a `ResNet`-34 as encoder, and a decoder of its own.
//!
//! Shvets, Rakhlin, Kalinin and Iglovikov 2018, *Automatic Instrument Segmentation in Robot-Assisted Surgery Using Deep
//! Learning*, ICMLA, section IV; layers as in the authors' code (repository ternaus/robot-surgery-segmentation,
//! `LinkNet34`). Against [`linknet`](super::linknet): transposed convolutions of 4 pixels that overlap evenly, every
//! decoder doubles the resolution, and the last one has nothing added to it; the head convolves without padding, and the
//! sizes come out even. The encoder's parameters have torchvision's names, so that the weights of its `resnet34` fit with
//! `fc` left over.
//!
//! Published training: [`jaccard_loss`](super::jaccard_loss), Adam with a rate of 0.0001.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNorm, BatchNormConfig, Conv2d, ConvConfig};
use nn_core::ops::max_pool;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::{Unit, UpConv, rectified};
use super::resnet::{BasicBlock, blocks, pass, stage, stem};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkNet34Config {
    /// Channels in.
    pub channels: usize,
    /// Classes, the background included. The published network has one output for two classes.
    pub classes: usize,
    /// Features of the first stage, a multiple of 4; every further one has twice as many.
    pub base: usize,
}

impl Default for LinkNet34Config {
    fn default() -> Self {
        Self { channels: 3, classes: 2, base: 64 }
    }
}

impl LinkNet34Config {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=256)?;
        in_range("base", self.base, 4..=4096)?;
        if !self.base.is_multiple_of(4) {
            return Err(ConfigError::Conflict(format!(
                "base = {} must be a multiple of 4: the decoder works on a quarter of the features",
                self.base
            )));
        }
        Ok(())
    }

    /// Builds the network: the encoder with torchvision's starting values, the decoder with PyTorch's, from the input on.
    ///
    /// # Errors
    /// What [`LinkNet34Config::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<LinkNet34, ConfigError> {
        self.validate()?;
        let [one, two, three, four] = blocks(34)?;
        let base = self.base;
        let half = base / 2;
        Ok(LinkNet34 {
            conv1: stem(self.channels, base, false, device, rng)?,
            bn1: rectified(base, device),
            layer1: stage([base, base], one, 1, device, rng)?,
            layer2: stage([base, 2 * base], two, 2, device, rng)?,
            layer3: stage([2 * base, 4 * base], three, 2, device, rng)?,
            layer4: stage([4 * base, 8 * base], four, 2, device, rng)?,
            decoder4: Decoder::init([8 * base, 4 * base], device, rng)?,
            decoder3: Decoder::init([4 * base, 2 * base], device, rng)?,
            decoder2: Decoder::init([2 * base, base], device, rng)?,
            decoder1: Decoder::init([base, base], device, rng)?,
            head1: UpConv::new([base, half], [3, 3], [2, 2], Init::PyTorchDefault, device, rng).whole(),
            head2: ConvConfig::new(half, half, 3).init(device, rng)?,
            head3: ConvConfig::new(half, self.classes, 2).with_padding(1).init(device, rng)?,
            config: self.clone(),
        })
    }
}

/// A quarter of the features, twice the resolution, the features of the level above.
#[derive(Module, Debug)]
struct Decoder {
    conv1: Unit<4, 2>,
    up: UpConv<4, 2>,
    norm: BatchNorm,
    conv2: Unit<4, 2>,
}

impl Decoder {
    fn init([inputs, outputs]: [usize; 2], device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        let few = inputs / 4;
        let norm = |channels: usize| BatchNormConfig::new(channels);
        Ok(Self {
            conv1: Unit::init(&ConvConfig::new(inputs, few, 1), Some(&norm(few)), device, rng)?,
            up: UpConv::new([few, few], [4, 4], [2, 2], Init::PyTorchDefault, device, rng),
            norm: rectified(few, device),
            conv2: Unit::init(&ConvConfig::new(few, outputs, 1), Some(&norm(outputs)), device, rng)?,
        })
    }

    /// # Shapes
    /// - x `[batch, inputs, height, width]`; output `[batch, outputs, 2 height, 2 width]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv1.forward(x); // [batch, inputs / 4, height, width]
        let x = self.norm.forward(self.up.forward(x)); // [batch, inputs / 4, 2 height, 2 width]
        self.conv2.forward(x) // [batch, outputs, 2 height, 2 width]
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct LinkNet34 {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    decoder4: Decoder,
    decoder3: Decoder,
    decoder2: Decoder,
    decoder1: Decoder,
    head1: UpConv<4, 2>,
    head2: Conv2d,
    head3: Conv2d,
    #[module(skip)]
    config: LinkNet34Config,
}

impl LinkNet34 {
    /// The sizes it was built with.
    pub fn config(&self) -> &LinkNet34Config {
        &self.config
    }

    /// Logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, channels, j, i]`; output `[batch, classes, j, i]`
    ///
    /// # Panics
    /// When a size is no multiple of 32.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let fits = height.is_multiple_of(32) && width.is_multiple_of(32);
        assert!(fits, "{height} rows of {width} pixels for a LinkNet-34; use multiples of 32");
        let x = self.bn1.forward(self.conv1.forward(x)); // [batch, base, j / 2, i / 2]
        let x = max_pool(x, [3, 3], [2, 2], [1, 1]); // [batch, base, j / 4, i / 4]
        let e1 = pass(&self.layer1, x); // [batch, base, j / 4, i / 4]
        let e2 = pass(&self.layer2, e1.clone()); // [batch, 2 base, j / 8, i / 8]
        let e3 = pass(&self.layer3, e2.clone()); // [batch, 4 base, j / 16, i / 16]
        let e4 = pass(&self.layer4, e3.clone()); // [batch, 8 base, j / 32, i / 32]
        let d4 = self.decoder4.forward(e4) + e3; // [batch, 4 base, j / 16, i / 16]
        let d3 = self.decoder3.forward(d4) + e2; // [batch, 2 base, j / 8, i / 8]
        let d2 = self.decoder2.forward(d3) + e1; // [batch, base, j / 4, i / 4]
        let d1 = self.decoder1.forward(d2); // [batch, base, j / 2, i / 2]
        let x = relu(self.head1.forward(d1)); // [batch, base / 2, j + 1, i + 1]
        let x = relu(self.head2.forward(x)); // [batch, base / 2, j − 1, i − 1]
        self.head3.forward(x) // [batch, classes, j, i]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;
    use nn_core::store::PyTorchImport;

    use super::*;
    use crate::systems::SegmentConfig;
    use crate::systems::golden::{assert_golden, filled, input, partly_imported, segments_by_heart};

    fn small() -> LinkNet34Config {
        LinkNet34Config { classes: 3, base: 4, ..LinkNet34Config::default() }
    }

    #[test]
    fn sizes_are_those_of_the_authors_code() {
        // sum(p.numel()) of LinkNet34, which has one output, and its normalised channels, which burn counts twice more
        let config = LinkNet34Config { classes: 1, ..LinkNet34Config::default() };
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        assert_eq!(net.num_params(), PARAMETERS + 2 * NORMALISED);
    }
    const PARAMETERS: usize = 21_794_721;
    const NORMALISED: usize = 9_504;

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-4: single precision against double through 46 layers
        assert_golden(net.forward(input("linknet34", [2, 3, 64, 32])), "linknet34", 1e-4);
    }

    #[test]
    fn the_first_blocks_read_weights_of_torchvision() {
        let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        // a ResNet-18 has the first two blocks of each stage of a ResNet-34, and no others
        let file = include_bytes!("../../tests/golden/resnet18.pt");
        let report = partly_imported(net, "resnet18.pt", file, &PyTorchImport::default()).1;
        let unused: Vec<&String> = report.unused.iter().filter(|name| !name.ends_with("num_batches_tracked")).collect();
        assert_eq!(unused, ["fc.bias", "fc.weight"]);
        assert_eq!(report.applied.len(), 100, "weights and statistics of 20 convolutions");
    }

    #[test]
    fn it_learns_a_picture_by_heart() {
        let config = LinkNet34Config { channels: 1, base: 8, ..small() };
        let left = segments_by_heart(&SegmentConfig::Linknet34(config), 120, 1e-2);
        // the shares of the classes alone leave 0.43
        assert!(left < 0.25, "{left}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = LinkNet34Config { base: 6, ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "base = 6 must be a multiple of 4: the decoder works on a quarter of the features");
    }

    #[test]
    #[should_panic(expected = "64 rows of 48 pixels for a LinkNet-34; use multiples of 32")]
    fn other_sizes_panic() {
        let device = Device::flex();
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        let _ = net.forward(Tensor::zeros([1, 3, 64, 48], &device));
    }
}
