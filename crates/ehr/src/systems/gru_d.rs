//! GRU-D: a gated recurrent unit that forgets what has not been measured for long.
//!
//! Che, Purushotham, Cho, Sontag and Liu 2018, *Recurrent neural networks for multivariate time series with missing
//! values*, Scientific Reports 8:6085, equations 10 to 16; dropout as in the authors' code (PeterChe1990/GRU-D at
//! 861fc49, `models.py`). A missing value decays from the last one observed towards the mean, which is 0 here because
//! series are standardised with the means of observed training values; the state decays likewise, and the gates see
//! which values were measured.
//!
//! All steps of all rows are imputed and multiplied with the input weights at once; two products are left for a step.

mod batch;
mod steps;
#[cfg(test)]
pub(crate) mod tests;

pub use self::batch::{SeriesBatch, SeriesError, SeriesRow, intervals};

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::dropout;
use nn_core::layers::init::{Fan, Init};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::steps::{over, steps};

/// What stands in the place of a value that was not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Imputation {
    /// The last value, fading to the training mean at a rate that is learnt for each variable (equation 11).
    #[default]
    Decay,
    /// The last value (the paper's GRU-Forward).
    Forward,
    /// The training mean (the paper's GRU-Mean).
    Mean,
}

/// Sizes of the network. The defaults are for the 33 variables of `PhysioNet` 2012 in the paper; the dropouts are those
/// of the authors' code. The paper sets the width so that its networks have about equally many parameters; 64 is ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GruDConfig {
    /// Variables of a step.
    pub variables: usize,
    /// Numbers that describe the whole series, joined to the last state in front of the head; 0 for none.
    pub statics: usize,
    /// Units of the state.
    pub hidden: usize,
    /// Logits.
    pub outputs: usize,
    /// Imputation of values.
    pub imputation: Imputation,
    /// Whether the state fades with the time since each variable was measured (equation 12).
    pub state_decay: bool,
    /// Whether the gates see which values were measured (equations 13 to 15).
    pub mask_inputs: bool,
    /// Hours that make an interval of 1. The paper leaves the unit open; a day keeps the decays near 1 at the start.
    pub interval_hours: f64,
    /// Dropout of the inputs, one mask for all steps of a series, 0 to 0.95.
    pub dropout: f64,
    /// Dropout of the state in front of the products, one mask for all steps of a series, 0 to 0.95.
    pub recurrent_dropout: f64,
    /// Dropout of the last state in front of the head, 0 to 0.95.
    pub head_dropout: f64,
}

impl Default for GruDConfig {
    fn default() -> Self {
        Self {
            variables: 33,
            statics: 0,
            hidden: 64,
            outputs: 1,
            imputation: Imputation::Decay,
            state_decay: true,
            mask_inputs: true,
            interval_hours: 24.0,
            dropout: 0.3,
            recurrent_dropout: 0.3,
            head_dropout: 0.3,
        }
    }
}

impl GruDConfig {
    /// The paper's baseline GRU-Mean: means in the place of missing values, and neither decay nor mask.
    pub fn mean() -> Self {
        Self { imputation: Imputation::Mean, state_decay: false, mask_inputs: false, ..Self::default() }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("variables", self.variables, 1..=100_000)?;
        in_range("statics", self.statics, 0..=100_000)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("interval_hours", self.interval_hours, 1e-6..=1e9)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("recurrent_dropout", self.recurrent_dropout, 0.0..=0.95)?;
        in_range("head_dropout", self.head_dropout, 0.0..=0.95)
    }

