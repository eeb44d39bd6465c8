//! How the rows of a set are divided among the models of a study.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nn_core::data::{DataError, Fractions, Split, folds, grouped};

use super::StudyConfig;
use crate::dataset::SequenceSet;
use crate::split::{self, SplitConfig, SplitError, SplitKind};

/// Why a set cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Too few groups, or a row in two parts.
    #[error("cannot make a {how} split: {cause}", how = .kind.name())]
    Data {
        /// How the rows were to be divided.
        kind: SplitKind,
        /// What stands in the way.
        cause: DataError,
    },
    /// The rows cannot be grouped.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A part of the split cannot be written.
    #[error(transparent)]
    Write(#[from] DataError),
}

/// A test part, and for each model a training and a validation part of the rest.
///
/// Rows that are one group to the split (a contig, a cluster, a sequence with its shuffled twin) are in one part; only
/// the validation part is made of single rows where there are too few contigs for one of its own. With folds, model `i`
/// has fold `i` as its test part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    kind: SplitKind,
    groups: Vec<u64>,
    splits: Vec<Split>,
}

impl Plan {
    /// Divides `set` for `config`, which was [resolved](StudyConfig::resolved) for it. `upstream` are the rows of the test
    /// part that the data came with.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(set: &SequenceSet, upstream: Option<&[usize]>, config: &StudyConfig) -> Result<Self, PlanError> {
        let kind = config.split.unwrap_or(if upstream.is_some() { SplitKind::Upstream } else { SplitKind::Cluster });
        let groups = split::groups(set, kind)?;
        let failed = |cause| PlanError::Data { kind, cause };
        let tests: Vec<Vec<usize>> = match (kind, upstream) {
            (SplitKind::Upstream, Some(rows)) => vec![rows.to_vec()],
            _ if config.folds > 0 => folds(&groups, config.folds, config.seed).map_err(failed)?,
            _ => {
                let part = SplitConfig {
                    kind,
                    test_contigs: config.test_contigs.clone(),
                    validation_fraction: 0.0,
                    test_fraction: config.test_fraction,
                    seed: config.seed,
                    ..SplitConfig::default()
                };
                vec![split::split(set, &part)?.test]
            }
        };
        let mut splits = Vec::with_capacity(config.models);
        for model in 0..config.models {
            let test = if config.folds > 0 { &tests[model] } else { &tests[0] };
            let held: BTreeSet<usize> = test.iter().copied().collect();
            let rest: Vec<usize> = (0..set.len()).filter(|row| !held.contains(row)).collect();
            let fractions = Fractions { validation: config.validation_fraction, test: 0.0 };
            let divided = |groups: &[u64]| {
                let apart: Vec<u64> = rest.iter().map(|&row| groups[row]).collect();
                grouped(&apart, fractions, config.seed + model as u64)
            };
            let parts = match divided(&groups) {
                // With two or three contigs left, none is as small as a tenth of them.
                Err(_) if kind == SplitKind::Chromosome => divided(&split::groups(set, SplitKind::Random)?),
                parts => parts,
            };
            let parts = parts.map_err(failed)?;
            let named = |places: &[usize]| places.iter().map(|&place| rest[place]).collect::<Vec<_>>();
            let split = Split::new(named(&parts.train), named(&parts.validation), test.clone());
            split.check(set.len()).map_err(failed)?;
            splits.push(split);
        }
        Ok(Self { kind, groups, splits })
    }

    /// How the rows are divided.
    pub fn kind(&self) -> SplitKind {
        self.kind
    }

    /// The group of each row of the set.
    pub fn groups(&self) -> &[u64] {
        &self.groups
    }

    /// Models that have a part.
    pub fn models(&self) -> usize {
        self.splits.len()
    }

    /// The parts of model `i`, each ascending.
    ///
    /// # Panics
    /// When there are not so many models.
    pub fn split(&self, i: usize) -> &Split {
        &self.splits[i]
    }

    /// Every row that is in the test part of a model, ascending, with the models that it tests.
    pub fn tested(&self) -> Vec<(usize, Vec<usize>)> {
        let mut found = BTreeMap::<usize, Vec<usize>>::new();
        for (model, split) in self.splits.iter().enumerate() {
            split.test.iter().for_each(|&row| found.entry(row).or_default().push(model));
        }
        found.into_iter().collect()
    }

    /// Writes `model-0.tsv` and so on to `folder`.
    ///
    /// # Errors
    /// [`PlanError::Write`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), PlanError> {
        for (model, split) in self.splits.iter().enumerate() {
            split.write(&folder.join(format!("model-{model}.tsv")))?;
        }
        Ok(())
    }
}
