//! Which known motif is it: comparison with a database.
//!
//! TOMTOM (Gupta, Stamatoyannopoulos, Bailey and Noble 2007, Genome Biology 8:R24): two motifs are laid side by side at
//! every offset and on both strands, the similarities of the columns that meet are summed, and the sum is judged by how
//! often columns drawn at random from the whole database would reach it. That distribution is computed exactly, for
//! each stretch of the query, from the histogram of the scores of each of its columns. The complete score of Tanaka,
//! Bailey, Grant and Noble 2011 (Bioinformatics 27:1603), which is the default, also counts columns that meet nothing.

mod spans;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::spans::Spans;
use super::{Column, Motif, MotifError, benjamini_hochberg, reversed};
use crate::locus::Strand;

/// How similar two columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnScore {
    /// Minus their Euclidean distance.
    #[default]
    Euclidean,
    /// Pearson's correlation, 0 for a column without preference.
    Pearson,
}

impl ColumnScore {
    fn of(self, a: &Column, b: &Column) -> f64 {
        match self {
            Self::Euclidean => -a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
            Self::Pearson => {
                // the mean of four probabilities that sum to 1
                let dot =
                    |a: &Column, b: &Column| -> f64 { a.iter().zip(b).map(|(a, b)| (a - 0.25) * (b - 0.25)).sum() };
                let length = (dot(a, a) * dot(b, b)).sqrt();
                if length > 1e-12 { dot(a, b) / length } else { 0.0 }
            }
        }
    }
}

/// What columns of the query count that lie beyond the ends of the other motif.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overhang {
    /// The median of their scores against the database, so that sums of all offsets compare: the complete score. The
    /// p-value is that of the largest of all offsets' sums.
    #[default]
    Median,
    /// Nothing, as first published: each offset has the p-value of its own overlap, and the smallest is corrected for
    /// their number.
    Ignored,
}

/// How motifs are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompareConfig {
    /// Similarity of two columns.
    pub column_score: ColumnScore,
    /// What columns count that meet nothing.
    pub overhang: Overhang,
    /// Values that the score of a column is rounded to. The error of a p-value falls with their number, the time to
    /// compute it grows with the square; 100 is the original's.
    pub bins: usize,
    /// Columns that must meet, unless one of the motifs has fewer.
    pub least_overlap: usize,
    /// Whether to compare with the other strand as well.
    pub both_strands: bool,
}

impl Default for CompareConfig {
    fn default() -> Self {
        let (column_score, overhang) = (ColumnScore::default(), Overhang::default());
        Self { column_score, overhang, bins: 100, least_overlap: 1, both_strands: true }
    }
}

impl CompareConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("bins", self.bins, 2..=10_000)?;
        in_range("least_overlap", self.least_overlap, 1..=1000)
    }
}

/// A motif of the database beside the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Which motif of the database.
    pub target: usize,
    /// The position of the target that lies under the query's first one; below 0 if the query begins before the target.
    pub offset: isize,
    /// Positions that meet.
    pub overlap: usize,
    /// The strand of the target that the query is like.
    pub strand: Strand,
    /// Sum of the scores of the columns that meet, above their medians if overhangs count these.
    pub score: f64,
    /// Probability that columns drawn at random from the database are as similar at any offset and strand.
    pub p_value: f64,
    /// False discovery rate among all motifs of the database.
    pub q_value: f64,
}

/// Known motifs, ready for comparison.
///
/// ```
/// use genomics::motif::{CompareConfig, Motif, MotifDatabase};
/// let exact = |bases: &[u8]| {
///     let columns = bases.iter().map(|base| b"ACGT".map(|b| if b == *base { 0.91 } else { 0.03 })).collect();
///     Motif::new(String::from_utf8_lossy(bases), columns)
/// };
/// let known = [exact(b"CACGTGAC")?, exact(b"CCATATAAGG")?, exact(b"GGGGCGGGG")?, exact(b"TGACTCA")?];
/// let database = MotifDatabase::new(known.to_vec(), CompareConfig::default())?;
/// let best = &database.search(&exact(b"GTCACG")?)[0];
/// assert_eq!(database.motifs()[best.target].name, "CACGTGAC");
/// // GTCACG is the beginning of GTCACGTG, the other strand
/// assert_eq!((best.strand.sign(), best.offset, best.overlap), ('-', 0, 6));
/// # Ok::<(), genomics::motif::MotifError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MotifDatabase {
    motifs: Vec<Motif>,
    config: CompareConfig,
    /// Columns of all motifs one behind the other, then those of the other strands.
    columns: Vec<Column>,
    /// Where those of each motif begin, and where the last ones end.
    starts: Vec<usize>,
}

/// One way to lay the query beside a motif.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: isize,
    /// Positions of the query that meet the target: `first..end`.
    first: usize,
    end: usize,
}

/// The best of them on one strand.
struct Best {
    place: Place,
    steps: usize,
    p_value: f64,
    /// Number of places.
    tried: usize,
}

