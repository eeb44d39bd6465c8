//! burn's own convolutions behind one signature for all ranks, for the devices without a kernel of ours.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

/// The first `M` of `N` numbers, where `M` and `N` are known to be equal.
fn same<T: Copy + Default, const N: usize, const M: usize>(values: [T; N]) -> [T; M] {
    let mut out = [T::default(); M];
    out.copy_from_slice(&values);
    out
}

fn ranked<const D: usize, const E: usize>(x: Tensor<D>) -> Tensor<E> {
    let dims = x.dims();
    x.reshape(same::<usize, D, E>(dims))
}

pub(super) fn conv<const D: usize, const N: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    bias: Option<Tensor<1>>,
    ConvOptions { stride, padding, dilation, groups }: ConvOptions<N>,
) -> Tensor<D> {
    macro_rules! call {
        ($function:ident, $rank:literal, $axes:literal) => {{
            let (stride, padding, dilation) = (same(stride), same(padding), same(dilation));
            let options = ConvOptions::<$axes> { stride, padding, dilation, groups };
            ranked(module::$function(ranked::<D, $rank>(x), ranked::<D, $rank>(weight), bias, options))
        }};
    }
    match N {
        1 => call!(conv1d, 3, 1),
        2 => call!(conv2d, 4, 2),
        _ => call!(conv3d, 5, 3),
    }
}

pub(super) fn conv_transpose<const D: usize, const N: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    bias: Option<Tensor<1>>,
    ConvTransposeOptions { stride, padding, padding_out, dilation, groups }: ConvTransposeOptions<N>,
) -> Tensor<D> {
    macro_rules! call {
        ($function:ident, $rank:literal, $axes:literal) => {{
            let (stride, padding) = (same(stride), same(padding));
            let (padding_out, dilation) = (same(padding_out), same(dilation));
            let options = ConvTransposeOptions::<$axes> { stride, padding, padding_out, dilation, groups };
            ranked(module::$function(ranked::<D, $rank>(x), ranked::<D, $rank>(weight), bias, options))
        }};
    }
    match N {
        1 => call!(conv_transpose1d, 3, 1),
        2 => call!(conv_transpose2d, 4, 2),
        _ => call!(conv_transpose3d, 5, 3),
    }
}
