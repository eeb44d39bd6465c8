//! Dynamic-DeepHit: the risk of competing events from all measurements so far.
//!
//! Lee, Yoon and van der Schaar 2020, *Dynamic-DeepHit: a deep learning approach for dynamic survival analysis with
//! competing risks based on longitudinal data*, IEEE Transactions on Biomedical Engineering 67:122; layers, constants
//! and losses as in the authors' code (chl8856/Dynamic-DeepHit at b2e208f, `class_DeepLongitudinal.py`, `main.py`).
//!
//! Two layers of long short-term memory read all measurements but the last and foretell each next one. Attention, asked
//! by the last measurement, makes one context of their states; context and last measurement pass a shared layer and a
//! subnetwork for each cause, whose joint softmax is the distribution of (cause, time).

mod history;
mod objective;
#[cfg(test)]
mod tests;

pub use self::history::{HistoryBatch, Trajectory, TrajectoryError};
pub use self::objective::{DeepHitLosses, DynamicDeepHitObjective};

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{relu, softmax, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Recurrent, RecurrentConfig, dense, dropout};
use nn_core::ops::Cell;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Added to what is divided by or passed to a logarithm, as in the authors' code.
const EPSILON: f64 = 1e-8;

/// Sizes of the network and weights of its losses; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DynamicDeepHitConfig {
    /// Variables of a measurement; constant ones are repeated at each. The time to the next measurement is added to
    /// them.
    pub variables: usize,
    /// Competing causes.
    pub causes: usize,
    /// Intervals of time. The last one stands for all that comes later; the authors take 1.2 times the longest
    /// follow-up.
    pub categories: usize,
    /// Length of an interval, in the unit of the trajectories' times. An interval includes its end, not its beginning.
    pub interval: f64,
    /// Unit in which the network reads and foretells the time to the next measurement, in that of the trajectories'
    /// times. The authors take the times as they are: of weeks, the squared errors outweigh those of all variables.
    pub gap: f64,
    /// Kind of the recurrent layers.
    pub cell: Cell,
    /// Units of each recurrent layer.
    pub recurrent: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// Units of every dense layer.
    pub hidden: usize,
    /// Dense layers of each cause.
    pub cause_layers: usize,
    /// Dropout between all layers, 0 to 0.95; the authors keep 0.6.
    pub dropout: f64,
    /// Weight of the log-likelihood.
    pub alpha: f64,
    /// Weight of the ranking loss.
    pub beta: f64,
    /// Weight of the error of the foretold measurements.
    pub gamma: f64,
    /// Width of the ranking loss, σ.
    pub sigma: f64,
    /// Factor of the sum of absolute weights of the causes' layers.
    pub l1: f64,
}

impl Default for DynamicDeepHitConfig {
    fn default() -> Self {
        Self {
            variables: 1,
            causes: 2,
            categories: 100,
            interval: 1.0,
            gap: 1.0,
            cell: Cell::Lstm,
            recurrent: 100,
            layers: 2,
            hidden: 100,
            cause_layers: 2,
            dropout: 0.4,
            alpha: 1.0,
            beta: 0.1,
            gamma: 1.0,
            sigma: 0.1,
            l1: 1e-5,
        }
    }
}

