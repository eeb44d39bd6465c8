//! Starting pipelines and peers as processes.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

/// Runs `program` with this terminal's output streams and returns how long it took.
///
/// # Errors
/// It cannot be started, or ends with a status other than 0.
pub(crate) fn run(program: &Path, args: &[String], folder: &Path) -> Result<Duration> {
    let began = Instant::now();
    let status = Command::new(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(program, args));
    }
    Ok(began.elapsed())
}

/// Runs `program` and reads the last line that it prints as JSON; its errors and progress go to this terminal.
///
/// # Errors
/// As [`run`], or the last line is not the JSON expected.
pub(crate) fn json<T: DeserializeOwned>(
    program: &Path,
    args: &[String],
    folder: &Path,
    environment: &[(&str, String)],
) -> Result<T> {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .envs(environment.iter().map(|(key, value)| (*key, value.as_str())))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", line(program, args), output.status);
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().rev().find(|text| !text.trim().is_empty()).unwrap_or("");
    serde_json::from_str(last).with_context(|| {
        format!("`{}` ended with the line {last:?}, which is not the JSON expected", line(program, args))
    })
}

/// The command as a user would type it.
pub(crate) fn line(program: &Path, args: &[String]) -> String {
    let name =
        program.file_name().map_or_else(|| program.display().to_string(), |name| name.to_string_lossy().into_owned());
    let quoted =
        args.iter().map(|arg| if arg.is_empty() || arg.contains(' ') { format!("'{arg}'") } else { arg.clone() });
    std::iter::once(name).chain(quoted).collect::<Vec<_>>().join(" ")
}
