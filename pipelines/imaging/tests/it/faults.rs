//! Faults that no input may turn into a crash, a hang or a half-written file: damaged models, full and read-only folders,
//! values that are no numbers, sets of one class, batches of one.

use crate::command::{Finished, demo_run, galen_imaging_in};
use crate::data::{quick, set, write_pictures, write_set};
use imaging::io::{self, ReadOptions, read_volume};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn predict(folder: &Path, model: &str, out: &str) -> Finished {
    galen_imaging_in(folder, &["predict", "--model", model, "--input", "boxes/images", "--out", out])
}

/// The weights file of the demo: its header and what follows it.
fn demo_model() -> (Value, Vec<u8>) {
    let bytes = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

fn weights(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

/// Fault 14: a model that was cut short is refused by its name; one of which a bit was flipped is refused or used, and
/// nothing breaks off.
#[test]
fn a_damaged_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 1, 1);
    let whole = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let cuts = (4096..whole.len()).step_by(1 << 16).chain([0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1]);
    for length in cuts {
        fs::write(path.join("cut.safetensors"), &whole[..length]).unwrap();
        predict(path, "cut.safetensors", "found").ends_with(1).says("cut.safetensors");
    }
    for byte in [0, 3, 7, 8, 20, header / 3, header / 2, header + 7, header + 8, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte % 8);
        fs::write(path.join("flipped.safetensors"), flipped).unwrap();
        let finished = predict(path, "flipped.safetensors", "found");
        assert!(matches!(finished.code, Some(0 | 1)), "byte {byte}: {finished:?}");
    }
}

/// Fault 15: headers that lie about lengths, shapes and places are refused before anything is allocated for them, and
/// nothing in a file of weights is executed.
#[test]
fn headers_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 1, 1);
    write_pictures(path, 8);
    let (header, data) = demo_model();
    let mut names: Vec<(u64, &String)> = header
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, entry)| (entry["data_offsets"][0].as_u64().unwrap(), name))
        .collect();
    names.sort_unstable();
    let (first, second) = (names[0].1.clone(), names[1].1.clone());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        change(&mut header);
        weights(&serde_json::to_vec(&header).unwrap(), &data)
    };
    let moved = header[&second]["data_offsets"].as_array().unwrap().iter();
    let moved: Vec<u64> = moved.map(|offset| offset.as_u64().unwrap() - 4).collect();
    let larger: Vec<u64> = vec![header[&first]["shape"][0].as_u64().unwrap() + 1];
    for (what, bytes) in [
        ("overlap", changed(&|header| header[&second]["data_offsets"] = json!(moved))),
        ("type", changed(&|header| header[&first]["dtype"] = json!("F64"))),
        ("shape", changed(&|header| header[&first]["shape"] = json!(larger))),
        (
            "entries",
            changed(&|header| {
                for number in 0..100_000 {
                    header[format!("extra{number}")] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
                }
            }),
        ),
        ("length", [&99_000_000_u64.to_le_bytes()[..], b"{}"].concat()),
        ("length", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
    ] {
        fs::write(path.join("lying.safetensors"), bytes).unwrap();
        let finished = predict(path, "lying.safetensors", "found");
        assert_eq!(finished.code, Some(1), "{what}: {finished:?}");
        finished.says("lying.safetensors");
    }
    // What pickle would run: os.system("touch pwned").
    fs::write(path.join("evil.pt"), b"cposix\nsystem\n(S'touch pwned'\ntR.").unwrap();
    let train = ["train", "--data", "pictures", "--format", "pictures", "--system", "ild-cnn", "--run-dir", "run"];
    let options = ["--epochs", "1", "--set", "learning.batch_size=4", "--weights", "evil.pt"];
    galen_imaging_in(path, &[&train[..], &options].concat()).ends_with(1).says("header");
    assert!(!path.join("pwned").exists(), "a file of weights was executed");
}

/// Fault 16: a place where nothing can be made is told, whoever runs the program.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_nothing_is_told() {
    let folder = set(4, 1);
    let model = demo_run().to_string_lossy().into_owned();
    predict(folder.path(), &model, "/proc/galen").ends_with(1).says("/proc/galen");
    let words = quick(&["train", "--data", "boxes", "--run-dir", "/proc/galen/run", "--epochs", "1"]);
    galen_imaging_in(folder.path(), &words).ends_with(1).says("/proc/galen/run");
}

