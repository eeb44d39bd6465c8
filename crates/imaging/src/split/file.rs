//! A division written down: which image is in which part, with the hash of its content.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nn_core::atomic;
use nn_core::data::{Part, Split};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Rows, SplitError, check_subjects};
use crate::case::CaseFiles;
use crate::pictures::hex;

const HEADER: [&str; 4] = ["id", "subject", "part", "sha256"];
/// How the file spells a row that is in no part.
const UNUSED: &str = "unused";

/// One line of a written division.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRow {
    /// Name of the image.
    pub id: String,
    /// Whom it was taken of.
    pub subject: String,
    /// The part that it is in, if it is in any.
    pub part: Option<Part>,
    /// SHA-256 of its content in hexadecimal digits; empty where it was not known.
    pub digest: String,
}

/// A division written down: a tab-separated table of `id`, `subject`, `part` and `sha256`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFile {
    /// In the order of the set.
    pub rows: Vec<SplitRow>,
}

impl SplitFile {
    /// What is to be written of a division.
    ///
    /// # Errors
    /// [`SplitError`] when `split` is not one of `rows`.
    pub fn new(rows: &Rows, split: &Split) -> Result<Self, SplitError> {
        rows.check()?;
        split.check(rows.len())?;
        let mut parts = vec![None; rows.len()];
        for part in Part::ALL {
            split.part(part).iter().for_each(|&row| parts[row] = Some(part));
        }
        let row = |row: usize| SplitRow {
            id: rows.ids[row].clone(),
            subject: rows.subjects[row].clone(),
            part: parts[row],
            digest: rows.digests.get(row).cloned().unwrap_or_default(),
        };
        Ok(Self { rows: (0..rows.len()).map(row).collect() })
    }

    /// Writes the table, whole or not at all.
    ///
    /// # Errors
    /// [`SplitError::Data`] with the path.
    pub fn write(&self, path: &Path) -> Result<(), SplitError> {
        let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
        let failed = |cause: csv::Error| SplitError::Os { path: path.to_owned(), cause: io::Error::other(cause) };
        writer.write_record(HEADER).map_err(failed)?;
        for row in &self.rows {
            let part = row.part.map_or(UNUSED, Part::name);
            writer.write_record([row.id.as_str(), row.subject.as_str(), part, row.digest.as_str()]).map_err(failed)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| SplitError::Os { path: path.to_owned(), cause: io::Error::other(error.to_string()) })?;
        atomic::write(path, &bytes).map_err(|error| SplitError::Data(error.into()))
    }

    /// Reads what [`SplitFile::write`] wrote.
    ///
    /// # Errors
    /// [`SplitError::Os`], [`SplitError::Line`] with the path and the line, [`SplitError::Twice`].
    pub fn read(path: &Path) -> Result<Self, SplitError> {
        let bytes = fs::read(path).map_err(|cause| SplitError::Os { path: path.to_owned(), cause })?;
        let wrong =
            |line: u64, problem: String| SplitError::Line { path: path.to_owned(), line: line as usize, problem };
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').has_headers(false).from_reader(bytes.as_slice());
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(|cause| {
                let line = cause.position().map_or(0, csv::Position::line);
                wrong(line, cause.to_string())
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let fields: Vec<&str> = record.iter().collect();
            if number == 0 {
                if fields != HEADER {
                    return Err(wrong(line, format!("the header is not {}, divided by tabs", HEADER.join(", "))));
                }
                continue;
            }
            let [id, subject, part, digest] = fields[..] else {
                return Err(wrong(line, format!("{} columns, not {}", fields.len(), HEADER.len())));
            };
            let known = Part::ALL.into_iter().find(|known| known.name() == part);
            if known.is_none() && part != UNUSED {
                return Err(wrong(line, format!("{part:?} is none of train, validation, test and {UNUSED}")));
            }
            if !seen.insert(id.to_owned()) {
                return Err(SplitError::Twice { id: id.to_owned() });
            }
            let owned = str::to_owned;
            rows.push(SplitRow { id: owned(id), subject: owned(subject), part: known, digest: owned(digest) });
        }
        if rows.is_empty() {
            return Err(wrong(
                1,
                format!("there are no rows; below {} comes one line for each image", HEADER.join(", ")),
            ));
        }
        Ok(Self { rows })
    }

    /// The division as row numbers of a set, by the names of the images. Rows of the set that are not in the file are in no
    /// part. `path` is where the file was read, for messages.
    ///
    /// # Errors
    /// [`SplitError::Missing`] for an image that the set does not have, [`SplitError::Changed`] for one with another
    /// content, as far as both hashes are known, and [`SplitError::Leak`] for a subject in two parts.
    pub fn apply(&self, rows: &Rows, path: &Path) -> Result<Split, SplitError> {
        rows.check()?;
        let places: HashMap<&str, usize> = rows.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let mut split = Split::default();
        for written in &self.rows {
            let Some(part) = written.part else { continue };
            let Some(&row) = places.get(written.id.as_str()) else {
                return Err(SplitError::Missing { id: written.id.clone(), path: path.to_owned() });
            };
            if let Some(found) = rows.digests.get(row)
                && !written.digest.is_empty()
                && *found != written.digest
            {
                return Err(SplitError::Changed {
                    id: written.id.clone(),
                    path: path.to_owned(),
                    found: found.clone(),
                    expected: written.digest.clone(),
                });
            }
            match part {
                Part::Train => split.train.push(row),
                Part::Validation => split.validation.push(row),
                Part::Test => split.test.push(row),
            }
        }
        let split = Split::new(split.train, split.validation, split.test);
        check_subjects(rows, &split)?;
        Ok(split)
    }
}

/// SHA-256 of the bytes of a case's files, in the order of the channels, the label last; of a folder all its files, in the
/// order of their names.
///
/// # Errors
/// [`SplitError::Os`] with the file.
pub fn digest_of_files(files: &CaseFiles) -> Result<String, SplitError> {
    let mut hash = Sha256::new();
    for path in files.channels.iter().chain(&files.label) {
        add(path, &mut hash)?;
    }
    Ok(hex(&hash.finalize()))
}

fn add(path: &Path, hash: &mut Sha256) -> Result<(), SplitError> {
    let failed = |cause| SplitError::Os { path: path.to_owned(), cause };
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(failed)?;
        let mut inside =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>().map_err(failed)?;
        inside.sort();
        return inside.iter().try_for_each(|path| add(path, hash));
    }
    let mut file = File::open(path).map_err(failed)?;
    // The length first, so that the border between two files counts.
    hash.update(file.metadata().map_err(failed)?.len().to_le_bytes());
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block).map_err(failed)? {
            0 => return Ok(()),
            read => hash.update(&block[..read]),
        }
    }
}
