//! Repeated measurements up to an event: the Mayo Clinic's trial in primary biliary cirrhosis.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::{Counts, IoError, csv};
use super::found;
use crate::events::{Events, EventsBuilder, EventsError};
use crate::time::{Span, Time};

/// Subjects who were measured several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Longitudinal {
    /// What was measured.
    pub names: Vec<String>,
    /// The subjects, by number.
    pub subjects: Vec<LongitudinalSubject>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct LongitudinalSubject {
    /// The number.
    pub id: i64,
    /// Time from the beginning to the event, or as far as the subject was watched, in the set's unit.
    pub time: f64,
    /// What happened, from 1; 0 if nothing had by then.
    pub cause: u32,
    /// Times of the measurements since the beginning, ascending, in the set's unit.
    pub times: Vec<f64>,
    /// Values, `[times, names]`; NaN where nothing was measured.
    pub values: Vec<f32>,
}

impl Longitudinal {
    /// How many measurements there are of a subject's times, over all subjects.
    pub fn rows(&self) -> usize {
        self.subjects.iter().map(|subject| subject.times.len()).sum()
    }

    /// The measurements as events with codes such as `PBC2//albumin`, from 1970-01-01 on; times are multiples of `unit`.
    /// The events of survival are not among them.
    ///
    /// # Errors
    /// [`EventsError`] for a time that cannot be kept.
    pub fn to_events(&self, prefix: &str, unit: Span) -> Result<Events, EventsError> {
        let mut events = EventsBuilder::new();
        let codes: Vec<String> = self.names.iter().map(|name| format!("{prefix}//{name}")).collect();
        for subject in &self.subjects {
            for (time, values) in subject.times.iter().zip(subject.values.chunks(self.names.len().max(1))) {
                let when = Time(0).plus(Span((time * unit.0 as f64).round() as i64));
                for (code, value) in codes.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                    events.push(subject.id, Some(when), code, Some(*value), None);
                }
            }
        }
        events.finish()
    }
}

/// Reads `pbc2_cleaned.csv`, or the folder that holds it: 312 patients, 15 covariates, times in weeks (the comment in the
/// code of Dynamic-DeepHit says months), cause 1 death, 2 transplantation (Murtaugh 1994; Lee, Yoon, van der Schaar 2020).
///
/// # Errors
/// [`IoError`] if it is not there or lacks a column. Rows that cannot be used are counted: a bad number, a time behind the
/// event, an outcome that is not that of the subject's other rows, a time that the subject has already.
pub fn pbc2(path: &Path) -> Result<(Longitudinal, Counts), IoError> {
    let path = found(path, &["pbc2_cleaned.csv"])?;
    let mut rows = csv::Reader::open(&path)?;
    let mut own = [0; 4];
    for (place, name) in own.iter_mut().zip(["id", "tte", "times", "label"]) {
        *place = rows.need(name)?;
    }
    let covariates: Vec<usize> = (0..rows.header().len()).filter(|column| !own.contains(column)).collect();
    let names = rows.header().to_vec();
    let (mut subjects, mut counts) = (BTreeMap::<i64, LongitudinalSubject>::new(), Counts::default());
    while let Some(row) = rows.advance()? {
        match row {
            Err(error) => counts.drop_row(&error.problem, &path, error.number),
            Ok(row) => match add(row, own, &covariates, &mut subjects) {
                Ok(()) => counts.keep(),
                Err(reason) => counts.drop_row(reason, &path, row.line()),
            },
        }
    }
    let subjects = subjects.into_values().map(sorted(covariates.len())).collect();
    Ok((Longitudinal { names: covariates.iter().map(|column| names[*column].clone()).collect(), subjects }, counts))
}

fn add(
    row: csv::Row<'_>,
    own: [usize; 4],
    covariates: &[usize],
    subjects: &mut BTreeMap<i64, LongitudinalSubject>,
) -> Result<(), &'static str> {
    let number = |column: usize| {
        let value = row.parse::<f64>(column).map_err(|_| "a number in it is none")?;
        // "NaN" and "inf" parse, and mean that there is nothing.
        Ok::<_, &'static str>(value.filter(|value| value.is_finite()))
    };
    let needed = |column: usize| number(column)?.ok_or("id, tte, times or label is missing");
    let (id, end, time, label) = (needed(own[0])?, needed(own[1])?, needed(own[2])?, needed(own[3])?);
    if id.fract() != 0.0 || label.fract() != 0.0 || !(0.0..=1000.0).contains(&label) || id.abs() > 9.0e15 {
        return Err("id or label is no whole number");
    }
    if time > end || time < 0.0 {
        return Err("the time is before the beginning or behind the event");
    }
    let mut values = Vec::with_capacity(covariates.len());
    for column in covariates {
        values.push(number(*column)?.map_or(f32::NAN, |value| value as f32));
    }
    let fresh =
        || LongitudinalSubject { id: id as i64, time: end, cause: label as u32, times: Vec::new(), values: Vec::new() };
    let subject = subjects.entry(id as i64).or_insert_with(fresh);
    if (subject.time, subject.cause) != (end, label as u32) {
        return Err("its outcome is not that of the subject's other rows");
    }
    if subject.times.contains(&time) {
        return Err("the subject has this time already");
    }
    subject.times.push(time);
    subject.values.append(&mut values);
    Ok(())
}

/// Brings the measurements of a subject into the order of time.
fn sorted(width: usize) -> impl Fn(LongitudinalSubject) -> LongitudinalSubject {
    move |mut subject| {
        let mut order: Vec<usize> = (0..subject.times.len()).collect();
        order.sort_by(|one, other| subject.times[*one].total_cmp(&subject.times[*other]));
        let values = order.iter().flat_map(|row| subject.values[row * width..(row + 1) * width].iter().copied());
        let values: Vec<f32> = values.collect();
        subject.times = order.iter().map(|row| subject.times[*row]).collect();
        subject.values = values;
        subject
    }
}
