//! The benchmark folders of `DeepDTA` (Öztürk et al. 2018, `data/davis` and `data/kiba`).
//!
//! ```text
//! ligands_can.txt, ligands_iso.txt   JSON object: id → SMILES; the order of the keys is the order of the matrix
//! proteins.txt                       JSON object: id → sequence; likewise
//! affinity.csv                       flat_index, drug_index, target_index and kd_nM, kiba_score or pkd, or else
//! affinities_Kd_raw.txt              drugs × targets, Kd in nmol/l, blank separated, nan where not measured, or else
//! Y                                  drugs × targets, pickled by Python 2 and numpy, NaN where not measured
//! folds/train_fold_setting1.txt      JSON list of lists: the training folds
//! folds/test_fold_setting1.txt       JSON list: the test fold
//! ```
//!
//! The folds hold positions in the list of measured pairs, drug by drug; that list is [`AffinityTable::pairs`].
//!
//! `Y` is what upstream distributes. A pickle is a program; it is not run, and one that is more than a matrix of
//! numbers is refused. It does not say what its numbers are: a matrix without NaN whose largest number is above 100 is
//! taken as Kd in nmol/l (Davis: 0.016 to 10,000, all measured), any other as scores (KIBA: 0 to 17.2, three quarters
//! NaN). Where that is wrong, write `affinity.csv`, whose columns are named.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::affinity::Unit;
use super::fasta::residues;
use super::smiles::header;
use super::text::{Line, Lines, column, split, too_long};
use super::{Input, IoError, RowError, numpy_pickle, open};
use crate::table::{AffinityTable, Drug, Pair, Quantity, Target};

/// Most bytes of one JSON file or of `Y`; KIBA's largest has 4 MB.
const MAX_BYTES: u64 = 256 << 20;

/// A `Y` without NaN that goes above this is Kd in nmol/l: KIBA scores end at 17.2, and in Davis what did not bind
/// stands as 10,000.
pub const KD_ABOVE: f64 = 100.0;

/// Largest difference between `pkd` and 9 − log10(`kd_nM`) that is rounding.
const PKD_TOLERANCE: f64 = 1e-6;

/// The published folds, as row numbers of [`AffinityTable::pairs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    /// The folds for training and validation.
    pub train: Vec<Vec<usize>>,
    /// The test fold.
    pub test: Vec<usize>,
}

/// Which SMILES of a ligand to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ligands {
    /// `ligands_can.txt`, without stereochemistry: what `DeepDTA` reads.
    #[default]
    Canonical,
    /// `ligands_iso.txt`, with stereochemistry.
    Isomeric,
}

impl Ligands {
    /// Name of the file in a benchmark folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Canonical => "ligands_can.txt",
            Self::Isomeric => "ligands_iso.txt",
        }
    }
}

/// Reads a benchmark folder with the SMILES that `DeepDTA` reads.
///
/// # Errors
/// As [`read_with`].
pub fn read(folder: &Path) -> Result<(AffinityTable, Folds), IoError> {
    read_with(folder, Ligands::default())
}

/// Reads a benchmark folder. Kd becomes pKd = 9 − log10(Kd in nmol/l).
///
/// # Errors
/// [`IoError`] naming the file and the place: a file that is absent or damaged, an index out of bounds, pairs out of
/// order, folds that overlap or do not cover the pairs. Rows are not passed over, because the folds count them.
pub fn read_with(folder: &Path, ligands: Ligands) -> Result<(AffinityTable, Folds), IoError> {
    let drugs = read_drugs(&folder.join(ligands.file()))?;
    let targets = read_targets(&folder.join("proteins.txt"))?;
    let (pairs, quantity) = read_pairs(folder, drugs.len(), targets.len())?;
    let folds = read_folds(&folder.join("folds"), pairs.len())?;
    Ok((AffinityTable { drugs, targets, pairs, quantity }, folds))
}

fn read_drugs(path: &Path) -> Result<Vec<Drug>, IoError> {
    let entries: Entries = json(path)?;
    let drug = |(id, smiles): (String, String)| match smiles.trim() {
        "" => Err(damaged(path, format!("the SMILES of {id} is empty"))),
        smiles => Ok(Drug { smiles: smiles.to_owned(), id }),
    };
    entries.0.into_iter().map(drug).collect()
}

fn read_targets(path: &Path) -> Result<Vec<Target>, IoError> {
    let entries: Entries = json(path)?;
    let target = |(id, sequence): (String, String)| match residues(sequence.as_bytes()) {
        Ok(sequence) => Ok(Target { id, sequence }),
        Err(problem) => Err(damaged(path, format!("{id}: {problem}"))),
    };
    entries.0.into_iter().map(target).collect()
}

