//! How good an explanation is, without a truth to compare it with.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, host, tensor_like};
use super::gradient::{MANY, ROWS_PER_CALL};
use super::model::{Runner, prepare};
use super::perturb::Perturbed;
use super::{Baseline, ExplainError, Scorer, Target};
use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::metrics::{pearson, spearman};

/// Infidelity (Yeh et al. 2019, definition 2.1): E[(Iᵀ values − (F(x) − F(x − I)))²] over normal perturbations I.
///
/// The values are rates, such as a gradient: what they promise for a perturbation is their product with it. 0 is the
/// best, and reached by the gradient of a linear model.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Infidelity, Target, gradient};
/// let model = |x: Tensor<2>| x * 2.0;
/// let x = Tensor::<2>::from_floats([[1.0, 4.0]], &Device::flex());
/// let (target, rng) = (Target::All(0), &mut nn_core::data::rng(1, &[]));
/// let values = gradient(&model, &x, &target)?.values;
/// assert!(Infidelity::default().measure(&model, &x, &values, &target, rng)?[0] < 1e-10);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Infidelity {
    /// Perturbations of each row.
    pub samples: usize,
    /// Standard deviation of each element of a perturbation, in units of the input.
    pub sd: f64,
    /// Whether the values are first multiplied, row by row, by the factor that is best for them, so that methods of
    /// different scale can be compared.
    pub scaled: bool,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for Infidelity {
    fn default() -> Self {
        Self { samples: 100, sd: 0.1, scaled: false, rows_per_call: ROWS_PER_CALL }
    }
}

impl Infidelity {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no samples, a deviation that is not positive, or no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("samples", self.samples, 1..=MANY)?;
        in_range("sd", self.sd, 1e-9..=1e9)?;
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The infidelity of each row's values.
    ///
    /// # Shapes
    /// - x, values: the same
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, values of another shape, a target that does not exist, or a logit
    /// that is not finite.
    pub fn measure<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        values: &Tensor<D>,
        target: &Target,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f64>, ExplainError> {
        self.validate()?;
        let values = host(&like("the values", values, x)?)?;
        let (x, targets) = prepare(x, target)?;
        let rows = targets.len();
        let elements = values.len() / rows;
        let mut runner = Runner::new(model, rows, self.rows_per_call);
        let whole = runner.scores(&x, &targets)?;
        let flat = x.clone().reshape([1, rows, elements]);
        // promised and found change, one after the other for each row
        let mut changes: Vec<(Vec<f64>, Vec<f64>)> = vec![(Vec::new(), Vec::new()); rows];
        let block = runner.copies_per_call();
        for first in (0..self.samples).step_by(block) {
            let count = block.min(self.samples - first);
            let shape = [count, rows, elements];
            let noise = Init::Normal(self.sd).values(&shape, Fan { inputs: 1, outputs: 1 }, rng);
            let part = Tensor::<3>::from_data(TensorData::new(noise.clone(), shape), (&x.device(), x.dtype()));
            let mut copies = x.dims();
            copies[0] = count * rows;
            let moved: Tensor<D> = (flat.clone() - part).reshape(copies);
            let scores = runner.scores(&moved, &targets.repeat(count))?;
            for (copy, noise) in noise.chunks_exact(elements).enumerate() {
                let row = copy % rows;
                let values = &values[row * elements..(row + 1) * elements];
                changes[row].0.push(values.iter().zip(noise).map(|(value, noise)| value * f64::from(*noise)).sum());
                changes[row].1.push(whole[row] - scores[copy]);
            }
        }
        Ok(changes.iter().map(|(promised, found)| mean_square(promised, found, self.scaled)).collect())
    }
}

/// Mean of (factor · promised − found)², with a factor of 1 or the best one.
fn mean_square(promised: &[f64], found: &[f64], scaled: bool) -> f64 {
    let squares: f64 = promised.iter().map(|value| value * value).sum();
    let products: f64 = promised.iter().zip(found).map(|(a, b)| a * b).sum();
    let factor = if scaled && squares > 0.0 { products / squares } else { 1.0 };
    let total: f64 = promised.iter().zip(found).map(|(a, b)| (factor * a - b).powi(2)).sum();
    total / promised.len() as f64
}

