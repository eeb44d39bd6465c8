//! A small network for patches of lung in interstitial lung disease.
//!
//! Anthimopoulos et al. 2016, *Lung Pattern Classification for Interstitial Lung Diseases Using a Deep Convolutional
//! Neural Network*, IEEE TMI 35:1207, section III and figure 4: five convolutions of 2 × 2, whose features are
//! `4 (l + 1)²`, the mean over the whole map, three dense layers. Patches of 32 × 32 pixels of CT, windowed to
//! −1000..200 HU; seven patterns. Sizes and starting values as in the authors' code (repository
//! intact-project/ild-cnn).
//!
//! Published training: Adam with a rate of 0.001, cross-entropy, until the F-score stands still for 200 epochs.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{Conv2d, ConvConfig, dense, dropout};
use nn_core::ops::global_avg_pool;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Classifier;

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IldCnnConfig {
    /// Channels in.
    pub channels: usize,
    /// Patterns.
    pub classes: usize,
    /// Features of layer `l`, counted from 1, by `(l + 1)²`.
    pub multiplier: usize,
    /// Convolutions.
    pub layers: usize,
    /// Slope of the rectifiers below zero, 0 to 1.
    pub slope: f64,
    /// Dropout before each dense layer, 0 to 0.95.
    pub dropout: f64,
}

impl Default for IldCnnConfig {
    fn default() -> Self {
        Self { channels: 1, classes: 7, multiplier: 4, layers: 5, slope: 0.3, dropout: 0.5 }
    }
}

impl IldCnnConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("multiplier", self.multiplier, 1..=1024)?;
        in_range("layers", self.layers, 1..=64)?;
        in_range("slope", self.slope, 0.0..=1.0)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Each convolution takes one pixel.
    pub(super) fn smallest(&self) -> usize {
        self.layers + 1
    }

    /// Features of each convolution.
    fn features(&self) -> Vec<usize> {
        (1..=self.layers).map(|layer| self.multiplier * (layer + 1).pow(2)).collect()
    }

    /// Builds the network with the authors' starting values, from the input on.
    ///
    /// # Errors
    /// What [`IldCnnConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<IldCnn, ConfigError> {
        self.validate()?;
        let mut inputs = self.channels;
        let mut convolutions = Vec::with_capacity(self.layers);
        for features in self.features() {
            let conv = ConvConfig::new(inputs, features, 2).with_init(Init::Orthogonal { gain: 1.0 });
            convolutions.push(conv.init(device, rng)?);
            inputs = features;
        }
        let mut hidden = Vec::with_capacity(2);
        let features = inputs;
        for units in [6 * features, 2 * features] {
            hidden.push(dense([inputs, units], Init::HeUniform, device, rng));
            inputs = units;
        }
        let output = dense([inputs, self.classes], Init::HeUniform, device, rng);
        Ok(IldCnn { convolutions, hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct IldCnn {
    convolutions: Vec<Conv2d>,
    hidden: Vec<Linear>,
    output: Linear,
    #[module(skip)]
    config: IldCnnConfig,
}

impl IldCnn {
    /// The sizes it was built with.
    pub fn config(&self) -> &IldCnnConfig {
        &self.config
    }
}

impl Classifier for IldCnn {
    fn run(&self, mut x: Tensor<4>, mut rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        for conv in &self.convolutions {
            x = leaky_relu(conv.forward(x), self.config.slope); // [batch, features, height - 1, width - 1]
        }
        let mut x = global_avg_pool(probe.add(x)); // [batch, features]
        for layer in &self.hidden {
            x = dropout(x, self.config.dropout, rng.as_deref_mut());
            x = relu(layer.forward(x)); // [batch, units]
        }
        self.output.forward(dropout(x, self.config.dropout, rng)) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::ClassifyConfig;
    use crate::systems::golden::{assert_golden, classifies_by_heart, filled, input};

    #[test]
    fn sizes_are_the_published_ones() {
        let config = IldCnnConfig::default();
        // 16 to 144 features (the authors' code, fp = proportional, k = 4)
        assert_eq!(config.features(), [16, 36, 64, 100, 144]);
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        // each layer by hand: convolutions 80, 2,340, 9,280, 25,700 and 57,744; dense 144 to 864 to 288 to 7
        assert_eq!(net.num_params(), 80 + 2_340 + 9_280 + 25_700 + 57_744 + 125_280 + 249_120 + 2_023);
        assert_eq!(net.logits(Tensor::zeros([3, 1, 32, 32], &Device::flex()), None).dims(), [3, 7]);
        let smallest = config.smallest();
        assert_eq!(net.logits(Tensor::zeros([1, 1, smallest, smallest], &Device::flex()), None).dims(), [1, 7]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let config = IldCnnConfig { multiplier: 1, layers: 3, classes: 4, channels: 2, ..IldCnnConfig::default() };
        let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.logits(input("ild_cnn", [3, 2, 12, 9]), None), "ild_cnn", 1e-5);
    }

    #[test]
    fn it_learns_a_few_pictures_by_heart() {
        let config = IldCnnConfig { multiplier: 2, channels: 3, classes: 3, dropout: 0.1, ..IldCnnConfig::default() };
        let left = classifies_by_heart(&ClassifyConfig::IldCnn(config), 16, 150, 3e-3);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = IldCnnConfig { slope: 1.5, ..IldCnnConfig::default() }.validate().unwrap_err().to_string();
        assert_eq!(error, "slope = 1.5 is out of range; allowed: 0 to 1");
    }
}
