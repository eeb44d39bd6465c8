//! How the cases or pictures of a study are divided among its models.

use std::collections::HashSet;
use std::path::Path;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{DataError, Split};
use serde::{Deserialize, Serialize};

use crate::split::{self, Rows, SplitConfig, SplitError, SplitFile, SplitKind};

/// Models of one study at most.
pub const MODELS: usize = 100;

/// Share of the rows that are no test which is watched at most.
const MOST_WATCHED: f64 = 0.5;

/// What is held out, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Division {
    /// What is kept together; by default the set's own parts where it has some, else subjects.
    pub kind: Option<SplitKind>,
    /// Folds of a cross-validation: model `i` is tested on fold `i`. 0 for one test part that all models share.
    pub folds: usize,
    /// Share of the rows that are held out for the test, unless the data came with parts of their own.
    pub test_fraction: f64,
    /// Share of the other rows that are watched in training; 0 for none.
    pub validation_fraction: f64,
    /// Rows at each border of two blocks that belong to no part; for blocks only.
    pub gap: usize,
}

impl Default for Division {
    fn default() -> Self {
        Self { kind: None, folds: 0, test_fraction: 0.2, validation_fraction: 0.1, gap: 0 }
    }
}

impl Division {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range, or the settings that exclude each other.
    pub fn validate(&self, models: usize) -> Result<(), ConfigError> {
        in_range("models", models, 1..=MODELS)?;
        in_range("division.test_fraction", self.test_fraction, 0.01..=0.9)?;
        in_range("division.validation_fraction", self.validation_fraction, 0.0..=MOST_WATCHED)?;
        in_range("division.gap", self.gap, 0..=10_000)?;
        if self.gap > 0 && self.kind != Some(SplitKind::Blocks) {
            let problem = "division.gap is for a split in blocks; leave it out, or use division.kind = \"blocks\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        if self.folds != 0 {
            in_range("division.folds", self.folds, 2..=MODELS)?;
            if models > self.folds {
                let folds = self.folds;
                return Err(ConfigError::Conflict(format!(
                    "models = {models}, but there are only {folds} folds to test on; ask for at most {folds} models"
                )));
            }
            if self.kind == Some(SplitKind::Upstream) {
                let problem = "folds cannot be made of parts that the data came with; leave out folds, or use another \
                               division.kind";
                return Err(ConfigError::Conflict(problem.to_owned()));
            }
        }
        Ok(())
    }

    /// What is kept together in these rows.
    pub fn kind_for(&self, rows: &Rows) -> SplitKind {
        let upstream = !rows.parts.is_empty() && self.folds == 0;
        self.kind.unwrap_or(if upstream { SplitKind::Upstream } else { SplitKind::Subject })
    }
}

/// The parts of each model of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divided {
    kind: SplitKind,
    splits: Vec<Split>,
    /// Rows of the test part that were left out because a copy of them is in another part.
    dropped: Vec<usize>,
}

