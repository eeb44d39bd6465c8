//! Diabetes 130-US hospitals, 1999 to 2008 (Strack, `DeShazo`, Gennings, Olmo, Ventura, Cios, Clore, `BioMed` Research
//! International 2014, 781670): hospital stays of diabetics, and whether they came back.
//!
//! The set has no dates. The stays of a patient come in the order of `encounter_id`, which grew with time, one every
//! [`APART`], so nothing but their order means anything; no stay is nearer to the next than 30 days, so that the calendar
//! says nothing about readmission.
//!
//! What is known at admission (age, kind and source of admission, stays of the year before) has the time of the
//! admission; diagnoses, laboratory, drugs and counts have that of the discharge, when readmission is predicted. The column
//! `readmitted` never becomes an event. Whoever died or went to a hospice ([`Encounter::is_final`]) cannot come back: with
//! them among the stays, the discharge code gives the label away, so [`labels`] leaves them out unless asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::super::etl::{Sink, Source};
use super::super::terms::{UNKNOWN, finite, part};
use super::super::{Counts, IoError, csv};
use super::found;
use crate::codebook::DEATH;
use crate::labels::Label;
use crate::time::{Span, Time};

/// Days between the admissions of a patient in the invented calendar.
pub const APART: Span = Span::days(365);

/// When the first stay of every patient begins.
const FIRST: Time = Time(0);

/// Dispositions of patients who died, or went to a hospice to die (`IDs_mapping.csv`).
const FINAL: [u8; 6] = [11, 13, 14, 19, 20, 21];

/// Dispositions of patients who died.
const DIED: [u8; 4] = [11, 19, 20, 21];

/// Sign of a value that is missing.
const MISSING: &str = "?";

/// What is counted, known at admission.
const BEFORE: [&str; 3] = ["number_outpatient", "number_emergency", "number_inpatient"];

/// What is counted, known at discharge.
const DURING: [&str; 5] =
    ["time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications", "number_diagnoses"];

/// Diagnoses, the main one first.
const DIAGNOSES: [&str; 3] = ["diag_1", "diag_2", "diag_3"];

/// Drugs; each was given or not, and its dose went up, down or stayed.
const DRUGS: [&str; 23] = [
    "metformin",
    "repaglinide",
    "nateglinide",
    "chlorpropamide",
    "glimepiride",
    "acetohexamide",
    "glipizide",
    "glyburide",
    "tolbutamide",
    "pioglitazone",
    "rosiglitazone",
    "acarbose",
    "miglitol",
    "troglitazone",
    "tolazamide",
    "examide",
    "citoglipton",
    "insulin",
    "glyburide-metformin",
    "glipizide-metformin",
    "glimepiride-pioglitazone",
    "metformin-rosiglitazone",
    "metformin-pioglitazone",
];

/// Whether a patient came back after a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Readmitted {
    /// Not as far as is known.
    No,
    /// Within 30 days.
    Within30Days,
    /// After more than 30 days.
    Later,
}

/// A stay in hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encounter {
    /// Its number.
    pub encounter: i64,
    /// The patient.
    pub patient: i64,
    /// When it began, in the invented calendar.
    pub admission: Time,
    /// When it ended: `time_in_hospital` days later.
    pub discharge: Time,
    /// Where the patient went (`discharge_disposition_id`).
    pub disposition: u8,
    /// Whether the patient came back.
    pub readmitted: Readmitted,
    /// The other columns, by name; what is missing is absent.
    fields: Fields,
}

/// Fields of a row in one text, each ending where it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fields {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Fields {
    fn get(&self, place: usize) -> Option<&str> {
        let start = if place == 0 { 0 } else { *self.ends.get(place - 1)? };
        let field = self.text.get(start as usize..*self.ends.get(place)? as usize)?;
        Some(field).filter(|field| !field.is_empty() && *field != MISSING)
    }
}

impl Encounter {
    /// Whether the patient died, or left for a hospice: nobody comes back from there.
    pub fn is_final(&self) -> bool {
        FINAL.contains(&self.disposition)
    }
}

/// The stays of a file.
#[derive(Debug, Clone)]
pub struct Diabetes {
    /// By patient, and of each in order.
    pub encounters: Vec<Encounter>,
    /// What became of the rows.
    pub counts: Counts,
    columns: BTreeMap<String, usize>,
}

