//! Parts of whole groups with the same share of every class, and contiguous blocks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use nn_core::data::{DataError, Fractions, Part, Split, group_ids, grouped, k_fold, rng};
use rand::seq::SliceRandom;

/// For each row, the number of the group of rows that hang together: those that have the same number in one of the two
/// columns, and those that have one in common with them.
///
/// ```
/// use imaging::split::linked;
/// // Rows 0 and 2 are of subject 7, rows 2 and 3 are copies of one picture.
/// assert_eq!(linked(&[7, 8, 7, 9], &[0, 1, 2, 2]), [0, 1, 0, 0]);
/// ```
///
/// # Panics
/// If the columns differ in length.
pub fn linked(one: &[u64], other: &[u64]) -> Vec<u64> {
    assert_eq!(one.len(), other.len(), "two numbers for each row");
    // Disjoint sets with path halving (Tarjan 1975, Journal of the ACM 22:215); the smaller root stays.
    let mut parents: Vec<usize> = (0..one.len()).collect();
    for column in [one, other] {
        let mut first: HashMap<u64, usize> = HashMap::new();
        for (row, number) in column.iter().enumerate() {
            let (a, b) = (root(&mut parents, *first.entry(*number).or_insert(row)), root(&mut parents, row));
            parents[a.max(b)] = a.min(b);
        }
    }
    group_ids((0..one.len()).map(|row| root(&mut parents, row)).collect::<Vec<_>>())
}

fn root(parents: &mut [usize], mut member: usize) -> usize {
    while parents[member] != member {
        parents[member] = parents[parents[member]];
        member = parents[member];
    }
    member
}

/// Parts of whole groups in which each stratum has nearly the same share; without strata, [`grouped`].
///
/// The largest groups are dealt first, groups of one size in random order, each to the part that it brings nearest to its
/// share of every stratum. Rows that stand alone are so divided to within one row of each share.
///
/// # Errors
/// [`DataError`] when shares make no sense or a part that was asked for stays empty.
pub fn stratified_groups(groups: &[u64], strata: &[u64], fractions: Fractions, seed: u64) -> Result<Split, DataError> {
    if strata.is_empty() {
        return grouped(groups, fractions, seed);
    }
    let Fractions { validation, test } = fractions;
    let allowed = "0 up to, not including, 1";
    for (name, value) in [("validation", validation), ("test", test), ("validation + test", validation + test)] {
        if !(0.0..1.0).contains(&value) {
            return Err(DataError::Fraction { name, value, allowed });
        }
    }
    let shares = [1.0 - validation - test, validation, test];
    let mut dealt = deal(groups, strata, &shares, seed)?.into_iter();
    let mut next = || dealt.next().unwrap_or_default();
    let split = Split::new(next(), next(), next());
    let count = distinct(groups);
    match Part::ALL.into_iter().zip(shares).find(|(part, share)| *share > 0.0 && split.part(*part).is_empty()) {
        Some((part, _)) => Err(DataError::EmptyPart { part, groups: count }),
        None => Ok(split),
    }
}

/// Cross-validation with whole groups and, if there are strata, the same share of each in every fold.
pub(super) fn group_folds(groups: &[u64], strata: &[u64], k: usize, seed: u64) -> Result<Vec<Split>, DataError> {
    if strata.is_empty() {
        return k_fold(groups, k, seed);
    }
    let few = DataError::TooFewGroups { groups: distinct(groups), parts: k.max(2) };
    if k < 2 || distinct(groups) < k {
        return Err(few);
    }
    let folds = deal(groups, strata, &vec![1.0 / k as f64; k], seed)?;
    if folds.iter().any(Vec::is_empty) {
        return Err(few);
    }
    let of = |test: usize| {
        let others = folds.iter().enumerate().filter(|(fold, _)| *fold != test).flat_map(|(_, rows)| rows.clone());
        Split::new(others.collect(), Vec::new(), folds[test].clone())
    };
    Ok((0..k).map(of).collect())
}

fn distinct(groups: &[u64]) -> usize {
    group_ids(groups).into_iter().max().map_or(0, |last| last as usize + 1)
}

