//! The loops over time, forward and backward.
//!
//! Rows of the batch meet only in the weights. They are divided into chunks of a fixed size, and a chunk goes through all
//! of its steps on one thread; what sums over chunks is added in their order. So no result depends on the number of
//! threads, and nothing that belongs to one row depends on the others.
#![allow(unsafe_code)]

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::cell::Unit;
use super::kernel::{Packed, Product};
use crate::ops::arch;

/// Rows of a chunk: two full tiles of the product, so that a block of weights in the first cache is used twice.
const CHUNK: usize = 16;
/// Steps whose products with the inputs are computed together.
const STEPS: usize = 8;
/// Rows of a weight's gradient that one task computes.
const ROWS: usize = 64;

/// Where the values of a batch lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Steps of the rectangle, padding included.
    pub(super) time: usize,
    /// Values of a step.
    pub(super) inputs: usize,
    /// Units.
    pub(super) hidden: usize,
}

/// Which steps of each row are real, and in which direction they are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// Real steps of each row.
    pub(super) lengths: &'a [usize],
    /// From a row's last real step to its first.
    pub(super) reverse: bool,
}

impl Order<'_> {
    /// The position in time that is the step-th taken by a row of `length`.
    fn position(self, step: usize, length: usize) -> usize {
        if self.reverse { length - 1 - step } else { step }
    }

    fn longest(self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }
}

/// Floats that a step keeps for the backward pass.
pub(super) fn width<C: Unit>(hidden: usize) -> usize {
    (C::KEPT + C::STATES) * hidden
}

/// The forward pass.
pub(super) struct Forward<'a> {
    pub(super) order: Order<'a>,
    pub(super) sizes: Sizes,
    /// `[rows, time, inputs]`.
    pub(super) x: &'a [f32],
    /// `[inputs, GATES * hidden]`.
    pub(super) input: &'a Packed,
    /// `[hidden, GATES * hidden]`.
    pub(super) hidden: &'a Packed,
    /// `[rows, time, hidden]`, zeros behind a row's end.
    pub(super) output: &'a mut [f32],
    /// `[rows, STATES * hidden]`: the initial state, becomes the last.
    pub(super) state: &'a mut [f32],
    /// `[rows, time, width]`, not written behind a row's end.
    pub(super) kept: Option<&'a mut [f32]>,
}

impl Forward<'_> {
    /// Takes all rows through all steps.
    pub(super) fn run<C: Unit>(self, cell: C) {
        let Self { order, sizes, x, input, hidden, output, state, kept } = self;
        let Sizes { time, inputs, hidden: size } = sizes;
        let kept: Vec<Option<&mut [f32]>> = match kept {
            Some(kept) => kept.chunks_mut(CHUNK * time * width::<C>(size)).map(Some).collect(),
            None => order.lengths.chunks(CHUNK).map(|_| None).collect(),
        };
        order
            .lengths
            .par_chunks(CHUNK)
            .zip(x.par_chunks(CHUNK * time * inputs))
            .zip(output.par_chunks_mut(CHUNK * time * size))
            .zip(state.par_chunks_mut(CHUNK * C::STATES * size))
            .zip(kept)
            .for_each(|((((lengths, x), output), state), kept)| {
                let order = Order { lengths, ..order };
                let chunk = Forward { order, sizes, x, input, hidden, output, state, kept };
                arch().dispatch(ForwardChunk { cell, of: chunk });
            });
    }
}

/// A few rows, from first to last step.
struct ForwardChunk<'a, C> {
    cell: C,
    of: Forward<'a>,
}

