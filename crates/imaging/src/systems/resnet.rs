//! `ResNet`: layers that learn what to add to their input.
//!
//! He, Zhang, Ren and Sun 2016, *Deep Residual Learning for Image Recognition*, CVPR, table 1, with blocks of two
//! convolutions (18 and 34 layers). Parameters have torchvision's names, so that its weights are read by
//! [`import_pytorch`](nn_core::store::import_pytorch) as they are. For small pictures (`MedMNIST`'s of 28 pixels; He et
//! al. 2016, section 4.2) the first convolution has width 3 and stride 1, and no pooling behind it.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNorm, BatchNormConfig, Conv2d, dense, dropout};
use nn_core::ops::{global_avg_pool, max_pool};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Classifier;
use super::blocks::{plain, rectified};

/// Sizes of the network; the defaults are those of `ResNet`-18 for `ImageNet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
    /// Layers with weights: 18 or 34.
    pub depth: usize,
    /// Features of the first stage; every further one has twice as many.
    pub base: usize,
    /// Whether pictures are of some dozens of pixels.
    pub small_input: bool,
    /// Dropout before the last layer, 0 to 0.95; none in the paper.
    pub dropout: f64,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 1000, depth: 18, base: 64, small_input: false, dropout: 0.0 }
    }
}

/// Blocks of each stage.
pub(super) fn blocks(depth: usize) -> Result<[usize; 4], ConfigError> {
    match depth {
        18 => Ok([2, 2, 2, 2]),
        34 => Ok([3, 4, 6, 3]),
        _ => Err(ConfigError::OutOfRange { field: "depth", value: depth.to_string(), allowed: "18 or 34".to_owned() }),
    }
}

impl ResNetConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        blocks(self.depth)?;
        Ok(())
    }

    /// Builds the network with torchvision's starting values, from the input on.
    ///
    /// # Errors
    /// What [`ResNetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<ResNet, ConfigError> {
        self.validate()?;
        let [one, two, three, four] = blocks(self.depth)?;
        let base = self.base;
        Ok(ResNet {
            conv1: stem(self.channels, base, self.small_input, device, rng)?,
            bn1: rectified(base, device),
            layer1: stage([base, base], one, 1, device, rng)?,
            layer2: stage([base, 2 * base], two, 2, device, rng)?,
            layer3: stage([2 * base, 4 * base], three, 2, device, rng)?,
            layer4: stage([4 * base, 8 * base], four, 2, device, rng)?,
            fc: dense([8 * base, self.classes], Init::PyTorchDefault, device, rng),
            config: self.clone(),
        })
    }
}

/// The first convolution.
pub(super) fn stem(
    channels: usize,
    features: usize,
    small: bool,
    device: &Device,
    rng: &mut ChaCha8Rng,
) -> Result<Conv2d, ConfigError> {
    let conv = if small { plain(channels, features, 3) } else { plain(channels, features, 7).with_stride(2) };
    conv.init(device, rng)
}

/// Blocks of one resolution; the first of them takes the stride and changes the features.
pub(super) fn stage(
    [inputs, outputs]: [usize; 2],
    blocks: usize,
    stride: usize,
    device: &Device,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<BasicBlock>, ConfigError> {
    let mut stage = Vec::with_capacity(blocks);
    for block in 0..blocks {
        let (inputs, stride) = if block == 0 { (inputs, stride) } else { (outputs, 1) };
        stage.push(BasicBlock::init([inputs, outputs], stride, device, rng)?);
    }
    Ok(stage)
}

/// Two convolutions, whose result is added to what they read.
#[derive(Module, Debug)]
pub struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    /// Where shapes change: a convolution of width 1, and its normalisation.
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl BasicBlock {
    fn init(
        [inputs, outputs]: [usize; 2],
        stride: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        let norm = || BatchNormConfig::new(outputs).init(device);
        let conv1 = plain(inputs, outputs, 3).with_stride(stride).init(device, rng)?;
        let conv2 = plain(outputs, outputs, 3).init(device, rng)?;
        let downsample = if stride != 1 || inputs != outputs {
            Some((plain(inputs, outputs, 1).with_stride(stride).init(device, rng)?, norm()))
        } else {
            None
        };
        Ok(Self { conv1, bn1: rectified(outputs, device), conv2, bn2: norm(), downsample })
    }

    /// # Shapes
    /// - x `[batch, inputs, height, width]`; output `[batch, outputs, height / stride, width / stride]`, rounded up
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let own = self.bn1.forward(self.conv1.forward(x.clone())); // [batch, outputs, height / stride, width / stride]
        let own = self.bn2.forward(self.conv2.forward(own));
        let x = match &self.downsample {
            Some((conv, norm)) => norm.forward(conv.forward(x)),
            None => x,
        };
        relu(own + x)
    }
}

