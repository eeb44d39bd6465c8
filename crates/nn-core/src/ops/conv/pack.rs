//! Operands in the layouts that the tiles read: planes with their border of zeros, rows of channels, blocks of weights.

use rayon::prelude::*;

use super::geometry::{Axes, Planes, Tap, volume};
use super::tile::{MAX_LANES, MAX_VECTORS};
use crate::ops::memory::Buffer;

/// Floats behind the last plane: a tile that hangs over the end of a run reads them and throws the sums away.
const OVERHANG: usize = MAX_LANES * MAX_VECTORS;

/// Copies `[channels, axes…]` into planes, one channel behind the other.
pub(super) fn planes(values: &[f32], channels: usize, axes: Axes, planes: &Planes) -> Buffer {
    let (size, channel) = (volume(axes), planes.channel());
    let mut out = Buffer::any(channels * channel + OVERHANG);
    let (body, overhang) = out.split_at_mut(channels * channel);
    overhang.fill(0.0);
    if channel > 0 {
        body.par_chunks_exact_mut(channel).enumerate().for_each(|(c, out)| {
            let values = &values[c * size..(c + 1) * size];
            if planes.phases == [1; 3] { pad(values, axes, planes, out) } else { part(values, axes, planes, out) }
        });
    }
    out
}

/// One channel, one phase: each row is written once, zeros included.
fn pad(values: &[f32], [_, height, width]: Axes, planes: &Planes, out: &mut [f32]) {
    let [_, rows, row] = planes.axes;
    let covered = |axis: usize, length: usize| planes.covered(axis, 0, length);
    let (z, depths) = covered(0, values.len() / (height * width).max(1));
    let (y, heights) = covered(1, height);
    let (x, widths) = covered(2, width);
    for (at, out) in out.chunks_exact_mut(rows * row).enumerate() {
        let depth = at.wrapping_sub(z).wrapping_add(depths.start);
        if at < z || depth >= depths.end {
            out.fill(0.0);
            continue;
        }
        for (at, out) in out.chunks_exact_mut(row).enumerate() {
            let line = at.wrapping_sub(y).wrapping_add(heights.start);
            if at < y || line >= heights.end {
                out.fill(0.0);
                continue;
            }
            let from = (depth * height + line) * width;
            out[..x].fill(0.0);
            out[x..x + widths.len()].copy_from_slice(&values[from + widths.start..from + widths.end]);
            out[x + widths.len()..].fill(0.0);
        }
    }
}

/// One channel, any number of phases.
fn part(values: &[f32], [depth, height, width]: Axes, planes: &Planes, out: &mut [f32]) {
    out.fill(0.0);
    let ([_, rows, row], [pz, py, px]) = (planes.axes, planes.phases);
    let plane = volume(planes.axes);
    for phase_z in 0..pz {
        let (z0, depths) = planes.covered(0, phase_z, depth);
        for phase_y in 0..py {
            let (y0, heights) = planes.covered(1, phase_y, height);
            for phase_x in 0..px {
                let (x0, widths) = planes.covered(2, phase_x, width);
                let out = &mut out[((phase_z * py + phase_y) * px + phase_x) * plane..][..plane];
                for (z, from_z) in depths.clone().step_by(pz).enumerate() {
                    for (y, from_y) in heights.clone().step_by(py).enumerate() {
                        let values = &values[(from_z * height + from_y) * width..][..width];
                        let to = &mut out[((z0 + z) * rows + y0 + y) * row + x0..];
                        for (to, from) in to.iter_mut().zip(widths.clone().step_by(px)) {
                            *to = values[from];
                        }
                    }
                }
            }
        }
    }
}

/// Positions that are turned around at a time: a block of this many rows of channels stays in the first cache.
const BLOCK: usize = 64;

