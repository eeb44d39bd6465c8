//! Graph layers against hand-made values and a PyTorch twin.

use std::sync::atomic::AtomicBool;

use super::vgae::link_loss;
use super::*;
use crate::data::{InOrder, rng};
use crate::metrics::auroc;
use crate::optim::OptimizerConfig;
use crate::train::{FitConfig, Monitor, Objective, StepContext, StepError, Supervised, TRAIN_LOSS, fit};
use burn::optim::GradientsParams;
use burn::tensor::TensorData;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::Value;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn normal<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let drawn = Init::Normal(1.0).values(&shape, Fan { inputs: 1, outputs: 1 }, &mut rng(seed, &[]));
    tensor(&drawn, shape, device)
}

/// The tolerance is relative above 1 and absolute below.
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}[{place}]: {f}, expected {e}");
    }
}

/// Links of an undirected graph as an adjacency matrix, row by row.
fn adjacency(nodes: usize, links: &[(usize, usize)]) -> Vec<f32> {
    let mut matrix = vec![0.0; nodes * nodes];
    for &(a, b) in links {
        matrix[a * nodes + b] = 1.0;
        matrix[b * nodes + a] = 1.0;
    }
    matrix
}

#[test]
fn normalised_adjacency_by_hand() {
    let device = Device::flex();
    // node 0 is linked with 1 and 2, node 2 with 0 and 3: degrees with loops are 3, 2, 3, 2
    let path = adjacency(4, &[(0, 1), (0, 2), (2, 3)]);
    let (third, half, mixed) = (1.0 / 3.0, 0.5, 1.0 / 6.0_f32.sqrt());
    let expected =
        [[third, mixed, third, 0.0], [mixed, half, 0.0, 0.0], [third, 0.0, third, mixed], [0.0, 0.0, mixed, half]]
            .concat();
    let found = values(normalised_adjacency(tensor(&path, [4, 4], &device)));
    // f32: three roundings
    assert_close(&found, &expected, 1e-6, "one graph");
    // a node without links keeps its own features
    let alone = vec![0.0; 16];
    let both = values(normalised_adjacency(tensor(&[path, alone].concat(), [2, 4, 4], &device)));
    assert_close(&both[..16], &expected, 1e-6, "first of two");
    let identity =
        [[1.0_f32, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]].concat();
    assert_close(&both[16..], &identity, 1e-6, "second of two");
}

#[test]
fn a_permuted_graph_gives_the_permuted_output() {
    let device = Device::flex();
    let nodes = 9;
    let mut generator = rng(3, &[]);
    let mut links = Vec::new();
    for a in 0..nodes {
        links.extend((a + 1..nodes).filter(|_| generator.random::<f64>() < 0.3).map(|b| (a, b)));
    }
    let mut order: Vec<usize> = (0..nodes).collect();
    order.shuffle(&mut generator);
    assert_ne!(order, (0..nodes).collect::<Vec<_>>());
    let features = values(normal([nodes, 4], 4, &device));
    // node `order[n]` of the first graph is node n of the second
    let place = |node: usize| order.iter().position(|&o| o == node).unwrap();
    let moved: Vec<(usize, usize)> = links.iter().map(|&(a, b)| (place(a), place(b))).collect();
    let moved_features: Vec<f32> = order.iter().flat_map(|&o| features[o * 4..o * 4 + 4].to_vec()).collect();

    let config = VgaeConfig { inputs: 4, hidden: 6, latent: 3, dropout: 0.0 };
    let model = config.init(&device, &mut rng(5, &[])).unwrap();
    let encode = |features: &[f32], links: &[(usize, usize)]| {
        let graph = normalised_adjacency(tensor(&adjacency(nodes, links), [nodes, nodes], &device));
        values(model.encode(tensor(features, [nodes, 4], &device), graph, None).mean)
    };
    let (plain, permuted) = (encode(&features, &links), encode(&moved_features, &moved));
    let expected: Vec<f32> = order.iter().flat_map(|&o| plain[o * 3..o * 3 + 3].to_vec()).collect();
    // f32: the sums over neighbours run in another order
    assert_close(&permuted, &expected, 1e-5, "mean");
}

