//! The demo leaves a complete run folder behind, and measures what it generated.

use crate::command::demo_run;
use imaging::io::dicom::seg::read_seg;
use imaging::io::{ReadOptions, read_labels, read_volume};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::browser::is_drawn;
use tests::run::is_complete;

fn json(name: &str) -> Value {
    tests::run::json(&demo_run().join(name))
}

#[test]
fn the_run_folder_is_complete() {
    let names = [
        "config.toml",
        "environment.json",
        "data.json",
        "plan.toml",
        "audit.json",
        "baselines.json",
        "cases.csv",
        "splits/model-0.tsv",
        "logs/seed-0/metrics.jsonl",
        "model/seed-0.safetensors",
        "metrics.json",
        "report.html",
        "demo/volumes.json",
        "demo/found/volumes.csv",
        "demo/found/phantom_008.nii.gz",
        "demo/found/phantom_008.seg.dcm",
    ];
    is_complete(demo_run(), &names, 4);
}

#[test]
fn model_and_baselines_stand_side_by_side() {
    let metrics = json("metrics.json");
    assert_eq!((&metrics["task"], &metrics["split"]), (&"segmentation".into(), &"subject".into()));
    for metric in ["dice", "dice_organ", "dice_nodule", "hd95_organ", "missed_organ", "pixel_error"] {
        let mean = metrics["metrics"][metric]["mean"].as_f64().unwrap_or_else(|| panic!("{metric} has no mean"));
        assert!(mean.is_finite() && mean >= 0.0, "{metric} = {mean}");
    }
    let baselines = metrics["baselines"].as_object().expect("baselines");
    for name in ["mean shape", "intensity threshold", "pixel-wise logistic regression"] {
        assert!(baselines[name]["dice_organ"].as_f64().is_some_and(f64::is_finite), "{name} has no Dice");
    }
}

#[test]
fn no_case_is_lost_between_the_input_and_the_parts() {
    let data = json("data.json");
    let parts: u64 = data["parts"].as_object().expect("parts").values().filter_map(Value::as_u64).sum();
    assert_eq!((parts, data["kept"].as_u64()), (8, Some(8)), "{data}");
    // Each case of the test part has a row for each label.
    let tested = data["parts"]["test"].as_u64().unwrap() as usize;
    assert_eq!(fs::read_to_string(demo_run().join("cases.csv")).unwrap().lines().count(), 1 + 2 * tested);
}

#[test]
fn the_segmentation_lies_on_the_series_that_it_is_of() {
    let folder = demo_run().join("demo");
    let series = folder.join("series/phantom_008");
    let (volume, _) = read_volume(&series, &ReadOptions::default()).unwrap();
    let nifti = read_labels(&folder.join("found/phantom_008.nii.gz"), &[]).unwrap();
    // NIfTI keeps affines in single precision.
    assert!(nifti.geometry.same_grid(&volume.geometry, 1e-3), "{:?} and {:?}", nifti.geometry, volume.geometry);
    let seg = read_seg(&folder.join("found/phantom_008.seg.dcm")).unwrap();
    assert_eq!(seg.frame_of_reference, volume.source.frame_of_reference);
    let (map, twice) = seg.on_grid(&volume.geometry).unwrap().label_map().unwrap();
    assert_eq!((map.labels, twice), (nifti.labels, 0), "the two outputs say the same");
    let csv = fs::read_to_string(folder.join("found/volumes.csv")).unwrap();
    assert!(csv.starts_with("case,status,ml organ,ml nodule\nphantom 008,ok,"), "{csv}");
}

/// The report is opened in a browser: all figures are drawn, the console stays empty, nothing is loaded from elsewhere.
#[test]
fn the_report_is_drawn_in_a_browser() {
    is_drawn(&demo_run().join("report.html"), 3);
}

/// The whole demo, as a user starts it: what it promises is what it shows.
#[test]
#[ignore = "a minute on two cores; `cargo xtask demo` runs it"]
fn the_measured_volumes_are_those_of_the_ellipsoids() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run").to_string_lossy().into_owned();
    crate::command::galen_imaging(&["demo", "--run-dir", &run]).ends_with(0);
    let read = |name: &str| tests::run::json(&Path::new(&run).join(name));
    let metrics = read("metrics.json");
    assert!(metrics["metrics"]["dice_organ"]["mean"].as_f64().is_some_and(|dice| dice > 0.95), "{metrics}");
    let volumes = read("demo/volumes.json");
    for label in ["organ", "nodule"] {
        let off = volumes[label]["difference"].as_f64().unwrap();
        assert!(off.abs() < 0.02, "{volumes}");
    }
}
