//! Delimited text: plain or gzip files with a heading, one row at a time.
//!
//! A byte-order mark is skipped, UTF-16 is refused with what to do about it. A row with more or fewer fields than the
//! heading, or with bytes that are no UTF-8, is a [`RowError`] with its line, and the reader goes on behind it; a file
//! that breaks off, or a quotation mark that never ends, is an [`IoError`]. Names of columns are compared in small
//! letters.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::bufread::MultiGzDecoder;

use super::{IoError, RowError};
use crate::time::{Form, Time};

/// Longest row that is read, in bytes: longer than any clinical note, and short enough that a quotation mark without
/// its end is found out before the memory is full.
pub const MAX_ROW: usize = 64 << 20;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// What may stand between two fields; of equally frequent ones the first is taken.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// An opened file, decompressed where needed.
pub type Input = Box<dyn BufRead + Send>;

/// Opens a plain or gzip file, told apart by its first bytes, and skips a UTF-8 byte-order mark.
///
/// # Errors
/// [`IoError::Open`], or [`IoError::Read`] if it cannot be decompressed or is UTF-16.
pub fn open(path: &Path) -> Result<Input, IoError> {
    let file = File::open(path).map_err(IoError::open(path))?;
    if file.metadata().map_err(IoError::open(path))?.is_dir() {
        let problem = "it is a folder; name a file in it";
        return Err(IoError::open(path)(io::Error::new(ErrorKind::IsADirectory, problem)));
    }
    decompressed(BufReader::with_capacity(BUFFER, file)).map_err(IoError::read(path))
}

/// As [`open`], for anything that can be read.
///
/// # Errors
/// What the input or the decompressor says, or that the text is UTF-16.
pub fn decompressed(mut reader: impl BufRead + Send + 'static) -> io::Result<Input> {
    let packed = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut input: Input =
        if packed { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader))) } else { Box::new(reader) };
    let head = input.fill_buf()?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(io::Error::new(ErrorKind::InvalidData, "the text is UTF-16; save it as UTF-8"));
    }
    if head.starts_with(&[0xef, 0xbb, 0xbf]) {
        input.consume(3);
    }
    Ok(input)
}

/// Reads the rows of a file.
pub struct Reader {
    path: PathBuf,
    rows: ::csv::Reader<Limited>,
    header: Vec<String>,
    record: ::csv::StringRecord,
    raw: ::csv::ByteRecord,
}

/// Fails where one row goes on for longer than any row is.
struct Limited {
    inner: Input,
    left: usize,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let problem = || format!("a row has more than {MAX_ROW} bytes; a quotation mark may have no end");
        self.left = self.left.checked_sub(read).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, problem()))?;
        Ok(read)
    }
}

