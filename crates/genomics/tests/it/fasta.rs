//! FASTA, FASTQ and the genome store: on real genomes, on damaged files, on lines without end.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use genomics::genome::{Edge, Genome, GenomeError};
use genomics::io::fasta::{FastaReader, IndexedFasta, build_index, genome_from, read_index, write_fasta};
use genomics::io::fastq::FastqReader;
use genomics::io::{IoError, read_genome};
use genomics::locus::{Locus, Strand};
use genomics::sequence::{Unknown, gc_content, one_hot, reverse_complement};
use proptest::prelude::*;
use rand::RngExt;

use crate::data;

fn at(contig: &str, start: i64, end: i64) -> Locus {
    Locus::new(contig, start, end).unwrap()
}

// ---------------------------------------------------------------- real genomes

/// Numbers of bases, and shares of G and C as Python counts them.
#[test]
fn genomes_of_every_kind() {
    for (file, contig, bases, gc) in [
        ("genomes/ecoli536_NC_008253.fna.gz", "NC_008253", 4_938_920, 0.505_175_220_5),
        ("genomes/lambda.fa.gz", "NC_001416.1", 48_502, 0.498_577_378_3),
        ("yeast_chr12/chr1.fa.gz", "chrI", 230_208, 0.392_736_134_3),
        ("yeast_chr12/chr2.fa.gz", "II", 813_178, 0.383_442_493_5),
        ("yeast_sacCer3/sacCer3.fa", "IV", 1_531_933, 0.379_064_228),
        ("yeast_chr12/chrI_genome.fa", "I", 230_218, 0.396_717_712_9),
        ("htslib/ce.fa", "CHROMOSOME_I", 1_009_800, 0.371_532_977),
        ("deeptools/phiX.fasta", "phiX174", 5_386, 0.447_085_035_3),
    ] {
        let Some(path) = data::path(&format!("genomics/{file}")) else { continue };
        let genome = read_genome(&path).unwrap();
        assert_eq!(genome.length(contig), Some(bases), "{file}");
        let letters = genome.window(&at(contig, 0, bases as i64), Edge::Refuse).unwrap();
        assert!((gc_content(&letters) - gc).abs() < 1e-9, "{file}: {}", gc_content(&letters));
        // Two bits a base, and the runs.
        assert!(genome.bytes() as u64 <= genome.bases() / 4 + 4096, "{file}: {} bytes", genome.bytes());
    }
    let Some(path) = data::path("genomics/yeast_chr12/chrI_genome.fa") else { return };
    let masked = read_genome(&path).unwrap();
    assert_eq!((masked.unknown_share(&at("I", 0, 230_218)) * 230_218.0).round(), 18_841.0);
}

#[test]
fn a_soft_masked_chromosome_that_is_mostly_unknown() {
    let Some(folder) = data::path("genomics/giab_chr20") else { return };
    let path = folder.join("ucsc.hg19.chr20.unittest.fasta.gz");
    let genome = read_genome(&path).unwrap();
    assert_eq!(genome.contigs().collect::<Vec<_>>(), [("chr20", 63_025_520)]);
    let known = at("chr20", 9_995_000, 11_095_000);
    assert_eq!(genome.masked_share(&known), 453_216.0 / 1_100_000.0);
    assert_eq!((genome.unknown_share(&known), genome.unknown_share(&at("20", 0, 9_995_000))), (0.0, 1.0));
    let letters = genome.window(&known, Edge::Refuse).unwrap();
    assert!(letters.iter().all(|letter| b"ACGT".contains(letter)), "small letters come out as capitals");

    // By both indices, the same windows.
    let mut parts = IndexedFasta::open(&path).unwrap();
    let mut rng = nn_core::data::rng(1, &[]);
    for _ in 0..60 {
        let start = rng.random_range(9_994_000..11_096_000);
        let strand = if rng.random::<bool>() { Strand::Forward } else { Strand::Reverse };
        let locus = at("NC_000020", start, start + rng.random_range(0..3_000)).on(strand);
        assert_eq!(
            parts.window(&locus, Edge::Refuse).unwrap(),
            genome.window(&locus, Edge::Refuse).unwrap(),
            "{locus}"
        );
    }
    for (start, end) in [(-500, 500), (63_025_000, 63_026_020), (63_025_520, 63_025_530)] {
        let locus = at("chr20", start, end);
        let window = genome.window(&locus, Edge::Pad).unwrap();
        assert_eq!((window.len(), &window), (locus.len(), &parts.window(&locus, Edge::Pad).unwrap()));
        assert!(parts.window(&locus, Edge::Refuse).is_err());
        assert!(matches!(genome.window(&locus, Edge::Refuse), Err(GenomeError::Outside { .. })));
    }
}

