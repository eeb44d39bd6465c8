//! Linear regression of many numbers on the same features at once.

use rayon::prelude::*;

/// Weights and intercepts that minimise Σ (y − b − x·W)² + λ Σ W², by the Cholesky factor of `XᵀX` + λ (Golub and Van
/// Loan 2013, *Matrix Computations*, section 5.3).
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquares {
    columns: usize,
    /// `[outputs, columns]`.
    weights: Vec<f64>,
    /// `[outputs]`.
    intercepts: Vec<f64>,
}

impl LeastSquares {
    /// Fits `y`, `[rows, outputs]`, to `x`, `[rows, columns]`. A number of y that is missing stands at its column's
    /// mean. λ is above 0, so that there is one minimum, whatever the columns are.
    ///
    /// # Panics
    /// If the tables have not whole and equally many rows, none, or `l2` is not positive.
    pub fn fit(x: &[f32], columns: usize, y: &[f32], outputs: usize, l2: f64) -> Self {
        assert!(l2 > 0.0, "penalty {l2} is not positive");
        assert!(columns > 0 && outputs > 0 && !x.is_empty(), "a table without rows or columns");
        let rows = x.len() / columns;
        assert!(
            x.len() == rows * columns && y.len() == rows * outputs,
            "{} and {} numbers in {rows} rows",
            x.len(),
            y.len()
        );
        let (x, means) = centred(x, columns);
        let (y, levels) = centred(y, outputs);
        let mut factor = products(&x, columns, &x, columns);
        (0..columns).for_each(|at| factor[at * columns + at] += l2);
        cholesky(&mut factor, columns);
        let mut weights = products(&y, outputs, &x, columns);
        weights.par_chunks_mut(columns).for_each(|right| solve(&factor, columns, right));
        let level =
            |(weights, level): (&[f64], &f64)| level - weights.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>();
        let intercepts = weights.chunks_exact(columns).zip(&levels).map(level).collect();
        Self { columns, weights, intercepts }
    }

    /// b + x·W of each row, `[rows, outputs]`.
    ///
    /// # Panics
    /// If x has not whole rows.
    pub fn predict(&self, x: &[f32]) -> Vec<f64> {
        assert!(x.len().is_multiple_of(self.columns), "{} numbers in rows of {}", x.len(), self.columns);
        let of_row = |row: &[f32]| {
            let outputs = self.weights.chunks_exact(self.columns).zip(&self.intercepts);
            let of = |(weights, level): (&[f64], &f64)| {
                level + weights.iter().zip(row).map(|(w, &x)| w * f64::from(x)).sum::<f64>()
            };
            outputs.map(of).collect::<Vec<f64>>()
        };
        x.par_chunks(self.columns).flat_map_iter(of_row).collect()
    }
}

/// The table less the mean of each column, and these means; what is missing becomes 0.
fn centred(table: &[f32], columns: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sums, mut counts) = (vec![0.0; columns], vec![0.0_f64; columns]);
    for (place, &value) in table.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        sums[place % columns] += f64::from(value);
        counts[place % columns] += 1.0;
    }
    let means: Vec<f64> = sums.iter().zip(&counts).map(|(sum, count)| sum / count.max(1.0)).collect();
    let less =
        |(place, &value): (usize, &f32)| if value.is_nan() { 0.0 } else { f64::from(value) - means[place % columns] };
    (table.iter().enumerate().map(less).collect(), means)
}

/// `AᵀB` of tables with the same rows, `[columns of a, columns of b]`; each entry is summed over the rows in order.
fn products(a: &[f64], of_a: usize, b: &[f64], of_b: usize) -> Vec<f64> {
    let mut found = vec![0.0; of_a * of_b];
    found.par_chunks_mut(of_b).enumerate().for_each(|(column, sums)| {
        for (row_a, row_b) in a.chunks_exact(of_a).zip(b.chunks_exact(of_b)) {
            sums.iter_mut().zip(row_b).for_each(|(sum, value)| *sum += row_a[column] * value);
        }
    });
    found
}

/// The lower factor L of `A = L Lᵀ`, in place; what lies above the diagonal stays.
fn cholesky(a: &mut [f64], n: usize) {
    for column in 0..n {
        let (own, below) = a[column * n..].split_at_mut(n);
        let squares: f64 = own[..column].iter().map(|value| value * value).sum();
        // rounding alone can make it negative
        own[column] = (own[column] - squares).max(f64::MIN_POSITIVE).sqrt();
        let own = &own[..=column];
        below.par_chunks_mut(n).for_each(|row| {
            let product: f64 = row[..column].iter().zip(own).map(|(l, r)| l * r).sum();
            row[column] = (row[column] - product) / own[column];
        });
    }
}

/// The x of `L Lᵀ x = b`, in place of b.
fn solve(factor: &[f64], n: usize, b: &mut [f64]) {
    for row in 0..n {
        let product: f64 = factor[row * n..][..row].iter().zip(&b[..row]).map(|(l, x)| l * x).sum();
        b[row] = (b[row] - product) / factor[row * n + row];
    }
    for row in (0..n).rev() {
        let product: f64 = (row + 1..n).map(|below| factor[below * n + row] * b[below]).sum();
        b[row] = (b[row] - product) / factor[row * n + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::expecto::Ridge;
    use crate::systems::golden::noise;

    #[test]
    fn each_output_is_the_ridge_regression_of_its_own() {
        let (rows, columns, outputs) = (40, 7, 3);
        let x: Vec<f32> = noise("least.x", rows * columns).map(|value| value + 2.0).collect();
        let y: Vec<f32> = noise("least.y", rows * outputs).collect();
        let found = LeastSquares::fit(&x, columns, &y, outputs, 0.5);
        let wide: Vec<f64> = x.iter().copied().map(f64::from).collect();
        let predicted = found.predict(&x);
        for output in 0..outputs {
            let targets: Vec<f64> = y.iter().skip(output).step_by(outputs).copied().map(f64::from).collect();
            // solved by conjugate gradients, to 1e-10 of the right-hand side
            let ridge = Ridge::fit(&wide, columns, &targets, 0.5).unwrap();
            for (row, expected) in ridge.predict(&wide).iter().enumerate() {
                let found = predicted[row * outputs + output];
                assert!((found - expected).abs() < 1e-7, "{output}, {row}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn equal_columns_and_missing_numbers_do_no_harm() {
        let x = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0_f32];
        let found = LeastSquares::fit(&x, 2, &[1.0, 2.0, 3.0], 1, 1e-9);
        // both columns take half of the slope; 1e-6: of the penalty
        for (found, expected) in found.predict(&x).iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        let hole = LeastSquares::fit(&x, 2, &[1.0, f32::NAN, 3.0], 1, 1e-9);
        assert!((hole.predict(&[2.0, 2.0])[0] - 2.0).abs() < 1e-6);
    }
}
