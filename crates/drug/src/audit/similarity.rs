//! How near the nearest training entity is.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Histogram, quantile};
use crate::table::AffinityTable;

/// Residues of a k-mer.
pub const KMER: usize = 5;

/// Similarities of a part's distinct entities to the nearest one in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Distinct entities of the part.
    pub entities: usize,
    /// Of these, the ones that training has too.
    pub seen: usize,
    /// Of these, the ones that cannot be compared because their SMILES cannot be read; they are in none of the numbers below.
    pub unreadable: usize,
    /// Minimum, lower quartile, median, upper quartile and maximum; absent if nothing could be compared.
    pub quartiles: Option<[f64; 5]>,
    /// From 0 to 1.
    pub histogram: Histogram,
}

/// For each distinct group among `part`, the largest similarity to an entity among `train`: 1 if training has the group.
/// `groups` is the group of each entity.
pub(super) fn nearest(
    part: &[usize],
    train: &[usize],
    groups: &[u64],
    readable: impl Fn(usize) -> bool + Sync,
    similarity: impl Fn(usize, usize) -> f64 + Sync,
) -> Similarity {
    // One entity stands for each group.
    let distinct = |entities: &[usize]| -> BTreeMap<u64, usize> {
        entities.iter().rev().map(|&entity| (groups[entity], entity)).collect()
    };
    let (part, train) = (distinct(part), distinct(train));
    let seen: BTreeSet<u64> = part.keys().filter(|group| train.contains_key(group)).copied().collect();
    let queries: Vec<(u64, usize)> = part.iter().map(|(&group, &entity)| (group, entity)).collect();
    let found: Vec<Option<f64>> = queries
        .into_par_iter()
        .map(|(group, entity)| {
            if seen.contains(&group) {
                return Some(1.0);
            }
            readable(entity).then(|| train.values().map(|&other| similarity(entity, other)).fold(0.0, f64::max))
        })
        .collect();
    let mut values: Vec<f64> = found.iter().flatten().copied().collect();
    values.sort_unstable_by(f64::total_cmp);
    Similarity {
        entities: found.len(),
        seen: seen.len(),
        unreadable: found.len() - values.len(),
        quartiles: (!values.is_empty()).then(|| [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share))),
        histogram: Histogram::new(&values, 0.0, 1.0),
    }
}

/// The distinct k-mers of every target, ascending.
pub(super) fn kmer_sets(table: &AffinityTable) -> Vec<Vec<u64>> {
    table.targets.par_iter().map(|target| kmers(&target.sequence)).collect()
}

fn kmers(sequence: &str) -> Vec<u64> {
    let pack = |window: &[u8]| window.iter().fold(0_u64, |packed, &residue| (packed << 8) | u64::from(residue));
    let mut kmers: Vec<u64> = sequence.as_bytes().windows(KMER).map(pack).collect();
    kmers.sort_unstable();
    kmers.dedup();
    kmers
}

/// Shared over all k-mers of two sequences: the Jaccard index of their sets of [`KMER`]-mers, 0 to 1, and 1 for equal
/// sequences of any length. It needs no alignment and is stricter than one: of two sequences that agree in nine residues of
/// ten, spread evenly, not half of the 5-mers are shared.
pub fn kmer_identity(left: &str, right: &str) -> f64 {
    if left == right { 1.0 } else { jaccard(&kmers(left), &kmers(right)) }
}

/// Jaccard index of two ascending lists without repeats; 0 for two empty ones.
pub(super) fn jaccard(left: &[u64], right: &[u64]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let all = left.len() + right.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identity_counts_shared_5mers() {
        // MKVLA KVLAG VLAGT against KVLAG VLAGT LAGTS: two of four.
        assert_eq!(kmer_identity("MKVLAGT", "KVLAGTS"), 0.5);
        assert_eq!(kmer_identity("MKV", "MKV"), 1.0);
        assert_eq!(kmer_identity("MKV", "MKVL"), 0.0);
        // A repeat counts once.
        assert_eq!(kmer_identity("AAAAAAAA", "AAAAA"), 1.0);
    }

    #[test]
    fn nearest_is_one_for_what_training_has_and_leaves_out_the_unreadable() {
        // Entities 0 to 5 at positions on a line; 1 and 4 are the same; 3 cannot be read.
        let position = [0.0_f64, 0.3, 0.45, 0.9, 0.3, 1.0];
        let groups = [0, 1, 2, 3, 1, 4];
        let found = nearest(
            &[2, 3, 4, 2],
            &[0, 1, 5],
            &groups,
            |entity| entity != 3,
            |a, b| 1.0 - (position[a] - position[b]).abs(),
        );
        assert_eq!((found.entities, found.seen, found.unreadable), (3, 1, 1));
        // Entity 2 is nearest to entity 1, at 0.15.
        let quartiles = found.quartiles.unwrap();
        assert!((quartiles[0] - 0.85).abs() < 1e-12 && quartiles[4] == 1.0, "{quartiles:?}");
        assert_eq!(found.histogram.counts.iter().sum::<usize>(), 2);
        assert_eq!(found.histogram.counts[19], 1);
        let none = nearest(&[], &[0], &groups, |_| true, |_, _| 0.0);
        assert_eq!((none.entities, none.quartiles), (0, None));
    }

    proptest! {
        /// Against the definition on sets.
        #[test]
        fn jaccard_is_that_of_the_sets(left in btree_set(0_u64..60, 0..30), right in btree_set(0_u64..60, 0..30)) {
            let union = left.union(&right).count();
            let expected = if union == 0 { 0.0 } else { left.intersection(&right).count() as f64 / union as f64 };
            let list = |set: &std::collections::BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
            prop_assert_eq!(jaccard(&list(&left), &list(&right)), expected);
        }
    }
}
