//! What a split really tests, before any model is trained on it.
//!
//! The audit of an [`AffinityTable`] and a [`Split`] answers four questions: do parts share inputs (the same SMILES string
//! and the same sequence), do rows of the same input disagree, how near is the nearest training drug or target of each one
//! tested, and how are the labels spread. On the published Davis folds it finds 929 of the 5,010 test pairs in the training
//! part, letter for letter.
//!
//! An [`Audit`] serialises, and [`Audit::to_text`] is the same for people.

mod similarity;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nn_core::data::{Part, Split};
use serde::{Deserialize, Serialize};

pub use self::similarity::{KMER, Similarity, kmer_identity};

use crate::chem::Fingerprint;
use crate::split::{drugs_read, target_groups};
use crate::table::{AffinityTable, Pair};

/// Bins of every histogram.
const BINS: usize = 20;
/// A value that more than this share of the rows have is worth a warning: errors and ranks hang on it.
pub(crate) const COMMON: f64 = 0.1;

/// Counts in bins of equal width; the last one includes its upper end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lower end of the first bin.
    pub low: f64,
    /// Upper end of the last bin.
    pub high: f64,
    /// Values in each bin. Values outside are counted in the nearest one.
    pub counts: Vec<usize>,
}

impl Histogram {
    fn new(values: &[f64], low: f64, high: f64) -> Self {
        let mut counts = vec![0; BINS];
        for value in values {
            let place = if high > low { (value - low) / (high - low) * BINS as f64 } else { 0.0 };
            // A float becomes 0 below the range of the integer.
            counts[(place as usize).min(BINS - 1)] += 1;
        }
        Self { low, high, counts }
    }
}

/// Drugs or targets of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entities {
    /// Entries of the table.
    pub listed: usize,
    /// Different ones, by flat canonical SMILES or by sequence.
    pub distinct: usize,
    /// Entries whose SMILES cannot be read; always 0 for targets.
    pub unreadable: usize,
}

/// Rows and labels of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartAudit {
    /// Which part.
    pub part: Part,
    /// Rows.
    pub rows: usize,
    /// Distinct drugs, by flat canonical SMILES.
    pub drugs: usize,
    /// Distinct targets, by sequence.
    pub targets: usize,
    /// Minimum, lower quartile, median, upper quartile and maximum of the labels.
    pub quartiles: [f64; 5],
    /// Mean of the labels.
    pub mean: f64,
    /// Standard deviation of the labels, with the number of rows as divisor.
    pub sd: f64,
    /// Labels between the smallest and the largest of the whole table.
    pub labels: Histogram,
}

/// What a part shares with the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Which part.
    pub part: Part,
    /// Its rows.
    pub rows: usize,
    /// Rows whose exact input, SMILES string and sequence as written, is also in training.
    pub same_input: usize,
    /// Largest difference between the label of such a row and the mean label of that input in training.
    pub largest_difference: f64,
    /// Rows whose drug and target, by flat canonical SMILES and sequence, meet in training too.
    pub same_pair: usize,
    /// Rows whose drug is in training.
    pub drug_seen: usize,
    /// Rows whose target is in training.
    pub target_seen: usize,
    /// The part's distinct drugs, each with the Tanimoto similarity (ECFP4) of the nearest training drug.
    pub drugs: Similarity,
    /// The part's distinct targets, each with the [`kmer_identity`] of the nearest training target.
    pub targets: Similarity,
}

/// Rows of the same input with different labels. No function of the input can fit them all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflicts {
    /// Inputs (SMILES string and sequence) with more than one row.
    pub repeated: usize,
    /// Those whose labels differ.
    pub inputs: usize,
    /// Rows of those.
    pub rows: usize,
    /// Largest difference between two labels of one input.
    pub largest_spread: f64,
    /// The mean squared error that is left over all rows when each input is predicted by the mean of its labels.
    pub irreducible_mse: f64,
}

/// Where the most frequent label lies within the range of all labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// It is the smallest: the weak end, where an assay stops measuring.
    Lowest,
    /// It is the largest.
    Highest,
    /// Neither.
    Inside,
}

/// A label that many rows share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// The label.
    pub value: f64,
    /// Rows that have it.
    pub rows: usize,
    /// Their share of all rows.
    pub share: f64,
    /// Where in the range it lies.
    pub place: Place,
}

