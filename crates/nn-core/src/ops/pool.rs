//! Maximum and average pooling in one, two and three dimensions, and over all positions.
//!
//! Windows and sizes are those of PyTorch in floor mode. The planes, one channel of one sample each, are
//! independent and are divided among the threads. Maximum pooling remembers where each maximum lies: one
//! byte for windows that tile the input, four bytes otherwise. NaN wins over every number, so a broken
//! weight reaches the loss check.
//!
//! On a device that has no kernel of ours they are composed of burn's operations.

mod average;
mod global;
mod maximum;
mod register;
#[cfg(test)]
mod tests;
mod window;

use self::register::PoolOps;
use self::window::Window;
use super::norm::view;
use super::runs_here;
use burn::backend::Dispatch;
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Shape, Tensor, module};

/// Maximum over each window; padding is below every number.
///
/// # Shapes
/// - x `[batch, channels, positions…]` with `N` axes of positions
/// - output: each axis of positions becomes `(length + 2 · padding − kernel) / stride + 1`, rounded down
///
/// # Panics
/// When `D` is not `N + 2`, `N` not 1, 2 or 3, a kernel or stride is zero, a padding is more than half of
/// its kernel, or a kernel is longer than the padded axis.
pub fn max_pool<const D: usize, const N: usize>(
    x: Tensor<D>,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
) -> Tensor<D> {
    let (window, shape) = window(&x, kernel, stride, padding);
    if !runs_here(&x) {
        return composed(x, &window, shape, |x, [kernel, stride, padding]| {
            module::max_pool2d(x, MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding))
        });
    }
    let (out, _best) = <Dispatch as PoolOps>::max_pool(x.into_dispatch(), window, Shape::from(shape));
    Tensor::from_dispatch(out)
}

/// Average over each window. `count_padding` divides by the whole window, with zeros where it reaches over
/// the edge (PyTorch's default); otherwise by what lies inside.
///
/// # Shapes
/// As [`max_pool`].
///
/// # Panics
/// As [`max_pool`].
pub fn avg_pool<const D: usize, const N: usize>(
    x: Tensor<D>,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    count_padding: bool,
) -> Tensor<D> {
    let (window, shape) = window(&x, kernel, stride, padding);
    if !runs_here(&x) {
        return composed(x, &window, shape, |x, [kernel, stride, padding]| {
            let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
            module::avg_pool2d(x, options.with_count_include_pad(count_padding))
        });
    }
    let shape = Shape::from(shape);
    Tensor::from_dispatch(<Dispatch as PoolOps>::avg_pool(x.into_dispatch(), window, count_padding, shape))
}

/// Maximum over all positions; its gradient goes to the first position that reaches it.
///
/// # Shapes
/// - x `[batch, channels, positions…]`; output `[batch, channels]`
///
/// # Panics
/// When there are no positions.
pub fn global_max_pool<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let [batch, channels, positions] = view(&x);
    assert!(positions > 0, "a maximum over no positions");
    if !runs_here(&x) {
        return x.reshape([batch, channels, positions]).max_dim(2).reshape([batch, channels]);
    }
    let (out, _best) = <Dispatch as PoolOps>::global_max(x.into_dispatch(), [batch, channels, positions]);
    Tensor::from_dispatch(out)
}

/// Average over all positions.
///
/// # Shapes
/// - x `[batch, channels, positions…]`; output `[batch, channels]`
///
/// # Panics
/// When there are no positions.
pub fn global_avg_pool<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let [batch, channels, positions] = view(&x);
    assert!(positions > 0, "an average over no positions");
    if !runs_here(&x) {
        return x.reshape([batch, channels, positions]).mean_dim(2).reshape([batch, channels]);
    }
    Tensor::from_dispatch(<Dispatch as PoolOps>::global_avg(x.into_dispatch(), [batch, channels, positions]))
}

/// Checks a pooling, and returns its windows with the shape of the output.
fn window<const D: usize, const N: usize>(
    x: &Tensor<D>,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
) -> (Window, [usize; D]) {
    let mut shape = x.dims();
    assert!((1..=3).contains(&N) && D == N + 2, "pooling over {N} axes of an input of {D} axes");
    let window = Window::new(&shape[2..], [&kernel[..], &stride[..], &padding[..]]);
    shape[2..].copy_from_slice(&window.output[3 - N..]);
    (window, shape)
}

/// Pooling in two steps of two axes, `pool` with kernel, stride and padding: height and width, then depth.
/// Maxima and averages are separable, and burn pools no more than two axes.
fn composed<const D: usize>(
    x: Tensor<D>,
    window: &Window,
    shape: [usize; D],
    pool: impl Fn(Tensor<4>, [[usize; 2]; 3]) -> Tensor<4>,
) -> Tensor<D> {
    let [batch, channels, ..] = shape[..] else { unreachable!("an input of pooling has channels") };
    let ([depth, height, width], [_, rows, columns]) = (window.input, window.output);
    let plane = [window.kernel, window.stride, window.padding].map(|[_, y, x]| [y, x]);
    let mut x = pool(x.reshape([batch, channels * depth, height, width]), plane);
    if [window.kernel[0], window.stride[0], window.padding[0]] != [1, 1, 0] {
        let along = [[window.kernel[0], 1], [window.stride[0], 1], [window.padding[0], 0]];
        x = pool(x.reshape([batch, channels, depth, rows * columns]), along);
    }
    x.reshape(shape)
}
