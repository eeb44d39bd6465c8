//! Protein sequences.
//!
//! The name of a record is what stands between `>` and the first blank. Sequences may span lines, in either case; they
//! come out in capitals and without the `*` that ends a translation. All 26 letters pass (the tokeniser says which of
//! them a model knows); gaps, digits and a `*` inside are refused with their position.

use std::collections::HashMap;
use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};

use noodles::fasta;
use noodles::fasta::record::Definition;

use super::{Input, IoError, Loaded, RowError, open};
use crate::table::Target;

/// Longest sequence that is read; the longest human protein, titin, has 34,350 residues.
pub const MAX_RESIDUES: usize = 100_000;

/// Iterator over the records of a FASTA file.
///
/// An [`IoError::Row`] concerns one record, the iterator goes on behind it; after any other error it ends.
pub struct FastaReader<R> {
    reader: fasta::io::Reader<R>,
    path: PathBuf,
    records: u64,
    /// Number of the record in which each name was first seen.
    names: HashMap<String, u64>,
    sequence: Vec<u8>,
    ended: bool,
}

impl FastaReader<Input> {
    /// Opens a FASTA file, plain or gzip.
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
        Self {
            reader: fasta::io::Reader::new(reader),
            path: path.to_path_buf(),
            records: 0,
            names: HashMap::new(),
            sequence: Vec::new(),
            ended: false,
        }
    }

    /// Reads one record; `None` at the end of the file.
    fn read(&mut self) -> std::io::Result<Option<Result<Target, String>>> {
        skip_line_ends(self.reader.get_mut())?;
        let mut definition = Definition::default();
        let defined = match self.reader.read_definition(&mut definition) {
            Ok(0) => return Ok(None),
            Ok(_) => Ok(String::from_utf8_lossy(definition.name()).into_owned()),
            // noodles says so of a line without '>' and of one with nothing behind it; both have been read by now.
            Err(error) if error.kind() == ErrorKind::InvalidData && self.records == 0 => {
                Err("no name after '>', or no '>' at the start of the line; is this FASTA?".to_owned())
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => Err("no name after '>'".to_owned()),
            Err(error) => return Err(error),
        };
        self.records += 1;
        let length = self.read_sequence()?;
        let record = defined.and_then(|name| self.check(name, length));
        Ok(Some(record))
    }

    /// Reads a sequence into `self.sequence`, at most [`MAX_RESIDUES`] bytes of it, and returns its length.
    fn read_sequence(&mut self) -> std::io::Result<usize> {
        self.sequence.clear();
        let mut length = 0;
        let mut sequence = self.reader.sequence_reader();
        loop {
            let part = sequence.fill_buf()?;
            if part.is_empty() {
                return Ok(length);
            }
            let room = MAX_RESIDUES.saturating_sub(self.sequence.len());
            self.sequence.extend_from_slice(&part[..part.len().min(room)]);
            let taken = part.len();
            length += taken;
            sequence.consume(taken);
        }
    }

    fn check(&mut self, name: String, length: usize) -> Result<Target, String> {
        if let Some(first) = self.names.get(&name) {
            return Err(format!("the name {name} is that of record {first} already; names must differ"));
        }
        self.names.insert(name.clone(), self.records);
        if length > MAX_RESIDUES {
            return Err(format!("{name} has {length} residues; at most {MAX_RESIDUES} are read"));
        }
        let sequence = residues(&self.sequence).map_err(|problem| format!("{name}: {problem}"))?;
        Ok(Target { id: name, sequence })
    }
}

impl<R: BufRead> Iterator for FastaReader<R> {
    type Item = Result<Target, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.read() {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(record)) => Some(record.map_err(|problem| IoError::Row {
                path: self.path.clone(),
                row: RowError { unit: "record", number: self.records, kind: None, problem },
            })),
            Err(cause) => {
                self.ended = true;
                Some(Err(IoError::Read { path: self.path.clone(), cause }))
            }
        }
    }
}

