//! The demo leaves a complete run folder behind, and its report is drawn in a browser.

use crate::command::demo_run;
use serde_json::Value;
use std::fs;
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
        "audit.json",
        "predictions.csv",
        "splits/model-0.tsv",
        "logs/seed-0/metrics.jsonl",
        "model/seed-0.safetensors",
        "metrics.json",
        "report.html",
        "figures/roc.svg",
        "figures/reliability.svg",
        "figures/decision.svg",
        "demo/predictions.csv",
        "demo/patients.html",
        "demo/planted.json",
    ];
    is_complete(demo_run(), &names, 3);
}

#[test]
fn model_and_baselines_stand_side_by_side() {
    let metrics = json("metrics.json");
    assert_eq!((&metrics["task"], &metrics["split"]), (&"squall-1y".into(), &"subject".into()));
    assert_eq!(metrics["protocol"], "clean");
    for metric in ["auroc", "auprc", "brier", "ece", "loss"] {
        let mean = metrics["metrics"][metric]["mean"].as_f64().unwrap_or_else(|| panic!("{metric} has no mean"));
        assert!(mean.is_finite() && mean >= 0.0, "{metric} = {mean}");
    }
    let baselines = metrics["baselines"].as_object().expect("baselines");
    for name in ["logistic regression", "gradient-boosted trees"] {
        let auroc = baselines[name]["auroc"].as_f64().expect("an AUROC");
        // Counts say nothing: 60 held-out patients have an AUROC of 0.5 with a deviation of 0.075.
        assert!((auroc - 0.5).abs() < 0.3, "{name}: {auroc}");
    }
    assert!(baselines["prior"]["brier"].is_number());
}

#[test]
fn no_label_is_lost_between_the_cohort_and_the_parts() {
    let data = json("data.json");
    let parts: u64 = data["parts"].as_object().expect("parts").values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(parts), data["kept"].as_u64(), "{data}");
    let tested = data["parts"]["held_out"].as_u64().unwrap() as usize;
    assert_eq!(fs::read_to_string(demo_run().join("predictions.csv")).unwrap().lines().count(), 1 + tested);
    let audit = json("audit.json");
    assert!(audit["findings"].as_array().expect("findings").iter().all(|one| one["severity"] != "error"), "{audit}");
}

#[test]
fn new_patients_are_predicted() {
    let text = fs::read_to_string(demo_run().join("demo/predictions.csv")).unwrap();
    assert!(text.starts_with("subject,prediction_time,status,probability,low,high,events\n"), "{text}");
    let planted = json("demo/planted.json");
    let rows = planted["patients"].as_u64().unwrap() as usize;
    // Who was lost before the year was over has no label and is not asked about.
    assert!(rows > 30 && rows < text.lines().count(), "{planted}");
    for line in text.lines().skip(1) {
        let numbers: Vec<f64> =
            line.rsplit_once('"').unwrap().1.split(',').skip(1).take(3).map(|field| field.parse().unwrap()).collect();
        assert!(numbers.iter().all(|p| (0.0..=1.0).contains(p)) && numbers[1] <= numbers[2], "{line}");
    }
}

/// The report and the page of patients are opened in a browser: all figures are drawn, the console stays empty, nothing
/// is loaded from elsewhere.
#[test]
fn the_pages_are_drawn_in_a_browser() {
    for name in ["report.html", "demo/patients.html"] {
        let page = demo_run().join(name);
        assert!(fs::read_to_string(&page).unwrap().contains("Patient "), "{name} has no patient");
        is_drawn(&page, 2);
    }
}
