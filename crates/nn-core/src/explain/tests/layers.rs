//! `DeepLIFT`, Grad-CAM, layer gradients and attention.

use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

use super::*;

fn conv(x: Tensor<4>, weight: &Tensor<4>) -> Tensor<4> {
    conv2d(x, weight.clone(), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1))
}

#[test]
fn deep_lift_sums_to_the_difference_on_dense_nets() {
    let (x, baseline) = (random([6, 5], 50), Baseline::Average(random([2, 5], 51)));
    let bends: [fn(Tensor<2>) -> Tensor<2>; 3] = [relu, tanh, sigmoid];
    for bend in bends {
        let net = Net::new(&[5, 9, 8, 3], bend, 52);
        let rule = |x: Tensor<2>, rule: &Rescale| net.with_rule(x, rule);
        let found = deep_lift(&rule, &x, &baseline, &Target::All(2)).unwrap();
        assert!(found.check.largest_gap().unwrap() < EXACT);
        assert_eq!(found.check.evaluations, 2 * 6 * 2);
        // the same forward pass with one function kept from the rule is not complete
        let broken = |x: Tensor<2>, rule: &Rescale| {
            let (weight, bias) = &net.layers[0];
            let hidden = bend(x.matmul(weight.clone()) + bias.clone());
            let (weight, bias) = &net.layers[1];
            let hidden = rule.activation(hidden.matmul(weight.clone()) + bias.clone(), bend);
            let (weight, bias) = &net.layers[2];
            hidden.matmul(weight.clone()) + bias.clone()
        };
        let found = deep_lift(&broken, &x, &baseline, &Target::All(2)).unwrap();
        assert!(found.check.largest_gap().unwrap() > 1e-4);
    }
}

#[test]
fn deep_lift_takes_the_derivative_where_nothing_has_changed() {
    // the first element equals its baseline: no difference, and no division by it
    let rule = |x: Tensor<2>, rule: &Rescale| rule.activation(x, tanh).sum_dim(1);
    let found = deep_lift(&rule, &wide(vec![0.3, 1.0], [1, 2]), &Baseline::Value(0.3), &Target::All(0)).unwrap();
    assert_close(&numbers(&found.values), &[0.0, 1.0_f64.tanh() - 0.3_f64.tanh()], EXACT);
    // two changes that cancel before a kink leave its derivative: 1 above zero
    let rule = |x: Tensor<2>, rule: &Rescale| rule.activation(x.sum_dim(1) + 1.0, relu);
    let found = deep_lift(&rule, &wide(vec![2.0, -2.0], [1, 2]), &Baseline::zero(), &Target::All(0)).unwrap();
    assert_close(&numbers(&found.values), &[2.0, -2.0], EXACT);
}

#[test]
fn deep_lift_sums_to_the_difference_on_convolutional_nets() {
    let (first, second, third) = (random([4, 2, 3, 3], 53), random([3, 4, 3, 3], 54), random([12, 2], 55));
    let model = |x: Tensor<4>, rule: &Rescale| {
        let rows = x.dims()[0];
        let x = rule.activation(conv(x, &first) - 0.2, relu); // [rows, 4, 8, 8]
        let x = rule.max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])); // 4 × 4
        let x = rule.activation(conv(x, &second) + 0.1, relu); // [rows, 3, 4, 4]
        let x = rule.max_pool2d(x, MaxPoolOptions::new([2, 2])); // [rows, 3, 2, 2]
        x.reshape([rows, 12]).matmul(third.clone())
    };
    let x = random([5, 2, 8, 8], 56);
    let plain = |x: Tensor<4>| model(x, &Rescale::off());
    for baseline in [Baseline::zero(), Baseline::Each(random([5, 2, 8, 8], 57))] {
        let found = deep_lift(&model, &x, &baseline, &Target::All(1)).unwrap();
        assert!(found.check.largest_gap().unwrap() < EXACT);
        // the change is that of the plain forward pass
        let start = baseline.tensors(&x).unwrap().remove(0);
        let change = numbers(&((plain(x.clone()) - plain(start)).narrow(1, 1, 1)));
        let sums: Vec<f64> = found.rows().unwrap().iter().map(|row| row.iter().sum()).collect();
        assert_close(&sums, &change, EXACT);
    }
    let narrow = [first.clone(), second.clone()].map(|weight| weight.cast(DType::F32));
    let third = third.clone().cast(DType::F32);
    let model = |x: Tensor<4>, rule: &Rescale| {
        let rows = x.dims()[0];
        let x = rule.max_pool2d(rule.activation(conv(x, &narrow[0]), relu), MaxPoolOptions::new([4, 4]));
        let x = rule.activation(conv(x, &narrow[1]), relu); // [rows, 3, 2, 2]
        x.reshape([rows, 12]).matmul(third.clone())
    };
    let found = deep_lift(&model, &x.cast(DType::F32), &Baseline::zero(), &Target::All(0)).unwrap();
    // some hundred terms near 1, each rounded to 6e-8
    assert!(found.check.largest_gap().unwrap() < 1e-5);
}

