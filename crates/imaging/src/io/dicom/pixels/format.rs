//! Shapes of frames, and frames.

use std::fmt;
use std::path::Path;

use dicom_dictionary_std::tags;

use crate::io::dicom::error::DicomError;
use crate::io::dicom::values::{Object, count, name_of, text};

/// What the samples of a pixel are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Photometric {
    /// Grey, the lowest value is white.
    Monochrome1,
    /// Grey, the lowest value is black.
    Monochrome2,
    /// Index into three tables.
    Palette,
    /// Red, green, blue.
    Rgb,
    /// Luminance and two differences of colour, each of full range.
    YbrFull,
    /// As [`YbrFull`](Self::YbrFull), with one pair of differences for two pixels.
    YbrFull422,
    /// As JPEG 2000 transforms colours; its decoder transforms them back.
    YbrJpeg2000,
    /// Anything else, as the file spells it.
    Other(String),
}

impl Photometric {
    fn new(code: &str) -> Self {
        match code {
            "MONOCHROME1" => Self::Monochrome1,
            "MONOCHROME2" => Self::Monochrome2,
            "PALETTE COLOR" => Self::Palette,
            "RGB" => Self::Rgb,
            "YBR_FULL" => Self::YbrFull,
            "YBR_FULL_422" => Self::YbrFull422,
            "YBR_RCT" | "YBR_ICT" => Self::YbrJpeg2000,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether a pixel is luminance and two differences of colour.
    pub fn is_ybr(&self) -> bool {
        matches!(self, Self::YbrFull | Self::YbrFull422)
    }
}

impl fmt::Display for Photometric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Monochrome1 => "MONOCHROME1",
            Self::Monochrome2 => "MONOCHROME2",
            Self::Palette => "PALETTE COLOR",
            Self::Rgb => "RGB",
            Self::YbrFull => "YBR_FULL",
            Self::YbrFull422 => "YBR_FULL_422",
            Self::YbrJpeg2000 => "YBR_RCT",
            Self::Other(code) => code,
        })
    }
}

/// The shape of a frame and of its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelFormat {
    /// Rows of a frame, at least 1.
    pub rows: usize,
    /// Columns of a frame, at least 1.
    pub columns: usize,
    /// Samples of a pixel, 1 to 4.
    pub samples: usize,
    /// Bits that a sample takes: 1, 8, 16, 32 or 64.
    pub allocated: u32,
    /// Bits of them that hold the value.
    pub stored: u32,
    /// The highest of these, from 0.
    pub high: u32,
    /// Whether values are signed.
    pub signed: bool,
    /// Whether a frame holds one plane of each colour after the other.
    pub planar: bool,
    /// What the samples are.
    pub photometric: Photometric,
}

impl PixelFormat {
    /// `None` if the object has no rows, columns or bits: then it is no image.
    pub(crate) fn read(path: &Path, object: &Object) -> Result<Option<Self>, DicomError> {
        let value = |tag, least: i64, most: i64| match count(object, tag) {
            Ok(Some(value)) if !(least..=most).contains(&value) => {
                let problem = format!("says {value}; it must be from {least} to {most}");
                Err(DicomError::attribute(path, name_of(tag), problem))
            }
            Ok(value) => Ok(value),
            Err(problem) => Err(DicomError::attribute(path, name_of(tag), problem)),
        };
        let rows = value(tags::ROWS, 1, 65535)?;
        let columns = value(tags::COLUMNS, 1, 65535)?;
        let allocated = value(tags::BITS_ALLOCATED, 1, 64)?;
        let (Some(rows), Some(columns), Some(allocated)) = (rows, columns, allocated) else { return Ok(None) };
        if ![1, 8, 16, 32, 64].contains(&allocated) {
            let problem = format!("says {allocated}; samples of 1, 8, 16, 32 and 64 bits are read");
            return Err(DicomError::attribute(path, name_of(tags::BITS_ALLOCATED), problem));
        }
        let stored = value(tags::BITS_STORED, 1, allocated)?.unwrap_or(allocated);
        let high = value(tags::HIGH_BIT, stored - 1, allocated - 1)?.unwrap_or(stored - 1);
        let samples = value(tags::SAMPLES_PER_PIXEL, 1, 4)?.unwrap_or(1);
        let photometric = text(object, tags::PHOTOMETRIC_INTERPRETATION);
        let photometric = photometric.map_or_else(
            || if samples == 1 { Photometric::Monochrome2 } else { Photometric::Rgb },
            |code| Photometric::new(&code),
        );
        Ok(Some(Self {
            rows: rows as usize,
            columns: columns as usize,
            samples: samples as usize,
            allocated: allocated as u32,
            stored: stored as u32,
            high: high as u32,
            signed: value(tags::PIXEL_REPRESENTATION, 0, 1)? == Some(1),
            planar: samples > 1 && value(tags::PLANAR_CONFIGURATION, 0, 1)? == Some(1),
            photometric,
        }))
    }

    /// Values of a frame.
    pub fn values(&self) -> usize {
        self.rows * self.columns * self.samples
    }

    /// Lowest and highest value that the stored bits can hold.
    pub fn range(&self) -> [f64; 2] {
        let top = f64::from(self.stored).exp2();
        if self.signed { [-top / 2.0, top / 2.0 - 1.0] } else { [0.0, top - 1.0] }
    }

    /// Bits of a frame in a native file.
    pub(crate) fn native_bits(&self) -> u128 {
        let samples = if self.photometric == Photometric::YbrFull422 { 2 } else { self.samples };
        self.rows as u128 * self.columns as u128 * samples as u128 * u128::from(self.allocated)
    }
}

/// The numbers of a frame as the file stores them.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredValues {
    /// Whole numbers that fit in 32 bits with a sign.
    Integer(Vec<i32>),
    /// Whole numbers of 32 bits without a sign.
    Unsigned(Vec<u32>),
    /// Real numbers (`FloatPixelData`).
    Float(Vec<f32>),
    /// Real numbers of double precision (`DoubleFloatPixelData`).
    Double(Vec<f64>),
}

/// A frame as the file stores it, `[row, column, channel]` with the channels of a pixel side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFrame {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Samples of a pixel.
    pub channels: usize,
    /// What the samples are now that they are decompressed, which for JPEG and JPEG 2000 may be another than the
    /// file's.
    pub photometric: Photometric,
    /// The numbers.
    pub values: StoredValues,
}

impl StoredFrame {
    /// What `f` makes of each number.
    pub fn map<T>(&self, f: impl Fn(f64) -> T) -> Vec<T> {
        match &self.values {
            StoredValues::Integer(values) => values.iter().map(|&value| f(f64::from(value))).collect(),
            StoredValues::Unsigned(values) => values.iter().map(|&value| f(f64::from(value))).collect(),
            StoredValues::Float(values) => values.iter().map(|&value| f(f64::from(value))).collect(),
            StoredValues::Double(values) => values.iter().map(|&value| f(value)).collect(),
        }
    }

    /// Sum of all numbers.
    pub fn sum(&self) -> f64 {
        self.map(|value| value).iter().sum()
    }
}

/// A frame as real values, `[row, column, channel]` with the channels of a pixel side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The values: 1 channel of grey, where more is brighter, or 3 of red, green and blue.
    pub pixels: Vec<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// 1 or 3.
    pub channels: usize,
    /// Lowest and highest value that can occur, whatever does.
    pub range: [f32; 2],
    /// Pixels that are padding and stand for nothing that was measured.
    pub padded: usize,
}
