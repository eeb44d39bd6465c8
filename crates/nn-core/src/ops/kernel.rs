//! The loops behind the operations, over plain slices.
//!
//! Work is divided by sequence, and gradients that sum over sequences are accumulated in a fixed
//! number of groups that are added in order: the result does not depend on the number of threads.
#![allow(unsafe_code)]

use super::ragged::Ragged;
use rayon::prelude::*;

/// Groups into which sequences are divided for the sums of the backward pass. Fixed, so that the
/// order of the additions, and with it every bit of the result, is the same whatever the number of
/// threads. Another processor can still differ: the matrix product uses the widest vectors it has.
const GROUPS: usize = 16;

/// A matrix inside a slice: element `(i, j)` lies at `i * row_stride + j * column_stride`. Strides
/// smaller than a row make rows overlap, which is how a convolution becomes a matrix product.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

/// `out[m, n] = (accumulate ? out : 0) + a[m, k] · b[k, n]`, with `out` and `b` row-major.
fn product(out: &mut [f32], accumulate: bool, a: Matrix<'_>, b: &[f32], [m, k, n]: [usize; 3]) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let last = (m - 1) * a.row_stride + (k - 1) * a.column_stride;
    assert!(out.len() >= m * n && b.len() >= k * n && a.data.len() > last, "matrix product out of bounds");
    // SAFETY: the assertion bounds the last element of each of the three matrices, all strides are
    // non-negative, and `out` is the only one written, through an exclusive borrow.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Splits a `[rows, width]` buffer into one exclusive slice for each sequence.
fn by_sequence<'a>(mut buffer: &'a mut [f32], width: usize, layout: &Ragged) -> Vec<&'a mut [f32]> {
    let mut parts = Vec::with_capacity(layout.len());
    for i in 0..layout.len() {
        let (part, rest) = buffer.split_at_mut(layout.span(i).len() * width);
        parts.push(part);
        buffer = rest;
    }
    parts
}

/// Sums a gradient over all sequences: `add(i, sum)` adds the part of sequence `i`.
fn summed(layout: &Ragged, size: usize, add: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let groups = GROUPS.min(layout.len().max(1));
    let bounds: Vec<usize> = (0..=groups).map(|g| layout.len() * g / groups).collect();
    let partial: Vec<Vec<f32>> = (0..groups)
        .into_par_iter()
        .map(|g| {
            let mut sum = vec![0.0; size];
            (bounds[g]..bounds[g + 1]).for_each(|i| add(i, &mut sum));
            sum
        })
        .collect();
    let mut parts = partial.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    total
}

/// `out[t] = relu(bias + Σ_j table[ids[t + j], j])`.
///
/// # Shapes
/// - table `[vocabulary, kernel, channels]`, ids `[rows]`, out `[rows, channels]` (zeroed by the caller)
pub(super) fn lookup_conv_relu(
    table: &[f32],
    bias: &[f32],
    ids: &[u8],
    kernel: usize,
    layout: &Ragged,
    out: &mut [f32],
) {
    let channels = bias.len();
    let after = layout.after(kernel);
    by_sequence(out, channels, layout).into_par_iter().enumerate().for_each(|(i, out)| {
        let ids = &ids[layout.span(i)];
        for (t, row) in out.chunks_exact_mut(channels).take(after.valid(i).len()).enumerate() {
            row.copy_from_slice(bias);
            for (j, &id) in ids[t..t + kernel].iter().enumerate() {
                let entry = &table[(usize::from(id) * kernel + j) * channels..][..channels];
                row.iter_mut().zip(entry).for_each(|(r, e)| *r += e);
            }
            row.iter_mut().for_each(|r| *r = relu(*r));
        }
    });
}

