//! Capsules: the published number of parameters, closed forms, a PyTorch twin.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::data::{InOrder, rng};
use crate::optim::OptimizerConfig;
use crate::train::{FitConfig, Monitor, Objective, StepContext, StepError, Supervised, fit};
use burn::tensor::{Gradients, TensorData};
use serde_json::Value;

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn normal<const D: usize>(shape: [usize; D], sd: f64, seed: u64, device: &Device) -> Tensor<D> {
    let drawn = Init::Normal(sd).values(&shape, Fan { inputs: 1, outputs: 1 }, &mut rng(seed, &[]));
    Tensor::from_data(TensorData::new(drawn, shape), device)
}

/// The tolerance is relative above 1 and absolute below.
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}[{place}]: {f}, expected {e}");
    }
}

#[test]
fn the_papers_network_has_the_papers_parameters() {
    let device = Device::flex();
    let plain = CapsuleConfig { decoder: vec![], ..CapsuleConfig::default() };
    assert_eq!(plain.capsules(), 32 * 6 * 6);
    assert_eq!(plain.init(&device, &mut rng(1, &[])).unwrap().num_params(), 6_804_224);
    let model = CapsuleConfig::default().init(&device, &mut rng(1, &[])).unwrap();
    assert_eq!(model.num_params(), 8_215_568);
}

#[test]
fn squashing_has_the_length_of_equation_1_and_keeps_the_direction() {
    for scale in [1e-5_f32, 1e-3, 0.1, 1.0, 10.0, 1e4] {
        let direction = [0.36_f32, -0.48, 0.8];
        let input =
            Tensor::<2>::from_data(TensorData::new(direction.map(|d| d * scale).to_vec(), [1, 3]), &Device::flex());
        let output = values(squash(input));
        let square = f64::from(scale).powi(2);
        let expected = square / (1.0 + square);
        // f32: a relative error of some 2⁻²⁴ for each of the five roundings
        for (o, d) in output.iter().zip(direction) {
            let expected = expected * f64::from(d);
            assert!(
                (f64::from(*o) - expected).abs() <= 1e-6 * expected.abs(),
                "scale {scale}: {o}, expected {expected}"
            );
        }
    }
}

#[test]
fn the_zero_vector_has_a_finite_gradient() {
    let device = Device::flex().autodiff();
    let input = Tensor::<3>::zeros([2, 3, 4], &device).require_grad();
    let output = squash(input.clone());
    assert_eq!(values(output.clone()), vec![0.0; 24]);
    let loss = output.sum() + lengths(input.clone()).sum();
    let gradient = values(input.grad(&loss.backward()).unwrap());
    // the slope of squashing at zero is zero; here it is √1e-12
    assert!(gradient.iter().all(|g| g.is_finite() && g.abs() <= 1.1e-6), "{gradient:?}");
}

/// Procedure 1 in f64, one capsule and one number at a time.
fn route_by_hand(votes: &[f32], [outputs, inputs, size]: [usize; 3], iterations: usize) -> (Vec<f64>, Vec<f64>) {
    let vote = |j: usize, i: usize, d: usize| f64::from(votes[(j * inputs + i) * size + d]);
    let mut logits = vec![0.0; outputs * inputs];
    let (mut capsules, mut couplings) = (vec![0.0; outputs * size], vec![0.0; outputs * inputs]);
    for _ in 0..iterations {
        for i in 0..inputs {
            let total: f64 = (0..outputs).map(|j| f64::exp(logits[j * inputs + i])).sum();
            for j in 0..outputs {
                couplings[j * inputs + i] = logits[j * inputs + i].exp() / total;
            }
        }
        for j in 0..outputs {
            let sum = |d: usize| (0..inputs).map(|i| couplings[j * inputs + i] * vote(j, i, d)).sum::<f64>();
            let sums: Vec<f64> = (0..size).map(sum).collect();
            let square: f64 = sums.iter().map(|s| s * s).sum();
            for (d, s) in sums.iter().enumerate() {
                capsules[j * size + d] = s * square.sqrt() / (1.0 + square);
            }
            for i in 0..inputs {
                logits[j * inputs + i] += (0..size).map(|d| vote(j, i, d) * capsules[j * size + d]).sum::<f64>();
            }
        }
    }
    (capsules, couplings)
}

