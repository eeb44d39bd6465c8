//! The ways from cases to patches: slices with their neighbours, cases on disk, patches cut ahead, cases cut to what is in
//! them.

use std::sync::Arc;

use nn_core::train::StepContext;

use super::*;
use crate::cache::{Cache, CacheConfig};
use crate::intensity::Fitted;
use crate::loader::LoaderConfig;
use crate::model::Preprocessing;

/// 2.5-D: a network of slices that reads each with its two neighbours.
#[test]
fn slices_are_learnt_with_their_neighbours() {
    let cases = cases(10);
    let network = UnetConfig { dims: 2, base: 4, levels: 2, ..UnetConfig::default() };
    let config = SegmentStudyConfig {
        context: 1,
        patch: Some([16, 16, 1]),
        patches: 32,
        network: SegmentConfig::Unet(network),
        ..small()
    };
    let config = resolved(&cases, config);
    assert_eq!((config.network.channels(), config.window().context), (3, 1));
    let study = SegmentStudy::new(&cases, &names(), "boxes", divided(&cases, &config), config).unwrap();
    let stop = AtomicBool::new(false);
    let TrainedSegmenter { model, .. } = study.train(0, &Device::flex(), (None, false), &mut (), &stop).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save(&folder.path().join("a.safetensors")).unwrap();
    let ensemble = SegmentEnsemble::load(folder.path(), &Device::flex()).unwrap();
    let mut scores = Scores::new();
    for &row in &study.divided().split(0).test {
        let found = study.predict(&ensemble, row).unwrap();
        assert_eq!(found.labels.geometry, cases[row].geometry().clone());
        study.judge(row, &found, &mut scores).unwrap();
    }
    let dice = scores.metrics()["dice_box"];
    assert!(dice > 0.8, "Dice {dice}");

    let blocks = SegmentStudyConfig { context: 1, ..small() };
    let error = blocks.validate().unwrap_err().to_string();
    assert!(error.contains("context = 1 gives a slice its neighbours, but unet sees blocks"), "{error}");
    // What the plan is to size becomes a network of slices.
    let open = SegmentStudyConfig { sized_by_plan: true, patch: None, ..blocks };
    let found = resolved(&cases, open);
    assert_eq!((found.network.dims(), found.network.channels()), (2, 3));
}

