//! `prepare` makes a MEDS data set with labels and split, and `audit` ends with 1 where a task leaks.

use crate::command::galen_ehr_in;
use crate::data::{TASK, quick, set};
use serde_json::Value;
use std::fs;

#[test]
fn a_set_is_prepared_audited_and_learnt_from() {
    let folder = set(90);
    let path = folder.path();
    let prepared =
        galen_ehr_in(path, &["prepare", "--data", "set", "--task", "task.toml", "--out", "made"]).ends_with(0);
    assert!(prepared.stdout.contains("passed: none of the known leaks"), "{}", prepared.stdout);
    assert!(
        prepared.stdout.contains("galen-ehr train --data made --task task.toml --split upstream"),
        "{}",
        prepared.stdout
    );
    for name in [
        "metadata/codes.parquet",
        "metadata/subject_splits.parquet",
        "metadata/dataset.json",
        "labels/labels.parquet",
        "audit.json",
        "conversion.txt",
    ] {
        assert!(path.join("made").join(name).is_file(), "{name} is missing");
    }
    // With the labels and the split that were written, the same parts come out.
    let base = ["train", "--data", "made", "--labels", "made/labels/labels.parquet", "--split", "upstream"];
    let words = quick(&[&base[..], &["--run-dir", "run", "--epochs", "2"]].concat());
    galen_ehr_in(path, &words).ends_with(0);
    let data: Value = serde_json::from_str(&fs::read_to_string(path.join("run/data.json")).unwrap()).unwrap();
    assert_eq!((data["kept"].as_u64(), data["split"].as_str()), (Some(90), Some("upstream")));

    let evaluated =
        ["evaluate", "--model", "run", "--data", "set", "--task", "task.toml", "--subgroups", "GENDER//", "--json"];
    let scores: Value = serde_json::from_str(&galen_ehr_in(path, &evaluated).ends_with(0).stdout).unwrap();
    assert!(scores["scores"]["auroc"]["value"].is_number(), "{scores}");
    assert_eq!(scores["subgroups"].as_array().map(Vec::len), Some(2), "{scores}");
}

/// Whoever asks about patients to whom it has happened already is told so, and training stops.
#[test]
fn a_leaky_task_is_refused_unless_it_is_wanted() {
    let folder = set(90);
    let path = folder.path();
    // Asked at the last contact, when the outcome is in the record of everybody who has it.
    let leaky = "name = 'late'\nindex.codes = ['CONTACT']\noutcome.when.codes = ['LAB//X', 'DIAGNOSIS//OUTCOME']\n\
                 outcome.horizon = '365d'\ncensoring = 'negative'\n";
    fs::write(path.join("late.toml"), leaky).unwrap();
    let audit = galen_ehr_in(path, &["audit", "--data", "set", "--task", "late.toml"]);
    assert_ne!(audit.code, Some(0), "{audit:?}");
    // A label that is a matter of the record: the outcome's code is an input, and tells it.
    let mut labels = Vec::new();
    for subject in 1..=90_i64 {
        let time = ehr::time::Time(0).plus(ehr::time::Span::days(599));
        labels.push(ehr::labels::Label::boolean(subject, time, subject % 3 == 0));
    }
    ehr::io::meds::write_labels(&path.join("labels.parquet"), &labels).unwrap();
    let base = ["train", "--data", "set", "--labels", "labels.parquet", "--run-dir", "run", "--epochs", "1"];
    galen_ehr_in(path, &quick(&base)).ends_with(1).says("--allow-leaks").says("LEAK proxy");
    assert!(!path.join("run/metrics.json").exists());
    let allowed = quick(&[&base[..6], &["leaky", "--epochs", "1", "--allow-leaks"]].concat());
    galen_ehr_in(path, &allowed).ends_with(0);
    let metrics: Value = serde_json::from_str(&fs::read_to_string(path.join("leaky/metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["protocol"], "leaky");
    assert!(fs::read_to_string(path.join("leaky/report.html")).unwrap().contains("careless study"));
    // The same with what tells the label left out.
    fs::write(path.join("task.toml"), TASK).unwrap();
    galen_ehr_in(path, &["audit", "--data", "set", "--task", "task.toml"]).ends_with(0);
}
