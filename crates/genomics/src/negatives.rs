//! Sequences that are not bound, made to look like those that are.
//!
//! | function | makes | what a model cannot use any more |
//! |---|---|---|
//! | [`shuffled`] | shuffles of each positive | the number of bases, or of dinucleotides |
//! | [`matched()`], [`with_matched`] | windows of the genome | length, share of G and C, of repeats, of unknown bases |
//!
//! Shuffles are exact in composition and no natural sequences; windows of the genome are natural, and match in bins.
//! Everything is a function of the seed. Where the genome has too few windows of a kind, that is an error with the
//! numbers of each kind, or, if that was allowed, a shorter list with the same numbers beside it: never a silent gap.

mod intervals;
mod matched;

use std::fmt;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::intervals::Intervals;
pub use self::matched::matched;

use crate::dataset::{DatasetError, Labels, SequenceSet};
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::{Locus, LocusError};
use crate::shuffle::Shuffle;

/// How windows of the genome are chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatchConfig {
    /// Negatives for each positive, 1 to 100.
    pub per_positive: usize,
    /// Width of the bins of the share of G and C, above 0 to 1.
    pub gc_bin: f64,
    /// Width of the bins of the share of soft-masked bases; 1 to leave repeats out of the match.
    pub repeat_bin: f64,
    /// Width of the bins of the share of unknown bases.
    pub unknown_bin: f64,
    /// Bases around positives and excluded intervals that negatives must not touch either.
    pub gap: usize,
    /// Whether a negative must lie on the contig of its positive, which keeps every part of a split by chromosome
    /// balanced.
    pub same_contig: bool,
    /// Places of the genome that are looked at: one, at random, in each of that many equal stretches.
    pub candidates: usize,
    /// Whether too few negatives are accepted.
    pub allow_short: bool,
    /// Seed.
    pub seed: u64,
}

impl Default for MatchConfig {
    fn default() -> Self {
        Self {
            per_positive: 1,
            gc_bin: 0.02,
            repeat_bin: 0.25,
            unknown_bin: 0.05,
            gap: 0,
            same_contig: false,
            candidates: 2_000_000,
            allow_short: false,
            seed: 1,
        }
    }
}

impl MatchConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("per_positive", self.per_positive, 1..=100)?;
        in_range("gc_bin", self.gc_bin, 0.001..=1.0)?;
        in_range("repeat_bin", self.repeat_bin, 0.001..=1.0)?;
        in_range("unknown_bin", self.unknown_bin, 0.001..=1.0)?;
        in_range("gap", self.gap, 0..=1_000_000_000)?;
        in_range("candidates", self.candidates, 1..=1_000_000_000)
    }
}

/// Windows of one kind: how many were wanted, how many there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BinCount {
    /// The contig, where negatives lie on that of their positive.
    pub contig: Option<String>,
    /// Lowest and highest share of G and C.
    pub gc: [f64; 2],
    /// Lowest and highest share of soft-masked bases.
    pub repeats: [f64; 2],
    /// Lowest and highest share of unknown bases.
    pub unknown: [f64; 2],
    /// Negatives wanted.
    pub wanted: usize,
    /// Negatives found.
    pub found: usize,
    /// Places of this kind, of those that were looked at, that touch no positive and nothing excluded.
    pub candidates: usize,
}

impl fmt::Display for BinCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(contig) = &self.contig {
            write!(f, "{contig} ")?;
        }
        let Self { gc: [low, high], found, wanted, candidates, .. } = self;
        write!(f, "GC {low:.3} to {high:.3}")?;
        for (name, [low, high]) in [("repeats", self.repeats), ("unknown", self.unknown)] {
            if low > 0.0 {
                write!(f, ", {name} {low:.2} to {high:.2}")?;
            }
        }
        write!(f, ": {found} of {wanted} from {candidates} candidates")
    }
}

/// What was found and what was not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filling {
    /// Negatives wanted.
    pub wanted: usize,
    /// Negatives found.
    pub found: usize,
    /// Every kind of window that was wanted, in order of contig and shares.
    pub bins: Vec<BinCount>,
}

impl Filling {
    /// The kinds of which there are too few.
    pub fn short(&self) -> impl Iterator<Item = &BinCount> {
        self.bins.iter().filter(|bin| bin.found < bin.wanted)
    }
}

/// Bins that a message lists.
const LISTED: usize = 8;

/// `950 of 1,000 negatives`, and the bins that are short.
impl fmt::Display for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} negatives", self.found, self.wanted)?;
        let short = self.short().count();
        if short > 0 {
            write!(f, "; {short} of {} kinds of windows fall short: ", self.bins.len())?;
        }
        for (place, bin) in self.short().take(LISTED).enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            write!(f, "{separator}{bin}")?;
        }
        if short > LISTED {
            write!(f, "; and {} more", short - LISTED)?;
        }
        Ok(())
    }
}

/// Windows of the genome that match positives.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// The negatives, in the order of their positives, each on its strand and of its length.
    pub loci: Vec<Locus>,
    /// For each of them, the index of its positive.
    pub of: Vec<usize>,
    /// What was found and what was not.
    pub filling: Filling,
}

