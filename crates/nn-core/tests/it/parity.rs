//! Layers, initialisers, optimisers and stored weights: every device of this build and machine against `cpu`.
//!
//! | device | tolerance | reason |
//! |---|---|---|
//! | `cpu` itself, built a second time | the same bits | the same sums in the same order |
//! | `ndarray`, `gpu:N` | 1e-4 | f32 sums in another order: 2⁻²⁴ = 6e-8 for each of some hundred roundings, with room |
//! | `cuda:N` | 1e-2 | burn may multiply f32 matrices on tensor cores: 11 bits of a factor, 5e-4 for each of two |
//!
//! A tolerance is on ‖found − expected‖ / ‖expected‖ of each tensor. Layers, dropout, initialisers and stored weights
//! have none on any device: their numbers are chosen so that no product and no sum has to be rounded.

use burn::module::{Module, ModuleVisitor, Param};
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
use nn_core::store::{self, Layout, Metadata};
use std::io::Write as _;

/// What a computation came to: values by name.
type Trace = Vec<(String, Vec<f32>)>;

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

/// The tolerance of the table above.
fn tolerance(device: &str) -> f64 {
    if device.starts_with("cuda") { 1e-2 } else { 1e-4 }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// On `cpu` bit by bit, elsewhere within `tolerance` of the tensor's Euclidean norm.
fn compare(device: &str, found: &[(String, Vec<f32>)], expected: &[(String, Vec<f32>)], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!((name, found.len()), (expected_name, expected.len()), "{device}");
        let size = norm(expected.iter().map(|&v| f64::from(v)));
        let error = norm(found.iter().zip(expected).map(|(&f, &e)| f64::from(f) - f64::from(e)));
        // a tensor of zeros would agree with anything that was left out
        assert!(size > 0.0 && size.is_finite(), "{name} on cpu has norm {size}");
        assert!(error <= tolerance * size, "{name} on {device}: {error:.3e} from cpu, of {size:.3e}");
        if device == "cpu" {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(found) == bits(expected), "{name} on cpu differs between two runs");
        }
    }
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().unwrap()
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

fn gradients_by_path<M: Module>(model: &M, gradients: &GradientsParams) -> Trace {
    let mut visitor = Collected { gradients, path: Vec::new(), found: Trace::new() };
    model.visit(&mut visitor);
    visitor.found
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

    fn outputs(&self, device: &Device) -> Vec<(&'static str, Tensor<1>)> {
        let flat = |x: Tensor<2>| x.flatten::<1>(0, 1);
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
            ("convolution", self.conv.forward(self.conv_input.val()).flatten::<1>(0, 2)), // [2 * 5 * 10]
            ("embedding", embedded.flatten::<1>(0, 2)),
            ("pooling", flat(joined)),
            ("dropout", flat(once)),
            ("dropout behind dropout", flat(twice)),
        ]
    }
}

/// Outputs, the loss Σ cᵢ·outputᵢ with constants c, and all gradients.
///
/// Factors are multiples of 1/16 up to 1, and each product sums at most 20 of theirs: outputs are multiples of 1/256
/// below 2⁵, the loss one of 1/4096 below 2¹², so that 24 bits hold every sum in every order.
fn layers(name: &str) -> Trace {
    let device = on(name);
    let model = Layers::new(&device);
    let mut found = Trace::new();
    let mut losses = Vec::new();
    for (output, x) in model.outputs(&device) {
        let constants = tensor(x.dims(), 17, &device);
        losses.push((x.clone() * constants).sum());
        found.push((output.to_owned(), values(x)));
    }
    let loss = Tensor::cat(losses, 0).sum();
    found.push(("loss".to_owned(), values(loss.clone())));
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    found.extend(gradients_by_path(&model, &gradients));
    found
}

