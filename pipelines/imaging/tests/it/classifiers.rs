//! Every classifier by its name: trained, reported, used and explained; lungs by a rule, by masks and by a model; bodies that
//! PyTorch trained.

use crate::command::{demo_run, galen_imaging_in};
use crate::data::write_pictures;
use imaging::io::picture::write_png;
use imaging::model::ClassifyModel;
use nn_core::burn::tensor::Device;
use std::fs;
use std::path::{Path, PathBuf};
use tests::draw::Draw;

/// Options that make a network of few features of each system, and pictures that it can read.
fn small(system: &str) -> Vec<&'static str> {
    match system {
        "resnet18" | "resnet34" => vec!["network.base=4"],
        "densenet121" | "sdfn" => vec!["network.base=8", "network.growth=4", "network.blocks=[1, 1, 1, 1]"],
        "soft-attention" => vec!["network.filters=[4, 6]"],
        "knee" => vec!["network.base=4", "network.side=0", "source.size=[97, 97]"],
        _ => Vec::new(),
    }
}

/// `train` of one epoch on `pictures`.
fn train<'a>(system: &'a str, run: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base =
        ["train", "--data", "pictures", "--format", "pictures", "--epochs", "1", "--set", "learning.batch_size=4"];
    let mut words = [&base[..], &["--system", system, "--run-dir", run]].concat();
    for setting in small(system) {
        words.extend(["--set", setting]);
    }
    words.extend(more);
    words
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_classifier_is_trained_reported_used_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pictures(path, 8);
    for system in ["resnet18", "resnet34", "densenet121", "ild-cnn", "soft-attention", "knee", "sdfn"] {
        galen_imaging_in(path, &train(system, system, &[])).ends_with(0);
        let report = fs::read_to_string(path.join(system).join("report.html")).unwrap();
        assert!(report.contains("What decisions rest on"), "{system}: no maps in the report");
        let figures = names(&path.join(system).join("figures"));
        let views = if system == "sdfn" { 2 } else { 1 };
        for view in 0..views {
            let name = format!("decision-highest-{view}.svg");
            assert!(figures.contains(&name), "{system}: {name} is not among {figures:?}");
            let svg = fs::read_to_string(path.join(system).join("figures").join(&name)).unwrap();
            assert!(svg.contains(">Grad-CAM<") && svg.contains(">occlusion<") && !svg.contains("NaN"), "{system}");
        }
        let model = path.join(system).join("model/seed-0.safetensors");
        let model = ClassifyModel::load(&model, &Device::flex()).unwrap();
        assert_eq!(model.card.crop.is_some(), system == "sdfn");

        let found = format!("{system}-found");
        galen_imaging_in(path, &["predict", "--model", system, "--input", "pictures/left", "--out", &found])
            .ends_with(0);
        let rows = fs::read_to_string(path.join(&found).join("predictions.csv")).unwrap();
        assert_eq!(rows.matches(",ok,").count(), 8, "{system}: {rows}");
        let evaluate =
            ["evaluate", "--model", system, "--data", "pictures", "--format", "pictures", "--out", "all.csv"];
        assert!(galen_imaging_in(path, &evaluate).ends_with(0).stdout.contains("auroc"), "{system}");
        assert_eq!(fs::read_to_string(path.join("all.csv")).unwrap().lines().count(), 17, "{system}");

        let drawn = format!("{system}-drawn");
        let explain = ["explain", "--model", system, "--input", "pictures/right", "--out", &drawn, "--shown", "1"];
        let both = [&explain[..], &["--method", "both", "--class", "left"]].concat();
        galen_imaging_in(path, &both).ends_with(0);
        let expected: Vec<String> = if system == "sdfn" {
            let parts = ["lungs-grad-cam", "lungs-occlusion", "whole_picture-grad-cam", "whole_picture-occlusion"];
            parts.map(|part| format!("001-left-{part}.png")).to_vec()
        } else {
            ["grad-cam", "occlusion"].map(|method| format!("001-left-{method}.png")).to_vec()
        };
        let drawn = names(&path.join(&drawn));
        assert_eq!(drawn[..drawn.len() - 1], expected, "{system}");
        assert_eq!(drawn.last().map(String::as_str), Some("explained.csv"));

        let attention = ["explain", "--model", system, "--input", "pictures/right", "--out", "attention"];
        let finished = galen_imaging_in(path, &[&attention[..], &["--shown", "1", "--method", "attention"]].concat());
        if system == "soft-attention" {
            finished.ends_with(0);
            assert_eq!(names(&path.join("attention")).len(), 2);
        } else {
            finished.ends_with(2).says("no soft attention");
        }
    }
}

