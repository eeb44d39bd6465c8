//! Tests of `variant`.

use std::cell::Cell;
use std::rc::Rc;

use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::genome::{Edge, Genome};
use crate::locus::{Locus, Strand};
use crate::sequence::reverse_complement;

fn genome(bases: &[u8]) -> Genome {
    Genome::from_contigs([("chr1".to_owned(), bases.to_vec())]).unwrap()
}

fn letters(rng: &mut ChaCha8Rng, length: usize, alphabet: &[u8]) -> Vec<u8> {
    (0..length).map(|_| alphabet[rng.random_range(0..alphabet.len())]).collect()
}

/// A variant with the bases of the genome as REF.
fn random_variant(rng: &mut ChaCha8Rng, bases: &[u8], longest: usize) -> Variant {
    loop {
        let length = rng.random_range(1..=longest);
        let position = rng.random_range(0..=bases.len() - length);
        let reference = &bases[position..position + length];
        let extra = rng.random_range(1..=longest);
        let alternate = match rng.random_range(0..3) {
            0 => letters(rng, extra, b"ACGT"),
            1 => reference[..rng.random_range(1..=length)].to_vec(),
            _ => [reference, &letters(rng, extra, &bases[position..=position])].concat(),
        };
        if alternate != reference {
            return Variant::new("chr1", position as i64, reference, &alternate);
        }
    }
}

/// The contig with the variant in it.
fn applied(bases: &[u8], variant: &Variant) -> Vec<u8> {
    let (start, end) = (variant.position as usize, variant.end() as usize);
    [&bases[..start], &variant.alternate, &bases[end..]].concat()
}

#[test]
fn every_status_has_its_reason() {
    let genome = genome(b"ACGTACGTNNRA");
    let mut contigs = Contigs::new(&genome);
    for (contig, position, reference, alternate, status, reason) in [
        ("chr1", 0, "A", "G", Status::Match, ""),
        ("chr1", 4, "ac", "a", Status::Match, ""),
        ("1", 1, "C", "T", Status::Match, ""),
        // R of the genome is written as A (VCF 4.3 §1.6.1.4)
        ("chr1", 10, "A", "C", Status::Match, ""),
        ("chr1", 0, "G", "A", Status::Swapped, ""),
        ("chr1", 0, "ACT", "ACG", Status::Swapped, ""),
        ("chr1", 0, "T", "G", Status::Mismatch, "the genome has A"),
        ("chr1", 10, "C", "T", Status::Mismatch, "the genome has R"),
        ("chr1", 12, "A", "C", Status::OutOfRange, "chr1 has the bases 1 to 12"),
        ("chr1", -1, "A", "C", Status::OutOfRange, "chr1 has the bases 1 to 12"),
        ("chr1", 11, "AC", "A", Status::OutOfRange, "chr1 has the bases 1 to 12"),
        ("chr1", 0, "A", "<DEL>", Status::Symbolic, "ALT is <DEL>"),
        ("chr1", 0, "A", "<NON_REF>", Status::Symbolic, "ALT is <NON_REF>"),
        ("chr1", 0, "A", "*", Status::Symbolic, "ALT is *"),
        ("chr1", 0, "A", "G]17:198982]", Status::Symbolic, "ALT is G]17:198982]"),
        ("chr1", 0, "A", "]13:123456]AGTNNNNNCAT", Status::Symbolic, "ALT is ]13:123456]AGTNNNNNCAT"),
        ("chr1", 0, "A", ".C", Status::Symbolic, "ALT is .C"),
        ("chr1", 0, "A", "C.", Status::Symbolic, "ALT is C."),
        ("chr1", 0, "A", ".", Status::Unsupported, "there is no alternate allele"),
        ("chr1", 0, "A", "R", Status::Unsupported, "ALT has letters other than A, C, G and T"),
        ("chr1", 0, "A", "N", Status::Unsupported, "ALT has letters other than A, C, G and T"),
        ("chr1", 0, "A", "a", Status::Unsupported, "REF and ALT are the same"),
        ("chr1", 0, "X", "C", Status::Unsupported, "REF has letters that are no bases"),
        ("chr1", 8, "A", "C", Status::Unsupported, "the genome has N there"),
        ("chr9", 0, "A", "C", Status::Unsupported, "the genome has no contig chr9"),
    ] {
        let variant = Variant::new(contig, position, reference.as_bytes(), alternate.as_bytes());
        let checked = check(variant, &mut contigs);
        let found = (checked.status, checked.reason.as_deref().unwrap_or_default());
        assert_eq!(found, (status, reason), "{contig}:{position} {reference}>{alternate}");
        assert_eq!(checked.normalised.is_some(), matches!(status, Status::Match | Status::Swapped));
        assert!(checked.normalised.is_none_or(|normal| &*normal.contig == "chr1"));
    }
    assert_eq!(contigs.renamed(), [("1".to_owned(), "chr1".to_owned())]);
    assert_eq!(contigs.unknown(), [("chr9".to_owned(), 1)]);
}

