//! Arrays of numpy: `.npy`, and `.npz` as MedMNIST has them.
//!
//! Nothing is ever unpacked onto the disk, so that no name in an archive can lead out of a folder; of an array no more
//! is unpacked than its header declares. Objects are refused: they are pickles, which run code.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::stored::Stored;
use super::{IoError, Named, Notice, ReadOptions, sniff};
use crate::geometry::Geometry;
use crate::volume::Volume;

/// Bytes of a header of text; numpy itself refuses what is longer than 10 000.
const MAX_HEADER: usize = 1 << 16;

/// Values that are converted at once.
const BLOCK: usize = 1 << 15;

/// An archive or array that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The archive is damaged.
    #[error("the archive cannot be read: {problem}; it may be damaged or cut short")]
    Archive {
        /// What is wrong.
        problem: String,
    },
    /// Two arrays have one name.
    #[error("the archive holds two files of one name; make it again")]
    Duplicate,
    /// The header is damaged.
    #[error("the header of array {name} has {problem}")]
    Header {
        /// The array.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The type is not read.
    #[error("array {name} has the type {found}; only numbers and truth values are read")]
    Type {
        /// The array.
        name: String,
        /// Its type.
        found: String,
    },
    /// The shape is no volume.
    #[error(
        "array {name} has the shape {shape:?}; a volume has 2 or 3 axes: [rows, columns] or [slices, rows, columns]"
    )]
    Shape {
        /// The array.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// More than the caller or the system allows.
    #[error("array {name} declares {bytes} bytes in memory, more than the limit of {limit} or than there are")]
    TooLarge {
        /// The array.
        name: String,
        /// Bytes in memory.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The array ends before its values do, or its checksum is wrong.
    #[error("array {name} cannot be read on at byte {byte}: {cause}; the file is damaged or was cut short")]
    Read {
        /// The array.
        name: String,
        /// Place in the unpacked array.
        byte: u64,
        /// What the operating system or the decompressor said.
        cause: io::Error,
    },
}

/// One array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its name in the archive, without `.npy`.
    pub name: String,
    /// Length of each axis, the slowest first.
    pub shape: Vec<usize>,
    /// Values, the last axis fastest, whatever the order in the file. Whole numbers above 2²⁴ are rounded.
    pub values: Vec<f32>,
}

/// Reads all arrays of a `.npz` archive, in its order, or the one of a `.npy` file.
///
/// # Errors
/// [`IoError::Open`] or [`IoError::Npz`].
pub fn read_arrays(path: &Path, options: &ReadOptions) -> Result<Vec<Array>, IoError> {
    let refused = |error| IoError::Npz { path: path.to_path_buf(), error };
    let file = BufReader::new(File::open(path).map_err(IoError::open(path))?);
    if sniff::kind(path)? == Some(sniff::Kind::Npy) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![array(file, &name, options.max_bytes).map_err(refused)?]);
    }
    archive(file, options.max_bytes).map_err(refused)
}

/// The arrays of a file that have the shape of a volume, with their names.
pub(super) fn volumes(path: &Path, options: &ReadOptions) -> Result<Named, IoError> {
    let mut volumes = Vec::new();
    let (mut notices, mut refused) = (Vec::new(), None);
    for array in read_arrays(path, options)? {
        let name = array.name.clone();
        match volume(array) {
            Ok(volume) => volumes.push((name, volume)),
            Err(error) => {
                notices.push(Notice::new(error.to_string()));
                refused = refused.or(Some(error));
            }
        }
    }
    match refused {
        Some(error) if volumes.is_empty() => Err(IoError::Npz { path: path.to_path_buf(), error }),
        None if volumes.is_empty() => Err(IoError::Empty { path: path.to_path_buf() }),
        _ => Ok((volumes, notices)),
    }
}

