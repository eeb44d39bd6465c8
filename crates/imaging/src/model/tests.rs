//! Models come back from their files, and what does not fit together is refused.

use super::*;
use crate::geometry::Geometry;
use crate::inference::WindowConfig;
use crate::intensity::Fitted;
use crate::pictures::PictureSet;
use crate::systems::unet::UnetConfig;
use crate::systems::{ClassifyConfig, SegmentConfig};
use crate::volume::Volume;
use burn::tensor::Device;
use nn_core::data::rng;
use rand::RngExt;

/// A network of two levels with fresh weights that tells one label from the background.
pub(crate) fn fresh(seed: u64) -> SegmentModel {
    let network = SegmentConfig::Unet(UnetConfig {
        dims: 3,
        base: 2,
        levels: 2,
        channels: 1,
        classes: 2,
        ..UnetConfig::default()
    });
    let card = SegmentCard {
        preprocessing: Preprocessing {
            orientation: "RAS".into(),
            spacing: Some([1.0; 3]),
            channels: vec![Fitted::ZScore { nonzero: false }],
        },
        window: WindowConfig { patch: [8, 8, 4], ..WindowConfig::default() },
        names: ["background", "box"].map(String::from).to_vec(),
        origin: Origin { dataset: "generated".into(), split: "subject".into(), seed, learnt: vec!["a".into()] },
        network: network.clone(),
    };
    SegmentModel { network: network.init(&Device::flex(), &mut rng(seed, &[])).unwrap(), card }
}

/// Noise on a grid whose axes grow to the left, the back and the head.
pub(crate) fn noise(size: [usize; 3], spacing: [f64; 3], seed: u64) -> Volume {
    let grid = Geometry::axial(size, spacing);
    let mut draw = rng(seed, &[]);
    Volume::new((0..grid.len()).map(|_| draw.random::<f32>()).collect(), grid).unwrap()
}

fn probabilities_of(model: &SegmentModel) -> Vec<f32> {
    let volume = noise([8, 8, 4], [1.0; 3], 3);
    probabilities(&model.network, volume.voxels, [1, 1, 4, 8, 8], &Device::flex()).unwrap()
}

#[test]
fn a_segmenter_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let model = fresh(1);
    model.save(&path).unwrap();
    let again = SegmentModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(again.card, model.card);
    assert_eq!(probabilities_of(&again), probabilities_of(&model));
    assert_eq!(architecture(&path).unwrap(), SEGMENTER);
    assert_eq!(SegmentEnsemble::load(folder.path(), &Device::flex()).unwrap().models().len(), 1);
    let error = ClassifyModel::load(&path, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("segmenter") && error.contains("classifier"), "{error}");
    let absent = SegmentEnsemble::load(&folder.path().join("none"), &Device::flex()).err().unwrap();
    assert!(matches!(absent, ModelError::Absent(_)), "{absent}");
}

#[test]
fn probabilities_of_a_voxel_sum_to_one() {
    let found = probabilities_of(&fresh(2));
    assert_eq!(found.len(), 2 * 8 * 8 * 4);
    for (a, b) in found[..256].iter().zip(&found[256..]) {
        // 1e-6: single precision
        assert!((a + b - 1.0).abs() < 1e-6 && (0.0..=1.0).contains(a), "{a} + {b}");
    }
}

#[test]
fn a_card_that_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let refused = |change: fn(&mut SegmentCard)| {
        let mut model = fresh(1);
        change(&mut model.card);
        model.save(&path).unwrap();
        SegmentModel::load(&path, &Device::flex()).err().unwrap().to_string()
    };
    let error = refused(|card| drop(card.names.pop()));
    assert!(error.contains("the number of labels is 1, but the network has 2"), "{error}");
    let error = refused(|card| card.preprocessing.channels.push(Fitted::MinMax));
    assert!(error.contains("the number of channels is 2, but the network has 1"), "{error}");
}

