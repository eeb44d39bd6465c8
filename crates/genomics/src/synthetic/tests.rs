//! What the documentation promises of the generated data, counted.

use std::collections::{BTreeMap, BTreeSet};

use nn_core::data::rng;
use nn_core::metrics::auroc;

use super::genome::{BOUND, CLEAR};
use super::matrix::Matrix;
use super::*;
use crate::baselines;
use crate::kmer::KmerConfig;
use crate::locus::{Locus, Strand};
use crate::motif::Pssm;
use crate::sequence::reverse_complement;

/// Whether a window has something.
type Has = fn(&Window) -> bool;

fn small() -> SyntheticGenome {
    SyntheticGenome::new(&GenomeConfig { contigs: 3, windows: 120, ..GenomeConfig::default() }).unwrap()
}

/// Score of one site on the forward strand from the counts, as the documentation of the motif database has it.
fn bits(planted: PlantedMotif, site: &[u8]) -> f64 {
    let weight = |(counts, base): (&[f64; 4], &u8)| {
        let place = b"ACGT".iter().position(|known| known == base).unwrap();
        ((counts[place] + 0.25) / (counts.iter().sum::<f64>() + 1.0) / BACKGROUND[place]).log2()
    };
    planted.counts.iter().zip(site).map(weight).sum()
}

#[test]
fn sites_are_where_the_truth_says_and_score_as_it_says() {
    let made = small();
    let genome = made.genome().unwrap();
    let highest = bits(KITE, b"TGACGCAATAGC");
    assert!((Matrix::new(KITE).highest() - highest).abs() < 1e-9);
    assert_eq!(made.windows.len(), 360);
    for window in &made.windows {
        assert_eq!(window.locus.len(), 200);
        let kite: Vec<&Site> = window.sites.iter().filter(|site| site.motif == KITE).collect();
        let kinds: Vec<SiteKind> = kite.iter().map(|site| site.kind).collect();
        if window.bound {
            assert_eq!(kinds, [SiteKind::Whole]);
        } else {
            assert!(kinds == [SiteKind::Near] || kinds == [SiteKind::Half; 2], "{kinds:?}");
        }
        for (place, site) in window.sites.iter().enumerate() {
            let found = genome.window(&site.locus, crate::genome::Edge::Refuse).unwrap();
            let second = site.kind == SiteKind::Half && place == 1;
            let counts = if second { &site.motif.counts[6..] } else { site.motif.counts };
            assert!((bits(PlantedMotif { counts, ..site.motif }, &found) - site.bits).abs() < 1e-9);
            assert!(site.locus.start >= window.locus.start + 10 && site.locus.end <= window.locus.end - 10);
            let wide = site.locus.extended(3, 3);
            assert!(window.sites.iter().filter(|other| *other != site).all(|other| !other.locus.overlaps(&wide)));
        }
        let share = kite.iter().map(|site| site.bits).sum::<f64>() / highest;
        assert!(if kinds == [SiteKind::Near] { (share - 0.685).abs() < 1e-3 } else { share >= BOUND }, "{share}");
    }
    // Half of the windows of each contig are bound; sites lie on both strands; half of either kind has the other motif.
    let bound = |window: &&Window| window.bound;
    assert_eq!(made.windows.iter().filter(bound).count(), 180);
    let share = |wanted: Has, of: Has| {
        let all = made.windows.iter().filter(|window| of(window));
        all.clone().filter(|window| wanted(window)).count() as f64 / all.count() as f64
    };
    // 180 draws with probability 1/2 have standard error 0.037; four of those are allowed.
    let cases: [(Has, Has); 4] = [
        (|w| w.sites.iter().any(|site| site.motif == LARK), |w| w.bound),
        (|w| w.sites.iter().any(|site| site.motif == LARK), |w| !w.bound),
        (|w| w.sites[0].kind == SiteKind::Near, |w| !w.bound),
        (|w| w.sites[0].locus.strand == Strand::Reverse, |w| w.bound),
    ];
    for (wanted, of) in cases {
        assert!((share(wanted, of) - 0.5).abs() < 0.15, "{}", share(wanted, of));
    }
}

