//! Balance, determinism, validity, and that identifiers alone say nothing of an unseen drug.

use super::*;
use crate::chem::Molecule;
use std::collections::HashSet;

fn exact(drugs: usize, targets: usize) -> SyntheticConfig {
    SyntheticConfig { drugs, targets, noise: 0.0, ..SyntheticConfig::default() }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// Values as rows of drugs; a generated table is complete and drug-major.
fn grid(table: &AffinityTable) -> Vec<Vec<f64>> {
    table.pairs.chunks(table.targets.len()).map(|row| row.iter().map(|pair| f64::from(pair.value)).collect()).collect()
}

#[test]
fn effects_and_interactions_are_balanced() {
    assert!(DRUG_EFFECT.iter().sum::<f64>().abs() < 1e-12);
    assert!(MOTIF_EFFECT.iter().sum::<f64>().abs() < 1e-12);
    for i in 0..4 {
        let row: f64 = (0..4).map(|motif| interaction(Class::ALL[i], motif)).sum();
        let column: f64 = Class::ALL.into_iter().map(|class| interaction(class, i)).sum();
        assert!(row.abs() < 1e-12 && column.abs() < 1e-12, "{i}: {row} {column}");
        // Lock and key: each class has its own motif.
        let best = (0..4).max_by(|&a, &b| interaction(Class::ALL[i], a).total_cmp(&interaction(Class::ALL[i], b)));
        assert_eq!(best, Some(i));
    }
}

#[test]
fn classes_and_motifs_are_equally_frequent() {
    for targets in [8, 24, 80, 104] {
        let (_, truth) = affinity_table(&exact(44, targets)).unwrap();
        for class in Class::ALL {
            assert_eq!(truth.classes.iter().filter(|&&c| c == class).count(), 11);
        }
        let count = |motif| truth.motifs.iter().flatten().filter(|p| p.motif == motif).count();
        assert_eq!([0, 1, 2, 3].map(count), [targets * 3 / 8; 4], "{targets} targets");
    }
}

/// Two-way analysis of variance of the noise-free table. A factorisation of identifiers knows at most the target's mean of
/// a drug that it has not seen, so what is left besides the target effects bounds its error from below.
#[test]
fn an_unseen_drug_cannot_be_predicted_from_identifiers() {
    let (table, _) = affinity_table(&exact(120, 80)).unwrap();
    let grid = grid(&table);
    let overall = mean(grid.iter().flatten().copied());
    let total = mean(grid.iter().flatten().map(|v| (v - overall).powi(2)));
    let target_means: Vec<f64> = (0..80).map(|t| mean(grid.iter().map(|row| row[t]))).collect();
    let of_target = mean(target_means.iter().map(|m| (m - overall).powi(2)));
    let of_drug = mean(grid.iter().map(|row| (mean(row.iter().copied()) - overall).powi(2)));
    assert!(of_target / total < 0.2, "targets explain {}", of_target / total);
    assert!(of_drug / total < 0.2, "drugs explain {}", of_drug / total);
    assert!((total - of_target - of_drug) / total > 0.65);
    let left = mean(grid.iter().flat_map(|row| row.iter().zip(&target_means).map(|(v, m)| (v - m).powi(2))));
    assert!(left / total > 0.8, "an id-only model leaves {}", left / total);
}

#[test]
fn the_seed_decides_everything() {
    let config = SyntheticConfig { drugs: 40, targets: 16, ..SyntheticConfig::default() };
    let (table, truth) = affinity_table(&config).unwrap();
    assert_eq!((table.clone(), truth.clone()), affinity_table(&config).unwrap());
    let (other, _) = affinity_table(&SyntheticConfig { seed: 2, ..config }).unwrap();
    assert_ne!(table.drugs, other.drugs);
    assert_ne!(table.targets, other.targets);
    // Noise has a stream of its own: without it the same entities come.
    let (silent, silent_truth) = affinity_table(&SyntheticConfig { noise: 0.0, ..config }).unwrap();
    assert_eq!((silent.drugs, silent.targets, silent_truth), (table.drugs, table.targets, truth));
}

#[test]
fn the_noise_has_the_spread_asked_for() {
    let (table, truth) = affinity_table(&SyntheticConfig { noise: 0.5, ..exact(120, 80) }).unwrap();
    let residual = |pair: &Pair| f64::from(pair.value) - truth.value(pair.drug, pair.target);
    let spread = mean(table.pairs.iter().map(|pair| residual(pair).powi(2))).sqrt();
    // The standard error of the standard deviation of 9,600 normal draws is 0.5 / sqrt(2 * 9600) = 0.0036.
    assert!((spread - 0.5).abs() < 4.0 * 0.0036, "{spread}");
    assert!(mean(table.pairs.iter().map(residual)).abs() < 4.0 * 0.5 / 9600_f64.sqrt());
}

#[test]
fn every_molecule_is_valid_distinct_and_of_one_class() {
    let mut canonical = HashSet::new();
    let mut names = HashSet::new();
    for class in Class::ALL {
        let all = molecules(class);
        assert_eq!(all.len(), 39 + SCAFFOLDS.len() * SUBSTITUENTS[0].len());
        for drug in all {
            let molecule = Molecule::parse(&drug.smiles).unwrap_or_else(|error| panic!("{}: {error}", drug.id));
            assert!((10..=60).contains(&drug.smiles.len()), "{}: {}", drug.id, drug.smiles);
            assert_eq!(Class::of(&drug.smiles), Some(class), "{}", drug.id);
            assert!(canonical.insert(molecule.canonical()), "{} is there twice", drug.id);
            assert!(names.insert(drug.id.clone()), "the name {} is there twice", drug.id);
        }
    }
    assert_eq!(MOLECULES.lines().count(), 1 + 4 * 39);
    assert!(SCAFFOLDS.iter().all(|scaffold| Class::of(scaffold).is_none()));
}

#[test]
fn the_class_is_read_from_the_text() {
    type Case<'a> = (&'a str, Option<Class>, &'a [(usize, usize)]);
    let cases: [Case<'_>; 8] = [
        ("CS(=O)(=O)N", Some(Class::Sulfonyl), &[(1, 10)]),
        ("CC(=O)O", Some(Class::Carboxyl), &[(1, 7)]),
        ("CC(C(=O)O)N", Some(Class::Carboxyl), &[(3, 9)]),
        ("ClCCCl", Some(Class::Chloro), &[(0, 2), (4, 6)]),
        ("CC(F)F", Some(Class::Fluoro), &[(3, 4), (5, 6)]),
        ("CC(=O)OC", None, &[]),
        ("CCCC", None, &[]),
        ("FCCCl", None, &[]),
    ];
    for (smiles, class, expected) in cases {
        assert_eq!(Class::of(smiles), class, "{smiles}");
        let found: Vec<(usize, usize)> =
            class.into_iter().flat_map(|c| c.spans(smiles)).map(|span| (span.start, span.end)).collect();
        assert_eq!(found, expected, "{smiles}");
    }
}

#[test]
fn motifs_are_where_the_truth_says_and_nowhere_else() {
    let (table, truth) = affinity_table(&exact(4, 400)).unwrap();
    for (target, planted) in table.targets.iter().zip(&truth.motifs) {
        assert!((60..=120).contains(&target.sequence.len()));
        assert!(target.sequence.bytes().all(|residue| COMPOSITION.iter().any(|(known, _)| *known == residue)));
        let mut expected: Vec<(usize, usize)> = planted.iter().map(|p| (p.span.start, p.motif)).collect();
        let mut found: Vec<(usize, usize)> = (0..MOTIFS.len())
            .flat_map(|m| target.sequence.match_indices(MOTIFS[m]).map(move |(start, _)| (start, m)))
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", target.id);
        assert!(planted.windows(2).all(|two| two[0].span.end <= two[1].span.start));
    }
}

/// The composition is that of the table: Pearson's statistic over 19 degrees of freedom exceeds 43.8 once in a thousand.
#[test]
fn residues_have_the_natural_composition() {
    let mut draw = rng(5, &[9]);
    let mut counts = [0_u32; 256];
    for _ in 0..100_000 {
        counts[usize::from(residue(&mut draw))] += 1;
    }
    let total: u32 = COMPOSITION.iter().map(|(_, weight)| weight).sum();
    let statistic: f64 = COMPOSITION
        .iter()
        .map(|(residue, weight)| {
            let expected = 100_000.0 * f64::from(*weight) / f64::from(total);
            (f64::from(counts[usize::from(*residue)]) - expected).powi(2) / expected
        })
        .sum();
    assert!(statistic < 43.8, "{statistic}");
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, field) in [
        (SyntheticConfig { drugs: 3, ..SyntheticConfig::default() }, "drugs"),
        (SyntheticConfig { drugs: 10_000, ..SyntheticConfig::default() }, "drugs"),
        (SyntheticConfig { targets: 1, ..SyntheticConfig::default() }, "targets"),
        (SyntheticConfig { shortest: 15, ..SyntheticConfig::default() }, "shortest"),
        (SyntheticConfig { shortest: 100, longest: 99, ..SyntheticConfig::default() }, "longest"),
        (SyntheticConfig { noise: f64::NAN, ..SyntheticConfig::default() }, "noise"),
    ] {
        let error = affinity_table(&config).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    let most = 4 * molecules(Class::Fluoro).len();
    let (table, _) = affinity_table(&exact(most, 2)).unwrap();
    assert_eq!(table.drugs.len(), most);
}
