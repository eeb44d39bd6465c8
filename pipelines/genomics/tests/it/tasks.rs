//! Systems that read more than a window are trained from files, judged beside simple predictors, continued and used.

use crate::command::{Finished, folder_with, galen_genomics_in};
use crate::data::{Draw, table};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Trains one model of a system in two epochs into `run`.
fn train(folder: &Path, run: &str, system: &str, words: &[&str], settings: &[&str]) -> Finished {
    let mut all = vec!["train", "--system", system, "--run-dir", run, "--models", "1", "--epochs", "2"];
    all.extend_from_slice(words);
    for setting in settings.iter().chain(&["recipe.batch_size=16", "recipe.learning_rate=0.005"]) {
        all.extend(["--set", *setting]);
    }
    galen_genomics_in(folder, &all)
}

/// Checks that a run is whole, and gives its metrics.
fn whole(run: &Path, baselines: &[&str], score: &str) -> Value {
    for file in [
        "config.toml",
        "data.json",
        "environment.json",
        "splits/model-0.tsv",
        "baselines.json",
        "model/seed-0.safetensors",
        "logs/seed-0/outcome.json",
        "predictions.parquet",
        "report.html",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    let metrics = json(&run.join("metrics.json"));
    let found: Vec<&str> = metrics["baselines"].as_object().unwrap().keys().map(String::as_str).collect();
    for name in baselines {
        assert!(found.iter().any(|found| found.contains(name)), "{name} is not among {found:?}");
    }
    assert!(metrics["metrics"][score]["mean"].is_number(), "{metrics}");
    assert!(json(&run.join("data.json"))["inputs"].as_array().is_some_and(|inputs| !inputs.is_empty()));
    metrics
}

/// The scores that `evaluate --json` gives, by name.
fn evaluate(folder: &Path, words: &[&str]) -> Vec<(String, f64)> {
    let all = [&["evaluate", "--model", "run", "--json"][..], words].concat();
    let told = galen_genomics_in(folder, &all).ends_with(0).stdout;
    let rows: Value = serde_json::from_str(&told).unwrap();
    let of = |row: &Value| (row["score"].as_str().unwrap().to_owned(), row["value"].as_f64().unwrap());
    rows.as_array().unwrap().iter().map(of).collect()
}

/// Rows of `predict`, their last column as a number.
fn predict(folder: &Path, words: &[&str]) -> Vec<f64> {
    let all = [&["predict", "--model", "run", "--out", "out.tsv"][..], words].concat();
    galen_genomics_in(folder, &all).ends_with(0);
    let text = fs::read_to_string(folder.join("out.tsv")).unwrap();
    let last = |line: &str| line.rsplit('\t').next().unwrap().parse::<f64>().unwrap();
    text.lines().skip(1).map(last).collect()
}

/// A genome of three contigs of 2,400 bases.
fn genome() -> String {
    let mut draw = Draw::new(5);
    (1..=3).fold(String::new(), |mut text, contig| {
        writeln!(text, ">chr{contig}\n{}", draw.bases(2400)).unwrap();
        text
    })
}

const SPEID: [&str; 7] = [
    "network.enhancer=60",
    "network.promoter=40",
    "network.filters=4",
    "network.kernel=5",
    "network.pool=4",
    "network.recurrent=2",
    "network.hidden=4",
];

const PAIRS: &str = "enhancer_chrom\tenhancer_start\tenhancer_end\tpromoter_chrom\tpromoter_start\tpromoter_end";

/// Sixty pairs that share no element.
fn pairs(label: bool) -> String {
    (0..60).fold(format!("{PAIRS}{}\n", if label { "\tlabel" } else { "" }), |mut text, pair| {
        let (contig, start) = (pair / 20 + 1, pair % 20 * 110);
        write!(text, "chr{contig}\t{start}\t{}\tchr{contig}\t{}\t{}", start + 60, start + 60, start + 100).unwrap();
        text.push_str(if label { ["\t0\n", "\t1\n"][pair % 2] } else { "\n" });
        text
    })
}

#[test]
fn pairs_are_learnt_continued_and_predicted() {
    let folder = folder_with(&[("genome.fa", &genome()), ("pairs.tsv", &pairs(true)), ("new.tsv", &pairs(false))]);
    let path = folder.path();
    let words = ["--data", "pairs.tsv", "--genome", "genome.fa"];
    let told = train(path, "run", "speid", &words, &SPEID).ends_with(0);
    assert!(told.stdout.contains("speid (1 model)"), "{}", told.stdout);
    let metrics = whole(&path.join("run"), &["majority class", "4-mer logistic regression"], "auroc");
    assert!(metrics["split"] == "group" && metrics["task"] == "binary", "{metrics}");
    let scores = evaluate(path, &words);
    assert!(scores.iter().any(|(name, value)| name == "auroc" && (0.0..=1.0).contains(value)), "{scores:?}");
    let found = predict(path, &["--data", "new.tsv", "--genome", "genome.fa"]);
    assert!(found.len() == 60 && found.iter().all(|p| (0.0..=1.0).contains(p)), "{found:?}");

    // a run goes on with more epochs, and ends as one that was never stopped
    let again = ["train", "--run-dir", "run", "--resume", "--epochs", "4"];
    galen_genomics_in(path, &again).ends_with(0).says("now for up to 4");
    let mut settings = SPEID.to_vec();
    settings.push("recipe.epochs=4");
    let mut all = vec!["train", "--system", "speid", "--run-dir", "other", "--models", "1"];
    all.extend(words);
    for setting in settings.iter().chain(&["recipe.batch_size=16", "recipe.learning_rate=0.005"]) {
        all.extend(["--set", *setting]);
    }
    galen_genomics_in(path, &all).ends_with(0);
    let [one, other] = ["run", "other"].map(|run| fs::read(path.join(run).join("model/seed-0.safetensors")).unwrap());
    assert!(one == other, "the models differ");
    galen_genomics_in(path, &["train", "--run-dir", "run", "--resume", "--seed", "9"]).ends_with(1).says("seed was 1");
}

#[test]
fn what_cannot_be_read_is_named_by_file_and_line() {
    let genome = genome();
    let folder = folder_with(&[("genome.fa", genome.as_str()), ("set.csv", &table(20, 1))]);
    let path = folder.path();
    for (row, expected) in [
        ("chr1\t0\t60\tchr1\t60\t100\t2", "pairs.tsv, line 2: label \"2\"; 0 or 1 is due"),
        ("chr1\t0\t60\tchr1\t60\t100", "pairs.tsv, line 2: 6 columns where the heading has 7"),
        ("chr1\t0\t60\tchr1\t2390\t2401\t1", "line 2: chr1:2391-2401(+) leaves its contig, which has bases 1 to 2400"),
        ("chrX\t0\t60\tchr1\t60\t100\t1", "line 2: the genome has no contig chrX"),
    ] {
        fs::write(path.join("pairs.tsv"), format!("{PAIRS}\tlabel\n{row}\n")).unwrap();
        train(path, "run", "speid", &["--data", "pairs.tsv", "--genome", "genome.fa"], &SPEID)
            .ends_with(1)
            .says(expected);
    }
    fs::write(path.join("pairs.tsv"), pairs(true)).unwrap();
    for (system, words, expected) in [
        ("speid", &["--data", "pairs.tsv"][..], "speid needs --genome FASTA"),
        ("speid", &["--data", "pairs.tsv", "--format", "marks"], "speid reads pairs, not marks"),
        (
            "speid",
            &["--data", "pairs.tsv", "--genome", "genome.fa", "--graph", "set.csv"],
            "--graph says nothing to speid",
        ),
        ("d-gex", &["--data", "set.csv"], "name these with --landmarks FILE"),
        ("gedfn", &["--data", "set.csv"], "say which with --graph FILE"),
        ("deepbind", &["--data", "pairs.tsv", "--format", "pairs"], "name it with --system"),
        ("xpresso", &["--genome", "genome.fa"], "no data is named"),
    ] {
        let all = [&["train", "--system", system, "--run-dir", "run"][..], words].concat();
        galen_genomics_in(path, &all).ends_with(2).says(expected);
    }
}

#[test]
fn gene2vec_reads_the_sets_of_the_other_networks() {
    let folder =
        folder_with(&[("a.csv", &table(80, 3)), ("b.csv", &table(20, 4)), ("new.fa", ">x\nACGTACGT\n>y\nTTTT\n")]);
    let settings = [
        "network.filters=[4,4]",
        "network.kernels=[5,3]",
        "network.hidden=4",
        "network.embedding=3",
        "network.skip_gram.dimension=4",
        "network.skip_gram.epochs=1",
    ];
    let words = ["--data", "a.csv", "--split", "random", "--single-strand"];
    train(folder.path(), "run", "gene2vec", &words, &settings).ends_with(0);
    whole(&folder.path().join("run"), &["majority class", "GC content", "4-mer logistic regression"], "auroc");
    assert!(!evaluate(folder.path(), &["--data", "b.csv"]).is_empty());
    assert_eq!(predict(folder.path(), &["--fasta", "new.fa"]).len(), 2);
    let data = ["predict", "--model", "run", "--data", "b.csv"];
    galen_genomics_in(folder.path(), &data).ends_with(2).says("gene2vec reads windows; give --fasta FILE");
}

#[test]
fn methylation_of_cells_is_learnt_and_filled_in() {
    let mut draw = Draw::new(9);
    let mut state =
        || ["0", "1", ".", "0.5"][draw.bases(1).bytes().map(|base| usize::from(base) / 2 % 4).sum::<usize>()];
    let sites = (0..90).fold("contig\tposition\ta\tb\n".to_owned(), |mut text, site| {
        writeln!(text, "chr{}\t{}\t{}\t{}", site / 30 + 1, site % 30 * 70 + 100, state(), state()).unwrap();
        text
    });
    let folder = folder_with(&[("genome.fa", &genome()), ("sites.tsv", &sites)]);
    let settings = [
        "network.window=31",
        "network.filters=[4,4]",
        "network.kernels=[5,3]",
        "network.hidden=4",
        "network.neighbours=3",
        "network.per_cell=4",
        "network.recurrent=2",
        "network.joint=[4]",
    ];
    let words = ["--data", "sites.tsv", "--genome", "genome.fa"];
    train(folder.path(), "run", "deepcpg", &words, &settings).ends_with(0);
    let metrics = whole(&folder.path().join("run"), &["majority class", "neighbours by distance"], "auroc");
    assert!(metrics["split"] == "chromosome" && metrics["metrics"]["a.auroc"]["mean"].is_number(), "{metrics}");
    assert!(evaluate(folder.path(), &words).iter().any(|(name, _)| name == "b.auroc"));
    // every site gets a value in every cell, called or not; a line in which no cell has a call is no site
    let called = sites.lines().skip(1).filter(|line| !line.ends_with("\t.\t.")).count();
    assert_eq!(predict(folder.path(), &words).len(), called);
}

#[test]
fn genes_are_learnt_with_their_features() {
    let mut draw = Draw::new(4);
    let mut number = || draw.bases(8).bytes().filter(|base| *base == b'A').count();
    let genes = (0..60).fold("gene\tchrom\ttss\tstrand\tUTR5LEN\tGC\texpression\n".to_owned(), |mut text, gene| {
        let (length, gc) = (number(), number());
        let strand = ["+", "-"][gene % 2];
        let (contig, start) = (gene / 20 + 1, gene % 20 * 100 + 100);
        writeln!(text, "g{gene}\tchr{contig}\t{start}\t{strand}\t{length}\t0.{gc}\t{}", 3 * length + 1).unwrap();
        text
    });
    let unknown = genes.lines().fold(String::new(), |text, line| text + line.rsplit_once('\t').unwrap().0 + "\n");
    let folder = folder_with(&[("genome.fa", &genome()), ("genes.tsv", &genes), ("new.tsv", &unknown)]);
    let settings = [
        "network.length=60",
        "network.upstream=40",
        "network.filters=[4,4]",
        "network.kernels=[5,3]",
        "network.pools=[10,2]",
        "network.hidden=[8,4]",
    ];
    let words = ["--data", "genes.tsv", "--genome", "genome.fa"];
    train(folder.path(), "run", "xpresso", &words, &settings).ends_with(0);
    let metrics = whole(&folder.path().join("run"), &["mean", "ridge regression on the features"], "mse");
    // log10 of the level is nearly a line in log10 of the length
    let ridge = metrics["baselines"]["ridge regression on the features"]["pearson"].as_f64().unwrap();
    assert!(ridge > 0.8, "{metrics}");
    assert!(evaluate(folder.path(), &words).iter().any(|(name, _)| name == "mse"));
    let found = predict(folder.path(), &["--data", "new.tsv", "--genome", "genome.fa"]);
    assert!(found.len() == 60 && found.iter().all(|level| level.is_finite()), "{found:?}");
    // features are found by their names, wherever they stand, and none may be missing
    let without = genes.replace("\tGC\t", "\tother\t");
    fs::write(folder.path().join("without.tsv"), without).unwrap();
    let data = ["predict", "--model", "run", "--data", "without.tsv", "--genome", "genome.fa"];
    galen_genomics_in(folder.path(), &data).ends_with(1).says("has no feature GC, which is read");
}

/// Sixty samples of twelve genes, and the classes of their patients.
fn samples() -> (String, String) {
    let mut draw = Draw::new(8);
    let mut table = (0..12).fold("sample".to_owned(), |text, gene| format!("{text},g{gene}")) + "\n";
    let mut labels = "sample\tlabel\tpatient\n".to_owned();
    for sample in 0..60 {
        let high = sample % 2 == 0;
        write!(table, "s{sample}").unwrap();
        for gene in 0..12 {
            let noise = draw.bases(4).bytes().filter(|base| *base == b'A').count();
            write!(table, ",{}", noise + if high && gene < 4 { 6 } else { 0 }).unwrap();
        }
        table.push('\n');
        writeln!(labels, "s{sample}\t{}\tp{}", if high { "tumour" } else { "normal" }, sample / 4).unwrap();
    }
    (table, labels)
}

#[test]
fn samples_are_classified_and_genes_inferred() {
    let (table, labels) = samples();
    let folder = folder_with(&[
        ("expression.csv", table.as_str()),
        ("labels.tsv", &labels),
        ("graph.tsv", "g0\tg1\ng1\tg2\ng8\tg9\n"),
        ("landmarks.txt", "g0\ng1\ng2\n"),
    ]);
    let path = folder.path();
    let words = ["--data", "expression.csv", "--labels", "labels.tsv"];
    let baselines = ["majority class", "nearest mean of a class", "logistic regression on 12 genes"];
    train(
        path,
        "run",
        "mostavi-1d",
        &[&words[..], &["--column", "group=patient"]].concat(),
        &["prepare.expression=true"],
    )
    .ends_with(0);
    let metrics = whole(&path.join("run"), &baselines, "accuracy");
    let near = metrics["baselines"]["nearest mean of a class"]["accuracy"].as_f64().unwrap();
    assert!(metrics["task"] == "classes" && near > 0.9, "{metrics}");
    assert!(evaluate(path, &words).iter().any(|(name, _)| name == "balanced_accuracy"));
    assert_eq!(predict(path, &["--data", "expression.csv"]).len(), 60);

    let gedfn = [&words[..], &["--graph", "graph.tsv"]].concat();
    train(path, "gedfn", "gedfn", &gedfn, &["network.hidden=[6,4]"]).ends_with(0);
    whole(&path.join("gedfn"), &baselines, "accuracy");
    let out = ["predict", "--model", "gedfn", "--data", "expression.csv", "--out", "classes.csv"];
    galen_genomics_in(path, &out).ends_with(0);
    let head = fs::read_to_string(path.join("classes.csv")).unwrap();
    assert!(head.lines().next().unwrap().ends_with("normal,tumour"), "{head}");

    let d_gex = ["--data", "expression.csv", "--landmarks", "landmarks.txt"];
    train(path, "d-gex", "d-gex", &d_gex, &["network.hidden=[8]"]).ends_with(0);
    let metrics = whole(&path.join("d-gex"), &["mean", "linear regression, gene by gene"], "mse");
    assert!(metrics["metrics"]["g3.pearson"]["mean"].is_number(), "{metrics}");
    let missing = table.replace("g1,", "h1,");
    fs::write(path.join("missing.csv"), missing).unwrap();
    let out = ["predict", "--model", "d-gex", "--data", "missing.csv"];
    galen_genomics_in(path, &out).ends_with(2).says("the samples have no gene g1, which is read");
}

#[test]
fn marks_are_learnt_from_their_text() {
    let mut draw = Draw::new(6);
    let mut marks = String::new();
    for gene in 0..60 {
        for bin in 1..=20 {
            let noise = draw.bases(3).bytes().filter(|base| *base == b'A').count();
            let count = noise + if gene % 2 == 0 && bin < 6 { 5 } else { 0 };
            writeln!(marks, "g{gene},{bin},{noise},{count},{}", (gene + 1) % 2).unwrap();
        }
    }
    let folder = folder_with(&[("marks.csv", &marks)]);
    let path = folder.path();
    for (system, settings) in [
        ("deepchrome", &["network.filters=4", "network.kernel=4", "network.pool=4", "network.hidden=[8]"][..]),
        ("attentive-chrome", &["network.bin_hidden=3", "network.mark_hidden=2"]),
    ] {
        train(path, system, system, &["--data", "marks.csv", "--format", "marks"], settings).ends_with(0);
        let metrics = whole(&path.join(system), &["majority class", "logistic regression on all bins"], "auroc");
        assert!(metrics["baselines"]["logistic regression on all bins"]["auroc"].as_f64().unwrap() > 0.9, "{metrics}");
    }
    let out = ["predict", "--model", "deepchrome", "--data", "marks.csv", "--out", "out.csv"];
    galen_genomics_in(path, &out).ends_with(0);
    assert_eq!(fs::read_to_string(path.join("out.csv")).unwrap().lines().count(), 61);
}
