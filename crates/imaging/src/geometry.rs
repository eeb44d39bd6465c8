//! Where a grid of voxels stands in the patient.
//!
//! Millimetres of DICOM's patient coordinates everywhere (PS3.3, C.7.6.2.1.1: x grows to the left hand, y to the back,
//! z to the head: LPS). NIfTI counts x to the right and y to the front (RAS); the two differ in the sign of x and y,
//! and only [`affine_ras`](Geometry::affine_ras) and [`from_affine_ras`](Geometry::from_affine_ras) know of it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How far the length of an axis may be from 1, and the cosine of two axes from 0. Scanners round the six numbers of
/// `ImageOrientationPatient` to as few as three or four digits.
const TOLERANCE: f64 = 1e-3;

/// Numbers that make no grid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A size is 0, or there are more voxels than memory can address.
    #[error("a grid of {} x {} x {} voxels cannot be held; each size is at least 1", .size[0], .size[1], .size[2])]
    Size {
        /// Columns, rows, slices.
        size: [usize; 3],
    },
    /// A distance between voxels is not a positive number.
    #[error("the spacing along index {axis} is {value} mm; it must be a positive number")]
    Spacing {
        /// 0 = columns, 1 = rows, 2 = slices.
        axis: usize,
        /// What was found.
        value: f64,
    },
    /// The position is not a number.
    #[error("coordinate {axis} of the origin is {value}; it must be a finite number")]
    Origin {
        /// 0 = x, 1 = y, 2 = z.
        axis: usize,
        /// What was found.
        value: f64,
    },
    /// An axis is not a unit vector.
    #[error("the direction of index {axis} has length {length}; it must be 1 to within 0.001")]
    Direction {
        /// 0 = columns, 1 = rows, 2 = slices.
        axis: usize,
        /// Its length.
        length: f64,
    },
    /// Two axes are not at right angles.
    #[error(
        "indices {first} and {second} run at {degrees:.3}° to each other, not at 90°; a skewed grid must be resampled \
         first"
    )]
    Skewed {
        /// One index.
        first: usize,
        /// The other.
        second: usize,
        /// The angle between them.
        degrees: f64,
    },
}

/// A regular grid of voxels in the patient.
///
/// Index `i` (columns) is the fastest, then `j` (rows), then `k` (slices): a voxel is at offset
/// `(k · size[1] + j) · size[0] + i`. A tensor of the grid has the shape `[.., k, j, i]` = `[.., depth, height,
/// width]`. A plain picture is a grid of one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Distance in mm of two neighbours along each index.
    pub spacing: [f64; 3],
    /// Centre of the first voxel, in LPS mm.
    pub origin: [f64; 3],
    /// `direction[a]` is the unit vector (LPS) along which index `a` grows.
    pub direction: [[f64; 3]; 3],
}

