//! How pixels are stored, and from their bytes to the numbers that were stored.
//!
//! Codecs by transfer syntax (PS3.5, annex A): native and encapsulated native pixels, deflated frames and RLE are read
//! by own code, as are JPEG-LS (T.87) and JPEG with 12 bits (T.81); JPEG with 8 bits and lossless JPEG by
//! `jpeg-decoder`, JPEG 2000 by `OpenJPEG` as translated to Rust. A decoder that panics on a damaged stream is caught,
//! and the frame refused.

mod bits;
mod format;
mod fragments;
mod jpeg;
mod jpeg12;
mod jpeg2000;
mod jpegls;
mod rle;

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;

pub use self::format::{Frame, Photometric, PixelFormat, StoredFrame, StoredValues};

use self::bits::Field;
use self::fragments::Fragments;
use super::colour;
use super::dataset::PixelElement;
use super::error::DicomError;
use super::header::Header;
use super::prescan::Encoding;
use super::values::{Object, name_of};

/// Frames of up to so many values are decoded whatever the compressed stream looks like.
const ALWAYS_DECODED: usize = 64 << 20;

/// Larger frames must have one byte of stream for so many values at least.
const MAX_EXPANSION: usize = 1000;

/// A decoded frame before its bits are taken apart.
enum Samples {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

/// What a codec makes of one frame.
struct Decoded {
    samples: Samples,
    photometric: Photometric,
}

/// The pixels of a file, still encoded.
#[derive(Debug)]
pub(crate) struct PixelData {
    bytes: Vec<u8>,
    element: PixelElement,
    big: bool,
    /// Where the frames are in encapsulated pixel data.
    fragments: Option<Fragments>,
}

impl PixelData {
    /// Finds the fragments of encapsulated pixels; nothing is decoded.
    pub(crate) fn locate(
        path: &Path,
        bytes: Vec<u8>,
        element: PixelElement,
        encoding: Encoding,
        object: &Object,
    ) -> Result<Self, DicomError> {
        let fragments = match element.length {
            Some(_) => None,
            None => Some(Fragments::read(&bytes, element, encoding, object).map_err(|fault| fault.at(path))?),
        };
        Ok(Self { bytes, element, big: encoding.big, fragments })
    }

    /// One frame, from 0.
    pub(crate) fn frame(&self, header: &Header, index: usize) -> Result<StoredFrame, DicomError> {
        let Some(format) = &header.format else {
            let problem = "it holds pixel data, but not how many rows, columns and bits that is";
            return Err(DicomError::no_pixels(&header.path, problem));
        };
        match &self.fragments {
            None => self.native(header, format, index),
            Some(fragments) => self.encapsulated(header, format, fragments, index),
        }
    }

    fn native(&self, header: &Header, format: &PixelFormat, index: usize) -> Result<StoredFrame, DicomError> {
        let path = &header.path;
        let start = self.element.start;
        let value = self.bytes.get(start..start + self.element.length.unwrap_or(0)).unwrap_or_default();
        let bits = format.native_bits();
        let needed = (bits * header.frames as u128).div_ceil(8);
        if needed > value.len() as u128 {
            let PixelFormat { rows, columns, samples, allocated, .. } = format;
            let (held, frames) = (value.len(), header.frames);
            return Err(DicomError::pixels(
                path,
                format!(
                    "pixel data has {held} bytes, but the header implies {needed}: {frames} frames of {rows} x \
                     {columns} pixels of {samples} samples of {allocated} bits; the file is damaged or was cut short"
                ),
            ));
        }
        // both fit in memory, since the whole value does
        let first = bits * index as u128;
        let swapped = self.big && self.element.vr == VR::OW;
        let bytes = bits::native(value, first, bits, format.allocated, swapped);
        if self.element.tag == tags::FLOAT_PIXEL_DATA {
            return finish(path, format, StoredValues::Float(bits::each(&bytes, self.big, f32::from_le_bytes)));
        }
        if self.element.tag == tags::DOUBLE_FLOAT_PIXEL_DATA {
            return finish(path, format, StoredValues::Double(bits::each(&bytes, self.big, f64::from_le_bytes)));
        }
        if format.photometric == Photometric::YbrFull422 {
            if format.allocated != 8 || format.samples != 3 || !(format.rows * format.columns).is_multiple_of(2) {
                return Err(DicomError::pixels(path, "YBR_FULL_422 needs 3 samples of 8 bits and an even width"));
            }
            return finish(path, format, StoredValues::Integer(colour::spread_422(&bytes)));
        }
        self.integers(path, format, &bytes, self.big, Field::of(format))
    }

    fn integers(
        &self,
        path: &Path,
        format: &PixelFormat,
        bytes: &[u8],
        big: bool,
        field: Field,
    ) -> Result<StoredFrame, DicomError> {
        let values = match format.allocated {
            1 | 8 => StoredValues::Integer(bytes.iter().map(|&byte| field.value(u32::from(byte))).collect()),
            16 => StoredValues::Integer(bits::each(bytes, big, |two: [u8; 2]| {
                field.value(u32::from(u16::from_le_bytes(two)))
            })),
            32 if format.signed || format.stored < 32 => {
                StoredValues::Integer(bits::each(bytes, big, |four: [u8; 4]| field.value(u32::from_le_bytes(four))))
            }
            32 => StoredValues::Unsigned(bits::each(bytes, big, u32::from_le_bytes)),
            bits => {
                let problem = format!("says {bits}, which whole numbers of {} do not have", name_of(self.element.tag));
                return Err(DicomError::attribute(path, name_of(tags::BITS_ALLOCATED), problem));
            }
        };
        finish(path, format, values)
    }

