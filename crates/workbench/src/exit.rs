//! How a binary ends: exit status, the one place where an error is printed, and Ctrl-C.
//!
//! Status 0: done. 1: the data or the run failed. 2: usage or configuration. 130: interrupted by Ctrl-C (128 + SIGINT,
//! as shells count). A reader that closes the pipe early, such as `head`, is no failure.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::ResolveError;

/// Everything that was asked for is done.
pub const DONE: u8 = 0;
/// The data or the run failed.
pub const FAILED: u8 = 1;
/// The command line or the configuration cannot be used.
pub const USAGE: u8 = 2;
/// Stopped by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A command line that parses but cannot be used, such as two options that exclude each other. Ends with status 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(
    /// What is wrong and what to type instead.
    pub String,
);

/// A run that Ctrl-C stopped after its checkpoint was written. Ends with status 130.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stopped by Ctrl-C after a checkpoint was written; resume with: {resume}")]
pub struct Interrupted {
    /// The command that continues the run.
    pub resume: String,
}

/// A command that Ctrl-C stopped and that has nothing to continue from. Ends with status 130.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stopped by Ctrl-C; {0}")]
pub struct Stopped(
    /// What became of the work that was done.
    pub String,
);

/// Ctrl-C could not be caught.
#[derive(Debug, thiserror::Error)]
#[error("cannot catch Ctrl-C: {0}")]
pub struct SignalError(#[from] ctrlc::Error);

/// The exit status that belongs to `error`: the first cause in its chain that has one of its own decides, and
/// [`FAILED`] is the rest.
pub fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Usage>()
            || cause.downcast_ref::<ResolveError>().is_some_and(|error| !matches!(error, ResolveError::Print { .. }))
            || cause.is::<nn_core::config::ConfigError>()
            || cause.is::<clap::Error>()
        {
            return USAGE;
        }
        if cause.is::<Interrupted>() || cause.is::<Stopped>() {
            return INTERRUPTED;
        }
        if cause.downcast_ref::<io::Error>().is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe) {
            return DONE;
        }
    }
    FAILED
}

/// The error and its causes, one a line, each once: many messages already end with their cause.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    let mut said = text.clone();
    for cause in error.chain().skip(1) {
        let message = cause.to_string();
        if !said.contains(&message) {
            text.push_str("\n  because: ");
            text.push_str(&message.replace('\n', "\n           "));
        }
        said.push_str(&message);
    }
    text
}

/// Prints the error, if there is one, to stderr and returns the status for `main`.
pub fn finish(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::from(DONE);
    };
    let code = code(&error);
    if code != DONE {
        let (on, off) = if coloured() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
        let word = if code == INTERRUPTED { "interrupted" } else { "error" };
        // With stderr closed there is nobody left to tell; the status still does.
        let _ = writeln!(io::stderr().lock(), "{on}{word}:{off} {}", describe(&error));
    }
    ExitCode::from(code)
}

/// Runs the body of a binary: Ctrl-C sets the flag that `body` gets, a second Ctrl-C ends the process.
pub fn run(body: impl FnOnce(Arc<AtomicBool>) -> anyhow::Result<()>) -> ExitCode {
    finish(stop_on_interrupt().map_err(anyhow::Error::from).and_then(body))
}

/// Catches Ctrl-C (and SIGTERM) for the rest of the process: the first sets the flag returned here, which training
/// looks at after each step; the second ends the process with status 130 at once.
///
/// # Errors
/// [`SignalError`] if a handler is already installed or the system refuses one.
pub fn stop_on_interrupt() -> Result<Arc<AtomicBool>, SignalError> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        let _ = writeln!(io::stderr().lock(), "\nstopping after this step; press Ctrl-C again to quit at once");
    })?;
    Ok(stop)
}

/// Colour only for a person: a terminal, and `NO_COLOR` not set (no-color.org).
fn coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    fn broken_pipe() -> io::Error {
        io::Error::from(io::ErrorKind::BrokenPipe)
    }

    #[test]
    fn each_kind_of_error_has_its_status() {
        assert_eq!(code(&anyhow!("the file is empty")), FAILED);
        assert_eq!(code(&anyhow::Error::from(Usage("--rows needs a number".into()))), USAGE);
        let config = nn_core::config::in_range("dropout", 1.5, 0.0..=0.9).unwrap_err();
        assert_eq!(code(&anyhow::Error::from(config).context("cannot train")), USAGE);
        let interrupted = Interrupted { resume: "galen-drug train --resume".into() };
        assert_eq!(code(&anyhow::Error::from(interrupted)), INTERRUPTED);
        assert_eq!(code(&anyhow::Error::from(Stopped("nothing was written".into()))), INTERRUPTED);
    }

    #[test]
    fn a_closed_pipe_is_success_however_deep() {
        let table = crate::table::TableError::Write { caption: "t".into(), source: broken_pipe() };
        assert_eq!(code(&anyhow::Error::from(table).context("cannot print the results")), DONE);
        assert_eq!(code(&anyhow::Error::from(ResolveError::Print { source: broken_pipe() })), DONE);
        assert_eq!(code(&anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound))), FAILED);
        let full = ResolveError::Print { source: io::Error::from(io::ErrorKind::StorageFull) };
        assert_eq!(code(&anyhow::Error::from(full)), FAILED);
    }

    #[test]
    fn causes_are_listed_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read pairs.csv: {source}")]
        struct Read {
            source: io::Error,
        }
        let inner = Read { source: io::Error::other("row 7 has 2 fields, not 3") };
        let error = Err::<(), _>(inner).context("cannot prepare the data set").unwrap_err();
        assert_eq!(
            describe(&error),
            "cannot prepare the data set\n  because: cannot read pairs.csv: row 7 has 2 fields, not 3"
        );
    }
}
