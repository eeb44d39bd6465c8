//! Looking voxels up at the places of a map, some dozens of a row at a time.
//!
//! Places and weights of a piece of a row are computed in loops without branches; then come the loads. Everything is
//! compiled for AVX-512, AVX2 and the baseline, and the widest that the machine has runs.

use pulp::{Arch, Simd, WithSimd};

use super::spatial::Spatial;
use crate::sampling::Fill;

/// Voxels of a row that are worked on at a time.
pub(super) const LANES: usize = 32;

/// A piece of work that is compiled for each instruction set.
pub(super) trait Work {
    /// Does it.
    fn run(self);
}

/// Hands a piece of work to pulp.
struct Compiled<W>(W);

impl<W: Work> WithSimd for Compiled<W> {
    type Output = ();

    // Not inlined, the work would be compiled for the baseline.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.run();
    }
}

/// Does the work with the widest vectors that the machine has.
pub(super) fn dispatch(work: impl Work) {
    Arch::new().dispatch(Compiled(work));
}

/// The places of voxels `first..first + LANES` of a row, along each axis of the volume.
#[inline(always)]
fn places(map: &Spatial, row: [f64; 3], first: usize, displaced: Option<&super::elastic::Row>) -> [[f32; LANES]; 3] {
    let mut at = [[0.0; LANES]; 3];
    for axis in 0..3 {
        let step = map.matrix[axis][0];
        let (start, step) = ((row[axis] + step * first as f64) as f32, step as f32);
        for (lane, at) in at[axis].iter_mut().enumerate() {
            *at = start + step * lane as f32;
        }
    }
    if let (Some(elastic), Some(row)) = (&map.elastic, displaced) {
        elastic.add(row, first, &mut at);
    }
    at
}

/// The place of the first voxel of a row.
#[inline(always)]
fn row_start(map: &Spatial, j: usize, k: usize) -> [f64; 3] {
    [0, 1, 2].map(|axis| map.offset[axis] + map.matrix[axis][1] * j as f64 + map.matrix[axis][2] * k as f64)
}

/// Place `x` on an axis that is mirrored at 0 and at `last`, again and again.
#[inline(always)]
fn folded(x: f32, last: f32) -> f32 {
    let period = (2.0 * last).max(1e-6);
    let x = x.abs();
    let turn = x - (x / period).floor() * period;
    turn.min(period - turn)
}

/// The two voxels around each place along one axis, as offsets, and what they weigh.
#[derive(Clone, Copy)]
struct Taps {
    low: [u32; LANES],
    high: [u32; LANES],
    below: [f32; LANES],
    above: [f32; LANES],
}

impl Taps {
    #[inline(always)]
    fn new(at: &[f32; LANES], size: usize, stride: usize, fill: Fill) -> Self {
        let (last, stride) = ((size - 1) as f32, stride as u32);
        let mut taps = Self { low: [0; LANES], high: [0; LANES], below: [0.0; LANES], above: [0.0; LANES] };
        match fill {
            Fill::Zero => {
                for (lane, place) in at.iter().enumerate() {
                    // Farther out both voxels are outside as well.
                    let x = place.clamp(-1.0, last + 1.0);
                    let floor = x.floor();
                    let part = x - floor;
                    taps.low[lane] = floor.clamp(0.0, last) as i32 as u32 * stride;
                    taps.high[lane] = (floor + 1.0).clamp(0.0, last) as i32 as u32 * stride;
                    taps.below[lane] = if floor >= 0.0 && floor <= last { 1.0 - part } else { 0.0 };
                    taps.above[lane] = if floor < last { part } else { 0.0 };
                }
            }
            Fill::Border | Fill::Reflect => {
                for (lane, &place) in at.iter().enumerate() {
                    let x = if fill == Fill::Reflect { folded(place, last) } else { place };
                    let x = x.clamp(0.0, last);
                    let floor = x.floor();
                    taps.low[lane] = floor as i32 as u32 * stride;
                    taps.high[lane] = (floor + 1.0).min(last) as i32 as u32 * stride;
                    taps.below[lane] = 1.0 - (x - floor);
                    taps.above[lane] = x - floor;
                }
            }
        }
        taps
    }
}

/// Some rows of a slice of a patch, in each of its channels.
pub(super) struct Trilinear<'a, 'b> {
    pub(super) map: &'a Spatial,
    /// Voxels of the volume.
    pub(super) size: [usize; 3],
    /// The slice.
    pub(super) k: usize,
    /// The first row.
    pub(super) first: usize,
    pub(super) channels: &'a [&'a [f32]],
    /// The rows, for each channel.
    pub(super) parts: Vec<&'b mut [f32]>,
}

