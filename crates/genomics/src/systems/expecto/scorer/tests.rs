//! Effects are those of the nearest gene, and the mean of the models and of both places of an insertion.

use burn::tensor::Device;
use nn_core::data::rng;

use super::*;
use crate::locus::Locus;
use crate::systems::expecto::tests::small;
use crate::systems::expecto::{ExpectoConfig, Ridge, SpatialConfig};
use crate::systems::golden::{filled, noise};
use crate::variant::{Contigs, Variant, check};

fn genome() -> Genome {
    let bases = noise("scorer", 1500).map(|value| b"ACGT"[((value + 1.0) * 2.0) as usize]).collect();
    Genome::from_contigs([("chr1".to_owned(), bases)]).unwrap()
}

/// A model of one tissue whose weights are multiples of `factor`.
fn model(factor: f64) -> Expecto {
    let body = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let spatial = SpatialConfig { step: 5, reach: 400, decays: vec![0.1, 0.4], shift: 12 };
    let weights = (0..4 * 3).map(|place| factor * (f64::from(place * 7 % 5) - 2.0)).collect();
    let config = ExpectoConfig { body: small(), spatial, tissues: 1, ..ExpectoConfig::default() };
    config.init(body, &Expecto::lines(&[Ridge { weights, intercept: 0.5 }]), &Device::flex()).unwrap()
}

/// One gene to the right of base 300, one to the left of base 700.
fn genes() -> GeneTable {
    let start = |at: i64| Locus::new("1", at, at + 1).unwrap();
    GeneTable {
        names: ["right", "left"].map(str::to_owned).to_vec(),
        starts: vec![start(300), start(700).on(Strand::Reverse)],
        ..GeneTable::default()
    }
}

fn checked(genome: &Genome, at: i64, reference: &[u8], alternate: &[u8]) -> Checked {
    let found = check(Variant::new("chr1", at, reference, alternate), &mut Contigs::new(genome));
    assert_eq!(found.status, Status::Match, "{:?}", found.reason);
    found
}

fn base(genome: &Genome, at: i64) -> u8 {
    genome.window(&Locus::new("chr1", at, at + 1).unwrap(), Edge::Refuse).unwrap()[0]
}

fn other(base: u8) -> u8 {
    if base == b'A' { b'G' } else { b'A' }
}

#[test]
fn an_exchange_has_its_effect_on_the_nearest_gene() {
    let (genome, genes, stop) = (genome(), genes(), AtomicBool::new(false));
    let tissues = vec!["liver".to_owned()];
    // the mean of weights once and three times is twice
    let mut scorer = ExpectoScorer::new(&[model(1.0), model(3.0)], tissues, &genome, &genes, &stop).unwrap();
    assert_eq!((scorer.labels(), scorer.scale()), (&LABELS[..], Scale::Values));
    for (at, name, distance, strand) in [(340, "right", 40, Strand::Forward), (560, "left", 140, Strand::Reverse)] {
        let (from, to) = (base(&genome, at), other(base(&genome, at)));
        let variant = checked(&genome, at, &[from], &[to]);
        let effect = scorer.score(&[variant]).unwrap().remove(0).unwrap();
        assert_eq!(effect.labels, [name.to_owned(), distance.to_string()]);
        let reference = genome.window(&Locus::new("chr1", at, at + 1).unwrap().centred(91), Edge::Refuse).unwrap();
        let mut alternative = reference.clone();
        assert_eq!(std::mem::replace(&mut alternative[45], to), from);
        let expected = model(2.0).effects(&[Alleles { reference, alternative, distance, strand }]).unwrap()[0];
        // the same windows with the same weights, added up in another order
        assert!((effect.difference[0] - expected).abs() < 1e-9 && expected.abs() > 1e-6, "{effect:?} {expected}");
        let change = effect.alternate[0] - effect.reference[0];
        assert!((change - expected).abs() < 1e-9 && effect.log_odds.is_none(), "{effect:?}");
    }
    let far = checked(&genome, 1400, &[base(&genome, 1400)], &[other(base(&genome, 1400))]);
    let found = scorer.score(std::slice::from_ref(&far)).unwrap().remove(0);
    assert_eq!(found.unwrap_err(), "no gene starts within 400 bases of it");
    stop.store(true, Ordering::Relaxed);
    let error = scorer.score(&[far]).unwrap_err().to_string();
    assert!(error.ends_with("stopped"), "{error}");
}

#[test]
fn an_insertion_is_scored_with_either_flank_in_its_place() {
    let (genome, genes, stop) = (genome(), genes(), AtomicBool::new(false));
    let mut scorer = ExpectoScorer::new(&[model(1.0)], vec!["liver".to_owned()], &genome, &genes, &stop).unwrap();
    let first = base(&genome, 350);
    let variant = checked(&genome, 350, &[first], &[first, other(first), other(first), b'C']);
    let normal = variant.normalised.clone().unwrap();
    let built = windows(&normal, false, &genome, 91, Edge::Pad).unwrap();
    let distance = normal.position - 300;
    let effect = |alternative: Vec<u8>| {
        let reference = built.reference.clone();
        model(1.0).effects(&[Alleles { reference, alternative, distance, strand: Strand::Forward }]).unwrap()[0]
    };
    let expected = f64::midpoint(effect(built.alternate.clone()), effect(built.compensated.clone().unwrap()));
    let found = scorer.score(&[variant]).unwrap().remove(0).unwrap();
    assert!((found.difference[0] - expected).abs() < 1e-9, "{found:?} {expected}");
}

#[test]
fn models_that_do_not_belong_together_are_refused() {
    let (genome, genes, stop) = (genome(), genes(), AtomicBool::new(false));
    let new = |models: &[Expecto], tissues: &[&str], genes: &GeneTable| {
        let tissues = tissues.iter().map(|name| (*name).to_owned()).collect();
        ExpectoScorer::new(models, tissues, &genome, genes, &stop).map(drop).unwrap_err().to_string()
    };
    assert!(new(&[], &["liver"], &genes).contains("there is no model"));
    assert!(new(&[model(1.0)], &["liver", "lung"], &genes).contains("their tissues"));
    let elsewhere = GeneTable { starts: vec![Locus::new("chrX", 1, 2).unwrap(); 2], ..genes.clone() };
    assert!(new(&[model(1.0)], &["liver"], &elsewhere).contains("chrX"));
}
