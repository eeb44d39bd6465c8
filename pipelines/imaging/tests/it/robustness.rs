//! More faults that a pipeline must survive: files that lie about their sizes, bits that flip, checkpoints that are damaged,
//! wrong clocks, processes that are killed or quit, settings that cannot be.

use crate::command::{Finished, PROGRAM, demo_run, galen_imaging_in, galen_imaging_with, start};
use crate::data::{quick, set, write_set};
use std::fs;
use std::path::Path;
use tests::faults::{Training, damaged_models_are_refused, told};

// ---------------------------------------------------------------- files that lie

/// Largest memory of a program that refuses a file, in bytes.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 200 << 20;

/// Runs the program and fails if it takes more memory than refusing a file needs.
fn sparing(folder: &Path, words: &[&str]) -> Finished {
    let started = start(folder, words);
    #[cfg(target_os = "linux")]
    {
        let (finished, peak) = started.finish_with_peak();
        assert!(peak < MEMORY, "{words:?} took {peak} bytes");
        finished
    }
    #[cfg(not(target_os = "linux"))]
    {
        started.finish()
    }
}

/// The head of an element of DICOM in explicit little endian, with a length that need not be true (PS3.5, section 7.1.2).
fn head(tag: (u16, u16), vr: &str, length: u32) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    bytes.extend(vr.as_bytes());
    if matches!(vr, "OB" | "OW" | "SQ") {
        bytes.extend([0; 2]);
        bytes.extend(length.to_le_bytes());
    } else {
        bytes.extend((length as u16).to_le_bytes());
    }
    bytes
}

/// An element whose value has an even length.
fn element(tag: (u16, u16), vr: &str, value: &[u8]) -> Vec<u8> {
    [&head(tag, vr, value.len() as u32)[..], value].concat()
}

/// A file of DICOM that holds these elements.
fn dicom(elements: &[Vec<u8>]) -> Vec<u8> {
    let meta = [
        element((2, 1), "OB", &[0, 1]),
        // a secondary capture, in explicit little endian
        element((2, 2), "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
        element((2, 3), "UI", b"1.2.3\0"),
        element((2, 16), "UI", b"1.2.840.10008.1.2.1\0"),
    ]
    .concat();
    let length = element((2, 0), "UL", &(meta.len() as u32).to_le_bytes());
    [&[0_u8; 128][..], b"DICM", &length, &meta, &elements.concat()].concat()
}

/// What a picture of 16 bits says about itself.
fn picture(rows: u16, columns: u16, frames: &[u8]) -> Vec<u8> {
    let number = |element_number: u16, value: u16| element((0x28, element_number), "US", &value.to_le_bytes());
    [
        element((8, 0x60), "CS", b"CT"),
        number(2, 1),
        element((0x28, 4), "CS", b"MONOCHROME2 "),
        element((0x28, 8), "IS", frames),
        number(0x10, rows),
        number(0x11, columns),
        number(0x100, 16),
        number(0x101, 16),
        number(0x102, 15),
        number(0x103, 0),
    ]
    .concat()
}

/// A file of NIfTI-1 with bytes for voxels (its header, `nifti1.h`).
fn nifti(dim: [i16; 8], spacing: f32, offset: f32) -> Vec<u8> {
    let mut bytes = vec![0; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348_i32.to_le_bytes());
    put(40, &dim.map(i16::to_le_bytes).concat());
    put(70, &2_i16.to_le_bytes());
    put(72, &8_i16.to_le_bytes());
    put(76, &[1.0, spacing, 1.0, 1.0].map(f32::to_le_bytes).concat());
    put(108, &offset.to_le_bytes());
    put(344, b"n+1\0");
    bytes.extend([0; 8]);
    bytes
}

/// The beginning of a PNG file of this size, with its checksum (its specification, section 5.3 and annex D).
fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = [&b"IHDR"[..], &width.to_be_bytes(), &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let bit = |crc: u32, _: u8| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    let crc = !chunk.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit));
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], &chunk, &crc.to_be_bytes()].concat()
}

/// Faults 1 to 4, 6 and 7: files that declare more than they hold, each with what is said of it.
fn lies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut length = dicom(&[element((8, 0x60), "CS", b"CT"), head((9, 0x1001), "OB", 0xFFFF_FFFE)]);
    length.resize(2048, 0);
    let pixels = element((0x7FE0, 0x10), "OW", &[0; 64]);
    let level = [head((0x40, 0xA730), "SQ", u32::MAX), vec![0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]].concat();
    let mut cut = dicom(&[picture(4, 8, b"1 "), pixels.clone()]);
    cut.truncate(cut.len() - 20);
    vec![
        ("length.dcm", length, "declares 4294967294 bytes where"),
        ("frames.dcm", dicom(&[picture(65_535, 65_535, b"2147483647"), pixels.clone()]), "says 2147483647"),
        ("size.dcm", dicom(&[picture(65_535, 65_535, b"1 "), pixels]), "size.dcm"),
        ("deep.dcm", dicom(&[level.repeat(10_000)]), "nested deeper than"),
        ("cut.dcm", cut, "declares 64 bytes where 44 are left"),
        ("spacing.nii", nifti([3, 2, 2, 2, 1, 1, 1, 1], f32::NAN, 352.0), "NaN mm"),
        ("axes.nii", nifti([9, 2, 2, 2, 1, 1, 1, 1], 1.0, 352.0), "dim[0] must be 1 to 7"),
        ("offset.nii", nifti([3, 2, 2, 2, 1, 1, 1, 1], 1.0, 1e6), "declares voxels up to byte"),
        ("vast.nii", nifti([3, 20_000, 20_000, 20, 1, 1, 1, 1], 1.0, 352.0), "vast.nii"),
        ("bomb.png", png(60_000, 60_000), "60000 x 60000 pixels"),
    ]
}

