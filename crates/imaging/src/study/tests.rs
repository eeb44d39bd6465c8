//! What a study does with settings, rows and labels; that it learns; that it is the same twice.

use std::sync::atomic::AtomicBool;

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::{Part, rng};
use nn_core::train::Checkpoints;
use rand::RngExt;

use super::*;
use crate::augment::AugmentConfig;
use crate::case::Case;
use crate::evaluate::Scores;
use crate::geometry::Geometry;
use crate::model::SegmentEnsemble;
use crate::split::{Rows, SplitKind};
use crate::systems::SegmentConfig;
use crate::systems::unet::UnetConfig;
use crate::volume::{LabelMap, Volume};

mod ways;

/// A bright box at a random place in noise.
fn boxed(index: u64) -> Case {
    const SIZE: [usize; 3] = [16, 16, 8];
    let mut draw = rng(9, &[index]);
    let start = SIZE.map(|edge| draw.random_range(1..edge / 2 - 1));
    let grid = Geometry::axial(SIZE, [1.0; 3]);
    let inside = |place: usize| {
        let at = [place % SIZE[0], place / SIZE[0] % SIZE[1], place / (SIZE[0] * SIZE[1])];
        (0..3).all(|axis| (start[axis]..start[axis] + SIZE[axis] / 2).contains(&at[axis]))
    };
    let labels: Vec<u8> = (0..grid.len()).map(|place| u8::from(inside(place))).collect();
    let voxels = labels.iter().map(|&label| 3.0 * f32::from(label) + draw.random::<f32>()).collect();
    let names = ["background", "box"].map(String::from).to_vec();
    let map = LabelMap::new(labels, grid.clone(), names).unwrap();
    let id = format!("case {index}");
    Case::new(id.clone(), id, vec![Volume::new(voxels, grid).unwrap()], Some(map)).unwrap()
}

fn cases(count: u64) -> Vec<Case> {
    (0..count).map(boxed).collect()
}

fn rows(cases: &[Case]) -> Rows {
    Rows {
        ids: cases.iter().map(|case| case.id.clone()).collect(),
        subjects: cases.iter().map(|case| case.subject.clone()).collect(),
        ..Rows::default()
    }
}

fn small() -> SegmentStudyConfig {
    let network = UnetConfig { dims: 3, base: 4, levels: 2, ..UnetConfig::default() };
    SegmentStudyConfig {
        epochs: 6,
        patches: 16,
        patch: Some([16, 16, 8]),
        sized_by_plan: false,
        learning: LearningConfig { batch_size: 2, rate: 1e-2, ..LearningConfig::default() },
        augment: AugmentConfig { flip: vec![0, 1], ..AugmentConfig::none() },
        network: SegmentConfig::Unet(network),
        ..SegmentStudyConfig::default()
    }
}

fn divided(cases: &[Case], config: &SegmentStudyConfig) -> Divided {
    Divided::new(&rows(cases), &config.division, config.models, config.seed, false).unwrap()
}

fn resolved(cases: &[Case], config: SegmentStudyConfig) -> SegmentStudyConfig {
    let split = divided(cases, &config);
    let plan = plan(cases, &split.split(0).train, &config).unwrap();
    config.resolved(&plan, 1, 2).unwrap()
}

fn names() -> Vec<String> {
    ["background", "box"].map(String::from).to_vec()
}

