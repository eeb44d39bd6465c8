//! Published sets as they are distributed: labelled sequences, expression tables, histone marks, methylation.
//!
//! | what | reader |
//! |---|---|
//! | `DeepBind`'s tables (ENCODE) | [`deepbind`] |
//! | tables of sequences and labels (m6A of iRNA-m6A and others) | [`labelled_csv`], [`table()`] |
//! | FASTA with `class:` in each header (`iDeepS`' CLIP sets) | [`class_fasta`] |
//! | one FASTA file for each class (`CNNProm`, iEnhancer-2L) | [`two_fastas`], [`fasta`] |
//! | splice junctions and promoters of the UCI repository | [`uci_splice`], [`uci_promoters`] |
//! | expression tables (Khan 2001, single cells, GEDFN) | [`khan`], [`expression()`], [`matrix`] |
//! | their classes and patients, networks of genes, lists of landmarks | [`labelled`], [`gene_graph`], [`word_list`] |
//! | bins of histone marks (`DeepChrome`) | [`deepchrome`] |
//! | methylated sites of one cell or of several (`DeepCpG`) | [`methylation()`], [`methylation_cells`] |
//! | starts of genes with features and expression (Xpresso), expression alone | [`genes()`], [`gene_levels`] |
//! | intervals as CSV (Genomic Benchmarks) | [`intervals`] |

mod expression;
mod genes;
mod headers;
mod marks;
mod methylation;
mod rows;

use std::path::Path;

use nn_core::data::group_ids;

pub use self::expression::{
    ExpressionLayout, LabelColumn, Matrix, expression, gene_graph, khan, labelled, matrix, plain_or_gz, word_list,
};
pub use self::genes::{gene_levels, genes};
pub use self::headers::locus_of;
pub use self::marks::{deepchrome, intervals};
pub use self::methylation::{methylation, methylation_cells};
use self::rows::{Rows, column, missing, required_column};
use super::IoError;
use super::fasta::FastaReader;
use crate::dataset::{Labels, SequenceSet};
use crate::locus::Locus;
use crate::sequence::normalise;

/// Names of the columns of a table, without regard to case; those that are not given are found by the usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableColumns {
    /// The sequence; usually `sequence` or `seq`.
    pub sequence: Option<String>,
    /// The labels, one column for each task; usually `label`, `class`, `target`, `bound` or `y`.
    pub labels: Vec<String>,
    /// A name; usually `name`, `id` or `EventID`. Without one, rows are called by their line.
    pub name: Option<String>,
    /// What keeps rows together in a split; only if it is named.
    pub group: Option<String>,
    /// What the labels mean, told by their values if not given: text is classes, 0 and 1 are binary, other numbers are
    /// values. `Labels::Classes` of no names takes the names from the file.
    pub kind: Option<Labels>,
}

/// Rows on their way into a set.
#[derive(Default)]
struct Gathered {
    set: SequenceSet,
    /// Text of each label, row by row.
    labels: Vec<String>,
    /// Line of each row.
    lines: Vec<u64>,
}

impl Gathered {
    fn new(tasks: Vec<String>) -> Self {
        Self { set: SequenceSet { tasks, ..SequenceSet::default() }, ..Self::default() }
    }

    fn push(&mut self, line: u64, name: String, sequence: Vec<u8>, locus: Option<Locus>) {
        self.lines.push(line);
        self.set.names.push(name);
        self.set.sequences.push(sequence);
        self.set.loci.push(locus);
    }

