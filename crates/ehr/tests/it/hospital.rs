//! The published demonstration sets and a generated hospital, as events and as MEDS data sets. Expected counts were
//! taken from the tables with polars, by the rules that the readers' documentation states.

use ehr::events::Events;
use ehr::io::etl::{EtlConfig, EtlReport, Memory, TableConfig, convert, read};
use ehr::io::{eicu, meds, mimic3};
use ehr::synthetic::mimic_tables;

use crate::data;

/// How many events have a code that begins so.
fn with(events: &Events, prefix: &str) -> usize {
    let all = events.iter().flat_map(|subject| subject.events());
    all.filter(|event| events.codebook.name(event.code).starts_with(prefix)).count()
}

/// Every row is either kept or dropped.
fn balanced(report: &EtlReport) {
    for step in &report.steps {
        let counts = &step.counts;
        assert_eq!(counts.read, counts.kept + counts.dropped_rows(), "{}: {counts}", step.step);
    }
}

#[test]
fn mimic3_demo_becomes_events() {
    let Some(folder) = data::path("mimic3_demo") else { return };
    let (events, report) = read(&mut *mimic3::open(&folder, &TableConfig::default()).unwrap()).unwrap();
    balanced(&report);
    assert_eq!((events.subjects(), events.rows()), (100, 937_843), "{report}");
    for (step, read, kept) in [
        ("patients", 100, 100),
        ("admissions", 129, 129),
        ("icustays", 136, 136),
        ("labevents", 76_074, 76_074),
        ("chartevents", 758_355, 757_707),
        ("inputevents_mv", 13_224, 10_314),
        ("inputevents_cv", 34_799, 34_344),
        ("prescriptions", 10_398, 10_398),
        ("diagnoses_icd", 1_761, 1_761),
    ] {
        let counts = report.step(step).unwrap();
        assert_eq!((counts.read, counts.kept), (read, kept), "{step}: {counts}");
    }
    let labs = report.step("labevents").unwrap();
    assert_eq!(labs.changed.get("no number of a visit: by its time it is outside every one"), Some(&14_262));
    assert_eq!(labs.changed.get("no number of a visit: by its time it belongs to one"), None);
    for (prefix, count) in [
        ("MEDS_BIRTH", 100),
        ("MEDS_DEATH", 100),
        ("AGE//OVER_89", 8),
        ("LAB//50852//%", 23),
        ("DIAGNOSIS//ICD//9//250", 49),
        ("HOSPITAL_DISCHARGE//DEAD", 40),
        ("ICU_ADMISSION", 136),
    ] {
        assert_eq!(with(&events, prefix), count, "{prefix}");
    }
    let hba1c = events.codebook.get("LAB//50852//%").unwrap();
    assert_eq!(events.codebook.parents(hba1c), ["LOINC/4548-4"]);
    let values = events.iter().flat_map(|subject| subject.events()).filter(|event| event.code == hba1c);
    assert_eq!(values.filter_map(|event| event.value).filter(|value| *value > 7.0).count(), 6);
    // The systolic pressure of 11647 is gone, and every temperature is in degrees Celsius.
    let pressure = events.codebook.get("CHART//220179//mmHg").unwrap();
    let highest = events.iter().flat_map(|subject| subject.events()).filter(|event| event.code == pressure);
    assert!(highest.filter_map(|event| event.value).all(|value| value <= 375.0));
    assert!(with(&events, "CHART//223761//°C") > 1900 && with(&events, "CHART//223761//?F") == 0);
    // Nobody is older than 120 years, whatever was done to the birth.
    for subject in events.iter() {
        let age = subject.last_time().unwrap().since(subject.birth().unwrap()).in_years();
        assert!((0.0..120.0).contains(&age), "{} is {age} years old", subject.id());
    }
}

