//! Damage to a weights file: whatever bit is another one, nothing is learnt or predicted with other weights.

use std::fs;
use std::time::Instant;

use burn::tensor::Device;
use nn_core::store::{self, Layout, Metadata, PyTorchImport, StoreError};
use nn_core::transfer::load_body;
use safetensors::SafeTensors;
use serde_json::Value;

use super::{Toy, metadata, toy};

/// Metadata name of the digest.
const DIGEST: &str = "galen_sha256";

/// Where the tensors begin.
fn data_of(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

fn load(file: &[u8]) -> Result<(Toy, Metadata), StoreError> {
    store::from_safetensors(toy(4, &Device::flex()), file)
}

fn weights(model: &Toy) -> Vec<u8> {
    store::to_safetensors(model, &Metadata::new()).unwrap()
}

fn is_damaged<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged { .. }))
}

/// The file as an earlier version wrote it.
fn without_digest(file: &[u8]) -> Vec<u8> {
    let data = data_of(file);
    let mut header: Value = serde_json::from_slice(&file[8..data]).unwrap();
    assert!(header["__metadata__"].as_object_mut().unwrap().remove(DIGEST).is_some());
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &file[data..]].concat()
}

#[test]
fn every_flipped_bit_is_noticed_or_changes_nothing() {
    // Every bit of one layout and a sample of the other.
    for (layout, step) in [(Layout::Burn, 1), (Layout::PyTorch, 11)] {
        let model = toy(4, &Device::flex());
        let file = store::to_safetensors_as(&model, &metadata(), layout).unwrap();
        let (expected, data) = (weights(&model), data_of(&file));
        let mut unnoticed = 0;
        for bit in (0..8 * file.len()).step_by(step) {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match load(&flipped) {
                Err(StoreError::Damaged { found, written }) => assert_ne!(found, written, "bit {bit}"),
                // Of numbers nothing but the digest tells what they were.
                Err(error) => assert!(bit / 8 < data, "bit {bit}: {error}"),
                Ok((read, mut found)) => {
                    assert!(weights(&read) == expected, "bit {bit} changed the weights unnoticed");
                    // An entry of a name that nobody asks for is all there may be besides.
                    found.retain(|name, _| metadata().contains_key(name));
                    assert_eq!(found, metadata(), "bit {bit}");
                    unnoticed += 1;
                }
            }
        }
        // It was the name of the digest that was hit.
        assert!(unnoticed <= 8 * DIGEST.len(), "{unnoticed} bits were flipped unnoticed");
    }
}

#[test]
fn what_is_cut_short_lengthened_or_altered_is_told_with_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let device = Device::flex();
    store::save(&toy(2000, &device), &metadata(), &path).unwrap();
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 64 << 10, "{} bytes are too few for this test", whole.len());
    let told = |file: &[u8]| {
        fs::write(&path, file).unwrap();
        let StoreError::InFile { path: named, error } = store::load(toy(2000, &device), &path).unwrap_err() else {
            panic!("the error does not name the file");
        };
        assert_eq!(named, path);
        *error
    };
    for length in (0..whole.len()).step_by(1 << 10).chain([whole.len() - 1]) {
        let error = told(&whole[..length]);
        assert!(matches!(error, StoreError::Format(_)), "{length}: {error}");
    }
    told(&[&whole[..], &[0]].concat());
    for place in (data_of(&whole)..whole.len()).step_by(1021) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        let error = told(&flipped);
        assert!(matches!(error, StoreError::Damaged { .. }), "{place}: {error}");
        assert!(error.to_string().contains("copy the file again"), "{error}");
    }
    fs::write(&path, &whole).unwrap();
    store::load(toy(2000, &device), &path).unwrap();
}

#[test]
fn files_without_a_digest_are_read_as_they_are() {
    let model = toy(4, &Device::flex());
    let mut old = without_digest(&store::to_safetensors(&model, &metadata()).unwrap());
    let (read, found) = load(&old).unwrap();
    assert!(weights(&read) == weights(&model));
    assert_eq!(found, metadata());
    // There is nothing to compare the weights with.
    let last = old.len() - 1;
    old[last] ^= 1;
    assert!(weights(&load(&old).unwrap().0) != weights(&model));
}

#[test]
fn the_digest_holds_still_where_another_program_writes_the_same_again() {
    let model = toy(4, &Device::flex());
    let file = store::to_safetensors(&model, &metadata()).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let mut notes = header.metadata().clone().unwrap();
    // That crate writes the metadata in another order each time.
    let again = safetensors::serialize(tensors.tensors(), Some(notes.clone())).unwrap();
    let (read, found) = load(&again).unwrap();
    assert!(weights(&read) == weights(&model));
    assert_eq!(found, metadata());

    notes.insert(store::CONFIG.to_string(), "{}".to_string());
    let changed = safetensors::serialize(tensors.tensors(), Some(notes.clone())).unwrap();
    assert!(is_damaged(load(&changed)));
    // Whoever wanted that does as the message says.
    assert!(notes.remove(DIGEST).is_some());
    let wanted = safetensors::serialize(tensors.tensors(), Some(notes)).unwrap();
    assert_eq!(load(&wanted).unwrap().1[store::CONFIG], "{}");
}

#[test]
fn bodies_and_imports_are_compared_too_and_the_name_is_reserved() {
    let device = Device::flex();
    let model = toy(4, &device);
    let mut file = store::to_safetensors_as(&model, &metadata(), Layout::PyTorch).unwrap();
    let (_, body) = load_body(toy(4, &device), &file, &["fc2"]).unwrap();
    assert_eq!(body.metadata, metadata());
    // The first bytes of the tensors belong to fc1.bias, the last to norm.weight.
    let (first, last) = (data_of(&file), file.len() - 1);
    for (place, head) in [(first, "fc1"), (last, "fc2")] {
        file[place] ^= 1;
        assert!(is_damaged(load_body(toy(4, &device), &file, &[head])), "{place}");
        file[place] ^= 1;
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    file[last] ^= 1;
    fs::write(&path, &file).unwrap();
    let error = store::import_pytorch(toy(4, &device), &path, &PyTorchImport::default()).unwrap_err().to_string();
    assert!(error.contains("a.safetensors") && error.contains("SHA-256"), "{error}");

    let reserved = Metadata::from([(DIGEST.to_string(), String::new())]);
    assert!(matches!(store::to_safetensors(&model, &reserved), Err(StoreError::Reserved(name)) if name == DIGEST));
}

#[test]
fn a_hundred_thousand_tensors_are_refused_in_a_moment_and_a_line() {
    let file = store::to_safetensors(&toy(4, &Device::flex()), &metadata()).unwrap();
    let data = data_of(&file);
    let mut header: Value = serde_json::from_slice(&file[8..data]).unwrap();
    for number in 0..100_000 {
        header[format!("x{number}")] = serde_json::json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    }
    let header = serde_json::to_vec(&header).unwrap();
    let crowded = [&(header.len() as u64).to_le_bytes()[..], &header, &file[data..]].concat();
    let since = Instant::now();
    let error = load(&crowded).unwrap_err().to_string();
    assert!(since.elapsed().as_secs_f64() < 5.0, "{:?}", since.elapsed());
    assert!(error.len() < 1000, "{} characters", error.len());

    let few = load(&without_digest(&crowded)).unwrap_err().to_string();
    assert!(few.contains("unknown to the model: x0, ") && few.contains("more") && few.len() < 1000, "{few}");
}
