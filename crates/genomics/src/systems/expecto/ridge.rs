//! Linear regression with a penalty on the squares of the weights.
//!
//! Hoerl and Kennard 1970, *Ridge regression: biased estimation for nonorthogonal problems*, Technometrics 12:55; solved by
//! conjugate gradients (Hestenes and Stiefel 1952, *Methods of conjugate gradients for solving linear systems*, Journal of
//! Research of the National Bureau of Standards 49:409), which need the table alone and never its square.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Part of its first size at which the residual is small enough.
const TOLERANCE: f64 = 1e-10;
/// Columns that a thread takes at a time.
const BLOCK: usize = 256;

/// Data that no line can be fitted to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RidgeError {
    /// Features and targets do not belong together.
    #[error("{features} features and {targets} targets do not make rows of {columns} features; give at least one row")]
    Shape {
        /// Number of features.
        features: usize,
        /// Number of targets.
        targets: usize,
        /// Features of a row.
        columns: usize,
    },
    /// A number that is not finite, or a penalty below zero.
    #[error("the {what} is {value}; allowed: {allowed}")]
    Value {
        /// Which number.
        what: &'static str,
        /// The number found.
        value: f64,
        /// What would be accepted.
        allowed: &'static str,
    },
}

/// Weights and an intercept, which minimise Σ (y − b − x·w)² + λ Σ w².
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ridge {
    /// One for each feature.
    pub weights: Vec<f64>,
    /// b, on which there is no penalty.
    pub intercept: f64,
}

impl Ridge {
    /// λ of the authors' `train.py`.
    pub const L2: f64 = 100.0;

    /// Fits `targets` to rows of `columns` features.
    ///
    /// # Errors
    /// [`RidgeError`].
    pub fn fit(features: &[f64], columns: usize, targets: &[f64], l2: f64) -> Result<Self, RidgeError> {
        if columns == 0 || targets.is_empty() || features.len() != columns * targets.len() {
            return Err(RidgeError::Shape { features: features.len(), targets: targets.len(), columns });
        }
        for (what, values) in [("feature", features), ("target", targets)] {
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(RidgeError::Value { what, value, allowed: "finite numbers" });
            }
        }
        if !(l2.is_finite() && l2 >= 0.0) {
            return Err(RidgeError::Value { what: "penalty", value: l2, allowed: "finite numbers of at least 0" });
        }
        let table = Table::new(features, columns);
        let level = mean(targets);
        let centred: Vec<f64> = targets.iter().map(|target| target - level).collect();
        let weights = table.solve(&table.transposed(&centred), l2);
        let intercept = level - dot(&weights, &table.means);
        Ok(Self { weights, intercept })
    }

    /// b + x·w of each row.
    ///
    /// # Panics
    /// If the features do not fill whole rows.
    pub fn predict(&self, features: &[f64]) -> Vec<f64> {
        let columns = self.weights.len();
        assert!(
            columns > 0 && features.len().is_multiple_of(columns),
            "{} features in rows of {columns}",
            features.len()
        );
        features.par_chunks(columns).map(|row| self.intercept + dot(row, &self.weights)).collect()
    }
}

/// The features, less the mean of each column, without a copy of them.
struct Table<'a> {
    values: &'a [f64],
    columns: usize,
    means: Vec<f64>,
}

impl<'a> Table<'a> {
    fn new(values: &'a [f64], columns: usize) -> Self {
        let mut table = Self { values, columns, means: vec![0.0; columns] };
        let rows = values.len() / columns;
        table.means = table.transposed(&vec![1.0 / rows as f64; rows]);
        table
    }

    /// X w.
    fn times(&self, weights: &[f64]) -> Vec<f64> {
        let level = dot(&self.means, weights);
        self.values.par_chunks(self.columns).map(|row| dot(row, weights) - level).collect()
    }

