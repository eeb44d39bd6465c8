//! Percentile bootstrap by group: how far a metric would move with other subjects.

use super::{MetricError, ascending};
use rand::RngExt;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A metric with its percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The metric on the rows as they are.
    pub estimate: f64,
    /// Lower end. The percentile method does not promise that the estimate lies inside.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Nominal coverage, for example 0.95.
    pub level: f64,
    /// Number of resamples that the interval rests on.
    pub resamples: usize,
    /// Further resamples that had no value, for example AUROC where only one class was drawn.
    pub undefined: usize,
}

/// Percentile bootstrap interval of `statistic` (Efron and Tibshirani 1993, chapter 13), drawing
/// whole groups.
///
/// `groups[row]` is the subject, molecule or sequence group of a row. A resample draws as many
/// groups as there are, with replacement, and takes all rows of each draw: rows of one group are
/// not independent, and drawing them singly makes the interval too narrow. `statistic` gets row
/// indices in ascending order, a row drawn twice standing twice, so that one which depends on the
/// order of the rows sees that order. For independent rows give each its own number.
///
/// The result is a function of the arguments alone: resample i has its own random stream, however
/// many threads share the work. The ends are interpolated between order statistics as in numpy's
/// default quantile.
///
/// # Errors
/// - [`MetricError::Empty`] without a row;
/// - [`MetricError::OutOfRange`] for fewer than 2 resamples or a level not between 0 and 1;
/// - [`MetricError::Undefined`] with fewer than two groups, when the statistic has no value on the
///   rows themselves, or when it has none in half of the resamples or more;
/// - any other error of `statistic`, and [`MetricError::NotFinite`] when it returns such a number.
pub fn interval<F>(
    groups: &[u64],
    resamples: usize,
    level: f64,
    seed: u64,
    statistic: F,
) -> Result<Interval, MetricError>
where
    F: Fn(&[usize]) -> Result<f64, MetricError> + Sync,
{
    if groups.is_empty() {
        return Err(MetricError::Empty);
    }
    if resamples < 2 {
        return Err(out_of_range("resamples", resamples.to_string(), "2 or more"));
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(out_of_range("level", level.to_string(), "between 0 and 1, ends excluded"));
    }
    let (group_of, n_groups) = dense(groups);
    if n_groups < 2 {
        let why = format!("all {} rows are of one group; resampling groups needs at least two", groups.len());
        return Err(MetricError::Undefined { metric: "bootstrap interval", why });
    }
    let all: Vec<usize> = (0..groups.len()).collect();
    let estimate = finite(statistic(&all)?, 0)?;

    let drawn: Vec<Option<f64>> = (0..resamples)
        .into_par_iter()
        .map(|resample| {
            let rows = draw(&group_of, n_groups, seed, resample as u64);
            match statistic(&rows) {
                Ok(value) => finite(value, resample).map(Some),
                Err(MetricError::Undefined { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .collect::<Result<_, MetricError>>()?;

    let mut values: Vec<f64> = drawn.into_iter().flatten().collect();
    let undefined = resamples - values.len();
    if 2 * undefined >= resamples {
        let why = format!(
            "the statistic has no value in {undefined} of {resamples} resamples of the {n_groups} \
             groups"
        );
        return Err(MetricError::Undefined { metric: "bootstrap interval", why });
    }
    values.sort_unstable_by(|a, b| ascending(*a, *b));
    let tail = (1.0 - level) / 2.0;
    Ok(Interval {
        estimate,
        low: quantile(&values, tail),
        high: quantile(&values, 1.0 - tail),
        level,
        resamples: values.len(),
        undefined,
    })
}

/// Group numbers 0, 1, … in ascending order of the given ones, and how many there are.
fn dense(groups: &[u64]) -> (Vec<usize>, usize) {
    let mut numbers: BTreeMap<u64, usize> = groups.iter().map(|group| (*group, 0)).collect();
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number;
    }
    (groups.iter().map(|group| numbers[group]).collect(), numbers.len())
}

/// The rows of one resample in ascending order, each as often as its group was drawn.
fn draw(group_of: &[usize], n_groups: usize, seed: u64, resample: u64) -> Vec<usize> {
    let mut rng = crate::data::rng(seed, &[resample]);
    let mut times = vec![0_usize; n_groups];
    for _ in 0..n_groups {
        let group: usize = rng.random_range(0..n_groups);
        times[group] += 1;
    }
    let mut rows = Vec::with_capacity(group_of.len());
    for (row, group) in group_of.iter().enumerate() {
        rows.extend(std::iter::repeat_n(row, times[*group]));
    }
    rows
}

/// The statistic's value if it is a number; `resample` says where it was not.
fn finite(value: f64, resample: usize) -> Result<f64, MetricError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(MetricError::NotFinite { what: "bootstrap statistic", index: resample, value })
}

/// Quantile of sorted values, interpolated (Hyndman and Fan 1996, type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let rest = position - below as f64;
    sorted[below] + (sorted[above] - sorted[below]) * rest
}

fn out_of_range(what: &str, value: String, allowed: &str) -> MetricError {
    MetricError::OutOfRange { what: what.to_owned(), value, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{auroc, concordance_index};

    fn mean_of(values: &[f64]) -> impl Fn(&[usize]) -> Result<f64, MetricError> + Sync {
        move |rows: &[usize]| {
            let sum: f64 = rows.iter().map(|row| values[*row]).sum();
            Ok(sum / rows.len() as f64)
        }
    }

    /// Numbers in -1..1 that look irregular: the fractional parts of multiples of 97·√2.
    fn irregular(n: usize) -> Vec<f64> {
        let step = 97.0 * std::f64::consts::SQRT_2;
        (1..=n).map(|i| (i as f64 * step).fract() * 2.0 - 1.0).collect()
    }

    /// numpy 2: `np.quantile([1, 2, 4, 8], [0, 0.1, 0.5, 0.975, 1])`.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)] {
            assert!((quantile(&sorted, share) - expected).abs() < 1e-12);
        }
    }

    /// Brute-force twin: of three values all 27 resamples are known. The sums 0, 1 have shares 1/27
    /// and 3/27, so the 10 % quantile is exactly 1/3; from above 15 (1/27) and 11 (3/27), so the
    /// 90 % quantile is exactly 11/3. 20,000 draws stay more than 15 standard errors away from
    /// either step.
    #[test]
    fn three_values_give_the_enumerated_interval() {
        let values = [0.0, 1.0, 5.0];
        let found = interval(&[10, 20, 30], 20_000, 0.8, 3, mean_of(&values)).unwrap();
        assert_eq!(found.estimate, 2.0);
        assert!((found.low - 1.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!((found.high - 11.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert_eq!((found.resamples, found.undefined), (20_000, 0));
    }

    /// The mean of 400 rows: the interval is the normal one, ±1.96 s/√n, but for the error of
    /// 4,000 resamples (the end's standard error is about 0.04 of s/√n).
    #[test]
    fn the_mean_has_its_normal_interval() {
        let values = irregular(400);
        let groups: Vec<u64> = (0..400).collect();
        let found = interval(&groups, 4_000, 0.95, 5, mean_of(&values)).unwrap();
        let mean = values.iter().sum::<f64>() / 400.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 400.0;
        let error = (variance / 400.0).sqrt();
        assert!((found.low - (mean - 1.96 * error)).abs() < 0.2 * error, "{found:?}");
        assert!((found.high - (mean + 1.96 * error)).abs() < 0.2 * error, "{found:?}");
    }

    /// Ten copies of every row in one group are no new information: the same interval as without
    /// the copies. Taken for independent rows they would narrow it by √10.
    #[test]
    fn copies_within_a_group_do_not_narrow_the_interval() {
        let values = irregular(30);
        let groups: Vec<u64> = (0..30).collect();
        let single = interval(&groups, 500, 0.9, 8, mean_of(&values)).unwrap();

        let copies: Vec<f64> = (0..300).map(|row| values[row / 10]).collect();
        let grouped: Vec<u64> = (0..300).map(|row| row / 10).collect();
        let by_group = interval(&grouped, 500, 0.9, 8, mean_of(&copies)).unwrap();
        assert!((by_group.low - single.low).abs() < 1e-12);
        assert!((by_group.high - single.high).abs() < 1e-12);

        let rows: Vec<u64> = (0..300).collect();
        let naive = interval(&rows, 500, 0.9, 8, mean_of(&copies)).unwrap();
        let ratio = (single.high - single.low) / (naive.high - naive.low);
        assert!((2.6..3.9).contains(&ratio), "{ratio}");
    }

    /// 95 % intervals of 200 sets of 40 uniform numbers: the percentile method covers the true mean
    /// in about 94 %; 3.5 standard errors are 0.06.
    #[test]
    fn covers_the_truth_about_as_often_as_it_says() {
        let groups: Vec<u64> = (0..40).collect();
        let covered = (0..200)
            .filter(|set| {
                let mut rng = crate::data::rng(99, &[*set]);
                let values: Vec<f64> = (0..40).map(|_| rng.random_range(-1.0..1.0)).collect();
                let found = interval(&groups, 400, 0.95, *set, mean_of(&values)).unwrap();
                found.low <= 0.0 && 0.0 <= found.high
            })
            .count();
        assert!((176..=199).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn rows_come_in_order_with_whole_groups_and_do_not_depend_on_threads() {
        let groups = [5, 9, 5, 1, 9, 9, 2];
        let (group_of, n_groups) = dense(&groups);
        assert_eq!((group_of.as_slice(), n_groups), ([2, 3, 2, 0, 3, 3, 1].as_slice(), 4));
        for resample in 0..50 {
            let rows = draw(&group_of, n_groups, 4, resample);
            assert!(rows.is_sorted());
            let times = |row: usize| rows.iter().filter(|other| **other == row).count();
            assert_eq!(times(0), times(2));
            assert_eq!((times(1), times(1)), (times(4), times(5)));
            assert_eq!(times(0) + times(1) + times(3) + times(6), 4);
        }
        let values = irregular(7);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| interval(&groups, 300, 0.95, 1, mean_of(&values)).unwrap())
        };
        assert_eq!(run(1), run(3));
        let other_seed = interval(&groups, 300, 0.95, 2, mean_of(&values)).unwrap();
        assert_ne!(run(1), other_seed);
    }

    #[test]
    fn undefined_resamples_are_counted_and_too_many_are_an_error() {
        let groups: Vec<u64> = (0..6).collect();
        let scores = [0.1, 0.4, 0.35, 0.8, 0.6, 0.2];
        let of = |labels: [bool; 6]| {
            interval(&groups, 1_000, 0.9, 7, move |rows| {
                let labels: Vec<bool> = rows.iter().map(|row| labels[*row]).collect();
                let scores: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
                auroc(&labels, &scores)
            })
        };
        // one positive of six is not drawn with chance (5/6)⁶ = 0.335, and alone in 6⁻⁶
        let found = of([true, false, false, false, false, false]).unwrap();
        assert_eq!(found.resamples + found.undefined, 1_000);
        assert!((280..390).contains(&found.undefined), "{}", found.undefined);
        assert!(matches!(of([true; 6]), Err(MetricError::Undefined { metric: "AUROC", .. })));
        // the rows themselves have a value, and every resample but those of all six rows has none
        let fails = interval(&groups, 200, 0.9, 7, |rows| match rows {
            [0, 1, 2, 3, 4, 5] => Ok(1.0),
            _ => Err(MetricError::Undefined { metric: "picky", why: "a row is missing".to_owned() }),
        });
        assert!(matches!(fails, Err(MetricError::Undefined { metric: "bootstrap interval", .. })));
    }

    #[test]
    fn bad_settings_are_errors_of_their_kind() {
        let values = [1.0, 2.0];
        let run = |groups: &[u64], resamples, level| interval(groups, resamples, level, 1, mean_of(&values));
        assert_eq!(run(&[], 100, 0.95), Err(MetricError::Empty));
        for level in [0.0, 1.0, 95.0, f64::NAN] {
            assert!(matches!(run(&[1, 2], 100, level), Err(MetricError::OutOfRange { .. })));
        }
        assert!(matches!(run(&[1, 2], 1, 0.95), Err(MetricError::OutOfRange { .. })));
        let error = run(&[4, 4], 100, 0.95).unwrap_err();
        assert!(error.to_string().contains("all 2 rows are of one group"), "{error}");
        let broken = interval(&[1, 2], 100, 0.95, 1, |_| Ok(f64::NAN));
        assert!(matches!(broken, Err(MetricError::NotFinite { .. })));
    }

    #[test]
    fn bounds_a_concordance_index() {
        let truth = irregular(300);
        let noise = irregular(600);
        let pred: Vec<f64> = (0..300).map(|row| truth[row] + noise[300 + row]).collect();
        let groups: Vec<u64> = (0..300).map(|row| row / 3).collect();
        let found = interval(&groups, 200, 0.95, 1, |rows| {
            let truth: Vec<f64> = rows.iter().map(|row| truth[*row]).collect();
            let pred: Vec<f64> = rows.iter().map(|row| pred[*row]).collect();
            concordance_index(&truth, &pred)
        })
        .unwrap();
        assert_eq!(found.estimate, concordance_index(&truth, &pred).unwrap());
        assert!(found.low < found.estimate && found.estimate < found.high, "{found:?}");
        assert!(found.high - found.low < 0.15, "{found:?}");
    }
}
