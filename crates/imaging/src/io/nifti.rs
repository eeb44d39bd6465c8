//! NIfTI-1 and NIfTI-2: `.nii`, `.nii.gz`, and pairs of `.hdr` and `.img`.
//!
//! Voxels are placed by the sform where its code is set, else by the qform, else by the spacing alone, which is what
//! nibabel does; RAS becomes LPS. Each volume of a file with more than three dimensions is read on its own, and so is
//! each channel of coloured voxels. Nothing is unpacked beyond what the header declares, and a header that declares
//! more than the file can hold is refused before there is room made for it.

mod error;
mod header;
mod write;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

pub use self::error::NiftiError;
pub use self::write::{write_labels, write_volume};

use self::header::Header;
use super::stored::Stored;
use super::{IoError, Notice, ReadOptions};
use crate::geometry::Geometry;
use crate::volume::Volume;

/// Bytes that one byte of deflate can stand for at most (zlib's technical details: 258 bytes in 2 bits), rounded up.
const DEFLATE_RATIO: u64 = 1040;

/// Whole numbers up to here are exact in `f32`.
const EXACT: f64 = 16_777_216.0;

/// Values that are converted at once.
const BLOCK: usize = 1 << 15;

/// How far a label that is stored as a number with a fraction, or scaled, may be from a whole one.
const WHOLE: f64 = 1e-4;

/// A file whose header was read and whose voxels come next.
struct Opened {
    header: Header,
    geometry: Geometry,
    volumes: usize,
    stored: Stored,
    components: usize,
    scale: Option<(f64, f64)>,
    reader: Box<dyn Read>,
    /// Byte of the unpacked file that comes next.
    byte: u64,
    notices: Vec<Notice>,
}

/// Reads all volumes of a NIfTI file, in their order; of coloured voxels each channel is one, without opacity.
///
/// # Errors
/// [`IoError::Open`] or [`IoError::Nifti`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<(Vec<Volume>, Vec<Notice>), IoError> {
    read_inner(path, options).map_err(|problem| problem.at(path))
}

/// Reads the grid of a NIfTI file and how many volumes it has, without its voxels.
///
/// # Errors
/// As [`read`].
pub fn read_geometry(path: &Path) -> Result<(Geometry, usize), IoError> {
    let opened = open(path, &ReadOptions::default()).map_err(|problem| problem.at(path))?;
    Ok((opened.geometry, opened.volumes))
}

/// Reads a file of one volume of whole numbers from 0 to 255, of whatever type.
pub(super) fn labels(path: &Path, options: &ReadOptions) -> Result<(Vec<u8>, Geometry), IoError> {
    let mut opened = open(path, options).map_err(|problem| problem.at(path))?;
    let count = opened.volumes * opened.components;
    if count > 1 {
        let names = if opened.components > 1 { "channels of colours" } else { "a map has one" };
        return Err(IoError::Several { path: path.to_path_buf(), count, names: names.to_owned() });
    }
    let geometry = opened.geometry.clone();
    let mut labels = room(geometry.len()).map_err(|error| Problem::from(error).at(path))?;
    let mut wrong = None;
    opened
        .values(geometry.len(), |values| {
            for &value in values {
                let whole = value.round();
                if !((value - whole).abs() <= WHOLE && (0.0..=255.0).contains(&whole)) && wrong.is_none() {
                    wrong = Some((labels.len(), value));
                }
                labels.push(whole as u8);
            }
        })
        .and_then(|()| opened.finish())
        .map_err(|problem| problem.at(path))?;
    if let Some((offset, value)) = wrong {
        let [columns, rows, _] = geometry.size;
        let voxel = [offset % columns, offset / columns % rows, offset / columns / rows];
        return Err(IoError::Label { path: path.to_path_buf(), voxel, value });
    }
    Ok((labels, geometry))
}

