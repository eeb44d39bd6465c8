//! Checkpoints on disk.
//!
//! ```text
//! <dir>/last/  weights-0007.safetensors  optimizer-0007.bin  state-0007.json  manifest-0007.json  (and generation 6)
//! <dir>/best/  weights-0004.safetensors  metrics-0004.json   manifest-0004.json      (4: the epoch, from 0)
//! ```
//!
//! Each file is written whole or not at all, the manifest last. It holds the length and the SHA-256 of the others and
//! of itself, so that a truncated or altered file is found out, and the generation before is used instead.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::State;
use super::state::VERSION;
use crate::atomic::{self, AtomicError};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.bin";
const STATE: &str = "state.json";
const METRICS: &str = "metrics.json";
const MANIFEST: &str = "manifest.json";

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be written; the checkpoint before is untouched.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// A folder or file cannot be used.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// There are checkpoints, but none of them is whole.
    #[error("no checkpoint in {folder} is whole ({}); start again in another folder", .reasons.join("; "))]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with each, newest first.
        reasons: Vec<String>,
    },
    /// The state cannot be put into text.
    #[error("cannot write the state of the run: {0}")]
    State(String),
}

/// The folder that a run's checkpoints are in. Only one process may write there at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    dir: PathBuf,
}

/// A checkpoint as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The manifest that the rest was checked against.
    pub path: PathBuf,
    /// Bytes of the learner's weights.
    pub weights: Vec<u8>,
    /// Bytes of what the learner needs besides.
    pub optimizer: Vec<u8>,
    /// State of the run.
    pub state: State,
    /// What is wrong with newer checkpoints, which were passed over.
    pub skipped: Vec<String>,
    pub(super) generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    generation: u64,
    files: Vec<Entry>,
    /// SHA-256 of the manifest with this field empty.
    seal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Checkpoints {
    /// Checkpoints under `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether there is a checkpoint to resume from, whole or not.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] if the folder cannot be listed.
    pub fn exist(&self) -> Result<bool, CheckpointError> {
        Ok(!generations(&self.last())?.is_empty())
    }

    /// The newest checkpoint that is whole, or none if none was ever written.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] if there are checkpoints and none is whole.
    pub fn latest(&self) -> Result<Option<Snapshot>, CheckpointError> {
        let found = newest(&self.last(), |generation, mut files| {
            let state = files.remove(STATE).unwrap_or_default();
            let state: State = serde_json::from_slice(&state).map_err(|error| format!("its state: {error}"))?;
            if state.version != VERSION {
                return Err(format!("its state is of version {}, this program reads {VERSION}", state.version));
            }
            let mut take = |name: &str| files.remove(name).ok_or_else(|| format!("it has no {name}"));
            Ok((generation, take(WEIGHTS)?, take(OPTIMIZER)?, state))
        })?;
        Ok(found.map(|((generation, weights, optimizer, state), skipped)| Snapshot {
            path: self.last().join(file_name(MANIFEST, generation)),
            weights,
            optimizer,
            state,
            skipped,
            generation,
        }))
    }

    /// The weights of the best epoch that is on disk whole, with their file; none if there is none.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] if there are some and none is whole.
    pub fn best_weights(&self) -> Result<Option<(PathBuf, Vec<u8>)>, CheckpointError> {
        let found = newest(&self.best(), |generation, mut files| {
            let weights = files.remove(WEIGHTS).ok_or_else(|| format!("it has no {WEIGHTS}"))?;
            Ok((self.best().join(file_name(WEIGHTS, generation)), weights))
        })?;
        Ok(found.map(|(found, _)| found))
    }

    /// The weights after `epoch`, which was the best one once.
    pub(super) fn best_weights_of(&self, epoch: usize) -> Result<Vec<u8>, CheckpointError> {
        let folder = self.best();
        match verified(&folder, epoch as u64) {
            Ok(mut files) => Ok(files.remove(WEIGHTS).unwrap_or_default()),
            Err(reason) => Err(CheckpointError::Damaged { folder, reasons: vec![reason] }),
        }
    }

    /// Writes the next checkpoint and removes all others but the one of generation `keep`, the last that is known to be
    /// whole. Returns the generation and the manifest's path.
    pub(super) fn save_last(
        &self,
        weights: &[u8],
        optimizer: &[u8],
        state: &State,
        keep: Option<u64>,
    ) -> Result<(u64, PathBuf), CheckpointError> {
        let text = serde_json::to_vec_pretty(state).map_err(|error| CheckpointError::State(error.to_string()))?;
        let folder = self.last();
        make(&folder)?;
        let generation = generations(&folder)?.last().map_or(1, |newest| newest + 1);
        let path = write(&folder, generation, &[(WEIGHTS, weights), (OPTIMIZER, optimizer), (STATE, &text)])?;
        prune(&folder, |other| other == generation || Some(other) == keep)?;
        // What was best before the best of this state is not needed any more.
        if let Some(best) = &state.best
            && self.best().is_dir()
        {
            prune(&self.best(), |other| other == best.epoch as u64)?;
        }
        Ok((generation, path))
    }

    /// Writes the weights of an epoch that is the best so far. The one before stays until [`Checkpoints::save_last`],
    /// so that a run killed in between finds what its last checkpoint names.
    pub(super) fn save_best(
        &self,
        epoch: usize,
        weights: &[u8],
        metrics: &[(String, f64)],
    ) -> Result<PathBuf, CheckpointError> {
        let text = serde_json::to_vec_pretty(metrics).map_err(|error| CheckpointError::State(error.to_string()))?;
        let folder = self.best();
        make(&folder)?;
        write(&folder, epoch as u64, &[(WEIGHTS, weights), (METRICS, &text)])
    }

    fn last(&self) -> PathBuf {
        self.dir.join("last")
    }

    fn best(&self) -> PathBuf {
        self.dir.join("best")
    }
}

