//! What a read covers.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::io::bam::{AlignedRead, flag};

/// What a read covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Signal {
    /// Its aligned bases: `M`, `=` and `X` of the CIGAR. What it skips (`N`, introns) is not covered.
    Aligned {
        /// Whether bases that the read lacks (`D`) are: not for mosdepth and samtools depth, unless the latter is run
        /// with `-J`.
        #[serde(default)]
        deletions: bool,
    },
    /// The base at its 5′ end (the first aligned one in the direction of its strand), moved by a number of bases to the
    /// right. For the cut sites of ATAC the moves are 4 on the forward strand and −5 on the reverse (Buenrostro et al.
    /// 2013, Nat Methods 10:1213).
    FivePrime {
        /// Bases to the right on the forward strand.
        #[serde(default)]
        forward: i32,
        /// Bases to the right on the reverse strand.
        #[serde(default)]
        reverse: i32,
    },
    /// This many bases from its 5′ end in its direction, whatever its own length, as `macs3 pileup --extsize`.
    Extended {
        /// Number of bases.
        size: u32,
    },
    /// The fragment that it is an end of: of a proper pair (flagged so, on one contig, the mates facing each other)
    /// from the leftmost to the rightmost base by TLEN.
    Fragments {
        /// Bases that reads of no such pair are extended to; 0 leaves them out.
        #[serde(default)]
        unpaired: u32,
        /// Longest fragment, in bases; a longer pair is none.
        #[serde(default = "longest")]
        longest: u32,
        /// Count a fragment for each of its mates, as deepTools' `--extendReads`, and not once (for the first mate, as
        /// bedtools' `genomecov -pc`).
        #[serde(default)]
        each_mate: bool,
    },
}

/// Longest fragment unless said otherwise: that of deepTools, four times an extension of 250.
fn longest() -> u32 {
    1000
}

impl Default for Signal {
    fn default() -> Self {
        Self::Aligned { deletions: false }
    }
}

/// Furthest that a read may be moved or extended.
const MAX_REACH: u32 = 1_000_000;

impl Signal {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let limit = MAX_REACH as i32;
        match *self {
            Self::Aligned { .. } => Ok(()),
            Self::FivePrime { forward, reverse } => {
                in_range("forward", forward, -limit..=limit)?;
                in_range("reverse", reverse, -limit..=limit)
            }
            Self::Extended { size } => in_range("size", size, 1..=MAX_REACH),
            Self::Fragments { unpaired, longest, .. } => {
                in_range("unpaired", unpaired, 0..=MAX_REACH)?;
                in_range("longest", longest, 1..=MAX_REACH)
            }
        }
    }

    /// How far from a read's own bases it may cover others.
    pub(super) fn reach(&self) -> i64 {
        i64::from(match *self {
            Self::Aligned { .. } => 0,
            Self::FivePrime { forward, reverse } => forward.unsigned_abs().max(reverse.unsigned_abs()),
            Self::Extended { size } => size,
            Self::Fragments { unpaired, longest, .. } => unpaired.max(longest),
        })
    }

    /// Whether overlapping mates would cover bases twice.
    pub(super) fn is_aligned(&self) -> bool {
        matches!(self, Self::Aligned { .. })
    }

    /// Writes what a read covers into `blocks`, from left to right; outside the contig as well.
    pub(super) fn blocks(&self, read: &AlignedRead, blocks: &mut Vec<(i64, i64)>) -> Result<(), Reason> {
        blocks.clear();
        if !read.is_aligned() {
            return Err(Reason::NoAlignment);
        }
        let reverse_strand = read.has(flag::REVERSE);
        let extended = |size: u32| {
            let size = i64::from(size);
            if reverse_strand { (read.end() - size, read.end()) } else { (read.start, read.start + size) }
        };
        match *self {
            Self::Aligned { deletions } => read.blocks(deletions, blocks),
            Self::FivePrime { forward, reverse } => {
                let base =
                    if reverse_strand { read.end() - 1 + i64::from(reverse) } else { read.start + i64::from(forward) };
                blocks.push((base, base + 1));
            }
            Self::Extended { size } => blocks.push(extended(size)),
            Self::Fragments { unpaired, longest, each_mate } => match fragment(read, longest) {
                Some(_) if !each_mate && !read.has(flag::FIRST) => return Err(Reason::OtherMate),
                Some(fragment) => blocks.push(fragment),
                None if unpaired == 0 => return Err(Reason::NoFragment),
                None => blocks.push(extended(unpaired)),
            },
        }
        Ok(())
    }
}

/// The fragment of a proper pair: the mates face each other on one contig, at most `longest` bases from end to end.
fn fragment(read: &AlignedRead, longest: u32) -> Option<(i64, i64)> {
    let reverse = read.has(flag::REVERSE);
    let bases = read.template_length.abs();
    let facing = if reverse { read.start >= read.mate_start } else { read.start <= read.mate_start };
    let proper = read.has(flag::PROPER_PAIR)
        && read.contig == read.mate_contig
        && read.mate_start >= 0
        && reverse != read.has(flag::MATE_REVERSE)
        && facing;
    if !proper || bases > i64::from(longest) {
        return None;
    }
    let fragment = if reverse { (read.mate_start, read.end()) } else { (read.start, read.start + bases) };
    (fragment.0 < fragment.1).then_some(fragment)
}
