//! Diseases as rules over a record: a laboratory value beyond a threshold, or a code, or words in a note.
//!
//! The review that this project implements shows why one spelling is not enough: type 2 diabetes is an `HbA1c` above
//! 7.0 in one record, ICD-9 250.00 in the next, and "type 2 diabetes mellitus" in a third (Yang et al. 2021, Front.
//! Genet. 12:607471). A [`Phenotype`] is such a rule, written as TOML; [`Phenotype::find`] says which of its arms
//! fired, for whom and when, and what was passed over and why: values in units that cannot be compared, values that
//! nobody can have, mentions that are denied.
//!
//! ```
//! use ehr::events::EventsBuilder;
//! use ehr::phenotype::Phenotype;
//! use ehr::time::Time;
//! let mut builder = EventsBuilder::default();
//! builder.push(1, Time::parse("2130-04-01 12:00"), "LAB//50852//%", Some(8.3), None);
//! builder.push(2, Time::parse("2131-01-09 07:00"), "DIAGNOSIS//ICD9CM//25001", None, None);
//! builder.push(3, Time::parse("2140-01-09 07:00"), "DIAGNOSIS//ICD9CM//25002", None, None);
//! let events = builder.finish()?;
//! let found = Phenotype::shipped("t2dm")?.find(&events)?;
//! // 250.01 is type 1
//! assert_eq!(found.subjects(), [1, 3]);
//! assert_eq!(found.onset(3), Time::parse("2140-01-09 07:00"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compiled;
mod mention;
mod report;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::compiled::Compiled;
use self::compiled::Tally;
pub use self::report::{ArmReport, PhenotypeReport};
pub use self::rule::{Arm, CodeArm, LaboratoryArm, TextArm};

use crate::codebook::{CodeId, Codebook};
use crate::events::Events;
use crate::time::Time;

/// Rules that come with the crate: their names and texts.
const SHIPPED: [(&str, &str); 1] = [("t2dm", include_str!("../../../data/phenotypes/t2dm.toml"))];

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhenotypeError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The text is no rule.
    #[error("{origin}: {problem}")]
    Toml {
        /// Where the text is from.
        origin: String,
        /// What is wrong with it, and where.
        problem: String,
    },
    /// A part of the rule makes no sense.
    #[error("rule {rule:?}, arm {arm:?}: {problem}")]
    Rule {
        /// The rule.
        rule: String,
        /// The arm.
        arm: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No rule of that name comes with the crate.
    #[error("no rule is called {name:?}; known: {known}; or give a file")]
    Unknown {
        /// The name.
        name: String,
        /// The names that are known.
        known: String,
    },
}

/// A disease as a rule: it holds for a subject for whom any arm holds and no exclusion does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phenotype {
    /// A short name for reports and commands.
    pub name: String,
    /// The disease in words.
    #[serde(default)]
    pub title: String,
    /// Where the rule is from.
    #[serde(default)]
    pub source: String,
    /// The ways in which the disease shows.
    pub arm: Vec<Arm>,
    /// What rules the disease out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Arm>,
}

/// One event on which an arm fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The subject.
    pub subject: i64,
    /// The arm: its place among [`Phenotype::arm`]; exclusions count on behind the arms.
    pub arm: usize,
    /// Row of the event in its set.
    pub row: usize,
    /// When it was.
    pub time: Option<Time>,
    /// Its code.
    pub code: CodeId,
    /// The value in the unit of the rule's analyte, for laboratory arms; what the event has, for codes.
    pub value: Option<f64>,
    /// The words, for texts.
    pub words: Option<String>,
}

impl Phenotype {
    /// Reads a rule from TOML. `origin` is what messages call the text.
    ///
    /// # Errors
    /// [`PhenotypeError::Toml`] with the place, [`PhenotypeError::Rule`] with the arm.
    pub fn parse(text: &str, origin: &str) -> Result<Self, PhenotypeError> {
        let problem = |error: toml::de::Error| PhenotypeError::Toml {
            origin: origin.to_owned(),
            problem: error.to_string().trim_end().to_owned(),
        };
        let rule: Self = toml::from_str(text).map_err(problem)?;
        rule.validate()?;
        Ok(rule)
    }

