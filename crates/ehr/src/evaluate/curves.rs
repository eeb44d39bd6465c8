//! What probabilities are worth: reliability diagrams and net benefit.

use nn_core::metrics::{MetricError, Reliability};
use serde::{Deserialize, Serialize};

use super::{check, out_of_range};

/// Net benefit of acting above one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NetBenefit {
    /// The probability from which on one acts.
    pub threshold: f64,
    /// Of the model.
    pub model: f64,
    /// Of acting on everybody; acting on nobody has 0.
    pub all: f64,
}

/// Mean probability and observed share in `bins` bins of about equally many rows; equal probabilities share a bin.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a probability that is not finite, or no bins.
pub fn reliability(labels: &[bool], probabilities: &[f64], bins: usize) -> Result<Vec<Reliability>, MetricError> {
    check(labels, probabilities, "probability")?;
    if bins == 0 {
        return Err(out_of_range("bins", bins, "1 or more"));
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let mut found = Vec::new();
    let mut start = 0;
    for bin in 1..=bins {
        let mut end = (order.len() * bin / bins).max(start);
        while end > start && end < order.len() && probabilities[order[end]] == probabilities[order[end - 1]] {
            end += 1;
        }
        let rows = &order[start..end];
        if !rows.is_empty() {
            let n = rows.len() as f64;
            found.push(Reliability {
                predicted: rows.iter().map(|&row| probabilities[row]).sum::<f64>() / n,
                observed: rows.iter().filter(|&&row| labels[row]).count() as f64 / n,
                rows: rows.len(),
            });
        }
        start = end;
    }
    Ok(found)
}

/// The decision curve (Vickers and Elkin 2006, Medical Decision Making 26:565): at each threshold, true positives less
/// false ones, which weigh the threshold's odds, for each row.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a probability that is not finite, or a threshold that is not below 1 and
/// 0 or more.
pub fn decision_curve(
    labels: &[bool],
    probabilities: &[f64],
    thresholds: &[f64],
) -> Result<Vec<NetBenefit>, MetricError> {
    check(labels, probabilities, "probability")?;
    let n = labels.len() as f64;
    let prevalence = labels.iter().filter(|label| **label).count() as f64 / n;
    let point = |&threshold: &f64| {
        if !(0.0..1.0).contains(&threshold) {
            return Err(out_of_range("threshold", threshold, "0 to below 1"));
        }
        let odds = threshold / (1.0 - threshold);
        let acted = labels.iter().zip(probabilities).filter(|(_, p)| **p >= threshold);
        let (right, wrong) = acted.fold(
            (0.0, 0.0),
            |(right, wrong), (label, _)| {
                if *label { (right + 1.0, wrong) } else { (right, wrong + 1.0) }
            },
        );
        let all = prevalence - (1.0 - prevalence) * odds;
        Ok(NetBenefit { threshold, model: (right - wrong * odds) / n, all })
    };
    thresholds.iter().map(point).collect()
}
