//! A small hospital with everything that is wrong in the large ones.

use std::fs;
use std::path::Path;

use super::*;
use crate::events::{Event, Events, Subject};
use crate::io::etl::{EtlReport, read};
use crate::time::Time;

const PATIENTS: &str = "ROW_ID,SUBJECT_ID,GENDER,DOB,DOD
1,1,F,2100-05-01 00:00:00,2160-03-01 00:00:00
2,2,M,1850-01-01 00:00:00,
3,1,M,2100-05-01 00:00:00,
4,,F,2100-05-01 00:00:00,
5,3,F,9999-12-31 00:00:00,
6,x,F,2100-05-01 00:00:00,
";

const ADMISSIONS: &str = "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,ADMISSION_LOCATION,\
DISCHARGE_LOCATION,INSURANCE,DIAGNOSIS
1,1,10,2160-01-01 08:00:00,2160-01-05 12:00:00,,EMERGENCY,CLINIC,HOME,Medicare,\"SEPSIS, SEVERE\"
2,2,20,2150-01-01 08:00:00,2150-01-03 12:00:00,2150-01-03 11:00:00,URGENT,,DEAD,,
3,3,30,2140-01-05 08:00:00,2140-01-01 12:00:00,,URGENT,CLINIC,HOME,Private,
4,2,10,2151-01-01 08:00:00,2151-01-03 12:00:00,,URGENT,CLINIC,HOME,Private,
";

const LABEVENTS: &str = "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG
1,1,10,50852,2160-01-02 08:00:00,7.5,7.5,%,
2,1,10,50852,2160-01-02 09:00:00,53,53,mmol/mol,
3,1,,50931,2160-01-02 10:00:00,<5,5,mg/dL,
4,1,,50931,2159-01-02 10:00:00,6,6,mmol/L,
5,1,10,50820,2160-01-02 11:00:00,74.1,74.1,units,
6,1,10,50931,2160-01-02 12:00:00,ERROR,,mg/dL,
7,1,10,50931,2160-13-02 12:00:00,90,90,mg/dL,
8,1,10,50931,,90,90,mg/dL,
9,1,10,50931,2160-01-02 13:00:00,90,90
10,1,10,99999,2160-01-02 14:00:00,90.0,90,furlongs,
";

const D_LABITEMS: &str = "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE
1,50852,% Hemoglobin A1c,Blood,Chemistry,4548-4
2,50931,Glucose,Blood,Chemistry,2345-7
3,50820,pH,Blood,Blood Gas,11558-4
";

const DIAGNOSES: &str = "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE
1,1,10,1,\"0010\"
2,1,10,2,E8788
3,3,30,1,25000
4,1,77,1,25000
5,2,10,1,25000
";

const CHARTEVENTS: &str = "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,ERROR
1,1,10,678,2160-01-02 08:00:00,98.6,98.6,,0
2,1,10,678,2160-01-02 09:00:00,98.6,98.6,,1
3,1,10,184,2160-01-02 09:00:00,4 Spontaneously,4,,
";

const D_ITEMS: &str = "ITEMID,LABEL\n678,Temperature F\n184,Eye Opening\n";

const D_ICD: &str = "ICD9_CODE,SHORT_TITLE,LONG_TITLE\n0010,Cholera,Cholera due to vibrio cholerae\n";

const PRESCRIPTIONS: &str = "SUBJECT_ID,HADM_ID,STARTDATE,ENDDATE,DRUG,NDC,DOSE_VAL_RX
1,10,2160-01-02 00:00:00,,Senna,00904516561,1
1,10,2160-01-02 00:00:00,,Water,0,1-2
";

fn hospital(folder: &Path) {
    for (name, text) in [
        ("PATIENTS", PATIENTS),
        ("ADMISSIONS", ADMISSIONS),
        ("LABEVENTS", LABEVENTS),
        ("D_LABITEMS", D_LABITEMS),
        ("DIAGNOSES_ICD", DIAGNOSES),
        ("D_ICD_DIAGNOSES", D_ICD),
        ("CHARTEVENTS", CHARTEVENTS),
        ("D_ITEMS", D_ITEMS),
        ("PRESCRIPTIONS", PRESCRIPTIONS),
        ("SOMETHING_ELSE", "A\n1\n"),
    ] {
        fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    }
}

