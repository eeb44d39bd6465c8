//! `DeepLIFT` with the rescale rule: differences from a baseline, carried back through the network.

use burn::tensor::module::{max_pool1d, max_pool1d_with_indices, max_pool2d, max_pool2d_with_indices};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Int, Tensor};

use super::attribution::{gaps, host, row_sums};
use super::model::{pick, prepare, read};
use super::{Attribution, Baseline, Check, ExplainError, Target};

/// Differences below this are taken as none, and the slope of a chord as the derivative, as in the package `shap`.
const NEAR: f64 = 1e-6;

/// What a model passes its nonlinear functions through.
///
/// Affine parts (dense layers, convolutions, mean pooling, normalisation with fixed statistics, additions) are written
/// as usual. [`Rescale::off`] makes every function here the plain one, so one forward serves for use and for
/// explanation. The rows must stay the leading axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescale {
    on: bool,
}

impl Rescale {
    /// The plain functions.
    ///
    /// ```
    /// use nn_core::burn::tensor::activation::relu;
    /// use nn_core::burn::tensor::{Device, Tensor};
    /// use nn_core::explain::Rescale;
    /// let x = Tensor::<1>::from_floats([-1.0, 2.0], &Device::flex());
    /// let y = Rescale::off().activation(x, relu);
    /// assert_eq!(y.try_into_vec_as::<f32>()?, [0.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn off() -> Self {
        Self { on: false }
    }

    /// A function that acts on each element alone: its derivative becomes the slope of the chord between baseline and
    /// input (Shrikumar, Greenside and Kundaje 2017, section 3.5.2).
    ///
    /// # Panics
    /// When the leading axis is not made up of whole rows of input and baseline.
    pub fn activation<const D: usize>(&self, z: Tensor<D>, f: impl Fn(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
        if !self.on {
            return f(z);
        }
        let fixed = z.clone().inner();
        let out = f(fixed.clone()).inner();
        let (at_x, at_baseline) = halves(&fixed);
        let (out_x, out_baseline) = halves(&out);
        let (distance, change) = (at_x.clone() - at_baseline, out_x - out_baseline);
        let near = distance.clone().abs().lower_scalar(NEAR);
        let chord = change / distance.mask_fill(near.clone(), 1.0);
        let slope = chord.mask_where(near, derivative(&f, at_x));
        bent(z, fixed, out, slope)
    }

    /// Maximum over windows of a sequence.
    ///
    /// The change of a window's maximum is laid on one element: the input's largest where the maximum grew, the
    /// baseline's largest where it fell. That element has changed by at least as much, so that no multiplier exceeds 1.
    ///
    /// # Shapes
    /// - z `[rows, channels, length]`; output `[rows, channels, windows]`
    ///
    /// # Panics
    /// As [`Rescale::activation`].
    pub fn max_pool1d(&self, z: Tensor<3>, options: MaxPoolOptions<1>) -> Tensor<3> {
        if !self.on {
            return max_pool1d(z, options);
        }
        let (out, index) = max_pool1d_with_indices(z.clone().inner(), options);
        maximum(z, out, index)
    }

    /// Maximum over windows of a feature map; as [`Rescale::max_pool1d`].
    ///
    /// # Shapes
    /// - z `[rows, channels, height, width]`; output `[rows, channels, windows down, windows across]`
    ///
    /// # Panics
    /// As [`Rescale::activation`].
    pub fn max_pool2d(&self, z: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
        if !self.on {
            return max_pool2d(z, options);
        }
        let (out, index) = max_pool2d_with_indices(z.clone().inner(), options);
        let ([rows, channels, height, width], shape) = (z.dims(), out.dims());
        let flat = [rows, channels, shape[2] * shape[3]];
        maximum(z.reshape([rows, channels, height * width]), out.reshape(flat), index.reshape(flat)).reshape(shape)
    }

    /// Maximum over all positions; as [`Rescale::max_pool1d`].
    ///
    /// # Shapes
    /// - z `[rows, channels, length]`; output `[rows, channels]`
    ///
    /// # Panics
    /// As [`Rescale::activation`].
    pub fn global_max(&self, z: Tensor<3>) -> Tensor<2> {
        if !self.on {
            return z.max_dim(2).squeeze_dim(2);
        }
        let (out, index) = z.clone().inner().max_dim_with_indices(2); // [rows, channels, 1]
        maximum(z, out, index).squeeze_dim(2)
    }
}

/// The rows of the input and, behind them, those of the baseline.
fn halves<const D: usize>(both: &Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let rows = both.dims()[0];
    assert!(rows.is_multiple_of(2), "{rows} rows are not as many of the input as of the baseline");
    (both.clone().narrow(0, 0, rows / 2), both.clone().narrow(0, rows / 2, rows / 2))
}

/// A tensor with the values of `out`, whose derivative by `z` is `slope`; `fixed` is `z` without gradient tracking.
fn bent<const D: usize>(z: Tensor<D>, fixed: Tensor<D>, out: Tensor<D>, slope: Tensor<D>) -> Tensor<D> {
    // the rows of the baseline get no gradient, so their slopes do not matter
    let slope = Tensor::cat(vec![slope.clone(), slope], 0);
    (z - fixed) * slope + out
}

