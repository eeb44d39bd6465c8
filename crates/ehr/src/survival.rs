//! Times to an event, of one or several kinds, that not everybody is watched long enough to have.
//!
//! Time is counted from the prediction time, the landmark: whoever has had the event or was lost before it is not in the
//! set of those at risk. A competing event is an event of its own, never a censoring.
//!
//! ```
//! use ehr::survival::{Outcome, TimeGrid};
//! use ehr::time::Span;
//! let died = Outcome { span: Span::days(40), cause: 1 };
//! assert_eq!(died.within(1, Span::days(60)), Some(true));
//! // the second cause cannot come any more
//! assert_eq!(died.within(2, Span::days(60)), Some(false));
//! assert_eq!(Outcome::censored(Span::days(40)).within(1, Span::days(60)), None);
//! let grid = TimeGrid::even(Span::days(100), 10)?;
//! assert_eq!(grid.bin(died.span), 3);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

use crate::labels::{Label, LabelValue};
use crate::time::{Span, Time};

/// Cause of an [`Outcome`] that was not seen to happen.
pub const CENSORED: u32 = 0;

/// What happened after a prediction time, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// Time from the prediction time to the event, or as far as the subject was watched; above zero.
    pub span: Span,
    /// What happened, from 1; 0 if nothing had by then.
    pub cause: u32,
}

impl Outcome {
    /// Nothing happened as long as the subject was watched.
    pub const fn censored(span: Span) -> Self {
        Self { span, cause: CENSORED }
    }

    /// Whether nothing was seen to happen.
    pub const fn is_censored(&self) -> bool {
        self.cause == CENSORED
    }

    /// Whether `cause` happened within `horizon`, that moment included; `None` if the subject was lost before the
    /// horizon. After another event it is known that `cause` did not come first.
    pub fn within(&self, cause: u32, horizon: Span) -> Option<bool> {
        if self.span <= horizon && !self.is_censored() {
            return Some(self.cause == cause);
        }
        (self.span >= horizon).then_some(false)
    }

    /// The outcome as it would be known if everybody were watched for `horizon` and no longer.
    pub fn until(&self, horizon: Span) -> Self {
        if self.span <= horizon { *self } else { Self::censored(horizon) }
    }

    /// The outcome counted from `landmark` after the prediction time; `None` for whoever is not at risk any more then.
    pub fn after(&self, landmark: Span) -> Option<Self> {
        (self.span > landmark).then(|| Self { span: self.span - landmark, cause: self.cause })
    }
}

/// The outcome of a subject, as of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurvivalLabel {
    /// The subject.
    pub subject: i64,
    /// Up to and including this time, data may be used; the outcome is counted from it.
    pub prediction_time: Time,
    /// What happened, and when.
    pub outcome: Outcome,
}

impl SurvivalLabel {
    /// The label's time as MEDS has it: days to the event or to the end of the record.
    pub fn days(&self) -> Label {
        let value = LabelValue::Float(self.outcome.span.in_days() as f32);
        Label { subject: self.subject, prediction_time: self.prediction_time, value }
    }

    /// The label's cause as MEDS has it: 0 for none.
    pub fn cause(&self) -> Label {
        let value = LabelValue::Integer(i64::from(self.outcome.cause));
        Label { subject: self.subject, prediction_time: self.prediction_time, value }
    }

    /// Whether `cause` happened within `horizon`, as a yes-or-no label; `None` if the subject was lost before.
    pub fn boolean(&self, cause: u32, horizon: Span) -> Option<Label> {
        let value = self.outcome.within(cause, horizon)?;
        Some(Label::boolean(self.subject, self.prediction_time, value))
    }
}

/// Time in bins, for networks that give a probability to each: bin 0 is (0, e₀], bin i is (eᵢ₋₁, eᵢ]; what lies behind
/// the last edge belongs to the last bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Span>", into = "Vec<Span>")]
pub struct TimeGrid {
    edges: Vec<Span>,
}

impl TimeGrid {
    /// Bins that end at `edges`.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] unless there are edges, all above zero and each above the one before.
    pub fn new(edges: Vec<Span>) -> Result<Self, ConfigError> {
        if edges.is_empty() {
            return Err(ConfigError::Conflict("a grid of time needs one edge at least".to_owned()));
        }
        let mut before = Span::ZERO;
        for &edge in &edges {
            if edge <= before {
                let problem =
                    format!("edges of a grid of time must ascend from above zero, but {edge} follows {before}");
                return Err(ConfigError::Conflict(problem));
            }
            before = edge;
        }
        Ok(Self { edges })
    }

    /// `bins` bins of equal length up to `end`.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] if there is no bin, or a bin would be shorter than a microsecond.
    pub fn even(end: Span, bins: usize) -> Result<Self, ConfigError> {
        let share = |bin: usize| (i128::from(end.0) * (bin as i128 + 1) / bins.max(1) as i128) as i64;
        Self::new((0..bins).map(|bin| Span(share(bin))).collect())
    }

