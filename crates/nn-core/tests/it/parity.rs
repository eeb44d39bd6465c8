//! Layers, losses, models, initialisers, optimisers and stored weights: every device of this build and machine against
//! `cpu`, by `nn_core::parity`.
//!
//! | what | where | slack |
//! |---|---|---|
//! | dense, convolution, embedding and pooling as systems join them, dropout, initialisers, stored weights | here | 0 |
//! | every rule of `optim`, with and without clipping | here | 1 |
//! | all of `layers`, and the operations of `ops` that stand in none | `layers`, `recurrent` | 1, a U-Net 10 |
//! | all of `losses` | `losses` | 1 |
//! | `models::mlp`, `cnn`, `capsule` | `classifiers` | 1, normalised 10 |
//! | `models::recurrent` | `recurrent` | 1 |
//! | `models::attention` | `attention` | 1 |
//! | `models::autoencoder`, `gan` | `autoencoders` | 1, contractive 10 |
//! | `models::rbm`, `dbn` | `boltzmann` | 1 |
//! | `models::graph` | `graphs` | 1 |
//!
//! Slack multiplies the tolerances that `Tolerance::of` states and gives reasons for, device by device. It is 1 for a
//! few layers; 10 where several normalisations, or differences of neighbours, divide by little and so enlarge a
//! rounding; 0, which allows no difference, where the numbers are chosen so that no product and no sum is rounded.
//!
//! Not here: `models::embedding`, which learns on arrays of the host whatever the device, and the operations of `ops`
//! on rows of different lengths, which exist on `cpu` alone and are compared in the systems that use them.

mod attention;
mod autoencoders;
mod boltzmann;
mod classifiers;
mod graphs;
mod layers;
mod losses;
mod recurrent;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::compute;
use nn_core::data::rng;
use nn_core::layers::dropout;
use nn_core::layers::init::{Fan, Init};
use nn_core::optim::{Optimizer, OptimizerConfig, clip_global_norm};
use nn_core::parity::{self, Trace};
use nn_core::store::{self, Layout, Metadata};
use nn_core::train::StepContext;
use std::io::Write as _;

/// What a network gives, flattened, by name.
type Outputs = Vec<(&'static str, Tensor<1>)>;

/// Fails with the first difference between `cpu` and another device, or between two runs on `cpu`.
#[track_caller]
fn agree(slack: f64, run: impl FnMut(&Device) -> Trace) {
    match parity::check(slack, run) {
        Ok(devices) => assert_eq!(devices[0], "cpu"),
        Err(error) => panic!("{error}"),
    }
}

/// Outputs, a loss over all of them, and the gradients of the `parameters` tensors of `model`.
fn traced<M: Module>(model: &M, outputs: Outputs, parameters: usize) -> Trace {
    let mut trace = Trace::new();
    trace.forward_backward(model, outputs);
    assert_eq!(trace.gradient_count(), parameters, "tensors with a gradient");
    trace
}

/// A loss that the model has of its own, and the gradients of the `parameters` tensors of `model`.
fn traced_loss<M: Module>(model: &M, loss: Tensor<1>, parameters: usize) -> Trace {
    let mut trace = Trace::new();
    trace.backward(model, loss);
    assert_eq!(trace.gradient_count(), parameters, "tensors with a gradient");
    trace
}

/// Adds what the network gives in prediction.
fn predicted(trace: &mut Trace, outputs: Outputs) {
    for (name, x) in outputs {
        trace.tensor(format!("{name} in prediction"), x);
    }
}

/// Compares a function of one tensor, and the gradient with respect to that tensor.
#[track_caller]
fn agree_on<const D: usize, const E: usize>(shape: [usize; D], function: impl Fn(Tensor<D>) -> Tensor<E>) {
    agree(1.0, |device| {
        let x = input(shape, 1, device);
        let output = flat(function(x.val()));
        traced(&x, vec![("output", output)], 1)
    });
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let length = x.shape().num_elements();
    x.reshape([length])
}

/// Numbers from U(−1, 1), others for each `stream`; so many digits that no two are equal.
fn numbers(count: usize, stream: u64) -> Vec<f32> {
    Init::Uniform(1.0).values(&[count], Fan { inputs: 1, outputs: 1 }, &mut rng(21, &[stream]))
}

fn random<const D: usize>(shape: [usize; D], stream: u64, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers(shape.iter().product(), stream), shape), device)
}

