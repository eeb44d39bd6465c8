//! Softmax cross-entropy and focal loss.

use super::{Reduction, view};
use crate::ops::loss::{self, ClassLoss, Reduce};
use burn::tensor::{Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

/// Cross-entropy of the softmax over the second axis, as `torch.nn.functional.cross_entropy`.
///
/// The mean is `Σ loss / Σ weight of the target's class`, over the positions that are not ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// Weight of each class; 1 by default.
    pub weights: Option<Vec<f32>>,
    /// The target that stands for a missing label.
    pub ignore: Option<i64>,
    /// Share of the target that is spread evenly over all classes, in 0..=1.
    pub smoothing: f32,
}

impl CrossEntropy {
    /// The reduced loss.
    ///
    /// # Shapes
    /// - logits `[batch, classes, positions…]`, targets `[batch, positions…]`; output `[1]`
    ///
    /// # Panics
    /// When the shapes disagree, or a target is no class (checked on the CPU).
    pub fn forward<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        reduction: Reduction,
    ) -> Tensor<1> {
        self.loss().reduced(logits, targets, reduction)
    }

    /// The loss of each position, zero where the label is missing.
    ///
    /// # Shapes
    /// - as [`CrossEntropy::forward`]; output as targets
    ///
    /// # Panics
    /// As [`CrossEntropy::forward`].
    pub fn each<const D: usize, const T: usize>(&self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<T> {
        self.loss().each(logits, targets)
    }

    fn loss(&self) -> ClassLoss {
        let Self { weights, ignore, smoothing } = self.clone();
        ClassLoss { weights, ignore, smoothing, gamma: 0.0 }
    }
}

/// Focal loss of the softmax, `−w (1 − p)^γ ln p` with p the probability of the target's class (Lin et al.
/// 2017). The mean is over the positions that are not ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// γ, how much less the sure positions count; 2 in the paper, 0 is cross-entropy.
    pub gamma: f32,
    /// Weight of each class, the paper's α; 1 by default.
    pub weights: Option<Vec<f32>>,
    /// The target that stands for a missing label.
    pub ignore: Option<i64>,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 2.0, weights: None, ignore: None }
    }
}

impl Focal {
    /// The reduced loss.
    ///
    /// # Shapes
    /// - logits `[batch, classes, positions…]`, targets `[batch, positions…]`; output `[1]`
    ///
    /// # Panics
    /// When the shapes disagree, or a target is no class (checked on the CPU).
    pub fn forward<const D: usize, const T: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        reduction: Reduction,
    ) -> Tensor<1> {
        self.loss().reduced(logits, targets, reduction)
    }

    /// The loss of each position, zero where the label is missing.
    ///
    /// # Shapes
    /// - as [`Focal::forward`]; output as targets
    ///
    /// # Panics
    /// As [`Focal::forward`].
    pub fn each<const D: usize, const T: usize>(&self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<T> {
        self.loss().each(logits, targets)
    }

    fn loss(&self) -> ClassLoss {
        let Self { gamma, weights, ignore } = self.clone();
        ClassLoss { weights, ignore, smoothing: 0.0, gamma }
    }
}

impl ClassLoss {
    fn reduced<const D: usize, const T: usize>(
        self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        reduction: Reduction,
    ) -> Tensor<1> {
        let view = self.check(&logits, &targets);
        if loss::runs_here(&logits) {
            return loss::of_classes(logits, targets, view, self, Reduce::from(reduction));
        }
        self.composed(logits, targets, view, reduction)
    }

    fn each<const D: usize, const T: usize>(self, logits: Tensor<D>, targets: Tensor<T, Int>) -> Tensor<T> {
        let view = self.check(&logits, &targets);
        if loss::runs_here(&logits) {
            return loss::of_classes(logits, targets, view, self, Reduce::Each);
        }
        let shape = targets.dims();
        self.composed_each(logits, targets, view).0.reshape(shape)
    }

