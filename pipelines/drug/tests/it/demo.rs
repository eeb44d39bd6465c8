//! The demo leaves a complete run folder behind.

use crate::command::{demo_run, folder_with, galen_drug_in};
use crate::data::quick;
use serde_json::Value;
use std::fs;
use tests::browser::is_drawn;
use tests::run::is_complete;

fn json(name: &str) -> Value {
    tests::run::json(&demo_run().join(name))
}

#[test]
fn the_run_folder_is_complete() {
    let names = [
        "config.toml",
        "environment.json",
        "data.json",
        "logs/fold-0/metrics.jsonl",
        "model/seen.bin",
        "metrics.json",
        "report.html",
    ];
    is_complete(demo_run(), &names, 1);
}

#[test]
fn model_and_baselines_stand_side_by_side() {
    let metrics = json("metrics.json");
    assert_eq!(metrics["task"], "affinity");
    for metric in ["mse", "ci", "rm2"] {
        let mean = metrics["metrics"][metric]["mean"].as_f64().unwrap_or_else(|| panic!("{metric} has no mean"));
        assert!(mean.is_finite(), "{metric} = {mean}");
    }
    let baselines = metrics["baselines"].as_object().expect("baselines");
    for name in ["mean", "matrix factorisation"] {
        assert!(baselines[name]["mse"].as_f64().is_some_and(f64::is_finite), "{name} has no mse");
    }
    let seeds = metrics["seeds"].as_array().expect("seeds").len();
    assert_eq!(metrics["models"].as_u64(), Some(seeds as u64));
    assert!(metrics["data"]["rows"].as_u64().is_some_and(|rows| rows > 0));
}

#[test]
fn no_row_is_lost_between_the_input_and_the_parts() {
    let (data, metrics) = (json("data.json"), json("metrics.json"));
    let kept = data["kept"].as_u64().expect("kept");
    let parts: u64 = data["parts"].as_object().expect("parts").values().filter_map(Value::as_u64).sum();
    // The demo holds out drugs and uses every row of its complete table.
    assert_eq!(parts, kept, "{data}");
    assert_eq!(metrics["data"]["rows"].as_u64(), Some(kept));
    assert_eq!(data["dropped"], serde_json::json!({}), "{data}");
}

#[test]
fn the_screen_keeps_the_row_that_is_no_molecule() {
    let csv = fs::read_to_string(demo_run().join("screen/predictions.csv")).unwrap();
    let list = fs::read_to_string(demo_run().join("screen/compounds.smi")).unwrap();
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(rows.len(), list.lines().count(), "{csv}");
    assert!(rows.last().is_some_and(|row| row.contains("invalid: byte ")), "{csv}");
    assert!(rows[..rows.len() - 1].iter().all(|row| !row.contains("invalid")), "{csv}");
}

/// A network that stays as it was drawn is far from affinities of 5 to 9, and a demo that is not quick does not pass.
#[test]
fn a_demo_that_learns_nothing_fails() {
    let folder = folder_with(&[]);
    let mut words = quick(&["demo", "--run-dir", "run"]);
    for setting in ["demo.synthetic.drugs=16", "demo.synthetic.targets=8", "epochs=1", "learning_rate=1e-8"] {
        words.extend(["--set", setting].map(str::to_owned));
    }
    let told = galen_drug_in(folder.path(), &words).ends_with(1).says("the model must be below both");
    assert!(told.stderr.contains("matrix factorisation ") && told.stderr.contains("the mean "), "{}", told.stderr);
    assert!(folder.path().join("run/screen/predictions.csv").is_file());
}

/// The report is opened in a browser: all figures are drawn, the console stays empty, nothing is loaded from elsewhere.
#[test]
fn the_report_is_drawn_in_a_browser() {
    is_drawn(&demo_run().join("report.html"), 3);
}