/// By scores that are computed here; the matrix of the motif module agrees on the highest.
#[test]
fn the_motif_occurs_nowhere_else() {
    let made = small();
    let motif = motifs().unwrap().remove(0);
    assert_eq!((motif.name.as_str(), motif.width()), ("KITE", 12));
    let highest = Matrix::new(KITE).highest();
    let pssm = Pssm::new(&motif, &BACKGROUND, 0.01, 0.001).unwrap();
    assert!((pssm.highest() - highest).abs() < 0.1, "{} and {highest}", pssm.highest());
    let planted: Vec<&Locus> = made.windows.iter().flat_map(|window| &window.sites).map(|site| &site.locus).collect();
    let mut hits = 0;
    for (name, bases) in &made.contigs {
        let bases = bases.to_ascii_uppercase();
        for (start, site) in bases.windows(12).enumerate().filter(|(_, site)| !site.contains(&b'N')) {
            let best = bits(KITE, site).max(bits(KITE, &reverse_complement(site)));
            if best < CLEAR * highest {
                continue;
            }
            let here = Locus::new(name.as_str(), start as i64, start as i64 + 12).unwrap();
            if best < BOUND * highest {
                assert!(planted.iter().any(|locus| locus.overlaps(&here)), "{here} scores {best}");
            } else {
                let same = |locus: &&Locus| (&locus.contig, locus.start) == (&here.contig, here.start);
                assert!(planted.iter().any(same), "{here} scores {best}");
                hits += 1;
            }
        }
    }
    assert_eq!(hits, 180);
}

#[test]
fn the_background_is_that_of_the_chain() {
    let made = small();
    let mut counts: BTreeMap<u8, f64> = BTreeMap::new();
    let (mut cg, mut known, mut masked, mut all) = (0.0, 0.0, 0.0, 0.0);
    for (_, bases) in &made.contigs {
        assert_eq!(bases.len(), GenomeConfig { windows: 120, ..GenomeConfig::default() }.length());
        assert!(bases[..200].iter().chain(&bases[bases.len() - 200..]).all(|base| *base == b'N'));
        masked += bases.iter().filter(|base| base.is_ascii_lowercase()).count() as f64;
        all += bases.len() as f64;
        let bases = bases.to_ascii_uppercase();
        for pair in bases.windows(2).filter(|pair| pair[0] != b'N' && pair[1] != b'N') {
            *counts.entry(pair[0]).or_default() += 1.0;
            known += 1.0;
            cg += f64::from(u8::from(pair == b"CG"));
        }
    }
    for (base, expected) in b"ACGT".iter().zip(BACKGROUND) {
        let share = counts[base] / known;
        assert!((share - expected).abs() < 0.012, "{} {share}", char::from(*base));
    }
    let ratio = cg / known / (counts[&b'C'] / known * counts[&b'G'] / known);
    assert!((0.2..0.45).contains(&ratio), "CG occurs {ratio} times as often as by chance");
    assert!((masked / all - 0.3).abs() < 0.08, "{}", masked / all);
}

