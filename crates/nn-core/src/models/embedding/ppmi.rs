//! Vectors from counts alone: positive pointwise mutual information and its truncated SVD (Levy, Goldberg and Dagan
//! 2015, Transactions of the ACL 3).

use serde::{Deserialize, Serialize};

use super::{Cooccurrence, Corpus, Decay, EmbeddingError, SparseMatrix, Vectors, Window, truncated_svd};
use crate::config::{ConfigError, in_range};

/// The positive pointwise mutual information of codes and their neighbours, shifted and smoothed:
/// max(0, ln (P(w, c) / (P(w) · `P_α(c)`)) − ln k), with `P_α(c)` proportional to #(c)^α. Only entries above 0 are
/// stored.
///
/// `negatives` is k, at least 1: negative sampling with k negatives factorises the matrix shifted by ln k (Levy
/// and Goldberg 2014). `smoothing` is α, 1 for none (section 3.2).
pub fn ppmi(counts: &Cooccurrence, negatives: f64, smoothing: f64) -> SparseMatrix {
    let matrix = counts.matrix();
    let shape = matrix.shape();
    let (mut sums, mut smooth) = (vec![0.0_f64; shape[0]], vec![0.0_f64; shape[1]]);
    for (row, column, count) in matrix.entries() {
        sums[row as usize] += count;
        smooth[column as usize] += count;
    }
    for sum in smooth.iter_mut().filter(|sum| **sum > 0.0) {
        *sum = sum.powf(smoothing);
    }
    let total: f64 = smooth.iter().sum();
    let entries = matrix.entries().filter_map(|(row, column, count)| {
        // P(w, c) / P(w) = #(w, c) / #(w)
        let ratio = count / sums[row as usize] * (total / smooth[column as usize]);
        let value = (ratio / negatives).ln();
        (value > 0.0).then_some((row, column, value))
    });
    SparseMatrix::from_sorted(shape, entries)
}

/// How vectors are made from the mutual information.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpmiConfig {
    /// Numbers in a vector, 1 to 4096 and at most the number of codes; the paper's is 500.
    pub dimension: usize,
    /// Which neighbours are counted; the paper has 2, 5 and 10, shrinking ("dynamic") or fixed.
    pub window: Window,
    /// Further weight by distance; the paper has none.
    pub decay: Decay,
    /// k of the shift ln k; the paper has 1, 5 and 15, and recommends 1 before an SVD.
    pub negatives: f64,
    /// α of the smoothed distribution of neighbours; 0.75.
    pub smoothing: f64,
    /// p of the vectors U·Σᵖ; the paper has 1, 0.5 and 0, and advises against 1.
    pub exponent: f64,
    /// Iterations of the SVD.
    pub iterations: usize,
    /// Seed of the SVD's start.
    pub seed: u64,
}

impl Default for PpmiConfig {
    fn default() -> Self {
        Self {
            dimension: 500,
            window: Window::Shrinking(2),
            decay: Decay::None,
            negatives: 1.0,
            smoothing: 0.75,
            exponent: 0.5,
            iterations: 6,
            seed: 1,
        }
    }
}

