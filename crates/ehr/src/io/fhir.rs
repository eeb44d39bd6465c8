//! FHIR R4 (Health Level Seven, Fast Healthcare Interoperability Resources 4.0.1): bundles and NDJSON exports, plain, gzip or
//! in tar archives. What changed its place in R5 is found there too.
//!
//! Resources are read as plain JSON; of each of [`READ`] the few elements are taken that say who, when, what and how much,
//! so that a resource that breaks a rule elsewhere is read all the same. Others are counted by type. The subject is the
//! patient's `id` as a number, see [`subject_number`].
//!
//! | resource | code | known from |
//! |---|---|---|
//! | Patient | `MEDS_BIRTH`, `MEDS_DEATH`, `GENDER//F`, `RACE//…`, `ETHNICITY//…` | birth and death; the others hold at all times |
//! | Encounter | `HOSPITAL_ADMISSION//IMP`, `ED_REGISTRATION//EMER`, `ENCOUNTER//AMB`; `ENCOUNTER_TYPE//…` | its start |
//! | | `HOSPITAL_DISCHARGE//…`, `ED_OUT//…`, `ENCOUNTER_END//…` with where to; `ENCOUNTER_REASON//…` | its end |
//! | Condition | `DIAGNOSIS//SNOMED//44054006` | when it was recorded, not when it began; an inpatient's encounter diagnosis at discharge |
//! | Observation | `LAB//LOINC//4548-4//%`, `MEASUREMENT//…`, `OBSERVATION//LOINC//72166-2//SNOMED//266919005` | a laboratory's when issued, else when observed |
//! | Procedure | `PROCEDURE//…` | its end |
//! | Medication… | `MEDICATION//RxNorm//310965`, `MEDICATION_ADMINISTERED//…`, … | when it was ordered, given, handed over, stated |
//! | Immunization, `AllergyIntolerance` | `IMMUNIZATION//CVX//140`, `ALLERGY//…` | given; recorded |
//! | `DiagnosticReport`, `DocumentReference` | `REPORT//…`, `NOTE//…` with their text | issued; dated |
//!
//! Times keep their local part; the zone is dropped and counted. What is refuted, planned, cancelled or entered in error is
//! dropped and counted. Marital status, addresses and the like are as of the export, later than any prediction: left out.
//!
//! Encounters and medications are found in the same bundle, or on any line of any NDJSON file. A diagnosis of an encounter
//! that is found in neither counts as known from when it was recorded, and such diagnoses are counted.
//!
//! Limits: a document has at most [`FhirConfig::max_document`] bytes, a line at most [`FhirConfig::max_line`]; only one
//! resource at a time is held as a tree. JSON that is nested deeper than 128 levels is refused.

mod attachment;
mod clinical;
mod document;
mod element;
mod observation;
mod people;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::BufRead;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::etl::{CodeNote, Sink, Source};
use super::known::DayRule;
pub use super::terms::subject_number;
use super::{Counts, IoError, archive, csv};
use crate::time::Time;

/// The types of resources that become events.
pub const READ: [&str; 13] = [
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Patient",
    "Procedure",
];

/// Bytes of input in one step: what is done again at most after a crash.
const STEP_BYTES: u64 = 256 << 20;

/// How deep folders are searched.
const DEPTH: usize = 4;

/// Bytes of an average event's share of compressed and of plain JSON.
const EVENT_BYTES: [u64; 2] = [60, 900];

/// How FHIR files are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FhirConfig {
    /// Most bytes of one document (a bundle), decompressed; 1 KiB to 4 GiB. It is held in memory.
    pub max_document: u64,
    /// Most bytes of one line of NDJSON; 1 KiB to 1 GiB.
    pub max_line: u64,
    /// From when on a fact is known that has a date only.
    pub dates: DayRule,
    /// Whether values are brought to the units of what was measured.
    pub normalise_units: bool,
}

impl Default for FhirConfig {
    fn default() -> Self {
        Self { max_document: 256 << 20, max_line: 32 << 20, dates: DayRule::End, normalise_units: true }
    }
}

impl FhirConfig {
    /// Checks it.
    ///
    /// # Errors
    /// [`ConfigError`] if a limit is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("max_document", self.max_document, 1 << 10..=4 << 30)?;
        in_range("max_line", self.max_line, 1 << 10..=1 << 30)
    }
}

