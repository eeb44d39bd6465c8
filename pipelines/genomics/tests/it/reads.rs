//! Which reads count and what they cover, in tracks and in windows.

use crate::command::{folder_with, galen_genomics_in};
use crate::data::Draw;
use std::fs;

/// On a contig of some hundred bases: a pair whose mates cover 10 to 20 and 15 to 25, its template being 15 bases long;
/// a read that lacks two bases of 40 to 52, of mapping quality 5; and one on the reverse strand that covers 70 to 80.
fn sam(length: usize) -> String {
    format!(
        "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:{length}\n\
         p\t99\tchr1\t11\t60\t10M\t=\t16\t15\tACGTACGTAC\t*\n\
         p\t147\tchr1\t16\t60\t10M\t=\t11\t-15\tACGTACGTAC\t*\n\
         d\t0\tchr1\t41\t5\t5M2D5M\t*\t0\t0\tACGTACGTAC\t*\n\
         r\t16\tchr1\t71\t60\t10M\t*\t0\t0\tACGTACGTAC\t*\n"
    )
}

/// The depth of each base.
fn depth(options: &[&str]) -> Vec<f64> {
    let folder = folder_with(&[("a.sam", &sam(100))]);
    let words: Vec<&str> =
        ["coverage", "--bam", "a.sam", "--bin", "1"].into_iter().chain(options.iter().copied()).collect();
    let stdout = galen_genomics_in(folder.path(), &words).ends_with(0).stdout;
    let depth: Vec<f64> =
        stdout.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap().parse().unwrap()).collect();
    assert_eq!(depth.len(), 100, "{stdout}");
    depth
}

#[test]
fn reads_are_chosen_and_cover_what_was_asked_for() {
    let total = |options: &[&str]| depth(options).iter().sum::<f64>();
    // By hand: 15 bases of the pair, 10 of the read that lacks two, 10 of the last.
    assert_eq!(total(&[]), 35.0);
    let twice = depth(&["--set", "mates=each"]);
    assert_eq!((twice.iter().sum::<f64>(), twice[17]), (40.0, 2.0));
    let whole = depth(&["--set", "deletions=true"]);
    assert_eq!((whole.iter().sum::<f64>(), whole[46]), (37.0, 1.0));
    assert_eq!(total(&["--set", "require-flags=0x2"]), 15.0);
    assert_eq!(total(&["--set", "min-fragment=15"]), 15.0);
    assert_eq!(total(&["--set", "max-fragment=14"]), 20.0);
    // The first mate and the one that lacks bases lie on the forward strand; the strand of a dUTP library is that of the
    // second mate, and of single reads the other one.
    assert_eq!(total(&["--strand", "forward"]), 20.0);
    assert_eq!(total(&["--strand", "forward", "--set", "protocol=dutp"]), 10.0);
    let folder = folder_with(&[("a.sam", &sam(100))]);
    for (setting, text) in [
        ("require-flags=dup", "require-flags = \"dup\""),
        ("require-flags=0x4", "both excluded and required"),
        ("protocol=upwards", "dutp"),
    ] {
        let words = ["coverage", "--bam", "a.sam", "--set", setting];
        galen_genomics_in(folder.path(), &words).ends_with(2).says(text);
    }
}

#[test]
fn windows_count_the_reads_that_were_asked_for() {
    let genome = format!(">chr1\n{}\n", Draw::new(4).bases(400));
    // Four windows near the reads, and twelve where there are none.
    let far: Vec<(usize, usize)> = (0..12).map(|window| (110 + 22 * window, 130 + 22 * window)).collect();
    let peaks = [&[(10, 30), (40, 60), (62, 82), (85, 105)][..], &far[..]].concat();
    let lines: Vec<String> = peaks.iter().map(|(start, end)| format!("chr1\t{start}\t{end}\n")).collect();
    let peaks = lines.concat();
    let folder = folder_with(&[("a.sam", &sam(400)), ("genome.fa", &genome), ("peaks.bed", &peaks)]);
    let path = folder.path();
    let counted = |settings: &[&str], out: &str| -> Vec<String> {
        let mut words = vec!["prepare", "--data", "peaks.bed", "--genome", "genome.fa", "--bam", "mark=a.sam"];
        words.extend(["--split", "random", "--run-dir", out]);
        words.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
        galen_genomics_in(path, &words).ends_with(0);
        let text = fs::read_to_string(path.join(out).join("counts.tsv")).unwrap();
        let counts: Vec<String> =
            text.lines().skip(1).map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect();
        assert!(counts.len() == 16 && counts[4..].iter().all(|count| count == "0"), "{text}");
        counts[..4].to_vec()
    };
    assert_eq!(counted(&[], "all"), ["2", "1", "1", "0"]);
    assert_eq!(counted(&["reads.min-mapq=10"], "quality"), ["2", "0", "1", "0"]);
    assert_eq!(counted(&["reads.strand=reverse"], "strand"), ["1", "0", "1", "0"]);
    // A fragment counts once; reads without one are left out.
    assert_eq!(counted(&["reads.signal=fragments"], "fragments"), ["1", "0", "0", "0"]);
    // 5' ends: 10 and 24 of the pair, 40, 79; and from there on 30 bases, to 40 and -5, to 70, to 50.
    assert_eq!(counted(&["reads.signal=five-prime"], "ends"), ["2", "1", "1", "0"]);
    assert_eq!(counted(&["reads.signal=extended", "reads.size=30"], "extended"), ["2", "2", "2", "0"]);
}
