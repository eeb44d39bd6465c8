//! Coverage of the research data, where it is, against samtools, mosdepth, bedtools, MACS3, deepTools and pysam. What
//! those programs gave is in `golden`, with the scripts that asked them; it is equal, not close.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::Crc;
use flate2::read::MultiGzDecoder;
use genomics::coverage::{
    Bins, CoverageConfig, Mates, Protocol, ReadFilter, Scale, Signal, StrandFilter, WindowLayout, depth, runs, windows,
};
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::io::bigwig::BigWig;
use genomics::locus::{Locus, Strand};
use serde_json::Value;

use super::depths;
use crate::bam::open;
use crate::data::path as data;

const DEPTH: &str = include_str!("../../golden/depth.json");
const BINNED: &str = include_str!("../../golden/bam_coverage.json");

fn config(signal: Signal, exclude_flags: u16, min_mapping_quality: u8, mates: Mates) -> CoverageConfig {
    CoverageConfig { signal, mates, filter: ReadFilter { exclude_flags, min_mapping_quality, ..ReadFilter::default() } }
}

fn crc32(text: &str) -> u32 {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}

/// What `depth.py` keeps of a contig.
fn summary(depths: &[u32]) -> Value {
    let runs: Vec<_> = runs(depths, 1, depths.len() as u64).filter(|&(_, _, depth)| depth > 0).collect();
    let text: String = runs.iter().map(|(start, end, depth)| format!("{start}\t{end}\t{depth}\n")).collect();
    serde_json::json!({
        "positions": runs.iter().map(|(start, end, _)| end - start).sum::<u64>(),
        "sum": runs.iter().map(|&(start, end, depth)| (end - start) * u64::from(depth)).sum::<u64>(),
        "runs": runs.len(),
        "crc32": crc32(&text),
        "first": runs.iter().take(3).collect::<Vec<_>>(),
    })
}

#[test]
fn depth_equals_samtools_mosdepth_and_bedtools() {
    let Some(folder) = data("genomics") else { return };
    let golden: HashMap<String, HashMap<String, Value>> = serde_json::from_str(DEPTH).unwrap();
    let aligned = Signal::Aligned { deletions: false };
    let programs = [
        ("samtools", config(aligned, 0x704, 0, Mates::Each)),
        ("samtools_strict", config(aligned, 0xF04, 20, Mates::Each)),
        ("samtools_deletions", config(Signal::Aligned { deletions: true }, 0x704, 0, Mates::Each)),
        ("mosdepth", config(aligned, 0xF04, 0, Mates::Once)),
        ("bedtools_five_prime", config(Signal::FivePrime { forward: 0, reverse: 0 }, 0xF04, 0, Mates::Once)),
    ];
    // bedtools gives reads without an aligned base the base before them; mosdepth joins only two of three mates.
    let differing = [("htslib/xx#minimal.sam", "bedtools_five_prime"), ("htslib/xx#triplet.sam", "mosdepth")];
    let mut compared = 0;
    for (name, programs_of) in &golden {
        let reference = folder.join("deeptools/test1.fa");
        let options = AlignmentOptions { reference: Some(reference), ..AlignmentOptions::default() };
        let mut alignments = Alignments::open(&folder.join(name), &options).unwrap();
        let large = alignments.contigs().iter().any(|contig| contig.length > 50_000_000);
        for (program, config) in &programs {
            let Some(due) = programs_of.get(*program) else { continue };
            // Counting a human chromosome takes half a second each time.
            if differing.contains(&(name.as_str(), *program)) || (large && !["samtools", "mosdepth"].contains(program))
            {
                continue;
            }
            let mut found = HashMap::new();
            let report = depth(&mut alignments, config, |contig, depths| {
                let known = summary(depths);
                if known["runs"] != 0 {
                    found.insert(contig.name.to_string(), known);
                }
                Ok(())
            });
            assert_eq!(report.unwrap().seen, programs_of["records"].as_u64().unwrap(), "{name}");
            let due: HashMap<String, Value> = due
                .as_array()
                .unwrap()
                .iter()
                .map(|contig| {
                    let mut rest = contig.clone();
                    let name = rest.as_object_mut().unwrap().remove("contig").unwrap();
                    (name.as_str().unwrap().to_owned(), rest)
                })
                .collect();
            assert_eq!(found, due, "{name}, {program}");
            compared += 1;
        }
    }
    assert!(compared > 120, "{compared}");
}

