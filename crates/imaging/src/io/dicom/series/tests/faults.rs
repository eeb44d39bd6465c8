//! Every fault is found, named, refused, and mended where it can be.

use dicom_core::VR;

use super::*;
use crate::io::dicom::encode::{short, text};

fn kinds(series: &Series) -> Vec<FaultKind> {
    series.check().iter().map(|fault| fault.kind).collect()
}

/// The message of the refusal.
fn refusal(folder: &Path) -> String {
    only(folder).read(&SeriesOptions::default()).unwrap_err().to_string()
}

/// Moves a slice, and gives it the values of the field there.
fn move_to(path: &Path, position: [f64; 3], volume: &Volume) {
    let [columns, rows, _] = volume.geometry.size;
    let [wide, high, _] = volume.geometry.spacing;
    let mut pixels = Vec::new();
    for j in 0..rows {
        for i in 0..columns {
            let at = [position[0] + i as f64 * wide, position[1] + j as f64 * high, position[2]];
            pixels.push(field(at).round() as u16);
        }
    }
    edit(path, |object| {
        object.put(numbers(tags::IMAGE_POSITION_PATIENT, &position));
        let pixels = dicom_core::PrimitiveValue::U16(pixels.into());
        object.put(dicom_core::DataElement::new(tags::PIXEL_DATA, VR::OW, pixels));
    });
}

/// Largest difference from the field, of the voxels that are not the filling, and how many there are.
fn worst(volume: &Volume) -> (f64, usize) {
    let [columns, rows, slices] = volume.geometry.size;
    let fill = volume.range().unwrap().0;
    let (mut worst, mut count) = (0.0_f64, 0);
    for k in 0..slices {
        for j in 0..rows {
            for i in 0..columns {
                let found = volume.at(i, j, k);
                if found > fill {
                    let expected = field(volume.geometry.point([i as f64, j as f64, k as f64]));
                    worst = worst.max((f64::from(found) - expected).abs());
                    count += 1;
                }
            }
        }
    }
    (worst, count)
}

#[test]
fn a_missing_slice_is_named_by_its_neighbours_and_interpolated() {
    let (folder, paths, volume) = series([4, 3, 6], [1.0, 1.0, 2.5]);
    fs::remove_file(&paths[3]).unwrap();
    let message = refusal(folder.path());
    let expected = "missing slices: 1 slice missing where 2.5000 mm is the usual distance, between \
                    (001-00003.dcm, 001-00005.dcm); complete the series, or allow resampling";
    assert!(message.contains(expected), "{message}");
    let (found, notices) = resampled(folder.path());
    assert_eq!(found.geometry, volume.geometry);
    // the field is linear, the numbers whole
    assert_eq!(found.voxels, volume.voxels);
    assert!(found.source.slices.is_empty());
    assert_eq!(notices.len(), 2, "{notices:?}");
}

#[test]
fn uneven_gaps_are_resampled_to_the_usual_one() {
    let (folder, paths, volume) = series([4, 3, 6], [1.0, 1.0, 2.0]);
    move_to(&paths[2], [0.0, 0.0, 4.5], &volume);
    assert_eq!(kinds(&only(folder.path())), [FaultKind::UnevenGaps]);
    let message = refusal(folder.path());
    assert!(message.contains("1.5000 to 2.5000 mm where 2.0000 mm"), "{message}");
    let (found, _) = resampled(folder.path());
    assert_eq!(found.geometry, volume.geometry);
    for (a, b) in found.voxels.iter().zip(&volume.voxels) {
        // 1000 in single precision
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn a_tilted_gantry_is_sheared_back() {
    let (folder, paths, volume) = series([5, 6, 8], [1.0, 2.0, 2.5]);
    for (k, path) in paths.iter().enumerate() {
        // 20° towards the rows
        let height = 2.5 * k as f64;
        move_to(path, [0.0, height * 20.0_f64.to_radians().tan(), height], &volume);
    }
    assert_eq!(kinds(&only(folder.path())), [FaultKind::Tilt]);
    let message = refusal(folder.path());
    assert!(message.contains("at 20.00° to their normal, 6.37 mm over 8 slices"), "{message}");
    let (found, notices) = resampled(folder.path());
    // 6.37 mm are 3.18 rows
    assert_eq!(found.geometry.size, [5, 10, 8]);
    assert_eq!(found.geometry.spacing, volume.geometry.spacing);
    assert_eq!(found.geometry.orientation(), "LPS");
    let (difference, count) = worst(&found);
    // values were rounded to whole numbers
    assert!(difference <= 0.501, "{difference}");
    assert!(count >= 5 * 5 * 8, "{count}");
    assert!(notices.iter().any(|notice| notice.text.contains("resampled to 5 x 10 x 8")), "{notices:?}");
    // One slice that is out of line is no tilt.
    move_to(&paths[3], [3.0, 0.0, 7.5], &volume);
    assert_eq!(kinds(&only(folder.path())), [FaultKind::Shifts]);
}

#[test]
fn the_same_slice_twice_is_named() {
    let (folder, paths, volume) = series([4, 3, 5], [1.0, 1.0, 2.0]);
    let copy = folder.path().join("copy.dcm");
    fs::copy(&paths[1], &copy).unwrap();
    let message = refusal(folder.path());
    assert!(message.contains("duplicates: 1 file repeating another of the series (copy.dcm)"), "{message}");
    let (found, notices) = resampled(folder.path());
    assert_eq!((found.voxels, notices.len()), (volume.voxels.clone(), 1));
    // The same slice as another object.
    edit(&copy, |object| {
        object.put(text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.99"));
    });
    let found = only(folder.path()).check();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].slices.len()), (FaultKind::Duplicates, 1));
    assert_eq!(resampled(folder.path()).0.voxels, volume.voxels);
}

