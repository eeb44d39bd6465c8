//! Checkpoints on disk.
//!
//! ```text
//! <dir>/last/       weights-0007.safetensors  optimizer-0007.bin  state-0007.json  manifest-0007.json
//! <dir>/best/       weights-0004.safetensors  metrics-0004.json   manifest-0004.json   (4: the epoch, from 0)
//! <dir>/best-copy/  the same once more
//! ```
//!
//! Each file is written whole or not at all, the manifest last. It holds the length and the SHA-256 of the others and
//! of itself, so that a truncated or altered file is found out, and the generation before, which is kept, is used
//! instead. No other file has the weights of a best epoch of long ago, so they are written twice; those that a kept
//! generation names are kept.

mod files;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use self::files::{
    MANIFEST, METRICS, OPTIMIZER, STATE, WEIGHTS, file_name, generations, make, newest, prune, verified, write,
};
use super::State;
use super::state::VERSION;
use crate::atomic::AtomicError;

/// The folders that each have the weights of the best epoch.
const BEST: [&str; 2] = ["best", "best-copy"];

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
    /// The weights of the best epoch are damaged in both places.
    #[error(
        "neither copy of the weights of the best epoch, {}, in {folder} is whole ({}); start again in another folder",
        .epoch + 1, .reasons.join("; ")
    )]
    Best {
        /// The folder of the checkpoints.
        folder: PathBuf,
        /// The epoch, from 0.
        epoch: usize,
        /// What is wrong with each copy.
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
    generation: u64,
}

/// A checkpoint that is known to be whole.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    /// Its manifest.
    pub(super) path: PathBuf,
    generation: u64,
    /// The best epoch that its state names.
    best: Option<usize>,
}

impl Whole {
    fn new(path: PathBuf, generation: u64, state: &State) -> Self {
        Self { path, generation, best: state.best.as_ref().map(|best| best.epoch) }
    }
}

impl Snapshot {
    /// Where it is.
    pub(super) fn whole(&self) -> Whole {
        Whole::new(self.path.clone(), self.generation, &self.state)
    }

    /// Whether it was written between `epoch` and the next one, so that its weights are those after `epoch`.
    fn ends(&self, epoch: usize) -> bool {
        self.state.epoch == epoch + 1 && self.state.step == 0
    }
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
        let mut epochs = BTreeSet::new();
        for folder in self.best() {
            epochs.extend(generations(&folder)?);
        }
        let mut reasons = Vec::new();
        for epoch in epochs.into_iter().rev() {
            let (whole, damaged) = self.copies(epoch);
            if let Some(found) = whole.into_iter().next() {
                return Ok(Some(found));
            }
            reasons.extend(damaged);
        }
        if reasons.is_empty() { Ok(None) } else { Err(CheckpointError::Damaged { folder: self.dir.clone(), reasons }) }
    }

    /// The weights after `epoch`, which was the best one once.
    pub(super) fn best_weights_of(&self, epoch: usize) -> Result<Vec<u8>, CheckpointError> {
        let (whole, reasons) = self.copies(epoch as u64);
        let found = whole.into_iter().next().map(|(_, weights)| weights);
        found.ok_or_else(|| CheckpointError::Best { folder: self.dir.clone(), epoch, reasons })
    }

    /// Sees to it that both copies of the weights of the best epoch that `snapshot` names are whole, and returns what
    /// was wrong with them. They are made anew from the other copy, or from the snapshot if it was written right after
    /// that epoch.
    pub(super) fn mend_best(&self, snapshot: &Snapshot) -> Result<Vec<String>, CheckpointError> {
        let Some(best) = &snapshot.state.best else {
            return Ok(Vec::new());
        };
        let (whole, reasons) = self.copies(best.epoch as u64);
        if reasons.is_empty() {
            return Ok(reasons);
        }
        let weights = match whole.first() {
            Some((_, weights)) => weights.as_slice(),
            None if snapshot.ends(best.epoch) => snapshot.weights.as_slice(),
            None => {
                return Err(CheckpointError::Best { folder: self.dir.clone(), epoch: best.epoch, reasons });
            }
        };
        self.save_best(best.epoch, weights, &best.metrics)?;
        Ok(reasons)
    }

    /// The copies of the weights after `epoch` that are whole, each with its file, and what is wrong with the others.
    fn copies(&self, epoch: u64) -> (Vec<(PathBuf, Vec<u8>)>, Vec<String>) {
        let (mut whole, mut reasons) = (Vec::new(), Vec::new());
        for (name, folder) in BEST.into_iter().zip(self.best()) {
            let weights = verified(&folder, epoch).and_then(|mut files| {
                files.remove(WEIGHTS).ok_or_else(|| format!("{}: it has no {WEIGHTS}", file_name(MANIFEST, epoch)))
            });
            match weights {
                Ok(weights) => whole.push((folder.join(file_name(WEIGHTS, epoch)), weights)),
                Err(reason) => reasons.push(format!("{name}/{reason}")),
            }
        }
        (whole, reasons)
    }

    /// Writes the next checkpoint and removes all others but `keep`, the last that is known to be whole.
    pub(super) fn save_last(
        &self,
        weights: &[u8],
        optimizer: &[u8],
        state: &State,
        keep: Option<&Whole>,
    ) -> Result<Whole, CheckpointError> {
        let text = serde_json::to_vec_pretty(state).map_err(|error| CheckpointError::State(error.to_string()))?;
        let folder = self.last();
        make(&folder)?;
        let generation = generations(&folder)?.last().map_or(1, |newest| newest + 1);
        let path = write(&folder, generation, &[(WEIGHTS, weights), (OPTIMIZER, optimizer), (STATE, &text)])?;
        let written = Whole::new(path, generation, state);
        let kept = [Some(&written), keep];
        prune(&folder, |other| kept.iter().flatten().any(|whole| whole.generation == other))?;
        // A run may go on from either, and then needs the best epoch that it names.
        if written.best.is_some() {
            let best: Vec<u64> = kept.iter().flatten().filter_map(|whole| whole.best).map(|best| best as u64).collect();
            for folder in self.best().iter().filter(|folder| folder.is_dir()) {
                prune(folder, |epoch| best.contains(&epoch))?;
            }
        }
        Ok(written)
    }

    /// Writes the weights of an epoch that is the best so far. The one before stays until [`Checkpoints::save_last`],
    /// so that a run killed in between finds what its last checkpoint names.
    pub(super) fn save_best(
        &self,
        epoch: usize,
        weights: &[u8],
        metrics: &[(String, f64)],
    ) -> Result<(), CheckpointError> {
        let text = serde_json::to_vec_pretty(metrics).map_err(|error| CheckpointError::State(error.to_string()))?;
        for folder in self.best() {
            make(&folder)?;
            write(&folder, epoch as u64, &[(WEIGHTS, weights), (METRICS, &text)])?;
        }
        Ok(())
    }

    fn last(&self) -> PathBuf {
        self.dir.join("last")
    }

    fn best(&self) -> [PathBuf; 2] {
        BEST.map(|name| self.dir.join(name))
    }
}
