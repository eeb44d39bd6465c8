//! The curves behind the scores of two classes: ROC, reliability.

pub use nn_core::metrics::{Reliability, roc};

use nn_core::metrics::MetricError;

fn check(labels: &[bool], scores: &[f64]) -> Result<(), MetricError> {
    if labels.len() != scores.len() {
        return Err(MetricError::Length { truth: labels.len(), pred: scores.len() });
    }
    if labels.is_empty() {
        return Err(MetricError::Empty);
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { what: "score", index, value: scores[index] }),
        None => Ok(()),
    }
}

/// Mean probability and observed share in `bins` bins of equal width; empty bins are left out.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a probability that is no number, or no bins.
pub fn reliability(labels: &[bool], probabilities: &[f64], bins: usize) -> Result<Vec<Reliability>, MetricError> {
    check(labels, probabilities)?;
    if bins == 0 {
        let (what, value, allowed) = ("bins".to_owned(), "0".to_owned(), "1 or more".to_owned());
        return Err(MetricError::OutOfRange { what, value, allowed });
    }
    let mut found = vec![(0.0, 0_usize, 0_usize); bins];
    for (&yes, &p) in labels.iter().zip(probabilities) {
        let bin = &mut found[((p * bins as f64) as usize).min(bins - 1)];
        bin.0 += p;
        bin.1 += usize::from(yes);
        bin.2 += 1;
    }
    let filled = found.into_iter().filter(|(_, _, rows)| *rows > 0);
    let mean = |(sum, positives, rows): (f64, usize, usize)| Reliability {
        predicted: sum / rows as f64,
        observed: positives as f64 / rows as f64,
        rows,
    };
    Ok(filled.map(mean).collect())
}
