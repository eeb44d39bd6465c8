//! Negatives of small genomes, checked window by window.

use nn_core::data::group_ids;
use rand::RngExt;

use super::*;
use crate::locus::Strand;
use crate::sequence::gc_content;

fn at(contig: &str, start: i64, end: i64) -> Locus {
    Locus::new(contig, start, end).unwrap()
}

/// Two contigs of random bases, poor in G and C on the left and rich on the right, the second contig half in small
/// letters, with a run of N in each.
fn genome() -> Genome {
    let mut draw = rng(4, &[]);
    let contig = |name: &str, length: usize, masked: bool, draw: &mut rand_chacha::ChaCha8Rng| {
        let mut bases: Vec<u8> = (0..length)
            .map(|place| {
                let rich = draw.random_bool(0.3 + 0.4 * place as f64 / length as f64);
                let pair: &[u8; 2] = if rich { b"GC" } else { b"AT" };
                let base = pair[draw.random_range(0..2_usize)];
                if masked && place % 2000 < 1000 { base.to_ascii_lowercase() } else { base }
            })
            .collect();
        bases[length / 2..length / 2 + 500].fill(b'N');
        (name.to_owned(), bases)
    };
    Genome::from_contigs([contig("chr1", 300_000, false, &mut draw), contig("chr2", 200_000, true, &mut draw)]).unwrap()
}

fn config() -> MatchConfig {
    MatchConfig { gc_bin: 0.05, candidates: 200_000, ..MatchConfig::default() }
}

/// Forty peaks of 200 bases on either contig, every other one on the other strand.
fn peaks() -> Vec<Locus> {
    (0..40)
        .map(|i| {
            let (contig, start) = if i % 2 == 0 { ("chr1", 1000 + 7000 * i) } else { ("chr2", 500 + 4500 * i) };
            at(contig, start, start + 200).on(if i % 4 < 2 { Strand::Forward } else { Strand::Reverse })
        })
        .collect()
}

fn shares(genome: &Genome, locus: &Locus) -> [f64; 3] {
    let sequence = genome.window(locus, Edge::Refuse).unwrap();
    let unknown = sequence.iter().map(|base| f64::from(u8::from(*base == b'N'))).sum::<f64>() / sequence.len() as f64;
    [gc_content(&sequence), genome.masked_share(locus), unknown]
}

/// What is promised of every negative.
fn promises(genome: &Genome, positives: &[Locus], excluded: &[Locus], config: &MatchConfig, found: &Matched) {
    assert_eq!(found.loci.len(), found.of.len());
    for (negative, &row) in found.loci.iter().zip(&found.of) {
        let positive = &positives[row];
        assert_eq!((negative.len(), negative.strand), (positive.len(), positive.strand));
        let (mine, its) = (shares(genome, negative), shares(genome, positive));
        for ((mine, its), width) in mine.iter().zip(its).zip([config.gc_bin, config.repeat_bin, config.unknown_bin]) {
            assert!((mine - its).abs() <= width + 1e-9, "{negative} has {mine}, {positive} {its}");
        }
        for taken in positives.iter().chain(excluded) {
            assert!(!negative.overlaps(&taken.extended(config.gap, config.gap)), "{negative} touches {taken}");
        }
        assert!(!config.same_contig || negative.contig == positive.contig);
    }
    for (i, one) in found.loci.iter().enumerate() {
        assert!(found.loci[..i].iter().all(|other| !one.overlaps(other)), "{one} overlaps another negative");
    }
}

