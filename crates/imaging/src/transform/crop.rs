//! Parts of grids, and grids made larger.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;
use crate::volume::{LabelMap, SliceFile, Volume};

/// Voxels that were put around a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Margins {
    /// Before the first voxel of each index.
    pub before: [usize; 3],
    /// Behind the last voxel of each index.
    pub after: [usize; 3],
}

/// The smallest box that holds every voxel above `threshold`; the whole grid if there is none.
pub fn foreground_box(volume: &Volume, threshold: f32) -> [Range<usize>; 3] {
    bounds(&volume.voxels, volume.geometry.size, |value| value > threshold).unwrap_or_else(|| volume.geometry.full())
}

/// The smallest box that holds every voxel that is not background; the whole grid if there is none.
pub fn label_box(map: &LabelMap) -> [Range<usize>; 3] {
    bounds(&map.labels, map.geometry.size, |label| label != 0).unwrap_or_else(|| map.geometry.full())
}

/// The part of a volume whose indices are in `ranges`.
///
/// # Panics
/// If a range is empty or leaves the grid.
pub fn crop(volume: &Volume, ranges: &[Range<usize>; 3]) -> Volume {
    let (geometry, offset) = part(&volume.geometry, ranges);
    let voxels = placed(&volume.voxels, volume.geometry.size, geometry.size, offset, 0.0);
    let slices = volume.source.slices.get(ranges[2].clone()).unwrap_or_default().to_vec();
    volume.derived(voxels, geometry, slices)
}

/// As [`crop`], for labels.
///
/// # Panics
/// As [`crop`].
pub fn crop_labels(map: &LabelMap, ranges: &[Range<usize>; 3]) -> LabelMap {
    let (geometry, offset) = part(&map.geometry, ranges);
    let labels = placed(&map.labels, map.geometry.size, geometry.size, offset, 0);
    LabelMap { labels, geometry, names: map.names.clone() }
}

/// The volume in the middle of a grid that has at least `size` voxels along each index, with `value` around it. An
/// index that is longer already stays as it is.
pub fn pad_to(volume: &Volume, size: [usize; 3], value: f32) -> (Volume, Margins) {
    let (geometry, margins) = padded(&volume.geometry, size);
    let offset = margins.before.map(|before| before as isize);
    let voxels = placed(&volume.voxels, volume.geometry.size, geometry.size, offset, value);
    let slices: Vec<SliceFile> =
        if margins.before[2] + margins.after[2] == 0 { volume.source.slices.clone() } else { Vec::new() };
    (volume.derived(voxels, geometry, slices), margins)
}

/// As [`pad_to`], for labels, with background around them.
pub fn pad_labels_to(map: &LabelMap, size: [usize; 3]) -> (LabelMap, Margins) {
    let (geometry, margins) = padded(&map.geometry, size);
    let offset = margins.before.map(|before| before as isize);
    let labels = placed(&map.labels, map.geometry.size, geometry.size, offset, 0);
    (LabelMap { labels, geometry, names: map.names.clone() }, margins)
}

/// Puts a cropped or padded volume back on the grid that it came from, by where it is in the patient; `value` goes
/// where it has no voxel. Both grids need the same spacing and directions.
pub fn uncrop(volume: &Volume, original: &Geometry, value: f32) -> Volume {
    let offset = offset(&volume.geometry, original);
    let voxels = placed(&volume.voxels, volume.geometry.size, original.size, offset, value);
    volume.derived(voxels, original.clone(), Vec::new())
}

/// As [`uncrop`], for labels, with background where there is no voxel.
pub fn uncrop_labels(map: &LabelMap, original: &Geometry) -> LabelMap {
    let offset = offset(&map.geometry, original);
    let labels = placed(&map.labels, map.geometry.size, original.size, offset, 0);
    LabelMap { labels, geometry: original.clone(), names: map.names.clone() }
}

fn bounds<T: Copy>(values: &[T], size: [usize; 3], counts: impl Fn(T) -> bool) -> Option<[Range<usize>; 3]> {
    let mut low = [usize::MAX; 3];
    let mut high = [0; 3];
    for (row, line) in values.chunks_exact(size[0].max(1)).enumerate() {
        let Some(first) = line.iter().position(|&value| counts(value)) else { continue };
        let last = line.iter().rposition(|&value| counts(value)).unwrap_or(first);
        let (j, k) = (row % size[1], row / size[1]);
        for (axis, (from, to)) in [(first, last), (j, j), (k, k)].into_iter().enumerate() {
            low[axis] = low[axis].min(from);
            high[axis] = high[axis].max(to + 1);
        }
    }
    (high[0] > 0).then(|| [low[0]..high[0], low[1]..high[1], low[2]..high[2]])
}

fn part(geometry: &Geometry, ranges: &[Range<usize>; 3]) -> (Geometry, [isize; 3]) {
    for (range, size) in ranges.iter().zip(geometry.size) {
        assert!(range.start < range.end && range.end <= size, "range {range:?} of {size} voxels");
    }
    let [i, j, k] = ranges;
    let start = [i.start as f64, j.start as f64, k.start as f64];
    let size = [i.len(), j.len(), k.len()];
    let offset = [i, j, k].map(|range| -(range.start as isize));
    (geometry.part(start, size), offset)
}

