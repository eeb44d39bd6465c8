//! The up-down algorithm: a contrastive version of wake-sleep.
//!
//! Hinton, Osindero & Teh 2006, section 5 and appendix B. Up: recognition draws a state of every layer, and the
//! generative weights learn to give the layer below from it. On top: contrastive divergence from there. Down: the
//! generative weights dream from where that ended, and the recognition weights learn to find the layer above.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Dbn;
use crate::config::{ConfigError, in_range};
use crate::models::rbm::sampling::{bernoulli, rows_of, scalar};
use crate::models::rbm::statistics::Statistics;
use crate::models::rbm::{Rbm, RbmError};
use crate::store::{self, Metadata};
use crate::train::{Learner, StepContext, StepError, StepReport};

/// Stream of a step's random numbers.
const STEP: u64 = 0x4442_4e01;
/// Name of the model in weights files.
const MODEL: &str = "dbn";

/// Steps of Gibbs sampling in the top machine from some epoch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GibbsPhase {
    /// First epoch, from 0.
    pub epoch: usize,
    /// Steps, 1 to 10,000.
    pub steps: usize,
}

/// Settings of [`UpDown`]. The default is section 6.1 of the paper: 3 steps of Gibbs sampling in the first hundred
/// epochs, 6 in the second, 10 after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpDownConfig {
    /// Phases in the order of their epochs; the first begins at epoch 0.
    pub gibbs: Vec<GibbsPhase>,
}

impl Default for UpDownConfig {
    fn default() -> Self {
        let phase = |epoch, steps| GibbsPhase { epoch, steps };
        Self { gibbs: vec![phase(0, 3), phase(100, 6), phase(200, 10)] }
    }
}

impl UpDownConfig {
    /// # Errors
    /// [`ConfigError`] for steps out of their range, and phases that do not begin at epoch 0 or are not in order.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.gibbs.iter().try_for_each(|phase| in_range("steps", phase.steps, 1..=10_000))?;
        if self.gibbs.first().is_none_or(|phase| phase.epoch > 0) || !self.gibbs.is_sorted_by_key(|phase| phase.epoch) {
            let text = "gibbs must begin with a phase at epoch 0, and its phases must be in the order of their epochs";
            return Err(ConfigError::Conflict(text.to_owned()));
        }
        Ok(())
    }

    fn steps(&self, epoch: usize) -> usize {
        self.gibbs.iter().rev().find(|phase| phase.epoch <= epoch).map_or(1, |phase| phase.steps)
    }
}

/// What a directed layer is changed by, in the order and with the shapes of its parameters.
pub(super) struct LayerGradient {
    pub(super) recognition: Tensor<2>,
    pub(super) recognition_bias: Tensor<1>,
    pub(super) generative: Tensor<2>,
    pub(super) generative_bias: Tensor<1>,
}

/// What the network is changed by.
pub(super) struct UpDownGradient {
    pub(super) layers: Vec<LayerGradient>,
    pub(super) top: Statistics,
    /// Mean squared error of the data as the generative weights give them from the lowest hidden states of the up pass.
    pub(super) error: f64,
}

impl UpDownGradient {
    /// Euclidean norm over all parameters.
    fn norm(&self) -> Result<f64, RbmError> {
        let mut squares = self.top.norm()?.powi(2);
        for layer in &self.layers {
            let sum = layer.recognition.clone().square().sum()
                + layer.recognition_bias.clone().square().sum()
                + layer.generative.clone().square().sum()
                + layer.generative_bias.clone().square().sum();
            squares += scalar("norm of the gradient", sum)?;
        }
        Ok(squares.sqrt())
    }
}

/// The mean of `inputᵀ · error` over rows: what a layer of logistic units learns by.
///
/// # Shapes
/// - input `[rows, from]`, error `[rows, to]`; output `[from, to]` and `[to]`
fn delta(input: Tensor<2>, error: Tensor<2>, lengths: Option<&Tensor<2>>) -> (Tensor<2>, Tensor<1>) {
    let [rows, _] = input.dims();
    let weight = input.transpose().matmul(error.clone()).div_scalar(rows as f64);
    // A bias scaled by the length of the document is a weight from a unit with that value.
    let error = match lengths {
        Some(lengths) => error * lengths.clone(),
        None => error,
    };
    (weight, error.mean_dim(0).squeeze_dim::<1>(0))
}