/// Gradients of [`lookup_conv_relu`]: those of the table and of the bias, one after the other.
pub(super) fn lookup_conv_relu_backward(
    table_len: usize,
    ids: &[u8],
    out: &[f32],
    grad: &[f32],
    [kernel, channels]: [usize; 2],
    layout: &Ragged,
) -> Vec<f32> {
    let after = layout.after(kernel);
    summed(layout, table_len + channels, |i, sum| {
        let (table, bias) = sum.split_at_mut(table_len);
        let mut row = vec![0.0; channels];
        for t in after.valid(i) {
            if !relu_gradient(&mut row, &out[t * channels..], &grad[t * channels..]) {
                continue;
            }
            bias.iter_mut().zip(&row).for_each(|(b, r)| *b += r);
            for (j, &id) in ids[t..t + kernel].iter().enumerate() {
                let entry = &mut table[(usize::from(id) * kernel + j) * channels..][..channels];
                entry.iter_mut().zip(&row).for_each(|(e, r)| *e += r);
            }
        }
    })
}

/// The rectifier; unlike `f32::max` it lets NaN through, so that a broken weight reaches the loss check.
fn relu(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// Writes the gradient before the ReLU into `row`; false when all of it is zero.
fn relu_gradient(row: &mut [f32], out: &[f32], grad: &[f32]) -> bool {
    let mut any = false;
    for ((r, &o), &g) in row.iter_mut().zip(out).zip(grad) {
        *r = if o > 0.0 { g } else { 0.0 };
        any |= *r != 0.0;
    }
    any
}

/// The sequence's windows as an overlapping matrix `[outputs, kernel × inputs]`.
fn windows(x: &[f32], inputs: usize) -> Matrix<'_> {
    Matrix { data: x, row_stride: inputs, column_stride: 1 }
}

/// `out[t] = relu(bias + Σ_j x[t + j] · weight[j])`.
///
/// # Shapes
/// - x `[rows, inputs]`, weight `[kernel × inputs, channels]`, out `[rows, channels]` (zeroed by the caller)
pub(super) fn conv_relu(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    [inputs, kernel]: [usize; 2],
    layout: &Ragged,
    out: &mut [f32],
) {
    let channels = bias.len();
    let after = layout.after(kernel);
    by_sequence(out, channels, layout).into_par_iter().enumerate().for_each(|(i, out)| {
        let n = after.valid(i).len();
        let x = &x[layout.span(i).start * inputs..layout.span(i).end * inputs];
        product(out, false, windows(x, inputs), weight, [n, kernel * inputs, channels]);
        for row in out.chunks_exact_mut(channels).take(n) {
            row.iter_mut().zip(bias).for_each(|(r, b)| *r = relu(*r + b));
        }
    });
}

/// Gradients of [`conv_relu`]: into `dx` (zeroed by the caller) that of the input; returned, those of
/// the weight and of the bias, one after the other.
pub(super) fn conv_relu_backward(
    x: &[f32],
    weight: &[f32],
    out: &[f32],
    grad: &[f32],
    [inputs, kernel, channels]: [usize; 3],
    layout: &Ragged,
    dx: &mut [f32],
) -> Vec<f32> {
    let after = layout.after(kernel);
    let span = kernel * inputs;
    // The data gradient is a convolution of the padded output gradient with the reversed kernel.
    let mut reversed = vec![0.0; weight.len()];
    for j in 0..kernel {
        for i in 0..inputs {
            for c in 0..channels {
                reversed[((kernel - 1 - j) * channels + c) * inputs + i] = weight[(j * inputs + i) * channels + c];
            }
        }
    }
    let margin = (kernel - 1) * channels;
    // Output gradient of one sequence before the ReLU, with `kernel − 1` rows of zeros on both sides.
    let padded = |i: usize| {
        let valid = after.valid(i);
        let mut z = vec![0.0; valid.len() * channels + 2 * margin];
        for (row, t) in z[margin..].chunks_exact_mut(channels).zip(valid) {
            relu_gradient(row, &out[t * channels..], &grad[t * channels..]);
        }
        z
    };
    by_sequence(dx, inputs, layout).into_par_iter().enumerate().for_each(|(i, dx)| {
        let n = layout.valid(i).len();
        if after.valid(i).is_empty() {
            return;
        }
        product(dx, false, windows(&padded(i), channels), &reversed, [n, kernel * channels, inputs]);
    });
    summed(layout, (span + 1) * channels, |i, sum| {
        let (dw, db) = sum.split_at_mut(span * channels);
        let z = padded(i);
        let z = &z[margin..z.len() - margin];
        let n = after.valid(i).len();
        let x = &x[layout.span(i).start * inputs..layout.span(i).end * inputs];
        product(dw, true, Matrix { data: x, row_stride: 1, column_stride: inputs }, z, [span, n, channels]);
        for row in z.chunks_exact(channels) {
            db.iter_mut().zip(row).for_each(|(d, r)| *d += r);
        }
    })
}

