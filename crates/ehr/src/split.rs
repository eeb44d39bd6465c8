//! Divisions of subjects: nobody stands on both sides.
//!
//! | split | held out are | says |
//! |---|---|---|
//! | upstream | the subjects that the data set names (`metadata/subject_splits.parquet`) | what others report |
//! | subject | subjects drawn at random, alike in their labels | how well a model does on the next patient of this hospital |
//! | calendar | subjects whose last prediction lies behind a date | how well it does next year |
//! | site | whole hospitals | how well it does elsewhere |
//!
//! A [`Split`] maps subjects to parts, so that two stays of one patient can never part. Labels that no part may use,
//! such as early labels of a subject who also has late ones in a calendar split, come back as
//! [`Divided::unused`]. The three parts have the names of MEDS: `train`, `tuning`, `held_out`.
//!
//! ```
//! use ehr::split::{Part, Split};
//! let split = Split::from_pairs([(7, Part::Train), (8, Part::HeldOut), (7, Part::Train)])?;
//! assert_eq!((split.part(8), split.part(9)), (Some(Part::HeldOut), None));
//! assert!(Split::from_pairs([(7, Part::Train), (7, Part::HeldOut)]).is_err());
//! # Ok::<(), ehr::split::SplitError>(())
//! ```

mod calendar;
mod config;
mod kind;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use nn_core::config::ConfigError;
use nn_core::data::{self, DataError, Fractions, stratified, stratified_folds};
use serde::{Deserialize, Serialize};

pub use self::calendar::by_calendar;
pub use self::config::SplitConfig;
pub use self::kind::SplitKind;
pub use self::site::{by_site, sites};

use crate::events::Events;
use crate::labels::{Label, LabelValue};
use crate::time::Time;

/// Part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Learnt from.
    Train,
    /// Decides when to stop and which setting to take.
    Tuning,
    /// Judges, once.
    HeldOut,
}

impl Part {
    /// The three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Tuning, Self::HeldOut];

    /// Name, as MEDS spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Tuning => "tuning",
            Self::HeldOut => "held_out",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|part| part.name() == text).ok_or_else(|| ConfigError::Unknown {
            field: "split",
            value: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// Why subjects cannot be divided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A subject on both sides.
    #[error(
        "subject {subject} is in the {first} and in the {second} part; a subject, with all of its stays, belongs to one"
    )]
    Twice {
        /// The subject.
        subject: i64,
        /// One part.
        first: Part,
        /// The other.
        second: Part,
    },
    /// The upstream parts are not a function of the events.
    #[error("the upstream split comes with the data and cannot be drawn; read it from the data set, or choose another")]
    NoUpstream,
    /// Dates that mean nothing.
    #[error(
        "{late} of {labels} prediction times lie after the year 2100, the first at {first}: these dates are shifted for \
         each patient and cannot be compared; use a subject split"
    )]
    ShiftedDates {
        /// Labels with such a date.
        late: usize,
        /// All labels.
        labels: usize,
        /// The first of the dates.
        first: Time,
    },
    /// No event names a site.
    #[error("no event has a code that begins with {prefix:?}, which should name the site; set site_prefix")]
    NoSites {
        /// The prefix looked for.
        prefix: String,
    },
    /// A site that does not occur.
    #[error("no subject is of site {site:?}, which the {part} part should have; sites are {known}")]
    NoSuchSite {
        /// The site asked for.
        site: String,
        /// The part that names it.
        part: Part,
        /// Those there are.
        known: String,
    },
    /// A part that was asked for has no subject.
    #[error("the {part} part of the {kind} split has no subject; parts are {counts}")]
    Empty {
        /// The part.
        part: Part,
        /// The kind of split.
        kind: SplitKind,
        /// Subjects by part.
        counts: String,
    },
    /// Too few subjects.
    #[error("cannot make a {kind} split of {subjects} subjects: {cause}")]
    Undividable {
        /// The kind asked for.
        kind: SplitKind,
        /// Subjects.
        subjects: usize,
        /// What stands in the way.
        cause: DataError,
    },
}

/// The part of each subject. Subjects that are not named belong to no part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Part by subject.
    pub parts: BTreeMap<i64, Part>,
}

impl Split {
    /// A split as a file names it; the same pair may come twice.
    ///
    /// # Errors
    /// [`SplitError::Twice`] for the first subject that is named in two parts.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (i64, Part)>) -> Result<Self, SplitError> {
        let mut parts = BTreeMap::new();
        for (subject, second) in pairs {
            let first = *parts.entry(subject).or_insert(second);
            if first != second {
                return Err(SplitError::Twice { subject, first, second });
            }
        }
        Ok(Self { parts })
    }

    /// The part of a subject, if it has one.
    pub fn part(&self, subject: i64) -> Option<Part> {
        self.parts.get(&subject).copied()
    }

    /// Subjects of a part, ascending.
    pub fn subjects(&self, part: Part) -> impl Iterator<Item = i64> + '_ {
        self.parts.iter().filter(move |(_, own)| **own == part).map(|(subject, _)| *subject)
    }

    /// How many subjects are in a part.
    pub fn count(&self, part: Part) -> usize {
        self.subjects(part).count()
    }

    /// How many subjects are in any part.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether no subject is in a part.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The part of each label.
    pub fn assign(&self, labels: &[Label]) -> Vec<Option<Part>> {
        labels.iter().map(|label| self.part(label.subject)).collect()
    }

    /// Rows of the labels whose subject is in a part, ascending.
    pub fn rows(&self, labels: &[Label], part: Part) -> Vec<usize> {
        (0..labels.len()).filter(|&row| self.part(labels[row].subject) == Some(part)).collect()
    }

    /// The division of the labels' rows, as training takes it.
    pub fn of_rows(&self, labels: &[Label]) -> data::Split {
        let [train, tuning, held_out] = Part::ALL.map(|part| self.rows(labels, part));
        data::Split::new(train, tuning, held_out)
    }

    /// Subjects by part in words: `train 70, tuning 10, held_out 20`.
    pub fn counts(&self) -> String {
        Part::ALL.map(|part| format!("{part} {}", self.count(part))).join(", ")
    }
}

