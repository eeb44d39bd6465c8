//! Doctor AI against PyTorch, and that it learns what follows what.

use burn::optim::GradientsParams;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;

use super::*;
use crate::systems::VisitSequence;
use crate::systems::golden::{STATICS, VOCABULARY, assert_golden, batch, filled, left_after, values};

fn small() -> DoctorAiConfig {
    DoctorAiConfig {
        codes: VOCABULARY,
        statics: STATICS,
        outputs: 4,
        embedding: 5,
        hidden: 6,
        ..DoctorAiConfig::default()
    }
}

/// The script's classes: `id % 4` from 2 on.
fn classes() -> Vec<Option<u32>> {
    (0..VOCABULARY as u32).map(|id| (id > 1).then_some(id % 4)).collect()
}

#[test]
fn sizes_are_those_of_the_authors_code() {
    let config = DoctorAiConfig { codes: 1000, outputs: 500, ..DoctorAiConfig::default() };
    let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    // doctorAI.py for 1,000 codes and 500 classes: W_emb 200,000, b_emb 200; the first layer reads 201 numbers, 3 · 201
    // · 200, the second 3 · 200 · 200, both 3 · 200 · 200 of the state and 600 biases; outputs 100,500 and 201. Units
    // as PyTorch's have a second bias.
    let layers = 3 * 201 * 200 + 3 * 200 * 200 + 2 * (3 * 200 * 200 + 600);
    assert_eq!(net.num_params(), 200_000 + 200 + layers + 100_500 + 201 + 2 * 600);
}

#[test]
fn outputs_and_loss_are_pytorchs() {
    let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let batch = batch();
    // 1e-5: single precision against double
    assert_golden(net.logits(&batch, None), "doctor-ai", 1e-5);
    let found = net.foretell(&batch, None);
    let mask = batch.mask(&Device::flex());
    assert_golden(found.logits * mask.clone().unsqueeze_dim::<3>(2), "doctor-ai.logits", 1e-5);
    assert_golden(found.log_days.unwrap() * mask, "doctor-ai.log_days", 1e-5);
    // the loss is a sum of some 20 terms
    assert_golden(net.loss(&batch, &classes(), None).unwrap(), "doctor-ai.loss", 1e-4);
    let alone = VisitBatch::new(&[batch.sequence(1), batch.sequence(2)]);
    assert!(net.loss(&alone, &classes(), None).is_none(), "nobody comes back");
}

#[test]
fn it_learns_what_follows_and_when() {
    let device = Device::flex().autodiff();
    // after code 2 comes 3 in 10 days, after 3 comes 4 in 100, after 4 comes 2 in 1,000
    let patient = |start: u32| {
        let mut sequence = VisitSequence::new(Vec::new());
        for visit in 0..6 {
            let code = (start + visit) % 3;
            sequence.push([1000.0, 10.0, 100.0][code as usize], false, [code + 2]);
        }
        sequence
    };
    let batch = VisitBatch::new(&[patient(0), patient(1), patient(2)]);
    let classes = [None, None, Some(0), Some(1), Some(2)];
    let config =
        DoctorAiConfig { codes: 5, statics: 0, outputs: 3, embedding: 8, hidden: 16, dropout: 0.0, l2: 0.0, ..small() };
    let mut net = config.init(&device, &mut rng(3, &[])).unwrap();
    let mut optimizer = OptimizerConfig::adam().init();
    for _ in 0..600 {
        let gradients = net.loss(&batch, &classes, None).unwrap().backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(0.02, net, gradients);
    }
    let found = net.foretell(&batch, None);
    let (logits, log_days) = (values(found.logits), values(found.log_days.unwrap()));
    for row in 0..3 {
        for visit in 0..5 {
            let code = (row + visit) % 3;
            let logits = &logits[(row * 6 + visit) * 3..][..3];
            let next = (code + 1) % 3;
            assert!((0..3).all(|class| class == next || logits[class] + 2.0 < logits[next]), "{code}: {logits:?}");
            let expected = [10.0_f64, 100.0, 1000.0][code].ln_1p();
            let found = log_days[row * 6 + visit];
            // what 600 steps leave
            assert!((found - expected).abs() < 0.3, "{code}: {found} instead of {expected}");
        }
    }
}

#[test]
fn it_learns_a_few_patients_by_heart() {
    let device = Device::flex().autodiff();
    let config = DoctorAiConfig { outputs: 1, dropout: 0.0, predict_time: false, ..small() };
    let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 250, 0.02);
    assert!(left < 0.1, "{left}");
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, field) in [
        (DoctorAiConfig { outputs: 0, ..small() }, "outputs"),
        (DoctorAiConfig { embedding: 0, ..small() }, "embedding"),
        (DoctorAiConfig { layers: 0, ..small() }, "layers"),
        (DoctorAiConfig { tradeoff: f64::NAN, ..small() }, "tradeoff"),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{error}");
    }
}
