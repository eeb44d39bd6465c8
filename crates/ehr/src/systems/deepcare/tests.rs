//! `DeepCare` against PyTorch, and what planned admissions, interventions and time must change.

use nn_core::data::rng;

use super::*;
use crate::systems::VisitSequence;
use crate::systems::golden::{STATICS, VOCABULARY, assert_golden, batch, filled, left_after, values};

fn small() -> DeepCareConfig {
    DeepCareConfig {
        codes: VOCABULARY,
        statics: STATICS,
        outputs: 2,
        interventions: vec![8, 9, 10, 11],
        embedding: 5,
        memory: 4,
        hidden: 6,
        ..DeepCareConfig::default()
    }
}

#[test]
fn sizes_are_those_of_the_authors_code() {
    let config = DeepCareConfig { outputs: 2, ..DeepCareConfig::default() };
    let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    // readm.py for 1,000 codes: Wemb 10,000; lstm_W 10 · 80, lstm_U 20 · 80, lstm_b 80, Pf and Po 10 · 20, Z 3 · 20; U1
    // 60 · 20, b1 20, U2 20 · 2, b2 2
    assert_eq!(net.num_params(), 10_000 + 800 + 1600 + 80 + 2 * 200 + 60 + 1200 + 20 + 40 + 2);
}

#[test]
fn outputs_are_pytorchs() {
    // 1e-5: single precision against double; the penalty is a sum of some 400 terms
    let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let (logits, penalty) = net.penalised(&batch(), None);
    assert_golden(logits, "deepcare", 1e-5);
    assert_golden(penalty.unwrap(), "deepcare.penalty", 1e-5);
    let sum = DeepCareConfig { pooling: Pooling::Sum, spans: vec![100.0], ..small() };
    let net = filled(sum.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    assert_golden(net.logits(&batch(), None), "deepcare.sum", 1e-5);
}

#[test]
fn averages_have_weights_that_sum_to_one() {
    let net = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    let batch = batch().padded_to(7);
    for (at, shares) in net.shares(&batch).chunks(7).enumerate() {
        let length = batch.lengths()[at / 3];
        // seven numbers in single precision
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{shares:?}");
        assert!(shares[length..].iter().all(|&share| share == 0.0));
        assert!(shares[length - 1] > 0.0);
    }
}

#[test]
fn how_patients_come_what_is_done_and_when_it_was_matter() {
    let net = filled(DeepCareConfig { statics: 0, ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let run = |planned: bool, intervention: u32, days: f32| {
        let mut sequence = VisitSequence::new(Vec::new());
        sequence.push(0.0, planned, [2, 3, intervention]);
        sequence.push(days, false, [4, 9]);
        values(net.logits(&VisitBatch::new([&sequence]), None))
    };
    let found = run(false, 8, 20.0);
    for other in [run(true, 8, 20.0), run(false, 10, 20.0), run(false, 8, 300.0)] {
        // what rounding could do is a hundred times less
        assert!(found.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-4), "{found:?} and {other:?}");
    }
    // gaps of centuries saturate and stay finite
    assert!(run(false, 8, 1e6).iter().all(|value| value.is_finite()));
}

#[test]
fn it_learns_a_few_patients_by_heart() {
    let device = Device::flex().autodiff();
    let dropped = DeepCareConfig { dropout_embedding: 0.0, dropout_pooled: 0.0, dropout_hidden: 0.0, ..small() };
    let config = DeepCareConfig { outputs: 1, embedding: 8, memory: 8, hidden: 8, ..dropped };
    let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 300, 0.03);
    assert!(left < 0.15, "{left}");
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, field) in [
        (DeepCareConfig { interventions: vec![12], ..small() }, "interventions"),
        (DeepCareConfig { memory: 0, ..small() }, "memory"),
        (DeepCareConfig { spans: vec![f32::NAN], ..small() }, "spans"),
        (DeepCareConfig { dropout_hidden: 1.0, ..small() }, "dropout_hidden"),
        (DeepCareConfig { l1: -1.0, ..small() }, "l1"),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{error}");
    }
}
