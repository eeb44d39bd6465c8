//! Sizes and outputs of the network with two branches, where it looks, and that it learns.

use burn::optim::GradientsParams;
use burn::tensor::TensorData;
use nn_core::data::rng;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;

use super::*;
use crate::systems::golden::{assert_golden, filled, input, partly_imported};

fn small() -> SdfnConfig {
    SdfnConfig { classes: 3, base: 8, growth: 4, blocks: [2, 11, 2, 2], ..SdfnConfig::default() }
}

#[test]
fn sizes_are_two_densenets_and_a_layer() {
    let net = SdfnConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    // torchvision's densenet121 without its last layer is 6,953,856, with 41,824 normalised channels that burn
    // counts twice more
    assert_eq!(net.num_params(), 2 * (6_953_856 + 2 * 41_824) + 2048 * 14 + 14);
}

#[test]
fn outputs_are_pytorchs() {
    let net = filled(SdfnConfig { blocks: [2, 2, 2, 2], ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let whole = input("sdfn.whole", [2, 3, 64, 64]);
    let lungs = cut_out(whole.clone(), [10..43, 5..64], [96, 64]);
    // 1e-5: single precision on both sides, of values below 1
    assert_golden(lungs.clone(), "sdfn.lungs", 1e-5);
    // 1e-4: single precision against double through 20 layers
    assert_golden(net.forward(whole, lungs, None), "sdfn", 1e-4);
}

#[test]
fn branches_read_weights_of_torchvision() {
    let file = include_bytes!("../../../tests/golden/densenet.pt");
    let config = small();
    for (branch, name) in [(Branch::Whole, "whole"), (Branch::Lungs, "lungs")] {
        let branch_config = DenseNetConfig { bottleneck: 2, ..config.branch() };
        let features = Features::init(&branch_config, &Device::flex(), &mut rng(1, &[])).unwrap();
        let other = Features::init(&branch_config, &Device::flex(), &mut rng(2, &[])).unwrap();
        let classifier =
            dense([2 * branch_config.features(), 3], Init::Constant(0.0), &Device::flex(), &mut rng(1, &[]));
        let net = Sdfn { whole: features, lungs: other, classifier, config: config.clone() };
        let report = partly_imported(net, "densenet.pt", file, &SdfnConfig::pytorch(branch)).1;
        assert!(report.applied.iter().all(|path| path.starts_with(name)));
        assert!(report.unused.iter().any(|path| path == "left.classifier.weight"));
        assert!(report.missing.iter().all(|path| !path.starts_with(name)), "{:?}", report.missing);
    }
}

#[test]
fn channels_are_the_whole_picture_and_the_lungs() {
    let net = filled(SdfnConfig { blocks: [2, 2, 2, 2], ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let whole = input::<4>("sdfn.whole", [2, 3, 64, 64]);
    let lungs = cut_out(whole.clone(), [10..43, 5..64], [64, 64]);
    let expected = net.forward(whole.clone(), lungs.clone(), None).into_data();
    let both = Tensor::cat(vec![whole, lungs], 1);
    assert_eq!(net.logits(both, None).into_data(), expected);
    let views = net.views([6, 64, 48]);
    assert_eq!((views[0].channels.clone(), views[1].channels.clone()), (0..3, 3..6));
    assert!(views.iter().all(|view| view.rows == (0..64) && view.columns == (0..48) && !view.mirrored));
}

#[test]
fn the_box_is_the_smallest_with_its_margin() {
    // 4 rows of 5 columns, with pixels in rows 1 and 2 and columns 1 to 3
    let mut mask = [false; 20];
    (mask[6], mask[13]) = (true, true);
    assert_eq!(lung_box(&mask, 5, 0.0), Some([1..3, 1..4]));
    assert_eq!(lung_box(&mask, 5, 0.4), Some([0..4, 0..5]));
    assert_eq!(lung_box(&mask, 5, 1e300), Some([0..4, 0..5]));
    assert_eq!(lung_box(&[false; 20], 5, 0.1), None);
    assert_eq!(lung_box(&[], 0, 0.1), None);
}

#[test]
fn it_learns_a_few_radiographs_by_heart() {
    let device = Device::flex().autodiff();
    let config = SdfnConfig { classes: 2, blocks: [1, 1, 1, 1], ..small() };
    let mut net = config.init(&device, &mut rng(1, &[])).unwrap();
    let whole = input::<4>("radiographs", [6, 3, 64, 64]).autodiff();
    let lungs = cut_out(whole.clone(), [8..40, 0..64], [64, 64]);
    let findings = vec![1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let findings = Tensor::<2>::from_data(TensorData::new(findings, [6, 2]), &device);
    let loss =
        |logits: Tensor<2>| BinaryCrossEntropy::default().forward(logits, findings.clone(), None, Reduction::Mean);
    let mut optimizer = OptimizerConfig::adam().init();
    for _ in 0..40 {
        let logits = net.forward(whole.clone(), lungs.clone(), None);
        let gradients = GradientsParams::from_grads(loss(logits).backward(), &net);
        net = optimizer.step(1e-2, net, gradients);
    }
    let left = loss(net.forward(whole, lungs, None)).try_into_scalar::<f64>().unwrap();
    assert!(left < 0.1, "{left}");
}
