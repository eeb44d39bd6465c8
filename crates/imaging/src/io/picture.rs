//! Pictures: PNG, TIFF, JPEG and GIF with 8 or 16 bits, and numbered stacks of them.
//!
//! A picture becomes a volume of one slice, a stack or a TIFF of several pages one of many. Pictures say nothing that
//! can be relied on of their size in mm: pixels and slices stand 1 mm apart, `i` to the left and `j` to the back of the
//! patient, which is how DICOM lays an axial slice on the screen. Opacity is dropped, and so are the marks of cameras
//! that want a picture turned, for the masks that belong to it have none.

mod decode;

use std::fs;
use std::path::{Path, PathBuf};

use nn_core::atomic;
use rayon::prelude::*;

use self::decode::{Page, Purpose};
use super::{IoError, Named, Notice, ReadOptions, sniff};
use crate::geometry::Geometry;
use crate::volume::Volume;

/// A picture that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The pixels cannot be decoded.
    #[error("cannot decode the {format}: {cause}")]
    Decode {
        /// Name of the format.
        format: &'static str,
        /// What its decoder said.
        cause: String,
    },
    /// The file ends before its picture does.
    #[error("the JPEG has no end: it was cut short")]
    Cut,
    /// No pixels, or more than a picture may have.
    #[error("{width} x {height} pixels; a picture has 1 to {limit}: cut it into tiles")]
    Size {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
        /// Most pixels that are decoded.
        limit: u64,
    },
    /// More memory than the limit or the system allows.
    #[error("its pixels need {bytes} bytes of memory, more than there are or than the limit allows")]
    Memory {
        /// Bytes that are needed.
        bytes: u64,
    },
    /// Labels in a format that changes them.
    #[error("JPEG does not keep labels as they were; save the labels as PNG")]
    Lossy,
    /// Labels that are colours.
    #[error("the picture of labels has colours; save one grey value or palette index a label")]
    Colours,
    /// A picture of a stack differs from the first.
    #[error(
        "{file} has {width} x {height} pixels of {channels} channels, but the first picture {first_width} x \
         {first_height} of {first_channels}; a stack needs all alike"
    )]
    Unequal {
        /// File name or page.
        file: String,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Channels.
        channels: usize,
        /// Columns of the first picture.
        first_width: usize,
        /// Rows of the first picture.
        first_height: usize,
        /// Channels of the first picture.
        first_channels: usize,
    },
    /// The pixels do not fit the size that they should be written with.
    #[error("{found} values for a picture of {width} x {height} pixels of {channels} channels")]
    Length {
        /// Values that were given.
        found: usize,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Channels, 1 or 3.
        channels: usize,
    },
}

/// One picture as a classifier takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Values `[channels, height, width]`, as they stand in the file.
    pub pixels: Vec<f32>,
    /// 1 = grey, 3 = red, green, blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Bits of one value in the file: 8 bits count to 255, 16 to 65535.
    pub bits: u32,
}

/// Reads the first picture of a file. One whose three channels are the same is grey.
///
/// # Errors
/// [`IoError::Open`] or [`IoError::Picture`].
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<(Picture, Vec<Notice>), IoError> {
    let (mut pages, mut notices) = decoded(path, Purpose::Grey, options)?;
    if pages.len() > 1 {
        notices.push(Notice::new(format!("the first of {} pages was read", pages.len())));
    }
    let page = pages.swap_remove(0);
    let (channels, height, width, bits) = (page.channels, page.height, page.width, page.bits);
    let pixels = planes(page).concat();
    Ok((Picture { pixels, channels, height, width, bits }, notices))
}

/// The PNG file of 8-bit values, row by row, `channels` (1 = grey, 3 = RGB) side by side for each pixel.
///
/// # Errors
/// [`PictureError`] if the number of values does not fit.
pub fn encode_png(width: usize, height: usize, channels: usize, values: &[u8]) -> Result<Vec<u8>, PictureError> {
    let refused = || PictureError::Length { found: values.len(), width, height, channels };
    let color = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => return Err(refused()),
    };
    let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(channels));
    let (Ok(columns), Ok(rows)) = (u32::try_from(width), u32::try_from(height)) else { return Err(refused()) };
    if expected != Some(values.len()) || values.is_empty() {
        return Err(refused());
    }
    let wrong = |error: png::EncodingError| PictureError::Decode { format: "PNG", cause: error.to_string() };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(wrong)?;
    writer.write_image_data(values).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(bytes)
}

