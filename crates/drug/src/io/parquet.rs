//! Predictions on their way out: one row for every row that came in, scored or with the reason why not.
//!
//! The format follows the extension: `.parquet` (Snappy), `.csv` or `.tsv`. Rows are written in batches while they
//! come, to a temporary file in the same folder that gets its name at the end; an interrupted run leaves no half file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt64Array};
use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use nn_core::atomic::Temporary;

use super::IoError;
use super::text::extension;

/// Rows that are collected before they are written.
const BATCH: usize = 8192;

/// One row of the output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionRow {
    /// Number of the row of the input, from 1.
    pub row: u64,
    /// Identifier of the compound.
    pub id: String,
    /// SMILES as read.
    pub smiles: String,
    /// Identifier of the target.
    pub target: String,
    /// `ok`, or what is to be known about the row: `invalid: byte 12: ring 3 not closed`, `truncated 85/92`.
    pub status: String,
    /// Prediction in the units of the model; absent for rows that were refused.
    pub prediction: Option<f32>,
    /// Lower end of the interval, where the model gives one.
    pub low: Option<f32>,
    /// Upper end of the interval.
    pub high: Option<f32>,
}

/// Names of the columns, in order.
const COLUMNS: [&str; 8] = ["row", "id", "smiles", "target", "status", "prediction", "low", "high"];

/// Where predictions go. [`PredictionWriter::finish`] completes the file; without it there is none.
pub struct PredictionWriter {
    sink: Sink,
    waiting: Vec<PredictionRow>,
    rows: u64,
    path: PathBuf,
    temporary: Option<Temporary>,
}

enum Sink {
    Text(Box<csv::Writer<Box<dyn Write + Send>>>),
    Columns(Box<ArrowWriter<BufWriter<File>>>),
}

impl PredictionWriter {
    /// Starts a file; its extension (`.parquet`, `.csv` or `.tsv`) tells the format.
    ///
    /// # Errors
    /// [`IoError::Format`] for another extension, [`IoError::Write`] if the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, IoError> {
        let extension = extension(path);
        let compressed = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
        if compressed || !["parquet", "csv", "tsv"].contains(&extension.as_str()) {
            let problem = "predictions are written as .parquet, .csv or .tsv; choose one of these names".to_owned();
            return Err(IoError::Format { path: path.to_path_buf(), problem });
        }
        let (temporary, file) = Temporary::beside(path).map_err(|cause| failed(path, None, cause))?;
        let sink = match extension.as_str() {
            "parquet" => Sink::columns(file),
            "tsv" => Sink::text(Box::new(file), b'\t'),
            _ => Sink::text(Box::new(file), b','),
        };
        let sink = sink.map_err(|cause| failed(path, Some(&temporary), cause))?;
        Ok(Self { sink, waiting: Vec::new(), rows: 0, path: path.to_path_buf(), temporary: Some(temporary) })
    }

    /// Writes CSV to a stream, such as standard output; `name` stands in messages.
    ///
    /// # Errors
    /// [`IoError::Write`] if the stream does not take the header.
    pub fn csv(stream: Box<dyn Write + Send>, name: &str) -> Result<Self, IoError> {
        let path = PathBuf::from(name);
        match Sink::text(stream, b',') {
            Ok(sink) => Ok(Self { sink, waiting: Vec::new(), rows: 0, path, temporary: None }),
            Err(cause) => Err(failed(&path, None, cause)),
        }
    }

    /// Takes one row.
    ///
    /// # Errors
    /// [`IoError::Atomic`] if the disk is full, [`IoError::Write`] if the stream is closed.
    pub fn push(&mut self, row: PredictionRow) -> Result<(), IoError> {
        self.rows += 1;
        self.waiting.push(row);
        if self.waiting.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), IoError> {
        let rows = mem::take(&mut self.waiting);
        self.sink.write(rows).map_err(|cause| failed(&self.path, self.temporary.as_ref(), cause))
    }

    /// Writes what is left, gives the file its name, and returns the number of rows.
    ///
    /// # Errors
    /// As [`PredictionWriter::push`]; the file of that name, if there was one, is then untouched.
    pub fn finish(mut self) -> Result<u64, IoError> {
        self.flush()?;
        let Self { sink, rows, path, mut temporary, .. } = self;
        let kept = sink.finish().and_then(|()| temporary.as_mut().map_or(Ok(()), Temporary::name));
        kept.map(|()| rows).map_err(|cause| failed(&path, temporary.as_ref(), cause))
    }
}

/// Why rows could not be written to a file, or to a stream.
fn failed(path: &Path, temporary: Option<&Temporary>, cause: io::Error) -> IoError {
    match temporary {
        Some(temporary) => temporary.failure(cause).into(),
        None => IoError::Write { path: path.to_path_buf(), cause },
    }
}

