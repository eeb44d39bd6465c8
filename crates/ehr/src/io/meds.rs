//! MEDS data sets, version 0.4 (Medical Event Data Standard, `meds` 0.4.1): the form in which all events are kept.
//!
//! | file | what |
//! |---|---|
//! | `data/**/*.parquet` | the events; a subject is in one file, its rows together, static ones first, then by time |
//! | `metadata/codes.parquet` | what the codes mean, and the codes above them |
//! | `metadata/subject_splits.parquet` | which part each subject belongs to |
//! | `metadata/dataset.json` | name, version and origin |
//! | labels, anywhere | subject, prediction time (data up to and with it may be used), value |
//!
//! What is written has exactly these schemas. What is read may be off: other widths of numbers and kinds of text, times
//! in other units, rows out of order, a subject in two files, no `data` or `metadata` folder. It is put right where that
//! loses nothing, and a [`Notice`] says so; an event without a subject or a code is dropped and counted.
//!
//! ```
//! use ehr::events::EventsBuilder;
//! use ehr::io::meds::{self, Metadata};
//! use ehr::time::Time;
//! let mut rows = EventsBuilder::new();
//! rows.push(7, None, "GENDER//F", None, None);
//! rows.push(7, Time::parse("2130-04-01 12:00:00"), "LAB//50852//%", Some(7.5), None);
//! let folder = tempfile::tempdir()?;
//! meds::write(folder.path(), &rows.finish()?, None, &Metadata::default())?;
//! let set = meds::read(folder.path())?;
//! assert_eq!((set.events.subjects(), set.events.rows(), set.notices.len()), (1, 2, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod align;
mod codes;
mod data;
mod labels;
mod metadata;
mod schema;
mod splits;
mod store;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use self::codes::{read_codes, write_codes};
pub use self::labels::{read_labels, write_labels};
pub use self::metadata::{Metadata, VERSION, read_metadata, write_metadata};
pub(crate) use self::schema::data_schema;
pub use self::splits::{read_splits, write_splits};

use self::data::Shard;
use super::{Counts, IoError, Notice};
use crate::events::{Events, EventsBuilder, EventsError};
use crate::split::{Part, Split};

/// Name of the folder with the events.
const DATA: &str = "data";

/// Name of the folder with everything else.
const METADATA: &str = "metadata";

/// How deep under a folder its files may lie; a link to a folder above would never end.
const DEPTH: usize = 8;

/// Rows of a shard at which the next subject begins another one.
const ROWS_PER_SHARD: usize = 1 << 23;

/// Everything that a data set holds.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    /// The events, with what `codes.parquet` says about the codes.
    pub events: Events,
    /// The parts that the set names; those of folders named after parts, if it has no list of subjects.
    pub split: Option<Split>,
    /// Name, version and origin.
    pub metadata: Metadata,
    /// What became of the rows.
    pub counts: Counts,
    /// What was put right.
    pub notices: Vec<Notice>,
}

/// Texts, each with the first file that it is about and how many there are.
#[derive(Debug, Default)]
struct Notices(BTreeMap<String, (PathBuf, usize)>);

impl Notices {
    fn add(&mut self, path: &Path, text: impl Into<String>) {
        self.0.entry(text.into()).or_insert_with(|| (path.to_path_buf(), 0)).1 += 1;
    }

    fn append(&mut self, other: Self) {
        for (text, (path, files)) in other.0 {
            self.0.entry(text).or_insert_with(|| (path, 0)).1 += files;
        }
    }

    fn finish(self) -> Vec<Notice> {
        let notice = |(text, (path, files)): (String, (PathBuf, usize))| match files {
            1 => Notice::of(&path, text),
            _ => Notice::of(&path, format!("{text} (as in {} more files)", files - 1)),
        };
        self.0.into_iter().map(notice).collect()
    }
}

/// The files of events in a data set, by name: a Parquet file itself, those under `data`, or those of a folder that has
/// no `data`. Each can be read by [`read_shard`], so that a set that does not fit into memory is used file by file.
///
/// # Errors
/// [`IoError::Open`], or [`IoError::Empty`] if there are none.
pub fn shards(path: &Path) -> Result<Vec<PathBuf>, IoError> {
    let root = path.join(DATA);
    parquet_files(if root.is_dir() { &root } else { path })
}

/// Reads a whole data set: a folder, or a single Parquet file of events.
///
/// # Errors
/// [`IoError`] if a file is missing, damaged, or cannot be put right; it names the file.
pub fn read(path: &Path) -> Result<DataSet, IoError> {
    let files = shards(path)?;
    let mut notices = Notices::default();
    let results: Vec<Result<Shard, IoError>> = files.par_iter().map(|file| data::read(file)).collect();
    let (mut parts, mut counts) = (Vec::with_capacity(files.len()), Counts::default());
    for shard in results {
        let shard = shard?;
        counts.add(&shard.counts);
        notices.append(shard.notices);
        parts.push(shard.events);
    }
    let folders = from_folders(path, &files, &parts)?;
    let mut events = together(path, parts, &mut notices)?;
    let metadata_folder = path.join(METADATA);
    let codes = metadata_folder.join(codes::FILE);
    if codes.is_file() {
        let known = events.codebook.len();
        let listed = codes::read_into(&codes, &mut events.codebook, &mut notices)?;
        let missing: Vec<&str> =
            events.codebook.iter().take(known).map(|(_, name)| name).filter(|name| !listed.contains(*name)).collect();
        if let Some(first) = missing.first() {
            notices.add(&codes, format!("{} codes of the events are not listed, {first:?} among them", missing.len()));
        }
    }
    let splits = metadata_folder.join(splits::FILE);
    let split = if splits.is_file() {
        Some(splits::read(&splits, &mut notices)?)
    } else {
        if folders.is_some() {
            notices.add(path, "there is no list of the parts' subjects; the parts are those of the folders' names");
        }
        folders
    };
    let file = metadata_folder.join(metadata::FILE);
    let metadata = if file.is_file() { read_metadata(&file)? } else { Metadata::default() };
    Ok(DataSet { events, split, metadata, counts, notices: notices.finish() })
}