#[test]
fn settings_out_of_range_and_contradictions_are_refused() {
    let error = |config: SegmentStudyConfig| config.validate().unwrap_err().to_string();
    assert!(error(SegmentStudyConfig { epochs: 0, ..small() }).starts_with("epochs = 0"));
    assert!(error(SegmentStudyConfig { foreground: 1.5, ..small() }).starts_with("foreground = 1.5"));
    assert!(error(SegmentStudyConfig { mirror: vec![3], ..small() }).starts_with("mirror = 3"));
    let text = error(SegmentStudyConfig { patch: Some([15, 16, 8]), ..small() });
    assert!(text.contains("the next one is [16, 16, 8]"), "{text}");
    let learning = LearningConfig { rate: -1.0, ..LearningConfig::default() };
    assert!(error(SegmentStudyConfig { learning, ..small() }).starts_with("learning.rate = -1"));
    let division = Division { folds: 2, ..Division::default() };
    assert!(error(SegmentStudyConfig { division, models: 3, ..small() }).contains("only 2 folds"));
    let division = Division { gap: 1, ..Division::default() };
    assert!(error(SegmentStudyConfig { division, ..small() }).contains("split in blocks"));
    let two = SegmentConfig::Unet(UnetConfig { dims: 2, levels: 2, ..UnetConfig::default() });
    let text = error(SegmentStudyConfig { network: two, ..small() });
    assert!(text.contains("[16, 16, 1]"), "slices have no depth: {text}");
    assert!(small().validate().is_ok());
    let monitor = ClassifyStudyConfig { monitor: "dice".into(), ..ClassifyStudyConfig::default() };
    assert!(monitor.validate().unwrap_err().to_string().contains("auroc"));
}

#[test]
fn the_plan_decides_what_was_left_open() {
    let cases = cases(6);
    let open = SegmentStudyConfig {
        patch: None,
        sized_by_plan: true,
        learning: LearningConfig::default(),
        augment: AugmentConfig::default(),
        ..small()
    };
    let split = divided(&cases, &open);
    let plan = plan(&cases, &split.split(0).train, &open).unwrap();
    let found = open.resolved(&plan, 1, 2).unwrap();
    assert_eq!((found.spacing, found.patch), (Some(plan.spacing), Some(plan.patch)));
    assert_eq!((found.learning.batch_size, found.normalise.len()), (plan.batch, 1));
    assert_eq!((found.network.channels(), found.network.classes()), (1, 2));
    assert_eq!(found.augment, AugmentConfig::for_patch(plan.patch));
    let SegmentConfig::Unet(network) = &found.network else { panic!("{:?}", found.network) };
    assert_eq!((network.levels, network.kernels.len()), (plan.levels(), plan.levels()));
    assert_eq!(found.clone().resolved(&plan, 1, 2).unwrap(), found, "a second time nothing changes");
    let given = resolved(&cases, small());
    assert_eq!(given.patch, Some([16, 16, 8]));
    assert_eq!(given.learning.batch_size, 2);
}

#[test]
fn a_set_without_a_test_part_is_tested_on_its_validation_part() {
    let part = |part: Part, n: usize| vec![part; n];
    let rows = Rows {
        ids: (0..20).map(|row| row.to_string()).collect(),
        subjects: (0..20).map(|row| row.to_string()).collect(),
        strata: (0..20).map(|row| row % 2).collect(),
        // Row 15 has the pixels of row 0.
        digests: (0..20).map(|row| if row == 15 { 0 } else { row }.to_string()).collect(),
        parts: [part(Part::Train, 15), part(Part::Validation, 5)].concat(),
    };
    let division = Division { validation_fraction: 0.2, ..Division::default() };
    let found = Divided::new(&rows, &division, 2, 1, true).unwrap();
    assert_eq!(found.kind(), SplitKind::Upstream);
    for model in 0..2 {
        let split = found.split(model);
        assert_eq!(split.test, [16, 17, 18, 19], "the copy is not tested");
        assert_eq!((split.train.len(), split.validation.len()), (12, 3));
        assert!(split.train.iter().chain(&split.validation).all(|&row| row < 15));
    }
    assert_ne!(found.split(0).validation, found.split(1).validation);
    assert_eq!(found.dropped(), [15]);
    let kept = Divided::new(&rows, &division, 1, 1, false).unwrap();
    assert_eq!((kept.split(0).test.len(), kept.dropped().len()), (5, 0));
}

