//! Objects that [`write_series`](super::super::write_series) does not write.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};

use super::super::mosaic::tests::header;
use crate::io::dicom::encode::{Element, decimals, item, save, sequence, short, text};
use crate::io::dicom::values::Object;

pub(super) fn number(tag: Tag, value: i64) -> Element {
    text(tag, VR::IS, &value.to_string())
}

pub(super) fn numbers(tag: Tag, values: &[f64]) -> Element {
    text(tag, VR::DS, &decimals(values))
}

/// An MR image of unsigned words with these elements more.
pub(super) fn words(path: &Path, columns: u16, rows: u16, pixels: Vec<u16>, more: Vec<Element>) {
    let mut object = Object::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.7"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.8"),
        text(tags::MODALITY, VR::CS, "MR"),
        short(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        short(tags::ROWS, rows),
        short(tags::COLUMNS, columns),
        short(tags::BITS_ALLOCATED, 16),
        short(tags::BITS_STORED, 16),
        short(tags::HIGH_BIT, 15),
        short(tags::PIXEL_REPRESENTATION, 0),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())),
    ]);
    for element in more {
        object.put(element);
    }
    save(path, object).unwrap();
}

/// A mosaic of `count` tiles of 2 x 3 pixels in a picture of 4 x 6; 0 tiles: none of the private elements.
pub(super) fn mosaic(path: &Path, count: usize, normal: f64) {
    let value = |x: usize, y: usize| {
        let tile = y / 3 * 2 + x / 2;
        if tile < count { (100 * tile + 10 * (y % 3) + x % 2) as u16 } else { 0 }
    };
    let pixels = (0..24).map(|at| value(at % 4, at / 4)).collect();
    let mut more = vec![
        text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC"),
        numbers(tags::IMAGE_POSITION_PATIENT, &[0.0, 0.0, 10.0]),
        numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        numbers(tags::PIXEL_SPACING, &[1.0, 2.0]),
        numbers(tags::SLICE_THICKNESS, &[4.0]),
        numbers(tags::SPACING_BETWEEN_SLICES, &[5.0]),
    ];
    if count > 0 {
        let normal = format!("{normal:.8}");
        let count = count.to_string();
        let bytes = header(&[
            ("EchoLinePosition", &["32"]),
            ("NumberOfImagesInMosaic", &[count.as_str()]),
            ("SliceNormalVector", &["0.00000000", "0.00000000", normal.as_str()]),
        ]);
        more.push(text(Tag(0x0029, 0x0011), VR::LO, "SIEMENS CSA HEADER"));
        more.push(DataElement::new(Tag(0x0029, 0x1110), VR::OB, PrimitiveValue::from(bytes)));
    }
    words(path, 4, 6, pixels, more);
}

/// An enhanced object of 2 x 2 pixels with one frame for each time point and height; its values are ten times the time
/// point and the height.
pub(super) fn enhanced(path: &Path, frames: &[(u32, f64)]) {
    let pixels = frames.iter().flat_map(|&(time, height)| [(10 * time) as u16 + height as u16; 4]).collect();
    let each = frames.iter().map(|&(time, height)| {
        let position = item([numbers(tags::IMAGE_POSITION_PATIENT, &[-3.0, 4.0, height])]);
        let index = DataElement::new(tags::TEMPORAL_POSITION_INDEX, VR::UL, PrimitiveValue::from(time));
        item([
            sequence(tags::FRAME_CONTENT_SEQUENCE, vec![item([index])]),
            sequence(tags::PLANE_POSITION_SEQUENCE, vec![position]),
        ])
    });
    let orientation = item([numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])]);
    let measures = item([numbers(tags::SLICE_THICKNESS, &[5.0]), numbers(tags::PIXEL_SPACING, &[0.25, 0.5])]);
    let shared = item([
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]),
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]),
    ]);
    let more = vec![
        text(tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_MR_IMAGE_STORAGE),
        number(tags::NUMBER_OF_FRAMES, frames.len() as i64),
        sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]),
        sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, each.collect()),
    ];
    words(path, 2, 2, pixels, more);
}
