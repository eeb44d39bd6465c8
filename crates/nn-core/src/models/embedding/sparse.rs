//! A matrix of which only the entries that differ from zero are stored, row by row.

use rayon::prelude::*;

use super::EmbeddingError;

/// A sparse matrix in compressed rows; columns ascend within a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseMatrix {
    shape: [usize; 2],
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl SparseMatrix {
    /// The matrix with these entries `(row, column, value)` in any order; entries of one place are added.
    ///
    /// # Errors
    /// - [`EmbeddingError::NoSuchCode`] for a row or column outside of `shape`, `[rows, columns]`;
    /// - [`EmbeddingError::Value`] for a value that is not finite.
    pub fn new(shape: [usize; 2], entries: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Self, EmbeddingError> {
        let mut all: Vec<(u32, u32, f64)> = entries.into_iter().collect();
        for (at, &(row, column, value)) in all.iter().enumerate() {
            for (code, rows) in [(row, shape[0]), (column, shape[1])] {
                if code as usize >= rows {
                    return Err(EmbeddingError::NoSuchCode { code, rows });
                }
            }
            if !value.is_finite() {
                return Err(EmbeddingError::Value { what: "entry", at, value, allowed: "finite numbers" });
            }
        }
        // stable, so that the order of additions is that of the entries
        all.sort_by_key(|&(row, column, _)| (row, column));
        all.dedup_by(|later, first| {
            let same = (later.0, later.1) == (first.0, first.1);
            if same {
                first.2 += later.2;
            }
            same
        });
        Ok(Self::from_sorted(shape, all))
    }

    /// From entries in ascending order of row and column, no place twice and all inside of `shape`.
    pub(super) fn from_sorted(shape: [usize; 2], entries: impl IntoIterator<Item = (u32, u32, f64)>) -> Self {
        let (mut starts, mut columns, mut values) = (vec![0; shape[0] + 1], Vec::new(), Vec::new());
        for (row, column, value) in entries {
            columns.push(column);
            values.push(value);
            starts[row as usize + 1] = columns.len();
        }
        // a row without entries ends where the one before it does
        for row in 1..starts.len() {
            starts[row] = starts[row].max(starts[row - 1]);
        }
        Self { shape, starts, columns, values }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Number of stored entries.
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// The stored entries `(row, column, value)` in ascending order of row and column.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u32, f64)> {
        (0..self.shape[0]).flat_map(move |row| self.row(row).map(move |(column, value)| (row as u32, column, value)))
    }

    /// The stored entries `(column, value)` of one row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> {
        let span = self.starts[row]..self.starts[row + 1];
        self.columns[span.clone()].iter().copied().zip(self.values[span].iter().copied())
    }

    /// The matrix with rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let [rows, columns] = self.shape;
        let mut starts = vec![0; columns + 1];
        for &column in &self.columns {
            starts[column as usize + 1] += 1;
        }
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let (mut indices, mut values) = (vec![0; self.stored()], vec![0.0; self.stored()]);
        for (row, column, value) in self.entries() {
            let place = &mut next[column as usize];
            (indices[*place], values[*place]) = (row, value);
            *place += 1;
        }
        Self { shape: [columns, rows], starts, columns: indices, values }
    }

    /// The product with a dense row-major `[columns, width]` matrix, `[rows, width]`. Each row is summed by
    /// one thread, so that the result does not depend on their number.
    pub(super) fn times(&self, dense: &[f64], width: usize) -> Vec<f64> {
        let mut product = vec![0.0; self.shape[0] * width];
        product.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, out)| {
            for (column, value) in self.row(row) {
                let other = &dense[column as usize * width..][..width];
                out.iter_mut().zip(other).for_each(|(out, other)| *out += value * other);
            }
        });
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_added_and_transposed() {
        let entries = [(2, 1, 5.0), (0, 3, 1.0), (2, 0, -1.0), (0, 3, 0.5), (2, 3, 2.0)];
        let matrix = SparseMatrix::new([4, 4], entries).unwrap();
        let sorted = [(0, 3, 1.5), (2, 0, -1.0), (2, 1, 5.0), (2, 3, 2.0)];
        assert_eq!(matrix.entries().collect::<Vec<_>>(), sorted);
        assert_eq!((matrix.shape(), matrix.stored()), ([4, 4], 4));
        let turned = sorted.map(|(row, column, value)| (column, row, value));
        assert_eq!(matrix.transposed(), SparseMatrix::new([4, 4], turned).unwrap());
        assert_eq!(matrix.row(1).count(), 0);
    }

    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let matrix = SparseMatrix::new([2, 3], [(0, 0, 2.0), (0, 2, -1.0), (1, 1, 3.0)]).unwrap();
        assert_eq!(matrix.times(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2), [-3.0, -2.0, 9.0, 12.0]);
        assert_eq!(matrix.transposed().times(&[1.0, 10.0], 1), [2.0, 30.0, -1.0]);
    }

    #[test]
    fn places_outside_of_the_matrix_are_refused() {
        assert!(SparseMatrix::new([2, 3], [(2, 0, 1.0)]).is_err());
        assert!(SparseMatrix::new([2, 3], [(0, 3, 1.0)]).is_err());
        assert!(SparseMatrix::new([2, 3], [(0, 0, f64::NAN)]).is_err());
        assert_eq!(SparseMatrix::new([2, 3], []).unwrap().stored(), 0);
    }
}
