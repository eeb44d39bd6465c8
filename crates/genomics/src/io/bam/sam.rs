//! SAM, the text (SAM specification, section 1).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::{AlignedRead, Contig, Header, Source};
use crate::io::text::{Input, Lines, number};
use crate::io::{IoError, RowError};
use crate::locus::MAX_POSITION;

/// A file that is read from its start to its end.
pub(super) struct Sam {
    lines: Lines<Input>,
    contigs: HashMap<String, usize>,
    /// The first record, which told that the header was over.
    held: Option<String>,
}

/// Whether the first line of a header says that the file is sorted by coordinate.
pub(super) fn sorted(line: &[u8]) -> bool {
    line.starts_with(b"@HD\t")
        && line.trim_ascii_end().split(|&byte| byte == b'\t').any(|field| field == b"SO:coordinate")
}

impl Sam {
    /// Opens a file; without contigs in its header, those that are `given` are taken.
    pub(super) fn open(path: &Path, given: &[(String, u64)]) -> Result<(Header, Self), IoError> {
        let mut lines = Lines::open(path)?;
        let mut header = Header { contigs: Vec::new(), sorted: false };
        let mut held = None;
        while let Some(line) = lines.text()? {
            if !line.starts_with('@') {
                held = Some(line.to_owned());
                break;
            }
            header.sorted |= sorted(line.as_bytes());
            if line.starts_with("@SQ\t") {
                match contig(line) {
                    Ok(contig) => header.contigs.push(contig),
                    Err(problem) => return Err(lines.problem(problem)),
                }
            }
        }
        if header.contigs.is_empty() {
            header.contigs.extend(given.iter().map(|(name, length)| Contig {
                name: Arc::from(name.as_str()),
                length: *length,
                exact: true,
            }));
        }
        let contigs: HashMap<String, usize> =
            header.contigs.iter().enumerate().map(|(place, contig)| (contig.name.to_string(), place)).collect();
        Ok((header, Self { lines, contigs, held }))
    }
}

impl Source for Sam {
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool> {
        let said = |error: IoError| match error {
            IoError::Read { cause, .. } => cause,
            IoError::Row { row, .. } => io::Error::new(ErrorKind::InvalidData, row),
            other => io::Error::other(other),
        };
        let parsed = match self.held.take() {
            Some(line) => parse(&line, &self.contigs, read),
            None => loop {
                match self.lines.text().map_err(said)? {
                    None => return Ok(false),
                    // A blank line at the end of a file that was written by hand.
                    Some("") => {}
                    Some(line) => break parse(line, &self.contigs, read),
                }
            },
        };
        let row =
            |problem: String| io::Error::new(ErrorKind::InvalidData, RowError::line(self.lines.number(), problem));
        parsed.map(|()| true).map_err(row)
    }
}

fn contig(line: &str) -> Result<Contig, String> {
    let field = |tag: &str| line.split('\t').find_map(|field| field.strip_prefix(tag));
    let (Some(name), Some(length)) = (field("SN:"), field("LN:")) else {
        return Err("an @SQ line without SN or LN".to_owned());
    };
    let length: u64 = number(length, "LN")?;
    if length == 0 || length > MAX_POSITION as u64 {
        return Err(format!("contig {name} has {length} bases; 1 to {MAX_POSITION} are possible"));
    }
    Ok(Contig { name: Arc::from(name), length, exact: true })
}

fn parse(line: &str, contigs: &HashMap<String, usize>, read: &mut AlignedRead) -> Result<(), String> {
    let mut fields = line.split('\t');
    let mut field =
        |name: &str| fields.next().ok_or_else(|| format!("the record ends before its {name}; tabs are between fields"));
    let name = field("QNAME")?;
    let flags: u16 = number(field("FLAG")?, "FLAG")?;
    let contig = field("RNAME")?;
    let start: i64 = number(field("POS")?, "POS")?;
    let mapping_quality: u8 = number(field("MAPQ")?, "MAPQ")?;
    let cigar = field("CIGAR")?;
    let mate_contig = field("RNEXT")?;
    let mate_start: i64 = number(field("PNEXT")?, "PNEXT")?;
    let template_length: i64 = number(field("TLEN")?, "TLEN")?;
    let sequence = field("SEQ")?;
    let quality = field("QUAL")?;

    let known = |name: &str| match name {
        "*" => Ok(None),
        _ if contigs.is_empty() => {
            Err("the header names no contigs (@SQ lines); give their names and lengths".to_owned())
        }
        name => contigs.get(name).copied().map(Some).ok_or_else(|| format!("contig {name} is not in the header")),
    };
    for (column, value) in [("POS", start), ("PNEXT", mate_start)] {
        if !(0..=MAX_POSITION).contains(&value) {
            return Err(format!("{column} is {value}; 0 to {MAX_POSITION} are possible"));
        }
    }
    if !(-MAX_POSITION..=MAX_POSITION).contains(&template_length) {
        return Err(format!("TLEN is {template_length}; -{MAX_POSITION} to {MAX_POSITION} are possible"));
    }
    read.clear();
    read.contig = known(contig)?;
    read.start = start - 1;
    read.flags = flags;
    read.mapping_quality = mapping_quality;
    read.mate_contig = if mate_contig == "=" { read.contig } else { known(mate_contig)? };
    read.mate_start = mate_start - 1;
    read.template_length = template_length;
    if name != "*" {
        read.name.extend_from_slice(name.as_bytes());
    }
    let bases = operations(cigar, read)?;
    if sequence != "*" {
        if cigar != "*" && bases != sequence.len() as u64 {
            return Err(format!("the CIGAR has {bases} bases of the read, SEQ has {}", sequence.len()));
        }
        if quality != "*" && quality.len() != sequence.len() {
            return Err(format!("QUAL has {} letters, SEQ has {}", quality.len(), sequence.len()));
        }
    }
    // A read at position 0 has no place, whatever its contig says.
    if read.start < 0 {
        read.contig = None;
    }
    Ok(())
}

