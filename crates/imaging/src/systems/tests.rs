//! What holds for every system.

use std::collections::BTreeSet;

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::rng;
use nn_core::explain::{Target, layer_gradient};
use nn_core::optim::OptimizerConfig;
use nn_core::store::{self, Metadata};
use nn_core::transfer::{freeze, load_body, under};

use super::golden::{filled, input};
use super::resnet::ResNetConfig;
use super::*;

fn segmenters() -> Vec<SegmentConfig> {
    let small = |config| match config {
        SegmentConfig::Unet(config) => SegmentConfig::Unet(unet::UnetConfig { base: 4, levels: 3, ..config }),
        SegmentConfig::UnetValid(config) => {
            SegmentConfig::UnetValid(unet_valid::UnetValidConfig { base: 4, levels: 3, ..config })
        }
        SegmentConfig::Unet3d(config) => SegmentConfig::Unet3d(unet3d::Unet3dConfig { base: 2, levels: 3, ..config }),
        SegmentConfig::Linknet(config) => SegmentConfig::Linknet(linknet::LinkNetConfig { base: 4, ..config }),
        SegmentConfig::Linknet34(config) => SegmentConfig::Linknet34(linknet34::LinkNet34Config { base: 4, ..config }),
        SegmentConfig::Ternausnet(config) => {
            SegmentConfig::Ternausnet(ternausnet::TernausNetConfig { filters: 2, ..config })
        }
    };
    SEGMENTERS.iter().map(|(name, _)| small(SegmentConfig::named(name).unwrap()).with_shape(2, 4)).collect()
}

fn classifiers() -> Vec<ClassifyConfig> {
    let small = |config| match config {
        ClassifyConfig::Resnet(config) => ClassifyConfig::Resnet(ResNetConfig { base: 4, dropout: 0.2, ..config }),
        ClassifyConfig::Densenet(config) => ClassifyConfig::Densenet(densenet::DenseNetConfig {
            base: 8,
            growth: 4,
            blocks: [2; 4],
            dropout: 0.2,
            ..config
        }),
        ClassifyConfig::IldCnn(config) => ClassifyConfig::IldCnn(ild_cnn::IldCnnConfig { multiplier: 1, ..config }),
        ClassifyConfig::SoftAttention(config) => ClassifyConfig::SoftAttention(soft_attention::SoftAttentionConfig {
            filters: vec![4, 6],
            dropout: 0.2,
            ..config
        }),
        ClassifyConfig::Knee(config) => ClassifyConfig::Knee(knee::KneeConfig { base: 4, side: 0, ..config }),
        ClassifyConfig::Sdfn(config) => {
            ClassifyConfig::Sdfn(sdfn::SdfnConfig { base: 8, growth: 4, blocks: [2; 4], dropout: 0.2, ..config })
        }
    };
    CLASSIFIERS.iter().map(|(name, _)| small(ClassifyConfig::named(name).unwrap()).with_shape(2, 4)).collect()
}

#[test]
fn every_system_is_known_by_name_and_reads_and_writes_its_sizes() {
    for (name, _) in SEGMENTERS {
        let config = SegmentConfig::named(name).unwrap();
        config.validate().unwrap();
        assert!(config.citation().contains("20"));
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.starts_with(&format!(r#"{{"system":"{}""#, config.name())), "{text}");
        assert_eq!(serde_json::from_str::<SegmentConfig>(&text).unwrap(), config);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<SegmentConfig>(&text).unwrap(), config, "{text}");
    }
    for (name, _) in CLASSIFIERS {
        let config = ClassifyConfig::named(name).unwrap();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.starts_with(&format!("system = \"{}\"", config.name())), "{text}");
        assert_eq!(toml::from_str::<ClassifyConfig>(&text).unwrap(), config, "{text}");
        assert_eq!(ClassifyConfig::named(config.name()).unwrap().name(), config.name());
    }
    let short: SegmentConfig = toml::from_str("system = \"unet3d\"\nbase = 8").unwrap();
    assert_eq!(short, SegmentConfig::Unet3d(unet3d::Unet3dConfig { base: 8, ..unet3d::Unet3dConfig::default() }));
    assert!(toml::from_str::<SegmentConfig>("system = \"unet3d\"\nbasis = 8").is_err(), "no such field");
    let error: ConfigError = SegmentConfig::named("u-net").unwrap_err();
    assert!(
        error.to_string().starts_with("system = \"u-net\" is not known; use one of: unet, unet-valid, "),
        "{error}"
    );
}

