//! Variant files: VCF, plain, gzip or bgzip, and BCF.
//!
//! Records come one by one, as the lines that they are: only what every user needs is looked at (CHROM, POS, ID, REF,
//! ALT), and the rest is kept as it stands, so that [`VcfWriter`] gives back what it was given with fields added to
//! INFO. Records of a BCF file are turned into such lines. Columns after ALT may be missing, as in lists of variants
//! that other tools take; a file without any header is read as well, and [`VcfReader::notes`] says so.
//!
//! A row that is no record comes out as [`Quarantined`] with its line and what is wrong, and reading goes on behind it.
//! So does a record with more alleles than [`MAX_ALTERNATES`]; it is well-formed, and is kept.

mod bcf;
mod header;
mod write;

pub use self::header::VcfHeader;
pub use self::write::{InfoField, VcfWriter};
pub(crate) use self::write::{PREFIX, write_with};

use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use self::bcf::Frames;
use super::text::{Lines, decompressed, open};
use super::{Input, IoError, RowError};
use crate::locus::MAX_POSITION;

/// Most alternate alleles of one record.
pub const MAX_ALTERNATES: usize = 10_000;

/// Most bases of REF, counted once for each alternate allele, of one record.
const MAX_REFERENCE: usize = 1 << 28;

/// Columns before FORMAT.
const FIXED: usize = 8;

/// A record as its line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcfRecord {
    index: u64,
    line: u64,
    position: i64,
    text: String,
    /// Ends of the columns up to INFO that are there.
    ends: Vec<usize>,
}

impl VcfRecord {
    /// Reads a line; what is wrong comes back where it is no record.
    fn parse(text: String, line: u64) -> Result<Self, String> {
        let mut ends: Vec<usize> =
            text.bytes().enumerate().filter(|&(_, byte)| byte == b'\t').map(|(at, _)| at).take(FIXED).collect();
        if ends.len() < FIXED {
            ends.push(text.len());
        }
        if ends.len() < 5 {
            let columns = ends.len();
            return Err(format!("it has {columns} of the columns CHROM, POS, ID, REF and ALT, with tabs between"));
        }
        let mut record = Self { index: 0, line, position: 0, text, ends };
        if record.contig().is_empty() || record.contig().contains(char::is_whitespace) {
            return Err(format!("CHROM {:?} is no name", record.contig()));
        }
        let position = record.column(1);
        record.position = match position.parse() {
            Ok(one_based @ 0..=MAX_POSITION) => one_based - 1,
            _ => return Err(format!("POS {position:?} is no position")),
        };
        let letters = |allele: &str| !allele.is_empty() && allele.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !letters(record.column(3)) {
            return Err(format!("REF {:?} is no sequence", head(record.column(3))));
        }
        if record.column(4).split(',').any(|allele| allele.is_empty() || allele.contains(char::is_whitespace)) {
            return Err(format!("ALT {:?} has an empty allele or a blank", head(record.column(4))));
        }
        Ok(record)
    }

    /// Why a well-formed record is not used.
    fn too_large(&self) -> Option<String> {
        let (alternates, bases) = (self.alternates().count(), self.reference().len());
        if alternates > MAX_ALTERNATES {
            Some(format!("it has {alternates} alternate alleles; at most {MAX_ALTERNATES} are used"))
        } else if alternates.saturating_mul(bases) > MAX_REFERENCE {
            Some(format!("it has {alternates} alternate alleles of {bases} reference bases, which is too much"))
        } else {
            None
        }
    }

    /// Number of the record, from 0; quarantined rows are not counted.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Number of its line in the file, or of the record in a BCF file, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Name of the contig, as the file writes it.
    pub fn contig(&self) -> &str {
        self.column(0)
    }

    /// First base of the reference allele, counted from 0; −1 for the telomere, which VCF writes as position 0.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Identifiers, with semicolons between, if there are any.
    pub fn id(&self) -> Option<&str> {
        Some(self.column(2)).filter(|id| !matches!(*id, "" | "."))
    }

    /// The reference allele, as the file writes it.
    pub fn reference(&self) -> &[u8] {
        self.column(3).as_bytes()
    }

    /// The alternate alleles, as the file writes them.
    pub fn alternates(&self) -> impl Iterator<Item = &[u8]> {
        self.column(4).split(',').filter(|allele| *allele != ".").map(str::as_bytes)
    }

    /// The INFO column; `.` if it is empty or missing.
    pub fn info(&self) -> &str {
        Some(self.column(7)).filter(|info| !info.is_empty()).unwrap_or(".")
    }

    /// The whole line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A column up to INFO, from 0; `.` if it is missing.
    fn column(&self, number: usize) -> &str {
        let start = if number == 0 { Some(0) } else { self.ends.get(number - 1).map(|end| end + 1) };
        match (start, self.ends.get(number)) {
            (Some(start), Some(&end)) => &self.text[start..end],
            _ => ".",
        }
    }

    /// FORMAT and samples, with the tab before them.
    fn samples(&self) -> &str {
        self.ends.get(FIXED - 1).map_or("", |&end| &self.text[end..])
    }
}

