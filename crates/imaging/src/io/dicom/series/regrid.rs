//! Slices that do not stand on a grid, resampled to one: sheared back, and to even distances.
//!
//! Linear interpolation in the plane and along the normal. A gantry that was tilted makes slices that are shifted against
//! each other in their own plane; the grid that takes them is as wide as all of them together, so that nothing is cut off.

use rayon::prelude::*;

/// How far, in pixels, a place may be outside the pixels and still take the value at their edge.
const EDGE: f64 = 1e-3;

/// Where a slice stands against the first one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    /// mm along the normal; ascending from slice to slice, 0 for the first.
    pub(super) height: f64,
    /// Pixels along the columns and along the rows.
    pub(super) plane: [f64; 2],
}

/// A regular grid for shifted slices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    /// Columns, rows, slices.
    pub(super) size: [usize; 3],
    /// Pixel of the first slice that the first pixel of the grid stands on; 0 or less.
    pub(super) first: [f64; 2],
    /// mm between slices.
    pub(super) step: f64,
}

impl Target {
    /// The grid with about `step` mm between slices from the first to the last height, wide enough for slices of
    /// `columns` by `rows` pixels wherever they are shifted to.
    pub(super) fn new(columns: usize, rows: usize, shifts: &[Shift], step: f64) -> Self {
        let extent = shifts.last().map_or(0.0, |last| last.height);
        let gaps = if step > 0.0 { (extent / step).round().max(0.0) } else { 0.0 };
        let slices = (gaps as usize).saturating_add(1);
        let step = if slices > 1 { extent / gaps } else { step };
        let mut size = [columns, rows, slices];
        let mut first = [0.0; 2];
        for axis in 0..2 {
            let (low, high) = shifts.iter().fold((0.0_f64, 0.0_f64), |(low, high), shift| {
                // A shift by rounding errors needs no further column.
                (low.min((shift.plane[axis] + EDGE).floor()), high.max((shift.plane[axis] - EDGE).ceil()))
            });
            first[axis] = low;
            size[axis] = size[axis].saturating_add((high - low) as usize);
        }
        Self { size, first, step }
    }
}

/// The values of `voxels` (slices of `columns` by `rows` pixels, one for each of `shifts`) on the grid. What lies in no
/// slice becomes the smallest value.
pub(super) fn regrid(voxels: &[f32], columns: usize, rows: usize, shifts: &[Shift], target: &Target) -> Vec<f32> {
    let fill = voxels.iter().copied().filter(|value| value.is_finite()).fold(f32::INFINITY, f32::min);
    let fill = if fill.is_finite() { fill } else { 0.0 };
    let [width, height, slices] = target.size;
    let mut result = vec![fill; width * height * slices];
    result.par_chunks_mut(width * height).enumerate().for_each(|(k, plane)| {
        let (below, above, weight) = bracket(shifts, k as f64 * target.step);
        let sheet = |index: usize| Sheet {
            pixels: &voxels[index * columns * rows..(index + 1) * columns * rows],
            columns,
            rows,
            shift: shifts[index].plane,
            fill,
        };
        let (lower, upper) = (sheet(below), sheet(above));
        for (j, line) in plane.chunks_exact_mut(width).enumerate() {
            let y = j as f64 + target.first[1];
            for (i, value) in line.iter_mut().enumerate() {
                let x = i as f64 + target.first[0];
                let low = lower.at(x, y);
                // The other slice does not count where it has no weight, even if it is not finite there.
                let mixed = if weight == 0.0 { low } else { blend(low, upper.at(x, y), weight) };
                *value = mixed as f32;
            }
        }
    });
    result
}

/// The slices below and above a height, and the weight of the one above.
fn bracket(shifts: &[Shift], height: f64) -> (usize, usize, f64) {
    let last = shifts.len() - 1;
    let above = shifts.partition_point(|shift| shift.height < height).min(last);
    let below = above.saturating_sub(1);
    let gap = shifts[above].height - shifts[below].height;
    if gap <= 0.0 {
        return (above, above, 0.0);
    }
    let weight = ((height - shifts[below].height) / gap).clamp(0.0, 1.0);
    // A place that misses a slice by a rounding error is on it.
    if weight < 1e-6 {
        (below, below, 0.0)
    } else if weight > 1.0 - 1e-6 {
        (above, above, 0.0)
    } else {
        (below, above, weight)
    }
}

fn blend(a: f64, b: f64, weight: f64) -> f64 {
    a + (b - a) * weight
}

