//! Convolutions and weight gradients as tiles: which tile, in which order, on which thread.
//!
//! A sum is one chain of additions in one tile, in an order that the shapes alone decide, so the results
//! do not depend on the number of threads.
#![allow(unsafe_code)]

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::geometry::{Axes, runs, volume};
use super::pack::{Block, Weights, blocks};
use super::tile::{self, MAX_ROWS, MAX_VECTORS, TILE};
use crate::ops::arch;
use crate::ops::memory::Buffer;

/// Floats of the right operand that a task goes through before it turns to the next block of rows: half of a second
/// cache of 1 MiB.
const CACHED: usize = 1 << 17;
/// Positions whose terms a block of a weight gradient adds before the next block has its turn.
const DEPTH: usize = 256;
/// Tasks into which a product is divided at least, where it is large enough.
const TASKS: usize = 32;
/// Parts into which the positions of a weight gradient are divided when it has few tiles.
const PARTS: usize = 8;

/// Rows of a full tile on this machine.
pub(super) fn full_rows() -> usize {
    arch().dispatch(Rows)
}

struct Rows;

impl WithSimd for Rows {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        tile::rows::<S>()
    }
}

/// Lanes of a vector on this machine.
pub(super) fn lanes() -> usize {
    arch().dispatch(Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        tile::lanes::<S>()
    }
}

/// Calls a tile function with the number of rows and vectors as constants.
macro_rules! sized {
    ($rows:expr, $vectors:expr, $call:ident :: <S>($($arg:expr),* $(,)?)) => {
        match ($rows, $vectors) {
            (8, 3) => tile::$call::<S, 8, 3>($($arg),*),
            (8, 2) => tile::$call::<S, 8, 2>($($arg),*),
            (8, 1) => tile::$call::<S, 8, 1>($($arg),*),
            (4, 3) => tile::$call::<S, 4, 3>($($arg),*),
            (4, 2) => tile::$call::<S, 4, 2>($($arg),*),
            (4, 1) => tile::$call::<S, 4, 1>($($arg),*),
            (2, 3) => tile::$call::<S, 2, 3>($($arg),*),
            (2, 2) => tile::$call::<S, 2, 2>($($arg),*),
            (2, 1) => tile::$call::<S, 2, 1>($($arg),*),
            (1, 3) => tile::$call::<S, 1, 3>($($arg),*),
            (1, 2) => tile::$call::<S, 1, 2>($($arg),*),
            _ => tile::$call::<S, 1, 1>($($arg),*),
        }
    };
}

/// Where a block of results goes: point `[z, y, x]` to `first + step · point` in a plane of `axes`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    /// Size of the block.
    pub(super) block: Axes,
    pub(super) first: Axes,
    pub(super) step: Axes,
    pub(super) axes: Axes,
}

/// `out[n, row] = bias[row] + Σ_channel Σ_tap weight · x[n, channel]`, for every batch entry and row of the weights.
pub(super) struct Correlation<'a> {
    /// Planes of all channels of all entries.
    pub(super) x: &'a [f32],
    /// Axes of one plane.
    pub(super) planes: Axes,
    /// Floats from a channel to the next.
    pub(super) channel: usize,
    /// Floats from an entry to the next, and of the first channel that takes part.
    pub(super) entry: (usize, usize),
    pub(super) batch: usize,
    pub(super) channels: usize,
    /// Offsets in the order of the weights.
    pub(super) offsets: &'a [usize],
    pub(super) weights: &'a Weights,
    /// One value for each row; empty for zeros.
    pub(super) bias: &'a [f32],
    pub(super) placement: Placement,
    /// Channels of an entry of the output, and the first that is written.
    pub(super) rows: (usize, usize),
}

/// A tile's place: first position, positions that count, vectors, depth.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
    vectors: usize,
    depth: usize,
}

/// Cuts runs into tiles of nearly equal width.
fn spans(block: Axes, planes: Axes, lanes: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    for (depth, (start, length)) in runs(block, planes).into_iter().enumerate() {
        let vectors = length.div_ceil(lanes);
        let tiles = vectors.div_ceil(MAX_VECTORS);
        let mut at = 0;
        for tile in 0..tiles {
            let here = vectors * (tile + 1) / tiles - at;
            let from = at * lanes;
            spans.push(Span { start: start + from, length: (here * lanes).min(length - from), vectors: here, depth });
            at += here;
        }
    }
    spans
}

