//! A small hospital in folders, with what MIMIC-IV has and MIMIC-III has not: ages instead of births, versions beside
//! codes of ICD, and when a result was stored.

use std::fs;
use std::path::Path;

use super::*;
use crate::events::{Event, Events, Subject};
use crate::io::etl::{EtlReport, read};
use crate::time::Span;

const PATIENTS: &str = "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod
1,F,52,2180,2014 - 2016,2180-09-09
2,M,91,2150,2011 - 2013,
3,F,40,year,2011 - 2013,
1,F,52,2180,2014 - 2016,
,M,30,2150,2011 - 2013,
4,M,,2150,2011 - 2013,
";

const ADMISSIONS: &str = "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admit_provider_id,\
admission_location,discharge_location,insurance,language,marital_status,race,edregtime,edouttime,hospital_expire_flag
1,10,2180-05-06 22:23:00,2180-05-07 17:15:00,,URGENT,P1,TRANSFER FROM HOSPITAL,HOME,Medicaid,ENGLISH,WIDOWED,WHITE,\
2180-05-06 19:17:00,2180-05-06 23:30:00,0
2,20,2150-03-01 08:00:00,2150-03-04 12:00:00,2150-03-04 11:50:00,URGENT,P1,,DIED,,,,,,,1
3,30,2160-03-04 08:00:00,2160-03-01 12:00:00,,URGENT,P1,,HOME,,,,,,,0
";

const LABEVENTS: &str =
    "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,\
valuenum,valueuom,ref_range_lower,ref_range_upper,flag,priority,comments
1,1,10,1,50852,P1,2180-05-07 06:00:00,2180-05-07 09:30:00,53,53,mmol/mol,4,6,,ROUTINE,
2,1,10,1,50931,P1,2180-05-07 06:00:00,,___,,mg/dL,70,105,,ROUTINE,HEMOLYZED
3,1,,1,50931,P1,2181-05-07 06:00:00,2181-05-07 05:00:00,120,120,mg/dL,70,105,,ROUTINE,
4,1,10,1,50931,P1,,,120,120,mg/dL,70,105,,ROUTINE,
";

const DIAGNOSES: &str = "subject_id,hadm_id,seq_num,icd_code,icd_version
1,10,1,0010   ,9
1,10,2,E119,10
1,10,3,E8788,9
3,30,1,25000,9
1,99,1,25000,9
";

const PROCEDURES: &str = "subject_id,hadm_id,seq_num,chartdate,icd_code,icd_version
1,10,1,2180-05-06,0010,9
1,10,2,2180-05-06,02HV33Z,10
";

const MICRO: &str =
    "microevent_id,subject_id,hadm_id,micro_specimen_id,order_provider_id,chartdate,charttime,spec_itemid,\
spec_type_desc,test_seq,storedate,storetime,test_itemid,test_name,org_itemid,org_name,isolate_num,quantity,ab_itemid,\
ab_name,dilution_text,dilution_comparison,dilution_value,interpretation,comments
1,1,10,1,P1,2180-05-06 00:00:00,2180-05-06 23:00:00,70012,BLOOD CULTURE,1,2180-05-09 00:00:00,2180-05-09 10:11:00,1,\
CULTURE,80002,ESCHERICHIA COLI,1,,90004,AMPICILLIN,,,,R,
2,1,10,2,P1,2180-05-06 00:00:00,,70079,URINE,1,2180-05-08 00:00:00,,1,CULTURE,,,,,,,,,,,
";

const CHARTEVENTS: &str = "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,\
warning
1,10,100,1,2180-05-07 00:15:00,2180-05-07 00:40:00,223761,98.6,98.6,°F,0
1,10,100,1,2180-05-07 01:15:00,2180-05-07 01:40:00,223761,998.6,998.6,°F,1
1,10,100,1,2180-05-07 01:15:00,2180-05-07 01:40:00,220739,Spontaneously,4,,0
";

const PRESCRIPTIONS: &str =
    "subject_id,hadm_id,pharmacy_id,poe_id,poe_seq,order_provider_id,starttime,stoptime,drug_type,\
drug,formulary_drug_cd,gsn,ndc,prod_strength,form_rx,dose_val_rx,dose_unit_rx,form_val_disp,form_unit_disp,\
doses_per_24_hrs,route
1,10,1,1,1,P1,2180-05-07 01:00:00,2180-05-08 00:00:00,MAIN,Metformin,X,1,00093104801,500mg,TAB,500,mg,1,TAB,2,PO
1,10,2,1,1,P1,2180-05-07 00:00:00,2180-05-08 00:00:00,BASE,NS,X,1,0,1L,BAG,1000,mL,1,BAG,,IV
";

const LABITEMS: &str = "itemid,label,fluid,category
50852,% Hemoglobin A1c,Blood,Chemistry
50931,Glucose,Blood,Chemistry
";

