//! Events in visits, which most published networks read.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::View;
use crate::codebook::CodeId;
use crate::events::Event;
use crate::time::{Span, Time};

/// Where one visit ends and the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VisitRule {
    /// At each event whose code begins with one of the texts, as `HOSPITAL_ADMISSION` or `ENCOUNTER`. What has the same
    /// time as that event belongs to the new visit; what came before the first of them is a visit of its own.
    Codes {
        /// The beginnings of codes.
        start_prefix: Vec<String>,
    },
    /// At midnight: each day on which something happened is a visit.
    #[default]
    Day,
    /// Where nothing happened for longer than this.
    Gap(Span),
}

/// Events that belong together.
#[derive(Debug, Clone)]
pub struct Visit<'a> {
    /// Time of its first event.
    pub start: Time,
    /// Time of its last event that is known.
    pub end: Time,
    /// Its codes, each once, in the order of their first appearance.
    pub codes: Vec<CodeId>,
    view: View<'a>,
    places: Range<usize>,
}

impl<'a> Visit<'a> {
    /// Its events by time.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'a>> + DoubleEndedIterator + use<'a> {
        self.view.places(self.places.clone())
    }
}

pub(super) fn divide<'a>(view: &View<'a>, by: &VisitRule) -> Vec<Visit<'a>> {
    let book = view.codebook();
    // Births would begin a visit decades before the others.
    let view = &view.excluding(&|code| book.is_birth(code));
    let opens = |code: CodeId| match by {
        VisitRule::Codes { start_prefix } => {
            start_prefix.iter().any(|prefix| book.name(code).starts_with(prefix.as_str()))
        }
        VisitRule::Day | VisitRule::Gap(_) => false,
    };
    let mut visits: Vec<Visit<'a>> = Vec::new();
    let mut seen = HashSet::new();
    let mut place = view.first_timed();
    while place < view.len() {
        // All that happened at one time goes to one visit.
        let moment = moment(view, place);
        let Some(now) = view.set().event(view.row(place)).time else { break };
        let begins = visits.last().is_none_or(|visit| match by {
            VisitRule::Codes { .. } => view.places(moment.clone()).any(|event| opens(event.code)),
            VisitRule::Day => visit.end.midnight() != now.midnight(),
            VisitRule::Gap(longest) => now.since(visit.end) > *longest,
        });
        if begins {
            seen.clear();
            visits.push(Visit {
                start: now,
                end: now,
                codes: Vec::new(),
                view: view.clone(),
                places: moment.start..moment.start,
            });
        }
        if let Some(visit) = visits.last_mut() {
            visit.end = now;
            visit.places.end = moment.end;
            visit.codes.extend(view.places(moment.clone()).map(|event| event.code).filter(|code| seen.insert(*code)));
        }
        place = moment.end;
    }
    visits
}

/// The places from `start` on that have the same time.
fn moment(view: &View<'_>, start: usize) -> Range<usize> {
    let time = |place: usize| view.set().event(view.row(place)).time;
    let same = |place: &usize| time(*place) == time(start);
    let end = (start..view.len()).find(|place| !same(place)).unwrap_or(view.len());
    start..end
}
