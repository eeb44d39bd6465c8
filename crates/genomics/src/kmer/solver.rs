//! Linear models with a penalty on the squares of the weights, by a truncated Newton method.
//!
//! Each step solves the Newton equations by conjugate gradients, more exactly the nearer the optimum is (Nocedal and
//! Wright 2006, Numerical Optimization, algorithm 7.1), and shortens the step until the objective has fallen enough.
//! The objective is convex, so that this finds its minimum. Features are standardised without writing the standardised
//! table, which would have no zeros left: shift and scale go into the weights.

use rayon::prelude::*;

use super::{Counts, Loss};

/// Newton steps at most; ten are usual.
const STEPS: usize = 100;
/// Conjugate gradients of one step at most.
const INNER: usize = 500;
/// The fit ends when the gradient has fallen to this share of the first one.
const TOLERANCE: f64 = 1e-7;
/// Share of the fall promised by the slope that a step must reach (Nocedal and Wright 2006, section 3.1).
const ARMIJO: f64 = 1e-4;
/// Relative rounding error of the objective.
const ROUNDING: f64 = 1e-12;
/// Rows that one thread takes at a time, at least, and blocks of rows at most: their number does not depend on the
/// number of threads, and so the order of the sums does not either.
const BLOCK: usize = 512;
const BLOCKS: usize = 64;

/// Weights `[columns, outputs]` of the features as they are, and intercepts `[outputs]`.
pub(super) fn fit(counts: &Counts, targets: &[f64], loss: Loss, penalty: f64) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(counts.rows(), targets.len(), "one target for each row");
    assert!(penalty > 0.0, "penalty {penalty} is not positive");
    if let Loss::Softmax { classes } = loss {
        assert!(targets.iter().all(|class| *class >= 0.0 && *class < classes as f64), "a class is not below {classes}");
    }
    let problem = Problem::new(counts, targets, loss, penalty);
    problem.raw(&problem.minimise())
}

/// `counts · weights + intercepts`: `[rows, outputs]`.
pub(super) fn scores(counts: &Counts, weights: &[f64], intercepts: &[f64]) -> Vec<f64> {
    let outputs = intercepts.len();
    let mut scores = vec![0.0; counts.rows() * outputs];
    let block = block(counts.rows());
    scores.par_chunks_mut((block * outputs).max(1)).enumerate().for_each(|(place, chunk)| {
        for (row, scores) in chunk.chunks_exact_mut(outputs).enumerate() {
            scores.copy_from_slice(intercepts);
            for &(column, value) in counts.row(place * block + row) {
                let weights = &weights[column as usize * outputs..][..outputs];
                scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
            }
        }
    });
    scores
}

fn block(rows: usize) -> usize {
    BLOCK.max(rows.div_ceil(BLOCKS))
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// `target += factor · source`.
fn add(target: &mut [f64], factor: f64, source: &[f64]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target += factor * source);
}

struct Problem<'a> {
    counts: &'a Counts,
    targets: &'a [f64],
    loss: Loss,
    penalty: f64,
    outputs: usize,
    /// Mean of each column.
    mean: Vec<f64>,
    /// One over the standard deviation of each column; 0 for a constant one, whose weight then has no effect and stays
    /// 0.
    inverse: Vec<f64>,
}

/// Parameters are one vector: weights `[columns, outputs]` of the standardised features, then intercepts `[outputs]`.
impl<'a> Problem<'a> {
    fn new(counts: &'a Counts, targets: &'a [f64], loss: Loss, penalty: f64) -> Self {
        let n = counts.rows().max(1) as f64;
        let (mut mean, mut square) = (vec![0.0; counts.columns()], vec![0.0; counts.columns()]);
        for row in 0..counts.rows() {
            for &(column, value) in counts.row(row) {
                mean[column as usize] += value / n;
            }
        }
        // The zeros of a column lie at minus its mean.
        let mut entries = vec![0_usize; counts.columns()];
        for row in 0..counts.rows() {
            for &(column, value) in counts.row(row) {
                square[column as usize] += (value - mean[column as usize]).powi(2) / n;
                entries[column as usize] += 1;
            }
        }
        let deviation = |column: usize| {
            let zeros = (counts.rows() - entries[column]) as f64 / n;
            (square[column] + zeros * mean[column].powi(2)).sqrt()
        };
        let constant = |column: usize| 1e-12 * (1.0 + mean[column].abs());
        let inverse = (0..counts.columns())
            .map(|column| if deviation(column) > constant(column) { 1.0 / deviation(column) } else { 0.0 })
            .collect();
        Self { counts, targets, loss, penalty, outputs: loss.outputs(), mean, inverse }
    }

