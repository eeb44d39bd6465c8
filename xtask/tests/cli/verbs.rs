//! The other verbs: on the repository's own files, and on a small workspace with a pipeline that is a shell script.

use std::{fs, path::Path};

use crate::{fails_with, stderr, stdout, succeeds, xtask};
#[cfg(unix)]
use crate::{
    program, sha256,
    toy::{EXPERIMENT, PIPELINE, Toy},
    write,
};

/// The workspace that these tests are part of.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_repository_s_manifest_experiments_and_systems_are_well_formed() {
    let nowhere = tempfile::tempdir().unwrap();
    let list = xtask(repository()).arg("--data-root").arg(nowhere.path()).args(["data", "list"]).output().unwrap();
    succeeds(&list);
    for name in ["davis", "kiba", "smiles_oracle", "zinc250k_part", "chembl_small", "moleculenet"] {
        assert!(
            stdout(&list).lines().any(|line| line.starts_with(name) && line.contains("absent")),
            "{}",
            stdout(&list)
        );
    }
    let experiments = xtask(repository()).arg("reproduce").output().unwrap();
    succeeds(&experiments);
    let expected = [
        "deepdta-davis",
        "deepdta-davis-clean",
        "deepdta-davis-cold",
        "deepdta-kiba",
        "foundations",
        "capsule-data-efficiency",
    ];
    for name in expected {
        let known = stdout(&experiments).lines().any(|line| line.split_whitespace().next() == Some(name));
        assert!(known, "{}", stdout(&experiments));
    }
    let systems = xtask(repository()).arg("systems").output().unwrap();
    succeeds(&systems);
    for [system, what] in
        [["DeepDTA", "done"], ["Capsule network", "8,215,568"], ["Deep belief network", "models::dbn"]]
    {
        let listed = stdout(&systems).lines().any(|line| line.contains(system) && line.contains(what));
        assert!(listed, "{}", stdout(&systems));
    }
}

#[test]
fn an_experiment_without_its_data_says_how_to_get_it() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = xtask(repository())
        .arg("--data-root")
        .arg(nowhere.path())
        .args(["reproduce", "deepdta-davis"])
        .output()
        .unwrap();
    fails_with(&output, "cargo xtask data get davis");
    let output =
        xtask(repository()).arg("--data-root").arg(nowhere.path()).args(["reproduce", "rbp"]).output().unwrap();
    fails_with(&output, "put it in place by hand");
    assert!(!stderr(&output).contains("data get"), "{}", stderr(&output));
    let output = xtask(repository()).args(["reproduce", "deepdta-daviz"]).output().unwrap();
    fails_with(&output, "known: ");
    fails_with(&output, "deepdta-davis, ");
}

