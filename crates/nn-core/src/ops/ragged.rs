//! Sequences of different lengths in one buffer.

use std::ops::Range;
use std::sync::Arc;

/// Where each sequence lies in a `[rows, channels]` buffer, and how many rows at the end of each
/// have no value because earlier convolutions consumed them.
///
/// A valid convolution shortens a sequence by `kernel − 1`; the rows stay where they are and the
/// last `lost` rows of each sequence hold zeros, so that all layers share one set of offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ragged {
    starts: Arc<[usize]>,
    lost: usize,
}

impl Ragged {
    /// The layout of sequences with these lengths, back to back.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length;
            starts.push(end);
        }
        Self { starts: starts.into(), lost: 0 }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the whole buffer.
    pub fn rows(&self) -> usize {
        self.starts[self.len()]
    }

    /// The layout after a valid convolution with this kernel.
    #[must_use]
    pub fn after(&self, kernel: usize) -> Self {
        Self { starts: Arc::clone(&self.starts), lost: self.lost + kernel - 1 }
    }

    /// All rows of sequence `i`, those without a value included.
    pub fn span(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// The rows of sequence `i` that hold values.
    pub fn valid(&self, i: usize) -> Range<usize> {
        let span = self.span(i);
        span.start..span.end.saturating_sub(self.lost).max(span.start)
    }

    /// Length of the shortest sequence, in rows that hold values; 0 when there is none.
    pub fn shortest(&self) -> usize {
        (0..self.len()).map(|i| self.valid(i).len()).min().unwrap_or(0)
    }
}

/// Sequences of codes (characters, residues, nucleotides) with their layout.
#[derive(Debug, Clone)]
pub struct Codes {
    ids: Arc<[u8]>,
    layout: Ragged,
}

impl Codes {
    /// Lays the sequences back to back, each followed by `pad(length)` zeros.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u8]>, pad: impl Fn(usize) -> usize) -> Self {
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        for sequence in sequences {
            let extra = pad(sequence.len());
            ids.extend_from_slice(sequence);
            ids.resize(ids.len() + extra, 0);
            lengths.push(sequence.len() + extra);
        }
        Self { ids: ids.into(), layout: Ragged::new(lengths) }
    }

    /// The codes, `[rows]`.
    pub fn ids(&self) -> &[u8] {
        &self.ids
    }

    /// Where each sequence lies.
    pub fn layout(&self) -> &Ragged {
        &self.layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutions_shorten_every_sequence_in_place() {
        let layout = Ragged::new([5, 3, 4]).after(3);
        assert_eq!(layout.rows(), 12);
        assert_eq!((0..3).map(|i| layout.valid(i)).collect::<Vec<_>>(), [0..3, 5..6, 8..10]);
        assert_eq!(layout.after(2).valid(1), 5..5);
        assert_eq!(layout.shortest(), 1);
    }

    #[test]
    fn codes_are_padded_behind_each_sequence() {
        let codes = Codes::new([&[1_u8, 2][..], &[3][..]], |length| 3 - length);
        assert_eq!(codes.ids(), [1, 2, 0, 3, 0, 0]);
        assert_eq!(codes.layout().span(1), 3..6);
    }
}