impl DynamicDeepHitConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("variables", self.variables, 1..=100_000)?;
        in_range("causes", self.causes, 1..=64)?;
        in_range("categories", self.categories, 2..=100_000)?;
        in_range("interval", self.interval, f64::MIN_POSITIVE..=1e12)?;
        in_range("gap", self.gap, f64::MIN_POSITIVE..=1e12)?;
        in_range("recurrent", self.recurrent, 1..=65_536)?;
        in_range("layers", self.layers, 1..=16)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("cause_layers", self.cause_layers, 1..=16)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("alpha", self.alpha, 0.0..=1e6)?;
        in_range("beta", self.beta, 0.0..=1e6)?;
        in_range("gamma", self.gamma, 0.0..=1e6)?;
        in_range("sigma", self.sigma, 1e-6..=1e6)?;
        in_range("l1", self.l1, 0.0..=1e6)
    }

    /// Interval that holds `time`, its end included; the first one for 0, the last one for all that is later.
    pub fn category(&self, time: f64) -> usize {
        ((time / self.interval).ceil().max(1.0) as usize - 1).min(self.categories.saturating_sub(1))
    }

    /// Intervals that count as over at `time`: up to and including the one that holds it, none at 0.
    pub fn passed(&self, time: f64) -> usize {
        if time > 0.0 { self.category(time) + 1 } else { 0 }
    }

    /// Builds the network with Glorot's uniform weights and zero biases; the recurrent layers have PyTorch's.
    ///
    /// # Errors
    /// What [`DynamicDeepHitConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DynamicDeepHit, ConfigError> {
        self.validate()?;
        let (seen, units, hidden) = (self.variables + 1, self.recurrent, self.hidden);
        let mut history = Vec::with_capacity(self.layers);
        for layer in 0..self.layers {
            let input = if layer == 0 { 2 * seen } else { units };
            history.push(RecurrentConfig::new(input, units).init(self.cell, device, rng)?);
        }
        let last = 2 * self.variables;
        let states = self.layers * units;
        let mut dense = |inputs: usize, outputs: usize| dense([inputs, outputs], Init::GlorotUniform, device, rng);
        let attention = Attention { states: dense(states, hidden), last: dense(last, hidden), score: dense(hidden, 1) };
        let (ahead, spread) = (dense(units, seen), dense(units, seen));
        let shared = dense(self.variables + states, hidden);
        let causes = (0..self.causes)
            .map(|_| CauseNet { layers: (0..self.cause_layers).map(|_| dense(hidden, hidden)).collect() })
            .collect();
        let output = dense(self.causes * hidden, self.causes * self.categories);
        Ok(DynamicDeepHit { history, attention, ahead, spread, shared, causes, output, config: self.clone() })
    }
}

/// Scores of past states, given the last measurement: two layers, the first of which is the sum of one of the state and
/// one of the measurement.
#[derive(Module, Debug)]
pub struct Attention {
    states: Linear,
    last: Linear,
    score: Linear,
}

/// Dense layers of one cause.
#[derive(Module, Debug)]
pub struct CauseNet {
    layers: Vec<Linear>,
}

/// What the network makes of a batch.
#[derive(Debug, Clone)]
pub struct DeepHitOutput {
    /// Probability of each cause in each interval, all of a row summing to 1: `[batch, causes, categories]`.
    pub distribution: Tensor<3>,
    /// The next measurement as it was foretold from each but the last: `[batch, measurements - 1, 1 + variables]`. In
    /// training it is drawn from the foretold normal distribution.
    pub ahead: Tensor<3>,
    /// Shares of the past measurements in the context, summing to 1 (to 0 without a past):
    /// `[batch, measurements - 1]`.
    pub attention: Tensor<2>,
}

/// The network.
#[derive(Module, Debug)]
pub struct DynamicDeepHit {
    history: Vec<Recurrent>,
    attention: Attention,
    /// Mean of the next measurement.
    ahead: Linear,
    /// Logarithm of its standard deviation.
    spread: Linear,
    shared: Linear,
    causes: Vec<CauseNet>,
    output: Linear,
    #[module(skip)]
    config: DynamicDeepHitConfig,
}

impl DynamicDeepHit {
    /// The sizes it was built with.
    pub fn config(&self) -> &DynamicDeepHitConfig {
        &self.config
    }

