//! Every layout of labelled sequences can be audited and trained on, and a study learns what is in them.

use crate::command::{folder_with, galen_genomics_in};
use crate::data::{fasta, genome, quick, table};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// `DeepBind`'s table of a FASTA text.
fn deepbind(fasta: &str, bound: u8) -> String {
    let lines: Vec<&str> = fasta.lines().collect();
    lines.chunks(2).enumerate().fold("FoldID\tEventID\tseq\tBound\n".to_owned(), |mut text, (row, pair)| {
        writeln!(text, "A\tseq_{row}\t{}\t{bound}", pair[1]).unwrap();
        text
    })
}

#[test]
fn every_layout_is_read() {
    let (bound, free) = (fasta(40, true, 1), fasta(40, false, 2));
    let classes = bound.replace(" seed 1", "; class:1") + &free.replace(" seed 2", "; class:0");
    let (chromosomes, peaks) = genome(3);
    let folder = folder_with(&[
        ("bound.fa", &bound),
        ("free.fa", &free),
        ("class.fa", &classes),
        ("a.seq", &deepbind(&bound, 1)),
        ("a.csv", &table(80, 3)),
        ("genome.fa", &chromosomes),
        ("peaks.bed", &peaks),
        ("test.fa", &fasta(10, true, 4)),
        ("test_free.fa", &fasta(12, false, 5)),
    ]);
    let upstream = ["--test", "test.fa", "--test-negatives", "test_free.fa"];
    for (arguments, rows, test) in [
        (vec!["--data", "bound.fa", "--negatives", "free.fa", "--split", "random"], 80, 16),
        (vec!["--data", "bound.fa", "--split", "random"], 80, 16),
        (vec!["--data", "class.fa", "--format", "class-fasta", "--split", "random"], 80, 16),
        (vec!["--data", "a.seq", "--negatives", "dinucleotide", "--split", "random"], 80, 16),
        (vec!["--data", "a.csv", "--split", "random"], 80, 16),
        (vec!["--data", "a.csv", "--column", "group=family", "--split", "group"], 80, 16),
        (vec!["--data", "peaks.bed", "--genome", "genome.fa"], 240, 80),
        (
            vec![
                "--data",
                "peaks.bed",
                "--genome",
                "genome.fa",
                "--negatives",
                "genome",
                "--window",
                "60",
                "--set",
                "source.matching.gc_bin=0.2",
            ],
            240,
            80,
        ),
        ([&["--data", "bound.fa", "--negatives", "free.fa"][..], &upstream[..]].concat(), 102, 22),
        (vec!["--data", "bound.fa", "--test", "test.fa"], 100, 20),
    ] {
        let arguments: Vec<&str> = ["audit", "--json"].into_iter().chain(arguments).collect();
        let told = galen_genomics_in(folder.path(), &arguments).ends_with(0);
        let audit: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(audit["rows"].as_u64(), Some(rows), "{arguments:?}");
        let parts = audit["parts"].as_array().unwrap();
        let of = |name: &str| parts.iter().find(|part| part["part"] == name).and_then(|part| part["rows"].as_u64());
        let found = of("test").unwrap();
        // Whole groups meet the share as nearly as they can; negatives from the genome may lie on any contig.
        assert!(found.abs_diff(test) <= test / 2, "{arguments:?}: {found}, not about {test}");
        assert!(of("validation").is_some_and(|rows| rows > 0), "{arguments:?}");
    }
}

