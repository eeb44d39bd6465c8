//! What a study does with settings, rows and labels; that it learns; that it is the same twice.

use std::sync::atomic::AtomicBool;

use nn_core::data::group_ids;
use nn_core::optim::ScheduleState;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::objective::loss;
use super::*;
use crate::dataset::Labels;
use crate::locus::Locus;
use crate::model::StrandPolicy;
use crate::sequence::{ALPHABET, reverse_complement};
use crate::systems::NetConfig;
use crate::systems::deep_bind::DeepBindConfig;
use burn::tensor::{Tensor, TensorData};

const MOTIF: &[u8] = b"TGACGTCA";
const LENGTH: usize = 60;

fn bases(count: usize, draw: &mut ChaCha8Rng) -> Vec<u8> {
    (0..count).map(|_| ALPHABET[draw.random_range(0..4)]).collect()
}

/// Rows on four contigs, half of them with a site of a motif on either strand.
fn planted(rows: usize) -> SequenceSet {
    let mut draw = rng(5, &[]);
    let mut set = SequenceSet { tasks: vec!["bound".into()], ..SequenceSet::default() };
    for row in 0..rows {
        let mut sequence = bases(LENGTH, &mut draw);
        let bound = row % 2 == 0;
        if bound {
            let site = [MOTIF, b"GG"].concat();
            let site = if draw.random_bool(0.5) { site } else { reverse_complement(&site) };
            let at = draw.random_range(5..LENGTH - 5 - site.len());
            sequence[at..at + site.len()].copy_from_slice(&site);
        }
        let start = 1000 * row as i64;
        set.names.push(format!("row {row}"));
        set.sequences.push(sequence);
        set.loci.push(Some(Locus::new(format!("chr{}", row % 8 / 2 + 1), start, start + LENGTH as i64).unwrap()));
        set.targets.push(f32::from(u8::from(bound)));
    }
    set
}

fn small() -> StudyConfig {
    let network = DeepBindConfig {
        filters: 24,
        kernel: 10,
        second_filters: 0,
        hidden: 16,
        dropout: 0.0,
        ..DeepBindConfig::default()
    };
    StudyConfig {
        models: 1,
        epochs: 15,
        patience: 15,
        batch_size: 16,
        learning_rate: 5e-3,
        schedule: ScheduleKind::Constant,
        optimizer: OptimizerKind::Adam,
        weight_decay: 0.0,
        network: NetConfig::DeepBind(network),
        ..StudyConfig::default()
    }
}

#[test]
fn settings_out_of_range_and_contradictions_are_refused() {
    let error = |config: StudyConfig| config.validate().unwrap_err().to_string();
    assert!(error(StudyConfig { epochs: 0, ..small() }).starts_with("epochs = 0"));
    assert!(error(StudyConfig { validation_fraction: 0.9, ..small() }).starts_with("validation_fraction = 0.9"));
    assert!(error(StudyConfig { window: Some(0), ..small() }).starts_with("window = 0"));
    assert!(error(StudyConfig { folds: 1, ..small() }).starts_with("folds = 1"));
    assert!(error(StudyConfig { folds: 3, models: 5, ..small() }).contains("only 3 folds"));
    let upstream = Some(SplitKind::Upstream);
    assert!(error(StudyConfig { folds: 3, split: upstream, ..small() }).contains("leave out folds"));
    let contigs = vec!["chr1".to_owned()];
    let cluster = Some(SplitKind::Cluster);
    assert!(error(StudyConfig { test_contigs: contigs, split: cluster, ..small() }).contains("chromosome"));
    assert!(small().validate().is_ok());
    assert_eq!(small().monitor(), nn_core::train::Monitor::lower("loss"));
    let auroc = StudyConfig { monitor: "auroc".into(), ..small() };
    assert_eq!(auroc.monitor(), nn_core::train::Monitor::higher("auroc"));
}

