//! Tables of features as files, for whoever goes on with them in R, Python or a spreadsheet.
//!
//! A row has the subject, the prediction time and the label under the names that MEDS gives them, the part of the subject
//! (`split`, as MEDS spells it), then the features. What was not observed is null in Parquet and an empty field in CSV.

use std::io;
use std::path::Path;

use nn_core::atomic;
use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, IntoColumn, NamedFrom, NamedFromOwned, ParquetWriter, PlSmallStr,
    PolarsError, PolarsResult, SerWriter, Series, TimeUnit,
};

use super::IoError;
use crate::features::Table;
use crate::labels::{Label, LabelValue};
use crate::split::Part;

/// How times are written into CSV; fractions of a second only where there are some.
const TIMES: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Writes a table whose rows are those of `labels`, as `.parquet` or `.csv`, by the name of the file. `parts` has one part
/// for each label, none for a label that no part may use; an empty slice leaves the column out.
///
/// # Errors
/// [`IoError`] if the name ends otherwise, there is not one label or not one part for each row, two columns have one
/// name, or the file cannot be written.
pub fn write(path: &Path, labels: &[Label], parts: &[Option<Part>], table: &Table) -> Result<(), IoError> {
    let is = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if !is("csv") && !is("parquet") {
        return Err(IoError::format(path, "features are written as .parquet or .csv; let the name end so"));
    }
    let rows = table.rows();
    if rows != labels.len() {
        return Err(IoError::format(path, format!("there are {rows} rows of features and {} labels", labels.len())));
    }
    if !parts.is_empty() && parts.len() != rows {
        return Err(IoError::format(path, format!("there are {rows} rows of features and {} parts", parts.len())));
    }
    let made = frame(labels, parts, table);
    let mut frame = made.map_err(|error| IoError::format(path, format!("its columns make no table: {error}")))?;
    atomic::write_with(path, |file| {
        let written = if is("csv") {
            CsvWriter::new(file).with_datetime_format(Some(PlSmallStr::from(TIMES))).finish(&mut frame)
        } else {
            ParquetWriter::new(file).finish(&mut frame).map(|_| ())
        };
        written.map_err(disk)
    })?;
    Ok(())
}

/// What the operating system said stays what it is, so that a full disk is told apart.
fn disk(error: PolarsError) -> io::Error {
    match error {
        PolarsError::IO { error, .. } => io::Error::new(error.kind(), error.to_string()),
        other => io::Error::other(other),
    }
}

fn frame(labels: &[Label], parts: &[Option<Part>], table: &Table) -> PolarsResult<DataFrame> {
    let subjects: Vec<i64> = labels.iter().map(|label| label.subject).collect();
    let times: Vec<i64> = labels.iter().map(|label| label.prediction_time.0).collect();
    let times = Series::from_vec(PlSmallStr::from("prediction_time"), times);
    let times = times.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?;
    let mut columns =
        vec![Series::from_vec(PlSmallStr::from("subject_id"), subjects).into_column(), times.into_column()];
    values(labels, &mut columns);
    if !parts.is_empty() {
        let names: Vec<Option<&str>> = parts.iter().map(|part| part.map(Part::name)).collect();
        columns.push(Series::new(PlSmallStr::from("split"), names).into_column());
    }
    for (place, name) in table.names.iter().enumerate() {
        let values: Vec<Option<f32>> = table.column(place).map(|value| Some(value).filter(|v| !v.is_nan())).collect();
        columns.push(Series::new(PlSmallStr::from(name), values).into_column());
    }
    DataFrame::new(labels.len(), columns)
}

