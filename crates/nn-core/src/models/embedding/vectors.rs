//! A table of vectors: neighbours by cosine, and analogies.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::EmbeddingError;

/// Rows compared by a thread at a time.
const BLOCK: usize = 1024;

/// A row near another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The row.
    pub code: u32,
    /// Cosine of the angle between the two, −1 to 1.
    pub cosine: f32,
}

/// One vector for each code.
///
/// ```
/// use nn_core::models::embedding::{EmbeddingError, Vectors};
/// let vectors = Vectors::new(vec![1.0, 0.0, 0.0, 2.0, 3.0, 0.3], 2)?;
/// let near: Vec<u32> = vectors.neighbours(0, 2)?.iter().map(|neighbour| neighbour.code).collect();
/// assert_eq!(near, [2, 1]);
/// # Ok::<(), EmbeddingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
    lengths: Vec<f32>,
}

impl Vectors {
    /// Row-major values with `width` numbers in a row.
    ///
    /// # Errors
    /// - [`EmbeddingError::Length`] if the values do not fill whole rows, or `width` is 0;
    /// - [`EmbeddingError::Value`] if one of them is not finite.
    pub fn new(values: Vec<f32>, width: usize) -> Result<Self, EmbeddingError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            let expected = values.len().checked_div(width).map_or(0, |rows| (rows + 1) * width);
            return Err(EmbeddingError::Length { what: "values", found: values.len(), expected });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let value = f64::from(values[at]);
            return Err(EmbeddingError::Value { what: "number of a vector", at, value, allowed: "finite numbers" });
        }
        let lengths = values.chunks_exact(width).map(|row| dot(row, row).sqrt()).collect();
        Ok(Self { width, values, lengths })
    }

    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Numbers in a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All vectors, row-major, `[rows, width]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The vector of a code.
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] if there is none.
    pub fn get(&self, code: u32) -> Result<&[f32], EmbeddingError> {
        let start = code as usize * self.width;
        let missing = EmbeddingError::NoSuchCode { code, rows: self.rows() };
        self.values.get(start..start + self.width).ok_or(missing)
    }

    /// Cosine of the angle between the vectors of two codes; 0 if one of them has no length.
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] if one of them does not exist.
    pub fn cosine(&self, a: u32, b: u32) -> Result<f32, EmbeddingError> {
        let (first, second) = (self.get(a)?, self.get(b)?);
        Ok(cosine(dot(first, second), self.lengths[a as usize], self.lengths[b as usize]))
    }

    /// The `k` codes nearest to `code`, without itself: see [`nearest`](Self::nearest).
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] if the code does not exist.
    pub fn neighbours(&self, code: u32, k: usize) -> Result<Vec<Neighbour>, EmbeddingError> {
        self.nearest(self.get(code)?, k, &[code])
    }

    /// The `k` codes with the largest cosine to `query`, largest first and of equal ones the smaller code
    /// first; those in `except` are passed over. All codes are compared, on all threads.
    ///
    /// # Errors
    /// [`EmbeddingError::Length`] if the query is not as wide as the vectors.
    pub fn nearest(&self, query: &[f32], k: usize, except: &[u32]) -> Result<Vec<Neighbour>, EmbeddingError> {
        if query.len() != self.width {
            let (found, expected) = (query.len(), self.width);
            return Err(EmbeddingError::Length { what: "numbers of a query", found, expected });
        }
        let length = dot(query, query).sqrt();
        let best_of = |(block, values): (usize, &[f32])| {
            let first = block * BLOCK;
            let rows = values.chunks_exact(self.width).zip(&self.lengths[first..]).enumerate();
            let all = rows.map(|(at, (row, &own))| Neighbour {
                code: (first + at) as u32,
                cosine: cosine(dot(query, row), length, own),
            });
            best(all.filter(|neighbour| !except.contains(&neighbour.code)).collect(), k)
        };
        let blocks = self.values.par_chunks(BLOCK * self.width).enumerate();
        let found: Vec<Vec<Neighbour>> = blocks.map(best_of).collect();
        Ok(best(found.into_iter().flatten().collect(), k))
    }

    /// The `k` codes that are to `c` what `b` is to `a`: nearest to b − a + c, each of unit length (Mikolov,
    /// Yih and Zweig 2013, section 4); the three themselves are passed over.
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] if one of the three does not exist.
    pub fn analogy(&self, [a, b, c]: [u32; 3], k: usize) -> Result<Vec<Neighbour>, EmbeddingError> {
        let mut query = vec![0.0; self.width];
        for (code, sign) in [(a, -1.0), (b, 1.0), (c, 1.0)] {
            let vector = self.get(code)?;
            let length = self.lengths[code as usize];
            // a vector without length points nowhere
            let scale = if length > 0.0 { sign / length } else { 0.0 };
            query.iter_mut().zip(vector).for_each(|(query, value)| *query += scale * value);
        }
        self.nearest(&query, k, &[a, b, c])
    }
}

fn cosine(product: f32, a: f32, b: f32) -> f32 {
    let lengths = a * b;
    if lengths > 0.0 { (product / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}

/// a · b in eight sums, which the compiler turns into vectors; the order is fixed.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn order(a: Neighbour, b: Neighbour) -> Ordering {
    b.cosine.total_cmp(&a.cosine).then(a.code.cmp(&b.code))
}

/// The `k` first in their order.
fn best(mut all: Vec<Neighbour>, k: usize) -> Vec<Neighbour> {
    if k < all.len() {
        all.select_nth_unstable_by(k, |a, b| order(*a, *b));
        all.truncate(k);
    }
    all.sort_unstable_by(|a, b| order(*a, *b));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;
    use rand::RngExt;

    fn random(rows: usize, width: usize) -> Vectors {
        let mut rng = rng(11, &[]);
        Vectors::new((0..rows * width).map(|_| rng.random_range(-1.0..1.0)).collect(), width).unwrap()
    }

    #[test]
    fn neighbours_are_those_of_a_full_sort_in_double_precision() {
        // more rows than one block, and a width that is no multiple of eight
        let (rows, width) = (2500, 13);
        let vectors = random(rows, width);
        let cosine = |a: usize, b: usize| {
            let row = |at: usize| vectors.values()[at * width..(at + 1) * width].iter().map(|&v| f64::from(v));
            let dot = |a: usize, b: usize| row(a).zip(row(b)).map(|(x, y)| x * y).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        for code in [0, 1023, 1024, 2499] {
            let mut all: Vec<f64> = (0..rows).filter(|&other| other != code).map(|other| cosine(code, other)).collect();
            all.sort_unstable_by(|a, b| b.total_cmp(a));
            let found = vectors.neighbours(code as u32, 10).unwrap();
            assert_eq!(found.len(), 10);
            for (neighbour, expected) in found.iter().zip(all) {
                let exact = cosine(code, neighbour.code as usize);
                // single precision over 13 products
                assert!((f64::from(neighbour.cosine) - exact).abs() < 1e-6, "{neighbour:?}: {exact}");
                assert!((exact - expected).abs() < 1e-6, "{neighbour:?} instead of one with {expected}");
            }
        }
        assert_eq!(vectors.neighbours(7, 5000).unwrap().len(), rows - 1);
    }

    #[test]
    fn equal_cosines_stand_in_the_order_of_codes() {
        let vectors = Vectors::new(vec![1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 5.0, 0.0], 2).unwrap();
        let found: Vec<_> = vectors.neighbours(0, 4).unwrap().iter().map(|n| (n.code, n.cosine)).collect();
        assert_eq!(found, [(2, 1.0), (4, 1.0), (1, 0.0), (3, 0.0)]);
        assert_eq!(vectors.cosine(1, 4).unwrap(), 0.0);
    }

    #[test]
    fn an_analogy_adds_the_difference() {
        // a plane of two features: 0 = (1, 0), 1 = (1, 1), 2 = (−1, 0); sought is what is near (−1, 1)
        let mut values = vec![1.0, 0.0, 1.0, 1.0, -1.0, 0.0];
        values.extend([-1.0, 0.5, 0.0, 1.0, 1.0, 2.0, -1.0, -1.0]);
        let vectors = Vectors::new(values, 2).unwrap();
        let found = vectors.analogy([0, 1, 2], 10).unwrap();
        // (1, 1)/√2 − (1, 0) + (−1, 0) = (−1.29, 0.71), nearest to (−1, 0.5)
        assert_eq!(found[0].code, 3);
        assert!(found.iter().all(|neighbour| neighbour.code > 2));
        let query = [0.5_f64.sqrt() - 2.0, 0.5_f64.sqrt()];
        let expected = (-query[0] + 0.5 * query[1]) / (query[0].hypot(query[1]) * 1.25_f64.sqrt());
        assert!((f64::from(found[0].cosine) - expected).abs() < 1e-6, "{} {expected}", found[0].cosine);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (values, width, message) in [
            (vec![1.0; 5], 2, "5 values were given where there must be 6"),
            (vec![1.0; 5], 0, "5 values were given where there must be 0"),
            (vec![1.0, f32::NAN], 2, "the number of a vector at 1 is NaN; allowed: finite numbers"),
        ] {
            assert_eq!(Vectors::new(values, width).unwrap_err().to_string(), message);
        }
        let vectors = random(3, 4);
        assert!(vectors.neighbours(3, 1).is_err() && vectors.nearest(&[1.0], 1, &[]).is_err());
        assert!(vectors.analogy([0, 1, 9], 1).is_err());
    }
}
