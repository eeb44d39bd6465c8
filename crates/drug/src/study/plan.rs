//! How the rows of a table are divided among the models of a study.

use super::Protocol;
use crate::io::deepdta::Folds;
use crate::split::{self, Division, SplitError, SplitKind};
use crate::table::AffinityTable;
use nn_core::data::{DataError, Split, folds};
use std::path::Path;

/// Folds of the training part, as many as DeepDTA's data come with.
pub const FOLDS: usize = 5;

/// Why a table cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The upstream folds were asked for, and the data has none.
    #[error(
        "split = \"upstream\" needs data with folds, in DeepDTA's layout; use random, cold-drug, cold-target, cold-both or scaffold"
    )]
    NoFolds,
    /// Upstream data with another number of training folds.
    #[error("the data has {found} training folds, {FOLDS} are expected")]
    FoldCount {
        /// Folds found.
        found: usize,
    },
    /// Too few groups, or a row in two parts.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The rows cannot be grouped.
    #[error(transparent)]
    Split(#[from] SplitError),
}

/// One test part, and five folds of the rest: model `i` learns from all folds but `i`.
///
/// | rows | `paper` | `clean` |
/// |---|---|---|
/// | [`Plan::monitored`]: decide when to stop | the test part | one half of fold `i` |
/// | [`Plan::calibration`]: measure the interval | fold `i` | the other half of fold `i` |
///
/// The halves keep together what the split keeps together (upstream: the rows of one drug and one
/// sequence), so that the half that calibrates has nothing of the half that chose the weights. A fold
/// of a single group cannot be halved: it decides when to stop, and nothing is left to calibrate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    division: Division,
    splits: Vec<Split>,
    /// For each fold, the half that decides when to stop and the half that calibrates; each ascending.
    halves: Vec<[Vec<usize>; 2]>,
    protocol: Protocol,
}

impl Plan {
    /// Divides `table` by `kind` for the clean protocol. The folds are made by the same groups as the
    /// test part, so that the fold left out is as new to the model as the test part is; not so for
    /// cold-both, whose folds share no drug but do share targets, and are easier than its test part.
    ///
    /// # Errors
    /// [`PlanError`]
    pub fn new(
        table: &AffinityTable,
        upstream: Option<&Folds>,
        kind: SplitKind,
        test_fraction: f64,
        seed: u64,
    ) -> Result<Self, PlanError> {
        if kind == SplitKind::Upstream {
            let upstream = upstream.ok_or(PlanError::NoFolds)?;
            if upstream.train.len() != FOLDS {
                return Err(PlanError::FoldCount { found: upstream.train.len() });
            }
            let division = Division { test: upstream.test.clone(), folds: upstream.train.clone(), unused: Vec::new() };
            // Upstream names no groups; rows of one drug and one sequence are those that must not be parted.
            return Self::of(table, division, SplitKind::Random, seed);
        }
        Self::of(table, split::divide(table, kind, test_fraction, FOLDS, seed)?, kind, seed)
    }

    fn of(table: &AffinityTable, division: Division, kind: SplitKind, seed: u64) -> Result<Self, PlanError> {
        let splits: Vec<Split> = (0..division.folds.len()).map(|i| division.split(i)).collect();
        for split in &splits {
            split.check(table.pairs.len())?;
        }
        let groups = split::groups(table, kind)?;
        let halves = splits.iter().map(|split| halved(&split.validation, &groups, seed)).collect();
        Ok(Self { division, splits, halves, protocol: Protocol::Clean })
    }

    /// The same division for another protocol; a study sets its own.
    pub fn under(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The rows that decide when model `i` stops.
    ///
    /// # Panics
    /// When `i` is not below [`FOLDS`].
    pub fn monitored(&self, i: usize) -> &[usize] {
        match self.protocol {
            Protocol::Paper => &self.splits[i].test,
            Protocol::Clean => &self.halves[i][0],
        }
    }

    /// The rows that neither trained model `i` nor decided when it stops, and that are not the test
    /// part: they measure the width of its interval. May be empty.
    ///
    /// # Panics
    /// When `i` is not below [`FOLDS`].
    pub fn calibration(&self, i: usize) -> &[usize] {
        match self.protocol {
            Protocol::Paper => &self.splits[i].validation,
            Protocol::Clean => &self.halves[i][1],
        }
    }

    /// The parts of model `i`, each ascending; the validation part is the whole fold left out.
    ///
    /// # Panics
    /// When `i` is not below [`FOLDS`].
    pub fn split(&self, i: usize) -> &Split {
        &self.splits[i]
    }

    /// The training rows of model `i` in the order of the folds' files, which is the order in which
    /// the paper's code trains.
    pub fn train_in_order(&self, i: usize) -> Vec<usize> {
        self.division
            .folds
            .iter()
            .enumerate()
            .filter(|(f, _)| *f != i)
            .flat_map(|(_, rows)| rows.iter().copied())
            .collect()
    }

    /// The test rows in the order of the fold's file. The concordance index of DeepDTA's code depends
    /// on it: for an additive model of Davis it is 0.790 in this order and 0.820 in the table's.
    pub fn test(&self) -> &[usize] {
        &self.division.test
    }

    /// All folds together as the training part.
    pub fn whole(&self) -> Split {
        self.division.whole()
    }

    /// Writes `fold-0.tsv` and so on to `folder`.
    ///
    /// # Errors
    /// [`DataError`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), DataError> {
        self.splits.iter().enumerate().try_for_each(|(i, split)| split.write(&folder.join(format!("fold-{i}.tsv"))))
    }
}

/// `rows` in two parts of nearly equal size that share no group; the second is empty where there is one group only.
fn halved(rows: &[usize], groups: &[u64], seed: u64) -> [Vec<usize>; 2] {
    let of_rows: Vec<u64> = rows.iter().map(|&row| groups[row]).collect();
    let named = |places: &[usize]| -> Vec<usize> { places.iter().map(|&place| rows[place]).collect() };
    match folds(&of_rows, 2, seed).as_deref() {
        Ok([first, second]) => [named(first), named(second)],
        // Too few groups.
        _ => [rows.to_vec(), Vec::new()],
    }
}
