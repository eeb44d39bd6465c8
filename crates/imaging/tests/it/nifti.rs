//! NIfTI against nibabel, damaged files, real files.

use std::fs;
use std::path::{Path, PathBuf};

use imaging::geometry::Geometry;
use imaging::io::{self, IoError, NiftiError, ReadOptions, nifti};
use imaging::volume::{LabelMap, Volume};
use serde::Deserialize;

use crate::data;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    size: [usize; 3],
    affine_ras: [[f64; 4]; 4],
    volumes: Vec<Vec<f32>>,
}

fn golden() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(include_str!("../golden/nifti.json")).unwrap();
    golden.cases
}

fn case(name: &str) -> Vec<u8> {
    let found = golden().into_iter().find(|case| case.name == name).unwrap();
    data::unhex(&found.hex)
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("a.nii");
    fs::write(&path, bytes).unwrap();
    path
}

fn affines_agree(a: &[[f64; 4]; 4], b: &[[f64; 4]; 4], tolerance: f64) -> bool {
    a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() <= tolerance)
}

/// tests/golden/nifti.py: all types of voxels, both versions and byte orders, compressed and not, four dimensions, with
/// sform, qform, both and none. Values are the same; affines are made of f32 in the files.
#[test]
fn values_and_affines_are_those_of_nibabel() {
    let folder = tempfile::tempdir().unwrap();
    for case in golden() {
        let path = written(folder.path(), &data::unhex(&case.hex));
        let (volumes, notices) = io::read_volumes(&path, &ReadOptions::default()).unwrap();
        assert_eq!(volumes.len(), case.volumes.len(), "{}", case.name);
        for (volume, expected) in volumes.iter().zip(&case.volumes) {
            assert_eq!(volume.geometry.size, case.size, "{}", case.name);
            assert_eq!(&volume.voxels, expected, "{}", case.name);
            let affine = volume.geometry.affine_ras();
            assert!(affines_agree(&affine, &case.affine_ras, 1e-5), "{} {affine:?}", case.name);
        }
        let expected = match case.name.as_str() {
            "no-form" => Some("says nothing of the orientation"),
            "forms-differ" => Some("the sform was used"),
            _ => None,
        };
        let said = notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(expected.map_or(said.is_empty(), |words| said.contains(words)), "{}: {said}", case.name);
        assert_eq!(nifti::read_geometry(&path).unwrap().0, volumes[0].geometry);
    }
}

#[test]
fn one_of_several_volumes_must_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &case("four-dimensions"));
    let error = io::read_volume(&path, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("holds 3 volumes (volume 0, volume 1, volume 2)"), "{error}");
    let third = ReadOptions { index: Some(2), ..ReadOptions::default() };
    let (volume, _) = io::read_volume(&path, &third).unwrap();
    let all = golden().into_iter().find(|case| case.name == "four-dimensions").unwrap();
    assert_eq!(volume.voxels, all.volumes[2]);
    let none = ReadOptions { index: Some(3), ..ReadOptions::default() };
    assert!(matches!(io::read_volume(&path, &none), Err(IoError::Index { index: 3, count: 3, .. })));
    assert!(matches!(io::read_labels(&path, &[]), Err(IoError::Several { count: 3, .. })));
}

#[test]
fn a_volume_comes_back_with_its_grid() {
    let folder = tempfile::tempdir().unwrap();
    let (sine, cosine) = 2.5_f64.sin_cos();
    let grids = [
        // left-handed and right-handed, and turned so far that the scalar part of the quaternion is small
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]], [-120.5, 88.25, 7.125]),
        ([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]], [12.345, -67.89, 0.1]),
        ([[-1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, sine, -cosine]], [1.0, 2.0, 3.0]),
        ([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], [99.9, -99.9, 55.5]),
    ];
    for (number, (direction, origin)) in grids.into_iter().enumerate() {
        let geometry = Geometry::new([3, 4, 2], [0.47, 1.1, 3.3], origin, direction).unwrap();
        for scale in [1.0, 0.37] {
            let voxels: Vec<f32> = (0..24).map(|value| (value as f32 - 9.0) * scale).collect();
            let volume = Volume::new(voxels, geometry.clone()).unwrap();
            for name in ["b.nii", "b.nii.gz"] {
                let path = folder.path().join(name);
                io::write_volume(&path, &volume).unwrap();
                let (back, notices) = io::read_volume(&path, &ReadOptions::default()).unwrap();
                // both forms are written: a quaternion that says something else would be reported
                assert!(notices.is_empty(), "{number} {notices:?}");
                assert_eq!(back.voxels, volume.voxels);
                assert!(back.geometry.same_grid(&geometry, 1e-5), "{number} {:?}", back.geometry);
                // the qform alone, by setting the code of the sform to 0
                if name == "b.nii" {
                    let mut bytes = fs::read(&path).unwrap();
                    bytes[254] = 0;
                    let (back, _) = io::read_volume(&written(folder.path(), &bytes), &ReadOptions::default()).unwrap();
                    assert!(back.geometry.same_grid(&geometry, 1e-4), "{number} {:?}", back.geometry);
                }
            }
        }
    }
}

