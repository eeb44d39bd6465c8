//! Events on their way through the disk: one file for each partition of the subjects, and what is needed to go on after
//! a crash.
//!
//! A record is the subject, the time (the smallest number for none), the code's number with its highest bit set where a
//! text follows, and the value (NaN for none): 24 bytes, little-endian. A text is its length and its bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use nn_core::atomic::{self, AtomicError};
use serde::{Deserialize, Serialize};

use super::Sink;
use crate::codebook::{CodeId, Codebook};
use crate::io::{Counts, IoError};
use crate::time::Time;

/// Bytes of a record without its text.
pub(super) const RECORD: usize = 24;

/// Set in the number of a code whose record has a text.
const TEXT: u32 = 1 << 31;

/// Version of the files in the working folder; another one makes a conversion start anew.
const VERSION: u32 = 1;

/// Stands for "no time".
pub(super) const STATIC: i64 = i64::MIN;

/// What a conversion depends on.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct State {
    version: u32,
    fingerprint: String,
    partitions: usize,
}

/// What is true once a step is finished.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) step: String,
    pub(super) counts: Counts,
    /// Events of this step.
    pub(super) events: u64,
    /// Length of each partition's file.
    lengths: Vec<u64>,
    /// Length of the file of codes.
    codes: u64,
}

/// The partitions of a conversion, in a working folder.
pub(super) struct Spill {
    folder: PathBuf,
    files: Vec<BufWriter<File>>,
    lengths: Vec<u64>,
    codebook: Codebook,
    /// Codes that are in the file of codes, and its length.
    saved: (usize, u64),
    /// Events of the present step.
    events: u64,
    record: Vec<u8>,
    failed: Option<IoError>,
    /// Held as long as this process converts; the system takes it back however the process ends.
    _lock: File,
}

impl Spill {
    /// Opens the working folder, with the steps that an earlier run has finished there if what it converted is
    /// unchanged. `partitions` counts only if it starts anew.
    pub(super) fn open(
        folder: &Path,
        fingerprint: String,
        partitions: usize,
        steps: &[String],
    ) -> Result<(Self, Vec<Done>), IoError> {
        fs::create_dir_all(folder).map_err(IoError::write(folder))?;
        let lock = lock(folder)?;
        let state = read_json::<State>(&folder.join("state.json"))
            .filter(|state| state.version == VERSION && state.fingerprint == fingerprint && state.partitions > 0);
        let partitions = state.as_ref().map_or(partitions, |state| state.partitions);
        let known = |step: &String| {
            let done: Option<Done> = read_json(&folder.join(done_name(step)));
            done.filter(|done| done.lengths.len() == partitions)
        };
        let done: Vec<Done> = match &state {
            Some(_) => steps.iter().map_while(known).collect(),
            None => Vec::new(),
        };
        if state.is_none() {
            clear(folder)?;
            let state = State { version: VERSION, fingerprint, partitions };
            write_json(&folder.join("state.json"), &state)?;
        }
        let (lengths, codes) = done.last().map_or((vec![0; partitions], 0), |last| (last.lengths.clone(), last.codes));
        let codebook = read_codes(&folder.join("codes.jsonl"), codes)?;
        let mut spill = Self {
            folder: folder.to_path_buf(),
            files: Vec::new(),
            lengths,
            saved: (codebook.len(), codes),
            codebook,
            events: 0,
            record: Vec::with_capacity(64),
            failed: None,
            _lock: lock,
        };
        if done.len() < steps.len() {
            spill.reopen()?;
        }
        Ok((spill, done))
    }

    /// Cuts every partition to what the last finished step left, and opens it to be gone on with.
    fn reopen(&mut self) -> Result<(), IoError> {
        // Many partitions share what a few would have.
        let buffer = ((16 << 20) / self.lengths.len()).clamp(4 << 10, 256 << 10);
        for (partition, length) in self.lengths.iter().enumerate() {
            let path = self.partition(partition);
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(IoError::write(&path))?;
            let found = file.metadata().map_err(IoError::write(&path))?.len();
            if found < *length {
                let problem = format!("it has {found} bytes where {length} are due; remove the folder and start anew");
                return Err(IoError::format(&path, problem));
            }
            file.set_len(*length).map_err(IoError::write(&path))?;
            io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(IoError::write(&path))?;
            self.files.push(BufWriter::with_capacity(buffer, file));
        }
        Ok(())
    }

    /// How many partitions there are.
    pub(super) fn partitions(&self) -> usize {
        self.lengths.len()
    }

