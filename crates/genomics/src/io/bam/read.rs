//! One aligned read, the same for every format: what the CIGAR covers, and where the read begins and ends (SAM
//! specification, sections 1.4 and 4.2).

use crate::locus::Strand;

/// Bits of [`AlignedRead::flags`] (SAM specification, section 1.4.2).
pub mod flag {
    /// The template has several segments.
    pub const PAIRED: u16 = 0x1;
    /// Every segment is aligned as the aligner thinks proper.
    pub const PROPER_PAIR: u16 = 0x2;
    /// The read is not aligned.
    pub const UNMAPPED: u16 = 0x4;
    /// The read is on the reverse strand.
    pub const REVERSE: u16 = 0x10;
    /// The mate is on the reverse strand.
    pub const MATE_REVERSE: u16 = 0x20;
    /// The first segment.
    pub const FIRST: u16 = 0x40;
    /// The last segment.
    pub const LAST: u16 = 0x80;
    /// One of several alignments, not the best.
    pub const SECONDARY: u16 = 0x100;
    /// Failed the checks of the machine or the vendor.
    pub const QUALITY_FAIL: u16 = 0x200;
    /// A duplicate of the library or the optics.
    pub const DUPLICATE: u16 = 0x400;
    /// Part of a chimeric alignment, not the representative one.
    pub const SUPPLEMENTARY: u16 = 0x800;
}

/// The letters of CIGAR operations, in the order of their numbers in BAM.
const OPERATIONS: &[u8; 9] = b"MIDNSHP=X";

/// The longest operation that BAM's 28 bits hold.
const MAX_OPERATION: u64 = (1 << 28) - 1;

/// One aligned read. Positions are 0-based.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlignedRead {
    /// Index of the contig, if the read has a place.
    pub contig: Option<usize>,
    /// The leftmost base that is aligned; −1 without a place.
    pub start: i64,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Mapping quality; 255 if it is not available.
    pub mapping_quality: u8,
    /// Index of the mate's contig, if it has a place.
    pub mate_contig: Option<usize>,
    /// The mate's leftmost aligned base; −1 without a place.
    pub mate_start: i64,
    /// TLEN: bases from the leftmost to the rightmost aligned base of the template, negative for its right end; 0 if
    /// not available.
    pub template_length: i64,
    /// Name, common to the reads of a template.
    pub name: Vec<u8>,
    /// CIGAR as BAM packs it: the length in the upper 28 bits, the operation (of `MIDNSHP=X`) in the lower 4. Empty
    /// where the file has `*`.
    pub cigar: Vec<u32>,
}

impl AlignedRead {
    /// Whether a bit of `flags` is set.
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// The strand it is aligned to.
    pub fn strand(&self) -> Strand {
        if self.has(flag::REVERSE) { Strand::Reverse } else { Strand::Forward }
    }

    /// The base behind the last one that is aligned. Without a CIGAR that is `start`.
    pub fn end(&self) -> i64 {
        let spanned: i64 =
            self.operations().filter(|(letter, _)| b"MDN=X".contains(letter)).map(|(_, bases)| bases).sum();
        self.start + spanned
    }

    /// Whether a base of the read is aligned to a base of the contig.
    pub fn is_aligned(&self) -> bool {
        self.contig.is_some() && self.operations().any(|(letter, bases)| bases > 0 && b"M=X".contains(&letter))
    }

    /// Writes the parts of the contig that the read covers into `blocks`, from left to right, neighbours joined: `M`,
    /// `=` and `X` cover, `D` if `deletions`, `N` never; `I`, `S`, `H` and `P` have no place on the contig.
    pub fn blocks(&self, deletions: bool, blocks: &mut Vec<(i64, i64)>) {
        blocks.clear();
        let mut position = self.start;
        for (letter, bases) in self.operations() {
            let covers = match letter {
                b'M' | b'=' | b'X' => true,
                b'D' => deletions,
                b'N' => false,
                _ => continue,
            };
            let end = position + bases;
            if covers && bases > 0 {
                match blocks.last_mut() {
                    Some(last) if last.1 == position => last.1 = end,
                    _ => blocks.push((position, end)),
                }
            }
            position = end;
        }
    }

