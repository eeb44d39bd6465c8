//! A run that was stopped ends as if nothing had happened, on the same data and in a folder of its own.

use crate::command::{PROGRAM, folder_with, galen_drug_in};
use drug::io::affinity::to_csv;
use drug::synthetic::{SyntheticConfig, affinity_table};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::run::{json, names_the_holder};

/// A small table of generated affinities.
fn table() -> String {
    let config = SyntheticConfig { drugs: 16, targets: 10, ..SyntheticConfig::default() };
    String::from_utf8(to_csv(&affinity_table(&config).unwrap().0).unwrap()).unwrap()
}

/// `train` on `pairs.csv` into `run`, with a network of a few filters.
fn train(run: &str, epochs: &str, models: &str) -> Vec<String> {
    let mut words = vec!["train", "--data", "pairs.csv", "--run-dir", run, "--epochs", epochs, "--models", models];
    for setting in [
        "network.filters=4",
        "network.embedding=8",
        "network.smiles_kernel=4",
        "network.protein_kernel=4",
        "network.protein_length=120",
        "batch_size=16",
        "patience=1000",
    ] {
        words.extend(["--set", setting]);
    }
    words.into_iter().map(str::to_owned).collect()
}

fn metrics(folder: &Path, run: &str) -> Value {
    json(&folder.join(run).join("metrics.json"))
}

#[cfg(unix)]
#[test]
fn a_stopped_run_ends_in_the_same_bytes() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    tests::run::ends_in_the_same_bytes(&PROGRAM, folder.path(), "fold", |run| train(run, "12", "2"));
}

#[test]
fn a_second_process_is_told_the_first() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    names_the_holder(&PROGRAM, folder.path(), "fold", &train("stopped", "100000", "1"));
}

#[test]
fn a_finished_run_goes_on_with_more_of_the_same_only() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let path = folder.path();
    galen_drug_in(path, &train("run", "1", "1")).ends_with(0);
    galen_drug_in(path, &train("run", "1", "1")).ends_with(1).says("continue it with --resume");

    // Nothing has to be said again, and nothing is trained again.
    let again = ["train", "--run-dir", "run", "--resume"];
    galen_drug_in(path, &again).ends_with(0).says("model 0: trained before");
    // From another folder too: the run knows where its data is.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = path.join("run").to_string_lossy().into_owned();
    galen_drug_in(elsewhere.path(), &["train", "--run-dir", &run, "--resume"]).ends_with(0);

    let with = |more: &[&'static str]| again.iter().copied().chain(more.iter().copied()).collect::<Vec<&str>>();
    galen_drug_in(path, &with(&["--epochs", "3", "--models", "2"])).ends_with(0).says("now for up to 3");
    let found = metrics(path, "run");
    assert_eq!(found["epochs"], serde_json::json!([3, 3]));
    let baselines = json(&path.join("run/baselines.json"));
    assert_eq!(baselines[0]["scores"].as_array().map(Vec::len), Some(2), "the baselines are those of both models");

    let other = galen_drug_in(path, &with(&["--seed", "9", "--quantity", "kiba"])).ends_with(1);
    other.says("seed was 1, is 9").says("source.quantity was not set, is \"kiba\"");
    fs::write(path.join("other.csv"), table()).unwrap();
    galen_drug_in(path, &with(&["--data", "other.csv"])).ends_with(1).says("pairs.csv").says("other.csv");
    fs::write(path.join("pairs.csv"), table().replace("protein 1,", "protein one,")).unwrap();
    galen_drug_in(path, &again).ends_with(1).says("started on other data").says("pairs.csv was ");
    // What was there is still there.
    assert_eq!(metrics(path, "run"), found);
}

#[test]
fn a_demo_is_continued_by_demo() {
    let run = crate::command::demo_run().to_string_lossy().into_owned();
    galen_drug_in(Path::new("."), &["train", "--run-dir", &run, "--resume"]).ends_with(2).says("names no data");
}
