//! What happened to whom: the events of many subjects in memory, in the columns of a MEDS data set.
//!
//! The events of a subject stand together: those without a time (sex, ethnicity) first, then the others by time, and at
//! equal times in the order in which they were given. Features are not made from a [`Subject`], which knows the future,
//! but from the [`View`] that [`Subject::as_of`] gives.

mod builder;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use self::builder::EventsBuilder;

use crate::codebook::{CodeId, Codebook};
use crate::time::Time;
use crate::view::View;

/// What stands in the column of times for an event without one.
const STATIC: i64 = i64::MIN;

/// Events that make no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// A subject is in two of the parts that were to be put together.
    #[error("subject {subject} is in two parts; put all its events into one")]
    DuplicateSubject {
        /// The subject.
        subject: i64,
    },
    /// A time is the smallest number there is, which stands for "no time".
    #[error(
        "row {row}, subject {subject}: the smallest time there is stands for none; give no time for a static event"
    )]
    ReservedTime {
        /// Which event it was, in the order in which they were given, from 1.
        row: usize,
        /// Its subject.
        subject: i64,
    },
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// Its row among all events, below [`Events::rows`].
    pub row: usize,
    /// When; `None` for what holds at all times.
    pub time: Option<Time>,
    /// What.
    pub code: CodeId,
    /// How much, in the unit that belongs to the code; finite.
    pub value: Option<f32>,
    /// What was said.
    pub text: Option<&'a str>,
}

/// The events of all subjects, which stand by number.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// The codes.
    pub codebook: Codebook,
    ids: Vec<i64>,
    /// The rows of subject `i` are those from `offsets[i]` to `offsets[i + 1]`; one entry more than there are subjects.
    offsets: Vec<usize>,
    time: Vec<i64>,
    code: Vec<u32>,
    /// NaN where there is none.
    value: Vec<f32>,
    /// Of the few rows that have one, by row.
    text: Vec<(usize, Arc<str>)>,
}

impl Events {
    /// How many subjects there are.
    pub fn subjects(&self) -> usize {
        self.ids.len()
    }

    /// How many events there are.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// The subject at a place in the order of their numbers.
    ///
    /// # Panics
    /// If `index` is not below [`Events::subjects`].
    pub fn subject(&self, index: usize) -> Subject<'_> {
        assert!(index < self.subjects(), "there is no subject {index}, only {}", self.subjects());
        Subject { events: self, index }
    }

    /// The subject of a number.
    pub fn find(&self, id: i64) -> Option<Subject<'_>> {
        self.ids.binary_search(&id).ok().map(|index| Subject { events: self, index })
    }

    /// All subjects by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Subject<'_>> + DoubleEndedIterator {
        (0..self.subjects()).map(move |index| Subject { events: self, index })
    }

    /// The numbers of the subjects, ascending.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The event in a row.
    ///
    /// # Panics
    /// If `row` is not below [`Events::rows`].
    pub fn event(&self, row: usize) -> Event<'_> {
        let text = self.text.binary_search_by_key(&row, |(at, _)| *at).ok().map(|found| &*self.text[found].1);
        let (time, value) = (self.time[row], self.value[row]);
        Event {
            row,
            time: (time != STATIC).then_some(Time(time)),
            code: CodeId(self.code[row]),
            value: (!value.is_nan()).then_some(value),
            text,
        }
    }

    /// Puts sets with different subjects together.
    ///
    /// # Errors
    /// [`EventsError::DuplicateSubject`].
    pub fn merge(parts: Vec<Self>) -> Result<Self, EventsError> {
        let mut order: Vec<(i64, usize, usize)> = Vec::new();
        for (part, events) in parts.iter().enumerate() {
            order.extend(events.ids.iter().enumerate().map(|(index, id)| (*id, part, index)));
        }
        order.sort_unstable();
        if let Some(pair) = order.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(EventsError::DuplicateSubject { subject: pair[0].0 });
        }
        let mut merged = Self::with_capacity(parts.iter().map(Self::rows).sum(), order.len());
        let codes: Vec<Vec<CodeId>> = parts.iter().map(|part| merged.codebook.absorb(&part.codebook)).collect();
        for (id, part, index) in order {
            merged.take(id, &parts[part], index, |code| codes[part][code as usize].0);
        }
        Ok(merged)
    }

    /// The subjects whose number passes, with all codes.
    pub fn subset(&self, keep: &dyn Fn(i64) -> bool) -> Self {
        let kept = |index: &usize| keep(self.ids[*index]);
        let mut subset = Self::with_capacity(0, 0);
        subset.codebook = self.codebook.clone();
        for index in (0..self.subjects()).filter(kept) {
            subset.take(self.ids[index], self, index, |code| code);
        }
        subset
    }

    fn with_capacity(rows: usize, subjects: usize) -> Self {
        let mut offsets = Vec::with_capacity(subjects + 1);
        offsets.push(0);
        Self {
            codebook: Codebook::new(),
            ids: Vec::with_capacity(subjects),
            offsets,
            time: Vec::with_capacity(rows),
            code: Vec::with_capacity(rows),
            value: Vec::with_capacity(rows),
            text: Vec::new(),
        }
    }

    /// Takes over a subject of another set behind all those that are here.
    fn take(&mut self, id: i64, from: &Self, index: usize, code: impl Fn(u32) -> u32) {
        let (rows, start) = (from.rows_of(index), self.rows());
        self.ids.push(id);
        self.time.extend_from_slice(&from.time[rows.clone()]);
        self.code.extend(from.code[rows.clone()].iter().map(|number| code(*number)));
        self.value.extend_from_slice(&from.value[rows.clone()]);
        let first = from.text.partition_point(|(row, _)| *row < rows.start);
        let texts = from.text[first..].iter().take_while(|(row, _)| *row < rows.end);
        self.text.extend(texts.map(|(row, text)| (row - rows.start + start, Arc::clone(text))));
        self.offsets.push(self.rows());
    }

    fn rows_of(&self, index: usize) -> Range<usize> {
        self.offsets[index]..self.offsets[index + 1]
    }
}