impl Divided {
    /// Divides `rows` among `models`. With `drop_duplicates`, a row of the test part of which another part has a copy is
    /// in no part.
    ///
    /// A set whose own parts lack one for the test is tested on its validation part, which then chooses nothing: what is
    /// watched in training is drawn from the training part.
    ///
    /// # Errors
    /// [`SplitError`] when the rows cannot be divided so.
    pub fn new(
        rows: &Rows,
        division: &Division,
        models: usize,
        seed: u64,
        drop_duplicates: bool,
    ) -> Result<Self, SplitError> {
        let kind = division.kind_for(rows);
        let config = SplitConfig {
            kind,
            validation_fraction: 0.0,
            test_fraction: division.test_fraction,
            gap: division.gap,
            seed,
            ..SplitConfig::default()
        };
        let tests: Vec<Split> = if division.folds > 0 {
            split::folds(rows, division.folds, &config)?
        } else {
            vec![split::split(rows, &config)?]
        };
        let (mut splits, mut dropped) = (Vec::with_capacity(models), HashSet::new());
        for model in 0..models {
            let held = &tests[if division.folds > 0 { model } else { 0 }];
            let own = !held.validation.is_empty() && !held.test.is_empty();
            let test = if held.test.is_empty() { &held.validation } else { &held.test };
            let (train, validation) = if own {
                (held.train.clone(), held.validation.clone())
            } else {
                watched(rows, &held.train, &config, division.validation_fraction, seed + model as u64)?
            };
            let test = if drop_duplicates && !rows.digests.is_empty() {
                let seen: HashSet<&str> =
                    train.iter().chain(&validation).map(|&row| rows.digests[row].as_str()).collect();
                let (copies, kept): (Vec<usize>, Vec<usize>) =
                    test.iter().copied().partition(|&row| seen.contains(rows.digests[row].as_str()));
                dropped.extend(copies);
                kept
            } else {
                test.clone()
            };
            let split = Split::new(train, validation, test);
            split.check(rows.len())?;
            splits.push(split);
        }
        let mut dropped: Vec<usize> = dropped.into_iter().collect();
        dropped.sort_unstable();
        Ok(Self { kind, splits, dropped })
    }

    /// What is kept together.
    pub fn kind(&self) -> SplitKind {
        self.kind
    }

    /// The parts of model `i`, each ascending.
    ///
    /// # Panics
    /// When there are not so many models.
    pub fn split(&self, i: usize) -> &Split {
        &self.splits[i]
    }

    /// Models that have parts.
    pub fn models(&self) -> usize {
        self.splits.len()
    }

    /// Rows that were left out of the test because another part has a copy of them.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// Rows that are in the test part of any model, ascending.
    pub fn tested(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.splits.iter().flat_map(|split| split.test.iter().copied()).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Writes `model-0.tsv` and so on to `folder`: each row with its subject, part and hash.
    ///
    /// # Errors
    /// [`SplitError`] when `rows` are not those that were divided, or a file cannot be written.
    pub fn write(&self, rows: &Rows, folder: &Path) -> Result<(), SplitError> {
        for (model, split) in self.splits.iter().enumerate() {
            SplitFile::new(rows, split)?.write(&folder.join(format!("model-{model}.tsv")))?;
        }
        Ok(())
    }
}

/// Divides the rows that are no test into those that are learnt from and those that are watched.
fn watched(
    rows: &Rows,
    rest: &[usize],
    config: &SplitConfig,
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), SplitError> {
    if fraction == 0.0 || rest.len() < 2 {
        return Ok((rest.to_vec(), Vec::new()));
    }
    let inner = select(rows, rest);
    // Within the training part of the makers nothing is known but the copies and the subjects.
    let kind = if config.kind == SplitKind::Upstream { SplitKind::Subject } else { config.kind };
    // Of a small set a tenth may be less than a row, or than the smallest subject has; then it is more.
    let mut share = fraction.max(1.0 / rest.len() as f64);
    let parts = loop {
        let config = SplitConfig { kind, validation_fraction: share, test_fraction: 0.0, seed, ..config.clone() };
        match split::split(&inner, &config) {
            Err(SplitError::Undividable { cause: DataError::EmptyPart { .. }, .. }) if share < MOST_WATCHED => {
                share = (2.0 * share).min(MOST_WATCHED);
            }
            parts => break parts?,
        }
    };
    let named = |places: &[usize]| places.iter().map(|&place| rest[place]).collect::<Vec<usize>>();
    Ok((named(&parts.train), named(&parts.validation)))
}

/// The rows at these places.
fn select(rows: &Rows, places: &[usize]) -> Rows {
    fn of<T: Clone>(column: &[T], places: &[usize]) -> Vec<T> {
        if column.is_empty() { Vec::new() } else { places.iter().map(|&row| column[row].clone()).collect() }
    }
    Rows {
        ids: of(&rows.ids, places),
        subjects: of(&rows.subjects, places),
        strata: of(&rows.strata, places),
        digests: of(&rows.digests, places),
        parts: Vec::new(),
    }
}
