//! Secondary captures (PS3.3, A.8): pictures made from images, in colours that every viewer shows, as a contour or a
//! heat map over a slice.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::derived::{Kind, Origin, OutputOptions, Written, finish};
use super::encode::{limited, padded, pointer, refusal, sequence, short, text};
use super::error::DicomError;
use crate::volume::{LabelMap, Source, Volume};

const SINGLE: Kind = Kind {
    class: uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
    modality: "OT",
    image_type: "DERIVED\\SECONDARY",
    laterality: true,
};

const SEVERAL: Kind = Kind { class: uids::MULTI_FRAME_TRUE_COLOR_SECONDARY_CAPTURE_IMAGE_STORAGE, ..SINGLE };

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Rows of pixels.
    pub rows: usize,
    /// Columns of pixels.
    pub columns: usize,
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
    /// Slice of the source that it was made from.
    pub slice: Option<usize>,
}

impl Capture {
    /// Slice `k` in greys, `window[0]` black and `window[1]` white, with the labels over it: their insides in the
    /// colours `colours[label - 1]` (repeated as needed) with `opacity` from 0 to 1, their edges opaque.
    ///
    /// # Panics
    /// If the labels are not on the volume's grid, or there is no slice `k`, or no colour.
    pub fn overlay(
        volume: &Volume,
        labels: &LabelMap,
        k: usize,
        window: [f32; 2],
        colours: &[[u8; 3]],
        opacity: f32,
    ) -> Self {
        assert_eq!(volume.geometry.size, labels.geometry.size, "labels of another size than the volume");
        let [columns, rows, _] = volume.geometry.size;
        let (grey, labels) = (volume.slice(k), labels.slice(k));
        let width = (window[1] - window[0]).max(f32::MIN_POSITIVE);
        let mut rgb = Vec::with_capacity(rows * columns * 3);
        for (at, (&value, &label)) in grey.iter().zip(labels).enumerate() {
            // NaN becomes black
            let level = ((value - window[0]) / width * 255.0).round().clamp(0.0, 255.0) as u8;
            if label == 0 {
                rgb.extend([level; 3]);
                continue;
            }
            let (i, j) = (at % columns, at / columns);
            let edge = [(i > 0, at.wrapping_sub(1)), (i + 1 < columns, at + 1)]
                .into_iter()
                .chain([(j > 0, at.wrapping_sub(columns)), (j + 1 < rows, at + columns)])
                .any(|(inside, next)| !inside || labels[next] != label);
            let share = if edge { 1.0 } else { opacity.clamp(0.0, 1.0) };
            let colour = colours[(usize::from(label) - 1) % colours.len()];
            let mixed = |tint: u8| (f32::from(level) * (1.0 - share) + f32::from(tint) * share).round() as u8;
            rgb.extend(colour.map(mixed));
        }
        Self { rows, columns, rgb, slice: Some(k) }
    }
}

/// Writes pictures of one size as a secondary capture: one as a single image, several as frames. `source` are the
/// images that they were made from; the slices that the pictures name are referred to.
///
/// # Errors
/// [`DicomError::Write`] if there is no picture, they differ in size, or name a slice that the source has not;
/// [`DicomError`] if a file of the source cannot be read again or the object not be put on disk.
pub fn write_capture(
    path: &Path,
    pictures: &[Capture],
    source: &Source,
    options: &OutputOptions,
) -> Result<Written, DicomError> {
    let Some(&Capture { rows, columns, .. }) = pictures.first() else {
        return Err(refusal(path, "there is no picture to write"));
    };
    if !(1..=65_535).contains(&rows) || !(1..=65_535).contains(&columns) {
        return Err(refusal(path, format!("pictures of {columns} x {rows} pixels; DICOM counts 1 to 65535 of each")));
    }
    let mut pixels = Vec::with_capacity(pictures.len() * rows * columns * 3);
    for (index, picture) in pictures.iter().enumerate() {
        let (found, expected) = (picture.rgb.len(), rows * columns * 3);
        if (picture.rows, picture.columns) != (rows, columns) || found != expected {
            let (number, width, height) = (index + 1, picture.columns, picture.rows);
            return Err(refusal(
                path,
                format!(
                    "picture {number} has {width} x {height} pixels in {found} bytes; the first has {columns} x {rows}"
                ),
            ));
        }
        pixels.extend_from_slice(&picture.rgb);
    }
    let slices = source.slices.len();
    let origin = Origin::of(path, source, [columns, rows, slices])?;
    let kind = if pictures.len() == 1 { &SINGLE } else { &SEVERAL };
    let mut object = origin.base(path, kind, &pixels, options)?;
    let mut used = Vec::new();
    for picture in pictures {
        let Some(k) = picture.slice.filter(|_| slices > 0) else { continue };
        let Some(slice) = origin.slices.get(k) else {
            return Err(refusal(path, format!("a picture is of slice {}, but the source has {slices}", k + 1)));
        };
        used.push(slice.source_image());
    }
    if !used.is_empty() {
        object.put(sequence(tags::SOURCE_IMAGE_SEQUENCE, used));
    }
    for element in [
        text(tags::CONVERSION_TYPE, VR::CS, "WSD"),
        text(tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER, VR::LO, "Galen"),
        text(tags::DERIVATION_DESCRIPTION, VR::ST, &limited(&options.description, 64)),
        text(tags::PATIENT_ORIENTATION, VR::CS, ""),
        short(tags::SAMPLES_PER_PIXEL, 3),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB"),
        short(tags::PLANAR_CONFIGURATION, 0),
        short(tags::ROWS, rows as u16),
        short(tags::COLUMNS, columns as u16),
        short(tags::BITS_ALLOCATED, 8),
        short(tags::BITS_STORED, 8),
        short(tags::HIGH_BIT, 7),
        short(tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(element);
    }
    if pictures.len() > 1 {
        let names = pictures.iter().enumerate().map(|(index, picture)| match picture.slice {
            Some(k) => format!("slice {}", k + 1),
            None => format!("picture {}", index + 1),
        });
        object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, &pictures.len().to_string()));
        object.put(pointer(tags::FRAME_INCREMENT_POINTER, tags::FRAME_LABEL_VECTOR));
        object.put(DataElement::new(tags::FRAME_LABEL_VECTOR, VR::SH, PrimitiveValue::Strs(names.collect())));
    }
    let pixels = padded(path, pixels)?;
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(pixels)));
    finish(path, object, pictures.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Geometry;

    #[test]
    fn edges_are_opaque_and_insides_shine_through() {
        let grid = Geometry::axial([5, 5, 1], [1.0; 3]);
        let mut labels = vec![0; 25];
        for j in 1..4 {
            for i in 1..4 {
                labels[j * 5 + i] = 2;
            }
        }
        let volume = Volume::new(vec![50.0; 25], grid.clone()).unwrap();
        let labels = LabelMap::with_default_names(labels, grid).unwrap();
        let picture = Capture::overlay(&volume, &labels, 0, [0.0, 100.0], &[[0, 0, 255], [255, 0, 0]], 0.5);
        assert_eq!(picture.rgb.len(), 75);
        let pixel = |i: usize, j: usize| &picture.rgb[(j * 5 + i) * 3..][..3];
        // 50 in a window of 0 to 100 is 127.5, which rounds up
        assert_eq!(pixel(0, 0), [128, 128, 128]);
        assert_eq!(pixel(1, 1), [255, 0, 0]);
        assert_eq!(pixel(2, 2), [192, 64, 64]);
    }
}
