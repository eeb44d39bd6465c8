//! The tables of a folder, by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::table::guarded;
use crate::io::IoError;

/// Rows that a compressed byte of text stands for, times this, to guess how many events a file holds.
const GZIP_FACTOR: u64 = 8;

/// Bytes of an average row of text.
const ROW_BYTES: u64 = 60;

/// How deep under the root the tables may lie: MIMIC-IV keeps them in `hosp` and `icu`.
const DEPTH: usize = 2;

/// The tables of a data set: `NAME.csv`, `NAME.csv.gz` or `NAME.parquet` in a folder or in folders of it, in capital or
/// small letters.
pub(crate) struct Folder {
    root: PathBuf,
    tables: BTreeMap<String, PathBuf>,
}

impl Folder {
    /// Finds the tables; fails if there are none, or two files of one table.
    pub(crate) fn open(root: &Path) -> Result<Self, IoError> {
        let mut folder = Self { root: root.to_path_buf(), tables: BTreeMap::new() };
        folder.collect(root, DEPTH)?;
        if folder.tables.is_empty() {
            let problem = "there are no tables (.csv, .csv.gz or .parquet); name the folder that holds them";
            return Err(IoError::format(root, problem));
        }
        Ok(folder)
    }

    fn collect(&mut self, folder: &Path, depth: usize) -> Result<(), IoError> {
        let failed = IoError::open(folder);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(&failed)? {
            paths.push(entry.map_err(&failed)?.path());
        }
        paths.sort();
        for path in paths {
            if path.is_dir() {
                if depth > 1 {
                    self.collect(&path, depth - 1)?;
                }
            } else if let Some(name) = table_name(&path)
                && let Some(other) = self.tables.insert(name.clone(), path.clone())
            {
                let problem = format!("{} holds the table {name} too; keep one of them", other.display());
                return Err(IoError::format(&path, problem));
            }
        }
        Ok(())
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a table, by its name in small letters.
    pub(crate) fn path(&self, table: &str) -> Option<&Path> {
        self.tables.get(table).map(PathBuf::as_path)
    }

    /// The file of a table without which nothing can be read.
    pub(crate) fn need(&self, table: &str) -> Result<&Path, IoError> {
        let found = || self.tables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let missing = || IoError::format(&self.root, format!("the table {table} is missing; there are: {}", found()));
        self.path(table).ok_or_else(missing)
    }

    /// The names of all tables, in small letters, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Names, sizes and dates of the files.
    pub(crate) fn fingerprint(&self) -> Result<String, IoError> {
        let mut lines = String::new();
        for (name, path) in &self.tables {
            let failed = IoError::open(path);
            let data = fs::metadata(path).map_err(&failed)?;
            let changed = data.modified().map_err(&failed)?;
            let changed = changed.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
            // Writing to a `String` does not fail.
            let _ = writeln!(lines, "{name} {} {changed}", data.len());
        }
        Ok(lines)
    }

    /// About how many rows some tables have together.
    pub(crate) fn rows<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> u64 {
        tables.into_iter().filter_map(|table| self.path(table)).map(rows_of).sum()
    }
}

/// About how many rows a file has; a Parquet file says it.
pub(crate) fn rows_of(path: &Path) -> u64 {
    let length = fs::metadata(path).map_or(0, |data| data.len());
    match ending(path) {
        Some(Ending::Parquet) => {
            let rows = guarded(path, || {
                let file = fs::File::open(path).map_err(IoError::open(path))?;
                let reader = ParquetRecordBatchReaderBuilder::try_new(file);
                let reader = reader.map_err(|error| IoError::read(path)(error.into()))?;
                Ok(reader.metadata().file_metadata().num_rows().max(0) as u64)
            });
            // What is wrong with the file is said when it is read.
            rows.unwrap_or(length / 8)
        }
        Some(Ending::Gzip) => length * GZIP_FACTOR / ROW_BYTES,
        _ => length / ROW_BYTES,
    }
}

/// What the name of a file says about its format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Csv,
    Gzip,
    Parquet,
}

pub(super) fn ending(path: &Path) -> Option<Ending> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    [(".csv", Ending::Csv), (".csv.gz", Ending::Gzip), (".parquet", Ending::Parquet)]
        .into_iter()
        .find(|(ending, _)| name.ends_with(ending))
        .map(|(_, ending)| ending)
}

fn table_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let stem = match ending(path)? {
        Ending::Csv => name.strip_suffix(".csv"),
        Ending::Gzip => name.strip_suffix(".csv.gz"),
        Ending::Parquet => name.strip_suffix(".parquet"),
    }?;
    // Hidden files are what a program that was killed has left.
    (!stem.is_empty() && !stem.starts_with('.')).then(|| stem.to_owned())
}