/// Adds a column for each kind of label that there is.
fn values(labels: &[Label], columns: &mut Vec<Column>) {
    let (mut truths, mut whole) = (Vec::with_capacity(labels.len()), Vec::with_capacity(labels.len()));
    let (mut numbers, mut names) = (Vec::with_capacity(labels.len()), Vec::with_capacity(labels.len()));
    for Label { value, .. } in labels {
        truths.push(if let LabelValue::Boolean(value) = value { Some(*value) } else { None });
        whole.push(if let LabelValue::Integer(value) = value { Some(*value) } else { None });
        numbers.push(if let LabelValue::Float(value) = value { Some(*value) } else { None });
        names.push(if let LabelValue::Categorical(value) = value { Some(value.as_str()) } else { None });
    }
    let made: [Series; 4] = [
        Series::new(PlSmallStr::from("boolean_value"), truths),
        Series::new(PlSmallStr::from("integer_value"), whole),
        Series::new(PlSmallStr::from("float_value"), numbers),
        Series::new(PlSmallStr::from("categorical_value"), names),
    ];
    columns.extend(made.into_iter().filter(|column| column.null_count() < labels.len()).map(IntoColumn::into_column));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ::arrow::array::{Array, AsArray};
    use ::arrow::datatypes::{DataType as Kind, Float32Type, Int64Type, TimeUnit as Unit, TimestampMicrosecondType};
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::time::Time;

    fn labels() -> [Label; 2] {
        let noon = Time::from_civil(2130, 4, 1, 12, 0, 0).unwrap();
        [Label::boolean(7, noon, true), Label::boolean(8, Time(noon.0 + 250_000), false)]
    }

    fn table() -> Table {
        Table {
            names: vec!["LAB//K, serum|last".to_owned(), "age".to_owned()],
            values: vec![4.1, 61.5, f32::NAN, 70.0],
        }
    }

    #[test]
    fn parquet_has_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.parquet");
        write(&path, &labels(), &[], &table()).unwrap();
        let mut reader =
            ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&path).unwrap()).unwrap().build().unwrap();
        let rows = reader.next().unwrap().unwrap();
        let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["subject_id", "prediction_time", "boolean_value", "LAB//K, serum|last", "age"]);
        assert_eq!(rows.column(1).data_type(), &Kind::Timestamp(Unit::Microsecond, None));
        assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[7, 8]);
        let times = rows.column(1).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.values().to_vec(), labels().map(|label| label.prediction_time.0));
        assert!(rows.column(2).as_boolean().value(0) && !rows.column(2).as_boolean().value(1));
        let potassium = rows.column(3).as_primitive::<Float32Type>();
        assert!(potassium.value(0) == 4.1 && potassium.is_null(1));
        assert_eq!(rows.column(4).as_primitive::<Float32Type>().values(), &[61.5, 70.0]);
        assert!(reader.next().is_none());
    }

    #[test]
    fn csv_has_empty_fields_and_quotation_marks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.CSV");
        write(&path, &labels(), &[Some(Part::HeldOut), None], &table()).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "subject_id,prediction_time,boolean_value,split,\"LAB//K, serum|last\",age\n\
             7,2130-04-01 12:00:00,true,held_out,4.1,61.5\n8,2130-04-01 12:00:00.250,false,,,70.0\n"
        );
    }

    #[test]
    fn a_column_for_each_kind_of_label() {
        let time = labels()[0].prediction_time;
        let of = |value: LabelValue| Label { subject: 1, prediction_time: time, value };
        let mixed = [of(LabelValue::Integer(3)), of(LabelValue::Categorical("HOME".to_owned()))];
        let made = frame(&mixed, &[], &table()).unwrap();
        assert_eq!(made.column("integer_value").unwrap().null_count(), 1);
        assert_eq!(made.column("categorical_value").unwrap().str().unwrap().get(1), Some("HOME"));
        assert!(made.column("boolean_value").is_err() && made.column("float_value").is_err());
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let told = |name: &str, labels: &[Label], table: &Table| {
            write(&folder.path().join(name), labels, &[], table).unwrap_err().to_string()
        };
        assert!(told("features.xlsx", &labels(), &table()).contains(".parquet or .csv"));
        assert!(told("a.csv", &labels()[..1], &table()).contains("2 rows of features and 1 labels"));
        let twice = Table { names: vec!["age".to_owned(); 2], ..table() };
        assert!(told("a.csv", &labels(), &twice).contains("make no table"));
        let error = write(&folder.path().join("a.csv"), &labels(), &[None], &table()).unwrap_err().to_string();
        assert!(error.contains("2 rows of features and 1 parts"), "{error}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
