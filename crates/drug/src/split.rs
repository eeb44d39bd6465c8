//! Divisions of an affinity table: what must not stand on both sides.
//!
//! Two drugs are the same when their flat canonical SMILES are, that is up to stereochemistry, isotopes and spelling;
//! stereoisomers therefore stay together. Two targets are the same when their sequences are, letter for letter: the mutants
//! and phosphorylated forms that Davis lists under their own names, but with the wild type's sequence, are one target. A
//! SMILES that cannot be read is a drug of its own, by its letters.

use std::fmt;
use std::str::FromStr;

use nn_core::config::ConfigError;
use nn_core::data::{DataError, Fractions, Split, cold_axis, cold_both, folds, group_ids, grouped};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::chem::{Fingerprint, Molecule};
use crate::table::{AffinityTable, Pair};

/// What the test part has not in common with the training part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum SplitKind {
    /// The folds that the data set comes with.
    Upstream,
    /// No pair of the same drug and the same target in two parts.
    Random,
    /// No drug of the test part in the training part.
    ColdDrug,
    /// No target of the test part in the training part.
    ColdTarget,
    /// Neither; rows that mix held-out and other entities are not used.
    ColdBoth,
    /// No Murcko scaffold of the test part in the training part; an acyclic drug is a scaffold of its own.
    Scaffold,
}

impl SplitKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Upstream, Self::Random, Self::ColdDrug, Self::ColdTarget, Self::ColdBoth, Self::Scaffold];

    /// Name, as configurations and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Random => "random",
            Self::ColdDrug => "cold-drug",
            Self::ColdTarget => "cold-target",
            Self::ColdBoth => "cold-both",
            Self::Scaffold => "scaffold",
        }
    }

    /// What a result on this split says, in one sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Upstream => {
                "The folds that the data set is published with: every test drug and every test target also occurs in training, some in the very same pair."
            }
            Self::Random => {
                "Pairs drawn at random, rows with the same drug (flat canonical SMILES) and sequence kept together: drugs and targets of the test part occur in training, their pairs do not."
            }
            Self::ColdDrug => {
                "Drugs held out by flat canonical SMILES: no drug of the test part occurs in training, as when a new compound is screened."
            }
            Self::ColdTarget => {
                "Targets held out by sequence: no target of the test part occurs in training, as when a new protein is studied."
            }
            Self::ColdBoth => {
                "Drugs and targets held out together: neither side of a test pair occurs in training; rows that mix held-out and other entities are left out."
            }
            Self::Scaffold => {
                "Drugs held out by Murcko scaffold (acyclic drugs one by one): no ring system of the test part occurs in training."
            }
        }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for SplitKind {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| ConfigError::Unknown {
            field: "split",
            value: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// How configurations are read: the one place that knows the names is [`FromStr`].
impl TryFrom<String> for SplitKind {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<SplitKind> for &'static str {
    fn from(kind: SplitKind) -> Self {
        kind.name()
    }
}

/// Why a table cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The upstream folds are not a function of the table.
    #[error(
        "the upstream folds come with the data set and cannot be drawn; read them from its files, or choose another split"
    )]
    NoUpstream,
    /// The table has too few drugs, targets or rows.
    #[error("cannot make a {kind} split of {rows} rows: {cause}")]
    Undividable {
        /// The kind asked for.
        kind: SplitKind,
        /// Rows of the table.
        rows: usize,
        /// What stands in the way.
        cause: DataError,
    },
}

/// A test part, and the other rows dealt to folds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Rows of the test part; ascending if drawn by [`divide`].
    pub test: Vec<usize>,
    /// The other rows, in folds that keep together what the split keeps together; ascending if drawn by [`divide`].
    pub folds: Vec<Vec<usize>>,
    /// Rows in none of them (cold-both only), ascending.
    pub unused: Vec<usize>,
}

impl Division {
    /// Fold `validation` as the validation part, the other folds as the training part; each part ascending.
    pub fn split(&self, validation: usize) -> Split {
        let train = self.folds.iter().enumerate().filter(|(fold, _)| *fold != validation);
        Split::new(
            train.flat_map(|(_, rows)| rows.iter().copied()).collect(),
            self.folds.get(validation).cloned().unwrap_or_default(),
            self.test.clone(),
        )
    }

    /// All folds as the training part, no validation part.
    pub fn whole(&self) -> Split {
        Split::new(self.folds.concat(), Vec::new(), self.test.clone())
    }
}

/// Draws the test part and deals the rest to `k` folds. `test_fraction` is a share of the drugs for cold-drug, of the
/// targets for cold-target, of both for cold-both, and of the rows for random and scaffold. The folds keep together what
/// the test part does, so that a validation fold is as foreign as the test; those of cold-both keep drugs together only,
/// because folds cold on both sides could not use most rows, and so have their targets in common with training.
///
/// # Errors
/// [`SplitError`] for upstream, and for tables with too few rows or entities.
pub fn divide(
    table: &AffinityTable,
    kind: SplitKind,
    test_fraction: f64,
    k: usize,
    seed: u64,
) -> Result<Division, SplitError> {
    let undividable = |cause| SplitError::Undividable { kind, rows: table.pairs.len(), cause };
    let groups = groups(table, kind)?;
    let (split, unused) = test_part(table, kind, &groups, test_fraction, seed).map_err(undividable)?;
    let rest: Vec<u64> = split.train.iter().map(|&row| groups[row]).collect();
    let dealt = folds(&rest, k, seed).map_err(undividable)?;
    let folds = dealt.into_iter().map(|fold| fold.into_iter().map(|place| split.train[place]).collect()).collect();
    Ok(Division { test: split.test, folds, unused })
}

