//! Drives the built program as a user does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where something is not as expected")]

#[cfg(unix)]
mod bench;
#[cfg(unix)]
mod builds;
mod download;
mod server;
#[cfg(unix)]
mod toy;
mod verbs;

use std::{
    path::Path,
    process::{Command, Output},
};

use sha2::{Digest, Sha256};

/// The program, working on the workspace `root`, without proxies between it and this machine's own server.
fn xtask(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--root").arg(root).env_remove("GALEN_DATA").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}\nstdout: {}\nstderr: {}", output.status, stdout(output), stderr(output));
}

#[track_caller]
fn fails_with(output: &Output, expected: &str) {
    assert_eq!(output.status.code(), Some(1), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
    assert!(stderr(output).contains(expected), "no {expected:?} in {}", stderr(output));
}

fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Writes a shell script that stands for a program.
#[cfg(unix)]
fn program(root: &Path, path: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;

    write(root, path, script);
    std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}
