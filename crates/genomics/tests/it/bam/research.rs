//! The readers of aligned reads on the research data, where it is.

use std::fs::{self, File};
use std::time::Duration;

use genomics::io::bam::{AlignedRead, AlignmentOptions, Alignments};

use super::{file, message, open, reads, rest};
use crate::data::{damaged, flipped, path as data};

/// Regions of the files that have an index, against a pass through the whole file.
#[test]
fn regions_of_the_research_data() {
    let Some(folder) = data("genomics") else { return };
    for (name, step) in [
        ("deeptools/phiX.bam", 700),
        ("deeptools/test_paired2.bam", 1_000),
        ("htslib/range.bam", 500),
        ("htslib/colons.bam", 50),
        ("giab_chr20/NA12878_small.bam", 300),
    ] {
        let path = folder.join(name);
        let mut alignments = open(&path).unwrap();
        assert!(alignments.is_indexed(), "{name}");
        let all = rest(Alignments::open(&path, &AlignmentOptions::default()).unwrap()).unwrap();
        let mut compared = 0;
        for (contig, start) in all.iter().step_by(7).filter_map(|read| Some((read.contig?, read.start))) {
            for (start, end) in [(start, start + 1), (start - step, start - 1), (start + 5, start + step), (0, 1 << 33)]
            {
                alignments.select(contig, start, end).unwrap();
                let mut found = Vec::new();
                while alignments.advance().unwrap() {
                    found.push(alignments.read().clone());
                }
                let due: Vec<AlignedRead> = all
                    .iter()
                    .filter(|read| {
                        read.contig == Some(contig) && read.start < end && read.end().max(read.start + 1) > start
                    })
                    .cloned()
                    .collect();
                assert_eq!(found, due, "{name}: {contig}:{start}-{end}");
                compared += found.len();
            }
        }
        assert!(compared > 0, "{name}");
    }
}

#[test]
fn indices_that_are_old_or_damaged() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let work = tempfile::tempdir().unwrap();
    let bam = file(&work, "phiX.bam", &fs::read(folder.join("phiX.bam")).unwrap());
    let bytes = fs::read(folder.join("phiX.bam.bai")).unwrap();
    let index = file(&work, "phiX.bam.bai", &bytes);
    assert!(open(&bam).unwrap().warnings().is_empty());
    let hour = Duration::from_hours(1);
    let changed = fs::metadata(&bam).unwrap().modified().unwrap();
    File::options().write(true).open(&index).unwrap().set_modified(changed - hour).unwrap();
    let warnings = open(&bam).unwrap().warnings().to_vec();
    assert!(warnings[0].contains("phiX.bam.bai is older than"), "{warnings:?}");
    for bytes in damaged(&bytes) {
        file(&work, "phiX.bam.bai", &bytes);
        let mut alignments = open(&bam).unwrap();
        let selected = alignments.select(0, 100, 200);
        if selected.is_ok() {
            // Another place of the file, which holds no record, or no place at all.
            for _ in 0..50 {
                if !alignments.advance().unwrap_or(false) {
                    break;
                }
            }
        } else {
            assert!(message(selected).contains("the index cannot be used"));
        }
    }
}

#[test]
fn cram_of_the_research_data() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let with =
        |reference: &str| AlignmentOptions { reference: Some(folder.join(reference)), ..AlignmentOptions::default() };
    let cram = folder.join("test1.cram");
    let found = Alignments::open(&cram, &with("test1.fa")).and_then(rest).unwrap();
    let due = reads(&folder.join("test1.bam")).unwrap();
    assert_eq!(found, due);
    let said = message(open(&cram).and_then(rest));
    assert!(said.contains("contig 3R is needed; give the FASTA file"), "{said}");
    let said = message(Alignments::open(&cram, &with("phiX.fasta")).and_then(rest));
    assert!(said.contains("contig 3R of the reference") && said.contains("no such contig"), "{said}");
    assert!(!message(open(&folder.join("paired_chr2L.cram")).and_then(rest)).is_empty());
    // Damage: an error or a caught panic. Prime steps, since decoding takes its time.
    let work = tempfile::tempdir().unwrap();
    let bytes = fs::read(&cram).unwrap();
    for copy in flipped(&bytes).step_by(499).chain((0..bytes.len()).step_by(97).map(|length| bytes[..length].to_vec()))
    {
        let _ = Alignments::open(&file(&work, "a.cram", &copy), &with("test1.fa")).and_then(rest);
    }
}

#[test]
fn cram_with_its_reference_inside() {
    let Some(path) = data("genomics/giab_chr20/test_cram.embed_ref_1_version_3.0.cram") else { return };
    let found: Vec<_> =
        reads(&path).unwrap().iter().map(|read| (read.contig, read.start, read.end(), read.flags)).collect();
    assert_eq!(found, [(Some(1), 33, 62, 99), (Some(1), 48, 89, 163), (Some(1), 54, 65, 0)]);
}

#[test]
fn unusual_sam_of_the_research_data() {
    let Some(folder) = data("genomics/giab_chr20") else { return };
    let said = message(reads(&folder.join("malformed.sam")));
    assert!(said.contains("malformed.sam: read 2: line 498: FLAG"), "{said}");
    // Blanks in place of tabs.
    let said = message(reads(&folder.join("headerless.sam")));
    assert!(said.contains("line 1: the record ends before its FLAG; tabs are between fields"), "{said}");
}