impl Work for Trilinear<'_, '_> {
    #[inline(always)]
    fn run(mut self) {
        let (map, size) = (self.map, self.size);
        let width = map.size[0];
        let rows = self.parts.first().map_or(0, |part| part.len() / width);
        // A slice of the patch that is a slice of the volume needs half of the loads.
        let flat = map.matrix[2][0] == 0.0
            && map.matrix[2][1] == 0.0
            && map.elastic.as_ref().is_none_or(super::elastic::Elastic::flat)
            && row_start(map, 0, self.k)[2].fract() == 0.0;
        for row in 0..rows {
            let j = self.first + row;
            let start = row_start(map, j, self.k);
            let displaced = map.elastic.as_ref().map(|elastic| elastic.row(j, self.k));
            for first in (0..width).step_by(LANES) {
                let at = places(map, start, first, displaced.as_ref());
                let taps = [
                    Taps::new(&at[0], size[0], 1, map.fill),
                    Taps::new(&at[1], size[1], size[0], map.fill),
                    Taps::new(&at[2], size[2], size[0] * size[1], map.fill),
                ];
                let piece = row * width + first..row * width + (first + LANES).min(width);
                for (channel, part) in self.channels.iter().zip(&mut self.parts) {
                    if flat {
                        bilinear(channel, &taps, &mut part[piece.clone()]);
                    } else {
                        trilinear(channel, &taps, &mut part[piece.clone()]);
                    }
                }
            }
        }
    }
}

/// The eight voxels around each place, weighted.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the bound on the lane is what makes the loop free of checks")]
fn trilinear(voxels: &[f32], [x, y, z]: &[Taps; 3], out: &mut [f32]) {
    let last = voxels.len() - 1;
    // Never beyond the end; said so, the loop has no branch.
    let get = |offset: u32| voxels[(offset as usize).min(last)];
    for lane in 0..out.len().min(LANES) {
        let (x0, x1, low, high) = (x.low[lane], x.high[lane], x.below[lane], x.above[lane]);
        let line = |offset: u32| low * get(offset + x0) + high * get(offset + x1);
        let plane =
            |offset: u32| y.below[lane] * line(offset + y.low[lane]) + y.above[lane] * line(offset + y.high[lane]);
        out[lane] = z.below[lane] * plane(z.low[lane]) + z.above[lane] * plane(z.high[lane]);
    }
}

/// As [`trilinear`], where all places are at whole slices.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the bound on the lane is what makes the loop free of checks")]
fn bilinear(voxels: &[f32], [x, y, z]: &[Taps; 3], out: &mut [f32]) {
    let last = voxels.len() - 1;
    let get = |offset: u32| voxels[(offset as usize).min(last)];
    for lane in 0..out.len().min(LANES) {
        let (x0, x1, low, high) = (x.low[lane], x.high[lane], x.below[lane], x.above[lane]);
        let line = |offset: u32| low * get(offset + x0) + high * get(offset + x1);
        let (above, below) = (z.low[lane] + y.low[lane], z.low[lane] + y.high[lane]);
        out[lane] = z.below[lane] * (y.below[lane] * line(above) + y.above[lane] * line(below));
    }
}

/// A slice of the labels of a patch.
pub(super) struct Nearest<'a> {
    pub(super) map: &'a Spatial,
    /// Voxels of the volume.
    pub(super) size: [usize; 3],
    /// The slice.
    pub(super) k: usize,
    pub(super) labels: &'a [u8],
    /// The labels of the slice.
    pub(super) out: &'a mut [u8],
}

impl Work for Nearest<'_> {
    #[inline(always)]
    fn run(self) {
        let (map, size) = (self.map, self.size);
        let width = map.size[0];
        let end = self.labels.len() - 1;
        for (j, row) in self.out.chunks_exact_mut(width).enumerate() {
            let start = row_start(map, j, self.k);
            let displaced = map.elastic.as_ref().map(|elastic| elastic.row(j, self.k));
            for (piece, out) in row.chunks_mut(LANES).enumerate() {
                let at = places(map, start, piece * LANES, displaced.as_ref());
                let mut offset = [0_u32; LANES];
                let mut inside = [true; LANES];
                for (axis, stride) in [1, size[0], size[0] * size[1]].into_iter().enumerate() {
                    let (last, stride) = ((size[axis] - 1) as f32, stride as u32);
                    for lane in 0..LANES {
                        let x = at[axis][lane];
                        let x = if map.fill == Fill::Reflect { folded(x, last) } else { x };
                        let voxel = (x + 0.5).floor();
                        inside[lane] &= map.fill != Fill::Zero || (voxel >= 0.0 && voxel <= last);
                        offset[lane] += voxel.clamp(0.0, last) as i32 as u32 * stride;
                    }
                }
                for lane in 0..out.len().min(LANES) {
                    let label = self.labels[(offset[lane] as usize).min(end)];
                    out[lane] = if inside[lane] { label } else { 0 };
                }
            }
        }
    }
}
