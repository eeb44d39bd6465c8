//! Distances against scipy and by trying every pair.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    size: [usize; 3],
    spacing: [f64; 3],
    mask: Vec<u8>,
    distance: Vec<f64>,
}

/// tests/golden/distance.py. Both are exact but for a handful of roundings of f64.
#[test]
fn distances_are_those_of_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/distance.json")).unwrap();
    for case in golden.cases {
        let mask: Vec<bool> = case.mask.iter().map(|&value| value == 1).collect();
        let squared = squared_distance(&mask, case.size, case.spacing);
        for (found, expected) in squared.iter().zip(&case.distance) {
            assert!((found.sqrt() - expected).abs() <= 1e-12 * expected.max(1.0), "{} {expected}", found.sqrt());
        }
    }
}

#[test]
fn nothing_is_infinitely_far_from_nothing() {
    assert!(squared_distance(&[false; 24], [4, 3, 2], [1.0; 3]).iter().all(|&value| value == f64::INFINITY));
    assert!(squared_distance(&[], [0, 3, 2], [1.0; 3]).is_empty());
    assert_eq!(squared_distance(&[false, true, false, false], [4, 1, 1], [0.5, 1.0, 1.0]), [0.25, 0.0, 0.25, 1.0]);
}

/// The definition itself: the least over all voxels of the mask.
fn by_definition(mask: &[bool], size: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    let place = |offset: usize| [offset % size[0], offset / size[0] % size[1], offset / size[0] / size[1]];
    (0..mask.len())
        .map(|here| {
            let inside = (0..mask.len()).filter(|&there| mask[there]);
            let apart = inside.map(|there| {
                let (here, there) = (place(here), place(there));
                (0..3).map(|axis| (here[axis].abs_diff(there[axis]) as f64 * spacing[axis]).powi(2)).sum::<f64>()
            });
            apart.fold(f64::INFINITY, f64::min)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn distances_are_those_of_the_definition(
        size in (1_usize..24, 1_usize..7, 1_usize..6),
        spacing in (0.2_f64..4.0, 0.2_f64..4.0, 0.2_f64..4.0),
        bits in proptest::collection::vec(0_u8..12, 24 * 7 * 6),
    ) {
        let size = [size.0, size.1, size.2];
        let spacing = [spacing.0, spacing.1, spacing.2];
        let mask: Vec<bool> = bits[..size.iter().product::<usize>()].iter().map(|&value| value == 0).collect();
        let expected = by_definition(&mask, size, spacing);
        for (found, expected) in squared_distance(&mask, size, spacing).into_iter().zip(expected) {
            // equal where infinite; else a few roundings
            prop_assert!(found == expected || (found - expected).abs() <= 1e-12 * expected.max(1.0));
        }
    }
}