    /// Builds the network. Products start from Glorot's uniform values and, for the state, orthogonal ones, as in the
    /// authors' Keras code. A value starts to fade by a tenth in an interval of 1: at a rate of 0 or below, the
    /// rectifier would have no gradient.
    ///
    /// # Errors
    /// What [`GruDConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<GruD, ConfigError> {
        self.validate()?;
        let (variables, hidden) = (self.variables, self.hidden);
        let inputs = if self.mask_inputs { 2 * variables } else { variables };
        let zeros = |size: usize| Param::from_tensor(Tensor::<1>::zeros([size], device));
        let mut dense = |shape: [usize; 2], init: Init| init.param(shape, Fan::dense(shape), rng, device);
        let gates = dense([inputs, 2 * hidden], Init::GlorotUniform);
        let candidate = dense([inputs, hidden], Init::GlorotUniform);
        let state_gates = dense([hidden, 2 * hidden], Init::Orthogonal { gain: 1.0 });
        let state_candidate = dense([hidden, hidden], Init::Orthogonal { gain: 1.0 });
        let state_decay = self.state_decay.then(|| dense([variables, hidden], Init::GlorotUniform));
        let head_weight = dense([hidden + self.statics, self.outputs], Init::GlorotUniform);
        let mut head = LinearConfig::new(hidden + self.statics, self.outputs).init(device);
        head.weight = head_weight;
        head.bias = Some(zeros(self.outputs));
        let decays = self.imputation == Imputation::Decay;
        let rate = || Param::from_tensor(Tensor::<1>::full([variables], 0.1, device));
        Ok(GruD {
            input_decay: decays.then(rate),
            input_decay_bias: decays.then(|| zeros(variables)),
            state_decay_bias: self.state_decay.then(|| zeros(hidden)),
            state_decay,
            gates,
            gates_bias: zeros(2 * hidden),
            candidate,
            candidate_bias: zeros(hidden),
            state_gates,
            state_candidate,
            head,
            config: self.clone(),
        })
    }
}

/// The network. Its first gate resets, its second updates.
#[derive(Module, Debug)]
pub struct GruD {
    /// `[variables]`: the diagonal of equation 10 for the inputs.
    input_decay: Option<Param<Tensor<1>>>,
    input_decay_bias: Option<Param<Tensor<1>>>,
    /// `[variables, hidden]`.
    state_decay: Option<Param<Tensor<2>>>,
    state_decay_bias: Option<Param<Tensor<1>>>,
    /// `[variables (twice with the mask), 2 hidden]`, of the candidate `[…, hidden]`.
    gates: Param<Tensor<2>>,
    gates_bias: Param<Tensor<1>>,
    candidate: Param<Tensor<2>>,
    candidate_bias: Param<Tensor<1>>,
    /// `[hidden, 2 hidden]`.
    state_gates: Param<Tensor<2>>,
    state_candidate: Param<Tensor<2>>,
    head: Linear,
    #[module(skip)]
    config: GruDConfig,
}

impl GruD {
    /// The sizes it was built with.
    pub fn config(&self) -> &GruDConfig {
        &self.config
    }

    /// What is left of the last value of `variable` after each of `hours`, 1 being all of it and 0 the training mean;
    /// none for a network without this decay or a variable that it does not have.
    pub fn decay_curve(&self, variable: usize, hours: &[f64]) -> Option<Vec<f64>> {
        let read = |param: &Param<Tensor<1>>| {
            let values = param.val().try_into_vec_as::<f32>().ok()?;
            values.get(variable).copied().map(f64::from)
        };
        let (rate, bias) = (read(self.input_decay.as_ref()?)?, read(self.input_decay_bias.as_ref()?)?);
        let unit = self.config.interval_hours;
        Some(hours.iter().map(|hours| (-(rate * hours / unit + bias).max(0.0)).exp()).collect())
    }

    /// Logits of each series. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - output `[batch, outputs]`
    ///
    /// # Panics
    /// When the batch has other variables or statics than the configuration says.
    pub fn forward(&self, batch: &SeriesBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let state = self.state(batch, rng.as_deref_mut()); // [batch, hidden]
        let state = dropout(state, self.config.head_dropout, rng);
        let joined = match &batch.statics {
            Some(statics) if self.config.statics > 0 => Tensor::cat(vec![state, statics.clone()], 1),
            _ => state,
        };
        self.head.forward(joined) // [batch, outputs]
    }

