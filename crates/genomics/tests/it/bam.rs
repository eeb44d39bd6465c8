//! The readers of aligned reads: on damaged files, on unusual ones, and on the research data (in `research`). The BAM
//! files are put together byte by byte (in `raw`).

mod raw;
mod research;

use std::path::Path;
use std::time::{Duration, Instant};

use genomics::genome::Genome;
use genomics::io::IoError;
use genomics::io::bam::{AlignedRead, AlignmentOptions, Alignments, Order, flag};
use genomics::locus::Locus;
use nn_core::data::rng;
use rand::RngExt;

pub(crate) use self::raw::{Raw, bam, file, header};
use self::raw::{packed, plain};
use crate::data::{damaged, flipped};

pub(crate) fn open(path: &Path) -> Result<Alignments, IoError> {
    Alignments::open(path, &AlignmentOptions::default())
}

fn rest(mut alignments: Alignments) -> Result<Vec<AlignedRead>, IoError> {
    let mut reads = Vec::new();
    while alignments.advance()? {
        reads.push(alignments.read().clone());
    }
    Ok(reads)
}

fn reads(path: &Path) -> Result<Vec<AlignedRead>, IoError> {
    rest(open(path)?)
}

fn message<T>(result: Result<T, IoError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

const CONTIGS: [(&str, u32); 2] = [("chr1", 1000), ("chr2", 500)];

fn sample() -> Vec<Raw> {
    let raw = |name: &str, flags, place, cigar: &[(char, u32)]| Raw {
        name: name.to_owned(),
        flags,
        place,
        quality: 30,
        cigar: cigar.to_vec(),
        mate: (-1, -1),
        length: 0,
    };
    vec![
        Raw { mate: (0, 40), length: 80, ..raw("pair", 0x1 | 0x2 | 0x20 | 0x40, (0, 10), &[('S', 3), ('M', 40)]) },
        Raw {
            mate: (0, 10),
            length: -80,
            ..raw("pair", 0x1 | 0x2 | 0x10 | 0x80, (0, 40), &[('M', 20), ('D', 5), ('M', 25)])
        },
        raw("spliced", 0x10, (0, 300), &[('M', 10), ('N', 200), ('M', 10), ('I', 2), ('=', 3), ('X', 1)]),
        raw("other", 0, (1, 0), &[('H', 5), ('M', 30)]),
        raw("starred", 0x400, (1, 7), &[]),
        raw("nowhere", 0x4, (-1, -1), &[]),
    ]
}

#[test]
fn bam_and_sam_of_the_same_reads() {
    let folder = tempfile::tempdir().unwrap();
    let due: Vec<AlignedRead> = sample().iter().map(Raw::read).collect();
    let text: String =
        header(&CONTIGS, "coordinate") + &sample().iter().map(|raw| raw.sam(&CONTIGS)).collect::<String>();
    let paths = [
        file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &sample())),
        file(&folder, "a.sam", text.as_bytes()),
        file(&folder, "a.sam.gz", &packed(text.as_bytes())),
        file(&folder, "crlf.sam", text.replace('\n', "\r\n").as_bytes()),
    ];
    for path in &paths {
        let alignments = open(path).unwrap();
        assert_eq!(alignments.order(), Order::Coordinate, "{path:?}");
        assert!(alignments.warnings().is_empty(), "{path:?}");
        let contigs: Vec<(&str, u64)> =
            alignments.contigs().iter().map(|contig| (&*contig.name, contig.length)).collect();
        assert_eq!(contigs, [("chr1", 1000), ("chr2", 500)]);
        assert_eq!(alignments.contig("1").unwrap(), 0);
        assert!(message(alignments.contig("chr3")).contains("chr1, chr2"));
        assert_eq!(rest(alignments).unwrap(), due, "{path:?}");
    }
}

