//! Stays of a few patients, with tables that the demonstration set lacks, offsets below zero, and ages that are texts.

use std::fs;

use super::*;
use crate::cohort::Cohort;
use crate::events::{Event, Events, Subject};
use crate::io::etl::{EtlReport, read};
use crate::time::{Span, Time};

const PATIENT: &str = "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitalid,wardid,\
apacheadmissiondx,admissionheight,hospitaladmittime24,hospitaladmitoffset,hospitaladmitsource,hospitaldischargeyear,\
hospitaldischargetime24,hospitaldischargeoffset,hospitaldischargelocation,hospitaldischargestatus,unittype,\
unitadmittime24,unitadmitsource,unitvisitnumber,unitstaytype,admissionweight,dischargeweight,unitdischargetime24,\
unitdischargeoffset,unitdischargelocation,unitdischargestatus,uniquepid
100,10,Female,> 89,Caucasian,60,83,,160,22:30:00,-60,Emergency Department,2015,10:00:00,5790,Home,Alive,MICU,\
23:30:00,Floor,1,admit,55.5,,08:00:00,1950,Floor,Alive,002-1
101,10,Female,> 89,Caucasian,60,83,,160,22:30:00,-2940,Emergency Department,2015,10:00:00,2910,Home,Alive,SICU,\
23:30:00,Floor,2,readmit,55.5,,08:00:00,1000,Floor,Alive,002-1
200,20,Male,50,,60,83,,,08:00:00,0,Direct Admit,2014,09:00:00,4000,Death,Expired,MICU,08:00:00,ED,1,admit,,,09:00:00,\
4000,Death,Expired,002-2
201,21,Male,50,,60,83,,,07:00:00,-10,Direct Admit,2014,09:00:00,3000,Home,Alive,MICU,07:10:00,ED,1,admit,800,,09:00:00,\
2000,Home,Alive,002-2
300,30,Male,44,,60,83,,,07:00:00,-10,Direct Admit,2014,09:00:00,3000,Home,Alive,MICU,07:10:00,ED,1,admit,,,09:00:00,\
2000,Home,Alive,no number
100,10,Female,> 89,Caucasian,60,83,,160,22:30:00,-60,Emergency Department,2015,10:00:00,5790,Home,Alive,MICU,\
23:30:00,Floor,1,admit,55.5,,08:00:00,1950,Floor,Alive,002-1
";

const LAB: &str = "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,\
labmeasurenamesystem,labmeasurenameinterface,labresultrevisedoffset
1,100,-45,1,glucose,180,180,mg/dL,mg/dL,20
2,100,30,1,glucose,90,90,mg/dL,mg/dL,
3,100,40,3,platelets x 1000,,CLUMPED,K/mcL,K/uL,40
4,100,,1,glucose,90,90,mg/dL,mg/dL,
5,999,30,1,glucose,90,90,mg/dL,mg/dL,
";

const VITALS: &str =
    "vitalperiodicid,patientunitstayid,observationoffset,temperature,sao2,heartrate,respiration,cvp,etco2,\
systemicsystolic,systemicdiastolic,systemicmean,pasystolic,padiastolic,pamean,st1,st2,st3,icp
1,100,5,37.1,97,88,,,,,,,,,,,,,
2,100,10,,96,,,,,,,,,,,,,,
3,100,15,,,,,,,,,,,,,,,,
";

const CHARTING: &str =
    "nursingchartid,patientunitstayid,nursingchartoffset,nursingchartentryoffset,nursingchartcelltypecat,\
nursingchartcelltypevallabel,nursingchartcelltypevalname,nursingchartvalue
1,100,7,25,Vital Signs,Heart Rate,Heart Rate,90
2,100,8,3,Scores,Glasgow coma score,GCS Total,Unable to score due to medication
";