    /// The state behind each series' last step, zeros for a series without steps. Dropout of inputs and state acts when
    /// a generator is given.
    ///
    /// # Shapes
    /// - output `[batch, hidden]`
    ///
    /// # Panics
    /// As [`GruD::forward`].
    pub fn state(&self, batch: &SeriesBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let [time, rows, variables] = batch.mask.dims();
        let (config, hidden, device) = (&self.config, self.config.hidden, batch.mask.device());
        assert_eq!(variables, config.variables, "variables of a step");
        let statics = batch.statics.as_ref().map_or(0, |statics| statics.dims()[1]);
        assert_eq!(statics, config.statics, "statics of a series");
        let mut state = Tensor::<2>::zeros([rows, hidden], &device);
        let longest = batch.lengths.iter().copied().max().unwrap_or(0).min(time);
        if longest == 0 {
            return state;
        }
        let mut keep = |width: usize, p: f64| {
            let rng = rng.as_deref_mut().filter(|_| p > 0.0)?;
            Some(dropout(Tensor::<2>::ones([rows, width], &device), p, Some(rng)))
        };
        let (count, width) = (time * rows, self.gates.dims()[0]);
        let (keep_inputs, keep_state) = (keep(width, config.dropout), keep(hidden, config.recurrent_dropout));
        let delta = batch.delta.clone().div_scalar(config.interval_hours).reshape([count, variables]);
        let mut inputs = self.inputs(batch, delta.clone()); // [time, batch, inputs]
        if let Some(keep) = keep_inputs {
            inputs = inputs * keep.unsqueeze_dim::<3>(0);
        }
        let inputs = inputs.reshape([count, width]); // [time batch, inputs]
        let affine = |weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>| {
            let product = inputs.clone().matmul(weight.val()) + bias.val().unsqueeze::<2>();
            steps(product, time)
        };
        let gates = affine(&self.gates, &self.gates_bias); // time of [batch, 2 hidden]
        let candidates = affine(&self.candidate, &self.candidate_bias); // time of [batch, hidden]
        let decays = match (&self.state_decay, &self.state_decay_bias) {
            (Some(weight), Some(bias)) => {
                let rate = relu(delta.matmul(weight.val()) + bias.val().unsqueeze::<2>());
                steps(rate.neg().exp(), time) // time of [batch, hidden]
            }
            _ => Vec::new(),
        };

        let (state_gates, state_candidate) = (self.state_gates.val(), self.state_candidate.val());
        let shortest = batch.lengths.iter().copied().min().unwrap_or(0);
        for (step, (gates, candidate)) in gates.into_iter().zip(candidates).take(longest).enumerate() {
            let next = if step == 0 {
                // The state is zero: nothing fades, and the products vanish.
                sigmoid(gates).narrow(1, hidden, hidden) * tanh(candidate)
            } else {
                let faded = match decays.get(step) {
                    Some(decay) => state.clone() * decay.clone(),
                    None => state.clone(),
                }; // [batch, hidden]
                let seen = match &keep_state {
                    Some(keep) => faded.clone() * keep.clone(),
                    None => faded.clone(),
                };
                let gates = sigmoid(gates + seen.clone().matmul(state_gates.clone())); // [batch, 2 hidden]
                let (reset, update) = (gates.clone().narrow(1, 0, hidden), gates.narrow(1, hidden, hidden));
                let candidate = tanh(candidate + (reset * seen).matmul(state_candidate.clone())); // [batch, hidden]
                faded.clone() + update * (candidate - faded)
            };
            state = if step < shortest {
                next
            } else {
                next.mask_where(over(&batch.lengths, step, hidden, &device), state)
            };
        }
        state
    }

    /// Imputed values and, if the gates see it, the mask.
    ///
    /// # Shapes
    /// - delta `[time * batch, variables]`; output `[time, batch, variables or twice as many]`
    fn inputs(&self, batch: &SeriesBatch, delta: Tensor<2>) -> Tensor<3> {
        let [time, rows, variables] = batch.mask.dims();
        let values = match (&self.input_decay, &self.input_decay_bias) {
            (Some(rate), Some(bias)) => {
                let rate = relu(delta * rate.val().unsqueeze::<2>() + bias.val().unsqueeze::<2>());
                let missing = batch.mask.clone().neg().add_scalar(1.0);
                // A measured value has no exponent, and so a factor of 1.
                let kept = (rate.reshape([time, rows, variables]) * missing).neg().exp();
                batch.carried.clone() * kept
            }
            _ if self.config.imputation == Imputation::Forward => batch.carried.clone(),
            _ => batch.carried.clone() * batch.mask.clone(),
        };
        if self.config.mask_inputs { Tensor::cat(vec![values, batch.mask.clone()], 2) } else { values }
    }
}
