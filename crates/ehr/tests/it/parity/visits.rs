//! The networks that read visits.

use burn::tensor::Tensor;
use ehr::systems::deepcare::{DeepCareConfig, Pooling};
use ehr::systems::deepr::DeeprConfig;
use ehr::systems::doctor_ai::DoctorAiConfig;
use ehr::systems::gru::GruConfig;
use ehr::systems::med2vec::{Med2VecConfig, VisitRows};
use ehr::systems::patient2vec::Patient2VecConfig;
use ehr::systems::retain::RetainConfig;
use ehr::systems::{SYSTEMS, SequenceNet, VisitBatch, VisitSequence};
use nn_core::parity::Trace;

use super::{MOVED, STATICS, compare, flat, moved, noise, start, trace, without};

/// Ids of the vocabulary.
const CODES: usize = 12;

/// Four visits, none, one, three of which one is empty, and three; gaps of all five words of `Deepr`.
fn patients() -> Vec<VisitSequence> {
    let patient = |statics: [f32; STATICS], visits: &[(f32, bool, &[u32])]| {
        let mut sequence = VisitSequence::new(statics.to_vec());
        for (days, planned, codes) in visits {
            sequence.push(*days, *planned, codes.iter().copied());
        }
        sequence
    };
    vec![
        patient(
            [0.3, -0.7],
            &[
                (0.0, false, &[2, 5, 9]),
                (12.5, true, &[3, 5, 8, 10]),
                (100.0, false, &[2, 11]),
                (400.0, false, &[4, 6, 7, 9]),
            ],
        ),
        patient([-0.2, 0.4], &[]),
        patient([0.9, 0.1], &[(0.0, true, &[1, 7, 8])]),
        patient([-0.6, -0.3], &[(0.0, true, &[2, 3]), (25.0, false, &[]), (41.0, true, &[1, 4, 6, 11])]),
        patient([0.4, 0.8], &[(0.0, false, &[3, 6, 10]), (200.0, false, &[2, 4, 8]), (7.0, true, &[5, 9, 11])]),
    ]
}

fn batch() -> VisitBatch {
    VisitBatch::new(&patients())
}

/// The trace of a network over visits: what each of them gives, and what this one gives besides.
fn over_visits<N: SequenceNet>(net: &N, besides: Vec<(&str, Tensor<1>)>, tensors: usize) -> Trace {
    let batch = batch();
    let (logits, penalty) = net.penalised(&batch, Some(&mut noise()));
    let mut outputs = vec![("logits", flat(net.logits(&batch, None))), ("logits in training", flat(logits))];
    outputs.extend(penalty.map(|penalty| ("penalty", penalty)));
    outputs.extend(besides);
    let trace = trace(net, outputs, tensors);
    assert_ne!(trace.get("logits"), trace.get("logits in training"), "dropout acts");
    trace
}

#[test]
fn no_system_over_visits_is_missing() {
    // each has a test below
    let tested = ["gru", "retain", "doctor-ai", "deepr", "patient2vec", "deepcare"];
    assert_eq!(SYSTEMS.map(|(name, _)| name), tested);
}

#[test]
fn gru() {
    let sizes = GruConfig { embedding: 5, hidden: 6, layers: 2, ..GruConfig::default() };
    let config = GruConfig { codes: CODES, statics: STATICS, outputs: 2, ..sizes };
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        // vectors; two layers of two weights and two biases; output
        over_visits(&net, Vec::new(), 1 + 2 * 4 + 2)
    });
}

#[test]
fn retain() {
    let sizes = RetainConfig { embedding: 5, alpha: 4, beta: 6, ..RetainConfig::default() };
    let config = RetainConfig { codes: CODES, statics: STATICS, outputs: 2, ..sizes };
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        let net = without(net, "attention.alpha.bias");
        let found = net.attend(&batch());
        let besides = vec![
            ("context", flat(found.context)),
            ("alpha", flat(found.alpha)),
            ("beta", flat(found.beta)),
            ("contributions", flat(found.contributions)),
        ];
        let trace = over_visits(&net, besides, 1 + 2 * 4 + 2 * 2 + 2 - 1);
        assert!(trace.get("penalty").is_some());
        trace
    });
}

