//! How the rows of a table are divided among the models of a study.

use crate::io::deepdta::Folds;
use crate::split::{self, Division, SplitError, SplitKind};
use crate::table::AffinityTable;
use nn_core::data::{DataError, Split};
use std::path::Path;

/// Folds of the training part, as many as DeepDTA's data come with.
pub(super) const FOLDS: usize = 5;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    division: Division,
    splits: Vec<Split>,
}

impl Plan {
    /// Divides `table` by `kind`; the folds are made by the same groups as the test part, so that the
    /// part that decides when to stop is as new to the model as the test part is.
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
            return Self::of(table, division);
        }
        Self::of(table, split::divide(table, kind, test_fraction, FOLDS, seed)?)
    }

    fn of(table: &AffinityTable, division: Division) -> Result<Self, PlanError> {
        let splits: Vec<Split> = (0..division.folds.len()).map(|i| division.split(i)).collect();
        for split in &splits {
            split.check(table.pairs.len())?;
        }
        Ok(Self { division, splits })
    }

    /// The parts of model `i`, each ascending.
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
