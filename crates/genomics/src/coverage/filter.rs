//! Which reads count.

use std::fmt;

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

use crate::io::bam::{AlignedRead, flag};
use crate::locus::{MAX_POSITION, Strand};

/// Why a read does not count; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is not aligned, or has no place.
    Unmapped,
    /// It is one of several alignments, not the best.
    Secondary,
    /// It failed the checks of the machine or the vendor.
    QualityFail,
    /// It is a duplicate.
    Duplicate,
    /// It is a further part of a chimeric alignment.
    Supplementary,
    /// Another flag that is excluded.
    ExcludedFlag,
    /// It lacks a flag that is required.
    RequiredFlag,
    /// Its mapping quality is too low.
    MappingQuality,
    /// It is of the other strand.
    Strand,
    /// Its fragment is too short or too long.
    FragmentLength,
    /// No base of it is aligned (CIGAR `*`, or clipped as a whole).
    NoAlignment,
    /// It has no fragment: not one of a proper pair, and such reads are left out.
    NoFragment,
    /// Its fragment counts with its first mate.
    OtherMate,
    /// What it covers lies outside its contig, or outside the region that was asked for.
    Outside,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmapped => "unmapped",
            Self::Secondary => "secondary",
            Self::QualityFail => "failed quality checks",
            Self::Duplicate => "duplicate",
            Self::Supplementary => "supplementary",
            Self::ExcludedFlag => "excluded flag",
            Self::RequiredFlag => "without a required flag",
            Self::MappingQuality => "low mapping quality",
            Self::Strand => "other strand",
            Self::FragmentLength => "fragment length",
            Self::NoAlignment => "no aligned base",
            Self::NoFragment => "no fragment",
            Self::OtherMate => "second mate of a counted fragment",
            Self::Outside => "outside the contig or region",
        })
    }
}

/// What the strand of a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// That of its own alignment (`ChIP`, ATAC, `DNase`, CAGE).
    #[default]
    Read,
    /// That of the transcript of a dUTP library of RNA, as deepTools' `--filterRNAstrand` has it: of pairs that of the
    /// second mate, of single reads the other than the read's.
    Dutp,
}

/// Reads of one strand only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StrandFilter {
    /// The strand.
    pub strand: Strand,
    /// What the strand of a read is.
    pub protocol: Protocol,
}

/// Which reads count. Reads that are not aligned never do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadFilter {
    /// A read with any of these flags does not count. The default is 0xF04: unmapped, secondary, failed quality checks,
    /// duplicate, supplementary (samtools depth and mosdepth keep the last: 0x704).
    pub exclude_flags: u16,
    /// A read has to have all of these flags.
    pub require_flags: u16,
    /// Least mapping quality; 255, which says that there is none, passes as a number.
    pub min_mapping_quality: u8,
    /// Reads of one strand only.
    pub strand: Option<StrandFilter>,
    /// Fewest bases of the template by TLEN; with anything but 0, reads without TLEN do not count.
    pub min_fragment: u32,
    /// Most bases of the template by TLEN; 0 for any.
    pub max_fragment: u32,
}

impl Default for ReadFilter {
    fn default() -> Self {
        Self {
            exclude_flags: 0xF04,
            require_flags: 0,
            min_mapping_quality: 0,
            strand: None,
            min_fragment: 0,
            max_fragment: 0,
        }
    }
}

impl ReadFilter {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.max_fragment > 0 && self.min_fragment > self.max_fragment {
            let (least, most) = (self.min_fragment, self.max_fragment);
            return Err(ConfigError::Conflict(format!("min_fragment = {least} is more than max_fragment = {most}")));
        }
        let both = self.exclude_flags & self.require_flags;
        if both != 0 {
            return Err(ConfigError::Conflict(format!("flags {both:#x} are both excluded and required")));
        }
        Ok(())
    }

    /// Why a read does not count, if so.
    pub(super) fn verdict(&self, read: &AlignedRead) -> Result<(), Reason> {
        const NAMED: [(u16, Reason); 4] = [
            (flag::SECONDARY, Reason::Secondary),
            (flag::QUALITY_FAIL, Reason::QualityFail),
            (flag::DUPLICATE, Reason::Duplicate),
            (flag::SUPPLEMENTARY, Reason::Supplementary),
        ];
        if read.contig.is_none() || read.has(flag::UNMAPPED) || !(0..=MAX_POSITION).contains(&read.start) {
            return Err(Reason::Unmapped);
        }
        if read.has(self.exclude_flags) {
            let named = NAMED.into_iter().find(|&(bit, _)| read.has(bit & self.exclude_flags));
            return Err(named.map_or(Reason::ExcludedFlag, |(_, reason)| reason));
        }
        if read.flags & self.require_flags != self.require_flags {
            return Err(Reason::RequiredFlag);
        }
        if read.mapping_quality < self.min_mapping_quality {
            return Err(Reason::MappingQuality);
        }
        if self.strand.is_some_and(|wanted| wanted.strand != strand(read, wanted.protocol)) {
            return Err(Reason::Strand);
        }
        let bases = read.template_length.unsigned_abs();
        if bases < u64::from(self.min_fragment) || (self.max_fragment > 0 && bases > u64::from(self.max_fragment)) {
            return Err(Reason::FragmentLength);
        }
        Ok(())
    }
}

fn strand(read: &AlignedRead, protocol: Protocol) -> Strand {
    match protocol {
        Protocol::Read => read.strand(),
        // The first mate of a pair tells the second one's strand by its flags.
        Protocol::Dutp if read.has(flag::PAIRED) && read.has(flag::FIRST) => {
            if read.has(flag::MATE_REVERSE) {
                Strand::Reverse
            } else {
                Strand::Forward
            }
        }
        Protocol::Dutp if read.has(flag::PAIRED) => read.strand(),
        Protocol::Dutp => read.strand().flipped(),
    }
}
