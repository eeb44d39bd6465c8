//! The sequence of an interval with several variants in it.
//!
//! The semantics are those of kipoiseq's `VariantSeqExtractor`: one position, the anchor, keeps its place, and bases
//! are laid out from it in both directions, so that a deletion pulls in bases from beyond the interval and an
//! insertion pushes some out. Two things differ: bases beyond the end of a contig are N or refused instead of missing,
//! and variants that overlap are refused instead of being inserted one after the other.

use std::sync::Arc;

use super::Variant;
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::{Locus, LocusError, Strand};
use crate::sequence::reverse_complement;

/// How long the sequence is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// As long as the interval.
    Fixed,
    /// As long as the variants make it: both ends of the interval keep their places on the genome.
    Free,
}

/// A sequence that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HaplotypeError {
    /// Two variants change the same base.
    #[error("{first} and {second} overlap; choose one of them")]
    Overlap {
        /// The one further left.
        first: String,
        /// The other.
        second: String,
    },
    /// A variant of another contig.
    #[error("{variant} does not lie on {contig}")]
    Contig {
        /// The variant.
        variant: String,
        /// The contig of the interval.
        contig: String,
    },
    /// The genome does not have the bases.
    #[error(transparent)]
    Genome(#[from] GenomeError),
}

impl From<LocusError> for HaplotypeError {
    fn from(error: LocusError) -> Self {
        Self::Genome(error.into())
    }
}

/// Bases of the genome and what stands in their place.
#[derive(Clone, Copy)]
struct Edit<'v> {
    start: i64,
    end: i64,
    bases: &'v [u8],
}

impl Edit<'_> {
    /// The two sides of an edit that a position divides; what the alternate allele is longer by is on the right.
    fn split(self, at: i64) -> [Self; 2] {
        let middle = usize::try_from(at - self.start).unwrap_or(0).min(self.bases.len());
        let (left, right) = self.bases.split_at(middle);
        [Self { end: at, bases: left, ..self }, Self { start: at, bases: right, ..self }]
    }
}

/// The sequence of `interval` with all of `variants` in it, in capitals; on the reverse strand its reverse complement.
///
/// `anchor` is a position of the genome, moved into the interval if it lies outside; a variant that holds it is cut
/// there. REF is not compared with the genome, and variants far from the interval do no harm.
///
/// # Errors
/// [`HaplotypeError`] if two variants overlap, one lies on another contig, or the genome does not have the bases.
pub fn haplotype(
    genome: &Genome,
    interval: &Locus,
    variants: &[Variant],
    anchor: i64,
    length: Length,
    edge: Edge,
) -> Result<Vec<u8>, HaplotypeError> {
    let (start, end) = (interval.start, interval.end);
    let anchor = anchor.clamp(start, end);
    let mut edits = edits(genome, interval, variants)?;
    divide(&mut edits, anchor, true, true);
    if length == Length::Free {
        divide(&mut edits, start, false, true);
        divide(&mut edits, end, true, false);
    }
    let first_right = edits.partition_point(|edit| edit.start < anchor);
    let (left, right) = edits.split_at(first_right);
    let walk = Walk { genome, contig: &interval.contig, length, edge };

    let mut sequence = walk.leftwards(left, anchor, start)?;
    sequence.extend(walk.rightwards(right, anchor, end)?);
    Ok(if interval.strand == Strand::Reverse { reverse_complement(&sequence) } else { sequence })
}

/// The edits in order, none of which reaches into another.
fn edits<'v>(genome: &Genome, interval: &Locus, variants: &'v [Variant]) -> Result<Vec<Edit<'v>>, HaplotypeError> {
    let place = genome.names().position(&interval.contig)?;
    let mut sorted: Vec<&Variant> = variants.iter().collect();
    sorted.sort_by_key(|variant| (variant.position, variant.end()));
    for variant in &sorted {
        if genome.names().position(&variant.contig) != Ok(place) {
            let (variant, contig) = (variant.to_string(), interval.contig.to_string());
            return Err(HaplotypeError::Contig { variant, contig });
        }
    }
    for pair in sorted.windows(2) {
        if pair[0].end() > pair[1].position {
            return Err(HaplotypeError::Overlap { first: pair[0].to_string(), second: pair[1].to_string() });
        }
    }
    Ok(sorted.iter().map(|v| Edit { start: v.position, end: v.end(), bases: &v.alternate }).collect())
}

/// Cuts the edit that holds `at` and keeps the sides asked for.
fn divide(edits: &mut Vec<Edit>, at: i64, keep_left: bool, keep_right: bool) {
    let Some(place) = edits.iter().position(|edit| edit.start < at && at < edit.end) else { return };
    let [left, right] = edits[place].split(at);
    let kept = [(keep_left, left), (keep_right, right)].into_iter().filter(|(keep, _)| *keep).map(|(_, edit)| edit);
    drop(edits.splice(place..=place, kept));
}

/// Lays out bases from the anchor.
struct Walk<'a> {
    genome: &'a Genome,
    contig: &'a Arc<str>,
    length: Length,
    edge: Edge,
}

impl Walk<'_> {
    /// From `anchor` to `end`.
    fn rightwards(&self, edits: &[Edit], anchor: i64, end: i64) -> Result<Vec<u8>, GenomeError> {
        let (mut bases, mut at): (Vec<u8>, i64) = (Vec::new(), anchor);
        // The position behind the last base that may still be needed; insertions bring it nearer.
        let limit = |at: i64, bases: &[u8]| match self.length {
            Length::Fixed => at + (end - anchor - bases.len() as i64),
            Length::Free => end,
        };
        for edit in edits {
            if edit.start >= limit(at, &bases) {
                break;
            }
            bases.extend(self.read(at, edit.start)?);
            bases.extend_from_slice(edit.bases);
            at = edit.end;
        }
        bases.extend(self.read(at, limit(at, &bases))?);
        if self.length == Length::Fixed {
            bases.truncate((end - anchor) as usize);
        }
        Ok(bases)
    }

    /// From `start` to `anchor`.
    fn leftwards(&self, edits: &[Edit], anchor: i64, start: i64) -> Result<Vec<u8>, GenomeError> {
        let (mut pieces, mut count, mut at) = (Vec::new(), 0_i64, anchor);
        let limit = |at: i64, count: i64| match self.length {
            Length::Fixed => at - (anchor - start - count),
            Length::Free => start,
        };
        for edit in edits.iter().rev() {
            if edit.end <= limit(at, count) {
                break;
            }
            let between = self.read(edit.end, at)?;
            count += between.len() as i64 + edit.bases.len() as i64;
            pieces.push(between);
            pieces.push(edit.bases.to_vec());
            at = edit.start;
        }
        pieces.push(self.read(limit(at, count), at)?);
        pieces.reverse();
        let bases = pieces.concat();
        let surplus = match self.length {
            Length::Fixed => bases.len().saturating_sub((anchor - start) as usize),
            Length::Free => 0,
        };
        Ok(bases[surplus..].to_vec())
    }

    fn read(&self, start: i64, end: i64) -> Result<Vec<u8>, GenomeError> {
        if end <= start {
            return Ok(Vec::new());
        }
        self.genome.window(&Locus::new(Arc::clone(self.contig), start, end)?, self.edge)
    }
}
