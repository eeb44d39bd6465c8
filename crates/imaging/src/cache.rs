//! Prepared cases, kept in memory up to a limit and on disk beyond it.
//!
//! A case that was read, resampled and scaled is stored under a key: the SHA-256 of the bytes of its files, of the
//! configuration of the preparation and of the version of the form below. Whoever changes a file or a setting gets
//! another key, and so the cache is never out of date; a stored file whose checksum does not hold is made anew. Several
//! processes may share a folder: files appear whole or not at all.
//!
//! A file is the mark `GALENCAS`, the length of its header (eight bytes, little-endian), the header as JSON, the voxels
//! of each channel as little-endian floats, the labels as bytes, and the SHA-256 of all that. Where slices were read
//! from ([`Source`](crate::volume::Source)) is kept too.

mod form;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nn_core::atomic::{self, AtomicError};
use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::case::Case;

/// Version of the form of files and of the preparation behind them; part of every key.
const VERSION: u32 = 1;
/// Ending of the files.
const ENDING: &str = "case";

/// Where prepared cases are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Folder on disk; without one, cases are kept in memory alone.
    pub folder: Option<PathBuf>,
    /// MB (10⁶ bytes) of memory that cases may take.
    pub memory_mb: usize,
}

impl Default for CacheConfig {
    /// 2 GB of memory, no disk.
    fn default() -> Self {
        Self { folder: None, memory_mb: 2_000 }
    }
}

/// Why a case cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A configuration that cannot be written down.
    #[error("the configuration of the preparation cannot be written as JSON: {0}")]
    Key(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The cache cannot be written, for example because the disk is full.
    #[error("cannot keep a prepared case: {0}; free space, choose another cache folder, or do without one")]
    Write(#[from] AtomicError),
    /// The case itself cannot be prepared.
    #[error(transparent)]
    Prepare(Box<dyn std::error::Error + Send + Sync>),
}

/// What a prepared case is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of the case that `files` become under `config`. A folder counts with all files in it, by name; the path
    /// itself does not, so that a set may be moved.
    ///
    /// # Errors
    /// [`CacheError::Read`] if a file cannot be read, [`CacheError::Key`] for a configuration that is not JSON.
    pub fn of(files: &[&Path], config: &impl Serialize) -> Result<Self, CacheError> {
        let mut digest = configured(config)?;
        for path in files {
            if path.is_dir() {
                let failed = |cause| CacheError::Read { path: path.to_path_buf(), cause };
                let entries =
                    std::fs::read_dir(path).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
                let mut inside: Vec<PathBuf> =
                    entries.iter().map(std::fs::DirEntry::path).filter(|path| path.is_file()).collect();
                inside.sort();
                digest.update(b"folder");
                digest.update((inside.len() as u64).to_le_bytes());
                for path in inside {
                    digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                    digest.update(content(&path)?);
                }
            } else {
                digest.update(b"file");
                digest.update(content(path)?);
            }
        }
        Ok(Self(format!("{:x}", digest.finalize())))
    }

    /// The key of what a case in memory becomes under `config`: its voxels, labels, grids and names count.
    ///
    /// # Errors
    /// [`CacheError::Key`] for a configuration that is not JSON.
    pub fn of_case(case: &Case, config: &impl Serialize) -> Result<Self, CacheError> {
        let mut digest = configured(config)?;
        digest.update(b"case");
        digest.update(form::checksum(case).map_err(|error| CacheError::Key(error.to_string()))?);
        Ok(Self(format!("{:x}", digest.finalize())))
    }

    /// The key as a hexadecimal number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What every key begins with.
fn configured(config: &impl Serialize) -> Result<Sha256, CacheError> {
    let config = serde_json::to_vec(config).map_err(|error| CacheError::Key(error.to_string()))?;
    let mut digest = Sha256::new();
    digest.update(VERSION.to_le_bytes());
    digest.update((config.len() as u64).to_le_bytes());
    digest.update(&config);
    Ok(digest)
}

/// SHA-256 of a file, read piece by piece.
fn content(path: &Path) -> Result<[u8; 32], CacheError> {
    let failed = |cause| CacheError::Read { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => return Ok(digest.finalize().into()),
            count => digest.update(&piece[..count]),
        }
    }
}

