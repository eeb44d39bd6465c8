//! `explain` turns what the filters of the first layer answer to into motifs, and names them.

use crate::command::{folder_with, galen_genomics_in};
use crate::data::{MOTIF, fasta, quick, table};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// A database of the motif that tells the classes apart, and of others that have nothing of it.
fn database() -> String {
    let others = ["CACGTGTTAC", "GATTACATTA", "CCCTTTGGAA", "ACCATATGCC", "GGGCGGAATT", "TTTAAACCCG"];
    let mut text = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n".to_owned();
    for (place, bases) in [MOTIF].into_iter().chain(others).enumerate() {
        let name = if place == 0 { "PLANTED".to_owned() } else { format!("decoy{place}") };
        writeln!(text, "\nMOTIF {name}\nletter-probability matrix: alength= 4 w= {} nsites= 20 E= 0", bases.len())
            .unwrap();
        for base in bases.chars() {
            let row = ['A', 'C', 'G', 'T'].map(|letter| if letter == base { "0.97" } else { "0.01" });
            writeln!(text, "{}", row.join(" ")).unwrap();
        }
    }
    text
}

#[test]
fn filters_and_stretches_are_named_by_a_database() {
    let folder = folder_with(&[("a.csv", &table(240, 1)), ("a.fa", &fasta(60, true, 7)), ("m.meme", &database())]);
    let path = folder.path();
    let words =
        ["train", "--data", "a.csv", "--split", "random", "--models", "1", "--epochs", "15", "--run-dir", "run"];
    galen_genomics_in(path, &quick(&words)).ends_with(0);
    let words =
        ["explain", "--model", "run", "--fasta", "a.fa", "--method", "deeplift", "--motifs", "m.meme", "--json"];
    let told = galen_genomics_in(path, &[&words[..], &["--run-dir", "out"]].concat()).ends_with(0);
    let tables: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tables.len(), 3, "{}", told.stdout);
    // The motifs of the stretches, and those of the filters; what says most is the motif that was planted.
    for table in &tables[1..] {
        let first = &table[0];
        assert_eq!(first["best match"].as_str(), Some("PLANTED"), "{table}");
        let q_value = &first["q-value"];
        let q_value = q_value.as_f64().or_else(|| q_value.as_str()?.parse().ok());
        assert!(q_value.is_some_and(|q_value| q_value < 0.05), "{table}");
    }
    let meme = fs::read_to_string(path.join("out/filters.meme")).unwrap();
    assert!(meme.matches("MOTIF filter").count() >= tables[2].as_array().unwrap().len(), "{meme}");
    assert!(path.join("out/motifs.meme").exists() && path.join("out/figures/filter-0.svg").exists());
    let report = fs::read_to_string(path.join("out/report.html")).unwrap();
    assert!(report.contains("Filters of the first layer that say most"));
}
