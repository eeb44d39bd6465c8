//! Logistic regression on a dense table: standardised columns, gaps at the mean, a penalty on the squares of the
//! weights.
//!
//! The minimum is found by a truncated Newton method: the equations of each step are solved by conjugate gradients, the
//! more exactly the nearer the minimum is (Nocedal and Wright 2006, Numerical Optimization, algorithm 7.1).

use nn_core::config::in_range;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BaselineError, check_table};

/// Newton steps at most; ten are usual.
const STEPS: usize = 100;
/// Conjugate gradients of a step at most.
const INNER: usize = 500;
/// The fit ends when the gradient has fallen to this share of the first one.
const TOLERANCE: f64 = 1e-9;
/// Rows of a partial sum; a number that does not depend on the threads, and so the order of the sums does not either.
const BLOCK: usize = 1024;

/// A linear model of the log odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    means: Vec<f64>,
    /// One over each column's standard deviation; 0 for a constant column.
    scales: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
}

impl Logistic {
    /// Learns from a table `[rows, columns]`, where NaN is missing, minimising `Σ loss + penalty / 2 · Σ weight²` of
    /// the standardised columns; scikit-learn's C is 1 / penalty. The intercept is not penalised.
    ///
    /// # Errors
    /// [`BaselineError`] for a penalty that is not above 0, no rows, or a table that does not fit the labels.
    pub fn fit(values: &[f32], columns: usize, labels: &[bool], penalty: f64) -> Result<Self, BaselineError> {
        in_range("penalty", penalty, 1e-12..=1e12)?;
        check_table(values, columns, labels)?;
        let (means, scales) = moments(values, columns);
        let table = standardised(values, &means, &scales);
        let problem = Problem { table: &table, columns, labels, penalty };
        let mut parameters = problem.minimise();
        let intercept = parameters.pop().unwrap_or(0.0);
        Ok(Self { means, scales, weights: parameters, intercept })
    }

    /// Columns of the tables that it reads.
    pub fn columns(&self) -> usize {
        self.weights.len()
    }

    /// Weights of the standardised columns: the change of the logit in a standard deviation.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Logit of a row whose columns are all at their means.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Logits of a table's rows.
    pub fn logits(&self, values: &[f32]) -> Vec<f64> {
        let table = standardised(values, &self.means, &self.scales);
        let rows = table.par_chunks_exact(self.weights.len().max(1));
        rows.map(|row| self.intercept + dot(row, &self.weights)).collect()
    }
}

/// Mean of each column's values, and one over their deviation, gaps counting as the mean.
fn moments(values: &[f32], columns: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (values.len() / columns) as f64;
    let found: Vec<(f64, f64)> = (0..columns)
        .into_par_iter()
        .map(|column| {
            let known = || values.iter().skip(column).step_by(columns).filter(|v| !v.is_nan()).copied().map(f64::from);
            let count = known().count().max(1) as f64;
            let mean = known().sum::<f64>() / count;
            let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
            (mean, if deviation > 1e-12 * (1.0 + mean.abs()) { 1.0 / deviation } else { 0.0 })
        })
        .collect();
    found.into_iter().unzip()
}

fn standardised(values: &[f32], means: &[f64], scales: &[f64]) -> Vec<f64> {
    let columns = means.len().max(1);
    let mut table = vec![0.0; values.len()];
    table.par_chunks_mut(columns).zip(values.par_chunks(columns)).for_each(|(table, row)| {
        for (((slot, value), mean), scale) in table.iter_mut().zip(row).zip(means).zip(scales) {
            *slot = if value.is_nan() { 0.0 } else { (f64::from(*value) - mean) * scale };
        }
    });
    table
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// `target += factor · source`.
fn add(target: &mut [f64], factor: f64, source: &[f64]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target += factor * source);
}

/// Parameters are the weights and, behind them, the intercept.
struct Problem<'a> {
    table: &'a [f64],
    columns: usize,
    labels: &'a [bool],
    penalty: f64,
}

impl Problem<'_> {
    fn scores(&self, parameters: &[f64]) -> Vec<f64> {
        let (weights, intercept) = parameters.split_at(self.columns);
        self.table.par_chunks_exact(self.columns).map(|row| intercept[0] + dot(row, weights)).collect()
    }

    /// What the parameters get of a number for each row.
    fn transposed(&self, rows: &[f64]) -> Vec<f64> {
        let blocks = self.table.par_chunks(BLOCK * self.columns).zip(rows.par_chunks(BLOCK));
        let parts: Vec<Vec<f64>> = blocks
            .map(|(table, rows)| {
                let mut part = vec![0.0; self.columns + 1];
                for (row, value) in table.chunks_exact(self.columns).zip(rows) {
                    add(&mut part[..self.columns], *value, row);
                    part[self.columns] += value;
                }
                part
            })
            .collect();
        let mut sum = vec![0.0; self.columns + 1];
        parts.iter().for_each(|part| add(&mut sum, 1.0, part));
        sum
    }

    fn objective(&self, parameters: &[f64], scores: &[f64]) -> f64 {
        let loss = |(score, label): (&f64, &bool)| {
            score.max(0.0) + (-score.abs()).exp().ln_1p() - if *label { *score } else { 0.0 }
        };
        let weights = &parameters[..self.columns];
        scores.iter().zip(self.labels).map(loss).sum::<f64>() + 0.5 * self.penalty * dot(weights, weights)
    }

    fn minimise(&self) -> Vec<f64> {
        let mut parameters = vec![0.0; self.columns + 1];
        let mut scores = self.scores(&parameters);
        let mut value = self.objective(&parameters, &scores);
        let mut first = 0.0_f64;
        for _ in 0..STEPS {
            let expected: Vec<f64> = scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
            let residual: Vec<f64> =
                expected.iter().zip(self.labels).map(|(p, label)| p - f64::from(u8::from(*label))).collect();
            let mut gradient = self.transposed(&residual);
            add(&mut gradient[..self.columns], self.penalty, &parameters[..self.columns]);
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
                // a share of the promised fall (Nocedal and Wright, section 3.1), up to rounding
                if found <= value + 1e-4 * length * slope + 1e-12 * value.abs() {
                    break Some((next, next_scores, found));
                }
                length *= 0.5;
                if length < 1e-9 {
                    break None;
                }
            };
            let Some(taken) = taken else { break };
            (parameters, scores, value) = taken;
        }
        parameters
    }

    /// The Newton step, to a residual of `share` of the gradient.
    fn direction(&self, expected: &[f64], gradient: &[f64], share: f64) -> Vec<f64> {
        let mut direction = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut along = residual.clone();
        let first = dot(&residual, &residual);
        let mut square = first;
        for _ in 0..INNER {
            let mut scores = self.scores(&along);
            scores.iter_mut().zip(expected).for_each(|(score, p)| *score *= p * (1.0 - p));
            let mut curved = self.transposed(&scores);
            add(&mut curved[..self.columns], self.penalty, &along[..self.columns]);
            let curvature = dot(&along, &curved);
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
}
