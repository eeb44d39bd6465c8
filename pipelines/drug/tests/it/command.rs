//! Running the binary, and one demo run that several tests look at.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// A finished run of the binary.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Exit status.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Fails unless the status is `code`, with everything the program said.
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr has `text`.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is missing in:\n{}", self.stderr);
        self
    }
}

/// Runs `galen-drug` in `folder`, without the variables that would change its configuration.
pub(crate) fn galen_drug_in(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_galen-drug"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GALEN_") {
            command.env_remove(name);
        }
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Runs `galen-drug` in an empty folder that is gone afterwards.
pub(crate) fn galen_drug(arguments: &[impl AsRef<OsStr>]) -> Finished {
    galen_drug_in(tempfile::tempdir().unwrap().path(), arguments)
}

/// A run folder that `galen-drug demo --quick` filled, once for all tests of this binary.
pub(crate) fn demo_run() -> &'static Path {
    static RUN: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("galen-drug-demo");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let run = folder.to_string_lossy().into_owned();
        galen_drug(&["demo", "--quick", "--run-dir", &run]).ends_with(0);
        folder
    });
    &RUN
}

/// Writes `files` into a new folder.
pub(crate) fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}
