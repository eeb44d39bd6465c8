//! What the output loses when a part of the input is covered.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, tensor_like};
use super::gradient::{MANY, ROWS_PER_CALL};
use super::perturb::Perturbed;
use super::{Attribution, Baseline, Check, ExplainError, Groups, Scorer, Target};
use crate::config::{ConfigError, in_range};

/// Occlusion (Zeiler and Fergus 2014, section 4.2): a window of baseline slides over the input.
///
/// The value of an element is the mean loss of output over the windows that cover it. Where the windows neither overlap
/// nor are cut, the completeness gap says how far the model is from adding up the windows.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, Occlusion, Target};
/// let model = |x: Tensor<2>| x.sum_dim(1);
/// let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0]], &Device::flex());
/// let windows = Occlusion { window: vec![2], ..Occlusion::default() };
/// let found = windows.attribute(&model, &x, &Baseline::zero(), &Target::All(0))?;
/// assert_eq!(found.rows()?, [[3.0, 3.0, 7.0, 7.0]]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Occlusion {
    /// Length of the window along each axis behind the rows; empty for 1 along each.
    pub window: Vec<usize>,
    /// Step of the window along each axis, at most its length so that no element is left out; empty for the length of
    /// the window. The last window of an axis is cut at the end of the input.
    pub stride: Vec<usize>,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for Occlusion {
    fn default() -> Self {
        Self { window: Vec::new(), stride: Vec::new(), rows_per_call: ROWS_PER_CALL }
    }
}

impl Occlusion {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a window of no length, a stride of nothing or longer than its window, or no row
    /// in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for &length in &self.window {
            in_range("window", length, 1..=MANY)?;
        }
        for (axis, &step) in self.stride.iter().enumerate() {
            in_range("stride", step, 1..=self.window.get(axis).copied().unwrap_or(1))?;
        }
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The mean loss under the windows, for each element.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, a window longer than the input or of another number of axes, a
    /// baseline of another shape, a target that does not exist, or a logit that is not finite.
    pub fn attribute<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        baseline: &Baseline<D>,
        target: &Target,
    ) -> Result<Attribution<D>, ExplainError> {
        self.validate()?;
        let windows = self.windows(&x.dims()[1..])?;
        let mut perturbed = Perturbed::new(model, x, baseline, target, self.rows_per_call)?;
        let covered = covered(&windows, perturbed.elements());
        let losses = losses(&mut perturbed, &windows)?;
        let completeness_gap =
            if covered.iter().all(|&times| times == 1) { Some(completeness(&mut perturbed, &losses)?) } else { None };
        let (rows, elements) = (perturbed.rows(), perturbed.elements());
        let mut values = vec![0.0; rows * elements];
        for (window, losses) in windows.iter().zip(&losses) {
            for (row, loss) in values.chunks_exact_mut(elements).zip(losses) {
                window.iter().for_each(|&element| row[element] += loss / f64::from(covered[element]));
            }
        }
        let check = Check { completeness_gap, convergence_delta: None, evaluations: perturbed.evaluations() };
        Ok(Attribution { values: tensor_like(values, perturbed.x()), check })
    }

    /// The elements under each window, for rows of shape `dims`.
    fn windows(&self, dims: &[usize]) -> Result<Vec<Vec<usize>>, ExplainError> {
        let setting = |given: &[usize], otherwise: &[usize]| -> Result<Vec<usize>, ExplainError> {
            if given.is_empty() {
                return Ok(otherwise.to_vec());
            }
            if given.len() == dims.len() {
                return Ok(given.to_vec());
            }
            let expected = format!("a window and a stride with {} numbers, not {given:?}", dims.len());
            Err(ExplainError::Shape { what: "a row of the input", found: dims.to_vec(), expected })
        };
        let window = setting(&self.window, &vec![1; dims.len()])?;
        let stride = setting(&self.stride, &window)?;
        let mut windows: Vec<Vec<usize>> = vec![vec![0]];
        for ((&length, &window), &stride) in dims.iter().zip(&window).zip(&stride) {
            in_range("window", window, 1..=length)?;
            let places: Vec<Range<usize>> = (0..=(length - window).div_ceil(stride))
                .map(|place| place * stride..(place * stride + window).min(length))
                .collect();
            let mut longer: Vec<Vec<usize>> = Vec::with_capacity(windows.len() * places.len());
            for elements in &windows {
                for place in &places {
                    // row-major: one axis more multiplies the position so far by its length
                    let along = |&element: &usize| place.clone().map(move |at| element * length + at);
                    longer.push(elements.iter().flat_map(along).collect());
                }
            }
            windows = longer;
        }
        Ok(windows)
    }
}