/// `weights.safetensors` of generation 7 is `weights-0007.safetensors`.
fn file_name(name: &str, generation: u64) -> String {
    match name.split_once('.') {
        Some((stem, extension)) => format!("{stem}-{generation:04}.{extension}"),
        None => format!("{name}-{generation:04}"),
    }
}

/// The generation in a name made by [`file_name`] from one of ours; other files are none of our business.
fn generation_of(file: &str) -> Option<u64> {
    let (stem, rest) = file.split_once('-')?;
    let (digits, extension) = rest.split_once('.')?;
    let ours = [WEIGHTS, OPTIMIZER, STATE, METRICS, MANIFEST];
    if ours.iter().any(|name| name.split_once('.') == Some((stem, extension))) { digits.parse().ok() } else { None }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn make(folder: &Path) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|cause| CheckpointError::Io {
        action: "make",
        path: folder.to_path_buf(),
        cause,
    })
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let failed = |cause| CheckpointError::Io { action: "list", path: folder.to_path_buf(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Generations that have a manifest, oldest first.
fn generations(folder: &Path) -> Result<Vec<u64>, CheckpointError> {
    let names = names(folder)?;
    let manifests = names.iter().filter(|name| name.starts_with("manifest-") && name.ends_with(".json"));
    let mut generations: Vec<u64> = manifests.filter_map(|name| generation_of(name)).collect();
    generations.sort_unstable();
    Ok(generations)
}

fn write(folder: &Path, generation: u64, files: &[(&str, &[u8])]) -> Result<PathBuf, CheckpointError> {
    let mut manifest = Manifest { version: VERSION, generation, files: Vec::new(), seal: String::new() };
    for (name, bytes) in files {
        let name = file_name(name, generation);
        atomic::write(&folder.join(&name), bytes)?;
        manifest.files.push(Entry { name, bytes: bytes.len() as u64, sha256: sha256(bytes) });
    }
    manifest.seal = sha256(&text_of(&manifest).map_err(CheckpointError::State)?);
    let text = text_of(&manifest).map_err(CheckpointError::State)?;
    let path = folder.join(file_name(MANIFEST, generation));
    atomic::write(&path, &text)?;
    Ok(path)
}

fn text_of(manifest: &Manifest) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(manifest).map_err(|error| error.to_string())
}

/// The files of one generation by their names without the number, each checked against the manifest; or what is wrong.
fn verified(folder: &Path, generation: u64) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let name = file_name(MANIFEST, generation);
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let text = read(&name)?;
    let mut manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("{name}: {error}"))?;
    // The text must be the one that this program would write, so that no other text can pass for it.
    if text_of(&manifest)? != text {
        return Err(format!("{name} was altered"));
    }
    let seal = std::mem::take(&mut manifest.seal);
    if sha256(&text_of(&manifest)?) != seal {
        return Err(format!("{name} was altered"));
    }
    if manifest.version != VERSION || manifest.generation != generation {
        return Err(format!(
            "{name} is of version {} and generation {}, not {VERSION} and {generation}",
            manifest.version, manifest.generation
        ));
    }
    let mut files = BTreeMap::new();
    for entry in manifest.files {
        let bytes = read(&entry.name)?;
        if bytes.len() as u64 != entry.bytes {
            return Err(format!("{} has {} bytes, {} were written", entry.name, bytes.len(), entry.bytes));
        }
        if sha256(&bytes) != entry.sha256 {
            return Err(format!("{} was altered", entry.name));
        }
        files.insert(entry.name.replacen(&format!("-{generation:04}"), "", 1), bytes);
    }
    Ok(files)
}

