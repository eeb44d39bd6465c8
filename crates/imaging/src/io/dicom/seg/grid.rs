//! Frames that each say where they stand, as slices of one grid.

use std::path::Path;

use dicom_dictionary_std::tags;

use super::super::error::DicomError;
use super::super::frames::FrameHeader;
use super::super::values::name_of;
use crate::geometry::{Geometry, cross, dot, norm};

/// Slices that a grid may have where only some have frames. Bodies are shorter than 4 m, slices not thinner than 0.1
/// mm.
const MAX_SLICES: f64 = 40_000.0;

/// Voxels of a grid: frames far apart would span any number of empty slices.
const MAX_VOXELS: usize = 1 << 31;

/// How far a frame may stand from its place on the grid, in parts of a pixel or of the distance of two slices.
const TOLERANCE: f64 = 0.02;

/// The smallest grid that holds all frames of `[columns, rows]` pixels, and the slice of each frame.
///
/// # Errors
/// [`DicomError::Attribute`] if a frame does not say where it stands, or they make no grid.
pub(crate) fn stack(
    path: &Path,
    frames: &[FrameHeader],
    [columns, rows]: [usize; 2],
) -> Result<(Geometry, Vec<usize>), DicomError> {
    let refuse = |tag, problem: String| DicomError::attribute(path, name_of(tag), problem);
    let missing = |tag, frame: usize| refuse(tag, format!("is missing in frame {}; it cannot be placed", frame + 1));
    let Some(first) = frames.first() else {
        return Err(refuse(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, "has no item".to_owned()));
    };
    let orientation = first.orientation.ok_or_else(|| missing(tags::IMAGE_ORIENTATION_PATIENT, 0))?;
    let [row_step, column_step] = first.spacing.ok_or_else(|| missing(tags::PIXEL_SPACING, 0))?;
    let [across, down] =
        [[orientation[0], orientation[1], orientation[2]], [orientation[3], orientation[4], orientation[5]]];
    let normal = cross(across, down);
    let length = norm(normal);
    if !(0.99..=1.01).contains(&length) {
        let problem = format!("of frame 1 are vectors that span {length:.4} instead of 1");
        return Err(refuse(tags::IMAGE_ORIENTATION_PATIENT, problem));
    }
    let normal = normal.map(|value| value / length);
    let mut positions = Vec::with_capacity(frames.len());
    for (index, frame) in frames.iter().enumerate() {
        let position = frame.position.ok_or_else(|| missing(tags::IMAGE_POSITION_PATIENT, index))?;
        let turned = frame
            .orientation
            .is_none_or(|found| found.iter().zip(orientation).any(|(found, expected)| (found - expected).abs() > 1e-3));
        if turned {
            let problem = format!("of frame {} is not that of frame 1; they make no stack", index + 1);
            return Err(refuse(tags::IMAGE_ORIENTATION_PATIENT, problem));
        }
        positions.push(position);
    }
    let heights: Vec<f64> = positions.iter().map(|&position| dot(position, normal)).collect();
    let lowest = heights.iter().copied().fold(f64::INFINITY, f64::min);
    let step = step(first, &heights);
    let start = positions[heights.iter().position(|&height| height == lowest).unwrap_or(0)];
    let mut slices = Vec::with_capacity(frames.len());
    for (index, (position, height)) in positions.iter().zip(&heights).enumerate() {
        let place = (height - lowest) / step;
        let nearest = place.round();
        if nearest > MAX_SLICES || (place - nearest).abs() > TOLERANCE {
            let problem = format!(
                "of frame {} is {:.4} mm above the lowest, which is no multiple of {step:.4} mm; the gaps are uneven",
                index + 1,
                height - lowest
            );
            return Err(refuse(tags::IMAGE_POSITION_PATIENT, problem));
        }
        let aside = [0, 1, 2].map(|axis| position[axis] - start[axis] - (height - lowest) * normal[axis]);
        if dot(aside, across).abs() > TOLERANCE * column_step || dot(aside, down).abs() > TOLERANCE * row_step {
            let aside = norm(aside);
            let problem = format!("of frame {} is {aside:.4} mm beside the first; the stack is tilted", index + 1);
            return Err(refuse(tags::IMAGE_POSITION_PATIENT, problem));
        }
        slices.push(nearest as usize);
    }
    let count = slices.iter().max().map_or(1, |highest| highest + 1);
    let voxels = columns.checked_mul(rows).and_then(|plane| plane.checked_mul(count));
    if voxels.is_none_or(|voxels| voxels > MAX_VOXELS) {
        let problem = format!("span {columns} x {rows} x {count} voxels; up to {MAX_VOXELS} are held");
        return Err(refuse(tags::IMAGE_POSITION_PATIENT, problem));
    }
    let geometry = Geometry::new([columns, rows, count], [column_step, row_step, step], start, [across, down, normal]);
    let geometry = geometry.map_err(|error| refuse(tags::IMAGE_ORIENTATION_PATIENT, error.to_string()))?;
    Ok((geometry, slices))
}

