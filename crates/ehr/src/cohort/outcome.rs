//! What is asked about an episode, and how it is answered.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::compile::Episode;
use super::pattern::{Compiled, Predicate};
use super::{Censoring, Cohort, Death, patterns};
use crate::codebook::Codebook;
use crate::events::{Event, Subject};
use crate::labels::LabelValue;
use crate::survival;
use crate::time::{Span, Time};

/// The kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// Whether there is such an event: yes or no.
    #[default]
    Event,
    /// How many such events there are: an integer.
    Count,
    /// The first such value: a number. Episodes without one are left out.
    Value,
    /// The code of the first such event: a name. Episodes without one are left out.
    Category,
    /// Days from the index event to the end of the episode: a number, or yes or no with `longer_than`.
    Stay,
    /// The time to the first of several kinds of events.
    Survival,
}

/// One of several events that end the time of a survival outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cause {
    /// Its name.
    pub name: String,
    /// The events.
    pub when: Predicate,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomeConfig {
    /// The kind of question.
    pub kind: OutcomeKind,
    /// The events it is about; not for stays and survival.
    pub when: Predicate,
    /// The events of a survival outcome, as causes 1, 2 and so on.
    pub causes: Vec<Cause>,
    /// Time after the prediction time in which nothing counts; episodes with the outcome in it are left out.
    pub gap: Span,
    /// Length of the time behind the gap that is asked about; without it, all of the record or the episode.
    pub horizon: Option<Span>,
    /// Whether only what comes by the end of the episode counts.
    pub within_episode: bool,
    /// Whether the outcome may have happened before: its codes may then be inputs.
    pub recurrent: bool,
    /// Turns a stay into yes or no.
    pub longer_than: Option<Span>,
}

impl OutcomeConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let conflict = |problem: &str| Err(ConfigError::Conflict(problem.to_owned()));
        in_range("outcome.gap", self.gap, Span::ZERO..=Span::years(200))?;
        if let Some(horizon) = self.horizon {
            in_range("outcome.horizon", horizon, Span(1)..=Span::years(200))?;
        }
        match self.kind {
            OutcomeKind::Survival => {
                if self.causes.is_empty() || self.gap != Span::ZERO {
                    return conflict("a survival outcome needs outcome.causes, and has no gap");
                }
                self.causes.iter().try_for_each(|cause| patterns("outcome.causes.when", &cause.when.codes))
            }
            OutcomeKind::Stay if !self.when.codes.is_empty() || self.horizon.is_some() => {
                conflict("a stay ends with the episode: leave out outcome.when and outcome.horizon")
            }
            OutcomeKind::Stay => Ok(()),
            _ if !self.causes.is_empty() => conflict("outcome.causes is for kind = \"survival\"; write outcome.when"),
            _ => patterns("outcome.when", &self.when.codes),
        }
    }

    pub(super) fn codes(&self) -> Vec<String> {
        let causes = self.causes.iter().flat_map(|cause| &cause.when.codes);
        self.when.codes.iter().chain(causes).cloned().collect()
    }
}

/// An answer, or why there is none.
pub(super) enum Answer {
    Label(LabelValue),
    Outcome(survival::Outcome),
    Dropped(&'static str),
}

/// The question for the numbers of one codebook.
pub(super) struct Question<'a> {
    cohort: &'a Cohort,
    book: &'a Codebook,
    when: Compiled,
    causes: Vec<Compiled>,
}

impl<'a> Question<'a> {
    pub(super) fn new(cohort: &'a Cohort, book: &'a Codebook) -> Self {
        let causes = cohort.outcome.causes.iter().map(|cause| cause.when.compile(book)).collect();
        Self { cohort, book, when: cohort.outcome.when.compile(book), causes }
    }

    /// Whether no code of the data can be the outcome.
    pub(super) fn is_empty(&self) -> bool {
        match self.cohort.outcome.kind {
            OutcomeKind::Stay => false,
            OutcomeKind::Survival => self.causes.iter().all(Compiled::is_empty),
            _ => self.when.is_empty(),
        }
    }

