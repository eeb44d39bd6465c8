//! `explain` says what the network did not read, and shows its numbers with their scale.

use crate::command::{Finished, demo_run, folder_with, galen_drug_in};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `explain` on the model of the demo, which reads 85 characters and 120 residues.
fn explain(folder: &Path, smiles: &str, more: &[&str]) -> Finished {
    let model = demo_run().to_string_lossy().into_owned();
    let words = ["explain", "--model", &model, "--smiles", smiles, "--fasta", "target.fa", "--run-dir", "why"];
    galen_drug_in(folder, &[&words[..], more].concat())
}

/// Of each row of a file whether it has an effect.
fn has_effect(folder: &Path, name: &str) -> Vec<bool> {
    let text = fs::read_to_string(folder.join("why").join(name)).unwrap();
    let effects = text.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap());
    effects.map(|effect| effect.parse::<f64>().is_ok_and(f64::is_finite)).collect()
}

#[test]
fn what_was_not_read_is_said_and_has_no_effect() {
    let folder = folder_with(&[("target.fa", &format!(">one\n{}\n", "MKTAYIAKQR".repeat(13)))]);
    let path = folder.path();
    let status = "truncated 85/100; target truncated 120/130";
    // A nitrogen at the place that is read last, and carbons.
    let smiles = format!("{}N{}", "C".repeat(84), "C".repeat(15));
    let told = explain(path, &smiles, &[]).ends_with(0).says(&format!("status: {status}"));
    assert!(told.stdout.contains(&format!("status: {status}")), "{}", told.stdout);
    let expected = |read: usize, all: usize| (0..all).map(|place| place < read).collect::<Vec<bool>>();
    assert_eq!(has_effect(path, "atoms.tsv"), expected(85, 100));
    assert_eq!(has_effect(path, "residues.tsv"), expected(120, 130));
    let page = fs::read_to_string(path.join("why/report.html")).unwrap();
    // The page writes a slash as a character reference.
    let status = status.replace('/', "&#x2f;");
    for text in [&status, "first 85 of 100 atoms", "first 120 of 130 residues", "Interval", "raises", "lowers"] {
        assert!(page.contains(text), "{text} is missing in the report");
    }

    // For a program the same; a string that is read whole has nothing to say.
    fs::remove_dir_all(path.join("why")).unwrap();
    fs::write(path.join("target.fa"), ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIE\n").unwrap();
    let told = explain(path, "Nc1ccc(cc1)S(=O)(=O)N", &["--json"]).ends_with(0);
    let found: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(found["status"], "ok");
    assert_eq!(found["quantity"], "pKd");
    assert!(found["prediction"].is_f64() && found["effects"].as_array().is_some_and(|rows| rows.len() == 16));
    let radius = |end: &str| found[end].as_f64().map(|end| (end - found["prediction"].as_f64().unwrap()).abs());
    let ends = radius("low").zip(radius("high"));
    assert!(ends.is_some_and(|(low, high)| low > 0.0 && (low - high).abs() < 1e-9), "{found}");
    assert!(!told.stderr.contains("status"), "{}", told.stderr);
}

/// Neither of the two leaves anything to continue from.
#[test]
fn there_is_nothing_to_continue() {
    let folder = folder_with(&[("target.fa", ">one\nMKV\n"), ("pairs.csv", "SMILES,Protein,Y\nCCO,MKV,5\n")]);
    explain(folder.path(), "CCO", &["--resume"]).ends_with(2).says("leave out --resume");
    let prepare = ["prepare", "--data", "pairs.csv", "--run-dir", "why", "--resume"];
    galen_drug_in(folder.path(), &prepare).ends_with(2).says("leave out --resume");
    assert!(!folder.path().join("why").exists());
}