/// Cases on disk and patches that are cut ahead make no bit of the result another one.
#[test]
fn a_cache_and_a_loader_change_nothing() {
    let cases = cases(6);
    let config = resolved(&cases, SegmentStudyConfig { epochs: 2, patches: 5, ..small() });
    let study = || SegmentStudy::new(&cases, &names(), "boxes", divided(&cases, &config), config.clone()).unwrap();
    let bytes = |study: &SegmentStudy<'_>| {
        let trained = study.train(0, &Device::flex(), (None, false), &mut (), &AtomicBool::new(false)).unwrap();
        nn_core::store::to_safetensors(&trained.model.network, &trained.model.card.metadata()).unwrap()
    };
    let plain = bytes(&study());
    let folder = tempfile::tempdir().unwrap();
    // Not one case fits into the memory: each is read again for each patch.
    let cache = CacheConfig { folder: Some(folder.path().join("cache")), memory_mb: 0 };
    let kept = || {
        let entries = std::fs::read_dir(folder.path().join("cache")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(bytes(&study().with_cache(&cache).unwrap()), plain);
    let first = kept();
    assert_eq!(first.len(), study().divided().split(0).train.len() + study().divided().split(0).validation.len());
    for (threads, queue, memory_mb) in [(1, 1, 1), (3, 8, 1000)] {
        let loader = LoaderConfig { threads, queue, memory_mb };
        assert_eq!(bytes(&study().with_loader(loader.clone()).unwrap()), plain, "{threads} threads");
        let both = study().with_cache(&cache).unwrap().with_loader(loader).unwrap();
        assert_eq!(bytes(&both), plain, "{threads} threads and the cache");
    }
    assert_eq!(kept(), first, "nothing was prepared twice");
    let none = CacheConfig { folder: None, ..cache };
    assert!(study().with_cache(&none).err().unwrap().to_string().contains("give cache.folder"));
    let loader = LoaderConfig { threads: 0, ..LoaderConfig::default() };
    assert!(study().with_loader(loader).err().unwrap().to_string().starts_with("loader.threads = 0"));
}

#[test]
fn a_kept_case_that_was_taken_away_is_named() {
    let cases = cases(3);
    let folder = tempfile::tempdir().unwrap();
    let config = CacheConfig { folder: Some(folder.path().to_path_buf()), memory_mb: 0 };
    let cache = Arc::new(Cache::new(&config).unwrap());
    let preprocessing = Preprocessing {
        orientation: "RAS".into(),
        crop: false,
        spacing: None,
        channels: vec![Fitted::ZScore { nonzero: false }],
    };
    let prepared = data::prepare(&cases, &[0, 2], &preprocessing, Some(&cache)).unwrap();
    assert_eq!((prepared.len(), prepared.id(1)), (2, "case 2"));
    assert_eq!(prepared.case(1).unwrap().id, "case 2");
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(prepared.case(1).unwrap_err().to_string().contains("no longer in the cache folder"));
    // By way of the patches the case is named, from a thread of the loader too.
    let order = crate::sampling::PatchOrder::new(vec![0, 1], 2, 2, 2);
    for loader in [None, Some(LoaderConfig::default())] {
        let learnt = data::prepare(&cases, &[0, 2], &preprocessing, Some(&cache)).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let cutter = ahead::Cutter {
            learnt,
            order: order.clone(),
            sampling: small().sampling(),
            augment: AugmentConfig::none(),
        };
        let feed = ahead::Feed::new(cutter, Box::new(order.clone()), loader);
        let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 1.0 };
        let rows = nn_core::data::Sampler::batches(&order, 1, 0).remove(0);
        let error = feed.patches(&rows, &context).err().unwrap().to_string();
        assert!(error.starts_with("case case ") && error.contains(": the prepared case is no longer"), "{error}");
    }
    // A case that cannot be prepared is named by itself.
    let mut faulty = cases;
    faulty[0].label = None;
    let error = data::prepare(&faulty, &[0], &preprocessing, Some(&cache)).err().unwrap().to_string();
    assert_eq!(error, "case case 0 has no labels; leave it out, or give its label map");
}

/// What is cut away comes back as background, on the grid of the source.
#[test]
fn a_case_is_cut_to_its_foreground_and_labels_come_back() {
    let mut cases = cases(8);
    for case in &mut cases {
        // The last columns and the first rows were set to 0, and the box ends before them.
        let [ni, nj, _] = case.geometry().size;
        let grid = case.channels[0].geometry.clone();
        for place in 0..grid.len() {
            let (i, j) = (place % ni, place / ni % nj);
            if i >= 14 || j < 1 {
                case.channels[0].voxels[place] = 0.0;
                if let Some(map) = &mut case.label {
                    map.labels[place] = 0;
                }
            }
        }
    }
    let config = resolved(&cases, SegmentStudyConfig { crop_to_foreground: true, ..small() });
    let preprocessing = Preprocessing {
        orientation: String::new(),
        crop: true,
        spacing: config.spacing,
        channels: vec![Fitted::ZScore { nonzero: false }],
    };
    let prepared = data::prepare(&cases, &[0], &preprocessing, None).unwrap().case(0).unwrap();
    assert_eq!(prepared.geometry().size, [14, 15, 8]);
    let back = preprocessing.back(prepared.label.as_ref().unwrap(), cases[0].geometry());
    assert_eq!(Some(&back.labels), cases[0].label.as_ref().map(|map| &map.labels));
    let study = SegmentStudy::new(&cases, &names(), "boxes", divided(&cases, &config), config).unwrap();
    let stop = AtomicBool::new(false);
    let TrainedSegmenter { model, .. } = study.train(0, &Device::flex(), (None, false), &mut (), &stop).unwrap();
    assert!(model.card.preprocessing.crop);
    let found = study.predict(&SegmentEnsemble::new(vec![model]).unwrap(), study.divided().split(0).test[0]).unwrap();
    let [ni, nj, _] = found.labels.geometry.size;
    let outside = |place: usize| place % ni >= 14 || place / ni % nj < 1;
    assert!((0..found.labels.labels.len()).all(|place| !outside(place) || found.labels.labels[place] == 0));
}