/// What a model reads of a kind of string; filled in by whoever knows the model's tokeniser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which strings, for example `SMILES, 100 characters`.
    pub what: String,
    /// Strings.
    pub strings: usize,
    /// Strings of which the end is cut off.
    pub truncated: usize,
    /// Characters without a label.
    pub unknown: usize,
}

/// The audit of a table and a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// What the labels measure.
    pub quantity: String,
    /// Rows of the table.
    pub rows: usize,
    /// Rows in no part.
    pub unused: usize,
    /// Drugs of the table.
    pub drugs: Entities,
    /// Targets of the table.
    pub targets: Entities,
    /// The parts that have rows.
    pub parts: Vec<PartAudit>,
    /// The validation and the test part, as far as they have rows, against the training part.
    pub overlaps: Vec<Overlap>,
    /// Over all rows of the table.
    pub conflicts: Conflicts,
    /// The most frequent label of the table, if more than a tenth of the rows have it.
    pub ceiling: Option<Ceiling>,
    /// What the model does not read; empty unless given by [`Audit::with_reading`].
    pub reading: Vec<Reading>,
}

impl Audit {
    /// Audits `split`, which must have passed [`Split::check`] against the rows of `table`.
    pub fn new(table: &AffinityTable, split: &Split) -> Self {
        let (drugs, fingerprints) = drugs_read(table);
        let targets = target_groups(table);
        let inputs = Inputs::new(table, drugs, targets);
        let labels: Vec<f64> = table.pairs.iter().map(|pair| f64::from(pair.value)).collect();
        let low = labels.iter().copied().fold(f64::INFINITY, f64::min);
        let high = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let filled: Vec<Part> = Part::ALL.into_iter().filter(|&part| !split.part(part).is_empty()).collect();
        let kmers = similarity::kmer_sets(table);
        Self {
            quantity: table.quantity.label().to_owned(),
            rows: table.pairs.len(),
            unused: table.pairs.len() - filled.iter().map(|&part| split.part(part).len()).sum::<usize>(),
            drugs: Entities {
                listed: table.drugs.len(),
                distinct: inputs.drugs.iter().collect::<BTreeSet<_>>().len(),
                unreadable: fingerprints.iter().filter(|fingerprint| fingerprint.is_none()).count(),
            },
            targets: Entities {
                listed: table.targets.len(),
                distinct: inputs.targets.iter().collect::<BTreeSet<_>>().len(),
                unreadable: 0,
            },
            parts: filled.iter().map(|&part| inputs.part(part, split.part(part), &labels, low, high)).collect(),
            overlaps: filled
                .iter()
                .filter(|&&part| part != Part::Train)
                .map(|&part| inputs.overlap(part, split, &labels, &fingerprints, &kmers))
                .collect(),
            conflicts: inputs.conflicts(&labels),
            ceiling: ceiling(&labels, low, high),
            reading: Vec::new(),
        }
    }

    /// Adds what a tokeniser does not read of `strings` strings.
    pub fn with_reading(mut self, what: impl Into<String>, strings: usize, truncated: usize, unknown: usize) -> Self {
        self.reading.push(Reading { what: what.into(), strings, truncated, unknown });
        self
    }

    /// The audit as a text of a few dozen lines, for terminals and reports.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

/// The table by what identifies its drugs and targets.
struct Inputs<'a> {
    table: &'a AffinityTable,
    /// Group of each drug: flat canonical SMILES.
    drugs: Vec<u64>,
    /// Group of each target: sequence.
    targets: Vec<u64>,
    /// For each row, its input: SMILES string as written, and group of the target.
    exact: Vec<(&'a str, u64)>,
}

impl<'a> Inputs<'a> {
    fn new(table: &'a AffinityTable, drugs: Vec<u64>, targets: Vec<u64>) -> Self {
        let exact = table
            .pairs
            .iter()
            .map(|pair| (table.drugs[pair.drug as usize].smiles.as_str(), targets[pair.target as usize]))
            .collect();
        Self { table, drugs, targets, exact }
    }

    fn drug(&self, row: usize) -> u64 {
        self.drugs[self.table.pairs[row].drug as usize]
    }

    fn target(&self, row: usize) -> u64 {
        self.targets[self.table.pairs[row].target as usize]
    }