#[test]
fn a_shorter_record_of_a_contig_has_its_own_range() {
    let mut genome = genome(b"ACGTACGT");
    genome.offset("chr1", 1000);
    let mut contigs = Contigs::new(&genome);
    let status = |position, contigs: &mut Contigs| check(Variant::new("chr1", position, b"A", b"C"), contigs).status;
    assert_eq!(status(0, &mut contigs), Status::OutOfRange);
    assert_eq!(status(999, &mut contigs), Status::OutOfRange);
    assert_eq!(status(1004, &mut contigs), Status::Match);
    assert_eq!(status(1008, &mut contigs), Status::OutOfRange);
    // An insertion of A before the first base, which stays where it is: no base is left of it.
    let first = check(Variant::new("chr1", 1000, b"A", b"AA"), &mut contigs).normalised.unwrap();
    assert_eq!((first.position, first.reference.as_slice()), (1000, &b"A"[..]));
}

#[test]
fn normalisation_changes_no_sequence() {
    let mut rng = rng(3, &[]);
    for round in 0..2000 {
        let bases = letters(&mut rng, 60, if round % 2 == 0 { b"A" } else { b"AC" });
        let bases = [b"G".as_slice(), &bases, b"T"].concat();
        let genome = genome(&bases);
        let variant = random_variant(&mut rng, &bases, 6);
        let normal = normalise(&variant, &genome);
        assert_eq!(applied(&bases, &normal), applied(&bases, &variant), "{variant} {normal}");
        assert_eq!(normalise(&normal, &genome), normal, "{variant}");
        let (start, end) = (normal.position as usize, normal.end() as usize);
        assert_eq!(normal.reference, bases[start..end]);
        // Parsimonious, and nothing further to the left: the definition of Tan et al. 2015, section 2.
        let (reference, alternate) = (&normal.reference, &normal.alternate);
        assert!(reference.last() != alternate.last() || start == 0, "{variant} {normal}");
        assert!(reference.len().min(alternate.len()) == 1 || reference[0] != alternate[0], "{variant} {normal}");
    }
}

#[test]
fn equal_haplotypes_have_equal_normal_forms() {
    // All insertions of one or two bases and all deletions of up to three, in a contig of two letters.
    let bases = b"CACACAAACCCACAACCACA";
    let genome = genome(bases);
    let mut all = Vec::new();
    for position in 0..bases.len() {
        let base = &bases[position..=position];
        for insert in [&b"A"[..], b"C", b"AC", b"CA", b"AA", b"CC"] {
            all.push(Variant::new("chr1", position as i64, base, &[base, insert].concat()));
        }
        for length in 2..=4.min(bases.len() - position) {
            all.push(Variant::new("chr1", position as i64, &bases[position..position + length], base));
        }
    }
    for one in &all {
        for other in &all {
            let same = applied(bases, one) == applied(bases, other);
            assert_eq!(same, normalise(one, &genome) == normalise(other, &genome), "{one} {other}");
        }
    }
}