/// `macs3 pileup -f BED --extsize 200`: every line.
#[test]
fn pileup_equals_macs3() {
    let Some(folder) = data("genomics/macs_ctcf_chr22") else { return };
    let mut alignments = open(&folder.join("CTCF_SE_ChIP_chr22_50k.bed.gz")).unwrap();
    let config = CoverageConfig { signal: Signal::Extended { size: 200 }, ..CoverageConfig::default() };
    let mut found = Vec::new();
    let report = depth(&mut alignments, &config, |contig, depths| {
        found.extend(
            runs(depths, 1, depths.len() as u64)
                .map(|(start, end, depth)| format!("{}\t{start}\t{end}\t{:.5}", contig.name, f64::from(depth))),
        );
        Ok(())
    });
    assert_eq!(report.unwrap().kept, 49_622);
    let file = File::open(folder.join("expected_pileup_ChIP.bed.bdg.gz")).unwrap();
    let due: Vec<String> = BufReader::new(MultiGzDecoder::new(file)).lines().map(Result::unwrap).collect();
    assert_eq!(found.len(), due.len());
    for (found, due) in found.iter().zip(&due) {
        assert_eq!(found, due);
    }
}

/// Rows of `bam_coverage.py`: contig, start, end, value, without zeros.
fn rows(bins: &Bins) -> Vec<(String, u64, u64, u32)> {
    let contigs = bins.contigs.iter().enumerate();
    contigs
        .flat_map(|(place, contig)| {
            bins.runs(place).into_iter().map(move |(start, end, count)| (contig.name.to_string(), start, end, count))
        })
        .filter(|row| row.3 > 0)
        .collect()
}

fn check(found: &[(String, u64, u64, u32)], due: &Value, what: &str) {
    let first = found.iter().take(3).collect::<Vec<_>>();
    assert_eq!(serde_json::to_value(first).unwrap(), due["first"], "{what}");
    assert_eq!(found.len() as u64, due["rows"], "{what}");
    let text: String =
        found.iter().map(|(name, start, end, count)| format!("{name}\t{start}\t{end}\t{count}\n")).collect();
    assert_eq!(u64::from(crc32(&text)), due["crc32"], "{what}");
}

/// bamCoverage counts all reads that are aligned, unless it is told otherwise.
fn bam_coverage(signal: Signal) -> CoverageConfig {
    config(signal, 0x4, 0, Mates::Each)
}