#[test]
fn the_data_decide_what_was_left_open() {
    let set = planted(80);
    let found = small().resolved(&set, false).unwrap();
    assert_eq!((found.split, found.window), (Some(SplitKind::Chromosome), Some(LENGTH)));
    assert_eq!((found.network.length(), found.network.outputs()), (LENGTH, 1));
    // The default network reads both strands itself.
    assert_eq!(found.strands, StrandPolicy::Network);
    assert_eq!(found.clone().resolved(&set, false).unwrap(), found, "a second time nothing changes");
    assert_eq!(small().resolved(&set, true).unwrap().split, Some(SplitKind::Upstream));
    let mut nowhere = set.clone();
    nowhere.loci.iter_mut().for_each(|locus| *locus = None);
    assert_eq!(small().resolved(&nowhere, false).unwrap().split, Some(SplitKind::Cluster));
    let given = StudyConfig { strands: StrandPolicy::Given, ..small() }.resolved(&set, false).unwrap();
    assert!(matches!(given.network, NetConfig::DeepBind(ref network) if !network.both_strands));
    let basset = NetConfig::named("basset").unwrap();
    let wrong = StudyConfig { strands: StrandPolicy::Network, network: basset, window: Some(200), ..small() };
    assert!(wrong.resolved(&set, false).unwrap_err().to_string().contains("both_strands"));
    let upstream = StudyConfig { split: Some(SplitKind::Upstream), ..small() };
    assert!(upstream.resolved(&set, false).unwrap_err().to_string().contains("--test"));
}

#[test]
fn parts_share_no_group_and_every_row_is_tested_once_by_folds() {
    let set = planted(160);
    let config = StudyConfig { models: 3, ..small() }.resolved(&set, false).unwrap();
    let plan = Plan::new(&set, None, &config).unwrap();
    assert_eq!(plan.models(), 3);
    let contigs = group_ids(set.loci.iter().flatten().map(|locus| locus.contig.clone()));
    for model in 0..3 {
        let split = plan.split(model);
        assert_eq!(split.test, plan.split(0).test, "one test part for all");
        let of = |rows: &[usize]| rows.iter().map(|&row| contigs[row]).collect::<BTreeSet<u64>>();
        assert!(of(&split.train).is_disjoint(&of(&split.test)));
        assert!(of(&split.validation).is_disjoint(&of(&split.test)));
        assert_eq!(split.train.len() + split.validation.len() + split.test.len(), set.len());
    }
    assert_ne!(plan.split(0).validation, plan.split(1).validation, "another validation part for each");

    let config = StudyConfig { models: 4, folds: 4, split: Some(SplitKind::Random), ..small() };
    let plan = Plan::new(&set, None, &config.resolved(&set, false).unwrap()).unwrap();
    let tested = plan.tested();
    assert_eq!(tested.len(), set.len());
    assert!(tested.iter().all(|(_, models)| models.len() == 1));

    let upstream: Vec<usize> = (0..40).collect();
    let config = StudyConfig { models: 2, ..small() }.resolved(&set, true).unwrap();
    let plan = Plan::new(&set, Some(&upstream), &config).unwrap();
    assert_eq!((plan.kind(), &plan.split(1).test), (SplitKind::Upstream, &upstream));

    let config = StudyConfig { test_contigs: vec!["2".into()], ..small() }.resolved(&set, false).unwrap();
    let plan = Plan::new(&set, None, &config).unwrap();
    assert!(plan.split(0).test.iter().all(|&row| &*set.loci[row].as_ref().unwrap().contig == "chr2"));
}

#[test]
fn a_shuffle_stays_with_its_original() {
    let positives = planted(60).select(&(0..60).step_by(2).collect::<Vec<_>>());
    let set = crate::negatives::shuffled(&positives, crate::shuffle::Shuffle::Dinucleotide, 1, 3).unwrap();
    let config = StudyConfig { split: Some(SplitKind::Random), ..small() }.resolved(&set, false).unwrap();
    let plan = Plan::new(&set, None, &config).unwrap();
    let split = plan.split(0);
    for part in [&split.train, &split.validation, &split.test] {
        for &row in part {
            let twin = (row + positives.len()) % set.len();
            assert!(part.contains(&twin), "row {row} and its shuffle {twin} are in two parts");
        }
    }
}

