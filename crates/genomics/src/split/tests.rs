//! Splits: what they keep together and what they keep apart, against brute force.

use std::collections::BTreeSet;

use nn_core::data::rng;
use proptest::prelude::*;
use rand::RngExt;

use super::*;
use crate::dataset::Labels;
use crate::locus::Locus;

/// Rows of the given sequences at the given contigs.
fn set(rows: &[(&str, Option<&str>)], groups: Option<Vec<u64>>) -> SequenceSet {
    SequenceSet {
        names: (0..rows.len()).map(|row| format!("row {row}")).collect(),
        sequences: rows.iter().map(|(sequence, _)| sequence.as_bytes().to_vec()).collect(),
        loci: rows.iter().map(|(_, contig)| contig.map(|contig| Locus::new(contig, 0, 9).unwrap())).collect(),
        tasks: vec!["bound".to_owned()],
        labels: Labels::Binary,
        targets: vec![0.0; rows.len()],
        groups,
    }
}

#[test]
fn names_read_back() {
    for kind in SplitKind::ALL {
        assert_eq!(kind.name().parse::<SplitKind>().unwrap(), kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        assert!(kind.describe().ends_with('.'));
    }
    let error = "contig".parse::<SplitKind>().unwrap_err().to_string();
    assert!(error.contains("chromosome, cluster"), "{error}");
}

#[test]
fn rows_are_grouped_as_each_kind_says() {
    let rows = [
        ("ACGTTTACGGATTCA", Some("chr1")),
        ("TGAATCCGTAAACGT", Some("1")), // the other strand of row 0
        ("ACGTTTACGGATTCA", Some("CHR2")),
        ("GGGGGGGGGCCCCAC", Some("chr2")),
        ("TTTTTTTTTTTTTTT", None), // in the group of row 3
    ];
    let set = set(&rows, Some(vec![0, 1, 2, 3, 3]));
    assert_eq!(groups(&set, SplitKind::Random).unwrap(), [0, 0, 0, 1, 1]);
    assert_eq!(groups(&set, SplitKind::Upstream).unwrap(), [0, 0, 0, 1, 1]);
    assert_eq!(groups(&set, SplitKind::Chromosome).unwrap(), [0, 0, 1, 1, 1]);
    assert_eq!(groups(&set, SplitKind::Cluster).unwrap(), [0, 0, 0, 1, 1]);
    assert_eq!(groups(&set, SplitKind::Group).unwrap(), [0, 1, 2, 3, 3]);

    let alone = SequenceSet { groups: None, ..set.clone() };
    assert_eq!(groups(&alone, SplitKind::Random).unwrap(), [0, 0, 0, 1, 2]);
    assert!(matches!(groups(&alone, SplitKind::Group), Err(SplitError::NoGroups)));
    let error = groups(&alone, SplitKind::Chromosome).unwrap_err().to_string();
    assert!(error.starts_with("1 of 5 rows, the first of them row 4, have no place"), "{error}");
}

/// `counts[i]` rows on chr(i + 1), all different.
fn on_contigs(counts: &[usize]) -> SequenceSet {
    let names: Vec<String> = (1..=counts.len()).map(|contig| format!("chr{contig}")).collect();
    let mut draw = rng(3, &[]);
    let mut sequence = || (0..20).map(|_| ['A', 'C', 'G', 'T'][draw.random_range(0..4_usize)]).collect::<String>();
    let rows: Vec<(String, &str)> = counts
        .iter()
        .zip(&names)
        .flat_map(|(count, name)| vec![name.as_str(); *count])
        .map(|name| (sequence(), name))
        .collect();
    let rows: Vec<(&str, Option<&str>)> =
        rows.iter().map(|(sequence, name)| (sequence.as_str(), Some(*name))).collect();
    set(&rows, None)
}

#[test]
fn contigs_are_held_out_by_name() {
    let set = on_contigs(&[5, 4, 3, 2, 6]);
    let config = SplitConfig {
        validation_contigs: vec!["2".to_owned()],
        test_contigs: vec!["chr3".to_owned(), "CHR4".to_owned()],
        ..SplitConfig::default()
    };
    let parts = split(&set, &config).unwrap();
    assert_eq!(parts.validation, [5, 6, 7, 8]);
    assert_eq!(parts.test, [9, 10, 11, 12, 13]);
    assert_eq!(parts.train.len(), 11);
    // The validation part is drawn from what is left.
    let parts = split(&set, &SplitConfig { validation_contigs: Vec::new(), ..config.clone() }).unwrap();
    assert_eq!(parts.test, [9, 10, 11, 12, 13]);
    assert!(!parts.validation.is_empty() && parts.train.len() + parts.validation.len() == 15);

    let wrong = SplitConfig { test_contigs: vec!["chrX".to_owned()], ..config.clone() };
    let error = split(&set, &wrong).unwrap_err().to_string();
    assert!(
        error.starts_with("no row lies on chrX, which the test part should have; rows lie on chr1, chr2"),
        "{error}"
    );
    let twice = SplitConfig { test_contigs: vec!["chr2".to_owned()], ..config.clone() };
    assert!(matches!(split(&set, &twice), Err(SplitError::Twice { .. })));
    let other = SplitConfig { kind: SplitKind::Random, ..config };
    assert!(matches!(split(&set, &other), Err(SplitError::Config(ConfigError::Conflict(_)))));
    assert!(matches!(
        split(&set, &SplitConfig { kind: SplitKind::Upstream, ..SplitConfig::default() }),
        Err(SplitError::NoUpstream)
    ));
    let shares = SplitConfig { validation_fraction: 0.5, test_fraction: 0.5, ..SplitConfig::default() };
    assert!(split(&set, &shares).unwrap_err().to_string().starts_with("validation_fraction + test_fraction = 1 "));
}

#[test]
fn three_contigs_can_always_be_divided_and_two_cannot() {
    for counts in [&[400, 10, 3][..], &[50, 50, 50], &[1, 1, 1], &[1000, 900, 5, 700, 2]] {
        for seed in 0..20 {
            let parts = split(&on_contigs(counts), &SplitConfig { seed, ..SplitConfig::default() }).unwrap();
            assert!(Part::ALL.iter().all(|part| !parts.part(*part).is_empty()), "{counts:?} {parts:?}");
        }
    }
    let error = split(&on_contigs(&[5, 5]), &SplitConfig::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot make a chromosome split of 10 rows: 2 groups"), "{error}");
    assert!(split(&on_contigs(&[5, 5]), &SplitConfig { validation_fraction: 0.0, ..SplitConfig::default() }).is_ok());
}

fn bases(length: usize, draw: &mut rand_chacha::ChaCha8Rng) -> Vec<u8> {
    (0..length).map(|_| crate::sequence::ALPHABET[draw.random_range(0..4_usize)]).collect()
}

/// Families of mutated, shifted and reversed copies, and sequences that stand alone.
fn families(seed: u64, length: usize, rate: f64) -> Vec<Vec<u8>> {
    let mut draw = rng(seed, &[7]);
    let mut all = Vec::new();
    for size in [1, 5, 1, 9, 2, 14, 1, 3] {
        let founder = bases(length + 20, &mut draw);
        for _ in 0..size {
            let shift = draw.random_range(0..20_usize);
            let mut copy = founder[shift..shift + length].to_vec();
            for base in &mut copy {
                if draw.random_bool(rate) {
                    *base = b"ACGTN"[draw.random_range(0..5_usize)];
                }
            }
            all.push(if draw.random_bool(0.5) { reverse_complement(&copy) } else { copy });
        }
    }
    all.extend([b"NNNNNNNN".to_vec(), b"ACG".to_vec(), b"NNNNNNNN".to_vec(), b"CGT".to_vec(), b"ACC".to_vec()]);
    all
}

/// All words of all sequences as text, all pairs compared, and then all that hangs together.
fn by_brute_force(sequences: &[Vec<u8>], k: usize, threshold: f64) -> Vec<u64> {
    let words = |sequence: &[u8]| -> BTreeSet<Vec<u8>> {
        let known = sequence.windows(k).filter(|word| !word.contains(&b'N'));
        known.map(|word| reverse_complement(word).min(word.to_vec())).collect()
    };
    let sets: Vec<BTreeSet<Vec<u8>>> = sequences.iter().map(|sequence| words(sequence)).collect();
    let mut groups: Vec<usize> = (0..sequences.len()).collect();
    for i in 0..sets.len() {
        for j in 0..i {
            let shared = sets[i].intersection(&sets[j]).count();
            let all = sets[i].len() + sets[j].len() - shared;
            let same = sequences[i] == sequences[j] || sequences[i] == reverse_complement(&sequences[j]);
            if same || (all > 0 && shared as f64 / all as f64 >= threshold) {
                let (from, to) = (groups[i], groups[j]);
                groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    group_ids(groups)
}

#[test]
fn clusters_are_those_of_comparing_all_pairs() {
    for (seed, length, rate) in [(1, 101, 0.02), (2, 101, 0.08), (3, 60, 0.15), (4, 200, 0.05)] {
        let sequences = families(seed, length, rate);
        let views: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
        let mut sizes = BTreeSet::new();
        for (k, threshold) in [(11, 0.2), (11, 0.5), (8, 0.3), (6, 0.15), (11, 0.01), (11, 1.0)] {
            let config = ClusterConfig { k, window: Some(1), threshold };
            let found = clusters(&views, &config);
            assert_eq!(found, by_brute_force(&sequences, k, threshold), "seed {seed}, {config:?}");
            sizes.insert(found.iter().collect::<BTreeSet<_>>().len());
        }
        assert!(sizes.len() > 1, "the settings make no difference: {sizes:?}");
    }
}

#[test]
fn minimisers_are_the_smallest_of_each_window_and_do_not_know_the_strand() {
    let mut draw = rng(8, &[]);
    for (length, window) in [(40, 1), (40, 5), (300, 16), (12, 30)] {
        let mut sequence = bases(length, &mut draw);
        sequence[length / 3] = b'N';
        let found = cluster::sketch(&sequence, 4, window);
        let all = cluster::sketch(&sequence, 4, 1);
        assert!(found.iter().all(|hash| all.contains(hash)));
        // Single words have the hash of their sketch.
        let hash = |word: &[u8]| cluster::sketch(word, 4, 1)[0];
        let mut expected = BTreeSet::new();
        for run in sequence.split(|base| *base == b'N').filter(|run| run.len() >= 4) {
            let hashes: Vec<u64> = run.windows(4).map(hash).collect();
            expected.extend(hashes.windows(window.min(hashes.len())).map(|near| *near.iter().min().unwrap()));
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(found, cluster::sketch(&reverse_complement(&sequence), 4, window));
    }
    // About 2 / (window + 1) of the words are kept (Roberts et al. 2004, section 2).
    let long = bases(40_000, &mut draw);
    let share = cluster::sketch(&long, 15, 9).len() as f64 / cluster::sketch(&long, 15, 1).len() as f64;
    assert!((share - 0.2).abs() < 0.01, "{share}");
}

#[test]
fn long_sequences_are_compared_by_minimisers() {
    let mut draw = rng(9, &[]);
    let founder = bases(6_000, &mut draw);
    let mut near = founder[1_000..].to_vec();
    (0..near.len()).step_by(200).for_each(|place| near[place] = b'A');
    let far = bases(6_000, &mut draw);
    let sequences = [founder.as_slice(), &reverse_complement(&near), &far];
    assert_eq!(clusters(&sequences, &ClusterConfig::default()), [0, 0, 1]);
}

proptest! {
    /// No group on two sides, no row lost.
    #[test]
    fn nothing_leaks(kind in 1_usize..5, seed in any::<u64>()) {
        let kind = SplitKind::ALL[kind];
        let sequences = families(5, 80, 0.03);
        let contigs = ["chr1", "chr2", "chr3", "chr4"];
        let rows: Vec<(&str, Option<&str>)> = sequences
            .iter()
            .enumerate()
            .map(|(row, sequence)| (std::str::from_utf8(sequence).unwrap(), Some(contigs[row % 4])))
            .collect();
        let set = set(&rows, (kind == SplitKind::Group).then(|| (0..rows.len() as u64).map(|row| row / 3).collect()));
        let config = SplitConfig { kind, seed, ..SplitConfig::default() };
        let parts = split(&set, &config).unwrap();
        prop_assert_eq!(&parts, &split(&set, &config).unwrap());
        parts.check(set.len()).unwrap();
        prop_assert_eq!(parts.train.len() + parts.validation.len() + parts.test.len(), set.len());
        let groups = groups(&set, kind).unwrap();
        let of = |part: Part| parts.part(part).iter().map(|row| groups[*row]).collect::<BTreeSet<_>>();
        let [train, validation, test] = Part::ALL;
        for (one, other) in [(train, test), (train, validation), (validation, test)] {
            prop_assert!(of(one).is_disjoint(&of(other)), "{one} and {other} share a group");
        }
    }

    /// Neither side of a pair in two parts; pairs that hang together are one group, others are not.
    #[test]
    fn pairs_share_no_side(
        sides in proptest::collection::vec((0_u64..12, 0_u64..12), 40..80),
        validation in prop_oneof![Just(0.0), 0.1..0.3_f64],
        seed in any::<u64>(),
    ) {
        let (left, right): (Vec<u64>, Vec<u64>) = sides.iter().copied().unzip();
        if let Ok((parts, unused)) = pairs(&left, &right, Fractions { validation, test: 0.25 }, seed) {
            let rows = [&parts.train[..], &parts.validation, &parts.test, &unused].concat();
            prop_assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), (0..sides.len()).collect::<BTreeSet<_>>());
            for side in [&left, &right] {
                let of = |part: Part| parts.part(part).iter().map(|row| side[*row]).collect::<BTreeSet<_>>();
                prop_assert!(of(Part::Train).is_disjoint(&of(Part::Test)));
                prop_assert!(of(Part::Train).is_disjoint(&of(Part::Validation)));
                prop_assert!(of(Part::Validation).is_disjoint(&of(Part::Test)));
            }
        }
        let groups = linked(&left, &right);
        for (i, one) in sides.iter().enumerate() {
            for (j, other) in sides.iter().enumerate() {
                let touch = one.0 == other.0 || one.1 == other.1;
                prop_assert!(!touch || groups[i] == groups[j]);
            }
        }
    }
}

#[test]
fn chains_of_pairs_are_one_group() {
    assert_eq!(linked(&[0, 1, 1, 2, 9], &[4, 4, 5, 5, 9]), [0, 0, 0, 0, 1]);
    assert_eq!(linked(&[0, 1, 2], &[0, 1, 2]), [0, 1, 2], "the numbers of the two sides are not compared");
    assert!(linked(&[], &[]).is_empty());
}