fn read_pairs(folder: &Path, drugs: usize, targets: usize) -> Result<(Vec<Pair>, Quantity), IoError> {
    let [table, matrix, pickle] = ["affinity.csv", "affinities_Kd_raw.txt", "Y"].map(|name| folder.join(name));
    let (path, (pairs, quantity)) = if table.exists() {
        let found = pairs_of_table(open(&table)?, &table, drugs, targets)?;
        (table, found)
    } else if matrix.exists() {
        let found = (pairs_of_matrix(open(&matrix)?, &matrix, drugs, targets)?, Quantity::Pkd);
        (matrix, found)
    } else if pickle.exists() {
        let found = pairs_of_pickle(&pickle, drugs, targets)?;
        (pickle, found)
    } else {
        let problem = "neither affinity.csv nor affinities_Kd_raw.txt nor Y is there; is this a DeepDTA folder?";
        return Err(damaged(folder, problem.to_owned()));
    };
    if pairs.is_empty() { Err(IoError::Empty { path }) } else { Ok((pairs, quantity)) }
}

/// What the value columns of `affinity.csv` are.
#[derive(Clone, Copy)]
enum Values {
    /// Kd in nmol/l and, for a check, pKd.
    Kd { kd: usize, pkd: Option<usize> },
    /// pKd or a score, as it stands.
    Plain(usize),
}

fn pairs_of_table(
    reader: impl BufRead,
    path: &Path,
    drugs: usize,
    targets: usize,
) -> Result<(Vec<Pair>, Quantity), IoError> {
    let mut lines = Lines::new(reader);
    let header = header(&mut lines, path, ',')?;
    let at = |name: &str| column(&header, Some(name), &[]);
    let missing =
        |name: &str| IoError::Column { path: path.to_path_buf(), wanted: name.to_owned(), found: header.join(", ") };
    let needed = |name: &str| at(name).ok_or_else(|| missing(name));
    let (flat, drug, target) = (needed("flat_index")?, needed("drug_index")?, needed("target_index")?);
    let (values, quantity) = match (at("kd_nM"), at("kiba_score"), at("pkd")) {
        (Some(kd), _, pkd) => (Values::Kd { kd, pkd }, Quantity::Pkd),
        (None, Some(score), _) => (Values::Plain(score), Quantity::KibaScore),
        (None, None, Some(pkd)) => (Values::Plain(pkd), Quantity::Pkd),
        (None, None, None) => return Err(missing("kd_nM, kiba_score or pkd")),
    };
    let mut pairs: Vec<Pair> = Vec::new();
    while let Some(line) = next_line(&mut lines, path)? {
        let pair = split(&line, ',').map_err(str::to_owned).and_then(|fields| {
            if fields.len() != header.len() {
                return Err(format!("{} fields, but the header has {}", fields.len(), header.len()));
            }
            let position = whole(&fields[flat], "flat_index")?;
            if position != pairs.len() {
                return Err(format!("flat_index {position} where {} is due; the rows count from 0", pairs.len()));
            }
            let drug = below(&fields[drug], "drug_index", drugs)?;
            let target = below(&fields[target], "target_index", targets)?;
            Ok(Pair { drug, target, value: values.read(&fields)? })
        });
        let pair = pair.and_then(|pair| match pairs.last() {
            Some(last) if (last.drug, last.target) >= (pair.drug, pair.target) => Err(format!(
                "pair ({}, {}) after ({}, {}); the folds need the pairs drug by drug and each once",
                pair.drug, pair.target, last.drug, last.target
            )),
            _ => Ok(pair),
        });
        pairs.push(pair.map_err(|problem| row(path, lines.number(), problem))?);
    }
    Ok((pairs, quantity))
}

impl Values {
    fn read(self, fields: &[String]) -> Result<f32, String> {
        match self {
            Self::Plain(at) => Unit::AsIs.store(number(&fields[at])?),
            Self::Kd { kd, pkd } => {
                let kd = number(&fields[kd])?;
                let value = Unit::Nanomolar.store(kd)?;
                if let Some(stated) = pkd.map(|pkd| number(&fields[pkd])).transpose()? {
                    let computed = 9.0 - kd.log10();
                    if (stated - computed).abs() > PKD_TOLERANCE {
                        return Err(format!("pkd {stated} is not that of kd_nM {kd}, {computed}"));
                    }
                }
                Ok(value)
            }
        }
    }
}

fn pairs_of_matrix(reader: impl BufRead, path: &Path, drugs: usize, targets: usize) -> Result<Vec<Pair>, IoError> {
    let mut lines = Lines::new(reader);
    let mut pairs = Vec::new();
    let mut drug = 0;
    while let Some(line) = next_line(&mut lines, path)? {
        let refuse = |problem: String| row(path, lines.number(), problem);
        if drug == drugs {
            return Err(refuse(format!("more rows than the {drugs} ligands")));
        }
        let cells: Vec<&str> = line.split_whitespace().collect();
        if cells.len() != targets {
            return Err(refuse(format!("{} numbers, but there are {targets} proteins", cells.len())));
        }
        for (target, cell) in cells.into_iter().enumerate() {
            let stored =
                number(cell).and_then(|kd| if kd.is_nan() { Ok(None) } else { Unit::Nanomolar.store(kd).map(Some) });
            match stored {
                Ok(None) => {}
                Ok(Some(value)) => pairs.push(Pair { drug: drug as u32, target: target as u32, value }),
                Err(problem) => return Err(refuse(format!("number {}: {problem}", target + 1))),
            }
        }
        drug += 1;
    }
    if drug < drugs {
        return Err(damaged(path, format!("{drug} rows, but there are {drugs} ligands")));
    }
    Ok(pairs)
}

