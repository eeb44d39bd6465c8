//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{PROGRAM, galen_ehr_in};
use crate::data::{quick, set, write_set};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::run::{json, names_the_holder};

/// `train` on the set into `run`, with a network of a few units.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    let base =
        ["train", "--data", "set", "--task", "task.toml", "--run-dir", run, "--epochs", epochs, "--models", models];
    let mut words = quick(&base);
    words.extend(["--set".to_owned(), "patience=100000".to_owned()]);
    words
}

fn metrics(folder: &Path, run: &str) -> Value {
    json(&folder.join(run).join("metrics.json"))
}

#[cfg(unix)]
#[test]
fn a_stopped_run_ends_in_the_same_bytes() {
    let folder = set(90);
    tests::run::ends_in_the_same_bytes(&PROGRAM, folder.path(), "seed", |run| train(run, "60", "2"));
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = set(60);
    names_the_holder(&PROGRAM, folder.path(), "seed", &train("stopped", "100000", "1"));
}

#[test]
fn a_finished_run_goes_on_with_more_of_the_same_only() {
    let folder = set(60);
    let path = folder.path();
    galen_ehr_in(path, &train("run", "1", "1")).ends_with(0);
    galen_ehr_in(path, &train("run", "1", "1")).ends_with(1).says("continue it with --resume");

    // Nothing has to be said again, and nothing is trained again; from another folder too.
    let again = ["train", "--run-dir", "run", "--resume"];
    galen_ehr_in(path, &again).ends_with(0).says("model 0: trained before");
    let elsewhere = tempfile::tempdir().unwrap();
    let run = path.join("run").to_string_lossy().into_owned();
    galen_ehr_in(elsewhere.path(), &["train", "--run-dir", &run, "--resume"]).ends_with(0);

    let with = |more: &[&'static str]| again.iter().copied().chain(more.iter().copied()).collect::<Vec<&str>>();
    galen_ehr_in(path, &with(&["--models", "2"])).ends_with(0).says("model 1:");
    assert_eq!(metrics(path, "run")["epochs"], serde_json::json!([1, 1]));
    galen_ehr_in(path, &with(&["--epochs", "2"])).ends_with(0);
    let found = metrics(path, "run");
    assert_eq!(found["epochs"], serde_json::json!([2, 2]));

    galen_ehr_in(path, &with(&["--seed", "9"])).ends_with(1).says("seed was 1, is 9");
    let other = tempfile::tempdir().unwrap();
    write_set(other.path(), 60, 2);
    let shard = "set/data/0.parquet";
    fs::copy(other.path().join(shard), path.join(shard)).unwrap();
    galen_ehr_in(path, &again).ends_with(1).says("started on other data").says("data/0.parquet was ");
    // What was there is still there.
    assert_eq!(metrics(path, "run"), found);
}
