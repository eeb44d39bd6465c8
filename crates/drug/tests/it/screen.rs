//! Screening: one row for each compound and target, scored or with the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use drug::affinity::Tokenizers;
use drug::io::deepdta;
use drug::io::parquet::PredictionRow;
use drug::model::{AffinityModel, Calibration, Ensemble, ModelCard};
use drug::predict::{Compound, Screen, status};
use drug::systems::deepdta::DeepDtaConfig;
use drug::table::{AffinityTable, Drug, Pair, Quantity, Target};
use drug::tokens::Tokenizer;
use nn_core::data::rng;

use crate::common;

/// A fresh network that reads 60 characters and 120 residues.
fn model(seed: u64, radius: f64) -> AffinityModel {
    reading(seed, radius, [60, 120])
}

fn reading(seed: u64, radius: f64, [smiles_length, protein_length]: [usize; 2]) -> AffinityModel {
    let config = DeepDtaConfig { filters: 4, embedding: 8, smiles_length, protein_length, ..DeepDtaConfig::default() };
    AffinityModel {
        network: config.init(&Device::flex(), &mut rng(seed, &[])).unwrap(),
        card: ModelCard {
            config,
            tokenizers: Tokenizers { drug: Tokenizer::deepdta_smiles(), protein: Tokenizer::deepdta_protein() },
            quantity: Quantity::Pkd,
            calibration: Some(Calibration { radius, level: 0.9, pairs: 100 }),
        },
    }
}

fn ensemble() -> Ensemble {
    Ensemble::new(vec![model(1, 0.25), model(2, 0.5)]).unwrap()
}

fn compound(id: &str, smiles: &str) -> Compound {
    Compound { id: id.to_owned(), smiles: smiles.to_owned(), problem: None }
}

fn target(id: &str, sequence: &str) -> Target {
    Target { id: id.to_owned(), sequence: sequence.to_owned() }
}

fn numbers(row: &PredictionRow) -> [Option<f32>; 3] {
    [row.prediction, row.low, row.high]
}

#[test]
fn every_compound_has_a_row_for_every_target() {
    let long = "C".repeat(80);
    let smiles = ["CCO", "CCCCCC1CC", "CCO", long.as_str(), "c1ccpcc1", ""];
    let ids = ["a", "b", "c", "d", "e", "f"];
    let mut compounds: Vec<Compound> = ids.into_iter().zip(smiles).map(|(id, s)| compound(id, s)).collect();
    compounds[5].problem = Some("no SMILES".to_owned());
    let targets = [
        target("first", "MKTAYIAKQRQISFVKSHFSRQ"),
        target("none", ""),
        // The seventeenth residue has no label.
        target("odd", "MKTAYIAKQRQISFVKJHFS"),
    ];
    let (ensemble, others) = (ensemble(), ensemble());
    let card = others.card();
    let screen = Screen::new(ensemble, &targets).unwrap();
    assert_eq!(screen.level(), Some(0.9));
    let rows = screen.score(&compounds, 10).unwrap();
    assert_eq!(rows.len(), compounds.len() * targets.len());

    let odd = "target unknown residue 'J' at 17".to_owned();
    let ring = "invalid: byte 7: ring 1 not closed".to_owned();
    let expected = [
        ["ok".to_owned(), "invalid: target none has no residues".to_owned(), odd.clone()],
        [ring.clone(), ring.clone(), ring],
        ["ok".to_owned(), "invalid: target none has no residues".to_owned(), odd.clone()],
        [
            "truncated 60/80".to_owned(),
            "invalid: target none has no residues".to_owned(),
            format!("truncated 60/80; {odd}"),
        ],
        [
            "unknown character 'p' at 5".to_owned(),
            "invalid: target none has no residues".to_owned(),
            format!("unknown character 'p' at 5; {odd}"),
        ],
        ["invalid: no SMILES".to_owned(), "invalid: no SMILES".to_owned(), "invalid: no SMILES".to_owned()],
    ];
    for (i, row) in rows.iter().enumerate() {
        let (c, t) = (i / targets.len(), i % targets.len());
        let (compound, target) = (&compounds[c], &targets[t]);
        assert_eq!((row.row, &row.id), (10 + c as u64, &compound.id));
        assert_eq!((&row.smiles, &row.target), (&compound.smiles, &target.id));
        assert_eq!(row.status, expected[c][t]);
        if compound.problem.is_none() {
            let drug = Drug { id: compound.id.clone(), smiles: compound.smiles.clone() };
            assert_eq!(status(card, &drug, target), row.status);
        }
        assert_eq!(row.prediction.is_none(), row.status.starts_with("invalid: "), "{row:?}");
        // The largest radius of the two members.
        if let [Some(value), low, high] = numbers(row) {
            let near = |end: Option<f32>, expected: f32| (end.unwrap() - expected).abs() < 1e-5;
            assert!(near(low, value - 0.5) && near(high, value + 0.5), "{row:?}");
        } else {
            assert_eq!(numbers(row), [None; 3]);
        }
    }
    // The duplicate has the same numbers, another compound other ones.
    assert_eq!(numbers(&rows[0]), numbers(&rows[6]));
    assert_ne!(numbers(&rows[0]), numbers(&rows[9]));

    // What the same models say of the same strings as a table.
    let table = AffinityTable {
        drugs: vec![Drug { id: "d".into(), smiles: long.clone() }],
        targets: targets.to_vec(),
        pairs: vec![Pair { drug: 0, target: 0, value: 0.0 }, Pair { drug: 0, target: 2, value: 0.0 }],
        quantity: Quantity::Pkd,
    };
    for (value, row) in others.predict(&table, &[0, 1]).unwrap().into_iter().zip([&rows[9], &rows[11]]) {
        assert!((value as f32 - row.prediction.unwrap()).abs() < 1e-5, "{value} and {row:?}");
    }
}