#[test]
fn layers_and_dropout_agree_exactly() {
    let expected = layers("cpu");
    let dropped = &expected.iter().find(|(name, _)| name == "dropout").unwrap().1;
    let zeros = dropped.iter().filter(|&&v| v == 0.0).count();
    assert!((21..60).contains(&zeros), "{zeros} of 80");
    for device in devices() {
        compare(&device, &layers(&device), &expected, 0.0);
    }
}

/// One parameter from each initialiser, all from one generator.
fn initialised(name: &str) -> Trace {
    let (device, mut generator) = (on(name), rng(5, &[]));
    let shape = [9, 4, 3];
    let mut draw = |init: Init| {
        let drawn: Param<Tensor<3>> = init.param(shape, Fan::conv(shape), &mut generator, &device);
        (format!("{init:?}"), values(drawn.val()))
    };
    vec![
        draw(Init::Constant(0.3)),
        draw(Init::Uniform(0.2)),
        draw(Init::Normal(0.1)),
        draw(Init::GlorotUniform),
        draw(Init::GlorotNormal),
        draw(Init::HeUniform),
        draw(Init::HeNormal),
        draw(Init::LeCunUniform),
        draw(Init::LeCunNormal),
        draw(Init::Orthogonal { gain: 1.5 }),
        draw(Init::KerasEmbedding),
        draw(Init::PyTorchDefault),
    ]
}

#[test]
fn initialisers_give_every_device_the_same_values() {
    let expected = initialised("cpu");
    for device in devices() {
        compare(&device, &initialised(&device), &expected, 0.0);
    }
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
fn step(found: &mut Trace, at: usize, model: Toy, rule: &mut Optimizer, [rate, clip]: [f64; 2]) -> Toy {
    let loss = model.loss(&model.first.weight.device());
    found.push((format!("loss {at}"), values(loss.clone())));
    let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
    drop(loss);
    let norm = clip_global_norm(&mut gradients, &model, clip);
    // so that the clipping of this test is one
    assert!(clip.is_infinite() || norm > clip, "norm {norm}");
    found.push((format!("norm {at}"), vec![norm as f32]));
    found.extend(gradients_by_path(&model, &gradients).into_iter().map(|(name, v)| (format!("{name} {at}"), v)));
    let model = rule.step(rate, model, gradients);
    for (name, weight) in [("first", &model.first.weight), ("second", &model.second.weight)] {
        found.push((format!("{name}.weight {at}"), values(weight.val())));
    }
    for (name, bias) in [("first", &model.first.bias), ("second", &model.second.bias)] {
        found.push((format!("{name}.bias {at}"), values(bias.as_ref().unwrap().val())));
    }
    model
}

/// Three steps on the device; then weights and optimiser go as bytes to `cpu` for a fourth one.
fn trained(name: &str, config: &OptimizerConfig, rate: f64, clip: f64) -> Trace {
    let (mut found, mut model, mut rule) = (Trace::new(), Toy::new(&on(name)), config.init());
    for at in 0..3 {
        model = step(&mut found, at, model, &mut rule, [rate, clip]);
    }
    let weights = store::to_safetensors(&model, &Metadata::new()).unwrap();
    let (moved, _) = store::from_safetensors(Toy::blank(&on("cpu")), &weights).unwrap();
    let mut resumed = config.init();
    resumed.load_bytes(&rule.to_bytes().unwrap()).unwrap();
    resumed.check(&moved).unwrap();
    step(&mut found, 3, moved, &mut resumed, [rate, clip]);
    found
}

#[test]
fn optimisers_take_the_same_steps() {
    for (config, rate) in rules() {
        // unclipped, and so that every step is clipped
        for clip in [f64::INFINITY, 0.1] {
            let expected = trained("cpu", &config, rate, clip);
            for device in devices() {
                eprintln!("{device}: {config:?}, clipped at {clip}");
                compare(&device, &trained(&device, &config, rate, clip), &expected, tolerance(&device));
            }
        }
    }
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
