//! A volume as a DICOM series of one file a slice: CT (PS3.3, A.3) or MR (A.4), uncompressed.
//!
//! This is how generated volumes become files that other programs open. Everything that those modules demand is there;
//! what nobody knows of a generated volume (dates, the name of a physician, the tube's voltage) is present and empty, as
//! the standard has it. The same volume and tags give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use crate::io::dicom::DicomError;
use crate::io::dicom::encode::{decimal, decimals, derived_uid, limited, refusal, save, short, text};
use crate::io::dicom::values::Object;
use crate::volume::{Modality, Volume};

/// What the files say of the patient and the series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesTags {
    /// Patient ID, up to 64 characters.
    pub patient_id: String,
    /// Patient's name, as `Family^Given`.
    pub patient_name: String,
    /// Study instance UID.
    pub study: String,
    /// Series instance UID.
    pub series: String,
    /// Frame of reference UID: series that share it share their coordinates.
    pub frame_of_reference: String,
    /// Series number.
    pub number: u32,
    /// What the series is, in words of up to 64 characters.
    pub description: String,
    /// Acquisition number, from 1: the volumes of one series differ in it.
    pub acquisition: u32,
}

impl SeriesTags {
    /// Tags of a patient and a series, whose UIDs are made from `patient_id`, `series` and `seed`: the same three give
    /// the same UIDs, and all series of one patient and seed are one study.
    pub fn new(patient_id: &str, series: &str, seed: &str) -> Self {
        Self {
            patient_id: patient_id.to_owned(),
            patient_name: format!("{patient_id}^Generated"),
            study: derived_uid(&["study", patient_id, seed]),
            series: derived_uid(&["series", patient_id, series, seed]),
            frame_of_reference: derived_uid(&["frame of reference", patient_id, seed]),
            number: 1,
            description: series.to_owned(),
            acquisition: 1,
        }
    }
}

impl Default for SeriesTags {
    fn default() -> Self {
        Self::new("generated", "generated", "")
    }
}

/// Writes a volume into `folder`, which is made if it is not there: one file a slice, named by acquisition and slice.
/// Returns the files in the order of the slices.
///
/// A volume of [`Modality::Ct`] becomes CT images, one of [`Modality::Mr`] or [`Modality::Other`] MR images. Whole
/// numbers within 16 bits are stored as they are; anything else is scaled to 65 536 levels between the smallest and the
/// largest value, with the rescale slope and intercept that undo it (to within half a level).
///
/// # Errors
/// [`DicomError::Write`] if the modality is another one, a value is not finite, a size is above 65 535, or a UID is none;
/// [`DicomError::Atomic`] if a file cannot be put on disk.
pub fn write_series(folder: &Path, volume: &Volume, series: &SeriesTags) -> Result<Vec<PathBuf>, DicomError> {
    let refuse = |problem: String| refusal(folder, problem);
    let ct = match volume.modality {
        Modality::Ct => true,
        Modality::Mr | Modality::Other => false,
        other => {
            let code = other.dicom();
            return Err(refuse(format!(
                "a volume of modality {code} has no series of slices here; only CT and MR have"
            )));
        }
    };
    let [columns, rows, slices] = volume.geometry.size;
    if columns > 65_535 || rows > 65_535 {
        return Err(refuse(format!("{columns} columns and {rows} rows; DICOM counts up to 65535 of each")));
    }
    for uid in [&series.study, &series.series, &series.frame_of_reference] {
        if !is_uid(uid) {
            return Err(refuse(format!("{uid:?} is no UID: up to 64 characters, numbers with dots between them")));
        }
    }
    if volume.voxels.len() != volume.geometry.len() {
        let (found, expected) = (volume.voxels.len(), volume.geometry.len());
        return Err(refuse(format!("{found} voxels for a grid of {expected}")));
    }
    let scale =
        Scale::of(&volume.voxels).ok_or_else(|| refuse("a voxel is not finite; replace it first".to_owned()))?;
    fs::create_dir_all(folder).map_err(DicomError::read(folder))?;
    let mut paths = Vec::with_capacity(slices);
    for k in 0..slices {
        let path = folder.join(format!("{:03}-{:05}.dcm", series.acquisition, k + 1));
        save(&path, slice(volume, series, k, ct, &scale))?;
        paths.push(path);
    }
    Ok(paths)
}

