//! Faults that a pipeline must survive: damaged models and checkpoints, wrong clocks, processes that are killed or quit,
//! full disks, tables that no hospital should have made, settings that cannot be.

use crate::command::{PROGRAM, demo_run, folder_with, galen_ehr_in, galen_ehr_with};
use crate::data::{quick, set};
use std::fs;
use std::path::Path;
use tests::faults::{Training, damaged_models_are_refused, told};
use tests::run::nothing_is_left;

fn train(run: &str, epochs: &str) -> Vec<String> {
    let base = ["train", "--data", "set", "--task", "task.toml", "--run-dir", run, "--epochs", epochs, "--models", "1"];
    quick(&[&base[..], &["--set", "patience=100000"]].concat())
}

/// Training on the set in a folder.
fn training(folder: &Path) -> Training<'_> {
    Training { program: &PROGRAM, folder, noun: "seed", words: &train, long: "60" }
}

/// The records that the demo makes for `predict`.
fn records() -> String {
    demo_run().join("demo/records").to_string_lossy().into_owned()
}

// ---------------------------------------------------------------- models and checkpoints

/// Faults 14 and 15.
#[test]
fn a_damaged_model_is_refused() {
    let folder = folder_with(&[]);
    let (path, records) = (folder.path(), records());
    let whole = fs::read(demo_run().join("model/seed-0.safetensors")).unwrap();
    damaged_models_are_refused(&whole, "m.safetensors", |bytes| {
        fs::write(path.join("m.safetensors"), bytes).unwrap();
        galen_ehr_in(path, &["predict", "--model", "m.safetensors", "--data", &records, "--out", "-"])
    });
}

/// Fault 14.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    training(set(60).path()).passes_over_damaged_checkpoints();
}

/// Fault 19.
#[test]
fn clocks_decide_nothing() {
    training(set(60).path()).heeds_no_clock();
}

/// Fault 16.
#[test]
fn a_killed_run_ends_in_the_same_bytes() {
    training(set(90).path()).survives_being_killed();
}

/// Fault 19.
#[cfg(unix)]
#[test]
fn a_run_that_was_quit_ends_in_the_same_bytes() {
    training(set(90).path()).survives_being_quit();
}

// ---------------------------------------------------------------- places

/// Fault 16: on a disk that is too small the message names the file, and no half of one has its name.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_file() {
    let run = |folder: &Path, kilobytes, words: &[String]| {
        tests::faults::on_a_small_disk(env!("CARGO_BIN_EXE_galen-ehr"), folder, kilobytes, words)
    };
    let folder = set(60);
    let path = folder.path();
    let (model, records) = (demo_run().to_string_lossy().into_owned(), records());
    let predict = ["predict", "--model", &model, "--data", &records, "--out", "small/o.csv"];
    let Some(finished) = run(path, 4, &predict.map(str::to_owned)) else { return };
    let finished = told(finished, 1, "no space left to write small/o.csv").says("bytes");
    assert_eq!(finished.stdout, "", "files are left");

    let prepare = ["prepare", "--data", "set", "--out", "small/made"].map(str::to_owned);
    let Some(finished) = run(path, 4, &prepare) else { return };
    told(finished, 1, "no space left to write small/made").says("bytes");

    // What was converted so far waits for a next time in a folder of its own; there is no data set yet. An event without
    // a text takes 24 bytes there.
    let rows: Vec<String> = (0..4000).map(|row| format!("P-{row},K,4.1,2130-04-01\n")).collect();
    fs::write(path.join("labs.csv"), format!("patient,test,result,resulted\n{}", rows.concat())).unwrap();
    fs::write(path.join("m.toml"), MAPPING).unwrap();
    let prepare = ["prepare", "--data", ".", "--mapping", "m.toml", "--out", "small/made"].map(str::to_owned);
    let Some(finished) = run(path, 64, &prepare) else { return };
    let finished = told(finished, 1, "no space left to write small/made").says("it needs at least 96000 bytes");
    assert!(!finished.stdout.contains(".tmp") && !finished.stdout.contains("dataset.json"), "{}", finished.stdout);

    let Some(finished) = run(path, 64, &train("small/run", "1")) else { return };
    let finished = told(finished, 1, "no space left to write small/run").says("bytes");
    assert!(!finished.stdout.contains(".tmp") && !finished.stdout.contains("metrics.json\n"), "{}", finished.stdout);
}

