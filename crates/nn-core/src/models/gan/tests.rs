//! The pair against PyTorch, its optimum, itself resumed, and a ring of eight normals.

use std::f64::consts::{LN_2, TAU};
use std::sync::atomic::AtomicBool;

use burn::module::Param;
use burn::optim::GradientsParams;
use rand::RngExt;
use serde_json::Value;

use super::*;
use crate::data::{Shuffled, rng};
use crate::models::autoencoder::{Rows, RowsError};
use crate::optim::{OptimizerConfig, Schedule};
use crate::train::{Checkpoints, FitConfig, Learner, Monitor, StepContext, StepError, TRAIN_LOSS, fit};

/// The numbers of a nested list in their order.
fn flat(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(flat).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}

/// A list of lists, or of numbers, as tensor data.
fn data(value: &Value) -> TensorData {
    let values: Vec<f32> = flat(value).into_iter().map(|value| value as f32).collect();
    let rows = value.as_array().unwrap().len();
    if values.len() == rows && value[0].is_number() {
        return TensorData::new(values, [rows]);
    }
    let columns = values.len() / rows;
    TensorData::new(values, [rows, columns])
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// Within 1e-5 of the largest value: a few sums of at most 5 products in single precision, with room.
fn assert_close<const D: usize>(found: Tensor<D>, expected: &Value, what: &str) {
    let (found, expected) = (values(found), flat(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((f64::from(*found) - expected).abs() <= 1e-5 * size, "{what}: {found} instead of {expected}");
    }
}

fn network(layers: &Value, device: &Device) -> Network {
    let dense = |layer: &Value| Dense {
        weight: Param::from_data(data(&layer[0]), device),
        bias: Param::from_data(data(&layer[1]), device),
    };
    Network { hidden: vec![dense(&layers[0])], output: dense(&layers[1]) }
}

fn assert_gradients(found: &GradientsParams, network: &Network, expected: &Value, what: &str) {
    for (layer, dense) in [&network.hidden[0], &network.output].into_iter().enumerate() {
        assert_close(found.get::<2>(dense.weight.id).unwrap(), &expected[layer][0], what);
        assert_close(found.get::<1>(dense.bias.id).unwrap(), &expected[layer][1], what);
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let device = Device::flex().autodiff();
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/gan.json")).unwrap();
    let config = GanConfig {
        columns: 3,
        latent: 2,
        generator: vec![5],
        activation: Activation::Tanh,
        discriminator: vec![5],
        slope: golden["slope"].as_f64().unwrap(),
        ..GanConfig::default()
    };
    let mut model = Gan {
        generator: network(&golden["generator"], &device),
        discriminator: network(&golden["discriminator"], &device),
        config,
    };
    let tensor = |name: &str| Tensor::<2>::from_data(data(&golden[name]), &device);
    assert_close(model.generate(tensor("z")), &golden["made"], "made");
    assert_close(model.discriminate(tensor("real")), &golden["logits"], "logits");

    let loss = model.discriminator_loss(tensor("real"), model.generate(tensor("z")).detach());
    assert_close(loss.clone(), &golden["discriminator_loss"], "discriminator's loss");
    let mut all = loss.backward();
    let found = GradientsParams::from_module(&mut all, &model.discriminator);
    assert_gradients(&found, &model.discriminator, &golden["discriminator_gradients"], "discriminator's gradient");
    // the generator has no part in this loss
    assert!(GradientsParams::from_module(&mut all, &model.generator).is_empty());

    for (loss, name) in [(GeneratorLoss::NonSaturating, "non_saturating"), (GeneratorLoss::Minimax, "minimax")] {
        model.config.generator_loss = loss;
        let loss = model.generator_loss(model.generate(tensor("z")));
        assert_close(loss.clone(), &golden[name], name);
        let found = GradientsParams::from_grads(loss.backward(), &model.generator);
        assert_gradients(&found, &model.generator, &golden[format!("{name}_gradients")], name);
    }
}

#[test]
fn a_discriminator_that_cannot_tell_has_a_loss_of_two_ln_two() {
    let device = Device::flex();
    let config = GanConfig { columns: 2, generator: vec![8], discriminator: vec![8], ..GanConfig::default() };
    let mut model = config.init(&device, &mut rng(1, &[])).unwrap();
    model.discriminator.output.weight = Param::from_tensor(Tensor::zeros([8, 1], &device));
    let real = normal([50, 2], &mut rng(2, &[]), &device);
    let made = model.sample(30, &mut rng(3, &[]));
    let found = f64::from(values(model.discriminator_loss(real, made.clone()))[0]);
    // one rounding to single precision
    assert!((found - 2.0 * LN_2).abs() < 1e-6, "{found}");
    assert!((f64::from(values(model.generator_loss(made.clone()))[0]) - LN_2).abs() < 1e-6);
    model.config.generator_loss = GeneratorLoss::Minimax;
    assert!((f64::from(values(model.generator_loss(made))[0]) + LN_2).abs() < 1e-6);
}

#[test]
fn latent_values_are_those_of_the_generator_that_is_given() {
    let device = Device::flex();
    let config = GanConfig { columns: 2, latent: 50, generator: vec![], discriminator: vec![], ..GanConfig::default() };
    let uniform = GanConfig { distribution: Latent::Uniform, ..config.clone() };
    for (config, variance) in [(config, 1.0), (uniform, 1.0 / 3.0)] {
        let model = config.init(&device, &mut rng(1, &[])).unwrap();
        let draws = values(model.latent(400, &mut rng(5, &[])));
        assert_eq!(draws, values(model.latent(400, &mut rng(5, &[]))));
        // 20,000 draws: 1 % of the variance
        let found = draws.iter().map(|&z| f64::from(z).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((found / variance - 1.0).abs() < 0.05, "{found}");
    }
    assert!(GanConfig { slope: -0.1, ..GanConfig::default() }.validate().is_err());
    assert!(GanConfig { generator: vec![0], ..GanConfig::default() }.validate().is_err());
}

/// `count` rows of the mixture of eight normals of Metz et al. 2017 (ICLR, *Unrolled generative adversarial networks*):
/// deviation 0.02, means equally spaced on a circle of radius 2.
fn ring(count: usize, seed: u64) -> Rows {
    let mut rng = rng(seed, &[]);
    let noise = Init::Normal(DEVIATION).values(&[count, 2], Fan::dense([count, 2]), &mut rng);
    let rows = noise.chunks(2).flat_map(|noise| {
        let [x, y] = mean(rng.random_range(0..8));
        [x as f32 + noise[0], y as f32 + noise[1]]
    });
    Rows::new(rows.collect(), 2).unwrap()
}

const DEVIATION: f64 = 0.02;

fn mean(mode: usize) -> [f64; 2] {
    let (sine, cosine) = (TAU * mode as f64 / 8.0).sin_cos();
    [2.0 * cosine, 2.0 * sine]
}

/// A pair for the ring, with so many units in each of two hidden layers of the halves.
fn pair(generator: usize, discriminator: usize) -> Gan {
    let config = GanConfig {
        columns: 2,
        latent: 2,
        generator: vec![generator; 2],
        discriminator: vec![discriminator; 2],
        output: Activation::Linear,
        ..GanConfig::default()
    };
    config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap()
}

fn learner(model: Gan, rows: Rows) -> GanLearner {
    let adam = OptimizerConfig::Adam { beta1: 0.5, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, epsilon_hat: false };
    GanLearner::new(model, rows, adam.init(), adam.init(), "ring").unwrap()
}

fn run_config(epochs: usize) -> FitConfig {
    FitConfig {
        seed: 3,
        schedule: Schedule::Exponential { factor: 0.94 },
        restore_best: false,
        ..FitConfig::new(epochs, 1e-3, Monitor::lower(TRAIN_LOSS))
    }
}

#[test]
fn four_epochs_are_two_and_two_resumed() {
    let never = AtomicBool::new(false);
    let new = || learner(pair(12, 10), ring(96, 4)).with_validation(ring(40, 5)).unwrap().with_rate_ratio(2.0);
    let sampler = Shuffled::new((0..96).collect(), 20);
    let mut whole = new();
    let expected = fit(&mut whole, &sampler, &run_config(4), None, false, &mut (), &never).unwrap();
    let names: Vec<&str> = expected.last_metrics.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["discriminator_loss", "generator_loss"]);

    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    fit(&mut new(), &sampler, &run_config(2), Some(&checkpoints), false, &mut (), &never).unwrap();
    let mut resumed = new();
    let found = fit(&mut resumed, &sampler, &run_config(4), Some(&checkpoints), true, &mut (), &never).unwrap();
    assert_eq!(found, expected);
    assert!(resumed.weights().unwrap() == whole.weights().unwrap());
    assert!(resumed.optimizer().unwrap() == whole.optimizer().unwrap());
}

#[test]
fn states_of_other_pairs_are_refused_and_change_nothing() {
    let rows = ring(64, 4);
    let every: Vec<usize> = (0..64).collect();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
    let mut one = learner(pair(12, 10), rows.clone());
    one.step(&every, &context).unwrap();
    let (weights, optimizer) = (one.weights().unwrap(), one.optimizer().unwrap());

    let mut other = learner(pair(11, 10), rows.clone());
    let before = other.weights().unwrap();
    assert!(matches!(other.restore(&weights, &optimizer), Err(StepError::Store(_))));
    let mut same = learner(pair(12, 10), rows);
    let fresh = same.weights().unwrap();
    for cut in [0, 7, 20, optimizer.len() - 1] {
        let error = same.restore(&weights, &optimizer[..cut]).unwrap_err();
        assert!(matches!(error, StepError::Optimizer(_)), "{cut}: {error}");
    }
    assert!(same.weights().unwrap() == fresh && other.weights().unwrap() == before);
    same.restore(&weights, &optimizer).unwrap();
    assert!(same.weights().unwrap() == weights && same.optimizer().unwrap() == optimizer);
    same.step(&every, &context).unwrap();
    one.step(&every, &context).unwrap();
    assert!(same.weights().unwrap() == one.weights().unwrap());
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing_and_foreign_rows_are_named() {
    let device = Device::flex().autodiff();
    let mut model = pair(12, 10);
    model.discriminator.output.bias = Param::from_tensor(Tensor::full([1], f32::NAN, &device));
    let mut learner = learner(model, Rows::new(vec![1.0, 2.0, 3.0, 4.0], 2).unwrap());
    let (weights, optimizer) = (learner.weights().unwrap(), learner.optimizer().unwrap());
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
    let report = learner.step(&[0, 1], &context).unwrap();
    assert!(report.loss.is_nan() && report.grad_norm.is_none(), "{report:?}");
    assert!(learner.weights().unwrap() == weights && learner.optimizer().unwrap() == optimizer);

    let error = learner.step(&[0, 2], &context).unwrap_err().to_string();
    assert_eq!(error, RowsError::Missing { row: 2, rows: 2 }.to_string());
    assert!(learner.with_validation(Rows::new(vec![0.0; 3], 3).unwrap()).is_err());
}

/// A mode is covered when at least 1 % of 2,500 draws lie within three standard deviations of its mean. A
/// PyTorch twin covers 7 or 8 modes with each of 24 seeds.
#[test]
fn the_generator_covers_a_ring_of_normals() {
    let rows = ring(12_800, 4);
    let sampler = Shuffled::new((0..rows.len()).collect(), 128);
    let mut learner = learner(pair(64, 128), rows);
    fit(&mut learner, &sampler, &run_config(30), None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let made = values(learner.into_model().sample(2500, &mut rng(6, &[])));
    let mut counts = [0_usize; 8];
    for row in made.chunks(2) {
        let distance = |mode: usize| {
            let [x, y] = mean(mode);
            (f64::from(row[0]) - x).hypot(f64::from(row[1]) - y)
        };
        // the modes are 1.5 apart: no row is within reach of two
        if let Some(mode) = (0..8).find(|&mode| distance(mode) <= 3.0 * DEVIATION) {
            counts[mode] += 1;
        }
    }
    let covered = counts.iter().filter(|&&count| count >= 25).count();
    assert!(covered >= 7, "{counts:?}");
}
