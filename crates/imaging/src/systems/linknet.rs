//! `LinkNet`: a residual encoder whose maps are added to those of a light decoder.
//!
//! Chaurasia and Culurciello 2017, *`LinkNet`: Exploiting Encoder Representations for Efficient Semantic Segmentation*,
//! VCIP, figures 1 and 2: `ResNet`-18 as encoder, 11.5 million parameters; what a decoder does not know of the place it
//! gets by addition from the encoder. Layers, strides and the constants of the normalisation as in the authors' code
//! (repository e-lab/LinkNet, `models/model.lua`). With 34 layers it is the encoder of Shvets et al. 2018. The
//! encoder's parameters have torchvision's names, so that the weights of its `resnet18` fit with `fc` left over.
//!
//! Published training: RMSprop with a rate of 0.0005, classes weighted by `1 / ln(1.02 + share)`.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNorm, BatchNormConfig, Conv2d, ConvConfig};
use nn_core::ops::{Activation, max_pool};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::{Unit, UpConv, rectified};
use super::resnet::{BasicBlock, blocks, pass, stage, stem};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkNetConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes, the background included.
    pub classes: usize,
    /// Layers with weights of the encoder's network: 18 or 34.
    pub depth: usize,
    /// Features of the first stage, a multiple of 4; every further one has twice as many.
    pub base: usize,
}

impl Default for LinkNetConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 2, depth: 18, base: 64 }
    }
}

impl LinkNetConfig {
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
        blocks(self.depth)?;
        Ok(())
    }

    /// Builds the network with the authors' starting values, from the input on.
    ///
    /// # Errors
    /// What [`LinkNetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<LinkNet, ConfigError> {
        self.validate()?;
        let [one, two, three, four] = blocks(self.depth)?;
        let base = self.base;
        Ok(LinkNet {
            conv1: stem(self.channels, base, false, device, rng)?,
            bn1: rectified(base, device),
            layer1: stage([base, base], one, 1, device, rng)?,
            layer2: stage([base, 2 * base], two, 2, device, rng)?,
            layer3: stage([2 * base, 4 * base], three, 2, device, rng)?,
            layer4: stage([4 * base, 8 * base], four, 2, device, rng)?,
            decoder4: Decoder::init([8 * base, 4 * base], 2, device, rng)?,
            decoder3: Decoder::init([4 * base, 2 * base], 2, device, rng)?,
            decoder2: Decoder::init([2 * base, base], 2, device, rng)?,
            decoder1: Decoder::init([base, base], 1, device, rng)?,
            up1: UpConv::new([base, base / 2], [3, 3], [2, 2], outgoing(base / 2, 3), device, rng),
            norm1: rectified(base / 2, device),
            conv2: Unit::init(
                &conv(base / 2, base / 2, 3),
                Some(&BatchNormConfig::new(base / 2).with_epsilon(LOOSE)),
                device,
                rng,
            )?,
            up2: UpConv::tiles([base / 2, self.classes], [2, 2], outgoing(self.classes, 2), device, rng),
            config: self.clone(),
        })
    }
}

/// What the authors' decoder adds to the variance of a batch.
const LOOSE: f64 = 1e-3;

/// Normal, with a variance of 2 by the outputs that an input reaches.
fn outgoing(outputs: usize, kernel: usize) -> Init {
    Init::Normal((2.0 / (outputs * kernel * kernel) as f64).sqrt())
}

fn conv(inputs: usize, outputs: usize, kernel: usize) -> ConvConfig {
    ConvConfig::new(inputs, outputs, kernel).same().with_init(outgoing(outputs, kernel))
}

/// A quarter of the features, a transposed convolution, the features of the level above.
#[derive(Module, Debug)]
struct Decoder {
    conv1: Unit<4, 2>,
    up: UpConv<4, 2>,
    norm: BatchNorm,
    conv2: Unit<4, 2>,
}

impl Decoder {
    fn init(
        [inputs, outputs]: [usize; 2],
        stride: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        let few = inputs / 4;
        let norm = |channels: usize| BatchNormConfig::new(channels).with_epsilon(LOOSE);
        Ok(Self {
            conv1: Unit::init(&conv(inputs, few, 1), Some(&norm(few)), device, rng)?,
            up: UpConv::new([few, few], [3, 3], [stride; 2], outgoing(few, 3), device, rng),
            norm: norm(few).with_activation(Activation::Relu).init(device),
            conv2: Unit::init(&conv(few, outputs, 1), Some(&norm(outputs)), device, rng)?,
        })
    }

