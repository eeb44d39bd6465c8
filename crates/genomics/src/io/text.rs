//! What the readers and writers of text share: opening, lines of limited length, whole files under a temporary name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use nn_core::atomic;
use noodles::bgzf;

use super::{IoError, RowError};

/// Longest line that is read, in bytes; the longest nanopore reads have 4 million bases. Sequence lines of FASTA are
/// not held whole, and may be longer.
pub const MAX_LINE: usize = 1 << 24;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// The block that ends a bgzip file (SAM specification, section 4.1.2).
const END_MARKER: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An opened file, decompressed where needed.
pub type Input = Box<dyn BufRead + Send>;

/// Opens a plain, gzip or bgzip file and skips a UTF-8 byte-order mark.
///
/// # Errors
/// [`IoError::Open`], or [`IoError::Read`] if it cannot be decompressed, is UTF-16, or is a bgzip file without its end.
pub fn open(path: &Path) -> Result<Input, IoError> {
    let cannot_open = |cause| IoError::Open { path: path.to_path_buf(), cause };
    let file = File::open(path).map_err(cannot_open)?;
    if file.metadata().map_err(cannot_open)?.is_dir() {
        return Err(cannot_open(io::Error::new(ErrorKind::IsADirectory, "it is a folder; name a file in it")));
    }
    opened(file).map_err(IoError::read(path))
}

fn opened(mut file: File) -> io::Result<Input> {
    if blocked(&mut file)? {
        check_end(&mut file)?;
    }
    decompressed(BufReader::with_capacity(BUFFER, file))
}

/// Whether a file is compressed in blocks, as bgzip does. The file is at its start again afterwards.
pub(super) fn blocked(file: &mut File) -> io::Result<bool> {
    // What is no file (a pipe) cannot be rewound.
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    Read::take(&mut *file, 18).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head.len() == 18 && head.starts_with(&END_MARKER[..4]) && head[12..16] == END_MARKER[12..16])
}

/// Fails if a bgzip file has no end marker. The file is at its start again afterwards.
pub(super) fn check_end(file: &mut File) -> io::Result<()> {
    let mut tail = [0; END_MARKER.len()];
    let length = file.metadata()?.len();
    if length >= tail.len() as u64 {
        file.seek(SeekFrom::Start(length - tail.len() as u64))?;
        file.read_exact(&mut tail)?;
        file.rewind()?;
    }
    if tail == END_MARKER {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::UnexpectedEof,
        "the end marker of bgzip is missing; get it again or compress it anew",
    ))
}

/// As [`open`], for anything that can be read.
pub(super) fn decompressed(mut reader: impl BufRead + Send + 'static) -> io::Result<Input> {
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

/// The extension in lower case, that before `.gz` if there is one.
pub(super) fn extension(path: &Path) -> String {
    let lower = |path: &Path| path.extension().map(|ext| ext.to_string_lossy().to_lowercase()).unwrap_or_default();
    match lower(path).as_str() {
        "gz" | "bgz" => lower(Path::new(path.file_stem().unwrap_or_default())),
        other => other.to_owned(),
    }
}

/// Lines of limited length, with their numbers.
pub(super) struct Lines<R> {
    reader: R,
    path: PathBuf,
    buffer: Vec<u8>,
    number: u64,
    ended: bool,
}

impl Lines<Input> {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self::new(open(path)?, path))
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, path: &Path) -> Self {
        Self { reader, path: path.to_path_buf(), buffer: Vec::new(), number: 0, ended: false }
    }

    /// The file, as messages name it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the line last read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end, or what is wrong with that line; nothing more comes after [`IoError::Read`].
    pub(super) fn advance(&mut self) -> Result<Option<Result<&str, RowError>>, IoError> {
        Ok(match self.step()? {
            None => None,
            Some(Err(row)) => Some(Err(row)),
            Some(Ok(())) => Some(Ok(self.current())),
        })
    }

    /// As [`Lines::advance`], for readers that stop at the first line that they cannot use.
    pub(super) fn text(&mut self) -> Result<Option<&str>, IoError> {
        match self.step()? {
            None => Ok(None),
            Some(Err(row)) => Err(IoError::row(&self.path, row)),
            Some(Ok(())) => Ok(Some(self.current())),
        }
    }

    fn current(&self) -> &str {
        std::str::from_utf8(&self.buffer).unwrap_or_default()
    }

    /// Reads a line and checks it.
    fn step(&mut self) -> Result<Option<Result<(), RowError>>, IoError> {
        if self.ended {
            return Ok(None);
        }
        let filled = self.fill();
        self.ended = !matches!(filled, Ok(Some(_)));
        let Some(length) = filled.map_err(IoError::read(&self.path))? else { return Ok(None) };
        let problem = match std::str::from_utf8(&self.buffer) {
            _ if length > 0 => {
                format!("it has {length} bytes, more than the {MAX_LINE} of the longest line that is read")
            }
            Err(error) => format!("not UTF-8 at byte {}; convert the file", error.valid_up_to() + 1),
            Ok(_) => return Ok(Some(Ok(()))),
        };
        Ok(Some(Err(RowError::line(self.number, problem))))
    }

    /// An error about the line last read.
    pub(super) fn problem(&self, problem: impl Into<String>) -> IoError {
        IoError::line(&self.path, self.number, problem)
    }

    /// Reads a line; of one that is too long only its length, `Some(0)` for the others.
    fn fill(&mut self) -> io::Result<Option<u64>> {
        self.buffer.clear();
        let limit = MAX_LINE as u64 + 1;
        let taken = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        if taken == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if taken as u64 == limit {
            return Ok(Some(limit + self.reader.skip_until(b'\n')? as u64));
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(Some(0))
    }
}

