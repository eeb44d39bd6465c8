//! `DenseNet`: every layer reads what all layers before it have found.
//!
//! Huang, Liu, van der Maaten and Weinberger 2017, *Densely Connected Convolutional Networks*, CVPR, table 1:
//! `DenseNet`-121, with a convolution of width 1 before each of width 3 and features halved between blocks (the paper's
//! "BC"). With [`DenseNetConfig::pytorch`] torchvision's weights are read, both as they are written today and as the
//! published files spell them.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNorm, Conv2d, ConvConfig, dense, dropout};
use nn_core::ops::{avg_pool, global_avg_pool, join, max_pool};
use nn_core::store::PyTorchImport;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Classifier;
use super::blocks::rectified;

/// The smallest height and width: two halvings before the first block round up, three between the blocks round down.
pub(super) const SMALLEST: usize = 29;

/// Sizes of the network; the defaults are those of `DenseNet`-121 for `ImageNet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenseNetConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
    /// Features behind the first convolution.
    pub base: usize,
    /// Features that each layer adds.
    pub growth: usize,
    /// Features between the two convolutions of a layer, as a multiple of the growth.
    pub bottleneck: usize,
    /// Layers of each block.
    pub blocks: [usize; 4],
    /// Dropout before the last layer, 0 to 0.95; none in the paper.
    pub dropout: f64,
}

impl Default for DenseNetConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 1000, base: 64, growth: 32, bottleneck: 4, blocks: [6, 12, 24, 16], dropout: 0.0 }
    }
}

impl DenseNetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("base", self.base, 2..=4096)?;
        in_range("growth", self.growth, 1..=1024)?;
        in_range("bottleneck", self.bottleneck, 1..=64)?;
        self.blocks.iter().try_for_each(|&layers| in_range("blocks", layers, 1..=256))?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Features behind each block, before they are halved.
    fn widths(&self) -> [usize; 4] {
        let mut width = self.base;
        self.blocks.map(|layers| {
            let found = width + layers * self.growth;
            width = found / 2;
            found
        })
    }

    /// Features that the last layer reads; 1,024 of `DenseNet`-121.
    pub fn features(&self) -> usize {
        self.widths()[3]
    }

    /// How torchvision's names become ours.
    pub fn pytorch() -> PyTorchImport {
        let renames = [
            // layers are counted from 1, which the numbering in lists takes care of
            (r"\.denselayer(\d+)\.", ".${1}."),
            // files of 2017: norm.1 for norm1
            (r"\.(norm|conv)\.([12])\.", ".${1}${2}."),
        ];
        PyTorchImport {
            renames: renames.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec(),
            ..PyTorchImport::default()
        }
    }

    /// Builds the network with torchvision's starting values of the convolutions, from the input on.
    ///
    /// # Errors
    /// What [`DenseNetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DenseNet, ConfigError> {
        self.validate()?;
        Ok(DenseNet {
            features: Features::init(self, device, rng)?,
            classifier: dense([self.features(), self.classes], Init::PyTorchDefault, device, rng),
            config: self.clone(),
        })
    }
}

/// A convolution without a bias, normal with a variance of 2 by the inputs of a unit.
fn conv(inputs: usize, outputs: usize, kernel: usize) -> ConvConfig {
    ConvConfig::new(inputs, outputs, kernel).same().with_bias(false).with_init(Init::HeNormal)
}

/// Two convolutions, each behind a normalisation and a rectifier.
#[derive(Module, Debug)]
pub struct DenseLayer {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
}

impl DenseLayer {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let own = self.conv1.forward(self.norm1.forward(x.clone())); // [batch, bottleneck * growth, height, width]
        let own = self.conv2.forward(self.norm2.forward(own)); // [batch, growth, height, width]
        join(x, own) // [batch, features + growth, height, width]
    }
}

/// Half as many features at half the resolution.
#[derive(Module, Debug)]
pub struct Transition {
    norm: BatchNorm,
    conv: Conv2d,
}

impl Transition {
    fn init(features: usize, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        Ok(Self { norm: rectified(features, device), conv: conv(features, features / 2, 1).init(device, rng)? })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(self.norm.forward(x)); // [batch, features / 2, height, width]
        avg_pool(x, [2, 2], [2, 2], [0, 0], true) // [batch, features / 2, height / 2, width / 2]
    }
}

/// Everything before the last layer.
#[derive(Module, Debug)]
pub struct Features {
    conv0: Conv2d,
    norm0: BatchNorm,
    denseblock1: Vec<DenseLayer>,
    transition1: Transition,
    denseblock2: Vec<DenseLayer>,
    transition2: Transition,
    denseblock3: Vec<DenseLayer>,
    transition3: Transition,
    denseblock4: Vec<DenseLayer>,
    norm5: BatchNorm,
}

