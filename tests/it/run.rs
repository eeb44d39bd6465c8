//! Run folders are looked at.

use std::fs;
use std::path::Path;
use tests::run::{has_checkpoint, is_complete, json, nothing_is_left};

/// A folder as a run leaves it, with two figures.
fn run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("metrics.json", "{\"epochs\": [3]}");
    write("empty.csv", "");
    write("figures/a.svg", "<svg/>");
    write("figures/b.svg", "<svg/>");
    folder
}

#[test]
fn a_whole_folder_passes_and_is_read() {
    let folder = run();
    is_complete(folder.path(), &["metrics.json", "figures/a.svg"], 2);
    assert_eq!(json(&folder.path().join("metrics.json")), serde_json::json!({ "epochs": [3] }));
}

#[test]
#[should_panic(expected = "model.safetensors")]
fn a_file_that_is_not_there_is_named() {
    is_complete(run().path(), &["model.safetensors"], 0);
}

#[test]
#[should_panic(expected = "empty.csv is empty")]
fn a_file_with_nothing_in_it_is_named() {
    is_complete(run().path(), &["empty.csv"], 0);
}

#[test]
#[should_panic(expected = "only 2 figures")]
fn missing_figures_are_counted() {
    is_complete(run().path(), &[], 3);
}

#[test]
#[should_panic(expected = ".metrics.json.7-0.tmp")]
fn half_written_files_are_named() {
    let folder = run();
    fs::write(folder.path().join(".metrics.json.7-0.tmp"), "{").unwrap();
    nothing_is_left(folder.path());
}

#[test]
#[should_panic(expected = "absent.json")]
fn a_file_that_cannot_be_read_is_named() {
    json(Path::new("absent.json"));
}

#[test]
fn a_checkpoint_has_a_manifest() {
    let folder = run();
    let last = folder.path().join("checkpoint/seed-0/last");
    assert!(!has_checkpoint(folder.path(), "seed"));
    fs::create_dir_all(&last).unwrap();
    fs::write(last.join("weights-0001.safetensors"), "x").unwrap();
    assert!(!has_checkpoint(folder.path(), "seed"));
    fs::write(last.join("manifest-0001.json"), "{}").unwrap();
    assert!(has_checkpoint(folder.path(), "seed") && !has_checkpoint(folder.path(), "fold"));
}
