//! Killed processes, damaged files, full disks.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nn_core::atomic::AtomicError;
use nn_core::train::{CheckpointError, Checkpoints, Event, Observer, TrainError};

use super::toy::{BATCH, Ended, ROWS, train, uninterrupted};

/// Where the child process keeps its checkpoints, and the event at which it waits to be killed.
const FOLDER: &str = "NN_CORE_TEST_FOLDER";
const MOMENT: &str = "NN_CORE_TEST_MOMENT";
const PATIENCE: Duration = Duration::from_mins(2);

fn resume(folder: &Path, epochs: usize) -> Ended {
    train(Some(folder), epochs, &mut (), &AtomicBool::new(false))
}

fn moment(event: &Event) -> String {
    match event {
        Event::Step { epoch, step, .. } => format!("step {epoch} {step}"),
        Event::EpochEnd { epoch, .. } => format!("end {epoch}"),
        Event::Validated { epoch, .. } => format!("validated {epoch}"),
        Event::Checkpointed { epoch, .. } => format!("checkpointed {epoch}"),
        _ => String::new(),
    }
}

/// Says that the moment has come and waits for the end.
struct WaitsToBeKilled {
    moment: String,
    marker: PathBuf,
}

impl Observer for WaitsToBeKilled {
    fn event(&mut self, event: &Event) {
        if moment(event) == self.moment {
            fs::write(&self.marker, b"now").unwrap();
            std::thread::sleep(PATIENCE);
            panic!("nobody killed this process");
        }
    }
}

fn marker(folder: &Path) -> PathBuf {
    folder.with_extension("marker")
}

/// The part of the test below that runs in a process of its own.
#[test]
fn child_that_is_killed() {
    let (Some(folder), Ok(moment)) = (std::env::var_os(FOLDER), std::env::var(MOMENT)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let mut observer = WaitsToBeKilled { moment, marker: marker(&folder) };
    train(Some(&folder), 4, &mut observer, &AtomicBool::new(false)).outcome.unwrap();
}

/// Begins or resumes the run in another process and kills it with SIGKILL at the moment.
fn run_and_kill(folder: &Path, moment: &str) {
    let marker = marker(folder);
    let _ = fs::remove_file(&marker);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "train::crash::child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(MOMENT, moment)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while !marker.exists() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the child ended with {status} before {moment}");
        }
        assert!(since.elapsed() < PATIENCE, "the child did not come to {moment}");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn four_epochs_equal_two_a_kill_and_two() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("checkpoint");
    run_and_kill(&folder, "checkpointed 1");
    let resumed = resume(&folder, 4);
    assert_eq!(resumed.outcome.as_ref().unwrap().total_steps, 4 * ROWS.div_ceil(BATCH) as u64);
    resumed.assert_equals(&uninterrupted(4));
}

#[test]
fn a_run_killed_again_and_again_comes_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("checkpoint");
    // In the first epoch; between the weights of the best epoch and the checkpoint; in the middle of an epoch; after
    // one.
    for moment in ["step 0 4", "validated 0", "step 2 3", "checkpointed 2", "end 3"] {
        run_and_kill(&folder, moment);
    }
    resume(&folder, 4).assert_equals(&uninterrupted(4));
}

/// Raises the flag at a moment.
struct Stops<'a> {
    moment: &'static str,
    stop: &'a AtomicBool,
}

