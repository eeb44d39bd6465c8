//! Two bits a base, and the runs of bases that two bits cannot hold.

use std::ops::Range;

use super::GenomeError;
use crate::sequence::{AMBIGUOUS, CODES, SequenceError};

/// Bases `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u32,
    end: u32,
}

/// One contig.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Packed {
    /// Four bases a byte, the first in the lowest bits; a base that is unknown stands as 0.
    bits: Vec<u8>,
    length: u32,
    /// Where the letters are others than A, C, G and T, in order, and the code of the letter.
    unknown: Vec<(Run, u8)>,
    /// Where the letters are small, in order.
    masked: Vec<Run>,
}

/// The codes of the four bases in each byte.
const UNPACKED: [[u8; 4]; 256] = unpacked();

const fn unpacked() -> [[u8; 4]; 256] {
    let mut table = [[0; 4]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut place = 0;
        while place < 4 {
            table[byte][place] = ((byte >> (2 * place)) & 3) as u8;
            place += 1;
        }
        byte += 1;
    }
    table
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.length as usize
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.capacity()
            + self.unknown.capacity() * size_of::<(Run, u8)>()
            + self.masked.capacity() * size_of::<Run>()
    }

    /// Appends the codes of the bases `range`, which the contig has.
    pub(super) fn unpack(&self, range: Range<usize>, codes: &mut Vec<u8>) {
        if range.is_empty() {
            return;
        }
        let first = codes.len();
        // Whole bytes, then off with the bases before and behind.
        let skipped = range.start % 4;
        let bytes = &self.bits[range.start / 4..range.end.div_ceil(4)];
        let (head, rest) = bytes.split_at(1);
        codes.extend_from_slice(&UNPACKED[usize::from(head[0])][skipped..]);
        codes.reserve(4 * rest.len());
        for &byte in rest {
            codes.extend_from_slice(&UNPACKED[usize::from(byte)]);
        }
        codes.truncate(first + range.len());
        let after = self.unknown.partition_point(|(run, _)| run.end as usize <= range.start);
        for &(run, code) in self.unknown[after..].iter().take_while(|(run, _)| (run.start as usize) < range.end) {
            let part = within(run, &range);
            codes[first + part.start - range.start..first + part.end - range.start].fill(code);
        }
    }

    /// Number of soft-masked bases in `range`.
    pub(super) fn masked(&self, range: Range<usize>) -> usize {
        count(&self.masked, |&run| run, &range)
    }

    /// Number of bases other than A, C, G and T in `range`.
    pub(super) fn unknown(&self, range: Range<usize>) -> usize {
        count(&self.unknown, |&(run, _)| run, &range)
    }
}

/// The part of a run inside a range that it touches.
fn within(run: Run, range: &Range<usize>) -> Range<usize> {
    range.start.max(run.start as usize)..range.end.min(run.end as usize)
}

fn count<T>(runs: &[T], run: impl Fn(&T) -> Run, range: &Range<usize>) -> usize {
    let after = runs.partition_point(|entry| run(entry).end as usize <= range.start);
    let touched = runs[after..].iter().map(run).take_while(|run| (run.start as usize) < range.end);
    touched.map(|run| within(run, range).len()).sum()
}

/// Why bases cannot be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackError {
    /// A letter, with its place in the contig.
    Letter(SequenceError),
    /// There are too many.
    TooLong,
}

impl PackError {
    /// The same as an error of the genome.
    pub(crate) fn of(self, contig: &str) -> GenomeError {
        let contig = contig.to_owned();
        match self {
            Self::Letter(error) => GenomeError::Sequence { contig, error },
            Self::TooLong => GenomeError::TooLong { contig },
        }
    }
}

/// Packs a contig piece by piece, so that a line of any length is never held whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packer(Packed);

impl Packer {
    /// Appends letters in either case.
    pub(crate) fn push(&mut self, letters: &[u8]) -> Result<(), PackError> {
        if letters.len() as u64 > u64::from(u32::MAX - self.0.length) {
            return Err(PackError::TooLong);
        }
        self.0.bits.reserve(letters.len() / 4 + 1);
        self.mask(letters);
        let aligned = letters.len().min((4 - self.0.len() % 4) % 4);
        let (head, rest) = letters.split_at(aligned);
        self.one_by_one(head)?;
        let (fours, tail) = rest.as_chunks::<4>();
        for four in fours {
            let codes = four.map(|letter| CODES[usize::from(letter)]);
            if codes.iter().any(|&code| code > 3) {
                self.one_by_one(four)?;
            } else {
                self.0.bits.push(codes[0] | (codes[1] << 2) | (codes[2] << 4) | (codes[3] << 6));
                self.0.length += 4;
            }
        }
        self.one_by_one(tail)
    }

    fn one_by_one(&mut self, letters: &[u8]) -> Result<(), PackError> {
        let packed = &mut self.0;
        for &letter in letters {
            let code = CODES[usize::from(letter)];
            let place = packed.length;
            if code == 0xff {
                return Err(PackError::Letter(SequenceError { byte: letter, position: u64::from(place) + 1 }));
            }
            let base = if code & AMBIGUOUS == 0 { code } else { 0 };
            match packed.bits.last_mut() {
                Some(byte) if !place.is_multiple_of(4) => *byte |= base << (2 * (place % 4)),
                _ => packed.bits.push(base),
            }
            if code & AMBIGUOUS != 0 {
                match packed.unknown.last_mut() {
                    Some((run, last)) if run.end == place && *last == code => run.end += 1,
                    _ => packed.unknown.push((Run { start: place, end: place + 1 }, code)),
                }
            }
            packed.length += 1;
        }
        Ok(())
    }

    /// Notes the small letters among those that come next.
    fn mask(&mut self, letters: &[u8]) {
        let mut rest = letters;
        let mut start = self.0.length;
        while let Some(first) = rest.first() {
            let small = first.is_ascii_lowercase();
            let length = rest.iter().take_while(|letter| letter.is_ascii_lowercase() == small).count();
            let end = start + length as u32;
            match self.0.masked.last_mut() {
                _ if !small => {}
                Some(run) if run.end == start => run.end = end,
                _ => self.0.masked.push(Run { start, end }),
            }
            start = end;
            rest = &rest[length..];
        }
    }

    /// Gives back memory that was taken for bases that did not come.
    pub(crate) fn shrink(&mut self) {
        self.0.bits.shrink_to_fit();
        self.0.unknown.shrink_to_fit();
        self.0.masked.shrink_to_fit();
    }

    pub(super) fn finish(mut self) -> Packed {
        self.shrink();
        self.0
    }
}
