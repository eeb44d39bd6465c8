//! The schemas of `meds` 0.4.1, `src/meds/schema.py`.

use std::sync::Arc;

use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Microseconds without a zone.
pub(super) const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Of a schema: its columns, how many of them (the first) must be there, and whether it has no others.
pub(super) struct Table {
    pub(super) schema: SchemaRef,
    pub(super) required: usize,
    pub(super) closed: bool,
}

/// Events: `DataSchema`.
pub(crate) fn data_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("subject_id", DataType::Int64, false),
        Field::new("time", TIME, true),
        Field::new("code", DataType::Utf8, false),
        Field::new("numeric_value", DataType::Float32, true),
        Field::new("text_value", DataType::LargeUtf8, true),
    ]))
}

/// Events: `DataSchema`.
pub(super) fn data() -> Table {
    Table { schema: data_schema(), required: 3, closed: false }
}

/// What the codes mean: `CodeMetadataSchema`.
pub(super) fn codes() -> Table {
    let names = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let fields = vec![
        Field::new("code", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, true),
        Field::new("parent_codes", names, true),
    ];
    Table { schema: Arc::new(Schema::new(fields)), required: 1, closed: false }
}

/// Who belongs to which part: `SubjectSplitSchema`.
pub(super) fn splits() -> Table {
    let fields = vec![Field::new("subject_id", DataType::Int64, false), Field::new("split", DataType::Utf8, false)];
    Table { schema: Arc::new(Schema::new(fields)), required: 2, closed: true }
}

/// Labels: `LabelSchema`, with every column that a value can be in.
pub(super) fn labels() -> Table {
    let fields = vec![
        Field::new("subject_id", DataType::Int64, false),
        Field::new("prediction_time", TIME, false),
        Field::new("boolean_value", DataType::Boolean, false),
        Field::new("integer_value", DataType::Int64, false),
        Field::new("float_value", DataType::Float32, false),
        Field::new("categorical_value", DataType::Utf8, false),
    ];
    Table { schema: Arc::new(Schema::new(fields)), required: 2, closed: true }
}
