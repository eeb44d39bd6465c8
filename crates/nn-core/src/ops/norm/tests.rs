//! The normalisations against PyTorch, against burn's operations, and against difference quotients.

use super::*;
use crate::data::rng;
use burn::tensor::{Device, TensorData};
use rand::RngExt;
use serde::Deserialize;

/// Single precision of sums of up to some hundred numbers around one.
const TOLERANCE: f32 = 1e-5;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}[{at}]: {a}, expected {b}");
    }
}

fn tensor<const D: usize>(values: &[f32], shape: &[usize], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

fn drawn(size: usize, range: std::ops::Range<f32>, seed: u64, stream: u64) -> Vec<f32> {
    let mut generator = rng(seed, &[stream]);
    (0..size).map(|_| generator.random_range(range.clone())).collect()
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    shape: Vec<usize>,
    slope: Option<f32>,
    groups: usize,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    grad: Vec<f32>,
    #[serde(default)]
    mean: Vec<f32>,
    #[serde(default)]
    variance: Vec<f32>,
    y: Vec<f32>,
    dx: Vec<f32>,
    dgamma: Vec<f32>,
    dbeta: Vec<f32>,
}

impl Case {
    fn activation(&self) -> Activation {
        match self.slope {
            None => Activation::None,
            Some(0.0) => Activation::Relu,
            Some(slope) => Activation::LeakyRelu(slope),
        }
    }

    fn check<const D: usize>(&self) {
        let device = Device::flex().autodiff();
        let what = format!("{} {:?} {:?}", self.kind, self.shape, self.slope);
        let width = [self.gamma.len()];
        let x = tensor::<D>(&self.x, &self.shape, &device).require_grad();
        let gamma = tensor::<1>(&self.gamma, &width, &device).require_grad();
        let beta = tensor::<1>(&self.beta, &width, &device).require_grad();
        let (a, b, c, act) = (x.clone(), gamma.clone(), beta.clone(), self.activation());
        let y = match self.kind.as_str() {
            "batch" => {
                let (y, mean, variance) = batch_norm_act(a, b, c, act, 1e-5);
                assert_close(&format!("mean of {what}"), &values(mean), &self.mean, TOLERANCE);
                assert_close(&format!("variance of {what}"), &values(variance), &self.variance, TOLERANCE);
                y
            }
            "constant" => {
                let mean = tensor(&self.mean, &width, &device);
                batch_norm_act_inference(a, b, c, mean, tensor(&self.variance, &width, &device), act, 1e-5)
            }
            "group" => group_norm_act(a, b, c, self.groups, act, 1e-5),
            "instance" => instance_norm_act(a, b, c, act, 1e-5),
            "layer" => layer_norm_act(a, b, c, act, 1e-5),
            other => panic!("unknown kind {other}"),
        };
        assert_close(&format!("output of {what}"), &values(y.clone()), &self.y, TOLERANCE);
        let grads = (y * tensor(&self.grad, &self.shape, &device)).sum().backward();
        let found =
            [values(x.grad(&grads).unwrap()), values(gamma.grad(&grads).unwrap()), values(beta.grad(&grads).unwrap())];
        for (name, found, expected) in
            [("x", &found[0], &self.dx), ("gamma", &found[1], &self.dgamma), ("beta", &found[2], &self.dbeta)]
        {
            assert_close(&format!("gradient of {name}, {what}"), found, expected, TOLERANCE);
        }
    }
}

/// `tests/golden/norm.py`: PyTorch in double precision, from the same numbers in single precision. Means of up
/// to 10,000 standard deviations are among them.
#[test]
fn values_and_gradients_are_those_of_pytorch() {
    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/norm.json")).unwrap();
    assert_eq!(golden.cases.len(), 17);
    for case in &golden.cases {
        match case.shape.len() {
            2 => case.check::<2>(),
            3 => case.check::<3>(),
            4 => case.check::<4>(),
            _ => case.check::<5>(),
        }
    }
}

/// An operation of input, gamma and beta.
type Operation<'a> = &'a dyn Fn(Tensor<3>, Tensor<1>, Tensor<1>) -> Tensor<3>;

/// Output and gradients of an operation on `[batch, channels, positions]`, given as a transposed view when asked.
fn run(
    shape: [usize; 3],
    width: usize,
    (seed, transposed): (u64, bool),
    operation: Operation<'_>,
) -> Vec<(&'static str, Vec<f32>)> {
    let device = Device::flex().autodiff();
    let [batch, channels, positions] = shape;
    let size = batch * channels * positions;
    let stored = if transposed { [batch, positions, channels] } else { shape };
    let x = tensor::<3>(&drawn(size, -1.0..1.5, seed, 0), &stored, &device).require_grad();
    let view = if transposed { x.clone().swap_dims(1, 2) } else { x.clone() };
    let gamma = tensor::<1>(&drawn(width, -1.0..2.0, seed, 1), &[width], &device).require_grad();
    let beta = tensor::<1>(&drawn(width, -0.5..0.5, seed, 2), &[width], &device).require_grad();
    let y = operation(view, gamma.clone(), beta.clone());
    let factor = tensor::<3>(&drawn(size, -1.0..1.0, seed, 3), &shape, &device);
    let grads = (y.clone() * factor).sum().backward();
    vec![
        ("output", values(y)),
        ("gradient of x", values(x.grad(&grads).unwrap())),
        ("gradient of gamma", values(gamma.grad(&grads).unwrap())),
        ("gradient of beta", values(beta.grad(&grads).unwrap())),
    ]
}

/// Sixty shapes, all drawn from one seed: a value within rounding of a kink, where the two may differ, would be there
/// in every run or in none.
#[test]
fn equal_burns_operations_over_random_shapes() {
    for seed in 0..60 {
        let mut generator = rng(seed, &[9]);
        let groups = generator.random_range(1..4_usize);
        let shape = [1..6, 1..5, 1..50_usize].map(|range| generator.random_range(range));
        let shape = [shape[0], groups * shape[1], shape[2]];
        let activation =
            [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2)][generator.random_range(0..3_usize)];
        let [batch, channels, positions] = shape;
        let draw = (seed, seed % 2 == 1);
        let compare = |what: &str, width: usize, ours: Operation<'_>, other: Operation<'_>| {
            for ((name, found), (_, expected)) in
                run(shape, width, draw, ours).iter().zip(run(shape, width, draw, other))
            {
                assert_close(
                    &format!("{name} of {what} {shape:?} {activation:?}, seed {seed}"),
                    found,
                    &expected,
                    1e-4,
                );
            }
        };
        if batch * positions > 1 {
            compare(
                "batch normalisation",
                channels,
                &|x, gamma, beta| batch_norm_act(x, gamma, beta, activation, 1e-3).0,
                &|x, gamma, beta| activation.forward(module::batch_norm_train(x, gamma, beta, 1e-3).output),
            );
        }
        compare(
            "group normalisation",
            channels,
            &|x, gamma, beta| group_norm_act(x, gamma, beta, groups, activation, 1e-3),
            &|x, gamma, beta| activation.forward(composed_group_norm(x, gamma, beta, groups, 1e-3)),
        );
        compare(
            "layer normalisation",
            positions,
            &|x, gamma, beta| layer_norm_act(x, gamma, beta, activation, 1e-3),
            &|x, gamma, beta| activation.forward(module::layer_norm(x, gamma, Some(beta), 1e-3)),
        );
    }
}