#[test]
fn routing_is_procedure_1_and_shares_sum_to_one() {
    let shape = [3, 4, 6, 5];
    let votes = normal(shape, 0.8, 5, &Device::flex());
    let all = values(votes.clone());
    for iterations in [1, 2, 3, 5] {
        let routed = route(votes.clone(), iterations);
        let sums = values(routed.couplings.clone().sum_dim(1));
        assert_close(&sums, &[1.0; 3 * 6], 1e-6, "sum over output capsules");
        let (capsules, couplings) = (values(routed.capsules), values(routed.couplings));
        for row in 0..3 {
            let (v, c) = route_by_hand(&all[row * 120..(row + 1) * 120], [4, 6, 5], iterations);
            let single = |of: Vec<f64>| of.into_iter().map(|x| x as f32).collect::<Vec<_>>();
            // f32: sums of 30 products of size 1
            assert_close(&capsules[row * 20..(row + 1) * 20], &single(v), 1e-5, "capsules");
            assert_close(&couplings[row * 24..(row + 1) * 24], &single(c), 1e-5, "couplings");
        }
        if iterations == 1 {
            assert_close(&couplings, &vec![0.25; couplings.len()], 1e-6, "without agreement");
        }
    }
}

#[test]
fn votes_that_agree_draw_more() {
    // two inputs agree on output 0, each other output hears contradictions
    let one = [1.0_f32, 0.0];
    let votes = [one, one, [0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]].concat();
    let routed = route(Tensor::from_data(TensorData::new(votes, [1, 3, 2, 2]), &Device::flex()), 3);
    let found = values(lengths(routed.capsules));
    assert!(found[0] > 0.45 && found[1] < 0.1 && found[2] < 0.1, "{found:?}");
}

#[test]
fn margin_loss_by_hand() {
    let config = CapsuleConfig::default();
    let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [2, 3]), &Device::flex());
    let loss =
        margin_loss(tensor(vec![0.5, 0.05, 0.3, 0.95, 0.1, 0.6]), tensor(vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0]), &config);
    // row 1: 0.4² + 0.5 · 0.2²; row 2: 0.3², for two classes are present
    let expected = f64::midpoint(0.16 + 0.02, 0.09);
    assert!((loss.into_scalar::<f64>() - expected).abs() < 1e-6);
}

fn golden_model(golden: &Value, device: &Device) -> CapsuleNetwork {
    let config = CapsuleConfig {
        input: [2, 6, 7],
        filters: 3,
        kernel: 3,
        primary_types: 2,
        primary_size: 4,
        primary_kernel: 2,
        classes: 3,
        class_size: 5,
        decoder: vec![7, 6],
        reconstruction_weight: 0.05,
        ..CapsuleConfig::default()
    };
    let mut model = config.init(device, &mut rng(1, &[])).unwrap();
    let parameter = |name: &str| floats(&golden["parameters"][name]["values"]);
    for (name, layer) in [("conv", &mut model.conv), ("primary", &mut model.primary)] {
        let shape = layer.weight.dims();
        layer.weight = Param::from_data(TensorData::new(parameter(&format!("{name}.weight")), shape), device);
        layer.bias = Some(Param::from_data(TensorData::new(parameter(&format!("{name}.bias")), [shape[0]]), device));
    }
    model.votes = Param::from_data(TensorData::new(parameter("votes"), model.votes.dims()), device);
    for (place, layer) in model.decoder.iter_mut().enumerate() {
        let shape = layer.weight.dims();
        let name = format!("decoder.{place}");
        layer.weight = Param::from_data(TensorData::new(parameter(&format!("{name}.weight")), shape), device);
        layer.bias = Some(Param::from_data(TensorData::new(parameter(&format!("{name}.bias")), [shape[1]]), device));
    }
    model
}

fn gradient<const D: usize>(parameter: &Param<Tensor<D>>, gradients: &Gradients) -> Vec<f32> {
    values(parameter.val().grad(gradients).unwrap())
}