/// The same as a parameter, so that it has a gradient.
fn input<const D: usize>(shape: [usize; D], stream: u64, device: &Device) -> Param<Tensor<D>> {
    Param::from_data(TensorData::new(numbers(shape.iter().product(), stream), shape), device)
}

/// The first step of a run.
fn context(learning_rate: f64) -> StepContext {
    StepContext { seed: 22, epoch: 0, step: 0, learning_rate }
}

fn on(name: &str) -> Device {
    compute::device(name).unwrap().autodiff()
}

/// Multiples of `scale / 16` from −`scale` to `scale`, no two of 33 neighbours equal.
fn data<const D: usize>(shape: [usize; D], step: usize, scale: f32) -> TensorData {
    let size = shape.iter().product();
    let values: Vec<f32> = (0..size).map(|i| scale * (((i * step + 3) % 33) as f32 / 16.0 - 1.0)).collect();
    TensorData::new(values, shape)
}

fn tensor<const D: usize>(shape: [usize; D], step: usize, device: &Device) -> Tensor<D> {
    Tensor::from_data(data(shape, step, 1.0), device)
}

fn param<const D: usize>(shape: [usize; D], step: usize, scale: f32, device: &Device) -> Param<Tensor<D>> {
    Param::from_data(data(shape, step, scale), device)
}

/// The layers that the systems are made of. Their inputs are parameters too, so that they have gradients.
#[derive(Module, Debug)]
struct Layers {
    dense_input: Param<Tensor<2>>,
    dense: Linear,
    conv_input: Param<Tensor<3>>,
    conv: Conv1d,
    embedding: Embedding,
    pooled_input: Param<Tensor<3>>,
    dropped_input: Param<Tensor<2>>,
}

impl Layers {
    fn new(device: &Device) -> Self {
        let mut dense = LinearConfig::new(12, 7).init(device);
        dense.weight = param([12, 7], 7, 1.0, device);
        dense.bias = Some(param([7], 5, 1.0, device));
        let mut conv = Conv1dConfig::new(4, 5, 3).init(device);
        conv.weight = param([5, 4, 3], 7, 1.0, device);
        conv.bias = Some(param([5], 5, 1.0, device));
        let mut embedding = EmbeddingConfig::new(7, 5).init(device);
        embedding.weight = param([7, 5], 13, 1.0, device);
        Self {
            dense_input: param([9, 12], 10, 1.0, device),
            dense,
            conv_input: param([2, 4, 12], 10, 1.0, device),
            conv,
            embedding,
            pooled_input: param([4, 6, 8], 10, 1.0, device),
            dropped_input: param([8, 10], 7, 1.0, device),
        }
    }

    fn outputs(&self, device: &Device) -> Outputs {
        // some rows twice, row 6 not at all
        let ids = TensorData::new(vec![0_i64, 1, 2, 2, 5, 0, 4, 3], [2, 4]);
        let embedded = self.embedding.forward(Tensor::<2, Int>::from_data(ids, device)); // [2, 4, 5]
        // a system's pooling: rectified, largest over positions, one string in several pairs
        let largest = relu(self.pooled_input.val()).max_dim(2).squeeze_dim::<2>(2); // [4, 6]
        let rows = |at: [i64; 5]| Tensor::<1, Int>::from_data(TensorData::new(at.to_vec(), [5]), device);
        let [left, right] = [[3, 0, 3, 1, 2], [1, 1, 0, 2, 2]].map(|at| largest.clone().select(0, rows(at))); // [5, 6]
        let joined = Tensor::cat(vec![left, right], 1); // [5, 12]
        // two masks, one generator
        let mut generator = rng(7, &[1]);
        let once = dropout(self.dropped_input.val(), 0.5, Some(&mut generator));
        let twice = dropout(once.clone(), 0.5, Some(&mut generator));
        vec![
            ("dense", flat(self.dense.forward(self.dense_input.val()))), // [9 * 7]
            ("convolution", flat(self.conv.forward(self.conv_input.val()))), // [2 * 5 * 10]
            ("embedding", flat(embedded)),
            ("pooling", flat(joined)),
            ("dropout", flat(once)),
            ("dropout behind dropout", flat(twice)),
        ]
    }
}

