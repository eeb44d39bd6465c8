//! Clusters of similar sequences, by the words that they share on either strand.
//!
//! A sequence becomes a set of hashed words: of each word and its reverse complement the smaller hash, and of each
//! `window` of neighbouring words the smallest (minimisers; Roberts, Hayes, Hunt, Mount and Yorke 2004, Bioinformatics
//! 20:3363). Two sequences are similar when the Jaccard index of their sets reaches a threshold, and clusters are what
//! hangs together by such similarities (single linkage): two sequences of different clusters are never similar, which
//! is what a split needs. All pairs above the threshold are found, without comparing all pairs, by the prefixes of
//! their sets ordered from rare to frequent words (Bayardo, Ma and Srikant 2007, WWW, section 3.2).

use std::collections::HashMap;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::copies;
use super::pairs::Sets;
use crate::sequence::CODES;

/// Words of a sequence that are compared, about, where no window is given.
const SKETCH: usize = 256;

/// What counts as similar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Bases of a word, 4 to 31. Two unrelated sequences of n bases share about 2 n² / 4^k words.
    pub k: usize,
    /// Neighbouring words of which one is kept; 1 keeps all of them. By default such that the longest sequence keeps
    /// about 256, and all of them below 384 bases.
    pub window: Option<usize>,
    /// Jaccard index from which on two sequences are similar, above 0 to 1. Two sequences of equal length that share
    /// the share s of their words have s / (2 − s).
    pub threshold: f64,
}

impl Default for ClusterConfig {
    /// Words of 11 bases, of which two sequences share a third.
    fn default() -> Self {
        Self { k: 11, window: None, threshold: 0.2 }
    }
}

impl ClusterConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("k", self.k, 4..=31)?;
        in_range("window", self.window.unwrap_or(1), 1..=100_000)?;
        in_range("threshold", self.threshold, 0.01..=1.0)
    }
}

/// For each sequence, the number of its cluster. Copies and reverse complements are always in one; sequences without a
/// word, because they are shorter than `k` or full of unknown bases, have no other company.
///
/// ```
/// use genomics::split::{ClusterConfig, clusters};
/// let sequences: [&[u8]; 3] = [b"ACGTTGCATTGACCATGA", b"TCATGGTCAATGCAACGT", b"GGGGGCCCCATATATATAT"];
/// assert_eq!(clusters(&sequences, &ClusterConfig::default()), [0, 0, 1]);
/// ```
///
/// # Panics
/// If the settings are out of range ([`ClusterConfig::validate`]).
pub fn clusters(sequences: &[&[u8]], config: &ClusterConfig) -> Vec<u64> {
    assert!(config.validate().is_ok(), "{config:?} is out of range");
    let longest = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
    // One word of every (window + 1) / 2 is kept, on average.
    let window = config.window.unwrap_or_else(|| (2 * longest / SKETCH).saturating_sub(1).max(1));
    let hashed: Vec<Vec<u64>> = sequences.par_iter().map(|sequence| sketch(sequence, config.k, window)).collect();
    let ranked = ranked(&hashed);

    let mut sets = Sets::new(sequences.len());
    // Copies and their like need no comparison.
    let mut first: HashMap<u64, usize> = HashMap::new();
    for (row, copy) in copies(sequences).into_iter().enumerate() {
        sets.join(*first.entry(copy).or_insert(row), row);
    }
    let mut seen: HashMap<&[u32], usize> = HashMap::new();
    let mut distinct = Vec::new();
    for (row, words) in ranked.iter().enumerate().filter(|(_, words)| !words.is_empty()) {
        let before = *seen.entry(words.as_slice()).or_insert(row);
        if before == row {
            distinct.push(row);
        } else {
            sets.join(before, row);
        }
    }
    join_similar(&ranked, distinct, config.threshold, &mut sets);
    sets.numbers()
}

