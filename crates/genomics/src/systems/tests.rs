//! What holds for every system that reads sequences.

use nn_core::data::rng;
use nn_core::store;

use super::golden::input;
use super::*;

/// Bases that all of them can read.
const LENGTH: usize = 320;

fn all() -> Vec<NetConfig> {
    SYSTEMS.iter().map(|(name, _)| NetConfig::named(name).unwrap().with_shape(LENGTH, 3)).collect()
}

#[test]
fn every_system_is_known_by_name_and_reads_and_writes_its_sizes() {
    for (name, _) in SYSTEMS {
        let config = NetConfig::named(name).unwrap();
        config.validate().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.starts_with(&format!(r#"{{"system":"{}""#, config.system())), "{text}");
        assert_eq!(serde_json::from_str::<NetConfig>(&text).unwrap(), config);
        // what `system` says is a name too, of that system's default
        assert_eq!(NetConfig::named(config.system()).unwrap().system(), config.system());
    }
    let short: NetConfig = serde_json::from_str(r#"{"system":"deepbind","filters":16}"#).unwrap();
    assert_eq!(short, NetConfig::DeepBind(DeepBindConfig { filters: 16, ..DeepBindConfig::default() }));
    assert!(serde_json::from_str::<NetConfig>(r#"{"system":"deepbind","filter":16}"#).is_err(), "no such field");
    let error = NetConfig::named("deepbnd").unwrap_err().to_string();
    assert!(error.starts_with("system = \"deepbnd\" is not known; use one of: deepbind, "), "{error}");
}

#[test]
fn networks_have_the_shape_that_was_asked_for() {
    let device = Device::flex();
    for config in all() {
        assert_eq!((config.length(), config.outputs()), (LENGTH, 3));
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        assert_eq!(net.config(), config);
        let x = input("shape", [2, 4, LENGTH]);
        let found = net.logits(x.clone(), None);
        assert_eq!(found.dims(), [2, 3], "{}", config.system());
        assert_eq!(found.into_data(), net.logits(x, None).into_data(), "no noise without a generator");
    }
}

#[test]
fn starting_values_and_noise_are_functions_of_the_generator() {
    let device = Device::flex();
    for config in all() {
        let net = |seed| config.init(&device, &mut rng(seed, &[])).unwrap();
        let run = |net: &Net, noise| net.logits(input("noise", [2, 4, LENGTH]), Some(&mut rng(noise, &[]))).into_data();
        assert_eq!(run(&net(1), 5), run(&net(1), 5));
        assert_ne!(run(&net(1), 5), run(&net(2), 5), "{}", config.system());
        if config.system() != "cnnprom" {
            assert_ne!(run(&net(1), 5), run(&net(1), 6), "{}", config.system());
        }
    }
}

#[test]
fn first_layers_are_filters_and_what_they_find() {
    let device = Device::flex();
    let expected = [
        Some([64, 11]),
        Some([16, 24]),
        Some([300, 19]),
        Some([128, 9]),
        None,
        Some([128, 9]),
        Some([200, 21]),
        Some([320, 8]),
    ];
    for (config, expected) in all().into_iter().zip(expected) {
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        let filters = net.first_layer().map(|filters| filters.dims());
        assert_eq!(filters, expected.map(|[count, kernel]| [count, 4, kernel]), "{}", config.system());
        let maps = net.first_maps(input("maps", [2, 4, LENGTH]));
        assert_eq!(maps.as_ref().map(Tensor::dims), expected.map(|[count, kernel]| [2, count, LENGTH + 1 - kernel]));
        if let Some(maps) = maps {
            assert!(maps.min().into_scalar::<f32>() >= 0.0);
        }
    }
}

#[test]
fn weights_go_to_a_file_and_back() {
    let device = Device::flex();
    for config in all() {
        let net = config.init(&device, &mut rng(1, &[])).unwrap();
        let bytes = store::to_safetensors(&net, &store::Metadata::new()).unwrap();
        let other = config.init(&device, &mut rng(2, &[])).unwrap();
        let (other, _) = store::from_safetensors(other, &bytes).unwrap();
        let x = input("file", [2, 4, LENGTH]);
        assert_eq!(net.logits(x.clone(), None).into_data(), other.logits(x, None).into_data(), "{}", config.system());
    }
}
