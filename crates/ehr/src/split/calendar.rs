//! Division by date.

use std::collections::BTreeMap;

use super::{Divided, Part, Split, SplitError};
use crate::labels::Label;
use crate::time::Time;

/// The last year that a hospital's own calendar is believed to reach; MIMIC shifts each patient to 2100–2200.
const LAST_YEAR: i32 = 2_100;

/// Divides the labels' subjects by the time of their last label: behind `held_out_from` (inclusive) held out, behind
/// `tuning_from` tuning, training otherwise. Labels of a subject that lie before its part begins are not used: training
/// has the time, but not this subject.
///
/// # Errors
/// [`SplitError::ShiftedDates`] if a label lies after the year 2100: such dates are shifted subject by subject.
pub fn by_calendar(
    labels: &[Label],
    tuning_from: Option<Time>,
    held_out_from: Option<Time>,
) -> Result<Divided, SplitError> {
    let mut late = labels.iter().map(|label| label.prediction_time).filter(|time| time.date().0 > LAST_YEAR).peekable();
    if let Some(&first) = late.peek() {
        return Err(SplitError::ShiftedDates { late: late.count(), labels: labels.len(), first });
    }
    let reached = |from: Option<Time>, time: Time| from.is_some_and(|from| time >= from);
    let part = |time: Time| {
        if reached(held_out_from, time) {
            Part::HeldOut
        } else if reached(tuning_from, time) {
            Part::Tuning
        } else {
            Part::Train
        }
    };
    let mut last: BTreeMap<i64, Time> = BTreeMap::new();
    for label in labels {
        let entry = last.entry(label.subject).or_insert(label.prediction_time);
        *entry = (*entry).max(label.prediction_time);
    }
    let split = Split { parts: last.into_iter().map(|(subject, time)| (subject, part(time))).collect() };
    let used = |label: &Label| split.part(label.subject) == Some(part(label.prediction_time));
    let unused = (0..labels.len()).filter(|&row| !used(&labels[row])).collect();
    Ok(Divided { split, unused })
}
