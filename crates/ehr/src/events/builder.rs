//! Events from rows in any order.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Events, EventsError, STATIC};
use crate::codebook::{CodeId, Codebook};
use crate::time::Time;

/// Collects rows and brings them into the order of [`Events`].
#[derive(Debug, Clone, Default)]
pub struct EventsBuilder {
    codebook: Codebook,
    subject: Vec<i64>,
    time: Vec<i64>,
    code: Vec<u32>,
    value: Vec<f32>,
    text: Vec<(usize, Arc<str>)>,
    unique: bool,
    not_finite: usize,
    /// Row and subject of the first time that cannot be kept.
    reserved: Option<(usize, i64)>,
}

impl EventsBuilder {
    /// With no events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether events that are equal in everything are kept once only.
    pub fn drop_duplicates(mut self, unique: bool) -> Self {
        self.unique = unique;
        self
    }

    /// Adds an event; no `time` for what holds at all times. A value that is not finite is not kept
    /// ([`EventsBuilder::not_finite`] counts those), an empty text is none.
    pub fn push(&mut self, subject: i64, time: Option<Time>, code: &str, value: Option<f32>, text: Option<&str>) {
        let code = self.codebook.intern(code);
        self.push_code(subject, time, code, value, text);
    }

    /// As [`EventsBuilder::push`], for a code of [`EventsBuilder::codebook`].
    pub fn push_code(
        &mut self,
        subject: i64,
        time: Option<Time>,
        code: CodeId,
        value: Option<f32>,
        text: Option<&str>,
    ) {
        let row = self.subject.len();
        if time == Some(Time(STATIC)) {
            self.reserved = self.reserved.or(Some((row + 1, subject)));
        }
        let finite = value.filter(|value| value.is_finite());
        self.not_finite += usize::from(value.is_some() && finite.is_none());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text.push((row, Arc::from(text)));
        }
        self.subject.push(subject);
        self.time.push(time.map_or(STATIC, |time| time.0));
        self.code.push(code.0);
        self.value.push(finite.unwrap_or(f32::NAN));
    }

    /// The codes so far.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// The codes so far, to describe them.
    pub fn codebook_mut(&mut self) -> &mut Codebook {
        &mut self.codebook
    }

    /// How many events have been given.
    pub fn len(&self) -> usize {
        self.subject.len()
    }

    /// Whether none has been given.
    pub fn is_empty(&self) -> bool {
        self.subject.is_empty()
    }

    /// How many values were infinite or not a number, and are left out.
    pub fn not_finite(&self) -> usize {
        self.not_finite
    }

    /// The events by subject and time; those of equal time stay in the order in which they were given.
    ///
    /// # Errors
    /// [`EventsError::ReservedTime`].
    pub fn finish(self) -> Result<Events, EventsError> {
        if let Some((row, subject)) = self.reserved {
            return Err(EventsError::ReservedTime { row, subject });
        }
        let key = |row: &usize| (self.subject[*row], self.time[*row], *row);
        let mut order: Vec<usize> = (0..self.len()).collect();
        if !order.is_sorted_by_key(key) {
            order.sort_unstable_by_key(key);
        }
        if self.unique {
            self.retain_unique(&mut order);
        }
        let mut events = Events::with_capacity(order.len(), 0);
        for row in order {
            if events.ids.last() != Some(&self.subject[row]) {
                if !events.ids.is_empty() {
                    events.offsets.push(events.time.len());
                }
                events.ids.push(self.subject[row]);
            }
            if let Some(text) = self.text_of(row) {
                events.text.push((events.time.len(), Arc::clone(text)));
            }
            events.time.push(self.time[row]);
            events.code.push(self.code[row]);
            events.value.push(self.value[row]);
        }
        if !events.ids.is_empty() {
            events.offsets.push(events.time.len());
        }
        events.codebook = self.codebook;
        Ok(events)
    }

    fn text_of(&self, row: usize) -> Option<&Arc<str>> {
        self.text.binary_search_by_key(&row, |(at, _)| *at).ok().map(|found| &self.text[found].1)
    }

    /// Of rows that are equal in everything, leaves the first.
    fn retain_unique(&self, order: &mut Vec<usize>) {
        let mut moment = None;
        let mut seen = HashSet::new();
        order.retain(|&row| {
            let now = Some((self.subject[row], self.time[row]));
            if now != moment {
                moment = now;
                seen.clear();
            }
            // The two zeros are equal, and so are two values that are not there.
            let value = Some(self.value[row]).filter(|value| !value.is_nan()).map(|value| (value + 0.0).to_bits());
            seen.insert((self.code[row], value, self.text_of(row).cloned()))
        });
    }
}