#[test]
fn labels_come_back_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let geometry = Geometry::axial([3, 2, 2], [1.0, 2.0, 3.0]);
    let map = LabelMap::with_default_names(vec![0, 1, 2, 0, 0, 255, 1, 1, 2, 0, 0, 3], geometry.clone()).unwrap();
    let path = folder.path().join("labels.nii.gz");
    io::write_labels(&path, &map).unwrap();
    assert_eq!(io::read_labels(&path, &[]).unwrap(), map);
    let names = ["background", "anterior", "posterior"].map(str::to_owned);
    let error = io::read_labels(&path, &names).unwrap_err();
    assert!(error.to_string().contains("label 255 occurs in the voxels"), "{error}");

    // whole numbers as float32 are labels, others are not
    let mut volume = Volume::new(map.labels.iter().map(|&label| f32::from(label) + 0.5).collect(), geometry).unwrap();
    io::write_volume(&path, &volume).unwrap();
    let error = io::read_labels(&path, &[]).unwrap_err();
    assert!(error.to_string().contains("voxel (0, 0, 0) has the value 0.5, which is no label"), "{error}");
    volume.voxels.iter_mut().for_each(|value| *value -= 0.5);
    volume.voxels[7] = 1.000_05;
    io::write_volume(&path, &volume).unwrap();
    assert_eq!(io::read_labels(&path, &[]).unwrap(), map);
    volume.voxels[7] = f32::NAN;
    io::write_volume(&path, &volume).unwrap();
    let error = io::read_labels(&path, &[]).unwrap_err();
    assert!(matches!(error, IoError::Label { voxel: [1, 0, 1], .. }), "{error}");
}

#[test]
fn headers_that_lie_are_refused_before_there_is_room_made() {
    let folder = tempfile::tempdir().unwrap();
    let sound = case("uint8");
    let edited = |at: usize, bytes: &[u8]| {
        let mut copy = sound.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    let refused = |bytes: &[u8]| match io::read_volume(&written(folder.path(), bytes), &ReadOptions::default()) {
        Err(IoError::Nifti { error, .. }) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(&edited(40, &9_i16.to_le_bytes())), NiftiError::Dimensions { .. }));
    assert!(matches!(refused(&edited(42, &0_i16.to_le_bytes())), NiftiError::Dimensions { .. }));
    assert!(matches!(refused(&edited(42, &(-4_i16).to_le_bytes())), NiftiError::Dimensions { .. }));
    assert!(matches!(refused(&edited(70, &32_i16.to_le_bytes())), NiftiError::Datatype { name: "complex64", .. }));
    assert!(matches!(refused(&edited(344, b"\0\0\0\0")), NiftiError::Magic { .. }));
    for offset in [1e9_f32, 400.0] {
        assert!(matches!(refused(&edited(108, &offset.to_le_bytes())), NiftiError::Short { .. }), "{offset}");
    }
    for offset in [f32::NAN, f32::INFINITY, -3.0, 100.0, 1e30] {
        assert!(matches!(refused(&edited(108, &offset.to_le_bytes())), NiftiError::Offset { .. }), "{offset}");
    }
    // 20000 x 20000 x 4 bytes of voxels in a file of 400 bytes, plain and compressed
    let mut large = edited(42, &20_000_i16.to_le_bytes());
    large[44..46].copy_from_slice(&20_000_i16.to_le_bytes());
    large[46..48].copy_from_slice(&4_i16.to_le_bytes());
    assert!(matches!(refused(&large), NiftiError::Short { .. }));
    assert!(matches!(refused(&data::gzip(&large)), NiftiError::Short { .. }));
    large[46..48].copy_from_slice(&30_000_i16.to_le_bytes());
    assert!(matches!(refused(&large), NiftiError::TooLarge { .. }));
    // neither form and no spacing
    let mut bare = edited(252, &[0; 4]);
    bare[80..84].copy_from_slice(&0_f32.to_le_bytes());
    let error = refused(&bare);
    assert!(error.to_string().contains("the spacing along index 0 is 0 mm"), "{error}");
}