#[test]
fn a_batch_is_its_graphs_one_by_one() {
    let device = Device::flex();
    let config = GraphConvolutionConfig { inputs: 3, outputs: 2, bias: true };
    let mut layer = config.init(&device, &mut rng(1, &[])).unwrap();
    layer.bias = Some(Param::from_data(TensorData::new(vec![0.5_f32, -1.0], [2]), &device));
    assert_eq!(layer.num_params(), 3 * 2 + 2);
    let graphs = [adjacency(4, &[(0, 1), (1, 2)]), adjacency(4, &[(0, 3), (1, 3), (2, 3)])];
    let features = normal([2, 4, 3], 2, &device);
    let all = normalised_adjacency(tensor(&graphs.concat(), [2, 4, 4], &device));
    let batch = values(layer.forward(features.clone(), all));
    let of = |index: usize| features.clone().narrow(0, index, 1).reshape([4, 3]);
    let graph = |index: usize| normalised_adjacency(tensor(&graphs[index], [4, 4], &device));
    for index in 0..2 {
        let single = values(layer.forward(of(index), graph(index)));
        assert_close(&batch[index * 8..index * 8 + 8], &single, 1e-6, "graph of the batch");
    }
    // one graph for all rows
    let shared = values(layer.forward(features.clone(), graph(0).unsqueeze::<3>()));
    assert_close(&shared[8..], &values(layer.forward(of(1), graph(0))), 1e-6, "shared graph");
}

#[test]
fn convolution_autoencoder_and_gradients_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/graph.json")).unwrap();
    let floats =
        |value: &Value| -> Vec<f32> { value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect() };
    let device = Device::flex().autodiff();
    let config = VgaeConfig { inputs: 4, hidden: 5, latent: 3, dropout: 0.0 };
    let mut model = config.init(&device, &mut rng(1, &[])).unwrap();
    for (name, layer) in [("hidden", &mut model.hidden), ("mean", &mut model.mean), ("log_sd", &mut model.log_sd)] {
        let shape = layer.weight.dims();
        layer.weight = Param::from_data(TensorData::new(floats(&golden["weights"][name]), shape), &device);
    }
    let graph = tensor(&floats(&golden["adjacency"]), [7, 7], &device);
    let features = tensor(&floats(&golden["features"]), [7, 4], &device);
    // f32 against float64: sums of up to 49 products of size 1
    let tolerance = 1e-5;
    let normalised = normalised_adjacency(graph.clone());
    assert_close(&values(normalised.clone()), &floats(&golden["normalised"]), tolerance, "normalised");
    let convolved = model.hidden.forward(features.clone(), normalised.clone());
    assert_close(&values(convolved), &floats(&golden["convolved"]), tolerance, "convolved");
    let latent = model.encode(features, normalised, None);
    assert_close(&values(latent.mean.clone()), &floats(&golden["mean"]), tolerance, "mean");
    assert_close(&values(latent.log_sd.clone()), &floats(&golden["log_sd"]), tolerance, "log_sd");
    let drawn = latent.at(tensor(&floats(&golden["noise"]), [7, 3], &device));
    let loss = link_loss(&latent, drawn, graph);
    for (name, part) in [("reconstruction", &loss.reconstruction), ("kl", &loss.kl)] {
        let (found, expected) = (part.clone().into_scalar::<f64>(), golden[name].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}: {found}, expected {expected}");
    }
    let gradients = loss.total().backward();
    for (name, layer) in [("hidden", &model.hidden), ("mean", &model.mean), ("log_sd", &model.log_sd)] {
        let found = values(layer.weight.val().grad(&gradients).unwrap());
        assert_close(&found, &floats(&golden["gradients"][name]), tolerance, name);
    }
}