/// Max-sensitivity (Yeh et al. 2019, definition 3.1): how far the values move when the input moves within a small box,
/// as a share of their own Euclidean length. The maximum is over random points, so it is a lower bound.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{SensitivityMax, Target, gradient};
/// let model = |x: Tensor<2>| x * 2.0;
/// let x = Tensor::<2>::from_floats([[1.0, 4.0]], &Device::flex());
/// let rng = &mut nn_core::data::rng(1, &[]);
/// let found =
///     SensitivityMax::default().measure(&x, |x| Ok(gradient(&model, x, &Target::All(0))?.values), rng)?;
/// assert_eq!(found, [0.0]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensitivityMax {
    /// Points tried.
    pub samples: usize,
    /// Half the edge of the box, in units of the input.
    pub radius: f64,
}

impl Default for SensitivityMax {
    /// 10 points in a box of ±0.02, as Captum.
    fn default() -> Self {
        Self { samples: 10, radius: 0.02 }
    }
}

impl SensitivityMax {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no samples or a radius that is not positive.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("samples", self.samples, 1..=MANY)?;
        in_range("radius", self.radius, 1e-9..=1e9)
    }

    /// The largest relative move of each row's values, as `attribute` gives them. Values that are all zero are compared
    /// in absolute terms.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, values of another shape, and what `attribute` returns.
    pub fn measure<const D: usize>(
        &self,
        x: &Tensor<D>,
        attribute: impl Fn(&Tensor<D>) -> Result<Tensor<D>, ExplainError>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f64>, ExplainError> {
        self.validate()?;
        let (x, targets) = prepare(x, &Target::All(0))?;
        let rows = targets.len();
        let before = host(&like("the values", &attribute(&x)?, &x)?)?;
        let elements = before.len() / rows;
        let length = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let mut worst = vec![0.0_f64; rows];
        for _ in 0..self.samples {
            let noise = (0..before.len()).map(|_| self.radius * (2.0 * rng.random::<f64>() - 1.0)).collect();
            let after = attribute(&(x.clone() + tensor_like(noise, &x)))?;
            let moves = gaps(&host(&like("the values", &after, &x)?)?, &before);
            for (row, worst) in worst.iter_mut().enumerate() {
                let part = row * elements..(row + 1) * elements;
                let own = length(&before[part.clone()]);
                *worst = worst.max(length(&moves[part]) / if own > 0.0 { own } else { 1.0 });
            }
        }
        Ok(worst)
    }
}

/// Sensitivity-n (Ancona et al. 2018): over random sets of n elements, the correlation of the sum of their
/// values with the loss of output when they are replaced by the baseline. 1 is the best.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, SensitivityN, Target, input_x_gradient};
/// let model = |x: Tensor<2>| x.sum_dim(1);
/// let x = Tensor::<2>::from_floats([[1.0, 4.0, -2.0]], &Device::flex());
/// let (target, rng) = (Target::All(0), &mut nn_core::data::rng(1, &[]));
/// let values = input_x_gradient(&model, &x, &target)?.values;
/// let sets = SensitivityN { size: 2, samples: 20, ..SensitivityN::default() };
/// assert!(sets.measure(&model, &x, &values, &Baseline::zero(), &target, rng)?[0] > 0.999);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensitivityN {
    /// Elements in a set: n.
    pub size: usize,
    /// Sets drawn, the same for all rows.
    pub samples: usize,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for SensitivityN {
    /// 100 sets of single elements.
    fn default() -> Self {
        Self { size: 1, samples: 100, rows_per_call: ROWS_PER_CALL }
    }
}

