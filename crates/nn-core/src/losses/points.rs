//! Losses of single values: binary cross-entropy, squared and absolute error, and what lies between.

use super::{Reduction, view};
use crate::ops::loss::{self, PointLoss, Reduce};
use burn::tensor::{Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

/// Cross-entropy of the logistic function, as `torch.nn.functional.binary_cross_entropy_with_logits`.
///
/// The mean is `Σ weight · loss / Σ weight`, so that missing labels, whose weight is zero, make no difference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    /// Weight of ones for each channel (the second axis); 1 by default.
    pub positive: Option<Vec<f32>>,
}

impl BinaryCrossEntropy {
    /// The reduced loss. Weights are one for each logit or, with every other axis of length one, for each row.
    ///
    /// # Shapes
    /// - logits and targets `[batch, channels, positions…]` or `[batch]`, weights the same or `[batch, 1…]`
    /// - output `[1]`
    ///
    /// # Panics
    /// When the shapes disagree.
    pub fn forward<const D: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<D>,
        weights: Option<Tensor<D>>,
        reduction: Reduction,
    ) -> Tensor<1> {
        reduced(self.loss(&logits), logits, targets, weights, reduction)
    }

    /// The weighted loss of each logit.
    ///
    /// # Shapes
    /// - as [`BinaryCrossEntropy::forward`]; output as logits
    ///
    /// # Panics
    /// As [`BinaryCrossEntropy::forward`].
    pub fn each<const D: usize>(&self, logits: Tensor<D>, targets: Tensor<D>, weights: Option<Tensor<D>>) -> Tensor<D> {
        each(self.loss(&logits), logits, targets, weights)
    }

    fn loss<const D: usize>(&self, logits: &Tensor<D>) -> PointLoss {
        let channels = view(logits)[1];
        if let Some(positive) = &self.positive {
            assert_eq!(positive.len(), channels, "weights of ones in {channels} channels");
        }
        PointLoss::Binary { positive: self.positive.clone() }
    }
}

/// Focal loss of the logistic function (Lin et al. 2017), as `torchvision.ops.sigmoid_focal_loss`.
///
/// The mean is `Σ weight · loss / Σ weight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryFocal {
    /// γ, how much less the sure logits count; 2 in the paper.
    pub gamma: f32,
    /// Weight of ones, in 0..=1, that of zeros being the rest; 0.25 in the paper, none for 1 both.
    pub alpha: Option<f32>,
}

impl Default for BinaryFocal {
    fn default() -> Self {
        Self { gamma: 2.0, alpha: Some(0.25) }
    }
}

impl BinaryFocal {
    /// The reduced loss; weights as in [`BinaryCrossEntropy::forward`].
    ///
    /// # Shapes
    /// - logits and targets the same, weights the same or `[batch, 1…]`; output `[1]`
    ///
    /// # Panics
    /// When the shapes disagree, or a setting is out of range.
    pub fn forward<const D: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<D>,
        weights: Option<Tensor<D>>,
        reduction: Reduction,
    ) -> Tensor<1> {
        reduced(self.loss(), logits, targets, weights, reduction)
    }

    /// The weighted loss of each logit.
    ///
    /// # Shapes
    /// - as [`BinaryFocal::forward`]; output as logits
    ///
    /// # Panics
    /// As [`BinaryFocal::forward`].
    pub fn each<const D: usize>(&self, logits: Tensor<D>, targets: Tensor<D>, weights: Option<Tensor<D>>) -> Tensor<D> {
        each(self.loss(), logits, targets, weights)
    }

    fn loss(&self) -> PointLoss {
        assert!(self.gamma >= 0.0, "gamma {} of a focal loss; use 0 or more", self.gamma);
        let alpha = self.alpha.unwrap_or(0.5);
        assert!((0.0..=1.0).contains(&alpha), "alpha {alpha} of a focal loss; allowed: 0 to 1");
        PointLoss::Focal { alpha: self.alpha, gamma: self.gamma }
    }
}

/// Squared error; weights as in [`BinaryCrossEntropy::forward`], for instance a mask of the rows.
///
/// # Shapes
/// - predictions and targets the same, weights the same or `[batch, 1…]`; output `[1]`
///
/// # Panics
/// When the shapes disagree.
pub fn mse<const D: usize>(
    predictions: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
    reduction: Reduction,
) -> Tensor<1> {
    reduced(PointLoss::Squared, predictions, targets, weights, reduction)
}

/// Absolute error; weights as in [`BinaryCrossEntropy::forward`].
///
/// # Shapes
/// - predictions and targets the same, weights the same or `[batch, 1…]`; output `[1]`
///
/// # Panics
/// When the shapes disagree.
pub fn mae<const D: usize>(
    predictions: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
    reduction: Reduction,
) -> Tensor<1> {
    reduced(PointLoss::Absolute, predictions, targets, weights, reduction)
}

