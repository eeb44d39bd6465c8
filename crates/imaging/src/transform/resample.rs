//! Values between voxels.
//!
//! A value at a place is that of the straight line between its two neighbours along each index, or of the cubic
//! B-spline through all of them (Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Processing
//! Magazine 1999; what scipy and ITK call order 3). Up to half a voxel outside of the outermost ones the grid still
//! counts as inside, as in ITK: straight lines go on level, splines are mirrored.
//!
//! Nothing is smoothed before a grid is made coarser. What varies from voxel to voxel then stays as noise, and a
//! structure of one voxel may vanish; this is what nnU-Net and MONAI do too. Where it matters, blur first.

mod spline;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;
use crate::volume::{LabelMap, Volume};

/// How far, in voxels, a place may be from the grid for rounding alone.
const ROUNDING: f64 = 1e-6;

/// How values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Interpolation {
    /// That of the nearest voxel.
    Nearest,
    /// Straight lines along each index.
    #[default]
    Linear,
    /// Cubic B-splines through all voxels: sharper, with overshoot at edges.
    Cubic,
}

/// The grid over the same box with another spacing (mm): its middle is the middle of the old one, and along each index
/// it has as many voxels as come closest to the old length.
///
/// # Panics
/// If a spacing is not a positive number.
pub fn target_grid(geometry: &Geometry, spacing: [f64; 3]) -> Geometry {
    assert!(spacing.iter().all(|value| value.is_finite() && *value > 0.0), "spacing {spacing:?}");
    let ratio = [0, 1, 2].map(|axis| spacing[axis] / geometry.spacing[axis]);
    let size = [0, 1, 2].map(|axis| ((geometry.size[axis] as f64 / ratio[axis]).round() as usize).max(1));
    let start =
        [0, 1, 2].map(|axis| (geometry.size[axis] as f64 - 1.0 - (size[axis] as f64 - 1.0) * ratio[axis]) / 2.0);
    Geometry { size, spacing, origin: geometry.point(start), direction: geometry.direction }
}

/// The volume on another grid, wherever that is in the patient. Voxels outside of the volume get its smallest finite
/// value.
pub fn resample(volume: &Volume, grid: &Geometry, interpolation: Interpolation) -> Volume {
    let outside = volume.range().map_or(0.0, |(low, _)| low);
    let size = volume.geometry.size;
    let coefficients;
    let values = if interpolation == Interpolation::Cubic {
        coefficients = spline::coefficients(&volume.voxels, size);
        &coefficients
    } else {
        &volume.voxels
    };
    let map = Map::between(grid, &volume.geometry);
    let voxels = match map.separate() {
        Some((scale, shift)) => {
            let taps = [0, 1, 2].map(|axis| {
                let at = |index: usize| scale[axis] * index as f64 + shift[axis];
                (0..grid.size[axis]).map(|index| Taps::at(at(index), size[axis], interpolation)).collect::<Vec<_>>()
            });
            along_axes(values, size, &taps, outside)
        }
        None => everywhere(values, size, grid.size, &map, interpolation, outside),
    };
    volume.derived(voxels, grid.clone(), Vec::new())
}

/// The labels on another grid: of each voxel that of the nearest one, and background outside of the map.
pub fn resample_labels(map: &LabelMap, grid: &Geometry) -> LabelMap {
    let size = map.geometry.size;
    let places = Map::between(grid, &map.geometry);
    let plane = (grid.size[0] * grid.size[1]).max(1);
    let mut labels = vec![0; grid.len()];
    labels.par_chunks_mut(plane).enumerate().for_each(|(k, slice)| {
        for (offset, label) in slice.iter_mut().enumerate() {
            let at = places.at([offset % grid.size[0], offset / grid.size[0], k]);
            let near = [0, 1, 2].map(|axis| nearest(at[axis], size[axis]));
            if let [Some(i), Some(j), Some(k)] = near {
                *label = map.labels[map.geometry.offset(i, j, k)];
            }
        }
    });
    LabelMap { labels, geometry: grid.clone(), names: map.names.clone() }
}

/// The index nearest to a place, the higher of two; `None` outside of the grid.
fn nearest(at: f64, size: usize) -> Option<usize> {
    inside(at, size).then(|| (at + 0.5 + ROUNDING).floor().clamp(0.0, size as f64 - 1.0) as usize)
}

fn inside(at: f64, size: usize) -> bool {
    (-0.5 - ROUNDING..=size as f64 - 0.5 + ROUNDING).contains(&at)
}

/// Takes indices of one grid to places on another.
struct Map {
    /// `matrix[row][column]`: how far index `column` of the one moves along index `row` of the other.
    matrix: [[f64; 3]; 3],
    shift: [f64; 3],
    size: [usize; 3],
}

impl Map {
    fn between(from: &Geometry, to: &Geometry) -> Self {
        let shift = to.voxel(from.point([0.0; 3]));
        let column = |axis: usize| {
            let mut step = [0.0; 3];
            step[axis] = 1.0;
            let moved = to.voxel(from.point(step));
            [0, 1, 2].map(|row| moved[row] - shift[row])
        };
        let columns = [column(0), column(1), column(2)];
        Self { matrix: [0, 1, 2].map(|row| columns.map(|column| column[row])), shift, size: from.size }
    }