#[test]
fn windows_are_those_of_the_whole_haplotype() {
    const FAR: usize = 64;
    let mut rng = rng(4, &[]);
    for _ in 0..3000 {
        let bases = letters(&mut rng, 40, b"ACGT");
        let genome = genome(&bases);
        let variant = random_variant(&mut rng, &bases, 12);
        let width = rng.random_range(1..=30);
        let swapped = rng.random_bool(0.5);
        // In a genome with the other allele the file's REF and ALT are exchanged.
        let given = if swapped {
            Variant { reference: variant.alternate.clone(), alternate: variant.reference.clone(), ..variant.clone() }
        } else {
            variant.clone()
        };
        let built = windows(&given, swapped, &genome, width, Edge::Pad).unwrap();
        let far = vec![b'N'; FAR];
        let padded = |haplotype: Vec<u8>| [far.as_slice(), &haplotype, &far].concat();
        let (there, changed) = (padded(bases.clone()), padded(applied(&bases, &variant)));
        let (reference, alternate) = if swapped { (&changed, &there) } else { (&there, &changed) };
        let first = FAR + variant.position as usize - centre_index(width);
        assert_eq!(built.reference, reference[first..first + width]);
        assert_eq!(built.alternate, alternate[first..first + width]);
        let moved = (first as i64 + given.growth()) as usize;
        let expected = (given.growth() != 0).then(|| alternate[moved..moved + width].to_vec());
        assert_eq!(built.compensated, expected, "{given} in {width}");
    }
}

#[test]
fn the_variant_is_where_expecto_and_selene_have_it() {
    for (width, index) in [(1, 0), (2, 0), (3, 1), (101, 50), (600, 299), (1000, 499), (2000, 999)] {
        assert_eq!(centre_index(width), index);
    }
    let mut bases = vec![b'A'; 3001];
    bases[1500] = b'C';
    let genome = genome(&bases);
    let variant = Variant::new("chr1", 1500, b"C", b"G");
    for width in [1, 2, 101, 1000, 2000] {
        let built = windows(&variant, false, &genome, width, Edge::Refuse).unwrap();
        assert_eq!(built.reference.iter().position(|&base| base == b'C'), Some(centre_index(width)));
        assert_eq!(built.alternate.iter().position(|&base| base == b'G'), Some(centre_index(width)));
        assert!(built.compensated.is_none());
    }
    let error = windows(&variant, false, &genome, 4000, Edge::Refuse).unwrap_err();
    assert!(error.to_string().contains("leaves its contig"), "{error}");
}

