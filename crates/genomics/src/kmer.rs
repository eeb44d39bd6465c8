//! Counts of k-mers, and linear models of them: what composition alone tells about a sequence.
//!
//! A model of sequences that does not beat the share of G and C, or the counts of the 256 words of four bases, has
//! learnt composition and no motif. [`KmerModel`] is that comparison: logistic regression for yes-or-no labels,
//! multinomial logistic regression for classes, ridge regression for values. Features are standardised by the mean and
//! the standard deviation of the rows that are learnt from, weights are drawn to zero by a penalty on their squares,
//! intercepts are free, and the optimum is found by a truncated Newton method: with the default penalty, scikit-learn's
//! `make_pipeline(StandardScaler(), LogisticRegression())`.
//!
//! ```
//! use genomics::kmer::{Features, KmerModel, Loss};
//! let sequences: [&[u8]; 4] = [b"ACACACAC", b"CACAGACA", b"TTTTATTT", b"TTATTTGT"];
//! let features = Features::Kmers { k: 2, both_strands: false };
//! let model = KmerModel::fit(features, &sequences, &[1.0, 1.0, 0.0, 0.0], Loss::Logistic, 1.0);
//! let logits = model.predict(&[b"GACACACA", b"TTTTTTTG"]);
//! assert!(logits[0] > 0.0 && logits[1] < 0.0);
//! ```

mod solver;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::sequence::{ALPHABET, CODES, gc_content};

/// Bases of the longest word that is counted: 65,536 words.
pub const LONGEST: usize = 8;

/// Settings of a k-mer model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KmerConfig {
    /// Bases of a word, 1 to [`LONGEST`].
    pub k: usize,
    /// Whether a word and its reverse complement are one: for DNA whose strand is arbitrary, not for RNA and whatever
    /// else has a direction.
    pub both_strands: bool,
    /// Half of it times the sum of the squared weights, of standardised features, is added to the sum of the losses of
    /// all rows: 1 / C of scikit-learn's `LogisticRegression`, `alpha` of its `Ridge`.
    pub penalty: f64,
}

impl Default for KmerConfig {
    /// Words of four bases on both strands; the penalty is scikit-learn's default.
    fn default() -> Self {
        Self { k: 4, both_strands: true, penalty: 1.0 }
    }
}

impl KmerConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("k", self.k, 1..=LONGEST)?;
        in_range("penalty", self.penalty, 1e-9..=1e12)
    }

    /// What is counted.
    pub fn features(&self) -> Features {
        Features::Kmers { k: self.k, both_strands: self.both_strands }
    }
}

/// Numbers that a sequence is reduced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Features {
    /// The share of G and C among the known bases; one column.
    Gc,
    /// How often each word of `k` bases occurs; words with an unknown letter do not count.
    Kmers {
        /// Bases of a word, 1 to [`LONGEST`].
        k: usize,
        /// Whether a word and its reverse complement are one column.
        both_strands: bool,
    },
}

impl Features {
    /// Number of columns.
    pub fn columns(self) -> usize {
        match self {
            Self::Gc => 1,
            Self::Kmers { k, both_strands } => places(k, both_strands).1,
        }
    }

    /// What the columns count: `GC`, or words; of a word and its reverse complement the one that comes first in the
    /// alphabet.
    pub fn names(self) -> Vec<String> {
        match self {
            Self::Gc => vec!["GC".to_owned()],
            Self::Kmers { k, both_strands } => {
                let words = 0..1_usize << (2 * k);
                let named = words.filter(|word| !both_strands || *word <= other_strand(*word, k));
                let letter = |word: usize, place: usize| char::from(ALPHABET[(word >> (2 * (k - 1 - place))) & 3]);
                named.map(|word| (0..k).map(|place| letter(word, place)).collect()).collect()
            }
        }
    }

    /// Counts of all sequences.
    ///
    /// # Panics
    /// If `k` is not between 1 and [`LONGEST`].
    pub fn count(self, sequences: &[&[u8]]) -> Counts {
        let rows: Vec<Vec<(u32, f64)>> = match self {
            Self::Gc => sequences.par_iter().map(|sequence| vec![(0, gc_content(sequence))]).collect(),
            Self::Kmers { k, both_strands } => {
                assert!((1..=LONGEST).contains(&k), "words of {k} bases; between 1 and {LONGEST} are counted");
                let (places, _) = places(k, both_strands);
                sequences.par_iter().map(|sequence| words(sequence, k, &places)).collect()
            }
        };
        let mut counts = Counts { columns: self.columns(), starts: vec![0], entries: Vec::new() };
        for row in rows {
            counts.entries.extend(row);
            counts.starts.push(counts.entries.len());
        }
        counts
    }
}

/// The column of each word, and the number of columns.
fn places(k: usize, both_strands: bool) -> (Vec<u32>, usize) {
    let words = 1_usize << (2 * k);
    let mut places: Vec<u32> = Vec::with_capacity(words);
    let mut columns = 0;
    for word in 0..words {
        let other = other_strand(word, k);
        if both_strands && other < word {
            places.push(places[other]);
        } else {
            places.push(columns);
            columns += 1;
        }
    }
    (places, columns as usize)
}

/// The reverse complement of a word, both as numbers of base 4.
fn other_strand(mut word: usize, k: usize) -> usize {
    let mut other = 0;
    for _ in 0..k {
        other = 4 * other + (3 - word % 4);
        word /= 4;
    }
    other
}

