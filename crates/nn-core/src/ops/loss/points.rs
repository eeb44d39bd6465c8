//! Losses of single values over plain slices: each value has its own target, and its loss and gradient are
//! found together.

use super::math::{exp, focus, ln_1p};
use super::{PointLoss, Reduce};
use crate::ops::norm::lanes::{BLOCK, PART, copy_in, sum, vectorised};
use rayon::prelude::*;

/// The loss of value x with target t, and its derivative; `positive` is the weight of t itself.
trait Pointwise: Copy + Send + Sync {
    fn at(self, x: f32, t: f32, positive: f32) -> (f32, f32);
}

/// Cross-entropy of the logistic function.
#[derive(Clone, Copy)]
struct Binary;

/// Focal loss of the logistic function; `alpha` weighs ones, `1 − alpha` zeros.
#[derive(Clone, Copy)]
struct BinaryFocal {
    alpha: Option<f32>,
    gamma: f32,
}

#[derive(Clone, Copy)]
struct Squared;

#[derive(Clone, Copy)]
struct Absolute;

/// Half the square up to this distance, a line beyond.
#[derive(Clone, Copy)]
struct Huber(f32);

impl Pointwise for Binary {
    // Written for each sign of x apart, so that nothing large cancels.
    #[inline(always)]
    fn at(self, x: f32, t: f32, positive: f32) -> (f32, f32) {
        let decay = exp(-x.abs());
        let weight = 1.0 + (positive - 1.0) * t;
        let slope = if x < 0.0 { -positive * t } else { 1.0 - t };
        let tail = weight * decay / (1.0 + decay);
        let tail = if x < 0.0 { tail } else { -tail };
        (slope * x + weight * ln_1p(decay), slope + tail)
    }
}

impl Pointwise for BinaryFocal {
    #[inline(always)]
    fn at(self, x: f32, t: f32, positive: f32) -> (f32, f32) {
        let decay = exp(-x.abs());
        let (larger, smaller) = (1.0 / (1.0 + decay), decay / (1.0 + decay));
        let (p, q) = if x < 0.0 { (smaller, larger) } else { (larger, smaller) };
        let (entropy, slope) = Binary.at(x, t, positive);
        let (power, rise) = focus(p * (1.0 - t) + q * t, self.gamma);
        let weight = self.alpha.map_or(1.0, |alpha| alpha * t + (1.0 - alpha) * (1.0 - t));
        let toward = p * q * (1.0 - 2.0 * t);
        (weight * entropy * power, weight * (slope * power + entropy * rise * toward))
    }
}

impl Pointwise for Squared {
    #[inline(always)]
    fn at(self, x: f32, t: f32, _: f32) -> (f32, f32) {
        ((x - t) * (x - t), 2.0 * (x - t))
    }
}

impl Pointwise for Absolute {
    #[inline(always)]
    fn at(self, x: f32, t: f32, _: f32) -> (f32, f32) {
        let apart = x - t;
        let sign = if apart > 0.0 { 1.0 } else { -1.0 };
        // Neither above nor below: zero, and NaN for NaN.
        (apart.abs(), if apart == 0.0 || apart.is_nan() { apart } else { sign })
    }
}

impl Pointwise for Huber {
    #[inline(always)]
    fn at(self, x: f32, t: f32, _: f32) -> (f32, f32) {
        let Self(delta) = self;
        let apart = x - t;
        let size = apart.abs();
        let line = if apart < 0.0 { -delta } else { delta };
        if size > delta { (delta * (size - 0.5 * delta), line) } else { (0.5 * apart * apart, apart) }
    }
}

/// What stands beside the values of `[batch, channels, positions]`.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) target: &'a [f32],
    /// None, one weight for each row of the batch, or one for each value.
    pub(super) weights: &'a [f32],
}

