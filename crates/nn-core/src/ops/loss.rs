//! Losses whose gradient is found together with their value.
//!
//! Forward leaves the gradient of the reduced loss where the logits were; backward only multiplies it by what
//! comes in, and not even that when it is one, as for the loss itself. The functions that users call, with the
//! composed forms for other devices, are in [`crate::losses`].

mod classes;
mod math;
mod points;
mod regions;
mod tape;
mod tiles;

use super::memory::Buffer;
use super::norm::lanes::{PART, contiguous, copy_in, each_plane, transform, values, vector, vectorised};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Int, Tensor, TensorData};
use burn_flex::FlexTensor;
use rayon::prelude::*;
use std::borrow::Cow;

/// How the losses of all positions become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduce {
    Mean,
    Sum,
    /// Not at all.
    Each,
}

/// Settings of the softmax cross-entropy and, with `gamma` above zero, of the focal loss.
#[derive(Debug, Clone)]
pub(crate) struct ClassLoss {
    pub(crate) weights: Option<Vec<f32>>,
    pub(crate) ignore: Option<i64>,
    pub(crate) smoothing: f32,
    pub(crate) gamma: f32,
}

impl ClassLoss {
    fn is_ignored(&self, target: i32) -> bool {
        self.ignore == Some(i64::from(target))
    }
}

/// Settings of the Tversky index, of which the Dice coefficient is a case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegionLoss {
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    pub(crate) smooth: f64,
    pub(crate) by_sample: bool,
    pub(crate) ignore: Option<i64>,
}

impl RegionLoss {
    fn is_ignored(&self, target: i32) -> bool {
        self.ignore == Some(i64::from(target))
    }
}

/// A loss of single values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PointLoss {
    /// Cross-entropy of the logistic function, with a weight of ones for each channel.
    Binary {
        positive: Option<Vec<f32>>,
    },
    Focal {
        alpha: Option<f32>,
        gamma: f32,
    },
    Squared,
    Absolute,
    Huber(f32),
}

/// Whether the losses of this module have a kernel for `x`.
pub(crate) fn runs_here<const D: usize>(x: &Tensor<D>) -> bool {
    super::runs_here(x)
}

/// Cross-entropy or focal loss: `[1]`, or one for each target.
pub(crate) fn of_classes<const D: usize, const T: usize, const R: usize>(
    logits: Tensor<D>,
    targets: Tensor<T, Int>,
    view: [usize; 3],
    loss: ClassLoss,
    reduce: Reduce,
) -> Tensor<R> {
    let (out, _gradient) =
        <Dispatch as LossOps>::class_loss(logits.into_dispatch(), targets.into_dispatch(), view, loss, reduce);
    Tensor::from_dispatch(out)
}

/// Tversky indices of each group and class, and last the mean cross-entropy, in one axis.
pub(crate) fn of_regions<const D: usize, const T: usize>(
    logits: Tensor<D>,
    targets: Tensor<T, Int>,
    view: [usize; 3],
    loss: RegionLoss,
) -> Tensor<1> {
    let (out, _probabilities, _counts) =
        <Dispatch as LossOps>::region_loss(logits.into_dispatch(), targets.into_dispatch(), view, loss);
    Tensor::from_dispatch(out)
}

