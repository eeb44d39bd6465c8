//! The affinity table: drugs, targets, and the measured pairs between them.

use serde::{Deserialize, Serialize};

/// A small molecule as its source file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drug {
    /// Identifier of the source (PubChem CID, ChEMBL id, row number).
    pub id: String,
    /// SMILES, not canonicalised.
    pub smiles: String,
}

/// A protein as its source file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Identifier of the source (gene name, UniProt accession, FASTA name).
    pub id: String,
    /// Amino-acid sequence in one-letter code.
    pub sequence: String,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Index into [`AffinityTable::drugs`].
    pub drug: u32,
    /// Index into [`AffinityTable::targets`].
    pub target: u32,
    /// Affinity in the units of [`AffinityTable::quantity`]; larger binds tighter.
    pub value: f32,
}

/// What the values of a table measure. All are oriented so that larger binds tighter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// pKd = 9 − log10(Kd in nM), that is −log10 of Kd in mol/l.
    Pkd,
    /// The KIBA score of Tang et al. 2014 as DeepDTA distributes it (0 to about 17).
    KibaScore,
    /// Any other number, by the name of its column.
    Other(String),
}

impl Quantity {
    /// Name with unit, as axis labels and table heads print it.
    pub fn label(&self) -> &str {
        match self {
            Self::Pkd => "pKd",
            Self::KibaScore => "KIBA score",
            Self::Other(name) => name,
        }
    }
}

/// Drugs, targets and the pairs measured between them, in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct AffinityTable {
    /// Drugs, in file order.
    pub drugs: Vec<Drug>,
    /// Targets, in file order.
    pub targets: Vec<Target>,
    /// Measured pairs, in file order; a row index everywhere in this crate points here.
    pub pairs: Vec<Pair>,
    /// What the values measure.
    pub quantity: Quantity,
}

impl AffinityTable {
    /// The measured values of `rows`, in that order.
    pub fn values(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|&row| f64::from(self.pairs[row].value)).collect()
    }

    /// What messages call a row: its drug × its target.
    pub fn name_of(&self, row: usize) -> String {
        let Pair { drug, target, .. } = self.pairs[row];
        format!("{} × {}", self.drugs[drug as usize].id, self.targets[target as usize].id)
    }
}