#[test]
fn a_motif_is_learnt_better_than_by_counting_words() {
    let (bound, free) = (fasta(200, true, 1), fasta(200, false, 2));
    let folder = folder_with(&[("bound.fa", &bound), ("free.fa", &free)]);
    let words = quick(&[
        "train",
        "--data",
        "bound.fa",
        "--negatives",
        "free.fa",
        "--split",
        "random",
        "--models",
        "2",
        "--epochs",
        "15",
        "--run-dir",
        "run",
    ]);
    let told = galen_genomics_in(folder.path(), &words).ends_with(0);
    assert!(told.stdout.contains("deepbind (2 models)") && told.stdout.contains("report: "), "{}", told.stdout);
    let metrics = json(&folder.path().join("run/metrics.json"));
    let auroc = metrics["metrics"]["auroc"]["mean"].as_f64().unwrap();
    assert!(auroc > 0.95, "AUROC {auroc}");
    let gc = metrics["baselines"]["GC content"]["auroc"].as_f64().unwrap();
    assert!(gc < 0.7 && auroc > gc, "GC {gc}");
    assert!(metrics["metrics"]["auroc"]["sd"].is_number() && metrics["metrics"]["auroc"]["low"].is_number());

    // What was trained is used on other sequences, and both models count.
    fs::write(folder.path().join("other.fa"), fasta(50, true, 7)).unwrap();
    fs::write(folder.path().join("other_free.fa"), fasta(50, false, 8)).unwrap();
    let evaluate = ["evaluate", "--model", "run", "--data", "other.fa", "--negatives", "other_free.fa", "--json"];
    let scores = galen_genomics_in(folder.path(), &evaluate).ends_with(0).stdout;
    let scores: Value = serde_json::from_str(&scores).unwrap();
    let found =
        scores.as_array().unwrap().iter().find(|row| row["score"] == "auroc").unwrap()["value"].as_f64().unwrap();
    assert!(found > 0.95, "AUROC {found} on other sequences");
}

#[test]
fn classes_values_and_folds_are_trained_too() {
    let classes = table(90, 5).replace(",1,", ",motif,").replace(",0,", ",plain,");
    let values = table(90, 6).replace(",1,", ",2.5,").replace(",0,", ",-1.5,");
    let folder = folder_with(&[("classes.csv", &classes), ("values.csv", &values)]);
    for (file, score, task) in [("classes.csv", "accuracy", "classes"), ("values.csv", "mse", "values")] {
        let run = file.replace(".csv", "");
        let words = quick(&[
            "train",
            "--data",
            file,
            "--split",
            "random",
            "--folds",
            "3",
            "--models",
            "3",
            "--epochs",
            "1",
            "--run-dir",
            &run,
        ]);
        galen_genomics_in(folder.path(), &words).ends_with(0);
        let metrics = json(&folder.path().join(&run).join("metrics.json"));
        assert_eq!(metrics["task"], task);
        assert_eq!(metrics["metrics"][score]["values"].as_array().map(Vec::len), Some(3), "{metrics}");
        let report = fs::read_to_string(folder.path().join(&run).join("report.html")).unwrap();
        assert!(report.contains("Cross-validation with 3 folds"));
    }
}

#[test]
fn what_is_prepared_is_the_same_data() {
    let (chromosomes, peaks) = genome(3);
    let folder = folder_with(&[("genome.fa", &chromosomes), ("peaks.bed", &(peaks + "chr1\t0\t1\tat the edge\n"))]);
    let path = folder.path();
    let prepare =
        ["extract", "--data", "peaks.bed", "--genome", "genome.fa", "--window", "60", "--run-dir", "prepared"];
    let told = galen_genomics_in(path, &prepare).ends_with(0).says("windows that cannot be used: 1");
    assert!(
        told.stdout.contains("train on it with: galen-genomics train --data prepared/sequences.tsv"),
        "{}",
        told.stdout
    );
    let data = json(&path.join("prepared/data.json"));
    assert_eq!(
        (data["kept"].as_u64(), &data["dropped"]),
        (Some(240), &serde_json::json!({"the window leaves its contig": 1}))
    );
    assert_eq!(fs::read_to_string(path.join("prepared/refused.tsv")).unwrap().lines().count(), 2);
    let again =
        ["audit", "--json", "--data", "prepared/sequences.tsv", "--column", "label=class", "--column", "group=group"];
    let told = galen_genomics_in(path, &again).ends_with(0);
    let audit: Value = serde_json::from_str(&told.stdout).unwrap();
    let before = json(&path.join("prepared/audit.json"));
    for key in ["rows", "distinct", "parts", "overlaps"] {
        assert_eq!(audit[key], before[key], "{key}");
    }
}
