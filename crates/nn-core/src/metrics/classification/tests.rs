//! Counts against recounts, closed forms and other metrics.

use super::*;
use proptest::prelude::*;

#[test]
fn counts_and_ratios_of_a_worked_example() {
    let labels = [true, true, true, false, false, false, false, false];
    let scores = [0.9, 0.5, 0.2, 0.5, 0.4, 0.3, 0.1, 0.0];
    // the threshold itself is positive
    let counts = Confusion::at(&labels, &scores, 0.5).unwrap();
    assert_eq!(counts, Confusion { tp: 2, fp: 1, tn: 4, fn_: 1 });
    assert_eq!(counts.precision(), Ok(2.0 / 3.0));
    assert_eq!(counts.recall(), Ok(2.0 / 3.0));
    assert_eq!(counts.specificity(), Ok(0.8));
    assert_eq!(counts.accuracy(), Ok(0.75));
    assert_eq!(counts.f1(), Ok(2.0 / 3.0));
    // (2·4 - 1·1) / √(3·3·5·5)
    assert!((counts.mcc().unwrap() - 7.0 / 15.0).abs() < 1e-15);
}

/// The example of scikit-learn's documentation of `f1_score`.
#[test]
fn averages_of_the_documented_example() {
    let matrix = ConfusionMatrix::new(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 3).unwrap();
    assert!((matrix.macro_f1() - 4.0 / 15.0).abs() < 1e-15);
    assert!((matrix.micro_f1() - 1.0 / 3.0).abs() < 1e-15);
    assert!((matrix.weighted_f1() - 4.0 / 15.0).abs() < 1e-15);
    assert_eq!((matrix.count(1, 2), matrix.count(0, 9)), (1, 0));
}

#[test]
fn absent_classes_have_no_f1_and_do_not_dilute_the_mean() {
    let matrix = ConfusionMatrix::new(&[0, 1], &[0, 1], 5).unwrap();
    assert_eq!((matrix.macro_f1(), matrix.weighted_f1()), (1.0, 1.0));
    assert!(matrix.one_against_rest(4).f1().is_err());
}

#[test]
fn an_empty_denominator_is_undefined() {
    let none = Confusion::at(&[false, false], &[0.1, 0.2], f64::INFINITY).unwrap();
    assert_eq!(none, Confusion { tp: 0, fp: 0, tn: 2, fn_: 0 });
    for result in [none.precision(), none.recall(), none.f1(), none.f_beta(2.0), none.mcc()] {
        assert!(matches!(result, Err(MetricError::Undefined { .. })));
    }
    assert_eq!(none.specificity(), Ok(1.0));
    assert!(Confusion::default().accuracy().is_err());
}

#[test]
fn bad_input_is_an_error_of_its_kind() {
    assert_eq!(Confusion::at(&[], &[], 0.5), Err(MetricError::Empty));
    let error = Confusion::at(&[true], &[f64::NAN], 0.5).unwrap_err();
    assert!(matches!(error, MetricError::NotFinite { what: "score", index: 0, .. }));
    let error = Confusion::at(&[true], &[0.1], f64::NAN).unwrap_err();
    assert_eq!(error.to_string(), "threshold = NaN is out of range; allowed: any number but NaN");
    let error = ConfusionMatrix::new(&[0, 3], &[0, 1], 3).unwrap_err();
    assert_eq!(error.to_string(), "true class = 3 is out of range; allowed: below 3, the number of classes");
    let length = MetricError::Length { truth: 1, pred: 2 };
    assert_eq!(ConfusionMatrix::new(&[0], &[0, 1], 2), Err(length));
    assert!(Confusion { tp: 1, fp: 1, tn: 1, fn_: 1 }.f_beta(0.0).is_err());
}

