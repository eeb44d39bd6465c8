//! Which part each subject belongs to: `metadata/subject_splits.parquet`.

use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use ::arrow::datatypes::Int64Type;

use super::{METADATA, Notices, schema, store};
use crate::io::{IoError, Notice, RowError};
use crate::split::{Part, Split};

pub(super) const FILE: &str = "subject_splits.parquet";

/// Reads a table of splits. Subjects of other parts than `train`, `tuning` and `held_out`, which the standard allows,
/// are in no part, and a notice says so.
///
/// # Errors
/// [`IoError`] if the file cannot be read, or a subject is in two parts.
pub fn read_splits(file: &Path) -> Result<(Split, Vec<Notice>), IoError> {
    let mut notices = Notices::default();
    let split = read(file, &mut notices)?;
    Ok((split, notices.finish()))
}

pub(super) fn read(file: &Path, notices: &mut Notices) -> Result<Split, IoError> {
    let (mut pairs, mut others, mut number) = (Vec::new(), Vec::new(), 0);
    store::read(file, schema::splits(), notices, |_, columns| {
        let [subjects, parts] = columns else { return Ok(()) };
        let (subjects, parts) = (subjects.as_primitive::<Int64Type>(), parts.as_string::<i32>());
        for row in 0..subjects.len() {
            number += 1;
            if subjects.is_null(row) || parts.is_null(row) {
                let problem = "the subject or its part is missing; complete the row or remove it";
                return Err(IoError::row(file, RowError::new("row", number, problem)));
            }
            match parts.value(row).parse::<Part>() {
                Ok(part) => pairs.push((subjects.value(row), part)),
                Err(_) => others.push(parts.value(row).to_owned()),
            }
        }
        Ok(())
    })?;
    if let Some(first) = others.first() {
        let known = Part::ALL.map(Part::name).join(", ");
        let count = others.len();
        notices.add(file, format!("{count} subjects are in parts such as {first:?}, which is none of {known}"));
    }
    Split::from_pairs(pairs).map_err(|error| IoError::format(file, error.to_string()))
}

/// Writes a split to `metadata/subject_splits.parquet` of a data set.
///
/// # Errors
/// [`IoError`] if it cannot be written.
pub fn write_splits(folder: &Path, split: &Split) -> Result<(), IoError> {
    let path = folder.join(METADATA).join(FILE);
    let mut columns: Option<Vec<ArrayRef>> = Some(vec![
        Arc::new(Int64Array::from_iter_values(split.parts.keys().copied())),
        Arc::new(StringArray::from_iter_values(split.parts.values().map(|part| part.name()))),
    ]);
    store::write(&path, &schema::splits().schema, || columns.take())
}
