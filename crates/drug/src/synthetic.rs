//! Generated affinity data with a known truth, for the demo and for tests.
//!
//! The molecules are drugs that are or were approved (`synthetic/molecules.tsv`) and, when more are asked for, analogues
//! made by hanging listed substituents on listed scaffolds. The proteins are random sequences of natural composition with
//! one or two conserved motifs planted in them. The affinities are invented:
//!
//! ```text
//! pKd = 6.5 + a[class of the drug] + sum over the protein's motifs m of (b[m] + W[class][m]) + noise
//! ```
//!
//! `a`, `b` and every row and column of `W` sum to zero, and classes and motifs occur equally often. Most of the
//! variance is in `W`, lock and key: a class fits one motif and not the others. So the mean of a drug or of a target
//! says little, a factorisation of the identifiers says nothing of a drug that it has not seen, and a model has to read
//! both strings. `a` and `b` are there because a rule without any main effect gives a network no first step to learn.
//!
//! ```
//! use drug::synthetic::{SyntheticConfig, affinity_table};
//! let (table, truth) = affinity_table(&SyntheticConfig { noise: 0.0, ..SyntheticConfig::default() })?;
//! let pair = table.pairs[0];
//! assert!((f64::from(pair.value) - truth.value(pair.drug, pair.target)).abs() < 1e-5);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use crate::table::{AffinityTable, Drug, Pair, Quantity, Target};
use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Name and SMILES of approved drugs, each with the pharmacophore of exactly one [`Class`].
const MOLECULES: &str = include_str!("synthetic/molecules.tsv");

/// Affinity before any effect, in pKd: between a hit and a lead.
const BASE: f64 = 6.5;
/// What the class alone adds, by class.
const DRUG_EFFECT: [f64; CLASSES] = [0.7, -0.7, 0.35, -0.35];
/// What a motif alone adds, by motif.
const MOTIF_EFFECT: [f64; MOTIFS.len()] = [0.7, 0.35, -0.35, -0.7];
/// First row of the circulant interaction matrix `W[class][motif]`: the class fits motif 0 and repels motif 2.
const LOCK: [f64; MOTIFS.len()] = [2.0, -0.4, -1.0, -0.6];

/// Conserved motifs of four protein families: the catalytic loop of kinases, the zinc site of matrix
/// metalloproteinases, the active site of chymotrypsin-like proteases, `NPxxY` of class A receptors.
pub const MOTIFS: [&str; 4] = ["HRDLKPEN", "HELGHSLG", "GDSGGPLV", "NPLIYAFL"];
/// Residues of a motif; all are of this length.
const MOTIF_LENGTH: usize = 8;
/// Pairs of motifs in an order in which any even number of them uses each motif equally often.
const MOTIF_PAIRS: [[usize; 2]; 6] = [[0, 1], [2, 3], [0, 2], [1, 3], [0, 3], [1, 2]];

/// Residues with their frequency in UniProtKB/Swiss-Prot, per 10,000 (release statistics, amino-acid composition).
const COMPOSITION: [(u8, u32); 20] = [
    (b'A', 825),
    (b'R', 553),
    (b'N', 406),
    (b'D', 546),
    (b'C', 138),
    (b'Q', 393),
    (b'E', 672),
    (b'G', 707),
    (b'H', 227),
    (b'I', 591),
    (b'L', 965),
    (b'K', 580),
    (b'M', 241),
    (b'F', 386),
    (b'P', 474),
    (b'S', 665),
    (b'T', 536),
    (b'W', 110),
    (b'Y', 292),
    (b'V', 686),
];

