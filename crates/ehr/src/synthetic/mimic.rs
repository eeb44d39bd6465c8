//! Tables with the shape and the dirt of MIMIC-III, of any size: what a conversion is tried on before it gets the real
//! ones.
//!
//! The rows of the event tables are in no order of patients, as in the published files. About one row in a thousand is
//! marked as an error, one laboratory row in five has no admission, one in fifty a text instead of a number, one
//! bedside value in ten thousand cannot be true. The values mean nothing.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use nn_core::atomic;
use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::io::IoError;
use crate::time::{Span, Time};

/// Rows of events of a mean admission.
const ROWS_PER_ADMISSION: u64 = 2000;

/// Diagnoses of an admission.
const DIAGNOSES: [&str; 12] =
    ["25000", "4019", "4280", "42731", "5849", "0389", "51881", "41401", "2724", "V5861", "E8788", "486"];

/// Item, name, unit, smallest and largest value of what is charted at the bedside.
const CHART: [(u32, &str, &str, f64, f64); 10] = [
    (220_045, "Heart Rate", "bpm", 40.0, 160.0),
    (220_210, "Respiratory Rate", "insp/min", 6.0, 45.0),
    (220_277, "O2 saturation pulseoxymetry", "%", 80.0, 100.0),
    (220_179, "Non Invasive Blood Pressure systolic", "mmHg", 70.0, 200.0),
    (220_180, "Non Invasive Blood Pressure diastolic", "mmHg", 30.0, 110.0),
    (220_181, "Non Invasive Blood Pressure mean", "mmHg", 40.0, 130.0),
    (223_761, "Temperature Fahrenheit", "?F", 95.0, 104.0),
    (220_739, "GCS - Eye Opening", "", 1.0, 4.0),
    (223_900, "GCS - Verbal Response", "", 1.0, 5.0),
    (223_901, "GCS - Motor Response", "", 1.0, 6.0),
];

/// Item, name, LOINC code, unit, smallest and largest value of what the laboratory measures.
const LABORATORY: [(u32, &str, &str, &str, f64, f64); 10] = [
    (50_912, "Creatinine", "2160-0", "mg/dL", 0.4, 6.0),
    (50_931, "Glucose", "2345-7", "mg/dL", 50.0, 400.0),
    (50_971, "Potassium", "2823-3", "mEq/L", 2.5, 6.5),
    (50_983, "Sodium", "2951-2", "mEq/L", 120.0, 155.0),
    (51_006, "Urea Nitrogen", "3094-0", "mg/dL", 4.0, 120.0),
    (51_222, "Hemoglobin", "718-7", "g/dL", 6.0, 17.0),
    (51_265, "Platelet Count", "777-3", "K/uL", 20.0, 600.0),
    (51_301, "White Blood Cells", "804-5", "K/uL", 1.0, 40.0),
    (50_813, "Lactate", "32693-4", "mmol/L", 0.5, 12.0),
    (50_852, "% Hemoglobin A1c", "4548-4", "%", 4.5, 13.0),
];

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MimicTables {
    /// Patients.
    pub patients: u64,
    /// Admissions; each has one stay in intensive care.
    pub admissions: u64,
    /// Rows of all tables that become events.
    pub rows: u64,
    /// Rows that are marked as errors, and are to be left out.
    pub errors: u64,
    /// Events that a faithful conversion makes of them.
    pub events: u64,
    /// Laboratory rows without an admission.
    pub without_admission: u64,
    /// Values that no patient can have had.
    pub outliers: u64,
    /// The files.
    pub files: Vec<PathBuf>,
}

struct Admission {
    subject: u64,
    number: u64,
    start: Time,
    minutes: i64,
}

/// Writes tables of MIMIC-III that become about `events` events, as `.csv.gz` files, into a folder.
///
/// # Errors
/// [`IoError`] if a file cannot be written.
pub fn mimic_tables(folder: &Path, events: u64, seed: u64) -> Result<MimicTables, IoError> {
    fs::create_dir_all(folder).map_err(IoError::write(folder))?;
    let mut made = MimicTables::default();
    let admissions = people(folder, events.div_ceil(ROWS_PER_ADMISSION).max(1), seed, &mut made)?;
    dictionaries(folder, &mut made)?;
    // About as in MIMIC-III, where nine rows in ten are bedside values.
    charts(folder, events * 83 / 100, &admissions, &mut rng(seed, &[1]), &mut made)?;
    laboratory(folder, events / 10, &admissions, &mut rng(seed, &[2]), &mut made)?;
    inputs(folder, events * 2 / 100, &admissions, &mut rng(seed, &[3]), &mut made)?;
    outputs(folder, events / 50, &admissions, &mut rng(seed, &[4]), &mut made)?;
    Ok(made)
}

/// Writes one table, compressed.
fn table(
    folder: &Path,
    name: &str,
    made: &mut MimicTables,
    rows: impl FnOnce(&mut dyn Write, &mut MimicTables) -> io::Result<()>,
) -> Result<(), IoError> {
    let path = folder.join(format!("{name}.csv.gz"));
    compressed(&path, |out| rows(out, made))?;
    made.files.push(path);
    Ok(())
}

