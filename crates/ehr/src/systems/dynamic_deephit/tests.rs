//! PyTorch's outputs and losses, the probabilities' sums, padding, and a hazard that is found.

use super::*;
use crate::systems::gru_d::tests::{assert_golden, filled, noise};
use burn::optim::GradientsParams;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Objective, StepContext};
use rand::RngExt;

fn small() -> DynamicDeepHitConfig {
    DynamicDeepHitConfig {
        variables: 2,
        causes: 2,
        categories: 6,
        interval: 2.0,
        gap: 0.5,
        recurrent: 3,
        hidden: 4,
        ..DynamicDeepHitConfig::default()
    }
}

/// Four subjects with three, one, two and one measurements; the second value of each first measurement is missing. The
/// last two end where an interval ends.
fn trajectories() -> Vec<Trajectory> {
    let make = |row: usize, times: &[f64], end, cause| {
        let mut values: Vec<f32> = noise(&format!("trajectory{row}"), 2 * times.len());
        values[1] = f32::NAN;
        Trajectory { times: times.to_vec(), values, end, cause }
    };
    vec![
        make(0, &[0.0, 1.5, 2.25], 5.0, 1),
        make(1, &[0.5], 7.0, 0),
        make(2, &[0.0, 3.0], 8.0, 2),
        make(3, &[0.0], 4.0, 1),
    ]
}

fn batch(of: &[Trajectory], config: &DynamicDeepHitConfig) -> HistoryBatch {
    HistoryBatch::new(&of.iter().collect::<Vec<_>>(), config, &Device::flex()).unwrap()
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.try_into_vec_as::<f64>().unwrap()
}

/// Probabilities to 1e-6, losses to 1e-5: single precision against double.
#[test]
fn outputs_and_losses_are_those_of_a_pytorch_twin() {
    let config = small();
    let model = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let batch = batch(&trajectories(), &config);
    let output = model.forward(&batch, None);
    let losses = DeepHitLosses::of(&output, &batch, &config);
    assert_golden(output.distribution, "deephit_distribution", 1e-6);
    assert_golden(output.attention, "deephit_attention", 1e-6);
    assert_golden(output.ahead, "deephit_ahead", 1e-5);
    assert_golden(losses.likelihood, "deephit_likelihood", 1e-5);
    assert_golden(losses.ranking, "deephit_ranking", 1e-5);
    assert_golden(losses.prediction, "deephit_prediction", 1e-5);
}

#[test]
fn the_distribution_sums_to_one_and_risks_are_its_shares() {
    let config = small();
    let model = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let output = model.forward(&batch(&trajectories(), &config), None);
    let rows = output.distribution.try_into_vec_as::<f32>().unwrap();
    for row in rows.chunks(12) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        // landmark 3 lies in interval 1, horizon 7 in interval 3
        let risks = model.risk(row, 3.0, 7.0);
        let left = 1.0 - f64::from(row[0] + row[1] + row[6] + row[7]);
        for (cause, risk) in risks.iter().enumerate() {
            let expected = f64::from(row[6 * cause + 2] + row[6 * cause + 3]) / left;
            assert!((risk - expected).abs() < 1e-6, "{risk} {expected}");
        }
        assert_eq!(model.risk(row, 3.0, 3.0), [0.0, 0.0]);
    }
}

/// All intervals alike: probabilities are counts of intervals. Of 20, those up to week 52 are 13.
#[test]
fn intervals_include_their_ends() {
    let config = DynamicDeepHitConfig { categories: 20, interval: 4.0, ..small() };
    let found = [0.0, 0.5, 4.0, 4.5, 52.0, 53.0, 56.0, 900.0].map(|time| (config.category(time), config.passed(time)));
    assert_eq!(found, [(0, 0), (0, 1), (0, 1), (1, 2), (12, 13), (13, 14), (13, 14), (19, 20)]);

    let make = |end, cause| Trajectory { times: vec![52.0], values: vec![0.0, 0.0], end, cause };
    let batch = batch(&[make(54.0, 1), make(56.0, 0)], &config);
    let device = Device::flex();
    let output = DeepHitOutput {
        distribution: Tensor::full([2, 2, 20], 1.0 / 40.0, &device),
        ahead: Tensor::zeros([2, 1, 3], &device),
        attention: Tensor::zeros([2, 1], &device),
    };
    let found = values(DeepHitLosses::of(&output, &batch, &config).likelihood)[0];
    // one cell of the 14 that are left, and 12 of them; 1e-5 is what single precision leaves
    let expected = f64::midpoint(14.0_f64.ln(), (14.0_f64 / 12.0).ln());
    assert!((found - expected).abs() < 1e-5, "{found} {expected}");

    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let risks = model.risk(&[1.0 / 40.0; 40], 52.0, 64.0);
    // (52, 56], (56, 60] and (60, 64]
    assert!(risks.len() == 2 && risks.iter().all(|risk| (risk - 3.0 / 14.0).abs() < 1e-6), "{risks:?}");
}

