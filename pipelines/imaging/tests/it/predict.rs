//! A trained model on volumes of every kind, and a set from its preparation to its evaluation.

use crate::command::{demo_run, galen_imaging_in};
use crate::data::{quick, real, write_set};
use imaging::io::{ReadOptions, read_labels, read_volume};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_set_goes_from_its_preparation_to_its_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 8, 1);
    let prepared = galen_imaging_in(path, &["prepare", "--data", "boxes", "--names", "box", "--run-dir", "prepared"]);
    assert!(prepared.ends_with(0).stdout.contains("galen-imaging train --data boxes --plan prepared/plan.toml"));
    let table = lines(&path.join("prepared/cases.csv"));
    assert_eq!(table.len(), 9);
    assert!(table[0].ends_with("orientation,ml box") && table[1].contains(",LPS,"), "{}", table[1]);
    // Half of each axis of 16 x 16 x 8 voxels of 2 mm³.
    assert!(table[1].ends_with(",0.5120"), "{}", table[1]);

    galen_imaging_in(path, &["plan", "--data", "boxes", "--names", "box", "--out", "plan.toml"]).ends_with(0);
    let plan = fs::read_to_string(path.join("plan.toml")).unwrap();
    assert!(plan.contains("names = [\"background\", \"box\"]") && plan.contains("[[normalise]]"), "{plan}");
    let audit = galen_imaging_in(path, &["audit", "--data", "boxes", "--names", "box"]).ends_with(0).stdout;
    assert!(audit.contains("box"), "{audit}");

    let train = ["train", "--data", "boxes", "--names", "box", "--run-dir", "run", "--epochs", "10", "--folds", "4"];
    galen_imaging_in(path, &quick(&[&train[..], &["--models", "2"]].concat())).ends_with(0);
    assert_eq!(fs::read_dir(path.join("run/model")).unwrap().count(), 2);
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["metrics"]["dice_box"]["values"].as_array().map(Vec::len), Some(2));

    let evaluate = ["evaluate", "--model", "run", "--data", "boxes", "--json"];
    let scores = galen_imaging_in(path, &evaluate).ends_with(0).stdout;
    assert!(scores.contains("dice_box"), "{scores}");

    // An ensemble of two over a folder of files: one result for each.
    let predict = ["predict", "--model", "run", "--input", "boxes/images", "--out", "found", "--probabilities"];
    galen_imaging_in(path, &predict).ends_with(0);
    assert_eq!(lines(&path.join("found/volumes.csv")).len(), 9);
    let (source, _) = read_volume(&path.join("boxes/images/case_03.nii.gz"), &ReadOptions::default()).unwrap();
    let labels = read_labels(&path.join("found/case_03.nii.gz"), &[]).unwrap();
    assert!(labels.geometry.same_grid(&source.geometry, 1e-3));
    let (probability, _) = read_volume(&path.join("found/case_03_box.nii.gz"), &ReadOptions::default()).unwrap();
    for (label, value) in labels.labels.iter().zip(&probability.voxels) {
        // One half is the border of two classes.
        assert!((value - 0.5).abs() < 1e-3 || (*label == 1) == (*value > 0.5), "{label} at {value}");
    }
}

/// Fault 18: whoever a table says the cases are of, nobody is on two sides.
#[test]
fn a_subject_is_in_one_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 12, 1);
    let mut table = String::from("id,subject,image,label\n");
    for case in 0..12 {
        let file = format!("case_{case:02}.nii.gz");
        let subject = case % 4;
        writeln!(table, "{case},s{subject},boxes/images/{file},boxes/labels/{file}").unwrap();
    }
    fs::write(path.join("cases.csv"), table).unwrap();
    let words = ["prepare", "--data", "cases.csv", "--names", "box", "--run-dir", "prepared", "--seed", "3"];
    galen_imaging_in(path, &words).ends_with(0);
    let mut parts = std::collections::BTreeMap::<String, String>::new();
    let rows = lines(&path.join("prepared/splits/model-0.tsv"));
    assert_eq!(rows.len(), 13);
    for row in rows.iter().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let before = parts.insert(fields[1].to_owned(), fields[2].to_owned());
        assert!(before.is_none_or(|part| part == fields[2]), "{} is in two parts", fields[1]);
    }
    assert_eq!(parts.len(), 4);
}

/// One broken file does not keep the others from being segmented.
#[test]
fn a_broken_file_has_a_row_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_set(path, 2, 1);
    let broken = path.join("boxes/images/case_01.nii.gz");
    let bytes = fs::read(&broken).unwrap();
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let model = demo_run().to_string_lossy().into_owned();
    let one = ["predict", "--model", &model, "--input", "boxes/images", "--out", "found"];
    galen_imaging_in(path, &one).ends_with(0).says("case_01");
    let rows = lines(&path.join("found/volumes.csv"));
    assert!(
        rows[1].starts_with("case_00,ok,") && rows[2].starts_with("case_01,") && !rows[2].contains(",ok,"),
        "{rows:?}"
    );
    fs::remove_file(path.join("boxes/images/case_00.nii.gz")).unwrap();
    galen_imaging_in(path, &one).ends_with(1).says("none of 1 case could be segmented");
}

/// Whether dciodvfy (of dicom3tools) finds no error in a file; where there is no dciodvfy, it is passed over.
pub(crate) fn passes_dciodvfy(path: &Path) {
    let Ok(output) = Command::new("dciodvfy").arg(path).output() else {
        eprintln!("ignored: needs dciodvfy");
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Error"), "{}: {text}", path.display());
}

/// Real MR studies from DICOM to DICOM SEG, with a model of other things: every series has its row.
#[test]
fn real_series_become_dicom_segmentations() {
    let Some(studies) = real("hippo_dicom_studies_trim") else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = demo_run().to_string_lossy().into_owned();
    let input = studies.to_string_lossy().into_owned();
    let arguments = ["predict", "--model", &model, "--input", &input, "--out", "found"];
    galen_imaging_in(folder.path(), &arguments).ends_with(0);
    let rows = lines(&folder.path().join("found/volumes.csv"));
    let good = rows.iter().filter(|row| row.contains(",ok,")).count();
    let files = fs::read_dir(folder.path().join("found")).unwrap().flatten();
    let written = files.filter(|file| file.file_name().to_string_lossy().ends_with(".seg.dcm")).count();
    assert!(good >= 3 && written == good, "{good} series, {written} files: {rows:?}");
    for entry in fs::read_dir(folder.path().join("found")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "dcm") {
            passes_dciodvfy(&entry.path());
        }
    }
}
