//! Whether the row whose event comes first has the higher risk, in four definitions.
//!
//! All look at ordered pairs: the first row had the event, and the second was still free of any later, or was lost at
//! the same time. A pair whose risks are equal counts one half.

use nn_core::metrics::MetricError;
use rayon::prelude::*;

#[cfg(doc)]
use super::censoring;
use super::{Observed, RiskCurves, StepFunction};

/// Harrell's C (Harrell et al. 1982, JAMA 247:2543) of one risk for each row; of lifelines it is `concordance_index` of
/// the negative risk. An event of any cause counts.
///
/// # Errors
/// [`MetricError::Undefined`] where no pair can be compared; otherwise as [`Observed::check`], and for a risk that is
/// missing or no number.
pub fn harrell(observed: Observed<'_>, risks: &[f64]) -> Result<f64, MetricError> {
    check_risks(observed, risks)?;
    over_pairs("Harrell's C", observed, |_| 1.0, |cause| cause > 0, |_, row| risks[row])
}

/// Uno's C (Uno et al. 2011, Statistics in Medicine 30:1105): as [`harrell`] up to `horizon`, each pair weighed by one
/// over the squared chance of being watched until its event, so that the result does not depend on who was lost when.
/// `watched` comes from [`censoring`] of the training part.
///
/// # Errors
/// As [`harrell`]; [`MetricError::Undefined`] also where an event comes when nobody of the training part was watched.
pub fn uno(watched: &StepFunction, observed: Observed<'_>, risks: &[f64], horizon: f64) -> Result<f64, MetricError> {
    check_risks(observed, risks)?;
    let counted = |row: usize| observed.times[row] <= horizon;
    let unseen = (0..observed.len())
        .find(|&row| counted(row) && observed.causes[row] > 0 && watched.before(observed.times[row]) <= 0.0);
    if let Some(row) = unseen {
        let time = observed.times[row];
        let why =
            format!("an event at {time}, up to which no row of the training part was watched; shorten the horizon");
        return Err(MetricError::Undefined { metric: "Uno's C", why });
    }
    let weight = |row: usize| {
        if counted(row) { watched.before(observed.times[row]).powi(-2) } else { 0.0 }
    };
    over_pairs("Uno's C", observed, weight, |cause| cause > 0, |_, row| risks[row])
}

/// The time-dependent C of Antolini et al. 2005, Statistics in Medicine 24:3927: the risks of a pair are those at the
/// time of the first row's event, so that curves may cross. `cause` is the event; with none, it is any.
///
/// The risk at an event is that at the last time of the grid that is not after it.
///
/// # Errors
/// As [`harrell`], and for a grid whose times do not ascend.
pub fn antolini(observed: Observed<'_>, cause: Option<u32>, curves: RiskCurves<'_>) -> Result<f64, MetricError> {
    observed.check()?;
    curves.check(observed.len())?;
    let columns: Vec<usize> = observed.times.iter().map(|&time| curves.column(time)).collect();
    let risk = |first: usize, row: usize| curves.risk(row, columns[first]);
    over_pairs("Antolini's C", observed, |_| 1.0, |found| cause.map_or(found > 0, |cause| cause == found), risk)
}

/// The cause-specific C at (prediction time, horizon) of Lee et al. 2020, section V.A: of the rows that had `cause`
/// within `horizon` of the prediction time, against all that were still free of any event then. `risks` are those of
/// `cause` within the horizon, and rows are those at risk at the prediction time.
///
/// # Errors
/// As [`harrell`].
pub fn cause_specific(observed: Observed<'_>, cause: u32, risks: &[f64], horizon: f64) -> Result<f64, MetricError> {
    check_risks(observed, risks)?;
    let weight = |row: usize| if observed.times[row] <= horizon { 1.0 } else { 0.0 };
    over_pairs("cause-specific C", observed, weight, |found| found == cause, |_, row| risks[row])
}

fn check_risks(observed: Observed<'_>, risks: &[f64]) -> Result<(), MetricError> {
    observed.check()?;
    if risks.len() != observed.len() {
        return Err(MetricError::Length { truth: observed.len(), pred: risks.len() });
    }
    match risks.iter().position(|risk| !risk.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { what: "risk", index, value: risks[index] }),
        None => Ok(()),
    }
}

/// Weighted share of the pairs in which the first row, whose event it is, has the higher risk. `risk` gives that of a
/// row (second argument) at the time of the event of another (first).
fn over_pairs(
    metric: &'static str,
    observed: Observed<'_>,
    weight: impl Fn(usize) -> f64 + Sync,
    event: impl Fn(u32) -> bool + Sync,
    risk: impl Fn(usize, usize) -> f64 + Sync,
) -> Result<f64, MetricError> {
    let (times, causes) = (observed.times, observed.causes);
    let of_row = |first: usize| {
        let weight = weight(first);
        if !event(causes[first]) || weight <= 0.0 {
            return (0.0, 0.0);
        }
        let own = risk(first, first);
        // in halves, so that the counts are exact
        let (mut won, mut pairs) = (0_u64, 0_u64);
        for second in 0..times.len() {
            let later = times[second] > times[first] || (times[second] == times[first] && causes[second] == 0);
            if later {
                pairs += 1;
                let other = risk(first, second);
                won += if own > other { 2 } else { u64::from(own == other) };
            }
        }
        (weight * won as f64 / 2.0, weight * pairs as f64)
    };
    // collected in order, so that the sum does not depend on the threads
    let found: Vec<(f64, f64)> = (0..times.len()).into_par_iter().map(of_row).collect();
    let (won, pairs) = found.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if pairs > 0.0 {
        return Ok(won / pairs);
    }
    let why = format!("none of the {} rows had the event while another was watched longer", times.len());
    Err(MetricError::Undefined { metric, why })
}