impl MotifDatabase {
    /// # Errors
    /// [`MotifError::NoDatabase`], [`MotifError::Config`].
    pub fn new(motifs: Vec<Motif>, config: CompareConfig) -> Result<Self, MotifError> {
        config.validate()?;
        if motifs.is_empty() {
            return Err(MotifError::NoDatabase);
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut starts = vec![0];
        for motif in &motifs {
            columns.extend_from_slice(motif.columns());
            starts.push(columns.len());
        }
        if config.both_strands {
            for motif in &motifs {
                columns.extend(reversed(motif.columns()));
                starts.push(columns.len());
            }
        }
        Ok(Self { motifs, config, columns, starts })
    }

    /// The motifs, in the order that they were given in.
    pub fn motifs(&self) -> &[Motif] {
        &self.motifs
    }

    /// [`MotifDatabase::search`] for each of several queries.
    pub fn search_all(&self, queries: &[Motif]) -> Vec<Vec<Match>> {
        queries.par_iter().map(|query| self.search(query)).collect()
    }

    /// All motifs of the database beside the query, the most similar first: by p-value, score, and place in the
    /// database.
    pub fn search(&self, query: &Motif) -> Vec<Match> {
        let scores: Vec<Vec<f64>> = query.columns().iter().map(|column| self.column_scores(column)).collect();
        let spans = Spans::new(&scores, self.config.overhang, self.config.bins);
        let mut matches: Vec<Match> =
            (0..self.motifs.len()).map(|target| self.beside(target, &scores, &spans)).collect();
        let p_values: Vec<f64> = matches.iter().map(|found| found.p_value).collect();
        for (found, q_value) in matches.iter_mut().zip(benjamini_hochberg(&p_values, p_values.len())) {
            found.q_value = q_value;
        }
        matches.sort_by(|a, b| {
            a.p_value.total_cmp(&b.p_value).then(b.score.total_cmp(&a.score)).then(a.target.cmp(&b.target))
        });
        matches
    }

    /// Scores of a column against all of the database, above their median if overhangs count it.
    fn column_scores(&self, column: &Column) -> Vec<f64> {
        let mut scores: Vec<f64> =
            self.columns.iter().map(|other| self.config.column_score.of(column, other)).collect();
        if self.config.overhang == Overhang::Median {
            let median = median(&scores);
            scores.iter_mut().for_each(|score| *score -= median);
        }
        scores
    }

    fn beside(&self, target: usize, scores: &[Vec<f64>], spans: &Spans) -> Match {
        let count = self.motifs.len();
        let forward = self.strand(target, spans);
        let reverse = self.config.both_strands.then(|| self.strand(count + target, spans));
        let (best, strand, p_value) = match reverse {
            None => {
                let p_value = self.corrected(&forward, forward.tried);
                (forward, Strand::Forward, p_value)
            }
            Some(reverse) => {
                let p_value = match self.config.overhang {
                    Overhang::Median => {
                        let least = forward.p_value.min(reverse.p_value);
                        least * (2.0 - least)
                    }
                    Overhang::Ignored => {
                        let tried = forward.tried + reverse.tried;
                        let better = if reverse.p_value < forward.p_value { &reverse } else { &forward };
                        self.corrected(better, tried)
                    }
                };
                let other = match self.config.overhang {
                    Overhang::Median => reverse.steps > forward.steps,
                    Overhang::Ignored => reverse.p_value < forward.p_value,
                };
                if other { (reverse, Strand::Reverse, p_value) } else { (forward, Strand::Forward, p_value) }
            }
        };
        let Place { offset, first, end } = best.place;
        let begin = self.starts[if strand == Strand::Forward { target } else { count + target }];
        let score = (first..end).map(|at| scores[at][begin.wrapping_add_signed(at as isize + offset)]).sum();
        Match { target, offset, overlap: end - first, strand, score, p_value, q_value: 1.0 }
    }

    /// The p-value of the best of `tried` places.
    fn corrected(&self, best: &Best, tried: usize) -> f64 {
        match self.config.overhang {
            Overhang::Median => best.p_value,
            Overhang::Ignored => at_least_one(tried as f64 * (-best.p_value).ln_1p()),
        }
    }

    /// The best place on one strand of a motif.
    fn strand(&self, strand: usize, spans: &Spans) -> Best {
        let (begin, end) = (self.starts[strand], self.starts[strand + 1]);
        let places = self.places(spans.positions(), end - begin);
        let steps: Vec<usize> = places.iter().map(|place| spans.sum(place, begin)).collect();
        let overlap = |at: usize| places[at].end - places[at].first;
        match self.config.overhang {
            Overhang::Median => {
                // of equals the one that comes first
                let best = (0..places.len()).rev().max_by_key(|&at| (steps[at], overlap(at))).unwrap_or(0);
                // no sum of any place reaches that of the best one, with columns drawn independently for each
                let none: f64 = places.iter().map(|place| (-spans.chance(place, steps[best])).ln_1p()).sum();
                let (place, steps, p_value) = (places[best], steps[best], at_least_one(none));
                Best { place, steps, p_value, tried: places.len() }
            }
            Overhang::Ignored => {
                let chances: Vec<f64> =
                    places.iter().zip(&steps).map(|(place, steps)| spans.chance(place, *steps)).collect();
                let order =
                    |a: &usize, b: &usize| chances[*a].total_cmp(&chances[*b]).then(overlap(*b).cmp(&overlap(*a)));
                let best = (0..places.len()).min_by(order).unwrap_or(0);
                let (place, steps, p_value) = (places[best], steps[best], chances[best]);
                Best { place, steps, p_value, tried: places.len() }
            }
        }
    }

    /// All places of a query of `positions` beside a target of `width` positions at which enough of them meet.
    fn places(&self, positions: usize, width: usize) -> Vec<Place> {
        let least = self.config.least_overlap.min(positions).min(width);
        (1 - positions as isize..width as isize)
            .map(|offset| {
                let first = usize::try_from(-offset).unwrap_or(0);
                let end = usize::try_from(width as isize - offset).unwrap_or(0).min(positions);
                Place { offset, first, end }
            })
            .filter(|place| place.end >= place.first + least)
            .collect()
    }
}

/// 1 − exp(x) for the logarithm x of the probability that something does not happen.
fn at_least_one(log_none: f64) -> f64 {
    0.0 - log_none.exp_m1()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests;
