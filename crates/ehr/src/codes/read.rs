//! Whole files of tables, plain or compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::CodesError;

/// Bytes of a table at most, unpacked; the largest public one has 3 million.
const LIMIT: u64 = 1 << 28;

/// How a text that is not UTF-8 is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// It is refused.
    Utf8,
    /// It is Latin-1, as the tables of titles are.
    Latin1,
}

/// The file of that name in one of the folders, as it is or with `.gz` behind it.
pub(super) fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let paths = folders.iter().flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))]);
    paths.into_iter().find(|path| path.is_file())
}

/// The text of a file, without a byte-order mark.
pub(super) fn text(path: &Path, encoding: Encoding) -> Result<String, CodesError> {
    let failed = |cause| CodesError::Read { path: path.to_path_buf(), cause };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let packed = reader.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    let mut bytes = Vec::new();
    if packed {
        MultiGzDecoder::new(reader).take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        reader.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    decoded(bytes, encoding).map_err(failed)
}

fn decoded(bytes: Vec<u8>, encoding: Encoding) -> io::Result<String> {
    let refuse = |problem: String| Err(io::Error::new(ErrorKind::InvalidData, problem));
    if bytes.len() as u64 > LIMIT {
        return refuse(format!("it unpacks to more than {LIMIT} bytes, which no table of codes has"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse("the text is UTF-16; save it as UTF-8".to_owned());
    }
    let bytes = if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { bytes[3..].to_vec() } else { bytes };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if encoding == Encoding::Latin1 => Ok(error.into_bytes().into_iter().map(char::from).collect()),
        Err(error) => refuse(format!("not UTF-8 at byte {}; convert the file", error.utf8_error().valid_up_to() + 1)),
    }
}

/// Bytes of the longest line that is read; the longest name of a drug has some four thousand.
const LINE: u64 = 1 << 20;

/// Hands each line of a file that is not empty to `each`, with its place from 0; for files that are too large to be held.
pub(super) fn each_line(
    path: &Path,
    each: &mut dyn FnMut(usize, &str) -> Result<(), CodesError>,
) -> Result<(), CodesError> {
    let failed = |cause| CodesError::Read { path: path.to_path_buf(), cause };
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let packed = reader.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    let mut input: Box<dyn BufRead> =
        if packed { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) };
    let mut bytes = Vec::new();
    for index in 0_usize.. {
        bytes.clear();
        if Read::take(&mut *input, LINE + 1).read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            return Ok(());
        }
        if bytes.len() as u64 > LINE {
            return Err(self::line(path, index, format!("it has more than {LINE} bytes, which no table of codes has")));
        }
        let mark: &[u8] = if index == 0 { &[0xef, 0xbb, 0xbf] } else { &[] };
        let own: &[u8] = bytes.strip_prefix(mark).unwrap_or(&bytes);
        let text = std::str::from_utf8(own);
        let text = text.map_err(|_| self::line(path, index, "it is not UTF-8; convert the file"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.is_empty() {
            each(index, text)?;
        }
    }
    Ok(())
}

/// An error about a line, counted from 0 by the caller.
pub(super) fn line(path: &Path, index: usize, problem: impl Into<String>) -> CodesError {
    CodesError::Line { path: path.to_path_buf(), line: index + 1, problem: problem.into() }
}

/// An error about a file.
pub(super) fn format(path: &Path, problem: impl Into<String>) -> CodesError {
    CodesError::Format { path: path.to_path_buf(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_kind() {
        assert_eq!(decoded(b"\xef\xbb\xbfa\xc3\xa9".to_vec(), Encoding::Utf8).unwrap(), "aé");
        assert_eq!(decoded(b"M\xe9ni\xe8re".to_vec(), Encoding::Latin1).unwrap(), "Ménière");
        let error = decoded(b"M\xe9ni\xe8re".to_vec(), Encoding::Utf8).unwrap_err().to_string();
        assert_eq!(error, "not UTF-8 at byte 2; convert the file");
        assert!(decoded(b"\xff\xfea\0".to_vec(), Encoding::Latin1).is_err());
    }
}
