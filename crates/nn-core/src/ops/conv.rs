//! Convolutions in one, two and three dimensions, forward and backward.
//!
//! No window is copied out. The padded operand is laid out once; a convolution is then a sum over offsets
//! into it, done in register tiles that use the widest vectors of the machine. The input gradient is the
//! same loop over the padded output gradient, and the weight gradient is one over rows of channels.
//! A transposed convolution is the input gradient of a convolution.
//!
//! These functions take burn's options and layouts. On a device that has no kernel of ours they are burn's
//! own convolutions.

mod composed;
mod geometry;
mod kernel;
mod pack;
mod product;
#[cfg(test)]
mod tests;
mod tile;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Shape, Tensor};
use burn_flex::FlexTensor;

use self::geometry::{Axes, Geometry, after};
use super::runs_here;

/// Convolution over `N` axes, `torch.nn.functional.conv1d` to `conv3d`; `D` is `N + 2`.
///
/// # Shapes
/// - x `[batch, in, axes…]`, weight `[out, in / groups, kernel…]`, bias `[out]`; output `[batch, out, axes'…]`
///
/// # Panics
/// When the shapes disagree or the kernel is longer than the padded input.
pub fn conv<const D: usize, const N: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<N>,
) -> Tensor<D> {
    if !runs_here(&x) {
        return composed::conv(x, weight, bias, options);
    }
    let ConvOptions { stride, padding, dilation, groups } = options;
    let (input, kernel) = (x.dims(), weight.dims());
    assert_eq!(
        input[1],
        kernel[1] * groups,
        "input channels of a convolution with weight {kernel:?} in {groups} groups"
    );
    assert_eq!(kernel[0] % groups, 0, "output channels of a convolution in {groups} groups");
    let mut output = [0; N];
    for axis in 0..N {
        let (length, reach) = (input[axis + 2], kernel[axis + 2]);
        output[axis] = after(length, reach, stride[axis], padding[axis], dilation[axis]).unwrap_or_else(|| {
            panic!("a kernel of {reach} does not fit an axis of {length} padded by {:?}", padding[axis])
        });
    }
    let geometry = Geometry {
        batch: input[0],
        groups,
        inputs: kernel[1],
        outputs: kernel[0] / groups,
        input: axes(&input[2..], 1),
        output: axes(&output, 1),
        kernel: axes(&kernel[2..], 1),
        stride: axes(&stride, 1),
        padding: axes(&padding.map(|(before, _)| before), 0),
        dilation: axes(&dilation, 1),
    };
    let mut shape = input;
    shape[1] = kernel[0];
    shape[2..].copy_from_slice(&output);
    apply(x, weight, bias, Convolution { geometry, transposed: false }, shape)
}

/// Transposed convolution over `N` axes, `torch.nn.functional.conv_transpose1d` to `conv_transpose3d`; `D` is `N + 2`.
///
/// # Shapes
/// - x `[batch, in, axes…]`, weight `[in, out / groups, kernel…]`, bias `[out]`; output `[batch, out, axes'…]`
///
/// # Panics
/// When the shapes disagree or the padding takes more than there is.
pub fn conv_transpose<const D: usize, const N: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    bias: Option<Tensor<1>>,
    options: ConvTransposeOptions<N>,
) -> Tensor<D> {
    if !runs_here(&x) {
        return composed::conv_transpose(x, weight, bias, options);
    }
    let ConvTransposeOptions { stride, padding, padding_out, dilation, groups } = options;
    let (input, kernel) = (x.dims(), weight.dims());
    assert_eq!(input[1], kernel[0], "input channels of a transposed convolution with weight {kernel:?}");
    assert_eq!(kernel[0] % groups, 0, "input channels of a transposed convolution in {groups} groups");
    let mut output = [0; N];
    for axis in 0..N {
        let grown = (input[axis + 2] - 1) * stride[axis] + dilation[axis] * (kernel[axis + 2] - 1) + 1;
        output[axis] = (grown + padding_out[axis]).checked_sub(2 * padding[axis]).unwrap_or_else(|| {
            panic!("a padding of {} takes more than the {grown} values of a transposed convolution", padding[axis])
        });
    }
    let geometry = Geometry {
        batch: input[0],
        groups,
        inputs: kernel[1],
        outputs: kernel[0] / groups,
        input: axes(&output, 1),
        output: axes(&input[2..], 1),
        kernel: axes(&kernel[2..], 1),
        stride: axes(&stride, 1),
        padding: axes(&padding, 0),
        dilation: axes(&dilation, 1),
    };
    let mut shape = input;
    shape[1] = kernel[1] * groups;
    shape[2..].copy_from_slice(&output);
    apply(x, weight, bias, Convolution { geometry, transposed: true }, shape)
}

