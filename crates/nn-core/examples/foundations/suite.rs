//! The networks of the `foundations` experiment with the settings they get here, each a function of the seed.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use nn_core::burn::module::Module as _;
use nn_core::burn::tensor::{Tensor, TensorData};
use nn_core::data::rng;
use nn_core::models::autoencoder::{
    AutoencoderConfig, Corruption, LayerTraining, Reconstruct, ReconstructConfig, ReconstructionLoss, Rows,
    StackedConfig,
};
use nn_core::models::capsule::{CapsuleConfig, CapsuleNetwork};
use nn_core::models::cnn::{CnnClassifier, CnnClassifierConfig};
use nn_core::models::dbn::{DbnConfig, GreedyConfig, Session, pretrain};
use nn_core::models::mlp::{Activation, MlpConfig};
use nn_core::models::rbm::{Negative, RbmConfig, RbmLearner, RbmLearning};
use nn_core::optim::OptimizerConfig;
use nn_core::train::Supervised;

use crate::data::{Parts, Table};
use crate::training::{Recipe, classify, device, run};

/// The capsule network's training, and that of the convolutional network where both are compared.
pub(crate) const CAPSULE: Recipe = Recipe::new(20, 32, 2e-3);
const CNN: Recipe = Recipe::new(25, 32, 2e-3);
const MLP: Recipe = Recipe::new(40, 32, 3e-3);
const LOGISTIC: Recipe = Recipe::new(200, 32, 2e-2);
/// scikit-learn's example of its machine: 100 units, 10 passes, 10 rows a step, rate 0.06.
const RBM: Recipe = Recipe::new(10, 10, 0.06).constant();
const LINEAR: Recipe = Recipe::new(300, 256, 1e-2);
const DBN_LAYERS: Recipe = Recipe::new(50, 20, 0.1);
const DBN: Recipe = Recipe::new(40, 32, 2e-3);
const STACK_LAYERS: Recipe = Recipe::new(60, 32, 5e-3).constant();
const STACK: Recipe = Recipe::new(60, 32, 5e-3);

/// Streams of the random numbers of a seed.
const WEIGHTS: u64 = 1;
const HEAD: u64 = 2;

/// Over what the experiment runs.
pub(crate) struct Plan {
    /// Each metric has one value for each of these.
    pub(crate) seeds: Vec<u64>,
    /// One pass of everything, to see that it runs.
    pub(crate) smoke: bool,
}

impl Plan {
    pub(crate) fn limited(&self, recipe: Recipe) -> Recipe {
        if self.smoke { recipe.at_most(1) } else { recipe }
    }
}

/// The capsule network for 8 × 8 digits: 128 primary capsules of 8 units, 10 class capsules of 16.
pub(crate) fn capsule(seed: u64) -> Result<CapsuleNetwork> {
    let config = CapsuleConfig {
        input: [1, 8, 8],
        filters: 32,
        kernel: 3,
        primary_types: 8,
        primary_kernel: 3,
        primary_stride: 1,
        votes_sd: 0.3,
        decoder: vec![64, 128],
        ..CapsuleConfig::default()
    };
    Ok(config.init(&device()?.autodiff(), &mut rng(seed, &[WEIGHTS]))?)
}

/// The convolutional network for 8 × 8 digits: two stages of two convolutions.
pub(crate) fn cnn(seed: u64) -> Result<CnnClassifier> {
    let config = CnnClassifierConfig {
        input: [1, 8, 8],
        stages: vec![16, 32],
        hidden: 64,
        dropout: 0.3,
        ..CnnClassifierConfig::default()
    };
    Ok(config.init(&device()?.autodiff(), &mut rng(seed, &[WEIGHTS]))?)
}

/// Test scores of the convolutional network.
pub(crate) fn cnn_scores(table: &Table, parts: &Parts, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    classify(table, parts, cnn(seed)?, plan.limited(CNN), seed)
}

/// Test scores of one hidden layer of 64 rectifiers.
pub(crate) fn mlp_scores(table: &Table, parts: &Parts, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    let config = MlpConfig::new(table.columns, &[64], table.classes);
    let model = config.init(&device()?.autodiff(), &mut rng(seed, &[WEIGHTS]))?;
    classify(table, parts, model, plan.limited(MLP), seed)
}

/// Test scores of logistic regression on the training and validation rows together: it is convex, so no epoch has to be
/// picked. `c` is scikit-learn's inverse strength of the L2 penalty. Two classes have two vectors here where scikit-learn
/// has one, the difference of both; so that the same minimum is found, the penalty counts twice.
pub(crate) fn logistic_scores(table: &Table, parts: &Parts, c: f64, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    let all = Parts { train: parts.learnt(), validation: Vec::new(), test: parts.test.clone() };
    let vectors = if table.classes == 2 { 2.0 } else { 1.0 };
    let l2 = vectors / (2.0 * c * all.train.len() as f64);
    let config = MlpConfig { l2, ..MlpConfig::logistic_regression(table.columns, table.classes) };
    let model = config.init(&device()?.autodiff(), &mut rng(seed, &[WEIGHTS]))?;
    classify(table, &all, model, plan.limited(LOGISTIC), seed)
}

