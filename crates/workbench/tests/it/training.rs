//! A run that trains models goes on where it was stopped, and only as the run that it is.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use nn_core::train::{Outcome, StopReason};
use serde::Serialize;
use workbench::args::Common;
use workbench::exit::Interrupted;
use workbench::record::{DataRecord, Environment, Input};
use workbench::run::{METRICS, REPORT, RunError};
use workbench::training::{Opening, Trained, TrainingRun, quoted};

#[derive(Serialize)]
struct Settings {
    epochs: usize,
    rate: f64,
}

const SETTINGS: Settings = Settings { epochs: 2, rate: 0.5 };

fn common(resume: bool) -> Common {
    Common { resume, quiet: true, ..Common::default() }
}

fn data(sha256: &str) -> DataRecord {
    let inputs = vec![Input { name: "a.csv".into(), bytes: 3, sha256: sha256.into() }];
    DataRecord { inputs, kept: 1, ..DataRecord::default() }
}

/// Opens a run of one model that is numbered by its fold; its epochs may be others than they were.
fn open<'a>(
    common: &'a Common,
    folder: &'a Path,
    config: &'a Settings,
    data: &'a DataRecord,
) -> Result<TrainingRun<'a>, RunError> {
    let environment = Environment::collect(None, &[], "cpu", 1);
    let opening = Opening { common, folder, config, data, environment, models: 1, resume: "galen-toy --resume" };
    TrainingRun::open_by("fold", opening, |key| key == "epochs")
}

/// Trains the first model as far as it may, and says whether it was trained now.
fn train(run: &TrainingRun<'_>, limit: usize, stopped: StopReason) -> anyhow::Result<(Trained<String>, bool)> {
    let now = Cell::new(false);
    let trained = run.model(
        0,
        limit,
        |file| anyhow::Ok(fs::read_to_string(file)?),
        |_, _, _| {
            now.set(true);
            let outcome = Outcome {
                epochs_run: limit,
                total_steps: 0,
                best_epoch: Some(0),
                best_metrics: Vec::new(),
                last_metrics: Vec::new(),
                stopped,
            };
            Ok(("weights".to_owned(), outcome))
        },
        |model, file| Ok(fs::write(file, model)?),
    )?;
    Ok((trained, now.get()))
}

#[test]
fn a_model_that_is_done_is_read() {
    for (stopped, more_is_trained) in [(StopReason::Finished, true), (StopReason::NoImprovement, false)] {
        let folder = tempfile::tempdir().unwrap();
        let (fresh, again, data) = (common(false), common(true), data("00"));
        let run = open(&fresh, folder.path(), &SETTINGS, &data).unwrap();
        let (trained, now) = train(&run, 2, stopped).unwrap();
        assert!(now);
        assert_eq!((trained.epochs, trained.best_epoch, trained.log.as_str()), (2, Some(0), "logs/fold-0"));
        assert!(folder.path().join("model/fold-0.safetensors").is_file());
        drop(run);

        let run = open(&again, folder.path(), &SETTINGS, &data).unwrap();
        let (trained, now) = train(&run, 2, stopped).unwrap();
        assert!(!now);
        assert_eq!((trained.model.as_str(), trained.epochs, trained.log.as_str()), ("weights", 2, "logs/fold-0"));
        let (_, now) = train(&run, 3, stopped).unwrap();
        assert_eq!(now, more_is_trained, "{stopped:?}");
    }
}

#[test]
fn a_model_that_was_interrupted_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (common, data) = (common(false), data("00"));
    let run = open(&common, folder.path(), &SETTINGS, &data).unwrap();
    let error = train(&run, 2, StopReason::Interrupted).err().expect("it was interrupted");
    assert_eq!(error.downcast_ref::<Interrupted>().expect("the reason").resume, "galen-toy --resume");
    assert!(!folder.path().join("model").exists());
}

#[test]
fn another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (fresh, again, same) = (common(false), common(true), data("00"));
    drop(open(&fresh, folder.path(), &SETTINGS, &same).unwrap());
    drop(open(&again, folder.path(), &Settings { epochs: 9, ..SETTINGS }, &same).unwrap());

    let other = Settings { rate: 0.25, ..SETTINGS };
    let error = open(&again, folder.path(), &other, &same).err().expect("the rate is another one");
    assert!(error.to_string().contains("rate was 0.5, is 0.25"), "{error}");
    let error = open(&again, folder.path(), &SETTINGS, &data("ff")).err().expect("the data is another one");
    assert!(error.to_string().contains("a.csv was 3 bytes, 00, is 3 bytes, ff"), "{error}");
}

#[test]
fn a_run_that_goes_on_counts_its_earlier_time_and_is_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (fresh, again, data) = (common(false), common(true), data("00"));
    let run = open(&fresh, folder.path(), &SETTINGS, &data).unwrap();
    // Of another noun, and so of no model of this run.
    for (log, seconds) in [("logs/fold-0", 500.0), ("logs/seed-0", 9000.0)] {
        let line = serde_json::json!({ "event": "epoch", "epoch": 0, "seconds": seconds });
        run.folder.write(&format!("{log}/metrics.jsonl"), format!("{line}\n")).unwrap();
    }
    for name in [METRICS, REPORT] {
        run.folder.write(name, "{}").unwrap();
    }
    drop(run);
    let run = open(&again, folder.path(), &SETTINGS, &data).unwrap();
    // Opening it takes no minute.
    assert!((500.0..560.0).contains(&run.seconds()), "{}", run.seconds());
    assert!(!folder.path().join(METRICS).exists() && !folder.path().join(REPORT).exists());
}

#[test]
fn paths_are_written_as_a_shell_reads_them() {
    for (path, expected) in [("runs/a-1", "runs/a-1"), ("my runs", "'my runs'"), ("it's", r"'it'\''s'"), ("", "''")] {
        assert_eq!(quoted(Path::new(path)), expected);
    }
}