/// Numbers of up to three spatial axes as three, `fill` before them.
fn axes(given: &[usize], fill: usize) -> Axes {
    let mut axes = [fill; 3];
    axes[3 - given.len()..].copy_from_slice(given);
    axes
}

fn apply<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    bias: Option<Tensor<1>>,
    convolution: Convolution,
    shape: [usize; D],
) -> Tensor<D> {
    let outputs = shape[1];
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    assert_eq!(bias.dims(), [outputs], "bias of a convolution with {outputs} channels");
    Tensor::from_dispatch(<Dispatch as ConvOps>::convolution(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        convolution,
        Shape::from(shape),
    ))
}

/// Which way a convolution goes: `transposed` turns its input and output around.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    geometry: Geometry,
    transposed: bool,
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait ConvOps: Backend {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
        shape: Shape,
    ) -> FloatTensor<Self>;
    fn convolution_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
        shape: Shape,
    ) -> FloatTensor<Self>;
    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        convolution: Convolution,
        shape: Shape,
    ) -> FloatTensor<Self>;
    fn convolution_bias_gradient(grad: FloatTensor<Self>, channels: usize) -> FloatTensor<Self>;
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| tensor.storage())
}

impl ConvOps for Flex {
    fn convolution(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        Convolution { geometry, transposed }: Convolution,
        shape: Shape,
    ) -> FlexTensor {
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let (x, weight, bias) = (values(&x), values(&weight), values(&bias));
        if transposed {
            kernel::input_gradient(x, weight, bias, &geometry).into_tensor(shape)
        } else {
            kernel::forward(x, weight, bias, &geometry).into_tensor(shape)
        }
    }

    fn convolution_input_gradient(
        grad: FlexTensor,
        weight: FlexTensor,
        Convolution { geometry, transposed }: Convolution,
        shape: Shape,
    ) -> FlexTensor {
        let (grad, weight) = (grad.to_contiguous(), weight.to_contiguous());
        if transposed {
            kernel::forward(values(&grad), values(&weight), &[], &geometry).into_tensor(shape)
        } else {
            kernel::input_gradient(values(&grad), values(&weight), &[], &geometry).into_tensor(shape)
        }
    }

    fn convolution_weight_gradient(
        x: FlexTensor,
        grad: FlexTensor,
        Convolution { geometry, transposed }: Convolution,
        shape: Shape,
    ) -> FlexTensor {
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        let (x, grad) = if transposed { (&grad, &x) } else { (&x, &grad) };
        kernel::weight_gradient(values(x), values(grad), &geometry).into_tensor(shape)
    }

    fn convolution_bias_gradient(grad: FlexTensor, channels: usize) -> FlexTensor {
        let grad = grad.to_contiguous();
        kernel::bias_gradient(values(&grad), grad.shape()[0], channels).into_tensor([channels])
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl<B: ConvOps> Backward<B, 3> for ConvolutionBackward {
    type State = (FloatTensor<B>, FloatTensor<B>, Convolution);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, convolution) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        let channels = grad.shape()[1];
        if let Some(node) = of_bias {
            grads.register::<B>(node.id, B::convolution_bias_gradient(grad.clone(), channels));
        }
        let (x_shape, weight_shape) = (x.shape(), weight.shape());
        if let Some(node) = of_weight {
            let gradient = B::convolution_weight_gradient(x, grad.clone(), convolution, weight_shape);
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = of_x {
            grads.register::<B>(node.id, B::convolution_input_gradient(grad, weight, convolution, x_shape));
        }
    }
}

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let (px, pw, pb) = (x.primitive().clone(), weight.primitive().clone(), bias.primitive().clone());
        match ConvolutionBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = (px.clone(), pw.clone(), convolution);
                prep.finish(state, B::convolution(px, pw, pb, convolution, shape))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::convolution(px, pw, pb, convolution, shape)),
        }
    }

    fn convolution_input_gradient(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Convolution,
        _: Shape,
    ) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn convolution_weight_gradient(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Convolution,
        _: Shape,
    ) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }

    fn convolution_bias_gradient(_: FloatTensor<Self>, _: usize) -> FloatTensor<Self> {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why a gradient is never asked for as a differentiable value: burn's tape is consumed by one pass.
const SECOND_ORDER: &str = "burn has no second-order gradients";