#[test]
fn files_that_lie_are_refused_before_there_is_room_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, bytes, text) in lies() {
        fs::write(path.join(name), bytes).unwrap();
        told(sparing(path, &["convert", "--input", name, "--out", "made.nii.gz"]), 1, text).says(name);
        assert!(!path.join("made.nii.gz").exists(), "{name}");
    }
    let listed = sparing(path, &["inspect", "--input", "."]);
    assert!(!listed.stderr.contains("panicked"), "{}", listed.stderr);
    for name in ["length.dcm", "frames.dcm", "size.dcm", "deep.dcm", "cut.dcm"] {
        assert!(listed.stdout.contains(name), "{name} is missing in:\n{}", listed.stdout);
    }
}

/// One sound case among them is segmented, and each of the others has its row.
#[test]
fn files_that_lie_have_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 1, 1);
    fs::create_dir(path.join("mixed")).unwrap();
    fs::copy(path.join("boxes/images/case_00.nii.gz"), path.join("mixed/sound.nii.gz")).unwrap();
    for (name, bytes, _) in lies() {
        fs::write(path.join("mixed").join(name), bytes).unwrap();
    }
    let model = demo_run().to_string_lossy().into_owned();
    told(galen_imaging_in(path, &["predict", "--model", &model, "--input", "mixed", "--out", "found"]), 0, "");
    let rows = fs::read_to_string(path.join("found/volumes.csv")).unwrap();
    assert!(rows.contains("sound,ok,"), "{rows}");
    for (name, _, _) in lies() {
        assert!(rows.contains(name), "{name} is missing in:\n{rows}");
    }
}

// ---------------------------------------------------------------- models and checkpoints

fn train(run: &str, epochs: &str) -> Vec<String> {
    quick(&["train", "--data", "boxes", "--names", "box", "--run-dir", run, "--epochs", epochs, "--models", "1"])
}

/// Training on the boxes in a folder.
fn training(folder: &Path) -> Training<'_> {
    Training { program: &PROGRAM, folder, noun: "seed", words: &train, long: "6" }
}

/// Faults 14 and 15.
#[test]
fn a_model_with_another_bit_is_refused() {
    let folder = set(1, 1);
    let path = folder.path();
    let whole = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    damaged_models_are_refused(&whole, "m.safetensors", |bytes| {
        fs::write(path.join("m.safetensors"), bytes).unwrap();
        galen_imaging_in(path, &["predict", "--model", "m.safetensors", "--input", "boxes/images", "--out", "found"])
    });
}

/// Fault 14.
#[test]
fn every_part_of_a_checkpoint_is_looked_at() {
    training(set(6, 1).path()).passes_over_damaged_checkpoints();
}

/// Fault 19.
#[test]
fn clocks_decide_nothing() {
    training(set(6, 1).path()).heeds_no_clock();
}

/// Fault 16.
#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    training(set(6, 1).path()).survives_being_killed();
}

/// Fault 19.
#[cfg(unix)]
#[test]
fn a_run_that_was_quit_ends_in_the_same_bytes() {
    training(set(6, 1).path()).survives_being_quit();
}

// ---------------------------------------------------------------- settings

/// Fault 20: settings that cannot be are refused, and the language of the machine changes no number.
#[test]
fn settings_that_cannot_be_are_refused_and_the_language_changes_nothing() {
    let folder = set(5, 1);
    let path = folder.path();
    for (setting, text) in [
        ("learning.rate=nan", "learning.rate"),
        ("learning.rate=0,001", "0,001"),
        ("seed=99999999999999999999", "expected"),
        ("network.base=0", "base"),
        ("patch=[0, 16, 8]", "patch"),
        ("epoch=5", "did you mean \"epochs\"?"),
    ] {
        let words = [train("run", "1"), vec!["--set".to_owned(), setting.to_owned()]].concat();
        told(galen_imaging_in(path, &words), 2, text);
        assert!(!path.join("run").exists(), "{setting} made a folder");
    }
    let audit = |language: &str| {
        let variables = ["LC_ALL", "LC_NUMERIC", "LANG"].map(|name| (name, language));
        galen_imaging_with(path, &["audit", "--data", "boxes", "--names", "box"], &variables).ends_with(0).stdout
    };
    assert_eq!(audit("de_DE.UTF-8"), audit("C"));
}
