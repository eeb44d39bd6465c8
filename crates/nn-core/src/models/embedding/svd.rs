//! The first singular triplets of a sparse matrix, by randomised subspace iteration (Halko, Martinsson and Tropp
//! 2011, SIAM Review 53(2), algorithms 4.4 and 5.1).
//!
//! Bases are made orthonormal by Cholesky factors of their Gram matrix, twice (Yamamoto et al. 2015): all work
//! on tall matrices is then by rows, and done by all threads.

use rayon::prelude::*;

use super::{EmbeddingError, SparseMatrix, stream};
use crate::data::rng;
use crate::layers::init::{Fan, Init};

/// Dimensions of the subspace beyond those asked for (section 4.2 has 5 or 10).
const OVERSAMPLE: usize = 10;

/// Rows that a thread adds up at a time; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 512;

/// A squared length below this share of what it was before other directions were taken off is rounding.
const DEPENDENT: f64 = 1e-13;

/// Two columns are orthogonal when the cosine between them is rounding.
const ORTHOGONAL: f64 = 1e-14;

/// Sweeps after which the rotations of a small matrix have long converged.
const SWEEPS: usize = 60;

/// `matrix ≈ left · diag(singular) · rightᵀ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Left singular vectors in columns, row-major `[rows, rank]`.
    pub left: Vec<f64>,
    /// Singular values, never rising.
    pub singular: Vec<f64>,
    /// Right singular vectors in columns, row-major `[columns, rank]`.
    pub right: Vec<f64>,
}

/// The `rank` largest singular values and their vectors. The error falls with each of the `iterations` by the
/// squared ratio of the first singular value that is left out of the subspace to the one in question. The sign
/// of a pair of vectors is such that the largest entry of the left one is positive.
///
/// # Errors
/// [`EmbeddingError::Length`] if `rank` is 0 or larger than the smaller side of the matrix.
pub fn truncated_svd(matrix: &SparseMatrix, rank: usize, iterations: usize, seed: u64) -> Result<Svd, EmbeddingError> {
    let [rows, columns] = matrix.shape();
    let most = rows.min(columns);
    if rank == 0 || rank > most {
        return Err(EmbeddingError::Length { what: "singular values", found: rank, expected: rank.min(most).max(1) });
    }
    let width = (rank + OVERSAMPLE).min(most);
    let turned = matrix.transposed();
    let start = Init::Normal(1.0).values(
        &[columns, width],
        Fan::dense([columns, width]),
        &mut rng(seed, &[stream::PROJECTION]),
    );
    let mut right: Vec<f64> = start.into_iter().map(f64::from).collect();
    let mut left = matrix.times(&right, width);
    orthonormalise(&mut left, width);
    for _ in 0..iterations {
        right = turned.times(&left, width);
        orthonormalise(&mut right, width);
        left = matrix.times(&right, width);
        orthonormalise(&mut left, width);
    }
    // matrix ≈ left · (matrixᵀ · left)ᵀ, and matrixᵀ · left = right · factor with a small factor
    right = turned.times(&left, width);
    let factor = orthonormalise(&mut right, width);
    let (inner, singular, outer) = small_svd(&factor, width);
    let (mut left, mut right) = (rotated(&left, &outer, [width, rank]), rotated(&right, &inner, [width, rank]));
    for column in 0..rank {
        let entries = left.chunks_exact(rank).map(|row| row[column]);
        let largest = entries.fold(0.0_f64, |best, entry| if entry.abs() > best.abs() { entry } else { best });
        if largest < 0.0 {
            for side in [&mut left, &mut right] {
                side.iter_mut().skip(column).step_by(rank).for_each(|entry| *entry = -*entry);
            }
        }
    }
    Ok(Svd { left, singular: singular[..rank].to_vec(), right })
}

/// `tall[n, from] · square[from, from][.., ..to]`.
fn rotated(tall: &[f64], square: &[f64], [from, to]: [usize; 2]) -> Vec<f64> {
    let mut product = vec![0.0; tall.len() / from * to];
    product.par_chunks_mut(to).zip(tall.par_chunks(from)).for_each(|(out, row)| {
        for (factor, other) in row.iter().zip(square.chunks_exact(from)) {
            out.iter_mut().zip(other).for_each(|(out, other)| *out += factor * other);
        }
    });
    product
}