/// The labels of a file with one array.
pub(super) fn labels(path: &Path, options: &ReadOptions) -> Result<(Vec<u8>, Geometry), IoError> {
    let (mut volumes, _) = volumes(path, options)?;
    if volumes.len() > 1 {
        let names = volumes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(IoError::Several { path: path.to_path_buf(), count: volumes.len(), names });
    }
    let (_, volume) = volumes.swap_remove(0);
    Ok((super::whole_labels(path, &volume)?, volume.geometry))
}

/// An array of 2 or 3 axes as a volume whose voxels are 1 mm apart.
fn volume(array: Array) -> Result<Volume, NpzError> {
    let size = match array.shape[..] {
        [rows, columns] => Some([columns, rows, 1]),
        [slices, rows, columns] => Some([columns, rows, slices]),
        _ => None,
    };
    match size {
        Some(size) if !array.values.is_empty() => Ok(Volume::of(array.values, Geometry::axial(size, [1.0; 3]))),
        _ => Err(NpzError::Shape { name: array.name, shape: array.shape }),
    }
}

fn archive(file: BufReader<File>, limit: u64) -> Result<Vec<Array>, NpzError> {
    let wrong = |error: zip::result::ZipError| NpzError::Archive { problem: error.to_string() };
    let mut archive = ZipArchive::new(file).map_err(wrong)?;
    if archive.has_duplicate_names() {
        return Err(NpzError::Duplicate);
    }
    let mut arrays = Vec::new();
    let mut left = limit;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(wrong)?;
        let name = entry.name().map_err(wrong)?.into_owned();
        let Some(name) = name.strip_suffix(".npy") else { continue };
        let name = name.to_owned();
        let array = array(entry, &name, left)?;
        left = left.saturating_sub(4 * array.values.len() as u64);
        arrays.push(array);
    }
    Ok(arrays)
}

/// What the header of an array says.
struct Header {
    stored: Stored,
    little: bool,
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes of the header.
    length: u64,
}

fn array(mut reader: impl Read, name: &str, limit: u64) -> Result<Array, NpzError> {
    let header = header(&mut reader, name)?;
    let too_large = |bytes| NpzError::TooLarge { name: name.to_owned(), bytes, limit };
    let count = header.shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
    let count = count.filter(|&count| count < isize::MAX as usize / 8).ok_or_else(|| too_large(u64::MAX))?;
    let bytes = 4 * count as u64;
    if bytes > limit {
        return Err(too_large(bytes));
    }
    let mut values: Vec<f32> = Vec::new();
    let mut block = vec![0; BLOCK.min(count) * header.stored.bytes()];
    let mut numbers = Vec::new();
    let mut byte = header.length;
    let broken = |byte| move |cause| NpzError::Read { name: name.to_owned(), byte, cause };
    while values.len() < count {
        let now = (count - values.len()).min(BLOCK);
        let bytes = &mut block[..now * header.stored.bytes()];
        reader.read_exact(bytes).map_err(broken(byte))?;
        byte += bytes.len() as u64;
        header.stored.decode(bytes, header.little, &mut numbers);
        values.try_reserve(now).map_err(|_| too_large(4 * count as u64))?;
        values.extend(numbers.iter().map(|&number| number as f32));
    }
    // The checksum of an archive is looked at behind the last byte.
    let mut behind = [0; 1];
    if reader.read(&mut behind).map_err(broken(byte))? > 0 {
        return Err(NpzError::Header {
            name: name.to_owned(),
            problem: format!("the shape {:?}, but there is more behind byte {byte}", header.shape),
        });
    }
    if header.fortran {
        values = last_axis_fastest(&values, &header.shape);
    }
    Ok(Array { name: name.to_owned(), shape: header.shape, values })
}

/// Values whose first axis is the fastest, with the last as the fastest.
fn last_axis_fastest(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &length in shape {
        strides.push(stride);
        stride *= length;
    }
    let mut at = vec![0_usize; shape.len()];
    let mut offset = 0;
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[offset]);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            offset += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            at[axis] = 0;
        }
    }
    ordered
}