    fn part(&self, part: Part, rows: &[usize], labels: &[f64], low: f64, high: f64) -> PartAudit {
        let mut values: Vec<f64> = rows.iter().map(|&row| labels[row]).collect();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        PartAudit {
            part,
            rows: rows.len(),
            drugs: rows.iter().map(|&row| self.drug(row)).collect::<BTreeSet<_>>().len(),
            targets: rows.iter().map(|&row| self.target(row)).collect::<BTreeSet<_>>().len(),
            quartiles: [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share)),
            mean,
            sd: (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt(),
            labels: Histogram::new(&values, low, high),
        }
    }

    fn overlap(
        &self,
        part: Part,
        split: &Split,
        labels: &[f64],
        fingerprints: &[Option<Fingerprint>],
        kmers: &[Vec<u64>],
    ) -> Overlap {
        let mut seen: HashMap<(&str, u64), (f64, f64)> = HashMap::new();
        let (mut pairs, mut drugs, mut targets) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for &row in &split.train {
            let (sum, count) = seen.entry(self.exact[row]).or_default();
            *sum += labels[row];
            *count += 1.0;
            pairs.insert((self.drug(row), self.target(row)));
            drugs.insert(self.drug(row));
            targets.insert(self.target(row));
        }
        let rows = split.part(part);
        let differences: Vec<f64> = rows
            .iter()
            .filter_map(|&row| seen.get(&self.exact[row]).map(|(sum, count)| (labels[row] - sum / count).abs()))
            .collect();
        let column = |rows: &[usize], of: fn(&Pair) -> u32| -> Vec<usize> {
            rows.iter().map(|&row| of(&self.table.pairs[row]) as usize).collect()
        };
        Overlap {
            part,
            rows: rows.len(),
            same_input: differences.len(),
            largest_difference: differences.iter().copied().fold(0.0, f64::max),
            same_pair: rows.iter().filter(|&&row| pairs.contains(&(self.drug(row), self.target(row)))).count(),
            drug_seen: rows.iter().filter(|&&row| drugs.contains(&self.drug(row))).count(),
            target_seen: rows.iter().filter(|&&row| targets.contains(&self.target(row))).count(),
            drugs: similarity::nearest(
                &column(rows, |pair| pair.drug),
                &column(&split.train, |pair| pair.drug),
                &self.drugs,
                |drug| fingerprints[drug].is_some(),
                |a, b| match (&fingerprints[a], &fingerprints[b]) {
                    (Some(a), Some(b)) => a.tanimoto(b),
                    _ => 0.0,
                },
            ),
            targets: similarity::nearest(
                &column(rows, |pair| pair.target),
                &column(&split.train, |pair| pair.target),
                &self.targets,
                |_| true,
                |a, b| similarity::jaccard(&kmers[a], &kmers[b]),
            ),
        }
    }

    fn conflicts(&self, labels: &[f64]) -> Conflicts {
        let mut by_input: BTreeMap<(&str, u64), Vec<f64>> = BTreeMap::new();
        for (input, &label) in self.exact.iter().zip(labels) {
            by_input.entry(*input).or_default().push(label);
        }
        let mut found = Conflicts { repeated: 0, inputs: 0, rows: 0, largest_spread: 0.0, irreducible_mse: 0.0 };
        for labels in by_input.values().filter(|labels| labels.len() > 1) {
            found.repeated += 1;
            let low = labels.iter().copied().fold(f64::INFINITY, f64::min);
            let high = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if high > low {
                found.inputs += 1;
                found.rows += labels.len();
                found.largest_spread = found.largest_spread.max(high - low);
                let mean = labels.iter().sum::<f64>() / labels.len() as f64;
                found.irreducible_mse += labels.iter().map(|label| (label - mean).powi(2)).sum::<f64>();
            }
        }
        found.irreducible_mse /= labels.len().max(1) as f64;
        found
    }
}

/// Linear interpolation between the order statistics (NumPy's default) of sorted, non-empty `values`.
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn ceiling(labels: &[f64], low: f64, high: f64) -> Option<Ceiling> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for label in labels {
        *counts.entry(label.to_bits()).or_default() += 1;
    }
    // Of two labels equally frequent, the smaller.
    let (value, rows) = counts
        .into_iter()
        .map(|(bits, rows)| (f64::from_bits(bits), rows))
        .max_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))?;
    let share = rows as f64 / labels.len() as f64;
    let place = if value == low {
        Place::Lowest
    } else if value == high {
        Place::Highest
    } else {
        Place::Inside
    };
    (share > COMMON).then_some(Ceiling { value, rows, share, place })
}

#[cfg(test)]
mod tests;
