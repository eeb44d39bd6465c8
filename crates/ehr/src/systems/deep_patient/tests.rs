//! The paper's sizes, the encoders against loops, scaling, and factors that are found again.

use super::*;
use crate::systems::gru_d::tests::{filled, noise};
use nn_core::data::rng;
use nn_core::metrics::auroc;
use nn_core::optim::OptimizerConfig;
use rand::RngExt;

#[test]
fn the_defaults_are_the_papers() {
    let config = DeepPatientConfig { inputs: 41_072, ..DeepPatientConfig::default() };
    config.validate().unwrap();
    let stack = config.stack();
    assert_eq!((stack.hidden.as_slice(), stack.activation), ([500; 3].as_slice(), Activation::Sigmoid));
    assert_eq!(stack.reconstruct.corruption, Corruption::Masking { fraction: 0.05 });
    assert_eq!(stack.reconstruct.loss, ReconstructionLoss::BinaryCrossEntropy);
    let small = DeepPatientConfig { inputs: 7, hidden: vec![5, 3], ..config };
    let model = small.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    assert_eq!(model.num_params(), (7 * 5 + 5) + (5 * 3 + 3));
    assert!(DeepPatientConfig { masked: 1.5, ..small.clone() }.validate().is_err());
    assert!(DeepPatientConfig { hidden: Vec::new(), ..small }.validate().is_err());
}

/// Against the sums of the definition in 64 bits; 1e-6 is the rounding of 32 bits.
#[test]
fn descriptions_are_sigmoids_of_sums() {
    let config = DeepPatientConfig { inputs: 4, hidden: vec![3, 2], ..DeepPatientConfig::default() };
    let model = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let layer = |index: usize, x: &[f64], outputs: usize| -> Vec<f64> {
        let weight = noise(&format!("layers.{index}.weight"), x.len() * outputs);
        let bias = noise(&format!("layers.{index}.bias"), outputs);
        let unit = |unit: usize| {
            let sum: f64 = x.iter().enumerate().map(|(i, x)| x * 0.5 * f64::from(weight[i * outputs + unit])).sum();
            1.0 / (1.0 + (-(sum + 0.5 * f64::from(bias[unit]))).exp())
        };
        (0..outputs).map(unit).collect()
    };
    let values: Vec<f32> = noise("rows", 12).into_iter().map(f32::abs).collect();
    let rows = Rows::new(values.clone(), 4).unwrap();
    let found = model.describe(&rows, &Device::flex()).unwrap();
    for (row, found) in values.chunks(4).zip(found.chunks(2)) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let expected = layer(1, &layer(0, &row, 3), 2);
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    let narrow = Rows::new(vec![0.0; 3], 3).unwrap();
    let error = model.describe(&narrow, &Device::flex()).unwrap_err();
    assert_eq!(error.to_string(), "the rows have 3 columns, the stack reads inputs = 4");
}

#[test]
fn scaling_is_fitted_on_training_and_cuts_what_lies_beyond() {
    let scaler = UnitScaler::fit(&[2.0, -1.0, 5.0, 4.0, f32::NAN, 5.0], 3);
    assert_eq!(scaler.apply(&[4.0, -1.0, 5.0, 1.0, 0.0, f32::NAN]), [1.0, 0.0, 1.0, 0.25, 1.0, 0.0]);
    assert_eq!(scaler.apply(&[9.0, -9.0, 0.0]), [1.0, 0.0, 0.0]);
    assert!(UnitScaler::fit(&[], 0).apply(&[1.0]).is_empty());
}

/// Two hidden states switch on two halves of 20 codes, and each is a disease: descriptions of 4 numbers tell them.
#[test]
fn diseases_are_foretold_from_descriptions() {
    let mut draw = rng(5, &[]);
    let (patients, codes) = (300, 20);
    let mut states = [Vec::new(), Vec::new()];
    let mut values = Vec::new();
    for _ in 0..patients {
        let sick = [draw.random::<f64>() < 0.5, draw.random::<f64>() < 0.5];
        states.iter_mut().zip(sick).for_each(|(states, sick)| states.push(sick));
        for code in 0..codes {
            let rate = if sick[code / 10] { 0.6 } else { 0.2 };
            values.push(f32::from(u8::from(draw.random::<f64>() < rate)));
        }
    }
    let training = LayerTraining {
        epochs: 60,
        optimizer: OptimizerConfig::adam(),
        learning_rate: 0.01,
        ..LayerTraining::default()
    };
    let config = DeepPatientConfig { inputs: codes, hidden: vec![12, 4], training, ..DeepPatientConfig::default() };
    let rows = Rows::new(values, codes).unwrap();
    let device = Device::flex();
    let stop = AtomicBool::new(false);
    let (model, reports) = config.pretrain(&rows, &device, &mut rng(3, &[]), None, &mut (), &stop).unwrap();
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|report| report.after < report.before), "{reports:?}");
    let described = model.describe(&rows, &device).unwrap();
    let (train, test) = described.split_at(200 * 4);
    let known: Vec<Vec<bool>> = states.iter().map(|states| states[..200].to_vec()).collect();
    let forests =
        DiseaseForests::fit(&ForestConfig { leaf_rows: 3, ..ForestConfig::default() }, train, 4, &known).unwrap();
    for (states, found) in states.iter().zip(forests.probabilities(test)) {
        // the best possible score, from the number of codes, is about 0.97
        let score = auroc(&states[200..], &found).unwrap();
        assert!(score > 0.8, "{score}");
    }
}