#[test]
fn the_seed_decides_and_contigs_do_not_depend_on_each_other() {
    let config = GenomeConfig { contigs: 2, windows: 20, ..GenomeConfig::default() };
    let made = SyntheticGenome::new(&config).unwrap();
    assert_eq!(made, SyntheticGenome::new(&config).unwrap());
    let longer = SyntheticGenome::new(&GenomeConfig { contigs: 3, ..config.clone() }).unwrap();
    assert_eq!(longer.contigs[..2], made.contigs);
    assert_ne!(made, SyntheticGenome::new(&GenomeConfig { seed: 2, ..config }).unwrap());
    for (config, field) in [
        (GenomeConfig { contigs: 0, ..GenomeConfig::default() }, "contigs"),
        (GenomeConfig { windows: 3, ..GenomeConfig::default() }, "windows"),
        (GenomeConfig { width: 60, ..GenomeConfig::default() }, "width"),
        (GenomeConfig { spacing: 100, ..GenomeConfig::default() }, "spacing"),
        (GenomeConfig { near: 2.0, ..GenomeConfig::default() }, "near"),
    ] {
        let error = SyntheticGenome::new(&config).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}

/// Composition says little, words of four bases something, the scores of the motif everything.
#[test]
fn only_the_motif_tells_the_windows_apart() {
    let made = SyntheticGenome::new(&GenomeConfig::default()).unwrap();
    let set = made.dataset().unwrap();
    set.check().unwrap();
    let (train, test): (Vec<usize>, Vec<usize>) =
        (0..set.len()).partition(|&row| set.loci[row].as_ref().unwrap().contig.as_ref() != "chr5");
    let labels: Vec<bool> = test.iter().map(|&row| set.targets[row] == 1.0).collect();
    let of = |predicted: Vec<f64>| auroc(&labels, &predicted).unwrap();
    let gc = of(baselines::gc(&set, &train, &test).unwrap());
    assert!((gc - 0.5).abs() < 0.14, "GC content alone reaches {gc}");
    let words =
        of(baselines::kmers(&set, &train, &test, &KmerConfig { penalty: 100.0, ..KmerConfig::default() }).unwrap());
    assert!((0.55..0.9).contains(&words), "words of four bases reach {words}");
    let matrix = Matrix::new(KITE);
    assert_eq!(of(test.iter().map(|&row| matrix.best(&set.sequences[row]).0).collect()), 1.0);
    assert_eq!((made.peaks().len(), made.unbound().len()), (600, 600));
    let peak = &made.peaks()[0];
    let site = &made.windows.iter().find(|window| window.bound).unwrap().sites[0];
    assert_eq!(peak.summit(), site.locus.centre());
}

#[test]
fn reads_pile_up_beside_the_sites() {
    let made = small();
    let config = ReadConfig { depth: 40.0, ..ReadConfig::default() };
    let reads = made.reads(&config).unwrap();
    assert_eq!(reads, made.reads(&config).unwrap());
    let names: BTreeSet<&str> = reads.iter().map(|read| read.name.as_str()).collect();
    assert_eq!(names.len(), reads.len());
    let genome = made.genome().unwrap();
    let (mut mismatches, mut bases) = (0.0, 0.0);
    let mut last = (0, 0);
    for read in reads.iter().filter(|read| read.locus.is_some()) {
        let locus = read.locus.as_ref().unwrap();
        let place = (made.contigs.iter().position(|(name, _)| **name == *locus.contig).unwrap(), locus.start);
        assert!(last <= place, "reads are out of order");
        last = place;
        assert_eq!(read.flags & 0x10 != 0, locus.strand == Strand::Reverse);
        assert_eq!((read.sequence.len(), read.qualities.len(), read.cigar()), (50, 50, "50M".to_owned()));
        let forward = Locus { strand: Strand::Forward, ..locus.clone() };
        let reference = genome.window(&forward, crate::genome::Edge::Refuse).unwrap();
        mismatches += read.sequence.iter().zip(&reference).filter(|(a, b)| a != b).count() as f64;
        bases += 50.0;
    }
    // Three quarters of the random bases differ.
    assert!((mismatches / bases - 0.75 * config.errors).abs() < 5e-4, "{}", mismatches / bases);
    let share = |flag: u16| reads.iter().filter(|read| read.flags & flag != 0).count() as f64 / reads.len() as f64;
    assert!((share(0x400) - 0.05 / 1.05).abs() < 0.015 && (share(0x4) - 0.01).abs() < 0.006);
    assert!(reads.iter().rev().take_while(|read| read.locus.is_none()).count() > 20, "unmapped reads come last");

    // 5' ends of the forward strand lie half a fragment before the site, those of the reverse strand behind it.
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    for site in made.windows.iter().filter(|window| window.bound).map(|window| &window.sites[0].locus) {
        for locus in reads.iter().filter_map(|read| read.locus.as_ref()) {
            let distance = locus.five_prime() - site.centre();
            if locus.contig == site.contig && distance.abs() < 180 {
                if locus.strand == Strand::Forward { before.push(distance) } else { behind.push(distance) }
            }
        }
    }
    let mean = |values: &[i64]| values.iter().sum::<i64>() as f64 / values.len() as f64;
    // The background, about a fifteenth, lies evenly around the site and draws the mean to it.
    assert!(
        (mean(&before) + 86.0).abs() < 6.0 && (mean(&behind) - 86.0).abs() < 6.0,
        "{} {}",
        mean(&before),
        mean(&behind)
    );
    // 40 fragments on each of 180 windows, 2 on each of 186 thousand bases, and a twentieth more.
    let expected = (40.0 * 180.0 + 2.0 * 186.0) * 1.05;
    assert!((reads.len() as f64 / expected - 1.0).abs() < 0.05, "{} reads, not about {expected}", reads.len());

    let text = sam(&made, &reads[..3]);
    assert!(text.starts_with("@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:62000\n"));
    assert!(text.lines().skip(4).all(|line| line.split('\t').count() == 11));
    assert!(made.reads(&ReadConfig { errors: 1.0, ..config }).unwrap_err().to_string().starts_with("errors"));
}

#[test]
fn variants_do_what_they_are_said_to_do() {
    let made = small();
    let genome = made.genome().unwrap();
    let config = VariantConfig { disrupting: 40, creating: 30, neutral: 60, seed: 3 };
    let variants = made.variants(&config).unwrap();
    assert_eq!(variants, made.variants(&config).unwrap());
    let count = |effect| variants.iter().filter(|made| made.effect == effect).count();
    assert_eq!(
        [VariantEffect::Disrupts, VariantEffect::Creates, VariantEffect::Neutral].map(count),
        [40, 30, 60],
        "there are windows enough"
    );
    let floor = 0.4 * Matrix::new(KITE).highest();
    let best = |sequence: &[u8]| {
        let sites = sequence.windows(12).map(|site| bits(KITE, site).max(bits(KITE, &reverse_complement(site))));
        sites.fold(floor, f64::max)
    };
    let mut indels = 0;
    for made in &variants {
        let variant = &made.variant;
        let at = |start, end| Locus { contig: variant.contig.clone(), start, end, strand: Strand::Forward };
        let window = |locus: &Locus| genome.window(locus, crate::genome::Edge::Refuse).unwrap();
        assert_eq!(window(&at(variant.position, variant.end())), variant.reference);
        assert_ne!(variant.reference, variant.alternate);
        let mut alternate = window(&at(made.window.start, variant.position));
        alternate.extend_from_slice(&variant.alternate);
        alternate.extend(window(&at(variant.end(), made.window.end)));
        assert!((best(&alternate) - best(&window(&made.window)) - made.bits).abs() < 1e-9);
        match made.effect {
            VariantEffect::Disrupts => assert!(made.bits < -1.0),
            VariantEffect::Creates => assert!(made.bits > 5.0 && best(&alternate) > floor * 2.4),
            VariantEffect::Neutral => assert!(made.bits.abs() < 1e-9),
        }
        indels += usize::from(variant.growth() != 0);
    }
    assert!((2..20).contains(&indels), "{indels} of 40 breaking variants change the length");
    let text = vcf(&made, &variants[..2]);
    let line = text.lines().last().unwrap();
    let columns: Vec<&str> = line.split('\t').collect();
    assert_eq!((columns.len(), columns[1]), (8, (variants[1].variant.position + 1).to_string().as_str()));
    assert!(
        columns[2] == "v2" && columns[7].starts_with("EFFECT=") && text.contains("##contig=<ID=chr1,length=62000>")
    );
}

/// A linear model finds 0.783 and no more, the rule 0.980, and the product of two sums of bins most of the rest: the
/// numbers of an enumeration of the eight cases in Python, and of numpy on counts drawn in the same way (0.776 and
/// 0.950). 2000 test genes leave a standard error of 0.011.
#[test]
fn marks_hide_an_exclusive_or() {
    let (set, truth) = marks(&MarkConfig::default()).unwrap();
    assert_eq!((set.len(), set.bins, set.values.len()), (6_000, 100, 6_000 * 500));
    assert_eq!(set.labels.iter().sum::<f32>(), 3_000.0);
    let labels: Vec<bool> = set.labels.iter().map(|label| *label == 1.0).collect();
    let rule = auroc(&labels, &truth.rule).unwrap();
    assert!((rule - 0.980).abs() < 0.008, "{rule}");

    let sums = |gene: usize| {
        let sum = |mark: usize, bins: std::ops::Range<usize>| -> f64 {
            let start = (gene * 5 + mark) * 100;
            set.values[start..start + 100][bins].iter().copied().map(f64::from).sum()
        };
        [sum(3, 46..54), -sum(0, 0..100), sum(2, 24..40), sum(1, 60..95)]
    };
    let sums: Vec<[f64; 4]> = (0..set.len()).map(sums).collect();
    let centred = |column: usize| {
        let mean = sums.iter().map(|row| row[column]).sum::<f64>() / sums.len() as f64;
        let sd = (sums.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / sums.len() as f64).sqrt();
        sums.iter().map(|row| (row[column] - mean) / sd).collect::<Vec<f64>>()
    };
    let [a, r, e, b] = [0, 1, 2, 3].map(centred);
    let linear: Vec<f64> = a.iter().zip(&r).map(|(a, r)| 0.8 * a + 0.4 * r).collect();
    let product: Vec<f64> = linear.iter().zip(e.iter().zip(&b)).map(|(linear, (e, b))| linear + e * b).collect();
    let (linear, product) = (auroc(&labels, &linear).unwrap(), auroc(&labels, &product).unwrap());
    assert!((0.74..0.80).contains(&linear), "{linear}");
    assert!((0.93..0.985).contains(&product), "{product}");
    for alone in [&e, &b] {
        assert!((auroc(&labels, alone).unwrap() - 0.5).abs() < 0.03);
    }
    // Each mark is there for half of the genes.
    for mark in 0..5 {
        let there = truth.present.iter().filter(|present| present[mark]).count() as f64 / 6_000.0;
        assert!((there - 0.5).abs() < 4.0 * 0.0065, "{there}");
    }
    let (again, _) = marks(&MarkConfig { genes: 10, ..MarkConfig::default() }).unwrap();
    assert_eq!(again.values[..], set.values[..5_000]);
    assert!(marks(&MarkConfig { genes: 1, ..MarkConfig::default() }).is_err());
}

#[test]
fn draws_have_their_distributions() {
    let mut draw = rng(6, &[]);
    let n = 20_000;
    for mean in [0.5, 4.0, 60.0] {
        let counts: Vec<f64> = (0..n).map(|_| poisson(mean, &mut draw) as f64).collect();
        let found = counts.iter().sum::<f64>() / f64::from(n);
        let variance = counts.iter().map(|count| (count - found).powi(2)).sum::<f64>() / f64::from(n);
        // Mean and variance are both the mean; standard errors sqrt(mean / n) and about mean sqrt((2 + 1 / mean) / n).
        assert!((found - mean).abs() < 4.0 * (mean / f64::from(n)).sqrt(), "{found} for {mean}");
        assert!(
            (variance - mean).abs() < 4.0 * mean * ((2.0 + 1.0 / mean) / f64::from(n)).sqrt(),
            "{variance} for {mean}"
        );
    }
    let share = (0..n).filter(|_| weighted(&[1.0, 2.0, 0.0, 1.0], &mut draw) == 1).count() as f64 / f64::from(n);
    assert!((share - 0.5).abs() < 0.015, "{share}");
}
