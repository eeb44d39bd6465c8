//! OMOP Common Data Model 5.3 and 5.4 (Observational Health Data Sciences and Informatics): folders of its tables as
//! `.csv`, `.csv.gz` or `.parquet`, with the vocabulary tables as Athena exports them.
//!
//! A row becomes an event whose code names kind, vocabulary and code of its concept, as `DIAGNOSIS//SNOMED//44054006` or
//! `LAB//LOINC//4548-4//%`; the other readers write the same fact alike. `person_id` is the subject.
//!
//! When something is taken to be known:
//!
//! | what | when |
//! |---|---|
//! | conditions of an inpatient visit | at its end at the earliest: most are coded for billing; none if it has no end |
//! | other facts | at their date and time |
//! | what has a date only, which many tables write as midnight | the last second of that day ([`OmopConfig::dates`]) |
//! | where a patient went after a visit | at its end |
//!
//! What a code means, and what stands above it (`Is a`, `Maps to`), is taken from `CONCEPT` and `CONCEPT_RELATIONSHIP`. They
//! are held in memory, about 60 bytes for each concept.

mod concepts;
mod people;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::concepts::{Concept, Concepts};
use self::tables::CLINICAL;
use super::etl::{CodeNote, Folder, Row, Sink, Source};
use super::known::DayRule;
use super::rows::{Nowhere, Reason, each_row, int, needed_int, time};
use super::{Counts, IoError};
use crate::time::Time;

/// Concepts of visits on which a patient is admitted: inpatient; emergency room and inpatient; inpatient hospital;
/// intensive care; inpatient critical care facility.
const INPATIENT: [i64; 5] = [9201, 262, 8717, 32037, 581_379];

/// Concept of a visit to an emergency room.
const EMERGENCY: i64 = 9203;

/// Tables that are read, beside those of [`CLINICAL`].
const OTHERS: [&str; 6] = ["person", "visit_occurrence", "death", "note", "concept", "concept_relationship"];

/// The step in which visits end; it is the last, so that what has the same time as the end of a visit stands before it.
const ENDS: &str = "visit_ends";

/// Which of the two concepts of a row is its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The standard concept; the source's where there is none.
    #[default]
    Standard,
    /// The concept of the source's own vocabulary, such as ICD-10-CM; the standard one where there is none.
    Source,
}

/// How OMOP tables are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OmopConfig {
    /// Which concept is the code.
    pub prefer: Prefer,
    /// From when on a fact is known that has a date only.
    pub dates: DayRule,
    /// Whether conditions of an inpatient visit wait for its end.
    pub conditions_at_discharge: bool,
    /// Whether values are brought to the units of what was measured.
    pub normalise_units: bool,
    /// Whether the codes above a code are read.
    pub hierarchy: bool,
}

impl Default for OmopConfig {
    fn default() -> Self {
        Self {
            prefer: Prefer::Standard,
            dates: DayRule::End,
            conditions_at_discharge: true,
            normalise_units: true,
            hierarchy: true,
        }
    }
}

/// Opens a folder of OMOP tables.
///
/// # Errors
/// [`IoError`] if the tables `person` or `visit_occurrence` are missing, or the vocabulary or the visits cannot be read.
pub fn open(folder: &Path, config: &OmopConfig) -> Result<Box<dyn Source>, IoError> {
    let folder = Folder::open(folder)?;
    folder.need("person")?;
    let visits = folder.need("visit_occurrence")?;
    let inpatient = if config.conditions_at_discharge { inpatient_ends(visits, config.dates)? } else { HashMap::new() };
    let concepts = Concepts::read(&folder, config.hierarchy)?;
    Ok(Box::new(Omop { folder, concepts, inpatient, config: config.clone() }))
}

struct Omop {
    folder: Folder,
    concepts: Concepts,
    /// The inpatient visits by number, and when they ended.
    inpatient: HashMap<i64, Option<Time>>,
    config: OmopConfig,
}

