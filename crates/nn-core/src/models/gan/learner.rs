//! One step on each half of the pair, and a checkpoint of both.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::Gan;
use crate::config::ConfigError;
use crate::models::autoencoder::{Rows, check_columns, scalar};
use crate::optim::{OptimError, Optimizer, clip_global_norm};
use crate::store::{self, Metadata};
use crate::train::{Learner, StepContext, StepError, StepReport};

/// Stream of the latent draws in a step.
const LATENT: u64 = 0;
/// Seed of the latent draws of every validation, so that two validations differ by the model alone.
const VALIDATION: u64 = 0;

/// Learns a [`Gan`].
///
/// A step draws as many latent values as it has rows and improves the discriminator on both halves; then it draws
/// again and improves the generator against the new discriminator. The rows of the second half are generated anew,
/// since a graph can be differentiated once only. The loss that is reported is the discriminator's, the gradient's norm
/// is that of both halves together.
pub struct GanLearner {
    model: Gan,
    generator: Optimizer,
    discriminator: Optimizer,
    train: Rows,
    validation: Option<Rows>,
    rate_ratio: f64,
    clip_norm: Option<f64>,
    metadata: Metadata,
}

impl GanLearner {
    /// A learner that starts from `model`, which must be on a device with autodiff, with an optimiser for each half.
    /// The steps name rows of `train`. `architecture` names the system in the weights files; weights of another one are
    /// refused.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] for rows of another width than the model's.
    pub fn new(
        model: Gan,
        train: Rows,
        generator: Optimizer,
        discriminator: Optimizer,
        architecture: &str,
    ) -> Result<Self, ConfigError> {
        check_columns(&train, model.config().columns)?;
        let metadata = Metadata::from([(store::ARCHITECTURE.to_string(), architecture.to_string())]);
        Ok(Self {
            model,
            generator,
            discriminator,
            train,
            validation: None,
            rate_ratio: 1.0,
            clip_norm: None,
            metadata,
        })
    }

    /// Judges the pair on `rows`.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] for rows of another width than the model's.
    pub fn with_validation(mut self, rows: Rows) -> Result<Self, ConfigError> {
        check_columns(&rows, self.model.config().columns)?;
        self.validation = Some(rows);
        Ok(self)
    }

    /// The discriminator's learning rate is `ratio` times the run's, which is the generator's (Heusel et al. 2017, NIPS
    /// 30, learn the two at different rates).
    pub fn with_rate_ratio(mut self, ratio: f64) -> Self {
        self.rate_ratio = ratio;
        self
    }

    /// Scales the gradients of each half down whose global norm exceeds `norm`.
    pub fn with_clip_norm(mut self, norm: Option<f64>) -> Self {
        self.clip_norm = norm;
        self
    }

    /// Adds what the weights files say about the model, such as [`store::CONFIG`].
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata.extend(metadata);
        self
    }

    /// The pair as it is now, on its device with autodiff.
    pub fn model(&self) -> &Gan {
        &self.model
    }

    /// The pair for use: in validation state and without autodiff.
    pub fn into_model(self) -> Gan {
        self.model.valid()
    }

    fn with_weights(&self, weights: &[u8]) -> Result<Gan, StepError> {
        let (model, metadata) = store::from_safetensors(self.model.clone(), weights)?;
        if let Some(architecture) = self.metadata.get(store::ARCHITECTURE) {
            store::check_architecture(&metadata, architecture)?;
        }
        Ok(model)
    }

    /// The gradients of `loss` for `half`, clipped, with their norm before.
    fn gradients<M: Module>(&self, loss: &Tensor<1>, half: &M) -> Result<(GradientsParams, f64), StepError> {
        if !loss.is_tracked() {
            return Err(StepError::NoGradient);
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), half);
        let norm = clip_global_norm(&mut gradients, half, self.clip_norm.unwrap_or(f64::INFINITY));
        Ok((gradients, norm))
    }
}

fn optimizer_failed(error: OptimError) -> StepError {
    StepError::Optimizer(error.to_string())
}

/// Two states as one: the length of the first in 8 bytes, little end first, then both.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut bytes = (first.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(second);
    bytes
}

/// The two states that [`joined`] has put together; none if the bytes are too few.
fn parted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, states) = bytes.split_first_chunk::<8>()?;
    states.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

