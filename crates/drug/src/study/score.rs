//! The scores of a set of predictions, by name.

use super::Protocol;
use crate::audit::COMMON;
use crate::table::Quantity;
use nn_core::metrics::{self, MetricError};
use std::collections::BTreeMap;

/// Scores by name. What is undefined for the data at hand is absent.
///
/// | name | what |
/// |---|---|
/// | `mse` `rmse` `mae` | errors, in the quantity's units |
/// | `pearson` `spearman` `r2` | correlation, and the share of variance explained |
/// | `ci` | concordance index by the study's protocol |
/// | `ci_full` `ci_deepdta` | over all pairs; over the half that DeepDTA's code visits |
/// | `ci_above_floor` | over the rows above the lowest value, where a tenth of them have it (the assay's floor) |
/// | `rm2` `rm2_published` | as DeepDTA's code computes it; by the published formula |
/// | `average_precision` | of strong binders: pKd ≥ 7, KIBA ≥ 12.1 |
pub type Scores = BTreeMap<String, f64>;

/// The least value of a strong binder, as DeepDTA and its successors binarise it; `None` where no such convention is
/// known.
pub fn strong_binding(quantity: &Quantity) -> Option<f64> {
    match quantity {
        Quantity::Pkd => Some(7.0),
        Quantity::KibaScore => Some(12.1),
        Quantity::Other(_) => None,
    }
}

/// Names of all scores, in the order of the table above.
const NAMES: [&str; 13] = [
    "mse",
    "rmse",
    "mae",
    "pearson",
    "spearman",
    "r2",
    "ci",
    "ci_full",
    "ci_deepdta",
    "ci_above_floor",
    "rm2",
    "rm2_published",
    "average_precision",
];

/// All scores of `predicted` against `measured`.
///
/// # Errors
/// [`MetricError`] for no rows, unequal lengths or a number that is not finite.
pub fn score(
    measured: &[f64],
    predicted: &[f64],
    protocol: Protocol,
    quantity: &Quantity,
) -> Result<Scores, MetricError> {
    let mut scores = Scores::new();
    for name in NAMES {
        match score_one(name, measured, predicted, protocol, quantity) {
            Ok(value) => drop(scores.insert(name.to_owned(), value)),
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(scores)
}

/// The score called `name`.
///
/// # Errors
/// [`MetricError`]; `Undefined` also for a name that is none of [`Scores`]' or that the quantity lacks.
pub fn score_one(
    name: &str,
    measured: &[f64],
    predicted: &[f64],
    protocol: Protocol,
    quantity: &Quantity,
) -> Result<f64, MetricError> {
    let undefined = |why: &str| Err(MetricError::Undefined { metric: "score", why: format!("{name}: {why}") });
    match (name, protocol) {
        ("mse", _) => metrics::mse(measured, predicted),
        ("rmse", _) => metrics::rmse(measured, predicted),
        ("mae", _) => metrics::mae(measured, predicted),
        ("pearson", _) => metrics::pearson(measured, predicted),
        ("spearman", _) => metrics::spearman(measured, predicted),
        ("r2", _) => metrics::r2(measured, predicted),
        ("ci_deepdta", _) | ("ci", Protocol::Paper) => metrics::ci_deepdta(measured, predicted),
        ("ci_full" | "ci", _) => metrics::concordance_index(measured, predicted),
        ("ci_above_floor", _) => {
            // Davis is censored: seven of ten values are the assay's floor, and ties there hide the ranking.
            // A minimum that few rows share is a value like any other.
            let floor = measured.iter().copied().fold(f64::INFINITY, f64::min);
            let at_floor = measured.iter().filter(|&&m| m <= floor).count();
            if at_floor as f64 <= COMMON * measured.len() as f64 {
                return undefined("too few values are the lowest for it to be an assay's floor");
            }
            let (above, of_those): (Vec<f64>, Vec<f64>) =
                measured.iter().zip(predicted).filter(|(m, _)| **m > floor).unzip();
            if above.is_empty() {
                return undefined("all values are equal");
            }
            metrics::concordance_index(&above, &of_those)
        }
        ("rm2", _) => metrics::rm2_deepdta(measured, predicted),
        ("rm2_published", _) => metrics::rm2_published(measured, predicted),
        ("average_precision", _) => {
            let Some(threshold) = strong_binding(quantity) else {
                return undefined("no threshold of strong binding is known for this quantity");
            };
            let labels: Vec<bool> = measured.iter().map(|&m| m >= threshold).collect();
            metrics::average_precision(&labels, predicted)
        }
        _ => undefined("no such score"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_scores_are_absent_and_broken_ones_are_errors() {
        let quantity = Quantity::Other("x".into());
        let scores = score(&[1.0, 1.0], &[0.5, 1.5], Protocol::Clean, &quantity).unwrap();
        assert_eq!(scores["mse"], 0.25);
        assert!(!scores.contains_key("ci") && !scores.contains_key("average_precision"));
        assert!(score(&[1.0, 2.0], &[f64::NAN, 1.0], Protocol::Clean, &quantity).is_err());
    }

    #[test]
    fn a_lowest_value_of_its_own_is_no_floor() {
        let measured: Vec<f64> = (0..20).map(f64::from).collect();
        let scores = score(&measured, &measured, Protocol::Clean, &Quantity::Pkd).unwrap();
        assert_eq!((scores["ci"], scores.get("ci_above_floor")), (1.0, None));
    }

    #[test]
    fn the_floor_is_left_out_where_asked() {
        // Ranking wrong between floor and others, right above the floor.
        let scores = score(&[5.0, 6.0, 7.0], &[9.0, 1.0, 2.0], Protocol::Paper, &Quantity::Pkd).unwrap();
        assert_eq!(scores["ci_above_floor"], 1.0);
        assert!((scores["ci_full"] - 1.0 / 3.0).abs() < 1e-12);
    }
}
