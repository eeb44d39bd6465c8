//! Series: what makes a volume, and what is refused by name.

use std::fs;

use dicom_dictionary_std::tags;
use tempfile::TempDir;

use super::*;
use crate::geometry::Geometry;
use crate::io::dicom::values::Object;
use crate::volume::{SliceFile, Units};

mod faults;
mod objects;
mod scales;

use self::objects::{enhanced, mosaic, number, numbers, words};

/// Values of a plane in space, whole numbers on the grids below: what linear interpolation gives exactly.
fn field(point: [f64; 3]) -> f64 {
    1000.0 + 4.0 * point[0] - 8.0 * point[1] + 2.0 * point[2]
}

fn filled(geometry: &Geometry, value: impl Fn([f64; 3]) -> f64, modality: Modality) -> Volume {
    let [columns, rows, slices] = geometry.size;
    let mut voxels = Vec::new();
    for k in 0..slices {
        for j in 0..rows {
            for i in 0..columns {
                voxels.push(value(geometry.point([i as f64, j as f64, k as f64])) as f32);
            }
        }
    }
    Volume { modality, ..Volume::new(voxels, geometry.clone()).unwrap() }
}

/// An axial series of whole numbers, its files and the volume.
fn series(size: [usize; 3], spacing: [f64; 3]) -> (TempDir, Vec<PathBuf>, Volume) {
    let folder = tempfile::tempdir().unwrap();
    let volume = filled(&Geometry::axial(size, spacing), field, Modality::Ct);
    let paths = write_series(folder.path(), &volume, &SeriesTags::default()).unwrap();
    (folder, paths, volume)
}

/// Changes elements of a file.
fn edit(path: &Path, change: impl FnOnce(&mut Object)) {
    let mut file = dicom_object::open_file(path).unwrap();
    change(&mut file);
    file.write_to_file(path).unwrap();
}

