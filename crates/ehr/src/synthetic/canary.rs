//! A task that has, at will, one leak: what the audit must find.

use std::collections::BTreeSet;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{SyntheticError, hours_after, some_day};
use crate::audit::{Audit, AuditConfig, AuditError, Leak, Task};
use crate::codebook::CodeId;
use crate::events::{Event, Events, EventsBuilder};
use crate::features::Provenance;
use crate::labels::{Label, LabelValue};
use crate::split::{Part, Split};
use crate::time::{Span, Time};

/// The only code that knows something, within honest limits.
const FLINT: &str = "LAB//FLINT";
/// A value that is measured behind the last prediction time.
const LATER: &str = "LAB//LATER";
/// The outcome.
const DEATH: &str = "MEDS_DEATH";
/// Written at discharge, of those who died.
const ARREST: &str = "DIAGNOSIS//ICD10CM//I469";
/// Filled in because somebody is going to die.
const FORM: &str = "FORM//77";

/// Size of a canary set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CanaryConfig {
    /// Subjects, each with two labels; 100 to a million.
    pub subjects: usize,
    /// The leak; without one the clean twin is made: the same subjects with the same values.
    pub leak: Option<Leak>,
    /// Seed.
    pub seed: u64,
}

impl Default for CanaryConfig {
    fn default() -> Self {
        Self { subjects: 240, leak: None, seed: 1 }
    }
}

impl CanaryConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("subjects", self.subjects, 100..=1_000_000)
    }
}

/// Stays in a hospital, of which three in ten end in death, asked about 24 and 30 hours after admission. One value tells
/// as much as such values do, an AUROC of about 0.7; a leak tells everything.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The leak that is in it.
    pub leak: Option<Leak>,
    /// The records.
    pub events: Events,
    /// Death in the stay, as of 24 and of 30 hours.
    pub labels: Vec<Label>,
    /// The part of each label.
    pub parts: Vec<Option<Part>>,
    /// The part of each subject, as it should be.
    pub split: Split,
    /// Admission of each label's stay.
    pub starts: Vec<Time>,
    /// The rows of the events that a model sees, label by label.
    pub inputs: Vec<Vec<usize>>,
    /// Codes that these have.
    pub codes: Vec<String>,
    /// Patterns of the outcome.
    pub outcome_codes: Vec<String>,
    /// Whom the vocabulary was fitted on.
    pub vocabulary: Provenance,
}

/// A stay as it was drawn.
struct Stay {
    subject: i64,
    start: Time,
    end: Time,
    dies: bool,
}

impl Canary {
    /// Generates a set.
    ///
    /// # Errors
    /// [`SyntheticError::Config`] for a setting out of its range.
    pub fn new(config: &CanaryConfig) -> Result<Self, SyntheticError> {
        config.validate()?;
        let mut builder = EventsBuilder::new();
        let stay = |place: usize| {
            let id = place as i64 + 1;
            stay(id, config.leak, &mut rng(config.seed, &[place as u64]), &mut builder)
        };
        let stays: Vec<Stay> = (0..config.subjects).map(stay).collect();
        let mut canary = Self {
            leak: config.leak,
            events: builder.finish()?,
            labels: Vec::new(),
            parts: Vec::new(),
            split: Split { parts: stays.iter().map(|stay| (stay.subject, part_of(stay, config.leak))).collect() },
            starts: Vec::new(),
            inputs: Vec::new(),
            codes: Vec::new(),
            outcome_codes: vec![DEATH.to_owned()],
            vocabulary: Provenance::default(),
        };
        for stay in &stays {
            canary.ask(stay);
        }
        let seen: BTreeSet<CodeId> = canary.inputs.iter().flatten().map(|&row| canary.events.event(row).code).collect();
        let names = canary.events.codebook.iter().filter(|(code, _)| seen.contains(code));
        canary.codes = names.map(|(_, name)| name.to_owned()).collect();
        let fitted_on = |stay: &&Stay| {
            config.leak == Some(Leak::FittedOutside) || canary.split.part(stay.subject) == Some(Part::Train)
        };
        canary.vocabulary = Provenance::of(stays.iter().filter(fitted_on).map(|stay| stay.subject));
        Ok(canary)
    }

    /// Adds the labels of a stay, with what is seen of it.
    fn ask(&mut self, stay: &Stay) {
        let part = self.split.part(stay.subject);
        let other = [Part::HeldOut, Part::Train][usize::from(part == Some(Part::HeldOut))];
        for (hours, second) in [(24, false), (30, true)] {
            let asked = match self.leak {
                // Two hours before death, and otherwise at discharge: nobody knows which of them it is.
                Some(Leak::WindowLength) if stay.dies => stay.start.plus(Span::hours(20 + i64::from(second))),
                Some(Leak::WindowLength) => stay.end.minus(Span::hours(1 + i64::from(second))),
                _ => stay.start.plus(Span::hours(hours)),
            };
            let torn = self.leak == Some(Leak::SharedSubject) && second && part != Some(Part::Tuning);
            let Some(subject) = self.events.find(stay.subject) else { continue };
            let mut rows: Vec<usize> = subject.as_of(asked).events().map(|event| event.row).collect();
            if self.leak == Some(Leak::FutureEvent) {
                let later = |event: &Event<'_>| self.events.codebook.name(event.code) == LATER;
                rows.extend(subject.events().filter(later).map(|event| event.row));
            }
            let value = LabelValue::Boolean(stay.dies);
            self.labels.push(Label { subject: stay.subject, prediction_time: asked, value });
            self.parts.push(if torn { Some(other) } else { part });
            self.starts.push(stay.start);
            self.inputs.push(rows);
        }
        if self.leak == Some(Leak::Conflict)
            && stay.subject % 10 == 0
            && let (Some(label), Some(rows)) = (self.labels.last().cloned(), self.inputs.last().cloned())
        {
            self.labels.push(Label::boolean(label.subject, label.prediction_time, !stay.dies));
            self.parts.push(part);
            self.starts.push(stay.start);
            self.inputs.push(rows);
        }
    }