/// A file that unpacks to a thousand times its length behind a small header is not unpacked.
#[test]
fn nothing_is_unpacked_beyond_the_voxels() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = case("uint8");
    bytes.resize(64 << 20, 0);
    let path = folder.path().join("bomb.nii.gz");
    fs::write(&path, data::gzip(&bytes)).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 100_000);
    let (volume, notices) = io::read_volume(&path, &ReadOptions::default()).unwrap();
    assert_eq!(volume.geometry.len(), 24);
    assert!(notices.iter().any(|notice| notice.text.contains("behind the voxels")), "{notices:?}");
}

#[test]
fn a_pair_needs_both_halves() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = case("int8");
    let voxels = header.split_off(352);
    header.truncate(348);
    header[108..112].copy_from_slice(&0_f32.to_le_bytes());
    header[344..348].copy_from_slice(b"ni1\0");
    let (first, second) = (folder.path().join("p.hdr"), folder.path().join("p.img"));
    fs::write(&first, &header).unwrap();
    let error = io::read_volume(&first, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("p.img cannot be opened"), "{error}");
    fs::write(&second, &voxels).unwrap();
    let expected = golden().into_iter().find(|case| case.name == "int8").unwrap();
    for path in [&first, &second] {
        let (volume, _) = io::read_volume(path, &ReadOptions::default()).unwrap();
        assert_eq!(volume.voxels, expected.volumes[0]);
    }
}

#[test]
fn damaged_files_are_refused_or_read_but_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() };
    let plain = case("uint8");
    for bytes in data::damaged(&plain).chain(data::damaged(&data::gzip(&plain))) {
        let path = written(folder.path(), &bytes);
        let _ = io::read_volumes(&path, &options);
        let _ = io::read_labels(&path, &[]);
    }
    for length in 0..plain.len() {
        assert!(nifti::read(&written(folder.path(), &plain[..length]), &options).is_err(), "{length}");
    }
    // a flipped bit in the packed voxels is found by the checksum
    let packed = data::gzip(&plain);
    for bit in 0..64 {
        let mut bytes = packed.clone();
        let last = bytes.len() - 1;
        bytes[last - bit / 8] ^= 1 << (bit % 8);
        assert!(nifti::read(&written(folder.path(), &bytes), &options).is_err(), "{bit}");
    }
}

/// Voxels of background, anterior and posterior part in all 200 maps, by nibabel and numpy.
const HIPPOCAMPUS: [usize; 3] = [11_976_291, 343_115, 317_585];

/// Counts by nibabel over the same files; two of the maps are float32.
#[test]
fn all_hippocampi_are_read() {
    let Some(folder) = data::path("msd_hippocampus_dev/labels") else { return };
    let names = ["background", "anterior", "posterior"].map(str::to_owned);
    let mut counts = [0; 3];
    for entry in fs::read_dir(folder).unwrap() {
        let map = io::read_labels(&entry.unwrap().path(), &names).unwrap();
        assert_eq!(map.geometry.orientation(), "RAS");
        counts.iter_mut().zip(map.counts()).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(counts, HIPPOCAMPUS);
}

/// Sums by nibabel (f64 sums of the same f32 values in another order).
#[test]
fn real_volumes_have_the_sums_of_nibabel() {
    let cases: [(&str, [usize; 3], f64); 3] = [
        ("msd_hippocampus_dev/images/hippocampus_001.nii.gz", [35, 51, 35], 3_968_524.0),
        ("msd_hippocampus_dev/images/hippocampus_003.nii.gz", [34, 52, 35], 29_866_089.868_690_49),
        ("dcm_qa_orient/Ref/ax_asc_36sl_9.nii", [64, 64, 36], 74_699_527.0),
    ];
    for (name, size, expected) in cases {
        let Some(path) = data::path(name) else { return };
        let (volumes, _) = io::read_volumes(&path, &ReadOptions::default()).unwrap();
        assert!(volumes.iter().all(|volume| volume.geometry.size == size));
        let sum: f64 = volumes.iter().flat_map(|volume| &volume.voxels).map(|&value| f64::from(value)).sum();
        assert!((sum / expected - 1.0).abs() < 1e-12, "{name} {sum}");
    }
}