/// Deals groups to parts that want these shares of each stratum.
fn deal(groups: &[u64], strata: &[u64], shares: &[f64], seed: u64) -> Result<Vec<Vec<usize>>, DataError> {
    if groups.len() != strata.len() {
        return Err(DataError::Length { left: groups.len(), right: strata.len() });
    }
    if groups.is_empty() {
        return Err(DataError::Empty);
    }
    let mut members: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    members.shuffle(&mut rng(seed, &[0]));
    members.sort_by_key(|rows| Reverse(rows.len()));

    let strata: Vec<usize> = group_ids(strata).into_iter().map(|stratum| stratum as usize).collect();
    let mut totals = vec![0.0_f64; strata.iter().max().map_or(0, |last| last + 1)];
    strata.iter().for_each(|&stratum| totals[stratum] += 1.0);
    let mut missing: Vec<Vec<f64>> =
        shares.iter().map(|share| totals.iter().map(|total| share * total).collect()).collect();
    let mut parts = vec![Vec::new(); shares.len()];
    for rows in members {
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        rows.iter().for_each(|&row| *counts.entry(strata[row]).or_default() += 1.0);
        // By how much the squared distance to what is wanted grows: (m − n)² − m², each stratum by its size.
        let growth = |part: usize| -> f64 {
            counts.iter().map(|(&stratum, n)| n * (n - 2.0 * missing[part][stratum]) / totals[stratum]).sum()
        };
        let wanted = (0..shares.len()).filter(|&part| shares[part] > 0.0);
        let part = wanted.min_by(|&a, &b| growth(a).total_cmp(&growth(b))).unwrap_or(0);
        counts.iter().for_each(|(&stratum, n)| missing[part][stratum] -= n);
        parts[part].extend(rows);
    }
    Ok(parts)
}

/// Three contiguous blocks of `n` rows in their order: training, validation, test. The last `gap` rows of a block that
/// another one follows are in no part.
///
/// # Errors
/// [`DataError`] when shares make no sense or a part that was asked for stays empty.
pub fn blocks(n: usize, fractions: Fractions, gap: usize) -> Result<Split, DataError> {
    let Fractions { validation, test } = fractions;
    let allowed = "0 up to, not including, 1";
    for (name, value) in [("validation", validation), ("test", test), ("validation + test", validation + test)] {
        if !(0.0..1.0).contains(&value) {
            return Err(DataError::Fraction { name, value, allowed });
        }
    }
    if n == 0 {
        return Err(DataError::Empty);
    }
    let rows = |share: f64| (n as f64 * share).round() as usize;
    let (tested, validated) = (rows(test), rows(validation));
    let first_test = n - tested;
    let first_validation = first_test.saturating_sub(validated);
    // No gap where no other block follows.
    let shortened = |end: usize, others: usize| if others > 0 { end.saturating_sub(gap) } else { end };
    let train: Range<usize> = 0..shortened(first_validation, n - first_validation);
    let middle = first_validation..shortened(first_test, tested).max(first_validation);
    let split = Split::new(train.collect(), middle.collect(), (first_test..n).collect());
    let asked = [true, validation > 0.0, test > 0.0];
    match Part::ALL.into_iter().zip(asked).find(|(part, asked)| *asked && split.part(*part).is_empty()) {
        Some((part, _)) => Err(DataError::EmptyPart { part, groups: n }),
        None => Ok(split),
    }
}

/// Cross-validation over `k` contiguous blocks of `n` rows, whose sizes differ by one row at most. The `gap` rows before
/// and after a block are in no part while it is tested.
///
/// # Errors
/// [`DataError::TooFewGroups`] if there are fewer rows than blocks, `k` is below 2, or the gaps leave nothing to learn
/// from.
pub fn block_folds(n: usize, k: usize, gap: usize) -> Result<Vec<Split>, DataError> {
    if k < 2 || n < k {
        return Err(DataError::TooFewGroups { groups: n, parts: k.max(2) });
    }
    let of = |fold: usize| {
        let test = n * fold / k..n * (fold + 1) / k;
        let near = test.start.saturating_sub(gap)..test.end.saturating_add(gap);
        Split::new((0..n).filter(|row| !near.contains(row)).collect(), Vec::new(), test.collect())
    };
    let folds: Vec<Split> = (0..k).map(of).collect();
    if folds.iter().any(|split| split.train.is_empty()) {
        return Err(DataError::TooFewGroups { groups: n.saturating_sub(2 * gap), parts: k });
    }
    Ok(folds)
}
