//! The perceptron with its objective, the convolutional classifier and the capsule network.

use burn::module::Module;
use burn::tensor::Tensor;
use nn_core::data::rng;
use nn_core::layers::init::Init;
use nn_core::models::capsule::{CapsuleConfig, lengths};
use nn_core::models::cnn::CnnClassifierConfig;
use nn_core::models::mlp::{Activation, Mlp, MlpConfig, Norm, TableObjective, Targets, Task};
use nn_core::train::Objective;

use super::{agree, agree_on, context, flat, input, numbers, predicted, traced, traced_loss};

#[test]
fn every_nonlinearity() {
    for activation in [
        Activation::Linear,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::Leaky,
        Activation::Elu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Softplus,
    ] {
        // −4 to 4
        agree_on([5, 9], |x| activation.forward(x.mul_scalar(4.0)));
    }
}

#[test]
fn perceptrons_with_each_normalisation() {
    // two hidden layers and two heads with weight and bias; a normalisation has two more tensors in each hidden layer
    for (norm, parameters, slack) in [(Norm::None, 8, 1.0), (Norm::Batch, 12, 10.0), (Norm::Layer, 12, 10.0)] {
        let config = MlpConfig {
            heads: vec![3, 1],
            dropout: 0.3,
            input_dropout: 0.2,
            norm,
            init: Init::PyTorchDefault,
            l1: 0.01,
            l2: 0.02,
            ..MlpConfig::new(6, &[8, 7], 1)
        };
        agree(slack, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([9, 6], 1, device));
            let heads = Tensor::cat(model.0.forward(model.1.val(), Some(&mut rng(2, &[]))), 1); // [9, 4]
            let outputs = vec![("heads", flat(heads)), ("penalty", model.0.penalty().unwrap())];
            let mut trace = traced(&model, outputs, parameters + 1);
            let heads = Tensor::cat(model.0.valid().forward(model.1.val().inner(), None), 1);
            predicted(&mut trace, vec![("heads", flat(heads))]);
            trace
        });
    }
}

#[test]
fn classes_labels_and_values_of_a_table() {
    let tasks = vec![
        Task::new("class", Targets::Classes { count: 3, rows: vec![0, 2, 1, 1, 0, 2] })
            .with_mask(vec![1.0, 0.5, 0.0, 1.0, 1.0, 2.0]),
        Task::new("labels", Targets::Labels { width: 2, values: [0.0, 1.0, 1.0, 0.25].repeat(3) }).with_weight(0.5),
        Task::new("value", Targets::Values { width: 1, values: numbers(6, 2) }),
    ];
    let config = MlpConfig { heads: vec![3, 2, 1], dropout: 0.2, ..MlpConfig::new(4, &[6], 1) };
    agree(1.0, |device| {
        let objective = TableObjective::<Mlp>::new(numbers(24, 1), 4, tasks.clone(), vec![], device).unwrap();
        let model = config.init(device, &mut rng(1, &[])).unwrap();
        let loss = objective.loss(&model, &[0, 1, 3, 4, 5], &context(0.1)).unwrap();
        // a hidden layer and three heads
        let mut trace = traced_loss(&model, loss, 2 * 4);
        let logits = objective.logits(&model.valid(), &[5, 0, 2]).unwrap();
        predicted(&mut trace, vec![("logits", Tensor::from_data(logits.as_slice(), device))]);
        trace
    });
}

#[test]
fn a_convolutional_classifier() {
    let config = CnnClassifierConfig {
        input: [2, 9, 8],
        stages: vec![4, 6],
        convolutions: 2,
        kernel: 3,
        hidden: 8,
        classes: 3,
        dropout: 0.25,
    };
    let labels = [0, 2, 1, 2];
    agree(1.0, |device| {
        let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([4, 2, 9, 8], 1, device));
        let outputs = vec![
            ("logits", flat(model.0.forward(model.1.val(), Some(&mut rng(2, &[]))))),
            ("own loss", model.0.loss(model.1.val(), &labels, Some(&mut rng(3, &[])))),
        ];
        // four convolutions and two dense layers with biases
        let mut trace = traced(&model, outputs, 2 * (4 + 2) + 1);
        let logits = model.0.valid().forward(model.1.val().inner(), None);
        predicted(&mut trace, vec![("logits", flat(logits))]);
        trace
    });
}

#[test]
fn a_capsule_network_with_its_decoder() {
    let config = CapsuleConfig {
        input: [1, 8, 8],
        filters: 8,
        kernel: 3,
        primary_types: 2,
        primary_size: 4,
        primary_kernel: 3,
        classes: 3,
        class_size: 5,
        // so large that lengths lie between the margins of the loss, where both of its terms have a gradient
        votes_sd: 1.0,
        decoder: vec![12],
        reconstruction_weight: 0.1,
        ..CapsuleConfig::default()
    };
    let labels = [0, 2, 1];
    agree(1.0, |device| {
        let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([3, 1, 8, 8], 1, device));
        let routed = model.0.routed(model.1.val());
        let outputs = vec![
            ("primary capsules", flat(model.0.primary_capsules(model.1.val()))),
            ("capsules", flat(routed.capsules.clone())),
            ("couplings", flat(routed.couplings)),
            ("lengths", flat(lengths(routed.capsules.clone()))),
            ("reconstruction", flat(model.0.reconstruct(routed.capsules, &labels).unwrap())),
            ("own loss", model.0.loss(model.1.val(), &labels)),
        ];
        // two convolutions with biases, the votes, two dense layers with biases
        let mut trace = traced(&model, outputs, 2 * 2 + 1 + 2 * 2 + 1);
        let capsules = model.0.valid().forward(model.1.val().inner());
        predicted(&mut trace, vec![("capsules", flat(capsules))]);
        trace
    });
}
