//! Difference quotients, extremes, missing labels, empty batches, threads.

use super::*;
use burn::tensor::DType;

/// Central differences of step 1e-5 of a function in double precision; they err by about 1e-9.
fn quotients(x: &[f32], value: impl Fn(&[f64]) -> f64) -> Vec<f32> {
    let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let nudged = |at: usize, by: f64| {
        let mut x = x.clone();
        x[at] += by;
        value(&x)
    };
    (0..x.len()).map(|at| ((nudged(at, 1e-5) - nudged(at, -1e-5)) / 2e-5) as f32).collect()
}

/// Probabilities of the softmax of each of `positions` positions; logits are `[classes, positions]`.
fn softmax(x: &[f64], positions: usize) -> Vec<f64> {
    let sums: Vec<f64> = (0..positions).map(|p| x.iter().skip(p).step_by(positions).map(|v| v.exp()).sum()).collect();
    x.iter().enumerate().map(|(at, v)| v.exp() / sums[at % positions]).collect()
}

static LABELS: [i64; 5] = [2, 0, 9, 1, 2];
const WEIGHTS: [f32; 3] = [0.5, 2.0, 1.25];

/// One sample of three classes at five positions, one without a label.
fn positions(device: &Device) -> (Vec<f32>, Tensor<3>, Tensor<2, Int>) {
    let x = drawn(15, 2.0, 3, 0);
    let leaf = tensor::<3>(&x, &[1, 3, 5], device).require_grad();
    (x, leaf, classes(&LABELS, &[1, 5], device))
}

fn labelled() -> impl Iterator<Item = (usize, usize)> {
    LABELS.iter().enumerate().filter(|(_, label)| **label != 9).map(|(at, label)| (at, *label as usize))
}

#[test]
fn gradients_of_class_losses_are_difference_quotients() {
    let device = Device::flex().autodiff();
    let (x, leaf, target) = positions(&device);
    let weights = Some(WEIGHTS.to_vec());
    let entropy = CrossEntropy { weights: weights.clone(), ignore: Some(9), smoothing: 0.2 };
    let [_, gradient] = found(&leaf, entropy.forward(leaf.clone(), target.clone(), Reduction::Mean), &[1.0]);
    let expected = quotients(&x, |x| {
        let p = softmax(x, 5);
        let (mut total, mut weight) = (0.0, 0.0);
        for (at, label) in labelled() {
            weight += f64::from(WEIGHTS[label]);
            for (class, w) in WEIGHTS.iter().enumerate() {
                let own = if class == label { 0.8 } else { 0.0 };
                let share = own + 0.2 / 3.0;
                total -= share * f64::from(*w) * p[class * 5 + at].ln();
            }
        }
        total / weight
    });
    assert_close("gradient of cross-entropy", &gradient, &expected);
    let focal = Focal { gamma: 1.5, weights, ignore: Some(9) };
    let [_, gradient] = found(&leaf, focal.forward(leaf.clone(), target, Reduction::Mean), &[1.0]);
    let expected = quotients(&x, |x| {
        let p = softmax(x, 5);
        let loss = |(at, label): (usize, usize)| {
            let p = p[label * 5 + at];
            -f64::from(WEIGHTS[label]) * (1.0 - p).powf(1.5) * p.ln()
        };
        labelled().map(loss).sum::<f64>() / 4.0
    });
    assert_close("gradient of focal loss", &gradient, &expected);
}

#[test]
fn gradients_of_overlaps_are_difference_quotients() {
    let device = Device::flex().autodiff();
    let (x, leaf, target) = positions(&device);
    let dice = Dice { smooth: 0.3, background: false, ignore: Some(9), ..Dice::default() };
    let [_, gradient] = found(&leaf, dice.with_cross_entropy(leaf.clone(), target, [1.5, 0.5]), &[1.0]);
    let expected = quotients(&x, |x| {
        let p = softmax(x, 5);
        let coefficient = |class: usize| {
            let (mut both, mut sum) = (0.0, 0.0);
            for (at, label) in labelled() {
                let t = f64::from(u8::from(label == class));
                both += p[class * 5 + at] * t;
                sum += p[class * 5 + at] + t;
            }
            (2.0 * both + 0.3) / (sum + 0.3)
        };
        let entropy: f64 = labelled().map(|(at, label)| -p[label * 5 + at].ln()).sum::<f64>() / 4.0;
        1.5 * (1.0 - f64::midpoint(coefficient(1), coefficient(2))) + 0.5 * entropy
    });
    assert_close("gradient of Dice and cross-entropy", &gradient, &expected);
}