/// Fault 16: on a disk of 32 kB the case that does not fit is told with the bytes that it needs, and no part of its file
/// is left; what is smaller is there.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("small")).unwrap();
    let series = demo_run().join("demo/series/phantom_008");
    // A mount of one's own needs no privileges where user namespaces are allowed.
    let script = "mount -t tmpfs -o size=32k tmpfs small || exit 99; \
                  \"$0\" predict --model \"$1\" --input \"$2\" --out small --probabilities; \
                  code=$?; ls -A small; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_galen-imaging")]);
    let started = command.arg(demo_run()).arg(series).current_dir(folder.path()).output();
    let Some(finished) = started.ok().map(Finished::from).filter(|finished| finished.stdout.contains("volumes.csv"))
    else {
        eprintln!("ignored: needs unshare(1) and user namespaces, to mount a small disk");
        return;
    };
    let finished = finished.ends_with(1).says("no space left to write").says("volumes.csv says why");
    assert!(!finished.stdout.contains("organ.nii.gz\n") && !finished.stdout.contains(".tmp"), "{}", finished.stdout);
}

/// Fault 17: what was not measured is counted, and learnt and segmented around; of pictures it is a row with its reason.
#[test]
fn values_that_are_no_numbers_are_counted() {
    let folder = set(6, 1);
    let path = folder.path();
    let image = path.join("boxes/images/case_01.nii.gz");
    let (mut volume, _) = read_volume(&image, &ReadOptions::default()).unwrap();
    (volume.voxels[5], volume.voxels[77]) = (f32::NAN, f32::INFINITY);
    io::write_volume(&image, &volume).unwrap();
    let words = quick(&["train", "--data", "boxes", "--names", "box", "--run-dir", "run", "--epochs", "1"]);
    galen_imaging_in(path, &words).ends_with(0).says("images have values that are not a number: case_01");
    galen_imaging_in(path, &["predict", "--model", "run", "--input", "boxes/images/case_01.nii.gz", "--out", "found"])
        .ends_with(0);
    let found = fs::read_to_string(path.join("found/volumes.csv")).unwrap();
    assert!(found.contains("case_01,ok,"), "{found}");
}

/// Fault 17: there is nothing to tell apart.
#[test]
fn one_class_is_nothing_to_learn() {
    let folder = set(5, 1);
    let path = folder.path();
    for case in 0..5 {
        let file = path.join(format!("boxes/labels/case_{case:02}.nii.gz"));
        let mut map = io::read_labels(&file, &[]).unwrap();
        map.labels.fill(0);
        io::write_labels(&file, &map).unwrap();
    }
    let words = quick(&["train", "--data", "boxes", "--run-dir", "run", "--epochs", "1"]);
    galen_imaging_in(path, &words).ends_with(2).says("nothing to learn");
    // With names the labels may be elsewhere; the audit says that they are not here.
    let audit = galen_imaging_in(path, &["audit", "--data", "boxes", "--names", "box"]).ends_with(0).stdout;
    assert!(audit.contains("no train case has the label box"), "{audit}");

    write_pictures(path, 6);
    fs::remove_dir_all(path.join("pictures/right")).unwrap();
    let train = ["train", "--data", "pictures", "--format", "pictures", "--system", "ild-cnn", "--run-dir", "one"];
    galen_imaging_in(path, &train).ends_with(1).says("no second class");
}

/// Fault 17: one value has no variance. A batch of one is refused where a network would normalise over it, and what is left
/// over at the end of an epoch is no such batch.
#[test]
fn a_batch_of_one_is_not_normalised() {
    let folder = set(5, 1);
    let path = folder.path();
    write_pictures(path, 8);
    let pictures = |run: &str, batch: &str| {
        let base = ["train", "--data", "pictures", "--format", "pictures", "--system", "resnet18", "--epochs", "1"];
        let size = format!("learning.batch_size={batch}");
        let more = ["--run-dir", run, "--set", "network.base=4", "--set", &size];
        galen_imaging_in(path, &[&base[..], &more].concat())
    };
    pictures("one", "1").ends_with(2).says("raise learning.batch_size to 2");
    // Of 10 to 12 pictures that are learnt from, one of these sizes leaves one over.
    for batch in ["3", "5", "9", "11"] {
        pictures(&format!("left-{batch}"), batch).ends_with(0);
    }
    let planes = |batch: &str| {
        let base = ["train", "--data", "boxes", "--names", "box", "--system", "linknet", "--epochs", "1"];
        let size = format!("learning.batch_size={batch}");
        let run = format!("planes-{batch}");
        let more = ["--run-dir", &run, "--set", "network.base=4", "--set", "patch=[32, 32, 1]", "--set", "patches=3"];
        galen_imaging_in(path, &[&base[..], &more, &["--set", &size]].concat())
    };
    planes("1").ends_with(2).says("raise learning.batch_size to 2");
    planes("2").ends_with(0);
}
