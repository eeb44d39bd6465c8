//! `Med2Vec`: vectors of codes and of visits, learnt together from the order of visits and from what they hold.
//!
//! Choi, Bahadori, Searles, Coffey, Thompson, Bost, Tejedor-Sojo and Sun 2016, *Multi-layer representation learning for
//! medical concepts*, KDD; loss, starting values and constants as in the authors' `med2vec.py` (repository
//! mp2893/med2vec). A visit's codes are added and rectified, then mapped to a visit vector, from which the codes of the
//! visits before and behind are foretold; at the same time a code foretells those beside it in a visit. The vectors of
//! codes are rectified, so that each of their numbers can be read as a group of codes ([`Med2Vec::top_codes`]).
//!
//! The authors' code masks the predictions of a pair of visits that spans two patients, and not its loss, which adds a
//! constant; here the pair is left out. Visits without a known code are left out too. Published training: Adadelta
//! ([`Med2VecConfig::optimizer`]), 1000 visits a step, 10 epochs.

mod learn;
mod rows;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu, softmax};
use burn::tensor::{Device, IndexingUpdateOp, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::dense;
use nn_core::layers::init::Init;
use nn_core::models::embedding::{EmbeddingError, Vectors};
use nn_core::optim::OptimizerConfig;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::learn::{Med2VecObjective, VisitBlocks};
pub use self::rows::VisitRows;
use super::parts::{CODES, check_shape, indices, numbers};

/// Sizes of the network; the defaults are those of the authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Med2VecConfig {
    /// Ids of the vocabulary, padding and the unknown code included.
    pub codes: usize,
    /// Numbers that are known besides the visits, the same for each visit of a patient.
    pub statics: usize,
    /// Group that each id belongs to, where groups rather than codes are foretold; empty for the codes themselves.
    pub groups: Vec<u32>,
    /// Numbers of a code's vector.
    pub code_size: usize,
    /// Numbers of a visit's vector.
    pub visit_size: usize,
    /// Visits before and behind that are foretold, 1 to 5.
    pub window: usize,
    /// Factor of the squared vectors of codes.
    pub l2: f64,
    /// What is added to probabilities before their logarithm.
    pub log_epsilon: f64,
}

impl Default for Med2VecConfig {
    fn default() -> Self {
        Self {
            codes: CODES,
            statics: 0,
            groups: Vec::new(),
            code_size: 200,
            visit_size: 200,
            window: 1,
            l2: 0.001,
            log_epsilon: 1e-8,
        }
    }
}