    fn encapsulated(
        &self,
        header: &Header,
        format: &PixelFormat,
        fragments: &Fragments,
        index: usize,
    ) -> Result<StoredFrame, DicomError> {
        let path = &header.path;
        let uid = header.syntax.uid.as_str();
        let Some(codec) = Codec::of(uid) else {
            let remedy = remedy(uid).to_owned();
            return Err(DicomError::Unsupported { path: path.clone(), syntax: header.syntax.to_string(), remedy });
        };
        let refuse = |problem: String| DicomError::Decode {
            path: path.clone(),
            frame: index + 1,
            frames: header.frames,
            syntax: header.syntax.name.clone(),
            problem,
        };
        let stream = fragments.frame(&self.bytes, index, header.frames).map_err(refuse)?;
        let values = format.values();
        if values > ALWAYS_DECODED && values / MAX_EXPANSION > stream.len() {
            return Err(refuse(format!("{} bytes of stream cannot hold {values} values", stream.len())));
        }
        let stored = match codec {
            Codec::Native => {
                let needed = format.native_bits().div_ceil(8);
                if needed > stream.len() as u128 {
                    return Err(refuse(format!("{} bytes where {needed} are needed", stream.len())));
                }
                let bytes = bits::native(&stream, 0, format.native_bits(), format.allocated, false);
                return self.integers(path, format, &bytes, false, Field::of(format));
            }
            Codec::Deflated => {
                let needed = usize::try_from(format.native_bits().div_ceil(8)).unwrap_or(usize::MAX);
                let bytes = bits::inflated(&stream, needed).map_err(refuse)?;
                let bytes = bits::native(&bytes, 0, format.native_bits(), format.allocated, false);
                return self.integers(path, format, &bytes, false, Field::of(format));
            }
            Codec::Rle => {
                let bytes = rle::decode(&stream, format).map_err(refuse)?;
                let interleaved = PixelFormat { planar: false, ..format.clone() };
                return self.integers(path, &interleaved, &bytes, false, Field::of(format));
            }
            Codec::Jpeg => guarded(|| jpeg::decode(&stream, format)),
            Codec::JpegLs => guarded(|| jpegls::decode(&stream, format)),
            Codec::Jpeg2000 => guarded(|| jpeg2000::decode(&stream, format, uid)),
        };
        let decoded = stored.map_err(refuse)?;
        let field = Field { shift: 0, bits: format.stored.min(32), signed: format.signed };
        let values: Vec<i32> = match decoded.samples {
            Samples::Bytes(bytes) => bytes.iter().map(|&byte| field.value(u32::from(byte))).collect(),
            Samples::Words(words) => words.iter().map(|&word| field.value(u32::from(word))).collect(),
        };
        let format = PixelFormat { planar: false, photometric: decoded.photometric, ..format.clone() };
        finish(path, &format, StoredValues::Integer(values))
    }
}

/// Puts the channels of each pixel side by side, and checks that none is missing.
fn finish(path: &Path, format: &PixelFormat, values: StoredValues) -> Result<StoredFrame, DicomError> {
    let held = match &values {
        StoredValues::Integer(values) => values.len(),
        StoredValues::Unsigned(values) => values.len(),
        StoredValues::Float(values) => values.len(),
        StoredValues::Double(values) => values.len(),
    };
    if held != format.values() {
        let needed = format.values();
        return Err(DicomError::pixels(path, format!("a frame has {held} values where the header implies {needed}")));
    }
    let values = match values {
        values if !format.planar => values,
        StoredValues::Integer(values) => StoredValues::Integer(bits::interleaved(&values, format.samples)),
        StoredValues::Unsigned(values) => StoredValues::Unsigned(bits::interleaved(&values, format.samples)),
        values => values,
    };
    Ok(StoredFrame {
        rows: format.rows,
        columns: format.columns,
        channels: format.samples,
        photometric: format.photometric.clone(),
        values,
    })
}

/// Runs a decoder of somebody else's; a panic in it is an error of the stream.
fn guarded(decode: impl FnOnce() -> Result<Decoded, String>) -> Result<Decoded, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("the decoder broke down on this stream: it is damaged".to_owned()))
}

/// Ways to encode a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Native,
    Deflated,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

impl Codec {
    fn of(uid: &str) -> Option<Self> {
        Some(match uid.strip_prefix("1.2.840.10008.1.2.")? {
            "1.98" => Self::Native,
            "8.1" => Self::Deflated,
            "5" => Self::Rle,
            "4.50" | "4.51" | "4.57" | "4.70" => Self::Jpeg,
            "4.80" | "4.81" => Self::JpegLs,
            "4.90" | "4.91" | "4.92" | "4.93" | "4.201" | "4.202" | "4.203" => Self::Jpeg2000,
            _ => return None,
        })
    }
}

/// Whether the pixels of a transfer syntax are decoded, encapsulated or not.
pub(crate) fn is_decoded(uid: &str) -> bool {
    let native = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"];
    native.contains(&uid) || Codec::of(uid).is_some()
}

/// What to do about a transfer syntax that is not decoded.
pub(crate) fn remedy(uid: &str) -> &'static str {
    if is_decoded(uid) {
        return "its pixels are encapsulated although the syntax does not allow it; have it sent or converted again";
    }
    match uid.strip_prefix("1.2.840.10008.1.2.").unwrap_or_default() {
        "4.110" | "4.111" | "4.112" => "it is JPEG XL; convert it to JPEG 2000 or Explicit VR Little Endian first",
        "4.94" | "4.95" | "4.204" | "4.205" => "its pixels are on a server that the file names; fetch them from there",
        // 4.100 to 4.108, with and without .1
        syntax if syntax.starts_with("4.10") => "it is a video; extract its frames with a program for videos",
        _ => "convert it to Explicit VR Little Endian first, as with gdcmconv --raw",
    }
}
