//! A division of the rows of a table, as a value and as a file.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::{self, AtomicError};

/// First line of a split's file.
const HEADER: &str = "row\tpart";

/// Why rows cannot be divided, or a division not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is nothing to divide.
    #[error("there are no rows to divide")]
    Empty,
    /// Two columns of one table differ in length.
    #[error("{left} rows in one column but {right} in the other; give one value for each row")]
    Length {
        /// Rows of the first column.
        left: usize,
        /// Rows of the second.
        right: usize,
    },
    /// A share that leaves nothing, or takes everything.
    #[error("{name} = {value} is not a usable share; allowed: {allowed}")]
    Fraction {
        /// Which share.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// Fewer groups than the parts need.
    #[error("{groups} groups of rows cannot fill {parts} parts; merge less into one group or ask for fewer parts")]
    TooFewGroups {
        /// Distinct groups found.
        groups: usize,
        /// Parts that must not be empty.
        parts: usize,
    },
    /// The groups are so unequal that a part stays empty.
    #[error(
        "the {part} part stays empty: none of the {groups} groups is small enough for it; ask for a larger share of the rows"
    )]
    EmptyPart {
        /// The part.
        part: Part,
        /// Distinct groups found.
        groups: usize,
    },
    /// A row that the table does not have.
    #[error("row {row} is in the {part} part, but the table has {rows} rows, numbered from 0")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// The part that names it.
        part: Part,
        /// Rows of the table.
        rows: usize,
    },
    /// A row named twice.
    #[error("row {row} is named twice, in the {first} and in the {second} part")]
    Twice {
        /// The row.
        row: usize,
        /// One part.
        first: Part,
        /// The other part, or the same one.
        second: Part,
    },
    /// A line of a file that is not `row<TAB>part`.
    #[error("{path}, line {line}: {text:?} is not {expected}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
}

/// The part of a split that a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Learnt from.
    Train,
    /// Decides when to stop and which setting to take.
    Validation,
    /// Judges, once.
    Test,
}

impl Part {
    /// The three, in the order of [`Split`]'s fields.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Name, as the file of a split spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Shares of the rows; training takes the rest. Each is 0 (no such part) or more, and together they are below 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fractions {
    /// Share of the validation part.
    pub validation: f64,
    /// Share of the test part.
    pub test: f64,
}

impl Fractions {
    pub(super) fn check(self) -> Result<(), DataError> {
        let allowed = "0 up to, not including, 1";
        for (name, value) in [("validation", self.validation), ("test", self.test)] {
            if !(0.0..1.0).contains(&value) {
                return Err(DataError::Fraction { name, value, allowed });
            }
        }
        let value = self.validation + self.test;
        if value >= 1.0 {
            return Err(DataError::Fraction { name: "validation + test", value, allowed });
        }
        Ok(())
    }

    pub(super) fn parts(self) -> usize {
        1 + usize::from(self.validation > 0.0) + usize::from(self.test > 0.0)
    }
}

/// Row numbers of three disjoint parts, each ascending. Rows of the table that no part names are not used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Rows that a system learns from.
    pub train: Vec<usize>,
    /// Rows that decide when to stop and which setting to take.
    pub validation: Vec<usize>,
    /// Rows that judge.
    pub test: Vec<usize>,
}

impl Split {
    /// Sorts the three parts.
    pub fn new(mut train: Vec<usize>, mut validation: Vec<usize>, mut test: Vec<usize>) -> Self {
        for part in [&mut train, &mut validation, &mut test] {
            part.sort_unstable();
        }
        Self { train, validation, test }
    }

    /// The rows of a part.
    pub fn part(&self, part: Part) -> &[usize] {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    /// Every row that is in a part, with the part, by row number.
    fn labelled(&self) -> Vec<(usize, Part)> {
        let mut rows: Vec<(usize, Part)> =
            Part::ALL.iter().flat_map(|&part| self.part(part).iter().map(move |&row| (row, part))).collect();
        rows.sort_unstable();
        rows
    }

    /// Checks that every row exists in a table of `rows` rows, and that no row is named twice.
    ///
    /// # Errors
    /// [`DataError::NoSuchRow`], [`DataError::Twice`].
    pub fn check(&self, rows: usize) -> Result<(), DataError> {
        let labelled = self.labelled();
        for pair in labelled.windows(2) {
            if pair[0].0 == pair[1].0 {
                return Err(DataError::Twice { row: pair[0].0, first: pair[0].1, second: pair[1].1 });
            }
        }
        match labelled.last() {
            Some(&(row, part)) if row >= rows => Err(DataError::NoSuchRow { row, part, rows }),
            _ => Ok(()),
        }
    }

    /// Writes a tab-separated table of `row` and `part`, by row number, whole or not at all.
    ///
    /// # Errors
    /// [`DataError::Write`] with the path.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        let mut text = String::from(HEADER);
        for (row, part) in self.labelled() {
            text.push('\n');
            text.push_str(&row.to_string());
            text.push('\t');
            text.push_str(part.name());
        }
        text.push('\n');
        Ok(atomic::write(path, text.as_bytes())?)
    }

    /// Reads what [`Split::write`] wrote, in any order of lines; no row may be named twice.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Line`] with the path and line, [`DataError::Twice`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text =
            std::fs::read_to_string(path).map_err(|cause| DataError::Read { path: path.to_path_buf(), cause })?;
        let mut split = Self::default();
        let wrong = |line: usize, text: &str, expected| {
            Err(DataError::Line { path: path.to_path_buf(), line: line + 1, text: text.to_owned(), expected })
        };
        let mut lines = text.lines().enumerate();
        match lines.next() {
            Some((_, HEADER)) => {}
            other => return wrong(0, other.map_or("", |(_, text)| text), "the header `row<TAB>part`"),
        }
        for (number, line) in lines {
            let parsed = line.split_once('\t').and_then(|(row, part)| {
                let part = Part::ALL.into_iter().find(|known| known.name() == part)?;
                Some((row.parse::<usize>().ok()?, part))
            });
            match parsed {
                Some((row, Part::Train)) => split.train.push(row),
                Some((row, Part::Validation)) => split.validation.push(row),
                Some((row, Part::Test)) => split.test.push(row),
                None => return wrong(number, line, "a row number, a tab, and one of train, validation, test"),
            }
        }
        let split = Self::new(split.train, split.validation, split.test);
        split.check(usize::MAX)?;
        Ok(split)
    }
}

#[cfg(test)]
mod tests;
