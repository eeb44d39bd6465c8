//! Parquet files, opened with care and written whole or not at all.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::arrow::array::{ArrayRef, RecordBatch};
use ::arrow::datatypes::SchemaRef;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use nn_core::atomic;

use super::Notices;
use super::align::Aligned;
use super::schema::Table;
use crate::io::IoError;

/// Rows that are decoded at once.
const BATCH: usize = 1 << 14;

/// Rows of a row group.
const GROUP: usize = 1 << 18;

/// Reads a file: `take` gets the columns of the schema, some rows at a time. A decoder that gives up over damaged bytes
/// is an error like any other.
pub(super) fn read(
    path: &Path,
    table: Table,
    notices: &mut Notices,
    mut take: impl FnMut(&Aligned, &[ArrayRef]) -> Result<(), IoError>,
) -> Result<(), IoError> {
    let file = File::open(path).map_err(IoError::open(path))?;
    let damaged = |error: ParquetError| IoError::read(path)(disk(error));
    let step = || -> Result<(), IoError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
        let aligned = Aligned::new(path, builder.schema(), table, notices)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), aligned.roots());
        let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(damaged)?;
        for batch in reader {
            let batch = batch.map_err(|error| IoError::damaged(path, error.to_string()))?;
            let columns = aligned.columns(&batch).map_err(|error| IoError::damaged(path, error.to_string()))?;
            take(&aligned, &columns)?;
        }
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(IoError::damaged(path, format!("its content cannot be decoded ({said})")))
    })
}

/// Writes a file and the folder it is in; `next` gives the columns of some rows at a time.
pub(super) fn write(
    path: &Path,
    schema: &SchemaRef,
    mut next: impl FnMut() -> Option<Vec<ArrayRef>>,
) -> Result<(), IoError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(IoError::write(folder))?;
    }
    // The name of the library and its version would make equal rows unequal files.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP))
        .set_created_by("galen".to_owned())
        .build();
    atomic::write_with(path, |file| {
        let mut writer = ArrowWriter::try_new(file, SchemaRef::clone(schema), Some(properties)).map_err(disk)?;
        while let Some(columns) = next() {
            let batch = RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(io::Error::other)?;
            writer.write(&batch).map_err(disk)?;
        }
        writer.close().map_err(disk)?;
        Ok(())
    })?;
    Ok(())
}

/// What the disk said, if it was the disk: a full one is told apart.
fn disk(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
