//! Logistic regression on dense features, with a penalty on the squares of the weights.
//!
//! Features are standardised by the mean and the standard deviation of the rows that are learnt from; intercepts are free.
//! With two classes and a penalty of 1 it is scikit-learn's `make_pipeline(StandardScaler(), LogisticRegression())`, with
//! more its multinomial form. The objective is convex; its minimum is found by L-BFGS (Nocedal and Wright 2006, Numerical
//! Optimization, algorithms 7.4 and 7.5).
//!
//! ```
//! use imaging::baselines::logistic::{Logistic, Rows};
//! let rows = Rows::new(&[vec![0.0], vec![1.0], vec![2.0], vec![3.0]]);
//! let model = Logistic::fit(&rows, &[0, 0, 1, 1], 2, 1.0);
//! let p = model.probabilities(&rows);
//! assert!(p[1] < 0.3 && p[7] > 0.7 && (p[0] + p[1] - 1.0).abs() < 1e-12);
//! ```

use std::collections::VecDeque;

use rayon::prelude::*;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;
/// Steps at most.
const STEPS: usize = 500;
/// The fit ends when the gradient has fallen to this share of the first one.
const TOLERANCE: f64 = 1e-6;
/// Share of the fall promised by the slope that a step must reach (Nocedal and Wright 2006, section 3.1).
const ARMIJO: f64 = 1e-4;
/// Rows that one thread takes at a time, at least, and blocks of rows at most: their number does not depend on the number of
/// threads, and so the order of the sums does not either.
const BLOCK: usize = 256;
const BLOCKS: usize = 64;

/// A table of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    columns: usize,
    count: usize,
}

impl Rows {
    /// Of rows of one length.
    ///
    /// # Panics
    /// If the rows differ in length.
    pub fn new(rows: &[Vec<f32>]) -> Self {
        let columns = rows.first().map_or(0, Vec::len);
        assert!(rows.iter().all(|row| row.len() == columns), "rows of one length");
        Self { values: rows.concat(), columns, count: rows.len() }
    }

    /// Of values `[rows, columns]`.
    ///
    /// # Panics
    /// If the values are not whole rows.
    pub fn of(values: Vec<f32>, columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "whole rows");
        let count = values.len() / columns;
        Self { values, columns, count }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// `[columns, outputs]`, of the features as they are.
    weights: Vec<f64>,
    /// `[outputs]`.
    intercepts: Vec<f64>,
    classes: usize,
}

impl Logistic {
    /// Fits `targets`, classes from 0. Half of `penalty` times the sum of the squared weights, of standardised features, is
    /// added to the sum of the losses.
    ///
    /// # Panics
    /// If there is not one target below `classes` for each row, or the penalty is not positive.
    pub fn fit(rows: &Rows, targets: &[usize], classes: usize, penalty: f64) -> Self {
        assert_eq!(rows.len(), targets.len(), "one target for each row");
        assert!(targets.iter().all(|class| *class < classes), "a class is not below {classes}");
        assert!(penalty > 0.0, "penalty {penalty} is not positive");
        let (mean, scale) = standard(rows);
        // With two classes, one weight for each column says all.
        let outputs = if classes == 2 { 1 } else { classes };
        let problem = Problem { rows, targets, outputs, penalty, mean: &mean, scale: &scale };
        let parameters = problem.minimise();
        let (mut weights, mut intercepts) = (parameters, vec![0.0; outputs]);
        intercepts.copy_from_slice(&weights[rows.columns * outputs..]);
        weights.truncate(rows.columns * outputs);
        for (column, weights) in weights.chunks_exact_mut(outputs.max(1)).enumerate() {
            for (weight, intercept) in weights.iter_mut().zip(&mut intercepts) {
                *weight *= scale[column];
                *intercept -= *weight * mean[column];
            }
        }
        Self { weights, intercepts, classes }
    }

    /// Weights of the features as they are, `[columns, outputs]`: one output for two classes, else one for each.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Intercepts, `[outputs]`.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Probabilities `[rows, classes]`.
    ///
    /// # Panics
    /// If the rows have another number of columns than those that were learnt from.
    pub fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        assert_eq!(rows.columns * self.intercepts.len(), self.weights.len(), "the columns that were learnt from");
        let found: Vec<Vec<f64>> = (0..rows.len())
            .into_par_iter()
            .map(|row| {
                let mut scores = self.intercepts.clone();
                add_scores(rows.row(row), &self.weights, &mut scores);
                if scores.len() == 1 {
                    let p = 1.0 / (1.0 + (-scores[0]).exp());
                    return vec![1.0 - p, p];
                }
                softmax(&mut scores);
                scores
            })
            .collect();
        found.concat()
    }

    /// The most probable class of each row.
    ///
    /// # Panics
    /// As [`Logistic::probabilities`].
    pub fn classes(&self, rows: &Rows) -> Vec<usize> {
        let probabilities = self.probabilities(rows);
        probabilities.chunks_exact(self.classes.max(1)).map(crate::evaluate::classes::highest).collect()
    }
}

/// Mean of each column, and one over its standard deviation; 0 for a constant one, whose weight then stays 0.
fn standard(rows: &Rows) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len().max(1) as f64;
    let mut mean = vec![0.0; rows.columns];
    for row in 0..rows.len() {
        mean.iter_mut().zip(rows.row(row)).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    let mut variance = vec![0.0; rows.columns];
    for row in 0..rows.len() {
        let columns = variance.iter_mut().zip(&mean).zip(rows.row(row));
        columns.for_each(|((variance, mean), value)| *variance += (f64::from(*value) - mean).powi(2) / n);
    }
    let scale = variance.iter().zip(&mean).map(|(variance, mean)| {
        let deviation: f64 = variance.sqrt();
        if deviation > 1e-9 * (1.0 + mean.abs()) { 1.0 / deviation } else { 0.0 }
    });
    let scale = scale.collect();
    (mean, scale)
}

