//! Parameter count of the authors' best model, PyTorch's outputs, the window of a gene, and genes learnt by heart.

use nn_core::data::rng;
use nn_core::layers::init::Fan;
use nn_core::train::{Objective, StepContext};
use rand::RngExt;

use super::*;
use crate::genes::GeneTable;
use crate::genome::Genome;
use crate::locus::Strand;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::{assert_golden, losses};
use crate::task::{Fitted, Task, TaskObjective};

fn small() -> XpressoConfig {
    XpressoConfig {
        length: 50,
        upstream: 30,
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
    let window = |gene: &Locus| XpressoConfig::default().window(gene);
    assert_eq!(window(&gene), Locus::new("chr1", 13_000, 23_500).unwrap());
    assert_eq!(window(&gene).len(), XpressoConfig::default().length);
    // on the reverse strand transcription starts at base 29,999
    let reverse = window(&gene.on(Strand::Reverse));
    assert_eq!(reverse, Locus::new("chr1", 26_500, 37_000).unwrap().on(Strand::Reverse));
    assert_eq!(reverse.end - 1 - UPSTREAM as i64, 29_999);
}

/// Genes every 60 bases of a contig of random bases, every second one on its reverse strand.
fn genes(rows: usize) -> (Genome, GeneTable) {
    let mut rng = rng(3, &[]);
    let sequence: Vec<u8> = (0..60 * (rows + 1)).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
    let start = |row: usize| {
        let at = 60 * row as i64 + 30;
        let strand = if row.is_multiple_of(2) { Strand::Forward } else { Strand::Reverse };
        Locus::new("chr1", at, at + 1).unwrap().on(strand)
    };
    let normal = |count, seed| {
        Init::Normal(1.0).values(&[count], Fan { inputs: 1, outputs: 1 }, &mut nn_core::data::rng(seed, &[]))
    };
    let table = GeneTable {
        names: (0..rows).map(|row| row.to_string()).collect(),
        starts: (0..rows).map(start).collect(),
        features: ["a", "b", "c"].map(str::to_owned).to_vec(),
        values: normal(rows * 3, 5),
        tasks: vec!["level".to_owned()],
        levels: normal(rows, 4).into_iter().map(|level| 5.0 + 2.0 * level).collect(),
        families: None,
    };
    (Genome::from_contigs([("1".to_owned(), sequence)]).unwrap(), table)
}

#[test]
fn genes_are_learnt_by_heart_in_their_own_unit() {
    let (genome, table) = genes(10);
    let config = XpressoConfig { filters: [16, 16], hidden: [32, 16], ..small() };
    let device = Device::flex().autodiff();
    let rows: Vec<usize> = (0..10).collect();
    let task = XpressoTask::new(&table, &genome, config.clone()).unwrap();
    let fitted = task.fit(&rows, 1).unwrap();
    let objective = || TaskObjective::new(&task, fitted.clone(), rows.clone(), &device);
    let model = config.init(&device, &mut rng(2, &[])).unwrap();
    let scores = objective().validate(&model.valid()).unwrap();
    assert!(scores.iter().any(|(name, _)| name == "pearson"), "{scores:?}");
    let [first, last] = losses(objective(), model.clone(), &rows, 200, 5e-3);
    assert!(last < 0.01 * first, "{first} {last}");
    // what is predicted is in the unit of the table: mean + deviation times what the network gives
    let levels: Vec<f64> = table.levels.iter().map(|&level| f64::from(level)).collect();
    let mean = levels.iter().sum::<f64>() / 10.0;
    let deviation = (levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / 10.0).sqrt();
    let found = objective().predict(&model.valid(), &rows).unwrap();
    let unscaled = TaskObjective::new(&task, Fitted { targets: None, ..fitted.clone() }, vec![], &device);
    for (found, plain) in found.iter().zip(unscaled.predict(&model.valid(), &rows).unwrap()) {
        // the scale is kept in single precision
        assert!((found - (mean + deviation * plain)).abs() < 1e-4, "{found} {plain}");
    }
}

#[test]
fn a_missing_level_counts_nothing_and_what_does_not_fit_is_refused() {
    let (genome, mut table) = genes(4);
    table.levels[1] = f32::NAN;
    let device = Device::flex().autodiff();
    let task = XpressoTask::new(&table, &genome, small()).unwrap();
    let fitted = task.fit(&[0, 1, 2, 3], 1).unwrap();
    let objective = TaskObjective::new(&task, fitted, vec![0, 1, 2, 3], &device);
    let model = small().init(&device, &mut rng(2, &[])).unwrap();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 1e-3 };
    let loss = |rows: &[usize]| objective.loss(&model, rows, &context).unwrap().into_scalar::<f32>();
    // two sums of two numbers near 1, in another order
    assert!((loss(&[0, 1, 2]) - loss(&[0, 2])).abs() < 1e-5);
    assert!(objective.validate(&model.valid()).unwrap().iter().all(|(_, value)| value.is_finite()));
    assert!(task.baselines(&[0, 1, 2], &[3]).unwrap().iter().all(|found| found.predicted[0].is_finite()));

    let refused =
        |table: &GeneTable, genome: &Genome, config| XpressoTask::new(table, genome, config).unwrap_err().to_string();
    let four = XpressoConfig { features: 4, ..small() };
    assert_eq!(refused(&table, &genome, four), "1 levels and 3 features of each gene; 1 and 4 are due");
    assert!(refused(&table, &Genome::default(), small()).contains("chr1"));
    assert!(XpressoConfig { upstream: 50, ..small() }.validate().is_err());
    XpressoConfig::recipe().validate().unwrap();
}
