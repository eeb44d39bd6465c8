//! Fixed-length bit fingerprints and their similarity.

use super::SmilesError;

const WORDS: usize = Fingerprint::BITS / 64;

/// A fingerprint of 2,048 bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    words: [u64; WORDS],
}

impl Fingerprint {
    /// Number of bits.
    pub const BITS: usize = 2048;

    pub(super) fn ecfp4(graph: &chematic::core::Molecule) -> Result<Self, SmilesError> {
        let packed = chematic::fp::rdkit_morgan_ecfp4_bitvec(graph)
            .map_err(|error| SmilesError::new(0, format!("no fingerprint can be computed: {error}")))?
            .to_le_bytes();
        let mut words = [0_u64; WORDS];
        for (word, bytes) in words.iter_mut().zip(packed.chunks_exact(8)) {
            *word = bytes.iter().rev().fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
        }
        Ok(Self { words })
    }

    /// The fingerprint with exactly these bits; `None` if one of them is not below [`Fingerprint::BITS`].
    pub fn from_bits(bits: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut words = [0_u64; WORDS];
        for bit in bits {
            *words.get_mut(bit / 64)? |= 1 << (bit % 64);
        }
        Some(Self { words })
    }

    /// Numbers of the bits that are set, ascending, each below [`Fingerprint::BITS`].
    pub fn bits(&self) -> impl Iterator<Item = usize> + '_ {
        (0..Self::BITS).filter(|&bit| self.contains(bit))
    }

    /// Whether a bit is set; no bit at or above [`Fingerprint::BITS`] is.
    pub fn contains(&self, bit: usize) -> bool {
        self.words.get(bit / 64).is_some_and(|word| (word >> (bit % 64)) & 1 == 1)
    }

    /// How many bits are set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Shared bits over all bits of the two (Jaccard, Tanimoto), 0 to 1; 0 for two empty ones, as in RDKit.
    pub fn tanimoto(&self, other: &Self) -> f64 {
        let (mut both, mut either) = (0, 0);
        for (left, right) in self.words.iter().zip(&other.words) {
            both += (left & right).count_ones();
            either += (left | right).count_ones();
        }
        if either == 0 { 0.0 } else { f64::from(both) / f64::from(either) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_at_the_ends() {
        let print = Fingerprint::from_bits([0, 63, 64, 2047]).unwrap();
        assert_eq!(print.bits().collect::<Vec<_>>(), [0, 63, 64, 2047]);
        assert!(!print.contains(2048));
        assert!(Fingerprint::from_bits([2048]).is_none());
        let empty = Fingerprint::from_bits([]).unwrap();
        assert_eq!(empty.tanimoto(&empty), 0.0);
    }

    proptest! {
        /// Against the definition on sets.
        #[test]
        fn tanimoto_is_that_of_the_sets(
            left in btree_set(0_usize..2048, 0..60),
            right in btree_set(0_usize..2048, 0..60),
        ) {
            let union = left.union(&right).count();
            let expected = if union == 0 { 0.0 } else { left.intersection(&right).count() as f64 / union as f64 };
            let (a, b) = (
                Fingerprint::from_bits(left.iter().copied()).unwrap(),
                Fingerprint::from_bits(right.iter().copied()).unwrap(),
            );
            prop_assert_eq!(a.tanimoto(&b), expected);
            prop_assert_eq!(b.tanimoto(&a), expected);
            prop_assert_eq!(a.count() as usize, left.len());
            prop_assert!(a.bits().eq(left.iter().copied()));
        }
    }
}
