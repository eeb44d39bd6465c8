//! Intervals: counts and sums of real files, and damaged ones.

use std::fs;
use std::path::Path;

use genomics::io::bed::{BedLayout, BedReader, BedRecord, write_bed};
use genomics::io::{IoError, read_bed};
use genomics::locus::Strand;

use crate::data;

/// Counts and sums as awk gives them.
#[test]
fn reads_and_peaks_of_a_chip_experiment() {
    let Some(folder) = data::path("genomics/macs_ctcf_chr22") else { return };
    for (name, rows) in [
        ("CTCF_SE_ChIP_chr22_50k.bed.gz", 49_622),
        ("CTCF_SE_CTRL_chr22_50k.bed.gz", 50_837),
        ("expected_filterdup.bed.gz", 48_047),
        ("expected_run_callpeak_narrow0_summits.bed", 730),
    ] {
        let records = read_bed(&folder.join(name)).unwrap();
        assert_eq!(records.len(), rows, "{name}");
        assert!(records.iter().all(|record| &*record.locus.contig == "chr22"));
    }
    let reads = read_bed(&folder.join("CTCF_SE_ChIP_chr22_50k.bed.gz")).unwrap();
    assert!(reads.iter().all(|read| read.stranded && read.name.is_none() && read.score.is_none()));
    let reverse = reads.iter().filter(|read| read.locus.strand == Strand::Reverse).count();
    assert_eq!(reverse, 24_755);
}

#[test]
fn a_peak_and_its_summit_say_the_same() {
    let Some(folder) = data::path("genomics/macs_ctcf_chr22") else { return };
    let peaks = read_bed(&folder.join("expected_run_callpeak_narrow0_peaks.narrowPeak")).unwrap();
    let summits = read_bed(&folder.join("expected_run_callpeak_narrow0_summits.bed")).unwrap();
    assert_eq!((peaks.len(), summits.len()), (730, 730));
    for (peak, summit) in peaks.iter().zip(&summits) {
        assert_eq!((peak.summit(), peak.name.as_ref()), (summit.locus.start, summit.name.as_ref()));
        // MACS3 writes the q-value of a summit as its score.
        assert_eq!(peak.q_value, summit.score);
        assert_eq!(peak.window(101), summit.locus.centred(101));
    }
    assert_eq!((peaks[0].signal, peaks[0].peak, peaks[0].summit()), (Some(13.2158), Some(166), 17_255_632));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.narrowPeak.gz");
    write_bed(&path, &peaks, BedLayout::NarrowPeak).unwrap();
    assert_eq!(read_bed(&path).unwrap(), peaks);
}

#[test]
fn islands_and_malformed_lines() {
    if let Some(path) = data::path("genomics/deepcpg_cpg/CGI.bed.gz") {
        assert_eq!(read_bed(&path).unwrap().len(), 1_486);
    }
    let Some(path) = data::path("genomics/giab_chr20/malformed.bed") else { return };
    // Blocks are counted from the start of the interval; this file counts them from that of the contig.
    let message = read_bed(&path).unwrap_err().to_string();
    assert!(message.contains("malformed.bed, line 2: block 1 of 2 bases, 10 behind the start, leaves"), "{message}");
    let refused: Vec<IoError> = BedReader::open(&path).unwrap().filter_map(Result::err).collect();
    assert!(refused[1].to_string().contains("line 4: 2 columns where 12 are due"), "{}", refused[1]);
}

#[test]
fn damaged_files_get_an_answer() {
    let twelve = b"# x\nchr7\t0\t200\tgene\t960\t-\t110\t190\t255,0,0\t2\t10,30,\t0,170,\n\
                   chr7\t5\t9\tx\t0\t+\t5\t5\t0\t1\t4\t0\n";
    let peaks = b"chr22\t100\t300\tp1\t214\t.\t13.2\t24.2\t-1\t166\r\nchr22\t400\t500\tp2\t1\t+\t1\t2\t3\t-1\r\n";
    for text in [twelve.as_slice(), peaks.as_slice()] {
        for bytes in data::damaged(text) {
            for record in BedReader::new(bytes.as_slice(), Path::new("a.bed")) {
                match record {
                    Ok(record) => assert!(sound(&record), "{record:?}"),
                    Err(error) => assert!(error.to_string().starts_with("a.bed, line "), "{error}"),
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bed.gz");
    let compressed = data::gzip(twelve);
    for length in 0..compressed.len() {
        fs::write(&path, &compressed[..length]).unwrap();
        assert!(read_bed(&path).is_err(), "{length}");
    }
}

fn sound(record: &BedRecord) -> bool {
    let locus = &record.locus;
    let inside = |block: &std::ops::Range<i64>| locus.start <= block.start && block.end <= locus.end;
    locus.start >= 0
        && locus.end >= locus.start
        && record.blocks.iter().all(inside)
        && record.peak.is_none_or(|peak| (0..locus.len() as i64).contains(&peak))
        && record.score.is_none_or(f64::is_finite)
}