const DIAGNOSIS: &str = "diagnosisid,patientunitstayid,activeupondischarge,diagnosisoffset,diagnosisstring,icd9code,\
diagnosispriority
1,100,True,100,endocrine|glucose metabolism|diabetes mellitus|Type II,\"250.00, E11.9\",Primary
2,100,True,x,renal,585.9,Primary
";

const MEDICATION: &str =
    "medicationid,patientunitstayid,drugorderoffset,drugstartoffset,drugivadmixture,drugordercancelled,\
drugname,drughiclseqno,dosage
1,100,-30,15,No,No,METFORMIN,4763,500 mg
2,100,10,10,No,Yes,ASPIRIN,1820,81 mg
3,100,20,20,No,No,,4763,500 mg
";

fn made() -> (Events, EtlReport) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("patient", PATIENT),
        ("lab", LAB),
        ("vitalPeriodic", VITALS),
        ("nurseCharting", CHARTING),
        ("diagnosis", DIAGNOSIS),
        ("medication", MEDICATION),
        ("apachePatientResult", "patientunitstayid,actualhospitalmortality\n100,ALIVE\n"),
    ] {
        fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
    }
    read(&mut *open(folder.path(), &TableConfig::default()).unwrap()).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "as events have it")]
fn time(text: &str) -> Option<Time> {
    Some(Time::parse(text).unwrap())
}

fn with<'a>(subject: &Subject<'a>, code: &str) -> Vec<Event<'a>> {
    subject.events().filter(|event| subject.codebook().name(event.code) == code).collect()
}

fn times(subject: &Subject<'_>, code: &str) -> Vec<Option<Time>> {
    with(subject, code).iter().map(|event| event.time).collect()
}

/// The first patient's unit was entered an hour after the admission at 22:30 of the first of January.
const ENTERED: &str = "2015-01-01 23:30:00";

#[test]
fn a_patient_has_one_timeline_and_stays_lie_on_it() {
    let (events, report) = made();
    assert_eq!(events.ids(), [2_000_000_001, 2_000_000_002]);
    let one = events.find(2_000_000_001).unwrap();
    // Two units of one stay in hospital: one admission, whose second unit begins 2,880 minutes later.
    assert_eq!(times(&one, "HOSPITAL_ADMISSION//Emergency Department"), [time("2015-01-01 22:30:00")]);
    assert_eq!(times(&one, "ICU_ADMISSION//MICU"), [time(ENTERED)]);
    assert_eq!(times(&one, "ICU_ADMISSION//SICU"), [time("2015-01-03 23:30:00")]);
    assert_eq!(times(&one, "HOSPITAL_DISCHARGE//Home"), [time("2015-01-06")]);
    // "> 89" is a text: 90 years at the first admission, and marked.
    assert_eq!(one.birth(), Some(time("2015-01-01 22:30:00").unwrap().minus(Span::years(90))));
    assert_eq!(with(&one, "AGE//OVER_89").len(), 1);
    // Of two stays in one year the one that ended with death is the last, whatever their numbers say.
    let two = events.find(2_000_000_002).unwrap();
    let admitted = times(&two, "HOSPITAL_ADMISSION//Direct Admit");
    assert_eq!(admitted[0], time("2014-01-01 07:00:00"));
    assert_eq!(two.death(), times(&two, "HOSPITAL_DISCHARGE//Death")[0]);
    assert!(
        admitted.len() == 2 && admitted[1] < two.death() && times(&two, "HOSPITAL_DISCHARGE//Home")[0] < admitted[1]
    );
    assert_eq!(with(&two, "WEIGHT//kg")[0].value, None, "nobody weighs 800 kg: {:?}", with(&two, "WEIGHT//kg"));
    let counts = report.step("patient").unwrap();
    assert_eq!((counts.read, counts.kept), (6, 4));
    assert_eq!(counts.dropped["patientunitstayid is there twice"], 1);
    assert_eq!(counts.dropped["uniquepid is not of the form 002-1039"], 1);
    // What the score of the admission has predicted, and how it came out, is never read.
    assert!(report.remarks.iter().any(|remark| remark.contains("not read: apachepatientresult")), "{report}");
}

