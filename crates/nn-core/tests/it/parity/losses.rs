//! Losses: found together with their gradient on `cpu`, composed of burn's operations elsewhere.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::losses::{
    BinaryCrossEntropy, BinaryFocal, CrossEntropy, Dice, Focal, Reduction, Tversky, dice_of_probabilities, huber, mae,
    mse,
};

use super::{Outputs, agree, flat, input, numbers, random, traced};

const REDUCTIONS: [(&str, Reduction); 2] = [("mean", Reduction::Mean), ("sum", Reduction::Sum)];
/// Stands for a missing label.
const MISSING: i64 = 255;

/// Compares the losses that `of` makes of an input, and its gradient through all of them.
#[track_caller]
fn agree_losses<const D: usize>(shape: [usize; D], of: impl Fn(&Tensor<D>, &Device) -> Outputs) {
    agree(1.0, |device| {
        let x = input(shape, 1, device);
        traced(&x, of(&x.val(), device), 1)
    });
}

/// Classes below 5, every sixth of them missing if one may be.
fn classes<const T: usize>(shape: [usize; T], ignore: Option<i64>, device: &Device) -> Tensor<T, Int> {
    let size: usize = shape.iter().product();
    let class = |at: usize| ignore.filter(|_| at % 6 == 4).unwrap_or((at * 7 % 5) as i64);
    Tensor::from_data(TensorData::new((0..size).map(class).collect::<Vec<i64>>(), shape), device)
}

/// Numbers from 0 to 1.
fn shares<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = numbers(shape.iter().product(), 2).into_iter().map(|x| 0.5 * (x + 1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// 0, ½, 1, 1½ in turn: some do not count.
fn weights<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let size: usize = shape.iter().product();
    let values: Vec<f32> = (0..size).map(|at| (at % 4) as f32 * 0.5).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// None, one for each value, one for each row.
fn kinds_of_weights(device: &Device) -> [Option<Tensor<3>>; 3] {
    [None, Some(weights([3, 2, 5], device)), Some(weights([3, 1, 1], device))]
}

#[test]
fn cross_entropy_and_focal_loss_of_classes() {
    let of_class = vec![0.5, 1.0, 2.0, 1.5, 0.25];
    for (weights, ignore, smoothing) in [
        (None, None, 0.0),
        (Some(of_class.clone()), Some(MISSING), 0.0),
        (None, Some(MISSING), 0.1),
        (Some(of_class), Some(MISSING), 0.2),
    ] {
        let focal = Focal { weights: weights.clone(), ignore, ..Focal::default() };
        let entropy = CrossEntropy { weights, ignore, smoothing };
        agree_losses([2, 5, 3, 4], |logits, device| {
            let targets = classes([2, 3, 4], ignore, device);
            let mut found = vec![
                ("each entropy", flat(entropy.each(logits.clone(), targets.clone()))),
                ("each focal", flat(focal.each(logits.clone(), targets.clone()))),
            ];
            for (name, reduction) in REDUCTIONS {
                found.push((name, entropy.forward(logits.clone(), targets.clone(), reduction)));
                found.push((name, focal.forward(logits.clone(), targets.clone(), reduction)));
            }
            found
        });
        // rows without positions
        agree_losses([7, 5], |logits, device| {
            let targets = classes([7], ignore, device);
            vec![
                ("entropy", entropy.forward(logits.clone(), targets.clone(), Reduction::Mean)),
                ("focal", focal.forward(logits.clone(), targets, Reduction::Mean)),
            ]
        });
    }
}

#[test]
fn cross_entropy_and_focal_loss_of_yes_and_no() {
    for (positive, alpha) in [(None, Some(0.25)), (Some(vec![3.0, 0.5]), None)] {
        let entropy = BinaryCrossEntropy { positive };
        let focal = BinaryFocal { alpha, ..BinaryFocal::default() };
        agree_losses([3, 2, 5], |logits, device| {
            let targets = shares([3, 2, 5], device);
            let mut found = Vec::new();
            for weights in kinds_of_weights(device) {
                let of = || (logits.clone(), targets.clone(), weights.clone());
                let (x, t, w) = of();
                found.push(("each entropy", flat(entropy.each(x, t, w))));
                let (x, t, w) = of();
                found.push(("each focal", flat(focal.each(x, t, w))));
                for (name, reduction) in REDUCTIONS {
                    let (x, t, w) = of();
                    found.push((name, entropy.forward(x, t, w, reduction)));
                    let (x, t, w) = of();
                    found.push((name, focal.forward(x, t, w, reduction)));
                }
            }
            found
        });
    }
    // one axis: a batch of single logits
    agree_losses([9], |logits, device| {
        let (entropy, focal) = (BinaryCrossEntropy::default(), BinaryFocal::default());
        vec![
            ("entropy", entropy.forward(logits.clone(), shares([9], device), None, Reduction::Mean)),
            ("focal", focal.forward(logits.clone(), shares([9], device), None, Reduction::Mean)),
        ]
    });
}

#[test]
fn errors_of_numbers() {
    agree_losses([3, 2, 5], |predictions, device| {
        let targets = random([3, 2, 5], 2, device);
        let mut found = Vec::new();
        for weights in kinds_of_weights(device) {
            let of = || (predictions.clone(), targets.clone(), weights.clone());
            for (name, reduction) in REDUCTIONS {
                let (x, t, w) = of();
                found.push((name, mse(x, t, w, reduction)));
                let (x, t, w) = of();
                found.push((name, mae(x, t, w, reduction)));
                // some of the distances, from 0 to 2, are below, some above
                let (x, t, w) = of();
                found.push((name, huber(x, t, w, 0.6, reduction)));
            }
        }
        found
    });
    agree_losses([9], |predictions, device| {
        let targets = random([9], 2, device);
        vec![
            ("squared", mse(predictions.clone(), targets.clone(), None, Reduction::Mean)),
            ("absolute", mae(predictions.clone(), targets.clone(), None, Reduction::Mean)),
            ("Huber's", huber(predictions.clone(), targets, None, 0.6, Reduction::Mean)),
        ]
    });
}

#[test]
fn overlaps_of_regions() {
    for (by_sample, background, ignore) in [(false, true, None), (true, false, Some(MISSING)), (true, true, None)] {
        let dice = Dice { by_sample, background, ignore, ..Dice::default() };
        let tversky = Tversky { by_sample, background, ignore, ..Tversky::default() };
        agree_losses([2, 5, 3, 4], |logits, device| {
            let targets = || classes([2, 3, 4], ignore, device);
            vec![
                ("coefficients", flat(dice.coefficients(logits.clone(), targets()))),
                ("Dice", dice.forward(logits.clone(), targets())),
                ("Dice beside entropy", dice.with_cross_entropy(logits.clone(), targets(), [1.0, 0.5])),
                ("indices", flat(tversky.indices(logits.clone(), targets()))),
                ("Tversky", tversky.forward(logits.clone(), targets())),
            ]
        });
        // composed on every device: what is compared are burn's own operations
        let dice = Dice { ignore: None, ..dice };
        agree_losses([2, 5, 3, 4], |logits, device| {
            let truth = random([2, 5, 3, 4], 2, device).greater_elem(0.0).float();
            vec![("Dice of probabilities", dice_of_probabilities(sigmoid(logits.clone()), truth, &dice))]
        });
    }
}
