//! Places of patches, against what can be counted.

use std::collections::HashMap;

use crate::geometry::Geometry;

use super::*;

/// 6 x 5 x 4 with one voxel of label 1 and a plane of label 2.
fn map() -> LabelMap {
    let geometry = Geometry::axial([6, 5, 4], [1.0; 3]);
    let mut labels = vec![0; 120];
    labels[geometry.offset(4, 3, 2)] = 1;
    for j in 0..5 {
        for i in 0..6 {
            labels[geometry.offset(i, j, 0)] = 2;
        }
    }
    LabelMap::with_default_names(labels, geometry).unwrap()
}

#[test]
fn filling_is_that_of_numpy() {
    // numpy.pad(range(4), 7, mode) for "reflect" and "edge"
    let reflected: Vec<usize> = (-7..11).map(|at| Fill::Reflect.index(at, 4).unwrap()).collect();
    assert_eq!(reflected, [1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2]);
    let border: Vec<usize> = (-2..6).map(|at| Fill::Border.index(at, 4).unwrap()).collect();
    assert_eq!(border, [0, 0, 0, 1, 2, 3, 3, 3]);
    assert_eq!(Fill::Zero.index(-1, 4), None);
    assert_eq!(Fill::Zero.index(4, 4), None);
    assert_eq!(Fill::Zero.index(3, 4), Some(3));
    assert_eq!(Fill::Reflect.index(-9, 1), Some(0));
}

#[test]
fn labels_are_drawn_equally_often_and_patches_hold_them() {
    let foreground = Foreground::of(&map());
    assert_eq!(foreground.labels(), [1, 2]);
    let config = SamplingConfig { patch: [3, 3, 1], ..SamplingConfig::default() };
    let mut slices: HashMap<i64, usize> = HashMap::new();
    let mut random = rng(1, &[]);
    let draws = 4_000;
    for _ in 0..draws {
        let start = config.place([6, 5, 4], Some(&foreground), true, &mut random);
        assert!((0..=3).contains(&start[0]) && (0..=2).contains(&start[1]), "{start:?}");
        *slices.entry(start[2]).or_default() += 1;
        if start[2] == 2 {
            // Around voxel (4, 3): 4 − 1 = 3 and 3 − 1 = 2.
            assert_eq!(start, [3, 2, 2]);
        }
    }
    // Half of the draws are label 1, which is 1 voxel of slice 2, although label 2 has 30. Standard deviation 32.
    assert_eq!(slices.keys().filter(|&&k| k != 0 && k != 2).count(), 0);
    assert!((slices[&2] as f64 - f64::from(draws) / 2.0).abs() < 130.0, "{slices:?}");
}

#[test]
fn places_are_uniform_and_a_small_case_lies_in_the_middle() {
    let config = SamplingConfig { patch: [3, 8, 4], ..SamplingConfig::default() };
    let mut random = rng(2, &[]);
    let mut counts = [0_usize; 4];
    for _ in 0..4_000 {
        let [i, j, k] = config.place([6, 5, 4], None, true, &mut random);
        counts[i as usize] += 1;
        // Three voxels are missing: one or two of them before the case.
        assert!(j == -2 || j == -1, "{j}");
        assert_eq!(k, 0);
    }
    // Expected 1,000 each, standard deviation 27.
    assert!(counts.iter().all(|&count| count.abs_diff(1_000) < 110), "{counts:?}");
}

#[test]
fn many_voxels_of_a_label_are_thinned_evenly() {
    let geometry = Geometry::axial([100, 100, 5], [1.0; 3]);
    let map = LabelMap::with_default_names(vec![1; 50_000], geometry).unwrap();
    let foreground = Foreground::of(&map);
    let places = &foreground.labels[0].1;
    assert_eq!(places.len(), 10_000);
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] == 5));
}

#[test]
fn the_last_patches_of_a_batch_are_forced() {
    let config = SamplingConfig { foreground: 0.33, ..SamplingConfig::default() };
    let forced = |batch| (0..batch).filter(|&position| config.forced(position, batch)).count();
    // nnU-Net 2.8.1: not sample_idx < round(batch_size · (1 − 0.33))
    assert_eq!([1, 2, 3, 9, 12].map(forced), [0, 1, 1, 3, 4]);
    assert!(!config.forced(0, 2) && config.forced(1, 2));
}

#[test]
fn every_case_comes_equally_often_and_epochs_are_functions_of_the_seed() {
    let order = PatchOrder::new(vec![1, 3, 4], 6, 10, 4);
    let batches = order.batches(7, 2);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    let rows: Vec<usize> = batches.iter().flatten().copied().collect();
    let mut counts = [0; 6];
    rows.iter().for_each(|&row| counts[order.case(row)] += 1);
    assert_eq!((counts[0], counts[2], counts[5]), (0, 0, 0));
    assert!([1, 3, 4].iter().all(|&case| (3..=4).contains(&counts[case])), "{counts:?}");
    // No two rows are the same: a case that comes again has another turn.
    let mut distinct = rows.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);
    assert_eq!(batches, order.batches(7, 2));
    assert_ne!(batches, order.batches(7, 3));
    assert_ne!(batches, order.batches(8, 2));
    assert!(PatchOrder::new(vec![], 6, 10, 4).batches(7, 0).is_empty());
}

#[test]
fn configurations_that_cannot_be_are_refused_by_field() {
    let config = SamplingConfig::default();
    assert!(config.validate().is_ok());
    let error = SamplingConfig { patch: [64, 0, 64], ..config.clone() }.validate().unwrap_err();
    assert!(error.to_string().starts_with("sampling.patch = 0 is out of range"), "{error}");
    let error = SamplingConfig { context: 1, ..config.clone() }.validate().unwrap_err();
    assert!(error.to_string().contains("set its last number to 1"), "{error}");
    let slices = SamplingConfig { context: 1, patch: [64, 64, 1], ..config };
    assert!(slices.validate().is_ok());
    assert_eq!((slices.inputs(2), slices.reach()), (6, [64, 64, 3]));
    assert!(toml::from_str::<SamplingConfig>("patsh = [1, 1, 1]").is_err());
}