#[test]
fn forward_and_gradients_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/capsule.json")).unwrap();
    let device = Device::flex().autodiff();
    let model = golden_model(&golden, &device);
    let labels: Vec<usize> =
        golden["labels"].as_array().unwrap().iter().map(|l| l.as_u64().unwrap() as usize).collect();
    let input = Tensor::<4>::from_data(TensorData::new(floats(&golden["input"]), [4, 2, 6, 7]), &device);

    // f32 against float64: the longest sum has 84 products of size 1 or less
    let tolerance = 1e-5;
    let routed = model.routed(input.clone());
    assert_close(&values(routed.capsules.clone()), &floats(&golden["capsules"]), tolerance, "capsules");
    assert_close(&values(routed.couplings), &floats(&golden["couplings"]), tolerance, "couplings");
    let drawn = model.reconstruct(routed.capsules, &labels).unwrap();
    assert_close(&values(drawn), &floats(&golden["drawn"]), tolerance, "drawn");
    let loss = model.loss(input, &labels);
    let expected = golden["loss"].as_f64().unwrap();
    assert!((loss.clone().into_scalar::<f64>() - expected).abs() < 1e-5);

    let gradients = loss.backward();
    let mut found = vec![
        ("conv.weight".to_string(), gradient(&model.conv.weight, &gradients)),
        ("conv.bias".to_string(), gradient(model.conv.bias.as_ref().unwrap(), &gradients)),
        ("primary.weight".to_string(), gradient(&model.primary.weight, &gradients)),
        ("primary.bias".to_string(), gradient(model.primary.bias.as_ref().unwrap(), &gradients)),
        ("votes".to_string(), gradient(&model.votes, &gradients)),
    ];
    for (place, layer) in model.decoder.iter().enumerate() {
        found.push((format!("decoder.{place}.weight"), gradient(&layer.weight, &gradients)));
        found.push((format!("decoder.{place}.bias"), gradient(layer.bias.as_ref().unwrap(), &gradients)));
    }
    assert_eq!(found.len(), golden["parameters"].as_object().unwrap().len());
    for (name, values) in found {
        // the largest entries are 0.01 to 0.1
        let expected = floats(&golden["parameters"][&name]["gradient"]);
        assert_close(&values, &expected, 1e-6, &name);
    }
}

/// Eight random maps with classes that have nothing to do with them.
struct Memorise {
    input: Vec<f32>,
    labels: Vec<usize>,
}

impl Memorise {
    fn input(&self, device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.input.clone(), [self.labels.len(), 1, 8, 8]), device)
    }
}

impl Objective for Memorise {
    type Model = CapsuleNetwork;

    fn loss(&self, model: &CapsuleNetwork, _: &[usize], _: &StepContext) -> Result<Tensor<1>, StepError> {
        Ok(model.loss(self.input(&model.votes.device()), &self.labels))
    }

    fn validate(&self, model: &CapsuleNetwork) -> Result<Vec<(String, f64)>, StepError> {
        let scores = values(lengths(model.forward(self.input(&model.votes.device()))));
        let worst = |(row, &label): (&[f32], &usize)| {
            let other = (0..row.len()).filter(|&c| c != label).map(|c| row[c]).fold(0.0, f32::max);
            row[label] - other
        };
        let margins = scores.chunks(4).zip(&self.labels).map(worst);
        Ok(vec![("worst margin".to_string(), f64::from(margins.fold(1.0, f32::min)))])
    }
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let config = CapsuleConfig {
        input: [1, 8, 8],
        filters: 16,
        kernel: 3,
        primary_types: 4,
        primary_size: 4,
        primary_kernel: 3,
        classes: 4,
        class_size: 8,
        decoder: vec![16],
        votes_sd: 0.3,
        ..CapsuleConfig::default()
    };
    let model = config.init(&Device::flex().autodiff(), &mut rng(3, &[])).unwrap();
    let uniform = Init::Uniform(0.5).values(&[8 * 64], Fan { inputs: 1, outputs: 1 }, &mut rng(4, &[]));
    let input = uniform.into_iter().map(|value| value + 0.5).collect();
    let objective = Memorise { input, labels: vec![0, 1, 2, 3, 3, 1, 0, 2] };
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "capsule");
    let settings = FitConfig::new(200, 5e-3, Monitor::higher("worst margin"));
    let sampler = InOrder::new((0..8).collect(), 8);
    let outcome = fit(&mut learner, &sampler, &settings, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let margin = outcome.best_metrics[0].1;
    assert!(margin > 0.5, "the right capsule is longer than every other by {margin} at least");
}

#[test]
fn what_cannot_be_built_is_refused() {
    let good = CapsuleConfig::default();
    let field = |config: CapsuleConfig| match config.validate() {
        Err(ConfigError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(good.validate(), Ok(()));
    assert_eq!(field(CapsuleConfig { kernel: 29, ..good.clone() }), "kernel");
    assert_eq!(field(CapsuleConfig { kernel: 21, ..good.clone() }), "primary_kernel");
    assert_eq!(field(CapsuleConfig { routing: 0, ..good.clone() }), "routing");
    assert_eq!(field(CapsuleConfig { classes: 1, ..good.clone() }), "classes");
    assert_eq!(CapsuleConfig { kernel: 21, ..good }.capsules(), 0);
}
