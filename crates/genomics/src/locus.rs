//! Where something lies on a genome: intervals, strands, and the many names of a contig.
//!
//! Positions are converted once, where a file is read: everything inside the crate is 0-based and half-open, as BED and
//! BAM write it (VCF, GFF, SAM text and browsers count from 1 and include the last base).

mod names;

pub use names::ContigNames;
pub(crate) use names::listed;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Positions beyond this many bases on either side of 0 are refused, so that sums of positions cannot overflow; the
/// longest chromosome known has less than a hundredth of it.
pub const MAX_POSITION: i64 = 1 << 40;

/// The strand of a double-stranded sequence on which something lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strand {
    /// The strand that the reference shows, `+`.
    #[default]
    Forward,
    /// Its reverse complement, `-`.
    Reverse,
}

impl Strand {
    /// `+` or `-`.
    pub fn sign(self) -> char {
        match self {
            Self::Forward => '+',
            Self::Reverse => '-',
        }
    }

    /// The other strand.
    pub fn flipped(self) -> Self {
        match self {
            Self::Forward => Self::Reverse,
            Self::Reverse => Self::Forward,
        }
    }
}

/// A place or a contig name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocusError {
    /// The end lies before the start.
    #[error("{contig}: the end {end} lies before the start {start}")]
    Backwards {
        /// The contig.
        contig: Arc<str>,
        /// 0-based start.
        start: i64,
        /// End, not included.
        end: i64,
    },
    /// A position that no contig has.
    #[error("{contig}: position {position} is beyond {limit}, more than any contig has", limit = MAX_POSITION)]
    Position {
        /// The contig.
        contig: Arc<str>,
        /// The position as given.
        position: i64,
    },
    /// A contig that is not there under any name.
    #[error(
        "contig {name} is not among the {count} known ones: {known}; take files of one assembly, or give an alias table"
    )]
    Unknown {
        /// The name that was looked for.
        name: String,
        /// The known names, shortened if there are many.
        known: String,
        /// How many are known.
        count: usize,
    },
    /// Several contigs that are not there under any name.
    #[error(
        "{missing_count} contigs are not among the {count} known ones; missing: {missing}; known: {known}; take files \
         of one assembly, or give an alias table"
    )]
    Unmatched {
        /// The names that were looked for in vain, shortened if there are many.
        missing: String,
        /// How many are missing.
        missing_count: usize,
        /// The known names, shortened if there are many.
        known: String,
        /// How many are known.
        count: usize,
    },
    /// A name that fits two contigs by rule.
    #[error("contig {name} may be {first} or {second}; write the name in full or give an alias table")]
    Ambiguous {
        /// The name that was looked for.
        name: String,
        /// One contig it fits.
        first: String,
        /// Another.
        second: String,
    },
    /// Text that names no region.
    #[error("{text:?} is no region; write contig:first-last, counted from 1, as chr1:1001-1100 or chr1:1001-1100(-)")]
    Region {
        /// The text.
        text: String,
    },
}

/// An interval on one strand of a contig, 0-based and half-open.
///
/// `start` may be negative and `end` past the contig's end after [`Locus::centred`] or [`Locus::extended`]; the genome
/// pads or refuses such windows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locus {
    /// Name of the contig.
    pub contig: Arc<str>,
    /// First base, counted from 0.
    pub start: i64,
    /// The base behind the last one.
    pub end: i64,
    /// The strand.
    pub strand: Strand,
}

impl Locus {
    /// An interval on the forward strand.
    ///
    /// # Errors
    /// [`LocusError::Backwards`] if `end < start`, [`LocusError::Position`] beyond [`MAX_POSITION`] on either side.
    pub fn new(contig: impl Into<Arc<str>>, start: i64, end: i64) -> Result<Self, LocusError> {
        let contig = contig.into();
        for position in [start, end] {
            if !(-MAX_POSITION..=MAX_POSITION).contains(&position) {
                return Err(LocusError::Position { contig, position });
            }
        }
        if end < start {
            return Err(LocusError::Backwards { contig, start, end });
        }
        Ok(Self { contig, start, end, strand: Strand::Forward })
    }

