//! The four networks together.

use burn::module::Module;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor};
use nn_core::models::embedding::{Corpus, EmbeddingError, SkipGramConfig};
use rand_chacha::ChaCha8Rng;

use super::encoding::words;
use super::{M6aNet, WORDS};

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
#[derive(Module, Debug)]
pub struct Gene2vec {
    pub(super) networks: Vec<M6aNet>,
}

impl Gene2vec {
    /// The networks, in the order of [`Encoding::ALL`](super::Encoding::ALL).
    pub fn networks(&self) -> &[M6aNet] {
        &self.networks
    }

    /// The logit that each network gives each window. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - windows: `batch` sequences, at most as long as the networks read; output `[batch, networks]`
    ///
    /// # Panics
    /// If a window is longer.
    pub fn each(&self, windows: &[&[u8]], device: &Device, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let logits = self.networks.iter().map(|network| network.logits(windows, device, rng.as_deref_mut()));
        Tensor::cat(logits.collect(), 1)
    }

    /// The logit of the mean of the networks' probabilities.
    ///
    /// # Shapes
    /// - as [`Gene2vec::each`]; output `[batch, 1]`
    ///
    /// # Panics
    /// As [`Gene2vec::each`].
    pub fn vote(&self, windows: &[&[u8]], device: &Device) -> Tensor<2> {
        let each = self.each(windows, device, None);
        // ln Σ p − ln Σ (1 − p), from logarithms of p, so that votes that all agree stay finite
        log_sum(log_sigmoid(each.clone())) - log_sum(log_sigmoid(each.neg()))
    }
}

/// ln Σ exp(x) over the columns.
///
/// # Shapes
/// - x `[batch, columns]`; output `[batch, 1]`
fn log_sum(x: Tensor<2>) -> Tensor<2> {
    let highest = x.clone().max_dim(1); // [batch, 1]
    (x - highest.clone()).exp().sum_dim(1).log() + highest
}