#[test]
fn minutes_count_from_the_unit_and_what_was_entered_later_from_then() {
    let (events, report) = made();
    let one = events.find(2_000_000_001).unwrap();
    let after = |minutes: i64| Some(time(ENTERED).unwrap().plus(Span::minutes(minutes)));
    // Drawn before the unit, and revised in it: known with the revision.
    assert_eq!(times(&one, "LAB//glucose//mg/dL"), [after(20), after(30)]);
    let platelets = with(&one, "LAB//platelets x 1000//K/mcL");
    assert_eq!((platelets[0].time, platelets[0].value, platelets[0].text), (after(40), None, Some("CLUMPED")));
    let counts = report.step("lab").unwrap();
    assert_eq!((counts.read, counts.kept), (5, 3));
    assert_eq!((counts.dropped["labresultoffset is missing"], counts.dropped["its visit is unknown"]), (1, 1));
    // A row of vital signs is an event for each that is there.
    assert_eq!(times(&one, "VITAL//heartrate//bpm"), [after(5)]);
    assert_eq!(times(&one, "VITAL//sao2//%"), [after(5), after(10)]);
    let vitals = report.step("vitalperiodic").unwrap();
    assert_eq!((vitals.read, vitals.kept), (3, 2));
    // Charted at minute 7, entered at 25; entered before it happened: when it happened.
    assert_eq!(times(&one, "NURSE_CHART//Heart Rate//Heart Rate"), [after(25)]);
    let score = with(&one, "NURSE_CHART//Glasgow coma score//GCS Total");
    assert_eq!((score[0].time, score[0].value), (after(8), None));
    assert_eq!(score[0].text, Some("Unable to score due to medication"));
}

#[test]
fn diagnoses_of_both_versions_and_orders_that_stand() {
    let (events, report) = made();
    let one = events.find(2_000_000_001).unwrap();
    let entered = time(ENTERED).unwrap().plus(Span::minutes(100));
    for (code, parent) in [("DIAGNOSIS//ICD//9//25000", "ICD9CM/250.00"), ("DIAGNOSIS//ICD//10//E119", "ICD10CM/E11.9")]
    {
        assert_eq!(times(&one, code), [Some(entered)]);
        assert_eq!(events.codebook.parents(with(&one, code)[0].code), [parent]);
    }
    let dropped = &report.step("diagnosis").unwrap().dropped;
    assert_eq!(dropped["patientunitstayid or diagnosisoffset is no number"], 1);
    // Ordered before the unit and begun in it; cancelled; and without a name, by its number.
    let began = time(ENTERED).unwrap().plus(Span::minutes(15));
    assert_eq!(times(&one, "MEDICATION//NAME//METFORMIN//START"), [Some(began)]);
    assert_eq!(with(&one, "MEDICATION//HICL//4763//START").len(), 1);
    assert!(with(&one, "MEDICATION//NAME//ASPIRIN//START").is_empty());
    assert_eq!(report.step("medication").unwrap().dropped["the order was cancelled"], 1);
}

/// Asked a day after the admission to the unit; nobody's minute of asking depends on how the stay ends.
#[test]
fn a_cohort_is_asked_at_one_hour_of_everybody() {
    let (events, _) = made();
    let task = include_str!("../../../../../pipelines/ehr/tasks/eicu-mortality-24h.toml");
    let found = Cohort::from_toml(task).unwrap().labels(&events).unwrap();
    let told: Vec<(i64, Option<bool>)> =
        found.labels.iter().map(|label| (label.subject, label.value.boolean())).collect();
    assert_eq!(told, [(2_000_000_001, Some(false)), (2_000_000_002, Some(false))], "{}", found.attrition);
    for (label, episode) in found.labels.iter().zip(&found.episodes) {
        assert_eq!(label.prediction_time.since(episode.start), Span::hours(24));
    }
}
