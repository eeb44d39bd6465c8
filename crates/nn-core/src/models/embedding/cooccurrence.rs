//! How often codes stand near each other, counted once and for all.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Corpus, EmbeddingError, SparseMatrix, Window};

/// Codes that a thread counts at a time.
const GROUP: usize = 1 << 16;

/// Groups between two additions to the result.
const BATCH: usize = 64;

/// How the weight of a neighbour falls with its distance, beside what the window does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Not at all.
    #[default]
    None,
    /// As 1/distance (Pennington, Socher and Manning 2014, section 4.2).
    Inverse,
}

/// Weighted counts of pairs (code, neighbour), as a sparse matrix in which an entry stands for what was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Cooccurrence {
    matrix: SparseMatrix,
}

impl Cooccurrence {
    /// Counts that were made elsewhere; rows are codes and columns their neighbours.
    ///
    /// # Errors
    /// - [`EmbeddingError::Length`] if the matrix is not square;
    /// - [`EmbeddingError::Value`] for a count that is not positive.
    pub fn new(matrix: SparseMatrix) -> Result<Self, EmbeddingError> {
        let [expected, found] = matrix.shape();
        if expected != found {
            return Err(EmbeddingError::Length { what: "columns of counts", found, expected });
        }
        if let Some((at, (_, _, value))) = matrix.entries().enumerate().find(|&(_, (_, _, value))| value <= 0.0) {
            return Err(EmbeddingError::Value { what: "count", at, value, allowed: "numbers above 0" });
        }
        Ok(Self { matrix })
    }

    /// Counts the pairs of `corpus`, each in both directions. A shrinking window of n counts a neighbour at
    /// distance d as (n − d + 1)/n, which is how often skip-gram sees it (Levy, Goldberg and Dagan 2015,
    /// section 3.1). The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] for a code that is `rows` or larger, [`EmbeddingError::Config`] for
    /// a window of 0 codes.
    pub fn count(corpus: &Corpus, rows: usize, window: Window, decay: Decay) -> Result<Self, EmbeddingError> {
        window.validate()?;
        corpus.counts(rows)?;
        let mut total: Vec<(u64, f64)> = Vec::new();
        for batch in groups(corpus).chunks(BATCH) {
            let counted: Vec<Vec<(u64, f64)>> =
                batch.par_iter().map(|group| count_group(corpus, group.clone(), window, decay)).collect();
            for group in counted {
                total = merge(total, group);
            }
        }
        let entries = total.into_iter().map(|(key, weight)| ((key >> 32) as u32, key as u32, weight));
        Ok(Self { matrix: SparseMatrix::from_sorted([rows, rows], entries) })
    }

    /// The counts, `[rows, rows]`.
    pub fn matrix(&self) -> &SparseMatrix {
        &self.matrix
    }
}

/// Runs of sequences with about [`GROUP`] codes.
fn groups(corpus: &Corpus) -> Vec<Range<usize>> {
    let (mut groups, mut first, mut codes) = (Vec::new(), 0, 0);
    for (at, sequence) in corpus.sequences().enumerate() {
        codes += sequence.len();
        if codes >= GROUP || at + 1 == corpus.len() {
            groups.push(first..at + 1);
            (first, codes) = (at + 1, 0);
        }
    }
    groups
}

/// The counts of some sequences: keys are `code << 32 | neighbour`, ascending.
fn count_group(corpus: &Corpus, sequences: Range<usize>, window: Window, decay: Decay) -> Vec<(u64, f64)> {
    let mut counts: HashMap<u64, f64> = HashMap::new();
    for sequence in sequences.map(|at| corpus.get(at)) {
        let widest = match window {
            Window::Shrinking(n) | Window::Fixed(n) => n,
            Window::WholeSequence => sequence.len(),
        };
        for (at, &left) in sequence.iter().enumerate() {
            for (distance, &right) in (1..=widest).zip(&sequence[at + 1..]) {
                let seen = match window {
                    Window::Shrinking(n) => (n - distance + 1) as f64 / n as f64,
                    Window::Fixed(_) | Window::WholeSequence => 1.0,
                };
                let weight = match decay {
                    Decay::None => seen,
                    Decay::Inverse => seen / distance as f64,
                };
                let (left, right) = (u64::from(left), u64::from(right));
                *counts.entry((left << 32) | right).or_insert(0.0) += weight;
                *counts.entry((right << 32) | left).or_insert(0.0) += weight;
            }
        }
    }
    let mut counts: Vec<(u64, f64)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|&(key, _)| key);
    counts
}

