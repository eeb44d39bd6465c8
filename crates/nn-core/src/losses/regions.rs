//! Overlap of predicted and true regions: soft Dice, Tversky, and Dice beside cross-entropy.

use super::classes::class_view;
use super::view;
use crate::ops::loss::{self, ClassLoss, RegionLoss};
use burn::tensor::{Int, Tensor, activation};
use serde::{Deserialize, Serialize};

/// Soft Dice loss of the softmax over the second axis (Milletari et al. 2016, with sums in place of sums of
/// squares, as nnU-Net and MONAI have it): one minus the mean of
/// `(2 Σ p t + smooth) / (Σ p + Σ t + smooth)` over classes and, with `by_sample`, samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dice {
    /// Added above and below; keeps classes that a batch lacks defined. Zero or more.
    pub smooth: f32,
    /// Sums over each sample, and not over the batch as one.
    pub by_sample: bool,
    /// Whether class 0 takes part in the mean.
    pub background: bool,
    /// The target that stands for a missing label.
    pub ignore: Option<i64>,
}

impl Default for Dice {
    fn default() -> Self {
        Self { smooth: 1e-5, by_sample: false, background: true, ignore: None }
    }
}

impl Dice {
    /// The soft coefficient of each class, 1 is perfect.
    ///
    /// # Shapes
    /// - logits `[batch, classes, positions…]`, targets `[batch, positions…]`
    /// - output `[batch, classes]` with `by_sample`, otherwise `[1, classes]`; without class 0 unless `background`
    ///
    /// # Panics
    /// When the shapes disagree, a target is no class (checked on the CPU), or no class is left.
    pub fn coefficients<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
    ) -> Tensor<2> {
        self.tversky().indices(logits, targets)
    }

    /// One minus the mean coefficient.
    ///
    /// # Shapes
    /// - as [`Dice::coefficients`]; output `[1]`
    ///
    /// # Panics
    /// As [`Dice::coefficients`].
    pub fn forward<const D: usize, const T: usize>(&self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<1> {
        self.tversky().forward(logits, targets)
    }

    /// `weights[0]` times this loss plus `weights[1]` times the mean cross-entropy (Isensee et al. 2021 take 1
    /// and 1), from one softmax.
    ///
    /// # Shapes
    /// - as [`Dice::coefficients`]; output `[1]`
    ///
    /// # Panics
    /// As [`Dice::coefficients`].
    pub fn with_cross_entropy<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        weights: [f32; 2],
    ) -> Tensor<1> {
        let (indices, entropy) = self.tversky().found(logits, targets);
        one_minus_mean(indices).mul_scalar(weights[0]) + entropy.mul_scalar(weights[1])
    }

    /// With α = β = ½ the Tversky index is the Dice coefficient, of half the smoothing.
    fn tversky(self) -> Tversky {
        let Self { smooth, by_sample, background, ignore } = self;
        Tversky { alpha: 0.5, beta: 0.5, smooth: 0.5 * smooth, by_sample, background, ignore }
    }
}

/// Tversky loss of the softmax over the second axis (Salehi et al. 2017): one minus the mean of
/// `(TP + smooth) / (TP + α FP + β FN + smooth)`, the counts being soft.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tversky {
    /// Weight of false positives; 0.3 in the paper.
    pub alpha: f32,
    /// Weight of false negatives; 0.7 in the paper.
    pub beta: f32,
    /// Added above and below. Zero or more.
    pub smooth: f32,
    /// Sums over each sample, and not over the batch as one.
    pub by_sample: bool,
    /// Whether class 0 takes part in the mean.
    pub background: bool,
    /// The target that stands for a missing label.
    pub ignore: Option<i64>,
}

impl Default for Tversky {
    fn default() -> Self {
        Self { alpha: 0.3, beta: 0.7, smooth: 1e-5, by_sample: false, background: true, ignore: None }
    }
}

