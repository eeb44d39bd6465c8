//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{Started, folder_with, galen_genomics_in, start};
use crate::data::{quick, table};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `train` on `a.csv` into `run`, with a network of a few filters.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    quick(&["train", "--data", "a.csv", "--split", "random", "--run-dir", run, "--epochs", epochs, "--models", models])
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
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    let path = folder.path();
    galen_genomics_in(path, &train("whole", "12", "2")).ends_with(0);

    let run = started(path, "12", "2");
    run.interrupt();
    let stopped = run.finish().ends_with(130).says("interrupted: stopped by Ctrl-C after a checkpoint was written");
    assert!(!path.join("stopped/metrics.json").exists());
    let command = stopped.stderr.split("resume with: ").nth(1).expect("a command").lines().next().unwrap();
    assert_eq!(command, "galen-genomics train --run-dir stopped --resume");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    galen_genomics_in(path, &words).ends_with(0).says("resumed at epoch");

    for model in ["model/seed-0.safetensors", "model/seed-1.safetensors"] {
        let [whole, stopped] = ["whole", "stopped"].map(|run| fs::read(path.join(run).join(model)).unwrap());
        assert!(whole == stopped, "{model} differs");
    }
    let [whole, stopped] = ["whole", "stopped"].map(|run| metrics(path, run));
    for key in ["metrics", "baselines", "epochs", "seeds", "data"] {
        assert_eq!(whole[key], stopped[key], "{key}");
    }
}

/// As if the machine had lost its power: nothing is written at the end, and the next process goes on at a checkpoint.
#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    let folder = folder_with(&[("a.csv", &table(120, 1))]);
    let path = folder.path();
    galen_genomics_in(path, &train("whole", "12", "1")).ends_with(0);
    started(path, "12", "1").kill();
    galen_genomics_in(path, &["train", "--run-dir", "stopped", "--resume"]).ends_with(0);
    let [whole, stopped] = ["whole", "stopped"].map(|run| fs::read(path.join(run).join("model/seed-0.safetensors")));
    assert!(whole.unwrap() == stopped.unwrap(), "the models differ");
    let [whole, stopped] = ["whole", "stopped"].map(|run| metrics(path, run));
    assert_eq!(whole["metrics"], stopped["metrics"]);
    let names = fs::read_dir(path.join("stopped")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
    assert!(left.is_empty(), "half-written files are left: {left:?}");
}

#[cfg(unix)]
#[test]
fn who_presses_ctrl_c_twice_need_not_wait() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let run = started(folder.path(), "100000", "1");
    run.interrupt();
    run.interrupt();
    run.finish().ends_with(130);
    assert!(has_checkpoint(&folder.path().join("stopped")));
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let first = started(folder.path(), "100000", "1");
    for resume in [false, true] {
        let mut words = train("stopped", "100000", "1");
        words.extend(resume.then(|| "--resume".to_owned()));
        let holder = format!("in use by process {}", first.id());
        galen_genomics_in(folder.path(), &words).ends_with(1).says(&holder).says("--run-dir");
    }
    first.kill();
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
    let baselines: Value = serde_json::from_str(&fs::read_to_string(path.join("run/baselines.json")).unwrap()).unwrap();
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
