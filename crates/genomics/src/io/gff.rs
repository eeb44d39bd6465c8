//! GFF3 and GTF: features line by line, and the genes, transcripts and starts of transcription that they make.
//!
//! Which of the two a line is shows in its last column (`key=value` or `key "value"`). Positions count from 1 in the
//! file and from 0 here. What the file writes as the start of a gene on the reverse strand is where its transcription
//! ends: [`Gene::tss`] knows.

mod genes;

use std::io::BufRead;
use std::path::Path;

pub use self::genes::{Annotation, Gene, Transcript, read_gff};
use super::text::{Contigs, Lines, number};
use super::{Input, IoError};
use crate::locus::{Locus, Strand};

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Where it lies; on the forward strand if the file does not say.
    pub locus: Locus,
    /// Whether the file says on which strand.
    pub stranded: bool,
    /// Column 2.
    pub source: String,
    /// Column 3: `gene`, `exon`, `CDS`, …
    pub kind: String,
    /// Column 6.
    pub score: Option<f64>,
    /// Column 8: bases before the next codon, 0 to 2.
    pub phase: Option<u8>,
    /// Column 9, in order; a key may come again.
    pub attributes: Vec<(String, String)>,
    /// Whether the line is GTF.
    pub gtf: bool,
}

impl Feature {
    /// The first attribute of that name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Reads features one by one, up to the sequences that a GFF3 file may end with.
///
/// An [`IoError::Row`] concerns one line, the reader goes on behind it; after any other error it has ended.
pub struct GffReader<R> {
    lines: Lines<R>,
    contigs: Contigs,
    ended: bool,
}

impl GffReader<Input> {
    /// Opens a file, plain or gzip.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self { lines: Lines::open(path)?, contigs: Contigs::default(), ended: false })
    }
}

impl<R: BufRead> GffReader<R> {
    /// Reads from `reader`; messages name `path`.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { lines: Lines::new(reader, path), contigs: Contigs::default(), ended: false }
    }

    fn feature(&mut self) -> Result<Option<Feature>, IoError> {
        let parsed = loop {
            match self.lines.advance()? {
                None => return Ok(None),
                Some(Err(row)) => return Err(IoError::row(self.lines.path(), row)),
                Some(Ok(line)) if line.starts_with("##FASTA") || line.starts_with('>') => return Ok(None),
                Some(Ok(line)) if line.trim().is_empty() || line.starts_with('#') => {}
                Some(Ok(line)) => break parse(line, &mut self.contigs),
            }
        };
        parsed.map(Some).map_err(|problem| self.lines.problem(problem))
    }
}

impl<R: BufRead> Iterator for GffReader<R> {
    type Item = Result<Feature, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let feature = self.feature().transpose();
        self.ended = !matches!(feature, Some(Ok(_) | Err(IoError::Row { .. })));
        feature
    }
}

fn parse(line: &str, contigs: &mut Contigs) -> Result<Feature, String> {
    let fields: Vec<&str> = line.splitn(9, '\t').map(str::trim).collect();
    let &[contig, source, kind, start, end, score, strand, phase, ref rest @ ..] = fields.as_slice() else {
        return Err(format!("{} columns with tabs between where GFF and GTF have 9", fields.len()));
    };
    if contig.is_empty() || kind.is_empty() {
        return Err("no name of a contig or of a feature".to_owned());
    }
    let (first, last): (i64, i64) = (number(start, "start")?, number(end, "end")?);
    if first < 1 || last < first {
        return Err(format!("start {first} and end {last}; both count from 1, and the end is not before the start"));
    }
    let mut locus = Locus::from_one_based(contigs.get(contig), first, last).map_err(|error| error.to_string())?;
    locus.strand = match strand {
        "+" | "." | "?" => Strand::Forward,
        "-" => Strand::Reverse,
        other => return Err(format!("strand {other:?}; +, -, . or ? are due")),
    };
    let score = if score == "." { None } else { Some(number(score, "score")?) };
    let phase = match phase {
        "0" => Some(0),
        "1" => Some(1),
        "2" => Some(2),
        "." => None,
        other => return Err(format!("phase {other:?}; 0, 1, 2 or . are due")),
    };
    let text = rest.first().copied().filter(|text| *text != ".").unwrap_or_default();
    let gtf = is_gtf(text);
    let attributes = if gtf { gtf_attributes(text)? } else { gff_attributes(text)? };
    Ok(Feature {
        locus,
        stranded: matches!(strand, "+" | "-"),
        source: source.to_owned(),
        kind: kind.to_owned(),
        score,
        phase,
        attributes,
        gtf,
    })
}

/// The key of the first attribute ends with `=` in GFF3 and with a blank in GTF.
fn is_gtf(text: &str) -> bool {
    text.find(['=', ' ', '"']).is_some_and(|place| !text[place..].starts_with('='))
}

fn gtf_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut attributes = Vec::new();
    let mut rest = text.trim_start_matches([' ', ';']);
    while !rest.is_empty() {
        let Some((key, tail)) = rest.split_once(' ') else {
            return Err(format!("attribute {rest:?} has no value; is the line cut off?"));
        };
        let tail = tail.trim_start();
        let (value, behind) = match tail.strip_prefix('"') {
            Some(quoted) => {
                let open = || format!("the value of {key} has no closing quote; is the line cut off?");
                quoted.split_once('"').ok_or_else(open)?
            }
            None => tail.split_once(';').unwrap_or((tail, "")),
        };
        attributes.push((key.to_owned(), value.trim().to_owned()));
        rest = behind.trim_start_matches([' ', ';']);
    }
    Ok(attributes)
}

fn gff_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("attribute {part:?} has no value"))?;
            Ok((decoded(key), decoded(value)))
        })
        .collect()
}

/// Text with `%XX` for the characters that have a meaning in GFF3.
fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
