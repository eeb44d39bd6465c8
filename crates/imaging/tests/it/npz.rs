//! Arrays against numpy, damaged archives, `PneumoniaMNIST`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imaging::io::npz::read_arrays;
use imaging::io::{self, IoError, NpzError, ReadOptions};
use serde::Deserialize;

use crate::data;

#[derive(Deserialize)]
struct Golden {
    archives: BTreeMap<String, String>,
    single: String,
    objects: String,
    arrays: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/npz.json")).unwrap()
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("arrays");
    fs::write(&path, bytes).unwrap();
    path
}

/// tests/golden/npz.py: types, byte orders and both orders of axes, exactly.
#[test]
fn arrays_are_those_of_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let golden = golden();
    for bytes in golden.archives.values() {
        let path = written(folder.path(), &data::unhex(bytes));
        let arrays = read_arrays(&path, &ReadOptions::default()).unwrap();
        assert_eq!(arrays.len(), golden.arrays.len());
        for array in arrays {
            let expected = &golden.arrays[&array.name];
            assert_eq!((&array.shape, &array.values), (&expected.shape, &expected.values), "{}", array.name);
        }
    }
    let path = written(folder.path(), &data::unhex(&golden.single));
    let (volume, _) = io::read_volume(&path, &ReadOptions::default()).unwrap();
    assert_eq!(volume.geometry.size, [5, 4, 6]);
    assert_eq!(volume.voxels, golden.arrays["train_images"].values);
    assert_eq!(io::read_labels(&path, &[]).unwrap().geometry.size, [5, 4, 6]);
}

#[test]
fn objects_and_archives_that_need_too_much_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let golden = golden();
    let path = written(folder.path(), &data::unhex(&golden.objects));
    let error = read_arrays(&path, &ReadOptions::default()).unwrap_err();
    assert!(matches!(&error, IoError::Npz { error: NpzError::Type { found, .. }, .. } if found == "|O"), "{error}");
    let path = written(folder.path(), &data::unhex(&golden.archives["deflated"]));
    let small = ReadOptions { max_bytes: 500, ..ReadOptions::default() };
    let error = read_arrays(&path, &small).unwrap_err();
    // 6 · 4 · 5 values of 4 bytes are 480, and 6 more do not fit
    assert!(matches!(error, IoError::Npz { error: NpzError::TooLarge { bytes: 24, limit: 20, .. }, .. }), "{error}");
}

#[test]
fn damaged_arrays_are_refused_or_read_but_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() };
    let golden = golden();
    let single = data::unhex(&golden.single);
    for bytes in data::damaged(&single) {
        let _ = io::read_volumes(&written(folder.path(), &bytes), &options);
    }
    for length in 10..single.len() {
        assert!(read_arrays(&written(folder.path(), &single[..length]), &options).is_err(), "{length}");
    }
    let packed = data::unhex(&golden.archives["deflated"]);
    for bytes in data::damaged(&packed) {
        let _ = read_arrays(&written(folder.path(), &bytes), &options);
    }
}

/// Shapes and sums by numpy.
#[test]
fn pneumonia_is_read() {
    let Some(path) = data::path("pneumoniamnist_full/pneumoniamnist.npz") else { return };
    let arrays = read_arrays(&path, &ReadOptions::default()).unwrap();
    let found: BTreeMap<&str, (&[usize], f64)> = arrays
        .iter()
        .map(|array| {
            let sum = array.values.iter().map(|&value| f64::from(value)).sum::<f64>();
            (array.name.as_str(), (array.shape.as_slice(), sum))
        })
        .collect();
    assert_eq!(found["train_images"], ([4708, 28, 28].as_slice(), 538_305_934.0));
    assert_eq!(found["train_labels"], ([4708, 1].as_slice(), 3494.0));
    assert_eq!(found["val_images"], ([524, 28, 28].as_slice(), 59_624_090.0));
    assert_eq!(found["val_labels"], ([524, 1].as_slice(), 389.0));
}
