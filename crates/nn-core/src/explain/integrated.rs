//! Integrated gradients: the gradient, averaged on the straight way from a baseline to the input.

use std::f64::consts::PI;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, host, largest_changes, row_sums};
use super::gradient::{MANY, ROWS_PER_CALL, weighted_gradients};
use super::model::{Runner, prepare};
use super::{Attribution, Baseline, Check, ExplainError, Scorer, Target};
use crate::config::{ConfigError, in_range};

/// Nodes and weights of Gauss–Legendre quadrature on 0..=1, in ascending order.
///
/// With n nodes polynomials up to degree 2n − 1 are integrated exactly. The nodes are the roots of the Legendre
/// polynomial, found by Newton's method to the last bits.
///
/// ```
/// use nn_core::explain::gauss_legendre;
/// let (nodes, weights) = gauss_legendre(2);
/// let cubic: f64 = nodes.iter().zip(&weights).map(|(t, w)| w * t.powi(3)).sum();
/// assert!((cubic - 0.25).abs() < 1e-15);
/// ```
pub fn gauss_legendre(nodes: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut places, mut weights) = (vec![0.5; nodes], vec![0.0; nodes]);
    for i in 0..nodes.div_ceil(2) {
        let mut z = (PI * (i as f64 + 0.75) / (nodes as f64 + 0.5)).cos();
        let mut slope = 0.0;
        // quadratic from a start that is good to 1e-3 or better: four or five steps
        for _ in 0..20 {
            let (value, before) = legendre(nodes, z);
            slope = nodes as f64 * (z * value - before) / (z * z - 1.0);
            let step = value / slope;
            z -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        let weight = 1.0 / ((1.0 - z * z) * slope * slope);
        for (at, place) in [(i, -z), (nodes - 1 - i, z)] {
            places[at] = f64::midpoint(1.0, place);
            weights[at] = weight;
        }
    }
    (places, weights)
}

/// The Legendre polynomials of degree n and n − 1 at `z`, by their recurrence.
fn legendre(n: usize, z: f64) -> (f64, f64) {
    (1..=n).fold((1.0, 0.0), |(value, before), k| {
        let k = k as f64;
        (((2.0 * k - 1.0) * z * value - (k - 1.0) * before) / k, value)
    })
}

/// Integrated gradients (Sundararajan, Taly and Yan 2017): (input − baseline) × the mean gradient on the way between
/// them.
///
/// The values of a row sum to the difference of its outputs at the input and at the baseline, up to the error of the
/// quadrature, which the completeness gap shows. The result depends on the function alone, not on how a network
/// implements it.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, IntegratedGradients, Target};
/// let model = |x: Tensor<2>| x * -3.0;
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[5.0, 7.0]], &device);
/// let reference = Baseline::Average(Tensor::<2>::from_floats([[1.0, 1.0], [1.0, 3.0]], &device));
/// let found = IntegratedGradients::default().attribute(&model, &x, &reference, &Target::All(1))?;
/// // the mean of −3 · (7 − 1) and −3 · (7 − 3)
/// assert!((found.rows()?[0][1] + 15.0).abs() < 1e-4);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Places on the way, at the nodes of [`gauss_legendre`].
    pub nodes: usize,
    /// Whether to integrate once more with half the nodes, for the convergence delta.
    pub convergence: bool,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        Self { nodes: 50, convergence: true, rows_per_call: ROWS_PER_CALL }
    }
}

impl IntegratedGradients {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no nodes, more than 10,000, or no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("nodes", self.nodes, 1..=10_000)?;
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The values against a baseline; with [`Baseline::Average`], expected gradients.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, a baseline of another shape, and as [`super::gradient()`].
    pub fn attribute<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        baseline: &Baseline<D>,
        target: &Target,
    ) -> Result<Attribution<D>, ExplainError> {
        self.validate()?;
        let (x, targets) = prepare(x, target)?;
        let baselines = baseline.tensors(&x)?;
        let mut runner = Runner::new(model, targets.len(), self.rows_per_call);
        let values = integrate(&mut runner, &x, &baselines, &targets, self.nodes)?;
        let convergence_delta = if self.convergence && self.nodes > 1 {
            let half = integrate(&mut runner, &x, &baselines, &targets, self.nodes.div_ceil(2))?;
            Some(largest_changes(&host(&values)?, &host(&half)?, targets.len()))
        } else {
            None
        };
        let changes = runner.changes(&x, &baselines, &targets)?;
        let completeness_gap = Some(gaps(&row_sums(&host(&values)?, targets.len()), &changes));
        let check = Check { completeness_gap, convergence_delta, evaluations: runner.evaluations() };
        Ok(Attribution { values: values.reshape(x.dims()), check })
    }
}

/// The values with `nodes` nodes, averaged over the baselines.
///
/// # Shapes
/// - output `[1, rows, elements]`
fn integrate<const D: usize, S: Scorer<D>>(
    runner: &mut Runner<'_, D, S>,
    x: &Tensor<D>,
    baselines: &[Tensor<D>],
    targets: &[usize],
    nodes: usize,
) -> Result<Tensor<3>, ExplainError> {
    let (places, weights) = gauss_legendre(nodes);
    let rows = targets.len();
    let shape = [1, rows, x.shape().num_elements() / rows];
    let mut parts = Vec::with_capacity(baselines.len());
    for baseline in baselines {
        let start = baseline.clone().reshape(shape); // [1, rows, elements]
        let way = x.clone().reshape(shape) - start.clone(); // [1, rows, elements]
        let mean = weighted_gradients(runner, x, targets, &weights, |first, count| {
            let part = TensorData::new(places[first..first + count].to_vec(), [count, 1, 1]);
            let part = Tensor::<3>::from_data(part, (&x.device(), x.dtype())); // [count, 1, 1]
            way.clone() * part + start.clone() // [count, rows, elements]
        })?;
        parts.push(mean * way);
    }
    let count = parts.len() as f64;
    Ok(Tensor::cat(parts, 0).sum_dim(0) / count)
}