/// Joins the rows whose sets are similar. Sets are ascending lists without repeats, the rarest words first.
fn join_similar(ranked: &[Vec<u32>], mut rows: Vec<usize>, threshold: f64, sets: &mut Sets) {
    rows.sort_by_key(|&row| (ranked[row].len(), row));
    let mut index: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut compared = vec![usize::MAX; ranked.len()];
    for row in rows {
        let words = &ranked[row];
        // Sets that share `least` words share one of the first ones of either, in the common order.
        let least = (threshold * words.len() as f64 - 1e-9).ceil().max(1.0) as usize;
        for &word in &words[..=words.len() - least] {
            let others = index.entry(word).or_default();
            for &other in others.iter() {
                let smaller = &ranked[other];
                if compared[other] != row && smaller.len() >= least {
                    compared[other] = row;
                    if sets.root(other) != sets.root(row) && jaccard(words, smaller) >= threshold {
                        sets.join(other, row);
                    }
                }
            }
            others.push(row);
        }
    }
}

/// The words of each set by their rank, from the rarest of all sets to the most frequent, ascending.
fn ranked(sets: &[Vec<u64>]) -> Vec<Vec<u32>> {
    let mut all: Vec<u64> = sets.iter().flatten().copied().collect();
    all.par_sort_unstable();
    let mut frequency: Vec<(usize, u64)> = all.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
    frequency.sort_unstable();
    let ranks: HashMap<u64, u32> = frequency.into_iter().zip(0_u32..).map(|((_, word), rank)| (word, rank)).collect();
    sets.par_iter()
        .map(|words| {
            let mut ranked: Vec<u32> = words.iter().map(|word| ranks[word]).collect();
            ranked.sort_unstable();
            ranked
        })
        .collect()
}

/// Jaccard index of two ascending lists without repeats, of which one is not empty.
fn jaccard(left: &[u32], right: &[u32]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared += 1;
                i += 1;
                j += 1;
            }
        }
    }
    shared as f64 / (left.len() + right.len() - shared) as f64
}

/// Hashes of the minimisers of a sequence, ascending, without repeats; the same for its reverse complement. A run of
/// known bases with fewer words than a window keeps the smallest of them.
pub(super) fn sketch(sequence: &[u8], k: usize, window: usize) -> Vec<u64> {
    let mut kept = Vec::new();
    let known = |letter: &u8| CODES[usize::from(*letter)] < 4;
    for run in sequence.chunk_by(|left, right| known(left) == known(right)) {
        if run.len() >= k && known(&run[0]) {
            minimisers(&hashes(run, k), window, &mut kept);
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// Appends the smallest of each `window` neighbours, or of all if there are fewer.
fn minimisers(hashes: &[u64], window: usize, kept: &mut Vec<u64>) {
    let window = window.min(hashes.len());
    let mut best = 0;
    for end in window..=hashes.len() {
        let (start, newest) = (end - window, end - 1);
        if best < start || end == window {
            // Of equal ones the last, which stays longest.
            best = (start..end).rev().min_by_key(|&place| hashes[place]).unwrap_or(start);
        } else if hashes[newest] <= hashes[best] {
            best = newest;
        }
        kept.push(hashes[best]);
    }
}

/// A hash for each word of a run of bases: of the word and its reverse complement the smaller one.
fn hashes(run: &[u8], k: usize) -> Vec<u64> {
    let mask = (1_u64 << (2 * k)) - 1;
    let (mut forward, mut reverse) = (0_u64, 0_u64);
    let mut hashes = Vec::with_capacity(run.len());
    for (place, letter) in run.iter().enumerate() {
        let code = u64::from(CODES[usize::from(*letter)]);
        forward = ((forward << 2) | code) & mask;
        reverse = (reverse >> 2) | ((3 - code) << (2 * (k - 1)));
        if place + 1 >= k {
            hashes.push(mixed(forward.min(reverse)));
        }
    }
    hashes
}

/// A one-to-one mixing of the bits, so that minimisers are no particular words (splitmix64; Steele, Lea and Flood 2014,
/// OOPSLA, figure 17, with Stafford's constants).
fn mixed(word: u64) -> u64 {
    // Without the constant, the word of A alone would be the smallest of all.
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