    /// Xᵀ z. Each column is summed over the rows in their order, whatever the threads do.
    fn transposed(&self, z: &[f64]) -> Vec<f64> {
        let total: f64 = z.iter().sum();
        let mut sums: Vec<f64> = self.means.iter().map(|mean| -mean * total).collect();
        sums.par_chunks_mut(BLOCK).enumerate().for_each(|(block, sums)| {
            for (row, z) in self.values.chunks_exact(self.columns).zip(z) {
                let part = &row[block * BLOCK..][..sums.len()];
                sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += z * value);
            }
        });
        sums
    }

    /// The `w` with `(XᵀX + λ) w = b`.
    fn solve(&self, b: &[f64], l2: f64) -> Vec<f64> {
        let mut w = vec![0.0; self.columns];
        let mut residual = b.to_vec();
        let mut direction = residual.clone();
        let mut size = dot(&residual, &residual);
        let small = size * TOLERANCE * TOLERANCE;
        // In exact arithmetic as many steps as there are columns or rows suffice; rounding asks for some more.
        let steps = 10 * self.columns.min(self.values.len() / self.columns) + 20;
        for _ in 0..steps {
            if size <= small || size == 0.0 {
                break;
            }
            let mut image = self.transposed(&self.times(&direction));
            image.iter_mut().zip(&direction).for_each(|(image, d)| *image += l2 * d);
            let curvature = dot(&direction, &image);
            if curvature <= 0.0 {
                break;
            }
            let step = size / curvature;
            w.iter_mut().zip(&direction).for_each(|(w, d)| *w += step * d);
            residual.iter_mut().zip(&image).for_each(|(r, image)| *r -= step * image);
            let next = dot(&residual, &residual);
            let keep = next / size;
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + keep * *d);
            size = next;
        }
        w
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::parts::tests::expected;
    use nn_core::layers::init::{Fan, Init};

    fn normal(count: usize, seed: u64) -> Vec<f64> {
        let values =
            Init::Normal(1.0).values(&[count], Fan { inputs: 1, outputs: 1 }, &mut nn_core::data::rng(seed, &[]));
        values.into_iter().map(f64::from).collect()
    }

    #[test]
    fn weights_are_those_of_scikit_learn() {
        // features and targets are those of the script: noise of a name
        let noise = |name: &str, count| crate::systems::golden::noise(name, count).map(f64::from).collect::<Vec<f64>>();
        let (x, y) = (noise("ridge.x", 12 * 4), noise("ridge.y", 12));
        for (name, l2) in [("ridge.0.5", 0.5), ("ridge.100", 100.0)] {
            let found = Ridge::fit(&x, 4, &y, l2).unwrap();
            let expected = expected(name);
            assert_eq!(expected.len(), 5);
            for (found, expected) in found.weights.iter().chain([&found.intercept]).zip(&expected) {
                assert!((found - expected).abs() < 1e-9, "{name}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn more_columns_than_rows_and_the_gradient_is_zero() {
        // columns far from zero, and more of them than a block
        let (rows, columns) = (30, 600);
        let x: Vec<f64> = normal(rows * columns, 1).into_iter().map(|value| value + 3.0).collect();
        let y: Vec<f64> = normal(rows, 2).into_iter().map(|value| value - 7.0).collect();
        let ridge = Ridge::fit(&x, columns, &y, 2.0).unwrap();
        let errors: Vec<f64> = ridge.predict(&x).iter().zip(&y).map(|(found, y)| found - y).collect();
        // derivatives of the sum by the intercept and by each weight
        assert!(errors.iter().sum::<f64>().abs() < 1e-8);
        for (column, weight) in ridge.weights.iter().enumerate() {
            let slope: f64 = (0..rows).map(|row| errors[row] * x[row * columns + column]).sum();
            assert!((slope + 2.0 * weight).abs() < 1e-7, "column {column}: {slope} {weight}");
        }
        assert!(errors.iter().all(|error| error.abs() > 0.0));
    }

    #[test]
    fn without_a_penalty_a_plane_is_found() {
        let x = normal(40, 3);
        let y: Vec<f64> = x.chunks_exact(2).map(|row| 1.5 * row[0] - 0.5 * row[1] + 4.0).collect();
        let found = Ridge::fit(&x, 2, &y, 0.0).unwrap();
        for (found, expected) in found.weights.iter().chain([&found.intercept]).zip([1.5, -0.5, 4.0]) {
            assert!((found - expected).abs() < 1e-9, "{found}");
        }
        // a constant target has no slope, and equal rows none either
        assert_eq!(Ridge::fit(&x, 2, &[2.0; 20], 1.0).unwrap(), Ridge { weights: vec![0.0; 2], intercept: 2.0 });
        assert_eq!(Ridge::fit(&[1.0; 4], 2, &[1.0, 3.0], 0.0).unwrap().intercept, 2.0);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let message = |x: &[f64], columns, y: &[f64], l2| Ridge::fit(x, columns, y, l2).unwrap_err().to_string();
        let shape = "3 features and 2 targets do not make rows of 2 features; give at least one row";
        assert_eq!(message(&[1.0; 3], 2, &[1.0; 2], 1.0), shape);
        assert!(message(&[], 0, &[], 1.0).starts_with("0 features"));
        assert_eq!(message(&[f64::NAN; 2], 1, &[1.0; 2], 1.0), "the feature is NaN; allowed: finite numbers");
        assert_eq!(message(&[1.0; 2], 1, &[1.0; 2], -1.0), "the penalty is -1; allowed: finite numbers of at least 0");
    }
}
