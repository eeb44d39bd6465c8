//! Splits of affinity tables: what they keep together and what they keep apart.

use std::collections::BTreeSet;

use nn_core::data::Part;
use proptest::prelude::*;

use super::*;
use crate::table::{Drug, Quantity, Target};

/// Every drug against every target; the value is the row number.
fn table(smiles: &[&str], sequences: &[&str]) -> AffinityTable {
    let mut pairs = Vec::new();
    for drug in 0..smiles.len() as u32 {
        for target in 0..sequences.len() as u32 {
            pairs.push(Pair { drug, target, value: pairs.len() as f32 });
        }
    }
    AffinityTable {
        drugs: smiles.iter().enumerate().map(|(i, s)| Drug { id: i.to_string(), smiles: (*s).to_owned() }).collect(),
        targets: sequences
            .iter()
            .enumerate()
            .map(|(i, s)| Target { id: i.to_string(), sequence: (*s).to_owned() })
            .collect(),
        pairs,
        quantity: Quantity::Pkd,
    }
}

/// Twelve distinct drugs on six ring systems and acyclic ones, some written twice, two unreadable.
const SMILES: [&str; 16] = [
    "c1ccccc1C",
    "Cc1ccccc1",
    "Oc1ccccc1",
    "C1CCCCC1N",
    "NC1CCCCC1",
    "c1ccncc1",
    "CCO",
    "OCC",
    "CCN",
    "CC(N)C(=O)O",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "C1CC1C",
    "C1CC(",
    "C1CC(",
    "not a molecule",
];
const SEQUENCES: [&str; 8] = ["MKV", "MKV", "MKVA", "GGS", "GGSA", "PLT", "PLTA", "AAA"];

#[test]
fn drugs_are_known_by_their_flat_canonical_smiles() {
    let groups = drug_groups(&table(&SMILES, &["M"]));
    assert_eq!(groups, [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8, 9]);
}

#[test]
fn acyclic_drugs_are_scaffolds_of_their_own() {
    // Benzene (three drugs), cyclohexane (two), pyridine, then ethanol, ethylamine and alanine each alone, cyclopropane.
    let groups = scaffold_groups(&table(&SMILES, &["M"]));
    assert_eq!(groups, [0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5, 6, 7, 7, 8]);
}

#[test]
fn targets_are_known_by_their_sequence() {
    assert_eq!(target_groups(&table(&["C"], &SEQUENCES)), [0, 0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn names_read_back() {
    for kind in SplitKind::ALL {
        assert_eq!(kind.name().parse::<SplitKind>().unwrap(), kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    let error = "cold".parse::<SplitKind>().unwrap_err().to_string();
    assert!(error.contains("cold-drug, cold-target"), "{error}");
}

#[test]
fn upstream_cannot_be_drawn_and_tiny_tables_are_refused() {
    let tiny = table(&["C"], &["M", "K"]);
    assert!(matches!(divide(&tiny, SplitKind::Upstream, 0.2, 2, 1), Err(SplitError::NoUpstream)));
    let error = divide(&tiny, SplitKind::ColdDrug, 0.2, 2, 1).unwrap_err().to_string();
    assert!(error.starts_with("cannot make a cold-drug split of 2 rows: 1 groups"), "{error}");
}

proptest! {
    /// The keys that a kind keeps apart are disjoint between all parts and folds, and no row is lost.
    #[test]
    fn nothing_leaks(kind in 1_usize..6, fraction in 0.2_f64..0.4, seed in any::<u64>()) {
        let kind = SplitKind::ALL[kind];
        let table = table(&SMILES, &SEQUENCES);
        let division = divide(&table, kind, fraction, 3, seed).unwrap();
        prop_assert_eq!(&division, &divide(&table, kind, fraction, 3, seed).unwrap());

        let mut rows = [division.test.clone(), division.folds.concat(), division.unused.clone()].concat();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..table.pairs.len()).collect::<Vec<_>>());
        prop_assert_eq!(division.unused.is_empty(), kind != SplitKind::ColdBoth);

        let drugs = if kind == SplitKind::Scaffold { scaffold_groups(&table) } else { drug_groups(&table) };
        let targets = target_groups(&table);
        let key = |row: usize| {
            let pair = table.pairs[row];
            let (drug, target) = (drugs[pair.drug as usize], targets[pair.target as usize]);
            match kind {
                SplitKind::ColdDrug | SplitKind::Scaffold | SplitKind::ColdBoth => (drug, 0),
                SplitKind::ColdTarget => (0, target),
                _ => (drug, target),
            }
        };
        for fold in 0..3 {
            let split = division.split(fold);
            split.check(table.pairs.len()).unwrap();
            let [train, validation, test] =
                Part::ALL.map(|part| split.part(part).iter().map(|&row| key(row)).collect::<BTreeSet<_>>());
            prop_assert!(!train.is_empty() && !validation.is_empty() && !test.is_empty());
            prop_assert!(train.is_disjoint(&test) && train.is_disjoint(&validation) && validation.is_disjoint(&test));
            if kind == SplitKind::ColdBoth {
                let of = |rows: &[usize]| -> BTreeSet<u64> {
                    rows.iter().map(|&row| targets[table.pairs[row].target as usize]).collect()
                };
                prop_assert!(of(&split.train).is_disjoint(&of(&split.test)));
            }
        }
    }
}
