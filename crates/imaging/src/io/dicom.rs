//! DICOM in and out.
//!
//! A file is parsed by own code that checks every declared length against the bytes that are there before it allocates,
//! and does not descend deeper than [`MAX_DEPTH`]: a file of two kilobytes that declares four gigabytes costs two
//! kilobytes. Files without preamble or meta group are recognised by their first attribute. Pixels are decoded frame by
//! frame: native little and big endian of 1 to 64 bits, deflated, RLE, JPEG (baseline, extended with 8 and 12 bits,
//! lossless), JPEG-LS, JPEG 2000 and high-throughput JPEG 2000. What is not decoded is refused by the name of its
//! transfer syntax.
//!
//! [`DicomFile::stored`] gives the integers as they stand in the file, [`DicomFile::frame`] what they mean: modality
//! look-up table or rescale slope and intercept of that very frame, MONOCHROME1 turned so that more is brighter,
//! palettes and YBR as RGB.
//!
//! | module | what |
//! |---|---|
//! | [`header`], [`frames`] | what a file says of itself and of each of its frames |
//! | [`pixels`], [`lut`] | how pixels are stored, and what their values mean |
//! | [`mod@inspect`] | what would be read, what is refused and why, before anything is decoded |
//! | [`series`] | a folder of files as volumes |
//! | [`seg`], [`parametric`], [`capture`] | segmentations, probability maps and pictures out |

pub mod capture;
pub(crate) mod clean;
mod colour;
mod dataset;
mod dates;
mod derived;
mod encode;
mod error;
pub mod frames;
pub mod header;
pub mod inspect;
pub mod lut;
mod palette;
pub mod parametric;
pub mod pixels;
mod prescan;
pub mod seg;
pub mod series;
pub(crate) mod values;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

pub use self::derived::{Code, OutputOptions, Written};
pub use self::error::DicomError;
pub use self::frames::FrameHeader;
pub use self::header::{Header, TransferSyntax};
pub use self::inspect::{Inspection, inspect};
pub use self::lut::{PixelOptions, Rescale, Voi, VoiFunction, Window};
pub use self::pixels::{Frame, Photometric, PixelFormat, StoredFrame, StoredValues};
pub use self::prescan::MAX_DEPTH;
pub use self::series::{
    FaultKind, Remedy, Series, SeriesFault, SeriesOptions, SeriesTags, Survey, scan, survey, write_series,
};

use self::dataset::{Parsed, PixelElement};
use self::pixels::PixelData;
use self::prescan::{Preamble, Stop};
use self::values::Object;

/// Bytes that a header is expected to fit in; if it does not, twice as many are read, and so on.
const FIRST_READ: usize = 32 << 10;

/// One file: its header, its data set up to the pixels, and the pixels still encoded.
#[derive(Debug)]
pub struct DicomFile {
    header: Header,
    object: Object,
    /// Where the pixels begin and how long they are, whether they were read or not.
    element: Option<PixelElement>,
    pixels: Option<PixelData>,
}

/// Reads a whole file.
///
/// # Errors
/// [`DicomError`] if the file cannot be read, is no DICOM file, or is damaged before its pixels. Pixels are looked at
/// when a frame is asked for.
pub fn open(path: &Path) -> Result<DicomFile, DicomError> {
    from_bytes(path, std::fs::read(path).map_err(DicomError::read(path))?)
}

/// Reads a file up to its pixels, a few kilobytes of most files.
///
/// # Errors
/// As [`open`]. [`DicomFile::frame`] of what is returned is an error.
pub fn open_header(path: &Path) -> Result<DicomFile, DicomError> {
    let mut file = File::open(path).map_err(DicomError::read(path))?;
    let length = file.metadata().map_err(DicomError::read(path))?.len();
    let mut total = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    let mut wanted = FIRST_READ.min(total);
    loop {
        let missing = wanted - bytes.len();
        let read = file.by_ref().take(missing as u64).read_to_end(&mut bytes).map_err(DicomError::read(path))?;
        if read < missing {
            // the file is shorter than it was a moment ago
            total = bytes.len();
        }
        match parse(path, &bytes, total)? {
            Ok((preamble, parsed, _)) => return DicomFile::assemble(path, &preamble, parsed, None),
            Err(needed) => wanted = needed.max(2 * bytes.len()).min(total),
        }
    }
}

/// Reads a file that is in memory; `path` is what errors and headers call it.
///
/// # Errors
/// As [`open`].
pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<DicomFile, DicomError> {
    match parse(path, &bytes, bytes.len())? {
        Ok((preamble, parsed, inflated)) => {
            DicomFile::assemble(path, &preamble, parsed, Some(inflated.unwrap_or(bytes)))
        }
        // all bytes are there, so nothing can be missing
        Err(_) => Err(DicomError::NotDicom { path: path.to_path_buf(), problem: "it ends in its header".to_owned() }),
    }
}