/// Reads `diabetic_data.csv`, or the folder that holds it, plain or gzip.
///
/// # Errors
/// [`IoError`] if it is not there, lacks a column, or breaks off. Rows that cannot be used are counted.
pub fn read(path: &Path) -> Result<Diabetes, IoError> {
    let path = found(path, &["diabetic_data.csv"])?;
    let mut rows = csv::Reader::open(&path)?;
    let essential = ["encounter_id", "patient_nbr", "discharge_disposition_id", "time_in_hospital", "readmitted"];
    let mut places = [0; 5];
    for (place, name) in places.iter_mut().zip(essential) {
        *place = rows.need(name)?;
    }
    let columns: BTreeMap<String, usize> = rows.header().iter().cloned().zip(0..).collect();
    let (mut encounters, mut counts, mut seen) = (Vec::new(), Counts::default(), HashSet::new());
    while let Some(row) = rows.advance()? {
        match row {
            Err(error) => counts.drop_row(&error.problem, &path, error.number),
            Ok(row) => match encounter(row, places, columns.len()) {
                Ok(stay) if seen.insert(stay.encounter) => {
                    encounters.push(stay);
                    counts.keep();
                }
                Ok(_) => counts.drop_row("encounter_id is there twice", &path, row.line()),
                Err(reason) => counts.drop_row(reason, &path, row.line()),
            },
        }
    }
    encounters.sort_by_key(|stay| (stay.patient, stay.encounter));
    let (mut patient, mut number) = (None, 0);
    for stay in &mut encounters {
        number = if patient == Some(stay.patient) { number + 1 } else { 0 };
        patient = Some(stay.patient);
        let length = stay.discharge.since(stay.admission);
        stay.admission = FIRST.plus(Span(APART.0.saturating_mul(number)));
        stay.discharge = stay.admission.plus(length);
    }
    Ok(Diabetes { encounters, counts, columns })
}

fn encounter(row: csv::Row<'_>, places: [usize; 5], columns: usize) -> Result<Encounter, &'static str> {
    let number = |place: usize| row.parse::<i64>(places[place]).ok().flatten().ok_or("a number is missing or wrong");
    let readmitted = match row.get(places[4]) {
        "NO" => Readmitted::No,
        "<30" => Readmitted::Within30Days,
        ">30" => Readmitted::Later,
        _ => return Err("readmitted is none of NO, <30 and >30"),
    };
    let days = number(3)?;
    if !(0..=300).contains(&days) {
        return Err("time_in_hospital is no number of days");
    }
    let disposition =
        u8::try_from(number(2)?).map_err(|_| "discharge_disposition_id is none of those that are defined")?;
    let (mut text, mut ends) = (String::new(), Vec::with_capacity(columns));
    for column in 0..columns {
        text.push_str(row.get(column));
        ends.push(u32::try_from(text.len()).map_err(|_| "the row is too long")?);
    }
    let fields = Fields { text: text.into(), ends: ends.into() };
    let (encounter, patient) = (number(0)?, number(1)?);
    let (admission, discharge) = (FIRST, FIRST.plus(Span::days(days)));
    Ok(Encounter { encounter, patient, admission, discharge, disposition, readmitted, fields })
}

/// Whether patients came back within 30 days, predicted at discharge. Stays after which nobody is expected to come back
/// are left out, and those of the few who came back from a hospice all the same, unless `final_too` asks for the mistake.
pub fn labels(encounters: &[Encounter], final_too: bool) -> Vec<Label> {
    let mut ends: HashMap<i64, Time> = HashMap::new();
    for stay in encounters.iter().filter(|stay| stay.is_final()) {
        let end = ends.entry(stay.patient).or_insert(stay.discharge);
        *end = stay.discharge.min(*end);
    }
    let before_the_end = |stay: &Encounter| ends.get(&stay.patient).is_none_or(|&end| stay.discharge < end);
    let asked = encounters.iter().filter(|stay| final_too || before_the_end(stay));
    let within = |stay: &Encounter| stay.readmitted == Readmitted::Within30Days;
    let mut labels: Vec<Label> = asked.map(|stay| Label::boolean(stay.patient, stay.discharge, within(stay))).collect();
    crate::labels::sort(&mut labels);
    labels
}

/// Opens the set as a source of events.
///
/// # Errors
/// As [`read`].
pub fn open(path: &Path) -> Result<Box<dyn Source>, IoError> {
    let file = found(path, &["diabetic_data.csv"])?;
    let data = fs::metadata(&file).map_err(IoError::open(&file))?;
    let changed = data.modified().map_err(IoError::open(&file))?;
    let changed = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let state = format!("{} {} {changed}", file.display(), data.len());
    Ok(Box::new(Opened { file, state, bytes: data.len() }))
}

struct Opened {
    file: PathBuf,
    state: String,
    bytes: u64,
}

impl Source for Opened {
    fn name(&self) -> &'static str {
        "Diabetes 130-US hospitals"
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(self.state.clone())
    }

    fn estimate(&self) -> u64 {
        // A stay is some 250 bytes, a tenth of it packed, and becomes some 25 events.
        self.bytes
    }

    fn steps(&self) -> Vec<String> {
        vec!["diabetic_data".to_owned()]
    }

    fn step(&mut self, _: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let set = read(&self.file)?;
        let mut before = None;
        for stay in &set.encounters {
            set.statics(stay, before != Some(stay.patient), sink);
            set.events(stay, sink);
            before = Some(stay.patient);
            if sink.broken() {
                break;
            }
        }
        Ok(set.counts)
    }
}

