//! Columns as the standard wants them, from files that are off.

use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{ArrayRef, RecordBatch, new_null_array};
use ::arrow::compute::{CastOptions, cast_with_options};
use ::arrow::datatypes::{DataType, Field, Schema};
use ::arrow::error::ArrowError;

use super::Notices;
use super::schema::Table;
use crate::io::IoError;

/// What is done with the columns of one file.
pub(super) struct Aligned {
    table: Table,
    /// Where each column of the schema is in the file.
    places: Vec<Option<usize>>,
}

impl Aligned {
    /// Compares a file's columns with the schema; says what differs, and fails if it cannot be put right.
    pub(super) fn new(path: &Path, found: &Schema, table: Table, notices: &mut Notices) -> Result<Self, IoError> {
        let names: Vec<String> = found.fields().iter().map(|field| field.name().clone()).collect();
        let mut places = Vec::new();
        for (index, wanted) in table.schema.fields().iter().enumerate() {
            let place = names.iter().position(|name| name == wanted.name());
            places.push(place);
            let Some(place) = place else {
                if index < table.required {
                    return Err(IoError::column(path, wanted.name(), &names));
                }
                continue;
            };
            compare(path, found.field(place), wanted, notices)?;
        }
        let others: Vec<&str> =
            (0..names.len()).filter(|at| !places.contains(&Some(*at))).map(|at| names[at].as_str()).collect();
        if table.closed && !others.is_empty() {
            notices.add(path, format!("columns that the schema does not allow are left out: {}", others.join(", ")));
        } else if !others.is_empty() {
            notices.add(path, format!("extension columns are not read: {}", others.join(", ")));
        }
        Ok(Self { table, places })
    }

    /// Places of the columns to read, in the file.
    pub(super) fn roots(&self) -> Vec<usize> {
        self.places.iter().flatten().copied().collect()
    }

    /// Whether the file has a column, by its place in the schema.
    pub(super) fn has(&self, column: usize) -> bool {
        self.places[column].is_some()
    }

    /// The columns of the schema, in its order and with its types; nulls for one that is absent.
    pub(super) fn columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
        let column = |wanted: &Arc<Field>| match batch.column_by_name(wanted.name()) {
            // What does not fit is an error: a null would turn a time into "always".
            Some(column) => {
                let options = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(column, wanted.data_type(), &options)
            }
            None => Ok(new_null_array(wanted.data_type(), batch.num_rows())),
        };
        self.table.schema.fields().iter().map(column).collect()
    }
}

/// Says what differs between a column and what it should be.
fn compare(path: &Path, found: &Field, wanted: &Field, notices: &mut Notices) -> Result<(), IoError> {
    let (from, to) = (found.data_type(), wanted.data_type());
    if from == to {
        return Ok(());
    }
    let name = wanted.name();
    if !convertible(from, to) {
        return Err(IoError::format(path, format!("the column {name} is {from}; it must be {to}")));
    }
    // Which kind of text or list it is makes no difference to anybody who reads it.
    if let DataType::Timestamp(_, Some(zone)) = from {
        notices.add(path, format!("{name} has the zone {zone}, which is dropped: times are those of UTC"));
    } else if !(is_text(from) || matches!(from, DataType::Null | DataType::List(_) | DataType::LargeList(_))) {
        notices.add(path, format!("{name} is {from} and is converted to {to}"));
    }
    Ok(())
}

/// Whether a column can become what it should be without changing what it says (of numbers: beyond rounding).
fn convertible(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Null, _) => true,
        (_, DataType::Int64) => from.is_integer(),
        (_, DataType::Float32) => from.is_numeric(),
        (_, DataType::Timestamp(..)) => matches!(from, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
        (_, DataType::Utf8 | DataType::LargeUtf8) => is_text(from),
        (DataType::List(items) | DataType::LargeList(items), DataType::List(_)) => {
            is_text(items.data_type()) || *items.data_type() == DataType::Null
        }
        _ => false,
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}
