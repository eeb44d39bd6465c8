//! Where the terms of a convolution lie in memory.
//!
//! All convolutions are done in three spatial axes, the leading ones of length 1 where there are fewer.
//! An operand is laid out once with its border of zeros. In that layout output position
//! `p = (z · height + y) · width + x` and kernel tap `t` meet at `p + offset(t)`, so a convolution of any
//! rank is one loop over positions and offsets. A stride parts the padded input into phases, one plane
//! each, and becomes another offset.

use std::ops::Range;

/// Axes: depth, height, width.
pub(super) type Axes = [usize; 3];

/// Sizes of a convolution: `groups` of `inputs` to `outputs` channels each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) batch: usize,
    pub(super) groups: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) input: Axes,
    pub(super) output: Axes,
    pub(super) kernel: Axes,
    pub(super) stride: Axes,
    /// Zeros before each axis; those behind it are said by `output`.
    pub(super) padding: Axes,
    pub(super) dilation: Axes,
}

/// Length of one axis after a convolution; `None` when the kernel is longer than the axis with its padding on both sides.
pub(super) fn after(
    input: usize,
    kernel: usize,
    stride: usize,
    (before, behind): (usize, usize),
    dilation: usize,
) -> Option<usize> {
    let reach = (kernel - 1) * dilation + 1;
    (before + input + behind).checked_sub(reach).map(|rest| rest / stride + 1)
}

/// Elements of a block of these axes.
pub(super) fn volume(axes: Axes) -> usize {
    axes.iter().product()
}

/// The flat index of a point in a block of these axes.
fn flat([z, y, x]: Axes, [_, height, width]: Axes) -> usize {
    (z * height + y) * width + x
}

/// All points of a block, the last axis fastest.
fn points(axes: Axes) -> impl Iterator<Item = Axes> {
    let [depth, height, width] = axes;
    (0..depth).flat_map(move |z| (0..height).flat_map(move |y| (0..width).map(move |x| [z, y, x])))
}

fn each(f: impl FnMut(usize) -> usize) -> Axes {
    [0, 1, 2].map(f)
}

/// The planes of the padded input: one for each phase of the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    /// Axes of one plane.
    pub(super) axes: Axes,
    /// Phases of each axis: the stride.
    pub(super) phases: Axes,
    /// Zeros before the first value of each axis, in the coordinates before the division into phases; a
    /// negative number leaves out as many values.
    pub(super) before: [isize; 3],
}

impl Planes {
    /// Floats of one channel.
    pub(super) fn channel(&self) -> usize {
        volume(self.axes) * volume(self.phases)
    }

    /// The values of an axis of `length` that lie in phase `phase`: the index in the plane of the first,
    /// the range of indices of the values (a step of the phases apart), for a copy.
    pub(super) fn covered(&self, axis: usize, phase: usize, length: usize) -> (usize, Range<usize>) {
        let (step, before) = (self.phases[axis] as isize, self.before[axis]);
        // value v lies at padded coordinate v + before = step · index + phase
        let first = (phase as isize - before).rem_euclid(step);
        let skipped = if first + before < phase as isize { (phase as isize - before - first) / step } else { 0 };
        let first = first + skipped * step;
        let at = ((first + before - phase as isize) / step) as usize;
        let first = first as usize;
        let room = self.axes[axis].saturating_sub(at);
        let last = length.min(first + room * step as usize);
        (at, first..last.max(first))
    }
}

/// One product of the operands: a tap of the kernel and where its terms lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    /// Flat index in the kernel.
    pub(super) index: usize,
    /// Offset from the position.
    pub(super) offset: usize,
}

/// A part of the input gradient: the values that share one phase of the stride.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    /// Number of values along each axis.
    pub(super) axes: Axes,
    /// The first value of each axis; the next is a stride further.
    pub(super) first: Axes,
    /// Taps that reach this phase.
    pub(super) taps: Vec<Tap>,
}

impl Geometry {
    /// Furthest offset of a tap along each axis, in positions of a phase's plane.
    fn reach(&self) -> Axes {
        each(|a| (self.kernel[a] - 1) * self.dilation[a] / self.stride[a])
    }

    /// Layout of the padded input.
    pub(super) fn input_planes(&self) -> Planes {
        let reach = self.reach();
        Planes {
            axes: each(|a| self.output[a] + reach[a]),
            phases: self.stride,
            before: self.padding.map(|p| p as isize),
        }
    }

    /// The taps over the padded input.
    pub(super) fn taps(&self) -> Vec<Tap> {
        let planes = self.input_planes();
        let tap = |point: Axes| {
            let moved = each(|a| point[a] * self.dilation[a]);
            let phase = flat(each(|a| moved[a] % self.stride[a]), self.stride);
            let offset = flat(each(|a| moved[a] / self.stride[a]), planes.axes);
            Tap { index: flat(point, self.kernel), offset: phase * volume(planes.axes) + offset }
        };
        points(self.kernel).map(tap).collect()
    }

    /// First padded coordinate, divided by the stride, whose input value exists, for a phase of an axis.
    fn first_inside(&self, axis: usize, phase: usize) -> usize {
        self.padding[axis].saturating_sub(phase).div_ceil(self.stride[axis])
    }

    /// Layout of the padded output gradient from which the input gradient is computed.
    pub(super) fn gradient_planes(&self) -> Planes {
        let reach = self.reach();
        let before = |a: usize| reach[a] as isize - self.first_inside(a, self.stride[a] - 1) as isize;
        let length = |a: usize| {
            (0..self.stride[a]).map(|phase| self.phase_axis(a, phase).1).max().unwrap_or(0) + reach[a] + self.slack(a)
        };
        Planes { axes: each(length), phases: [1; 3], before: [0, 1, 2].map(before) }
    }

