//! Judging risks over time: who was watched for how long, what happened first, and how well it was foretold.
//!
//! | question | answered by |
//! |---|---|
//! | who has had which event by when | [`aalen_johansen`], [`kaplan_meier`] |
//! | does the earlier event have the higher risk | [`harrell`], [`uno`], [`antolini`], [`cause_specific`] |
//! | are the risks right | [`brier`], [`integrated_brier`], [`calibration_at`] |
//!
//! Times are counted from the landmark, and who had an event or was lost before it is not among the rows. A competing
//! event is an event: who died of another cause is not censored. Rows that were lost before the horizon are made up for
//! by weights, one over the chance of being watched so long (inverse probability of censoring), which come from the
//! training part.

mod brier;
mod concordance;
#[cfg(test)]
mod tests;

pub use self::brier::{brier, calibration_at, integrated_brier};
pub use self::concordance::{antolini, cause_specific, harrell, uno};

use std::cmp::Ordering;

use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

use super::out_of_range;

/// What happened to each row: when, and of which cause, 0 being that it was lost from sight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed<'a> {
    /// Time of event or loss, 0 or more, in any unit.
    pub times: &'a [f64],
    /// Cause, from 1, or 0.
    pub causes: &'a [u32],
}

impl Observed<'_> {
    /// Rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Checks that there is a row, and a time and a cause for each.
    ///
    /// # Errors
    /// [`MetricError`] for no rows, unequal length, a time that is not finite or below 0.
    pub fn check(&self) -> Result<(), MetricError> {
        if self.times.len() != self.causes.len() {
            return Err(MetricError::Length { truth: self.times.len(), pred: self.causes.len() });
        }
        if self.times.is_empty() {
            return Err(MetricError::Empty);
        }
        match self.times.iter().position(|time| !time.is_finite()) {
            Some(index) => Err(MetricError::NotFinite { what: "time", index, value: self.times[index] }),
            None => match self.times.iter().find(|time| **time < 0.0) {
                Some(time) => Err(out_of_range("time", time, "0 or more; it is counted from the landmark")),
                None => Ok(()),
            },
        }
    }

    /// Distinct times with the rows at risk before each, those that had an event (of `cause`, of any) and those lost.
    fn steps(&self, cause: Option<u32>) -> Vec<Step> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.times[a].total_cmp(&self.times[b]));
        let mut at_risk = self.len();
        let mut steps = Vec::new();
        for tied in order.chunk_by(|&a, &b| self.times[a] == self.times[b]) {
            let lost = tied.iter().filter(|&&row| self.causes[row] == 0).count();
            let events = tied.len() - lost;
            let own = match cause {
                Some(cause) => tied.iter().filter(|&&row| self.causes[row] == cause).count(),
                None => events,
            };
            steps.push(Step { time: self.times[tied[0]], at_risk, events, own, lost });
            at_risk -= tied.len();
        }
        steps
    }
}

struct Step {
    time: f64,
    at_risk: usize,
    events: usize,
    own: usize,
    lost: usize,
}

/// A function that changes at some times and is constant between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFunction {
    /// Value before the first time.
    pub start: f64,
    /// Times, ascending.
    pub times: Vec<f64>,
    /// Value from each time on.
    pub values: Vec<f64>,
}

impl StepFunction {
    /// Value at a time.
    pub fn at(&self, time: f64) -> f64 {
        self.value(self.times.partition_point(|at| *at <= time))
    }

    /// Value right before a time.
    pub fn before(&self, time: f64) -> f64 {
        self.value(self.times.partition_point(|at| *at < time))
    }

    fn value(&self, steps: usize) -> f64 {
        steps.checked_sub(1).and_then(|step| self.values.get(step)).copied().unwrap_or(self.start)
    }
}

/// Risks of rows at the times of a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskCurves<'a> {
    /// Times, ascending.
    pub times: &'a [f64],
    /// Risk of having had the event by each time, 0 to 1: `[rows, times]`. For one kind of event it is 1 less survival.
    pub risks: &'a [f64],
}

impl RiskCurves<'_> {
    fn check(&self, rows: usize) -> Result<(), MetricError> {
        if self.times.is_empty() {
            return Err(MetricError::Empty);
        }
        if self.risks.len() != rows * self.times.len() {
            return Err(MetricError::Length { truth: rows * self.times.len(), pred: self.risks.len() });
        }
        if let Some(pair) = self.times.windows(2).find(|pair| pair[0].partial_cmp(&pair[1]) != Some(Ordering::Less)) {
            return Err(out_of_range("a time of the grid", pair[1], &format!("more than the one before, {}", pair[0])));
        }
        match self.risks.iter().position(|risk| !risk.is_finite()) {
            Some(index) => Err(MetricError::NotFinite { what: "risk", index, value: self.risks[index] }),
            None => Ok(()),
        }
    }

    /// Column of the last time that is not after `time`, the first if all are.
    fn column(&self, time: f64) -> usize {
        self.times.partition_point(|at| *at <= time).saturating_sub(1)
    }

    fn risk(&self, row: usize, column: usize) -> f64 {
        self.risks[row * self.times.len() + column]
    }
}

/// Share of rows that no event had reached (Kaplan and Meier 1958, J Am Stat Assoc 53:457), whatever the cause.
///
/// # Errors
/// As [`Observed::check`].
pub fn kaplan_meier(observed: Observed<'_>) -> Result<StepFunction, MetricError> {
    observed.check()?;
    let mut alive = 1.0;
    let steps = observed.steps(None).into_iter().filter(|step| step.events > 0);
    let found = steps.map(|step| {
        alive *= 1.0 - step.events as f64 / step.at_risk as f64;
        (step.time, alive)
    });
    let (times, values) = found.unzip();
    Ok(StepFunction { start: 1.0, times, values })
}

/// Chance of still being watched: the same for the losses. An event comes before a loss at the same time.
///
/// # Errors
/// As [`Observed::check`].
pub fn censoring(observed: Observed<'_>) -> Result<StepFunction, MetricError> {
    observed.check()?;
    let mut watched = 1.0;
    let steps = observed.steps(None).into_iter().filter(|step| step.lost > 0);
    let found = steps.map(|step| {
        watched *= 1.0 - step.lost as f64 / (step.at_risk - step.events) as f64;
        (step.time, watched)
    });
    let (times, values) = found.unzip();
    Ok(StepFunction { start: 1.0, times, values })
}

/// Share of rows that had `cause` as their first event (Aalen and Johansen 1978, Scandinavian Journal of Statistics
/// 5:141). The shares of all causes and the survival sum to 1; one less the Kaplan–Meier curve of a cause alone would
/// not.
///
/// # Errors
/// As [`Observed::check`].
pub fn aalen_johansen(observed: Observed<'_>, cause: u32) -> Result<StepFunction, MetricError> {
    observed.check()?;
    let (mut alive, mut share) = (1.0, 0.0);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for step in observed.steps(Some(cause)) {
        let n = step.at_risk as f64;
        if step.own > 0 {
            share += alive * step.own as f64 / n;
            times.push(step.time);
            values.push(share);
        }
        alive *= 1.0 - step.events as f64 / n;
    }
    Ok(StepFunction { start: 0.0, times, values })
}