impl<C: Unit> WithSimd for ForwardChunk<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { cell, of: Forward { order, sizes, x, input, hidden, output, state, mut kept } } = self;
        let Sizes { time, inputs, hidden: size } = sizes;
        let (gates, states, width) = (C::GATES * size, C::STATES * size, width::<C>(size));
        for (&length, row) in order.lengths.iter().zip(output.chunks_exact_mut(time * size)) {
            row[length * size..].fill(0.0);
        }
        let mut input_terms = vec![0.0; order.lengths.len() * STEPS * gates];
        let mut hidden_terms = vec![0.0; order.lengths.len() * gates];
        // Stands in for what a step would keep.
        let mut dropped = vec![0.0; width];
        let mut rows: Vec<[usize; 2]> = Vec::new();
        let last = order.longest();
        for begin in (0..last).step_by(STEPS) {
            let steps = begin..last.min(begin + STEPS);
            rows.clear();
            for step in steps.clone() {
                for (row, length) in running(order.lengths, step) {
                    let at = row * time + order.position(step, length);
                    rows.push([at * inputs, rows.len() * gates]);
                }
            }
            simd.vectorize(Product { a: x, weight: input, rows: &rows, out: &mut input_terms });
            let mut terms = input_terms.chunks_exact(gates);
            for step in steps {
                rows.clear();
                for (row, _) in running(order.lengths, step) {
                    rows.push([row * states, rows.len() * gates]);
                }
                simd.vectorize(Product { a: state, weight: hidden, rows: &rows, out: &mut hidden_terms });
                let both = terms.by_ref().zip(hidden_terms.chunks_exact(gates));
                for ((row, length), (of_input, of_hidden)) in running(order.lengths, step).zip(both) {
                    let at = row * time + order.position(step, length);
                    let state = &mut state[row * states..][..states];
                    let kept = match &mut kept {
                        Some(kept) => &mut kept[at * width..][..width],
                        None => &mut dropped[..],
                    };
                    kept[width - states..].copy_from_slice(state);
                    cell.forward(simd, of_input, of_hidden, state, kept);
                    output[at * size..][..size].copy_from_slice(&state[..size]);
                }
            }
        }
    }
}

/// The rows that take a step, with their lengths.
fn running(lengths: &[usize], step: usize) -> impl Iterator<Item = (usize, usize)> {
    lengths.iter().copied().enumerate().filter(move |(_, length)| step < *length)
}

/// The backward pass through time.
pub(super) struct Backward<'a> {
    pub(super) order: Order<'a>,
    pub(super) sizes: Sizes,
    /// What [`Forward`] kept; becomes the gradients of the terms.
    pub(super) kept: &'a mut [f32],
    /// Gradient of the output.
    pub(super) output: &'a [f32],
    /// Gradient of the last state, becomes that of the initial state.
    pub(super) state: &'a mut [f32],
    /// The state's weights `[GATES * hidden, hidden]`, in PyTorch's order.
    pub(super) hidden: &'a Packed,
    /// The input's weights `[GATES * hidden, inputs]`, in the order of the kept gradients, and the gradient of the input,
    /// zeros behind a row's end; if it is wanted.
    pub(super) input: Option<(&'a Packed, &'a mut [f32])>,
}

impl Backward<'_> {
    /// Takes all rows back through all steps; returns the sums over rows and steps of the gradients of the terms,
    /// `[KEPT * hidden]`.
    pub(super) fn run<C: Unit>(self, cell: C) -> Vec<f32> {
        let Self { order, sizes, kept, output, state, hidden, input } = self;
        let Sizes { time, inputs, hidden: size } = sizes;
        let input: Vec<Option<(&Packed, &mut [f32])>> = match input {
            Some((weight, of_x)) => of_x.chunks_mut(CHUNK * time * inputs).map(|of_x| Some((weight, of_x))).collect(),
            None => order.lengths.chunks(CHUNK).map(|_| None).collect(),
        };
        let sums: Vec<Vec<f32>> = order
            .lengths
            .par_chunks(CHUNK)
            .zip(kept.par_chunks_mut(CHUNK * time * width::<C>(size)))
            .zip(output.par_chunks(CHUNK * time * size))
            .zip(state.par_chunks_mut(CHUNK * C::STATES * size))
            .zip(input)
            .map(|((((lengths, kept), output), state), input)| {
                let order = Order { lengths, ..order };
                let chunk = Backward { order, sizes, kept, output, state, hidden, input };
                arch().dispatch(BackwardChunk { cell, of: chunk })
            })
            .collect();
        let mut total = vec![0.0; C::KEPT * size];
        for sum in sums {
            total.iter_mut().zip(sum).for_each(|(t, s)| *t += s);
        }
        total
    }
}

/// A few rows, from last to first step.
struct BackwardChunk<'a, C> {
    cell: C,
    of: Backward<'a>,
}

