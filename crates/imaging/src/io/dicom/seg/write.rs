//! Label maps and probabilities as segmentation objects.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::super::derived::{Code, Kind, Origin, OutputOptions, Written, finish};
use super::super::encode::{item, limited, padded, refusal, sequence, short, text};
use super::super::error::DicomError;
use super::super::values::Object;
use super::{SegmentMeta, codes};
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Source, Volume};

/// The value that stands for probability 1.
const MAXIMUM: u8 = 255;

const KIND: Kind =
    Kind { class: uids::SEGMENTATION_STORAGE, modality: "SEG", image_type: "DERIVED\\PRIMARY", laterality: false };

/// The frames of an object: segment (from 1) and slice of each, and their pixels.
struct Frames {
    places: Vec<(u16, usize)>,
    pixels: Vec<u8>,
    fractional: bool,
}

/// Writes a label map as a binary segmentation: label `n` becomes segment `n`, named and coded by `segments[n - 1]`, or
/// by [`SegmentMeta::named`] where `segments` is empty. `source` are the images that it belongs to: the files of their
/// slices are read again, for what they say of patient and study, and are referred to slice by slice. Without files the
/// object stands for itself.
///
/// # Errors
/// [`DicomError::Write`] if the numbers of segments and names, or of slices and source slices differ, or the object
/// would be too large; [`DicomError`] if a file of the source cannot be read again or the object not be put on disk.
pub fn write_seg(
    path: &Path,
    labels: &LabelMap,
    source: &Source,
    segments: &[SegmentMeta],
    options: &OutputOptions,
) -> Result<Written, DicomError> {
    let named: Vec<SegmentMeta>;
    let segments = if segments.is_empty() {
        let names = labels.names.iter().enumerate().skip(1);
        named = names.map(|(label, name)| SegmentMeta::named(name, label)).collect();
        named.as_slice()
    } else {
        segments
    };
    let names = labels.names.len().saturating_sub(1);
    if segments.len() != names {
        let found = segments.len();
        return Err(refusal(path, format!("{found} segments are described, but {names} labels have names")));
    }
    let [columns, rows, slices] = labels.geometry.size;
    let mut present = vec![[false; 256]; slices];
    for (k, present) in present.iter_mut().enumerate() {
        for &label in labels.slice(k) {
            present[usize::from(label)] = true;
        }
    }
    let numbers = 1..=segments.len().min(255) as u16;
    let mut places: Vec<(u16, usize)> = numbers
        .flat_map(|number| (0..slices).map(move |k| (number, k)))
        .filter(|&(number, k)| present[k][usize::from(number)])
        .collect();
    if places.is_empty() {
        // an object has at least one frame
        places.push((1, 0));
    }
    let plane = columns * rows;
    let mut pixels = vec![0_u8; (places.len() * plane).div_ceil(8)];
    for (frame, &(number, k)) in places.iter().enumerate() {
        let start = frame * plane;
        for (at, &label) in labels.slice(k).iter().enumerate() {
            if u16::from(label) == number {
                let bit = start + at;
                pixels[bit / 8] |= 1 << (bit % 8);
            }
        }
    }
    write(path, &labels.geometry, source, segments, Frames { places, pixels, fractional: false }, options)
}

/// Writes one probability map a segment as a fractional segmentation, in steps of 1/255. Slices whose probabilities all
/// round to 0 get no frame. `source` as in [`write_seg`].
///
/// # Errors
/// As [`write_seg`]; also [`DicomError::Write`] if the maps stand on different grids, or a probability is outside
/// 0 to 1.
pub fn write_fractional_seg(
    path: &Path,
    probabilities: &[Volume],
    source: &Source,
    segments: &[SegmentMeta],
    options: &OutputOptions,
) -> Result<Written, DicomError> {
    let Some(first) = probabilities.first().filter(|_| probabilities.len() == segments.len()) else {
        let (found, described) = (probabilities.len(), segments.len());
        return Err(refusal(path, format!("{found} probability maps for {described} segments; each needs one")));
    };
    let geometry = &first.geometry;
    let plane = geometry.size[0] * geometry.size[1];
    let mut places = Vec::new();
    let mut pixels = Vec::new();
    for (index, map) in probabilities.iter().enumerate() {
        if map.geometry != *geometry {
            return Err(refusal(path, format!("the probability map of segment {} stands on another grid", index + 1)));
        }
        for (k, slice) in map.voxels.chunks(plane).enumerate() {
            if let Some(wrong) = slice.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                let problem =
                    format!("segment {} has the probability {wrong} on slice {}; it is 0 to 1", index + 1, k + 1);
                return Err(refusal(path, problem));
            }
            let start = pixels.len();
            pixels.extend(slice.iter().map(|value| (value * f32::from(MAXIMUM)).round() as u8));
            if pixels[start..].iter().all(|&value| value == 0) {
                pixels.truncate(start);
            } else {
                places.push((index as u16 + 1, k));
            }
        }
    }
    if places.is_empty() {
        places.push((1, 0));
        pixels.resize(plane, 0);
    }
    write(path, geometry, source, segments, Frames { places, pixels, fractional: true }, options)
}

