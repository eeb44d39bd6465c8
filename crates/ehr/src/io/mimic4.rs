//! MIMIC-IV (Johnson and others, Sci. Data 10, 2023), versions 2 and 3: records of one hospital, 2008 to 2022, with the
//! tables in folders `hosp`, `icu` and, where there is access, `note`.
//!
//! Codes follow the published ETL of MIMIC-IV to MEDS, except that bedside values are `CHART//…` and drugs go by their
//! NDC. A result of the laboratory counts as known when it was stored, not when the blood was drawn; likewise what grew
//! in a culture, and notes. What the laboratory's items are is known from MIMIC-III, as the dictionary of this set no
//! longer says it. The rest is as in [`super::mimic3`]. MIMIC-IV has no births, but an age in one year: a patient counts
//! as born on the first of January. An age above 89, which the set gives as 91, counts as 90 at the first admission and
//! gets the code `AGE//OVER_89`.

mod items;
mod rules;

use std::collections::HashSet;
use std::path::Path;

use super::etl::{Context, Folder, Hospital, Sink, Source, TableConfig, each_row};
use super::mimic3::{Dictionaries, admissions, code_key, code_parent, death, deaths, over_89, sex};
use super::{Counts, IoError};
use crate::codebook::BIRTH;
use crate::time::Time;

/// Opens a folder of MIMIC-IV tables (`.csv`, `.csv.gz` or `.parquet`), with or without folders in it.
///
/// # Errors
/// [`IoError`] if a table that everything refers to (`patients`, `admissions`) is missing or cannot be read.
pub fn open(folder: &Path, config: &TableConfig) -> Result<Box<dyn Source>, IoError> {
    let folder = Folder::open(folder)?;
    folder.need("patients")?;
    let mut dictionaries = Dictionaries::default();
    dictionaries.items(&folder, "d_items")?;
    dictionaries.laboratory(&folder, "d_labitems", &items::LOINC)?;
    dictionaries.icd(&folder, "d_icd_diagnoses", "dx", ["icd_code", "icd_version"])?;
    dictionaries.icd(&folder, "d_icd_procedures", "px", ["icd_code", "icd_version"])?;
    let stays = admissions(&folder)?;
    let context = Context { stays, items: dictionaries.analytes, named: false, normalise: config.normalise_units };
    Ok(Box::new(Hospital {
        name: "MIMIC-IV",
        folder,
        context,
        special: &[("patients", patients)],
        tables: rules::TABLES,
        dictionaries: &[
            "d_items",
            "d_labitems",
            "d_icd_diagnoses",
            "d_icd_procedures",
            "d_hcpcs",
            "caregiver",
            "provider",
        ],
        notes: dictionaries.notes,
        key: code_key,
        parent: code_parent,
        config: config.clone(),
    }))
}

/// The events of the table of patients: sex, birth and death.
fn patients(hospital: &Hospital, sink: &mut dyn Sink) -> Result<Counts, IoError> {
    let path = hospital.folder.need("patients")?;
    let deaths = deaths(&hospital.folder)?;
    let (mut counts, mut seen) = (Counts::default(), HashSet::new());
    let columns = ["subject_id", "gender", "anchor_age", "anchor_year", "dod"];
    each_row(path, &columns, 1, &mut counts, |row, counts| {
        let subject = match row.cell(0).int() {
            Ok(Some(subject)) => subject,
            Ok(None) => return counts.drop_row("subject_id is missing", path, row.number()),
            Err(what) => return counts.drop_row(&format!("subject_id {what}"), path, row.number()),
        };
        if !seen.insert(subject) {
            return counts.drop_row("subject_id is there twice", path, row.number());
        }
        counts.keep();
        sex(subject, row.text(1), sink);
        match (row.cell(2).int(), row.cell(3).int()) {
            (Ok(Some(age)), Ok(Some(year))) => {
                let january = |year: i64| Time::from_civil(i32::try_from(year).ok()?, 1, 1, 0, 0, 0);
                let admitted = || hospital.context.stays.first(subject).or_else(|| january(year));
                if let (90.., Some(first)) = (age, admitted()) {
                    over_89(subject, first, sink, counts);
                } else if let Some(birth) = january(year.saturating_sub(age)) {
                    sink.event(subject, Some(birth), BIRTH, None, None);
                } else {
                    counts.change("no birth where anchor_year is no year");
                }
            }
            (Ok(None), _) | (_, Ok(None)) => {}
            _ => counts.change("no birth where anchor_age or anchor_year is no whole number"),
        }
        death(subject, deaths.get(&subject).copied(), row.cell(4).time(), sink, counts);
    })?;
    Ok(counts)
}

#[cfg(test)]
mod tests;
