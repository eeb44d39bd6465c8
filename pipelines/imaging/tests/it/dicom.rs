//! Commands on DICOM files: inspect, convert and de-identify.

use crate::command::{demo_run, galen_imaging_in};
use crate::predict::passes_dciodvfy;
use imaging::geometry::Geometry;
use imaging::io::dicom::open;
use imaging::io::dicom::series::{SeriesTags, write_series};
use imaging::io::{ReadOptions, read_volume};
use imaging::volume::Volume;
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

/// A scout among the slices: refused by default, a volume of its own where that is asked for.
#[test]
fn a_localiser_is_told_and_can_be_split_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (acquisition, size) in [(1, [12, 10, 5]), (2, [16, 16, 1])] {
        let grid = Geometry::axial(size, [1.0, 1.0, 2.0]);
        let volume = Volume::new((0..grid.len()).map(|at| at as f32).collect(), grid).unwrap();
        let tags = SeriesTags { acquisition, ..SeriesTags::new("P1", "head", "split") };
        write_series(&path.join("series"), &volume, &tags).unwrap();
    }
    let words = ["convert", "--input", "series", "--out", "found"];
    galen_imaging_in(path, &words).ends_with(1).says("mixed sizes").says("002-00001.dcm");
    galen_imaging_in(path, &[&words[..], &["--split-series"]].concat()).ends_with(0);
    let mut sizes: Vec<[usize; 3]> = fs::read_dir(path.join("found"))
        .unwrap()
        .map(|entry| read_volume(&entry.unwrap().path(), &ReadOptions::default()).unwrap().0.geometry.size)
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [[12, 10, 5], [16, 16, 1]]);
    let model = demo_run().to_string_lossy().into_owned();
    let predict = ["predict", "--model", &model, "--input", "series", "--out", "labels"];
    galen_imaging_in(path, &predict).ends_with(1).says("mixed sizes");
    galen_imaging_in(path, &[&predict[..], &["--split-series"]].concat()).ends_with(0);
    assert_eq!(fs::read_to_string(path.join("labels/volumes.csv")).unwrap().matches(",ok,").count(), 2);
}

/// Beside a DICOM series probabilities are parametric maps on its slices, and overlays can be left out.
#[test]
fn maps_lie_beside_the_segmentation() {
    let folder = tempfile::tempdir().unwrap();
    let (model, input) = (demo_run().to_string_lossy().into_owned(), series().to_string_lossy().into_owned());
    let words = ["predict", "--model", &model, "--input", &input, "--out", "found", "--probabilities", "--no-overlay"];
    galen_imaging_in(folder.path(), &words).ends_with(0);
    let found = folder.path().join("found");
    assert!(!found.join("phantom_008.overlay.dcm").exists());
    let (nifti, _) = read_volume(&found.join("phantom_008_organ.nii.gz"), &ReadOptions::default()).unwrap();
    let map = found.join("phantom_008_organ.map.dcm");
    let file = open(&map).unwrap();
    let [columns, rows, slices] = nifti.geometry.size;
    assert_eq!(file.header().frames, slices);
    let frame = file.frame(slices / 2, &imaging::io::dicom::PixelOptions::default()).unwrap();
    assert_eq!((frame.columns, frame.rows), (columns, rows));
    let slice = &nifti.voxels[slices / 2 * rows * columns..][..rows * columns];
    // Both are single precision of the same numbers.
    assert!(frame.pixels.iter().zip(slice).all(|(a, b)| (a - b).abs() < 1e-6), "the two outputs say the same");
    passes_dciodvfy(&map);
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