#[test]
fn bins_equal_bam_coverage() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let golden: HashMap<String, Value> = serde_json::from_str(BINNED).unwrap();
    let aligned = bam_coverage(Signal::default());
    for (name, due) in &golden {
        let mut alignments = open(&folder.join(name)).unwrap();
        let bins = Bins::count(&mut alignments, &aligned, 25).unwrap();
        check(&rows(&bins), &due["none_25"], &format!("{name}, 25"));
        let extended = Signal::Fragments { unpaired: 200, longest: 800, each_mate: true };
        let bins = Bins::count(&mut alignments, &bam_coverage(extended), 20).unwrap();
        check(&rows(&bins), &due["extended_20"], &format!("{name}, extended"));

        let bins = Bins::count(&mut alignments, &aligned, 100).unwrap();
        for (scale, key) in [(Scale::Cpm, "cpm_100"), (Scale::Rpkm, "rpkm_100")] {
            let factor = bins.factor(scale).unwrap();
            let found = rows(&bins);
            assert_eq!(found.len() as u64, due[key]["rows"]);
            let listed = due[key].get("all").unwrap_or(&due[key]["first"]);
            for (row, due) in found.iter().zip(listed.as_array().unwrap()) {
                assert_eq!(
                    (due[0].as_str(), due[1].as_u64(), due[2].as_u64()),
                    (Some(row.0.as_str()), Some(row.1), Some(row.2))
                );
                // bamCoverage prints six digits.
                let (found, due) = (f64::from(row.3) * factor, due[3].as_f64().unwrap());
                assert!((found / due - 1.0).abs() < 5.1e-6, "{name}, {key}: {found} {due}");
            }
        }
        // Its BPM is its CPM; ours sums to a million, as it is documented.
        assert_eq!(due["bpm_100"], due["cpm_100"]);
        let sum = bins.total() as f64 * bins.factor(Scale::Bpm).unwrap();
        assert!((sum - 1e6).abs() < 1e-6);
    }
}

#[test]
fn fragments_equal_bedtools() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let golden: HashMap<String, Value> = serde_json::from_str(BINNED).unwrap();
    let signal = Signal::Fragments { unpaired: 0, longest: 1_000_000, each_mate: false };
    let config = CoverageConfig { signal, ..CoverageConfig::default() };
    for (name, due) in &golden {
        let mut alignments = open(&folder.join(name)).unwrap();
        let mut found = Vec::new();
        depth(&mut alignments, &config, |contig, depths| {
            let runs = runs(depths, 1, contig.length).filter(|&(_, _, depth)| depth > 0);
            found.extend(runs.map(|(start, end, depth)| (contig.name.to_string(), start, end, depth)));
            Ok(())
        })
        .unwrap();
        check(&found, &due["fragments"], name);
    }
}

#[test]
fn windows_equal_pysam() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let golden: HashMap<String, Value> = serde_json::from_str(BINNED).unwrap();
    for (name, due) in &golden {
        for due in due.get("windows").and_then(Value::as_array).into_iter().flatten() {
            let sign = |text: &Value| if text == "+" { Strand::Forward } else { Strand::Reverse };
            let strand =
                (due["reads"] != "*").then(|| StrandFilter { strand: sign(&due["reads"]), protocol: Protocol::Read });
            let filter = ReadFilter { strand, ..ReadFilter::default() };
            let config = CoverageConfig { filter, ..CoverageConfig::default() };
            let position = due["position"].as_i64().unwrap();
            let place =
                Locus::new(due["contig"].as_str().unwrap(), position, position + 1).unwrap().on(sign(&due["strand"]));
            let mut alignments = open(&folder.join(name)).unwrap();
            let (found, _) =
                windows(&mut alignments, &[place], WindowLayout { bins: 20, bin: 50 }, &config, false).unwrap();
            assert_eq!(serde_json::to_value(&found).unwrap(), due["counts"], "{name} {due}");
        }
    }
}

/// Through the index and by a pass through the file.
#[test]
fn windows_through_an_index() {
    let Some(folder) = data("genomics") else { return };
    for (name, contig, from) in
        [("deeptools/test_paired2.bam", "chr2", 4_999_500), ("giab_chr20/NA12878_small.bam", "20", 9_999_000)]
    {
        let mut alignments = open(&folder.join(name)).unwrap();
        let places: Vec<Locus> = (0..40)
            .map(|step| {
                let base = from + step * 97;
                let strand = if step % 2 == 0 { Strand::Forward } else { Strand::Reverse };
                Locus::new(contig, base, base + 1).unwrap().on(strand)
            })
            .collect();
        for signal in [Signal::default(), Signal::Fragments { unpaired: 150, longest: 1000, each_mate: false }] {
            let config = CoverageConfig { signal, ..CoverageConfig::default() };
            let layout = WindowLayout { bins: 30, bin: 10 };
            let (whole, all) = windows(&mut alignments, &places, layout, &config, true).unwrap();
            let (indexed, part) = windows(&mut alignments, &places, layout, &config, false).unwrap();
            assert_eq!(indexed, whole, "{name}");
            assert!(part.seen <= all.seen && indexed.iter().sum::<u32>() > 0);
        }
    }
}

