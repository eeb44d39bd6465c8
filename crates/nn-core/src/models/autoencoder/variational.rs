//! The variational autoencoder: a latent variable model of rows, with an encoder that approximates its posterior.
//!
//! Kingma & Welling 2014, *Auto-encoding variational Bayes*, ICLR: encoder and decoder of appendix C, the objective of
//! equation 10, whose divergence is in closed form (appendix B). Its factor β is that of Higgins et al. 2017, ICLR. The
//! likelihood of held-out rows is estimated by importance sampling (Rezende et al. 2014, ICML; with K draws
//! it is the bound of Burda, Grosse & Salakhutdinov 2016, ICLR).

mod objective;

pub use self::objective::ElboObjective;

use std::f64::consts::PI;

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::dense::{Dense, chain, check_widths, through};
use super::objective::{check_columns, cross_entropy};
use super::rows::{Rows, normal};
use crate::config::{ConfigError, in_range};
use crate::models::mlp::Activation;
use crate::train::StepError;

/// Distribution of a row given its latent variable.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Likelihood {
    /// Independent yes-or-no values; values between 0 and 1 count as that much of a yes.
    #[default]
    Bernoulli,
    /// Independent normal values. The decoder gives the mean of each, and its variance unless that is given here.
    Gaussian {
        /// Standard deviation of every value, above 0; the decoder's doing if absent.
        #[serde(default)]
        sd: Option<f64>,
    },
}

/// Sizes of a variational autoencoder; the defaults are those of Kingma & Welling 2014 for MNIST, where the number of
/// latent dimensions was varied from 3 to 200.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariationalConfig {
    /// Columns of a row.
    pub inputs: usize,
    /// Units of each hidden layer of the encoder; the decoder has the same in reverse. May be empty.
    pub hidden: Vec<usize>,
    /// Latent dimensions.
    pub latent: usize,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Distribution of a row given its latent variable.
    pub likelihood: Likelihood,
    /// β, the factor of the divergence in the objective; 1 makes it a bound of the log-likelihood.
    pub beta: f64,
    /// L, the draws of the latent variable for each row of a step.
    pub draws: usize,
}

impl Default for VariationalConfig {
    fn default() -> Self {
        Self {
            inputs: 784,
            hidden: vec![500],
            latent: 20,
            activation: Activation::Tanh,
            likelihood: Likelihood::Bernoulli,
            beta: 1.0,
            draws: 1,
        }
    }
}

impl VariationalConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=10_000_000)?;
        check_widths("hidden", &self.hidden, true)?;
        in_range("latent", self.latent, 1..=1_000_000)?;
        in_range("beta", self.beta, 0.0..=1e6)?;
        in_range("draws", self.draws, 1..=10_000)?;
        match self.likelihood {
            Likelihood::Gaussian { sd: Some(sd) } => in_range("likelihood.sd", sd, 1e-6..=1e6),
            Likelihood::Gaussian { sd: None } | Likelihood::Bernoulli => Ok(()),
        }
    }

    /// Builds the network with Glorot's weights and zero biases.
    ///
    /// # Errors
    /// What [`VariationalConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<VariationalAutoencoder, ConfigError> {
        self.validate()?;
        let reversed: Vec<usize> = self.hidden.iter().rev().copied().collect();
        let top = self.hidden.last().copied().unwrap_or(self.inputs);
        let bottom = reversed.last().copied().unwrap_or(self.latent);
        let encoder = chain(self.inputs, &self.hidden, device, rng);
        let mean = Dense::new(top, self.latent, device, rng);
        let log_variance = Dense::new(top, self.latent, device, rng);
        let decoder = chain(self.latent, &reversed, device, rng);
        let output = Dense::new(bottom, self.inputs, device, rng);
        let output_log_variance = match self.likelihood {
            Likelihood::Gaussian { sd: None } => Some(Dense::new(bottom, self.inputs, device, rng)),
            Likelihood::Gaussian { sd: Some(_) } | Likelihood::Bernoulli => None,
        };
        let config = self.clone();
        Ok(VariationalAutoencoder { encoder, mean, log_variance, decoder, output, output_log_variance, config })
    }
}

/// The encoder's approximation of the posterior: for each row independent normal latent dimensions.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// `[batch, latent]`.
    pub mean: Tensor<2>,
    /// Logarithm of the variance, `[batch, latent]`.
    pub log_variance: Tensor<2>,
}

impl Posterior {
    /// μ + σ ε: a draw, where the `noise` ε is one from N(0, 1), with a gradient for μ and σ (section 2.4).
    ///
    /// # Shapes
    /// - noise and output `[batch, latent]`
    pub fn sample(&self, noise: Tensor<2>) -> Tensor<2> {
        self.mean.clone() + self.log_variance.clone().mul_scalar(0.5).exp() * noise
    }

