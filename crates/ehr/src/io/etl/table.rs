//! The rows of one table, whichever format it is in, a batch at a time.
//!
//! A second thread decompresses and splits the rows ahead of whoever uses them, and never more than a few batches. A
//! crash of a decoder over a damaged file ends that thread only, and is reported as a damaged file.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use ::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader};
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;

use super::batch::{Batch, Column};
use super::folder::{Ending, ending};
use crate::io::{IoError, csv as text};

/// Rows of a batch.
const ROWS: usize = 8192;

/// Bytes of text after which a batch ends, however few its rows: notes are long.
const BATCH_BYTES: usize = 4 << 20;

/// What is said of a file over which its decoder crashed.
const GAVE_UP: &str = "its decoder gave up";

/// Batches that wait for whoever uses them.
const AHEAD: usize = 2;

/// An opened table: some of its columns, in the order in which they were asked for.
pub(crate) struct Table {
    path: PathBuf,
    batches: Option<Receiver<Result<Batch, IoError>>>,
    worker: Option<JoinHandle<()>>,
    present: Vec<bool>,
    header: Vec<String>,
}

impl Table {
    /// Opens a file and finds `columns` in it, in capital or small letters; those that it lacks read as missing.
    pub(crate) fn open(path: &Path, columns: &[&str]) -> Result<Self, IoError> {
        let mut rows = match ending(path) {
            Some(Ending::Parquet) => guarded(path, || Rows::parquet(path, columns))?,
            _ => Rows::csv(path, columns)?,
        };
        let (present, header) = (rows.present(), rows.header());
        let (sender, batches) = sync_channel(AHEAD);
        let worker = thread::Builder::new().name("galen-table".to_owned()).spawn(move || rows.send(&sender));
        let worker = worker.map_err(IoError::open(path))?;
        Ok(Self { path: path.to_path_buf(), batches: Some(batches), worker: Some(worker), present, header })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has the column at this place among those asked for.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.present[column]
    }

    /// Every column of the file, in small letters.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next rows, or `None` behind the last.
    pub(crate) fn batch(&mut self) -> Result<Option<Batch>, IoError> {
        let Some(batches) = &self.batches else { return Ok(None) };
        if let Ok(batch) = batches.recv() {
            return batch.map(Some);
        }
        self.batches = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(IoError::damaged(&self.path, GAVE_UP)),
            _ => Ok(None),
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Without a receiver the worker stops at its next batch.
        self.batches = None;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// A reader of rows of one of the formats.
enum Rows {
    Csv(Box<CsvRows>),
    Parquet {
        path: PathBuf,
        reader: Box<ParquetRecordBatchReader>,
        places: Vec<Option<usize>>,
        header: Vec<String>,
        next: u64,
    },
}

struct CsvRows {
    reader: text::Reader,
    /// Place of each wanted column in a row.
    places: Vec<Option<usize>>,
    next: u64,
}

impl Rows {
    fn csv(path: &Path, columns: &[&str]) -> Result<Self, IoError> {
        let reader = text::Reader::open(path)?;
        let places = places(reader.header(), columns, path)?;
        Ok(Self::Csv(Box::new(CsvRows { reader, places, next: 1 })))
    }

    fn parquet(path: &Path, columns: &[&str]) -> Result<Self, IoError> {
        let file = fs::File::open(path).map_err(IoError::open(path))?;
        let damaged = |error: ParquetError| IoError::read(path)(error.into());
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
        let header = names(builder.schema());
        let wanted: Vec<usize> = places(&header, columns, path)?.into_iter().flatten().collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let reader = builder.with_projection(mask).with_batch_size(ROWS).build().map_err(damaged)?;
        // The columns of a batch are those of the projection, in the file's order.
        let projected = names(&reader.schema());
        let places = places(&projected, columns, path)?;
        Ok(Self::Parquet { path: path.to_path_buf(), reader: Box::new(reader), places, header, next: 1 })
    }

    fn present(&self) -> Vec<bool> {
        let places = match self {
            Self::Csv(rows) => &rows.places,
            Self::Parquet { places, .. } => places,
        };
        places.iter().map(Option::is_some).collect()
    }

    fn header(&self) -> Vec<String> {
        match self {
            Self::Csv(rows) => rows.reader.header().to_vec(),
            Self::Parquet { header, .. } => header.clone(),
        }
    }

    /// Reads to the end or to the first error, or until nobody listens.
    fn send(&mut self, to: &SyncSender<Result<Batch, IoError>>) {
        loop {
            let batch = match self {
                Self::Csv(rows) => rows.batch(),
                Self::Parquet { path, reader, places, next, .. } => {
                    batch(reader, places, next).map_err(IoError::read(path))
                }
            };
            let (message, last) = match batch {
                Ok(None) => return,
                Ok(Some(batch)) => (Ok(batch), false),
                Err(error) => (Err(error), true),
            };
            if to.send(message).is_err() || last {
                return;
            }
        }
    }
}

/// What `open` returns; a decoder that crashes over damaged bytes counts as an error of the file.
pub(super) fn guarded<T>(path: &Path, open: impl FnOnce() -> Result<T, IoError>) -> Result<T, IoError> {
    // Nothing of what it was about is used afterwards.
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err(IoError::damaged(path, GAVE_UP)))
}

fn names(schema: &SchemaRef) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().to_lowercase()).collect()
}

