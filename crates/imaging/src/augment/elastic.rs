//! Elastic deformation: random displacements of a coarse grid of points, and cubic splines between them.
//!
//! Ronneberger and others 2015, *U-Net*, section 3.1: displacements of a grid of 3 by 3 points from a Gaussian with a
//! standard deviation of 10 pixels, bicubic interpolation between them. The spline is that of Keys 1981, *Cubic
//! Convolution Interpolation for Digital Image Processing*, with a = −1/2: it passes through the points.

use nn_core::data::standard_normal;
use rand_chacha::ChaCha8Rng;

use super::gather::LANES;

/// Points along an axis at most.
pub(super) const MOST: usize = 32;

/// Four neighbouring points and their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cubic {
    at: [usize; 4],
    weight: [f32; 4],
}

impl Cubic {
    /// For voxel `at` of `size`, where the first and the last of `points` lie at the first and the last voxel.
    fn new(at: usize, size: usize, points: usize) -> Self {
        if points < 2 || size < 2 {
            return Self { at: [0; 4], weight: [0.0, 1.0, 0.0, 0.0] };
        }
        let place = at as f64 / (size - 1) as f64 * (points - 1) as f64;
        let first = (place.floor() as usize).min(points - 2);
        let t = place - first as f64;
        let near = |x: f64| (1.5 * x - 2.5) * x * x + 1.0;
        let far = |x: f64| ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
        Self {
            at: [first.saturating_sub(1), first, first + 1, (first + 2).min(points - 1)],
            weight: [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)].map(|weight| weight as f32),
        }
    }
}

/// Displacements, in voxels of the volume, of the points along one row of a patch, along each axis of the volume.
pub(super) type Row = [[f32; MOST]; 3];

/// A displacement for each voxel of a patch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Elastic {
    /// Points along `i`, `j`, `k`.
    points: [usize; 3],
    /// Of each point, `i` fastest, along each axis of the volume.
    displacement: Vec<[f32; 3]>,
    /// The splines of each voxel of the patch, along each axis of the patch.
    splines: [Vec<Cubic>; 3],
    flat: bool,
}

impl Elastic {
    /// Displacements with the standard deviation `along` each axis; with `flat` all slices have the same.
    pub(super) fn draw(size: [usize; 3], points: usize, flat: bool, along: [f64; 3], rng: &mut ChaCha8Rng) -> Self {
        let points =
            [0, 1, 2].map(|axis| if size[axis] == 1 || (axis == 2 && flat) { 1 } else { points.clamp(2, MOST) });
        let count = points.iter().product();
        let displacement =
            (0..count).map(|_| along.map(|deviation| (deviation * standard_normal(rng)) as f32)).collect();
        Self::new(size, points, displacement, flat)
    }

    fn new(size: [usize; 3], points: [usize; 3], displacement: Vec<[f32; 3]>, flat: bool) -> Self {
        let splines =
            [0, 1, 2].map(|axis| (0..size[axis]).map(|at| Cubic::new(at, size[axis], points[axis])).collect());
        Self { points, displacement, splines, flat }
    }

    /// Whether nothing leaves its slice.
    pub(super) fn flat(&self) -> bool {
        self.flat
    }

    /// The same without its first slices.
    pub(super) fn starting_at(&self, first: usize) -> Self {
        let mut later = self.clone();
        later.splines[2].drain(..first.min(self.splines[2].len()));
        later
    }

    /// The displacements along a row.
    pub(super) fn row(&self, j: usize, k: usize) -> Row {
        let mut row = [[0.0; MOST]; 3];
        let (down, through) = (&self.splines[1][j], &self.splines[2][k]);
        for (slice, deep) in through.at.iter().zip(through.weight) {
            for (line, high) in down.at.iter().zip(down.weight) {
                let weight = deep * high;
                let first = (slice * self.points[1] + line) * self.points[0];
                for (point, displaced) in self.displacement[first..first + self.points[0]].iter().enumerate() {
                    for axis in 0..3 {
                        row[axis][point] += weight * displaced[axis];
                    }
                }
            }
        }
        row
    }

    /// Displaces voxels `first..first + LANES` of a row.
    #[inline(always)]
    pub(super) fn add(&self, row: &Row, first: usize, at: &mut [[f32; LANES]; 3]) {
        for (lane, spline) in self.splines[0][first..].iter().take(LANES).enumerate() {
            for axis in 0..3 {
                let mut by = 0.0;
                for (point, weight) in spline.at.iter().zip(spline.weight) {
                    by += weight * row[axis][point % MOST];
                }
                at[axis][lane] += by;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splines_pass_through_their_points_and_sum_to_one() {
        for (size, points) in [(9, 3), (25, 4), (2, 2), (64, 5)] {
            for at in 0..size {
                let spline = Cubic::new(at, size, points);
                // Rounding of four floats.
                assert!((spline.weight.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{at} of {size}");
            }
        }
        // Voxels 0, 4 and 8 are the points themselves.
        let weights = [0, 4, 8].map(|at| Cubic::new(at, 9, 3));
        assert_eq!(weights[0], Cubic { at: [0, 0, 1, 2], weight: [0.0, 1.0, 0.0, 0.0] });
        assert_eq!(weights[1], Cubic { at: [0, 1, 2, 2], weight: [0.0, 1.0, 0.0, 0.0] });
        assert_eq!(weights[2], Cubic { at: [0, 1, 2, 2], weight: [0.0, 0.0, 1.0, 0.0] });
        // Keys 1981, equation 8, half way: −1/16, 9/16, 9/16, −1/16.
        assert_eq!(Cubic::new(1, 5, 3).weight, [-0.0625, 0.5625, 0.5625, -0.0625]);
    }

    #[test]
    fn a_grid_of_one_displacement_shifts_everything_alike() {
        let elastic = Elastic::new([40, 6, 3], [4, 3, 2], vec![[1.5, -2.0, 0.25]; 24], false);
        let row = elastic.row(5, 1);
        for first in [0, LANES] {
            let mut at = [[10.0; LANES]; 3];
            elastic.add(&row, first, &mut at);
            let [i, j, k] = at;
            for (lane, ((i, j), k)) in i.into_iter().zip(j).zip(k).enumerate() {
                let expected = if first + lane < 40 { [11.5, 8.0, 10.25] } else { [10.0; 3] };
                let found = [i, j, k];
                assert!(
                    found.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-5),
                    "{first} {lane}: {found:?}"
                );
            }
        }
    }
}
