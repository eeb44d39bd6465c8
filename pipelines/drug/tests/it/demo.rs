//! The demo leaves a complete run folder behind.

use crate::browser::dump_dom;
use crate::command::demo_run;
use serde_json::Value;
use std::fs;

fn json(name: &str) -> Value {
    let path = demo_run().join(name);
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

#[test]
fn the_run_folder_is_complete() {
    let run = demo_run();
    for name in
        ["config.toml", "environment.json", "data.json", "logs/fold-0/metrics.jsonl", "metrics.json", "report.html"]
    {
        let size = fs::metadata(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).len();
        assert!(size > 0, "{name} is empty");
    }
    let figures = fs::read_dir(run.join("figures")).unwrap();
    assert!(figures.count() > 0, "there is no figure");
    let left: Vec<_> = fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|n| n.to_string_lossy().ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "temporary files were left: {left:?}");
}

#[test]
fn model_and_baselines_stand_side_by_side() {
    let metrics = json("metrics.json");
    assert_eq!(metrics["task"], "affinity");
    for metric in ["mse", "ci", "rm2"] {
        let mean = metrics["metrics"][metric]["mean"].as_f64().unwrap_or_else(|| panic!("{metric} has no mean"));
        assert!(mean.is_finite(), "{metric} = {mean}");
    }
    let baselines = metrics["baselines"].as_object().expect("baselines");
    for name in ["mean", "matrix factorisation"] {
        assert!(baselines[name]["mse"].as_f64().is_some_and(f64::is_finite), "{name} has no mse");
    }
    let seeds = metrics["seeds"].as_array().expect("seeds").len();
    assert_eq!(metrics["models"].as_u64(), Some(seeds as u64));
    assert!(metrics["data"]["rows"].as_u64().is_some_and(|rows| rows > 0));
}

#[test]
fn no_row_is_lost_between_the_input_and_the_parts() {
    let (data, metrics) = (json("data.json"), json("metrics.json"));
    let kept = data["kept"].as_u64().expect("kept");
    let parts: u64 = data["parts"].as_object().expect("parts").values().filter_map(Value::as_u64).sum();
    // The demo holds out drugs and uses every row of its complete table.
    assert_eq!(parts, kept, "{data}");
    assert_eq!(metrics["data"]["rows"].as_u64(), Some(kept));
    assert_eq!(data["dropped"], serde_json::json!({}), "{data}");
}

#[test]
fn the_screen_keeps_the_row_that_is_no_molecule() {
    let csv = fs::read_to_string(demo_run().join("screen/predictions.csv")).unwrap();
    let list = fs::read_to_string(demo_run().join("screen/compounds.smi")).unwrap();
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(rows.len(), list.lines().count(), "{csv}");
    assert!(rows.last().is_some_and(|row| row.contains("invalid: byte ")), "{csv}");
    assert!(rows[..rows.len() - 1].iter().all(|row| !row.contains("invalid")), "{csv}");
}

/// The report is opened in a browser: all figures are drawn, the console stays empty, nothing is loaded from elsewhere.
#[test]
fn the_report_is_drawn_in_a_browser() {
    let report = demo_run().join("report.html");
    let source = fs::read_to_string(&report).unwrap();
    for foreign in ["src=\"http", "href=\"http://fonts", "@import", "<link rel=\"stylesheet\""] {
        assert!(!source.contains(foreign), "the report is not self-contained: {foreign}");
    }
    for width in [1280, 420] {
        let Some((dom, console)) = dump_dom(&report, width) else { return };
        assert!(console.is_empty(), "at {width} px the console says: {console:#?}");
        let figures: Vec<&str> =
            dom.split("<svg").skip(1).filter_map(|rest| rest.split_once("</svg>")).map(|(f, _)| f).collect();
        let figures: Vec<&str> = figures
            .into_iter()
            .filter(|figure| figure.split('>').next().is_some_and(|tag| tag.contains("figure")))
            .collect();
        assert!(figures.len() >= 3, "only {} figures", figures.len());
        for figure in figures {
            let shapes = ["<path", "<circle", "<rect", "<polyline", "<polygon", "<line"];
            let drawn: usize = shapes.iter().map(|shape| figure.matches(shape).count()).sum();
            let name = figure.split('>').next().unwrap_or_default();
            assert!(drawn > 5, "at {width} px only {drawn} shapes in: {name}");
            assert!(!figure.contains("NaN"), "a coordinate is not a number in: {name}");
        }
    }
}
