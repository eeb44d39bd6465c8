//! The networks on every device of this build and machine against `cpu`, and `DeepDTA`'s shared path against the plain
//! network.
//!
//! Tolerances are those of [`nn_core::parity`]; after steps of Adam ten times as much, because Adam moves a weight whose
//! gradient is rounding noise as far as any other.

use burn::tensor::{Device, Tensor};
use drug::affinity::{AffinityObjective, Entities, forward, squared_error};
use drug::baselines::{MlpConfig, mlp};
use drug::systems::deepdta::{DeepDta, DeepDtaConfig, Padding};
use drug::table::{AffinityTable, Drug, Pair, Quantity, Target};
use drug::tokens::TokenReport;
use nn_core::compute;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::parity::{Tolerance, Trace, check};
use nn_core::train::{Learner, StepContext, Supervised};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const PADDINGS: [Padding; 2] = [Padding::Seen, Padding::Masked];
/// Embedding, three convolutions with bias, on both sides, and four dense layers with bias.
const PARAMETERS: usize = 2 * (1 + 3 * 2) + 4 * 2;
/// After steps of Adam.
const ADAM: f64 = 10.0;

/// Predictions, loss and all gradients.
fn trace(model: &DeepDta, predicted: Tensor<1>, loss: Tensor<1>) -> Trace {
    let mut found = Trace::new();
    found.tensor("predictions", predicted);
    found.backward(model, loss);
    assert_eq!(found.gradient_count(), PARAMETERS);
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
fn shared(device: &Device, padding: Padding, generator: Option<&mut ChaCha8Rng>) -> Trace {
    let (entities, pairs) = inputs();
    let model = init(&small(padding), device);
    let predicted = forward(&model, &entities, &pairs, generator);
    let loss = squared_error(predicted.clone(), &pairs);
    trace(&model, predicted, loss)
}

/// The network as published, pair by pair, with the sum of the gradients.
///
/// The published network sees its padding. It becomes the masked one when its lengths are those of the pair's own
/// strings, or what three convolutions need where that is more.
fn plain(device: &Device, padding: Padding) -> Trace {
    let (entities, pairs) = inputs();
    let mut total: Vec<(String, Vec<f32>)> = Vec::new();
    for pair in &pairs {
        let drug = entities.drugs[pair.drug as usize].as_slice();
        let target = entities.targets[pair.target as usize].as_slice();
        let mut config = small(Padding::Seen);
        if padding == Padding::Masked {
            config.smiles_length = drug.len().max(3 * (config.smiles_kernel - 1) + 1);
            config.protein_length = target.len().max(3 * (config.protein_kernel - 1) + 1);
        }
        let model = init(&config, device);
        let predicted = model.forward(&[drug], &[target]);
        let loss = squared_error(predicted.clone(), &[*pair]).div_scalar(pairs.len() as f32);
        let part = trace(&model, predicted, loss);
        if total.is_empty() {
            total = part.iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect();
            continue;
        }
        for ((name, sum), (_, values)) in total.iter_mut().zip(part.iter()) {
            if name == "predictions" {
                sum.extend(values);
            } else {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    let mut found = Trace::new();
    for (name, values) in total {
        found.tensor(name, Tensor::<1>::from_data(values.as_slice(), device));
    }
    found
}

#[test]
fn deepdta_gives_the_same_predictions_loss_and_gradients() {
    for padding in PADDINGS {
        check(1.0, |device| shared(device, padding, Some(&mut rng(13, &[])))).unwrap();
    }
}

#[test]
fn sharing_and_fast_operations_change_nothing_on_any_device() {
    for padding in PADDINGS {
        check(1.0, |device| {
            // On `cpu`, too, the sums of the two paths run in different orders.
            let (shared, plain) = (shared(device, padding, None), plain(device, padding));
            shared.compare("the plain network", &plain, Tolerance::of("cpu")).unwrap();
            plain
        })
        .unwrap();
    }
}

#[test]
fn the_two_paddings_are_two_networks() {
    // Otherwise the tests above would compare one of them twice. The first pair's strings have their full length.
    let cpu = compute::device("cpu").unwrap().autodiff();
    let traces = PADDINGS.map(|padding| shared(&cpu, padding, None));
    let [seen, masked] = [0, 1].map(|at| traces[at].get("predictions").unwrap());
    let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * a.abs();
    assert!(near(seen[0], masked[0]), "{seen:?} and {masked:?}");
    assert!(
        traces[0].compare("cpu", &traces[1], Tolerance::of("cpu").times(100.0)).is_err(),
        "{seen:?} and {masked:?}"
    );
}

/// Losses and gradient norms of three steps with dropout, clipping and the rule that `DeepDTA` is trained with.
fn training(device: &Device, padding: Padding) -> Trace {
    let (entities, pairs) = inputs();
    let objective = AffinityObjective { entities: &entities, pairs: &pairs, monitored: &[] };
    let model = init(&small(padding), device);
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam_keras().init(), "deepdta");
    learner = learner.with_clip_norm(Some(1.0));
    let rows: Vec<usize> = (0..pairs.len()).collect();
    let mut found = Trace::new();
    for step in 0..3 {
        let context = StepContext { seed: 14, epoch: 0, step, learning_rate: 1e-3 };
        let report = learner.step(&rows, &context).unwrap();
        found.number(format!("loss {step}"), report.loss);
        found.number(format!("norm {step}"), report.grad_norm.unwrap());
    }
    found
}

#[test]
fn three_steps_of_training_give_the_same_losses() {
    for padding in PADDINGS {
        check(ADAM, |device| {
            let found = training(device, padding);
            assert_ne!(found.get("loss 0"), found.get("loss 2"));
            found
        })
        .unwrap();
    }
}

/// Predictions of the perceptron after four steps of Adam.
fn perceptron(device: &Device) -> Trace {
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
    let mut found = Trace::new();
    for (at, predicted) in mlp(&table, parts, &config, &device.clone().inner()).unwrap().into_iter().enumerate() {
        found.number(format!("prediction {at}"), predicted);
    }
    found
}

#[test]
fn the_perceptron_trains_to_the_same_predictions() {
    check(ADAM, perceptron).unwrap();
}