#[test]
fn intervals_are_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        file(&folder, "a.bed", b"track name=x\nchr2\t5\t10\ta\t0\t-\nchr1\t0\t7\tb\t0\t+\nchr2\t8\t30\tc\t0\t.\n");
    let alignments = open(&path).unwrap();
    let contigs: Vec<_> =
        alignments.contigs().iter().map(|contig| (&*contig.name, contig.length, contig.exact)).collect();
    assert_eq!(contigs, [("chr2", 30, false), ("chr1", 7, false)]);
    let seen: Vec<_> =
        rest(alignments).unwrap().iter().map(|read| (read.contig, read.start, read.end(), read.flags)).collect();
    assert_eq!(seen, [(Some(0), 5, 10, flag::REVERSE), (Some(1), 0, 7, 0), (Some(0), 8, 30, 0)]);
    let given = AlignmentOptions { contigs: vec![("chr1".to_owned(), 100)], ..AlignmentOptions::default() };
    let said = message(Alignments::open(&path, &given).and_then(rest));
    assert!(said.contains("read 1: contig chr2 is not among those that were given"), "{said}");
}

/// Every beginning of a file and each of its bits flipped: no panic, and never other reads than those written. What a
/// cut leaves unsaid is warned of.
#[test]
fn damage_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let due: Vec<AlignedRead> = sample().iter().map(Raw::read).collect();
    let whole = bam(&CONTIGS, "coordinate", &sample());
    for length in 0..whole.len() {
        let path = file(&folder, "cut.bam", &whole[..length]);
        if let Ok(alignments) = open(&path) {
            assert!(alignments.warnings()[0].contains("no end marker"), "{length}");
            if let Ok(found) = rest(alignments) {
                assert_eq!(found, due, "{length}");
            }
        }
    }
    let mut harmless = 0;
    for flipped in flipped(&whole) {
        let path = file(&folder, "flipped.bam", &flipped);
        if let Ok(found) = reads(&path) {
            assert_eq!(found, due);
            harmless += 1;
        }
    }
    // Bits that say nothing, of two blocks: time, compressor and system in the head, the rest of the last byte of the
    // data.
    assert!(harmless <= 2 * (6 * 8 + 7), "{harmless}");
}

#[test]
fn damaged_text_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let text: String =
        header(&CONTIGS, "coordinate") + &sample()[..3].iter().map(|raw| raw.sam(&CONTIGS)).collect::<String>();
    for bytes in damaged(text.as_bytes()) {
        let _ = reads(&file(&folder, "a.sam", &bytes));
    }
    for bytes in damaged(b"chr1\t5\t10\ta\t0\t-\n") {
        let _ = reads(&file(&folder, "a.bed", &bytes));
    }
}

/// The four faults of BGZF, each in a block that is well formed otherwise.
#[test]
fn faults_of_bgzf() {
    let folder = tempfile::tempdir().unwrap();
    let whole = bam(&CONTIGS, "coordinate", &sample());
    // One block of data, and the end marker of 28 bytes.
    let data = whole.len() - 28;
    let with = |at: usize, bytes: &[u8]| {
        let mut copy = whole.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        message(reads(&file(&folder, "fault.bam", &copy)))
    };
    for (said, part) in [
        (with(data - 4, &65_537_u32.to_le_bytes()), "fault.bam"),
        (with(16, &[0, 0]), "fault.bam"),
        (with(data - 8, &[1, 2, 3, 4]), "fault.bam"),
    ] {
        assert!(said.contains(part) && said.contains("damaged or cut short"), "{said}");
    }
    let path = file(&folder, "endless.bam", &whole[..data]);
    let alignments = open(&path).unwrap();
    assert_eq!(alignments.warnings().len(), 1);
    assert!(alignments.warnings()[0].contains("endless.bam has no end marker"));
    assert_eq!(rest(alignments).unwrap().len(), sample().len());
}

