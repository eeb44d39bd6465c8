//! Parameter counts of the authors' modules, PyTorch's outputs, and what a missing call leaves alone.

use std::sync::atomic::AtomicBool;

use burn::optim::GradientsParams;
use nn_core::data::rng;
use nn_core::store;
use nn_core::train::{Checkpoints, Monitor, Objective, StepContext, TRAIN_LOSS};
use rand::RngExt;

use super::*;
use crate::genome::Genome;
use crate::locus::Locus;
use crate::methylation::MethylationTable;
use crate::split::SplitKind;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::assert_golden;
use crate::task::{Fitted, Task, TaskConfig, TaskObjective, TaskStudy};

const CONTEXT: StepContext = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 1e-3 };

fn small(modules: Modules) -> DeepCpgConfig {
    DeepCpgConfig {
        modules,
        cells: 3,
        window: 41,
        filters: [5, 6],
        kernels: [5, 3],
        hidden: 7,
        neighbours: 2,
        per_cell: 6,
        recurrent: 4,
        joint: vec![8, 5],
        ..DeepCpgConfig::default()
    }
}

#[test]
fn parameter_counts_are_those_of_the_authors_modules() {
    let count = |modules| {
        let config = DeepCpgConfig { modules, cells: 2, ..DeepCpgConfig::default() };
        config.init(&Device::flex(), &mut rng(1, &[])).unwrap().num_params()
    };
    // 1001 → 991 → 247 → 245 → 122 positions; models/dna.py says 4,100,000
    let dna = (128 * 4 * 11 + 128) + (256 * 128 * 3 + 256) + (256 * 122 * 128 + 128);
    assert_eq!(dna, 4_102_144);
    // models/cpg.py says 810,000: a dense layer, and in each direction three gates with one bias; ours has two
    let cpg = (100 * 256 + 256) + 2 * 3 * (256 * 256 + 256 * 256 + 2 * 256);
    assert_eq!(cpg - 2 * 3 * 256, 813_824);
    let joint = (640 * 512 + 512) + (512 * 512 + 512);
    assert_eq!(count(Modules::Dna), dna + 128 * 2 + 2);
    assert_eq!(count(Modules::Cpg), cpg + 512 * 2 + 2);
    assert_eq!(count(Modules::Joint), dna + cpg + joint + 512 * 2 + 2);
}

