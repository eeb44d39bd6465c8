//! The four networks together.

use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::models::embedding::{Corpus, EmbeddingError, SkipGramConfig};
use nn_core::train::{Monitor, StepError};

use super::encoding::words;
use super::objective::logits;
use super::{Encoding, Gene2vecConfig, Gene2vecObjective, M6aNet, WORDS};
use crate::dataset::SequenceSet;
use crate::evaluate::probability;
use crate::systems::recipe::{Recipe, RecipeError};

/// Why the networks could not be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Gene2vecError {
    /// A setting is out of range, or the set does not fit it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The vectors of the words cannot be learnt.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
    /// Training failed.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// Vectors of the words of `sequences`, `[words, dimension]`, scaled so that the words that occur have a standard
/// deviation of 1; that of words with unknown letters is zero.
///
/// # Errors
/// [`EmbeddingError`].
pub fn skip_gram<'a>(
    sequences: impl IntoIterator<Item = &'a [u8]>,
    config: &SkipGramConfig,
) -> Result<Vec<f32>, EmbeddingError> {
    let corpus: Corpus = sequences.into_iter().map(words).collect();
    let counts = corpus.counts(WORDS)?;
    let fitted = config.fit(&corpus, WORDS)?.into_vectors();
    let mut vectors = fitted.values().to_vec();
    let rows = vectors.chunks_exact(config.dimension).zip(&counts[..WORDS - 1]).filter(|(_, count)| **count > 0);
    let values: Vec<f64> = rows.flat_map(|(row, _)| row).map(|&value| f64::from(value)).collect();
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if spread > 0.0 { (1.0 / spread) as f32 } else { 1.0 };
    vectors.iter_mut().for_each(|value| *value *= scale);
    vectors[(WORDS - 1) * config.dimension..].fill(0.0);
    Ok(vectors)
}

/// Four networks that vote.
#[derive(Debug, Clone)]
pub struct Gene2vec {
    networks: Vec<M6aNet>,
    device: Device,
}

impl Gene2vec {
    /// Trains a network for each encoding on the rows `train` of a set; `validation` decides when each stops. Vectors of
    /// words are learnt from the training rows alone. Each network has random numbers of its own, which follow from
    /// `seed`.
    ///
    /// # Errors
    /// [`Gene2vecError`].
    ///
    /// # Panics
    /// If a row is not there.
    pub fn train(
        set: &SequenceSet,
        [train, validation]: [&[usize]; 2],
        config: &Gene2vecConfig,
        recipe: &Recipe,
        device: &Device,
        seed: u64,
    ) -> Result<Self, Gene2vecError> {
        config.validate()?;
        let skip_gram_config = SkipGramConfig { seed, ..config.skip_gram.clone() };
        let vectors = skip_gram(train.iter().map(|&row| set.sequences[row].as_slice()), &skip_gram_config)?;
        let (device, inner) = (device.clone().autodiff(), device.clone().inner());
        let mut networks = Vec::with_capacity(Encoding::ALL.len());
        for (at, encoding) in (0..).zip(Encoding::ALL) {
            let objective = Gene2vecObjective::new(set, config, validation.to_vec(), &device)?;
            let model = config.init(encoding, Some(&vectors), &device, &mut rng(seed, &[at]))?;
            let (monitor, name) = (Monitor::lower("loss"), format!("gene2vec {}", encoding.name()));
            let seed = seed.wrapping_mul(Encoding::ALL.len() as u64).wrapping_add(at);
            networks.push(recipe.train(&name, objective, model, train, monitor, seed)?.0);
        }
        Ok(Self { networks, device: inner })
    }

    /// The networks, in the order of [`Encoding::ALL`].
    pub fn networks(&self) -> &[M6aNet] {
        &self.networks
    }

    /// The probability that each network gives each window: one list for each network.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    ///
    /// # Panics
    /// If a window is longer than the networks read.
    pub fn each(&self, windows: &[&[u8]]) -> Result<Vec<Vec<f64>>, StepError> {
        let of = |network: &M6aNet| -> Result<Vec<f64>, StepError> {
            Ok(logits(network, windows, &self.device)?.into_iter().map(probability).collect())
        };
        self.networks.iter().map(of).collect()
    }

    /// The mean of the networks' probabilities.
    ///
    /// # Errors
    /// As [`Gene2vec::each`].
    ///
    /// # Panics
    /// As [`Gene2vec::each`].
    pub fn probabilities(&self, windows: &[&[u8]]) -> Result<Vec<f64>, StepError> {
        let mut mean = vec![0.0; windows.len()];
        for votes in self.each(windows)? {
            mean.iter_mut().zip(votes).for_each(|(mean, vote)| *mean += vote / self.networks.len() as f64);
        }
        Ok(mean)
    }
}
