//! Registers the kernels with burn: shapes, tensors in and out, and the backward of each.

use super::kernel;
use super::ragged::{Codes, Ragged};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_flex::FlexTensor;

/// Embedding and first convolution as additions of table rows, with bias and ReLU.
///
/// `table[v, j]` is what code `v` contributes at offset `j` of a window: the product of the
/// embedding matrix with the convolution's weight, computed by the caller so that both learn.
///
/// # Shapes
/// - table `[vocabulary, kernel, channels]`, bias `[channels]`, codes with `rows` rows
/// - output `[rows, channels]`, laid out as `codes.layout().after(kernel)`
///
/// # Panics
/// When a code is not below the vocabulary, or the shapes disagree.
pub fn lookup_conv_relu(table: Tensor<3>, bias: Tensor<1>, codes: &Codes) -> Tensor<2> {
    let [vocabulary, _, channels] = table.dims();
    assert_eq!(bias.dims(), [channels], "bias of lookup_conv_relu");
    let largest = codes.ids().iter().max().map_or(0, |&id| usize::from(id));
    assert!(largest < vocabulary, "code {largest} is outside a vocabulary of {vocabulary}");
    Tensor::from_dispatch(<Dispatch as CpuOps>::lookup_conv_relu(
        table.into_dispatch(),
        bias.into_dispatch(),
        codes.clone(),
    ))
}

/// Stride-1 valid convolution over each sequence, with bias and ReLU.
///
/// # Shapes
/// - x `[rows, inputs]` laid out as `layout`, weight `[kernel * inputs, channels]` (offset-major), bias `[channels]`
/// - output `[rows, channels]`, laid out as `layout.after(kernel)`
///
/// # Panics
/// When the shapes disagree.
pub fn conv_relu(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, layout: &Ragged) -> Tensor<2> {
    check(&x, &weight, &bias, layout);
    Tensor::from_dispatch(<Dispatch as CpuOps>::conv_relu(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        layout.clone(),
    ))
}

/// [`conv_relu`] followed by the maximum over the positions of each sequence.
///
/// # Shapes
/// - x, weight, bias as [`conv_relu`]; output `[sequences, channels]`
///
/// # Panics
/// When the shapes disagree, or a sequence is shorter than the kernel.
pub fn conv_relu_max(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, layout: &Ragged) -> Tensor<2> {
    let kernel = check(&x, &weight, &bias, layout);
    assert!(
        layout.is_empty() || layout.shortest() >= kernel,
        "a sequence of {} positions is shorter than the kernel of {kernel}",
        layout.shortest()
    );
    let (out, _best) = <Dispatch as CpuOps>::conv_relu_max(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        layout.clone(),
    );
    Tensor::from_dispatch(out)
}

/// Checks the shapes of a convolution and returns its kernel width.
fn check(x: &Tensor<2>, weight: &Tensor<2>, bias: &Tensor<1>, layout: &Ragged) -> usize {
    let ([rows, inputs], [span, channels]) = (x.dims(), weight.dims());
    assert_eq!(rows, layout.rows(), "rows of x and of its layout");
    assert!(inputs > 0 && span > 0 && span % inputs == 0, "weight rows {span} are no multiple of {inputs} inputs");
    assert_eq!(bias.dims(), [channels], "bias of a convolution with {channels} channels");
    span / inputs
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait CpuOps: Backend {
    fn lookup_conv_relu(table: FloatTensor<Self>, bias: FloatTensor<Self>, codes: Codes) -> FloatTensor<Self>;
    fn lookup_conv_relu_backward(
        table: FloatTensor<Self>,
        out: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        codes: Codes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn conv_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layout: Ragged,
    ) -> FloatTensor<Self>;
    fn conv_relu_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        out: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        layout: Ragged,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn conv_relu_max(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layout: Ragged,
    ) -> (FloatTensor<Self>, IntTensor<Self>);
    fn conv_relu_max_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        out: FloatTensor<Self>,
        best: IntTensor<Self>,
        grad: FloatTensor<Self>,
        layout: Ragged,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

fn zeros(shape: impl Into<Shape>, dtype: DType) -> FlexTensor {
    FlexTensor::zeros(shape.into(), dtype)
}

/// A tensor made of consecutive values.
fn from_slice(values: &[f32], shape: impl Into<Shape>) -> FlexTensor {
    let mut tensor = zeros(shape, DType::F32);
    tensor.storage_mut::<f32>().copy_from_slice(values);
    tensor
}

/// The values of a contiguous tensor, without what else its buffer may hold.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| tensor.storage())
}

impl CpuOps for Flex {
    fn lookup_conv_relu(table: FlexTensor, bias: FlexTensor, codes: Codes) -> FlexTensor {
        let (table, bias) = (table.to_contiguous(), bias.to_contiguous());
        let (kernel, channels) = (table.shape()[1], table.shape()[2]);
        let mut out = zeros([codes.layout().rows(), channels], DType::F32);
        kernel::lookup_conv_relu(
            values(&table),
            values(&bias),
            codes.ids(),
            kernel,
            codes.layout(),
            out.storage_mut::<f32>(),
        );
        out
    }

    fn lookup_conv_relu_backward(
        table: FlexTensor,
        out: FlexTensor,
        grad: FlexTensor,
        codes: Codes,
    ) -> (FlexTensor, FlexTensor) {
        let (out, grad) = (out.to_contiguous(), grad.to_contiguous());
        let shape = table.shape();
        let (kernel, channels) = (shape[1], shape[2]);
        let size = shape.num_elements();
        let sums = kernel::lookup_conv_relu_backward(
            size,
            codes.ids(),
            values(&out),
            values(&grad),
            [kernel, channels],
            codes.layout(),
        );
        (from_slice(&sums[..size], shape), from_slice(&sums[size..], [channels]))
    }

    fn conv_relu(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, layout: Ragged) -> FlexTensor {
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let (inputs, span, channels) = (x.shape()[1], weight.shape()[0], weight.shape()[1]);
        let mut out = zeros([layout.rows(), channels], DType::F32);
        let shape = [inputs, span / inputs];
        kernel::conv_relu(values(&x), values(&weight), values(&bias), shape, &layout, out.storage_mut::<f32>());
        out
    }

    fn conv_relu_backward(
        x: FlexTensor,
        weight: FlexTensor,
        out: FlexTensor,
        grad: FlexTensor,
        layout: Ragged,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, weight, out, grad) =
            (x.to_contiguous(), weight.to_contiguous(), out.to_contiguous(), grad.to_contiguous());
        let (inputs, span, channels) = (x.shape()[1], weight.shape()[0], weight.shape()[1]);
        let mut dx = zeros(x.shape(), DType::F32);
        let sums = kernel::conv_relu_backward(
            values(&x),
            values(&weight),
            values(&out),
            values(&grad),
            [inputs, span / inputs, channels],
            &layout,
            dx.storage_mut::<f32>(),
        );
        let size = span * channels;
        (dx, from_slice(&sums[..size], [span, channels]), from_slice(&sums[size..], [channels]))
    }

    fn conv_relu_max(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, layout: Ragged) -> (FlexTensor, FlexTensor) {
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let (inputs, span, channels) = (x.shape()[1], weight.shape()[0], weight.shape()[1]);
        let mut out = zeros([layout.len(), channels], DType::F32);
        let mut best = zeros([layout.len(), channels], DType::I64);
        kernel::conv_relu_max(
            values(&x),
            values(&weight),
            values(&bias),
            [inputs, span / inputs],
            &layout,
            out.storage_mut::<f32>(),
            best.storage_mut::<i64>(),
        );
        (out, best)
    }

    fn conv_relu_max_backward(
        x: FlexTensor,
        weight: FlexTensor,
        out: FlexTensor,
        best: FlexTensor,
        grad: FlexTensor,
        layout: Ragged,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let (inputs, span, channels) = (x.shape()[1], weight.shape()[0], weight.shape()[1]);
        let mut dx = zeros(x.shape(), DType::F32);
        let sums = kernel::conv_relu_max_backward(
            values(&x),
            values(&weight),
            (values(&out), best.storage::<i64>()),
            values(&grad),
            [inputs, span / inputs, channels],
            &layout,
            dx.storage_mut::<f32>(),
        );
        let size = span * channels;
        (dx, from_slice(&sums[..size], [span, channels]), from_slice(&sums[size..], [channels]))
    }
}