#[test]
fn outputs_are_those_of_pytorch() {
    for (modules, name) in [(Modules::Dna, "dna"), (Modules::Cpg, "cpg"), (Modules::Joint, "joint")] {
        let model = filled(small(modules).init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let input = DeepCpgInput {
            dna: Some(input("sequences", [4, 4, 41])),
            neighbours: Some(input("neighbours", [4, 3, 8])),
        };
        assert_golden(model.logits(input, None), &format!("deep_cpg.{name}"));
    }
}

fn one(contig: &str, position: i64) -> Locus {
    Locus::new(contig, position, position + 1).unwrap()
}

/// Sites every 3 bases of a contig, some of them called in each of three cells.
fn data() -> (Genome, MethylationTable) {
    let mut rng = rng(5, &[]);
    let sequence: Vec<u8> = (0..300).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
    let mut cell = |cell: i64| {
        let sites = (0..24).filter(|site| site % 4 != cell);
        let call = |site: i64| (one("chr1", 3 * site + 60), f32::from(u8::from(rng.random::<bool>())));
        (format!("cell {cell}"), sites.map(call).collect::<Vec<(Locus, f32)>>())
    };
    let cells = [cell(0), cell(1), cell(2)];
    (Genome::from_contigs([("1".to_owned(), sequence)]).unwrap(), MethylationTable::from_cells(&cells).unwrap())
}

#[test]
fn a_joint_network_knows_a_batch_by_heart() {
    let (genome, table) = data();
    let config = DeepCpgConfig {
        hidden: 32,
        per_cell: 16,
        recurrent: 16,
        joint: vec![32],
        l1: 0.0,
        l2: 0.0,
        ..small(Modules::Joint)
    };
    let device = Device::flex();
    let rows: Vec<usize> = (0..24).collect();
    let task = DeepCpgTask::new(&table, Some(&genome), config.clone()).unwrap();
    let objective = TaskObjective::new(&task, Fitted::default(), rows.clone(), &device);
    let model = config.init(&device.clone().autodiff(), &mut rng(2, &[])).unwrap();
    let recipe = Recipe::new(OptimizerConfig::adam(), 5e-3, 24, 200);
    let (model, outcome) = recipe.train("deep-cpg", objective, model, &rows, Monitor::lower(TRAIN_LOSS), 1).unwrap();
    let score = |name: &str| outcome.best_metrics.iter().find(|(found, _)| found == name).unwrap().1;
    assert!(score("auroc") == 1.0 && score("loss") < 0.05, "{:?}", outcome.best_metrics);
    // what no cell called gets a prediction as well
    let found = TaskObjective::new(&task, Fitted::default(), vec![], &device).predict(&model, &rows).unwrap();
    assert_eq!(found.len(), 24 * 3);
    assert!(found.iter().all(|logit| logit.is_finite()));
}

#[test]
fn a_cell_without_calls_learns_nothing() {
    let (genome, _) = data();
    let call = |position| (one("1", position), 1.0);
    let cells = [("a", vec![call(50), call(90)]), ("b", vec![]), ("c", vec![call(50)])];
    let cells = cells.map(|(name, calls)| (name.to_owned(), calls));
    let table = MethylationTable::from_cells(&cells).unwrap();
    let config = DeepCpgConfig { l1: 0.0, l2: 0.0, ..small(Modules::Joint) };
    let device = Device::flex().autodiff();
    let task = DeepCpgTask::new(&table, Some(&genome), config.clone()).unwrap();
    let objective = TaskObjective::new(&task, Fitted::default(), vec![], &device);
    let model = config.init(&device, &mut rng(3, &[])).unwrap();
    let gradients = objective.loss(&model, &[0, 1], &CONTEXT).unwrap().backward();
    let gradients = GradientsParams::from_grads(gradients, &model);
    let bias = model.output.bias.as_ref().unwrap();
    let bias = gradients.get::<1>(bias.id).unwrap().try_into_vec_as::<f32>().unwrap();
    assert_eq!(bias[1], 0.0);
    assert!(bias[0] < 0.0 && bias[2] < 0.0, "{bias:?}");
}

#[test]
fn trained_modules_move_into_a_joint_network() {
    let device = Device::flex();
    let build = |config: DeepCpgConfig, seed| config.init(&device, &mut rng(seed, &[])).unwrap();
    let (dna, cpg) = (build(small(Modules::Dna), 1), build(small(Modules::Cpg), 2));
    let joint = build(small(Modules::Joint), 3);
    let moved = joint.clone().with_trained(&dna, &cpg).unwrap();
    let x = input("sequences", [2, 4, 41]);
    let features = |model: &DeepCpg| model.dna.as_ref().unwrap().forward(x.clone()).into_data();
    assert_eq!(features(&moved), features(&dna));
    assert_ne!(features(&joint), features(&dna));
    assert!(joint.clone().with_trained(&cpg, &dna).is_err());
    let other = build(DeepCpgConfig { window: 61, ..small(Modules::Dna) }, 1);
    assert!(joint.with_trained(&other, &cpg).is_err());
}

#[test]
fn modules_stay_as_they_were_trained_alone() {
    let (genome, table) = data();
    let config = small(Modules::Joint);
    let task = DeepCpgTask::new(&table, Some(&genome), config.clone()).unwrap();
    let recipe = Recipe::new(OptimizerConfig::adam(), 1e-2, 8, 3);
    let settings =
        TaskConfig { phases: true, models: 1, split: Some(SplitKind::Random), recipe, ..TaskConfig::default() };
    let study = TaskStudy::new(&task, "sites", None, settings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (checkpoints, stop) = (Checkpoints::new(folder.path()), AtomicBool::new(false));
    let (model, _) = study.train(0, &Device::flex(), (Some(&checkpoints), false), &mut (), &stop).unwrap();
    let alone = |name: &str, modules| {
        let (_, weights) = Checkpoints::new(folder.path().join(name)).best_weights().unwrap().unwrap();
        let fresh = DeepCpgConfig { modules, ..config.clone() }.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        store::from_safetensors(fresh, &weights).unwrap().0
    };
    let (dna, cpg) = (alone("dna", Modules::Dna), alone("cpg", Modules::Cpg));
    let (x, around) = (input("sequences", [2, 4, 41]), input("neighbours", [2, 3, 8]));
    let of_dna = |net: &DeepCpg| net.dna.as_ref().unwrap().forward(x.clone()).into_data();
    let of_cpg = |net: &DeepCpg| net.cpg.as_ref().unwrap().forward(around.clone()).into_data();
    assert_eq!(of_dna(&model.network), of_dna(&dna));
    assert_eq!(of_cpg(&model.network), of_cpg(&cpg));
    // what is over them has learnt
    let fresh = task.init(&Fitted::default(), &Device::flex(), &mut rng(study.seed(0), &[0])).unwrap();
    let joint = |net: &DeepCpg| net.joint[0].weight.val().into_data();
    assert_ne!(joint(&model.network), joint(&fresh));
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let error = DeepCpgConfig { window: 20, ..DeepCpgConfig::default() }.validate().unwrap_err().to_string();
    // (1 · 2 + 2) · 4 + 10
    assert_eq!(error, "window = 20 is out of range; allowed: 26 to 10000000");
    DeepCpgConfig::recipe().validate().unwrap();
    let (genome, table) = data();
    let new = |config, genome| DeepCpgTask::new(&table, genome, config).unwrap_err().to_string();
    assert_eq!(new(DeepCpgConfig::default(), Some(&genome)), "the table has 3 cells, the network cells = 1");
    assert_eq!(new(small(Modules::Joint), None), "the network reads sequences, and there is no genome");
}

#[test]
fn neighbours_are_weighted_by_one_over_their_distance() {
    let call = |position, state| (one("1", position), state);
    // two cells; the second has one call alone, of the middle site
    let cells = [
        ("a".to_owned(), vec![call(100, 1.0), call(110, 0.0), call(140, 1.0)]),
        ("b".to_owned(), vec![call(110, 1.0)]),
    ];
    let table = MethylationTable::from_cells(&cells).unwrap();
    let config = DeepCpgConfig { cells: 2, reach: 100, ..small(Modules::Cpg) };
    let task = DeepCpgTask::new(&table, None, config).unwrap();
    let found = task.baselines(&[0, 2], &[1]).unwrap();
    let p = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    // the share of the training part with one more row of each state: 3 of 4, and nothing known
    assert!((p(found[0].predicted[0]) - 0.75).abs() < 1e-12 && p(found[0].predicted[1]) == 0.5);
    // at 10 and 30 of 100 bases, weights 10 and 10/3, beside the share with weight 1; the last has no neighbour.
    // 1e-6: distances are of single precision
    let expected = (0.75 + 10.0 + 10.0 / 3.0) / (1.0 + 10.0 + 10.0 / 3.0);
    assert!((p(found[1].predicted[0]) - expected).abs() < 1e-6, "{:?}", found[1].predicted);
    assert!((p(found[1].predicted[1]) - 0.5).abs() < 1e-12);
}