impl Tversky {
    /// The index of each class, 1 is perfect.
    ///
    /// # Shapes
    /// - as [`Dice::coefficients`]
    ///
    /// # Panics
    /// As [`Dice::coefficients`].
    pub fn indices<const D: usize, const T: usize>(&self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<2> {
        self.found(logits, targets).0
    }

    /// One minus the mean index.
    ///
    /// # Shapes
    /// - as [`Dice::coefficients`]; output `[1]`
    ///
    /// # Panics
    /// As [`Dice::coefficients`].
    pub fn forward<const D: usize, const T: usize>(&self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<1> {
        one_minus_mean(self.indices(logits, targets))
    }

    /// Indices of each group and class that takes part, and the mean cross-entropy.
    fn found<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
    ) -> (Tensor<2>, Tensor<1>) {
        let view = class_view(&logits, &targets);
        let first = usize::from(!self.background);
        assert!(first < view[1], "an overlap of {} classes without the background has no class left", view[1]);
        assert!(self.smooth >= 0.0 && self.alpha >= 0.0 && self.beta >= 0.0, "{self:?} has a negative number");
        let (indices, entropy) = if loss::runs_here(&logits) {
            self.fused(logits, targets, view)
        } else {
            self.composed(logits, targets, view)
        };
        (indices.narrow(1, first, view[1] - first), entropy)
    }

    fn fused<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        view: [usize; 3],
    ) -> (Tensor<2>, Tensor<1>) {
        // An empty batch is one group, of nothing.
        let by_sample = self.by_sample && view[0] > 0;
        let groups = if by_sample { view[0] } else { 1 };
        let settings = RegionLoss {
            alpha: f64::from(self.alpha),
            beta: f64::from(self.beta),
            smooth: f64::from(self.smooth),
            by_sample,
            ignore: self.ignore,
        };
        let found = loss::of_regions(logits, targets, view, settings);
        let count = groups * view[1];
        (found.clone().narrow(0, 0, count).reshape([groups, view[1]]), found.narrow(0, count, 1))
    }

    /// The same of burn's operations.
    pub(super) fn composed<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        view: [usize; 3],
    ) -> (Tensor<2>, Tensor<1>) {
        let [batch, classes, positions] = view;
        let device = logits.device();
        let settings = ClassLoss { weights: None, ignore: self.ignore, smoothing: 0.0, gamma: 0.0 };
        let (losses, _, counted) = settings.composed_each(logits.clone(), targets.clone(), view);
        let entropy = losses.sum() / counted.clone().sum().clamp_min(1.0);
        let shape = [batch, classes, positions];
        let counted = counted.expand(shape);
        let missing = counted.clone().equal_elem(0.0);
        let p = activation::softmax(logits.reshape(shape).mask_fill(missing, 0.0), 1) * counted.clone();
        let each = Tensor::<1, Int>::arange(0..classes as i64, &device).reshape([1, classes, 1]).expand(shape);
        let truth = targets.reshape([batch, 1, positions]).expand(shape).equal(each).float() * counted;
        (self.index(p, truth), entropy)
    }

    /// Indices of probabilities and truth, `[batch, classes, positions]` both.
    fn index(&self, p: Tensor<3>, truth: Tensor<3>) -> Tensor<2> {
        let sum = |x: Tensor<3>| {
            let [batch, classes, _] = x.dims();
            let by_sample = x.sum_dim(2).reshape([batch, classes]);
            if self.by_sample { by_sample } else { by_sample.sum_dim(0) }
        };
        let (hits, mass, positions) = (sum(p.clone() * truth.clone()), sum(p), sum(truth));
        let above = hits.clone() + self.smooth;
        let false_positives = (mass - hits.clone()).mul_scalar(self.alpha);
        let below = hits.clone() + false_positives + (positions - hits).mul_scalar(self.beta) + self.smooth;
        // Nothing predicted and nothing there is perfect.
        let nothing = below.clone().equal_elem(0.0);
        (above / below.mask_fill(nothing.clone(), 1.0)).mask_fill(nothing, 1.0)
    }
}

/// Soft Dice loss of given probabilities, for outputs that are no softmax, such as one logistic channel for
/// each of several overlapping regions. Composed of burn's operations on every device.
///
/// # Shapes
/// - probabilities and truth (0 or 1) `[batch, channels, positions…]`; output `[1]`
///
/// # Panics
/// When the shapes disagree or no channel is left. `ignore` has no meaning here and must be none.
pub fn dice_of_probabilities<const D: usize>(probabilities: Tensor<D>, truth: Tensor<D>, dice: &Dice) -> Tensor<1> {
    assert_eq!(probabilities.dims(), truth.dims(), "truth for probabilities");
    assert!(dice.ignore.is_none(), "a missing label needs a class; multiply probabilities and truth by a mask");
    let view = view(&probabilities);
    let first = usize::from(!dice.background);
    assert!(first < view[1], "an overlap of {} channels without the background has no channel left", view[1]);
    let indices = dice.tversky().index(probabilities.reshape(view), truth.detach().reshape(view));
    one_minus_mean(indices.narrow(1, first, view[1] - first))
}

fn one_minus_mean(indices: Tensor<2>) -> Tensor<1> {
    indices.mean().neg() + 1.0
}
