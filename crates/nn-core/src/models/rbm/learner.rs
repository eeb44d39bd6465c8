//! Contrastive divergence as a [`Learner`].

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sampling::{bernoulli, rows_of, scalar};
use super::statistics::{Statistics, alternate};
use super::{Rbm, RbmError, VisibleUnits};
use crate::config::{ConfigError, in_range};
use crate::data::rng;
use crate::store::{self, Metadata};
use crate::train::{Learner, StepContext, StepError, StepReport};

/// Stream of a step's random numbers.
const STEP: u64 = 0x5242_4d00;
/// Stream of the units that a validation flips.
const FLIPS: u64 = 0x5242_4d01;

/// Name of the model in weights files.
const MODEL: &str = "rbm";
/// Name of the learner's memory in its files.
const MEMORY: &str = "rbm-learner";

/// Where the fantasies of the negative phase come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Negative {
    /// CD-k (Hinton 2002): from the data of the step.
    Contrastive {
        /// k, the steps of Gibbs sampling, 1 to 10,000.
        steps: usize,
        /// Draws the visible units too, rather than going on with their means (the guide, section 3.2).
        sample_visible: bool,
    },
    /// Persistent contrastive divergence (Tieleman 2008; Younes 1989): from where the step before ended. The visible
    /// units are always drawn. The chains begin with all hidden units off; those of word counts have the lengths of
    /// the first rows of the data.
    Persistent {
        /// Steps of Gibbs sampling for each update, 1 to 10,000.
        steps: usize,
        /// Number of chains, 1 to 100,000; about as many as a batch has rows.
        chains: usize,
    },
}

impl Negative {
    fn steps(self) -> usize {
        match self {
            Self::Contrastive { steps, .. } | Self::Persistent { steps, .. } => steps,
        }
    }

    fn chains(self) -> Option<usize> {
        match self {
            Self::Contrastive { .. } => None,
            Self::Persistent { chains, .. } => Some(chains),
        }
    }
}

/// A pull of the hidden units towards rare activity (the guide, section 11): the gradient of the cross entropy between
/// `target` and a running mean q of a unit's activity, `cost · (target − q)` for each unit's total input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sparsity {
    /// Desired probability of a unit to be on, 0 to 1; 0.01 to 0.1 in section 11.1.
    pub target: f64,
    /// What the running mean keeps at each step, 0 to 1; 0.9 to 0.99 in section 11.1.
    pub decay: f64,
    /// Strength, 0 to 1000.
    pub cost: f64,
}

impl Default for Sparsity {
    fn default() -> Self {
        Self { target: 0.1, decay: 0.9, cost: 0.1 }
    }
}

/// How an [`Rbm`] learns. The defaults are CD-1 with the guide's recipe of section 3.4, its momentum (section 9.1) and
/// the weight cost of the programs of Hinton & Salakhutdinov 2006. The learning rate is the run's:
/// [`VisibleUnits::learning_rate`] is one to begin with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RbmLearning {
    /// Where the fantasies come from.
    pub negative: Negative,
    /// Momentum of the first epochs, 0 to below 1.
    pub initial_momentum: f64,
    /// Momentum of the later epochs, 0 to below 1.
    pub final_momentum: f64,
    /// Epochs with the initial momentum.
    pub momentum_switch: usize,
    /// L2 penalty of the weights, not of the biases, 0 to 1; 0.00001 to 0.01 in section 10.1.
    pub weight_decay: f64,
    /// Pull towards sparse activity, if any.
    pub sparsity: Option<Sparsity>,
}

impl Default for RbmLearning {
    fn default() -> Self {
        Self {
            negative: Negative::Contrastive { steps: 1, sample_visible: false },
            initial_momentum: 0.5,
            final_momentum: 0.9,
            momentum_switch: 5,
            weight_decay: 0.0002,
            sparsity: None,
        }
    }
}

impl RbmLearning {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("steps", self.negative.steps(), 1..=10_000)?;
        if let Some(chains) = self.negative.chains() {
            in_range("chains", chains, 1..=100_000)?;
        }
        in_range("initial_momentum", self.initial_momentum, 0.0..=0.9999)?;
        in_range("final_momentum", self.final_momentum, 0.0..=0.9999)?;
        in_range("weight_decay", self.weight_decay, 0.0..=1.0)?;
        if let Some(sparsity) = &self.sparsity {
            in_range("sparsity.target", sparsity.target, 0.0..=1.0)?;
            in_range("sparsity.decay", sparsity.decay, 0.0..=1.0)?;
            in_range("sparsity.cost", sparsity.cost, 0.0..=1000.0)?;
        }
        Ok(())
    }
}

