//! How a variant stands to the genome.
//!
//! A file that was called against another assembly, or whose REF and ALT were exchanged by a tool that put the major
//! allele first, gives scores that look like any others; so each allele says what was found.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Contigs, Variant, normalise, shown};
use crate::genome::{Edge, Genome};
use crate::locus::Locus;

/// How an allele stands to the genome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The genome has REF there.
    Match,
    /// The genome has ALT there and not REF. Of a deletion whose ALT is a single base this is weak evidence: a
    /// mismatch behind that base reads the same.
    Swapped,
    /// The genome has neither.
    Mismatch,
    /// The contig has no such position.
    OutOfRange,
    /// ALT is a name and not a sequence: `<DEL>`, `<NON_REF>`, `*`, a breakend.
    Symbolic,
    /// Anything else that cannot be scored; the reason is given with it.
    Unsupported,
}

impl Status {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 6] =
        [Self::Match, Self::Swapped, Self::Mismatch, Self::OutOfRange, Self::Symbolic, Self::Unsupported];

    /// The name in tables and INFO fields.
    pub fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Swapped => "swapped",
            Self::Mismatch => "mismatch",
            Self::OutOfRange => "out_of_range",
            Self::Symbolic => "symbolic",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A variant that was compared with the genome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// As the file has it.
    pub variant: Variant,
    /// What was found.
    pub status: Status,
    /// Why it cannot be scored, where it cannot.
    pub reason: Option<String>,
    /// Left-aligned and trimmed, on the genome's own contig; there if the status is [`Status::Match`] or
    /// [`Status::Swapped`].
    pub normalised: Option<Variant>,
}

/// Compares a variant with the genome, and normalises it where the genome has one of its alleles.
pub fn check(variant: Variant, contigs: &mut Contigs) -> Checked {
    // Every contig of the file is to be accounted for, that of a symbolic allele too.
    let own = contigs.resolve(&variant.contig);
    match status(&variant, own, contigs.genome()) {
        Ok((status, normalised)) => Checked { variant, status, reason: None, normalised: Some(normalised) },
        Err((status, reason)) => Checked { variant, status, reason: Some(reason), normalised: None },
    }
}

fn status(variant: &Variant, own: Option<Arc<str>>, genome: &Genome) -> Result<(Status, Variant), (Status, String)> {
    let unsupported = |reason: &str| Err((Status::Unsupported, reason.to_owned()));
    let (reference, alternate) = (&variant.reference, &variant.alternate);
    match alternate.as_slice() {
        b"" | b"." => return unsupported("there is no alternate allele"),
        symbolic if is_symbolic(symbolic) => return Err((Status::Symbolic, format!("ALT is {}", shown(symbolic)))),
        letters if !letters.iter().all(|letter| b"ACGT".contains(letter)) => {
            return unsupported("ALT has letters other than A, C, G and T");
        }
        _ => {}
    }
    if reference.is_empty() || reference.iter().any(|&letter| bits(letter) == 0) {
        return unsupported("REF has letters that are no bases");
    }
    if reference == alternate {
        return unsupported("REF and ALT are the same");
    }
    let Some(contig) = own else {
        return Err((Status::Unsupported, format!("the genome has no contig {}", variant.contig)));
    };
    let Some(found) = bases(genome, &contig, variant.position, reference.len()) else {
        let range = genome.range(&contig).unwrap_or_default();
        let reason = format!("{contig} has the bases {} to {}", range.start + 1, range.end);
        return Err((Status::OutOfRange, reason));
    };
    let status = if found.iter().zip(reference).all(|(&one, &other)| compatible(one, other)) {
        Status::Match
    } else if bases(genome, &contig, variant.position, alternate.len()).is_some_and(|found| found == *alternate) {
        Status::Swapped
    } else if found.iter().zip(reference).all(|(&one, &other)| compatible(one, other) || one == b'N') {
        return unsupported("the genome has N there");
    } else {
        return Err((Status::Mismatch, format!("the genome has {}", shown(&found))));
    };
    let moved = Variant { contig, ..variant.clone() };
    Ok((status, normalise(&moved, genome)))
}

/// The bases of a genome, if the contig has all of them.
fn bases(genome: &Genome, contig: &Arc<str>, start: i64, length: usize) -> Option<Vec<u8>> {
    let locus = Locus::new(Arc::clone(contig), start, start.checked_add(i64::try_from(length).ok()?)?).ok()?;
    genome.window(&locus, Edge::Refuse).ok()
}

/// VCF 4.3 §1.6.1.5: symbolic alleles, the overlapping deletion, breakends with a mate and without.
fn is_symbolic(alternate: &[u8]) -> bool {
    let bracket = |byte: &u8| matches!(byte, b'<' | b'>' | b'[' | b']');
    alternate == b"*" || alternate.iter().any(bracket) || alternate.starts_with(b".") || alternate.ends_with(b".")
}

/// Which of A, C, G and T a IUPAC letter stands for; 0 for any other letter.
fn bits(letter: u8) -> u8 {
    match letter {
        b'A' => 1,
        b'C' => 2,
        b'G' => 4,
        b'T' | b'U' => 8,
        b'M' => 1 | 2,
        b'R' => 1 | 4,
        b'W' => 1 | 8,
        b'S' => 2 | 4,
        b'Y' => 2 | 8,
        b'K' => 4 | 8,
        b'V' => 1 | 2 | 4,
        b'H' => 1 | 2 | 8,
        b'D' => 1 | 4 | 8,
        b'B' => 2 | 4 | 8,
        b'N' => 15,
        _ => 0,
    }
}

/// VCF §1.6.1.4 writes an ambiguous base of the reference as the first base it stands for, and some callers write the
/// letter itself; N is compatible with N alone, or every variant in an unknown stretch would match.
fn compatible(one: u8, other: u8) -> bool {
    one == other || (one != b'N' && other != b'N' && bits(one) & bits(other) != 0)
}
