//! How probabilities stand to what happened, and how to put them right.

use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

use super::{check, probability};

/// Newton steps at most; the problems have one or two unknowns and a convex loss.
const STEPS: usize = 200;

/// The logistic regression of labels on predicted logits (Cox 1958, Biometrika 45:562; Van Calster et al. 2019, BMC
/// Medicine 17:230): intercept 0 and slope 1 where the probabilities are right. A slope below 1 says that they are too
/// extreme, as after overfitting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Intercept beside the slope.
    pub intercept: f64,
    /// Slope.
    pub slope: f64,
    /// Intercept for a slope of 1, calibration in the large: above 0 where the risk is underestimated on the whole.
    pub in_the_large: f64,
}

impl Calibration {
    /// Intercepts and slope of `labels` on `logits`.
    ///
    /// # Errors
    /// [`MetricError::Undefined`] where a class is absent, all logits are equal, or a threshold parts the classes
    /// without an error, which makes the slope infinite; otherwise for unequal or zero length or a logit that is no
    /// number.
    pub fn of(labels: &[bool], logits: &[f64]) -> Result<Self, MetricError> {
        check(labels, logits, "logit")?;
        let bounds = |class: bool| {
            let of_class = labels.iter().zip(logits).filter(|(label, _)| **label == class).map(|(_, &logit)| logit);
            of_class.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let ((low, high), (low_positive, high_positive)) = (bounds(false), bounds(true));
        let undefined = |why: &str| MetricError::Undefined { metric: "calibration slope", why: why.to_owned() };
        if low > high || low_positive > high_positive {
            return Err(undefined("all labels are of one class; it compares two"));
        }
        if low_positive >= high || high_positive <= low {
            return Err(undefined("a threshold parts the classes, or all logits are equal; the slope has no value"));
        }
        let mut shift = 0.0;
        for _ in 0..STEPS {
            let (mut gradient, mut curvature) = (0.0, 0.0);
            for (label, logit) in labels.iter().zip(logits) {
                let p = probability(logit + shift);
                gradient += value(*label) - p;
                curvature += p * (1.0 - p);
            }
            // far from the minimum the curvature vanishes, and a step would go too far
            let step = (gradient / curvature.max(1e-12)).clamp(-4.0, 4.0);
            shift += step;
            if step.abs() < 1e-12 {
                break;
            }
        }
        let (intercept, slope) = line(labels, logits)?;
        Ok(Self { intercept, slope, in_the_large: shift })
    }
}

fn value(label: bool) -> f64 {
    f64::from(u8::from(label))
}

/// Σ ln(1 + e^−z) with z the logit of the label's own class.
fn loss(labels: &[bool], logits: &[f64], intercept: f64, slope: f64) -> f64 {
    let one = |(label, logit): (&bool, &f64)| {
        let z = intercept + slope * logit;
        let z = if *label { z } else { -z };
        (-z).max(0.0) + (-z.abs()).exp().ln_1p()
    };
    labels.iter().zip(logits).map(one).sum()
}

/// Intercept and slope of the largest likelihood, by Newton's method with steps that are halved until they gain.
fn line(labels: &[bool], logits: &[f64]) -> Result<(f64, f64), MetricError> {
    // centred and scaled, so that the two unknowns hardly depend on each other
    let n = logits.len() as f64;
    let mean = logits.iter().sum::<f64>() / n;
    let deviation = (logits.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scaled: Vec<f64> = logits.iter().map(|x| (x - mean) / deviation).collect();
    let (mut a, mut b) = (0.0, 0.0);
    let mut now = loss(labels, &scaled, a, b);
    for _ in 0..STEPS {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (label, x) in labels.iter().zip(&scaled) {
            let p = probability(a + b * x);
            let (residual, weight) = (value(*label) - p, p * (1.0 - p));
            ga += residual;
            gb += residual * x;
            haa += weight;
            hab += weight * x;
            hbb += weight * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        if !(determinant.is_finite() && determinant > 0.0) {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        let mut length = 1.0;
        loop {
            let next = loss(labels, &scaled, a + length * da, b + length * db);
            if next <= now || length < 1e-10 {
                now = next.min(now);
                break;
            }
            length *= 0.5;
        }
        (a, b) = (a + length * da, b + length * db);
        if (length * da).abs().max((length * db).abs()) < 1e-12 * (1.0 + a.abs() + b.abs()) {
            break;
        }
    }
    let (slope, intercept) = (b / deviation, a - b * mean / deviation);
    if slope.is_finite() && intercept.is_finite() {
        return Ok((intercept, slope));
    }
    let why = "the likelihood has no maximum within 64-bit floating point".to_owned();
    Err(MetricError::Undefined { metric: "calibration slope", why })
}

/// How a model's logits become probabilities: fitted on rows that the model has not learnt from, and stored with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Recalibration {
    /// The logistic function of the logit as it is.
    #[default]
    None,
    /// Of the logit divided by a temperature (Guo et al. 2017, section 4.2).
    Temperature {
        /// Above 0; above 1 makes probabilities less extreme.
        temperature: f64,
    },
    /// Of a line of the logit (Platt 1999; Cox 1958).
    Line {
        /// Intercept.
        intercept: f64,
        /// Slope.
        slope: f64,
    },
    /// A rising function with a value at each of some logits, interpolated between them and constant beyond (Zadrozny
    /// and Elkan 2002).
    Isotonic {
        /// Logits, ascending.
        logits: Vec<f64>,
        /// Probabilities at these, none of them falling.
        probabilities: Vec<f64>,
    },
}

impl Recalibration {
    /// The temperature under which the labels are likeliest. Of a model whose logits say nothing, or the reverse of
    /// what they should, it is the largest that is allowed, 1,000; where a logit of 0 parts the classes, the least,
    /// 0.001.
    ///
    /// # Errors
    /// [`MetricError`] for unequal or zero length, a logit that is no number.
    pub fn temperature(labels: &[bool], logits: &[f64]) -> Result<Self, MetricError> {
        check(labels, logits, "logit")?;
        // The loss is convex in 1 / T: its slope there changes sign once, and bisection of the logarithm finds where.
        let slope = |inverse: f64| -> f64 {
            labels.iter().zip(logits).map(|(label, logit)| logit * (probability(inverse * logit) - value(*label))).sum()
        };
        let (mut low, mut high) = (1e-3_f64.ln(), 1e3_f64.ln());
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if slope(middle.exp()) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(Self::Temperature { temperature: (-f64::midpoint(low, high)).exp() })
    }

    /// The line under which the labels are likeliest.
    ///
    /// # Errors
    /// As [`Calibration::of`].
    pub fn line(labels: &[bool], logits: &[f64]) -> Result<Self, MetricError> {
        let Calibration { intercept, slope, .. } = Calibration::of(labels, logits)?;
        Ok(Self::Line { intercept, slope })
    }

    /// The rising function with the least squared error, by pooling adjacent violators (Ayer et al. 1955, Annals of
    /// Mathematical Statistics 26:641). Equal logits share one value.
    ///
    /// # Errors
    /// [`MetricError`] for unequal or zero length, a logit that is no number.
    pub fn isotonic(labels: &[bool], logits: &[f64]) -> Result<Self, MetricError> {
        check(labels, logits, "logit")?;
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        // blocks of (first logit, last logit, positives, rows)
        let mut blocks: Vec<(f64, f64, f64, f64)> = Vec::new();
        for tied in order.chunk_by(|&a, &b| logits[a] == logits[b]) {
            let positives = tied.iter().filter(|&&row| labels[row]).count() as f64;
            let mut block = (logits[tied[0]], logits[tied[0]], positives, tied.len() as f64);
            while let Some(&(first, _, before, rows)) = blocks.last() {
                if before * block.3 < block.2 * rows {
                    break;
                }
                block = (first, block.1, block.2 + before, block.3 + rows);
                blocks.pop();
            }
            blocks.push(block);
        }
        let (mut at, mut probabilities) = (Vec::new(), Vec::new());
        for (first, last, positives, rows) in blocks {
            at.push(first);
            probabilities.push(positives / rows);
            if last > first {
                at.push(last);
                probabilities.push(positives / rows);
            }
        }
        Ok(Self::Isotonic { logits: at, probabilities })
    }

    /// The probability that a logit stands for, 0 to 1.
    pub fn probability(&self, logit: f64) -> f64 {
        match self {
            Self::None => probability(logit),
            Self::Temperature { temperature } => probability(logit / temperature),
            Self::Line { intercept, slope } => probability(intercept + slope * logit),
            Self::Isotonic { logits, probabilities } => {
                let n = logits.len().min(probabilities.len());
                if n == 0 {
                    return probability(logit);
                }
                let above = logits[..n].partition_point(|at| *at < logit);
                if above == 0 {
                    return probabilities[0];
                }
                if above == n {
                    return probabilities[n - 1];
                }
                let (x0, x1) = (logits[above - 1], logits[above]);
                let (y0, y1) = (probabilities[above - 1], probabilities[above]);
                if x1 > x0 { y0 + (y1 - y0) * (logit - x0) / (x1 - x0) } else { y1 }
            }
        }
    }
}