#[test]
fn one_hot_windows_of_both_ways() {
    let Some(path) = data::path("genomics/yeast_sacCer3/sacCer3.fa") else { return };
    let genome = read_genome(&path).unwrap();
    let mut rng = nn_core::data::rng(2, &[]);
    let loci: Vec<Locus> = (0..500)
        .map(|index| {
            let start = rng.random_range(-300..1_532_000);
            at("chrIV", start, start + 501).on(if index % 2 == 0 { Strand::Forward } else { Strand::Reverse })
        })
        .collect();
    let letters: Vec<Vec<u8>> = loci.iter().map(|locus| genome.window(locus, Edge::Pad).unwrap()).collect();
    let letters: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
    for unknown in [Unknown::Zeros, Unknown::Quarter] {
        assert_eq!(genome.one_hot(&loci, Edge::Pad, unknown).unwrap(), one_hot(&letters, 501, unknown));
    }
}

/// The record of kipoiseq's test data begins at position 32,000,000 of its chromosome.
#[test]
fn a_record_that_is_a_part_of_its_contig() {
    let Some(folder) = data::path("genomics/kipoiseq_chr22") else { return };
    let path = folder.join("hg38_chr22_32000000_32300000.fa");
    let mut genome = read_genome(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let letters = text.lines().nth(1).unwrap().as_bytes();
    assert!(genome.offset("chr22", 32_000_000));
    assert_eq!(genome.range("22"), Some(32_000_000..32_300_000));
    let window = |start, end, edge| genome.window(&at("chr22", start, end), edge);
    assert_eq!(window(32_000_000, 32_000_020, Edge::Refuse).unwrap(), b"AAGTTCCGGGATACATGTGC");
    assert_eq!(window(32_100_000, 32_101_000, Edge::Refuse).unwrap(), &letters[100_000..101_000]);
    assert_eq!(window(32_299_990, 32_300_010, Edge::Pad).unwrap(), [&letters[299_990..], &[b'N'; 10]].concat());
    let message = window(0, 100, Edge::Refuse).unwrap_err().to_string();
    assert!(
        message.contains("chr22:1-100(+) leaves its contig, which has the bases 32000001 to 32300000"),
        "{message}"
    );
    let reverse = genome.window(&at("22", 32_000_000, 32_000_020).on(Strand::Reverse), Edge::Refuse).unwrap();
    assert_eq!(reverse, reverse_complement(b"AAGTTCCGGGATACATGTGC"));
}

#[test]
fn indices_that_came_with_the_data() {
    for file in ["htslib/ce.fa", "yeast_sacCer3/sacCer3.fa"] {
        let Some(path) = data::path(&format!("genomics/{file}")) else { continue };
        assert_eq!(build_index(&path).unwrap(), read_index(&path.with_added_extension("fai")).unwrap(), "{file}");
    }
    let Some(path) = data::path("genomics/htslib/ce.fa") else { return };
    let mut parts = IndexedFasta::open(&path).unwrap();
    let genome = read_genome(&path).unwrap();
    for (contig, length) in genome.contigs() {
        let whole = at(contig, 0, length as i64);
        assert_eq!(parts.window(&whole, Edge::Refuse).unwrap(), genome.window(&whole, Edge::Refuse).unwrap());
    }
    assert_eq!(parts.genome(&["CHROMOSOME_X", "CHROMOSOME_II"]).unwrap().bases(), 10_000);
}

#[test]
fn what_is_no_fasta() {
    let Some(path) = data::path("genomics/giab_chr20/malformed.fasta") else { return };
    let message = read_genome(&path).unwrap_err().to_string();
    assert!(message.ends_with("malformed.fasta, line 1: text before the first '>'; is this FASTA?"), "{message}");
}

// ---------------------------------------------------------------- lines without end

#[test]
fn a_line_of_a_hundred_million_bases_streams() {
    const BASES: u64 = 100_000_000;
    let endless = || BufReader::new(b">chr1 long\n".as_slice().chain(io::repeat(b'c').take(BASES)));
    let mut reader = FastaReader::new(endless(), Path::new("long.fa"));
    assert_eq!(reader.header().unwrap().unwrap().description(), "long");
    let mut longest = 0;
    let bases = reader.sequence(|part| {
        longest = longest.max(part.len());
        Ok(())
    });
    assert_eq!(bases.unwrap(), BASES);
    assert!(longest <= 1 << 16, "{longest} bases were held at once");
    let genome = genome_from(endless(), Path::new("long.fa")).unwrap();
    assert!(genome.bytes() as u64 <= BASES / 4 + 64, "{} bytes", genome.bytes());
    assert_eq!(genome.window(&at("chr1", 99_999_998, 100_000_001), Edge::Pad).unwrap(), b"CCN");
}

// ---------------------------------------------------------------- damaged files

#[test]
fn damaged_fasta_gets_an_answer() {
    let text = b">chr1 a b\r\nACGTNRyk\r\nAC\n\n>chr2\nacgtAC GT\n>3\nA";
    for bytes in data::damaged(text) {
        for record in FastaReader::new(bytes.as_slice(), Path::new("a.fa")) {
            match record {
                Ok(record) => assert!(record.sequence.iter().all(|letter| b"ACGTRYSWKMBDHVN".contains(letter))),
                Err(error) => assert!(error.to_string().starts_with("a.fa, line "), "{error}"),
            }
        }
        if let Ok(genome) = genome_from(bytes.as_slice(), Path::new("a.fa")) {
            for (name, length) in genome.contigs() {
                assert!(length > 0 && !name.is_empty());
                assert_eq!(genome.window(&at(name, -1, 1), Edge::Pad).unwrap().len(), 2);
            }
        }
    }
}

#[test]
fn damaged_compression_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa.gz");
    let letters: Vec<u8> = (0..400_u32).map(|place| b"ACGT"[(place * place / 7) as usize % 4]).collect();
    write_fasta(&path, [("chr1", letters.as_slice())]).unwrap();
    let whole = read_genome(&path).unwrap();
    let text = [b">chr1\n", letters.as_slice()].concat();
    for compressed in [fs::read(&path).unwrap(), data::gzip(&text)] {
        for length in 0..compressed.len() {
            fs::write(&path, &compressed[..length]).unwrap();
            assert!(read_genome(&path).is_err(), "{length} of {} bytes", compressed.len());
        }
        // Bytes that no checksum covers, as the time in the header, say nothing about the content.
        for bytes in data::flipped(&compressed) {
            fs::write(&path, &bytes).unwrap();
            assert!(read_genome(&path).map_or(true, |genome| genome == whole));
        }
    }
}