#[test]
fn haplotypes_of_an_interval() {
    let genome = genome(b"AAAACCCCGGGGTTTT");
    let interval = Locus::new("chr1", 4, 12).unwrap();
    let deletion = Variant::new("chr1", 7, b"CGG", b"C");
    let insertion = Variant::new("1", 5, b"C", b"CTT");
    let built = |variants: &[Variant], anchor, length| {
        let bases = haplotype(&genome, &interval, variants, anchor, length, Edge::Pad).unwrap();
        String::from_utf8(bases).unwrap()
    };
    assert_eq!(built(&[], 4, Length::Fixed), "CCCCGGGG");
    assert_eq!(built(std::slice::from_ref(&deletion), 4, Length::Fixed), "CCCCGGTT");
    assert_eq!(built(std::slice::from_ref(&deletion), 12, Length::Fixed), "AACCCCGG");
    assert_eq!(built(std::slice::from_ref(&deletion), 4, Length::Free), "CCCCGG");
    assert_eq!(built(&[insertion.clone(), deletion.clone()], 4, Length::Free), "CCTTCCGG");
    assert_eq!(built(&[deletion.clone(), insertion.clone()], 99, Length::Fixed), "CCTTCCGG");
    let reverse = interval.clone().on(Strand::Reverse);
    let reverse = haplotype(&genome, &reverse, &[insertion, deletion.clone()], 4, Length::Free, Edge::Pad).unwrap();
    assert_eq!(reverse, reverse_complement(b"CCTTCCGG"));

    // REF longer than the interval
    let all = Variant::new("chr1", 2, b"AACCCCGGGGTT", b"AAT");
    let narrow = Locus::new("chr1", 5, 8).unwrap();
    let bases = |length| haplotype(&genome, &narrow, std::slice::from_ref(&all), 5, length, Edge::Pad).unwrap();
    assert_eq!(bases(Length::Free), b"");
    assert_eq!(bases(Length::Fixed), b"TTN");

    let overlapping = [deletion, Variant::new("chr1", 9, b"G", b"T")];
    let error = haplotype(&genome, &interval, &overlapping, 4, Length::Free, Edge::Pad).unwrap_err();
    assert_eq!(error.to_string(), "chr1:8:CGG>C and chr1:10:G>T overlap; choose one of them");
    let other =
        Genome::from_contigs([("chr1".to_owned(), b"ACGT".to_vec()), ("chr2".to_owned(), b"A".to_vec())]).unwrap();
    let elsewhere = [Variant::new("chr2", 0, b"A", b"C")];
    let site = Locus::new("chr1", 0, 2).unwrap();
    let error = haplotype(&other, &site, &elsewhere, 0, Length::Free, Edge::Pad).unwrap_err();
    assert_eq!(error.to_string(), "chr2:1:A>C does not lie on chr1");
    let past = Locus::new("chr1", 2, 6).unwrap();
    assert!(haplotype(&other, &past, &[], 2, Length::Fixed, Edge::Refuse).is_err());
}

/// A score that tells every window from every other: a weight for each base and place.
fn weighted(sequence: &[u8], task: usize) -> f32 {
    let weight = |(place, &base): (usize, &u8)| ((place * 7 + usize::from(base) * 13 + task * 5) % 23) as f32 / 23.0;
    sequence.iter().enumerate().map(weight).sum::<f32>() / 4.0
}

#[test]
fn effects_are_means_over_strands_and_alignments() {
    let mut rng = rng(5, &[]);
    let bases = letters(&mut rng, 200, b"ACGT");
    let genome = genome(&bases);
    let mut contigs = Contigs::new(&genome);
    let mut checked: Vec<Checked> = (0..50).map(|_| check(random_variant(&mut rng, &bases, 4), &mut contigs)).collect();
    checked.push(check(Variant::new("chr1", 0, &bases[..1], b"<DEL>"), &mut contigs));
    let tasks = vec!["one".to_owned(), "two".to_owned()];
    for (average_strands, compensate_shift, batch, scale) in [
        (true, true, 1, Scale::Logits),
        (true, true, 64, Scale::Logits),
        (false, true, 512, Scale::Logits),
        (true, false, 512, Scale::Values),
    ] {
        let config =
            ScoreConfig { width: 21, average_strands, compensate_shift, batch, scale, ..ScoreConfig::default() };
        let seen = Rc::new(Cell::new(0));
        let counted = Rc::clone(&seen);
        let predict = move |sequences: &[&[u8]]| -> Prediction {
            counted.set(counted.get().max(sequences.len()));
            assert!(sequences.iter().all(|sequence| sequence.len() == 21));
            Ok(sequences.iter().flat_map(|sequence| [weighted(sequence, 0), weighted(sequence, 1)]).collect())
        };
        let mut scorer = VariantScorer::new(&genome, config, tasks.clone(), predict).unwrap();
        let effects = scorer.score(&checked).unwrap();
        assert!(seen.get() <= batch + 5, "{} sequences at once", seen.get());
        assert_eq!(effects.len(), 51);
        assert_eq!(effects[50], Err("ALT is <DEL>".to_owned()));
        for (effect, checked) in effects.iter().zip(&checked).take(50) {
            let effect = effect.as_ref().unwrap();
            let built = windows(checked.normalised.as_ref().unwrap(), false, &genome, 21, Edge::Pad).unwrap();
            for task in 0..2 {
                let score = |sequence: &Vec<u8>| {
                    let forward = f64::from(weighted(sequence, task));
                    let reverse = f64::from(weighted(&reverse_complement(sequence), task));
                    if average_strands { f64::midpoint(forward, reverse) } else { forward }
                };
                let mut alternates = vec![score(&built.alternate)];
                alternates.extend(built.compensated.iter().filter(|_| compensate_shift).map(score));
                let mean = |of: &dyn Fn(f64) -> f64| {
                    alternates.iter().map(|&alternate| of(alternate)).sum::<f64>() / alternates.len() as f64
                };
                let reference = score(&built.reference);
                let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
                // Both sides add the same numbers in another order: a few units in the last place of a double.
                let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
                close(effect.reference[task], reference);
                close(effect.alternate[task], mean(&|alternate| alternate));
                if scale == Scale::Logits {
                    close(effect.difference[task], mean(&|alternate| sigmoid(alternate) - sigmoid(reference)));
                    close(effect.log_odds.as_ref().unwrap()[task], mean(&|alternate| alternate - reference));
                } else {
                    close(effect.difference[task], mean(&|alternate| alternate - reference));
                    assert!(effect.log_odds.is_none());
                }
            }
        }
    }
}

