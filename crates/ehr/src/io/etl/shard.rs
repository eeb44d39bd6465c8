//! Partitions to shards: sorted by subject and time, written as Parquet in the MEDS schema.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ::arrow::array::{
    ArrayRef, Float32Array, Int64Array, LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use ::arrow::datatypes::SchemaRef;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use nn_core::atomic;
use serde::{Deserialize, Serialize};

use super::convert::Plan;
use super::spill::{RECORD, STATIC, decode, divide, read_json, write_json};
use crate::codebook::Codebook;
use crate::io::{IoError, meds};

/// Rows that become one batch for the writer.
const BATCH: usize = 1 << 16;

/// Rows of a row group. One is held encoded until it is complete.
const GROUP: usize = 1 << 18;

/// Deepest division of a partition; eight levels of two parts each make subjects of one hash alone.
const LEVELS: u64 = 8;

/// What is true of a partition once its shards are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Shards {
    /// Names of the files under `data`, and their lengths.
    files: Vec<(String, u64)>,
    pub(super) subjects: u64,
    pub(super) events: u64,
}

impl Shards {
    pub(super) fn count(&self) -> u64 {
        self.files.len() as u64
    }

    fn all_there(&self, data: &Path) -> bool {
        self.files.iter().all(|(name, length)| fs::metadata(data.join(name)).is_ok_and(|file| file.len() == *length))
    }
}

/// Writes the shards of every partition, several at a time as far as the memory goes; partitions that an earlier run
/// has finished are left as they are.
pub(super) fn write_all(
    work: &Path,
    data: &Path,
    partitions: usize,
    codebook: &Codebook,
    plan: &Plan,
) -> Result<Vec<Shards>, IoError> {
    fs::create_dir_all(data).map_err(IoError::write(data))?;
    atomic::sweep(data)?;
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<Shards, IoError>)>> = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= partitions {
                return;
            }
            let shards = finish(work, data, partition, codebook, plan);
            if shards.is_err() {
                // Nobody begins another one.
                next.store(partitions, Ordering::Relaxed);
            }
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((partition, shards));
        }
    };
    thread::scope(|scope| {
        for _ in 1..plan.workers.min(partitions) {
            scope.spawn(worker);
        }
        worker();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(partition, _)| *partition);
    results.into_iter().map(|(_, shards)| shards).collect()
}

fn finish(work: &Path, data: &Path, partition: usize, codebook: &Codebook, plan: &Plan) -> Result<Shards, IoError> {
    let done = work.join(format!("shard-{partition:04}.done"));
    let events = work.join(format!("{partition:04}.events"));
    if let Some(shards) = read_json::<Shards>(&done).filter(|shards| shards.all_there(data)) {
        return Ok(shards);
    }
    let mut shards = Shards::default();
    let name = format!("{partition:04}");
    write(&events, data, &name, 1, codebook, plan, &mut shards)?;
    write_json(&done, &shards)?;
    // Its events are in the shards now; the space may be needed for the next ones.
    fs::remove_file(&events).map_err(IoError::write(&events))?;
    Ok(shards)
}

/// Writes one partition, or the parts of one that is too large.
fn write(
    events: &Path,
    data: &Path,
    name: &str,
    level: u64,
    codebook: &Codebook,
    plan: &Plan,
    shards: &mut Shards,
) -> Result<(), IoError> {
    let length = fs::metadata(events).map_err(IoError::open(events))?.len();
    if length == 0 {
        return Ok(());
    }
    if length > plan.largest {
        if level > LEVELS {
            let problem = format!(
                "the events of one subject take {length} bytes where {} can be sorted within the memory given; give \
                 {} times as much",
                plan.largest,
                length.div_ceil(plan.largest)
            );
            return Err(IoError::format(events, problem));
        }
        let parts = length.div_ceil(plan.target).clamp(2, 64) as usize;
        let divided = divide(events, level, parts)?;
        for (part, path) in divided.iter().enumerate() {
            write(path, data, &format!("{name}-{part:02}"), level + 1, codebook, plan, shards)?;
            fs::remove_file(path).map_err(IoError::write(path))?;
        }
        return Ok(());
    }
    let bytes = fs::read(events).map_err(IoError::read(events))?;
    let rows = sorted(&bytes, codebook).map_err(|at| {
        IoError::format(events, format!("there is no event at byte {at}; remove the folder and start anew"))
    })?;
    let file = format!("{name}.parquet");
    let path = data.join(&file);
    write_shard(&path, &bytes, &rows, codebook)?;
    shards.files.push((file, fs::metadata(&path).map_err(IoError::write(&path))?.len()));
    shards.events += rows.len() as u64;
    shards.subjects += rows.chunk_by(|one, other| one.subject == other.subject).count() as u64;
    Ok(())
}

/// Where an event is, and what it is sorted by. Static events have the smallest time and come first; the place keeps
/// the order of events at one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    subject: i64,
    time: i64,
    at: u32,
}

/// The events of a partition in order, or the place where it is damaged.
fn sorted(bytes: &[u8], codebook: &Codebook) -> Result<Vec<Key>, usize> {
    // One allocation: growing would need twice the memory for a moment.
    let mut keys = Vec::with_capacity(bytes.len() / RECORD);
    let mut at = 0;
    while at < bytes.len() {
        let record = decode(bytes, at).filter(|record| record.code.index() < codebook.len()).ok_or(at)?;
        keys.push(Key { subject: record.subject, time: record.time, at: u32::try_from(at).map_err(|_| at)? });
        at += record.length;
    }
    keys.sort_unstable();
    Ok(keys)
}

fn write_shard(path: &Path, bytes: &[u8], rows: &[Key], codebook: &Codebook) -> Result<(), IoError> {
    let schema = meds::data_schema();
    // The name of the library and its version would make equal events unequal files.
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP))
        .set_created_by("galen".to_owned())
        .build();
    let written = atomic::write_with(path, |file| {
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(disk)?;
        for rows in rows.chunks(BATCH) {
            writer.write(&batch(&schema, bytes, rows, codebook)?).map_err(disk)?;
        }
        writer.close().map_err(disk)?;
        Ok(())
    });
    Ok(written?)
}

fn batch(schema: &SchemaRef, bytes: &[u8], rows: &[Key], codebook: &Codebook) -> io::Result<RecordBatch> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let records = rows.iter().map(|row| decode(bytes, row.at as usize)).collect::<Option<Vec<_>>>();
    let records = records.ok_or_else(damaged)?;
    let time = |time: i64| (time != STATIC).then_some(time);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.subject))),
        Arc::new(rows.iter().map(|row| time(row.time)).collect::<TimestampMicrosecondArray>()),
        Arc::new(StringArray::from_iter_values(records.iter().map(|record| codebook.name(record.code)))),
        Arc::new(
            records.iter().map(|record| (!record.value.is_nan()).then_some(record.value)).collect::<Float32Array>(),
        ),
        Arc::new(records.iter().map(|record| record.text).collect::<LargeStringArray>()),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(io::Error::other)
}

/// What the disk said, if it was the disk: a full one is told apart.
fn disk(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}
