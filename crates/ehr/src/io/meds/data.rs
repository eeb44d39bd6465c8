//! The files of events.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Int64Array, LargeStringArray, StringArray, TimestampMicrosecondArray,
};
use ::arrow::datatypes::{Float32Type, Int64Type, TimestampMicrosecondType};

use super::{Notices, schema, store};
use crate::events::{Event, Events, EventsBuilder, Subject};
use crate::io::{Counts, IoError};
use crate::time::Time;

/// Rows that are encoded at once.
const BATCH: usize = 1 << 16;

/// The content of one file.
pub(super) struct Shard {
    pub(super) events: Events,
    pub(super) counts: Counts,
    pub(super) notices: Notices,
}

/// What is wrong with the order of rows.
#[derive(Default)]
struct Order {
    last: Option<(i64, Option<Time>)>,
    seen: HashSet<i64>,
    scattered: bool,
    unsorted: bool,
}

impl Order {
    fn check(&mut self, subject: i64, time: Option<Time>) {
        match self.last {
            // No time is less than any time.
            Some((before, earlier)) if before == subject => self.unsorted |= time < earlier,
            _ => self.scattered |= !self.seen.insert(subject),
        }
        self.last = Some((subject, time));
    }
}

pub(super) fn read(path: &Path) -> Result<Shard, IoError> {
    let (mut counts, mut notices, mut order) = (Counts::default(), Notices::default(), Order::default());
    let (mut rows, mut number) = (EventsBuilder::new(), 0);
    store::read(path, schema::data(), &mut notices, |_, columns| {
        let [subjects, times, codes, values, texts] = columns else { return Ok(()) };
        let (subjects, times) =
            (subjects.as_primitive::<Int64Type>(), times.as_primitive::<TimestampMicrosecondType>());
        let (codes, values) = (codes.as_string::<i32>(), values.as_primitive::<Float32Type>());
        let texts = texts.as_string::<i64>();
        for row in 0..subjects.len() {
            number += 1;
            let time = times.is_valid(row).then(|| Time(times.value(row)));
            if subjects.is_null(row) {
                counts.drop_row("no subject_id", path, number);
            } else if codes.is_null(row) || codes.value(row).is_empty() {
                counts.drop_row("no code", path, number);
            } else if time == Some(Time(i64::MIN)) {
                counts.drop_row("time out of range", path, number);
            } else {
                let value = values.is_valid(row).then(|| values.value(row));
                let text = texts.is_valid(row).then(|| texts.value(row));
                order.check(subjects.value(row), time);
                rows.push(subjects.value(row), time, codes.value(row), value, text);
                counts.keep();
            }
        }
        Ok(())
    })?;
    if order.scattered {
        notices.add(path, "the rows of a subject do not stand together; they are put together");
    }
    if order.unsorted {
        notices.add(path, "the rows of a subject are not in the order of time; they are sorted");
    }
    if rows.not_finite() > 0 {
        counts.changed.insert("numeric_value not finite, taken as none".to_owned(), rows.not_finite() as u64);
    }
    let events = rows.finish().map_err(|error| IoError::events(path, error))?;
    Ok(Shard { events, counts, notices })
}

/// Writes the events of some subjects.
pub(super) fn write<'a>(path: &Path, subjects: impl Iterator<Item = Subject<'a>>) -> Result<(), IoError> {
    let mut events = subjects.flat_map(|subject| {
        let (id, codebook) = (subject.id(), subject.codebook());
        subject.events().map(move |event| (id, codebook, event))
    });
    store::write(path, &schema::data_schema(), || {
        let rows: Vec<_> = events.by_ref().take(BATCH).collect();
        if rows.is_empty() {
            return None;
        }
        let time = |event: &Event<'_>| event.time.map(|time| time.0);
        Some(vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(id, ..)| *id))) as ArrayRef,
            Arc::new(rows.iter().map(|(.., event)| time(event)).collect::<TimestampMicrosecondArray>()),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, book, event)| book.name(event.code)))),
            Arc::new(rows.iter().map(|(.., event)| event.value).collect::<Float32Array>()),
            Arc::new(rows.iter().map(|(.., event)| event.text).collect::<LargeStringArray>()),
        ])
    })
}