/// A pointer to results of which each task writes its own part.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: tasks write disjoint elements, and the slice outlives them (see `Correlation::run`).
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Correlation<'_> {
    /// Computes into `out`, `[batch, rows.0, placement.axes…]`. Points that the placement does not name keep their values.
    pub(super) fn run(&self, out: &mut [f32]) {
        let blocks = &self.weights.blocks;
        let rows: usize = blocks.iter().map(|block| block.used).sum();
        assert!(
            self.rows.1 + rows <= self.rows.0 && out.len() == self.batch * self.rows.0 * volume(self.placement.axes)
        );
        for axis in 0..3 {
            let Placement { block, first, step, axes } = self.placement;
            assert!(
                block[axis] == 0 || first[axis] + (block[axis] - 1) * step[axis] < axes[axis],
                "block in its plane"
            );
        }
        let spans = spans(self.placement.block, self.planes, lanes());
        let reach = self.offsets.iter().max().copied().unwrap_or(0);
        let Some(last) = spans.iter().map(|span| span.start + span.vectors * lanes()).max() else { return };
        let furthest = self.batch.saturating_sub(1) * self.entry.0 + self.entry.1;
        assert!(
            self.batch == 0 || furthest + self.channels.saturating_sub(1) * self.channel + reach + last <= self.x.len(),
            "planes with their overhang"
        );
        let positions = (CACHED / self.channels.max(1)).max(1);
        let per_chunk = (positions / (MAX_VECTORS * lanes())).clamp(2, spans.len().max(2));
        let chunks: Vec<&[Span]> = spans.chunks(per_chunk).collect();
        let parts = (TASKS / (self.batch * chunks.len()).max(1)).clamp(1, blocks.len().max(1));
        let shared = Shared(out.as_mut_ptr());
        (0..self.batch * chunks.len() * parts).into_par_iter().for_each(|task| {
            let (part, rest) = (task % parts, task / parts);
            let (chunk, entry) = (chunks[rest % chunks.len()], rest / chunks.len());
            let blocks = blocks.len() * part / parts..blocks.len() * (part + 1) / parts;
            arch().dispatch(CorrelationTask { of: self, entry, spans: chunk, blocks, out: shared });
        });
    }

    /// Copies the sums of one row of a tile to their places.
    ///
    /// # Safety
    /// `out` must be the plane of this row, and no other thread may write the points of the span.
    #[inline(always)]
    unsafe fn place(&self, sums: &[f32], span: &Span, out: *mut f32) {
        let Placement { block: [_, _, width], first, step, axes } = self.placement;
        let (row, base) = (self.planes[2], span.depth * self.planes[1] * self.planes[2]);
        let (mut at, from) = (0, span.start - base);
        while at < span.length {
            let (y, x) = ((from + at) / row, (from + at) % row);
            if x >= width {
                at += row - x;
                continue;
            }
            let length = (width - x).min(span.length - at);
            let line = ((first[0] + span.depth * step[0]) * axes[1] + first[1] + y * step[1]) * axes[2];
            // SAFETY: `run` has asserted that every point of the block lies in its plane.
            unsafe {
                let to = out.add(line + first[2] + x * step[2]);
                if step[2] == 1 {
                    std::ptr::copy_nonoverlapping(sums.as_ptr().add(at), to, length);
                } else {
                    for i in 0..length {
                        *to.add(i * step[2]) = sums[at + i];
                    }
                }
            }
            at += length;
        }
    }
}

struct CorrelationTask<'a, 'b> {
    of: &'a Correlation<'b>,
    entry: usize,
    spans: &'a [Span],
    blocks: std::ops::Range<usize>,
    out: Shared,
}

impl WithSimd for CorrelationTask<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let of = self.of;
        let plane = volume(of.placement.axes);
        let mut sums = [0.0_f32; TILE];
        let x = self.entry * of.entry.0 + of.entry.1;
        for index in self.blocks {
            let block = of.weights.blocks[index];
            let weights = &of.weights.values[of.weights.starts[index]..];
            debug_assert!(weights.len() >= block.size * of.channels * of.offsets.len());
            let mut init = [0.0_f32; MAX_ROWS];
            if !of.bias.is_empty() {
                init[..block.used].copy_from_slice(&of.bias[block.first..block.first + block.used]);
            }
            for span in self.spans {
                // SAFETY: `run` has asserted that the furthest vector of the last channel lies in `x`; the weights of
                // a block are `size · channels · taps`; a tile has room for MAX_ROWS rows of MAX_VECTORS vectors.
                unsafe {
                    let x = (of.x.as_ptr().add(x + span.start), of.channel, of.channels);
                    let (weights, init, out) = (weights.as_ptr(), init.as_ptr(), sums.as_mut_ptr());
                    sized!(block.size, span.vectors, correlate::<S>(simd, x, of.offsets, weights, init, out));
                }
                for m in 0..block.used {
                    let row = self.entry * of.rows.0 + of.rows.1 + block.first + m;
                    let width = span.vectors * S::F32_LANES;
                    // SAFETY: `run` has asserted that the row lies in the output; this task alone has these blocks of
                    // this entry and these spans.
                    unsafe { of.place(&sums[m * width..(m + 1) * width], span, self.out.0.add(row * plane)) };
                }
            }
        }
    }
}

