//! Tables of any size to events, within a stated amount of memory.
//!
//! A [`Source`] hands its rows, table by table, to a [`Sink`]. [`read`] collects them in memory; [`convert`] writes a
//! MEDS data set and holds neither a table nor a subject's history on the way: events go to files on disk, one for each
//! hash of the subject, as records of 24 bytes; then each of these partitions is sorted by subject and time and becomes
//! one Parquet shard. A partition that would not fit is divided once more by another hash. So one subject is in exactly
//! one file, sorted, as MEDS asks, and the memory depends on [`EtlConfig::max_memory`], not on the size of the
//! hospital.
//!
//! A step (a table) that is finished, and a shard that is finished, leave a `.done` file. Whoever starts the same
//! conversion again after a crash goes on behind the last of them; if the input has changed meanwhile, it starts anew.
//! Equal input makes equal files, whatever the number of threads.
//!
//! Ties in time keep the order in which the events were handed over, static events (without a time) stand first.

mod batch;
mod convert;
mod folder;
mod hospital;
mod lookup;
mod memory;
mod rules;
mod shard;
mod spill;
mod stays;
mod table;

use crate::codebook::Codebook;
use crate::events::{Events, EventsBuilder};
use crate::io::{Counts, IoError};
use crate::time::Time;

pub(crate) use self::batch::{Cell, Row};
pub use self::convert::{EtlConfig, EtlReport, StepReport, convert};
pub(crate) use self::folder::{Folder, rows_of};
pub use self::hospital::TableConfig;
pub(crate) use self::hospital::{Hospital, dotted, each_row};
pub(crate) use self::lookup::Lookup;
pub use self::memory::{Memory, MemoryError};
pub(crate) use self::rules::{Code, Context, Item, Keep, Rule, TableRules, Value, When, Who, day_end};
pub(crate) use self::stays::Stays;
pub(crate) use self::table::Table;

/// What takes events, one at a time and in any order of subjects and times.
///
/// The order in which events of one subject with equal times are handed over is kept. A sink that cannot go on (the
/// disk is full) keeps the reason, ignores what comes afterwards, and reports it when the step is closed.
pub trait Sink {
    /// Takes one event: of which subject, when (`None` for what holds at all times), its code, and what was measured
    /// or written. A value that is not finite counts as none.
    fn event(&mut self, subject: i64, time: Option<Time>, code: &str, value: Option<f32>, text: Option<&str>);

    /// Whether everything that comes from now on is ignored; a long step may stop early then.
    fn broken(&self) -> bool {
        false
    }
}

impl Sink for EventsBuilder {
    fn event(&mut self, subject: i64, time: Option<Time>, code: &str, value: Option<f32>, text: Option<&str>) {
        self.push(subject, time, code, value, text);
    }
}

/// What is known of a code beyond its name (MEDS `metadata/codes.parquet`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeNote {
    /// In words, as the source's dictionary has it.
    pub description: Option<String>,
    /// Codes of vocabularies that it belongs to, such as `LOINC/4548-4`.
    pub parents: Vec<String>,
}

/// Tables or documents that become events, in steps that always come in the same order.
pub trait Source {
    /// Name of the data set, for its metadata and messages.
    fn name(&self) -> &str;

    /// Tells one state of the input from another: names, sizes, dates of its files and whatever options change the
    /// events. A conversion is resumed only if it is unchanged.
    ///
    /// # Errors
    /// [`IoError`] if a file cannot be looked at.
    fn fingerprint(&self) -> Result<String, IoError>;

    /// About how many events there will be, to choose the number of partitions; being wrong tenfold does no harm.
    fn estimate(&self) -> u64;

    /// The steps, in order; their names are names of files too.
    fn steps(&self) -> Vec<String>;

    /// Does one step: hands all of its events to `sink` and says what became of the rows.
    ///
    /// # Errors
    /// [`IoError`] if the input cannot be read on; rows that cannot be used are counted, not errors.
    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError>;

    /// What the source's dictionaries say about a code of its events.
    fn note(&self, code: &str) -> CodeNote {
        let _ = code;
        CodeNote::default()
    }

    /// What the reader wants said beside the counts: tables that are absent, tables that it does not read.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Reads a whole source into memory.
///
/// # Errors
/// [`IoError`] as the source's steps give it, or if the events make no data set.
pub fn read(source: &mut dyn Source) -> Result<(Events, EtlReport), IoError> {
    let mut builder = EventsBuilder::default();
    let mut steps = Vec::new();
    for step in source.steps() {
        let counts = source.step(&step, &mut builder)?;
        steps.push(StepReport { step, counts, resumed: false });
    }
    let mut events = builder.finish().map_err(|error| IoError::events(source.name(), error))?;
    describe(&mut events.codebook, source);
    let report = EtlReport {
        steps,
        remarks: source.remarks(),
        subjects: events.subjects() as u64,
        events: events.rows() as u64,
        codes: events.codebook.len() as u64,
        shards: 0,
    };
    Ok((events, report))
}

/// Adds what the source's dictionaries know to every code.
pub(crate) fn describe(codebook: &mut Codebook, source: &dyn Source) {
    let codes: Vec<_> = codebook.iter().map(|(id, name)| (id, source.note(name))).collect();
    for (id, note) in codes {
        codebook.describe(id, note.description.as_deref(), &note.parents);
    }
}

#[cfg(test)]
mod tests;
