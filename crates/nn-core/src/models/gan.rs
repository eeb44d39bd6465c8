//! A generative adversarial pair: a generator that learns to make rows, and a discriminator that learns to tell them
//! from real ones.
//!
//! Goodfellow et al. 2014, *Generative adversarial nets*, NIPS 27. [`GanLearner`] is the algorithm 1 of the paper with
//! k = 1: a step on the discriminator, then one on the generator, in [`fit`](crate::train::fit).
//!
//! ```
//! use nn_core::burn::tensor::Device;
//! use nn_core::data::rng;
//! use nn_core::models::gan::GanConfig;
//!
//! let config = GanConfig { columns: 2, latent: 4, ..GanConfig::default() };
//! let model = config.init(&Device::flex(), &mut rng(7, &[]))?;
//! let made = model.sample(10, &mut rng(7, &[1]));
//! assert_eq!(made.dims(), [10, 2]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

mod learner;

pub use self::learner::GanLearner;

use burn::module::Module;
use burn::tensor::activation::{leaky_relu, log_sigmoid};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::models::autoencoder::{Dense, chain, check_widths, normal, through};
use crate::models::mlp::Activation;

/// Distribution of the latent variable, independent in each dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latent {
    /// N(0, 1).
    #[default]
    Normal,
    /// U(−1, 1), as of Radford, Metz & Chintala 2016, ICLR.
    Uniform,
}

/// What the generator minimises, D being the probability that a row is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeneratorLoss {
    /// −ln D(G(z)): the strong gradient early in learning that section 3 of the paper recommends.
    #[default]
    NonSaturating,
    /// ln(1 − D(G(z))): the minimax game of equation 1.
    Minimax,
}

/// Sizes of the pair. The defaults are the generator of the authors' code for MNIST (`mnist.yaml` of
/// goodfeli/adversarial), and leaky rectified units in place of the maxout units of its discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanConfig {
    /// Columns of a row.
    pub columns: usize,
    /// Dimensions of the latent variable.
    pub latent: usize,
    /// Its distribution.
    pub distribution: Latent,
    /// Units of each hidden layer of the generator; may be empty.
    pub generator: Vec<usize>,
    /// Nonlinearity of these layers.
    pub activation: Activation,
    /// Nonlinearity of the rows that the generator makes.
    pub output: Activation,
    /// Units of each hidden layer of the discriminator; may be empty.
    pub discriminator: Vec<usize>,
    /// Slope below zero of these layers' rectified units, 0 to 1; 0.2 in Radford, Metz & Chintala 2016.
    pub slope: f64,
    /// What the generator minimises.
    pub generator_loss: GeneratorLoss,
}

impl Default for GanConfig {
    fn default() -> Self {
        Self {
            columns: 784,
            latent: 100,
            distribution: Latent::Normal,
            generator: vec![1200, 1200],
            activation: Activation::Relu,
            output: Activation::Sigmoid,
            discriminator: vec![240, 240],
            slope: 0.2,
            generator_loss: GeneratorLoss::NonSaturating,
        }
    }
}

impl GanConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("columns", self.columns, 1..=10_000_000)?;
        in_range("latent", self.latent, 1..=1_000_000)?;
        check_widths("generator", &self.generator, true)?;
        check_widths("discriminator", &self.discriminator, true)?;
        in_range("slope", self.slope, 0.0..=1.0)
    }

    /// Builds the pair with Glorot's weights and zero biases.
    ///
    /// # Errors
    /// What [`GanConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Gan, ConfigError> {
        self.validate()?;
        let mut network = |inputs: usize, hidden: &[usize], outputs: usize| Network {
            hidden: chain(inputs, hidden, device, rng),
            output: Dense::new(hidden.last().copied().unwrap_or(inputs), outputs, device, rng),
        };
        let generator = network(self.latent, &self.generator, self.columns);
        let discriminator = network(self.columns, &self.discriminator, 1);
        Ok(Gan { generator, discriminator, config: self.clone() })
    }
}

/// Dense layers with a linear one on top.
#[derive(Module, Debug)]
pub struct Network {
    hidden: Vec<Dense>,
    output: Dense,
}

/// The pair. Parameters are called `generator.hidden.0.weight`, `discriminator.output.bias` and so on.
#[derive(Module, Debug)]
pub struct Gan {
    generator: Network,
    discriminator: Network,
    #[module(skip)]
    config: GanConfig,
}

impl Gan {
    /// The sizes it was built with.
    pub fn config(&self) -> &GanConfig {
        &self.config
    }

    /// The device that the parameters are on.
    fn device(&self) -> Device {
        self.generator.output.weight.val().device()
    }

    /// Draws of the latent variable.
    ///
    /// # Shapes
    /// - output `[count, latent]`
    pub fn latent(&self, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let (shape, device) = ([count, self.config.latent], self.device());
        match self.config.distribution {
            Latent::Normal => normal(shape, rng, &device),
            Latent::Uniform => {
                let values = Init::Uniform(1.0).values(&shape, Fan::dense(shape), rng);
                Tensor::from_data(TensorData::new(values, shape), &device)
            }
        }
    }

    /// The rows that the generator makes of latent values.
    ///
    /// # Shapes
    /// - z `[batch, latent]`; output `[batch, columns]`
    pub fn generate(&self, z: Tensor<2>) -> Tensor<2> {
        let x = through(&self.generator.hidden, self.config.activation, z); // [batch, units]
        self.config.output.forward(self.generator.output.forward(x))
    }

    /// Draws from the generator.
    ///
    /// # Shapes
    /// - output `[count, columns]`
    pub fn sample(&self, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        self.generate(self.latent(count, rng))
    }

    /// The logit of the probability that a row is real.
    ///
    /// # Shapes
    /// - x `[batch, columns]`; output `[batch, 1]`
    pub fn discriminate(&self, x: Tensor<2>) -> Tensor<2> {
        let slope = self.config.slope;
        let layers = self.discriminator.hidden.iter();
        let x = layers.fold(x, |x, layer| leaky_relu(layer.forward(x), slope)); // [batch, units]
        self.discriminator.output.forward(x)
    }

    /// −ln D(x) − ln(1 − D(G(z))), each as a mean over its rows: 2 ln 2 where D cannot tell the two apart (theorem 1 of
    /// the paper). `made` should be detached from the generator, which has no part in this loss.
    ///
    /// # Shapes
    /// - real `[rows, columns]`, made `[rows made, columns]`; output `[1]`
    pub fn discriminator_loss(&self, real: Tensor<2>, made: Tensor<2>) -> Tensor<1> {
        let real = log_sigmoid(self.discriminate(real)).mean();
        let made = log_sigmoid(self.discriminate(made).neg()).mean();
        (real + made).neg()
    }

    /// What the generator minimises, as a mean over the rows `made`.
    ///
    /// # Shapes
    /// - made `[batch, columns]`; output `[1]`
    pub fn generator_loss(&self, made: Tensor<2>) -> Tensor<1> {
        let logits = self.discriminate(made); // [batch, 1]
        match self.config.generator_loss {
            GeneratorLoss::NonSaturating => log_sigmoid(logits).mean().neg(),
            GeneratorLoss::Minimax => log_sigmoid(logits.neg()).mean(),
        }
    }
}

#[cfg(test)]
mod tests;
