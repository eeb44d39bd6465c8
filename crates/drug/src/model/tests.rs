//! The radius of one model, and what a set of models makes of its members.

use std::ops::Range;

use super::*;
use crate::table::{Drug, Target};
use crate::tokens::{PAD, TokenReport, Tokenizer};

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
}

/// As [`model`], with the tokens of `smiles` in the place of characters.
fn of_tokens(seed: u64, lengths: [usize; 2], smiles: &str) -> AffinityModel {
    let mut model = model(seed, lengths, None);
    let drug = Tokenizer::fit_chemistry([smiles], 1).unwrap();
    model.card.config.smiles_vocabulary = drug.size();
    model.card.tokenizers.drug = drug;
    model.network = model.card.config.init(&Device::flex(), &mut rng(seed, &[])).unwrap();
    model
}

/// What `model` predicts for a SMILES string and a sequence of which the labels `hidden` of one side, 0 or 1, are padding.
fn with_hidden(model: &AffinityModel, texts: [&str; 2], side: usize, hidden: Range<usize>) -> f64 {
    let (tokenizers, config) = (&model.card.tokenizers, &model.card.config);
    let mut strings = [
        tokenizers.drug.encode(texts[0], config.smiles_length).ids,
        tokenizers.protein.encode(texts[1], config.protein_length).ids,
    ];
    strings[side][hidden].fill(PAD);
    let [drugs, targets] = strings.map(|string| vec![string]);
    let (drug_report, target_report) = (TokenReport::default(), TokenReport::default());
    let entities = Entities { drugs, targets, drug_report, target_report };
    predict(&model.network, &entities, &[Pair { drug: 0, target: 0, value: 0.0 }]).unwrap()[0]
}

/// The labels are hidden by hand. The predictions of fresh networks are about 0.01, where neighbouring numbers of 32 bits are
/// 1e-9 apart, so that sums in another order stay far below 1e-7.
#[test]
fn a_part_is_hidden_from_every_member_by_its_own_labels() {
    const TOLERANCE: f64 = 1e-7;
    const WINDOW: usize = 3;
    let smiles = format!("ClC[nH]%12OBr{}", "C".repeat(12));
    let texts = [smiles.as_str(), "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPI"];
    let (characters, tokens) = (model(1, [22, 34], None), of_tokens(2, [22, 34], &smiles));
    // `Cl`, `C`, `[nH]`, `O`, `Br` and two more carbons: bytes, and the labels of each model. The first reads 22 characters.
    let atoms = [0..2, 2..3, 3..7, 10..11, 11..13, 21..22, 22..23];
    let by_characters = [0..2, 2..3, 3..7, 10..11, 11..13, 21..22, 22..22];
    let by_tokens = [0..1, 1..2, 2..3, 4..5, 5..6, 14..15, 15..16];
    let mean = |side: usize, [a, b]: [Range<usize>; 2]| {
        f64::midpoint(with_hidden(&characters, texts, side, a), with_hidden(&tokens, texts, side, b))
    };
    let close = |found: Option<f64>, expected: f64| {
        assert!((found.unwrap() - expected).abs() < TOLERANCE, "{found:?}, not {expected}");
    };

    let both = Ensemble::new(vec![characters.clone(), tokens.clone()]).unwrap();
    let found = both.occlude(texts[0], &atoms, texts[1], WINDOW).unwrap();
    let whole = mean(0, [0..0, 0..0]);
    close(Some(found.prediction), whole);
    assert_eq!(found.atoms.len(), atoms.len());
    for (effect, (a, b)) in found.atoms.iter().zip(by_characters.into_iter().zip(by_tokens)) {
        close(*effect, whole - mean(0, [a, b]));
    }
    assert!(found.atoms.iter().flatten().any(|effect| effect.abs() > 100.0 * TOLERANCE), "{found:?}");

    let windows: Vec<Range<usize>> = (0..=34 - WINDOW).map(|start| start..start + WINDOW).collect();
    let effects: Vec<f64> = windows.iter().map(|window| whole - mean(1, [window.clone(), window.clone()])).collect();
    for (place, effect) in found.residues[..34].iter().enumerate() {
        let covering = windows.iter().zip(&effects).filter(|(window, _)| window.contains(&place));
        let covering: Vec<f64> = covering.map(|(_, effect)| *effect).collect();
        close(*effect, covering.iter().sum::<f64>() / covering.len() as f64);
    }
    assert_eq!(found.residues[34..], [None, None]);

    let found = Ensemble::new(vec![characters]).unwrap().occlude(texts[0], &atoms, texts[1], WINDOW).unwrap();
    let read: Vec<bool> = found.atoms.iter().map(Option::is_some).collect();
    assert_eq!(read, [true, true, true, true, true, true, false]);
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
