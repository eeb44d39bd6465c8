//! Against the schemas of the Python package and a file that `pyarrow` wrote (`tests/golden/meds_set.py`).

use std::fs::File;
use std::sync::Arc;

use ::arrow::array::{
    Array as _, ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use ::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

use super::*;
use crate::codebook::{BIRTH, DEATH};
use crate::labels::{Label, LabelValue};
use crate::time::{Span, Time};

const OFF: &[u8] = include_bytes!("../../../tests/golden/meds_set.parquet");

/// Subject, time, code, value, text.
type Row = (i64, Option<i64>, String, Option<f32>, Option<String>);

#[derive(Deserialize)]
struct Golden {
    version: String,
    schemas: BTreeMap<String, Vec<(String, String)>>,
    metadata: Vec<String>,
    constants: Vec<String>,
    off: Vec<Row>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/meds_set.json")).unwrap()
}

/// A type as `pyarrow` names it.
fn named(kind: &DataType) -> String {
    match kind {
        DataType::Int64 => "int64".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::LargeUtf8 => "large_string".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp[us]".to_owned(),
        DataType::List(item) => format!("list<{}: {}>", item.name(), named(item.data_type())),
        other => format!("{other:?}"),
    }
}

/// The columns of a file as it says itself.
fn columns(path: &Path) -> Vec<(String, String)> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    builder.schema().fields().iter().map(|field| (field.name().clone(), named(field.data_type()))).collect()
}

fn rows(events: &Events) -> Vec<Row> {
    let row = |id: i64, event: crate::events::Event<'_>| {
        let name = events.codebook.name(event.code).to_owned();
        (id, event.time.map(|time| time.0), name, event.value, event.text.map(str::to_owned))
    };
    events
        .iter()
        .flat_map(|subject| subject.events().map(|event| row(subject.id(), event)).collect::<Vec<_>>())
        .collect()
}

fn some(subjects: i64) -> Events {
    let mut builder = EventsBuilder::new();
    for subject in 0..subjects {
        builder.push(subject * 3, None, "GENDER//F", None, None);
        for hours in 0..subject % 5 {
            let time = Time::parse("2130-04-01").unwrap().plus(Span::hours(hours));
            builder.push(subject * 3, Some(time), "LAB//50852//%", Some(hours as f32 / 3.0), None);
            builder.push(subject * 3, Some(time), "NOTE", None, Some("no sign of \"diabetes\""));
        }
    }
    let lab = builder.codebook_mut().intern("LAB//50852//%");
    builder.codebook_mut().describe(lab, Some("Haemoglobin A1c"), &["LOINC/4548-4".to_owned(), "X".to_owned()]);
    builder.finish().unwrap()
}

fn split(events: &Events) -> Split {
    let part = |id: i64| [Part::Train, Part::Tuning, Part::HeldOut][(id / 3 % 3) as usize];
    Split::from_pairs(events.ids().iter().map(|id| (*id, part(*id)))).unwrap()
}

#[test]
fn files_have_the_schemas_of_the_package() {
    let (golden, folder, events) = (golden(), tempfile::tempdir().unwrap(), some(7));
    let root = folder.path();
    write(root, &events, Some(&split(&events)), &Metadata::default()).unwrap();
    let schemas = &golden.schemas;
    assert_eq!(columns(&root.join("data/train/0.parquet")), schemas["data"]);
    assert_eq!(columns(&root.join("metadata/codes.parquet")), schemas["codes"]);
    assert_eq!(columns(&root.join("metadata/subject_splits.parquet")), schemas["splits"]);
    let time = Time::parse("2130-04-01").unwrap();
    let values = [
        LabelValue::Boolean(true),
        LabelValue::Integer(4),
        LabelValue::Float(0.5),
        LabelValue::Categorical("home".to_owned()),
    ];
    for (place, value) in values.into_iter().enumerate() {
        let path = root.join(format!("labels/{place}.parquet"));
        write_labels(&path, &[Label { subject: 3, prediction_time: time, value }]).unwrap();
        let labels = &schemas["labels"];
        assert_eq!(columns(&path), [labels[0].clone(), labels[1].clone(), labels[2 + place].clone()]);
    }
    let names: Vec<_> = schema::labels().schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, schemas["labels"].iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    assert_eq!(golden.version, VERSION);
    assert_eq!(golden.constants, [BIRTH, DEATH, Part::Train.name(), Part::Tuning.name(), Part::HeldOut.name()]);
}