#[test]
fn gradients_of_single_values_are_difference_quotients() {
    let device = Device::flex().autodiff();
    let (x, t, w) = (drawn(12, 3.0, 4, 0), drawn(12, 1.0, 4, 1), drawn(12, 1.0, 4, 2));
    let t: Vec<f32> = t.iter().map(|v| v.abs()).collect();
    let w: Vec<f32> = w.iter().map(|v| v.max(0.0)).collect();
    let leaf = tensor::<2>(&x, &[4, 3], &device).require_grad();
    let (target, weights) = (tensor::<2>(&t, &[4, 3], &device), Some(tensor::<2>(&w, &[4, 3], &device)));
    let positive = [2.0_f64, 0.5, 3.0];
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let entropy = |x: f64, t: f64, positive: f64| -positive * t * logistic(x).ln() - (1.0 - t) * logistic(-x).ln();
    let mean = |x: &[f64], loss: &dyn Fn(usize, f64, f64) -> f64| {
        let weight: f64 = w.iter().map(|&w| f64::from(w)).sum();
        let each = x.iter().zip(&t).zip(&w).enumerate();
        each.map(|(at, ((x, &t), &w))| f64::from(w) * loss(at, *x, f64::from(t))).sum::<f64>() / weight
    };
    let (a, b, c) = (leaf.clone(), target.clone(), weights.clone());
    let binary = BinaryCrossEntropy { positive: Some(positive.map(|v| v as f32).to_vec()) };
    let [_, gradient] = found(&leaf, binary.forward(a, b, c, Reduction::Mean), &[1.0]);
    let expected = quotients(&x, |x| mean(x, &|at, x, t| entropy(x, t, positive[at % 3])));
    assert_close("gradient of binary cross-entropy", &gradient, &expected);
    let (a, b, c) = (leaf.clone(), target.clone(), weights.clone());
    let [_, gradient] = found(&leaf, BinaryFocal::default().forward(a, b, c, Reduction::Mean), &[1.0]);
    let focal = |x: f64, t: f64| {
        let unsure = logistic(x) * (1.0 - t) + logistic(-x) * t;
        entropy(x, t, 1.0) * unsure * unsure * (0.25 * t + 0.75 * (1.0 - t))
    };
    let expected = quotients(&x, |x| mean(x, &|_, x, t| focal(x, t)));
    assert_close("gradient of binary focal loss", &gradient, &expected);
    let [_, gradient] = found(&leaf, huber(leaf.clone(), target, weights, 0.7, Reduction::Mean), &[1.0]);
    let line = |x: f64, t: f64| {
        let apart = (x - t).abs();
        if apart > f64::from(0.7_f32) { 0.7 * (apart - 0.35) } else { 0.5 * apart * apart }
    };
    let expected = quotients(&x, |x| mean(x, &|_, x, t| line(x, t)));
    assert_close("gradient of the Huber loss", &gradient, &expected);
}

#[test]
fn huge_logits_neither_overflow_nor_vanish() {
    let device = Device::flex().autodiff();
    let leaf = tensor::<2>(&[1e4, -1e4, 0.0, 1e4, -1e4, 0.0], &[2, 3], &device).require_grad();
    let target = classes::<1>(&[0, 1], &[2], &device);
    let [value, gradient] = found(&leaf, CrossEntropy::default().each(leaf.clone(), target.clone()), &[1.0, 1.0]);
    assert_eq!(value, [0.0, 2e4]);
    assert_close("gradient", &gradient, &[0.0, 0.0, 0.0, 1.0, -1.0, 0.0]);
    let [value, gradient] =
        found(&leaf, Focal::default().forward(leaf.clone(), target.clone(), Reduction::Sum), &[1.0]);
    assert_eq!(value, [2e4]);
    assert!(gradient.iter().all(|g| g.is_finite()));
    let dice = Dice::default().with_cross_entropy(leaf.clone(), target, [1.0, 1.0]);
    let [value, gradient] = found(&leaf, dice, &[1.0]);
    assert!(value[0].is_finite() && gradient.iter().all(|g| g.is_finite()), "{value:?} {gradient:?}");
    let target = tensor::<2>(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.5], &[2, 3], &device);
    let binary = BinaryCrossEntropy::default();
    let [value, gradient] = found(&leaf, binary.each(leaf.clone(), target, None), &[1.0; 6]);
    let half = 0.5_f32.ln().abs();
    assert_close("binary", &value, &[0.0, 0.0, half, 1e4, 1e4, half]);
    assert_close("gradient of binary", &gradient, &[0.0, 0.0, -0.5, 1.0, -1.0, 0.0]);
}

