//! `predict` returns every patient of any source, scored or with the reason why not; `explain` says on what it rests.

use crate::command::{demo_run, galen_ehr_in};
use crate::data::{quick, set};
use serde_json::Value;
use std::fs;

/// Two patients, one of whom has nothing with a time.
const BUNDLE: &str = r#"{"resourceType": "Bundle", "type": "collection", "entry": [
  {"resource": {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1950-02-03"}},
  {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/a"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "44054006", "display": "Diabetes mellitus type 2"}]},
    "onsetDateTime": "2019-05-06T10:00:00Z", "recordedDate": "2019-05-06T10:00:00Z"}},
  {"resource": {"resourceType": "Patient", "id": "b", "gender": "male"}}
]}"#;

#[test]
fn a_fhir_bundle_is_scored_with_its_interval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("bundle.json"), BUNDLE).unwrap();
    let model = demo_run().to_string_lossy().into_owned();
    let words = [
        "predict",
        "--model",
        &model,
        "--data",
        "bundle.json",
        "--at",
        "2020-01-01",
        "--out",
        "out.csv",
        "--report",
        "out.html",
    ];
    galen_ehr_in(path, &words).ends_with(0).says("scored with remarks");
    let text = fs::read_to_string(path.join("out.csv")).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("the model knows none of the codes"), "{text}");
    assert!(fs::read_to_string(path.join("out.html")).unwrap().contains("Patient "));
}

#[test]
fn retain_says_what_its_logit_is_made_of() {
    let folder = set(60);
    let path = folder.path();
    let base =
        ["train", "--data", "set", "--task", "task.toml", "--system", "retain", "--run-dir", "run", "--epochs", "2"];
    let mut words: Vec<String> =
        quick(&base).into_iter().map(|word| word.replace("network.hidden=8", "network.alpha=8")).collect();
    words.extend(["--set".to_owned(), "network.beta=8".to_owned()]);
    galen_ehr_in(path, &words).ends_with(0);
    let words =
        ["explain", "--model", "run", "--data", "set", "--task", "task.toml", "--subject", "3,6", "--out", "why"];
    galen_ehr_in(path, &words).ends_with(0).says("2 patients explained");
    let found: Value = serde_json::from_str(&fs::read_to_string(path.join("why/explanations.json")).unwrap()).unwrap();
    for one in found.as_array().unwrap() {
        let explanation = &one["explanation"];
        let shares = explanation["shares"].as_array().unwrap().iter().map(|share| share["value"].as_f64().unwrap());
        let sum = explanation["bias"].as_f64().unwrap() + shares.sum::<f64>();
        let logit = explanation["logit"].as_f64().unwrap();
        // Single precision, tens of terms.
        assert!((sum - logit).abs() < 1e-4 * (1.0 + logit.abs()), "{sum} {logit}");
    }
    assert!(fs::read_to_string(path.join("why/explanations.html")).unwrap().contains("<svg"));
    let none = ["explain", "--model", "run", "--data", "set", "--subject", "999", "--out", "why"];
    galen_ehr_in(path, &none).ends_with(2).says("--subject 999");
}

#[test]
fn gru_d_reads_measurements() {
    let folder = set(60);
    let path = folder.path();
    let base =
        ["train", "--data", "set", "--task", "task.toml", "--system", "gru-d", "--run-dir", "run", "--epochs", "2"];
    let words: Vec<String> = quick(&base)
        .into_iter()
        .map(|word| word.replace("network.embedding=8", "inputs.series.min_subjects=2"))
        .collect();
    galen_ehr_in(path, &words).ends_with(0);
    let words = ["predict", "--model", "run", "--data", "set", "--task", "task.toml", "--out", "-"];
    let rows = galen_ehr_in(path, &words).ends_with(0).stdout;
    assert_eq!(rows.lines().count(), 61, "{rows}");
    let words = ["explain", "--model", "run", "--data", "set", "--task", "task.toml", "--shown", "1", "--out", "why"];
    galen_ehr_in(path, &words).ends_with(0);
    let text = fs::read_to_string(path.join("why/explanations.json")).unwrap();
    assert!(text.contains("LAB//X") && text.contains("% of it left"), "{text}");
}
