//! Files come back, a run that was stopped ends in the same bits, and rows are divided as they should be.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use nn_core::store;
use nn_core::train::Checkpoints;

use super::*;
use crate::genes::GeneTable;
use crate::systems::mostavi::MostaviConfig;
use crate::systems::speid::{SpeidConfig, SpeidTask};
use crate::systems::table::TableTask;
use crate::systems::xpresso::XpressoTask;

mod phases;
mod planted;

use self::planted::{genes, pairs, quick, samples, small_xpresso};

#[test]
fn a_model_comes_back_from_its_file_and_others_are_refused() {
    let (genome, table) = genes();
    let task = XpressoTask::new(&table, &genome, small_xpresso()).unwrap();
    let study = TaskStudy::new(&task, "planted", None, quick(task.network(), 24, 1)).unwrap();
    let device = Device::flex();
    let (model, _) = study.train(0, &device, (None, false), &mut (), &AtomicBool::new(false)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xpresso.safetensors");
    model.save(&path).unwrap();
    assert!(TaskCard::is_in(&path).unwrap());
    let read = TaskModel::load(&task, &path, &device).unwrap();
    assert_eq!(read.card, model.card);
    assert_eq!(read.card.fitted.columns, ["feature", "noise"]);
    assert!(read.card.fitted.inputs.is_some() && read.card.fitted.targets.is_some());
    let rows = [0, 7, 123];
    assert_eq!(read.predict(&task, &rows).unwrap(), model.predict(&task, &rows).unwrap());
    assert_eq!(together(&task, &[read, model], &rows).unwrap().len(), 3);

    let (pair_genome, pairs) = pairs(4);
    let other = SpeidConfig { enhancer: 60, promoter: 60, ..SpeidConfig::default() };
    let other = SpeidTask::new(&pairs, &pair_genome, other).unwrap();
    let error = TaskModel::load(&other, &path, &device).unwrap_err().to_string();
    assert!(error.contains("the network is") && error.contains("speid"), "{error}");
    let wider = GeneTable { tasks: vec!["liver".to_owned()], ..table.clone() };
    let wider = XpressoTask::new(&wider, &genome, small_xpresso()).unwrap();
    let error = TaskModel::load(&wider, &path, &device).unwrap_err().to_string();
    assert!(error.contains("expression (values)") && error.contains("liver (values)"), "{error}");
}

#[test]
fn a_run_that_was_stopped_ends_in_the_same_bits() {
    let (genome, table) = genes();
    let task = XpressoTask::new(&table, &genome, small_xpresso()).unwrap();
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, epochs: usize, resume: bool| {
        let study = TaskStudy::new(&task, "planted", None, quick(task.network(), 24, epochs)).unwrap();
        let checkpoints = Checkpoints::new(folder.path().join(name));
        let (model, _) =
            study.train(0, &device, (Some(&checkpoints), resume), &mut (), &AtomicBool::new(false)).unwrap();
        store::to_safetensors(&model.network, &model.card.metadata()).unwrap()
    };
    let whole = run("whole", 4, false);
    run("stopped", 2, false);
    let resumed = run("stopped", 4, true);
    assert!(whole == resumed, "the bytes differ");
}

#[test]
fn rows_are_divided_as_their_kind_asks() {
    let set = samples(60);
    let task = TableTask::classes(&set, None, vec![], MostaviConfig::default()).unwrap();
    let share = |rows: &[usize]| rows.iter().filter(|&&row| set.labels[row] == 1).count() as f64 / rows.len() as f64;
    let study = TaskStudy::new(&task, "samples", None, quick(task.network(), 8, 1)).unwrap();
    let split = study.plan().split(0);
    // each part has the classes in proportion: within one sample of the share
    let all: Vec<usize> = (0..60).collect();
    assert!((share(&split.test) - share(&all)).abs() <= 1.0 / split.test.len() as f64 + 1e-9);
    // samples of one patient stay together
    let patients: Vec<u64> = (0..60).map(|sample| sample / 3).collect();
    let task = TableTask::classes(&set, Some(patients.clone()), vec![], MostaviConfig::default()).unwrap();
    let study = TaskStudy::new(&task, "samples", None, quick(task.network(), 8, 1)).unwrap();
    let split = study.plan().split(0);
    let of = |rows: &[usize]| rows.iter().map(|&row| patients[row]).collect::<BTreeSet<u64>>();
    assert!(of(&split.test).is_disjoint(&of(&split.train)) && of(&split.validation).is_disjoint(&of(&split.train)));
    // folds meet every row once
    let config = TaskConfig { folds: 4, models: 4, ..quick(task.network(), 8, 1) };
    let study = TaskStudy::new(&task, "samples", None, config).unwrap();
    let mut tested: Vec<usize> = (0..4).flat_map(|fold| study.plan().split(fold).test.clone()).collect();
    tested.sort_unstable();
    assert_eq!(tested, all);
    let refused = |split| {
        let config = TaskConfig { split: Some(split), ..quick(task.network(), 8, 1) };
        TaskStudy::new(&task, "samples", None, config).unwrap_err().to_string()
    };
    assert!(refused(SplitKind::Chromosome).contains("have no place on the genome"));
    assert!(refused(SplitKind::Cluster).contains("the rows are no sequences"));
    // genes lie on contigs, and none of the test part's is learnt from
    let (genome, table) = genes();
    let task = XpressoTask::new(&table, &genome, small_xpresso()).unwrap();
    let config = TaskConfig { test_contigs: vec!["2".to_owned()], ..quick(task.network(), 24, 1) };
    let study = TaskStudy::new(&task, "genes", None, config).unwrap();
    assert_eq!(study.plan().split(0).test, (50..100).collect::<Vec<usize>>());
}

#[test]
fn names_and_settings_are_checked() {
    for (name, _) in TASKS {
        let network = TaskNetConfig::named(name).unwrap();
        assert!(name.starts_with(network.system()), "{name}");
        let config = TaskConfig::of(network);
        config.validate().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TaskConfig>(&text).unwrap(), config, "{name}");
    }
    let error = TaskNetConfig::named("basset").unwrap_err().to_string();
    assert!(error.contains("speid, gene2vec") && error.contains("d-gex"), "{error}");
    let with = |change: fn(&mut TaskConfig)| {
        let mut config = TaskConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert!(with(|config| config.models = 0).starts_with("models = 0"));
    assert!(with(|config| config.folds = 3).contains("3 folds with 5 models"));
    let error = with(|config| {
        config.test_contigs = vec!["chr1".to_owned()];
        config.split = Some(SplitKind::Group);
    });
    assert!(error.contains("test_contigs are for a split by chromosome"), "{error}");
}
