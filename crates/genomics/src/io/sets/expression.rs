//! Expression tables: a row for each sample, a column for each gene.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use nn_core::data::group_ids;

use super::TableColumns;
use super::rows::{Rows, column, required_column};
use crate::dataset::ExpressionSet;
use crate::io::IoError;
use crate::io::text::{Lines, number};

/// Which column of an expression table holds the classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// None does.
    #[default]
    None,
    /// The one of this name.
    Named(String),
    /// The one of this name, where there is one.
    IfNamed(String),
    /// The last one.
    Last,
}

/// How an expression table is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionLayout {
    /// Whether the first row has the names of the columns; otherwise genes are called by their number.
    pub header: bool,
    /// Whether the first column has the names of the samples; otherwise they are called by their line.
    pub names: bool,
    /// The classes.
    pub label: LabelColumn,
}

impl Default for ExpressionLayout {
    fn default() -> Self {
        Self { header: true, names: true, label: LabelColumn::None }
    }
}

/// Reads an expression table, with commas, tabs, semicolons or blanks between the columns. Classes are in the order of
/// their names.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no rows, or lacks the column of the classes, and for the first value
/// that is no finite number.
pub fn expression(path: &Path, layout: &ExpressionLayout) -> Result<ExpressionSet, IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut rows = Rows::open(path, None)?;
    let mut row = rows.advance()?.ok_or_else(empty)?;
    let header = if layout.header {
        std::mem::replace(&mut row, rows.advance()?.ok_or_else(empty)?)
    } else {
        (1..=row.len()).map(|place| format!("column {place}")).collect()
    };
    let label =
        match &layout.label {
            LabelColumn::None => None,
            LabelColumn::Last => header.len().checked_sub(1),
            LabelColumn::IfNamed(name) => column(&header, Some(name.as_str()), &[]),
            LabelColumn::Named(name) => Some(column(&header, Some(name.as_str()), &[]).ok_or_else(|| {
                IoError::Column { path: path.to_path_buf(), wanted: name.clone(), found: header.join(", ") }
            })?),
        };
    let genes: Vec<usize> = (usize::from(layout.names)..header.len()).filter(|&place| Some(place) != label).collect();
    let mut set =
        ExpressionSet { genes: genes.iter().map(|&place| header[place].clone()).collect(), ..Default::default() };
    let mut labels = Vec::new();
    loop {
        let line = rows.number();
        set.samples.push(if layout.names { row[0].clone() } else { format!("line {line}") });
        for &place in &genes {
            let value: f32 = number(&row[place], &header[place]).map_err(|problem| rows.problem(problem))?;
            if !value.is_finite() {
                return Err(rows.problem(format!("{} is {value}, which is not finite", header[place])));
            }
            set.values.push(value);
        }
        labels.extend(label.map(|place| row[place].clone()));
        match rows.advance()? {
            Some(next) => row = next,
            None => break,
        }
    }
    set.classes.clone_from(&labels);
    set.classes.sort();
    set.classes.dedup();
    set.labels = labels.iter().filter_map(|label| set.classes.binary_search(label).ok()).collect();
    set.check().map_err(|error| IoError::Dataset { path: path.to_path_buf(), error })?;
    Ok(set)
}

/// Reads one part of the tumours of Khan et al. 2001 (Nature Medicine 7:673) as the R package ISLR has them: expression
/// of 2,308 genes, and a class for each sample by its number. Files may be there with `.gz` behind their names.
///
/// # Errors
/// [`IoError`] if a file cannot be read, or the two have not the same number of samples.
pub fn khan(expression_file: &Path, class_file: &Path) -> Result<ExpressionSet, IoError> {
    /// The classes 1 to 4: Burkitt lymphoma, Ewing sarcoma, neuroblastoma, rhabdomyosarcoma.
    const CLASSES: [&str; 4] = ["BL", "EWS", "NB", "RMS"];
    let mut set = expression(&plain_or_gz(expression_file), &ExpressionLayout::default())?;
    let class_file = plain_or_gz(class_file);
    let mut rows = Rows::open(&class_file, None)?;
    rows.advance()?;
    while let Some(row) = rows.advance()? {
        let class: usize = number(&row[row.len() - 1], "class").map_err(|problem| rows.problem(problem))?;
        if !(1..=CLASSES.len()).contains(&class) {
            return Err(rows.problem(format!("class {class}; 1 to {} are due", CLASSES.len())));
        }
        set.labels.push(class - 1);
    }
    if set.labels.len() != set.len() {
        let problem = format!("{} classes for the {} samples of the expression file", set.labels.len(), set.len());
        return Err(IoError::format(&class_file, problem));
    }
    set.classes = CLASSES.map(str::to_owned).to_vec();
    Ok(set)
}

/// The file of that name, or with `.gz` behind it if there is only that.
pub fn plain_or_gz(path: &Path) -> PathBuf {
    let compressed = path.with_added_extension("gz");
    if !path.exists() && compressed.exists() { compressed } else { path.to_path_buf() }
}

/// A table of numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `[rows, columns]`, row-major.
    pub values: Vec<f32>,
}

/// Reads a table of numbers without a heading, as the adjacency of a network of genes.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no rows, and for the first value that is no number.
pub fn matrix(path: &Path) -> Result<Matrix, IoError> {
    let mut rows = Rows::open(path, None)?;
    let mut matrix = Matrix::default();
    while let Some(row) = rows.advance()? {
        for text in &row {
            matrix.values.push(number(text, "value").map_err(|problem| rows.problem(problem))?);
        }
        (matrix.rows, matrix.columns) = (matrix.rows + 1, row.len());
    }
    if matrix.rows == 0 { Err(IoError::Empty { path: path.to_path_buf(), what: "rows" }) } else { Ok(matrix) }
}

