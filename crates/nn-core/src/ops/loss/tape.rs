//! The losses on burn's tape. Targets and weights are constants.

use super::{ClassLoss, LossOps, PointLoss, Reduce, RegionLoss};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend};

/// A loss whose gradient is known up to a factor.
#[derive(Debug)]
struct LossBackward;

impl<B: LossOps> Backward<B, 1> for LossBackward {
    type State = (FloatTensor<B>, [usize; 3]);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (gradient, view) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::scaled(gradient, grad, view));
        }
    }
}

/// What the backward of a region loss needs: probabilities, targets, counts.
type RegionState<B> = (FloatTensor<B>, IntTensor<B>, FloatTensor<B>, [usize; 3], RegionLoss);

#[derive(Debug)]
struct RegionBackward;

impl<B: LossOps> Backward<B, 1> for RegionBackward {
    type State = RegionState<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (probabilities, targets, counts, view, loss) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let gradient = B::region_loss_backward(probabilities, targets, counts, grad, view, loss);
            grads.register::<B>(node.id, gradient);
        }
    }
}

impl<B: LossOps, C: CheckpointStrategy> LossOps for Autodiff<B, C> {
    fn class_loss(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        view: [usize; 3],
        loss: ClassLoss,
        reduce: Reduce,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let node = logits.node();
        let (out, gradient) = B::class_loss(logits.into_primitive(), targets, view, loss, reduce);
        let constant = <Self as AutodiffBackend>::from_inner;
        match LossBackward.prepare::<C>([node]).compute_bound().stateful() {
            // The tape alone holds the gradient, so that backward can multiply in place.
            OpsKind::Tracked(prep) => (prep.finish((gradient, view), out.clone()), constant(out)),
            OpsKind::UnTracked(prep) => (prep.finish(out), constant(gradient)),
        }
    }

    fn point_loss(
        x: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        [batch, channels, positions]: [usize; 3],
        loss: PointLoss,
        reduce: Reduce,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let node = x.node();
        let (targets, weights) = (targets.into_primitive(), weights.into_primitive());
        let view = [batch, channels, positions];
        let (out, gradient) = B::point_loss(x.into_primitive(), targets, weights, view, loss, reduce);
        let constant = <Self as AutodiffBackend>::from_inner;
        // Every value is a position of its own.
        let all = [1, 1, batch * channels * positions];
        match LossBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => (prep.finish((gradient, all), out.clone()), constant(out)),
            OpsKind::UnTracked(prep) => (prep.finish(out), constant(gradient)),
        }
    }

    fn region_loss(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        view: [usize; 3],
        loss: RegionLoss,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let node = logits.node();
        let (out, probabilities, counts) = B::region_loss(logits.into_primitive(), targets.clone(), view, loss);
        let constant = <Self as AutodiffBackend>::from_inner;
        match RegionBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let known = constant(out.clone());
                (prep.finish((probabilities, targets, counts, view, loss), out), known.clone(), known)
            }
            OpsKind::UnTracked(prep) => (prep.finish(out), constant(probabilities), constant(counts)),
        }
    }

    fn scaled(_: FloatTensor<Self>, _: FloatTensor<Self>, _: [usize; 3]) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn region_loss_backward(
        _: FloatTensor<Self>,
        _: IntTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: [usize; 3],
        _: RegionLoss,
    ) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why a gradient is never asked for as a differentiable value: burn's tape is consumed by one pass.
const SECOND_ORDER: &str = "burn has no second-order gradients";
