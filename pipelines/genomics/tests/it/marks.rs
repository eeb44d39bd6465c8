//! Histone marks straight from reads: what is counted around the starts of genes is what a count by hand gives, and a
//! network learns the same from it.

use crate::command::{Finished, folder_with, galen_genomics_in};
use crate::data::Draw;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const GENES: usize = 60;
const CONTIG: i64 = 8000;
const BINS: i64 = 10;
const BIN: i64 = 20;
const READ: i64 = 10;

/// Contig, start of transcription (from 0) and strand of a gene.
fn place(gene: usize) -> (usize, i64, char) {
    (gene / 20 + 1, 300 + 380 * (gene % 20) as i64, if gene % 4 < 2 { '+' } else { '-' })
}

fn high(gene: usize) -> bool {
    gene.is_multiple_of(2)
}

/// Contig and first base of the reads of two marks: anywhere around the genes, and of the second mark more behind the
/// starts of those that are expressed.
fn reads() -> [Vec<(usize, i64)>; 2] {
    let mut draw = Draw::new(21);
    let mut number = |below: i64| draw.bases(8).bytes().fold(0, |sum, base| 4 * sum + i64::from(base) % 7) % below;
    let mut found = [Vec::new(), Vec::new()];
    for gene in 0..GENES {
        let (contig, start, strand) = place(gene);
        for of in &mut found {
            (0..4).for_each(|_| of.push((contig, start - 150 + number(300))));
        }
        let more = if high(gene) { 4 } else { 0 };
        for away in 20..20 + more {
            found[1].push((contig, if strand == '+' { start + away } else { start - away - READ + 1 }));
        }
    }
    found
}

fn sam(reads: &[(usize, i64)]) -> String {
    let mut reads = reads.to_vec();
    reads.sort_unstable();
    let mut text = "@HD\tVN:1.6\tSO:coordinate\n".to_owned();
    (1..=3).for_each(|contig| writeln!(text, "@SQ\tSN:chr{contig}\tLN:{CONTIG}").unwrap());
    for (contig, first) in reads {
        writeln!(text, "r\t0\tchr{contig}\t{}\t60\t{READ}M\t*\t0\t0\tACGTACGTAC\t*", first + 1).unwrap();
    }
    text
}

/// Reads that touch a bin of a gene, base by base in its direction.
fn counted(reads: &[(usize, i64)], gene: usize, bin: i64) -> usize {
    let (contig, start, strand) = place(gene);
    let bin_of = |base: i64| (if strand == '+' { base - start } else { start - base }).div_euclid(BIN) + BINS / 2;
    let touches = |first: i64| (first..first + READ).any(|base| bin_of(base) == bin);
    reads.iter().filter(|(on, first)| *on == contig && touches(*first)).count()
}

/// `DeepChrome`'s text of the same counts, with 1 for the genes that are expressed.
fn text(marks: &[Vec<(usize, i64)>; 2]) -> String {
    let mut text = String::new();
    for gene in 0..GENES {
        for bin in 0..BINS {
            let [one, other] = [0, 1].map(|mark| counted(&marks[mark], gene, bin));
            writeln!(text, "G{gene},{},{one},{other},{}", bin + 1, u8::from(high(gene))).unwrap();
        }
    }
    text
}

/// The genes as GFF3, with a version behind each identifier.
fn gff(more: &str) -> String {
    let gene = |gene: usize| {
        let (contig, start, strand) = place(gene);
        let (first, last) = if strand == '+' { (start, start + 199) } else { (start - 199, start) };
        format!("chr{contig}\t.\tgene\t{}\t{}\t.\t{strand}\t.\tID=E{gene}.3;Name=G{gene}\n", first + 1, last + 1)
    };
    (0..GENES).map(gene).collect::<String>() + more
}

/// Levels of the genes by their identifiers: different ones, those of the expressed genes above those of the others.
fn levels() -> String {
    let level = |gene: usize| if high(gene) { 100 + gene } else { gene };
    (0..GENES).fold("gene\tTPM\n".to_owned(), |text, gene| format!("{text}E{gene}\t{}\n", level(gene)))
}

