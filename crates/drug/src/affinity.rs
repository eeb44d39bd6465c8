//! From rows of an affinity table to predictions of a network and to its training objective.

use crate::systems::deepdta::{DeepDta, DeepDtaConfig, Side};
use crate::table::{AffinityTable, Pair};
use crate::tokens::{TokenReport, Tokenizer};
use burn::tensor::{Int, Tensor, TensorData};
use nn_core::config::ConfigError;
use nn_core::metrics::{self, MetricError};
use nn_core::train::{Objective, StepContext, StepError};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::Hash;

/// Strings encoded at once when there are many, which bounds the memory of the convolutions.
const STRINGS_AT_ONCE: usize = 128;
/// Pairs that pass the dense layers at once.
const PAIRS_AT_ONCE: usize = 4096;

/// How SMILES strings and protein sequences become labels; stored with every model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokenizers {
    /// For SMILES strings.
    pub drug: Tokenizer,
    /// For protein sequences.
    pub protein: Tokenizer,
}

impl Tokenizers {
    /// Checks that a network of these sizes has an embedding for each label, and none besides.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] with both numbers.
    pub fn check(&self, network: &DeepDtaConfig) -> Result<(), ConfigError> {
        for (field, found, tokenizer) in [
            ("smiles_vocabulary", network.smiles_vocabulary, &self.drug),
            ("protein_vocabulary", network.protein_vocabulary, &self.protein),
        ] {
            let (name, size) = (tokenizer.name(), tokenizer.size());
            if found != size {
                return Err(ConfigError::Conflict(format!(
                    "{field} = {found}, but the tokeniser ({name}) has {size} labels; set it to {size}"
                )));
            }
        }
        Ok(())
    }
}

/// The label sequences of a table's drugs and targets, unpadded and cut to the network's lengths.
#[derive(Debug, Clone)]
pub struct Entities {
    /// By drug index.
    pub drugs: Vec<Vec<u8>>,
    /// By target index.
    pub targets: Vec<Vec<u8>>,
    /// What was cut or not known in the SMILES strings.
    pub drug_report: TokenReport,
    /// What was cut or not known in the sequences.
    pub target_report: TokenReport,
}

impl Entities {
    /// Encodes every drug and target of `table`, cut to `[smiles_length, protein_length]`.
    pub fn new(table: &AffinityTable, tokenizers: &Tokenizers, [smiles_length, protein_length]: [usize; 2]) -> Self {
        let mut drug_report = TokenReport::default();
        let mut target_report = TokenReport::default();
        let encode = |tokenizer: &Tokenizer, text: &str, length, report: &mut TokenReport| {
            let encoded = tokenizer.encode(text, length);
            report.add(&encoded);
            encoded.ids
        };
        Self {
            drugs: table
                .drugs
                .iter()
                .map(|d| encode(&tokenizers.drug, &d.smiles, smiles_length, &mut drug_report))
                .collect(),
            targets: table
                .targets
                .iter()
                .map(|t| encode(&tokenizers.protein, &t.sequence, protein_length, &mut target_report))
                .collect(),
            drug_report,
            target_report,
        }
    }
}

/// The distinct values of a column in order of appearance, and for each row the place of its value.
pub(crate) fn distinct<T: Copy + Eq + Hash>(column: impl Iterator<Item = T>) -> (Vec<T>, Vec<i64>) {
    let mut place = HashMap::new();
    let mut values = Vec::new();
    let rows = column
        .map(|value| {
            *place.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() as i64 - 1
            })
        })
        .collect();
    (values, rows)
}

/// One side of pairs: the encodings of its distinct strings, and for each pair the row of its own. Two names of one string
/// share an encoding: 442 targets of Davis are 379 sequences.
fn one_side(
    model: &DeepDta,
    (side, strings): (Side, &[Vec<u8>]),
    column: impl Iterator<Item = u32>,
    encode: fn(&DeepDta, Side, &[&[u8]]) -> Tensor<2>,
) -> (Tensor<2>, Vec<i64>) {
    let (strings, rows) = distinct(column.map(|v| strings[v as usize].as_slice()));
    (encode(model, side, &strings), rows)
}

/// The encodings of both sides of pairs, and for each pair its rows of them.
type Sides = [(Tensor<2>, Vec<i64>); 2];

fn sides(
    model: &DeepDta,
    entities: &Entities,
    pairs: &[Pair],
    encode: fn(&DeepDta, Side, &[&[u8]]) -> Tensor<2>,
) -> Sides {
    let (drugs, proteins) = (pairs.iter().map(|p| p.drug), pairs.iter().map(|p| p.target));
    [
        one_side(model, (Side::Drug, &entities.drugs), drugs, encode),
        one_side(model, (Side::Protein, &entities.targets), proteins, encode),
    ]
}

/// The rows of `encoded` that are named, `[rows, channels]`.
fn pick(encoded: &Tensor<2>, rows: &[i64]) -> Tensor<2> {
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows.to_vec(), [rows.len()]), &encoded.device());
    encoded.clone().select(0, rows)
}

/// Predictions for `pairs`, at least one; each distinct string of the batch is encoded once.
///
/// # Shapes
/// - output `[pairs]`
pub fn forward(model: &DeepDta, entities: &Entities, pairs: &[Pair], rng: Option<&mut ChaCha8Rng>) -> Tensor<1> {
    let [(drugs, d), (targets, t)] = sides(model, entities, pairs, DeepDta::encode);
    model.join(pick(&drugs, &d), pick(&targets, &t), rng)
}

