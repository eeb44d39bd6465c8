//! The demo leaves a complete run folder behind.

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
        "baselines.json",
        "splits/model-0.tsv",
        "logs/seed-0/metrics.jsonl",
        "model/seed-0.safetensors",
        "predictions.parquet",
        "metrics.json",
        "report.html",
        "demo/effects.vcf",
        "demo/effects.tsv",
        "demo/coverage.bw",
        "demo/chr1.bw",
    ];
    is_complete(demo_run(), &names, 4);
}

#[test]
fn model_and_baselines_stand_side_by_side() {
    let metrics = json("metrics.json");
    assert_eq!((&metrics["task"], &metrics["split"]), (&"binary".into(), &"chromosome".into()));
    for metric in ["auroc", "average_precision", "mcc", "loss", "motif_recovered"] {
        let Some(mean) = metrics["metrics"][metric]["mean"].as_f64() else {
            // Without a decision for both classes there is no correlation.
            assert_eq!(metric, "mcc", "{metric} has no mean");
            continue;
        };
        assert!(mean.is_finite(), "{metric} = {mean}");
    }
    let baselines = metrics["baselines"].as_object().expect("baselines");
    for name in ["GC content", "4-mer logistic regression"] {
        assert!(baselines[name]["auroc"].as_f64().is_some_and(f64::is_finite), "{name} has no AUROC");
    }
    let seeds = metrics["seeds"].as_array().expect("seeds").len();
    assert_eq!(metrics["models"].as_u64(), Some(seeds as u64));
}

#[test]
fn no_row_is_lost_between_the_input_and_the_parts() {
    let (data, metrics) = (json("data.json"), json("metrics.json"));
    let kept = data["kept"].as_u64().expect("kept");
    let parts: u64 = data["parts"].as_object().expect("parts").values().filter_map(Value::as_u64).sum();
    assert_eq!(parts, kept, "{data}");
    // Three contigs of sixty windows.
    assert_eq!((kept, metrics["data"]["rows"].as_u64()), (180, Some(180)));
    assert_eq!(data["dropped"], serde_json::json!({}), "{data}");
}

#[test]
fn every_variant_and_every_interval_has_its_row() {
    let folder = demo_run().join("demo");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let records = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let (variants, effects) = (read("variants.vcf"), read("effects.vcf"));
    assert_eq!(records(&effects), records(&variants));
    assert!(effects.contains("##INFO=<ID=GALEN_LOGODDS,"), "{}", &effects[..500.min(effects.len())]);
    assert_eq!(read("effects.tsv").lines().count(), 1 + records(&variants));
    let ranking: Value = serde_json::from_str(&read("ranking.json")).unwrap();
    assert!(ranking["disrupts"]["variants"].as_u64().is_some_and(|count| count > 5), "{ranking}");
    let peaks = read("peaks.csv");
    let rows: Vec<&str> = peaks.lines().skip(1).collect();
    assert_eq!(rows.len(), read("peaks.bed").lines().count());
    assert!(rows.last().is_some_and(|row| row.contains("lies outside its contig")), "{peaks}");
    assert!(rows[..rows.len() - 1].iter().all(|row| !row.contains("invalid")), "{peaks}");
}

/// The report is opened in a browser: all figures are drawn, the console stays empty, nothing is loaded from elsewhere.
#[test]
fn the_report_is_drawn_in_a_browser() {
    is_drawn(&demo_run().join("report.html"), 4);
}

/// The whole demo, as a user starts it: what it promises is what it shows.
#[test]
#[ignore = "a minute on two cores; `cargo xtask demo` runs it"]
fn the_planted_motif_is_found_and_the_disrupting_variants_rank_first() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run").to_string_lossy().into_owned();
    crate::command::galen_genomics(&["demo", "--run-dir", &run]).ends_with(0);
    let read = |name: &str| tests::run::json(&folder.path().join("run").join(name));
    let metrics = read("metrics.json");
    assert!(metrics["metrics"]["auroc"]["mean"].as_f64().is_some_and(|auroc| auroc > 0.95), "{metrics}");
    assert_eq!(metrics["metrics"]["motif_recovered"]["mean"].as_f64(), Some(1.0), "{metrics}");
    let ranking = read("demo/ranking.json");
    assert!(ranking["disrupts"]["auroc"].as_f64().is_some_and(|auroc| auroc > 0.95), "{ranking}");
}
