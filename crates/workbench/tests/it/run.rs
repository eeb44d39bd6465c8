//! Run folders: one process each, nothing overwritten, nothing half written.

use std::fs;
use std::io::{self, Write};
use std::process::Command;

use serde::Serialize;
use workbench::record::{DataSummary, RunMetrics, Summary};
use workbench::run::{CONFIG, Change, METRICS, RunError, RunFolder};

/// Names the folder that [`opens_the_folder`] tries to open.
const FOLDER: &str = "WORKBENCH_TEST_FOLDER";

#[derive(Serialize)]
struct Settings {
    seed: u64,
    train: Train,
}

#[derive(Serialize)]
struct Train {
    epochs: usize,
}

fn settings(epochs: usize) -> Settings {
    Settings { seed: 1, train: Train { epochs } }
}

/// Not a test of its own: the other process of [`a_second_process_is_refused`].
#[test]
fn opens_the_folder() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let said = match RunFolder::open(folder.as_ref(), true) {
            Ok(_) => "opened".to_owned(),
            Err(error) => format!("refused: {error}"),
        };
        writeln!(io::stdout(), "{said}").unwrap();
    }
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let other = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "run::opens_the_folder", "--nocapture"])
            .env(FOLDER, &path)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let run = RunFolder::open(&path, false).unwrap();
    run.write_config(&settings(3)).unwrap();
    let said = other();
    assert!(said.contains(&format!("in use by process {}", std::process::id())), "{said}");
    drop(run);
    let said = other();
    assert!(said.contains("opened"), "{said}");
}

#[test]
fn a_finished_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    assert!(!run.resumed() && !run.finished());
    run.write_config(&settings(3)).unwrap();
    drop(run);
    let error = RunFolder::open(folder.path(), false).unwrap_err();
    assert!(matches!(error, RunError::NotEmpty { what: "an unfinished run", .. }), "{error}");
    assert!(error.to_string().contains("--resume"), "{error}");

    let run = RunFolder::open(folder.path(), true).unwrap();
    assert!(run.resumed() && !run.finished());
    run.write_json(METRICS, &serde_json::json!({"task": "count"})).unwrap();
    assert!(run.finished());
    drop(run);
    let before = fs::read(folder.path().join(METRICS)).unwrap();
    let error = RunFolder::open(folder.path(), false).unwrap_err();
    assert!(matches!(error, RunError::NotEmpty { what: "a finished run", .. }), "{error}");
    assert_eq!(fs::read(folder.path().join(METRICS)).unwrap(), before);
}

#[test]
fn resuming_where_nothing_is_starts_a_run() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!RunFolder::open(&folder.path().join("new"), true).unwrap().resumed());
}

#[test]
fn what_a_killed_process_left_half_written_goes() {
    let folder = tempfile::tempdir().unwrap();
    RunFolder::open(folder.path(), false).unwrap().write_config(&settings(3)).unwrap();
    let torn = folder.path().join(".metrics.json.77-0.tmp");
    fs::write(&torn, "{\"ta").unwrap();
    RunFolder::open(folder.path(), true).unwrap();
    assert!(!torn.exists());
    assert!(folder.path().join(CONFIG).exists());
}

#[test]
fn a_continued_run_tells_which_settings_changed() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    assert!(run.changes(&settings(3)).unwrap().is_empty());
    run.write_config(&settings(3)).unwrap();
    assert!(run.changes(&settings(3)).unwrap().is_empty());
    let changes = run.changes(&settings(5)).unwrap();
    assert_eq!(changes.len(), 1);
    let expected = Change { key: "train.epochs".into(), before: "3".into(), after: "5".into() };
    assert_eq!(changes[0], expected);
}

#[test]
fn metrics_have_the_form_that_the_experiment_runner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path(), false).unwrap();
    let metrics = RunMetrics {
        task: "affinity".into(),
        dataset: "davis".into(),
        protocol: "paper".into(),
        split: "upstream".into(),
        models: 1,
        seeds: vec![1, 2, 3],
        epochs: vec![100, 100, 90],
        metrics: [("mse".to_owned(), Summary::of(vec![0.25, 0.5, 0.75]).unwrap().interval(0.24, 0.28))].into(),
        baselines: [("mean".to_owned(), [("mse".to_owned(), 0.8)].into())].into(),
        data: DataSummary { rows: 30056, sha256: [("affinities".to_owned(), "00".to_owned())].into() },
        device: "cpu".into(),
        wall_seconds: 12.5,
        peak_mb: Some(512.0),
        version: "0.1.0".into(),
        commit: None,
    };
    run.write_json(METRICS, &metrics).unwrap();
    let value: serde_json::Value = run.read_json(METRICS).unwrap();
    assert_eq!(value["metrics"]["mse"]["mean"], 0.5);
    assert_eq!(value["metrics"]["mse"]["values"], serde_json::json!([0.25, 0.5, 0.75]));
    assert_eq!(value["metrics"]["mse"]["low"], 0.24);
    assert_eq!(value["baselines"]["mean"]["mse"], 0.8);
    assert_eq!(value["data"]["sha256"]["affinities"], "00");
    assert_eq!(run.read_json::<RunMetrics>(METRICS).unwrap(), metrics);
}