/// Adds `row · weights` to the scores.
fn add_scores(row: &[f32], weights: &[f64], scores: &mut [f64]) {
    for (value, weights) in row.iter().zip(weights.chunks_exact(scores.len())) {
        scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += f64::from(*value) * weight);
    }
}

fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let total: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|power| *power /= total);
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// `target += factor · source`.
fn add(target: &mut [f64], factor: f64, source: &[f64]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target += factor * source);
}

/// Parameters are one vector: weights `[columns, outputs]` of the standardised features, then intercepts `[outputs]`.
struct Problem<'a> {
    rows: &'a Rows,
    targets: &'a [usize],
    outputs: usize,
    penalty: f64,
    mean: &'a [f64],
    scale: &'a [f64],
}

impl Problem<'_> {
    /// The objective and its gradient.
    fn value(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let outputs = self.outputs;
        let weights = self.rows.columns * outputs;
        let block = BLOCK.max(self.rows.len().div_ceil(BLOCKS));
        let starts: Vec<usize> = (0..self.rows.len()).step_by(block).collect();
        let parts: Vec<(f64, Vec<f64>)> = starts
            .into_par_iter()
            .map(|start| {
                let (mut loss, mut gradient) = (0.0, vec![0.0; parameters.len()]);
                let mut features = vec![0.0_f64; self.rows.columns];
                for row in start..(start + block).min(self.rows.len()) {
                    for (place, feature) in features.iter_mut().enumerate() {
                        *feature = (f64::from(self.rows.row(row)[place]) - self.mean[place]) * self.scale[place];
                    }
                    let mut scores = parameters[weights..].to_vec();
                    if outputs == 1 {
                        scores[0] += dot(&features, &parameters[..weights]);
                    } else {
                        for (feature, weights) in features.iter().zip(parameters.chunks_exact(outputs)) {
                            add(&mut scores, *feature, weights);
                        }
                    }
                    let target = self.targets[row];
                    if outputs == 1 {
                        let (score, yes) = (scores[0], target as f64);
                        // ln(1 + e^s) − y s without overflow
                        loss += score.max(0.0) + (-score.abs()).exp().ln_1p() - yes * score;
                        scores[0] = 1.0 / (1.0 + (-score).exp()) - yes;
                    } else {
                        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let total: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
                        loss += total.ln() + highest - scores[target];
                        softmax(&mut scores);
                        scores[target] -= 1.0;
                    }
                    if outputs == 1 {
                        add(&mut gradient[..weights], scores[0], &features);
                    } else {
                        for (feature, gradient) in features.iter().zip(gradient.chunks_exact_mut(outputs)) {
                            add(gradient, *feature, &scores);
                        }
                    }
                    add(&mut gradient[weights..], 1.0, &scores);
                }
                (loss, gradient)
            })
            .collect();
        let mut loss = 0.5 * self.penalty * dot(&parameters[..weights], &parameters[..weights]);
        let mut gradient = vec![0.0; parameters.len()];
        add(&mut gradient[..weights], self.penalty, &parameters[..weights]);
        for (part, slope) in &parts {
            loss += part;
            add(&mut gradient, 1.0, slope);
        }
        (loss, gradient)
    }

    fn minimise(&self) -> Vec<f64> {
        let mut parameters = vec![0.0; (self.rows.columns + 1) * self.outputs];
        let (mut value, mut gradient) = self.value(&parameters);
        let first = dot(&gradient, &gradient).sqrt();
        let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
        for _ in 0..STEPS {
            if dot(&gradient, &gradient).sqrt() <= TOLERANCE * first {
                break;
            }
            let direction = downhill(&gradient, &memory);
            let slope = dot(&gradient, &direction);
            // Without memory the length of the step is unknown: one that changes no weight by much.
            let mut length = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
            let taken = loop {
                let mut next = parameters.clone();
                add(&mut next, length, &direction);
                let (found, next_gradient) = self.value(&next);
                if found <= value + ARMIJO * length * slope {
                    break Some((next, found, next_gradient));
                }
                length *= 0.5;
                if length < 1e-12 {
                    break None;
                }
            };
            // Rounding leaves nothing to gain.
            let Some((next, found, next_gradient)) = taken else { break };
            let (mut step, mut change) = (next.clone(), next_gradient.clone());
            add(&mut step, -1.0, &parameters);
            add(&mut change, -1.0, &gradient);
            // The objective is convex: only rounding can make this fail.
            if dot(&step, &change) > 1e-12 * dot(&change, &change) {
                memory.push_back((step, change));
                if memory.len() > MEMORY {
                    memory.pop_front();
                }
            }
            (parameters, value, gradient) = (next, found, next_gradient);
        }
        parameters
    }
}

/// The two-loop recursion: minus the gradient times what is remembered of the inverse of the second derivatives.
fn downhill(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let share = dot(step, &direction) / dot(step, change);
        add(&mut direction, -share, change);
        shares.push(share);
    }
    if let Some((step, change)) = memory.back() {
        let scale = dot(step, change) / dot(change, change);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for ((step, change), share) in memory.iter().zip(shares.into_iter().rev()) {
        let correction = share - dot(change, &direction) / dot(step, change);
        add(&mut direction, correction, step);
    }
    direction
}
