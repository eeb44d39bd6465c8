//! What goes wrong is told once, with the place and the remedy, and the exit status says whose fault it is: 1 for the data
//! or the run, 2 for the command line or the configuration.

use crate::command::{demo_run, folder_with, galen_drug, galen_drug_in};

#[test]
fn usage_and_configuration_end_with_2() {
    for (arguments, text) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["predict"], "--model"),
        (vec!["train", "--set", "epochs"], "key=value"),
        (vec!["train", "--set", "epochs=0"], "epochs"),
        (vec!["train", "--set", "test_fraction=1.5"], "test_fraction"),
        (vec!["train", "--protocol", "paper", "--split", "cold-drug"], "upstream"),
        (vec!["train", "--config", "absent.toml"], "absent.toml"),
        (vec!["-q", "-v", "systems"], "--quiet"),
    ] {
        galen_drug(&arguments).ends_with(2).says(text);
    }
}

#[test]
fn data_that_is_not_there_ends_with_1_and_is_named() {
    for (arguments, text) in [
        (vec!["train", "--data", "absent.csv", "--run-dir", "run"], "absent.csv"),
        (vec!["audit", "--data", "absent.csv"], "absent.csv"),
        (vec!["predict", "--model", "absent", "--smiles", "a.smi", "--fasta", "a.fa"], "absent"),
    ] {
        let finished = galen_drug(&arguments).ends_with(1).says(text);
        assert!(finished.stdout.is_empty(), "results only on stdout: {}", finished.stdout);
        assert!(finished.stderr.starts_with("error: "), "{}", finished.stderr);
    }
}

#[test]
fn a_missing_list_of_compounds_is_named() {
    let folder = folder_with(&[("targets.fa", ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments =
        ["predict", "--model", &model, "--smiles", "absent.smi", "--fasta", "targets.fa", "--out", "out.csv"];
    galen_drug_in(folder.path(), &arguments).ends_with(1).says("absent.smi");
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    let folder = folder_with(&[("list.smi", "CCO\n"), ("targets.fa", ">one\nMKTAYIAK\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    let predict = |device: &str| {
        let arguments =
            ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--device", device];
        galen_drug_in(folder.path(), &arguments)
    };
    let unknown = predict("tpu");
    assert_ne!(unknown.code, Some(0));
    unknown.says("use cpu, ndarray, cuda:N or gpu:N");
    if cfg!(not(feature = "cuda")) {
        let absent = predict("cuda:0");
        assert_ne!(absent.code, Some(0));
        absent.says("--features cuda");
    }
}

#[test]
fn a_table_without_its_columns_names_them() {
    let folder = folder_with(&[("pairs.csv", "a,b\n1,2\n")]);
    galen_drug_in(folder.path(), &["audit", "--data", "pairs.csv"]).ends_with(1).says("pairs.csv");
}

#[test]
fn the_configuration_can_be_looked_at() {
    let finished = galen_drug(&["train", "--epochs", "7", "--seed", "3", "--print-config"]).ends_with(0);
    for line in ["epochs = 7", "seed = 3", "batch_size = 256"] {
        assert!(finished.stdout.contains(line), "{line} is missing in:\n{}", finished.stdout);
    }
}

#[test]
fn systems_are_listed_with_citation_and_size() {
    let stdout = galen_drug(&["systems"]).ends_with(0).stdout.to_lowercase().replace(',', "");
    // The parameter count is that of the authors' network at kernel widths 8 and 12.
    for text in ["deepdta", "bioinformatics 34", "2030337", "cpu"] {
        assert!(stdout.contains(text), "{text} is missing in:\n{stdout}");
    }
}

#[test]
fn explain_draws_the_molecule() {
    let folder = folder_with(&[("targets.fa", ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDHRDLKPENWLP\n")]);
    let (model, run) = (demo_run().to_string_lossy().into_owned(), folder.path().join("explained"));
    let arguments =
        ["explain", "--model", &model, "--smiles", "Nc1ccc(cc1)S(=O)(=O)N", "--fasta", "targets.fa", "--run-dir"];
    let arguments: Vec<String> =
        arguments.iter().map(|&a| a.to_owned()).chain([run.to_string_lossy().into_owned()]).collect();
    galen_drug_in(folder.path(), &arguments).ends_with(0);
    let mut drawings = Vec::new();
    let mut folders = vec![run];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "svg") {
                drawings.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(drawings.iter().any(|svg| svg.contains("<svg") && svg.contains("</svg>")), "{} drawings", drawings.len());
}
