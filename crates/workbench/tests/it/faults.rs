//! What must not mislead a program or keep it: clocks that are wrong, locks that killed processes left, a step that does
//! not end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use workbench::exit;
use workbench::run::RunFolder;

/// Names the folder in which [`waits_to_be_interrupted`] says how far it has come.
const FOLDER: &str = "WORKBENCH_TEST_INTERRUPTED";
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(5);

/// A folder is locked by whoever holds its lock, not by what the file says or when it was written.
#[test]
fn a_lock_that_was_left_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::open(&path, false).unwrap();
    run.write_config(&BTreeMap::from([("seed", 1)])).unwrap();
    drop(run);
    let future = SystemTime::now() + Duration::from_hours(24 * 365 * 20);
    for time in [UNIX_EPOCH, future] {
        // The number is that of a process that runs.
        fs::write(path.join(".lock"), "1\n").unwrap();
        for name in [".lock", "config.toml"] {
            File::options().write(true).open(path.join(name)).unwrap().set_modified(time).unwrap();
        }
        let run = RunFolder::open(&path, true).unwrap();
        assert!(run.resumed());
        let error = RunFolder::open(&path, true).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    }
}

/// Not a test of its own: the other process of [`the_second_ctrl_c_does_not_wait`].
#[test]
fn waits_to_be_interrupted() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let _ = exit::run(|stop| {
        fs::write(folder.join("ready"), "")?;
        while !stop.load(Ordering::SeqCst) {
            sleep(PAUSE);
        }
        fs::write(folder.join("asked"), "")?;
        sleep(2 * PATIENCE);
        Ok(())
    });
    panic!("nobody ended this process");
}

#[cfg(unix)]
#[test]
fn the_second_ctrl_c_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::waits_to_be_interrupted", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = child.id();
    let mut wait_for = |is_so: &dyn Fn() -> bool| {
        let since = Instant::now();
        while !is_so() {
            let ended = child.try_wait().unwrap();
            if ended.is_some() || since.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the process did not come so far: {ended:?}");
            }
            sleep(PAUSE);
        }
    };
    let interrupt = || {
        let kill = format!("kill -INT {id}");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    let is_there = |name: &str| folder.path().join(name).exists();
    wait_for(&|| is_there("ready"));
    interrupt();
    // The first is a request, which the program sees where it looks.
    wait_for(&|| is_there("asked"));
    interrupt();
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if since.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process waited for its step");
        }
        sleep(PAUSE);
    };
    assert_eq!(status.code(), Some(i32::from(exit::INTERRUPTED)));
}