#[test]
fn metadata_has_the_fields_of_the_package_and_no_others() {
    let field = |name: &String| format!("{name:?}: {}", if name.ends_with("_columns") { "[\"a\"]" } else { "\"a\"" });
    let fields = golden().metadata;
    let text = format!("\u{feff}{{{}, \"more\": 1}}", fields.iter().map(field).collect::<Vec<_>>().join(", "));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    fs::write(&path, text).unwrap();
    let metadata = read_metadata(&path).unwrap();
    write_metadata(folder.path(), &metadata).unwrap();
    let written = fs::read_to_string(folder.path().join("metadata/dataset.json")).unwrap();
    let written: BTreeMap<String, serde_json::Value> = serde_json::from_str(&written).unwrap();
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        fields.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    fs::write(&path, "{\"license\": 3}").unwrap();
    let error = read_metadata(&path).unwrap_err().to_string();
    assert!(error.contains("line 1 column") && error.contains("no metadata of MEDS"), "{error}");
}

#[test]
fn what_is_off_is_put_right_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("off.parquet");
    fs::write(&path, OFF).unwrap();
    let set = read(&path).unwrap();
    assert_eq!(rows(&set.events), golden().off);
    let said: Vec<&str> = set.notices.iter().map(|notice| notice.text.split(": ").nth(1).unwrap()).collect();
    let expected = [
        "extension columns are not read",
        "numeric_value is Float64 and is converted to Float32",
        "subject_id is Int32 and is converted to Int64",
        "the rows of a subject are not in the order of time; they are sorted",
        "the rows of a subject do not stand together; they are put together",
        "time has the zone UTC, which is dropped",
    ];
    assert_eq!(said, expected);
    let counts = &set.counts;
    assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (9, 7, 2));
    assert_eq!((counts.dropped["no subject_id"], counts.dropped["no code"]), (1, 1));
    assert_eq!(counts.examples.iter().map(|example| example.row).collect::<Vec<_>>(), [6, 7]);
    assert_eq!(counts.changed["numeric_value not finite, taken as none"], 2);
}

#[test]
fn a_set_comes_back_as_it_was() {
    let (folder, events) = (tempfile::tempdir().unwrap(), some(40));
    let (root, parts) = (folder.path().join("set"), split(&events));
    let metadata = Metadata { dataset_name: Some("some".to_owned()), ..Metadata::default() };
    write_shards(&root, &events, Some(&parts), 20).unwrap();
    write_codes(&root, &events.codebook).unwrap();
    write_splits(&root, &parts).unwrap();
    write_metadata(&root, &metadata).unwrap();
    let set = read(&root).unwrap();
    assert_eq!((rows(&set.events), set.notices.len()), (rows(&events), 0));
    assert_eq!((set.split.as_ref(), set.metadata.dataset_name.as_deref()), (Some(&parts), Some("some")));
    assert_eq!(set.metadata.meds_version.as_deref(), Some(VERSION));
    let lab = set.events.codebook.get("LAB//50852//%").unwrap();
    assert_eq!(set.events.codebook.description(lab), Some("Haemoglobin A1c"));
    assert_eq!(set.events.codebook.parents(lab), ["LOINC/4548-4", "X"]);
    // Every file by itself, which is how sets beyond the memory are read; no subject is in two of them.
    let files = shards(&root).unwrap();
    assert!(files.len() > 6, "{files:?}");
    let parts: Vec<Events> = files.iter().map(|file| read_shard(file).unwrap().0).collect();
    assert_eq!(rows(&Events::merge(parts).unwrap()), rows(&events));
    // Without the list, the folders' names say it.
    fs::remove_file(root.join("metadata/subject_splits.parquet")).unwrap();
    let again = read(&root).unwrap();
    assert_eq!((again.split, again.notices.len()), (set.split, 1));
    let error = write(&root, &events, None, &metadata).unwrap_err().to_string();
    assert!(error.contains("choose another folder"), "{error}");
}

#[test]
fn equal_events_make_equal_files_and_none_make_a_set_too() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let root = folder.path().join(name);
        write(&root, &some(9), None, &Metadata::default()).unwrap();
        ["data/0.parquet", "metadata/codes.parquet", "metadata/dataset.json"]
            .map(|file| fs::read(root.join(file)).unwrap())
    };
    assert_eq!(bytes("a"), bytes("b"));
    let root = folder.path().join("empty");
    write(&root, &Events::default(), None, &Metadata::default()).unwrap();
    assert_eq!(read(&root).unwrap().events.rows(), 0);
    let error = read(folder.path().join("absent").as_path()).unwrap_err();
    assert!(matches!(error, IoError::Open { .. }), "{error}");
    fs::create_dir(folder.path().join("hollow")).unwrap();
    let error = read(&folder.path().join("hollow")).unwrap_err().to_string();
    assert!(error.ends_with("hollow has no Parquet files"), "{error}");
}

