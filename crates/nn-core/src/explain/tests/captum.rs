//! Agreement with Captum on the networks of `tests/golden/explain.py`, in 64 and in 32 bits.

use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use serde_json::Value;

use super::*;

/// Captum computes in 64 bits. Ours differ from it by the order of sums; in 32 bits, by a hundred roundings of 6e-8.
const PRECISIONS: [(DType, f64); 2] = [(DType::F64, 1e-12), (DType::F32, 1e-5)];

fn golden(net: &str) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("../../../tests/golden/explain.json")).unwrap();
    all[net].take()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn whole(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

fn tensor<const D: usize>(value: &Value, dims: [usize; D], dtype: DType) -> Tensor<D> {
    wide(list(value), dims).cast(dtype)
}

/// Whether the values are Captum's.
struct Compare<'a> {
    golden: &'a Value,
    tolerance: f64,
}

impl Compare<'_> {
    #[track_caller]
    fn check<const D: usize>(&self, name: &str, found: Result<Attribution<D>, ExplainError>) {
        let (found, wanted) = (numbers(&found.unwrap().values), list(&self.golden[name]));
        // Captum holds the weights of the nodes, and the masks of what is left out, in single precision whatever the
        // model's is (`torch.tensor(step_sizes).float()`, `current_mask.float()`); the sums are below 4.
        let single = ["integrated", "occlusion", "ablation", "shapley"].iter().any(|method| name.starts_with(method));
        let tolerance = if single { self.tolerance.max(1e-5) } else { self.tolerance };
        assert_eq!(found.len(), wanted.len(), "{name}");
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            assert!(
                (found - wanted).abs() <= tolerance * (1.0 + wanted.abs()),
                "{name} at {at}: {found}, not {wanted}"
            );
        }
    }
}

#[test]
fn a_dense_net_is_explained_as_by_captum() {
    let golden = golden("mlp");
    for (dtype, tolerance) in PRECISIONS {
        let weights = &golden["weights"];
        let dense = |at: usize, dims: [usize; 2]| {
            (tensor(&weights[2 * at], dims, dtype), tensor(&weights[2 * at + 1], [1, dims[1]], dtype))
        };
        let [first, second, third] = [dense(0, [6, 8]), dense(1, [8, 7]), dense(2, [7, 3])];
        let bent = |x: Tensor<2>, rule: &Rescale| {
            let x = rule.activation(x.matmul(first.0.clone()) + first.1.clone(), tanh);
            let x = rule.activation(x.matmul(second.0.clone()) + second.1.clone(), relu);
            x.matmul(third.0.clone()) + third.1.clone()
        };
        let model = |x: Tensor<2>| bent(x, &Rescale::off());
        let x = tensor(&golden["x"], [4, 6], dtype);
        assert_close(&numbers(&model(x.clone())), &list(&golden["logits"]), tolerance);

        let target = Target::Each(whole(&golden["target"]));
        let one = Baseline::Each(tensor(&golden["baseline"], [1, 6], dtype));
        let several = Baseline::Average(tensor(&golden["baselines"], [3, 6], dtype));
        let (each, groups) = (Groups::each(6), Groups::new(whole(&golden["groups"])).unwrap());
        let compare = Compare { golden: &golden, tolerance };
        compare.check("saliency", saliency(&model, &x, &target));
        compare.check("input_x_gradient", input_x_gradient(&model, &x, &target));
        let integrated = IntegratedGradients { nodes: 12, ..IntegratedGradients::default() };
        compare.check("integrated", integrated.attribute(&model, &x, &one, &target));
        compare.check("integrated_average", integrated.attribute(&model, &x, &several, &target));
        compare.check("deep_lift", deep_lift(&bent, &x, &one, &target));
        compare.check("deep_lift_average", deep_lift(&bent, &x, &several, &target));
        let windows = Occlusion { window: vec![3], stride: vec![2], ..Occlusion::default() };
        compare.check("occlusion", windows.attribute(&model, &x, &one, &target));
        compare.check("ablation", FeatureAblation::default().attribute(&model, &x, &groups, &one, &target));
        let shapley = ExactShapley::default();
        compare.check("shapley", shapley.attribute(&model, &x, &each, &one, &target));
        compare.check("shapley_average", shapley.attribute(&model, &x, &each, &several, &target));
        compare.check("shapley_groups", shapley.attribute(&model, &x, &groups, &one, &target));
        let rng = &mut rng(1, &[]);
        compare.check("shapley", KernelShap::default().attribute(&model, &x, &each, &one, &target, rng));
    }
}

