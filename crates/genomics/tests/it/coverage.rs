//! Coverage: against counting base by base on random reads, and against other programs on the research data (in
//! `research`).

mod naive;
mod research;

use std::collections::HashMap;

use genomics::coverage::{
    Bins, CoverageConfig, CoverageError, CoverageReport, Mates, Protocol, ReadFilter, Reason, Scale, Signal,
    StrandFilter, WindowLayout, depth, marks, region_depth, runs, windows,
};
use genomics::io::bam::{AlignmentOptions, Alignments, Order};
use genomics::io::bigwig::read_signal;
use genomics::locus::{Locus, Strand};

use self::naive::{bases, counts, depth_by_counting, random_reads};
use crate::bam::{Raw, bam, file, header, open};

const CONTIGS: [(&str, u32); 3] = [("chr1", 400), ("chr2", 90), ("chr3", 50)];

/// Depth of each contig with reads.
fn depths(alignments: &mut Alignments, config: &CoverageConfig) -> (HashMap<String, Vec<u32>>, CoverageReport) {
    let mut found = HashMap::new();
    let report = depth(alignments, config, |contig, depth| {
        assert!(found.insert(contig.name.to_string(), depth.to_vec()).is_none());
        Ok(())
    });
    (found, report.unwrap())
}

fn filtered(signal: Signal, mates: Mates) -> CoverageConfig {
    CoverageConfig { signal, mates, filter: ReadFilter { min_mapping_quality: 10, ..ReadFilter::default() } }
}

/// The same reads sorted, sorted without saying so, by name and backwards; as BAM and SAM; the depth is that counted
/// base by base.
#[test]
fn depth_equals_counting() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..12 {
        let reads = random_reads(seed);
        let (mut by_name, mut backwards) = (reads.clone(), reads.clone());
        by_name.sort_by(|one, other| one.name.cmp(&other.name));
        backwards.reverse();
        let text: String =
            header(&CONTIGS, "coordinate") + &reads.iter().map(|read| read.sam(&CONTIGS)).collect::<String>();
        let paths = [
            file(&folder, "sorted.bam", &bam(&CONTIGS, "coordinate", &reads)),
            file(&folder, "unsaid.bam", &bam(&CONTIGS, "unknown", &reads)),
            file(&folder, "names.bam", &bam(&CONTIGS, "queryname", &by_name)),
            file(&folder, "backwards.bam", &bam(&CONTIGS, "unsorted", &backwards)),
            file(&folder, "sorted.sam", text.as_bytes()),
        ];
        for (path, order) in
            paths.iter().zip([Order::Coordinate, Order::Apparent, Order::Unsorted, Order::Unsorted, Order::Coordinate])
        {
            let mut alignments = open(path).unwrap();
            assert_eq!(alignments.order(), order, "{path:?}");
            for deletions in [false, true] {
                for mates in [Mates::Once, Mates::Each] {
                    let config = filtered(Signal::Aligned { deletions }, mates);
                    let (found, report) = depths(&mut alignments, &config);
                    assert_eq!(
                        found,
                        depth_by_counting(&reads, deletions, mates),
                        "{seed} {path:?} {deletions} {mates:?}"
                    );
                    let dropped: u64 = report.dropped.values().sum();
                    assert_eq!((report.seen, report.kept + dropped), (reads.len() as u64, reads.len() as u64));
                    let sum = |depths: &HashMap<String, Vec<u32>>| {
                        depths.values().flatten().map(|&depth| u64::from(depth)).sum::<u64>()
                    };
                    let twice = sum(&depth_by_counting(&reads, deletions, Mates::Each));
                    assert_eq!(sum(&found) + report.shared_bases, twice);
                }
            }
        }
    }
}

