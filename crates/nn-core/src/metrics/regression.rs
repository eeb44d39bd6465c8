//! Errors and correlations of predicted against measured values.

use super::ranking::mid_ranks;
use super::{MetricError, check_pair, in_f64};

/// Mean squared error, `mean((truth - pred)²)`; 0 is perfect.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a value that is not finite, or overflow.
pub fn mse(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    check_pair(truth, pred)?;
    in_f64("mean squared error", squared_error(truth, pred, 1.0) / truth.len() as f64)
}

/// Root of the mean squared error, in the unit of the values.
///
/// # Errors
/// As [`mse`].
pub fn rmse(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    mse(truth, pred).map(f64::sqrt)
}

/// Mean absolute error, in the unit of the values.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a value that is not finite, or overflow.
pub fn mae(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    check_pair(truth, pred)?;
    let sum: f64 = truth.iter().zip(pred).map(|(t, p)| (t - p).abs()).sum();
    in_f64("mean absolute error", sum / truth.len() as f64)
}

/// Coefficient of determination, `1 - Σ(truth - pred)² / Σ(truth - mean)²`: 1 is perfect, 0 is as
/// good as the mean, and there is no lower bound. It is not the square of [`pearson`].
///
/// # Errors
/// [`MetricError::Undefined`] when all true values are equal; otherwise as [`mse`].
pub fn r2(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    const NAME: &str = "R²";
    check_pair(truth, pred)?;
    varied(NAME, "true values", truth)?;
    in_f64(NAME, 1.0 - squared_error(truth, pred, 1.0) / total_squares(truth))
}

/// rm² as published (Roy and Roy 2008, QSAR & Combinatorial Science 27:302, with the absolute value
/// of the later papers): `r² (1 - √|r² - r₀²|)`. r² is the squared Pearson correlation; r₀² the
/// coefficient of determination of the line through the origin, with the slope
/// `k = Σ truth·pred / Σ pred²`.
///
/// The numbers in the tables of the binding-affinity literature mostly come from
/// [`rm2_deepdta`], which is another formula.
///
/// # Errors
/// [`MetricError::Undefined`] when all true values or all predictions are equal; otherwise as
/// [`mse`].
pub fn rm2_published(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    const NAME: &str = "rm²";
    let (r2, r02) = rm2_parts(NAME, truth, pred)?;
    in_f64(NAME, r2 * (1.0 - (r2 - r02).abs().sqrt()))
}

/// rm² as the code of `DeepDTA` computes it (its `emetrics.py`, `get_rm2`; copied by the later
/// affinity models): `r² (1 - √|r²·r² - r₀²·r₀²|)`, that is, with r² and r₀² squared once more
/// under the root than in the published formula [`rm2_published`].
///
/// # Errors
/// As [`rm2_published`].
pub fn rm2_deepdta(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    const NAME: &str = "rm² (DeepDTA code)";
    let (r2, r02) = rm2_parts(NAME, truth, pred)?;
    in_f64(NAME, r2 * (1.0 - (r2 * r2 - r02 * r02).abs().sqrt()))
}

/// Pearson's correlation, in -1..=1.
///
/// # Errors
/// [`MetricError::Undefined`] when all true values or all predictions are equal; otherwise as
/// [`mse`].
pub fn pearson(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    check_pair(truth, pred)?;
    correlation("Pearson correlation", truth, pred)
}

/// Spearman's correlation: [`pearson`] of the ranks, where tied values share their mean rank.
///
/// # Errors
/// As [`pearson`].
pub fn spearman(truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    const NAME: &str = "Spearman correlation";
    check_pair(truth, pred)?;
    // before the ranks hide which value it was
    varied(NAME, "true values", truth)?;
    varied(NAME, "predictions", pred)?;
    correlation(NAME, &mid_ranks(truth), &mid_ranks(pred))
}

/// `Σ(truth - slope·pred)²`.
fn squared_error(truth: &[f64], pred: &[f64], slope: f64) -> f64 {
    truth.iter().zip(pred).map(|(t, p)| (t - slope * p).powi(2)).sum()
}

