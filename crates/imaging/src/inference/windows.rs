//! Where windows begin along an axis, what they read and how they count.

use crate::sampling::Fill;

/// One axis of the volume.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// First voxel that each window writes, ascending.
    pub(super) starts: Vec<i64>,
    /// Weight of each voxel of a window; the weight in three dimensions is the product of three.
    pub(super) weights: Vec<f32>,
    /// Sum of the weights at each voxel of the volume. Windows stand on a grid, and so the sum in three dimensions is a
    /// product too.
    pub(super) totals: Vec<f64>,
}

impl Axis {
    pub(super) fn new(size: usize, written: usize, overlap: f64, gaussian: bool) -> Self {
        let starts = steps(size, written, overlap);
        let weights: Vec<f32> = (0..written).map(|at| if gaussian { bell(at, written) } else { 1.0 }).collect();
        let mut totals = vec![0.0; size];
        for &start in &starts {
            for (at, weight) in weights.iter().enumerate() {
                if let Ok(voxel) = usize::try_from(start + at as i64)
                    && voxel < size
                {
                    totals[voxel] += f64::from(*weight);
                }
            }
        }
        Self { starts, weights, totals }
    }
}

/// A Gaussian over `size` voxels with its middle at theirs, 1 there, and an eighth of them as its deviation.
fn bell(at: usize, size: usize) -> f32 {
    let distance = (at as f64 - (size as f64 - 1.0) / 2.0) / (size as f64 / 8.0);
    (-0.5 * distance * distance).exp() as f32
}

/// Where windows of `written` voxels begin, so that they cover `size` voxels at even distances of at most
/// `written · (1 − overlap)`. A volume smaller than the window lies in its middle.
pub(super) fn steps(size: usize, written: usize, overlap: f64) -> Vec<i64> {
    if size <= written {
        return vec![-(((written - size) / 2) as i64)];
    }
    let room = size - written;
    let wanted = (written as f64 * (1.0 - overlap)).max(1.0);
    // Rounding errors of the quotient must not add a window.
    let gaps = ((room as f64 / wanted - 1e-9).ceil() as usize).max(1);
    (0..=gaps).map(|step| (room as f64 / gaps as f64 * step as f64).round_ties_even() as i64).collect()
}

/// The voxels that a window reads along one axis.
#[derive(Debug, Clone)]
pub(super) struct Line {
    first: i64,
    length: usize,
    mirrored: bool,
    size: usize,
    fill: Fill,
}

impl Line {
    pub(super) fn new(first: i64, length: usize, mirrored: bool, size: usize, fill: Fill) -> Self {
        Self { first, length, mirrored, size, fill }
    }

    /// The voxel that stands at a place of the window.
    pub(super) fn at(&self, place: usize) -> Option<usize> {
        let place = if self.mirrored { self.length - 1 - place } else { place };
        self.fill.index(self.first + place as i64, self.size)
    }

    /// Fills a row of the window from a row of the volume.
    pub(super) fn copy(&self, from: &[f32], to: &mut [f32]) {
        let inside = usize::try_from(self.first).ok().filter(|first| first + self.length <= self.size);
        match inside {
            Some(first) if self.mirrored => {
                let row = &from[first..first + self.length];
                to.iter_mut().zip(row.iter().rev()).for_each(|(to, from)| *to = *from);
            }
            Some(first) => to.copy_from_slice(&from[first..first + self.length]),
            None => {
                for (place, to) in to.iter_mut().enumerate() {
                    *to = self.at(place).map_or(0.0, |voxel| from[voxel]);
                }
            }
        }
    }
}
