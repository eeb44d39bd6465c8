//! Distances between the surfaces of two masks, in mm.
//!
//! The surface is what an erosion by the six neighbours (four in a plain picture) takes away; the edge of the grid counts
//! as outside. These are the definitions of MONAI's `get_mask_edges` and `compute_hausdorff_distance`, whose results the
//! tests compare with.

use std::ops::Range;

use crate::distance::squared_distance;

/// Distance in mm of every surface voxel of each mask to the nearest surface voxel of the other, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Surfaces {
    /// From the truth to the prediction.
    pub to_predicted: Vec<f64>,
    /// From the prediction to the truth.
    pub to_truth: Vec<f64>,
}

impl Surfaces {
    /// Measures two masks of one grid; `None` if one of them is empty.
    ///
    /// # Panics
    /// If the masks are not of `size`.
    pub fn of(truth: &[bool], predicted: &[bool], size: [usize; 3], spacing: [f64; 3]) -> Option<Self> {
        assert_eq!([truth.len(), predicted.len()], [size.iter().product::<usize>(); 2], "two masks of one grid");
        // Nothing outside the box of both masks matters, and the box is much smaller than the grid.
        let bounds = bounds(truth, predicted, size)?;
        let inside: [usize; 3] = [0, 1, 2].map(|axis: usize| bounds[axis].len());
        let edges = [truth, predicted].map(|mask| edge(&cut(mask, size, &bounds), inside, size));
        if edges.iter().any(|edge| !edge.contains(&true)) {
            return None;
        }
        let directed = |from: &[bool], to: &[bool]| {
            let squared = squared_distance(to, inside, spacing);
            let on_surface = from.iter().zip(squared).filter(|(from, _)| **from);
            let mut distances: Vec<f64> = on_surface.map(|(_, squared)| squared.sqrt()).collect();
            distances.sort_unstable_by(f64::total_cmp);
            distances
        };
        let [truth, predicted] = &edges;
        Some(Self { to_predicted: directed(truth, predicted), to_truth: directed(predicted, truth) })
    }

    /// Hausdorff distance at a percentile, 0 to 100: the larger of the percentiles of the two directions, interpolated
    /// between order statistics as numpy does. 100 is the Hausdorff distance proper, 95 the usual one.
    pub fn hausdorff(&self, percentile: f64) -> f64 {
        let share = (percentile / 100.0).clamp(0.0, 1.0);
        quantile(&self.to_predicted, share).max(quantile(&self.to_truth, share))
    }

    /// Mean over the surface voxels of both masks: the average symmetric surface distance.
    pub fn mean(&self) -> f64 {
        let count = self.to_predicted.len() + self.to_truth.len();
        (self.to_predicted.iter().sum::<f64>() + self.to_truth.iter().sum::<f64>()) / count as f64
    }

    /// Share of the surface voxels of both masks that are at most `tolerance` mm from the other surface, 0 to 1 (Nikolov
    /// and others 2021, Journal of Medical Internet Research 23:e26151, by voxels instead of areas).
    pub fn within(&self, tolerance: f64) -> f64 {
        let near = |distances: &[f64]| distances.partition_point(|distance| *distance <= tolerance);
        let count = self.to_predicted.len() + self.to_truth.len();
        (near(&self.to_predicted) + near(&self.to_truth)) as f64 / count as f64
    }
}

/// Quantile of sorted, non-empty values (Hyndman and Fan 1996, type 7).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// The box of the voxels of either mask.
fn bounds(truth: &[bool], predicted: &[bool], size: [usize; 3]) -> Option<[Range<usize>; 3]> {
    let (mut low, mut high) = (size, [0; 3]);
    let rows = truth.chunks_exact(size[0]).zip(predicted.chunks_exact(size[0]));
    for (row, (wanted, given)) in rows.enumerate() {
        let filled = |i: &usize| wanted[*i] || given[*i];
        let Some(first) = (0..size[0]).find(filled) else { continue };
        let last = (first..size[0]).rev().find(filled).unwrap_or(first);
        let (j, k) = (row % size[1], row / size[1]);
        for (axis, (start, end)) in [(first, last), (j, j), (k, k)].into_iter().enumerate() {
            low[axis] = low[axis].min(start);
            high[axis] = high[axis].max(end + 1);
        }
    }
    (high[0] > 0).then(|| [0, 1, 2].map(|axis: usize| low[axis]..high[axis]))
}

/// The part of a mask that lies in a box.
fn cut(mask: &[bool], size: [usize; 3], bounds: &[Range<usize>; 3]) -> Vec<bool> {
    let [columns, rows, slices] = bounds;
    let mut inside = Vec::with_capacity(columns.len() * rows.len() * slices.len());
    for k in slices.clone() {
        for j in rows.clone() {
            let start = (k * size[1] + j) * size[0];
            inside.extend_from_slice(&mask[start + columns.start..start + columns.end]);
        }
    }
    inside
}

/// The voxels of a mask that have a neighbour outside it, or lie at its border. An axis along which the `grid` has one voxel
/// has no neighbours: a plain picture has an outline, and is not all outline.
fn edge(mask: &[bool], size: [usize; 3], grid: [usize; 3]) -> Vec<bool> {
    // A single voxel is its own surface.
    if grid == [1; 3] {
        return mask.to_vec();
    }
    let steps = [1, size[0], size[0] * size[1]];
    let mut edge = vec![false; mask.len()];
    for (place, _) in mask.iter().enumerate().filter(|(_, filled)| **filled) {
        let at = [place % size[0], place / steps[1] % size[1], place / steps[2]];
        edge[place] = (0..3).filter(|&axis| grid[axis] > 1).any(|axis| {
            at[axis] == 0 || at[axis] + 1 == size[axis] || !mask[place - steps[axis]] || !mask[place + steps[axis]]
        });
    }
    edge
}
