//! Columns that another table gives the rows of a table, by a key.
//!
//! The other table is held as columns of text by polars, which also finds the rows that share a key and joins some ten
//! thousand rows at a time. It has to fit into memory: it is the table of stays or of patients, not that of charts. Its
//! rows go through the same reader as all others, so that one that cannot be used is named with its file and line.

use std::path::{Path, PathBuf};

use polars::prelude::{
    Column as FrameColumn, DataFrame, DataFrameJoinOps, IntoColumn, JoinArgs, JoinType, MaintainOrderJoin,
    NamedFromOwned, PlSmallStr, PolarsError, PolarsResult, Series, StringChunkedBuilder, UInt64Chunked,
    UniqueKeepStrategy,
};

use super::batch::{Batch, Cell, Column};
use super::table::Table;
use crate::io::{Counts, IoError};

/// Name of the column of rows in the file, which is null where a key was not found.
const ROW: &str = "row";

/// A table by its key, with one row for each.
pub(crate) struct Lookup {
    path: PathBuf,
    /// The key, the columns in their order, and [`ROW`].
    frame: DataFrame,
}

impl Lookup {
    /// Reads a table whose key is the first of `columns`, in small letters, all of which it must have. Rows without a
    /// key, and those behind the first of a key, are dropped.
    pub(crate) fn read(path: &Path, columns: &[String], counts: &mut Counts) -> Result<Self, IoError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut table = Table::open(path, &names)?;
        if let Some(absent) = (0..names.len()).find(|column| !table.has(*column)) {
            return Err(IoError::column(path, names[absent], table.header()));
        }
        let mut fields: Vec<StringChunkedBuilder> =
            (0..names.len()).map(|column| StringChunkedBuilder::new(name(column), 0)).collect();
        let (mut rows, mut text) = (Vec::new(), String::new());
        while let Some(batch) = table.batch()? {
            for (line, problem) in batch.ragged() {
                counts.drop_row(problem, path, *line);
            }
            for row in batch.rows() {
                if !key(row.cell(0), &mut text) {
                    counts.drop_row(&format!("{} is missing", names[0]), path, row.number());
                    continue;
                }
                fields[0].append_value(&text);
                for (column, field) in fields.iter_mut().enumerate().skip(1) {
                    let given = written(row.cell(column), &mut text);
                    field.append_option(given.then_some(&text));
                }
                rows.push(row.number());
            }
        }
        let mut columns: Vec<_> = fields.into_iter().map(|field| field.finish().into_column()).collect();
        columns.push(Series::from_vec(PlSmallStr::from(ROW), rows.clone()).into_column());
        let frame = first_of_each(columns).map_err(|error| failed(path, &error))?;
        {
            let mut kept = numbers(&frame).map_err(|error| failed(path, &error))?.iter().flatten().peekable();
            for row in rows {
                if kept.next_if_eq(&row).is_some() {
                    counts.keep();
                } else {
                    counts.drop_row(&format!("{} is there twice", names[0]), path, row);
                }
            }
        }
        Ok(Self { path: path.to_path_buf(), frame })
    }

    /// Fills the columns at `places` of some rows with those of the row whose key stands in the column `on`. Returns in
    /// how many rows a key stands that the table does not have.
    pub(crate) fn join(&self, batches: &mut [Batch], on: usize, places: &[usize]) -> Result<u64, IoError> {
        let rows: usize = batches.iter().map(|batch| batch.rows).sum();
        if rows == 0 {
            return Ok(0);
        }
        let (mut keys, mut text, mut without) = (StringChunkedBuilder::new(name(0), rows), String::new(), 0);
        for row in batches.iter().flat_map(Batch::rows) {
            let given = key(row.cell(on), &mut text);
            without += usize::from(!given);
            keys.append_option(given.then_some(&text));
        }
        self.fill(keys, batches, places, without).map_err(|error| failed(&self.path, &error))
    }

    fn fill(
        &self,
        keys: StringChunkedBuilder,
        batches: &mut [Batch],
        places: &[usize],
        without: usize,
    ) -> PolarsResult<u64> {
        let keys = DataFrame::new_infer_height(vec![keys.finish().into_column()])?;
        // Each row stays one row in its place: no key is there twice.
        let args = JoinArgs { maintain_order: MaintainOrderJoin::Left, ..JoinArgs::new(JoinType::Left) };
        let joined = keys.join(&self.frame, [name(0)], [name(0)], args, None)?;
        for (column, place) in places.iter().enumerate() {
            let values = joined.column(&name(column + 1))?.str()?;
            let mut values = values.iter();
            for batch in batches.iter_mut() {
                let (mut text, mut ends) = (String::new(), Vec::with_capacity(batch.rows));
                for value in values.by_ref().take(batch.rows) {
                    text.push_str(value.unwrap_or_default());
                    ends.push(text.len());
                }
                batch.columns[*place] = Column::Fields { text, ends };
            }
        }
        Ok((joined.column(ROW)?.null_count() - without) as u64)
    }
}

/// Name of a column of the frame: those of the file may be anything.
fn name(column: usize) -> PlSmallStr {
    PlSmallStr::from(column.to_string())
}

fn first_of_each(columns: Vec<FrameColumn>) -> PolarsResult<DataFrame> {
    let all = DataFrame::new_infer_height(columns)?;
    if all.height() == 0 {
        return Ok(all);
    }
    all.unique_stable(Some(&[name(0).to_string()]), UniqueKeepStrategy::First, None)
}

/// The rows that were kept, by their numbers in the file.
fn numbers(frame: &DataFrame) -> PolarsResult<&UInt64Chunked> {
    frame.column(ROW)?.u64()
}

fn failed(path: &Path, error: &PolarsError) -> IoError {
    IoError::format(path, format!("its columns cannot be joined: {error}"))
}

/// Writes a key; `false` if there is none. A whole number is the same key with and without the `.0` that pandas writes
/// behind it where others are missing.
fn key(cell: Cell<'_>, text: &mut String) -> bool {
    text.clear();
    let given = cell.write(text);
    let digits = |whole: &&str| !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(length) = text.strip_suffix(".0").filter(digits).map(str::len) {
        text.truncate(length);
    }
    given
}

/// Writes a field as a text file would have it; `false` if it is missing. Midnight is a day, as in columns of times.
fn written(cell: Cell<'_>, text: &mut String) -> bool {
    text.clear();
    let given = cell.write(text);
    if let Cell::Time(time) = cell
        && time == time.midnight()
        && let Some(blank) = text.find(' ')
    {
        text.truncate(blank);
    }
    given
}
