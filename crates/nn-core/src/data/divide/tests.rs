//! Divisions: disjoint, complete, pure in their groups, and a function of the seed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn all_rows(split: &Split, unused: &[usize]) -> Vec<usize> {
    let mut rows = [&split.train[..], &split.validation, &split.test, unused].concat();
    rows.sort_unstable();
    rows
}

fn values(groups: &[u64], rows: &[usize]) -> BTreeSet<u64> {
    rows.iter().map(|&row| groups[row]).collect()
}

#[test]
fn sizes_of_a_random_split_are_exact() {
    let split = random(1000, Fractions { validation: 0.125, test: 0.2 }, 3).unwrap();
    assert_eq!([split.train.len(), split.validation.len(), split.test.len()], [675, 125, 200]);
    let none = random(10, Fractions { validation: 0.0, test: 0.0 }, 3).unwrap();
    assert_eq!(none.train, (0..10).collect::<Vec<_>>());
}

#[test]
fn each_row_is_tested_with_the_probability_asked_for() {
    // 400 seeds, p = 0.25: binomial standard deviation 0.0217, and the largest of 40 rows stays below 4 of them.
    let mut counts = [0_u32; 40];
    for seed in 0..400 {
        for row in random(40, Fractions { validation: 0.25, test: 0.25 }, seed).unwrap().test {
            counts[row] += 1;
        }
    }
    for count in counts {
        assert!((f64::from(count) / 400.0 - 0.25).abs() < 4.0 * 0.0217, "{count}");
    }
}

#[test]
fn what_cannot_be_divided_is_refused() {
    let half = Fractions { validation: 0.0, test: 0.5 };
    assert!(matches!(random(0, half, 1), Err(DataError::Empty)));
    assert!(matches!(grouped(&[4; 9], half, 1), Err(DataError::TooFewGroups { groups: 1, parts: 2 })));
    for (validation, test) in [(-0.1, 0.5), (0.5, 0.5), (0.0, 1.0), (f64::NAN, 0.1)] {
        let error = random(9, Fractions { validation, test }, 1).unwrap_err();
        assert!(matches!(error, DataError::Fraction { .. }), "{error}");
    }
    // Both groups are nine rows: neither brings a part of one row nearer to its size.
    let groups: Vec<u64> = (0..18).map(|row| row / 9).collect();
    let error = grouped(&groups, Fractions { validation: 0.0, test: 0.05 }, 1).unwrap_err();
    assert!(error.to_string().starts_with("the test part stays empty"), "{error}");
    assert!(matches!(folds(&[1, 1, 2], 3, 0), Err(DataError::TooFewGroups { groups: 2, parts: 3 })));
    assert!(matches!(cold_axis(&[1, 1], 0.5, 0), Err(DataError::TooFewGroups { .. })));
    assert!(matches!(cold_axis(&[1, 2], 1.0, 0), Err(DataError::Fraction { .. })));
    assert!(matches!(cold_both(&[1, 2], &[1], 0.5, 0), Err(DataError::Length { left: 2, right: 1 })));
    // A diagonal table: what is held out of both axes meets nowhere, or everywhere.
    let diagonal: Vec<u64> = (0..4).collect();
    let outcomes: Vec<bool> = (0..40).map(|seed| cold_both(&diagonal, &diagonal, 0.25, seed).is_ok()).collect();
    assert!(outcomes.contains(&true) && outcomes.contains(&false));
}

#[test]
fn folds_of_single_rows_differ_by_one_at_most() {
    let folds = folds(&(0..23).collect::<Vec<_>>(), 5, 9).unwrap();
    let mut sizes: Vec<usize> = folds.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [4, 4, 5, 5, 5]);
}

#[test]
fn the_axes_are_drawn_independently() {
    // A full 20 x 20 table: with independent draws, the numbers held out differ between the axes for most seeds.
    let (a, b): (Vec<u64>, Vec<u64>) = (0..400).map(|row| (row / 20, row % 20)).unzip();
    let same = (0..50)
        .filter(|&seed| {
            let (split, _) = cold_both(&a, &b, 0.2, seed).unwrap();
            assert_eq!(split.test.len(), 16);
            assert_eq!(split.train.len(), 256);
            values(&a, &split.test) == values(&b, &split.test)
        })
        .count();
    assert!(same <= 1, "{same} of 50");
}