    fn weights(&self) -> usize {
        self.counts.columns() * self.outputs
    }

    /// Weights and intercepts for features as they are.
    fn raw(&self, parameters: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (weights, intercepts) = parameters.split_at(self.weights());
        let (mut weights, mut intercepts) = (weights.to_vec(), intercepts.to_vec());
        for ((weights, inverse), mean) in weights.chunks_exact_mut(self.outputs).zip(&self.inverse).zip(&self.mean) {
            for (weight, intercept) in weights.iter_mut().zip(&mut intercepts) {
                *weight *= inverse;
                *intercept -= *weight * mean;
            }
        }
        (weights, intercepts)
    }

    /// Scores of all rows, which are linear in the parameters: `[rows, outputs]`.
    fn scores(&self, parameters: &[f64]) -> Vec<f64> {
        let (weights, intercepts) = self.raw(parameters);
        scores(self.counts, &weights, &intercepts)
    }

    /// The transpose of [`Problem::scores`]: what the parameters get of numbers `[rows, outputs]`.
    fn transposed(&self, rows: &[f64]) -> Vec<f64> {
        let outputs = self.outputs;
        let block = block(self.counts.rows());
        let parts: Vec<Vec<f64>> = rows
            .par_chunks((block * outputs).max(1))
            .enumerate()
            .map(|(place, chunk)| {
                let mut part = vec![0.0; self.weights() + outputs];
                for (row, values) in chunk.chunks_exact(outputs).enumerate() {
                    for &(column, count) in self.counts.row(place * block + row) {
                        add(&mut part[column as usize * outputs..][..outputs], count, values);
                    }
                    add(&mut part[self.counts.columns() * outputs..], 1.0, values);
                }
                part
            })
            .collect();
        let mut sum = vec![0.0; self.weights() + outputs];
        for part in parts {
            add(&mut sum, 1.0, &part);
        }
        let (weights, totals) = sum.split_at_mut(self.weights());
        for ((weights, inverse), mean) in weights.chunks_exact_mut(outputs).zip(&self.inverse).zip(&self.mean) {
            for (weight, total) in weights.iter_mut().zip(totals.iter()) {
                *weight = (*weight - mean * total) * inverse;
            }
        }
        sum
    }

    /// Adds the gradient of the penalty to `gradient`.
    fn penalise(&self, gradient: &mut [f64], parameters: &[f64]) {
        let weights = self.weights();
        add(&mut gradient[..weights], self.penalty, &parameters[..weights]);
    }

    fn objective(&self, parameters: &[f64], scores: &[f64]) -> f64 {
        let losses = scores.chunks_exact(self.outputs).zip(self.targets).map(|(scores, target)| match self.loss {
            Loss::Squared => 0.5 * (scores[0] - target).powi(2),
            // ln(1 + e^s) − y s without overflow
            Loss::Logistic => scores[0].max(0.0) + (-scores[0].abs()).exp().ln_1p() - target * scores[0],
            Loss::Softmax { .. } => {
                let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
                total.ln() + highest - scores[*target as usize]
            }
        });
        let weights = &parameters[..self.weights()];
        losses.sum::<f64>() + 0.5 * self.penalty * dot(weights, weights)
    }