/// `out[column, row] = Σ_n Σ_position rows[n, position, column] · x[n, position + at[row]]`.
pub(super) struct Accumulation<'a> {
    /// Planes of all entries.
    pub(super) x: &'a [f32],
    /// Offset of each row of the result in an entry's planes.
    pub(super) at: &'a [usize],
    /// Rows of channels, `[batch · positions, pitch]`.
    pub(super) rows: &'a [f32],
    pub(super) pitch: usize,
    /// Number of columns.
    pub(super) columns: usize,
    /// Runs of positions: first float of the planes, first row, length.
    pub(super) segments: &'a [(usize, usize, usize)],
}

impl Accumulation<'_> {
    /// Computes into `out`, `[columns, at.len()]`.
    pub(super) fn run(&self, out: &mut [f32]) {
        let (lanes, full) = (lanes(), full_rows());
        let wide = self.pitch / lanes;
        assert!(
            self.columns <= self.pitch && self.pitch.is_multiple_of(lanes) && out.len() == self.columns * self.at.len()
        );
        let furthest = self.at.iter().max().copied().unwrap_or(0);
        for &(from, row, count) in self.segments {
            assert!(from + furthest + count <= self.x.len() && (row + count) * self.pitch <= self.rows.len());
        }
        let tiles = wide.div_ceil(MAX_VECTORS);
        let columns: Vec<(usize, usize)> =
            (0..tiles).map(|t| (wide * t / tiles, wide * (t + 1) / tiles - wide * t / tiles)).collect();
        let blocks = blocks(self.at.len(), full);
        let parts = if columns.len() * blocks.len() < 2 * TASKS { PARTS } else { 1 };
        let groups = (TASKS / (columns.len() * parts)).clamp(1, blocks.len().max(1));
        let per_group = blocks.len().div_ceil(groups).max(1);
        let slot = full * MAX_VECTORS * lanes;
        let mut sums = Buffer::zeroed(parts * columns.len() * groups * per_group * slot);
        sums.par_chunks_exact_mut(per_group * slot).enumerate().for_each(|(task, sums)| {
            let (group, rest) = (task % groups, task / groups);
            let (column, part) = (columns[rest % columns.len()], rest / columns.len());
            let blocks = &blocks[(group * per_group).min(blocks.len())..((group + 1) * per_group).min(blocks.len())];
            let segments = &self.segments[self.segments.len() * part / parts..self.segments.len() * (part + 1) / parts];
            arch().dispatch(AccumulationTask { of: self, column, blocks, segments, sums, slot });
        });
        // The parts are added in order; then each tile's rows become columns.
        let size = columns.len() * groups * per_group * slot;
        let (total, others) = sums.split_at_mut(size);
        for part in others.chunks_exact(size) {
            total.par_iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        let mut rest = out;
        let mut parts = Vec::with_capacity(columns.len());
        for &(first, vectors) in &columns {
            let width = (vectors * lanes).min(self.columns - first * lanes);
            let (part, behind) = rest.split_at_mut(width * self.at.len());
            parts.push(part);
            rest = behind;
        }
        parts.into_par_iter().zip(&columns).enumerate().for_each(|(c, (out, &(_, vectors)))| {
            let tiles = &total[c * groups * per_group * slot..];
            out.par_chunks_exact_mut(self.at.len()).enumerate().for_each(|(v, out)| {
                for (block, tile) in blocks.iter().zip(tiles.chunks_exact(slot)) {
                    let out = &mut out[block.first..block.first + block.used];
                    for (out, sum) in out.iter_mut().zip(tile[v..].iter().step_by(vectors * lanes)) {
                        *out = *sum;
                    }
                }
            });
        });
    }
}

struct AccumulationTask<'a, 'b> {
    of: &'a Accumulation<'b>,
    /// First vector of a row, and how many.
    column: (usize, usize),
    blocks: &'a [Block],
    segments: &'a [(usize, usize, usize)],
    sums: &'a mut [f32],
    slot: usize,
}

impl WithSimd for AccumulationTask<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let of = self.of;
        let (first, vectors) = (self.column.0 * S::F32_LANES, self.column.1);
        let mut segments = self.segments;
        while !segments.is_empty() {
            let (mut here, mut depth) = (0, 0);
            while here < segments.len() && depth < DEPTH {
                depth += segments[here].2;
                here += 1;
            }
            let (now, later) = segments.split_at(here);
            segments = later;
            for (block, sums) in self.blocks.iter().zip(self.sums.chunks_exact_mut(self.slot)) {
                let mut at = [0; MAX_ROWS];
                // rows that only fill up the block repeat the first, which is inside
                at.fill(of.at[block.first]);
                at[..block.used].copy_from_slice(&of.at[block.first..block.first + block.used]);
                // SAFETY: `run` has asserted that every segment lies in both operands with the furthest offset; the
                // vectors of a column end within the pitch; a slot holds a full tile.
                unsafe {
                    let rows = (of.rows.as_ptr().add(first), of.pitch);
                    let (x, out) = (of.x.as_ptr(), sums.as_mut_ptr());
                    sized!(block.size, vectors, accumulate::<S>(simd, x, &at, now, rows, out));
                }
            }
        }
    }
}