#[test]
fn segmenters_answer_on_the_grid_less_the_margin() {
    let device = Device::flex();
    for config in segmenters() {
        let (margin, multiple) = (config.margin(), config.multiple());
        for output in [[1, 1, 1], [32, 50, 3], [33, 10, 7]] {
            let size = config.input_for(output);
            let found: [usize; 3] = std::array::from_fn(|axis| size[axis] - 2 * margin[axis]);
            assert!((0..3).all(|axis| found[axis] >= output[axis]), "{}: {size:?} for {output:?}", config.name());
            let step: [usize; 3] = std::array::from_fn(|axis| size[axis] + multiple[axis]);
            assert_eq!(config.input_for(found), size, "{}: the size is one that the network takes", config.name());
            let more: [usize; 3] = std::array::from_fn(|axis| found[axis] + 1);
            assert_eq!(config.input_for(more), step, "{}: the next one", config.name());
        }
        let size = config.input_for([20, 30, 3]);
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.config(), config);
        let x = input("segment", [2, 2, size[2], size[1], size[0]]);
        let maps = net.maps(x.clone(), None);
        assert_eq!(maps.len(), 1);
        let inner: [usize; 3] = std::array::from_fn(|axis| size[axis] - 2 * margin[axis]);
        assert_eq!(maps[0].dims(), [2, 4, inner[2], inner[1], inner[0]], "{}", config.name());
        assert_eq!(maps[0].to_data(), net.maps(x, None)[0].to_data(), "no noise without a generator");
    }
}

#[test]
fn classifiers_answer_in_the_shape_that_was_asked_for() {
    let device = Device::flex();
    for config in classifiers() {
        assert_eq!((config.channels(), config.classes()), (2, 4));
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.config(), config);
        let side = config.smallest();
        assert!(config.check_size([side - 1, side - 1]).is_err() || side == 1, "{}", config.name());
        for (height, width) in [(side, side), (side + 13, side + 40)] {
            config.check_size([height, width]).unwrap();
            let x = input("picture", [2, 2, height, width]);
            let found = net.logits(x.clone(), None);
            for view in net.views([2, height, width]) {
                assert!(view.channels.end <= 2 && view.rows.end <= height && view.columns.end <= width, "{view:?}");
            }
            assert_eq!(found.dims(), [2, 4], "{}", config.name());
            assert_eq!(found.into_data(), net.logits(x, None).into_data(), "no noise without a generator");
        }
    }
}

/// The logits do not depend on which branch is probed, and each branch has a part in them.
#[test]
fn every_view_can_be_probed() {
    let device = Device::flex();
    for config in classifiers() {
        let net = filled(config.init(&device, &mut rng(1, &[])).unwrap());
        let edge = config.smallest().max(40);
        let x = input::<4>("views", [2, 2, edge, edge]);
        let expected = net.logits(x.clone(), None).into_data();
        let views = net.views([2, edge, edge]);
        assert_eq!(
            views.len(),
            if matches!(config, ClassifyConfig::Knee(_) | ClassifyConfig::Sdfn(_)) { 2 } else { 1 }
        );
        for view in 0..views.len() {
            assert_eq!(net.run_view(x.clone(), None, view, &Probe::off()).into_data(), expected, "{}", config.name());
            let model = |x: Tensor<4>, probe: &Probe<4>| net.run_view(x, None, view, probe);
            let layer = layer_gradient(&model, &x, &Target::All(0)).unwrap();
            // what the answer loses without the maps of the branch
            assert!(layer.loss.iter().all(|loss| loss.abs() > 1e-9), "{}: {view}", config.name());
        }
    }
}

