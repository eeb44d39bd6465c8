//! `ExPecto` from the command line: a body that was trained here, the linear step of two tissues, and effects of
//! variants on the nearest gene.

use crate::command::{Finished, folder_with, galen_genomics_in};
use crate::data::{Draw, table};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Three contigs of 2,400 bases.
fn contigs() -> Vec<String> {
    let mut draw = Draw::new(5);
    (0..3).map(|_| draw.bases(2400)).collect()
}

fn genome() -> String {
    let contigs = contigs();
    (0..3).fold(String::new(), |text, contig| format!("{text}>chr{}\n{}\n", contig + 1, contigs[contig]))
}

/// Sixty genes, twenty to a contig and 100 bases apart, with their levels in two tissues.
fn genes(levels: bool) -> String {
    let mut draw = Draw::new(4);
    let mut number = || draw.bases(8).bytes().filter(|base| *base == b'A').count();
    let head = format!("gene\tchrom\ttss\tstrand{}\n", if levels { "\tliver\tlung" } else { "" });
    (0..60).fold(head, |mut text, gene| {
        let (contig, start, strand) = (gene / 20 + 1, gene % 20 * 100 + 200, ["+", "-"][gene % 2]);
        write!(text, "g{gene}\tchr{contig}\t{start}\t{strand}").unwrap();
        let (liver, lung) = (number(), 2 * number() + 1);
        let end = if levels { format!("\t{liver}\t{lung}\n") } else { "\n".to_owned() };
        text.push_str(&end);
        text
    })
}

const SIZES: [&str; 4] = ["network.filters=[3,4,5,4,6,5]", "network.kernel=4", "network.pool=2", "network.hidden=7"];
const SPATIAL: [&str; 4] =
    ["network.spatial.step=20", "network.spatial.reach=60", "network.spatial.shift=20", "network.l2=0.01"];

fn train(folder: &Path, run: &str, system: &str, words: &[&str], settings: &[&str]) -> Finished {
    let mut all = vec!["train", "--system", system, "--run-dir", run, "--models", "1", "--epochs", "1"];
    all.extend_from_slice(words);
    all.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
    galen_genomics_in(folder, &all)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The rows of a table with tabs, and the place of a column.
fn rows(path: &Path) -> (Vec<Vec<String>>, impl Fn(&str) -> usize) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<String>>());
    let head = lines.next().unwrap();
    let rows = lines.collect();
    (rows, move |name: &str| {
        head.iter().position(|column| column == name).unwrap_or_else(|| panic!("{name}: {head:?}"))
    })
}