/// Writes a PNG file of 8-bit values, as [`encode_png`] has them.
///
/// # Errors
/// [`IoError::Picture`] if the number of values does not fit, [`IoError::Write`] if the file cannot be written.
pub fn write_png(path: &Path, width: usize, height: usize, channels: usize, values: &[u8]) -> Result<(), IoError> {
    let bytes = encode_png(width, height, channels, values).map_err(refused(path))?;
    Ok(atomic::write(path, &bytes)?)
}

/// Sorts files by their names with numbers in them compared as numbers: `9.png` before `10.png`.
pub fn sort_by_number(files: &mut [PathBuf]) {
    files.sort_by_cached_key(|file| {
        let name = sniff::name(file);
        (tokens(&name), name)
    });
}

/// All channels of a file as volumes, with their names.
pub(super) fn volumes(path: &Path, options: &ReadOptions) -> Result<Named, IoError> {
    let (pages, notices) = decoded(path, Purpose::Grey, options)?;
    let names = (0..pages.len()).map(|page| format!("page {page}"));
    Ok((stacked(path, pages, names, options)?, notices))
}

/// All channels of a stack as volumes, with their names.
pub(super) fn stack(path: &Path, files: &[PathBuf], options: &ReadOptions) -> Result<Named, IoError> {
    let (pages, mut notices) = decoded_stack(files, Purpose::Grey, options)?;
    notices.extend(gap(files));
    let names = files.iter().map(|file| sniff::name(file));
    Ok((stacked(path, pages, names, options)?, notices))
}

/// The labels of a file.
pub(super) fn labels(path: &Path, options: &ReadOptions) -> Result<(Vec<u8>, Geometry), IoError> {
    let (pages, _) = decoded(path, Purpose::Labels, options)?;
    let names = (0..pages.len()).map(|page| format!("page {page}"));
    whole(path, stacked(path, pages, names, options)?)
}

/// The labels of a stack.
pub(super) fn stack_labels(
    path: &Path,
    files: &[PathBuf],
    options: &ReadOptions,
) -> Result<(Vec<u8>, Geometry), IoError> {
    let (pages, _) = decoded_stack(files, Purpose::Labels, options)?;
    let names = files.iter().map(|file| sniff::name(file));
    whole(path, stacked(path, pages, names, options)?)
}

fn refused(path: &Path) -> impl Fn(PictureError) -> IoError + use<> {
    let path = path.to_path_buf();
    move |error| IoError::Picture { path: path.clone(), error }
}

fn decoded(path: &Path, purpose: Purpose, options: &ReadOptions) -> Result<(Vec<Page>, Vec<Notice>), IoError> {
    let bytes = fs::read(path).map_err(IoError::open(path))?;
    let mut notices = Vec::new();
    let pages = decode::pages(&bytes, purpose, options.max_bytes, &mut notices).map_err(refused(path))?;
    Ok((pages, notices))
}

/// The first page of each file, decoded side by side.
fn decoded_stack(
    files: &[PathBuf],
    purpose: Purpose,
    options: &ReadOptions,
) -> Result<(Vec<Page>, Vec<Notice>), IoError> {
    let mut notices = Vec::new();
    let mut pages = Vec::with_capacity(files.len());
    let mut used = 0_u64;
    // in groups, so that a stack that is too large is refused before all of it is decoded
    for group in files.chunks(32) {
        let decoded: Result<Vec<_>, IoError> = group.par_iter().map(|file| decoded(file, purpose, options)).collect();
        for (file, (mut found, more)) in group.iter().zip(decoded?) {
            let name = sniff::name(file);
            notices.extend(more.into_iter().map(|notice| Notice::new(format!("{name}: {notice}"))));
            if found.len() > 1 {
                notices.push(Notice::new(format!("{name}: the first of {} pages was read", found.len())));
            }
            let page = found.swap_remove(0);
            used = used.saturating_add(4 * page.pixels.len() as u64);
            if used > options.max_bytes {
                return Err(refused(file)(PictureError::Memory { bytes: used }));
            }
            pages.push(page);
        }
    }
    Ok((pages, notices))
}

