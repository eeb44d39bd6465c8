//! The audit on published sets. `golden/audit.json` holds the counts of an independent implementation in Python
//! (`audit.py` beside it).

use genomics::audit::{Audit, Balance};
use genomics::dataset::SequenceSet;
use genomics::io::sets;
use genomics::kmer::KmerConfig;
use nn_core::data::{Fractions, Part, Split, random};
use serde_json::Value;

use crate::data;

fn golden(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/audit.json")).unwrap();
    all[name].clone()
}

/// A training and a test set as one, with the split that they came with.
fn upstream(mut train: SequenceSet, test: SequenceSet) -> (SequenceSet, Split) {
    let split = Split::new((0..train.len()).collect(), vec![], (train.len()..train.len() + test.len()).collect());
    train.append(test).unwrap();
    (train, split)
}

fn counted(name: &str, (set, split): (SequenceSet, Split)) -> Audit {
    let audit = Audit::without_baselines(&set, &split).unwrap();
    let expected = golden(name);
    let [train, test] = &audit.parts[..] else { panic!("{} parts", audit.parts.len()) };
    let [overlap] = &audit.overlaps[..] else { panic!("{} overlaps", audit.overlaps.len()) };
    assert_eq!((audit.unused, overlap.part, overlap.rows), (0, Part::Test, test.rows));
    for (what, found) in [
        ("train", train.rows),
        ("test", test.rows),
        ("distinct", audit.distinct),
        ("conflicts", audit.conflicts),
        ("same_sequence", overlap.same_sequence),
        ("reverse_complement", overlap.reverse_complement),
        ("conflicting", overlap.conflicting),
        ("rows_with_unknown", test.rows_with_unknown),
        ("rows_all_unknown", test.rows_all_unknown),
    ] {
        assert_eq!(expected[what], found, "{name}, {what}");
    }
    assert!((test.unknown - expected["unknown"].as_f64().unwrap()).abs() < 1e-9, "{name}");
    for (what, found) in [("same_contig", overlap.same_contig), ("overlapping", overlap.overlapping)] {
        assert_eq!(expected[what].as_u64(), found.map(|count| count as u64), "{name}, {what}");
    }
    audit
}

#[test]
fn clip_sets_share_unknown_sequences_chromosomes_and_windows() {
    let Some(folder) = data::path("genomics/rbp31") else { return };
    for name in ["17_ICLIP_HNRNPC_hg19", "24_PARCLIP_QKI_hg19", "27_ICLIP_TDP43_hg19"] {
        let read = |part: &str| sets::class_fasta(&folder.join(name).join(format!("{part}.fa.gz"))).unwrap();
        let audit = counted(name, upstream(read("training"), read("test")));
        let Balance::Binary { positives, negatives, .. } = audit.parts[1].tasks[0].balance else { panic!() };
        assert_eq!((positives, negatives), (2_000, 8_000));
        let text = audit.to_text();
        assert!(text.contains("10,000 of 10,000 (100.0 %) test rows lie on contigs that training has too"), "{text}");
        assert!(text.contains("test sequences have no known base"), "{text}");
    }
}

#[test]
fn methylation_sets_share_single_sequences() {
    let Some(folder) = data::path("genomics/m6a_41bp") else { return };
    for tissue in ["Human_Brain", "Human_Liver", "Mouse_brain"] {
        let read = |part: &str| sets::labelled_csv(&folder.join(tissue).join(format!("{part}.csv.gz"))).unwrap();
        let audit = counted(tissue, upstream(read("train"), read("test")));
        assert_eq!(audit.overlaps[0].same_contig, None, "these files have no places");
    }
}

#[test]
fn splice_junctions_repeat() {
    let Some(folder) = data::path("genomics/uci_splice") else { return };
    let set = sets::uci_splice(&folder.join("spliceData.txt")).unwrap();
    let split = random(set.len(), Fractions { validation: 0.1, test: 0.2 }, 1).unwrap();
    let audit = Audit::new(&set, &split, &KmerConfig { both_strands: false, ..KmerConfig::default() }).unwrap();
    let expected = golden("uci_splice");
    assert_eq!(expected["rows"], audit.rows);
    assert_eq!(expected["distinct"], audit.distinct);
    assert_eq!(expected["conflicts"], audit.conflicts);
    // 185 copies, 185 / 3190 of the rows, and a random split parts many of them.
    let test = audit.overlaps.iter().find(|overlap| overlap.part == Part::Test).unwrap();
    assert!((10..90).contains(&test.same_sequence), "{}", test.same_sequence);
    // 52 % of the rows are of one class; words of four bases know more.
    let accuracy: Vec<f64> = audit.scores_on(Part::Test).map(|scored| scored.scores["accuracy"]).collect();
    assert!((accuracy[0] - 0.52).abs() < 0.05 && accuracy[2] > accuracy[0] + 0.05, "{accuracy:?}");
}

/// G and C are most of this benchmark: alone they reach an AUROC of 0.825 (see the tests of the baselines).
#[test]
fn the_report_warns_of_ienhancer_2l() {
    let Some(folder) = data::path("genomics/ienhancer2l") else { return };
    let set = sets::two_fastas(&folder.join("enhancer.cv.txt"), &folder.join("non.cv.txt")).unwrap();
    let split = random(set.len(), Fractions { validation: 0.0, test: 0.2 }, 3).unwrap();
    let audit = Audit::new(&set, &split, &KmerConfig::default()).unwrap();
    let findings = audit.findings().join("\n");
    assert!(findings.contains("GC content alone reaches AUROC 0."), "{findings}");
    let scores: Vec<f64> = audit.scores_on(Part::Test).map(|scored| scored.scores["auroc"]).collect();
    assert!((scores[1] - 0.825).abs() < 0.04 && (scores[2] - scores[1]).abs() < 0.04, "{scores:?}");
    let Balance::Binary { gc_positives, gc_negatives, .. } = audit.parts[0].tasks[0].balance else { panic!() };
    assert!(gc_positives.unwrap() > gc_negatives.unwrap() + 0.08);
}
