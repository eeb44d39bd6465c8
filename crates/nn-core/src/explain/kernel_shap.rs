//! `KernelSHAP`: Shapley values as the coefficients of a weighted regression on coalitions.

use std::collections::HashMap;

use burn::tensor::Tensor;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, largest_changes, tensor_like};
use super::gradient::{MANY, ROWS_PER_CALL};
use super::perturb::Perturbed;
use super::{Attribution, Baseline, Check, ExplainError, Groups, Scorer, Target};
use crate::config::{ConfigError, in_range};

/// `KernelSHAP` (Lundberg and Lee 2017, theorem 2), with paired sampling (Covert and Lee 2021).
///
/// The worth of a coalition is regressed on its members, weighted with the Shapley kernel, under the constraint that
/// the values sum to the difference of the outputs: they always do. When the budget holds every coalition, the values
/// are the exact ones of [`super::ExactShapley`]. Otherwise small and large coalitions, which carry most of the weight,
/// are enumerated as far as their share of the budget reaches, and the rest is drawn, each coalition with its
/// complement.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, Groups, KernelShap, Target};
/// let model = |x: Tensor<2>| x.sum_dim(1);
/// let x = Tensor::<2>::from_floats([[2.0, 3.0, 1.0]], &Device::flex());
/// let (groups, rng) = (Groups::each(3), &mut nn_core::data::rng(1, &[]));
/// let found = KernelShap::default().attribute(&model, &x, &groups, &Baseline::zero(), &Target::All(0), rng)?;
/// for (value, wanted) in found.rows()?[0].iter().zip([2.0, 3.0, 1.0]) {
///     assert!((value - wanted).abs() < 1e-6);
/// }
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelShap {
    /// Coalitions evaluated for each row, beside the empty and the full one. The default is that of the authors'
    /// package less its 2 for each group.
    pub coalitions: usize,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for KernelShap {
    fn default() -> Self {
        Self { coalitions: 2048, rows_per_call: ROWS_PER_CALL }
    }
}

impl KernelShap {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for fewer than 2 coalitions, or no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("coalitions", self.coalitions, 2..=MANY)?;
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The value of each group; the convergence delta compares it with that of the first half of the draws. `rng` is
    /// not used when all coalitions are enumerated.
    ///
    /// # Errors
    /// [`ExplainError::Underdetermined`] when there are too few coalitions for the groups; otherwise as
    /// [`super::FeatureAblation::attribute`].
    pub fn attribute<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        groups: &Groups,
        baseline: &Baseline<D>,
        target: &Target,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution<D>, ExplainError> {
        self.validate()?;
        groups.check(x)?;
        let players = groups.count();
        let mut perturbed = Perturbed::new(model, x, baseline, target, self.rows_per_call)?;
        let design = Design::new(players, self.coalitions, rng);
        let last = design.coalitions.len();
        // behind the coalitions of the design: none and all
        let worth = perturbed.scores(last + 2, |at, marks| {
            for (mark, &group) in marks.iter_mut().zip(groups.of()) {
                *mark = design.coalitions.get(at).map_or(at == last, |coalition| !coalition[group]);
            }
        })?;
        let changes = gaps(&worth[last + 1], &worth[last]);
        let values = design.solve(&design.weights(design.draws.len()), &worth, &changes)?;
        let half = design.draws.len() / 2;
        let convergence_delta = if half == 0 {
            None
        } else {
            // half the draws may be too few where all were just enough
            let rough = design.solve(&design.weights(half), &worth, &changes).ok();
            rough.map(|rough| largest_changes(&values.concat(), &rough.concat(), values.len()))
        };
        let sums: Vec<f64> = values.iter().map(|values| values.iter().sum()).collect();
        let check = Check {
            completeness_gap: Some(gaps(&sums, &changes)),
            convergence_delta,
            evaluations: perturbed.evaluations(),
        };
        Ok(Attribution { values: tensor_like(groups.spread(&values), perturbed.x()), check })
    }
}

/// Which coalitions are evaluated, and what each weighs.
struct Design {
    players: usize,
    /// Membership flags; the enumerated ones come first.
    coalitions: Vec<Vec<bool>>,
    /// Weights of the enumerated ones.
    enumerated: Vec<f64>,
    /// Pairs drawn, in order, as positions in `coalitions`.
    draws: Vec<[usize; 2]>,
    /// Weight that all drawn ones share.
    rest: f64,
}

impl Design {
    fn new(players: usize, budget: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut design = Self { players, coalitions: Vec::new(), enumerated: Vec::new(), draws: Vec::new(), rest: 0.0 };
        // total kernel weight of the coalitions of each size s, (n − 1) / (s (n − s)), scaled to sum to 1
        let kernel = |size: usize| 1.0 / (size as f64 * (players - size) as f64);
        let scale: f64 = (1..players).map(kernel).sum();
        let everything = players < 31 && (1_usize << players) - 2 <= budget;
        let mut left = budget;
        let mut rest = 1.0;
        let mut next = 1;
        while 2 * next <= players && next < players {
            let sizes = if 2 * next == players { vec![next] } else { vec![next, players - next] };
            let each = binomial(players, next);
            let count = each * sizes.len() as f64;
            let mass: f64 = sizes.iter().map(|&size| kernel(size) / scale).sum();
            // a size is worth enumerating when drawing would spend as many coalitions on it
            if !everything && left as f64 * mass / rest < count {
                break;
            }
            for size in sizes {
                for members in combinations(players, size) {
                    design.coalitions.push(flags(players, &members));
                    design.enumerated.push(kernel(size) / scale / each);
                }
            }
            left = left.saturating_sub(count as usize);
            rest -= mass;
            next += 1;
        }
        if 2 * next <= players && next < players {
            design.rest = rest;
            design.draw(next, left, kernel, rng);
        }
        design
    }

    /// Draws pairs of complements with at least `smallest` members each, until `budget` different coalitions are found.
    fn draw(&mut self, smallest: usize, budget: usize, kernel: impl Fn(usize) -> f64, rng: &mut ChaCha8Rng) {
        let sizes: Vec<usize> = (smallest..=self.players - smallest).collect();
        let total: f64 = sizes.iter().map(|&size| kernel(size)).sum();
        let mut known: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut order: Vec<usize> = (0..self.players).collect();
        // where few coalitions are left to find, most draws are repeats: the authors' package stops here too
        for _ in 0..4 * budget {
            if known.len() + 2 > budget {
                break;
            }
            let mut place = rng.random::<f64>() * total;
            let size = sizes.iter().copied().find(|&size| {
                place -= kernel(size);
                place < 0.0
            });
            order.shuffle(rng);
            let members = flags(self.players, &order[..size.unwrap_or(smallest)]);
            let others: Vec<bool> = members.iter().map(|member| !member).collect();
            let pair = [members, others].map(|coalition| {
                *known.entry(coalition.clone()).or_insert_with(|| {
                    self.coalitions.push(coalition);
                    self.coalitions.len() - 1
                })
            });
            self.draws.push(pair);
        }
    }

    /// The weight of each coalition when only the first `draws` pairs count.
    fn weights(&self, draws: usize) -> Vec<f64> {
        let mut weights = self.enumerated.clone();
        weights.resize(self.coalitions.len(), 0.0);
        for &at in self.draws[..draws].iter().flatten() {
            weights[at] += self.rest / (2 * draws) as f64;
        }
        weights
    }

    /// The values `[rows][players]` that minimise Σ weight · (worth − worth of none − Σ values of the members)², and
    /// sum to `changes`.
    fn solve(&self, weights: &[f64], worth: &[Vec<f64>], changes: &[f64]) -> Result<Vec<Vec<f64>>, ExplainError> {
        let n = self.players;
        let mut normal = vec![0.0; n * n];
        let mut right = vec![vec![0.0; n]; changes.len()];
        let nothing = &worth[self.coalitions.len()];
        for ((coalition, &weight), worth) in self.coalitions.iter().zip(weights).zip(worth) {
            let members: Vec<usize> = (0..n).filter(|&player| coalition[player]).collect();
            for &i in &members {
                for &j in &members {
                    normal[i * n + j] += weight;
                }
                for (row, right) in right.iter_mut().enumerate() {
                    right[i] += weight * (worth[row] - nothing[row]);
                }
            }
        }
        if n == 1 {
            return Ok(changes.iter().map(|&change| vec![change]).collect());
        }
        let factor = cholesky(normal, n);
        let factor = factor.ok_or(ExplainError::Underdetermined { coalitions: self.coalitions.len(), groups: n })?;
        // Lagrange: the solution without the constraint, moved along the answer to a vector of ones
        let ones = back_substitute(&factor, vec![1.0; n]);
        let ones_sum: f64 = ones.iter().sum();
        let constrain = |(right, change): (Vec<f64>, &f64)| -> Vec<f64> {
            let free = back_substitute(&factor, right);
            let step = (change - free.iter().sum::<f64>()) / ones_sum;
            free.iter().zip(&ones).map(|(value, one)| value + step * one).collect()
        };
        Ok(right.into_iter().zip(changes).map(constrain).collect())
    }
}

fn flags(players: usize, members: &[usize]) -> Vec<bool> {
    let mut flags = vec![false; players];
    members.iter().for_each(|&member| flags[member] = true);
    flags
}

/// Ways to choose `k` of `n`.
fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64).round()
}

/// Every choice of `k` of 0..n, each ascending, in lexicographic order.
fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        all.push(chosen.clone());
        // the last position that can still move up
        let Some(at) = (0..k).rev().find(|&at| chosen[at] < n - k + at) else {
            return all;
        };
        chosen[at] += 1;
        for behind in at + 1..k {
            chosen[behind] = chosen[behind - 1] + 1;
        }
    }
}

/// The lower triangular factor of a symmetric matrix `[n, n]`, or `None` when it is not safely positive definite.
fn cholesky(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let value = matrix[i * n + j] - known;
            if i == j {
                // what rounding leaves of a pivot that should be zero
                if value <= 1e-12 * matrix[i * n + i] {
                    return None;
                }
                matrix[i * n + i] = value.sqrt();
            } else {
                matrix[i * n + j] = value / matrix[j * n + j];
            }
        }
    }
    Some(matrix)
}

/// Solves `L Lᵀ x = right` for the lower triangular `factor`.
fn back_substitute(factor: &[f64], mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| factor[i * n + k] * right[k]).sum();
        right[i] = (right[i] - known) / factor[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| factor[k * n + i] * right[k]).sum();
        right[i] = (right[i] - known) / factor[i * n + i];
    }
    right
}
