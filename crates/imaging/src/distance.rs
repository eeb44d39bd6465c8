//! Distances to a mask, exact and in millimetres.
//!
//! The squared Euclidean distance is the lower envelope of parabolas, one index after the other (Felzenszwalb,
//! Huttenlocher: Distance transforms of sampled functions, Theory of Computing 2012, section 3). Time is linear in the
//! number of voxels.

use rayon::prelude::*;

/// Lines that are gathered at once along an index whose voxels lie far apart.
const LINES: usize = 16;

/// The squared distance in mm² from each voxel to the nearest one of `mask`, centre to centre; infinite everywhere if
/// the mask is empty. `size` is `[columns, rows, slices]` with columns fastest, `spacing` in mm.
///
/// # Panics
/// If the mask does not have as many voxels as the grid.
pub fn squared_distance(mask: &[bool], size: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    assert_eq!(mask.len(), size.iter().product::<usize>(), "voxels of a mask of size {size:?}");
    let [columns, rows, slices] = size;
    if mask.is_empty() {
        return Vec::new();
    }
    let plane = columns * rows;
    let mut squared = vec![f64::INFINITY; mask.len()];
    squared.par_chunks_mut(plane).zip(mask.par_chunks(plane)).for_each(|(squared, mask)| {
        for (squared, mask) in squared.chunks_exact_mut(columns).zip(mask.chunks_exact(columns)) {
            along_row(squared, mask, spacing[0]);
        }
        if rows > 1 {
            let mut room = Envelope::new(rows, spacing[1]);
            let mut lines = vec![0.0; rows * LINES];
            for first in (0..columns).step_by(LINES) {
                let width = LINES.min(columns - first);
                for (j, line) in squared.chunks_exact(columns).enumerate() {
                    for (at, value) in line[first..first + width].iter().enumerate() {
                        lines[at * rows + j] = *value;
                    }
                }
                lines.chunks_exact_mut(rows).take(width).for_each(|line| room.apply(line));
                for (j, line) in squared.chunks_exact_mut(columns).enumerate() {
                    for (at, value) in line[first..first + width].iter_mut().enumerate() {
                        *value = lines[at * rows + j];
                    }
                }
            }
        }
    });
    if slices > 1 {
        along_slices(&mut squared, plane, slices, spacing[2]);
    }
    squared
}

/// Squared distance within a row: once from each side.
fn along_row(squared: &mut [f64], mask: &[bool], step: f64) {
    let mut near = f64::INFINITY;
    for (value, is) in squared.iter_mut().zip(mask) {
        near = if *is { 0.0 } else { near + 1.0 };
        *value = near;
    }
    near = f64::INFINITY;
    for (value, is) in squared.iter_mut().zip(mask).rev() {
        near = if *is { 0.0 } else { near + 1.0 };
        let least = value.min(near) * step;
        *value = least * least;
    }
}

/// The last index: columns of voxels over all slices, in groups that threads share out.
fn along_slices(squared: &mut [f64], plane: usize, slices: usize, step: f64) {
    let read: &[f64] = squared;
    let done: Vec<Vec<f64>> = (0..plane.div_ceil(LINES))
        .into_par_iter()
        .map_init(
            || Envelope::new(slices, step),
            |room, group| {
                let first = group * LINES;
                let width = LINES.min(plane - first);
                let mut lines = vec![0.0; width * slices];
                for k in 0..slices {
                    for (at, value) in read[k * plane + first..][..width].iter().enumerate() {
                        lines[at * slices + k] = *value;
                    }
                }
                lines.chunks_exact_mut(slices).for_each(|line| room.apply(line));
                lines
            },
        )
        .collect();
    for (group, lines) in done.iter().enumerate() {
        let first = group * LINES;
        for (at, line) in lines.chunks_exact(slices).enumerate() {
            for (k, value) in line.iter().enumerate() {
                squared[k * plane + first + at] = *value;
            }
        }
    }
}

/// Room for the lower envelope of the parabolas of one line.
struct Envelope {
    /// Squared step of the index.
    square: f64,
    /// Places of the parabolas that are lowest somewhere.
    places: Vec<usize>,
    /// Where each begins to be the lowest, in steps.
    starts: Vec<f64>,
    heights: Vec<f64>,
}

impl Envelope {
    fn new(length: usize, step: f64) -> Self {
        let (places, starts) = (Vec::with_capacity(length), Vec::with_capacity(length));
        Self { square: step * step, places, starts, heights: Vec::with_capacity(length) }
    }

    /// Replaces each value by the least of value + square · steps² over the line.
    fn apply(&mut self, line: &mut [f64]) {
        self.places.clear();
        self.starts.clear();
        self.heights.clear();
        for (place, &height) in line.iter().enumerate() {
            if height == f64::INFINITY {
                continue;
            }
            let mut start = f64::NEG_INFINITY;
            while let (Some(&last), Some(&last_height)) = (self.places.last(), self.heights.last()) {
                // where the new parabola meets the last one
                let apart = (place - last) as f64;
                start = (height - last_height) / (2.0 * self.square * apart) + (place + last) as f64 / 2.0;
                if self.starts.last().is_some_and(|&begun| start > begun) {
                    break;
                }
                self.places.pop();
                self.starts.pop();
                self.heights.pop();
                start = f64::NEG_INFINITY;
            }
            self.places.push(place);
            self.starts.push(start);
            self.heights.push(height);
        }
        if self.places.is_empty() {
            return;
        }
        let mut lowest = 0;
        for (place, value) in line.iter_mut().enumerate() {
            while self.starts.get(lowest + 1).is_some_and(|&start| start < place as f64) {
                lowest += 1;
            }
            let apart = place.abs_diff(self.places[lowest]) as f64;
            *value = self.heights[lowest] + self.square * apart * apart;
        }
    }
}

#[cfg(test)]
mod tests;