fn made(config: &TableConfig) -> (Events, EtlReport) {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    read(&mut *open(folder.path(), config).unwrap()).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "as events have it")]
fn time(text: &str) -> Option<Time> {
    Some(Time::parse(text).unwrap())
}

fn with<'a>(subject: &Subject<'a>, code: &str) -> Vec<Event<'a>> {
    subject.events().filter(|event| subject.codebook().name(event.code) == code).collect()
}

#[test]
fn patients_are_born_and_die_when_it_is_known() {
    let (events, report) = made(&TableConfig::default());
    let one = events.find(1).unwrap();
    assert_eq!((one.birth(), one.death()), (time("2100-05-01"), time("2160-03-01 23:59:59")));
    assert_eq!(one.statics().count(), 1);
    // The birth of the second was moved by 300 years.
    let two = events.find(2).unwrap();
    assert_eq!(two.death(), time("2150-01-03 11:00:00"), "the minute of the death in hospital");
    let age = time("2150-01-01 08:00:00").unwrap().since(two.birth().unwrap()).in_years();
    assert_eq!((age, with(&two, "AGE//OVER_89").len()), (90.0, 1));
    assert_eq!(events.find(3).unwrap().birth(), None);
    let counts = report.step("patients").unwrap();
    assert_eq!((counts.read, counts.kept), (6, 3));
    let reasons = ["subject_id is there twice", "subject_id is missing", "subject_id is no whole number"];
    assert!(reasons.iter().all(|reason| counts.dropped[*reason] == 1), "{counts}");
    assert_eq!(counts.changed["no birth where dob is a date that stands for none"], 1);
    assert_eq!(counts.examples[0].row, 4, "the line in the file");
}

#[test]
fn what_is_coded_at_discharge_is_known_at_discharge() {
    let (events, report) = made(&TableConfig::default());
    let one = events.find(1).unwrap();
    let cholera = with(&one, "DIAGNOSIS//ICD//9//0010");
    assert_eq!(cholera.iter().map(|event| event.time).collect::<Vec<_>>(), [time("2160-01-05 12:00:00")]);
    assert_eq!(events.codebook.description(cholera[0].code), Some("Cholera due to vibrio cholerae"));
    assert_eq!(events.codebook.parents(cholera[0].code), ["ICD9CM/001.0"]);
    let external = with(&one, "DIAGNOSIS//ICD//9//E8788");
    assert_eq!(events.codebook.parents(external[0].code), ["ICD9CM/E878.8"]);
    let counts = report.step("diagnoses_icd").unwrap();
    assert_eq!((counts.read, counts.kept), (5, 2));
    assert_eq!(counts.dropped["the end of its visit is missing or before the beginning"], 1);
    assert_eq!(counts.dropped["its visit is unknown"], 1);
    assert_eq!(counts.dropped["its visit is another subject's"], 1);
    let admissions = report.step("admissions").unwrap();
    assert_eq!((admissions.read, admissions.kept, admissions.dropped["hadm_id is there twice"]), (4, 3, 1));
    let three = events.find(3).unwrap();
    assert!(!three.events().any(|event| events.codebook.name(event.code).starts_with("HOSPITAL_DISCHARGE")));
    assert_eq!(with(&one, "ADMISSION_DIAGNOSIS")[0].text, Some("SEPSIS, SEVERE"));
}

