//! What can be wrong with a weights file.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

use crate::atomic::AtomicError;

/// Names listed in a message before it is cut short.
const LISTED: usize = 12;

/// A weights file that cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// Any of the other errors, with the file it was found in.
    #[error("{path}: {error}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<StoreError>,
    },
    /// The bytes are not what the format prescribes.
    #[error("not a usable safetensors file: {0}")]
    Format(String),
    /// The metadata or a tensor is not what was written.
    #[error(
        "its content is not what was written (SHA-256 {found}, it was {written}): copy the file again from where it came \
         from, or train the model again; if it was changed on purpose, take galen_sha256 out of its metadata"
    )]
    Damaged {
        /// Digest of what is there.
        found: String,
        /// Digest that the metadata names.
        written: String,
    },
    /// The header is so long that it would only serve to exhaust the memory.
    #[error("its header takes {found} bytes; at most {limit} are accepted")]
    HeaderTooLarge {
        /// Length that the file declares, in bytes.
        found: u64,
        /// [`super::HEADER_LIMIT`].
        limit: u64,
    },
    /// An element type that the format or this crate does not have.
    #[error("tensor {name:?} has elements of type {element}, which cannot be stored; cast it first")]
    Element {
        /// Name of the tensor.
        name: String,
        /// Name of the element type.
        element: String,
    },
    /// The tensors of the file are not those of the model.
    #[error(
        "the weights do not fit the model: {0}; build the model from the configuration the weights were saved with"
    )]
    Mismatch(Mismatch),
    /// The file belongs to another system.
    #[error("the weights are of {found}, the model is {expected}; choose the file or the system accordingly")]
    Architecture {
        /// The system that was asked for.
        expected: String,
        /// The system that the metadata names, or `no named system`.
        found: String,
    },
    /// A metadata name that the store itself uses.
    #[error("metadata name {0:?} is used by the store itself; choose another one")]
    Reserved(String),
    /// The data of a tensor cannot be fetched from the device.
    #[error("cannot fetch tensor {name:?} from the device: {reason}")]
    Device {
        /// Name of the tensor.
        name: String,
        /// What the backend said.
        reason: String,
    },
    /// The checkpoint is one that PyTorch may run code from, or is damaged.
    #[error("refused: {0}")]
    Pickle(String),
    /// Not a checkpoint that PyTorch wrote, or of a kind that is not read.
    #[error("not a usable PyTorch checkpoint: {0}")]
    PyTorch(String),
    /// A renaming pattern that is not a regular expression.
    #[error("renaming pattern {pattern:?} is not a regular expression: {reason}")]
    Rename {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two tensors end up under one name.
    #[error("two tensors are called {0:?} after renaming; make the patterns narrower")]
    Duplicate(String),
}

/// How the tensors of a file differ from those of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Tensors of the model that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the model has no place for.
    pub unused: Vec<String>,
    /// Tensors of another shape or element type, with both, as text.
    pub different: Vec<String>,
}

impl Mismatch {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.different.is_empty()
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("missing from the file: ", &self.missing),
            ("unknown to the model: ", &self.unused),
            ("different: ", &self.different),
        ];
        let mut separator = "";
        for (label, names) in parts {
            if names.is_empty() {
                continue;
            }
            let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
            write!(f, "{separator}{label}{shown}")?;
            if names.len() > LISTED {
                write!(f, " and {} more", names.len() - LISTED)?;
            }
            separator = "; ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_with_a_count() {
        let mismatch = Mismatch {
            missing: (0..20).map(|i| format!("layer{i}.weight")).collect(),
            unused: vec!["head.bias".to_string()],
            different: Vec::new(),
        };
        let text = mismatch.to_string();
        assert!(text.starts_with("missing from the file: layer0.weight, layer1.weight"), "{text}");
        assert!(text.contains("layer11.weight and 8 more; unknown to the model: head.bias"), "{text}");
        assert!(!text.contains("layer12"), "{text}");
    }
}
