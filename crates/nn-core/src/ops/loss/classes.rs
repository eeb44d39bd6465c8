//! Softmax cross-entropy and focal loss over plain slices: the loss of each position and, in the same pass,
//! its gradient.

use super::math::{exp, focus, ln};
use super::tiles::{Lanes, Task, tasks};
use super::{ClassLoss, Reduce};
use crate::ops::norm::lanes::{LANES, PART, vectorised};
use rayon::prelude::*;

/// What every position of one tensor shares.
struct Shared<'a> {
    loss: &'a ClassLoss,
    /// Weight of each class.
    weights: Vec<f32>,
    /// Factor of the gradient: one over the total weight for a mean.
    scale: f32,
}

/// Total weight of the targets, which a mean is divided by: the number of positions for the focal loss.
fn total_weight(loss: &ClassLoss, targets: &[i32]) -> f64 {
    let weigh = |&target: &i32| match &loss.weights {
        _ if loss.is_ignored(target) => 0.0,
        Some(weights) if loss.gamma == 0.0 => f64::from(weights[target as usize]),
        _ => 1.0,
    };
    let parts: Vec<f64> = targets.par_chunks(PART).map(|part| part.iter().map(weigh).sum()).collect();
    parts.into_iter().sum()
}

/// Replaces logits by the gradient of the reduced loss, and returns that loss; `each` receives those of the
/// positions.
pub(super) fn forward(
    loss: &ClassLoss,
    view: [usize; 3],
    reduce: Reduce,
    (source, out): (Option<&[f32]>, &mut [f32]),
    targets: &[i32],
    each: Option<&mut [f32]>,
) -> f64 {
    let total = if reduce == Reduce::Mean { total_weight(loss, targets) } else { 1.0 };
    // Without a single label there is no loss.
    let scale = if total > 0.0 { total.recip() } else { 0.0 };
    let weights = loss.weights.clone().unwrap_or_else(|| vec![1.0; view[1]]);
    let shared = Shared { loss, weights, scale: scale as f32 };
    let parts: Vec<f64> = tasks(view, source, out, targets, each, false)
        .into_par_iter()
        .map(|mut task| run(&mut task, &shared))
        .collect();
    parts.into_iter().sum::<f64>() * scale
}

/// Does one task and returns the sum of its losses.
fn run(task: &mut Task<'_>, shared: &Shared<'_>) -> f64 {
    let ClassLoss { smoothing, gamma, .. } = *shared.loss;
    let mut block = vec![[0.0_f32; LANES]; shared.weights.len()];
    let mut total = 0.0;
    for (at, length) in task.blocks() {
        task.load(at, length, &mut block);
        let mut labels = Labels { class: [0; LANES], hard: [0.0; LANES], soft: [0.0; LANES] };
        for (lane, &target) in task.targets[at..at + length].iter().enumerate() {
            if shared.loss.is_ignored(target) {
                // Whatever was predicted here, NaN too, stays out of the sums.
                block.iter_mut().for_each(|lanes| lanes[lane] = 0.0);
            } else {
                labels.class[lane] = target as usize;
                labels.hard[lane] = (1.0 - smoothing) * shared.weights[target as usize];
                labels.soft[lane] = smoothing / shared.weights.len() as f32;
            }
        }
        let losses = cross_entropy(&mut block, &shared.weights, &labels, smoothing > 0.0, gamma, shared.scale);
        task.store(at, length, &block);
        total += losses[..length].iter().map(|&loss| f64::from(loss)).sum::<f64>();
        if let Some(each) = &mut task.each {
            each[at..at + length].copy_from_slice(&losses[..length]);
        }
    }
    total
}

/// The targets of a block.
struct Labels {
    class: [usize; LANES],
    /// Weight of the class itself; zero where the position does not count.
    hard: Lanes,
    /// Weight of every class, by label smoothing.
    soft: Lanes,
}

vectorised! {
    /// Logits to `scale` times the gradient of the loss; returns the losses.
    fn cross_entropy['a]['a](
        block: &'a mut [Lanes],
        weights: &'a [f32],
        labels: &'a Labels,
        smooth: bool,
        gamma: f32,
        scale: f32,
    ) -> Lanes {
        let Labels { class, hard, soft } = labels;
        let Exponentials { sum, log_sum, own, weighted } = exponentials(block, class, smooth.then_some(weights));
        let (mut losses, mut of_own) = ([0.0_f32; LANES], *hard);
        for (((loss, log_sum), own), hard) in losses.iter_mut().zip(&log_sum).zip(&own).zip(hard) {
            *loss = hard * (log_sum - own);
        }
        if gamma > 0.0 {
            let values = losses.iter_mut().zip(&mut of_own).zip(&log_sum).zip(&own).zip(hard);
            for ((((loss, of_own), log_sum), own), hard) in values {
                // minus the logarithm of the probability of the class
                let surprise = log_sum - own;
                let p = exp(-surprise);
                let (power, slope) = focus(1.0 - p, gamma);
                *loss = hard * power * surprise;
                *of_own = hard * (power + slope * p * surprise);
            }
        }
        let total: f32 = weights.iter().sum();
        if smooth {
            for (((loss, log_sum), weighted), soft) in losses.iter_mut().zip(&log_sum).zip(&weighted).zip(soft) {
                *loss += soft * (total * log_sum - weighted);
            }
        }
        let mut share = [0.0_f32; LANES];
        for (((share, of_own), soft), sum) in share.iter_mut().zip(&of_own).zip(soft).zip(&sum) {
            *share = scale * (of_own + soft * total) / sum;
        }
        for (lanes, &weight) in block.iter_mut().zip(weights) {
            let weight = scale * weight;
            for ((value, share), soft) in lanes.iter_mut().zip(&share).zip(soft) {
                *value = *value * share - soft * weight;
            }
        }
        for (lane, (&class, of_own)) in class.iter().zip(&of_own).enumerate() {
            block[class][lane] -= scale * of_own;
        }
        losses
    }
}

/// What a softmax over a block leaves behind.
pub(super) struct Exponentials {
    /// Of each position the sum of the exponentials of its logits, all shifted by the largest.
    pub(super) sum: Lanes,
    pub(super) log_sum: Lanes,
    /// The shifted logit of its class.
    pub(super) own: Lanes,
    /// The weighted sum of its shifted logits, when weights are given.
    pub(super) weighted: Lanes,
}

/// Replaces the logits of a block by their exponentials, shifted so that the largest is one.
#[inline(always)]
pub(super) fn exponentials(block: &mut [Lanes], class: &[usize; LANES], weights: Option<&[f32]>) -> Exponentials {
    let mut top = block[0];
    for lanes in block.iter() {
        for (top, &value) in top.iter_mut().zip(lanes) {
            *top = if value > *top || value.is_nan() { value } else { *top };
        }
    }
    let own = std::array::from_fn(|lane| block[class[lane]][lane] - top[lane]);
    let (mut sum, mut weighted) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for (k, lanes) in block.iter_mut().enumerate() {
        for (value, top) in lanes.iter_mut().zip(&top) {
            *value -= top;
        }
        if let Some(weights) = weights {
            let weight = weights[k];
            for (weighted, value) in weighted.iter_mut().zip(lanes.iter()) {
                *weighted += weight * value;
            }
        }
        for (value, sum) in lanes.iter_mut().zip(&mut sum) {
            *value = exp(*value);
            *sum += *value;
        }
    }
    let mut log_sum = [0.0_f32; LANES];
    for (log, &sum) in log_sum.iter_mut().zip(&sum) {
        *log = ln(sum);
    }
    Exponentials { sum, log_sum, own, weighted }
}
