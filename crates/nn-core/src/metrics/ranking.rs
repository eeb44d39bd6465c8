//! How well a score puts the positives before the negatives.

use super::{MetricError, ascending, check_finite, check_lengths};

/// Area under the ROC curve, in 0..=1: the chance that a random positive has a higher score than a
/// random negative, where equal scores count 1/2.
///
/// Computed from the rank sum with mid-ranks (Mann and Whitney 1947): ties are exact. O(n log n).
///
/// # Errors
/// [`MetricError::Undefined`] when one of the two classes is absent; otherwise for unequal or zero
/// length or a score that is not finite.
pub fn auroc(labels: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    check_scores(labels, scores)?;
    let positives = count(labels);
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        let class = if positives == 0 { "negative" } else { "positive" };
        let why = format!("all {} labels are {class}; it compares two classes", labels.len());
        return Err(MetricError::Undefined { metric: "AUROC", why });
    }
    let ranks = mid_ranks(scores);
    let of_positives: f64 = labels.iter().zip(&ranks).filter(|(label, _)| **label).map(|(_, rank)| rank).sum();
    let (positives, negatives) = (positives as f64, negatives as f64);
    let won = of_positives - positives * (positives + 1.0) / 2.0;
    Ok(won / (positives * negatives))
}

/// Average precision, in 0..=1: `Σ (Rₙ - Rₙ₋₁) Pₙ` over the distinct scores from the highest down,
/// with Pₙ and Rₙ the precision and recall of "score ≥ threshold n". Rows with equal scores enter
/// together, so their order does not matter. No interpolation, as in scikit-learn. A score that
/// knows nothing gets about the share of positives, and data without a negative get 1.
///
/// # Errors
/// [`MetricError::Undefined`] when there is no positive; otherwise as [`auroc`].
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    check_scores(labels, scores)?;
    let positives = count(labels);
    if positives == 0 {
        let why = format!("none of the {} labels is positive; recall has no meaning", labels.len());
        return Err(MetricError::Undefined { metric: "average precision", why });
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| ascending(scores[*b], scores[*a]));
    let (mut found, mut seen, mut area) = (0_usize, 0_usize, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let new = tied.iter().filter(|row| labels[**row]).count();
        found += new;
        seen += tied.len();
        area += new as f64 * (found as f64 / seen as f64);
    }
    Ok(area / positives as f64)
}

/// Ranks from 1 in ascending order; equal values share the mean of the ranks they take up.
pub(super) fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| ascending(values[*a], values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let (first, last) = (before + 1, before + tied.len());
        for row in tied {
            ranks[*row] = (first + last) as f64 / 2.0;
        }
        before = last;
    }
    ranks
}

/// Labels `[n]` and scores `[n]`, n > 0, scores finite.
pub(super) fn check_scores(labels: &[bool], scores: &[f64]) -> Result<(), MetricError> {
    check_lengths(labels.len(), scores.len())?;
    check_finite("score", scores)
}

fn count(labels: &[bool]) -> usize {
    labels.iter().filter(|label| **label).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The chance of the definition, pair by pair.
    fn auroc_by_pairs(labels: &[bool], scores: &[f64]) -> Option<f64> {
        let (mut halves, mut pairs) = (0_u64, 0_u64);
        for (i, positive) in labels.iter().enumerate() {
            for (j, other) in labels.iter().enumerate() {
                if *positive && !*other {
                    pairs += 1;
                    halves += if scores[i] > scores[j] { 2 } else { u64::from(scores[i] == scores[j]) };
                }
            }
        }
        (pairs > 0).then_some(halves as f64 / (2 * pairs) as f64)
    }

    /// Precision and recall recounted from nothing at every row's score as the threshold: each
    /// positive row contributes the precision at its own score.
    fn average_precision_by_thresholds(labels: &[bool], scores: &[f64]) -> Option<f64> {
        let positives = labels.iter().filter(|label| **label).count();
        let mut sum = 0.0;
        for (label, threshold) in labels.iter().zip(scores) {
            if *label {
                let kept: Vec<bool> = labels
                    .iter()
                    .zip(scores)
                    .filter(|(_, score)| *score >= threshold)
                    .map(|(label, _)| *label)
                    .collect();
                sum += kept.iter().filter(|label| **label).count() as f64 / kept.len() as f64;
            }
        }
        (positives > 0).then_some(sum / positives as f64)
    }

    fn columns(rows: &[(bool, i32)]) -> (Vec<bool>, Vec<f64>) {
        rows.iter().map(|row| (row.0, f64::from(row.1) / 3.0)).unzip()
    }

    /// The examples of scikit-learn's documentation of `roc_auc_score` and
    /// `average_precision_score`.
    #[test]
    fn gives_the_documented_examples() {
        let (labels, scores) = ([false, false, true, true], [0.1, 0.4, 0.35, 0.8]);
        assert_eq!(auroc(&labels, &scores), Ok(0.75));
        assert!((average_precision(&labels, &scores).unwrap() - 0.83).abs() < 5e-3);
    }

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(mid_ranks(&[3.0, 1.0, 3.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
        assert_eq!(auroc(&[true, false, true], &[0.5; 3]), Ok(0.5));
    }

    #[test]
    fn one_class_is_undefined_and_never_a_half() {
        let scores = [0.2, 0.9];
        let error = auroc(&[true; 2], &scores).unwrap_err();
        assert_eq!(error.to_string(), "AUROC is undefined: all 2 labels are positive; it compares two classes");
        assert!(matches!(auroc(&[false; 2], &scores), Err(MetricError::Undefined { .. })));
        let error = average_precision(&[false; 2], &scores).unwrap_err();
        assert!(matches!(error, MetricError::Undefined { metric: "average precision", .. }));
        assert_eq!(average_precision(&[true; 2], &scores), Ok(1.0));
    }

    #[test]
    fn bad_input_is_an_error_of_its_kind() {
        for function in [auroc, average_precision] {
            assert_eq!(function(&[], &[]), Err(MetricError::Empty));
            let length = MetricError::Length { truth: 1, pred: 2 };
            assert_eq!(function(&[true], &[0.1, 0.2]), Err(length));
            let error = function(&[true, false], &[0.1, f64::NAN]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { what: "score", index: 1, .. }));
        }
    }

    proptest! {
        /// Six score levels in up to 60 rows: most pairs are tied.
        #[test]
        fn auroc_equals_the_pairs(
            rows in prop::collection::vec((any::<bool>(), 0i32..6), 1..60)
        ) {
            let (labels, scores) = columns(&rows);
            prop_assert_eq!(auroc(&labels, &scores).ok(), auroc_by_pairs(&labels, &scores));
        }

        #[test]
        fn average_precision_equals_the_thresholds(
            rows in prop::collection::vec((any::<bool>(), 0i32..20), 1..60)
        ) {
            let (labels, scores) = columns(&rows);
            let twin = average_precision_by_thresholds(&labels, &scores);
            match (average_precision(&labels, &scores), twin) {
                (Ok(value), Some(twin)) => prop_assert!((value - twin).abs() < 1e-12),
                (value, twin) => prop_assert!(value.is_err() && twin.is_none()),
            }
        }
    }
}
