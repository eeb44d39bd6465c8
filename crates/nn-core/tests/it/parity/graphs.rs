//! Layers over graphs.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::layers::init::Init;
use nn_core::models::graph::{GraphConvolutionConfig, MaskedLinear, Vgae, VgaeConfig, normalised_adjacency};

use super::{agree, flat, input, predicted, traced};

const NODES: usize = 6;

/// A ring of five nodes with one chord, and a node that hangs on it.
fn adjacency(device: &Device) -> Tensor<2> {
    let mut values = vec![0.0_f32; NODES * NODES];
    for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (1, 3), (4, 5)] {
        values[from * NODES + to] = 1.0;
        values[to * NODES + from] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [NODES, NODES]), device)
}

#[test]
fn graph_convolutions_of_one_graph_and_of_a_batch() {
    for (bias, parameters) in [(false, 1), (true, 2)] {
        let config = GraphConvolutionConfig { inputs: 4, outputs: 3, bias };
        agree(1.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([NODES, 4], 1, device));
            let graph = normalised_adjacency(adjacency(device));
            let output = flat(model.0.forward(model.1.val(), graph.clone()));
            let mut trace = traced(&model, vec![("output", output)], parameters + 1);
            trace.tensor("normalised adjacency", graph);
            trace
        });
        // a graph that three rows share
        agree(1.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([3, NODES, 4], 1, device));
            let graph = normalised_adjacency(adjacency(device)).unsqueeze::<3>(); // [1, 6, 6]
            let output = flat(model.0.forward(model.1.val(), graph));
            traced(&model, vec![("output", output)], parameters + 1)
        });
    }
}

#[test]
fn a_variational_graph_autoencoder() {
    let config = VgaeConfig { inputs: 4, hidden: 7, latent: 3, dropout: 0.2 };
    agree(1.0, |device| {
        let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([NODES, 4], 1, device));
        let (x, graph) = (model.1.val(), normalised_adjacency(adjacency(device)));
        let latent = model.0.encode(x.clone(), graph, Some(&mut rng(2, &[])));
        let drawn = latent.sample(&mut rng(3, &[])); // [6, 3]
        let loss = model.0.loss(x, adjacency(device), Some(&mut rng(4, &[])));
        let outputs = vec![
            ("mean", flat(latent.mean.clone())),
            ("logarithm of the deviation", flat(latent.log_sd.clone())),
            ("links", flat(Vgae::decode(drawn))),
            ("reconstruction", loss.reconstruction),
            ("divergence", loss.kl),
        ];
        // three layers without a bias
        let mut trace = traced(&model, outputs, 3 + 1);
        let plain = device.clone().inner();
        let loss = model.0.valid().loss(model.1.val().inner(), adjacency(&plain), None);
        predicted(&mut trace, vec![("own loss", loss.total())]);
        trace
    });
}

#[test]
fn a_dense_layer_whose_connections_a_graph_decides() {
    // each output sees about half of the inputs
    let mask: Vec<bool> = (0..5 * 4).map(|at| at * 3 % 5 < 2 || at % 4 == 1).collect();
    agree(1.0, |device| {
        let layer = MaskedLinear::new(&mask, [5, 4], Init::GlorotUniform, true, device, &mut rng(1, &[])).unwrap();
        let model = (layer, input([7, 5], 1, device));
        let output = flat(model.0.forward(model.1.val()));
        traced(&model, vec![("output", output)], 2 + 1)
    });
}
