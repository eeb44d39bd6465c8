//! A window as numbers or as codes of words.

use serde::{Deserialize, Serialize};

use crate::sequence::{ALPHABET, Unknown, one_hot};

/// Bases of a word.
const WORD: usize = 3;
/// Words: the 64 of three bases, and one for all that hold another letter.
pub const WORDS: usize = 65;
/// Code of a word with an unknown letter.
const UNKNOWN: u32 = 64;

/// How a window is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Four channels, one for each base.
    OneHot,
    /// Twelve channels: the base before a place, that of the place, the one behind it.
    Neighbours,
    /// Overlapping 3-mers, whose vectors are learnt with the network.
    Words,
    /// Overlapping 3-mers, whose vectors skip-gram has learnt.
    Gene2vec,
}

/// A batch of windows.
#[derive(Debug, PartialEq)]
pub(super) enum Encoded {
    /// `[batch, channels, length]` and the number of channels.
    Values(Vec<f32>, usize),
    /// `[batch, places]`, a word for each place.
    Codes(Vec<i64>),
}

impl Encoding {
    /// All four, in the order of the paper.
    pub const ALL: [Self; 4] = [Self::OneHot, Self::Neighbours, Self::Words, Self::Gene2vec];

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneHot => "one-hot",
            Self::Neighbours => "neighbours",
            Self::Words => "words",
            Self::Gene2vec => "gene2vec",
        }
    }

    /// Places of a window of `length` bases.
    pub(super) fn places(self, length: usize) -> usize {
        match self {
            Self::OneHot | Self::Neighbours => length,
            Self::Words | Self::Gene2vec => (length + 1).saturating_sub(WORD),
        }
    }

    /// Windows shorter than `length` stand in the middle, with unknown bases around them.
    ///
    /// # Panics
    /// If a window is longer.
    pub(super) fn encode(self, windows: &[&[u8]], length: usize) -> Encoded {
        match self {
            Self::OneHot => Encoded::Values(one_hot(windows, length, Unknown::Zeros), 4),
            Self::Neighbours => {
                let own = one_hot(windows, length, Unknown::Zeros);
                let mut values = Vec::with_capacity(3 * own.len());
                for window in own.chunks_exact(4 * length) {
                    for channel in window.chunks_exact(length) {
                        values.push(0.0);
                        values.extend_from_slice(&channel[..length - 1]);
                    }
                    values.extend_from_slice(window);
                    for channel in window.chunks_exact(length) {
                        values.extend_from_slice(&channel[1..]);
                        values.push(0.0);
                    }
                }
                Encoded::Values(values, 12)
            }
            Self::Words | Self::Gene2vec => {
                let mut codes = Vec::with_capacity(windows.len() * self.places(length));
                for (row, window) in windows.iter().enumerate() {
                    let (found, places) = (window.len(), self.places(length));
                    assert!(found <= length, "window {row} has {found} bases, more than the length {length}");
                    let before = (length - found) / 2;
                    let start = codes.len();
                    codes.resize(start + places, i64::from(UNKNOWN));
                    let words = words(window).into_iter().map(i64::from);
                    codes[start + before.min(places)..].iter_mut().zip(words).for_each(|(code, word)| *code = word);
                }
                Encoded::Codes(codes)
            }
        }
    }
}

/// Codes of the overlapping words of a sequence: 16 a + 4 b + c of bases numbered A, C, G, T, and 64 for a word with an
/// unknown letter.
pub(super) fn words(sequence: &[u8]) -> Vec<u32> {
    let base = |letter: u8| ALPHABET.iter().position(|&base| base == letter);
    let word = |word: &[u8]| word.iter().try_fold(0, |code, &letter| Some(4 * code + base(letter)? as u32));
    sequence.windows(WORD).map(|letters| word(letters).unwrap_or(UNKNOWN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_by_hand() {
        assert_eq!(words(b"AAACGT"), [0, 1, 6, 16 + 8 + 3]);
        assert_eq!(words(b"TTT"), [63]);
        assert_eq!(words(b"ANAAA"), [64, 64, 0]);
        assert_eq!(words(b"AC"), [0_u32; 0]);
    }

    #[test]
    fn neighbours_are_the_bases_before_and_behind() {
        let Encoded::Values(values, channels) = Encoding::Neighbours.encode(&[b"ACG"], 3) else { panic!() };
        assert_eq!((channels, values.len()), (12, 36));
        let rows: Vec<&[f32]> = values.chunks_exact(3).collect();
        // A stands before the second place, C before the third
        assert_eq!((rows[0], rows[1], rows[2]), (&[0.0, 1.0, 0.0][..], &[0.0, 0.0, 1.0][..], &[0.0; 3][..]));
        // their own
        assert_eq!((rows[4], rows[5], rows[6]), (&[1.0, 0.0, 0.0][..], &[0.0, 1.0, 0.0][..], &[0.0, 0.0, 1.0][..]));
        // C behind the first, G behind the second, nothing behind the third
        assert_eq!((rows[8], rows[9], rows[10]), (&[0.0; 3][..], &[1.0, 0.0, 0.0][..], &[0.0, 1.0, 0.0][..]));
    }

    #[test]
    fn short_windows_stand_in_the_middle() {
        let codes = |windows: &[&[u8]], length| match Encoding::Words.encode(windows, length) {
            Encoded::Codes(codes) => codes,
            Encoded::Values(..) => panic!(),
        };
        assert_eq!(codes(&[b"AAAAA", b"TTT"], 5), [0, 0, 0, 64, 63, 64]);
        assert_eq!(codes(&[b"", b"A"], 4), [64; 4]);
        // in the same place as one-hot puts them
        let Encoded::Values(values, _) = Encoding::OneHot.encode(&[b"TTT"], 5) else { panic!() };
        assert_eq!(values[15..], [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!((Encoding::OneHot.places(41), Encoding::Gene2vec.places(41)), (41, 39));
    }

    #[test]
    #[should_panic(expected = "window 0 has 4 bases, more than the length 3")]
    fn long_windows_are_a_mistake() {
        Encoding::Gene2vec.encode(&[b"ACGT"], 3);
    }
}
