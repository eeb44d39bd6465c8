//! Windows of fixed length around a variant, with either allele in them.
//!
//! The first base of the variant has index `(width − 1) / 2`, rounded down: the middle base of an odd width, the base
//! left of the middle of an even one. So do `ExPecto` (`chromatin.py`: `windowsize / 2 - 1`), baskerville (`vcf.py`:
//! `seq_len // 2 - 1`) and Selene since its issue 72 (`_get_ref_idxs`). A longer REF begins there too, as in the first
//! two; Selene puts its middle base there.
//!
//! An insertion or deletion moves one flank. The window of the alternate allele is cut once so that the left flank
//! stays where it is, and once so that the right one does; the mean of both scores is the compensation of
//! baskerville's pull request 8, with bases of the genome instead of padding where the flank moves in.

use std::sync::Arc;

use super::Variant;
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::Locus;

/// Index in a window of `width` bases at which a variant begins.
pub fn centre_index(width: usize) -> usize {
    width.saturating_sub(1) / 2
}

/// The sequences of both alleles, all of one length, in capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// With the reference allele.
    pub reference: Vec<u8>,
    /// With the alternate allele, the left flank where it is in `reference`.
    pub alternate: Vec<u8>,
    /// With the alternate allele, the right flank where it is in `reference`; there if the alleles differ in length.
    pub compensated: Option<Vec<u8>>,
}

/// The windows of `width` bases of a variant that is named as the genome names its contigs. If the genome has the
/// alternate allele (`swapped`), it is the reference allele that is put in.
///
/// # Errors
/// [`GenomeError`] for an unknown contig, a width that no window may have, and, under [`Edge::Refuse`], for a window
/// that leaves its contig.
pub fn windows(
    variant: &Variant,
    swapped: bool,
    genome: &Genome,
    width: usize,
    edge: Edge,
) -> Result<Windows, GenomeError> {
    let there = if swapped { &variant.alternate } else { &variant.reference };
    let site = Site { genome, contig: &variant.contig, position: variant.position, there: there.len(), width, edge };
    let first = -(centre_index(width) as i64);
    let growth = variant.growth();
    let compensated = (growth != 0).then(|| site.with(&variant.alternate, first + growth)).transpose()?;
    Ok(Windows {
        reference: site.with(&variant.reference, first)?,
        alternate: site.with(&variant.alternate, first)?,
        compensated,
    })
}

/// Where an allele is put in.
struct Site<'a> {
    genome: &'a Genome,
    contig: &'a Arc<str>,
    position: i64,
    /// Bases of the allele that the genome has there.
    there: usize,
    width: usize,
    edge: Edge,
}

impl Site<'_> {
    /// `width` bases of the genome with `allele` in it, from index `first` on, where the allele has the index 0.
    fn with(&self, allele: &[u8], first: i64) -> Result<Vec<u8>, GenomeError> {
        let (length, end) = (allele.len() as i64, first + self.width as i64);
        let mut bases = Vec::with_capacity(self.width);
        bases.extend(self.read(self.position + first, self.position + end.min(0))?);
        let inside = |index: i64| index.clamp(0, length) as usize;
        bases.extend_from_slice(&allele[inside(first)..inside(end)]);
        let behind = self.position + self.there as i64 - length;
        bases.extend(self.read(behind + first.max(length), behind + end)?);
        Ok(bases)
    }

    fn read(&self, start: i64, end: i64) -> Result<Vec<u8>, GenomeError> {
        if end <= start {
            return Ok(Vec::new());
        }
        self.genome.window(&Locus::new(Arc::clone(self.contig), start, end)?, self.edge)
    }
}
