//! The one way to write a variant: as short as can be, and as far to the left as can be (Tan, Abecasis, Kang 2015,
//! Bioinformatics 31:2202, algorithm 1).

use std::collections::VecDeque;
use std::sync::Arc;

use super::Variant;
use crate::genome::{Edge, Genome};
use crate::locus::Locus;

/// Bases read at once on the way to the left.
const BLOCK: i64 = 256;

/// The variant left-aligned and trimmed. Both alleles keep at least one base; the sequence that the variant makes of
/// the genome does not change. At the first base of a contig, where no base is left of it, the base behind an
/// insertion or deletion is kept, as `bcftools norm` does.
///
/// The contig has to be named as the genome names it; otherwise, as where an allele is empty, nothing is shifted.
pub fn normalise(variant: &Variant, genome: &Genome) -> Variant {
    if variant.reference == variant.alternate || variant.reference.is_empty() || variant.alternate.is_empty() {
        return variant.clone();
    }
    let mut reference: VecDeque<u8> = variant.reference.iter().copied().collect();
    let mut alternate: VecDeque<u8> = variant.alternate.iter().copied().collect();
    let mut position = variant.position;
    let mut left = Left::new(genome, &variant.contig);
    while reference.back() == alternate.back() {
        if reference.len() == 1 || alternate.len() == 1 {
            // An allele must not become empty: a base from the left takes the place of the one that goes.
            let Some(base) = left.of(position) else { break };
            position -= 1;
            reference.push_front(base);
            alternate.push_front(base);
        }
        reference.pop_back();
        alternate.pop_back();
    }
    while reference.len() > 1 && alternate.len() > 1 && reference.front() == alternate.front() {
        reference.pop_front();
        alternate.pop_front();
        position += 1;
    }
    Variant { position, reference: reference.into(), alternate: alternate.into(), ..variant.clone() }
}

/// The bases left of a position, read block by block.
struct Left<'g> {
    genome: &'g Genome,
    contig: Arc<str>,
    /// First position of the contig.
    first: i64,
    /// The block that was read last and its first position.
    block: Vec<u8>,
    start: i64,
}

impl<'g> Left<'g> {
    fn new(genome: &'g Genome, contig: &Arc<str>) -> Self {
        let first = genome.range(contig).map_or(i64::MAX, |range| range.start);
        Self { genome, contig: Arc::clone(contig), first, block: Vec::new(), start: 0 }
    }

    /// The base left of `position`.
    fn of(&mut self, position: i64) -> Option<u8> {
        if position <= self.first {
            return None;
        }
        let at = position - 1;
        if at < self.start || at >= self.start + self.block.len() as i64 {
            self.start = self.first.max(position - BLOCK);
            let locus = Locus::new(Arc::clone(&self.contig), self.start, position).ok()?;
            self.block = self.genome.window(&locus, Edge::Refuse).ok()?;
        }
        self.block.get(usize::try_from(at - self.start).ok()?).copied()
    }
}