impl<C: Unit> WithSimd for BackwardChunk<'_, C> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { cell, of: Backward { order, sizes, kept, output, state, hidden, mut input } } = self;
        let Sizes { time, inputs, hidden: size } = sizes;
        let (states, width) = (C::STATES * size, width::<C>(size));
        if let Some((_, of_x)) = &mut input {
            for (&length, row) in order.lengths.iter().zip(of_x.chunks_exact_mut(time * inputs)) {
                row[length * inputs..].fill(0.0);
            }
        }
        let mut sums = vec![0.0; C::KEPT * size];
        let mut through = vec![0.0; order.lengths.len() * size];
        let (mut rows, mut input_rows): (Vec<[usize; 2]>, Vec<[usize; 2]>) = (Vec::new(), Vec::new());
        let last = order.longest();
        for begin in (0..last).step_by(STEPS).rev() {
            input_rows.clear();
            for step in (begin..last.min(begin + STEPS)).rev() {
                rows.clear();
                for (row, length) in running(order.lengths, step) {
                    let at = row * time + order.position(step, length);
                    let kept = &mut kept[at * width..][..width];
                    let direct = &mut state[row * states..][..states];
                    cell.backward(simd, kept, &output[at * size..][..size], &through[row * size..][..size], direct);
                    sums.iter_mut().zip(&*kept).for_each(|(s, k)| *s += k);
                    rows.push([at * width + (C::KEPT - C::GATES) * size, row * size]);
                    input_rows.push([at * width, at * inputs]);
                }
                simd.vectorize(Product { a: kept, weight: hidden, rows: &rows, out: &mut through });
            }
            if let Some((weight, of_x)) = &mut input {
                simd.vectorize(Product { a: kept, weight, rows: &input_rows, out: of_x });
            }
        }
        for (direct, through) in state.chunks_exact_mut(states).zip(through.chunks_exact(size)) {
            direct.iter_mut().zip(through).for_each(|(d, t)| *d += t);
        }
        sums
    }
}

/// A matrix whose rows are steps: that of position `p` begins at `p * stride + first`.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) data: &'a [f32],
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// Adds `left[p]ᵀ · right[p]` over all real positions to each `[left.count, right.count]` matrix of `out`.
pub(super) fn accumulate(order: Order<'_>, time: usize, out: [(&mut [f32], Columns<'_>, Columns<'_>); 2]) {
    let runs = runs(order.lengths, time);
    let tasks: Vec<_> = out
        .into_iter()
        .flat_map(|(out, left, right)| {
            let rows = out.chunks_mut(ROWS * right.count).enumerate();
            rows.map(move |(part, out)| {
                let count = ROWS.min(left.count - part * ROWS);
                (out, Columns { first: left.first + part * ROWS, count, ..left }, right)
            })
        })
        .collect();
    tasks.into_par_iter().for_each(|(out, left, right)| {
        for run in &runs {
            add_product(out, left, right, run.clone());
        }
    });
}

/// The real positions as runs of neighbours: rows that fill the rectangle join.
fn runs(lengths: &[usize], time: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (row, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
        let start = row * time;
        match runs.last_mut() {
            Some(run) if run.end == start => run.end += length,
            _ => runs.push(start..start + length),
        }
    }
    runs
}

fn add_product(out: &mut [f32], left: Columns<'_>, right: Columns<'_>, run: Range<usize>) {
    let (m, n, k) = (left.count, right.count, run.len());
    let last = run.end - 1;
    for matrix in [left, right] {
        assert!(matrix.data.len() >= last * matrix.stride + matrix.first + matrix.count, "positions out of bounds");
    }
    assert!(out.len() == m * n, "the gradient of a block of weights");
    // SAFETY: the assertions bound the last element of each of the three matrices, all strides are non-negative, and
    // `out` is the only one written, through an exclusive borrow.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            left.data.as_ptr().add(run.start * left.stride + left.first),
            left.stride as isize,
            1,
            right.data.as_ptr().add(run.start * right.stride + right.first),
            1,
            right.stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_fill_the_rectangle_join() {
        assert_eq!(runs(&[4, 4, 2, 0, 4, 3], 4), [0..10, 16..23]);
        assert_eq!(runs(&[0, 1], 3).first(), Some(&(3..4)));
        assert!(runs(&[0, 0], 3).is_empty());
    }
}
