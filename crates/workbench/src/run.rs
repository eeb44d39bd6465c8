//! The run folder: one run, one folder, one process; every file in it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use nn_core::atomic::{self, AtomicError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file that a running process holds locked; it contains its process id.
const LOCK: &str = ".lock";

/// The resolved configuration.
pub const CONFIG: &str = "config.toml";
/// What the run ran on: see [`crate::record::Environment`].
pub const ENVIRONMENT: &str = "environment.json";
/// What went in: see [`crate::record::DataRecord`].
pub const DATA: &str = "data.json";
/// What came out: see [`crate::record::RunMetrics`]. Written last, so that a folder that has it is finished.
pub const METRICS: &str = "metrics.json";
/// The page for people.
pub const REPORT: &str = "report.html";

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another process works in the folder.
    #[error("run folder {path} is in use by {holder}; wait until it ends, or choose another folder with --run-dir")]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, by its id where that is known.
        holder: String,
    },
    /// The folder has content and the run is not a continuation.
    #[error(
        "run folder {path} already holds {what}; {}choose another folder with --run-dir (nothing was changed)",
        continuing(.what)
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// What is there: a finished run, an unfinished one, other files.
        what: &'static str,
    },
    /// `--resume` on a folder that no run wrote.
    #[error(
        "folder {path} has files in it but no config.toml, so there is no run to resume; choose another with --run-dir"
    )]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A file name that leads out of the folder.
    #[error("{name:?} does not name a file in the run folder")]
    Name {
        /// The name.
        name: String,
    },
    /// The operating system refused something.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written whole; what was there before is still there.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// A file does not hold what it should.
    #[error("{path} cannot be {action}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// What the parser or serialiser said.
        reason: String,
    },
    /// A run that would be continued as another one.
    #[error("the run in {path} was started {how} ({changes}); {remedy}, or give another --run-dir")]
    Other {
        /// The folder.
        path: PathBuf,
        /// What is different.
        how: &'static str,
        /// Each change: what it was and what it is.
        changes: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// What a folder holds that is no run.
const FILES: &str = "files";

/// The advice that only a run can be given.
fn continuing(what: &str) -> &'static str {
    if what == FILES { "" } else { "continue it with --resume, or " }
}

/// A setting that differs between the run that is continued and the command that continues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key, dotted.
    pub key: String,
    /// Its value in the folder's `config.toml`, as TOML; empty if it is not there.
    pub before: String,
    /// Its value now; empty if it is gone.
    pub after: String,
}

/// A run folder that this process alone may write to, as long as the value lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: File,
    resumed: bool,
}

impl RunFolder {
    /// Creates the folder, or opens it again to continue the run in it.
    ///
    /// # Errors
    /// [`RunError::Locked`] while another process is in it; [`RunError::NotEmpty`] if it has content and `resume` is
    /// not asked for; [`RunError::NotARun`] if `resume` is asked for on a folder that no run wrote.
    pub fn open(path: &Path, resume: bool) -> Result<Self, RunError> {
        fs::create_dir_all(path).map_err(io_error("create folder", path))?;
        // A folder that never was a run must not get a lock file from a mistyped --run-dir.
        if !path.join(LOCK).exists() {
            check_content(path, resume)?;
        }
        let lock = acquire(path)?;
        let resumed = check_content(path, resume)?;
        atomic::sweep(path)?;
        Ok(Self { path: path.to_path_buf(), lock, resumed })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there was a run in it when it was opened.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether the run in it has come to its end.
    pub fn finished(&self) -> bool {
        self.path.join(METRICS).is_file()
    }

    /// The folder of the checkpoints, `checkpoint`; the training engine creates what it needs below.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// The folder of the divisions, `splits`, with a file for each model; it is made where it is missing.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn splits(&self) -> Result<PathBuf, RunError> {
        let path = self.path.join("splits");
        fs::create_dir_all(&path).map_err(io_error("create folder", &path))?;
        Ok(path)
    }

    /// The path of the file `name`, such as `figures/scatter.svg`.
    ///
    /// # Errors
    /// [`RunError::Name`] if that would lead out of the folder.
    pub fn file(&self, name: &str) -> Result<PathBuf, RunError> {
        let relative = Path::new(name);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !plain {
            return Err(RunError::Name { name: name.to_owned() });
        }
        Ok(self.path.join(relative))
    }