#[test]
fn reasons_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let raw = |flags, quality, place, cigar: &[(char, u32)]| Raw {
        name: "a".to_owned(),
        flags,
        place,
        quality,
        cigar: cigar.to_vec(),
        mate: (-1, -1),
        length: 0,
    };
    let ten = [('M', 10)];
    let reads = [
        raw(0, 30, (0, 0), &ten),
        raw(0x4, 30, (0, 0), &ten),
        raw(0x100 | 0x400, 30, (0, 0), &ten),
        raw(0x200, 30, (0, 0), &ten),
        raw(0x400, 30, (0, 0), &ten),
        raw(0x800, 30, (0, 0), &ten),
        raw(0x1, 30, (0, 0), &ten),
        raw(0, 3, (0, 0), &ten),
        raw(0x10, 30, (0, 0), &ten),
        raw(0, 30, (0, 0), &[('S', 10)]),
        raw(0, 30, (0, 0), &[]),
        raw(0, 30, (0, 500), &ten),
        raw(0x4, 30, (-1, -1), &[]),
    ];
    let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &reads));
    let config = CoverageConfig {
        filter: ReadFilter {
            exclude_flags: 0xF05,
            min_mapping_quality: 5,
            strand: Some(StrandFilter { strand: Strand::Forward, protocol: Protocol::Read }),
            ..ReadFilter::default()
        },
        ..CoverageConfig::default()
    };
    let (_, report) = depths(&mut open(&path).unwrap(), &config);
    let due = [
        (Reason::Unmapped, 2),
        (Reason::Secondary, 1),
        (Reason::QualityFail, 1),
        (Reason::Duplicate, 1),
        (Reason::Supplementary, 1),
        (Reason::ExcludedFlag, 1),
        (Reason::MappingQuality, 1),
        (Reason::Strand, 1),
        (Reason::NoAlignment, 2),
        (Reason::Outside, 1),
    ];
    assert_eq!(report.dropped.clone().into_iter().collect::<Vec<_>>(), due);
    assert_eq!((report.seen, report.kept), (13, 1));
    let shown = report.to_string();
    assert!(shown.starts_with("13 reads, 1 kept; dropped: unmapped 2, secondary 1"), "{shown}");
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("\"quality-fail\":1"), "{text}");
    assert_eq!(serde_json::from_str::<CoverageReport>(&text).unwrap(), report);
    let contradictory = ReadFilter { require_flags: 0x4, ..ReadFilter::default() };
    let contradictory = CoverageConfig { filter: contradictory, ..CoverageConfig::default() };
    let refused = depth(&mut open(&path).unwrap(), &contradictory, |_, _| Ok(()));
    assert!(refused.unwrap_err().to_string().contains("flags 0x4 are both excluded and required"));
}

/// What one read covers, by hand.
#[test]
fn signals_of_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let read = |reverse: bool| Raw {
        name: "a".to_owned(),
        flags: if reverse { 0x1 | 0x2 | 0x10 | 0x40 } else { 0x1 | 0x2 | 0x20 | 0x80 },
        place: (0, if reverse { 150 } else { 100 }),
        quality: 30,
        cigar: vec![('S', 3), ('M', 20)],
        mate: (0, if reverse { 100 } else { 150 }),
        length: if reverse { -70 } else { 70 },
    };
    let fragments = |unpaired, longest, each_mate| Signal::Fragments { unpaired, longest, each_mate };
    for (reverse, signal, due) in [
        (false, Signal::FivePrime { forward: 0, reverse: 0 }, Some((100, 101))),
        (true, Signal::FivePrime { forward: 0, reverse: 0 }, Some((169, 170))),
        (false, Signal::FivePrime { forward: 4, reverse: -5 }, Some((104, 105))),
        (true, Signal::FivePrime { forward: 4, reverse: -5 }, Some((164, 165))),
        (false, Signal::Extended { size: 200 }, Some((100, 300))),
        (true, Signal::Extended { size: 200 }, Some((0, 170))),
        (true, Signal::Extended { size: 5 }, Some((165, 170))),
        (false, Signal::Extended { size: 500 }, Some((100, 400))),
        (false, fragments(0, 70, true), Some((100, 170))),
        (true, fragments(0, 70, true), Some((100, 170))),
        (false, fragments(0, 70, false), None),
        (true, fragments(0, 70, false), Some((100, 170))),
        (true, fragments(0, 69, false), None),
        (true, fragments(30, 69, false), Some((140, 170))),
        (false, fragments(30, 69, false), Some((100, 130))),
    ] {
        let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &[read(reverse)]));
        let config = CoverageConfig { signal, ..CoverageConfig::default() };
        let (found, report) = depths(&mut open(&path).unwrap(), &config);
        let covered = found.get("chr1").map(|depth| {
            let ones: Vec<_> = runs(depth, 1, 400).filter(|&(_, _, depth)| depth > 0).collect();
            assert_eq!((ones.len(), ones[0].2), (1, 1));
            (ones[0].0, ones[0].1)
        });
        assert_eq!(covered, due, "{reverse} {signal:?}");
        assert_eq!(report.kept, u64::from(due.is_some()));
        let text = serde_json::to_string(&signal).unwrap();
        assert_eq!(serde_json::from_str::<Signal>(&text).unwrap(), signal);
    }
    for signal in
        [Signal::Extended { size: 0 }, Signal::FivePrime { forward: 1 << 30, reverse: 0 }, fragments(0, 0, false)]
    {
        let config = CoverageConfig { signal, ..CoverageConfig::default() };
        let refused = depth(&mut open(&folder.path().join("a.bam")).unwrap(), &config, |_, _| Ok(()));
        assert!(matches!(refused, Err(CoverageError::Config(_))));
    }
}

