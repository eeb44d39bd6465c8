//! Whether probabilities mean what they say.

use nn_core::metrics::{MetricError, Reliability};

use super::probability;

/// Mean probability and observed share in `bins` bins of equal width; empty bins are left out.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, or no bins.
pub fn reliability(labels: &[bool], logits: &[f64], bins: usize) -> Result<Vec<Reliability>, MetricError> {
    if labels.len() != logits.len() {
        return Err(MetricError::Length { truth: labels.len(), pred: logits.len() });
    }
    if labels.is_empty() {
        return Err(MetricError::Empty);
    }
    if bins == 0 {
        let (what, value, allowed) = ("bins".to_owned(), "0".to_owned(), "1 or more".to_owned());
        return Err(MetricError::OutOfRange { what, value, allowed });
    }
    let mut found = vec![(0.0, 0_usize, 0_usize); bins];
    for (&yes, &logit) in labels.iter().zip(logits) {
        let p = probability(logit);
        let bin = &mut found[((p * bins as f64) as usize).min(bins - 1)];
        bin.0 += p;
        bin.1 += usize::from(yes);
        bin.2 += 1;
    }
    let filled = found.into_iter().filter(|(_, _, rows)| *rows > 0);
    Ok(filled
        .map(|(sum, positives, rows)| Reliability {
            predicted: sum / rows as f64,
            observed: positives as f64 / rows as f64,
            rows,
        })
        .collect())
}