fn read_inner(path: &Path, options: &ReadOptions) -> Result<(Vec<Volume>, Vec<Notice>), Problem> {
    let mut opened = open(path, options)?;
    let count = opened.geometry.len() * opened.components;
    let channels = opened.components.min(3);
    let mut volumes = Vec::new();
    let mut largest = 0.0_f64;
    for _ in 0..opened.volumes {
        let mut voxels: Vec<f32> = room(count)?;
        let watched = opened.stored.is_long();
        opened.values(count, |values| {
            if watched {
                largest = values.iter().fold(largest, |most, value| most.max(value.abs()));
            }
            voxels.extend(values.iter().map(|&value| value as f32));
        })?;
        if opened.components == 1 {
            volumes.push(Volume::of(voxels, opened.geometry.clone()));
        } else {
            for channel in 0..channels {
                let every = voxels.iter().skip(channel).step_by(opened.components).copied().collect();
                volumes.push(Volume::of(every, opened.geometry.clone()));
            }
        }
    }
    if largest > EXACT {
        opened.notices.push(Notice::new(format!("whole numbers up to {largest} were rounded to 24 bits")));
    }
    opened.finish()?;
    Ok((volumes, opened.notices))
}

/// An empty vector with room for `values`, which the system does not touch before there is something to put in.
fn room<T>(values: usize) -> Result<Vec<T>, NiftiError> {
    let mut room = Vec::new();
    room.try_reserve_exact(values).map_err(|_| NiftiError::Memory { values })?;
    Ok(room)
}

/// Either what the system said on opening, or what is wrong with the content.
enum Problem {
    Open(io::Error),
    Content(NiftiError),
}

impl Problem {
    fn at(self, path: &Path) -> IoError {
        let path = path.to_path_buf();
        match self {
            Self::Open(cause) => IoError::Open { path, cause },
            Self::Content(error) => IoError::Nifti { path, error },
        }
    }
}

impl From<NiftiError> for Problem {
    fn from(error: NiftiError) -> Self {
        Self::Content(error)
    }
}

/// A file or what it unpacks to, and how many bytes that can be at most.
fn stream(path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 17, file);
    if io::BufRead::fill_buf(&mut file)?.starts_with(&[0x1f, 0x8b]) {
        Ok((Box::new(MultiGzDecoder::new(file)), length.saturating_mul(DEFLATE_RATIO)))
    } else {
        Ok((Box::new(file), length))
    }
}

/// Reads until `to` is full or the stream ends, and returns how many bytes there were.
fn fill(reader: &mut dyn Read, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match reader.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The header's file for `x.img`, and the image's for `x.hdr`, compressed if the other is not there.
fn other_half(path: &Path, extension: &str) -> PathBuf {
    let bare = if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz")) {
        path.with_extension("")
    } else {
        path.to_path_buf()
    };
    let plain = bare.with_extension(extension);
    let packed = bare.with_extension(format!("{extension}.gz"));
    if !plain.exists() && packed.exists() { packed } else { plain }
}

fn is_image_of_pair(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.ends_with(".img") || name.ends_with(".img.gz")
}