/// What stands where there is no label changes nothing, not even when it is no number.
#[test]
fn missing_labels_never_contribute() {
    let device = Device::flex().autodiff();
    let (bad, x) = (f32::NAN, drawn(12, 1.0, 5, 0));
    let mut spoilt = x.clone();
    (spoilt[1], spoilt[5], spoilt[9]) = (bad, f32::INFINITY, bad);
    let full = |values: &[f32]| tensor::<3>(values, &[1, 3, 4], &device).require_grad();
    let target = classes::<2>(&[2, 9, 0, 1], &[1, 4], &device);
    let by_class = CrossEntropy { ignore: Some(9), smoothing: 0.1, ..CrossEntropy::default() };
    let overlap = Dice { ignore: Some(9), ..Dice::default() };
    let both = |leaf: &Tensor<3>| {
        let first = found(leaf, by_class.forward(leaf.clone(), target.clone(), Reduction::Mean), &[1.0]);
        [first, found(leaf, overlap.with_cross_entropy(leaf.clone(), target.clone(), [1.0, 1.0]), &[1.0])]
    };
    let (clean, broken) = (both(&full(&x)), both(&full(&spoilt)));
    assert_eq!(clean, broken);
    for [_, gradient] in &clean {
        assert_eq!([gradient[1], gradient[5], gradient[9]], [0.0; 3]);
    }
    let rows = |values: &[f32]| tensor::<2>(values, &[4, 3], &device);
    let weights = tensor::<2>(&[1.0, 0.0, 1.0, 0.5], &[4, 1], &device);
    let mut missing = x.clone();
    missing[3..6].fill(bad);
    for loss in [mse::<2>, mae::<2>] {
        let (clean, broken) = (rows(&x).require_grad(), rows(&missing).require_grad());
        let target = rows(&missing);
        let one =
            found(&clean, loss(clean.clone() * 2.0, target.clone(), Some(weights.clone()), Reduction::Mean), &[1.0]);
        let two = found(&broken, loss(broken.clone() * 2.0, target, Some(weights.clone()), Reduction::Mean), &[1.0]);
        assert_eq!(one, two);
        // Of the 7.5 weighted values, the error of each is the value itself.
        assert!(one[0][0].is_finite() && one[0][0] > 0.0);
        assert_eq!(one[1][3..6], [0.0; 3]);
    }
}

#[test]
fn without_a_label_there_is_no_loss() {
    let device = Device::flex().autodiff();
    let leaf = tensor::<2>(&drawn(6, 1.0, 6, 0), &[2, 3], &device).require_grad();
    let none = classes::<1>(&[-1, -1], &[2], &device);
    let ignore = Some(-1);
    let entropy = CrossEntropy { ignore, ..CrossEntropy::default() };
    let losses = [
        entropy.forward(leaf.clone(), none.clone(), Reduction::Mean),
        Focal { ignore, ..Focal::default() }.forward(leaf.clone(), none.clone(), Reduction::Mean),
        Dice { ignore, ..Dice::default() }.with_cross_entropy(leaf.clone(), none, [1.0, 1.0]),
        mse(leaf.clone(), leaf.clone() + 1.0, Some(Tensor::zeros([2, 1], &device)), Reduction::Mean),
    ];
    for (which, loss) in losses.into_iter().enumerate() {
        assert_eq!(found(&leaf, loss, &[1.0]), [vec![0.0], vec![0.0; 6]], "loss {which}");
    }
}