/// Distance of two slices: what the file says, if the frames agree, else the smallest gap between two of them.
fn step(first: &FrameHeader, heights: &[f64]) -> f64 {
    let mut sorted = heights.to_vec();
    sorted.sort_by(f64::total_cmp);
    let gaps = sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|&gap| gap > 1e-3);
    let smallest = gaps.fold(f64::INFINITY, f64::min);
    let stated = [first.between_slices, first.thickness].into_iter().flatten().map(f64::abs).find(|&step| step > 1e-3);
    match stated {
        Some(stated) if !smallest.is_finite() => stated,
        Some(stated) => {
            // positions are exact; what is stated may be rounded, and is worth something only where slices are missing
            let times = (smallest / stated).round();
            let fits = |height: &f64| {
                let place = (height - sorted[0]) / stated;
                (place - place.round()).abs() <= TOLERANCE
            };
            if times >= 1.0 && heights.iter().all(fits) { smallest / times } else { smallest }
        }
        None if smallest.is_finite() => smallest,
        None => 1.0,
    }
}

/// For each slice of `own` the slice of `grid` that it lies on.
pub(super) fn slices_of(path: &Path, own: &Geometry, grid: &Geometry) -> Result<Vec<usize>, DicomError> {
    let refuse = |problem: String| DicomError::pixels(path, problem);
    let [columns, rows, count] = grid.size;
    if own.size[..2] != grid.size[..2] {
        let [found_columns, found_rows, _] = own.size;
        let problem = format!("frames of {found_columns} x {found_rows} pixels for slices of {columns} x {rows}");
        return Err(refuse(problem));
    }
    let mut slices = Vec::with_capacity(own.size[2]);
    for k in 0..own.size[2] {
        let corner = grid.voxel(own.point([0.0, 0.0, k as f64]));
        let nearest = corner[2].round();
        // the opposite corner tells whether the frame is turned or scaled
        let far = grid.voxel(own.point([(columns - 1) as f64, (rows - 1) as f64, k as f64]));
        let off = [corner[0], corner[1], corner[2] - nearest, far[2] - nearest]
            .into_iter()
            .chain([far[0] - (columns - 1) as f64, far[1] - (rows - 1) as f64])
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        if !(off <= 5.0 * TOLERANCE && nearest >= 0.0 && nearest < count as f64) {
            return Err(refuse(format!("slice {} of the segmentation lies on no slice of the images' grid", k + 1)));
        }
        slices.push(nearest as usize);
    }
    Ok(slices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(position: [f64; 3]) -> FrameHeader {
        FrameHeader {
            position: Some(position),
            orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            spacing: Some([0.5, 0.25]),
            between_slices: Some(2.0),
            ..FrameHeader::default()
        }
    }

    fn stacked(heights: &[f64]) -> Result<(Geometry, Vec<usize>), DicomError> {
        let frames: Vec<FrameHeader> = heights.iter().map(|&z| frame([10.0, 20.0, z])).collect();
        stack(Path::new("x"), &frames, [4, 3])
    }

    #[test]
    fn missing_slices_are_left_open() {
        let (geometry, slices) = stacked(&[4.0, 0.0, 10.0, 4.0]).unwrap();
        assert_eq!(slices, [2, 0, 5, 2]);
        assert_eq!(geometry.size, [4, 3, 6]);
        assert_eq!(geometry.spacing, [0.25, 0.5, 2.0]);
        assert_eq!(geometry.origin, [10.0, 20.0, 0.0]);
        // stated 2, but the frames are 3 apart
        assert_eq!(stacked(&[0.0, 3.0, 6.0]).unwrap().0.spacing[2], 3.0);
        assert_eq!(stacked(&[7.0]).unwrap().0.size, [4, 3, 1]);
    }

    #[test]
    fn what_makes_no_stack_is_refused() {
        let error = stacked(&[0.0, 3.0, 7.0]).unwrap_err().to_string();
        assert!(error.contains("of frame 3 is 7.0000 mm above the lowest"), "{error}");
        let tilted = [frame([0.0; 3]), frame([0.5, 0.0, 2.0])];
        let error = stack(Path::new("x"), &tilted, [4, 3]).unwrap_err().to_string();
        assert!(error.contains("the stack is tilted"), "{error}");
        let mut turned = frame([0.0, 0.0, 2.0]);
        turned.orientation = Some([0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        assert!(stack(Path::new("x"), &[frame([0.0; 3]), turned], [4, 3]).is_err());
        let mut nowhere = frame([0.0; 3]);
        nowhere.position = None;
        let error = stack(Path::new("x"), &[nowhere], [4, 3]).unwrap_err().to_string();
        assert!(error.contains("(0020,0032) ImagePositionPatient: is missing in frame 1"), "{error}");
        assert!(stacked(&[0.0, 1e-2, 1e9]).is_err());
        assert!(stack(Path::new("x"), &[], [4, 3]).is_err());
    }

    #[test]
    fn frames_find_their_slices_on_a_larger_grid_and_on_one_that_runs_down() {
        let (own, _) = stacked(&[4.0, 8.0]).unwrap();
        let mut grid = Geometry::axial([4, 3, 7], [0.25, 0.5, 2.0]);
        grid.origin = [10.0, 20.0, 0.0];
        assert_eq!(slices_of(Path::new("x"), &own, &grid).unwrap(), [2, 3, 4]);
        grid.origin[2] = 12.0;
        grid.direction[2] = [0.0, 0.0, -1.0];
        assert_eq!(slices_of(Path::new("x"), &own, &grid).unwrap(), [4, 3, 2]);
        grid.origin[0] += 0.25;
        assert!(slices_of(Path::new("x"), &own, &grid).is_err());
    }
}
