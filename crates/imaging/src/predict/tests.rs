//! Labels stand where their source stands, whatever way its axes run and however fine it is.

use super::*;
use crate::intensity::Fitted;
use crate::model::tests::{fresh, noise};
use crate::model::{Origin, Preprocessing, SegmentCard};
use crate::sampling::Fill;
use crate::systems::SegmentConfig;
use crate::systems::unet_valid::UnetValidConfig;
use crate::transform::{reorient, reorient_labels};
use burn::tensor::Device;
use nn_core::data::rng;

fn ensemble(seeds: &[u64]) -> SegmentEnsemble {
    SegmentEnsemble::new(seeds.iter().map(|&seed| fresh(seed)).collect()).unwrap()
}

fn labels(ensemble: &SegmentEnsemble, volume: &Volume) -> LabelMap {
    segment_case(ensemble, &[volume], &SegmentOptions::default()).unwrap().labels
}

#[test]
fn labels_come_back_on_the_grid_of_the_source() {
    for (size, spacing) in [([11, 9, 5], [1.0; 3]), ([7, 6, 9], [1.5, 2.0, 0.5]), ([20, 3, 1], [1.0, 1.0, 3.0])] {
        let volume = noise(size, spacing, 5);
        let found = segment_case(&ensemble(&[1]), &[&volume], &SegmentOptions::default()).unwrap();
        assert_eq!(found.labels.geometry, volume.geometry);
        assert_eq!(found.labels.names, ["background", "box"]);
        assert!(found.probabilities.is_empty());
        let counted = found.labels.counts()[1] as f64 * volume.geometry.voxel_volume() / 1000.0;
        assert!((found.millilitres()[0].1 - counted).abs() < 1e-12);
    }
}

#[test]
fn a_turned_volume_gets_turned_labels() {
    let volume = noise([11, 9, 5], [1.0; 3], 6);
    let models = ensemble(&[1]);
    let found = labels(&models, &volume);
    for code in ["RAS", "LPI", "SAR"] {
        let turned = reorient(&volume, code).unwrap();
        assert_eq!(labels(&models, &turned), reorient_labels(&found, code).unwrap(), "{code}");
    }
}

#[test]
fn what_is_done_is_prepare_segment_and_go_back() {
    let volume = noise([11, 9, 5], [1.0, 1.0, 2.0], 7);
    let model = fresh(1);
    let prepared = model.card.preprocessing.apply(&[&volume]).unwrap();
    assert_eq!(prepared[0].geometry.orientation(), "RAS");
    assert!(prepared[0].geometry.spacing.iter().all(|mm| (mm - 1.0).abs() < 1e-9));
    let found = labels_of(&model.network, &prepared, 2, &model.card.window, &Device::flex()).unwrap();
    let found = LabelMap::new(found, prepared[0].geometry.clone(), model.card.names.clone()).unwrap();
    let expected = model.card.preprocessing.back(&found, &volume.geometry);
    assert_eq!(labels(&ensemble(&[1]), &volume), expected);
}

#[test]
fn members_are_averaged_by_their_probabilities() {
    let volume = noise([8, 8, 4], [1.0; 3], 8);
    let options = SegmentOptions { probabilities: true, ..SegmentOptions::default() };
    let of = |seeds: &[u64]| segment_case(&ensemble(seeds), &[&volume], &options).unwrap();
    let (both, first, second) = (of(&[1, 2]), of(&[1]), of(&[2]));
    assert_eq!(both.probabilities.len(), 1, "the background has no map");
    for (place, value) in both.probabilities[0].voxels.iter().enumerate() {
        let mean = 0.5 * (first.probabilities[0].voxels[place] + second.probabilities[0].voxels[place]);
        // 1e-5: sums of window weights in single precision
        assert!((value - mean).abs() < 1e-5, "{value} instead of {mean}");
        // One half is the border of two classes.
        if (value - 0.5).abs() > 1e-4 {
            assert_eq!(both.labels.labels[place], u8::from(*value > 0.5));
        }
    }
    let twice = of(&[1, 1]);
    assert_eq!(twice.labels, first.labels);
}

