//! Files in and out. Only this module names the crates of file formats.
//!
//! Every reader opens plain and gzip files alike (told apart by their first bytes), takes `\n` and `\r\n`, skips a
//! UTF-8 byte-order mark, and limits what one line or record may hold, so that a damaged file is refused instead of
//! filling the memory. A row that cannot be used comes back as a [`RowError`] with its number and the reason; only a
//! file that cannot be read at all is an [`IoError`] of its own.
//!
//! | module | reads or writes |
//! |---|---|
//! | [`smiles`] | lists of compounds (`.smi`, `.csv`, `.tsv`), streaming |
//! | [`fasta`] | protein sequences |
//! | [`affinity`] | measured pairs: columns as TDC, `DrugBAN` or `GraphDTA` name them, or `SMILES SEQUENCE label` text |
//! | [`deepdta`] | the `DeepDTA` benchmark folder with its folds |
//! | [`parquet`] | predictions, as Parquet or CSV |

pub mod affinity;
pub mod deepdta;
pub mod fasta;
mod numpy_pickle;
pub mod parquet;
pub mod smiles;
mod text;

use std::io;
use std::path::PathBuf;

use nn_core::atomic::AtomicError;

pub use self::text::{Input, MAX_LINE, open};

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unit} {number}: {problem}")]
pub struct RowError {
    /// What `number` counts: `line` or `record`.
    pub unit: &'static str,
    /// Place in the file, from 1.
    pub number: u64,
    /// What is wrong, with the position inside the row where there is one.
    pub problem: String,
}

impl RowError {
    fn line(number: u64, problem: impl Into<String>) -> Self {
        Self { unit: "line", number, problem: problem.into() }
    }
}

/// A file that cannot be read or written, or one row of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file cannot be opened.
    #[error("cannot open {path}: {cause}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Reading broke off; nothing more comes.
    #[error("cannot read on in {path}: {cause}; the file may be damaged or cut short")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the decompressor said.
        cause: io::Error,
    },
    /// The file cannot be written; what was there before is untouched.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system or the format's writer said.
        cause: io::Error,
    },
    /// As [`IoError::Write`], with the disk's own reasons told apart.
    #[error(transparent)]
    Atomic(#[from] AtomicError),
    /// One row cannot be used; a streaming reader goes on behind it.
    #[error("{path}, {row}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The row and the reason.
        row: RowError,
    },
    /// A column that is needed is not there.
    #[error("{path} has no column {wanted}; it has: {found}; say which one to use")]
    Column {
        /// The file.
        path: PathBuf,
        /// The names that were looked for.
        wanted: String,
        /// The names of the header.
        found: String,
    },
    /// There is nothing in the file.
    #[error("{path} has no rows")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Every row was refused.
    #[error("none of the {rows} rows of {path} can be used; the first: {first}")]
    NothingUsable {
        /// The file.
        path: PathBuf,
        /// Number of rows.
        rows: u64,
        /// The first refusal.
        first: RowError,
    },
    /// The file is not what it should be.
    #[error("{path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// What a file gave: the usable part, and the rows that were refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// The usable part.
    pub value: T,
    /// Rows of the file, usable or not, without blank lines and the header.
    pub rows: u64,
    /// The rows that are not in `value`, in file order.
    pub refused: Vec<RowError>,
}

impl<T> Loaded<T> {
    /// Fails if there was nothing, or nothing usable.
    fn some(self, path: PathBuf) -> Result<Self, IoError> {
        match self.refused.first() {
            _ if self.rows == 0 => Err(IoError::Empty { path }),
            Some(first) if self.refused.len() as u64 == self.rows => {
                Err(IoError::NothingUsable { path, rows: self.rows, first: first.clone() })
            }
            _ => Ok(self),
        }
    }
}
