//! Gradient-boosted trees (Friedman 2001, Annals of Statistics 29:1189) and the random forest (Breiman 2001, Machine
//! Learning 45:5), for yes-or-no labels and tables with gaps.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::trees::{Binner, Ground, Limits, Tree};
use super::{BaselineError, check_table};

/// Settings of boosting; the defaults are those of scikit-learn's `HistGradientBoostingClassifier`, without its early
/// stopping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostingConfig {
    /// Trees.
    pub trees: usize,
    /// Factor of each tree's values.
    pub learning_rate: f64,
    /// Leaves of a tree at most.
    pub leaves: usize,
    /// Rows of a leaf at least.
    pub leaf_rows: usize,
    /// Penalty on the squares of the leaves' values.
    pub l2: f64,
}

impl Default for BoostingConfig {
    fn default() -> Self {
        Self { trees: 100, learning_rate: 0.1, leaves: 31, leaf_rows: 20, l2: 0.0 }
    }
}

impl BoostingConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("trees", self.trees, 1..=100_000)?;
        in_range("learning_rate", self.learning_rate, 1e-9..=1e3)?;
        in_range("leaves", self.leaves, 2..=100_000)?;
        in_range("leaf_rows", self.leaf_rows, 1..=1_000_000_000)?;
        in_range("l2", self.l2, 0.0..=1e9)
    }

    /// Learns from a table `[rows, columns]`, where NaN is missing, by the logistic loss.
    ///
    /// # Errors
    /// [`BaselineError`] for a setting out of range, no rows, or a table that does not fit the labels.
    pub fn fit(&self, values: &[f32], columns: usize, labels: &[bool]) -> Result<Boosting, BaselineError> {
        self.validate()?;
        check_table(values, columns, labels)?;
        let binner = Binner::fit(values, columns);
        let bins = binner.bins(values);
        let positives = labels.iter().filter(|label| **label).count() as f64;
        // of one class alone the logarithm would not be finite
        let share = (positives / labels.len() as f64).clamp(1e-9, 1.0 - 1e-9);
        let start = (share / (1.0 - share)).ln();
        let mut logits = vec![start; labels.len()];
        let limits =
            Limits { leaves: self.leaves, depth: usize::MAX, rows: self.leaf_rows, l2: self.l2, columns: None };
        let rows: Vec<u32> = (0..labels.len() as u32).collect();
        let mut trees = Vec::with_capacity(self.trees);
        for _ in 0..self.trees {
            let (gradients, curvatures): (Vec<f32>, Vec<f32>) = logits
                .iter()
                .zip(labels)
                .map(|(logit, label)| {
                    let p = 1.0 / (1.0 + (-logit).exp());
                    ((p - f64::from(u8::from(*label))) as f32, (p * (1.0 - p)) as f32)
                })
                .unzip();
            let ground = Ground { binner: &binner, bins: &bins, gradients: &gradients, curvatures: &curvatures };
            let tree = ground.grow(rows.clone(), &limits, self.learning_rate, None);
            logits.par_iter_mut().zip(values.par_chunks(columns)).for_each(|(logit, row)| *logit += tree.value(row));
            trees.push(tree);
        }
        Ok(Boosting { start, trees, columns })
    }
}

/// Boosted trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boosting {
    start: f64,
    trees: Vec<Tree>,
    columns: usize,
}

impl Boosting {
    /// Columns of the tables that it reads.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Logits of a table's rows.
    pub fn logits(&self, values: &[f32]) -> Vec<f64> {
        let rows = values.par_chunks_exact(self.columns.max(1));
        rows.map(|row| self.start + self.trees.iter().map(|tree| tree.value(row)).sum::<f64>()).collect()
    }

    /// How often the trees ask for each column.
    pub fn splits(&self) -> Vec<usize> {
        count_splits(&self.trees, self.columns)
    }
}

/// Settings of a random forest; the defaults are scikit-learn's, which are Breiman's but for the number of trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForestConfig {
    /// Trees.
    pub trees: usize,
    /// Rows of a leaf at least.
    pub leaf_rows: usize,
    /// Columns tried at each node; the root of their number if absent.
    pub columns: Option<usize>,
    /// Whether each tree learns from as many rows drawn with replacement as there are, or from all.
    pub bootstrap: bool,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for ForestConfig {
    fn default() -> Self {
        Self { trees: 100, leaf_rows: 1, columns: None, bootstrap: true, seed: 0 }
    }
}

impl ForestConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("trees", self.trees, 1..=100_000)?;
        in_range("leaf_rows", self.leaf_rows, 1..=1_000_000_000)?;
        in_range("columns", self.columns.unwrap_or(1), 1..=10_000_000)
    }

    /// Learns from a table `[rows, columns]`, where NaN is missing. Splits lower the Gini impurity most.
    ///
    /// # Errors
    /// As [`BoostingConfig::fit`].
    pub fn fit(&self, values: &[f32], columns: usize, labels: &[bool]) -> Result<Forest, BaselineError> {
        self.validate()?;
        check_table(values, columns, labels)?;
        let binner = Binner::fit(values, columns);
        let bins = binner.bins(values);
        // With the squared error of 0 and 1, whose leaves are shares of positives, the gain is that of the Gini
        // impurity.
        let gradients: Vec<f32> = labels.iter().map(|label| -f32::from(u8::from(*label))).collect();
        let curvatures = vec![1.0_f32; labels.len()];
        let tried = self.columns.unwrap_or_else(|| (columns as f64).sqrt() as usize).clamp(1, columns);
        let limits =
            Limits { leaves: usize::MAX, depth: usize::MAX, rows: self.leaf_rows, l2: 0.0, columns: Some(tried) };
        let ground = Ground { binner: &binner, bins: &bins, gradients: &gradients, curvatures: &curvatures };
        let tree = |tree: usize| {
            let mut rng = rng(self.seed, &[tree as u64]);
            let n = labels.len() as u32;
            let rows: Vec<u32> =
                if self.bootstrap { (0..n).map(|_| rng.random_range(0..n)).collect() } else { (0..n).collect() };
            ground.grow(rows, &limits, 1.0, Some(&mut rng))
        };
        Ok(Forest { trees: (0..self.trees).into_par_iter().map(tree).collect(), columns })
    }
}

/// A random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    trees: Vec<Tree>,
    columns: usize,
}

impl Forest {
    /// Columns of the tables that it reads.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Probabilities of a table's rows: the mean share of positives of the leaves they fall into.
    pub fn probabilities(&self, values: &[f32]) -> Vec<f64> {
        let n = self.trees.len().max(1) as f64;
        let rows = values.par_chunks_exact(self.columns.max(1));
        rows.map(|row| self.trees.iter().map(|tree| tree.value(row)).sum::<f64>() / n).collect()
    }

    /// How often the trees ask for each column.
    pub fn splits(&self) -> Vec<usize> {
        count_splits(&self.trees, self.columns)
    }
}

fn count_splits(trees: &[Tree], columns: usize) -> Vec<usize> {
    let mut counts = vec![0; columns];
    trees.iter().flat_map(Tree::columns).filter(|&column| column < columns).for_each(|column| counts[column] += 1);
    counts
}
