//! Shuffles against all sequences of the same composition, found by enumeration.

use std::collections::{BTreeMap, BTreeSet};

use nn_core::data::rng;
use proptest::prelude::*;

use super::*;

/// Counts of all words of `k` letters, unknown ones included.
fn words(sequence: &[u8], k: usize) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    for word in sequence.windows(k) {
        *counts.entry(word.to_vec()).or_default() += 1;
    }
    counts
}

/// Every arrangement of the letters.
fn arrangements(letters: &mut BTreeMap<u8, usize>, begun: &mut Vec<u8>, length: usize, found: &mut Vec<Vec<u8>>) {
    if begun.len() == length {
        found.push(begun.clone());
        return;
    }
    let left: Vec<u8> = letters.iter().filter(|(_, count)| **count > 0).map(|(letter, _)| *letter).collect();
    for letter in left {
        *letters.get_mut(&letter).unwrap() -= 1;
        begun.push(letter);
        arrangements(letters, begun, length, found);
        begun.pop();
        *letters.get_mut(&letter).unwrap() += 1;
    }
}

/// All sequences with the unknown letters in place and the same number of every base or, in each run between unknown
/// letters, of every base and dinucleotide.
fn twins(sequence: &[u8], shuffle: Shuffle) -> BTreeSet<Vec<u8>> {
    let mut letters = BTreeMap::new();
    for letter in sequence {
        *letters.entry(*letter).or_default() += 1;
    }
    let mut all = Vec::new();
    arrangements(&mut letters, &mut Vec::new(), sequence.len(), &mut all);
    let in_place = |other: &Vec<u8>| sequence.iter().zip(other).all(|(a, b)| (known(*a) && known(*b)) || a == b);
    let runs = |sequence: &[u8]| {
        let runs = sequence.chunk_by(|a, b| known(*a) == known(*b));
        runs.map(|run| (words(run, 1), words(run, 2))).collect::<Vec<_>>()
    };
    let alike = |other: &Vec<u8>| shuffle == Shuffle::Mononucleotide || runs(other) == runs(sequence);
    all.into_iter().filter(in_place).filter(alike).collect()
}

/// Every twin comes, and equally often: Pearson's statistic has mean m − 1 and variance 2 (m − 1) for m twins; five
/// standard deviations are allowed.
fn uniform(shuffle: Shuffle, sequence: &[u8], expected: usize) {
    let twins = twins(sequence, shuffle);
    assert_eq!(twins.len(), expected, "{}", String::from_utf8_lossy(sequence));
    let draws = 200 * twins.len();
    let mut counts: BTreeMap<Vec<u8>, usize> = twins.into_iter().map(|twin| (twin, 0)).collect();
    let mut draw = rng(11, &[]);
    for _ in 0..draws {
        let shuffled = shuffle.apply(sequence, &mut draw);
        let count = counts.get_mut(&shuffled);
        *count.unwrap_or_else(|| panic!("{} is no shuffle", String::from_utf8_lossy(&shuffled))) += 1;
    }
    let wanted = draws as f64 / counts.len() as f64;
    let statistic: f64 = counts.values().map(|count| (*count as f64 - wanted).powi(2) / wanted).sum();
    let freedom = (counts.len() - 1) as f64;
    assert!(statistic <= freedom + 5.0 * (2.0 * freedom).sqrt(), "{statistic} with {freedom} degrees of freedom");
}

#[test]
fn all_shuffles_are_equally_likely() {
    // The numbers of twins are those of an enumeration in Python.
    for (sequence, expected) in [
        ("ACAGATACGT", 24),
        ("AACCGATCAG", 48),
        ("ACGTACGTAC", 1),
        ("AAACAAGAAT", 30),
        ("GGGGG", 1),
        ("ACA", 1),
        ("ACACAGATA", 12),
        ("ACAGANCAGATAC", 4),
    ] {
        uniform(Shuffle::Dinucleotide, sequence.as_bytes(), expected);
    }
    uniform(Shuffle::Mononucleotide, b"AACGT", 60);
    uniform(Shuffle::Mononucleotide, b"ANCRG", 6);
}

#[test]
fn nothing_and_little_to_shuffle() {
    for sequence in ["", "A", "N", "NNN", "AC", "ANT"] {
        for shuffle in [Shuffle::Mononucleotide, Shuffle::Dinucleotide] {
            let shuffled = shuffle.apply(sequence.as_bytes(), &mut rng(3, &[]));
            assert_eq!(words(&shuffled, 1), words(sequence.as_bytes(), 1), "{sequence}");
        }
        assert_eq!(Shuffle::Dinucleotide.apply(sequence.as_bytes(), &mut rng(3, &[])), sequence.as_bytes());
    }
    assert_eq!(Shuffle::Dinucleotide.apply(b"aCu", &mut rng(3, &[])), b"ACT");
}

#[test]
fn the_generator_decides() {
    let sequence = b"ACGATCGATTACGACTAGCTAGCATTTACG".repeat(4);
    let shuffled = |seed| Shuffle::Dinucleotide.apply(&sequence, &mut rng(seed, &[1]));
    assert_eq!(shuffled(1), shuffled(1));
    assert_ne!(shuffled(1), shuffled(2));
    // Of 120 bases, a random arrangement of such a composition agrees in about a third of the places.
    let same = shuffled(1).iter().zip(&sequence).filter(|(a, b)| a == b).count();
    assert!(same < 60, "{same} of 120 bases did not move");
}

#[test]
fn names_are_those_of_configurations() {
    for shuffle in [Shuffle::Mononucleotide, Shuffle::Dinucleotide] {
        assert_eq!(serde_json::to_value(shuffle).unwrap(), shuffle.name());
    }
}

proptest! {
    #[test]
    fn counts_are_kept(sequence in "[ACGTNR]{0,80}|[AC]{0,40}|[ACGT]{0,200}", seed in any::<u64>()) {
        let sequence = sequence.as_bytes();
        let shuffled = Shuffle::Dinucleotide.apply(sequence, &mut rng(seed, &[]));
        prop_assert_eq!(words(&shuffled, 2), words(sequence, 2));
        prop_assert_eq!(words(&shuffled, 1), words(sequence, 1));
        let mono = Shuffle::Mononucleotide.apply(sequence, &mut rng(seed, &[]));
        prop_assert_eq!(words(&mono, 1), words(sequence, 1));
        for (shuffled, original) in shuffled.iter().chain(&mono).zip(sequence.iter().chain(sequence)) {
            prop_assert!(known(*original) || shuffled == original);
        }
    }
}