/// Sizes that are not followed by as many bytes: an error at once, and no memory for them.
#[test]
fn sizes_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let text = header(&CONTIGS, "coordinate");
    let records = plain(&text, &CONTIGS, &sample()[..1]);
    let first = plain(&text, &CONTIGS, &[]).len();
    let contigs = 8 + text.len();
    let started = Instant::now();
    for (at, value, part) in [
        (4, u32::MAX, "the bytes of its text are"),
        (4, 1 << 29, "before a part that has 536870912"),
        (contigs, u32::MAX, "the contigs are"),
        (contigs, 1 << 23, ""),
        (contigs + 4, u32::MAX, "the bytes of a contig's name are"),
        (first, 0, "a record says that it has 0 bytes"),
        (first, u32::MAX, "a record says that it has 4294967295 bytes"),
        (first, 1 << 29, "before a part that has 536870912"),
        (first + 4, 2, "a read is on contig 2; the header has 2"),
        (first + 4, 1 << 31, ""),
        (first + 20, u32::MAX, "says that its parts have"),
    ] {
        let mut copy = records.clone();
        copy[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let said = message(reads(&file(&folder, "bomb.bam", &packed(&copy))));
        assert!(said.contains("bomb.bam") && said.contains(part), "{at} {value}: {said}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_cigar_of_seventy_thousand_operations() {
    let folder = tempfile::tempdir().unwrap();
    let cigar: Vec<(char, u32)> = (0..70_001).map(|place| if place % 2 == 0 { ('M', 3) } else { ('D', 1) }).collect();
    let long = Raw { name: "long".to_owned(), place: (0, 5), cigar, mate: (-1, -1), quality: 1, ..Raw::default() };
    let contigs = [("chr1", 1_000_000)];
    let path = file(&folder, "a.bam", &bam(&contigs, "coordinate", std::slice::from_ref(&long)));
    let found = reads(&path).unwrap();
    assert_eq!(found, [long.read()]);
    assert_eq!(found[0].end(), 5 + 35_001 * 3 + 35_000);
}

/// A file that is large enough for other threads to inflate it.
#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = rng(1, &[5]);
    let contigs = [("chr1", 10_000_000)];
    let records: Vec<Raw> = (0..250_000)
        .map(|place| Raw {
            name: (0..40).map(|_| char::from(rng.random_range(b'!'..=b'~'))).collect(),
            place: (0, 30 * place),
            cigar: vec![('M', rng.random_range(20..90))],
            mate: (-1, -1),
            ..Raw::default()
        })
        .collect();
    let bytes = bam(&contigs, "coordinate", &records);
    assert!(bytes.len() > 5 << 20, "{}", bytes.len());
    let whole = file(&folder, "a.bam", &bytes);
    let cut = file(&folder, "cut.bam", &bytes[..bytes.len() / 2]);
    for threads in [1, 2, 4] {
        let options = AlignmentOptions { threads: Some(threads), ..AlignmentOptions::default() };
        let mut alignments = Alignments::open(&whole, &options).unwrap();
        let mut seen = 0;
        while alignments.advance().unwrap() {
            let (read, due) = (alignments.read(), &records[seen]);
            assert!(read.start == i64::from(due.place.1) && read.name == due.name.as_bytes(), "{threads} {seen}");
            seen += 1;
        }
        assert_eq!(seen, records.len());
        let said = message(Alignments::open(&cut, &options).and_then(rest));
        assert!(said.contains("cut.bam: read 12"), "{said}");
    }
}

#[test]
fn the_order_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut turned = sample();
    turned.swap(0, 1);
    let order = |name: &str, order: &str, records: &[Raw]| {
        let path = file(&folder, name, &bam(&CONTIGS, order, records));
        (open(&path).unwrap().order(), message(reads(&path)))
    };
    assert_eq!(order("a.bam", "unknown", &sample()), (Order::Apparent, String::new()));
    assert_eq!(order("b.bam", "queryname", &turned), (Order::Unsorted, String::new()));
    let (declared, said) = order("c.bam", "coordinate", &turned);
    assert_eq!(declared, Order::Coordinate);
    assert!(said.contains("read 2: it comes before the last one") && said.contains("samtools sort"), "{said}");
    let options = AlignmentOptions { order: Some(Order::Unsorted), ..AlignmentOptions::default() };
    let path = folder.path().join("c.bam");
    assert_eq!(Alignments::open(&path, &options).and_then(rest).unwrap().len(), turned.len());
}

