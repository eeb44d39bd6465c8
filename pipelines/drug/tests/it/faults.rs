//! Faults that a pipeline must survive: damaged models and checkpoints, wrong clocks, full disks, values that are no
//! numbers, molecules of any size. The message names the file and the place; nothing panics, nothing half-written is left.

use crate::command::{PROGRAM, demo_run, folder_with, galen_drug_in, galen_drug_with};
use crate::data::{quick, table};
use std::fs;
use std::path::Path;
use tests::faults::{Training, damaged_models_are_refused, told};
use tests::run::nothing_is_left;

const TARGETS: &str = ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD\n";

fn train(run: &str, epochs: &str) -> Vec<String> {
    quick(&["train", "--data", "pairs.csv", "--run-dir", run, "--epochs", epochs, "--models", "1"])
}

/// Training on the table in a folder.
fn training(folder: &Path) -> Training<'_> {
    Training { program: &PROGRAM, folder, noun: "fold", words: &train, long: "12" }
}

// ---------------------------------------------------------------- models and checkpoints

/// Faults 14 and 15.
#[test]
fn a_damaged_model_is_refused() {
    let folder = folder_with(&[("list.smi", "CCO ethanol\n"), ("targets.fa", TARGETS)]);
    let path = folder.path();
    let whole = fs::read(demo_run().join("model/fold-0.safetensors")).unwrap();
    damaged_models_are_refused(&whole, "m.safetensors", |bytes| {
        fs::write(path.join("m.safetensors"), bytes).unwrap();
        let words = ["predict", "--model", "m.safetensors", "--smiles", "list.smi", "--fasta", "targets.fa"];
        galen_drug_in(path, &words)
    });
}

/// Fault 14.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    training(folder.path()).passes_over_damaged_checkpoints();
}

/// Fault 19.
#[test]
fn clocks_decide_nothing() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    training(folder.path()).heeds_no_clock();
}

/// Fault 16.
#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    training(folder.path()).survives_being_killed();
}

/// Fault 19.
#[cfg(unix)]
#[test]
fn a_run_that_was_quit_ends_in_the_same_bytes() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    training(folder.path()).survives_being_quit();
}

// ---------------------------------------------------------------- places

/// Fault 16: what cannot be written is named before or after the work, and no part of it is there.
#[test]
fn places_that_cannot_be_written_are_named() {
    let folder =
        folder_with(&[("pairs.csv", &table()), ("list.smi", "CCO ethanol\n"), ("targets.fa", TARGETS), ("file", "x")]);
    let path = folder.path();
    let model = demo_run().to_string_lossy().into_owned();
    let mut places = vec!["absent/out.csv", "file/out.csv"];
    if cfg!(target_os = "linux") {
        places.push("/proc/galen/out.csv");
    }
    for place in places {
        let words = ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--out", place];
        told(galen_drug_in(path, &words), 1, place);
    }
    // A file stands in the way: so it is for any user, root too.
    told(galen_drug_in(path, &train("file/run", "1")), 1, "file/run");
    assert_eq!(fs::read(path.join("file")).unwrap(), b"x");
    assert!(!path.join("absent").exists());
    nothing_is_left(path);
}

/// Fault 16: on a disk that is too small the message says how much is needed, and no part of a file is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_file() {
    let run = |folder: &Path, kilobytes, words: &[String]| {
        tests::faults::on_a_small_disk(env!("CARGO_BIN_EXE_galen-drug"), folder, kilobytes, words)
    };
    // Chains of carbon and nitrogen by the digits of the row: a megabyte of predictions.
    let list: String = (0..8192_usize)
        .flat_map(|row| (0..13).map(move |digit| ["C", "N"][(row >> digit) & 1]).chain(["\n"]))
        .collect();
    let folder = folder_with(&[("pairs.csv", &table()), ("list.smi", &list), ("targets.fa", TARGETS)]);
    let path = folder.path();
    let model = demo_run().to_string_lossy().into_owned();
    let predict =
        ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--out", "small/o.csv"];
    let Some(finished) = run(path, 256, &predict.map(str::to_owned)) else { return };
    let finished = told(finished, 1, "no space left to write small/o.csv").says("bytes");
    assert_eq!(finished.stdout, "", "files are left");

    let Some(finished) = run(path, 64, &train("small/run", "1")) else { return };
    let finished = told(finished, 1, "no space left to write small/run").says("bytes");
    assert!(!finished.stdout.contains(".tmp") && !finished.stdout.contains("weights-"), "{}", finished.stdout);
}

// ---------------------------------------------------------------- values and molecules