impl Reader {
    /// Opens a file; what stands between its fields (comma, tab, semicolon or bar) is taken from the heading.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened, is empty, or names a column twice.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        Self::new(open(path)?, path)
    }

    /// Reads from anything; `path` stands in messages.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(mut input: Input, path: &Path) -> Result<Self, IoError> {
        let head = input.fill_buf().map_err(IoError::read(path))?;
        let delimiter = delimiter(head.split(|byte| *byte == b'\n').next().unwrap_or_default());
        let mut builder = ::csv::ReaderBuilder::new();
        // Where a carriage return may end a row too, that row is reported one line too early.
        builder.flexible(true).delimiter(delimiter).terminator(::csv::Terminator::Any(b'\n')).buffer_capacity(BUFFER);
        let mut rows = builder.from_reader(Limited { inner: input, left: MAX_ROW });
        let heading = rows.byte_headers().map_err(|error| broken(path, error))?;
        let names = heading.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase());
        let header: Vec<String> = names.collect();
        if header.iter().all(String::is_empty) {
            return Err(IoError::format(path, "there is no heading; the first line must name the columns"));
        }
        if header.iter().any(|name| name.contains('\r')) {
            return Err(IoError::format(path, "its lines end in carriage returns alone; save it with line feeds"));
        }
        let mut sorted: Vec<&String> = header.iter().filter(|name| !name.is_empty()).collect();
        sorted.sort_unstable();
        if let Some([name, _]) = sorted.array_windows().find(|[one, other]| one == other) {
            return Err(IoError::format(path, format!("the column {name} is there twice; rename one of them")));
        }
        let (record, raw) = (::csv::StringRecord::new(), ::csv::ByteRecord::new());
        Ok(Self { path: path.to_path_buf(), rows, header, record, raw })
    }

    /// The file, as messages name it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns, in small letters.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where a column is.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|known| known.eq_ignore_ascii_case(name))
    }

    /// Where a column is without which nothing can be read.
    ///
    /// # Errors
    /// [`IoError::Column`].
    pub fn need(&self, name: &str) -> Result<usize, IoError> {
        self.find(name).ok_or_else(|| IoError::column(&self.path, name, &self.header))
    }

    /// The line on which the row last read begins. The position of a row is that of the empty lines before it, so the
    /// line is counted back from the row's end; a last row without one has nothing before it but its position.
    fn line(&self) -> u64 {
        let within = self.raw.as_slice().split(|byte| *byte == b'\n').count() as u64;
        let position = self.raw.position().map_or(0, ::csv::Position::line);
        self.rows.position().line().saturating_sub(within).max(position)
    }

    /// The next row, or what is wrong with it; `None` behind the last.
    ///
    /// # Errors
    /// [`IoError::Read`] if the file breaks off; nothing more comes then.
    pub fn advance(&mut self) -> Result<Option<Result<Row<'_>, RowError>>, IoError> {
        loop {
            self.rows.get_mut().left = MAX_ROW;
            if !self.rows.read_byte_record(&mut self.raw).map_err(|error| broken(&self.path, error))? {
                return Ok(None);
            }
            // Lines with nothing but their end are no rows.
            if self.raw.len() != 1 || self.raw.get(0) != Some(&b"\r"[..]) {
                break;
            }
        }
        let line = self.line();
        if self.raw.len() != self.header.len() {
            let (found, expected) = (self.raw.len(), self.header.len());
            let problem = format!("it has {found} fields where the heading has {expected}; check its quotation marks");
            return Ok(Some(Err(RowError::line(line, problem))));
        }
        match ::csv::StringRecord::from_byte_record(std::mem::take(&mut self.raw)) {
            Ok(record) => {
                // The room of the last record is used again for the next one.
                self.raw = std::mem::replace(&mut self.record, record).into_byte_record();
                Ok(Some(Ok(Row { record: &self.record, line })))
            }
            Err(error) => {
                let at = error.utf8_error().field() + 1;
                let problem = format!("field {at} is not UTF-8; convert the file");
                Ok(Some(Err(RowError::line(line, problem))))
            }
        }
    }
}

/// One row, which has as many fields as the heading.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    record: &'a ::csv::StringRecord,
    line: u64,
}

impl<'a> Row<'a> {
    /// The line on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// A field without the blanks around it; empty if it is, or if there is no such column.
    pub fn get(&self, column: usize) -> &'a str {
        self.record.get(column).unwrap_or_default().trim()
    }

    /// A field that is not empty, of a column that may be absent.
    pub fn text(&self, column: Option<usize>) -> Option<&'a str> {
        column.map(|column| self.get(column)).filter(|text| !text.is_empty())
    }

    /// A number, or `None` for an empty field.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse<T: FromStr>(&self, column: usize) -> Result<Option<T>, String> {
        let text = self.get(column);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| format!("{text:?} is no number that fits there"))
    }

    /// A time as [`Time::read`] reads it, or `None` for an empty field.
    ///
    /// # Errors
    /// That it is no time.
    pub fn time(&self, column: usize) -> Result<Option<(Time, Form)>, String> {
        let text = self.get(column);
        if text.is_empty() {
            return Ok(None);
        }
        Time::read(text).map(Some).ok_or_else(|| format!("{text:?} is no date; write it as 2130-04-01 12:00:00"))
    }

    /// An error about this row.
    pub fn problem(&self, path: &Path, problem: impl Into<String>) -> IoError {
        IoError::line(path, self.line, problem)
    }
}

/// What stands most often between the fields of a heading; what stands within quotation marks is not counted.
fn delimiter(heading: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in heading {
        quoted ^= *byte == b'"';
        if let (false, Some(which)) = (quoted, DELIMITERS.iter().position(|delimiter| delimiter == byte)) {
            counts[which] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let first = counts.iter().position(|count| *count == most).unwrap_or_default();
    DELIMITERS[first]
}

/// The input broke off; what the operating system said stays what it is.
fn broken(path: &Path, error: ::csv::Error) -> IoError {
    let cause = match error.into_kind() {
        ::csv::ErrorKind::Io(cause) => cause,
        other => io::Error::new(ErrorKind::InvalidData, format!("{other:?}")),
    };
    IoError::Read { path: path.to_path_buf(), cause }
}

#[cfg(test)]
mod tests;
