//! Tables of measured pairs: a molecule, a protein and a number in each row.
//!
//! Columns are found by the names that the common sources use:
//!
//! | source | drug id | SMILES | target id | sequence | value |
//! |---|---|---|---|---|---|
//! | TDC | `Drug_ID` | `Drug` | `Target_ID` | `Target` | `Y` |
//! | `DrugBAN` | | `SMILES` | | `Protein` | `Y` |
//! | `GraphDTA` | | `compound_iso_smiles` | | `target_sequence` | `affinity` |
//!
//! or as [`AffinityOptions`] says. A `.txt` file without a header is read as `SMILES SEQUENCE label` (`DeepPurpose`,
//! `TransformerCPI`). The file is read as a stream and each molecule and sequence kept once. Units are never guessed:
//! without being told, a number is taken as it stands.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::fasta::residues;
use super::smiles::header;
use super::text::{Line, Lines, column, extension, split, too_long};
use super::{IoError, Loaded, RowError, open};
use crate::table::{AffinityTable, Drug, Pair, Quantity, Target};

const SMILES: [&str; 4] = ["drug", "smiles", "compound_iso_smiles", "canonical_smiles"];
const SEQUENCE: [&str; 4] = ["target", "protein", "target_sequence", "sequence"];
const VALUE: [&str; 6] = ["y", "affinity", "label", "pkd", "kiba_score", "value"];
const DRUG_ID: [&str; 2] = ["drug_id", "drug_name"];
const TARGET_ID: [&str; 2] = ["target_id", "target_name"];

/// What the numbers of a file are, and therefore what is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unit {
    /// Stored as they stand; larger must mean tighter binding.
    #[default]
    AsIs,
    /// A dissociation constant in nmol/l, stored as pKd = 9 − log10(Kd).
    Nanomolar,
    /// A dissociation constant in µmol/l, stored as pKd = 6 − log10(Kd).
    Micromolar,
    /// A dissociation constant in mol/l, stored as pKd = −log10(Kd).
    Molar,
}

impl Unit {
    /// The value that is stored for a number of the file.
    ///
    /// # Errors
    /// Why there is none: a constant that is not positive, a number that is not finite or too large for single precision.
    pub fn store(self, number: f64) -> Result<f32, String> {
        let offset = match self {
            Self::AsIs => None,
            Self::Nanomolar => Some(9.0),
            Self::Micromolar => Some(6.0),
            Self::Molar => Some(0.0),
        };
        let stored = match offset {
            Some(_) if number <= 0.0 => {
                return Err(format!("a dissociation constant of {}; it must be positive", short(number)));
            }
            Some(offset) => offset - number.log10(),
            None => number,
        };
        match stored as f32 {
            single if single.is_finite() => Ok(single),
            _ if number.is_finite() => {
                Err(format!("{} is out of the range of single precision (at most {:e})", short(number), f32::MAX))
            }
            _ => Err(format!("{number} is not a finite number")),
        }
    }
}

/// A number as it is written, or with an exponent where that would be a row of digits.
fn short(number: f64) -> String {
    let plain = number == 0.0 || (1e-5..1e9).contains(&number.abs());
    if plain { number.to_string() } else { format!("{number:e}") }
}

/// How to read a table of pairs. The default finds the columns by name and takes the numbers as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffinityOptions {
    /// Column of the SMILES.
    pub smiles: Option<String>,
    /// Column of the sequence.
    pub sequence: Option<String>,
    /// Column of the value.
    pub value: Option<String>,
    /// Column of the drug's identifier; without one, drugs are numbered in order of appearance.
    pub drug_id: Option<String>,
    /// Column of the target's identifier; without one, targets are numbered in order of appearance.
    pub target_id: Option<String>,
    /// What separates the columns; without it a comma, or a tab in `.tsv` and `.tab` files.
    pub delimiter: Option<char>,
    /// What the numbers are.
    pub unit: Unit,
    /// What the stored values measure; without it pKd for constants, else what the column's name says.
    pub quantity: Option<Quantity>,
}

