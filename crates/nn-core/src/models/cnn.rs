//! A small convolutional classifier of feature maps.
//!
//! `LeCun`, Bottou, Bengio and Haffner 1998, *Gradient-based learning applied to document recognition*, Proceedings of the
//! IEEE 86:2278, section II: convolutions and subsampling in turn, then dense layers. The kernels are the 3 × 3 of
//! Simonyan and Zisserman 2015 (ICLR, section 2.1), the unit is the rectifier and subsampling takes the maximum, as became
//! usual after Krizhevsky, Sutskever and Hinton 2012 (NIPS). It is the baseline that the capsule network is held against.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::cnn::CnnClassifierConfig;
//! let config = CnnClassifierConfig { input: [1, 8, 8], ..CnnClassifierConfig::default() };
//! let device = Device::flex();
//! let model = config.init(&device, &mut rng(1, &[]))?;
//! assert_eq!(model.forward(Tensor::zeros([5, 1, 8, 8], &device), None).dims(), [5, 10]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mlp::TableModel;
use crate::config::{ConfigError, in_range};
use crate::layers::init::Init;
use crate::layers::{Conv2d, ConvConfig, MaxPoolConfig, dense, dropout};

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnClassifierConfig {
    /// Channels, height and width of an input.
    pub input: [usize; 3],
    /// Channels of each stage; a stage ends with a 2 × 2 maximum that halves height and width, rounded down.
    pub stages: Vec<usize>,
    /// Convolutions in a stage, each followed by a rectifier.
    pub convolutions: usize,
    /// Height and width of a kernel, odd; the input is padded with zeros, so that its size is kept.
    pub kernel: usize,
    /// Units of the dense layer before the output.
    pub hidden: usize,
    /// Classes to tell apart.
    pub classes: usize,
    /// Dropout before and after the dense layer.
    pub dropout: f64,
}

impl Default for CnnClassifierConfig {
    /// Two stages of two convolutions for 28 × 28 inputs in one channel and ten classes.
    fn default() -> Self {
        Self {
            input: [1, 28, 28],
            stages: vec![32, 64],
            convolutions: 2,
            kernel: 3,
            hidden: 128,
            classes: 10,
            dropout: 0.5,
        }
    }
}

impl CnnClassifierConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the input must be at least one wide and one
    /// high after the last stage.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let [channels, height, width] = self.input;
        in_range("input", channels, 1..=4096)?;
        in_range("stages", self.stages.len(), 1..=8)?;
        in_range("input", height, 1 << self.stages.len()..=4096)?;
        in_range("input", width, 1 << self.stages.len()..=4096)?;
        for &channels in &self.stages {
            in_range("stages", channels, 1..=4096)?;
        }
        in_range("convolutions", self.convolutions, 1..=8)?;
        in_range("kernel", self.kernel, 1..=31)?;
        if self.kernel.is_multiple_of(2) {
            return Err(ConfigError::OutOfRange {
                field: "kernel",
                value: self.kernel.to_string(),
                allowed: "odd numbers, so that padding keeps the size".to_string(),
            });
        }
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("classes", self.classes, 2..=65_536)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds the network with the initialisation for rectifiers (He et al. 2015) and zero biases; the output layer, which
    /// no rectifier follows, takes Glorot and Bengio's.
    ///
    /// # Errors
    /// What [`CnnClassifierConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<CnnClassifier, ConfigError> {
        self.validate()?;
        let [mut inputs, mut height, mut width] = self.input;
        let mut convolutions = Vec::with_capacity(self.stages.len() * self.convolutions);
        for &outputs in &self.stages {
            for _ in 0..self.convolutions {
                let config = ConvConfig::new(inputs, outputs, self.kernel).same().with_init(Init::HeNormal);
                convolutions.push(config.init(device, rng)?);
                inputs = outputs;
            }
            (height, width) = (height / 2, width / 2);
        }
        let hidden = dense([inputs * height * width, self.hidden], Init::HeNormal, device, rng);
        let output = dense([self.hidden, self.classes], Init::GlorotUniform, device, rng);
        Ok(CnnClassifier { convolutions, hidden, output, config: self.clone() })
    }
}

/// A one in the column of each row's class, zeros elsewhere; a class beyond the last gives a row of zeros.
///
/// # Shapes
/// - labels: `n`; output `[n, classes]`
pub(super) fn one_hot(labels: &[usize], classes: usize, device: &Device) -> Tensor<2> {
    let mut values = vec![0.0_f32; labels.len() * classes];
    for (row, &label) in values.chunks_exact_mut(classes).zip(labels) {
        if let Some(value) = row.get_mut(label) {
            *value = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(values, [labels.len(), classes]), device)
}

/// The network.
#[derive(Module, Debug)]
pub struct CnnClassifier {
    /// Of all stages, one after the other.
    convolutions: Vec<Conv2d>,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    config: CnnClassifierConfig,
}

impl CnnClassifier {
    /// The sizes it was built with.
    pub fn config(&self) -> &CnnClassifierConfig {
        &self.config
    }

    /// Logits of the classes. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`; output `[batch, classes]`
    pub fn forward(&self, input: Tensor<4>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let (mut x, pool) = (input, MaxPoolConfig::new([2, 2]).init());
        for stage in self.convolutions.chunks(self.config.convolutions) {
            for convolution in stage {
                x = relu(convolution.forward(x)); // [batch, stage channels, h, w]
            }
            x = pool.forward(x); // [batch, stage channels, h / 2, w / 2]
        }
        let x = x.flatten::<2>(1, 3); // [batch, channels * h * w]
        let x = dropout(x, self.config.dropout, rng.as_deref_mut());
        let x = relu(self.hidden.forward(x)); // [batch, hidden]
        let x = dropout(x, self.config.dropout, rng);
        self.output.forward(x) // [batch, classes]
    }

    /// Mean cross-entropy between the classes' softmax and the labels, in nats.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`, labels: `batch` classes from 0; output `[1]`
    pub fn loss(&self, input: Tensor<4>, labels: &[usize], rng: Option<&mut ChaCha8Rng>) -> Tensor<1> {
        let truth = one_hot(labels, self.config.classes, &input.device());
        let logits = self.forward(input, rng);
        (log_softmax(logits, 1) * truth).sum_dim(1).mean().neg()
    }
}

impl TableModel for CnnClassifier {
    /// [`CnnClassifier::forward`] of rows that hold an input each, channel by channel and line by line.
    fn logits(&self, x: Tensor<2>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let ([batch, _], [channels, height, width]) = (x.dims(), self.config.input);
        self.forward(x.reshape([batch, channels, height, width]), rng)
    }
}

#[cfg(test)]
mod tests;