#[test]
fn folds_are_blocks_of_neighbours() {
    let cases = cases(10);
    let division =
        Division { kind: Some(SplitKind::Blocks), folds: 5, validation_fraction: 0.0, ..Division::default() };
    let found = Divided::new(&rows(&cases), &division, 5, 1, false).unwrap();
    let mut tested = Vec::new();
    for model in 0..5 {
        let test = &found.split(model).test;
        assert!(test.windows(2).all(|pair| pair[1] == pair[0] + 1), "{test:?} are neighbours");
        assert_eq!(found.split(model).train.len() + test.len(), 10);
        tested.extend(test.iter().copied());
    }
    tested.sort_unstable();
    assert_eq!(tested, found.tested());
    assert_eq!(tested.len(), 10, "each case is tested once");
}

#[test]
fn coarser_maps_count_half_each_and_see_every_second_label() {
    let device = Device::flex();
    let labels: Vec<u8> = (0..64).map(|place| u8::from(place % 4 >= 2)).collect();
    let truth = Truth { labels: &labels, shape: [1, 4, 4, 4] };
    // Logits that are right by far: ±20.
    let right = |edge: usize, step: usize| {
        let wanted: Vec<f32> =
            (0..edge.pow(3)).map(|place| if place % edge * step >= 2 { 20.0 } else { -20.0 }).collect();
        let other: Vec<f32> = wanted.iter().map(|value| -value).collect();
        Tensor::<5>::from_data(TensorData::new([other, wanted].concat(), [1, 2, edge, edge, edge]), &device)
    };
    let loss = SegmentLoss::CrossEntropy { ignore: -1 };
    let value = |maps: Vec<Tensor<5>>| loss.forward(maps, truth).into_scalar::<f32>();
    // e^-40 is below what single precision adds to 1.
    assert!(value(vec![right(4, 1), right(2, 2)]).abs() < 1e-6);
    // All logits equal: ln 2 at each resolution, whatever the weights, since they sum to one.
    let even = |edge: usize| Tensor::<5>::zeros([1, 2, edge, edge, edge], &device);
    assert!((value(vec![even(4), even(2), even(1)]) - 2.0_f32.ln()).abs() < 1e-6);
    // Right where it is fine and even where it is coarse: a third of ln 2.
    assert!((value(vec![right(4, 1), even(2)]) - 2.0_f32.ln() / 3.0).abs() < 1e-6);
}

fn trained(cases: &[Case], config: &SegmentStudyConfig, checkpoints: Option<(&Checkpoints, bool)>) -> TrainedSegmenter {
    let config = resolved(cases, config.clone());
    let study = SegmentStudy::new(cases, &names(), "boxes", divided(cases, &config), config).unwrap();
    let (checkpoints, resume) = checkpoints.map_or((None, false), |(checkpoints, resume)| (Some(checkpoints), resume));
    study.train(0, &Device::flex(), (checkpoints, resume), &mut (), &AtomicBool::new(false)).unwrap()
}

#[test]
fn boxes_are_learnt_and_judged_on_cases_that_were_not_seen() {
    let cases = cases(10);
    let config = resolved(&cases, small());
    let study = SegmentStudy::new(&cases, &names(), "boxes", divided(&cases, &config), config.clone()).unwrap();
    let stop = AtomicBool::new(false);
    let TrainedSegmenter { model, outcome } = study.train(0, &Device::flex(), (None, false), &mut (), &stop).unwrap();
    assert_eq!(outcome.epochs_run, 6);
    assert!(outcome.last_metrics.iter().any(|(name, _)| name == "dice_box"), "{:?}", outcome.last_metrics);
    let ensemble = SegmentEnsemble::new(vec![model]).unwrap();
    let mut scores = Scores::new();
    for &row in &study.divided().split(0).test {
        let found = study.predict(&ensemble, row).unwrap();
        study.judge(row, &found, &mut scores).unwrap();
    }
    let dice = scores.metrics()["dice_box"];
    // A threshold finds nearly all of a box; what is left for a net of two levels are its edges.
    assert!(dice > 0.8, "Dice {dice}");
}