/// The sum of two lists in ascending order of their keys.
fn merge(left: Vec<(u64, f64)>, right: Vec<(u64, f64)>) -> Vec<(u64, f64)> {
    if left.is_empty() {
        return right;
    }
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(&(a, x)), Some(&(b, y))) = (left.peek(), right.peek()) {
        let (key, weight) = match a.cmp(&b) {
            Ordering::Less => (a, x),
            Ordering::Equal => (a, x + y),
            Ordering::Greater => (b, y),
        };
        merged.push((key, weight));
        left.next_if(|&(other, _)| other == key);
        right.next_if(|&(other, _)| other == key);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;
    use rand::RngExt;

    fn entries(counts: &Cooccurrence) -> Vec<(u32, u32, f64)> {
        counts.matrix().entries().collect()
    }

    #[test]
    fn weights_fall_as_window_and_decay_say() {
        // 0 1 2 0: pairs at distance 1: 01 12 20; at 2: 02 10; at 3: 00
        let corpus: Corpus = [vec![0, 1, 2, 0]].into_iter().collect();
        let third = 1.0 / 3.0;
        for (window, decay, [d1, d2, d3]) in [
            (Window::Fixed(3), Decay::None, [1.0, 1.0, 1.0]),
            (Window::Fixed(2), Decay::None, [1.0, 1.0, 0.0]),
            (Window::Fixed(9), Decay::Inverse, [1.0, 0.5, third]),
            (Window::Shrinking(3), Decay::None, [1.0, 2.0 / 3.0, third]),
            (Window::Shrinking(3), Decay::Inverse, [1.0, third, third / 3.0]),
            (Window::WholeSequence, Decay::None, [1.0, 1.0, 1.0]),
        ] {
            let found = Cooccurrence::count(&corpus, 3, window, decay).unwrap();
            let mut expected = vec![(0, 0, 2.0 * d3), (0, 1, d1 + d2), (0, 2, d1 + d2)];
            expected.extend([(1, 0, d1 + d2), (1, 2, d1), (2, 0, d1 + d2), (2, 1, d1)]);
            expected.retain(|&(_, _, weight)| weight > 0.0);
            assert_eq!(entries(&found).len(), expected.len(), "{window:?} {decay:?}");
            for (found, expected) in entries(&found).into_iter().zip(expected) {
                assert_eq!((found.0, found.1), (expected.0, expected.1));
                assert!((found.2 - expected.2).abs() < 1e-15, "{window:?} {decay:?}: {found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn groups_add_up_to_a_plain_count() {
        // more codes than one group holds
        let mut rng = rng(4, &[]);
        let corpus: Corpus = (0..30_000).map(|_| [(); 6].map(|()| rng.random_range(0..40))).collect();
        let mut plain = vec![0.0; 1600];
        for sequence in corpus.sequences() {
            for (i, &a) in sequence.iter().enumerate() {
                for (j, &b) in sequence.iter().enumerate() {
                    if i != j && i.abs_diff(j) <= 2 {
                        plain[a as usize * 40 + b as usize] += 1.0;
                    }
                }
            }
        }
        let found = Cooccurrence::count(&corpus, 40, Window::Fixed(2), Decay::None).unwrap();
        assert_eq!(groups(&corpus).len(), 3);
        let mut dense = vec![0.0; 1600];
        entries(&found).into_iter().for_each(|(a, b, weight)| dense[a as usize * 40 + b as usize] = weight);
        assert_eq!(dense, plain);
        assert!(Cooccurrence::count(&corpus, 39, Window::Fixed(2), Decay::None).is_err());
        assert!(Cooccurrence::count(&corpus, 40, Window::Fixed(0), Decay::None).is_err());
    }
}
