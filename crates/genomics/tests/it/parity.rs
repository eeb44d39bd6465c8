//! The networks forwards and backwards on every device of this build and machine against `cpu`: in training, of a batch
//! and of one row, in validation state, and with the losses that they learn by.
//!
//! | networks | loss | where |
//! |---|---|---|
//! | `DeepBind` in three forms, Basset, `DeepMotif`'s three, `CNNProm`, Beluga | of a sequence set; of Beluga its own too | here |
//! | `DeepChrome`, `AttentiveChrome` with its weights, `DeepCpG`'s modules alone and together, SPEID, Xpresso, Gene2vec's four and their vote | of the task, with its penalty | `tasks` |
//! | `ExPecto`, whose linear step is solved | none | `tasks` |
//! | D-GEX, GEDFN, Mostavi's three | of the table | `expression` |
//! | ADAGE, LATE | their own | `expression` |
//!
//! None of `genomics::systems` is missing: `NetConfig` and `TaskNetConfig` name no others, and ADAGE and LATE, which have
//! no labels, are in neither.

mod expression;
mod tasks;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use genomics::dataset::{Labels, SequenceSet};
use genomics::model::{Preprocessing, StrandPolicy};
use genomics::sequence::Unknown;
use genomics::study::SequenceObjective;
use genomics::systems::basset::BassetConfig;
use genomics::systems::cnnprom::{CnnPromConfig, PromLayer};
use genomics::systems::deep_bind::DeepBindConfig;
use genomics::systems::deep_motif::{Architecture, DeepMotifConfig};
use genomics::systems::expecto::{BelugaConfig, BelugaObjective};
use genomics::systems::{NetConfig, SequenceNet};
use genomics::task::{Task, TaskObjective};
use nn_core::data::rng;
use nn_core::layers::init::{Fan, Init};
use nn_core::parity::{Trace, check};
use nn_core::train::{Objective, StepContext};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 21;
/// The rows of a batch.
const ALL: &[usize] = &[0, 1, 2, 3, 4, 5];
const ROWS: usize = ALL.len();
const CONTEXT: StepContext = StepContext { seed: SEED, epoch: 0, step: 0, learning_rate: 1e-3 };

/// Slack of networks without normalisation.
const PLAIN: f64 = 1.0;
/// Slack of networks with batch normalisation, which divides by the deviation of as few as six values: a rounding in
/// front of it grows as they do.
const NORMALISED: f64 = 10.0;

/// That the devices agree on what `compute` comes to, `gradients` among it.
fn agree(slack: f64, gradients: usize, compute: impl Fn(&Device) -> Trace) {
    let devices = check(slack, |device| {
        let found = compute(device);
        assert_eq!(found.gradient_count(), gradients, "tensors with a gradient");
        found
    });
    assert_eq!(devices.unwrap()[0], "cpu");
}

/// Independent draws from N(0, 1).
fn values(count: usize, stream: u64) -> Vec<f32> {
    Init::Normal(1.0).values(&[count], Fan { inputs: 1, outputs: 1 }, &mut rng(SEED, &[stream]))
}

/// The same as a tensor; one with fewer rows has the first of them.
fn normal<const D: usize>(shape: [usize; D], stream: u64, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values(shape.iter().product(), stream), shape), device)
}

fn bases(count: usize, stream: u64) -> Vec<u8> {
    let mut generator = rng(SEED, &[stream]);
    (0..count).map(|_| b"ACGT"[generator.random_range(0..4_usize)]).collect()
}

fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{what} {at}")).collect()
}

/// Sequences with labels, one of which is missing.
fn sequence_set(length: usize, tasks: usize) -> SequenceSet {
    let label = |at: usize| if at == 4 { f32::NAN } else { f32::from(u8::from(at % 3 != 1)) };
    SequenceSet {
        names: names("sequence", ROWS),
        sequences: (0..ROWS).map(|row| bases(length, 100 + row as u64)).collect(),
        loci: vec![None; ROWS],
        tasks: names("mark", tasks),
        labels: Labels::Binary,
        targets: (0..ROWS * tasks).map(label).collect(),
        groups: None,
    }
}

/// Adds numbers that a network gave back to the host.
fn record(trace: &mut Trace, name: &str, numbers: Vec<f64>, device: &Device) {
    let numbers: Vec<f32> = numbers.into_iter().map(|number| number as f32).collect();
    trace.tensor(name, Tensor::<1>::from_data(numbers.as_slice(), device));
}

/// A batch and one row in training, backwards from both, and the batch in validation state. `run` is given the network,
/// the device of its inputs, their number of rows, and the generator of the noise.
fn passes<N: Module>(
    net: &N,
    device: &Device,
    run: impl Fn(&N, &Device, usize, Option<&mut ChaCha8Rng>) -> Tensor<2>,
) -> Trace {
    let mut noise = rng(SEED, &[1]);
    let batch = run(net, device, ROWS, Some(&mut noise)).flatten::<1>(0, 1);
    let one = run(net, device, 1, Some(&mut noise)).flatten::<1>(0, 1);
    let mut trace = Trace::new();
    trace.forward_backward(net, vec![("batch", batch), ("one row", one)]);
    trace.tensor("prediction", run(&net.valid(), &device.clone().inner(), ROWS, None));
    trace
}

