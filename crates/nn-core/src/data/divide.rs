//! Ways to divide rows: at random, by label, by group, by one or two axes.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::rng;
use super::split::{DataError, Fractions, Part, Split};

/// The rows of each group, groups by number, rows ascending.
fn by_group(groups: &[u64]) -> Vec<Vec<usize>> {
    let mut rows: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        rows.entry(group).or_default().push(row);
    }
    rows.into_values().collect()
}

/// [`by_group`], in random order.
fn shuffled_groups(groups: &[u64], seed: u64, stream: u64) -> Vec<Vec<usize>> {
    let mut rows = by_group(groups);
    rows.shuffle(&mut rng(seed, &[stream]));
    rows
}

/// An error if a part that was asked for got no row.
fn check_filled(split: Split, fractions: Fractions, groups: usize) -> Result<Split, DataError> {
    let asked = [true, fractions.validation > 0.0, fractions.test > 0.0];
    for (part, asked) in Part::ALL.into_iter().zip(asked) {
        if asked && split.part(part).is_empty() {
            return Err(DataError::EmptyPart { part, groups });
        }
    }
    Ok(split)
}

/// A random split of `n` rows; the sizes are exact to the nearest row.
///
/// # Errors
/// [`DataError`] when `fractions` cannot be had from so many rows.
pub fn random(n: usize, fractions: Fractions, seed: u64) -> Result<Split, DataError> {
    grouped(&(0..n as u64).collect::<Vec<_>>(), fractions, seed)
}

/// A random split that keeps the rows of a group together. `groups` has one entry for each row; `fractions` are shares of
/// the rows, met as closely as whole groups drawn in random order allow.
///
/// # Errors
/// [`DataError::TooFewGroups`] or [`DataError::EmptyPart`] when a part that was asked for would stay empty.
pub fn grouped(groups: &[u64], fractions: Fractions, seed: u64) -> Result<Split, DataError> {
    fractions.check()?;
    let members = shuffled_groups(groups, seed, 0);
    let count = members.len();
    if count == 0 {
        return Err(DataError::Empty);
    }
    if count < fractions.parts() {
        return Err(DataError::TooFewGroups { groups: count, parts: fractions.parts() });
    }
    let n = groups.len() as f64;
    let wanted = [fractions.test, fractions.validation].map(|share| (n * share).round());
    let mut filled = [Vec::new(), Vec::new()];
    let mut train = Vec::new();
    for rows in members {
        // A group enters a part only if that brings the part's size nearer to what is wanted.
        let place = (0..2_usize).find(|&part| {
            let size = filled[part].len() as f64;
            (size + rows.len() as f64 - wanted[part]).abs() < (wanted[part] - size).abs()
        });
        match place {
            Some(part) => filled[part].extend(rows),
            None => train.extend(rows),
        }
    }
    let [test, validation] = filled;
    check_filled(Split::new(train, validation, test), fractions, count)
}

/// A random split in which each label has nearly the same share of every part: the count of a label in a part is within
/// one of its share.
///
/// # Errors
/// [`DataError`] when a part that was asked for would stay empty.
pub fn stratified(labels: &[u64], fractions: Fractions, seed: u64) -> Result<Split, DataError> {
    fractions.check()?;
    if labels.is_empty() {
        return Err(DataError::Empty);
    }
    let mut split = Split::default();
    let mut before = 0_usize;
    for (label, mut rows) in by_group(labels).into_iter().enumerate() {
        rows.shuffle(&mut rng(seed, &[label as u64]));
        let after = before + rows.len();
        // Rounding the running total, not each label, keeps the sizes of the parts exact.
        let share = |fraction: f64| {
            let total = |rows: usize| (rows as f64 * fraction).round() as usize;
            total(after) - total(before)
        };
        let test = share(fractions.test).min(rows.len());
        let validation = share(fractions.validation).min(rows.len() - test);
        split.test.extend_from_slice(&rows[..test]);
        split.validation.extend_from_slice(&rows[test..test + validation]);
        split.train.extend_from_slice(&rows[test + validation..]);
        before = after;
    }
    check_filled(Split::new(split.train, split.validation, split.test), fractions, labels.len())
}