/// One slice where it stands.
struct Sheet<'a> {
    pixels: &'a [f32],
    columns: usize,
    rows: usize,
    shift: [f64; 2],
    fill: f32,
}

impl Sheet<'_> {
    /// The value at a place in pixels of the first slice.
    fn at(&self, x: f64, y: f64) -> f64 {
        let (column, row) = (inside(x - self.shift[0], self.columns), inside(y - self.shift[1], self.rows));
        let (Some((i, right)), Some((j, down))) = (column, row) else { return f64::from(self.fill) };
        let at = |i: usize, j: usize| f64::from(self.pixels[j * self.columns + i]);
        let line = |j: usize| if right == 0.0 { at(i, j) } else { blend(at(i, j), at(i + 1, j), right) };
        if down == 0.0 { line(j) } else { blend(line(j), line(j + 1), down) }
    }
}

/// The pixel before a place and how far behind it the place is, or `None` outside the pixels.
fn inside(place: f64, count: usize) -> Option<(usize, f64)> {
    let last = (count - 1) as f64;
    // written so that NaN is outside
    if !(place >= -EDGE && place <= last + EDGE) {
        return None;
    }
    let place = place.clamp(0.0, last);
    let before = place.floor();
    let rest = place - before;
    // Near a pixel it is the pixel: the values of whole shifts stay what they were.
    Some(if rest < 1e-6 {
        (before as usize, 0.0)
    } else if rest > 1.0 - 1e-6 {
        (before as usize + 1, 0.0)
    } else {
        (before as usize, rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of a plane in space: linear interpolation gives them exactly.
    fn field(x: f64, y: f64, z: f64) -> f64 {
        100.0 + 3.0 * x - 2.0 * y + 0.5 * z
    }

    fn stack(columns: usize, rows: usize, shifts: &[Shift]) -> Vec<f32> {
        let mut voxels = Vec::new();
        for shift in shifts {
            for j in 0..rows {
                for i in 0..columns {
                    voxels.push(field(i as f64 + shift.plane[0], j as f64 + shift.plane[1], shift.height) as f32);
                }
            }
        }
        voxels
    }

    #[test]
    fn sheared_and_uneven_slices_keep_a_linear_field() {
        let heights = [0.0, 2.0, 3.0, 6.5, 8.0];
        let shifts = heights.map(|height| Shift { height, plane: [0.0, -0.37 * height] });
        let (columns, rows) = (6, 9);
        let target = Target::new(columns, rows, &shifts, 2.0);
        // 8 mm · 0.37 = 2.96 pixels to the front
        assert_eq!(target, Target { size: [6, 12, 5], first: [0.0, -3.0], step: 2.0 });
        let result = regrid(&stack(columns, rows, &shifts), columns, rows, &shifts, &target);
        let mut checked = 0;
        for k in 0..5 {
            let z = 2.0 * k as f64;
            for j in 0..12 {
                let y = j as f64 - 3.0;
                // inside of all slices, whatever two are used
                if y < -0.37 * (z - 3.5).max(0.0) || y > 8.0 - 0.37 * (z + 3.5).min(8.0) {
                    continue;
                }
                for i in 0..6 {
                    let found = f64::from(result[(k * 12 + j) * 6 + i]);
                    // values up to 130 in single precision
                    assert!((found - field(i as f64, y, z)).abs() < 2e-5, "{i} {j} {k}: {found}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 150, "{checked}");
    }

    #[test]
    fn what_no_slice_has_becomes_the_smallest_value() {
        let shifts = [Shift { height: 0.0, plane: [0.0; 2] }, Shift { height: 1.0, plane: [2.0, 0.0] }];
        let target = Target::new(3, 1, &shifts, 1.0);
        assert_eq!(target.size, [5, 1, 2]);
        let result = regrid(&[5.0, 6.0, 7.0, -3.0, 8.0, 9.0], 3, 1, &shifts, &target);
        assert_eq!(result, [5.0, 6.0, 7.0, -3.0, -3.0, -3.0, -3.0, -3.0, 8.0, 9.0]);
    }

    #[test]
    fn slices_that_are_on_the_grid_are_copied() {
        let shifts = [0.0, 1.5, 3.0].map(|height| Shift { height, plane: [0.0; 2] });
        let voxels: Vec<f32> = (0..24).map(|value| value as f32 * 0.1).collect();
        let target = Target::new(4, 2, &shifts, 1.5);
        assert_eq!(regrid(&voxels, 4, 2, &shifts, &target), voxels);
    }
}