    /// At most `bins` bins with about as many events each: edges are quantiles of the times of events, and the last
    /// edge is the longest time of all.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] if there is no outcome, or none above zero.
    pub fn quantiles(outcomes: &[Outcome], bins: usize) -> Result<Self, ConfigError> {
        let events = outcomes.iter().filter(|outcome| !outcome.is_censored() && outcome.span > Span::ZERO);
        let mut times: Vec<Span> = events.map(|outcome| outcome.span).collect();
        times.sort_unstable();
        let place = |bin: usize| ((times.len() * (bin + 1)).div_ceil(bins.max(1))).saturating_sub(1);
        let mut edges: Vec<Span> =
            (0..bins.saturating_sub(1)).filter_map(|bin| times.get(place(bin)).copied()).collect();
        edges.extend(outcomes.iter().map(|outcome| outcome.span).max());
        edges.dedup();
        Self::new(edges)
    }

    /// Where bins end.
    pub fn edges(&self) -> &[Span] {
        &self.edges
    }

    /// Number of bins, 1 at least.
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Whether there is no bin; there always is.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The bin of a time. An edge belongs to the bin that it ends.
    pub fn bin(&self, span: Span) -> usize {
        self.edges.partition_point(|edge| *edge < span).min(self.edges.len().saturating_sub(1))
    }
}

impl TryFrom<Vec<Span>> for TimeGrid {
    type Error = ConfigError;

    fn try_from(edges: Vec<Span>) -> Result<Self, ConfigError> {
        Self::new(edges)
    }
}

impl From<TimeGrid> for Vec<Span> {
    fn from(grid: TimeGrid) -> Self {
        grid.edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn outcome(days: i64, cause: u32) -> Outcome {
        Outcome { span: Span::days(days), cause }
    }

    #[test]
    fn what_is_known_at_a_horizon() {
        let horizon = Span::days(30);
        for (outcome, first, second) in [
            (outcome(10, 1), Some(true), Some(false)),
            (outcome(30, 1), Some(true), Some(false)),
            (outcome(31, 1), Some(false), Some(false)),
            (outcome(10, 2), Some(false), Some(true)),
            (outcome(10, 0), None, None),
            // watched to the end
            (outcome(30, 0), Some(false), Some(false)),
            (outcome(99, 0), Some(false), Some(false)),
        ] {
            assert_eq!((outcome.within(1, horizon), outcome.within(2, horizon)), (first, second), "{outcome:?}");
            // administrative censoring at the horizon changes nothing of that
            assert_eq!(outcome.until(horizon).within(1, horizon), first, "{outcome:?}");
        }
        assert_eq!(outcome(31, 1).until(horizon), outcome(30, 0));
    }

    #[test]
    fn the_risk_set_of_a_landmark() {
        assert_eq!(outcome(40, 2).after(Span::days(30)), Some(outcome(10, 2)));
        assert_eq!(outcome(30, 2).after(Span::days(30)), None);
        assert_eq!(outcome(20, 0).after(Span::days(30)), None);
    }

    #[test]
    fn edges_belong_to_the_bin_that_they_end() {
        let grid = TimeGrid::new(vec![Span::days(1), Span::days(3), Span::days(7)]).unwrap();
        let bins: Vec<usize> = [0, 1, 2, 3, 4, 7, 8, 900].map(|days| grid.bin(Span::days(days))).to_vec();
        assert_eq!(bins, [0, 0, 1, 1, 2, 2, 2, 2]);
        assert!(TimeGrid::new(Vec::new()).is_err() && TimeGrid::new(vec![Span::ZERO]).is_err());
        assert!(TimeGrid::new(vec![Span::days(2), Span::days(2)]).is_err() && TimeGrid::even(Span::ZERO, 3).is_err());
        let text = serde_json::to_string(&grid).unwrap();
        assert_eq!(text, r#"["1d","3d","7d"]"#);
        assert_eq!(serde_json::from_str::<TimeGrid>(&text).unwrap(), grid);
    }

    #[test]
    fn quantile_bins_have_as_many_events_each() {
        let outcomes: Vec<Outcome> = (1..=100).map(|day| outcome(day, u32::from(day % 2 == 0))).collect();
        let grid = TimeGrid::quantiles(&outcomes, 5).unwrap();
        assert_eq!(grid.edges(), [20, 40, 60, 80, 100].map(Span::days));
        let mut events = [0; 5];
        outcomes.iter().filter(|outcome| !outcome.is_censored()).for_each(|one| events[grid.bin(one.span)] += 1);
        assert_eq!(events, [10; 5]);
        assert!(TimeGrid::quantiles(&[], 5).is_err());
    }

    #[test]
    fn labels_have_days_and_cause() {
        let label = SurvivalLabel { subject: 3, prediction_time: Time(0), outcome: outcome(45, 2) };
        assert_eq!((label.days().value, label.cause().value), (LabelValue::Float(45.0), LabelValue::Integer(2)));
        assert_eq!(label.boolean(2, Span::days(50)), Some(Label::boolean(3, Time(0), true)));
    }
}
