//! The losses against PyTorch, against their composed forms, and against difference quotients.

mod edges;

use super::classes::class_view;
use super::*;
use crate::data::rng;
use crate::ops::loss::{ClassLoss, PointLoss};
use burn::tensor::{Device, Int, TensorData};
use rand::RngExt;
use serde::Deserialize;

/// Single precision of sums of some hundred numbers around one, and of logarithms.
const TOLERANCE: f32 = 1e-5;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{at}]: {a}, expected {b}");
    }
}

fn tensor<const D: usize>(values: &[f32], shape: &[usize], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

fn classes<const T: usize>(values: &[i64], shape: &[usize], device: &Device) -> Tensor<T, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

/// Value of a loss, and the gradient of `x` when `grad` comes in.
fn found<const D: usize, const R: usize>(x: &Tensor<D>, loss: Tensor<R>, grad: &[f32]) -> [Vec<f32>; 2] {
    let weight = tensor::<R>(grad, &loss.dims(), &x.device());
    let grads = (loss.clone() * weight).sum().backward();
    [values(loss), values(x.grad(&grads).unwrap())]
}

#[derive(Deserialize)]
struct ClassCase {
    kind: String,
    shape: Vec<usize>,
    reduction: String,
    weights: Option<Vec<f32>>,
    missing: Option<i64>,
    smoothing: f32,
    gamma: f32,
    x: Vec<f32>,
    target: Vec<i64>,
    grad: Vec<f32>,
    y: Vec<f32>,
    dx: Vec<f32>,
}

fn reduction(name: &str) -> Option<Reduction> {
    match name {
        "mean" => Some(Reduction::Mean),
        "sum" => Some(Reduction::Sum),
        _ => None,
    }
}

impl ClassCase {
    fn check<const D: usize, const T: usize>(&self) {
        let device = Device::flex().autodiff();
        let what = format!("{} {:?} {}", self.kind, self.shape, self.reduction);
        let x = tensor::<D>(&self.x, &self.shape, &device).require_grad();
        let shape: Vec<usize> = self.shape[..1].iter().chain(&self.shape[2..]).copied().collect();
        let target = classes::<T>(&self.target, &shape, &device);
        let (weights, ignore) = (self.weights.clone(), self.missing);
        let entropy = CrossEntropy { weights: weights.clone(), ignore, smoothing: self.smoothing };
        let focal = Focal { gamma: self.gamma, weights: weights.clone(), ignore };
        let is_focal = self.kind == "focal";
        let ours = match reduction(&self.reduction) {
            Some(by) if is_focal => found(&x, focal.forward(x.clone(), target.clone(), by), &self.grad),
            Some(by) => found(&x, entropy.forward(x.clone(), target.clone(), by), &self.grad),
            None if is_focal => found(&x, focal.each(x.clone(), target.clone()), &self.grad),
            None => found(&x, entropy.each(x.clone(), target.clone()), &self.grad),
        };
        assert_close(&what, &ours[0], &self.y);
        assert_close(&format!("gradient of {what}"), &ours[1], &self.dx);
        let loss = ClassLoss { weights, ignore, smoothing: self.smoothing, gamma: self.gamma };
        let view = class_view(&x, &target);
        let composed = if let Some(by) = reduction(&self.reduction) {
            found(&x, loss.composed(x.clone(), target, view, by), &self.grad)
        } else {
            found(&x, loss.composed_each(x.clone(), target, view).0, &self.grad)
        };
        assert_close(&format!("composed {what}"), &composed[0], &self.y);
        assert_close(&format!("gradient of composed {what}"), &composed[1], &self.dx);
    }
}

#[derive(Deserialize)]
struct PointCase {
    kind: String,
    shape: Vec<usize>,
    reduction: String,
    weights: Option<Vec<f32>>,
    weight_shape: Option<Vec<usize>>,
    positive: Option<Vec<f32>>,
    delta: f32,
    alpha: Option<f32>,
    gamma: f32,
    x: Vec<f32>,
    target: Vec<f32>,
    grad: Vec<f32>,
    y: Vec<f32>,
    dx: Vec<f32>,
}

impl PointCase {
    fn check<const D: usize>(&self) {
        let device = Device::flex().autodiff();
        let what = format!("{} {:?} {}", self.kind, self.shape, self.reduction);
        let x = tensor::<D>(&self.x, &self.shape, &device).require_grad();
        let target = tensor::<D>(&self.target, &self.shape, &device);
        let weights =
            || self.weights.as_ref().zip(self.weight_shape.as_ref()).map(|(w, shape)| tensor::<D>(w, shape, &device));
        let entropy = BinaryCrossEntropy { positive: self.positive.clone() };
        let focal = BinaryFocal { alpha: self.alpha, gamma: self.gamma };
        let (a, b) = (x.clone(), target.clone());
        let ours = match (self.kind.as_str(), reduction(&self.reduction)) {
            ("binary", Some(by)) => found(&x, entropy.forward(a, b, weights(), by), &self.grad),
            ("binary", None) => found(&x, entropy.each(a, b, weights()), &self.grad),
            ("binary focal", Some(by)) => found(&x, focal.forward(a, b, weights(), by), &self.grad),
            ("squared", Some(by)) => found(&x, mse(a, b, weights(), by), &self.grad),
            // Without weights each squared error is its own sum.
            ("squared", None) => {
                let each = points::composed_each(&PointLoss::Squared, a, b, None).0;
                found(&x, each, &self.grad)
            }
            ("absolute", Some(by)) => found(&x, mae(a, b, weights(), by), &self.grad),
            ("huber", Some(by)) => found(&x, huber(a, b, weights(), self.delta, by), &self.grad),
            other => panic!("unknown case {other:?}"),
        };
        assert_close(&what, &ours[0], &self.y);
        assert_close(&format!("gradient of {what}"), &ours[1], &self.dx);
        let loss = match self.kind.as_str() {
            "binary" => PointLoss::Binary { positive: self.positive.clone() },
            "binary focal" => PointLoss::Focal { alpha: self.alpha, gamma: self.gamma },
            "squared" => PointLoss::Squared,
            "absolute" => PointLoss::Absolute,
            _ => PointLoss::Huber(self.delta),
        };
        let composed = match reduction(&self.reduction) {
            Some(by) => found(&x, points::composed(&loss, x.clone(), target, weights(), by), &self.grad),
            None => found(&x, points::composed_each(&loss, x.clone(), target, weights()).0, &self.grad),
        };
        assert_close(&format!("composed {what}"), &composed[0], &self.y);
        assert_close(&format!("gradient of composed {what}"), &composed[1], &self.dx);
    }
}

#[derive(Deserialize)]
struct RegionCase {
    shape: Vec<usize>,
    alpha: f32,
    beta: f32,
    smooth: f32,
    by_sample: bool,
    background: bool,
    missing: Option<i64>,
    entropy: Option<[f32; 2]>,
    x: Vec<f32>,
    target: Vec<i64>,
    index: Vec<f32>,
    loss: f32,
    dx: Vec<f32>,
}

impl RegionCase {
    fn check<const D: usize, const T: usize>(&self) {
        let device = Device::flex().autodiff();
        let what = format!("overlap {:?}", self.shape);
        let x = tensor::<D>(&self.x, &self.shape, &device).require_grad();
        let shape: Vec<usize> = self.shape[..1].iter().chain(&self.shape[2..]).copied().collect();
        let target = classes::<T>(&self.target, &shape, &device);
        let (by_sample, background, ignore) = (self.by_sample, self.background, self.missing);
        let (alpha, beta, smooth) = (self.alpha, self.beta, self.smooth);
        let tversky = Tversky { alpha, beta, smooth, by_sample, background, ignore };
        let dice = Dice { smooth: 2.0 * smooth, by_sample, background, ignore };
        let is_dice = alpha == 0.5 && beta == 0.5;
        assert_close(&what, &values(tversky.indices(x.clone(), target.clone())), &self.index);
        let (indices, entropy) = tversky.composed(x.clone(), target.clone(), class_view(&x, &target));
        let first = usize::from(!background);
        let mean = indices.narrow(1, first, self.shape[1] - first).mean();
        let [own, other] = self.entropy.unwrap_or([1.0, 0.0]);
        let composed = (mean.neg() + 1.0).mul_scalar(own) + entropy.mul_scalar(other);
        let mut losses = vec![("composed", composed)];
        match self.entropy {
            None => losses.push(("Tversky", tversky.forward(x.clone(), target.clone()))),
            Some(weights) if is_dice => {
                losses.push(("Dice", dice.with_cross_entropy(x.clone(), target.clone(), weights)));
            }
            Some([own, other]) => {
                let entropy = CrossEntropy { ignore, ..CrossEntropy::default() };
                let entropy = entropy.forward(x.clone(), target.clone(), Reduction::Mean);
                let overlap = tversky.forward(x.clone(), target.clone());
                losses.push(("sum", overlap.mul_scalar(own) + entropy.mul_scalar(other)));
            }
        }
        if is_dice && self.entropy.is_none() {
            losses.push(("Dice", dice.forward(x.clone(), target)));
        }
        for (name, loss) in losses {
            let [value, gradient] = found(&x, loss, &[1.0]);
            assert_close(&format!("{name} {what}"), &value, &[self.loss]);
            assert_close(&format!("gradient of {name} {what}"), &gradient, &self.dx);
        }
    }
}

/// `tests/golden/losses.py`: PyTorch in double precision, from the same numbers in single precision.
#[test]
fn values_and_gradients_are_those_of_pytorch() {
    #[derive(Deserialize)]
    struct Golden {
        classes: Vec<ClassCase>,
        points: Vec<PointCase>,
        regions: Vec<RegionCase>,
    }
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/losses.json")).unwrap();
    assert_eq!((golden.classes.len(), golden.points.len(), golden.regions.len()), (11, 12, 5));
    for case in &golden.classes {
        match case.shape.len() {
            2 => case.check::<2, 1>(),
            3 => case.check::<3, 2>(),
            4 => case.check::<4, 3>(),
            _ => case.check::<5, 4>(),
        }
    }
    for case in &golden.points {
        match case.shape.len() {
            1 => case.check::<1>(),
            2 => case.check::<2>(),
            3 => case.check::<3>(),
            _ => case.check::<4>(),
        }
    }
    for case in &golden.regions {
        match case.shape.len() {
            3 => case.check::<3, 2>(),
            4 => case.check::<4, 3>(),
            _ => case.check::<5, 4>(),
        }
    }
}

fn drawn(size: usize, spread: f32, seed: u64, stream: u64) -> Vec<f32> {
    let mut generator = rng(seed, &[stream]);
    (0..size).map(|_| generator.random_range(-spread..spread)).collect()
}

/// The same losses over random shapes, the logits a transposed view: ours, composed.
#[test]
fn equal_the_composed_forms_over_random_shapes() {
    let device = Device::flex().autodiff();
    for seed in 0..40 {
        let mut generator = rng(seed, &[7]);
        let [batch, count, positions] = [1..5, 1..7, 1..60_usize].map(|range| generator.random_range(range));
        let size = batch * count * positions;
        let x = tensor::<3>(&drawn(size, 3.0, seed, 0), &[batch, positions, count], &device).require_grad();
        let view = || x.clone().swap_dims(1, 2);
        let labels: Vec<i64> = (0..batch * positions).map(|_| generator.random_range(-1..count as i64)).collect();
        let target = classes::<2>(&labels, &[batch, positions], &device);
        let what = format!("{:?}, seed {seed}", [batch, count, positions]);
        let settings = CrossEntropy {
            weights: (seed % 2 == 0).then(|| (0..count).map(|k| 0.5 + k as f32).collect()),
            ignore: Some(-1),
            smoothing: if seed % 3 == 0 { 0.1 } else { 0.0 },
        };
        let loss = ClassLoss {
            weights: settings.weights.clone(),
            ignore: Some(-1),
            smoothing: settings.smoothing,
            gamma: 0.0,
        };
        let shape = [batch, count, positions];
        let ours = found(&x, settings.forward(view(), target.clone(), Reduction::Mean), &[2.0]);
        let other = found(&x, loss.composed(view(), target.clone(), shape, Reduction::Mean), &[2.0]);
        assert_close(&format!("cross-entropy {what}"), &ours[0], &other[0]);
        assert_close(&format!("gradient of cross-entropy {what}"), &ours[1], &other[1]);
        let dice = Tversky { by_sample: seed % 2 == 0, ignore: Some(-1), smooth: 0.1, ..Tversky::default() };
        let ours = found(&x, dice.forward(view(), target.clone()), &[1.5]);
        let (indices, _) = dice.composed(view(), target, shape);
        let other = found(&x, indices.mean().neg() + 1.0, &[1.5]);
        assert_close(&format!("overlap {what}"), &ours[0], &other[0]);
        assert_close(&format!("gradient of overlap {what}"), &ours[1], &other[1]);
        let target = tensor::<3>(&drawn(size, 1.0, seed, 1), &shape, &device).abs();
        let weights = tensor::<3>(&drawn(size, 1.0, seed, 2), &shape, &device).clamp_min(0.0);
        let positive = PointLoss::Binary { positive: Some((0..count).map(|k| 0.5 + k as f32).collect()) };
        let binary = BinaryCrossEntropy { positive: Some((0..count).map(|k| 0.5 + k as f32).collect()) };
        let ours = binary.forward(view(), target.clone(), Some(weights.clone()), Reduction::Mean);
        let other = points::composed(&positive, view(), target, Some(weights), Reduction::Mean);
        let (ours, other) = (found(&x, ours, &[0.5]), found(&x, other, &[0.5]));
        assert_close(&format!("binary cross-entropy {what}"), &ours[0], &other[0]);
        assert_close(&format!("gradient of binary cross-entropy {what}"), &ours[1], &other[1]);
    }
}