    /// KL(q‖N(0, I)) of each row in nats, −½ Σ (1 + ln σ² − μ² − σ²) (appendix B).
    ///
    /// # Shapes
    /// - output `[batch]`
    pub fn divergence(&self) -> Tensor<1> {
        let batch = self.mean.dims()[0];
        let (mean, log_variance) = (self.mean.clone(), self.log_variance.clone());
        let terms = log_variance.clone().add_scalar(1.0) - mean.square() - log_variance.exp(); // [batch, latent]
        terms.sum_dim(1).mul_scalar(-0.5).reshape([batch])
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct VariationalAutoencoder {
    pub(super) encoder: Vec<Dense>,
    pub(super) mean: Dense,
    pub(super) log_variance: Dense,
    pub(super) decoder: Vec<Dense>,
    /// Logits of Bernoulli values, means of normal ones.
    pub(super) output: Dense,
    pub(super) output_log_variance: Option<Dense>,
    #[module(skip)]
    pub(super) config: VariationalConfig,
}

impl VariationalAutoencoder {
    /// The sizes it was built with.
    pub fn config(&self) -> &VariationalConfig {
        &self.config
    }

    /// The device that the parameters are on.
    pub(super) fn device(&self) -> Device {
        self.mean.weight.val().device()
    }

    /// The approximate posterior of the latent variable.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`
    pub fn posterior(&self, x: Tensor<2>) -> Posterior {
        let x = through(&self.encoder, self.config.activation, x); // [batch, units]
        Posterior { mean: self.mean.forward(x.clone()), log_variance: self.log_variance.forward(x) }
    }

    /// The mean of a row given its latent variable: probabilities of Bernoulli values.
    ///
    /// # Shapes
    /// - z `[batch, latent]`; output `[batch, inputs]`
    pub fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        let mean = self.output.forward(through(&self.decoder, self.config.activation, z));
        match self.config.likelihood {
            Likelihood::Bernoulli => sigmoid(mean),
            Likelihood::Gaussian { .. } => mean,
        }
    }

    /// ln p(x|z) of each row, in nats.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`, z `[batch, latent]`; output `[batch]`
    pub fn log_likelihood(&self, x: Tensor<2>, z: Tensor<2>) -> Tensor<1> {
        let [batch, columns] = x.dims();
        let hidden = through(&self.decoder, self.config.activation, z); // [batch, units]
        let mean = self.output.forward(hidden.clone()); // [batch, inputs]
        let normaliser = columns as f64 * (2.0 * PI).ln();
        let sums = match (self.config.likelihood, &self.output_log_variance) {
            (Likelihood::Bernoulli, _) => cross_entropy(mean, x).sum_dim(1).neg(),
            (Likelihood::Gaussian { .. }, Some(head)) => {
                let log_variance = head.forward(hidden); // [batch, inputs]
                let distance = (x - mean).square() * log_variance.clone().neg().exp();
                (distance + log_variance).sum_dim(1).add_scalar(normaliser).mul_scalar(-0.5)
            }
            (Likelihood::Gaussian { sd }, None) => {
                let sd = sd.unwrap_or(1.0);
                let normaliser = normaliser + columns as f64 * 2.0 * sd.ln();
                let distance = (x - mean).square().sum_dim(1).mul_scalar(1.0 / (sd * sd));
                distance.add_scalar(normaliser).mul_scalar(-0.5)
            }
        };
        sums.reshape([batch])
    }

    /// ln p(x|z) − β KL(q‖N(0, I)) of each row at z = μ + σ ε, in nats: with β = 1 an unbiased estimate of a lower
    /// bound of ln p(x) (equation 7).
    ///
    /// # Shapes
    /// - x `[batch, inputs]`, noise `[batch, latent]` from N(0, 1); output `[batch]`
    pub fn elbo(&self, x: Tensor<2>, noise: Tensor<2>) -> Tensor<1> {
        let posterior = self.posterior(x.clone());
        let z = posterior.sample(noise); // [batch, latent]
        self.log_likelihood(x, z) - posterior.divergence().mul_scalar(self.config.beta)
    }

    /// Draws of rows' means from the model: N(0, I) decoded.
    ///
    /// # Shapes
    /// - output `[count, inputs]`
    pub fn sample(&self, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        self.decode(normal([count, self.config.latent], rng, &self.device()))
    }

    /// ln p(x) of each row in nats, estimated as ln 1/K Σ p(x|zₖ) p(zₖ) / q(zₖ|x) with `draws` = K values of z from q.
    /// Its mean is a lower bound that rises with K towards the truth; K = 1 is the bound that is learnt.
    ///
    /// # Errors
    /// [`StepError::Device`], and any other for rows of another width or no draws.
    pub fn importance_log_likelihood(
        &self,
        rows: &Rows,
        draws: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f64>, StepError> {
        check_columns(rows, self.config.inputs).map_err(StepError::other)?;
        in_range("draws", draws, 1..=usize::MAX).map_err(StepError::other)?;
        let device = self.device();
        let mut found = Vec::with_capacity(rows.len());
        for x in rows.chunks(&device) {
            let batch = x.dims()[0];
            let posterior = self.posterior(x.clone());
            let mut totals = vec![LogSum::default(); batch];
            for _ in 0..draws {
                let noise = normal([batch, self.config.latent], rng, &device);
                let z = posterior.sample(noise.clone()); // [batch, latent]
                // ln p(z) − ln q(z|x) = ½ Σ (ln σ² + ε² − z²): the factors of 2π cancel
                let prior = posterior.log_variance.clone() + noise.square() - z.clone().square();
                let prior: Tensor<1> = prior.sum_dim(1).mul_scalar(0.5).reshape([batch]);
                let weights = (self.log_likelihood(x.clone(), z) + prior).try_into_vec_as::<f32>();
                let weights =
                    weights.map_err(|e| StepError::Device { what: "log-likelihood", reason: e.to_string() })?;
                totals.iter_mut().zip(weights).for_each(|(total, weight)| total.add(f64::from(weight)));
            }
            found.extend(totals.iter().map(|total| total.value() - (draws as f64).ln()));
        }
        Ok(found)
    }
}

/// The logarithm of a sum of exponentials, term by term and without overflow.
#[derive(Debug, Clone, Copy)]
struct LogSum {
    largest: f64,
    /// Σ e^(term − largest).
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    fn add(&mut self, term: f64) {
        if term > self.largest {
            self.sum = self.sum * (self.largest - term).exp() + 1.0;
            self.largest = term;
        } else if term > f64::NEG_INFINITY {
            self.sum += (term - self.largest).exp();
        }
    }

    fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}
