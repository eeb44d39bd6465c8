//! Ctrl-C: the first time training stops behind its step and writes a checkpoint; the second time the process ends at
//! once, whatever it is doing.
#![cfg(unix)]

use crate::command::{Started, folder_with, galen_drug_in};
use crate::data::table;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use tests::command::Program;
use tests::run::has_checkpoint;

const SHELL: Program = Program::new("sh", "/bin/sh", env!("CARGO_TARGET_TMPDIR"));

/// Starts the program in `folder` on one core, so that a step takes as long on many cores. What it says is in a file,
/// where it can be read while it runs.
fn start_alone(folder: &Path, words: &[&str]) -> Started {
    let script = "export RAYON_NUM_THREADS=1; exec \"$0\" \"$@\" 2>said.txt";
    SHELL.start(folder, &[&["-c", script, env!("CARGO_BIN_EXE_galen-drug")][..], words].concat())
}

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("said.txt")).unwrap_or_default()
}

/// Presses Ctrl-C, waits for the answer, and presses again.
fn quit(mut run: Started, folder: &Path) {
    run.interrupt();
    run.wait_for(|| said(folder).contains("press Ctrl-C again to quit at once"));
    run.interrupt();
    run.finish().ends_with(130);
}

/// A step of seconds is not waited for: there is no checkpoint of it, and nothing is said about one.
#[test]
fn the_second_time_does_not_wait_for_the_end_of_the_step() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let path = folder.path();
    let mut run = start_alone(
        path,
        &[
            "train",
            "--data",
            "pairs.csv",
            "--run-dir",
            "run",
            "--models",
            "1",
            "--set",
            "batch_size=4096",
            "--set",
            "network.filters=384",
        ],
    );
    let log = path.join("run/logs/fold-0/metrics.jsonl");
    run.wait_for(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("started")));
    // Nothing but the order of the rows lies between that line and the step.
    sleep(Duration::from_millis(300));
    quit(run, path);
    assert!(!said(path).contains("interrupted"), "{}", said(path));
    assert!(!has_checkpoint(&path.join("run"), "fold"));
    // The folder is free again.
    galen_drug_in(path, &["train", "--run-dir", "run", "--resume", "--seed", "9"])
        .ends_with(1)
        .says("seed was 1, is 9");
}

/// Where no training looks at the flag, the second time is the way out.
#[test]
fn who_waits_for_input_can_be_quit() {
    let folder = folder_with(&[]);
    let path = folder.path();
    SHELL.run_in(path, &["-c", "mkfifo pairs.csv"]).ends_with(0);
    // Opens the pipe as soon as somebody reads it, and never writes.
    let mut silent = SHELL.start(path, &["-c", "exec 3>pairs.csv; touch open; exec sleep 300"]);
    let run = start_alone(path, &["audit", "--data", "pairs.csv"]);
    silent.wait_for(|| path.join("open").exists());
    quit(run, path);
    silent.kill();
}
