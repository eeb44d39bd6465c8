//! `predict` returns every row of the input, in order, scored or with the reason why not.

use crate::command::{Finished, demo_run, folder_with, galen_drug_in, start};
use drug::model::AffinityModel;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Rows of a CSV text without quoted fields, by the names of its head.
fn rows(csv: &str) -> Vec<HashMap<&str, &str>> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    lines.map(|line| head.iter().copied().zip(line.split(',')).collect()).collect()
}

fn predict(folder: &Path, out: &str) -> Finished {
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
    assert_eq!(rows[2]["status"], "invalid: byte 2: ring 1 not closed");
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

/// Scores the file `list` against one target with the models at `model`, with `more` arguments.
fn predict_with(folder: &Path, model: &Path, list: &str, more: &[&str]) -> Finished {
    fs::write(folder.join("one.fa"), ">one\nMKTAYIAKQRQIS\n").unwrap();
    let model = model.to_string_lossy().into_owned();
    let arguments = ["predict", "--model", &model, "--smiles", list, "--fasta", "one.fa"];
    galen_drug_in(folder, &[&arguments[..], more].concat())
}

/// Number, identifier and SMILES of each row that was printed.
fn places(told: &Finished) -> Vec<[&str; 3]> {
    rows(&told.stdout).iter().map(|row| ["row", "id", "smiles"].map(|key| row[key])).collect()
}

/// Row and line stay together, and no row has the identifier of another compound.
#[test]
fn every_line_has_its_row_and_its_own_identifier() {
    let list = "id,smiles\n2,CCO\n7,\n\n5,CCN,x\n3,CCC\n\n";
    let folder = folder_with(&[("list.csv", list), ("bare.csv", "smiles\nCCO\n\nCCN\n")]);
    let told = predict_with(folder.path(), demo_run(), "list.csv", &[]).ends_with(0);
    let told = told.says("rows: 2 ok, 0 scored with remarks, 3 invalid");
    let expected = [["1", "2", "CCO"], ["2", "7", ""], ["3", "", ""], ["4", "5", ""], ["5", "3", "CCC"]];
    assert_eq!(places(&told), expected);
    let told = predict_with(folder.path(), demo_run(), "bare.csv", &[]).ends_with(0);
    assert_eq!(places(&told), [["1", "1", "CCO"], ["2", "2", ""], ["3", "3", "CCN"]]);
    assert_eq!(rows(&told.stdout)[1]["status"], "invalid: no SMILES");
}

#[test]
fn columns_and_their_order_can_be_named() {
    let folder = folder_with(&[
        ("list.csv", "code,structure\nA7,CCO\n"),
        ("semicolons.csv", "id;smiles\nA7;CCO\n"),
        ("list.smi", "A7 CCO\n"),
    ]);
    let ask = |list: &str, more: &[&str]| predict_with(folder.path(), demo_run(), list, more);
    let columns = ["--column", "smiles=structure", "--column", "id=code"];
    for told in [ask("list.csv", &columns), ask("list.smi", &["--id-first"])] {
        assert_eq!(places(&told.ends_with(0)), [["1", "A7", "CCO"]]);
    }
    let missing = ask("list.csv", &[]).ends_with(1).says("list.csv has no column smiles or canonical_smiles");
    missing.says("it has: code, structure; say which one to use with --column smiles=NAME");
    ask("semicolons.csv", &[]).ends_with(1).says("separated by semicolons");
    ask("list.csv", &["--column", "smiles=none"]).ends_with(1).says("no column none");
    ask("list.csv", &["--column", "drug=structure"]).ends_with(2).says("ROLE=NAME with role smiles or id");
    ask("list.smi", &["--column", "smiles=structure"]).ends_with(1).says("list.smi: a list has no names of columns");
    ask("list.csv", &["--id-first"]).ends_with(1).says("in a table name the columns");
}

#[test]
fn an_output_never_takes_the_place_of_an_input() {
    const LIST: &str = "id,smiles\na,CCO\n";
    const TARGET: &str = ">one\nMKTAYIAKQRQIS\n";
    let folder = folder_with(&[("list.csv", LIST), ("target.tsv", TARGET)]);
    fs::create_dir(folder.path().join("below")).unwrap();
    let model = demo_run().to_string_lossy().into_owned();
    for (out, option) in [("list.csv", "--smiles"), ("below/../list.csv", "--smiles"), ("./target.tsv", "--fasta")] {
        let words = ["predict", "--model", &model, "--smiles", "list.csv", "--fasta", "target.tsv", "--out", out];
        galen_drug_in(folder.path(), &words).ends_with(2).says(&format!("--out {out} is the file of {option}"));
    }
    assert_eq!(fs::read_to_string(folder.path().join("list.csv")).unwrap(), LIST);
    assert_eq!(fs::read_to_string(folder.path().join("target.tsv")).unwrap(), TARGET);
}

/// What is no list of compounds still has its rows, and fails.
#[test]
fn a_list_of_which_nothing_is_scored_fails() {
    let folder = folder_with(&[
        ("table.txt", "id,smiles\n1,CCO\n2,CCN\n"),
        ("mac.smi", "CCO A\rCCN B\r"),
        ("blank.smi", "\n\n"),
        ("empty.smi", ""),
        ("header.csv", "id,smiles\n"),
    ]);
    for (list, lines, text) in [
        ("table.txt", 3, "of 3 rows none could be scored; the first is invalid: byte 1: "),
        ("mac.smi", 1, "of 1 row none could be scored; the first is invalid: carriage returns inside the line"),
        ("blank.smi", 0, "blank.smi has no rows"),
        ("empty.smi", 0, "empty.smi has no rows"),
        ("header.csv", 0, "header.csv has no rows"),
    ] {
        let told = predict_with(folder.path(), demo_run(), list, &["--out", "out.csv"]).ends_with(1).says(text);
        assert_eq!(told.stderr.contains("--id-first"), lines > 0, "{}", told.stderr);
        let written = fs::read_to_string(folder.path().join("out.csv")).unwrap();
        assert_eq!(written.lines().count(), lines + 1, "{list}: {written}");
    }
}

#[test]
fn what_is_no_text_and_no_model_is_told_as_that() {
    let folder = folder_with(&[("list.smi", "CCO\n"), ("measured.csv", "Drug,Target,Y\nCCO,MKV,5\n")]);
    let path = folder.path();
    fs::write(path.join("wide.smi"), b"\xff\xfeC\0\n\0").unwrap();
    let told = predict_with(path, demo_run(), "wide.smi", &[]).ends_with(1).says("wide.smi: the text is UTF-16");
    assert!(!told.stderr.contains("damaged"), "{}", told.stderr);
    let told = predict_with(path, demo_run(), ".", &[]).ends_with(1).says("cannot ");
    assert!(!told.stderr.contains("damaged"), "{}", told.stderr);
    let told = predict_with(path, &path.join("measured.csv"), "list.smi", &[]).ends_with(1);
    told.says("measured.csv: not a usable safetensors file: no header begins behind its first 8 bytes");
    predict_with(path, demo_run(), "list.smi", &["--json"]).ends_with(2).says("leave out --json");
}

/// What the interval of one model and of several is, and why there may be none; a run that lacks a model.
#[test]
fn intervals_and_missing_models_are_told() {
    let folder = folder_with(&[("list.smi", "CCO\n")]);
    let path = folder.path();
    let whole = demo_run().join("model/fold-0.safetensors");
    let one = predict_with(path, &whole, "list.smi", &[]).ends_with(0);
    let one = one.says("low and high hold 90 % of pairs like those of the training data");
    assert!(!one.stderr.contains("was to have"), "{}", one.stderr);

    let run = path.join("run");
    fs::create_dir_all(run.join("model")).unwrap();
    fs::write(run.join("config.toml"), "models = 3\n").unwrap();
    for name in ["fold-0", "fold-2"] {
        fs::copy(&whole, run.join(format!("model/{name}.safetensors"))).unwrap();
    }
    let two = predict_with(path, &run, "list.smi", &[]).ends_with(0);
    let two = two.says("run holds 2 of the 3 models that its run was to have");
    two.says("each model's interval holds 90 % of pairs").says("low and high are the widest of the 2");

    let device = nn_core::compute::device("cpu").unwrap();
    let mut bare = AffinityModel::load(&whole, &device).unwrap();
    bare.card.calibration = None;
    bare.save(&run.join("model/fold-1.safetensors")).unwrap();
    let three = predict_with(path, &run, "list.smi", &[]).ends_with(0);
    let three = three.says("low and high are empty: models without an interval: 1 of 3");
    assert!(!three.stderr.contains("was to have"), "{}", three.stderr);
    let found = rows(&three.stdout);
    assert_eq!(["low", "high"].map(|end| found[0][end]), ["", ""]);
    // Three times one model is that model.
    assert_eq!(found[0]["prediction"], rows(&one.stdout)[0]["prediction"]);
    let alone = predict_with(path, &run.join("model/fold-1.safetensors"), "list.smi", &[]).ends_with(0);
    alone.says("low and high are empty: too few pairs were held back in training to measure them");
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
    let told = galen_drug_in(folder.path(), &arguments).ends_with(0).says("rows that cannot be used: 1");
    let told = told.says("line 3: SMILES: byte ");
    assert!(told.stdout.contains("2 pairs"), "{}", told.stdout);
}