/// A split, and what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divided {
    /// The part of each subject.
    pub split: Split,
    /// Rows of labels that must not be used, although their subject may be in a part; ascending.
    pub unused: Vec<usize>,
}

/// Divides the subjects of a data set for a task.
///
/// A subject split divides every subject, with or without a label; a calendar split, those with labels.
///
/// # Errors
/// [`SplitError`].
pub fn split(events: &Events, labels: &[Label], config: &SplitConfig) -> Result<Divided, SplitError> {
    config.validate()?;
    let divided = match config.kind {
        SplitKind::Upstream => return Err(SplitError::NoUpstream),
        SplitKind::Subject => {
            let subjects: Vec<i64> = events.iter().map(|subject| subject.id()).collect();
            Divided { split: by_subject(&subjects, labels, config)?, unused: Vec::new() }
        }
        SplitKind::Calendar => {
            let [tuning_from, held_out_from] = config.dates()?;
            by_calendar(labels, tuning_from, held_out_from)?
        }
        SplitKind::Site => by_site(&sites(events, &config.site_prefix)?, labels, config)?,
    };
    let needed = match config.kind {
        SplitKind::Calendar => [true, config.tuning_from.is_some(), config.held_out_from.is_some()],
        _ => [true, config.tuning_fraction > 0.0, config.held_out_fraction > 0.0],
    };
    for (part, needed) in Part::ALL.into_iter().zip(needed) {
        if needed && divided.split.count(part) == 0 {
            return Err(SplitError::Empty { part, kind: config.kind, counts: divided.split.counts() });
        }
    }
    Ok(divided)
}

/// Divides subjects at random; subjects with a positive label, with only other labels and without a label are divided
/// each for itself, so that every part has its share of them.
///
/// # Errors
/// [`SplitError::Undividable`] if there are too few subjects; [`SplitError::Config`].
pub fn by_subject(subjects: &[i64], labels: &[Label], config: &SplitConfig) -> Result<Split, SplitError> {
    config.validate()?;
    let subjects: Vec<i64> = subjects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let strata = if config.stratify { strata(&subjects, labels) } else { vec![0; subjects.len()] };
    let rows = stratified(&strata, config.fractions(), config.seed);
    let rows =
        rows.map_err(|cause| SplitError::Undividable { kind: SplitKind::Subject, subjects: subjects.len(), cause })?;
    Ok(named(&subjects, &rows))
}

/// Cross-validation by subject: `k` splits of the labels' subjects, each with another fold held out; `tuning_fraction`
/// of the other subjects tune. Every fold has its share of the subjects with a positive label.
///
/// # Errors
/// [`SplitError::Undividable`] if there are fewer subjects than folds, or a share leaves nothing to train on.
pub fn folds(labels: &[Label], k: usize, tuning_fraction: f64, seed: u64) -> Result<Vec<Split>, SplitError> {
    let subjects: Vec<i64> = labels.iter().map(|label| label.subject).collect::<BTreeSet<_>>().into_iter().collect();
    let undividable = |cause| SplitError::Undividable { kind: SplitKind::Subject, subjects: subjects.len(), cause };
    let strata = strata(&subjects, labels);
    let folds = stratified_folds(&strata, k, seed).map_err(undividable)?;
    let mut splits = Vec::with_capacity(k);
    for (number, fold) in folds.iter().enumerate() {
        let others: Vec<usize> =
            folds.iter().enumerate().filter(|(other, _)| *other != number).flat_map(|(_, rows)| rows.clone()).collect();
        let own: Vec<u64> = others.iter().map(|&row| strata[row]).collect();
        let fractions = Fractions { validation: tuning_fraction, test: 0.0 };
        let inner = stratified(&own, fractions, seed.wrapping_add(number as u64)).map_err(undividable)?;
        let rows = |part: &[usize]| part.iter().map(|&place| others[place]).collect::<Vec<_>>();
        splits.push(named(&subjects, &data::Split::new(rows(&inner.train), rows(&inner.validation), fold.clone())));
    }
    Ok(splits)
}

/// The split that a division of rows of `subjects` is.
fn named(subjects: &[i64], rows: &data::Split) -> Split {
    let parts = [(Part::Train, &rows.train), (Part::Tuning, &rows.validation), (Part::HeldOut, &rows.test)];
    Split {
        parts: parts.into_iter().flat_map(|(part, rows)| rows.iter().map(move |&row| (subjects[row], part))).collect(),
    }
}

/// 2 for a subject with a positive label, 1 for one with other labels, 0 for one without.
fn strata(subjects: &[i64], labels: &[Label]) -> Vec<u64> {
    let mut known: BTreeMap<i64, u64> = BTreeMap::new();
    for label in labels {
        let stratum = 1 + u64::from(label.value == LabelValue::Boolean(true));
        let entry = known.entry(label.subject).or_insert(stratum);
        *entry = (*entry).max(stratum);
    }
    subjects.iter().map(|subject| known.get(subject).copied().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests;
