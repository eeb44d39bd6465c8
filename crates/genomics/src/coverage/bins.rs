//! Reads in bins of equal size, and what they are scaled by.

use std::path::Path;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::scan::scan;
use super::{CoverageConfig, CoverageError, CoverageReport};
use crate::io::bam::{Alignments, Contig};
use crate::io::bigwig::SignalWriter;

/// What counts are scaled by, as deepTools' bamCoverage names it. "Reads" are those that the filter keeps.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scale {
    /// Nothing: counts. (bamCoverage scales them by the share of reads that its filter keeps.)
    #[default]
    None,
    /// Counts for a million reads.
    Cpm,
    /// Counts for a million reads and a thousand bases of the bin.
    Rpkm,
    /// Counts for a million counts in all bins, as bamCoverage documents it; the program (3.5.6) gives its CPM instead.
    Bpm,
    /// 1x coverage: counts by the mean coverage of the genome, reads · fragment / genome.
    Rpgc {
        /// Bases of the genome that reads can be aligned to.
        effective_genome: u64,
        /// Bases of a fragment, or of a read where reads are not extended.
        fragment: u32,
    },
}

impl Scale {
    /// The factor, given what was kept, the bases of a bin, and the counts of all bins where they are known.
    ///
    /// # Errors
    /// [`CoverageError::NothingKept`] if it would be infinite; [`CoverageError::Config`] for [`Scale::Bpm`] without the
    /// counts of all bins, or a genome or fragment of no bases.
    pub fn factor(self, report: &CoverageReport, bin: u32, total: Option<u64>) -> Result<f64, CoverageError> {
        let reads = report.kept as f64;
        let divisor = match self {
            Self::None => return Ok(1.0),
            Self::Cpm => reads / 1e6,
            Self::Rpkm => reads / 1e6 * (f64::from(bin) / 1e3),
            Self::Bpm => {
                if let Some(total) = total {
                    total as f64 / 1e6
                } else {
                    let problem = "bpm needs the counts of all bins of the genome; take cpm for windows";
                    return Err(ConfigError::Conflict(problem.to_owned()).into());
                }
            }
            Self::Rpgc { effective_genome, fragment } => {
                in_range("effective_genome", effective_genome, 1..=1 << 40)?;
                in_range("fragment", fragment, 1..=1_000_000)?;
                reads * f64::from(fragment) / effective_genome as f64
            }
        };
        if divisor > 0.0 {
            return Ok(1.0 / divisor);
        }
        Err(CoverageError::NothingKept { reads: report.kept, seen: report.seen })
    }
}

/// Numbers of reads (or fragments, or cut sites) that touch each bin of a genome with a base that they cover.
///
/// A read counts once in a bin, however many of its blocks are there. The last bin of a contig may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bins {
    /// Bases of a bin.
    pub bin: u32,
    /// The contigs of the file.
    pub contigs: Vec<Contig>,
    /// Counts for each contig, in the order of its bins; empty where there is none.
    pub counts: Vec<Vec<u32>>,
    /// What became of the reads.
    pub report: CoverageReport,
}

impl Bins {
    /// Counts the reads of a file, from its start to its end.
    ///
    /// # Errors
    /// [`CoverageError`] if the settings are out of range or the file is damaged.
    pub fn count(alignments: &mut Alignments, config: &CoverageConfig, bin: u32) -> Result<Self, CoverageError> {
        in_range("bin", bin, 1..=1 << 30)?;
        let contigs = alignments.contigs().to_vec();
        let mut counts: Vec<Vec<u32>> = contigs.iter().map(|_| Vec::new()).collect();
        let report = scan(alignments, config, bin, |place, _, found| {
            counts[place] = found.to_vec();
            Ok(())
        })?;
        Ok(Self { bin, contigs, counts, report })
    }

    /// Sum of all counts.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().map(|&count| u64::from(count)).sum()
    }

    /// What to multiply the counts by.
    ///
    /// # Errors
    /// As [`Scale::factor`].
    pub fn factor(&self, scale: Scale) -> Result<f64, CoverageError> {
        scale.factor(&self.report, self.bin, Some(self.total()))
    }

    /// Number of bases of a contig: where it is not known, as far as reads reach.
    pub fn length(&self, contig: usize) -> u64 {
        let covered = self.counts[contig].len() as u64 * u64::from(self.bin);
        if self.contigs[contig].exact { self.contigs[contig].length } else { covered }
    }

    /// Runs of equal counts of a contig, from its start to its end: `(start, end, count)`.
    pub fn runs(&self, contig: usize) -> Vec<(u64, u64, u32)> {
        let length = self.length(contig);
        if self.counts[contig].is_empty() && length > 0 {
            return vec![(0, length, 0)];
        }
        runs(&self.counts[contig], self.bin, length).collect()
    }

    /// Writes the scaled counts as bigWig or bedGraph, by the ending of the name; neighbours of equal value are joined,
    /// zeros are values.
    ///
    /// # Errors
    /// [`CoverageError`] if the file cannot be written, or as [`Scale::factor`].
    pub fn write(&self, path: &Path, scale: Scale) -> Result<(), CoverageError> {
        let factor = self.factor(scale)?;
        let contigs = (0..self.contigs.len()).map(|place| (self.contigs[place].name.to_string(), self.length(place)));
        let mut writer = SignalWriter::create(path, contigs)?;
        for place in 0..self.contigs.len() {
            for (start, end, count) in self.runs(place) {
                writer.add(place, start, end, (f64::from(count) * factor) as f32)?;
            }
        }
        writer.finish()?;
        Ok(())
    }
}

/// Runs of equal values: `(start, end, value)` of consecutive bins of `bin` bases, the last of which ends at `length`.
pub fn runs<T: Copy + PartialEq>(values: &[T], bin: u32, length: u64) -> impl Iterator<Item = (u64, u64, T)> {
    let mut place = 0;
    std::iter::from_fn(move || {
        let value = *values.get(place)?;
        let first = place as u64 * u64::from(bin);
        place += values[place..].iter().take_while(|&&other| other == value).count().max(1);
        Some((first, (place as u64 * u64::from(bin)).min(length), value))
    })
}
