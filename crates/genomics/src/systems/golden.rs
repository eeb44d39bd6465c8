//! What tests of the systems share: weights that a script can compute as well, and training on a handful of rows.

pub(crate) use nn_core::parity::noise;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;
use nn_core::parity;
use serde_json::Value;

use super::SequenceNet;

/// Outputs of `tests/golden/systems.py`.
pub(crate) fn expected(name: &str) -> Vec<f64> {
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/systems.json")).unwrap();
    let values = file[name].as_array().unwrap_or_else(|| panic!("{name} is not in systems.json"));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The model with the script's weights.
pub(crate) fn filled<M: Module>(model: M) -> M {
    parity::filled(model, &Device::flex())
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