impl Med2VecConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range; there are as many groups as codes, or none.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_shape(self.codes, self.statics, self.outputs())?;
        in_range("code_size", self.code_size, 1..=65_536)?;
        in_range("visit_size", self.visit_size, 1..=65_536)?;
        in_range("window", self.window, 1..=5)?;
        in_range("l2", self.l2, 0.0..=1000.0)?;
        in_range("log_epsilon", self.log_epsilon, 1e-12..=0.01)?;
        if !self.groups.is_empty() && self.groups.len() != self.codes {
            let (groups, codes) = (self.groups.len(), self.codes);
            return Err(ConfigError::Conflict(format!(
                "{groups} groups for {codes} codes; give one for each, or none"
            )));
        }
        Ok(())
    }

    /// Codes or groups that are foretold.
    pub fn outputs(&self) -> usize {
        self.groups.iter().max().map_or(self.codes, |last| *last as usize + 1)
    }

    /// The published update rule, for a learning rate of 1.
    pub fn optimizer() -> OptimizerConfig {
        OptimizerConfig::Adadelta { rho: 0.95, epsilon: 1e-6, weight_decay: 0.0 }
    }

    /// Builds the network: weights from U(−0.01, 0.01), biases of zero.
    ///
    /// # Errors
    /// What [`Med2VecConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Med2Vec, ConfigError> {
        self.validate()?;
        let start = Init::Uniform(0.01);
        let code = dense([self.codes, self.code_size], start, device, rng);
        let visit = dense([self.code_size + self.statics, self.visit_size], start, device, rng);
        let output = dense([self.visit_size, self.outputs()], start, device, rng);
        Ok(Med2Vec { code, visit, output, config: self.clone() })
    }

    /// What is foretold of a visit: its groups, or its codes, ascending and each once.
    fn targets(&self, codes: &[u32]) -> Vec<usize> {
        let group = |code: &u32| self.groups.get(*code as usize).copied().unwrap_or(*code) as usize;
        let mut targets: Vec<usize> = codes.iter().map(group).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Med2Vec {
    /// `[codes, code_size]`.
    code: Linear,
    visit: Linear,
    output: Linear,
    #[module(skip)]
    config: Med2VecConfig,
}

impl Med2Vec {
    /// The sizes it was built with.
    pub fn config(&self) -> &Med2VecConfig {
        &self.config
    }

    /// Vectors of visits.
    ///
    /// # Shapes
    /// - output `[visits, visit_size]`; at least one visit
    ///
    /// # Panics
    /// When an id is beyond the vocabulary, or the patients have another number of statics than the network.
    pub fn visits(&self, rows: &VisitRows<'_>) -> Tensor<2> {
        let table = self.code.weight.val();
        let ([codes, width], device, dtype) = (table.dims(), table.device(), table.dtype());
        let largest = rows.codes.iter().flat_map(|own| own.iter()).copied().max().unwrap_or(0) as usize;
        assert!(largest < codes, "code {largest} of a vocabulary of {codes}");
        assert_eq!(rows.statics.len(), rows.len() * self.config.statics, "statics of all visits");
        let all = rows.codes.iter().flat_map(|own| own.iter().map(|code| *code as usize));
        let places = rows.codes.iter().enumerate().flat_map(|(visit, own)| own.iter().map(move |_| visit));
        let (all, places) = (indices(all, &device), indices(places, &device));
        let vectors = table.select(0, all); // [codes of all visits, code_size]
        let x = Tensor::<2>::zeros([rows.len(), width], (&device, dtype));
        let x = x.select_assign(0, places, vectors, IndexingUpdateOp::Add); // [visits, code_size]
        let x = match &self.code.bias {
            Some(bias) => relu(x + bias.val().unsqueeze_dim::<2>(0)),
            None => relu(x),
        };
        let x = if self.config.statics == 0 {
            x
        } else {
            let shape = [rows.len(), self.config.statics];
            let statics = Tensor::<2>::from_data(TensorData::new(rows.statics.clone(), shape), &device);
            Tensor::cat(vec![x, statics], 1) // [visits, code_size + statics]
        };
        relu(self.visit.forward(x)) // [visits, visit_size]
    }

    /// Logits of what the visits beside each visit hold.
    ///
    /// # Shapes
    /// - output `[visits, outputs]`; at least one visit
    ///
    /// # Panics
    /// As [`Med2Vec::visits`].
    pub fn logits(&self, rows: &VisitRows<'_>) -> Tensor<2> {
        self.output.forward(self.visits(rows)) // [visits, outputs]
    }

    /// What is minimised: the loss of visits, that of codes, and a penalty on the vectors of codes, `[1]`.
    ///
    /// # Panics
    /// As [`Med2Vec::visits`], and without a visit.
    pub fn loss(&self, rows: &VisitRows<'_>) -> Tensor<1> {
        let [visits, codes, penalty] = self.terms(rows);
        visits + codes + penalty
    }

    /// The loss of visits, of codes, and the penalty.
    fn terms(&self, rows: &VisitRows<'_>) -> [Tensor<1>; 3] {
        assert!(!rows.is_empty(), "a loss is of one visit at least");
        let penalty = self.code.weight.val().square().sum().mul_scalar(self.config.l2);
        [self.visit_loss(rows), self.code_loss(rows), penalty]
    }

    /// Cross-entropy of every code or group, beside the pairs of visits up to `window` apart, both ways.
    fn visit_loss(&self, rows: &VisitRows<'_>) -> Tensor<1> {
        let (epsilon, outputs) = (self.config.log_epsilon, self.config.outputs());
        let p = softmax(self.logits(rows), 1); // [visits, outputs]
        let device = p.device();
        let absent = p.clone().neg().add_scalar(1.0).add_scalar(epsilon).log(); // [visits, outputs]
        let present = (p.add_scalar(epsilon).log() - absent.clone()).reshape([rows.len() * outputs]);
        // −Σ t ln p + (1 − t) ln(1 − p), as a sum over all and another one over the few that are there
        let absent = absent.sum_dim(1).squeeze_dim::<1>(1); // [visits]
        let targets: Vec<Vec<usize>> = rows.codes.iter().map(|codes| self.config.targets(codes)).collect();
        let mut loss = Tensor::<1>::zeros([1], (&device, present.dtype()));
        for distance in 1..=self.config.window {
            let pairs: Vec<(usize, usize)> = rows.pairs(distance).collect();
            if pairs.is_empty() {
                continue;
            }
            let both = || pairs.iter().flat_map(|&(before, behind)| [(before, behind), (behind, before)]);
            let from = indices(both().map(|(from, _)| from), &device);
            let there = both().flat_map(|(from, to)| targets[to].iter().map(move |target| from * outputs + target));
            let there = indices(there, &device);
            let sum = absent.clone().select(0, from).sum() + present.clone().select(0, there).sum();
            loss = loss - sum.div_scalar(pairs.len() as f64 + epsilon);
        }
        loss
    }

    /// −ln of the share of a code among all, given another one of its visit; the mean over all ordered pairs.
    fn code_loss(&self, rows: &VisitRows<'_>) -> Tensor<1> {
        let table = relu(self.code.weight.val()); // [codes, code_size]
        let ([codes, _], device) = (table.dims(), table.device());
        // a row of the softmax for each code that is there
        let mut own: Vec<usize> = rows.codes.iter().flat_map(|visit| visit.iter().map(|code| *code as usize)).collect();
        own.sort_unstable();
        own.dedup();
        let mut pairs = Vec::new();
        for visit in &rows.codes {
            for code in *visit {
                let row = own.partition_point(|known| *known < *code as usize);
                pairs.extend(visit.iter().filter(|other| *other != code).map(|other| row * codes + *other as usize));
            }
        }
        if pairs.is_empty() {
            return Tensor::zeros([1], (&device, table.dtype()));
        }
        let count = own.len();
        let scores = table.clone().select(0, indices(own, &device)).matmul(table.transpose()); // [own, codes]
        let shares = log_softmax(scores, 1).reshape([count * codes]);
        let shares = shares.select(0, indices(pairs, &device)).exp(); // [pairs]
        shares.add_scalar(self.config.log_epsilon).log().neg().mean()
    }

    /// The rectified vectors of all ids, in the order of the vocabulary.
    ///
    /// # Errors
    /// [`EmbeddingError`] if one is not finite, or the device does not give them back.
    pub fn vectors(&self) -> Result<Vectors, EmbeddingError> {
        let values = relu(self.code.weight.val()).try_into_vec_as::<f32>();
        let values = values.map_err(|error| std::io::Error::other(error.to_string()))?;
        Vectors::new(values, self.config.code_size)
    }

    /// The `k` ids with the largest numbers in a place of their vectors, with those numbers: what the place stands for.
    ///
    /// # Errors
    /// [`StepError`] if the device does not give the numbers back.
    pub fn top_codes(&self, place: usize, k: usize) -> Result<Vec<(u32, f64)>, StepError> {
        let values = numbers(relu(self.code.weight.val()), "vectors of codes")?;
        let column = values.iter().skip(place).step_by(self.config.code_size);
        let mut all: Vec<(u32, f64)> = (0..).zip(column.copied()).filter(|(_, value)| *value > 0.0).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(if place < self.config.code_size { k } else { 0 });
        Ok(all)
    }
}
