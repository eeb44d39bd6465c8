//! Negatives of real peaks on real genomes.

use genomics::baselines;
use genomics::genome::{Edge, Genome};
use genomics::io::{read_genome, sets};
use genomics::kmer::KmerConfig;
use genomics::locus::{Locus, Strand};
use genomics::negatives::{Intervals, MatchConfig, Matched, NegativesError, matched, shuffled};
use genomics::sequence::gc_content;
use genomics::shuffle::Shuffle;
use genomics::split::{SplitConfig, SplitKind, split};

use crate::data;

/// Share of G and C, of soft-masked and of unknown bases.
fn shares(genome: &Genome, locus: &Locus) -> [f64; 3] {
    let sequence = genome.window(locus, Edge::Refuse).unwrap();
    [gc_content(&sequence), genome.masked_share(locus), genome.unknown_share(locus)]
}

/// What is promised of every negative, one by one.
fn promises(genome: &Genome, positives: &[Locus], config: &MatchConfig, found: &Matched) {
    let taken = Intervals::new(positives, config.gap);
    for (negative, &row) in found.loci.iter().zip(&found.of) {
        let positive = &positives[row];
        assert_eq!((negative.len(), negative.strand), (positive.len(), positive.strand));
        assert!(!taken.overlap(negative), "{negative} touches a positive");
        let widths = [config.gc_bin, config.repeat_bin, config.unknown_bin];
        for ((mine, its), width) in shares(genome, negative).into_iter().zip(shares(genome, positive)).zip(widths) {
            assert!((mine - its).abs() <= width + 1e-9, "{negative} has {mine}, {positive} {its}");
        }
    }
    let mut sorted: Vec<&Locus> = found.loci.iter().collect();
    sorted.sort();
    assert!(sorted.windows(2).all(|pair| !pair[0].overlaps(pair[1])), "two negatives overlap");
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// 63 million bases, all but 1.1 million of them N, 41 % of those soft-masked.
#[test]
fn windows_of_chromosome_20_match_its_richest_windows() {
    let Some(path) = data::path("genomics/giab_chr20/ucsc.hg19.chr20.unittest.fasta.gz") else { return };
    let genome = read_genome(&path).unwrap();
    // Of windows 2000 bases apart fifty of the richest in G and C: what promoters and peaks are like. The ten richest
    // lie in repeats and islands of which this part of the chromosome has no second.
    let mut positives: Vec<Locus> = (0..500)
        .map(|i| {
            let strand = if i % 2 == 0 { Strand::Forward } else { Strand::Reverse };
            Locus::new("chr20", 10_000_000 + 2_000 * i, 10_000_200 + 2_000 * i).unwrap().on(strand)
        })
        .collect();
    positives.sort_by(|a, b| shares(&genome, b)[0].total_cmp(&shares(&genome, a)[0]));
    let positives = positives[10..60].to_vec();
    let config = MatchConfig { gap: 100, gc_bin: 0.04, repeat_bin: 0.5, ..MatchConfig::default() };
    let found = matched(&genome, &positives, &[], &config).unwrap();
    assert_eq!(found.loci.len(), 50);
    promises(&genome, &positives, &config, &found);
    assert!(found.loci.iter().all(|locus| locus.start >= 9_995_000 && locus.end <= 11_095_000), "a window of N");
    let gc = |loci: &[Locus]| mean(loci.iter().map(|locus| shares(&genome, locus)[0]));
    assert!((gc(&found.loci) - gc(&positives)).abs() < 0.015);
    // Whatever is drawn without matching has less.
    let any = (0..500).map(|i| Locus::new("chr20", 10_001_000 + 2_000 * i, 10_001_200 + 2_000 * i).unwrap());
    let any = mean(any.map(|locus| shares(&genome, &locus)[0]));
    assert!(gc(&positives) > any + 0.08, "{} {any}", gc(&positives));

    // A hundred for each cannot be had, and the message says of what there are too few.
    let error = matched(&genome, &positives, &[], &MatchConfig { per_positive: 100, ..config.clone() }).unwrap_err();
    let NegativesError::Short(filling) = &error else { panic!("{error}") };
    assert_eq!(filling.wanted, 5_000);
    assert!(filling.found > 50 && filling.short().count() > 0);
    assert!(error.to_string().contains("candidates; "), "{error}");
    let short = MatchConfig { per_positive: 100, allow_short: true, ..config };
    let found = matched(&genome, &positives, &[], &short).unwrap();
    assert_eq!(&found.filling, &**filling);
    promises(&genome, &positives, &short, &found);
}

/// Two dinucleotide shuffles of a sequence cannot be told apart by words of two bases, nor a sequence from its shuffle:
/// where both are in one part, the counts of the two classes are the same.
#[test]
fn words_of_two_bases_cannot_tell_shuffles() {
    let Some(folder) = data::path("genomics/tf_chipseq_encode") else { return };
    let positives = sets::deepbind(&folder.join("SUZ12_H1-hESC_SUZ12_USC_AC.seq.gz")).unwrap();
    let whole = shuffled(&positives, Shuffle::Dinucleotide, 1, 4).unwrap();
    assert_eq!(whole.len(), 2 * positives.len());
    let config = SplitConfig { kind: SplitKind::Random, ..SplitConfig::default() };
    let parts = split(&whole, &config).unwrap();
    let words = KmerConfig { k: 2, both_strands: false, ..KmerConfig::default() };
    let found = baselines::all(&whole, &parts.train, &parts.test, &words).unwrap();
    for baseline in &found {
        let auroc = baseline.scores(&whole, &parts.test).unwrap()["auroc"];
        assert!((auroc - 0.5).abs() < 0.01, "{}: {auroc}", baseline.name);
    }
    // Words of four bases do tell them.
    let four = baselines::kmers(&whole, &parts.train, &parts.test, &KmerConfig::default()).unwrap();
    let labels: Vec<bool> = parts.test.iter().map(|&row| whole.targets[row] == 1.0).collect();
    assert!(nn_core::metrics::auroc(&labels, &four).unwrap() > 0.65);
    // A mononucleotide shuffle is told by words of two.
    let whole = shuffled(&positives, Shuffle::Mononucleotide, 1, 4).unwrap();
    let two = baselines::kmers(&whole, &parts.train, &parts.test, &words).unwrap();
    assert!(nn_core::metrics::auroc(&labels, &two).unwrap() > 0.7);
}
