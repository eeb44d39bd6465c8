//! Levels that are linear in the sums of marks are found, tissue by tissue, and the model comes back from its file.

use std::sync::atomic::AtomicBool;

use nn_core::data::rng;
use rand::RngExt;

use super::*;
use crate::locus::{Locus, Strand};
use crate::systems::expecto::SpatialConfig;
use crate::systems::expecto::tests::small;
use crate::systems::golden::filled;
use crate::task::{TaskConfig, TaskModel, TaskStudy};

struct Planted {
    genome: Genome,
    table: GeneTable,
    body: Beluga,
    features: Vec<f32>,
    config: ExpectoConfig,
}

impl Planted {
    fn task(&self) -> ExpectoTask<'_> {
        ExpectoTask::new(&self.table, &self.genome, &self.body, &self.features, self.config.clone()).unwrap()
    }
}

/// Eighty genes of four contigs. Their level in the liver is 5 and a sum of their sums; in the lung it is twice that,
/// less 1, and not known of each fifth gene.
fn planted() -> Planted {
    let mut draw = rng(8, &[]);
    let mut bases = || (0..1500).map(|_| b"ACGT"[draw.random_range(0..4_usize)]).collect::<Vec<u8>>();
    let genome = Genome::from_contigs((1..=4).map(|contig| (format!("chr{contig}"), bases()))).unwrap();
    let body = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let spatial = SpatialConfig { step: 20, reach: 60, decays: vec![0.1], shift: 20 };
    let config = ExpectoConfig { body: small(), spatial, l2: 1e-6, tissues: 2, ..ExpectoConfig::default() };
    let mut table = GeneTable { tasks: ["liver", "lung"].map(str::to_owned).to_vec(), ..GeneTable::default() };
    for gene in 0..80_i64 {
        let strand = if gene % 3 == 0 { Strand::Reverse } else { Strand::Forward };
        let at = 100 + 65 * (gene % 20);
        table.names.push(format!("gene {gene}"));
        table.starts.push(Locus::new(format!("chr{}", gene / 20 + 1), at, at + 1).unwrap().on(strand));
    }
    let features = Expecto::features(&body, &config.spatial, &genome, &table.starts).unwrap();
    let features: Vec<f32> = features.into_iter().map(|sum| sum as f32).collect();
    for (gene, sums) in features.chunks_exact(config.sums()).enumerate() {
        let weights = [40.0, -30.0, 20.0, -10.0, 5.0, 30.0];
        let liver = 5.0 + sums.iter().zip(weights).map(|(sum, weight)| f64::from(*sum) * weight).sum::<f64>();
        let lung = if gene % 5 == 0 { f64::NAN } else { 2.0 * liver - 1.0 };
        table.levels.extend([liver as f32, lung as f32]);
    }
    Planted { genome, table, body, features, config }
}

#[test]
fn levels_that_are_linear_in_the_sums_are_found() {
    let planted = planted();
    let task = planted.task();
    let config = TaskConfig { models: 1, test_fraction: 0.25, ..TaskConfig::of(task.network()) };
    let study = TaskStudy::new(&task, "planted", None, config).unwrap();
    let device = Device::flex();
    let (model, outcome) = study.train(0, &device, (None, false), &mut (), &AtomicBool::new(false)).unwrap();
    assert_eq!((outcome.epochs_run, outcome.best_epoch), (0, None));
    let test = &study.plan().split(0).test;
    assert_eq!(test.len(), 20);
    let found = model.predict(&task, test).unwrap();
    for (&gene, found) in test.iter().zip(found.chunks_exact(2)) {
        let liver = f64::from(planted.table.levels[2 * gene]);
        // levels differ by 0.4 and more; single precision of products of up to 60, and next to no penalty
        assert!((found[0] - liver).abs() < 1e-2 && (found[1] - (2.0 * liver - 1.0)).abs() < 2e-2, "{found:?} {liver}");
    }
    let baselines = study.baselines(0).unwrap();
    let names: Vec<&str> = baselines.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["mean", "4-mer ridge regression on the window around the start"]);
    for baseline in baselines {
        let score = task.rows().judge(test, baseline.predicted).unwrap().score("mse").unwrap();
        assert!(score > 1e-2, "{}: {score}", baseline.name);
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("expecto.safetensors");
    model.save(&path).unwrap();
    let read = TaskModel::load(&task, &path, &device).unwrap();
    assert_eq!(read.predict(&task, test).unwrap(), found);
    assert_eq!(read.card, model.card);
    let (network, card) = Expecto::load(&path, &device).unwrap();
    assert_eq!((network.heads().unwrap(), card), (model.network.heads().unwrap(), model.card));
    let other = ExpectoConfig { weights: "of another file".to_owned(), ..planted.config.clone() };
    let other = ExpectoTask::new(&planted.table, &planted.genome, &planted.body, &planted.features, other).unwrap();
    let error = TaskModel::load(&other, &path, &device).unwrap_err().to_string();
    assert!(error.contains("the network is"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let mut planted = planted();
    for gene in 0..80 {
        planted.table.levels[2 * gene + 1] = f32::NAN;
    }
    let all: Vec<usize> = (0..80).collect();
    let error = planted.task().fit(&all, 1).unwrap_err().to_string();
    assert_eq!(error, "no gene of the training part has a level of lung; leave it out");
    let new = |features: &[f32], config: &ExpectoConfig| {
        ExpectoTask::new(&planted.table, &planted.genome, &planted.body, features, config.clone())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(
        new(&planted.features[1..], &planted.config).starts_with("2 levels of each gene and 479 sums of marks; 2 and")
    );
    let one = ExpectoConfig { tissues: 1, ..planted.config.clone() };
    assert!(new(&planted.features, &one).starts_with("2 levels of each gene and 480 sums of marks; 1 and 480 are due"));
}