    /// Audits the task.
    ///
    /// # Errors
    /// As [`Audit::new`].
    pub fn audit(&self, config: &AuditConfig) -> Result<Audit, AuditError> {
        let inputs = |row: usize| self.inputs[row].iter().map(|&row| self.events.event(row)).collect::<Vec<_>>();
        let task = Task {
            events: &self.events,
            labels: &self.labels,
            parts: &self.parts,
            inputs: &inputs,
            codes: &self.codes,
            outcome_codes: &self.outcome_codes,
            recurrent: false,
            starts: Some(&self.starts),
            split: Some(&self.split),
            fitted: &[("vocabulary", &self.vocabulary)],
        };
        Audit::new(&task, config)
    }

    /// What somebody who knows nothing but the leak would say about a label; the honest value without a leak.
    ///
    /// # Panics
    /// If there is no such label.
    pub fn cheat(&self, row: usize) -> f64 {
        let label = &self.labels[row];
        let events = || self.inputs[row].iter().map(move |&row| self.events.event(row));
        let is = |event: &Event<'_>, code: &str| self.events.codebook.name(event.code) == code;
        let last = |code: &str| events().filter(|event| is(event, code)).filter_map(|event| event.value).next_back();
        let has = |code: &str| f64::from(u8::from(events().any(|event| is(&event, code))));
        match self.leak {
            Some(Leak::SharedSubject) => {
                // The label of the same subject in training.
                let known = self
                    .labels
                    .iter()
                    .zip(&self.parts)
                    .find(|(other, part)| other.subject == label.subject && **part == Some(Part::Train));
                known.and_then(|(other, _)| other.value.number()).map_or(0.5, f64::from)
            }
            Some(Leak::FutureEvent) => last(LATER).map_or(0.0, f64::from),
            Some(Leak::LabelCode) => has(DEATH),
            Some(Leak::WindowLength) => -label.prediction_time.since(self.starts[row]).in_hours(),
            Some(Leak::Discharge) => has(ARREST),
            Some(Leak::Proxy) => has(FORM),
            _ => last(FLINT).map_or(0.0, f64::from),
        }
    }
}

/// Six in ten train, one in ten tunes, three in ten are held out; with one class only, nobody held out dies.
fn part_of(stay: &Stay, leak: Option<Leak>) -> Part {
    let part = match stay.subject % 10 {
        0..6 => Part::Train,
        6 => Part::Tuning,
        _ => Part::HeldOut,
    };
    if leak == Some(Leak::OneClass) && part == Part::HeldOut && stay.dies { Part::Train } else { part }
}

/// Draws a stay and writes it down. Random numbers are drawn alike whatever the leak is.
fn stay(subject: i64, leak: Option<Leak>, draw: &mut ChaCha8Rng, builder: &mut EventsBuilder) -> Stay {
    let start = hours_after(some_day(draw), draw.random_range(0.0..24.0));
    let end = hours_after(start, draw.random_range(48.0..120.0));
    let dies = draw.random_bool(0.3);
    let level = standard_normal(draw) + if dies { 0.75 } else { 0.0 };
    let mut push = |time: Time, code: &str, value: Option<f64>| {
        builder.push(subject, Some(time), code, value.map(|value| value as f32), None);
    };
    push(start.minus(Span::days(draw.random_range(30 * 365..80 * 365))), "MEDS_BIRTH", None);
    push(start, "HOSPITAL_ADMISSION//EMERGENCY", None);
    let mut hours = draw.random_range(0.0..1.0);
    while hours < end.since(start).in_hours() - 1.0 {
        push(hours_after(start, hours), FLINT, Some(5.0 + level + 0.3 * standard_normal(draw)));
        if draw.random_bool(0.2) {
            let drug = format!("MEDICATION//NOISE//{:02}", draw.random_range(0..12));
            push(hours_after(start, hours), &drug, None);
        }
        hours += draw.random_range(0.5..1.5);
    }
    // Behind both prediction times, and one value for each class.
    let later = if dies { 9.0 } else { 1.0 };
    push(hours_after(start, 31.0), LATER, Some(later + 0.1 * standard_normal(draw)));
    let coded = if leak == Some(Leak::Discharge) { hours_after(start, 0.5) } else { end };
    push(coded, if dies { ARREST } else { "DIAGNOSIS//ICD10CM//J189" }, None);
    push(end, if dies { "HOSPITAL_DISCHARGE//DIED" } else { "HOSPITAL_DISCHARGE//HOME" }, None);
    if dies {
        // A day without a time of day becomes midnight, and midnight may be before everything.
        let day = if leak == Some(Leak::LabelCode) { start } else { end };
        push(day, DEATH, None);
    }
    if dies && leak == Some(Leak::Proxy) {
        push(hours_after(start, 12.0), FORM, None);
    }
    Stay { subject, start, end, dies }
}
