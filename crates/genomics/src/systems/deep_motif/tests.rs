//! The published sizes, PyTorch's outputs, and what each of the networks must not care for.

use nn_core::data::rng;

use super::*;
use crate::systems::golden::{assert_golden, filled, input, left_after};

const ALL: [(Architecture, &str); 3] = [
    (Architecture::Cnn, "deepmotif-cnn"),
    (Architecture::Rnn, "deepmotif-rnn"),
    (Architecture::CnnRnn, "deepmotif-cnn-rnn"),
];

fn small(architecture: Architecture) -> DeepMotifConfig {
    DeepMotifConfig { length: 41, filters: 6, hidden: 5, ..DeepMotifConfig::of(architecture) }
}

#[test]
fn sizes_are_the_published_ones() {
    let device = Device::flex();
    let count = |architecture| {
        let config = DeepMotifConfig { outputs: 2, ..DeepMotifConfig::of(architecture) };
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.forward(Tensor::zeros([2, 4, 101], &device), None).dims(), [2, 2]);
        net.num_params()
    };
    let first = 4 * 9 * 128 + 128;
    // weights of four gates of 32 units in two directions, with PyTorch's two biases
    let memory = |inputs: usize| 2 * 4 * 32 * (inputs + 32 + 2);
    assert_eq!(count(Architecture::Cnn), first + (128 * 5 * 128 + 128) + (128 * 3 * 128 + 128) + 2 * 129);
    assert_eq!(count(Architecture::Rnn), memory(4) + 2 * 65);
    assert_eq!(count(Architecture::CnnRnn), first + memory(128) + 2 * 65);
}

#[test]
fn outputs_are_pytorchs() {
    for (architecture, name) in ALL {
        let net = filled(small(architecture).init(&Device::flex(), &mut rng(1, &[])).unwrap());
        // 1e-5: single precision against double
        assert_golden(net.forward(input("deepmotif", [3, 4, 41]), None), name, 1e-5);
        match net.rescaled(input("deepmotif", [3, 4, 41]), &Rescale::off()) {
            Some(rescaled) => assert_golden(rescaled, name, 1e-5),
            None => assert_ne!(architecture, Architecture::Cnn),
        }
    }
}

#[test]
fn each_learns_a_few_rows_by_heart() {
    for (architecture, name) in ALL {
        // without dropout, which 5 units do not survive; with more filters, of which some can fall silent
        let config = DeepMotifConfig { dropout: 0.0, filters: 12, ..small(architecture) };
        let net = config.init(&Device::flex().autodiff(), &mut rng(2, &[])).unwrap();
        let left = left_after(net, [4, 41], 300, 0.01);
        assert!(left < 0.1, "{name}: {left}");
    }
}

#[test]
fn maps_read_as_a_whole_give_the_output() {
    for (architecture, name) in &ALL[1..] {
        let net = small(*architecture).init(&Device::flex(), &mut rng(3, &[])).unwrap();
        let maps = net.maps(input(name, [2, 4, 41]));
        assert_eq!(maps.dims(), [2, if *architecture == Architecture::Rnn { 4 } else { 6 }, 41]);
        let whole = net.read(maps.clone(), None).into_data();
        assert_eq!(whole, net.forward(input(name, [2, 4, 41]), None).into_data());
        assert_eq!(net.read(maps.narrow(2, 0, 1), None).dims(), [2, 1], "the first place alone");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let error = |architecture, length| {
        let config = DeepMotifConfig { length, ..DeepMotifConfig::of(architecture) };
        config.validate().err().map(|error| error.to_string())
    };
    // the last kernel needs 3 = ((28 - 8) / 2 - 4) / 2 places
    assert_eq!(error(Architecture::Cnn, 28), None);
    assert_eq!(error(Architecture::Cnn, 27).unwrap(), "length = 27 is out of range; allowed: 28 to 10000000");
    assert_eq!(error(Architecture::Rnn, 1), None);
    assert_eq!(error(Architecture::CnnRnn, 8).unwrap(), "length = 8 is out of range; allowed: 9 to 10000000");
    let config = DeepMotifConfig { kernels: Vec::new(), ..DeepMotifConfig::default() };
    assert_eq!(config.validate().unwrap_err().to_string(), "kernels = 0 is out of range; allowed: 1 to 16");
}