    /// What the model expects of each row: probabilities, or values. `[rows, outputs]`.
    fn expected(&self, scores: &[f64]) -> Vec<f64> {
        let mut expected = scores.to_vec();
        for row in expected.chunks_exact_mut(self.outputs) {
            match self.loss {
                Loss::Squared => {}
                Loss::Logistic => row[0] = 1.0 / (1.0 + (-row[0]).exp()),
                Loss::Softmax { .. } => {
                    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    row.iter_mut().for_each(|score| *score = (*score - highest).exp());
                    let total: f64 = row.iter().sum();
                    row.iter_mut().for_each(|power| *power /= total);
                }
            }
        }
        expected
    }

    fn gradient(&self, parameters: &[f64], expected: &[f64]) -> Vec<f64> {
        let mut residual = expected.to_vec();
        for (row, target) in residual.chunks_exact_mut(self.outputs).zip(self.targets) {
            match self.loss {
                Loss::Squared | Loss::Logistic => row[0] -= target,
                Loss::Softmax { .. } => row[*target as usize] -= 1.0,
            }
        }
        let mut gradient = self.transposed(&residual);
        self.penalise(&mut gradient, parameters);
        gradient
    }

    /// The matrix of second derivatives times `direction`.
    fn curved(&self, expected: &[f64], direction: &[f64]) -> Vec<f64> {
        let mut scores = self.scores(direction);
        for (row, p) in scores.chunks_exact_mut(self.outputs).zip(expected.chunks_exact(self.outputs)) {
            match self.loss {
                Loss::Squared => {}
                Loss::Logistic => row[0] *= p[0] * (1.0 - p[0]),
                Loss::Softmax { .. } => {
                    let mean = dot(row, p);
                    row.iter_mut().zip(p).for_each(|(score, p)| *score = p * (*score - mean));
                }
            }
        }
        let mut product = self.transposed(&scores);
        self.penalise(&mut product, direction);
        product
    }

    /// The Newton step, to a residual of `share` of the gradient.
    fn direction(&self, expected: &[f64], gradient: &[f64], share: f64) -> Vec<f64> {
        let mut direction = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut along = residual.clone();
        let first = dot(&residual, &residual);
        let mut square = first;
        for _ in 0..INNER {
            let curved = self.curved(expected, &along);
            let curvature = dot(&along, &curved);
            // No curvature: all probabilities are 0 or 1 in floating point.
            if curvature <= f64::MIN_POSITIVE {
                break;
            }
            let length = square / curvature;
            add(&mut direction, length, &along);
            add(&mut residual, -length, &curved);
            let next = dot(&residual, &residual);
            if next <= share * share * first {
                break;
            }
            along.iter_mut().zip(&residual).for_each(|(along, r)| *along = r + next / square * *along);
            square = next;
        }
        direction
    }

    fn minimise(&self) -> Vec<f64> {
        let mut parameters = vec![0.0; self.weights() + self.outputs];
        let mut scores = self.scores(&parameters);
        let mut value = self.objective(&parameters, &scores);
        let mut first = 0.0_f64;
        for _ in 0..STEPS {
            let expected = self.expected(&scores);
            let gradient = self.gradient(&parameters, &expected);
            let norm = dot(&gradient, &gradient).sqrt();
            first = first.max(norm);
            if norm <= TOLERANCE * first {
                break;
            }
            let direction = self.direction(&expected, &gradient, (norm / first).min(0.25));
            let (slope, ahead) = (dot(&gradient, &direction), self.scores(&direction));
            let mut length = 1.0;
            let taken = loop {
                let (mut next, mut next_scores) = (parameters.clone(), scores.clone());
                add(&mut next, length, &direction);
                add(&mut next_scores, length, &ahead);
                let found = self.objective(&next, &next_scores);
                if found <= value + ARMIJO * length * slope + ROUNDING * value.abs() {
                    break Some((next, next_scores, found));
                }
                length *= 0.5;
                if length < 1e-9 {
                    break None;
                }
            };
            // Rounding leaves nothing to gain.
            let Some(taken) = taken else { break };
            (parameters, scores, value) = taken;
        }
        parameters
    }
}