proptest! {
    /// Recounted row by row; micro-F1 from the summed counts, as its definition says.
    #[test]
    fn matrix_equals_a_recount(
        rows in prop::collection::vec((0usize..4, 0usize..4), 1..50)
    ) {
        let (truth, pred): (Vec<usize>, Vec<usize>) = rows.iter().copied().unzip();
        let matrix = ConfusionMatrix::new(&truth, &pred, 4).unwrap();
        let mut summed = Confusion::default();
        for class in 0..4 {
            let labels: Vec<bool> = truth.iter().map(|value| *value == class).collect();
            let scores: Vec<f64> =
                pred.iter().map(|value| f64::from(u8::from(*value == class))).collect();
            let counts = Confusion::at(&labels, &scores, 0.5).unwrap();
            prop_assert_eq!(counts, matrix.one_against_rest(class));
            prop_assert_eq!(counts.total(), rows.len() as u64);
            summed = summed + counts;
        }
        prop_assert!((summed.f1().unwrap() - matrix.micro_f1()).abs() < 1e-15);
    }

    /// Each ratio as a share of the rows that its definition names; absent where there are none.
    #[test]
    fn ratios_are_shares_of_rows(rows in prop::collection::vec((any::<bool>(), any::<bool>()), 1..40)) {
        let share = |of: &dyn Fn(bool, bool) -> bool, right: &dyn Fn(bool, bool) -> bool| {
            let of: Vec<_> = rows.iter().filter(|(label, taken)| of(*label, *taken)).collect();
            let right = of.iter().filter(|(label, taken)| right(*label, *taken)).count();
            (!of.is_empty()).then(|| right as f64 / of.len() as f64)
        };
        let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        let counts = Confusion::at(&labels, &scores, 0.5).unwrap();
        let recall = share(&|label, _| label, &|_, taken| taken);
        let specificity = share(&|label, _| !label, &|_, taken| !taken);
        prop_assert_eq!(counts.precision().ok(), share(&|_, taken| taken, &|label, _| label));
        prop_assert_eq!(counts.recall().ok(), recall);
        prop_assert_eq!(counts.specificity().ok(), specificity);
        prop_assert_eq!(counts.accuracy().ok(), share(&|_, _| true, &|label, taken| label == taken));
        let balanced = recall.zip(specificity).map(|(recall, specificity)| f64::midpoint(recall, specificity));
        prop_assert_eq!(counts.balanced_accuracy().ok(), balanced);
    }

    /// F1 of each class as the harmonic mean of shares of rows; classes that nobody named have none.
    #[test]
    fn averaged_f1_equals_a_recount(rows in prop::collection::vec((0usize..4, 0usize..4), 1..50)) {
        let share = |hits: usize, of: usize| if of == 0 { 0.0 } else { hits as f64 / of as f64 };
        let (mut scores, mut weighted) = (Vec::new(), 0.0);
        for class in 0..4 {
            let actual = rows.iter().filter(|row| row.0 == class).count();
            let taken = rows.iter().filter(|row| row.1 == class).count();
            let hits = rows.iter().filter(|row| **row == (class, class)).count();
            let (precision, recall) = (share(hits, taken), share(hits, actual));
            let f1 = if hits == 0 { 0.0 } else { 2.0 / (1.0 / precision + 1.0 / recall) };
            weighted += f1 * actual as f64 / rows.len() as f64;
            if actual + taken > 0 {
                scores.push(f1);
            }
        }
        let (truth, pred): (Vec<usize>, Vec<usize>) = rows.iter().copied().unzip();
        let matrix = ConfusionMatrix::new(&truth, &pred, 4).unwrap();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        prop_assert!((matrix.macro_f1() - mean).abs() < 1e-12);
        prop_assert!((matrix.weighted_f1() - weighted).abs() < 1e-12);
    }

    /// Matthews' coefficient is the Pearson correlation of labels and decisions as 0 and 1.
    #[test]
    fn mcc_is_a_pearson_correlation(
        rows in prop::collection::vec((any::<bool>(), any::<bool>()), 2..60)
    ) {
        let labels: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let truth: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.0))).collect();
        let pred: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        let mcc = Confusion::at(&labels, &pred, 0.5).unwrap().mcc();
        match (mcc, crate::metrics::pearson(&truth, &pred)) {
            (Ok(mcc), Ok(r)) => prop_assert!((mcc - r).abs() < 1e-12),
            (mcc, r) => prop_assert!(mcc.is_err() && r.is_err()),
        }
    }

    /// F-beta against the weighted harmonic mean of precision and recall.
    #[test]
    fn f_beta_is_a_weighted_harmonic_mean(
        tp in 1u64..40, fp in 0u64..40, fn_ in 0u64..40, beta in 0.1f64..5.0
    ) {
        let counts = Confusion { tp, fp, tn: 3, fn_ };
        let (p, r) = (counts.precision().unwrap(), counts.recall().unwrap());
        let weight = beta * beta;
        let mean = (1.0 + weight) * p * r / (weight * p + r);
        prop_assert!((counts.f_beta(beta).unwrap() - mean).abs() < 1e-12);
        prop_assert!((counts.f1().unwrap() - counts.f_beta(1.0).unwrap()).abs() < 1e-15);
    }
}
