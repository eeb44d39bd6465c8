//! The networks that read measurements or counts.

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use ehr::systems::deep_patient::DeepPatientConfig;
use ehr::systems::dynamic_deephit::{DeepHitLosses, DynamicDeepHitConfig, HistoryBatch, Trajectory};
use ehr::systems::gru_d::{GruDConfig, Imputation, SeriesBatch, SeriesRow, intervals};
use nn_core::data::rng;
use nn_core::models::autoencoder::{LayerTraining, Rows};
use nn_core::parity::Trace;
use rand::RngExt;

use super::{MOVED, STATICS, compare, flat, moved, noise, start, trace, without};

/// Measurements of a step.
const VARIABLES: usize = 3;

/// Series of 7, 5, 3, one and no steps, half of whose values were not measured.
fn series(device: &Device) -> SeriesBatch {
    let mut draw = rng(4, &[]);
    let made = [7_usize, 5, 3, 1, 0].map(|steps| {
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| draw.random_range(-1.0..1.0)).collect() };
        let (values, statics) = (numbers(steps * VARIABLES), numbers(STATICS));
        let mask: Vec<f32> = numbers(steps * VARIABLES).into_iter().map(|x| f32::from(u8::from(x > 0.0))).collect();
        let hours: Vec<f32> = (0..steps).map(|step| 1.5 * step as f32).collect();
        (values, intervals(&hours, &mask, VARIABLES), mask, statics)
    });
    let rows = made.each_ref().map(|(values, delta, mask, statics)| SeriesRow { values, mask, delta, statics });
    SeriesBatch::new(&rows, VARIABLES, STATICS, device).unwrap()
}

#[test]
fn gru_d() {
    let shape = GruDConfig { variables: VARIABLES, statics: STATICS, hidden: 4, outputs: 2, ..GruDConfig::default() };
    let decay = GruDConfig { interval_hours: 2.0, ..shape.clone() };
    let forward = GruDConfig { imputation: Imputation::Forward, state_decay: false, ..shape };
    let mean = GruDConfig { mask_inputs: false, imputation: Imputation::Mean, ..forward.clone() };
    // six tensors of the unit, two of the head; a weight and a bias of each decay
    for (config, tensors) in [(decay, 6 + 2 + 2 * 2), (forward, 6 + 2), (mean, 6 + 2)] {
        compare(1.0, |device| {
            // values fade at a rate of 0.1; with one below 0 they would not
            let net = moved(config.init(device, &mut start()).unwrap(), 0.05);
            let batch = series(device);
            let outputs = vec![
                ("logits", flat(net.forward(&batch, None))),
                ("logits in training", flat(net.forward(&batch, Some(&mut noise())))),
                ("state", flat(net.state(&batch, None))),
            ];
            let trace = trace(&net, outputs, tensors);
            assert_ne!(trace.get("logits"), trace.get("logits in training"), "dropout acts");
            trace
        });
    }
}

/// Subjects with one to four measurements of two variables, the second of which is missing in each first one.
fn histories(config: &DynamicDeepHitConfig, device: &Device) -> HistoryBatch {
    let mut draw = rng(5, &[]);
    let followed: [(&[f64], f64, u32); 6] = [
        (&[0.0, 1.5, 2.25, 4.0], 5.0, 1),
        (&[0.5], 7.0, 0),
        (&[0.0, 3.0], 8.0, 2),
        (&[0.0], 4.0, 1),
        (&[0.0, 1.0, 2.5], 9.5, 0),
        (&[0.0, 2.0, 3.5], 6.0, 2),
    ];
    let trajectories = followed.map(|(times, end, cause)| {
        let mut values: Vec<f32> = (0..2 * times.len()).map(|_| draw.random_range(-1.0..1.0)).collect();
        values[1] = f32::NAN;
        Trajectory { times: times.to_vec(), values, end, cause }
    });
    HistoryBatch::new(&trajectories.each_ref(), config, device).unwrap()
}

#[test]
fn dynamic_deephit() {
    let times = DynamicDeepHitConfig { categories: 6, interval: 2.0, gap: 0.5, ..DynamicDeepHitConfig::default() };
    let config = DynamicDeepHitConfig { variables: 2, recurrent: 4, hidden: 8, ..times };
    // the ranking loss is an exponential of differences of probabilities divided by σ = 0.1
    compare(10.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        let net = without(net, "attention.score.bias");
        let batch = histories(&config, device);
        let (plain, trained) = (net.forward(&batch, None), net.forward(&batch, Some(&mut noise())));
        let losses = DeepHitLosses::of(&trained, &batch, &config);
        let outputs = vec![
            ("distribution", flat(plain.distribution)),
            ("ahead", flat(plain.ahead)),
            ("attention", flat(plain.attention)),
            ("distribution in training", flat(trained.distribution)),
            ("ahead in training", flat(trained.ahead)),
            ("attention in training", flat(trained.attention)),
            ("likelihood", losses.likelihood),
            ("ranking", losses.ranking),
            ("prediction", losses.prediction),
            ("penalty", net.penalty().unwrap()),
        ];
        // two recurrent layers; attention of three layers, mean and spread, shared layer; two layers of each of two
        // causes; output
        let trace = trace(&net, outputs, 2 * 4 + (3 + 2 + 1) * 2 + 2 * 2 * 2 + 2 - 1);
        for name in ["distribution", "ahead", "attention"] {
            assert_ne!(trace.get(name), trace.get(&format!("{name} in training")), "noise acts");
        }
        trace
    });
}

/// Eight patients with ten numbers in 0..1.
fn counts() -> Rows {
    let mut draw = rng(6, &[]);
    Rows::new((0..80).map(|_| draw.random_range(0.0..1.0)).collect(), 10).unwrap()
}

fn small_stack() -> DeepPatientConfig {
    let training = LayerTraining { epochs: 4, batch_size: 4, learning_rate: 0.01, ..LayerTraining::default() };
    DeepPatientConfig { inputs: 10, hidden: vec![6, 4], masked: 0.2, training, ..DeepPatientConfig::default() }
}

/// All eight.
const EVERYBODY: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn deep_patient() {
    let config = small_stack();
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        let x = counts().batch(&EVERYBODY, device).unwrap();
        trace(&net, vec![("descriptions", flat(net.forward(x)))], 2 * 2)
    });
}

#[test]
fn deep_patient_learns() {
    let config = small_stack();
    // eight steps of Adam a layer; it moves a weight whose gradient is mostly rounding as far as any other
    compare(10.0, |device| {
        let (rows, stop) = (counts(), AtomicBool::new(false));
        let (net, reports) = config.pretrain(&rows, device, &mut start(), None, &mut (), &stop).unwrap();
        assert_eq!(reports.len(), 2);
        let mut trace = Trace::new();
        for (layer, report) in reports.iter().enumerate() {
            assert_ne!(report.before, report.after);
            trace.number(format!("loss of layer {layer} before"), report.before);
            trace.number(format!("loss of layer {layer} behind"), report.after);
        }
        let x = rows.batch(&EVERYBODY, &device.clone().inner()).unwrap();
        trace.tensor("descriptions", net.forward(x));
        trace
    });
}
