//! The partial likelihood with its derivatives, and the small matrices that Newton's method solves.

use super::Ties;
use crate::evaluate::survival::StepFunction;

/// Value, gradient and negative second derivatives of the log-likelihood.
pub(super) struct Derivatives {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    /// `[columns, columns]`.
    pub(super) curvature: Vec<f64>,
}

/// Rows in the order of their times, the latest first, so that the risk set grows on the way.
pub(super) struct Likelihood<'a> {
    table: &'a [f64],
    columns: usize,
    times: &'a [f64],
    events: &'a [bool],
    order: Vec<usize>,
    ties: Ties,
}

/// Sums of hazard, hazard · x and hazard · x xᵀ over rows.
#[derive(Clone)]
struct Sums {
    hazard: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Sums {
    fn new(columns: usize, second: bool) -> Self {
        let size = if second { columns * columns } else { 0 };
        Self { hazard: 0.0, first: vec![0.0; columns], second: vec![0.0; size] }
    }

    fn add(&mut self, hazard: f64, row: &[f64]) {
        self.hazard += hazard;
        self.first.iter_mut().zip(row).for_each(|(sum, x)| *sum += hazard * x);
        for (sums, x) in self.second.chunks_exact_mut(row.len()).zip(row) {
            sums.iter_mut().zip(row).for_each(|(sum, y)| *sum += hazard * x * y);
        }
    }
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(table: &'a [f64], columns: usize, times: &'a [f64], events: &'a [bool], ties: Ties) -> Self {
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by(|&a, &b| times[b].total_cmp(&times[a]));
        Self { table, columns, times, events, order, ties }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.table[row * self.columns..][..self.columns]
    }

    fn log_hazard(&self, row: usize, weights: &[f64]) -> f64 {
        self.row(row).iter().zip(weights).map(|(x, weight)| x * weight).sum()
    }

    /// The largest log hazard, which is taken out of all exponentials and cancels.
    fn highest(&self, weights: &[f64]) -> f64 {
        self.order.iter().map(|&row| self.log_hazard(row, weights)).fold(f64::NEG_INFINITY, f64::max)
    }

    pub(super) fn value(&self, weights: &[f64]) -> f64 {
        self.sweep(weights, false).value
    }

    pub(super) fn with_derivatives(&self, weights: &[f64]) -> Derivatives {
        self.sweep(weights, true)
    }

    fn sweep(&self, weights: &[f64], derivatives: bool) -> Derivatives {
        let columns = self.columns;
        let highest = self.highest(weights);
        let mut found =
            Derivatives { value: 0.0, gradient: vec![0.0; columns], curvature: vec![0.0; columns * columns] };
        let mut risk = Sums::new(columns, derivatives);
        for tied in self.order.chunk_by(|&a, &b| self.times[a] == self.times[b]) {
            let mut dead = Sums::new(columns, derivatives);
            let mut deaths = 0_usize;
            for &row in tied {
                let (x, log_hazard) = (self.row(row), self.log_hazard(row, weights) - highest);
                risk.add(log_hazard.exp(), x);
                if self.events[row] {
                    deaths += 1;
                    dead.add(log_hazard.exp(), x);
                    found.value += log_hazard;
                    found.gradient.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                }
            }
            for death in 0..deaths {
                let share = if self.ties == Ties::Efron { death as f64 / deaths as f64 } else { 0.0 };
                let total = risk.hazard - share * dead.hazard;
                found.value -= total.ln();
                if !derivatives {
                    continue;
                }
                let mean: Vec<f64> =
                    risk.first.iter().zip(&dead.first).map(|(all, dead)| (all - share * dead) / total).collect();
                found.gradient.iter_mut().zip(&mean).for_each(|(sum, mean)| *sum -= mean);
                let pairs = risk.second.iter().zip(&dead.second).enumerate();
                for (sum, (at, (all, dead))) in found.curvature.iter_mut().zip(pairs) {
                    *sum += (all - share * dead) / total - mean[at / columns] * mean[at % columns];
                }
            }
        }
        found
    }

    /// Cumulative hazard for a row of zeros: at each time, events over the sum of hazards.
    pub(super) fn baseline(&self, weights: &[f64]) -> StepFunction {
        let highest = self.highest(weights);
        let mut risk = 0.0;
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for tied in self.order.chunk_by(|&a, &b| self.times[a] == self.times[b]) {
            risk += tied.iter().map(|&row| (self.log_hazard(row, weights) - highest).exp()).sum::<f64>();
            let deaths = tied.iter().filter(|&&row| self.events[row]).count();
            if deaths > 0 {
                steps.push((self.times[tied[0]], deaths as f64 / risk * (-highest).exp()));
            }
        }
        let mut total = 0.0;
        let (times, values) = steps
            .into_iter()
            .rev()
            .map(|(time, step)| {
                total += step;
                (time, total)
            })
            .unzip();
        StepFunction { start: 0.0, times, values }
    }
}

/// The lower triangle L of a symmetric positive matrix L Lᵀ (Cholesky); none for one that is not positive.
fn triangle(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[row * n + k] * lower[column * n + k]).sum();
            let left = matrix[row * n + column] - known;
            if row != column {
                lower[row * n + column] = left / lower[column * n + column];
            } else if left.is_finite() && left > 1e-12 * (1.0 + matrix[row * n + row].abs()) {
                lower[row * n + row] = left.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

fn substitute(lower: &[f64], right: &[f64]) -> Vec<f64> {
    let n = right.len();
    let mut x = right.to_vec();
    for row in 0..n {
        let known: f64 = (0..row).map(|k| lower[row * n + k] * x[k]).sum();
        x[row] = (x[row] - known) / lower[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| lower[k * n + row] * x[k]).sum();
        x[row] = (x[row] - known) / lower[row * n + row];
    }
    x
}

/// The solution x of `matrix x = right`; none for a matrix that is not positive.
pub(super) fn solve(matrix: &[f64], right: &[f64]) -> Option<Vec<f64>> {
    Some(substitute(&triangle(matrix, right.len())?, right))
}

/// The inverse of `matrix` with `ridge` added to its diagonal; none for one that is not positive.
pub(super) fn inverse(matrix: &[f64], ridge: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut matrix = matrix.to_vec();
    ridge.iter().enumerate().for_each(|(at, ridge)| matrix[at * n + at] += ridge);
    let lower = triangle(&matrix, n)?;
    let mut found = Vec::with_capacity(n * n);
    for column in 0..n {
        let mut unit = vec![0.0; n];
        unit[column] = 1.0;
        found.extend(substitute(&lower, &unit));
    }
    Some(found)
}
