//! The index of a FASTA file, as `samtools faidx` makes it (`.fai`): where each contig begins, and how its lines are
//! cut.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

use super::{IoError, filled};
use crate::genome::Genome;
use crate::io::open;
use crate::io::text::{self, Lines, number};
use crate::locus::MAX_POSITION;

/// One line of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Name of the contig.
    pub name: String,
    /// Number of its bases.
    pub length: u64,
    /// Where its first base stands in the uncompressed file, in bytes from 0.
    pub offset: u64,
    /// Bases in each line but the last.
    pub line_bases: u64,
    /// Bytes in each line but the last, with its end.
    pub line_width: u64,
}

impl IndexEntry {
    /// Where the base `place` (from 0) stands; `None` beyond what a file can have.
    pub(super) fn byte(&self, place: u64) -> Option<u64> {
        let lines = (place / self.line_bases).checked_mul(self.line_width)?;
        self.offset.checked_add(lines)?.checked_add(place % self.line_bases)
    }
}

/// Reads an index (`.fai`).
///
/// # Errors
/// [`IoError`] if it cannot be read, is empty, or has a line that is no entry or names a contig again.
pub fn read_index(path: &Path) -> Result<Vec<IndexEntry>, IoError> {
    let mut lines = Lines::open(path)?;
    let (mut entries, mut names) = (Vec::new(), HashSet::new());
    while let Some(line) = lines.text()? {
        let entry = entry(line);
        match entry {
            Err(problem) => return Err(lines.problem(problem)),
            Ok(entry) if !names.insert(entry.name.clone()) => {
                return Err(lines.problem(format!("contig {} is there already", entry.name)));
            }
            Ok(entry) => entries.push(entry),
        }
    }
    if entries.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "entries" }) } else { Ok(entries) }
}

fn entry(line: &str) -> Result<IndexEntry, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, length, offset, bases, width] = fields[..] else {
        return Err(format!("{} columns where an index has 5; make it anew with samtools faidx", fields.len()));
    };
    let entry = IndexEntry {
        name: name.to_owned(),
        length: number(length, "length")?,
        offset: number(offset, "offset")?,
        line_bases: number(bases, "bases in a line")?,
        line_width: number(width, "bytes in a line")?,
    };
    let sound = entry.line_bases > 0 && entry.line_width >= entry.line_bases && entry.length <= MAX_POSITION as u64;
    if !sound || entry.byte(entry.length).is_none() {
        return Err(format!(
            "{name}: {length} bases in lines of {bases} bases and {width} bytes; make the index anew with samtools \
             faidx"
        ));
    }
    Ok(entry)
}

/// Makes the index of a FASTA file, as `samtools faidx` does.
///
/// # Errors
/// [`IoError`] if the file cannot be read, or its lines differ in length within a record.
pub fn build_index(path: &Path) -> Result<Vec<IndexEntry>, IoError> {
    let mut reader = open(path)?;
    let (mut entries, mut names) = (Vec::<IndexEntry>::new(), HashSet::new());
    let (mut offset, mut number, mut shorter) = (0, 0, false);
    // The mark is passed over when a file is opened.
    if starts_with_mark(path)? {
        offset = 3;
    }
    loop {
        let (head, width, bases) = measured(&mut reader).map_err(IoError::read(path))?;
        if width == 0 {
            break;
        }
        number += 1;
        offset += width;
        let problem = |problem: String| Err(IoError::line(path, number, problem));
        if let Some(header) = head.strip_prefix(b">") {
            let header = String::from_utf8_lossy(header);
            let name = header.split_whitespace().next().unwrap_or_default().to_owned();
            if name.is_empty() || !names.insert(name.clone()) {
                return problem(format!("the name {name:?} is missing or there already; names must differ"));
            }
            entries.push(IndexEntry { name, length: 0, offset, line_bases: 0, line_width: 0 });
            shorter = false;
            continue;
        }
        let Some(entry) = entries.last_mut() else {
            if bases == 0 {
                continue;
            }
            return problem("text before the first '>'; is this FASTA?".to_owned());
        };
        if entry.length == 0 {
            // Blank lines behind the header come before the first base.
            if bases == 0 {
                entry.offset = offset;
                continue;
            }
            (entry.line_bases, entry.line_width) = (bases, width);
        } else if bases > 0 && (shorter || bases > entry.line_bases) {
            return problem(format!(
                "{}: lines differ in length, so that it cannot be indexed; fold it anew",
                entry.name
            ));
        }
        // The last line may be shorter, and may lack its end.
        shorter |= bases < entry.line_bases || width < entry.line_width;
        entry.length += bases;
    }
    match entries.iter().find(|entry| entry.length == 0) {
        Some(entry) => {
            Err(IoError::format(path, format!("{} has no bases; drop it, or get the file again", entry.name)))
        }
        None if entries.is_empty() => Err(IoError::Empty { path: path.to_path_buf(), what: "records" }),
        None => Ok(entries),
    }
}

