//! The audit and the splits on Davis and KIBA. `golden/leakage.json` holds the numbers of an independent implementation
//! with NumPy and RDKit (`leakage.py` beside it). Counts are equal; what is computed from f32 labels agrees to 1e-5.

use std::path::Path;

use drug::audit::{Audit, Place, Similarity};
use drug::io::deepdta;
use drug::split::{self, SplitKind};
use drug::table::{AffinityTable, Pair};
use nn_core::data::{Part, Split};
use serde_json::Value;

use crate::common;

pub(crate) fn golden(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/leakage.json")).unwrap();
    all[name].clone()
}

/// Rows divided by whether `of` is a multiple of five.
pub(crate) fn every_fifth(table: &AffinityTable, of: fn(&Pair) -> u32) -> Split {
    let (test, train) = (0..table.pairs.len()).partition(|&row| of(&table.pairs[row]).is_multiple_of(5));
    Split::new(train, vec![], test)
}

fn close(found: f64, expected: &Value) -> bool {
    (found - expected.as_f64().unwrap()).abs() < 1e-5
}

fn same_similarity(found: &Similarity, expected: &Value, entities: &str) {
    assert_eq!(found.entities, expected[entities]);
    assert_eq!(found.seen, expected["seen"]);
    assert_eq!(found.unreadable, 0);
    assert!(close(found.quartiles.unwrap()[2], &expected["median"]), "{found:?}");
    assert_eq!(serde_json::to_value(&found.histogram.counts).unwrap(), expected["histogram"]);
}

fn upstream(folder: &Path, name: &str, says: &[&str]) {
    let (table, folds) = deepdta::read(folder).unwrap();
    let golden = golden(name);
    let audit = Audit::new(&table, &Split::new(folds.train.concat(), vec![], folds.test.clone()));
    assert_eq!((audit.rows, audit.unused), (golden["rows"].as_u64().unwrap() as usize, 0));
    assert_eq!(audit.targets.distinct, golden["distinct_targets"]);
    assert_eq!(audit.drugs.unreadable, 0);

    let conflicts = &audit.conflicts;
    assert_eq!(conflicts.repeated, golden["conflicts"]["repeated"]);
    assert_eq!(conflicts.inputs, golden["conflicts"]["inputs"]);
    assert_eq!(conflicts.rows, golden["conflicts"]["rows"]);
    assert!(close(conflicts.largest_spread, &golden["conflicts"]["largest_spread"]));
    assert!(close(conflicts.irreducible_mse, &golden["conflicts"]["irreducible_mse"]));

    let common = audit.ceiling.as_ref().unwrap();
    assert_eq!(common.rows, golden["common"]["rows"]);
    assert!(close(common.value, &golden["common"]["value"]));
    assert_eq!(common.place, if name == "davis" { Place::Lowest } else { Place::Inside });

    let overlap = audit.overlaps.iter().find(|overlap| overlap.part == Part::Test).unwrap();
    assert_eq!(overlap.rows, golden["upstream"]["test"]);
    assert_eq!(overlap.same_input, golden["upstream"]["same_input"]);
    assert!(close(overlap.largest_difference, &golden["upstream"]["largest_difference"]));
    // The SMILES of these files carry no stereochemistry: letters and canonical form tell the same pairs apart.
    assert_eq!(overlap.same_pair, overlap.same_input);
    assert_eq!((overlap.drug_seen, overlap.target_seen), (overlap.rows, overlap.rows));

    let text = audit.to_text();
    for line in says {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }

    let by_drug = Audit::new(&table, &every_fifth(&table, |pair| pair.drug));
    same_similarity(&by_drug.overlaps[0].drugs, &golden["cold_drug"], "drugs");
    let by_target = Audit::new(&table, &every_fifth(&table, |pair| pair.target));
    same_similarity(&by_target.overlaps[0].targets, &golden["cold_target"], "targets");
}

#[test]
fn davis_folds_share_929_inputs() {
    let Some(folder) = common::data("drug/davis") else { return };
    upstream(
        &folder,
        "davis",
        &[
            "929 of 5,010 (18.5 %) test pairs have their exact input (SMILES string and sequence) in train",
            "20,931 of 30,056 (69.6 %) labels are exactly 5, the lowest value: the assay does not measure below it",
            "442 targets, 379 distinct sequences",
        ],
    );
}

#[test]
fn kiba_folds_share_149_inputs() {
    let Some(folder) = common::data("drug/kiba") else { return };
    upstream(
        &folder,
        "kiba",
        &[
            "149 of 19,709 (0.8 %) test pairs have their exact input (SMILES string and sequence) in train",
            "2,111 drugs, 2,068 distinct flat canonical SMILES",
            "15,070 of 118,254 (12.7 %) labels are exactly 11.2, inside the range",
        ],
    );
}

/// What each kind of split promises, counted by the audit, which shares no code with the drawing but the identities.
fn promises(folder: &Path) {
    let (table, _) = deepdta::read(folder).unwrap();
    for kind in SplitKind::ALL.into_iter().filter(|kind| *kind != SplitKind::Upstream) {
        let division = split::divide(&table, kind, 0.2, 5, 7).unwrap();
        let (split, whole) = (division.split(2), division.whole());
        split.check(table.pairs.len()).unwrap();
        let named = whole.train.len() + whole.test.len() + division.unused.len();
        assert_eq!(named, table.pairs.len(), "{kind}");
        let audit = Audit::new(&table, &split);
        assert_eq!(audit.overlaps.len(), 2, "{kind}");
        for overlap in &audit.overlaps {
            let (test, seen) = (overlap.part == Part::Test, (overlap.drug_seen, overlap.target_seen));
            assert_eq!((overlap.same_input, overlap.same_pair), (0, 0), "{kind}, {}", overlap.part);
            match kind {
                SplitKind::ColdDrug | SplitKind::Scaffold => assert_eq!(seen.0, 0, "{kind}"),
                SplitKind::ColdTarget => assert_eq!(seen.1, 0, "{kind}"),
                SplitKind::ColdBoth if test => assert_eq!(seen, (0, 0)),
                SplitKind::ColdBoth => assert_eq!(seen.0, 0),
                _ => assert!(seen.0 > 0 && seen.1 > 0, "{kind}"),
            }
        }
        let share = whole.test.len() as f64 / table.pairs.len() as f64;
        let wanted = if kind == SplitKind::ColdBoth { 0.04 } else { 0.2 };
        assert!((share / wanted - 1.0).abs() < 0.25, "{kind}: {share:.3} of the rows, not about {wanted}");
    }
}

#[test]
fn splits_of_davis_keep_their_promises() {
    let Some(folder) = common::data("drug/davis") else { return };
    promises(&folder);
}

#[test]
fn splits_of_kiba_keep_their_promises() {
    let Some(folder) = common::data("drug/kiba") else { return };
    promises(&folder);
}
