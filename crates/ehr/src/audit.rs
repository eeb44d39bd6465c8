//! What must be true of a task before any score on it is believed.
//!
//! | leak | what it is |
//! |---|---|
//! | shared subject | a subject, or two with one and the same record, in two parts |
//! | future event | an input from behind the prediction time |
//! | label code | what is to be predicted is among the inputs |
//! | window length | how much of the record is used tells the label |
//! | fitted outside training | a vocabulary, scaler, imputation or embedding has seen other parts |
//! | one class | a part in which all labels are equal |
//! | discharge | inputs that are written when the stay is over; subjects whose answer is known, as after death or in a hospice |
//! | proxy | one code alone tells the label |
//! | conflict | a subject with two labels at one time |
//!
//! An [`Audit`] takes a [`Task`] as it is about to be trained on, whoever made its inputs, and does not need to know how.
//! [`Audit::passed`] says whether the run may go on. The canary set of [`crate::synthetic`] has each of these leaks, and
//! its clean twin none.

mod checks;
mod findings;
mod inputs;
mod window;

use std::collections::BTreeSet;
use std::fmt;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

pub use self::findings::{Finding, Leak, Severity};

use crate::events::{Event, Events};
use crate::features::Provenance;
use crate::labels::{Label, LabelError};
use crate::split::{Part, Split};
use crate::time::Time;
use crate::view::View;

/// Why a task cannot be audited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Labels that do not belong to the data.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Something that each label should have.
    #[error("there are {found} {what} for {labels} labels; give one for each")]
    Length {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many labels there are.
        labels: usize,
    },
}

/// When a finding is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Patterns of codes, in any case of letters, that mean the end: death, a hospice, the result of the stay.
    pub terminal_codes: Vec<String>,
    /// Patterns of codes that mean that treatment is being limited; they are warned of.
    pub limiting_codes: Vec<String>,
    /// Patterns of codes that are written at discharge, whatever time their rows have.
    pub discharge_coded: Vec<String>,
    /// Patterns of codes that begin a stay.
    pub admission_codes: Vec<String>,
    /// Patterns of codes that end a stay.
    pub discharge_codes: Vec<String>,
    /// One code alone, seen or not or by its last value, must stay below this area under the ROC curve.
    pub proxy_auroc: f64,
    /// The length of the window must stay below this area.
    pub window_auroc: f64,
    /// Labels of either class that such an area needs.
    pub min_class: usize,
    /// Events of a record that make it unlikely that somebody else has the same.
    pub twin_events: usize,
}

impl Default for AuditConfig {
    fn default() -> Self {
        let list = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        Self {
            terminal_codes: list(&[
                "MEDS_DEATH",
                "*HOSPICE*",
                "*//EXPIRED*",
                "*DEAD/EXPIRED*",
                "*//DIED*",
                "*//DEAD*",
                "*DEATHTIME*",
                "*IN-HOSPITAL_DEATH*",
                "*HOSPITAL_EXPIRE*",
                "*//SURVIVAL",
                "*LENGTH_OF_STAY*",
            ]),
            limiting_codes: list(&["*//DNR*", "*//DNI*", "*//CMO*", "*COMFORT MEASURES*", "*DO NOT RESUSCITATE*"]),
            discharge_coded: list(&["DIAGNOSIS//ICD*", "PROCEDURE//ICD*", "DRG"]),
            admission_codes: list(&["HOSPITAL_ADMISSION"]),
            discharge_codes: list(&["HOSPITAL_DISCHARGE"]),
            proxy_auroc: 0.98,
            window_auroc: 0.75,
            min_class: 10,
            twin_events: 10,
        }
    }
}

impl AuditConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("proxy_auroc", self.proxy_auroc, 0.5..=1.0)?;
        in_range("window_auroc", self.window_auroc, 0.5..=1.0)?;
        in_range("min_class", self.min_class, 1..=1_000_000_000)?;
        in_range("twin_events", self.twin_events, 1..=1_000_000_000)
    }
}