impl Geometry {
    /// A checked grid. It may be left-handed.
    ///
    /// # Errors
    /// [`GeometryError`] if a size is 0 or their product too large, a spacing not positive, or the directions not unit
    /// vectors at right angles, to within 0.001.
    pub fn new(
        size: [usize; 3],
        spacing: [f64; 3],
        origin: [f64; 3],
        direction: [[f64; 3]; 3],
    ) -> Result<Self, GeometryError> {
        // Eight bytes a voxel must stay addressable: distances are f64.
        let voxels = size[0].checked_mul(size[1]).and_then(|plane| plane.checked_mul(size[2]));
        if !voxels.is_some_and(|count| count > 0 && count <= isize::MAX as usize / 8) {
            return Err(GeometryError::Size { size });
        }
        for axis in 0..3 {
            let value = spacing[axis];
            if !(value.is_finite() && value > 0.0) {
                return Err(GeometryError::Spacing { axis, value });
            }
            if !origin[axis].is_finite() {
                return Err(GeometryError::Origin { axis, value: origin[axis] });
            }
            let length = norm(direction[axis]);
            if !length.is_finite() || (length - 1.0).abs() > TOLERANCE {
                return Err(GeometryError::Direction { axis, length });
            }
        }
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let cosine = dot(direction[first], direction[second]);
            if cosine.abs() > TOLERANCE {
                return Err(GeometryError::Skewed {
                    first,
                    second,
                    degrees: cosine.clamp(-1.0, 1.0).acos().to_degrees(),
                });
            }
        }
        Ok(Self { size, spacing, origin, direction })
    }

    /// A grid at the origin whose indices run to the left, to the back and to the head. Nothing is checked: this is for
    /// sizes and spacings that are known to be sound.
    pub fn axial(size: [usize; 3], spacing: [f64; 3]) -> Self {
        let direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self { size, spacing, origin: [0.0; 3], direction }
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Whether there is no voxel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where voxel `(i, j, k)` is in the slice of all voxels.
    pub fn offset(&self, i: usize, j: usize, k: usize) -> usize {
        (k * self.size[1] + j) * self.size[0] + i
    }

    /// The matrix (row by row) that takes `(i, j, k, 1)` to LPS mm.
    pub fn affine(&self) -> [[f64; 4]; 4] {
        let row = |row: usize| {
            let [i, j, k] = [0, 1, 2].map(|axis| self.direction[axis][row] * self.spacing[axis]);
            [i, j, k, self.origin[row]]
        };
        [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]
    }

    /// The matrix (row by row) that takes `(i, j, k, 1)` to RAS mm, as NIfTI has it.
    pub fn affine_ras(&self) -> [[f64; 4]; 4] {
        let mut affine = self.affine();
        for row in &mut affine[..2] {
            for value in row {
                *value = -*value;
            }
        }
        affine
    }

    /// The grid of a matrix (row by row) that takes `(i, j, k, 1)` to RAS mm.
    ///
    /// # Errors
    /// [`GeometryError`] if the matrix is no grid with right angles, or `size` cannot be held.
    pub fn from_affine_ras(size: [usize; 3], affine: &[[f64; 4]; 4]) -> Result<Self, GeometryError> {
        let sign = [-1.0, -1.0, 1.0];
        let mut spacing = [0.0; 3];
        let mut direction = [[0.0; 3]; 3];
        let mut origin = [0.0; 3];
        for axis in 0..3 {
            let column = [0, 1, 2].map(|row| sign[row] * affine[row][axis]);
            spacing[axis] = norm(column);
            if !(spacing[axis].is_finite() && spacing[axis] > 0.0) {
                return Err(GeometryError::Spacing { axis, value: spacing[axis] });
            }
            direction[axis] = column.map(|value| value / spacing[axis]);
            origin[axis] = sign[axis] * affine[axis][3];
        }
        Self::new(size, spacing, origin, direction)
    }

    /// LPS mm of a place on the grid; whole numbers are the centres of voxels.
    pub fn point(&self, voxel: [f64; 3]) -> [f64; 3] {
        let step = [0, 1, 2].map(|axis| voxel[axis] * self.spacing[axis]);
        [0, 1, 2].map(|row| self.origin[row] + dot(step, [0, 1, 2].map(|axis| self.direction[axis][row])))
    }

    /// Place on the grid of a point in LPS mm.
    pub fn voxel(&self, point: [f64; 3]) -> [f64; 3] {
        let inverse = self.inverse();
        let from = [0, 1, 2].map(|axis| point[axis] - self.origin[axis]);
        inverse.map(|row| dot(row, from))
    }

    /// The matrix (row by row) that takes a step in LPS mm to a step in voxels. The axes are at right angles only to
    /// within 0.001, so that their transpose would not do: it is an error of half a voxel at 500.
    fn inverse(&self) -> [[f64; 3]; 3] {
        let [x, y, z] = self.direction;
        let volume = dot(x, cross(y, z));
        let dual = [cross(y, z), cross(z, x), cross(x, y)];
        [0, 1, 2].map(|axis| dual[axis].map(|value| value / (volume * self.spacing[axis])))
    }

    /// For each index the LPS axis that it runs along most (0 = x, 1 = y, 2 = z), each taken once, and whether it grows
    /// with it. The index that is nearest to an axis chooses first.
    pub fn axes(&self) -> [(usize, bool); 3] {
        let steepness = |index: usize| self.direction[index].iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| steepness(b).total_cmp(&steepness(a)));
        let mut taken = [false; 3];
        let mut axes = [(0, true); 3];
        for index in order {
            let along = self.direction[index];
            let mut best = None;
            for axis in (0..3).filter(|&axis| !taken[axis]) {
                if best.is_none_or(|best: usize| along[axis].abs() > along[best].abs()) {
                    best = Some(axis);
                }
            }
            let axis = best.unwrap_or(index);
            taken[axis] = true;
            axes[index] = (axis, along[axis] >= 0.0);
        }
        axes
    }

    /// Where each index grows to, as three letters of `R L A P S I`: nibabel's `aff2axcodes`. A grid of
    /// [`axial`](Self::axial) is `LPS`.
    pub fn orientation(&self) -> String {
        self.axes()
            .iter()
            .map(|&axis| match axis {
                (0, true) => 'L',
                (0, false) => 'R',
                (1, true) => 'P',
                (1, false) => 'A',
                (_, true) => 'S',
                (_, false) => 'I',
            })
            .collect()
    }

    /// Whether both have the same size and no corner of one is farther than `tolerance_mm` from that of the other.
    pub fn same_grid(&self, other: &Self, tolerance_mm: f64) -> bool {
        self.size == other.size
            && (0..8).all(|corner| {
                let at = [0, 1, 2].map(|axis| if corner >> axis & 1 == 1 { (self.size[axis] - 1) as f64 } else { 0.0 });
                let (here, there) = (self.point(at), other.point(at));
                norm([0, 1, 2].map(|axis| here[axis] - there[axis])) <= tolerance_mm
            })
    }

    /// mm³ of one voxel.
    pub fn voxel_volume(&self) -> f64 {
        self.spacing.iter().product()
    }

    /// Length in mm of the diagonal of the whole box of voxels: no two points of the grid are farther apart, so that it
    /// stands for the distance to a structure that was not found at all.
    pub fn diagonal(&self) -> f64 {
        norm([0, 1, 2].map(|axis| self.size[axis] as f64 * self.spacing[axis]))
    }

    /// A grid of the same spacing and direction that begins at another place of this one, maybe outside of it.
    pub(crate) fn part(&self, start: [f64; 3], size: [usize; 3]) -> Self {
        Self { size, spacing: self.spacing, origin: self.point(start), direction: self.direction }
    }

    /// All indices.
    pub fn full(&self) -> [Range<usize>; 3] {
        self.size.map(|size| 0..size)
    }
}

/// Scalar product.
pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Length.
pub(crate) fn norm(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests;
