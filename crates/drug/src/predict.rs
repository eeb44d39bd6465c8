//! Scoring of compound lists against targets: one output row for each input row, in order.

use crate::affinity::{encode_all, numbers};
use crate::chem::Molecule;
use crate::io::parquet::PredictionRow;
use crate::model::{Calibration, Ensemble, ModelCard};
use crate::systems::deepdta::Side;
use crate::table::{Drug, Target};
use crate::tokens::Encoded;
use burn::tensor::{Int, Tensor, TensorData};
use nn_core::train::StepError;
use rayon::prelude::*;
use std::collections::HashMap;

/// A compound to score, or the reason why its row of the input has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compound {
    /// Identifier of the input, or its row number; empty where a line that is no compound does not tell it.
    pub id: String,
    /// SMILES as written in the input.
    pub smiles: String,
    /// Why the row could not be read, where it could not.
    pub problem: Option<String>,
}

/// Why a row has no numbers although compound and target are well.
const NOT_A_NUMBER: &str = "the prediction is not a number";

/// What is to be said of a target in every row.
struct Prepared {
    id: String,
    remarks: Vec<String>,
    problem: Option<String>,
}

impl Prepared {
    fn new(card: &ModelCard, target: &Target) -> Self {
        let length = card.config.protein_length;
        let encoded = card.tokenizers.protein.encode(&target.sequence, length);
        let problem = target.sequence.is_empty().then(|| format!("target {} has no residues", target.id));
        let remarks = remarks("target ", card.tokenizers.protein.unit(), &encoded, length);
        Self { id: target.id.clone(), remarks, problem }
    }
}

/// An ensemble of models with the targets' encodings computed once.
pub struct Screen {
    ensemble: Ensemble,
    targets: Vec<Prepared>,
    /// For each model `[targets, channels]`.
    encoded: Vec<Tensor<2>>,
    interval: Option<Calibration>,
}

impl Screen {
    /// Encodes `targets`, of which there may be none, with each model; a target without residues gets a
    /// status in its rows instead of numbers.
    ///
    /// # Errors
    /// [`StepError`] when the device does not encode the targets.
    pub fn new(ensemble: Ensemble, targets: &[Target]) -> Result<Self, StepError> {
        let prepared = targets.iter().map(|target| Prepared::new(ensemble.card(), target)).collect();
        let mut encoded = Vec::with_capacity(ensemble.models().len());
        for model in ensemble.models() {
            let (tokenizer, length) = (&model.card.tokenizers.protein, model.card.config.protein_length);
            let labels: Vec<Vec<u8>> = targets.iter().map(|t| tokenizer.encode(&t.sequence, length).ids).collect();
            let strings: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
            let side = encode_all(&model.network, Side::Protein, &strings);
            side.device()
                .sync()
                .map_err(|e| StepError::Device { what: "encodings of the targets", reason: e.to_string() })?;
            encoded.push(side);
        }
        let interval = ensemble.interval();
        Ok(Self { ensemble, targets: prepared, encoded, interval })
    }

    /// Share of pairs that the intervals are made to hold, when the models were calibrated; see
    /// [`Ensemble::interval`] for what it promises.
    pub fn level(&self) -> Option<f64> {
        self.interval.map(|interval| interval.level)
    }

