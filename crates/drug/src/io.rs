//! Files in and out. Only this module names the crates of file formats.
//!
//! Every reader opens plain and gzip files alike (told apart by their first bytes), takes `\n` and `\r\n`, skips a
//! UTF-8 byte-order mark, and limits what one line or record may hold, so that a damaged file is refused instead of
//! filling the memory. A row that cannot be used comes back as a [`RowError`] with its number and the reason; only a
//! file that cannot be read at all is an [`IoError`] of its own. Places inside a line are counted from 1.
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
    /// What is wrong in general, the same words for every row of which it is; tables of pairs tell it, lists do not.
    pub kind: Option<&'static str>,
    /// What is wrong, with the position inside the row where there is one.
    pub problem: String,
}

impl RowError {
    fn line(number: u64, problem: impl Into<String>) -> Self {
        Self { unit: "line", number, kind: None, problem: problem.into() }
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
    #[error("cannot read {path}: {cause}{}", damage(.cause))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the decompressor said, or that the text is UTF-16.
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
    #[error("{path} has no column {wanted}; it has: {}; say which one to use", header(.found))]
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

/// Most characters of a header in a message.
const HEADER: usize = 300;

/// What to say where the content of a file broke the reading off, and not the way to it.
fn damage(cause: &io::Error) -> &'static str {
    match cause.kind() {
        // What decompression says of bytes that are missing and of bytes that are wrong.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "; the file may be damaged or cut short"
        }
        _ => "",
    }
}

/// The names of a header for a message: not the whole line where that is no header, and what seems to separate them if
/// they came out as one.
fn header(found: &str) -> String {
    let mut text: String = found.chars().take(HEADER).collect();
    if text.len() < found.len() {
        text.push('…');
    }
    let others = [(';', "semicolons: save it with commas"), ('\t', "tabs: call it .tsv")];
    match others.into_iter().find(|&(separator, _)| found.contains(separator) && !found.contains(", ")) {
        Some((_, what)) => format!("{text} (its columns seem to be separated by {what})"),
        None => text,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn column(found: &str) -> String {
        IoError::Column { path: "a.csv".into(), wanted: "x".into(), found: found.to_owned() }.to_string()
    }

    #[test]
    fn a_header_is_shown_as_far_as_it_helps() {
        assert_eq!(column("a, b"), "a.csv has no column x; it has: a, b; say which one to use");
        assert_eq!(
            column("id;smiles"),
            "a.csv has no column x; it has: id;smiles (its columns seem to be separated by semicolons: save it with \
             commas); say which one to use"
        );
        assert!(column("id\tsmiles").contains("separated by tabs: call it .tsv"));
        // A column may have such a name.
        assert!(!column("a;b, c").contains("separated"));
        let long = column(&"é".repeat(10_000));
        assert!(long.contains("é…; say which one to use") && long.chars().count() < 400, "{long}");
    }

    #[test]
    fn only_what_broke_off_may_be_damaged() {
        let read = |kind: io::ErrorKind| IoError::Read { path: "a".into(), cause: kind.into() }.to_string();
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData] {
            assert!(read(kind).ends_with("; the file may be damaged or cut short"), "{}", read(kind));
        }
        for kind in [io::ErrorKind::IsADirectory, io::ErrorKind::PermissionDenied] {
            assert!(read(kind).starts_with("cannot read a: ") && !read(kind).contains("damaged"), "{}", read(kind));
        }
    }
}