/// Replaces the columns of a row-major `[n, width]` matrix by orthonormal ones with the same span and returns
/// the upper triangular `[width, width]` factor R of `before = after · R`. A column that depends on those before
/// it becomes zero, as does its row of R.
fn orthonormalise(tall: &mut [f64], width: usize) -> Vec<f64> {
    let first = cholesky(&gram(tall, width), width);
    solve(tall, &first, width);
    let second = cholesky(&gram(tall, width), width);
    solve(tall, &second, width);
    let mut product = vec![0.0; width * width];
    for (out, row) in product.chunks_exact_mut(width).zip(second.chunks_exact(width)) {
        for (factor, other) in row.iter().zip(first.chunks_exact(width)) {
            out.iter_mut().zip(other).for_each(|(out, other)| *out += factor * other);
        }
    }
    product
}

/// `tallᵀ · tall`, upper triangle.
fn gram(tall: &[f64], width: usize) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = tall
        .par_chunks(BLOCK * width)
        .map(|block| {
            let mut sum = vec![0.0; width * width];
            for row in block.chunks_exact(width) {
                for (i, &value) in row.iter().enumerate() {
                    let out = &mut sum[i * width + i..(i + 1) * width];
                    out.iter_mut().zip(&row[i..]).for_each(|(out, other)| *out += value * other);
                }
            }
            sum
        })
        .collect();
    let mut total = vec![0.0; width * width];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
    total
}

/// The upper triangular R with `RᵀR = gram`; a row of zeros for a column that depends on those before it.
fn cholesky(gram: &[f64], width: usize) -> Vec<f64> {
    let mut factor = gram.to_vec();
    for i in 0..width {
        let pivot = factor[i * width + i];
        if pivot > DEPENDENT * gram[i * width + i] {
            let root = pivot.sqrt();
            factor[i * width + i..(i + 1) * width].iter_mut().for_each(|entry| *entry /= root);
        } else {
            factor[i * width + i..(i + 1) * width].fill(0.0);
        }
        let (done, rest) = factor.split_at_mut((i + 1) * width);
        let row = &done[i * width..];
        for (j, below) in (i + 1..width).zip(rest.chunks_exact_mut(width)) {
            let scale = row[j];
            below[j..].iter_mut().zip(&row[j..]).for_each(|(below, entry)| *below -= scale * entry);
        }
    }
    factor
}

/// `tall ← tall · R⁻¹`, with zero columns where R has a row of zeros.
fn solve(tall: &mut [f64], factor: &[f64], width: usize) {
    tall.par_chunks_mut(width).for_each(|row| {
        for i in 0..width {
            let pivot = factor[i * width + i];
            row[i] = if pivot > 0.0 { row[i] / pivot } else { 0.0 };
            let (done, rest) = row.split_at_mut(i + 1);
            let value = done[i];
            let above = &factor[i * width + i + 1..(i + 1) * width];
            rest.iter_mut().zip(above).for_each(|(entry, above)| *entry -= value * above);
        }
    });
}

/// Singular value decomposition of a `[width, width]` matrix: left vectors in columns, values in falling order,
/// right vectors in columns. Columns are turned in pairs until all are orthogonal (Hestenes 1958).
fn small_svd(matrix: &[f64], width: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    // columns of the matrix, and of the product of all rotations, as rows here
    let column = |at: usize| (0..width).map(move |row| matrix[row * width + at]).collect::<Vec<f64>>();
    let mut turned: Vec<Vec<f64>> = (0..width).map(column).collect();
    let mut rotation: Vec<Vec<f64>> =
        (0..width).map(|at| (0..width).map(|row| f64::from(u8::from(row == at))).collect()).collect();
    for _ in 0..SWEEPS {
        let mut still = true;
        for q in 1..width {
            for p in 0..q {
                let (a, b, c) = (dot(&turned[p], &turned[p]), dot(&turned[q], &turned[q]), dot(&turned[p], &turned[q]));
                if c.abs() <= ORTHOGONAL * (a * b).sqrt() {
                    continue;
                }
                still = false;
                let zeta = (b - a) / (2.0 * c);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(&mut turned, [p, q], cosine, cosine * tangent);
                rotate(&mut rotation, [p, q], cosine, cosine * tangent);
            }
        }
        if still {
            break;
        }
    }
    let lengths: Vec<f64> = turned.iter().map(|column| dot(column, column).sqrt()).collect();
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| lengths[b].total_cmp(&lengths[a]));
    let (mut left, mut right) = (vec![0.0; width * width], vec![0.0; width * width]);
    for (to, &from) in order.iter().enumerate() {
        for row in 0..width {
            left[row * width + to] = if lengths[from] > 0.0 { turned[from][row] / lengths[from] } else { 0.0 };
            right[row * width + to] = rotation[from][row];
        }
    }
    (left, order.into_iter().map(|at| lengths[at]).collect(), right)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `(x_p, x_q) ← (c·x_p − s·x_q, s·x_p + c·x_q)`, with p < q.
