//! Classifiers: trained on folders of pictures, evaluated, used and explained.

use crate::command::galen_imaging_in;
use crate::data::write_pictures;
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