fn files() -> tempfile::TempDir {
    let marks = reads();
    let table = (0..GENES).fold("gene\tchrom\ttss\tstrand\tlabel\n".to_owned(), |text, gene| {
        let (contig, start, strand) = place(gene);
        format!("{text}G{gene}\tchr{contig}\t{}\t{strand}\t{}\n", start + 1, u8::from(high(gene)))
    });
    let more = "chr1\t.\tgene\t7901\t7950\t.\t+\t.\tID=unknown;Name=unknown\n";
    let far = "chrUn\t.\tgene\t101\t150\t.\t+\t.\tID=far;Name=far\n";
    folder_with(&[
        ("one.sam", &sam(&marks[0])),
        ("two.sam", &sam(&marks[1])),
        ("marks.csv", &text(&marks)),
        ("genes.gff3", &gff(&format!("{more}{far}"))),
        ("placed.gff3", &gff("")),
        ("genes.tsv", &table),
        ("levels.tsv", &(levels() + "far\t7\n")),
    ])
}

const ONE: [&str; 4] = ["--bam", "mark 1=one.sam", "--bam", "mark 2=two.sam"];
const TURNED: [&str; 4] = ["--bam", "mark 2=two.sam", "--bam", "mark 1=one.sam"];
const GFF: [&str; 6] = ["--data", "genes.gff3", "--labels", "levels.tsv", "--column", "label=TPM"];
const SIZES: [&str; 4] = ["network.filters=4", "network.kernel=4", "network.pool=3", "network.hidden=[8]"];
const COUNTED: [&str; 2] = ["network.bins=10", "reads.bin=20"];

