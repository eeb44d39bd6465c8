//! Med2Vec against a twin in NumPy, and on visits that follow each other.

use std::sync::atomic::AtomicBool;

use nn_core::data::{Sampler, rng};
use nn_core::train::{FitConfig, Monitor, Supervised, TRAIN_LOSS, fit};
use rand::RngExt;
use serde_json::Value;

use super::learn::recall_of;
use super::*;
use crate::systems::VisitSequence;
use crate::systems::golden::{assert_close, filled, values};

/// Values of `tests/golden/med2vec.py`.
fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/med2vec.json")).unwrap()
}

fn list(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn patients(golden: &Value) -> Vec<VisitSequence> {
    let patient = |patient: &Value| {
        let mut sequence =
            VisitSequence::new(list(&patient["statics"]).into_iter().map(|value| value as f32).collect());
        for visit in patient["visits"].as_array().unwrap() {
            sequence.push(1.0, false, list(visit).into_iter().map(|code| code as u32));
        }
        sequence
    };
    golden["patients"].as_array().unwrap().iter().map(patient).collect()
}

fn small() -> Med2VecConfig {
    Med2VecConfig { codes: 8, statics: 2, code_size: 5, visit_size: 4, ..Med2VecConfig::default() }
}

#[test]
fn vectors_and_losses_are_those_of_the_published_formulas() {
    let golden = golden();
    let (patients, groups) = (patients(&golden), list(&golden["groups"]));
    let groups: Vec<u32> = groups.into_iter().map(|group| group as u32).collect();
    for (name, window, groups) in
        [("window 1", 1, Vec::new()), ("window 3", 3, Vec::new()), ("groups, window 2", 2, groups)]
    {
        let config = Med2VecConfig { groups, window, ..small() };
        let net = filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let rows = VisitRows::new(&patients);
        // single precision against double, in sums of some hundred terms
        assert_close(&values(net.visits(&rows)), &list(&golden[name]["visits"]), 1e-5, name);
        let terms: Vec<f64> = net.terms(&rows).into_iter().flat_map(values).collect();
        assert_close(&terms, &list(&golden[name]["terms"]), 1e-4, name);
        let sum: f64 = terms.iter().sum();
        assert_close(&values(net.loss(&rows)), &[sum], 1e-4, name);
    }
}

#[test]
fn sizes_are_those_of_the_authors_code() {
    let device = Device::flex();
    let net = Med2VecConfig::default().init(&device, &mut rng(1, &[])).unwrap();
    // W_c and b_c, W_v and b_v, the softmax: 1000 codes, 200 and 200
    assert_eq!(net.num_params(), 1000 * 200 + 200 + 200 * 200 + 200 + 200 * 1000 + 1000);
    let groups = vec![3; 1000];
    assert_eq!(Med2VecConfig { groups, ..Med2VecConfig::default() }.outputs(), 4);
}

#[test]
fn empty_visits_and_other_patients_change_nothing() {
    let golden = golden();
    let patients = patients(&golden);
    let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let mut gaps = Vec::new();
    for patient in &patients {
        let mut sequence = VisitSequence::new(patient.statics().to_vec());
        for visit in 0..patient.len() {
            sequence.push(3.0, false, []);
            sequence.push(3.0, false, patient.codes(visit).iter().copied());
        }
        gaps.push(sequence);
        gaps.push(VisitSequence::new(vec![0.0; 2]));
    }
    let (rows, with_gaps) = (VisitRows::new(&patients), VisitRows::new(&gaps));
    assert_eq!(rows.len(), with_gaps.len());
    assert_eq!(values(net.loss(&rows)), values(net.loss(&with_gaps)));
    // a visit alone is what it is in a batch, up to the order of sums in a product of matrices
    let all = values(net.visits(&rows));
    let last = values(net.visits(&VisitRows::new(&patients[2..])));
    assert_close(&all[all.len() - 4..], &last, 1e-6, "one visit");
}

#[test]
fn patients_come_once_an_epoch_in_steps_of_some_visits() {
    let sequences: Vec<VisitSequence> = (0..20)
        .map(|patient| {
            let mut sequence = VisitSequence::default();
            (0..patient % 4).for_each(|_| sequence.push(1.0, false, [2]));
            sequence
        })
        .collect();
    let blocks = VisitBlocks::new(&sequences, 6);
    let batches = blocks.batches(3, 0);
    assert_eq!(batches, blocks.batches(3, 0));
    assert_ne!(batches, blocks.batches(3, 1));
    let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
    seen.sort_unstable();
    // those without a visit do not come
    assert_eq!(seen, (0..20).filter(|patient| patient % 4 > 0).collect::<Vec<_>>());
    let visits = |batch: &Vec<usize>| batch.iter().map(|patient| patient % 4).sum::<usize>();
    assert!(batches[..batches.len() - 1].iter().all(|batch| (6..=8).contains(&visits(batch))));
}

#[test]
fn recall_counts_what_is_among_the_first() {
    let scores = [0.1, 0.9, 0.5, 0.5, 0.2];
    assert_eq!(recall_of(&scores, &[1, 2], 2), 1.0);
    // of equal scores the smaller place comes first
    assert_eq!(recall_of(&scores, &[1, 3], 2), 0.5);
    assert_eq!(recall_of(&scores, &[0, 4], 3), 0.0);
    assert_eq!(recall_of(&scores, &[0, 1, 2, 3, 4], 99), 1.0);
}

#[test]
fn it_learns_which_codes_follow_and_which_belong_together() {
    // codes 2 to 5 come together, then codes 6 to 9, and so on
    let patient = |number: u64| {
        let mut sequence = VisitSequence::default();
        let mut draw = rng(7, &[number]);
        let first = draw.random_range(0..2_u32);
        for visit in 0..6 {
            let group = (first + visit) % 2;
            let codes: Vec<u32> = (0..3).map(|_| 2 + 4 * group + draw.random_range(0..4)).collect();
            sequence.push(30.0, false, codes);
        }
        sequence
    };
    let train: Vec<VisitSequence> = (0..120).map(patient).collect();
    let tuning: Vec<VisitSequence> = (1000..1040).map(patient).collect();
    let objective = Med2VecObjective::new(train, tuning).unwrap().with_recall_at(4);
    let config = Med2VecConfig { codes: 10, code_size: 16, visit_size: 16, ..Med2VecConfig::default() };
    let net = config.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let blocks = objective.blocks(60);
    let mut learner = Supervised::new(objective, net, OptimizerConfig::adam().init(), "med2vec");
    let settings = FitConfig { restore_best: false, ..FitConfig::new(30, 0.02, Monitor::lower(TRAIN_LOSS)) };
    let outcome = fit(&mut learner, &blocks, &settings, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let metric = |name: &str| outcome.last_metrics.iter().find(|(own, _)| own == name).unwrap().1;
    // the next visit has three of the four codes of the other group: their places are the first four; chance is 0.4
    assert!(metric("recall@4") > 0.95, "{:?}", outcome.last_metrics);
    let net = learner.into_model().unwrap();
    let vectors = net.vectors().unwrap();
    for code in 2..10_u32 {
        let near: Vec<u32> = vectors.neighbours(code, 3).unwrap().iter().map(|other| other.code).collect();
        assert!(near.iter().all(|other| (other - 2) / 4 == (code - 2) / 4), "{code}: {near:?}");
    }
    let top = net.top_codes(0, 3).unwrap();
    assert!(top.len() <= 3 && top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    assert!(net.top_codes(16, 3).unwrap().is_empty());
}

#[test]
fn what_does_not_fit_is_refused() {
    for (field, config) in [
        ("window", Med2VecConfig { window: 6, ..small() }),
        ("code_size", Med2VecConfig { code_size: 0, ..small() }),
        ("l2", Med2VecConfig { l2: -1.0, ..small() }),
        ("log_epsilon", Med2VecConfig { log_epsilon: 0.0, ..small() }),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{error}");
    }
    let error = Med2VecConfig { groups: vec![1, 2], ..small() }.validate().unwrap_err().to_string();
    assert_eq!(error, "2 groups for 8 codes; give one for each, or none");
    assert!(Med2VecObjective::new(vec![VisitSequence::default()], Vec::new()).is_err());
    assert!(Med2VecConfig::optimizer().validate().is_ok());
}
