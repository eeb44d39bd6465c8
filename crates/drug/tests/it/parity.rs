//! The networks on every device of this build and machine against `cpu`, and `DeepDTA`'s shared path against the plain
//! network.
//!
//! On `cpu` the shared path runs on the operations of `nn_core::ops`, on any other device it is composed of burn's own,
//! so comparing the devices compares the two as well.
//!
//! | device | values | gradients | after Adam's steps | reason |
//! |---|---|---|---|---|
//! | `cpu`, built a second time | same bits | same bits | same bits | the same sums in the same order |
//! | `ndarray`, `gpu:N` | 1e-4 | 1e-4 | 1e-3 | f32 sums in another order: 6e-8 for each of many roundings |
//! | `cuda:N` | 1e-2 | 0.2 | 5e-2 | burn may multiply f32 matrices on tensor cores: 11 bits of a factor |
//!
//! A tolerance is on ‖found − expected‖ / ‖expected‖ of each tensor. Adam moves a weight whose gradient is rounding
//! noise as far as any other, hence its own column. With 11 bits (5e-4) about one maximum in a hundred is won by
//! another window and one rectified unit in a thousand changes side; a new winner has another gradient, hence the 0.2.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use drug::affinity::{AffinityObjective, Entities, forward, squared_error};
use drug::baselines::{MlpConfig, mlp};
use drug::systems::deepdta::{DeepDta, DeepDtaConfig, Padding};
use drug::table::{AffinityTable, Drug, Pair, Quantity, Target};
use drug::tokens::TokenReport;
use nn_core::compute;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Learner, StepContext, Supervised};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::io::Write as _;

/// What a computation came to: values by name.
type Trace = Vec<(String, Vec<f32>)>;

const PADDINGS: [Padding; 2] = [Padding::Seen, Padding::Masked];
/// Embedding, three convolutions with bias, on both sides, and four dense layers with bias.
const PARAMETERS: usize = 2 * (1 + 3 * 2) + 4 * 2;

/// Tolerances of the table above.
#[derive(Clone, Copy)]
struct Tolerance {
    values: f64,
    gradients: f64,
    adam: f64,
}

const SINGLE: Tolerance = Tolerance { values: 1e-4, gradients: 1e-4, adam: 1e-3 };
const TENSOR_CORES: Tolerance = Tolerance { values: 1e-2, gradients: 0.2, adam: 5e-2 };

fn tolerance(device: &str) -> Tolerance {
    if device.starts_with("cuda") { TENSOR_CORES } else { SINGLE }
}

/// `cpu` for a second time, then every other device that is present.
fn devices() -> Vec<String> {
    let present: Vec<String> = compute::list().into_iter().flat_map(|info| info.present).collect();
    if present.len() == 1 {
        let _ = writeln!(
            std::io::stderr(),
            "ignored: no device besides cpu in this build (features ndarray, cuda, vulkan)"
        );
    }
    present
}

fn on(name: &str) -> Device {
    compute::device(name).unwrap().autodiff()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// Within the tolerance of the tensor's Euclidean norm.
fn assert_near(what: &str, found: &[(String, Vec<f32>)], expected: &[(String, Vec<f32>)], tolerance: Tolerance) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!((name, found.len()), (expected_name, expected.len()), "{what}");
        let size = norm(expected.iter().map(|&v| f64::from(v)));
        let error = norm(found.iter().zip(expected).map(|(&f, &e)| f64::from(f) - f64::from(e)));
        let allowed = if name.starts_with("gradient") { tolerance.gradients } else { tolerance.values };
        // a tensor of zeros would agree with anything that was left out
        assert!(size > 0.0 && size.is_finite(), "{what}: {name} has norm {size}");
        assert!(error <= allowed * size, "{what}: {name} is {error:.3e} away, of {size:.3e}");
    }
}

/// On `cpu` bit by bit, elsewhere within the device's tolerance.
fn compare(device: &str, found: &[(String, Vec<f32>)], expected: &[(String, Vec<f32>)], tolerance: Tolerance) {
    assert_near(&format!("{device} against cpu"), found, expected, tolerance);
    if device == "cpu" {
        for ((name, found), (_, expected)) in found.iter().zip(expected) {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(found) == bits(expected), "{name} on cpu differs between two runs");
        }
    }
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().unwrap()
}

