//! `DeepCare`: a memory of illness that time lets fade and interventions change.
//!
//! Pham, Tran, Phung and Venkatesh 2016, *`DeepCare`: a deep dynamic memory model for predictive medicine*, PAKDD;
//! sizes and equations as in the authors' `lstm_layer.py` and `readm.py` (repository trangptm/DeepCare). A long
//! short-term memory reads the diagnoses of admissions; planned admissions enter it with half the weight, the
//! interventions of the admission before and the time since then act on what it forgets, the interventions of the
//! present one on what it shows. States are averaged over the last year, two years and everything, recent and emergency
//! admissions counting more, and go through one hidden layer (sections 3.2 to 3.4).
//!
//! Statics, which the paper does not have, stand beside the averages. Published training: a rate of 0.01, 16 patients a
//! step, histories of up to 30 admissions.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{dense, dropout};
use nn_core::losses::penalty;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, sum_by_visit, with_statics};
use super::{SequenceNet, VisitBatch};

/// Days from the last admission to the present (`readm.py`: 100 hours).
const PRESENT: f64 = 100.0 / 24.0;
/// Days by which a gap's first three powers are divided (`lstm_layer.py`).
const GAP_SCALES: [f32; 3] = [60.0, 180.0, 365.0];

/// What the vectors of an admission's codes become. `readm.py` calls them `mean` and `sum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum, divided by the root of their number.
    Sum,
}

/// Sizes of the network; the defaults are those of the authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepCareConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits.
    pub statics: usize,
    /// Labels or classes.
    pub outputs: usize,
    /// Ids that are interventions; the others are diagnoses.
    pub interventions: Vec<u32>,
    /// Numbers of a code's vector.
    pub embedding: usize,
    /// What the vectors of an admission become.
    pub pooling: Pooling,
    /// Units of the memory.
    pub memory: usize,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Days before the present over which states are averaged; everything is a further one.
    pub spans: Vec<f32>,
    /// Dropout of the admissions' vectors, 0 to 0.95.
    pub dropout_embedding: f64,
    /// Dropout of the averages, 0 to 0.95.
    pub dropout_pooled: f64,
    /// Dropout of the hidden layer, 0 to 0.95.
    pub dropout_hidden: f64,
    /// Factor of the size of all parameters.
    pub l1: f64,
    /// Factor of the squares of all parameters.
    pub l2: f64,
}

impl Default for DeepCareConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            outputs: 1,
            interventions: Vec::new(),
            embedding: 10,
            pooling: Pooling::Mean,
            memory: 20,
            hidden: 20,
            spans: vec![365.0, 730.0],
            dropout_embedding: 0.2,
            dropout_pooled: 0.1,
            dropout_hidden: 0.5,
            l1: 0.000_15,
            l2: 0.000_25,
        }
    }
}

impl DeepCareConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        self.interventions.iter().try_for_each(|&id| in_range("interventions", id as usize, 1..=self.codes - 1))?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        in_range("memory", self.memory, 1..=65_536)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        self.spans.iter().try_for_each(|&days| in_range("spans", days, 0.0..=1e6))?;
        in_range("dropout_embedding", self.dropout_embedding, 0.0..=0.95)?;
        in_range("dropout_pooled", self.dropout_pooled, 0.0..=0.95)?;
        in_range("dropout_hidden", self.dropout_hidden, 0.0..=0.95)?;
        in_range("l1", self.l1, 0.0..=1000.0)?;
        in_range("l2", self.l2, 0.0..=1000.0)
    }

    /// Builds the network: vectors from N(0, 1 / embedding), the memory as PyTorch draws it, dense layers by Glorot.
    ///
    /// # Errors
    /// What [`DeepCareConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepCare, ConfigError> {
        self.validate()?;
        let embedding = CodeEmbedding::new([self.codes, self.embedding], Init::LeCunNormal, device, rng);
        let fan = Fan { inputs: self.memory, outputs: 4 * self.memory };
        let mut weight = |rows, gates| Init::PyTorchDefault.param([rows, gates * self.memory], fan, rng, device);
        let (input, state) = (weight(self.embedding, 4), weight(self.memory, 4));
        let (forget, show) = (weight(self.embedding, 1), weight(self.embedding, 1));
        let time = weight(GAP_SCALES.len(), 1);
        let bias = Init::Constant(0.0).param([4 * self.memory], fan, rng, device);
        let width = (self.spans.len() + 1) * self.memory + self.statics;
        let hidden = dense([width, self.hidden], Init::GlorotUniform, device, rng);
        let output = dense([self.hidden, self.outputs], Init::GlorotUniform, device, rng);
        Ok(DeepCare { embedding, input, state, bias, forget, show, time, hidden, output, config: self.clone() })
    }
}

