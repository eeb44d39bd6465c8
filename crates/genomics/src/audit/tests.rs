//! The audit on sets small enough to count by hand.

use super::*;

fn at(contig: &str, start: i64) -> Locus {
    Locus::new(contig, start, start + 6).unwrap()
}

/// Twelve rows: 0 to 5 in training, 6 and 7 in validation, 8 to 10 in test, 11 in none.
fn set() -> SequenceSet {
    let rows: [(&str, f32, Option<Locus>); 12] = [
        ("GGCCGA", 1.0, Some(at("chr1", 0))),
        ("GCGCGA", 1.0, Some(at("chr1", 100))),
        ("GGGCAA", 1.0, Some(at("chr1", 200))),
        ("ATTTAA", 0.0, Some(at("chr2", 0))),
        ("ATATAA", 0.0, Some(at("chr2", 100))),
        ("TTTAAC", 0.0, None),
        ("GCCCAA", 1.0, Some(at("chr3", 0))),
        ("TTAATA", 0.0, Some(at("chr3", 100))),
        ("GGCCGA", 1.0, Some(at("chr2", 103))), // row 0, on its contig, overlapping row 4
        ("TTAAAT", 1.0, Some(at("chr4", 0))),   // row 3 on the other strand, with another label
        ("NNNNNN", 0.0, Some(at("chr4", 100))),
        ("ACGTAC", f32::NAN, None),
    ];
    SequenceSet {
        names: (0..12).map(|row| format!("row {row}")).collect(),
        sequences: rows.iter().map(|(sequence, ..)| sequence.as_bytes().to_vec()).collect(),
        loci: rows.iter().map(|(.., locus)| locus.clone()).collect(),
        tasks: vec!["bound".to_owned()],
        labels: Labels::Binary,
        targets: rows.iter().map(|(_, target, _)| *target).collect(),
        groups: None,
    }
}

fn split() -> Split {
    Split::new((0..6).collect(), vec![6, 7], vec![8, 9, 10])
}

fn audit() -> Audit {
    Audit::new(&set(), &split(), &KmerConfig { k: 2, ..KmerConfig::default() }).unwrap()
}

#[test]
fn rows_bases_and_labels_are_counted() {
    let audit = audit();
    assert_eq!((audit.rows, audit.unused, audit.distinct, audit.conflicts), (12, 1, 10, 1));
    let parts: Vec<Part> = audit.parts.iter().map(|part| part.part).collect();
    assert_eq!(parts, Part::ALL);
    let (train, test) = (&audit.parts[0], &audit.parts[2]);
    assert_eq!((train.rows, train.distinct, train.placed, train.contig_count), (6, 6, 5, 2));
    assert_eq!((test.rows, test.distinct, test.placed, test.contig_count), (3, 3, 3, 2));
    assert_eq!(test.contigs, ["chr2", "chr4"]);
    assert_eq!(test.lengths, [6, 6, 6]);
    assert_eq!((test.rows_with_unknown, test.rows_all_unknown), (1, 1));
    assert!((test.unknown - 1.0 / 3.0).abs() < 1e-12);
    // Shares of G and C of test: 5/6, 0, and 1/2 where nothing is known.
    for (found, expected) in test.gc.iter().zip([0.0, 0.25, 0.5, 2.0 / 3.0, 5.0 / 6.0]) {
        assert!((found - expected).abs() < 1e-12, "{:?}", test.gc);
    }
    let Balance::Binary { positives, negatives, gc_positives, gc_negatives } = train.tasks[0].balance else { panic!() };
    assert_eq!((positives, negatives, train.tasks[0].missing), (3, 3, 0));
    // 5, 5 and 4 of six; 0, 0 and 1 of six.
    assert!((gc_positives.unwrap() - 14.0 / 18.0).abs() < 1e-12 && (gc_negatives.unwrap() - 1.0 / 18.0).abs() < 1e-12);
}

#[test]
fn overlaps_tell_letters_strands_contigs_and_windows_apart() {
    let audit = audit();
    let [validation, test] = &audit.overlaps[..] else { panic!("{:?}", audit.overlaps) };
    assert_eq!((validation.part, validation.same_sequence, validation.reverse_complement), (Part::Validation, 0, 0));
    assert_eq!((validation.same_contig, validation.overlapping), (Some(0), Some(0)));
    assert_eq!((test.part, test.rows), (Part::Test, 3));
    assert_eq!((test.same_sequence, test.reverse_complement, test.conflicting), (1, 1, 1));
    assert_eq!((test.same_contig, test.overlapping), (Some(1), Some(1)));
    assert_eq!(test.shared_contigs, ["chr2"]);
    // Without places there is nothing to compare.
    let unplaced = SequenceSet { loci: vec![None; 12], ..set() };
    let audit = Audit::without_baselines(&unplaced, &split()).unwrap();
    assert_eq!((audit.overlaps[1].same_contig, audit.overlaps[1].overlapping), (None, None));
    assert!(audit.scores.is_empty());
}