proptest! {
    #[test]
    fn grouped_splits_are_disjoint_complete_pure_and_functions_of_the_seed(
        groups in vec(0_u64..40, 60..200),
        test in 0.1_f64..0.4,
        validation in 0.1_f64..0.4,
        seed in any::<u64>(),
    ) {
        let fractions = Fractions { validation, test };
        let split = grouped(&groups, fractions, seed).unwrap();
        split.check(groups.len()).unwrap();
        prop_assert_eq!(all_rows(&split, &[]), (0..groups.len()).collect::<Vec<_>>());
        let [a, b, c] = Part::ALL.map(|part| values(&groups, split.part(part)));
        prop_assert!(a.is_disjoint(&b) && a.is_disjoint(&c) && b.is_disjoint(&c));
        prop_assert_eq!(&split, &grouped(&groups, fractions, seed).unwrap());
        // Off by less than the largest group.
        let largest = by_group(&groups).iter().map(Vec::len).max().unwrap() as f64;
        prop_assert!((split.test.len() as f64 - groups.len() as f64 * test).abs() <= largest);
    }

    #[test]
    fn the_seed_decides(n in 50_usize..200, seed in any::<u64>()) {
        let fractions = Fractions { validation: 0.2, test: 0.2 };
        let other = random(n, fractions, seed.wrapping_add(1)).unwrap();
        prop_assert_ne!(random(n, fractions, seed).unwrap(), other);
    }

    #[test]
    fn strata_keep_their_shares(
        labels in vec(0_u64..4, 40..200),
        test in 0.1_f64..0.4,
        validation in 0.1_f64..0.4,
        seed in any::<u64>(),
    ) {
        let split = stratified(&labels, Fractions { validation, test }, seed).unwrap();
        prop_assert_eq!(all_rows(&split, &[]), (0..labels.len()).collect::<Vec<_>>());
        let count = |rows: &[usize], label| rows.iter().filter(|&&row| labels[row] == label).count() as f64;
        for label in values(&labels, &(0..labels.len()).collect::<Vec<_>>()) {
            let n = labels.iter().filter(|&&found| found == label).count() as f64;
            prop_assert!((count(&split.test, label) - n * test).abs() <= 1.0 + 1e-9);
            prop_assert!((count(&split.validation, label) - n * validation).abs() <= 1.0 + 1e-9);
        }
    }

    #[test]
    fn folds_partition_and_keep_groups_whole(
        groups in vec(0_u64..60, 80..200),
        k in 2_usize..7,
        seed in any::<u64>(),
    ) {
        let splits = k_fold(&groups, k, seed).unwrap();
        prop_assert_eq!(splits.len(), k);
        let mut tested = Vec::new();
        for split in &splits {
            prop_assert_eq!(all_rows(split, &[]), (0..groups.len()).collect::<Vec<_>>());
            prop_assert!(values(&groups, &split.train).is_disjoint(&values(&groups, &split.test)));
            tested.extend_from_slice(&split.test);
        }
        tested.sort_unstable();
        prop_assert_eq!(tested, (0..groups.len()).collect::<Vec<_>>());
        let sizes: Vec<usize> = splits.iter().map(|split| split.test.len()).collect();
        let largest = by_group(&groups).iter().map(Vec::len).max().unwrap();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= largest);
    }

    #[test]
    fn stratified_folds_deal_each_label_evenly(
        labels in vec(0_u64..4, 20..120),
        k in 2_usize..6,
        seed in any::<u64>(),
    ) {
        let folds = stratified_folds(&labels, k, seed).unwrap();
        let mut counts: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for &label in &labels {
            counts.entry(label).or_insert_with(|| vec![0; k]);
        }
        for (fold, rows) in folds.iter().enumerate() {
            for &row in rows {
                counts.get_mut(&labels[row]).unwrap()[fold] += 1;
            }
        }
        for (_, counts) in counts {
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }
        let mut rows = folds.concat();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..labels.len()).collect::<Vec<_>>());
    }

    #[test]
    fn cold_axis_holds_out_whole_entities(
        axis in vec(0_u64..30, 60..200),
        fraction in 0.05_f64..0.6,
        seed in any::<u64>(),
    ) {
        let split = cold_axis(&axis, fraction, seed).unwrap();
        prop_assert_eq!(all_rows(&split, &[]), (0..axis.len()).collect::<Vec<_>>());
        let (train, test) = (values(&axis, &split.train), values(&axis, &split.test));
        prop_assert!(train.is_disjoint(&test));
        let entities = train.len() + test.len();
        prop_assert_eq!(test.len(), ((entities as f64 * fraction).round() as usize).clamp(1, entities - 1));
    }

    #[test]
    fn cold_both_never_mixes(
        pairs in vec((0_u64..12, 0_u64..12), 400..500),
        fraction in 0.25_f64..0.5,
        seed in any::<u64>(),
    ) {
        let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        let (split, unused) = cold_both(&a, &b, fraction, seed).unwrap();
        prop_assert_eq!(all_rows(&split, &unused), (0..a.len()).collect::<Vec<_>>());
        for axis in [&a, &b] {
            prop_assert!(values(axis, &split.train).is_disjoint(&values(axis, &split.test)));
        }
    }
}
