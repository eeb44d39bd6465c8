//! Scores against worked examples and against each other.

use super::*;

fn binary(targets: &[f32], logits: &[f64]) -> Judged {
    Judged::new(Labels::Binary, vec!["t".into()], targets.to_vec(), logits.to_vec()).unwrap()
}

#[test]
fn a_worked_example_of_two_classes() {
    let judged = binary(&[1.0, 1.0, 0.0, 1.0, 0.0], &[3.0, 1.0, 0.5, -0.5, -2.0]);
    let scores = judged.scores().unwrap();
    // 5 of the 6 pairs of a positive and a negative are in order.
    assert!((scores["auroc"] - 5.0 / 6.0).abs() < 1e-15);
    // precision at each positive: 1, 1, 3/4
    assert!((scores["average_precision"] - (1.0 + 1.0 + 0.75) / 3.0).abs() < 1e-15);
    // at a false discovery rate of a tenth the first two positives are found
    assert!((scores["recall_at_fdr_10"] - 2.0 / 3.0).abs() < 1e-15);
    // at the logit 0: three taken for positive, two rightly
    assert!((scores["accuracy"] - 0.6).abs() < 1e-15);
    assert!((scores["sensitivity"] - 2.0 / 3.0).abs() < 1e-15 && scores["specificity"] == 0.5);
    let loss = [3.0_f64, 1.0, -0.5, -0.5, 2.0].map(|z| -probability(z).ln()).iter().sum::<f64>() / 5.0;
    assert!((scores["loss"] - loss).abs() < 1e-12, "{} and {loss}", scores["loss"]);
}

#[test]
fn logits_too_large_for_a_probability_keep_their_order_and_a_finite_loss() {
    // σ(40) and σ(50) are both 1 in 64 bits.
    let judged = binary(&[0.0, 1.0], &[40.0, 50.0]);
    assert_eq!(judged.score("auroc").unwrap(), 1.0);
    assert!((judged.score("loss").unwrap() - 20.0).abs() < 1e-9);
}

#[test]
fn missing_labels_do_not_count_and_one_class_has_no_ranking() {
    let nan = f32::NAN;
    // Two tasks: the first ranks well, the second has one label only.
    let targets = vec![1.0, 1.0, 0.0, nan, nan, nan];
    let judged =
        Judged::new(Labels::Binary, vec!["a".into(), "b".into()], targets, vec![1.0, 9.0, -1.0, 0.0, 7.0, 0.0])
            .unwrap();
    let scores = judged.scores().unwrap();
    assert_eq!(scores["auroc"], 1.0);
    assert_eq!(scores["a.auroc"], 1.0);
    assert!(!scores.contains_key("b.auroc"), "{scores:?}");
    let single = binary(&[1.0, 1.0], &[0.1, 0.2]);
    assert!(matches!(single.score("auroc"), Err(MetricError::Undefined { .. })));
    assert!(matches!(binary(&[nan], &[0.1]).score("auroc"), Err(MetricError::Undefined { .. })));
    assert!(matches!(binary(&[], &[]).score("auroc"), Err(MetricError::Empty)));
}

#[test]
fn classes_are_counted_and_ranked() {
    let labels = Labels::Classes(["EI", "IE", "N"].map(String::from).to_vec());
    let logits = vec![2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 3.0];
    let judged = Judged::new(labels, vec!["site".into()], vec![0.0, 1.0, 2.0, 2.0], logits).unwrap();
    let scores = judged.scores().unwrap();
    assert_eq!(scores["accuracy"], 0.75);
    assert!((scores["balanced_accuracy"] - (1.0 + 1.0 + 0.5) / 3.0).abs() < 1e-15);
    // F1: EI 2/3, IE 1, N 2/3
    assert!((scores["macro_f1"] - 7.0 / 9.0).abs() < 1e-15);
    let e = 2.0_f64.exp();
    let sure = -(e / (e + 2.0)).ln();
    let wrong = (e + 1.0 + 1.0_f64.exp()).ln() - 1.0;
    let third = -(3.0_f64.exp() / (3.0_f64.exp() + 2.0)).ln();
    assert!((scores["loss"] - (sure + sure + wrong + third) / 4.0).abs() < 1e-12);
    assert!(judged.scores().unwrap()["auroc"] > 0.8);
}

#[test]
fn values_are_correlated() {
    let judged =
        Judged::new(Labels::Values, vec!["level".into()], vec![1.0, 2.0, f32::NAN, 3.0], vec![2.0, 4.0, -9.0, 6.0])
            .unwrap();
    let scores = judged.scores().unwrap();
    assert!((scores["pearson"] - 1.0).abs() < 1e-12 && (scores["mse"] - 14.0 / 3.0).abs() < 1e-12);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let tasks = || vec!["t".to_owned()];
    let wrong = Judged::new(Labels::Binary, tasks(), vec![1.0, 0.0], vec![1.0]).unwrap_err();
    assert_eq!(wrong, MetricError::Length { truth: 2, pred: 1 });
    let nan = Judged::new(Labels::Binary, tasks(), vec![1.0], vec![f64::NAN]).unwrap_err();
    assert!(matches!(nan, MetricError::NotFinite { index: 0, .. }));
    assert!(matches!(binary(&[1.0], &[1.0]).score("pearson"), Err(MetricError::Undefined { .. })));
}

/// The area under the ROC curve by trapezia is the AUROC by ranks, ties included, and the sum under the steps of
/// precision against recall is the average precision.
#[test]
fn the_areas_under_the_curves_are_the_scores() {
    use rand::RngExt;
    let mut rng = nn_core::data::rng(3, &[]);
    for _ in 0..20 {
        let labels: Vec<bool> = (0..60).map(|i| i < 2 || rng.random_bool(0.3)).collect();
        let scores: Vec<f64> = labels.iter().map(|&y| f64::from(rng.random_range(0..9) + i32::from(y))).collect();
        let labels: Vec<bool> = labels.iter().enumerate().map(|(i, &y)| y && i != 1).collect();
        let roc = roc(&labels, &scores).unwrap();
        let area: f64 = roc.windows(2).map(|w| (w[1].0 - w[0].0) * f64::midpoint(w[0].1, w[1].1)).sum();
        assert!((area - metrics::auroc(&labels, &scores).unwrap()).abs() < 1e-12);
        let curve = precision_recall(&labels, &scores).unwrap();
        let mut before = 0.0;
        let mut sum = 0.0;
        for (recall, precision) in curve {
            sum += (recall - before) * precision;
            before = recall;
        }
        assert!((sum - metrics::average_precision(&labels, &scores).unwrap()).abs() < 1e-12);
    }
}

#[test]
fn reliability_counts_every_row_once() {
    let logits = [-3.0, -2.9, 0.1, 4.0, 4.1];
    let found = reliability(&[false, true, true, true, true], &logits, 10).unwrap();
    assert_eq!(found.iter().map(|bin| bin.rows).sum::<usize>(), 5);
    assert_eq!(found[0].observed, 0.5);
    assert!((found[0].predicted - f64::midpoint(probability(-3.0), probability(-2.9))).abs() < 1e-15);
    assert!(reliability(&[true], &[0.0], 0).is_err());
}