/// Turns `[batch, of, positions]` into rows of `count` channels from `first` on, `[batch · positions, pitch]`, the rest
/// of a row zeros.
pub(super) fn rows(
    values: &[f32],
    [batch, of, positions]: [usize; 3],
    (first, count): (usize, usize),
    pitch: usize,
) -> Buffer {
    let mut out = Buffer::any(batch * positions * pitch);
    if batch * positions == 0 {
        return out;
    }
    out.par_chunks_exact_mut(positions * pitch).enumerate().for_each(|(n, out)| {
        let values = &values[(n * of + first) * positions..][..count * positions];
        out.par_chunks_mut(BLOCK * pitch).enumerate().for_each(|(block, out)| {
            let length = out.len() / pitch;
            let start = block * BLOCK;
            for c in (0..pitch).step_by(MAX_LANES) {
                // one register's width of channels at a time, so that each row is written by whole vectors
                let channels = count.saturating_sub(c).min(MAX_LANES);
                let mut sources = [&values[..0]; MAX_LANES];
                for (i, source) in sources.iter_mut().enumerate().take(channels) {
                    *source = &values[(c + i) * positions + start..][..length];
                }
                for (at, row) in out.chunks_exact_mut(pitch).enumerate() {
                    let width = MAX_LANES.min(pitch - c);
                    let mut vector = [0.0; MAX_LANES];
                    for (value, source) in vector.iter_mut().zip(&sources[..channels]) {
                        *value = source[at];
                    }
                    row[c..c + width].copy_from_slice(&vector[..width]);
                }
            }
        });
    });
    out
}

/// A block of rows of a tile's left operand: rows `first..first + used`, held as `size` with zeros behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) used: usize,
    pub(super) size: usize,
}

/// Divides `rows` into blocks of `full`, the last of the smallest power of two that holds what is left.
pub(super) fn blocks(rows: usize, full: usize) -> Vec<Block> {
    (0..rows.div_ceil(full))
        .map(|at| {
            let first = at * full;
            let used = full.min(rows - first);
            Block { first, used, size: used.next_power_of_two() }
        })
        .collect()
}

/// Weights as the tiles read them: for each block, channel and tap the `size` rows side by side.
pub(super) struct Weights {
    pub(super) values: Buffer,
    pub(super) blocks: Vec<Block>,
    /// Where each block begins.
    pub(super) starts: Vec<usize>,
}

/// Packs `weight(row, channel, tap)`.
pub(super) fn weights(
    rows: usize,
    full: usize,
    channels: usize,
    taps: &[Tap],
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Weights {
    let blocks = blocks(rows, full);
    let per_row = channels * taps.len();
    let mut starts = Vec::with_capacity(blocks.len());
    let mut end = 0;
    for block in &blocks {
        starts.push(end);
        end += block.size * per_row;
    }
    let mut values = Buffer::any(end);
    // all blocks but the last are of one size
    values.par_chunks_mut((full * per_row).max(1)).zip(&blocks).for_each(|(values, block)| {
        let mut out = values.chunks_exact_mut(block.size);
        for channel in 0..channels {
            for (tap, out) in taps.iter().zip(&mut out) {
                let (used, others) = out.split_at_mut(block.used);
                used.iter_mut().enumerate().for_each(|(m, out)| *out = weight(block.first + m, channel, tap.index));
                others.fill(0.0);
            }
        }
    });
    Weights { values, blocks, starts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_with_what_is_left() {
        let sizes = |rows| blocks(rows, 8).iter().map(|b| (b.first, b.used, b.size)).collect::<Vec<_>>();
        assert_eq!(sizes(19), [(0, 8, 8), (8, 8, 8), (16, 3, 4)]);
        assert_eq!(sizes(1), [(0, 1, 1)]);
        assert!(sizes(0).is_empty());
    }

    #[test]
    fn rows_turn_positions_and_channels_around() {
        let values: Vec<f32> = (0..2 * 5 * 130).map(|v| v as f32).collect();
        let out = rows(&values, [2, 5, 130], (1, 3), 16);
        for (n, p, c) in [(0, 0, 0), (0, 129, 2), (1, 64, 1)] {
            assert_eq!(out[(n * 130 + p) * 16 + c], values[(n * 5 + 1 + c) * 130 + p]);
        }
        assert!(out.chunks_exact(16).all(|row| row[3..].iter().all(|&v| v == 0.0)));
    }
}