#[test]
fn starting_values_and_noise_are_functions_of_the_generator() {
    let device = Device::flex();
    for config in classifiers() {
        let net = |seed| config.init(&device, &mut rng(seed, &[])).unwrap();
        let edge = config.smallest().max(40);
        let run = |net: &ClassifyNet, noise| {
            net.logits(input("noise", [2, 2, edge, edge]), Some(&mut rng(noise, &[]))).into_data()
        };
        assert_eq!(run(&net(1), 5), run(&net(1), 5));
        assert_ne!(run(&net(1), 5), run(&net(2), 5), "{}", config.name());
        assert_ne!(run(&net(1), 5), run(&net(1), 6), "{}", config.name());
    }
}

#[test]
fn weights_go_to_a_file_and_back() {
    let device = Device::flex();
    for config in segmenters() {
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        let bytes = store::to_safetensors(&net, &Metadata::new()).unwrap();
        let other = config.init(&device, &mut rng(2, &[])).unwrap();
        let (other, _) = store::from_safetensors(other, &bytes).unwrap();
        let size = config.input_for([20, 30, 3]);
        let x = input("file", [1, 2, size[2], size[1], size[0]]);
        let [one, other] = [net, other].map(|net| net.maps(x.clone(), None).remove(0).into_data());
        assert_eq!(one, other, "{}", config.name());
    }
}

/// Paths of all parameters.
#[derive(Default)]
struct Paths {
    path: Vec<String>,
    found: BTreeSet<String>,
}

impl ModuleVisitor for Paths {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."));
    }
}

#[test]
fn parts_are_all_that_there_is_and_end_with_the_head() {
    for config in classifiers() {
        let net = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
        let mut paths = Paths::default();
        net.visit(&mut paths);
        let parts = net.parts();
        assert_eq!(parts.last(), Some(&net.head()[0]));
        for &part in parts {
            assert!(paths.found.iter().any(|path| under(&[part])(path)), "{part} in {:?}", paths.found);
        }
        for path in &paths.found {
            assert_eq!(parts.iter().filter(|&&part| under(&[part])(path)).count(), 1, "{path}");
        }
    }
}

#[test]
fn a_body_goes_under_a_new_head_and_stays_as_it_is() {
    let device = Device::flex().autodiff();
    for config in classifiers() {
        let trained = config.init(&device, &mut rng(1, &[])).unwrap();
        let file = store::to_safetensors(&trained, &Metadata::new()).unwrap();
        let other = config.clone().with_shape(2, 7).init(&device, &mut rng(2, &[])).unwrap();
        let head = other.head();
        let (net, body) = load_body(other, &file, &head).unwrap();
        assert_eq!(body.skipped.len(), 2, "weight and bias of the last layer: {:?}", body.skipped);
        let (net, _) = freeze(net, |path| !under(&head)(path));
        let state = |net: &ClassifyNet| {
            let bytes = store::to_safetensors(net, &Metadata::new()).unwrap();
            load_body(config.init(&device, &mut rng(3, &[])).unwrap(), &bytes, &head).unwrap().0
        };
        let before = store::to_safetensors(&state(&net), &Metadata::new()).unwrap();
        let edge = config.smallest().max(40);
        let x = input::<4>("frozen", [3, 2, edge, edge]).autodiff();
        let loss = net.logits(x.clone(), Some(&mut rng(1, &[]))).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let answer = |net: &ClassifyNet| net.logits(x.clone(), None).into_data();
        let untrained = answer(&net);
        let net = OptimizerConfig::adam().init().step(0.1, net, gradients);
        // weights and running statistics of the body are bit for bit what they were, and the head is not
        assert_eq!(store::to_safetensors(&state(&net), &Metadata::new()).unwrap(), before, "{}", config.name());
        assert_ne!(answer(&net), untrained, "{}", config.name());
    }
}