    /// Writes `bytes` to the file `name`: whole or not at all. Folders in the name are created.
    ///
    /// # Errors
    /// [`RunError::Name`], [`RunError::Io`], [`RunError::Write`].
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf, RunError> {
        let path = self.file(name)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error("create folder", parent))?;
        }
        atomic::write(&path, bytes.as_ref())?;
        Ok(path)
    }

    /// Writes `value` as indented JSON.
    ///
    /// # Errors
    /// As [`RunFolder::write`], and [`RunError::Format`].
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<PathBuf, RunError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| self.format_error(name, "written", &error.to_string()))?;
        text.push('\n');
        self.write(name, text)
    }

    /// Reads a JSON file of the folder.
    ///
    /// # Errors
    /// [`RunError::Name`], [`RunError::Io`], [`RunError::Format`].
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, RunError> {
        let path = self.file(name)?;
        let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        serde_json::from_str(&text).map_err(|error| self.format_error(name, "read", &error.to_string()))
    }

    /// Writes the resolved configuration.
    ///
    /// # Errors
    /// As [`RunFolder::write`], and [`RunError::Format`] for a configuration that TOML has no form for.
    pub fn write_config<T: Serialize>(&self, config: &T) -> Result<PathBuf, RunError> {
        let text =
            crate::config::to_toml(config).map_err(|error| self.format_error(CONFIG, "written", &error.to_string()))?;
        self.write(CONFIG, text)
    }

    /// The configuration of the run in the folder at `path`, for a command that continues it; `None` where there is none.
    ///
    /// # Errors
    /// [`RunError::Io`], [`RunError::Format`].
    pub fn earlier_config<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RunError> {
        let file = path.join(CONFIG);
        match fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text).map(Some).map_err(|error| RunError::Format {
                path: file,
                action: "read",
                reason: error.to_string().trim_end().to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &file)(error)),
        }
    }

    /// The settings in which `config` differs from the `config.toml` of the run that is continued; empty for a new run.
    /// The caller decides which of them a continued run may have: more epochs yes, another model no.
    ///
    /// # Errors
    /// [`RunError::Io`], [`RunError::Format`].
    pub fn changes<T: Serialize>(&self, config: &T) -> Result<Vec<Change>, RunError> {
        let path = self.path.join(CONFIG);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let before: toml::Table =
            text.parse().map_err(|error: toml::de::Error| self.format_error(CONFIG, "read", &error.to_string()))?;
        let after =
            toml::Table::try_from(config).map_err(|error| self.format_error(CONFIG, "written", &error.to_string()))?;
        let mut changes = Vec::new();
        compare("", &before, &after, &mut changes);
        Ok(changes)
    }

    fn format_error(&self, name: &str, action: &'static str, reason: &str) -> RunError {
        RunError::Format { path: self.path.join(name), action, reason: reason.trim_end().to_owned() }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Without the id a later reader is not misled. Closing the file would not do: a child that is being started at
        // this moment still holds a copy of the handle, and with it the lock.
        let _ = self.lock.set_len(0);
        let _ = self.lock.unlock();
    }
}

/// Whether the folder holds a run, if it may be used.
fn check_content(path: &Path, resume: bool) -> Result<bool, RunError> {
    let mut has_content = false;
    for entry in fs::read_dir(path).map_err(io_error("list folder", path))? {
        let entry = entry.map_err(io_error("list folder", path))?;
        has_content |= entry.file_name() != LOCK;
    }
    let is_run = path.join(CONFIG).is_file();
    let what = match (is_run, path.join(METRICS).is_file()) {
        (true, true) => "a finished run",
        (true, false) => "an unfinished run",
        (false, _) => FILES,
    };
    match (has_content, resume) {
        (true, false) => Err(RunError::NotEmpty { path: path.to_path_buf(), what }),
        (true, true) if !is_run => Err(RunError::NotARun { path: path.to_path_buf() }),
        (has_content, _) => Ok(has_content),
    }
}

/// Takes the lock of the folder and writes this process's id into it.
fn acquire(folder: &Path) -> Result<File, RunError> {
    let path = folder.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Some systems refuse to read a locked file; the refusal to start does not depend on the name.
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                id => format!("process {id}"),
            };
            return Err(RunError::Locked { path: folder.to_path_buf(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
    }
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()))
        .and_then(|()| file.flush())
        .map_err(io_error("write", &path))?;
    Ok(file)
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Io { action, path, source }
}

fn compare(prefix: &str, before: &toml::Table, after: &toml::Table, changes: &mut Vec<Change>) {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for name in keys {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (before.get(name), after.get(name)) {
            (Some(toml::Value::Table(before)), Some(toml::Value::Table(after))) => {
                compare(&key, before, after, changes);
            }
            (Some(toml::Value::Float(before)), Some(toml::Value::Float(after))) if same_single(*before, *after) => {}
            (before, after) if before != after => {
                let text = |value: Option<&toml::Value>| value.map(ToString::to_string).unwrap_or_default();
                changes.push(Change { key, before: text(before), after: text(after) });
            }
            _ => {}
        }
    }
}

/// Whether one number is the other in single precision: such a setting is written by its shortest decimal, which is
/// another number in double precision.
fn same_single(a: f64, b: f64) -> bool {
    f64::from(a as f32) == b || f64::from(b as f32) == a
}

#[cfg(test)]
mod tests;