/// Writes a compressed text.
pub(super) fn compressed(path: &Path, rows: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), IoError> {
    Ok(atomic::write_with(path, |file| {
        let mut text = BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::fast()));
        rows(&mut text)?;
        text.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        Ok(())
    })?)
}

/// Patients, admissions, stays in intensive care and diagnoses.
fn people(folder: &Path, admissions: u64, seed: u64, made: &mut MimicTables) -> Result<Vec<Admission>, IoError> {
    let mut draw = rng(seed, &[0]);
    let mut all: Vec<Admission> = Vec::with_capacity(admissions as usize);
    let epoch = Time::from_civil(2100, 1, 1, 0, 0, 0).unwrap_or(Time(0));
    let mut after = epoch;
    for number in 0..admissions {
        // Two in three admissions are a patient's first.
        let first = number == 0 || draw.random_range(0..3_u32) > 0;
        let subject = all.last().map_or(0, |last| last.subject) + u64::from(first && number > 0);
        let before = if first { epoch } else { after };
        let start = before.plus(Span::minutes(draw.random_range(1440..5_000_000)));
        let minutes = draw.random_range(600..30_000);
        after = start.plus(Span::minutes(minutes));
        all.push(Admission { subject, number: 100_000 + number, start, minutes });
    }
    made.patients = all.last().map_or(0, |last| last.subject + 1);
    made.admissions = admissions;
    table(folder, "PATIENTS", made, |out, made| {
        writeln!(out, "\"ROW_ID\",\"SUBJECT_ID\",\"GENDER\",\"DOB\",\"DOD\",\"DOD_HOSP\",\"DOD_SSN\",\"EXPIRE_FLAG\"")?;
        let firsts = all.iter().enumerate().filter(|(row, one)| *row == 0 || all[*row - 1].subject != one.subject);
        for (row, one) in firsts {
            let years = draw.random_range(18..89_i64);
            let born = one.start.minus(Span::days(years * 365)).midnight();
            let sex = if draw.random_range(0..2_u32) == 0 { "F" } else { "M" };
            writeln!(out, "{row},{},\"{sex}\",{born},,,,0", one.subject)?;
            made.rows += 1;
            made.events += 2;
        }
        Ok(())
    })?;
    table(folder, "ADMISSIONS", made, |out, made| {
        writeln!(
            out,
            "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,ADMISSION_LOCATION,\
             DISCHARGE_LOCATION,INSURANCE,LANGUAGE,RELIGION,MARITAL_STATUS,ETHNICITY,EDREGTIME,EDOUTTIME,DIAGNOSIS,\
             HOSPITAL_EXPIRE_FLAG,HAS_CHARTEVENTS_DATA"
        )?;
        for (row, one) in all.iter().enumerate() {
            let (subject, number, start, end) = (one.subject, one.number, one.start, one.end());
            writeln!(
                out,
                "{row},{subject},{number},{start},{end},,EMERGENCY,EMERGENCY ROOM ADMIT,HOME,Medicare,,,,WHITE,,,\
                 \"SEPSIS, UNSPECIFIED\",0,1"
            )?;
            made.rows += 1;
            made.events += 5;
        }
        Ok(())
    })?;
    table(folder, "ICUSTAYS", made, |out, made| {
        writeln!(out, "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,FIRST_CAREUNIT,LAST_CAREUNIT,INTIME,OUTTIME,LOS")?;
        for (row, one) in all.iter().enumerate() {
            let (subject, number, start, end) = (one.subject, one.number, one.start, one.end());
            writeln!(out, "{row},{subject},{number},{},MICU,MICU,{start},{end},1", number + 100_000_000)?;
            made.rows += 1;
            made.events += 2;
        }
        Ok(())
    })?;
    table(folder, "DIAGNOSES_ICD", made, |out, made| {
        writeln!(out, "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE")?;
        for one in &all {
            for place in 0..draw.random_range(1..8_usize) {
                let code = DIAGNOSES[draw.random_range(0..DIAGNOSES.len())];
                writeln!(out, "{},{},{},{},\"{code}\"", made.rows, one.subject, one.number, place + 1)?;
                made.rows += 1;
                made.events += 1;
            }
        }
        Ok(())
    })?;
    Ok(all)
}

impl Admission {
    fn end(&self) -> Time {
        self.start.plus(Span::minutes(self.minutes))
    }
}

fn dictionaries(folder: &Path, made: &mut MimicTables) -> Result<(), IoError> {
    table(folder, "D_ITEMS", made, |out, _| {
        writeln!(out, "ROW_ID,ITEMID,LABEL,ABBREVIATION,DBSOURCE,LINKSTO,CATEGORY,UNITNAME,PARAM_TYPE,CONCEPTID")?;
        for (row, (item, label, unit, ..)) in CHART.iter().enumerate() {
            writeln!(out, "{row},{item},{label},,metavision,chartevents,,{unit},Numeric,")?;
        }
        Ok(())
    })?;
    table(folder, "D_LABITEMS", made, |out, _| {
        writeln!(out, "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE")?;
        for (row, (item, label, loinc, ..)) in LABORATORY.iter().enumerate() {
            writeln!(out, "{row},{item},{label},Blood,Chemistry,{loinc}")?;
        }
        Ok(())
    })
}