/// Reads one file of events.
///
/// # Errors
/// As [`read`].
pub fn read_shard(file: &Path) -> Result<(Events, Counts, Vec<Notice>), IoError> {
    let shard = data::read(file)?;
    Ok((shard.events, shard.counts, shard.notices.finish()))
}

/// Writes a whole data set: the events (in folders of their parts, if a split is given), the codes, the split, and
/// last the metadata, whose `meds_version` is set if it is not. Equal events make equal files.
///
/// # Errors
/// [`IoError::Format`] if there are files of events already, which would become part of the set; [`IoError`] if
/// something cannot be written.
pub fn write(folder: &Path, events: &Events, split: Option<&Split>, metadata: &Metadata) -> Result<(), IoError> {
    write_shards(folder, events, split, ROWS_PER_SHARD)?;
    write_codes(folder, &events.codebook)?;
    if let Some(split) = split {
        write_splits(folder, split)?;
    }
    write_metadata(folder, metadata)
}

/// Writes the events; a shard ends with the subject with which it has `largest` rows or more.
fn write_shards(folder: &Path, events: &Events, split: Option<&Split>, largest: usize) -> Result<(), IoError> {
    let root = folder.join(DATA);
    fs::create_dir_all(&root).map_err(IoError::write(&root))?;
    let mut old = Vec::new();
    collect(&root, DEPTH, &mut old)?;
    if let Some(old) = old.first() {
        let problem = format!("it holds {} already; choose another folder or remove that one", old.display());
        return Err(IoError::format(folder, problem));
    }
    let part = |index: &usize| split.and_then(|split| split.part(events.ids()[*index]));
    let groups = Part::ALL.into_iter().map(Some).chain([None]);
    for group in groups {
        let subjects: Vec<usize> = (0..events.subjects()).filter(|index| part(index) == group).collect();
        if subjects.is_empty() {
            continue;
        }
        let home = group.map_or_else(|| root.clone(), |part| root.join(part.name()));
        fs::create_dir_all(&home).map_err(IoError::write(&home))?;
        let mut rows = 0;
        let sizes = subjects.iter().map(|index| {
            let shard = rows / largest.max(1);
            rows += events.subject(*index).len();
            (shard, *index)
        });
        let placed: Vec<(usize, usize)> = sizes.collect();
        for (number, shard) in placed.chunk_by(|one, other| one.0 == other.0).enumerate() {
            data::write(
                &home.join(format!("{number}.parquet")),
                shard.iter().map(|(_, index)| events.subject(*index)),
            )?;
        }
    }
    if events.subjects() == 0 {
        // A set without events is a set.
        data::write(&root.join("0.parquet"), std::iter::empty())?;
    }
    Ok(())
}

/// The parts that the names of the folders under the root of the events say, if each file is in such a folder.
fn from_folders(path: &Path, files: &[PathBuf], shards: &[Events]) -> Result<Option<Split>, IoError> {
    let root = path.join(DATA);
    let root: &Path = if root.is_dir() { &root } else { path };
    let mut pairs = Vec::new();
    for (file, events) in files.iter().zip(shards) {
        let folder = file.strip_prefix(root).ok().and_then(Path::parent);
        let names = folder.into_iter().flat_map(Path::components).map(|name| name.as_os_str().to_string_lossy());
        let Some(part) = names.filter_map(|name| name.parse::<Part>().ok()).next_back() else { return Ok(None) };
        pairs.extend(events.ids().iter().map(|id| (*id, part)));
    }
    Split::from_pairs(pairs).map(Some).map_err(|error| IoError::format(path, error.to_string()))
}

/// The events of all files.
fn together(path: &Path, parts: Vec<Events>, notices: &mut Notices) -> Result<Events, IoError> {
    let mut seen = HashSet::new();
    let twice = parts.iter().flat_map(Events::ids).filter(|id| !seen.insert(**id)).count();
    let failed = |error: EventsError| IoError::events(path, error);
    if twice == 0 {
        return Events::merge(parts).map_err(failed);
    }
    notices.add(path, format!("{twice} subjects are in more than one file; their events are put together"));
    let mut rows = EventsBuilder::new();
    for part in parts {
        for subject in part.iter() {
            for event in subject.events() {
                rows.push(subject.id(), event.time, part.codebook.name(event.code), event.value, event.text);
            }
        }
    }
    rows.finish().map_err(failed)
}

/// A Parquet file itself, or those of a folder, by name.
fn parquet_files(path: &Path) -> Result<Vec<PathBuf>, IoError> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    collect(path, DEPTH, &mut files)?;
    if files.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "Parquet files" });
    }
    Ok(files)
}

/// Finds the Parquet files of a folder and of those in it, hidden ones and the folder of metadata left out.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), IoError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(IoError::open(folder))? {
        entries.push(entry.map_err(IoError::open(folder))?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || name == METADATA {
            continue;
        }
        if path.is_dir() {
            if depth > 1 {
                collect(&path, depth - 1, files)?;
            }
        } else if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