/// Factors are multiples of 1/16 up to 1, and each product sums at most 20 of theirs: outputs are multiples of 1/256
/// below 2⁵, the loss, whose constants are such factors too, one of 1/4096 below 2¹², so that 24 bits hold every sum in
/// every order.
#[test]
fn layers_and_dropout_agree_exactly() {
    agree(0.0, |device| {
        let model = Layers::new(device);
        // four inputs, weight and bias of the dense layer and of the convolution, the embedding
        let trace = traced(&model, model.outputs(device), 4 + 2 * 2 + 1);
        let zeros = trace.get("dropout").unwrap().iter().filter(|&&v| v == 0.0).count();
        assert!((21..60).contains(&zeros), "{zeros} of 80");
        trace
    });
}

/// One parameter from each initialiser, all from one generator on the host.
#[test]
fn initialisers_give_every_device_the_same_values() {
    agree(0.0, |device| {
        let (mut generator, mut trace) = (rng(5, &[]), Trace::new());
        let shape = [9, 4, 3];
        for init in [
            Init::Constant(0.3),
            Init::Uniform(0.2),
            Init::Normal(0.1),
            Init::GlorotUniform,
            Init::GlorotNormal,
            Init::HeUniform,
            Init::HeNormal,
            Init::LeCunUniform,
            Init::LeCunNormal,
            Init::Orthogonal { gain: 1.5 },
            Init::KerasEmbedding,
            Init::PyTorchDefault,
        ] {
            trace.tensor(format!("{init:?}"), init.param(shape, Fan::conv(shape), &mut generator, device).val());
        }
        trace
    });
}

/// Two layers with nothing between them: no kink and no curve, so that what is compared is the update.
///
/// With these numbers no gradient of Adam's first four steps is below a tenth of the largest one. The adaptive rules
/// divide by the gradient's size, so one that is rounding noise would become a step of full length.
#[derive(Module, Debug)]
struct Toy {
    first: Linear,
    second: Linear,
}

impl Toy {
    fn new(device: &Device) -> Self {
        let mut toy = Self::blank(device);
        toy.first.weight = param([3, 5], 10, 0.5, device);
        toy.first.bias = Some(param([5], 13, 0.25, device));
        toy.second.weight = param([5, 1], 17, 0.5, device);
        toy.second.bias = Some(Param::from_data(TensorData::new(vec![0.25_f32], [1]), device));
        toy
    }

    /// Of the same sizes, with weights that are to be replaced.
    fn blank(device: &Device) -> Self {
        Self { first: LinearConfig::new(3, 5).init(device), second: LinearConfig::new(5, 1).init(device) }
    }

    /// Mean squared error on eight rows.
    fn loss(&self, device: &Device) -> Tensor<1> {
        let found = self.second.forward(self.first.forward(tensor([8, 3], 13, device))); // [8, 1]
        (found - tensor([8, 1], 13, device)).powi_scalar(2).mean()
    }
}

fn rules() -> Vec<(OptimizerConfig, f64)> {
    use OptimizerConfig as C;
    let nesterov = C::Sgd { momentum: 0.9, dampening: 0.0, nesterov: true, weight_decay: 0.0 };
    let rmsprop = C::RmsProp { alpha: 0.99, epsilon: 1e-8, momentum: 0.9, weight_decay: 0.0 };
    vec![
        (C::sgd().with_weight_decay(0.01), 0.01),
        (C::sgd_momentum(0.9), 0.01),
        (nesterov, 0.01),
        (C::adam(), 0.01),
        (C::adam_keras(), 0.01),
        (C::adamw(), 0.01),
        (C::rmsprop(), 0.01),
        (rmsprop, 0.01),
        (C::adagrad(), 0.01),
        (C::adadelta(), 1.0),
    ]
}

