//! A bias for each channel and the nonlinearity behind it, in one pass.
//!
//! Backward is one pass too: the gradient goes through the nonlinearity and is summed on the way. The mask
//! comes from the output, which the next layer keeps anyway, so nothing is stored for it; where nobody else
//! needs the input, it is overwritten.

use super::norm::activation::{Act, Activation, with_activation};
use super::norm::columns::{self, Columns};
use super::norm::lanes::{
    BLOCK, LANES, contiguous, copy_in, join_columns, over_planes, over_planes_mut, rows_of_a_task, sum, transform,
    values, vector, vectorised, wide,
};
use super::norm::planes::{self, Line};
use super::norm::view;
use super::runs_here;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;
use std::ops::Add;

/// `activation(x + bias)`, the bias along the second axis.
///
/// # Shapes
/// - x `[batch, channels, positions…]` or `[rows, channels]`, bias `[channels]`; output as x
///
/// # Panics
/// When the shapes disagree.
pub fn bias_act<const D: usize>(x: Tensor<D>, bias: Tensor<1>, activation: Activation) -> Tensor<D> {
    let view = view(&x);
    assert_eq!(bias.dims(), [view[1]], "bias of {} channels", view[1]);
    activation.check();
    if !runs_here(&x) {
        return composed(x, bias, activation);
    }
    Tensor::from_dispatch(<Dispatch as BiasOps>::bias_act(x.into_dispatch(), bias.into_dispatch(), view, activation))
}

