//! RETAIN: a prediction whose parts, code by code, can be read off.
//!
//! Choi, Bahadori, Kulas, Schuetz, Stewart and Sun 2016, *RETAIN: an interpretable predictive model for healthcare
//! using reverse time attention mechanism*, NIPS; sizes, dropout and penalties as in the authors' `retain.py`
//! (repository mp2893/retain). Two recurrent nets read the visits from the last to the first: one weighs visits, the
//! other the numbers of a visit's vector. A logit is a sum over codes (section 3, equation 5), which
//! [`Retain::explain`] gives.
//!
//! The authors' code halves the states of both nets, in training and in use alike; here, as in the paper, nothing does.
//! Statics, which the paper does not have, add to the logit through weights of their own. Published training: Adadelta,
//! 100 patients a step; for deaths in MIMIC-III 100 epochs with a dropout of the context of 0.2 (`README.md`).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{dense, dropout};
use nn_core::losses::penalty;
use nn_core::models::attention::{RetainAttention, RetainConfig as AttentionConfig, Retained};
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CODES, CodeEmbedding, check_shape, numbers, with_statics};
use super::{SequenceNet, VisitBatch};

/// Sizes of the network; the defaults are those of the authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetainConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits.
    pub statics: usize,
    /// Labels or classes.
    pub outputs: usize,
    /// Numbers of a code's vector.
    pub embedding: usize,
    /// Units of the net that weighs visits.
    pub alpha: usize,
    /// Units of the net that weighs the numbers of a visit.
    pub beta: usize,
    /// Whether both nets read ln(1 + days since the visit before).
    pub time: bool,
    /// Dropout of the visits' vectors, 0 to 0.95.
    pub dropout_embedding: f64,
    /// Dropout of the context, 0 to 0.95.
    pub dropout_context: f64,
    /// Factor of the squared weights of embedding, both attentions and output.
    pub l2: f64,
}

impl Default for RetainConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            outputs: 1,
            embedding: 128,
            alpha: 128,
            beta: 128,
            time: true,
            dropout_embedding: 0.5,
            dropout_context: 0.5,
            l2: 0.001,
        }
    }
}

impl RetainConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs)?;
        self.attention().validate()?;
        in_range("dropout_embedding", self.dropout_embedding, 0.0..=0.95)?;
        in_range("dropout_context", self.dropout_context, 0.0..=0.95)?;
        in_range("l2", self.l2, 0.0..=1000.0)
    }

    fn attention(&self) -> AttentionConfig {
        let extra = usize::from(self.time);
        AttentionConfig { embedding: self.embedding, extra, alpha: self.alpha, beta: self.beta }
    }

    /// Builds the network: vectors and output from U(−0.1, 0.1), as in the authors' code.
    ///
    /// # Errors
    /// What [`RetainConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Retain, ConfigError> {
        self.validate()?;
        let start = Init::Uniform(0.1);
        let embedding = CodeEmbedding::new([self.codes, self.embedding], start, device, rng);
        let attention = self.attention().init(device, rng)?;
        let output = dense([self.embedding + self.statics, self.outputs], start, device, rng);
        Ok(Retain { embedding, attention, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Retain {
    embedding: CodeEmbedding,
    attention: RetainAttention,
    output: Linear,
    #[module(skip)]
    config: RetainConfig,
}

/// What a logit of one patient is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The logit, as the network gives it.
    pub logit: f64,
    /// What every patient starts from.
    pub bias: f64,
    /// What each static adds.
    pub statics: Vec<f64>,
    /// What each code of each visit adds, visit by visit.
    pub codes: Vec<CodeShare>,
    /// Weight of each visit, 0 to 1; they sum to 1.
    pub alpha: Vec<f64>,
}

/// What a code of a visit adds to a logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodeShare {
    /// The visit, from 0.
    pub visit: usize,
    /// Id of the code.
    pub code: u32,
    /// What it adds.
    pub value: f64,
}

impl Explanation {
    /// The sum of all parts, which is the logit but for rounding.
    pub fn sum(&self) -> f64 {
        self.bias + self.statics.iter().sum::<f64>() + self.codes.iter().map(|share| share.value).sum::<f64>()
    }
}

