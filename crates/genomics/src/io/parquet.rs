//! Predictions on their way out: one row for every row that came in, with its scores or with the reason why it has
//! none.
//!
//! The name of the file tells the format: `.parquet` (Snappy), `.csv` or `.tsv`. Rows are collected into batches, and
//! go to a temporary file in the same folder that gets its name when it is whole: a run that breaks off leaves the file
//! that was there before, and no half of another.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use nn_core::atomic::Temporary;

use super::IoError;
use super::text::extension;
use crate::locus::Locus;
use crate::predict::Prediction;

/// Rows that are collected before they are written.
const BATCH: usize = 8192;

/// The columns before those of the scores. Positions are 0-based and half-open, as in BED.
const COLUMNS: [&str; 7] = ["row", "name", "contig", "start", "end", "strand", "status"];

/// Where predictions go. [`PredictionWriter::finish`] completes the file; without it there is none.
pub struct PredictionWriter {
    sink: Sink,
    /// Number of scores of a row.
    outputs: usize,
    waiting: Vec<Prediction>,
    rows: u64,
    path: PathBuf,
    temporary: Option<Temporary>,
}

enum Sink {
    Text(Box<csv::Writer<Box<dyn Write + Send>>>),
    Columns(Box<ArrowWriter<BufWriter<File>>>, SchemaRef),
}

impl PredictionWriter {
    /// Starts a file with a column for each of `outputs`; its name (`.parquet`, `.csv` or `.tsv`) tells the format.
    ///
    /// # Errors
    /// [`IoError::Format`] for another name, [`IoError::Write`] if the file cannot be created.
    pub fn create(path: &Path, outputs: &[String]) -> Result<Self, IoError> {
        let kind = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
            String::new()
        } else {
            extension(path)
        };
        let delimiter = match kind.as_str() {
            "parquet" => None,
            "csv" => Some(b','),
            "tsv" => Some(b'\t'),
            _ => return Err(IoError::format(path, "predictions are .parquet, .csv or .tsv; name the file so")),
        };
        let (temporary, file) = Temporary::beside(path).map_err(|cause| failed(path, None, cause))?;
        let sink = match delimiter {
            None => Sink::columns(file, outputs),
            Some(delimiter) => Sink::text(Box::new(file), delimiter, outputs),
        };
        let sink = sink.map_err(|cause| failed(path, Some(&temporary), cause))?;
        Ok(Self::over(sink, outputs, path, Some(temporary)))
    }

    /// Writes CSV to a stream, such as standard output; `name` stands in messages.
    ///
    /// # Errors
    /// [`IoError::Write`] if the stream does not take the heading.
    pub fn csv(stream: Box<dyn Write + Send>, name: &str, outputs: &[String]) -> Result<Self, IoError> {
        let path = Path::new(name);
        let sink = Sink::text(stream, b',', outputs);
        let sink = sink.map_err(|cause| failed(path, None, cause))?;
        Ok(Self::over(sink, outputs, path, None))
    }

    fn over(sink: Sink, outputs: &[String], path: &Path, temporary: Option<Temporary>) -> Self {
        let path = path.to_path_buf();
        Self { sink, outputs: outputs.len(), waiting: Vec::new(), rows: 0, path, temporary }
    }

    /// Takes one row.
    ///
    /// # Errors
    /// [`IoError::Atomic`] if the disk is full; [`IoError::Write`] if the stream is closed, or the row has more or fewer
    /// scores than there are columns.
    pub fn push(&mut self, row: Prediction) -> Result<(), IoError> {
        let found = row.values.as_ref().map_or(self.outputs, Vec::len);
        if found != self.outputs {
            let problem = format!("row {} has {found} scores where {} are due", row.row, self.outputs);
            return Err(failed(&self.path, None, io::Error::new(io::ErrorKind::InvalidInput, problem)));
        }
        self.rows += 1;
        self.waiting.push(row);
        if self.waiting.len() < BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), IoError> {
        let rows = mem::take(&mut self.waiting);
        let written = self.sink.write(&rows, self.outputs);
        written.map_err(|cause| failed(&self.path, self.temporary.as_ref(), cause))
    }

    /// Writes what is left, gives the file its name, and returns the number of rows.
    ///
    /// # Errors
    /// As [`PredictionWriter::push`]; the file of that name, if there was one, is then untouched.
    pub fn finish(mut self) -> Result<u64, IoError> {
        self.flush()?;
        let Self { sink, rows, path, mut temporary, .. } = self;
        let named = sink.finish().and_then(|()| temporary.as_mut().map_or(Ok(()), Temporary::name));
        named.map(|()| rows).map_err(|cause| failed(&path, temporary.as_ref(), cause))
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

/// Names of the columns of the scores; one that another column has already gets `score ` before it.
fn heading(outputs: &[String]) -> Vec<String> {
    let mut names: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    for output in outputs {
        let mut name = output.clone();
        while names.contains(&name) {
            name.insert_str(0, "score ");
        }
        names.push(name);
    }
    names
}

impl Sink {
    fn text(stream: Box<dyn Write + Send>, delimiter: u8, outputs: &[String]) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(stream);
        writer.write_record(heading(outputs)).map_err(of_text)?;
        Ok(Self::Text(Box::new(writer)))
    }

    fn columns(file: File, outputs: &[String]) -> io::Result<Self> {
        // The name of the library and its version would make equal rows unequal files.
        let properties =
            WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by("galen".to_owned());
        let schema = schema(outputs);
        let file = BufWriter::with_capacity(1 << 20, file);
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.build())).map_err(of_columns)?;
        Ok(Self::Columns(Box::new(writer), schema))
    }

    fn write(&mut self, rows: &[Prediction], outputs: usize) -> io::Result<()> {
        match self {
            Self::Text(writer) => {
                for row in rows {
                    writer.write_record(fields(row, outputs)).map_err(of_text)?;
                }
                Ok(())
            }
            Self::Columns(writer, schema) => {
                let batch =
                    RecordBatch::try_new(Arc::clone(schema), columns(rows, outputs)).map_err(io::Error::other)?;
                writer.write(&batch).map_err(of_columns)
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Text(mut writer) => writer.flush(),
            Self::Columns(writer, _) => (*writer).into_inner().map_err(of_columns)?.flush(),
        }
    }
}

