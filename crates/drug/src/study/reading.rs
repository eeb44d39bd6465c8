//! How the strings of a study's table become labels, for each of its models.

use super::{Plan, StudyConfig, StudyError};
use crate::affinity::{Entities, Tokenizers};
use crate::systems::deepdta::DeepDtaConfig;
use crate::table::AffinityTable;
use crate::tokens::{TokenError, Tokenizer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Occurrences in the training strings that put a token into a fitted vocabulary. Rarer ones are read as unknown, so
/// that the label which the tokens of new molecules will get is trained as well.
const OCCURRENCES: usize = 2;

/// What SMILES strings are cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// Characters, by DeepDTA's table: `Cl` is two.
    DeepDta,
    /// Atoms, brackets and ring numbers ([`Tokenizer::fit_chemistry`]). The vocabulary of each model is fitted on the
    /// drugs of the rows that it learns from, and on no others: not on those of the test part, nor on those of the fold
    /// that decides when it stops and measures its interval. The vocabularies of a study's models may differ therefore.
    Chemistry,
}

/// How a model reads the table.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) tokenizers: Tokenizers,
    /// The strings of the table by these tokenisers.
    pub(super) entities: Entities,
    /// The network's sizes, with an embedding for each label.
    pub(super) network: DeepDtaConfig,
}

impl Reading {
    fn new(table: &AffinityTable, drug: Tokenizer, network: DeepDtaConfig) -> Result<Self, StudyError> {
        let tokenizers = Tokenizers { drug, protein: Tokenizer::deepdta_protein() };
        tokenizers.check(&network)?;
        let entities = Entities::new(table, &tokenizers, [network.smiles_length, network.protein_length]);
        Ok(Self { tokenizers, entities, network })
    }
}

/// The one reading that all models share, or one for each; at least one.
pub(super) fn readings(table: &AffinityTable, plan: &Plan, config: &StudyConfig) -> Result<Vec<Reading>, StudyError> {
    let network = &config.network;
    match config.tokenizer {
        TokenizerKind::DeepDta => Ok(vec![Reading::new(table, Tokenizer::deepdta_smiles(), network.clone())?]),
        TokenizerKind::Chemistry => (0..config.models)
            .map(|i| {
                let drug = fitted(table, &plan.split(i).train)?;
                let network = DeepDtaConfig { smiles_vocabulary: drug.size(), ..network.clone() };
                Reading::new(table, drug, network)
            })
            .collect(),
    }
}

/// A vocabulary of the drugs of `rows`, each string counted once however many rows it has.
fn fitted(table: &AffinityTable, rows: &[usize]) -> Result<Tokenizer, TokenError> {
    let drugs: BTreeSet<u32> = rows.iter().map(|&row| table.pairs[row].drug).collect();
    let smiles: BTreeSet<&str> = drugs.into_iter().map(|drug| table.drugs[drug as usize].smiles.as_str()).collect();
    Tokenizer::fit_chemistry(smiles, OCCURRENCES)
}
