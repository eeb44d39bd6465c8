//! Counts of a rule's findings, arm by arm.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Finding;
use super::compiled::{Compiled, Tally};

/// What an arm found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmReport {
    /// The arm's name.
    pub name: String,
    /// Whether it is an exclusion.
    pub exclusion: bool,
    /// Events that it looked at: of its codes; for words, those with a text.
    pub looked_at: u64,
    /// Events on which it fired.
    pub fired: u64,
    /// Subjects for whom it holds.
    pub subjects: u64,
    /// Subjects for whom the rule holds, and no other arm does.
    pub alone: u64,
    /// Events without a number.
    pub no_value: u64,
    /// Values that no patient can have.
    pub implausible: u64,
    /// Values without a unit, taken to be in the rule's.
    pub unit_assumed: u64,
    /// Values in a unit that cannot be compared.
    pub unit_unknown: u64,
    /// Texts in which every mention is denied.
    pub negated: u64,
}

/// What a rule found. Shown as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhenotypeReport {
    /// The rule's name.
    pub name: String,
    /// The disease in words.
    pub title: String,
    /// Subjects that were looked at.
    pub subjects: u64,
    /// Subjects for whom the rule holds.
    pub found: u64,
    /// Subjects with an arm that holds, ruled out by an exclusion.
    pub excluded: u64,
    /// Arms, then exclusions.
    pub arms: Vec<ArmReport>,
    /// How many of the found subjects have which arms together, such as `hba1c + icd9`.
    pub together: BTreeMap<String, u64>,
}

/// The report, and for each subject with a finding whether the rule holds.
pub(super) fn summary(
    compiled: &Compiled<'_>,
    subjects: usize,
    findings: &[Finding],
    tallies: &[Tally],
) -> (PhenotypeReport, Vec<(i64, bool)>) {
    let rule = compiled.rule;
    let of_arm = |(at, (arm, tally)): (usize, (&super::Arm, &Tally))| ArmReport {
        name: arm.name().to_owned(),
        exclusion: at >= rule.arm.len(),
        looked_at: tally.looked_at,
        fired: findings.iter().filter(|finding| finding.arm == at).count() as u64,
        subjects: 0,
        alone: 0,
        no_value: tally.no_value,
        implausible: tally.implausible,
        unit_assumed: tally.unit_assumed,
        unit_unknown: tally.unit_unknown,
        negated: tally.negated,
    };
    let mut report = PhenotypeReport {
        name: rule.name.clone(),
        title: rule.title.clone(),
        subjects: subjects as u64,
        found: 0,
        excluded: 0,
        arms: rule.all_arms().zip(tallies).enumerate().map(of_arm).collect(),
        together: BTreeMap::new(),
    };
    let mut verdicts = Vec::new();
    for own in findings.chunk_by(|one, next| one.subject == next.subject) {
        let (holds, excluded) = compiled.verdict(own);
        let holding = compiled.holding(own);
        for (arm, holds) in report.arms.iter_mut().zip(&holding) {
            arm.subjects += u64::from(*holds);
        }
        report.found += u64::from(holds);
        report.excluded += u64::from(excluded);
        if holds {
            let places: Vec<usize> = (0..rule.arm.len()).filter(|at| holding[*at]).collect();
            if let [only] = places.as_slice() {
                report.arms[*only].alone += 1;
            }
            let names: Vec<&str> = places.iter().map(|at| rule.arm[*at].name()).collect();
            *report.together.entry(names.join(" + ")).or_insert(0) += 1;
        }
        verdicts.extend(own.first().map(|finding| (finding.subject, holds)));
    }
    (report, verdicts)
}

impl fmt::Display for PhenotypeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} of {} subjects", self.title_or_name(), self.found, self.subjects)?;
        if self.excluded > 0 {
            writeln!(f, "{} more are ruled out", self.excluded)?;
        }
        writeln!(f, "{:<16}{:>12}{:>12}{:>12}{:>12}  passed over", "arm", "looked at", "events", "subjects", "alone")?;
        for arm in &self.arms {
            let name = if arm.exclusion { format!("not {}", arm.name) } else { arm.name.clone() };
            write!(f, "{name:<16}{:>12}{:>12}{:>12}{:>12}", arm.looked_at, arm.fired, arm.subjects, arm.alone)?;
            let reasons = [
                (arm.no_value, "without a value"),
                (arm.implausible, "implausible"),
                (arm.unit_unknown, "in another unit"),
                (arm.negated, "denied"),
            ];
            let given = reasons.iter().filter(|(count, _)| *count > 0);
            let reasons: Vec<String> = given.map(|(count, reason)| format!("{count} {reason}")).collect();
            let gap = if reasons.is_empty() { "" } else { "  " };
            writeln!(f, "{gap}{}", reasons.join(", "))?;
        }
        Ok(())
    }
}

impl PhenotypeReport {
    fn title_or_name(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }
}