/// The class of a sample by its name, with the group where there is one.
type Labelled = HashMap<String, (String, Option<String>)>;

/// Gives the samples of a set their classes from a table with a heading: `sample` (or `name`, `id`), `label` (or
/// `class`), and what keeps samples together in a split, such as the `patient`, where `columns` name it. Classes are in
/// the order of their names, or as `classes` has them, where a model knows them already; the table may have further
/// samples. Numbers of the groups come second.
///
/// # Errors
/// [`IoError`] if the file cannot be read, has no row or lacks a column, for a sample that comes twice, and for the
/// first sample of the set that it does not have or whose class is not known.
pub fn labelled(
    mut set: ExpressionSet,
    path: &Path,
    columns: &TableColumns,
    classes: Option<&[String]>,
) -> Result<(ExpressionSet, Option<Vec<u64>>), IoError> {
    let empty = || IoError::Empty { path: path.to_path_buf(), what: "rows" };
    let mut rows = Rows::open(path, None)?;
    let header = rows.advance()?.ok_or_else(empty)?;
    let required = |named: Option<&str>, usual: &[&str]| required_column(path, &header, named, usual);
    let sample = required(columns.name.as_deref(), &["sample", "name", "id"])?;
    let label = required(columns.labels.first().map(String::as_str), &["label", "class", "type", "y"])?;
    let group = columns.group.as_deref().map(|name| required(Some(name), &[])).transpose()?;
    let mut found = Labelled::new();
    while let Some(row) = rows.advance()? {
        let of_row = (row[label].clone(), group.map(|place| row[place].clone()));
        if found.insert(row[sample].clone(), of_row).is_some() {
            return Err(rows.problem(format!("sample {} comes twice", row[sample])));
        }
    }
    if found.is_empty() {
        return Err(empty());
    }
    let of = |name: &String| {
        found
            .get(name)
            .ok_or_else(|| IoError::format(path, format!("sample {name} of the expression table is not in it")))
    };
    let known = set.samples.iter().map(of).collect::<Result<Vec<_>, IoError>>()?;
    set.classes = match classes {
        Some(classes) => classes.to_vec(),
        None => known.iter().map(|(class, _)| class.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
    };
    let place = |(class, _): &&(String, Option<String>)| {
        let found = set.classes.iter().position(|known| known == class);
        let known = || set.classes.join(", ");
        found.ok_or_else(|| IoError::format(path, format!("class {class} is none of {}", known())))
    };
    let labels = known.iter().map(place).collect::<Result<Vec<usize>, IoError>>()?;
    set.labels = labels;
    let groups = group.map(|_| group_ids(known.iter().map(|(_, group)| group.clone())));
    Ok((set, groups))
}

/// Reads which genes are connected: a table of numbers without a heading, genes by genes, where 0 is no connection, or
/// one of two columns with the names of two connected genes. Pairs are of places in `genes`; a connection has both
/// directions, and each gene is connected with itself (Kong and Yu 2018, Bioinformatics 34:3727, equation 2). Pairs of
/// other genes are passed over.
///
/// # Errors
/// [`IoError`] if the file cannot be read, connects none of the genes, or has a matrix of another size.
pub fn gene_graph(path: &Path, genes: &[String]) -> Result<Vec<[u32; 2]>, IoError> {
    let mut edges: BTreeSet<[u32; 2]> = (0..genes.len() as u32).map(|gene| [gene, gene]).collect();
    let alone = edges.len();
    let mut rows = Rows::open(path, None)?;
    let first = rows.advance()?.ok_or_else(|| IoError::Empty { path: path.to_path_buf(), what: "rows" })?;
    if first.len() == 2 && genes.len() != 2 {
        let places: HashMap<&str, u32> = genes.iter().map(String::as_str).zip(0..).collect();
        let mut row = Some(first);
        while let Some(pair) = row {
            if let (Some(&one), Some(&other)) = (places.get(pair[0].as_str()), places.get(pair[1].as_str())) {
                edges.extend([[one, other], [other, one]]);
            }
            row = rows.advance()?;
        }
    } else {
        let Matrix { rows, columns, values } = matrix(path)?;
        if (rows, columns) != (genes.len(), genes.len()) {
            let problem =
                format!("{rows} rows of {columns} numbers for {} genes; the two must be as many", genes.len());
            return Err(IoError::format(path, problem));
        }
        let connected = values.iter().enumerate().filter(|(_, value)| **value != 0.0);
        edges.extend(connected.map(|(place, _)| [(place / columns) as u32, (place % columns) as u32]));
    }
    if edges.len() == alone {
        return Err(IoError::format(path, "it connects none of the genes; see that both files name genes alike"));
    }
    Ok(edges.into_iter().collect())
}

/// Reads a list of names, one in the first column of each line; lines that begin with `#` are passed over.
///
/// # Errors
/// [`IoError`] if the file cannot be read or has no names.
pub fn word_list(path: &Path) -> Result<Vec<String>, IoError> {
    let mut lines = Lines::open(path)?;
    let mut names = Vec::new();
    while let Some(line) = lines.text()? {
        let name = line.split(['\t', ',']).next().unwrap_or_default().trim();
        if !name.is_empty() && !name.starts_with('#') {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() { Err(IoError::Empty { path: path.to_path_buf(), what: "names" }) } else { Ok(names) }
}
