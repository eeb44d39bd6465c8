//! `DeepChrome`: whether a gene is expressed, from the histone marks around its start.
//!
//! Singh, Lanchantin, Robins and Qi 2016, *`DeepChrome`: deep-learning for predicting gene expression from histone
//! modifications*, Bioinformatics 32:i639. Layers and sizes as in the authors' `2_model.lua` (repository
//! QData/DeepChrome at 274544a), where a log-softmax over two outputs says what one logit says here.
//!
//! Published training: gradient descent with a rate of 0.001, gene by gene, 100 epochs, the best one by the AUROC of
//! the validation part.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::dropout;
use nn_core::optim::OptimizerConfig;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::{ConvBlock, ConvBlockConfig, DenseBlock, Stage, dense, pool};
use super::recipe::Recipe;

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepChromeConfig {
    /// Histone marks.
    pub marks: usize,
    /// Bins of each mark: 100 bases each in the paper, from 5,000 before the start to 5,000 behind it.
    pub bins: usize,
    /// Logits.
    pub outputs: usize,
    /// Filters of the convolution.
    pub filters: usize,
    /// Bins that a filter sees.
    pub kernel: usize,
    /// Positions of the pooling.
    pub pool: usize,
    /// Units of each dense layer.
    pub hidden: Vec<usize>,
    /// Dropout in front of the dense layers, 0 to 0.95.
    pub dropout: f64,
}

impl Default for DeepChromeConfig {
    fn default() -> Self {
        let hidden = vec![625, 125];
        Self { marks: 5, bins: 100, outputs: 1, filters: 50, kernel: 10, pool: 5, hidden, dropout: 0.5 }
    }
}

impl DeepChromeConfig {
    /// Gradient descent at 1e-3, gene by gene, 100 epochs.
    pub fn recipe() -> Recipe {
        Recipe::new(OptimizerConfig::sgd(), 1e-3, 1, 100)
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range; the bins must leave one position behind the pooling.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("marks", self.marks, 1..=4096)?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("kernel", self.kernel, 1..=4096)?;
        in_range("pool", self.pool, 1..=4096)?;
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=65_536))?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        Stage::check(&[self.stage()], "bins", self.bins)
    }

    fn stage(&self) -> Stage {
        Stage { kernel: self.kernel, pool: self.pool }
    }

    /// Builds the network with PyTorch's starting values, which are Torch's, from the input on.
    ///
    /// # Errors
    /// What [`DeepChromeConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepChrome, ConfigError> {
        self.validate()?;
        let convolution = ConvBlockConfig::new(self.marks, self.filters, self.kernel).init(device, rng)?;
        let mut width = self.filters * Stage::after(&[self.stage()], self.bins);
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for &units in &self.hidden {
            hidden.push(DenseBlock::new([width, units], false, device, rng));
            width = units;
        }
        let output = dense([width, self.outputs], device, rng);
        Ok(DeepChrome { convolution, hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DeepChrome {
    convolution: ConvBlock,
    hidden: Vec<DenseBlock>,
    output: Linear,
    #[module(skip)]
    config: DeepChromeConfig,
}

impl DeepChrome {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepChromeConfig {
        &self.config
    }

    /// Logits of high expression. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[genes, marks, bins]`; output `[genes, outputs]`
    pub fn forward(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn run(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        let x = self.convolution.forward(x, rescale); // [genes, filters, bins - kernel + 1]
        let x = pool(x, self.config.pool, rescale); // [genes, filters, positions]
        let x = dropout(x.flatten::<2>(1, 2), self.config.dropout, rng); // [genes, filters * positions]
        let x = self.hidden.iter().fold(x, |x, block| block.forward(x, rescale)); // [genes, units]
        self.output.forward(x) // [genes, outputs]
    }
}

impl SequenceNet for DeepChrome {
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

    fn small() -> DeepChromeConfig {
        let hidden = vec![9, 7];
        DeepChromeConfig { marks: 3, bins: 33, filters: 6, kernel: 4, pool: 5, hidden, ..DeepChromeConfig::default() }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        let device = Device::flex();
        let config = DeepChromeConfig { outputs: 2, ..DeepChromeConfig::default() };
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        // layer by layer: 5 × 10 × 50 + 50, 18 places of 50 filters: 900 × 625 + 625, 625 × 125 + 125, 125 × 2 + 2
        assert_eq!(net.num_params(), 2_550 + 563_125 + 78_250 + 252);
        assert_eq!(net.forward(Tensor::zeros([2, 5, 100], &device), None).dims(), [2, 2]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("deepchrome", [3, 3, 33]), None), "deepchrome", 1e-5);
        let rescaled = net.rescaled(input("deepchrome", [3, 3, 33]), &Rescale::off()).unwrap();
        assert_golden(rescaled, "deepchrome", 1e-5);
    }

    #[test]
    fn it_learns_a_few_genes_by_heart() {
        let net = small().init(&Device::flex().autodiff(), &mut rng(2, &[])).unwrap();
        let left = left_after(net, [3, 33], 300, 0.01);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn too_few_bins_are_refused() {
        let error = DeepChromeConfig { bins: 13, ..DeepChromeConfig::default() }.validate().unwrap_err().to_string();
        assert_eq!(error, "bins = 13 is out of range; allowed: 14 to 10000000");
    }
}
