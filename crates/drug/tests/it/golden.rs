//! `DeepDTA` against PyTorch: predictions and gradients of the network that `golden/torch_deepdta.py` builds, for both
//! paddings, from the plain network and from strings encoded once.
//!
//! The golden values are computed in float64; PyTorch's own float32 is within a fifth of the tolerance.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use drug::systems::deepdta::{DeepDta, DeepDtaConfig, Padding, Side};
use nn_core::data::rng;
use serde::Deserialize;

/// On the largest difference of a tensor's values, relative to its largest value; on a norm, relative to the norm.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    config: DeepDtaConfig,
    drugs: Vec<Vec<u8>>,
    targets: Vec<Vec<u8>>,
    /// A drug and a target each.
    pairs: Vec<(usize, usize)>,
    parameters: Vec<Parameter>,
    seen: Expected,
    masked: Expected,
}

#[derive(Deserialize)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    /// A power of two.
    scale: f32,
}

#[derive(Deserialize)]
struct Expected {
    predictions: Vec<f64>,
    /// Of the gradient of each parameter.
    norms: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/torch_deepdta.json")).unwrap()
}

/// In [−1, 1), exact in f32: the finaliser of `MurmurHash3`.
fn fraction(place: usize, index: usize) -> f32 {
    let mut h = ((place as u32) << 24) ^ index as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    (h >> 8) as f32 / 8_388_608.0 - 1.0
}

/// Gives every parameter its values by formula.
struct Formula<'a> {
    parameters: &'a [Parameter],
    device: &'a Device,
    path: Vec<String>,
    set: usize,
}

impl ModuleMapper for Formula<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let place = self.parameters.iter().position(|parameter| parameter.path == path);
        let place = place.unwrap_or_else(|| panic!("the network in PyTorch has no {path}"));
        let dims = param.dims();
        assert_eq!(dims.as_slice(), self.parameters[place].shape.as_slice(), "{path}");
        let scale = self.parameters[place].scale;
        let size: usize = dims.iter().product();
        let values: Vec<f32> = (0..size).map(|index| fraction(place, index) * scale).collect();
        self.set += 1;
        Param::from_tensor(Tensor::<D>::from_data(TensorData::new(values, dims), self.device))
    }
}

fn network(golden: &Golden, padding: Padding, device: &Device) -> DeepDta {
    let config = DeepDtaConfig { padding, ..golden.config.clone() };
    let model = config.init(device, &mut rng(1, &[])).unwrap();
    let mut formula = Formula { parameters: &golden.parameters, device, path: Vec::new(), set: 0 };
    let model = model.map(&mut formula);
    assert_eq!(formula.set, golden.parameters.len());
    model
}

/// The gradient of every parameter, by path.
struct Collected<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Collected<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let gradient = self.gradients.get::<D>(param.id).unwrap_or_else(|| panic!("{path} has no gradient"));
        self.found.insert(path, values(gradient));
    }
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= TOLERANCE * size;
        assert!(near, "{what}, value {i}: {found} instead of {expected}, the largest being {size}");
    }
}

/// Compares predictions, and gradients of their mean square.
fn check(what: &str, golden: &Golden, expected: &Expected, model: &DeepDta, predictions: Tensor<1>) {
    assert_near(&format!("{what}: predictions"), &values(predictions.clone()), &expected.predictions);
    let loss = predictions.powi_scalar(2).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut collected = Collected { gradients: &gradients, path: Vec::new(), found: BTreeMap::new() };
    model.visit(&mut collected);
    let found = collected.found;
    assert_eq!((found.len(), expected.norms.len()), (golden.parameters.len(), golden.parameters.len()), "{what}");
    for (parameter, expected) in golden.parameters.iter().zip(&expected.norms) {
        let path = &parameter.path;
        let norm = found[path].iter().map(|value| value * value).sum::<f64>().sqrt();
        assert_near(&format!("{what}: norm of the gradient of {path}"), &[norm], &[*expected]);
    }
    assert_eq!(expected.gradients.len(), 4, "{what}");
    for (path, expected) in &expected.gradients {
        assert_near(&format!("{what}: gradient of {path}"), &found[path], expected);
    }
}

fn views(strings: &[Vec<u8>]) -> Vec<&[u8]> {
    strings.iter().map(Vec::as_slice).collect()
}

/// The network as published, each pair for itself.
fn plain(golden: &Golden, model: &DeepDta) -> Tensor<1> {
    let drugs: Vec<&[u8]> = golden.pairs.iter().map(|pair| golden.drugs[pair.0].as_slice()).collect();
    let targets: Vec<&[u8]> = golden.pairs.iter().map(|pair| golden.targets[pair.1].as_slice()).collect();
    model.forward(&drugs, &targets)
}

/// Each distinct string encoded once.
fn shared(golden: &Golden, model: &DeepDta, device: &Device) -> Tensor<1> {
    let select = |encoded: Tensor<2>, places: Vec<i64>| {
        let size = [places.len()];
        encoded.select(0, Tensor::<1, Int>::from_data(TensorData::new(places, size), device))
    };
    let drugs = golden.pairs.iter().map(|pair| pair.0 as i64).collect();
    let targets = golden.pairs.iter().map(|pair| pair.1 as i64).collect();
    let drug = select(model.encode(Side::Drug, &views(&golden.drugs)), drugs);
    let protein = select(model.encode(Side::Protein, &views(&golden.targets)), targets);
    model.join(drug, protein, None)
}

#[test]
fn deepdta_computes_what_the_network_in_pytorch_computes() {
    let golden = golden();
    let device = Device::flex().autodiff();
    for (padding, expected) in [(Padding::Seen, &golden.seen), (Padding::Masked, &golden.masked)] {
        let model = network(&golden, padding, &device);
        check(&format!("{padding:?}, plain"), &golden, expected, &model, plain(&golden, &model));
        check(&format!("{padding:?}, shared"), &golden, expected, &model, shared(&golden, &model, &device));
    }
}
