//! Doctor AI: what the next visit will be for, and when it will be.
//!
//! Choi, Bahadori, Schuetz, Stewart and Sun 2016, *Doctor AI: predicting clinical events via recurrent neural
//! networks*, MLHC; sizes, losses and penalties as in the authors' `doctorAI.py` (repository mp2893/doctorai). A visit
//! is tanh(sum of the vectors of its codes + b), behind it stand two layers of gated recurrent units; at every visit a
//! softmax foretells the codes of the next one, and a rectified unit the logarithm of the days until then.
//!
//! Three things differ from the authors' code: the reset gate acts behind the weights of the state, as in PyTorch;
//! logarithms are ln(1 + days), where theirs are ln(days + 10⁻⁸), which a first visit turns into −18; and statics,
//! which they do not have, stand beside the state. Published training: Adadelta, 100 patients a step, 10 epochs.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, softmax, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Gru, RecurrentConfig, dense, dropout};
use nn_core::losses::penalty;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, last_visits};
use super::{SequenceNet, VisitBatch};

/// What keeps logarithms of probabilities finite (`doctorAI.py`: `log_eps`).
const EPSILON: f64 = 1e-8;

/// Sizes of the network; the defaults are those of the authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorAiConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits.
    pub statics: usize,
    /// Classes that the codes of a next visit fall into, or labels.
    pub outputs: usize,
    /// Numbers of a code's vector.
    pub embedding: usize,
    /// Units of each layer.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Whether the network reads ln(1 + days since the visit before).
    pub time: bool,
    /// Whether it foretells the days until the next visit.
    pub predict_time: bool,
    /// How much the error of the days counts beside that of the codes.
    pub tradeoff: f64,
    /// Dropout behind each layer, 0 to 0.95.
    pub dropout: f64,
    /// Factor of the squared weights of both outputs.
    pub l2: f64,
}

impl Default for DoctorAiConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            outputs: 1,
            embedding: 200,
            hidden: 200,
            layers: 2,
            time: true,
            predict_time: true,
            tradeoff: 1.0,
            dropout: 0.5,
            l2: 0.001,
        }
    }
}

