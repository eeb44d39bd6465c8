//! The planes of a file: its frames, or the tiles of a mosaic, each with its place in the patient and with what tells
//! repetitions of the same place apart.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::mosaic::{self, Tiles};
use crate::geometry::{cross, dot, norm};
use crate::io::dicom::inspect::class_name;
use crate::io::dicom::values::{self, Object};
use crate::io::dicom::{DicomError, DicomFile, Header, open_header};

/// Planes of one file that are believed: whole-body dynamic series have about 50 000.
const MAX_PLANES: usize = 1 << 16;

/// How far the cosine of rows and columns may be from 0: the six numbers are rounded to as few as three digits.
const RIGHT_ANGLE: f64 = 1e-3;

/// What tells volumes of one series apart, in words for messages.
pub(super) const KEYS: [&str; 8] = [
    "stack",
    "temporal position",
    "acquisition number",
    "echo number",
    "echo time",
    "b-value",
    "image type",
    "trigger time",
];

/// A file of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) instance: String,
    pub(super) patient: Option<String>,
    pub(super) study: Option<String>,
    pub(super) frame_of_reference: Option<String>,
    pub(super) notices: Vec<String>,
}

/// Where a plane stands: the centre of its first pixel and the unit vectors, at right angles, of its columns and rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) position: [f64; 3],
    pub(super) across: [f64; 3],
    pub(super) down: [f64; 3],
}

impl Place {
    /// `None` if the vectors are no unit vectors at right angles, or the position is a kilometre away.
    fn new(position: [f64; 3], orientation: [f64; 6]) -> Option<Self> {
        if !position.iter().all(|mm| mm.abs() < 1e6) {
            return None;
        }
        let [a, b, c, d, e, f] = orientation;
        let (across, down) = ([a, b, c], [d, e, f]);
        let (width, height) = (norm(across), norm(down));
        let unit = |length: f64| (length - 1.0).abs() <= 1e-2;
        if !unit(width) || !unit(height) || (dot(across, down) / (width * height)).abs() > RIGHT_ANGLE {
            return None;
        }
        let across = across.map(|value| value / width);
        // What is left of a rounding error goes into the rows.
        let along = dot(across, down);
        let down = [0, 1, 2].map(|axis| down[axis] - along * across[axis]);
        let height = norm(down);
        Some(Self { position, across, down: down.map(|value| value / height) })
    }

    /// The unit vector at right angles to the plane; with columns and rows it is right-handed.
    pub(super) fn normal(&self) -> [f64; 3] {
        cross(self.across, self.down)
    }
}

/// One plane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    /// Index of its file in the series.
    pub(super) file: usize,
    /// Frame of the file, from 0.
    pub(super) frame: usize,
    /// Tiles of a mosaic, and which of them this is.
    pub(super) tile: Option<(Tiles, usize)>,
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// mm between columns, then between rows.
    pub(super) spacing: Option<[f64; 2]>,
    /// Distance in mm to the next plane, as the file claims it.
    pub(super) between: Option<f64>,
    /// Thickness in mm.
    pub(super) thickness: Option<f64>,
    pub(super) place: Option<Place>,
    /// A scout, by which the others were planned.
    pub(super) localiser: bool,
    /// Values of [`KEYS`].
    pub(super) keys: [Option<String>; 8],
    /// `InstanceNumber`.
    pub(super) number: Option<i64>,
}

/// A file's planes, with what is said of its series.
pub(super) struct Opened {
    pub(super) header: Header,
    /// `Units` of positron emission tomography.
    pub(super) units: Option<String>,
    pub(super) file: SourceFile,
    /// Their `file` is 0.
    pub(super) planes: Vec<Plane>,
}