#[test]
fn mixed_series_are_refused_with_the_list_and_can_be_split() {
    let (folder, paths, volume) = series([4, 4, 6], [1.0, 1.0, 2.0]);
    for path in &paths[4..] {
        edit(path, |object| {
            object.put(numbers(tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 0.0, 0.0, -1.0]));
            object.put(numbers(tags::PIXEL_SPACING, &[1.0, 1.5]));
            object.put(text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\LOCALIZER"));
        });
    }
    // Coronal now: their normal is along y, where each needs its own place.
    edit(&paths[5], |object| {
        object.put(numbers(tags::IMAGE_POSITION_PATIENT, &[0.0, 3.0, 8.0]));
    });
    edit(&paths[4], |object| {
        object.put(numbers(tags::IMAGE_POSITION_PATIENT, &[0.0, 0.0, 8.0]));
    });
    let series = only(folder.path());
    assert_eq!(kinds(&series), [FaultKind::MixedSpacings, FaultKind::MixedOrientations, FaultKind::Localisers]);
    let message = refusal(folder.path());
    let list = "mixed orientations: 2 of 6 slices unlike the others (001-00005.dcm, 001-00006.dcm)";
    assert!(message.contains(list), "{message}");
    assert!(message.ends_with("sort the files, or read each kind of slices as volumes of their own"), "{message}");
    let options = SeriesOptions { split: true, ..SeriesOptions::default() };
    let (volumes, notices) = series.read(&options).unwrap();
    assert_eq!(volumes.iter().map(|volume| volume.geometry.size).collect::<Vec<_>>(), [[4, 4, 4], [4, 4, 2]]);
    assert_eq!(volumes[0].voxels, volume.voxels[..64]);
    assert_eq!(volumes[1].geometry.spacing, [1.5, 1.0, 3.0]);
    assert!(notices.len() >= 3, "{notices:?}");
}

#[test]
fn slices_of_another_size_or_without_a_place_are_named() {
    let (folder, paths, _) = series([4, 4, 5], [1.0, 1.0, 2.0]);
    edit(&paths[0], |object| {
        object.put(short(tags::ROWS, 2));
        object.put(short(tags::COLUMNS, 8));
    });
    edit(&paths[4], |object| {
        object.remove_element(tags::IMAGE_POSITION_PATIENT);
    });
    let series = only(folder.path());
    assert_eq!(kinds(&series), [FaultKind::Unplaced, FaultKind::MixedSizes]);
    let message = series.read(&SeriesOptions::default()).unwrap_err().to_string();
    assert!(message.contains("only 4 of 5 slices say where they stand (001-00005.dcm)"), "{message}");
    assert!(message.contains("1 of 4 slices unlike the others (001-00001.dcm)"), "{message}");
}

#[test]
fn two_patients_in_one_series_are_never_read() {
    let (folder, paths, _) = series([3, 3, 5], [1.0, 1.0, 2.0]);
    edit(&paths[3], |object| {
        object.put(text(tags::PATIENT_ID, VR::LO, "somebody else"));
        object.put(text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "2.25.5"));
    });
    let options = SeriesOptions { allow_resample: true, split: true, ..SeriesOptions::default() };
    let series = only(folder.path());
    assert_eq!(kinds(&series), [FaultKind::MixedPatients, FaultKind::MixedFramesOfReference]);
    let message = series.read(&options).unwrap_err().to_string();
    let list = "mixed patients: generated in 4 files, somebody else in 1 file (001-00004.dcm)";
    assert!(message.contains(list), "{message}");
    assert!(message.contains("one folder for each patient"), "{message}");
}