/// The network. Gates stand in the order input, forget, output, new.
#[derive(Module, Debug)]
pub struct DeepCare {
    embedding: CodeEmbedding,
    /// `[embedding, 4 memory]`.
    input: Param<Tensor<2>>,
    /// `[memory, 4 memory]`.
    state: Param<Tensor<2>>,
    /// `[4 memory]`.
    bias: Param<Tensor<1>>,
    /// What the interventions of the admission before do to the forget gate, `[embedding, memory]`.
    forget: Param<Tensor<2>>,
    /// What those of the present one do to the output gate, `[embedding, memory]`.
    show: Param<Tensor<2>>,
    /// What the time between both does to the forget gate, `[3, memory]`.
    time: Param<Tensor<2>>,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    config: DeepCareConfig,
}

impl DeepCare {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepCareConfig {
        &self.config
    }

    /// Vectors of the admissions' diagnoses and of their interventions, `[rows, visits, embedding]` each; zeros where
    /// there are none.
    fn admissions(&self, batch: &VisitBatch) -> [Tensor<3>; 2] {
        if batch.all_codes().is_empty() {
            return [self.embedding.visits(batch), self.embedding.visits(batch)];
        }
        let cells = batch.rows() * batch.visits();
        let mut kind_of = vec![0_usize; self.config.codes];
        self.config.interventions.iter().for_each(|&id| kind_of[id as usize] = 1);
        // a code beyond the vocabulary is refused where its vector is looked up
        let kinds: Vec<usize> =
            batch.all_codes().iter().map(|&code| kind_of.get(code as usize).copied().unwrap_or(0)).collect();
        let mut counts = [vec![0.0_f32; cells], vec![0.0_f32; cells]];
        for (&kind, place) in kinds.iter().zip(batch.places()) {
            counts[kind][place] += 1.0;
        }
        let vectors = self.embedding.vectors(batch.all_codes()); // [codes, embedding]
        let device = vectors.device();
        [0, 1].map(|kind| {
            let share = |(&of, place): (&usize, usize)| match self.config.pooling {
                _ if of != kind => 0.0,
                Pooling::Mean => 1.0 / counts[kind][place],
                Pooling::Sum => 1.0 / counts[kind][place].sqrt(),
            };
            let shares: Vec<f32> = kinds.iter().zip(batch.places()).map(share).collect();
            let shares = Tensor::<2>::from_data(TensorData::new(shares, [kinds.len(), 1]), &device);
            sum_by_visit(vectors.clone() * shares, batch)
        })
    }

