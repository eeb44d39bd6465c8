//! Files of labels: one kind of value in each.

use std::path::Path;
use std::sync::Arc;

use ::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use ::arrow::datatypes::{Float32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};

use super::{Notices, schema, store};
use crate::io::{IoError, Notice, RowError};
use crate::labels::{Label, LabelKind, LabelValue, order};
use crate::time::Time;

/// The kinds in the order of their columns, which stand behind subject and time.
const KINDS: [LabelKind; 4] = [LabelKind::Boolean, LabelKind::Integer, LabelKind::Float, LabelKind::Categorical];

/// Columns before the values.
const BEFORE: usize = 2;

/// Reads labels: a Parquet file, or all those of a folder. They keep the order of the rows.
///
/// # Errors
/// [`IoError`] if a file cannot be read or put right, has no column of values, or has a row without a subject, a time
/// or exactly one value.
pub fn read_labels(path: &Path) -> Result<(Vec<Label>, Vec<Notice>), IoError> {
    let (mut labels, mut notices) = (Vec::new(), Notices::default());
    for file in super::parquet_files(path)? {
        let mut number = 0;
        store::read(&file, schema::labels(), &mut notices, |aligned, columns| {
            if !(BEFORE..columns.len()).any(|column| aligned.has(column)) {
                let problem = "there is no column of values: boolean_value, integer_value, float_value or \
                               categorical_value";
                return Err(IoError::format(&file, problem));
            }
            let rows = columns.first().map_or(0, arrow::array::Array::len);
            for row in 0..rows {
                number += 1;
                let label = label(columns, row);
                labels.push(label.map_err(|problem| IoError::row(&file, RowError::new("row", number, problem)))?);
            }
            Ok(())
        })?;
    }
    Ok((labels, notices.finish()))
}

fn label(columns: &[ArrayRef], row: usize) -> Result<Label, String> {
    let [subjects, times, booleans, integers, floats, names] = columns else {
        return Err("the columns are not those of labels".to_owned());
    };
    if subjects.is_null(row) || times.is_null(row) {
        return Err("the subject or the prediction time is missing".to_owned());
    }
    let values = [booleans, integers, floats, names];
    let filled: Vec<LabelKind> =
        KINDS.into_iter().zip(values).filter(|(_, values)| values.is_valid(row)).map(|(kind, _)| kind).collect();
    let value = match filled[..] {
        [LabelKind::Boolean] => LabelValue::Boolean(booleans.as_boolean().value(row)),
        [LabelKind::Integer] => LabelValue::Integer(integers.as_primitive::<Int64Type>().value(row)),
        [LabelKind::Float] => LabelValue::Float(floats.as_primitive::<Float32Type>().value(row)),
        [LabelKind::Categorical] => LabelValue::Categorical(names.as_string::<i32>().value(row).to_owned()),
        _ => return Err(format!("it has {} values where a label has one", filled.len())),
    };
    let subject = subjects.as_primitive::<Int64Type>().value(row);
    let prediction_time = Time(times.as_primitive::<TimestampMicrosecondType>().value(row));
    Ok(Label { subject, prediction_time, value })
}

/// Writes labels by subject and time. Without any the file has the columns of yes-or-no labels and no rows.
///
/// # Errors
/// [`IoError::Row`] for a label of another kind than the first; [`IoError`] if the file cannot be written.
pub fn write_labels(path: &Path, labels: &[Label]) -> Result<(), IoError> {
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by(|a, b| order(a, b));
    let kind = labels.first().map_or(LabelKind::Boolean, |label| label.value.kind());
    if let Some(place) = labels.iter().position(|label| label.value.kind() != kind) {
        let problem =
            format!("it is {} where the first is {kind}; write one file of each kind", labels[place].value.kind());
        return Err(IoError::row(path, RowError::new("row", place as u64 + 1, problem)));
    }
    let values: Vec<&LabelValue> = sorted.iter().map(|label| &label.value).collect();
    let mut columns: Option<Vec<ArrayRef>> = Some(vec![
        Arc::new(Int64Array::from_iter_values(sorted.iter().map(|label| label.subject))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(sorted.iter().map(|label| label.prediction_time.0))),
        column(kind, &values),
    ]);
    store::write(path, &schema_of(kind), || columns.take())
}

/// The columns of labels of one kind.
fn schema_of(kind: LabelKind) -> SchemaRef {
    let table = schema::labels();
    let place = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
    let fields = [0, 1, BEFORE + place].map(|field| Arc::clone(&table.schema.fields()[field]));
    Arc::new(Schema::new(fields.to_vec()))
}

/// Values of one kind; those of others, of which there are none, would be missing.
fn column(kind: LabelKind, values: &[&LabelValue]) -> ArrayRef {
    let values = values.iter().copied();
    match kind {
        LabelKind::Boolean => Arc::new(values.map(LabelValue::boolean).collect::<BooleanArray>()),
        LabelKind::Integer => {
            let integer = |value: &LabelValue| if let LabelValue::Integer(value) = value { Some(*value) } else { None };
            Arc::new(values.map(integer).collect::<Int64Array>())
        }
        LabelKind::Float => Arc::new(values.map(LabelValue::number).collect::<Float32Array>()),
        LabelKind::Categorical => Arc::new(values.map(|value| Some(value.to_string())).collect::<StringArray>()),
    }
}
