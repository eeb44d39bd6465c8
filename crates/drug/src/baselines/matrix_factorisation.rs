//! Matrix factorisation on the identities of drug and target.
//!
//! The residuals of the [biases](super::bias()) are modelled as `u_drug · v_target` and fitted by alternating ridge regression
//! (Zhou et al. 2008, AAIM, section 3.1, with an unweighted penalty): minimise
//! `Σ (residual − u·v)² + ridge (Σ‖u‖² + Σ‖v‖²)`.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::RngExt;
use rayon::prelude::*;

use super::bias::Biases;
use super::{BaselineError, check};
use crate::table::AffinityTable;

/// Ranks that [`tuned_factorisation`] tries.
pub const RANKS: [usize; 3] = [8, 16, 32];
/// Ridges that [`tuned_factorisation`] tries.
pub const RIDGES: [f64; 5] = [1.0, 2.0, 3.0, 5.0, 8.0];

/// Half width of the uniform start of the factors; only their direction matters, the first solution replaces the length.
const START: f64 = 0.17;

/// Settings of a factorisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factorisation {
    /// Numbers of each drug and of each target, 1 to 256.
    pub rank: usize,
    /// Weight of the squared factors, 1e-6 to 1e6. Large ones shrink the prediction to the biases.
    pub ridge: f64,
    /// Alternations between the two sides, 1 to 10,000.
    pub sweeps: usize,
    /// Seed of the start.
    pub seed: u64,
}

impl Default for Factorisation {
    fn default() -> Self {
        Self { rank: 16, ridge: 5.0, sweeps: 20, seed: 1 }
    }
}

impl Factorisation {
    fn validate(&self) -> Result<(), ConfigError> {
        in_range("rank", self.rank, 1..=256)?;
        in_range("ridge", self.ridge, 1e-6..=1e6)?;
        in_range("sweeps", self.sweeps, 1..=10_000)
    }
}

/// Predictions of the factorisation with these settings. An entity that is not in training has factors 0, and is predicted
/// by the biases.
///
/// # Errors
/// [`BaselineError`] when `train` has no rows, a row does not exist or a setting is out of range.
pub fn matrix_factorisation(
    table: &AffinityTable,
    train: &[usize],
    query: &[usize],
    settings: &Factorisation,
) -> Result<Vec<f64>, BaselineError> {
    check(table, train, query)?;
    settings.validate()?;
    Ok(Model::fit(table, &Residuals::new(table, train), settings).predict(table, query))
}

/// As [`matrix_factorisation`], with the rank of [`RANKS`] and the ridge of [`RIDGES`] that have the smallest squared error
/// on `validation`; of equals, the larger rank. Returns these settings too. The settings are tried in parallel.
///
/// # Errors
/// [`BaselineError`] when `train` or `validation` have no rows, or a row does not exist.
pub fn tuned_factorisation(
    table: &AffinityTable,
    [train, validation, query]: [&[usize]; 3],
    seed: u64,
) -> Result<(Factorisation, Vec<f64>), BaselineError> {
    check(table, train, validation)?;
    check(table, train, query)?;
    if validation.is_empty() {
        return Err(BaselineError::Empty { part: "validation" });
    }
    let residuals = Residuals::new(table, train);
    let labels = table.values(validation);
    // The largest first, so that no thread is left alone with one of them at the end.
    let grid: Vec<Factorisation> = RANKS
        .iter()
        .rev()
        .flat_map(|&rank| RIDGES.map(|ridge| Factorisation { rank, ridge, seed, ..Factorisation::default() }))
        .collect();
    let tried: Vec<(f64, Factorisation, Vec<f64>)> = grid
        .into_par_iter()
        .with_max_len(1)
        .map(|settings| {
            let model = Model::fit(table, &residuals, &settings);
            let predicted = model.predict(table, validation);
            let error = labels.iter().zip(&predicted).map(|(label, value)| (label - value).powi(2)).sum::<f64>();
            (error, settings, model.predict(table, query))
        })
        .collect();
    let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, settings, predicted) = best.ok_or(BaselineError::Empty { part: "validation" })?;
    Ok((settings, predicted))
}

/// What the biases leave, by drug and by target.
struct Residuals {
    biases: Biases,
    of_drug: Vec<Vec<(u32, f64)>>,
    of_target: Vec<Vec<(u32, f64)>>,
}

impl Residuals {
    fn new(table: &AffinityTable, train: &[usize]) -> Self {
        let biases = Biases::fit(table, train);
        let mut of_drug = vec![Vec::new(); table.drugs.len()];
        let mut of_target = vec![Vec::new(); table.targets.len()];
        for &row in train {
            let pair = &table.pairs[row];
            let residual = f64::from(pair.value) - biases.predict(pair);
            of_drug[pair.drug as usize].push((pair.target, residual));
            of_target[pair.target as usize].push((pair.drug, residual));
        }
        Self { biases, of_drug, of_target }
    }
}

/// Biases and factors, `[entities, rank]` row by row.
struct Model<'a> {
    biases: &'a Biases,
    rank: usize,
    drugs: Vec<f64>,
    targets: Vec<f64>,
}

