//! The normalisations on burn's tape.

use super::activation::Activation;
use super::register::{NormOps, Plan};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

/// What the backward of a normalisation needs: x, gamma, beta, statistics, and how it was done.
type NormState<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Plan);

#[derive(Debug)]
struct NormBackward;

impl<B: NormOps> Backward<B, 3> for NormBackward {
    type State = NormState<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, gamma, beta, statistics, plan) = ops.state;
        let parameters = ops.parents[1].is_some() || ops.parents[2].is_some();
        let (dx, dgamma, dbeta) = B::norm_act_backward(x, gamma, beta, statistics, grad, plan, parameters);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dgamma, dbeta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct LayerNormBackward;

impl<B: NormOps> Backward<B, 3> for LayerNormBackward {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, f64, Activation);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, gamma, beta, epsilon, activation) = ops.state;
        let (dx, dgamma, dbeta) = B::layer_norm_act_backward(x, gamma, beta, grad, epsilon, activation);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dgamma, dbeta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: NormOps, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn batch_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (px, pg, pb) = (x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone());
        let (out, mean, variance, statistics) = B::batch_norm_act(px.clone(), pg.clone(), pb.clone(), plan);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let out = match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pg, pb, statistics.clone(), plan), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        let constant = <Self as AutodiffBackend>::from_inner;
        (out, constant(mean), constant(variance), constant(statistics))
    }

    fn group_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (px, pg, pb) = (x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone());
        let (out, statistics) = B::group_norm_act(px.clone(), pg.clone(), pb.clone(), plan);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let out = match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pg, pb, statistics.clone(), plan), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (out, <Self as AutodiffBackend>::from_inner(statistics))
    }

    fn constant_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (px, pg, pb) = (x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone());
        let constants = (mean.into_primitive(), variance.into_primitive());
        let (out, statistics) =
            B::constant_norm_act(px.clone(), pg.clone(), pb.clone(), constants.0, constants.1, plan);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let out = match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pg, pb, statistics.clone(), plan), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (out, <Self as AutodiffBackend>::from_inner(statistics))
    }

    fn layer_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let (px, pg, pb) = (x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone());
        let out = B::layer_norm_act(px.clone(), pg.clone(), pb.clone(), epsilon, activation);
        let nodes = [x.node(), gamma.node(), beta.node()];
        match LayerNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pg, pb, epsilon, activation), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn norm_act_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Plan,
        _: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }

    fn layer_norm_act_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
        _: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why a gradient is never asked for as a differentiable value: burn's tape is consumed by one pass.
const SECOND_ORDER: &str = "burn has no second-order gradients";