#[test]
fn an_empty_batch_has_no_loss() {
    let device = Device::flex();
    let (logits, target) = (Tensor::<3>::zeros([0, 3, 5], &device), classes::<2>(&[], &[0, 5], &device));
    assert_eq!(values(CrossEntropy::default().forward(logits.clone(), target.clone(), Reduction::Mean)), [0.0]);
    assert_eq!(CrossEntropy::default().each(logits.clone(), target.clone()).dims(), [0, 5]);
    assert_eq!(values(Dice::default().with_cross_entropy(logits.clone(), target.clone(), [1.0, 1.0])), [0.0]);
    let by_sample = Dice { by_sample: true, ..Dice::default() };
    assert_eq!(values(by_sample.forward(logits.clone(), target)), [0.0]);
    assert_eq!(values(mse(logits.clone(), logits, None, Reduction::Mean)), [0.0]);
}

#[test]
#[should_panic(expected = "target 3 is none of 3 classes")]
fn a_target_that_is_no_class_is_refused() {
    let device = Device::flex();
    let target = classes::<1>(&[0, 3], &[2], &device);
    let _ = CrossEntropy::default().forward(Tensor::<2>::zeros([2, 3], &device), target, Reduction::Mean);
}

/// Integers of any width are classes; a perfect prediction has coefficient one, and the worst one zero.
#[test]
fn coefficients_of_sure_predictions() {
    let device = Device::flex();
    let target = [0_i64, 1, 1, 2];
    let logits: Vec<f32> = (0..12).map(|at| if target[at % 4] == (at / 4) as i64 { 50.0 } else { -50.0 }).collect();
    let logits = tensor::<3>(&logits, &[1, 3, 4], &device);
    let dice = Dice { smooth: 0.0, ..Dice::default() };
    for dtype in [DType::I64, DType::I32, DType::U8] {
        let data = TensorData::new(target.to_vec(), [1, 4]);
        let target = Tensor::<2, Int>::from_data(data, (&device, dtype));
        assert_close("perfect", &values(dice.coefficients(logits.clone(), target)), &[1.0; 3]);
    }
    let moved = classes::<2>(&[2, 0, 0, 1], &[1, 4], &device);
    assert_close("worst", &values(dice.coefficients(logits.clone(), moved)), &[0.0; 3]);
    // Of two predicted and two true positions of class 1 one is common: 2 · 1 / 4.
    let half = classes::<2>(&[1, 1, 0, 2], &[1, 4], &device);
    let own = Dice { background: false, ..dice };
    assert_close("half", &values(own.coefficients(logits.clone(), half)), &[0.5, 1.0]);
    let truth = tensor::<3>(&[1.0, 0.0, 1.0, 0.0], &[1, 1, 4], &device);
    let p = tensor::<3>(&[0.5, 0.5, 1.0, 0.0], &[1, 1, 4], &device);
    // 1 − 2 · 1.5 / (2 + 2)
    assert_close("given", &values(dice_of_probabilities(p, truth, &dice)), &[0.25]);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let all = || {
        let device = Device::flex().autodiff();
        let mut results = Vec::new();
        for shape in [[3, 4, 20_000], [9000, 5, 1], [70, 6, 33]] {
            let size = shape.iter().product();
            let leaf = tensor::<3>(&drawn(size, 3.0, 8, 0), &shape, &device).require_grad();
            let labels: Vec<i64> = (0..shape[0] * shape[2]).map(|at| at as i64 * 7 % shape[1] as i64).collect();
            let target = classes::<2>(&labels, &[shape[0], shape[2]], &device);
            let entropy = CrossEntropy { smoothing: 0.1, ..CrossEntropy::default() };
            results.extend(found(&leaf, entropy.forward(leaf.clone(), target.clone(), Reduction::Mean), &[0.7]));
            results.extend(found(&leaf, Dice::default().with_cross_entropy(leaf.clone(), target, [1.0, 0.5]), &[0.7]));
            let truth = tensor::<3>(&drawn(size, 1.0, 8, 1), &shape, &device);
            let binary = BinaryCrossEntropy::default().forward(leaf.clone(), truth, None, Reduction::Mean);
            results.extend(found(&leaf, binary, &[0.7]));
        }
        results
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(all)
    };
    assert_eq!(with(1), with(3));
}