/// Reads a CIGAR, and counts the bases of the read in it.
fn operations(cigar: &str, read: &mut AlignedRead) -> Result<u64, String> {
    if cigar == "*" {
        return Ok(0);
    }
    let (mut total, mut digits, mut length) = (0, 0, 0_u64);
    for letter in cigar.bytes() {
        if letter.is_ascii_digit() {
            digits += 1;
            length = 10 * length + u64::from(letter - b'0');
            if length > MAX_POSITION as u64 {
                return Err(format!("the CIGAR has an operation of more than {MAX_POSITION} bases"));
            }
            continue;
        }
        if digits == 0 {
            return Err(format!("the CIGAR {cigar} has an operation without a number"));
        }
        read.push(letter, length)?;
        if b"MIS=X".contains(&letter) {
            total += length;
        }
        (digits, length) = (0, 0);
    }
    if digits > 0 || cigar.is_empty() {
        return Err(format!("the CIGAR {cigar:?} ends without an operation"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<AlignedRead, String> {
        let contigs = HashMap::from([("chr1".to_owned(), 0), ("chr2".to_owned(), 1)]);
        let mut read = AlignedRead::default();
        parse(line, &contigs, &mut read).map(|()| read)
    }

    #[test]
    fn a_record() {
        let read = parsed("r1\t99\tchr2\t7\t30\t4M1D2S\t=\t37\t-39\tACGTAC\t*\tNM:i:1").unwrap();
        assert_eq!((read.contig, read.start, read.end()), (Some(1), 6, 11));
        assert_eq!((read.mate_contig, read.mate_start, read.template_length), (Some(1), 36, -39));
        assert_eq!((read.flags, read.mapping_quality, read.name.as_slice()), (99, 30, b"r1".as_slice()));
        let placeless = parsed("*\t4\t*\t0\t255\t*\t*\t0\t0\t*\t*").unwrap();
        assert_eq!((placeless.contig, placeless.start, placeless.name.len()), (None, -1, 0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, part) in [
            ("r1\t99\tchr2\t7", "ends before its MAPQ"),
            ("r1\tx\tchr2\t7\t30\t4M\t*\t0\t0\t*\t*", "FLAG \"x\""),
            ("r1\t0\tchr3\t7\t30\t4M\t*\t0\t0\t*\t*", "contig chr3 is not in the header"),
            ("r1\t0\tchr1\t7\t30\tM4\t*\t0\t0\t*\t*", "without a number"),
            ("r1\t0\tchr1\t7\t30\t4\t*\t0\t0\t*\t*", "ends without an operation"),
            ("r1\t0\tchr1\t7\t30\t4B\t*\t0\t0\t*\t*", "none of MIDNSHP=X"),
            ("r1\t0\tchr1\t7\t30\t4M\t*\t0\t0\tACG\t*", "the CIGAR has 4 bases"),
            ("r1\t0\tchr1\t7\t30\t3M\t*\t0\t0\tACG\tII", "QUAL has 2 letters"),
            ("r1\t0\tchr1\t-7\t30\t3M\t*\t0\t0\t*\t*", "POS is -7"),
            ("r1\t0\tchr1\t7\t300\t3M\t*\t0\t0\t*\t*", "MAPQ"),
            ("r1\t0\tchr1\t7\t30\t99999999999999999999M\t*\t0\t0\t*\t*", "more than"),
        ] {
            let problem = parsed(line).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn how_a_file_is_sorted() {
        assert!(sorted(b"@HD\tVN:1.6\tSO:coordinate\r"));
        assert!(sorted(b"@HD\tVN:1.6\tSO:coordinate\tSS:x"));
        assert!(!sorted(b"@HD\tVN:1.6\tSO:queryname"));
        assert!(!sorted(b"@CO\tSO:coordinate"));
    }
}