/// How values become 16-bit numbers.
struct Scale {
    signed: bool,
    /// Slope and intercept; `None` if the stored numbers are the values.
    rescale: Option<(f64, f64)>,
    low: f64,
    high: f64,
}

impl Scale {
    /// `None` if a value is not finite.
    fn of(voxels: &[f32]) -> Option<Self> {
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for &value in voxels {
            if !value.is_finite() {
                return None;
            }
            let value = f64::from(value);
            low = low.min(value);
            high = high.max(value);
            whole &= value.fract() == 0.0;
        }
        let signed = low < 0.0;
        let fits = if signed { low >= -32768.0 && high <= 32767.0 } else { high <= 65535.0 };
        if whole && fits {
            return Some(Self { signed, rescale: None, low, high });
        }
        // What is written has 16 characters: the stored numbers are computed from the same.
        let read = |value: f64| decimal(value).parse::<f64>().unwrap_or(value);
        let slope = read((high - low) / 65_535.0);
        let slope = if slope > 0.0 { slope } else { 1.0 };
        Some(Self { signed: false, rescale: Some((slope, read(low))), low, high })
    }

    fn stored(&self, value: f32) -> u16 {
        let value = f64::from(value);
        match self.rescale {
            Some((slope, intercept)) => ((value - intercept) / slope).round().clamp(0.0, 65_535.0) as u16,
            // Two's complement, as pixel representation 1 has it.
            None if self.signed => value as i16 as u16,
            None => value as u16,
        }
    }
}