    /// Scores `compounds` against every target: rows in the order of the compounds, and for each
    /// compound in the order of the targets. `first` is the row number of the first compound, from 1.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back; a compound that cannot be scored
    /// is no error, its rows say why.
    pub fn score(&self, compounds: &[Compound], first: u64) -> Result<Vec<PredictionRow>, StepError> {
        let problems: Vec<Option<String>> = compounds
            .par_iter()
            .map(|compound| compound.problem.clone().or_else(|| unreadable(&compound.smiles)))
            .collect();
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut distinct: Vec<&str> = Vec::new();
        for (compound, problem) in compounds.iter().zip(&problems) {
            if problem.is_none() {
                place.entry(&compound.smiles).or_insert_with(|| {
                    distinct.push(&compound.smiles);
                    distinct.len() - 1
                });
            }
        }
        let scores = self.score_distinct(&distinct)?;
        let said: Vec<Vec<String>> = distinct.iter().map(|smiles| drug_remarks(self.ensemble.card(), smiles)).collect();
        let mut rows = Vec::with_capacity(compounds.len() * self.targets.len());
        for (at, (compound, problem)) in compounds.iter().zip(&problems).enumerate() {
            let index = place.get(compound.smiles.as_str()).filter(|_| problem.is_none()).copied();
            for (t, target) in self.targets.iter().enumerate() {
                // A compound without a problem always has a place among the distinct ones.
                let value = index.and_then(|i| scores.get(i * self.targets.len() + t)).copied().unwrap_or(f64::NAN);
                let said: &[String] = index.map_or(&[], |i| said[i].as_slice());
                let problem = problem.as_ref().or(target.problem.as_ref()).map(String::as_str);
                let problem = problem.or_else(|| (!value.is_finite()).then_some(NOT_A_NUMBER));
                let number = problem.is_none().then_some(value);
                let radius = self.interval.map(|interval| interval.radius);
                rows.push(PredictionRow {
                    row: first + at as u64,
                    id: compound.id.clone(),
                    smiles: compound.smiles.clone(),
                    target: target.id.clone(),
                    status: text(problem, said, &target.remarks),
                    prediction: number.map(|value| value as f32),
                    low: number.zip(radius).map(|(value, radius)| (value - radius) as f32),
                    high: number.zip(radius).map(|(value, radius)| (value + radius) as f32),
                });
            }
        }
        Ok(rows)
    }

    /// Ensemble means for each distinct SMILES × target.
    fn score_distinct(&self, smiles: &[&str]) -> Result<Vec<f64>, StepError> {
        let (n, targets) = (smiles.len(), self.targets.len());
        if n * targets == 0 {
            return Ok(Vec::new());
        }
        self.ensemble.mean(|m, model| {
            let (tokenizer, length) = (&model.card.tokenizers.drug, model.card.config.smiles_length);
            let labels: Vec<Vec<u8>> = smiles.iter().map(|s| tokenizer.encode(s, length).ids).collect();
            let strings: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
            let drugs = encode_all(&model.network, Side::Drug, &strings); // [smiles, channels]
            let mut scores = vec![0.0; n * targets];
            for t in 0..targets {
                let column = Tensor::<1, Int>::from_data(TensorData::new(vec![t as i64; n], [n]), &drugs.device());
                let target = self.encoded[m].clone().select(0, column); // [smiles, channels]
                let values = numbers(model.network.join(drugs.clone(), target, None))?;
                values.into_iter().enumerate().for_each(|(i, value)| scores[i * targets + t] = value);
            }
            Ok(scores)
        })
    }
}

/// What a row of [`Screen::score`] says of this drug and target: `ok`, `invalid: …`, or what of the
/// strings the model of `card` did not read, such as `truncated 85/120; target unknown residue 'J' at
/// 17`. Bytes, characters and residues count from 1. The SMILES is parsed each time.
pub fn status(card: &ModelCard, drug: &Drug, target: &Target) -> String {
    let target = Prepared::new(card, target);
    let problem = unreadable(&drug.smiles).or(target.problem);
    text(problem.as_deref(), &drug_remarks(card, &drug.smiles), &target.remarks)
}

/// Why a SMILES cannot be scored.
fn unreadable(smiles: &str) -> Option<String> {
    Molecule::parse(smiles).err().map(|e| e.to_string())
}

/// The status of a row.
fn text(problem: Option<&str>, drug: &[String], target: &[String]) -> String {
    let said: Vec<&str> = drug.iter().chain(target).map(String::as_str).collect();
    match problem {
        Some(problem) => format!("invalid: {problem}"),
        None if said.is_empty() => "ok".to_owned(),
        None => said.join("; "),
    }
}

fn drug_remarks(card: &ModelCard, smiles: &str) -> Vec<String> {
    let (tokenizer, length) = (&card.tokenizers.drug, card.config.smiles_length);
    remarks("", tokenizer.unit(), &tokenizer.encode(smiles, length), length)
}

/// What a user must know of a string that was scored all the same.
fn remarks(what: &str, unit: &str, encoded: &Encoded, length: usize) -> Vec<String> {
    let mut said = Vec::new();
    if encoded.truncated() {
        said.push(format!("{what}truncated {length}/{}", encoded.length));
    }
    if let Some((at, character)) = encoded.unknown.first() {
        let more =
            if encoded.unknown.len() > 1 { format!(" and {} more", encoded.unknown.len() - 1) } else { String::new() };
        said.push(format!("{what}unknown {unit} {character:?} at {}{more}", at + 1));
    }
    said
}
