//! FASTQ: reads with a quality for each base, four lines each.

use std::io::{self, BufRead};
use std::path::Path;

use super::text::{self, Lines};
use super::{Input, IoError, RowError};
use crate::sequence::normalise;

/// Lowest character of a quality; it stands for 0 (Cock et al. 2010, Nucleic Acids Res. 38:1767, Sanger variant).
const ZERO: u8 = b'!';

/// Highest quality that a printable character can stand for.
pub const MAX_QUALITY: u8 = b'~' - ZERO;

/// A read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FastqRecord {
    /// What stands between `@` and the first blank.
    pub name: String,
    /// What stands behind it.
    pub description: String,
    /// Upper-case letters.
    pub sequence: Vec<u8>,
    /// A Phred quality for each base, from 0 to [`MAX_QUALITY`].
    pub qualities: Vec<u8>,
}

/// Reads a FASTQ file read by read.
///
/// An [`IoError::Row`] concerns one read, the reader goes on behind its four lines; after any other error it has ended.
pub struct FastqReader<R> {
    lines: Lines<R>,
    ended: bool,
}

impl FastqReader<Input> {
    /// Opens a FASTQ file, plain or gzip.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self { lines: Lines::open(path)?, ended: false })
    }
}

impl<R: BufRead> FastqReader<R> {
    /// Reads from `reader`; messages name `path`.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { lines: Lines::new(reader, path), ended: false }
    }

    fn record(&mut self) -> Result<Option<FastqRecord>, IoError> {
        let mut lines: [String; 4] = Default::default();
        let (mut place, mut refused) = (0, None);
        while place < lines.len() {
            match self.lines.advance()? {
                None if place == 0 => return Ok(None),
                None => {
                    return Err(self.lines.problem("the file ends within the four lines of a read; it was cut short"));
                }
                // Blank lines between reads are passed over.
                Some(Ok(line)) if place == 0 && line.trim().is_empty() => continue,
                Some(Ok(line)) => lines[place].push_str(line.trim_end()),
                Some(Err(row)) => refused = refused.or(Some(row)),
            }
            place += 1;
        }
        let first = self.lines.number() - 3;
        let record = match refused {
            Some(row) => Err(row),
            None => parse(&lines).map_err(|(line, problem)| RowError::line(first + line, problem)),
        };
        record.map(Some).map_err(|row| IoError::row(self.lines.path(), row))
    }
}

/// A read of four lines, or the line (from 0) that is wrong and why.
fn parse([header, sequence, separator, qualities]: &[String; 4]) -> Result<FastqRecord, (u64, String)> {
    let header = header.strip_prefix('@').ok_or_else(|| {
        (0, "no '@' where a read should begin; is this FASTQ with four lines for each read?".to_owned())
    })?;
    let (name, description) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
    if name.is_empty() {
        return Err((0, "no name behind '@'".to_owned()));
    }
    let sequence = normalise(sequence.as_bytes()).map_err(|error| (1, format!("{name}: {error}")))?;
    match separator.strip_prefix('+') {
        Some(again) if again.is_empty() || again == header => {}
        Some(again) => return Err((2, format!("{name}: the line with '+' names another read, {again}"))),
        None => return Err((2, format!("{name}: no '+' between bases and qualities; reads must have four lines"))),
    }
    let (found, expected) = (qualities.len(), sequence.len());
    if found != expected {
        return Err((3, format!("{name}: {found} qualities for {expected} bases")));
    }
    if let Some(place) = qualities.bytes().position(|byte| !(ZERO..=b'~').contains(&byte)) {
        let byte = qualities.as_bytes()[place];
        return Err((3, format!("{name}: byte 0x{byte:02x} at base {} is no quality", place + 1)));
    }
    let qualities = qualities.bytes().map(|byte| byte - ZERO).collect();
    Ok(FastqRecord { name: name.to_owned(), description: description.trim_start().to_owned(), sequence, qualities })
}

impl<R: BufRead> Iterator for FastqReader<R> {
    type Item = Result<FastqRecord, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_) | Err(IoError::Row { .. })));
        record
    }
}