    /// What became of an episode, as of `asked`.
    pub(super) fn answer(&self, subject: &Subject<'_>, episode: &Episode, asked: Time) -> Answer {
        let outcome = &self.cohort.outcome;
        match outcome.kind {
            OutcomeKind::Stay => return self.stay(episode),
            OutcomeKind::Survival => return self.survival(subject, episode, asked),
            _ => {}
        }
        let open = asked.plus(outcome.gap);
        let close = self.close(episode, open);
        let during = |from: Time, to: Option<Time>| {
            let inside = move |time: Time| time > from && to.is_none_or(|to| time <= to);
            subject.timed().filter(move |event| event.time.is_some_and(inside) && self.when.holds(event))
        };
        if during(asked, Some(open)).next().is_some() {
            return Answer::Dropped("with the outcome in the gap");
        }
        let mut found = during(open, close);
        let first: Option<Event<'_>> = found.next();
        let count = usize::from(first.is_some()) + found.count();
        let value = match outcome.kind {
            OutcomeKind::Value => first.and_then(|event| event.value).map(LabelValue::Float),
            OutcomeKind::Category => first.map(|event| LabelValue::Categorical(self.book.name(event.code).to_owned())),
            OutcomeKind::Count => Some(LabelValue::Integer(count as i64)),
            _ => Some(LabelValue::Boolean(count > 0)),
        };
        match value {
            None => Answer::Dropped("without a value of the outcome"),
            Some(value @ (LabelValue::Boolean(false) | LabelValue::Integer(_))) => {
                self.unseen(value, subject, episode, close)
            }
            // What was seen is known, however short the record.
            Some(value) => Answer::Label(value),
        }
    }

    /// The answer where less than everything may have been seen.
    fn unseen(&self, value: LabelValue, subject: &Subject<'_>, episode: &Episode, close: Option<Time>) -> Answer {
        let watched = |until: Time| subject.last_time().is_some_and(|last| last >= until);
        let died = subject.death().is_some_and(|death| close.is_none_or(|close| death <= close));
        if died && !self.cohort.outcome.within_episode {
            return match self.cohort.death {
                Death::Positive if matches!(value, LabelValue::Boolean(_)) => Answer::Label(LabelValue::Boolean(true)),
                Death::Negative | Death::Positive => Answer::Label(value),
                Death::Drop => Answer::Dropped("died before the horizon"),
            };
        }
        let ended = self.cohort.outcome.within_episode && episode.end.is_some() && episode.end == close;
        if ended || close.is_none_or(watched) || self.cohort.censoring == Censoring::Negative {
            return Answer::Label(value);
        }
        Answer::Dropped("not watched to the horizon")
    }

    /// Where the time that is asked about ends; `None` for the end of the record.
    fn close(&self, episode: &Episode, open: Time) -> Option<Time> {
        let horizon = self.cohort.outcome.horizon.map(|horizon| open.plus(horizon));
        let end = if self.cohort.outcome.within_episode { episode.end } else { None };
        [horizon, end].into_iter().flatten().min()
    }

    fn stay(&self, episode: &Episode) -> Answer {
        let Some(end) = episode.end else { return Answer::Dropped("without an end") };
        let stay = end.since(episode.start);
        Answer::Label(match self.cohort.outcome.longer_than {
            Some(limit) => LabelValue::Boolean(stay > limit),
            None => LabelValue::Float(stay.in_days() as f32),
        })
    }

    /// The first of the causes, or how long nothing was seen to happen. Of causes at one time the first named counts.
    fn survival(&self, subject: &Subject<'_>, episode: &Episode, asked: Time) -> Answer {
        let close = self.close(episode, asked);
        let cause = |event: Event<'_>| -> Option<(Time, u32)> {
            let time = event.time.filter(|time| *time > asked && close.is_none_or(|close| *time <= close))?;
            let cause = self.causes.iter().position(|cause| cause.holds(&event))?;
            Some((time, cause as u32 + 1))
        };
        let Some(last) = subject.last_time().filter(|last| *last > asked) else {
            return Answer::Dropped("not watched after the prediction time");
        };
        Answer::Outcome(match subject.timed().filter_map(cause).min() {
            Some((time, cause)) => survival::Outcome { span: time.since(asked), cause },
            None => survival::Outcome::censored(close.map_or(last, |close| last.min(close)).since(asked)),
        })
    }
}