    fn check<const D: usize, const T: usize>(&self, logits: &Tensor<D>, targets: &Tensor<T, Int>) -> [usize; 3] {
        let view = class_view(logits, targets);
        let classes = view[1];
        if let Some(weights) = &self.weights {
            assert_eq!(weights.len(), classes, "class weights of {classes} classes");
        }
        assert!((0.0..=1.0).contains(&self.smoothing), "label smoothing {}; allowed: 0 to 1", self.smoothing);
        assert!(self.gamma >= 0.0, "gamma {} of a focal loss; use 0 or more", self.gamma);
        view
    }

    /// The reduced loss of burn's operations.
    pub(super) fn composed<const D: usize, const T: usize>(
        self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        view: [usize; 3],
        reduction: Reduction,
    ) -> Tensor<1> {
        let by_count = self.gamma > 0.0;
        let (losses, weight, counted) = self.composed_each(logits, targets, view);
        let shares = if by_count { counted } else { weight };
        match reduction {
            Reduction::Mean => {
                let total = shares.sum();
                // Without a single label there is no loss.
                losses.sum() / total.clone().mask_fill(total.lower_equal_elem(0.0), 1.0)
            }
            Reduction::Sum => losses.sum(),
        }
    }

    /// Loss and weight of each position, and whether it counts: `[batch, 1, positions]` each.
    pub(super) fn composed_each<const D: usize, const T: usize>(
        self,
        logits: Tensor<D>,
        targets: Tensor<T, Int>,
        [batch, classes, positions]: [usize; 3],
    ) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
        let device = logits.device();
        let weights = self.weights.unwrap_or_else(|| vec![1.0; classes]);
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [classes]), &device);
        let targets = targets.reshape([batch, 1, positions]);
        let missing = targets.clone().equal_elem(self.ignore.unwrap_or(i64::from(i32::MIN)));
        let targets = targets.mask_fill(missing.clone(), 0);
        // A broken logit at a position without a label stays out of the sums.
        let logits = logits.reshape([batch, classes, positions]);
        let logits = logits.mask_fill(missing.clone().expand([batch, classes, positions]), 0.0);
        let log_p = activation::log_softmax(logits, 1); // [batch, classes, positions]
        let counted = missing.bool_not().float(); // [batch, 1, positions]
        let weight = weights.clone().select(0, targets.clone().reshape([batch * positions]));
        let weight = weight.reshape([batch, 1, positions]) * counted.clone();
        let surprise = log_p.clone().gather(1, targets).neg(); // [batch, 1, positions]
        let hard = if self.gamma > 0.0 {
            let unsure = surprise.clone().neg().exp().neg().add_scalar(1.0);
            // The derivative of a power below one has no value at zero.
            weight.clone() * surprise * unsure.clamp_min(1e-12).powf_scalar(self.gamma)
        } else {
            weight.clone() * surprise
        };
        let losses = if self.smoothing > 0.0 {
            let spread = (log_p.neg() * weights.reshape([1, classes, 1])).sum_dim(1) * counted.clone();
            hard.mul_scalar(1.0 - self.smoothing) + spread.mul_scalar(self.smoothing / classes as f32)
        } else {
            hard
        };
        (losses, weight, counted)
    }
}

/// Checks the shapes of logits and their classes, and returns `[batch, classes, positions]`.
///
/// # Panics
/// When they disagree.
pub(super) fn class_view<const D: usize, const T: usize>(logits: &Tensor<D>, targets: &Tensor<T, Int>) -> [usize; 3] {
    let (dims, found) = (logits.dims(), targets.dims());
    assert!(D >= 2 && dims[1] > 0, "logits of shape {dims:?} have no classes");
    let expected: Vec<usize> = dims[..1].iter().chain(&dims[2..]).copied().collect();
    assert!(found[..] == expected[..], "targets of shape {found:?} for logits of shape {dims:?}");
    view(logits)
}
