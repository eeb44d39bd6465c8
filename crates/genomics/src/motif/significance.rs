//! Many tests at once: false discovery rates.

/// Benjamini and Hochberg's adjusted p-values (1995, JRSS B 57:289): the false discovery rate at which each would still
/// be called. The p-values are the smallest of `tests`; those that are not given count as larger than all of these.
///
/// ```
/// use genomics::motif::benjamini_hochberg;
/// let q = benjamini_hochberg(&[0.04, 0.005, 0.03], 4);
/// for (found, expected) in q.iter().zip([4.0 / 75.0, 0.02, 4.0 / 75.0]) {
///     assert!((found - expected).abs() < 1e-15);
/// }
/// ```
pub fn benjamini_hochberg(p_values: &[f64], tests: usize) -> Vec<f64> {
    let tests = tests.max(p_values.len()) as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, &place) in order.iter().enumerate().rev() {
        least = least.min(p_values[place] * tests / (rank + 1) as f64);
        adjusted[place] = least;
    }
    adjusted
}