    /// The file of a partition.
    pub(super) fn partition(&self, partition: usize) -> PathBuf {
        self.folder.join(format!("{partition:04}.events"))
    }

    /// Closes the files, for which nothing comes any more, and hands out the codes of all events. The folder stays
    /// locked.
    pub(super) fn close(&mut self) -> &mut Codebook {
        self.files = Vec::new();
        &mut self.codebook
    }

    /// Makes everything of a step durable and says so in its `.done` file.
    pub(super) fn commit(&mut self, step: &str, counts: Counts) -> Result<Done, IoError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let needed = self.lengths.iter().sum();
        for file in &mut self.files {
            file.flush().and_then(|()| file.get_ref().sync_data()).map_err(refused(&self.folder, needed))?;
        }
        self.save_codes()?;
        let done = Done {
            step: step.to_owned(),
            counts,
            events: std::mem::take(&mut self.events),
            lengths: self.lengths.clone(),
            codes: self.saved.1,
        };
        write_json(&self.folder.join(done_name(step)), &done)?;
        Ok(done)
    }

    fn save_codes(&mut self) -> Result<(), IoError> {
        let path = self.folder.join("codes.jsonl");
        let mut lines = Vec::new();
        for (_, code) in self.codebook.iter().skip(self.saved.0) {
            serde_json::to_writer(&mut lines, code).map_err(|error| IoError::write(&path)(error.into()))?;
            lines.push(b'\n');
        }
        let appended = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(self.saved.1)?;
            io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
            file.write_all(&lines)?;
            file.sync_data()
        };
        let length = self.saved.1 + lines.len() as u64;
        appended().map_err(refused(&path, length))?;
        self.saved = (self.codebook.len(), length);
        Ok(())
    }

    fn push(&mut self, subject: i64, time: i64, code: &str, value: f32, text: Option<&str>) -> io::Result<()> {
        let id = self.codebook.intern(code).0;
        if id >= TEXT {
            return Err(io::Error::other("there are more than 2147483648 different codes"));
        }
        let partition = partition_of(subject, 0, self.files.len());
        self.record.clear();
        encode(&mut self.record, subject, time, id, value, text);
        self.files[partition].write_all(&self.record)?;
        self.lengths[partition] += self.record.len() as u64;
        Ok(())
    }
}

impl Sink for Spill {
    fn event(&mut self, subject: i64, time: Option<Time>, code: &str, value: Option<f32>, text: Option<&str>) {
        if self.failed.is_some() {
            return;
        }
        let value = value.filter(|value| value.is_finite()).unwrap_or(f32::NAN);
        let text = text.filter(|text| !text.is_empty());
        match self.push(subject, time.map_or(STATIC, |time| time.0), code, value, text) {
            Ok(()) => self.events += 1,
            Err(cause) => {
                let needed = self.lengths.iter().sum::<u64>() + self.record.len() as u64;
                self.failed = Some(refused(&self.folder, needed)(cause));
            }
        }
    }

    fn broken(&self) -> bool {
        self.failed.is_some()
    }
}

fn encode(record: &mut Vec<u8>, subject: i64, time: i64, code: u32, value: f32, text: Option<&str>) {
    record.extend_from_slice(&subject.to_le_bytes());
    record.extend_from_slice(&time.to_le_bytes());
    record.extend_from_slice(&(code | if text.is_some() { TEXT } else { 0 }).to_le_bytes());
    record.extend_from_slice(&value.to_le_bytes());
    if let Some(text) = text {
        // What is longer than 4 GiB is no text of a record; the length must not lie, so it is cut at a character.
        let mut end = text.len().min(u32::MAX as usize);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        record.extend_from_slice(&(end as u32).to_le_bytes());
        record.extend_from_slice(&text.as_bytes()[..end]);
    }
}

/// One event of a partition that lies in memory.
pub(super) struct Record<'a> {
    pub(super) subject: i64,
    pub(super) time: i64,
    pub(super) code: CodeId,
    pub(super) value: f32,
    pub(super) text: Option<&'a str>,
    /// Bytes that it takes.
    pub(super) length: usize,
}

/// Subject, time, code and value of the record that begins here; the highest bit of the code says whether a text
/// follows.
fn head(bytes: &[u8]) -> Option<(i64, i64, u32, u32)> {
    let (subject, bytes) = bytes.split_first_chunk::<8>()?;
    let (time, bytes) = bytes.split_first_chunk::<8>()?;
    let (code, bytes) = bytes.split_first_chunk::<4>()?;
    let value = bytes.first_chunk::<4>()?;
    let (subject, time) = (i64::from_le_bytes(*subject), i64::from_le_bytes(*time));
    Some((subject, time, u32::from_le_bytes(*code), u32::from_le_bytes(*value)))
}

