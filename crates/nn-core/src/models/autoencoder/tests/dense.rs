//! Plain, tied and denoising autoencoders.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::*;
use crate::config::ConfigError;
use crate::data::rng;
use crate::models::autoencoder::{
    Autoencoder, AutoencoderConfig, Corruption, Dense, Reconstruct, ReconstructConfig, ReconstructionLoss, Sparsity,
};
use crate::models::mlp::Activation;
use crate::store::{Metadata, to_safetensors};

/// The rows minus the mean of the rows.
fn centred(rows: &Rows) -> Rows {
    let columns = rows.columns();
    let mean: Vec<f64> = (0..columns)
        .map(|column| {
            let values = rows.values().iter().skip(column).step_by(columns);
            values.map(|&value| f64::from(value)).sum::<f64>() / rows.len() as f64
        })
        .collect();
    let values = rows.values().chunks(columns).flat_map(|row| row.iter().zip(&mean));
    Rows::new(values.map(|(value, mean)| (f64::from(*value) - mean) as f32).collect(), columns).unwrap()
}

/// A linear autoencoder with k code units cannot have a smaller squared error than the k leading principal components,
/// whose error is the sum of the other eigenvalues, and has no other minimum (Baldi & Hornik 1989, *Neural Networks*
/// 2:53).
fn reaches_principal_components(k: usize, published: f64) {
    let golden = golden();
    let eigenvalues = flat(&golden["eigenvalues"]);
    let bound: f64 = eigenvalues[k..].iter().sum();
    assert!((bound - golden["bounds"][k.to_string()].as_f64().unwrap()).abs() < 1e-12);
    assert!((bound - published).abs() < 5e-7, "{bound}");

    let train = centred(&Digits::read().train);
    let (activation, output) = (Activation::Linear, Activation::Linear);
    let config = AutoencoderConfig { inputs: 64, hidden: vec![k], activation, output, tied: false };
    let model = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let objective = Reconstruct::new(ReconstructConfig::default(), &config, train.clone(), None).unwrap();
    let course = Course { epochs: 60, batch: 32, rate: 2e-2, schedule: Schedule::Exponential { factor: 0.92 } };
    let (model, _) = learn(objective, model, train.len(), course);
    let every: Vec<usize> = (0..train.len()).collect();
    let found = values(model.forward(train.batch(&every, &Device::flex()).unwrap()));
    let error = mse(&found, train.values());
    // below: rounding to single precision alone, about 1e-8; above: a PyTorch twin ends at most 0.2 % above
    assert!((bound - 1e-6..=1.01 * bound).contains(&error), "{error}, bound {bound}");
}

#[test]
fn a_linear_code_of_8_reaches_principal_components() {
    reaches_principal_components(8, 0.023_640);
}

#[test]
fn a_linear_code_of_16_reaches_principal_components() {
    reaches_principal_components(16, 0.010_874);
}

#[test]
fn a_linear_code_of_32_reaches_principal_components() {
    reaches_principal_components(32, 0.002_430);
}

#[test]
fn a_denoising_autoencoder_removes_noise_from_unseen_rows() {
    let digits = Digits::read();
    let config = AutoencoderConfig { inputs: 64, hidden: vec![96], ..AutoencoderConfig::default() };
    let corruption = Corruption::Masking { fraction: 0.2 };
    let loss = ReconstructionLoss::BinaryCrossEntropy;
    let settings = ReconstructConfig { loss, corruption, ..ReconstructConfig::default() };
    let objective = Reconstruct::new(settings, &config, digits.train.clone(), None).unwrap();
    let model = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let course = Course { epochs: 15, batch: 64, rate: 3e-3, schedule: Schedule::Constant };
    let (model, _) = learn(objective, model, digits.train.len(), course);

    let mut noisy = digits.test.values().to_vec();
    corruption.apply(&mut noisy, 64, &mut rng(2, &[]));
    let before = mse(&noisy, digits.test.values());
    let noisy = Rows::new(noisy, 64).unwrap();
    let every: Vec<usize> = (0..noisy.len()).collect();
    let after = mse(&values(model.forward(noisy.batch(&every, &Device::flex()).unwrap())), digits.test.values());
    // a PyTorch twin goes from 0.048 to 0.026; a copy of its input would stay at 0.048
    assert!(after < 0.75 * before, "{before} to {after}");
}

