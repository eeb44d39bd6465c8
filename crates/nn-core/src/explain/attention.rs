//! Read-out of attention weights.

use std::cell::RefCell;

use burn::tensor::Tensor;

use super::ExplainError;

/// Collects the weights that the attention layers of a model report while it runs.
///
/// Weights say where a layer looked; that the output would be another had it looked elsewhere does not follow from them
/// (Jain and Wallace 2019). Compare with [`super::Occlusion`] before reading them as reasons.
///
/// ```
/// use nn_core::burn::tensor::activation::softmax;
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::AttentionRecorder;
/// let recorder = AttentionRecorder::new();
/// let weights = softmax(Tensor::<2>::from_floats([[1.0, 1.0]], &Device::flex()), 1);
/// recorder.report("pooling", &weights, 1);
/// let maps = recorder.into_maps()?;
/// assert_eq!((maps[0].name.as_str(), &maps[0].weights), ("pooling", &vec![0.5, 0.5]));
/// assert!(maps[0].sum_gap < 1e-6);
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Default)]
pub struct AttentionRecorder {
    reports: RefCell<Vec<Report>>,
}

#[derive(Debug)]
struct Report {
    name: String,
    shape: Vec<usize>,
    axis: usize,
    /// `[before, along the axis, behind]`
    weights: Tensor<3>,
}

/// The weights of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionMap {
    /// The layer's name.
    pub name: String,
    /// Shape of the weights, the rows first.
    pub shape: Vec<usize>,
    /// The axis along which the layer divides its attention.
    pub axis: usize,
    /// The weights, row-major.
    pub weights: Vec<f64>,
    /// The check: the largest distance from 1 of a sum along the axis. Masked rows without any weight show as 1.
    pub sum_gap: f64,
}

impl AttentionRecorder {
    /// A recorder without reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the weights of a layer, which should sum to 1 along `axis`. They are not read from the device yet.
    ///
    /// # Panics
    /// When `axis` is not below D.
    pub fn report<const D: usize>(&self, name: &str, weights: &Tensor<D>, axis: usize) {
        let dims = weights.dims();
        assert!(axis < D, "axis {axis} of weights with {D} axes");
        let (before, behind) = (dims[..axis].iter().product(), dims[axis + 1..].iter().product());
        let flat: [usize; 3] = [before, dims[axis], behind];
        let weights = weights.clone().inner().reshape(flat);
        self.reports.borrow_mut().push(Report { name: name.to_owned(), shape: dims.to_vec(), axis, weights });
    }

    /// The weights in the order of their reports.
    ///
    /// # Errors
    /// [`ExplainError::Read`] when the device gives no values.
    pub fn into_maps(self) -> Result<Vec<AttentionMap>, ExplainError> {
        let map = |Report { name, shape, axis, weights }: Report| -> Result<AttentionMap, ExplainError> {
            let sums = weights.clone().sum_dim(1).try_into_vec_as::<f64>()?;
            let sum_gap = sums.iter().fold(0.0_f64, |worst, sum| worst.max((sum - 1.0).abs()));
            Ok(AttentionMap { name, shape, axis, weights: weights.try_into_vec_as::<f64>()?, sum_gap })
        };
        self.reports.into_inner().into_iter().map(map).collect()
    }
}