/// A chest of 32 x 32 pixels in dark rooms: a bright body with two dark lungs; one class has a bright spot in one.
fn write_chests(folder: &Path, count: usize) {
    let mut draw = Draw::new(9);
    for name in ["pictures/ill", "pictures/well", "masks", "slices/image", "slices/label"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for picture in 0..2 * count {
        let ill = picture % 2 == 0;
        let shift = draw.next(4);
        let lungs = |place: usize| {
            let (row, column) = (place / 32, place % 32);
            (8..24).contains(&row)
                && ((6 + shift..12 + shift).contains(&column) || (16 + shift..22 + shift).contains(&column))
        };
        let pixels: Vec<u8> = (0..32 * 32)
            .map(|place| {
                let (row, column) = (place / 32, place % 32);
                let body = (2..30).contains(&row) && (3..29).contains(&column);
                let spot = ill && (14..18).contains(&row) && (8 + shift..11 + shift).contains(&column);
                let value = if lungs(place) {
                    40
                } else if body {
                    200
                } else {
                    5
                };
                (draw.next(10) + if spot { 120 } else { value }) as u8
            })
            .collect();
        let mask: Vec<u8> = (0..32 * 32).map(|place| if lungs(place) { 255 } else { 0 }).collect();
        let class = if ill { "ill" } else { "well" };
        write_png(&folder.join(format!("pictures/{class}/p{picture:02}.png")), 32, 32, 1, &pixels).unwrap();
        write_png(&folder.join(format!("masks/p{picture:02}.png")), 32, 32, 1, &mask).unwrap();
        write_png(&folder.join(format!("slices/image/{picture}.png")), 32, 32, 1, &pixels).unwrap();
        write_png(&folder.join(format!("slices/label/{picture}.png")), 32, 32, 1, &mask).unwrap();
    }
}

#[test]
fn lungs_are_found_by_masks_and_by_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_chests(path, 8);
    galen_imaging_in(path, &train("sdfn", "masked", &["--crop", "masks"])).ends_with(0);
    let record = fs::read_to_string(path.join("masked/data.json")).unwrap();
    assert!(record.contains("masks/p03.png"), "masks are part of what went in: {record}");
    let predict = ["predict", "--model", "masked", "--input", "pictures/ill", "--out"];
    let predicted = |out: &str, more: &[&str]| {
        galen_imaging_in(path, &[&predict[..], &[out], more].concat()).ends_with(0);
        fs::read_to_string(path.join(out).join("predictions.csv")).unwrap()
    };
    let rows = predicted("by-masks", &[]);
    assert_eq!(rows.matches(",ok,").count(), 8, "{rows}");
    // A picture without a mask is a row with its reason.
    fs::remove_file(path.join("masks/p04.png")).unwrap();
    let rows = predicted("one-less", &[]);
    assert!(rows.matches(",ok,").count() == 7 && rows.contains("there is no mask of that name"), "{rows}");
    // The same model by the rule, where the masks are gone altogether.
    fs::rename(path.join("masks"), path.join("elsewhere")).unwrap();
    galen_imaging_in(path, &[&predict[..], &["none"]].concat()).ends_with(1).says("--set crop=PATH");
    let rows = predicted("by-rule", &["--set", "crop=auto"]);
    assert_eq!(rows.matches(",ok,").count(), 8, "{rows}");

    // As published: a U-Net finds the lungs.
    let segment = ["train", "--data", "slices", "--names", "lungs", "--split", "blocks", "--run-dir", "lungs"];
    let mut words = [&segment[..], &["--epochs", "4"]].concat();
    for setting in [
        "sized_by_plan=false",
        "network.dims=2",
        "network.base=4",
        "network.levels=2",
        "patch=[32, 32, 1]",
        "patches=12",
        "learning.batch_size=4",
        "learning.rate=0.01",
    ] {
        words.extend(["--set", setting]);
    }
    galen_imaging_in(path, &words).ends_with(0);
    galen_imaging_in(path, &train("sdfn", "fused", &["--crop", "lungs", "--set", "source.crop-margin=0.1"]))
        .ends_with(0);
    let model = ClassifyModel::load(&path.join("fused/model/seed-0.safetensors"), &Device::flex()).unwrap();
    let crop = model.card.crop.unwrap();
    assert!(crop.from.is_absolute() && crop.from.ends_with("lungs") && (crop.margin - 0.1).abs() < 1e-12, "{crop:?}");
    let evaluate = ["evaluate", "--model", "fused", "--data", "pictures", "--format", "pictures"];
    galen_imaging_in(path, &evaluate).ends_with(0);
    // A run of classes finds no lungs.
    galen_imaging_in(path, &train("sdfn", "wrong", &["--crop", "masked"])).ends_with(1).says("it holds a classifier");
}