/// Rows as a matrix on the device.
///
/// # Shapes
/// - output `[rows, columns]`
fn matrix(table: &Table, rows: &[usize]) -> Result<Tensor<2>> {
    Ok(Tensor::from_data(TensorData::new(table.pick(rows), [rows.len(), table.columns]), &device()?))
}

/// Test scores of logistic regression (C = 100) on the hidden units of a Boltzmann machine, which was learnt without the
/// labels as scikit-learn's `BernoulliRBM` learns: one step of persistent chains, no momentum, no decay.
pub(crate) fn rbm_scores(table: &Table, parts: &Parts, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    let recipe = plan.limited(RBM);
    let learnt = parts.learnt();
    let config = RbmConfig { visible: table.columns, hidden: 100, ..RbmConfig::default() };
    let machine = config.init(&device()?, &mut rng(seed, &[WEIGHTS]))?;
    let learning = RbmLearning {
        negative: Negative::Persistent { steps: 1, chains: recipe.batch },
        initial_momentum: 0.0,
        final_momentum: 0.0,
        weight_decay: 0.0,
        ..RbmLearning::default()
    };
    let mut learner = RbmLearner::new(machine, matrix(table, &learnt)?, matrix(table, &[])?, learning)?;
    // the learner's rows are those of the matrix it was given
    let rows: Vec<usize> = (0..learnt.len()).collect();
    run(&mut learner, &rows, recipe, None, seed)?;
    let everything: Vec<usize> = (0..table.rows()).collect();
    let features = learner.into_rbm().transform(matrix(table, &everything)?).try_into_vec_as::<f32>()?;
    // on columns of equal spread gradient descent needs few steps
    let features = table.with_features(features).standardised(&learnt, true);
    logistic_scores(&features, parts, 100.0, plan, seed)
}

/// Test scores of a deep belief network with two layers of 200: learnt layer by layer by contrastive divergence without
/// the labels, then fine-tuned as a classifier.
pub(crate) fn dbn_scores(table: &Table, parts: &Parts, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    let config = DbnConfig { visible: table.columns, layers: vec![200, 200], ..DbnConfig::default() };
    let recipe = plan.limited(DBN_LAYERS);
    let greedy = GreedyConfig {
        epochs: recipe.epochs,
        batch_size: recipe.batch,
        learning_rate: recipe.rate,
        seed,
        ..GreedyConfig::default()
    };
    let stop = AtomicBool::new(false);
    let mut session = Session { folder: None, observer: &mut (), stop: &stop };
    let (train, validation) = (matrix(table, &parts.train)?, matrix(table, &parts.validation)?);
    let network = pretrain(&config, &greedy, &train, &validation, &mut session)?;
    let model = network.into_classifier(table.classes, &device()?.autodiff(), &mut rng(seed, &[HEAD]))?;
    classify(table, parts, model, plan.limited(DBN), seed)
}

/// Test scores of a stacked denoising autoencoder with two layers of 200: each learns without the labels to undo the
/// masking of a quarter of its inputs, then both are fine-tuned as a classifier.
pub(crate) fn stack_scores(table: &Table, parts: &Parts, plan: &Plan, seed: u64) -> Result<Vec<f32>> {
    let recipe = plan.limited(STACK_LAYERS);
    let config = StackedConfig {
        inputs: table.columns,
        hidden: vec![200, 200],
        reconstruct: ReconstructConfig {
            loss: ReconstructionLoss::BinaryCrossEntropy,
            corruption: Corruption::Masking { fraction: 0.25 },
            ..ReconstructConfig::default()
        },
        training: LayerTraining {
            epochs: recipe.epochs,
            batch_size: recipe.batch,
            learning_rate: recipe.rate,
            schedule: recipe.schedule(),
            seed,
            ..LayerTraining::default()
        },
        ..StackedConfig::default()
    };
    let rows = Rows::new(table.pick(&parts.train), table.columns)?;
    let stop = AtomicBool::new(false);
    let (stack, _) = config.pretrain(&rows, &device()?, &mut rng(seed, &[WEIGHTS]), None, &mut (), &stop)?;
    let model = stack.into_classifier(table.classes, &mut rng(seed, &[HEAD]))?;
    classify(table, parts, model, plan.limited(STACK), seed)
}

/// Mean squared error with which a linear autoencoder of `code` units reconstructs the rows it has learnt, each column
/// centred: what is to be compared with the principal components of the same rows.
pub(crate) fn linear_error(table: &Table, rows: &[usize], code: usize, plan: &Plan, seed: u64) -> Result<f64> {
    let centred = Rows::new(table.standardised(rows, false).pick(rows), table.columns)?;
    let config = AutoencoderConfig {
        inputs: table.columns,
        hidden: vec![code],
        activation: Activation::Linear,
        output: Activation::Linear,
        tied: false,
    };
    let model = config.init(&device()?.autodiff(), &mut rng(seed, &[WEIGHTS]))?;
    let objective = Reconstruct::new(ReconstructConfig::default(), &config, centred.clone(), None)?;
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "autoencoder");
    let places: Vec<usize> = (0..centred.len()).collect();
    run(&mut learner, &places, plan.limited(LINEAR), None, seed)?;
    let (_, error) = learner.objective().evaluate(&learner.model()?.valid(), &centred)?;
    Ok(error)
}
