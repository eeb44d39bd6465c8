//! What the output does when an input moves a little: the gradient and its smoothed form.

use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::attribution::{gaps, host, largest_changes, row_sums};
use super::model::{Runner, prepare};
use super::{Attribution, Check, ExplainError, Scorer, Target};
use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};

/// Rows in one call of the model, where a configuration does not say otherwise.
pub(super) const ROWS_PER_CALL: usize = 1024;
/// The largest number of rows that may be asked for in one call, of nodes, samples and the like.
pub(super) const MANY: usize = 1 << 30;

/// The gradient of the target's logit by the input, with its sign.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Target, gradient};
/// let weight = Tensor::<2>::from_floats([[1.0], [-2.0]], &Device::flex());
/// let model = |x: Tensor<2>| x.matmul(weight.clone());
/// let x = Tensor::<2>::from_floats([[5.0, 7.0]], &Device::flex());
/// assert_eq!(gradient(&model, &x, &Target::All(0))?.rows()?, [[1.0, -2.0]]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// [`ExplainError`] for empty input, a target that does not exist, a logit that is not finite, or a model that cannot
/// be differentiated.
pub fn gradient<const D: usize>(
    model: &impl Scorer<D>,
    x: &Tensor<D>,
    target: &Target,
) -> Result<Attribution<D>, ExplainError> {
    let (x, targets) = prepare(x, target)?;
    let mut runner = Runner::new(model, targets.len(), ROWS_PER_CALL);
    let (values, _) = runner.gradients(&x, &targets)?;
    Ok(Attribution { values, check: Check { evaluations: runner.evaluations(), ..Check::default() } })
}

/// The size of the [`gradient`] (Simonyan, Vedaldi and Zisserman 2014, section 3).
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Target, saliency};
/// let model = |x: Tensor<2>| x * -3.0;
/// let x = Tensor::<2>::from_floats([[5.0, 7.0]], &Device::flex());
/// assert_eq!(saliency(&model, &x, &Target::All(1))?.rows()?, [[0.0, 3.0]]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// As [`gradient`].
pub fn saliency<const D: usize>(
    model: &impl Scorer<D>,
    x: &Tensor<D>,
    target: &Target,
) -> Result<Attribution<D>, ExplainError> {
    let Attribution { values, check } = gradient(model, x, target)?;
    Ok(Attribution { values: values.abs(), check })
}

/// The [`gradient`] times the input (Shrikumar et al. 2016): what a linear model adds up.
///
/// The completeness gap is that against a baseline of zero; it is zero for linear models and for networks of rectified
/// units without biases.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Target, input_x_gradient};
/// let model = |x: Tensor<2>| x * -3.0;
/// let x = Tensor::<2>::from_floats([[5.0, 7.0]], &Device::flex());
/// let found = input_x_gradient(&model, &x, &Target::All(1))?;
/// assert_eq!(found.rows()?, [[0.0, -21.0]]);
/// assert_eq!(found.check.completeness_gap, Some(vec![0.0]));
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// As [`gradient`].
pub fn input_x_gradient<const D: usize>(
    model: &impl Scorer<D>,
    x: &Tensor<D>,
    target: &Target,
) -> Result<Attribution<D>, ExplainError> {
    let (x, targets) = prepare(x, target)?;
    let mut runner = Runner::new(model, targets.len(), ROWS_PER_CALL);
    let (gradients, scores) = runner.gradients(&x, &targets)?;
    let at_zero = runner.scores(&x.zeros_like(), &targets)?;
    let values = gradients * x;
    let changes = gaps(&scores, &at_zero);
    let completeness_gap = Some(gaps(&row_sums(&host(&values)?, targets.len()), &changes));
    let check = Check { completeness_gap, convergence_delta: None, evaluations: runner.evaluations() };
    Ok(Attribution { values, check })
}