/// Reads the header of a file; `None` if it is no image, or a segmentation, which is no image of the patient either.
pub(super) fn planes(path: &Path) -> Result<Option<Opened>, DicomError> {
    let file = open_header(path)?;
    let header = file.header();
    let segmentation = header.class.as_deref().is_some_and(|class| class.starts_with("1.2.840.10008.5.1.4.1.1.66."));
    if segmentation {
        return Ok(None);
    }
    let format = match &header.format {
        Some(format) if file.has_pixels() => format,
        // what is an image by its class may be cut short, and must not be missed in silence
        _ if header.class.as_deref().is_some_and(|class| class_name(class).ends_with("Image Storage")) => {
            return Err(DicomError::no_pixels(path, "it is an image by its class; fetch the file again"));
        }
        _ => return Ok(None),
    };
    let (columns, rows) = (format.columns, format.rows);
    let mut notices = header.notices.clone();
    let base = |frame: usize| plane(header, frame, columns, rows);
    let planes = if let Some(tiles) = tiles(&file, columns, rows)? {
        mosaic_planes(&base(0), &tiles.0, tiles.1, &mut notices)
    } else if header.frames == 1 {
        vec![base(0)]
    } else {
        check_frames(header)?;
        let mut planes: Vec<Plane> = (0..header.frames).map(base).collect();
        if header.per_frame.is_empty() {
            stack_frames(file.object(), &mut planes);
        }
        planes
    };
    let source = SourceFile {
        path: path.to_path_buf(),
        instance: header.instance.clone().unwrap_or_default(),
        patient: header.patient.clone(),
        study: header.study.clone(),
        frame_of_reference: header.frame_of_reference.clone(),
        notices,
    };
    let units = values::text(file.object(), tags::UNITS);
    Ok(Some(Opened { units, file: source, planes, header: header.clone() }))
}

/// Frames are not believed beyond the items that describe them, or beyond what any object has.
fn check_frames(header: &Header) -> Result<(), DicomError> {
    let (frames, described) = (header.frames, header.per_frame.len());
    let problem = if described > 0 && described != frames {
        format!("says {frames}, but PerFrameFunctionalGroupsSequence describes {described}; fetch the file again")
    } else if frames > MAX_PLANES {
        format!("says {frames}; at most {MAX_PLANES} frames are read from one file: split it")
    } else {
        return Ok(());
    };
    Err(DicomError::attribute(&header.path, values::name_of(tags::NUMBER_OF_FRAMES), problem))
}

fn plane(header: &Header, frame: usize, columns: usize, rows: usize) -> Plane {
    let described = header.frame(frame);
    let text = |number: Option<i64>| number.map(|number| number.to_string());
    let decimal = |number: Option<f64>| number.map(|number| number.to_string());
    let image_type = (!header.image_type.is_empty()).then(|| header.image_type.join("\\"));
    let keys = [
        described.stack.clone(),
        text(described.temporal.or(header.temporal_position)),
        text(described.acquisition.or(header.acquisition)),
        text(header.echo),
        decimal(described.echo_time.or(header.echo_time)),
        decimal(described.b_value.or(header.b_value)),
        image_type,
        decimal(header.trigger_time),
    ];
    Plane {
        file: 0,
        frame,
        tile: None,
        columns,
        rows,
        // DICOM's order is the distance of the rows first
        spacing: described
            .spacing
            .map(|[rows, columns]| [columns, rows])
            .filter(|both| both.iter().all(|&mm| is_length(mm))),
        // some writers give it the sign of their own order
        between: described.between_slices.map(f64::abs).filter(|&mm| is_length(mm)),
        thickness: described.thickness.filter(|&mm| is_length(mm)),
        place: described.position.zip(described.orientation).and_then(|(at, axes)| Place::new(at, axes)),
        localiser: header.image_type.iter().any(|part| part.eq_ignore_ascii_case("LOCALIZER")),
        keys,
        number: header.instance_number,
    }
}

/// Whether a number can be a distance in mm: nothing that is imaged is a kilometre large.
fn is_length(mm: f64) -> bool {
    (1e-6..1e6).contains(&mm)
}