impl<'a> Model<'a> {
    fn fit(table: &AffinityTable, residuals: &'a Residuals, settings: &Factorisation) -> Self {
        let rank = settings.rank;
        let mut random = rng(settings.seed, &[rank as u64]);
        let mut targets: Vec<f64> =
            (0..table.targets.len() * rank).map(|_| random.random_range(-START..START)).collect();
        let mut drugs = vec![0.0; table.drugs.len() * rank];
        let mut solver = Ridge::new(rank, settings.ridge);
        for _ in 0..settings.sweeps {
            solver.solve(&residuals.of_drug, &targets, &mut drugs);
            solver.solve(&residuals.of_target, &drugs, &mut targets);
        }
        Self { biases: &residuals.biases, rank, drugs, targets }
    }

    fn predict(&self, table: &AffinityTable, rows: &[usize]) -> Vec<f64> {
        rows.iter()
            .map(|&row| {
                let pair = &table.pairs[row];
                let u = &self.drugs[pair.drug as usize * self.rank..][..self.rank];
                let v = &self.targets[pair.target as usize * self.rank..][..self.rank];
                self.biases.predict(pair) + u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>()
            })
            .collect()
    }
}

/// Solves `(Σ v vᵀ + ridge) u = Σ residual v` for each entity of one side.
struct Ridge {
    rank: usize,
    penalty: f64,
    /// Lower triangle of the left side `[rank, rank]`, then of its Cholesky factor.
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Ridge {
    fn new(rank: usize, ridge: f64) -> Self {
        Self { rank, penalty: ridge, left: vec![0.0; rank * rank], right: vec![0.0; rank] }
    }

    fn solve(&mut self, entries: &[Vec<(u32, f64)>], other: &[f64], own: &mut [f64]) {
        for (entries, solution) in entries.iter().zip(own.chunks_exact_mut(self.rank)) {
            if entries.is_empty() {
                solution.fill(0.0);
                continue;
            }
            self.collect(entries, other);
            self.factorise();
            self.substitute(solution);
        }
    }

    fn collect(&mut self, entries: &[(u32, f64)], other: &[f64]) {
        let rank = self.rank;
        self.left.fill(0.0);
        self.right.fill(0.0);
        for &(entity, residual) in entries {
            let v = &other[entity as usize * rank..][..rank];
            for (row, (left, right)) in self.left.chunks_exact_mut(rank).zip(&mut self.right).enumerate() {
                let scale = v[row];
                *right += residual * scale;
                for (sum, value) in left[..=row].iter_mut().zip(v) {
                    *sum += scale * value;
                }
            }
        }
        for row in 0..rank {
            self.left[row * rank + row] += self.penalty;
        }
    }

    /// Cholesky, in place. The pivots of a positive semidefinite matrix plus the ridge are the ridge or more, so that only
    /// rounding could bring one below.
    fn factorise(&mut self) {
        let rank = self.rank;
        for row in 0..rank {
            let (above, below) = self.left.split_at_mut(row * rank);
            let current = &mut below[..rank];
            for column in 0..row {
                let factor = &above[column * rank..][..rank];
                let dot: f64 = current[..column].iter().zip(factor).map(|(a, b)| a * b).sum();
                current[column] = (current[column] - dot) / factor[column];
            }
            let dot: f64 = current[..row].iter().map(|value| value * value).sum();
            current[row] = (current[row] - dot).max(self.penalty).sqrt();
        }
    }

    /// Forward and back substitution.
    fn substitute(&self, solution: &mut [f64]) {
        let rank = self.rank;
        for row in 0..rank {
            let factor = &self.left[row * rank..][..rank];
            let dot: f64 = factor[..row].iter().zip(&*solution).map(|(a, b)| a * b).sum();
            solution[row] = (self.right[row] - dot) / factor[row];
        }
        for row in (0..rank).rev() {
            let dot: f64 = (row + 1..rank).map(|below| self.left[below * rank + row] * solution[below]).sum();
            solution[row] = (solution[row] - dot) / self.left[row * rank + row];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::baselines::bias;
    use crate::baselines::tests_support::full_table;

    /// Orthonormal over `i` in `0..n` for `k` from 1, and orthogonal to the constant: the cosine basis.
    fn wave(k: usize, i: usize, n: usize) -> f64 {
        (2.0 / n as f64).sqrt() * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()
    }

    #[test]
    fn a_full_table_is_its_svd_with_shrunk_singular_values() {
        // The minimiser of |R - U V'|^2 + ridge (|U|^2 + |V|^2) has the singular vectors of R and its singular values less
        // the ridge, none below 0 (Mazumder, Hastie and Tibshirani 2010, JMLR 11:2287).
        let (singular, ridge) = ([6.0, 3.0, 0.5], 1.0);
        let of = |values: [f64; 3], d: usize, t: usize| -> f64 {
            (0..3).map(|k| values[k] * wave(k + 1, d, 12) * wave(k + 1, t, 10)).sum()
        };
        let table = full_table(12, 10, |d, t| of(singular, d, t));
        let rows: Vec<usize> = (0..120).collect();
        let settings = Factorisation { rank: 4, ridge, sweeps: 200, seed: 3 };
        let predicted = matrix_factorisation(&table, &rows, &rows, &settings).unwrap();
        for (row, predicted) in predicted.iter().enumerate() {
            let expected = of([5.0, 2.0, 0.0], row / 10, row % 10);
            // The labels are f32.
            assert!((predicted - expected).abs() < 1e-5, "row {row}: {predicted}, not {expected}");
        }
    }

    #[test]
    fn held_out_entries_of_a_low_rank_table_are_filled_in_where_biases_fail() {
        let table = full_table(30, 20, |d, t| 6.0 + 9.0 * wave(2, d, 30) * wave(3, t, 20));
        let (query, train): (Vec<usize>, Vec<usize>) = (0..600).partition(|row| row * 7 % 5 == row / 20 % 5);
        let error = |predicted: Vec<f64>| {
            let labels = table.values(&query);
            labels.iter().zip(predicted).map(|(label, value)| (label - value).powi(2)).sum::<f64>()
                / labels.len() as f64
        };
        let settings = Factorisation { rank: 4, ridge: 0.01, sweeps: 100, seed: 1 };
        let factorised = error(matrix_factorisation(&table, &train, &query, &settings).unwrap());
        let additive = error(bias(&table, &train, &query).unwrap());
        assert!(factorised < 0.01 * additive, "{factorised} against {additive}");
    }

    #[test]
    fn unseen_entities_are_left_to_the_biases() {
        let table = full_table(8, 6, |d, t| ((d * 5 + t * 3) % 7) as f64);
        let train: Vec<usize> = (0..42).collect();
        let query: Vec<usize> = (42..48).collect();
        let settings = Factorisation { rank: 3, ..Factorisation::default() };
        let predicted = matrix_factorisation(&table, &train, &query, &settings).unwrap();
        assert_eq!(predicted, bias(&table, &train, &query).unwrap());
    }

    #[test]
    fn tuning_takes_the_best_of_the_grid() {
        let table = full_table(20, 15, |d, t| {
            6.0 + 9.0 * wave(2, d, 20) * wave(1, t, 15) + ((d * 7 + t * 11) % 5) as f64 / 5.0
        });
        let part = |wanted: usize| (0..300).filter(|row| row * 3 % 7 % 3 == wanted).collect::<Vec<usize>>();
        let (train, validation, query) = (part(0), part(1), part(2));
        let (settings, predicted) = tuned_factorisation(&table, [&train, &validation, &query], 5).unwrap();
        assert_eq!(predicted, matrix_factorisation(&table, &train, &query, &settings).unwrap());
        let labels = table.values(&validation);
        let error = |settings: &Factorisation| -> f64 {
            let predicted = matrix_factorisation(&table, &train, &validation, settings).unwrap();
            labels.iter().zip(predicted).map(|(label, value)| (label - value).powi(2)).sum()
        };
        let best = error(&settings);
        for rank in RANKS {
            for ridge in RIDGES {
                assert!(best <= error(&Factorisation { rank, ridge, ..settings }));
            }
        }
        assert!(matches!(
            tuned_factorisation(&table, [&train, &[], &query], 5),
            Err(BaselineError::Empty { part: "validation" })
        ));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let table = full_table(2, 2, |_, _| 1.0);
        for settings in [
            Factorisation { rank: 0, ..Factorisation::default() },
            Factorisation { ridge: 0.0, ..Factorisation::default() },
            Factorisation { sweeps: 0, ..Factorisation::default() },
        ] {
            let result = matrix_factorisation(&table, &[0], &[1], &settings);
            assert!(matches!(result, Err(BaselineError::Config(_))));
        }
    }

    proptest! {
        /// The solution put back into the equations it solves.
        #[test]
        fn the_solver_solves(
            (rank, factors, residuals) in (1_usize..7).prop_flat_map(|rank| {
                (Just(rank), vec(-3.0_f64..3.0, 9 * rank), vec(-2.0_f64..2.0, 1..9))
            }),
            ridge in 0.01_f64..5.0,
        ) {
            let entries: Vec<(u32, f64)> = residuals.iter().enumerate().map(|(i, r)| (i as u32, *r)).collect();
            let mut solution = vec![f64::NAN; rank];
            Ridge::new(rank, ridge).solve(std::slice::from_ref(&entries), &factors, &mut solution);
            let v = |entity: u32| &factors[entity as usize * rank..][..rank];
            for k in 0..rank {
                // Half the gradient of the objective in u_k.
                let gradient = entries
                    .iter()
                    .map(|&(entity, residual)| {
                        let predicted: f64 = v(entity).iter().zip(&solution).map(|(v, u)| v * u).sum();
                        (predicted - residual) * v(entity)[k]
                    })
                    .sum::<f64>()
                    + ridge * solution[k];
                prop_assert!(gradient.abs() < 1e-8, "{} in {}", gradient, k);
            }
        }
    }
}