/// A task as it is about to be trained on.
#[derive(Clone, Copy)]
pub struct Task<'a, 'e> {
    /// The records, whole.
    pub events: &'e Events,
    /// The labels.
    pub labels: &'a [Label],
    /// The part of each label; `None` for one that is not used.
    pub parts: &'a [Option<Part>],
    /// What a model sees for the label of a row: the events of its view, or whatever else it is about to be given.
    pub inputs: &'a (dyn Fn(usize) -> Vec<Event<'e>> + Sync),
    /// Codes that the inputs can have: those of a vocabulary, of columns.
    pub codes: &'a [String],
    /// Patterns of the codes that say what the outcome is.
    pub outcome_codes: &'a [String],
    /// Whether the outcome may have happened before, and its codes be inputs from before the prediction.
    pub recurrent: bool,
    /// The time that each prediction time is counted from, such as the admission, if there is one.
    pub starts: Option<&'a [Time]>,
    /// The parts of all subjects, those without a label too, if they are known.
    pub split: Option<&'a Split>,
    /// What was fitted, by name, and on whom.
    pub fitted: &'a [(&'a str, &'a Provenance)],
}

impl fmt::Debug for Task<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("labels", &self.labels.len()).finish_non_exhaustive()
    }
}

/// What a model sees through views, for [`Task::inputs`].
pub fn seen_through<'a>(views: &[View<'a>]) -> impl Fn(usize) -> Vec<Event<'a>> + Sync {
    move |row| views.get(row).map(|view| view.events().collect()).unwrap_or_default()
}

/// Labels of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartAudit {
    /// Which part.
    pub part: Part,
    /// Its labels.
    pub labels: usize,
    /// Its subjects.
    pub subjects: usize,
    /// Labels that are true, of yes-or-no labels.
    pub positives: Option<usize>,
}

/// The audit of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Labels.
    pub labels: usize,
    /// Labels in no part.
    pub unused: usize,
    /// The parts that have labels.
    pub parts: Vec<PartAudit>,
    /// What was found, errors first.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Audits a task.
    ///
    /// # Errors
    /// [`AuditError`] if there is nothing to audit, or the parts of the task do not fit together.
    pub fn new(task: &Task<'_, '_>, config: &AuditConfig) -> Result<Self, AuditError> {
        config.validate()?;
        crate::labels::kind(task.labels)?;
        crate::labels::views(task.events, task.labels)?;
        let labels = task.labels.len();
        let lengths = [("parts", Some(task.parts.len())), ("starts", task.starts.map(<[Time]>::len))];
        for (what, found) in lengths {
            if let Some(found) = found.filter(|found| *found != labels) {
                return Err(AuditError::Length { what, found, labels });
            }
        }
        let mut findings = Vec::new();
        checks::subjects(task, config, &mut findings);
        checks::classes(task, &mut findings);
        checks::fitted(task, &mut findings);
        checks::conflicts(task, &mut findings);
        inputs::check(task, config, &mut findings);
        window::check(task, config, &mut findings);
        findings.sort_by_key(|finding: &Finding| (finding.severity, finding.leak));
        Ok(Self {
            labels,
            unused: task.parts.iter().filter(|part| part.is_none()).count(),
            parts: Part::ALL.into_iter().filter_map(|part| part_audit(task, part)).collect(),
            findings,
        })
    }

    /// Whether nothing was found that forbids to go on; there may be warnings.
    pub fn passed(&self) -> bool {
        self.errors().next().is_none()
    }

    /// The findings that forbid to go on.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// Whether a leak was found, as an error.
    pub fn found(&self, leak: Leak) -> bool {
        self.errors().any(|finding| finding.leak == leak)
    }

    /// The audit for people.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

/// Rows of the labels of a part.
fn rows_of(task: &Task<'_, '_>, part: Part) -> Vec<usize> {
    (0..task.labels.len()).filter(|&row| task.parts[row] == Some(part)).collect()
}

fn part_audit(task: &Task<'_, '_>, part: Part) -> Option<PartAudit> {
    let rows = rows_of(task, part);
    if rows.is_empty() {
        return None;
    }
    let subjects: BTreeSet<i64> = rows.iter().map(|&row| task.labels[row].subject).collect();
    let positives: Option<Vec<bool>> = rows.iter().map(|&row| task.labels[row].value.boolean()).collect();
    Some(PartAudit {
        part,
        labels: rows.len(),
        subjects: subjects.len(),
        positives: positives.map(|values| values.into_iter().filter(|value| *value).count()),
    })
}

/// The label of a row, if it is yes or no and in a part.
fn truth(task: &Task<'_, '_>, row: usize) -> Option<bool> {
    task.parts[row]?;
    task.labels[row].value.boolean()
}

#[cfg(test)]
mod tests;