/// What the learner keeps between steps besides the model; a module, so that it is stored as one.
#[derive(Module, Debug)]
struct Memory {
    weight: Param<Tensor<2>>,
    visible_bias: Param<Tensor<1>>,
    hidden_bias: Param<Tensor<1>>,
    /// Hidden states of the persistent chains, `[chains, hidden]`.
    chains: Option<Param<Tensor<2>>>,
    /// Running mean of the hidden units' activity, `[hidden]`.
    activity: Option<Param<Tensor<1>>>,
}

impl Memory {
    fn new(rbm: &Rbm, learning: &RbmLearning, device: &Device) -> Self {
        let [visible, hidden] = rbm.weight.dims();
        // Before the first step no activity is known; the desired one pulls nowhere.
        let activity = learning.sparsity.map(|sparsity| sparsity.target);
        Self {
            weight: Param::from_tensor(Tensor::zeros([visible, hidden], device)),
            visible_bias: Param::from_tensor(Tensor::zeros([visible], device)),
            hidden_bias: Param::from_tensor(Tensor::zeros([hidden], device)),
            chains: learning
                .negative
                .chains()
                .map(|chains| Param::from_tensor(Tensor::zeros([chains, hidden], device))),
            activity: activity.map(|target| Param::from_tensor(Tensor::full([hidden], target, device))),
        }
    }
}

/// A parameter with another value.
fn with<const D: usize>(param: &Param<Tensor<D>>, value: Tensor<D>) -> Param<Tensor<D>> {
    param.clone().map(|_| value)
}

/// Trains an [`Rbm`] on the rows of a matrix that is held in memory.
///
/// The loss of a step is the mean squared error of the mean-field reconstruction; it is watched, not minimised (the
/// guide, section 5). Validation gives `reconstruction_mse` and, for Bernoulli units, `pseudo_likelihood`, the mean
/// over rows of [`Rbm::pseudo_likelihood`] with flips that are the same at each validation.
pub struct RbmLearner {
    rbm: Rbm,
    memory: Memory,
    data: Tensor<2>,
    validation: Tensor<2>,
    /// Lengths of the persistent chains, `[chains, 1]`.
    chain_lengths: Option<Tensor<2>>,
    learning: RbmLearning,
}

impl RbmLearner {
    /// A learner that starts from `rbm`. `validation` may have no rows; then nothing is measured.
    ///
    /// # Shapes
    /// - data, validation: `[rows, visible]`
    ///
    /// # Errors
    /// [`RbmError::Config`], [`RbmError::Columns`], [`RbmError::NoRows`] where `data` has none.
    pub fn new(rbm: Rbm, data: Tensor<2>, validation: Tensor<2>, learning: RbmLearning) -> Result<Self, RbmError> {
        learning.validate()?;
        rbm.check("data", &data)?;
        rbm.check("validation data", &validation)?;
        let [rows, _] = data.dims();
        if rows == 0 {
            return Err(RbmError::NoRows("data"));
        }
        let rbm = rbm.valid();
        let device = rbm.device();
        let data = data.inner().to_device(&device);
        let validation = validation.inner().to_device(&device);
        let memory = Memory::new(&rbm, &learning, &device);
        let chain_lengths = learning.negative.chains().and_then(|chains| {
            let first: Vec<usize> = (0..chains).map(|chain| chain % rows).collect();
            rbm.units().lengths(&rows_of(&data, &first))
        });
        Ok(Self { rbm, memory, data, validation, chain_lengths, learning })
    }

    /// The machine as it is now.
    pub fn rbm(&self) -> &Rbm {
        &self.rbm
    }

    /// The machine, done with learning.
    pub fn into_rbm(self) -> Rbm {
        self.rbm
    }

    fn momentum(&self, epoch: usize) -> f64 {
        if epoch < self.learning.momentum_switch {
            self.learning.initial_momentum
        } else {
            self.learning.final_momentum
        }
    }

    fn metadata(&self, architecture: &str) -> Result<Metadata, StepError> {
        let config = serde_json::to_string(self.rbm.config()).map_err(StepError::other)?;
        Ok(Metadata::from([
            (store::ARCHITECTURE.to_string(), architecture.to_string()),
            (store::CONFIG.to_string(), config),
        ]))
    }

    /// One step along `gradient`, which is one of ascent.
    fn update(&mut self, gradient: Statistics, momentum: f64, learning_rate: f64) {
        let decay = self.rbm.weight.val().mul_scalar(self.learning.weight_decay);
        let velocity =
            self.memory.weight.val().mul_scalar(momentum) + (gradient.weight - decay).mul_scalar(learning_rate);
        self.rbm.weight = with(&self.rbm.weight, self.rbm.weight.val() + velocity.clone());
        self.memory.weight = with(&self.memory.weight, velocity);

        let bias = |param: &mut Param<Tensor<1>>, memory: &mut Param<Tensor<1>>, gradient: Tensor<1>| {
            let velocity = memory.val().mul_scalar(momentum) + gradient.mul_scalar(learning_rate);
            *param = with(param, param.val() + velocity.clone());
            *memory = with(memory, velocity);
        };
        bias(&mut self.rbm.visible_bias, &mut self.memory.visible_bias, gradient.visible_bias);
        bias(&mut self.rbm.hidden_bias, &mut self.memory.hidden_bias, gradient.hidden_bias);
    }
}

