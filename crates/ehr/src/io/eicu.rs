//! eICU Collaborative Research Database (Pollard and others, Sci. Data 5, 2018), version 2.0: stays in intensive-care
//! units of 208 hospitals, 2014 and 2015.
//!
//! Every time of the set is a number of minutes since the patient entered the unit; of the calendar only the year of
//! the discharge and the time of day of the admission are given. Each patient gets a timeline of its own: the stay in
//! hospital begins at its time of day on the first of January of that year, or on the day after the discharge before,
//! if there was one; the stays in units lie within it where their minutes put them. Between two stays in hospital
//! neither the gap nor, within a year, the order is known: stays of one year stand by their number, and one that ended
//! with death behind the others.
//!
//! What was entered later than it happened counts from when it was entered, a result of the laboratory from its last
//! revision. Of cultures the result has no time: it counts from the discharge. Diagnoses were entered during the stay,
//! and stand where they were. Not read are the tables of the APACHE score (they hold its predictions and the outcome,
//! or the worst values of a day without their time) and of hospitals; the columns that say what was still active at
//! discharge are not read either.
//!
//! `uniquepid` is the patient, `patientunitstayid` the stay. An age of `> 89` counts as 90, with the code
//! `AGE//OVER_89`.

mod patients;
mod rules;

use std::collections::HashMap;
use std::path::Path;

use super::IoError;
use super::etl::{Context, Folder, Hospital, Source, TableConfig};

/// Opens a folder of eICU tables (`.csv`, `.csv.gz` or `.parquet`).
///
/// # Errors
/// [`IoError`] if the table `patient`, to which everything refers, is missing or cannot be read.
pub fn open(folder: &Path, config: &TableConfig) -> Result<Box<dyn Source>, IoError> {
    let folder = Folder::open(folder)?;
    let stays = patients::stays(&folder)?;
    let context = Context { stays, items: HashMap::new(), named: true, normalise: config.normalise_units };
    Ok(Box::new(Hospital {
        name: "eICU",
        folder,
        context,
        special: &[("patient", patients::patients), ("diagnosis", patients::diagnoses)],
        tables: rules::TABLES,
        dictionaries: &["hospital"],
        notes: HashMap::new(),
        key: str::to_owned,
        parent: patients::parent,
        config: config.clone(),
    }))
}

#[cfg(test)]
mod tests;
