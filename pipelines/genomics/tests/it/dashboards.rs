//! The views of the Deep Motif Dashboard: saliency, the output after each base, and the best sequence of a class.

use crate::command::{demo_run, folder_with, galen_genomics_in};
use crate::data::{Draw, LENGTH, MOTIF, table};
use std::fs;
use std::path::Path;

/// Trains one of `DeepMotif`'s networks on `a.csv`, as sequences that have a direction, into a folder of its name.
fn train(folder: &Path, system: &str) {
    let mut words = vec!["train", "--data", "a.csv", "--split", "random", "--models", "1", "--epochs", "8"];
    words.extend(["--single-strand", "--system", system, "--run-dir", system]);
    for setting in
        ["network.filters=12", "network.hidden=8", "network.dropout=0.1", "batch_size=16", "learning_rate=0.01"]
    {
        words.extend(["--set", setting]);
    }
    galen_genomics_in(folder, &words).ends_with(0);
}

/// The last column of a table that `predict` writes to stdout.
fn predicted(folder: &Path, model: &str, fasta: &str) -> Vec<f64> {
    let csv = galen_genomics_in(folder, &["predict", "--model", model, "--fasta", fasta]).ends_with(0).stdout;
    csv.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect()
}

/// The rows of a tab-separated file behind its head line.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

/// Four sequences as long as those of the table, and a shorter one.
fn sequences() -> String {
    let mut draw = Draw::new(8);
    let text = (0..4).fold(String::new(), |text, row| format!("{text}>s{row} a note\n{}\n", draw.with_motif(LENGTH)));
    format!("{text}>short\n{}\n", draw.with_motif(LENGTH - 13))
}

#[test]
fn a_network_with_a_memory_says_what_it_knows_after_each_base() {
    let folder = folder_with(&[("a.csv", &table(240, 1)), ("a.fa", &sequences())]);
    let path = folder.path();
    for system in ["deepmotif-rnn", "deepmotif-cnn-rnn"] {
        train(path, system);
        let out = format!("{system}-temporal");
        let words = ["explain", "--model", system, "--fasta", "a.fa", "--method", "temporal", "--shown", "5"];
        let words = [&words[..], &["--run-dir", out.as_str()]].concat();
        let told = galen_genomics_in(path, &words).ends_with(0);
        assert!(told.stdout.contains("s3") && told.stdout.contains("short"), "{}", told.stdout);
        let found = rows(&path.join(&out).join("temporal.tsv"));
        assert_eq!(found.len(), 4 * LENGTH + LENGTH - 13, "{system}");
        let predicted = predicted(path, system, "a.fa");
        let mut first = 0;
        for (row, &predicted) in predicted.iter().enumerate().take(4) {
            let bases = &found[first..first + LENGTH];
            first += LENGTH;
            assert!(bases.iter().all(|fields| fields[0] == format!("s{row}")), "{system}");
            let [whole, from_the_end] = [number(&bases[LENGTH - 1][3]), number(&bases[0][4])];
            // what is printed has six digits
            assert!((whole - from_the_end).abs() < 1e-5, "{system} {row}: {whole}, {from_the_end}");
            let probability = 1.0 / (1.0 + (-whole).exp());
            assert!((probability - predicted).abs() < 1e-4, "{system} {row}: {probability}, not {predicted}");
            let forward: Vec<f64> = bases.iter().map(|fields| number(&fields[3])).collect();
            assert!(forward.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-4), "{system}: nothing is read");
        }
        for drawn in 0..5 {
            assert!(path.join(&out).join(format!("figures/temporal-{drawn}.svg")).exists());
        }
        let report = fs::read_to_string(path.join(&out).join("report.html")).unwrap();
        assert!(report.matches("<svg").count() >= 5, "{system}");
    }
}

