//! Pooling over all positions, over plain slices.

use crate::ops::norm::lanes::{LANES, PART, each_plane, over_planes, sum, vectorised};
use rayon::prelude::*;
use std::ops::Add;

/// The average of each plane of `size` values.
pub(super) fn average(x: &[f32], size: usize) -> Vec<f32> {
    let sums = over_planes(x.len() / size, size, |_, range| sum(&x[range]), f64::add);
    sums.into_iter().map(|sum| (sum / size as f64) as f32).collect()
}

/// The gradient of the input of [`average`].
pub(super) fn average_backward(grad: &[f32], size: usize, out: &mut [f32]) {
    each_plane(out, size, |plane, _, values| values.fill((f64::from(grad[plane]) / size as f64) as f32));
}

/// The maximum of each plane, and the first place that has it; NaN is larger than every number.
pub(super) fn maximum(x: &[f32], size: usize) -> (Vec<f32>, Vec<u32>) {
    assert!(u32::try_from(size).is_ok(), "maximum over {size} positions; fewer than 2³² are counted");
    let found: Vec<(f32, u32)> = x
        .par_chunks_exact(size)
        .with_min_len((PART / size).max(1))
        .map(|plane| {
            let largest = largest(plane);
            let wanted = |value: &f32| if largest.is_nan() { value.is_nan() } else { *value == largest };
            (largest, plane.iter().position(wanted).unwrap_or(0) as u32)
        })
        .collect();
    found.into_iter().unzip()
}

vectorised! {
    fn largest['a]['a](x: &'a [f32]) -> f32 {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let mut best = [f32::NEG_INFINITY; LANES];
        for chunk in chunks {
            for (best, &value) in best.iter_mut().zip(chunk) {
                *best = if value > *best || value.is_nan() { value } else { *best };
            }
        }
        let mut largest = f32::NEG_INFINITY;
        for &value in best.iter().chain(rest) {
            largest = if value > largest || value.is_nan() { value } else { largest };
        }
        largest
    }
}
