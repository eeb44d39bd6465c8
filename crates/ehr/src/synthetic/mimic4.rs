//! Tables with the shape of MIMIC-IV (folders `hosp` and `icu`, the columns of version 2.2), in which a death in the
//! hospital is foretold by what is measured on the first day: what a conversion, a cohort and a network are tried on
//! before they get the real ones.
//!
//! One admission a patient, with one stay in intensive care. One in three dies; the lactate of those rises, and their
//! hearts beat faster, so that both together say more than either. What is coded says who died, and is known at
//! discharge alone. A result of the laboratory is stored 45 minutes after the blood was drawn.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::mimic::compressed;
use super::{hours_after, some_day};
use crate::io::IoError;
use crate::time::{Span, Time};

/// Minutes until a result of the laboratory is stored.
const STORED: i64 = 45;

/// Every so many patients one is older than 89, which the set writes as 91.
const OLD: u64 = 17;

/// The tables by folder, with their columns.
const TABLES: [(&str, &str, &str); 14] = [
    ("hosp", "patients", "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod"),
    (
        "hosp",
        "admissions",
        "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admit_provider_id,admission_location,\
         discharge_location,insurance,language,marital_status,race,edregtime,edouttime,hospital_expire_flag",
    ),
    ("hosp", "transfers", "subject_id,hadm_id,transfer_id,eventtype,careunit,intime,outtime"),
    (
        "hosp",
        "labevents",
        "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,valuenum,\
         valueuom,ref_range_lower,ref_range_upper,flag,priority,comments",
    ),
    ("hosp", "d_labitems", "itemid,label,fluid,category"),
    ("hosp", "diagnoses_icd", "subject_id,hadm_id,seq_num,icd_code,icd_version"),
    ("hosp", "procedures_icd", "subject_id,hadm_id,seq_num,chartdate,icd_code,icd_version"),
    ("hosp", "d_icd_diagnoses", "icd_code,icd_version,long_title"),
    (
        "hosp",
        "prescriptions",
        "subject_id,hadm_id,pharmacy_id,poe_id,poe_seq,order_provider_id,starttime,stoptime,drug_type,drug,\
         formulary_drug_cd,gsn,ndc,prod_strength,form_rx,dose_val_rx,dose_unit_rx,form_val_disp,form_unit_disp,\
         doses_per_24_hrs,route",
    ),
    ("icu", "icustays", "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los"),
    (
        "icu",
        "chartevents",
        "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,warning",
    ),
    ("icu", "d_items", "itemid,label,abbreviation,linksto,category,unitname,param_type,lownormalvalue,highnormalvalue"),
    (
        "icu",
        "inputevents",
        "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,storetime,itemid,amount,amountuom,rate,rateuom,\
         orderid,linkorderid,ordercategoryname,secondaryordercategoryname,ordercomponenttypedescription,\
         ordercategorydescription,patientweight,totalamount,totalamountuom,isopenbag,continueinnextdept,\
         statusdescription,originalamount,originalrate",
    ),
    ("icu", "outputevents", "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valueuom"),
];

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mimic4Tables {
    /// Patients; each has one admission.
    pub patients: u64,
    /// Those who die in hospital.
    pub deaths: u64,
    /// Those older than 89.
    pub old: u64,
    /// Orders that were rewritten, which become no event.
    pub rewritten: u64,
    /// Events that a faithful conversion makes.
    pub events: u64,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// An admission as it was drawn.
struct Admission {
    subject: u64,
    number: u64,
    stay: u64,
    start: Time,
    end: Time,
    dies: bool,
}

/// Writes tables of MIMIC-IV with so many patients, as `.csv.gz` files, into the folders `hosp` and `icu` of a folder.
///
/// # Errors
/// [`IoError`] if a file cannot be written.
pub fn mimic4_tables(folder: &Path, patients: u64, seed: u64) -> Result<Mimic4Tables, IoError> {
    let mut made = Mimic4Tables { patients, ..Mimic4Tables::default() };
    let mut rows: [String; TABLES.len()] = Default::default();
    for (place, (_, _, columns)) in TABLES.iter().enumerate() {
        rows[place].push_str(columns);
        rows[place].push('\n');
    }
    dictionaries(&mut rows);
    for patient in 0..patients {
        admission(patient, &mut rng(seed, &[patient]), &mut rows, &mut made);
    }
    for ((place, table, _), text) in TABLES.iter().zip(&rows) {
        let place = folder.join(place);
        fs::create_dir_all(&place).map_err(IoError::write(&place))?;
        let path = place.join(format!("{table}.csv.gz"));
        compressed(&path, |out| out.write_all(text.as_bytes()))?;
        made.files.push(path);
    }
    Ok(made)
}

/// Adds a row to a table, which must be one of [`TABLES`].
fn add(rows: &mut [String; TABLES.len()], table: &str, row: std::fmt::Arguments<'_>) {
    if let Some(place) = TABLES.iter().position(|(_, name, _)| *name == table) {
        // Writing to a `String` does not fail.
        let _ = writeln!(rows[place], "{row}");
    }
}

fn dictionaries(rows: &mut [String; TABLES.len()]) {
    for (item, label) in [(50_813, "Lactate"), (50_912, "Creatinine")] {
        add(rows, "d_labitems", format_args!("{item},{label},Blood,Chemistry"));
    }
    add(rows, "d_items", format_args!("220045,Heart Rate,HR,chartevents,Routine Vital Signs,bpm,Numeric,,"));
    add(rows, "d_items", format_args!("223761,Temperature Fahrenheit,Temperature F,chartevents,Vitals,°F,Numeric,,"));
    add(rows, "d_icd_diagnoses", format_args!("0010,9,Cholera due to vibrio cholerae"));
    add(rows, "d_icd_diagnoses", format_args!("I469,10,\"Cardiac arrest, cause unspecified\""));
}

fn admission(patient: u64, draw: &mut ChaCha8Rng, rows: &mut [String; TABLES.len()], made: &mut Mimic4Tables) {
    let start = hours_after(some_day(draw), draw.random_range(0.0..24.0));
    let end = hours_after(start, draw.random_range(60.0..160.0));
    let one = Admission {
        subject: 10_000_000 + patient,
        number: 20_000_000 + patient,
        stay: 30_000_000 + patient,
        start,
        end,
        dies: draw.random_bool(1.0 / 3.0),
    };
    let Admission { subject, number, dies, .. } = one;
    let died = end.minus(Span::minutes(10));
    let (year, ..) = start.date();
    let age = if patient % OLD == OLD - 1 { 91 } else { draw.random_range(20..90) };
    let sex = if draw.random_bool(0.5) { "F" } else { "M" };
    // The day alone, as the set has it.
    let day: String = if dies { died.to_string().chars().take(10).collect() } else { String::new() };
    add(rows, "patients", format_args!("{subject},{sex},{age},{year},2014 - 2016,{day}"));
    let (death, to) = if dies { (died.to_string(), "DIED") } else { (String::new(), "HOME") };
    add(
        rows,
        "admissions",
        format_args!(
            "{subject},{number},{start},{end},{death},URGENT,P1,EMERGENCY ROOM,{to},Medicare,ENGLISH,MARRIED,\
             WHITE,,,{}",
            u8::from(dies)
        ),
    );
    let transfer = 40_000_000 + 2 * patient;
    add(rows, "transfers", format_args!("{subject},{number},{transfer},admit,Medical ICU,{start},{end}"));
    add(rows, "transfers", format_args!("{subject},{number},{},discharge,,{end},", transfer + 1));
    let old = u64::from(age > 89);
    // Birth, sex, an age that only has a bound, and death; admission with four facts, and discharge; two transfers.
    made.events += 2 + old + u64::from(dies) + 6 + 2;
    made.deaths += u64::from(dies);
    made.old += old;
    codes(&one, rows, made);
    care(&one, draw, rows, made);
    measurements(&one, draw, rows, made);
}

/// What is coded when the patient has left: the same four digits are a diagnosis and an operation.
fn codes(one: &Admission, rows: &mut [String; TABLES.len()], made: &mut Mimic4Tables) {
    let Admission { subject, number, dies, .. } = *one;
    add(rows, "diagnoses_icd", format_args!("{subject},{number},1,0010,9"));
    let cause = if dies { "I469" } else { "J189" };
    add(rows, "diagnoses_icd", format_args!("{subject},{number},2,{cause},10"));
    let day: String = one.start.to_string().chars().take(10).collect();
    add(rows, "procedures_icd", format_args!("{subject},{number},1,{day},0010,9"));
    made.events += 3;
}

/// Drugs, infusions, and the stay in intensive care, which begins an hour after admission.
fn care(one: &Admission, draw: &mut ChaCha8Rng, rows: &mut [String; TABLES.len()], made: &mut Mimic4Tables) {
    let Admission { subject, number, stay, start, end, .. } = *one;
    let intensive = start.plus(Span::hours(1));
    let los = end.since(intensive).in_days();
    add(rows, "icustays", format_args!("{subject},{number},{stay},Medical ICU,Medical ICU,{intensive},{end},{los:.2}"));
    let ordered = hours_after(intensive, draw.random_range(0.0..20.0));
    for (drug, package) in [("Metformin", "00093104801"), ("NS", "0")] {
        add(
            rows,
            "prescriptions",
            format_args!(
                "{subject},{number},1,1,1,P1,{ordered},{end},MAIN,{drug},X,1,{package},500mg,TAB,1,TAB,1,TAB,2,PO"
            ),
        );
    }
    let ran = ordered.plus(Span::hours(3));
    for status in ["FinishedRunning", "Rewritten"] {
        add(
            rows,
            "inputevents",
            format_args!(
                "{subject},{number},{stay},1,{ordered},{ran},{ran},225158,300,ml,100,mL/hour,1,1,Fluids,,Main,\
                 Continuous,80,300,ml,0,0,{status},300,100"
            ),
        );
    }
    add(rows, "outputevents", format_args!("{subject},{number},{stay},1,{ran},{ran},226559,200,ml"));
    // Two of the stay, two drugs, beginning and end of an infusion, one output.
    made.events += 2 + 2 + 2 + 1;
    made.rewritten += 1;
}

/// Bedside values each hour, and blood every six, until the patient leaves.
fn measurements(one: &Admission, draw: &mut ChaCha8Rng, rows: &mut [String; TABLES.len()], made: &mut Mimic4Tables) {
    let Admission { subject, number, stay, start, end, dies } = *one;
    let worse = f64::from(u8::from(dies));
    let own = standard_normal(draw);
    let hours = end.since(start).in_hours().floor() as i64;
    for hour in 1..hours {
        let time = start.plus(Span::hours(hour));
        let stored = time.plus(Span::minutes(STORED));
        let rate = 85.0 + 8.0 * own + 12.0 * worse + 4.0 * standard_normal(draw);
        add(
            rows,
            "chartevents",
            format_args!("{subject},{number},{stay},1,{time},{stored},220045,{rate:.0},{rate:.0},bpm,0"),
        );
        made.events += 1;
        if hour % 4 == 1 {
            let degrees = 98.6 + 0.5 * standard_normal(draw);
            add(
                rows,
                "chartevents",
                format_args!("{subject},{number},{stay},1,{time},{stored},223761,{degrees:.1},{degrees:.1},°F,0"),
            );
            made.events += 1;
        }
        if hour % 6 == 2 {
            let rise = 0.6 * worse * (hour as f64 / 24.0).min(2.0);
            let lactate = (1.8 + rise + 0.5 * standard_normal(draw)).max(0.3);
            let creatinine = 1.0 + 0.2 * standard_normal(draw).abs();
            for (item, value, unit) in [(50_813, lactate, "mmol/L"), (50_912, creatinine, "mg/dL")] {
                add(
                    rows,
                    "labevents",
                    format_args!(
                        "1,{subject},{number},1,{item},P1,{time},{stored},{value:.2},{value:.2},{unit},,,,STAT,"
                    ),
                );
                made.events += 1;
            }
        }
    }
}
