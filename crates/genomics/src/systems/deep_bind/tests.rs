//! Sizes, PyTorch's outputs, and that a sequence and its reverse complement are one.

use burn::tensor::TensorData;
use nn_core::data::rng;
use nn_core::explain::{Baseline, Target, deep_lift};

use super::*;
use crate::sequence::{Unknown, one_hot};
use crate::systems::golden::{assert_golden, filled, input, left_after};

fn small() -> DeepBindConfig {
    DeepBindConfig {
        length: 31,
        outputs: 2,
        filters: 6,
        kernel: 7,
        padding: 2,
        second_filters: 5,
        second_kernel: 4,
        hidden: 8,
        ..DeepBindConfig::default()
    }
}

fn plain() -> DeepBindConfig {
    DeepBindConfig { norm: false, second_filters: 0, average: false, both_strands: false, hidden: 0, ..small() }
}

#[test]
fn parameters_are_as_many_as_by_hand() {
    let device = Device::flex();
    let count = |config: DeepBindConfig| {
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.forward(Tensor::zeros([2, 4, 101], &device), None).dims(), [2, 1]);
        net.num_params()
    };
    assert_eq!(count(DeepBindConfig::published()), (4 * 24 * 16 + 16) + (16 * 32 + 32) + 33);
    // four numbers of each normalised channel, the running statistics among them
    let convolutions = (4 * 11 * 64 + 5 * 64) + (64 * 9 * 128 + 5 * 128);
    assert_eq!(count(DeepBindConfig::default()), convolutions + (256 * 64 + 64) + 65);
}

#[test]
fn outputs_are_pytorchs() {
    for (config, name) in [(small(), "deepbind"), (plain(), "deepbind-plain")] {
        let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double, of values up to 3
        assert_golden(net.forward(input("deepbind", [3, 4, 31]), None), name, 1e-5);
        let rescaled = net.rescaled(input("deepbind", [3, 4, 31]), &Rescale::off()).unwrap();
        assert_golden(rescaled, name, 1e-5);
    }
}

#[test]
fn strands_make_no_difference_if_both_are_read() {
    let device = Device::flex();
    let difference = |config: DeepBindConfig| {
        let net = config.init(&device, &mut rng(5, &[])).unwrap();
        let x = input("strands", [6, 4, 31]);
        let found = net.forward(x.clone(), None) - net.forward(strands::reverse_complement(x), None);
        found.abs().max().into_scalar::<f32>()
    };
    let without = DeepBindConfig { second_filters: 0, ..small() };
    for config in [small(), without, DeepBindConfig { length: 31, ..DeepBindConfig::published() }] {
        assert!(difference(config.clone()) < 1e-6);
        let one = difference(DeepBindConfig { both_strands: false, ..config });
        assert!(one > 1e-3, "and would if one were: {one}");
    }
}

#[test]
fn it_learns_a_few_rows_by_heart() {
    for (config, name) in [(small(), "default"), (plain(), "plain")] {
        let config = DeepBindConfig { outputs: 1, filters: 12, second_filters: config.second_filters * 2, ..config };
        let net = config.init(&Device::flex().autodiff(), &mut rng(2, &[])).unwrap();
        let left = left_after(net, [4, 31], 300, 0.01);
        assert!(left < 0.1, "{name}: {left}");
    }
}

#[test]
fn deep_lift_is_complete() {
    let device = Device::flex();
    let net = small().init(&device, &mut rng(7, &[])).unwrap().valid();
    let sequences: [&[u8]; 2] = [b"ACGTTGCATGCCCTAGGATCCAATGCAGTAC", b"TTGACAATTAATCATCGGCTCGTATAATGTG"];
    let values = one_hot(&sequences, 31, Unknown::Zeros);
    let x = Tensor::<3>::from_data(TensorData::new(values, [2, 4, 31]), &device);
    let model = |x: Tensor<3>, rescale: &Rescale| net.rescaled(x, rescale).unwrap();
    let found = deep_lift(&model, &x, &Baseline::zero(), &Target::All(1)).unwrap();
    let gap = found.check.largest_gap().unwrap();
    // sums of a few hundred products in single precision
    assert!(gap < 1e-4, "{gap}");
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let error = |config: DeepBindConfig| config.validate().unwrap_err().to_string();
    let default = DeepBindConfig::default;
    // (28 - 10) / 2 places for a kernel of 9
    assert!(DeepBindConfig { length: 28, ..default() }.validate().is_ok());
    assert_eq!(
        error(DeepBindConfig { length: 27, ..default() }),
        "length = 27 is out of range; allowed: 28 to 10000000"
    );
    assert_eq!(error(DeepBindConfig { padding: 11, ..default() }), "padding = 11 is out of range; allowed: 0 to 10");
    assert_eq!(error(DeepBindConfig { dropout: 1.0, ..default() }), "dropout = 1 is out of range; allowed: 0 to 0.95");
    assert_eq!(error(DeepBindConfig { kernel: 0, ..default() }), "kernel = 0 is out of range; allowed: 1 to 4096");
}
