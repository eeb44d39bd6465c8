//! The curves behind the scores of two classes: ROC, precision against recall, reliability.

use nn_core::metrics::MetricError;

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// Mean predicted probability of the rows in the bin.
    pub predicted: f64,
    /// Share of positives among them.
    pub observed: f64,
    /// How many they are.
    pub rows: usize,
}

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

/// True and false positives at each threshold, from the highest score down; equal scores together.
fn counts(labels: &[bool], scores: &[f64]) -> Result<Vec<(usize, usize)>, MetricError> {
    check(labels, scores)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut right, mut wrong) = (0, 0);
    let after = |tied: &[usize]| {
        let positive = tied.iter().filter(|&&row| labels[row]).count();
        right += positive;
        wrong += tied.len() - positive;
        (right, wrong)
    };
    Ok(order.chunk_by(|&a, &b| scores[a] == scores[b]).map(after).collect())
}

/// The receiver operating characteristic: (false positive rate, true positive rate) from (0, 0) to (1, 1).
///
/// # Errors
/// [`MetricError`] for unequal or zero length or a score that is not finite, [`MetricError::Undefined`] where one of the
/// classes is absent.
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
