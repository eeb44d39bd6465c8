//! Rows that hang together, and pairs that may share neither side.

use std::collections::HashMap;

use nn_core::data::{DataError, Fractions, Split, cold_both, group_ids};

/// Disjoint sets of numbers, joined step by step (Tarjan 1975, Journal of the ACM 22:215, with path halving).
#[derive(Debug)]
pub(super) struct Sets {
    parents: Vec<usize>,
}

impl Sets {
    /// The numbers below `n`, each alone.
    pub(super) fn new(n: usize) -> Self {
        Self { parents: (0..n).collect() }
    }

    /// The number that stands for the set of `member`.
    pub(super) fn root(&mut self, mut member: usize) -> usize {
        while self.parents[member] != member {
            self.parents[member] = self.parents[self.parents[member]];
            member = self.parents[member];
        }
        member
    }

    /// Makes one set of two. The smaller root stays, so that the result does not depend on the order of the calls.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other)] = one.min(other);
    }

    /// For each member, the number of its set, in order of appearance.
    pub(super) fn numbers(mut self) -> Vec<u64> {
        group_ids((0..self.parents.len()).map(|member| self.root(member)))
    }
}

/// For each pair of entities, the number of the group of pairs that hang together by their left or right sides. Parts
/// made of such groups have neither side in common, and no pair is lost; but few entities that occur in many pairs can
/// tie most of the pairs together, and then [`pairs()`] is left.
///
/// # Panics
/// If there are not as many left as right sides.
pub fn linked(left: &[u64], right: &[u64]) -> Vec<u64> {
    assert_eq!(left.len(), right.len(), "each pair has two sides");
    let mut sets = Sets::new(left.len());
    for side in [left, right] {
        let mut first: HashMap<u64, usize> = HashMap::new();
        for (row, entity) in side.iter().enumerate() {
            sets.join(*first.entry(*entity).or_insert(row), row);
        }
    }
    sets.numbers()
}

/// Divides pairs so that no two parts have a left or a right side in common. The fractions are shares of the left and
/// of the right entities; pairs whose sides belong to different parts are in none, and come second.
///
/// # Errors
/// [`DataError`] where a part stays empty.
pub fn pairs(left: &[u64], right: &[u64], fractions: Fractions, seed: u64) -> Result<(Split, Vec<usize>), DataError> {
    let all: Vec<usize> = (0..left.len()).collect();
    let (train, test, mut unused) = held_out(left, right, &all, fractions.test, seed)?;
    let (train, validation, mixed) = held_out(left, right, &train, fractions.validation, seed.wrapping_add(1))?;
    unused.extend(mixed);
    unused.sort_unstable();
    Ok((Split::new(train, validation, test), unused))
}

/// Of `rows`: those that stay, those held out, and those that mix the two.
type Held = (Vec<usize>, Vec<usize>, Vec<usize>);

fn held_out(left: &[u64], right: &[u64], rows: &[usize], fraction: f64, seed: u64) -> Result<Held, DataError> {
    if left.len() != right.len() {
        return Err(DataError::Length { left: left.len(), right: right.len() });
    }
    if fraction == 0.0 {
        return Ok((rows.to_vec(), Vec::new(), Vec::new()));
    }
    let side = |entities: &[u64]| rows.iter().map(|&row| entities[row]).collect::<Vec<u64>>();
    let (split, unused) = cold_both(&side(left), &side(right), fraction, seed)?;
    let named = |places: &[usize]| places.iter().map(|&place| rows[place]).collect::<Vec<usize>>();
    Ok((named(&split.train), named(&split.test), named(&unused)))
}
