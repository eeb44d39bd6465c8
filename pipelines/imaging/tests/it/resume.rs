//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{PROGRAM, galen_imaging_in, start};
use crate::data::{quick, write_set};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::run::{json, names_the_holder};

/// `train` on `boxes` into `run`, with a network of a few features.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    quick(&["train", "--data", "boxes", "--names", "box", "--run-dir", run, "--epochs", epochs, "--models", models])
}

fn metrics(folder: &Path, run: &str) -> Value {
    json(&folder.join(run).join("metrics.json"))
}

#[cfg(unix)]
#[test]
fn a_stopped_run_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), 8, 1);
    tests::run::ends_in_the_same_bytes(&PROGRAM, folder.path(), "seed", |run| train(run, "12", "2"));
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), 6, 1);
    names_the_holder(&PROGRAM, folder.path(), "seed", &train("stopped", "100000", "1"));
}

#[test]
fn a_finished_run_goes_on_with_more_of_the_same_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 6, 1);
    galen_imaging_in(path, &train("run", "1", "1")).ends_with(0);
    galen_imaging_in(path, &train("run", "1", "1")).ends_with(1).says("continue it with --resume");

    // Nothing has to be said again, and nothing is trained again; from another folder too.
    let again = ["train", "--run-dir", "run", "--resume"];
    galen_imaging_in(path, &again).ends_with(0).says("model 0: trained before");
    let elsewhere = tempfile::tempdir().unwrap();
    let run = path.join("run").to_string_lossy().into_owned();
    galen_imaging_in(elsewhere.path(), &["train", "--run-dir", &run, "--resume"]).ends_with(0);

    let with = |more: &[&'static str]| again.iter().copied().chain(more.iter().copied()).collect::<Vec<&str>>();
    galen_imaging_in(path, &with(&["--models", "2"])).ends_with(0).says("model 1:");
    let found = metrics(path, "run");
    assert_eq!(found["epochs"], serde_json::json!([1, 1]));

    // The step sizes of the first epochs would have been others.
    galen_imaging_in(path, &with(&["--epochs", "3"])).ends_with(1).says("epochs was 1, is 3");
    galen_imaging_in(path, &with(&["--seed", "9"])).ends_with(1).says("seed was 1, is 9");
    let other = tempfile::tempdir().unwrap();
    write_set(other.path(), 6, 2);
    let image = "boxes/images/case_00.nii.gz";
    fs::copy(other.path().join(image), path.join(image)).unwrap();
    galen_imaging_in(path, &again).ends_with(1).says("started on other data").says("images/case_00.nii.gz was ");
    // What was there is still there.
    assert_eq!(metrics(path, "run"), found);
}

/// Fault 14: a checkpoint that is cut short or altered is passed over, and the one before it is used.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    passed_over(|bytes| bytes.truncate(bytes.len() / 2));
    passed_over(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
}

fn passed_over(damage: fn(&mut Vec<u8>)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 6, 1);
    let mut run = start(path, &train("stopped", "100000", "1"));
    let last = path.join("stopped/checkpoint/seed-0/last");
    let manifests = || {
        let names = fs::read_dir(&last).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
        let mut names = names.unwrap_or_default();
        names.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("weights-")));
        names.sort();
        names
    };
    run.wait_for(|| manifests().len() >= 2);
    run.kill();
    let newest = manifests().pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    damage(&mut bytes);
    fs::write(&newest, bytes).unwrap();
    let mut resumed = start(path, &["train", "--run-dir", "stopped", "--resume"]);
    resumed.wait_for(|| manifests().last().is_some_and(|now| *now != newest) || manifests().len() > 2);
    resumed.kill();
}

#[test]
fn a_demo_is_continued_by_demo() {
    let run = crate::command::demo_run().to_string_lossy().into_owned();
    galen_imaging_in(Path::new("."), &["train", "--run-dir", &run, "--resume"]).ends_with(2).says("names no data");
}