/// `Σ factor · act((x − mean) / √(variance + ε) · gamma + beta)` in double precision, the statistics being those of all
/// values of the same group.
fn reference(x: &[f64], parameters: &[[f64; 2]], group: Of<'_>, column: Of<'_>) -> f64 {
    let mut total = 0.0;
    for (at, &value) in x.iter().enumerate() {
        let same: Vec<f64> = x.iter().enumerate().filter(|(i, _)| group(*i) == group(at)).map(|(_, v)| *v).collect();
        let mean = same.iter().sum::<f64>() / same.len() as f64;
        let variance = same.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / same.len() as f64;
        let [gamma, beta] = parameters[column(at)];
        let z = (value - mean) / (variance + 1e-5).sqrt() * gamma + beta;
        assert!(z.abs() > 1e-4, "too near to the kink for a difference quotient");
        total += (at as f64 * 0.7).sin() * if z > 0.0 { z } else { 0.1 * z };
    }
    total
}

/// Which group or column a value belongs to.
type Of<'a> = &'a dyn Fn(usize) -> usize;

/// Central differences of step 1e-5 in double precision err by about 1e-9; the rest is single precision.
#[test]
fn gradients_are_difference_quotients() {
    let device = Device::flex().autodiff();
    let shape @ [batch, channels, positions] = [3, 4, 5];
    let size = batch * channels * positions;
    let act = Activation::LeakyRelu(0.1);
    let channel = |at: usize| at / positions % channels;
    let kinds: [(&str, Operation<'_>, Of<'_>, Of<'_>, usize); 4] = [
        ("batch", &|x, g, b| batch_norm_act(x, g, b, act, 1e-5).0, &channel, &channel, channels),
        ("group", &|x, g, b| group_norm_act(x, g, b, 2, act, 1e-5), &|at| at / (2 * positions), &channel, channels),
        ("instance", &|x, g, b| instance_norm_act(x, g, b, act, 1e-5), &|at| at / positions, &channel, channels),
        ("layer", &|x, g, b| layer_norm_act(x, g, b, act, 1e-5), &|at| at / positions, &|at| at % positions, positions),
    ];
    for (kind, operation, group, column, width) in kinds {
        let (x, gamma, beta) =
            (drawn(size, -1.0..2.0, 5, 0), drawn(width, 0.5..1.5, 5, 1), drawn(width, -0.5..0.5, 5, 2));
        let factor: Vec<f32> = (0..size).map(|at| (at as f64 * 0.7).sin() as f32).collect();
        let leaves = (
            tensor::<3>(&x, &shape, &device).require_grad(),
            tensor::<1>(&gamma, &[width], &device).require_grad(),
            tensor::<1>(&beta, &[width], &device).require_grad(),
        );
        let y = operation(leaves.0.clone(), leaves.1.clone(), leaves.2.clone());
        let grads = (y * tensor(&factor, &shape, &device)).sum().backward();
        let mut found = values(leaves.0.grad(&grads).unwrap());
        found.extend(values(leaves.1.grad(&grads).unwrap()));
        found.extend(values(leaves.2.grad(&grads).unwrap()));
        let all: Vec<f64> = x.iter().chain(&gamma).chain(&beta).map(|&v| f64::from(v)).collect();
        let value = |all: &[f64]| {
            let (x, parameters) = all.split_at(size);
            let (gamma, beta) = parameters.split_at(width);
            let parameters: Vec<[f64; 2]> = gamma.iter().zip(beta).map(|(g, b)| [*g, *b]).collect();
            reference(x, &parameters, group, column)
        };
        let quotients: Vec<f32> = (0..all.len())
            .map(|at| {
                let nudged = |by: f64| {
                    let mut all = all.clone();
                    all[at] += by;
                    value(&all)
                };
                ((nudged(1e-5) - nudged(-1e-5)) / 2e-5) as f32
            })
            .collect();
        assert_close(&format!("gradient of {kind} normalisation"), &found, &quotients, 2e-5);
    }
}

/// −1, 0 and 1 about 2²⁰, where single precision has steps of 1/8: the values are exact, so what comes of them must be
/// as good as about zero.
#[test]
fn a_mean_far_from_zero_costs_no_digits() {
    let device = Device::flex();
    let size = 30_000;
    let (one, zero) = (Tensor::<1>::ones([1], &device), Tensor::<1>::zeros([1], &device));
    let spread = (2.0_f32 / 3.0 + 1e-5).sqrt();
    for shape in [[1, 1, size], [size, 1, 1]] {
        let x: Vec<f32> = (0..size).map(|at| 1_048_576.0 + (at % 3) as f32 - 1.0).collect();
        let x = tensor::<3>(&x, &shape, &device);
        let (y, mean, variance) = batch_norm_act(x, one.clone(), zero.clone(), Activation::None, 1e-5);
        assert_eq!(values(mean), [1_048_576.0]);
        assert_close("variance", &values(variance), &[2.0 / 3.0], 1e-6);
        assert_close("output", &values(y)[..3], &[-1.0 / spread, 0.0, 1.0 / spread], 1e-6);
    }
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let device = Device::flex().autodiff();
    let gamma = Tensor::<1>::ones([3], &device).require_grad();
    let beta = Tensor::<1>::zeros([3], &device);
    let none = Tensor::<3>::zeros([0, 3, 5], &device).require_grad();
    let (y, mean, variance) = batch_norm_act(none.clone(), gamma.clone(), beta.clone(), Activation::Relu, 1e-5);
    assert_eq!((values(mean), values(variance)), (vec![0.0; 3], vec![0.0; 3]));
    let z = group_norm_act(y, gamma.clone(), beta.clone(), 3, Activation::None, 1e-5);
    assert_eq!(z.dims(), [0, 3, 5]);
    let grads = z.sum().backward();
    assert_eq!(values(gamma.grad(&grads).unwrap()), [0.0; 3]);
    let rows = layer_norm_act(Tensor::<2>::zeros([0, 3], &device), gamma, beta, Activation::None, 1e-5);
    assert_eq!(rows.dims(), [0, 3]);
}

#[test]
#[should_panic(expected = "batch normalisation in training needs more than one value per channel")]
fn one_value_per_channel_is_refused() {
    let device = Device::flex();
    let (gamma, beta) = (Tensor::<1>::ones([2], &device), Tensor::<1>::zeros([2], &device));
    let _ = batch_norm_act(Tensor::<4>::zeros([1, 2, 1, 1], &device), gamma, beta, Activation::None, 1e-5);
}

#[test]
fn a_broken_value_is_not_hidden_by_the_rectifier() {
    let device = Device::flex();
    let (gamma, beta) = (Tensor::<1>::ones([1], &device), Tensor::<1>::zeros([1], &device));
    let x = Tensor::<2>::from_data([[f32::NAN], [1.0]], &device);
    let (y, ..) = batch_norm_act(x, gamma, beta, Activation::Relu, 1e-5);
    assert!(values(y).iter().all(|value| value.is_nan()));
}

/// Planes of several tasks, planes that share a task, and rows of several tasks.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let all = || {
        let act = Activation::LeakyRelu(0.1);
        let mut found = Vec::new();
        for shape in [[2, 3, 70_001], [5, 12, 77], [900, 37, 1]] {
            found.extend(run(shape, shape[1], (4, false), &|x, g, b| batch_norm_act(x, g, b, act, 1e-5).0));
            found.extend(run(shape, shape[1], (4, false), &|x, g, b| group_norm_act(x, g, b, 1, act, 1e-5)));
        }
        let rows = [30, 40, 61];
        found.extend(run(rows, 61, (4, false), &|x, g, b| layer_norm_act(x, g, b, act, 1e-5)));
        found
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(all)
    };
    for ((name, one), (_, three)) in with(1).iter().zip(with(3)) {
        assert!(one.iter().any(|value| *value != 0.0), "{name}");
        assert!(one.iter().map(|v| v.to_bits()).eq(three.iter().map(|v| v.to_bits())), "{name} depends on the threads");
    }
}