/// What the disk said, if it was the disk: a full one is told apart.
fn of_text(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// As [`of_text`], of Parquet.
fn of_columns(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

/// Writes all rows to a file, as [`PredictionWriter`] does one by one, and returns how many there were.
///
/// # Errors
/// As [`PredictionWriter::create`] and [`PredictionWriter::finish`].
pub fn write(path: &Path, rows: impl IntoIterator<Item = PredictionRow>) -> Result<u64, IoError> {
    let mut writer = PredictionWriter::create(path)?;
    for row in rows {
        writer.push(row)?;
    }
    writer.finish()
}

impl Sink {
    fn text(stream: Box<dyn Write + Send>, delimiter: u8) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(stream);
        writer.write_record(COLUMNS).map_err(of_text)?;
        Ok(Self::Text(Box::new(writer)))
    }

    fn columns(file: File) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // The default names the version of the library; equal rows are to give equal bytes.
            .set_created_by("galen".to_owned())
            .build();
        let file = BufWriter::with_capacity(1 << 20, file);
        let writer = ArrowWriter::try_new(file, schema(), Some(properties)).map_err(of_columns)?;
        Ok(Self::Columns(Box::new(writer)))
    }

    fn write(&mut self, rows: Vec<PredictionRow>) -> io::Result<()> {
        match self {
            Self::Text(writer) => {
                let number = |value: Option<f32>| value.map(|value| value.to_string()).unwrap_or_default();
                for row in rows {
                    let (prediction, low, high) = (number(row.prediction), number(row.low), number(row.high));
                    let place = row.row.to_string();
                    let fields = [&place, &row.id, &row.smiles, &row.target, &row.status, &prediction, &low, &high];
                    writer.write_record(fields).map_err(of_text)?;
                }
                Ok(())
            }
            Self::Columns(writer) => writer.write(&batch(&rows)?).map_err(of_columns),
        }
    }

    /// Writes what is buffered; a file is also synced to the disk.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Text(mut writer) => writer.flush(),
            Self::Columns(writer) => (*writer).into_inner().map_err(of_columns)?.flush(),
        }
    }
}

fn schema() -> SchemaRef {
    let field = |column: usize, kind: DataType, optional: bool| Field::new(COLUMNS[column], kind, optional);
    Arc::new(Schema::new(vec![
        field(0, DataType::UInt64, false),
        field(1, DataType::Utf8, false),
        field(2, DataType::Utf8, false),
        field(3, DataType::Utf8, false),
        field(4, DataType::Utf8, false),
        field(5, DataType::Float32, true),
        field(6, DataType::Float32, true),
        field(7, DataType::Float32, true),
    ]))
}

fn batch(rows: &[PredictionRow]) -> io::Result<RecordBatch> {
    let text =
        |of: fn(&PredictionRow) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let number =
        |of: fn(&PredictionRow) -> Option<f32>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Float32Array>()) };
    let columns = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row))) as ArrayRef,
        text(|row| row.id.as_str()),
        text(|row| row.smiles.as_str()),
        text(|row| row.target.as_str()),
        text(|row| row.status.as_str()),
        number(|row| row.prediction),
        number(|row| row.low),
        number(|row| row.high),
    ];
    RecordBatch::try_new(schema(), columns).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use nn_core::atomic::AtomicError;

    use super::*;

    /// A stream on a full disk.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What becomes of a row of which `sink` takes nothing, when there are 5000 bytes of the file.
    fn refused(sink: Sink, smiles: &str) -> IoError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.csv");
        let (temporary, mut file) = Temporary::beside(&path).unwrap();
        file.write_all(&[b'x'; 5000]).unwrap();
        let mut writer = PredictionWriter { sink, waiting: Vec::new(), rows: 0, path, temporary: Some(temporary) };
        writer.push(PredictionRow { smiles: smiles.to_owned(), ..PredictionRow::default() }).unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a half file is left");
        error
    }

    #[test]
    fn a_full_disk_is_told_apart_and_says_how_much() {
        // The first row waits in the buffer of the writer until the end, the second one is longer than that.
        for smiles in ["C".to_owned(), "C".repeat(100_000)] {
            let error = refused(Sink::text(Box::new(Full), b',').unwrap(), &smiles);
            assert!(matches!(error, IoError::Atomic(AtomicError::Full { needed: 5000, .. })), "{error:?}");
            assert!(error.to_string().contains("o.csv: it needs at least 5000 bytes"), "{error}");
        }
        let error = of_columns(io::Error::from(io::ErrorKind::StorageFull).into());
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    // The kernel refuses every byte that is written there.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_apart_under_columns() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = refused(Sink::columns(full).unwrap(), "C");
        assert!(matches!(error, IoError::Atomic(AtomicError::Full { needed: 5000, .. })), "{error:?}");
    }
}
