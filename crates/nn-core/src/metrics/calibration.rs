//! Whether predicted probabilities mean what they say.

use super::ranking::check_scores;
use super::{MetricError, ascending};

/// Brier score, `mean((probability - label)²)`, in 0..=1; 0 is perfect, and 0.25 is "always 0.5".
///
/// # Errors
/// [`MetricError`] for unequal or zero length, or a value that is not finite or not in 0..=1.
pub fn brier(labels: &[bool], probabilities: &[f64]) -> Result<f64, MetricError> {
    check_probabilities(labels, probabilities)?;
    let sum: f64 =
        labels.iter().zip(probabilities).map(|(label, probability)| (probability - value(*label)).powi(2)).sum();
    Ok(sum / labels.len() as f64)
}

/// Expected calibration error over `bins` intervals of equal width, in 0..=1:
/// `Σ (rows in bin / rows) |share of positives in bin - mean probability in bin|`
/// (Naeini et al. 2015; Guo et al. 2017, section 2).
///
/// `probabilities` are those of the positive class. For the many-class form of Guo et al. pass the
/// probability of the predicted class, and as label whether that class was right. Bin i holds
/// `(i/bins, (i+1)/bins]`, and the first one also 0.
///
/// # Errors
/// [`MetricError`] for unequal or zero length, a value that is not finite or not in 0..=1, or no
/// bin.
pub fn ece_equal_width(labels: &[bool], probabilities: &[f64], bins: usize) -> Result<f64, MetricError> {
    check_bins(labels, probabilities, bins)?;
    let inner_edges: Vec<f64> = (1..bins).map(|i| i as f64 / bins as f64).collect();
    Ok(calibration_error(labels, probabilities, &inner_edges))
}

/// Expected calibration error over `bins` intervals that hold about the same number of rows each
/// (Nguyen and O'Connor 2015); steadier than [`ece_equal_width`] where probabilities crowd.
///
/// The inner edges are the `i/bins` quantiles of the probabilities, and a row on an edge belongs
/// below it. Equal probabilities always share a bin, so the result does not depend on the order of
/// the rows; with many ties some bins are larger than others, or empty.
///
/// # Errors
/// As [`ece_equal_width`].
pub fn ece_equal_mass(labels: &[bool], probabilities: &[f64], bins: usize) -> Result<f64, MetricError> {
    check_bins(labels, probabilities, bins)?;
    let mut sorted = probabilities.to_vec();
    sorted.sort_unstable_by(|a, b| ascending(*a, *b));
    // The interpolated quantile lies between two neighbours of the sorted values; no value lies
    // strictly between them, so the lower neighbour cuts at the same place, and without rounding.
    let last = (sorted.len() - 1) as u128;
    let position = |i: usize| (i as u128 * last / bins as u128) as usize;
    let inner_edges: Vec<f64> = (1..bins).map(|i| sorted[position(i)]).collect();
    Ok(calibration_error(labels, probabilities, &inner_edges))
}

/// `inner_edges` ascend; a value belongs to the bin whose number is how many edges lie below it.
fn calibration_error(labels: &[bool], probabilities: &[f64], inner_edges: &[f64]) -> f64 {
    // Σ (label - probability) of each bin; its rows cancel from the definition
    let mut gaps = vec![0.0; inner_edges.len() + 1];
    for (label, probability) in labels.iter().zip(probabilities) {
        let bin = inner_edges.partition_point(|edge| edge < probability);
        gaps[bin] += value(*label) - probability;
    }
    gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / labels.len() as f64
}

fn value(label: bool) -> f64 {
    f64::from(u8::from(label))
}

fn check_bins(labels: &[bool], probabilities: &[f64], bins: usize) -> Result<(), MetricError> {
    check_probabilities(labels, probabilities)?;
    // more bins than rows say nothing, and an absurd number would only ask for memory
    if (1..=1_000_000).contains(&bins) {
        return Ok(());
    }
    Err(MetricError::OutOfRange {
        what: "bins".to_owned(),
        value: bins.to_string(),
        allowed: "1 to 1000000".to_owned(),
    })
}

