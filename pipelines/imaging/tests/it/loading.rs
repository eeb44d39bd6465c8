//! Cases kept on disk, patches cut ahead, slices with their neighbours, cases cut to what is in them: by the command line.

use crate::command::galen_imaging_in;
use crate::data::{quick, write_set};
use imaging::model::SegmentModel;
use nn_core::burn::tensor::Device;
use std::fs;
use std::path::Path;

/// `train` on `boxes` into `run`, with further words.
fn train(run: &str, more: &[&str]) -> Vec<String> {
    let mut words = quick(&["train", "--data", "boxes", "--names", "box", "--run-dir", run, "--epochs", "2"]);
    words.extend(more.iter().map(|&word| word.to_owned()));
    words
}

fn model(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("model/seed-0.safetensors")).unwrap()
}

#[test]
fn a_cache_and_a_loader_give_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 6, 1);
    galen_imaging_in(path, &train("plain", &[])).ends_with(0);
    let ways: [&[&str]; 3] = [
        &["--cache", "kept", "--set", "cache.memory_mb=1"],
        &["--loader-threads", "2", "--set", "loader.memory_mb=1", "--set", "loader.queue=3"],
        &["--cache", "kept", "--loader-threads", "1"],
    ];
    let kept = || fs::read_dir(path.join("kept")).map_or(0, Iterator::count);
    for (place, more) in ways.into_iter().enumerate() {
        let run = format!("way-{place}");
        galen_imaging_in(path, &train(&run, more)).ends_with(0);
        assert!(model(path, &run) == model(path, "plain"), "{more:?} give another model");
    }
    let before = kept();
    assert!(before >= 4, "{before} cases are kept");
    // Other settings are other cases.
    galen_imaging_in(path, &train("finer", &["--cache", "kept", "--set", "spacing=[0.5, 1, 2]"])).ends_with(0);
    assert!(kept() > before);
    // A run goes on without them, and from another place.
    galen_imaging_in(path, &["train", "--run-dir", "way-2", "--resume", "--cache", "other"]).ends_with(0);
    fs::write(path.join("file"), "x").unwrap();
    galen_imaging_in(path, &train("no-folder", &["--cache", "file"])).ends_with(1).says("file");
    galen_imaging_in(path, &train("none", &["--loader-threads", "0"])).ends_with(2).says("loader.threads = 0");
    galen_imaging_in(path, &train("memory", &["--set", "cache.memory_mb=5"])).ends_with(2).says("give cache.folder");
}

#[test]
fn slices_with_their_neighbours_go_from_training_to_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 6, 1);
    let settings = ["--set", "network.dims=2", "--set", "patch=[16, 16, 1]", "--set", "context=1"];
    galen_imaging_in(path, &train("run", &settings)).ends_with(0);
    let found = SegmentModel::load(&path.join("run/model/seed-0.safetensors"), &Device::flex()).unwrap();
    assert_eq!((found.card.network.channels(), found.card.window.context), (3, 1));
    assert_eq!(found.card.preprocessing.channels.len(), 1, "one channel of a case, three of the network");
    galen_imaging_in(path, &["predict", "--model", "run", "--input", "boxes/images", "--out", "found"]).ends_with(0);
    let rows = fs::read_to_string(path.join("found/volumes.csv")).unwrap();
    assert_eq!(rows.matches(",ok,").count(), 6, "{rows}");
    galen_imaging_in(path, &["evaluate", "--model", "run", "--data", "boxes"]).ends_with(0);
    // Blocks have their neighbours in them.
    galen_imaging_in(path, &train("blocks", &["--set", "context=1"])).ends_with(2).says("context = 1");
    // By the plan it is a network of slices.
    let words = ["train", "--data", "boxes", "--names", "box", "--run-dir", "planned", "--set", "context=2"];
    let small = ["--set", "planning.base=4", "--set", "patches=2", "--epochs", "1"];
    galen_imaging_in(path, &[&words[..], &small].concat()).ends_with(0);
    let found = SegmentModel::load(&path.join("planned/model/seed-0.safetensors"), &Device::flex()).unwrap();
    assert_eq!((found.card.network.dims(), found.card.network.channels()), (2, 5));
}

#[test]
fn cases_are_cut_to_their_foreground() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 6, 1);
    let words = ["--set", "crop_to_foreground=true", "--set", "loss.kind=binary-cross-entropy"];
    galen_imaging_in(path, &train("run", &words)).ends_with(0);
    let found = SegmentModel::load(&path.join("run/model/seed-0.safetensors"), &Device::flex()).unwrap();
    assert!(found.card.preprocessing.crop);
    galen_imaging_in(path, &["predict", "--model", "run", "--input", "boxes/images/case_00.nii.gz", "--out", "found"])
        .ends_with(0);
}
