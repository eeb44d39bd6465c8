//! How good the logits of one task are, in double precision on the host.

use super::{Targets, Task};
use crate::metrics::{MetricError, auroc};

/// Names and values of a task's metrics; none if no target of `rows` is known.
///
/// `logits` holds `width` numbers for each of `rows`, of which those from `start` on are the task's.
pub(super) fn of(
    task: &Task,
    logits: &[f32],
    width: usize,
    start: usize,
    rows: &[usize],
) -> Result<Vec<(&'static str, f64)>, MetricError> {
    let own = task.targets.width();
    let of_row = |at: usize| logits[at * width + start..][..own].iter().copied().map(f64::from);
    let weight = |index: usize| task.mask.as_ref().map_or(1.0, |mask| f64::from(mask[index]));
    match &task.targets {
        Targets::Classes { count, rows: classes } => {
            let (mut loss, mut total, mut right, mut known) = (0.0, 0.0, 0_usize, 0_usize);
            let (mut second, mut margins) = (Vec::new(), Vec::new());
            for (at, &row) in rows.iter().enumerate().filter(|&(_, &row)| weight(row) > 0.0) {
                let logits: Vec<f64> = of_row(at).collect();
                let (class, best) = (classes[row], largest(&logits));
                let top = logits[best];
                let normaliser = top + logits.iter().map(|logit| (logit - top).exp()).sum::<f64>().ln();
                loss += weight(row) * (normaliser - logits[class]);
                total += weight(row);
                right += usize::from(best == class);
                known += 1;
                if *count == 2 {
                    second.push(class == 1);
                    margins.push(logits[1] - logits[0]);
                }
            }
            if known == 0 {
                return Ok(Vec::new());
            }
            let mut found = vec![("cross_entropy", loss / total), ("accuracy", right as f64 / known as f64)];
            if *count == 2 {
                found.extend(defined(auroc(&second, &margins))?.map(|value| ("auroc", value)));
            }
            Ok(found)
        }
        Targets::Labels { width: labels, values } => {
            let (mut loss, mut total) = (0.0, 0.0);
            let mut areas = Vec::new();
            for label in 0..*labels {
                let (mut truth, mut scores) = (Vec::new(), Vec::new());
                for (at, &row) in rows.iter().enumerate() {
                    let index = row * labels + label;
                    if weight(index) > 0.0 {
                        let (x, y) = (f64::from(logits[at * width + start + label]), f64::from(values[index]));
                        loss += weight(index) * (x.max(0.0) - x * y + (-x.abs()).exp().ln_1p());
                        total += weight(index);
                        truth.push(y >= 0.5);
                        scores.push(x);
                    }
                }
                if !truth.is_empty() {
                    areas.extend(defined(auroc(&truth, &scores))?);
                }
            }
            if total == 0.0 {
                return Ok(Vec::new());
            }
            let mut found = vec![("cross_entropy", loss / total)];
            if !areas.is_empty() {
                found.push(("auroc", areas.iter().sum::<f64>() / areas.len() as f64));
            }
            Ok(found)
        }
        Targets::Values { width: numbers, values } => {
            let (mut error, mut total) = (0.0, 0.0);
            for (at, &row) in rows.iter().enumerate() {
                for (number, predicted) in of_row(at).enumerate() {
                    let index = row * numbers + number;
                    error += weight(index) * (predicted - f64::from(values[index])).powi(2);
                    total += weight(index);
                }
            }
            Ok(if total > 0.0 { vec![("mse", error / total)] } else { Vec::new() })
        }
    }
}

/// The first of the largest.
fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = at;
        }
    }
    best
}

/// None where the data do not define the metric.
fn defined(value: Result<f64, MetricError>) -> Result<Option<f64>, MetricError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(MetricError::Undefined { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