fn check_probabilities(labels: &[bool], probabilities: &[f64]) -> Result<(), MetricError> {
    check_scores(labels, probabilities)?;
    match probabilities.iter().position(|value| !(0.0..=1.0).contains(value)) {
        None => Ok(()),
        Some(index) => Err(MetricError::OutOfRange {
            what: format!("probability at index {index}"),
            value: probabilities[index].to_string(),
            allowed: "0 to 1".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Score<'a> = &'a dyn Fn(&[bool], &[f64]) -> Result<f64, MetricError>;
    use proptest::prelude::*;

    /// The definition, bin by bin, with shares and means; `bin_of` says where a value belongs.
    fn by_definition(labels: &[bool], probabilities: &[f64], bins: usize, bin_of: impl Fn(f64) -> usize) -> f64 {
        let mut error = 0.0;
        for bin in 0..bins {
            let rows: Vec<usize> = (0..labels.len()).filter(|row| bin_of(probabilities[*row]) == bin).collect();
            if rows.is_empty() {
                continue;
            }
            let size = rows.len() as f64;
            let share = rows.iter().filter(|row| labels[**row]).count() as f64 / size;
            let mean = rows.iter().map(|row| probabilities[*row]).sum::<f64>() / size;
            error += size / labels.len() as f64 * (share - mean).abs();
        }
        error
    }

    /// The example of scikit-learn's documentation of `brier_score_loss`.
    #[test]
    fn brier_gives_the_documented_example() {
        let score = brier(&[false, true, true, false], &[0.1, 0.9, 0.8, 0.3]).unwrap();
        assert!((score - 0.0375).abs() < 1e-12);
    }

    #[test]
    fn worked_examples() {
        // one bin: |share of positives - mean probability| = |1/2 - 0.4|
        let (labels, probabilities) = ([true, false, false, true], [0.1, 0.2, 0.4, 0.9]);
        assert!((ece_equal_width(&labels, &probabilities, 1).unwrap() - 0.1).abs() < 1e-12);
        // halves (0, 0.5] and (0.5, 1]: 3/4 |1/3 - 0.7/3| + 1/4 |1 - 0.9|
        assert!((ece_equal_width(&labels, &probabilities, 2).unwrap() - 0.1).abs() < 1e-12);
        // two rows each: 1/2 |1/2 - 0.15| + 1/2 |1/2 - 0.65|
        assert!((ece_equal_mass(&labels, &probabilities, 2).unwrap() - 0.25).abs() < 1e-12);
        // edges belong below: 0.5 stands in the first half, and 0 and 1 are inside
        let edges = ece_equal_width(&[true, false, true], &[0.5, 0.0, 1.0], 2).unwrap();
        assert!((edges - 0.5 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn perfectly_calibrated_is_zero() {
        // three of four positives at 0.75
        let labels = [true, true, false, true];
        assert_eq!(ece_equal_width(&labels, &[0.75; 4], 10), Ok(0.0));
        assert_eq!(ece_equal_mass(&labels, &[0.75; 4], 10), Ok(0.0));
    }

    #[test]
    fn bad_input_is_an_error_of_its_kind() {
        let wide = |labels: &[bool], values: &[f64]| ece_equal_width(labels, values, 10);
        let mass = |labels: &[bool], values: &[f64]| ece_equal_mass(labels, values, 10);
        let functions: [Score<'_>; 3] = [&brier, &wide, &mass];
        for function in functions {
            assert_eq!(function(&[], &[]), Err(MetricError::Empty));
            let error = function(&[true, false], &[0.2, f64::NAN]).unwrap_err();
            assert!(matches!(error, MetricError::NotFinite { index: 1, .. }));
            let error = function(&[true, false], &[0.2, 1.5]).unwrap_err();
            assert_eq!(error.to_string(), "probability at index 1 = 1.5 is out of range; allowed: 0 to 1");
        }
        for bins in [0, usize::MAX] {
            let error = ece_equal_mass(&[true], &[0.5], bins).unwrap_err();
            assert!(error.to_string().ends_with("allowed: 1 to 1000000"));
        }
    }

    proptest! {
        /// In whole ten thousandths.
        #[test]
        fn brier_equals_whole_numbers(rows in prop::collection::vec((any::<bool>(), 0i32..=100), 1..60)) {
            let (labels, values): (Vec<bool>, Vec<f64>) =
                rows.iter().map(|(label, hundredths)| (*label, f64::from(*hundredths) / 100.0)).unzip();
            let squares: i32 = rows.iter().map(|(label, h)| (100 * i32::from(*label) - h).pow(2)).sum();
            let twin = f64::from(squares) / 1e4 / rows.len() as f64;
            prop_assert!((brier(&labels, &values).unwrap() - twin).abs() < 1e-12);
        }

        /// Probabilities in hundredths, so that many are tied and some lie on an edge.
        #[test]
        fn equal_width_equals_the_definition(
            rows in prop::collection::vec((any::<bool>(), 0u32..=100), 1..60), bins in 1usize..12
        ) {
            let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let values: Vec<f64> = rows.iter().map(|row| f64::from(row.1) / 100.0).collect();
            // h/100 is in (b/bins, (b+1)/bins] if b < h·bins/100 ≤ b+1, in whole numbers
            let bin_of = |value: f64| {
                let hundredths = (value * 100.0).round() as usize;
                (hundredths * bins).div_ceil(100).saturating_sub(1)
            };
            let twin = by_definition(&labels, &values, bins, bin_of);
            prop_assert!((ece_equal_width(&labels, &values, bins).unwrap() - twin).abs() < 1e-12);
        }

        /// The bin of a value is the number of interpolated quantiles below it, found here on
        /// values in whole hundredths times `bins`, where the interpolation is exact.
        #[test]
        fn equal_mass_equals_the_definition(
            rows in prop::collection::vec((any::<bool>(), 0usize..=100), 1..60), bins in 1usize..12
        ) {
            let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let values: Vec<f64> = rows.iter().map(|row| row.1 as f64 / 100.0).collect();
            let mut sorted: Vec<usize> = rows.iter().map(|row| row.1).collect();
            sorted.sort_unstable();
            let last = sorted.len() - 1;
            let scaled_edges: Vec<usize> = (1..bins)
                .map(|i| {
                    let (below, rest) = (i * last / bins, i * last % bins);
                    let above = sorted[(below + 1).min(last)];
                    sorted[below] * (bins - rest) + above * rest
                })
                .collect();
            let bin_of = |value: f64| {
                let scaled = (value * 100.0).round() as usize * bins;
                scaled_edges.iter().filter(|edge| **edge < scaled).count()
            };
            let twin = by_definition(&labels, &values, bins, bin_of);
            prop_assert!((ece_equal_mass(&labels, &values, bins).unwrap() - twin).abs() < 1e-12);
        }
    }
}