#[test]
fn divergence_by_hand() {
    let device = Device::flex();
    let latent = |mean: f32, log_sd: f32| Latent {
        mean: Tensor::<2>::full([5, 3], mean, &device),
        log_sd: Tensor::<2>::full([5, 3], log_sd, &device),
    };
    let kl = |mean, log_sd| latent(mean, log_sd).kl().into_scalar::<f64>();
    assert!(kl(0.0, 0.0).abs() < 1e-7);
    // three dimensions of (mean² + sd² − 1) / 2 − ln sd
    let ln2 = 2.0_f64.ln();
    assert!((kl(1.0, ln2 as f32) - 3.0 * ((1.0 + 4.0 - 1.0) / 2.0 - ln2)).abs() < 1e-5);
    let draws = values(latent(1.0, ln2 as f32).sample(&mut rng(1, &[])));
    assert_eq!(draws, values(latent(1.0, ln2 as f32).sample(&mut rng(1, &[]))));
    assert_ne!(draws, values(latent(1.0, ln2 as f32).sample(&mut rng(2, &[]))));
}

/// A graph of blocks of 15 nodes, linked with probability 0.5 inside a block and 0.01 outside; a seventh of the links and
/// as many pairs without one are held out.
struct Blocks {
    training: Vec<f32>,
    held_out: Vec<(usize, usize)>,
    linked: Vec<bool>,
}

const NODES: usize = 90;

impl Blocks {
    fn new(seed: u64) -> Self {
        let mut generator = rng(seed, &[]);
        let (mut links, mut others) = (Vec::new(), Vec::new());
        for a in 0..NODES {
            for b in a + 1..NODES {
                let probability = if a / 15 == b / 15 { 0.5 } else { 0.01 };
                if generator.random::<f64>() < probability { links.push((a, b)) } else { others.push((a, b)) }
            }
        }
        links.shuffle(&mut generator);
        others.shuffle(&mut generator);
        let training = links.split_off(links.len() / 7);
        others.truncate(links.len());
        let linked = (0..2 * links.len()).map(|pair| pair < links.len()).collect();
        Self { training: adjacency(NODES, &training), held_out: [links, others].concat(), linked }
    }

    fn auroc(&self, score: &[f32]) -> f64 {
        let scores: Vec<f64> = self.held_out.iter().map(|&(a, b)| f64::from(score[a * NODES + b])).collect();
        auroc(&self.linked, &scores).unwrap()
    }
}

struct Links {
    adjacency: Vec<f32>,
}

impl Objective for Links {
    type Model = Vgae;

    fn loss(&self, model: &Vgae, _: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = model.hidden.weight.device();
        let graph = tensor(&self.adjacency, [NODES, NODES], &device);
        Ok(model.loss(Tensor::<2>::eye(NODES, &device), graph, Some(&mut context.rng(0))).total())
    }

    fn validate(&self, _: &Vgae) -> Result<Vec<(String, f64)>, StepError> {
        Ok(Vec::new())
    }
}

#[test]
fn held_out_links_are_found() {
    let device = Device::flex().autodiff();
    let blocks = Blocks::new(1);
    let model = VgaeConfig { inputs: NODES, ..VgaeConfig::default() }.init(&device, &mut rng(2, &[])).unwrap();
    let objective = Links { adjacency: blocks.training.clone() };
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "vgae");
    // 200 steps of 0.01: section 3 of the paper
    let settings = FitConfig { restore_best: false, ..FitConfig::new(200, 0.01, Monitor::lower(TRAIN_LOSS)) };
    let everything = InOrder::new(vec![0], 1);
    fit(&mut learner, &everything, &settings, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let model = learner.into_model().unwrap();

    let plain = Device::flex();
    let graph = tensor(&blocks.training, [NODES, NODES], &plain);
    let latent = model.encode(Tensor::<2>::eye(NODES, &plain), normalised_adjacency(graph.clone()), None);
    let found = blocks.auroc(&values(Vgae::decode(latent.mean)));
    let common_neighbours = blocks.auroc(&values(graph.clone().matmul(graph)));
    // Knowing the blocks gives 0.9, from the probabilities alone.
    assert!(found > 0.8, "area {found}; common neighbours {common_neighbours}");
    assert!(common_neighbours > 0.7, "the baseline has {common_neighbours}: the test is broken");
}