/// Reads all reads of a FASTQ file.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no read, and for the first read that cannot be used.
pub fn read_fastq(path: &Path) -> Result<Vec<FastqRecord>, IoError> {
    let records: Vec<_> = FastqReader::open(path)?.collect::<Result<_, _>>()?;
    if records.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "reads" }) } else { Ok(records) }
}

/// Writes reads.
///
/// # Errors
/// [`IoError::Atomic`], also for a read whose qualities do not fit its bases; the file of that name, if there was one,
/// is then untouched.
pub fn write_fastq<'a>(path: &Path, records: impl IntoIterator<Item = &'a FastqRecord>) -> Result<(), IoError> {
    text::write(path, |out| {
        for FastqRecord { name, description, sequence, qualities } in records {
            let (found, expected) = (qualities.len(), sequence.len());
            if found != expected || qualities.iter().any(|&quality| quality > MAX_QUALITY) {
                let problem = format!("{name}: {found} qualities up to {MAX_QUALITY} for {expected} bases are due");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
            }
            let blank = if description.is_empty() { "" } else { " " };
            writeln!(out, "@{name}{blank}{description}")?;
            out.write_all(sequence)?;
            out.write_all(b"\n+\n")?;
            out.write_all(&qualities.iter().map(|quality| quality + ZERO).collect::<Vec<_>>())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reads(text: &[u8]) -> Vec<String> {
        FastqReader::new(text, Path::new("a.fq"))
            .map(|read| match read {
                Ok(read) => {
                    format!("{}|{}|{}|{:?}", read.name, read.description, read.sequence.len(), read.qualities)
                }
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn reads_of_four_lines() {
        let text = b"@r1 first read\r\nACgN\r\n+\r\n!\"~I\r\n\n@r2\nA\n+r2\n#\n@r3\n\n+\n\n";
        assert_eq!(reads(text), ["r1|first read|4|[0, 1, 93, 40]", "r2||1|[2]", "r3||0|[]"]);
        assert_eq!(reads(b""), [""; 0]);
    }

    #[test]
    fn refusals_name_the_line_and_the_reader_goes_on() {
        let text = b"r0\nA\n+\n#\n@r1\nA.\n+\n##\n@r2\nA\n-\n#\n@r3\nA\n+r4\n#\n@r5\nAC\n+\n#\n\
                     @r6\nA\n+\n\x01\n@\nA\n+\n#\n@r7\nA\n+\n#\n@r8\nA\n";
        let expected = [
            "a.fq, line 1: no '@' where a read should begin",
            "a.fq, line 6: r1: '.' at base 2 is no nucleotide",
            "a.fq, line 11: r2: no '+' between bases and qualities",
            "a.fq, line 15: r3: the line with '+' names another read, r4",
            "a.fq, line 20: r5: 1 qualities for 2 bases",
            "a.fq, line 24: r6: byte 0x01 at base 1 is no quality",
            "a.fq, line 25: no name behind '@'",
            "r7||1|[2]",
            "a.fq, line 34: the file ends within the four lines of a read; it was cut short",
        ];
        let found = reads(text);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn files_of_reads() {
        let folder = tempfile::tempdir().unwrap();
        let read = FastqRecord {
            name: "r1".to_owned(),
            description: "x y".to_owned(),
            sequence: b"ACGTN".to_vec(),
            qualities: vec![0, 2, 40, 93, 5],
        };
        for name in ["a.fq", "a.fastq.gz"] {
            let path = folder.path().join(name);
            write_fastq(&path, [&read, &read]).unwrap();
            assert_eq!(read_fastq(&path).unwrap(), [read.clone(), read.clone()]);
        }
        let short = FastqRecord { qualities: vec![94; 5], ..read };
        assert!(
            write_fastq(&folder.path().join("b.fq"), [&short]).unwrap_err().to_string().contains("r1: 5 qualities")
        );
        assert!(!folder.path().join("b.fq").exists());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(
            prop_oneof![3 => Just(b'A'), 3 => Just(b'\n'), 1 => Just(b'@'), 1 => Just(b'+'), 1 => any::<u8>()], 0..80,
        )) {
            for text in reads(&bytes) {
                prop_assert!(text.contains('|') || text.starts_with("a.fq, line "), "{}", text);
            }
        }
    }
}
