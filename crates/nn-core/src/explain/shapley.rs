//! Exact Shapley values, from all coalitions.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, tensor_like};
use super::gradient::{MANY, ROWS_PER_CALL};
use super::perturb::Perturbed;
use super::{Attribution, Baseline, Check, ExplainError, Groups, Scorer, Target};
use crate::config::{ConfigError, in_range};

/// Most groups whose coalitions are enumerated: 4096 evaluations of each row.
const MOST_GROUPS: usize = 12;

/// Exact Shapley values (Shapley 1953) of the game whose players are the groups of the input: the groups in a coalition
/// are those of the row, all others those of the baseline.
///
/// With [`Baseline::Average`] over rows of data this is the interventional game (Janzing, Minorics and Blöbaum 2020).
/// The values sum to the difference of the outputs; groups that act alike get the same, groups that do nothing get
/// zero. Every element gets the value of its group.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, ExactShapley, Groups, Target};
/// // x₀ x₁ + x₂: the product is shared
/// let model = |x: Tensor<2>| x.clone().narrow(1, 0, 1) * x.clone().narrow(1, 1, 1) + x.narrow(1, 2, 1);
/// let x = Tensor::<2>::from_floats([[2.0, 3.0, 1.0]], &Device::flex());
/// let groups = Groups::each(3);
/// let found = ExactShapley::default().attribute(&model, &x, &groups, &Baseline::zero(), &Target::All(0))?;
/// for (value, wanted) in found.rows()?[0].iter().zip([3.0, 3.0, 1.0]) {
///     assert!((value - wanted).abs() < 1e-6);
/// }
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExactShapley {
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for ExactShapley {
    fn default() -> Self {
        Self { rows_per_call: ROWS_PER_CALL }
    }
}

impl ExactShapley {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The Shapley value of each group.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, more than 12 groups, groups or a baseline of another shape, a
    /// target that does not exist, or a logit that is not finite.
    pub fn attribute<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        groups: &Groups,
        baseline: &Baseline<D>,
        target: &Target,
    ) -> Result<Attribution<D>, ExplainError> {
        self.validate()?;
        groups.check(x)?;
        let players = groups.count();
        in_range("number of groups", players, 1..=MOST_GROUPS)?;
        let mut perturbed = Perturbed::new(model, x, baseline, target, self.rows_per_call)?;
        let worth = perturbed.scores(1 << players, |coalition, marks| {
            for (mark, group) in marks.iter_mut().zip(groups.of()) {
                *mark = (coalition >> group) & 1 == 0;
            }
        })?;
        let weights = weights(players);
        let mut values = vec![vec![0.0; players]; perturbed.rows()];
        for (coalition, without) in worth.iter().enumerate() {
            let weight = weights[coalition.count_ones() as usize];
            for player in (0..players).filter(|player| (coalition >> player) & 1 == 0) {
                let with = &worth[coalition | (1 << player)];
                for (row, values) in values.iter_mut().enumerate() {
                    values[player] += weight * (with[row] - without[row]);
                }
            }
        }
        let sums: Vec<f64> = values.iter().map(|values| values.iter().sum()).collect();
        let changes = gaps(&worth[worth.len() - 1], &worth[0]);
        let check = Check {
            completeness_gap: Some(gaps(&sums, &changes)),
            convergence_delta: None,
            evaluations: perturbed.evaluations(),
        };
        Ok(Attribution { values: tensor_like(groups.spread(&values), perturbed.x()), check })
    }
}

/// Share of the orders of n players in which a given player comes right behind a given coalition of s:
/// s! (n − s − 1)! / n!, for s from 0 to n; the last is never asked for.
fn weights(players: usize) -> Vec<f64> {
    let n = players as f64;
    let mut weights = vec![1.0 / n];
    for size in 1..players {
        let s = size as f64;
        weights.push(weights[size - 1] * s / (n - s));
    }
    weights.push(0.0);
    weights
}