fn train(folder: &Path, run: &str, system: &str, words: &[&[&str]], settings: &[&[&str]]) -> Finished {
    let mut all = vec!["train", "--system", system, "--run-dir", run, "--models", "1", "--epochs", "2"];
    all.extend(words.concat());
    let usual = ["recipe.batch_size=16", "recipe.learning_rate=0.005"];
    all.extend(settings.concat().into_iter().chain(usual).flat_map(|setting| ["--set", setting]));
    galen_genomics_in(folder, &all)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What a run came to: its scores and those of its baselines.
fn scores(folder: &Path, run: &str) -> [Value; 2] {
    let metrics = json(&folder.join(run).join("metrics.json"));
    ["metrics", "baselines"].map(|name| metrics[name].clone())
}

/// The probability of each gene, by its name.
fn predict(folder: &Path, model: &str, words: &[&str]) -> BTreeMap<String, String> {
    let all = [&["predict", "--model", model, "--out", "out.tsv"][..], words].concat();
    galen_genomics_in(folder, &all).ends_with(0);
    let text = fs::read_to_string(folder.join("out.tsv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<&str>>());
    let head = lines.next().unwrap();
    let name = head.iter().position(|column| *column == "name").unwrap();
    lines.map(|fields| (fields[name].to_owned(), (*fields.last().unwrap()).to_owned())).collect()
}

#[test]
fn reads_are_counted_as_by_hand_and_learnt_alike() {
    let folder = files();
    let path = folder.path();
    let random = ["--split", "random"];
    let told = train(path, "reads", "deepchrome", &[&GFF, &ONE, &random], &[&SIZES, &COUNTED]).ends_with(0);
    assert!(told.stderr.contains("mark 1:") && told.stderr.contains("genes that are left out: 1"), "{}", told.stderr);
    train(path, "text", "deepchrome", &[&["--data", "marks.csv"], &random], &[&SIZES]).ends_with(0);
    let table = ["--data", "genes.tsv", "--format", "gene-table"];
    train(path, "table", "deepchrome", &[&table, &ONE, &random], &[&SIZES, &COUNTED]).ends_with(0);
    // the same counts of the same genes in the same order end in the same scores to the last digit
    let expected = scores(path, "text");
    assert_eq!(scores(path, "reads"), expected);
    assert_eq!(scores(path, "table"), expected);
    let data = json(&path.join("reads/data.json"));
    let audit = json(&path.join("reads/audit.json"));
    assert!(audit["parts"][0]["contigs"] == 3 && audit["scores"].as_array().unwrap().len() == 3, "{audit}");
    assert!(path.join("reads/figures/reliability.svg").is_file());
    let report = fs::read_to_string(path.join("reads/report.html")).unwrap();
    // divided at random, genes of one chromosome are in every part
    assert!(report.contains("Data and audit") && report.contains("rows lie on contigs that training has too"));
    assert_eq!(data["dropped"]["no expression"], 1, "{data}");
    assert_eq!(data["dropped"]["on a contig that the reads do not have"], 1, "{data}");
    assert_eq!((data["kept"].as_u64(), data["inputs"].as_array().map(Vec::len)), (Some(60), Some(4)), "{data}");

    // and so do the predictions, whatever the order of the files
    let genes = ["--data", "placed.gff3"];
    let found = predict(path, "reads", &[&genes[..], &TURNED].concat());
    assert_eq!(found, predict(path, "text", &["--data", "marks.csv"]));
    assert_eq!(found.len(), GENES);
    let words = [&["evaluate", "--model", "reads", "--json"][..], &GFF, &TURNED].concat();
    let told = galen_genomics_in(path, &words).ends_with(0).stdout;
    let rows: Value = serde_json::from_str(&told).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|row| row["score"] == "auroc"), "{told}");

    let again = ["train", "--run-dir", "reads", "--resume"];
    galen_genomics_in(path, &again).ends_with(0).says("trained before");
    let other = [&again[..], &["--set", "reads.min-mapq=10"]].concat();
    galen_genomics_in(path, &other).ends_with(1).says("reads.min-mapq was 0, is 10");
}

#[test]
fn genes_with_a_place_are_divided_by_chromosome() {
    let folder = files();
    let settings = ["network.bin_hidden=3", "network.mark_hidden=2"];
    train(folder.path(), "run", "attentive-chrome", &[&GFF, &ONE], &[&settings, &COUNTED]).ends_with(0);
    let metrics = json(&folder.path().join("run/metrics.json"));
    assert_eq!(metrics["split"], "chromosome");
    // the mark that lies behind the starts of expressed genes tells them from the others
    let logistic = metrics["baselines"]["logistic regression on all bins"]["auroc"].as_f64().unwrap();
    assert!(logistic > 0.9, "{metrics}");
}

#[test]
fn what_is_missing_is_asked_for() {
    let folder = files();
    let path = folder.path();
    for (system, words, code, expected) in [
        ("deepchrome", vec!["--data", "genes.gff3", "--format", "genes"], 2, "or give reads with --bam"),
        ("deepchrome", [&["--data", "placed.gff3"][..], &ONE].concat(), 2, "give it with --labels TSV"),
        ("deepchrome", [&GFF[..], &["--bam", "a=one.sam", "--bam", "a=two.sam"]].concat(), 2, "the mark a has a file"),
        ("deepchrome", [&GFF[..], &["--bam", "a=absent.sam"]].concat(), 1, "absent.sam"),
        ("deepchrome", vec!["--data", "marks.csv", "--set", "reads.bin=50"], 2, "the settings below reads"),
        ("deepchrome", [&GFF[..], &ONE, &["--set", "reads.bin=0"]].concat(), 2, "bin = 0"),
        ("speid", [&["--data", "genes.tsv"][..], &ONE].concat(), 2, "--bam says nothing to speid"),
        ("deepbind", [&["--data", "genes.tsv"][..], &ONE].concat(), 2, "--bam is for prepare"),
    ] {
        let all = [&["train", "--system", system, "--run-dir", "run"][..], words.as_slice()].concat();
        galen_genomics_in(path, &all).ends_with(code).says(expected);
    }
    let random = ["--split", "random"];
    train(path, "reads", "deepchrome", &[&GFF, &ONE, &random], &[&SIZES, &COUNTED]).ends_with(0);
    train(path, "text", "deepchrome", &[&["--data", "marks.csv"], &random], &[&SIZES]).ends_with(0);
    for (model, words, code, expected) in [
        ("reads", vec!["--data", "placed.gff3", "--bam", "mark 1=one.sam"], 2, "the model reads mark 1, mark 2"),
        ("reads", [&["--data", "genes.gff3"][..], &ONE].concat(), 1, "chrUn"),
        ("text", [&["--data", "placed.gff3"][..], &ONE].concat(), 2, "counts that were made elsewhere"),
    ] {
        let all = [&["predict", "--model", model][..], words.as_slice()].concat();
        galen_genomics_in(path, &all).ends_with(code).says(expected);
    }
}