impl Retain {
    /// The sizes it was built with.
    pub fn config(&self) -> &RetainConfig {
        &self.config
    }

    /// Weights of visits and of their numbers, without noise.
    ///
    /// # Panics
    /// When the batch has a code beyond the vocabulary.
    pub fn attend(&self, batch: &VisitBatch) -> Retained {
        self.retained(batch, None)
    }

    fn retained(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> Retained {
        let v = dropout(self.embedding.visits(batch), self.config.dropout_embedding, rng); // [rows, visits, embedding]
        let time = self.config.time.then(|| batch.log_gaps(&v.device())); // [rows, visits, 1]
        self.attention.forward(v, time, batch.lengths())
    }

    fn answer(&self, context: Tensor<2>, batch: &VisitBatch) -> Tensor<2> {
        self.output.forward(with_statics(context, batch, self.config.statics)) // [rows, outputs]
    }

    /// What the logits of `output` are made of, one for each patient. A code adds αⱼ w · (βⱼ ⊙ v), where v is its
    /// vector and w the weights of the output.
    ///
    /// # Errors
    /// [`StepError::Device`] when values cannot be fetched.
    ///
    /// # Panics
    /// As [`SequenceNet::logits`], and when there is no such output.
    pub fn explain(&self, batch: &VisitBatch, output: usize) -> Result<Vec<Explanation>, StepError> {
        let (outputs, width) = (self.config.outputs, self.config.embedding);
        assert!(output < outputs, "output {output} of {outputs}");
        let retained = self.attend(batch);
        let logits = numbers(self.answer(retained.context, batch), "logits")?; // [rows, outputs]
        let alpha = numbers(retained.alpha, "attention")?; // [rows, visits]
        let beta = numbers(retained.beta, "attention")?; // [rows, visits, embedding]
        let weights = numbers(self.output.weight.val(), "weights")?; // [embedding + statics, outputs]
        let weight = |input: usize| weights[input * outputs + output];
        let bias = match &self.output.bias {
            Some(bias) => numbers(bias.val(), "weights")?[output],
            None => 0.0,
        };
        let vectors = match batch.all_codes() {
            [] => Vec::new(),
            codes => numbers(self.embedding.vectors(codes), "vectors")?, // [codes, embedding]
        };
        let (visits, mut vectors) = (batch.visits(), vectors.chunks_exact(width));
        let mut found = Vec::with_capacity(batch.rows());
        for row in 0..batch.rows() {
            let mut codes = Vec::new();
            for visit in 0..batch.lengths()[row] {
                let cell = row * visits + visit;
                let beta = &beta[cell * width..][..width];
                for (&code, vector) in batch.codes(row, visit).iter().zip(vectors.by_ref()) {
                    let product =
                        vector.iter().zip(beta).enumerate().map(|(at, (v, b))| weight(at) * b * v).sum::<f64>();
                    codes.push(CodeShare { visit, code, value: alpha[cell] * product });
                }
            }
            let given = batch.sequence(row);
            let statics = given.statics().iter().enumerate().map(|(at, &value)| weight(width + at) * f64::from(value));
            found.push(Explanation {
                logit: logits[row * outputs + output],
                bias,
                statics: statics.collect(),
                codes,
                alpha: alpha[row * visits..][..batch.lengths()[row]].to_vec(),
            });
        }
        Ok(found)
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        let l2 = self.config.l2;
        // of the attention only what scores, not the recurrent nets (retain.py: w_alpha, W_beta)
        penalty(self, |path| match path {
            "embedding.table" | "attention.alpha.weight" | "attention.beta.weight" | "output.weight" => [0.0, l2],
            _ => [0.0, 0.0],
        })
    }
}

impl SequenceNet for Retain {
    fn logits(&self, batch: &VisitBatch, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let context = self.retained(batch, rng.as_deref_mut()).context; // [rows, embedding]
        self.answer(dropout(context, self.config.dropout_context, rng), batch)
    }

    fn penalised(&self, batch: &VisitBatch, rng: Option<&mut ChaCha8Rng>) -> (Tensor<2>, Option<Tensor<1>>) {
        (self.logits(batch, rng), self.penalty())
    }
}

#[cfg(test)]
mod tests;