/// All blocks of a stage.
pub(super) fn pass(stage: &[BasicBlock], x: Tensor<4>) -> Tensor<4> {
    stage.iter().fold(x, |x, block| block.forward(x))
}

/// The network.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    fc: Linear,
    #[module(skip)]
    config: ResNetConfig,
}

impl ResNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// The last feature maps.
    ///
    /// # Shapes
    /// - x `[batch, channels, height, width]`; output `[batch, 8 base, height / 32, width / 32]`, rounded up, with
    ///   `small_input` `[…, height / 8, width / 8]`
    pub fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = self.bn1.forward(self.conv1.forward(x)); // [batch, base, height / 2, width / 2]
        if !self.config.small_input {
            x = max_pool(x, [3, 3], [2, 2], [1, 1]); // [batch, base, height / 4, width / 4]
        }
        let x = pass(&self.layer1, x); // [batch, base, height / 4, width / 4]
        let x = pass(&self.layer2, x); // [batch, 2 base, height / 8, width / 8]
        let x = pass(&self.layer3, x); // [batch, 4 base, height / 16, width / 16]
        pass(&self.layer4, x) // [batch, 8 base, height / 32, width / 32]
    }
}

impl Classifier for ResNet {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        let maps = probe.add(self.features(x)); // [batch, 8 base, height / 32, width / 32]
        let features = dropout(global_avg_pool(maps), self.config.dropout, rng); // [batch, 8 base]
        self.fc.forward(features) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::ClassifyConfig;
    use crate::systems::golden::{
        assert_golden, classifies_by_heart, filled, imported, input, is_named, partly_imported,
    };

    fn small() -> ResNetConfig {
        ResNetConfig { classes: 3, base: 4, ..ResNetConfig::default() }
    }

    /// Channels that are normalised, which burn counts twice more than PyTorch.
    fn normalised(base: usize, depth: usize) -> usize {
        let blocks = blocks(depth).unwrap();
        let stages: usize = (0..4).map(|stage| (2 * blocks[stage] + usize::from(stage > 0)) * (base << stage)).sum();
        base + stages
    }

    #[test]
    fn sizes_are_torchvisions() {
        let device = Device::flex();
        for (depth, expected) in [(18, 11_689_512), (34, 21_797_672)] {
            let config = ResNetConfig { depth, ..ResNetConfig::default() };
            let net = config.init(&device, &mut rng(1, &[])).unwrap();
            assert_eq!(net.num_params(), expected + 2 * normalised(64, depth), "{depth}");
        }
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.features(Tensor::zeros([2, 3, 65, 97], &device)).dims(), [2, 32, 3, 4]);
        let net = ResNetConfig { small_input: true, channels: 1, ..small() }.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.features(Tensor::zeros([2, 1, 28, 28], &device)).dims(), [2, 32, 4, 4]);
        assert_eq!(net.logits(Tensor::zeros([2, 1, 28, 28], &device), None).dims(), [2, 3]);
    }

    #[test]
    fn names_are_torchvisions() {
        let net = ResNetConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        is_named(&net, "resnet18");
    }

    #[test]
    fn outputs_are_torchvisions() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-4: single precision against double through 18 layers
        assert_golden(net.logits(input("resnet", [2, 3, 64, 96]), None), "resnet", 1e-4);
        let net = filled(
            ResNetConfig { small_input: true, depth: 34, channels: 1, ..small() }
                .init(&Device::flex(), &mut rng(1, &[]))
                .unwrap(),
        );
        assert_golden(net.logits(input("resnet.small", [2, 1, 28, 28]), None), "resnet.small", 1e-4);
    }

    #[test]
    fn weights_of_torchvision_are_read_as_they_are() {
        let config = ClassifyConfig::Resnet(small());
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let net = imported(net, "resnet18.pt", include_bytes!("../../tests/golden/resnet18.pt"), &config.pytorch());
        // 1e-4: single precision on both sides
        assert_golden(net.logits(input("resnet", [2, 3, 64, 96]), None), "resnet.imported", 1e-4);
        // for other classes all but the last layer
        let other = config.clone().with_shape(3, 7).init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let file = include_bytes!("../../tests/golden/resnet18.pt");
        let report = partly_imported(other, "resnet18.pt", file, &config.pytorch_body()[0]).1;
        assert_eq!(report.applied.len(), 100, "weights and statistics of 20 convolutions");
        assert_eq!(report.missing, ["fc.bias", "fc.weight"]);
    }

    #[test]
    fn it_learns_a_few_pictures_by_heart() {
        let config = ResNetConfig { small_input: true, base: 8, ..small() };
        let left = classifies_by_heart(&ClassifyConfig::Resnet(config), 16, 30, 3e-3);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn other_depths_are_refused() {
        let error = ResNetConfig { depth: 50, ..small() }.validate().unwrap_err().to_string();
        assert_eq!(error, "depth = 50 is out of range; allowed: 18 or 34");
    }
}