/// An admission, and a time within it.
fn moment<'a>(admissions: &'a [Admission], draw: &mut ChaCha8Rng) -> (&'a Admission, Time) {
    let one = &admissions[draw.random_range(0..admissions.len())];
    (one, one.start.plus(Span::minutes(draw.random_range(0..one.minutes))))
}

fn charts(
    folder: &Path,
    rows: u64,
    admissions: &[Admission],
    draw: &mut ChaCha8Rng,
    made: &mut MimicTables,
) -> Result<(), IoError> {
    table(folder, "CHARTEVENTS", made, |out, made| {
        writeln!(
            out,
            "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,ITEMID,CHARTTIME,STORETIME,CGID,VALUE,VALUENUM,VALUEUOM,WARNING,\
             ERROR,RESULTSTATUS,STOPPED"
        )?;
        for row in 0..rows {
            let (one, time) = moment(admissions, draw);
            let (item, _, unit, least, most) = CHART[draw.random_range(0..CHART.len())];
            let mut value = (draw.random_range(least..most) * 10.0).round() / 10.0;
            let error = draw.random_range(0..1000_u32) == 0;
            // Scores have no unit, and so no range.
            let wrong = !unit.is_empty() && draw.random_range(0..10_000_u32) == 0;
            if wrong {
                value += 100_000.0;
            }
            let (subject, number, stored) = (one.subject, one.number, time.plus(Span::minutes(7)));
            let (stay, flag) = (number + 100_000_000, u8::from(error));
            writeln!(
                out,
                "{row},{subject},{number},{stay},{item},{time},{stored},14000,{value},{value},{unit},0,{flag},,"
            )?;
            made.errors += u64::from(error);
            made.events += u64::from(!error);
            made.outliers += u64::from(wrong && !error);
        }
        made.rows += rows;
        Ok(())
    })
}

fn laboratory(
    folder: &Path,
    rows: u64,
    admissions: &[Admission],
    draw: &mut ChaCha8Rng,
    made: &mut MimicTables,
) -> Result<(), IoError> {
    table(folder, "LABEVENTS", made, |out, made| {
        writeln!(out, "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG")?;
        for row in 0..rows {
            let (one, time) = moment(admissions, draw);
            let (item, _, _, unit, least, most) = LABORATORY[draw.random_range(0..LABORATORY.len())];
            let value = (draw.random_range(least..most) * 10.0).round() / 10.0;
            let subject = one.subject;
            let number = if draw.random_range(0..5_u32) == 0 {
                made.without_admission += 1;
                String::new()
            } else {
                one.number.to_string()
            };
            if draw.random_range(0..50_u32) == 0 {
                writeln!(out, "{row},{subject},{number},{item},{time},ERROR,,{unit},")?;
            } else {
                writeln!(out, "{row},{subject},{number},{item},{time},{value},{value},{unit},")?;
            }
        }
        made.rows += rows;
        made.events += rows;
        Ok(())
    })
}

fn inputs(
    folder: &Path,
    rows: u64,
    admissions: &[Admission],
    draw: &mut ChaCha8Rng,
    made: &mut MimicTables,
) -> Result<(), IoError> {
    table(folder, "INPUTEVENTS_MV", made, |out, made| {
        writeln!(
            out,
            "ROW_ID,SUBJECT_ID,HADM_ID,STARTTIME,ENDTIME,ITEMID,AMOUNT,AMOUNTUOM,RATE,RATEUOM,STATUSDESCRIPTION"
        )?;
        for row in 0..rows {
            let (one, time) = moment(admissions, draw);
            let (item, minutes) = (225_000 + draw.random_range(0..200_u32), draw.random_range(1..600_i64));
            let (subject, number, end) = (one.subject, one.number, time.plus(Span::minutes(minutes)));
            writeln!(out, "{row},{subject},{number},{time},{end},{item},{minutes},ml,60,mL/hour,FinishedRunning")?;
        }
        made.rows += rows;
        made.events += 2 * rows;
        Ok(())
    })
}

fn outputs(
    folder: &Path,
    rows: u64,
    admissions: &[Admission],
    draw: &mut ChaCha8Rng,
    made: &mut MimicTables,
) -> Result<(), IoError> {
    table(folder, "OUTPUTEVENTS", made, |out, made| {
        writeln!(out, "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,CHARTTIME,ITEMID,VALUE,VALUEUOM,STORETIME,CGID,ISERROR")?;
        for row in 0..rows {
            let (one, time) = moment(admissions, draw);
            let (subject, number, value) = (one.subject, one.number, draw.random_range(10..600_u32));
            writeln!(out, "{row},{subject},{number},,{time},226559,{value},ml,{time},14000,")?;
        }
        made.rows += rows;
        made.events += rows;
        Ok(())
    })
}