    /// Turns the labels into targets and checks the set.
    fn finish(mut self, path: &Path, kind: Option<Labels>) -> Result<SequenceSet, IoError> {
        if self.lines.is_empty() {
            return Err(IoError::Empty { path: path.to_path_buf(), what: "rows" });
        }
        let kind = kind.unwrap_or_else(|| told(&self.labels, self.set.tasks.len()));
        self.set.labels = match kind {
            Labels::Classes(classes) if classes.is_empty() => {
                let mut classes: Vec<String> = self.labels.iter().filter(|text| !missing(text)).cloned().collect();
                classes.sort();
                classes.dedup();
                Labels::Classes(classes)
            }
            other => other,
        };
        let tasks = self.set.tasks.len();
        for (place, text) in self.labels.iter().enumerate() {
            let value = target(text, &self.set.labels).map_err(|problem| {
                let (line, task) = (self.lines[place / tasks], &self.set.tasks[place % tasks]);
                IoError::line(path, line, format!("{}: {task} {problem}", self.set.names[place / tasks]))
            })?;
            self.set.targets.push(value);
        }
        self.set.check().map_err(|error| IoError::Dataset { path: path.to_path_buf(), error })?;
        Ok(self.set)
    }
}

/// What labels mean, by their values.
fn told(labels: &[String], tasks: usize) -> Labels {
    let values: Option<Vec<f32>> = labels.iter().filter(|text| !missing(text)).map(|text| text.parse().ok()).collect();
    match values {
        Some(values) if values.iter().all(|value| *value == 0.0 || *value == 1.0) => Labels::Binary,
        None if tasks == 1 => Labels::Classes(Vec::new()),
        _ => Labels::Values,
    }
}

fn target(text: &str, labels: &Labels) -> Result<f32, String> {
    if missing(text) {
        return Ok(f32::NAN);
    }
    if let Labels::Classes(classes) = labels {
        let place = classes.iter().position(|class| class == text);
        return place.map(|place| place as f32).ok_or_else(|| format!("{text:?} is none of {}", classes.join(", ")));
    }
    let value: f32 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    match labels {
        Labels::Binary if value != 0.0 && value != 1.0 => Err(format!("{text} is neither 0 nor 1")),
        _ if !value.is_finite() => Err(format!("{text} is not finite")),
        _ => Ok(value),
    }
}

/// Reads a table of sequences and labels with a heading: CSV, or with tabs or semicolons between the columns.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no rows, or lacks a column, and for the first row that cannot be used.
pub fn table(path: &Path, columns: &TableColumns) -> Result<SequenceSet, IoError> {
    let mut rows = Rows::open(path, None)?;
    let Some(header) = rows.advance()? else {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "rows" });
    };
    let required = |named: Option<&str>, usual: &[&str]| required_column(path, &header, named, usual);
    let sequence = required(columns.sequence.as_deref(), &["sequence", "seq"])?;
    let labels = if columns.labels.is_empty() {
        vec![required(None, &["label", "class", "target", "bound", "y"])?]
    } else {
        columns.labels.iter().map(|name| required(Some(name.as_str()), &[])).collect::<Result<_, _>>()?
    };
    let name = match &columns.name {
        Some(name) => Some(required(Some(name.as_str()), &[])?),
        None => column(&header, None, &["name", "id", "eventid"]),
    };
    let group = columns.group.as_deref().map(|name| required(Some(name), &[])).transpose()?;
    let mut gathered = Gathered::new(labels.iter().map(|&place| header[place].clone()).collect());
    let mut groups = Vec::new();
    while let Some(mut row) = rows.advance()? {
        let name = name.map_or_else(|| format!("line {}", rows.number()), |place| row[place].clone());
        let bases = normalise(row[sequence].as_bytes()).map_err(|error| rows.problem(format!("{name}: {error}")))?;
        gathered.push(rows.number(), name, bases, None);
        gathered.labels.extend(labels.iter().map(|&place| row[place].clone()));
        groups.extend(group.map(|place| std::mem::take(&mut row[place])));
    }
    if group.is_some() {
        gathered.set.groups = Some(group_ids(groups));
    }
    gathered.finish(path, columns.kind.clone())
}

/// Reads a table with one column of sequences and one of labels, under the usual names.
///
/// # Errors
/// As [`table()`].
pub fn labelled_csv(path: &Path) -> Result<SequenceSet, IoError> {
    table(path, &TableColumns::default())
}

