//! `prepare --bam`: reads counted in windows become labels that a network is trained on.

use crate::command::{folder_with, galen_genomics_in};
use crate::data::{LENGTH, genome, quick};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Reads on `contigs` contigs of that genome, as SAM: at each peak as many as its number leaves when it is divided by
/// four, and at the first peak (bases 150 to 210 of chr1), where these are none, one of every kind.
fn sam(contigs: usize, length: usize) -> String {
    let mut text = "@HD\tVN:1.6\tSO:coordinate\n".to_owned();
    for contig in 1..=contigs {
        writeln!(text, "@SQ\tSN:chr{contig}\tLN:{length}").unwrap();
    }
    let mut read = |name: &str, flag: u32, contig: usize, position: usize, cigar: &str| {
        writeln!(text, "{name}\t{flag}\tchr{contig}\t{position}\t60\t{cigar}\t*\t0\t0\tACGTACGTAC\t*").unwrap();
    };
    // Bases 145 to 150 and 200 to 205, 150 to 160, a duplicate, 204 to 214, and 300 to 310; positions count from 1.
    read("spliced", 0, 1, 146, "5M50N5M");
    read("inside", 0, 1, 151, "10M");
    read("duplicate", 1024, 1, 160, "10M");
    read("edge", 16, 1, 205, "10M");
    read("outside", 0, 1, 301, "10M");
    for contig in 1..=contigs {
        for peak in 0..40 {
            for _ in 0..peak % 4 {
                read("more", 0, contig, 360 * peak + 151, "10M");
            }
        }
    }
    text
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn reads_in_windows_become_labels_and_are_learnt() {
    let (chromosomes, peaks) = genome(3);
    let folder =
        folder_with(&[("genome.fa", &chromosomes), ("peaks.bed", &peaks), ("reads.sam", &sam(3, 40 * (LENGTH + 300)))]);
    let path = folder.path();
    let prepare = [
        "prepare",
        "--data",
        "peaks.bed",
        "--genome",
        "genome.fa",
        "--bam",
        "mark=reads.sam",
        "--bins",
        "4",
        "--run-dir",
        "prepared",
    ];
    let told = galen_genomics_in(path, &prepare).ends_with(0).says("mark: ");
    assert!(told.stdout.contains("--data prepared/sequences.tsv --column label=mark"), "{}", told.stdout);

    // By hand: of the first window three reads count, the duplicate and the one outside do not, nor does an intron.
    let counts = lines(&path.join("prepared/counts.tsv"));
    assert_eq!(counts[..2], ["name\tmark", "chr1:151-210(+)\t3"]);
    let found: Vec<usize> = counts[1..].iter().map(|line| line.rsplit('\t').next().unwrap().parse().unwrap()).collect();
    let expected: Vec<usize> = (0..120).map(|row| if row == 0 { 3 } else { row % 40 % 4 }).collect();
    assert_eq!(found, expected);
    let bins = lines(&path.join("prepared/bins.tsv"));
    assert_eq!(bins.len(), 1 + 4 * 120);
    let first = ["name\tbin\tmark", "chr1:151-210(+)\t1\t1", "chr1:151-210(+)\t2\t0", "chr1:151-210(+)\t3\t0"];
    assert_eq!(bins[..4], first);
    assert_eq!(bins[4], "chr1:151-210(+)\t4\t2");

    let rows = lines(&path.join("prepared/sequences.tsv"));
    assert_eq!(rows[0], "name\tsource\tpart\tgroup\tmark\tsequence");
    for (row, count) in rows[1..].iter().zip(&expected) {
        let label: f64 = row.split('\t').nth(4).unwrap().parse().unwrap();
        // 1e-6: labels are in single precision
        assert!((label - (*count as f64 + 1.0).log2()).abs() < 1e-6, "{row}");
    }

    // What was prepared is trained on; one contig is the test part, so that windows are resampled.
    let words = quick(&[
        "train",
        "--data",
        "prepared/sequences.tsv",
        "--column",
        "label=mark",
        "--models",
        "1",
        "--epochs",
        "1",
        "--run-dir",
        "run",
    ]);
    galen_genomics_in(path, &words).ends_with(0);
    let metrics: Value = serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    assert_eq!((&metrics["task"], &metrics["split"]), (&"values".into(), &"chromosome".into()));
    assert!(metrics["metrics"]["mse"]["low"].is_number(), "{metrics}");
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("windows, as there are fewer than ten contigs"));
}

#[test]
fn reads_of_another_assembly_are_told_apart() {
    let (chromosomes, peaks) = genome(2);
    let longer = sam(2, 20_000);
    let folder = folder_with(&[
        ("genome.fa", &chromosomes),
        ("peaks.bed", &peaks),
        ("longer.sam", &longer),
        ("fewer.sam", &sam(1, 14_400)),
        ("reads.sam", &sam(2, 14_400)),
        ("garbage.bam", "PK\u{3}\u{4}\0\0\0\0"),
    ]);
    for (reads, bins, code, text) in [
        ("longer.sam", "4", 1, "chr1 has 20000 bases, chr1 has 14400"),
        ("fewer.sam", "4", 1, "chr2 is missing"),
        ("absent.bam", "4", 1, "absent.bam"),
        ("garbage.bam", "4", 1, "none of BAM, SAM, CRAM and BED"),
        ("reads.sam", "7", 2, "no 7 equal bins"),
        ("=reads.sam", "4", 2, "NAME=FILE"),
    ] {
        let arguments = ["prepare", "--data", "peaks.bed", "--genome", "genome.fa", "--bam", reads, "--bins", bins];
        galen_genomics_in(folder.path(), &arguments).ends_with(code).says(text);
        assert!(!folder.path().join("prepared").exists(), "{reads}: a folder was made for nothing");
    }
}
