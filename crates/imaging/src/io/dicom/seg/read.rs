//! Segmentation objects, ours and those of others.

use std::path::Path;

use dicom_dictionary_std::{tags, uids};

use super::super::derived::Code;
use super::super::error::DicomError;
use super::super::values::{self, Object, name_of};
use super::super::{DicomFile, open};
use super::{SegmentFrame, SegmentInfo, Segmentation, SegmentationKind, codes, grid};

/// Pixels of all frames that are held in memory: a compressed file of a few kilobytes could claim any number.
const MAX_PIXELS: usize = 1 << 32;

/// Reads a segmentation: binary, fractional, or a label map (PS3.3, A.51 and C.8.20.2).
///
/// # Errors
/// [`DicomError`] if the file cannot be read or is no segmentation, its frames are not described one by one or make no
/// grid, or its pixel data are shorter than it says.
pub fn read_seg(path: &Path) -> Result<Segmentation, DicomError> {
    segmentation(&open(path)?)
}

/// As [`read_seg`], of a file that was opened already.
///
/// # Errors
/// As [`read_seg`].
pub fn segmentation(file: &DicomFile) -> Result<Segmentation, DicomError> {
    let path = file.header().path.as_path();
    let (header, object) = (file.header(), file.object());
    let refuse = |tag, problem: String| DicomError::attribute(path, name_of(tag), problem);
    let class = header.class.as_deref().unwrap_or("missing");
    if class != uids::SEGMENTATION_STORAGE && class != uids::LABEL_MAP_SEGMENTATION_STORAGE {
        return Err(refuse(tags::SOP_CLASS_UID, format!("is {class}, which is no segmentation")));
    }
    let Some(format) = &header.format else {
        return Err(refuse(tags::ROWS, "is missing".to_owned()));
    };
    let (kind, maximum) = kind(object).map_err(|problem| refuse(tags::SEGMENTATION_TYPE, problem))?;
    let segments = segments(object);
    if segments.is_empty() {
        return Err(refuse(tags::SEGMENT_SEQUENCE, "names no segment".to_owned()));
    }
    let groups = values::items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    if header.per_frame.len() != header.frames || groups.len() != header.frames {
        let problem = format!("has {} items for {} frames; each frame needs one", groups.len(), header.frames);
        return Err(refuse(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, problem));
    }
    let (geometry, slices) = grid::stack(path, &header.per_frame, [format.columns, format.rows])?;
    if header.frames.saturating_mul(format.columns * format.rows) > MAX_PIXELS {
        let (count, rows, columns) = (header.frames, format.rows, format.columns);
        let problem = format!("{count} frames of {rows} x {columns} pixels; up to {MAX_PIXELS} pixels are held");
        return Err(DicomError::pixels(path, problem));
    }
    let mut frames = Vec::new();
    for (index, (frame, group)) in header.per_frame.iter().zip(groups).enumerate() {
        let values = pixels(file, index, kind, maximum)?;
        let (slice, source) = (slices[index], source(group));
        if kind != SegmentationKind::LabelMap {
            let known = |number: &u16| segments.iter().any(|segment| segment.number == *number);
            let Some(segment) = frame.segment.filter(known) else {
                let found = frame.segment.map_or_else(|| "no segment".to_owned(), |number| format!("segment {number}"));
                let problem = format!("of frame {} is {found}, which the file does not describe", index + 1);
                return Err(refuse(tags::REFERENCED_SEGMENT_NUMBER, problem));
            };
            frames.push(SegmentFrame {
                segment,
                slice,
                source,
                values: values.into_iter().map(|value| value as u8).collect(),
            });
            continue;
        }
        for segment in &segments {
            let mask: Vec<u8> = values.iter().map(|&value| u8::from(value == segment.number)).collect();
            if mask.contains(&1) {
                frames.push(SegmentFrame { segment: segment.number, slice, source: source.clone(), values: mask });
            }
        }
    }
    let frame_of_reference = header.frame_of_reference.clone();
    Ok(Segmentation { path: path.to_path_buf(), kind, maximum, segments, frames, geometry, frame_of_reference })
}