impl AffinityOptions {
    /// Whether the user named anything that only a table with a header has.
    fn names_columns(&self) -> bool {
        self.delimiter.is_some()
            || [&self.smiles, &self.sequence, &self.value, &self.drug_id, &self.target_id]
                .iter()
                .any(|name| name.is_some())
    }
}

/// Reads a table of pairs, plain or gzip. Rows that cannot be used are listed in [`Loaded::refused`].
///
/// # Errors
/// [`IoError`] if the file cannot be read, a column is missing, or no row can be used.
pub fn read(path: &Path, options: &AffinityOptions) -> Result<Loaded<AffinityTable>, IoError> {
    read_from(open(path)?, path, options)
}

/// As [`read`], from any reader; the extension of `path` tells the format, and messages name it.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    reader: impl BufRead,
    path: &Path,
    options: &AffinityOptions,
) -> Result<Loaded<AffinityTable>, IoError> {
    let mut lines = Lines::new(reader);
    let extension = extension(path);
    let layout = if extension == "txt" && !options.names_columns() {
        Layout::Text
    } else {
        let usual = if extension == "tsv" || extension == "tab" { '\t' } else { ',' };
        Layout::table(&mut lines, path, options.delimiter.unwrap_or(usual), options)?
    };
    let mut builder = Builder::default();
    let (mut rows, mut refused) = (0, Vec::new());
    loop {
        let line = lines.advance().map_err(|cause| IoError::Read { path: path.to_path_buf(), cause })?;
        let outcome = match line {
            Line::End => break,
            Line::TooLong(length) => Err(too_long(length)),
            Line::Text => match lines.text() {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => layout.row(text).and_then(|row| builder.push(row, options.unit)),
                Err(problem) => Err(problem),
            },
        };
        rows += 1;
        if let Err(problem) = outcome {
            refused.push(RowError::line(lines.number(), problem));
        }
    }
    let quantity = options.quantity.clone().unwrap_or_else(|| layout.quantity(options.unit));
    let value = AffinityTable { drugs: builder.drugs, targets: builder.targets, pairs: builder.pairs, quantity };
    Loaded { value, rows, refused }.some(path.to_path_buf())
}

/// The table as CSV with the columns of TDC, to be read back by [`read`]. The value's column is called after the quantity:
/// `pkd`, `kiba_score`, or its own name, which [`AffinityOptions::value`] must then give if it is not a usual one.
///
/// # Errors
/// [`IoError::Write`] if the memory does not take it.
pub fn to_csv(table: &AffinityTable) -> Result<Vec<u8>, IoError> {
    let failed = |cause: std::io::Error| IoError::Write { path: "the table".into(), cause };
    let value: &str = match &table.quantity {
        Quantity::Pkd => "pkd",
        Quantity::KibaScore => "kiba_score",
        Quantity::Other(name) => name,
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["Drug_ID", "Drug", "Target_ID", "Target", value]).map_err(|error| failed(error.into()))?;
    for pair in &table.pairs {
        let (drug, target) = (&table.drugs[pair.drug as usize], &table.targets[pair.target as usize]);
        let number = pair.value.to_string();
        writer
            .write_record([&drug.id, &drug.smiles, &target.id, &target.sequence, &number])
            .map_err(|error| failed(error.into()))?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error()))
}

/// Positions of the columns.
enum Layout {
    Text,
    Table {
        delimiter: char,
        width: usize,
        smiles: usize,
        sequence: usize,
        value: usize,
        value_name: String,
        drug_id: Option<usize>,
        target_id: Option<usize>,
    },
}

/// The fields of one row.
struct Row {
    drug_id: String,
    smiles: String,
    target_id: String,
    sequence: String,
    value: String,
}

