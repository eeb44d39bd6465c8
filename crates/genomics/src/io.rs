//! Files in and out. Only this module names the crates of file formats.
//!
//! Every reader of text opens plain, gzip and bgzip files alike (told apart by their first bytes), takes `\n` and
//! `\r\n`, skips a UTF-8 byte-order mark, and limits what one line may hold, so that a damaged file is refused instead
//! of filling the memory. A bgzip file without its end marker was cut short, and is refused. Positions become 0-based
//! and half-open here, whatever the format counts from.
//!
//! The functions that read a whole file stop at the first line that cannot be used and name it; the readers that they
//! stand on ([`bed::BedReader`] and its like) go on behind it, for who wants to count such lines. Files are written
//! under a temporary name and get their own when they are whole; a name that ends in `.gz` makes them bgzip files.
//!
//! | module | reads or writes |
//! |---|---|
//! | [`fasta`], [`fastq`] | sequences, genomes, parts of indexed genomes; reads |
//! | [`bed`] | intervals and peaks: BED3 to BED12, narrowPeak, broadPeak, bedGraph out |
//! | [`gff`] | GFF3 and GTF: genes, transcripts, starts of transcription |
//! | [`bam`], [`bigwig`], [`vcf`] | alignments, signals, variants |
//! | [`meme`] | motifs |
//! | [`sets`] | published sets of sequences, expression and histone marks |
//! | [`tables`] | pairs of enhancers and promoters |
//! | [`parquet`] | predictions, as Parquet or text |

pub mod bam;
pub mod bed;
pub mod bigwig;
pub mod fasta;
pub mod fastq;
pub mod gff;
pub mod meme;
pub mod parquet;
pub mod sets;
pub mod tables;
mod text;
pub mod vcf;

use std::io;
use std::path::{Path, PathBuf};

use nn_core::atomic::AtomicError;

pub use self::bed::{BedRecord, read_bed};
pub use self::fasta::{read_fasta, read_genome};
pub use self::gff::{Annotation, read_gff};
pub use self::text::{Input, MAX_LINE, open, read_aliases};

use crate::dataset::DatasetError;
use crate::genome::{Genome, GenomeError};
use crate::locus::Locus;

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unit} {number}: {problem}")]
pub struct RowError {
    /// What `number` counts: `line` or `record`.
    pub unit: &'static str,
    /// Place in the file, from 1.
    pub number: u64,
    /// What is wrong and what to do.
    pub problem: String,
}

impl RowError {
    fn line(number: u64, problem: impl Into<String>) -> Self {
        Self { unit: "line", number, problem: problem.into() }
    }

    fn record(number: u64, problem: impl Into<String>) -> Self {
        Self { unit: "record", number, problem: problem.into() }
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
    #[error("{path} has no {what}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing: `records`, `rows`, …
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
    /// The contigs of the file make no genome, or the file asks for what the genome does not have.
    #[error("{path}: {error}")]
    Genome {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: GenomeError,
    },
    /// The rows of the file make no set.
    #[error("{path}: {error}")]
    Dataset {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: DatasetError,
    },
}

/// Checks that an interval lies on a contig of the genome, where there is one.
fn on_genome(genome: Option<&Genome>, locus: &Locus) -> Result<(), String> {
    let Some(genome) = genome else { return Ok(()) };
    match genome.range(&locus.contig) {
        None => Err(format!("the genome has no contig {}", locus.contig)),
        Some(range) if locus.start < range.start || locus.end > range.end => {
            Err(format!("{locus} leaves its contig, which has bases {} to {}", range.start + 1, range.end))
        }
        Some(_) => Ok(()),
    }
}

impl IoError {
    fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Read { path: path.to_path_buf(), cause }
    }

    fn row(path: &Path, row: RowError) -> Self {
        Self::Row { path: path.to_path_buf(), row }
    }

    fn line(path: &Path, number: u64, problem: impl Into<String>) -> Self {
        Self::row(path, RowError::line(number, problem))
    }

    fn format(path: &Path, problem: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), problem: problem.into() }
    }
}