/// Loss, gradients, norm before clipping and weights of one step.
///
/// The gradients go as values, which are compared more closely on `cuda`: without a kink none of them jumps.
fn step(trace: &mut Trace, at: usize, model: Toy, rule: &mut Optimizer, [rate, clip]: [f64; 2]) -> Toy {
    let loss = model.loss(&model.first.weight.device());
    trace.tensor(format!("loss {at}"), loss.clone());
    let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
    drop(loss);
    let norm = clip_global_norm(&mut gradients, &model, clip);
    // so that the clipping of this test is one
    assert!(clip.is_infinite() || norm > clip, "norm {norm}");
    trace.number(format!("norm {at}"), norm);
    for (name, layer) in [("first", &model.first), ("second", &model.second)] {
        let bias = layer.bias.as_ref().unwrap();
        trace.tensor(format!("gradient of {name}.weight {at}"), gradients.get::<2>(layer.weight.id).unwrap());
        trace.tensor(format!("gradient of {name}.bias {at}"), gradients.get::<1>(bias.id).unwrap());
    }
    let model = rule.step(rate, model, gradients);
    for (name, layer) in [("first", &model.first), ("second", &model.second)] {
        trace.tensor(format!("{name}.weight {at}"), layer.weight.val());
        trace.tensor(format!("{name}.bias {at}"), layer.bias.as_ref().unwrap().val());
    }
    model
}

/// Three steps on the device; then weights and optimiser go as bytes to `cpu` for a fourth one.
fn trained(device: &Device, config: &OptimizerConfig, rate: f64, clip: f64) -> Trace {
    let (mut trace, mut model, mut rule) = (Trace::new(), Toy::new(device), config.init());
    for at in 0..3 {
        model = step(&mut trace, at, model, &mut rule, [rate, clip]);
    }
    let weights = store::to_safetensors(&model, &Metadata::new()).unwrap();
    let (moved, _) = store::from_safetensors(Toy::blank(&on("cpu")), &weights).unwrap();
    let mut resumed = config.init();
    resumed.load_bytes(&rule.to_bytes().unwrap()).unwrap();
    resumed.check(&moved).unwrap();
    step(&mut trace, 3, moved, &mut resumed, [rate, clip]);
    trace
}

#[test]
fn optimisers_take_the_same_steps() {
    for (config, rate) in rules() {
        // unclipped, and so that every step is clipped
        for clip in [f64::INFINITY, 0.1] {
            eprintln!("{config:?}, clipped at {clip}");
            agree(1.0, |device| trained(device, &config, rate, clip));
        }
    }
}

/// `cpu`, then every other device that is present.
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

#[test]
fn weights_go_from_device_to_device_unchanged() {
    let metadata = Metadata::from([(store::ARCHITECTURE.to_owned(), "toy".to_owned())]);
    let cpu = Toy::new(&on("cpu"));
    for device in devices() {
        for layout in [Layout::Burn, Layout::PyTorch] {
            let bytes = store::to_safetensors_as(&cpu, &metadata, layout).unwrap();
            let (there, read) = store::from_safetensors(Toy::blank(&on(&device)), &bytes).unwrap();
            assert_eq!(read, metadata);
            assert!(there.first.weight.val().device() == compute::device(&device).unwrap(), "{device}");
            let bytes_there = store::to_safetensors_as(&there, &metadata, layout).unwrap();
            assert!(bytes_there == bytes, "{device}, {layout:?}: the file is another one");
            let (back, _) = store::from_safetensors(Toy::blank(&on("cpu")), &bytes_there).unwrap();
            assert!(store::to_safetensors_as(&back, &metadata, layout).unwrap() == bytes, "{device}, {layout:?}");
        }
    }
}
