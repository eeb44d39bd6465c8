//! Files that appear whole or not at all.
//!
//! The bytes go to a temporary file in the same folder, are synced to the disk, and only then get their final name; the
//! folder is synced last. After a crash, a `kill -9` or a full disk the final name holds what it held before, or the
//! whole new content, never a part of it. A temporary file that a killed process left behind starts with a dot and
//! ends in `.tmp`; [`sweep`] removes those.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Ending of the temporary files.
const TEMPORARY: &str = ".tmp";

/// Distinguishes the temporary files of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file that could not be written. The file of that name, if there was one, is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AtomicError {
    /// The disk, or the user's quota, is full.
    #[error(
        "no space left to write {path}: it needs at least {needed} bytes; free that much there or choose another folder"
    )]
    Full {
        /// The file that was to be written.
        path: PathBuf,
        /// Bytes that the file needs; where the length is not known beforehand, those written until the disk was full.
        needed: u64,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The path has no file name, as `/` or `..`.
    #[error("{path} does not name a file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Anything else that the operating system refused.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file that was to be written.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// Writes `bytes` to `path`, which holds either its old content or all of `bytes` whatever happens.
///
/// # Errors
/// [`AtomicError`] with the path; a full disk is told apart and says how many bytes are needed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    write_sized(path, bytes.len() as u64, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is produced piece by piece: `fill` writes it to the buffered file it is given.
///
/// # Errors
/// [`AtomicError`] with the path; an error that `fill` returns comes back as [`AtomicError::Io`] or
/// [`AtomicError::Full`].
pub fn write_with(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), AtomicError> {
    write_sized(path, 0, fill)
}

/// Removes the temporary files that a killed process left in `folder`, and returns how many there were. Call it only
/// while no other process writes there.
///
/// # Errors
/// [`AtomicError::Io`] if the folder cannot be listed or a file not removed.
pub fn sweep(folder: &Path) -> Result<usize, AtomicError> {
    let failed = |action| move |cause| AtomicError::Io { action, path: folder.to_path_buf(), cause };
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(failed("list"))? {
        let entry = entry.map_err(failed("list"))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(TEMPORARY) {
            fs::remove_file(entry.path()).map_err(failed("remove a temporary file in"))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// A file that is written under a name of its own, beside the final one, for as long as it takes. Dropping it removes it
/// unless it has got its final name.
#[derive(Debug)]
pub struct Temporary {
    /// The final name.
    path: PathBuf,
    /// The name until then.
    hidden: PathBuf,
    named: bool,
}

impl Temporary {
    /// Creates the file that is to be called `path`, and gives it to be written to.
    ///
    /// # Errors
    /// What the operating system says; `InvalidInput` for a path without a file name.
    pub fn beside(path: &Path) -> io::Result<(Self, File)> {
        let Some(name) = path.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file"));
        };
        loop {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{}{TEMPORARY}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            let hidden = path.with_file_name(hidden);
            match OpenOptions::new().write(true).create_new(true).open(&hidden) {
                // A killed process of the same number left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return Ok((Self { path: path.to_path_buf(), hidden, named: false }, opened?)),
            }
        }
    }

    /// Syncs the file, which must have been flushed, gives it its final name, and syncs the folder.
    ///
    /// # Errors
    /// What the operating system says; [`Temporary::failure`] puts it into words.
    pub fn name(&mut self) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.hidden)?.sync_all()?;
        self.rename()?;
        sync_folder(self.folder())
    }

    /// Why the file could not be written. Where a full disk is the reason, it says how many bytes the file had come to.
    pub fn failure(&self, cause: io::Error) -> AtomicError {
        failure("write", &self.path, fs::metadata(&self.hidden).map_or(0, |file| file.len()), cause)
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(&self.hidden, &self.path)?;
        self.named = true;
        Ok(())
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named {
            // Nothing can be done about a failure here, and the error that led here matters more.
            let _ = fs::remove_file(&self.hidden);
        }
    }
}

fn write_sized(
    path: &Path,
    length: u64,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), AtomicError> {
    if path.file_name().is_none() {
        return Err(AtomicError::NotAFile { path: path.to_path_buf() });
    }
    let failed = |action, length| move |cause| failure(action, path, length, cause);
    let (mut temporary, file) = Temporary::beside(path).map_err(failed("create", length))?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let filled = fill(&mut writer).and_then(|()| writer.flush());
    // The handle comes back without its buffer: a buffer that failed to flush would be written again on drop.
    let (file, _) = writer.into_parts();
    let synced = filled.and_then(|()| file.sync_all());
    if let Err(cause) = synced {
        let reached = file.metadata().map_or(0, |data| data.len());
        return Err(failure("write", path, length.max(reached), cause));
    }
    drop(file);
    temporary.rename().map_err(failed("give its name to", length))?;
    sync_folder(temporary.folder()).map_err(failed("sync the folder of", length))
}

fn failure(action: &'static str, path: &Path, needed: u64, cause: io::Error) -> AtomicError {
    let path = path.to_path_buf();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AtomicError::Full { path, needed, cause },
        _ => AtomicError::Io { action, path, cause },
    }
}

/// Makes the rename itself durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders cannot be opened for syncing here; the rename is atomic all the same.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_whole_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"a longer first version").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_failing_producer_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |file| {
            file.write_all(&vec![7; 3 << 20])?;
            Err(io::Error::other("producer gave up"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.bin"), "{error}");
        assert!(error.to_string().contains("producer gave up"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_full_disk_is_told_apart_and_says_how_much() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let error = write_with(&path, |file| {
            file.write_all(&[1; 5000])?;
            file.flush()?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(matches!(error, AtomicError::Full { needed: 5000, .. }), "{error:?}");
        assert!(error.to_string().contains("5000 bytes"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("a.bin");
        let error = write(&path, b"x").unwrap_err();
        assert!(error.to_string().starts_with("cannot create "), "{error}");
        assert!(error.to_string().contains("absent"), "{error}");
        assert!(matches!(write(Path::new("/"), b"x"), Err(AtomicError::NotAFile { .. })));
    }

    #[test]
    fn sweep_removes_only_temporary_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".weights.1-0.tmp", "weights", ".hidden", "b.tmp"] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        assert_eq!(sweep(folder.path()).unwrap(), 1);
        assert_eq!(names(folder.path()), [".hidden", "b.tmp", "weights"]);
    }
}