#[test]
fn laboratory_values_have_one_unit_and_none_is_lost_in_silence() {
    let (events, report) = made(&TableConfig::default());
    let one = events.find(1).unwrap();
    let hba1c: Vec<f32> = with(&one, "LAB//50852//%").iter().filter_map(|event| event.value).collect();
    // 53 mmol/mol are 7.0 %: 0.09148 · 53 + 2.152 = 7.00044.
    assert_eq!(hba1c, [7.5, 7.000_44]);
    let glucose = with(&one, "LAB//50931//mg/dL");
    let seen: Vec<_> = glucose.iter().map(|event| (event.value, event.text)).collect();
    assert_eq!(seen, [(Some((6.0_f64 * 18.016) as f32), None), (Some(5.0), Some("<5")), (None, Some("ERROR"))]);
    let ph = with(&one, "LAB//50820//units");
    assert_eq!((ph[0].value, ph[0].text), (None, Some("74.1")));
    assert_eq!(with(&one, "LAB//99999//furlongs")[0].value, Some(90.0));
    assert_eq!(events.codebook.parents(glucose[0].code), ["LOINC/2345-7"]);
    let counts = report.step("labevents").unwrap();
    assert_eq!((counts.read, counts.kept), (10, 7));
    assert_eq!((counts.dropped["charttime is no date"], counts.dropped["charttime is missing"]), (1, 1));
    assert!(counts.dropped.keys().any(|reason| reason.contains("7 fields where the heading has 9")), "{counts}");
    assert_eq!(counts.changed["no number of a visit: by its time it belongs to one"], 1);
    assert_eq!(counts.changed["no number of a visit: by its time it is outside every one"], 1);
    assert_eq!(counts.changed["a value that no patient can have had is kept as text only"], 1);
    assert_eq!(counts.changed["a value was brought to the unit of what was measured"], 2);
    // As recorded, if that is asked for.
    let (raw, _) = made(&TableConfig { normalise_units: false });
    let one = raw.find(1).unwrap();
    assert_eq!(with(&one, "LAB//50852//mmol/mol")[0].value, Some(53.0));
    assert_eq!(with(&one, "LAB//50820//units")[0].value, Some(74.1));
}

#[test]
fn charts_and_prescriptions() {
    let (events, report) = made(&TableConfig::default());
    let one = events.find(1).unwrap();
    let temperature = with(&one, "CHART//678//°C");
    assert_eq!(temperature.len(), 1, "the other is marked as an error");
    assert!((temperature[0].value.unwrap() - 37.0).abs() < 1e-5, "98.6 °F, in single precision");
    let eyes = with(&one, "CHART//184//UNK");
    assert_eq!((eyes[0].value, eyes[0].text), (Some(4.0), Some("4 Spontaneously")));
    assert_eq!(report.step("chartevents").unwrap().dropped["marked as an error"], 1);
    // A day without a time of day: nobody could have known it that morning.
    let senna = with(&one, "MEDICATION//NDC//00904516561//START");
    assert_eq!((senna[0].time, senna[0].value, senna[0].text), (time("2160-01-02 23:59:59"), Some(1.0), Some("Senna")));
    assert_eq!(events.codebook.parents(senna[0].code), ["NDC/00904516561"]);
    assert_eq!(with(&one, "MEDICATION//NAME//Water//START")[0].value, None);
    let changed = &report.step("prescriptions").unwrap().changed;
    assert_eq!(changed["no value where dose_val_rx is no number"], 1);
    assert!(report.remarks.iter().any(|remark| remark.contains("not read: something_else")), "{report}");
    assert!(report.remarks.iter().any(|remark| remark.contains("not there: icustays")), "{report}");
}

#[test]
fn a_folder_that_is_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let opened = |folder: &Path| open(folder, &TableConfig::default()).err().unwrap().to_string();
    assert!(opened(folder.path()).contains("there are no tables"));
    hospital(folder.path());
    fs::remove_file(folder.path().join("ADMISSIONS.csv")).unwrap();
    assert!(opened(folder.path()).contains("the table admissions is missing"));
    fs::write(folder.path().join("ADMISSIONS.csv"), "person,visit\n1,2\n").unwrap();
    assert!(opened(folder.path()).contains("has no column subject_id; it has: person, visit"));
}