/// Prepared cases. It may be shared by threads; two that ask for one case at the same time may both prepare it.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    limit: usize,
    memory: Mutex<Memory>,
}

/// Cases in memory.
#[derive(Debug, Default)]
struct Memory {
    cases: HashMap<Key, Held>,
    bytes: usize,
    /// Counts the uses.
    clock: u64,
}

#[derive(Debug)]
struct Held {
    case: Arc<Case>,
    bytes: usize,
    used: u64,
}

impl Cache {
    /// A cache, whose folder is made if it is not there.
    ///
    /// # Errors
    /// [`CacheError::Config`], or [`CacheError::Read`] if the folder cannot be made.
    pub fn new(config: &CacheConfig) -> Result<Self, CacheError> {
        in_range("cache.memory_mb", config.memory_mb, 0..=1 << 30)?;
        if let Some(folder) = &config.folder {
            std::fs::create_dir_all(folder).map_err(|cause| CacheError::Read { path: folder.clone(), cause })?;
        }
        let limit = config.memory_mb.saturating_mul(1_000_000);
        Ok(Self { folder: config.folder.clone(), limit, memory: Mutex::default() })
    }

    /// The case of a key: from memory, from disk, or as `prepare` makes it.
    ///
    /// # Errors
    /// [`CacheError::Prepare`] with what `prepare` says, [`CacheError::Write`] if the case cannot be kept on disk.
    pub fn get<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        key: &Key,
        prepare: impl FnOnce() -> Result<Case, E>,
    ) -> Result<Arc<Case>, CacheError> {
        if let Some(case) = self.held(key) {
            return Ok(case);
        }
        let path = self.folder.as_ref().map(|folder| folder.join(&key.0).with_extension(ENDING));
        // A file that is missing, or damaged, is no error: the case is made again.
        let stored = path.as_ref().and_then(|path| std::fs::read(path).ok()).and_then(|bytes| form::decode(&bytes));
        let case = if let Some(case) = stored {
            case
        } else {
            let case = prepare().map_err(|error| CacheError::Prepare(error.into()))?;
            if let Some(path) = &path {
                atomic::write_with(path, |file| form::encode(&case, file))?;
            }
            case
        };
        Ok(self.hold(key, Arc::new(case)))
    }

    /// Bytes of the cases in memory.
    pub fn bytes(&self) -> usize {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    fn held(&self, key: &Key) -> Option<Arc<Case>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.clock += 1;
        let used = memory.clock;
        memory.cases.get_mut(key).map(|held| {
            held.used = used;
            Arc::clone(&held.case)
        })
    }

    /// Keeps a case in memory, and lets go of those that were not used for longest until the limit holds.
    fn hold(&self, key: &Key, case: Arc<Case>) -> Arc<Case> {
        let bytes = size(&case);
        if bytes > self.limit {
            return case;
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.clock += 1;
        let held = Held { case: Arc::clone(&case), bytes, used: memory.clock };
        memory.bytes += bytes;
        if let Some(before) = memory.cases.insert(key.clone(), held) {
            memory.bytes -= before.bytes;
        }
        while memory.bytes > self.limit {
            let Some(oldest) = memory.cases.iter().min_by_key(|(_, held)| held.used).map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some(gone) = memory.cases.remove(&oldest) {
                memory.bytes -= gone.bytes;
            }
        }
        case
    }
}

/// Bytes of the voxels and labels of a case.
fn size(case: &Case) -> usize {
    let voxels: usize = case.channels.iter().map(|volume| volume.voxels.len() * size_of::<f32>()).sum();
    voxels + case.label.as_ref().map_or(0, |map| map.labels.len())
}

#[cfg(test)]
mod tests;
