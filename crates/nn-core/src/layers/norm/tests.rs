//! The normalisation layers by hand, and their running statistics against PyTorch.

use super::*;
use burn::tensor::TensorData;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    shape: Vec<usize>,
    x: Vec<f32>,
    #[serde(default)]
    running_mean: Vec<f32>,
    #[serde(default)]
    running_variance: Vec<f32>,
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        // single precision of numbers around one
        assert!((a - b).abs() < 2e-6, "{found:?}, expected {expected:?}");
    }
}

/// Channel 0 is 1, 2, 3, 6: mean 3, squares 14, unbiased variance 14/3. Channel 1 is 0, 0, 0, 4.
fn batch(device: &Device) -> Tensor<3> {
    Tensor::from_data([[[1.0, 2.0], [0.0, 0.0]], [[3.0, 6.0], [0.0, 4.0]]], device)
}

#[test]
fn running_statistics_follow_the_batches_and_serve_inference() {
    let device = Device::flex().autodiff();
    let layer = BatchNormConfig::new(2).init(&device);
    let first = layer.forward(batch(&device));
    let spread = (14.0_f32 / 4.0 + 1e-5).sqrt();
    assert_close(&values(first)[..2], &[-2.0 / spread, -1.0 / spread]);
    assert_close(&values(layer.running_mean.value_sync()), &[0.3, 0.1]);
    assert_close(&values(layer.running_var.value_sync()), &[0.9 + 0.1 * 14.0 / 3.0, 0.9 + 0.1 * 4.0]);
    let _ = layer.forward(batch(&device));
    // 0.3 · 0.9 + 0.3 and 0.1 · 0.9 + 0.1
    let valid = layer.valid();
    assert_close(&values(valid.running_mean.value()), &[0.57, 0.19]);
    let inner = Device::flex();
    let variance = values(valid.running_var.value());
    let out = values(valid.forward(batch(&inner)));
    assert_close(&out[..1], &[(1.0 - 0.57) / (variance[0] + 1e-5).sqrt()]);
    assert_close(&values(valid.running_mean.value()), &[0.57, 0.19]);
}

/// `tests/golden/norm.py`: the running statistics of PyTorch's batch normalisation after one batch.
#[test]
fn running_statistics_are_those_of_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/norm.json")).unwrap();
    let device = Device::flex().autodiff();
    let cases: Vec<&Case> = golden.cases.iter().filter(|case| case.kind == "batch").collect();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let (batch, channels) = (case.shape[0], case.shape[1]);
        let positions: usize = case.shape[2..].iter().product();
        let x = TensorData::new(case.x.clone(), [batch, channels, positions]);
        let layer = BatchNormConfig::new(channels).init(&device);
        let _ = layer.forward(Tensor::<3>::from_data(x, &device));
        for (running, expected) in
            [(&layer.running_mean, &case.running_mean), (&layer.running_var, &case.running_variance)]
        {
            for (a, b) in values(running.value()).iter().zip(expected) {
                // single precision
                assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{:?}: {a}, PyTorch {b}", case.shape);
            }
        }
    }
}

#[test]
fn a_frozen_layer_and_an_empty_batch_leave_the_statistics() {
    let device = Device::flex().autodiff();
    let frozen = BatchNormConfig::new(2).init(&device).freeze();
    let out = frozen.forward(batch(&device));
    assert_close(&values(out)[..2], &[1.0 / 1.000_005, 2.0 / 1.000_005]);
    assert_eq!(values(frozen.running_mean.value_sync()), [0.0, 0.0]);
    let layer = BatchNormConfig::new(2).init(&device);
    assert_eq!(layer.forward(Tensor::<3>::zeros([0, 2, 5], &device)).dims(), [0, 2, 5]);
    assert_eq!(values(layer.running_var.value_sync()), [1.0, 1.0]);
}

#[test]
fn running_statistics_are_saved_and_do_not_train() {
    let device = Device::flex().autodiff();
    let trained = BatchNormConfig::new(2).with_activation(Activation::Relu).init(&device);
    let loss = trained.forward(batch(&device)).sum();
    let grads = loss.backward();
    assert!(trained.gamma.grad(&grads).is_some());
    assert!(!trained.running_mean.value().is_require_grad());
    let loaded = BatchNormConfig::new(2).init(&device).try_load_record(trained.into_record()).unwrap();
    assert_close(&values(loaded.running_mean.value()), &[0.3, 0.1]);
    assert_close(&values(loaded.running_var.value()), &[0.9 + 0.1 * 14.0 / 3.0, 0.9 + 0.1 * 4.0]);
}

#[test]
fn the_other_layers_normalise_what_they_say() {
    let device = Device::flex();
    let x = batch(&device);
    // each instance of two values becomes ∓1, but for the constant one
    let out = values(InstanceNormConfig::new(2).init(&device).forward(x.clone()));
    let (half, one, two) = ((0.25_f32 + 1e-5).sqrt(), (2.25_f32 + 1e-5).sqrt(), (4.0_f32 + 1e-5).sqrt());
    let (a, b, c) = (0.5 / half, 1.5 / one, 2.0 / two);
    assert_close(&out, &[-a, a, 0.0, 0.0, -b, b, -c, c]);
    let rectified = InstanceNormConfig::new(2).with_activation(Activation::Relu).init(&device);
    assert_close(&values(rectified.forward(x.clone())), &[0.0, a, 0.0, 0.0, 0.0, b, 0.0, c]);
    assert_close(&values(GroupNormConfig::new(2, 2).init(&device).forward(x.clone())), &out);
    assert_close(&values(LayerNormConfig::new(2).init(&device).forward(x)), &out);
}

#[test]
#[should_panic(expected = "3 groups do not divide 4 channels")]
fn groups_divide_the_channels() {
    let _ = GroupNormConfig::new(3, 4).init(&Device::flex());
}
