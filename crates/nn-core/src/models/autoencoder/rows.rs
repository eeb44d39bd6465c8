//! Rows of equal length in memory, and the small things that every objective over them needs.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::layers::init::{Fan, Init};
use crate::train::StepError;

/// Rows that are judged or encoded at a time.
pub(crate) const CHUNK: usize = 4096;

/// Rows that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The values do not fill whole rows.
    #[error("{values} values do not make rows of {columns} columns; give a multiple of a width of at least 1")]
    Shape {
        /// Values given.
        values: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// A value that is NaN or infinite.
    #[error("row {row}, column {column} is {value}; replace what is not finite")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: String,
    },
    /// A row that is not there.
    #[error("row {row} was asked for, there are {rows}")]
    Missing {
        /// The row, from 0.
        row: usize,
        /// Number of rows.
        rows: usize,
    },
}

/// Rows of equal length, row-major and all finite. Clones share the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Arc<[f32]>,
    columns: usize,
}

impl Rows {
    /// `values` lie row behind row, `columns` of them in each.
    ///
    /// # Errors
    /// [`RowsError`] for values that do not fill whole rows or are not finite.
    pub fn new(values: Vec<f32>, columns: usize) -> Result<Self, RowsError> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(RowsError::Shape { values: values.len(), columns });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / columns, at % columns);
            return Err(RowsError::NotFinite { row, column, value: values[at].to_string() });
        }
        Ok(Self { values: values.into(), columns })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row behind row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values of `rows`, one row behind the other.
    ///
    /// # Errors
    /// [`RowsError::Missing`].
    pub fn gather(&self, rows: &[usize]) -> Result<Vec<f32>, RowsError> {
        let mut found = Vec::with_capacity(rows.len() * self.columns);
        for &row in rows {
            if row >= self.len() {
                return Err(RowsError::Missing { row, rows: self.len() });
            }
            found.extend_from_slice(&self.values[row * self.columns..][..self.columns]);
        }
        Ok(found)
    }

    /// The rows as a tensor.
    ///
    /// # Shapes
    /// - output `[rows, columns]`
    ///
    /// # Errors
    /// [`RowsError::Missing`].
    pub fn batch(&self, rows: &[usize], device: &Device) -> Result<Tensor<2>, RowsError> {
        Ok(matrix(self.gather(rows)?, self.columns, device))
    }

    /// All rows in their order, at most 4,096 at a time.
    ///
    /// # Shapes
    /// - items `[rows, columns]`
    pub(crate) fn chunks(&self, device: &Device) -> impl Iterator<Item = Tensor<2>> {
        let columns = self.columns;
        self.values.chunks(CHUNK * columns).map(move |values| matrix(values.to_vec(), columns, device))
    }
}

/// # Shapes
/// - output `[values / columns, columns]`
pub(crate) fn matrix(values: Vec<f32>, columns: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / columns;
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// Independent draws from N(0, 1).
///
/// # Shapes
/// - output `shape`
pub(crate) fn normal(shape: [usize; 2], rng: &mut ChaCha8Rng, device: &Device) -> Tensor<2> {
    let values = Init::Normal(1.0).values(&shape, Fan::dense(shape), rng);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The one value of a tensor.
pub(crate) fn scalar(value: Tensor<1>, what: &'static str) -> Result<f64, StepError> {
    value.try_into_scalar::<f64>().map_err(|error| StepError::Device { what, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_checked_gathered_and_cut() {
        let rows = Rows::new((0..12_u8).map(f32::from).collect(), 3).unwrap();
        assert_eq!((rows.len(), rows.columns(), rows.is_empty()), (4, 3, false));
        assert_eq!(rows.gather(&[3, 0]).unwrap(), [9.0, 10.0, 11.0, 0.0, 1.0, 2.0]);
        assert_eq!(rows.gather(&[4]), Err(RowsError::Missing { row: 4, rows: 4 }));
        assert_eq!(Rows::new(vec![0.0; 5], 3), Err(RowsError::Shape { values: 5, columns: 3 }));
        assert_eq!(Rows::new(vec![], 0), Err(RowsError::Shape { values: 0, columns: 0 }));
        let error = Rows::new(vec![0.0, 1.0, 2.0, f32::NAN], 2).unwrap_err().to_string();
        assert_eq!(error, "row 1, column 1 is NaN; replace what is not finite");

        let many = Rows::new(vec![1.0; 2 * (CHUNK + 5)], 2).unwrap();
        let device = Device::flex();
        let cut: Vec<[usize; 2]> = many.chunks(&device).map(|chunk| chunk.dims()).collect();
        assert_eq!(cut, [[CHUNK, 2], [5, 2]]);
    }
}