    /// Distribution of cause and time, foretold measurements and attention. Noise acts when a generator is given.
    ///
    /// # Panics
    /// When the batch has other variables than the configuration says.
    pub fn forward(&self, batch: &HistoryBatch, mut rng: Option<&mut ChaCha8Rng>) -> DeepHitOutput {
        let (config, p) = (&self.config, self.config.dropout);
        let [rows, time, width] = batch.past.dims();
        assert_eq!(width, 2 * (config.variables + 1), "values and gaps of a measurement");
        let device = batch.past.device();
        let (mut sequence, mut states) = (batch.past.clone(), Vec::with_capacity(config.layers));
        for layer in &self.history {
            let found = layer.forward(sequence, Some(&batch.lengths), None).sequence; // [batch, time, recurrent]
            sequence = dropout(found.clone(), p, rng.as_deref_mut());
            states.push(found);
        }
        let states = Tensor::cat(states, 2); // [batch, time, layers recurrent]

        let asked = self.attention.last.forward(batch.last.clone()).unsqueeze_dim::<3>(1); // [batch, 1, hidden]
        let heard = tanh(self.attention.states.forward(states.clone()) + asked); // [batch, time, hidden]
        let score = self.attention.score.forward(dropout(heard, p, rng.as_deref_mut())); // [batch, time, 1]
        let score = score.squeeze_dim::<2>(2).exp() * batch.real.clone(); // [batch, time]
        let attention = score.clone() / score.sum_dim(1).add_scalar(EPSILON);
        let context = (states * attention.clone().unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1);

        let mut ahead = self.ahead.forward(sequence.clone()); // [batch, time, 1 + variables]
        if let Some(rng) = rng.as_deref_mut() {
            let shape = [rows, time, config.variables + 1];
            let noise = Init::Normal(1.0).values(&shape, Fan { inputs: 1, outputs: 1 }, rng);
            let noise = Tensor::<3>::from_data(TensorData::new(noise, shape), &device);
            ahead = ahead + self.spread.forward(sequence).exp() * noise;
        }

        let values = batch.last.clone().narrow(1, 0, config.variables);
        let shared = relu(self.shared.forward(Tensor::cat(vec![values, context], 1))); // [batch, hidden]
        let shared = dropout(shared, p, rng.as_deref_mut());
        let mut causes = Vec::with_capacity(config.causes);
        for net in &self.causes {
            let mut x = shared.clone();
            for (index, layer) in net.layers.iter().enumerate() {
                if index > 0 {
                    x = dropout(x, p, rng.as_deref_mut());
                }
                x = relu(layer.forward(x)); // [batch, hidden]
            }
            causes.push(x);
        }
        let joined = dropout(Tensor::cat(causes, 1), p, rng); // [batch, causes hidden]
        let distribution = softmax(self.output.forward(joined), 1); // [batch, causes categories]
        let distribution = distribution.reshape([rows, config.causes, config.categories]);
        DeepHitOutput { distribution, ahead, attention }
    }

    /// Probability of each cause up to `horizon` for who is free of all at `landmark`: of one row of
    /// [`DeepHitOutput::distribution`], `[causes, categories]`. Nothing where no probability is left behind the
    /// landmark.
    pub fn risk(&self, distribution: &[f32], landmark: f64, horizon: f64) -> Vec<f64> {
        let categories = self.config.categories;
        let (passed, end) = (self.config.passed(landmark), self.config.passed(horizon));
        let all = || distribution.chunks_exact(categories);
        let gone: f64 = all().flat_map(|cause| &cause[..passed]).copied().map(f64::from).sum();
        let left = (1.0 - gone).max(EPSILON);
        all().map(|cause| cause.iter().take(end).skip(passed).copied().map(f64::from).sum::<f64>() / left).collect()
    }

    /// `l1 · Σ|w|` over the weights of the causes' layers, `[1]`; none for a factor of 0.
    pub fn penalty(&self) -> Option<Tensor<1>> {
        let layers = self.causes.iter().flat_map(|net| &net.layers).filter(|_| self.config.l1 > 0.0);
        layers.map(|layer| layer.weight.val().abs().sum().mul_scalar(self.config.l1)).reduce(|sum, term| sum + term)
    }
}