#[test]
fn an_unknown_verb_is_a_usage_error() {
    let output = xtask(repository()).arg("reprodoce").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_run_is_recorded_and_the_readme_follows() {
    let toy = Toy::new();
    fails_with(&toy.run(&["report", "--check"]), "is not what data/results.jsonl says");
    succeeds(&toy.run(&["reproduce", "test", "--note", "one | two", "--", "--epochs", "3"]));
    let lines = toy.results();
    assert_eq!(lines.len(), 1);
    for expected in [
        r#""experiment":"test""#,
        r#""first.mse":{"mean":0.305"#,
        r#""neighbours":{"first.mse":0.4,"second.mse":0.4}"#,
        r#""arguments":["--epochs","3"]"#,
        r#""seeds":[1,2]"#,
        r#""models":2"#,
        r#""peak_mb":12.5"#,
        r#""passed":true"#,
        r#""built_from":["x"]"#,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ] {
        assert!(lines[0].contains(expected), "no {expected} in {}", lines[0]);
    }
    let arguments = toy.arguments();
    assert_eq!(arguments.iter().filter(|word| *word == "3").count(), 2);
    assert!(!arguments.contains(&"9".to_owned()), "{arguments:?}");

    succeeds(&toy.run(&["report"]));
    let readme = fs::read_to_string(toy.root.path().join("README.md")).unwrap();
    let row = readme.lines().find(|line| line.starts_with("| test | first.mse |")).unwrap();
    assert!(row.contains(r"| 0.300\* | 0.305 ± 0.010 [0.290, 0.320] | 0.400 (neighbours) | 2 | yes | cpu |"), "{row}");
    assert!(row.ends_with("| `x` |"), "{row}");
    assert!(readme.starts_with("# Toy\n") && readme.ends_with("<!-- results:end -->\nend\n"), "{readme}");
    succeeds(&toy.run(&["report", "--check"]));

    let json = toy.run(&["report", "--json", "test"]);
    succeeds(&json);
    assert_eq!(stdout(&json).trim_end(), lines[0]);
    fails_with(&toy.run(&["report", "--json", "other"]), "recorded: test");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_continued_names_the_commit_that_began_it() {
    let toy = Toy::new();
    let root = toy.root.path();
    write(root, "run/second/environment.json", r#"{"commit":"w"}"#);
    succeeds(&toy.run(&["reproduce", "test", "--run-dir", &root.join("run").display().to_string()]));
    assert!(toy.results()[0].contains(r#""built_from":["x","w"]"#), "{}", toy.results()[0]);
    succeeds(&toy.run(&["report"]));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("| `x`, `w` |"), "{readme}");
}

#[cfg(unix)]
#[test]
fn a_file_that_does_in_the_place_of_another_is_recorded() {
    let toy = Toy::new();
    let root = toy.root.path();
    let path = root.join("data/manifest.toml");
    let made =
        "[[dataset.file]]\npath = 'toy/made'\nbytes = 1\nsha256 = 'SHA'\nderived = 'd'\nreplaced_by = 'toy/raw'\n";
    let manifest = fs::read_to_string(&path).unwrap() + &made.replace("SHA", &sha256(b"a"));
    fs::write(path, manifest).unwrap();
    let output = toy.run(&["reproduce", "test"]);
    succeeds(&output);
    assert!(stderr(&output).contains("only if the pipeline reads them: toy/made"), "{}", stderr(&output));
    write(root, "data/raw/toy/raw", "b");
    let output = toy.run(&["reproduce", "test"]);
    succeeds(&output);
    assert!(!stderr(&output).contains("toy/made"), "{}", stderr(&output));
    let recorded = format!(r#""toy/raw":"{}""#, sha256(b"b"));
    assert!(toy.results()[1].contains(&recorded), "{}", toy.results()[1]);
}

#[cfg(unix)]
#[test]
fn an_example_may_run_an_experiment_without_a_data_set() {
    let toy = Toy::new();
    let (root, path) = (toy.root.path(), "data/experiments/toy/test.toml");
    program(root, "bin/probe", PIPELINE);
    fs::remove_file(root.join("bin/galen-toy")).unwrap();
    let example = "program = { package = \"core\", example = \"probe\" }\n";
    write(root, path, EXPERIMENT.replace("dataset = \"one\"\n", example));
    fails_with(&toy.run(&["reproduce", "test"]), "names no dataset");
    write(root, path, EXPERIMENT.replace("dataset = \"one\"\n", example).replace("{data}", "{root}/data/raw"));
    succeeds(&toy.run(&["reproduce", "test"]));
    assert!(toy.results()[0].contains(r#""data":{}"#), "{}", toy.results()[0]);
    let data = root.join("data/raw/toy").display().to_string();
    assert_eq!(toy.arguments().iter().filter(|word| **word == data).count(), 2, "{:?}", toy.arguments());
    fs::remove_file(root.join("bin/probe")).unwrap();
    fails_with(&toy.run(&["reproduce", "test"]), "probe is not there");
}

#[cfg(unix)]
#[test]
fn a_broken_bound_is_recorded_and_fails() {
    let toy = Toy::new();
    let stricter = EXPERIMENT.replace("max = 0.31", "max = 0.30").replace("below = \"mean\"", "below = \"oracle\"");
    write(toy.root.path(), "data/experiments/toy/test.toml", stricter);
    let output = toy.run(&["reproduce", "test"]);
    fails_with(&output, "first.mse is 0.3050, more than 0.3000 (the paper)");
    assert!(stderr(&output).contains("baseline \"oracle\", which was not measured"), "{}", stderr(&output));
    assert!(toy.results()[0].contains(r#""passed":false"#));
}

#[cfg(unix)]
#[test]
fn a_smoke_run_records_nothing() {
    let toy = Toy::new();
    succeeds(&toy.run(&["reproduce", "test", "--smoke"]));
    // The scratch folder of the last smoke run is not in the way of the next.
    succeeds(&toy.run(&["reproduce", "test", "--smoke"]));
    assert!(toy.results().is_empty());
    assert!(!toy.arguments().contains(&"9".to_owned()));
}

#[cfg(unix)]
#[test]
fn a_step_that_fails_fails_the_run_and_records_nothing() {
    let toy = Toy::new();
    let output = toy.run(&["reproduce", "test", "--", "--fail"]);
    fails_with(&output, "step \"first\"");
    assert!(stderr(&output).contains("asked to fail"), "{}", stderr(&output));
    assert!(toy.results().is_empty());
}

#[cfg(unix)]
#[test]
fn data_that_differs_from_the_manifest_is_refused() {
    let toy = Toy::new();
    write(toy.root.path(), "data/raw/toy/file", "abd");
    fails_with(&toy.run(&["reproduce", "test"]), "toy/file: sha256 ");
    assert!(toy.arguments().is_empty());
}

#[cfg(unix)]
#[test]
fn the_demo_prints_a_table_and_the_report() {
    let toy = Toy::new();
    let output = toy.run(&["demo"]);
    succeeds(&output);
    let text = stdout(&output);
    assert!(text.contains("0.305 ± 0.010") && text.contains("0.400 (neighbours)"), "{text}");
    let path = text.lines().find_map(|line| line.strip_prefix("toy: ")).unwrap();
    assert!(Path::new(path).is_file(), "{path}");
    fails_with(&toy.run(&["demo", "--", "--fail"]), "the demo failed for toy");
    fails_with(&toy.run(&["demo", "--domain", "other"]), "present: toy");
}