/// Columns and counts of the words of a sequence, columns ascending.
fn words(sequence: &[u8], k: usize, places: &[u32]) -> Vec<(u32, f64)> {
    let mut found = Vec::with_capacity(sequence.len());
    let (mut word, mut known) = (0_usize, 0);
    for letter in sequence {
        let code = usize::from(CODES[usize::from(*letter)]);
        known = if code < 4 { known + 1 } else { 0 };
        word = (4 * word + code % 4) % places.len();
        if known >= k {
            found.push(places[word]);
        }
    }
    found.sort_unstable();
    found.chunk_by(|left, right| left == right).map(|same| (same[0], same.len() as f64)).collect()
}

/// A table of features, mostly zeros: `[rows, columns]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    columns: usize,
    /// Where the entries of each row begin, and where those of the last one end.
    starts: Vec<usize>,
    /// Column and value of what is not zero, row by row.
    entries: Vec<(u32, f64)>,
}

impl Counts {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Columns and values of a row that are not zero, columns ascending.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[(u32, f64)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    /// The given rows, in that order.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self { columns: self.columns, starts: vec![0], entries: Vec::new() };
        for &row in rows {
            selected.entries.extend_from_slice(self.row(row));
            selected.starts.push(selected.entries.len());
        }
        selected
    }

    /// A table of any features, `[rows, columns]`, row-major.
    ///
    /// # Panics
    /// If the values do not fill whole rows.
    pub fn of(values: &[f32], columns: usize) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "{} values in rows of {columns}", values.len());
        let mut counts = Self { columns, starts: vec![0], entries: Vec::new() };
        for row in values.chunks_exact(columns) {
            let known = (0_u32..).zip(row).filter(|(_, value)| **value != 0.0);
            counts.entries.extend(known.map(|(column, &value)| (column, f64::from(value))));
            counts.starts.push(counts.entries.len());
        }
        counts
    }

    /// The columns of `other` behind these, row beside row.
    ///
    /// # Panics
    /// If the two have not as many rows.
    pub fn beside(&self, other: &Self) -> Self {
        assert_eq!(self.rows(), other.rows(), "rows of two tables");
        let mut joined = Self { columns: self.columns + other.columns, starts: vec![0], entries: Vec::new() };
        for row in 0..self.rows() {
            joined.entries.extend_from_slice(self.row(row));
            let shifted = other.row(row).iter().map(|&(column, value)| (column + self.columns as u32, value));
            joined.entries.extend(shifted);
            joined.starts.push(joined.entries.len());
        }
        joined
    }
}

/// What a model is fitted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Targets are 0 and 1; the output is the logit of 1.
    Logistic,
    /// Targets are indices of classes; the outputs are logits of the classes.
    Softmax {
        /// Number of classes.
        classes: usize,
    },
    /// Targets are numbers; the output is such a number. The loss is half the squared error.
    Squared,
}

impl Loss {
    /// Outputs for each row.
    pub fn outputs(self) -> usize {
        match self {
            Self::Softmax { classes } => classes,
            Self::Logistic | Self::Squared => 1,
        }
    }
}

/// A linear model of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// `[columns, outputs]`, for features as they are.
    weights: Vec<f64>,
    /// `[outputs]`.
    intercepts: Vec<f64>,
}

impl Linear {
    /// Fits to the rows of a table and their targets; see [`KmerConfig::penalty`].
    ///
    /// # Panics
    /// As [`KmerModel::fit`].
    pub fn fit(table: &Counts, targets: &[f64], loss: Loss, penalty: f64) -> Self {
        let (weights, intercepts) = solver::fit(table, targets, loss, penalty);
        Self { weights, intercepts }
    }

    /// Logits or values of the rows of a table: `[rows, outputs]`.
    pub fn predict(&self, table: &Counts) -> Vec<f64> {
        solver::scores(table, &self.weights, &self.intercepts)
    }
}

/// A linear model of the features of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KmerModel {
    features: Features,
    loss: Loss,
    linear: Linear,
}

impl KmerModel {
    /// Fits to sequences and their targets; see [`KmerConfig::penalty`].
    ///
    /// Where all targets of [`Loss::Logistic`] are equal, or a class has no row, there is no finite optimum; the fit
    /// then stops at probabilities near 0 or 1.
    ///
    /// # Panics
    /// If there is not one target for each sequence, a class is out of range, or `penalty` is not positive.
    pub fn fit(features: Features, sequences: &[&[u8]], targets: &[f64], loss: Loss, penalty: f64) -> Self {
        Self::fit_counts(features, &features.count(sequences), targets, loss, penalty)
    }

    /// As [`KmerModel::fit`], of features that are counted already: several tasks of one table share them.
    ///
    /// # Panics
    /// As [`KmerModel::fit`].
    pub fn fit_counts(features: Features, counts: &Counts, targets: &[f64], loss: Loss, penalty: f64) -> Self {
        Self { features, loss, linear: Linear::fit(counts, targets, loss, penalty) }
    }

    /// Logits or values of sequences: `[sequences, outputs]`.
    pub fn predict(&self, sequences: &[&[u8]]) -> Vec<f64> {
        self.predict_counts(&self.features.count(sequences))
    }

    /// As [`KmerModel::predict`], of features that are counted already.
    pub fn predict_counts(&self, counts: &Counts) -> Vec<f64> {
        self.linear.predict(counts)
    }

    /// What the model reads.
    pub fn features(&self) -> Features {
        self.features
    }

    /// What the model was fitted for.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Words with the weight of one more occurrence for `output`, the largest weights (either sign) first.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn weights(&self, output: usize) -> Vec<(String, f64)> {
        let outputs = self.loss.outputs();
        assert!(output < outputs, "output {output} of {outputs}");
        let column = self.linear.weights.iter().skip(output).step_by(outputs).copied();
        let mut named: Vec<(String, f64)> = self.features.names().into_iter().zip(column).collect();
        named.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
        named
    }
}

#[cfg(test)]
mod tests;