/// A number in a column, or what to say about it.
pub(super) fn number<T: FromStr>(text: &str, column: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("{column} {text:?} is no number that fits there"))
}

/// One shared name for each contig.
#[derive(Debug, Default)]
pub(super) struct Contigs {
    known: HashMap<String, Arc<str>>,
    last: Option<Arc<str>>,
}

impl Contigs {
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        match &self.last {
            Some(last) if **last == *name => Arc::clone(last),
            _ => {
                let shared = self.known.entry(name.to_owned()).or_insert_with(|| Arc::from(name));
                self.last = Some(Arc::clone(shared));
                Arc::clone(shared)
            }
        }
    }
}

/// Writes a file that is there whole or not at all; one whose name ends in `.gz` is a bgzip file.
pub(super) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), IoError> {
    let compress = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    atomic::write_with(path, |file| {
        if !compress {
            return fill(file);
        }
        let mut blocks = bgzf::io::Writer::new(file);
        fill(&mut blocks)?;
        blocks.try_finish()
    })?;
    Ok(())
}

/// Reads an alias table for [`ContigNames::with_aliases`](crate::locus::ContigNames::with_aliases): names of one contig
/// in each line, in two or more columns with tabs between, as UCSC's `chromAlias.txt`. Empty columns and lines that
/// begin with `#` are passed over.
///
/// # Errors
/// [`IoError`] if the file cannot be read, or a line has a single name.
pub fn read_aliases(path: &Path) -> Result<Vec<(String, String)>, IoError> {
    let mut lines = Lines::open(path)?;
    let mut pairs = Vec::new();
    while let Some(line) = lines.text()? {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let names: Vec<String> =
            line.split('\t').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if names.len() < 2 {
            return Err(lines.problem("one name; two or more with tabs between are due"));
        }
        for (place, one) in names.iter().enumerate() {
            pairs.extend(names[place + 1..].iter().map(|other| (one.clone(), other.clone())));
        }
    }
    if pairs.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "names" });
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use super::*;

    fn seen(text: &[u8], capacity: usize) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, Cursor::new(text)), Path::new("a.bed"));
        let mut seen = Vec::new();
        while let Some(line) = lines.advance().unwrap() {
            let shown = match line {
                Ok(text) => text.to_owned(),
                Err(row) => row.to_string(),
            };
            seen.push(format!("{} {shown}", lines.number()));
        }
        assert!(lines.advance().unwrap().is_none());
        seen
    }

    #[test]
    fn lines_of_any_kind() {
        assert_eq!(seen(b"one\r\n\ntwo\nend", 2), ["1 one", "2 ", "3 two", "4 end"]);
        assert_eq!(seen(b"", 8), [""; 0]);
        assert_eq!(seen(b"\n", 8), ["1 "]);
        assert_eq!(seen(b"a\nb\xff\nc", 8)[1], "2 line 2: not UTF-8 at byte 2; convert the file");
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut text = vec![b'x'; MAX_LINE];
        text.extend(b"\n");
        text.extend(vec![b'y'; MAX_LINE + 5]);
        text.extend(b"\nz");
        let seen = seen(&text, 4096);
        assert_eq!(seen[0].len(), MAX_LINE + 2);
        assert!(seen[1].starts_with(&format!("2 line 2: it has {} bytes, more than", MAX_LINE + 6)), "{}", seen[1]);
        assert_eq!(seen[2], "3 z");
    }

    #[test]
    fn marks_at_the_start() {
        let mut input = decompressed(Cursor::new(b"\xef\xbb\xbfa".to_vec())).unwrap();
        assert_eq!(input.fill_buf().unwrap(), b"a");
        assert!(decompressed(Cursor::new(b"\xff\xfea\0".to_vec())).is_err());
    }

    #[test]
    fn extensions_look_through_gz() {
        for (name, expected) in [("a.bed", "bed"), ("a.GTF.gz", "gtf"), ("b/a.fa.bgz", "fa"), ("a", ""), ("a.gz", "")] {
            assert_eq!(extension(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn bgzip_files_end_where_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt.gz");
        let text = b"chr1\t0\t5\n".repeat(20_000);
        write(&path, |out| out.write_all(&text)).unwrap();
        let mut read = Vec::new();
        open(&path).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, text);
        let bytes = fs::read(&path).unwrap();
        for length in [bytes.len() - 1, bytes.len() - 28, bytes.len() / 2, 30, 18] {
            fs::write(&path, &bytes[..length]).unwrap();
            let message = open(&path).err().unwrap().to_string();
            assert!(message.contains("the end marker of bgzip is missing"), "{length}: {message}");
        }
        assert!(open(folder.path()).err().unwrap().to_string().contains("it is a folder"));
        assert!(matches!(open(&folder.path().join("absent")), Err(IoError::Open { .. })));
    }

    #[test]
    fn alias_tables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chromAlias.txt");
        fs::write(&path, "# ucsc\tensembl\trefseq\nchr1\t1\tNC_000001.11\r\nchrM\t\tNC_012920.1\n").unwrap();
        let pairs = read_aliases(&path).unwrap();
        let shown: Vec<String> = pairs.iter().map(|(one, other)| format!("{one}={other}")).collect();
        assert_eq!(shown, ["chr1=1", "chr1=NC_000001.11", "1=NC_000001.11", "chrM=NC_012920.1"]);
        fs::write(&path, "chr1 1\n").unwrap();
        assert!(
            read_aliases(&path)
                .unwrap_err()
                .to_string()
                .ends_with("chromAlias.txt, line 1: one name; two or more with tabs between are due")
        );
        fs::write(&path, "#\n").unwrap();
        assert!(matches!(read_aliases(&path), Err(IoError::Empty { .. })));
    }
}
