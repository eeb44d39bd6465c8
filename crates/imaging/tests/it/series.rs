//! Series of DICOM files against dcm2niix, and files of ours against dciodvfy.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Crc;
use imaging::geometry::Geometry;
use imaging::io::dicom::series::{Series, SeriesOptions, SeriesTags, scan, write_series};
use imaging::io::{ReadOptions, read_volume};
use imaging::volume::{Modality, Volume};
use serde_json::Value;

use crate::data;

/// What dcm2niix makes of the two sets; see `golden/series.py`.
const GOLDEN: &str = include_str!("../golden/series.json");

/// Single precision, in which dcm2niix writes the affine, of coordinates up to 660 mm.
const MILLIMETRES: f64 = 1e-4;

/// Which indices of `theirs` run backwards in `ours`. The two must be the same voxels in the patient.
fn flips(ours: &Geometry, theirs: &Geometry, tolerance: f64) -> [bool; 3] {
    assert_eq!(ours.size, theirs.size);
    let flips = [0, 1, 2].map(|axis| {
        let cosine: f64 = ours.direction[axis].iter().zip(theirs.direction[axis]).map(|(&a, b)| a * b).sum();
        cosine < 0.0
    });
    for corner in 0..8 {
        let last = [0, 1, 2].map(|axis| (theirs.size[axis] - 1) as f64);
        let there = [0, 1, 2].map(|axis| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 });
        let here = [0, 1, 2].map(|axis| if flips[axis] { last[axis] - there[axis] } else { there[axis] });
        for (a, b) in ours.point(here).into_iter().zip(theirs.point(there)) {
            assert!((a - b).abs() <= tolerance, "{a} mm, not {b}");
        }
    }
    flips
}

/// The voxels with these indices backwards.
fn flipped(volume: &Volume, flips: [bool; 3]) -> Vec<f32> {
    let size = volume.geometry.size;
    let at = |axis: usize, index: usize| if flips[axis] { size[axis] - 1 - index } else { index };
    let mut voxels = Vec::with_capacity(volume.voxels.len());
    for k in 0..size[2] {
        for j in 0..size[1] {
            voxels.extend((0..size[0]).map(|i| volume.at(at(0, i), at(1, j), at(2, k))));
        }
    }
    voxels
}

fn check(series: &Series, golden: &Value) {
    let name = series.name();
    assert_eq!(golden["description"], name.as_str());
    assert!(series.check().is_empty(), "{name}: {:?}", series.check());
    let (volumes, notices) = series.read(&SeriesOptions::default()).unwrap();
    let affine: [[f64; 4]; 4] = serde_json::from_value(golden["affine"].clone()).unwrap();
    let size: [usize; 3] = serde_json::from_value(golden["size"].clone()).unwrap();
    let theirs = Geometry::from_affine_ras(size, &affine).unwrap();
    let (sums, crcs) = (golden["sums"].as_array().unwrap(), golden["crcs"].as_array().unwrap());
    assert_eq!(volumes.len(), crcs.len(), "{name}: {notices:?}");
    for ((volume, sum), expected) in volumes.iter().zip(sums).zip(crcs) {
        let voxels = flipped(volume, flips(&volume.geometry, &theirs, MILLIMETRES));
        let found: i64 = voxels.iter().map(|&value| value as i64).sum();
        assert_eq!(Some(found), sum.as_i64(), "{name}");
        assert!(voxels.iter().all(|value| value.fract() == 0.0), "{name}");
        let bytes: Vec<u8> = voxels.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
        let mut crc = Crc::new();
        crc.update(&bytes);
        assert_eq!(Some(u64::from(crc.sum())), expected.as_u64(), "{name}");
        assert_eq!(volume.source.slices.len(), size[2]);
        assert_eq!(volume.modality, Modality::Mr);
    }
}

fn check_set(folder: &str, count: usize) {
    let Some(path) = data::path(folder) else { return };
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let golden = &golden[folder];
    let found = scan(&path).unwrap();
    assert_eq!((found.len(), golden.as_object().unwrap().len()), (count, count));
    for series in &found {
        check(series, &golden[series.uid.as_deref().unwrap()]);
    }
}

#[test]
fn siemens_mosaics_are_what_dcm2niix_makes_of_them() {
    check_set("dcm_qa_orient/In", 7);
}

