//! Cohorts: who is asked what, and when, as a text that everybody can read, compiled to labels.
//!
//! ```toml
//! name = "readmission-30d"
//! which = "every"                             # index events of a subject: first, last, every
//! index.codes = ["HOSPITAL_ADMISSION"]
//! end.codes = ["HOSPITAL_DISCHARGE"]          # of the episode that the index event begins
//! prediction = { anchor = "end", after = "0h" }
//! outcome.when.codes = ["HOSPITAL_ADMISSION"]
//! outcome.horizon = "30d"
//! outcome.recurrent = true                    # it may lie in the history as well
//! censoring = "negative"
//! [[exclusion]]
//! name = "died or to hospice"
//! codes = ["HOSPITAL_DISCHARGE//DIED", "HOSPITAL_DISCHARGE//*HOSPICE*"]
//! ```
//!
//! A prediction time is a function of the index event alone, or of the end of its episode, and of nothing that comes
//! later: it cannot differ between those who have the outcome and those who do not. Exclusions see the record up to the
//! prediction time, through a [`View`](crate::view::View). The outcome lies strictly behind the prediction time: in
//! (p + gap, p + gap + horizon].
//!
//! ```
//! use ehr::cohort::Cohort;
//! use ehr::events::EventsBuilder;
//! use ehr::time::Time;
//! let mut builder = EventsBuilder::new();
//! for (day, code) in [(1, "ADMISSION"), (4, "DISCHARGE"), (20, "ADMISSION"), (22, "DISCHARGE")] {
//!     builder.push(7, Time::from_civil(2130, 4, day, 0, 0, 0), code, None, None);
//! }
//! let cohort = Cohort::from_toml(
//!     "name = 'readmission'\nwhich = 'every'\nindex.codes = ['ADMISSION']\nend.codes = ['DISCHARGE']\n\
//!      prediction = { anchor = 'end' }\noutcome.when.codes = ['ADMISSION']\noutcome.horizon = '30d'\n\
//!      outcome.recurrent = true\ncensoring = 'negative'",
//! )?;
//! let found = cohort.labels(&builder.finish()?)?;
//! let values: Vec<_> = found.labels.iter().map(|label| label.value.boolean()).collect();
//! assert_eq!(values, [Some(true), Some(false)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attrition;
mod compile;
mod outcome;
mod pattern;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

pub use self::attrition::Attrition;
pub use self::compile::{CohortLabels, Episode};
pub use self::outcome::{Cause, OutcomeConfig, OutcomeKind};
pub use self::pattern::{Predicate, code_matches, matching};

use crate::events::Events;
use crate::time::Span;

/// Why a cohort cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CohortError {
    /// A text that is no definition of a cohort.
    #[error("this is no cohort: {cause}")]
    Toml {
        /// What is wrong, with the line.
        cause: String,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A predicate that no code of the data fulfils.
    #[error("none of the {codes} codes of the data is meant by {what} = {patterns}; look at the codes of the data set")]
    NothingMatches {
        /// The part of the definition.
        what: String,
        /// Its patterns.
        patterns: String,
        /// Number of codes of the data.
        codes: usize,
    },
    /// Nobody is left.
    #[error("cohort {name} is empty: {attrition}")]
    Empty {
        /// Name of the cohort.
        name: String,
        /// Where everybody went.
        attrition: Attrition,
    },
}

/// Which of a subject's index events count. It is decided before anybody is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The first one.
    #[default]
    First,
    /// The last one. Who has a last one is known only in the end: use it where the data has one episode that counts.
    Last,
    /// Every one.
    Every,
}

/// What the prediction time is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The index event.
    #[default]
    Start,
    /// The end of its episode.
    End,
}

/// When the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prediction {
    /// What the time is counted from.
    pub anchor: Anchor,
    /// How long after it.
    pub after: Span,
}

/// What becomes of an episode in which the outcome was not seen, but which was not watched to the end either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Censoring {
    /// It is left out.
    #[default]
    Drop,
    /// It counts as one without the outcome: where records are known to be whole, although nothing happened later.
    Negative,
}

/// What becomes of an episode whose subject died before the horizon without the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Death {
    /// The outcome did not come: death competes with it.
    #[default]
    Negative,
    /// Death counts as the outcome.
    Positive,
    /// The episode is left out.
    Drop,
}

