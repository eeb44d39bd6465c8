//! The planned U-Net: shapes, parameters, maps for deep supervision.

use nn_core::data::rng;

use super::*;
use crate::systems::SegmentConfig;
use crate::systems::golden::{assert_golden, filled, input, segments_by_heart};

fn small() -> UnetConfig {
    UnetConfig { channels: 2, classes: 3, base: 4, widest: 8, levels: 3, ..UnetConfig::default() }
}

fn solid() -> UnetConfig {
    UnetConfig {
        dims: 3,
        strides: vec![[2, 2, 1], [2, 2, 2], [3, 1, 2]],
        kernels: vec![[3, 3, 1], [3, 3, 3], [3, 5, 3], [1, 3, 3]],
        levels: 4,
        down: Down::Stride,
        deep_supervision: true,
        ..small()
    }
}

#[test]
fn parameters_are_those_of_the_published_networks() {
    let device = Device::flex();
    // sum(p.numel()) of the network in PyTorch with nnU-Net's defaults for volumes: 32 to 320 features in six levels,
    // strided convolutions, an answer at each level on the way up but the coarsest
    let config = UnetConfig {
        dims: 3,
        widest: 320,
        levels: 6,
        down: Down::Stride,
        deep_supervision: true,
        ..UnetConfig::default()
    };
    assert_eq!(config.init(&device, &mut rng(1, &[])).unwrap().num_params(), SOLID);
    // and for planes, with one answer
    assert_eq!(UnetConfig::default().init(&device, &mut rng(1, &[])).unwrap().num_params(), FLAT);
}
const SOLID: usize = 31_194_952;
const FLAT: usize = 7_765_442;

#[test]
fn planes_are_pytorchs() {
    let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let maps = net.maps(input("unet.flat", [2, 2, 3, 8, 12]), None);
    assert_eq!(maps.len(), 1);
    // 1e-4: single precision against double, through normalisations of as few as 6 values
    assert_golden(maps[0].clone(), "unet.flat", 1e-4);
}

#[test]
fn volumes_with_strides_of_their_own_and_deep_supervision_are_pytorchs() {
    let config = solid();
    let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let x = input("unet.solid", [2, 2, 8, 8, 12]);
    let maps = net.maps(x.clone(), Some(&mut rng(1, &[])));
    assert_eq!(config.coarseness(), [[1, 1, 1], [2, 2, 1]]);
    assert_eq!(maps.iter().map(Tensor::dims).collect::<Vec<_>>(), [[2, 3, 8, 8, 12], [2, 3, 8, 4, 6]]);
    for (map, name) in maps.iter().zip(["unet.solid.0", "unet.solid.1"]) {
        // 1e-4: single precision against double, through normalisations of as few as 4 values
        assert_golden(map.clone(), name, 1e-4);
    }
    let used = net.maps(x, None);
    assert_eq!(used.len(), 1, "one answer when it does not train");
    assert_eq!(used[0].to_data(), maps[0].to_data());
}

#[test]
fn slices_do_not_see_each_other() {
    let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    let x = input("slices", [2, 2, 3, 8, 8]);
    let together = net.maps(x.clone(), None).remove(0);
    for slice in 0..3 {
        let alone = net.maps(x.clone().narrow(2, slice, 1), None).remove(0);
        assert_eq!(alone.into_data(), together.clone().narrow(2, slice, 1).into_data());
    }
}

#[test]
fn it_learns_by_heart_with_both_ways_down() {
    let flat = UnetConfig { channels: 1, base: 8, widest: 32, ..small() };
    let deep = UnetConfig { channels: 1, dims: 3, down: Down::Stride, deep_supervision: true, levels: 4, ..small() };
    for config in [flat, deep] {
        let left = segments_by_heart(&SegmentConfig::Unet(config.clone()), 80, 1e-2);
        // the shares of the classes alone leave 0.43 of the planes and 0.20 of the volumes
        assert!(left < 0.12, "{config:?}: {left}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = |config: UnetConfig| config.validate().unwrap_err().to_string();
    assert_eq!(
        error(UnetConfig { strides: vec![[2, 2, 1]], ..small() }),
        "1 strides for 3 levels; give 2, or none for the usual ones"
    );
    assert_eq!(
        error(UnetConfig { strides: vec![[2; 3]; 2], ..small() }),
        "with dims = 2 the strides and kernels along k must be 1: slices do not see each other"
    );
    assert_eq!(
        error(UnetConfig { kernels: vec![[2, 3, 1]; 3], ..small() }),
        "kernels = [2, 3, 1]: an even kernel has no middle"
    );
    assert_eq!(error(UnetConfig { dims: 4, ..small() }), "dims = 4 is out of range; allowed: 2 to 3");
    let grouped = NormConfig { kind: NormKind::Group(3), ..NormConfig::default() };
    assert!(UnetConfig { norm: grouped, ..small() }.validate().is_err());
    assert_eq!(SegmentConfig::Unet(solid()).multiple(), [12, 4, 4]);
    let one = UnetConfig { levels: 1, ..small() };
    let net = one.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    assert_eq!(net.maps(input("one", [1, 2, 1, 5, 7]), None)[0].dims(), [1, 3, 1, 5, 7], "a single level is no fault");
}

#[test]
#[should_panic(expected = "sizes [3, 10, 8] (k, j, i) of a U-Net; use multiples (i, j, k) of [4, 4, 1]")]
fn other_sizes_are_refused() {
    let device = Device::flex();
    let _ = small().init(&device, &mut rng(1, &[])).unwrap().maps(Tensor::zeros([1, 2, 3, 10, 8], &device), None);
}
