//! Expression tables on their way into a network: logarithms, scales that are fitted to the training part alone, genes
//! ranked by how well they tell classes apart, and a classifier that does all of it.
//!
//! | what | |
//! |---|---|
//! | [`log2_plus_one`] | counts and abundances |
//! | [`Scaler`] | each gene to mean 0 and deviation 1, or to 0 to 1 |
//! | [`f_statistics`], [`top_genes`] | genes by their F statistic between classes |
//! | [`LeastSquares`] | linear regression of many genes on the same ones |
//! | [`ExpressionClassifier`] | the whole way from an [`ExpressionSet`] to probabilities of classes |

mod classifier;
mod least_squares;
#[cfg(test)]
mod tests;

pub use self::classifier::{ClassifierConfig, ClassifierNet, ExpressionClassifier, ExpressionError, NetworkKind};
pub use self::least_squares::LeastSquares;

use serde::{Deserialize, Serialize};

use crate::dataset::ExpressionSet;

/// log2(x + 1) of counts or abundances, which are at least 0.
pub fn log2_plus_one(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.ln_1p() / std::f32::consts::LN_2);
}

/// To what the values of a gene are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// As they are.
    None,
    /// Mean 0 and standard deviation 1 over the samples of the training part.
    #[default]
    Standard,
    /// The smallest value of the training part is 0 and the largest 1; what lies beyond is cut.
    UnitRange,
}

/// A scale with what the training part has taught it. A gene that does not vary there becomes 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    scale: Scale,
    /// Of each gene, what is subtracted.
    shift: Vec<f32>,
    /// Of each gene, by what it is multiplied then.
    factor: Vec<f32>,
}

impl Scaler {
    /// Learns from the samples `rows` of `set`, and from no other.
    ///
    /// # Panics
    /// If a sample is not there.
    pub fn fit(set: &ExpressionSet, rows: &[usize], scale: Scale) -> Self {
        Self::of(&set.values, set.genes.len(), rows, scale)
    }

    /// As [`Scaler::fit`], from any table of `genes` columns, `[rows, genes]`; what is not a number teaches nothing.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn of(table: &[f32], genes: usize, rows: &[usize], scale: Scale) -> Self {
        let (mut shift, mut factor) = (vec![0.0; genes], vec![1.0; genes]);
        if scale != Scale::None {
            for gene in 0..genes {
                let known = rows.iter().map(|&row| f64::from(table[row * genes + gene]));
                let known: Vec<f64> = known.filter(|value| !value.is_nan()).collect();
                let values = || known.iter().copied();
                let (from, width) = match scale {
                    Scale::UnitRange => {
                        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                            (low.min(value), high.max(value))
                        });
                        (low, high - low)
                    }
                    _ => moments(values(), known.len()),
                };
                shift[gene] = if from.is_finite() { from as f32 } else { 0.0 };
                factor[gene] = if width > 0.0 && width.is_finite() { (1.0 / width) as f32 } else { 0.0 };
            }
        }
        Self { scale, shift, factor }
    }

    /// Genes that it was fitted to.
    pub fn genes(&self) -> usize {
        self.shift.len()
    }

    /// Brings rows of values, one for each gene, to the scale.
    ///
    /// # Panics
    /// If the values do not fill whole rows.
    pub fn apply(&self, values: &mut [f32]) {
        let genes = self.genes();
        assert!(genes > 0 && values.len().is_multiple_of(genes), "{} values in rows of {genes} genes", values.len());
        for row in values.chunks_exact_mut(genes) {
            for ((value, shift), factor) in row.iter_mut().zip(&self.shift).zip(&self.factor) {
                *value = (*value - shift) * factor;
                if self.scale == Scale::UnitRange {
                    *value = value.clamp(0.0, 1.0);
                }
            }
        }
    }

    /// Brings numbers on the scale, such as predictions, back to the unit of the table: the reverse of
    /// [`Scaler::apply`]. A gene that does not vary gets its one value.
    ///
    /// # Panics
    /// If the values do not fill whole rows.
    pub fn undo(&self, values: &mut [f64]) {
        let genes = self.genes();
        assert!(genes > 0 && values.len().is_multiple_of(genes), "{} values in rows of {genes} genes", values.len());
        for row in values.chunks_exact_mut(genes) {
            for ((value, &shift), &factor) in row.iter_mut().zip(&self.shift).zip(&self.factor) {
                let width = if factor == 0.0 { 0.0 } else { 1.0 / f64::from(factor) };
                *value = *value * width + f64::from(shift);
            }
        }
    }
}

/// Mean and standard deviation, with n in the denominator.
fn moments(values: impl Iterator<Item = f64> + Clone, count: usize) -> (f64, f64) {
    let n = count.max(1) as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// The F statistic of each gene between the classes of the samples `rows` (Fisher 1925, *Statistical Methods for
/// Research Workers*, chapter 7): the variance between the classes' means over that within the classes. It is 0 where a
/// gene does not vary or there are too few samples, and infinite where it varies between classes alone.
///
/// # Panics
/// If a sample is not there or has no class.
pub fn f_statistics(set: &ExpressionSet, rows: &[usize]) -> Vec<f64> {
    let (genes, classes) = (set.genes.len(), set.classes.len());
    let mut counts = vec![0_usize; classes];
    rows.iter().for_each(|&row| counts[set.labels[row]] += 1);
    let present = counts.iter().filter(|&&count| count > 0).count();
    if present < 2 || rows.len() <= present {
        return vec![0.0; genes];
    }
    let mut sums = vec![0.0; classes * genes];
    for &row in rows {
        let own = &mut sums[set.labels[row] * genes..][..genes];
        own.iter_mut().zip(set.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mean = |class: usize, gene: usize| sums[class * genes + gene] / counts[class] as f64;
    let of_gene = |gene: usize| {
        let level = (0..classes).map(|class| sums[class * genes + gene]).sum::<f64>() / rows.len() as f64;
        let known = (0..classes).filter(|&class| counts[class] > 0);
        let between: f64 = known.map(|class| counts[class] as f64 * (mean(class, gene) - level).powi(2)).sum();
        let apart = |&row: &usize| (f64::from(set.row(row)[gene]) - mean(set.labels[row], gene)).powi(2);
        let within: f64 = rows.iter().map(apart).sum();
        let (between, within) = (between / (present - 1) as f64, within / (rows.len() - present) as f64);
        if between > 0.0 { between / within } else { 0.0 }
    };
    (0..genes).map(of_gene).collect()
}

/// The `count` genes of the largest [F statistics](f_statistics), or all if there are fewer, largest first; of equal
/// ones that of the smaller number first.
///
/// # Panics
/// As [`f_statistics`].
pub fn top_genes(set: &ExpressionSet, rows: &[usize], count: usize) -> Vec<usize> {
    let statistics = f_statistics(set, rows);
    let mut genes: Vec<usize> = (0..statistics.len()).collect();
    // a stable sort
    genes.sort_by(|&a, &b| statistics[b].total_cmp(&statistics[a]));
    genes.truncate(count);
    genes
}