/// [`bias_act`] of burn's operations.
fn composed<const D: usize>(x: Tensor<D>, bias: Tensor<1>, activation: Activation) -> Tensor<D> {
    let mut shape = [1; D];
    shape[1] = bias.dims()[0];
    activation.forward(x + bias.reshape(shape))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait BiasOps: Backend {
    fn bias_act(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        view: [usize; 3],
        activation: Activation,
    ) -> FloatTensor<Self>;
    fn bias_act_backward(
        out: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        view: [usize; 3],
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl BiasOps for Flex {
    fn bias_act(x: FlexTensor, bias: FlexTensor, view: [usize; 3], activation: Activation) -> FlexTensor {
        let bias = bias.to_contiguous();
        // (x − 0) · 1 + bias is x + bias to the last bit.
        let line = |&shift: &f32| Line { centre: 0.0, scale: 1.0, shift };
        let lines: Vec<Line> = values(&bias).iter().map(line).collect();
        let (out, ()) = transform(x, |source, out| {
            with_activation!(activation, |act| if view[2] == 1 {
                columns::apply(source, out, &Columns::of_lines(&lines), act);
            } else {
                planes::apply(source, out, view[2], &lines, act);
            });
        });
        out
    }

    fn bias_act_backward(
        out: FlexTensor,
        grad: FlexTensor,
        view: [usize; 3],
        activation: Activation,
    ) -> (FlexTensor, FlexTensor) {
        let [_, channels, positions] = view;
        if activation == Activation::None {
            let grad = contiguous(grad);
            let sums = channel_sums(values(&grad), view);
            return (grad, vector(sums));
        }
        let out = out.to_contiguous();
        let (dx, sums) = transform(grad, |source, dx| {
            with_activation!(activation, |act| if positions == 1 {
                gradient_by_columns(source, dx, values(&out), channels, act)
            } else {
                gradient_by_planes(source, dx, values(&out), [channels, positions], act)
            })
        });
        (dx, vector(sums))
    }
}

/// Sum of each channel.
fn channel_sums(x: &[f32], [batch, channels, positions]: [usize; 3]) -> Vec<f32> {
    let sums = if positions == 1 {
        let task = rows_of_a_task(channels) * channels.max(1);
        let add = |x: &[f32]| {
            let mut total = vec![0.0_f32; channels];
            x.chunks_exact(channels).for_each(|row| total.iter_mut().zip(row).for_each(|(t, value)| *t += value));
            total.into_iter().map(f64::from).collect()
        };
        let parts: Vec<Vec<f64>> = x.par_chunks(task).map(add).collect();
        join_columns(parts, channels, f64::add)
    } else {
        let planes = over_planes(batch * channels, positions, |_, range| sum(&x[range]), f64::add);
        join_columns(planes.chunks(channels.max(1)).map(<[f64]>::to_vec), channels, f64::add)
    };
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// Takes the gradient through the nonlinearity, and returns its sum for each channel.
fn gradient_by_columns<A: Act>(
    source: Option<&[f32]>,
    grad: &mut [f32],
    out: &[f32],
    channels: usize,
    act: A,
) -> Vec<f32> {
    let task = rows_of_a_task(channels) * channels.max(1);
    let parts: Vec<Vec<f64>> = grad
        .par_chunks_mut(task)
        .zip(out.par_chunks(task))
        .enumerate()
        .map(|(k, (grad, out))| {
            copy_in(source, k * task, grad);
            let mut sums = vec![0.0_f32; channels];
            gradient_rows(grad, out, act, &mut sums);
            sums.into_iter().map(f64::from).collect()
        })
        .collect();
    join_columns(parts, channels, f64::add).into_iter().map(|sum| sum as f32).collect()
}

/// [`gradient_by_columns`] for channels with positions.
fn gradient_by_planes<A: Act>(
    source: Option<&[f32]>,
    grad: &mut [f32],
    out: &[f32],
    [channels, positions]: [usize; 2],
    act: A,
) -> Vec<f32> {
    let part = |_: usize, start: usize, grad: &mut [f32]| {
        let mut total = 0.0;
        for (k, block) in grad.chunks_mut(BLOCK).enumerate() {
            let start = start + k * BLOCK;
            copy_in(source, start, block);
            let out = &out[start..start + block.len()];
            total += gradient_block(block, out, act);
        }
        total
    };
    let planes = over_planes_mut(grad, positions, part, f64::add);
    let sums = join_columns(planes.chunks(channels.max(1)).map(<[f64]>::to_vec), channels, f64::add);
    sums.into_iter().map(|sum| sum as f32).collect()
}

vectorised! {
    fn gradient_rows['a, A: Act]['a, A](grad: &'a mut [f32], out: &'a [f32], act: A, sums: &'a mut [f32]) -> () {
        let channels = sums.len();
        for (grad, out) in grad.chunks_exact_mut(channels).zip(out.chunks_exact(channels)) {
            for ((grad, &out), sum) in grad.iter_mut().zip(out).zip(sums.iter_mut()) {
                *grad = act.gradient(out, *grad);
                *sum += *grad;
            }
        }
    }
}

vectorised! {
    fn gradient_block['a, A: Act]['a, A](grad: &'a mut [f32], out: &'a [f32], act: A) -> f64 {
        let ((grad, grad_rest), (out, out_rest)) = (grad.as_chunks_mut::<LANES>(), out.as_chunks::<LANES>());
        let mut sums = [0.0_f32; LANES];
        for (grad, out) in grad.iter_mut().zip(out) {
            for ((grad, &out), sum) in grad.iter_mut().zip(out).zip(&mut sums) {
                *grad = act.gradient(out, *grad);
                *sum += *grad;
            }
        }
        for ((grad, &out), sum) in grad_rest.iter_mut().zip(out_rest).zip(&mut sums) {
            *grad = act.gradient(out, *grad);
            *sum += *grad;
        }
        wide(&sums)
    }
}

#[derive(Debug)]
struct BiasBackward;

impl<B: BiasOps> Backward<B, 2> for BiasBackward {
    type State = (FloatTensor<B>, [usize; 3], Activation);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (out, view, activation) = ops.state;
        let (dx, dbias) = B::bias_act_backward(out, grad, view, activation);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dbias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: BiasOps, C: CheckpointStrategy> BiasOps for Autodiff<B, C> {
    fn bias_act(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        view: [usize; 3],
        activation: Activation,
    ) -> FloatTensor<Self> {
        let prepared = BiasBackward.prepare::<C>([x.node(), bias.node()]).compute_bound().stateful();
        let bias = bias.into_primitive();
        let out = B::bias_act(x.into_primitive(), bias.clone(), view, activation);
        // Without a nonlinearity the output isn't needed again, and something must stand in its place.
        let kept = if activation == Activation::None { bias } else { out.clone() };
        match prepared {
            OpsKind::Tracked(prep) => prep.finish((kept, view, activation), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn bias_act_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: [usize; 3],
        _: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("burn has no second-order gradients")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    /// Sums of up to 200 gradients around 1 in another order: single precision.
    const TOLERANCE: f32 = 1e-5;

    fn assert_close<const D: usize>(what: &str, ours: Tensor<D>, other: Tensor<D>) {
        assert_eq!(ours.dims(), other.dims(), "{what}");
        let [ours, other] = [ours, other].map(|tensor| tensor.try_into_vec_as::<f32>().unwrap());
        for (at, (a, b)) in ours.iter().zip(&other).enumerate() {
            assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{at}]: {a}, composed {b}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn equals_the_composed_form(
            batch in 1_usize..5, channels in 1_usize..20, positions in 1_usize..40, kind in 0..3, transposed in any::<bool>(),
        ) {
            let device = Device::flex().autodiff();
            let activation = [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)][kind as usize];
            let random = |shape: [usize; 3]| Tensor::<3>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
            // A transposed view is not contiguous in memory.
            let shape = if transposed { [batch, positions, channels] } else { [batch, channels, positions] };
            let x = random(shape).require_grad();
            let bias = random([1, 1, channels]).reshape([channels]).detach().require_grad();
            let view = || if transposed { x.clone().swap_dims(1, 2) } else { x.clone() };
            let (ours, other) =
                (bias_act(view(), bias.clone(), activation), composed(view(), bias.clone(), activation));
            assert_close("output", ours.clone(), other.clone());
            let factor = random([batch, channels, positions]);
            let (a, b) = ((ours * factor.clone()).sum().backward(), (other * factor).sum().backward());
            assert_close("input gradient", x.grad(&a).unwrap(), x.grad(&b).unwrap());
            assert_close("bias gradient", bias.grad(&a).unwrap(), bias.grad(&b).unwrap());
        }
    }

    #[test]
    fn rows_and_their_gradients_by_hand() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data([[1.0, -2.0], [3.0, 0.5]], &device).require_grad();
        let bias = Tensor::<1>::from_data([-2.0, 0.25], &device).require_grad();
        let y = bias_act(x.clone(), bias.clone(), Activation::LeakyRelu(0.5));
        assert_eq!(y.clone().try_into_vec_as::<f32>().unwrap(), [-0.5, -0.875, 1.0, 0.75]);
        let grads = (y * Tensor::from_data([[1.0, 2.0], [3.0, 4.0]], &device)).sum().backward();
        assert_eq!(x.grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap(), [0.5, 1.0, 3.0, 4.0]);
        assert_eq!(bias.grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap(), [3.5, 5.0]);
    }

    #[test]
    fn an_empty_batch_gives_an_empty_output() {
        let device = Device::flex().autodiff();
        let bias = Tensor::<1>::from_data([1.0, 2.0], &device).require_grad();
        let y = bias_act(Tensor::<3>::zeros([0, 2, 4], &device), bias.clone(), Activation::Relu);
        assert_eq!(y.dims(), [0, 2, 4]);
        let grads = y.sum().backward();
        assert_eq!(bias.grad(&grads).unwrap().try_into_vec_as::<f32>().unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn a_tensor_that_others_hold_is_not_overwritten() {
        let device = Device::flex();
        let x = Tensor::<2>::from_data([[1.0, -2.0]], &device);
        let bias = Tensor::<1>::from_data([0.0, 0.0], &device);
        let y = bias_act(x.clone(), bias, Activation::Relu);
        assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [1.0, 0.0]);
        assert_eq!(x.try_into_vec_as::<f32>().unwrap(), [1.0, -2.0]);
    }
}
