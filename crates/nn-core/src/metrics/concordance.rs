//! The concordance index: how often the larger of two measured values has the larger prediction.
//!
//! Both forms come from sums of signs over all pairs of rows, and each such sum is one merge sort,
//! so that 20,000 rows take milliseconds where the double loop of the definition takes seconds.

use super::{MetricError, ascending, check_pair};

/// Concordance index over all comparable pairs, in 0..=1; 0.5 is chance.
///
/// A pair of rows is comparable when its true values differ. It counts 1 when the row with the
/// larger true value has the larger prediction, 1/2 when the predictions are equal and 0 otherwise
/// (Harrell et al. 1982, JAMA 247:2543, without censoring). O(n log n).
///
/// # Errors
/// [`MetricError::Undefined`] when no pair is comparable (all true values equal, or one row);
/// otherwise for unequal or zero length or a value that is not finite.
pub fn concordance_index(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    check_pair(truth, pred)?;
    let sums = ByTruth::new(truth, pred);
    if sums.comparable == 0 {
        return Err(nothing_to_compare("concordance index", truth));
    }
    // concordant + tied/2 = (comparable + concordant - discordant)/2
    Ok((sums.comparable + sums.truth_pred) as f64 / (2 * sums.comparable) as f64)
}

/// The concordance index as the code of `DeepDTA` computes it (its `emetrics.py`, `get_cindex`).
///
/// That loop visits the pairs with `i > j` in file order and counts those with
/// `truth[i] > truth[j]`; the pairs in which the *earlier* row is the larger are never looked at.
/// The result is therefore the concordance of about half of the comparable pairs, and **depends on
/// the order of the rows**. It is here to be compared with published tables; for anything else use
/// [`concordance_index`]. O(n log n).
///
/// ```
/// use nn_core::metrics::{ci_deepdta, concordance_index};
/// let (truth, pred) = ([1.0, 3.0, 2.0], [1.0, 2.0, 3.0]);
/// assert_eq!(ci_deepdta(&truth, &pred)?, 1.0); // the wrong pair stands in the unvisited order
/// assert_eq!(concordance_index(&truth, &pred)?, 2.0 / 3.0);
/// # Ok::<(), nn_core::metrics::MetricError>(())
/// ```
///
/// # Errors
/// [`MetricError::Undefined`] when no pair is counted (true values that never rise in file order),
/// where the original returns 0; otherwise as [`concordance_index`].
pub fn ci_deepdta(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    check_pair(truth, pred)?;
    let sums = ByTruth::new(truth, pred);
    // For a pair i > j let y and p be the signs of truth[i] - truth[j] and pred[i] - pred[j]. It is
    // counted when (y² + y)/2 = 1 and then adds (1 + p)/2. Multiplied out, the numerator is the sum
    // of (y² + y + y²p + yp)/4, and each of the four sums needs two orders of the rows, not three.
    let counted_twice = sums.comparable + rise(truth);
    if counted_twice == 0 {
        return Err(nothing_to_compare("concordance index (DeepDTA code)", truth));
    }
    let pred_where_comparable = rise(pred) - sums.pred_in_ties;
    let agreement = pred_where_comparable + sums.truth_pred;
    Ok((counted_twice + agreement) as f64 / (2 * counted_twice) as f64)
}

fn nothing_to_compare(metric: &'static str, truth: &[f64]) -> MetricError {
    let why = if truth.len() == 1 {
        "one row makes no pair".to_owned()
    } else if truth.iter().all(|value| *value == truth[0]) {
        format!("all {} true values are {}, no pair is comparable", truth.len(), truth[0])
    } else {
        format!("the {} true values never rise in file order, no pair is counted", truth.len())
    };
    MetricError::Undefined { metric, why }
}

/// Sums over the pairs `i > j` of rows, with y and p the signs of the differences in truth and
/// prediction. Exact integers for up to 4·10⁹ rows.
struct ByTruth {
    /// Σ y²: pairs whose true values differ.
    comparable: i64,
    /// Σ y·p: concordant less discordant pairs.
    truth_pred: i64,
    /// Σ p over the pairs whose true values are equal, in file order.
    pred_in_ties: i64,
}

impl ByTruth {
    fn new(truth: &[f64], pred: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..truth.len()).collect();
        // stable: rows with one true value stay in file order, as `pred_in_ties` wants them
        order.sort_by(|a, b| ascending(truth[*a], truth[*b]));
        let mut sorted: Vec<f64> = order.iter().map(|row| pred[*row]).collect();
        let mut scratch = vec![0.0; sorted.len()];

