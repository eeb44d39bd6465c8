//! Seqlets: short stretches of sequence that carry more of the attribution than chance.

use std::ops::Range;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{MotifError, benjamini_hochberg};

/// How seqlets are found: sums of the attribution over windows are compared with those of the same numbers in random
/// order, and what is left after correction for the number of windows is taken from the largest on, without overlap.
///
/// The idea is that of TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416, section 2.1); the null distribution is
/// counted here instead of fitted.
///
/// ```
/// use genomics::motif::SeqletConfig;
/// let mut scores = vec![[0.01, 0.0, 0.03, 0.02, 0.0].repeat(10); 40];
/// for row in &mut scores {
///     row[20..28].fill(1.0);
/// }
/// let found = SeqletConfig::default().find(&scores)?;
/// assert_eq!(found.len(), 40);
/// assert!(found.iter().all(|seqlet| seqlet.core == (20..28) && seqlet.q_value < 0.01));
/// # Ok::<(), genomics::motif::MotifError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeqletConfig {
    /// Bases over which the attribution is summed.
    pub core: usize,
    /// Bases on either side that a seqlet has beyond its core.
    pub flank: usize,
    /// Largest false discovery rate of a seqlet.
    pub false_discovery_rate: f64,
    /// Random orders of each sequence's numbers.
    pub shuffles: usize,
    /// Seed of the orders.
    pub seed: u64,
}

impl Default for SeqletConfig {
    /// Cores of 8 bases, the width of a typical binding site, with 4 on either side, at a false discovery rate of 5 %.
    fn default() -> Self {
        Self { core: 8, flank: 4, false_discovery_rate: 0.05, shuffles: 10, seed: 1 }
    }
}

/// A stretch of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Seqlet {
    /// Which sequence.
    pub sequence: usize,
    /// The bases that were summed, from 0.
    pub core: Range<usize>,
    /// The core with its flanks, as far as the sequence has them.
    pub span: Range<usize>,
    /// Sum of the attribution over the core; positive speaks for the output, negative against it.
    pub score: f64,
    /// Probability of a sum as extreme among randomly ordered numbers.
    pub p_value: f64,
    /// False discovery rate among all windows of all sequences.
    pub q_value: f64,
}

impl SeqletConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("core", self.core, 1..=1000)?;
        in_range("flank", self.flank, 0..=1000)?;
        in_range("false_discovery_rate", self.false_discovery_rate, 0.0..=1.0)?;
        in_range("shuffles", self.shuffles, 1..=1000)
    }

    /// The seqlets of sequences, of which `scores` has one number for each base: by sequence, and in each from the
    /// largest on. Sequences shorter than a core have none.
    ///
    /// # Errors
    /// [`MotifError::Config`]; [`MotifError::Scores`] for a number that is not finite.
    pub fn find(&self, scores: &[Vec<f64>]) -> Result<Vec<Seqlet>, MotifError> {
        self.validate()?;
        for (row, scores) in scores.iter().enumerate() {
            if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
                let problem = format!("the score of base {} is {}, not a finite number", place + 1, scores[place]);
                return Err(MotifError::Scores { row, problem });
            }
        }
        let mut null: Vec<f64> =
            scores.par_iter().enumerate().flat_map_iter(|(row, scores)| self.shuffled(row, scores)).collect();
        null.par_sort_unstable_by(f64::total_cmp);
        let sums: Vec<Vec<f64>> = scores.iter().map(|scores| sums(scores, self.core)).collect();
        let null = null.as_slice();
        let p_values: Vec<f64> =
            sums.par_iter().flat_map_iter(|sums| sums.iter().map(move |&sum| chance(null, sum))).collect();
        let q_values = benjamini_hochberg(&p_values, p_values.len());
        let (mut seqlets, mut first) = (Vec::new(), 0);
        for (sequence, sums) in sums.iter().enumerate() {
            let windows = first..first + sums.len();
            first = windows.end;
            let (p_values, q_values) = (&p_values[windows.clone()], &q_values[windows]);
            self.chosen(sequence, scores[sequence].len(), sums, (p_values, q_values), &mut seqlets);
        }
        Ok(seqlets)
    }

    /// Sums over the windows of randomly ordered numbers.
    fn shuffled(&self, row: usize, scores: &[f64]) -> Vec<f64> {
        let (mut order, mut rng) = (scores.to_vec(), rng(self.seed, &[row as u64]));
        let mut found = Vec::new();
        for _ in 0..self.shuffles {
            order.shuffle(&mut rng);
            found.extend(sums(&order, self.core));
        }
        found
    }

    /// Takes the windows of a sequence that are significant, from the largest on, as long as they do not overlap.
    fn chosen(
        &self,
        sequence: usize,
        length: usize,
        sums: &[f64],
        (p_values, q_values): (&[f64], &[f64]),
        seqlets: &mut Vec<Seqlet>,
    ) {
        let significant = |start: &usize| q_values[*start] <= self.false_discovery_rate && sums[*start] != 0.0;
        let mut starts: Vec<usize> = (0..sums.len()).filter(significant).collect();
        starts.sort_by(|&a, &b| sums[b].abs().total_cmp(&sums[a].abs()).then(a.cmp(&b)));
        let mut taken = vec![false; length];
        for start in starts {
            let core = start..start + self.core;
            if taken[core.clone()].contains(&true) {
                continue;
            }
            taken[core.clone()].fill(true);
            let span = core.start.saturating_sub(self.flank)..(core.end + self.flank).min(length);
            let (score, p_value, q_value) = (sums[start], p_values[start], q_values[start]);
            seqlets.push(Seqlet { sequence, core, span, score, p_value, q_value });
        }
    }
}

/// Sums over all windows.
fn sums(scores: &[f64], width: usize) -> Vec<f64> {
    scores.windows(width).map(|window| window.iter().sum()).collect()
}

/// Twice the share of the sorted null distribution that is as extreme as `sum` on its side, the sum itself included.
fn chance(null: &[f64], sum: f64) -> f64 {
    let (below, upto) = (null.partition_point(|other| *other < sum), null.partition_point(|other| *other <= sum));
    let extreme = (null.len() - below).min(upto);
    (2.0 * (1 + extreme) as f64 / (1 + null.len()) as f64).min(1.0)
}
