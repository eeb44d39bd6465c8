//! What holds for every system that reads visits.

use burn::optim::GradientsParams;
use nn_core::data::rng;
use nn_core::optim::gradient_norms;
use nn_core::store;

use super::golden::{STATICS, VOCABULARY, assert_close, filled, patients, random_patients, values};
use super::*;

fn all() -> Vec<NetConfig> {
    let of = |(name, _): &(&str, &str)| {
        NetConfig::named(name).unwrap().with_shape(VOCABULARY, STATICS, 3).with_interventions(&[8, 9, 10, 11])
    };
    SYSTEMS.iter().map(of).collect()
}

/// The system with weights that make what it reads count.
fn net(config: &NetConfig) -> Net {
    filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap())
}

#[test]
fn every_system_is_known_by_name_and_reads_and_writes_its_sizes() {
    for (name, _) in SYSTEMS {
        let config = NetConfig::named(name).unwrap();
        config.validate().unwrap();
        assert_eq!(config.system(), name);
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.starts_with(&format!(r#"{{"system":"{name}""#)), "{text}");
        assert_eq!(serde_json::from_str::<NetConfig>(&text).unwrap(), config);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<NetConfig>(&text).unwrap(), config, "{text}");
    }
    let short: NetConfig = serde_json::from_str(r#"{"system":"gru","hidden":16}"#).unwrap();
    assert_eq!(short, NetConfig::Gru(GruConfig { hidden: 16, ..GruConfig::default() }));
    assert!(serde_json::from_str::<NetConfig>(r#"{"system":"gru","hiden":16}"#).is_err(), "no such field");
    let error = NetConfig::named("retian").unwrap_err().to_string();
    assert!(error.starts_with("system = \"retian\" is not known; use one of: gru, "), "{error}");
}

#[test]
fn networks_have_the_shape_that_was_asked_for() {
    for config in all() {
        assert_eq!((config.codes(), config.statics(), config.outputs()), (VOCABULARY, STATICS, 3));
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        assert_eq!(net.config(), config);
        let batch = VisitBatch::new(&random_patients(5));
        let found = net.logits(&batch, None);
        assert_eq!(found.dims(), [5, 3], "{}", config.system());
        assert_eq!(found.into_data(), net.logits(&batch, None).into_data(), "no noise without a generator");
        assert!(values(net.penalised(&batch, None).0).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn starting_values_and_noise_are_functions_of_the_generator() {
    let batch = VisitBatch::new(&random_patients(5));
    for config in all() {
        let net = |seed| config.init(&Device::flex(), &mut rng(seed, &[])).unwrap();
        let run = |net: &Net, noise| net.logits(&batch, Some(&mut rng(noise, &[]))).into_data();
        assert_eq!(run(&net(1), 5), run(&net(1), 5));
        assert_ne!(run(&net(1), 5), run(&net(2), 5), "{}", config.system());
        assert_ne!(run(&net(1), 5), run(&net(1), 6), "{}", config.system());
    }
}

/// Sums in other shapes can run in another order: a few units in the seventh digit of numbers near 1.
const ROUNDING: f64 = 1e-6;

#[test]
fn padding_changes_nothing_and_is_not_read() {
    let batch = VisitBatch::new(&random_patients(16));
    let mut wider = batch.padded_to(batch.visits() + 5);
    wider.spoil_padding(1e6);
    assert_ne!(wider.gap(0, wider.visits() - 1), 0.0);
    for config in all() {
        let net = net(&config);
        let [found, padded] = [&batch, &wider].map(|batch| values(net.logits(batch, None)));
        assert_close(&padded, &found, ROUNDING, config.system());
    }
}

#[test]
fn a_batch_of_one_and_one_of_64_agree() {
    let given = random_patients(64);
    let batch = VisitBatch::new(&given);
    for config in all() {
        let net = net(&config);
        let among = values(net.logits(&batch, None)); // [64, 3]
        for (row, patient) in given.iter().enumerate() {
            let alone = values(net.logits(&VisitBatch::new([patient]), None));
            assert_close(&alone, &among[row * 3..][..3], ROUNDING, &format!("{}, row {row}", config.system()));
        }
    }
}

#[test]
fn patients_without_visits_or_codes_are_scored() {
    let nobody = VisitSequence::new(vec![0.5, -0.5]);
    let mut empty = nobody.clone();
    empty.push(0.0, false, []);
    for config in all() {
        let net = net(&config);
        // a batch without any code, one of several, and one among others
        let alone = values(net.logits(&VisitBatch::new([&nobody]), None));
        assert!(alone.iter().all(|value| value.is_finite()), "{}", config.system());
        let both = values(net.logits(&VisitBatch::new([&nobody, &empty]), None));
        assert_close(&both[..3], &both[3..], ROUNDING, config.system());
        assert_close(&both[..3], &alone, ROUNDING, config.system());
        let mut among = patients();
        among.push(nobody.clone());
        let among = values(net.logits(&VisitBatch::new(&among), None));
        assert_close(&among[among.len() - 3..], &alone, ROUNDING, config.system());
    }
}

#[test]
fn every_parameter_learns() {
    let device = Device::flex().autodiff();
    let batch = VisitBatch::new(&patients());
    // tensors of each system; of Doctor AI's the bias of the days is learnt from its own loss alone
    for (config, tensors) in all().into_iter().zip([7, 15, 13, 5, 15, 11]) {
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        let (logits, penalty) = net.penalised(&batch, None);
        let loss = logits.square().sum();
        let loss = match penalty {
            Some(penalty) => loss + penalty,
            None => loss,
        };
        let mut gradients = GradientsParams::from_grads(loss.backward(), &net);
        let norms = gradient_norms(&mut gradients, &net);
        assert_eq!(norms.len(), tensors, "{}: {norms:?}", config.system());
        for (path, norm) in norms {
            // what is added to all scores alike changes no softmax
            let idle = path.ends_with("attention.alpha.bias") || path.ends_with("hop_weights.bias");
            assert!(norm.is_finite() && (idle || norm > 0.0), "{}, {path}: {norm}", config.system());
        }
    }
}

#[test]
fn weights_go_to_a_file_and_back() {
    let batch = VisitBatch::new(&random_patients(5));
    for config in all() {
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let bytes = store::to_safetensors(&net, &store::Metadata::new()).unwrap();
        let other = config.init(&Device::flex(), &mut rng(2, &[])).unwrap();
        let (other, _) = store::from_safetensors(other, &bytes).unwrap();
        let [one, two] = [&net, &other].map(|net| net.logits(&batch, None).into_data());
        assert_eq!(one, two, "{}", config.system());
    }
}

#[test]
#[should_panic(expected = "code 12 of a vocabulary of 12")]
fn codes_beyond_the_vocabulary_are_refused() {
    let mut patient = VisitSequence::new(vec![0.0; STATICS]);
    patient.push(0.0, false, [12]);
    net(&all()[3]).logits(&VisitBatch::new([&patient]), None);
}

#[test]
#[should_panic(expected = "statics of the batch")]
fn other_statics_are_refused() {
    net(&all()[0]).logits(&VisitBatch::new([&VisitSequence::default()]), None);
}
