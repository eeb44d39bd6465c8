//! Learning a variational autoencoder: the mean evidence lower bound over the rows of a step.

use burn::tensor::Tensor;

use super::{VariationalAutoencoder, VariationalConfig};
use crate::config::ConfigError;
use crate::models::autoencoder::objective::check_columns;
use crate::models::autoencoder::rows::{Rows, normal, scalar};
use crate::train::{Objective, StepContext, StepError};

/// Stream of the latent noise in a step.
const NOISE: u64 = 0;
/// Seed of the latent noise of every validation, so that two validations differ by the model alone.
const VALIDATION: u64 = 0;

/// Learns a [`VariationalAutoencoder`]: the loss is minus the mean over rows of ln p(x|z) − β KL, in nats.
#[derive(Debug, Clone)]
pub struct ElboObjective {
    train: Rows,
    validation: Option<Rows>,
}

impl ElboObjective {
    /// Learns from `train`, whose rows the steps name, and judges on `validation`, for a `model` of these sizes.
    ///
    /// # Errors
    /// What [`VariationalConfig::validate`] finds, and [`ConfigError::Conflict`] for rows of another width.
    pub fn new(model: &VariationalConfig, train: Rows, validation: Option<Rows>) -> Result<Self, ConfigError> {
        model.validate()?;
        for rows in validation.iter().chain([&train]) {
            check_columns(rows, model.inputs)?;
        }
        Ok(Self { train, validation })
    }
}

impl Objective for ElboObjective {
    type Model = VariationalAutoencoder;

    fn loss(
        &self,
        model: &VariationalAutoencoder,
        rows: &[usize],
        context: &StepContext,
    ) -> Result<Tensor<1>, StepError> {
        let (device, config) = (model.device(), model.config());
        let x = self.train.batch(rows, &device).map_err(StepError::other)?; // [batch, inputs]
        let mut rng = context.rng(NOISE);
        let posterior = model.posterior(x.clone());
        let mut loss = posterior.divergence().mean().mul_scalar(config.beta);
        for _ in 0..config.draws {
            let z = posterior.sample(normal([rows.len(), config.latent], &mut rng, &device));
            loss = loss - model.log_likelihood(x.clone(), z).mean().div_scalar(config.draws as f64);
        }
        Ok(loss)
    }

    /// `elbo`, the bound with β = 1, and its two parts, `log_likelihood` of the rows given z and `divergence`, all in
    /// nats and as means over the validation rows; nothing without such rows.
    fn validate(&self, model: &VariationalAutoencoder) -> Result<Vec<(String, f64)>, StepError> {
        let Some(rows) = &self.validation else {
            return Ok(Vec::new());
        };
        let device = model.device();
        let mut rng = crate::data::rng(VALIDATION, &[NOISE]);
        let (mut likelihood, mut divergence) = (0.0, 0.0);
        for x in rows.chunks(&device) {
            let noise = normal([x.dims()[0], model.config().latent], &mut rng, &device);
            let posterior = model.posterior(x.clone());
            divergence += scalar(posterior.divergence().sum(), "divergence")?;
            likelihood += scalar(model.log_likelihood(x, posterior.sample(noise)).sum(), "log-likelihood")?;
        }
        let count = rows.len().max(1) as f64;
        let (likelihood, divergence) = (likelihood / count, divergence / count);
        let found = [("elbo", likelihood - divergence), ("log_likelihood", likelihood), ("divergence", divergence)];
        Ok(found.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }
}
