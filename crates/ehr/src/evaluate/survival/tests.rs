//! lifelines', scikit-survival's and pycox's numbers, sums that must be 1, and brute force.

use super::*;
use serde_json::Value;

struct Golden {
    file: Value,
    train: (Vec<f64>, Vec<u32>),
    test: (Vec<f64>, Vec<u32>),
    grid: Vec<f64>,
    risks: Vec<f64>,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

impl Golden {
    fn read() -> Self {
        let file: Value = serde_json::from_str(include_str!("../../../tests/golden/judgement.json")).unwrap();
        let file = file["survival"].clone();
        let causes = |name: &str| file[name].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
        Self {
            train: (numbers(&file["train_times"]), causes("train_causes")),
            test: (numbers(&file["times"]), causes("causes")),
            grid: numbers(&file["grid"]),
            risks: numbers(&file["risks"]),
            file: file.clone(),
        }
    }

    fn train(&self) -> Observed<'_> {
        Observed { times: &self.train.0, causes: &self.train.1 }
    }

    fn test(&self) -> Observed<'_> {
        Observed { times: &self.test.0, causes: &self.test.1 }
    }

    fn curves(&self) -> RiskCurves<'_> {
        RiskCurves { times: &self.grid, risks: &self.risks }
    }

    /// Risks at the fourth time of the grid, 6.
    fn at(&self) -> Vec<f64> {
        self.risks.chunks(5).map(|row| row[3]).collect()
    }

    /// Rounding alone: sums of fewer than a hundred numbers.
    fn near(&self, found: f64, name: &str) {
        let expected = self.file[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name}: {found} instead of {expected}");
    }
}

#[test]
fn curves_are_lifelines() {
    let golden = Golden::read();
    let survival = kaplan_meier(golden.train()).unwrap();
    let shares = [1, 2].map(|cause| aalen_johansen(golden.train(), cause).unwrap());
    for (at, &time) in golden.grid.iter().enumerate() {
        let expected =
            ["kaplan_meier", "aalen_johansen_1", "aalen_johansen_2"].map(|name| numbers(&golden.file[name])[at]);
        let found = [survival.at(time), shares[0].at(time), shares[1].at(time)];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{time}: {found} instead of {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    assert_eq!((survival.at(0.0), shares[0].at(0.0)), (1.0, 0.0));
}

#[test]
fn concordances_are_those_of_the_libraries() {
    let golden = Golden::read();
    let (test, at) = (golden.test(), golden.at());
    golden.near(harrell(test, &at).unwrap(), "harrell");
    golden.near(uno(&censoring(golden.train()).unwrap(), test, &at, 8.0).unwrap(), "uno");
    golden.near(antolini(test, None, golden.curves()).unwrap(), "antolini");
    golden.near(antolini(test, Some(1), golden.curves()).unwrap(), "antolini_1");
    golden.near(cause_specific(test, 1, &at, 6.0).unwrap(), "cause_specific");
    // turned round, every pair is turned round
    let turned: Vec<f64> = at.iter().map(|risk| -risk).collect();
    let sum = harrell(test, &at).unwrap() + harrell(test, &turned).unwrap();
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn brier_scores_are_those_of_scikit_survival() {
    let golden = Golden::read();
    let watched = censoring(golden.train()).unwrap();
    let expected = numbers(&golden.file["brier"]);
    for (column, (&time, expected)) in golden.grid.iter().zip(expected).enumerate() {
        let risks: Vec<f64> = golden.risks.chunks(5).map(|row| row[column]).collect();
        let found = brier(&watched, golden.test(), None, &risks, time).unwrap();
        assert!((found - expected).abs() < 1e-9, "{time}: {found} instead of {expected}");
    }
    golden.near(integrated_brier(&watched, golden.test(), None, golden.curves()).unwrap(), "integrated_brier");
    golden.near(brier(&watched, golden.test(), Some(1), &golden.at(), 6.0).unwrap(), "brier_1");
}

/// Without losses the weights are 1, and the score is the mean squared error.
#[test]
fn without_losses_the_brier_score_is_the_squared_error() {
    let observed = Observed { times: &[1.0, 2.0, 3.0, 4.0], causes: &[1, 2, 1, 1] };
    let watched = censoring(observed).unwrap();
    let risks = [0.9, 0.2, 0.6, 0.1];
    let found = brier(&watched, observed, Some(1), &risks, 3.0).unwrap();
    let expected = (0.1_f64.powi(2) + 0.2_f64.powi(2) + 0.4_f64.powi(2) + 0.1_f64.powi(2)) / 4.0;
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    // the shares that Aalen and Johansen give are then plain counts
    let bins = calibration_at(observed, 1, &risks, 3.0, 2).unwrap();
    assert_eq!((bins[0].rows, bins[0].observed, bins[1].observed), (2, 0.0, 1.0));
}

#[test]
fn ties_in_time_and_risk_count_by_definition() {
    // an event at 2 precedes the loss at 2; two events at 2 are no pair; equal risks count one half
    let observed = Observed { times: &[2.0, 2.0, 2.0, 3.0], causes: &[1, 1, 0, 0] };
    // pairs: (0, 2), (0, 3), (1, 2), (1, 3)
    let found = harrell(observed, &[0.9, 0.5, 0.5, 0.7]).unwrap();
    assert!((found - 2.5 / 4.0).abs() < 1e-15, "{found}");
    // losses at 2 come behind the events: 1 of the 2 rows left is lost
    let watched = censoring(observed).unwrap();
    assert_eq!((watched.before(2.0), watched.at(2.0), watched.at(3.0)), (1.0, 0.5, 0.0));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let none = Observed { times: &[1.0, 2.0], causes: &[0, 0] };
    assert!(matches!(harrell(none, &[0.1, 0.2]), Err(MetricError::Undefined { .. })));
    let early = Observed { times: &[-1.0], causes: &[1] };
    assert!(kaplan_meier(early).unwrap_err().to_string().contains("counted from the landmark"));
    assert!(matches!(kaplan_meier(Observed { times: &[], causes: &[] }), Err(MetricError::Empty)));
    assert!(kaplan_meier(Observed { times: &[1.0], causes: &[] }).is_err());
    let observed = Observed { times: &[1.0, 2.0], causes: &[1, 0] };
    let falling = RiskCurves { times: &[2.0, 1.0], risks: &[0.0; 4] };
    assert!(antolini(observed, None, falling).unwrap_err().to_string().contains("a time of the grid"));
    assert!(harrell(observed, &[f64::NAN, 0.0]).is_err());
    // nobody of the training part was watched beyond 1.5
    let watched = censoring(Observed { times: &[1.0, 1.5], causes: &[0, 0] }).unwrap();
    assert!(brier(&watched, observed, None, &[0.5, 0.5], 1.8).unwrap_err().to_string().contains("shorten the horizon"));
    assert!(integrated_brier(&watched, observed, None, RiskCurves { times: &[1.0], risks: &[0.0; 2] }).is_err());
}