    /// Letters and numbers of bases. An operation that does not exist has the letter `?` and no place on the contig.
    fn operations(&self) -> impl Iterator<Item = (u8, i64)> {
        self.cigar
            .iter()
            .map(|&packed| (OPERATIONS.get((packed & 15) as usize).copied().unwrap_or(b'?'), i64::from(packed >> 4)))
    }

    /// Back to a read without anything, with the memory kept.
    pub(super) fn clear(&mut self) {
        let (mut name, mut cigar) = (std::mem::take(&mut self.name), std::mem::take(&mut self.cigar));
        name.clear();
        cigar.clear();
        *self = Self { start: -1, mate_start: -1, mapping_quality: 255, name, cigar, ..Self::default() };
    }

    /// Adds an operation, in pieces if it is longer than BAM's 28 bits hold.
    pub(super) fn push(&mut self, letter: u8, mut bases: u64) -> Result<(), &'static str> {
        let Some(code) = OPERATIONS.iter().position(|&known| known == letter) else {
            return Err("the CIGAR has an operation that is none of MIDNSHP=X");
        };
        loop {
            let piece = bases.min(MAX_OPERATION);
            self.cigar.push(((piece as u32) << 4) | code as u32);
            bases -= piece;
            if bases == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(start: i64, cigar: &[(u8, u64)]) -> AlignedRead {
        let mut read = AlignedRead { contig: Some(0), start, ..AlignedRead::default() };
        for &(letter, bases) in cigar {
            read.push(letter, bases).unwrap();
        }
        read
    }

    fn covered(read: &AlignedRead, deletions: bool) -> Vec<(i64, i64)> {
        let mut blocks = vec![(7, 8)];
        read.blocks(deletions, &mut blocks);
        blocks
    }

    /// By hand, from section 1.4.6 of the SAM specification.
    #[test]
    fn what_operations_cover() {
        let spliced = read(10, &[(b'H', 3), (b'S', 2), (b'M', 5), (b'N', 100), (b'=', 2), (b'X', 1), (b'S', 4)]);
        assert_eq!(covered(&spliced, false), [(10, 15), (115, 118)]);
        assert_eq!(spliced.end(), 118);
        let gapped = read(10, &[(b'M', 5), (b'D', 2), (b'M', 3), (b'I', 4), (b'M', 1), (b'P', 2), (b'M', 1)]);
        assert_eq!(covered(&gapped, false), [(10, 15), (17, 22)]);
        assert_eq!(covered(&gapped, true), [(10, 22)]);
        assert_eq!(gapped.end(), 22);
        let empty = read(10, &[(b'H', 3), (b'M', 0), (b'I', 2), (b'D', 4)]);
        assert_eq!(covered(&empty, false), []);
        assert!(!empty.is_aligned());
        assert_eq!(read(10, &[]).end(), 10);
    }

    #[test]
    fn long_operations_are_cut_and_unknown_ones_refused() {
        let long = read(0, &[(b'M', (1 << 30) + 5)]);
        assert_eq!(covered(&long, false), [(0, (1 << 30) + 5)]);
        assert!(AlignedRead::default().push(b'B', 1).is_err());
        let damaged = AlignedRead { contig: Some(0), cigar: vec![(5 << 4) | 15], ..AlignedRead::default() };
        assert_eq!((damaged.end(), damaged.is_aligned()), (0, false));
    }

    #[test]
    fn clearing_keeps_nothing() {
        let mut used = read(5, &[(b'M', 5)]);
        used.name.extend(b"a");
        used.flags = 4;
        used.clear();
        assert_eq!(used, AlignedRead { start: -1, mate_start: -1, mapping_quality: 255, ..AlignedRead::default() });
    }
}