/// Where each wanted column is; a name that stands twice in the heading would make the choice arbitrary.
fn places(header: &[String], columns: &[&str], path: &Path) -> Result<Vec<Option<usize>>, IoError> {
    let place = |wanted: &&str| {
        let mut found = header.iter().enumerate().filter(|(_, name)| name == wanted).map(|(place, _)| place);
        let first = found.next();
        match found.next() {
            Some(_) => Err(IoError::format(path, format!("the column {wanted} is there twice; rename one of them"))),
            None => Ok(first),
        }
    };
    columns.iter().map(place).collect()
}

impl CsvRows {
    fn batch(&mut self) -> Result<Option<Batch>, IoError> {
        let column = |place: &Option<usize>| match place {
            Some(_) => Column::Fields { text: String::new(), ends: Vec::with_capacity(ROWS) },
            None => Column::Absent,
        };
        let mut batch = Batch {
            columns: self.places.iter().map(column).collect(),
            rows: 0,
            first: self.next,
            lines: Vec::with_capacity(ROWS),
            ragged: Vec::new(),
        };
        let mut size = 0;
        while batch.rows + batch.ragged.len() < ROWS && size < BATCH_BYTES {
            let row = match self.reader.advance()? {
                None => break,
                Some(Err(error)) => {
                    batch.ragged.push((error.number, error.problem));
                    continue;
                }
                Some(Ok(row)) => row,
            };
            for (column, place) in batch.columns.iter_mut().zip(&self.places) {
                if let (Column::Fields { text, ends }, Some(place)) = (column, place) {
                    let field = row.get(*place);
                    size += field.len();
                    text.push_str(field);
                    ends.push(text.len());
                }
            }
            batch.lines.push(row.line());
            batch.rows += 1;
        }
        self.next += batch.rows as u64;
        Ok((batch.rows + batch.ragged.len() > 0).then_some(batch))
    }
}

fn batch(reader: &mut ParquetRecordBatchReader, places: &[Option<usize>], next: &mut u64) -> io::Result<Option<Batch>> {
    let Some(rows) = reader.next() else { return Ok(None) };
    let rows: RecordBatch = rows.map_err(io::Error::other)?;
    let column = |place: &Option<usize>| match place {
        Some(place) => columns(rows.column(*place)),
        None => Ok(Column::Absent),
    };
    let columns = places.iter().map(column).collect::<io::Result<Vec<_>>>()?;
    let first = *next;
    *next += rows.num_rows() as u64;
    Ok(Some(Batch { columns, rows: rows.num_rows(), first, lines: Vec::new(), ragged: Vec::new() }))
}

/// A column as one of the kinds that are told apart here.
fn columns(values: &ArrayRef) -> io::Result<Column> {
    let to = |kind: &DataType| cast(values, kind).map_err(io::Error::other);
    Ok(match values.data_type() {
        kind if kind.is_integer() => Column::Ints(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
        kind if kind.is_numeric() => Column::Floats(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone()),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            Column::Times(micros.as_primitive::<TimestampMicrosecondType>().clone())
        }
        _ => Column::Strings(to(&DataType::Utf8)?.as_string::<i32>().clone()),
    })
}