/// A test part on a single contig is resampled by window: rows that overlap, are copies or belong together as one.
#[test]
fn windows_of_few_contigs_are_drawn_in_their_place() {
    let mut set = planted(80);
    set.groups = Some((0..80).collect());
    let config = StudyConfig { test_contigs: vec!["chr2".into()], ..small() }.resolved(&set, false).unwrap();
    // Rows 2, 3, 10, 11, … lie on chr2, 1000 bases apart or more.
    let rows: Vec<usize> = (0..80).filter(|row| row % 8 / 2 == 1).collect();
    let drawn = |set: &SequenceSet| {
        let plan = Plan::new(set, None, &config).unwrap();
        assert_eq!(plan.split(0).test, rows);
        Study::new(set, "planted", plan, config.clone()).unwrap().bootstrap_groups(&rows)
    };
    let distinct = |groups: &[u64]| groups.iter().collect::<BTreeSet<_>>().len();
    let (kind, groups) = drawn(&set);
    assert_eq!((kind, distinct(&groups)), (Drawn::Windows, 20));
    // Row 10 touches row 3 and overlaps row 11; row 18 is row 2 on the other strand; row 27 belongs to row 19.
    let at = |start: i64| Some(Locus::new("chr2", start, start + LENGTH as i64).unwrap());
    set.loci[3] = at(500_000);
    set.loci[10] = at(500_000 + LENGTH as i64);
    set.loci[11] = at(500_001 + LENGTH as i64);
    set.sequences[18] = reverse_complement(&set.sequences[2]);
    set.groups.as_mut().unwrap()[27] = 19;
    let (_, groups) = drawn(&set);
    let of = |row: usize| groups[rows.iter().position(|&other| other == row).unwrap()];
    assert_eq!(distinct(&groups), 17);
    assert!(of(10) == of(11) && of(3) != of(10) && of(18) == of(2) && of(27) == of(19), "{groups:?}");
    // Ten contigs are resampled themselves.
    for row in 0..80 {
        set.loci[row] = Some(Locus::new(format!("chr{}", row % 20), 0, LENGTH as i64).unwrap());
    }
    let all: Vec<usize> = (0..80).collect();
    let config = StudyConfig { split: Some(SplitKind::Random), ..small() }.resolved(&set, false).unwrap();
    let study = Study::new(&set, "planted", Plan::new(&set, None, &config).unwrap(), config).unwrap();
    let (kind, groups) = study.bootstrap_groups(&all);
    assert_eq!((kind, distinct(&groups)), (Drawn::Contigs, 20));
}

/// The rate of epoch e of n is half of 1 + cos(π e / n) of the first one.
#[test]
fn rates_fall_along_a_cosine_unless_they_stay() {
    let recipe = StudyConfig::default();
    assert_eq!(StudyConfig::of(NetConfig::default()), recipe);
    let rates = |config: &StudyConfig| -> Vec<f64> {
        let mut state = ScheduleState::new(config.schedule(), config.learning_rate, false);
        (0..config.epochs)
            .map(|_| {
                let rate = state.learning_rate();
                state.step(None);
                rate
            })
            .collect()
    };
    let found = rates(&recipe);
    assert_eq!(found.len(), 12);
    for (epoch, rate) in found.iter().enumerate() {
        let expected = 2e-3 * f64::midpoint(1.0, (std::f64::consts::PI * epoch as f64 / 12.0).cos());
        // 1e-15: rounding of the cosine
        assert!((rate - expected).abs() < 1e-15, "epoch {epoch}: {rate}, not {expected}");
    }
    let constant = StudyConfig { schedule: ScheduleKind::Constant, ..recipe.clone() };
    assert!(rates(&constant).iter().all(|&rate| rate == 2e-3));
    // A configuration that says nothing of the schedule has the default's.
    let read: StudyConfig = serde_json::from_str(r#"{"epochs":4,"schedule":"constant"}"#).unwrap();
    assert_eq!(read, StudyConfig { epochs: 4, schedule: ScheduleKind::Constant, ..recipe });
}

/// Closed forms of the three losses, with missing labels.
#[test]
fn losses_are_means_over_the_labels_that_are_there() {
    let tensor = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    };
    let value = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
    let (logits, nan) = (tensor(&[2.0, -1.0, 0.5, 3.0], [2, 2]), f32::NAN);
    let sure = |z: f64| (1.0 + (-z).exp()).ln();
    let found = value(loss(&Labels::Binary, logits.clone(), &[1.0, 0.0, nan, 0.0]));
    // 1e-6: single precision
    assert!((found - (sure(2.0) + sure(1.0) + sure(-3.0)) / 3.0).abs() < 1e-6, "{found}");
    let found = value(loss(&Labels::Values, logits.clone(), &[1.0, nan, 0.0, 1.0]));
    assert!((found - (1.0 + 0.25 + 4.0) / 3.0).abs() < 1e-6, "{found}");
    let classes = Labels::Classes(["a", "b"].map(String::from).to_vec());
    let found = value(loss(&classes, logits, &[nan, 1.0]));
    assert!((found - sure(2.5)).abs() < 1e-6, "{found}");
}