#[test]
fn regions_without_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &sample()));
    let mut alignments = open(&path).unwrap();
    for (contig, start, end, due) in [
        (0, 0, 11, vec!["pair"]),
        (0, 49, 50, vec!["pair", "pair"]),
        (0, 90, 300, vec![]),
        // Within the intron.
        (0, 400, 401, vec!["spliced"]),
        (1, 7, 8, vec!["other", "starred"]),
        (1, 30, 500, vec![]),
    ] {
        alignments.select(contig, start, end).unwrap();
        let mut names = Vec::new();
        while alignments.advance().unwrap() {
            names.push(String::from_utf8(alignments.read().name.clone()).unwrap());
        }
        assert_eq!(names, due, "{contig}:{start}-{end}");
    }
    alignments.rewind().unwrap();
    assert_eq!(rest(alignments).unwrap().len(), sample().len());
}

#[test]
fn the_genome_has_to_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.bam", &bam(&CONTIGS, "coordinate", &sample()));
    let alignments = open(&path).unwrap();
    let genome = |contigs: &[(&str, usize)]| {
        Genome::from_contigs(contigs.iter().map(|&(name, length)| (name.to_owned(), vec![b'A'; length]))).unwrap()
    };
    alignments.check_genome(&genome(&[("chr1", 1000), ("chr2", 500)])).unwrap();
    alignments.check_genome(&genome(&[("2", 500)])).unwrap();
    let said = message(alignments.check_genome(&genome(&[("chr1", 999), ("chr7", 500)])));
    for part in [
        "a.bam",
        "chr1 has 1000 bases, chr1 has 999",
        "chr7 is missing",
        "the file has chr1, chr2",
        "the genome has chr1, chr7",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // Contigs without a place need not be there.
    let (larger, place) = (genome(&[("chr1", 1000), ("chr7", 500)]), |contig: &str| Locus::new(contig, 5, 9).unwrap());
    alignments.check_places(&larger, &[place("chr1"), place("1")]).unwrap();
    let said = message(alignments.check_places(&larger, &[place("chr1"), place("chr7")]));
    assert!(said.contains("chr7 is missing") && !said.contains("chr1 has"), "{said}");
    let mut part = genome(&[("chr1", 100)]);
    part.offset("chr1", 800);
    alignments.check_genome(&part).unwrap();
    part.offset("chr1", 950);
    assert!(alignments.check_genome(&part).is_err());
}

#[test]
fn other_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(open(&file(&folder, "a.bam", b"PK\x03\x04\0\0\0\0"))).contains("none of BAM, SAM, CRAM and BED"));
    assert!(matches!(open(&file(&folder, "empty.bam", b"")), Err(IoError::Empty { .. })));
    assert!(matches!(open(&folder.path().join("absent.bam")), Err(IoError::Open { .. })));
    let twice = header(&[("chr1", 10), ("chr1", 10)], "unknown");
    assert!(message(open(&file(&folder, "a.sam", twice.as_bytes()))).contains("contig chr1 is twice in its header"));
    let headerless = file(&folder, "b.sam", sample()[0].sam(&CONTIGS).as_bytes());
    assert!(message(reads(&headerless)).contains("line 1: the header names no contigs"));
    let options = AlignmentOptions { contigs: vec![("chr1".to_owned(), 1000)], ..AlignmentOptions::default() };
    assert_eq!(Alignments::open(&headerless, &options).and_then(rest).unwrap(), [sample()[0].read()]);
    // Plain gzip, which has no blocks.
    let gzip = crate::data::gzip(&plain(&header(&CONTIGS, "unknown"), &CONTIGS, &sample()));
    assert!(message(reads(&file(&folder, "gzip.bam", &gzip))).contains("gzip.bam"));
}
