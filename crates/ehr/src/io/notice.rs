//! What a reader did with its rows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Rows of each reason that are named with file and row.
const EXAMPLES: usize = 3;

/// What a reader put right or found suspicious, in words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notice {
    /// What it is, and what was done.
    pub text: String,
}

impl Notice {
    /// A notice of these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// A notice about a file.
    pub fn of(path: &Path, text: impl fmt::Display) -> Self {
        Self::new(format!("{}: {text}", path.display()))
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A row that was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Why: one of the keys of [`Counts::dropped`].
    pub reason: String,
    /// The file.
    pub file: PathBuf,
    /// The line or row in it, from 1.
    pub row: u64,
}

/// What became of the rows of a source. Every row that is read is either kept or dropped for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Rows that were read.
    pub read: u64,
    /// Rows that became one event or more, or were used otherwise.
    pub kept: u64,
    /// Rows that were not used, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// The first few dropped rows of each reason.
    pub examples: Vec<Example>,
    /// What was changed in rows that were kept (zones dropped, units converted, values out of range), and how often.
    pub changed: BTreeMap<String, u64>,
}

impl Counts {
    /// A row was read and kept.
    pub fn keep(&mut self) {
        self.read += 1;
        self.kept += 1;
    }

    /// A row was read and dropped.
    pub fn drop_row(&mut self, reason: &str, file: &Path, row: u64) {
        self.read += 1;
        let before = count(&mut self.dropped, reason, 1);
        if before < EXAMPLES as u64 {
            self.examples.push(Example { reason: reason.to_owned(), file: file.to_path_buf(), row });
        }
    }

    /// Something was changed in a row that is kept. Counts changes, not rows.
    pub fn change(&mut self, what: &str) {
        count(&mut self.changed, what, 1);
    }

    /// Rows that were dropped for any reason.
    pub fn dropped_rows(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Adds what became of the rows of another part.
    pub fn add(&mut self, other: &Self) {
        for example in &other.examples {
            let have = self.examples.iter().filter(|known| known.reason == example.reason).count();
            if have < EXAMPLES {
                self.examples.push(example.clone());
            }
        }
        self.read += other.read;
        self.kept += other.kept;
        other.dropped.iter().for_each(|(reason, rows)| {
            count(&mut self.dropped, reason, *rows);
        });
        other.changed.iter().for_each(|(what, times)| {
            count(&mut self.changed, what, *times);
        });
    }
}

/// Adds to a counter, and returns what it was before; makes a text only for a new one.
fn count(counters: &mut BTreeMap<String, u64>, name: &str, by: u64) -> u64 {
    if let Some(counter) = counters.get_mut(name) {
        let before = *counter;
        *counter += by;
        return before;
    }
    counters.insert(name.to_owned(), by);
    0
}

/// As `1000 rows read, 990 kept, 10 dropped`, and a line for each reason and each change.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows read, {} kept, {} dropped", self.read, self.kept, self.dropped_rows())?;
        for (reason, rows) in &self.dropped {
            write!(f, "\n  {rows} dropped: {reason}")?;
            let of = |example: &&Example| example.reason == *reason;
            for (index, example) in self.examples.iter().filter(of).enumerate() {
                let before = if index == 0 { " (" } else { "; " };
                write!(f, "{before}{}, row {}", example.file.display(), example.row)?;
            }
            if self.examples.iter().any(|example| example.reason == *reason) {
                f.write_str(")")?;
            }
        }
        self.changed.iter().try_for_each(|(what, times)| write!(f, "\n  {times} changed: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_counted_and_the_first_few_are_named() {
        let (file, mut counts) = (Path::new("LABEVENTS.csv"), Counts::default());
        (0..5).for_each(|_| counts.keep());
        (7..12).for_each(|row| counts.drop_row("no time", file, row));
        counts.change("zone dropped");
        let mut other = Counts::default();
        other.drop_row("no time", file, 99);
        other.drop_row("bad subject", Path::new("b.csv"), 1);
        other.keep();
        counts.add(&other);
        assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (13, 6, 7));
        assert_eq!(counts.read, counts.kept + counts.dropped_rows());
        assert_eq!(
            counts.to_string(),
            "13 rows read, 6 kept, 7 dropped\n  1 dropped: bad subject (b.csv, row 1)\n  \
             6 dropped: no time (LABEVENTS.csv, row 7; LABEVENTS.csv, row 8; LABEVENTS.csv, row 9)\n  \
             1 changed: zone dropped"
        );
    }
}