/// Opens a FHIR file (`.json`, `.ndjson`, `.jsonl`, each also `.gz`; `.tar`, `.tar.gz`, `.tgz` of those), or a folder of such
/// files.
///
/// # Errors
/// [`IoError`] if there are none, the configuration is wrong, or what others refer to (encounters and medications of NDJSON
/// exports, which are read twice) cannot be read.
pub fn open(path: &Path, config: &FhirConfig) -> Result<Box<dyn Source>, IoError> {
    config.validate().map_err(|error| IoError::format(path, error.to_string()))?;
    let mut files = Vec::new();
    if fs::metadata(path).map_err(IoError::open(path))?.is_dir() {
        collect(path, DEPTH, &mut files)?;
        files.sort();
        if files.is_empty() {
            let problem =
                "there are no FHIR files (.json, .ndjson, .gz or .tar of them); name the folder that holds them";
            return Err(IoError::format(path, problem));
        }
    } else {
        files.push(path.to_path_buf());
    }
    let (mut sizes, mut state) = (Vec::new(), String::new());
    for file in &files {
        let data = fs::metadata(file).map_err(IoError::open(file))?;
        let changed = data.modified().map_err(IoError::open(file))?;
        let changed = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        // Writing to a `String` does not fail.
        let _ = writeln!(state, "{} {} {changed}", file.display(), data.len());
        sizes.push(data.len());
    }
    let _ = writeln!(state, "{config:?}");
    let alone = files.len() == 1 && !archive::is_archive(&named(&files[0]));
    let mut reader = Reader::new(config.clone(), alone);
    for file in &files {
        reader.prepare(file)?;
    }
    Ok(Box::new(Fhir { steps: groups(&sizes), files, sizes, state, reader }))
}

struct Fhir {
    files: Vec<PathBuf>,
    sizes: Vec<u64>,
    steps: Vec<Range<usize>>,
    state: String,
    reader: Reader,
}

/// What is known while resources are read.
struct Reader {
    config: FhirConfig,
    /// Whether there is one document only, which then must be good.
    alone: bool,
    /// What resources of all files refer to.
    shared: Lookup,
    /// And those of the bundle that is being read.
    local: Lookup,
    seen: HashSet<i64>,
    notes: HashMap<String, CodeNote>,
    counts: Counts,
}

/// What resources refer to.
#[derive(Default)]
struct Lookup {
    /// Identifiers of patients by the address of their entry.
    patients: HashMap<String, String>,
    encounters: HashMap<String, Stay>,
    /// Codings of drugs.
    medications: HashMap<String, serde_json::Value>,
}

/// When an encounter was, and whether the patient was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stay {
    start: Option<Time>,
    end: Option<Time>,
    inpatient: bool,
}

impl Source for Fhir {
    fn name(&self) -> &'static str {
        "FHIR"
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(self.state.clone())
    }

    fn estimate(&self) -> u64 {
        let plain = |file: &Path| usize::from(!(named(file).ends_with(".gz") || named(file).ends_with(".tgz")));
        self.files.iter().zip(&self.sizes).map(|(file, size)| size / EVENT_BYTES[plain(file)]).sum()
    }

    fn steps(&self) -> Vec<String> {
        (0..self.steps.len()).map(|step| format!("files-{step:05}")).collect()
    }

    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let number = step.strip_prefix("files-").and_then(|number| number.parse::<usize>().ok());
        let Some(range) = number.and_then(|number| self.steps.get(number)).cloned() else {
            return Err(IoError::format(&self.files[0], format!("there is no step {step}")));
        };
        for file in &self.files[range] {
            self.reader.file(file, sink)?;
            if sink.broken() {
                break;
            }
        }
        Ok(std::mem::take(&mut self.reader.counts))
    }

    /// Displays of the resources that have been read; nothing of steps that an earlier run had done.
    fn note(&self, code: &str) -> CodeNote {
        self.reader.notes.get(code).cloned().unwrap_or_default()
    }

    fn remarks(&self) -> Vec<String> {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &self.files {
            *kinds.entry(kind_of(&named(file)).map_or("document", Kind::name)).or_default() += 1;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, files)| format!("{files} {kind}")).collect();
        vec![format!("files: {}", kinds.join(", "))]
    }
}