/// Reads a whole FASTA file, plain or gzip.
///
/// # Errors
/// [`IoError`] if the file cannot be read, is empty, or has no usable record.
pub fn read(path: &Path) -> Result<Loaded<Vec<Target>>, IoError> {
    let mut loaded = Loaded { value: Vec::new(), rows: 0, refused: Vec::new() };
    for record in FastaReader::open(path)? {
        loaded.rows += 1;
        match record {
            Ok(target) => loaded.value.push(target),
            Err(IoError::Row { row, .. }) => loaded.refused.push(row),
            Err(error) => return Err(error),
        }
    }
    loaded.some(path.to_path_buf())
}

/// A sequence in capitals, without blanks and without the `*` at its end.
///
/// # Errors
/// What is wrong and at which residue, counted from 1.
pub fn residues(raw: &[u8]) -> Result<String, String> {
    let mut sequence = String::with_capacity(raw.len());
    let mut end = None;
    for &byte in raw.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if let Some(position) = end {
            return Err(format!("'*' at residue {position} is not at the end"));
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => sequence.push(char::from(byte.to_ascii_uppercase())),
            b'*' => end = Some(sequence.len() + 1),
            b' '..=b'~' => {
                return Err(format!("{:?} at residue {} is no amino acid", char::from(byte), sequence.len() + 1));
            }
            _ => return Err(format!("byte 0x{byte:02x} at residue {} is no amino acid", sequence.len() + 1)),
        }
    }
    if sequence.is_empty() { Err("no residues".to_owned()) } else { Ok(sequence) }
}

/// Passes over blank lines before a record.
fn skip_line_ends(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let blank = buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if blank == 0 {
            return Ok(());
        }
        reader.consume(blank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Vec<String> {
        FastaReader::new(text, Path::new("a.fa"))
            .map(|record| match record {
                Ok(target) => format!("{} {}", target.id, target.sequence),
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn sequences_over_lines_in_either_case() {
        let text = b"\r\n\n>P1 kinase\r\nMKv\r\n\r\nLL*\r\n>P2\nmj x\n";
        assert_eq!(records(text), ["P1 MKVLL", "P2 MJX"]);
        assert_eq!(records(b""), [""; 0]);
        assert_eq!(records(b">P1\nMK"), ["P1 MK"]);
    }

    #[test]
    fn refusals_name_record_and_residue() {
        let text = b">a\nMK1\n>b\nM*K\n>a\nMM\n>c\n>d\nM-K\n>\nMK\n>e\nM\xe9\n>f\nMK\n";
        let expected = [
            "a.fa, record 1: a: '1' at residue 3 is no amino acid",
            "a.fa, record 2: b: '*' at residue 2 is not at the end",
            "a.fa, record 3: the name a is that of record 1 already; names must differ",
            "a.fa, record 4: c: no residues",
            "a.fa, record 5: d: '-' at residue 2 is no amino acid",
            "a.fa, record 6: no name after '>'",
            "a.fa, record 7: e: byte 0xe9 at residue 2 is no amino acid",
            "f MK",
        ];
        assert_eq!(records(text), expected);
    }

    #[test]
    fn something_else_than_fasta_is_one_refusal() {
        let found = records(b"SMILES,Protein\nCC,MK\n>a\nMK\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("is this FASTA?"), "{found:?}");
        assert_eq!(found[1], "a MK");
    }

    #[test]
    fn a_sequence_without_end_is_not_kept() {
        let text = format!(">big\n{}\n>b\nMK\n", "A".repeat(MAX_RESIDUES + 1));
        let expected = [
            format!("a.fa, record 1: big has {} residues; at most {MAX_RESIDUES} are read", MAX_RESIDUES + 1),
            "b MK".to_owned(),
        ];
        assert_eq!(records(text.as_bytes()), expected);
    }
}
