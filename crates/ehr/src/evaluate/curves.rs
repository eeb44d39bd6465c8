//! The curves behind the scores: receiver operating characteristic, precision against recall, reliability, net benefit.

use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

use super::{check, out_of_range};

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean predicted probability of the rows in the bin.
    pub predicted: f64,
    /// Share of positives among them.
    pub observed: f64,
    /// How many they are.
    pub rows: usize,
}

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

/// True and false positives at each threshold, from the highest score down; equal scores together.
fn counts(labels: &[bool], scores: &[f64]) -> Result<Vec<(usize, usize)>, MetricError> {
    check(labels, scores, "score")?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut right, mut wrong) = (0, 0);
    let thresholds = order.chunk_by(|&a, &b| scores[a] == scores[b]);
    Ok(thresholds
        .map(|tied| {
            let positive = tied.iter().filter(|&&row| labels[row]).count();
            right += positive;
            wrong += tied.len() - positive;
            (right, wrong)
        })
        .collect())
}

/// The receiver operating characteristic: (false positive rate, true positive rate) from (0, 0) to (1, 1).
///
/// # Errors
/// [`MetricError`] for unequal or zero length or a score that is not finite, [`MetricError::Undefined`] where one of
/// the classes is absent.
pub fn roc(labels: &[bool], scores: &[f64]) -> Result<Vec<(f64, f64)>, MetricError> {
    let counts = counts(labels, scores)?;
    let (positives, negatives) = counts.last().copied().unwrap_or((0, 0));
    if positives == 0 || negatives == 0 {
        let why = format!("{positives} positives and {negatives} negatives; it compares two classes");
        return Err(MetricError::Undefined { metric: "ROC curve", why });
    }
    let point = |(right, wrong): (usize, usize)| (wrong as f64 / negatives as f64, right as f64 / positives as f64);
    Ok(std::iter::once((0, 0)).chain(counts).map(point).collect())
}

/// (Recall, precision) at each threshold, from the highest score down.
///
/// # Errors
/// As [`roc`]; only the absence of positives is undefined here.
pub fn precision_recall(labels: &[bool], scores: &[f64]) -> Result<Vec<(f64, f64)>, MetricError> {
    let counts = counts(labels, scores)?;
    let positives = counts.last().map_or(0, |&(right, _)| right);
    if positives == 0 {
        let why = format!("none of the {} labels is positive; recall has no meaning", labels.len());
        return Err(MetricError::Undefined { metric: "precision-recall curve", why });
    }
    let point =
        |(right, wrong): (usize, usize)| (right as f64 / positives as f64, right as f64 / (right + wrong) as f64);
    Ok(counts.into_iter().map(point).collect())
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