fn write(
    path: &Path,
    geometry: &Geometry,
    source: &Source,
    segments: &[SegmentMeta],
    frames: Frames,
    options: &OutputOptions,
) -> Result<Written, DicomError> {
    if segments.is_empty() {
        return Err(refusal(path, "there is no label but the background; a segmentation has at least one segment"));
    }
    if geometry.size[0] > 65_535 || geometry.size[1] > 65_535 {
        let [columns, rows, _] = geometry.size;
        return Err(refusal(path, format!("{columns} columns and {rows} rows; DICOM counts up to 65535 of each")));
    }
    let origin = Origin::of(path, source, geometry.size)?;
    let mut object = origin.base(path, &KIND, &frames.pixels, options)?;
    let dimensions = [
        (tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment"),
        (tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Position"),
    ];
    origin.put_grid(&mut object, geometry, &dimensions, Vec::new());
    let derivation = Code::new("113076", "DCM", "Segmentation");
    let groups = frames.places.iter().map(|&(number, k)| {
        let mut frame = origin.frame(geometry, k, &[u32::from(number), k as u32 + 1], &derivation);
        let segment = item([short(tags::REFERENCED_SEGMENT_NUMBER, number)]);
        frame.put(sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment]));
        frame
    });
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups.collect()));
    let described = segments.iter().enumerate().map(|(index, meta)| described(index + 1, meta, options));
    object.put(sequence(tags::SEGMENT_SEQUENCE, described.collect()));
    let bits = if frames.fractional { 8 } else { 1 };
    let count = frames.places.len();
    for element in [
        text(tags::NUMBER_OF_FRAMES, VR::IS, &count.to_string()),
        short(tags::BITS_ALLOCATED, bits),
        short(tags::BITS_STORED, bits),
        short(tags::HIGH_BIT, bits - 1),
        short(tags::PIXEL_REPRESENTATION, 0),
        text(tags::SEGMENTATION_TYPE, VR::CS, if frames.fractional { "FRACTIONAL" } else { "BINARY" }),
        text(tags::CONTENT_LABEL, VR::CS, "SEGMENTATION"),
        text(tags::CONTENT_DESCRIPTION, VR::LO, &limited(&options.description, 64)),
        text(tags::CONTENT_CREATOR_NAME, VR::PN, "Galen"),
    ] {
        object.put(element);
    }
    if frames.fractional {
        object.put(text(tags::SEGMENTATION_FRACTIONAL_TYPE, VR::CS, "PROBABILITY"));
        object.put(short(tags::MAXIMUM_FRACTIONAL_VALUE, u16::from(MAXIMUM)));
    } else {
        object.put(text(tags::SEGMENTS_OVERLAP, VR::CS, "NO"));
    }
    let pixels = padded(path, frames.pixels)?;
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(pixels)));
    finish(path, object, count)
}

fn described(number: usize, meta: &SegmentMeta, options: &OutputOptions) -> Object {
    let name = limited(&meta.name, 64);
    let label = if name.is_empty() { format!("segment {number}") } else { name };
    let algorithm = limited(&format!("{} {}", options.algorithm, options.version), 64);
    let mut segment = item([
        short(tags::SEGMENT_NUMBER, number as u16),
        text(tags::SEGMENT_LABEL, VR::LO, &label),
        text(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC"),
        text(tags::SEGMENT_ALGORITHM_NAME, VR::LO, if algorithm.is_empty() { "unknown" } else { &algorithm }),
        sequence(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, vec![meta.category.item()]),
        sequence(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, vec![meta.kind.item()]),
    ]);
    if let Some(colour) = meta.colour {
        let lab = PrimitiveValue::from(codes::to_cielab(colour));
        segment.put(DataElement::new(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, VR::US, lab));
    }
    segment
}
