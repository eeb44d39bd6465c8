//! Sequences of unequal length in one rectangle, with a mask of what is real.

/// Cuts or pads every sequence to `length`. Returns the values `[sequences, length]`, row by row, and a mask of the same
/// shape that is true on the values and false on the padding. A longer sequence loses its end: whoever must not lose it
/// silently compares the lengths before.
///
/// ```
/// use nn_core::data::pad;
/// let (values, mask) = pad(&[&[1, 2, 3][..], &[4]], 0, 2);
/// assert_eq!(values, [1, 2, 4, 0]);
/// assert_eq!(mask, [true, true, true, false]);
/// ```
pub fn pad<T: Copy>(sequences: &[&[T]], value: T, length: usize) -> (Vec<T>, Vec<bool>) {
    let mut values = Vec::with_capacity(sequences.len() * length);
    let mut mask = Vec::with_capacity(sequences.len() * length);
    for sequence in sequences {
        let kept = sequence.len().min(length);
        let filled = values.len() + length;
        values.extend_from_slice(&sequence[..kept]);
        values.resize(filled, value);
        mask.resize(filled - (length - kept), true);
        mask.resize(filled, false);
    }
    (values, mask)
}

/// As [`pad`], to the length of the longest sequence, which is returned third (0 without sequences).
pub fn pad_to_longest<T: Copy>(sequences: &[&[T]], value: T) -> (Vec<T>, Vec<bool>, usize) {
    let longest = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
    let (values, mask) = pad(sequences, value, longest);
    (values, mask, longest)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_to_pad() {
        assert_eq!(pad::<u8>(&[], 0, 5), (vec![], vec![]));
        assert_eq!(pad(&[&[1_u8][..], &[]], 0, 0), (vec![], vec![]));
        assert_eq!(pad_to_longest::<u8>(&[&[], &[]], 9), (vec![], vec![], 0));
    }

    proptest! {
        /// Against the definition, element by element.
        #[test]
        fn every_element_is_where_it_belongs(sequences in vec(vec(1_u16..100, 0..9), 0..6), length in 0_usize..9) {
            let slices: Vec<&[u16]> = sequences.iter().map(Vec::as_slice).collect();
            let (values, mask) = pad(&slices, 0, length);
            prop_assert_eq!(values.len(), sequences.len() * length);
            prop_assert_eq!(mask.len(), values.len());
            for (row, sequence) in sequences.iter().enumerate() {
                for column in 0..length {
                    let at = row * length + column;
                    prop_assert_eq!(values[at], sequence.get(column).copied().unwrap_or(0));
                    prop_assert_eq!(mask[at], column < sequence.len());
                }
            }
            let (values, mask, longest) = pad_to_longest(&slices, 0);
            prop_assert_eq!(longest, sequences.iter().map(Vec::len).max().unwrap_or(0));
            let real: Vec<u16> = values.iter().zip(&mask).filter(|(_, real)| **real).map(|(value, _)| *value).collect();
            prop_assert_eq!(real, sequences.concat());
        }
    }
}