fn padded(geometry: &Geometry, size: [usize; 3]) -> (Geometry, Margins) {
    let missing = [0, 1, 2].map(|axis| size[axis].saturating_sub(geometry.size[axis]));
    let before = missing.map(|count| count / 2);
    let after = [0, 1, 2].map(|axis| missing[axis] - before[axis]);
    let full = [0, 1, 2].map(|axis| geometry.size[axis] + missing[axis]);
    (geometry.part(before.map(|count| -(count as f64)), full), Margins { before, after })
}

/// Where the first voxel of `inner` is on `outer`.
fn offset(inner: &Geometry, outer: &Geometry) -> [isize; 3] {
    outer.voxel(inner.origin).map(|at| at.round() as isize)
}

/// `values` at `offset` of a grid of size `to` that is full of `value` otherwise; what leaves the grid is dropped.
fn placed<T: Copy>(values: &[T], from: [usize; 3], to: [usize; 3], offset: [isize; 3], value: T) -> Vec<T> {
    let mut placed = vec![value; to.iter().product()];
    // along each index: first voxel of the source that is kept, its place, and how many there are
    let span = |axis: usize| {
        let start = offset[axis].max(0);
        let end = (offset[axis].saturating_add(from[axis] as isize)).min(to[axis] as isize);
        let count = (end - start).max(0) as usize;
        ((start - offset[axis]) as usize, start as usize, count)
    };
    let [(from_i, to_i, columns), (from_j, to_j, rows), (from_k, to_k, slices)] = [span(0), span(1), span(2)];
    if columns == 0 {
        return placed;
    }
    for k in 0..slices {
        for j in 0..rows {
            let source = ((from_k + k) * from[1] + from_j + j) * from[0] + from_i;
            let target = ((to_k + k) * to[1] + to_j + j) * to[0] + to_i;
            placed[target..target + columns].copy_from_slice(&values[source..source + columns]);
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> Volume {
        let direction = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let geometry = Geometry::new([5, 4, 3], [0.5, 2.0, 3.0], [1.0, 2.0, 3.0], direction).unwrap();
        let mut voxels = vec![0.0; 60];
        for (i, j, k) in [(1, 1, 1), (3, 2, 1), (2, 1, 2)] {
            voxels[geometry.offset(i, j, k)] = (100 * i + 10 * j + k) as f32;
        }
        Volume::new(voxels, geometry).unwrap()
    }

    #[test]
    fn a_crop_keeps_its_place_and_comes_back() {
        let volume = volume();
        let ranges = foreground_box(&volume, 0.0);
        assert_eq!(ranges, [1..4, 1..3, 1..3]);
        let cropped = crop(&volume, &ranges);
        assert_eq!(cropped.geometry.size, [3, 2, 2]);
        assert_eq!(cropped.geometry.origin, volume.geometry.point([1.0, 1.0, 1.0]));
        assert_eq!((cropped.at(0, 0, 0), cropped.at(2, 1, 0), cropped.at(1, 0, 1)), (111.0, 321.0, 212.0));
        // there was nothing but zeros outside
        assert_eq!(uncrop(&cropped, &volume.geometry, 0.0), volume);
    }

    #[test]
    fn padding_is_even_and_comes_back() {
        let volume = volume();
        let (padded, margins) = pad_to(&volume, [8, 2, 4], -1.0);
        assert_eq!(margins, Margins { before: [1, 0, 0], after: [2, 0, 1] });
        assert_eq!(padded.geometry.size, [8, 4, 4]);
        assert_eq!((padded.at(0, 0, 0), padded.at(2, 1, 1), padded.at(7, 3, 3)), (-1.0, 111.0, -1.0));
        assert_eq!(uncrop(&padded, &volume.geometry, 9.0).voxels, volume.voxels);
    }

    #[test]
    fn labels_come_back_from_a_crop_of_a_padded_grid() {
        let volume = volume();
        let labels = volume.voxels.iter().map(|&value| u8::from(value > 0.0)).collect();
        let map = LabelMap::with_default_names(labels, volume.geometry.clone()).unwrap();
        let (padded, _) = pad_labels_to(&map, [9, 9, 9]);
        let cropped = crop_labels(&padded, &label_box(&padded));
        assert_eq!(cropped.geometry.size, [3, 2, 2]);
        assert_eq!(uncrop_labels(&cropped, &map.geometry), map);
    }

    #[test]
    fn an_empty_volume_keeps_its_grid() {
        let mut volume = volume();
        volume.voxels.fill(0.0);
        assert_eq!(foreground_box(&volume, 0.0), [0..5, 0..4, 0..3]);
    }

    #[test]
    #[should_panic(expected = "range 2..6 of 5 voxels")]
    fn a_range_outside_the_grid_is_refused() {
        let _ = crop(&volume(), &[2..6, 0..1, 0..1]);
    }
}