/// Where `{R}` stands, an analogue carries its substituent; no scaffold has a pharmacophore of its own.
const SCAFFOLDS: [&str; 24] = [
    "CN1CCN(CC1)c1ccc({R})cc1",
    "CN(C)CCOc1ccc({R})cc1",
    "CC(C)NCC(O)COc1ccc({R})cc1",
    "COc1cc({R})ccc1OC",
    "CC(=O)Nc1ccc({R})cc1",
    "c1ccc(cc1)Oc1ccc({R})cc1",
    "c1ccc(cc1)C(=O)c1ccc({R})cc1",
    "CCN(CC)C(=O)c1ccc({R})cc1",
    "c1cnc2ccc({R})cc2c1",
    "Cc1c[nH]c2ccc({R})cc12",
    "Cn1cnc2cc({R})ccc12",
    "C1CCN(CC1)Cc1ccc({R})cc1",
    "C1COCCN1c1ccc({R})cc1",
    "O=C1CCCN1c1ccc({R})cc1",
    "c1ccc(nc1)Nc1ccc({R})cc1",
    "c1cc(cnc1)CNc1ccc({R})cc1",
    "CC(C)(C)c1ccc({R})cc1",
    "N#Cc1ccc({R})cc1",
    "Cc1cc({R})nc(C)n1",
    "c1ccc(cc1)-c1cc({R})on1",
    "CCOc1ccc2cc({R})ccc2c1",
    "CCCOc1ccc({R})cc1",
    "c1ccc(cc1)CNC(=O)c1ccc({R})cc1",
    "CC1CCN(CC1)c1ccc({R})nc1",
];
/// Substituents by class. Ring closures are labelled 8, which no scaffold uses.
const SUBSTITUENTS: [[&str; 6]; CLASSES] = [
    ["S(=O)(=O)N", "S(=O)(=O)NC", "S(=O)(=O)C", "NS(=O)(=O)C", "S(=O)(=O)N(C)C", "CS(=O)(=O)C"],
    ["C(=O)O", "CC(=O)O", "CCC(=O)O", "OCC(=O)O", "C(C)C(=O)O", "OC(C)(C)C(=O)O"],
    ["Cl", "CCCl", "Oc8ccc(Cl)cc8", "Cc8ccc(Cl)cc8", "NC(=O)CCl", "c8ccccc8Cl"],
    ["F", "C(F)(F)F", "OC(F)(F)F", "OCC(F)(F)F", "c8ccc(F)cc8", "C(F)F"],
];

/// What a molecule binds with; decided by the text of its SMILES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A sulfone or sulfonamide, `S(=O)(=O)`.
    Sulfonyl,
    /// A carboxylic acid, `C(=O)O` at the end of the string or of a branch.
    Carboxyl,
    /// A chlorine atom.
    Chloro,
    /// A fluorine atom.
    Fluoro,
}

/// Number of classes.
const CLASSES: usize = Class::ALL.len();

impl Class {
    /// All classes, in the order of the effects and of `W`'s rows.
    pub const ALL: [Self; 4] = [Self::Sulfonyl, Self::Carboxyl, Self::Chloro, Self::Fluoro];

    /// The class of a molecule, or `None` when its SMILES has the pharmacophore of none or of several.
    pub fn of(smiles: &str) -> Option<Self> {
        let mut found = Self::ALL.into_iter().filter(|class| !class.spans(smiles).is_empty());
        match (found.next(), found.next()) {
            (Some(class), None) => Some(class),
            _ => None,
        }
    }

    /// Byte ranges of the pharmacophore in `smiles`, in order.
    pub fn spans(self, smiles: &str) -> Vec<Range<usize>> {
        let pattern = match self {
            Self::Sulfonyl => "S(=O)(=O)",
            Self::Carboxyl => "C(=O)O",
            Self::Chloro => "Cl",
            Self::Fluoro => "F",
        };
        smiles
            .match_indices(pattern)
            .map(|(start, text)| start..start + text.len())
            // An ester goes on behind its oxygen, an acid ends there.
            .filter(|span| self != Self::Carboxyl || matches!(smiles.as_bytes().get(span.end), None | Some(b')')))
            .collect()
    }
}

/// What to generate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Molecules; a multiple of 4 makes the classes exactly equally frequent. Up to 156 all are approved drugs.
    pub drugs: usize,
    /// Proteins; a multiple of 8 makes the motifs exactly equally frequent.
    pub targets: usize,
    /// Length of the shortest protein, in residues.
    pub shortest: usize,
    /// Length of the longest protein, in residues.
    pub longest: usize,
    /// Standard deviation of the noise, in pKd.
    pub noise: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self { drugs: 156, targets: 96, shortest: 60, longest: 120, noise: 0.1, seed: 1 }
    }
}

impl SyntheticConfig {
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let per_class = Class::ALL.map(|class| molecules(class).len()).into_iter().min().unwrap_or_default();
        in_range("drugs", self.drugs, CLASSES..=CLASSES * per_class)?;
        in_range("targets", self.targets, 2..=100_000)?;
        in_range("shortest", self.shortest, 4 * MOTIF_LENGTH..=100_000)?;
        in_range("longest", self.longest, self.shortest..=100_000)?;
        in_range("noise", self.noise, 0.0..=10.0)
    }
}

/// A motif in a protein.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Index into [`MOTIFS`].
    pub motif: usize,
    /// Its residues, counted from 0.
    pub span: Range<usize>,
}

/// What the generated affinities were made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Class of each drug of the table.
    pub classes: Vec<Class>,
    /// Motifs of each target of the table, from the N-terminus on.
    pub motifs: Vec<Vec<Planted>>,
}

