//! Nucleotide sequences as upper-case ASCII bytes, and as one-hot channels in the order A, C, G, T.

use std::fmt;

use rayon::prelude::*;

/// The order of the channels, everywhere in this crate.
pub const ALPHABET: [u8; 4] = *b"ACGT";

/// Bases that one thread encodes at a time; fewer are not worth a thread.
const BLOCK: usize = 1 << 14;

/// What letters other than A, C, G and T become in one-hot channels, padding included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// No channel is set.
    #[default]
    Zeros,
    /// The letters that an IUPAC code stands for share 1 evenly; for `N` that is a quarter in each channel.
    Quarter,
}

/// A letter that is no nucleotide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct SequenceError {
    /// The byte.
    pub byte: u8,
    /// Where it stands, from 1.
    pub position: u64,
}

impl fmt::Display for SequenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { byte, position } = *self;
        if byte.is_ascii_graphic() || byte == b' ' {
            write!(f, "{:?}", char::from(byte))?;
        } else {
            write!(f, "byte 0x{byte:02x}")?;
        }
        write!(f, " at base {position} is no nucleotide; letters are ACGTU and the IUPAC codes to N")
    }
}

/// Codes of letters: the four bases are 0 to 3, a letter that stands for several is 16 plus one bit for each of them
/// (1, 2, 4 and 8 for A, C, G and T), and 0xff is no letter of the alphabet.
pub(crate) const CODES: [u8; 256] = codes();

/// Code of `N`.
pub(crate) const ANY: u8 = AMBIGUOUS | 15;

/// The bit that tells letters for several bases from the four bases.
pub(crate) const AMBIGUOUS: u8 = 16;

/// Letters of the codes 16 to 31, the inverse of [`CODES`]; no letter stands for none of the bases.
const IUPAC: [u8; 16] = *b"NACMGRSVTWYHKDBN";

const fn codes() -> [u8; 256] {
    let mut table = [0xff; 256];
    let mut set = 1;
    while set < 16 {
        let code = match set {
            1 => 0,
            2 => 1,
            4 => 2,
            8 => 3,
            _ => AMBIGUOUS | set,
        };
        let letter = IUPAC[set as usize];
        table[letter as usize] = code;
        table[letter.to_ascii_lowercase() as usize] = code;
        set += 1;
    }
    table[b'U' as usize] = 3;
    table[b'u' as usize] = 3;
    table
}

/// The letter of a code.
pub(crate) fn letter(code: u8) -> u8 {
    if code & AMBIGUOUS == 0 { ALPHABET[usize::from(code & 3)] } else { IUPAC[usize::from(code & 15)] }
}

/// The code of the letter on the other strand.
pub(crate) fn complement(code: u8) -> u8 {
    // Reversing four bits swaps A with T and C with G.
    if code & AMBIGUOUS == 0 { 3 - (code & 3) } else { AMBIGUOUS | ((code & 15).reverse_bits() >> 4) }
}

const COMPLEMENTS: [u8; 256] = complements();

const fn complements() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as u8;
        byte += 1;
    }
    let (letters, partners) = (b"ACGTUMRWSYKVHDBN", b"TGCAAKYWSRMBDHVN");
    let mut pair = 0;
    while pair < letters.len() {
        table[letters[pair] as usize] = partners[pair];
        table[letters[pair].to_ascii_lowercase() as usize] = partners[pair].to_ascii_lowercase();
        pair += 1;
    }
    table
}

/// The other strand, read in its own direction: reversed, and each letter complemented. IUPAC codes and the case of
/// letters are kept, U pairs with A, other bytes stay what they are.
///
/// ```
/// use genomics::sequence::reverse_complement;
/// assert_eq!(reverse_complement(b"AACGR"), b"YCGTT");
/// ```
pub fn reverse_complement(sequence: &[u8]) -> Vec<u8> {
    sequence.iter().rev().map(|&byte| COMPLEMENTS[usize::from(byte)]).collect()
}

