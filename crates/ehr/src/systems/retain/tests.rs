//! RETAIN against PyTorch, and its explanations against sums and against the network itself.

use nn_core::data::rng;

use super::*;
use crate::systems::golden::{
    STATICS, VOCABULARY, assert_close, assert_golden, batch, expected, filled, left_after, patients, values,
};

fn small() -> RetainConfig {
    RetainConfig {
        codes: VOCABULARY,
        statics: STATICS,
        outputs: 2,
        embedding: 5,
        alpha: 4,
        beta: 6,
        ..RetainConfig::default()
    }
}

fn net() -> Retain {
    filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap())
}

/// Single precision against double, or sums of some twenty terms of it.
const TOLERANCE: f64 = 1e-5;

#[test]
fn sizes_are_those_of_the_authors_code() {
    let config = RetainConfig { codes: 942, time: false, ..RetainConfig::default() };
    let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    // retain.py for the 942 codes of its README: W_emb 120,576; two nets of W, U 2 · 49,152 and b 384; w_alpha 129;
    // W_beta 16,512; w_output 129. Units as PyTorch's have a second bias.
    assert_eq!(net.num_params(), 120_576 + 2 * (2 * 49_152 + 384) + 129 + 16_512 + 129 + 2 * 384);
}

#[test]
fn outputs_are_pytorchs() {
    let net = net();
    let found = net.attend(&batch());
    assert_golden(found.alpha, "retain.alpha", TOLERANCE);
    assert_golden(found.context, "retain.context", TOLERANCE);
    let (logits, penalty) = net.penalised(&batch(), None);
    assert_golden(logits, "retain", TOLERANCE);
    assert_golden(penalty.unwrap(), "retain.penalty", TOLERANCE);
    let free = RetainConfig { l2: 0.0, ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    assert!(free.penalised(&batch(), None).1.is_none());
}

#[test]
fn contributions_sum_to_the_logit() {
    let (net, batch, patients) = (net(), batch(), patients());
    let logits = values(net.logits(&batch, None)); // [rows, outputs]
    for output in 0..2 {
        let found = net.explain(&batch, output).unwrap();
        assert_eq!(found.len(), batch.rows());
        for (row, found) in found.iter().enumerate() {
            assert!((found.logit - logits[row * 2 + output]).abs() < 1e-6);
            assert!((found.sum() - found.logit).abs() < TOLERANCE, "row {row}: {} of {}", found.sum(), found.logit);
            assert_eq!(found.alpha.len(), batch.lengths()[row]);
            assert!((found.alpha.iter().sum::<f64>() - 1.0).abs() < TOLERANCE);
            let given = &patients[row];
            let codes = (0..given.len()).flat_map(|visit| given.codes(visit).iter().map(move |&code| (visit, code)));
            let shares = found.codes.iter().map(|share| (share.visit, share.code));
            assert!(shares.eq(codes), "row {row}: {found:?}");
        }
        let shares: Vec<f64> = found.iter().flat_map(|found| found.codes.iter().map(|share| share.value)).collect();
        assert_close(&shares, &expected(&format!("retain.shares.{output}")), TOLERANCE, "shares");
    }
}

#[test]
fn a_share_is_what_the_code_adds_with_its_attention() {
    // section 3, equation 5, from the network's own attention and weights
    let (net, batch) = (net(), batch());
    let found = net.explain(&batch, 0).unwrap();
    let retained = net.attend(&batch);
    let (alpha, beta) = (values(retained.alpha), values(retained.beta));
    let table = values(net.embedding.vectors(&(0..VOCABULARY as u32).collect::<Vec<_>>()));
    let weights = values(net.output.weight.val());
    for (row, found) in found.iter().enumerate() {
        for share in &found.codes {
            let cell = row * batch.visits() + share.visit;
            let expected: f64 = (0..5)
                .map(|at| weights[at * 2] * alpha[cell] * beta[cell * 5 + at] * table[share.code as usize * 5 + at])
                .sum();
            assert!((share.value - expected).abs() < TOLERANCE, "{share:?}, expected {expected}");
        }
    }
}

#[test]
fn it_learns_a_few_patients_by_heart() {
    let device = Device::flex().autodiff();
    let config = RetainConfig { outputs: 1, dropout_embedding: 0.0, dropout_context: 0.0, ..small() };
    let left = left_after(config.init(&device, &mut rng(2, &[])).unwrap(), 200, 0.02);
    assert!(left < 0.1, "{left}");
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, field) in [
        (RetainConfig { codes: 0, ..small() }, "codes"),
        (RetainConfig { embedding: 0, ..small() }, "embedding"),
        (RetainConfig { alpha: 0, ..small() }, "alpha"),
        (RetainConfig { dropout_context: 1.0, ..small() }, "dropout_context"),
        (RetainConfig { l2: -1.0, ..small() }, "l2"),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{error}");
    }
}
