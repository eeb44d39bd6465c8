//! The variational autoencoder against PyTorch's distributions, closed forms, and its own bound.

use std::f64::consts::PI;

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::*;
use crate::data::rng;
use crate::models::autoencoder::{
    Dense, ElboObjective, Likelihood, Posterior, VariationalAutoencoder, VariationalConfig, normal,
};
use crate::models::mlp::Activation;

/// The model of a case of the reference file.
fn built(case: &Value, device: &Device) -> VariationalAutoencoder {
    let parameters = &case["parameters"];
    let dense = |layer: &str| Dense {
        weight: Param::from_data(data(&parameters[layer][0]), device),
        bias: Param::from_data(data(&parameters[layer][1]), device),
    };
    let likelihood = match case["name"].as_str().unwrap() {
        "bernoulli" => Likelihood::Bernoulli,
        _ => Likelihood::Gaussian { sd: case["sd"].as_f64() },
    };
    let beta = case["beta"].as_f64().unwrap();
    let sizes = VariationalConfig { inputs: 6, hidden: vec![5], latent: 3, ..VariationalConfig::default() };
    VariationalAutoencoder {
        encoder: vec![dense("encoder")],
        mean: dense("mean"),
        log_variance: dense("log_variance"),
        decoder: vec![dense("decoder")],
        output: dense("output"),
        output_log_variance: parameters.get("output_log_variance").map(|_| dense("output_log_variance")),
        config: VariationalConfig { activation: Activation::Tanh, likelihood, beta, ..sizes },
    }
}

#[test]
fn bounds_and_gradients_are_those_of_pytorch() {
    let device = Device::flex().autodiff();
    let golden: Value = serde_json::from_str(include_str!("../../../../tests/golden/vae.json")).unwrap();
    for case in golden.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let model = built(case, &device);
        let tensor = |name: &str| Tensor::<2>::from_data(data(&case[name]), &device);
        let (x, noise) = (tensor("x"), tensor("noise"));
        let posterior = model.posterior(x.clone());
        // a few sums of at most 6 products in single precision: 1e-6 of the largest, with room
        assert_close(posterior.mean.clone(), &case["mean"], 1e-5, name);
        assert_close(posterior.log_variance.clone(), &case["log_variance"], 1e-5, name);
        assert_close(posterior.divergence(), &case["divergence"], 1e-5, name);
        let likelihood = model.log_likelihood(x.clone(), posterior.sample(noise.clone()));
        assert_close(likelihood, &case["likelihood"], 1e-5, name);
        let elbo = model.elbo(x, noise);
        assert_close(elbo.clone(), &case["elbo"], 1e-5, name);

        let found = GradientsParams::from_grads(elbo.mean().neg().backward(), &model);
        let mut layers = vec![
            ("encoder", &model.encoder[0]),
            ("mean", &model.mean),
            ("log_variance", &model.log_variance),
            ("decoder", &model.decoder[0]),
            ("output", &model.output),
        ];
        layers.extend(model.output_log_variance.as_ref().map(|layer| ("output_log_variance", layer)));
        assert_eq!(layers.len(), case["gradients"].as_object().unwrap().len());
        for (layer, dense) in layers {
            let expected = &case["gradients"][layer];
            assert_close(found.get::<2>(dense.weight.id).unwrap(), &expected[0], 1e-5, layer);
            assert_close(found.get::<1>(dense.bias.id).unwrap(), &expected[1], 1e-5, layer);
        }
    }
}

#[test]
fn the_divergence_is_what_sampling_estimates() {
    let device = Device::flex();
    let (mean, log_variance) = ([0.8_f32, -1.5, 0.1], [-1.0_f32, 0.5, 0.0]);
    let posterior = Posterior {
        mean: Tensor::from_data([mean], &device),
        log_variance: Tensor::from_data([log_variance], &device),
    };
    let found = f64::from(values(posterior.divergence())[0]);
    let noise = normal([1_000_000, 3], &mut rng(8, &[]), &device);
    let z = values(posterior.sample(noise.clone())); // one row of parameters, a million of noise
    let noise = values(noise);
    // ln q(z) − ln p(z), whose factors of 2π cancel
    let log_ratio = |at: usize| {
        let (z, noise) = (f64::from(z[at]), f64::from(noise[at]));
        0.5 * (z * z - noise * noise - f64::from(log_variance[at % 3]))
    };
    let sampled = (0..3_000_000).map(log_ratio).sum::<f64>() / 1e6;
    // a row's standard deviation is about 2.1: 0.0021 for the mean of a million, of a divergence of 1.7
    assert!((found / sampled - 1.0).abs() < 0.01, "{found}, sampled {sampled}");

    let prior = Posterior { mean: Tensor::zeros([4, 7], &device), log_variance: Tensor::zeros([4, 7], &device) };
    assert_eq!(values(prior.divergence()), [0.0; 4]);
}

/// A linear model of one latent dimension: x = b + w z + noise of deviation `SD`, which is normal with covariance
/// w wᵀ + SD² I. Its encoder is the exact posterior.
const SLOPES: [f64; 2] = [0.8, -0.6];
const OFFSETS: [f64; 2] = [0.1, 0.3];
const SD: f64 = 0.5;