impl Diabetes {
    fn field<'a>(&self, stay: &'a Encounter, name: &str) -> Option<&'a str> {
        stay.fields.get(*self.columns.get(name)?)
    }

    fn number(&self, stay: &Encounter, name: &str) -> Option<f32> {
        self.field(stay, name)?.parse::<f64>().ok().and_then(finite)
    }

    /// What holds at all times, as the first stay of a patient has it.
    fn statics(&self, stay: &Encounter, first: bool, sink: &mut dyn Sink) {
        if !first {
            return;
        }
        let gender = match self.field(stay, "gender") {
            Some("Female") => "F",
            Some("Male") => "M",
            _ => UNKNOWN,
        };
        sink.event(stay.patient, None, &format!("GENDER//{gender}"), None, None);
        if let Some(race) = self.field(stay, "race") {
            sink.event(stay.patient, None, &format!("RACE//{}", part(race)), None, None);
        }
    }

    fn events(&self, stay: &Encounter, sink: &mut dyn Sink) {
        let (patient, start, end) = (stay.patient, Some(stay.admission), Some(stay.discharge));
        let field = |name: &str| self.field(stay, name);
        let or_unknown = |name: &str| field(name).unwrap_or(UNKNOWN);
        let (kind, from) = (or_unknown("admission_type_id"), or_unknown("admission_source_id"));
        sink.event(patient, start, &format!("HOSPITAL_ADMISSION//{kind}//{from}"), None, None);
        if let Some(age) = field("age").and_then(middle) {
            sink.event(patient, start, "AGE", Some(age), None);
        }
        for (kind, name) in [("INSURANCE", "payer_code"), ("SPECIALTY", "medical_specialty")] {
            if let Some(found) = field(name) {
                sink.event(patient, start, &format!("{kind}//{}", part(found)), None, None);
            }
        }
        let counted = BEFORE.iter().map(|name| (name, start)).chain(DURING.iter().map(|name| (name, end)));
        for (name, when) in counted {
            if let Some(number) = self.number(stay, name) {
                sink.event(patient, when, &format!("COUNT//{name}"), Some(number), None);
            }
        }
        for name in DIAGNOSES {
            if let Some(code) = field(name) {
                sink.event(patient, end, &format!("DIAGNOSIS//ICD9CM//{code}"), None, None);
            }
        }
        for (name, column) in [("max_glu_serum", "max_glu_serum"), ("A1Cresult", "a1cresult")] {
            if let Some(result) = field(column).filter(|result| *result != "None") {
                sink.event(patient, end, &format!("LAB//{name}//{result}"), None, None);
            }
        }
        for name in DRUGS {
            if let Some(state) = field(name).filter(|state| *state != "No") {
                sink.event(patient, end, &format!("MEDICATION//NAME//{name}//{state}"), None, None);
            }
        }
        if field("change") == Some("Ch") {
            sink.event(patient, end, "MEDICATION_CHANGE", None, None);
        }
        sink.event(patient, end, &format!("HOSPITAL_DISCHARGE//{}", stay.disposition), None, None);
        if DIED.contains(&stay.disposition) {
            sink.event(patient, end, DEATH, None, None);
        }
    }
}

/// The middle of a range of ages such as `[70-80)`, in years.
fn middle(range: &str) -> Option<f32> {
    let (low, high) = range.strip_prefix('[')?.strip_suffix(')')?.split_once('-')?;
    let (low, high) = (low.parse::<f32>().ok()?, high.parse::<f32>().ok()?);
    (0.0..=150.0).contains(&low).then_some(f32::midpoint(low, high))
}