/// Reads in bins, counted read by read; and what they are scaled by, from the formulas.
#[test]
fn bins_and_their_scale() {
    let folder = tempfile::tempdir().unwrap();
    let reads = random_reads(99);
    let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &reads));
    let config = filtered(Signal::default(), Mates::Once);
    for bin in [1, 7, 50, 1000] {
        let bins = Bins::count(&mut open(&path).unwrap(), &config, bin).unwrap();
        let mut due: Vec<Vec<u32>> = CONTIGS.iter().map(|(_, length)| vec![0; length.div_ceil(bin) as usize]).collect();
        for read in reads.iter().filter(|read| counts(read)) {
            let contig = read.place.0 as usize;
            let mut touched: Vec<usize> = bases(read, false)
                .into_iter()
                .filter(|&base| base < CONTIGS[contig].1 as i32)
                .map(|base| base as usize / bin as usize)
                .collect();
            touched.dedup();
            touched.into_iter().for_each(|place| due[contig][place] += 1);
        }
        // Mates count once per base only where bins are bases.
        if bin > 1 {
            assert_eq!(bins.counts, due, "{bin}");
        }
        let (kept, total) = (bins.report.kept as f64, bins.total() as f64);
        for (scale, factor) in [
            (Scale::None, 1.0),
            (Scale::Cpm, 1e6 / kept),
            (Scale::Rpkm, 1e9 / (kept * f64::from(bin))),
            (Scale::Bpm, 1e6 / total),
            (Scale::Rpgc { effective_genome: 540, fragment: 20 }, 540.0 / (20.0 * kept)),
        ] {
            let found = bins.factor(scale).unwrap();
            assert!((found / factor - 1.0).abs() < 1e-12, "{scale:?}: {found} {factor}");
        }
        let spans: u64 = (0..3).flat_map(|contig| bins.runs(contig)).map(|(start, end, _)| end - start).sum();
        assert_eq!(spans, 540);
        for name in ["a.bw", "a.bedgraph.gz"] {
            let out = folder.path().join(name);
            bins.write(&out, Scale::Cpm).unwrap();
            let signal = read_signal(&out).unwrap();
            let factor = bins.factor(Scale::Cpm).unwrap();
            for contig in &signal {
                let place = CONTIGS.iter().position(|(name, _)| *name == &*contig.name).unwrap();
                let due: Vec<_> = bins
                    .runs(place)
                    .into_iter()
                    .map(|(start, end, count)| (start, end, (f64::from(count) * factor) as f32))
                    .collect();
                let found: Vec<_> = contig.spans.iter().map(|span| (span.start, span.end, span.value)).collect();
                assert_eq!(found, due, "{name} {}", contig.name);
            }
            assert_eq!(signal.len(), 3);
        }
    }
    let nothing = CoverageConfig {
        filter: ReadFilter { min_mapping_quality: 255, ..ReadFilter::default() },
        ..CoverageConfig::default()
    };
    let empty = Bins::count(&mut open(&path).unwrap(), &nothing, 10).unwrap();
    let said = empty.factor(Scale::Cpm).unwrap_err().to_string();
    assert!(said.contains("0 reads were kept of 240"), "{said}");
    assert_eq!(empty.runs(0), [(0, 400, 0)]);
}

