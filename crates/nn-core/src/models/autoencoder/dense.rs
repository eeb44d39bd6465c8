//! The autoencoder proper: dense layers down to the code, and back up.
//!
//! With tied weights the decoder multiplies by the transposes of the encoder's matrices (Vincent et al. 2010, JMLR
//! 11:3371, section 2.2), which halves the parameters and keeps a linear unit from hiding behind a large factor.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::models::mlp::Activation;

/// A dense layer, x W + b.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Param<Tensor<1>>,
}

impl Dense {
    /// Weights by Glorot & Bengio 2010 (uniform), zero biases.
    pub fn new(inputs: usize, outputs: usize, device: &Device, rng: &mut ChaCha8Rng) -> Self {
        Self { weight: weight([inputs, outputs], device, rng), bias: zeros(outputs, device) }
    }

    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze::<2>()
    }
}

fn weight(shape: [usize; 2], device: &Device, rng: &mut ChaCha8Rng) -> Param<Tensor<2>> {
    Init::GlorotUniform.param(shape, Fan::dense(shape), rng, device)
}

fn zeros(size: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::zeros([size], device))
}

/// `x` through `layers`, with a nonlinearity behind each.
///
/// # Shapes
/// - x `[batch, inputs of the first]`; output `[batch, outputs of the last]`
pub(crate) fn through(layers: &[Dense], activation: Activation, x: Tensor<2>) -> Tensor<2> {
    layers.iter().fold(x, |x, layer| activation.forward(layer.forward(x)))
}

/// Sizes of an autoencoder. The defaults are sigmoid units with tied weights, as in Vincent et al. 2008, where the width
/// is searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Columns of a row.
    pub inputs: usize,
    /// Units of each layer of the encoder, the last of them the code. The decoder has the same in reverse.
    pub hidden: Vec<usize>,
    /// Nonlinearity of every layer but the reconstruction.
    pub activation: Activation,
    /// Nonlinearity of the reconstruction.
    pub output: Activation,
    /// Whether the decoder multiplies by the transposes of the encoder's matrices.
    pub tied: bool,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            inputs: 784,
            hidden: vec![500],
            activation: Activation::Sigmoid,
            output: Activation::Sigmoid,
            tied: true,
        }
    }
}

/// Checks a list of widths; `empty` says whether it may be empty.
pub(crate) fn check_widths(field: &'static str, widths: &[usize], empty: bool) -> Result<(), ConfigError> {
    if widths.is_empty() && !empty {
        let (value, allowed) = ("[]".to_owned(), "the width of at least one layer".to_owned());
        return Err(ConfigError::OutOfRange { field, value, allowed });
    }
    widths.iter().try_for_each(|&width| in_range(field, width, 1..=1_000_000))
}

/// A chain of dense layers from `inputs` through `widths`.
pub(crate) fn chain(inputs: usize, widths: &[usize], device: &Device, rng: &mut ChaCha8Rng) -> Vec<Dense> {
    let from = std::iter::once(&inputs).chain(widths);
    from.zip(widths).map(|(&inputs, &outputs)| Dense::new(inputs, outputs, device, rng)).collect()
}

impl AutoencoderConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=10_000_000)?;
        check_widths("hidden", &self.hidden, false)
    }

    /// Builds the network with Glorot's weights and zero biases.
    ///
    /// # Errors
    /// What [`AutoencoderConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Autoencoder, ConfigError> {
        self.validate()?;
        let encoder = chain(self.inputs, &self.hidden, device, rng);
        let mut decoder_weights = Vec::new();
        let mut decoder_biases = Vec::new();
        for layer in &encoder {
            let [inputs, outputs] = layer.weight.dims();
            if !self.tied {
                decoder_weights.push(weight([outputs, inputs], device, rng));
            }
            decoder_biases.push(zeros(inputs, device));
        }
        Ok(Autoencoder { encoder, decoder_weights, decoder_biases, config: self.clone() })
    }
}

/// The network. Parameters are called `encoder.0.weight`, `decoder_weights.0`, `decoder_biases.0` and so on; number 0
/// of the decoder is the layer that undoes number 0 of the encoder, which is its last.
#[derive(Module, Debug)]
pub struct Autoencoder {
    pub(super) encoder: Vec<Dense>,
    /// Empty where the weights are tied.
    pub(super) decoder_weights: Vec<Param<Tensor<2>>>,
    pub(super) decoder_biases: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    pub(super) config: AutoencoderConfig,
}

impl Autoencoder {
    /// The sizes it was built with.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// The layers down to the code.
    pub fn encoder(&self) -> &[Dense] {
        &self.encoder
    }

    /// The device that the parameters are on.
    pub(super) fn device(&self) -> Device {
        self.encoder[0].weight.val().device()
    }

    /// The code.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, width of the code]`
    pub fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        through(&self.encoder, self.config.activation, x)
    }

    /// The reconstruction in front of its nonlinearity: the logits, where that is the sigmoid.
    ///
    /// # Shapes
    /// - code `[batch, width of the code]`; output `[batch, inputs]`
    pub fn decode_linear(&self, code: Tensor<2>) -> Tensor<2> {
        let mut x = code;
        for (index, bias) in self.decoder_biases.iter().enumerate().rev() {
            let weight = match self.decoder_weights.get(index) {
                Some(weight) => weight.val(),
                None => self.encoder[index].weight.val().transpose(),
            };
            x = x.matmul(weight) + bias.val().unsqueeze::<2>(); // [batch, inputs of encoder layer `index`]
            if index > 0 {
                x = self.config.activation.forward(x);
            }
        }
        x
    }

    /// The reconstruction.
    ///
    /// # Shapes
    /// - code `[batch, width of the code]`; output `[batch, inputs]`
    pub fn decode(&self, code: Tensor<2>) -> Tensor<2> {
        self.config.output.forward(self.decode_linear(code))
    }

    /// The reconstruction of `x` from its code.
    ///
    /// # Shapes
    /// - x and output `[batch, inputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.decode(self.encode(x))
    }
}
