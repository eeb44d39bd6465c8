//! `predict` returns every row of the input, in order, scored or with the reason why not.

use crate::command::{demo_run, folder_with, galen_drug_in, start};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Rows of a CSV text without quoted fields, by the names of its head.
fn rows(csv: &str) -> Vec<HashMap<&str, &str>> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    lines.map(|line| head.iter().copied().zip(line.split(',')).collect()).collect()
}

fn predict(folder: &Path, out: &str) -> crate::command::Finished {
    let model = demo_run().to_string_lossy().into_owned();
    galen_drug_in(
        folder,
        &["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--out", out],
    )
}

/// Good, unclosed ring, good again, unknown element, a duplicate of the first, too long for the network, five-valent carbon.
fn compounds() -> String {
    let long = "C".repeat(300);
    format!(
        "CC(=O)Oc1ccccc1C(=O)O aspirin\nC1CCCC ring\nFc1ccccc1 fluorobenzene\nCC[Qq]C element\nCC(=O)Oc1ccccc1C(=O)O again\n{long} long\nC(C)(C)(C)(C)C valence\n"
    )
}

const TARGETS: &str = ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVHRDLKPENWLP\n>two\nMKTAYIAKQRQISFVKJHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVHELGHSLGWLP\n";

#[test]
fn rows_keep_their_order_and_say_what_happened() {
    let compounds = compounds();
    let folder = folder_with(&[("list.smi", &compounds), ("targets.fa", TARGETS)]);
    predict(folder.path(), "out.csv").ends_with(0);
    let csv = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let rows = rows(&csv);
    assert_eq!(rows.len(), 7 * 2, "{csv}");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row["row"], (at / 2 + 1).to_string(), "{csv}");
        assert_eq!(row["target"], ["one", "two"][at % 2], "{csv}");
        let refused = row["status"].starts_with("invalid: ");
        assert_eq!(refused, [1, 3, 6].contains(&(at / 2)), "{row:?}");
        // A refused row has no number, any other has a finite one.
        let number = row["prediction"].parse::<f64>();
        assert_eq!(number.is_ok_and(f64::is_finite), !refused, "{row:?}");
    }
    assert_eq!(rows[0]["status"], "ok");
    assert_eq!(rows[2]["status"], "invalid: byte 1: ring 1 not closed");
    assert!(rows[6]["status"].starts_with("invalid: byte "), "{:?}", rows[6]);
    assert!(rows[10]["status"].starts_with("truncated "), "{:?}", rows[10]);
    assert!(rows[10]["status"].ends_with("/300"), "{:?}", rows[10]);
    // The second target has one residue that no protein has, and every row of it says so.
    assert!(rows[1]["status"].contains("unknown residue 'J' at 17"), "{:?}", rows[1]);
    // The same pair gets the same number wherever it stands.
    assert_eq!(rows[0]["prediction"], rows[8]["prediction"]);
}

#[test]
fn standard_output_and_parquet_hold_the_same_rows() {
    let folder = folder_with(&[("list.smi", &compounds()), ("targets.fa", TARGETS)]);
    let printed = predict(folder.path(), "-").ends_with(0).stdout;
    predict(folder.path(), "out.csv").ends_with(0);
    assert_eq!(printed, fs::read_to_string(folder.path().join("out.csv")).unwrap());
    predict(folder.path(), "out.parquet").ends_with(0);
    let parquet = fs::read(folder.path().join("out.parquet")).unwrap();
    // "PAR1" opens and closes every Parquet file (format specification, section File Format).
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn a_target_file_without_a_sequence_fails_and_leaves_nothing() {
    let folder = folder_with(&[("list.smi", "CCO ethanol\n"), ("targets.fa", "")]);
    predict(folder.path(), "out.csv").ends_with(1).says("targets.fa");
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn a_row_that_cannot_be_read_is_called_by_its_number() {
    let list = "smiles,id\nCCO,a\nCCO\nCCN,c\n";
    let folder = folder_with(&[("list.csv", list), ("targets.fa", ">one\nMKTAYIAKQRQIS\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["predict", "--model", &model, "--smiles", "list.csv", "--fasta", "targets.fa"];
    let told = galen_drug_in(folder.path(), &arguments).ends_with(0);
    let told = told.says("rows: 2 ok, 0 scored with remarks, 1 invalid");
    let found: Vec<[&str; 3]> =
        rows(&told.stdout).iter().map(|row| ["row", "id", "smiles"].map(|key| row[key])).collect();
    assert_eq!(found, [["1", "a", "CCO"], ["2", "2", ""], ["3", "c", "CCN"]]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_screen_leaves_no_file() {
    // Chains of carbon, nitrogen and oxygen by the digits of the row: as many molecules as rows.
    let list: String = (0..200_000_usize)
        .flat_map(|row| (0..12).map(move |digit| ["C", "N", "O"][row / 3_usize.pow(digit) % 3]).chain(["\n"]))
        .collect();
    let folder = folder_with(&[("list.smi", &list), ("targets.fa", ">one\nMKTAYIAKQRQIS\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--out", "out.csv"];
    let mut screen = start(folder.path(), &arguments);
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    screen.wait_for(|| names().iter().any(|name| name.ends_with(".tmp")));
    screen.interrupt();
    screen.finish().ends_with(130).says("compounds were scored, but out.csv was not written");
    assert!(!names().iter().any(|name| name.contains("out.csv")), "{:?}", names());
}

#[test]
fn evaluate_leaves_out_what_is_no_molecule() {
    let table = "SMILES,Protein,pkd\nCCO,MKTAYIAKQRQIS,5\nC1CC,MKTAYIAKQRQIS,6\nCCN,MKTAYIAKQRQIS,7\n";
    let folder = folder_with(&[("pairs.csv", table)]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments = ["evaluate", "--model", &model, "--data", "pairs.csv"];
    let told = galen_drug_in(folder.path(), &arguments).ends_with(0).says("cannot be read: 1; the first is drug-2");
    assert!(told.stdout.contains("2 pairs") && told.stdout.contains("1 pairs left out"), "{}", told.stdout);
}