#[test]
fn expression_is_learnt_from_marks_and_variants_are_scored() {
    let contigs = contigs();
    let base = |position: usize| &contigs[0][position - 1..position];
    let other = |position: usize| if base(position) == "A" { "C" } else { "A" };
    let third = |position: usize| {
        let known = [base(position), other(position)];
        ["A", "C", "G", "T"].into_iter().find(|letter| !known.contains(letter)).unwrap()
    };
    let record = |position: usize, id: &str, reference: &str, alternate: &str| {
        format!("chr1\t{position}\t{id}\t{reference}\t{alternate}\t.\t.\t.\n")
    };
    let vcf = [
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n".to_owned(),
        record(210, "near", base(210), other(210)),
        record(285, "insertion", base(285), &[base(285), other(285), other(285)].concat()),
        record(2350, "far", base(2350), other(2350)),
        record(230, "wrong", other(230), third(230)),
    ];
    let folder = folder_with(&[
        ("set.csv", &table(60, 1)),
        ("genome.fa", &genome()),
        ("genes.tsv", &genes(true)),
        ("new.tsv", &genes(false)),
        ("v.vcf", &vcf.concat()),
    ]);
    let path = folder.path();
    train(path, "body", "beluga", &["--data", "set.csv", "--split", "random"], &SIZES).ends_with(0);
    let data = ["--data", "genes.tsv", "--genome", "genome.fa", "--body", "body", "--sums", "sums.safetensors"];
    let told = train(path, "run", "expecto", &data, &SPATIAL).ends_with(0);
    assert!(told.stdout.contains("expecto (1 model)"), "{}", told.stdout);
    assert!(told.stderr.contains("marks around 60 genes, in 6 windows of 60 bases each"), "{}", told.stderr);
    let metrics = json(&path.join("run/metrics.json"));
    assert!(metrics["split"] == "chromosome" && metrics["epochs"][0] == 0, "{metrics}");
    assert!(metrics["metrics"]["liver.pearson"]["mean"].is_number(), "{metrics}");
    assert!(
        metrics["baselines"]["4-mer ridge regression on the window around the start"]["mse"].is_number(),
        "{metrics}"
    );
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("the solution of linear equations"));
    // the weights of the body are among what the run has read, and its sizes are in the settings
    let config = fs::read_to_string(path.join("run/config.toml")).unwrap();
    let inputs = json(&path.join("run/data.json"))["inputs"].clone();
    let body = inputs.as_array().unwrap().iter().find(|input| input["name"] == "body seed-0.safetensors").unwrap();
    assert!(config.contains(body["sha256"].as_str().unwrap()) && config.contains("length = 60"), "{config}");

    // the sums are read back, and give the same
    let again = train(path, "again", "expecto", &data, &SPATIAL).ends_with(0).says("read from");
    assert!(!again.stderr.contains("in 6 windows"), "{}", again.stderr);
    assert_eq!(json(&path.join("again/metrics.json"))["metrics"], metrics["metrics"]);
    let resumed = ["train", "--run-dir", "run", "--resume"];
    galen_genomics_in(path, &resumed).ends_with(0).says("trained before");

    let predict = ["predict", "--model", "run", "--data", "new.tsv", "--genome", "genome.fa", "--out", "new.out.tsv"];
    galen_genomics_in(path, &predict).ends_with(0);
    let told = path.join("new.out.tsv");
    let (found, column) = rows(&told);
    let levels = |column: usize| found.iter().map(|row| row[column].parse::<f64>().unwrap()).collect::<Vec<f64>>();
    assert!(found.len() == 60 && levels(column("liver")).iter().chain(&levels(column("lung"))).all(|l| l.is_finite()));
    let evaluate = ["evaluate", "--model", "run", "--data", "genes.tsv", "--genome", "genome.fa", "--json"];
    assert!(galen_genomics_in(path, &evaluate).ends_with(0).stdout.contains("lung.pearson"));

    let variants = ["variants", "--model", "run", "--vcf", "v.vcf", "--genome", "genome.fa", "--genes", "new.tsv"];
    let out = [&variants[..], &["--out", "effects.vcf", "--table", "effects.tsv"]].concat();
    galen_genomics_in(path, &out).ends_with(0);
    let effects = path.join("effects.tsv");
    let (found, column) = rows(&effects);
    let cell = |row: usize, name: &str| found[row][column(name)].as_str();
    let number = |row: usize, name: &str| cell(row, name).parse::<f64>().unwrap();
    // g0 starts at 200 on the forward strand, g1 at 300 on the reverse
    assert_eq!([cell(0, "gene"), cell(0, "distance")], ["g0", "10"]);
    assert_eq!([cell(1, "gene"), cell(1, "distance"), cell(1, "status")], ["g1", "15", "match"]);
    for row in [0, 1] {
        for tissue in ["liver", "lung"] {
            let [reference, alternate, change] =
                ["REF", "ALT", "DELTA"].map(|what| number(row, &format!("{what}_{tissue}")));
            // written in single precision
            assert!((alternate - reference - change).abs() < 1e-5 * reference.abs().max(1.0), "{:?}", found[row]);
        }
    }
    assert!(cell(2, "reason").contains("no gene starts within 60 bases") && cell(2, "DELTA_liver").is_empty());
    assert_eq!([cell(3, "status"), cell(3, "gene"), cell(3, "DELTA_lung")], ["mismatch", "", ""]);
    let annotated = fs::read_to_string(path.join("effects.vcf")).unwrap();
    assert!(
        annotated.contains("ID=GALEN_GENE") && annotated.contains("GALEN_GENE=g0;GALEN_DISTANCE=10;"),
        "{annotated}"
    );
    galen_genomics_in(path, &[&variants[..7], &["--out", "x.tsv"]].concat()).ends_with(2).says("give --genes FILE");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (genome, genes) = (genome(), genes(true));
    let fewer: String = genes.lines().take(31).fold(String::new(), |text, line| text + line + "\n");
    let folder = folder_with(&[
        ("set.csv", &table(60, 1)),
        ("genome.fa", &genome),
        ("genes.tsv", &genes),
        ("fewer.tsv", &fewer),
    ]);
    let path = folder.path();
    let usual = ["--split", "random", "--data", "set.csv"];
    train(path, "body", "beluga", &usual, &SIZES).ends_with(0);
    train(path, "other", "deepbind", &usual, &["network.filters=4", "network.kernel=8", "network.hidden=4"])
        .ends_with(0);
    let data = ["--data", "genes.tsv", "--genome", "genome.fa"];
    train(path, "run", "expecto", &data, &SPATIAL).ends_with(2).says("give its weights with --body");
    let with = |body: &'static str| [&data[..], &["--body", body]].concat();
    train(path, "run", "expecto", &with("other"), &SPATIAL).ends_with(1).says("is beluga");
    train(path, "run", "xpresso", &with("body"), &[]).ends_with(2).says("--body says nothing to xpresso");
    train(path, "run", "deepbind", &["--data", "set.csv", "--body", "body"], &[])
        .ends_with(2)
        .says("--body and --sums");
    let sums = ["--body", "body", "--sums", "sums.safetensors"];
    train(path, "run", "expecto", &[&data[..], &sums].concat(), &SPATIAL).ends_with(0);
    let fewer = [&["--data", "fewer.tsv", "--genome", "genome.fa", "--split", "random"][..], &sums].concat();
    train(path, "few", "expecto", &fewer, &SPATIAL).ends_with(1).says("what the sums are of is body");
    let words = ["predict", "--model", "run", "--data", "genes.tsv"];
    galen_genomics_in(path, &words).ends_with(2).says("expecto needs --genome FASTA");
}
