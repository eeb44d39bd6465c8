//! The error that no linear map through fewer columns can go below.

use crate::data::Table;

/// Sweeps of the Jacobi method; each squares the size of what is off the diagonal once it is small.
const SWEEPS: usize = 30;

/// Mean squared error of the best reconstruction of `rows` from `k` numbers each, for `k` = 0 to the number of columns:
/// what the eigenvalues of the covariance beyond the k-th sum to, over the columns (Eckart and Young 1936).
pub(crate) fn bounds(table: &Table, rows: &[usize]) -> Vec<f64> {
    let values = eigenvalues(covariance(table, rows), table.columns);
    (0..=table.columns).map(|k| values[k..].iter().sum::<f64>() / table.columns as f64).collect()
}

/// Row-major, with divisor n.
fn covariance(table: &Table, rows: &[usize]) -> Vec<f64> {
    let (columns, n) = (table.columns, rows.len() as f64);
    let picked: Vec<f64> = table.pick(rows).into_iter().map(f64::from).collect();
    let mut mean = vec![0.0; columns];
    for row in picked.chunks(columns) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / n);
    }
    let mut covariance = vec![0.0; columns * columns];
    for row in picked.chunks(columns) {
        let centred: Vec<f64> = row.iter().zip(&mean).map(|(value, mean)| value - mean).collect();
        for (line, a) in covariance.chunks_mut(columns).zip(&centred) {
            line.iter_mut().zip(&centred).for_each(|(sum, b)| *sum += a * b / n);
        }
    }
    covariance
}

/// Of a symmetric matrix, largest first, by the cyclic Jacobi method (Golub and Van Loan, section 8.5).
fn eigenvalues(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                if off == 0.0 {
                    continue;
                }
                let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
                let tangent = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
                let cosine = (1.0 + tangent * tangent).sqrt().recip();
                let sine = tangent * cosine;
                for i in 0..n {
                    let (x, y) = (a[i * n + p], a[i * n + q]);
                    a[i * n + p] = cosine * x - sine * y;
                    a[i * n + q] = sine * x + cosine * y;
                }
                for i in 0..n {
                    let (x, y) = (a[p * n + i], a[q * n + i]);
                    a[p * n + i] = cosine * x - sine * y;
                    a[q * n + i] = sine * x + cosine * y;
                }
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}
