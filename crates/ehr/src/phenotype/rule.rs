//! The parts of a rule, as a file spells them.

use serde::{Deserialize, Serialize};

use super::PhenotypeError;
use crate::codes::System;
use crate::units::{self, Normal};

/// One way in which a disease shows in a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Arm {
    /// A measured value beyond a threshold.
    Laboratory(LaboratoryArm),
    /// A code of a coding system.
    Code(CodeArm),
    /// Words in a note, unless they are denied.
    Text(TextArm),
}

/// A measured value beyond a threshold. All thresholds that are given must be passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaboratoryArm {
    /// Name in reports.
    pub name: String,
    /// Beginnings of MEDS codes, part by part: `LAB//50852` is that item in any unit; `*` stands for any one part. They
    /// are compared with the code and with the codes that the book says are above it.
    pub codes: Vec<String>,
    /// LOINC code of the analyte, for its units and plausible range ([`units`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loinc: Option<String>,
    /// Unit of the thresholds. Without an analyte, values in any other unit are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// More than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// This or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// This or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Events that a subject must have.
    #[serde(default = "one")]
    pub events: usize,
}

/// A code of a coding system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeArm {
    /// Name in reports.
    pub name: String,
    /// The system: a diagnosis `0010` is not the procedure `0010`.
    pub system: System,
    /// Beginnings of codes without their dot; `?` stands for any one place. `250` has all of 250.x, `250?0` only those
    /// with a fifth digit of 0. Of `RxNorm`, LOINC and SNOMED CT, whose codes have no levels, whole codes.
    pub patterns: Vec<String>,
    /// Beginnings of codes that do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Events that a subject must have.
    #[serde(default = "one")]
    pub events: usize,
}

/// Words in a note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextArm {
    /// Name in reports.
    pub name: String,
    /// The words; capitals and white space do not matter. A mention that is denied, or of another person, does not
    /// count.
    pub phrases: Vec<String>,
    /// Beginnings of the MEDS codes whose texts are read, as in [`LaboratoryArm::codes`]; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Events that a subject must have.
    #[serde(default = "one")]
    pub events: usize,
}

fn one() -> usize {
    1
}

impl Arm {
    /// Name in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Laboratory(arm) => &arm.name,
            Self::Code(arm) => &arm.name,
            Self::Text(arm) => &arm.name,
        }
    }

    /// Events that a subject must have.
    pub fn events(&self) -> usize {
        match self {
            Self::Laboratory(arm) => arm.events,
            Self::Code(arm) => arm.events,
            Self::Text(arm) => arm.events,
        }
    }

    pub(super) fn validate(&self, rule: &str) -> Result<(), PhenotypeError> {
        let refuse =
            |problem: String| Err(PhenotypeError::Rule { rule: rule.to_owned(), arm: self.name().to_owned(), problem });
        if self.name().is_empty() {
            return refuse("it has no name".to_owned());
        }
        if self.events() == 0 {
            return refuse("events = 0 is out of range; 1 or more are due".to_owned());
        }
        match self {
            Self::Laboratory(arm) => arm.problem().map_or(Ok(()), refuse),
            Self::Code(arm) => arm.problem().map_or(Ok(()), refuse),
            Self::Text(arm) if !arm.phrases.iter().any(|phrase| !phrase.trim().is_empty()) => {
                refuse("it has no phrases".to_owned())
            }
            Self::Text(_) => Ok(()),
        }
    }
}

impl LaboratoryArm {
    fn problem(&self) -> Option<String> {
        let thresholds = [self.above, self.at_least, self.below, self.at_most];
        if self.codes.is_empty() {
            return Some("it has no codes".to_owned());
        }
        if thresholds.iter().all(Option::is_none) {
            return Some("it has no threshold; give above, at_least, below or at_most".to_owned());
        }
        for threshold in thresholds.into_iter().flatten() {
            if !threshold.is_finite() {
                return Some(format!("the threshold {threshold} is no number to compare with"));
            }
            let Some(loinc) = &self.loinc else { continue };
            let Some(analyte) = units::by_loinc(loinc) else {
                return Some(format!(
                    "loinc = {loinc:?} is not among the analytes whose units are known; leave it out"
                ));
            };
            if self.unit.is_some() && analyte.normalise(threshold, self.unit.as_deref()) == Normal::UnknownUnit {
                let (unit, name) = (self.unit.as_deref().unwrap_or(""), analyte.name);
                return Some(format!("unit = {unit:?} is none in which {name} is measured; {} is", analyte.unit));
            }
        }
        None
    }
}

impl CodeArm {
    fn problem(&self) -> Option<String> {
        if self.patterns.is_empty() {
            return Some("it has no patterns".to_owned());
        }
        let fits = |pattern: &&String| {
            !pattern.is_empty()
                && pattern
                    .chars()
                    .all(|place| place.is_ascii_uppercase() || place.is_ascii_digit() || "?-".contains(place))
        };
        let wrong = self.patterns.iter().chain(&self.except).find(|pattern| !fits(pattern))?;
        Some(format!(
            "the pattern {wrong:?} is none; write codes in capitals and without their dot, with ? for any place"
        ))
    }
}

/// Whether a code begins as the pattern says.
pub(super) fn begins(code: &str, pattern: &str) -> bool {
    let mut places = code.chars();
    pattern.chars().all(|wanted| places.next().is_some_and(|place| wanted == '?' || wanted == place))
}

/// The parts of a MEDS code, whose parts stand between `//`, or between `/` where there is no `//`.
fn parts(code: &str) -> impl Iterator<Item = &str> {
    code.split(if code.contains("//") { "//" } else { "/" })
}

/// What stands behind the pattern in a code that begins as it says, part by part; none for another code.
pub(super) fn rest<'a>(code: &'a str, pattern: &str) -> Option<impl Iterator<Item = &'a str>> {
    let mut own = parts(code);
    parts(pattern).all(|wanted| own.next().is_some_and(|part| wanted == "*" || wanted == part)).then_some(own)
}