/// The [`gradient`], averaged over noisy copies of the input (Smilkov et al. 2017).
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{SmoothGrad, Target};
/// let model = |x: Tensor<2>| x * -3.0;
/// let x = Tensor::<2>::from_floats([[5.0, 7.0]], &Device::flex());
/// let smooth = SmoothGrad { samples: 8, sd: 0.5, ..SmoothGrad::default() };
/// let found = smooth.attribute(&model, &x, &Target::All(1), &mut nn_core::data::rng(1, &[]))?;
/// assert_eq!(found.rows()?, [[0.0, -3.0]]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothGrad {
    /// Noisy copies of each row.
    pub samples: usize,
    /// Standard deviation of the normal noise, in units of the input. The paper takes 10 to 20 % of the range of the
    /// input, of which the default is the middle for inputs in 0..=1.
    pub sd: f64,
    /// Rows in one call of the model.
    pub rows_per_call: usize,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        Self { samples: 50, sd: 0.15, rows_per_call: ROWS_PER_CALL }
    }
}

impl SmoothGrad {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no samples, a negative deviation, or no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("samples", self.samples, 1..=MANY)?;
        in_range("sd", self.sd, 0.0..=1e9)?;
        in_range("rows_per_call", self.rows_per_call, 1..=MANY)
    }

    /// The averaged gradient; the convergence delta compares it with that of the first half of the samples.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, and as [`gradient`].
    pub fn attribute<const D: usize>(
        &self,
        model: &impl Scorer<D>,
        x: &Tensor<D>,
        target: &Target,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution<D>, ExplainError> {
        self.validate()?;
        let (x, targets) = prepare(x, target)?;
        let rows = targets.len();
        let elements = x.shape().num_elements() / rows;
        let flat = x.clone().reshape([1, rows, elements]);
        let mut runner = Runner::new(model, rows, self.rows_per_call);
        let mut total = |samples: usize| {
            let weights = vec![1.0 / self.samples as f64; samples];
            weighted_gradients(&mut runner, &x, &targets, &weights, |_, count| {
                let shape = [count, rows, elements];
                let noise = Init::Normal(self.sd).values(&shape, Fan { inputs: 1, outputs: 1 }, rng);
                let noise = Tensor::<3>::from_data(TensorData::new(noise, shape), (&x.device(), x.dtype()));
                noise + flat.clone()
            })
        };
        let half = self.samples / 2;
        let second = total(self.samples - half)?;
        let (values, convergence_delta) = if half == 0 {
            (second, None)
        } else {
            let first = total(half)?;
            let values = first.clone() + second;
            let alone = first * (self.samples as f64 / half as f64);
            let delta = largest_changes(&host(&values)?, &host(&alone)?, rows);
            (values, Some(delta))
        };
        let check = Check { completeness_gap: None, convergence_delta, evaluations: runner.evaluations() };
        Ok(Attribution { values: values.reshape(x.dims()), check })
    }
}

/// Sum of weight × gradient over copies of the rows of `x`, each copy moved to another place.
///
/// `points(first, count)` gives the copies from number `first` on, `[count, rows, elements]`.
///
/// # Shapes
/// - output `[1, rows, elements]`
pub(super) fn weighted_gradients<const D: usize, S: Scorer<D>>(
    runner: &mut Runner<'_, D, S>,
    x: &Tensor<D>,
    targets: &[usize],
    weights: &[f64],
    mut points: impl FnMut(usize, usize) -> Tensor<3>,
) -> Result<Tensor<3>, ExplainError> {
    let rows = targets.len();
    let elements = x.shape().num_elements() / rows;
    let block = runner.copies_per_call();
    let mut parts = Vec::new();
    for (at, part) in weights.chunks(block).enumerate() {
        let count = part.len();
        let mut shape = x.dims();
        shape[0] = count * rows;
        let copies: Tensor<D> = points(at * block, count).reshape(shape);
        let (gradients, _) = runner.gradients(&copies, &targets.repeat(count))?;
        let weight = TensorData::new(part.to_vec(), [count, 1, 1]);
        let weight = Tensor::<3>::from_data(weight, (&x.device(), x.dtype())); // [count, 1, 1]
        parts.push((gradients.reshape([count, rows, elements]) * weight).sum_dim(0)); // [1, rows, elements]
    }
    Ok(Tensor::cat(parts, 0).sum_dim(0))
}
