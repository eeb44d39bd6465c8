//! The tables of what happened: conditions, procedures, drugs, devices, measurements, observations, notes.

use std::fmt::Write as _;

use super::super::etl::{Row, Sink};
use super::super::rows::{Reason, each_row, int, needed_int};
use super::super::terms::{UNKNOWN, finite, part, reading};
use super::super::{Counts, IoError};
use super::Omop;

/// A table whose rows become one event each, with its columns: of the standard concept, the source's concept, what the
/// source wrote, the time and the date.
pub(super) struct Clinical {
    pub(super) table: &'static str,
    kind: &'static str,
    columns: [&'static str; 5],
    /// Whether rows have a value.
    measured: bool,
}

/// Those tables, in the order in which they are read.
pub(super) static CLINICAL: [Clinical; 6] = [
    Clinical {
        table: "condition_occurrence",
        kind: "DIAGNOSIS",
        columns: [
            "condition_concept_id",
            "condition_source_concept_id",
            "condition_source_value",
            "condition_start_datetime",
            "condition_start_date",
        ],
        measured: false,
    },
    Clinical {
        table: "procedure_occurrence",
        kind: "PROCEDURE",
        columns: [
            "procedure_concept_id",
            "procedure_source_concept_id",
            "procedure_source_value",
            "procedure_datetime",
            "procedure_date",
        ],
        measured: false,
    },
    Clinical {
        table: "drug_exposure",
        kind: "MEDICATION",
        columns: [
            "drug_concept_id",
            "drug_source_concept_id",
            "drug_source_value",
            "drug_exposure_start_datetime",
            "drug_exposure_start_date",
        ],
        measured: false,
    },
    Clinical {
        table: "device_exposure",
        kind: "DEVICE",
        columns: [
            "device_concept_id",
            "device_source_concept_id",
            "device_source_value",
            "device_exposure_start_datetime",
            "device_exposure_start_date",
        ],
        measured: false,
    },
    Clinical {
        table: "measurement",
        kind: "MEASUREMENT",
        columns: [
            "measurement_concept_id",
            "measurement_source_concept_id",
            "measurement_source_value",
            "measurement_datetime",
            "measurement_date",
        ],
        measured: true,
    },
    Clinical {
        table: "observation",
        kind: "OBSERVATION",
        columns: [
            "observation_concept_id",
            "observation_source_concept_id",
            "observation_source_value",
            "observation_datetime",
            "observation_date",
        ],
        measured: true,
    },
];

/// Columns of every table, behind its own.
const SHARED: [&str; 8] = [
    "person_id",
    "visit_occurrence_id",
    "value_as_number",
    "value_as_concept_id",
    "unit_concept_id",
    "unit_source_value",
    "value_as_string",
    "value_source_value",
];

// Places among a table's columns and the shared ones.
const PERSON: usize = 5;
const VISIT: usize = 6;
const NUMBER: usize = 7;
const ANSWER: usize = 8;
const UNIT_CONCEPT: usize = 9;
const UNIT: usize = 10;
const STRING: usize = 11;
const WRITTEN: usize = 12;

const NOTE: [&str; 6] = ["person_id", "note_datetime", "note_date", "note_text", "note_title", "note_class_concept_id"];

impl Omop {
    pub(super) fn clinical(&self, table: &Clinical, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let mut counts = Counts::default();
        let path = self.folder.need(table.table)?;
        let columns: Vec<&str> = table.columns.iter().chain(&SHARED).copied().collect();
        let needed = [table.columns[0], SHARED[0]];
        let mut code = String::new();
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, counts: &mut Counts| -> Result<(), Reason> {
            code.clear();
            self.event(table, &mut code, row, sink, counts)
        };
        each_row(path, &columns, &needed, sink, &mut counts, &mut each)?;
        Ok(counts)
    }

    fn event(
        &self,
        table: &Clinical,
        code: &mut String,
        row: Row<'_>,
        sink: &mut dyn Sink,
        counts: &mut Counts,
    ) -> Result<(), Reason> {
        let names = table.columns;
        let subject = needed_int(row, PERSON, SHARED[0])?;
        let mut when = self.moment(row, [3, 4], [names[3], names[4]])?;
        if table.kind == "DIAGNOSIS" {
            // A table of millions of rows has few visits without a number, which then count as no inpatient ones.
            let visit = int(row, VISIT, SHARED[1])?;
            if let Some(end) = visit.and_then(|visit| self.inpatient.get(&visit)) {
                let end = end.ok_or("the end of its inpatient visit is missing or before the beginning")?;
                if end > when {
                    when = end;
                    counts.change("a condition counts as known from the end of its inpatient visit");
                }
            }
        }
        let concepts = [int(row, 0, names[0])?.unwrap_or(0), int(row, 1, names[1])?.unwrap_or(0)];
        let mut written = String::new();
        let written = row.cell(2).write(&mut written).then_some(written);
        let mut own = String::new();
        let concept = self.write_code(&mut own, concepts, written.as_deref(), counts)?;
        let laboratory = table.measured && concept.is_some_and(|concept| concept.laboratory);
        // Writing to a `String` does not fail.
        let _ = write!(code, "{}//{own}", if laboratory { "LAB" } else { table.kind });
        if !table.measured {
            sink.event(subject, Some(when), code, None, None);
            return Ok(());
        }
        let number = row.cell(NUMBER).number().unwrap_or_else(|what| {
            counts.change(&format!("no value where value_as_number {what}"));
            None
        });
        let string = row.text(STRING).or_else(|| row.text(WRITTEN));
        let Some(number) = number else {
            let answer = self.concepts.get(int(row, ANSWER, SHARED[3])?.unwrap_or(0));
            if let Some(answer) = answer {
                let _ = write!(code, "//{}//{}", answer.vocabulary, answer.code);
            }
            let text = answer.map(|answer| answer.name).filter(|name| !name.is_empty()).or(string);
            sink.event(subject, Some(when), code, None, text);
            return Ok(());
        };
        let unit = row.text(UNIT).or_else(|| {
            let unit = int(row, UNIT_CONCEPT, SHARED[4]).ok().flatten().unwrap_or(0);
            self.concepts.get(unit).map(|unit| unit.code)
        });
        if self.config.normalise_units {
            let (vocabulary, measured) = concept.map_or(("", ""), |concept| (concept.vocabulary, concept.code));
            let found = reading(vocabulary, measured, number, unit, counts);
            let _ = write!(code, "//{}", found.unit);
            sink.event(subject, Some(when), code, found.value, found.text.as_deref());
        } else {
            let _ = write!(code, "//{}", unit.unwrap_or(UNKNOWN));
            sink.event(subject, Some(when), code, finite(number), None);
        }
        Ok(())
    }

    pub(super) fn notes(&self, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let mut counts = Counts::default();
        let path = self.folder.need("note")?;
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, _: &mut Counts| -> Result<(), Reason> {
            let subject = needed_int(row, 0, NOTE[0])?;
            let when = self.moment(row, [1, 2], [NOTE[1], NOTE[2]])?;
            let text = row.text(3).ok_or("there is no text in it")?;
            let class = self.concepts.get(int(row, 5, NOTE[5])?.unwrap_or(0)).map(|concept| concept.name);
            let class = class.or_else(|| row.text(4)).map_or(UNKNOWN.to_owned(), part);
            sink.event(subject, Some(when), &format!("NOTE//{class}"), None, Some(text));
            Ok(())
        };
        each_row(path, &NOTE, &NOTE[..1], sink, &mut counts, &mut each)?;
        Ok(counts)
    }
}