    /// # Shapes
    /// - x `[batch, inputs, height, width]`; output `[batch, outputs, height * stride, width * stride]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv1.forward(x); // [batch, inputs / 4, height, width]
        let x = self.norm.forward(self.up.forward(x)); // [batch, inputs / 4, height * stride, width * stride]
        self.conv2.forward(x) // [batch, outputs, height * stride, width * stride]
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct LinkNet {
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
    up1: UpConv<4, 2>,
    norm1: BatchNorm,
    conv2: Unit<4, 2>,
    up2: UpConv<4, 2>,
    #[module(skip)]
    config: LinkNetConfig,
}

impl LinkNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &LinkNetConfig {
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
        assert!(fits, "{height} rows of {width} pixels for a LinkNet; use multiples of 32");
        let x = self.bn1.forward(self.conv1.forward(x)); // [batch, base, j / 2, i / 2]
        let x = max_pool(x, [3, 3], [2, 2], [1, 1]); // [batch, base, j / 4, i / 4]
        let e1 = pass(&self.layer1, x.clone()); // [batch, base, j / 4, i / 4]
        let e2 = pass(&self.layer2, e1.clone()); // [batch, 2 base, j / 8, i / 8]
        let e3 = pass(&self.layer3, e2.clone()); // [batch, 4 base, j / 16, i / 16]
        let e4 = pass(&self.layer4, e3.clone()); // [batch, 8 base, j / 32, i / 32]
        // the rectifier that the authors put behind each sum changes nothing: both terms are rectified
        let d4 = self.decoder4.forward(e4) + e3; // [batch, 4 base, j / 16, i / 16]
        let d3 = self.decoder3.forward(d4) + e2; // [batch, 2 base, j / 8, i / 8]
        let d2 = self.decoder2.forward(d3) + e1; // [batch, base, j / 4, i / 4]
        let d1 = self.decoder1.forward(d2) + x; // [batch, base, j / 4, i / 4]
        let x = self.norm1.forward(self.up1.forward(d1)); // [batch, base / 2, j / 2, i / 2]
        self.up2.forward(self.conv2.forward(x)) // [batch, classes, j, i]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;
    use nn_core::store::PyTorchImport;

    use super::*;
    use crate::systems::SegmentConfig;
    use crate::systems::golden::{assert_golden, filled, input, partly_imported, segments_by_heart};

    fn small() -> LinkNetConfig {
        LinkNetConfig { classes: 3, base: 4, ..LinkNetConfig::default() }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        let device = Device::flex();
        // table II of the paper: 11.5 million parameters; the same network in PyTorch with 19 classes, and its
        // normalised channels, which burn counts twice more
        let net = LinkNetConfig { classes: 19, ..LinkNetConfig::default() }.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.num_params(), PARAMETERS + 2 * NORMALISED);
    }
    const PARAMETERS: usize = 11_536_691;
    const NORMALISED: usize = 5_856;

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-4: single precision against double through 30 layers
        assert_golden(net.forward(input("linknet", [2, 3, 64, 32])), "linknet", 1e-4);
    }

    #[test]
    fn the_encoder_reads_weights_of_torchvision() {
        let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let file = include_bytes!("../../tests/golden/resnet18.pt");
        let report = partly_imported(net, "resnet18.pt", file, &PyTorchImport::default()).1;
        let unused: Vec<&String> = report.unused.iter().filter(|name| !name.ends_with("num_batches_tracked")).collect();
        assert_eq!(unused, ["fc.bias", "fc.weight"]);
        assert!(report.missing.iter().all(|name| !name.starts_with("layer") && !name.starts_with("conv1")));
        assert_eq!(report.applied.len(), 100, "weights and statistics of 20 convolutions");
    }

    #[test]
    fn it_learns_a_picture_by_heart() {
        let left =
            segments_by_heart(&SegmentConfig::Linknet(LinkNetConfig { channels: 1, base: 8, ..small() }), 120, 1e-2);
        // the shares of the classes alone leave 0.43
        assert!(left < 0.25, "{left}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = LinkNetConfig { base: 6, ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "base = 6 must be a multiple of 4: the decoder works on a quarter of the features");
        assert!(LinkNetConfig { depth: 50, ..small() }.validate().is_err());
    }
}