#[test]
fn nothing_and_a_mixture_are_refused() {
    assert!(matches!(SegmentEnsemble::new(Vec::new()), Err(ModelError::Empty)));
    let error = |change: fn(&mut SegmentCard)| {
        let mut other = fresh(2);
        change(&mut other.card);
        SegmentEnsemble::new(vec![fresh(1), other]).err().unwrap().to_string()
    };
    let text = error(|card| card.names[1] = "ball".into());
    assert_eq!(text, "model 1 and model 2 do not belong together: the labels that they tell apart differ");
    assert!(error(|card| card.preprocessing.spacing = None).contains("the grids"));
    assert!(error(|card| card.window.patch = [16, 8, 4]).contains("their windows"));
    // Intensities of another fold are no reason.
    let mut other = fresh(2);
    other.card.preprocessing.channels = vec![Fitted::MinMax];
    assert!(SegmentEnsemble::new(vec![fresh(1), other]).is_ok());
}

/// Four pictures of 2 x 2 pixels in one channel: all 0, all 4, 0 and 4, 8 each.
fn pictures() -> PictureSet {
    PictureSet {
        ids: ["a", "b", "c", "d"].map(String::from).to_vec(),
        subjects: ["a", "b", "c", "d"].map(String::from).to_vec(),
        pixels: [vec![0.0; 4], vec![4.0; 4], vec![0.0, 4.0, 0.0, 4.0], vec![8.0; 4]].concat(),
        channels: 1,
        height: 2,
        width: 2,
        classes: ["no", "yes"].map(String::from).to_vec(),
        labels: vec![0, 1, 0, 1],
        part: None,
    }
}

#[test]
fn pictures_are_scaled_by_what_was_learnt() {
    let set = pictures();
    let scale = PictureScale::fit(&set, &[0, 1]);
    // Eight pixels, half of them 0 and half 4: mean 2, deviation 2.
    assert_eq!((scale.mean.as_slice(), scale.deviation.as_slice()), ([2.0].as_slice(), [2.0].as_slice()));
    let batch = scale.batch(&set, &[3, 2], &Device::flex());
    assert_eq!(batch.dims(), [2, 1, 2, 2]);
    assert_eq!(numbers(batch).unwrap(), [3.0, 3.0, 3.0, 3.0, -1.0, 1.0, -1.0, 1.0]);
    // A channel of one value is centred and not divided by nothing.
    assert_eq!(PictureScale::fit(&set, &[1]).deviation, [1.0]);
}

#[test]
fn a_classifier_comes_back_and_members_are_averaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = pictures();
    let network = ClassifyConfig::named("ild-cnn").unwrap().with_shape(1, 2);
    let edge = 8;
    let mut draw = rng(4, &[]);
    (set.height, set.width) = (edge, edge);
    set.pixels = (0..4 * edge * edge).map(|_| draw.random::<f32>()).collect();
    let model = |seed: u64| ClassifyModel {
        network: network.init(&Device::flex(), &mut rng(seed, &[])).unwrap(),
        card: ClassifyCard {
            network: network.clone(),
            scale: PictureScale::fit(&set, &[0, 1]),
            names: set.classes.clone(),
            origin: Origin::default(),
        },
    };
    let (first, second) = (model(1), model(2));
    for (place, model) in [&first, &second].into_iter().enumerate() {
        model.save(&folder.path().join(format!("{place}.safetensors"))).unwrap();
    }
    let ensemble = ClassifyEnsemble::load(folder.path(), &Device::flex()).unwrap();
    let together = ensemble.probabilities(&set, &[0, 1, 2, 3]).unwrap();
    let alone = |model: &ClassifyModel| -> Vec<f64> {
        model.logits(&set, &[0, 1, 2, 3]).unwrap().chunks(2).flat_map(softmax).collect()
    };
    for ((found, a), b) in together.iter().zip(alone(&first)).zip(alone(&second)) {
        // 1e-12: one mean in double precision
        assert!((found - f64::midpoint(a, b)).abs() < 1e-12, "{found} instead of the mean of {a} and {b}");
    }
}
