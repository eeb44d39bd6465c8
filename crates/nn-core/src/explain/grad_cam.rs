//! What a layer saw: its activations, their gradients, and Grad-CAM.

use std::cell::RefCell;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::attribution::{gaps, host, row_sums};
use super::model::{pick, prepare, read};
use super::{Attribution, Check, ExplainError, Target};

/// A place in a model at which activations are read and their gradient is taken.
///
/// The model calls [`Probe::add`] on the activations of one layer and goes on with what it returns. While explaining,
/// that is the activations plus a zero whose gradient is kept, so nothing needs to be remembered for other layers, and
/// nothing in front of the probe is differentiated.
#[derive(Debug)]
pub struct Probe<const P: usize> {
    mode: Mode,
    /// Activations and the zero added to them.
    seen: RefCell<Vec<(Tensor<P>, Tensor<P>)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Record,
    /// The layer is all zero.
    Silence,
}

impl<const P: usize> Probe<P> {
    fn new(mode: Mode) -> Self {
        Self { mode, seen: RefCell::new(Vec::new()) }
    }

    /// A probe that lets activations pass unchanged: for use of the model.
    ///
    /// ```
    /// use nn_core::burn::tensor::{Device, Tensor};
    /// use nn_core::explain::Probe;
    /// let x = Tensor::<1>::from_floats([-1.0, 2.0], &Device::flex());
    /// assert_eq!(Probe::off().add(x).try_into_vec_as::<f32>()?, [-1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn off() -> Self {
        Self::new(Mode::Off)
    }

    /// The layer of interest.
    ///
    /// # Shapes
    /// - activation `[rows, …]` and output the same
    pub fn add(&self, activation: Tensor<P>) -> Tensor<P> {
        match self.mode {
            Mode::Off => activation,
            Mode::Record => {
                let fixed = activation.clone().inner();
                let zero = fixed.zeros_like().autodiff().require_grad();
                self.seen.borrow_mut().push((fixed, zero.clone()));
                activation + zero
            }
            Mode::Silence => activation.zeros_like(),
        }
    }
}

/// The activations of a layer and the gradient of the output by them.
#[derive(Debug, Clone)]
pub struct LayerGradient<const P: usize> {
    /// The activations, `[rows, …]`.
    pub activation: Tensor<P>,
    /// The gradient of each row's logit by its activations, of the same shape.
    pub gradient: Tensor<P>,
    /// What each row's logit loses when the layer is all zero.
    pub loss: Vec<f64>,
    /// The completeness gap is that of activation × gradient against a layer that is all zero.
    pub check: Check,
}

/// The activations of the layer that the model marks with its probe, and their gradient.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Probe, Target, layer_gradient};
/// let model = |x: Tensor<2>, probe: &Probe<2>| probe.add(x * 2.0) * 3.0;
/// let x = Tensor::<2>::from_floats([[1.0, 5.0]], &Device::flex());
/// let layer = layer_gradient(&model, &x, &Target::All(1))?;
/// assert_eq!(layer.activation.try_into_vec_as::<f32>()?, [2.0, 10.0]);
/// assert_eq!(layer.gradient.try_into_vec_as::<f32>()?, [0.0, 3.0]);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// [`ExplainError`] for empty input, a target that does not exist, a logit that is not finite, a probe that was not
/// called exactly once, or an output that does not depend on the layer.
pub fn layer_gradient<const D: usize, const P: usize>(
    model: &impl Fn(Tensor<D>, &Probe<P>) -> Tensor<2>,
    x: &Tensor<D>,
    target: &Target,
) -> Result<LayerGradient<P>, ExplainError> {
    let (x, targets) = prepare(x, target)?;
    let rows = targets.len();
    let probe = Probe::new(Mode::Record);
    let picked = pick(model(x.clone(), &probe), &targets)?;
    let mut seen = probe.seen.into_inner();
    let calls = seen.len();
    let (Some((activation, zero)), 1) = (seen.pop(), calls) else {
        return Err(ExplainError::Probe { calls });
    };
    if !picked.is_tracked() {
        return Err(ExplainError::NoGradient { what: "layer" });
    }
    let scores = read(picked.clone(), 0, rows)?;
    let gradients = picked.sum().backward();
    let gradient = zero.grad(&gradients).ok_or(ExplainError::NoGradient { what: "layer" })?;
    let silenced = read(pick(model(x, &Probe::new(Mode::Silence)), &targets)?, 0, rows)?;
    let loss = gaps(&scores, &silenced);
    let products = host(&(activation.clone() * gradient.clone()))?;
    let completeness_gap = Some(gaps(&row_sums(&products, rows), &loss));
    let check = Check { completeness_gap, convergence_delta: None, evaluations: 2 * rows };
    Ok(LayerGradient { activation, gradient, loss, check })
}

impl<const P: usize> LayerGradient<P> {
    /// Grad-CAM (Selvaraju et al. 2017, equations 1 and 2): the activations of each position, weighted with the mean
    /// gradient of their channel and summed over the channels; only what speaks for the target when `rectified`.
    ///
    /// The completeness gap is that of the map before it is rectified, against a layer that is all zero. It vanishes
    /// where the layer is pooled by its mean and read by a linear layer: then this is the class activation map.
    ///
    /// # Shapes
    /// - activations `[rows, channels, positions…]`; map `[rows, 1, positions…]`
    ///
    /// # Errors
    /// [`ExplainError::Shape`] for a layer without positions, [`ExplainError::Read`] when the device gives no values.
    pub fn grad_cam(&self, rectified: bool) -> Result<Attribution<P>, ExplainError> {
        let dims = self.activation.dims();
        if P < 3 {
            let expected = "rows, channels and at least one axis of positions".to_owned();
            return Err(ExplainError::Shape { what: "the layer", found: dims.to_vec(), expected });
        }
        let positions: Vec<usize> = (2..P).collect();
        let weights = self.gradient.clone().mean_dims(&positions); // [rows, channels, 1…]
        let map = (weights * self.activation.clone()).sum_dim(1); // [rows, 1, positions…]
        let completeness_gap = Some(gaps(&row_sums(&host(&map)?, dims[0]), &self.loss));
        let check = Check { completeness_gap, convergence_delta: None, evaluations: self.check.evaluations };
        Ok(Attribution { values: if rectified { relu(map) } else { map }, check })
    }
}

/// [`LayerGradient::grad_cam`], rectified, of the layer that the model marks.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{Probe, Target, grad_cam};
/// // one channel of three positions, pooled by its mean: the map divides the logit of 2
/// let model = |x: Tensor<3>, probe: &Probe<3>| probe.add(x).mean_dim(2).squeeze_dim::<2>(2);
/// let x = Tensor::<3>::from_floats([[[0.0, 3.0, 3.0]]], &Device::flex());
/// let map = grad_cam(&model, &x, &Target::All(0))?;
/// for (value, wanted) in map.rows()?[0].iter().zip([0.0, 1.0, 1.0]) {
///     assert!((value - wanted).abs() < 1e-6);
/// }
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
///
/// # Errors
/// As [`layer_gradient`] and [`LayerGradient::grad_cam`].
pub fn grad_cam<const D: usize, const P: usize>(
    model: &impl Fn(Tensor<D>, &Probe<P>) -> Tensor<2>,
    x: &Tensor<D>,
    target: &Target,
) -> Result<Attribution<P>, ExplainError> {
    layer_gradient(model, x, target)?.grad_cam(true)
}
