//! Checks that need no inputs: subjects, classes, what was fitted on whom.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{AuditConfig, Finding, Leak, Task, rows_of};
use crate::events::Subject;
use crate::features::Provenance;
use crate::labels::LabelValue;
use crate::split::Part;

/// Subjects in two parts, and different subjects in two parts whose records are the same.
pub(super) fn subjects(task: &Task<'_, '_>, config: &AuditConfig, findings: &mut Vec<Finding>) {
    let mut parts: BTreeMap<i64, BTreeSet<Part>> = BTreeMap::new();
    for (label, part) in task.labels.iter().zip(task.parts) {
        if let Some(part) = part {
            parts.entry(label.subject).or_default().insert(*part);
        }
    }
    let torn: Vec<i64> = parts.iter().filter(|(_, parts)| parts.len() > 1).map(|(subject, _)| *subject).collect();
    if !torn.is_empty() {
        let message = format!(
            "{} of {} subjects have labels in more than one part; split by subject, not by stay",
            torn.len(),
            parts.len()
        );
        let names = torn.iter().map(|subject| format!("subject {subject}"));
        findings.push(Finding::error(Leak::SharedSubject, torn.len(), message).with(names));
    }
    let mut records: BTreeMap<[u8; 32], Vec<i64>> = BTreeMap::new();
    for subject in parts.keys().filter_map(|id| task.events.find(*id)) {
        if subject.timed().len() >= config.twin_events {
            records.entry(fingerprint(&subject)).or_default().push(subject.id());
        }
    }
    let apart = |ids: &Vec<i64>| ids.iter().filter_map(|id| parts.get(id)).flatten().collect::<BTreeSet<_>>().len() > 1;
    let twins: Vec<String> = records
        .values()
        .filter(|ids| ids.len() > 1 && apart(ids))
        .map(|ids| ids.iter().take(3).map(|id| format!("subject {id}")).collect::<Vec<_>>().join(" = "))
        .collect();
    if !twins.is_empty() {
        let message = format!(
            "{} records occur under several subject numbers in different parts, event by event; they are one patient",
            twins.len()
        );
        findings.push(Finding::error(Leak::SharedSubject, twins.len(), message).with(twins));
    }
}

/// A digest of what happened to a subject, whatever its dates are shifted by.
fn fingerprint(subject: &Subject<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let first = subject.first_time();
    for event in subject.timed() {
        if let (Some(time), Some(first)) = (event.time, first) {
            hash.update(time.since(first).0.to_le_bytes());
        }
        hash.update(event.code.0.to_le_bytes());
        hash.update(event.value.unwrap_or(f32::NAN).to_bits().to_le_bytes());
    }
    hash.finalize().into()
}

/// Parts in which all labels are equal.
pub(super) fn classes(task: &Task<'_, '_>, findings: &mut Vec<Finding>) {
    for part in Part::ALL {
        let rows = rows_of(task, part);
        let Some(&first) = rows.first() else { continue };
        let value = &task.labels[first].value;
        if rows.iter().all(|&row| task.labels[row].value == *value) {
            let message = format!(
                "all {} labels of {part} are {value}; nothing can be learnt from or measured on it",
                rows.len()
            );
            findings.push(Finding::error(Leak::OneClass, rows.len(), message));
        }
    }
    if rows_of(task, Part::Train).is_empty() {
        let message = "no label is in the training part".to_owned();
        findings.push(Finding::error(Leak::OneClass, 0, message));
    }
}

/// What was fitted on other subjects than those of training.
pub(super) fn fitted(task: &Task<'_, '_>, findings: &mut Vec<Finding>) {
    let labelled = rows_of(task, Part::Train).into_iter().map(|row| task.labels[row].subject).collect::<BTreeSet<_>>();
    let others = task.split.iter().flat_map(|split| split.subjects(Part::Train));
    let training: BTreeSet<i64> = labelled.iter().copied().chain(others).collect();
    for (what, provenance) in task.fitted {
        let same =
            [&labelled, &training].into_iter().any(|subjects| **provenance == Provenance::of(subjects.iter().copied()));
        if same {
            continue;
        }
        let Some(ids) = provenance.ids() else {
            let message = format!(
                "the {what} was fitted on {} subjects, and not on the {} of the training part; fit it again",
                provenance.subjects(),
                labelled.len()
            );
            findings.push(Finding::error(Leak::FittedOutside, provenance.subjects(), message));
            continue;
        };
        let outside: Vec<i64> = ids.difference(&training).copied().collect();
        if outside.is_empty() {
            continue;
        }
        let message = format!(
            "the {what} was fitted on {} subjects, {} of whom are not in the training part; fit it on training alone",
            provenance.subjects(),
            outside.len()
        );
        let names = outside.iter().map(|subject| format!("subject {subject}"));
        findings.push(Finding::error(Leak::FittedOutside, outside.len(), message).with(names));
    }
}

/// Two labels of one subject at one time.
pub(super) fn conflicts(task: &Task<'_, '_>, findings: &mut Vec<Finding>) {
    let mut known: BTreeMap<(i64, i64), &LabelValue> = BTreeMap::new();
    let (mut conflicts, mut copies) = (Vec::new(), 0);
    for (label, _) in task.labels.iter().zip(task.parts).filter(|(_, part)| part.is_some()) {
        match known.insert((label.subject, label.prediction_time.0), &label.value) {
            Some(before) if *before != label.value => {
                conflicts.push(format!("subject {} at {}", label.subject, label.prediction_time));
            }
            Some(_) => copies += 1,
            None => {}
        }
    }
    if !conflicts.is_empty() {
        let message = format!("{} labels contradict another one of the same subject and time", conflicts.len());
        findings.push(Finding::error(Leak::Conflict, conflicts.len(), message).with(conflicts));
    }
    if copies > 0 {
        let message = format!("{copies} labels repeat another one of the same subject and time, and count twice");
        findings.push(Finding::warning(Leak::Conflict, copies, message));
    }
}
