//! Variants as sequences: each alternate allele compared with the genome, left-aligned, put into windows of fixed
//! length, and scored.
//!
//! A record of a VCF file is split into one [`Variant`] for each alternate allele. [`check()`] says how it stands to
//! the genome ([`Status`]) and normalises it; [`windows()`] builds the sequences of both alleles, [`haplotype()`]
//! those of an interval with several variants in it; [`VariantScorer`] turns a function that scores sequences into one
//! that scores variants, and [`annotate()`] takes a whole file through all of it.
//!
//! ```
//! use genomics::genome::{Edge, Genome};
//! use genomics::variant::{Contigs, Status, Variant, check, windows};
//! let genome = Genome::from_contigs([("chr1".to_owned(), b"ACGTTTGA".to_vec())])?;
//! // A deletion of the last of three Ts; left-aligned it is GT>G.
//! let given = Variant::new("1", 4, b"TT", b"T");
//! let checked = check(given, &mut Contigs::new(&genome));
//! assert_eq!(checked.status, Status::Match);
//! let normal = checked.normalised.as_ref().ok_or("not normalised")?;
//! assert_eq!(normal.to_string(), "chr1:3:GT>G");
//! let built = windows(normal, false, &genome, 5, Edge::Pad)?;
//! assert_eq!((built.reference.as_slice(), built.alternate.as_slice()), (&b"ACGTT"[..], &b"ACGTT"[..]));
//! assert_eq!(built.compensated.as_deref(), Some(&b"NACGT"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotate;
mod check;
mod contigs;
mod haplotype;
mod normalise;
mod score;
mod window;

pub use self::annotate::{LengthMismatch, Outputs, Summary, VariantError, annotate};
pub use self::check::{Checked, Status, check};
pub use self::contigs::Contigs;
pub use self::haplotype::{HaplotypeError, Length, haplotype};
pub use self::normalise::normalise;
pub use self::score::{Effect, Prediction, Scale, Score, ScoreConfig, ScoreError, VariantScorer};
pub use self::window::{Windows, centre_index, windows};

use std::fmt;
use std::sync::Arc;

use crate::io::vcf::VcfRecord;

/// One alternate allele and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Name of the contig, as the file writes it or, in a normalised variant, as the genome does.
    pub contig: Arc<str>,
    /// First base of the reference allele, counted from 0; −1 for the telomere, which VCF writes as position 0.
    pub position: i64,
    /// The reference allele, in capitals.
    pub reference: Vec<u8>,
    /// The alternate allele, in capitals; `<DEL>` and its like as they stand, `.` where there is none.
    pub alternate: Vec<u8>,
    /// Identifier of the record, if it has one.
    pub id: Option<Arc<str>>,
    /// Number of the record in its file, from 0; quarantined rows are not counted.
    pub record: u64,
    /// Number of the allele in its record, from 1 as genotypes count.
    pub allele: u32,
}

impl Variant {
    /// A variant that comes from no file. Letters become capitals.
    pub fn new(contig: impl Into<Arc<str>>, position: i64, reference: &[u8], alternate: &[u8]) -> Self {
        Self {
            contig: contig.into(),
            position,
            reference: reference.to_ascii_uppercase(),
            alternate: capitals(alternate),
            id: None,
            record: 0,
            allele: 1,
        }
    }

    /// The alternate alleles of a record, in order; one with the alternate `.` if it has none.
    pub fn of(record: &VcfRecord) -> impl Iterator<Item = Self> + '_ {
        let contig: Arc<str> = Arc::from(record.contig());
        let id: Option<Arc<str>> = record.id().map(Arc::from);
        let none = record.alternates().next().is_none().then_some(&b"."[..]);
        let alternates = record.alternates().chain(none);
        alternates.zip(1_u32..).map(move |(alternate, allele)| Self {
            contig: Arc::clone(&contig),
            position: record.position(),
            reference: record.reference().to_ascii_uppercase(),
            alternate: capitals(alternate),
            id: id.clone(),
            record: record.index(),
            allele,
        })
    }

    /// The base behind the last one of the reference allele.
    pub fn end(&self) -> i64 {
        self.position + self.reference.len() as i64
    }

    /// By how many bases the alternate allele is longer than the reference allele.
    pub fn growth(&self) -> i64 {
        self.alternate.len() as i64 - self.reference.len() as i64
    }
}

/// Bases in capitals; the names of symbolic alleles and breakends tell small letters from capitals.
fn capitals(alternate: &[u8]) -> Vec<u8> {
    if alternate.iter().all(u8::is_ascii_alphabetic) { alternate.to_ascii_uppercase() } else { alternate.to_vec() }
}

/// `chr1:101:A>G`, counted from 1 as VCF does.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reference, alternate) = (shown(&self.reference), shown(&self.alternate));
        write!(f, "{}:{}:{reference}>{alternate}", self.contig, self.position + 1)
    }
}

/// An allele for messages and tables, shortened if it is long.
fn shown(allele: &[u8]) -> String {
    const SHOWN: usize = 60;
    let head = String::from_utf8_lossy(&allele[..allele.len().min(SHOWN)]);
    if allele.len() > SHOWN { format!("{head}… ({} bases)", allele.len()) } else { head.into_owned() }
}

#[cfg(test)]
mod tests;