/// `out[s] = max_t relu(bias + Σ_j x[t + j] · weight[j])` over the positions of sequence `s`, and in
/// `best` the first row that reaches it.
///
/// # Shapes
/// - x `[rows, inputs]`, weight `[kernel × inputs, channels]`, out and best `[sequences, channels]`
pub(super) fn conv_relu_max(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    [inputs, kernel]: [usize; 2],
    layout: &Ragged,
    out: &mut [f32],
    best: &mut [i64],
) {
    let channels = bias.len();
    let after = layout.after(kernel);
    out.par_chunks_exact_mut(channels).zip(best.par_chunks_exact_mut(channels)).enumerate().for_each_init(
        Vec::new,
        |scratch, (i, (out, best))| {
            let (start, n) = (layout.span(i).start, after.valid(i).len());
            let x = &x[start * inputs..layout.span(i).end * inputs];
            scratch.resize(n * channels, 0.0);
            product(scratch, false, windows(x, inputs), weight, [n, kernel * inputs, channels]);
            out.fill(f32::NEG_INFINITY);
            best.fill(start as i64);
            for (t, row) in scratch.chunks_exact(channels).take(n).enumerate() {
                for ((o, b), &value) in out.iter_mut().zip(best.iter_mut()).zip(row) {
                    // A NaN must reach the loss check, so it wins over every number.
                    if value > *o || value.is_nan() {
                        (*o, *b) = (value, (start + t) as i64);
                    }
                }
            }
            // Rounding is monotonic, so adding the bias after the maximum gives the same bits.
            out.iter_mut().zip(bias).for_each(|(o, b)| *o = relu(*o + b));
        },
    );
}

/// Gradients of [`conv_relu_max`]: into `dx` (zeroed by the caller) that of the input; returned, those
/// of the weight and of the bias. Only the winning window of each channel takes part.
pub(super) fn conv_relu_max_backward(
    x: &[f32],
    weight: &[f32],
    (out, best): (&[f32], &[i64]),
    grad: &[f32],
    [inputs, kernel, channels]: [usize; 3],
    layout: &Ragged,
    dx: &mut [f32],
) -> Vec<f32> {
    let span = kernel * inputs;
    // Channel-major, so that each channel's window is one run of floats.
    let mut by_channel = vec![0.0; weight.len()];
    for (k, row) in weight.chunks_exact(channels).enumerate() {
        row.iter().enumerate().for_each(|(c, &w)| by_channel[c * span + k] = w);
    }
    let winners = |i: usize| {
        let range = i * channels..(i + 1) * channels;
        let (out, best, grad) = (&out[range.clone()], &best[range.clone()], &grad[range]);
        (0..channels)
            .filter(|&c| out[c] > 0.0 && grad[c] != 0.0)
            .map(|c| (c, best[c] as usize, grad[c]))
            .collect::<Vec<_>>()
    };
    by_sequence(dx, inputs, layout).into_par_iter().enumerate().for_each(|(i, dx)| {
        let start = layout.span(i).start;
        for (c, t, g) in winners(i) {
            let window = &mut dx[(t - start) * inputs..][..span];
            window.iter_mut().zip(&by_channel[c * span..]).for_each(|(d, w)| *d += g * w);
        }
    });
    let mut sums = summed(layout, (span + 1) * channels, |i, sum| {
        let (dw, db) = sum.split_at_mut(span * channels);
        for (c, t, g) in winners(i) {
            let window = &x[t * inputs..][..span];
            dw[c * span..][..span].iter_mut().zip(window).for_each(|(d, v)| *d += g * v);
            db[c] += g;
        }
    });
    let transposed: Vec<f32> = (0..span * channels).map(|at| sums[(at % channels) * span + at / channels]).collect();
    sums[..span * channels].copy_from_slice(&transposed);
    sums
}
