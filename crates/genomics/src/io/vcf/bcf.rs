//! BCF files: records in frames of known length, turned into lines of VCF.
//!
//! The lengths are read here, so that a record that cannot be decoded is one record lost, and so that a wrong length
//! does not ask for gigabytes. The decoder is given one frame at a time, and where it panics, which it may on damaged
//! frames, the frame is refused as for any other reason.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use noodles::bcf;
use noodles::vcf::header::{ParseError, Parser, StringMaps};
use noodles::vcf::variant::io::Write as _;
use noodles::vcf::{self, Header};

use super::VcfHeader;
use super::header::MAX_HEADER;
use crate::io::{Input, IoError, MAX_LINE};

/// The records of a file.
pub(super) struct Frames {
    input: Input,
    header: Header,
    frame: Vec<u8>,
    number: u64,
}

impl Frames {
    /// Reads the header.
    pub(super) fn open(mut input: Input, path: &Path) -> Result<(Self, VcfHeader), IoError> {
        let text = header_text(&mut input).map_err(IoError::read(path))?;
        let (mut header, mut shown) = (HeaderParser::default(), VcfHeader::default());
        for line in text.lines().filter(|line| line.starts_with('#')) {
            header.push(line).map_err(|problem| IoError::format(path, problem))?;
            shown.push(without_index(line));
        }
        let header = header.finish().map_err(|problem| IoError::format(path, problem))?;
        Ok((Self { input, header, frame: Vec::new(), number: 0 }, shown))
    }

    /// Number of the record last read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next record as a line, or what is wrong with it.
    pub(super) fn advance(&mut self) -> io::Result<Option<Result<String, String>>> {
        self.frame.clear();
        match self.input.by_ref().take(8).read_to_end(&mut self.frame)? {
            0 => return Ok(None),
            8 => self.number += 1,
            _ => return Err(cut_short()),
        }
        let length = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |sum, &byte| (sum << 8) | u64::from(byte));
        let bytes = length(&self.frame[..4]) + length(&self.frame[4..8]);
        if bytes > MAX_LINE as u64 {
            let skipped = io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink())?;
            let problem = format!("it has {bytes} bytes, more than the {MAX_LINE} of the longest record that is read");
            return if skipped == bytes { Ok(Some(Err(problem))) } else { Err(cut_short()) };
        }
        if self.input.by_ref().take(bytes).read_to_end(&mut self.frame)? as u64 != bytes {
            return Err(cut_short());
        }
        Ok(Some(self.decode()))
    }

    fn decode(&self) -> Result<String, String> {
        let decoded = catch_unwind(AssertUnwindSafe(|| -> io::Result<Vec<u8>> {
            let mut record = bcf::Record::default();
            bcf::io::Reader::from(self.frame.as_slice()).read_record(&mut record)?;
            let mut writer = vcf::io::Writer::new(Vec::new());
            writer.write_variant_record(&self.header, &record)?;
            Ok(writer.into_inner())
        }));
        let bytes = match decoded {
            Ok(bytes) => bytes.map_err(|error| format!("it cannot be decoded: {error}"))?,
            Err(_) => return Err("it cannot be decoded".to_owned()),
        };
        let line = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        Ok(line.trim_end_matches('\n').to_owned())
    }
}

fn cut_short() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it ends within a record")
}

/// Magic number, version, length and text of the header.
fn header_text(input: &mut Input) -> io::Result<String> {
    let mut start = [0; 9];
    input.read_exact(&mut start)?;
    let invalid = |problem: String| io::Error::new(ErrorKind::InvalidData, problem);
    if start[3] != 2 {
        return Err(invalid(format!("version {}.{} of BCF is not supported", start[3], start[4])));
    }
    let length = u32::from_le_bytes([start[5], start[6], start[7], start[8]]);
    if length as usize > MAX_HEADER {
        return Err(invalid(format!("a header of {length} bytes")));
    }
    let mut text = Vec::new();
    if input.by_ref().take(u64::from(length)).read_to_end(&mut text)? != length as usize {
        return Err(cut_short());
    }
    // The text ends with a NUL, which may be repeated.
    while text.last() == Some(&0) {
        text.pop();
    }
    String::from_utf8(text).map_err(|_| invalid("the header is not UTF-8".to_owned()))
}

/// The line without the numbers that only BCF has.
fn without_index(line: &str) -> String {
    let bare = line.strip_suffix('>').and_then(|fields| {
        let (kept, index) = fields.rsplit_once(",IDX=")?;
        index.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{kept}>"))
    });
    bare.unwrap_or_else(|| line.to_owned())
}

/// Reads a header for the decoder, which wants it as the specification does.
#[derive(Default)]
struct HeaderParser {
    parser: Parser,
    maps: StringMaps,
}

impl HeaderParser {
    fn push(&mut self, line: &str) -> Result<(), String> {
        let distinct = if line.starts_with("##") { None } else { Some(distinct_samples(line)) };
        let line = distinct.as_deref().unwrap_or(line);
        let entry = match self.parser.parse_partial(line.as_bytes()) {
            Ok(entry) => entry,
            // The first definition holds.
            Err(
                ParseError::DuplicateInfoId(_)
                | ParseError::DuplicateFilterId(_)
                | ParseError::DuplicateFormatId(_)
                | ParseError::DuplicateAlternativeAlleleId(_)
                | ParseError::DuplicateContigId(_)
                | ParseError::InvalidRecordValue(_),
            ) => return Ok(()),
            // Only these are needed to decode records.
            Err(error) if !line.starts_with("##") || needed(line) => {
                return Err(format!("the header line {line:?} cannot be used: {error}"));
            }
            Err(_) => return Ok(()),
        };
        self.maps.insert_entry(&entry).map_err(|error| format!("the header line {line:?} cannot be used: {error}"))
    }

    fn finish(self) -> Result<Header, String> {
        let mut header = self.parser.finish().map_err(|error| format!("the header cannot be used: {error}"))?;
        *header.string_maps_mut() = self.maps;
        Ok(header)
    }
}

fn needed(line: &str) -> bool {
    ["##fileformat=", "##INFO=", "##FORMAT=", "##FILTER=", "##contig="].iter().any(|start| line.starts_with(start))
}

/// The line that names the columns, with a number added to sample names that were there before.
fn distinct_samples(line: &str) -> String {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let mut names = Vec::new();
    for (place, name) in line.split('\t').enumerate() {
        let count = seen.entry(name).or_default();
        *count += 1;
        names.push(if place < 9 || *count == 1 { name.to_owned() } else { format!("{name}\u{1}{count}") });
    }
    names.join("\t")
}