#[test]
fn a_planted_motif_is_learnt_and_found_again_and_twice_the_same() {
    let set = planted(400);
    let config = small().resolved(&set, false).unwrap();
    let train = || {
        let plan = Plan::new(&set, None, &config).unwrap();
        let study = Study::new(&set, "planted", plan, config.clone()).unwrap();
        let trained = study.train(0, &Device::flex(), (None, false), &mut (), &AtomicBool::new(false)).unwrap();
        let test = study.plan().split(0).test.clone();
        let logits = study.predict(&trained.model, &test).unwrap();
        (trained, study.judge(&test, logits.clone()).unwrap(), logits)
    };
    let (trained, judged, logits) = train();
    let auroc = judged.score("auroc").unwrap();
    assert!(auroc > 0.95, "AUROC {auroc}");
    assert_eq!(train().2, logits, "the same seed gives the same model");
    let origin = &trained.model.card.origin;
    assert_eq!((origin.dataset.as_str(), origin.split.as_str(), origin.contigs.len()), ("planted", "chromosome", 3));

    let rows: Vec<usize> = (0..set.len()).collect();
    let found = learnt_motifs(&trained.model, &set, &rows).unwrap();
    let best = &found[0];
    assert!(best.auroc.is_some_and(|auroc| (auroc - 0.5).abs() > 0.4), "{best:?}");
    // Six bases of the ten, on either strand: a filter may lie over a part of the motif.
    let consensus = best.motif.consensus();
    let whole = [MOTIF, b"GG"].concat();
    let strands = [whole.clone(), reverse_complement(&whole)].map(|bases| String::from_utf8(bases).unwrap());
    let part = |strand: &String| (0..=strand.len() - 6).any(|at| consensus.contains(&strand[at..at + 6]));
    assert!(strands.iter().any(part), "{consensus} is none of {strands:?}");
}

/// What is held out decides nothing: with other sequences and labels in the test part the same model comes out.
#[test]
fn the_test_part_is_not_looked_at_in_training() {
    let set = planted(80);
    let config = StudyConfig { test_contigs: vec!["chr2".into()], epochs: 2, ..small() }.resolved(&set, false).unwrap();
    let trained = |set: &SequenceSet| {
        let study = Study::new(set, "planted", Plan::new(set, None, &config).unwrap(), config.clone()).unwrap();
        let stop = AtomicBool::new(false);
        let trained = study.train(0, &Device::flex(), (None, false), &mut (), &stop).unwrap();
        (trained.model.logits(&[b"TGACGTCAGGTTTT", b"ACACACACACACAC"]).unwrap(), study.plan().split(0).test.clone())
    };
    let (expected, test) = trained(&set);
    let mut other = set.clone();
    for &row in &test {
        other.targets[row] = 1.0 - other.targets[row];
        other.sequences[row].reverse();
    }
    assert_eq!(trained(&other), (expected.clone(), test.clone()));
    // And a row of training does count.
    let learnt = Plan::new(&set, None, &config).unwrap().split(0).train[0];
    other.targets[learnt] = 1.0 - other.targets[learnt];
    assert_ne!(trained(&other).0, expected);
}

#[test]
fn training_can_watch_another_score_and_reads_classes() {
    let mut set = planted(120);
    set.labels = Labels::Classes(["free", "bound"].map(String::from).to_vec());
    let mut rows: Vec<usize> = (0..set.len()).collect();
    rows.shuffle(&mut rng(1, &[]));
    let config = StudyConfig {
        monitor: "accuracy".into(),
        split: Some(SplitKind::Random),
        strands: StrandPolicy::Average,
        epochs: 2,
        ..small()
    };
    let config = config.resolved(&set, false).unwrap();
    assert_eq!(config.network.outputs(), 2);
    let plan = Plan::new(&set, None, &config).unwrap();
    let study = Study::new(&set, "classes", plan, config).unwrap();
    let trained = study.train(0, &Device::flex(), (None, false), &mut (), &AtomicBool::new(false)).unwrap();
    assert_eq!(trained.outcome.epochs_run, 2);
    assert!(trained.outcome.last_metrics.iter().any(|(name, _)| name == "accuracy"));
    assert_eq!(study.predict(&trained.model, &rows[..5]).unwrap().len(), 10);
    // Four contigs are too few to be resampled: the groups of the split are.
    let (drawn, groups) = study.bootstrap_groups(&rows);
    assert_eq!((drawn, groups.len()), (Drawn::Groups, rows.len()));
    assert!(groups.iter().collect::<BTreeSet<_>>().len() > 4);
}
