//! Parametric maps (PS3.3, A.75): one number a voxel, as the probability of a finding or a saliency.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use super::derived::{Code, Kind, Origin, OutputOptions, Written, finish};
use super::encode::{decimal, double, item, limited, padded, refusal, sequence, short, text};
use super::error::DicomError;
use crate::volume::{Source, Volume};

const KIND: Kind = Kind {
    class: uids::PARAMETRIC_MAP_STORAGE,
    modality: "OT",
    image_type: "DERIVED\\PRIMARY\\VOLUME\\NONE",
    laterality: true,
};

/// What the numbers of a map are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapMeta {
    /// A word for it, up to 16 characters.
    pub label: String,
    /// What it is, up to 64 characters.
    pub explanation: String,
    /// What it is measured in, a code of UCUM.
    pub unit: Code,
}

impl Default for MapMeta {
    fn default() -> Self {
        Self {
            label: "probability".to_owned(),
            explanation: "probability".to_owned(),
            unit: Code::new("1", "UCUM", "no units"),
        }
    }
}

/// Writes a volume of numbers as a parametric map of 32-bit floats, one frame a slice. `source` are the images that it
/// belongs to, as in [`write_seg`](super::seg::write_seg).
///
/// # Errors
/// [`DicomError::Write`] if a value is not finite, the numbers of slices and source slices differ, or the object would
/// be too large; [`DicomError`] if a file of the source cannot be read again or the object not be put on disk.
pub fn write_parametric(
    path: &Path,
    map: &Volume,
    source: &Source,
    meta: &MapMeta,
    options: &OutputOptions,
) -> Result<Written, DicomError> {
    let geometry = &map.geometry;
    let [columns, rows, slices] = geometry.size;
    if columns > 65_535 || rows > 65_535 {
        return Err(refusal(path, format!("{columns} columns and {rows} rows; DICOM counts up to 65535 of each")));
    }
    if let Some(wrong) = map.voxels.iter().find(|value| !value.is_finite()) {
        return Err(refusal(path, format!("a voxel is {wrong}; replace it by a finite number first")));
    }
    let bytes = padded(path, map.voxels.iter().flat_map(|value| value.to_le_bytes()).collect())?;
    let (low, high) = map.range().unwrap_or((0.0, 1.0));
    let (low, high) = (f64::from(low), f64::from(high));
    let origin = Origin::of(path, source, geometry.size)?;
    let mut object = origin.base(path, &KIND, &bytes, options)?;
    let label = limited(&meta.label, 16);
    let real = item([
        text(tags::LUT_EXPLANATION, VR::LO, &limited(&meta.explanation, 64)),
        text(tags::LUT_LABEL, VR::SH, if label.is_empty() { "map" } else { &label }),
        sequence(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![meta.unit.item()]),
        double(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, low),
        double(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED, high),
        double(tags::REAL_WORLD_VALUE_INTERCEPT, 0.0),
        double(tags::REAL_WORLD_VALUE_SLOPE, 1.0),
    ]);
    let shared = vec![
        sequence(
            tags::FRAME_VOILUT_SEQUENCE,
            vec![item([
                text(tags::WINDOW_CENTER, VR::DS, &decimal(f64::midpoint(low, high))),
                // a width of 0 shows nothing
                text(tags::WINDOW_WIDTH, VR::DS, &decimal(if high > low { high - low } else { 1.0 })),
                // a width below 1 is allowed with this function only
                text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT"),
            ])],
        ),
        sequence(
            tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
            vec![item([
                text(tags::RESCALE_INTERCEPT, VR::DS, "0"),
                text(tags::RESCALE_SLOPE, VR::DS, "1"),
                text(tags::RESCALE_TYPE, VR::LO, "US"),
            ])],
        ),
        sequence(
            tags::PARAMETRIC_MAP_FRAME_TYPE_SEQUENCE,
            vec![item([text(tags::FRAME_TYPE, VR::CS, KIND.image_type)])],
        ),
        sequence(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![real]),
    ];
    let dimensions = [(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Position")];
    origin.put_grid(&mut object, geometry, &dimensions, shared);
    let derivation = Code::new("113076", "DCM", "Segmentation");
    let frames = (0..slices).map(|k| origin.frame(geometry, k, &[k as u32 + 1], &derivation));
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.collect()));
    for element in [
        text(tags::NUMBER_OF_FRAMES, VR::IS, &slices.to_string()),
        short(tags::BITS_ALLOCATED, 32),
        text(tags::PIXEL_PRESENTATION, VR::CS, "MONOCHROME"),
        text(tags::CONTENT_QUALIFICATION, VR::CS, "RESEARCH"),
        text(tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "NO"),
        text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY"),
        sequence(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new()),
        text(tags::CONTENT_LABEL, VR::CS, "MAP"),
        text(tags::CONTENT_DESCRIPTION, VR::LO, &limited(&options.description, 64)),
        text(tags::CONTENT_CREATOR_NAME, VR::PN, "Galen"),
    ] {
        object.put(element);
    }
    object.put(DataElement::new(
        tags::FLOAT_PIXEL_DATA,
        VR::OF,
        PrimitiveValue::F32(map.voxels.iter().copied().collect()),
    ));
    finish(path, object, slices)
}
