//! Scoring of compound lists against targets: one output row for each input row, in order.

use crate::affinity::{encode_all, numbers};
use crate::chem::Molecule;
use crate::io::parquet::PredictionRow;
use crate::model::AffinityModel;
use crate::systems::deepdta::Side;
use crate::table::Target;
use crate::tokens::Encoded;
use burn::tensor::{Int, Tensor, TensorData};
use nn_core::train::StepError;
use rayon::prelude::*;
use std::collections::HashMap;

/// A compound to score, or the reason why its row of the input has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compound {
    /// Identifier of the input, or its row number.
    pub id: String,
    /// SMILES as written in the input.
    pub smiles: String,
    /// Why the row could not be read, where it could not.
    pub problem: Option<String>,
}

/// A target with its labels for each model and what is to be said of it in every row.
struct Prepared {
    id: String,
    remarks: Vec<String>,
    problem: Option<String>,
}

/// An ensemble of models with the targets' encodings computed once.
pub struct Screen {
    models: Vec<AffinityModel>,
    targets: Vec<Prepared>,
    /// For each model `[targets, channels]`.
    encoded: Vec<Tensor<2>>,
    /// Half width of the interval and what share of pairs it was made to hold.
    interval: Option<(f64, f64)>,
}

impl Screen {
    /// Encodes `targets` with each of `models`; a target without residues gets a row status instead.
    pub fn new(models: Vec<AffinityModel>, targets: &[Target]) -> Self {
        let mut prepared = Vec::with_capacity(targets.len());
        let encoded = models
            .iter()
            .enumerate()
            .map(|(m, model)| {
                let config = &model.card.config;
                let labels: Vec<Encoded> = targets
                    .iter()
                    .map(|t| model.card.tokenizers.protein.encode(&t.sequence, config.protein_length))
                    .collect();
                if m == 0 {
                    prepared = targets.iter().zip(&labels).map(|(t, e)| prepare(t, e, config.protein_length)).collect();
                }
                let strings: Vec<&[u8]> = labels.iter().map(|e| e.ids.as_slice()).collect();
                encode_all(&model.network, Side::Protein, &strings)
            })
            .collect();
        // The ensemble's mean is at least as close as its members are on average, so the mean of
        // their radii errs on the wide side.
        let radii: Vec<_> = models.iter().filter_map(|m| m.card.calibration).collect();
        let interval = (!radii.is_empty() && radii.len() == models.len()).then(|| {
            let mean = radii.iter().map(|c| c.radius).sum::<f64>() / radii.len() as f64;
            (mean, radii[0].level)
        });
        Self { models, targets: prepared, encoded, interval }
    }

    /// Share of pairs that the intervals are made to hold, when the models were calibrated.
    pub fn level(&self) -> Option<f64> {
        self.interval.map(|(_, level)| level)
    }