/// `Σ(value - mean)²`.
fn total_squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// r² and r₀² of [`rm2_published`].
fn rm2_parts(metric: &'static str, truth: &[f64], pred: &[f64]) -> Result<(f64, f64), MetricError> {
    check_pair(truth, pred)?;
    let r = correlation(metric, truth, pred)?;
    let products: f64 = truth.iter().zip(pred).map(|(t, p)| t * p).sum();
    let squares: f64 = pred.iter().map(|p| p * p).sum();
    let r02 = 1.0 - squared_error(truth, pred, products / squares) / total_squares(truth);
    Ok((r * r, r02))
}

fn correlation(metric: &'static str, truth: &[f64], pred: &[f64]) -> Result<f64, MetricError> {
    let truth = deviations(metric, "true values", truth)?;
    let pred = deviations(metric, "predictions", pred)?;
    let (mut products, mut truth_squares, mut pred_squares) = (0.0, 0.0, 0.0);
    for (t, p) in truth.iter().zip(&pred) {
        products += t * p;
        truth_squares += t * t;
        pred_squares += p * p;
    }
    // rounding can push a perfect correlation past one by a bit
    let r: f64 = products / (truth_squares.sqrt() * pred_squares.sqrt());
    in_f64(metric, r.clamp(-1.0, 1.0))
}

/// Distances from the mean in units of the largest one, so that their squares neither overflow nor
/// vanish.
fn deviations(metric: &'static str, what: &'static str, values: &[f64]) -> Result<Vec<f64>, MetricError> {
    varied(metric, what, values)?;
    let mean = mean(values);
    let largest = values.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
    Ok(values.iter().map(|value| (value - mean) / largest).collect())
}