/// The record that begins at a place of a partition; `None` if what is there is none.
pub(super) fn decode(bytes: &[u8], at: usize) -> Option<Record<'_>> {
    let bytes = bytes.get(at..)?;
    let (subject, time, code, value) = head(bytes)?;
    let value = f32::from_bits(value);
    let mut record = Record { subject, time, code: CodeId(code & !TEXT), value, text: None, length: RECORD };
    if code & TEXT != 0 {
        let (length, bytes) = bytes.get(RECORD..)?.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        record.text = Some(std::str::from_utf8(bytes.get(..length)?).ok()?);
        record.length = RECORD + 4 + length;
    }
    Some(record)
}

/// Divides a partition's file among `parts` files by another hash of the subject, keeping the order.
pub(super) fn divide(path: &Path, level: u64, parts: usize) -> Result<Vec<PathBuf>, IoError> {
    let part = |part: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{part:03}"));
        PathBuf::from(name)
    };
    let paths: Vec<PathBuf> = (0..parts).map(part).collect();
    let divided = || -> io::Result<()> {
        let create = |path: &PathBuf| File::create(path).map(|file| BufWriter::with_capacity(64 << 10, file));
        let mut files = paths.iter().map(create).collect::<io::Result<Vec<_>>>()?;
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut record = Vec::new();
        while !reader.fill_buf()?.is_empty() {
            record.resize(RECORD, 0);
            reader.read_exact(&mut record)?;
            let (subject, _, code, _) = head(&record).ok_or(io::ErrorKind::UnexpectedEof)?;
            if code & TEXT != 0 {
                let mut length = [0; 4];
                reader.read_exact(&mut length)?;
                record.extend_from_slice(&length);
                let length = u64::from(u32::from_le_bytes(length));
                if reader.by_ref().take(length).read_to_end(&mut record)? as u64 != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            files[partition_of(subject, level, parts)].write_all(&record)?;
        }
        files.iter_mut().try_for_each(Write::flush)
    };
    let needed = fs::metadata(path).map_or(0, |file| file.len());
    divided().map_err(refused(path, needed))?;
    Ok(paths)
}

/// Why a file or folder did not take what it was given: a full disk is told apart, with the bytes that come there.
fn refused(path: &Path, needed: u64) -> impl Fn(io::Error) -> IoError {
    move |cause| match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            AtomicError::Full { path: path.to_path_buf(), needed, cause }.into()
        }
        _ => IoError::write(path)(cause),
    }
}

/// The partition of a subject among `parts`; each level divides differently.
fn partition_of(subject: i64, level: u64, parts: usize) -> usize {
    // The finaliser of SplitMix64 (Steele, Lea and Flood 2014): neighbouring numbers part, and so do the levels.
    let mut hash = (subject as u64).wrapping_add((level + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ (hash >> 31)) % parts as u64) as usize
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, IoError> {
    let path = folder.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(IoError::write(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(IoError::format(&path, "another process converts into this folder; wait for it or name another folder"))
        }
        Err(fs::TryLockError::Error(cause)) => Err(IoError::write(&path)(cause)),
    }
}

/// Removes what an earlier conversion of something else has left.
fn clear(folder: &Path) -> Result<(), IoError> {
    for entry in fs::read_dir(folder).map_err(IoError::write(folder))? {
        let path = entry.map_err(IoError::write(folder))?.path();
        if path.is_file() && path.file_name().is_none_or(|name| name != "lock") {
            fs::remove_file(&path).map_err(IoError::write(&path))?;
        }
    }
    Ok(())
}

fn read_codes(path: &Path, length: u64) -> Result<Codebook, IoError> {
    let mut codebook = Codebook::new();
    if length == 0 {
        return Ok(codebook);
    }
    let failed = IoError::read(path);
    let file = File::open(path).map_err(IoError::open(path))?;
    for line in BufReader::new(file.take(length)).lines() {
        let code: String = serde_json::from_str(&line.map_err(&failed)?).map_err(|error| failed(error.into()))?;
        codebook.intern(&code);
    }
    Ok(codebook)
}

fn done_name(step: &str) -> String {
    format!("step-{step}.done")
}

/// A JSON file; `None` if it is not there or is not what it should be, which makes the work be done again.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a JSON file, whole or not at all.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), IoError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| IoError::write(path)(error.into()))?;
    Ok(atomic::write(path, &bytes)?)
}