#[test]
fn no_corruption_is_the_plain_autoencoder_bit_for_bit() {
    let digits = Digits::read();
    let few = Rows::new(digits.train.values()[..64 * 200].to_vec(), 64).unwrap();
    let config = AutoencoderConfig { inputs: 64, hidden: vec![20], ..AutoencoderConfig::default() };
    let weights = |corruption: Corruption| {
        let settings = ReconstructConfig { corruption, ..ReconstructConfig::default() };
        let objective = Reconstruct::new(settings, &config, few.clone(), None).unwrap();
        let model = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
        let course = Course { epochs: 2, batch: 32, rate: 1e-2, schedule: Schedule::Constant };
        let (model, _) = learn(objective, model, few.len(), course);
        to_safetensors(&model, &Metadata::new()).unwrap()
    };
    let plain = weights(Corruption::None);
    assert!(plain == weights(Corruption::Masking { fraction: 0.0 }));
    assert!(plain == weights(Corruption::Gaussian { sd: 0.0 }));
    assert!(plain == weights(Corruption::SaltAndPepper { fraction: 0.0, low: 0.0, high: 1.0 }));
    let noisy = weights(Corruption::Masking { fraction: 0.1 });
    assert!(plain != noisy && noisy == weights(Corruption::Masking { fraction: 0.1 }));
}

/// The autoencoder of a case of the reference file.
fn built(case: &Value, device: &Device) -> (Autoencoder, ReconstructionLoss) {
    let list = |name: &str| case[name].as_array().unwrap().clone();
    let (weights, biases) = (list("weights"), list("biases"));
    let encoder: Vec<Dense> = weights
        .iter()
        .zip(&biases)
        .map(|(weight, bias)| Dense {
            weight: Param::from_data(data(weight), device),
            bias: Param::from_data(data(bias), device),
        })
        .collect();
    let tied = case["name"].as_str().unwrap().starts_with("tied");
    let (activation, output, loss) = if tied {
        (Activation::Sigmoid, Activation::Sigmoid, ReconstructionLoss::BinaryCrossEntropy)
    } else {
        (Activation::Tanh, Activation::Linear, ReconstructionLoss::Mse)
    };
    let inputs = encoder[0].weight.dims()[0];
    let hidden = encoder.iter().map(|layer| layer.weight.dims()[1]).collect();
    let model = Autoencoder {
        encoder,
        decoder_weights: list("back").iter().map(|weight| Param::from_data(data(weight), device)).collect(),
        decoder_biases: list("back_biases").iter().map(|bias| Param::from_data(data(bias), device)).collect(),
        config: AutoencoderConfig { inputs, hidden, activation, output, tied },
    };
    (model, loss)
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let device = Device::flex().autodiff();
    for case in golden()["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (model, loss) = built(case, &device);
        let tensor = |name: &str| Tensor::<2>::from_data(data(&case[name]), &device);
        let code = model.encode(tensor("noisy"));
        // a few sums of at most 6 products in single precision: 1e-6 of the largest, with room
        assert_close(code.clone(), &case["code"], 1e-5, name);
        assert_close(model.decode(code.clone()), &case["reconstruction"], 1e-5, name);
        let value = loss.value(model.decode_linear(code), model.config.output, tensor("clean"));
        assert_close(value.clone(), &case["loss"], 1e-5, name);

        let found = GradientsParams::from_grads(value.backward(), &model);
        let gradients = &case["gradients"];
        for (index, layer) in model.encoder.iter().enumerate() {
            let matrix = found.get::<2>(layer.weight.id).unwrap();
            assert_close(matrix, &gradients["weights"][index], 1e-5, name);
            assert_close(found.get::<1>(layer.bias.id).unwrap(), &gradients["biases"][index], 1e-5, name);
        }
        for (index, weight) in model.decoder_weights.iter().enumerate() {
            assert_close(found.get::<2>(weight.id).unwrap(), &gradients["back"][index], 1e-5, name);
        }
        for (index, bias) in model.decoder_biases.iter().enumerate() {
            assert_close(found.get::<1>(bias.id).unwrap(), &gradients["back_biases"][index], 1e-5, name);
        }
    }
}