#[test]
fn doctor_ai() {
    let sizes = DoctorAiConfig { embedding: 5, hidden: 6, ..DoctorAiConfig::default() };
    let config = DoctorAiConfig { codes: CODES, statics: STATICS, outputs: 4, ..sizes };
    let classes: Vec<Option<u32>> = (0..CODES as u32).map(|code| (code > 1).then_some(code % 4)).collect();
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        let batch = batch();
        let foretold = net.foretell(&batch, None);
        let besides = vec![
            ("logits at each visit", flat(foretold.logits)),
            ("days at each visit", flat(foretold.log_days.unwrap())),
            ("loss of the paper", net.loss(&batch, &classes, None).unwrap()),
            ("loss in training", net.loss(&batch, &classes, Some(&mut noise())).unwrap()),
        ];
        // vectors and their bias; two layers; codes and days
        let trace = over_visits(&net, besides, 2 + 2 * 4 + 2 * 2);
        assert!(trace.get("penalty").is_some());
        trace
    });
}

#[test]
fn deepr() {
    let sizes = DeeprConfig { embedding: 5, filters: 6, kernel: 3, ..DeeprConfig::default() };
    let config = DeeprConfig { codes: CODES, statics: STATICS, outputs: 2, ..sizes };
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        over_visits(&net, vec![("motifs", flat(net.motifs(&batch())))], 1 + 2 + 2)
    });
}

#[test]
fn patient2vec() {
    let sizes = Patient2VecConfig { embedding: 5, hidden: 4, hops: 3, ..Patient2VecConfig::default() };
    let config = Patient2VecConfig { codes: CODES, statics: STATICS, outputs: 2, ..sizes };
    compare(1.0, |device| {
        let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
        let net = without(net, "hop_weights.bias");
        let found = net.attend(&batch(), None);
        let besides = vec![
            ("weights of codes", found.codes.unwrap()),
            ("weights of months", flat(found.hops)),
            ("vector", flat(found.vector)),
        ];
        // vectors, weights of codes, two directions, hops, output
        let trace = over_visits(&net, besides, 1 + 2 + 2 * 4 + 2 + 2 - 1);
        assert!(trace.get("penalty").is_some());
        trace
    });
}

#[test]
fn deepcare() {
    for pooling in [Pooling::Mean, Pooling::Sum] {
        let sizes = DeepCareConfig { embedding: 5, memory: 4, hidden: 6, pooling, ..DeepCareConfig::default() };
        let interventions = vec![8, 9, 10, 11];
        let config = DeepCareConfig { codes: CODES, statics: STATICS, outputs: 2, interventions, ..sizes };
        compare(1.0, |device| {
            let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
            // vectors; six tensors of the memory; hidden layer and output
            let trace = over_visits(&net, Vec::new(), 1 + 6 + 2 * 2);
            assert!(trace.get("penalty").is_some());
            trace
        });
    }
}

/// A patient with these statics and visits.
fn record<'a>(statics: &[f32], visits: impl IntoIterator<Item = &'a [u32]>) -> VisitSequence {
    let mut sequence = VisitSequence::new(statics.to_vec());
    visits.into_iter().for_each(|codes| sequence.push(30.0, false, codes.iter().copied()));
    sequence
}

#[test]
fn med2vec() {
    let all = patients();
    // without a second visit there is no loss of visits, without a second code in a visit none of codes
    let apart: Vec<VisitSequence> =
        all.iter().flat_map(|one| (0..one.len()).map(move |visit| record(one.statics(), [one.codes(visit)]))).collect();
    let single: Vec<VisitSequence> = all
        .iter()
        .map(|one| {
            let first = |visit: usize| one.codes(visit).get(..1).unwrap_or_default();
            record(one.statics(), (0..one.len()).map(first))
        })
        .collect();
    let alone = [record(&[0.5, -0.5], [[2_u32].as_slice()])];
    let codes =
        Med2VecConfig { codes: CODES, statics: STATICS, code_size: 5, visit_size: 6, ..Med2VecConfig::default() };
    let groups = Med2VecConfig { groups: (0..CODES as u32).map(|code| code / 3).collect(), window: 3, ..codes.clone() };
    for config in [codes, groups] {
        compare(1.0, |device| {
            let net = moved(config.init(device, &mut start()).unwrap(), MOVED);
            let rows = VisitRows::new(&all);
            let outputs = vec![
                ("visits", flat(net.visits(&rows))),
                ("logits", flat(net.logits(&rows))),
                ("loss of all", net.loss(&rows)),
                ("loss of codes and penalty", net.loss(&VisitRows::new(&apart))),
                ("loss of visits and penalty", net.loss(&VisitRows::new(&single))),
                ("penalty", net.loss(&VisitRows::new(&alone))),
            ];
            let trace = trace(&net, outputs, 3 * 2);
            let value = |name: &str| trace.get(name).unwrap()[0];
            for name in ["loss of codes and penalty", "loss of visits and penalty"] {
                assert!(value(name) > value("penalty") && value(name) < value("loss of all"), "{trace:?}");
            }
            trace
        });
    }
}
