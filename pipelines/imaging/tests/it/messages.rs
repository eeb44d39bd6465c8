//! What goes wrong is told once, with the place and the remedy, and the exit status says whose fault it is: 1 for the data
//! or the run, 2 for the command line or the configuration.

use crate::command::{PROGRAM, demo_run, folder_with, galen_imaging, galen_imaging_in};
use crate::data::{boxed, quick, set, write_set};
use imaging::io;
use std::fs;
use std::path::Path;
use tests::command::devices_are_named;

#[test]
fn usage_and_configuration_end_with_2() {
    let folder = set(4, 1);
    for (arguments, text) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["predict"], "--model"),
        (vec!["predict", "--model", "m", "--out", "o"], "--input"),
        (vec!["train"], "--data"),
        (vec!["train", "--data", "boxes", "--set", "epochs"], "key=value"),
        (vec!["train", "--data", "boxes", "--set", "epochs=0"], "epochs"),
        (vec!["train", "--data", "boxes", "--set", "learning.rate=-1"], "learning.rate"),
        (vec!["train", "--data", "boxes", "--set", "learning.batch=4"], "batch_size"),
        (vec!["train", "--data", "boxes", "--system", "unett"], "use one of: unet"),
        (vec!["train", "--data", "boxes", "--set", "network.bas=3"], "base"),
        (vec!["train", "--data", "boxes", "--folds", "2", "--models", "5"], "only 2 folds"),
        (vec!["train", "--data", "boxes", "--config", "absent.toml"], "absent.toml"),
        (vec!["train", "--data", "boxes", "--split", "warm"], "blocks"),
        (vec!["train", "--data", "boxes", "--freeze"], "freeze"),
        (vec!["train", "--data", "boxes", "--system", "resnet18", "--freeze"], "--weights"),
        (vec!["train", "--data", "x.npz", "--system", "resnet18", "--plan", "p.toml"], "--plan is for segmentations"),
        (vec!["-q", "-v", "systems"], "--quiet"),
        (vec!["bench", "series"], "--input"),
        (vec!["bench", "augment", "--patch", "1"], "--patch"),
        (vec!["audit", "--data", "boxes", "--split", "warm"], "blocks"),
        (vec!["audit", "--data", "boxes", "--set", "division.test_fraction=0"], "test_fraction"),
        (vec!["audit", "--data", "boxes", "--run-dir", "run"], "--run-dir"),
        (vec!["audit", "--data", "boxes", "--seed", "99999999999999999999"], "--seed"),
        (vec!["prepare", "--data", "boxes", "--resume"], "leave out --resume"),
        (vec!["systems", "--seed", "1"], "option --seed"),
        (vec!["explain", "--model", "m", "--input", "i", "--out", "o", "--shown", "0"], "shown"),
        (vec!["explain", "--model", "m", "--input", "i", "--out", "o", "--method", "magic"], "grad-cam"),
        (vec!["convert", "--input", "i", "--out", "o", "--spacing", "1,2"], "three"),
        (vec!["convert", "--input", "i", "--out", "o", "--spacing", "1,0,2"], "spacing"),
        (vec!["deidentify", "--input", "i", "--out", "o", "--key", "absent"], "16 characters"),
        (vec!["demo", "--set", "demo.cases=2", "--print-config"], "demo.cases"),
    ] {
        galen_imaging_in(folder.path(), &arguments).ends_with(2).says(text);
    }
}

#[test]
fn every_command_shows_its_settings() {
    let model = ["--model", "m"];
    for (verb, more, lines) in [
        ("audit", vec!["--data", "x"], vec!["seed = 5", "test_fraction = 0.2", "data = \"x\""]),
        ("prepare", vec!["--data", "x"], vec!["seed = 5", "memory_gb = 8.0"]),
        ("plan", vec!["--data", "x"], vec!["base = 32"]),
        ("train", vec!["--data", "x", "--names", "a,b"], vec!["seed = 5", "system = \"unet\"", "rate = 0.001"]),
        ("train", vec!["--data", "x.npz"], vec!["system = \"resnet\"", "batch_size = 128"]),
        ("evaluate", vec!["--model", "m", "--data", "x"], vec!["device = \"ndarray\""]),
        ("predict", [&model[..], &["--input", "f", "--out", "o"]].concat(), vec!["device = \"ndarray\""]),
        ("explain", [&model[..], &["--input", "f", "--out", "o"]].concat(), vec!["method = \"grad-cam\"", "shown = 8"]),
        ("demo", vec![], vec!["seed = 5", "device = \"ndarray\"", "quick = false", "cases = 24"]),
    ] {
        PROGRAM.shows_settings(verb, &more, &lines);
    }
}