#[test]
fn a_convolutional_net_is_explained_as_by_captum() {
    let golden = golden("conv");
    for (dtype, tolerance) in PRECISIONS {
        let weights = &golden["weights"];
        let kernels: [Tensor<4>; 2] =
            [tensor(&weights[0], [4, 2, 3, 3], dtype), tensor(&weights[2], [3, 4, 3, 3], dtype)];
        let biases: [Tensor<1>; 2] = [tensor(&weights[1], [4], dtype), tensor(&weights[3], [3], dtype)];
        let head: Tensor<2> = tensor(&weights[4], [12, 3], dtype);
        let head_bias: Tensor<2> = tensor(&weights[5], [1, 3], dtype);
        let conv = |x: Tensor<4>, at: usize, padding: usize| {
            let options = ConvOptions::new([1, 1], [padding, padding], [1, 1], 1);
            conv2d(x, kernels[at].clone(), Some(biases[at].clone()), options)
        };
        let first = |x: Tensor<4>, rule: &Rescale| rule.activation(conv(x, 0, 1), relu); // [2, 4, 8, 8]
        let second = |x: Tensor<4>, rule: &Rescale| rule.activation(conv(x, 1, 0), sigmoid); // [2, 3, 2, 2]
        let maximum = |x: Tensor<4>| Rescale::off().max_pool2d(x, MaxPoolOptions::new([2, 2])); // [2, 4, 4, 4]
        let last = |x: Tensor<4>| {
            let rows = x.dims()[0];
            x.reshape([rows, 12]).matmul(head.clone()) + head_bias.clone()
        };
        let off = Rescale::off();
        let model = |x: Tensor<4>| last(second(maximum(first(x, &off)), &off));
        let x = tensor(&golden["x"], [2, 2, 8, 8], dtype);
        assert_close(&numbers(&model(x.clone())), &list(&golden["logits"]), tolerance);

        let (target, baseline) = (Target::Each(whole(&golden["target"])), Baseline::Value(0.25));
        let compare = Compare { golden: &golden, tolerance };
        compare.check("saliency", saliency(&model, &x, &target));
        let integrated = IntegratedGradients { nodes: 8, ..IntegratedGradients::default() };
        compare.check("integrated", integrated.attribute(&model, &x, &baseline, &target));
        let mean =
            |x: Tensor<4>, rule: &Rescale| last(second(avg_pool2d(first(x, rule), AvgPoolOptions::new([2, 2])), rule));
        compare.check("deep_lift", deep_lift(&mean, &x, &baseline, &target));
        let windows = Occlusion { window: vec![2, 3, 3], stride: vec![2, 2, 3], ..Occlusion::default() };
        compare.check("occlusion", windows.attribute(&model, &x, &baseline, &target));

        let at_first = |x: Tensor<4>, probe: &Probe<4>| last(second(maximum(probe.add(first(x, &off))), &off));
        let layer = layer_gradient(&at_first, &x, &target).unwrap();
        compare.check("grad_cam_first", layer.grad_cam(false));
        let at_second = |x: Tensor<4>, probe: &Probe<4>| last(probe.add(second(maximum(first(x, &off)), &off)));
        compare.check("grad_cam_second", grad_cam(&at_second, &x, &target));
    }
}