/// Regions and windows are parts of what a pass through the file gives.
#[test]
fn regions_and_windows() {
    let folder = tempfile::tempdir().unwrap();
    let reads = random_reads(5);
    let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &reads));
    let mut alignments = open(&path).unwrap();
    for signal in [
        Signal::default(),
        Signal::Extended { size: 40 },
        Signal::Fragments { unpaired: 9, longest: 90, each_mate: false },
    ] {
        let config = filtered(signal, Mates::Once);
        let (whole, _) = depths(&mut alignments, &config);
        for (start, end) in [(0, 400), (35, 36), (100, 250), (-20, 30), (380, 450), (500, 510)] {
            let due: Vec<u32> = (start..end)
                .map(|base| usize::try_from(base).ok().and_then(|base| whole["chr1"].get(base)).copied().unwrap_or(0))
                .collect();
            let region = Locus::new("chr1", start, end).unwrap();
            let (found, _) = region_depth(&mut alignments, &region, &config).unwrap();
            assert_eq!(found, due, "{signal:?} {start} {end}");
            let (mut turned, _) = region_depth(&mut alignments, &region.on(Strand::Reverse), &config).unwrap();
            turned.reverse();
            assert_eq!(turned, due);
        }
    }
    let config = filtered(Signal::default(), Mates::Once);
    let layout = WindowLayout { bins: 6, bin: 10 };
    let places: Vec<Locus> = [(0, 200, '+'), (0, 205, '-'), (0, 3, '+'), (0, 399, '-'), (1, 45, '+'), (0, 200, '+')]
        .into_iter()
        .map(|(contig, base, sign)| {
            let strand = if sign == '+' { Strand::Forward } else { Strand::Reverse };
            Locus::new(CONTIGS[contig as usize].0, base, base + 1).unwrap().on(strand)
        })
        .collect();
    let (found, report) = windows(&mut alignments, &places, layout, &config, true).unwrap();
    for (row, place) in places.iter().enumerate() {
        // The place is the first base of bin 3 in its direction.
        let due: Vec<u32> = (0..6)
            .map(|bin| {
                let away = 10 * (bin - 3);
                let range = match place.strand {
                    Strand::Forward => place.start + away..place.start + away + 10,
                    Strand::Reverse => place.start - away - 9..place.start - away + 1,
                };
                let touches = |read: &&Raw| {
                    counts(read)
                        && CONTIGS[read.place.0 as usize].0 == &*place.contig
                        && bases(read, false).iter().any(|&base| {
                            range.contains(&i64::from(base)) && base < CONTIGS[read.place.0 as usize].1 as i32
                        })
                };
                reads.iter().filter(touches).count() as u32
            })
            .collect();
        assert_eq!(found[row * 6..(row + 1) * 6], due, "{place}");
    }
    let files = [path.clone(), path];
    let matrix = marks(&files, &AlignmentOptions::default(), &places, layout, &config, Scale::Cpm).unwrap();
    assert_eq!((matrix.places, matrix.marks, matrix.bins, matrix.values.len()), (6, 2, 6, 72));
    let scaled: Vec<f32> = found.iter().map(|&count| (f64::from(count) * 1e6 / report.kept as f64) as f32).collect();
    for (row, due) in scaled.chunks(6).enumerate() {
        for mark in 0..2 {
            let found = &matrix.values[(2 * row + mark) * 6..][..6];
            assert!(found.iter().zip(due).all(|(found, due)| (found - due).abs() <= 1e-6 * due), "{found:?} {due:?}");
        }
    }
    let refused = marks(&files, &AlignmentOptions::default(), &places, layout, &config, Scale::Bpm);
    assert!(refused.unwrap_err().to_string().contains("take cpm"));
    let elsewhere = [Locus::new("chr9", 0, 1).unwrap()];
    assert!(windows(&mut alignments, &elsewhere, layout, &config, false).unwrap_err().to_string().contains("chr9"));
}