/// Refuses a constant slice by comparing the values themselves: the computed mean of n equal values
/// can differ from them in the last bit, and their variance then is not zero.
fn varied(metric: &'static str, what: &'static str, values: &[f64]) -> Result<(), MetricError> {
    let first = values[0];
    if values.iter().any(|value| *value != first) {
        return Ok(());
    }
    let why = format!("all {} {what} are {first}", values.len());
    Err(MetricError::Undefined { metric, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of scikit-learn's documentation of `mean_squared_error`,
    /// `mean_absolute_error`, `root_mean_squared_error` and `r2_score`, and of scipy's `spearmanr`.
    #[test]
    fn gives_the_documented_examples() {
        let (truth, pred) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        assert_eq!(mse(&truth, &pred).unwrap(), 0.375);
        assert_eq!(mae(&truth, &pred).unwrap(), 0.5);
        assert!((rmse(&truth, &pred).unwrap() - 0.612).abs() < 5e-4);
        assert!((r2(&truth, &pred).unwrap() - 0.948).abs() < 1e-3);
        let ranked = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((ranked - 0.820_782_681_668_123_3).abs() < 1e-14);
    }

    /// Closed form: with pred = 2·truth the line through the origin fits, so r² = r₀² = 1 and both
    /// forms of rm² are 1; with pred = truth + 1 on 0, 1, 2 they are worked out by hand.
    #[test]
    fn rm2_and_its_variant_follow_their_formulas() {
        let truth = [1.0, 2.0, 4.0];
        let pred = [2.0, 4.0, 8.0];
        assert!((rm2_published(&truth, &pred).unwrap() - 1.0).abs() < 1e-7);
        assert!((rm2_deepdta(&truth, &pred).unwrap() - 1.0).abs() < 1e-7);
        // k = (0·1 + 1·2 + 2·3) / (1 + 4 + 9) = 4/7; residuals -4/7, -1/7, 2/7; r₀² = 1 - (21/49)/2
        let (truth, pred) = ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]);
        let r02: f64 = 1.0 - 3.0 / 14.0;
        assert!((rm2_published(&truth, &pred).unwrap() - (1.0 - (1.0 - r02).sqrt())).abs() < 1e-12);
        let squared = 1.0 - (1.0 - r02 * r02).sqrt();
        assert!((rm2_deepdta(&truth, &pred).unwrap() - squared).abs() < 1e-12);
    }

    #[test]
    fn bad_input_is_an_error_of_its_kind() {
        let functions = [mse, rmse, mae, r2, rm2_published, rm2_deepdta, pearson, spearman];
        for function in functions {
            assert_eq!(function(&[], &[]), Err(MetricError::Empty));
            let length = MetricError::Length { truth: 2, pred: 1 };
            assert_eq!(function(&[1.0, 2.0], &[1.0]), Err(length));
            let error = function(&[1.0, 2.0], &[1.0, f64::NAN]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { what: "prediction", index: 1, .. }));
            let error = function(&[f64::INFINITY, 2.0], &[1.0, 2.0]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { what: "true value", index: 0, .. }));
        }
        for function in [r2, rm2_published, rm2_deepdta, pearson, spearman] {
            // 0.1 three times has a computed variance above zero
            let error = function(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]).unwrap_err();
            assert!(matches!(error, MetricError::Undefined { .. }), "{error}");
            assert!(error.to_string().contains("all 3 true values are 0.1"), "{error}");
        }
        let error = pearson(&[1.0, 2.0], &[4.0, 4.0]).unwrap_err();
        assert_eq!(error.to_string(), "Pearson correlation is undefined: all 2 predictions are 4");
        assert!(matches!(mse(&[1e200], &[-1e200]), Err(MetricError::Undefined { .. })));
    }

    #[test]
    fn correlation_survives_tiny_and_huge_values() {
        let base = [1.0, 2.0, 4.0, 3.0];
        let other = [2.0, 1.0, 5.0, 4.0];
        let expected = pearson(&base, &other).unwrap();
        for scale in [1e-200, 1e200] {
            let scaled: Vec<f64> = base.iter().map(|value| value * scale).collect();
            assert!((pearson(&scaled, &other).unwrap() - expected).abs() < 1e-12);
        }
    }

    fn columns(rows: &[(i32, i32)]) -> (Vec<f64>, Vec<f64>) {
        rows.iter().map(|(truth, pred)| (f64::from(*truth), f64::from(*pred))).unzip()
    }

    /// `Σᵢⱼ (tᵢ-tⱼ)(pᵢ-pⱼ)`, `Σᵢⱼ (tᵢ-tⱼ)²`, `Σᵢⱼ (pᵢ-pⱼ)²`.
    fn pairwise(truth: &[f64], pred: &[f64]) -> (f64, f64, f64) {
        let (mut tp, mut tt, mut pp) = (0.0, 0.0, 0.0);
        for i in 0..truth.len() {
            for j in 0..truth.len() {
                let (t, p) = (truth[i] - truth[j], pred[i] - pred[j]);
                tp += t * p;
                tt += t * t;
                pp += p * p;
            }
        }
        (tp, tt, pp)
    }

    proptest! {
        /// The errors in whole numbers.
        #[test]
        fn errors_equal_their_whole_numbers(rows in prop::collection::vec((-50i32..50, -50i32..50), 1..40)) {
            let (truth, pred) = columns(&rows);
            let n = rows.len() as f64;
            let squares: i32 = rows.iter().map(|(t, p)| (t - p) * (t - p)).sum();
            let distances: i32 = rows.iter().map(|(t, p)| (t - p).abs()).sum();
            prop_assert!((mse(&truth, &pred).unwrap() - f64::from(squares) / n).abs() < 1e-12);
            prop_assert!((rmse(&truth, &pred).unwrap().powi(2) - f64::from(squares) / n).abs() < 1e-9);
            prop_assert!((mae(&truth, &pred).unwrap() - f64::from(distances) / n).abs() < 1e-12);
        }

        /// Pearson against the sum over all pairs, which needs no mean.
        #[test]
        fn pearson_equals_its_pairwise_form(
            rows in prop::collection::vec((-50i32..50, -50i32..50), 2..40)
        ) {
            let (truth, pred) = columns(&rows);
            let (tp, tt, pp) = pairwise(&truth, &pred);
            match pearson(&truth, &pred) {
                Ok(r) => prop_assert!((r - tp / (tt * pp).sqrt()).abs() < 1e-12),
                Err(error) => prop_assert!(tt == 0.0 || pp == 0.0, "{error}"),
            }
        }

        /// Spearman against ranks that are counted, 1 + smaller + (equal - 1) / 2, in the pairwise form.
        #[test]
        fn spearman_equals_counted_ranks(rows in prop::collection::vec((-9i32..9, -9i32..9), 2..40)) {
            let (truth, pred) = columns(&rows);
            let rank = |values: &[f64], at: f64| {
                let smaller = values.iter().filter(|value| **value < at).count();
                let equal = values.iter().filter(|value| **value == at).count();
                1.0 + smaller as f64 + (equal as f64 - 1.0) / 2.0
            };
            let ranks = |values: &[f64]| values.iter().map(|value| rank(values, *value)).collect::<Vec<_>>();
            let (tp, tt, pp) = pairwise(&ranks(&truth), &ranks(&pred));
            match spearman(&truth, &pred) {
                Ok(rho) => prop_assert!((rho - tp / (tt * pp).sqrt()).abs() < 1e-12),
                Err(error) => prop_assert!(tt == 0.0 || pp == 0.0, "{error}"),
            }
        }

        /// R² and both forms of rm² from sums that need no mean: the total squares are `Σᵢⱼ (tᵢ-tⱼ)² / 2n`, those left
        /// by the line through the origin `Σt² - (Σtp)² / Σp²`. A root of a difference of two numbers that rounding
        /// makes unequal by 1e-14 is 1e-7.
        #[test]
        fn r2_and_rm2_equal_sums_without_a_mean(rows in prop::collection::vec((-50i32..50, -50i32..50), 2..40)) {
            let (truth, pred) = columns(&rows);
            let (tp, tt, pp) = pairwise(&truth, &pred);
            prop_assume!(tt > 0.0 && pp > 0.0);
            let sum = |of: fn(i32, i32) -> i32| f64::from(rows.iter().map(|(t, p)| of(*t, *p)).sum::<i32>());
            let total = tt / (2.0 * rows.len() as f64);
            let expected = 1.0 - sum(|t, p| (t - p) * (t - p)) / total;
            prop_assert!((r2(&truth, &pred).unwrap() - expected).abs() < 1e-9 * expected.abs().max(1.0));
            let left = sum(|t, _| t * t) - sum(|t, p| t * p).powi(2) / sum(|_, p| p * p);
            let (squared, origin) = (tp * tp / (tt * pp), 1.0 - left / total);
            let published = squared * (1.0 - (squared - origin).abs().sqrt());
            let deepdta = squared * (1.0 - (squared * squared - origin * origin).abs().sqrt());
            let near = |found: f64, expected: f64| (found - expected).abs() < 1e-5 * expected.abs().max(1.0);
            let found = [rm2_published(&truth, &pred).unwrap(), rm2_deepdta(&truth, &pred).unwrap()];
            prop_assert!(near(found[0], published), "{found:?}, {published}");
            prop_assert!(near(found[1], deepdta), "{found:?}, {deepdta}");
        }

        /// Least squares on the predictions can only do better than the predictions as they are.
        #[test]
        fn r2_never_exceeds_squared_pearson(
            rows in prop::collection::vec((-50i32..50, -50i32..50), 2..40)
        ) {
            let (truth, pred) = columns(&rows);
            if let (Ok(r2), Ok(r)) = (r2(&truth, &pred), pearson(&truth, &pred)) {
                prop_assert!(r2 <= r * r + 1e-12);
            }
        }

        /// Spearman sees the order only: a strictly increasing map changes nothing.
        #[test]
        fn spearman_ignores_increasing_maps(
            rows in prop::collection::vec((-9i32..9, -9i32..9), 2..40)
        ) {
            let (truth, pred) = columns(&rows);
            let bent: Vec<f64> = pred.iter().map(|value| (value * 0.5).exp()).collect();
            prop_assert_eq!(spearman(&truth, &pred).ok(), spearman(&truth, &bent).ok());
        }
    }
}