#[test]
fn windows_match_their_positives() {
    let (genome, positives) = (genome(), peaks());
    let excluded = [at("chr1", 20_000, 25_000), at("chr2", 5_000, 9_000)];
    for config in [
        config(),
        MatchConfig { per_positive: 2, ..config() },
        MatchConfig { gap: 150, seed: 9, ..config() },
        MatchConfig { same_contig: true, gc_bin: 0.1, ..config() },
    ] {
        let found = matched(&genome, &positives, &excluded, &config).unwrap();
        assert_eq!(found.loci.len(), 40 * config.per_positive);
        assert_eq!((found.filling.found, found.filling.wanted), (found.loci.len(), found.loci.len()));
        promises(&genome, &positives, &excluded, &config, &found);
        assert_eq!(matched(&genome, &positives, &excluded, &config).unwrap(), found, "the seed decides");
    }
    let first = matched(&genome, &positives, &excluded, &config()).unwrap();
    assert_ne!(first, matched(&genome, &positives, &excluded, &MatchConfig { seed: 2, ..config() }).unwrap());
    // Under another name of the contigs, the same places.
    let renamed: Vec<Locus> =
        positives.iter().map(|peak| at(&peak.contig[3..], peak.start, peak.end).on(peak.strand)).collect();
    assert_eq!(matched(&genome, &renamed, &excluded, &config()).unwrap(), first);
}

#[test]
fn windows_of_many_lengths_match_too() {
    let genome = genome();
    let positives: Vec<Locus> = peaks().iter().enumerate().map(|(i, peak)| peak.centred(120 + 7 * (i % 20))).collect();
    let config = MatchConfig { gc_bin: 0.1, ..config() };
    let found = matched(&genome, &positives, &[], &config).unwrap();
    assert_eq!(found.loci.len(), 40);
    promises(&genome, &positives, &[], &config, &found);
}

#[test]
fn too_few_windows_are_told_bin_by_bin() {
    // The only 400 bases rich in G and C are the positives themselves and 100 bases beside them.
    let mut bases = b"AT".repeat(2_000);
    bases[1_000..1_400].fill(b'G');
    let genome = Genome::from_contigs([("chr1".to_owned(), bases)]).unwrap();
    let positives: Vec<Locus> = (0..3).map(|i| at("1", 1_000 + 100 * i, 1_100 + 100 * i)).collect();
    let config = MatchConfig { gc_bin: 0.1, ..MatchConfig::default() };
    let error = matched(&genome, &positives, &[], &config).unwrap_err();
    let NegativesError::Short(filling) = &error else { panic!("{error}") };
    assert_eq!((filling.found, filling.wanted, filling.bins.len()), (1, 3, 1));
    let bin = &filling.bins[0];
    assert_eq!((bin.gc, bin.found, bin.wanted), ([0.9, 1.0], 1, 3));
    assert!(bin.candidates > 0 && bin.contig.is_none());
    let text = error.to_string();
    let expected = format!(
        "found 1 of 3 negatives; 1 of 1 kinds of windows fall short: GC 0.900 to 1.000: 1 of 3 from {} candidates; use",
        bin.candidates
    );
    assert!(text.starts_with(&expected), "{text}");

    let config = MatchConfig { allow_short: true, ..config };
    let found = matched(&genome, &positives, &[], &config).unwrap();
    assert_eq!((found.loci.len(), &found.filling), (1, &**filling));
    assert!(found.loci[0].start >= 1_300, "{}", found.loci[0]);
    // Nothing is left when the rest is excluded.
    let found = matched(&genome, &positives, &[at("1", 1_350, 1_351)], &config).unwrap();
    assert_eq!((found.loci.len(), found.filling.short().count()), (0, 1));
}

#[test]
fn what_cannot_be_matched_is_refused() {
    let genome = genome();
    let error = |positives: &[Locus], excluded: &[Locus], config: MatchConfig| {
        matched(&genome, positives, excluded, &config).unwrap_err().to_string()
    };
    let peaks = peaks();
    assert!(error(&[], &[], config()).starts_with("there are no positives"));
    assert!(error(&[at("chr1", 5, 5)], &[], config()).starts_with("positive 1, chr1:6-5(+), has no bases"));
    assert!(error(&[at("chr9", 5, 9)], &[], config()).contains("chr9"));
    // Blacklists of larger assemblies are no mistake, those of another naming are.
    assert!(error(&peaks, &[at("scaffold_1", 5, 9)], config()).contains("scaffold_1"));
    assert!(matched(&genome, &peaks, &[at("chr9", 5, 9), at("chr1", 5, 9)], &config()).is_ok());
    assert!(error(&peaks, &[], MatchConfig { gc_bin: 0.0, ..config() }).starts_with("gc_bin = 0 is out of range"));
    let long = [at("chr1", 0, 400_000)];
    assert!(error(&long, &[], config()).starts_with("no contig has 400000 bases"));
}

