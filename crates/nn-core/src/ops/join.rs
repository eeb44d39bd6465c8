//! Two feature maps side by side.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::memory::Buffer;
use super::norm::lanes::{contiguous, values};
use super::runs_here;

/// The channels of `a` and behind them those of `b`: what a skip connection does.
///
/// # Shapes
/// - a `[batch, channels a, axes…]`, b `[batch, channels b, axes…]`; output `[batch, channels a + channels b, axes…]`
///
/// # Panics
/// When the shapes differ in more than the channels.
pub fn join<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let (mut shape, other) = (a.dims(), b.dims());
    let same = (0..D).all(|axis| axis == 1 || shape[axis] == other[axis]);
    assert!(same, "feature maps {shape:?} and {other:?} differ in more than their channels");
    if !runs_here(&a) {
        return Tensor::cat(vec![a, b], 1);
    }
    shape[1] += other[1];
    Tensor::from_dispatch(<Dispatch as JoinOps>::join(a.into_dispatch(), b.into_dispatch(), Shape::from(shape)))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait JoinOps: Backend {
    fn join(a: FloatTensor<Self>, b: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>;
    /// The part of each row of `joined` that begins at `start`, as a tensor of `shape`.
    fn part(joined: FloatTensor<Self>, start: usize, shape: Shape) -> FloatTensor<Self>;
}

/// Values of one row of the batch.
fn row(shape: &Shape) -> usize {
    shape.num_elements() / shape[0].max(1)
}

impl JoinOps for Flex {
    fn join(a: FlexTensor, b: FlexTensor, shape: Shape) -> FlexTensor {
        let (a, b) = (contiguous(a), contiguous(b));
        let (first, second) = (row(&a.shape()), row(&b.shape()));
        let mut out = Buffer::any(shape.num_elements());
        if first + second > 0 {
            out.par_chunks_exact_mut(first + second).enumerate().for_each(|(n, out)| {
                let (left, right) = out.split_at_mut(first);
                rayon::join(
                    || left.copy_from_slice(&values(&a)[n * first..(n + 1) * first]),
                    || right.copy_from_slice(&values(&b)[n * second..(n + 1) * second]),
                );
            });
        }
        out.into_tensor(shape)
    }

    fn part(joined: FlexTensor, start: usize, shape: Shape) -> FlexTensor {
        let joined = contiguous(joined);
        let (whole, length) = (row(&joined.shape()), row(&shape));
        let mut out = Buffer::any(shape.num_elements());
        if length > 0 {
            out.par_chunks_exact_mut(length).enumerate().for_each(|(n, out)| {
                out.copy_from_slice(&values(&joined)[n * whole + start..][..length]);
            });
        }
        out.into_tensor(shape)
    }
}

#[derive(Debug)]
struct JoinBackward;

impl<B: JoinOps> Backward<B, 2> for JoinBackward {
    type State = [Shape; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let starts = [0, row(&ops.state[0])];
        for ((node, shape), start) in ops.parents.into_iter().zip(ops.state).zip(starts) {
            if let Some(node) = node {
                grads.register::<B>(node.id, B::part(grad.clone(), start, shape));
            }
        }
    }
}

impl<B: JoinOps, C: CheckpointStrategy> JoinOps for Autodiff<B, C> {
    fn join(a: FloatTensor<Self>, b: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        let (left, right) = (a.primitive().clone(), b.primitive().clone());
        let shapes = [left.shape(), right.shape()];
        match JoinBackward.prepare::<C>([a.node(), b.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shapes, B::join(left, right, shape)),
            OpsKind::UnTracked(prep) => prep.finish(B::join(left, right, shape)),
        }
    }

    fn part(_: FloatTensor<Self>, _: usize, _: Shape) -> FloatTensor<Self> {
        unreachable!("burn has no second-order gradients")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn it_is_burns_own_concatenation_with_its_gradients() {
        let device = Device::flex().autodiff();
        let random = |shape| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device).require_grad();
        let (a, b) = (random([3, 2, 4, 5]), random([3, 5, 4, 5]));
        let factor = Tensor::<4>::random([3, 7, 4, 5], Distribution::Uniform(-1.0, 1.0), &device);
        let (ours, burns) = (join(a.clone(), b.clone()), Tensor::cat(vec![a.clone(), b.clone()], 1));
        assert_eq!(ours.to_data(), burns.to_data());
        let (ours, burns) = ((ours * factor.clone()).sum().backward(), (burns * factor).sum().backward());
        assert_eq!(a.grad(&ours).unwrap().to_data(), a.grad(&burns).unwrap().to_data());
        assert_eq!(b.grad(&ours).unwrap().to_data(), b.grad(&burns).unwrap().to_data());
        assert_eq!(join(random([0, 2, 4, 5]), random([0, 1, 4, 5])).dims(), [0, 3, 4, 5]);
    }
}
