//! Sparsity and contraction.

use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::*;
use crate::data::rng;
use crate::models::autoencoder::{
    Autoencoder, AutoencoderConfig, Contraction, Reconstruct, ReconstructConfig, Sparsity, jacobian_norm,
    jacobian_norm_estimate,
};
use crate::models::mlp::Activation;

#[test]
fn sparsity_is_the_divergence_of_two_coins() {
    let device = Device::flex();
    let code = Tensor::<2>::from_data([[0.2_f32, 0.05, 1.0], [0.4, 0.05, 1.0]], &device);
    let penalty = |target: f64, code: Tensor<2>| f64::from(values(Sparsity { target, weight: 2.0 }.penalty(code))[0]);
    let coins = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
    // the third unit is always active and counts as 1 − 1e-6
    let expected = 2.0 * (coins(0.05, 0.3) + coins(0.05, 0.05) + coins(0.05, 1.0 - 1e-6));
    let found = penalty(0.05, code.clone());
    // 1 − 1e-6 has an error of 6e-8 in single precision: 3 % of the distance from 1
    assert!((found - expected).abs() < 0.1, "{found} instead of {expected}");
    let two = code.narrow(1, 0, 2);
    let expected = 2.0 * (coins(0.1, 0.3) + coins(0.1, 0.05));
    assert!((penalty(0.1, two.clone()) - expected).abs() < 1e-5);
    assert!(penalty(0.05, two.narrow(1, 1, 1)).abs() < 1e-6);
}

/// The test rows, and the model that learns from the training rows with these settings.
fn learnt(settings: ReconstructConfig, hidden: &[usize]) -> (Autoencoder, Tensor<2>) {
    let digits = Digits::read();
    let config = AutoencoderConfig { inputs: 64, hidden: hidden.to_vec(), ..AutoencoderConfig::default() };
    let objective = Reconstruct::new(settings, &config, digits.train.clone(), None).unwrap();
    let model = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let course = Course { epochs: 8, batch: 64, rate: 1e-2, schedule: Schedule::Constant };
    let (model, _) = learn(objective, model, digits.train.len(), course);
    let every: Vec<usize> = (0..digits.test.len()).collect();
    (model, digits.test.batch(&every, &Device::flex()).unwrap())
}

#[test]
fn sparsity_makes_codes_sparse() {
    let activity = |sparsity: Option<Sparsity>| {
        let (model, x) = learnt(ReconstructConfig { sparsity, ..ReconstructConfig::default() }, &[40]);
        f64::from(values(model.encode(x).mean())[0])
    };
    let (plain, sparse) = (activity(None), activity(Some(Sparsity { target: 0.05, weight: 0.1 })));
    // a PyTorch twin: 0.51 without, 0.052 with the penalty
    assert!((sparse - 0.05).abs() < 0.1 * (plain - 0.05).abs(), "{plain} to {sparse}");
}

#[test]
fn contraction_makes_codes_stiff_whether_the_norm_is_exact_or_estimated() {
    for hidden in [&[40][..], &[40, 20]] {
        let norm = |contraction: Option<Contraction>| {
            let (model, x) = learnt(ReconstructConfig { contraction, ..ReconstructConfig::default() }, hidden);
            f64::from(values(jacobian_norm_estimate(&model, &x, 20, 1e-2, &mut rng(2, &[])).mean())[0])
        };
        let (plain, stiff) = (norm(None), norm(Some(Contraction::new(0.05))));
        // with one layer 12.6 and 0.03 in a PyTorch twin
        assert!(stiff < 0.25 * plain, "{hidden:?}: {plain} to {stiff}");
    }
}

/// The code of one row in double precision.
fn code(model: &Autoencoder, row: &[f64]) -> Vec<f64> {
    let unit = |x: f64| match model.config().activation {
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
        _ => x,
    };
    let mut x = row.to_vec();
    for layer in model.encoder() {
        let [_, units] = layer.weight.dims();
        let (weight, bias) = (values(layer.weight.val()), values(layer.bias.val()));
        x = (0..units)
            .map(|j| {
                let sum: f64 = x.iter().enumerate().map(|(i, x)| x * f64::from(weight[i * units + j])).sum();
                unit(sum + f64::from(bias[j]))
            })
            .collect();
    }
    x
}

