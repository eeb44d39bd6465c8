//! Learning which windows are methylated.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::models::embedding::SkipGramConfig;
use nn_core::train::{StepContext, StepError};
use rand_chacha::ChaCha8Rng;

use super::{Encoding, Gene2vec, Gene2vecConfig, WORDS, skip_gram};
use crate::baselines::{self, Baseline};
use crate::dataset::{Labels, SequenceSet};
use crate::kmer::KmerConfig;
use crate::model::Predicts;
use crate::split::{self, SplitError, SplitKind};
use crate::task::{Fitted, NOISE, Rows, Task, TaskError, TaskNetConfig};

/// Windows of one strand, methylated or not. Each of the four networks learns all of them by its own cross-entropy, and
/// what is judged is their vote; a window without a label counts nothing.
#[derive(Debug)]
pub struct Gene2vecTask<'a> {
    set: &'a SequenceSet,
    config: Gene2vecConfig,
    rows: Rows,
}

impl<'a> Gene2vecTask<'a> {
    /// The windows of `set` for networks of `config`.
    ///
    /// # Errors
    /// What [`Gene2vecConfig::validate`] finds, and [`ConfigError::Conflict`] when the set has not one task of
    /// yes-or-no labels, or windows longer than is read.
    pub fn new(set: &'a SequenceSet, config: Gene2vecConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        set.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let (tasks, longest, length) = (set.tasks.len(), set.longest(), config.length);
        if set.labels != Labels::Binary || tasks != 1 || longest > length {
            let found = format!("{tasks} tasks of {:?} labels and windows of up to {longest} bases", set.labels);
            return Err(ConfigError::Conflict(format!("{found}; one of yes or no and {length} bases are due")));
        }
        let rows = Rows {
            names: set.names.clone(),
            loci: set.loci.clone(),
            predicts: Predicts { tasks: set.tasks.clone(), labels: Labels::Binary },
            targets: set.targets.clone(),
            groups: set.groups.clone(),
        };
        Ok(Self { set, config, rows })
    }

    /// The same task under the name that a trained model has for it.
    pub fn called(mut self, predicts: &Predicts) -> Self {
        self.rows.predicts.tasks.clone_from(&predicts.tasks);
        self
    }

    fn windows(&self, rows: &[usize]) -> Vec<&'a [u8]> {
        rows.iter().map(|&row| self.set.sequences[row].as_slice()).collect()
    }
}

impl Task for Gene2vecTask<'_> {
    type Net = Gene2vec;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        TaskNetConfig::Gene2vec(self.config.clone())
    }

    fn split(&self) -> SplitKind {
        SplitKind::Cluster
    }

    fn groups(&self, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
        split::groups(self.set, kind)
    }

    /// Vectors of words, from the sequences of the training part.
    fn fit(&self, train: &[usize], seed: u64) -> Result<Fitted, TaskError> {
        let config = SkipGramConfig { seed, ..self.config.skip_gram.clone() };
        Ok(Fitted { weights: skip_gram(self.windows(train), &config)?, ..Fitted::default() })
    }

    fn init(&self, fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<Gene2vec, ConfigError> {
        // Where weights are read into the network, the vectors are among them.
        let unread = vec![0.0; WORDS * self.config.skip_gram.dimension];
        let words: &[f32] = if fitted.weights.is_empty() { &unread } else { &fitted.weights };
        let networks = Encoding::ALL.map(|encoding| self.config.init(encoding, Some(words), device, rng));
        Ok(Gene2vec { networks: networks.into_iter().collect::<Result<_, _>>()? })
    }

    /// The logit of the mean of the networks' probabilities; there is no noise in it.
    fn logits(
        &self,
        net: &Gene2vec,
        _fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        _noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        Ok(net.vote(&self.windows(rows), device)) // [batch, 1]
    }

    /// The sum of the networks' losses: they share no weight, so that each learns as if it were alone.
    fn loss(
        &self,
        net: &Gene2vec,
        _fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        context: &StepContext,
    ) -> Result<Tensor<1>, StepError> {
        let logits = net.each(&self.windows(rows), device, Some(&mut context.rng(NOISE))); // [batch, networks]
        let (networks, targets) = (logits.dims()[1], self.rows.targets_of(rows));
        let wide = |of: fn(f32) -> f32| {
            let values: Vec<f32> = targets.iter().flat_map(|&target| vec![of(target); networks]).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows.len(), networks]), device)
        };
        let known = wide(|target| f32::from(u8::from(!target.is_nan())));
        let targets = wide(|target| if target.is_nan() { 0.0 } else { target });
        let mean = BinaryCrossEntropy::default().forward(logits, targets, Some(known), Reduction::Mean);
        Ok(mean.mul_scalar(networks as f64))
    }

    /// The majority, the share of G and C, and the words of one strand.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let config = KmerConfig { both_strands: false, ..KmerConfig::default() };
        Ok(baselines::all(self.set, train, query, &config)?)
    }
}
