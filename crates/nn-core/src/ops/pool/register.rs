//! Registers the poolings with burn.

use super::window::Window;
use super::{average, global, maximum};
use crate::ops::memory::Buffer;
use crate::ops::norm::lanes::values;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, TensorData};
use burn_flex::FlexTensor;

#[backend_extension(Autodiff, Flex)]
pub(super) trait PoolOps: Backend {
    /// Output of `shape`, and where the maxima lie: bytes are offsets in the windows, words are places in
    /// the planes.
    fn max_pool(x: FloatTensor<Self>, window: Window, shape: Shape) -> (FloatTensor<Self>, IntTensor<Self>);
    fn max_pool_backward(
        best: IntTensor<Self>,
        grad: FloatTensor<Self>,
        window: Window,
        shape: Shape,
    ) -> FloatTensor<Self>;
    fn avg_pool(x: FloatTensor<Self>, window: Window, count_padding: bool, shape: Shape) -> FloatTensor<Self>;
    fn avg_pool_backward(
        grad: FloatTensor<Self>,
        window: Window,
        count_padding: bool,
        shape: Shape,
    ) -> FloatTensor<Self>;
    fn global_max(x: FloatTensor<Self>, view: [usize; 3]) -> (FloatTensor<Self>, IntTensor<Self>);
    fn global_max_backward(best: IntTensor<Self>, grad: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>;
    fn global_avg(x: FloatTensor<Self>, view: [usize; 3]) -> FloatTensor<Self>;
    fn global_avg_backward(grad: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>;
}

/// Values of a plane of `[batch, channels, positions…]`.
fn positions(shape: &Shape) -> usize {
    shape.as_slice()[2..].iter().product()
}

impl PoolOps for Flex {
    fn max_pool(x: FlexTensor, window: Window, shape: Shape) -> (FlexTensor, FlexTensor) {
        let x = x.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        let best = match maximum::forward(values(&x), &window, &mut out) {
            maximum::Best::Offset(offsets) => TensorData::new(offsets, shape.clone()),
            maximum::Best::Index(indices) => TensorData::new(indices, shape.clone()),
        };
        (out.into_tensor(shape), FlexTensor::from_data(best))
    }

    fn max_pool_backward(best: FlexTensor, grad: FlexTensor, window: Window, shape: Shape) -> FlexTensor {
        let grad = grad.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        if best.dtype() == DType::U8 {
            maximum::backward_of_tiles(best.storage::<u8>(), values(&grad), &window, &mut out);
        } else {
            let sizes = [window.inputs(), window.outputs()];
            maximum::backward_of_indices(best.storage::<u32>(), values(&grad), sizes, &mut out);
        }
        out.into_tensor(shape)
    }

    fn avg_pool(x: FlexTensor, window: Window, count_padding: bool, shape: Shape) -> FlexTensor {
        let x = x.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        average::forward(values(&x), &window, count_padding, &mut out);
        out.into_tensor(shape)
    }

    fn avg_pool_backward(grad: FlexTensor, window: Window, count_padding: bool, shape: Shape) -> FlexTensor {
        let grad = grad.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        average::backward(values(&grad), &window, count_padding, &mut out);
        out.into_tensor(shape)
    }

    fn global_max(x: FlexTensor, [batch, channels, size]: [usize; 3]) -> (FlexTensor, FlexTensor) {
        let x = x.to_contiguous();
        let (out, best) = global::maximum(values(&x), size);
        let (out, best) = (TensorData::new(out, [batch, channels]), TensorData::new(best, [batch, channels]));
        (FlexTensor::from_data(out), FlexTensor::from_data(best))
    }

    fn global_max_backward(best: FlexTensor, grad: FlexTensor, shape: Shape) -> FlexTensor {
        let grad = grad.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        maximum::backward_of_indices(best.storage::<u32>(), values(&grad), [positions(&shape), 1], &mut out);
        out.into_tensor(shape)
    }

    fn global_avg(x: FlexTensor, [batch, channels, size]: [usize; 3]) -> FlexTensor {
        let x = x.to_contiguous();
        FlexTensor::from_data(TensorData::new(global::average(values(&x), size), [batch, channels]))
    }

    fn global_avg_backward(grad: FlexTensor, shape: Shape) -> FlexTensor {
        let grad = grad.to_contiguous();
        let mut out = Buffer::any(shape.num_elements());
        global::average_backward(values(&grad), positions(&shape), &mut out);
        out.into_tensor(shape)
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

impl<B: PoolOps> Backward<B, 1> for MaxPoolBackward {
    type State = (IntTensor<B>, Window, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (best, window, shape) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::max_pool_backward(best, grad, window, shape));
        }
    }
}

#[derive(Debug)]
struct AvgPoolBackward;

impl<B: PoolOps> Backward<B, 1> for AvgPoolBackward {
    type State = (Window, bool, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (window, count_padding, shape) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::avg_pool_backward(grad, window, count_padding, shape));
        }
    }
}

#[derive(Debug)]
struct GlobalMaxBackward;

impl<B: PoolOps> Backward<B, 1> for GlobalMaxBackward {
    type State = (IntTensor<B>, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (best, shape) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::global_max_backward(best, grad, shape));
        }
    }
}

#[derive(Debug)]
struct GlobalAvgBackward;

impl<B: PoolOps> Backward<B, 1> for GlobalAvgBackward {
    type State = Shape;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::global_avg_backward(grad, ops.state));
        }
    }
}

impl<B: PoolOps, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn max_pool(x: FloatTensor<Self>, window: Window, shape: Shape) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (node, input) = (x.node(), x.shape());
        let (out, best) = B::max_pool(x.into_primitive(), window, shape);
        let out = match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((best.clone(), window, input), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (out, best)
    }

    fn avg_pool(x: FloatTensor<Self>, window: Window, count_padding: bool, shape: Shape) -> FloatTensor<Self> {
        let (node, input) = (x.node(), x.shape());
        let out = B::avg_pool(x.into_primitive(), window, count_padding, shape);
        match AvgPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((window, count_padding, input), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn global_max(x: FloatTensor<Self>, view: [usize; 3]) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (node, input) = (x.node(), x.shape());
        let (out, best) = B::global_max(x.into_primitive(), view);
        let out = match GlobalMaxBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((best.clone(), input), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (out, best)
    }

    fn global_avg(x: FloatTensor<Self>, view: [usize; 3]) -> FloatTensor<Self> {
        let (node, input) = (x.node(), x.shape());
        let out = B::global_avg(x.into_primitive(), view);
        match GlobalAvgBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(input, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn max_pool_backward(_: IntTensor<Self>, _: FloatTensor<Self>, _: Window, _: Shape) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn avg_pool_backward(_: FloatTensor<Self>, _: Window, _: bool, _: Shape) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn global_max_backward(_: IntTensor<Self>, _: FloatTensor<Self>, _: Shape) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn global_avg_backward(_: FloatTensor<Self>, _: Shape) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why a gradient is never asked for as a differentiable value: burn's tape is consumed by one pass.
const SECOND_ORDER: &str = "burn has no second-order gradients";