#[test]
fn the_system_decides_the_sizes_that_are_shown() {
    let shown = galen_imaging(&["train", "--data", "x", "--system", "linknet", "--print-config"]).ends_with(0).stdout;
    assert!(shown.contains("system = \"linknet\"") && !shown.contains("deep_supervision"), "{shown}");
    let folder = folder_with(&[("run.toml", "[network]\nsystem = \"ternausnet\"\n")]);
    let file = ["train", "--data", "x", "--config", "run.toml", "--print-config"];
    assert!(galen_imaging_in(folder.path(), &file).ends_with(0).stdout.contains("system = \"ternausnet\""));
}

#[test]
fn data_that_is_not_there_ends_with_1_and_is_named() {
    for (arguments, text) in [
        (vec!["train", "--data", "absent", "--run-dir", "run"], "absent"),
        (vec!["audit", "--data", "absent"], "absent"),
        (vec!["predict", "--model", "absent", "--input", "a.nii", "--out", "o"], "absent"),
        (vec!["inspect", "--input", "absent"], "absent"),
        (vec!["convert", "--input", "absent.nii", "--out", "o.nii"], "absent.nii"),
    ] {
        galen_imaging(&arguments).ends_with(1).says(text).says_no_more();
    }
}

/// Faults 6, 17 and 20: what is wrong with a set is told with the case and the remedy.
#[test]
fn wrong_cases_are_named() {
    let told = |change: fn(&Path), options: &[&str], code: i32, text: &str| {
        let folder = set(5, 1);
        change(&folder.path().join("boxes"));
        let base = ["train", "--data", "boxes", "--run-dir", "run", "--epochs", "1"];
        galen_imaging_in(folder.path(), &quick(&[&base[..], options].concat())).ends_with(code).says(text);
    };
    let cut = |root: &Path| {
        let path = root.join("images/case_01.nii.gz");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    };
    told(cut, &[], 1, "case_01");
    told(|root| fs::remove_dir_all(root.join("labels")).unwrap(), &[], 1, "has a label");
    told(|_| {}, &["--names", "a,b", "--split", "upstream"], 1, "no parts of its own");
    let two = |root: &Path| {
        let (_, mut map) = boxed(1);
        map.labels[0] = 2;
        map.names.push("other".into());
        io::write_labels(&root.join("labels/case_02.nii.gz"), &map).unwrap();
    };
    told(two, &["--names", "box"], 1, "case_02");
    let elsewhere = |root: &Path| {
        let (_, mut map) = boxed(2);
        map.geometry.origin = [50.0, 0.0, 0.0];
        io::write_labels(&root.join("labels/case_03.nii.gz"), &map).unwrap();
    };
    told(elsewhere, &[], 1, "case case_03: the label has");
    let twins = |root: &Path| {
        fs::write(root.join("images/case_00.nii"), b"x").unwrap();
    };
    told(twins, &[], 1, "twice");
}

/// Fault 16: a folder that cannot be written is told before anything is computed.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = set(4, 1);
    fs::write(folder.path().join("file"), "x").unwrap();
    let words = quick(&["train", "--data", "boxes", "--run-dir", "file/run", "--epochs", "1"]);
    galen_imaging_in(folder.path(), &words).ends_with(1).says("file/run");
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let model = demo_run().to_string_lossy().into_owned();
    let folder = set(3, 1);
    let evaluate = ["evaluate", "--model", &model, "--data", "boxes", "--names", "box"];
    galen_imaging_in(folder.path(), &evaluate).ends_with(1).says("organ").says("box");
    let explain = ["explain", "--model", &model, "--input", "boxes/images", "--out", "o"];
    galen_imaging_in(folder.path(), &explain).ends_with(2).says("explain is for classifiers");
    fs::write(folder.path().join("broken.safetensors"), b"not weights").unwrap();
    let predict = ["predict", "--model", "broken.safetensors", "--input", "boxes/images", "--out", "o"];
    galen_imaging_in(folder.path(), &predict).ends_with(1).says("broken.safetensors");
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    let folder = tempfile::tempdir().unwrap();
    let root = write_set(folder.path(), 1, 1);
    let model = demo_run().to_string_lossy().into_owned();
    let images = root.join("images").to_string_lossy().into_owned();
    devices_are_named(cfg!(feature = "cuda"), |device| {
        let arguments = ["predict", "--model", &model, "--input", &images, "--out", "o", "--device", device];
        galen_imaging_in(folder.path(), &arguments)
    });
}

#[test]
fn systems_are_listed_with_their_size() {
    let stdout = galen_imaging(&["systems"]).ends_with(0).stdout.to_lowercase();
    for text in [
        "unet-valid",
        "unet3d",
        "linknet34",
        "ternausnet16",
        "resnet18",
        "densenet121",
        "sdfn",
        "kneenet",
        "parameters",
        "cpu",
    ] {
        assert!(stdout.contains(text), "{text} is missing in:\n{stdout}");
    }
}