fn open(path: &Path, options: &ReadOptions) -> Result<Opened, Problem> {
    let pair = |missing: &Path| {
        let missing = missing.to_path_buf();
        move |cause| NiftiError::Pair { missing: missing.clone(), cause }
    };
    let header_path = if is_image_of_pair(path) { other_half(path, "hdr") } else { path.to_path_buf() };
    let (mut reader, mut most) = stream(&header_path).map_err(|cause| {
        if header_path == path { Problem::Open(cause) } else { Problem::Content(pair(&header_path)(cause)) }
    })?;
    let mut bytes = [0; header::LENGTH_2];
    let broken = |byte: usize| move |cause| NiftiError::Read { byte: byte as u64, cause };
    let found = fill(&mut reader, &mut bytes[..header::LENGTH_1]).map_err(broken(0))?;
    let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
    let Some((length, little)) = header::length(first) else {
        return Err(NiftiError::Magic { found: bytes[..found.min(4)].escape_ascii().to_string() }.into());
    };
    let rest = fill(&mut reader, &mut bytes[header::LENGTH_1..length]).map_err(broken(header::LENGTH_1))?;
    if found + rest < length {
        return Err(NiftiError::Short { declared: length as u64, found: (found + rest) as u64 }.into());
    }
    let header = Header::parse(&bytes[..length], little)?;

    let mut notices = Vec::new();
    let (size, volumes) = header.sizes(&mut notices)?;
    let (stored, components) = header::stored(header.datatype)?;
    if usize::try_from(header.bitpix).ok() != Some(8 * stored.bytes() * components) {
        notices.push(Notice::new(format!(
            "bitpix is {}, but voxels of data type {} have {}; the type was believed",
            header.bitpix,
            header.datatype,
            8 * stored.bytes() * components
        )));
    }
    let geometry = header.geometry(size, &mut notices)?;
    let scale = header.scale(&mut notices);

    let mut byte = (found + rest) as u64;
    if !header.single {
        let image_path = if is_image_of_pair(path) { path.to_path_buf() } else { other_half(path, "img") };
        (reader, most) = stream(&image_path).map_err(pair(&image_path))?;
        byte = 0;
    }
    let offset = offset(&header, byte as usize, options, &mut notices)?;

    // In memory a value has four bytes, in the file it may have eight.
    let values =
        (geometry.len() as u64).checked_mul(volumes as u64).and_then(|count| count.checked_mul(components as u64));
    let sizes = values.and_then(|count| Some((count.checked_mul(4)?, count.checked_mul(stored.bytes() as u64)?)));
    let (bytes_in_memory, bytes_in_file) = sizes.unwrap_or((u64::MAX, u64::MAX));
    if bytes_in_memory > options.max_bytes {
        return Err(NiftiError::TooLarge { bytes: bytes_in_memory, limit: options.max_bytes }.into());
    }
    let declared = offset.saturating_add(bytes_in_file);
    if declared > most {
        return Err(NiftiError::Short { declared, found: most }.into());
    }
    let skipped = io::copy(&mut (&mut reader).take(offset - byte), &mut io::sink())
        .map_err(|cause| NiftiError::Read { byte, cause })?;
    if skipped < offset - byte {
        return Err(NiftiError::Short { declared, found: byte + skipped }.into());
    }
    Ok(Opened { header, geometry, volumes, stored, components, scale, reader, byte: offset, notices })
}

/// Where the voxels begin.
fn offset(header: &Header, byte: usize, options: &ReadOptions, notices: &mut Vec<Notice>) -> Result<u64, NiftiError> {
    let offset = header.vox_offset;
    if header.single && offset == 0.0 {
        // nifti1.h: header, then four bytes that announce extensions
        notices.push(Notice::new("vox_offset is 0; the voxels were read from behind the header"));
        return Ok((header.length + 4) as u64);
    }
    // so that NaN is refused
    if !(byte as f64..options.max_bytes as f64).contains(&offset) {
        return Err(NiftiError::Offset { offset, least: byte });
    }
    Ok(offset as u64)
}

impl Opened {
    /// Hands the next `count` values to `sink`, scaled, block by block.
    fn values(&mut self, count: usize, mut sink: impl FnMut(&[f64])) -> Result<(), Problem> {
        let width = self.stored.bytes();
        let mut bytes = vec![0; BLOCK.min(count) * width];
        let mut values = Vec::with_capacity(BLOCK.min(count));
        let mut left = count;
        while left > 0 {
            let now = left.min(BLOCK);
            let block = &mut bytes[..now * width];
            let found = fill(&mut self.reader, block).map_err(|cause| NiftiError::Read { byte: self.byte, cause })?;
            if found < block.len() {
                let declared = self.byte + (left * width) as u64;
                return Err(NiftiError::Short { declared, found: self.byte + found as u64 }.into());
            }
            self.byte += found as u64;
            self.stored.decode(block, self.header.little, &mut values);
            if let Some((slope, intercept)) = self.scale {
                values.iter_mut().for_each(|value| *value = *value * slope + intercept);
            }
            sink(&values);
            left -= now;
        }
        Ok(())
    }

    /// Reads on behind the voxels: the end of a compressed file is where its checksum is.
    fn finish(&mut self) -> Result<(), Problem> {
        let mut behind = [0; 1];
        let found = fill(&mut self.reader, &mut behind).map_err(|cause| NiftiError::Read { byte: self.byte, cause })?;
        if found > 0 {
            self.notices
                .push(Notice::new(format!("what lies behind the voxels, from byte {}, was not read", self.byte)));
        }
        Ok(())
    }
}