    /// States of the memory after each admission, `[rows, visits, memory]`; without meaning in padding.
    fn states(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<3> {
        let (rows, visits, units) = (batch.rows(), batch.visits(), self.config.memory);
        let [diagnoses, interventions] =
            self.admissions(batch).map(|x| dropout(x, self.config.dropout_embedding, rng.as_deref_mut()));
        let device = diagnoses.device();
        let cell = |row: usize, visit: usize| (row, visit.min(batch.lengths()[row] - 1));
        let all = move || (0..rows).flat_map(move |row| (0..visits).map(move |visit| (row, visit)));
        let of = |values: Vec<f32>, width: usize| {
            Tensor::<3>::from_data(TensorData::new(values, [rows, visits, width]), &device)
        };
        // padding repeats the last admission, so that its powers stay finite
        let powers = |(row, visit)| {
            let (row, visit) = cell(row, visit);
            let days = batch.gap(row, visit);
            std::array::from_fn::<f32, 3, _>(|power| (days / GAP_SCALES[power]).powi(power as i32 + 1))
        };
        let time = of(all().flat_map(powers).collect(), 3);
        let weight = all().map(|(row, visit)| if batch.planned(row, visit) { 0.5 } else { 1.0 }).collect();
        let weight = of(weight, 1); // [rows, visits, 1]

        let mut before = vec![Tensor::<3>::zeros([rows, 1, self.config.embedding], &device)];
        if visits > 1 {
            before.push(interventions.clone().narrow(1, 0, visits - 1));
        }
        let before = Tensor::cat(before, 1); // [rows, visits, embedding]
        let bias = self.bias.val().reshape([1, 1, 4 * units]);
        let given = times(diagnoses, self.input.val()) + bias; // [rows, visits, 4 memory]
        let gate = |index: usize| given.clone().narrow(2, index * units, units);
        let forget = gate(1) + times(before, self.forget.val()) + times(time, self.time.val());
        let show = gate(2) + times(interventions, self.show.val());
        let given = Tensor::cat(vec![gate(0), forget, show, gate(3)], 2); // [rows, visits, 4 memory]

        let mut h = Tensor::<2>::zeros([rows, units], &device);
        let mut c = Tensor::<2>::zeros([rows, units], &device);
        let mut states = Vec::with_capacity(visits);
        for visit in 0..visits {
            let at = |x: &Tensor<3>| x.clone().narrow(1, visit, 1).squeeze_dim::<2>(1);
            let gates = at(&given) + h.matmul(self.state.val()); // [rows, 4 memory]
            let gate = |index: usize| gates.clone().narrow(1, index * units, units);
            let enter = sigmoid(gate(0)) * at(&weight); // [rows, memory]
            c = sigmoid(gate(1)) * c + enter * tanh(gate(3));
            h = sigmoid(gate(2)) * tanh(c.clone());
            states.push(h.clone());
        }
        Tensor::stack(states, 1)
    }

    /// How much each state counts in each average, `[rows, spans + 1, visits]`: 1 / (m + ln(1 + months to the
    /// present)), m being 1 for an emergency and 2 for a planned admission, so that the weights of an average sum to 1.
    fn shares(&self, batch: &VisitBatch) -> Vec<f32> {
        let spans = self.config.spans.iter().map(|&days| f64::from(days)).chain([f64::INFINITY]);
        let spans: Vec<f64> = spans.collect();
        let mut shares = Vec::with_capacity(batch.rows() * spans.len() * batch.visits());
        for row in 0..batch.rows() {
            let length = batch.lengths()[row];
            let mut weights = vec![(0.0, 0.0); length];
            let mut days = PRESENT;
            for visit in (0..length).rev() {
                let kind = if batch.planned(row, visit) { 2.0 } else { 1.0 };
                weights[visit] = (days, 1.0 / (kind + (days / 30.0).ln_1p()));
                days += f64::from(batch.gap(row, visit));
            }
            for &span in &spans {
                // the last admission is in every average, however short its span
                let counts = |visit: usize| visit + 1 == length || weights[visit].0 <= span;
                let of = |visit: usize| if counts(visit) { weights[visit].1 } else { 0.0 };
                let sum: f64 = (0..length).map(of).sum();
                shares.extend(
                    (0..batch.visits()).map(|visit| if visit < length { (of(visit) / sum) as f32 } else { 0.0 }),
                );
            }
        }
        shares
    }
}

/// x times a matrix.
///
/// # Shapes
/// - x `[rows, visits, inputs]`, weight `[inputs, outputs]`; output `[rows, visits, outputs]`
fn times(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let ([rows, visits, inputs], [_, outputs]) = (x.dims(), weight.dims());
    x.reshape([rows * visits, inputs]).matmul(weight).reshape([rows, visits, outputs])
}

impl SequenceNet for DeepCare {
    fn logits(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let states = self.states(batch, rng.as_deref_mut()); // [rows, visits, memory]
        let shape = [batch.rows(), self.config.spans.len() + 1, batch.visits()];
        let shares = Tensor::<3>::from_data(TensorData::new(self.shares(batch), shape), &states.device());
        let pooled = shares.matmul(states).flatten::<2>(1, 2); // [rows, (spans + 1) memory]
        let pooled = dropout(pooled, self.config.dropout_pooled, rng.as_deref_mut());
        let hidden = sigmoid(self.hidden.forward(with_statics(pooled, batch, self.config.statics))); // [rows, hidden]
        self.output.forward(dropout(hidden, self.config.dropout_hidden, rng)) // [rows, outputs]
    }

    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        let factors = [self.config.l1, self.config.l2];
        (self.logits(batch, rng), penalty(self, |_| factors))
    }
}

#[cfg(test)]
mod tests;