fn set(labels: Labels, targets: Vec<f32>) -> SequenceSet {
    let n = targets.len();
    SequenceSet {
        names: (0..n).map(|row| format!("row {row}")).collect(),
        sequences: vec![b"ACGTNACGATTACCAGATACGGATCTTAGCAACT".to_vec(); n],
        loci: vec![None; n],
        tasks: vec!["bound".to_owned()],
        labels,
        targets,
        groups: None,
    }
}

#[test]
fn shuffles_stand_behind_the_set_in_the_group_of_their_positive() {
    let set = set(Labels::Binary, vec![1.0, 0.0, 1.0, f32::NAN]);
    let whole = shuffled(&set, Shuffle::Dinucleotide, 2, 5).unwrap();
    whole.check().unwrap();
    assert_eq!(whole.len(), 8);
    assert_eq!(whole.select(&[0, 1, 2]).names, set.select(&[0, 1, 2]).names);
    assert_eq!(whole.groups, Some(vec![0, 1, 2, 3, 0, 0, 2, 2]));
    assert_eq!(whole.targets[4..], [0.0; 4]);
    assert_eq!(whole.names[5], "row 0 shuffled 2");
    let pairs = |sequence: &[u8]| {
        let mut pairs: Vec<Vec<u8>> = sequence.windows(2).map(<[u8]>::to_vec).collect();
        pairs.sort();
        pairs
    };
    assert!(whole.sequences[4..].iter().all(|sequence| pairs(sequence) == pairs(&set.sequences[0])));
    // Copies differ from each other and from those of the other rows.
    assert!(group_ids(&whole.sequences[4..]).len() == 4 && group_ids(&whole.sequences[4..]) == [0, 1, 2, 3]);
    assert_eq!(shuffled(&set, Shuffle::Dinucleotide, 2, 5).unwrap().sequences, whole.sequences);
    assert_ne!(shuffled(&set, Shuffle::Dinucleotide, 2, 6).unwrap().sequences, whole.sequences);

    assert!(matches!(
        shuffled(&self::set(Labels::Values, vec![1.0]), Shuffle::Dinucleotide, 1, 1),
        Err(NegativesError::Labels)
    ));
    assert!(matches!(
        shuffled(&self::set(Labels::Binary, vec![0.0]), Shuffle::Dinucleotide, 1, 1),
        Err(NegativesError::NoPositives)
    ));
}

#[test]
fn windows_stand_behind_the_set() {
    let (genome, peaks) = (genome(), peaks());
    let mut set = set(Labels::Binary, vec![1.0; 40]);
    let error = with_matched(&set, &genome, &[], &config()).unwrap_err().to_string();
    assert!(error.starts_with("row 1, row 0, has no place on the genome"), "{error}");
    set.sequences = peaks.iter().map(|peak| genome.window(peak, Edge::Refuse).unwrap()).collect();
    set.loci = peaks.into_iter().map(Some).collect();
    let (whole, filling) = with_matched(&set, &genome, &[], &config()).unwrap();
    whole.check().unwrap();
    assert_eq!((whole.len(), filling.found), (80, 40));
    for row in 40..80 {
        let locus = whole.loci[row].as_ref().unwrap();
        assert_eq!((whole.targets[row], &whole.names[row]), (0.0, &locus.to_string()));
        assert_eq!(whole.sequences[row], genome.window(locus, Edge::Refuse).unwrap());
    }
}

#[test]
fn shares_fall_into_bins() {
    for (share, width, expected) in [
        (0.0, 0.02, 0),
        (0.019, 0.02, 0),
        (0.02, 0.02, 1),
        (0.58, 0.02, 29),
        (1.0, 0.02, 49),
        (0.3, 1.0, 0),
        (1.0, 0.3, 3),
    ] {
        assert_eq!(super::matched::bin(share, width), expected, "{share} in bins of {width}");
    }
}
