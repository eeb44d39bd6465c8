//! What a file is, from its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::IoError;

/// Bytes that tell every kind apart: the header of NIfTI-2 is the longest.
const HEAD: usize = 544;

/// Kinds of files that are read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// DICOM, with or without preamble.
    Dicom,
    /// NIfTI-1 or -2, compressed or not; the header of a pair of `.hdr` and `.img`.
    Nifti,
    /// PNG, TIFF, JPEG or GIF.
    Picture,
    /// One array of numpy.
    Npy,
    /// Zipped arrays of numpy.
    Npz,
}

/// The kind of a file, or `None` if it is of no kind that is read here.
///
/// # Errors
/// [`IoError::Open`] if the file cannot be opened or read.
pub fn kind(path: &Path) -> Result<Option<Kind>, IoError> {
    let file = File::open(path).map_err(IoError::open(path))?;
    let bytes = beginning(file).map_err(IoError::open(path))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        // What is damaged is refused by the reader, which says where; here it is enough that it is no NIfTI.
        let inner = beginning(GzDecoder::new(bytes.as_slice())).unwrap_or_default();
        let whole = if inner.len() < 348 { reopened(path).map_err(IoError::open(path))? } else { inner };
        return Ok(is_nifti(&whole).then_some(Kind::Nifti));
    }
    // The pixels of a pair have no mark of their own.
    let image_of_pair = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("img"))
        && path.with_extension("hdr").is_file();
    Ok(if bytes.get(128..132) == Some(b"DICM") {
        Some(Kind::Dicom)
    } else if is_nifti(&bytes) || image_of_pair {
        Some(Kind::Nifti)
    } else if is_picture(&bytes) {
        Some(Kind::Picture)
    } else if bytes.starts_with(b"\x93NUMPY") {
        Some(Kind::Npy)
    } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        Some(Kind::Npz)
    } else if is_bare_dicom(&bytes) {
        Some(Kind::Dicom)
    } else {
        None
    })
}

/// File name without its folder, for messages.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The picture format of the first bytes.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    let marks: [&[u8]; 7] =
        [b"\x89PNG\r\n\x1a\n", &[0xff, 0xd8, 0xff], b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"];
    marks.iter().any(|mark| bytes.starts_with(mark)) || bytes.starts_with(b"MM\0+\0\x08\0\0")
}

/// The first bytes of a stream, fewer if it ends before; an error after some bytes counts as the end.
fn beginning(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEAD);
    match reader.take(HEAD as u64).read_to_end(&mut bytes) {
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(bytes),
    }
}

/// The first bytes that a compressed file unpacks to, where the header of gzip with its file name is long.
fn reopened(path: &Path) -> io::Result<Vec<u8>> {
    Ok(beginning(GzDecoder::new(io::BufReader::new(File::open(path)?))).unwrap_or_default())
}

/// Whether the bytes begin with a header of NIfTI, or of ANALYZE 7.5, which the reader refuses by its name.
fn is_nifti(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = bytes.first_chunk::<4>() else { return false };
    let first = [a, b, c, d];
    let length = if matches!(i32::from_le_bytes(first), 348 | 540) {
        i32::from_le_bytes(first)
    } else {
        i32::from_be_bytes(first)
    };
    match length {
        348 => bytes.len() >= 348,
        540 => bytes.get(4..8).is_some_and(|magic| magic == b"n+2\0" || magic == b"ni2\0"),
        _ => false,
    }
}

/// Whether the bytes look like a data set of DICOM without preamble: an element of group 2 or 8 with a known kind of
/// value or, in implicit form, a length that is not odd.
fn is_bare_dicom(bytes: &[u8]) -> bool {
    let Some(&[g0, g1, e0, e1, v0, v1, l0, l1]) = bytes.first_chunk::<8>() else { return false };
    let little = matches!((g0, g1), (2 | 8, 0)) && e1 <= 0x20;
    let big = matches!((g0, g1), (0, 2 | 8)) && e0 <= 0x20;
    let kinds: [&[u8; 2]; 12] = [b"UL", b"UI", b"CS", b"OB", b"SH", b"LO", b"DA", b"TM", b"DT", b"PN", b"US", b"AE"];
    let explicit = kinds.contains(&&[v0, v1]);
    let length = u32::from_le_bytes([v0, v1, l0, l1]);
    (little && (explicit || (length < 0x1_0000 && length % 2 == 0))) || (big && explicit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_numbers_are_nothing_known() {
        let folder = tempfile::tempdir().unwrap();
        let cases: [(&[u8], Option<Kind>); 6] = [
            (b"", None),
            (b"id,subject\n1,2\n", None),
            (b"\x93NUMPY\x01\0", Some(Kind::Npy)),
            (b"PK\x03\x04rest", Some(Kind::Npz)),
            (b"\x08\0\x05\0CS\n\0ISO_IR 100", Some(Kind::Dicom)),
            (b"GIF89a", Some(Kind::Picture)),
        ];
        for (index, (bytes, expected)) in cases.into_iter().enumerate() {
            let path = folder.path().join(format!("{index}"));
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(kind(&path).unwrap(), expected, "{bytes:?}");
        }
        assert!(matches!(kind(&folder.path().join("absent")), Err(IoError::Open { .. })));
    }

    #[test]
    fn a_header_of_either_byte_order_is_nifti() {
        let mut header = vec![0; 348];
        header[..4].copy_from_slice(&348_i32.to_be_bytes());
        assert!(is_nifti(&header));
        header[..4].copy_from_slice(&348_i32.to_le_bytes());
        assert!(is_nifti(&header));
        assert!(!is_nifti(&header[..300]));
    }
}
