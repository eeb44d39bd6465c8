//! Hospital tables the whole way by commands: those of MIMIC-IV to a data set with parts and labels, a network, and a
//! risk for every patient.

use crate::command::galen_ehr_in;
use crate::data::quick;
use ehr::synthetic::mimic4_tables;
use serde_json::Value;
use std::fs;

const TASK: &str = "name = 'death in hospital'\nindex.codes = ['ICU_ADMISSION']\nend.codes = ['HOSPITAL_DISCHARGE']\n\
    prediction.after = '24h'\noutcome.when.codes = ['MEDS_DEATH']\noutcome.within_episode = true\nmin_age = 18.0\n";

#[test]
fn tables_of_mimic4_become_risks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = mimic4_tables(&path.join("tables"), 80, 3).unwrap();
    fs::write(path.join("task.toml"), TASK).unwrap();
    let words = ["prepare", "--data", "tables", "--task", "task.toml", "--out", "set"];
    let told = galen_ehr_in(path, &words).ends_with(0).stdout;
    assert!(told.contains("prepared: set") && told.contains("the order was rewritten"), "{told}");
    for file in ["metadata/codes.parquet", "metadata/subject_splits.parquet", "labels/labels.parquet", "audit.json"] {
        assert!(path.join("set").join(file).is_file(), "{file} is missing");
    }
    let base = [
        "train",
        "--data",
        "set",
        "--task",
        "task.toml",
        "--split",
        "upstream",
        "--system",
        "gru-d",
        "--run-dir",
        "run",
        "--epochs",
        "3",
    ];
    let words: Vec<String> = quick(&base)
        .into_iter()
        .map(|word| word.replace("network.embedding=8", "inputs.series.min_subjects=2"))
        .collect();
    galen_ehr_in(path, &words).ends_with(0);
    let metrics: Value = serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    // A dozen patients are judged: what a network learns from more is told where it is trained on them.
    let auroc = metrics["metrics"]["auroc"]["mean"].as_f64();
    assert!(auroc.is_some_and(|auroc| (0.0..=1.0).contains(&auroc)), "{metrics}");
    assert!(metrics["baselines"]["logistic regression"]["auroc"].is_number(), "{metrics}");
    // The tables themselves are scored as the set that was made of them.
    let score = |data: &str| {
        let words = ["predict", "--model", "run", "--data", data, "--task", "task.toml", "--out", "-"];
        galen_ehr_in(path, &words).ends_with(0).stdout
    };
    let (set, tables) = (score("set"), score("tables"));
    assert_eq!(set.lines().count() as u64, made.patients + 1, "{set}");
    assert_eq!(set, tables);
}
