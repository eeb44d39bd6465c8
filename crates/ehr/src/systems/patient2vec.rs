//! `Patient2Vec`: a patient's months, in each of which attention chooses codes, and between which it chooses months.
//!
//! Zhang, Kowsari, Harrison, Lobo and Barnes 2018, *`Patient2Vec`: a personalized interpretable deep representation of
//! the longitudinal electronic health record*, IEEE Access 6:65333; layers as in the authors' `Patient2Vec.py`
//! (repository BarnesLab/Patient2Vec): the weight of a code is one dense unit of its vector cut to 0..1, the sum of a
//! month's weighted vectors goes through gated recurrent units in both directions, and each of several hops averages
//! the states with weights of its own (section III). The penalty ‖B Bᵀ − I‖², B being the weights of the hops, keeps
//! hops apart.
//!
//! The code leaves all sizes to the caller but a dropout of 0.5; those here are ours. In it months of padding have
//! weights too, and the penalty has no gradient; here neither is so.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Gru, RecurrentConfig, dense, dropout};
use nn_core::models::attention::{masked_softmax, padding};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, sum_by_visit, with_statics};
use super::{SequenceNet, VisitBatch};

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patient2VecConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits; 3 in the paper: age, sex, race.
    pub statics: usize,
    /// Labels or classes.
    pub outputs: usize,
    /// Numbers of a code's vector.
    pub embedding: usize,
    /// Units of each direction.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Whether units read the months backwards too.
    pub bidirectional: bool,
    /// Weights that each month has.
    pub hops: usize,
    /// Days of a span that is read as one; 0 for the visits as they are.
    pub days: f32,
    /// Spans that are read at most, the last ones.
    pub spans: usize,
    /// Dropout in front of the units and between their layers, 0 to 0.95.
    pub dropout: f64,
    /// Factor of the penalty on hops that look at the same months.
    pub penalty: f64,
}

impl Default for Patient2VecConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            outputs: 1,
            embedding: 100,
            hidden: 128,
            layers: 1,
            bidirectional: true,
            hops: 3,
            days: 30.0,
            spans: 60,
            dropout: 0.5,
            penalty: 0.5,
        }
    }
}

