//! Files in and out. Only this module and those below it name the crates of file formats.
//!
//! A MEDS data set is what every other source becomes: [`meds`] reads and writes it, the others read the tables or
//! documents of one kind of source and hand their events to a [`etl::Sink`], which keeps them in memory or divides
//! them among files on disk within a stated amount of memory.
//!
//! No row is lost in silence: each reader returns [`Counts`] of what it read, kept and dropped, with the reasons and
//! with the file and row of the first few. A file that cannot be read to its end is an error; what was off the standard
//! but could be put right is a [`Notice`]. Nothing here panics, whatever the bytes are, and files appear whole or not at
//! all.
//!
//! | module | reads or writes |
//! |---|---|
//! | [`meds`] | MEDS 0.4 data sets: events, codes, splits, labels, metadata |
//! | [`etl`] | tables of any size to events, on disk within a cap on memory |
//! | [`mimic3`], [`mimic4`], [`eicu`] | the tables of those intensive-care sets |
//! | [`omop`], [`fhir`] | OMOP CDM 5.3 and 5.4 tables; FHIR R4 bundles and NDJSON |
//! | [`p12`], [`sets`] | PhysioNet 2012; the sets that the published studies used |
//! | [`mapping`] | any table, by a file that says what its columns are |
//! | [`features`] | tables of features, written for other programs |
//! | [`csv`] | delimited text with row numbers |

mod archive;
pub mod csv;
pub mod eicu;
pub mod etl;
pub mod features;
pub mod fhir;
mod known;
pub mod mapping;
pub mod meds;
pub mod mimic3;
pub mod mimic4;
mod notice;
pub mod omop;
pub mod p12;
mod rows;
pub mod sets;
mod terms;

use std::io;
use std::path::{Path, PathBuf};

use nn_core::atomic::AtomicError;

pub use self::known::DayRule;
pub use self::notice::{Counts, Example, Notice};
pub use self::terms::subject_number;

use crate::events::EventsError;

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unit} {number}: {problem}")]
pub struct RowError {
    /// What `number` counts: `line`, `row` or `record`.
    pub unit: &'static str,
    /// Place in the file, from 1.
    pub number: u64,
    /// What is wrong and what to do.
    pub problem: String,
}

impl RowError {
    pub(crate) fn new(unit: &'static str, number: u64, problem: impl Into<String>) -> Self {
        Self { unit, number, problem: problem.into() }
    }

    pub(crate) fn line(number: u64, problem: impl Into<String>) -> Self {
        Self::new("line", number, problem)
    }
}

/// A file that cannot be read or written, or one row of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file or folder cannot be opened.
    #[error("cannot open {path}: {cause}")]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Reading broke off; nothing more comes.
    #[error("cannot read on in {path}: {cause}; the file may be damaged or cut short")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system, the decompressor or the format's reader said.
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
    /// One row cannot be used.
    #[error("{path}, {row}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The row and the reason.
        row: RowError,
    },
    /// A column that is needed is not there.
    #[error("{path} has no column {wanted}; it has: {found}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The names that were looked for.
        wanted: String,
        /// The names that are there.
        found: String,
    },
    /// There is nothing in the file or folder.
    #[error("{path} has no {what}")]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What is missing: `rows`, `Parquet files`, …
        what: &'static str,
    },
    /// The file is not what it should be.
    #[error("{path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The rows make no set of events.
    #[error("{of}: {error}")]
    Events {
        /// The file, folder or data set.
        of: PathBuf,
        /// What is wrong.
        error: EventsError,
    },
}

// Each reader uses some of these.
impl IoError {
    pub(crate) fn open(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Open { path: path.to_path_buf(), cause }
    }

    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Read { path: path.to_path_buf(), cause }
    }

    /// Reading broke off for a reason of the format's own.
    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        let cause = io::Error::new(io::ErrorKind::InvalidData, problem.into());
        Self::Read { path: path.to_path_buf(), cause }
    }

    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Write { path: path.to_path_buf(), cause }
    }

    pub(crate) fn row(path: &Path, row: RowError) -> Self {
        Self::Row { path: path.to_path_buf(), row }
    }

    pub(crate) fn line(path: &Path, number: u64, problem: impl Into<String>) -> Self {
        Self::row(path, RowError::line(number, problem))
    }

    pub(crate) fn column(path: &Path, wanted: &str, found: &[String]) -> Self {
        // A heading of thousands of columns would hide what is wrong.
        let (shown, rest) = found.split_at(found.len().min(40));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        Self::Column { path: path.to_path_buf(), wanted: wanted.to_owned(), found: shown.join(", ") + &more }
    }

    pub(crate) fn format(path: &Path, problem: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), problem: problem.into() }
    }

    pub(crate) fn events(of: impl AsRef<Path>, error: EventsError) -> Self {
        Self::Events { of: of.as_ref().to_path_buf(), error }
    }
}