impl PpmiConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, the value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("dimension", self.dimension, 1..=4096)?;
        self.window.validate()?;
        in_range("negatives", self.negatives, 1.0..=1000.0)?;
        in_range("smoothing", self.smoothing, 0.0..=1.0)?;
        in_range("exponent", self.exponent, 0.0..=1.0)?;
        in_range("iterations", self.iterations, 0..=1000)
    }

    /// A vector for each of the codes `0..rows`; zero for those that have no mutual information above 0.
    ///
    /// # Errors
    /// - [`EmbeddingError::Config`] if [`validate`](Self::validate) fails;
    /// - [`EmbeddingError::Empty`] if no pair is in the corpus, [`EmbeddingError::NoSuchCode`] for a code
    ///   that is not below `rows`;
    /// - [`EmbeddingError::Length`] if there are fewer codes than dimensions.
    pub fn fit(&self, corpus: &Corpus, rows: usize) -> Result<Vectors, EmbeddingError> {
        self.validate()?;
        let counts = Cooccurrence::count(corpus, rows, self.window, self.decay)?;
        if counts.matrix().stored() == 0 {
            return Err(EmbeddingError::Empty("no two codes stand near each other"));
        }
        let matrix = ppmi(&counts, self.negatives, self.smoothing);
        let svd = truncated_svd(&matrix, self.dimension, self.iterations, self.seed)?;
        let scale: Vec<f64> = svd.singular.iter().map(|value| value.powf(self.exponent)).collect();
        let values = svd.left.chunks_exact(self.dimension);
        let values = values.flat_map(|row| row.iter().zip(&scale).map(|(entry, scale)| (entry * scale) as f32));
        Vectors::new(values.collect(), self.dimension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_codes_by_hand() {
        // 0 1 | 0 1 | 0 2: #(0,1) = #(1,0) = 2, #(0,2) = #(2,0) = 1; sums 3, 2, 1 of 6
        let corpus: Corpus = [[0, 1], [0, 1], [0, 2]].into_iter().collect();
        let counts = Cooccurrence::count(&corpus, 3, Window::Fixed(1), Decay::None).unwrap();
        let check = |negatives: f64, smoothing: f64, expected: &[(u32, u32, f64)]| {
            let found: Vec<_> = ppmi(&counts, negatives, smoothing).entries().collect();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!((found.0, found.1), (expected.0, expected.1));
                // a few roundings
                assert!((found.2 - expected.2).abs() < 1e-14, "{found:?} {expected:?}");
            }
        };
        // every pair: (2/6) / (3/6 · 2/6) = (1/6) / (3/6 · 1/6) = 2
        let two = 2.0_f64.ln();
        check(1.0, 1.0, &[(0, 1, two), (0, 2, two), (1, 0, two), (2, 0, two)]);
        check(1.6, 1.0, &[(0, 1, 1.25_f64.ln()), (0, 2, 1.25_f64.ln()), (1, 0, 1.25_f64.ln()), (2, 0, 1.25_f64.ln())]);
        check(2.5, 1.0, &[]);
        // α = 0.5: neighbours √3, √2, 1 of s; (0, 1): 2/3 · s/√2, (0, 2): 1/3 · s, (1, 0) and (2, 0): s/√3
        let s = 3.0_f64.sqrt() + 2.0_f64.sqrt() + 1.0;
        let (a, b, c) = ((2.0 / 3.0 * s / 2.0_f64.sqrt()).ln(), (s / 3.0).ln(), (s / 3.0_f64.sqrt()).ln());
        check(1.0, 0.5, &[(0, 1, a), (0, 2, b), (1, 0, c), (2, 0, c)]);
    }

    #[test]
    fn vectors_reproduce_the_matrix_they_come_from() {
        // two codes that share their neighbours, and two others that share theirs
        let corpus: Corpus = [[0, 4], [1, 4], [0, 5], [1, 5], [2, 6], [3, 6], [2, 7], [3, 7]].into_iter().collect();
        let config = PpmiConfig { dimension: 4, exponent: 1.0, ..PpmiConfig::default() };
        let vectors = config.fit(&corpus, 8).unwrap();
        // with all of the rank and p = 1, cosines are those of the rows of the matrix: 1 or 0
        for (a, b, expected) in [(0, 1, 1.0), (2, 3, 1.0), (0, 2, 0.0), (0, 4, 0.0), (4, 5, 1.0), (4, 6, 0.0)] {
            let found = vectors.cosine(a, b).unwrap();
            assert!((found - expected).abs() < 1e-6, "{a}, {b}: {found}");
        }
        assert!(PpmiConfig { dimension: 9, ..config.clone() }.fit(&corpus, 8).is_err());
        assert!(config.fit(&[[1]].into_iter().collect(), 8).is_err());
        assert!(PpmiConfig { smoothing: 1.5, ..config }.validate().is_err());
    }
}