/// Fault 16: where nothing can be made, whoever runs the program.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_nothing_is_told() {
    let folder = set(30);
    let path = folder.path();
    let (model, records) = (demo_run().to_string_lossy().into_owned(), records());
    let predict = ["predict", "--model", &model, "--data", &records, "--out", "/proc/galen.csv"];
    told(galen_ehr_in(path, &predict), 1, "/proc/galen.csv");
    told(galen_ehr_in(path, &train("/proc/galen/run", "1")), 1, "/proc/galen/run");
    told(galen_ehr_in(path, &["prepare", "--data", "set", "--out", "/proc/galen/made"]), 1, "/proc/galen/made");
    nothing_is_left(path);
}

// ---------------------------------------------------------------- tables and settings

const MAPPING: &str = "name = 'clinic'\n[[table]]\nfile = 'labs.csv'\nsubject = 'patient'\n[[table.event]]\n\
                       code = 'LAB//{test}'\ntime = 'resulted'\nvalue = 'result'\n";

/// Fault 12: every row is counted, and each that is dropped or changed has its reason, with the first one's line.
#[test]
fn strange_tables_are_told_row_by_row() {
    let rows = [
        "patient,test,result,resulted",
        "P-1,K,4.1,2130-04-01 12:00",
        "P-1,K,4.1,2130-04-01 12:00",
        "P-1,K,NaN,2130-04-02",
        "P-1,K,5,9999-12-31",
        "P-1,K,5,2130-02-30",
        "P-1,K,5",
        // An hour that no clock shows where the summer time begins in it; there are no zones here.
        "P-2,K,inf,2130-03-26 02:30",
        ",K,5,2130-01-01",
        "P-3,K,\"5,5\",2130-01-01",
        "",
    ];
    let table = format!("\u{feff}{}", rows.join("\r\n"));
    let folder = folder_with(&[("labs.csv", &table), ("m.toml", MAPPING)]);
    let path = folder.path();
    let prepare = |out: &str| {
        let words = ["prepare", "--data", ".", "--mapping", "m.toml", "--out", out];
        galen_ehr_in(path, &words)
    };
    let finished = told(prepare("made"), 0, "");
    for line in [
        "9 rows read, 5 kept, 4 dropped",
        "1 dropped: it has 3 fields where the heading has 4",
        "row 7",
        "1 dropped: patient is missing",
        "1 dropped: resulted is a date that stands for none",
        "1 dropped: resulted is no date",
        "3 changed: no value where result is no number",
        "5 events of 3 subjects",
    ] {
        assert!(finished.stdout.contains(line), "{line} is missing in:\n{}", finished.stdout);
    }

    let utf16: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(path.join("labs.csv"), utf16).unwrap();
    told(prepare("other"), 1, "labs.csv: the text is UTF-16; save it as UTF-8");
    let endless = format!("{}\nP-1,K,\"{}", rows[0], "x".repeat(1 << 20));
    fs::write(path.join("labs.csv"), endless).unwrap();
    let finished = prepare("endless");
    assert!(!finished.stderr.contains("panicked") && matches!(finished.code, Some(0 | 1)), "{}", finished.stderr);
    fs::write(path.join("labs.csv"), "").unwrap();
    told(prepare("empty"), 1, "labs.csv").says("there is no heading");
}

/// Fault 20: settings that cannot be are refused, and the language of the machine changes no number.
#[test]
fn settings_that_cannot_be_are_refused_and_the_language_changes_nothing() {
    let folder = set(60);
    let path = folder.path();
    for (setting, text) in [
        ("learning_rate=nan", "learning_rate"),
        ("learning_rate=0,001", "--set learning_rate=0,001: learning_rate: invalid type"),
        ("seed=99999999999999999999", "expected"),
        ("batch_size=0", "batch_size"),
        ("network.hidden=0", "hidden"),
        ("epoch=5", "did you mean \"epochs\"?"),
    ] {
        let words = [train("run", "1"), vec!["--set".to_owned(), setting.to_owned()]].concat();
        told(galen_ehr_in(path, &words), 2, text);
        assert!(!path.join("run").exists(), "{setting} made a folder");
    }
    let audit = |language: &str| {
        let variables = ["LC_ALL", "LC_NUMERIC", "LANG", "TZ"].map(|name| (name, language));
        galen_ehr_with(path, &["audit", "--data", "set", "--task", "task.toml"], &variables).ends_with(0).stdout
    };
    assert_eq!(audit("de_DE.UTF-8"), audit("C"));
}
