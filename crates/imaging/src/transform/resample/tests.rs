//! Resampling against SimpleITK.

use super::*;

#[derive(Deserialize)]
struct Golden {
    size: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    voxels: Vec<f32>,
    labels: Vec<u8>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    size: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [[f64; 3]; 3],
    linear: Vec<f32>,
    cubic: Vec<f32>,
    labels: Vec<u8>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/resample.json")).unwrap()
}

/// tests/golden/resample.py. Values are up to 110, of which f32 rounds at 8e-6, and a value is the sum of up to 64.
#[test]
fn values_and_labels_are_those_of_simpleitk() {
    let golden = golden();
    let geometry = Geometry::new(golden.size, golden.spacing, golden.origin, golden.direction).unwrap();
    let volume = Volume::new(golden.voxels, geometry.clone()).unwrap();
    let map = LabelMap::with_default_names(golden.labels, geometry).unwrap();
    for case in golden.cases {
        let grid = Geometry::new(case.size, case.spacing, case.origin, case.direction).unwrap();
        for (interpolation, expected) in [(Interpolation::Linear, case.linear), (Interpolation::Cubic, case.cubic)] {
            let found = resample(&volume, &grid, interpolation);
            let worst = found.voxels.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-4, "{} {interpolation:?} {worst}", case.name);
        }
        let found = resample_labels(&map, &grid);
        assert_eq!(found.labels, case.labels, "{}", case.name);
        let nearest = resample(&volume, &grid, Interpolation::Nearest);
        assert_eq!(nearest.geometry, grid);
    }
}

#[test]
fn the_same_grid_gives_the_same_values() {
    let golden = golden();
    let geometry = Geometry::new(golden.size, golden.spacing, golden.origin, golden.direction).unwrap();
    let volume = Volume::new(golden.voxels, geometry.clone()).unwrap();
    for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
        assert_eq!(resample(&volume, &geometry, interpolation).voxels, volume.voxels);
    }
    // the spline goes through the values, but for the rounding of its filters
    let cubic = resample(&volume, &geometry, Interpolation::Cubic);
    assert!(cubic.voxels.iter().zip(&volume.voxels).all(|(a, b)| (a - b).abs() < 1e-4));
}

/// Straight lines keep what is straight, on any grid, away from the outermost half voxel, where they go on level.
#[test]
fn a_ramp_stays_a_ramp() {
    let geometry = Geometry::axial([20, 15, 10], [1.0, 1.2, 3.0]);
    let ramp = |point: [f64; 3]| (2.0 * point[0] - 3.0 * point[1] + 0.5 * point[2] + 7.0) as f32;
    let value =
        |offset: usize| ramp(geometry.point([offset % 20, offset / 20 % 15, offset / 300].map(|index| index as f64)));
    let volume = Volume::new((0..3000).map(value).collect(), geometry.clone()).unwrap();
    let grid = target_grid(&geometry, [0.7, 2.0, 1.9]);
    let found = resample(&volume, &grid, Interpolation::Linear);
    let mut compared = 0;
    for k in 0..grid.size[2] {
        for j in 0..grid.size[1] {
            for i in 0..grid.size[0] {
                let point = grid.point([i as f64, j as f64, k as f64]);
                let at = geometry.voxel(point);
                if (0..3).all(|axis| (0.0..=geometry.size[axis] as f64 - 1.0).contains(&at[axis])) {
                    // values up to 100 in f32, mixed along three indices
                    assert!((found.at(i, j, k) - ramp(point)).abs() < 1e-4);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 2000, "{compared}");
}

#[test]
fn a_new_grid_covers_the_same_box() {
    let golden = golden();
    let geometry = Geometry::new(golden.size, golden.spacing, golden.origin, golden.direction).unwrap();
    // lengths 6.3, 6.6 and 12.5 mm
    let grid = target_grid(&geometry, [0.45, 2.0, 2.5]);
    assert_eq!(grid.size, [14, 3, 5]);
    let middle = |grid: &Geometry| grid.point(grid.size.map(|size| (size as f64 - 1.0) / 2.0));
    let (was, is) = (middle(&geometry), middle(&grid));
    assert!(was.iter().zip(is).all(|(was, is)| (was - is).abs() < 1e-9));
    // the edge of the first voxel is where it was, where the length is a whole number of voxels
    let (was, is) = (geometry.point([-0.5, 0.0, 0.0]), grid.point([-0.5, 1.0, 0.0]));
    let apart = crate::geometry::norm([0, 1, 2].map(|axis| was[axis] - is[axis]));
    // row 1 of 3 is the middle one, 2.5 rows of 1.1 mm from row 0
    assert!((apart - 2.75).abs() < 1e-9, "{apart}");
    assert_eq!(target_grid(&Geometry::axial([3, 1, 1], [1.0; 3]), [50.0, 1.0, 1.0]).size, [1, 1, 1]);
}

#[test]
fn outside_is_the_darkest_value_and_background() {
    let geometry = Geometry::axial([2, 2, 1], [1.0; 3]);
    let volume = Volume::new(vec![-5.0, 1.0, 2.0, f32::NAN], geometry.clone()).unwrap();
    let mut far = geometry.clone();
    far.origin = [10.0, 0.0, 0.0];
    assert_eq!(resample(&volume, &far, Interpolation::Linear).voxels, [-5.0; 4]);
    let map = LabelMap::with_default_names(vec![1; 4], geometry).unwrap();
    assert_eq!(resample_labels(&map, &far).labels, [0; 4]);
}
