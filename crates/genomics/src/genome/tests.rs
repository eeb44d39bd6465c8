//! Genomes of two bits a base against plain strings.

use proptest::prelude::*;

use super::*;
use crate::sequence::{normalise, one_hot, reverse_complement};

fn genome(bases: &str) -> Genome {
    Genome::from_contigs([("chr1".to_owned(), bases.as_bytes().to_vec())]).unwrap()
}

fn at(start: i64, end: i64) -> Locus {
    Locus::new("chr1", start, end).unwrap()
}

fn text(genome: &Genome, locus: &Locus) -> String {
    String::from_utf8(genome.window(locus, Edge::Pad).unwrap()).unwrap()
}

#[test]
fn letters_come_back_in_capitals() {
    let genome = genome("acgtNNRYACGU");
    assert_eq!(text(&genome, &at(0, 12)), "ACGTNNRYACGT");
    assert_eq!(text(&genome, &at(3, 8)), "TNNRY");
    assert_eq!(text(&genome, &at(3, 8).on(Strand::Reverse)), "RYNNA");
    assert_eq!(text(&genome, &at(5, 5)), "");
    assert_eq!((genome.masked_share(&at(0, 12)), genome.unknown_share(&at(0, 8))), (4.0 / 12.0, 0.5));
    assert_eq!(genome.masked_share(&at(2, 6)), 0.5);
}

#[test]
fn windows_past_the_ends_are_padded_or_refused_and_never_short() {
    let genome = genome("ACGT");
    assert_eq!(text(&genome, &at(-2, 2)), "NNAC");
    assert_eq!(text(&genome, &at(2, 6)), "GTNN");
    assert_eq!(text(&genome, &at(-2, 6).on(Strand::Reverse)), "NNACGTNN");
    assert_eq!(text(&genome, &at(-5, -2)), "NNN");
    assert_eq!(text(&genome, &at(9, 12)), "NNN");
    for (start, end) in [(-1, 3), (1, 5), (-9, -8), (7, 9)] {
        let message = genome.window(&at(start, end), Edge::Refuse).unwrap_err().to_string();
        assert!(message.contains("which has the bases 1 to 4; pad windows or drop this one"), "{message}");
        assert!(genome.one_hot(&[at(start, end)], Edge::Refuse, Unknown::Zeros).is_err());
    }
    assert_eq!(genome.window(&at(0, 4), Edge::Refuse).unwrap(), b"ACGT");
    assert!(matches!(genome.window(&at(0, 1 << 40), Edge::Pad), Err(GenomeError::Wide { .. })));
}

#[test]
fn a_part_of_a_contig_keeps_its_positions() {
    let mut genome = genome("ACGTT");
    assert!(genome.offset("1", 32_000_000));
    assert!(!genome.offset("chr9", 1));
    assert_eq!(genome.range("chr1"), Some(32_000_000..32_000_005));
    assert_eq!(text(&genome, &at(32_000_001, 32_000_004)), "CGT");
    assert_eq!(text(&genome, &at(31_999_999, 32_000_001)), "NA");
    let message = genome.window(&at(0, 5), Edge::Refuse).unwrap_err().to_string();
    assert!(message.contains("the bases 32000001 to 32000005"), "{message}");
}

#[test]
fn names_are_resolved_and_refused() {
    let genome = Genome::from_contigs([("chr20".to_owned(), b"ACGT".to_vec()), ("chrM".to_owned(), vec![])]).unwrap();
    assert_eq!(genome.contigs().collect::<Vec<_>>(), [("chr20", 4), ("chrM", 0)]);
    assert_eq!((genome.length("20"), genome.length("MT"), genome.length("21")), (Some(4), Some(0), None));
    let twenty = Locus::new("20", 1, 3).unwrap();
    assert_eq!(genome.window(&twenty, Edge::Refuse).unwrap(), b"CG");
    let message = genome.window(&Locus::new("21", 1, 3).unwrap(), Edge::Pad).unwrap_err().to_string();
    assert!(message.contains("contig 21") && message.contains("chr20, chrM"), "{message}");
    let aliased = genome.with_aliases(&[("twenty".to_owned(), "chr20".to_owned())]);
    assert_eq!(aliased.length("twenty"), Some(4));
}

#[test]
fn what_cannot_be_packed() {
    let built = |contigs: &[(&str, &[u8])]| {
        Genome::from_contigs(contigs.iter().map(|&(name, bases)| (name.to_owned(), bases.to_vec())))
            .unwrap_err()
            .to_string()
    };
    let message = built(&[("a", b"ACG*")]);
    assert!(message.starts_with("contig a: '*' at base 4 is no nucleotide"), "{message}");
    assert_eq!(built(&[("a", b"A"), ("a", b"C")]), "contig a is there twice; names must differ");
}

#[test]
fn windows_of_a_batch_are_of_one_length() {
    let genome = genome("ACGT");
    let message = genome.one_hot(&[at(0, 2), at(0, 3)], Edge::Pad, Unknown::Zeros).unwrap_err().to_string();
    assert!(message.starts_with("chr1:1-3(+) has 3 bases, the windows before it 2;"), "{message}");
    assert_eq!(genome.one_hot(&[], Edge::Pad, Unknown::Zeros).unwrap(), [0.0; 0]);
    assert_eq!(genome.one_hot(&[at(1, 1)], Edge::Pad, Unknown::Zeros).unwrap(), [0.0; 0]);
}

#[test]
fn two_bits_a_base() {
    let mut bases = "ACGT".repeat(25_000);
    bases.push_str(&"N".repeat(100_000));
    let genome = genome(&bases);
    assert_eq!(genome.bases(), 200_000);
    assert!(genome.bytes() < 50_100, "{}", genome.bytes());
}

proptest! {
    /// The window is the slice of the letters, on both strands, however the contig was cut into pieces.
    #[test]
    fn windows_are_slices(
        bases in "[ACGTacgtNnRYSWKM]{0,120}",
        start in -20_i64..140,
        length in 0_i64..60,
        reverse: bool,
        piece in 1_usize..17,
    ) {
        let mut packer = Packer::default();
        for part in bases.as_bytes().chunks(piece) {
            packer.push(part).unwrap();
        }
        let genome = Genome::from_packers([("chr1".to_owned(), packer)]).unwrap();
        let letters = normalise(bases.as_bytes()).unwrap();
        let mut expected: Vec<u8> = (start..start + length)
            .map(|place| usize::try_from(place).ok().and_then(|place| letters.get(place)).copied().unwrap_or(b'N'))
            .collect();
        let mut locus = at(start, start + length);
        if reverse {
            expected = reverse_complement(&expected);
            locus = locus.on(Strand::Reverse);
        }
        prop_assert_eq!(genome.window(&locus, Edge::Pad).unwrap(), expected.as_slice());
        for unknown in [Unknown::Zeros, Unknown::Quarter] {
            let direct = genome.one_hot(&[locus.clone(), locus.clone()], Edge::Pad, unknown).unwrap();
            let plain = one_hot(&[expected.as_slice(), expected.as_slice()], expected.len(), unknown);
            prop_assert_eq!(direct, plain);
        }
        let small = (start..start + length)
            .filter_map(|place| usize::try_from(place).ok().and_then(|place| bases.as_bytes().get(place)))
            .collect::<Vec<_>>();
        let share = small.iter().filter(|byte| byte.is_ascii_lowercase()).count() as f64 / small.len().max(1) as f64;
        prop_assert_eq!(genome.masked_share(&locus), share);
    }
}