type Whole = (Preamble, Parsed, Option<Vec<u8>>);

/// The data set of the first `bytes` of a file of `total` bytes, or how many bytes it takes to get further.
fn parse(path: &Path, bytes: &[u8], total: usize) -> Result<Result<Whole, usize>, DicomError> {
    let preamble = match prescan::preamble(path, bytes, total)? {
        Ok(preamble) => preamble,
        Err(needed) => return Ok(Err(needed)),
    };
    let outcome = if preamble.deflated {
        if bytes.len() < total {
            return Ok(Err(total));
        }
        let inflated = prescan::inflate(path, bytes.get(preamble.start..).unwrap_or_default())?;
        dataset::parse(&inflated, inflated.len(), 0, preamble.encoding).map(|parsed| (parsed, Some(inflated)))
    } else {
        dataset::parse(bytes, total, preamble.start, preamble.encoding).map(|parsed| (parsed, None))
    };
    match outcome {
        Ok((parsed, inflated)) => Ok(Ok((preamble, parsed, inflated))),
        Err(Stop::More(needed)) if bytes.len() < total => Ok(Err(needed)),
        Err(stop) => Err(stop.fault().at(path)),
    }
}

impl DicomFile {
    fn assemble(path: &Path, preamble: &Preamble, parsed: Parsed, bytes: Option<Vec<u8>>) -> Result<Self, DicomError> {
        let Parsed { object, pixels } = parsed;
        let header = Header::read(path, preamble, &object)?;
        let element = pixels;
        let pixels = match (element, bytes) {
            (Some(element), Some(bytes)) => Some(PixelData::locate(path, bytes, element, preamble.encoding, &object)?),
            _ => None,
        };
        Ok(Self { header, object, element, pixels })
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The data set, without the pixels and what follows them.
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    /// One frame, from 0, as real values.
    ///
    /// # Errors
    /// As [`stored`](Self::stored), and [`DicomError::Attribute`] if a table that the values go through is damaged.
    pub fn frame(&self, index: usize, options: &PixelOptions) -> Result<Frame, DicomError> {
        let stored = self.stored(index)?;
        lut::real(&self.header, &self.object, index, stored, options)
    }

    /// One frame, from 0, as the numbers that the file stores: high bits that hold no part of the value cleared, signs
    /// extended, channels of a pixel side by side, no table and no rescaling applied.
    ///
    /// # Errors
    /// [`DicomError::NoPixels`] if the object is no image or was opened by [`open_header`], [`DicomError::NoFrame`],
    /// [`DicomError::Pixels`] if the pixel data is shorter than the header implies, [`DicomError::Unsupported`] with
    /// the name of the transfer syntax, [`DicomError::Decode`] if the compressed stream is damaged.
    pub fn stored(&self, index: usize) -> Result<StoredFrame, DicomError> {
        let path = &self.header.path;
        if index >= self.header.frames {
            let (frame, frames) = (index.saturating_add(1), self.header.frames);
            return Err(DicomError::NoFrame { path: path.clone(), frame, frames });
        }
        let Some(pixels) = &self.pixels else {
            let problem = if self.element.is_some() {
                "it was opened up to its pixels only".to_owned()
            } else {
                let class = self.header.class.as_deref().unwrap_or("an unknown class");
                format!("it is an object of {class} without pixel data")
            };
            return Err(DicomError::no_pixels(path, problem));
        };
        pixels.frame(&self.header, index)
    }

    /// Bytes of native pixel data, and how many of them the header implies; `None` if the pixels are encapsulated, or
    /// the object is no image.
    pub(crate) fn native_bytes(&self) -> Option<(u128, u128)> {
        let held = self.element?.length? as u128;
        let implied = self.header.format.as_ref()?.native_bits() * self.header.frames as u128;
        Some((held, implied.div_ceil(8)))
    }

    /// Whether the object holds pixels.
    pub fn has_pixels(&self) -> bool {
        self.element.is_some()
    }

    /// Whether the pixels are in fragments, as compressed ones are.
    pub(crate) fn is_encapsulated(&self) -> bool {
        self.element.is_some_and(|element| element.length.is_none())
    }

    /// Which pixels of a frame are padding: they stand for nothing that was measured and belong into no statistic.
    /// `None` if the file declares no padding value.
    pub fn padding(&self, stored: &StoredFrame) -> Option<Vec<bool>> {
        let [low, high] = self.header.padding?;
        Some(stored.map(|value| value >= low && value <= high))
    }
}

#[cfg(test)]
#[allow(clippy::trivially_copy_pass_by_ref, reason = "names of representations are byte strings")]
mod tests;