#[test]
fn neither_padding_nor_the_other_rows_change_an_output() {
    let config = small();
    let model = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let all = trajectories();
    let together = values(model.forward(&batch(&all, &config), None).distribution);
    for (row, one) in all.iter().enumerate() {
        let alone = values(model.forward(&batch(std::slice::from_ref(one), &config), None).distribution);
        for (alone, together) in alone.iter().zip(&together[12 * row..]) {
            assert!((alone - together).abs() < 1e-6, "row {row}: {alone} and {together}");
        }
    }
}

#[test]
fn a_landmark_hides_what_came_later() {
    let one = &trajectories()[0];
    let known = one.until(1.5).unwrap();
    assert_eq!((known.times.as_slice(), known.values.len()), ([0.0, 1.5].as_slice(), 4));
    assert_eq!((known.end, known.cause), (5.0, 1));
    assert_eq!(one.until(5.0), None);
    assert_eq!(trajectories()[1].until(0.25), None);
}

#[test]
fn a_history_ends_at_each_measurement() {
    for mut one in trajectories() {
        // a gap is not equal to itself
        one.values[1] = 0.0;
        let found = one.histories();
        let expected: Vec<Trajectory> = one.times.iter().map(|&time| one.until(time).unwrap()).collect();
        assert_eq!(found, expected);
        assert_eq!(found.last(), Some(&one));
    }
    // where the event comes with the last measurement, nothing is left to foretell at that time, but to learn from it
    let one = Trajectory { times: vec![0.0, 2.0], values: vec![1.0, 2.0], end: 2.0, cause: 1 };
    assert_eq!((one.histories().len(), one.until(2.0)), (2, None));
}

#[test]
fn bad_trajectories_are_refused() {
    let (config, device) = (small(), Device::flex());
    let error = |one: Trajectory| HistoryBatch::new(&[&one], &config, &device).map(drop).unwrap_err().to_string();
    let good = trajectories().remove(0);
    assert_eq!(
        error(Trajectory { end: 2.0, ..good.clone() }),
        "trajectory 0: the end is 2; allowed: the last measurement's time, 2.25, or more"
    );
    assert_eq!(error(Trajectory { cause: 3, ..good.clone() }), "trajectory 0: the cause is 3; allowed: 0 to 2");
    assert!(error(Trajectory { times: vec![1.0, 0.5, 2.0], ..good.clone() }).contains("the time before, 1, or more"));
    assert!(error(Trajectory { values: vec![0.0; 5], ..good.clone() }).contains("5 values for 3 measurements"));
    assert!(error(Trajectory { times: Vec::new(), ..good }).contains("no measurement"));
    assert!(DynamicDeepHitConfig { categories: 1, ..small() }.validate().is_err());
    // a censored row whose end lies in the last interval still has a finite loss
    let late = Trajectory { times: vec![0.0], values: vec![0.0, 0.0], end: 50.0, cause: 0 };
    let batch = batch(&[late], &config);
    let model = filled(config.init(&device, &mut rng(1, &[])).unwrap());
    let losses = DeepHitLosses::of(&model.forward(&batch, None), &batch, &config);
    assert!(values(losses.likelihood)[0] < 5.0);
}

/// A subject whose variable rises has an event of cause 1 at 4, one whose variable falls of cause 2 at 8.
#[test]
fn a_hazard_that_depends_on_the_history_is_learnt() {
    let device = Device::flex().autodiff();
    let mut draw = rng(9, &[]);
    let all: Vec<Trajectory> = (0..64)
        .map(|_| {
            let rises = draw.random::<f64>() < 0.5;
            let slope = if rises { 1.0 } else { -1.0 };
            // all end alike: the past tells, the last value does not
            let values = vec![-slope, -slope / 2.0, 0.0];
            let (end, cause) = if rises { (4.5, 1) } else { (8.5, 2) };
            Trajectory { times: vec![0.0, 1.0, 2.0], values, end, cause }
        })
        .collect();
    let config = DynamicDeepHitConfig {
        variables: 1,
        causes: 2,
        categories: 12,
        recurrent: 8,
        layers: 1,
        hidden: 8,
        dropout: 0.0,
        ..DynamicDeepHitConfig::default()
    };
    let rows: Vec<usize> = (0..64).collect();
    let objective = DynamicDeepHitObjective::new(config.clone(), all, rows.clone(), 10, &device).unwrap();
    let mut model = config.init(&device, &mut rng(2, &[])).unwrap();
    let mut optimizer = OptimizerConfig::adam().init();
    let score = |model: &DynamicDeepHit| objective.validate(&model.valid()).unwrap()[0].1;
    let before = score(&model);
    for epoch in 0..150 {
        let context = StepContext { seed: 1, epoch, step: 0, learning_rate: 0.02 };
        let gradients = objective.loss(&model, &rows, &context).unwrap().backward();
        model = optimizer.step(0.02, model.clone(), GradientsParams::from_grads(gradients, &model));
    }
    let after = score(&model);
    // uniform over 9 or 10 intervals of two causes: about 3; knowing cause and time: 0
    assert!(before > 2.0 && after < 0.3, "{before} {after}");
}