/// What the values of the frames are, and which of them stands for 1.
fn kind(object: &Object) -> Result<(SegmentationKind, u8), String> {
    match values::text(object, tags::SEGMENTATION_TYPE).as_deref() {
        Some("BINARY") => Ok((SegmentationKind::Binary, 1)),
        Some("LABELMAP") => Ok((SegmentationKind::LabelMap, 1)),
        Some("FRACTIONAL") => {
            let maximum = values::integer(object, tags::MAXIMUM_FRACTIONAL_VALUE);
            let maximum = maximum.and_then(|value| u8::try_from(value).ok()).filter(|&value| value > 0);
            let Some(maximum) = maximum else {
                return Err("is FRACTIONAL, but MaximumFractionalValue is not 1 to 255".to_owned());
            };
            let occupancy = values::text(object, tags::SEGMENTATION_FRACTIONAL_TYPE).as_deref() == Some("OCCUPANCY");
            Ok((if occupancy { SegmentationKind::Occupancy } else { SegmentationKind::Probability }, maximum))
        }
        Some(other) => Err(format!("is {other}; BINARY, FRACTIONAL and LABELMAP are read")),
        None => Err("is missing".to_owned()),
    }
}

/// The segments that have a number; 0 is the background of a label map.
fn segments(object: &Object) -> Vec<SegmentInfo> {
    let described = values::items(object, tags::SEGMENT_SEQUENCE).iter().filter_map(|item| {
        let number = values::integer(item, tags::SEGMENT_NUMBER).and_then(|number| u16::try_from(number).ok())?;
        let lab = values::array::<3>(item, tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE);
        Some(SegmentInfo {
            number,
            name: values::text(item, tags::SEGMENT_LABEL).unwrap_or_else(|| format!("label {number}")),
            category: Code::read(item, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE),
            kind: Code::read(item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE),
            colour: lab.map(|lab| codes::from_cielab(lab.map(|value| value.clamp(0.0, 65_535.0) as u16))),
            algorithm_type: values::text(item, tags::SEGMENT_ALGORITHM_TYPE),
            algorithm: values::text(item, tags::SEGMENT_ALGORITHM_NAME),
        })
    });
    described.filter(|segment| segment.number > 0).collect()
}

/// The image that a frame was made from, and the frame in it.
fn source(group: &Object) -> Option<(String, Option<usize>)> {
    let derivation = values::first_item(group, tags::DERIVATION_IMAGE_SEQUENCE)?;
    let image = values::first_item(derivation, tags::SOURCE_IMAGE_SEQUENCE)?;
    let instance = values::text(image, tags::REFERENCED_SOP_INSTANCE_UID)?;
    let frame = values::integer(image, tags::REFERENCED_FRAME_NUMBER).and_then(|frame| usize::try_from(frame).ok());
    Some((instance, frame))
}

/// The values of one frame: 0 or 1, 0 to the maximum, or the numbers of segments.
fn pixels(file: &DicomFile, index: usize, kind: SegmentationKind, maximum: u8) -> Result<Vec<u16>, DicomError> {
    let stored = file.stored(index)?;
    let path = &file.header().path;
    // one bit is one, however it is spelt
    let binary = kind == SegmentationKind::Binary;
    let values = stored.map(|value| if binary { f64::from(u8::from(value != 0.0)) } else { value });
    let (found, expected) = (values.len(), stored.rows * stored.columns);
    if found != expected {
        return Err(DicomError::pixels(path, format!("frame {} has {found} values for {expected} pixels", index + 1)));
    }
    let most = if kind == SegmentationKind::LabelMap { f64::from(u16::MAX) } else { f64::from(maximum) };
    if let Some(wrong) = values.iter().find(|value| !(0.0..=most).contains(*value)) {
        return Err(DicomError::pixels(
            path,
            format!("frame {} has the value {wrong}; up to {most} is possible", index + 1),
        ));
    }
    Ok(values.into_iter().map(|value| value as u16).collect())
}