impl Reader {
    fn new(config: FhirConfig, alone: bool) -> Self {
        let (shared, local) = (Lookup::default(), Lookup::default());
        Self { config, alone, shared, local, seen: HashSet::new(), notes: HashMap::new(), counts: Counts::default() }
    }

    /// Learns what lines refer to, wherever it stands: exports mix types of resources, and names of files need not tell them.
    fn prepare(&mut self, path: &Path) -> Result<(), IoError> {
        match kind_of(&named(path)) {
            Some(Kind::Lines) => self.learn(path, &mut csv::open(path)?),
            Some(Kind::Archive) => archive::each_file(path, &mut |name, input| match kind_of(name) {
                Some(Kind::Lines) => self.learn(&path.join(name), input),
                _ => Ok(()),
            }),
            // A document refers to what is in it.
            Some(Kind::Document) | None => Ok(()),
        }
    }

    fn learn(&mut self, path: &Path, input: &mut dyn BufRead) -> Result<(), IoError> {
        let limit = self.config.max_line;
        document::each_line(path, input, limit, &mut |_, line| {
            // Most lines are of neither type, and what is wrong with a line is said when its events are made.
            let line = line.and_then(|line| std::str::from_utf8(line).ok());
            let referred_to = |line: &&str| line.contains("\"Encounter\"") || line.contains("\"Medication\"");
            if let Some(Ok(resource)) = line.filter(referred_to).map(serde_json::from_str::<serde_json::Value>) {
                self.shared.learn(&resource, None, self.config.dates);
            }
            Ok(())
        })
    }

    fn file(&mut self, path: &Path, sink: &mut dyn Sink) -> Result<(), IoError> {
        match kind_of(&named(path)) {
            Some(Kind::Archive) => archive::each_file(path, &mut |name, input| {
                let within = path.join(name);
                match kind_of(name) {
                    Some(Kind::Lines) => self.lines(&within, input, sink),
                    Some(Kind::Document) => self.document(&within, input, sink),
                    _ => {
                        self.counts.drop_row("the file in the archive is no JSON by its name", &within, 0);
                        Ok(())
                    }
                }
            }),
            Some(Kind::Lines) => self.lines(path, &mut csv::open(path)?, sink),
            // Whoever names one file means it, whatever it is called.
            Some(Kind::Document) | None => self.document(path, &mut csv::open(path)?, sink),
        }
    }

    fn lines(&mut self, path: &Path, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), IoError> {
        let limit = self.config.max_line;
        document::each_line(path, input, limit, &mut |number, line| {
            let Some(line) = line else {
                self.counts.drop_row("the line is longer than max_line allows", path, number);
                return Ok(());
            };
            self.line(path, number, line, sink)
        })
    }
}

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Document,
    Lines,
    Archive,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Lines => "NDJSON",
            Self::Archive => "archive",
        }
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    if archive::is_archive(name) {
        return Some(Kind::Archive);
    }
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if plain.ends_with(".json") {
        Some(Kind::Document)
    } else if plain.ends_with(".ndjson") || plain.ends_with(".jsonl") {
        Some(Kind::Lines)
    } else {
        None
    }
}

fn named(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), IoError> {
    for entry in fs::read_dir(folder).map_err(IoError::open(folder))? {
        let path = entry.map_err(IoError::open(folder))?.path();
        let name = named(&path);
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 1 {
                collect(&path, depth - 1, files)?;
            }
        } else if kind_of(&name).is_some() {
            files.push(path);
        }
    }
    Ok(())
}

/// Files that stand one after the other, as many as make up a step.
fn groups(sizes: &[u64]) -> Vec<Range<usize>> {
    let (mut groups, mut first, mut bytes) = (Vec::new(), 0, 0_u64);
    for (place, size) in sizes.iter().enumerate() {
        bytes = bytes.saturating_add(*size);
        if bytes >= STEP_BYTES {
            groups.push(first..place + 1);
            (first, bytes) = (place + 1, 0);
        }
    }
    if first < sizes.len() {
        groups.push(first..sizes.len());
    }
    groups
}
