//! Reads as features: depth of each base, reads in bins, cut sites, fragments, windows around genes.
//!
//! What a read covers is its [`Signal`]; which reads count is the [`ReadFilter`]. From there on everything is a
//! difference array, +1 where a read begins to cover and −1 behind its end, summed up once for each contig:
//!
//! - [`depth`] hands each contig's depth per base to the caller, as samtools depth and mosdepth count it;
//! - [`Bins`] counts the reads that touch each bin of every contig, as deepTools' bamCoverage does, and scales them;
//! - [`region_depth`] and [`windows()`] look at places, through the index where there is one; [`marks`] are the inputs
//!   of `DeepChrome`.
//!
//! Files that are sorted by coordinate take the memory of their longest contig (4 bytes for each base or bin); of
//! others, that of all contigs with reads. Nothing depends on the number of threads.
//!
//! A base that both mates of a pair cover is counted once, as mosdepth does (pairs that are flagged as proper, not
//! supplementary, on one contig), unless [`CoverageConfig::mates`] says otherwise; samtools depth counts it twice
//! unless it is run with `-s`. mosdepth (0.3.3) takes the shorter way of two aligned blocks where it can, and subtracts
//! too much if one mate lies within the other; here it is the union of what they cover.

mod bins;
mod filter;
mod scan;
mod signal;
mod track;
mod windows;

use std::collections::BTreeMap;
use std::fmt;

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

pub use self::bins::{Bins, Scale, runs};
pub use self::filter::{Protocol, ReadFilter, Reason, StrandFilter};
pub use self::scan::{depth, region_depth};
pub use self::signal::Signal;
pub use self::windows::{Counting, MarkMatrix, WindowLayout, marks, windows};

use crate::io::IoError;
use crate::locus::LocusError;

/// How often a base counts that both mates of a pair cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mates {
    /// Once. Depth per base only: reads in bins are reads.
    #[default]
    Once,
    /// Twice.
    Each,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoverageConfig {
    /// What a read covers.
    pub signal: Signal,
    /// Which reads count.
    pub filter: ReadFilter,
    /// How often overlapping mates count.
    pub mates: Mates,
}

impl CoverageConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ConfigError`] with the field and what would be allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.signal.validate()?;
        self.filter.validate()
    }
}

/// Something that keeps reads from being counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoverageError {
    /// The file.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A place that the file does not have.
    #[error(transparent)]
    Locus(#[from] LocusError),
    /// A contig too long to be counted base by base.
    #[error("contig {contig} of {bases} bases needs {counters} counters, too many for the memory; take larger bins")]
    TooLong {
        /// The contig.
        contig: String,
        /// Its bases.
        bases: u64,
        /// Bases or bins.
        counters: u64,
    },
    /// Nothing to divide by.
    #[error("there is nothing to scale by: {reads} reads were kept of {seen}; see what the filter drops")]
    NothingKept {
        /// Reads kept.
        reads: u64,
        /// Reads in the file.
        seen: u64,
    },
    /// What a caller's own function returned.
    #[error("{0}")]
    Other(String),
}

/// What became of the reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageReport {
    /// Reads that were looked at: those of the file, or of the regions that were asked for.
    pub seen: u64,
    /// Reads that count. Where each fragment counts once: fragments.
    pub kept: u64,
    /// Reads that do not, by the first reason that applies.
    pub dropped: BTreeMap<Reason, u64>,
    /// Bases that both mates of a pair cover, counted once.
    pub shared_bases: u64,
    /// What is wrong with the file or its index though it can be read.
    pub warnings: Vec<String>,
}

impl CoverageReport {
    /// Adds the numbers of another file or region.
    pub fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.kept += other.kept;
        self.shared_bases += other.shared_bases;
        for (&reason, &count) in &other.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
        for warning in &other.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
    }

    fn drop_read(&mut self, reason: Reason) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}

/// `12644 reads, 12530 kept; dropped: unmapped 55, …`
impl fmt::Display for CoverageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reads, {} kept", self.seen, self.kept)?;
        for (place, (reason, count)) in self.dropped.iter().enumerate() {
            write!(f, "{} {reason} {count}", if place == 0 { "; dropped:" } else { "," })?;
        }
        if self.shared_bases > 0 {
            write!(f, "; {} bases of overlapping mates counted once", self.shared_bases)?;
        }
        for warning in &self.warnings {
            write!(f, "; {warning}")?;
        }
        Ok(())
    }
}
