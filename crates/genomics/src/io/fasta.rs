//! FASTA: sequences one by one, whole genomes, and parts of indexed genomes.
//!
//! What stands behind `>` is the header; its first word is the name. Sequences may span lines of any length (a line is
//! never held whole), in either case, with blanks in them; U becomes T, IUPAC codes are kept, and gaps, `*` and other
//! bytes are refused with their position. A record without bases is refused: it is what a file that was cut short ends
//! with.

mod index;
mod parts;

use std::collections::HashMap;
use std::io::{self, BufRead, ErrorKind, Read};
use std::path::{Path, PathBuf};

pub use self::index::{IndexEntry, build_index, read_index, write_index};
pub use self::parts::IndexedFasta;
use super::{Input, IoError, RowError, open, text};
use crate::genome::{Edge, Genome, Packer};
use crate::locus::Locus;
use crate::sequence::{CODES, SequenceError, letter};

/// Longest header that is read, in bytes.
pub const MAX_HEADER: usize = 1 << 16;

/// Bases of the longest sequence that comes as letters; the longest human chromosome has 249 million. [`read_genome`]
/// has no such limit.
pub const MAX_BASES: usize = 1 << 28;

/// Bases in a line, as most archives write them.
const LINE: usize = 60;

/// The first line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastaHeader {
    /// What stands behind `>`, without blanks at its ends.
    pub text: String,
    /// Where it stands in the file, from 1.
    pub line: u64,
}

impl FastaHeader {
    /// The first word; nothing if the header is empty.
    pub fn name(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or_default()
    }

    /// What stands behind the name.
    pub fn description(&self) -> &str {
        self.text[self.name().len()..].trim_start()
    }

    /// The record, as messages call it.
    fn called(&self) -> &str {
        if self.text.is_empty() { "a record without a name" } else { self.name() }
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastaRecord {
    /// Its first line.
    pub header: FastaHeader,
    /// Upper-case letters.
    pub sequence: Vec<u8>,
}

/// Reads a FASTA file: as an iterator record by record, or piece by piece with [`FastaReader::header`] and
/// [`FastaReader::sequence`].
///
/// An [`IoError::Row`] concerns one record, the reader goes on behind it; after any other error it has ended.
pub struct FastaReader<R> {
    reader: R,
    path: PathBuf,
    /// Number of the line of which the next byte is a part.
    line: u64,
    /// Whether the next byte begins a line.
    fresh: bool,
    /// Whether the next byte may belong to a sequence.
    inside: bool,
    ended: bool,
}

impl FastaReader<Input> {
    /// Opens a FASTA file, plain, gzip or bgzip.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self::new(open(path)?, path))
    }
}

impl<R: BufRead> FastaReader<R> {
    /// Reads from `reader`; messages name `path`.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { reader, path: path.to_path_buf(), line: 1, fresh: true, inside: false, ended: false }
    }

    /// The next header; what is left of the sequence before it is passed over. `None` at the end of the file.
    ///
    /// # Errors
    /// [`IoError::Row`] for text before the first `>` and for a header longer than [`MAX_HEADER`], [`IoError::Read`].
    pub fn header(&mut self) -> Result<Option<FastaHeader>, IoError> {
        self.sequence(|_| Ok(()))?;
        loop {
            match self.peek()? {
                None => return Ok(None),
                Some(b'>') => break,
                Some(b'\n') => {
                    self.reader.consume(1);
                    self.line += 1;
                }
                Some(byte) if byte.is_ascii_whitespace() => self.reader.consume(1),
                Some(_) => {
                    let line = self.line;
                    self.inside = true;
                    self.sequence(|_| Ok(()))?;
                    return Err(IoError::line(&self.path, line, "text before the first '>'; is this FASTA?"));
                }
            }
        }
        let line = self.line;
        let mut bytes = Vec::new();
        let limit = MAX_HEADER as u64 + 1;
        let taken = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        let taken = taken.map_err(|cause| self.broken(cause))?;
        let long = taken as u64 == limit && bytes.last() != Some(&b'\n');
        if long {
            let skipped = self.reader.skip_until(b'\n');
            skipped.map_err(|cause| self.broken(cause))?;
        }
        (self.line, self.fresh, self.inside) = (line + 1, true, true);
        if long {
            let problem = format!("the header has more than {MAX_HEADER} bytes; shorten it");
            return Err(IoError::line(&self.path, line, problem));
        }
        Ok(Some(FastaHeader { text: String::from_utf8_lossy(&bytes[1..]).trim().to_owned(), line }))
    }