const OMR: &str = "subject_id,chartdate,seq_num,result_name,result_value
1,2180-04-27,1,Blood Pressure,110/65
1,2180-04-27,1,BMI (kg/m2),25.6
";

const ICUSTAYS: &str = "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los
1,10,100,MICU,SICU,2180-05-07 00:00:00,2180-05-07 12:00:00,0.5
";

const ITEMS: &str = "itemid,label,abbreviation,linksto,category,unitname,param_type,lownormalvalue,highnormalvalue
223761,Temperature Fahrenheit,T,chartevents,V,°F,Numeric,,
220739,GCS - Eye Opening,E,chartevents,N,,Text,,
";

const NOTES: &str = "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text
1,1,10,DS,1,2180-05-07 00:00:00,2180-05-09 15:26:00,\"No fever.
Home.\"
";

fn hospital(folder: &Path) {
    for (place, name, text) in [
        ("hosp", "patients", PATIENTS),
        ("hosp", "admissions", ADMISSIONS),
        ("hosp", "labevents", LABEVENTS),
        ("hosp", "d_labitems", LABITEMS),
        ("hosp", "diagnoses_icd", DIAGNOSES),
        ("hosp", "d_icd_diagnoses", "icd_code,icd_version,long_title\n0010,9,Cholera due to vibrio cholerae\n"),
        ("hosp", "procedures_icd", PROCEDURES),
        ("hosp", "microbiologyevents", MICRO),
        ("hosp", "prescriptions", PRESCRIPTIONS),
        ("hosp", "omr", OMR),
        ("hosp", "poe", "poe_id,subject_id\n1,1\n"),
        ("icu", "icustays", ICUSTAYS),
        ("icu", "chartevents", CHARTEVENTS),
        ("icu", "d_items", ITEMS),
        ("note", "discharge", NOTES),
    ] {
        fs::create_dir_all(folder.join(place)).unwrap();
        fs::write(folder.join(place).join(format!("{name}.csv")), text).unwrap();
    }
}

fn made() -> (Events, EtlReport) {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    read(&mut *open(folder.path(), &TableConfig::default()).unwrap()).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "as events have it")]
fn time(text: &str) -> Option<Time> {
    Some(Time::parse(text).unwrap())
}

fn with<'a>(subject: &Subject<'a>, code: &str) -> Vec<Event<'a>> {
    subject.events().filter(|event| subject.codebook().name(event.code) == code).collect()
}

/// When each event of a code was known.
fn times(subject: &Subject<'_>, code: &str) -> Vec<Option<Time>> {
    with(subject, code).iter().map(|event| event.time).collect()
}

#[test]
fn births_are_made_of_ages_and_deaths_of_minutes_or_days() {
    let (events, report) = made();
    let [one, two, three, four] = [1, 2, 3, 4].map(|id| events.find(id).unwrap());
    // 52 years old in 2180; of the day of death the last second, as it has no time of day
    assert_eq!((one.birth(), one.death()), (time("2128-01-01"), time("2180-09-09 23:59:59")));
    // above 89, which the set writes as 91, counts as 90 at the admission; the minute of a death in hospital is known
    assert_eq!((two.death(), with(&two, "AGE//OVER_89").len()), (time("2150-03-04 11:50:00"), 1));
    assert_eq!(two.birth(), Some(time("2150-03-01 08:00:00").unwrap().minus(Span::years(90))));
    assert_eq!((three.birth(), four.birth()), (None, None));
    let counts = report.step("patients").unwrap();
    assert_eq!((counts.read, counts.kept), (6, 4));
    assert_eq!((counts.dropped["subject_id is there twice"], counts.dropped["subject_id is missing"]), (1, 1));
    assert_eq!(counts.changed["no birth where anchor_age or anchor_year is no whole number"], 1);
    let twice = counts.examples.iter().find(|example| example.reason.contains("twice")).unwrap();
    assert!(twice.row == 5 && twice.file.ends_with("hosp/patients.csv"), "{twice:?}");
}

