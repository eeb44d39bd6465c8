//! From a definition to labels.

use super::outcome::{Answer, Question};
use super::pattern::Compiled;
use super::{Anchor, Attrition, Cohort, CohortError, Which};
use crate::events::{Events, Subject};
use crate::labels::Label;
use crate::survival::SurvivalLabel;
use crate::time::{Span, Time};

/// What an index event begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The subject.
    pub subject: i64,
    /// Time of the index event.
    pub start: Time,
    /// Time of its end, if it was seen before the next index event.
    pub end: Option<Time>,
}

/// The labels of a cohort.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CohortLabels {
    /// Labels by subject and time; empty for a survival outcome.
    pub labels: Vec<Label>,
    /// Survival labels by subject and time; empty for other outcomes.
    pub outcomes: Vec<SurvivalLabel>,
    /// The episode of each label.
    pub episodes: Vec<Episode>,
    /// Where the others went.
    pub attrition: Attrition,
}

/// An exclusion for the numbers of one codebook.
struct Excluded<'a> {
    name: &'a str,
    when: Compiled,
    last: Option<Span>,
    required: bool,
}

pub(super) fn labels(cohort: &Cohort, events: &Events) -> Result<CohortLabels, CohortError> {
    let book = &events.codebook;
    let nothing = |what: &str, codes: &[String]| CohortError::NothingMatches {
        what: what.to_owned(),
        patterns: format!("{codes:?}"),
        codes: book.len(),
    };
    let index = cohort.index.compile(book);
    if index.is_empty() {
        return Err(nothing("index.codes", &cohort.index.codes));
    }
    let question = Question::new(cohort, book);
    if question.is_empty() {
        return Err(nothing("the outcome's codes", &cohort.outcome_codes()));
    }
    let mut found = CohortLabels::default();
    found.attrition.subjects = events.subjects();
    let end = cohort.end.as_ref().map(|end| end.compile(book));
    if end.as_ref().is_some_and(Compiled::is_empty) {
        found.attrition.without_effect.push("end".to_owned());
    }
    let excluded: Vec<Excluded<'_>> = cohort
        .exclusion
        .iter()
        .map(|one| Excluded {
            name: &one.name,
            when: one.predicate().compile(book),
            last: one.last,
            required: one.required,
        })
        .collect();
    for one in excluded.iter().filter(|one| one.when.is_empty()) {
        found.attrition.without_effect.push(one.name.to_owned());
    }
    for subject in events.iter() {
        let episodes = episodes(&subject, &index, end.as_ref(), cohort.which);
        found.attrition.with_index += usize::from(!episodes.is_empty());
        for episode in episodes {
            found.attrition.episodes += 1;
            let asked = match asked(cohort, &subject, &episode, &excluded) {
                Ok(asked) => asked,
                Err(reason) => {
                    found.attrition.leave_out(&reason);
                    continue;
                }
            };
            let (subject_id, prediction_time) = (subject.id(), asked);
            match question.answer(&subject, &episode, asked) {
                Answer::Dropped(reason) => {
                    found.attrition.leave_out(reason);
                    continue;
                }
                Answer::Label(value) => found.labels.push(Label { subject: subject_id, prediction_time, value }),
                Answer::Outcome(outcome) => {
                    found.outcomes.push(SurvivalLabel { subject: subject_id, prediction_time, outcome });
                }
            }
            found.episodes.push(episode);
        }
    }
    found.attrition.labels = found.episodes.len();
    if found.episodes.is_empty() {
        return Err(CohortError::Empty { name: cohort.name.clone(), attrition: found.attrition });
    }
    Ok(found)
}

/// The episodes of a subject that count. Index events at one time are one.
fn episodes(subject: &Subject<'_>, index: &Compiled, end: Option<&Compiled>, which: Which) -> Vec<Episode> {
    let times = |when: &Compiled| -> Vec<Time> {
        let mut times: Vec<Time> =
            subject.timed().filter(|event| when.holds(event)).filter_map(|event| event.time).collect();
        times.dedup();
        times
    };
    let (starts, ends) = (times(index), end.map(times).unwrap_or_default());
    let episode = |place: usize| {
        let start = starts[place];
        // A discharge before its admission is none.
        let end = ends.get(ends.partition_point(|end| *end < start)).copied();
        let end = end.filter(|end| starts.get(place + 1).is_none_or(|next| end <= next));
        Episode { subject: subject.id(), start, end }
    };
    let places = match which {
        Which::First => 0..starts.len().min(1),
        Which::Last => starts.len().saturating_sub(1)..starts.len(),
        Which::Every => 0..starts.len(),
    };
    places.map(episode).collect()
}

/// When the question is asked about an episode, or why it is not.
fn asked(cohort: &Cohort, subject: &Subject<'_>, episode: &Episode, excluded: &[Excluded<'_>]) -> Result<Time, String> {
    let because = |reason: &str| Err(reason.to_owned());
    let asked = match (cohort.prediction.anchor, episode.end) {
        (Anchor::Start, _) => episode.start.plus(cohort.prediction.after),
        (Anchor::End, Some(end)) => end.plus(cohort.prediction.after),
        (Anchor::End, None) => return because("without an end"),
    };
    if cohort.prediction.anchor == Anchor::Start && episode.end.is_some_and(|end| end <= asked) {
        return because("ended before the prediction time");
    }
    let view = subject.as_of(asked);
    let book = view.codebook();
    if view.timed().any(|event| book.is_death(event.code)) {
        return because("dead at the prediction time");
    }
    let age = view.age().map(Span::in_years);
    let old_enough = cohort.min_age.is_none_or(|least| age.is_some_and(|age| age >= least));
    let young_enough = cohort.max_age.is_none_or(|most| age.is_some_and(|age| age <= most));
    if !(old_enough && young_enough) {
        return because("outside the ages");
    }
    if let Some(least) = cohort.min_history {
        // A birth is no history.
        let first = view.timed().find(|event| !book.is_birth(event.code)).and_then(|event| event.time);
        if first.is_none_or(|first| asked.since(first) < least) {
            return because("with too short a history");
        }
    }
    for one in excluded {
        let view = one.last.map_or_else(|| view.clone(), |last| view.within(last));
        let has = view.events().any(|event| one.when.holds(&event));
        if has != one.required {
            return because(one.name);
        }
    }
    Ok(asked)
}