impl Observer for Stops<'_> {
    fn event(&mut self, event: &Event) {
        if moment(event) == self.moment {
            self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[test]
fn an_interrupted_epoch_goes_on_at_its_next_step() {
    let reference = uninterrupted(3);
    for (moment, steps) in [("step 1 2", 7 + 3), ("checkpointed 1", 2 * 7), ("step 0 0", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let stopped = train(Some(folder.path()), 3, &mut Stops { moment, stop: &stop }, &stop).outcome.unwrap();
        assert_eq!(stopped.stopped, nn_core::train::StopReason::Interrupted);
        assert_eq!(stopped.total_steps, steps, "{moment}");
        let snapshot = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
        assert_eq!(snapshot.state.total_steps, steps, "{moment}");
        resume(folder.path(), 3).assert_equals(&reference);
    }
}

/// Files of the newest generation in `last`.
fn newest_files(folder: &Path, generation: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("last"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(generation))
        .collect();
    files.sort();
    files
}

#[test]
fn every_truncation_and_bit_flip_is_found_and_the_checkpoint_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    resume(folder, 2).outcome.unwrap();
    let checkpoints = Checkpoints::new(folder);
    let whole = checkpoints.latest().unwrap().unwrap();
    assert_eq!((whole.state.epoch, whole.skipped.len()), (2, 0));

    let assert_previous = |what: String| {
        let found = checkpoints.latest().unwrap().unwrap();
        assert_eq!((found.state.epoch, found.skipped.len()), (1, 1), "{what}");
    };
    let files = newest_files(folder, "-0002.");
    assert_eq!(files.len(), 4);
    let mut long = 0;
    for file in &files {
        let bytes = fs::read(file).unwrap();
        for length in (0..bytes.len()).step_by(4096) {
            fs::write(file, &bytes[..length]).unwrap();
            assert_previous(format!("{} cut to {length}", file.display()));
            long += usize::from(length > 0);
        }
        // Each byte of the small files, a sample of the others, another bit each time.
        let stride = if bytes.len() > 4096 { 257 } else { 1 };
        for place in (0..bytes.len()).step_by(stride) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place / stride % 8);
            fs::write(file, &flipped).unwrap();
            assert_previous(format!("{} flipped at {place}", file.display()));
        }
        fs::remove_file(file).unwrap();
        let newest = checkpoints.latest().unwrap().unwrap();
        assert_eq!(newest.state.epoch, 1, "{} removed", file.display());
        fs::write(file, &bytes).unwrap();
        assert_eq!(checkpoints.latest().unwrap().unwrap(), whole);
    }
    assert!(long > 10, "the files are too short for this test");

    // The run goes on from the generation before and comes to the same end; the damaged one is cleared away.
    fs::write(&files[0], b"").unwrap();
    resume(folder, 4).assert_equals(&uninterrupted(4));
    assert!(newest_files(folder, "-0002.").is_empty());
}

#[test]
fn with_no_whole_checkpoint_the_error_says_what_is_wrong_with_each() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    resume(folder, 2).outcome.unwrap();
    for generation in ["-0001.", "-0002."] {
        let files = newest_files(folder, generation);
        let weights = files.iter().find(|file| file.to_string_lossy().contains("weights")).unwrap();
        fs::write(weights, b"short").unwrap();
    }
    let error = resume(folder, 4).outcome.unwrap_err().to_string();
    assert!(error.contains("no checkpoint in"), "{error}");
    assert!(error.contains("weights-0002.safetensors has 5 bytes") && error.contains("weights-0001"), "{error}");
}

/// A small file system in memory, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path, kilobytes: usize) -> Option<Self> {
        let size = format!("size={kilobytes}k");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        status.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_path_buf()))
    }

    fn enlarge(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=16m"]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_no_half_file_and_the_run_can_be_resumed() {
    let reference = uninterrupted(4);
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    // Full at the first file, at the first checkpoint, and at later ones.
    for kilobytes in [16, 48, 80, 128, 200, 280] {
        let Some(disk) = SmallDisk::mount(folder.path(), kilobytes) else {
            let _ = writeln!(std::io::stderr(), "ignored: needs the right to mount a tmpfs");
            return;
        };
        let dir = folder.path().join("checkpoint");
        match resume(&dir, 4).outcome {
            Err(TrainError::Checkpoint(CheckpointError::Write(AtomicError::Full { path, needed, cause }))) => {
                let text = AtomicError::Full { path, needed, cause }.to_string();
                assert!(text.contains(&format!("{needed} bytes")) && needed > 0, "{text}");
            }
            Err(other) => panic!("{kilobytes} kB: {other}"),
            // The larger disks may be large enough.
            Ok(_) => assert!(kilobytes > 128, "{kilobytes} kB were enough"),
        }
        let checkpoints = Checkpoints::new(&dir);
        let snapshot = checkpoints.latest().unwrap();
        assert!(snapshot.as_ref().is_none_or(|snapshot| snapshot.skipped.is_empty()), "{kilobytes} kB");
        checkpoints.best_weights().unwrap();
        seen.push(snapshot.map_or(0, |snapshot| snapshot.state.epoch));
        for part in ["last", "best", "best-copy"] {
            let Ok(entries) = fs::read_dir(dir.join(part)) else { continue };
            for entry in entries {
                let name = entry.unwrap().file_name().to_string_lossy().into_owned();
                assert!(!name.ends_with(".tmp"), "{kilobytes} kB left {name}");
            }
        }
        disk.enlarge();
        resume(&dir, 4).assert_equals(&reference);
    }
    assert!(seen.contains(&0) && seen.iter().any(|&epoch| epoch > 0), "{seen:?}");
}
