//! Boltzmann machines and deep belief networks. They learn without gradients, so what a step adds to each parameter is
//! compared: without momentum and decay the difference of the statistics of data and model, times the learning rate.
//!
//! Chains agree although they are drawn: a unit is set where a number from the host is below its probability, and the
//! chance that the two lie within rounding of each other is some one in a million.

use std::sync::atomic::AtomicBool;

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::models::dbn::{
    Completion, Dbn, DbnConfig, GreedyConfig, MultimodalConfig, Session, UpDown, UpDownConfig, pretrain,
    pretrain_multimodal,
};
use nn_core::models::rbm::{
    AisConfig, Negative, Rbm, RbmConfig, RbmLearner, RbmLearning, Sparsity, Stage, VisibleUnits,
};
use nn_core::parity::Trace;
use nn_core::train::Learner;

use super::{agree, context, flat, numbers, traced};

const UNITS: [VisibleUnits; 3] = [VisibleUnits::Bernoulli, VisibleUnits::Gaussian, VisibleUnits::ReplicatedSoftmax];
const ROWS: usize = 12;
const COLUMNS: usize = 6;

/// Rows of numbers that suit the units: answers, numbers, or counts from 0 to 3.
fn data(units: VisibleUnits, device: &Device) -> Tensor<2> {
    let value = |x: f32| match units {
        VisibleUnits::Bernoulli => f32::from(u8::from(x > 0.0)),
        VisibleUnits::Gaussian => x,
        VisibleUnits::ReplicatedSoftmax => (2.0 * x + 2.0).floor(),
    };
    let values: Vec<f32> = numbers(ROWS * COLUMNS, 3).into_iter().map(value).collect();
    Tensor::from_data(TensorData::new(values, [ROWS, COLUMNS]), device)
}

fn machine(units: VisibleUnits, device: &Device) -> Rbm {
    let config = RbmConfig { units, visible: COLUMNS, hidden: 5, weight_sd: 0.5, hidden_bias: 0.2 };
    let rbm = config.init(device, &mut rng(1, &[])).unwrap();
    rbm.with_visible_bias_of(data(units, device)).unwrap()
}

#[test]
fn conditionals_energies_and_chains() {
    for units in UNITS {
        agree(1.0, |device| {
            let device = device.clone().inner();
            let (rbm, v) = (machine(units, &device), data(units, &device)); // [12, 6]
            let h = rbm.sample_hidden(v.clone(), &mut rng(2, &[])); // [12, 5]
            let mut trace = Trace::new();
            trace.tensor("visible biases", rbm.visible_bias.val());
            trace.tensor("probabilities", rbm.transform(v.clone()));
            trace.tensor("hidden states", h.clone());
            trace.tensor("visible means", rbm.visible_mean(h.clone(), None));
            trace.tensor("reconstruction", rbm.reconstruct(v.clone()));
            trace.tensor("energy", rbm.energy(v.clone(), h));
            trace.tensor("free energy", rbm.free_energy(v.clone()));
            trace.tensor("end of a chain", rbm.gibbs(v.clone(), 3, &mut rng(3, &[])).unwrap());
            if units == VisibleUnits::Bernoulli {
                trace.tensor("pseudo-likelihood", rbm.pseudo_likelihood_exact(v.clone()).unwrap());
                trace.tensor("its estimate", rbm.pseudo_likelihood(v, &mut rng(4, &[])).unwrap());
            }
            let annealing = AisConfig { chains: 10, stages: vec![Stage { until: 1.0, steps: 20 }], words: 4 };
            trace.number("log Z", rbm.log_partition(&annealing, None, &mut rng(5, &[])).unwrap().log_z);
            trace
        });
    }
}

#[test]
fn contrastive_divergence() {
    for negative in [
        Negative::Contrastive { steps: 1, sample_visible: false },
        Negative::Contrastive { steps: 2, sample_visible: true },
        Negative::Persistent { steps: 2, chains: 7 },
    ] {
        for (units, sparsity) in UNITS.into_iter().zip([Some(Sparsity::default()), None, None]) {
            let learning =
                RbmLearning { negative, initial_momentum: 0.0, weight_decay: 0.0, sparsity, ..RbmLearning::default() };
            // Counts have larger statistics, which at a larger rate would drive all probabilities to 1.
            let rate = if units == VisibleUnits::ReplicatedSoftmax { 0.02 } else { 0.5 };
            agree(1.0, |device| {
                let device = device.clone().inner();
                let (mut before, v) = (machine(units, &device), data(units, &device));
                let mut learner = RbmLearner::new(before.clone(), v.clone(), v, learning.clone()).unwrap();
                let mut trace = Trace::new();
                for _ in 0..2 {
                    let report = learner.step(&[0, 1, 2, 4, 7, 8, 10, 11], &context(rate)).unwrap();
                    trace.number("loss", report.loss);
                    trace.number("norm", report.grad_norm.unwrap());
                    let after = learner.rbm().clone();
                    trace.tensor("statistics of the weights", after.weight.val() - before.weight.val());
                    trace.tensor("of the visible biases", after.visible_bias.val() - before.visible_bias.val());
                    trace.tensor("of the hidden biases", after.hidden_bias.val() - before.hidden_bias.val());
                    before = after;
                }
                for (name, value) in learner.validate().unwrap() {
                    trace.number(name, value);
                }
                trace
            });
        }
    }
}

