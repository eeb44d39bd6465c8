//! What a run of several models says of each of them and of all together, and a run whose vocabulary is fitted.

use crate::command::{folder_with, galen_drug_in};
use crate::data::{quick, table};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::run::json;

/// `train` on `pairs.csv` into the folder `run`, two models of two epochs.
fn train(folder: &Path, more: &[&str]) -> crate::command::Finished {
    let words = ["train", "--data", "pairs.csv", "--run-dir", "run", "--epochs", "2", "--models", "2"];
    galen_drug_in(folder, &quick(&[&words[..], more].concat())).ends_with(0)
}

#[test]
fn the_mean_of_the_models_has_its_row_and_its_interval() {
    let folder = folder_with(&[("pairs.csv", &table())]);
    let told = train(folder.path(), &[]);
    for row in ["DeepDTA, each of 2", "DeepDTA, mean of 2"] {
        assert!(told.stdout.contains(row), "{row} is missing in:\n{}", told.stdout);
    }
    let metrics = json(&folder.path().join("run/metrics.json"));
    let of = |name: &str, what: &str| metrics["metrics"][name][what].as_f64();
    // A square is convex: the error of the mean prediction is at most the mean of the errors.
    let (each, mean) = (of("mse", "mean").unwrap(), of("ensemble.mse", "mean").unwrap());
    assert!(mean <= each, "{mean} and {each}");
    let (low, high) = (of("ensemble.mse", "low").unwrap(), of("ensemble.mse", "high").unwrap());
    assert!(low < high, "{low} and {high}");
    assert_eq!((of("mse", "low"), of("ensemble.mse", "sd")), (None, None));

    let html = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    for text in [
        "95 % intervals of the mean of 2 models",
        "Mean of 2 models: MSE ",
        "ran all 2 epochs; the weights of epoch ",
        "concordance index: of two pairs",
        "DeepDTA SMILES characters, 64 labels",
    ] {
        assert!(html.contains(text), "{text} is missing in the report");
    }
}

/// The metadata of a weights file: behind its length in 8 bytes stands a JSON object (format of safetensors).
fn metadata(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let header: Value = serde_json::from_slice(&rest[..u64::from_le_bytes(*length) as usize]).unwrap();
    header["__metadata__"].clone()
}

#[test]
fn a_fitted_vocabulary_goes_with_its_models() {
    let targets = ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDHRDLKPENWLP\n";
    let list = "CCO ethanol\nC1CC ring\n";
    let folder = folder_with(&[("pairs.csv", &table()), ("targets.fa", targets), ("list.smi", list)]);
    let path = folder.path();
    train(path, &["--set", "tokenizer=chemistry"]);
    let config = fs::read_to_string(path.join("run/config.toml")).unwrap();
    assert!(config.contains("tokenizer = \"chemistry\""), "{config}");
    for model in [0, 1] {
        let found = metadata(&path.join(format!("run/model/fold-{model}.safetensors"))).to_string();
        // JSON within JSON.
        assert!(found.contains(r#"\"kind\":\"chemistry\",\"tokens\":["#), "{found}");
    }
    let html = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(html.contains("chemistry-aware SMILES tokens, "), "the report does not name the tokens");

    let words = ["predict", "--model", "run", "--smiles", "list.smi", "--fasta", "targets.fa"];
    let told = galen_drug_in(path, &words).ends_with(0).stdout;
    let rows: Vec<&str> = told.lines().collect();
    assert!(rows.len() == 3 && rows[1].contains(",ok,") && rows[2].contains("invalid: "), "{told}");
    galen_drug_in(path, &["evaluate", "--model", "run", "--data", "pairs.csv"]).ends_with(0);
    let words = ["explain", "--model", "run", "--smiles", "Nc1ccc(cc1)S(=O)(=O)N", "--fasta", "targets.fa"];
    galen_drug_in(path, &[&words[..], &["--run-dir", "why"]].concat()).ends_with(0);
    let atoms = fs::read_to_string(path.join("why/atoms.tsv")).unwrap();
    // Six carbons, two nitrogens, two oxygens and the sulfur.
    let effects: Vec<f64> =
        atoms.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap().parse().unwrap()).collect();
    assert_eq!(effects.len(), 11);
    assert!(effects.iter().any(|&effect| effect != 0.0), "{effects:?}");

    let words = quick(&["train", "--data", "pairs.csv", "--run-dir", "no", "--set", "tokenizer=letters"]);
    galen_drug_in(path, &words).ends_with(2).says("tokenizer");
}