/// One subject with all its events, those after any moment of prediction among them: for labels, cohorts and writers.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    events: &'a Events,
    index: usize,
}

impl<'a> Subject<'a> {
    /// The subject's number.
    pub fn id(&self) -> i64 {
        self.events.ids[self.index]
    }

    /// The subject's place among all, below [`Events::subjects`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// The codes.
    pub fn codebook(&self) -> &'a Codebook {
        &self.events.codebook
    }

    /// All events, static ones first, then by time.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        over(self.events, self.rows())
    }

    /// The events without a time.
    pub fn statics(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        over(self.events, self.rows().start..self.first_timed())
    }

    /// The events with a time, by time.
    pub fn timed(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        over(self.events, self.first_timed()..self.rows().end)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// What is known of the subject at `prediction_time`, that moment included.
    pub fn as_of(&self, prediction_time: Time) -> View<'a> {
        let (rows, timed) = (self.rows(), self.first_timed());
        let known = timed + self.events.time[timed..rows.end].partition_point(|time| *time <= prediction_time.0);
        View::new(*self, prediction_time, rows.start..timed, timed..known)
    }

    /// The time of the first event that has one.
    pub fn first_time(&self) -> Option<Time> {
        self.timed().next()?.time
    }

    /// The time of the last event that has one.
    pub fn last_time(&self) -> Option<Time> {
        self.timed().next_back()?.time
    }

    /// When the subject was born: the first event of `MEDS_BIRTH`.
    pub fn birth(&self) -> Option<Time> {
        self.timed().find(|event| self.events.codebook.is_birth(event.code))?.time
    }

    /// When the subject died: the first event of `MEDS_DEATH`.
    pub fn death(&self) -> Option<Time> {
        self.timed().find(|event| self.events.codebook.is_death(event.code))?.time
    }

    pub(crate) fn set(&self) -> &'a Events {
        self.events
    }

    fn rows(&self) -> Range<usize> {
        self.events.rows_of(self.index)
    }

    fn first_timed(&self) -> usize {
        let rows = self.rows();
        rows.start + self.events.time[rows].partition_point(|time| *time == STATIC)
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subject {} of {} events", self.id(), self.len())
    }
}

fn over(events: &Events, rows: Range<usize>) -> impl ExactSizeIterator<Item = Event<'_>> + DoubleEndedIterator {
    rows.map(move |row| events.event(row))
}

#[cfg(test)]
mod tests;