/// A loss of single values: `[1]`, or one for each value. Weights are none, one for each row, or one for each
/// value.
pub(crate) fn of_points<const D: usize, const R: usize>(
    x: Tensor<D>,
    targets: Tensor<D>,
    weights: Option<Tensor<1>>,
    view: [usize; 3],
    loss: PointLoss,
    reduce: Reduce,
) -> Tensor<R> {
    let weights = weights.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    let (out, _gradient) = <Dispatch as LossOps>::point_loss(
        x.into_dispatch(),
        targets.into_dispatch(),
        weights.into_dispatch(),
        view,
        loss,
        reduce,
    );
    Tensor::from_dispatch(out)
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait LossOps: Backend {
    /// The loss, and its gradient.
    fn class_loss(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        view: [usize; 3],
        loss: ClassLoss,
        reduce: Reduce,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// The loss, and its gradient.
    fn point_loss(
        x: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        view: [usize; 3],
        loss: PointLoss,
        reduce: Reduce,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// A gradient times what comes in: one number, or one for each position of `view`.
    fn scaled(gradient: FloatTensor<Self>, grad: FloatTensor<Self>, view: [usize; 3]) -> FloatTensor<Self>;
    /// Indices and cross-entropy, probabilities, and counts in double precision.
    fn region_loss(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        view: [usize; 3],
        loss: RegionLoss,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn region_loss_backward(
        probabilities: FloatTensor<Self>,
        targets: IntTensor<Self>,
        counts: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        view: [usize; 3],
        loss: RegionLoss,
    ) -> FloatTensor<Self>;
}

/// Classes as 32-bit integers, without a copy when they are.
fn labels(targets: &FlexTensor) -> Cow<'_, [i32]> {
    match targets.dtype() {
        DType::I32 => Cow::Borrowed(targets.storage::<i32>()),
        DType::I64 => Cow::Owned(targets.storage::<i64>().iter().map(|&class| narrow(class)).collect()),
        DType::U8 => Cow::Owned(targets.storage::<u8>().iter().map(|&class| i32::from(class)).collect()),
        _ => Cow::Owned(targets.clone().into_data().iter::<i64>().map(narrow).collect()),
    }
}

/// A class that 32 bits cannot hold is no class either way.
fn narrow(class: i64) -> i32 {
    i32::try_from(class).unwrap_or(i32::MIN)
}

/// # Panics
/// When a target is neither a class nor the ignored one.
fn check(targets: &[i32], classes: usize, is_ignored: impl Fn(i32) -> bool + Sync) {
    let is_class = |target: i32| usize::try_from(target).is_ok_and(|target| target < classes);
    let is_wrong = |&&target: &&i32| !is_ignored(target) && !is_class(target);
    let wrong = targets.par_chunks(PART).find_map_first(|part| part.iter().find(is_wrong));
    assert!(wrong.is_none(), "target {} is none of {classes} classes", wrong.copied().unwrap_or_default());
}

/// A loss of one number, or of one for each position, as a tensor.
fn reduced(total: f64, each: Option<Buffer>, shape: burn::tensor::Shape) -> FlexTensor {
    each.map_or_else(|| vector(vec![total as f32]), |each| each.into_tensor(shape))
}

impl LossOps for Flex {
    fn class_loss(
        logits: FlexTensor,
        targets: FlexTensor,
        view: [usize; 3],
        loss: ClassLoss,
        reduce: Reduce,
    ) -> (FlexTensor, FlexTensor) {
        let targets = targets.to_contiguous();
        let classes = labels(&targets);
        check(&classes, view[1], |target| loss.is_ignored(target));
        let mut each = (reduce == Reduce::Each).then(|| Buffer::any(classes.len()));
        let (gradient, total) = transform(logits, |source, out| {
            classes::forward(&loss, view, reduce, (source, out), &classes, each.as_deref_mut())
        });
        (reduced(total, each, targets.shape()), gradient)
    }

    fn point_loss(
        x: FlexTensor,
        targets: FlexTensor,
        weights: FlexTensor,
        view: [usize; 3],
        loss: PointLoss,
        reduce: Reduce,
    ) -> (FlexTensor, FlexTensor) {
        let (targets, weights) = (targets.to_contiguous(), weights.to_contiguous());
        let shape = x.shape();
        let mut each = (reduce == Reduce::Each).then(|| Buffer::any(shape.num_elements()));
        let beside = points::Beside { target: values(&targets), weights: values(&weights) };
        let (gradient, total) = transform(x, |source, out| {
            points::forward(&loss, view, reduce, (source, out), beside, each.as_deref_mut())
        });
        (reduced(total, each, shape), gradient)
    }

    fn scaled(gradient: FlexTensor, grad: FlexTensor, [_, classes, positions]: [usize; 3]) -> FlexTensor {
        let grad = grad.to_contiguous();
        let factors = values(&grad);
        if let [factor] = factors {
            if *factor == 1.0 {
                return gradient;
            }
            let scale = |source: Option<&[f32]>, out: &mut [f32]| {
                out.par_chunks_mut(PART).enumerate().for_each(|(k, part)| {
                    copy_in(source, k * PART, part);
                    scale_by(part, *factor);
                });
            };
            return transform(gradient, scale).0;
        }
        let scale = |source: Option<&[f32]>, out: &mut [f32]| {
            if positions == 1 {
                // one factor for each row of classes
                each_plane(out, classes, |row, start, part| {
                    copy_in(source, start, part);
                    scale_by(part, factors[row]);
                });
            } else {
                each_plane(out, positions, |plane, start, part| {
                    copy_in(source, start, part);
                    let first = plane / classes * positions + (start - plane * positions);
                    scale_by_each(part, &factors[first..first + part.len()]);
                });
            }
        };
        transform(gradient, scale).0
    }

    fn region_loss(
        logits: FlexTensor,
        targets: FlexTensor,
        view: [usize; 3],
        loss: RegionLoss,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let targets = targets.to_contiguous();
        let classes = labels(&targets);
        check(&classes, view[1], |target| loss.is_ignored(target));
        let (probabilities, counts) =
            transform(logits, |source, out| regions::forward(&loss, view, (source, out), &classes));
        let mut found: Vec<f32> = counts.sums.iter().map(|&sums| loss.index(sums) as f32).collect();
        found.push((counts.entropy / counts.positions.max(1.0)) as f32);
        let mut kept = counts.sums.as_flattened().to_vec();
        kept.push(counts.positions);
        let length = kept.len();
        (vector(found), probabilities, FlexTensor::from_data(TensorData::new(kept, [length])))
    }

    fn region_loss_backward(
        probabilities: FlexTensor,
        targets: FlexTensor,
        counts: FlexTensor,
        grad: FlexTensor,
        view: [usize; 3],
        loss: RegionLoss,
    ) -> FlexTensor {
        let (targets, grad) = (targets.to_contiguous(), contiguous(grad));
        let kept = counts.storage::<f64>();
        let (sums, positions) = kept.as_chunks::<3>();
        let counts = regions::Counts {
            sums: sums.to_vec(),
            entropy: 0.0,
            positions: positions.first().copied().unwrap_or_default(),
        };
        let work = |source: Option<&[f32]>, out: &mut [f32]| {
            regions::backward(&loss, view, &counts, (source, out), &labels(&targets), values(&grad));
        };
        transform(probabilities, work).0
    }
}

vectorised! {
    fn scale_by['a]['a](x: &'a mut [f32], factor: f32) -> () {
        for value in x.iter_mut() {
            *value *= factor;
        }
    }
}

vectorised! {
    fn scale_by_each['a]['a](x: &'a mut [f32], factors: &'a [f32]) -> () {
        for (value, factor) in x.iter_mut().zip(factors) {
            *value *= factor;
        }
    }
}
