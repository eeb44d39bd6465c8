//! `CNNProm`: whether a stretch of DNA is a promoter.
//!
//! Umarov and Solovyev 2017, *Recognition of prokaryotic and eukaryotic promoters using convolutional deep learning
//! neural networks*, `PLoS` ONE 12:e0171410: a convolution (a second one for some organisms), a rectifier, pooling, a
//! dense layer of 128 rectified units. The paper chooses filters, kernel and pooling for each organism; the defaults
//! are 200 filters of 21 bases pooled by 4. Its two outputs with softmax are one logit here: two logits say no more
//! than their difference.
//!
//! Place matters: the windows lie at fixed distances from the start of transcription, and the dense layer reads the
//! pooled places one by one. Sequences are read as they are given, on the strand of the gene.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::dropout;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::{ConvBlock, ConvBlockConfig, DenseBlock, Stage, dense, pool};

/// Sizes of a convolution with its pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromLayer {
    /// Filters.
    pub filters: usize,
    /// Bases, or positions, that a filter sees.
    pub kernel: usize,
    /// Positions of a pooling; 1 for none.
    pub pool: usize,
}

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnPromConfig {
    /// Bases of a sequence: 251 around eukaryotic starts, 81 around bacterial ones.
    pub length: usize,
    /// Logits.
    pub outputs: usize,
    /// The convolutions.
    pub layers: Vec<PromLayer>,
    /// Units of the dense layer.
    pub hidden: usize,
    /// Dropout in front of the dense layer and behind it, 0 to 0.95.
    pub dropout: f64,
}

impl Default for CnnPromConfig {
    fn default() -> Self {
        let layers = vec![PromLayer { filters: 200, kernel: 21, pool: 4 }];
        Self { length: 251, outputs: 1, layers, hidden: 128, dropout: 0.0 }
    }
}

impl CnnPromConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range; the length must leave one position behind the last pooling.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("layers", self.layers.len(), 1..=16)?;
        for layer in &self.layers {
            in_range("filters", layer.filters, 1..=65_536)?;
            in_range("kernel", layer.kernel, 1..=4096)?;
            in_range("pool", layer.pool, 1..=4096)?;
        }
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        Stage::check(&self.stages(), "length", self.length)
    }

    fn stages(&self) -> Vec<Stage> {
        self.layers.iter().map(|&PromLayer { kernel, pool, .. }| Stage { kernel, pool }).collect()
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`CnnPromConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<CnnProm, ConfigError> {
        self.validate()?;
        let mut inputs = 4;
        let mut convolutions = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            convolutions.push(ConvBlockConfig::new(inputs, layer.filters, layer.kernel).init(device, rng)?);
            inputs = layer.filters;
        }
        let width = inputs * Stage::after(&self.stages(), self.length);
        let hidden = DenseBlock::new([width, self.hidden], false, device, rng);
        let output = dense([self.hidden, self.outputs], device, rng);
        Ok(CnnProm { convolutions, hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct CnnProm {
    convolutions: Vec<ConvBlock>,
    hidden: DenseBlock,
    output: Linear,
    #[module(skip)]
    config: CnnPromConfig,
}

impl CnnProm {
    /// The sizes it was built with.
    pub fn config(&self) -> &CnnPromConfig {
        &self.config
    }

    /// Logits. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn run(&self, mut x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        for (block, layer) in self.convolutions.iter().zip(&self.config.layers) {
            x = pool(block.forward(x, rescale), layer.pool, rescale); // [batch, filters, (length - kernel + 1) / pool]
        }
        let x = x.flatten::<2>(1, 2); // [batch, filters * positions]
        let x = dropout(x, self.config.dropout, rng.as_deref_mut());
        let x = self.hidden.forward(x, rescale); // [batch, hidden]
        self.output.forward(dropout(x, self.config.dropout, rng)) // [batch, outputs]
    }

    pub(super) fn first_block(&self) -> &ConvBlock {
        &self.convolutions[0]
    }
}

impl SequenceNet for CnnProm {
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn rescaled(&self, x: Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        Some(self.run(x, None, Some(rescale)))
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::golden::{assert_golden, filled, input, left_after};

    fn small() -> CnnPromConfig {
        let layers = vec![PromLayer { filters: 5, kernel: 7, pool: 1 }, PromLayer { filters: 6, kernel: 4, pool: 3 }];
        CnnPromConfig { length: 31, outputs: 2, layers, hidden: 7, dropout: 0.0 }
    }

    #[test]
    fn parameters_are_as_many_as_by_hand() {
        let device = Device::flex();
        let net = CnnPromConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        // (251 - 20) / 4 = 57 places of 200 filters
        assert_eq!(net.num_params(), (4 * 21 * 200 + 200) + (57 * 200 * 128 + 128) + (128 + 1));
        assert_eq!(net.forward(Tensor::zeros([2, 4, 251], &device), None).dims(), [2, 1]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("cnnprom", [3, 4, 31]), None), "cnnprom", 1e-5);
        let rescaled = net.rescaled(input("cnnprom", [3, 4, 31]), &Rescale::off()).unwrap();
        assert_golden(rescaled, "cnnprom", 1e-5);
    }

    #[test]
    fn it_learns_a_few_rows_by_heart() {
        let config = CnnPromConfig { outputs: 1, ..small() };
        let net = config.init(&Device::flex().autodiff(), &mut rng(2, &[])).unwrap();
        let left = left_after(net, [4, 31], 400, 0.01);
        assert!(left < 0.05, "{left}");
    }

    #[test]
    fn a_length_without_a_place_is_refused() {
        let error = CnnPromConfig { length: 23, ..CnnPromConfig::default() }.validate().unwrap_err().to_string();
        assert_eq!(error, "length = 23 is out of range; allowed: 24 to 10000000");
    }
}