#[test]
fn mimic3_demo_becomes_a_meds_data_set() {
    let Some(folder) = data::path("mimic3_demo") else { return };
    let out = tempfile::tempdir().unwrap();
    let config = EtlConfig { max_memory: Memory::mib(192), threads: 2, created_at: None };
    let report = convert(&mut *mimic3::open(&folder, &TableConfig::default()).unwrap(), out.path(), &config).unwrap();
    assert_eq!((report.subjects, report.events), (100, 937_843));
    let set = meds::read(out.path()).unwrap();
    assert!(set.notices.is_empty(), "{:?}", set.notices);
    assert_eq!((set.events.subjects(), set.events.rows()), (100, 937_843));
    assert_eq!(set.metadata.dataset_name.as_deref(), Some("MIMIC-III"));
    let heart_rate = set.events.codebook.get("CHART//220045//bpm").unwrap();
    assert_eq!(set.events.codebook.description(heart_rate), Some("Heart Rate"));
}

#[test]
fn eicu_demo_becomes_events() {
    let Some(folder) = data::path("eicu_demo") else { return };
    let (events, report) = read(&mut *eicu::open(&folder, &TableConfig::default()).unwrap()).unwrap();
    balanced(&report);
    assert_eq!(events.subjects(), 1841, "{report}");
    for (prefix, count) in [
        ("HOSPITAL_ADMISSION", 2174),
        ("ICU_ADMISSION", 2520),
        ("MEDS_DEATH", 186),
        ("VITAL//", 774_644),
        ("DIAGNOSIS//EICU", 24_978),
        ("DIAGNOSIS//ICD", 42_135),
    ] {
        assert_eq!(with(&events, prefix), count, "{prefix}");
    }
    let medication = report.step("medication").unwrap();
    assert_eq!((medication.read, medication.kept), (75_604, 72_968 - 1646), "{medication}");
    assert_eq!(medication.dropped["the order was cancelled"], 2636);
    assert!(report.remarks.iter().any(|remark| remark.contains("not there: lab, vitalperiodic, nursecharting")));
    for subject in events.iter() {
        let codes = |prefix: &'static str| {
            subject.events().filter(move |event| subject.codebook().name(event.code).starts_with(prefix))
        };
        // Stays follow each other, and nobody is admitted after death.
        if let Some(death) = subject.death() {
            assert!(codes("HOSPITAL_ADMISSION").all(|event| event.time <= Some(death)), "{}", subject.id());
        }
        assert!(codes("MEDS_BIRTH").count() <= 1);
    }
}

#[test]
fn a_generated_hospital_is_converted_to_the_last_event() {
    let folder = tempfile::tempdir().unwrap();
    let (tables, out) = (folder.path().join("tables"), folder.path().join("meds"));
    let made = mimic_tables(&tables, 60_000, 7).unwrap();
    assert!((50_000..70_000).contains(&made.events), "{made:?}");
    let config = EtlConfig { max_memory: Memory::mib(192), threads: 2, created_at: None };
    let report = convert(&mut *mimic3::open(&tables, &TableConfig::default()).unwrap(), &out, &config).unwrap();
    balanced(&report);
    let counts = report.counts();
    assert_eq!((report.events, report.subjects), (made.events, made.patients), "{report}");
    assert_eq!((counts.read, counts.dropped["marked as an error"]), (made.rows, made.errors));
    let changed = |what: &str| counts.changed.get(what).copied().unwrap_or_default();
    assert_eq!(changed("a value that no patient can have had is kept as text only"), made.outliers);
    assert_eq!(changed("no number of a visit: by its time it belongs to one"), made.without_admission);
    let set = meds::read(&out).unwrap();
    assert_eq!(set.events.rows() as u64, made.events);
    assert_eq!(with(&set.events, "CHART//223761//?F"), 0);
    // Equal seeds make equal tables.
    let again = folder.path().join("again");
    mimic_tables(&again, 60_000, 7).unwrap();
    for file in &made.files {
        let twin = again.join(file.file_name().unwrap());
        assert_eq!(std::fs::read(file).unwrap(), std::fs::read(twin).unwrap());
    }
}