fn linear(device: &Device) -> VariationalAutoencoder {
    let variance = 1.0 / (1.0 + SLOPES.iter().map(|w| w * w).sum::<f64>() / (SD * SD));
    let slopes = SLOPES.map(|w| variance * w / (SD * SD));
    let offset = -slopes.iter().zip(OFFSETS).map(|(slope, b)| slope * b).sum::<f64>();
    let dense = |weight: &[f64], shape: [usize; 2], bias: &[f64]| {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
        Dense {
            weight: Param::from_data(TensorData::new(narrow(weight), shape), device),
            bias: Param::from_data(TensorData::new(narrow(bias), [bias.len()]), device),
        }
    };
    VariationalAutoencoder {
        encoder: vec![],
        mean: dense(&slopes, [2, 1], &[offset]),
        log_variance: dense(&[0.0, 0.0], [2, 1], &[variance.ln()]),
        decoder: vec![],
        output: dense(&SLOPES, [1, 2], &OFFSETS),
        output_log_variance: None,
        config: VariationalConfig {
            inputs: 2,
            hidden: vec![],
            latent: 1,
            likelihood: Likelihood::Gaussian { sd: Some(SD) },
            ..VariationalConfig::default()
        },
    }
}

#[test]
fn with_the_exact_posterior_one_draw_gives_the_likelihood() {
    let device = Device::flex();
    let model = linear(&device);
    let rows = Rows::new(vec![0.0, 0.0, 1.0, -1.0, -2.5, 0.7, 3.0, 3.0], 2).unwrap();
    let ([a, b], noise) = (SLOPES, SD * SD);
    // covariance [[a² + s², ab], [ab, b² + s²]]
    let determinant = (a * a + noise) * (b * b + noise) - a * b * a * b;
    for draws in [1, 7] {
        let found = model.importance_log_likelihood(&rows, draws, &mut rng(9, &[draws as u64])).unwrap();
        for (found, row) in found.iter().zip(rows.values().chunks(2)) {
            let (u, v) = (f64::from(row[0]) - OFFSETS[0], f64::from(row[1]) - OFFSETS[1]);
            let distance = ((b * b + noise) * u * u - 2.0 * a * b * u * v + (a * a + noise) * v * v) / determinant;
            let expected = -(2.0 * PI).ln() - 0.5 * determinant.ln() - 0.5 * distance;
            // every weight is the same number; terms of up to 100 cancel in single precision
            assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
        }
    }
    assert!(model.importance_log_likelihood(&rows, 0, &mut rng(9, &[])).is_err());
    assert!(model.importance_log_likelihood(&Rows::new(vec![0.0; 3], 3).unwrap(), 1, &mut rng(9, &[])).is_err());
}

#[test]
fn the_bound_rises_and_importance_weights_tighten_it() {
    let digits = Digits::read();
    let config = VariationalConfig { inputs: 64, hidden: vec![64], latent: 8, ..VariationalConfig::default() };
    let objective = ElboObjective::new(&config, digits.train.clone(), Some(digits.test.clone())).unwrap();
    let judge = objective.clone();
    let model = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let course = Course { epochs: 15, batch: 64, rate: 3e-3, schedule: Schedule::Constant };
    let (model, losses) = learn(objective, model, digits.train.len(), course);

    // the mean of each epoch, smoothed: in a PyTorch twin the smallest rise of 15 epochs is 0.13 nats
    let mut smooth = -losses[0];
    for loss in &losses[1..] {
        let next = 0.5 * smooth - 0.5 * loss;
        assert!(next > smooth, "{losses:?}");
        smooth = next;
    }
    // from −39 to −26 nats in the twin
    assert!(losses[0] - losses[14] > 8.0, "{losses:?}");

    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let every: Vec<usize> = (0..digits.test.len()).collect();
    let x = digits.test.batch(&every, &Device::flex()).unwrap();
    let mut generator = rng(2, &[]);
    let bounds: Vec<f64> = (0..50)
        .map(|_| {
            let noise = normal([360, 8], &mut generator, &Device::flex());
            f64::from(values(model.elbo(x.clone(), noise).mean())[0])
        })
        .collect();
    let bound = mean(&bounds);
    // the twin's gap is 0.15 nats, the error of both means about 0.02
    let estimate = mean(&model.importance_log_likelihood(&digits.test, 50, &mut generator).unwrap());
    assert!(estimate > bound, "{estimate} is not above {bound}");

    let metrics = judge.validate(&model).unwrap();
    assert_eq!(
        metrics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["elbo", "log_likelihood", "divergence"]
    );
    // one draw for each of 360 rows, of which the standard deviation is about 2 nats
    assert!((metrics[0].1 - bound).abs() < 0.5 && metrics[2].1 > 0.0, "{metrics:?}, bound {bound}");
    assert_eq!(model.sample(5, &mut generator).dims(), [5, 64]);
}

#[test]
fn more_draws_and_another_factor_change_the_loss_as_they_should() {
    use crate::train::StepContext;

    let device = Device::flex().autodiff();
    let rows = Rows::new(Digits::read().train.values()[..64 * 40].to_vec(), 64).unwrap();
    let every: Vec<usize> = (0..40).collect();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
    let loss = |beta: f64, draws: usize| {
        let sizes = VariationalConfig { inputs: 64, hidden: vec![16], latent: 4, ..VariationalConfig::default() };
        let config = VariationalConfig { beta, draws, ..sizes };
        let model = config.init(&device, &mut rng(1, &[])).unwrap();
        let objective = ElboObjective::new(&config, rows.clone(), None).unwrap();
        assert!(objective.validate(&model).unwrap().is_empty());
        f64::from(values(objective.loss(&model, &every, &context).unwrap())[0])
    };
    // the same noise: twice the factor adds the divergence once more
    let (none, one, two) = (loss(0.0, 1), loss(1.0, 1), loss(2.0, 1));
    assert!(one > none && (two - one - (one - none)).abs() < 1e-4, "{none} {one} {two}");
    // means of one and of 30 draws of the same likelihood, some 45 nats
    assert!((loss(0.0, 30) - none).abs() < 2.0);
}
