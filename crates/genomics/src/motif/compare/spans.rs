//! Scores of the columns of a query in whole steps, and the distribution of their sum over each stretch of the query.

use super::{Overhang, Place};

/// A query against a database.
pub(super) struct Spans {
    positions: usize,
    /// Steps that a position counts which meets nothing.
    missing: usize,
    /// Steps of each position against each column of the database.
    steps: Vec<Vec<u32>>,
    /// Probability that positions `first..=last` sum to at least each number of steps, at `first * positions + last`.
    tails: Vec<Vec<f64>>,
}

impl Spans {
    /// `scores` are those of each position against each column of the database.
    pub(super) fn new(scores: &[Vec<f64>], overhang: Overhang, bins: usize) -> Self {
        // with medians subtracted 0 is what a position counts that meets nothing, and lies among the steps
        let (mut low, mut high) = match overhang {
            Overhang::Median => (0.0, 0.0),
            Overhang::Ignored => (f64::INFINITY, f64::NEG_INFINITY),
        };
        for &score in scores.iter().flatten() {
            (low, high) = (f64::min(low, score), f64::max(high, score));
        }
        let scale = if high > low { bins as f64 / (high - low) } else { 0.0 };
        let step = |score: f64| ((score - low) * scale).round();
        let missing = if overhang == Overhang::Median { step(0.0) as usize } else { 0 };
        let steps: Vec<Vec<u32>> =
            scores.iter().map(|scores| scores.iter().map(|&score| step(score) as u32).collect()).collect();
        let histograms: Vec<Vec<f64>> = steps.iter().map(|steps| histogram(steps, bins)).collect();
        let positions = scores.len();
        let mut tails = vec![Vec::new(); positions * positions];
        for first in 0..positions {
            let mut density = vec![1.0];
            for (last, histogram) in histograms.iter().enumerate().skip(first) {
                density = convolved(&density, histogram);
                tails[first * positions + last] = tail(&density);
            }
        }
        Self { positions, missing, steps, tails }
    }

    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    /// Steps of a place beside the motif whose columns begin at `begin`.
    pub(super) fn sum(&self, place: &Place, begin: usize) -> usize {
        let met: usize = (place.first..place.end)
            .map(|at| self.steps[at][begin.wrapping_add_signed(at as isize + place.offset)] as usize)
            .sum();
        met + self.beyond(place)
    }

    /// Probability that random columns at a place sum to at least `steps`.
    pub(super) fn chance(&self, place: &Place, steps: usize) -> f64 {
        match steps.checked_sub(self.beyond(place)) {
            None | Some(0) => 1.0,
            Some(steps) => self.tails[place.first * self.positions + place.end - 1].get(steps).copied().unwrap_or(0.0),
        }
    }

    /// Steps of the positions that meet nothing.
    fn beyond(&self, place: &Place) -> usize {
        (self.positions - (place.end - place.first)) * self.missing
    }
}

/// Share of the columns that have each number of steps.
fn histogram(steps: &[u32], bins: usize) -> Vec<f64> {
    let mut counts = vec![0_u32; bins + 1];
    steps.iter().for_each(|&step| counts[step as usize] += 1);
    counts.into_iter().map(|count| f64::from(count) / steps.len() as f64).collect()
}

/// Density of the sum of two numbers.
fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.len() + b.len() - 1];
    for (shift, &weight) in b.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        sum[shift..].iter_mut().zip(a).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

/// Probability of at least each number, summed from the smallest term on.
fn tail(density: &[f64]) -> Vec<f64> {
    let mut tail = density.to_vec();
    for place in (0..tail.len() - 1).rev() {
        tail[place] += tail[place + 1];
    }
    tail.into_iter().map(|chance| chance.min(1.0)).collect()
}
