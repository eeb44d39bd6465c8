//! The four passes of a convolution over plain slices.

use rayon::prelude::*;

use super::geometry::{Axes, Geometry, Planes, volume};
use super::pack;
use super::product::{Accumulation, Correlation, Placement, full_rows, lanes};
use crate::ops::arch;
use crate::ops::memory::Buffer;

/// Longest run of positions of a weight gradient; longer ones are cut.
const RUN: usize = 512;

/// Rows of a whole plane of `axes`.
fn whole(axes: Axes) -> Placement {
    Placement { block: axes, first: [0; 3], step: [1; 3], axes }
}

/// Output of a convolution, `[batch, groups · outputs, output…]`.
pub(super) fn forward(x: &[f32], weight: &[f32], bias: &[f32], g: &Geometry) -> Buffer {
    let (planes, taps) = (g.input_planes(), g.taps());
    let channels = g.groups * g.inputs;
    let x = pack::planes(x, g.batch * channels, g.input, &planes);
    let offsets: Vec<usize> = taps.iter().map(|tap| tap.offset).collect();
    let (size, channel) = (volume(g.kernel), planes.channel());
    let mut out = Buffer::any(g.batch * g.groups * g.outputs * volume(g.output));
    for group in 0..g.groups {
        let weight = &weight[group * g.outputs * g.inputs * size..][..g.outputs * g.inputs * size];
        let packed = pack::weights(g.outputs, full_rows(), g.inputs, &taps, |row, channel, tap| {
            weight[(row * g.inputs + channel) * size + tap]
        });
        let bias = if bias.is_empty() { bias } else { &bias[group * g.outputs..(group + 1) * g.outputs] };
        let correlation = Correlation {
            x: &x,
            planes: planes.axes,
            channel,
            entry: (channels * channel, group * g.inputs * channel),
            batch: g.batch,
            channels: g.inputs,
            offsets: &offsets,
            weights: &packed,
            bias,
            placement: whole(g.output),
            rows: (g.groups * g.outputs, group * g.outputs),
        };
        correlation.run(&mut out);
    }
    out
}

/// Gradient of the input, `[batch, groups · inputs, input…]`, plus `bias` for each channel where it is given: with it this
/// is a transposed convolution.
pub(super) fn input_gradient(grad: &[f32], weight: &[f32], bias: &[f32], g: &Geometry) -> Buffer {
    let (planes, phases) = (g.gradient_planes(), g.phases());
    let channels = g.groups * g.outputs;
    let grad = pack::planes(grad, g.batch * channels, g.output, &planes);
    let (size, channel) = (volume(g.kernel), planes.channel());
    let mut out = Buffer::any(g.batch * g.groups * g.inputs * volume(g.input));
    for group in 0..g.groups {
        let weight = &weight[group * g.outputs * g.inputs * size..][..g.outputs * g.inputs * size];
        let bias = if bias.is_empty() { bias } else { &bias[group * g.inputs..(group + 1) * g.inputs] };
        for phase in &phases {
            let packed = pack::weights(g.inputs, full_rows(), g.outputs, &phase.taps, |row, channel, tap| {
                weight[(channel * g.inputs + row) * size + tap]
            });
            let offsets: Vec<usize> = phase.taps.iter().map(|tap| tap.offset).collect();
            let correlation = Correlation {
                x: &grad,
                planes: planes.axes,
                channel,
                entry: (channels * channel, group * g.outputs * channel),
                batch: g.batch,
                channels: g.outputs,
                offsets: &offsets,
                weights: &packed,
                bias,
                placement: Placement { block: phase.axes, first: phase.first, step: g.stride, axes: g.input },
                rows: (g.groups * g.inputs, group * g.inputs),
            };
            correlation.run(&mut out);
        }
    }
    out
}

/// Gradient of the weight, `[groups · outputs, inputs, kernel…]`.
pub(super) fn weight_gradient(x: &[f32], grad: &[f32], g: &Geometry) -> Buffer {
    let (planes, taps) = (g.input_planes(), g.taps());
    let channels = g.groups * g.inputs;
    let x = pack::planes(x, g.batch * channels, g.input, &planes);
    let segments = segments(g, &planes);
    let pitch = g.outputs.next_multiple_of(lanes());
    let per_group = g.outputs * g.inputs * taps.len();
    let mut out = Buffer::any(g.groups * per_group);
    for group in 0..g.groups {
        let shape = [g.batch, g.groups * g.outputs, volume(g.output)];
        let rows = pack::rows(grad, shape, (group * g.outputs, g.outputs), pitch);
        let at: Vec<usize> = (0..g.inputs)
            .flat_map(|c| taps.iter().map(move |tap| (group * g.inputs + c) * planes.channel() + tap.offset))
            .collect();
        let accumulation = Accumulation { x: &x, at: &at, rows: &rows, pitch, columns: g.outputs, segments: &segments };
        accumulation.run(&mut out[group * per_group..(group + 1) * per_group]);
    }
    out
}

/// The rows of the output of every entry: where each begins in the planes and in the rows, and its length.
fn segments(g: &Geometry, planes: &Planes) -> Vec<(usize, usize, usize)> {
    let ([depth, height, width], [_, rows, row]) = (g.output, planes.axes);
    let entry = g.groups * g.inputs * planes.channel();
    let mut segments = Vec::new();
    for n in 0..g.batch {
        for z in 0..depth {
            for y in 0..height {
                for x in (0..width).step_by(RUN) {
                    let from = n * entry + (z * rows + y) * row + x;
                    segments.push((from, ((n * depth + z) * height + y) * width + x, RUN.min(width - x)));
                }
            }
        }
    }
    segments
}

/// Sum of a gradient over everything but the channels.
pub(super) fn bias_gradient(grad: &[f32], batch: usize, channels: usize) -> Buffer {
    let mut out = Buffer::any(channels);
    let positions = grad.len() / (batch * channels).max(1);
    out.par_iter_mut().enumerate().for_each(|(c, out)| {
        let mut total = 0.0_f64;
        for n in 0..batch {
            let values = &grad[(n * channels + c) * positions..][..positions];
            total += arch().dispatch(|| sum(values));
        }
        *out = total as f32;
    });
    out
}

/// Sixteen sums side by side, folded into one in double precision every few thousand values.
#[inline(always)]
fn sum(values: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(4096) {
        let mut lanes = [0.0_f32; 16];
        let (whole, rest) = block.as_chunks::<16>();
        for chunk in whole {
            lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
        }
        total += lanes.iter().chain(rest).map(|&value| f64::from(value)).sum::<f64>();
    }
    total
}
