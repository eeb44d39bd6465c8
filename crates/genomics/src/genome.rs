//! A genome in memory: two bits for each base, with runs of unknown and of soft-masked bases beside them.
//!
//! A human genome takes about 0.8 GB. Windows come out as letters or, straight from the two bits, as one-hot channels.

use std::ops::Range;
use std::sync::Arc;

use crate::locus::{ContigNames, Locus, LocusError, Strand};
use crate::sequence::{self, SequenceError, Unknown};

mod pack;

use self::pack::Packed;
pub(crate) use self::pack::Packer;

/// Bases of the longest window, so that a mistyped position cannot fill the memory.
pub const MAX_WINDOW: usize = 1 << 31;

/// What becomes of a window that leaves its contig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// The missing bases are N.
    #[default]
    Pad,
    /// It is an error.
    Refuse,
}

/// A genome that cannot be built, or a window that it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenomeError {
    /// Two contigs of one name.
    #[error("contig {contig} is there twice; names must differ")]
    Duplicate {
        /// The name.
        contig: String,
    },
    /// A letter that is no nucleotide.
    #[error("contig {contig}: {error}")]
    Sequence {
        /// The contig.
        contig: String,
        /// The letter and its place.
        error: SequenceError,
    },
    /// More bases than positions can count.
    #[error("contig {contig} has more than {limit} bases, which is not supported", limit = u32::MAX)]
    TooLong {
        /// The contig.
        contig: String,
    },
    /// The contig is not there.
    #[error(transparent)]
    Locus(#[from] LocusError),
    /// The window leaves the contig, and [`Edge::Refuse`] was asked for.
    #[error(
        "{locus} leaves its contig, which has the bases {first} to {end}; pad windows or drop this one",
        first = .start + 1
    )]
    Outside {
        /// The window.
        locus: Locus,
        /// First base of the contig, from 0.
        start: i64,
        /// The base behind its last one.
        end: i64,
    },
    /// Windows of one batch differ in length.
    #[error("{locus} has {length} bases, the windows before it {expected}; windows of one batch must be of one length")]
    Lengths {
        /// The window that differs.
        locus: Locus,
        /// Its length.
        length: usize,
        /// That of the first.
        expected: usize,
    },
    /// More bases than one window may have.
    #[error("{locus} has {length} bases; a window has at most {limit}", limit = MAX_WINDOW)]
    Wide {
        /// The window.
        locus: Locus,
        /// Its length.
        length: usize,
    },
}

/// The contigs of an assembly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Genome {
    names: ContigNames,
    contigs: Vec<Contig>,
}

#[derive(Debug, Clone, PartialEq)]
struct Contig {
    bases: Packed,
    /// Position of the first base, 0 unless the record is a part of its contig.
    offset: i64,
}

impl Contig {
    fn range(&self) -> Range<i64> {
        self.offset..self.offset + self.bases.len() as i64
    }

    /// The part of the window that the contig has, in bases of the record, and the number of bases missing before it.
    fn part(&self, locus: &Locus) -> (Range<usize>, usize) {
        let range = self.range();
        let clamped = |position: i64| position.clamp(range.start, range.end) - range.start;
        let (start, end) = (clamped(locus.start), clamped(locus.end));
        // A window that lies behind the contig has no part, and everything is missing behind it.
        let before = (range.start - locus.start).clamp(0, locus.len() as i64);
        (start as usize..end as usize, before as usize)
    }
}

impl Genome {
    /// Packs contigs. Small letters are soft-masked; IUPAC codes are kept; U becomes T.
    ///
    /// # Errors
    /// [`GenomeError`] if a name comes twice, a letter is no nucleotide, or a contig is too long.
    pub fn from_contigs(contigs: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, GenomeError> {
        let mut packed = Vec::new();
        for (contig, bases) in contigs {
            let mut packer = Packer::default();
            packer.push(&bases).map_err(|problem| problem.of(&contig))?;
            packed.push((contig, packer));
        }
        Self::from_packers(packed)
    }

    /// As [`Genome::from_contigs`], of contigs that were packed while they were read.
    pub(crate) fn from_packers(packers: impl IntoIterator<Item = (String, Packer)>) -> Result<Self, GenomeError> {
        let (mut names, mut contigs) = (Vec::new(), Vec::new());
        let mut seen = std::collections::HashSet::new();
        for (contig, packer) in packers {
            if !seen.insert(contig.clone()) {
                return Err(GenomeError::Duplicate { contig });
            }
            names.push(contig);
            contigs.push(Contig { bases: packer.finish(), offset: 0 });
        }
        Ok(Self { names: ContigNames::new(names), contigs })
    }

    /// Lets the contigs be found under the names of an alias table too.
    pub fn with_aliases(mut self, pairs: &[(String, String)]) -> Self {
        self.names = self.names.with_aliases(pairs);
        self
    }

    /// The names of the contigs.
    pub fn names(&self) -> &ContigNames {
        &self.names
    }

    /// Names and numbers of bases, in the order of the assembly.
    pub fn contigs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names.iter().zip(&self.contigs).map(|(name, contig)| (name, contig.bases.len()))
    }

    /// Number of bases of a contig, under any name that [`Genome::names`] resolves.
    pub fn length(&self, contig: &str) -> Option<usize> {
        self.find(contig).ok().map(|contig| contig.bases.len())
    }

