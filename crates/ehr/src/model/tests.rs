//! A model is the same after it was written and read; what is damaged or does not fit is refused.

use std::fs;

use super::*;
use crate::study::tests::{gru, gru_d, small, study, toy, trained};
use crate::systems::retain::RetainConfig;

fn retain() -> NetworkConfig {
    NetworkConfig::Retain(RetainConfig { embedding: 8, alpha: 8, beta: 8, ..RetainConfig::default() })
}

#[test]
fn a_model_is_the_same_after_it_was_written_and_read() {
    let (events, labels) = toy(60);
    let folder = tempfile::tempdir().unwrap();
    for network in [gru(), gru_d(), retain()] {
        let study = study(&events, &labels, small(network));
        let model = trained(&study).model;
        let path = folder.path().join(format!("{}.safetensors", model.card.network.system()));
        model.save(&path).unwrap();
        let read = RiskModel::load(&path, &Device::flex()).unwrap();
        assert_eq!(read.card, model.card);
        let views = study.views();
        assert_eq!(read.probabilities(views).unwrap(), model.probabilities(views).unwrap());
        // One at a time as all at once; 1e-6 is the rounding of single precision.
        let all = model.probabilities(views).unwrap();
        for (row, expected) in all.iter().enumerate().take(5) {
            let one = model.probabilities(&views[row..=row]).unwrap()[0];
            assert!((one - expected).abs() < 1e-6, "row {row}: {one} {expected}");
        }
    }
}

#[test]
fn damaged_and_strange_files_are_refused() {
    let (events, labels) = toy(60);
    let folder = tempfile::tempdir().unwrap();
    let model = trained(&study(&events, &labels, small(gru()))).model;
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let broken = folder.path().join("broken.safetensors");
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&broken, &bytes[..length]).unwrap();
        assert!(RiskModel::load(&broken, &Device::flex()).is_err(), "{length} bytes");
    }
    // A card that says something else than its network.
    let mut other = model.clone();
    other.card.network = other.card.network.with_shape(7, 3, &[]);
    store::save(&model.network, &other.card.metadata(), &broken).unwrap();
    let error = RiskModel::load(&broken, &Device::flex()).unwrap_err();
    assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
    let mut metadata = model.card.metadata();
    metadata.remove(CALIBRATION);
    store::save(&model.network, &metadata, &broken).unwrap();
    let error = RiskModel::load(&broken, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("calibration") && error.contains("is missing"), "{error}");
    // A file of another system is named, among the models of a run too.
    let mut metadata = model.card.metadata();
    metadata.insert(store::ARCHITECTURE.to_owned(), "deepdta".to_owned());
    store::save(&model.network, &metadata, &broken).unwrap();
    let expected = format!("{}: the weights are of deepdta, the model is risk-model", broken.display());
    fs::remove_file(&path).unwrap();
    for error in [
        RiskModel::load(&broken, &Device::flex()).unwrap_err().to_string(),
        Ensemble::load(folder.path(), &Device::flex()).unwrap_err().to_string(),
    ] {
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn an_ensemble_averages_probabilities_of_one_task() {
    let (events, labels) = toy(60);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (study(&events, &labels, small(gru())), study(&events, &labels, small(gru_d())));
    let (first, second) = (trained(&one).model, trained(&two).model);
    fs::create_dir(folder.path().join("model")).unwrap();
    first.save(&folder.path().join("model/seed-0.safetensors")).unwrap();
    second.save(&folder.path().join("model/seed-1.safetensors")).unwrap();
    let both = Ensemble::load(folder.path(), &Device::flex()).unwrap();
    let views = &one.views()[..4];
    let (a, b) = (first.probabilities(views).unwrap(), second.probabilities(views).unwrap());
    for ((mean, a), b) in both.probabilities(views).unwrap().iter().zip(a).zip(b) {
        assert!((mean - f64::midpoint(a, b)).abs() < 1e-12);
    }
    let (low, high) = both.interval(0.5).unwrap();
    assert!((0.0..=1.0).contains(&low) && low < high && high <= 1.0);
    let mut strange = second;
    strange.card.predicts.task = "another".to_owned();
    assert!(matches!(Ensemble::new(vec![first, strange]), Err(ModelError::Mixed { .. })));
    assert!(matches!(Ensemble::new(Vec::new()), Err(ModelError::Empty)));
    assert!(matches!(Ensemble::load(&folder.path().join("absent"), &Device::flex()), Err(ModelError::Absent(_))));
}
