//! What stored values mean: the modality's table or rescaling, windows and tables of values of interest, and the turn
//! of MONOCHROME1 (PS3.3, C.11.1 and C.11.2; PS3.14 says in which order).

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::error::DicomError;
use super::header::Header;
use super::pixels::{Frame, Photometric, PixelFormat, StoredFrame};
use super::values::{self, Object, name_of, numbers, text, words};
use super::{colour, palette};

/// `real = slope · stored + intercept`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Never 0.
    pub slope: f64,
    /// In the units of the real value.
    pub intercept: f64,
}

impl Rescale {
    /// The real value of a stored one.
    pub fn apply(self, stored: f64) -> f64 {
        self.slope * stored + self.intercept
    }
}

/// How a window bends values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum VoiFunction {
    /// Linear over `width − 1`, centred at `centre − 0.5` (C.11.2.1.2.1).
    #[default]
    Linear,
    /// Linear over `width`, centred at `centre`.
    LinearExact,
    /// Logistic.
    Sigmoid,
}

/// A range of real values that is shown from black to white.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// In the units of the real values.
    pub centre: f64,
    /// Positive.
    pub width: f64,
    /// How values in between are spread.
    pub function: VoiFunction,
    /// As `BONE`.
    pub explanation: Option<String>,
}

impl Window {
    /// Brightness of a real value, from 0 to 1.
    pub fn apply(&self, value: f64) -> f64 {
        match self.function {
            // a width of 1 is a threshold: nothing lies between
            VoiFunction::Linear if self.width <= 1.0 => f64::from(u8::from(value > self.centre - 0.5)),
            VoiFunction::Linear => ((value - (self.centre - 0.5)) / (self.width - 1.0) + 0.5).clamp(0.0, 1.0),
            VoiFunction::LinearExact => ((value - self.centre) / self.width + 0.5).clamp(0.0, 1.0),
            VoiFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - self.centre) / self.width).exp()),
        }
    }
}

/// Which values of interest a frame is shown by.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Voi {
    /// None: real values, as networks want them.
    #[default]
    Real,
    /// What the file proposes at this place (from 0): its tables of values of interest, and then its windows. Real
    /// values if it proposes nothing.
    Proposed(usize),
    /// A window of one's own.
    Window(Window),
}

/// What is done to stored values.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelOptions {
    /// Apply the modality's table, or the rescaling of the frame.
    pub rescale: bool,
    /// Show by a window: values are then from 0 to 1.
    pub voi: Voi,
    /// Turn MONOCHROME1 about, within the range of what can be stored, so that more is brighter in every frame.
    pub invert: bool,
    /// What padding becomes; `None` leaves it as it is.
    pub padding: Option<f32>,
}

impl Default for PixelOptions {
    fn default() -> Self {
        Self { rescale: true, voi: Voi::Real, invert: true, padding: None }
    }
}

/// The rescaling that a data set or a functional group declares; for doses their scaling. A slope of 0 is no slope.
pub(super) fn rescale(object: &Object) -> Option<Rescale> {
    let slope = values::number(object, tags::RESCALE_SLOPE);
    let intercept = values::number(object, tags::RESCALE_INTERCEPT);
    if slope.is_none() && intercept.is_none() {
        let slope = values::number(object, tags::DOSE_GRID_SCALING).filter(|&slope| slope != 0.0)?;
        return Some(Rescale { slope, intercept: 0.0 });
    }
    let slope = slope.filter(|&slope| slope != 0.0).unwrap_or(1.0);
    Some(Rescale { slope, intercept: intercept.unwrap_or(0.0) })
}

/// The windows that a data set or a functional group proposes, those of no width left out.
pub(super) fn windows(object: &Object) -> Vec<Window> {
    let centres = numbers(object, tags::WINDOW_CENTER).unwrap_or_default();
    let widths = numbers(object, tags::WINDOW_WIDTH).unwrap_or_default();
    let names = values::texts(object, tags::WINDOW_CENTER_WIDTH_EXPLANATION);
    let function = match text(object, tags::VOILUT_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => VoiFunction::LinearExact,
        Some("SIGMOID") => VoiFunction::Sigmoid,
        _ => VoiFunction::Linear,
    };
    let pairs = centres.into_iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0.0);
    let window = |(place, (centre, width)): (usize, (f64, f64))| Window {
        centre,
        width,
        function,
        explanation: names.get(place).filter(|name| !name.is_empty()).cloned(),
    };
    pairs.map(window).collect()
}