#[test]
fn baselines_stand_in_the_audit_and_models_beside_them() {
    let audit = audit();
    let names: Vec<&str> = audit.scores_on(Part::Validation).map(|scored| scored.name.as_str()).collect();
    assert_eq!(names, ["majority class", "GC content", "2-mer logistic regression"]);
    let gc: Vec<f64> =
        audit.scores.iter().filter(|scored| scored.name == "GC content").map(|scored| scored.scores["auroc"]).collect();
    // Validation is separated. Of test, 5/6 is above 1/2 and 0 is below it.
    assert_eq!(gc, [1.0, 0.5]);
    let scores = Scores::from([("auroc".to_owned(), 0.5)]);
    let audit = audit.with_scores("DeepBind", Part::Validation, scores);
    assert_eq!(audit.scores_on(Part::Validation).filter(|scored| !scored.baseline).count(), 1);
    let text = audit.to_text();
    for expected in [
        "12 rows, 10 different sequences",
        "1 of 12 (8.3 %) rows are in no part",
        "test, bound: 2 of 3 (66.7 %) positive, mean GC 0.417 against 0.500",
        "1 of 3 (33.3 %) test sequences are in train\n",
        "1 of 3 (33.3 %) only as their reverse complement",
        "DeepBind                           0.500         -",
        "GC content alone reaches AUROC 1.000 on validation",
        "DeepBind reaches AUROC 0.500 on validation, 2-mer logistic regression 1.000: nothing shows",
        "1 of 10 different sequences have rows with different labels",
        "1 of 3 (33.3 %) test rows lie on contigs that training has too: chr2",
        "1 of 3 (33.3 %) test windows overlap one of training on the genome",
        "1 of 3 (33.3 %) test sequences have no known base",
        "33.3 % of the bases of test are unknown",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn a_clean_set_has_no_findings() {
    let sequences = ["GACCTA", "GTTCCA", "CAGGTT", "AGCTGT", "ACCTGA", "GGATCA", "CTTAGC", "TCGGTA"];
    let set = SequenceSet {
        names: vec![String::new(); 8],
        sequences: sequences.iter().map(|sequence| sequence.as_bytes().to_vec()).collect(),
        loci: vec![None; 8],
        tasks: vec!["bound".to_owned()],
        labels: Labels::Binary,
        targets: vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        groups: None,
    };
    let audit =
        Audit::new(&set, &Split::new(vec![0, 1, 2, 3], vec![], vec![4, 5, 6, 7]), &KmerConfig::default()).unwrap();
    // All have three G and C: the classes tie.
    assert!(audit.findings().is_empty(), "{:?}", audit.findings());
    assert!(audit.to_text().ends_with("nothing found that makes a score say less than it seems to\n"));
    // A rare label is told.
    let rare = SequenceSet { targets: vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], ..set };
    let audit =
        Audit::new(&rare, &Split::new(vec![0, 1, 2, 3], vec![], vec![4, 5, 6, 7]), &KmerConfig::default()).unwrap();
    assert_eq!(audit.findings(), ["all labels of bound in test are 0"]);
}

#[test]
fn classes_and_values_are_audited_too() {
    let classes = Labels::Classes(vec!["EI".into(), "IE".into(), "N".into()]);
    let targets = vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 2.0, 1.0, 2.0, 0.0, 1.0];
    let set_of_classes = SequenceSet { labels: classes, targets, ..set() };
    let audit = Audit::new(&set_of_classes, &split(), &KmerConfig::default()).unwrap();
    let counts = |n: [usize; 3]| Balance::Classes(["EI", "IE", "N"].map(str::to_owned).into_iter().zip(n).collect());
    assert_eq!(audit.parts[0].tasks[0].balance, counts([2, 2, 2]));
    assert_eq!(audit.parts[2].tasks[0].balance, counts([1, 1, 1]));
    assert!(audit.to_text().contains("train, bound: EI 2, IE 2, N 2"));
    assert_eq!(audit.headline(), "accuracy");

    let targets = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 6.0, 7.0, f32::NAN, 0.0];
    let set_of_values = SequenceSet { labels: Labels::Values, targets, ..set() };
    let audit = Audit::new(&set_of_values, &split(), &KmerConfig::default()).unwrap();
    let Balance::Values { quartiles, mean, sd } = &audit.parts[0].tasks[0].balance else { panic!() };
    assert_eq!((quartiles.unwrap(), *mean), ([0.0, 1.25, 2.5, 3.75, 5.0], 2.5));
    assert!((sd - (35.0_f64 / 12.0).sqrt()).abs() < 1e-12);
    assert_eq!(audit.parts[2].tasks[0].missing, 1);
    assert!(audit.scores_on(Part::Test).all(|scored| scored.scores.contains_key("mse")));
}

#[test]
fn an_audit_reads_back_and_impossible_splits_are_refused() {
    let audit = audit();
    let value = serde_json::to_value(&audit).unwrap();
    assert_eq!(value["parts"][2]["part"], "test");
    assert_eq!(serde_json::from_value::<Audit>(value).unwrap(), audit);
    let error = |split: &Split| Audit::new(&set(), split, &KmerConfig::default()).unwrap_err().to_string();
    assert!(
        error(&Split::new(vec![0], vec![], vec![12])).starts_with("row 12 is in the test part, but the set has 12")
    );
    assert!(error(&Split::new(vec![], vec![], vec![1])).starts_with("the training part has no rows"));
}
