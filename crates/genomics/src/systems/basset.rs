//! Basset: which cell types have a stretch of DNA open.
//!
//! Kelley, Snoek and Rinn 2016, *Basset: learning the regulatory code of the accessible genome with deep convolutional
//! neural networks*, Genome Research 26:990. Sizes as in the authors' `data/models/pretrained_params.txt` (repository
//! davek44/Basset); normalisation and the order of the layers as in the released network, whose dense layers read
//! 200 × 10 values of 600 bases.
//!
//! Trained as the authors' code does it ([`BassetConfig::recipe`]), which is what a [study](crate::study::StudyConfig)
//! does by default.

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
pub struct BassetConfig {
    /// Bases of a sequence.
    pub length: usize,
    /// Tasks: 164 cell types in the paper.
    pub outputs: usize,
    /// Filters of each convolution.
    pub filters: Vec<usize>,
    /// Positions that a filter of each convolution sees.
    pub kernels: Vec<usize>,
    /// Positions of each pooling.
    pub pools: Vec<usize>,
    /// Units of each dense layer.
    pub hidden: Vec<usize>,
    /// Dropout behind the dense layers, 0 to 0.95.
    pub dropout: f64,
}

impl Default for BassetConfig {
    fn default() -> Self {
        Self {
            length: 600,
            outputs: 164,
            filters: vec![300, 200, 200],
            kernels: vec![19, 11, 7],
            pools: vec![3, 4, 4],
            hidden: vec![1000, 1000],
            dropout: 0.3,
        }
    }
}

impl BassetConfig {
    /// The authors' training: RMSprop with a rate of 0.002 and a decay of 0.98, batches of 128, up to 1,000 epochs
    /// until the validation part has not got better for 10, and no filter and no unit with weights longer than 7
    /// (`pretrained_params.txt`; `src/convnet.lua`, where `momentum` is RMSprop's α and `weight_norm` the bound of
    /// `maxParamNorm` after each step; `src/basset_train.lua`, options `max_epochs` and `stagnant_t`). Torch7's constant
    /// in the denominator is 1e-8.
    pub fn recipe() -> Recipe {
        let rmsprop = OptimizerConfig::RmsProp { alpha: 0.98, epsilon: 1e-8, momentum: 0.0, weight_decay: 0.0 };
        Recipe { max_norm: Some(7.0), ..Recipe::new(rmsprop, 0.002, 128, 1000).with_patience(10) }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range; the length must leave one position behind the last pooling.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let layers = self.filters.len();
        in_range("filters", layers, 1..=16)?;
        if self.kernels.len() != layers || self.pools.len() != layers {
            let (kernels, pools) = (self.kernels.len(), self.pools.len());
            return Err(ConfigError::Conflict(format!(
                "{layers} numbers of filters, {kernels} kernels and {pools} pools; give one of each a convolution"
            )));
        }
        self.filters.iter().try_for_each(|&filters| in_range("filters", filters, 1..=65_536))?;
        self.kernels.iter().try_for_each(|&kernel| in_range("kernels", kernel, 1..=4096))?;
        self.pools.iter().try_for_each(|&pool| in_range("pools", pool, 1..=4096))?;
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=65_536))?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        Stage::check(&self.stages(), "length", self.length)
    }

    fn stages(&self) -> Vec<Stage> {
        self.kernels.iter().zip(&self.pools).map(|(&kernel, &pool)| Stage { kernel, pool }).collect()
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`BassetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Basset, ConfigError> {
        self.validate()?;
        let mut inputs = 4;
        let mut convolutions = Vec::with_capacity(self.filters.len());
        for (&filters, &kernel) in self.filters.iter().zip(&self.kernels) {
            let block = ConvBlockConfig { norm: true, ..ConvBlockConfig::new(inputs, filters, kernel) };
            convolutions.push(block.init(device, rng)?);
            inputs = filters;
        }
        let mut width = inputs * Stage::after(&self.stages(), self.length);
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for &units in &self.hidden {
            hidden.push(DenseBlock::new([width, units], true, device, rng));
            width = units;
        }
        let output = dense([width, self.outputs], device, rng);
        Ok(Basset { convolutions, hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Basset {
    convolutions: Vec<ConvBlock>,
    hidden: Vec<DenseBlock>,
    output: Linear,
    #[module(skip)]
    config: BassetConfig,
}

impl Basset {
    /// The sizes it was built with.
    pub fn config(&self) -> &BassetConfig {
        &self.config
    }

    /// Logits of the tasks. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn run(&self, mut x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        for (block, &size) in self.convolutions.iter().zip(&self.config.pools) {
            x = pool(block.forward(x, rescale), size, rescale); // [batch, filters, (length - kernel + 1) / pool]
        }
        let mut x = x.flatten::<2>(1, 2); // [batch, filters * positions]
        for block in &self.hidden {
            x = dropout(block.forward(x, rescale), self.config.dropout, rng.as_deref_mut()); // [batch, units]
        }
        self.output.forward(x) // [batch, outputs]
    }

    pub(super) fn first_block(&self) -> &ConvBlock {
        &self.convolutions[0]
    }
}

impl SequenceNet for Basset {
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

    fn small() -> BassetConfig {
        BassetConfig {
            length: 60,
            outputs: 3,
            filters: vec![6, 5, 4],
            kernels: vec![7, 5, 3],
            pools: vec![2, 3, 2],
            hidden: vec![9, 8],
            dropout: 0.3,
        }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        // The same network in PyTorch has 4,135,064 parameters. burn counts the two running statistics of the 2,700
        // normalised channels too.
        let device = Device::flex();
        let net = BassetConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.num_params(), 4_135_064 + 2 * 2_700);
        assert_eq!(net.forward(Tensor::zeros([2, 4, 600], &device), None).dims(), [2, 164]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("basset", [3, 4, 60]), None), "basset", 1e-5);
        let rescaled = net.rescaled(input("basset", [3, 4, 60]), &Rescale::off()).unwrap();
        assert_golden(rescaled, "basset", 1e-5);
    }

    #[test]
    fn it_learns_a_few_rows_by_heart_and_reads_a_single_one() {
        let device = Device::flex().autodiff();
        let net = BassetConfig { outputs: 1, ..small() }.init(&device, &mut rng(2, &[])).unwrap();
        let x = Tensor::zeros([1, 4, 60], &device);
        assert_eq!(net.forward(x, Some(&mut rng(3, &[]))).dims(), [1, 1], "a last batch of one row");
        let left = left_after(net, [4, 60], 150, 0.01);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = BassetConfig { length: 167, ..BassetConfig::default() }.validate().unwrap_err().to_string();
        assert_eq!(error, "length = 167 is out of range; allowed: 168 to 10000000");
        let error = BassetConfig { pools: vec![3], ..BassetConfig::default() }.validate().unwrap_err().to_string();
        assert_eq!(error, "3 numbers of filters, 3 kernels and 1 pools; give one of each a convolution");
        assert!(BassetConfig { filters: Vec::new(), ..BassetConfig::default() }.validate().is_err());
    }
}
