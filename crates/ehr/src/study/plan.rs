//! How the labels of a study are divided among its models.

use std::path::Path;

use nn_core::data::{self, DataError};

use super::StudyConfig;
use crate::events::Events;
use crate::labels::{Label, LabelError, booleans};
use crate::split::{self, Part, Split, SplitConfig, SplitError, SplitKind};

/// Why labels cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The subjects cannot be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The labels are not yes or no.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A part that has nothing to tell apart.
    #[error(
        "the {part} part of model {model} has {positives} positive labels of {labels}; it needs at least one of each \
         kind, so take more subjects, fewer folds or another task"
    )]
    OneClass {
        /// The model, from 0.
        model: usize,
        /// The part.
        part: Part,
        /// Its labels.
        labels: usize,
        /// Those that are true.
        positives: usize,
    },
    /// A part of the split cannot be written.
    #[error(transparent)]
    Write(#[from] DataError),
}

/// The parts of each model: by subject, and by label.
///
/// All labels of a subject are in one part. With folds, model `i` has fold `i` held out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    kind: SplitKind,
    subjects: Vec<Split>,
    rows: Vec<data::Split>,
    /// Labels that no model may use.
    unused: Vec<usize>,
}

impl Plan {
    /// Divides the labels for `config`, which was [resolved](StudyConfig::resolved). `upstream` are the parts that the
    /// data came with; where they have no tuning part, one is drawn from the training part.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(
        events: &Events,
        labels: &[Label],
        upstream: Option<&Split>,
        config: &StudyConfig,
    ) -> Result<Self, PlanError> {
        let truth = booleans(labels)?;
        let division = &config.division;
        let (mut subjects, mut unused) = (Vec::new(), Vec::new());
        if config.folds > 0 {
            subjects = split::folds(labels, config.folds, division.tuning_fraction, config.seed)?;
            subjects.truncate(config.models);
        } else if division.kind == SplitKind::Upstream {
            let given = upstream.ok_or(SplitError::NoUpstream)?;
            for model in 0..config.models as u64 {
                subjects.push(tuned(given, labels, division, config.seed + model)?);
            }
        } else {
            let divided = split::split(events, labels, division)?;
            unused = divided.unused;
            subjects = vec![divided.split; config.models];
        }
        let rows: Vec<data::Split> = subjects
            .iter()
            .map(|split| {
                let of = |part| -> Vec<usize> {
                    split.rows(labels, part).into_iter().filter(|row| unused.binary_search(row).is_err()).collect()
                };
                data::Split::new(of(Part::Train), of(Part::Tuning), of(Part::HeldOut))
            })
            .collect();
        for (model, split) in rows.iter().enumerate() {
            split.check(labels.len())?;
            let parts = [(Part::Train, &split.train), (Part::Tuning, &split.validation), (Part::HeldOut, &split.test)];
            for (part, rows) in parts {
                let positives = rows.iter().filter(|&&row| truth[row]).count();
                if positives == 0 || positives == rows.len() {
                    return Err(PlanError::OneClass { model, part, labels: rows.len(), positives });
                }
            }
        }
        Ok(Self { kind: division.kind, subjects, rows, unused })
    }

    /// How the subjects are divided.
    pub fn kind(&self) -> SplitKind {
        self.kind
    }

    /// Models that have a part.
    pub fn models(&self) -> usize {
        self.rows.len()
    }

    /// The labels of each part of model `i`, ascending: training, tuning (here `validation`) and held out (`test`).
    ///
    /// # Panics
    /// When there are not so many models.
    pub fn rows(&self, i: usize) -> &data::Split {
        &self.rows[i]
    }

    /// The part of each subject for model `i`.
    ///
    /// # Panics
    /// When there are not so many models.
    pub fn subjects(&self, i: usize) -> &Split {
        &self.subjects[i]
    }

    /// Labels that no part may use, ascending.
    pub fn unused(&self) -> &[usize] {
        &self.unused
    }

    /// Writes `model-0.tsv` and so on to `folder`, the rows of the labels by part.
    ///
    /// # Errors
    /// [`PlanError::Write`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), PlanError> {
        for (model, split) in self.rows.iter().enumerate() {
            split.write(&folder.join(format!("model-{model}.tsv")))?;
        }
        Ok(())
    }
}

/// An upstream split with a tuning part: its own, or one drawn from its training part.
fn tuned(given: &Split, labels: &[Label], division: &SplitConfig, seed: u64) -> Result<Split, SplitError> {
    if given.count(Part::Tuning) > 0 {
        return Ok(given.clone());
    }
    let training: Vec<i64> = given.subjects(Part::Train).collect();
    let share = SplitConfig {
        kind: SplitKind::Subject,
        tuning_fraction: division.tuning_fraction,
        held_out_fraction: 0.0,
        seed,
        ..SplitConfig::default()
    };
    let mut split = split::by_subject(&training, labels, &share)?;
    split.parts.extend(given.subjects(Part::HeldOut).map(|subject| (subject, Part::HeldOut)));
    Ok(split)
}