impl DoctorAiConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        in_range("tradeoff", self.tradeoff, 0.0..=1e6)?;
        in_range("l2", self.l2, 0.0..=1000.0)?;
        self.recurrent().validate()
    }

    fn recurrent(&self) -> RecurrentConfig {
        let input = self.embedding + usize::from(self.time);
        RecurrentConfig { layers: self.layers, dropout: self.dropout, ..RecurrentConfig::new(input, self.hidden) }
    }

    /// Builds the network: vectors and outputs from U(−0.01, 0.01), as in the authors' code, units as PyTorch's; the
    /// unit of the days starts from 1.
    ///
    /// # Errors
    /// What [`DoctorAiConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DoctorAi, ConfigError> {
        self.validate()?;
        let start = Init::Uniform(0.01);
        let embedding = CodeEmbedding::new([self.codes, self.embedding], start, device, rng);
        let fan = Fan { inputs: self.embedding, outputs: self.embedding };
        let bias = Init::Constant(0.0).param([self.embedding], fan, rng, device);
        let units = self.recurrent().gru(device, rng)?;
        let width = self.hidden + self.statics;
        let output = dense([width, self.outputs], start, device, rng);
        let days = self.predict_time.then(|| {
            let mut days = dense([width, 1], start, device, rng);
            // a rectified unit that starts below zero for everybody learns nothing
            days.bias = Some(Init::Constant(1.0).param([1], fan, rng, device));
            days
        });
        Ok(DoctorAi { embedding, bias, units, output, days, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DoctorAi {
    embedding: CodeEmbedding,
    bias: Param<Tensor<1>>,
    units: Gru,
    output: Linear,
    days: Option<Linear>,
    #[module(skip)]
    config: DoctorAiConfig,
}

/// What is foretold at each visit about the next one; without meaning in padding.
#[derive(Debug, Clone)]
pub struct Foretold {
    /// Logits of the classes of its codes, `[rows, visits, outputs]`.
    pub logits: Tensor<3>,
    /// ln(1 + days until then), 0 or more, if the network foretells it. `[rows, visits]`.
    pub log_days: Option<Tensor<2>>,
}

impl DoctorAi {
    /// The sizes it was built with.
    pub fn config(&self) -> &DoctorAiConfig {
        &self.config
    }

    /// What is known after each visit, `[rows, visits, hidden + statics]`.
    fn states(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<3> {
        let bias = self.bias.val().reshape([1, 1, self.config.embedding]);
        let mut x = tanh(self.embedding.visits(batch) + bias); // [rows, visits, embedding]
        let device = x.device();
        if self.config.time {
            x = Tensor::cat(vec![x, batch.log_gaps(&device)], 2); // [rows, visits, embedding + 1]
        }
        let states = self.units.forward(x, Some(batch.lengths()), rng.as_deref_mut()).sequence;
        let states = dropout(states, self.config.dropout, rng); // [rows, visits, hidden]
        let width = self.config.statics;
        assert_eq!(batch.statics_width(), width, "statics of the batch");
        if width == 0 {
            return states;
        }
        let statics = batch.statics(&device).unsqueeze_dim::<3>(1).repeat_dim(1, batch.visits());
        Tensor::cat(vec![states, statics], 2) // [rows, visits, hidden + statics]
    }

    /// What the visits up to each one foretell about the next. Dropout acts when a generator is given.
    ///
    /// # Panics
    /// As [`SequenceNet::logits`].
    pub fn foretell(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Foretold {
        let states = self.states(batch, rng);
        let log_days = self.days.as_ref().map(|days| relu(days.forward(states.clone())).squeeze_dim::<2>(2));
        Foretold { logits: self.output.forward(states), log_days }
    }

    /// The loss of the paper: at each visit that has a next one the binary cross-entropy of all classes under the
    /// softmax and half the squared error of the logarithm of the days; means over the visits of a patient and over
    /// patients; and the penalties. `classes` gives the class of each id of the vocabulary, none for what is not
    /// foretold. None if no patient has two visits.
    ///
    /// # Shapes
    /// - output `[1]`
    ///
    /// # Panics
    /// As [`SequenceNet::logits`], and when a class is not below the number of outputs.
    pub fn loss(&self, batch: &VisitBatch, classes: &[Option<u32>], rng: Option<&mut ChaCha8Rng>) -> Option<Tensor<1>> {
        let next = Next::of(batch, classes, self.config.outputs)?;
        let Foretold { logits, log_days } = self.foretell(batch, rng);
        let device = logits.device();
        let shape = [batch.rows(), batch.visits()];
        let at = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
        let targets = TensorData::new(next.targets, [shape[0], shape[1], self.config.outputs]);
        let targets = Tensor::<3>::from_data(targets, &device);
        let weights = at(next.weights); // [rows, visits]
        let p = softmax(logits, 2); // [rows, visits, outputs]
        // one addition after the other: 1 + ε is 1 in single precision
        let absent = p.clone().neg().add_scalar(1.0).add_scalar(EPSILON).log();
        let present = p.add_scalar(EPSILON).log();
        let entropy = targets.clone() * present + targets.neg().add_scalar(1.0) * absent; // [rows, visits, outputs]
        let entropy = entropy.sum_dim(2).squeeze_dim::<2>(2).neg(); // [rows, visits]
        let mut loss = (entropy * weights.clone()).sum();
        if let Some(log_days) = log_days {
            let error = (log_days - at(next.log_days)).square().mul_scalar(0.5 * self.config.tradeoff);
            loss = loss + (error * weights).sum();
        }
        Some(match self.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        let l2 = self.config.l2;
        penalty(self, |path| if path == "output.weight" || path == "days.weight" { [0.0, l2] } else { [0.0, 0.0] })
    }
}

/// What the next visit of each visit turns out to be.
struct Next {
    /// 1 for the classes of its codes, `[rows, visits, outputs]`.
    targets: Vec<f32>,
    /// ln(1 + days until then), `[rows, visits]`.
    log_days: Vec<f32>,
    /// What a visit counts in the mean, 0 without a next one, `[rows, visits]`.
    weights: Vec<f32>,
}

impl Next {
    fn of(batch: &VisitBatch, classes: &[Option<u32>], outputs: usize) -> Option<Self> {
        let cells = batch.rows() * batch.visits();
        let patients = batch.lengths().iter().filter(|&&length| length > 1).count();
        if patients == 0 {
            return None;
        }
        let (targets, zeros) = (vec![0.0; cells * outputs], vec![0.0; cells]);
        let mut next = Self { targets, log_days: zeros.clone(), weights: zeros };
        for (row, &length) in batch.lengths().iter().enumerate() {
            for visit in 1..length {
                let cell = row * batch.visits() + visit - 1;
                next.log_days[cell] = batch.gap(row, visit).ln_1p();
                next.weights[cell] = 1.0 / (patients * (length - 1)) as f32;
                for &code in batch.codes(row, visit) {
                    if let Some(class) = classes.get(code as usize).copied().flatten() {
                        assert!((class as usize) < outputs, "class {class} of {outputs}");
                        next.targets[cell * outputs + class as usize] = 1.0;
                    }
                }
            }
        }
        Some(next)
    }
}

impl SequenceNet for DoctorAi {
    /// What the visits foretell at the last one.
    fn logits(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.output.forward(last_visits(self.states(batch, rng), batch)) // [rows, outputs]
    }

    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        (self.logits(batch, rng), self.penalty())
    }
}

#[cfg(test)]
mod tests;
