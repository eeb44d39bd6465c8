//! Motifs: what a protein binds, as the probability of each base at each position.
//!
//! | question | here |
//! |---|---|
//! | what did the first layer of a network learn | [`FilterBank`], [`FilterConfig`] |
//! | which stretches of sequence did the network read | [`SeqletConfig`], [`Seqlet`] |
//! | what do those stretches have in common | [`ClusterConfig`], [`Pattern`] |
//! | which known motif is it | [`MotifDatabase`], [`CompareConfig`] |
//! | where does a motif occur | [`ScanConfig`], [`Pssm`] |
//!
//! Files of motifs are read and written by [`crate::io::meme`], logos drawn by [`crate::logo`].
//!
//! ```
//! use genomics::motif::{Motif, UNIFORM};
//! let sites = [[9.0, 0.0, 1.0, 0.0], [0.0, 5.0, 0.0, 5.0], [0.0, 0.0, 10.0, 0.0]];
//! let motif = Motif::from_counts("example", &sites, 0.0)?;
//! assert_eq!(motif.consensus(), "AYG");
//! assert_eq!(motif.sites, Some(10.0));
//! // a position of two bases that are equally frequent carries one of two bits
//! assert_eq!(motif.information(&UNIFORM)[1..], [1.0, 2.0]);
//! assert_eq!(motif.reverse_complement().consensus(), "CRT");
//! # Ok::<(), genomics::motif::MotifError>(())
//! ```

mod cluster;
mod compare;
mod filters;
mod pssm;
mod scan;
mod seqlets;
mod significance;
#[cfg(test)]
mod tests;

pub use self::cluster::{ClusterConfig, Member, Pattern};
pub use self::compare::{ColumnScore, CompareConfig, Match, MotifDatabase, Overhang};
pub use self::filters::{FilterBank, FilterConfig, FilterMotif};
pub use self::pssm::Pssm;
pub use self::scan::{Hit, ScanConfig};
pub use self::seqlets::{Seqlet, SeqletConfig};
pub use self::significance::benjamini_hochberg;

use std::ops::Range;

use burn::tensor::TensorReadError;
use nn_core::config::ConfigError;

use crate::sequence::{ALPHABET, AMBIGUOUS, CODES, letter};

/// One number for each of A, C, G and T at one position: probabilities, counts, or weights.
pub type Column = [f64; 4];

/// All bases equally frequent.
pub const UNIFORM: Column = [0.25; 4];

/// Rows of a matrix may miss a sum of 1 by this much, which is what rounding to two decimals does to four numbers.
const SUM_TOLERANCE: f64 = 0.02;

/// Why there is no motif.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MotifError {
    /// A motif without positions.
    #[error("motif {name} has no positions")]
    Empty {
        /// Its name.
        name: String,
    },
    /// Numbers that are no probabilities.
    #[error("motif {name}, position {position}: {problem}")]
    Column {
        /// Name of the motif.
        name: String,
        /// Position, from 1.
        position: usize,
        /// What is wrong.
        problem: String,
    },
    /// Frequencies of bases that cannot be.
    #[error("the background {found:?} cannot be; give four positive numbers that sum to 1")]
    Background {
        /// The numbers.
        found: Column,
    },
    /// Scores that do not belong to the sequences.
    #[error("sequence {row}: {problem}")]
    Scores {
        /// The sequence, from 0.
        row: usize,
        /// What is wrong.
        problem: String,
    },
    /// Weights that are no filters over four channels.
    #[error("{what} has shape {found:?}; expected {expected}")]
    Shape {
        /// What has the wrong shape.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// There is nothing to compare with.
    #[error("the motif database is empty; give at least one motif")]
    NoDatabase,
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device did not give the numbers.
    #[error("cannot read the filters from the device: {0}")]
    Read(#[from] TensorReadError),
}

/// Probabilities of the bases at consecutive positions, and what is known of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Motif {
    /// Its name or identifier, without blanks if it is to be written to a file.
    pub name: String,
    /// A second name, often that of the protein.
    pub alias: Option<String>,
    /// Number of sites that it was made of.
    pub sites: Option<f64>,
    /// Expected number of motifs as good as this one, as the program that found it said.
    pub e_value: Option<f64>,
    /// Where to read more.
    pub url: Option<String>,
    columns: Vec<Column>,
}

