//! Pooling layers for one, two and three axes, over the operations of [`crate::ops`].

use crate::ops::{avg_pool, max_pool};
use burn::module::Module;
use burn::tensor::Tensor;

/// Settings of a [`MaxPool`] over `N` axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxPoolConfig<const N: usize> {
    /// Size of the window, 1 or more.
    pub kernel: [usize; N],
    /// Distance of two windows, 1 or more; by default they lie side by side.
    pub stride: [usize; N],
    /// Padding on both sides, at most half of the window; 0 by default.
    pub padding: [usize; N],
}

impl<const N: usize> MaxPoolConfig<N> {
    /// Windows side by side, without padding.
    pub fn new(kernel: [usize; N]) -> Self {
        Self { kernel, stride: kernel, padding: [0; N] }
    }

    /// Sets the distance of two windows.
    #[must_use]
    pub fn with_stride(mut self, stride: [usize; N]) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on both sides.
    #[must_use]
    pub fn with_padding(mut self, padding: [usize; N]) -> Self {
        self.padding = padding;
        self
    }

    /// # Panics
    /// When a window or stride is zero, or a padding is more than half of its window.
    pub fn init(&self) -> MaxPool<N> {
        let Self { kernel, stride, padding } = *self;
        check(kernel, stride, padding);
        MaxPool { kernel, stride, padding }
    }
}

/// Maximum over each window, in PyTorch's floor mode.
#[derive(Module, Debug)]
pub struct MaxPool<const N: usize> {
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
}

impl<const N: usize> MaxPool<N> {
    /// # Shapes
    /// - x `[batch, channels, positions…]` with `N` axes of positions
    /// - output: each of these becomes `(length + 2 · padding − kernel) / stride + 1`, rounded down
    ///
    /// # Panics
    /// When `D` is not `N + 2`, or a window is longer than a padded axis.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        max_pool(x, self.kernel, self.stride, self.padding)
    }
}

/// Settings of an [`AvgPool`] over `N` axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvgPoolConfig<const N: usize> {
    /// Size of the window, 1 or more.
    pub kernel: [usize; N],
    /// Distance of two windows, 1 or more; by default they lie side by side.
    pub stride: [usize; N],
    /// Padding on both sides, at most half of the window; 0 by default.
    pub padding: [usize; N],
    /// Whether the padding counts as zeros; true as in PyTorch.
    pub count_padding: bool,
}

impl<const N: usize> AvgPoolConfig<N> {
    /// Windows side by side, without padding.
    pub fn new(kernel: [usize; N]) -> Self {
        Self { kernel, stride: kernel, padding: [0; N], count_padding: true }
    }

    /// Sets the distance of two windows.
    #[must_use]
    pub fn with_stride(mut self, stride: [usize; N]) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on both sides.
    #[must_use]
    pub fn with_padding(mut self, padding: [usize; N]) -> Self {
        self.padding = padding;
        self
    }

    /// Sets whether the padding counts as zeros.
    #[must_use]
    pub fn with_count_padding(mut self, count_padding: bool) -> Self {
        self.count_padding = count_padding;
        self
    }

    /// # Panics
    /// When a window or stride is zero, or a padding is more than half of its window.
    pub fn init(&self) -> AvgPool<N> {
        let Self { kernel, stride, padding, count_padding } = *self;
        check(kernel, stride, padding);
        AvgPool { kernel, stride, padding, count_padding }
    }
}

/// Average over each window, in PyTorch's floor mode.
#[derive(Module, Debug)]
pub struct AvgPool<const N: usize> {
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    count_padding: bool,
}

impl<const N: usize> AvgPool<N> {
    /// # Shapes
    /// - as [`MaxPool::forward`]
    ///
    /// # Panics
    /// As [`MaxPool::forward`].
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        avg_pool(x, self.kernel, self.stride, self.padding, self.count_padding)
    }
}

fn check<const N: usize>(kernel: [usize; N], stride: [usize; N], padding: [usize; N]) {
    assert!((1..=3).contains(&N), "pooling over {N} axes; allowed: 1 to 3");
    assert!(kernel.iter().chain(&stride).all(|&size| size > 0), "pooling with kernel {kernel:?} and stride {stride:?}");
    let fits = padding.iter().zip(&kernel).all(|(padding, kernel)| 2 * padding <= *kernel);
    assert!(fits, "padding {padding:?} is more than half of the kernel {kernel:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int, TensorData};

    /// 0, 1, 2, … in the given shape.
    fn counted<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        let device = Device::flex();
        Tensor::<1, Int>::arange(0..shape.iter().product::<usize>() as i64, &device).float().reshape(shape)
    }

    #[test]
    fn one_two_and_three_axes_by_hand() {
        let line = MaxPoolConfig::new([2]).init().forward(counted([1, 2, 5]));
        line.into_data().assert_eq(&TensorData::from([[[1.0_f32, 3.0], [6.0, 8.0]]]), true);
        let plane = MaxPoolConfig::new([2, 2]).with_stride([1, 1]).init().forward(counted([1, 1, 2, 3]));
        plane.into_data().assert_eq(&TensorData::from([[[[4.0_f32, 5.0]]]]), true);
        let volume = AvgPoolConfig::new([2, 2, 2]).init().forward(counted([1, 1, 2, 2, 2]));
        volume.into_data().assert_eq(&TensorData::from([[[[[3.5_f32]]]]]), true);
    }

    #[test]
    fn the_edge_of_an_average_counts_zeros_or_not() {
        let config = AvgPoolConfig::new([3]).with_stride([2]).with_padding([1]);
        let x = counted([1, 1, 3]);
        let with = config.init().forward(x.clone());
        with.into_data().assert_eq(&TensorData::from([[[1.0_f32 / 3.0, 1.0]]]), true);
        let without = config.with_count_padding(false).init().forward(x);
        without.into_data().assert_eq(&TensorData::from([[[0.5_f32, 1.5]]]), true);
    }

    #[test]
    #[should_panic(expected = "padding [2] is more than half of the kernel [3]")]
    fn too_much_padding_is_refused_at_once() {
        let _ = MaxPoolConfig::new([3]).with_padding([2]).init();
    }
}
