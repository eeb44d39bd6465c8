//! Divisions of cases and pictures: whose images may not stand on both sides.
//!
//! | split | keeps together | says |
//! |---|---|---|
//! | subject | images of one subject, and copies of an image | how well a model does on another patient |
//! | blocks | neighbours in the order of the names | the same, where the names run in the order of acquisition and nobody wrote down the subjects; adjacent sections of one block of tissue |
//! | random | copies of an image | how well it does on the like of what it has seen |
//! | upstream | what the set's makers did | what others have measured |
//!
//! A division is written down with the SHA-256 of each image ([`SplitFile`]), so that it can be refused when a file has
//! changed, a row is missing, or a subject has got into two parts.

mod divide;
mod file;
mod kind;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{DataError, Fractions, Part, Split, group_ids};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::divide::{block_folds, blocks, linked, stratified_groups};
pub use self::file::{SplitFile, SplitRow, digest_of_files};
pub use self::kind::SplitKind;

use crate::case::CaseFiles;
use crate::pictures::PictureSet;

/// Why a set cannot be divided, or a written division not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A set without parts of its own.
    #[error("the set has no parts of its own; use another split than \"upstream\"")]
    NoUpstream,
    /// Columns that do not belong to one set.
    #[error("{found} {what} for {rows} rows; give one for each row")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Rows.
        rows: usize,
    },
    /// Too few rows or groups.
    #[error("cannot make a {kind} split of {rows} rows of {subjects} subjects: {cause}")]
    Undividable {
        /// The kind asked for.
        kind: SplitKind,
        /// Rows.
        rows: usize,
        /// Subjects.
        subjects: usize,
        /// What stands in the way.
        cause: DataError,
    },
    /// A part of a division that leaves the set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A subject on two sides.
    #[error(
        "subject {subject} is in the {first} part ({first_id}) and in the {second} part ({second_id}); images of one subject belong in one part, divide the set again"
    )]
    Leak {
        /// The subject.
        subject: String,
        /// A part.
        first: Part,
        /// An image in it.
        first_id: String,
        /// Another part.
        second: Part,
        /// An image in that.
        second_id: String,
    },
    /// An image that is not the one that was divided.
    #[error(
        "{id} has changed since {path} was written: its content has the SHA-256 {found}, not {expected}; restore it, or divide the set again"
    )]
    Changed {
        /// The image.
        id: String,
        /// The written division.
        path: PathBuf,
        /// Its hash now.
        found: String,
        /// Its hash then.
        expected: String,
    },
    /// An image that is not there.
    #[error("{id} is in {path}, but not in the set; restore it, or divide the set again")]
    Missing {
        /// The image.
        id: String,
        /// The written division.
        path: PathBuf,
    },
    /// Two rows of one name.
    #[error("{id} is there twice; names must be unique")]
    Twice {
        /// The name.
        id: String,
    },
    /// A written division that cannot be read.
    #[error("{path}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    Os {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// What a division may know of the rows of a set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Name of each.
    pub ids: Vec<String>,
    /// Whom each was taken of.
    pub subjects: Vec<String>,
    /// What each part should have the same share of, such as the class; empty for nothing.
    pub strata: Vec<u64>,
    /// SHA-256 of the content, by which copies are kept together; empty where it is not known.
    pub digests: Vec<String>,
    /// The set's own parts; empty if it has none.
    pub parts: Vec<Part>,
}

impl Rows {
    /// The rows of a set of cases; nothing is known of their content ([`Rows::hash_files`]).
    pub fn of_cases(files: &[CaseFiles]) -> Self {
        Self {
            ids: files.iter().map(|files| files.id.clone()).collect(),
            subjects: files.iter().map(|files| files.subject.clone()).collect(),
            ..Self::default()
        }
    }

    /// The rows of a set of pictures, with their classes as strata.
    pub fn of_pictures(set: &PictureSet) -> Self {
        Self {
            ids: set.ids.clone(),
            subjects: set.subjects.clone(),
            strata: set.labels.iter().map(|label| *label as u64).collect(),
            digests: set.digests(),
            parts: set.part.clone().unwrap_or_default(),
        }
    }

