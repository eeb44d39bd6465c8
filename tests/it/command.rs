//! What a program says and how it ends is seen, by programs that every Unix has.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use tests::command::{Finished, Program, devices_are_named, folder_with};

const SHELL: Program = Program::new("sh", "/bin/sh", env!("CARGO_TARGET_TMPDIR"));
const ECHO: Program = Program::new("echo", "/bin/echo", env!("CARGO_TARGET_TMPDIR"));

fn failed() -> Finished {
    SHELL.run(&["-c", "echo out; echo error: bad >&2; exit 3"])
}

#[test]
fn status_and_output_are_kept_apart() {
    let finished = failed().ends_with(3).says("bad");
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "error: bad\n"));
    SHELL.run(&["-c", "echo error: bad >&2"]).ends_with(0).says_no_more();
}

#[test]
#[should_panic(expected = "error: bad")]
fn another_status_fails_with_what_was_said() {
    failed().ends_with(0);
}

#[test]
#[should_panic(expected = "is missing in")]
fn a_text_that_was_not_said_fails() {
    failed().says("good");
}

#[test]
#[should_panic(expected = "results only on stdout: out")]
fn a_result_beside_the_error_fails() {
    failed().says_no_more();
}

#[test]
fn variables_come_from_the_test_alone() {
    let folder = folder_with(&[("a.txt", "content")]);
    let shown = SHELL.run_with(folder.path(), &["-c", "cat a.txt; env"], &[("GALEN_SEED", "5")]).ends_with(0).stdout;
    assert!(shown.starts_with("content") && shown.contains("GALEN_SEED=5"), "{shown}");
    let shown = SHELL.run_in(folder.path(), &["-c", "env"]).ends_with(0).stdout;
    assert!(!shown.contains("GALEN_"), "{shown}");
}

#[test]
fn settings_are_looked_for_in_what_the_command_prints() {
    ECHO.shows_settings("audit", &["--data", "x"], &["audit --print-config", "--data x"]);
}

#[test]
#[should_panic(expected = "audit: seed is missing in")]
fn a_setting_that_is_not_shown_fails() {
    ECHO.shows_settings("audit", &[], &["seed"]);
}

#[test]
fn an_earlier_demo_is_removed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("echo-demo");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("metrics.json"), "{}").unwrap();
    assert_eq!(ECHO.demo(), folder);
    assert!(!folder.exists());
}

/// What a binary without CUDA answers; a device that it takes for granted ends well.
fn answer(device: &str, granted: &str) -> Finished {
    let stderr = if device == "tpu" { "use cpu, ndarray, cuda:N or gpu:N" } else { "build it with --features cuda" };
    Finished { code: Some(i32::from(device != granted)), stdout: String::new(), stderr: stderr.to_owned() }
}

#[test]
fn devices_are_asked_for() {
    devices_are_named(false, |device| answer(device, ""));
    devices_are_named(true, |device| answer(device, "cuda:0"));
}

#[test]
#[should_panic(expected = "cuda:0")]
fn a_device_that_is_not_there_and_works_fails() {
    devices_are_named(false, |device| answer(device, "cuda:0"));
}

#[test]
fn a_process_runs_beside_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let mut run = SHELL.start(folder.path(), &["-c", "touch begun; exec sleep 60"]);
    run.wait_for(|| begun.exists());
    assert!(run.id() > 1);
    run.kill();
}

#[test]
#[should_panic(expected = "the process did not come so far")]
fn a_process_that_ends_too_early_fails() {
    SHELL.start(Path::new("."), &["-c", "exit 1"]).wait_for(|| false);
}

#[cfg(target_os = "linux")]
#[test]
fn the_peak_of_a_process_is_measured() {
    let (finished, peak) = SHELL.start(Path::new("."), &["-c", "sleep 0.2; echo out"]).finish_with_peak();
    assert_eq!(finished.ends_with(0).stdout, "out\n");
    // A shell needs some hundred kilobytes.
    assert!((100_000..1_000_000_000).contains(&peak), "{peak}");
}