/// Reads one of `DeepBind`'s tables: columns `FoldID`, `EventID`, `seq` and `Bound` (Alipanahi et al. 2015, Nature
/// Biotechnology 33:831). Training files (`_AC`) have bound sequences only.
///
/// # Errors
/// As [`table()`].
pub fn deepbind(path: &Path) -> Result<SequenceSet, IoError> {
    let columns = TableColumns {
        sequence: Some("seq".to_owned()),
        labels: vec!["Bound".to_owned()],
        name: Some("EventID".to_owned()),
        ..TableColumns::default()
    };
    table(path, &columns)
}

/// Reads FASTA whose headers say the class, as `chr1,+,69396,69496; class:0` does.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no record, and for the first record that cannot be used.
pub fn class_fasta(path: &Path) -> Result<SequenceSet, IoError> {
    let mut gathered = Gathered::new(vec!["class".to_owned()]);
    for record in FastaReader::open(path)? {
        let record = record?;
        let header = record.header.text.as_str();
        let Some((before, class)) = header.split_once("class:") else {
            return Err(IoError::line(path, record.header.line, format!("no class: in the header {header:?}")));
        };
        let class = class.split([';', ' ', '\t']).next().unwrap_or_default().to_owned();
        let name = before.trim_end_matches([';', ' ']).to_owned();
        let locus = locus_of(header, record.sequence.len());
        gathered.push(record.header.line, name, record.sequence, locus);
        gathered.labels.push(class);
    }
    gathered.finish(path, None)
}

/// Reads FASTA whose records all have one label, 0 or 1.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no record, and for the first record that cannot be used.
pub fn fasta(path: &Path, bound: bool) -> Result<SequenceSet, IoError> {
    let mut gathered = Gathered::new(vec!["class".to_owned()]);
    for record in FastaReader::open(path)? {
        let record = record?;
        let locus = locus_of(&record.header.text, record.sequence.len());
        gathered.push(record.header.line, record.header.text, record.sequence, locus);
        gathered.labels.push(u8::from(bound).to_string());
    }
    gathered.finish(path, Some(Labels::Binary))
}

/// Reads two FASTA files, records of the first with label 1, of the second with label 0 behind them.
///
/// # Errors
/// As [`fasta`].
pub fn two_fastas(positive: &Path, negative: &Path) -> Result<SequenceSet, IoError> {
    let mut set = fasta(positive, true)?;
    let others = fasta(negative, false)?;
    set.append(others).map_err(|error| IoError::Dataset { path: negative.to_path_buf(), error })?;
    Ok(set)
}

/// Reads lines of class, name and sequence with commas between.
fn uci(path: &Path, kind: Labels, label: impl Fn(&str) -> &str) -> Result<SequenceSet, IoError> {
    let mut rows = Rows::open(path, Some(','))?;
    let mut gathered = Gathered::new(vec!["class".to_owned()]);
    while let Some(row) = rows.advance()? {
        let [class, name, sequence] = row.as_slice() else {
            return Err(rows.problem(format!("{} columns where class, name and sequence are due", row.len())));
        };
        let bases = normalise(sequence.as_bytes()).map_err(|error| rows.problem(format!("{name}: {error}")))?;
        gathered.push(rows.number(), name.clone(), bases, None);
        gathered.labels.push(label(class).to_owned());
    }
    gathered.finish(path, Some(kind))
}

/// Reads the splice junctions of the UCI repository: 60 bases around a junction, class `EI`, `IE` or `N`. The file has
/// sequences twice and more: see to it before it is split.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no row, and for the first row that cannot be used.
pub fn uci_splice(path: &Path) -> Result<SequenceSet, IoError> {
    uci(path, Labels::Classes(["EI", "IE", "N"].map(str::to_owned).to_vec()), |class| class)
}

/// Reads the promoters of the UCI repository: 57 bases, `+` or `-`.
///
/// # Errors
/// As [`uci_splice`].
pub fn uci_promoters(path: &Path) -> Result<SequenceSet, IoError> {
    uci(path, Labels::Binary, |class| match class {
        "+" => "1",
        "-" => "0",
        other => other,
    })
}

#[cfg(test)]
mod tests;