    /// Hands the sequence behind the header to `sink` in pieces without blanks, and returns how many bases there were.
    ///
    /// # Errors
    /// [`IoError::Row`] with what `sink` said and the line; the rest of the sequence is then passed over.
    /// [`IoError::Read`].
    pub fn sequence(&mut self, mut sink: impl FnMut(&[u8]) -> Result<(), String>) -> Result<u64, IoError> {
        let (mut bases, mut problem) = (0, None);
        while self.inside {
            let chunk = match filled(&mut self.reader) {
                Ok(chunk) => chunk,
                Err(cause) => return Err(self.broken(cause)),
            };
            if chunk.is_empty() || self.fresh && chunk[0] == b'>' {
                self.inside = false;
                break;
            }
            let (piece, whole) = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => (&chunk[..end], true),
                None => (chunk, false),
            };
            for part in piece.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()) {
                if problem.is_some() {
                    break;
                }
                bases += part.len() as u64;
                problem = sink(part).err().map(|text| RowError::line(self.line, text));
            }
            let taken = piece.len() + usize::from(whole);
            self.reader.consume(taken);
            self.line += u64::from(whole);
            self.fresh = whole;
        }
        match problem {
            Some(row) => Err(IoError::row(&self.path, row)),
            None => Ok(bases),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, IoError> {
        match filled(&mut self.reader) {
            Ok(chunk) => Ok(chunk.first().copied()),
            Err(cause) => Err(self.broken(cause)),
        }
    }

    fn broken(&mut self, cause: io::Error) -> IoError {
        (self.ended, self.inside) = (true, false);
        IoError::Read { path: self.path.clone(), cause }
    }

    fn record(&mut self) -> Result<Option<FastaRecord>, IoError> {
        let Some(header) = self.header()? else { return Ok(None) };
        let mut sequence = Vec::new();
        let bases = self.sequence(|part| {
            append(&mut sequence, part).map_err(|problem| format!("{}: {problem}", header.called()))
        })?;
        if bases == 0 {
            return Err(self.no_bases(&header));
        }
        Ok(Some(FastaRecord { header, sequence }))
    }

    fn no_bases(&self, header: &FastaHeader) -> IoError {
        let problem = format!("{} has no bases; drop it, or get the file again", header.called());
        IoError::line(&self.path, header.line, problem)
    }
}

impl<R: BufRead> Iterator for FastaReader<R> {
    type Item = Result<FastaRecord, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended |= record.is_none();
        record
    }
}

/// What is buffered, filled up if that is nothing.
fn filled<R: BufRead>(reader: &mut R) -> io::Result<&[u8]> {
    while let Err(error) = reader.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

/// Appends letters in capitals.
fn append(sequence: &mut Vec<u8>, part: &[u8]) -> Result<(), String> {
    if sequence.len() + part.len() > MAX_BASES {
        return Err(format!("more than {MAX_BASES} bases; read it as a genome"));
    }
    for &byte in part {
        match CODES[usize::from(byte)] {
            0xff => return Err(SequenceError { byte, position: sequence.len() as u64 + 1 }.to_string()),
            code => sequence.push(letter(code)),
        }
    }
    Ok(())
}

/// Reads all records of a FASTA file: headers without `>`, and sequences in capitals. Headers may be empty or come
/// twice, as they do in published training sets.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no record, and for the first record that cannot be used.
pub fn read_fasta(path: &Path) -> Result<Vec<(String, Vec<u8>)>, IoError> {
    let records: Vec<_> = FastaReader::open(path)?
        .map(|record| record.map(|record| (record.header.text, record.sequence)))
        .collect::<Result<_, _>>()?;
    if records.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "records" }) } else { Ok(records) }
}

/// Reads a genome, plain, gzip or bgzip, into two bits a base. Where an index (`.fai`) lies beside the file, it is
/// checked to belong to it.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no record, a name comes twice or is missing, a record has no bases or a
/// letter that is no nucleotide, or the index is that of another file.
pub fn read_genome(path: &Path) -> Result<Genome, IoError> {
    let genome = genome_from(open(path)?, path)?;
    index::check(path, &genome)?;
    Ok(genome)
}

/// As [`read_genome`], from anything that can be read; messages name `path`, and no index is looked for.
///
/// # Errors
/// As [`read_genome`].
pub fn genome_from(reader: impl BufRead, path: &Path) -> Result<Genome, IoError> {
    let mut reader = FastaReader::new(reader, path);
    let (mut contigs, mut seen) = (Vec::new(), HashMap::new());
    while let Some(header) = reader.header()? {
        let name = header.name();
        if name.is_empty() {
            return Err(IoError::line(path, header.line, "no name behind '>'"));
        }
        if let Some(first) = seen.insert(name.to_owned(), header.line) {
            let problem = format!("the name {name} is that of line {first} already; names must differ");
            return Err(IoError::line(path, header.line, problem));
        }
        let mut packer = Packer::default();
        let bases = reader.sequence(|part| packer.push(part).map_err(|problem| problem.of(name).to_string()))?;
        if bases == 0 {
            return Err(reader.no_bases(&header));
        }
        packer.shrink();
        contigs.push((name.to_owned(), packer));
    }
    if contigs.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "records" });
    }
    Genome::from_packers(contigs).map_err(|error| IoError::Genome { path: path.to_path_buf(), error })
}

/// Writes records of a header and a sequence, 60 bases a line.
///
/// # Errors
/// [`IoError::Atomic`]; the file of that name, if there was one, is then untouched.
pub fn write_fasta<'a>(path: &Path, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<(), IoError> {
    text::write(path, |out| {
        for (header, sequence) in records {
            writeln!(out, ">{header}")?;
            for line in sequence.chunks(LINE) {
                out.write_all(line)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

/// Writes a genome, 60 bases a line, in capitals; of a contig with an offset its own bases.
///
/// # Errors
/// As [`write_fasta`].
pub fn write_genome(path: &Path, genome: &Genome) -> Result<(), IoError> {
    /// Bases that are unpacked at once, whole lines of them.
    const PIECE: i64 = LINE as i64 * 16_384;
    text::write(path, |out| {
        for (name, _) in genome.contigs() {
            writeln!(out, ">{name}")?;
            let range = genome.range(name).unwrap_or_default();
            for start in range.clone().step_by(PIECE as usize) {
                let locus = Locus::new(name, start, range.end.min(start + PIECE)).map_err(io::Error::other)?;
                for line in genome.window(&locus, Edge::Refuse).map_err(io::Error::other)?.chunks(LINE) {
                    out.write_all(line)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