impl Patient2VecConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        in_range("hops", self.hops, 1..=1024)?;
        in_range("days", self.days, 0.0..=36_525.0)?;
        in_range("spans", self.spans, 1..=100_000)?;
        in_range("penalty", self.penalty, 0.0..=1000.0)?;
        self.recurrent().validate()
    }

    fn recurrent(&self) -> RecurrentConfig {
        RecurrentConfig {
            layers: self.layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            ..RecurrentConfig::new(self.embedding, self.hidden)
        }
    }

    /// Builds the network: vectors from N(0, 1 / embedding), all weights of codes around 0.5, the rest as PyTorch draws
    /// it.
    ///
    /// # Errors
    /// What [`Patient2VecConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Patient2Vec, ConfigError> {
        self.validate()?;
        let embedding = CodeEmbedding::new([self.codes, self.embedding], Init::LeCunNormal, device, rng);
        let mut code_weight = dense([self.embedding, 1], Init::PyTorchDefault, device, rng);
        // a weight that starts outside of 0..1 stays there
        code_weight.bias = Some(Init::Constant(0.5).param([1], Fan::dense([self.embedding, 1]), rng, device));
        let units = self.recurrent().gru(device, rng)?;
        let width = self.recurrent().output();
        let hop_weights = dense([width, self.hops], Init::PyTorchDefault, device, rng);
        let output = dense([width * self.hops + self.statics, self.outputs], Init::PyTorchDefault, device, rng);
        Ok(Patient2Vec { embedding, code_weight, units, hop_weights, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Patient2Vec {
    embedding: CodeEmbedding,
    code_weight: Linear,
    units: Gru,
    hop_weights: Linear,
    output: Linear,
    #[module(skip)]
    config: Patient2VecConfig,
}

/// A patient's vector and what it is made of.
#[derive(Debug, Clone)]
pub struct Attention {
    /// The spans that were read, whose codes and lengths the weights belong to.
    pub spans: VisitBatch,
    /// Weight of each of [`VisitBatch::all_codes`] of the spans, 0 to 1, `[codes]`; none if there are no codes.
    pub codes: Option<Tensor<1>>,
    /// Weights of the spans in each hop, `[rows, hops, spans]`; each hop's sum to 1, padding has 0.
    pub hops: Tensor<3>,
    /// Means of the states, one hop behind the other, `[rows, hops * directions * hidden]`.
    pub vector: Tensor<2>,
}

impl Patient2Vec {
    /// The sizes it was built with.
    pub fn config(&self) -> &Patient2VecConfig {
        &self.config
    }

    /// The vectors of patients and the weights behind them. Dropout acts when a generator is given.
    ///
    /// # Panics
    /// When the batch has a code beyond the vocabulary.
    pub fn attend(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Attention {
        let spans = if self.config.days > 0.0 {
            batch.in_spans(self.config.days, self.config.spans)
        } else {
            let sequences: Vec<_> = (0..batch.rows()).map(|row| batch.sequence(row).last(self.config.spans)).collect();
            VisitBatch::new(&sequences)
        };
        let device = self.embedding.device();
        let (x, codes) = if spans.all_codes().is_empty() {
            (self.embedding.visits(&spans), None)
        } else {
            let vectors = self.embedding.vectors(spans.all_codes()); // [codes, embedding]
            let weights = self.code_weight.forward(vectors.clone()).clamp(0.0, 1.0); // [codes, 1]
            (sum_by_visit(vectors * weights.clone(), &spans), Some(weights.squeeze_dim::<1>(1)))
        };
        let x = dropout(x, self.config.dropout, rng.as_deref_mut()); // [rows, spans, embedding]
        let states = self.units.forward(x, Some(spans.lengths()), rng).sequence; // [rows, spans, width]
        let scores = self.hop_weights.forward(states.clone()).swap_dims(1, 2); // [rows, hops, spans]
        let shape = scores.dims();
        let excluded = padding(spans.lengths(), spans.visits(), &device).unsqueeze_dim::<3>(1).expand(shape);
        let hops = masked_softmax(scores, Some(excluded)); // [rows, hops, spans]
        let vector = hops.clone().matmul(states).flatten::<2>(1, 2); // [rows, hops * width]
        Attention { spans, codes, hops, vector }
    }

    fn answer(&self, vector: Tensor<2>, batch: &VisitBatch) -> Tensor<2> {
        self.output.forward(with_statics(vector, batch, self.config.statics)) // [rows, outputs]
    }
}

/// The mean over rows of ‖B Bᵀ − I‖², the sum of all squares, B being the weights of a row.
fn overlap(hops: Tensor<3>) -> Tensor<1> {
    let ([rows, count, _], device) = (hops.dims(), hops.device());
    let products = hops.clone().matmul(hops.swap_dims(1, 2)); // [rows, hops, hops]
    let identity = Tensor::<2>::eye(count, &device).unsqueeze_dim::<3>(0); // [1, hops, hops]
    (products - identity).square().sum().div_scalar(rows as f64)
}

impl SequenceNet for Patient2Vec {
    fn logits(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.answer(self.attend(batch, rng).vector, batch)
    }

    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        let Attention { vector, hops, .. } = self.attend(batch, rng);
        let factor = self.config.penalty;
        let penalty = (factor > 0.0).then(|| overlap(hops).mul_scalar(factor));
        (self.answer(vector, batch), penalty)
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::golden::{STATICS, VOCABULARY, assert_golden, batch, filled, left_after, values};

    fn small() -> Patient2VecConfig {
        Patient2VecConfig {
            codes: VOCABULARY,
            statics: STATICS,
            outputs: 2,
            embedding: 5,
            hidden: 4,
            hops: 3,
            ..Patient2VecConfig::default()
        }
    }

    #[test]
    fn sizes_are_those_of_the_authors_code() {
        let config = Patient2VecConfig { statics: 3, ..Patient2VecConfig::default() };
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        // PyTorch: Embedding(1000, 100); Conv1d(1, 1, 100); GRU(100, 128, bidirectional) 176,640; Conv1d(1, 3, 256);
        // Linear(3 · 256 + 3, 1). The code's `att_w1` is never used.
        assert_eq!(net.num_params(), 100_000 + 101 + 176_640 + 771 + 772);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let found = net.attend(&batch(), None);
        // 1e-5: single precision against double
        assert_golden(found.codes.unwrap(), "patient2vec.codes", 1e-5);
        assert_golden(found.hops, "patient2vec.hops", 1e-5);
        let (logits, penalty) = net.penalised(&batch(), None);
        assert_golden(logits, "patient2vec", 1e-5);
        assert_golden(penalty.unwrap(), "patient2vec.penalty", 1e-5);
    }

    #[test]
    fn spans_are_visits_without_days() {
        let config = Patient2VecConfig { days: 0.0, spans: 2, ..small() };
        let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let (given, found) = (batch(), net.attend(&batch(), None));
        for row in 0..given.rows() {
            assert_eq!(found.spans.sequence(row), given.sequence(row).last(2));
        }
    }

    #[test]
    fn hops_apart_cost_nothing() {
        let device = Device::flex();
        let apart = Tensor::<3>::from_floats([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]], &device);
        assert_eq!(values(overlap(apart)), [0.0]);
        // B Bᵀ is all ones: two ones beside the diagonal
        let same = Tensor::<3>::from_floats([[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]], &device);
        assert_eq!(values(overlap(same)), [2.0]);
    }

    #[test]
    fn it_learns_a_few_patients_by_heart() {
        let device = Device::flex().autodiff();
        let config = Patient2VecConfig { outputs: 1, embedding: 12, hidden: 12, dropout: 0.0, ..small() };
        let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 250, 0.02);
        assert!(left < 0.1, "{left}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        for (config, field) in [
            (Patient2VecConfig { codes: 1, ..small() }, "codes"),
            (Patient2VecConfig { hops: 0, ..small() }, "hops"),
            (Patient2VecConfig { days: -1.0, ..small() }, "days"),
            (Patient2VecConfig { spans: 0, ..small() }, "spans"),
            (Patient2VecConfig { hidden: 0, ..small() }, "hidden"),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
    }
}