/// The beginning of a text, for messages.
fn head(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// A row that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it is and what is wrong.
    pub row: RowError,
    /// The record, where it is well-formed.
    pub record: Option<VcfRecord>,
}

/// What a row of the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VcfRow {
    /// A record.
    Record(VcfRecord),
    /// Something else.
    Quarantined(Quarantined),
}

/// Something to be known about a file that is read all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VcfNote {
    /// The first line is no header line.
    NoHeader,
    /// There is no line that begins with `#CHROM`.
    NoColumns,
    /// Sample names that come twice or more.
    DuplicateSamples(Vec<String>),
    /// A line of the header that is passed over.
    HeaderLine(RowError),
}

impl fmt::Display for VcfNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => write!(f, "the file has no header; its columns are taken to be those of VCF"),
            Self::NoColumns => write!(f, "the header has no line #CHROM; the columns are taken to be those of VCF"),
            Self::DuplicateSamples(names) => write!(f, "samples of the same name: {}", names.join(", ")),
            Self::HeaderLine(row) => write!(f, "passed over in the header: {row}"),
        }
    }
}

/// Reads the rows of a file one by one.
pub struct VcfReader {
    body: Body,
    path: PathBuf,
    header: VcfHeader,
    notes: Vec<VcfNote>,
    records: u64,
    ended: bool,
}

enum Body {
    /// The lines, and the first one behind the header.
    Text(Lines<Input>, Option<Result<String, RowError>>),
    Binary(Box<Frames>),
}

/// A line with its number, or what is wrong with it.
type NumberedLine = (u64, Result<String, RowError>);

impl VcfReader {
    /// Opens a file and reads its header; what the file is, its first bytes tell.
    ///
    /// # Errors
    /// [`IoError::Open`] or [`IoError::Read`] if it cannot be read or decompressed, [`IoError::Empty`] if there is
    /// nothing in it, [`IoError::Format`] if it is a BCF file whose header cannot be used.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Self::start(open(path)?, path)
    }

    /// As [`VcfReader::open`], for anything that can be read; `path` stands in messages.
    ///
    /// # Errors
    /// As [`VcfReader::open`].
    pub fn new(reader: impl BufRead + Send + 'static, path: &Path) -> Result<Self, IoError> {
        Self::start(decompressed(reader).map_err(IoError::read(path))?, path)
    }

    fn start(mut input: Input, path: &Path) -> Result<Self, IoError> {
        let head = input.fill_buf().map_err(IoError::read(path))?;
        if head.is_empty() {
            return Err(IoError::Empty { path: path.to_path_buf(), what: "records" });
        }
        let mut notes = Vec::new();
        let (header, body) = if head.starts_with(b"BCF") {
            let (frames, header) = Frames::open(input, path)?;
            (header, Body::Binary(Box::new(frames)))
        } else {
            let mut lines = Lines::new(input, path);
            let (header, first) = header::read(&mut lines, &mut notes)?;
            (header, Body::Text(lines, first))
        };
        let twice = header.duplicate_samples();
        if !twice.is_empty() {
            notes.push(VcfNote::DuplicateSamples(twice));
        }
        Ok(Self { body, path: path.to_path_buf(), header, notes, records: 0, ended: false })
    }

    /// The header.
    pub fn header(&self) -> &VcfHeader {
        &self.header
    }

    /// The file, as messages name it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What there is to be known about the file.
    pub fn notes(&self) -> &[VcfNote] {
        &self.notes
    }

    /// The next line that is not blank and its number, or what is wrong with it.
    fn line(&mut self) -> Result<Option<NumberedLine>, IoError> {
        match &mut self.body {
            Body::Text(lines, first) => loop {
                let found = match first.take() {
                    Some(first) => Some(first),
                    None => lines.advance()?.map(|line| line.map(str::to_owned)),
                };
                match found {
                    None => return Ok(None),
                    Some(Ok(text)) if text.trim().is_empty() => {}
                    Some(line) => return Ok(Some((lines.number(), line))),
                }
            },
            Body::Binary(frames) => {
                let found = frames.advance().map_err(IoError::read(&self.path))?;
                let number = frames.number();
                Ok(found.map(|line| (number, line.map_err(|problem| RowError::record(number, problem)))))
            }
        }
    }

    fn row(&mut self, number: u64, line: Result<String, RowError>) -> VcfRow {
        let binary = matches!(self.body, Body::Binary(_));
        let wrong =
            |problem: String| if binary { RowError::record(number, problem) } else { RowError::line(number, problem) };
        let parsed = line.and_then(|text| VcfRecord::parse(text, number).map_err(wrong));
        match parsed {
            Err(row) => VcfRow::Quarantined(Quarantined { row, record: None }),
            Ok(mut record) => {
                if let Some(problem) = record.too_large() {
                    VcfRow::Quarantined(Quarantined { row: wrong(problem), record: Some(record) })
                } else {
                    record.index = self.records;
                    self.records += 1;
                    VcfRow::Record(record)
                }
            }
        }
    }
}

/// Rows in file order; nothing comes after an error.
impl Iterator for VcfReader {
    type Item = Result<VcfRow, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.line() {
            Ok(Some((number, line))) => Some(Ok(self.row(number, line))),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
