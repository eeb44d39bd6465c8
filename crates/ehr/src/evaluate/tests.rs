//! scikit-learn's numbers, worked examples, and what has no value.

use super::*;
use nn_core::data::rng;
use rand::RngExt;
use serde_json::Value;

fn golden() -> Value {
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/judgement.json")).unwrap();
    file["calibration"].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn rows(file: &Value) -> (Vec<bool>, Vec<f64>) {
    let labels = file["labels"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
    (labels, numbers(&file["logits"]))
}

/// The references stop within 1e-7 of the optimum.
#[test]
fn calibration_is_that_of_a_logistic_regression() {
    let file = golden();
    let (labels, logits) = rows(&file);
    let found = Calibration::of(&labels, &logits).unwrap();
    for (found, name) in [(found.slope, "slope"), (found.intercept, "intercept"), (found.in_the_large, "in_the_large")]
    {
        let expected = file[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-6, "{name}: {found} instead of {expected}");
    }
    let Recalibration::Temperature { temperature } = Recalibration::temperature(&labels, &logits).unwrap() else {
        panic!("no temperature")
    };
    assert!((temperature - file["temperature"].as_f64().unwrap()).abs() < 1e-5, "{temperature}");
    // of what is put right by the line, the line is the diagonal
    let line = Recalibration::line(&labels, &logits).unwrap();
    let right: Vec<f64> = logits.iter().map(|&z| logit(line.probability(z))).collect();
    let again = Calibration::of(&labels, &right).unwrap();
    assert!((again.slope - 1.0).abs() < 1e-6 && again.intercept.abs() < 1e-6, "{again:?}");
}

#[test]
fn isotonic_regression_is_scikit_learns() {
    let file = golden();
    let (labels, logits) = rows(&file);
    let found = Recalibration::isotonic(&labels, &logits).unwrap();
    for (query, expected) in numbers(&file["query"]).into_iter().zip(numbers(&file["isotonic"])) {
        let p = found.probability(query);
        assert!((p - expected).abs() < 1e-9, "{query}: {p} instead of {expected}");
    }
    let again: Recalibration = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(again, found);
    assert_eq!(serde_json::from_str::<Recalibration>(r#"{"kind":"none"}"#).unwrap(), Recalibration::None);
}

/// Recalibration on the rows themselves lowers the loss of what was fitted by it, and keeps the ranking.
#[test]
fn recalibration_puts_probabilities_right() {
    let (labels, logits) = rows(&golden());
    let subjects: Vec<i64> = (0..80).collect();
    let judged = |by: &Recalibration| Judged::new(labels.clone(), logits.clone(), &subjects, by).unwrap();
    let raw = judged(&Recalibration::None);
    for by in [
        Recalibration::temperature(&labels, &logits).unwrap(),
        Recalibration::line(&labels, &logits).unwrap(),
        Recalibration::isotonic(&labels, &logits).unwrap(),
    ] {
        let better = judged(&by);
        assert!(better.score("brier").unwrap() < raw.score("brier").unwrap(), "{by:?}");
        assert_eq!(better.score("auroc").unwrap(), raw.score("auroc").unwrap());
    }
    assert!(judged(&Recalibration::isotonic(&labels, &logits).unwrap()).score("ece").unwrap() < 0.05);
}

#[test]
fn a_worked_example() {
    let labels = vec![true, true, false, true, false];
    let logits = vec![3.0, 1.0, 0.5, -0.5, -2.0];
    let judged = Judged::new(labels, logits.clone(), &[1, 1, 2, 3, 4], &Recalibration::None).unwrap();
    let scores = judged.scores().unwrap();
    // 5 of the 6 pairs of a positive and a negative are in order
    assert!((scores["auroc"] - 5.0 / 6.0).abs() < 1e-15);
    assert!((scores["auprc"] - (1.0 + 1.0 + 0.75) / 3.0).abs() < 1e-15);
    let loss = [3.0_f64, 1.0, -0.5, -0.5, 2.0].map(|z| -probability(z).ln()).iter().sum::<f64>() / 5.0;
    assert!((scores["loss"] - loss).abs() < 1e-9);
    assert_eq!(scores.len(), SCORES.len());
    assert_eq!(judged.prevalence(), 0.6);
    assert!(matches!(judged.score("f0"), Err(MetricError::Undefined { .. })));
    let interval = judged.interval("auroc", 200, 0.95, 1).unwrap();
    assert_eq!(interval.estimate, scores["auroc"]);
    // a model against itself differs in no resample
    let none = judged.difference(&judged, "auroc", 100, 0.95, 1).unwrap();
    assert_eq!((none.low, none.high), (0.0, 0.0));
    assert!(judged.intervals(100, 0.9, 1).unwrap().contains_key("brier"));
    let roc = roc(judged.labels(), judged.logits()).unwrap();
    assert_eq!((roc[0], roc[roc.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
    let area: f64 = roc.windows(2).map(|p| (p[1].0 - p[0].0) * f64::midpoint(p[0].1, p[1].1)).sum();
    assert!((area - scores["auroc"]).abs() < 1e-12);
    assert_eq!(precision_recall(judged.labels(), &logits).unwrap()[0], (1.0 / 3.0, 1.0));
}

/// Rows of one subject are drawn together: ten copies of each row make the interval no narrower.
#[test]
fn the_bootstrap_draws_subjects() {
    let mut draw = rng(8, &[]);
    let (mut labels, mut logits, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for subject in 0..60 {
        let (label, noise) = (draw.random::<f64>() < 0.4, draw.random::<f64>());
        for _ in 0..10 {
            labels.push(label);
            logits.push(noise + if label { 0.4 } else { 0.0 });
            subjects.push(subject);
        }
    }
    let rows: Vec<i64> = (0..600).collect();
    let width = |subjects: &[i64]| {
        let judged = Judged::new(labels.clone(), logits.clone(), subjects, &Recalibration::None).unwrap();
        let found = judged.interval("auroc", 300, 0.95, 1).unwrap();
        found.high - found.low
    };
    // √10 = 3.2 times as wide, give or take the noise of 300 resamples
    let ratio = width(&subjects) / width(&rows);
    assert!((2.4..4.4).contains(&ratio), "{ratio}");
}

#[test]
fn what_has_no_value_is_no_number() {
    let new = |labels: &[bool], logits: &[f64], subjects: &[i64]| {
        Judged::new(labels.to_vec(), logits.to_vec(), subjects, &Recalibration::None)
    };
    assert!(matches!(new(&[], &[], &[]), Err(MetricError::Empty)));
    assert!(matches!(new(&[true], &[0.0, 1.0], &[1]), Err(MetricError::Length { truth: 1, pred: 2 })));
    assert!(matches!(new(&[true], &[f64::NAN], &[1]), Err(MetricError::NotFinite { .. })));
    let one = new(&[true, true], &[0.1, 0.2], &[1, 2]).unwrap();
    assert!(matches!(one.score("auroc"), Err(MetricError::Undefined { .. })));
    let scores = one.scores().unwrap();
    assert!(scores.contains_key("brier") && !scores.contains_key("calibration_slope"), "{scores:?}");
    let parted = Calibration::of(&[true, true, false], &[2.0, 1.0, 0.0]).unwrap_err();
    assert!(parted.to_string().contains("parts the classes"), "{parted}");
    assert!(Calibration::of(&[true, false], &[1.0, 1.0]).is_err());
    // a temperature is found even then, at the end of what is allowed
    let Recalibration::Temperature { temperature } = Recalibration::temperature(&[true, false], &[1.0, -1.0]).unwrap()
    else {
        panic!("no temperature")
    };
    assert!((temperature - 1e-3).abs() < 1e-6, "{temperature}");
}

/// Net benefit by hand: of five rows two are acted on at 0.5, one rightly.
#[test]
fn net_benefit_weighs_false_alarms_by_the_odds() {
    let (labels, p) = ([true, false, true, false, false], [0.9, 0.6, 0.3, 0.2, 0.1]);
    let found = decision_curve(&labels, &p, &[0.0, 0.2, 0.5]).unwrap();
    assert!(found[2].model.abs() < 1e-15);
    assert!((found[1].model - (2.0 - 2.0 * 0.25) / 5.0).abs() < 1e-15);
    assert!((found[1].all - (0.4 - 0.6 * 0.25)).abs() < 1e-15);
    // at 0 everybody is acted on
    assert!((found[0].model - 0.4).abs() < 1e-15 && (found[0].all - 0.4).abs() < 1e-15);
    assert!(decision_curve(&labels, &p, &[1.0]).is_err());
    let bins = reliability(&labels, &p, 2).unwrap();
    assert_eq!((bins[0].rows, bins[1].rows), (2, 3));
    assert!((bins[1].observed - 2.0 / 3.0).abs() < 1e-15 && (bins[0].predicted - 0.15).abs() < 1e-12);
}

#[test]
fn recall_counts_the_true_codes_among_the_first() {
    let scores = [0.9, 0.1, 0.5, 0.5, 0.0, 0.2, 0.8, 0.1, 0.0, 0.0, 0.0, 0.0];
    let truth = vec![vec![0, 3, 3], vec![1, 2], vec![]];
    // row 0: of the equal codes 2 and 3 the lower comes first, so that code 3 is not among the first two
    assert_eq!(recall_by_row(&truth, &scores, 4, 2).unwrap(), [Some(0.5), Some(1.0), None]);
    assert_eq!(recall_at_k(&truth, &scores, 4, 2).unwrap(), 0.75);
    assert_eq!(recall_at_k(&truth, &scores, 4, 9).unwrap(), 1.0);
    assert!(recall_at_k(&truth, &scores, 4, 0).is_err());
    assert!(recall_at_k(&[vec![4]], &scores[..4], 4, 1).is_err());
    assert!(matches!(recall_at_k(&[vec![]], &scores[..4], 4, 1), Err(MetricError::Undefined { .. })));
}

#[test]
fn subgroups_are_judged_apart() {
    let labels = vec![true, false, true, false, true, true];
    let logits = vec![1.0, -1.0, -1.0, 1.0, 0.0, 1.0];
    let judged = Judged::new(labels, logits, &[1, 2, 3, 4, 5, 6], &Recalibration::None).unwrap();
    let groups: Vec<String> = ["f", "f", "m", "m", "x", "x"].map(String::from).to_vec();
    let found = subgroups(&judged, "sex", &groups, 50, 0.95, 1).unwrap();
    let scores: Vec<Option<f64>> = found.iter().map(|one| one.scores.get("auroc").copied()).collect();
    assert_eq!(scores, [Some(1.0), Some(0.0), None]);
    assert_eq!((found[2].group.as_str(), found[2].rows, found[2].prevalence), ("x", 2, 1.0));
    assert!(found[2].auroc.is_none());
    assert!(subgroups(&judged, "sex", &groups[1..], 50, 0.95, 1).is_err());
}