    /// Fills in the digests of cases from the bytes of their files, on all threads.
    ///
    /// # Errors
    /// [`SplitError::Os`] with the file, [`SplitError::Length`] for the cases of another set.
    pub fn hash_files(mut self, files: &[CaseFiles]) -> Result<Self, SplitError> {
        if files.len() != self.len() {
            return Err(SplitError::Length { what: "cases", found: files.len(), rows: self.len() });
        }
        let digests: Vec<Result<String, SplitError>> = files.par_iter().map(digest_of_files).collect();
        self.digests = digests.into_iter().collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// For each row the number of its subject.
    pub fn subject_ids(&self) -> Vec<u64> {
        group_ids(&self.subjects)
    }

    /// Checks the lengths of the columns and that no name is there twice.
    ///
    /// # Errors
    /// [`SplitError::Length`], [`SplitError::Twice`].
    pub fn check(&self) -> Result<(), SplitError> {
        let rows = self.len();
        let lengths = [
            ("subjects", self.subjects.len()),
            ("strata", self.strata.len()),
            ("digests", self.digests.len()),
            ("parts", self.parts.len()),
        ];
        for (what, found) in lengths {
            if found != rows && (what == "subjects" || found != 0) {
                return Err(SplitError::Length { what, found, rows });
            }
        }
        let mut seen = HashSet::with_capacity(rows);
        match self.ids.iter().find(|id| !seen.insert(id.as_str())) {
            Some(id) => Err(SplitError::Twice { id: id.clone() }),
            None => Ok(()),
        }
    }

    /// For each row the number of the group that `kind` keeps together.
    fn groups(&self, kind: SplitKind) -> Vec<u64> {
        let alone: Vec<u64> = (0..self.len() as u64).collect();
        let own = if kind == SplitKind::Subject { self.subject_ids() } else { alone };
        if self.digests.is_empty() { own } else { linked(&own, &group_ids(&self.digests)) }
    }
}

/// How a set is divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// What is kept together.
    pub kind: SplitKind,
    /// Share of the rows that the validation part should have, 0 for none; met as closely as whole groups allow.
    pub validation_fraction: f64,
    /// Share of the rows that the test part should have, 0 for none.
    pub test_fraction: f64,
    /// Whether each class should have the same share of every part, as far as whole groups allow; not for blocks.
    pub stratify: bool,
    /// Rows at each border of two blocks that belong to no part, because they are like their neighbours; for blocks only.
    pub gap: usize,
    /// Seed of what is drawn; a split in blocks draws nothing.
    pub seed: u64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            kind: SplitKind::default(),
            validation_fraction: 0.1,
            test_fraction: 0.2,
            stratify: true,
            gap: 0,
            seed: 1,
        }
    }
}

impl SplitConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("validation_fraction", self.validation_fraction, 0.0..=0.9)?;
        in_range("test_fraction", self.test_fraction, 0.0..=0.9)?;
        in_range("validation_fraction + test_fraction", self.validation_fraction + self.test_fraction, 0.0..=0.95)?;
        if self.gap > 0 && self.kind != SplitKind::Blocks {
            let problem = "gap is for a split in blocks; leave it out, or use split = \"blocks\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        Ok(())
    }
}

/// Divides a set.
///
/// # Errors
/// [`SplitError`].
pub fn split(rows: &Rows, config: &SplitConfig) -> Result<Split, SplitError> {
    config.validate()?;
    rows.check()?;
    let fractions = Fractions { validation: config.validation_fraction, test: config.test_fraction };
    let kind = config.kind;
    let divided = match kind {
        SplitKind::Upstream => {
            if rows.parts.is_empty() {
                return Err(SplitError::NoUpstream);
            }
            let of = |part: Part| (0..rows.len()).filter(|&row| rows.parts[row] == part).collect::<Vec<usize>>();
            return Ok(Split::new(of(Part::Train), of(Part::Validation), of(Part::Test)));
        }
        SplitKind::Blocks => blocks(rows.len(), fractions, config.gap),
        SplitKind::Subject | SplitKind::Random => {
            let strata = if config.stratify { rows.strata.as_slice() } else { &[] };
            stratified_groups(&rows.groups(kind), strata, fractions, config.seed)
        }
    };
    divided.map_err(|cause| undividable(rows, kind, cause))
}

/// Cross-validation: `k` divisions, each with another fold as its test part and none for validation. The shares of `config`
/// do not count.
///
/// # Errors
/// [`SplitError`].
pub fn folds(rows: &Rows, k: usize, config: &SplitConfig) -> Result<Vec<Split>, SplitError> {
    config.validate()?;
    rows.check()?;
    let kind = config.kind;
    let folds = match kind {
        SplitKind::Upstream => return Err(SplitError::NoUpstream),
        SplitKind::Blocks => block_folds(rows.len(), k, config.gap),
        SplitKind::Subject | SplitKind::Random => {
            let strata = if config.stratify { rows.strata.as_slice() } else { &[] };
            divide::group_folds(&rows.groups(kind), strata, k, config.seed)
        }
    };
    folds.map_err(|cause| undividable(rows, kind, cause))
}

fn undividable(rows: &Rows, kind: SplitKind, cause: DataError) -> SplitError {
    let subjects = rows.subject_ids().into_iter().max().map_or(0, |last| last as usize + 1);
    SplitError::Undividable { kind, rows: rows.len(), subjects, cause }
}

/// Checks that no subject is in two parts of a division.
///
/// # Errors
/// [`SplitError::Leak`] with the subject and an image of it in either part, and [`SplitError::Data`] for a division of
/// another set.
pub fn check_subjects(rows: &Rows, split: &Split) -> Result<(), SplitError> {
    split.check(rows.len())?;
    let mut homes: HashMap<&str, (Part, usize)> = HashMap::new();
    for part in Part::ALL {
        for &row in split.part(part) {
            let subject = rows.subjects[row].as_str();
            let &mut (first, other) = homes.entry(subject).or_insert((part, row));
            if first != part {
                return Err(SplitError::Leak {
                    subject: subject.to_owned(),
                    first,
                    first_id: rows.ids[other].clone(),
                    second: part,
                    second_id: rows.ids[row].clone(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
