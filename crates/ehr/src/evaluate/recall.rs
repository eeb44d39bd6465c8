//! How many of the next visit's codes are among those that a model thinks likeliest.

use nn_core::metrics::MetricError;

use super::out_of_range;

/// Recall of each row: the share of its true codes that are among the `k` with the highest scores (Choi et al. 2016,
/// *Doctor AI*, section 5.2); none for a row without true codes. Of equal scores, the codes of lower number come first.
///
/// `scores` is `[rows, codes]`; `truth` has the codes of each row.
///
/// # Errors
/// [`MetricError`] for a table that does not fit the rows, a score that is no number, a code that the table does not
/// have, or a `k` of 0.
pub fn recall_by_row(
    truth: &[Vec<usize>],
    scores: &[f32],
    codes: usize,
    k: usize,
) -> Result<Vec<Option<f64>>, MetricError> {
    if k == 0 || codes == 0 {
        return Err(out_of_range("k and codes", format!("{k} and {codes}"), "1 or more each"));
    }
    if scores.len() != truth.len() * codes {
        return Err(MetricError::Length { truth: truth.len() * codes, pred: scores.len() });
    }
    if let Some(index) = scores.iter().position(|score| score.is_nan()) {
        return Err(MetricError::NotFinite { what: "score", index, value: f64::from(scores[index]) });
    }
    let row = |(truth, scores): (&Vec<usize>, &[f32])| {
        if let Some(code) = truth.iter().find(|&&code| code >= codes) {
            return Err(out_of_range("a true code", code, &format!("0 to {}", codes - 1)));
        }
        let mut known = truth.clone();
        known.sort_unstable();
        known.dedup();
        if known.is_empty() {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..codes).collect();
        let first = k.min(codes);
        order.select_nth_unstable_by(first - 1, |&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let found = order[..first].iter().filter(|code| known.binary_search(code).is_ok()).count();
        Ok(Some(found as f64 / known.len() as f64))
    };
    truth.iter().zip(scores.chunks_exact(codes)).map(row).collect()
}

/// Mean of [`recall_by_row`] over the rows that have true codes, 0 to 1.
///
/// # Errors
/// As [`recall_by_row`], and [`MetricError::Undefined`] where no row has a true code.
pub fn recall_at_k(truth: &[Vec<usize>], scores: &[f32], codes: usize, k: usize) -> Result<f64, MetricError> {
    let found: Vec<f64> = recall_by_row(truth, scores, codes, k)?.into_iter().flatten().collect();
    if found.is_empty() {
        let why = format!("none of the {} rows has a true code", truth.len());
        return Err(MetricError::Undefined { metric: "recall at k", why });
    }
    Ok(found.iter().sum::<f64>() / found.len() as f64)
}