/// Deals whole groups to `k` folds of nearly equal numbers of rows: the largest groups first, each to the fold that is
/// smallest so far; among groups of one size the order is random. Rows of a fold ascend.
///
/// # Errors
/// [`DataError::TooFewGroups`] if there are fewer groups than folds, or `k` is below 2.
pub fn folds(groups: &[u64], k: usize, seed: u64) -> Result<Vec<Vec<usize>>, DataError> {
    let mut members = shuffled_groups(groups, seed, 0);
    if k < 2 || members.len() < k {
        return Err(DataError::TooFewGroups { groups: members.len(), parts: k.max(2) });
    }
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut folds = vec![Vec::new(); k];
    for rows in members {
        if let Some(smallest) = folds.iter_mut().min_by_key(|fold| fold.len()) {
            smallest.extend(rows);
        }
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    Ok(folds)
}

/// As [`folds`] without groups: each label is dealt evenly, so that its counts in two folds differ by one at most.
///
/// # Errors
/// [`DataError::TooFewGroups`] if there are fewer rows than folds, or `k` is below 2.
pub fn stratified_folds(labels: &[u64], k: usize, seed: u64) -> Result<Vec<Vec<usize>>, DataError> {
    if k < 2 || labels.len() < k {
        return Err(DataError::TooFewGroups { groups: labels.len(), parts: k.max(2) });
    }
    let mut folds = vec![Vec::new(); k];
    let mut next = 0;
    for (label, mut rows) in by_group(labels).into_iter().enumerate() {
        rows.shuffle(&mut rng(seed, &[label as u64]));
        for row in rows {
            folds[next % k].push(row);
            next += 1;
        }
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    Ok(folds)
}

/// Cross-validation: `k` splits, each with another of the [`folds`] as its test part and the others as its training part.
/// Rows that stand alone have a group each: `(0..n).collect()`.
///
/// # Errors
/// Those of [`folds`].
pub fn k_fold(groups: &[u64], k: usize, seed: u64) -> Result<Vec<Split>, DataError> {
    let folds = folds(groups, k, seed)?;
    Ok((0..k)
        .map(|test| {
            let train = folds.iter().enumerate().filter(|(fold, _)| *fold != test).flat_map(|(_, rows)| rows.clone());
            Split::new(train.collect(), Vec::new(), folds[test].clone())
        })
        .collect())
}

/// Holds out whole entities of one axis: `fraction` of the distinct values of `axis` (rounded, at least one, at most all
/// but one) are drawn, and the test part is the rows that have them. The fraction counts entities, not rows.
///
/// # Errors
/// [`DataError::Fraction`] unless `fraction` is between 0 and 1; [`DataError::TooFewGroups`] below two entities.
pub fn cold_axis(axis: &[u64], fraction: f64, seed: u64) -> Result<Split, DataError> {
    let held_out = held_out(axis, fraction, seed, 0)?;
    let (test, train) = (0..axis.len()).partition(|&row| held_out[row]);
    Ok(Split { train, validation: Vec::new(), test })
}

/// Holds out entities of two axes at once, `fraction` of each. The test part has the rows of which both entities are held
/// out, the training part those of which neither is; the rows that mix the two belong to no part and come second.
///
/// # Errors
/// Those of [`cold_axis`]; [`DataError::Length`]; [`DataError::EmptyPart`] if no row pairs two held-out or two other
/// entities.
pub fn cold_both(a: &[u64], b: &[u64], fraction: f64, seed: u64) -> Result<(Split, Vec<usize>), DataError> {
    if a.len() != b.len() {
        return Err(DataError::Length { left: a.len(), right: b.len() });
    }
    // The axes draw from streams of their own: with one stream, two axes of equal size would hold out the same numbers.
    let in_a = held_out(a, fraction, seed, 0)?;
    let in_b = held_out(b, fraction, seed, 1)?;
    let (mut split, mut unused) = (Split::default(), Vec::new());
    for row in 0..a.len() {
        match (in_a[row], in_b[row]) {
            (true, true) => split.test.push(row),
            (false, false) => split.train.push(row),
            _ => unused.push(row),
        }
    }
    for part in [Part::Train, Part::Test] {
        if split.part(part).is_empty() {
            return Err(DataError::EmptyPart { part, groups: by_group(a).len() });
        }
    }
    Ok((split, unused))
}

/// For each row, whether its entity is drawn.
fn held_out(axis: &[u64], fraction: f64, seed: u64, stream: u64) -> Result<Vec<bool>, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::Fraction { name: "held-out share", value: fraction, allowed: "between 0 and 1" });
    }
    let members = shuffled_groups(axis, seed, stream);
    if members.len() < 2 {
        return Err(DataError::TooFewGroups { groups: members.len(), parts: 2 });
    }
    let drawn = ((members.len() as f64 * fraction).round() as usize).clamp(1, members.len() - 1);
    let mut held_out = vec![false; axis.len()];
    for &row in members[..drawn].iter().flatten() {
        held_out[row] = true;
    }
    Ok(held_out)
}

#[cfg(test)]
mod tests;