/// A look-up table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    entries: Vec<u16>,
    /// Stored value of the first entry.
    first: f64,
    /// Bits of an entry.
    bits: u32,
}

impl Table {
    /// `None` if there are no entries.
    pub(super) fn new(entries: Vec<u16>, first: f64, bits: u32) -> Option<Self> {
        (!entries.is_empty()).then_some(Self { entries, first, bits })
    }

    /// Number of entries (where 0 stands for 65536), first stored value, bits of an entry.
    pub(super) fn descriptor(
        path: &Path,
        object: &Object,
        tag: Tag,
        signed: bool,
    ) -> Result<(usize, f64, u32), DicomError> {
        let Some([count, first, bits]) = values::array::<3>(object, tag) else {
            return Err(DicomError::attribute(path, name_of(tag), "must hold three numbers"));
        };
        // both were read as the file's representation, signed or not, whatever the pixels are
        let count = if count < 0.0 { count + 65536.0 } else { count } as usize;
        let first = if signed && first > 32767.0 {
            first - 65536.0
        } else if !signed && first < 0.0 {
            first + 65536.0
        } else {
            first
        };
        if !(1.0..=16.0).contains(&bits) {
            return Err(DicomError::attribute(path, name_of(tag), format!("says {bits} bits; 8 to 16 are read")));
        }
        Ok((if count == 0 { 65536 } else { count }, first, bits as u32))
    }

    pub(super) fn read(
        path: &Path,
        object: &Object,
        descriptor: Tag,
        data: Tag,
        signed: bool,
    ) -> Result<Self, DicomError> {
        let (count, first, bits) = Self::descriptor(path, object, descriptor, signed)?;
        let words = words(object, data).unwrap_or_default();
        // entries of 8 bits are packed in pairs, the lower byte first, where the file is not older than that rule
        let packed = bits <= 8 && words.len() < count && words.len() >= count.div_ceil(2);
        let mut entries: Vec<u16> =
            if packed { words.iter().flat_map(|word| word.to_le_bytes()).map(u16::from).collect() } else { words };
        if entries.len() < count {
            let held = entries.len();
            return Err(DicomError::attribute(path, name_of(data), format!("has {held} entries, not {count}")));
        }
        entries.truncate(count);
        Self::new(entries, first, bits).ok_or_else(|| DicomError::attribute(path, name_of(data), "has no entries"))
    }

    /// The entry of a stored value; the first or last one beyond the ends.
    pub(super) fn at(&self, stored: f64) -> f64 {
        let place = (stored - self.first).clamp(0.0, (self.entries.len() - 1) as f64) as usize;
        f64::from(self.entries[place])
    }

    /// The greatest value that an entry can have. Tables that call themselves 8 bits and hold more are 16.
    pub(super) fn top(&self) -> f64 {
        let most = f64::from(self.entries.iter().copied().max().unwrap_or(0));
        let top = f64::from(self.bits).exp2() - 1.0;
        if most > top { 65535.0 } else { top }
    }
}

/// A frame of real values: what [`DicomFile::frame`](super::DicomFile::frame) gives.
pub(super) fn real(
    header: &Header,
    object: &Object,
    index: usize,
    stored: StoredFrame,
    options: &PixelOptions,
) -> Result<Frame, DicomError> {
    let StoredFrame { rows, columns, channels, .. } = stored;
    let path = header.path.as_path();
    let signed = header.format.as_ref().is_some_and(|format| format.signed);
    let limits = header.format.as_ref().map_or([0.0, 1.0], PixelFormat::range);
    let whole =
        |pixels, channels, top: f64| Frame { pixels, rows, columns, channels, range: [0.0, top as f32], padded: 0 };
    match (&stored.photometric, channels) {
        (Photometric::Palette, 1) => {
            let (pixels, top) = palette::colours(path, object, &stored, signed)?;
            Ok(whole(pixels, 3, top))
        }
        (Photometric::Rgb, 3) => Ok(whole(stored.map(|value| value as f32), 3, limits[1])),
        (ybr, 3) if ybr.is_ybr() => {
            let mut pixels = stored.map(|value| value as f32);
            colour::to_rgb(&mut pixels, limits[1] as f32);
            Ok(whole(pixels, 3, limits[1]))
        }
        (_, 1) => grey(header, object, index, &stored, options, limits),
        (other, samples) => {
            let problem =
                format!("is {other} with {samples} samples a pixel, which is not turned into grey or colours");
            Err(DicomError::attribute(path, name_of(tags::PHOTOMETRIC_INTERPRETATION), problem))
        }
    }
}