impl Source for Omop {
    fn name(&self) -> &'static str {
        "OMOP"
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(format!("{}{:?}\n", self.folder.fingerprint()?, self.config))
    }

    fn estimate(&self) -> u64 {
        self.folder.rows(CLINICAL.iter().map(|clinical| clinical.table))
    }

    fn steps(&self) -> Vec<String> {
        let first = ["person", "visit_occurrence"].into_iter();
        let tables = first.chain(CLINICAL.iter().map(|clinical| clinical.table)).chain(["note", "death"]);
        let mut steps: Vec<String> =
            tables.filter(|table| self.folder.path(table).is_some()).map(str::to_owned).collect();
        steps.push(ENDS.to_owned());
        steps
    }

    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        match step {
            "person" => self.people(sink),
            "visit_occurrence" => self.visits(sink, false),
            ENDS => self.visits(sink, true),
            "death" => self.deaths(sink),
            "note" => self.notes(sink),
            table => match CLINICAL.iter().find(|clinical| clinical.table == table) {
                Some(clinical) => self.clinical(clinical, sink),
                None => Err(IoError::format(self.folder.root(), format!("there is no step {table}"))),
            },
        }
    }

    fn note(&self, code: &str) -> CodeNote {
        self.concepts.note(code)
    }

    fn remarks(&self) -> Vec<String> {
        let read = |table: &&str| OTHERS.contains(table) || CLINICAL.iter().any(|clinical| clinical.table == *table);
        let left: Vec<&str> = self.folder.names().filter(|table| !read(table)).collect();
        let mut remarks = vec![self.concepts.summary()];
        if !left.is_empty() {
            remarks.push(format!("tables that are not read: {}", left.join(", ")));
        }
        remarks
    }
}

impl Omop {
    /// A time of a row: the date and time of a column, else the date of another.
    fn moment(&self, row: Row<'_>, places: [usize; 2], names: [&str; 2]) -> Result<Time, Reason> {
        let found = match time(row, places[0], names[0])? {
            Some(time) => Some(time),
            None => time(row, places[1], names[1])?,
        };
        let found = found.ok_or_else(|| Reason::from(format!("{} is missing", names[1])))?;
        Ok(self.config.dates.of_midnight(found))
    }

    /// Adds vocabulary and code of a concept to a code, or what the source wrote.
    fn write_code(
        &self,
        code: &mut String,
        [standard, source]: [i64; 2],
        written: Option<&str>,
        counts: &mut Counts,
    ) -> Result<Option<Concept<'_>>, Reason> {
        let order = match self.config.prefer {
            Prefer::Standard => [standard, source],
            Prefer::Source => [source, standard],
        };
        if let Some(concept) = order.iter().find_map(|id| self.concepts.get(*id)) {
            code.push_str(concept.vocabulary);
            code.push_str("//");
            code.push_str(concept.code);
            return Ok(Some(concept));
        }
        if let Some(written) = written {
            code.push_str("SOURCE//");
            code.push_str(written);
            counts.change("there is no concept, so what the source wrote is the code");
            return Ok(None);
        }
        match order.iter().find(|id| **id != 0) {
            Some(id) => {
                counts.change("the concept is not in the table CONCEPT, so its number is the code");
                // Writing to a `String` does not fail.
                let _ = write!(code, "OMOP//{id}");
                Ok(None)
            }
            None => Err("it has no concept".into()),
        }
    }
}

/// When the inpatient visits ended; `None` where that is not known, or is before they began.
fn inpatient_ends(path: &Path, dates: DayRule) -> Result<HashMap<i64, Option<Time>>, IoError> {
    let columns = [
        "visit_occurrence_id",
        "visit_concept_id",
        "visit_start_datetime",
        "visit_start_date",
        "visit_end_datetime",
        "visit_end_date",
    ];
    let mut ends = HashMap::new();
    let mut each = |row: Row<'_>, _: &mut dyn Sink, _: &mut Counts| -> Result<(), Reason> {
        let kind = int(row, 1, columns[1])?.unwrap_or(0);
        if INPATIENT.contains(&kind) {
            let moment = |first: usize| {
                let found = row.cell(first).time().ok().flatten().or_else(|| row.cell(first + 1).time().ok().flatten());
                found.map(|time| dates.of_midnight(time))
            };
            let end = moment(4).filter(|end| moment(2).is_none_or(|start| start <= *end));
            ends.entry(needed_int(row, 0, columns[0])?).or_insert(end);
        }
        Ok(())
    };
    each_row(path, &columns, &columns[..2], &mut Nowhere, &mut Counts::default(), &mut each)?;
    Ok(ends)
}
