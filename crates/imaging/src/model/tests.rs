//! Models come back from their files, and what does not fit together is refused.

use super::*;
use crate::geometry::Geometry;
use crate::inference::WindowConfig;
use crate::intensity::Fitted;
use crate::pictures::{CropConfig, PictureSet};
use crate::systems::unet::UnetConfig;
use crate::systems::{Classifier, ClassifyConfig, ClassifyNet, SegmentConfig};
use crate::volume::Volume;
use burn::tensor::Device;
use nn_core::data::rng;
use nn_core::explain::{Probe, Target, layer_gradient};
use nn_core::store::import_pytorch;
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
            crop: false,
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
            crop: None,
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

#[test]
fn a_network_with_two_pictures_needs_to_know_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let small = crate::systems::sdfn::SdfnConfig { base: 8, growth: 4, blocks: [1; 4], ..Default::default() };
    let network = ClassifyConfig::Sdfn(small).with_shape(2, 2);
    let model = |crop: Option<CropConfig>| ClassifyModel {
        network: network.init(&Device::flex(), &mut rng(1, &[])).unwrap(),
        card: ClassifyCard {
            network: network.clone(),
            scale: PictureScale { height: 32, width: 40, mean: vec![0.0; 2], deviation: vec![1.0; 2] },
            crop,
            names: ["no", "yes"].map(String::from).to_vec(),
            origin: Origin::default(),
        },
    };
    let crop = CropConfig { margin: 0.1, ..CropConfig::default() };
    model(Some(crop.clone())).save(&path).unwrap();
    let again = ClassifyModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(again.card.crop.as_ref(), Some(&crop));
    let options = again.card.options();
    assert_eq!((options.size, options.channels), (Some([32, 40]), Some(1)), "one channel, of two pictures");
    let error = ClassifyEnsemble::new(vec![again, model(Some(CropConfig::default()))]).err().unwrap().to_string();
    assert!(error.contains("the parts of pictures that they read"), "{error}");
    model(None).save(&path).unwrap();
    let error = ClassifyModel::load(&path, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("the number of pictures of an input is 1, but the network has 2"), "{error}");
}

/// The weights of a small network with torchvision's names, from PyTorch (`tests/golden/systems.py`).
#[test]
fn a_body_is_taken_from_a_file_of_pytorch_or_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let small = |classes: usize| {
        ClassifyConfig::Resnet(crate::systems::resnet::ResNetConfig { base: 4, classes, ..Default::default() })
    };
    let net = |config: &ClassifyConfig, seed| config.init(&Device::flex(), &mut rng(seed, &[])).unwrap();
    let features = |net: &ClassifyNet| match net {
        ClassifyNet::Resnet(net) => net.features(crate::systems::golden::input("resnet", [2, 3, 64, 96])).into_data(),
        _ => panic!("a residual network"),
    };
    let torch = file("resnet18.pt", include_bytes!("../../tests/golden/resnet18.pt"));
    let (whole, report) = import_pytorch(net(&small(3), 1), &torch, &small(3).pytorch()).unwrap();
    report.complete().unwrap();
    let found = with_body(net(&small(7), 2), &torch).unwrap();
    assert_eq!(found.config().classes(), 7);
    assert_eq!(features(&found), features(&whole));
    // The same by way of a file of ours, whose head is left out.
    let card = ClassifyCard {
        network: small(3),
        scale: PictureScale { height: 64, width: 96, mean: vec![0.0; 3], deviation: vec![1.0; 3] },
        crop: None,
        names: ["a", "b", "c"].map(String::from).to_vec(),
        origin: Origin::default(),
    };
    let ours = folder.path().join("ours.safetensors");
    ClassifyModel { network: whole.clone(), card }.save(&ours).unwrap();
    assert_eq!(features(&with_body(net(&small(7), 2), &ours).unwrap()), features(&whole));

    let dense = file("densenet.pt", include_bytes!("../../tests/golden/densenet.pt"));
    let error = with_body(net(&small(3), 1), &dense).err().unwrap().to_string();
    assert!(error.contains("densenet.pt") && error.contains("unknown to the model: "), "{error}");
    let pickle = file("evil.pt", b"\x80\x02cposix\nsystem\n(S'touch pwned'\ntR.");
    let error = with_body(net(&small(3), 1), &pickle).err().unwrap().to_string();
    assert!(error.contains("evil.pt: refused: "), "{error}");
}

/// Both branches begin as the network that they are made of.
#[test]
fn branches_begin_as_a_trained_densenet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dense.safetensors");
    let (base, growth, blocks) = (8, 4, [1; 4]);
    let dense = ClassifyConfig::Densenet(crate::systems::densenet::DenseNetConfig {
        channels: 1,
        classes: 3,
        base,
        growth,
        blocks,
        ..Default::default()
    });
    let trained = dense.init(&Device::flex(), &mut rng(5, &[])).unwrap();
    let card = ClassifyCard {
        network: dense,
        scale: PictureScale { height: 32, width: 32, mean: vec![0.0], deviation: vec![1.0] },
        crop: None,
        names: ["a", "b", "c"].map(String::from).to_vec(),
        origin: Origin::default(),
    };
    ClassifyModel { network: trained, card }.save(&path).unwrap();
    let fused =
        crate::systems::sdfn::SdfnConfig { channels: 1, classes: 2, base, growth, blocks, ..Default::default() };
    let network = ClassifyConfig::Sdfn(fused).init(&Device::flex(), &mut rng(6, &[])).unwrap();
    let network = with_body(network, &path).unwrap();
    let layers = |net: &ClassifyNet, picture: usize| {
        // The maps that a branch gives for one picture, with the other one black.
        let x = noise([32, 32, 1], [1.0; 3], 3).voxels;
        let black = vec![0.0; x.len()];
        let both = if picture == 0 { [x, black] } else { [black, x] }.concat();
        let x =
            burn::tensor::Tensor::<4>::from_data(burn::tensor::TensorData::new(both, [1, 2, 32, 32]), &Device::flex());
        let model = |x: burn::tensor::Tensor<4>, probe: &Probe<4>| net.run_view(x, None, picture, probe);
        layer_gradient(&model, &x, &Target::All(0)).unwrap().activation.into_data()
    };
    assert_eq!(layers(&network, 0), layers(&network, 1), "equal branches see equal pictures alike");
}
