//! Expression tables: a row for each sample, a column for each gene.

use std::path::{Path, PathBuf};

use super::rows::{Rows, column};
use crate::dataset::ExpressionSet;
use crate::io::IoError;
use crate::io::text::number;

/// Which column of an expression table holds the classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// None does.
    #[default]
    None,
    /// The one of this name.
    Named(String),
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
