//! Logits of many positions, sixteen positions at a time.
//!
//! `[batch, classes, positions]` has the classes of one position far apart, and rows of classes have them side
//! by side. Both are brought into one small block, a row of lanes for each class, and from there back.

use crate::ops::norm::lanes::{LANES, PART};

/// The values of one class at up to [`LANES`] positions; a block is one of these for each class.
pub(super) type Lanes = [f32; LANES];

/// Consecutive positions of one task, where their values lie, and what belongs to them.
pub(super) struct Task<'a> {
    /// Row of the batch, when all positions are of one.
    pub(super) sample: usize,
    tile: Tile<'a>,
    source: Option<&'a [f32]>,
    /// Class of each position.
    pub(super) targets: &'a [i32],
    /// Where the loss of each position goes.
    pub(super) each: Option<&'a mut [f32]>,
}

enum Tile<'a> {
    /// Rows of `classes` values; the first is value `start` of the tensor.
    Rows { values: &'a mut [f32], classes: usize, start: usize },
    /// A run of positions for each class; the first run begins at value `start` of the tensor, the next ones
    /// `stride` later each.
    Planes { values: Vec<&'a mut [f32]>, start: usize, stride: usize },
}

/// Divides `[batch, classes, positions]` into tasks of whole blocks. Values are read from `source`, or from
/// `out`, to which they are written. With `by_sample` no task holds positions of two rows of the batch.
pub(super) fn tasks<'a>(
    [batch, classes, positions]: [usize; 3],
    source: Option<&'a [f32]>,
    out: &'a mut [f32],
    targets: &'a [i32],
    each: Option<&'a mut [f32]>,
    by_sample: bool,
) -> Vec<Task<'a>> {
    if out.is_empty() {
        return Vec::new();
    }
    let length = (PART / classes).clamp(LANES, 4096) / LANES * LANES;
    let mut tasks = Vec::new();
    let rows = positions == 1 && !by_sample;
    if rows {
        let parts = out.chunks_mut(length * classes).zip(targets.chunks(length)).enumerate();
        tasks.extend(parts.map(|(k, (values, targets))| {
            let tile = Tile::Rows { values, classes, start: k * length * classes };
            Task { sample: 0, tile, source, targets, each: None }
        }));
    } else {
        for (sample, (values, targets)) in
            out.chunks_exact_mut(classes * positions).zip(targets.chunks_exact(positions)).enumerate()
        {
            let mut parts: Vec<Vec<&mut [f32]>> =
                (0..positions.div_ceil(length)).map(|_| Vec::with_capacity(classes)).collect();
            for plane in values.chunks_exact_mut(positions) {
                parts.iter_mut().zip(plane.chunks_mut(length)).for_each(|(part, run)| part.push(run));
            }
            let parts = parts.into_iter().zip(targets.chunks(length)).enumerate();
            tasks.extend(parts.map(|(k, (values, targets))| {
                let start = sample * classes * positions + k * length;
                let tile = Tile::Planes { values, start, stride: positions };
                Task { sample, tile, source, targets, each: None }
            }));
        }
    }
    if let Some(each) = each {
        let run = if rows { batch } else { positions };
        let parts = each.chunks_exact_mut(run).flat_map(|run| run.chunks_mut(length));
        tasks.iter_mut().zip(parts).for_each(|(task, part)| task.each = Some(part));
    }
    tasks
}

impl Task<'_> {
    /// Positions `at..at + length` into the block.
    pub(super) fn load(&self, at: usize, length: usize, block: &mut [Lanes]) {
        match &self.tile {
            Tile::Rows { values, classes, start } => {
                let rows = match self.source {
                    Some(source) => &source[start + at * classes..][..length * classes],
                    None => &values[at * classes..][..length * classes],
                };
                for (lane, row) in rows.chunks_exact(*classes).enumerate() {
                    block.iter_mut().zip(row).for_each(|(lanes, &value)| lanes[lane] = value);
                }
            }
            Tile::Planes { values, start, stride } => {
                for (class, (lanes, values)) in block.iter_mut().zip(values).enumerate() {
                    let run = match self.source {
                        Some(source) => &source[start + class * stride + at..][..length],
                        None => &values[at..][..length],
                    };
                    lanes[..length].copy_from_slice(run);
                }
            }
        }
    }

    /// The block back to positions `at..at + length`.
    pub(super) fn store(&mut self, at: usize, length: usize, block: &[Lanes]) {
        match &mut self.tile {
            Tile::Rows { values, classes, .. } => {
                let rows = &mut values[at * *classes..][..length * *classes];
                for (lane, row) in rows.chunks_exact_mut(*classes).enumerate() {
                    row.iter_mut().zip(block).for_each(|(value, lanes)| *value = lanes[lane]);
                }
            }
            Tile::Planes { values, .. } => {
                for (lanes, values) in block.iter().zip(values) {
                    values[at..][..length].copy_from_slice(&lanes[..length]);
                }
            }
        }
    }

    /// First position and length of each block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let total = self.targets.len();
        (0..total).step_by(LANES).map(move |at| (at, LANES.min(total - at)))
    }
}
