//! Autoencoders of each kind with their objectives, and the adversarial pair.

use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::tensor::Tensor;
use nn_core::data::rng;
use nn_core::models::autoencoder::{
    AutoencoderConfig, Contraction, Corruption, ElboObjective, LayerTraining, Likelihood, Reconstruct,
    ReconstructConfig, ReconstructionLoss, Rows, Sparsity, StackedConfig, VariationalConfig,
};
use nn_core::models::gan::{GanConfig, GanLearner, GeneratorLoss, Latent};
use nn_core::models::mlp::Activation;
use nn_core::optim::OptimizerConfig;
use nn_core::parity::Trace;
use nn_core::train::{Learner, Objective};

use super::{agree, context, flat, input, numbers, predicted, random, traced, traced_loss};

/// Eight rows of `columns` numbers from 0 to 1.
fn rows(columns: usize) -> Rows {
    Rows::new(numbers(8 * columns, 3).into_iter().map(|x| 0.5 * (x + 1.0)).collect(), columns).unwrap()
}

const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn plain_and_tied_autoencoders() {
    // weight and bias of two encoding layers, biases of two decoding ones and, unless they are tied, their weights
    for (tied, parameters) in [(true, 4 + 2), (false, 4 + 4)] {
        let config = AutoencoderConfig { inputs: 6, hidden: vec![5, 3], tied, ..AutoencoderConfig::default() };
        agree(1.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([8, 6], 1, device));
            let target = rows(6).batch(&ALL, device).unwrap(); // [8, 6]
            let code = model.0.encode(model.1.val()); // [8, 3]
            let linear = model.0.decode_linear(code.clone()); // [8, 6]
            let error = |loss: ReconstructionLoss| loss.value(linear.clone(), Activation::Sigmoid, target.clone());
            let outputs = vec![
                ("code", flat(code.clone())),
                ("reconstruction", flat(model.0.decode(code.clone()))),
                ("squared error", error(ReconstructionLoss::Mse)),
                ("cross-entropy", error(ReconstructionLoss::BinaryCrossEntropy)),
                ("sparsity", Sparsity { target: 0.05, weight: 0.5 }.penalty(code)),
            ];
            let mut trace = traced(&model, outputs, parameters + 1);
            let reconstruction = model.0.valid().forward(model.1.val().inner());
            predicted(&mut trace, vec![("reconstruction", flat(reconstruction))]);
            trace
        });
    }
}

#[test]
fn contractive_autoencoders() {
    // exact for one layer of these units, along random directions for two layers
    for (activation, hidden) in [
        (Activation::Linear, vec![4]),
        (Activation::Sigmoid, vec![4]),
        (Activation::Tanh, vec![4]),
        (Activation::Relu, vec![4]),
        (Activation::Sigmoid, vec![5, 3]),
    ] {
        let parameters = 3 * hidden.len();
        let config = AutoencoderConfig { inputs: 6, hidden, activation, ..AutoencoderConfig::default() };
        // the difference of two codes has lost a digit
        agree(10.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([8, 6], 1, device));
            let (x, code) = (model.1.val(), model.0.encode(model.1.val()));
            let contraction = Contraction { weight: 0.3, directions: 2, step: 0.1 };
            let penalty = contraction.penalty(&model.0, &x, code.clone(), &mut rng(2, &[]));
            let outputs = vec![("reconstruction", flat(model.0.decode(code))), ("contraction", penalty)];
            traced(&model, outputs, parameters + 1)
        });
    }
}

#[test]
fn denoising_by_the_objective() {
    let model = AutoencoderConfig { inputs: 6, hidden: vec![4], ..AutoencoderConfig::default() };
    for corruption in [
        Corruption::Masking { fraction: 0.3 },
        Corruption::SaltAndPepper { fraction: 0.3, low: 0.0, high: 1.0 },
        Corruption::Gaussian { sd: 0.2 },
    ] {
        let config = ReconstructConfig {
            loss: ReconstructionLoss::BinaryCrossEntropy,
            corruption,
            sparsity: Some(Sparsity { target: 0.1, weight: 0.2 }),
            contraction: Some(Contraction::new(0.1)),
        };
        let objective = Reconstruct::new(config, &model, rows(6), Some(rows(6))).unwrap();
        agree(1.0, |device| {
            let model = model.init(device, &mut rng(1, &[])).unwrap();
            let loss = objective.loss(&model, &[0, 2, 3, 6], &context(0.1)).unwrap();
            let mut trace = traced_loss(&model, loss, 3);
            for (name, value) in objective.validate(&model.valid()).unwrap() {
                trace.number(name, value);
            }
            trace
        });
    }
}

