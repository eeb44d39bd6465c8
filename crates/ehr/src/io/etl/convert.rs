//! A source to a MEDS data set on disk.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::memory::Memory;
use super::shard::write_all;
use super::spill::{RECORD, Spill, write_json};
use super::{Source, describe};
use crate::io::meds::{self, Metadata};
use crate::io::{Counts, IoError};

/// What everything but the sorting takes: the codes, the readers' buffers, the buffers of the partitions' files, the
/// program itself.
const BASE: u64 = 96 << 20;

/// What one writer of Parquet takes beside the events it writes.
const WRITER: u64 = 32 << 20;

/// Least memory that a conversion is allowed.
const LEAST: Memory = Memory::mib(192);

/// Most memory: more than any machine has.
const MOST: Memory = Memory::mib(1 << 30);

/// Largest partition that is aimed at, however much memory there is: shards of some millions of events are read and
/// moved with ease.
const TARGET: u64 = 128 << 20;

/// Most partitions; each has an open file.
const PARTITIONS: u64 = 512;

/// Folder, within that of the data set, of what is only there while it is made.
const WORK: &str = ".convert";

/// How tables become a MEDS data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EtlConfig {
    /// Most memory to use, at least 192 MiB.
    pub max_memory: Memory,
    /// Most threads to use; 0 takes as many as the machine runs at once. The result does not depend on it.
    pub threads: usize,
    /// When the data set was made (ISO 8601), for its metadata.
    pub created_at: Option<String>,
}

impl Default for EtlConfig {
    fn default() -> Self {
        Self { max_memory: Memory::mib(4096), threads: 0, created_at: None }
    }
}

impl EtlConfig {
    /// Checks it.
    ///
    /// # Errors
    /// [`ConfigError`] if there is too little memory.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("max_memory", self.max_memory, LEAST..=MOST)
    }

    pub(super) fn plan(&self) -> Plan {
        let free = self.max_memory.0.saturating_sub(BASE);
        // An event is held as its record and as a key of the same length. What a partition may take does not depend on
        // the threads, so neither do the files. Places in a partition are numbers of 32 bits.
        let largest = (free / 8).clamp(1 << 20, u64::from(u32::MAX) / 4);
        let at_once = (free / (2 * largest + WRITER)).max(1) as usize;
        let threads = match self.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        Plan { largest, target: (largest / 2).min(TARGET), workers: threads.min(at_once) }
    }
}

/// How memory is divided.
pub(super) struct Plan {
    /// Bytes of the largest partition that is sorted whole.
    pub(super) largest: u64,
    /// Bytes of a partition that are aimed at.
    pub(super) target: u64,
    /// Partitions that are sorted at the same time.
    pub(super) workers: usize,
}

impl Plan {
    fn partitions(&self, events: u64) -> usize {
        events.saturating_mul(RECORD as u64).div_ceil(self.target).clamp(1, PARTITIONS) as usize
    }
}

/// What became of the rows of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The table, or whatever the step read.
    pub step: String,
    /// Its rows.
    pub counts: Counts,
    /// Whether an earlier run had done it already.
    pub resumed: bool,
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtlReport {
    /// Every step, in order.
    pub steps: Vec<StepReport>,
    /// What the reader wants said beside the counts.
    pub remarks: Vec<String>,
    /// Subjects with at least one event.
    pub subjects: u64,
    /// Events.
    pub events: u64,
    /// Different codes.
    pub codes: u64,
    /// Files of events; none if they were read into memory.
    pub shards: u64,
}

impl EtlReport {
    /// The counts of all steps together.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.steps.iter().for_each(|step| all.add(&step.counts));
        all
    }

    /// The counts of one step.
    pub fn step(&self, step: &str) -> Option<&Counts> {
        self.steps.iter().find(|report| report.step == step).map(|report| &report.counts)
    }
}

/// As a line for each step, with the reasons under it, and the sums.
impl fmt::Display for EtlReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for StepReport { step, counts, resumed } in &self.steps {
            writeln!(f, "{step}{}: {counts}", if *resumed { " (done before)" } else { "" })?;
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))?;
        let Self { subjects, events, codes, shards, .. } = self;
        write!(f, "{events} events of {subjects} subjects, {codes} codes, {shards} files")
    }
}

/// Converts a source to a MEDS data set in a folder, or goes on with a conversion that was broken off there.
///
/// # Errors
/// [`IoError`] if the input cannot be read, the output not written, the folder holds a data set already, or the
/// configuration is none. What is done so far stays, and the next call goes on behind it.
pub fn convert(source: &mut dyn Source, out: &Path, config: &EtlConfig) -> Result<EtlReport, IoError> {
    config.validate().map_err(|error| IoError::format(out, error.to_string()))?;
    let (work, data, plan) = (out.join(WORK), out.join("data"), config.plan());
    if !work.exists() && fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(IoError::format(out, "it holds a data set already; remove that or name another folder"));
    }
    let steps = source.steps();
    let partitions = plan.partitions(source.estimate());
    let (mut spill, done) = Spill::open(&work, source.fingerprint()?, partitions, &steps)?;
    if done.is_empty() && data.exists() {
        // What a conversion of other input left would stand beside the new shards.
        fs::remove_dir_all(&data).map_err(IoError::write(&data))?;
    }
    let mut reports: Vec<StepReport> =
        done.into_iter().map(|done| StepReport { step: done.step, counts: done.counts, resumed: true }).collect();
    for step in &steps[reports.len()..] {
        let counts = source.step(step, &mut spill)?;
        let done = spill.commit(step, counts)?;
        reports.push(StepReport { step: done.step, counts: done.counts, resumed: false });
    }
    let partitions = spill.partitions();
    let codebook = spill.close();
    let shards = write_all(&work, &data, partitions, codebook, &plan)?;
    describe(codebook, source);
    let report = EtlReport {
        steps: reports,
        remarks: source.remarks(),
        subjects: shards.iter().map(|shard| shard.subjects).sum(),
        events: shards.iter().map(|shard| shard.events).sum(),
        codes: codebook.len() as u64,
        shards: shards.iter().map(super::shard::Shards::count).sum(),
    };
    meds::write_codes(out, codebook)?;
    let metadata = Metadata {
        dataset_name: Some(source.name().to_owned()),
        etl_name: Some("galen-ehr".to_owned()),
        etl_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        created_at: config.created_at.clone(),
        ..Metadata::default()
    };
    meds::write_metadata(out, &metadata)?;
    write_json(&out.join("conversion.json"), &report)?;
    fs::remove_dir_all(&work).map_err(IoError::write(&work))?;
    Ok(report)
}