#[test]
fn a_swapped_variant_keeps_the_direction_of_the_file() {
    let genome = genome(b"AAAAAAAAAA");
    let mut contigs = Contigs::new(&genome);
    let checked = check(Variant::new("chr1", 5, b"G", b"A"), &mut contigs);
    assert_eq!(checked.status, Status::Swapped);
    let gc = |sequences: &[&[u8]]| -> Prediction {
        let count = |sequence: &&[u8]| sequence.iter().filter(|base| b"CG".contains(base)).count() as f32;
        Ok(sequences.iter().map(count).collect())
    };
    let config = ScoreConfig { width: 4, ..ScoreConfig::default() };
    let mut scorer = VariantScorer::new(&genome, config, vec!["gc".to_owned()], gc).unwrap();
    let effects = scorer.score(&[checked]).unwrap();
    let effect = effects[0].as_ref().unwrap();
    assert_eq!((effect.reference[0], effect.alternate[0]), (1.0, 0.0));
    assert_eq!(effect.log_odds, Some(vec![-1.0]));
}

#[test]
fn what_the_function_gives_is_checked() {
    let genome = genome(b"ACGTACGT");
    let checked = [check(Variant::new("chr1", 2, b"G", b"A"), &mut Contigs::new(&genome))];
    let config = ScoreConfig { width: 5, ..ScoreConfig::default() };
    let tasks = vec!["one".to_owned()];
    let short = |_: &[&[u8]]| -> Prediction { Ok(vec![0.0]) };
    let error = VariantScorer::new(&genome, config.clone(), tasks.clone(), short).unwrap().score(&checked).unwrap_err();
    assert_eq!(error.to_string(), "there are 1 scores for 4 sequences; 1 for each are due");
    let broken = |_: &[&[u8]]| -> Prediction { Err("no device".into()) };
    let error = VariantScorer::new(&genome, config, tasks.clone(), broken).unwrap().score(&checked).unwrap_err();
    assert_eq!(error.to_string(), "the sequences cannot be scored: no device");
    let config = ScoreConfig { width: 0, ..ScoreConfig::default() };
    assert!(VariantScorer::new(&genome, config, tasks, short).is_err());
    let config = ScoreConfig { width: 20, edge: Edge::Refuse, ..ScoreConfig::default() };
    let mut scorer = VariantScorer::new(&genome, config, vec!["one".to_owned()], short).unwrap();
    let reason = scorer.score(&checked).unwrap().remove(0).unwrap_err();
    assert!(reason.contains("leaves its contig"), "{reason}");
}