/// The loss of a tied sigmoid autoencoder of one layer as a function of its matrix, in double precision.
fn tied_loss(case: &Value, weight: &[f64]) -> f64 {
    let (biases, back_biases) = (flat(&case["biases"]), flat(&case["back_biases"]));
    let (inputs, units) = (back_biases.len(), biases.len());
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (clean, noisy) = (flat(&case["clean"]), flat(&case["noisy"]));
    let mut sum = 0.0;
    for (clean, noisy) in clean.chunks(inputs).zip(noisy.chunks(inputs)) {
        let code: Vec<f64> = (0..units)
            .map(|j| sigmoid(biases[j] + (0..inputs).map(|i| noisy[i] * weight[i * units + j]).sum::<f64>()))
            .collect();
        for (i, (x, back)) in clean.iter().zip(&back_biases).enumerate() {
            let linear = back + code.iter().enumerate().map(|(j, h)| h * weight[i * units + j]).sum::<f64>();
            let y = sigmoid(linear);
            sum -= x * y.ln() + (1.0 - x) * (1.0 - y).ln();
        }
    }
    sum / clean.len() as f64
}

#[test]
fn the_gradient_of_a_tied_matrix_is_the_sum_of_both_uses() {
    let device = Device::flex().autodiff();
    let golden = golden();
    let case = &golden["cases"][0];
    let (model, loss) = built(case, &device);
    let gradients = |model: &Autoencoder| {
        let tensor = |name: &str| Tensor::<2>::from_data(data(&case[name]), &device);
        let linear = model.decode_linear(model.encode(tensor("noisy")));
        let value = loss.value(linear, model.config.output, tensor("clean"));
        GradientsParams::from_grads(value.backward(), model)
    };
    let found = values(gradients(&model).get::<2>(model.encoder[0].weight.id).unwrap());

    // central differences in double precision: 1e-9 of error; the rest is single precision
    let weight = flat(&case["weights"][0]);
    let step = 1e-5;
    for (index, &found) in found.iter().enumerate() {
        let moved = |by: f64| {
            let mut weight = weight.clone();
            weight[index] += by;
            tied_loss(case, &weight)
        };
        let expected = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((f64::from(found) - expected).abs() < 1e-6, "{index}: {found} instead of {expected}");
    }

    // the same network with a matrix of its own for the decoder
    let mut untied = built(case, &device).0;
    untied.config.tied = false;
    let transposed = untied.encoder[0].weight.val().inner().transpose().into_data();
    untied.decoder_weights = vec![Param::from_data(transposed, &device)];
    let both = gradients(&untied);
    let there = both.get::<2>(untied.encoder[0].weight.id).unwrap();
    let back = both.get::<2>(untied.decoder_weights[0].id).unwrap().transpose();
    for (sum, tied) in values(there + back).into_iter().zip(found) {
        assert!((sum - tied).abs() < 1e-6, "{sum} instead of {tied}");
    }
}

#[test]
fn parameters_are_counted_and_settings_checked() {
    let device = Device::flex();
    let config = AutoencoderConfig { inputs: 10, hidden: vec![6, 3], ..AutoencoderConfig::default() };
    let tied = config.init(&device, &mut rng(1, &[])).unwrap();
    // matrices 60 + 18, biases 6 + 3 down and 6 + 10 up
    assert_eq!(tied.num_params(), 103);
    let untied = AutoencoderConfig { tied: false, ..config.clone() }.init(&device, &mut rng(1, &[])).unwrap();
    assert_eq!(untied.num_params(), 103 + 78);
    assert!(AutoencoderConfig { hidden: vec![], ..config.clone() }.validate().is_err());
    assert!(AutoencoderConfig { hidden: vec![6, 0], ..config.clone() }.validate().is_err());

    let rows = Rows::new(vec![0.5; 20], 10).unwrap();
    let new = |settings: ReconstructConfig, config: &AutoencoderConfig, rows: Rows| {
        Reconstruct::new(settings, config, rows, None).map(|_| ())
    };
    assert_eq!(new(ReconstructConfig::default(), &config, rows.clone()), Ok(()));
    let cross_entropy =
        ReconstructConfig { loss: ReconstructionLoss::BinaryCrossEntropy, ..ReconstructConfig::default() };
    let linear = AutoencoderConfig { output: Activation::Linear, ..config.clone() };
    assert!(matches!(new(cross_entropy, &linear, rows.clone()), Err(ConfigError::Conflict(_))));
    let sparse =
        ReconstructConfig { sparsity: Some(Sparsity { target: 0.05, weight: 1.0 }), ..ReconstructConfig::default() };
    let tanh = AutoencoderConfig { activation: Activation::Tanh, ..config.clone() };
    assert!(matches!(new(sparse, &tanh, rows.clone()), Err(ConfigError::Conflict(_))));
    let wide = AutoencoderConfig { inputs: 11, ..config };
    let error = new(ReconstructConfig::default(), &wide, rows).unwrap_err().to_string();
    assert_eq!(error, "the rows have 10 columns, the model reads inputs = 11");
}