/// Replaces values by the gradient of the reduced loss, and returns that loss; `each` receives those of the
/// values.
pub(super) fn forward(
    loss: &PointLoss,
    view: [usize; 3],
    reduce: Reduce,
    (source, out): (Option<&[f32]>, &mut [f32]),
    beside: Beside<'_>,
    each: Option<&mut [f32]>,
) -> f64 {
    let [batch, channels, positions] = view;
    let total = match reduce {
        Reduce::Mean if beside.weights.is_empty() => out.len() as f64,
        Reduce::Mean => total_weight(beside.weights) * (out.len() / beside.weights.len()) as f64,
        Reduce::Sum | Reduce::Each => 1.0,
    };
    // Without a single label there is no loss.
    let scale = if total > 0.0 { total.recip() } else { 0.0 };
    let rows = Rows { batch, channels, positions };
    let positive: &[f32] = match loss {
        PointLoss::Binary { positive: Some(positive) } => positive,
        _ => &[],
    };
    let sum = match *loss {
        PointLoss::Binary { .. } => run(Binary, rows, (source, out), beside, positive, each, scale as f32),
        PointLoss::Focal { alpha, gamma } => {
            run(BinaryFocal { alpha, gamma }, rows, (source, out), beside, positive, each, scale as f32)
        }
        PointLoss::Squared => run(Squared, rows, (source, out), beside, positive, each, scale as f32),
        PointLoss::Absolute => run(Absolute, rows, (source, out), beside, positive, each, scale as f32),
        PointLoss::Huber(delta) => run(Huber(delta), rows, (source, out), beside, positive, each, scale as f32),
    };
    sum * scale
}

fn total_weight(weights: &[f32]) -> f64 {
    let parts: Vec<f64> = weights.par_chunks(PART).map(sum).collect();
    parts.into_iter().sum()
}

/// `[batch, channels, positions]`.
#[derive(Clone, Copy)]
struct Rows {
    batch: usize,
    channels: usize,
    positions: usize,
}

fn run<P: Pointwise>(
    loss: P,
    rows: Rows,
    (source, out): (Option<&[f32]>, &mut [f32]),
    beside: Beside<'_>,
    positive: &[f32],
    each: Option<&mut [f32]>,
    scale: f32,
) -> f64 {
    let row = rows.channels * rows.positions;
    let each: Vec<Option<&mut [f32]>> = match each {
        Some(each) => each.chunks_mut(PART).map(Some).collect(),
        None => (0..out.len().div_ceil(PART)).map(|_| None).collect(),
    };
    let parts: Vec<f64> = out
        .par_chunks_mut(PART)
        .zip(each)
        .enumerate()
        .map(|(k, (values, mut each))| {
            let (mut losses, mut weight, mut of_ones) =
                (vec![0.0_f32; BLOCK], vec![1.0_f32; BLOCK], vec![1.0_f32; BLOCK]);
            let mut total = 0.0;
            for (b, block) in values.chunks_mut(BLOCK).enumerate() {
                let (start, length) = (k * PART + b * BLOCK, block.len());
                copy_in(source, start, block);
                if beside.weights.len() == rows.batch {
                    spread(beside.weights, row, start, &mut weight[..length]);
                } else if !beside.weights.is_empty() {
                    weight[..length].copy_from_slice(&beside.weights[start..start + length]);
                }
                if !positive.is_empty() {
                    spread(positive, rows.positions, start, &mut of_ones[..length]);
                }
                let (target, losses) = (&beside.target[start..start + length], &mut losses[..length]);
                values_and_slopes(block, target, &weight[..length], &of_ones[..length], losses, scale, loss);
                total += sum(losses);
                if let Some(each) = &mut each {
                    each[b * BLOCK..][..length].copy_from_slice(losses);
                }
            }
            total
        })
        .collect();
    parts.into_iter().sum()
}

/// Value `i / run % values.len()` of `values` for each index i from `start` on.
fn spread(values: &[f32], run: usize, start: usize, out: &mut [f32]) {
    let (mut value, mut left) = (start / run % values.len(), run - start % run);
    let mut at = 0;
    while at < out.len() {
        let length = left.min(out.len() - at);
        out[at..at + length].fill(values[value]);
        at += length;
        (value, left) = ((value + 1) % values.len(), run);
    }
}

vectorised! {
    /// Values to `scale` times the derivatives of their weighted losses. What has no weight does not count,
    /// whatever its value and target are.
    fn values_and_slopes['a, P: Pointwise]['a, P](
        values: &'a mut [f32],
        target: &'a [f32],
        weight: &'a [f32],
        positive: &'a [f32],
        losses: &'a mut [f32],
        scale: f32,
        loss: P,
    ) -> () {
        let beside = target.iter().zip(weight).zip(positive);
        for ((value, found), ((&target, &weight), &positive)) in values.iter_mut().zip(losses.iter_mut()).zip(beside) {
            let (of_value, slope) = loss.at(*value, target, positive);
            let counts = weight != 0.0;
            *found = if counts { weight * of_value } else { 0.0 };
            *value = if counts { scale * weight * slope } else { 0.0 };
        }
    }
}