#[test]
fn the_largest_part_alone_is_kept() {
    let volume = noise([16, 16, 8], [1.0; 3], 9);
    let all = labels(&ensemble(&[1]), &volume);
    let options = SegmentOptions { largest: true, ..SegmentOptions::default() };
    let kept = segment_case(&ensemble(&[1]), &[&volume], &options).unwrap().labels;
    let parts = crate::components::label(&kept.mask(1), kept.geometry.size, Connectivity::Six);
    assert!(parts.sizes.len() <= 1, "{} parts", parts.sizes.len());
    assert!(kept.labels.iter().zip(&all.labels).all(|(kept, all)| *kept == 0 || kept == all));
    let before = crate::components::label(&all.mask(1), all.geometry.size, Connectivity::Six);
    assert_eq!(parts.sizes.first().copied(), before.sizes.iter().copied().max());
}

#[test]
fn other_channels_and_other_grids_are_refused() {
    let (one, other) = (noise([8, 8, 4], [1.0; 3], 1), noise([8, 8, 4], [1.0, 1.0, 1.5], 1));
    let error = |channels: &[&Volume]| {
        segment_case(&ensemble(&[1]), channels, &SegmentOptions::default()).err().unwrap().to_string()
    };
    assert!(error(&[&one, &other]).contains("2 volumes were given, but the model reads 1 channels"));
    let mut two = fresh(1).card.preprocessing;
    two.channels.push(crate::intensity::Fitted::MinMax);
    assert!(two.apply(&[&one, &other]).err().unwrap().to_string().contains("channel 1 does not stand on the grid"));
    assert!(two.apply(&[&one, &one]).is_ok());
}

/// A U-Net without padding, which loses a margin of each tile.
fn valid() -> SegmentModel {
    let config = UnetValidConfig { base: 2, levels: 2, ..UnetValidConfig::default() };
    let network = SegmentConfig::UnetValid(config);
    let window = WindowConfig {
        patch: network.input_for([24, 16, 1]),
        margin: network.margin(),
        fill: Fill::Reflect,
        ..WindowConfig::default()
    };
    let card = SegmentCard {
        preprocessing: Preprocessing {
            orientation: String::new(),
            crop: false,
            spacing: None,
            channels: vec![Fitted::None],
        },
        window,
        names: ["background", "box"].map(String::from).to_vec(),
        origin: Origin::default(),
        network: network.clone(),
    };
    SegmentModel { network: network.init(&Device::flex(), &mut rng(4, &[])).unwrap(), card }
}

/// Sizes that no tile divides come back as they were; beyond the edges the network sees the mirror image (the overlap-tile
/// strategy of Ronneberger et al. 2015), here by hand for a picture that one tile covers.
#[test]
fn a_network_without_padding_takes_any_size_and_sees_mirrored_edges() {
    let model = valid();
    let (window, network) = (model.card.window.clone(), model.network.clone());
    let models = SegmentEnsemble::new(vec![model]).unwrap();
    for size in [[51, 35, 3], [65, 58, 1], [1, 40, 2]] {
        let volume = noise(size, [1.0; 3], 9);
        let found = labels(&models, &volume);
        assert_eq!((found.geometry, found.labels.len()), (volume.geometry.clone(), volume.voxels.len()));
    }
    let (width, height) = (13, 11);
    let volume = noise([width, height, 1], [1.0; 3], 10);
    let (written, patch) = (window.written(), window.patch);
    let start = [(written[0] - width) / 2, (written[1] - height) / 2];
    let along = |axis: usize, size: usize| -> Vec<usize> {
        let first = -((start[axis] + window.margin[axis]) as i64);
        (0..patch[axis] as i64).map(|place| Fill::Reflect.index(first + place, size).unwrap()).collect()
    };
    let (columns, rows) = (along(0, width), along(1, height));
    let tile = rows.iter().flat_map(|row| columns.iter().map(move |column| row * width + column));
    let tile: Vec<f32> = tile.map(|place| volume.voxels[place]).collect();
    let found = probabilities(&network, tile, [1, 1, 1, patch[1], patch[0]], &Device::flex()).unwrap();
    let boxed = &found[written[0] * written[1]..];
    let options = SegmentOptions { probabilities: true, ..SegmentOptions::default() };
    let map = segment_case(&models, &[&volume], &options).unwrap().probabilities.remove(0);
    for (place, value) in map.voxels.iter().enumerate() {
        let at = (start[1] + place / width) * written[0] + start[0] + place % width;
        // 1e-5: multiplied by the weight of the place in the tile, and divided by it again, in single precision
        assert!((value - boxed[at]).abs() < 1e-5, "{place}: {value} instead of {}", boxed[at]);
    }
}
