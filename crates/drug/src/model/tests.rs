//! The radius of one model, and what a set of models makes of its members.

use super::*;
use crate::table::{Drug, Target};
use crate::tokens::Tokenizer;

#[test]
fn the_radius_is_the_conformal_order_statistic() {
    // n = 9, level 0.9: ceil(10 * 0.9) = 9th smallest.
    let residuals: Vec<f64> = (1..=9).rev().map(f64::from).collect();
    assert_eq!(Calibration::from_residuals(residuals.clone(), 0.9).map(|c| c.radius), Some(9.0));
    assert_eq!(Calibration::from_residuals(residuals.clone(), 0.5).map(|c| c.radius), Some(5.0));
    assert_eq!(Calibration::from_residuals(residuals, 0.95), None);
    assert_eq!(Calibration::from_residuals(vec![f64::NAN; 20], 0.5), None);
    assert_eq!(Calibration::from_residuals(Vec::new(), 0.9), None);
}

/// A fresh network of few filters.
fn model(seed: u64, [smiles_length, protein_length]: [usize; 2], calibration: Option<(f64, f64)>) -> AffinityModel {
    let config = DeepDtaConfig { filters: 4, embedding: 8, smiles_length, protein_length, ..DeepDtaConfig::default() };
    AffinityModel {
        network: config.init(&Device::flex(), &mut rng(seed, &[])).unwrap(),
        card: ModelCard {
            config,
            tokenizers: Tokenizers { drug: Tokenizer::deepdta_smiles(), protein: Tokenizer::deepdta_protein() },
            quantity: Quantity::Pkd,
            calibration: calibration.map(|(radius, level)| Calibration { radius, level, pairs: 100 }),
        },
    }
}

const LENGTHS: [usize; 2] = [60, 120];

#[test]
fn the_interval_is_the_widest_of_one_level() {
    let of = |members: &[Option<(f64, f64)>]| {
        let models = members.iter().map(|&calibration| model(1, LENGTHS, calibration)).collect();
        Ensemble::new(models).unwrap().interval().map(|c| (c.radius, c.level))
    };
    assert_eq!(of(&[Some((1.0, 0.9)), Some((3.0, 0.9)), Some((2.0, 0.9))]), Some((3.0, 0.9)));
    assert_eq!(of(&[Some((1.0, 0.9)), Some((3.0, 0.8))]), None);
    assert_eq!(of(&[Some((1.0, 0.9)), None]), None);
}

#[test]
fn nothing_and_a_mixture_are_refused() {
    assert_eq!(
        Ensemble::new(Vec::new()).err().unwrap().to_string(),
        "an ensemble of 0 models cannot predict; give at least 1"
    );
    let mut other = model(2, LENGTHS, None);
    other.card.quantity = Quantity::KibaScore;
    assert_eq!(
        Ensemble::new(vec![model(1, LENGTHS, None), other]).err().unwrap().to_string(),
        "model 1 predicts pKd, model 2 predicts KIBA score; an ensemble must predict one quantity"
    );
}

#[test]
fn the_ensemble_predicts_the_mean_and_each_member_cuts_for_itself() {
    let (drugs, targets) = (["CCO", "c1ccccc1OCCNC(=O)C1CCCCC1"], ["MKTAYIAKQRQISFVKSHFSRQ", "GSSGSSGDEWMKLV"]);
    let table = AffinityTable {
        drugs: drugs.map(|s| Drug { id: s.to_owned(), smiles: s.to_owned() }).to_vec(),
        targets: targets.map(|s| Target { id: s.to_owned(), sequence: s.to_owned() }).to_vec(),
        pairs: (0..4).map(|i| Pair { drug: i % 2, target: i / 2, value: 0.0 }).collect(),
        quantity: Quantity::Pkd,
    };
    // The second member reads fewer characters than the longer drug has.
    let models = vec![model(1, LENGTHS, None), model(2, [22, 34], None)];
    let alone: Vec<Vec<f64>> =
        models.iter().map(|m| Ensemble::new(vec![m.clone()]).unwrap().predict(&table, &[3, 0, 1]).unwrap()).collect();
    let ensemble = Ensemble::new(models).unwrap();
    let together = ensemble.predict(&table, &[3, 0, 1]).unwrap();
    for (i, value) in together.iter().enumerate() {
        assert_eq!(*value, f64::midpoint(alone[0][i], alone[1][i]));
    }

    let tokenizers = &ensemble.card().tokenizers;
    let drug = tokenizers.drug.encode(drugs[1], 60).ids;
    let proteins: Vec<Vec<u8>> = targets.iter().map(|t| tokenizers.protein.encode(t, 120).ids).collect();
    let scored = ensemble.score(&[drug], &proteins).unwrap();
    let expected = ensemble.predict(&table, &[1, 3]).unwrap();
    assert!(scored.iter().zip(&expected).all(|(s, e)| (s - e).abs() < 1e-5), "{scored:?}, not {expected:?}");
    assert!(ensemble.score(&[], &[]).unwrap().is_empty());
    assert_eq!(
        ensemble.score(&[vec![1], vec![2]], &[vec![1], vec![2], vec![3]]).unwrap_err().to_string(),
        "2 drugs and 3 proteins cannot be paired; give as many"
    );
}

#[test]
fn a_file_of_another_system_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let model = model(1, LENGTHS, None);
    let mut metadata = model.card.metadata();
    metadata.insert(store::ARCHITECTURE.to_owned(), "risk-model".to_owned());
    store::save(&model.network, &metadata, &path).unwrap();
    let error = AffinityModel::load(&path, &Device::flex()).unwrap_err().to_string();
    let expected = format!("{}: the weights are of risk-model, the model is deepdta", path.display());
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_file_with_the_wrong_vocabulary_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut wrong = model(1, LENGTHS, None);
    wrong.card.config.smiles_vocabulary = 30;
    wrong.save(&path).unwrap();
    let error = Ensemble::load(&path, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("smiles_vocabulary = 30, but the tokeniser (DeepDTA SMILES characters) has 64"), "{error}");
    let error = Ensemble::load(&folder.path().join("none"), &Device::flex()).err().unwrap();
    assert!(matches!(error, ModelError::Absent(_)), "{error}");
}