/// Reads the header (NEP 1): mark, version, length, a dictionary of Python.
fn header(reader: &mut impl Read, name: &str) -> Result<Header, NpzError> {
    let wrong = |problem: String| NpzError::Header { name: name.to_owned(), problem };
    let broken = |cause| NpzError::Read { name: name.to_owned(), byte: 0, cause };
    let mut start = [0; 10];
    reader.read_exact(&mut start).map_err(broken)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(wrong(format!("the mark \"{}\" instead of \\x93NUMPY", start[..6].escape_ascii())));
    }
    let (length, before) = match start[6] {
        1 => (usize::from(u16::from_le_bytes([start[8], start[9]])), 10),
        2 | 3 => {
            let mut rest = [0; 2];
            reader.read_exact(&mut rest).map_err(broken)?;
            (u32::from_le_bytes([start[8], start[9], rest[0], rest[1]]) as usize, 12)
        }
        version => return Err(wrong(format!("the version {version}; 1 to 3 are read"))),
    };
    if length > MAX_HEADER {
        return Err(wrong(format!("{length} bytes, more than {MAX_HEADER}")));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(broken)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let missing = |key: &str| wrong(format!("no readable '{key}': {}", text.trim()));

    let kind = value(&text, "descr").ok_or_else(|| missing("descr"))?;
    let kind = kind.strip_prefix('\'').and_then(|kind| kind.split('\'').next()).unwrap_or(kind);
    let (little, code) = match kind.split_at_checked(1) {
        Some(("<" | "|" | "=", code)) => (true, code),
        Some((">", code)) => (false, code),
        _ => (true, kind),
    };
    let stored = match code {
        "u1" | "b1" => Stored::U8,
        "i1" => Stored::I8,
        "u2" => Stored::U16,
        "i2" => Stored::I16,
        "u4" => Stored::U32,
        "i4" => Stored::I32,
        "u8" => Stored::U64,
        "i8" => Stored::I64,
        "f4" => Stored::F32,
        "f8" => Stored::F64,
        _ => {
            let found = kind.chars().take(40).collect();
            return Err(NpzError::Type { name: name.to_owned(), found });
        }
    };
    let fortran = value(&text, "fortran_order").ok_or_else(|| missing("fortran_order"))?.starts_with("True");
    let shape = value(&text, "shape").and_then(|shape| shape.strip_prefix('(')?.split(')').next());
    let shape = shape.ok_or_else(|| missing("shape"))?;
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    let shape: Option<Vec<usize>> = lengths.map(|length| length.trim_end_matches('L').parse().ok()).collect();
    let shape = shape.filter(|shape| shape.len() <= 32).ok_or_else(|| missing("shape"))?;
    Ok(Header { stored, little, fortran, shape, length: (before + length) as u64 })
}

/// What follows a key of the dictionary.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let quoted = format!("'{key}'");
    let behind = &text[text.find(&quoted)? + quoted.len()..];
    Some(behind.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_turned() {
        // numpy: np.arange(6).reshape(2, 3, order='F') is [[0, 2, 4], [1, 3, 5]]
        let turned = last_axis_fastest(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2, 3]);
        assert_eq!(turned, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn the_dictionary_is_read_in_any_order() {
        let text = "{'shape': (2, 3,), 'fortran_order': False, 'descr': '>i2', }";
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        for value in [1_i16, -2, 3, 4, 5, 600] {
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        let read = array(bytes.as_slice(), "a", 1 << 20).unwrap();
        assert_eq!((read.shape, read.values), (vec![2, 3], vec![1.0, -2.0, 3.0, 4.0, 5.0, 600.0]));
        let error = array(bytes.as_slice(), "a", 8).unwrap_err();
        assert!(matches!(error, NpzError::TooLarge { bytes: 24, limit: 8, .. }), "{error}");
        let object = String::from_utf8_lossy(&bytes[..bytes.len() - 12]).replace(">i2", "|O8");
        assert!(array(object.as_bytes(), "a", 1 << 20).is_err());
    }
}