        let mut comparable = pairs(order.len());
        let mut pred_in_ties = 0;
        let mut start = 0;
        for tied in order.chunk_by(|a, b| truth[*a] == truth[*b]) {
            let end = start + tied.len();
            comparable -= pairs(tied.len());
            pred_in_ties += sort_and_sum_signs(&mut sorted[start..end], &mut scratch);
            start = end;
        }
        // each group of ties is now sorted by prediction, so within it every pair of unequal
        // predictions counts +1 below; take that out again
        let mut rising_in_ties = 0;
        let mut start = 0;
        for tied in order.chunk_by(|a, b| truth[*a] == truth[*b]) {
            let end = start + tied.len();
            rising_in_ties += unequal_pairs(&sorted[start..end]);
            start = end;
        }
        let truth_pred = sort_and_sum_signs(&mut sorted, &mut scratch) - rising_in_ties;
        Self { comparable, truth_pred, pred_in_ties }
    }
}

/// Σ sign(values[i] - values[j]) over i > j: how much the values rise in the order given.
fn rise(values: &[f64]) -> i64 {
    sort_and_sum_signs(&mut values.to_vec(), &mut vec![0.0; values.len()])
}

/// n(n-1)/2.
fn pairs(n: usize) -> i64 {
    let n = n as i64;
    n * (n - 1) / 2
}

/// Pairs of unequal values in a sorted slice.
fn unequal_pairs(sorted: &[f64]) -> i64 {
    let ties: i64 = sorted.chunk_by(|a, b| a == b).map(|run| pairs(run.len())).sum();
    pairs(sorted.len()) - ties
}

