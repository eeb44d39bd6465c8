//! What the text readers share: opening, lines of limited length, delimited fields, columns by name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::IoError;

/// Longest line that is read, in bytes. A pair of the longest human protein (titin, 34,350 residues) and a molecule
/// fits thirty times.
pub const MAX_LINE: usize = 1 << 20;

/// An opened file, decompressed where needed.
pub type Input = Box<dyn BufRead + Send>;

/// Opens a plain or gzip file and skips a UTF-8 byte-order mark.
///
/// # Errors
/// [`IoError::Open`] or [`IoError::Read`] with the path; the latter also for UTF-16 and for a folder.
pub fn open(path: &Path) -> Result<Input, IoError> {
    let file = File::open(path).map_err(|cause| IoError::Open { path: path.to_path_buf(), cause })?;
    decompressed(BufReader::with_capacity(1 << 16, file))
        .map_err(|cause| IoError::Read { path: path.to_path_buf(), cause })
}

/// As [`open`], for anything that can be read.
pub(super) fn decompressed(mut reader: impl BufRead + Send + 'static) -> io::Result<Input> {
    let gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut input: Input =
        if gzip { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader))) } else { Box::new(reader) };
    let head = input.fill_buf()?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        // Not `InvalidData`: nothing is damaged.
        return Err(io::Error::new(ErrorKind::Unsupported, "the text is UTF-16; save it as UTF-8"));
    }
    if head.starts_with(&[0xef, 0xbb, 0xbf]) {
        input.consume(3);
    }
    Ok(input)
}

/// The extension in lower case, that before `.gz` if there is one.
pub(super) fn extension(path: &Path) -> String {
    let lower = |path: &Path| path.extension().map(|ext| ext.to_string_lossy().to_lowercase()).unwrap_or_default();
    match lower(path).as_str() {
        "gz" => lower(Path::new(path.file_stem().unwrap_or_default())),
        other => other.to_owned(),
    }
}

/// What [`Lines::advance`] found.
pub(super) enum Line {
    /// A line, to be had from [`Lines::text`].
    Text,
    /// A line of this many bytes, more than [`MAX_LINE`].
    TooLong(u64),
    /// The end of the file.
    End,
}

/// Lines of limited length, with their numbers.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0 }
    }

    /// Number of the line last read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line; one that is too long is skipped without being kept.
    pub(super) fn advance(&mut self) -> io::Result<Line> {
        self.buffer.clear();
        let (mut length, mut found) = (0_u64, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            found = true;
            let (taken, ended) = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end, true),
                None => (chunk.len(), false),
            };
            let room = (MAX_LINE + 1).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&chunk[..taken.min(room)]);
            length += taken as u64;
            self.reader.consume(taken + usize::from(ended));
            if ended {
                break;
            }
        }
        if !found {
            return Ok(Line::End);
        }
        self.number += 1;
        if length > MAX_LINE as u64 {
            return Ok(Line::TooLong(length));
        }
        while self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(Line::Text)
    }

    /// The line last read, or what to say about it. A carriage return inside is refused: with the line ends of old Macs a
    /// file is one line, and most of it would be taken for a name.
    pub(super) fn text(&self) -> Result<&str, String> {
        let text = std::str::from_utf8(&self.buffer)
            .map_err(|error| format!("not UTF-8 at byte {}; convert the file", error.valid_up_to() + 1))?;
        if text.trim().contains('\r') {
            return Err("carriage returns inside the line, as old Macs ended lines; save the file with LF".to_owned());
        }
        Ok(text)
    }
}

pub(super) fn too_long(length: u64) -> String {
    format!("the line has {length} bytes; at most {MAX_LINE} are read")
}