/// The index of the blocks of a bgzip file (SAM specification, section 4.1): where each begins but the first.
fn blocks_of(compressed: &[u8]) -> Vec<u8> {
    let (mut entries, mut place, mut bases) = (Vec::new(), 0, 0);
    while place < compressed.len() {
        let size = usize::from(u16::from_le_bytes([compressed[place + 16], compressed[place + 17]])) + 1;
        let end = place + size;
        bases += u64::from(u32::from_le_bytes(compressed[end - 4..end].try_into().unwrap()));
        entries.push((end as u64, bases));
        place = end;
    }
    // The last block is the end marker; what would begin behind it and the block before is nothing.
    entries.truncate(entries.len() - 2);
    let mut bytes = (entries.len() as u64).to_le_bytes().to_vec();
    for (compressed, plain) in entries {
        bytes.extend(compressed.to_le_bytes());
        bytes.extend(plain.to_le_bytes());
    }
    bytes
}

#[test]
fn damaged_indices_get_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fa.gz");
    let letters: Vec<u8> =
        (0..200_000_u32).map(|place| b"ACGT"[(place.wrapping_mul(place) / 7) as usize % 4]).collect();
    write_fasta(&path, [("chr1", b"ACGT".as_slice()), ("chr2", letters.as_slice())]).unwrap();
    let (index, blocks) = (path.with_added_extension("fai"), path.with_added_extension("gzi"));
    let whole = blocks_of(&fs::read(&path).unwrap());
    assert_eq!(whole.len(), 8 + 16 * 3);
    fs::write(&blocks, &whole).unwrap();
    let locus = at("chr2", 150_000, 150_100);
    let expected = &letters[150_000..150_100];
    assert_eq!(IndexedFasta::open(&path).unwrap().window(&locus, Edge::Refuse).unwrap(), expected);
    let window = || -> Result<Vec<u8>, IoError> { IndexedFasta::open(&path)?.window(&locus, Edge::Refuse) };
    for bytes in data::damaged(&whole) {
        fs::write(&blocks, bytes).unwrap();
        assert!(window().map_or(true, |window| window.len() == 100));
    }
    fs::write(&blocks, &whole).unwrap();
    for bytes in data::damaged(b"chr1\t4\t6\t4\t5\nchr2\t200000\t17\t60\t61\n") {
        fs::write(&index, bytes).unwrap();
        assert!(window().map_or(true, |window| window.len() == 100));
        assert!(read_genome(&path).map_or(true, |genome| genome.bases() == 200_004));
    }
}

