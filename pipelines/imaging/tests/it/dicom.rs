//! Commands on DICOM files: inspect, convert and de-identify.

use crate::command::{demo_run, galen_imaging_in};
use imaging::io::{ReadOptions, read_volume};
use std::fs;
use std::path::PathBuf;

/// A generated series of the demo.
fn series() -> PathBuf {
    demo_run().join("demo/series/phantom_008")
}

#[test]
fn a_series_is_inspected_and_converted() {
    let folder = tempfile::tempdir().unwrap();
    let input = series().to_string_lossy().into_owned();
    let shown = galen_imaging_in(folder.path(), &["inspect", "--input", &input]).ends_with(0).stdout;
    assert!(shown.contains("phantom 008") && shown.contains("MONOCHROME2") && shown.contains("none"), "{shown}");
    let json = galen_imaging_in(folder.path(), &["inspect", "--input", &input, "--json"]).ends_with(0).stdout;
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["files"].as_array().map(Vec::len), Some(32));
    assert_eq!(found["series"][0]["slices"].as_u64(), Some(32));

    galen_imaging_in(folder.path(), &["convert", "--input", &input, "--out", "a.nii.gz"]).ends_with(0);
    let (source, _) = read_volume(&series(), &ReadOptions::default()).unwrap();
    let (converted, _) = read_volume(&folder.path().join("a.nii.gz"), &ReadOptions::default()).unwrap();
    assert!(converted.geometry.same_grid(&source.geometry, 1e-3));
    let apart = converted.voxels.iter().zip(&source.voxels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Both are stored in single precision.
    assert!(apart < 1e-2, "{apart}");
    let turned = ["convert", "--input", &input, "--out", "b.nii.gz", "--orient", "RAS", "--spacing", "2,2,2"];
    galen_imaging_in(folder.path(), &turned).ends_with(0);
    let (turned, _) = read_volume(&folder.path().join("b.nii.gz"), &ReadOptions::default()).unwrap();
    assert_eq!((turned.geometry.orientation(), turned.geometry.size), ("RAS".to_owned(), [30, 30, 32]));
}

#[test]
fn a_missing_slice_is_told_and_not_invented() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("series");
    fs::create_dir_all(&copy).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(series()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (place, file) in files.iter().enumerate() {
        if place != 10 {
            fs::copy(file, copy.join(file.file_name().unwrap())).unwrap();
        }
    }
    let shown = galen_imaging_in(folder.path(), &["inspect", "--input", "series"]).ends_with(0).stdout;
    assert!(shown.contains("missing slices"), "{shown}");
    galen_imaging_in(folder.path(), &["convert", "--input", "series", "--out", "a.nii.gz"])
        .ends_with(1)
        .says("missing slices");
    let allowed = ["convert", "--input", "series", "--out", "a.nii.gz", "--allow-resample"];
    galen_imaging_in(folder.path(), &allowed).ends_with(0);
    let (volume, _) = read_volume(&folder.path().join("a.nii.gz"), &ReadOptions::default()).unwrap();
    assert_eq!(volume.geometry.size[2], 32);
}

#[test]
fn a_name_is_in_no_byte_of_what_is_given_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("key"), "a secret of more than sixteen characters\n").unwrap();
    let input = series().to_string_lossy().into_owned();
    let words = ["deidentify", "--input", &input, "--out", "clean", "--key", "key"];
    galen_imaging_in(path, &words).ends_with(0);
    let mut folders = vec![path.join("clean")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            seen += 1;
            let bytes = fs::read(&path).unwrap();
            // The name of the generated patient, in its files and in the paths.
            let planted = b"phantom_008^Generated";
            assert!(!bytes.windows(planted.len()).any(|window| window == planted), "{}", path.display());
            assert!(!path.to_string_lossy().contains("clean/phantom"), "{}", path.display());
        }
    }
    assert_eq!(seen, 32);
    assert!(path.join("key.report.json").is_file() || path.join("key").with_extension("report.json").is_file());
    galen_imaging_in(path, &words).ends_with(2).says("empty folder");
}
