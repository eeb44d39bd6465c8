//! The partition function by annealed importance sampling.
//!
//! Salakhutdinov & Murray 2008, *On the quantitative analysis of deep belief networks*, ICML, section 4, after Neal
//! 2001. Chains walk from a machine without weights, whose partition function is known, through machines with all
//! energies scaled by β, to the one in question; the mean of their importance weights is unbiased for Z.

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softplus};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

use super::sampling::{bernoulli, host};
use super::{Rbm, RbmError};
use crate::config::{ConfigError, in_range};

/// A stretch of equally spaced inverse temperatures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// β at its end, above that of the stage before, 1 for the last.
    pub until: f64,
    /// Number of temperatures, 1 to 1,000,000.
    pub steps: usize,
}

/// How log Z is estimated; the defaults are the 100 chains and 14,500 temperatures of section 6 of the paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AisConfig {
    /// Independent chains, 1 to 1,000,000.
    pub chains: usize,
    /// The temperatures from β = 0 to β = 1.
    pub stages: Vec<Stage>,
    /// Words of the documents that Z sums over, 1 to 1,000,000; of no effect but for replicated softmax units.
    pub words: usize,
}

impl Default for AisConfig {
    fn default() -> Self {
        let stage = |until, steps| Stage { until, steps };
        Self { chains: 100, stages: vec![stage(0.5, 500), stage(0.9, 4000), stage(1.0, 10_000)], words: 1 }
    }
}

impl AisConfig {
    /// # Errors
    /// [`ConfigError`] for a number out of its range and for stages that do not rise to 1.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("chains", self.chains, 1..=1_000_000)?;
        in_range("words", self.words, 1..=1_000_000)?;
        let mut from = 0.0;
        for stage in &self.stages {
            in_range("steps", stage.steps, 1..=1_000_000)?;
            in_range("until", stage.until, from..=1.0)?;
            if stage.until == from {
                return Err(ConfigError::Conflict(format!("two stages end at {from}; each must end above the last")));
            }
            from = stage.until;
        }
        if from < 1.0 {
            return Err(ConfigError::Conflict(format!("the stages end at {from}; the last one must end at 1")));
        }
        Ok(())
    }

    /// All inverse temperatures, without the zero in front.
    fn temperatures(&self) -> Vec<f64> {
        let mut from = 0.0;
        let mut all = Vec::new();
        for stage in &self.stages {
            let length = stage.until - from;
            all.extend((1..=stage.steps).map(|step| from + length * step as f64 / stage.steps as f64));
            from = stage.until;
        }
        all
    }
}

/// An estimate of log Z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogPartition {
    /// Logarithm of the estimate of Z.
    pub log_z: f64,
    /// Logarithm of the estimate less three standard errors; −∞ if that is not positive.
    pub lower: f64,
    /// Logarithm of the estimate plus three standard errors.
    pub upper: f64,
}

impl Rbm {
    /// Estimates log Z. The walk begins at a machine with the visible biases `base` and no weights; those of
    /// [`Rbm::with_visible_bias_of`] on the training data are a good choice, the model's own are taken without any.
    /// For replicated softmax units Z sums over sequences of `config.words` words.
    ///
    /// # Shapes
    /// - base `[visible]`
    ///
    /// # Errors
    /// [`RbmError::Config`], [`RbmError::Columns`], [`RbmError::Device`].
    pub fn log_partition(
        &self,
        config: &AisConfig,
        base: Option<Tensor<1>>,
        rng: &mut ChaCha8Rng,
    ) -> Result<LogPartition, RbmError> {
        config.validate()?;
        let units = self.units();
        let own = self.visible_bias.val();
        let base = base.unwrap_or_else(|| own.clone());
        let row = base.clone().unsqueeze::<2>(); // [1, visible]
        self.check("base", &row)?;
        let [_, hidden] = self.weight.dims();
        let start = hidden as f64 * LN_2 + units.bias_log_partition(&host("base", base.clone())?, config.words);

        let shape = [config.chains, 1];
        let lengths = Tensor::<2>::full(shape, config.words as f64, &self.device());
        let lengths = units.lengths(&lengths);
        let spread = Tensor::<2>::ones(shape, &self.device());
        let base_inputs = spread.matmul(row); // [chains, visible]
        let mut visible = units.sample(base_inputs.clone(), lengths.as_ref(), rng)?;
        let mut log_weights = vec![0.0_f64; config.chains];
        let mut before = 0.0;
        for beta in config.temperatures() {
            let inputs = self.hidden_inputs(visible.clone(), lengths.as_ref()); // [chains, hidden]
            let by_bias = units.bias_energy(visible.clone(), base.clone()) - units.bias_energy(visible, own.clone());
            let by_hidden =
                softplus(inputs.clone().mul_scalar(beta), 1.0) - softplus(inputs.clone().mul_scalar(before), 1.0);
            let change = by_bias.mul_scalar(beta - before) + by_hidden.sum_dim(1).squeeze_dim::<1>(1); // [chains]
            for (weight, change) in log_weights.iter_mut().zip(host("importance weights", change)?) {
                *weight += f64::from(change);
            }
            let states = bernoulli(sigmoid(inputs.mul_scalar(beta)), rng); // [chains, hidden]
            let inputs = self.visible_inputs(states).mul_scalar(beta) + base_inputs.clone().mul_scalar(1.0 - beta);
            visible = units.sample(inputs, lengths.as_ref(), rng)?; // [chains, visible]
            before = beta;
        }
        Ok(estimate(start, &log_weights))
    }
}

/// The logarithm of the mean weight and its limits, all shifted by `start`.
fn estimate(start: f64, log_weights: &[f64]) -> LogPartition {
    let n = log_weights.len() as f64;
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_weights.iter().map(|w| (w - top).exp()).collect();
    let mean = weights.iter().sum::<f64>() / n;
    let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let error = 3.0 * (variance / n).sqrt();
    let log = |value: f64| start + top + value.max(0.0).ln();
    LogPartition { log_z: log(mean), lower: log(mean - error), upper: log(mean + error) }
}