/// Where stored values go.
enum Modality {
    Table(Table),
    Line(Rescale),
}

impl Modality {
    fn apply(&self, stored: f64) -> f64 {
        match self {
            Self::Table(table) => table.at(stored),
            Self::Line(line) => line.apply(stored),
        }
    }
}

fn grey(
    header: &Header,
    object: &Object,
    index: usize,
    stored: &StoredFrame,
    options: &PixelOptions,
    limits: [f64; 2],
) -> Result<Frame, DicomError> {
    let path = header.path.as_path();
    let signed = header.format.as_ref().is_some_and(|format| format.signed);
    let table = values::first_item(object, tags::MODALITY_LUT_SEQUENCE).filter(|_| options.rescale);
    let frame = header.frame(index);
    let modality = if let Some(item) = table {
        Modality::Table(Table::read(path, item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)?)
    } else {
        let line = frame.rescale.filter(|_| options.rescale);
        Modality::Line(line.unwrap_or(Rescale { slope: 1.0, intercept: 0.0 }))
    };
    // a negative slope turns the ends of the range about
    let ends = limits.map(|end| modality.apply(end));
    let mut range = match &modality {
        Modality::Table(table) => [0.0, table.top()],
        Modality::Line(_) => [ends[0].min(ends[1]), ends[0].max(ends[1])],
    };
    let window = match &options.voi {
        Voi::Real => None,
        Voi::Window(window) => Some(Shown::Window(window.clone())),
        Voi::Proposed(place) => proposed(path, object, &frame.windows, *place, range[0] < 0.0)?,
    };
    let turned = options.invert && stored.photometric == Photometric::Monochrome1;
    let pixels = match &window {
        None => {
            let sum = range[0] + range[1];
            stored.map(|value| {
                let real = modality.apply(value);
                (if turned { sum - real } else { real }) as f32
            })
        }
        Some(shown) => {
            range = [0.0, 1.0];
            stored.map(|value| {
                let bright = shown.apply(modality.apply(value));
                (if turned { 1.0 - bright } else { bright }) as f32
            })
        }
    };
    let mut made = Frame {
        pixels,
        rows: stored.rows,
        columns: stored.columns,
        channels: 1,
        range: range.map(|end| end as f32),
        padded: 0,
    };
    if let Some([low, high]) = header.padding {
        let padding = stored.map(|value| value >= low && value <= high);
        made.padded = padding.iter().filter(|&&padded| padded).count();
        if let Some(value) = options.padding {
            for (pixel, _) in made.pixels.iter_mut().zip(padding).filter(|(_, padded)| *padded) {
                *pixel = value;
            }
        }
    }
    Ok(made)
}

/// What a frame is shown by.
enum Shown {
    Window(Window),
    Table(Table),
}

impl Shown {
    fn apply(&self, real: f64) -> f64 {
        match self {
            Self::Window(window) => window.apply(real),
            Self::Table(table) => table.at(real.round()) / table.top(),
        }
    }
}

/// What the file proposes at `place`: tables come before windows (C.11.2.1).
fn proposed(
    path: &Path,
    object: &Object,
    windows: &[Window],
    place: usize,
    signed: bool,
) -> Result<Option<Shown>, DicomError> {
    let tables = values::items(object, tags::VOILUT_SEQUENCE);
    if let Some(item) = tables.get(place) {
        let table = Table::read(path, item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)?;
        return Ok(Some(Shown::Table(table)));
    }
    Ok(windows.get(place.saturating_sub(tables.len())).cloned().map(Shown::Window))
}
