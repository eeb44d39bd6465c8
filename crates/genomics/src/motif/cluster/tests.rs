//! Patterns of planted sites.

use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::motif::SeqletConfig;
use crate::sequence::{ALPHABET, reverse_complement};

const FIRST: &[u8] = b"GTCACGTGGC";
const SECOND: &[u8] = b"CCATATTAGG";
const AGAINST: &[u8] = b"TGACTCAGCA";

/// Random bases with one site, and an attribution of about `weight` on each of its bases over a little noise.
fn planted(site: &[u8], weight: f64, rng: &mut ChaCha8Rng) -> (Vec<u8>, Vec<f64>, usize, Strand) {
    let mut sequence: Vec<u8> = (0..80).map(|_| ALPHABET[rng.random_range(0..4)]).collect();
    let mut scores: Vec<f64> = (0..80).map(|_| rng.random_range(-0.1..0.1)).collect();
    let start = rng.random_range(10..60);
    let strand = if rng.random_bool(0.5) { Strand::Forward } else { Strand::Reverse };
    let read = if strand == Strand::Forward { site.to_vec() } else { reverse_complement(site) };
    sequence[start..start + site.len()].copy_from_slice(&read);
    scores[start..start + site.len()].iter_mut().for_each(|score| *score += weight);
    (sequence, scores, start, strand)
}

#[test]
fn planted_sites_become_patterns_with_their_places() {
    let rng = &mut rng(31, &[]);
    let kinds = [(FIRST, 1.0), (SECOND, 0.8), (AGAINST, -0.9)];
    let rows: Vec<_> = (0..210).map(|row| planted(kinds[row % 3].0, kinds[row % 3].1, rng)).collect();
    let sequences: Vec<&[u8]> = rows.iter().map(|row| row.0.as_slice()).collect();
    let scores: Vec<Vec<f64>> = rows.iter().map(|row| row.1.clone()).collect();
    let seqlets = SeqletConfig::default().find(&scores).unwrap();
    let patterns = ClusterConfig::default().patterns(&sequences, &scores, &seqlets).unwrap();

    let told: Vec<(bool, usize)> = patterns.iter().map(|pattern| (pattern.positive, pattern.members.len())).collect();
    assert_eq!(told, [(true, 70), (true, 70), (false, 70)]);
    assert_eq!(
        patterns.iter().map(|pattern| pattern.motif.name.as_str()).collect::<Vec<_>>(),
        ["pattern0", "pattern1", "negative0"]
    );
    for pattern in &patterns {
        let kind = pattern.members[0].sequence % 3;
        let site = kinds[kind].0;
        assert_eq!(kind == 2, !pattern.positive);
        assert_eq!(pattern.motif.sites, Some(70.0));
        // what is not in every site has no information, and is cut off
        let consensus = pattern.motif.consensus();
        let turned = String::from_utf8(reverse_complement(site)).unwrap();
        assert!(consensus.as_bytes() == site || consensus == turned, "{consensus}");
        let forward = consensus.as_bytes() == site;
        for member in &pattern.members {
            let (_, _, start, strand) = &rows[member.sequence];
            assert_eq!(member.sequence % 3, kind);
            assert_eq!(member.start, *start as isize);
            assert_eq!(member.strand == *strand, forward);
            assert_eq!(seqlets[member.seqlet].sequence, member.sequence);
        }
        assert_eq!(pattern.contributions.len(), site.len());
        for (mean, base) in pattern.contributions.iter().zip(consensus.bytes()) {
            let place = ALPHABET.iter().position(|letter| *letter == base).unwrap();
            for (letter, value) in mean.iter().enumerate() {
                let expected = if letter == place { kinds[kind].1 } else { 0.0 };
                // the mean of 70 numbers of sd 0.06
                assert!((value - expected).abs() < 0.05, "{mean:?}");
            }
        }
    }
    // the strongest come first
    let strength = |member: &Member| seqlets[member.seqlet].score.abs();
    assert!(patterns[0].members.windows(2).all(|pair| strength(&pair[0]) >= strength(&pair[1])));
}

#[test]
fn few_seqlets_make_no_pattern() {
    let rng = &mut rng(32, &[]);
    let rows: Vec<_> = (0..30).map(|row| planted(if row < 8 { FIRST } else { SECOND }, 1.0, rng)).collect();
    let sequences: Vec<&[u8]> = rows.iter().map(|row| row.0.as_slice()).collect();
    let scores: Vec<Vec<f64>> = rows.iter().map(|row| row.1.clone()).collect();
    let seqlets = SeqletConfig::default().find(&scores).unwrap();
    let patterns = ClusterConfig::default().patterns(&sequences, &scores, &seqlets).unwrap();
    assert_eq!(patterns.iter().map(|pattern| pattern.members.len()).collect::<Vec<_>>(), [22]);
    assert!(ClusterConfig::default().patterns(&sequences, &scores, &[]).unwrap().is_empty());
    let all = ClusterConfig { least_seqlets: 1, ..ClusterConfig::default() };
    let most = ClusterConfig { most_seqlets: 5, ..all.clone() };
    let count = |config: &ClusterConfig| -> usize {
        config.patterns(&sequences, &scores, &seqlets).unwrap().iter().map(|pattern| pattern.members.len()).sum()
    };
    assert!((30..=seqlets.len()).contains(&count(&all)), "{}", count(&all));
    let positive = seqlets.iter().filter(|seqlet| seqlet.score > 0.0).count();
    assert_eq!(count(&most), 5 + (seqlets.len() - positive).min(5));
}

#[test]
fn scores_of_other_sequences_are_refused() {
    let config = ClusterConfig::default();
    let message = |sequences: &[&[u8]], scores: &[Vec<f64>], seqlets: &[Seqlet]| {
        config.patterns(sequences, scores, seqlets).unwrap_err().to_string()
    };
    assert_eq!(message(&[b"AC"], &[], &[]), "sequence 0: there are 1 sequences, but scores for 0");
    assert_eq!(message(&[b"AC"], &[vec![0.0]], &[]), "sequence 0: it has 2 bases, but 1 scores");
    let seqlet = Seqlet { sequence: 0, core: 1..3, span: 0..3, score: 1.0, p_value: 0.0, q_value: 0.0 };
    assert_eq!(message(&[b"AC"], &[vec![0.0; 2]], &[seqlet]), "sequence 0: it has 2 bases, but a seqlet at 0..3");
}
