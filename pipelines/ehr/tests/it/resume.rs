//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{Started, galen_ehr_in, start};
use crate::data::{quick, set, write_set};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `train` on the set into `run`, with a network of a few units.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    let base =
        ["train", "--data", "set", "--task", "task.toml", "--run-dir", run, "--epochs", epochs, "--models", models];
    let mut words = quick(&base);
    words.extend(["--set".to_owned(), "patience=100000".to_owned()]);
    words
}

/// Whether the first model of the run has a checkpoint.
fn has_checkpoint(run: &Path) -> bool {
    let Ok(entries) = fs::read_dir(run.join("checkpoint/seed-0/last")) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("manifest-"))
}

/// Starts a run in `folder` and waits for its first checkpoint.
fn started(folder: &Path, epochs: &str, models: &str) -> Started {
    let mut run = start(folder, &train("stopped", epochs, models));
    run.wait_for(|| has_checkpoint(&folder.join("stopped")));
    run
}

fn metrics(folder: &Path, run: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(run).join("metrics.json")).unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn a_stopped_run_ends_in_the_same_bytes() {
    let folder = set(90);
    let path = folder.path();
    galen_ehr_in(path, &train("whole", "60", "2")).ends_with(0);

    let run = started(path, "60", "2");
    run.interrupt();
    let stopped = run.finish().ends_with(130).says("interrupted: stopped by Ctrl-C after a checkpoint was written");
    assert!(!path.join("stopped/metrics.json").exists());
    let command = stopped.stderr.split("resume with: ").nth(1).expect("a command").lines().next().unwrap();
    assert_eq!(command, "galen-ehr train --run-dir stopped --resume");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    galen_ehr_in(path, &words).ends_with(0).says("resumed at epoch");

    for model in ["model/seed-0.safetensors", "model/seed-1.safetensors"] {
        let [whole, stopped] = ["whole", "stopped"].map(|run| fs::read(path.join(run).join(model)).unwrap());
        assert!(whole == stopped, "{model} differs");
    }
    let [whole, stopped] = ["whole", "stopped"].map(|run| metrics(path, run));
    for key in ["metrics", "baselines", "epochs", "seeds", "data"] {
        assert_eq!(whole[key], stopped[key], "{key}");
    }
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = set(60);
    let first = started(folder.path(), "100000", "1");
    for resume in [false, true] {
        let mut words = train("stopped", "100000", "1");
        words.extend(resume.then(|| "--resume".to_owned()));
        let holder = format!("in use by process {}", first.id());
        galen_ehr_in(folder.path(), &words).ends_with(1).says(&holder).says("--run-dir");
    }
    first.kill();
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