    /// How far the first positions of the phases of an axis lie apart: 0 or 1.
    fn slack(&self, axis: usize) -> usize {
        self.first_inside(axis, 0) - self.first_inside(axis, self.stride[axis] - 1)
    }

    /// First input index of a phase and the number of its values.
    fn phase_axis(&self, axis: usize, phase: usize) -> (usize, usize) {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let first = stride * self.first_inside(axis, phase) + phase - padding;
        (first, self.input[axis].saturating_sub(first).div_ceil(stride))
    }

    /// The parts of the input gradient.
    pub(super) fn phases(&self) -> Vec<Phase> {
        let (planes, reach) = (self.gradient_planes(), self.reach());
        let phase = |phase: Axes| {
            let axis = |a: usize| self.phase_axis(a, phase[a]);
            let reaches = |point: &Axes| (0..3).all(|a| point[a] * self.dilation[a] % self.stride[a] == phase[a]);
            let tap = |point: Axes| {
                let offset = |a: usize| {
                    let shift = self.first_inside(a, phase[a]) - self.first_inside(a, self.stride[a] - 1);
                    reach[a] + shift - point[a] * self.dilation[a] / self.stride[a]
                };
                Tap { index: flat(point, self.kernel), offset: flat(each(offset), planes.axes) }
            };
            Phase {
                axes: each(|a| axis(a).1),
                first: each(|a| axis(a).0),
                taps: points(self.kernel).filter(reaches).map(tap).collect(),
            }
        };
        points(self.stride).map(phase).collect()
    }
}

/// The runs of consecutive positions that cover a block inside planes of larger axes: start and length.
/// Rows follow each other across the border between them, whose positions are computed and thrown away,
/// which costs less than tiles that end with each row.
pub(super) fn runs(block: Axes, planes: Axes) -> Vec<(usize, usize)> {
    let [depth, height, width] = block;
    if volume(block) == 0 {
        return Vec::new();
    }
    (0..depth).map(|z| (flat([z, 0, 0], planes), (height - 1) * planes[2] + width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of one axis, the others 1.
    fn line(input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Geometry {
        let output = after(input, kernel, stride, (padding, padding), dilation).unwrap();
        Geometry {
            batch: 1,
            groups: 1,
            inputs: 1,
            outputs: 1,
            input: [1, 1, input],
            output: [1, 1, output],
            kernel: [1, 1, kernel],
            stride: [1, 1, stride],
            padding: [0, 0, padding],
            dilation: [1, 1, dilation],
        }
    }

    #[test]
    fn output_lengths_are_those_of_pytorch() {
        // floor((L + 2p − d(k − 1) − 1) / s + 1), torch.nn.Conv1d
        assert_eq!(after(10, 3, 1, (1, 1), 1), Some(10));
        assert_eq!(after(10, 3, 2, (1, 1), 1), Some(5));
        assert_eq!(after(11, 3, 2, (0, 0), 2), Some(4));
        assert_eq!(after(10, 4, 1, (1, 2), 1), Some(10));
        assert_eq!(after(2, 3, 1, (0, 0), 1), None);
    }

    #[test]
    fn every_term_of_the_definition_is_met_once() {
        for (input, kernel, stride, padding, dilation) in
            [(9, 3, 1, 1, 1), (9, 3, 2, 1, 1), (11, 4, 3, 2, 2), (8, 1, 2, 0, 1), (7, 5, 1, 0, 1), (6, 2, 3, 3, 1)]
        {
            let g = line(input, kernel, stride, padding, dilation);
            let (planes, plane) = (g.input_planes(), volume(g.input_planes().axes));
            // The padded input with the number of each value, from 1.
            let mut padded = vec![0; planes.channel()];
            for phase in 0..stride {
                let (at, values) = planes.covered(2, phase, input);
                for (i, value) in values.step_by(stride).enumerate() {
                    padded[phase * plane + at + i] = value + 1;
                }
            }
            let gradient = g.gradient_planes();
            let mut output = vec![0; gradient.channel()];
            let (at, values) = gradient.covered(2, 0, g.output[2]);
            values.enumerate().for_each(|(i, value)| output[at + i] = value + 1);
            let mut met = Vec::new();
            for tap in g.taps() {
                for p in 0..g.output[2] {
                    let there = (p * stride + tap.index * dilation).checked_sub(padding);
                    let expected = there.filter(|&at| at < input).map_or(0, |at| at + 1);
                    assert_eq!(padded[p + tap.offset], expected, "{g:?} {tap:?} at {p}");
                    if expected > 0 {
                        met.push((expected - 1, tap.index, p));
                    }
                }
            }
            let mut back = Vec::new();
            for phase in g.phases() {
                for tap in &phase.taps {
                    for i in 0..phase.axes[2] {
                        let p = output[i + tap.offset];
                        if p > 0 {
                            back.push((phase.first[2] + i * stride, tap.index, p - 1));
                        }
                    }
                }
            }
            met.sort_unstable();
            back.sort_unstable();
            assert_eq!(met, back, "{g:?}");
        }
    }

    #[test]
    fn runs_cover_the_block() {
        assert_eq!(runs([2, 3, 4], [5, 6, 7]), [(0, 18), (42, 18)]);
        assert!(runs([1, 0, 4], [1, 6, 7]).is_empty());
    }
}
