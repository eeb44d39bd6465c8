//! A pipeline's binary, run to its end or beside the test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest time that a test waits for something to happen.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it sleeps before it looks again.
const PAUSE: Duration = Duration::from_millis(2);

/// A finished run of a binary.
#[derive(Debug)]
pub struct Finished {
    /// Exit status; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Fails unless the status is `code`, with everything the program said.
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr has `text`.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is missing in:\n{}", self.stderr);
        self
    }

    /// Fails unless all that was written is an error.
    pub fn says_no_more(self) -> Self {
        assert!(self.stdout.is_empty(), "results only on stdout: {}", self.stdout);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        self
    }
}

impl From<Output> for Finished {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// A binary that cargo built for the tests of its package; [`program!`](crate::program!) makes it.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    name: &'static str,
    path: &'static str,
    scratch: &'static str,
}

impl Program {
    /// The binary called `name` at `path`, whose tests may write to the folder `scratch`.
    pub const fn new(name: &'static str, path: &'static str, scratch: &'static str) -> Self {
        Self { name, path, scratch }
    }

    /// Its name, as users type it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The binary in `folder`, without the variables that would change its configuration.
    fn command(&self, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(self.path);
        command.current_dir(folder).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GALEN_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs it in `folder`.
    pub fn run_in(&self, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Finished {
        self.command(folder, arguments).output().unwrap().into()
    }

    /// Runs it in `folder` with variables of the environment.
    pub fn run_with(&self, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
        self.command(folder, arguments).envs(variables.iter().copied()).output().unwrap().into()
    }

    /// Runs it in an empty folder that is gone afterwards.
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Finished {
        self.run_in(tempfile::tempdir().unwrap().path(), arguments)
    }

    /// Starts it in `folder`. What it says has to fit into a pipe's buffer.
    pub fn start(&self, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Started {
        let mut command = self.command(folder, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started(Some(command.spawn().unwrap()))
    }

    /// A run folder that `demo --quick` filled anew.
    pub fn demo(&self) -> PathBuf {
        let folder = Path::new(self.scratch).join(format!("{}-demo", self.name));
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let run = folder.to_string_lossy().into_owned();
        self.run(&["demo", "--quick", "--run-dir", &run]).ends_with(0);
        folder
    }

    /// Fails unless the command `verb` with the arguments `more` shows each of `lines` as its settings, where the
    /// environment has a seed of 5 and the device `ndarray`.
    pub fn shows_settings(&self, verb: &str, more: &[&str], lines: &[&str]) {
        let arguments = [&[verb, "--print-config"][..], more].concat();
        let shown = self.run_with(Path::new("."), &arguments, &[("GALEN_SEED", "5"), ("GALEN_DEVICE", "ndarray")]);
        let shown = shown.ends_with(0).stdout;
        for line in lines {
            assert!(shown.contains(line), "{verb}: {line} is missing in:\n{shown}");
        }
    }
}

/// Fails unless a device that nobody knows is answered with those that there are, and one that was not compiled in with
/// its feature. `run` computes on the device that it is told; `cuda` says whether that feature was compiled in.
pub fn devices_are_named(cuda: bool, run: impl Fn(&str) -> Finished) {
    let refused = |device: &str| {
        let finished = run(device);
        assert_ne!(finished.code, Some(0), "{device}: {}", finished.stdout);
        finished
    };
    refused("tpu").says("use cpu, ndarray, cuda:N or gpu:N");
    if !cuda {
        refused("cuda:0").says("--features cuda");
    }
}

/// A process that runs beside the test; it ends with the test at the latest.
pub struct Started(Option<Child>);

impl Started {
    fn child(&self) -> &Child {
        self.0.as_ref().expect("the process was not waited for yet")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Waits until something is so; fails if the process ends before, or nothing happens.
    pub fn wait_for(&mut self, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let child = self.0.as_mut().expect("the process was not waited for yet");
            let ended = child.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let _ = child.kill();
                let output = self.0.take().expect("it was there").wait_with_output().unwrap();
                panic!("the process did not come so far: {:?}", Finished::from(output));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Sends what Ctrl-C sends.
    pub fn interrupt(&self) {
        let status = Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.id())).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Finished {
        self.0.take().expect("the process was not waited for yet").wait_with_output().unwrap().into()
    }

    /// Waits for the end; with the largest resident memory that was seen until then, in bytes.
    #[cfg(target_os = "linux")]
    pub fn finish_with_peak(mut self) -> (Finished, u64) {
        let status = format!("/proc/{}/status", self.id());
        let mut peak = 0;
        while self.0.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none()) {
            // The kernel's high-water mark; its kB are 1024 bytes.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
            let kibibytes = mark.and_then(|mark| mark.trim().parse::<u64>().ok());
            peak = peak.max(kibibytes.unwrap_or(0) * 1024);
            std::thread::sleep(PAUSE);
        }
        (self.finish(), peak)
    }

    /// Ends the process at once.
    pub fn kill(mut self) {
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

/// Writes `files`, each a name and its content, into a new folder.
pub fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Names the binary of the package whose tests it stands in, which alone are told by cargo where the binary is.
///
/// `tests::program!("galen-x", galen_x, galen_x_in, galen_x_with);` makes the functions of these names, which run the
/// binary as [`Program::run`](crate::command::Program::run), [`run_in`](crate::command::Program::run_in) and
/// [`run_with`](crate::command::Program::run_with) do, and beside them `PROGRAM`, `start`, and `demo_run`, the folder
/// of one quick demo for all tests.
#[macro_export]
macro_rules! program {
    ($name:literal, $run:ident, $run_in:ident, $run_with:ident) => {
        #[allow(unused_imports, reason = "not every binary's tests need all of them")]
        pub(crate) use $crate::command::{Finished, Started, folder_with};

        /// The binary.
        pub(crate) const PROGRAM: $crate::command::Program =
            $crate::command::Program::new($name, env!(concat!("CARGO_BIN_EXE_", $name)), env!("CARGO_TARGET_TMPDIR"));

        /// Runs the binary in an empty folder that is gone afterwards.
        pub(crate) fn $run(arguments: &[impl AsRef<std::ffi::OsStr>]) -> Finished {
            PROGRAM.run(arguments)
        }

        /// Runs the binary in `folder`.
        pub(crate) fn $run_in(folder: &std::path::Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Finished {
            PROGRAM.run_in(folder, arguments)
        }

        /// Runs the binary in `folder` with variables of the environment.
        #[allow(dead_code, reason = "not every binary's tests need all of them")]
        pub(crate) fn $run_with(folder: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
            PROGRAM.run_with(folder, arguments, variables)
        }

        /// Starts the binary in `folder`. What it says has to fit into a pipe's buffer.
        #[allow(dead_code, reason = "not every binary's tests need all of them")]
        pub(crate) fn start(folder: &std::path::Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Started {
            PROGRAM.start(folder, arguments)
        }

        /// A run folder that `demo --quick` filled, once for all tests.
        pub(crate) fn demo_run() -> &'static std::path::Path {
            static RUN: std::sync::LazyLock<std::path::PathBuf> = std::sync::LazyLock::new(|| PROGRAM.demo());
            &RUN
        }
    };
}
