//! Permutation importance: what a score loses when a column is shuffled among the rows.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{ExplainError, Groups};
use crate::config::{ConfigError, in_range};

/// Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019), of groups of columns or any other parts.
///
/// A group is shuffled as a whole, so that what belongs together stays together. The loss is what this model needs the
/// group for, on these rows: of two columns that say the same, each can be unneeded. Measure on rows that the model was
/// not trained on.
///
/// ```
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::explain::{ExplainError, Groups, PermutationImportance};
/// use nn_core::metrics::pearson;
/// let x = Tensor::<2>::from_floats([[1.0, 9.0], [2.0, 7.0], [3.0, 8.0], [4.0, 6.0]], &Device::flex());
/// // the model reads the first column alone
/// let score = |x: Tensor<2>| -> Result<f64, ExplainError> {
///     let predictions = x.narrow(1, 0, 1).try_into_vec_as::<f64>()?;
///     Ok(pearson(&[1.0, 2.0, 3.0, 4.0], &predictions)?)
/// };
/// let rng = &mut nn_core::data::rng(1, &[]);
/// let found = PermutationImportance::default().measure(&x, &Groups::each(2), score, rng)?;
/// assert!((found.score - 1.0).abs() < 1e-12);
/// assert!(found.groups[0].mean > 0.0);
/// assert_eq!(found.groups[1].mean, 0.0);
/// # Ok::<(), ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermutationImportance {
    /// Shuffles of each group.
    pub repeats: usize,
}

impl Default for PermutationImportance {
    /// 5 repeats, as scikit-learn.
    fn default() -> Self {
        Self { repeats: 5 }
    }
}

/// What the score loses without one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Mean loss over the repeats: score of the rows as they are − score with the group shuffled.
    pub mean: f64,
    /// Standard deviation of the loss over the repeats (their mean square, not divided by one less).
    pub sd: f64,
    /// The loss of each repeat.
    pub losses: Vec<f64>,
}

/// The importance of every group, and its check.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// One for each group.
    pub groups: Vec<Importance>,
    /// The score of the rows as they are: nothing can be important to a model whose score is that of a guess.
    pub score: f64,
    /// Rows that the model was evaluated on.
    pub evaluations: usize,
}

impl PermutationImportance {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no repeats or more than 100,000.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("repeats", self.repeats, 1..=100_000)
    }

    /// Shuffles each group in turn. `score` runs the model on the whole table and compares with the truth, of which the
    /// closure holds the values in the order of the rows; more is better.
    ///
    /// # Shapes
    /// - x `[rows, …]`
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, an empty input, groups of another size, and what `score` returns.
    pub fn measure<const D: usize>(
        &self,
        x: &Tensor<D>,
        groups: &Groups,
        score: impl Fn(Tensor<D>) -> Result<f64, ExplainError>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Importances, ExplainError> {
        self.validate()?;
        groups.check(x)?;
        let dims = x.dims();
        if dims.contains(&0) {
            return Err(ExplainError::Empty);
        }
        let x = x.clone().inner();
        let device = x.device();
        let whole = score(x.clone())?;
        let mut order: Vec<i64> = (0..dims[0] as i64).collect();
        let mut one_row = dims;
        one_row[0] = 1;
        let mut found = Vec::with_capacity(groups.count());
        for group in 0..groups.count() {
            let marks: Vec<bool> = groups.of().iter().map(|&of| of == group).collect();
            let marks = Tensor::<D, Bool>::from_data(TensorData::new(marks, one_row), &device);
            let marks: Tensor<D, Bool> = marks.expand(dims);
            let mut losses = Vec::with_capacity(self.repeats);
            for _ in 0..self.repeats {
                order.shuffle(rng);
                let index = Tensor::<1, Int>::from_data(TensorData::new(order.clone(), [dims[0]]), &device);
                let shuffled = x.clone().select(0, index);
                losses.push(whole - score(x.clone().mask_where(marks.clone(), shuffled))?);
            }
            found.push(importance(losses));
        }
        let evaluations = dims[0] * (1 + groups.count() * self.repeats);
        Ok(Importances { groups: found, score: whole, evaluations })
    }
}

fn importance(losses: Vec<f64>) -> Importance {
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    let sd = (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / n).sqrt();
    Importance { mean, sd, losses }
}
