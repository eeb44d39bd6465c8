//! Using a model: every patient gets a row, scored or with the reason why not, and what the score rests on.

mod explain;
#[cfg(test)]
mod tests;

pub use self::explain::{Explanation, Share, explain};

use serde::{Deserialize, Serialize};

use crate::events::Events;
use crate::labels::Label;
use crate::model::{Ensemble, ModelError};
use crate::time::Time;
use crate::view::View;

/// Status of a prediction that nothing is to be said about.
pub const OK: &str = "ok";

/// For whom and when a prediction is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The subject.
    pub subject: i64,
    /// Nothing behind this time is looked at; by default the time of the subject's last event.
    pub at: Option<Time>,
}

impl Query {
    /// One for every subject, each at its last event or at `at`.
    pub fn of_all(events: &Events, at: Option<Time>) -> Vec<Self> {
        events.iter().map(|subject| Self { subject: subject.id(), at }).collect()
    }

    /// Those that labels ask.
    pub fn of_labels(labels: &[Label]) -> Vec<Self> {
        labels.iter().map(|label| Self { subject: label.subject, at: Some(label.prediction_time) }).collect()
    }

    /// What is known then; the reason where nothing can be.
    ///
    /// # Errors
    /// Why there is no view, in words.
    pub fn view<'a>(&self, events: &'a Events) -> Result<View<'a>, String> {
        let subject = events.find(self.subject).ok_or("there are no events of this subject")?;
        let at =
            self.at.or_else(|| subject.last_time()).ok_or("no event has a time, and no prediction time is given")?;
        Ok(subject.as_of(at))
    }
}

/// A row of predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The subject.
    pub subject: i64,
    /// When the prediction was made; none where that could not be told.
    pub at: Option<Time>,
    /// [`OK`], remarks on a prediction that was made, or the reason why not, after `invalid: `.
    pub status: String,
    /// Probability; none where no prediction was made.
    pub probability: Option<f64>,
    /// The 95 % interval of the share of tuning patients with about this probability to whom it has happened.
    pub interval: Option<(f64, f64)>,
    /// Events that were known.
    pub events: usize,
}

impl Prediction {
    /// Whether a probability is there.
    pub fn is_scored(&self) -> bool {
        self.probability.is_some()
    }
}

/// Predicts for every query, in order.
///
/// # Errors
/// [`ModelError`] when the models do not compute; a query that cannot be answered is a row that says so.
pub fn predict(ensemble: &Ensemble, events: &Events, queries: &[Query]) -> Result<Vec<Prediction>, ModelError> {
    let views: Vec<Result<View<'_>, String>> = queries.iter().map(|query| query.view(events)).collect();
    let known: Vec<View<'_>> = views.iter().filter_map(|view| view.as_ref().ok().cloned()).collect();
    let mut probabilities = ensemble.probabilities(&known)?.into_iter();
    let mut found = Vec::with_capacity(queries.len());
    for (query, view) in queries.iter().zip(views) {
        found.push(match view {
            Err(problem) => Prediction {
                subject: query.subject,
                at: query.at,
                status: format!("invalid: {problem}"),
                probability: None,
                interval: None,
                events: 0,
            },
            Ok(view) => {
                let probability = probabilities.next();
                Prediction {
                    subject: query.subject,
                    at: Some(view.prediction_time()),
                    status: remarks(ensemble, &view)?,
                    probability,
                    interval: probability.and_then(|probability| ensemble.interval(probability)),
                    events: view.len(),
                }
            }
        });
    }
    Ok(found)
}

/// What must be known about a prediction to judge it.
fn remarks(ensemble: &Ensemble, view: &View<'_>) -> Result<String, ModelError> {
    let preprocessing = &ensemble.card().preprocessing;
    let mut said = Vec::new();
    if view.timed().len() == 0 {
        said.push("nothing is known before the prediction time".to_owned());
    } else if let Some(vocabulary) = preprocessing.vocabulary() {
        let visits = preprocessing.visits(view)?;
        let unknown = visits.iter().filter(|visit| visit.ids.iter().all(|&id| vocabulary.name(id).is_none())).count();
        if visits.is_empty() || unknown == visits.len() {
            said.push("the model knows none of the codes".to_owned());
        } else if unknown > 0 {
            said.push(format!("{unknown} of {} visits have no code that the model knows", visits.len()));
        }
    } else if let Some(series) = preprocessing.series() {
        let variables = series.variables();
        let book = view.codebook();
        let seen = |name: &&String| {
            let code = book.get(name);
            code.is_some_and(|code| view.last(code).is_some())
        };
        let seen = variables.iter().filter(seen).count();
        if seen == 0 {
            said.push("the model knows none of the measurements".to_owned());
        } else if seen < variables.len() {
            said.push(format!("{seen} of {} variables were measured", variables.len()));
        }
    }
    Ok(if said.is_empty() { OK.to_owned() } else { said.join("; ") })
}
