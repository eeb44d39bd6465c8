//! The mean, and additive biases of drugs and targets.

use super::{BaselineError, check};
use crate::table::{AffinityTable, Pair};

/// Pseudo-count that draws the bias of an entity with few rows towards 0.
const RIDGE: f64 = 1.0;
/// Alternations between the two sides. What is not settled by then is little more than a constant that the two sides pass to
/// each other and that cancels in their sum.
const SWEEPS: usize = 10;

/// `mean + drug bias + target bias`, by alternating ridge regression.
#[derive(Debug, Clone)]
pub(super) struct Biases {
    mean: f64,
    drugs: Vec<f64>,
    targets: Vec<f64>,
}

impl Biases {
    /// Fits to `train`, which is not empty. Entities without rows get bias 0.
    pub(super) fn fit(table: &AffinityTable, train: &[usize]) -> Self {
        let labels = table.values(train);
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        let mut fitted = Self { mean, drugs: vec![0.0; table.drugs.len()], targets: vec![0.0; table.targets.len()] };
        for _ in 0..SWEEPS {
            fitted.drugs = shrunk_means(table, train, table.drugs.len(), |pair| {
                (pair.drug as usize, f64::from(pair.value) - mean - fitted.targets[pair.target as usize])
            });
            fitted.targets = shrunk_means(table, train, table.targets.len(), |pair| {
                (pair.target as usize, f64::from(pair.value) - mean - fitted.drugs[pair.drug as usize])
            });
        }
        fitted
    }

    pub(super) fn predict(&self, pair: &Pair) -> f64 {
        self.mean + self.drugs[pair.drug as usize] + self.targets[pair.target as usize]
    }
}

/// For each entity, the sum of its values over their number plus [`RIDGE`].
fn shrunk_means(
    table: &AffinityTable,
    train: &[usize],
    entities: usize,
    of: impl Fn(&Pair) -> (usize, f64),
) -> Vec<f64> {
    let mut sums = vec![(0.0, RIDGE); entities];
    for &row in train {
        let (entity, value) = of(&table.pairs[row]);
        sums[entity].0 += value;
        sums[entity].1 += 1.0;
    }
    sums.into_iter().map(|(sum, count)| sum / count).collect()
}

/// The mean of the training labels, for every row.
///
/// # Errors
/// [`BaselineError`] when `train` has no rows or a row does not exist.
pub fn mean(table: &AffinityTable, train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    check(table, train, query)?;
    let labels = table.values(train);
    Ok(vec![labels.iter().sum::<f64>() / labels.len() as f64; query.len()])
}

/// Mean plus a bias of the drug plus a bias of the target, each ridge-shrunk with one pseudo-row; an entity that is not in
/// training has bias 0, so that on a cold-drug split this is the mean of the target, and the other way round.
///
/// # Errors
/// [`BaselineError`] when `train` has no rows or a row does not exist.
pub fn bias(table: &AffinityTable, train: &[usize], query: &[usize]) -> Result<Vec<f64>, BaselineError> {
    check(table, train, query)?;
    let biases = Biases::fit(table, train);
    Ok(query.iter().map(|&row| biases.predict(&table.pairs[row])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::tests_support::full_table;

    #[test]
    fn an_additive_table_is_shrunk_as_the_ridge_says() {
        // value = 6 + a_d + b_t with both summing to 0, on all 5 x 4 pairs: the sides do not interact, and the minimiser of
        // squares + ridge * biases^2 is n / (n + 1) of the true bias, n the rows of the entity.
        let (a, b) = ([-2.0, -1.0, 0.0, 1.0, 2.0], [-3.0, 0.5, 1.0, 1.5]);
        let table = full_table(5, 4, |drug, target| 6.0 + a[drug] + b[target]);
        let rows: Vec<usize> = (0..20).collect();
        let predicted = bias(&table, &rows, &rows).unwrap();
        for (row, predicted) in predicted.iter().enumerate() {
            let expected = 6.0 + a[row / 4] * 4.0 / 5.0 + b[row % 4] * 5.0 / 6.0;
            assert!((predicted - expected).abs() < 1e-9, "row {row}: {predicted}, not {expected}");
        }
    }

    #[test]
    fn on_an_incomplete_table_the_gradient_vanishes() {
        let table = full_table(6, 7, |drug, target| ((drug * 13 + target * 7) % 11) as f64);
        let train: Vec<usize> = (0..42).filter(|row| row % 3 != 1).collect();
        let fitted = Biases::fit(&table, &train);
        let slope = |of: fn(&Pair) -> u32, entity: u32, bias: f64| {
            let residuals = train.iter().map(|&row| &table.pairs[row]).filter(|pair| of(pair) == entity);
            residuals.map(|pair| f64::from(pair.value) - fitted.predict(pair)).sum::<f64>() - RIDGE * bias
        };
        for (target, &bias) in fitted.targets.iter().enumerate() {
            assert!(slope(|pair| pair.target, target as u32, bias).abs() < 1e-9);
        }
        // The drugs were solved half a sweep before: what is left shows how far the alternation has come.
        for (drug, &bias) in fitted.drugs.iter().enumerate() {
            assert!(slope(|pair| pair.drug, drug as u32, bias).abs() < 1e-3);
        }
    }

    #[test]
    fn what_is_not_in_training_has_no_bias() {
        let table = full_table(3, 2, |drug, _| drug as f64);
        // Drug 2 is unseen: rows 4 and 5.
        let predicted = bias(&table, &[0, 1, 2, 3], &[4, 5]).unwrap();
        assert_eq!(predicted, [0.5, 0.5]);
        assert_eq!(mean(&table, &[0, 1, 2, 3], &[4, 5, 0]).unwrap(), [0.5; 3]);
    }
}