#[test]
fn the_same_seed_gives_the_same_weights_and_a_stopped_run_too() {
    let cases = cases(6);
    let config = SegmentStudyConfig { epochs: 2, patches: 4, ..small() };
    let bytes = |trained: &TrainedSegmenter| {
        nn_core::store::to_safetensors(&trained.model.network, &trained.model.card.metadata()).unwrap()
    };
    let first = trained(&cases, &config, None);
    assert_eq!(bytes(&first), bytes(&trained(&cases, &config, None)));
    let other = trained(&cases, &SegmentStudyConfig { seed: 2, ..config.clone() }, None);
    assert_ne!(bytes(&first), bytes(&other));

    // Resumed where it is done, it is what it was.
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_path_buf());
    let whole = trained(&cases, &config, Some((&checkpoints, false)));
    assert_eq!(bytes(&whole), bytes(&first));
    assert_eq!(bytes(&trained(&cases, &config, Some((&checkpoints, true)))), bytes(&first));
}

#[test]
fn cases_without_labels_or_names_are_named() {
    let mut cases = cases(6);
    let config = resolved(&cases, small());
    let error = |cases: &[Case], names: &[String]| {
        SegmentStudy::new(cases, names, "boxes", divided(cases, &config), config.clone()).err().unwrap().to_string()
    };
    assert!(error(&cases, &names()[..1]).contains("case 0 has label 1, but there are names for 1"));
    cases[2].label = None;
    assert_eq!(error(&cases, &names()), "case case 2 has no labels; leave it out, or give its label map");
}

/// Every loss on logits that are all 0, where each has a closed form, with and without the voxels that have no label.
#[test]
fn losses_have_their_closed_forms_and_leave_missing_labels_out() {
    let device = Device::flex();
    // Half of the voxels are of class 1; the label 2 of the second map stands for a missing one.
    let known: Vec<u8> = (0..64).map(|place| u8::from(place % 2 == 1)).collect();
    let sparse: Vec<u8> =
        known.iter().enumerate().map(|(place, &label)| if place % 4 < 2 { label } else { 2 }).collect();
    let value = |loss: SegmentLoss, labels: &[u8]| {
        loss.validate().unwrap();
        let maps = vec![Tensor::<5>::zeros([1, 2, 4, 4, 4], &device)];
        f64::from(loss.forward(maps, Truth { labels, shape: [1, 4, 4, 4] }).into_scalar::<f32>())
    };
    let ln2 = std::f64::consts::LN_2;
    for (labels, ignore) in [(&known, -1), (&sparse, 2)] {
        for (loss, expected) in [
            (SegmentLoss::CrossEntropy { ignore }, ln2),
            (SegmentLoss::BinaryCrossEntropy { ignore }, ln2),
            // (1 - 1/2)² of it
            (SegmentLoss::Focal { gamma: 2.0, ignore }, ln2 / 4.0),
            // 1/2 of the voxels found for half of them: overlap n/4 of n/2 and n/2; with 0.3 and 0.7 as with 1/2 and 1/2
            (SegmentLoss::Tversky { alpha: 0.3, beta: 0.7, ignore }, 0.5),
            (SegmentLoss::DiceCe { background: false, ignore }, 0.5 + ln2),
        ] {
            // 1e-4: the smoothing terms, and single precision
            assert!((value(loss, labels) - expected).abs() < 1e-4, "{loss:?}: {}", value(loss, labels));
        }
    }
    let refused = SegmentLoss::Focal { gamma: 2.0, ignore: 256 }.validate().unwrap_err().to_string();
    assert!(refused.starts_with("loss.ignore = 256"), "{refused}");
}