/// One-hot channels of sequences.
///
/// A sequence shorter than `length` stands in the middle (one base left of it, if the padding is odd), padded with what
/// `unknown` makes of `N`. Bytes that are no letters of the alphabet count as `N`; [`normalise`] refuses them.
///
/// # Shapes
/// `[n, 4, length]`, row-major.
///
/// # Panics
/// If a sequence is longer than `length`.
///
/// ```
/// use genomics::sequence::{Unknown, one_hot};
/// let x = one_hot(&[b"ACN"], 3, Unknown::Quarter);
/// assert_eq!(x, [1.0, 0.0, 0.25, 0.0, 1.0, 0.25, 0.0, 0.0, 0.25, 0.0, 0.0, 0.25]);
/// ```
pub fn one_hot(sequences: &[&[u8]], length: usize, unknown: Unknown) -> Vec<f32> {
    for (row, sequence) in sequences.iter().enumerate() {
        assert!(sequence.len() <= length, "sequence {row} has {} bases, more than the length {length}", sequence.len());
    }
    encode(sequences.len(), length, unknown, |row, codes| {
        let left = (length - sequences[row].len()) / 2;
        codes.resize(left, ANY);
        codes.extend(sequences[row].iter().map(|&byte| match CODES[usize::from(byte)] {
            0xff => ANY,
            code => code,
        }));
        codes.resize(length, ANY);
    })
}

/// One-hot channels of `rows` windows of `length` bases, whose codes `fill` puts into an empty buffer.
pub(crate) fn encode(
    rows: usize,
    length: usize,
    unknown: Unknown,
    fill: impl Fn(usize, &mut Vec<u8>) + Send + Sync,
) -> Vec<f32> {
    let mut values = vec![0.0; rows * 4 * length];
    if length == 0 {
        return values;
    }
    let at_once = (BLOCK / length).max(1);
    values.par_chunks_mut(4 * length).enumerate().with_min_len(at_once).for_each_init(
        || Vec::with_capacity(length),
        |codes, (row, window)| {
            codes.clear();
            fill(row, codes);
            spread(codes, window, unknown);
        },
    );
    values
}

/// Writes the four channels of a window.
fn spread(codes: &[u8], window: &mut [f32], unknown: Unknown) {
    // One pass for each channel: the compiler makes vector comparisons of it.
    for (channel, row) in (0_u8..).zip(window.chunks_exact_mut(codes.len())) {
        for (value, &code) in row.iter_mut().zip(codes) {
            *value = f32::from(u8::from(code == channel));
        }
    }
    if unknown == Unknown::Quarter {
        for (place, &code) in codes.iter().enumerate().filter(|&(_, &code)| code & AMBIGUOUS != 0) {
            let set = code & 15;
            let share = 1.0 / set.count_ones() as f32;
            for channel in (0..4).filter(|channel| (set >> channel) & 1 == 1) {
                window[channel * codes.len() + place] = share;
            }
        }
    }
}

/// A sequence in capitals, with T for U; IUPAC codes are kept.
///
/// # Errors
/// [`SequenceError`] with the position of the first byte that is no nucleotide: gaps (`-`, `.`), `*`, blanks, `X`.
pub fn normalise(raw: &[u8]) -> Result<Vec<u8>, SequenceError> {
    match raw.iter().position(|&byte| CODES[usize::from(byte)] == 0xff) {
        Some(place) => Err(SequenceError { byte: raw[place], position: place as u64 + 1 }),
        None => Ok(raw.iter().map(|&byte| letter(CODES[usize::from(byte)])).collect()),
    }
}