/// A file of PyTorch with torchvision's names, of a small network (`crates/imaging/tests/golden/systems.py`).
fn torchvision() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/imaging/tests/golden/resnet18.pt")
}

#[test]
fn a_body_of_torchvision_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pictures(path, 8);
    let file = torchvision().to_string_lossy().into_owned();
    let weights = ["--weights", &file, "--freeze"];
    // Grey pictures have one channel, and the body reads three.
    galen_imaging_in(path, &train("resnet18", "grey", &weights)).ends_with(1).says("resnet18.pt").says("conv1");
    let colours = [&weights[..], &["--set", "source.channels=3"]].concat();
    galen_imaging_in(path, &train("resnet18", "colours", &colours)).ends_with(0);
    let model = ClassifyModel::load(&path.join("colours/model/seed-0.safetensors"), &Device::flex()).unwrap();
    assert_eq!((model.card.network.channels(), model.card.names.len()), (3, 2));
    // Grey pictures are repeated for it in use, too.
    galen_imaging_in(path, &["predict", "--model", "colours", "--input", "pictures/left", "--out", "found"])
        .ends_with(0);
    galen_imaging_in(path, &train("densenet121", "other", &weights)).ends_with(1).says("unknown to the model");
}

#[test]
fn options_of_other_systems_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pictures(path, 4);
    galen_imaging_in(path, &train("ild-cnn", "run", &["--crop", "auto"])).ends_with(2).says("leave out --crop");
    for option in [["--cache", "kept"], ["--loader-threads", "2"]] {
        galen_imaging_in(path, &train("ild-cnn", "run", &option)).ends_with(2).says("held in memory");
    }
    galen_imaging_in(path, &train("sdfn", "run", &["--crop", "absent"])).ends_with(1).says("absent");
    let margin = ["--set", "source.crop-margin=-1"];
    galen_imaging_in(path, &train("sdfn", "run", &margin)).ends_with(2).says("crop.margin");
    let segmenter = demo_run().to_string_lossy().into_owned();
    let predict = ["predict", "--model", &segmenter, "--input", "pictures", "--out", "o", "--set", "crop=auto"];
    galen_imaging_in(path, &predict).ends_with(2).says("leave it out");
    let squares = ["--set", "network.side=90"];
    galen_imaging_in(path, &train("knee", "run", &squares)).ends_with(2).says("two squares of network.side = 90");
}