/// What the backward of a convolution needs: x, weight, output, and where the sequences lie.
type ConvState<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Ragged);

#[derive(Debug)]
struct LookupConvRelu;

impl<B: CpuOps> Backward<B, 2> for LookupConvRelu {
    type State = (FloatTensor<B>, FloatTensor<B>, Codes);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (table, out, codes) = ops.state;
        let (dtable, dbias) = B::lookup_conv_relu_backward(table, out, grad, codes);
        for (node, gradient) in ops.parents.into_iter().zip([dtable, dbias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct ConvRelu;

impl<B: CpuOps> Backward<B, 3> for ConvRelu {
    type State = ConvState<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, out, layout) = ops.state;
        let (dx, dweight, dbias) = B::conv_relu_backward(x, weight, out, grad, layout);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dweight, dbias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct ConvReluMax;

impl<B: CpuOps> Backward<B, 3> for ConvReluMax {
    type State = (ConvState<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let ((x, weight, out, layout), best) = ops.state;
        let (dx, dweight, dbias) = B::conv_relu_max_backward(x, weight, out, best, grad, layout);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dweight, dbias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: CpuOps, C: CheckpointStrategy> CpuOps for Autodiff<B, C> {
    fn lookup_conv_relu(table: FloatTensor<Self>, bias: FloatTensor<Self>, codes: Codes) -> FloatTensor<Self> {
        let (t, b) = (table.primitive().clone(), bias.primitive().clone());
        let out = B::lookup_conv_relu(t.clone(), b, codes.clone());
        match LookupConvRelu.prepare::<C>([table.node(), bias.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((t, out.clone(), codes), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn conv_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layout: Ragged,
    ) -> FloatTensor<Self> {
        let (px, pw, pb) = (x.primitive().clone(), weight.primitive().clone(), bias.primitive().clone());
        let out = B::conv_relu(px.clone(), pw.clone(), pb, layout.clone());
        match ConvRelu.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((px, pw, out.clone(), layout), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn conv_relu_max(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layout: Ragged,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (px, pw, pb) = (x.primitive().clone(), weight.primitive().clone(), bias.primitive().clone());
        let (out, best) = B::conv_relu_max(px.clone(), pw.clone(), pb, layout.clone());
        let tracked = match ConvReluMax.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(((px, pw, out.clone(), layout), best.clone()), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (tracked, best)
    }

    // The backward passes run on the inner backend; a derivative of a derivative is not offered, and
    // burn's own tape has none either.
    fn lookup_conv_relu_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Codes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }

    fn conv_relu_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Ragged,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }

    fn conv_relu_max_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: IntTensor<Self>,
        _: FloatTensor<Self>,
        _: Ragged,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{SECOND_ORDER}")
    }
}

/// Why the backward operations are never reached on the autodiff backend.
const SECOND_ORDER: &str = "the tape calls backward operations on the inner backend only";
