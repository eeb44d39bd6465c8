//! Baselines on sets small enough to know the answer.

use super::*;

/// Rows with the given sequences, one task.
fn set(labels: Labels, rows: &[(&str, f32)]) -> SequenceSet {
    SequenceSet {
        names: rows.iter().map(|(sequence, _)| (*sequence).to_owned()).collect(),
        sequences: rows.iter().map(|(sequence, _)| sequence.as_bytes().to_vec()).collect(),
        loci: vec![None; rows.len()],
        tasks: vec!["bound".to_owned()],
        labels,
        targets: rows.iter().map(|(_, target)| *target).collect(),
        groups: None,
    }
}

const ROWS: [(&str, f32); 8] = [
    ("GGCC", 1.0),
    ("GGCA", 1.0),
    ("GCAG", 1.0),
    ("AATT", 0.0),
    ("ATGA", 0.0),
    ("TTTT", 0.0),
    ("CCGG", 1.0),
    ("TATA", 0.0),
];

#[test]
fn composition_is_learnt_and_the_prior_is_counted() {
    let set = set(Labels::Binary, &ROWS);
    let (train, query) = ([0, 1, 2, 3, 4], [6, 7]);
    let found = all(&set, &train, &query, &KmerConfig { k: 2, ..KmerConfig::default() }).unwrap();
    let names: Vec<&str> = found.iter().map(|baseline| baseline.name.as_str()).collect();
    assert_eq!(names, ["majority class", "GC content", "2-mer logistic regression"]);
    // Three of five, and one more of each.
    assert!(found[0].predicted.iter().all(|logit| (logit - (4.0_f64 / 3.0).ln()).abs() < 1e-12));
    for baseline in &found[1..] {
        assert!(baseline.predicted[0] > 0.0 && baseline.predicted[1] < 0.0, "{baseline:?}");
        assert_eq!(baseline.scores(&set, &query).unwrap()["auroc"], 1.0);
    }
    // All rows tie.
    assert_eq!(found[0].scores(&set, &query).unwrap()["auroc"], 0.5);
    assert_eq!(found[0].scores(&set, &query).unwrap()["accuracy"], 0.5);
}

#[test]
fn labels_of_the_query_and_missing_labels_are_not_looked_at() {
    let config = KmerConfig { k: 1, ..KmerConfig::default() };
    let complete = set(Labels::Binary, &ROWS);
    let mut missing = complete.clone();
    (missing.targets[5], missing.targets[6]) = (f32::NAN, f32::NAN);
    // Row 5 is in training, but has no label any more.
    let expected = all(&complete, &[0, 1, 3, 4], &[6, 7], &config).unwrap();
    assert_eq!(all(&missing, &[0, 1, 3, 4, 5], &[6, 7], &config).unwrap(), expected);
}

#[test]
fn tasks_are_learnt_one_by_one_and_laid_out_side_by_side() {
    let one = set(Labels::Binary, &ROWS);
    let mut two = one.clone();
    two.tasks.push("unbound".to_owned());
    two.targets = one.targets.iter().flat_map(|target| [*target, 1.0 - target]).collect();
    let config = KmerConfig { k: 2, ..KmerConfig::default() };
    let (train, query) = ([0, 1, 2, 3, 4, 5], [6, 7, 0]);
    for (one, two) in
        all(&one, &train, &query, &config).unwrap().iter().zip(all(&two, &train, &query, &config).unwrap())
    {
        assert_eq!(two.predicted.len(), 6);
        for (logit, pair) in one.predicted.iter().zip(two.predicted.chunks_exact(2)) {
            assert!((logit - pair[0]).abs() < 1e-6 && (logit + pair[1]).abs() < 1e-4, "{logit} {pair:?}");
        }
    }
}

#[test]
fn classes_and_values_have_their_baselines() {
    let classes = Labels::Classes(vec!["A".into(), "C".into(), "G".into()]);
    let rows =
        [("AAAA", 0.0), ("CCCC", 1.0), ("GGGA", 2.0), ("AATA", 0.0), ("CCCA", 1.0), ("GGGG", 2.0), ("AACA", 0.0)];
    let set_of_classes = set(classes, &rows);
    let config = KmerConfig { k: 1, both_strands: false, penalty: 0.1 };
    let found = all(&set_of_classes, &[0, 1, 2, 3, 4], &[5, 6], &config).unwrap();
    // Two, two and one of five, and one more of each: shares 3/8, 3/8 and 2/8.
    let shares: Vec<f64> = found[0].predicted.iter().map(|logit| logit.exp()).collect();
    for (share, expected) in shares.iter().zip([0.375, 0.375, 0.25, 0.375, 0.375, 0.25]) {
        assert!((share - expected).abs() < 1e-12, "{shares:?}");
    }
    assert_eq!(found[2].scores(&set_of_classes, &[5, 6]).unwrap()["accuracy"], 1.0);

    // The value is the share of G and C, times ten.
    let rows = [("AAAA", 0.0), ("CAAT", 2.5), ("GCTA", 5.0), ("GGCT", 7.5), ("GCGC", 10.0), ("TCTA", 2.5)];
    let set = set(Labels::Values, &rows);
    let found = all(&set, &[0, 1, 2, 3, 4], &[5], &KmerConfig { penalty: 1e-6, ..config }).unwrap();
    assert_eq!(found[0].name, "mean");
    assert_eq!(found[0].predicted, [5.0]);
    assert_eq!(found[2].name, "1-mer ridge regression");
    // On one standardised column, a penalty of 1 leaves n / (n + 1) of the slope: 5/6 of the way from the mean, 5, to
    // 2.5.
    assert!((found[1].predicted[0] - 5.0 + 2.5 * 5.0 / 6.0).abs() < 1e-6, "{found:?}");
    // The other penalty pulls by a millionth.
    assert!((found[2].predicted[0] - 2.5).abs() < 1e-3, "{found:?}");
}

#[test]
fn impossible_parts_are_refused() {
    let set = set(Labels::Binary, &ROWS);
    let config = KmerConfig::default();
    let error = |train: &[usize], query: &[usize]| all(&set, train, query, &config).unwrap_err().to_string();
    assert_eq!(error(&[], &[0]), "the training part has no rows; the baselines need some");
    assert!(error(&[0, 9], &[0]).starts_with("row 9 is in the training part, but the set has 8 rows"));
    assert!(error(&[0], &[8]).starts_with("row 8 is in the query part, but the set has 8 rows"));
    let config = KmerConfig { k: 20, ..config };
    assert!(matches!(all(&set, &[0, 3], &[0], &config), Err(BaselineError::Config(_))));
}