impl Truth {
    /// The affinity of a pair without noise, in pKd.
    ///
    /// # Panics
    /// If `drug` or `target` is no index into the table.
    pub fn value(&self, drug: u32, target: u32) -> f64 {
        let class = self.classes[drug as usize];
        let motifs = self.motifs[target as usize].iter();
        BASE + DRUG_EFFECT[class as usize]
            + motifs.map(|p| MOTIF_EFFECT[p.motif] + interaction(class, p.motif)).sum::<f64>()
    }
}

/// How much better a class binds a motif than the two effects alone say, in pKd: `W[class][motif]`.
///
/// # Panics
/// If `motif` is no index into [`MOTIFS`].
pub fn interaction(class: Class, motif: usize) -> f64 {
    LOCK[(motif + LOCK.len() - class as usize) % LOCK.len()]
}

/// Generates every pair of `config.drugs` molecules and `config.targets` proteins, drug by drug, and what is true of them.
///
/// # Errors
/// What [`SyntheticConfig::validate`] finds.
pub fn affinity_table(config: &SyntheticConfig) -> Result<(AffinityTable, Truth), ConfigError> {
    config.validate()?;
    let (drugs, classes) = drugs(config);
    let (targets, motifs) = targets(config);
    let truth = Truth { classes, motifs };
    let mut noise = rng(config.seed, &[3]);
    let mut pairs = Vec::with_capacity(drugs.len() * targets.len());
    for drug in 0..drugs.len() as u32 {
        for target in 0..targets.len() as u32 {
            let value = truth.value(drug, target) + config.noise * standard_normal(&mut noise);
            pairs.push(Pair { drug, target, value: value as f32 });
        }
    }
    Ok((AffinityTable { drugs, targets, pairs, quantity: Quantity::Pkd }, truth))
}

/// Every molecule there is of a class: first the approved drugs, then the analogues.
fn molecules(class: Class) -> Vec<Drug> {
    let approved = MOLECULES
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, smiles)| Class::of(smiles) == Some(class))
        .map(|(name, smiles)| Drug { id: name.to_owned(), smiles: smiles.to_owned() });
    let analogues = SCAFFOLDS.iter().enumerate().flat_map(|(s, scaffold)| {
        SUBSTITUENTS[class as usize].iter().enumerate().map(move |(r, substituent)| Drug {
            id: format!("analogue {}-{class:?}-{}", s + 1, r + 1),
            smiles: scaffold.replace("{R}", substituent),
        })
    });
    approved.chain(analogues).collect()
}

/// Drugs of the classes in turn, so that each class has as many as the others or one more.
fn drugs(config: &SyntheticConfig) -> (Vec<Drug>, Vec<Class>) {
    let mut draw = rng(config.seed, &[1]);
    let mut pools = Class::ALL.map(|class| {
        let mut pool = molecules(class);
        let approved = pool.iter().take_while(|drug| !drug.id.starts_with("analogue ")).count();
        pool[..approved].shuffle(&mut draw);
        pool[approved..].shuffle(&mut draw);
        pool.into_iter()
    });
    (0..config.drugs)
        .filter_map(|i| {
            let class = Class::ALL[i % CLASSES];
            pools[i % CLASSES].next().map(|drug| (drug, class))
        })
        .unzip()
}

/// Proteins with one motif and with two in turn.
fn targets(config: &SyntheticConfig) -> (Vec<Target>, Vec<Vec<Planted>>) {
    let mut draw = rng(config.seed, &[2]);
    (0..config.targets)
        .map(|i| {
            let mut motifs = if i % 2 == 0 {
                vec![(i / 2) % MOTIFS.len()]
            } else {
                MOTIF_PAIRS[(i / 2) % MOTIF_PAIRS.len()].to_vec()
            };
            motifs.shuffle(&mut draw);
            let length = draw.random_range(config.shortest..=config.longest);
            let mut residues: Vec<u8> = (0..length).map(|_| residue(&mut draw)).collect();
            let share = length / motifs.len();
            let mut planted = Vec::with_capacity(motifs.len());
            for (part, &motif) in motifs.iter().enumerate() {
                let start = part * share + draw.random_range(0..=share - MOTIF_LENGTH);
                let span = start..start + MOTIF_LENGTH;
                residues[span.clone()].copy_from_slice(MOTIFS[motif].as_bytes());
                planted.push(Planted { motif, span });
            }
            let sequence = residues.into_iter().map(char::from).collect();
            (Target { id: format!("protein {}", i + 1), sequence }, planted)
        })
        .unzip()
}

/// A residue drawn by [`COMPOSITION`].
fn residue(draw: &mut ChaCha8Rng) -> u8 {
    let total: u32 = COMPOSITION.iter().map(|(_, weight)| weight).sum();
    let mut left = draw.random_range(0..total);
    for (residue, weight) in COMPOSITION {
        if left < weight {
            return residue;
        }
        left -= weight;
    }
    COMPOSITION[0].0
}

#[cfg(test)]
mod tests;
