//! The curves behind the scores of two classes: what each threshold of a score reaches.

use serde::{Deserialize, Serialize};

use super::ranking::check_scores;
use super::{MetricError, ascending};

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

/// The receiver operating characteristic: (false positive rate, true positive rate) from (0, 0) to (1, 1), a point for
/// each distinct score from the highest down.
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

/// (Recall, precision) of "score ≥ threshold" for each distinct score, from the highest down.
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

/// True and false positives at each threshold, from the highest score down; equal scores together.
fn counts(labels: &[bool], scores: &[f64]) -> Result<Vec<(usize, usize)>, MetricError> {
    check_scores(labels, scores)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| ascending(scores[b], scores[a]));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{auroc, average_precision};
    use proptest::prelude::*;

    /// True and false positives recounted from nothing at each distinct score.
    fn by_thresholds(labels: &[bool], scores: &[f64]) -> Vec<(usize, usize)> {
        let mut thresholds = scores.to_vec();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let kept = |threshold: f64, wanted: bool| {
            labels.iter().zip(scores).filter(|(label, score)| **label == wanted && **score >= threshold).count()
        };
        thresholds.into_iter().map(|threshold| (kept(threshold, true), kept(threshold, false))).collect()
    }

    /// The examples of scikit-learn's documentation of `roc_curve` and `precision_recall_curve`; the latter ends with
    /// a recall of 0 and a precision of 1, which no threshold has.
    #[test]
    fn gives_the_documented_examples() {
        let (labels, scores) = ([false, false, true, true], [0.1, 0.4, 0.35, 0.8]);
        let expected = vec![(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)];
        assert_eq!(roc(&labels, &scores), Ok(expected));
        let expected = vec![(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)];
        assert_eq!(precision_recall(&labels, &scores), Ok(expected));
    }

    #[test]
    fn equal_scores_are_one_point() {
        assert_eq!(roc(&[true, false, false], &[0.5, 0.5, 0.1]), Ok(vec![(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)]));
        // −0 is 0
        assert_eq!(precision_recall(&[true, false], &[-0.0, 0.0]), Ok(vec![(1.0, 0.5)]));
    }

    #[test]
    fn what_has_no_curve_is_an_error_of_its_kind() {
        for function in [roc, precision_recall] {
            assert_eq!(function(&[], &[]), Err(MetricError::Empty));
            assert_eq!(function(&[true], &[0.1, 0.2]), Err(MetricError::Length { truth: 1, pred: 2 }));
            let error = function(&[true, false], &[0.1, f64::NAN]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { what: "score", index: 1, .. }));
            assert!(matches!(function(&[false; 2], &[0.1, 0.2]), Err(MetricError::Undefined { .. })));
        }
        let error = roc(&[true; 2], &[0.1, 0.2]).unwrap_err().to_string();
        assert_eq!(error, "ROC curve is undefined: 2 positives and 0 negatives; it compares two classes");
        assert_eq!(precision_recall(&[true; 2], &[0.1, 0.2]), Ok(vec![(0.5, 1.0), (1.0, 1.0)]));
    }

    proptest! {
        /// Eight score levels in up to 60 rows: most are tied.
        #[test]
        fn each_point_is_a_threshold(rows in prop::collection::vec((any::<bool>(), 0i32..8), 1..60)) {
            let (labels, scores): (Vec<bool>, Vec<f64>) =
                rows.iter().map(|(label, level)| (*label, f64::from(*level) / 3.0)).unzip();
            let twin = by_thresholds(&labels, &scores);
            let (positives, negatives) = twin[twin.len() - 1];
            match roc(&labels, &scores) {
                Ok(curve) => {
                    prop_assert_eq!(curve[0], (0.0, 0.0));
                    for (point, (right, wrong)) in curve[1..].iter().zip(&twin) {
                        prop_assert_eq!(*point, (*wrong as f64 / negatives as f64, *right as f64 / positives as f64));
                    }
                    prop_assert_eq!(curve.len(), twin.len() + 1);
                    // trapezoids below it; 60 sums of numbers up to 1
                    let area: f64 = curve.windows(2).map(|p| (p[1].0 - p[0].0) * f64::midpoint(p[0].1, p[1].1)).sum();
                    prop_assert!((area - auroc(&labels, &scores).unwrap()).abs() < 1e-12);
                }
                Err(_) => prop_assert!(positives == 0 || negatives == 0),
            }
            if let Ok(curve) = precision_recall(&labels, &scores) {
                let mut before = 0.0;
                let mut area = 0.0;
                for ((recall, precision), (right, wrong)) in curve.iter().zip(&twin) {
                    prop_assert_eq!(*recall, *right as f64 / positives as f64);
                    prop_assert_eq!(*precision, *right as f64 / (right + wrong) as f64);
                    area += (recall - before) * precision;
                    before = *recall;
                }
                prop_assert_eq!(curve.len(), twin.len());
                prop_assert!((area - average_precision(&labels, &scores).unwrap()).abs() < 1e-12);
            } else {
                prop_assert_eq!(positives, 0);
            }
        }
    }
}