/// Share of G and C among the bases that are known (A, C, G, T, U in either case), 0.5 when there is none.
pub fn gc_content(sequence: &[u8]) -> f64 {
    let mut counts = [0_u64; 4];
    for &byte in sequence {
        if let Some(count) = counts.get_mut(usize::from(CODES[usize::from(byte)])) {
            *count += 1;
        }
    }
    let known: u64 = counts.iter().sum();
    if known == 0 { 0.5 } else { (counts[1] + counts[2]) as f64 / known as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// IUPAC letters with their bases, as NC-IUB 1984 (doi:10.1093/nar/13.9.3021, table 1) gives them.
    const LETTERS: [(u8, &str); 16] = [
        (b'A', "A"),
        (b'C', "C"),
        (b'G', "G"),
        (b'T', "T"),
        (b'U', "T"),
        (b'R', "AG"),
        (b'Y', "CT"),
        (b'S', "CG"),
        (b'W', "AT"),
        (b'K', "GT"),
        (b'M', "AC"),
        (b'B', "CGT"),
        (b'D', "AGT"),
        (b'H', "ACT"),
        (b'V', "ACG"),
        (b'N', "ACGT"),
    ];

    #[test]
    fn letters_stand_for_their_bases() {
        for (letter, bases) in LETTERS {
            for byte in [letter, letter.to_ascii_lowercase()] {
                let quarters = one_hot(&[&[byte]], 1, Unknown::Quarter);
                let zeros = one_hot(&[&[byte]], 1, Unknown::Zeros);
                for (channel, base) in ALPHABET.iter().enumerate() {
                    let share = if bases.contains(char::from(*base)) { 1.0 / bases.len() as f32 } else { 0.0 };
                    assert_eq!(quarters[channel], share, "{} {}", char::from(byte), char::from(*base));
                    assert_eq!(zeros[channel], if bases.len() == 1 { share } else { 0.0 });
                }
            }
        }
    }

    #[test]
    fn other_strands_pair_base_for_base() {
        for (letter, bases) in LETTERS {
            let partner = reverse_complement(&[letter])[0];
            let mut expected: Vec<u8> = bases.bytes().map(|base| reverse_complement(&[base])[0]).collect();
            expected.sort_unstable();
            let found = LETTERS.iter().find(|(other, _)| *other == partner).unwrap().1;
            assert_eq!(found.as_bytes(), expected, "{}", char::from(letter));
            // The codes say the same as the letters.
            let code = CODES[usize::from(letter)];
            assert_eq!(super::letter(complement(code)), partner, "{}", char::from(letter));
        }
        assert_eq!(reverse_complement(b"acgTNn"), b"nNAcgt");
    }

    #[test]
    fn short_sequences_stand_in_the_middle() {
        let x = one_hot(&[b"G", b"GG"], 4, Unknown::Zeros);
        assert_eq!(x[8..12], [0.0, 1.0, 0.0, 0.0], "three bases of padding: one before, two behind");
        assert_eq!(x[16 + 8..16 + 12], [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(x.iter().sum::<f32>(), 3.0);
        let x = one_hot(&[b"G"], 2, Unknown::Quarter);
        assert_eq!(x, [0.0, 0.25, 0.0, 0.25, 1.0, 0.25, 0.0, 0.25]);
        assert_eq!(one_hot(&[b""], 0, Unknown::Zeros), [0.0; 0]);
        assert_eq!(one_hot(&[], 5, Unknown::Zeros), [0.0; 0]);
    }

    #[test]
    #[should_panic(expected = "sequence 1 has 3 bases, more than the length 2")]
    fn long_sequences_are_a_mistake() {
        one_hot(&[b"AC", b"ACG"], 2, Unknown::Zeros);
    }

    #[test]
    fn refusals_name_the_base() {
        assert_eq!(normalise(b"acguNrT").unwrap(), b"ACGTNRT");
        assert_eq!(normalise(b"").unwrap(), b"");
        for (raw, expected) in [
            (b"AC-T".as_slice(), "'-' at base 3 is no nucleotide"),
            (b"*".as_slice(), "'*' at base 1 is no nucleotide"),
            (b"AC T".as_slice(), "' ' at base 3 is no nucleotide"),
            (b"ACX".as_slice(), "'X' at base 3 is no nucleotide"),
            (b"A\0".as_slice(), "byte 0x00 at base 2 is no nucleotide"),
            (b"ACG\xe9".as_slice(), "byte 0xe9 at base 4 is no nucleotide"),
        ] {
            let message = normalise(raw).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn gc_of_known_bases() {
        assert_eq!(gc_content(b"GGcA"), 0.75);
        assert_eq!(gc_content(b"GNNNSA"), 0.5);
        assert_eq!(gc_content(b"NNN"), 0.5);
        assert_eq!(gc_content(b""), 0.5);
    }

    proptest! {
        #[test]
        fn twice_is_the_same(sequence in "[ACGTRYSWKMBDHVNacgtn]{0,80}") {
            let bytes = sequence.as_bytes();
            prop_assert_eq!(reverse_complement(&reverse_complement(bytes)), bytes);
            prop_assert!((gc_content(bytes) - gc_content(&reverse_complement(bytes))).abs() < 1e-15);
        }

        /// Reversing both axes of the channels is the other strand.
        #[test]
        fn channels_of_the_other_strand(sequence in "[ACGTRYSWKMBDHVN]{1,60}") {
            let bytes = sequence.as_bytes();
            let mut x = one_hot(&[bytes], bytes.len(), Unknown::Quarter);
            x.reverse();
            prop_assert_eq!(x, one_hot(&[&reverse_complement(bytes)], bytes.len(), Unknown::Quarter));
        }

        /// Every column sums to 1 when unknown letters share it, whatever the bytes.
        #[test]
        fn columns_sum_to_one(bytes in proptest::collection::vec(any::<u8>(), 1..50)) {
            let x = one_hot(&[&bytes], bytes.len(), Unknown::Quarter);
            for place in 0..bytes.len() {
                let sum: f32 = (0..4).map(|channel| x[channel * bytes.len() + place]).sum();
                prop_assert!((sum - 1.0).abs() < 1e-6);
            }
        }
    }
}
