//! Sizes, outputs and sides of the network for knees, and that it learns.

use burn::optim::GradientsParams;
use burn::tensor::{Int, TensorData};
use nn_core::data::rng;
use nn_core::losses::{CrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;

use super::*;
use crate::systems::golden::{assert_golden, filled, input};

fn small() -> KneeConfig {
    KneeConfig { base: 4, classes: 3, ..KneeConfig::default() }
}

#[test]
fn sizes_are_those_of_the_authors_code() {
    let device = Device::flex();
    let net = KneeConfig::default().init(&device, &mut rng(1, &[])).unwrap();
    // convolutions 640, 36,928 twice, 73,856, 147,584 and 295,168, output 2,565; burn counts four numbers for each
    // of the 704 normalised channels
    assert_eq!(net.num_params(), 640 + 2 * 36_928 + 73_856 + 147_584 + 295_168 + 2_565 + 4 * 704);
    let net = small().init(&device, &mut rng(1, &[])).unwrap();
    // 10 x 10 places for 128 pixels, over which the authors' pooling runs; one for the smallest picture
    assert_eq!(net.side(Tensor::zeros([1, 1, 128, 128], &device)).dims(), [1, 16, 10, 10]);
    assert_eq!(net.side(Tensor::zeros([1, 1, SMALLEST, SMALLEST], &device)).dims(), [1, 16, 1, 1]);
    for (side, positions) in [(128, 10), (SMALLEST, 1)] {
        assert_eq!(KneeConfig { side, ..small() }.positions(300), positions);
    }
    assert_eq!(KneeConfig { side: 0, ..small() }.positions(256), 10);
}

#[test]
fn outputs_are_pytorchs() {
    let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let logits = net.forward(input("knee.lateral", [2, 1, 128, 128]), input("knee.medial", [2, 1, 128, 128]), None);
    // 1e-5: single precision against double
    assert_golden(logits, "knee", 1e-5);
}

#[test]
fn sides_are_cut_and_mirrored() {
    let device = Device::flex();
    // 9 columns: rows 3 to 6
    let pixels: Vec<f32> = (0..81).map(|pixel| pixel as f32).collect();
    let knee = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 9, 9]), &device);
    let [left, right] = sides(knee, 3).map(|side| side.try_into_vec_as::<f32>().unwrap());
    assert_eq!(left, [27.0, 28.0, 29.0, 36.0, 37.0, 38.0, 45.0, 46.0, 47.0]);
    assert_eq!(right, [35.0, 34.0, 33.0, 44.0, 43.0, 42.0, 53.0, 52.0, 51.0]);
    // 5 columns: the halves share the middle one
    let knee = Tensor::<4>::from_floats([[[[0.0, 1.0, 2.0, 3.0, 4.0]]]], &device);
    let halves = sides(knee, 0).map(|side| side.try_into_vec_as::<f32>().unwrap());
    assert_eq!(halves, [[0.0, 1.0, 2.0], [4.0, 3.0, 2.0]]);
}

#[test]
fn a_picture_is_its_two_sides_and_each_can_be_probed() {
    let config = KneeConfig { side: 50, ..small() };
    let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let edge = config.smallest();
    assert_eq!(edge, 74, "74 - 74 / 3 = 50");
    let x = input::<4>("knee.whole", [2, 1, edge, edge]);
    let [lateral, medial] = sides(x.clone(), 50);
    let expected = net.forward(lateral.clone(), medial, None).into_data();
    assert_eq!(net.logits(x.clone(), None).into_data(), expected);
    let views = net.views([1, edge, edge]);
    assert_eq!((views[0].columns.clone(), views[1].columns.clone()), (0..50, 24..74));
    assert!(views.iter().all(|view| view.rows == (24..74)) && views[1].mirrored);
    for view in 0..2 {
        // a side that is silenced cannot answer: what is left is the other side and the bias
        let layer = nn_core::explain::layer_gradient(
            &|x: Tensor<4>, probe: &Probe<4>| net.run_view(x, None, view, probe),
            &x,
            &nn_core::explain::Target::All(0),
        );
        assert!(layer.unwrap().loss.iter().all(|loss| loss.abs() > 1e-6), "view {view} has no part in the answer");
    }
    assert!(config.check_size([edge, edge]).is_ok());
    let error = config.check_size([60, 60]).unwrap_err().to_string();
    assert!(error.contains("pictures are 60 x 60") && error.contains("74 x 74 or more"), "{error}");
    let halves = KneeConfig { side: 0, ..small() };
    assert!(halves.check_size([49, 97]).is_ok() && halves.check_size([97, 96]).is_err());
    assert_eq!(halves.smallest(), 97);
    assert!(KneeConfig { side: 20, ..small() }.validate().is_err(), "no place is left of 20 pixels");
}

#[test]
fn it_learns_a_few_knees_by_heart() {
    let device = Device::flex().autodiff();
    let mut net = small().init(&device, &mut rng(1, &[])).unwrap();
    let [one, other] = ["one", "other"].map(|name| input::<4>(name, [6, 1, SMALLEST + 8, SMALLEST + 8]).autodiff());
    let grades = Tensor::<1, Int>::from_data(TensorData::new(vec![0_i64, 1, 2, 2, 1, 0], [6]), &device);
    let loss = |logits: Tensor<2>| CrossEntropy::default().forward(logits, grades.clone(), Reduction::Mean);
    let mut optimizer = OptimizerConfig::adam().init();
    for step in 0..40 {
        let logits = net.forward(one.clone(), other.clone(), Some(&mut rng(1, &[step])));
        let gradients = GradientsParams::from_grads(loss(logits).backward(), &net);
        net = optimizer.step(1e-2, net, gradients);
    }
    let left = loss(net.forward(one, other, None)).try_into_scalar::<f64>().unwrap();
    assert!(left < 0.1, "{left}");
}