fn rotate(rows: &mut [Vec<f64>], [p, q]: [usize; 2], cosine: f64, sine: f64) {
    let (front, back) = rows.split_at_mut(q);
    for (x, y) in front[p].iter_mut().zip(&mut back[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// A matrix of numpy's and all of its singular values.
    fn golden() -> (SparseMatrix, Vec<f64>) {
        let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/skip_gram.json")).unwrap();
        let case = &golden["sparse"];
        let number = |value: &Value| value.as_u64().unwrap();
        let entries = case["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (number(&entry[0]) as u32, number(&entry[1]) as u32, entry[2].as_f64().unwrap()));
        let shape = [number(&case["rows"]) as usize, number(&case["columns"]) as usize];
        let singular = case["singular"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        (SparseMatrix::new(shape, entries).unwrap(), singular)
    }

    /// Largest distance between `aᵀ·a` and the unit matrix.
    fn unevenness(a: &[f64], width: usize) -> f64 {
        let product = gram(a, width);
        let unit = |i, j| f64::from(u8::from(i == j));
        (0..width).flat_map(|i| (i..width).map(move |j| (i, j))).fold(0.0_f64, |worst, (i, j)| {
            let distance: f64 = product[i * width + j] - unit(i, j);
            worst.max(distance.abs())
        })
    }

    #[test]
    fn singular_values_are_those_of_numpy() {
        let (matrix, expected) = golden();
        // the whole space needs no iteration; a part of it converges as (σ19/σ8)^80, here below 1e-10
        for (rank, iterations) in [(45, 0), (8, 40)] {
            let svd = truncated_svd(&matrix, rank, iterations, 1).unwrap();
            assert_eq!((svd.left.len(), svd.singular.len(), svd.right.len()), (60 * rank, rank, 45 * rank));
            for (found, expected) in svd.singular.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9, "rank {rank}: {found} instead of {expected}");
            }
            assert!(unevenness(&svd.left, rank) < 1e-9 && unevenness(&svd.right, rank) < 1e-9, "rank {rank}");
            // A·v = σ·u: the vectors belong to the values
            for (row, product) in matrix.times(&svd.right, rank).chunks_exact(rank).enumerate() {
                for (column, found) in product.iter().enumerate() {
                    let expected = svd.singular[column] * svd.left[row * rank + column];
                    assert!((found - expected).abs() < 1e-6, "rank {rank}, row {row}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn all_triplets_rebuild_the_matrix() {
        let (matrix, _) = golden();
        for matrix in [matrix.transposed(), matrix] {
            let [rows, columns] = matrix.shape();
            let svd = truncated_svd(&matrix, 45, 0, 7).unwrap();
            let mut dense = vec![0.0; rows * columns];
            matrix.entries().for_each(|(row, column, value)| dense[row as usize * columns + column as usize] = value);
            for row in 0..rows {
                for column in 0..columns {
                    let terms = (0..45).map(|k| svd.left[row * 45 + k] * svd.singular[k] * svd.right[column * 45 + k]);
                    let error = terms.sum::<f64>() - dense[row * columns + column];
                    assert!(error.abs() < 1e-10, "{row}, {column}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_of_lower_rank_has_zeros_behind_it() {
        // the outer product of (1, 2, 0, 2) and (3, 0, 4), of length 3 · 5
        let entries = [(0, 0, 3.0), (0, 2, 4.0), (1, 0, 6.0), (1, 2, 8.0), (3, 0, 6.0), (3, 2, 8.0)];
        let matrix = SparseMatrix::new([4, 3], entries).unwrap();
        let svd = truncated_svd(&matrix, 3, 3, 1).unwrap();
        assert!((svd.singular[0] - 15.0).abs() < 1e-12, "{:?}", svd.singular);
        assert!(svd.singular[1..].iter().all(|value| value.abs() < 1e-12), "{:?}", svd.singular);
        for (row, expected) in [1.0 / 3.0, 2.0 / 3.0, 0.0, 2.0 / 3.0].into_iter().enumerate() {
            assert!((svd.left[3 * row] - expected).abs() < 1e-12, "{:?}", svd.left);
        }
        assert!(truncated_svd(&matrix, 4, 1, 1).is_err() && truncated_svd(&matrix, 0, 1, 1).is_err());
        let none = truncated_svd(&SparseMatrix::new([3, 3], []).unwrap(), 2, 1, 1).unwrap();
        assert!(none.singular.iter().chain(&none.left).all(|&value| value == 0.0));
    }

    #[test]
    fn threads_change_no_bit() {
        let (matrix, _) = golden();
        let svd = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| truncated_svd(&matrix, 6, 3, 2).unwrap())
        };
        assert_eq!(svd(1), svd(3));
    }
}