/// Half the squared error up to `delta` and a line beyond (Huber 1964), as `torch.nn.functional.huber_loss`;
/// weights as in [`BinaryCrossEntropy::forward`].
///
/// # Shapes
/// - predictions and targets the same, weights the same or `[batch, 1…]`; output `[1]`
///
/// # Panics
/// When the shapes disagree, or `delta` is not above zero.
pub fn huber<const D: usize>(
    predictions: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
    delta: f32,
    reduction: Reduction,
) -> Tensor<1> {
    assert!(delta > 0.0, "delta {delta} of a Huber loss; use more than 0");
    reduced(PointLoss::Huber(delta), predictions, targets, weights, reduction)
}

fn reduced<const D: usize>(
    loss: PointLoss,
    x: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
    reduction: Reduction,
) -> Tensor<1> {
    check(&x, &targets, weights.as_ref());
    if loss::runs_here(&x) && loss::runs_here(&targets) {
        let view = view(&x);
        return loss::of_points(x, targets, weights.map(flat), view, loss, Reduce::from(reduction));
    }
    composed(&loss, x, targets, weights, reduction)
}

fn each<const D: usize>(loss: PointLoss, x: Tensor<D>, targets: Tensor<D>, weights: Option<Tensor<D>>) -> Tensor<D> {
    check(&x, &targets, weights.as_ref());
    if loss::runs_here(&x) && loss::runs_here(&targets) {
        let view = view(&x);
        return loss::of_points(x, targets, weights.map(flat), view, loss, Reduce::Each);
    }
    composed_each(&loss, x, targets, weights).0
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let length = x.shape().num_elements();
    x.reshape([length])
}

fn check<const D: usize>(x: &Tensor<D>, targets: &Tensor<D>, weights: Option<&Tensor<D>>) {
    let dims = x.dims();
    assert_eq!(targets.dims(), dims, "targets for values of shape {dims:?}");
    let Some(found) = weights.map(Tensor::dims) else {
        return;
    };
    let by_row = found[0] == dims[0] && found[1..].iter().all(|&length| length == 1);
    assert!(by_row || found == dims, "weights of shape {found:?} for values of shape {dims:?}");
}

/// The reduced loss of burn's operations.
pub(super) fn composed<const D: usize>(
    loss: &PointLoss,
    x: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
    reduction: Reduction,
) -> Tensor<1> {
    let (losses, weights) = composed_each(loss, x, targets, weights);
    match reduction {
        Reduction::Mean => {
            let total = weights.sum();
            // Without a single label there is no loss.
            losses.sum() / total.clone().mask_fill(total.lower_equal_elem(0.0), 1.0)
        }
        Reduction::Sum => losses.sum(),
    }
}

/// The weighted loss and the weight of each value.
pub(super) fn composed_each<const D: usize>(
    loss: &PointLoss,
    x: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<D>>,
) -> (Tensor<D>, Tensor<D>) {
    let dims = x.dims();
    let weights = weights.map_or_else(|| x.ones_like(), |weights| weights.expand(dims)).detach();
    // What has no weight does not count, whatever stands there.
    let missing = weights.clone().equal_elem(0.0);
    let (x, targets) = (x.mask_fill(missing.clone(), 0.0), targets.detach().mask_fill(missing, 0.0));
    let losses = match loss {
        PointLoss::Binary { positive } => {
            let mut shape = [1; D];
            let channels = dims.get(1).copied().unwrap_or(1);
            shape[D.min(2) - 1] = channels;
            let positive = positive.clone().unwrap_or_else(|| vec![1.0; channels]);
            let positive = Tensor::<1>::from_data(TensorData::new(positive, [channels]), &x.device()).reshape(shape);
            entropy(x, &targets, positive)
        }
        PointLoss::Focal { alpha, gamma } => {
            let ones = targets.ones_like();
            let zeros = ones.clone() - targets.clone();
            let p = activation::sigmoid(x.clone());
            let q = activation::sigmoid(x.clone().neg());
            // The derivative of a power below one has no value at zero.
            let unsure = (p * zeros.clone() + q * targets.clone()).clamp_min(1e-12).powf_scalar(*gamma);
            let losses = entropy(x, &targets, ones) * unsure;
            match alpha {
                Some(alpha) => losses * (targets.mul_scalar(*alpha) + zeros.mul_scalar(1.0 - alpha)),
                None => losses,
            }
        }
        PointLoss::Squared => (x - targets).square(),
        PointLoss::Absolute => (x - targets).abs(),
        PointLoss::Huber(delta) => {
            let apart = x - targets;
            let size = apart.clone().abs();
            let line = size.clone().sub_scalar(0.5 * delta).mul_scalar(*delta);
            let far = size.greater_elem(*delta);
            apart.square().mul_scalar(0.5).mask_where(far, line)
        }
    };
    (losses * weights.clone(), weights)
}

/// Cross-entropy of the logistic function, with a weight of ones that broadcasts.
fn entropy<const D: usize>(x: Tensor<D>, targets: &Tensor<D>, positive: Tensor<D>) -> Tensor<D> {
    let weight = (positive - 1.0) * targets.clone() + 1.0;
    let zeros = targets.clone().neg() + 1.0;
    // ln(1 + e^−x) = ln(1 + e^−|x|) + max(−x, 0)
    let softplus = x.clone().abs().neg().exp().log1p() + x.clone().neg().clamp_min(0.0);
    zeros * x + weight * softplus
}
