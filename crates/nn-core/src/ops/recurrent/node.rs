//! Registers the recurrent operations with burn: a whole sequence is one node of the tape.
//!
//! The last state is a second value of the same computation, but a node of burn's has one. It becomes a child of the
//! sequence's node that has no gradient of its own to pass on: its backward step, which comes before that of its parent,
//! leaves the gradient where the parent finds it.
// Six gradients in one tuple: the macro that routes operations knows no other form.
#![allow(clippy::type_complexity)]

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::Shape;
use burn_flex::FlexTensor;

use super::Cell;
use super::cell::{Gru, Lstm, Plain, Unit};
use super::kernel::Packed;
use super::sweep::{self, Columns, Forward, Order, Sizes};
use crate::ops::memory::Buffer;

/// What is computed, beside the tensors.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Plan {
    pub(super) cell: Cell,
    /// Real steps of each row.
    pub(super) lengths: Arc<[usize]>,
    pub(super) reverse: bool,
    /// Whether the backward pass needs the gradient of the input.
    pub(super) of_input: bool,
}

impl Plan {
    fn order(&self) -> Order<'_> {
        Order { lengths: &self.lengths, reverse: self.reverse }
    }
}

#[backend_extension(Autodiff, Flex)]
pub(in crate::ops) trait RecurrentOps: Backend {
    /// Sequence and last state.
    fn recurrent(
        x: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        bias_ih: FloatTensor<Self>,
        bias_hh: FloatTensor<Self>,
        state: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// The same, and what the backward pass needs.
    fn recurrent_kept(
        x: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        bias_ih: FloatTensor<Self>,
        bias_hh: FloatTensor<Self>,
        state: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of the six tensors in their order; that of the input is empty if the plan has no use for it.
    fn recurrent_backward(
        kept: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        of_sequence: FloatTensor<Self>,
        of_last: FloatTensor<Self>,
        plan: Plan,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| tensor.storage())
}

/// The tensors of a forward pass, contiguous.
struct Call {
    x: FlexTensor,
    weights: [FlexTensor; 4],
    state: FlexTensor,
    plan: Plan,
}

impl Call {
    fn sizes(&self) -> Sizes {
        let (x, weight) = (self.x.shape(), self.weights[1].shape());
        Sizes { time: x[1], inputs: x[2], hidden: weight[1] }
    }

    fn run<C: Unit>(&self, cell: C, kept: Option<&mut [f32]>) -> (FlexTensor, FlexTensor) {
        let sizes = self.sizes();
        let Sizes { time, inputs, hidden } = sizes;
        let rows = self.plan.lengths.len();
        let gates = C::GATES * hidden;
        let [weight_ih, weight_hh, bias_ih, bias_hh] = self.weights.each_ref().map(values);
        let mut output = Buffer::any(rows * time * hidden);
        let mut state = Buffer::any(rows * C::STATES * hidden);
        state.copy_from_slice(values(&self.state));
        let forward = Forward {
            order: self.plan.order(),
            sizes,
            x: values(&self.x),
            input: &Packed::new(weight_ih, Some(bias_ih), [inputs, gates], [1, inputs]),
            hidden: &Packed::new(weight_hh, Some(bias_hh), [hidden, gates], [1, hidden]),
            output: &mut output,
            state: &mut state,
            kept,
        };
        forward.run(cell);
        (output.into_tensor([rows, time, hidden]), state.into_tensor([rows, C::STATES * hidden]))
    }

    fn run_kept<C: Unit>(&self, cell: C) -> (FlexTensor, FlexTensor, FlexTensor) {
        let Sizes { time, hidden, .. } = self.sizes();
        let (rows, width) = (self.plan.lengths.len(), sweep::width::<C>(hidden));
        let mut kept = Buffer::any(rows * time * width);
        let (output, last) = self.run(cell, Some(&mut kept[..]));
        (output, last, kept.into_tensor([rows, time, width]))
    }
}

/// Calls a generic method with the unit that a cell stands for.
macro_rules! with_unit {
    ($cell:expr, $unit:ident => $call:expr) => {
        match $cell {
            Cell::Tanh => {
                let $unit = Plain { rectified: false };
                $call
            }
            Cell::Relu => {
                let $unit = Plain { rectified: true };
                $call
            }
            Cell::Gru => {
                let $unit = Gru;
                $call
            }
            Cell::Lstm => {
                let $unit = Lstm;
                $call
            }
        }
    };
}

/// The tensors of a backward pass, contiguous.
struct Return {
    kept: FlexTensor,
    x: FlexTensor,
    weight_ih: FlexTensor,
    weight_hh: FlexTensor,
    of_sequence: FlexTensor,
    of_last: FlexTensor,
    plan: Plan,
}

impl Return {
    fn run<C: Unit>(mut self, cell: C) -> [FlexTensor; 6] {
        let (x_shape, hidden_shape) = (self.x.shape(), self.weight_hh.shape());
        let (time, inputs, hidden) = (x_shape[1], x_shape[2], hidden_shape[1]);
        let (rows, order) = (self.plan.lengths.len(), self.plan.order());
        let (gates, width) = (C::GATES * hidden, sweep::width::<C>(hidden));
        // The kept gradients of the input's terms begin with the last gates of the weights.
        let shift = (C::KEPT - C::GATES) * hidden;
        let packed = self.plan.of_input.then(|| {
            let mut turned = values(&self.weight_ih).to_vec();
            turned.rotate_right(shift * inputs);
            Packed::new(&turned, None, [gates, inputs], [inputs, 1])
        });
        let mut of_x = Buffer::any(if self.plan.of_input { rows * time * inputs } else { 0 });
        let mut of_state = Buffer::any(rows * C::STATES * hidden);
        of_state.copy_from_slice(values(&self.of_last));
        let kept = self.kept.storage_mut::<f32>();
        let backward = sweep::Backward {
            order,
            sizes: Sizes { time, inputs, hidden },
            kept: &mut *kept,
            output: values(&self.of_sequence),
            state: &mut of_state,
            hidden: &Packed::new(values(&self.weight_hh), None, [gates, hidden], [hidden, 1]),
            input: packed.as_ref().zip(Some(&mut of_x[..])),
        };
        let sums = backward.run(cell);
        let (mut of_weight_ih, mut of_weight_hh) = (Buffer::zeroed(gates * inputs), Buffer::zeroed(gates * hidden));
        let kept: &[f32] = kept;
        let terms = |first| Columns { data: kept, first, stride: width, count: gates };
        let of_inputs = Columns { data: values(&self.x), first: 0, stride: inputs, count: inputs };
        let of_states = Columns { data: kept, first: C::KEPT * hidden, stride: width, count: hidden };
        let products = [(&mut of_weight_ih[..], terms(0), of_inputs), (&mut of_weight_hh[..], terms(shift), of_states)];
        sweep::accumulate(order, time, products);
        of_weight_ih.rotate_left(shift * inputs);
        let (mut of_bias_ih, mut of_bias_hh) = (Buffer::any(gates), Buffer::any(gates));
        of_bias_ih.copy_from_slice(&sums[..gates]);
        of_bias_ih.rotate_left(shift);
        of_bias_hh.copy_from_slice(&sums[shift..]);
        let of_x = if self.plan.of_input { of_x.into_tensor(x_shape) } else { of_x.into_tensor([0]) };
        [
            of_x,
            of_weight_ih.into_tensor([gates, inputs]),
            of_weight_hh.into_tensor([gates, hidden]),
            of_bias_ih.into_tensor([gates]),
            of_bias_hh.into_tensor([gates]),
            of_state.into_tensor([rows, C::STATES * hidden]),
        ]
    }
}

impl RecurrentOps for Flex {
    fn recurrent(
        x: FlexTensor,
        weight_ih: FlexTensor,
        weight_hh: FlexTensor,
        bias_ih: FlexTensor,
        bias_hh: FlexTensor,
        state: FlexTensor,
        plan: Plan,
    ) -> (FlexTensor, FlexTensor) {
        let weights = [weight_ih, weight_hh, bias_ih, bias_hh].map(|weight| weight.to_contiguous());
        let call = Call { x: x.to_contiguous(), weights, state: state.to_contiguous(), plan };
        with_unit!(call.plan.cell, unit => call.run(unit, None))
    }

    fn recurrent_kept(
        x: FlexTensor,
        weight_ih: FlexTensor,
        weight_hh: FlexTensor,
        bias_ih: FlexTensor,
        bias_hh: FlexTensor,
        state: FlexTensor,
        plan: Plan,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let weights = [weight_ih, weight_hh, bias_ih, bias_hh].map(|weight| weight.to_contiguous());
        let call = Call { x: x.to_contiguous(), weights, state: state.to_contiguous(), plan };
        with_unit!(call.plan.cell, unit => call.run_kept(unit))
    }

    fn recurrent_backward(
        kept: FlexTensor,
        x: FlexTensor,
        weight_ih: FlexTensor,
        weight_hh: FlexTensor,
        of_sequence: FlexTensor,
        of_last: FlexTensor,
        plan: Plan,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        let [x, weight_ih, weight_hh] = [x, weight_ih, weight_hh].map(|tensor| tensor.to_contiguous());
        let [of_sequence, of_last] = [of_sequence, of_last].map(|tensor| tensor.to_contiguous());
        let back = Return { kept, x, weight_ih, weight_hh, of_sequence, of_last, plan };
        let [a, b, c, d, e, f] = with_unit!(back.plan.cell, unit => back.run(unit));
        (a, b, c, d, e, f)
    }
}

/// The gradient of the last state on its way to the backward pass of the sequence.
type Slot<B> = Arc<Mutex<Option<FloatTensor<B>>>>;

#[derive(Debug)]
struct LastState;

impl<B: RecurrentOps> Backward<B, 1> for LastState {
    /// The slot, and the shape of the sequence.
    type State = (Slot<B>, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (slot, shape) = ops.state;
        let [Some(sequence)] = ops.parents else { return };
        // The parent asks for a gradient of its own value even if no loss depends on it.
        grads.register::<B>(sequence.id, B::float_zeros(shape, &grad.device(), grad.dtype().into()));
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(grad);
    }
}

#[derive(Debug)]
struct Sequence;

impl<B: RecurrentOps> Backward<B, 6> for Sequence {
    /// What the forward pass kept, x, the two weights, the slot, the plan.
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Slot<B>, Plan);

    fn backward(self, ops: Ops<Self::State, 6>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (kept, x, weight_ih, weight_hh, slot, plan) = ops.state;
        let of_last = slot.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| {
            let shape = Shape::from([plan.lengths.len(), plan.cell.states() * weight_hh.shape()[1]]);
            B::float_zeros(shape, &grad.device(), grad.dtype().into())
        });
        let plan = Plan { of_input: ops.parents[0].is_some(), ..plan };
        let (a, b, c, d, e, f) = B::recurrent_backward(kept, x, weight_ih, weight_hh, grad, of_last, plan);
        for (node, gradient) in ops.parents.into_iter().zip([a, b, c, d, e, f]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: RecurrentOps, C: CheckpointStrategy> RecurrentOps for Autodiff<B, C> {
    fn recurrent(
        x: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        bias_ih: FloatTensor<Self>,
        bias_hh: FloatTensor<Self>,
        state: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [x.node(), weight_ih.node(), weight_hh.node(), bias_ih.node(), bias_hh.node(), state.node()];
        let (x, weight_ih, weight_hh) = (x.into_primitive(), weight_ih.into_primitive(), weight_hh.into_primitive());
        let (bias_ih, bias_hh, state) = (bias_ih.into_primitive(), bias_hh.into_primitive(), state.into_primitive());
        let slot: Slot<B> = Arc::default();
        let (sequence, last): (FloatTensor<Self>, FloatTensor<B>) =
            match Sequence.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => {
                    let (sequence, last, kept) = B::recurrent_kept(
                        x.clone(),
                        weight_ih.clone(),
                        weight_hh.clone(),
                        bias_ih,
                        bias_hh,
                        state,
                        plan.clone(),
                    );
                    let state = (kept, x, weight_ih, weight_hh, Arc::clone(&slot), plan);
                    (prep.finish(state, sequence), last)
                }
                OpsKind::UnTracked(prep) => {
                    let (sequence, last) = B::recurrent(x, weight_ih, weight_hh, bias_ih, bias_hh, state, plan);
                    (prep.finish(sequence), last)
                }
            };
        let shape = sequence.primitive().shape();
        let last: FloatTensor<Self> = match LastState.prepare::<C>([sequence.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((slot, shape), last),
            OpsKind::UnTracked(prep) => prep.finish(last),
        };
        (sequence, last)
    }

    // The others run on the inner backend; burn's tape has no derivative of a derivative.
    fn recurrent_kept(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }

    fn recurrent_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Plan,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why the inner operations are never reached on the autodiff backend.
const SECOND_ORDER: &str = "the tape calls these operations on the inner backend only";
