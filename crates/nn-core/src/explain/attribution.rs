//! The values of an explanation, and their check.

use burn::tensor::{Tensor, TensorData};

use super::{ExplainError, Groups};

/// What speaks for or against the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Check {
    /// For each row: sum of the values − (output − output at the baseline). A value that stands for a group or a window
    /// counts once. `None` where the method does not divide the output among the inputs.
    pub completeness_gap: Option<Vec<f64>>,
    /// For each row: the largest change of a value when the number of nodes or samples went from a half to the whole.
    /// `None` where the method is exact, or where it was not asked for.
    pub convergence_delta: Option<Vec<f64>>,
    /// Rows that the model was evaluated on, each of a batch counted.
    pub evaluations: usize,
}

impl Check {
    /// The completeness gap that is largest in size.
    pub fn largest_gap(&self) -> Option<f64> {
        self.completeness_gap.as_ref().map(|gaps| gaps.iter().fold(0.0_f64, |worst, gap| worst.max(gap.abs())))
    }
}

/// One value for each element of the input, and their check.
#[derive(Debug, Clone)]
pub struct Attribution<const D: usize> {
    /// The values, of the input's shape (for a layer's map, the shape that its method names).
    pub values: Tensor<D>,
    /// How far they can be trusted.
    pub check: Check,
}

impl<const D: usize> Attribution<D> {
    /// The values of each row, row-major.
    ///
    /// # Errors
    /// [`ExplainError::Read`] when the device gives no values.
    pub fn rows(&self) -> Result<Vec<Vec<f64>>, ExplainError> {
        let values = host(&self.values)?;
        let elements = (values.len() / self.values.dims()[0].max(1)).max(1);
        Ok(values.chunks(elements).map(<[f64]>::to_vec).collect())
    }

    /// One value for each group of each row, `[rows][groups]`, after a method that values groups.
    ///
    /// # Errors
    /// [`ExplainError::Shape`] when `groups` divides rows of another size.
    pub fn by_group(&self, groups: &Groups) -> Result<Vec<Vec<f64>>, ExplainError> {
        groups.check(&self.values)?;
        let first = groups.first_elements();
        Ok(self.rows()?.into_iter().map(|row| first.iter().map(|&element| row[element]).collect()).collect())
    }
}

/// The values on the host.
pub(super) fn host<const D: usize>(values: &Tensor<D>) -> Result<Vec<f64>, ExplainError> {
    Ok(values.clone().inner().try_into_vec_as::<f64>()?)
}

/// Values for each element of `x`, on its device and in its precision.
pub(super) fn tensor_like<const D: usize>(values: Vec<f64>, x: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, x.dims()), (&x.device(), x.dtype()))
}

/// Sum of each of `rows` equal parts.
pub(super) fn row_sums(values: &[f64], rows: usize) -> Vec<f64> {
    values.chunks((values.len() / rows).max(1)).map(|row| row.iter().sum()).collect()
}

/// What the sums have more than the changes.
pub(super) fn gaps(sums: &[f64], changes: &[f64]) -> Vec<f64> {
    sums.iter().zip(changes).map(|(sum, change)| sum - change).collect()
}

/// In each of `rows` equal parts, the largest distance of two values.
pub(super) fn largest_changes(a: &[f64], b: &[f64], rows: usize) -> Vec<f64> {
    let elements = (a.len() / rows).max(1);
    let change = |(a, b): (&[f64], &[f64])| a.iter().zip(b).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
    a.chunks(elements).zip(b.chunks(elements)).map(change).collect()
}
