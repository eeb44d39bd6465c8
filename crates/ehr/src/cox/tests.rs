//! lifelines' and scikit-survival's numbers, competing risks that sum to 1, and a hazard that is found again.

use super::*;
use crate::evaluate::survival::{Observed, aalen_johansen, harrell};
use crate::systems::dynamic_deephit::Trajectory;
use nn_core::data::rng;
use rand::RngExt;
use serde_json::Value;

fn golden() -> Value {
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/judgement.json")).unwrap();
    file["cox"].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} instead of {expected}");
    }
}

fn data(file: &Value) -> (Vec<f32>, Vec<f64>, Vec<bool>) {
    let values = numbers(&file["values"]).into_iter().map(|v| v as f32).collect();
    let events = file["events"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
    (values, numbers(&file["times"]), events)
}

/// One maximum; the libraries stop within 1e-7 of it.
#[test]
fn coefficients_with_many_ties_are_those_of_the_libraries() {
    let file = golden();
    let (values, times, events) = data(&file);
    let model = CoxConfig::default().fit(&values, 3, &times, &events).unwrap();
    near(&model.coefficients(), &numbers(&file["coefficients"]), 1e-6);
    near(&model.standard_errors(), &numbers(&file["standard_errors"]), 1e-5);
    near(&[model.log_likelihood()], &[file["log_likelihood"].as_f64().unwrap()], 1e-6);
    let query = numbers(&file["query"]);
    let survival: Vec<f64> = model.risks(&values[..12], &query).iter().map(|risk| 1.0 - risk).collect();
    near(&survival, &numbers(&file["survival"]), 1e-6);
    let causes: Vec<u32> = events.iter().map(|event| u32::from(*event)).collect();
    let c = harrell(Observed { times: &times, causes: &causes }, &model.log_hazards(&values)).unwrap();
    near(&[c], &[file["concordance"].as_f64().unwrap()], 1e-9);
    let breslow = CoxConfig { ties: Ties::Breslow, penalty: 0.0 }.fit(&values, 3, &times, &events).unwrap();
    near(&breslow.coefficients(), &numbers(&file["breslow"]), 1e-6);
}

/// The gradient of the likelihood against differences of its values: 1e-6 is the error of a step of 1e-5.
#[test]
fn derivatives_are_those_of_the_value() {
    let (values, times, events) = data(&golden());
    let table: Vec<f64> = values.iter().copied().map(f64::from).collect();
    for ties in [Ties::Efron, Ties::Breslow] {
        let likelihood = Likelihood::new(&table, 3, &times, &events, ties);
        let at = [0.3, -0.05, 0.2];
        let found = likelihood.with_derivatives(&at);
        let moved = |column: usize, by: f64| {
            let mut moved = at;
            moved[column] += by;
            likelihood.with_derivatives(&moved)
        };
        for column in 0..3 {
            let (up, down) = (moved(column, 1e-5), moved(column, -1e-5));
            assert!((found.gradient[column] - (up.value - down.value) / 2e-5).abs() < 1e-5);
            for other in 0..3 {
                let curvature = -(up.gradient[other] - down.gradient[other]) / 2e-5;
                assert!((found.curvature[column * 3 + other] - curvature).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn gaps_constants_and_penalties() {
    let (mut values, times, events) = data(&golden());
    let plain = CoxConfig::default().fit(&values, 3, &times, &events).unwrap();
    let shrunk = CoxConfig { penalty: 20.0, ..CoxConfig::default() }.fit(&values, 3, &times, &events).unwrap();
    assert!(shrunk.coefficients()[0].abs() < plain.coefficients()[0].abs());
    values.iter_mut().skip(2).step_by(3).for_each(|value| *value = 7.0);
    values[3] = f32::NAN;
    let model = CoxConfig::default().fit(&values, 3, &times, &events).unwrap();
    assert_eq!((model.coefficients()[2], model.standard_errors()[2]), (0.0, 0.0));
    assert!(model.risks(&values, &[2.0]).iter().all(|risk| (0.0..=1.0).contains(risk)));
}

#[test]
fn what_has_no_estimate_is_refused() {
    let config = CoxConfig::default();
    let fit = |values: &[f32], times: &[f64], events: &[bool]| config.fit(values, 1, times, events);
    assert!(matches!(fit(&[1.0, 2.0], &[1.0, 2.0], &[false, false]), Err(CoxError::NoEvents { rows: 2 })));
    assert!(matches!(fit(&[1.0], &[1.0, 2.0], &[true, true]), Err(CoxError::Length { found: 1, expected: 2, .. })));
    assert!(fit(&[1.0, f32::INFINITY], &[1.0, 2.0], &[true, true]).is_err());
    assert!(fit(&[1.0, 2.0], &[1.0, f64::NAN], &[true, true]).is_err());
    // a column that orders the events
    let (ordered, times) = ([3.0, 2.0, 1.0, 0.0], [1.0, 2.0, 3.0, 4.0]);
    let error = fit(&ordered, &times, &[true; 4]).unwrap_err();
    assert!(matches!(error, CoxError::NoMaximum { .. }), "{error}");
    assert!(CoxConfig { penalty: 0.1, ..config }.fit(&ordered, 1, &times, &[true; 4]).is_ok());
    assert!(CoxConfig { penalty: -1.0, ..config }.validate().is_err());
}

/// Two causes whose hazards are e^x and e^−x: exponential times, 400 subjects.
fn planted() -> Vec<Trajectory> {
    let mut draw = rng(6, &[]);
    let one = |_| {
        let x = draw.random::<f64>() * 4.0 - 2.0;
        let mut time = |rate: f64| 2.0 - (1.0 - draw.random::<f64>()).ln() / rate;
        let (first, second) = (time(x.exp()), time((-x).exp()));
        let (end, cause) = if first < second { (first, 1) } else { (second, 2) };
        let (end, cause) = if end > 4.0 { (4.0, 0) } else { (end, cause) };
        // the value at the landmark is the second, the first is missing and the third comes too late
        Trajectory { times: vec![0.0, 1.0, 2.0], values: vec![f32::NAN, x as f32, 9.0], end, cause }
    };
    (0..400).map(one).collect()
}

#[test]
fn a_landmark_model_finds_the_hazards_of_both_causes() {
    let all = planted();
    let rows = LandmarkRows::at(1.5, &all, 1);
    assert_eq!((rows.rows.len(), rows.times[0]), (400, all[0].end - 1.5));
    assert_eq!(rows.values[0], all[0].values[1]);
    let model = LandmarkCox::fit(&CoxConfig::default(), &rows, 3, 2.0).unwrap();
    let slopes = [1, 2].map(|cause| model.cause(cause).unwrap().coefficients()[0]);
    // standard error about 0.07
    assert!((slopes[0] - 1.0).abs() < 0.25 && (slopes[1] + 1.0).abs() < 0.25, "{slopes:?}");
    assert!(model.cause(3).is_none() && model.cause(0).is_none());
    let risks = model.risks(&rows.values, 1, 2.0);
    assert_eq!(risks.len(), 1200);
    assert!(
        risks
            .chunks(3)
            .all(|row| row.iter().all(|r| *r >= 0.0) && row.iter().sum::<f64>() < 1.0 + 1e-12 && row[2] == 0.0)
    );
    // on the whole the risks are the shares that were seen
    let observed = Observed { times: &rows.times, causes: &rows.causes };
    for cause in [1, 2] {
        let mean = risks.iter().skip(cause - 1).step_by(3).sum::<f64>() / 400.0;
        let share = aalen_johansen(observed, cause as u32).unwrap().at(2.0);
        assert!((mean - share).abs() < 0.03, "{mean} and {share}");
    }
    // who has no value before the landmark is not among the rows
    assert!(LandmarkRows::at(-1.0, &all, 1).rows.is_empty());
}
