//! What `audit` and `evaluate` say beside single numbers: shortcuts, intervals, and tables of every case.

use crate::command::galen_imaging_in;
use crate::data::{quick, write_set};
use serde_json::Value;
use std::fs;

#[test]
fn an_audit_scores_what_needs_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 8, 1);
    let json = galen_imaging_in(path, &["audit", "--data", "boxes", "--names", "box", "--json"]).ends_with(0).stdout;
    let audit: Value = serde_json::from_str(&json).unwrap();
    let dice = |name: &str| {
        let scores = audit["scores"].as_array().unwrap();
        let found =
            scores.iter().find(|scored| scored["name"] == name).unwrap_or_else(|| panic!("no {name} in {json}"));
        assert!(found["baseline"] == true && found["part"] == "test", "{found}");
        found["scores"]["dice_box"].as_f64().unwrap()
    };
    // Boxes are 300 brighter than noise of 0 to 99, so a band of grey values has them; their place varies.
    assert!(dice("intensity threshold") > 0.99);
    assert!(dice("mean shape") < 0.95 && dice("nearest case") <= 1.0);
    let text = galen_imaging_in(path, &["audit", "--data", "boxes", "--names", "box"]).ends_with(0).stdout;
    assert!(text.contains("intensity threshold") && text.contains("nearest case"), "{text}");
}

#[test]
fn an_evaluation_has_intervals_and_a_table_of_every_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 8, 1);
    let train = ["train", "--data", "boxes", "--names", "box", "--run-dir", "run", "--epochs", "3"];
    galen_imaging_in(path, &quick(&train)).ends_with(0);
    let evaluate = ["evaluate", "--model", "run", "--data", "boxes", "--json", "--out", "cases.csv"];
    let json = galen_imaging_in(path, &evaluate).ends_with(0).stdout;
    let scores: Vec<Value> = serde_json::from_str(&json).unwrap();
    let dice = scores.iter().find(|row| row["score"] == "dice_box").unwrap();
    let [low, value, high] = ["95 % low", "value", "95 % high"].map(|column| dice[column].as_f64().unwrap());
    assert!((0.0..=1.0).contains(&value) && low <= value && value <= high, "{dice}");
    let error = scores.iter().find(|row| row["score"] == "pixel_error").unwrap();
    assert!(error["value"].is_number() && error["95 % low"].is_null(), "{error}");

    let table = fs::read_to_string(path.join("cases.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let column = rows[0].iter().position(|name| *name == "dice").unwrap();
    let single: Vec<f64> = rows[1..].iter().map(|row| row[column].parse().unwrap()).collect();
    assert_eq!(single.len(), 8);
    // The mean is printed with four digits.
    let mean = single.iter().sum::<f64>() / 8.0;
    assert!((mean - value).abs() < 1e-4, "{mean} of the table, {value} of the summary");
}