/// Fault 17: values that are no numbers are told row by row; numbers without bounds stop the run at their step, which
/// names the pairs that have them; where all values are one there is an error and no ranking; too little to divide is
/// said.
#[test]
fn values_that_cannot_be_learnt_are_told() {
    let table = table();
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    // The value stands last.
    let rows: Vec<(&str, &str)> = lines.map(|line| line.rsplit_once(',').unwrap()).collect();
    let with = |value: &dyn Fn(usize) -> Option<&'static str>, count: usize| {
        let mut text = format!("{head}\n");
        for (at, &(pair, measured)) in rows.iter().take(count).enumerate() {
            text.push_str(&[pair, ",", value(at).unwrap_or(measured), "\n"].concat());
        }
        text
    };
    let run = |text: &str| {
        let folder = folder_with(&[("pairs.csv", text)]);
        let finished = galen_drug_in(folder.path(), &train("run", "1"));
        let whole = folder.path().join("run/metrics.json").exists();
        assert_eq!(whole, finished.code == Some(0), "{finished:?}");
        finished
    };
    let all = rows.len();
    let two = |at: usize| [(3, "NaN"), (5, "-inf")].into_iter().find(|&(row, _)| row == at).map(|(_, value)| value);
    told(run(&with(&two, all)), 0, "rows that cannot be used: 2").says("line 5: NaN is not a finite number");
    told(run(&with(&|_| Some("nan"), all)), 1, &format!("none of the {all} rows")).says("line 2");
    told(run(&with(&|at| [Some("3e37"), None, Some("-3e37"), None][at % 4], all)), 1, "not finite").says("step");
    // The square of one such value is beyond what an f32 holds; the other rows of the step are not to blame.
    let wild = |at: usize| at.is_multiple_of(7);
    let finished =
        told(run(&with(&|at| wild(at).then_some("3e37"), all)), 1, "the loss is not finite in epoch 1, step ");
    let (_, message) = finished.stderr.split_once("the loss is not finite").unwrap();
    let (_, named) = message.split_once(", rows ").unwrap();
    let (named, _) = named.split_once("; look at these rows").unwrap();
    let pairs: Vec<String> = rows
        .iter()
        .enumerate()
        .filter(|&(at, _)| wild(at))
        .map(|(_, (pair, _))| pair.split(',').step_by(2).collect::<Vec<_>>().join(" × "))
        .collect();
    assert!(named.split(", ").all(|name| pairs.iter().any(|pair| pair == name)), "{named}; due: {pairs:?}");
    let constant = told(run(&with(&|_| Some("5"), all)), 0, "model 0");
    let scores_of_the_error_alone = |line: &str| line.split_whitespace().eq(["model", "MSE"]);
    assert!(constant.stdout.lines().any(scores_of_the_error_alone), "a ranking of equal values: {}", constant.stdout);
    told(run(&with(&|_| None, 1)), 1, "cannot make a random split of 1 rows");
    told(run(&with(&|_| None, 0)), 1, "has no rows");
}

/// Fault 17: a step of a single row.
#[test]
fn a_batch_of_one_is_learnt_from() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let words = [train("run", "1"), ["--set", "batch_size=1"].map(str::to_owned).to_vec()].concat();
    told(galen_drug_in(folder.path(), &words), 0, "epoch 1/1");
}

/// Fault 13: whatever stands in a list of molecules, each line has its row, and the others are scored.
#[test]
fn every_line_of_a_strange_list_has_its_row() {
    let lines = [
        "CCO first".to_owned(),
        format!("{} long", "C".repeat(100_000)),
        format!("{} rings", "C1CC1".repeat(5_000)),
        format!("{} open", "C(".repeat(5_000)),
        format!("{}C{} deep", "C(".repeat(4_000), ")".repeat(4_000)),
        "[Qq] element".to_owned(),
        "CC(=O)[O-].[Na+] salt".to_owned(),
        "C%100C label".to_owned(),
        "\0\0 nul".to_owned(),
        "C\u{1F9EA}C letter".to_owned(),
        "CCN last".to_owned(),
    ];
    let valid = ["first", "salt", "last"];
    let folder = folder_with(&[("list.smi", &lines.join("\n")), ("targets.fa", TARGETS)]);
    let model = demo_run().to_string_lossy().into_owned();
    let words = ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa"];
    let finished = told(galen_drug_in(folder.path(), &words), 0, "8 invalid");
    let rows: Vec<&str> = finished.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), lines.len(), "{} rows", rows.len());
    for (at, (row, line)) in rows.iter().zip(&lines).enumerate() {
        let name = line.rsplit(' ').next().unwrap();
        assert!(row.starts_with(&format!("{},{name},", at + 1)), "row {at}");
        assert_eq!(row.contains("invalid: byte "), !valid.contains(&name), "row {at} ({name})");
    }
}

/// Fault 20: settings that cannot be are refused with the place, and the language of the machine changes no number.
#[test]
fn settings_that_cannot_be_are_refused_and_the_language_changes_nothing() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let path = folder.path();
    for (setting, text) in [
        ("learning_rate=-1", "learning_rate"),
        ("learning_rate=nan", "learning_rate"),
        ("learning_rate=0,001", "--set learning_rate=0,001: learning_rate: invalid type"),
        ("seed=99999999999999999999", "expected"),
        ("batch_size=0", "batch_size"),
        ("network.filters=0", "filters"),
        ("network.protein_length=99999999999", "protein_length"),
        ("epoch=5", "did you mean \"epochs\"?"),
    ] {
        let words = [train("run", "1"), vec!["--set".to_owned(), setting.to_owned()]].concat();
        told(galen_drug_in(path, &words), 2, text);
        assert!(!path.join("run").exists(), "{setting} made a folder");
    }
    let audit = |language: &str| {
        let variables = ["LC_ALL", "LC_NUMERIC", "LANG"].map(|name| (name, language));
        galen_drug_with(path, &["audit", "--data", "pairs.csv"], &variables).ends_with(0).stdout
    };
    assert_eq!(audit("de_DE.UTF-8"), audit("C"));
}
