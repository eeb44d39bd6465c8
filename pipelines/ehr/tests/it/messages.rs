//! What goes wrong is told once, with the place and the remedy, and the exit status says whose fault it is: 1 for the
//! data or the run, 2 for the command line or the configuration.

use crate::command::{PROGRAM, demo_run, folder_with, galen_ehr, galen_ehr_in};
use crate::data::{quick, set};
use std::fs;
use tests::command::devices_are_named;

#[test]
fn usage_and_configuration_end_with_2() {
    let folder = set(9);
    let train = |more: &[&'static str]| [&["train", "--data", "set", "--task", "task.toml"][..], more].concat();
    for (arguments, text) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["predict"], "--model"),
        (vec!["predict", "--model", "m"], "--out"),
        (vec!["predict", "--model", "m", "--out", "o"], "--data"),
        (vec!["train"], "--data"),
        (vec!["train", "--data", "set"], "--task"),
        (train(&["--labels", "l.parquet"]), "leave out one of the two"),
        (train(&["--set", "epochs"]), "key=value"),
        (train(&["--set", "epochs=0"]), "epochs"),
        (train(&["--set", "learning_rate=-1"]), "learning_rate"),
        (train(&["--set", "inputs.histry='48h'"]), "history"),
        (train(&["--set", "inputs.history='soon'"]), "24h"),
        (train(&["--system", "grud"]), "gru-d"),
        (train(&["--set", "network.hiden=3"]), "hidden"),
        (train(&["--folds", "2", "--models", "5"]), "only 2 folds"),
        (train(&["--folds", "2", "--split", "site", "--models", "2"]), "folds are made of subjects"),
        (train(&["--config", "absent.toml"]), "absent.toml"),
        (train(&["--split", "warm"]), "calendar"),
        (vec!["-q", "-v", "systems"], "--quiet"),
        (vec!["systems", "--seed", "1"], "option --seed"),
        (vec!["bench", "read"], "--input"),
        (vec!["bench", "gru-d", "--rows", "0"], "--rows"),
        (vec!["audit", "--data", "set", "--split", "warm"], "calendar"),
        (vec!["audit", "--data", "set", "--run-dir", "run"], "--run-dir"),
        (vec!["prepare", "--data", "set", "--out", "o", "--max-memory", "much"], "--max-memory"),
        (vec!["explain", "--model", "m", "--data", "set", "--out", "o", "--shown", "0"], "shown"),
        (vec!["experiment", "doctor-ai", "--resume"], "leave out --resume"),
        (vec!["phenotype"], "RULE"),
        (vec!["codes"], "CODE"),
        (vec!["demo", "--set", "demo.cohort.visits=[1, 2]", "--print-config"], "visits"),
    ] {
        galen_ehr_in(folder.path(), &arguments).ends_with(2).says(text);
    }
}

#[test]
fn every_command_shows_its_settings() {
    for (verb, more, lines) in [
        ("audit", vec!["--data", "x"], vec!["seed = 5", "proxy_auroc = 0.98", "data = \"x\""]),
        ("prepare", vec!["--data", "x", "--out", "o"], vec!["seed = 5", "max-memory = \"4GiB\""]),
        ("train", vec!["--data", "x"], vec!["seed = 5", "system = \"gru\"", "learning_rate = 0.001"]),
        ("train", vec!["--data", "x", "--format", "p12"], vec!["system = \"gru-d\"", "interval_hours = 24.0"]),
        ("train", vec!["--data", "x", "--system", "gru-mean"], vec!["imputation = \"mean\""]),
        ("evaluate", vec!["--model", "m", "--data", "x"], vec!["device = \"ndarray\""]),
        ("predict", vec!["--model", "m", "--data", "x", "--out", "o"], vec!["device = \"ndarray\"", "shown = 4"]),
        ("demo", vec![], vec!["seed = 5", "device = \"ndarray\"", "quick = false", "subjects = 2000"]),
        ("experiment", vec!["doctor-ai"], vec!["epochs = 40", "seed = 5"]),
    ] {
        PROGRAM.shows_settings(verb, &more, &lines);
    }
}

#[test]
fn data_that_is_not_there_ends_with_1_and_is_named() {
    for (arguments, text) in [
        (vec!["train", "--data", "absent", "--run-dir", "run"], "absent"),
        (vec!["audit", "--data", "absent"], "absent"),
        (vec!["predict", "--model", "absent", "--data", "x", "--out", "o"], "absent"),
        (vec!["phenotype", "t2dm", "--data", "absent"], "absent"),
    ] {
        galen_ehr(&arguments).ends_with(1).says(text).says_no_more();
    }
}

#[test]
fn records_without_a_question_or_an_answer_say_so() {
    let folder = set(30);
    let path = folder.path();
    fs::write(path.join("nothing.toml"), "name = 'n'\nindex.codes = ['NEVER']\noutcome.when.codes = ['X']\n").unwrap();
    fs::write(path.join("broken.toml"), "name = 'n'\nindx.codes = ['NEVER']\n").unwrap();
    for (task, text) in [("nothing.toml", "NEVER"), ("broken.toml", "indx"), ("absent.toml", "absent.toml")] {
        let words = ["train", "--data", "set", "--task", task, "--run-dir", "run"];
        galen_ehr_in(path, &words).ends_with(1).says(text);
    }
    // Two sick subjects are too few for three parts.
    let few = set(6);
    let words = quick(&["train", "--data", "set", "--task", "task.toml", "--run-dir", "run"]);
    let told = galen_ehr_in(few.path(), &words).ends_with(1);
    assert!(told.stderr.contains("subjects") || told.stderr.contains("labels"), "{}", told.stderr);
}

/// Fault 12: a damaged shard is named.
#[test]
fn a_damaged_file_is_named() {
    let folder = set(30);
    let path = folder.path();
    let shard = path.join("set/data/0.parquet");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() / 2]).unwrap();
    galen_ehr_in(path, &["audit", "--data", "set", "--task", "task.toml"]).ends_with(1).says("0.parquet");
}

/// Fault 16: a folder that cannot be written is told before anything is computed.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = set(30);
    fs::write(folder.path().join("file"), "x").unwrap();
    let words = quick(&["train", "--data", "set", "--task", "task.toml", "--run-dir", "file/run", "--epochs", "1"]);
    galen_ehr_in(folder.path(), &words).ends_with(1).says("file/run");
}

#[test]
fn a_broken_model_is_refused() {
    let folder = set(9);
    fs::write(folder.path().join("broken.safetensors"), b"not weights").unwrap();
    let predict = ["predict", "--model", "broken.safetensors", "--data", "set", "--out", "o.csv"];
    galen_ehr_in(folder.path(), &predict).ends_with(1).says("broken.safetensors");
    assert!(!folder.path().join("o.csv").exists());
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    let folder = folder_with(&[]);
    let model = demo_run().to_string_lossy().into_owned();
    devices_are_named(cfg!(feature = "cuda"), |device| {
        let arguments = ["predict", "--model", &model, "--data", "x", "--out", "o.csv", "--device", device];
        galen_ehr_in(folder.path(), &arguments)
    });
}

#[test]
fn systems_are_listed_with_their_size() {
    let stdout = galen_ehr(&["systems"]).ends_with(0).stdout.to_lowercase();
    for text in
        ["gru-d", "retain", "doctor-ai", "deepr", "patient2vec", "deepcare", "deep-patient", "parameters", "cpu"]
    {
        assert!(stdout.contains(text), "{text} is missing in:\n{stdout}");
    }
}