#[test]
fn studies_of_the_hippocampus_are_what_dcm2niix_makes_of_them() {
    check_set("hippo_dicom_studies_trim", 7);
}

/// The output of a program, or `None`, said on the true stderr, where it is not installed.
fn run(program: &str, arguments: &[&Path]) -> Option<Output> {
    if let Ok(output) = Command::new(program).args(arguments).output() {
        Some(output)
    } else {
        let _ = writeln!(std::io::stderr(), "ignored: needs {program} on the PATH");
        None
    }
}

fn phantom(modality: Modality, geometry: Geometry, scale: f64) -> Volume {
    let size = geometry.size;
    let mut voxels = Vec::new();
    for k in 0..size[2] {
        for j in 0..size[1] {
            for i in 0..size[0] {
                voxels.push((((i * 31 + j * 17 + k * 101) % 977) as f64 * scale - 20.0) as f32);
            }
        }
    }
    Volume { modality, ..Volume::new(voxels, geometry).unwrap() }
}

fn oblique() -> Geometry {
    let (sine, cosine) = 0.4_f64.sin_cos();
    let direction = [[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]];
    Geometry::new([20, 16, 9], [0.8, 0.9, 2.5], [-40.0, 25.5, 10.25], direction).unwrap()
}

#[test]
fn a_written_series_passes_dciodvfy() {
    for (modality, scale) in [(Modality::Ct, 1.0), (Modality::Ct, 0.37), (Modality::Mr, 1.0), (Modality::Mr, 0.37)] {
        let folder = tempfile::tempdir().unwrap();
        let volume = phantom(modality, oblique(), scale);
        let paths = write_series(folder.path(), &volume, &SeriesTags::new("P7", "phantom", "seed")).unwrap();
        let Some(output) = run("dciodvfy", &[&paths[4]]) else { return };
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let class = if modality == Modality::Ct { "CTImage" } else { "MRImage" };
        assert!(text.contains(class) && !text.contains("Error"), "{text}");
    }
}

#[test]
fn dcm2niix_and_we_read_a_written_series_alike() {
    for (modality, scale) in [(Modality::Ct, 1.0), (Modality::Mr, 0.37)] {
        let folder = tempfile::tempdir().unwrap();
        let dicom = folder.path().join("dicom");
        let volume = phantom(modality, oblique(), scale);
        let paths = write_series(&dicom, &volume, &SeriesTags::default()).unwrap();
        // names in another order than the places
        std::fs::rename(&paths[0], dicom.join("zzz")).unwrap();
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        // without `-x i` it turns volumes of three-dimensional acquisitions to the nearest axes
        let arguments = ["-x", "i", "-f", "one", "-o"].map(Path::new).into_iter().chain([out.as_path(), &dicom]);
        let Some(output) = run("dcm2niix", &arguments.collect::<Vec<_>>()) else { return };
        let (theirs, _) = read_volume(&out.join("one.nii"), &ReadOptions::default()).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stdout));
        });
        let (volumes, _) = scan(&dicom).unwrap()[0].read(&SeriesOptions::default()).unwrap();
        let ours = flipped(&volumes[0], flips(&volumes[0].geometry, &theirs.geometry, MILLIMETRES));
        // single precision of values up to 1000
        let worst = ours.iter().zip(&theirs.voxels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-3, "{worst}");
        assert!(volumes[0].geometry.same_grid(&volume.geometry, 1e-9));
    }
}

#[test]
fn a_long_series_goes_straight_into_the_volume() {
    let folder = tempfile::tempdir().unwrap();
    let volume = phantom(Modality::Ct, Geometry::axial([32, 24, 384], [1.0, 1.0, 0.5]), 1.0);
    write_series(folder.path(), &volume, &SeriesTags::default()).unwrap();
    let series = scan(folder.path()).unwrap().remove(0);
    assert_eq!((series.len(), series.volumes()), (384, 1));
    // The limit is the volume itself: 4 bytes a voxel.
    let options = SeriesOptions { max_bytes: 32 * 24 * 384 * 4, ..SeriesOptions::default() };
    let (volumes, notices) = series.read(&options).unwrap();
    assert_eq!(volumes[0].voxels, volume.voxels);
    assert_eq!(volumes[0].geometry, volume.geometry);
    assert!(notices.is_empty(), "{notices:?}");
}