#[test]
fn deep_lift_lays_the_change_of_a_maximum_on_one_element() {
    let model = |x: Tensor<3>, rule: &Rescale| rule.global_max(x);
    let start = Baseline::Each(wide(vec![1.0, 5.0, 0.0], [1, 1, 3]));
    // the maximum grew: on the new largest; it fell: on the old largest
    for (x, wanted) in [([7.0, 5.0, 6.0], [2.0, 0.0, 0.0]), ([1.0, 2.0, 3.0], [0.0, -2.0, 0.0])] {
        let found = deep_lift(&model, &wide(x.to_vec(), [1, 1, 3]), &start, &Target::All(0)).unwrap();
        assert_close(&numbers(&found.values), &wanted, EXACT);
    }
    let pooled =
        |x: Tensor<3>, rule: &Rescale| rule.max_pool1d(x, MaxPoolOptions::new([2])).sum_dim(2).squeeze_dim::<2>(2);
    let x = random([4, 3, 6], 58);
    let found = deep_lift(&pooled, &x, &Baseline::zero(), &Target::All(1)).unwrap();
    assert!(found.check.largest_gap().unwrap() < EXACT);
    let off = Rescale::off();
    let plain = numbers(&pooled(x.clone(), &off));
    let wanted: Vec<f64> =
        numbers(&x).chunks(6).map(|row| row.chunks(2).map(|pair| pair[0].max(pair[1])).sum()).collect();
    assert_close(&plain, &wanted, EXACT);
    let largest = |row: &[f64]| row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_close(&numbers(&off.global_max(x.clone())), &numbers(&x).chunks(6).map(largest).collect::<Vec<_>>(), 0.0);
}

#[test]
fn grad_cam_is_the_class_activation_map_behind_mean_pooling() {
    let (kernel, head) = (random([5, 2, 3, 3], 60), random([5, 3], 61));
    let features = |x: Tensor<4>| relu(conv(x, &kernel)); // [rows, 5, 6, 7]
    let model = |x: Tensor<4>, probe: &Probe<4>| {
        let rows = x.dims()[0];
        probe.add(features(x)).mean_dims(&[2, 3]).reshape([rows, 5]).matmul(head.clone())
    };
    let (x, target) = (random([4, 2, 6, 7], 62), Target::Each(vec![0, 1, 2, 1]));
    // Zhou et al. 2016: the weights of the class, applied to the channels
    let activations = numbers(&features(x.clone()));
    let weights = numbers(&head);
    let mut wanted = Vec::new();
    for (row, class) in [0, 1, 2, 1].into_iter().enumerate() {
        for position in 0..42 {
            let channel =
                |channel: usize| weights[channel * 3 + class] * activations[(row * 5 + channel) * 42 + position] / 42.0;
            wanted.push((0..5).map(channel).sum::<f64>());
        }
    }
    let layer = layer_gradient(&model, &x, &target).unwrap();
    let signed = layer.grad_cam(false).unwrap();
    assert_eq!(signed.values.dims(), [4, 1, 6, 7]);
    assert_close(&numbers(&signed.values), &wanted, EXACT);
    assert!(signed.check.largest_gap().unwrap() < EXACT && layer.check.largest_gap().unwrap() < EXACT);
    let map = grad_cam(&model, &x, &target).unwrap();
    let positive: Vec<f64> = wanted.iter().map(|value| value.max(0.0)).collect();
    assert!(positive.contains(&0.0));
    assert_close(&numbers(&map.values), &positive, EXACT);
    // the layer bends the output behind it: now there is a gap
    let bent = |x: Tensor<4>, probe: &Probe<4>| model(x, probe).tanh();
    assert!(grad_cam(&bent, &x, &target).unwrap().check.largest_gap().unwrap() > 1e-4);
}

#[test]
fn a_layer_gradient_is_the_derivative_behind_the_layer() {
    let (first, second) = (random([4, 6], 63), random([6, 2], 64));
    let model =
        |x: Tensor<2>, probe: &Probe<2>| probe.add(x.matmul(first.clone())).powi_scalar(2).matmul(second.clone());
    let x = random([3, 4], 65);
    let layer = layer_gradient(&model, &x, &Target::All(1)).unwrap();
    let hidden = x.clone().matmul(first.clone());
    assert_close(&numbers(&layer.activation), &numbers(&hidden), EXACT);
    let column = second.clone().narrow(1, 1, 1).reshape([1, 6]);
    assert_close(&numbers(&layer.gradient), &numbers(&(hidden * column * 2.0)), EXACT);
    assert_close(&layer.loss, &numbers(&model(x.clone(), &Probe::off()).narrow(1, 1, 1)), EXACT);

    assert!(matches!(layer.grad_cam(true), Err(ExplainError::Shape { what: "the layer", .. })));
    let never = |x: Tensor<2>, _: &Probe<2>| x;
    assert!(matches!(layer_gradient(&never, &x, &Target::All(0)), Err(ExplainError::Probe { calls: 0 })));
    let twice = |x: Tensor<2>, probe: &Probe<2>| probe.add(probe.add(x));
    assert!(matches!(layer_gradient(&twice, &x, &Target::All(0)), Err(ExplainError::Probe { calls: 2 })));
    let ignored = |x: Tensor<2>, probe: &Probe<2>| {
        let _ = probe.add(x.clone());
        x
    };
    assert!(matches!(layer_gradient(&ignored, &x, &Target::All(0)), Err(ExplainError::NoGradient { what: "layer" })));
}

#[test]
fn attention_is_read_with_its_sums() {
    let recorder = AttentionRecorder::new();
    let weights = wide(vec![0.5, 0.5, 0.25, 0.75, 1.0, 0.0, 0.0, 0.0], [2, 2, 2]);
    recorder.report("over the last axis", &weights, 2);
    recorder.report("over the middle axis", &weights.autodiff().require_grad(), 1);
    let maps = recorder.into_maps().unwrap();
    assert_eq!((maps[0].name.as_str(), maps[1].name.as_str()), ("over the last axis", "over the middle axis"));
    assert_eq!((&maps[0].shape, maps[0].axis, maps[0].weights.len()), (&vec![2, 2, 2], 2, 8));
    // the last row has no weight at all; over the middle axis the sums are 0.75, 1.25, 1 and 0
    assert_eq!((maps[0].sum_gap, maps[1].sum_gap), (1.0, 1.0));
}
