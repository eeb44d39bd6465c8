//! Which inputs each output of a pooling sees.

use crate::ops::norm::lanes::PART;
use std::ops::Range;

/// Windows over planes of `[depth, height, width]`; missing axes are of length one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) input: [usize; 3],
    pub(super) output: [usize; 3],
    pub(super) kernel: [usize; 3],
    pub(super) stride: [usize; 3],
    pub(super) padding: [usize; 3],
}

impl Window {
    /// `given` are kernel, stride and padding of the axes of `input`.
    ///
    /// # Panics
    /// When they do not fit.
    pub(super) fn new(input: &[usize], given: [&[usize]; 3]) -> Self {
        let first = 3 - input.len();
        let mut window = Self { input: [1; 3], output: [1; 3], kernel: [1; 3], stride: [1; 3], padding: [0; 3] };
        for (axis, &length) in input.iter().enumerate() {
            let [kernel, stride, padding] = given.map(|values| values[axis]);
            assert!(kernel > 0 && stride > 0, "pooling with kernel {kernel} and stride {stride}; both are 1 or more");
            assert!(2 * padding <= kernel, "padding {padding} is more than half of the kernel of {kernel}");
            assert!(
                length > 0 && length + 2 * padding >= kernel,
                "a kernel of {kernel} does not fit an axis of {length} padded by {padding}"
            );
            let at = first + axis;
            window.input[at] = length;
            window.output[at] = (length + 2 * padding - kernel) / stride + 1;
            (window.kernel[at], window.stride[at], window.padding[at]) = (kernel, stride, padding);
        }
        window
    }

    /// Values of an input plane.
    pub(super) fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// Values of an output plane.
    pub(super) fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// Whether the windows tile the input: none overlap, none reach over the edge, and a byte can count
    /// the values of one.
    pub(super) fn tiles(&self) -> bool {
        self.kernel == self.stride && self.padding == [0; 3] && self.kernel.iter().product::<usize>() <= 256
    }

    /// Planes of one task.
    pub(super) fn grain(&self) -> usize {
        (PART / self.inputs().max(1)).max(1)
    }

    /// Inputs that output `at` of an axis sees.
    pub(super) fn seen(&self, axis: usize, at: usize) -> Range<usize> {
        let (start, padding) = (at * self.stride[axis], self.padding[axis]);
        start.saturating_sub(padding)..(start + self.kernel[axis] - padding).min(self.input[axis])
    }

    /// Outputs of the last axis whose window has an input at offset `offset`.
    pub(super) fn reached(&self, offset: usize) -> Range<usize> {
        let (stride, padding) = (self.stride[2], self.padding[2]);
        let first = padding.saturating_sub(offset).div_ceil(stride);
        let beyond = (self.input[2] + padding).saturating_sub(offset).div_ceil(stride);
        first..beyond.min(self.output[2]).max(first)
    }

    /// Where the input at offset `offset` of output `at` of the last axis lies in its row.
    pub(super) fn column(&self, at: usize, offset: usize) -> usize {
        at * self.stride[2] + offset - self.padding[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: input `at · stride + offset − padding`, if there is one.
    #[test]
    fn windows_follow_their_definition() {
        for length in 1..8 {
            for kernel in 1..5 {
                for stride in 1..4 {
                    for padding in 0..=kernel / 2 {
                        if length + 2 * padding < kernel {
                            continue;
                        }
                        let window = Window::new(&[length], [&[kernel], &[stride], &[padding]]);
                        let inside = |at: usize, offset: usize| {
                            (at * stride + offset).checked_sub(padding).filter(|&input| input < length)
                        };
                        for at in 0..window.output[2] {
                            let expected: Vec<usize> = (0..kernel).filter_map(|offset| inside(at, offset)).collect();
                            assert_eq!(window.seen(2, at).collect::<Vec<_>>(), expected, "{window:?}, output {at}");
                        }
                        for offset in 0..kernel {
                            let outputs = 0..window.output[2];
                            let expected: Vec<usize> = outputs.filter(|&at| inside(at, offset).is_some()).collect();
                            assert_eq!(window.reached(offset).collect::<Vec<_>>(), expected, "{window:?} at {offset}");
                            for at in expected {
                                assert_eq!(Some(window.column(at, offset)), inside(at, offset));
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "padding 2 is more than half of the kernel of 3")]
    fn too_much_padding_is_refused() {
        let _ = Window::new(&[5], [&[3], &[1], &[2]]);
    }

    #[test]
    #[should_panic(expected = "a kernel of 4 does not fit an axis of 3 padded by 0")]
    fn a_kernel_longer_than_the_axis_is_refused() {
        let _ = Window::new(&[3], [&[4], &[4], &[0]]);
    }
}
