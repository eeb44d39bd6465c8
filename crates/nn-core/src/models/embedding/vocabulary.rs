//! Codes for keys, and sequences of codes back to back in one buffer.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use super::EmbeddingError;

/// The keys that occur often enough, numbered by falling frequency.
///
/// ```
/// use nn_core::models::embedding::Vocabulary;
/// let vocabulary = Vocabulary::count([&["b", "a", "c"][..], &["a", "c"], &["a"]], 2);
/// assert_eq!(vocabulary.keys(), ["a", "c"]);
/// assert_eq!(vocabulary.counts(), [3, 2]);
/// assert_eq!((vocabulary.code("c"), vocabulary.code("b")), (Some(1), None));
/// // what is rare falls out, and its neighbours move together
/// assert_eq!(vocabulary.encode(&["b", "c", "a"]), [1, 0]);
/// ```
#[derive(Debug, Clone)]
pub struct Vocabulary<K> {
    keys: Vec<K>,
    counts: Vec<u64>,
    codes: HashMap<K, u32>,
}

impl<K: Hash + Eq + Clone> Vocabulary<K> {
    /// Counts the keys of `sequences` and keeps those that occur `min_count` times or more. Keys of equal
    /// frequency stand in the order in which they first appear.
    pub fn count<'a, S>(sequences: impl IntoIterator<Item = S>, min_count: u64) -> Self
    where
        S: IntoIterator<Item = &'a K>,
        K: 'a,
    {
        let (mut keys, mut counts): (Vec<&K>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut places: HashMap<&K, usize> = HashMap::new();
        for key in sequences.into_iter().flatten() {
            if let Some(&place) = places.get(key) {
                counts[place] += 1;
            } else {
                places.insert(key, keys.len());
                keys.push(key);
                counts.push(1);
            }
        }
        let kept = keys.into_iter().cloned().zip(counts).filter(|&(_, count)| count >= min_count);
        Self::from_counts(kept)
    }

    /// The vocabulary of keys that were counted elsewhere; a key given twice gets the sum of its counts.
    /// Keys of equal frequency keep their order.
    pub fn from_counts(counts: impl IntoIterator<Item = (K, u64)>) -> Self {
        let mut places: HashMap<K, usize> = HashMap::new();
        let mut all: Vec<(K, u64)> = Vec::new();
        for (key, count) in counts {
            if let Some(&place) = places.get(&key) {
                all[place].1 += count;
            } else {
                places.insert(key.clone(), all.len());
                all.push((key, count));
            }
        }
        // a stable sort
        all.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let codes = all.iter().zip(0..).map(|((key, _), code)| (key.clone(), code)).collect();
        let (keys, counts) = all.into_iter().unzip();
        Self { keys, counts, codes }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys; a key's position is its code.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }

    /// How often each key occurs, by code; never rising.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The code of a key, if it is known.
    pub fn code<Q>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.codes.get(key).copied()
    }

    /// The codes of the known keys of a sequence, in its order.
    pub fn encode<'a>(&self, sequence: impl IntoIterator<Item = &'a K>) -> Vec<u32>
    where
        K: 'a,
    {
        sequence.into_iter().filter_map(|key| self.codes.get(key).copied()).collect()
    }

    /// The known keys of all sequences, as codes.
    pub fn corpus<'a, S>(&self, sequences: impl IntoIterator<Item = S>) -> Corpus
    where
        S: IntoIterator<Item = &'a K>,
        K: 'a,
    {
        sequences.into_iter().map(|sequence| self.encode(sequence)).collect()
    }
}

/// Sequences of codes, back to back.
///
/// ```
/// use nn_core::models::embedding::Corpus;
/// let corpus: Corpus = [vec![2, 0, 1], vec![], vec![1, 1]].into_iter().collect();
/// assert_eq!((corpus.len(), corpus.tokens()), (3, 5));
/// assert_eq!(corpus.get(2), [1, 1]);
/// assert_eq!(corpus.counts(3)?, [1, 3, 1]);
/// # Ok::<(), nn_core::models::embedding::EmbeddingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    codes: Vec<u32>,
    starts: Vec<usize>,
}

impl Default for Corpus {
    fn default() -> Self {
        Self { codes: Vec::new(), starts: vec![0] }
    }
}

impl Corpus {
    /// A corpus without sequences.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sequence at the end.
    pub fn push(&mut self, sequence: impl IntoIterator<Item = u32>) {
        self.codes.extend(sequence);
        self.starts.push(self.codes.len());
    }

    /// Number of sequences, empty ones included.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of codes in all sequences.
    pub fn tokens(&self) -> usize {
        self.codes.len()
    }

    /// All codes, sequence after sequence.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// Where each sequence begins in [`codes`](Self::codes), and behind the last one the number of codes.
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// One sequence.
    ///
    /// # Panics
    /// If there are not more than `index` sequences.
    pub fn get(&self, index: usize) -> &[u32] {
        &self.codes[self.starts[index]..self.starts[index + 1]]
    }

    /// All sequences in their order.
    pub fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(move |index| self.get(index))
    }

    /// How often each of the codes `0..rows` occurs.
    ///
    /// # Errors
    /// [`EmbeddingError::NoSuchCode`] for a code that is `rows` or larger.
    pub fn counts(&self, rows: usize) -> Result<Vec<u64>, EmbeddingError> {
        let mut counts = vec![0; rows];
        for &code in &self.codes {
            *counts.get_mut(code as usize).ok_or(EmbeddingError::NoSuchCode { code, rows })? += 1;
        }
        Ok(counts)
    }
}

impl<S: IntoIterator<Item = u32>> FromIterator<S> for Corpus {
    fn from_iter<I: IntoIterator<Item = S>>(sequences: I) -> Self {
        let mut corpus = Self::new();
        for sequence in sequences {
            corpus.push(sequence);
        }
        corpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_by_frequency_then_appearance() {
        let sequences = vec![vec!["d", "b", "a"], vec!["b", "c"], vec!["c", "e", "b"]];
        let vocabulary = Vocabulary::count(&sequences, 1);
        assert_eq!(vocabulary.keys(), ["b", "c", "d", "a", "e"]);
        assert_eq!(vocabulary.counts(), [3, 2, 1, 1, 1]);
        for (code, key) in vocabulary.keys().iter().enumerate() {
            assert_eq!(vocabulary.code(key), Some(code as u32));
        }
        let corpus = Vocabulary::count(&sequences, 2).corpus(&sequences);
        assert_eq!(corpus.sequences().collect::<Vec<_>>(), [&[0][..], &[0, 1], &[1, 0]]);
        assert_eq!(corpus.starts(), [0, 1, 3, 5]);
    }

    #[test]
    fn counts_of_one_key_are_added() {
        let vocabulary = Vocabulary::from_counts([(7_u64, 2), (9, 3), (7, 2)]);
        assert_eq!((vocabulary.keys(), vocabulary.counts()), (&[7, 9][..], &[4, 3][..]));
        assert!(Vocabulary::<u64>::from_counts([]).is_empty());
    }

    #[test]
    fn a_code_without_a_row_is_named() {
        let corpus: Corpus = [[0, 3], [1, 2]].into_iter().collect();
        assert_eq!(corpus.counts(4).unwrap(), [1, 1, 1, 1]);
        let error = corpus.counts(3).unwrap_err().to_string();
        assert_eq!(error, "code 3 has no row: there are 3 of them, numbered from 0");
    }
}