fn bases(path: &Path, contig: &str, length: u64) -> Vec<f32> {
    BigWig::open(path).unwrap().values(contig, 0, length).unwrap()
}

fn expanded(bins: &Bins, contig: usize, factor: f64) -> Vec<f64> {
    let each = |(start, end, count): (u64, u64, u32)| vec![f64::from(count) * factor; (end - start) as usize];
    bins.runs(contig).into_iter().flat_map(each).collect()
}

/// The bigWig files that deepTools' own tests expect: phiX in bins of 10 at 1x coverage of the default genome of its
/// Galaxy wrapper (2,451,960,000 bases, reads of 70), all reads and those of one strand of the transcripts; and testA
/// in bins of 50.
#[test]
fn bins_equal_the_expected_bigwigs() {
    let Some(folder) = data("genomics/deeptools") else { return };
    let mut phi_x = open(&folder.join("phiX.bam")).unwrap();
    let all = Bins::count(&mut phi_x, &bam_coverage(Signal::default()), 10).unwrap();
    let factor = all.factor(Scale::Rpgc { effective_genome: 2_451_960_000, fragment: 70 }).unwrap();
    let due = bases(&folder.join("bamCoverage_result4.bw"), "phiX174", 5386);
    for (place, (found, &due)) in expanded(&all, 0, factor).iter().zip(&due).enumerate() {
        // Six digits.
        assert!((found - f64::from(due)).abs() <= 5.1e-6 * found, "{place}: {found} {due}");
    }

    let mut config = bam_coverage(Signal::default());
    config.filter.strand = Some(StrandFilter { strand: Strand::Reverse, protocol: Protocol::Dutp });
    let reverse = Bins::count(&mut phi_x, &config, 10).unwrap();
    let due = bases(&folder.join("bamCoverage_result5.bw"), "phiX174", 5386);
    // How many reads are of the strand, bamCoverage estimates from a sample in which reads that are not aligned count:
    // the scale is the one of the first bin, and close to ours.
    let found = expanded(&reverse, 0, 1.0);
    let scale = f64::from(due[0]) / found[0];
    for (place, (found, &due)) in found.iter().zip(&due).enumerate() {
        assert!((scale * found - f64::from(due)).abs() <= 2e-5 * f64::from(due), "{place}: {found} {due}");
    }
    let ours = reverse.factor(Scale::Rpgc { effective_genome: 2_451_960_000, fragment: 70 }).unwrap();
    assert!((scale / ours - 1.0).abs() < 0.02, "{scale} {ours}");

    // The file is of a release that counted a spliced read twice in one bin, on the other contig.
    let bins =
        Bins::count(&mut open(&folder.join("testA.bam")).unwrap(), &bam_coverage(Signal::default()), 50).unwrap();
    let due = bases(&folder.join("testA_skipNAs.bw"), "3R", 200);
    for (found, &due) in expanded(&bins, 0, 1.0).iter().zip(&due) {
        assert_eq!(*found, if due.is_nan() { 0.0 } else { f64::from(due) });
    }
}

/// Fixed numbers of one file, by samtools view -c with the same flags.
#[test]
fn reports_of_the_research_data() {
    let Some(path) = data("genomics/deeptools/paired_chr2L.bam") else { return };
    let (found, report) = depths(&mut open(&path).unwrap(), &CoverageConfig::default());
    assert_eq!((report.seen, report.kept), (12_644, 12_589));
    assert_eq!(found.len(), 1);
    assert_eq!(report.shared_bases, 629_414 - 627_551);
}