fn only(folder: &Path) -> Series {
    let mut found = scan(folder).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn read_only(folder: &Path) -> Volume {
    let (mut volumes, notices) = only(folder).read(&SeriesOptions::default()).unwrap();
    assert_eq!((volumes.len(), notices), (1, Vec::new()));
    volumes.remove(0)
}

fn resampled(folder: &Path) -> (Volume, Vec<Notice>) {
    let options = SeriesOptions { allow_resample: true, ..SeriesOptions::default() };
    let (mut volumes, notices) = only(folder).read(&options).unwrap();
    assert_eq!(volumes.len(), 1);
    (volumes.remove(0), notices)
}

#[test]
fn an_oblique_series_comes_back_whatever_its_files_are_called() {
    let (sine, cosine) = 0.3_f64.sin_cos();
    let direction = [[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]];
    let geometry = Geometry::new([5, 4, 3], [0.7, 1.1, 2.5], [-12.25, 33.5, -7.125], direction).unwrap();
    let volume = filled(&geometry, |point| field(point) * 0.37, Modality::Mr);
    let folder = tempfile::tempdir().unwrap();
    let paths = write_series(folder.path(), &volume, &SeriesTags::new("P1", "T1", "seed")).unwrap();
    for (k, path) in paths.iter().enumerate() {
        // neither names nor numbers follow the places
        edit(path, |object| {
            object.put(number(tags::INSTANCE_NUMBER, [2, 1, 3][k]));
        });
        fs::rename(path, folder.path().join(["b", "c", "a"][k])).unwrap();
    }
    let found = read_only(folder.path());
    // decimals have at least 13 digits
    assert!(found.geometry.same_grid(&geometry, 1e-9), "{:?}", found.geometry);
    let (low, high) = volume.range().unwrap();
    // half a level of 65 536, and single precision at 400
    let tolerance = 0.5 * (high - low) / 65_535.0 + 5e-5;
    for (a, b) in found.voxels.iter().zip(&volume.voxels) {
        assert!((a - b).abs() <= tolerance, "{a} {b}");
    }
    assert_eq!((found.modality, found.units), (Modality::Mr, Units::Arbitrary));
    assert_eq!(found.source.subject.as_deref(), Some("P1"));
    let names: Vec<&Path> = found.source.slices.iter().map(|slice| slice.path.as_path()).collect();
    assert_eq!(names, ["b", "c", "a"].map(|name| folder.path().join(name)));
}

#[test]
fn whole_numbers_come_back_exactly_and_twice_the_same_bytes() {
    let (folder, paths, volume) = series([4, 3, 5], [1.0, 1.0, 2.0]);
    let found = read_only(folder.path());
    assert_eq!(found.voxels, volume.voxels);
    assert_eq!((found.geometry, found.units), (volume.geometry.clone(), Units::Hounsfield));
    let before = fs::read(&paths[2]).unwrap();
    write_series(folder.path(), &volume, &SeriesTags::default()).unwrap();
    assert_eq!(fs::read(&paths[2]).unwrap(), before);
    let pet = Volume { modality: Modality::Pet, ..volume };
    let error = write_series(folder.path(), &pet, &SeriesTags::default()).unwrap_err();
    assert!(error.to_string().contains("modality PT"), "{error}");
}

#[test]
fn repeated_places_become_volumes_by_what_tells_them_apart() {
    let geometry = Geometry::axial([3, 2, 4], [1.0, 1.0, 2.0]);
    let write = |folder: &Path| {
        let mut paths = Vec::new();
        for acquisition in 1..=3_u32 {
            let volume = filled(&geometry, |point| field(point) + f64::from(acquisition), Modality::Mr);
            let tags = SeriesTags { acquisition, ..SeriesTags::default() };
            paths.extend(write_series(folder, &volume, &tags).unwrap());
        }
        paths
    };
    let first_values = |folder: &Path| {
        let (volumes, notices) = only(folder).read(&SeriesOptions::default()).unwrap();
        let values: Vec<f64> = volumes.iter().map(|volume| f64::from(volume.at(0, 0, 0)) - 1000.0).collect();
        (values, notices)
    };
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path());
    assert_eq!(only(folder.path()).volumes(), 3);
    assert_eq!(first_values(folder.path()), (vec![1.0, 2.0, 3.0], Vec::new()));
    // Nothing but the numbers, and these run through all time points of a slice first.
    for (index, path) in paths.iter().enumerate() {
        edit(path, |object| {
            object.put(number(tags::ACQUISITION_NUMBER, 1));
            object.put(number(tags::INSTANCE_NUMBER, (index % 4 * 3 + index / 4 + 1) as i64));
        });
    }
    let (values, notices) = first_values(folder.path());
    assert_eq!(values, [1.0, 2.0, 3.0]);
    assert!(notices.len() == 1 && notices[0].text.contains("order of the instance numbers"), "{notices:?}");
    // Echo times in another order, and larger as numbers than as text.
    for (index, path) in paths.iter().enumerate() {
        let time = [30.0, 100.0, 5.0][index / 4];
        edit(path, |object| {
            object.put(numbers(tags::ECHO_TIME, &[time]));
        });
    }
    assert_eq!(first_values(folder.path()), (vec![3.0, 1.0, 2.0], Vec::new()));
    // The last volume was cut short.
    fs::remove_file(&paths[11]).unwrap();
    let faults = only(folder.path()).check();
    assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::IncompleteVolumes]);
}

#[test]
fn tiles_of_a_mosaic_are_slices() {
    for (normal, first_height, first_value) in [(1.0, 10.0, 0.0), (-1.0, 0.0, 200.0)] {
        let folder = tempfile::tempdir().unwrap();
        mosaic(&folder.path().join("IM1"), 3, normal);
        let volume = read_only(folder.path());
        let geometry = &volume.geometry;
        // 2 columns of 2 mm and 3 rows of 1 mm; the picture of 4 x 6 begins at 0
        assert_eq!(geometry.size, [2, 3, 3]);
        assert_eq!(geometry.spacing, [2.0, 1.0, 5.0]);
        assert_eq!(geometry.origin, [2.0, 1.5, first_height]);
        for (i, j, k) in [(0, 0, 0), (1, 2, 0), (1, 0, 1), (0, 1, 2)] {
            let tile = if normal > 0.0 { k } else { 2 - k };
            assert_eq!(volume.at(i, j, k), (100 * tile + 10 * j + i) as f32);
        }
        assert_eq!(volume.at(0, 0, 0), first_value);
        assert_eq!(volume.source.slices.len(), 3);
    }
    let folder = tempfile::tempdir().unwrap();
    mosaic(&folder.path().join("IM1"), 0, 1.0);
    let error = scan(folder.path()).unwrap_err();
    assert!(error.to_string().contains("neither the private header"), "{error}");
}