impl Motif {
    /// A motif of probabilities; what a position misses to a sum of 1 by rounding is divided among its bases.
    ///
    /// # Errors
    /// [`MotifError::Empty`]; [`MotifError::Column`] for a negative or non-finite number, or a sum that is more than
    /// 0.02 away from 1.
    pub fn new(name: impl Into<String>, mut columns: Vec<Column>) -> Result<Self, MotifError> {
        let name = name.into();
        if columns.is_empty() {
            return Err(MotifError::Empty { name });
        }
        for (place, column) in columns.iter_mut().enumerate() {
            let sum: f64 = column.iter().sum();
            let problem = match column.iter().find(|value| !value.is_finite() || **value < 0.0) {
                Some(value) => format!("{value} is no probability"),
                None if (sum - 1.0).abs() > SUM_TOLERANCE => format!("the probabilities sum to {sum}, not to 1"),
                None => {
                    column.iter_mut().for_each(|value| *value /= sum);
                    continue;
                }
            };
            return Err(MotifError::Column { name, position: place + 1, problem });
        }
        Ok(Self { name, alias: None, sites: None, e_value: None, url: None, columns })
    }

    /// A motif of counted bases. `pseudocount` is divided evenly among the four bases of each position; a position
    /// without any count is one where every base is equally probable. The number of sites is the largest count of a
    /// position.
    ///
    /// # Errors
    /// [`MotifError::Empty`]; [`MotifError::Column`] for a negative or non-finite count.
    pub fn from_counts(name: impl Into<String>, counts: &[Column], pseudocount: f64) -> Result<Self, MotifError> {
        let (name, mut sites) = (name.into(), 0.0_f64);
        let mut columns = Vec::with_capacity(counts.len());
        for (place, counts) in counts.iter().enumerate() {
            if let Some(value) = counts.iter().find(|value| !value.is_finite() || **value < 0.0) {
                let problem = format!("{value} is no count");
                return Err(MotifError::Column { name, position: place + 1, problem });
            }
            let sum: f64 = counts.iter().sum();
            sites = sites.max(sum);
            let total = sum + pseudocount;
            columns.push(if total > 0.0 { counts.map(|count| (count + pseudocount / 4.0) / total) } else { UNIFORM });
        }
        let mut motif = Self::new(name, columns)?;
        motif.sites = Some(sites);
        Ok(motif)
    }

    /// The same motif with a second name.
    pub fn with_alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// Probabilities of A, C, G and T at each position; each position sums to 1.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of positions, at least 1.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// What the protein reads on the other strand.
    pub fn reverse_complement(&self) -> Self {
        Self { columns: reversed(&self.columns), ..self.clone() }
    }

    /// Information of each position in bits: how far its probabilities are from the background (relative entropy). Over
    /// a uniform background 2 bits are a single base, 0 is no preference.
    ///
    /// ```
    /// use genomics::motif::{Motif, UNIFORM};
    /// let motif = Motif::new("m", vec![[1.0, 0.0, 0.0, 0.0], [0.25; 4]])?;
    /// assert_eq!(motif.information(&UNIFORM), [2.0, 0.0]);
    /// # Ok::<(), genomics::motif::MotifError>(())
    /// ```
    pub fn information(&self, background: &Column) -> Vec<f64> {
        let bits = |p: f64, b: f64| if p > 0.0 { p * (p / b).log2() } else { 0.0 };
        self.columns.iter().map(|column| column.iter().zip(background).map(|(&p, &b)| bits(p, b)).sum()).collect()
    }

    /// The most frequent bases as IUPAC letters: one base with more than half of the sites and twice as many as the
    /// next, else two that have more than three quarters together, else N (Cavener 1987, NAR 15:1353).
    pub fn consensus(&self) -> String {
        self.columns.iter().map(|column| char::from(consensus(column))).collect()
    }

    /// The positions from the first to the last that carry at least `bits`; if none does, the one that carries most.
    pub fn core(&self, bits: f64, background: &Column) -> Range<usize> {
        let information = self.information(background);
        let enough = |value: &f64| *value >= bits;
        let ends = (information.iter().position(enough), information.iter().rposition(enough));
        if let (Some(first), Some(last)) = ends {
            return first..last + 1;
        }
        let best = (0..information.len()).max_by(|&a, &b| information[a].total_cmp(&information[b])).unwrap_or(0);
        best..best + 1
    }

