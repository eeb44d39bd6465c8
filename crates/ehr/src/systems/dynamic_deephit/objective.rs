//! The three losses of Dynamic-DeepHit, and learning by them.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::train::{Objective, StepContext, StepError};

use super::{DeepHitOutput, DynamicDeepHit, DynamicDeepHitConfig, EPSILON, HistoryBatch, Trajectory, TrajectoryError};

/// Stream of the noise in a step.
const NOISE: u64 = 0;
/// Rows that are judged at a time.
const CHUNK: usize = 512;

/// The losses of a batch, each of shape `[1]` and without its weight.
#[derive(Debug, Clone)]
pub struct DeepHitLosses {
    /// Mean negative logarithm of the probability of what happened, given that nothing had happened by the last
    /// measurement; of a censored row, that it happened later.
    pub likelihood: Tensor<1>,
    /// Sum over the rows of the mean `exp(−(own risk − other's risk) / σ)` of the rows whose event came later.
    pub ranking: Tensor<1>,
    /// Squared error of the foretold measurements, summed over time.
    pub prediction: Tensor<1>,
}

impl DeepHitLosses {
    /// The losses of `output` for `batch`.
    pub fn of(output: &DeepHitOutput, batch: &HistoryBatch, config: &DynamicDeepHitConfig) -> Self {
        Self {
            likelihood: likelihood(&output.distribution, batch).mean(),
            ranking: ranking(&output.distribution, batch, config),
            prediction: prediction(&output.ahead, batch),
        }
    }
}

/// Negative logarithm of the conditional probability of each row: `[batch]`.
fn likelihood(distribution: &Tensor<3>, batch: &HistoryBatch) -> Tensor<1> {
    let gone = distribution.clone().sum_dim(1).squeeze_dim::<2>(1) * batch.passed.clone(); // [batch, categories]
    let left = gone.sum_dim(1).squeeze_dim::<1>(1).neg().add_scalar(1.0).clamp(EPSILON, 1.0 - EPSILON); // [batch]
    let found = distribution.clone() * batch.happened.clone(); // [batch, causes, categories]
    let found = found.sum_dim(2).squeeze_dim::<2>(2).sum_dim(1).squeeze_dim::<1>(1); // [batch]
    (found / left.add_scalar(EPSILON)).add_scalar(EPSILON).log().neg()
}

fn ranking(distribution: &Tensor<3>, batch: &HistoryBatch, config: &DynamicDeepHitConfig) -> Tensor<1> {
    let (rows, device) = (batch.ends.len(), distribution.device());
    let mut total: Option<Tensor<1>> = None;
    for cause in 0..config.causes {
        let own = distribution.clone().narrow(1, cause, 1).squeeze_dim::<2>(1); // [batch, categories]
        // risk of row i over the window of row j, [i, j]
        let risk = own.matmul(batch.window.clone().transpose());
        let diagonal: Vec<f32> = (0..rows * rows).map(|at| f32::from(u8::from(at / rows == at % rows))).collect();
        let diagonal = Tensor::<2>::from_data(TensorData::new(diagonal, [rows, rows]), &device);
        let mine = (risk.clone() * diagonal).sum_dim(1); // [batch, 1]
        let apart = mine - risk.transpose(); // own risk of row i less that of row j over the window of i
        let earlier: Vec<f32> = (0..rows * rows)
            .map(|at| {
                let (row, other) = (at / rows, at % rows);
                let counts = batch.observed[row] as usize == cause + 1 && batch.ends[row] < batch.ends[other];
                f32::from(u8::from(counts))
            })
            .collect();
        let earlier = Tensor::<2>::from_data(TensorData::new(earlier, [rows, rows]), &device);
        let loss = (earlier * apart.div_scalar(-config.sigma).exp()).sum().div_scalar((rows * config.causes) as f64);
        total = Some(match total {
            Some(sum) => sum + loss,
            None => loss,
        });
    }
    total.unwrap_or_else(|| Tensor::zeros([1], &device))
}

