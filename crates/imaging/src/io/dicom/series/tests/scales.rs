//! Values are scaled slice by slice and frame by frame, once: in PET each slice has a slope of its own.

use dicom_core::VR;

use super::*;
use crate::io::dicom::encode::{item, sequence, text};

#[test]
fn each_slice_is_scaled_by_its_own_slope() {
    let folder = tempfile::tempdir().unwrap();
    // A slope of a real MR series, whole ones, and none at all.
    let scales = [Some((1.352_625_012_397_76, -17.5)), Some((0.5, 0.0)), None, Some((4.0, 1.0))];
    for (k, scale) in scales.iter().enumerate() {
        let mut more = vec![
            text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.{}", 70 + k)),
            text(tags::MODALITY, VR::CS, "PT"),
            number(tags::INSTANCE_NUMBER, k as i64 + 1),
            numbers(tags::IMAGE_POSITION_PATIENT, &[0.0, 0.0, 3.0 * k as f64]),
            numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            numbers(tags::PIXEL_SPACING, &[1.0, 1.0]),
            numbers(tags::SLICE_THICKNESS, &[3.0]),
        ];
        if let Some((slope, intercept)) = scale {
            more.push(numbers(tags::RESCALE_SLOPE, &[*slope]));
            more.push(numbers(tags::RESCALE_INTERCEPT, &[*intercept]));
        }
        words(&folder.path().join(format!("slice{k}")), 2, 2, vec![0, 10, 1000, 65_535], more);
    }
    let (volumes, _) = only(folder.path()).read(&SeriesOptions::default()).unwrap();
    assert_eq!((volumes.len(), volumes[0].geometry.size), (1, [2, 2, 4]));
    for (k, scale) in scales.iter().enumerate() {
        let (slope, intercept) = scale.unwrap_or((1.0, 0.0));
        for (found, stored) in volumes[0].slice(k).iter().zip([0.0, 10.0, 1000.0, 65_535.0]) {
            let expected = slope * stored + intercept;
            // 1e-6 of the value: single precision, and the sixteen characters of a decimal string
            assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0), "slice {k}: {found}");
        }
    }
}

#[test]
fn each_frame_is_scaled_by_its_own_slope() {
    let folder = tempfile::tempdir().unwrap();
    let frames = [(0.0, 2.0), (2.0, 0.25), (4.0, 8.0)].map(|(height, slope)| {
        let scale = item([
            numbers(tags::RESCALE_INTERCEPT, &[-1.0]),
            numbers(tags::RESCALE_SLOPE, &[slope]),
            text(tags::RESCALE_TYPE, VR::LO, "US"),
        ]);
        item([
            sequence(
                tags::PLANE_POSITION_SEQUENCE,
                vec![item([numbers(tags::IMAGE_POSITION_PATIENT, &[0.0, 0.0, height])])],
            ),
            sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![scale]),
        ])
    });
    let orientation = item([numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])]);
    let measures = item([numbers(tags::SLICE_THICKNESS, &[2.0]), numbers(tags::PIXEL_SPACING, &[1.0, 1.0])]);
    let shared = item([
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]),
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]),
    ]);
    let more = vec![
        text(tags::SOP_CLASS_UID, VR::UI, dicom_dictionary_std::uids::ENHANCED_MR_IMAGE_STORAGE),
        number(tags::NUMBER_OF_FRAMES, 3),
        sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]),
        sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, Vec::from(frames)),
    ];
    words(&folder.path().join("enhanced"), 2, 2, vec![4; 12], more);
    let (volumes, _) = only(folder.path()).read(&SeriesOptions::default()).unwrap();
    // 4 times the slope, less 1, by hand
    for (k, expected) in [7.0, 0.0, 31.0].into_iter().enumerate() {
        assert_eq!(volumes[0].slice(k), [expected; 4], "frame {k}");
    }
}