/// Merge sort that returns Σ sign(values[i] - values[j]) over i > j of the order it was given.
/// `scratch` is at least as long as `values`.
fn sort_and_sum_signs(values: &mut [f64], scratch: &mut [f64]) -> i64 {
    let n = values.len();
    if n < 2 {
        return 0;
    }
    let middle = n / 2;
    let (left, right) = values.split_at_mut(middle);
    let mut sum = sort_and_sum_signs(left, scratch) + sort_and_sum_signs(right, scratch);
    // positions in the left half: `below` are smaller than the value from the right half, and
    // those from `upto` on are larger
    let (mut below, mut upto) = (0, 0);
    for (k, value) in right.iter().enumerate() {
        while below < middle && left[below] < *value {
            below += 1;
        }
        while upto < middle && left[upto] <= *value {
            scratch[k + upto] = left[upto];
            upto += 1;
        }
        sum += below as i64 - (middle - upto) as i64;
        scratch[k + upto] = *value;
    }
    let merged = right.len() + upto;
    scratch[merged..n].copy_from_slice(&left[upto..]);
    values.copy_from_slice(&scratch[..n]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition as a double loop; numerator in half pairs.
    fn by_definition(truth: &[f64], pred: &[f64]) -> Option<f64> {
        let (mut halves, mut comparable) = (0_u64, 0_u64);
        for i in 0..truth.len() {
            for j in 0..truth.len() {
                if truth[i] > truth[j] {
                    comparable += 1;
                    halves += score(pred[i], pred[j]);
                }
            }
        }
        (comparable > 0).then_some(halves as f64 / (2 * comparable) as f64)
    }

    /// `DeepDTA`'s loop: i over all rows, j over the rows before it.
    fn by_file_order(truth: &[f64], pred: &[f64]) -> Option<f64> {
        let (mut halves, mut counted) = (0_u64, 0_u64);
        for i in 1..truth.len() {
            for j in 0..i {
                if truth[i] > truth[j] {
                    counted += 1;
                    halves += score(pred[i], pred[j]);
                }
            }
        }
        (counted > 0).then_some(halves as f64 / (2 * counted) as f64)
    }

    /// 2 for larger, 1 for equal, 0 for smaller.
    fn score(later: f64, earlier: f64) -> u64 {
        if later > earlier { 2 } else { u64::from(later == earlier) }
    }

    fn columns(rows: &[(i32, i32)]) -> (Vec<f64>, Vec<f64>) {
        rows.iter().map(|row| (f64::from(row.0), f64::from(row.1) / 7.0)).unzip()
    }

    #[test]
    fn perfect_reversed_and_constant_predictions() {
        let truth = [1.0, 2.0, 2.0, 5.0];
        assert_eq!(concordance_index(&truth, &[0.1, 0.2, 0.3, 0.4]), Ok(1.0));
        assert_eq!(concordance_index(&truth, &[0.4, 0.3, 0.2, 0.1]), Ok(0.0));
        assert_eq!(concordance_index(&truth, &[0.4; 4]), Ok(0.5));
        assert_eq!(ci_deepdta(&truth, &[0.4; 4]), Ok(0.5));
    }

    #[test]
    fn positive_and_negative_zero_are_one_value() {
        let (truth, pred) = ([0.0, -0.0, 1.0, -0.0, 0.0], [2.0, 1.0, -0.0, 3.0, 0.0]);
        assert_eq!(concordance_index(&truth, &pred).ok(), by_definition(&truth, &pred));
        assert_eq!(ci_deepdta(&truth, &pred).ok(), by_file_order(&truth, &pred));
    }

    #[test]
    fn bad_input_is_an_error_of_its_kind() {
        for function in [concordance_index, ci_deepdta] {
            assert_eq!(function(&[], &[]), Err(MetricError::Empty));
            let length = MetricError::Length { truth: 1, pred: 2 };
            assert_eq!(function(&[1.0], &[1.0, 2.0]), Err(length));
            let error = function(&[1.0, 2.0], &[f64::NAN, 1.0]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { index: 0, .. }));
            let error = function(&[3.0, 3.0], &[1.0, 2.0]).unwrap_err();
            assert!(error.to_string().ends_with("all 2 true values are 3, no pair is comparable"));
            let error = function(&[3.0], &[1.0]).unwrap_err();
            assert!(error.to_string().ends_with("one row makes no pair"));
        }
        // falling true values: every pair is comparable, and none is counted in file order
        assert_eq!(concordance_index(&[2.0, 1.0], &[2.0, 1.0]), Ok(1.0));
        let error = ci_deepdta(&[2.0, 1.0], &[2.0, 1.0]).unwrap_err();
        assert!(error.to_string().contains("never rise in file order"), "{error}");
    }

    proptest! {
        /// Exact equality: both sides are one division of the same two integers up to a factor of
        /// two. The narrow ranges make most pairs ties in truth, in prediction or in both.
        #[test]
        fn equals_the_double_loop_with_many_ties(
            rows in prop::collection::vec((0i32..4, 0i32..4), 1..60)
        ) {
            let (truth, pred) = columns(&rows);
            prop_assert_eq!(concordance_index(&truth, &pred).ok(), by_definition(&truth, &pred));
            prop_assert_eq!(ci_deepdta(&truth, &pred).ok(), by_file_order(&truth, &pred));
        }

        #[test]
        fn equals_the_double_loop_with_few_ties(
            rows in prop::collection::vec((-500i32..500, -500i32..500), 1..60)
        ) {
            let (truth, pred) = columns(&rows);
            prop_assert_eq!(concordance_index(&truth, &pred).ok(), by_definition(&truth, &pred));
            prop_assert_eq!(ci_deepdta(&truth, &pred).ok(), by_file_order(&truth, &pred));
        }

        /// The two pair sets of the file order and of its reverse make up all comparable pairs, and
        /// only the full index is blind to the order of the rows.
        #[test]
        fn file_order_and_its_reverse_average_to_the_full_index(
            rows in prop::collection::vec((0i32..6, 0i32..6), 2..40)
        ) {
            let (truth, pred) = columns(&rows);
            let reversed: Vec<(i32, i32)> = rows.iter().rev().copied().collect();
            let (truth_back, pred_back) = columns(&reversed);
            let all = concordance_index(&truth, &pred).ok();
            prop_assert_eq!(all, concordance_index(&truth_back, &pred_back).ok());
            let rises = |truth: &[f64]| {
                (0..truth.len())
                    .map(|i| truth[..i].iter().filter(|value| **value < truth[i]).count())
                    .sum::<usize>() as f64
            };
            let (ahead, back) = (rises(&truth), rises(&truth_back));
            let ci_ahead = ci_deepdta(&truth, &pred).unwrap_or(0.0);
            let ci_back = ci_deepdta(&truth_back, &pred_back).unwrap_or(0.0);
            if let Some(all) = all {
                let mixed = (ahead * ci_ahead + back * ci_back) / (ahead + back);
                prop_assert!((mixed - all).abs() < 1e-12);
            }
        }
    }
}