/// Draws the test part alone; see [`divide`] for what `test_fraction` means. The rows of no part come second.
///
/// # Errors
/// Those of [`divide`].
pub fn split(
    table: &AffinityTable,
    kind: SplitKind,
    test_fraction: f64,
    seed: u64,
) -> Result<(Split, Vec<usize>), SplitError> {
    let groups = groups(table, kind)?;
    test_part(table, kind, &groups, test_fraction, seed).map_err(|cause| SplitError::Undividable {
        kind,
        rows: table.pairs.len(),
        cause,
    })
}

fn test_part(
    table: &AffinityTable,
    kind: SplitKind,
    groups: &[u64],
    test_fraction: f64,
    seed: u64,
) -> Result<(Split, Vec<usize>), DataError> {
    match kind {
        SplitKind::ColdDrug | SplitKind::ColdTarget => Ok((cold_axis(groups, test_fraction, seed)?, Vec::new())),
        // `groups` are the drugs here.
        SplitKind::ColdBoth => {
            let targets = of_pairs(table, |pair| pair.target, &target_groups(table));
            cold_both(groups, &targets, test_fraction, seed)
        }
        SplitKind::Upstream | SplitKind::Random | SplitKind::Scaffold => {
            Ok((grouped(groups, Fractions { validation: 0.0, test: test_fraction }, seed)?, Vec::new()))
        }
    }
}

/// For each row of the table, the number of the group that `kind` keeps together (cold-both: of the drug).
///
/// # Errors
/// [`SplitError::NoUpstream`].
pub fn groups(table: &AffinityTable, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
    Ok(match kind {
        SplitKind::Upstream => return Err(SplitError::NoUpstream),
        SplitKind::Random => {
            let drugs = of_pairs(table, |pair| pair.drug, &drug_groups(table));
            let targets = of_pairs(table, |pair| pair.target, &target_groups(table));
            group_ids(drugs.into_iter().zip(targets))
        }
        SplitKind::ColdDrug | SplitKind::ColdBoth => of_pairs(table, |pair| pair.drug, &drug_groups(table)),
        SplitKind::ColdTarget => of_pairs(table, |pair| pair.target, &target_groups(table)),
        SplitKind::Scaffold => of_pairs(table, |pair| pair.drug, &scaffold_groups(table)),
    })
}

/// For each row, the group of its drug or target.
fn of_pairs(table: &AffinityTable, entity: fn(&Pair) -> u32, groups: &[u64]) -> Vec<u64> {
    table.pairs.iter().map(|pair| groups[entity(pair) as usize]).collect()
}

/// What identifies a drug. The two kinds never collide: a SMILES that cannot be read is no canonical one.
#[derive(PartialEq, Eq, Hash)]
enum DrugKey {
    Canonical(String),
    Unreadable(String),
}

/// The group of each drug by what `of` makes of its molecule, and its fingerprint if its SMILES can be read.
fn grouped_drugs(table: &AffinityTable, of: fn(&Molecule) -> String) -> (Vec<u64>, Vec<Option<Fingerprint>>) {
    let read: Vec<(DrugKey, Option<Fingerprint>)> = table
        .drugs
        .par_iter()
        .map(|drug| match Molecule::parse(&drug.smiles) {
            Ok(molecule) => (DrugKey::Canonical(of(&molecule)), Some(molecule.ecfp4())),
            Err(_) => (DrugKey::Unreadable(drug.smiles.clone()), None),
        })
        .collect();
    let (keys, fingerprints): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    (group_ids(keys), fingerprints)
}

/// For each drug of the table, the number of its group of one flat canonical SMILES, and its ECFP4 fingerprint, which a
/// SMILES that cannot be read has not.
pub(crate) fn drugs_read(table: &AffinityTable) -> (Vec<u64>, Vec<Option<Fingerprint>>) {
    grouped_drugs(table, Molecule::canonical_flat)
}

/// For each drug of the table, the number of its group of one flat canonical SMILES.
pub fn drug_groups(table: &AffinityTable) -> Vec<u64> {
    drugs_read(table).0
}

/// For each target of the table, the number of its group of one sequence.
pub fn target_groups(table: &AffinityTable) -> Vec<u64> {
    group_ids(table.targets.iter().map(|target| target.sequence.as_str()))
}

/// For each drug of the table, the number of its Murcko scaffold; an acyclic drug is a scaffold of its own, by its flat
/// canonical SMILES.
pub fn scaffold_groups(table: &AffinityTable) -> Vec<u64> {
    // A scaffold has a ring and an acyclic molecule has none, so that the one's SMILES is never the other's.
    grouped_drugs(table, |molecule| molecule.murcko_scaffold().unwrap_or_else(|| molecule.canonical_flat())).0
}

#[cfg(test)]
mod tests;
