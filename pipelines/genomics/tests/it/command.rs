//! Running the binary to its end or beside the test, and one demo run that several tests look at.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Longest time that a test waits for something to happen.
const PATIENCE: Duration = Duration::from_mins(2);

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

/// `galen-genomics` in `folder`, without the variables that would change its configuration.
fn command(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_galen-genomics"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GALEN_") {
            command.env_remove(name);
        }
    }
    command
}

impl From<Output> for Finished {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// Runs `galen-genomics` in `folder`.
pub(crate) fn galen_genomics_in(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Finished {
    command(folder, arguments).output().unwrap().into()
}

/// Runs `galen-genomics` in `folder` with variables of the environment.
pub(crate) fn galen_genomics_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    command(folder, arguments).envs(variables.iter().copied()).output().unwrap().into()
}

/// A process that runs beside the test; it ends with the test at the latest.
pub(crate) struct Started(Option<Child>);

/// Starts `galen-genomics` in `folder`. What it says has to fit into a pipe's buffer.
pub(crate) fn start(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Started {
    let mut command = command(folder, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Started(Some(command.spawn().unwrap()))
}

impl Started {
    fn child(&self) -> &Child {
        self.0.as_ref().expect("the process was not waited for yet")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child().id()
    }

    /// Waits until something is so; fails if the process ends before, or nothing happens.
    pub(crate) fn wait_for(&mut self, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let child = self.0.as_mut().expect("the process was not waited for yet");
            let ended = child.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let _ = child.kill();
                let output = self.0.take().expect("it was there").wait_with_output().unwrap();
                panic!("the process did not come so far: {:?}", Finished::from(output));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        let status = Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.id())).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        self.0.take().expect("the process was not waited for yet").wait_with_output().unwrap().into()
    }

    /// Waits for the end; with the largest resident memory that was seen until then, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn finish_with_peak(mut self) -> (Finished, u64) {
        let status = format!("/proc/{}/status", self.id());
        let mut peak = 0;
        while self.0.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none()) {
            // The kernel's high-water mark; its kB are 1024 bytes.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
            let kibibytes = mark.and_then(|mark| mark.trim().parse::<u64>().ok());
            peak = peak.max(kibibytes.unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(2));
        }
        (self.finish(), peak)
    }

    /// Ends the process at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs `galen-genomics` in an empty folder that is gone afterwards.
pub(crate) fn galen_genomics(arguments: &[impl AsRef<OsStr>]) -> Finished {
    galen_genomics_in(tempfile::tempdir().unwrap().path(), arguments)
}

/// A run folder that `galen-genomics demo --quick` filled, once for all tests of this binary.
pub(crate) fn demo_run() -> &'static Path {
    static RUN: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("galen-genomics-demo");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let run = folder.to_string_lossy().into_owned();
        galen_genomics(&["demo", "--quick", "--run-dir", &run]).ends_with(0);
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