#[test]
fn frames_of_an_enhanced_object_stand_where_each_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enhanced");
    enhanced(&path, &[(2, 4.0), (1, 0.0), (1, 4.0), (2, 0.0), (1, 2.0), (2, 2.0)]);
    let (volumes, notices) = only(folder.path()).read(&SeriesOptions::default()).unwrap();
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!(volumes.len(), 2);
    for (volume, time) in volumes.iter().zip([1.0, 2.0]) {
        assert_eq!(volume.geometry.size, [2, 2, 3]);
        // the thickness says 5 mm
        assert_eq!(volume.geometry.spacing, [0.5, 0.25, 2.0]);
        for k in 0..3 {
            assert_eq!(volume.slice(k), [10.0 * time + 2.0 * k as f32; 4]);
        }
    }
    let frames: Vec<usize> = volumes[0].source.slices.iter().map(|slice| slice.frame).collect();
    assert_eq!(frames, [1, 4, 2]);
    assert_eq!(volumes[0].source.slices[0], SliceFile { path, frame: 1, instance: "2.25.7".to_owned() });
}

#[test]
fn pictures_without_a_place_are_volumes_of_one_slice() {
    let folder = tempfile::tempdir().unwrap();
    words(&folder.path().join("IM1"), 2, 2, vec![1, 2, 3, 4], Vec::new());
    let (volumes, notices) = only(folder.path()).read(&SeriesOptions::default()).unwrap();
    assert_eq!(volumes[0].voxels, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(volumes[0].geometry, Geometry::axial([2, 2, 1], [1.0; 3]));
    assert_eq!(notices.len(), 2, "{notices:?}");
}

#[test]
fn what_is_no_image_is_told_apart_from_what_is_broken() {
    let (folder, paths, _) = series([3, 3, 3], [1.0; 3]);
    fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    fs::write(folder.path().join(".hidden"), b"\x08\0\x05\0CS").unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::rename(&paths[1], inner.join("slice")).unwrap();
    let found = survey(folder.path()).unwrap();
    assert_eq!((found.series.len(), found.refused.len(), found.others.len()), (1, 0, 0));
    assert_eq!(found.foreign, [folder.path().join("notes.txt")]);
    assert_eq!(found.series[0].len(), 3);
    // A file that ends in its header is no slice that may be missed in silence.
    let bytes = fs::read(&paths[2]).unwrap();
    fs::write(&paths[2], &bytes[..400]).unwrap();
    assert_eq!(survey(folder.path()).unwrap().refused.len(), 1);
    let error = scan(folder.path()).unwrap_err();
    assert!(error.to_string().contains("001-00003.dcm"), "{error}");
    assert!(matches!(scan(&folder.path().join("absent")), Err(DicomError::Read { .. })));
}

#[test]
fn a_limit_of_memory_is_kept_before_anything_is_read() {
    let (folder, _, _) = series([3, 3, 3], [1.0; 3]);
    let options = SeriesOptions { max_bytes: 107, ..SeriesOptions::default() };
    let error = only(folder.path()).read(&options).unwrap_err();
    assert!(error.to_string().contains("need 108 bytes, and at most 107 are allowed"), "{error}");
}

#[test]
fn damaged_files_never_panic() {
    let (folder, paths, _) = series([2, 2, 2], [1.0; 3]);
    let bytes = fs::read(&paths[1]).unwrap();
    let options = SeriesOptions { allow_resample: true, split: true, ..SeriesOptions::default() };
    let try_all = |bytes: &[u8]| {
        fs::write(&paths[1], bytes).unwrap();
        for series in survey(folder.path()).unwrap().series {
            let _ = series.read(&options);
        }
    };
    // The preamble of 128 bytes means nothing.
    for length in 128..bytes.len() {
        try_all(&bytes[..length]);
    }
    for at in 128..bytes.len() {
        let mut copy = bytes.clone();
        copy[at] ^= 1 << (at % 8);
        try_all(&copy);
    }
}