/// One up and one down pass over the rows of `data`.
///
/// # Shapes
/// - data `[rows, visible]`
pub(super) fn gradient(
    dbn: &Dbn,
    data: Tensor<2>,
    steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<UpDownGradient, RbmError> {
    let layers = &dbn.stack.layers;
    let lengths = dbn.config.units.lengths(&data);
    // Lengths matter where the documents are: in the lowest layer, or in the top machine if it is the lowest.
    let of_top = if layers.is_empty() { lengths.as_ref() } else { None };

    let mut wake = vec![data.clone()];
    for (at, layer) in layers.iter().enumerate() {
        wake.push(bernoulli(layer.up(wake[at].clone()), rng));
    }
    let code = wake[layers.len()].clone(); // [rows, visible units of the top]
    let on_top = bernoulli(dbn.top.transform(code.clone()), rng); // [rows, hidden units of the top]
    let (mut fantasy, mut states) = (code.clone(), on_top.clone());
    for _ in 0..steps.max(1) {
        fantasy = dbn.top.sample_visible(states, of_top, rng)?;
        states = dbn.top.sample_hidden(fantasy.clone(), rng);
    }
    let reconstruction = match layers.first() {
        Some(layer) => layer.down(wake[1].clone(), lengths.as_ref()),
        None => dbn.top.visible_mean(on_top.clone(), of_top),
    };
    let error = scalar("loss", (reconstruction - data).square().mean())?;
    let positive = Statistics::of(code, on_top, of_top);
    let top = positive.minus(Statistics::of(fantasy.clone(), states, of_top));

    let mut found = Vec::with_capacity(layers.len());
    let mut above = fantasy; // dreamt states of the layer above
    for (at, layer) in layers.iter().enumerate().rev() {
        let lengths = if at == 0 { lengths.as_ref() } else { None };
        let means = layer.down(above.clone(), lengths); // [rows, below]
        // The visible units are dreamt as means, as in the appendix.
        let below = if at == 0 { means } else { bernoulli(means, rng) };
        let (recognition, recognition_bias) = delta(below.clone(), above - layer.up(below.clone()), lengths);
        let missed = wake[at].clone() - layer.down(wake[at + 1].clone(), lengths); // [rows, below]
        let (generative, generative_bias) = delta(wake[at + 1].clone(), missed, None);
        found.push(LayerGradient { recognition, recognition_bias, generative, generative_bias });
        above = below;
    }
    found.reverse();
    Ok(UpDownGradient { layers: found, top, error })
}

/// Adds `rate · gradient` to a parameter.
fn ascend<const D: usize>(param: &mut Param<Tensor<D>>, gradient: Tensor<D>, rate: f64) {
    *param = param.clone().map(|value| value + gradient.mul_scalar(rate));
}

/// Fine-tunes a [`Dbn`] on the rows of a matrix that is held in memory. There is no momentum, as in the appendix, and
/// so nothing is remembered between steps but the model.
///
/// The loss of a step, and `reconstruction_mse` of the validation, are squared errors of reconstructions; they are
/// watched, not minimised.
pub struct UpDown {
    dbn: Dbn,
    data: Tensor<2>,
    validation: Tensor<2>,
    config: UpDownConfig,
}

impl UpDown {
    /// A learner that starts from `dbn`, most often one that [`pretrain`](super::pretrain) made. `validation` may have
    /// no rows; then nothing is measured.
    ///
    /// # Shapes
    /// - data, validation: `[rows, visible]`
    ///
    /// # Errors
    /// [`RbmError::Config`], [`RbmError::Columns`], [`RbmError::NoRows`] where `data` has none.
    pub fn new(dbn: Dbn, data: Tensor<2>, validation: Tensor<2>, config: UpDownConfig) -> Result<Self, RbmError> {
        config.validate()?;
        dbn.check("data", &data)?;
        dbn.check("validation data", &validation)?;
        let [rows, _] = data.dims();
        if rows == 0 {
            return Err(RbmError::NoRows("data"));
        }
        let dbn = dbn.valid();
        let device = dbn.top.device();
        let data = data.inner().to_device(&device);
        let validation = validation.inner().to_device(&device);
        Ok(Self { dbn, data, validation, config })
    }

    /// The network as it is now.
    pub fn dbn(&self) -> &Dbn {
        &self.dbn
    }

    /// The network, done with learning.
    pub fn into_dbn(self) -> Dbn {
        self.dbn
    }

    fn update(&mut self, gradient: UpDownGradient, rate: f64) {
        for (layer, gradient) in self.dbn.stack.layers.iter_mut().zip(gradient.layers) {
            ascend(&mut layer.recognition, gradient.recognition, rate);
            ascend(&mut layer.recognition_bias, gradient.recognition_bias, rate);
            ascend(&mut layer.generative, gradient.generative, rate);
            ascend(&mut layer.generative_bias, gradient.generative_bias, rate);
        }
        let top: &mut Rbm = &mut self.dbn.top;
        ascend(&mut top.weight, gradient.top.weight, rate);
        ascend(&mut top.visible_bias, gradient.top.visible_bias, rate);
        ascend(&mut top.hidden_bias, gradient.top.hidden_bias, rate);
    }
}

impl Learner for UpDown {
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
        let data = rows_of(&self.data, rows); // [batch, visible]
        let gradient = gradient(&self.dbn, data, self.config.steps(context.epoch), &mut context.rng(STEP))?;
        let (loss, norm) = (gradient.error, gradient.norm()?);
        if loss.is_finite() && norm.is_finite() {
            self.update(gradient, context.learning_rate);
        }
        Ok(StepReport { loss, grad_norm: Some(norm) })
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
        let data = self.validation.clone();
        let [rows, _] = data.dims();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let error = (self.dbn.reconstruct(data.clone()) - data).square().mean();
        Ok(vec![("reconstruction_mse".to_string(), scalar("reconstruction error", error)?)])
    }

    fn weights(&self) -> Result<Vec<u8>, StepError> {
        let config = serde_json::to_string(self.dbn.config()).map_err(StepError::other)?;
        let metadata =
            Metadata::from([(store::ARCHITECTURE.to_string(), MODEL.to_string()), (store::CONFIG.to_string(), config)]);
        Ok(store::to_safetensors(&self.dbn, &metadata)?)
    }

    fn optimizer(&self) -> Result<Vec<u8>, StepError> {
        Ok(Vec::new())
    }

    fn restore(&mut self, weights: &[u8], _optimizer: &[u8]) -> Result<(), StepError> {
        self.restore_weights(weights)
    }

    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError> {
        let (dbn, metadata) = store::from_safetensors(self.dbn.clone(), weights)?;
        store::check_architecture(&metadata, MODEL)?;
        self.dbn = dbn;
        Ok(())
    }
}