fn pairs_of_pickle(path: &Path, drugs: usize, targets: usize) -> Result<(Vec<Pair>, Quantity), IoError> {
    let matrix = numpy_pickle::read(&content(path)?).map_err(|problem| {
        let remedy = "do not open it in Python; fetch Y of DeepDTA anew, or write affinity.csv beside it with the \
                      columns flat_index, drug_index, target_index and kd_nM or kiba_score";
        damaged(path, format!("{problem}; {remedy}"))
    })?;
    if (matrix.rows, matrix.columns) != (drugs, targets) {
        let (rows, columns) = (matrix.rows, matrix.columns);
        let problem = format!("{rows} × {columns} numbers, but there are {drugs} ligands and {targets} proteins");
        return Err(damaged(path, problem));
    }
    let constants = !matrix.values.iter().any(|value| value.is_nan()) && matrix.values.iter().any(|&kd| kd > KD_ABOVE);
    let (unit, quantity) = if constants { (Unit::Nanomolar, Quantity::Pkd) } else { (Unit::AsIs, Quantity::KibaScore) };
    let mut pairs = Vec::new();
    for (at, value) in matrix.values.into_iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        let (drug, target) = (at / targets, at % targets);
        let refuse = |problem: String| damaged(path, format!("row {}, number {}: {problem}", drug + 1, target + 1));
        pairs.push(Pair { drug: drug as u32, target: target as u32, value: unit.store(value).map_err(refuse)? });
    }
    Ok((pairs, quantity))
}

fn read_folds(folder: &Path, pairs: usize) -> Result<Folds, IoError> {
    let (train_path, test_path) = (folder.join("train_fold_setting1.txt"), folder.join("test_fold_setting1.txt"));
    let train: Vec<Vec<usize>> = json(&train_path)?;
    let test: Vec<usize> = json(&test_path)?;
    let mut seen = vec![false; pairs];
    for (name, path, fold) in train
        .iter()
        .enumerate()
        .map(|(number, fold)| (format!("training fold {number}"), &train_path, fold))
        .chain([("the test fold".to_owned(), &test_path, &test)])
    {
        if fold.is_empty() {
            return Err(damaged(path, format!("{name} is empty")));
        }
        for &position in fold {
            match seen.get_mut(position) {
                None => return Err(damaged(path, format!("{name} names pair {position}, but there are {pairs}"))),
                Some(true) => {
                    return Err(damaged(path, format!("{name} names pair {position}, which is in a fold already")));
                }
                Some(used) => *used = true,
            }
        }
    }
    let covered = seen.iter().filter(|used| **used).count();
    if covered != pairs {
        return Err(damaged(folder, format!("the folds name {covered} of the {pairs} pairs; all are needed")));
    }
    Ok(Folds { train, test })
}

/// The members of a JSON object in file order; a name that stands twice is an error, not an overwrite.
struct Entries(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of names and strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if !names.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format!("{name} stands there twice")));
                    }
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, IoError> {
    serde_json::from_slice(&content(path)?)
        .map_err(|cause| damaged(path, format!("not the JSON that is expected: {cause}")))
}

/// A whole file, unless it is too long to be one of these.
fn content(path: &Path) -> Result<Vec<u8>, IoError> {
    let input: Input = open(path)?;
    let mut content = Vec::new();
    let length = input
        .take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|cause| IoError::Read { path: path.to_path_buf(), cause })?;
    if length as u64 > MAX_BYTES {
        return Err(damaged(path, format!("more than {MAX_BYTES} bytes")));
    }
    Ok(content)
}

/// The next line that is not blank.
fn next_line<R: BufRead>(lines: &mut Lines<R>, path: &Path) -> Result<Option<String>, IoError> {
    loop {
        let problem = match lines.advance().map_err(|cause| IoError::Read { path: path.to_path_buf(), cause })? {
            Line::End => return Ok(None),
            Line::TooLong(length) => too_long(length),
            Line::Text => match lines.text() {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => return Ok(Some(line.to_owned())),
                Err(problem) => problem,
            },
        };
        return Err(row(path, lines.number(), problem));
    }
}

fn number(field: &str) -> Result<f64, String> {
    field.trim().parse().map_err(|_| format!("{field:?} is not a number"))
}

fn whole(field: &str, name: &str) -> Result<usize, String> {
    field.trim().parse().map_err(|_| format!("{name} {field:?} is not a whole number"))
}

fn below(field: &str, name: &str, limit: usize) -> Result<u32, String> {
    let index = whole(field, name)?;
    if index < limit { Ok(index as u32) } else { Err(format!("{name} {index}, but there are {limit}")) }
}

fn row(path: &Path, number: u64, problem: String) -> IoError {
    IoError::Row { path: path.to_path_buf(), row: RowError::line(number, problem) }
}

fn damaged(path: &Path, problem: String) -> IoError {
    IoError::Format { path: PathBuf::from(path), problem }
}