/// The encodings of many strings, `STRINGS_AT_ONCE` at a time; of none, an empty tensor.
///
/// # Shapes
/// - output `[strings, channels]`
pub fn encode_all(model: &DeepDta, side: Side, strings: &[&[u8]]) -> Tensor<2> {
    if strings.is_empty() {
        return model.encode(side, strings);
    }
    Tensor::cat(strings.chunks(STRINGS_AT_ONCE).map(|chunk| model.encode(side, chunk)).collect(), 0)
}

/// Predictions for any number of pairs, each distinct string encoded once in all.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub fn predict(model: &DeepDta, entities: &Entities, pairs: &[Pair]) -> Result<Vec<f64>, StepError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let [(drugs, drug_rows), (targets, target_rows)] = sides(model, entities, pairs, encode_all);
    let mut out = Vec::with_capacity(pairs.len());
    for (d, t) in drug_rows.chunks(PAIRS_AT_ONCE).zip(target_rows.chunks(PAIRS_AT_ONCE)) {
        out.extend(numbers(model.join(pick(&drugs, d), pick(&targets, t), None))?);
    }
    Ok(out)
}

/// The values of a vector on the device, as `f64`.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub fn numbers(x: Tensor<1>) -> Result<Vec<f64>, StepError> {
    let values =
        x.try_into_vec_as::<f32>().map_err(|e| StepError::Device { what: "predictions", reason: e.to_string() })?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// Mean squared error on the training rows; mean squared error and concordance index on the rows
/// that decide when to stop.
#[derive(Debug)]
pub struct AffinityObjective<'a> {
    /// Label sequences.
    pub entities: &'a Entities,
    /// All rows of the table.
    pub pairs: &'a [Pair],
    /// The rows that [`Objective::validate`] scores.
    pub monitored: &'a [usize],
}

impl AffinityObjective<'_> {
    fn rows(&self, rows: &[usize]) -> Vec<Pair> {
        rows.iter().map(|&row| self.pairs[row]).collect()
    }
}

/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;

impl Objective for AffinityObjective<'_> {
    type Model = DeepDta;

    fn loss(&self, model: &DeepDta, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let pairs = self.rows(rows);
        let predicted = forward(model, self.entities, &pairs, Some(&mut context.rng(DROPOUT)));
        Ok(squared_error(predicted, &pairs))
    }

    fn validate(&self, model: &DeepDta) -> Result<Vec<(String, f64)>, StepError> {
        let pairs = self.rows(self.monitored);
        let predicted = predict(model, self.entities, &pairs)?;
        Ok(regression_scores(&pairs, &predicted)?)
    }

    fn losses(&self, model: &DeepDta, rows: &[usize], context: &StepContext) -> Result<Option<Tensor<1>>, StepError> {
        let pairs = self.rows(rows);
        let predicted = forward(model, self.entities, &pairs, Some(&mut context.rng(DROPOUT)));
        Ok(Some(squared_errors(predicted, &pairs)))
    }
}

/// Mean of the squared differences to the measured values, `[1]`.
pub fn squared_error(predicted: Tensor<1>, pairs: &[Pair]) -> Tensor<1> {
    squared_errors(predicted, pairs).mean()
}

/// Squared difference of each prediction to the measured value, `[pairs]`.
pub(crate) fn squared_errors(predicted: Tensor<1>, pairs: &[Pair]) -> Tensor<1> {
    let measured: Vec<f32> = pairs.iter().map(|p| p.value).collect();
    let measured = Tensor::<1>::from_data(TensorData::new(measured, [pairs.len()]), &predicted.device());
    (predicted - measured).powi_scalar(2)
}

/// The two numbers that training watches, by name: `mse`, and `ci` where the labels differ, because
/// a concordance index of equal labels has no value.
///
/// # Errors
/// [`MetricError`] for no rows, or a prediction that is not a number.
pub fn regression_scores(pairs: &[Pair], predicted: &[f64]) -> Result<Vec<(String, f64)>, MetricError> {
    let measured: Vec<f64> = pairs.iter().map(|p| f64::from(p.value)).collect();
    let mut scores = vec![("mse".to_owned(), metrics::mse(&measured, predicted)?)];
    match metrics::concordance_index(&measured, predicted) {
        Ok(ci) => scores.push(("ci".to_owned(), ci)),
        Err(MetricError::Undefined { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_a_string_share_its_encoding() {
        let strings = [vec![1_u8, 2], vec![3], vec![1, 2]];
        let network = DeepDtaConfig { smiles_length: 30, protein_length: 40, ..DeepDtaConfig::default() };
        let device = nn_core::compute::device("cpu").unwrap();
        let model = network.init(&device, &mut nn_core::data::rng(1, &[])).unwrap();
        let column = [2, 1, 0, 2].into_iter();
        let (encoded, rows) = one_side(&model, (Side::Drug, &strings), column, encode_all);
        assert_eq!((encoded.dims()[0], rows), (2, vec![0, 1, 0, 0]));
    }

    #[test]
    fn equal_labels_have_an_error_and_no_ranking() {
        let pair = |value| Pair { drug: 0, target: 0, value };
        let scores = regression_scores(&[pair(5.0), pair(5.0)], &[4.0, 6.0]).unwrap();
        assert_eq!(scores, [("mse".to_owned(), 1.0)]);
        let scores = regression_scores(&[pair(5.0), pair(6.0)], &[4.0, 6.0]).unwrap();
        assert_eq!(scores[1], ("ci".to_owned(), 1.0));
        assert!(regression_scores(&[pair(5.0)], &[f64::NAN]).is_err());
    }
}
