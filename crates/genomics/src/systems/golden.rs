//! What tests of the systems share: weights that a script can compute as well, and training on a handful of rows.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;
use serde_json::Value;

use super::SequenceNet;

/// Outputs of `tests/golden/systems.py`.
pub(crate) fn expected(name: &str) -> Vec<f64> {
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/systems.json")).unwrap();
    let values = file[name].as_array().unwrap_or_else(|| panic!("{name} is not in systems.json"));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Numbers in −1..1 that depend on a name alone: splitmix64 (Steele, Lea and Flood 2014) of its FNV-1a hash and the
/// place, in the upper 24 bits, so that they are exact in single precision.
pub(crate) fn noise(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let start = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=count as u64).map(move |place| {
        let mut z = start.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// The model with the script's weights: noise of a parameter's path, of the size that keeps activations near 1.
pub(crate) fn filled<M: Module>(model: M) -> M {
    model.map(&mut Fill { path: Vec::new() })
}

struct Fill {
    path: Vec<String>,
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, shape) = (self.path.join("."), param.val().dims());
        let name = self.path.last().map_or("", String::as_str);
        let count: usize = shape.iter().product();
        // a dense layer's weight is [inputs, outputs], the others' [outputs, inputs…]
        let inputs = if name == "weight" && D == 2 { shape[0] } else { count / shape[0].max(1) };
        let values: Vec<f32> = noise(&path, count)
            .map(|value| match name {
                "gamma" | "running_var" => 1.0 + 0.5 * value,
                "beta" | "bias" | "bias_ih" | "bias_hh" | "running_mean" => 0.25 * value,
                _ => value * (3.0 / inputs as f32).sqrt(),
            })
            .collect();
        Param::from_data(TensorData::new(values, shape), &Device::flex())
    }
}

/// The input of a golden value: noise.
pub(crate) fn input(name: &str, shape: [usize; 3]) -> Tensor<3> {
    let values: Vec<f32> = noise(name, shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Compares the output of a filled model; `tolerance` is of the golden values, which are near 1.
pub(crate) fn assert_golden(found: Tensor<2>, name: &str, tolerance: f64) {
    let (found, expected) = (found.try_into_vec_as::<f64>().unwrap(), expected(name));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < tolerance, "{name}[{at}]: {found} instead of {expected}");
    }
}

/// The loss that is left after `steps` of Adam on 8 rows of noise whose labels are drawn at random, noise of the net
/// apart; a net that learns knows them by heart.
pub(crate) fn left_after<M: SequenceNet>(net: M, [channels, length]: [usize; 2], steps: u64, rate: f64) -> f64 {
    let device = Device::flex().autodiff();
    let rows = 8;
    let x: Vec<f32> = noise("rows", rows * channels * length).collect();
    let x = Tensor::<3>::from_data(TensorData::new(x, [rows, channels, length]), &device);
    let labels = TensorData::new(vec![1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0], [rows, 1]);
    let labels = Tensor::<2>::from_data(labels, &device);
    let loss = |logits| BinaryCrossEntropy::default().forward(logits, labels.clone(), None, Reduction::Mean);
    let mut optimizer = OptimizerConfig::adam().init();
    let mut net = net;
    for step in 0..steps {
        let gradients = loss(net.logits(x.clone(), Some(&mut rng(1, &[step])))).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(rate, net, gradients);
    }
    loss(net.valid().logits(x.inner(), None).autodiff()).try_into_scalar::<f64>().unwrap()
}