#[test]
fn a_network_without_a_memory_has_no_output_after_each_base() {
    let folder = folder_with(&[("a.fa", &format!(">s\n{}\n", Draw::new(1).bases(200)))]);
    let model = demo_run().to_string_lossy().into_owned();
    let words = ["explain", "--model", &model, "--fasta", "a.fa", "--method", "temporal", "--run-dir", "out"];
    galen_genomics_in(folder.path(), &words).ends_with(2).says("deepmotif-rnn").says("this deepbind has none");
    assert!(!folder.path().join("out").exists());
    for (more, text) in [
        (vec!["--method", "temporal"], "give --fasta FASTA"),
        (vec![], "the method mutagenesis explains sequences"),
        (vec!["--method", "optimum", "--fasta", "a.fa"], "leave out --fasta"),
        (vec!["--method", "temporal", "--fasta", "a.fa", "--motifs", "a.meme"], "leave out --motifs"),
        (vec!["--method", "optimum", "--set", "optimum.steps=0"], "steps"),
    ] {
        let words: Vec<&str> =
            ["explain", "--model", &model, "--run-dir", "out"].into_iter().chain(more.iter().copied()).collect();
        galen_genomics_in(folder.path(), &words).ends_with(2).says(text);
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn saliency_is_a_size_for_each_base() {
    let mut draw = Draw::new(3);
    let text = (0..3).fold(String::new(), |text, row| format!("{text}>s{row}\n{}N\n", draw.bases(150)));
    let folder = folder_with(&[("a.fa", &text)]);
    let path = folder.path();
    let model = demo_run().to_string_lossy().into_owned();
    let words = ["explain", "--model", &model, "--fasta", "a.fa", "--method", "saliency", "--run-dir", "out"];
    galen_genomics_in(path, &words).ends_with(0);
    let found = rows(&path.join("out/attributions.tsv"));
    assert_eq!(found.len(), 3 * 151);
    assert!(found.iter().all(|fields| number(&fields[3]) >= 0.0));
    assert!(found.iter().any(|fields| number(&fields[3]) > 0.0));
    assert!(found.iter().filter(|fields| fields[2] == "N").all(|fields| number(&fields[3]) == 0.0));
    let figure = fs::read_to_string(path.join("out/figures/sequence-0.svg")).unwrap();
    assert!(figure.contains("size of the gradient"));
    let report = fs::read_to_string(path.join("out/report.html")).unwrap();
    assert!(report.contains("saliency map"));
}

/// A twin in PyTorch finds the whole motif from 15 of 18 starts, with a probability of 0.9998 and more.
#[test]
fn the_best_sequence_has_the_motif_that_was_learnt() {
    let folder = folder_with(&[("a.csv", &table(240, 1))]);
    let path = folder.path();
    train(path, "deepmotif-cnn");
    let optimum = |out: &str, seed: &str| {
        let words = ["explain", "--model", "deepmotif-cnn", "--method", "optimum", "--run-dir", out, "--seed", seed];
        let settings = ["--set", "optimum.steps=150", "--set", "optimum.starts=4"];
        galen_genomics_in(path, &[&words[..], &settings[..]].concat()).ends_with(0);
        fs::read_to_string(path.join(out).join("optimum.tsv")).unwrap()
    };
    let found = optimum("best", "1");
    assert_eq!(found.lines().count(), 1 + 4 * LENGTH);
    let text = fs::read_to_string(path.join("best/optimum.fa")).unwrap();
    let best: Vec<&str> = text.lines().filter(|line| !line.starts_with('>')).collect();
    assert!(best.len() == 4 && best.iter().all(|bases| bases.len() == LENGTH), "{text}");
    assert!(best.iter().any(|bases| bases.contains(&MOTIF[1..9])), "{text}");
    for probability in predicted(path, "deepmotif-cnn", "best/optimum.fa") {
        assert!(probability > 0.95, "{probability}");
    }
    assert!(path.join("best/figures/optimum-3.svg").exists());

    let meme = fs::read_to_string(path.join("best/motifs.meme")).unwrap();
    assert!(meme.starts_with("MEME version 4") && meme.contains("MOTIF optimum0"), "{meme}");
    let columns: Vec<f64> = meme
        .lines()
        .skip_while(|line| !line.starts_with("letter-probability"))
        .filter(|line| line.starts_with(['0', '1']))
        .map(|line| line.split(' ').map(number).sum())
        .collect();
    // six printed digits that sum exactly
    assert!(columns.len() >= 5 && columns.iter().all(|sum| (sum - 1.0).abs() < 1e-9), "{meme}");

    assert_eq!(optimum("again", "1"), found, "the same seed");
    assert_ne!(optimum("other", "2"), found, "other starts");
}
