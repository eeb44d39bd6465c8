//! Overlap of predicted and true regions over plain slices: soft counts of each class, the Tversky index made
//! of them, and the cross-entropy beside it.

use super::RegionLoss;
use super::classes::{Exponentials, exponentials};
use super::tiles::{Lanes, Task, tasks};
use crate::ops::norm::lanes::{LANES, join_columns, vectorised, wide};
use rayon::prelude::*;

/// What a region loss counts. All sums are over the positions that have a label.
pub(super) struct Counts {
    /// For each group, which is a sample or the whole batch, and each class: the sum of the probabilities at
    /// the positions of the class, the sum of all probabilities, and the number of positions.
    pub(super) sums: Vec<[f64; 3]>,
    /// Sum of the cross-entropies.
    pub(super) entropy: f64,
    /// Positions with a label.
    pub(super) positions: f64,
}

/// What one task counts.
type Part = (usize, Vec<[f64; 3]>, [f64; 2]);

/// Replaces logits by probabilities, zero where there is no label, and counts.
pub(super) fn forward(
    loss: &RegionLoss,
    [batch, classes, positions]: [usize; 3],
    (source, out): (Option<&[f32]>, &mut [f32]),
    targets: &[i32],
) -> Counts {
    let parts: Vec<Part> = tasks([batch, classes, positions], source, out, targets, None, true)
        .into_par_iter()
        .map(|mut task| count(&mut task, loss, classes))
        .collect();
    let groups = if loss.by_sample { batch } else { 1 };
    let mut counts = Counts { sums: Vec::with_capacity(groups * classes), entropy: 0.0, positions: 0.0 };
    for group in 0..groups {
        let own = parts.iter().filter(|(sample, ..)| !loss.by_sample || *sample == group);
        let sums = own.map(|(_, sums, _)| sums.clone());
        let add = |a: [f64; 3], b: [f64; 3]| [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
        counts.sums.extend(join_columns(sums, classes, add));
    }
    for (_, _, [entropy, positions]) in parts {
        counts.entropy += entropy;
        counts.positions += positions;
    }
    counts
}

fn count(task: &mut Task<'_>, loss: &RegionLoss, classes: usize) -> Part {
    let mut block = vec![[0.0_f32; LANES]; classes];
    let mut masses = vec![[0.0_f32; LANES]; classes];
    let mut sums = vec![[0.0_f64; 3]; classes];
    let (mut entropy, mut positions) = (0.0, 0.0);
    for (at, length) in task.blocks() {
        task.load(at, length, &mut block);
        let mut class = [0; LANES];
        let mut labelled = [false; LANES];
        for (lane, &target) in task.targets[at..at + length].iter().enumerate() {
            labelled[lane] = !loss.is_ignored(target);
            if labelled[lane] {
                class[lane] = target as usize;
            } else {
                block.iter_mut().for_each(|lanes| lanes[lane] = 0.0);
            }
        }
        let surprise = softmax(&mut block, &class, &labelled, &mut masses);
        for lane in (0..length).filter(|&lane| labelled[lane]) {
            let sums = &mut sums[class[lane]];
            sums[0] += f64::from(block[class[lane]][lane]);
            sums[2] += 1.0;
            entropy += f64::from(surprise[lane]);
            positions += 1.0;
        }
        task.store(at, length, &block);
    }
    for (sums, masses) in sums.iter_mut().zip(&masses) {
        sums[1] = wide(masses);
    }
    (task.sample, sums, [entropy, positions])
}

vectorised! {
    /// Logits to probabilities, zero where there is no label, which are added to `masses`; returns minus the
    /// logarithm of the probability of each class.
    fn softmax['a]['a](
        block: &'a mut [Lanes],
        class: &'a [usize; LANES],
        labelled: &'a [bool; LANES],
        masses: &'a mut [Lanes],
    ) -> Lanes {
        let Exponentials { sum, log_sum, own, .. } = exponentials(block, class, None);
        let mut share = [0.0_f32; LANES];
        for ((share, sum), &labelled) in share.iter_mut().zip(&sum).zip(labelled) {
            *share = if labelled { sum.recip() } else { 0.0 };
        }
        for (lanes, masses) in block.iter_mut().zip(masses.iter_mut()) {
            for (((value, share), mass), &labelled) in lanes.iter_mut().zip(&share).zip(masses).zip(labelled) {
                // Lanes behind the last position hold anything.
                *value = if labelled { *value * share } else { 0.0 };
                *mass += *value;
            }
        }
        let mut surprise = [0.0_f32; LANES];
        for ((surprise, log_sum), own) in surprise.iter_mut().zip(&log_sum).zip(&own) {
            *surprise = log_sum - own;
        }
        surprise
    }
}

impl RegionLoss {
    /// The Tversky index (Salehi et al. 2017), `(TP + smooth) / (TP + α FP + β FN + smooth)`, of one class of
    /// one group; 1 where nothing is predicted and nothing is there.
    fn parts(&self, [hits, mass, positions]: [f64; 3]) -> (f64, f64) {
        let above = hits + self.smooth;
        let below = hits + self.alpha * (mass - hits) + self.beta * (positions - hits) + self.smooth;
        (above, below)
    }

    pub(super) fn index(&self, sums: [f64; 3]) -> f64 {
        let (above, below) = self.parts(sums);
        if below == 0.0 { 1.0 } else { above / below }
    }

    /// The derivative of the index by a probability is the second of these, and at positions of the class
    /// the first more.
    fn slopes(&self, sums: [f64; 3]) -> [f64; 2] {
        let (above, below) = self.parts(sums);
        if below == 0.0 {
            return [0.0; 2];
        }
        let square = below * below;
        [(below - above * (1.0 - self.alpha - self.beta)) / square, -above * self.alpha / square]
    }
}

/// Replaces probabilities by the gradient of the logits. `grad` are the gradients of the indices, and last
/// that of the mean cross-entropy.
pub(super) fn backward(
    loss: &RegionLoss,
    [batch, classes, positions]: [usize; 3],
    counts: &Counts,
    (source, out): (Option<&[f32]>, &mut [f32]),
    targets: &[i32],
    grad: &[f32],
) {
    let (of_indices, of_entropy) = grad.split_at(counts.sums.len());
    let slopes: Vec<[f32; 2]> = counts
        .sums
        .iter()
        .zip(of_indices)
        .map(|(&sums, &grad)| loss.slopes(sums).map(|slope| (slope * f64::from(grad)) as f32))
        .collect();
    let entropy = of_entropy.first().map_or(0.0, |&grad| (f64::from(grad) / counts.positions.max(1.0)) as f32);
    tasks([batch, classes, positions], source, out, targets, None, true).into_par_iter().for_each(|mut task| {
        let group = if loss.by_sample { task.sample } else { 0 };
        let slopes = &slopes[group * classes..][..classes];
        let everywhere: Vec<f32> = slopes.iter().map(|slopes| slopes[1]).collect();
        let mut block = vec![[0.0_f32; LANES]; classes];
        for (at, length) in task.blocks() {
            task.load(at, length, &mut block);
            let mut labels = Labels { class: [0; LANES], hit: [0.0; LANES], entropy: [0.0; LANES] };
            for (lane, &target) in task.targets[at..at + length].iter().enumerate() {
                if !loss.is_ignored(target) {
                    labels.class[lane] = target as usize;
                    labels.hit[lane] = slopes[target as usize][0];
                    labels.entropy[lane] = entropy;
                }
            }
            gradient(&mut block, &everywhere, &labels);
            task.store(at, length, &block);
        }
    });
}

/// The targets of a block, and what they do to the gradient.
struct Labels {
    class: [usize; LANES],
    /// Derivative by the probability of the class, above that by every probability.
    hit: Lanes,
    /// Derivative by the cross-entropy.
    entropy: Lanes,
}

vectorised! {
    /// Through the softmax: `p_c (g_c − Σ_k p_k g_k)`, with g the derivative by the probabilities.
    fn gradient['a]['a](block: &'a mut [Lanes], everywhere: &'a [f32], labels: &'a Labels) -> () {
        let Labels { class, hit, entropy } = labels;
        let own: Lanes = std::array::from_fn(|lane| block[class[lane]][lane] * hit[lane]);
        let mut mean = own;
        for (lanes, slope) in block.iter().zip(everywhere) {
            for (mean, value) in mean.iter_mut().zip(lanes) {
                *mean += value * slope;
            }
        }
        for (lanes, slope) in block.iter_mut().zip(everywhere) {
            for ((value, mean), entropy) in lanes.iter_mut().zip(&mean).zip(entropy) {
                *value *= slope - mean + entropy;
            }
        }
        for (lane, ((&class, own), entropy)) in class.iter().zip(&own).zip(entropy).enumerate() {
            block[class][lane] += own - entropy;
        }
    }
}