fn network(units: VisibleUnits) -> DbnConfig {
    DbnConfig { units, visible: COLUMNS, layers: vec![5, 5, 4], weight_sd: 0.5 }
}

/// All parameters by name.
fn parameters(dbn: &Dbn) -> Vec<(String, Tensor<1>)> {
    let mut found = Vec::new();
    for (at, layer) in dbn.stack().layers.iter().enumerate() {
        found.push((format!("recognition {at}"), flat(layer.recognition.val())));
        found.push((format!("bias of recognition {at}"), layer.recognition_bias.val()));
        found.push((format!("generation {at}"), flat(layer.generative.val())));
        found.push((format!("bias of generation {at}"), layer.generative_bias.val()));
    }
    found.push(("weight on top".to_owned(), flat(dbn.top().weight.val())));
    found.push(("visible bias on top".to_owned(), dbn.top().visible_bias.val()));
    found.push(("hidden bias on top".to_owned(), dbn.top().hidden_bias.val()));
    found
}

#[test]
fn features_dreams_and_the_up_down_algorithm() {
    for units in UNITS {
        agree(1.0, |device| {
            let device = device.clone().inner();
            let dbn = network(units).init(&device, &mut rng(1, &[])).unwrap();
            let v = data(units, &device); // [12, 6]
            let mut trace = Trace::new();
            trace.tensor("features", dbn.transform(v.clone()));
            trace.tensor("reconstruction", dbn.reconstruct(v.clone()));
            trace.tensor("dreams", dbn.sample(4, 3, 5, &mut rng(2, &[])).unwrap());
            let mut learner = UpDown::new(dbn.clone(), v.clone(), v, UpDownConfig::default()).unwrap();
            let rows: Vec<usize> = (0..ROWS).collect();
            let report = learner.step(&rows, &context(1.0)).unwrap();
            trace.number("loss", report.loss);
            trace.number("norm", report.grad_norm.unwrap());
            for ((name, before), (_, after)) in parameters(&dbn).into_iter().zip(parameters(learner.dbn())) {
                trace.tensor(format!("change of {name}"), after - before);
            }
            trace
        });
    }
}

fn greedy() -> GreedyConfig {
    GreedyConfig { epochs: 2, batch_size: 4, ..GreedyConfig::default() }
}

#[test]
fn layer_by_layer_and_then_as_a_classifier() {
    for units in UNITS {
        agree(1.0, |device| {
            let v = data(units, &device.clone().inner());
            let stop = AtomicBool::new(false);
            let mut session = Session { folder: None, observer: &mut (), stop: &stop };
            let dbn = pretrain(&network(units), &greedy(), &v, &v, &mut session).unwrap();
            let (features, reconstruction) = (dbn.transform(v.clone()), dbn.reconstruct(v));
            let classifier = dbn.into_classifier(3, device, &mut rng(2, &[])).unwrap();
            let logits = classifier.forward(data(units, device));
            // three layers and the head
            let mut trace = traced(&classifier, vec![("logits", flat(logits))], 2 * 4);
            trace.tensor("features", features);
            trace.tensor("reconstruction", reconstruction);
            trace
        });
    }
}

#[test]
fn one_modality_completes_the_other() {
    let modality = |units, layers| DbnConfig { units, visible: COLUMNS, layers, weight_sd: 0.5 };
    let modalities = vec![modality(VisibleUnits::Bernoulli, vec![5]), modality(VisibleUnits::Gaussian, vec![5, 4])];
    let config = MultimodalConfig { weight_sd: 0.5, ..MultimodalConfig::new(modalities, 5) };
    agree(1.0, |device| {
        let device = device.clone().inner();
        let known = data(VisibleUnits::Bernoulli, &device);
        let inputs = [known.clone(), data(VisibleUnits::Gaussian, &device)];
        let stop = AtomicBool::new(false);
        let mut session = Session { folder: None, observer: &mut (), stop: &stop };
        let dbn = pretrain_multimodal(&config, &greedy(), &inputs, &inputs, &mut session).unwrap();
        let mut trace = Trace::new();
        trace.tensor("features", dbn.transform(inputs.to_vec()).unwrap());
        let completion = Completion { burn_in: 2, samples: 3 };
        let filled = dbn.complete(vec![Some(known), None], &completion, &mut rng(2, &[])).unwrap();
        let [_, missing]: [Tensor<2>; 2] = filled.try_into().unwrap();
        trace.tensor("what was missing", missing);
        trace
    });
}
