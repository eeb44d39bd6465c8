//! Classifiers: trained on folders of pictures, evaluated, used and explained.

use crate::command::galen_imaging_in;
use crate::data::write_pictures;
use imaging::io::dicom::series::{SeriesTags, write_series};
use imaging::io::{ReadOptions, read_volume, write_volume};
use imaging::volume::{Modality, Volume};
use std::fs;
use std::path::Path;

fn train(path: &Path, run: &str, more: &[&str]) -> crate::command::Finished {
    let base = [
        "train",
        "--data",
        "pictures",
        "--format",
        "pictures",
        "--system",
        "ild-cnn",
        "--run-dir",
        run,
        "--epochs",
        "6",
        "--set",
        "learning.batch_size=8",
        "--set",
        "learning.rate=0.003",
    ];
    galen_imaging_in(path, &[&base[..], more].concat())
}

#[test]
fn a_classifier_is_trained_evaluated_used_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pictures(path, 20);
    train(path, "run", &[]).ends_with(0);
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    assert!(
        metrics["metrics"]["auroc"]["mean"].as_f64().is_some_and(|auroc| (0.0..=1.0).contains(&auroc)),
        "{metrics}"
    );
    assert!(metrics["baselines"]["logistic regression on pixels"]["auroc"].as_f64().is_some_and(|auroc| auroc > 0.95));
    for name in ["report.html", "predictions.csv", "audit.json", "figures/reliability.svg"] {
        assert!(path.join("run").join(name).is_file(), "{name} is missing");
    }

    let evaluate = ["evaluate", "--model", "run", "--data", "pictures", "--format", "pictures"];
    assert!(galen_imaging_in(path, &evaluate).ends_with(0).stdout.contains("auroc"));
    let predict = ["predict", "--model", "run", "--input", "pictures/left", "--out", "found"];
    galen_imaging_in(path, &predict).ends_with(0);
    assert_eq!(fs::read_to_string(path.join("found/predictions.csv")).unwrap().lines().count(), 21);

    dicom_is_read_and_the_rest_has_its_reason(path);
    for method in ["grad-cam", "occlusion"] {
        let explain = [
            "explain",
            "--model",
            "run",
            "--input",
            "pictures/right",
            "--out",
            method,
            "--method",
            method,
            "--shown",
            "2",
        ];
        galen_imaging_in(path, &explain).ends_with(0);
        let overlays = fs::read_dir(path.join(method)).unwrap().flatten();
        let pictures = overlays.filter(|file| file.file_name().to_string_lossy().ends_with(".png")).count();
        assert_eq!(pictures, 2, "{method}");
    }
    let unknown = ["explain", "--model", "run", "--input", "pictures/left", "--out", "o", "--class", "middle"];
    galen_imaging_in(path, &unknown).ends_with(2).says("left, right");

    // The body of a trained model, with a head of its own; and a body that does not learn.
    let weights = ["--weights", "run/model/seed-0.safetensors", "--freeze"];
    train(path, "frozen", &weights).ends_with(0);
    let body = |run: &str| fs::read(path.join(run).join("model/seed-0.safetensors")).unwrap();
    assert_ne!(body("run"), body("frozen"));
}

/// A picture as DICOM is the same picture; what is none has a row that says why.
fn dicom_is_read_and_the_rest_has_its_reason(path: &Path) {
    let mixed = path.join("mixed");
    fs::create_dir(&mixed).unwrap();
    fs::copy(path.join("pictures/left/left00.png"), mixed.join("a.png")).unwrap();
    let (mut volume, _) = read_volume(&mixed.join("a.png"), &ReadOptions::default()).unwrap();
    volume.modality = Modality::Ct;
    let scaled = |factor: f32| {
        let voxels = volume.voxels.iter().map(|value| value * factor).collect();
        Volume { voxels, ..volume.clone() }
    };
    let files = write_series(&mixed.join("same"), &volume, &SeriesTags::default()).unwrap();
    write_series(&mixed.join("twelve"), &scaled(100.0), &SeriesTags::default()).unwrap();
    let bytes = fs::read(&files[0]).unwrap();
    fs::write(mixed.join("cut.dcm"), &bytes[..bytes.len() - 500]).unwrap();
    fs::write(mixed.join("notes.txt"), "no picture").unwrap();
    let mut hole = volume.clone();
    hole.voxels[3] = f32::NAN;
    write_volume(&mixed.join("hole.nii.gz"), &hole).unwrap();
    let predict = ["predict", "--model", "run", "--input", "mixed", "--out", "mixed-found"];
    galen_imaging_in(path, &predict).ends_with(0).says("notes.txt: it is no picture");
    let text = fs::read_to_string(path.join("mixed-found/predictions.csv")).unwrap();
    assert!(text.starts_with("id,status,class,left,right\n"), "{text}");
    assert_eq!(text.lines().count(), 7, "{text}");
    let row = |name: &str| {
        let found = text.lines().find(|line| line.split(',').next().is_some_and(|id| id.contains(name)));
        found.unwrap_or_else(|| panic!("{name} has no row in {text}")).split_once(',').unwrap().1.to_owned()
    };
    let share = |name: &str| -> f64 {
        let found = row(name);
        assert!(found.starts_with("ok,"), "{text}");
        found.split(',').nth(2).unwrap().parse().unwrap()
    };
    // 1e-5: six decimals, in single precision at another place of the batch
    assert!((share("same") - share("a.png")).abs() < 1e-5, "{text}");
    assert!(row("twelve").starts_with("on another scale: its mean is "), "{text}");
    assert!(!row("cut.dcm").starts_with("ok") && row("cut.dcm").ends_with(",,,"), "{text}");
    assert!(row("notes.txt").starts_with("it is no picture"), "{text}");
    assert!(row("hole.nii.gz").starts_with("it has a pixel that is NaN"), "{text}");
    let explain = ["explain", "--model", "run", "--input", "mixed", "--out", "mixed-drawn", "--shown", "1"];
    galen_imaging_in(path, &explain).ends_with(0).says("notes.txt");
    let none = ["predict", "--model", "run", "--input", "mixed/notes.txt", "--out", "none"];
    galen_imaging_in(path, &none).ends_with(1).says("none of 1 file could be classified");
}

#[test]
fn pictures_and_networks_must_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_pictures(path, 4);
    let unet = ["train", "--data", "pictures", "--format", "pictures", "--system", "unet", "--run-dir", "run"];
    galen_imaging_in(path, &unet).ends_with(2).says("--system resnet18");
    let small = ["--set", "source.size=[2, 2]"];
    train(path, "small", &small).ends_with(2).says("needs at least");
}