/// The derivative of a function of single elements.
fn derivative<const D: usize>(f: &impl Fn(Tensor<D>) -> Tensor<D>, at: Tensor<D>) -> Tensor<D> {
    let leaf = at.clone().autodiff().require_grad();
    let sum = f(leaf.clone()).sum();
    let found = if sum.is_tracked() { leaf.grad(&sum.backward()) } else { None };
    // a function that does not look at its argument is flat
    found.unwrap_or_else(|| at.zeros_like())
}

/// `out` is the maximum of elements of `z`, and `index` where each was found.
///
/// # Shapes
/// - z `[rows, channels, length]`; out, index and output `[rows, channels, windows]`
fn maximum(z: Tensor<3>, out: Tensor<3>, index: Tensor<3, Int>) -> Tensor<3> {
    let rows = index.dims()[0] / 2;
    let (out_x, out_baseline) = halves(&out);
    let (of_x, of_baseline) = (index.clone().narrow(0, 0, rows), index.narrow(0, rows, rows));
    let grew = out_x.clone().greater_equal(out_baseline.clone());
    let blamed = of_baseline.mask_where(grew, of_x); // [rows / 2, channels, windows]
    let (at_x, at_baseline) = halves(&z.clone().inner());
    let distance = at_x.gather(2, blamed.clone()) - at_baseline.gather(2, blamed.clone());
    let near = distance.clone().abs().lower_scalar(NEAR);
    let slope = (out_x - out_baseline) / distance.mask_fill(near.clone(), 1.0);
    let slope = slope.mask_fill(near, 1.0);
    let chosen = z.gather(2, Tensor::cat(vec![blamed.clone(), blamed], 0)); // [rows, channels, windows]
    let fixed = chosen.clone().inner();
    bent(chosen, fixed, out, slope)
}

/// `DeepLIFT` with the rescale rule (Shrikumar, Greenside and Kundaje 2017); with [`Baseline::Average`], `DeepSHAP`
/// (Lundberg and Lee 2017, section 4.2).
///
/// The values of a row sum to the difference of its outputs, whatever the nonlinearities: a gap above rounding error
/// means that something which bends was not passed through [`Rescale`]. All rows go through the model in one call for
/// each baseline.
///
/// ```
/// use nn_core::burn::tensor::activation::relu;
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Baseline, Rescale, Target, deep_lift};
/// // relu(x₀ + x₁ − 4): the gradient is zero at the baseline, the difference is not
/// let model = |x: Tensor<2>, rule: &Rescale| rule.activation(x.sum_dim(1) - 4.0, relu);
/// let x = Tensor::<2>::from_floats([[6.0, 2.0]], &Device::flex());
/// let found = deep_lift(&model, &x, &Baseline::zero(), &Target::All(0))?;
/// // 4 of the 8 that came in went on
/// assert_eq!(found.rows()?, [[3.0, 1.0]]);
/// assert_eq!(found.check.completeness_gap, Some(vec![0.0]));
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// [`ExplainError`] for empty input, a baseline of another shape, a target that does not exist, a logit that is not
/// finite, or a model that cannot be differentiated.
pub fn deep_lift<const D: usize>(
    model: &impl Fn(Tensor<D>, &Rescale) -> Tensor<2>,
    x: &Tensor<D>,
    baseline: &Baseline<D>,
    target: &Target,
) -> Result<Attribution<D>, ExplainError> {
    let (x, targets) = prepare(x, target)?;
    let baselines = baseline.tensors(&x)?;
    let (rows, share) = (targets.len(), baselines.len() as f64);
    let mut changes = vec![0.0; rows];
    let mut total: Option<Tensor<D>> = None;
    for baseline in &baselines {
        let leaf = Tensor::cat(vec![x.clone(), baseline.clone()], 0).autodiff().require_grad(); // [2 rows, …]
        let picked = pick(model(leaf.clone(), &Rescale { on: true }), &targets.repeat(2))?; // [2 rows, 1]
        if !picked.is_tracked() {
            return Err(ExplainError::NoGradient { what: "input" });
        }
        let scores = read(picked.clone(), 0, rows)?;
        for (row, change) in changes.iter_mut().enumerate() {
            *change += (scores[row] - scores[rows + row]) / share;
        }
        let gradients = picked.narrow(0, 0, rows).sum().backward();
        let multipliers = leaf.grad(&gradients).ok_or(ExplainError::NoGradient { what: "input" })?;
        let values = multipliers.narrow(0, 0, rows) * (x.clone() - baseline.clone()) / share;
        total = Some(match total {
            Some(total) => total + values,
            None => values,
        });
    }
    let values = total.ok_or(ExplainError::Empty)?;
    let completeness_gap = Some(gaps(&row_sums(&host(&values)?, rows), &changes));
    let check = Check { completeness_gap, convergence_delta: None, evaluations: 2 * rows * baselines.len() };
    Ok(Attribution { values, check })
}
