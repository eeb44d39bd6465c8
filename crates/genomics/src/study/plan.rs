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

/// What `values` has for each of `rows`.
pub(crate) fn picked(values: &[u64], rows: &[usize]) -> Vec<u64> {
    rows.iter().map(|&row| values[row]).collect()
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
    /// Divides `set` for `config`, which was [resolved](StudyConfig::resolved) for it. `upstream` are the rows of the
    /// test part that the data came with.
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
        let fractions = Fractions { validation: config.validation_fraction, test: 0.0 };
        Self::assembled(kind, &groups, &tests, config.models, |rest, model| {
            let divided = |groups: &[u64]| grouped(&picked(groups, rest), fractions, config.seed + model);
            let parts = match divided(&groups) {
                // With two or three contigs left, none is as small as a tenth of them.
                Err(_) if kind == SplitKind::Chromosome => divided(&split::groups(set, SplitKind::Random)?),
                parts => parts,
            };
            parts.map_err(failed)
        })
    }

    /// The parts of each model: its test part is the one of its number, or the only one; what is not in it is divided
    /// by `divided`, which gets these rows and the model's number and names places among them.
    ///
    /// # Errors
    /// What `divided` finds, and [`PlanError::Data`] for a row in two parts.
    pub(crate) fn assembled(
        kind: SplitKind,
        groups: &[u64],
        tests: &[Vec<usize>],
        models: usize,
        divided: impl Fn(&[usize], u64) -> Result<Split, PlanError>,
    ) -> Result<Self, PlanError> {
        let mut splits = Vec::with_capacity(models);
        for model in 0..models {
            let test = tests.get(model).or_else(|| tests.first()).cloned().unwrap_or_default();
            let held: BTreeSet<usize> = test.iter().copied().collect();
            let rest: Vec<usize> = (0..groups.len()).filter(|row| !held.contains(row)).collect();
            let parts = divided(&rest, model as u64)?;
            let named = |places: &[usize]| places.iter().map(|&place| rest[place]).collect::<Vec<_>>();
            let split = Split::new(named(&parts.train), named(&parts.validation), test);
            split.check(groups.len()).map_err(|cause| PlanError::Data { kind, cause })?;
            splits.push(split);
        }
        Ok(Self { kind, groups: groups.to_vec(), splits })
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