fn slice(volume: &Volume, series: &SeriesTags, k: usize, ct: bool, scale: &Scale) -> Object {
    let geometry = &volume.geometry;
    let [columns, rows, _] = geometry.size;
    let [across, down, _] = geometry.direction;
    let instance = derived_uid(&["instance", &series.series, &series.acquisition.to_string(), &k.to_string()]);
    let number = (u64::from(series.acquisition.max(1)) - 1) * geometry.size[2] as u64 + k as u64 + 1;
    let class = if ct { uids::CT_IMAGE_STORAGE } else { uids::MR_IMAGE_STORAGE };
    let stored: Vec<u16> = volume.slice(k).iter().map(|&value| scale.stored(value)).collect();
    let mut object = Object::from_element_iter([
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::IMAGE_TYPE, VR::CS, if ct { "ORIGINAL\\PRIMARY\\AXIAL" } else { "ORIGINAL\\PRIMARY\\OTHER" }),
        text(tags::SOP_CLASS_UID, VR::UI, class),
        text(tags::SOP_INSTANCE_UID, VR::UI, &instance),
        text(tags::STUDY_DATE, VR::DA, ""),
        text(tags::STUDY_TIME, VR::TM, ""),
        text(tags::ACCESSION_NUMBER, VR::SH, ""),
        text(tags::MODALITY, VR::CS, if ct { "CT" } else { "MR" }),
        text(tags::MANUFACTURER, VR::LO, ""),
        text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
        text(tags::SERIES_DESCRIPTION, VR::LO, &limited(&series.description, 64)),
        text(tags::PATIENT_NAME, VR::PN, &limited(&series.patient_name, 64)),
        text(tags::PATIENT_ID, VR::LO, &limited(&series.patient_id, 64)),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, ""),
        text(tags::PATIENT_SEX, VR::CS, ""),
        text(tags::SLICE_THICKNESS, VR::DS, &decimal(geometry.spacing[2])),
        text(tags::SPACING_BETWEEN_SLICES, VR::DS, &decimal(geometry.spacing[2])),
        text(tags::PATIENT_POSITION, VR::CS, "HFS"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, &series.study),
        text(tags::SERIES_INSTANCE_UID, VR::UI, &series.series),
        text(tags::STUDY_ID, VR::SH, ""),
        text(tags::SERIES_NUMBER, VR::IS, &series.number.to_string()),
        text(tags::ACQUISITION_NUMBER, VR::IS, &series.acquisition.to_string()),
        text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string()),
        text(tags::IMAGE_POSITION_PATIENT, VR::DS, &decimals(&geometry.point([0.0, 0.0, k as f64]))),
        text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &decimals(&[across, down].concat())),
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &series.frame_of_reference),
        text(tags::LATERALITY, VR::CS, ""),
        text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
        short(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        short(tags::ROWS, rows as u16),
        short(tags::COLUMNS, columns as u16),
        // the distance of the rows goes first
        text(tags::PIXEL_SPACING, VR::DS, &decimals(&[geometry.spacing[1], geometry.spacing[0]])),
        short(tags::BITS_ALLOCATED, 16),
        short(tags::BITS_STORED, 16),
        short(tags::HIGH_BIT, 15),
        short(tags::PIXEL_REPRESENTATION, u16::from(scale.signed)),
        text(tags::WINDOW_CENTER, VR::DS, &decimal(f64::midpoint(scale.low, scale.high))),
        text(tags::WINDOW_WIDTH, VR::DS, &decimal((scale.high - scale.low).max(1.0))),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.into())),
    ]);
    if ct {
        object.put(text(tags::KVP, VR::DS, ""));
    } else {
        // RM: research mode, whose sequence has no name
        for (tag, vr, value) in [
            (tags::SCANNING_SEQUENCE, VR::CS, "RM"),
            (tags::SEQUENCE_VARIANT, VR::CS, "NONE"),
            (tags::SCAN_OPTIONS, VR::CS, ""),
            (tags::MR_ACQUISITION_TYPE, VR::CS, "3D"),
            (tags::REPETITION_TIME, VR::DS, ""),
            (tags::ECHO_TIME, VR::DS, ""),
            (tags::ECHO_TRAIN_LENGTH, VR::IS, ""),
        ] {
            object.put(text(tag, vr, value));
        }
    }
    if ct || scale.rescale.is_some() {
        let (slope, intercept) = scale.rescale.unwrap_or((1.0, 0.0));
        object.put(text(tags::RESCALE_INTERCEPT, VR::DS, &decimal(intercept)));
        object.put(text(tags::RESCALE_SLOPE, VR::DS, &decimal(slope)));
        object.put(text(tags::RESCALE_TYPE, VR::LO, if ct { "HU" } else { "US" }));
    }
    object
}

/// Whether a text is a UID (PS3.5, 9.1).
fn is_uid(uid: &str) -> bool {
    (1..=64).contains(&uid.len())
        && uid.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part.len() == 1 || !part.starts_with('0'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_numbers_with_dots() {
        let uid = derived_uid(&["a", "b"]);
        assert!(is_uid(&uid) && uid.starts_with("2.25."), "{uid}");
        assert!(!is_uid("2.25.") && !is_uid("2.025.1") && !is_uid("x") && !is_uid(""));
    }

    #[test]
    fn whole_numbers_are_stored_as_they_are() {
        let scale = Scale::of(&[-1024.0, 3071.0]).unwrap();
        assert!(scale.signed && scale.rescale.is_none());
        assert_eq!(scale.stored(-1024.0) as i16, -1024);
        assert!(!Scale::of(&[0.0, 65_535.0]).unwrap().signed);
        let scaled = Scale::of(&[-0.5, 70_000.0]).unwrap();
        let (slope, intercept) = scaled.rescale.unwrap();
        for value in [-0.5_f32, 0.0, 1234.5, 70_000.0] {
            let back = f64::from(scaled.stored(value)) * slope + intercept;
            assert!((back - f64::from(value)).abs() <= 0.5 * slope * 1.001, "{value} {back}");
        }
        assert!(Scale::of(&[1.0, f32::NAN]).is_none());
    }
}