fn prediction(ahead: &Tensor<3>, batch: &HistoryBatch) -> Tensor<1> {
    let [rows, _, seen] = ahead.dims();
    let error = (ahead.clone() - batch.next.clone()).square() * batch.next_known.clone();
    error.sum().div_scalar((rows * seen) as f64)
}

/// Learns a [`DynamicDeepHit`]: first, for `burn_in` epochs, to foretell measurements alone, then by all three losses.
#[derive(Debug, Clone)]
pub struct DynamicDeepHitObjective {
    config: DynamicDeepHitConfig,
    trajectories: Vec<Trajectory>,
    validation: Vec<usize>,
    burn_in: usize,
    device: Device,
}

impl DynamicDeepHitObjective {
    /// Learns from the `trajectories` that the steps name and judges on those of `validation`; the model is on
    /// `device`, with or without autodiff. The authors burn in for 3,000 steps.
    ///
    /// # Errors
    /// What [`DynamicDeepHitConfig::validate`] finds, and [`ConfigError::Conflict`] for a validation row that is not
    /// there.
    pub fn new(
        config: DynamicDeepHitConfig,
        trajectories: Vec<Trajectory>,
        validation: Vec<usize>,
        burn_in: usize,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        if let Some(row) = validation.iter().find(|&&row| row >= trajectories.len()) {
            let rows = trajectories.len();
            return Err(ConfigError::Conflict(format!("validation names row {row}, there are {rows} trajectories")));
        }
        Ok(Self { config, trajectories, validation, burn_in, device: device.clone().inner() })
    }

    fn batch(&self, rows: &[usize], device: &Device) -> Result<HistoryBatch, StepError> {
        let found: Option<Vec<&Trajectory>> = rows.iter().map(|&row| self.trajectories.get(row)).collect();
        let missing = || {
            let row = rows.iter().copied().max().unwrap_or(0);
            StepError::other(format!("row {row} was asked for, there are {}", self.trajectories.len()))
        };
        let failed = |error: TrajectoryError| StepError::other(error);
        HistoryBatch::new(&found.ok_or_else(missing)?, &self.config, device).map_err(failed)
    }
}

impl Objective for DynamicDeepHitObjective {
    type Model = DynamicDeepHit;

    fn loss(&self, model: &DynamicDeepHit, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let batch = self.batch(rows, &self.device.clone().autodiff())?;
        let output = model.forward(&batch, Some(&mut context.rng(NOISE)));
        let losses = DeepHitLosses::of(&output, &batch, &self.config);
        let loss = if context.epoch < self.burn_in {
            losses.prediction
        } else {
            let config = &self.config;
            losses.likelihood.mul_scalar(config.alpha)
                + losses.ranking.mul_scalar(config.beta)
                + losses.prediction.mul_scalar(config.gamma)
        };
        Ok(match model.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    /// `likelihood` (the mean negative logarithm) and `prediction` (mean over rows and variables) of the validation
    /// rows.
    fn validate(&self, model: &DynamicDeepHit) -> Result<Vec<(String, f64)>, StepError> {
        let (mut likelihoods, mut errors) = (0.0, 0.0);
        let read = |loss: Tensor<1>| {
            let value = loss.try_into_scalar::<f64>();
            value.map_err(|error| StepError::Device { what: "loss", reason: error.to_string() })
        };
        for rows in self.validation.chunks(CHUNK) {
            let batch = self.batch(rows, &self.device)?;
            let output = model.forward(&batch, None);
            likelihoods += read(likelihood(&output.distribution, &batch).sum())?;
            errors += rows.len() as f64 * read(prediction(&output.ahead, &batch))?;
        }
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.validation.len() as f64;
        Ok(vec![("likelihood".to_owned(), likelihoods / rows), ("prediction".to_owned(), errors / rows)])
    }
}
