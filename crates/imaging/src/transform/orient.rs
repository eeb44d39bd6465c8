//! Axes swapped and turned round, so that indices grow to given sides of the patient.

use super::TransformError;
use crate::geometry::Geometry;
use crate::volume::{LabelMap, SliceFile, Volume};

/// For each new index the old one that it is, and whether it is turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    from: [usize; 3],
    reversed: [bool; 3],
}

/// The volume with indices that grow to the sides that `code` names, such as `RAS`. An oblique grid stays oblique: only
/// whole axes are swapped and turned. To turn it back, pass the orientation that it had.
///
/// # Errors
/// [`TransformError::Orientation`] if `code` does not name each axis of the patient once.
pub fn reorient(volume: &Volume, code: &str) -> Result<Volume, TransformError> {
    let turn = Turn::to(&volume.geometry, code)?;
    let voxels = turn.apply(&volume.voxels, volume.geometry.size);
    let slices = turn.slices(&volume.source.slices);
    Ok(volume.derived(voxels, turn.geometry(&volume.geometry), slices))
}

/// As [`reorient`], for labels.
///
/// # Errors
/// As [`reorient`].
pub fn reorient_labels(map: &LabelMap, code: &str) -> Result<LabelMap, TransformError> {
    let turn = Turn::to(&map.geometry, code)?;
    let labels = turn.apply(&map.labels, map.geometry.size);
    Ok(LabelMap { labels, geometry: turn.geometry(&map.geometry), names: map.names.clone() })
}

/// As [`reorient`], for the grid alone.
///
/// # Errors
/// As [`reorient`].
pub fn reorient_geometry(geometry: &Geometry, code: &str) -> Result<Geometry, TransformError> {
    Ok(Turn::to(geometry, code)?.geometry(geometry))
}

impl Turn {
    fn to(geometry: &Geometry, code: &str) -> Result<Self, TransformError> {
        let refused = || TransformError::Orientation { code: code.to_owned() };
        let letters: Vec<char> = code.chars().collect();
        let [first, second, third] = letters[..] else { return Err(refused()) };
        let axes = geometry.axes();
        let mut turn = Self { from: [0; 3], reversed: [false; 3] };
        let mut taken = [false; 3];
        for (index, letter) in [first, second, third].into_iter().enumerate() {
            let (axis, forward) = match letter.to_ascii_uppercase() {
                'L' => (0, true),
                'R' => (0, false),
                'P' => (1, true),
                'A' => (1, false),
                'S' => (2, true),
                'I' => (2, false),
                _ => return Err(refused()),
            };
            let from = axes.iter().position(|&(along, _)| along == axis).ok_or_else(refused)?;
            if taken[from] {
                return Err(refused());
            }
            taken[from] = true;
            turn.from[index] = from;
            turn.reversed[index] = axes[from].1 != forward;
        }
        Ok(turn)
    }

    fn geometry(&self, geometry: &Geometry) -> Geometry {
        let mut start = [0.0; 3];
        for (from, reversed) in self.from.into_iter().zip(self.reversed) {
            if reversed {
                start[from] = (geometry.size[from] - 1) as f64;
            }
        }
        let direction = |index: usize| {
            let along = geometry.direction[self.from[index]];
            if self.reversed[index] { along.map(|value| -value) } else { along }
        };
        Geometry {
            size: self.from.map(|from| geometry.size[from]),
            spacing: self.from.map(|from| geometry.spacing[from]),
            origin: geometry.point(start),
            direction: [direction(0), direction(1), direction(2)],
        }
    }