    /// Positions that a contig has: from 0 on unless [`Genome::offset`] says otherwise.
    pub fn range(&self, contig: &str) -> Option<Range<i64>> {
        self.find(contig).ok().map(Contig::range)
    }

    /// Number of bases of all contigs.
    pub fn bases(&self) -> u64 {
        self.contigs.iter().map(|contig| contig.bases.len() as u64).sum()
    }

    /// Bytes of memory that the bases and runs take.
    pub fn bytes(&self) -> usize {
        self.contigs.iter().map(|contig| contig.bases.bytes()).sum()
    }

    /// Says that the record of `contig` begins at position `by` (0-based) of its contig, as a FASTA file cut out of a
    /// longer one does. Returns whether the contig is there.
    pub fn offset(&mut self, contig: &str, by: i64) -> bool {
        let by = by.clamp(-crate::locus::MAX_POSITION, crate::locus::MAX_POSITION);
        match self.names.position(contig) {
            Ok(place) => {
                self.contigs[place].offset = by;
                true
            }
            Err(_) => false,
        }
    }

    /// The bases of a window, in capitals: always `locus.len()` of them. On [`Strand::Reverse`] they are the reverse
    /// complement.
    ///
    /// # Errors
    /// [`GenomeError::Locus`] for an unknown contig, [`GenomeError::Outside`] under [`Edge::Refuse`],
    /// [`GenomeError::Wide`].
    pub fn window(&self, locus: &Locus, edge: Edge) -> Result<Vec<u8>, GenomeError> {
        let contig = self.checked(locus, edge)?;
        let mut codes = Vec::with_capacity(locus.len());
        fill(contig, locus, &mut codes);
        for code in &mut codes {
            *code = sequence::letter(*code);
        }
        Ok(codes)
    }

    /// One-hot channels of windows of one length, made from the two bits without letters between.
    ///
    /// # Shapes
    /// `[n, 4, length]`, row-major, channels in the order A, C, G, T.
    ///
    /// # Errors
    /// As [`Genome::window`], and [`GenomeError::Lengths`] if the windows differ in length.
    pub fn one_hot(&self, loci: &[Locus], edge: Edge, unknown: Unknown) -> Result<Vec<f32>, GenomeError> {
        let expected = loci.first().map_or(0, Locus::len);
        let mut contigs = Vec::with_capacity(loci.len());
        // Windows of one file share their names: a name is looked up again only where it changes.
        let mut last: Option<(&Arc<str>, &Contig)> = None;
        for locus in loci {
            let length = locus.len();
            if length != expected {
                return Err(GenomeError::Lengths { locus: locus.clone(), length, expected });
            }
            let contig = match last {
                Some((name, contig)) if Arc::ptr_eq(name, &locus.contig) => contig,
                _ => self.find(&locus.contig)?,
            };
            check(contig, locus, edge)?;
            last = Some((&locus.contig, contig));
            contigs.push(contig);
        }
        Ok(sequence::encode(loci.len(), expected, unknown, |row, codes| fill(contigs[row], &loci[row], codes)))
    }

    /// Share of soft-masked bases among those of the window that the contig has; 0 if there is none.
    pub fn masked_share(&self, locus: &Locus) -> f64 {
        self.share(locus, Packed::masked)
    }

    /// Share of bases other than A, C, G and T among those of the window that the contig has; 0 if there is none.
    pub fn unknown_share(&self, locus: &Locus) -> f64 {
        self.share(locus, Packed::unknown)
    }

    fn share(&self, locus: &Locus, count: impl Fn(&Packed, Range<usize>) -> usize) -> f64 {
        let Ok(contig) = self.find(&locus.contig) else { return 0.0 };
        let (part, _) = contig.part(locus);
        if part.is_empty() { 0.0 } else { count(&contig.bases, part.clone()) as f64 / part.len() as f64 }
    }

    fn find(&self, contig: &str) -> Result<&Contig, LocusError> {
        self.names.position(contig).map(|place| &self.contigs[place])
    }

    fn checked(&self, locus: &Locus, edge: Edge) -> Result<&Contig, GenomeError> {
        let contig = self.find(&locus.contig)?;
        check(contig, locus, edge)?;
        Ok(contig)
    }
}

fn check(contig: &Contig, locus: &Locus, edge: Edge) -> Result<(), GenomeError> {
    let range = contig.range();
    if locus.len() > MAX_WINDOW {
        return Err(GenomeError::Wide { locus: locus.clone(), length: locus.len() });
    }
    if edge == Edge::Refuse && (locus.start < range.start || locus.end > range.end) {
        return Err(GenomeError::Outside { locus: locus.clone(), start: range.start, end: range.end });
    }
    Ok(())
}

/// Appends the codes of a window to an empty buffer.
fn fill(contig: &Contig, locus: &Locus, codes: &mut Vec<u8>) {
    let (part, before) = contig.part(locus);
    codes.resize(before, sequence::ANY);
    contig.bases.unpack(part, codes);
    codes.resize(locus.len(), sequence::ANY);
    if locus.strand == Strand::Reverse {
        codes.reverse();
        for code in codes {
            *code = sequence::complement(*code);
        }
    }
}

#[cfg(test)]
mod tests;