impl Layout {
    fn table<R: BufRead>(
        lines: &mut Lines<R>,
        path: &Path,
        delimiter: char,
        options: &AffinityOptions,
    ) -> Result<Self, IoError> {
        let header = header(lines, path, delimiter)?;
        let find = |named: &Option<String>, usual: &[&str]| {
            column(&header, named.as_deref(), usual).ok_or_else(|| IoError::Column {
                path: path.to_path_buf(),
                wanted: named.clone().unwrap_or_else(|| usual.join(" or ")),
                found: header.join(", "),
            })
        };
        let find_id = |named: &Option<String>, usual: &[&str]| match find(named, usual) {
            Ok(position) => Ok(Some(position)),
            Err(error) if named.is_some() => Err(error),
            Err(_) => Ok(None),
        };
        let value = find(&options.value, &VALUE)?;
        Ok(Self::Table {
            delimiter,
            width: header.len(),
            smiles: find(&options.smiles, &SMILES)?,
            sequence: find(&options.sequence, &SEQUENCE)?,
            value,
            value_name: header[value].trim().to_owned(),
            drug_id: find_id(&options.drug_id, &DRUG_ID)?,
            target_id: find_id(&options.target_id, &TARGET_ID)?,
        })
    }

    fn row(&self, line: &str) -> Result<Row, String> {
        match self {
            Self::Text => {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let [smiles, sequence, value] = fields[..] else {
                    return Err(format!("{} words; SMILES, sequence and label are expected", fields.len()));
                };
                Ok(Row {
                    drug_id: String::new(),
                    smiles: smiles.to_owned(),
                    target_id: String::new(),
                    sequence: sequence.to_owned(),
                    value: value.to_owned(),
                })
            }
            Self::Table { delimiter, width, smiles, sequence, value, drug_id, target_id, .. } => {
                let mut fields = split(line, *delimiter)?;
                if fields.len() != *width {
                    return Err(format!("{} fields, but the header has {width}", fields.len()));
                }
                let id = |at: &Option<usize>| at.map(|at| fields[at].trim().to_owned()).unwrap_or_default();
                let (drug_id, target_id) = (id(drug_id), id(target_id));
                Ok(Row {
                    drug_id,
                    target_id,
                    smiles: fields[*smiles].trim().to_owned(),
                    value: fields[*value].trim().to_owned(),
                    sequence: std::mem::take(&mut fields[*sequence]),
                })
            }
        }
    }

    fn quantity(&self, unit: Unit) -> Quantity {
        let name: &str = match self {
            Self::Text => "label",
            Self::Table { value_name, .. } => value_name,
        };
        match (unit, name.to_ascii_lowercase().as_str()) {
            (Unit::AsIs, "kiba_score" | "kiba") => Quantity::KibaScore,
            (Unit::Nanomolar | Unit::Micromolar | Unit::Molar, _) | (Unit::AsIs, "pkd") => Quantity::Pkd,
            (Unit::AsIs, _) => Quantity::Other(name.to_owned()),
        }
    }
}

/// The table as it grows. An entity is an identifier with what stands beside it: one id with two structures is two
/// drugs.
#[derive(Default)]
struct Builder {
    drugs: Vec<Drug>,
    targets: Vec<Target>,
    pairs: Vec<Pair>,
    drug_index: HashMap<(String, String), u32>,
    target_index: HashMap<(String, String), u32>,
}

impl Builder {
    fn push(&mut self, row: Row, unit: Unit) -> Result<(), String> {
        if row.smiles.is_empty() {
            return Err("no SMILES".to_owned());
        }
        if row.value.is_empty() {
            return Err("no value".to_owned());
        }
        let number: f64 = row.value.parse().map_err(|_| format!("{:?} is not a number", row.value))?;
        let value = unit.store(number)?;
        let sequence = residues(row.sequence.as_bytes()).map_err(|problem| format!("sequence: {problem}"))?;

        let drugs = &mut self.drugs;
        let drug = *self.drug_index.entry((row.drug_id, row.smiles)).or_insert_with_key(|(id, smiles)| {
            let id = if id.is_empty() { format!("drug-{}", drugs.len() + 1) } else { id.clone() };
            drugs.push(Drug { id, smiles: smiles.clone() });
            drugs.len() as u32 - 1
        });
        let targets = &mut self.targets;
        let target = *self.target_index.entry((row.target_id, sequence)).or_insert_with_key(|(id, sequence)| {
            let id = if id.is_empty() { format!("target-{}", targets.len() + 1) } else { id.clone() };
            targets.push(Target { id, sequence: sequence.clone() });
            targets.len() as u32 - 1
        });
        self.pairs.push(Pair { drug, target, value });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
