//! `evaluate` says what of a table the models were trained on, and how they do without it.

use crate::command::{demo_run, folder_with, galen_drug_in};
use crate::data::{quick, table};
use drug::chem::Molecule;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A row of a table as `train` and `evaluate` read it: molecule, sequence and value.
fn fields(line: &str) -> (String, &str, f64) {
    let fields: Vec<&str> = line.split(',').collect();
    let molecule = Molecule::parse(fields[1]).unwrap();
    // The program keeps values in single precision.
    (molecule.canonical_flat(), fields[3], f64::from(fields[4].parse::<f32>().unwrap()))
}

/// What `evaluate` says of `data` for `model`, as JSON.
fn judged(folder: &Path, model: &str, data: &str) -> Value {
    let words = ["evaluate", "--json", "--model", model, "--data", data];
    serde_json::from_str(&galen_drug_in(folder, &words).ends_with(0).stdout).unwrap()
}

fn value(judged: &Value, score: &str, which: &str) -> f64 {
    judged["scores"][score][which].as_f64().unwrap_or_else(|| panic!("{score} has no {which}: {judged}"))
}

/// Forty rows that the model was trained on, and forty of alkanes, which no drug of the table is.
#[test]
fn a_table_half_from_training_is_told_and_scored_without_it() {
    let text = table();
    let lines: Vec<&str> = text.lines().collect();
    let folder = folder_with(&[("pairs.csv", &text)]);
    let path = folder.path();
    let train = ["train", "--data", "pairs.csv", "--split", "random", "--run-dir", "run", "--epochs", "1"];
    galen_drug_in(path, &quick(&[&train[..], &["--models", "1"]].concat())).ends_with(0);

    let parts = fs::read_to_string(path.join("run/splits/fold-0.tsv")).unwrap();
    let parts = parts.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    // Rows count from 0 and lines from the header. The fold left out is no news: it decided when to stop.
    let trained: Vec<&str> =
        parts.filter(|(_, part)| *part != "test").map(|(row, _)| lines[row.parse::<usize>().unwrap() + 1]).collect();
    let old = &trained[..40];
    let targets: Vec<String> =
        lines[1..=10].iter().map(|line| line.split(',').skip(2).take(2).collect::<Vec<_>>().join(",")).collect();
    let new: Vec<String> = (0..40)
        .map(|row| format!("alkane-{row},{},{},{}", "C".repeat(row / 10 + 1), targets[row % 10], 5 + row % 4))
        .collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    let both = [old, &new[..]].concat();
    for (name, rows) in [("both.csv", &both[..]), ("new.csv", &new[..]), ("old.csv", old)] {
        fs::write(path.join(name), format!("{}\n{}\n", lines[0], rows.join("\n"))).unwrap();
    }

    let found = judged(path, "run", "both.csv");
    let of = |rows: &[&str], which: fn(&(String, &str, f64)) -> String| {
        rows.iter().map(|row| which(&fields(row))).collect::<HashSet<String>>()
    };
    let share = |which: fn(&(String, &str, f64)) -> String| {
        let (asked, known) = (of(&both, which), of(&trained, which));
        json!({ "seen": asked.intersection(&known).count(), "of": asked.len() })
    };
    let expected = json!({
        "drugs": share(|row| row.0.clone()),
        "targets": share(|row| row.1.to_owned()),
        "pairs": { "seen": 40, "of": 80 },
    });
    assert_eq!(found["in_training"], expected);
    assert!(expected["drugs"]["seen"].as_u64() < expected["drugs"]["of"].as_u64(), "{expected}");

    // What is left is what the new rows alone come to; the same pairs in other batches are summed in another order.
    let alone = judged(path, "run", "new.csv");
    for score in ["mse", "rmse", "mae"] {
        let (left, alone) = (value(&found, score, "new_pairs"), value(&alone, score, "value"));
        assert!((left - alone).abs() < 1e-4, "{score}: {left} {alone}");
    }
    // The mean of what was trained on, judged by hand; sums of up to 160 numbers below 100 in double precision.
    let values = |rows: &[&str]| rows.iter().map(|row| fields(row).2).collect::<Vec<f64>>();
    let mean = values(&trained).iter().sum::<f64>() / trained.len() as f64;
    for (which, rows) in [("value", &both[..]), ("new_pairs", &new[..])] {
        let mse = values(rows).iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows.len() as f64;
        let found = value(&found, "mse of the training mean", which);
        assert!((found - mse).abs() < 1e-9, "{which}: {found} {mse}");
    }
    assert!(value(&found, "mse", "low") < value(&found, "mse", "high"), "{found}");

    let says = |data: &str, texts: &[&str]| {
        let told = galen_drug_in(path, &["evaluate", "--model", "run", "--data", data]).ends_with(0).stdout;
        for text in texts {
            assert!(told.contains(text), "{data}: {text} is missing in:\n{told}");
        }
        // In the clean protocol it is `ci`.
        assert!(!told.contains("ci_full"), "{told}");
        told
    };
    says("both.csv", &["80 pairs of both.csv, mean of 1 model", "40 of 80 pairs; the column", "low", "new pairs"]);
    assert!(!says("new.csv", &["0 of 40 pairs\n"]).contains("new pairs"));
    says("old.csv", &["40 of 40 pairs; there is nothing left"]);
}

#[test]
fn models_without_a_record_are_judged_and_a_damaged_one_is_named() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let path = folder.path();
    fs::copy(demo_run().join("model/fold-0.safetensors"), path.join("bare.safetensors")).unwrap();
    let words = ["evaluate", "--model", "bare.safetensors", "--data", "pairs.csv"];
    let told = galen_drug_in(path, &words).ends_with(0).stdout;
    assert!(told.contains("in training is not known") && !told.contains("training mean"), "{told}");
    let found = judged(path, "bare.safetensors", "pairs.csv");
    assert_eq!((&found["in_training"], &found["training_mean"]), (&Value::Null, &Value::Null));

    fs::copy(demo_run().join("model/seen.bin"), path.join("seen.bin")).unwrap();
    assert!(judged(path, "bare.safetensors", "pairs.csv")["training_mean"].is_f64());
    let mut bytes = fs::read(path.join("seen.bin")).unwrap();
    bytes[20] ^= 1;
    fs::write(path.join("seen.bin"), bytes).unwrap();
    galen_drug_in(path, &words).ends_with(1).says("seen.bin").says("altered").says("used all the same");
}

#[test]
fn the_table_that_nobody_named_is_said() {
    let model = demo_run().to_string_lossy().into_owned();
    let told = galen_drug_in(folder_with(&[]).path(), &["evaluate", "--model", &model]).ends_with(1);
    told.says("judging on drug/davis; name another table with --data");
}