/// The gradient of every parameter, by path.
struct Collected<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    found: Trace,
}

impl ModuleVisitor for Collected<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = format!("gradient of {}", self.path.join("."));
        let gradient = self.gradients.get::<D>(param.id).unwrap_or_else(|| panic!("no {name}"));
        self.found.push((name, values(gradient)));
    }
}

/// Predictions, loss and all gradients.
fn trace(model: &DeepDta, predicted: Tensor<1>, loss: Tensor<1>) -> Trace {
    let mut found = vec![("predictions".to_owned(), values(predicted)), ("loss".to_owned(), values(loss.clone()))];
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut visitor = Collected { gradients: &gradients, path: Vec::new(), found: Trace::new() };
    model.visit(&mut visitor);
    assert_eq!(visitor.found.len(), PARAMETERS);
    found.extend(visitor.found);
    found
}

fn small(padding: Padding) -> DeepDtaConfig {
    DeepDtaConfig {
        smiles_length: 40,
        protein_length: 90,
        embedding: 16,
        filters: 8,
        padding,
        ..DeepDtaConfig::default()
    }
}

/// The same weights whatever the lengths and the padding.
fn init(config: &DeepDtaConfig, device: &Device) -> DeepDta {
    config.init(device, &mut rng(11, &[])).unwrap()
}

/// Strings of the full length, shorter than the reach of three convolutions (22 and 34), and between; eight pairs.
fn inputs() -> (Entities, Vec<Pair>) {
    let strings = |lengths: &[usize], labels: u8, stream: u64| -> Vec<Vec<u8>> {
        let mut generator = rng(12, &[stream]);
        let mut string = |n: usize| -> Vec<u8> { (0..n).map(|_| generator.random_range(1..=labels)).collect() };
        lengths.iter().map(|&n| string(n)).collect()
    };
    let entities = Entities {
        drugs: strings(&[40, 5, 23, 31], 64, 0),
        targets: strings(&[90, 20, 61], 25, 1),
        drug_report: TokenReport::default(),
        target_report: TokenReport::default(),
    };
    let places = [(0, 0), (1, 0), (2, 1), (3, 2), (0, 1), (2, 2), (1, 2), (3, 0)];
    let measured = [5.0, 7.5, 5.5, 6.0, 8.0, 6.5, 5.25, 9.0];
    let pairs = places.into_iter().zip(measured).map(|((drug, target), value)| Pair { drug, target, value });
    (entities, pairs.collect())
}

/// As in training: each distinct string encoded once; dropout when a generator is given.
fn shared(device: &str, padding: Padding, generator: Option<&mut ChaCha8Rng>) -> Trace {
    let (entities, pairs) = inputs();
    let model = init(&small(padding), &on(device));
    let predicted = forward(&model, &entities, &pairs, generator);
    let loss = squared_error(predicted.clone(), &pairs);
    trace(&model, predicted, loss)
}