fn starts_with_mark(path: &Path) -> Result<bool, IoError> {
    let cause = |cause| IoError::Open { path: path.to_path_buf(), cause };
    let mut head = Vec::new();
    File::open(path).map_err(cause)?.take(3).read_to_end(&mut head).map_err(cause)?;
    Ok(head == b"\xef\xbb\xbf")
}

/// The beginning of the next line, its length with its end, and without blanks at its end.
fn measured(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, u64, u64)> {
    let (mut head, mut width, mut blank) = (Vec::new(), 0, 0);
    loop {
        let chunk = filled(reader)?;
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|&byte| byte == b'\n');
        let piece = &chunk[..end.unwrap_or(chunk.len())];
        head.extend_from_slice(&piece[..piece.len().min(super::MAX_HEADER - head.len())]);
        let trailing = piece.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count() as u64;
        blank = if trailing == piece.len() as u64 { blank + trailing } else { trailing };
        let taken = piece.len() + usize::from(end.is_some());
        width += taken as u64;
        reader.consume(taken);
        if end.is_some() {
            return Ok((head, width, width - 1 - blank));
        }
    }
    Ok((head, width, width - blank))
}

/// Writes an index; it belongs beside the file, under its name with `.fai` behind.
///
/// # Errors
/// [`IoError::Atomic`].
pub fn write_index(path: &Path, entries: &[IndexEntry]) -> Result<(), IoError> {
    text::write(path, |out| {
        for IndexEntry { name, length, offset, line_bases, line_width } in entries {
            writeln!(out, "{name}\t{length}\t{offset}\t{line_bases}\t{line_width}")?;
        }
        Ok(())
    })
}

/// Fails if there is an index beside the file and it tells of other contigs than the genome that was read from it.
pub(super) fn check(path: &Path, genome: &Genome) -> Result<(), IoError> {
    let beside = path.with_added_extension("fai");
    if !beside.exists() {
        return Ok(());
    }
    let entries = read_index(&beside)?;
    let told: Vec<(&str, usize)> = entries.iter().map(|entry| (entry.name.as_str(), entry.length as usize)).collect();
    let found: Vec<(&str, usize)> = genome.contigs().collect();
    if told == found {
        return Ok(());
    }
    let place = told.iter().zip(&found).take_while(|(told, found)| told == found).count();
    let shown = |list: &[(&str, usize)]| {
        list.get(place).map_or_else(|| "nothing".to_owned(), |(name, length)| format!("{name} with {length} bases"))
    };
    let (told, found) = (shown(&told), shown(&found));
    let problem = format!(
        "it is not the index of {}: contig {} is {told} in the index and {found} in the file; make it anew with \
         samtools faidx, or remove it",
        path.display(),
        place + 1
    );
    Err(IoError::Format { path: beside, problem })
}