    /// Reads a rule from a file.
    ///
    /// # Errors
    /// [`PhenotypeError::Read`], or as [`Phenotype::parse`].
    pub fn load(path: &Path) -> Result<Self, PhenotypeError> {
        let failed = |cause| PhenotypeError::Read { path: path.to_path_buf(), cause };
        Self::parse(&fs::read_to_string(path).map_err(failed)?, &path.display().to_string())
    }

    /// A rule that comes with the crate: `t2dm`.
    ///
    /// # Errors
    /// [`PhenotypeError::Unknown`] with the names that are known.
    pub fn shipped(name: &str) -> Result<Self, PhenotypeError> {
        match SHIPPED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(text, name),
            None => Err(PhenotypeError::Unknown { name: name.to_owned(), known: Self::names().join(", ") }),
        }
    }

    /// Names of the rules that come with the crate.
    pub fn names() -> Vec<&'static str> {
        SHIPPED.map(|(name, _)| name).to_vec()
    }

    /// # Errors
    /// [`PhenotypeError::Rule`] with the arm that makes no sense.
    pub fn validate(&self) -> Result<(), PhenotypeError> {
        let refuse = |arm: &str, problem: &str| {
            Err(PhenotypeError::Rule { rule: self.name.clone(), arm: arm.to_owned(), problem: problem.to_owned() })
        };
        if self.arm.is_empty() {
            return refuse("", "the rule has no arms");
        }
        let mut names = BTreeSet::new();
        for arm in self.all_arms() {
            arm.validate(&self.name)?;
            if !names.insert(arm.name()) {
                return refuse(arm.name(), "another arm has the same name");
            }
        }
        Ok(())
    }

    /// Prepares the rule for the codes of a set.
    ///
    /// # Errors
    /// As [`Phenotype::validate`].
    pub fn compile(&self, codebook: &Codebook) -> Result<Compiled<'_>, PhenotypeError> {
        Compiled::new(self, codebook)
    }

    /// Looks at every event of a set. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// As [`Phenotype::validate`].
    pub fn find(&self, events: &Events) -> Result<Found, PhenotypeError> {
        let compiled = self.compile(&events.codebook)?;
        let empty = || (Vec::new(), compiled.tallies());
        // pieces are put together in the order of the subjects
        let (findings, tallies): (Vec<Finding>, Vec<Tally>) = (0..events.subjects())
            .into_par_iter()
            .fold(empty, |(mut findings, mut tallies), index| {
                let subject = events.subject(index);
                compiled.scan(subject.id(), subject.events(), &mut findings, &mut tallies);
                (findings, tallies)
            })
            .reduce(empty, |(mut findings, mut tallies), (more, others)| {
                findings.extend(more);
                tallies.iter_mut().zip(&others).for_each(|(tally, other)| tally.add(other));
                (findings, tallies)
            });
        let (report, verdicts) = report::summary(&compiled, events.subjects(), &findings, &tallies);
        Ok(Found { report, findings, verdicts, arms: self.arm.len() })
    }

    /// Arms, then exclusions.
    pub(crate) fn all_arms(&self) -> impl Iterator<Item = &Arm> {
        self.arm.iter().chain(&self.exclude)
    }
}

/// What a rule found in a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    report: PhenotypeReport,
    findings: Vec<Finding>,
    /// Subjects with a finding, ascending, and whether the rule holds for them.
    verdicts: Vec<(i64, bool)>,
    /// Number of arms, exclusions apart.
    arms: usize,
}

impl Found {
    /// Counts by arm.
    pub fn report(&self) -> &PhenotypeReport {
        &self.report
    }

    /// Every event on which an arm or an exclusion fired, by subject and then by time.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The subjects for whom the rule holds, ascending.
    pub fn subjects(&self) -> Vec<i64> {
        self.verdicts.iter().filter(|(_, holds)| *holds).map(|(subject, _)| *subject).collect()
    }

    /// Whether the rule holds for a subject.
    pub fn holds(&self, subject: i64) -> bool {
        self.verdicts.binary_search_by_key(&subject, |(own, _)| *own).is_ok_and(|at| self.verdicts[at].1)
    }

    /// When an arm first fired for a subject for whom the rule holds; none without a time.
    pub fn onset(&self, subject: i64) -> Option<Time> {
        let first = self.findings.partition_point(|finding| finding.subject < subject);
        let own = self.findings[first..].iter().take_while(|finding| finding.subject == subject);
        own.filter(|finding| finding.arm < self.arms)
            .filter_map(|finding| finding.time)
            .min()
            .filter(|_| self.holds(subject))
    }
}