/// Feature ablation: each group is replaced by the baseline, all others stay.
///
/// Every element gets the loss of output of its group. The completeness gap compares the sum over the groups with the
/// loss when all are replaced; it is zero for a model that adds up its groups.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, FeatureAblation, Groups, Target};
/// let model = |x: Tensor<2>| x.sum_dim(1);
/// let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &Device::flex());
/// let groups = Groups::new(vec![0, 1, 0])?;
/// let found = FeatureAblation::default().attribute(&model, &x, &groups, &Baseline::zero(), &Target::All(0))?;
/// assert_eq!(found.rows()?, [[4.0, 2.0, 4.0]]);
/// assert_eq!(found.by_group(&groups)?, [[4.0, 2.0]]);
/// assert_eq!(found.check.completeness_gap, Some(vec![0.0]));
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureAblation {
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for FeatureAblation {
    fn default() -> Self {
        Self { rows_per_call: ROWS_PER_CALL }
    }
}

impl FeatureAblation {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The loss without each group.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, groups or a baseline of another shape, a target that does not
    /// exist, or a logit that is not finite.
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
        let mut perturbed = Perturbed::new(model, x, baseline, target, self.rows_per_call)?;
        let mut members = vec![Vec::new(); groups.count()];
        for (element, &group) in groups.of().iter().enumerate() {
            members[group].push(element);
        }
        let losses = losses(&mut perturbed, &members)?;
        let completeness_gap = Some(completeness(&mut perturbed, &losses)?);
        let rows = perturbed.rows();
        let by_row: Vec<Vec<f64>> = (0..rows).map(|row| losses.iter().map(|losses| losses[row]).collect()).collect();
        let check = Check { completeness_gap, convergence_delta: None, evaluations: perturbed.evaluations() };
        Ok(Attribution { values: tensor_like(groups.spread(&by_row), perturbed.x()), check })
    }
}

/// How many of the parts cover each element.
fn covered(parts: &[Vec<usize>], elements: usize) -> Vec<u32> {
    let mut times = vec![0; elements];
    parts.iter().flatten().for_each(|&element| times[element] += 1);
    times
}

/// What the output of each row loses when a part is replaced, `[parts][rows]`.
fn losses<const D: usize, S: Scorer<D>>(
    perturbed: &mut Perturbed<'_, D, S>,
    parts: &[Vec<usize>],
) -> Result<Vec<Vec<f64>>, ExplainError> {
    let whole = perturbed.whole()?;
    let without = perturbed.scores(parts.len(), |part, marks| {
        parts[part].iter().for_each(|&element| marks[element] = true);
    })?;
    Ok(without.into_iter().map(|scores| gaps(&whole, &scores)).collect())
}

/// For each row, the sum of the losses − the loss when everything is replaced.
fn completeness<const D: usize, S: Scorer<D>>(
    perturbed: &mut Perturbed<'_, D, S>,
    losses: &[Vec<f64>],
) -> Result<Vec<f64>, ExplainError> {
    let changes = perturbed.changes()?;
    let sums: Vec<f64> = (0..changes.len()).map(|row| losses.iter().map(|losses| losses[row]).sum()).collect();
    Ok(gaps(&sums, &changes))
}