/// Frames of an object without functional groups. Only dose grids say where they are: at offsets along the normal. Those
/// of any other are pictures without a place, as a loop of ultrasound.
fn stack_frames(object: &Object, planes: &mut [Plane]) {
    let offsets = values::numbers(object, tags::GRID_FRAME_OFFSET_VECTOR).filter(|found| found.len() == planes.len());
    for (index, plane) in planes.iter_mut().enumerate() {
        plane.place = offsets.as_ref().and_then(|offsets| {
            let mut place = plane.place?;
            let normal = place.normal();
            // The first offset is 0, or else all of them are coordinates.
            let along = offsets[index] - offsets[0];
            for (coordinate, direction) in place.position.iter_mut().zip(normal) {
                *coordinate += along * direction;
            }
            place.position.iter().all(|mm| mm.abs() < 1e6).then_some(place)
        });
    }
}

/// Tiles, and the direction in which they follow each other if the file says so.
type Stack = (Tiles, Option<[f64; 3]>);

/// The tiles of a Siemens mosaic.
fn tiles(file: &DicomFile, columns: usize, rows: usize) -> Result<Option<Stack>, DicomError> {
    let header = file.header();
    let mosaic = header.image_type.iter().any(|part| part.eq_ignore_ascii_case("MOSAIC"));
    if !mosaic || header.frames != 1 {
        return Ok(None);
    }
    let (csa, element) = private(file.object(), 0x0029, "SIEMENS CSA HEADER", 0x10).unzip();
    let refuse = |error: mosaic::MosaicError| {
        let attribute = values::name_of(element.unwrap_or(Tag(0x0029, 0x1010)));
        DicomError::attribute(&header.path, attribute, error.to_string())
    };
    let csa = csa.filter(|bytes| !bytes.is_empty());
    let found = csa.map(mosaic::private).transpose().map_err(refuse)?.unwrap_or_default();
    // The number is also in an element of its own.
    let stated = private(file.object(), 0x0019, "SIEMENS MR HEADER", 0x0A)
        .and_then(|(_, tag)| values::integer(file.object(), tag))
        .and_then(|number| usize::try_from(number).ok())
        .filter(|&number| number > 0);
    let Some(count) = found.tiles.or(stated) else {
        let problem = "the image type is MOSAIC, but neither the private header (0029,xx10) nor (0019,xx0A) says of how \
                       many tiles; convert the file with the vendor's or another program";
        return Err(DicomError::attribute(&header.path, values::name_of(tags::IMAGE_TYPE), problem));
    };
    Ok(Some((Tiles::new(count, columns, rows).map_err(refuse)?, found.normal)))
}

fn mosaic_planes(picture: &Plane, tiles: &Tiles, normal: Option<[f64; 3]>, notices: &mut Vec<String>) -> Vec<Plane> {
    let place = picture.place.zip(picture.spacing).zip(picture.between.or(picture.thickness));
    if place.is_some() && normal.is_none() {
        notices.push("the mosaic does not say in which direction its slices follow; the normal was taken".to_owned());
    }
    (0..tiles.count)
        .map(|tile| {
            let place = place.map(|((place, spacing), step)| {
                // The private vector only tells the sign: the columns and rows have more digits.
                let axis = place.normal();
                let sign = if normal.is_some_and(|normal| dot(normal, axis) < 0.0) { -1.0 } else { 1.0 };
                let corner = tiles.corner(place.position, place.across, place.down, spacing);
                let along = sign * step * tile as f64;
                Place { position: [0, 1, 2].map(|at| corner[at] + along * axis[at]), ..place }
            });
            Plane { tile: Some((*tiles, tile)), columns: tiles.columns, rows: tiles.rows, place, ..picture.clone() }
        })
        .collect()
}

/// Bytes and tag of a private element, by the name of its creator.
fn private<'a>(object: &'a Object, group: u16, creator: &str, element: u16) -> Option<(&'a [u8], Tag)> {
    let block = (0x10..=0xFF_u16).find(|&block| {
        // In implicit files nothing says that the name is text.
        let name = values::primitive(object, Tag(group, block)).map(dicom_core::PrimitiveValue::to_bytes);
        name.is_some_and(|name| String::from_utf8_lossy(&name).trim_matches(['\0', ' ']) == creator)
    })?;
    let tag = Tag(group, block << 8 | element);
    let bytes = match values::primitive(object, tag)? {
        dicom_core::PrimitiveValue::U8(bytes) => bytes.as_slice(),
        _ => &[],
    };
    Some((bytes, tag))
}