/// Input 3 is linked with nothing, output 2 with inputs 0 and 2.
const MASK: [bool; 12] = [true, false, true, false, true, false, true, true, true, false, false, false];

#[test]
fn a_masked_layer_sums_over_its_links() {
    let device = Device::flex();
    let layer = MaskedLinear::new(&MASK, [4, 3], Init::GlorotUniform, true, &device, &mut rng(1, &[])).unwrap();
    let (weight, input) = (values(layer.weight()), values(normal([5, 4], 2, &device)));
    assert!(weight.iter().zip(MASK).all(|(&w, connected)| (w != 0.0) == connected), "{weight:?}");
    let mut expected: Vec<f32> = Vec::new();
    for row in input.chunks(4) {
        for output in 0..3 {
            expected.push((0..4).filter(|i| MASK[i * 3 + output]).map(|i| row[i] * weight[i * 3 + output]).sum());
        }
    }
    assert_close(&values(layer.forward(tensor(&input, [5, 4], &device))), &expected, 1e-6, "output");
    assert!(MaskedLinear::new(&MASK[1..], [4, 3], Init::GlorotUniform, true, &device, &mut rng(1, &[])).is_err());
    assert!(MaskedLinear::new(&[], [0, 3], Init::GlorotUniform, true, &device, &mut rng(1, &[])).is_err());
}

#[test]
fn what_is_outside_the_mask_gets_no_gradient_and_never_moves() {
    let device = Device::flex().autodiff();
    let (input, target) = (normal([6, 4], 3, &device), normal([6, 3], 4, &device));
    let kinds = [
        OptimizerConfig::sgd_momentum(0.9),
        OptimizerConfig::adam(),
        OptimizerConfig::adamw(),
        OptimizerConfig::rmsprop(),
    ];
    for kind in kinds {
        let mut layer = MaskedLinear::new(&MASK, [4, 3], Init::HeNormal, true, &device, &mut rng(1, &[])).unwrap();
        let start = values(layer.weight());
        let mut optimizer = kind.init();
        for _ in 0..5 {
            let loss = (layer.forward(input.clone()) - target.clone()).square().mean();
            let gradients = loss.backward();
            let of_weight = values(layer.weight().grad(&gradients).unwrap());
            assert!(of_weight.iter().zip(MASK).all(|(&g, connected)| connected == (g != 0.0)), "{of_weight:?}");
            let gradients = GradientsParams::from_grads(gradients, &layer);
            drop(loss);
            layer = optimizer.step(0.05, layer, gradients);
        }
        let end = values(layer.weight());
        for ((start, end), connected) in start.iter().zip(&end).zip(MASK) {
            assert_eq!(start != end, connected, "{}: {start} became {end}", kind.name());
        }
    }
}

#[test]
fn the_mask_follows_the_layer_into_validation_and_is_not_counted() {
    let device = Device::flex().autodiff();
    let layer = MaskedLinear::new(&MASK, [4, 3], Init::HeNormal, true, &device, &mut rng(1, &[])).unwrap();
    assert_eq!(layer.num_params(), 12 + 3);
    let input = normal([2, 4], 5, &Device::flex());
    let plain = values(layer.valid().forward(input.clone()));
    let training = values(layer.forward(input.autodiff()));
    assert_eq!(plain, training);
}

#[test]
fn what_cannot_be_built_is_refused() {
    assert!(GraphConvolutionConfig { outputs: 0, ..GraphConvolutionConfig::default() }.validate().is_err());
    assert!(VgaeConfig { dropout: 1.0, ..VgaeConfig::default() }.validate().is_err());
    assert_eq!(VgaeConfig::default().validate(), Ok(()));
}