    fn apply<T: Copy>(&self, values: &[T], size: [usize; 3]) -> Vec<T> {
        let stride = [1, size[0] as isize, (size[0] * size[1]) as isize];
        let lengths = self.from.map(|from| size[from]);
        let mut start = 0;
        let mut steps = [0; 3];
        for index in 0..3 {
            let along = stride[self.from[index]];
            steps[index] = if self.reversed[index] { -along } else { along };
            if self.reversed[index] {
                start += along * (lengths[index] as isize - 1);
            }
        }
        let mut turned = Vec::with_capacity(values.len());
        for k in 0..lengths[2] as isize {
            for j in 0..lengths[1] as isize {
                let row = start + k * steps[2] + j * steps[1];
                turned.extend((0..lengths[0] as isize).map(|i| values[(row + i * steps[0]) as usize]));
            }
        }
        turned
    }

    /// The files of the slices, if slices still are slices.
    fn slices(&self, slices: &[SliceFile]) -> Vec<SliceFile> {
        match (self.from[2], self.reversed[2]) {
            (2, false) => slices.to_vec(),
            (2, true) => slices.iter().rev().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> Volume {
        let (sine, cosine) = 0.2_f64.sin_cos();
        let direction = [[cosine, sine, 0.0], [0.0, 0.0, -1.0], [-sine, cosine, 0.0]];
        let geometry = Geometry::new([4, 3, 2], [0.5, 2.0, 3.0], [-10.0, 20.0, 7.0], direction).unwrap();
        let slice = |frame: usize| SliceFile { path: "s".into(), frame, instance: frame.to_string() };
        let mut volume = Volume::new((0..24).map(|value| value as f32).collect(), geometry).unwrap();
        volume.source.slices = vec![slice(0), slice(1)];
        volume
    }

    /// Every voxel keeps its place in the patient, which is the definition of what turning may do.
    #[test]
    fn voxels_keep_their_places() {
        let volume = volume();
        assert_eq!(volume.geometry.orientation(), "LIP");
        for code in ["RAS", "LPS", "SRA", "IPL", "LIP", "pir"] {
            let turned = reorient(&volume, code).unwrap();
            assert_eq!(turned.geometry.orientation(), code.to_uppercase());
            assert_eq!(turned.geometry, reorient_geometry(&volume.geometry, code).unwrap());
            let [columns, rows, slices] = turned.geometry.size;
            for (k, j, i) in (0..slices).flat_map(|k| (0..rows).flat_map(move |j| (0..columns).map(move |i| (k, j, i))))
            {
                let point = turned.geometry.point([i as f64, j as f64, k as f64]);
                let [a, b, c] = volume.geometry.voxel(point).map(|at| at.round() as usize);
                assert_eq!(turned.at(i, j, k), volume.at(a, b, c), "{code} {i} {j} {k}");
            }
        }
    }

    #[test]
    fn turning_back_is_exact() {
        let volume = volume();
        let turned = reorient(&volume, "SAR").unwrap();
        assert!(turned.source.slices.is_empty());
        let back = reorient(&turned, &volume.geometry.orientation()).unwrap();
        assert_eq!(back.voxels, volume.voxels);
        // one rounding of f64 in each of two moves of the origin
        assert!(back.geometry.same_grid(&volume.geometry, 1e-12));
        let reversed = reorient(&volume, "LIA").unwrap();
        assert_eq!(reversed.source.slices[0].frame, 1);
    }

    #[test]
    fn labels_turn_as_volumes_do() {
        let volume = volume();
        let labels = volume.voxels.iter().map(|&value| value as u8).collect();
        let map = LabelMap::with_default_names(labels, volume.geometry.clone()).unwrap();
        let (turned, map) = (reorient(&volume, "RAS").unwrap(), reorient_labels(&map, "RAS").unwrap());
        assert_eq!(map.geometry, turned.geometry);
        assert!(map.labels.iter().zip(&turned.voxels).all(|(&label, &value)| f32::from(label) == value));
    }

    #[test]
    fn what_is_no_orientation_is_refused() {
        for code in ["", "RA", "RAR", "RAX", "RASS", "LRS"] {
            let error = reorient(&volume(), code).unwrap_err();
            assert_eq!(error, TransformError::Orientation { code: code.to_owned() });
        }
    }
}
