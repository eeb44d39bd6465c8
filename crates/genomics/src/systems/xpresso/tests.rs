//! Parameter count of the authors' best model, PyTorch's outputs, the window of a gene, and genes learnt by heart.

use nn_core::data::rng;
use nn_core::layers::init::Fan;
use rand::RngExt;

use super::*;
use crate::locus::Strand;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::{assert_golden, losses};

fn small() -> XpressoConfig {
    XpressoConfig {
        length: 50,
        features: 3,
        filters: [5, 4],
        kernels: [6, 9],
        pools: [5, 2],
        hidden: [6, 3],
        dropout: [0.0; 2],
    }
}

#[test]
fn the_parameter_count_is_that_of_the_authors_best_model() {
    // 10,500 → 350 → 35 positions; their notebook prints 112,485
    let model = XpressoConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    let convolutions = (128 * 4 * 6 + 128) + (32 * 128 * 9 + 32);
    assert_eq!(model.num_params(), convolutions + (1128 * 64 + 64) + (64 * 2 + 2) + (2 + 1));
    assert_eq!(model.num_params(), 112_485);
}

#[test]
fn outputs_are_those_of_pytorch() {
    let device = Device::flex();
    let model = filled(small().init(&device, &mut rng(1, &[])).unwrap());
    let features = input("features", [3, 1, 3]).reshape([3, 3]);
    assert_golden(model.forward(input("genes", [3, 4, 50]), Some(features), None), "xpresso");
}

#[test]
fn windows_follow_the_strand() {
    let gene = Locus::new("chr1", 20_000, 30_000).unwrap();
    assert_eq!(window(&gene), Locus::new("chr1", 13_000, 23_500).unwrap());
    assert_eq!(window(&gene).len(), XpressoConfig::default().length);
    // on the reverse strand transcription starts at base 29,999
    let reverse = window(&gene.on(Strand::Reverse));
    assert_eq!(reverse, Locus::new("chr1", 26_500, 37_000).unwrap().on(Strand::Reverse));
    assert_eq!(reverse.end - 1 - UPSTREAM as i64, 29_999);
}

fn genes(rows: usize) -> (SequenceSet, Vec<f32>) {
    let mut rng = rng(3, &[]);
    let mut sequence = || (0..50).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
    let set = SequenceSet {
        names: (0..rows).map(|row| row.to_string()).collect(),
        sequences: (0..rows).map(|_| sequence()).collect(),
        loci: vec![None; rows],
        tasks: vec!["level".to_owned()],
        labels: Labels::Values,
        targets: Init::Normal(1.0).values(&[rows], Fan { inputs: 1, outputs: 1 }, &mut nn_core::data::rng(4, &[])),
        groups: None,
    };
    (set, Init::Normal(1.0).values(&[rows * 3], Fan { inputs: 1, outputs: 1 }, &mut nn_core::data::rng(5, &[])))
}

#[test]
fn genes_are_learnt_by_heart() {
    let (set, features) = genes(10);
    let config = XpressoConfig { filters: [16, 16], hidden: [32, 16], ..small() };
    let device = Device::flex().autodiff();
    let rows: Vec<usize> = (0..10).collect();
    let objective = XpressoObjective::new(&set, &features, config.clone(), rows.clone(), &device).unwrap();
    let model = config.init(&device, &mut rng(2, &[])).unwrap();
    let scores = objective.validate(&model.valid()).unwrap();
    assert!(scores.iter().any(|(name, _)| name == "spearman"), "{scores:?}");
    let [first, last] = losses(objective, model, &rows, 200, 5e-3);
    assert!(last < 0.01 * first, "{first} {last}");
}

#[test]
fn a_missing_value_counts_nothing_and_what_does_not_fit_is_refused() {
    let (mut set, features) = genes(4);
    set.targets[1] = f32::NAN;
    let device = Device::flex().autodiff();
    let objective = XpressoObjective::new(&set, &features, small(), vec![0, 1, 2, 3], &device).unwrap();
    let model = small().init(&device, &mut rng(2, &[])).unwrap();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 1e-3 };
    let loss = |rows: &[usize]| objective.loss(&model, rows, &context).unwrap().into_scalar::<f32>();
    // two sums of two numbers near 1, in another order
    assert!((loss(&[0, 1, 2]) - loss(&[0, 2])).abs() < 1e-5);
    assert!(objective.validate(&model.valid()).unwrap().iter().all(|(_, value)| value.is_finite()));

    let refused = |set: &SequenceSet, features: &[f32], config| {
        XpressoObjective::new(set, features, config, vec![], &device).unwrap_err().to_string()
    };
    assert_eq!(refused(&set, &features[1..], small()), "11 features of genes; 12 finite numbers are due");
    let long = XpressoConfig { length: 49, ..small() };
    assert_eq!(refused(&set, &features, long), "a sequence has 50 bases, the network reads length = 49");
    let binary = SequenceSet { labels: Labels::Binary, targets: vec![0.0; 4], ..set.clone() };
    assert_eq!(refused(&binary, &features, small()), "1 tasks of Binary; one of values is due");
    XpressoConfig::recipe().validate().unwrap();
}