    fn at(&self, index: [usize; 3]) -> [f64; 3] {
        let index = index.map(|index| index as f64);
        [0, 1, 2].map(|row| self.shift[row] + crate::geometry::dot(self.matrix[row], index))
    }

    /// Scale and shift along each index, if each depends on the same index of the other grid alone: over the whole grid
    /// no other moves it by more than rounding.
    fn separate(&self) -> Option<([f64; 3], [f64; 3])> {
        let alone = (0..3).all(|row| {
            (0..3).all(|column| row == column || (self.matrix[row][column] * self.size[column] as f64).abs() < ROUNDING)
        });
        alone.then(|| ([0, 1, 2].map(|axis| self.matrix[axis][axis]), self.shift))
    }
}

/// The voxels along one index that make a value, and their weights.
#[derive(Debug, Clone, Copy)]
struct Taps {
    index: [usize; 4],
    weight: [f32; 4],
    inside: bool,
}

impl Taps {
    fn at(at: f64, size: usize, interpolation: Interpolation) -> Self {
        let is_inside = inside(at, size);
        if !is_inside {
            return Self { index: [0; 4], weight: [0.0; 4], inside: false };
        }
        // A place that is whole but for rounding is whole, so that the same grid gives the same values.
        let at = if (at - at.round()).abs() < ROUNDING { at.round() } else { at };
        match interpolation {
            Interpolation::Nearest => {
                let index = nearest(at, size).unwrap_or(0);
                Self { index: [index; 4], weight: [1.0, 0.0, 0.0, 0.0], inside: true }
            }
            Interpolation::Linear => {
                let at = at.clamp(0.0, size as f64 - 1.0);
                let low = at.floor();
                let part = at - low;
                let first = low as usize;
                let second = if part > 0.0 { first + 1 } else { first };
                let index = [first, second, first, first];
                Self { index, weight: [(1.0 - part) as f32, part as f32, 0.0, 0.0], inside: true }
            }
            Interpolation::Cubic => {
                let low = at.floor();
                let index = [-1, 0, 1, 2].map(|step| spline::mirrored(low as isize + step, size));
                Self { index, weight: spline::weights(at - low).map(|weight| weight as f32), inside: true }
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, f32)> + use<> {
        self.index.into_iter().zip(self.weight).filter(|&(_, weight)| weight != 0.0)
    }
}

/// Along one index after the other: slices are mixed to one, its rows to one, its values to one.
fn along_axes(values: &[f32], size: [usize; 3], taps: &[Vec<Taps>; 3], outside: f32) -> Vec<f32> {
    let [columns, rows, slices] = taps;
    let plane = size[0] * size[1];
    let out = columns.len() * rows.len();
    let mut resampled = vec![outside; out * slices.len()];
    resampled.par_chunks_mut(out.max(1)).zip(slices).filter(|(_, slice)| slice.inside).for_each_init(
        || (vec![0.0; plane], vec![0.0; size[0]]),
        |(mixed, line), (to, slice)| {
            mix(mixed, slice, |k| &values[k * plane..(k + 1) * plane]);
            for (to, row) in to.chunks_exact_mut(columns.len()).zip(rows).filter(|(_, row)| row.inside) {
                mix(line, row, |j| &mixed[j * size[0]..(j + 1) * size[0]]);
                for (value, column) in to.iter_mut().zip(columns).filter(|(_, column)| column.inside) {
                    *value = column.pairs().map(|(i, weight)| line[i] * weight).sum();
                }
            }
        },
    );
    resampled
}

/// The weighted sum of lines.
fn mix<'a>(to: &mut [f32], taps: &Taps, line: impl Fn(usize) -> &'a [f32]) {
    to.fill(0.0);
    for (index, weight) in taps.pairs() {
        for (sum, value) in to.iter_mut().zip(line(index)) {
            *sum += value * weight;
        }
    }
}

/// Voxel by voxel, for grids that are turned against each other.
fn everywhere(
    values: &[f32],
    size: [usize; 3],
    to: [usize; 3],
    map: &Map,
    interpolation: Interpolation,
    outside: f32,
) -> Vec<f32> {
    let mut resampled = vec![outside; to.iter().product()];
    resampled.par_chunks_mut((to[0] * to[1]).max(1)).enumerate().for_each(|(k, slice)| {
        for (offset, value) in slice.iter_mut().enumerate() {
            let at = map.at([offset % to[0], offset / to[0], k]);
            let [columns, rows, slices] = [0, 1, 2].map(|axis| Taps::at(at[axis], size[axis], interpolation));
            if !(columns.inside && rows.inside && slices.inside) {
                continue;
            }
            let mut sum = 0.0;
            for (k, of_slice) in slices.pairs() {
                for (j, of_row) in rows.pairs() {
                    let start = (k * size[1] + j) * size[0];
                    let line: f32 = columns.pairs().map(|(i, weight)| values[start + i] * weight).sum();
                    sum += of_slice * of_row * line;
                }
            }
            *value = sum;
        }
    });
    resampled
}

#[cfg(test)]
mod tests;
