//! Cubic B-splines through voxels.
//!
//! The coefficients come from the values by one recursive filter forwards and one backwards along each index, with the
//! values mirrored at the outermost voxels (Unser, Aldroubi, Eden: B-spline signal processing, part II, IEEE
//! Transactions on Signal Processing 1993; the constants are those of section II of Thévenaz, Blu, Unser, Interpolation
//! revisited, 2000).

use rayon::prelude::*;

/// Pole of the filter: √3 − 2.
const POLE: f32 = -0.267_949_2;

/// (1 − pole)(1 − 1/pole).
const GAIN: f32 = 6.0;

/// Powers of the pole below this are nothing beside 1.
const NEGLIGIBLE: f32 = 1e-9;

/// Coefficients of the spline that goes through all values.
pub(super) fn coefficients(values: &[f32], size: [usize; 3]) -> Vec<f32> {
    let mut coefficients = values.to_vec();
    let mut inner = 1;
    for length in size {
        if length > 1 {
            coefficients.par_chunks_mut(inner * length).for_each(|block| filter(block, inner, length));
        }
        inner *= length;
    }
    coefficients
}

/// Filters `length` lines of `inner` values each, one against the other.
fn filter(block: &mut [f32], inner: usize, length: usize) {
    block.iter_mut().for_each(|value| *value *= GAIN);

    // forwards: the first line is the sum over all lines and their mirror images
    let whole = POLE.powi(i32::try_from(length - 1).unwrap_or(i32::MAX));
    let mut first: Vec<f32> = (0..inner).map(|at| block[at] + whole * block[(length - 1) * inner + at]).collect();
    let mut power = POLE;
    for line in 1..length - 1 {
        if power.abs() < NEGLIGIBLE {
            break;
        }
        let mirror = length - 1 - line;
        for (at, sum) in first.iter_mut().enumerate() {
            *sum += power * (block[line * inner + at] + whole * block[mirror * inner + at]);
        }
        power *= POLE;
    }
    for (value, sum) in block.iter_mut().zip(&first) {
        *value = sum / (1.0 - whole * whole);
    }
    for line in 1..length {
        let (before, here) = block.split_at_mut(line * inner);
        for (value, previous) in here[..inner].iter_mut().zip(&before[(line - 1) * inner..]) {
            *value += POLE * previous;
        }
    }

    // backwards
    let (before, last) = block.split_at_mut((length - 1) * inner);
    for (value, previous) in last.iter_mut().zip(&before[(length - 2) * inner..]) {
        *value = (POLE * previous + *value) * POLE / (POLE * POLE - 1.0);
    }
    for line in (0..length - 1).rev() {
        let (here, behind) = block.split_at_mut((line + 1) * inner);
        for (value, next) in here[line * inner..].iter_mut().zip(&behind[..inner]) {
            *value = POLE * (next - *value);
        }
    }
}

/// Weights of the four coefficients around a place that is `part` behind the second.
pub(super) fn weights(part: f64) -> [f64; 4] {
    let rest = 1.0 - part;
    [
        rest.powi(3) / 6.0,
        (3.0 * part.powi(3) - 6.0 * part.powi(2) + 4.0) / 6.0,
        (3.0 * rest.powi(3) - 6.0 * rest.powi(2) + 4.0) / 6.0,
        part.powi(3) / 6.0,
    ]
}

/// The index that stands for one outside, mirrored at the outermost voxels.
pub(super) fn mirrored(index: isize, size: usize) -> usize {
    if size < 2 {
        return 0;
    }
    let period = 2 * (size as isize - 1);
    let index = index.rem_euclid(period);
    index.min(period - index) as usize
}
