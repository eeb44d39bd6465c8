//! Soft attention over a feature map: the network shows which part of a picture its answer rests on.
//!
//! Poplin et al. 2018, *Prediction of cardiovascular risk factors from retinal fundus photographs via deep learning*,
//! Nature Biomedical Engineering 2:158, methods ("mapping attention"): four convolutions of 3 × 3 with 64, 128, 256 and
//! 512 filters and three poolings of 2 × 2 before the map, of 73 × 73 places for a picture of 587 × 587. The text
//! leaves open how places are scored; here it is a convolution of width 1 and a softmax over all places, with which the
//! features are averaged (Bahdanau et al. 2015, Xu et al. 2015), and one dense layer answers.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{Conv2d, ConvConfig, dense, dropout};
use nn_core::ops::max_pool;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Classifier;

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftAttentionConfig {
    /// Channels in.
    pub channels: usize,
    /// Classes; one for a risk factor that is a number.
    pub classes: usize,
    /// Filters of each convolution; behind each but the last the resolution is halved.
    pub filters: Vec<usize>,
    /// Dropout before the last layer, 0 to 0.95; the paper names none.
    pub dropout: f64,
}

impl Default for SoftAttentionConfig {
    fn default() -> Self {
        Self { channels: 3, classes: 1, filters: vec![64, 128, 256, 512], dropout: 0.0 }
    }
}

impl SoftAttentionConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("filters", self.filters.len(), 1..=16)?;
        self.filters.iter().try_for_each(|&filters| in_range("filters", filters, 1..=65_536))?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    pub(super) fn smallest(&self) -> usize {
        1 << (self.filters.len() - 1)
    }

    /// Builds the network with starting values as He et al. 2015 propose, from the input on.
    ///
    /// # Errors
    /// What [`SoftAttentionConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<SoftAttention, ConfigError> {
        self.validate()?;
        let mut inputs = self.channels;
        let mut convolutions = Vec::with_capacity(self.filters.len());
        for &filters in &self.filters {
            convolutions.push(ConvConfig::new(inputs, filters, 3).same().with_init(Init::HeNormal).init(device, rng)?);
            inputs = filters;
        }
        let attention = ConvConfig::new(inputs, 1, 1).init(device, rng)?;
        let output = dense([inputs, self.classes], Init::PyTorchDefault, device, rng);
        Ok(SoftAttention { convolutions, attention, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct SoftAttention {
    convolutions: Vec<Conv2d>,
    attention: Conv2d,
    output: Linear,
    #[module(skip)]
    config: SoftAttentionConfig,
}

impl SoftAttention {
    /// The sizes it was built with.
    pub fn config(&self) -> &SoftAttentionConfig {
        &self.config
    }

    /// Logits of the classes, and the share of each place of the map in the answer; the shares of a picture sum to 1.
    /// Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, channels, height, width]`; logits `[batch, classes]`, shares `[batch, height', width']`
    pub fn attend(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Tensor<3>) {
        self.answer(x, rng, &Probe::off())
    }

    fn answer(&self, mut x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> (Tensor<2>, Tensor<3>) {
        for (layer, conv) in self.convolutions.iter().enumerate() {
            if layer > 0 {
                x = max_pool(x, [2, 2], [2, 2], [0, 0]); // [batch, filters, height / 2, width / 2]
            }
            x = relu(conv.forward(x)); // [batch, filters', height / 2, width / 2]
        }
        let x = probe.add(x);
        let [batch, features, height, width] = x.dims();
        let places = height * width;
        let scores = self.attention.forward(x.clone()).reshape([batch, 1, places]);
        let shares = softmax(scores, 2); // [batch, 1, places]
        let mean = (x.reshape([batch, features, places]) * shares.clone()).sum_dim(2).reshape([batch, features]);
        let mean = dropout(mean, self.config.dropout, rng); // [batch, features]
        (self.output.forward(mean), shares.reshape([batch, height, width]))
    }
}

impl Classifier for SoftAttention {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        self.answer(x, rng, probe).0
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::ClassifyConfig;
    use crate::systems::golden::{assert_golden, classifies_by_heart, filled, input};

    fn small() -> SoftAttentionConfig {
        SoftAttentionConfig { channels: 3, classes: 3, filters: vec![4, 6, 8], dropout: 0.0 }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        let device = Device::flex();
        let net = SoftAttentionConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        // convolutions 1,792, 73,856, 295,168 and 1,180,160; scores 513, output 513
        assert_eq!(net.num_params(), 1_792 + 73_856 + 295_168 + 1_180_160 + 513 + 513);
        // 587 pixels of the full network take seconds: the same sizes with few filters
        let few = SoftAttentionConfig { filters: vec![1; 4], ..SoftAttentionConfig::default() };
        let net = few.init(&device, &mut rng(1, &[])).unwrap();
        let (_, shares) = net.attend(Tensor::zeros([1, 3, 587, 587], &device), None);
        assert_eq!(shares.dims(), [1, 73, 73]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let (logits, shares) = net.attend(input("soft_attention", [2, 3, 14, 10]), None);
        // 1e-5: single precision against double
        assert_golden(logits, "soft_attention", 1e-5);
        assert_golden(shares, "soft_attention.shares", 1e-5);
    }

    #[test]
    fn shares_sum_to_one_and_all_of_them_is_where_there_is_one_place() {
        let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let (_, shares) = net.attend(input("shares", [2, 3, 20, 12]), None);
        for sum in shares.sum_dims(&[1, 2]).try_into_vec_as::<f64>().unwrap() {
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        let smallest = small().smallest();
        let (_, shares) = net.attend(input("one", [1, 3, smallest, smallest]), None);
        assert_eq!(shares.try_into_vec_as::<f32>().unwrap(), [1.0]);
    }

    #[test]
    fn it_learns_a_few_pictures_by_heart() {
        let config = SoftAttentionConfig { filters: vec![8, 16, 16], ..small() };
        let left = classifies_by_heart(&ClassifyConfig::SoftAttention(config), 16, 150, 1e-2);
        assert!(left < 0.1, "{left}");
    }
}