/// Episodes that are left out for what is known at the prediction time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exclusion {
    /// Why, in words; it is what the attrition calls those left out.
    pub name: String,
    /// Patterns of codes.
    pub codes: Vec<String>,
    /// The value must be greater to count.
    pub above: Option<f32>,
    /// The value must be less to count.
    pub below: Option<f32>,
    /// How far back from the prediction time; all of the record without it.
    pub last: Option<Span>,
    /// Whether those are left out who do *not* have such an event.
    pub required: bool,
}

impl Exclusion {
    fn predicate(&self) -> Predicate {
        Predicate { codes: self.codes.clone(), above: self.above, below: self.below }
    }
}

/// A cohort with its question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// What it is about, in words.
    pub description: String,
    /// What begins an episode.
    pub index: Predicate,
    /// Which of a subject's index events count.
    pub which: Which,
    /// What ends an episode, if it has an end.
    pub end: Option<Predicate>,
    /// When the question is asked.
    pub prediction: Prediction,
    /// What is asked.
    pub outcome: OutcomeConfig,
    /// What becomes of those who were not watched to the end.
    pub censoring: Censoring,
    /// What becomes of those who died before.
    pub death: Death,
    /// Youngest age at the prediction time, in years; who has no birth is left out then.
    pub min_age: Option<f64>,
    /// Oldest age.
    pub max_age: Option<f64>,
    /// Shortest record before the prediction time.
    pub min_history: Option<Span>,
    /// Who is left out for what the record says by then.
    pub exclusion: Vec<Exclusion>,
}

impl Cohort {
    /// Reads a definition.
    ///
    /// # Errors
    /// [`CohortError::Toml`] with the line, [`CohortError::Config`].
    pub fn from_toml(text: &str) -> Result<Self, CohortError> {
        let cohort: Self = toml::from_str(text).map_err(|error| CohortError::Toml { cause: error.to_string() })?;
        cohort.validate()?;
        Ok(cohort)
    }

    /// Checks that everything needed is there, and ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        patterns("index", &self.index.codes)?;
        if let Some(end) = &self.end {
            patterns("end", &end.codes)?;
        }
        let conflict = |problem: &str| Err(ConfigError::Conflict(problem.to_owned()));
        if self.end.is_none() && (self.prediction.anchor == Anchor::End || self.outcome.within_episode) {
            return conflict("prediction.anchor = \"end\" and outcome.within_episode need `end.codes`");
        }
        in_range("prediction.after", self.prediction.after, Span::ZERO..=Span::years(200))?;
        if self.prediction.anchor == Anchor::End && self.outcome.within_episode {
            return conflict(
                "outcome.within_episode asks for what lies before the end, prediction.anchor = \"end\" after it",
            );
        }
        self.outcome.validate()?;
        for (field, age) in [("min_age", self.min_age), ("max_age", self.max_age)] {
            in_range(field, age.unwrap_or(0.0), 0.0..=400.0)?;
        }
        in_range("min_history", self.min_history.unwrap_or(Span::ZERO), Span::ZERO..=Span::years(200))?;
        for exclusion in &self.exclusion {
            patterns("exclusion", &exclusion.codes)?;
            if exclusion.name.is_empty() {
                return conflict("an exclusion has no name; say in a few words who is left out");
            }
        }
        Ok(())
    }

    /// Patterns of the codes that say what the outcome is: what a model must not be shown of the time after the
    /// prediction, and, unless the outcome is recurrent, of the time before it either.
    pub fn outcome_codes(&self) -> Vec<String> {
        self.outcome.codes()
    }

    /// Finds the episodes and answers the question for each.
    ///
    /// # Errors
    /// [`CohortError::NothingMatches`] if no code of the data is an index event or an outcome, as after a spelling
    /// mistake; [`CohortError::Empty`] with what became of the episodes.
    pub fn labels(&self, events: &Events) -> Result<CohortLabels, CohortError> {
        self.validate()?;
        compile::labels(self, events)
    }
}

/// Checks that there are patterns, and none that is empty: a predicate of limits alone would mean every code.
fn patterns(field: &'static str, codes: &[String]) -> Result<(), ConfigError> {
    if codes.is_empty() || codes.iter().any(|code| code.trim_matches('*').is_empty()) {
        let problem = format!("{field}.codes must name codes, but is {codes:?}; write for example [\"MEDS_DEATH\"]");
        return Err(ConfigError::Conflict(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
