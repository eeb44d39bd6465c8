//! What is known of a subject at one moment.
//!
//! A [`View`] ends at its prediction time, that moment included, as the label schema of MEDS 0.4 says. Only views are
//! given to what makes features, so that no feature can be made from what happened later. Nothing here can tell how
//! much later there is: the length of the future is the commonest leak of all.

mod visits;

use std::ops::Range;
use std::sync::Arc;

pub use self::visits::{Visit, VisitRule};

use crate::codebook::{CodeId, Codebook};
use crate::events::{Event, Events, Subject};
use crate::time::{Span, Time};

/// The events of a subject up to a moment: first those without a time, then the others by time.
#[derive(Debug, Clone)]
pub struct View<'a> {
    subject: Subject<'a>,
    prediction_time: Time,
    statics: Range<usize>,
    timed: Range<usize>,
    /// The rows that are left where some were excluded.
    left: Option<Arc<[usize]>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(subject: Subject<'a>, prediction_time: Time, statics: Range<usize>, timed: Range<usize>) -> Self {
        Self { subject, prediction_time, statics, timed, left: None }
    }

    /// The last moment that is known.
    pub fn prediction_time(&self) -> Time {
        self.prediction_time
    }

    /// The subject's number.
    pub fn subject_id(&self) -> i64 {
        self.subject.id()
    }

    /// The codes.
    pub fn codebook(&self) -> &'a Codebook {
        self.subject.codebook()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.left.as_ref().map_or(self.statics.len() + self.timed.len(), |left| left.len())
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Static events, then those up to the prediction time by time.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        self.places(0..self.len())
    }

    /// The events without a time.
    pub fn statics(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        self.places(0..self.first_timed())
    }

    /// The events with a time, by time.
    pub fn timed(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        self.places(self.first_timed()..self.len())
    }

    /// Static events, and those of the last `last` before the prediction time: later than `prediction_time - last`, up
    /// to and with the prediction time, so that windows one behind the other share no event.
    pub fn within(&self, last: Span) -> Self {
        let start = self.prediction_time.minus(last);
        let early = |row: usize| self.set().event(row).time.is_some_and(|time| time <= start);
        let mut view = self.clone();
        if let Some(left) = &self.left {
            view.left = Some(left.iter().copied().filter(|row| !early(*row)).collect());
        }
        // By halves, as the rows are by time.
        let (mut low, mut high) = (self.timed.start, self.timed.end);
        while low < high {
            let middle = low.midpoint(high);
            if early(middle) { low = middle + 1 } else { high = middle }
        }
        view.timed = low..self.timed.end;
        view
    }

    /// Without the events of some codes, as those that say what is to be predicted.
    pub fn excluding(&self, codes: &dyn Fn(CodeId) -> bool) -> Self {
        let left = (0..self.len()).map(|place| self.row(place)).filter(|row| !codes(self.set().event(*row).code));
        Self { left: Some(left.collect()), ..self.clone() }
    }

    /// The last event of a code.
    pub fn last(&self, code: CodeId) -> Option<Event<'a>> {
        self.events().rev().find(|event| event.code == code)
    }

    /// When the subject was born, if that is known.
    pub fn birth(&self) -> Option<Time> {
        self.timed().find(|event| self.codebook().is_birth(event.code))?.time
    }

    /// The subject's age at the prediction time, if the birth is known.
    pub fn age(&self) -> Option<Span> {
        self.birth().map(|birth| self.prediction_time.since(birth))
    }

    /// The events with a time as visits, by time. A birth is no visit and is left out.
    pub fn visits(&self, by: &VisitRule) -> Vec<Visit<'a>> {
        visits::divide(self, by)
    }

    fn set(&self) -> &'a Events {
        self.subject.set()
    }

    /// The row at a place in the view.
    fn row(&self, place: usize) -> usize {
        match &self.left {
            Some(left) => left[place],
            None if place < self.statics.len() => self.statics.start + place,
            None => self.timed.start + place - self.statics.len(),
        }
    }

    /// The place of the first event with a time.
    fn first_timed(&self) -> usize {
        match &self.left {
            Some(left) => left.partition_point(|row| *row < self.statics.end),
            None => self.statics.len(),
        }
    }

    /// The events at some places.
    fn places(&self, places: Range<usize>) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        let view = self.clone();
        places.map(move |place| view.set().event(view.row(place)))
    }
}

#[cfg(test)]
mod tests;