#[test]
fn a_stack_layer_by_layer_and_as_a_classifier() {
    let config = StackedConfig {
        inputs: 6,
        hidden: vec![5, 4],
        reconstruct: ReconstructConfig { corruption: Corruption::Gaussian { sd: 0.1 }, ..ReconstructConfig::default() },
        // without a memory, in which a gradient of rounding would count as much as any other
        training: LayerTraining {
            epochs: 2,
            batch_size: 4,
            optimizer: OptimizerConfig::sgd(),
            learning_rate: 0.5,
            ..LayerTraining::default()
        },
        ..StackedConfig::default()
    };
    agree(1.0, |device| {
        let stop = AtomicBool::new(false);
        let (stack, reports) = config.pretrain(&rows(6), device, &mut rng(1, &[]), None, &mut (), &stop).unwrap();
        let x = rows(6).batch(&ALL, device).unwrap();
        let code = stack.encode(x.clone()); // [8, 4]
        let before = vec![("code", flat(code.clone())), ("reconstruction", flat(stack.decode(code)))];
        let classifier = stack.into_classifier(3, &mut rng(2, &[])).unwrap();
        // two layers and the head
        let mut trace = traced(&classifier, vec![("logits", flat(classifier.forward(x)))], 2 * 3);
        predicted(&mut trace, before);
        assert_eq!(reports.len(), 2);
        for report in reports {
            trace.number("loss before a layer has learnt", report.before);
            trace.number("loss after it has learnt", report.after);
        }
        trace
    });
}

#[test]
fn variational_autoencoders_of_each_likelihood() {
    let given = Likelihood::Gaussian { sd: Some(0.7) };
    let learnt = Likelihood::Gaussian { sd: None };
    // encoder, mean and variance of the code, decoder, output and, where it is learnt, its variance
    for (likelihood, parameters) in [(Likelihood::Bernoulli, 10), (given, 10), (learnt, 12)] {
        let config = VariationalConfig {
            inputs: 6,
            hidden: vec![5],
            latent: 2,
            likelihood,
            beta: 0.5,
            draws: 2,
            ..VariationalConfig::default()
        };
        let objective = ElboObjective::new(&config, rows(6), None).unwrap();
        agree(1.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([8, 6], 1, device));
            let (x, noise) = (model.1.val(), random([8, 2], 2, device));
            let posterior = model.0.posterior(x.clone());
            let z = posterior.sample(noise.clone()); // [8, 2]
            let outputs = vec![
                ("mean", flat(posterior.mean.clone())),
                ("logarithm of the variance", flat(posterior.log_variance.clone())),
                ("divergence", posterior.divergence()),
                ("decoded", flat(model.0.decode(z.clone()))),
                ("log-likelihood", model.0.log_likelihood(x.clone(), z)),
                ("bound", model.0.elbo(x, noise)),
            ];
            let mut trace = traced(&model, outputs, parameters + 1);
            let loss = objective.loss(&model.0, &[0, 2, 3, 6], &context(0.1)).unwrap();
            trace.extend("objective: ", traced_loss(&model.0, loss, parameters));
            let plain = model.0.valid();
            let found = plain.importance_log_likelihood(&rows(6), 3, &mut rng(3, &[])).unwrap();
            let found: Vec<f32> = found.into_iter().map(|value| value as f32).collect();
            let outputs = vec![
                ("importance-sampled likelihood", Tensor::from_data(found.as_slice(), device)),
                ("rows drawn", flat(plain.sample(4, &mut rng(4, &[])))),
            ];
            predicted(&mut trace, outputs);
            trace
        });
    }
}

fn pair(distribution: Latent, generator_loss: GeneratorLoss) -> GanConfig {
    GanConfig {
        columns: 3,
        latent: 4,
        distribution,
        generator: vec![7, 6],
        discriminator: vec![6, 5],
        generator_loss,
        ..GanConfig::default()
    }
}

const PAIRS: [(Latent, GeneratorLoss); 2] =
    [(Latent::Normal, GeneratorLoss::NonSaturating), (Latent::Uniform, GeneratorLoss::Minimax)];

#[test]
fn generator_and_discriminator() {
    for (distribution, generator_loss) in PAIRS {
        let config = pair(distribution, generator_loss);
        agree(1.0, |device| {
            let model = config.init(device, &mut rng(1, &[])).unwrap();
            let real = rows(3).batch(&ALL, device).unwrap(); // [8, 3]
            let made = model.sample(8, &mut rng(2, &[])); // [8, 3]
            let outputs = vec![
                ("rows made", flat(made.clone())),
                ("logits", flat(model.discriminate(made.clone()))),
                ("discriminator's loss", model.discriminator_loss(real, made.clone().detach())),
                ("generator's loss", model.generator_loss(made)),
            ];
            // three layers on each side
            traced(&model, outputs, 2 * (2 * 3))
        });
    }
}

#[test]
fn the_pair_learns_in_turns() {
    for (distribution, generator_loss) in PAIRS {
        let config = pair(distribution, generator_loss);
        agree(1.0, |device| {
            let model = config.init(device, &mut rng(1, &[])).unwrap();
            let rule = || OptimizerConfig::sgd().init();
            let mut learner = GanLearner::new(model, rows(3), rule(), rule(), "pair").unwrap();
            let mut trace = Trace::new();
            for _ in 0..2 {
                let report = learner.step(&ALL, &context(0.5)).unwrap();
                trace.number("discriminator's loss in its step", report.loss);
                trace.number("norm of both gradients", report.grad_norm.unwrap());
            }
            let made = learner.model().sample(8, &mut rng(2, &[]));
            let logits = learner.model().discriminate(made.clone());
            predicted(&mut trace, vec![("rows made", flat(made)), ("logits", flat(logits))]);
            trace
        });
    }
}