/// The channels of a page one by one.
fn planes(page: Page) -> Vec<Vec<f32>> {
    if page.channels == 1 {
        return vec![page.pixels];
    }
    (0..page.channels)
        .map(|channel| page.pixels.iter().skip(channel).step_by(page.channels).copied().collect())
        .collect()
}

/// Pages of one size, each a slice.
fn stacked(
    path: &Path,
    mut pages: Vec<Page>,
    names: impl Iterator<Item = String>,
    options: &ReadOptions,
) -> Result<Vec<(String, Volume)>, IoError> {
    // A grey slice among coloured ones is one whose colours happen to be the same.
    let channels = pages.iter().map(|page| page.channels).max().unwrap_or(1);
    for page in pages.iter_mut().filter(|page| page.channels < channels) {
        page.pixels = page.pixels.iter().flat_map(|&value| std::iter::repeat_n(value, channels)).collect();
        page.channels = channels;
    }
    let Some(first) = pages.first() else { return Err(IoError::Empty { path: path.to_path_buf() }) };
    let (first_width, first_height) = (first.width, first.height);
    for (page, file) in pages.iter().zip(names) {
        if (page.width, page.height) != (first_width, first_height) {
            let (width, height) = (page.width, page.height);
            let first_channels = channels;
            return Err(refused(path)(PictureError::Unequal {
                file,
                width,
                height,
                channels,
                first_width,
                first_height,
                first_channels,
            }));
        }
    }
    let geometry = Geometry::axial([first_width, first_height, pages.len()], [1.0; 3]);
    let bytes = (geometry.len() as u64).saturating_mul(4 * channels as u64);
    if bytes > options.max_bytes {
        return Err(refused(path)(PictureError::Memory { bytes }));
    }
    let mut voxels: Vec<Vec<f32>> = (0..channels).map(|_| Vec::with_capacity(geometry.len())).collect();
    for page in pages {
        for (channel, plane) in voxels.iter_mut().zip(planes(page)) {
            channel.extend(plane);
        }
    }
    let names = if channels == 1 { ["grey", "", ""] } else { ["red", "green", "blue"] };
    let volumes = voxels.into_iter().map(|voxels| Volume::of(voxels, geometry.clone()));
    Ok(names.into_iter().map(str::to_owned).zip(volumes).collect())
}

/// Labels of the one channel; a mask of 0 and 255 becomes one of 0 and 1.
fn whole(path: &Path, mut channels: Vec<(String, Volume)>) -> Result<(Vec<u8>, Geometry), IoError> {
    if channels.len() > 1 {
        return Err(refused(path)(PictureError::Colours));
    }
    let (_, volume) = channels.swap_remove(0);
    let mut labels = super::whole_labels(path, &volume)?;
    if labels.iter().all(|&label| matches!(label, 0 | 255)) {
        labels.iter_mut().for_each(|label| *label = u8::from(*label == 255));
    }
    Ok((labels, volume.geometry))
}

/// A piece of a file name; numbers go before text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Number(u128),
    Text(String),
}

fn tokens(name: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|letter: char| letter.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        tokens.push(if digits {
            Token::Number(piece.parse().unwrap_or(u128::MAX))
        } else {
            Token::Text(piece.to_owned())
        });
        rest = behind;
    }
    tokens
}

/// Says so if a number is missing between the files.
fn gap(files: &[PathBuf]) -> Option<Notice> {
    let number = |file: &PathBuf| {
        let stem = file.file_stem()?.to_string_lossy().into_owned();
        tokens(&stem).into_iter().rev().find_map(|token| match token {
            Token::Number(number) => Some(number),
            Token::Text(_) => None,
        })
    };
    let numbers: Vec<u128> = files.iter().map(number).collect::<Option<_>>()?;
    let pair = numbers.windows(2).find(|pair| pair[1].saturating_sub(pair[0]) > 1)?;
    Some(Notice::new(format!("between the files numbered {} and {} some are missing", pair[0], pair[1])))
}