    /// Scores `compounds` against every target: rows in the order of the compounds, and for each
    /// compound in the order of the targets. `first` is the row number of the first compound, from 1.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back; a compound that cannot be scored
    /// is no error, its rows say why.
    pub fn score(&self, compounds: &[Compound], first: u64) -> Result<Vec<PredictionRow>, StepError> {
        let problems: Vec<Option<String>> = compounds.par_iter().map(problem).collect();
        let mut place: HashMap<&str, i64> = HashMap::new();
        let mut distinct: Vec<&str> = Vec::new();
        for (compound, problem) in compounds.iter().zip(&problems) {
            if problem.is_none() {
                place.entry(&compound.smiles).or_insert_with(|| {
                    distinct.push(&compound.smiles);
                    distinct.len() as i64 - 1
                });
            }
        }
        let (scores, remarks) = self.score_distinct(&distinct)?;
        let mut rows = Vec::with_capacity(compounds.len() * self.targets.len());
        for (at, (compound, problem)) in compounds.iter().zip(problems).enumerate() {
            let index = place.get(compound.smiles.as_str()).filter(|_| problem.is_none()).map(|&i| i as usize);
            for (t, target) in self.targets.iter().enumerate() {
                let mut row = PredictionRow {
                    row: first + at as u64,
                    id: compound.id.clone(),
                    smiles: compound.smiles.clone(),
                    target: target.id.clone(),
                    status: String::new(),
                    prediction: None,
                    low: None,
                    high: None,
                };
                match (&problem, &target.problem, index) {
                    (Some(problem), _, _) | (None, Some(problem), _) => row.status = format!("invalid: {problem}"),
                    (None, None, Some(i)) => {
                        let value = scores[i * self.targets.len() + t];
                        row.prediction = Some(value as f32);
                        row.low = self.interval.map(|(radius, _)| (value - radius) as f32);
                        row.high = self.interval.map(|(radius, _)| (value + radius) as f32);
                        let said: Vec<&str> = remarks[i].iter().chain(&target.remarks).map(String::as_str).collect();
                        row.status = if said.is_empty() { "ok".to_owned() } else { said.join("; ") };
                    }
                    // A compound without a problem always has a place among the distinct ones.
                    (None, None, None) => "invalid: not scored".clone_into(&mut row.status),
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Ensemble means for each distinct SMILES × target, and the remarks on each SMILES.
    fn score_distinct(&self, smiles: &[&str]) -> Result<(Vec<f64>, Vec<Vec<String>>), StepError> {
        let mut sums = vec![0.0; smiles.len() * self.targets.len()];
        let mut said = vec![Vec::new(); smiles.len()];
        if sums.is_empty() {
            return Ok((sums, said));
        }
        for (m, (model, targets)) in self.models.iter().zip(&self.encoded).enumerate() {
            let length = model.card.config.smiles_length;
            let labels: Vec<Encoded> = smiles.iter().map(|s| model.card.tokenizers.drug.encode(s, length)).collect();
            if m == 0 {
                said = labels.iter().map(|e| remarks("", e, length)).collect();
            }
            let strings: Vec<&[u8]> = labels.iter().map(|e| e.ids.as_slice()).collect();
            let drugs = encode_all(&model.network, Side::Drug, &strings); // [smiles, channels]
            for t in 0..self.targets.len() {
                let column = Tensor::<1, Int>::from_data(
                    TensorData::new(vec![t as i64; smiles.len()], [smiles.len()]),
                    &drugs.device(),
                );
                let scores = numbers(model.network.join(drugs.clone(), targets.clone().select(0, column), None))?;
                scores.iter().enumerate().for_each(|(i, s)| sums[i * self.targets.len() + t] += s);
            }
        }
        let n = self.models.len().max(1) as f64;
        sums.iter_mut().for_each(|s| *s /= n);
        Ok((sums, said))
    }
}

/// What keeps a compound from being scored.
fn problem(compound: &Compound) -> Option<String> {
    compound.problem.clone().or_else(|| Molecule::parse(&compound.smiles).err().map(|e| e.to_string()))
}

fn prepare(target: &Target, encoded: &Encoded, length: usize) -> Prepared {
    let problem = target.sequence.is_empty().then(|| format!("target {} has no residues", target.id));
    Prepared { id: target.id.clone(), remarks: remarks("target ", encoded, length), problem }
}

/// What a user must know of a string that was scored all the same.
fn remarks(what: &str, encoded: &Encoded, length: usize) -> Vec<String> {
    let mut said = Vec::new();
    if encoded.length > length {
        said.push(format!("{what}truncated {length}/{}", encoded.length));
    }
    if let Some((at, character)) = encoded.unknown.first() {
        let thing = if what.is_empty() { "character" } else { "residue" };
        let more =
            if encoded.unknown.len() > 1 { format!(" and {} more", encoded.unknown.len() - 1) } else { String::new() };
        said.push(format!("unknown {thing} {character:?} at {}{more}", at + 1));
    }
    said
}