    /// An interval as VCF, GFF and browsers write it: counted from 1, with the last base included.
    ///
    /// # Errors
    /// As [`Locus::new`]; `last` may be `first − 1`, which is an empty interval.
    pub fn from_one_based(contig: impl Into<Arc<str>>, first: i64, last: i64) -> Result<Self, LocusError> {
        Self::new(contig, first.saturating_sub(1), last)
    }

    /// The same interval on `strand`.
    pub fn on(mut self, strand: Strand) -> Self {
        self.strand = strand;
        self
    }

    /// Number of bases.
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(0)
    }

    /// Whether there is no base.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// `(start + end) / 2`, rounded down: the middle base of an odd number of bases, the base right of the middle of an
    /// even number. It does not depend on the strand.
    pub fn centre(&self) -> i64 {
        self.start + (self.end - self.start).div_euclid(2)
    }

    /// The window of `width` bases from `centre − width / 2` (rounded down) on. The base at [`Locus::centre`] has index
    /// `width / 2` in it on the forward strand, and, of an odd width, on the reverse strand as well.
    pub fn centred(&self, width: usize) -> Self {
        let width = i64::try_from(width).unwrap_or(MAX_POSITION);
        let start = self.centre() - width / 2;
        Self { contig: Arc::clone(&self.contig), start, end: start + width, strand: self.strand }
    }

    /// The interval with `upstream` bases before it and `downstream` behind it in the direction of its strand.
    pub fn extended(&self, upstream: usize, downstream: usize) -> Self {
        let (left, right) = match self.strand {
            Strand::Forward => (upstream, downstream),
            Strand::Reverse => (downstream, upstream),
        };
        let bases = |count: usize| i64::try_from(count).unwrap_or(MAX_POSITION);
        Self {
            contig: Arc::clone(&self.contig),
            start: self.start - bases(left),
            end: self.end + bases(right),
            strand: self.strand,
        }
    }

    /// The first base in the direction of the strand: of a reverse interval its last base on the reference.
    pub fn five_prime(&self) -> i64 {
        match self.strand {
            Strand::Forward => self.start,
            Strand::Reverse => self.end - 1,
        }
    }

    /// Whether the two have a base in common, on whichever strand.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contig == other.contig && self.start.max(other.start) < self.end.min(other.end)
    }
}

/// `chr1:1001-1100(+)`, counted from 1 with the last base included, as browsers do.
impl fmt::Display for Locus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}({})", self.contig, self.start + 1, self.end, self.strand.sign())
    }
}

/// Reads what [`Locus`] displays; the strand may be left out, and the numbers may have commas.
impl FromStr for Locus {
    type Err = LocusError;

    fn from_str(text: &str) -> Result<Self, LocusError> {
        let no_region = || LocusError::Region { text: text.to_owned() };
        let (place, strand) = match (text.strip_suffix("(+)"), text.strip_suffix("(-)")) {
            (_, Some(place)) => (place, Strand::Reverse),
            (Some(place), _) => (place, Strand::Forward),
            _ => (text, Strand::Forward),
        };
        // A colon may be part of the name, as in HLA-A*01:01.
        let (contig, range) = place.rsplit_once(':').ok_or_else(no_region)?;
        // A minus at the very start is a sign.
        let (dash, _) = range.char_indices().skip(1).find(|&(_, letter)| letter == '-').ok_or_else(no_region)?;
        let number = |digits: &str| digits.replace(',', "").parse::<i64>().map_err(|_| no_region());
        let (first, last) = (number(&range[..dash])?, number(&range[dash + 1..])?);
        if contig.is_empty() {
            return Err(no_region());
        }
        Ok(Self::from_one_based(contig, first, last)?.on(strand))
    }
}

#[cfg(test)]
mod tests;