impl SensitivityN {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for an empty set, fewer than 2 samples, or no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("size", self.size, 1..=MANY)?;
        in_range("samples", self.samples, 2..=MANY)?;
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The correlation of each row.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, more elements than a row has, values or a baseline of another
    /// shape, a target that does not exist, a logit that is not finite, or a row whose sums or losses are all equal.
    pub fn measure<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        values: &Tensor<D>,
        baseline: &Baseline<D>,
        target: &Target,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f64>, ExplainError> {
        self.validate()?;
        let values = host(&like("the values", values, x)?)?;
        let mut perturbed = Perturbed::new(model, x, baseline, target, self.rows_per_call)?;
        let (rows, elements) = (perturbed.rows(), perturbed.elements());
        in_range("size", self.size, 1..=elements)?;
        let mut order: Vec<usize> = (0..elements).collect();
        let mut sets = Vec::with_capacity(self.samples);
        for _ in 0..self.samples {
            order.shuffle(rng);
            sets.push(order[..self.size].to_vec());
        }
        let whole = perturbed.whole()?;
        let without = perturbed.scores(sets.len(), |set, marks| {
            sets[set].iter().for_each(|&element| marks[element] = true);
        })?;
        let correlation = |row: usize| -> Result<f64, ExplainError> {
            let values = &values[row * elements..(row + 1) * elements];
            let sums: Vec<f64> = sets.iter().map(|set| set.iter().map(|&element| values[element]).sum()).collect();
            let losses: Vec<f64> = without.iter().map(|scores| whole[row] - scores[row]).collect();
            Ok(pearson(&losses, &sums)?)
        };
        (0..rows).map(correlation).collect()
    }
}

/// Spearman's correlation of two explanations of the same rows, for each row; of their sizes when `absolute`.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::rank_correlation;
/// let a = Tensor::<2>::from_floats([[1.0, -2.0, 3.0]], &Device::flex());
/// assert!((rank_correlation(&a, &(a.clone() * -5.0), true)?[0] - 1.0).abs() < 1e-12);
/// assert!((rank_correlation(&a, &(a.clone() * -5.0), false)?[0] + 1.0).abs() < 1e-12);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// [`ExplainError`] for empty or unequal shapes, and for a row whose values are all equal, which have no order.
pub fn rank_correlation<const D: usize>(
    a: &Tensor<D>,
    b: &Tensor<D>,
    absolute: bool,
) -> Result<Vec<f64>, ExplainError> {
    let (a, _) = prepare(a, &Target::All(0))?;
    let b = like("the second explanation", b, &a)?;
    let rows = a.dims()[0];
    let values = |tensor: Tensor<D>| host(&if absolute { tensor.abs() } else { tensor });
    let (a, b) = (values(a)?, values(b)?);
    let elements = a.len() / rows;
    a.chunks(elements).zip(b.chunks(elements)).map(|(a, b)| Ok(spearman(a, b)?)).collect()
}

/// The sanity check of Adebayo et al. 2018: an explanation that does not change when the weights are made
/// random explains the input, not the model.
///
/// `attribute(0)` explains the model as it is, `attribute(k)` one whose k layers nearest to the output, or whichever
/// the caller chooses for stage k, were initialised again. Returns [`rank_correlation`] of the sizes of the values of
/// each stage with those of stage 0, `[stages][rows]`; near 0 is a pass, near 1 a failure.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Target, input_x_gradient, weight_randomisation};
/// let x = Tensor::<2>::from_floats([[1.0, 1.0, 1.0]], &Device::flex());
/// let found = weight_randomisation(1, |stage| {
///     let weight = if stage == 0 { [[1.0], [2.0], [3.0]] } else { [[3.0], [2.0], [1.0]] };
///     let weight = Tensor::<2>::from_floats(weight, &Device::flex());
///     Ok(input_x_gradient(&|x: Tensor<2>| x.matmul(weight.clone()), &x, &Target::All(0))?.values)
/// })?;
/// assert!((found[0][0] + 1.0).abs() < 1e-12);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// What `attribute` returns, and as [`rank_correlation`].
pub fn weight_randomisation<const D: usize>(
    stages: usize,
    mut attribute: impl FnMut(usize) -> Result<Tensor<D>, ExplainError>,
) -> Result<Vec<Vec<f64>>, ExplainError> {
    let trained = attribute(0)?;
    (1..=stages).map(|stage| rank_correlation(&trained, &attribute(stage)?, true)).collect()
}

/// `values` without gradient tracking, if they have the shape of `x`.
fn like<const D: usize>(what: &'static str, values: &Tensor<D>, x: &Tensor<D>) -> Result<Tensor<D>, ExplainError> {
    if values.dims() == x.dims() {
        return Ok(values.clone().inner());
    }
    let expected = format!("that of the input, {:?}", x.dims());
    Err(ExplainError::Shape { what, found: values.dims().to_vec(), expected })
}