#[test]
fn results_count_from_when_they_were_stored() {
    let (events, report) = made();
    let one = events.find(1).unwrap();
    assert_eq!(times(&one, "LAB//50852//%"), [time("2180-05-07 09:30:00")]);
    assert!((with(&one, "LAB//50852//%")[0].value.unwrap() - 7.000_44).abs() < 1e-5, "53 mmol/mol");
    let code = events.codebook.get("LAB//50852//%").unwrap();
    assert_eq!(events.codebook.parents(code), ["LOINC/4548-4"], "which the dictionary does not say");
    let glucose = with(&one, "LAB//50931//mg/dL");
    // without a time of storing from the drawing on; stored before it was drawn from the drawing on as well
    assert_eq!(times(&one, "LAB//50931//mg/dL"), [time("2180-05-07 06:00:00"), time("2181-05-07 06:00:00")]);
    assert_eq!((glucose[0].value, glucose[0].text), (None, Some("___")));
    // At eight the result that was drawn at six is not known yet.
    let view = one.as_of(time("2180-05-07 08:00:00").unwrap());
    let names: Vec<&str> = view.timed().map(|event| events.codebook.name(event.code)).collect();
    assert!(!names.contains(&"LAB//50852//%") && names.contains(&"LAB//50931//mg/dL"), "{names:?}");
    let counts = report.step("labevents").unwrap();
    assert_eq!((counts.read, counts.kept, counts.dropped["charttime is missing"]), (4, 3, 1));
    assert_eq!(counts.changed["no number of a visit: by its time it is outside every one"], 1);
    // What grew is known when it was stored, the specimen when it was taken or at the end of its day.
    assert_eq!(times(&one, "MICROBIOLOGY//ESCHERICHIA COLI//AMPICILLIN//R"), [time("2180-05-09 10:11:00")]);
    assert_eq!(times(&one, "MICROBIOLOGY_SPECIMEN//URINE"), [time("2180-05-06 23:59:59")]);
    assert_eq!(times(&one, "NOTE//DS"), [time("2180-05-09 15:26:00")]);
    assert_eq!(with(&one, "NOTE//DS")[0].text, Some("No fever.\nHome."));
}

#[test]
fn what_is_coded_at_discharge_is_known_at_discharge_by_version() {
    let (events, report) = made();
    let one = events.find(1).unwrap();
    let discharge = time("2180-05-07 17:15:00");
    for (code, parent) in [
        // padded with blanks in the first version of the set; the same digits are a diagnosis and an operation
        ("DIAGNOSIS//ICD//9//0010", "ICD9CM/001.0"),
        ("PROCEDURE//ICD//9//0010", "ICD9Proc/00.10"),
        ("DIAGNOSIS//ICD//10//E119", "ICD10CM/E11.9"),
        ("DIAGNOSIS//ICD//9//E8788", "ICD9CM/E878.8"),
        ("PROCEDURE//ICD//10//02HV33Z", "ICD10PCS/02HV33Z"),
    ] {
        assert_eq!(times(&one, code), [discharge], "{code}");
        assert_eq!(events.codebook.parents(with(&one, code)[0].code), [parent], "{code}");
    }
    let cholera = events.codebook.get("DIAGNOSIS//ICD//9//0010").unwrap();
    assert_eq!(events.codebook.description(cholera), Some("Cholera due to vibrio cholerae"));
    let counts = report.step("diagnoses_icd").unwrap();
    assert_eq!((counts.read, counts.kept), (5, 3));
    for reason in ["the end of its visit is missing or before the beginning", "its visit is unknown"] {
        assert_eq!(counts.dropped[reason], 1, "{reason}");
    }
    assert_eq!(times(&one, "HOSPITAL_DISCHARGE//HOME"), [discharge]);
    assert_eq!(times(&one, "HOSPITAL_ADMISSION//URGENT//TRANSFER FROM HOSPITAL"), [time("2180-05-06 22:23:00")]);
    assert!(!events.find(3).unwrap().events().any(|event| events.codebook.name(event.code).contains("DISCHARGE")));
}

#[test]
fn bedside_values_drugs_and_measurements_of_clinics() {
    let (events, report) = made();
    let one = events.find(1).unwrap();
    let temperatures: Vec<Option<f32>> = with(&one, "CHART//223761//°C").iter().map(|event| event.value).collect();
    assert!(temperatures.len() == 1 && (temperatures[0].unwrap() - 37.0).abs() < 1e-5, "98.6 °F: {temperatures:?}");
    let wild = with(&one, "CHART//223761//°F");
    assert_eq!((wild[0].value, wild[0].text), (None, Some("998.6")));
    let eyes = with(&one, "CHART//220739//UNK");
    assert_eq!((eyes[0].value, eyes[0].text), (Some(4.0), Some("Spontaneously")));
    assert_eq!(times(&one, "MEDICATION//NDC//00093104801//START"), [time("2180-05-07 01:00:00")]);
    assert_eq!(times(&one, "MEDICATION//NAME//NS//START"), [time("2180-05-07 23:59:59")], "a day alone");
    assert_eq!(with(&one, "OMR//BMI (kg/m2)")[0].value, Some(25.6));
    assert_eq!(with(&one, "OMR//Blood Pressure")[0].text, Some("110/65"));
    assert_eq!(times(&one, "OMR//Blood Pressure"), [time("2180-04-27 23:59:59")]);
    assert_eq!(times(&one, "ICU_ADMISSION//MICU"), [time("2180-05-07")]);
    assert!(report.remarks.iter().any(|remark| remark.contains("not read: poe")), "{report}");
    let all = report.counts();
    assert_eq!(all.read, all.kept + all.dropped_rows());
}

#[test]
fn a_folder_without_patients_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    hospital(folder.path());
    fs::remove_file(folder.path().join("hosp/patients.csv")).unwrap();
    let error = open(folder.path(), &TableConfig::default()).err().unwrap().to_string();
    assert!(error.contains("the table patients is missing; there are: admissions"), "{error}");
}