/// What `accept` makes of the newest generation that is whole, and what is wrong with those newer than it.
fn newest<T>(
    folder: &Path,
    accept: impl Fn(u64, BTreeMap<String, Vec<u8>>) -> Result<T, String>,
) -> Result<Option<(T, Vec<String>)>, CheckpointError> {
    let mut reasons = Vec::new();
    for generation in generations(folder)?.into_iter().rev() {
        match verified(folder, generation).and_then(|files| accept(generation, files)) {
            Ok(found) => return Ok(Some((found, reasons))),
            Err(reason) => reasons.push(reason),
        }
    }
    if reasons.is_empty() { Ok(None) } else { Err(CheckpointError::Damaged { folder: folder.to_path_buf(), reasons }) }
}

/// Removes the generations that `keep` does not want, their manifests first, and what killed processes left.
fn prune(folder: &Path, keep: impl Fn(u64) -> bool) -> Result<(), CheckpointError> {
    let mut names = names(folder)?;
    names.retain(|name| generation_of(name).is_some_and(|generation| !keep(generation)));
    names.sort_by_key(|name| !name.starts_with("manifest-"));
    for name in names {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(|cause| CheckpointError::Io { action: "remove", path, cause })?;
    }
    atomic::sweep(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_generation() {
        assert_eq!(file_name(WEIGHTS, 7), "weights-0007.safetensors");
        assert_eq!(generation_of("weights-0007.safetensors"), Some(7));
        assert_eq!(generation_of("manifest-12345.json"), Some(12345));
        for other in [".weights-0007.safetensors.1-0.tmp", "notes-3.txt", "weights-.safetensors", "weights-0007.bin"] {
            assert_eq!(generation_of(other), None, "{other}");
        }
    }

    #[test]
    fn only_whole_generations_are_found_and_unknown_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, 1, &[(WEIGHTS, b"one")]).unwrap();
        write(folder, 2, &[(WEIGHTS, b"two")]).unwrap();
        // Killed after the data and before the manifest.
        fs::write(folder.join("weights-0003.safetensors"), b"three").unwrap();
        fs::write(folder.join("notes.txt"), b"keep me").unwrap();
        let read = || newest(folder, |generation, files| Ok((generation, files[WEIGHTS].clone())));
        assert_eq!(read().unwrap().unwrap().0, (2, b"two".to_vec()));
        fs::write(folder.join("weights-0002.safetensors"), b"twO").unwrap();
        let ((generation, bytes), skipped) = read().unwrap().unwrap();
        assert_eq!((generation, bytes), (1, b"one".to_vec()));
        assert_eq!(skipped, ["weights-0002.safetensors was altered"]);
        fs::write(folder.join("weights-0001.safetensors"), b"on").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(
            error
                .contains("weights-0002.safetensors was altered; weights-0001.safetensors has 2 bytes, 3 were written"),
            "{error}"
        );

        prune(folder, |generation| generation == 2).unwrap();
        let mut left = names(folder).unwrap();
        left.sort();
        assert_eq!(left, ["manifest-0002.json", "notes.txt", "weights-0002.safetensors"]);
    }
}