/// Cuts a line at the delimiter. A field may stand in double quotes, a quote inside it is doubled (RFC 4180); a field
/// does not go on behind the end of the line, so that one stray quote cannot swallow the file.
pub(super) fn split(line: &str, delimiter: char) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut tail = quoted;
            loop {
                let Some(quote) = tail.find('"') else {
                    return Err("a quoted field is not closed on its line");
                };
                field.push_str(&tail[..quote]);
                tail = &tail[quote + 1..];
                let Some(more) = tail.strip_prefix('"') else { break };
                field.push('"');
                tail = more;
            }
            fields.push(field);
            if tail.is_empty() {
                return Ok(fields);
            }
            rest = tail.strip_prefix(delimiter).ok_or("text follows a closing quote")?;
        } else if let Some((field, tail)) = rest.split_once(delimiter) {
            fields.push(field.to_owned());
            rest = tail;
        } else {
            fields.push(rest.to_owned());
            return Ok(fields);
        }
    }
}

/// Position of a column: the one that the user named (exactly, else whatever its case), or the first of `usual` that is
/// there, whatever its case.
pub(super) fn column(header: &[String], named: Option<&str>, usual: &[&str]) -> Option<usize> {
    let any_case = |wanted: &str| header.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted));
    match named {
        Some(wanted) => header.iter().position(|name| name == wanted).or_else(|| any_case(wanted)),
        None => usual.iter().find_map(|wanted| any_case(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_and_quotes() {
        assert_eq!(split("a,,c", ',').unwrap(), ["a", "", "c"]);
        assert_eq!(split("", ',').unwrap(), [""]);
        assert_eq!(split("a,", ',').unwrap(), ["a", ""]);
        assert_eq!(split(r#""a,b","say ""x""",c"#, ',').unwrap(), ["a,b", r#"say "x""#, "c"]);
        assert_eq!(split(r#"a"b,c"#, ',').unwrap(), [r#"a"b"#, "c"]);
        assert!(split(r#""a,b"#, ',').is_err());
        assert!(split(r#""a"b,c"#, ',').is_err());
    }

    #[test]
    fn extensions_look_through_gz() {
        for (name, expected) in [("a.csv", "csv"), ("a.TSV.gz", "tsv"), ("b/a.smi.GZ", "smi"), ("a", ""), ("a.gz", "")]
        {
            assert_eq!(extension(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn lines_of_any_kind() {
        let long = "x".repeat(MAX_LINE + 2);
        let text = format!("one\r\n\ntwo\n{long}\nend");
        let mut lines = Lines::new(BufReader::with_capacity(7, Cursor::new(text)));
        let mut seen = Vec::new();
        loop {
            match lines.advance().unwrap() {
                Line::End => break,
                Line::Text => seen.push(format!("{} {}", lines.number(), lines.text().unwrap())),
                Line::TooLong(length) => seen.push(format!("{} too long {length}", lines.number())),
            }
        }
        assert_eq!(seen, ["1 one", "2 ", "3 two", &format!("4 too long {}", MAX_LINE + 2), "5 end"]);
    }

    #[test]
    fn carriage_returns_end_lines_only_before_a_line_feed() {
        let mut lines = Lines::new(&b"a\r\r\n\rb \r\n\r\n\r \r\na\rb\n\rc\r"[..]);
        let mut seen = Vec::new();
        while matches!(lines.advance().unwrap(), Line::Text) {
            seen.push(lines.text().map(|text| text.trim().to_owned()));
        }
        let refused = seen.remove(4).unwrap_err();
        assert!(refused.contains("old Macs") && refused.contains("save the file with LF"), "{refused}");
        let seen: Vec<String> = seen.into_iter().map(Result::unwrap).collect();
        assert_eq!(seen, ["a", "b", "", "", "c"]);
    }

    #[test]
    fn marks_at_the_start() {
        let mut input = decompressed(Cursor::new(b"\xef\xbb\xbfa".to_vec())).unwrap();
        assert_eq!(input.fill_buf().unwrap(), b"a");
        let error = decompressed(Cursor::new(b"\xff\xfea\0".to_vec())).err().unwrap();
        assert_eq!(error.to_string(), "the text is UTF-16; save it as UTF-8");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    proptest! {
        /// What a CSV writer quotes, `split` reads back.
        #[test]
        fn split_reverses_the_csv_writer(fields in proptest::collection::vec("[a-c,\"; ]{0,6}", 2..6)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split(line.trim_end_matches('\n'), ',').unwrap(), fields);
        }
    }
}