#[test]
fn a_subject_in_two_files_is_one_subject() {
    let folder = tempfile::tempdir().unwrap();
    let events = some(3);
    data::write(&folder.path().join("a.parquet"), events.iter()).unwrap();
    data::write(&folder.path().join("b.parquet"), events.iter().take(1)).unwrap();
    let set = read(folder.path()).unwrap();
    assert_eq!((set.events.subjects(), set.events.rows()), (events.subjects(), events.rows() + 1));
    assert!(set.notices[0].text.ends_with("1 subjects are in more than one file; their events are put together"));
}

fn save(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let fields: Vec<Field> =
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, values)| values).collect());
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch.unwrap()).unwrap();
    writer.close().unwrap();
}

#[test]
fn labels_come_back_and_off_ones_name_their_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    let label = |subject, hours, value| Label { subject, prediction_time: Time(0).plus(Span::hours(hours)), value };
    let text = |name: &str| LabelValue::Categorical(name.to_owned());
    let mut labels = vec![label(9, 1, text("home")), label(2, 5, text("died")), label(2, 1, text("home"))];
    write_labels(&path, &labels).unwrap();
    labels.sort_by(crate::labels::order);
    assert_eq!(read_labels(&path).unwrap(), (labels.clone(), Vec::new()));
    labels.push(label(1, 1, LabelValue::Boolean(true)));
    let error = write_labels(&path, &labels).unwrap_err().to_string();
    assert!(
        error.ends_with("row 4: it is boolean where the first is categorical; write one file of each kind"),
        "{error}"
    );
    write_labels(&path, &[]).unwrap();
    assert!(read_labels(folder.path()).unwrap().0.is_empty());

    let subjects: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(1)]));
    let both = |values: ArrayRef, others: ArrayRef| {
        save(
            &path,
            vec![
                ("subject_id", Arc::clone(&subjects)),
                ("prediction_time", Arc::clone(&times)),
                ("integer_value", values),
                ("float_value", others),
                ("note", Arc::new(StringArray::from(vec!["a", "b"]))),
            ],
        );
        read_labels(&path)
    };
    let ints = |values: [Option<i64>; 2]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    let floats = |values: [Option<f32>; 2]| -> ArrayRef { Arc::new(Float32Array::from(values.to_vec())) };
    let (read, notices) = both(ints([Some(3), None]), floats([None, Some(0.5)])).unwrap();
    assert_eq!((read[0].value.clone(), read[1].value.clone()), (LabelValue::Integer(3), LabelValue::Float(0.5)));
    assert!(notices[0].text.ends_with("columns that the schema does not allow are left out: note"));
    for (values, others, count) in [([Some(3), None], [None; 2], 0), ([Some(3), Some(3)], [None, Some(0.5)], 2)] {
        let error = both(ints(values), floats(others)).unwrap_err().to_string();
        assert!(error.ends_with(&format!("row 2: it has {count} values where a label has one")), "{error}");
    }
    save(&path, vec![("subject_id", subjects), ("prediction_time", times)]);
    assert!(read_labels(&path).unwrap_err().to_string().contains("there is no column of values"));
}

#[test]
fn columns_that_cannot_be_put_right_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["7"]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0)]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let refused = |columns: Vec<(&str, &ArrayRef)>| {
        save(&path, columns.into_iter().map(|(name, values)| (name, Arc::clone(values))).collect());
        read(&path).unwrap_err().to_string()
    };
    let error = refused(vec![("subject_id", &texts), ("time", &times), ("code", &texts)]);
    assert!(error.ends_with("the column subject_id is Utf8; it must be Int64"), "{error}");
    let error = refused(vec![("subject_id", &ids), ("code", &texts)]);
    assert!(error.ends_with("has no column time; it has: subject_id, code"), "{error}");
    let seconds: ArrayRef = Arc::new(::arrow::array::TimestampSecondArray::from(vec![Some(i64::MAX / 2)]));
    let error = refused(vec![("subject_id", &ids), ("time", &seconds), ("code", &texts)]);
    assert!(error.contains("cannot read on in") && error.contains("verflow"), "{error}");
    save(&path, vec![("subject_id", Arc::clone(&ids)), ("split", Arc::new(StringArray::from(vec!["dev"])))]);
    let (parts, notices) = read_splits(&path).unwrap();
    assert!(parts.is_empty() && notices[0].text.contains("1 subjects are in parts such as \"dev\""));
}
