//! MIMIC-III (Johnson and others, Sci. Data 3, 2016), version 1.4: critical-care records of one hospital, 2001 to 2012.
//!
//! Codes follow the published ETL of MIMIC-IV to MEDS where MIMIC-III has the same: `LAB//50852//%`,
//! `DIAGNOSIS//ICD//9//25000`, `HOSPITAL_ADMISSION//EMERGENCY//…`. Descriptions and LOINC codes come from the
//! dictionaries of the set.
//!
//! When something is taken to be known:
//!
//! | what | when |
//! |---|---|
//! | diagnoses, procedures, DRG and CPT codes | at discharge, when they are coded; none if that is before admission |
//! | laboratory | when it was drawn: MIMIC-III does not say when a result was there |
//! | bedside values | when they were charted |
//! | infusions | the rate at the start, the amount at the end |
//! | cultures | the specimen when it was taken; what grew at discharge, as the day of the result is not known |
//! | what has a day only (prescriptions, death outside the hospital) | the last second of that day |
//!
//! Dates are shifted per patient, and births of those older than 89 moved 300 years back: they count as 90 years old at
//! their first admission, and get the code `AGE//OVER_89`. Laboratory rows without an admission stay, and are counted
//! by whether one was going on.

mod people;
mod rules;

use std::path::Path;

use super::IoError;
use super::etl::{Context, Folder, Hospital, Source, TableConfig};

pub(super) use self::people::{
    Dictionaries, OVER_89_CODE, admissions, code_key, code_parent, death, deaths, over_89, sex,
};

/// Opens a folder of MIMIC-III tables (`.csv`, `.csv.gz` or `.parquet`, in capital or small letters).
///
/// # Errors
/// [`IoError`] if a table that everything refers to (`patients`, `admissions`) is missing or cannot be read.
pub fn open(folder: &Path, config: &TableConfig) -> Result<Box<dyn Source>, IoError> {
    let folder = Folder::open(folder)?;
    folder.need("patients")?;
    let mut dictionaries = Dictionaries::default();
    dictionaries.items(&folder, "d_items")?;
    dictionaries.laboratory(&folder, "d_labitems", &[])?;
    dictionaries.icd(&folder, "d_icd_diagnoses", "dx", ["icd9_code", "icd_version"])?;
    dictionaries.icd(&folder, "d_icd_procedures", "px", ["icd9_code", "icd_version"])?;
    let stays = admissions(&folder)?;
    let context = Context { stays, items: dictionaries.analytes, named: false, normalise: config.normalise_units };
    Ok(Box::new(Hospital {
        name: "MIMIC-III",
        folder,
        context,
        special: &[("patients", people::patients)],
        tables: rules::TABLES,
        dictionaries: &["d_items", "d_labitems", "d_icd_diagnoses", "d_icd_procedures", "d_cpt", "caregivers"],
        notes: dictionaries.notes,
        key: code_key,
        parent: code_parent,
        config: config.clone(),
    }))
}

#[cfg(test)]
mod tests;