/// Why there are no negatives.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NegativesError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The set does not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Labels that have no negatives.
    #[error("negatives can be added to yes-or-no labels only; these are classes or values")]
    Labels,
    /// Nothing to match.
    #[error("there are no positives: no row has label 1")]
    NoPositives,
    /// A positive without a place on the genome.
    #[error("row {row}, {name}, has no place on the genome; take shuffled negatives, or give intervals")]
    NoLocus {
        /// The row, from 1.
        row: usize,
        /// Its name.
        name: String,
    },
    /// A positive without bases.
    #[error("positive {row}, {locus}, has no bases")]
    Empty {
        /// Its number, from 1.
        row: usize,
        /// Where it lies.
        locus: Locus,
    },
    /// No contig is as long as the positives.
    #[error("no contig has {width} bases, the median length of the positives")]
    Width {
        /// The length.
        width: usize,
    },
    /// A contig that the genome does not have.
    #[error(transparent)]
    Locus(#[from] LocusError),
    /// A window that the genome does not have.
    #[error(transparent)]
    Genome(#[from] GenomeError),
    /// Too few windows of a kind.
    #[error(
        "found {0}; use wider bins (gc_bin, repeat_bin, unknown_bin), more candidates, a smaller gap, fewer \
         exclusions, or accept fewer negatives (allow_short)"
    )]
    Short(Box<Filling>),
}

/// The set with `per_positive` shuffles of each positive behind it: of each row that has label 1 for some task. A
/// shuffle has label 0 for every task, no place on the genome, and the group of its positive, so that no split parts
/// the two; rows without groups get one each.
///
/// # Errors
/// [`NegativesError::Labels`], [`NegativesError::NoPositives`], [`NegativesError::Dataset`].
pub fn shuffled(
    set: &SequenceSet,
    shuffle: Shuffle,
    per_positive: usize,
    seed: u64,
) -> Result<SequenceSet, NegativesError> {
    let positives = positives(set)?;
    let copies: Vec<(usize, usize)> =
        positives.iter().flat_map(|&row| (0..per_positive).map(move |copy| (row, copy))).collect();
    let sequences: Vec<Vec<u8>> = copies
        .par_iter()
        .map(|&(row, copy)| shuffle.apply(&set.sequences[row], &mut rng(seed, &[row as u64, copy as u64])))
        .collect();
    let mut whole = set.clone();
    let mut groups = whole.groups.take().unwrap_or_else(|| (0..set.len() as u64).collect());
    for (&(row, copy), sequence) in copies.iter().zip(sequences) {
        whole.names.push(format!("{} shuffled {}", set.names[row], copy + 1));
        whole.sequences.push(sequence);
        whole.loci.push(None);
        whole.targets.extend(set.tasks.iter().map(|_| 0.0));
        groups.push(groups[row]);
    }
    whole.groups = Some(groups);
    Ok(whole)
}

/// The set with matching windows of the genome behind it, for each row that has label 1 for some task; all rows of the
/// set, and `exclude`, are kept clear of. The new rows have label 0 for every task.
///
/// # Errors
/// [`NegativesError`]; positives need their place on the genome.
pub fn with_matched(
    set: &SequenceSet,
    genome: &Genome,
    exclude: &[Locus],
    config: &MatchConfig,
) -> Result<(SequenceSet, Filling), NegativesError> {
    let place = |row: usize| {
        set.loci[row].clone().ok_or_else(|| NegativesError::NoLocus { row: row + 1, name: set.names[row].clone() })
    };
    let positives: Vec<Locus> = positives(set)?.into_iter().map(place).collect::<Result<_, _>>()?;
    let taken: Vec<Locus> = exclude.iter().chain(set.loci.iter().flatten()).cloned().collect();
    let found = matched(genome, &positives, &taken, config)?;
    let sequences =
        found.loci.par_iter().map(|locus| genome.window(locus, Edge::Refuse)).collect::<Result<Vec<_>, _>>()?;
    let added = SequenceSet {
        names: found.loci.iter().map(Locus::to_string).collect(),
        targets: vec![0.0; sequences.len() * set.tasks.len()],
        sequences,
        loci: found.loci.into_iter().map(Some).collect(),
        tasks: set.tasks.clone(),
        labels: Labels::Binary,
        groups: None,
    };
    let mut whole = set.clone();
    whole.append(added)?;
    Ok((whole, found.filling))
}

/// Rows with label 1 for some task.
fn positives(set: &SequenceSet) -> Result<Vec<usize>, NegativesError> {
    set.check()?;
    if set.labels != Labels::Binary {
        return Err(NegativesError::Labels);
    }
    let positive = |row: &usize| (0..set.tasks.len()).any(|task| set.target(*row, task) == Some(1.0));
    let rows: Vec<usize> = (0..set.len()).filter(positive).collect();
    if rows.is_empty() { Err(NegativesError::NoPositives) } else { Ok(rows) }
}

#[cfg(test)]
mod tests;