/// What pulls the hidden units towards `sparsity.target`, added to `gradient`; comes with the new running mean.
fn sparser(
    mut gradient: Statistics,
    sparsity: Sparsity,
    activity: Tensor<1>,
    visible: Tensor<2>,
    hidden: Tensor<2>,
) -> (Statistics, Tensor<1>) {
    let now = hidden.mean_dim(0).squeeze_dim::<1>(0); // [hidden]
    let activity = activity.mul_scalar(sparsity.decay) + now.mul_scalar(1.0 - sparsity.decay);
    let pull = (-activity.clone() + sparsity.target).mul_scalar(sparsity.cost); // [hidden]
    let inputs = visible.mean_dim(0).transpose(); // [visible, 1]
    gradient.weight = gradient.weight + inputs.matmul(pull.clone().unsqueeze::<2>());
    gradient.hidden_bias = gradient.hidden_bias + pull;
    (gradient, activity)
}

impl Learner for RbmLearner {
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
        let mut rng = context.rng(STEP);
        let rbm = &self.rbm;
        let data = rows_of(&self.data, rows); // [batch, visible]
        let lengths = rbm.units().lengths(&data);
        let hidden = sigmoid(rbm.hidden_inputs(data.clone(), lengths.as_ref())); // [batch, hidden]
        let mean = rbm.visible_mean(hidden.clone(), lengths.as_ref()); // [batch, visible]
        let loss = scalar("loss", (mean - data.clone()).square().mean())?;

        let (begin, begin_lengths, sample_visible) = if let Some(chains) = &self.memory.chains {
            (chains.val(), self.chain_lengths.as_ref(), true)
        } else {
            let sampled = matches!(self.learning.negative, Negative::Contrastive { sample_visible: true, .. });
            (bernoulli(hidden.clone(), &mut rng), lengths.as_ref(), sampled)
        };
        let steps = self.learning.negative.steps();
        let fantasy = alternate(rbm, begin, begin_lengths, steps, sample_visible, &mut rng)?;
        let chains =
            self.memory.chains.as_ref().map(|chains| with(chains, bernoulli(fantasy.hidden.clone(), &mut rng)));
        let negative = Statistics::of(fantasy.visible, fantasy.hidden, begin_lengths);
        let mut gradient = Statistics::of(data.clone(), hidden.clone(), lengths.as_ref()).minus(negative);
        let mut activity = None;
        if let (Some(sparsity), Some(memory)) = (self.learning.sparsity, &self.memory.activity) {
            let (sparse, now) = sparser(gradient, sparsity, memory.val(), data, hidden);
            gradient = sparse;
            activity = Some(with(memory, now));
        }

        let norm = gradient.norm()?;
        if loss.is_finite() && norm.is_finite() {
            self.update(gradient, self.momentum(context.epoch), context.learning_rate);
            self.memory.chains = chains;
            self.memory.activity = activity;
        }
        Ok(StepReport { loss, grad_norm: Some(norm) })
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
        let data = self.validation.clone();
        let [rows, _] = data.dims();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let error = (self.rbm.reconstruct(data.clone()) - data.clone()).square().mean();
        let mut metrics = vec![("reconstruction_mse".to_string(), scalar("reconstruction error", error)?)];
        if self.rbm.units() == VisibleUnits::Bernoulli {
            let score = self.rbm.pseudo_likelihood(data, &mut rng(0, &[FLIPS]))?.mean();
            metrics.push(("pseudo_likelihood".to_string(), scalar("pseudo-likelihood", score)?));
        }
        Ok(metrics)
    }

    fn weights(&self) -> Result<Vec<u8>, StepError> {
        Ok(store::to_safetensors(&self.rbm, &self.metadata(MODEL)?)?)
    }

    fn optimizer(&self) -> Result<Vec<u8>, StepError> {
        Ok(store::to_safetensors(&self.memory, &self.metadata(MEMORY)?)?)
    }

    fn restore(&mut self, weights: &[u8], optimizer: &[u8]) -> Result<(), StepError> {
        let (memory, metadata) = store::from_safetensors(self.memory.clone(), optimizer)?;
        store::check_architecture(&metadata, MEMORY)?;
        self.restore_weights(weights)?;
        self.memory = memory;
        Ok(())
    }

    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError> {
        let (rbm, metadata) = store::from_safetensors(self.rbm.clone(), weights)?;
        store::check_architecture(&metadata, MODEL)?;
        self.rbm = rbm;
        Ok(())
    }
}
