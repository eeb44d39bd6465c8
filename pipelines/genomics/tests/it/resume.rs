//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{PROGRAM, folder_with, galen_genomics_in};
use crate::data::{quick, table};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::run::{json, names_the_holder, nothing_is_left, started};

/// `train` on `a.csv` into `run`, with a network of a few filters.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    quick(&["train", "--data", "a.csv", "--split", "random", "--run-dir", run, "--epochs", epochs, "--models", models])
}

fn metrics(folder: &Path, run: &str) -> Value {
    json(&folder.join(run).join("metrics.json"))
}

#[cfg(unix)]
#[test]
fn a_stopped_run_ends_in_the_same_bytes() {
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    tests::run::ends_in_the_same_bytes(&PROGRAM, folder.path(), "seed", |run| train(run, "12", "2"));
}

/// As if the machine had lost its power: nothing is written at the end, and the next process goes on at a checkpoint.
#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    let path = folder.path();
    galen_genomics_in(path, &train("whole", "12", "1")).ends_with(0);
    started(&PROGRAM, path, "seed", &train("stopped", "12", "1")).kill();
    galen_genomics_in(path, &["train", "--run-dir", "stopped", "--resume"]).ends_with(0);
    let [whole, stopped] = ["whole", "stopped"].map(|run| fs::read(path.join(run).join("model/seed-0.safetensors")));
    assert!(whole.unwrap() == stopped.unwrap(), "the models differ");
    let [whole, stopped] = ["whole", "stopped"].map(|run| metrics(path, run));
    assert_eq!(whole["metrics"], stopped["metrics"]);
    nothing_is_left(&path.join("stopped"));
}

#[cfg(unix)]
#[test]
fn who_presses_ctrl_c_twice_need_not_wait() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let run = started(&PROGRAM, folder.path(), "seed", &train("stopped", "100000", "1"));
    run.interrupt();
    run.interrupt();
    run.finish().ends_with(130);
    assert!(tests::run::has_checkpoint(&folder.path().join("stopped"), "seed"));
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    names_the_holder(&PROGRAM, folder.path(), "seed", &train("stopped", "100000", "1"));
}

#[test]
fn a_finished_run_goes_on_with_more_of_the_same_only() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let path = folder.path();
    galen_genomics_in(path, &train("run", "1", "1")).ends_with(0);
    galen_genomics_in(path, &train("run", "1", "1")).ends_with(1).says("continue it with --resume");

    // Nothing has to be said again, and nothing is trained again.
    let again = ["train", "--run-dir", "run", "--resume"];
    galen_genomics_in(path, &again).ends_with(0).says("model 0: trained before");
    // From another folder too: the run knows where its data is.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = path.join("run").to_string_lossy().into_owned();
    galen_genomics_in(elsewhere.path(), &["train", "--run-dir", &run, "--resume"]).ends_with(0);

    let with = |more: &[&'static str]| again.iter().copied().chain(more.iter().copied()).collect::<Vec<&str>>();
    galen_genomics_in(path, &with(&["--epochs", "3", "--models", "2"])).ends_with(0).says("now for up to 3");
    let found = metrics(path, "run");
    assert_eq!(found["epochs"], serde_json::json!([3, 3]));
    let baselines = json(&path.join("run/baselines.json"));
    assert_eq!(baselines[0]["scores"].as_array().map(Vec::len), Some(2), "the baselines are those of both models");

    galen_genomics_in(path, &with(&["--seed", "9"])).ends_with(1).says("seed was 1, is 9");
    fs::write(path.join("other.csv"), table(60, 2)).unwrap();
    galen_genomics_in(path, &with(&["--data", "other.csv"])).ends_with(1).says("a.csv").says("other.csv");
    fs::write(path.join("a.csv"), table(60, 3)).unwrap();
    galen_genomics_in(path, &again).ends_with(1).says("started on other data").says("a.csv was ");
    // What was there is still there.
    assert_eq!(metrics(path, "run"), found);
}

/// A rate that falls over the epochs there are cannot go on falling when there are more.
#[test]
fn a_run_whose_rate_depends_on_the_epochs_is_not_made_longer() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let path = folder.path();
    let words = [train("run", "2", "1"), ["--set", "schedule=cosine"].map(str::to_owned).to_vec()].concat();
    galen_genomics_in(path, &words).ends_with(0);
    galen_genomics_in(path, &["train", "--run-dir", "run", "--resume"]).ends_with(0).says("trained before");
    let longer = ["train", "--run-dir", "run", "--resume", "--epochs", "3"];
    galen_genomics_in(path, &longer).ends_with(1).says("epochs was 2, is 3");
}

#[test]
fn a_demo_is_continued_by_demo() {
    let run = crate::command::demo_run().to_string_lossy().into_owned();
    galen_genomics_in(Path::new("."), &["train", "--run-dir", &run, "--resume"]).ends_with(2).says("names no data");
}