/// The sum of the losses of some batches, and its gradients.
fn of_objective<O: Objective>(objective: &O, net: &O::Model, batches: &[&[usize]]) -> Trace {
    let losses = batches.iter().map(|rows| objective.loss(net, rows, &CONTEXT).unwrap());
    let mut trace = Trace::new();
    trace.backward(net, losses.reduce(|sum, loss| sum + loss).unwrap());
    trace
}

/// The same of a task and its network, and what the network predicts.
fn of_task<T: Task>(task: &T, batches: &[&[usize]], device: &Device) -> Trace {
    let fitted = task.fit(ALL, SEED).unwrap();
    let net = task.init(&fitted, device, &mut rng(SEED, &[0])).unwrap();
    let objective = TaskObjective::new(task, fitted.clone(), Vec::new(), device);
    let mut trace = of_objective(&objective, &net, batches);
    let predicted = task.logits(&net.valid(), &fitted, ALL, &device.clone().inner(), None).unwrap();
    trace.tensor("prediction", predicted);
    trace
}

/// A network that reads sequences: of numbers of any kind, and of bases on either strand with the loss of their labels.
/// `parameters` is the number of its trained tensors.
fn of_net(slack: f64, parameters: usize, config: &NetConfig) {
    let (length, set) = (config.length(), sequence_set(config.length(), config.outputs()));
    let preprocessing = Preprocessing::new(length, StrandPolicy::Augment, Unknown::Zeros);
    agree(slack, 2 * parameters, |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let mut trace = passes(&net, device, |net, device, rows, noise| {
            net.logits(normal([rows, 4, length], 2, device), noise) // [rows, outputs]
        });
        let (preprocessing, device) = (&preprocessing, device.clone());
        let objective = SequenceObjective { set: &set, preprocessing, monitored: &[], device };
        trace.extend("objective: ", of_objective(&objective, &net, &[ALL]));
        trace
    });
}

#[test]
fn deep_bind() {
    let whole = DeepBindConfig {
        length: 40,
        outputs: 2,
        filters: 12,
        kernel: 7,
        padding: 2,
        second_filters: 12,
        second_kernel: 4,
        hidden: 16,
        map_dropout: 0.2,
        ..DeepBindConfig::default()
    };
    let published =
        DeepBindConfig { length: 40, outputs: 2, kernel: 7, padding: 6, hidden: 16, ..DeepBindConfig::published() };
    let smallest = DeepBindConfig { both_strands: false, hidden: 0, ..published.clone() };
    // weight and bias of each layer, scale and shift where there is a normalisation
    of_net(NORMALISED, 2 * 4 + 2 * 2, &NetConfig::DeepBind(whole));
    of_net(PLAIN, 2 + 2 * 2, &NetConfig::DeepBind(published));
    of_net(PLAIN, 2 + 2, &NetConfig::DeepBind(smallest));
}

#[test]
fn basset() {
    let config = BassetConfig {
        length: 60,
        outputs: 3,
        filters: vec![10, 10, 10],
        kernels: vec![7, 5, 3],
        pools: vec![2, 3, 2],
        hidden: vec![16, 12],
        dropout: 0.3,
    };
    // three convolutions and two dense layers with normalisation, and the output
    of_net(NORMALISED, (3 + 2) * 4 + 2, &NetConfig::Basset(config));
}

#[test]
fn deep_motif() {
    // a memory in both directions has 2 × 4
    for (architecture, parameters) in
        [(Architecture::Cnn, 3 * 2 + 2), (Architecture::Rnn, 8 + 2), (Architecture::CnnRnn, 2 + 8 + 2)]
    {
        let config = DeepMotifConfig {
            architecture,
            length: 40,
            outputs: 2,
            filters: 16,
            kernels: vec![5, 4, 3],
            pool: 2,
            hidden: 6,
            dropout: 0.5,
        };
        of_net(PLAIN, parameters, &NetConfig::DeepMotif(config));
    }
}

#[test]
fn cnnprom() {
    let layers = vec![PromLayer { filters: 12, kernel: 7, pool: 1 }, PromLayer { filters: 12, kernel: 4, pool: 3 }];
    let config = CnnPromConfig { length: 31, outputs: 2, layers, hidden: 16, dropout: 0.2 };
    of_net(PLAIN, 2 * 2 + 2 * 2, &NetConfig::CnnProm(config));
}

/// Six convolutions and two dense layers.
fn small_beluga() -> BelugaConfig {
    BelugaConfig { length: 71, filters: [16; 6], kernel: 4, pool: 2, hidden: 24, outputs: 3, dropout: [0.2, 0.2, 0.5] }
}

#[test]
fn beluga() {
    let config = small_beluga();
    of_net(PLAIN, 8 * 2, &NetConfig::Beluga(config.clone()));
    let set = sequence_set(config.length, config.outputs);
    let windows: Vec<&[u8]> = set.sequences.iter().map(Vec::as_slice).collect();
    agree(PLAIN, 8 * 2, |device| {
        let net = config.init(device, &mut rng(SEED, &[0])).unwrap();
        let objective = BelugaObjective::new(&set, &config, Vec::new(), device).unwrap();
        let mut trace = of_objective(&objective, &net, &[ALL]);
        record(&mut trace, "probabilities", net.valid().chromatin(&windows).unwrap(), device);
        trace
    });
}
