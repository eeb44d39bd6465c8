//! TensorBoard event files, scalars only.
//!
//! A file is a sequence of records, each `length (u64 LE) · masked CRC-32C of length · payload · masked CRC-32C of
//! payload` (`tensorflow/core/lib/io/record_writer`). The payload is an `Event` message of
//! `tensorflow/core/util/event.proto`; the five fields in use are encoded here by hand, in the order of their numbers
//! and without default values, as the protobuf library does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Added to the rotated checksum, so that a checksum of data that contains checksums stays good.
const MASK_DELTA: u32 = 0xa282_ead8;

/// What the names of event files begin with; the seconds since 1970 follow.
const NAME: &str = "events.out.tfevents.";

/// Seconds of the last moment that has ten digits, in the year 2286: names are sorted as text.
const LATEST: f64 = 9_999_999_999.0;

// Field number << 3 | wire type: 0 varint, 1 64 bits, 2 length-delimited, 5 32 bits.
const EVENT_WALL_TIME: u8 = (1 << 3) | 1;
const EVENT_STEP: u8 = 2 << 3;
const EVENT_FILE_VERSION: u8 = (3 << 3) | 2;
const EVENT_SUMMARY: u8 = (5 << 3) | 2;
const EVENT_SESSION_LOG: u8 = (7 << 3) | 2;
const SUMMARY_VALUE: u8 = (1 << 3) | 2;
const VALUE_TAG: u8 = (1 << 3) | 2;
const VALUE_SIMPLE: u8 = (2 << 3) | 5;
const SESSION_STATUS: u8 = 1 << 3;
const SESSION_START: u8 = 1;

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    out: BufWriter<File>,
}

impl EventWriter {
    /// Starts a new event file in `folder`. `step` is the first step that it will hold: TensorBoard discards what older
    /// files of the folder hold from that step on, so that a resumed run replaces the part that it repeats.
    /// `wall_time` is in seconds since 1970.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be created or written.
    pub fn create(folder: &Path, step: u64, wall_time: f64) -> io::Result<Self> {
        let (path, file) = new_file(folder, wall_time)?;
        let mut writer = Self { path, out: BufWriter::new(file) };
        writer.write(&file_version(wall_time))?;
        writer.write(&session_start(step, wall_time))?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the scalars of one step, by tag; they share one event.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f64)]) -> io::Result<()> {
        self.write(&scalars(step, wall_time, values))
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        self.out.write_all(&record(payload))
    }
}

/// A file whose name TensorBoard recognises, behind all that are there: it reads files in the order of their names, and
/// none that comes before one it has read. So a run that is resumed within the same second, or after the clock was put
/// back, is shown behind what it goes on from.
fn new_file(folder: &Path, wall_time: f64) -> io::Result<(PathBuf, File)> {
    let last = last_name(folder)?;
    let named = last.strip_prefix(NAME).and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
    let first = named.unwrap_or(0).max(wall_time.clamp(0.0, LATEST) as u64);
    for seconds in first..=first.saturating_add(1) {
        for number in 0..1000 {
            let name = format!("{NAME}{seconds:010}.galen.{number:03}");
            if name <= last {
                continue;
            }
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
    let problem = format!("no name is left behind {last:?}; move the event files elsewhere");
    Err(io::Error::new(io::ErrorKind::AlreadyExists, problem))
}

/// The last event file of a folder by its name; empty if there is none.
fn last_name(folder: &Path) -> io::Result<String> {
    let mut last = String::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(NAME) && name > last {
            last = name;
        }
    }
    Ok(last)
}

/// Frames a payload.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(payload.len() + 16);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&masked_crc(&length).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&masked_crc(payload).to_le_bytes());
    bytes
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

fn file_version(wall_time: f64) -> Vec<u8> {
    let mut event = event(0, wall_time);
    delimited(&mut event, EVENT_FILE_VERSION, b"brain.Event:2");
    event
}

fn session_start(step: u64, wall_time: f64) -> Vec<u8> {
    let mut event = event(step, wall_time);
    delimited(&mut event, EVENT_SESSION_LOG, &[SESSION_STATUS, SESSION_START]);
    event
}

fn scalars(step: u64, wall_time: f64, values: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut entry = Vec::new();
        delimited(&mut entry, VALUE_TAG, tag.as_bytes());
        entry.push(VALUE_SIMPLE);
        entry.extend_from_slice(&(*value as f32).to_le_bytes());
        delimited(&mut summary, SUMMARY_VALUE, &entry);
    }
    let mut event = event(step, wall_time);
    delimited(&mut event, EVENT_SUMMARY, &summary);
    event
}

/// The two fields that every event has.
fn event(step: u64, wall_time: f64) -> Vec<u8> {
    let mut bytes = vec![EVENT_WALL_TIME];
    bytes.extend_from_slice(&wall_time.to_le_bytes());
    if step != 0 {
        bytes.push(EVENT_STEP);
        varint(&mut bytes, step);
    }
    bytes
}

fn delimited(bytes: &mut Vec<u8>, key: u8, content: &[u8]) {
    bytes.push(key);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// Seven bits a byte, lowest first, the high bit set on all but the last.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3720, appendix B.4: CRC-32C of 32 zero bytes is 8a9136aa
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    // tests/golden/make_scalars.py wrote the file with TensorBoard's own classes
    #[test]
    fn the_bytes_are_tensorboards() {
        let mut ours = Vec::new();
        for payload in [
            file_version(1_700_000_000.5),
            session_start(0, 1_700_000_000.5),
            scalars(0, 1_700_000_001.25, &[("train/loss", 0.0)]),
            scalars(1, 1_700_000_002.25, &[("train/loss", 2.5), ("validation/mse", -0.125)]),
            scalars(300, 1_700_000_003.75, &[("train/loss", 1e-3)]),
            session_start(129, 1_700_000_004.0),
            scalars(1 << 40, 1_700_000_005.0, &[("métrique", 3.4e38)]),
        ] {
            ours.extend_from_slice(&record(&payload));
        }
        assert_eq!(ours, include_bytes!("../tests/golden/scalars.tfevents"));
    }

    #[test]
    fn a_second_file_of_the_same_second_gets_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path(), 0, 5.5).unwrap();
        let second = EventWriter::create(folder.path(), 7, 5.9).unwrap();
        assert_ne!(first.path(), second.path());
        assert!(first.path() < second.path());
        assert!(first.path().to_string_lossy().contains("tfevents.0000000005"));
    }

    // TensorBoard sorts the names as Python sorts text, by code points (`directory_loader`, `io_wrapper`).
    #[test]
    fn a_file_is_behind_those_that_are_there_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut made = Vec::new();
        for wall_time in [1_700_000_000.5, 1_700_000_000.5, 1_500_000_000.0, -4.0, 1_700_000_001.0, 1e300, 5.0] {
            made.push(EventWriter::create(folder.path(), 0, wall_time).unwrap().path().to_path_buf());
        }
        let mut sorted = made.clone();
        sorted.sort();
        assert_eq!(made, sorted);
        sorted.dedup();
        assert_eq!(made.len(), sorted.len());
        assert!(made[3].ends_with("events.out.tfevents.1700000000.galen.003"), "{made:?}");

        // of another program, whose name comes behind ours of the same second
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("events.out.tfevents.1700000000.host.12.0");
        fs::write(&other, b"").unwrap();
        assert!(EventWriter::create(folder.path(), 0, 6.0).unwrap().path() > other.as_path());
    }
}
