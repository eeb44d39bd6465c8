//! scikit-learn's `BernoulliRBM` on its digits.

use std::sync::atomic::AtomicBool;

use burn::module::Param;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use super::{assert_close, values};
use crate::data::{Shuffled, rng};
use crate::models::rbm::digits::{Digits, PIXELS, golden};
use crate::models::rbm::{Negative, RbmConfig, RbmLearner, RbmLearning};
use crate::train::{FitConfig, Learner, Monitor, fit};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn a_fitted_machine_gives_the_values_of_scikit_learn() {
    let golden = &golden()["machine"];
    let device = Device::flex();
    let single = |name: &str| numbers(&golden[name]).into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    let hidden = single("hidden_bias").len();
    let config = RbmConfig { visible: PIXELS, hidden, ..RbmConfig::default() };
    let mut rbm = config.init(&device, &mut rng(0, &[])).unwrap();
    rbm.weight = Param::from_data(TensorData::new(single("weight"), [PIXELS, hidden]), &device);
    rbm.visible_bias = Param::from_data(TensorData::new(single("visible_bias"), [PIXELS]), &device);
    rbm.hidden_bias = Param::from_data(TensorData::new(single("hidden_bias"), [hidden]), &device);

    let rows: Vec<usize> = numbers(&golden["rows"]).into_iter().map(|row| row as usize).collect();
    let digits = Digits::read();
    // scikit-learn indexes the whole table
    let images = digits.images(&rows);
    // sums of 64 products in single precision
    assert_close(&values(rbm.transform(images.clone())), &numbers(&golden["transform"]), 1e-5, "transform");
    assert_close(&values(rbm.free_energy(images.clone())), &numbers(&golden["free_energy"]), 1e-5, "free energy");
    let expected = numbers(&golden["pseudo_likelihood"]);
    let exact = values(rbm.pseudo_likelihood_exact(images.clone()).unwrap());
    assert_close(&exact, &expected, 1e-5, "pseudo-likelihood");

    // The estimate by one unit is unbiased: its mean over draws is the exact value.
    let draws: Vec<Vec<f64>> =
        (0..3000).map(|seed| values(rbm.pseudo_likelihood(images.clone(), &mut rng(seed, &[])).unwrap())).collect();
    let n = draws.len() as f64;
    for (row, exact) in exact.iter().enumerate() {
        let mean = draws.iter().map(|draw| draw[row]).sum::<f64>() / n;
        let variance = draws.iter().map(|draw| (draw[row] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        assert!((mean - exact).abs() < 4.0 * (variance / n).sqrt(), "row {row}: {mean} instead of {exact}");
    }
}

/// Mean and standard deviation over the seeds of scikit-learn.
fn moments(name: &str) -> (f64, f64) {
    let found = &golden()["digits"][name];
    (found["mean"].as_f64().unwrap(), found["sd"].as_f64().unwrap())
}

#[test]
fn digits_are_learnt_as_by_scikit_learn() {
    let digits = Digits::read();
    let (train, test) = (digits.images(&digits.train), digits.images(&digits.test));
    let config = RbmConfig { visible: PIXELS, hidden: 100, ..RbmConfig::default() };
    let rbm = config.init(&Device::flex(), &mut rng(0, &[])).unwrap();
    // what scikit-learn does: persistent chains, as many as a batch has rows, no momentum, no decay
    let learning = RbmLearning {
        negative: Negative::Persistent { steps: 1, chains: 10 },
        initial_momentum: 0.0,
        final_momentum: 0.0,
        weight_decay: 0.0,
        ..RbmLearning::default()
    };
    let mut learner = RbmLearner::new(rbm, train.clone(), train.clone(), learning).unwrap();
    let sampler = Shuffled::new((0..digits.train.len()).collect(), 10);
    let config = FitConfig { restore_best: false, ..FitConfig::new(10, 0.06, Monitor::higher("pseudo_likelihood")) };
    let outcome = fit(&mut learner, &sampler, &config, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let score = outcome.last_metrics.iter().find(|(name, _)| name == "pseudo_likelihood").unwrap().1;
    assert_eq!(learner.validate().unwrap(), outcome.last_metrics, "the same units are flipped at each validation");
    let rbm = learner.into_rbm();

    // 6 standard deviations of 12 seeds of scikit-learn, about 0.9 nats. A twin of this learner in numpy is 0.3 nats
    // above scikit-learn, whose last batch of an epoch has 7 rows against 10 chains that are not scaled down to them.
    let (mean, sd) = moments("pseudo_likelihood");
    let exact = values(rbm.pseudo_likelihood_exact(train.clone()).unwrap().mean())[0];
    assert!((exact - mean).abs() < 6.0 * sd, "pseudo-likelihood {exact}, scikit-learn {mean} ± {sd}");
    // One unit a row adds its own noise, 0.7 over the seeds; `score_samples` of seed 0 is −22.32.
    let (mean, sd) = moments("score");
    assert!((score - mean).abs() < 4.0 * sd, "score {score}, scikit-learn {mean} ± {sd}");
    // 3 % of the error; the tolerance is the rounded sum of 3 standard deviations of both sides
    let (mean, _) = moments("test_mse");
    let mse = values((rbm.reconstruct(test.clone()) - test.clone()).square().mean())[0];
    assert!((mse - mean).abs() < 0.004, "reconstruction error {mse}, scikit-learn {mean}");
    // 20 images of 360 are 0.056; the spread over seeds is 0.005 to 0.007 on both sides
    let (mean, _) = moments("accuracy");
    let features = (rbm.transform(train), rbm.transform(test));
    let labels = (digits.classes_of(&digits.train), digits.classes_of(&digits.test));
    let accuracy = logistic_regression(features, labels);
    assert!((accuracy - mean).abs() < 0.022, "accuracy {accuracy}, scikit-learn {mean}");
}

/// Accuracy on the second part of a multinomial regression with scikit-learn's C = 100, fitted on the first.
///
/// The curvature of the loss is below `½ XᵀX / n` for all weights (Böhning 1992), and so steps by the inverse of that
/// matrix, with Nesterov's momentum, need no line search. 100 of them reach the accuracy of 1000.
fn logistic_regression(features: (Tensor<2>, Tensor<2>), labels: (Vec<usize>, Vec<usize>)) -> f64 {
    let device = Device::flex();
    let with_one = |x: Tensor<2>| {
        let [rows, _] = x.dims();
        Tensor::cat(vec![x, Tensor::ones([rows, 1], &device)], 1)
    };
    let (train, test) = (with_one(features.0), with_one(features.1)); // [rows, d + 1]
    let [n, width] = train.dims();
    let penalty = 1.0 / (100.0 * n as f64);
    let one_hot: Vec<f32> =
        labels.0.iter().flat_map(|&label| (0..10).map(move |class| f32::from(u8::from(class == label)))).collect();
    let one_hot = Tensor::<2>::from_data(TensorData::new(one_hot, [n, 10]), &device);
    let gram = values(train.clone().transpose().matmul(train.clone()));
    let curvature: Vec<f64> = gram
        .iter()
        .enumerate()
        .map(|(at, g)| 0.5 * g / n as f64 + if at.is_multiple_of(width + 1) { penalty } else { 0.0 })
        .collect();
    let factor = cholesky(&curvature, width);
    let shrink: Vec<f32> = (0..width).map(|row| if row + 1 < width { penalty as f32 } else { 0.0 }).collect();
    let shrink = Tensor::<2>::from_data(TensorData::new(shrink, [width, 1]), &device);
    let mut weights = vec![0.0; width * 10];
    let mut ahead = weights.clone();
    let tensor = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, [width, 10]), &device)
    };
    for step in 0..100 {
        let at = tensor(&ahead);
        let error = softmax(train.clone().matmul(at.clone()), 1) - one_hot.clone(); // [n, 10]
        let slope = train.clone().transpose().matmul(error).div_scalar(n as f64) + at * shrink.clone();
        let step_down = solve(&factor, width, values(slope));
        let next: Vec<f64> = ahead.iter().zip(step_down).map(|(a, s)| a - s).collect();
        let momentum = f64::from(step) / f64::from(step + 3);
        ahead = next.iter().zip(&weights).map(|(next, last)| next + momentum * (next - last)).collect();
        weights = next;
    }
    let logits = values(test.matmul(tensor(&weights)));
    let right = logits.chunks_exact(10).zip(&labels.1).filter(|(logits, label)| {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        best == **label
    });
    right.count() as f64 / labels.1.len() as f64
}

/// `L` of a positive definite matrix `LLᵀ`, row-major.
fn cholesky(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| factor[i * n + k] * factor[j * n + k]).sum();
            let left = matrix[i * n + j] - sum;
            factor[i * n + j] = if i == j { left.sqrt() } else { left / factor[j * n + j] };
        }
    }
    factor
}

/// Solves `LLᵀx = b` for ten right sides, `[n, 10]` row-major.
fn solve(factor: &[f64], n: usize, mut b: Vec<f64>) -> Vec<f64> {
    for column in 0..10 {
        for i in 0..n {
            let sum: f64 = (0..i).map(|k| factor[i * n + k] * b[k * 10 + column]).sum();
            b[i * 10 + column] = (b[i * 10 + column] - sum) / factor[i * n + i];
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..n).map(|k| factor[k * n + i] * b[k * 10 + column]).sum();
            b[i * 10 + column] = (b[i * 10 + column] - sum) / factor[i * n + i];
        }
    }
    b
}