/// ‖J‖² of a row by central differences along every column.
fn brute_force(model: &Autoencoder, row: &[f64]) -> f64 {
    let step = 1e-5;
    let mut sum = 0.0;
    for column in 0..row.len() {
        let moved = |by: f64| {
            let mut row = row.to_vec();
            row[column] += by;
            code(model, &row)
        };
        let (there, back) = (moved(step), moved(-step));
        sum += there.iter().zip(&back).map(|(a, b)| ((a - b) / (2.0 * step)).powi(2)).sum::<f64>();
    }
    sum
}

/// A model and rows for it.
fn example(activation: Activation, hidden: &[usize], device: &Device) -> (Autoencoder, Rows) {
    let config = AutoencoderConfig { inputs: 5, hidden: hidden.to_vec(), activation, ..AutoencoderConfig::default() };
    let model = config.init(device, &mut rng(4, &[])).unwrap();
    let rows = (0..30).map(|i| ((i * 37 % 29) as f32 - 14.0) / 10.0).collect();
    (model, Rows::new(rows, 5).unwrap())
}

fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn the_exact_norm_is_that_of_the_jacobian() {
    let device = Device::flex();
    for activation in [Activation::Linear, Activation::Sigmoid, Activation::Tanh, Activation::Relu] {
        let (model, rows) = example(activation, &[4], &device);
        let x = rows.batch(&[0, 1, 2, 3, 4, 5], &device).unwrap();
        let found = values(jacobian_norm(&model, model.encode(x)).unwrap());
        for (found, row) in found.iter().zip(rows.values().chunks(5)) {
            let expected = brute_force(&model, &wide(row));
            // single precision against differences that are exact to 1e-9
            assert!(
                (f64::from(*found) - expected).abs() < 1e-4 * expected.max(0.1),
                "{activation:?}: {found} {expected}"
            );
        }
    }
    let (deep, _) = example(Activation::Sigmoid, &[4, 3], &device);
    assert!(jacobian_norm(&deep, Tensor::zeros([1, 3], &device)).is_none());
    let (other, _) = example(Activation::Gelu, &[4], &device);
    assert!(jacobian_norm(&other, Tensor::zeros([1, 4], &device)).is_none());
}

#[test]
fn random_directions_estimate_the_norm_of_any_encoder() {
    let device = Device::flex();
    let (model, rows) = example(Activation::Tanh, &[6, 3], &device);
    let x = rows.batch(&[0, 1, 2, 3, 4, 5], &device).unwrap();
    let found = values(jacobian_norm_estimate(&model, &x, 4000, 1e-2, &mut rng(6, &[])));
    for (found, row) in found.iter().zip(rows.values().chunks(5)) {
        let expected = brute_force(&model, &wide(row));
        // the standard deviation of ‖Jv‖² is at most √2 ‖J‖²: 2.2 % for 4,000 directions
        assert!((f64::from(*found) / expected - 1.0).abs() < 0.1, "{found} instead of {expected}");
    }
    assert_eq!(values(jacobian_norm_estimate(&model, &x, 0, 1e-2, &mut rng(6, &[]))), [0.0; 6]);
}

#[test]
fn the_penalty_has_the_gradient_of_the_norm() {
    let device = Device::flex().autodiff();
    let (model, rows) = example(Activation::Sigmoid, &[4], &device);
    let x = rows.batch(&[0, 1, 2], &device).unwrap();
    let penalty = Contraction::new(0.7).penalty(&model, &x, model.encode(x.clone()), &mut rng(6, &[]));
    let gradients = GradientsParams::from_grads(penalty.backward(), &model);
    let found = values(gradients.get::<2>(model.encoder()[0].weight.id).unwrap());

    // the closed form in double precision, differentiated by central differences
    let (weight, bias) = (wide(&values(model.encoder()[0].weight.val())), values(model.encoder()[0].bias.val()));
    let norm = |weight: &[f64]| {
        let mut sum = 0.0;
        for row in rows.values().chunks(5).take(3) {
            for (j, bias) in bias.iter().enumerate() {
                let column: Vec<f64> = weight.iter().skip(j).step_by(4).copied().collect();
                let a: f64 = row.iter().zip(&column).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + f64::from(*bias);
                let h = 1.0 / (1.0 + (-a).exp());
                sum += (h * (1.0 - h)).powi(2) * column.iter().map(|w| w * w).sum::<f64>();
            }
        }
        0.7 * sum / 3.0
    };
    for (index, &found) in found.iter().enumerate() {
        let moved = |by: f64| {
            let mut weight = weight.clone();
            weight[index] += by;
            norm(&weight)
        };
        let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((f64::from(found) - expected).abs() < 1e-6, "{index}: {found} instead of {expected}");
    }
}
