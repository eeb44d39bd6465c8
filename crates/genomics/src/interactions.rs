//! Pairs of an enhancer and a promoter, and whether they interact.

use crate::locus::Locus;
use crate::split::linked;

/// An enhancer with a promoter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Place in [`InteractionTable::enhancers`].
    pub enhancer: u32,
    /// Place in [`InteractionTable::promoters`].
    pub promoter: u32,
    /// Whether the two interact.
    pub interacts: bool,
}

/// Pairs that make no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InteractionError {
    /// There are no pairs.
    #[error("there are no pairs; give at least one")]
    Empty,
    /// A pair with an element that is not there.
    #[error("pair {pair} names {what} {place}, there are {count}")]
    Missing {
        /// The pair, from 1.
        pair: usize,
        /// `enhancer` or `promoter`.
        what: &'static str,
        /// The place it names, from 0.
        place: u32,
        /// How many there are.
        count: usize,
    },
}

/// Enhancers, promoters and pairs of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InteractionTable {
    /// Each enhancer once.
    pub enhancers: Vec<Locus>,
    /// Each promoter once.
    pub promoters: Vec<Locus>,
    /// The pairs; a row anywhere in this crate points here.
    pub pairs: Vec<Pair>,
}

impl InteractionTable {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// # Errors
    /// [`InteractionError`] with the first pair whose elements are not there.
    pub fn check(&self) -> Result<(), InteractionError> {
        if self.is_empty() {
            return Err(InteractionError::Empty);
        }
        for (pair, found) in self.pairs.iter().enumerate() {
            for (what, place, count) in
                [("enhancer", found.enhancer, self.enhancers.len()), ("promoter", found.promoter, self.promoters.len())]
            {
                if place as usize >= count {
                    return Err(InteractionError::Missing { pair: pair + 1, what, place, count });
                }
            }
        }
        Ok(())
    }

    /// Enhancer and promoter of each pair, for [`split::pairs`](crate::split::pairs()).
    pub fn sides(&self) -> [Vec<u64>; 2] {
        let side = |of: fn(&Pair) -> u32| self.pairs.iter().map(|pair| u64::from(of(pair))).collect();
        [side(|pair| pair.enhancer), side(|pair| pair.promoter)]
    }

    /// A number for each pair, the same for any two that are linked by shared enhancers or promoters, over however many
    /// other pairs. Parts that hold whole groups have no element in common: a random split of pairs lets a model
    /// recognise elements that it has seen.
    pub fn groups(&self) -> Vec<u64> {
        let [enhancers, promoters] = self.sides();
        linked(&enhancers, &promoters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(u32, u32)], sizes: [usize; 2]) -> InteractionTable {
        let loci =
            |count: usize| (0..count as i64).map(|at| Locus::new("chr1", 10 * at, 10 * at + 5).unwrap()).collect();
        let pair = |&(enhancer, promoter): &(u32, u32)| Pair { enhancer, promoter, interacts: true };
        InteractionTable {
            enhancers: loci(sizes[0]),
            promoters: loci(sizes[1]),
            pairs: pairs.iter().map(pair).collect(),
        }
    }

    #[test]
    fn groups_are_linked_by_shared_elements() {
        // 0-0 and 1-1 share nothing until 1-0 links them; 2-2 and 2-3 share an enhancer.
        assert_eq!(table(&[(0, 0), (1, 1), (2, 2), (2, 3)], [3, 4]).groups(), [0, 1, 2, 2]);
        assert_eq!(table(&[(0, 0), (1, 1), (1, 0), (2, 2), (2, 3)], [3, 4]).groups(), [0, 0, 0, 1, 1]);
        // a chain, walked from its far end
        let chain: Vec<(u32, u32)> = (0..50).rev().flat_map(|at| [(at + 1, at), (at, at)]).collect();
        assert!(table(&chain, [51, 50]).groups().iter().all(|&group| group == 0));
    }

    #[test]
    fn pairs_point_to_elements_that_are_there() {
        assert_eq!(table(&[(0, 0)], [1, 1]).check(), Ok(()));
        assert_eq!(table(&[], [1, 1]).check(), Err(InteractionError::Empty));
        let error = table(&[(0, 0), (0, 4)], [1, 3]).check().unwrap_err().to_string();
        assert_eq!(error, "pair 2 names promoter 4, there are 3");
    }
}