impl Features {
    pub(super) fn init(config: &DenseNetConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        let widths = config.widths();
        let block = |number: usize, rng: &mut ChaCha8Rng| {
            let mut inputs = widths[number] - config.blocks[number] * config.growth;
            let mut layers = Vec::with_capacity(config.blocks[number]);
            for _ in 0..config.blocks[number] {
                let middle = config.bottleneck * config.growth;
                layers.push(DenseLayer {
                    norm1: rectified(inputs, device),
                    conv1: conv(inputs, middle, 1).init(device, rng)?,
                    norm2: rectified(middle, device),
                    conv2: conv(middle, config.growth, 3).init(device, rng)?,
                });
                inputs += config.growth;
            }
            Ok::<_, ConfigError>(layers)
        };
        Ok(Self {
            conv0: conv(config.channels, config.base, 7).with_stride(2).init(device, rng)?,
            norm0: rectified(config.base, device),
            denseblock1: block(0, rng)?,
            transition1: Transition::init(widths[0], device, rng)?,
            denseblock2: block(1, rng)?,
            transition2: Transition::init(widths[1], device, rng)?,
            denseblock3: block(2, rng)?,
            transition3: Transition::init(widths[2], device, rng)?,
            denseblock4: block(3, rng)?,
            norm5: rectified(widths[3], device),
        })
    }

    /// # Shapes
    /// - x `[batch, channels, height, width]`; output `[batch, features, height / 32, width / 32]`
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let pass = |layers: &[DenseLayer], x: Tensor<4>| layers.iter().fold(x, |x, layer| layer.forward(x));
        let x = self.norm0.forward(self.conv0.forward(x)); // [batch, base, height / 2, width / 2]
        let x = max_pool(x, [3, 3], [2, 2], [1, 1]); // [batch, base, height / 4, width / 4]
        let x = self.transition1.forward(pass(&self.denseblock1, x)); // [batch, features, height / 8, width / 8]
        let x = self.transition2.forward(pass(&self.denseblock2, x)); // [batch, features, height / 16, width / 16]
        let x = self.transition3.forward(pass(&self.denseblock3, x)); // [batch, features, height / 32, width / 32]
        self.norm5.forward(pass(&self.denseblock4, x)) // [batch, features, height / 32, width / 32]
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DenseNet {
    features: Features,
    classifier: Linear,
    #[module(skip)]
    config: DenseNetConfig,
}

impl DenseNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &DenseNetConfig {
        &self.config
    }
}

impl Classifier for DenseNet {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        let maps = probe.add(self.features.forward(x)); // [batch, features, height / 32, width / 32]
        let features = dropout(global_avg_pool(maps), self.config.dropout, rng); // [batch, features]
        self.classifier.forward(features) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::ClassifyConfig;
    use crate::systems::golden::{assert_golden, classifies_by_heart, filled, imported, input};

    fn small() -> DenseNetConfig {
        DenseNetConfig {
            classes: 3,
            base: 8,
            growth: 4,
            bottleneck: 2,
            blocks: [2, 11, 2, 2],
            ..DenseNetConfig::default()
        }
    }

    #[test]
    fn sizes_are_torchvisions() {
        let device = Device::flex();
        let config = DenseNetConfig::default();
        assert_eq!(config.features(), 1024);
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        // torchvision's densenet121: 7,978,856 parameters, 41,824 normalised channels, which burn counts twice more
        assert_eq!(net.num_params(), 7_978_856 + 2 * 41_824);
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.logits(Tensor::zeros([2, 3, SMALLEST, SMALLEST], &device), None).dims(), [2, 3]);
    }

    #[test]
    fn outputs_are_torchvisions() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-4: single precision against double through 38 layers
        assert_golden(net.logits(input("densenet", [2, 3, 64, 96]), None), "densenet", 1e-4);
    }

    #[test]
    fn weights_of_torchvision_are_read_in_both_spellings() {
        let config = ClassifyConfig::Densenet(small());
        let files: [(&str, &[u8]); 2] = [
            ("densenet.pt", include_bytes!("../../tests/golden/densenet.pt")),
            ("densenet_2017.pt", include_bytes!("../../tests/golden/densenet_2017.pt")),
        ];
        for (name, file) in files {
            let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
            let net = imported(net, name, file, &config.pytorch());
            // 1e-4: single precision on both sides
            assert_golden(net.logits(input("densenet", [2, 3, 64, 96]), None), "densenet.imported", 1e-4);
        }
    }

    #[test]
    fn it_learns_a_few_pictures_by_heart() {
        let config = DenseNetConfig { blocks: [2, 2, 2, 2], ..small() };
        let left = classifies_by_heart(&ClassifyConfig::Densenet(config), 64, 40, 1e-2);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = DenseNetConfig { blocks: [6, 0, 24, 16], ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "blocks = 0 is out of range; allowed: 1 to 256");
    }
}
