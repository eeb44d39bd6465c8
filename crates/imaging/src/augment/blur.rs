//! Gaussian filters, one axis after the other.

use rayon::prelude::*;

/// Deviations after which the filter ends, as scipy's `gaussian_filter` has it.
const TRUNCATE: f64 = 4.0;

/// Filters a volume of `[i, j, k]` voxels in place with a Gaussian of a standard deviation in voxels along each axis
/// (0: not at all). Beyond its edges the volume goes on mirrored, the edge voxel twice.
///
/// # Panics
/// If `values` are not as many as `size` says.
pub fn blur(values: &mut [f32], size: [usize; 3], deviation: [f64; 3]) {
    assert_eq!(values.len(), size.iter().product::<usize>(), "values of a volume");
    let [width, height, depth] = size;
    let plane = width * height;
    if plane == 0 {
        return;
    }
    let across = kernel(deviation[0]);
    let down = kernel(deviation[1]);
    if across.len() > 1 || down.len() > 1 {
        values.par_chunks_mut(plane).for_each(|slice| {
            let mut row = vec![0.0; width + across.len() - 1];
            if across.len() > 1 {
                for values in slice.chunks_exact_mut(width) {
                    for (at, value) in row.iter_mut().enumerate() {
                        *value = values[mirrored(at, across.len() / 2, width)];
                    }
                    values.fill(0.0);
                    for (first, weight) in across.iter().enumerate() {
                        add(values, &row[first..first + width], *weight);
                    }
                }
            }
            if down.len() > 1 {
                let from = slice.to_vec();
                for (j, values) in slice.chunks_exact_mut(width).enumerate() {
                    values.fill(0.0);
                    for (tap, weight) in down.iter().enumerate() {
                        let row = mirrored(j + tap, down.len() / 2, height);
                        add(values, &from[row * width..(row + 1) * width], *weight);
                    }
                }
            }
        });
    }
    let through = kernel(deviation[2]);
    if through.len() > 1 {
        let from = values.to_vec();
        values.par_chunks_mut(plane).enumerate().for_each(|(k, slice)| {
            slice.fill(0.0);
            for (tap, weight) in through.iter().enumerate() {
                let other = mirrored(k + tap, through.len() / 2, depth);
                add(slice, &from[other * plane..(other + 1) * plane], *weight);
            }
        });
    }
}

/// `to += weight · from`.
fn add(to: &mut [f32], from: &[f32], weight: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += weight * from;
    }
}

/// Place `at − before` of an axis that goes on mirrored, its last voxel twice.
fn mirrored(at: usize, before: usize, size: usize) -> usize {
    let turn = (at as i64 - before as i64).rem_euclid(2 * size as i64) as usize;
    turn.min(2 * size - 1 - turn)
}

/// Weights that sum to 1; a single one without a filter.
fn kernel(deviation: f64) -> Vec<f32> {
    let radius = (TRUNCATE * deviation + 0.5) as i64;
    if deviation <= 0.0 || radius == 0 {
        return vec![1.0];
    }
    let weights: Vec<f64> = (-radius..=radius).map(|at| (-0.5 * (at as f64 / deviation).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}