/// The network as published, pair by pair, with the sum of the gradients.
///
/// The published network sees its padding. It becomes the masked one when its lengths are those of the pair's own
/// strings, or what three convolutions need where that is more.
fn plain(device: &str, padding: Padding) -> Trace {
    let (entities, pairs) = inputs();
    let device = on(device);
    let mut total = Trace::new();
    for pair in &pairs {
        let drug = entities.drugs[pair.drug as usize].as_slice();
        let target = entities.targets[pair.target as usize].as_slice();
        let mut config = small(Padding::Seen);
        if padding == Padding::Masked {
            config.smiles_length = drug.len().max(3 * (config.smiles_kernel - 1) + 1);
            config.protein_length = target.len().max(3 * (config.protein_kernel - 1) + 1);
        }
        let model = init(&config, &device);
        let predicted = model.forward(&[drug], &[target]);
        let loss = squared_error(predicted.clone(), &[*pair]).div_scalar(pairs.len() as f32);
        let part = trace(&model, predicted, loss);
        if total.is_empty() {
            total = part;
            continue;
        }
        for ((name, sum), (_, values)) in total.iter_mut().zip(part) {
            if name == "predictions" {
                sum.extend(values);
            } else {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    total
}

#[test]
fn deepdta_gives_the_same_predictions_loss_and_gradients() {
    for padding in PADDINGS {
        let run = |device: &str| shared(device, padding, Some(&mut rng(13, &[])));
        let expected = run("cpu");
        for device in devices() {
            eprintln!("{device}, {padding:?}");
            compare(&device, &run(&device), &expected, tolerance(&device));
        }
    }
}

#[test]
fn sharing_and_fast_operations_change_nothing_on_any_device() {
    for padding in PADDINGS {
        for device in devices() {
            // On `cpu`, too, the sums of the two paths run in different orders.
            let what = format!("{device}, {padding:?}, shared against plain");
            assert_near(&what, &shared(&device, padding, None), &plain(&device, padding), tolerance(&device));
        }
    }
}

#[test]
fn the_two_paddings_are_two_networks() {
    // Otherwise the tests above would compare one of them twice. The first pair's strings have their full length.
    let [seen, masked] = PADDINGS.map(|padding| shared("cpu", padding, None).swap_remove(0).1);
    let differences: Vec<f64> = seen.iter().zip(&masked).map(|(&s, &m)| f64::from(s) - f64::from(m)).collect();
    let size = norm(seen.iter().map(|&v| f64::from(v)));
    assert!(differences[0].abs() <= SINGLE.values * size, "{seen:?} and {masked:?}");
    assert!(norm(differences.into_iter()) > 100.0 * SINGLE.values * size, "{seen:?} and {masked:?}");
}

/// Losses and gradient norms of three steps with dropout, clipping and the rule that `DeepDTA` is trained with.
fn training(device: &str, padding: Padding) -> Trace {
    let (entities, pairs) = inputs();
    let objective = AffinityObjective { entities: &entities, pairs: &pairs, monitored: &[] };
    let model = init(&small(padding), &on(device));
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam_keras().init(), "deepdta");
    learner = learner.with_clip_norm(Some(1.0));
    let rows: Vec<usize> = (0..pairs.len()).collect();
    let mut found = Trace::new();
    for step in 0..3 {
        let context = StepContext { seed: 14, epoch: 0, step, learning_rate: 1e-3 };
        let report = learner.step(&rows, &context).unwrap();
        found.push((format!("loss {step}"), vec![report.loss as f32]));
        found.push((format!("norm {step}"), vec![report.grad_norm.unwrap() as f32]));
    }
    found
}

#[test]
fn three_steps_of_training_give_the_same_losses() {
    for padding in PADDINGS {
        let expected = training("cpu", padding);
        // it has learnt between the first loss and the last
        assert_ne!(expected[0].1, expected[4].1);
        for device in devices() {
            let tolerance = tolerance(&device);
            compare(&device, &training(&device, padding), &expected, Tolerance { values: tolerance.adam, ..tolerance });
        }
    }
}

/// Predictions of the perceptron after four steps of Adam.
fn perceptron(device: &str) -> Trace {
    let smiles = ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CC"];
    let sequences = ["MKTAYIAKQR", "GSSGSSGDEW", "MVLSPADKTNVKAAW"];
    let drugs = smiles.map(|smiles| Drug { id: smiles.to_owned(), smiles: smiles.to_owned() });
    let targets = sequences.map(|sequence| Target { id: sequence.to_owned(), sequence: sequence.to_owned() });
    let pairs = (0..12).map(|i| Pair { drug: i % 4, target: i % 3, value: 5.0 + (i * 5 % 12) as f32 / 4.0 });
    let table = AffinityTable {
        drugs: drugs.to_vec(),
        targets: targets.to_vec(),
        pairs: pairs.collect(),
        quantity: Quantity::Pkd,
    };
    let config = MlpConfig { hidden: [16, 8], epochs: 2, batch_size: 4, ..MlpConfig::default() };
    let parts: [&[usize]; 3] = [&[0, 1, 2, 3, 4, 5, 6, 7], &[8, 9], &[10, 11]];
    let predicted = mlp(&table, parts, &config, &compute::device(device).unwrap()).unwrap();
    vec![("predictions".to_owned(), predicted.into_iter().map(|v| v as f32).collect())]
}

#[test]
fn the_perceptron_trains_to_the_same_predictions() {
    let expected = perceptron("cpu");
    for device in devices() {
        let tolerance = tolerance(&device);
        compare(&device, &perceptron(&device), &expected, Tolerance { values: tolerance.adam, ..tolerance });
    }
}
