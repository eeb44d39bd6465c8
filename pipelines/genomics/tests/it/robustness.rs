//! More faults that a pipeline must survive: bits that flip, checkpoints that are damaged, wrong clocks, processes that are
//! killed or quit, full disks, single rows in a batch, other languages.

use crate::command::{PROGRAM, demo_run, folder_with, galen_genomics_in, galen_genomics_with};
use crate::data::{Draw, fasta, quick, table};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tests::faults::{Training, damaged_models_are_refused, told};
use tests::run::nothing_is_left;

fn train(run: &str, epochs: &str) -> Vec<String> {
    let models = ["--models", "1", "--run-dir", run, "--epochs", epochs];
    quick(&[&["train", "--data", "a.csv", "--split", "random"][..], &models].concat())
}

/// Training on the table in a folder.
fn training(folder: &Path) -> Training<'_> {
    Training { program: &PROGRAM, folder, noun: "seed", words: &train, long: "40" }
}

// ---------------------------------------------------------------- models and checkpoints

/// Faults 14 and 15.
#[test]
fn a_model_with_another_bit_is_refused() {
    let folder = folder_with(&[("a.fa", &fasta(3, true, 1))]);
    let path = folder.path();
    let whole = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    damaged_models_are_refused(&whole, "m.safetensors", |bytes| {
        fs::write(path.join("m.safetensors"), bytes).unwrap();
        galen_genomics_in(path, &["predict", "--model", "m.safetensors", "--fasta", "a.fa"])
    });
}

/// Fault 14.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    training(folder.path()).passes_over_damaged_checkpoints();
}

/// Fault 19.
#[test]
fn clocks_decide_nothing() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    training(folder.path()).heeds_no_clock();
}

/// Fault 16: killed once more while it is taken up.
#[test]
fn a_run_that_is_killed_twice_ends_in_the_same_bytes() {
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    training(folder.path()).survives_being_killed();
}

/// Fault 19.
#[cfg(unix)]
#[test]
fn a_run_that_was_quit_ends_in_the_same_bytes() {
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    training(folder.path()).survives_being_quit();
}

// ---------------------------------------------------------------- places

/// Fault 16: on a disk that is too small the file is named, and no part of one is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_file() {
    let run = |folder: &Path, kilobytes, words: &[String]| {
        tests::faults::on_a_small_disk(env!("CARGO_BIN_EXE_galen-genomics"), folder, kilobytes, words)
    };
    let folder = folder_with(&[("a.csv", &table(60, 1)), ("many.fa", &fasta(8000, false, 1))]);
    let path = folder.path();
    let model = demo_run().to_string_lossy().into_owned();
    let predict = ["predict", "--model", &model, "--fasta", "many.fa", "--out", "small/out.csv"];
    let Some(finished) = run(path, 200, &predict.map(str::to_owned)) else { return };
    let finished = told(finished, 1, "no space left to write small/out.csv").says("bytes");
    assert_eq!(finished.stdout, "", "files are left");

    let Some(finished) = run(path, 64, &train("small/run", "1")) else { return };
    let finished = told(finished, 1, "no space left to write small/run").says("bytes");
    assert!(!finished.stdout.contains(".tmp") && !finished.stdout.contains("metrics.json\n"), "{}", finished.stdout);
}

/// Fault 16: where nothing can be made, whoever runs the program.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_nothing_is_told() {
    let folder = folder_with(&[("a.csv", &table(60, 1)), ("a.fa", &fasta(3, true, 1))]);
    let path = folder.path();
    let model = demo_run().to_string_lossy().into_owned();
    let predict = ["predict", "--model", &model, "--fasta", "a.fa", "--out", "/proc/galen.csv"];
    told(galen_genomics_in(path, &predict), 1, "/proc/galen.csv");
    told(galen_genomics_in(path, &train("/proc/galen/run", "1")), 1, "/proc/galen/run");
    nothing_is_left(path);
}

// ---------------------------------------------------------------- rows and settings

/// Fault 17: a network that normalises over its batch learns from single rows, and from one that is left over.
#[test]
fn a_batch_of_one_is_learnt_from() {
    let mut draw = Draw::new(7);
    let rows = (0..24).fold("sequence,label\n".to_owned(), |mut text, row| {
        writeln!(text, "{},{}", draw.bases(200), row % 2).unwrap();
        text
    });
    let folder = folder_with(&[("a.csv", &rows)]);
    // Of the 24 rows 16 to 18 are learnt from: one of the sizes leaves one over.
    for batch in ["1", "3", "4", "5"] {
        let (run, size) = (format!("run-{batch}"), format!("batch_size={batch}"));
        let base = ["train", "--data", "a.csv", "--split", "random", "--models", "1", "--epochs", "1"];
        let network = ["--system", "basset", "--set", "network.filters=[8, 8, 8]", "--set", "network.hidden=[8, 8]"];
        let words = [&base[..], &network, &["--run-dir", &run, "--set", &size]].concat();
        let finished = told(galen_genomics_in(folder.path(), &words), 0, "epoch 1/1");
        assert!(!finished.stderr.contains("NaN"), "{}", finished.stderr);
    }
}

/// Fault 20: the language of the machine changes no number.
#[test]
fn the_language_changes_nothing() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let audit = |language: &str| {
        let variables = ["LC_ALL", "LC_NUMERIC", "LANG"].map(|name| (name, language));
        let words = ["audit", "--data", "a.csv", "--split", "random"];
        galen_genomics_with(folder.path(), &words, &variables).ends_with(0).stdout
    };
    assert_eq!(audit("de_DE.UTF-8"), audit("C"));
}
