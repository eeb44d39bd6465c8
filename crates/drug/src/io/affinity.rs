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
//! or as [`AffinityOptions`] says. `Drug` and `Target` are looked for last, because other files keep names there, and
//! SMILES and sequence beside them. In a table that [`to_csv`] wrote, the value stands last, whatever its name. A `.txt`
//! file without a header is read as `SMILES SEQUENCE label` (`DeepPurpose`, `TransformerCPI`). The file is read as a
//! stream and each molecule and sequence kept once; a row whose SMILES is no molecule, or whose sequence is no sequence,
//! is refused, and so is one whose value is a limit or has a unit beside it. Units are never guessed: without being told,
//! a number is taken as it stands.

mod numbers;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::fasta::residues;
use super::smiles::header;
use super::text::{Line, Lines, column, extension, split, too_long};
use super::{IoError, Loaded, RowError, open};
use crate::chem::Molecule;
use crate::table::{AffinityTable, Drug, Pair, Quantity, Target};

pub use self::numbers::{LOGARITHMS, Unit, quantity_of};

const SMILES: [&str; 4] = ["smiles", "compound_iso_smiles", "canonical_smiles", "drug"];
const SEQUENCE: [&str; 4] = ["target_sequence", "sequence", "protein", "target"];
const VALUE: [&str; 9] = ["y", "affinity", "label", "pkd", "pki", "pic50", "pec50", "kiba_score", "value"];
const DRUG_ID: [&str; 2] = ["drug_id", "drug_name"];
const TARGET_ID: [&str; 2] = ["target_id", "target_name"];
/// The columns that [`to_csv`] writes before that of the value: those of TDC.
const WRITTEN: [&str; 4] = ["Drug_ID", "Drug", "Target_ID", "Target"];

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
    /// What the stored values measure; without it pKd for concentrations, else what the column's name says
    /// ([`quantity_of`]).
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

/// Reads a table of pairs, plain or gzip. Rows that cannot be used are listed in [`Loaded::refused`]; every SMILES of
/// the table is one that [`Molecule::parse`] reads.
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
            Line::TooLong(length) => Err(Problem::new("line is too long", too_long(length))),
            Line::Text => match lines.text() {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => layout.row(text).and_then(|row| builder.push(row, options.unit)),
                Err(problem) => Err(Problem::new("line is no text", problem)),
            },
        };
        rows += 1;
        if let Err(Problem { kind, text }) = outcome {
            refused.push(RowError { unit: "line", number: lines.number(), kind: Some(kind), problem: text });
        }
    }
    let quantity = options.quantity.clone().unwrap_or_else(|| layout.quantity(options.unit));
    let value = AffinityTable { drugs: builder.drugs, targets: builder.targets, pairs: builder.pairs, quantity };
    Loaded { value, rows, refused }.some(path.to_path_buf())
}

/// The table as CSV with the columns of TDC, to be read back by [`read`]. The value's column is called after the quantity:
/// `pkd`, `kiba_score`, or its own name.
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
    writer.write_record(WRITTEN.into_iter().chain([value])).map_err(|error| failed(error.into()))?;
    for pair in &table.pairs {
        let (drug, target) = (&table.drugs[pair.drug as usize], &table.targets[pair.target as usize]);
        let number = pair.value.to_string();
        writer
            .write_record([&drug.id, &drug.smiles, &target.id, &target.sequence, &number])
            .map_err(|error| failed(error.into()))?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error()))
}

/// Why a row cannot be used.
#[derive(Debug)]
struct Problem {
    /// What is wrong in general: rows are counted by it.
    kind: &'static str,
    /// What is wrong with this row.
    text: String,
}

impl Problem {
    fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// A number with its noun, as `1 field` and `2 fields`.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
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
        let written = matches!(header.split_last(), Some((_, others)) if others == WRITTEN);
        let value = match &options.value {
            None if written => header.len() - 1,
            named => find(named, &VALUE)?,
        };
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

    fn row(&self, line: &str) -> Result<Row, Problem> {
        let wrong = |text: String| Problem::new("fields are not those of the header", text);
        match self {
            Self::Text => {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let [smiles, sequence, value] = fields[..] else {
                    let words = counted(fields.len(), "word");
                    let text = format!("{words}; SMILES, sequence and label are expected");
                    return Err(Problem::new("words are not three", text));
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
                let mut fields = split(line, *delimiter).map_err(|problem| wrong(problem.to_owned()))?;
                if fields.len() != *width {
                    let fields = counted(fields.len(), "field");
                    return Err(wrong(format!("{fields}, but the header has {width}")));
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
        match unit {
            Unit::AsIs => quantity_of(name),
            Unit::Nanomolar | Unit::Micromolar | Unit::Molar => Quantity::Pkd,
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
    /// Of a SMILES that is no molecule, what is wrong with it: each is parsed once.
    drug_index: HashMap<(String, String), Result<u32, String>>,
    target_index: HashMap<(String, String), u32>,
}

impl Builder {
    fn push(&mut self, row: Row, unit: Unit) -> Result<(), Problem> {
        if row.smiles.is_empty() {
            return Err(Problem::new("no SMILES", "no SMILES"));
        }
        if row.value.is_empty() {
            return Err(Problem::new("no value", "no value"));
        }
        let number = numbers::read(&row.value)?;
        let value = unit.store(number).map_err(|problem| Problem::new("value is out of range", problem))?;
        let sequence = residues(row.sequence.as_bytes())
            .map_err(|problem| Problem::new("sequence is no protein", format!("sequence: {problem}")))?;

        let drugs = &mut self.drugs;
        let known = self.drug_index.entry((row.drug_id, row.smiles)).or_insert_with_key(|(id, smiles)| {
            Molecule::parse(smiles).map_err(|problem| format!("SMILES: {problem}"))?;
            let id = if id.is_empty() { format!("drug-{}", drugs.len() + 1) } else { id.clone() };
            drugs.push(Drug { id, smiles: smiles.clone() });
            Ok(drugs.len() as u32 - 1)
        });
        let drug = known.clone().map_err(|problem| Problem::new("SMILES is no molecule", problem))?;
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
