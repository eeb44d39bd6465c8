//! The squared error of risks, weighed for who was lost, and observed against predicted risks.

use nn_core::metrics::MetricError;

use super::{Observed, RiskCurves, StepFunction, aalen_johansen};
use crate::evaluate::{Reliability, out_of_range};

/// The Brier score at `horizon` (Graf et al. 1999, Statistics in Medicine 18:2529; with competing events Gerds and
/// Schumacher 2006, Biometrical Journal 48:1029): the mean of `weight · (had the event by the horizon − risk)²`. A row
/// with an event of any cause by then weighs one over the chance of being watched right up to it, a row that is free
/// beyond the horizon one over the chance of being watched for so long, a row lost before it 0.
///
/// `cause` is the event; with none, it is any. `watched` comes from [`censoring`](super::censoring) of the training
/// part. Of scikit-survival, `brier_score` with `1 − risk` has the same value where no loss comes at the time of an
/// event.
///
/// # Errors
/// [`MetricError::Undefined`] where nobody of the training part was watched as long as a row that counts; otherwise as
/// [`Observed::check`], and for a risk that is missing or no number.
pub fn brier(
    watched: &StepFunction,
    observed: Observed<'_>,
    cause: Option<u32>,
    risks: &[f64],
    horizon: f64,
) -> Result<f64, MetricError> {
    observed.check()?;
    if risks.len() != observed.len() {
        return Err(MetricError::Length { truth: observed.len(), pred: risks.len() });
    }
    if let Some(index) = risks.iter().position(|risk| !risk.is_finite()) {
        return Err(MetricError::NotFinite { what: "risk", index, value: risks[index] });
    }
    let mut sum = 0.0;
    for ((&time, &found), risk) in observed.times.iter().zip(observed.causes).zip(risks) {
        let (chance, happened) = if time > horizon {
            (watched.at(horizon), false)
        } else if found == 0 {
            continue;
        } else {
            (watched.before(time), cause.is_none_or(|cause| cause == found))
        };
        if chance <= 0.0 {
            let time = time.min(horizon);
            let why = format!("no row of the training part was watched up to {time}; shorten the horizon");
            return Err(MetricError::Undefined { metric: "Brier score", why });
        }
        sum += (f64::from(u8::from(happened)) - risk).powi(2) / chance;
    }
    Ok(sum / observed.len() as f64)
}

/// The mean of [`brier`] over the time from the first to the last of the grid, by the trapezoidal rule.
///
/// # Errors
/// As [`brier`], for a grid whose times do not ascend, or one of fewer than two.
pub fn integrated_brier(
    watched: &StepFunction,
    observed: Observed<'_>,
    cause: Option<u32>,
    curves: RiskCurves<'_>,
) -> Result<f64, MetricError> {
    observed.check()?;
    curves.check(observed.len())?;
    let [first, .., last] = curves.times else {
        return Err(out_of_range("times of the grid", curves.times.len(), "2 or more"));
    };
    let mut scores = Vec::with_capacity(curves.times.len());
    for (column, &time) in curves.times.iter().enumerate() {
        let risks: Vec<f64> = (0..observed.len()).map(|row| curves.risk(row, column)).collect();
        scores.push(brier(watched, observed, cause, &risks, time)?);
    }
    let pairs = curves.times.windows(2).zip(scores.windows(2));
    let area: f64 = pairs.map(|(times, scores)| (times[1] - times[0]) * f64::midpoint(scores[0], scores[1])).sum();
    Ok(area / (last - first))
}

/// Mean predicted risk of `cause` by `horizon` and the share that had it by Aalen and Johansen, in `bins` bins of about
/// equally many rows; equal risks share a bin.
///
/// # Errors
/// As [`Observed::check`]; for a risk that is missing or no number, or no bins.
pub fn calibration_at(
    observed: Observed<'_>,
    cause: u32,
    risks: &[f64],
    horizon: f64,
    bins: usize,
) -> Result<Vec<Reliability>, MetricError> {
    observed.check()?;
    if risks.len() != observed.len() {
        return Err(MetricError::Length { truth: observed.len(), pred: risks.len() });
    }
    if let Some(index) = risks.iter().position(|risk| !risk.is_finite()) {
        return Err(MetricError::NotFinite { what: "risk", index, value: risks[index] });
    }
    if bins == 0 {
        return Err(out_of_range("bins", bins, "1 or more"));
    }
    let mut order: Vec<usize> = (0..risks.len()).collect();
    order.sort_by(|&a, &b| risks[a].total_cmp(&risks[b]));
    let mut found = Vec::new();
    let mut start = 0;
    for bin in 1..=bins {
        let mut end = (order.len() * bin / bins).max(start);
        while end > start && end < order.len() && risks[order[end]] == risks[order[end - 1]] {
            end += 1;
        }
        let rows = &order[start..end];
        start = end;
        if rows.is_empty() {
            continue;
        }
        let times: Vec<f64> = rows.iter().map(|&row| observed.times[row]).collect();
        let causes: Vec<u32> = rows.iter().map(|&row| observed.causes[row]).collect();
        let share = aalen_johansen(Observed { times: &times, causes: &causes }, cause)?.at(horizon);
        let predicted = rows.iter().map(|&row| risks[row]).sum::<f64>() / rows.len() as f64;
        found.push(Reliability { predicted, observed: share, rows: rows.len() });
    }
    Ok(found)
}
