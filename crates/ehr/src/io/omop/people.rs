//! Persons, their visits and their deaths.

use std::collections::HashSet;

use super::super::etl::{Row, Sink};
use super::super::rows::{Reason, each_row, int, needed_int, time};
use super::super::terms::{UNKNOWN, part};
use super::super::{Counts, IoError};
use super::{EMERGENCY, INPATIENT, Omop};
use crate::codebook::{BIRTH, DEATH};
use crate::time::Time;

/// Concepts of sex, race and ethnicity, as the standard vocabulary names them, for sets that come without it.
const NAMES: [(i64, &str); 9] = [
    (8507, "M"),
    (8532, "F"),
    (8527, "WHITE"),
    (8516, "BLACK OR AFRICAN AMERICAN"),
    (8515, "ASIAN"),
    (8557, "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER"),
    (8657, "AMERICAN INDIAN OR ALASKA NATIVE"),
    (38_003_563, "HISPANIC OR LATINO"),
    (38_003_564, "NOT HISPANIC OR LATINO"),
];

/// Concepts of visits and their codes in the vocabulary `Visit`.
const VISITS: [(i64, &str); 4] = [(9201, "IP"), (9202, "OP"), (EMERGENCY, "ER"), (262, "ERIP")];

const PERSON: [&str; 11] = [
    "person_id",
    "birth_datetime",
    "year_of_birth",
    "month_of_birth",
    "day_of_birth",
    "gender_concept_id",
    "gender_source_value",
    "race_concept_id",
    "race_source_value",
    "ethnicity_concept_id",
    "ethnicity_source_value",
];

const VISIT: [&str; 9] = [
    "visit_occurrence_id",
    "person_id",
    "visit_concept_id",
    "visit_start_datetime",
    "visit_start_date",
    "visit_end_datetime",
    "visit_end_date",
    "discharged_to_source_value",
    // its name in version 5.3
    "discharge_to_source_value",
];

const DEATHS: [&str; 4] = ["person_id", "death_datetime", "death_date", "death_type_concept_id"];

impl Omop {
    pub(super) fn people(&self, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let (mut counts, mut seen) = (Counts::default(), HashSet::new());
        let path = self.folder.need("person")?;
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, counts: &mut Counts| -> Result<(), Reason> {
            let subject = needed_int(row, 0, PERSON[0])?;
            if !seen.insert(subject) {
                return Err("person_id is there twice".into());
            }
            if let Some(birth) = birth(row, counts) {
                sink.event(subject, Some(birth), BIRTH, None, None);
            }
            for (kind, column) in [("GENDER", 5), ("RACE", 7), ("ETHNICITY", 9)] {
                let concept = int(row, column, PERSON[column])?.unwrap_or(0);
                if let Some(name) = self.called(concept, row.text(column + 1)) {
                    sink.event(subject, None, &format!("{kind}//{name}"), None, None);
                }
            }
            Ok(())
        };
        each_row(path, &PERSON, &PERSON[..1], sink, &mut counts, &mut each)?;
        Ok(counts)
    }

    /// What a concept of sex, race or ethnicity is called in codes, or what the source wrote.
    fn called(&self, concept: i64, written: Option<&str>) -> Option<String> {
        let known = NAMES.iter().find(|(id, _)| *id == concept).map(|(_, name)| (*name).to_owned());
        let named = || self.concepts.get(concept).map(|concept| part(concept.name));
        known.or_else(named).or_else(|| written.map(part))
    }

    /// Beginnings of visits, or their ends.
    pub(super) fn visits(&self, sink: &mut dyn Sink, ends: bool) -> Result<Counts, IoError> {
        let (mut counts, mut seen) = (Counts::default(), HashSet::new());
        let path = self.folder.need("visit_occurrence")?;
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, counts: &mut Counts| -> Result<(), Reason> {
            let subject = needed_int(row, 1, VISIT[1])?;
            if !seen.insert(needed_int(row, 0, VISIT[0])?) {
                return Err("visit_occurrence_id is there twice".into());
            }
            let kind = int(row, 2, VISIT[2])?.unwrap_or(0);
            let start = self.moment(row, [3, 4], [VISIT[3], VISIT[4]])?;
            if !ends {
                let (word, name) = (words(kind)[0], self.visit(kind));
                sink.event(subject, Some(start), &format!("{word}//{name}"), None, None);
                return Ok(());
            }
            let end = self.moment(row, [5, 6], [VISIT[5], VISIT[6]])?;
            if end < start {
                counts.change("the visit ends before it begins, so no end of it is known");
                return Ok(());
            }
            let to = row.text(7).or_else(|| row.text(8)).map_or(UNKNOWN.to_owned(), part);
            sink.event(subject, Some(end), &format!("{}//{to}", words(kind)[1]), None, None);
            Ok(())
        };
        each_row(path, &VISIT, &VISIT[..2], sink, &mut counts, &mut each)?;
        Ok(counts)
    }

    /// What a kind of visit is called in codes.
    fn visit(&self, kind: i64) -> String {
        let known = VISITS.iter().find(|(id, _)| *id == kind).map(|(_, name)| (*name).to_owned());
        let named = || self.concepts.get(kind).map(|concept| part(concept.code));
        known.or_else(named).unwrap_or_else(|| UNKNOWN.to_owned())
    }

    pub(super) fn deaths(&self, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let (mut counts, mut seen) = (Counts::default(), HashSet::new());
        let path = self.folder.need("death")?;
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, _: &mut Counts| -> Result<(), Reason> {
            let subject = needed_int(row, 0, DEATHS[0])?;
            let moment = self.moment(row, [1, 2], [DEATHS[1], DEATHS[2]])?;
            if !seen.insert(subject) {
                return Err("person_id is there twice".into());
            }
            sink.event(subject, Some(moment), DEATH, None, None);
            Ok(())
        };
        each_row(path, &DEATHS, &DEATHS[..1], sink, &mut counts, &mut each)?;
        Ok(counts)
    }
}

/// How the codes of the beginning and of the end of a kind of visit begin.
fn words(kind: i64) -> [&'static str; 2] {
    match kind {
        EMERGENCY => ["ED_REGISTRATION", "ED_OUT"],
        kind if INPATIENT.contains(&kind) => ["HOSPITAL_ADMISSION", "HOSPITAL_DISCHARGE"],
        _ => ["ENCOUNTER", "ENCOUNTER_END"],
    }
}

/// When a person was born; from the beginning of the day, month or year.
fn birth(row: Row<'_>, counts: &mut Counts) -> Option<Time> {
    if let Ok(Some(born)) = time(row, 1, PERSON[1]) {
        return Some(born);
    }
    let number = |column: usize| int(row, column, PERSON[column]).ok().flatten();
    let part = |column: usize| number(column).and_then(|number| u8::try_from(number).ok());
    let year = number(2).and_then(|year| i32::try_from(year).ok());
    let born = year.and_then(|year| Time::from_civil(year, part(3).unwrap_or(1), part(4).unwrap_or(1), 0, 0, 0));
    let born = born.filter(|born| born.is_plausible());
    match born {
        None => counts.change("there is no year of birth, so no birth is known"),
        Some(_) if number(3).is_none() || number(4).is_none() => {
            counts.change("the birth has no month or day, so the first one is taken");
        }
        Some(_) => {}
    }
    born
}
