//! What is shown and recorded while a model learns.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use nn_core::train::{Event, Observer, StopReason};
use serde_json::Value;
use workbench::args::Verbosity;
use workbench::observe::{METRICS_LOG, Reporter, counted, curves};

const EPOCHS: usize = 3;
const STEPS: usize = 4;

/// An output that the test can read.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.borrow().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// The events of a run from one point of it to another; a point is a number of steps done.
fn events(from: usize, to: usize) -> Vec<Event> {
    let mut events =
        vec![Event::Started { epochs: EPOCHS, epoch: from / STEPS, step: from % STEPS, resumed: from > 0 }];
    for done in from..to {
        let (epoch, step) = (done / STEPS, done % STEPS);
        events.push(Event::Step {
            epoch,
            step,
            steps_in_epoch: STEPS,
            total_steps: done as u64 + 1,
            rows: 8,
            loss: 1.0 / (done + 1) as f64,
            grad_norm: Some(2.0),
            learning_rate: 1e-3,
        });
        if step + 1 == STEPS {
            events.push(Event::EpochEnd { epoch, train_loss: 0.5 / (epoch + 1) as f64, seconds: 0.5, rows: 32 });
            let metrics = vec![("mse".to_owned(), 0.9 / (epoch + 1) as f64), ("ci".to_owned(), 0.5)];
            events.push(Event::Validated { epoch, metrics, improved: epoch != 1 });
        }
    }
    let reason = if to == EPOCHS * STEPS { StopReason::Finished } else { StopReason::Interrupted };
    events.push(Event::Stopped { reason });
    events
}

fn observe(folder: &Path, verbosity: Verbosity, events: &[Event]) -> Vec<String> {
    let screen = Screen::default();
    let mut reporter = Reporter::new(folder, verbosity).output(Box::new(screen.clone())).step_interval(1);
    for event in events {
        reporter.event(event);
    }
    reporter.finish().unwrap();
    screen.lines()
}

fn logged(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(METRICS_LOG)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["event"] != "started")
        .collect()
}

#[test]
fn one_thing_has_no_plural() {
    assert_eq!([0, 1, 2].map(|n| counted(n, "model")), ["0 models", "1 model", "2 models"]);
}

#[test]
fn elsewhere_than_on_a_terminal_there_is_one_line_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let lines = observe(folder.path(), Verbosity::Normal, &events(0, EPOCHS * STEPS));
    assert_eq!(
        lines,
        [
            "epoch 1/3  loss 0.5000  0.5 s  mse 0.9000  ci 0.5000  (best so far)",
            "epoch 2/3  loss 0.2500  0.5 s  mse 0.4500  ci 0.5000",
            "epoch 3/3  loss 0.1667  0.5 s  mse 0.3000  ci 0.5000  (best so far)",
            "stopped after 12 steps: all epochs done",
        ]
    );
}

#[test]
fn quiet_is_quiet_and_records_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    assert!(observe(folder.path(), Verbosity::Quiet, &events(0, EPOCHS * STEPS)).is_empty());
    assert_eq!(logged(folder.path()).len(), EPOCHS * STEPS + 2 * EPOCHS);
}

#[test]
fn a_resumed_run_leaves_the_log_of_one_that_never_stopped() {
    let whole = tempfile::tempdir().unwrap();
    observe(whole.path(), Verbosity::Quiet, &events(0, EPOCHS * STEPS));
    // The process dies after `died` steps with a torn line; the checkpoint it resumes from is older or as old.
    for (checkpoint, died) in [(4, 4), (4, 7), (6, 7), (8, 12), (1, 11)] {
        let folder = tempfile::tempdir().unwrap();
        let first = events(0, died);
        observe(folder.path(), Verbosity::Quiet, &first[..first.len() - 1]);
        let path = folder.path().join(METRICS_LOG);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"event\":\"step\",\"epo");
        fs::write(&path, torn).unwrap();
        observe(folder.path(), Verbosity::Quiet, &events(checkpoint, EPOCHS * STEPS));
        assert_eq!(logged(folder.path()), logged(whole.path()), "resumed at {checkpoint}, died at {died}");
    }
}

#[test]
fn a_fresh_run_in_the_same_folder_starts_its_log_anew() {
    let folder = tempfile::tempdir().unwrap();
    observe(folder.path(), Verbosity::Quiet, &events(0, EPOCHS * STEPS));
    observe(folder.path(), Verbosity::Quiet, &events(0, STEPS));
    assert_eq!(logged(folder.path()).len(), STEPS + 2);
}

#[test]
fn curves_come_back_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    observe(folder.path(), Verbosity::Quiet, &events(0, EPOCHS * STEPS));
    let curves = curves(&folder.path().join(METRICS_LOG)).unwrap();
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    assert_eq!(names, ["train loss", "validation mse", "validation ci"]);
    assert_eq!(curves[0].points, [(1.0, 0.5), (2.0, 0.25), (3.0, 0.5 / 3.0)]);
}

#[test]
fn event_files_hold_whole_records_and_a_resumption_marks_its_step() {
    let folder = tempfile::tempdir().unwrap();
    observe(folder.path(), Verbosity::Quiet, &events(0, 7));
    observe(folder.path(), Verbosity::Quiet, &events(4, EPOCHS * STEPS));
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("tfevents"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 2);
    // version and session start, then one event for each step, epoch and validation
    let counts: Vec<usize> = files.iter().map(|path| records(&fs::read(path).unwrap()).len()).collect();
    assert_eq!(counts, [2 + 7 + 2, 2 + 8 + 4]);
    // field 2 (step) of the resumption's session start: the first step that it repeats is number 5
    let start = &records(&fs::read(&files[1]).unwrap())[1];
    assert_eq!(start[9..11], [0x10, 5]);
}

/// Splits an event file into its payloads, by the lengths in it.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        records.push(bytes[12..12 + length].to_vec());
        bytes = &bytes[12 + length + 4..];
    }
    records
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_run_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, "not a folder").unwrap();
    let screen = Screen::default();
    let mut reporter = Reporter::new(&blocked, Verbosity::Normal).output(Box::new(screen.clone()));
    for event in events(0, STEPS) {
        reporter.event(&event);
    }
    let error = reporter.finish().unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    let warnings = screen.lines().iter().filter(|line| line.starts_with("warning: ")).count();
    assert_eq!(warnings, 1);
}
