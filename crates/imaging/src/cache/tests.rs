//! Cases that are kept, and what makes them be prepared again.

use std::cell::Cell;
use std::convert::Infallible;

use super::*;
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Modality, SliceFile, Units, Volume};

fn case(id: &str, size: [usize; 3]) -> Case {
    let geometry =
        Geometry::new(size, [0.7, 0.8, 2.5], [-1.0, 2.0, 1.0 / 3.0], Geometry::axial(size, [1.0; 3]).direction)
            .unwrap();
    let mut volume = Volume::new((0..geometry.len()).map(|at| at as f32 * 0.1).collect(), geometry.clone()).unwrap();
    volume.modality = Modality::Ct;
    volume.units = Units::Named("BQML".to_owned());
    volume.source.subject = Some("s".to_owned());
    volume.source.slices = vec![SliceFile { path: "a.dcm".into(), frame: 2, instance: "1.2.3".to_owned() }];
    let label = LabelMap::with_default_names((0..geometry.len()).map(|at| (at % 3) as u8).collect(), geometry).unwrap();
    Case::new(id, "subject", vec![volume.clone(), volume], Some(label)).unwrap()
}

fn bytes(case: &Case) -> Vec<u8> {
    let mut bytes = Vec::new();
    form::encode(case, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_case_comes_back_as_it_was() {
    let whole = case("a", [5, 4, 3]);
    assert_eq!(form::decode(&bytes(&whole)).unwrap(), whole);
    let bare = Case { label: None, ..whole };
    assert_eq!(form::decode(&bytes(&bare)).unwrap(), bare);
}

#[test]
fn damaged_files_are_no_cases() {
    let whole = bytes(&case("a", [2, 1, 1]));
    for length in 0..whole.len() {
        assert!(form::decode(&whole[..length]).is_none(), "{length}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(form::decode(&flipped).is_none(), "{bit}");
    }
    // A length of the header that is not there, under a checksum that holds.
    let mut forged = whole[..whole.len() - 32].to_vec();
    forged[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let sum = Sha256::digest(&forged);
    forged.extend_from_slice(&sum);
    assert!(form::decode(&forged).is_none());
}

#[test]
fn keys_follow_content_and_configuration_and_not_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let (one, same, other) = (write("one", "voxels"), write("two", "voxels"), write("three", "Voxels"));
    let key = |path: &Path, spacing: f64| Key::of(&[path], &("resample", spacing)).unwrap();
    assert_eq!(key(&one, 1.0), key(&same, 1.0));
    assert_ne!(key(&one, 1.0), key(&other, 1.0));
    assert_ne!(key(&one, 1.0), key(&one, 1.5));
    assert_eq!(key(&one, 1.0).as_str().len(), 64);
    assert_ne!(Key::of(&[&one, &other], &1).unwrap(), Key::of(&[&other, &one], &1).unwrap());
    // A folder is what is in it, in the order of names.
    let before = key(folder.path(), 1.0);
    write("four", "more");
    assert_ne!(before, key(folder.path(), 1.0));
    let error = Key::of(&[&folder.path().join("none")], &1).unwrap_err();
    assert!(error.to_string().starts_with("cannot read") && error.to_string().contains("none"), "{error}");
}

#[test]
fn keys_of_cases_follow_all_that_is_in_them() {
    let whole = case("a", [5, 4, 3]);
    let key = |case: &Case| Key::of_case(case, &("resample", 1.0)).unwrap();
    assert_eq!(key(&whole), key(&whole.clone()));
    assert_ne!(key(&whole), Key::of_case(&whole, &("resample", 1.5)).unwrap());
    let changed = |change: fn(&mut Case)| {
        let mut other = whole.clone();
        change(&mut other);
        assert_ne!(key(&other), key(&whole));
    };
    changed(|case| case.channels[1].voxels[7] += 1.0);
    changed(|case| case.channels[0].geometry.spacing[2] = 2.6);
    changed(|case| case.label.as_mut().unwrap().labels[3] = 2);
    changed(|case| case.label = None);
    changed(|case| case.id.push('b'));
}

#[test]
fn cases_are_prepared_once_and_again_when_the_file_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let config = CacheConfig { folder: Some(folder.path().join("cache")), memory_mb: 1 };
    let key = Key::of(&[], &"config").unwrap();
    let prepared = Cell::new(0);
    let get = |cache: &Cache| {
        cache
            .get(&key, || {
                prepared.set(prepared.get() + 1);
                Ok::<_, Infallible>(case("a", [5, 4, 3]))
            })
            .unwrap()
    };
    let cache = Cache::new(&config).unwrap();
    assert_eq!(*get(&cache), case("a", [5, 4, 3]));
    get(&cache);
    // Another process finds it on the disk.
    get(&Cache::new(&config).unwrap());
    assert_eq!(prepared.get(), 1);
    let path = folder.path().join("cache").join(key.as_str()).with_extension("case");
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[100] ^= 4;
    std::fs::write(&path, damaged).unwrap();
    assert_eq!(*get(&Cache::new(&config).unwrap()), case("a", [5, 4, 3]));
    assert_eq!(prepared.get(), 2);
    get(&Cache::new(&config).unwrap());
    assert_eq!(prepared.get(), 2, "the damaged file was replaced");

    let error = cache.get(&Key::of(&[], &2).unwrap(), || Err("case b: no such file")).unwrap_err();
    assert_eq!(error.to_string(), "case b: no such file");
}

#[test]
fn memory_holds_what_was_used_last() {
    // Two channels of 4 bytes and a label: 9 bytes a voxel, 45,000 voxels, 405,000 bytes: two cases fit into 1 MB.
    let cache = Cache::new(&CacheConfig { folder: None, memory_mb: 1 }).unwrap();
    let prepared = Cell::new(0);
    let get = |number: usize| {
        let make = || {
            prepared.set(prepared.get() + 1);
            Ok::<_, Infallible>(case("a", [100, 50, 9]))
        };
        cache.get(&Key::of(&[], &number).unwrap(), make).unwrap();
        prepared.get()
    };
    assert_eq!([0, 1, 0, 1].map(get), [1, 2, 2, 2]);
    assert_eq!(cache.bytes(), 810_000);
    // The third takes the place of 0, which was used before 1.
    assert_eq!([2, 1, 0].map(get), [3, 3, 4]);
    assert_eq!(cache.bytes(), 810_000);
}