impl Learner for GanLearner {
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
        let model = &self.model;
        let mut rng = context.rng(LATENT);
        let real = self.train.batch(rows, &model.device()).map_err(StepError::other)?; // [batch, columns]
        let made = model.sample(rows.len(), &mut rng).detach(); // [batch, columns]
        let loss = model.discriminator_loss(real, made);
        let value = scalar(loss.clone(), "discriminator's loss")?;
        if !value.is_finite() {
            return Ok(StepReport { loss: value, grad_norm: None });
        }
        let (gradients, discriminator_norm) = self.gradients(&loss, &model.discriminator)?;
        if !discriminator_norm.is_finite() {
            return Ok(StepReport { loss: value, grad_norm: Some(discriminator_norm) });
        }
        // A copy goes ahead: should the generator's gradient not be finite, nothing has been changed.
        let mut optimizer = self.discriminator.clone();
        let rate = context.learning_rate * self.rate_ratio;
        let discriminator = optimizer.step(rate, model.discriminator.clone(), gradients);
        let ahead = Gan { generator: model.generator.clone(), discriminator, config: model.config.clone() };

        let loss = ahead.generator_loss(ahead.sample(rows.len(), &mut rng));
        let generator_value = scalar(loss.clone(), "generator's loss")?;
        if !generator_value.is_finite() {
            return Ok(StepReport { loss: generator_value, grad_norm: None });
        }
        let (gradients, generator_norm) = self.gradients(&loss, &ahead.generator)?;
        drop(loss);
        let norm = discriminator_norm.hypot(generator_norm);
        if norm.is_finite() {
            let Gan { generator, discriminator, config } = ahead;
            let generator = self.generator.step(context.learning_rate, generator, gradients);
            self.model = Gan { generator, discriminator, config };
            self.discriminator = optimizer;
        }
        Ok(StepReport { loss: value, grad_norm: Some(norm) })
    }

    /// `discriminator_loss` and `generator_loss` on the validation rows and as many latent draws, the same ones every
    /// time; nothing without such rows.
    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
        let Some(rows) = &self.validation else {
            return Ok(Vec::new());
        };
        let model = self.model.valid();
        let device = model.device();
        let mut rng = crate::data::rng(VALIDATION, &[LATENT]);
        let (mut discriminator, mut generator) = (0.0, 0.0);
        for real in rows.chunks(&device) {
            let count = real.dims()[0];
            let made = model.sample(count, &mut rng); // [chunk, columns]
            generator += count as f64 * scalar(model.generator_loss(made.clone()), "generator's loss")?;
            discriminator += count as f64 * scalar(model.discriminator_loss(real, made), "discriminator's loss")?;
        }
        let count = rows.len().max(1) as f64;
        let found = [("discriminator_loss", discriminator / count), ("generator_loss", generator / count)];
        Ok(found.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }

    fn weights(&self) -> Result<Vec<u8>, StepError> {
        Ok(store::to_safetensors(&self.model, &self.metadata)?)
    }

    fn optimizer(&self) -> Result<Vec<u8>, StepError> {
        let generator = self.generator.to_bytes().map_err(optimizer_failed)?;
        let discriminator = self.discriminator.to_bytes().map_err(optimizer_failed)?;
        Ok(joined(&generator, &discriminator))
    }

    fn restore(&mut self, weights: &[u8], optimizer: &[u8]) -> Result<(), StepError> {
        let model = self.with_weights(weights)?;
        let Some((generator_state, discriminator_state)) = parted(optimizer) else {
            return Err(StepError::Optimizer("the state is not that of two optimisers: it is cut short".to_owned()));
        };
        let mut generator = self.generator.clone();
        generator.load_bytes(generator_state).map_err(optimizer_failed)?;
        generator.check(&model.generator).map_err(optimizer_failed)?;
        let mut discriminator = self.discriminator.clone();
        discriminator.load_bytes(discriminator_state).map_err(optimizer_failed)?;
        discriminator.check(&model.discriminator).map_err(optimizer_failed)?;
        self.model = model;
        self.generator = generator;
        self.discriminator = discriminator;
        Ok(())
    }

    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError> {
        self.model = self.with_weights(weights)?;
        Ok(())
    }
}