#[test]
fn damaged_reads_get_an_answer() {
    let text = b"@r1 x\r\nACGN\r\n+r1 x\r\nIII#\r\n@r2\nA\n+\n!\n";
    for bytes in data::damaged(text) {
        for read in FastqReader::new(bytes.as_slice(), Path::new("a.fq")) {
            match read {
                Ok(read) => assert_eq!(read.sequence.len(), read.qualities.len()),
                Err(error) => assert!(error.to_string().starts_with("a.fq, line "), "{error}"),
            }
        }
    }
}

proptest! {
    /// A genome comes back from a file, whatever its letters and lines.
    #[test]
    fn genomes_come_back(
        contigs in proptest::collection::vec("[ACGTacgtNRY]{1,90}", 1..4), width in 1_usize..50, bgzip: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if bgzip { "a.fa.gz" } else { "a.fa" });
        let expected: Vec<(String, Vec<u8>)> = contigs
            .iter()
            .enumerate()
            .map(|(number, bases)| (format!("c{number}"), bases.clone().into_bytes()))
            .collect();
        if bgzip {
            let records = expected.iter().map(|(name, bases)| (name.as_str(), bases.as_slice()));
            write_fasta(&path, records).unwrap();
        } else {
            let mut text = Vec::new();
            for (name, bases) in &expected {
                text.extend(format!(">{name} x\n").into_bytes());
                for line in bases.chunks(width) {
                    text.extend_from_slice(line);
                    text.extend_from_slice(b"\r\n");
                }
            }
            fs::write(&path, text).unwrap();
        }
        prop_assert_eq!(read_genome(&path).unwrap(), Genome::from_contigs(expected).unwrap());
    }
}
