//! Grids in the patient against nibabel.

use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    size: [usize; 3],
    spacing: [f64; 3],
    affine_ras: [[f64; 4]; 4],
    code: String,
    voxel: [f64; 3],
    point_ras: [f64; 3],
}

fn oblique() -> Geometry {
    let (sine, cosine) = 0.3_f64.sin_cos();
    let direction = [[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]];
    Geometry::new([4, 5, 6], [0.5, 0.7, 3.0], [-100.0, 20.0, 30.0], direction).unwrap()
}

fn near(a: [f64; 3], b: [f64; 3], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

/// tests/golden/geometry.py. Coordinates are some hundred mm of f64, so that a few roundings stay below 1e-9.
#[test]
fn affines_and_orientations_are_those_of_nibabel() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/geometry.json")).unwrap();
    assert_eq!(golden.cases.len(), 24);
    for case in golden.cases {
        let geometry = Geometry::from_affine_ras(case.size, &case.affine_ras).unwrap();
        assert_eq!(geometry.orientation(), case.code);
        assert!(near(geometry.spacing, case.spacing, 1e-12), "{:?} {:?}", geometry.spacing, case.spacing);
        let [x, y, z] = geometry.point(case.voxel);
        assert!(near([-x, -y, z], case.point_ras, 1e-9), "{:?}", case.point_ras);
        assert!(near(geometry.voxel([x, y, z]), case.voxel, 1e-9), "{:?}", case.voxel);
        for (row, expected) in geometry.affine_ras().iter().zip(case.affine_ras) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-12), "{row:?} {expected:?}");
        }
    }
}

#[test]
fn an_axial_grid_is_lps() {
    let geometry = Geometry::axial([3, 4, 5], [1.0, 2.0, 3.0]);
    assert_eq!(geometry.orientation(), "LPS");
    assert_eq!((geometry.len(), geometry.is_empty(), geometry.offset(2, 1, 3)), (60, false, 41));
    assert_eq!(geometry.point([2.0, 3.0, 4.0]), [2.0, 6.0, 12.0]);
    assert_eq!(geometry.affine_ras()[0], [-1.0, 0.0, 0.0, 0.0]);
    assert_eq!(geometry.voxel_volume(), 6.0);
    // 3, 8 and 15 mm along the edges
    assert_eq!(geometry.diagonal(), 298.0_f64.sqrt());
}

/// Directions that are rounded to three digits, as files have them, are not quite at right angles.
#[test]
fn places_come_back_on_a_grid_that_is_a_little_skewed() {
    let direction = [[0.955, 0.296, 0.0], [-0.2955, 0.955, 0.0005], [0.0, 0.0, 1.0]];
    let geometry = Geometry::new([512, 512, 100], [0.5, 0.5, 2.0], [-120.0, -130.0, 40.0], direction).unwrap();
    let voxel = [511.0, 300.25, 77.0];
    assert!(near(geometry.voxel(geometry.point(voxel)), voxel, 1e-9));
}

#[test]
fn grids_are_compared_at_their_corners() {
    let geometry = oblique();
    let mut other = geometry.clone();
    other.spacing[2] += 0.01;
    // five steps of 0.01 mm
    assert!(geometry.same_grid(&other, 0.0501));
    assert!(!geometry.same_grid(&other, 0.0499));
    other = geometry.clone();
    other.size[0] = 3;
    assert!(!geometry.same_grid(&other, 1e9));
}

#[test]
fn numbers_that_make_no_grid_are_refused() {
    let Geometry { size, spacing, origin, direction } = oblique();
    let error = |size, spacing, origin, direction| Geometry::new(size, spacing, origin, direction).unwrap_err();
    assert_eq!(error([0, 5, 6], spacing, origin, direction), GeometryError::Size { size: [0, 5, 6] });
    let large = [usize::MAX / 2, 3, 1];
    assert_eq!(error(large, spacing, origin, direction), GeometryError::Size { size: large });
    assert_eq!(error(size, [0.5, 0.0, 3.0], origin, direction), GeometryError::Spacing { axis: 1, value: 0.0 });
    assert!(matches!(error(size, [f64::NAN, 1.0, 3.0], origin, direction), GeometryError::Spacing { axis: 0, .. }));
    assert!(matches!(
        error(size, spacing, [0.0, 0.0, f64::INFINITY], direction),
        GeometryError::Origin { axis: 2, .. }
    ));
    let long = [[1.01, 0.0, 0.0], direction[1], direction[2]];
    assert!(matches!(error(size, spacing, origin, long), GeometryError::Direction { axis: 0, .. }));
    let nan = [direction[0], [f64::NAN; 3], direction[2]];
    assert!(matches!(error(size, spacing, origin, nan), GeometryError::Direction { axis: 1, .. }));
    let tilt = 0.1_f64;
    let skewed = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, tilt.sin(), tilt.cos()]];
    let message = error(size, spacing, origin, skewed).to_string();
    // 90° − 0.1 rad
    assert!(message.starts_with("indices 1 and 2 run at 84.270°"), "{message}");
    let flat = [[0.0, 0.0, 0.0, 1.0]; 4];
    assert!(matches!(Geometry::from_affine_ras(size, &flat), Err(GeometryError::Spacing { axis: 0, .. })));
}
