//! `coverage` counts reads in bins, and writes tables and tracks.

use crate::command::{folder_with, galen_genomics_in};
use std::fs;

/// Four reads of ten bases on a contig of 100: two at 10, of which one is a duplicate, one at 15 on the reverse strand, one
/// with an intron.
const SAM: &str = "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:100\n\
    a\t0\tchr1\t11\t60\t10M\t*\t0\t0\tACGTACGTAC\t*\n\
    b\t1024\tchr1\t11\t60\t10M\t*\t0\t0\tACGTACGTAC\t*\n\
    c\t16\tchr1\t16\t5\t10M\t*\t0\t0\tACGTACGTAC\t*\n\
    d\t0\tchr1\t51\t60\t5M20N5M\t*\t0\t0\tACGTACGTAC\t*\n";

fn table(options: &[&str]) -> Vec<f64> {
    let folder = folder_with(&[("a.sam", SAM)]);
    let arguments: Vec<&str> =
        ["coverage", "--bam", "a.sam", "--bin", "10"].into_iter().chain(options.iter().copied()).collect();
    let stdout = galen_genomics_in(folder.path(), &arguments).ends_with(0).stdout;
    let rows: Vec<Vec<&str>> = stdout.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 10, "{stdout}");
    rows.iter().map(|row| row[3].parse().unwrap()).collect()
}

#[test]
fn reads_count_where_they_cover() {
    // By hand: a covers 10 to 20, c covers 15 to 25, d covers 50 to 55 and 75 to 80; b is a duplicate.
    assert_eq!(table(&[]), [0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(table(&["--exclude-flags", "0x4"])[1], 3.0);
    assert_eq!(table(&["--min-mapq", "10"])[1..3], [1.0, 0.0]);
    assert_eq!(table(&["--strand", "reverse"])[1..3], [1.0, 1.0]);
    // 5' ends: a at 10, c at 24, d at 50.
    assert_eq!(table(&["--signal", "five-prime"]), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    // Extended to 20 bases: a to 30, c from 5 on, d to 70.
    assert_eq!(table(&["--signal", "extended", "--size", "20"]), [1.0, 2.0, 2.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    let scaled = table(&["--scale", "cpm"]);
    assert!((scaled[1] - 2.0 / 3.0 * 1e6).abs() < 1e-6, "{scaled:?}");
}

#[test]
fn tracks_are_written_by_their_ending() {
    let folder = folder_with(&[("a.sam", SAM)]);
    for out in ["out.bw", "out.bedgraph", "out.tsv"] {
        galen_genomics_in(folder.path(), &["coverage", "--bam", "a.sam", "--bin", "10", "--out", out])
            .ends_with(0)
            .says("4 reads, 3 kept");
        assert!(fs::metadata(folder.path().join(out)).unwrap().len() > 0, "{out}");
    }
    let graph = fs::read_to_string(folder.path().join("out.bedgraph")).unwrap();
    assert!(graph.contains("chr1\t10\t20\t2"), "{graph}");
    // Little-endian magic of bigWig (UCSC, bbiFile.h).
    assert!(fs::read(folder.path().join("out.bw")).unwrap().starts_with(&0x888F_FC26_u32.to_le_bytes()));
    let wrong = ["coverage", "--bam", "a.sam", "--out", "out.png"];
    galen_genomics_in(folder.path(), &wrong).ends_with(1).says("out.png");
}