    /// The stretches of positions that carry at least `bits` each, `gap` positions in a row that carry less included. A
    /// matrix as long as a sequence may hold several motifs.
    ///
    /// ```
    /// use genomics::motif::{Motif, UNIFORM};
    /// let (a, n) = ([1.0, 0.0, 0.0, 0.0], [0.25; 4]);
    /// let motif = Motif::new("m", vec![n, a, n, a, n, n, a])?;
    /// assert_eq!(motif.stretches(1.0, 1, &UNIFORM), [1..4, 6..7]);
    /// assert_eq!(motif.part(1..4).map(|part| part.consensus()).as_deref(), Some("ANA"));
    /// # Ok::<(), genomics::motif::MotifError>(())
    /// ```
    pub fn stretches(&self, bits: f64, gap: usize, background: &Column) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (place, information) in self.information(background).into_iter().enumerate() {
            if information < bits {
                continue;
            }
            match found.last_mut() {
                Some(last) if place <= last.end + gap => last.end = place + 1,
                _ => found.push(place..place + 1),
            }
        }
        found
    }

    /// Some positions of the motif; none if they are not all there, or none at all.
    pub fn part(&self, positions: Range<usize>) -> Option<Self> {
        let columns = self.columns.get(positions).filter(|columns| !columns.is_empty())?;
        Some(Self { columns: columns.to_vec(), ..self.clone() })
    }

    /// The motif without the positions at its ends that carry less than `bits`: [`Motif::core`].
    pub fn trimmed(&self, bits: f64, background: &Column) -> Self {
        Self { columns: self.columns[self.core(bits, background)].to_vec(), ..self.clone() }
    }
}

/// Columns as the other strand has them.
pub(crate) fn reversed(columns: &[Column]) -> Vec<Column> {
    columns.iter().rev().map(|&[a, c, g, t]| [t, g, c, a]).collect()
}

fn consensus(column: &Column) -> u8 {
    let mut order = [0, 1, 2, 3];
    order.sort_by(|&a: &usize, &b: &usize| column[b].total_cmp(&column[a]));
    let (first, second) = (column[order[0]], column[order[1]]);
    if first > 0.5 && first > 2.0 * second {
        ALPHABET[order[0]]
    } else if first + second > 0.75 {
        letter(AMBIGUOUS | (1 << order[0]) | (1 << order[1]))
    } else {
        b'N'
    }
}

/// Frequencies of the four bases in sequences, each counted once more than it occurs.
///
/// ```
/// use genomics::motif::background;
/// assert_eq!(background(&[b"AAAANNA", b"C"]), [0.6, 0.2, 0.1, 0.1]);
/// ```
pub fn background(sequences: &[&[u8]]) -> Column {
    let mut counts = [1_u64; 4];
    for &byte in sequences.iter().copied().flatten() {
        if let Some(count) = counts.get_mut(usize::from(CODES[usize::from(byte)])) {
            *count += 1;
        }
    }
    let total: u64 = counts.iter().sum();
    counts.map(|count| count as f64 / total as f64)
}

/// Fails if these are no frequencies of four bases that all occur.
pub(crate) fn check_background(found: &Column) -> Result<(), MotifError> {
    let positive = found.iter().all(|value| value.is_finite() && *value > 0.0);
    if positive && (found.iter().sum::<f64>() - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(());
    }
    Err(MotifError::Background { found: *found })
}

/// Numbers 0 to 3 for the known bases of a sequence, larger ones for all other letters.
pub(crate) fn codes(sequence: &[u8]) -> Vec<u8> {
    sequence.iter().map(|&byte| CODES[usize::from(byte)]).collect()
}

/// The runs of known bases in the codes of a sequence, each with the place of its first base.
pub(crate) fn runs(codes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    codes
        .chunk_by(|left, right| (*left < 4) == (*right < 4))
        .scan(0, |next, run| {
            let first = *next;
            *next += run.len();
            Some((first, run))
        })
        .filter(|(_, run)| run[0] < 4)
}