#[test]
fn no_targets_and_no_compounds_give_no_rows() {
    let compounds = [compound("a", "CCO"), compound("b", "C1CC")];
    assert!(Screen::new(ensemble(), &[]).unwrap().score(&compounds, 1).unwrap().is_empty());
    let screen = Screen::new(ensemble(), &[target("t", "MKTAYIAKQR")]).unwrap();
    assert!(screen.score(&[], 1).unwrap().is_empty());
    // Nothing that can be scored still gives its rows.
    let rows = screen.score(&compounds[1..], 7).unwrap();
    assert_eq!((rows.len(), rows[0].row, rows[0].prediction), (1, 7, None));
}

/// A network that rounding or a damaged file has ruined.
struct Ruined;

impl ModuleMapper for Ruined {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weight| weight.mul_scalar(f32::NAN))
    }
}

#[test]
fn a_prediction_that_is_not_a_number_is_not_written_as_one() {
    let mut ruined = model(2, 0.5);
    ruined.network = ruined.network.map(&mut Ruined);
    let ensemble = Ensemble::new(vec![model(1, 0.5), ruined]).unwrap();
    let screen = Screen::new(ensemble, &[target("t", "MKTAYIAKQRQISFVKSHFSRQ")]).unwrap();
    let rows = screen.score(&[compound("a", "CCO"), compound("b", "C1CC")], 1).unwrap();
    assert_eq!(rows[0].status, "invalid: the prediction is not a number");
    assert_eq!(rows[1].status, "invalid: byte 2: ring 1 not closed");
    assert!(rows.iter().all(|row| numbers(row) == [None; 3]), "{rows:?}");
}

/// KIBA has 2,068 different SMILES; `DeepDTA` reads 100 characters of each, and then 2,057 are different (counted with
/// Python's json module). What the network cannot tell apart it scores alike, and the status says why.
#[test]
fn some_drugs_of_kiba_are_the_same_once_they_are_cut() {
    let Some(folder) = common::data("drug/kiba") else { return };
    let (table, _) = deepdta::read(&folder).unwrap();
    let smiles: BTreeSet<&str> = table.drugs.iter().map(|drug| drug.smiles.as_str()).collect();
    let tokenizer = Tokenizer::deepdta_smiles();
    let mut read: BTreeMap<Vec<u8>, Vec<&str>> = BTreeMap::new();
    for text in &smiles {
        read.entry(tokenizer.encode(text, 100).ids).or_default().push(text);
    }
    assert_eq!((smiles.len(), read.len()), (2_068, 2_057));

    let twins = read.values().find(|same| same.len() > 1).unwrap();
    let ensemble = Ensemble::new(vec![reading(1, 0.5, [100, 1_000])]).unwrap();
    let screen = Screen::new(ensemble, &table.targets[..1]).unwrap();
    let rows = screen.score(&[compound("a", twins[0]), compound("b", twins[1])], 1).unwrap();
    assert_ne!(rows[0].smiles, rows[1].smiles);
    assert!(rows.iter().all(|row| row.status.starts_with("truncated 100/")), "{rows:?}");
    assert_eq!(numbers(&rows[0]), numbers(&rows[1]));
}
