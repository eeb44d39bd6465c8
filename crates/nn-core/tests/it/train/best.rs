//! The weights of the best epoch: whatever happens to their files, a run that needs them gets them, or says so before
//! it goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use nn_core::train::{CheckpointError, Checkpoints, Event, FitConfig, Monitor, Outcome, TrainError, fit};

use super::scripted::{Notes, STEPS, Scripted, number, run};
use super::toy::Rows;

const COPIES: [&str; 2] = ["best", "best-copy"];

fn config(epochs: usize) -> FitConfig {
    FitConfig::new(epochs, 0.1, Monitor::lower("score"))
}

/// A folder with the checkpoints of a run of as many epochs as there are scores.
fn trained(scores: &[f64]) -> (tempfile::TempDir, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    let outcome = run(&mut Scripted::new(scores), &config(scores.len()), Some(&checkpoints)).unwrap();
    (folder, outcome)
}

/// A run that was taken up again.
struct Resumed {
    outcome: Result<Outcome, TrainError>,
    /// Steps that the learner has behind it in the end.
    steps: u64,
    events: Vec<Event>,
}

impl Resumed {
    /// What was said to be damaged.
    fn damaged(&self) -> Vec<&str> {
        let reasons = self.events.iter().filter_map(|event| match event {
            Event::Damaged { reason } => Some(reason.as_str()),
            _ => None,
        });
        reasons.collect()
    }
}

fn resume(folder: &Path, scores: &[f64], config: &FitConfig) -> Resumed {
    let (mut learner, mut notes) = (Scripted::new(scores), Notes::default());
    let checkpoints = Checkpoints::new(folder);
    let outcome = fit(&mut learner, &Rows, config, Some(&checkpoints), true, &mut notes, &AtomicBool::new(false));
    Resumed { outcome, steps: learner.steps, events: notes.0 }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(path, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_truncation_and_bit_flip_is_found_and_mended() {
    // Long after the best epoch, so that no checkpoint has its weights.
    let scores = [2.0, 1.0, 3.0, 3.0];
    let (folder, whole) = trained(&scores);
    let folder = folder.path();
    assert_eq!(whole.best_epoch, Some(1));
    let assert_mended = |copy: &str, file: &Path, bytes: &[u8], what: &str| {
        let resumed = resume(folder, &scores, &config(4));
        assert_eq!(resumed.outcome.as_ref().unwrap(), &whole, "{copy} {what}");
        assert_eq!(resumed.steps, 2 * STEPS, "{copy} {what}");
        let damaged = resumed.damaged();
        assert!(damaged.len() == 1 && damaged[0].starts_with(&format!("{copy}/")), "{what}: {damaged:?}");
        assert!(fs::read(file).unwrap() == bytes, "{} is not mended: {what}", file.display());
    };
    for copy in COPIES {
        let files = files(&folder.join(copy));
        assert_eq!(files.len(), 3, "{files:?}");
        for file in &files {
            let bytes = fs::read(file).unwrap();
            for length in [0, bytes.len() / 2, bytes.len() - 1] {
                fs::write(file, &bytes[..length]).unwrap();
                assert_mended(copy, file, &bytes, &format!("{} cut to {length}", file.display()));
            }
            // Each byte of the weights, a sample of the others, another bit each time.
            let stride = if bytes.len() > 16 { 37 } else { 1 };
            for place in (0..bytes.len()).step_by(stride) {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << (place / stride % 8);
                fs::write(file, &flipped).unwrap();
                assert_mended(copy, file, &bytes, &format!("{} flipped at {place}", file.display()));
            }
            fs::remove_file(file).unwrap();
            assert_mended(copy, file, &bytes, &format!("{} removed", file.display()));
        }
    }
    assert!(resume(folder, &scores, &config(4)).damaged().is_empty());
}

#[test]
fn damage_to_both_copies_is_told_at_once_and_the_last_epoch_can_still_be_had() {
    let scores = [2.0, 1.0, 3.0, 3.0, 3.0];
    let (folder, _) = trained(&scores[..4]);
    let folder = folder.path();
    for copy in COPIES {
        flip(&folder.join(copy).join("weights-0001.safetensors"));
    }
    let resumed = resume(folder, &scores, &config(5));
    let error = resumed.outcome.unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::Best { epoch: 1, .. })), "{error}");
    let text = error.to_string();
    let reasons =
        "(best/weights-0001.safetensors was altered; best-copy/weights-0001.safetensors was altered); start again";
    assert!(text.contains("the best epoch, 2,") && text.contains(reasons), "{text}");
    // Not an epoch was spent on it.
    assert_eq!(resumed.events, [Event::Failed { message: text }]);

    let resumed = resume(folder, &scores, &FitConfig { restore_best: false, ..config(5) });
    assert_eq!((resumed.outcome.unwrap().epochs_run, resumed.steps), (5, 5 * STEPS));
}

#[test]
fn a_checkpoint_written_after_the_best_epoch_has_its_weights() {
    let scores = [2.0, 1.0, 3.0];
    let (folder, _) = trained(&scores[..2]);
    let folder = folder.path();
    for copy in COPIES {
        fs::remove_dir_all(folder.join(copy)).unwrap();
    }
    let resumed = resume(folder, &scores, &config(3));
    assert_eq!(resumed.damaged().len(), 2);
    let alone = run(&mut Scripted::new(&scores), &config(3), None).unwrap();
    assert_eq!((resumed.outcome.unwrap(), resumed.steps), (alone, 2 * STEPS));
}

/// The newest checkpoint is damaged, and the one before names another best epoch.
#[test]
fn the_best_epoch_of_the_checkpoint_before_is_kept() {
    let scores = [2.0, 3.0, 1.0];
    let (folder, whole) = trained(&scores);
    let folder = folder.path();
    flip(&folder.join("last/weights-0003.safetensors"));
    let shorter = resume(folder, &scores, &config(2));
    assert_eq!(shorter.damaged(), ["weights-0003.safetensors was altered"]);
    assert_eq!((shorter.outcome.unwrap().best_epoch, shorter.steps), (Some(0), STEPS));
    let resumed = resume(folder, &scores, &config(3));
    assert_eq!((resumed.outcome.unwrap(), resumed.steps), (whole, 3 * STEPS));
}

#[test]
fn the_best_weights_that_are_whole_are_found() {
    let (folder, _) = trained(&[2.0, 3.0, 1.0]);
    let folder = folder.path();
    let checkpoints = Checkpoints::new(folder);
    for (copy, epoch) in [("best", 2), ("best-copy", 2), ("best", 0), ("best-copy", 0)] {
        let (path, weights) = checkpoints.best_weights().unwrap().unwrap();
        assert_eq!(path, folder.join(copy).join(format!("weights-{epoch:04}.safetensors")));
        assert_eq!(number(&weights).unwrap(), (epoch + 1) * STEPS);
        flip(&path);
    }
    let error = checkpoints.best_weights().unwrap_err();
    assert!(matches!(&error, CheckpointError::Damaged { reasons, .. } if reasons.len() == 4), "{error}");
}