fn fields(row: &Prediction, outputs: usize) -> Vec<String> {
    let mut fields = vec![row.row.to_string(), row.name.clone()];
    fields.extend(match &row.locus {
        Some(Locus { contig, start, end, strand }) => {
            [contig.to_string(), start.to_string(), end.to_string(), strand.sign().to_string()]
        }
        None => [const { String::new() }; 4],
    });
    fields.push(row.status.clone());
    match &row.values {
        Some(values) => fields.extend(values.iter().map(f64::to_string)),
        None => fields.resize(COLUMNS.len() + outputs, String::new()),
    }
    fields
}

fn schema(outputs: &[String]) -> SchemaRef {
    let kind = |column: usize| match column {
        0 => (DataType::UInt64, false),
        1 | 6 => (DataType::Utf8, false),
        2 | 5 => (DataType::Utf8, true),
        3 | 4 => (DataType::Int64, true),
        _ => (DataType::Float64, true),
    };
    let field = |(column, name): (usize, String)| {
        let (kind, optional) = kind(column);
        Field::new(name, kind, optional)
    };
    Arc::new(Schema::new(heading(outputs).into_iter().enumerate().map(field).collect::<Vec<_>>()))
}

fn columns(rows: &[Prediction], outputs: usize) -> Vec<ArrayRef> {
    let text =
        |of: fn(&Prediction) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let place = |of: fn(&Locus) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.locus.as_ref().map(of)).collect::<Int64Array>())
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row))),
        text(|row| Some(row.name.clone())),
        text(|row| row.locus.as_ref().map(|locus| locus.contig.to_string())),
        place(|locus| locus.start),
        place(|locus| locus.end),
        text(|row| row.locus.as_ref().map(|locus| locus.strand.sign().to_string())),
        text(|row| Some(row.status.clone())),
    ];
    columns.extend((0..outputs).map(|output| -> ArrayRef {
        let values = rows.iter().map(|row| row.values.as_ref().map(|values| values[output]));
        Arc::new(values.collect::<Float64Array>())
    }));
    columns
}

#[cfg(test)]
mod tests;
