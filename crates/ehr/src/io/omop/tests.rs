//! OMOP tables of both versions.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::events::Events;
use crate::io::etl::{self, EtlReport};

const PERSON: &str = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,\
    race_concept_id,ethnicity_concept_id,gender_source_value,race_source_value,ethnicity_source_value\n\
    1,8507,1950,4,9,,8527,0,M,white,\n2,8532,1960,,,,0,38003564,F,,x\n2,8532,1961,,,,0,0,F,,\nx,8532,1961,,,,0,0,F,,\n";

const VISITS: &str = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,\
    visit_end_datetime,discharged_to_source_value\n\
    10,1,9201,2020-03-01,2020-03-01 08:00:00,2020-03-05,2020-03-05 12:00:00,home\n\
    11,1,9202,2020-06-01,,2020-06-01,,\n\
    12,2,9203,2020-06-02,2020-06-02 10:00:00,2020-06-01,2020-06-01 10:00:00,\n\
    13,2,9201,2020-07-01,2020-07-01 10:00:00,,,\n\
    10,2,9202,2020-08-01,,,,\n";

const CONDITIONS: &str = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,\
    condition_start_datetime,condition_source_concept_id,condition_source_value,visit_occurrence_id\n\
    1,1,201826,2020-03-01,2020-03-01 09:00:00,44836914,250.00,10\n\
    2,1,201826,2020-06-01,,0,E11.9,11\n\
    3,2,0,2020-07-02,,0,XYZ,13\n\
    4,2,0,2020-06-02,,0,LOCAL-7,12\n\
    5,2,0,2020-06-02,,0,,12\n\
    6,2,777,2020-06-02,,0,,12\n\
    7,2,201826,9999-12-31,,0,,12\n\
    8,2,201826\n";

const MEASUREMENTS: &str = "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,\
    value_as_number,value_as_concept_id,unit_concept_id,unit_source_value,measurement_source_value,value_source_value\n\
    1,1,3004410,2020-03-02,2020-03-02 07:00:00,53,0,0,mmol/mol,4548-4,53\n\
    2,1,3004410,2020-03-03,2020-03-03 07:00:00,700,0,8554,,4548-4,700\n\
    3,1,3004410,2020-03-04,2020-03-04 07:00:00,,9191,0,,4548-4,pos\n\
    4,1,3004410,2020-03-05,2020-03-05 07:00:00,ERROR,0,0,,4548-4,ERROR\n";

const CONCEPTS: &str = "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\t\
    concept_code\n\
    201826\tType 2 diabetes mellitus\tCondition\tSNOMED\tClinical Finding\tS\t44054006\n\
    73211009\tDiabetes mellitus\tCondition\tSNOMED\tClinical Finding\tS\t73211009\n\
    44836914\tDiabetes mellitus without complication\tCondition\tICD9CM\t5-dig billing code\t\t250.00\n\
    3004410\tHemoglobin A1c\tMeasurement\tLOINC\tLab Test\tS\t4548-4\n\
    9191\tPositive\tMeas Value\tSNOMED\tQualifier Value\tS\t10828004\n\
    8554\tpercent\tUnit\tUCUM\tUnit\tS\t%\n";

const RELATIONS: &str = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason\n\
    201826\t73211009\tIs a\t1970\t2099\t\n44836914\t201826\tMaps to\t1970\t2099\t\n\
    201826\t201826\tMaps to\t1970\t2099\t\n73211009\t201826\tSubsumes\t1970\t2099\t\n";

fn files() -> [(&'static str, &'static str); 8] {
    [
        ("PERSON.csv", PERSON),
        ("VISIT_OCCURRENCE.csv", VISITS),
        ("CONDITION_OCCURRENCE.csv", CONDITIONS),
        ("MEASUREMENT.csv", MEASUREMENTS),
        ("CONCEPT.csv", CONCEPTS),
        ("CONCEPT_RELATIONSHIP.csv", RELATIONS),
        ("DEATH.csv", "person_id,death_date,death_datetime\n1,2020-09-01,\n1,2020-09-02,\n"),
        (
            "NOTE.csv",
            "person_id,note_date,note_datetime,note_title,note_text\n1,2020-03-02,,Nursing,\"No fever\"\n1,2020-03-02,,x,\n",
        ),
    ]
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files() {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(folder: &TempDir, config: &OmopConfig) -> Result<(Events, EtlReport), IoError> {
    etl::read(open(folder.path(), config)?.as_mut())
}

/// The events of a subject as texts.
fn told(events: &Events, subject: i64) -> Vec<String> {
    let line = |event: crate::events::Event<'_>| {
        let time = event.time.map_or("-".to_owned(), |time| time.to_string());
        let value = event.value.map_or(String::new(), |value| format!(" {value}"));
        let text = event.text.map_or(String::new(), |text| format!(" [{text}]"));
        format!("{time} {}{value}{text}", events.codebook.name(event.code))
    };
    events.find(subject).unwrap().events().map(line).collect()
}

#[test]
fn rows_become_events_when_they_were_known() {
    let (events, _) = read(&folder(), &OmopConfig::default()).unwrap();
    assert_eq!(
        told(&events, 1),
        [
            "- GENDER//M",
            "- RACE//WHITE",
            "1950-04-09 00:00:00 MEDS_BIRTH",
            "2020-03-01 08:00:00 HOSPITAL_ADMISSION//IP",
            // 0.09148 * 53 + 2.152, the NGSP/IFCC master equation
            "2020-03-02 07:00:00 LAB//LOINC//4548-4//% 7.00044",
            "2020-03-02 23:59:59 NOTE//NURSING [No fever]",
            "2020-03-03 07:00:00 LAB//LOINC//4548-4//% [700]",
            "2020-03-04 07:00:00 LAB//LOINC//4548-4//SNOMED//10828004 [Positive]",
            "2020-03-05 07:00:00 LAB//LOINC//4548-4 [ERROR]",
            // coded for billing, known when the stay was over
            "2020-03-05 12:00:00 DIAGNOSIS//SNOMED//44054006",
            "2020-03-05 12:00:00 HOSPITAL_DISCHARGE//HOME",
            "2020-06-01 23:59:59 ENCOUNTER//OP",
            "2020-06-01 23:59:59 DIAGNOSIS//SNOMED//44054006",
            "2020-06-01 23:59:59 ENCOUNTER_END//UNK",
            "2020-09-01 23:59:59 MEDS_DEATH",
        ]
    );
    assert_eq!(
        told(&events, 2),
        [
            "- GENDER//F",
            "- ETHNICITY//NOT HISPANIC OR LATINO",
            "1960-01-01 00:00:00 MEDS_BIRTH",
            "2020-06-02 10:00:00 ED_REGISTRATION//ER",
            "2020-06-02 23:59:59 DIAGNOSIS//SOURCE//LOCAL-7",
            "2020-06-02 23:59:59 DIAGNOSIS//OMOP//777",
            "2020-07-01 10:00:00 HOSPITAL_ADMISSION//IP",
        ]
    );
}

#[test]
fn every_row_is_counted_with_its_reason_and_line() {
    let (_, report) = read(&folder(), &OmopConfig::default()).unwrap();
    let step = |name: &str| report.step(name).unwrap().clone();
    let people = step("person");
    assert_eq!((people.read, people.kept), (4, 2));
    assert_eq!(people.dropped["person_id is there twice"], 1);
    assert_eq!(people.dropped["person_id is no whole number"], 1);
    let conditions = step("condition_occurrence");
    assert_eq!((conditions.read, conditions.kept), (8, 4));
    for reason in [
        "the end of its inpatient visit is missing or before the beginning",
        "it has no concept",
        "condition_start_date is a date that stands for none",
        "it has 3 fields where the heading has 8; check its quotation marks",
    ] {
        assert_eq!(conditions.dropped[reason], 1, "{reason}");
    }
    let twice = people.examples.iter().find(|example| example.reason == "person_id is there twice").unwrap();
    assert_eq!((twice.row, twice.file.ends_with("PERSON.csv")), (4, true));
    assert_eq!(step("visit_occurrence").dropped["visit_occurrence_id is there twice"], 1);
    let ends = step(ENDS);
    assert_eq!(ends.changed["the visit ends before it begins, so no end of it is known"], 1);
    assert_eq!(ends.dropped["visit_end_date is missing"], 1);
    assert_eq!(step("note").dropped["there is no text in it"], 1);
    let all = report.counts();
    assert_eq!(all.read, all.kept + all.dropped_rows());
    assert!(report.remarks[0].contains("6 concepts, 2 relations"), "{:?}", report.remarks);
}

#[test]
fn codes_know_their_names_and_what_is_above_them() {
    let config = OmopConfig { prefer: Prefer::Source, dates: DayRule::Start, ..OmopConfig::default() };
    let (events, _) = read(&folder(), &config).unwrap();
    let book = &events.codebook;
    let code = book.get("DIAGNOSIS//ICD9CM//250.00").unwrap();
    assert_eq!(book.description(code), Some("Diabetes mellitus without complication"));
    assert_eq!(book.parents(code), ["DIAGNOSIS//SNOMED//44054006"]);
    let code = book.get("DIAGNOSIS//SNOMED//44054006").unwrap();
    assert_eq!(book.parents(code), ["DIAGNOSIS//SNOMED//73211009"]);
    let code = book.get("LAB//LOINC//4548-4//%").unwrap();
    assert_eq!((book.description(code), book.parents(code).len()), (Some("Hemoglobin A1c"), 1));
    assert_eq!(book.parents(code), ["LAB//LOINC//4548-4"]);
    assert!(told(&events, 1).contains(&"2020-06-01 00:00:00 ENCOUNTER//OP".to_owned()));
}

#[test]
fn what_is_needed_and_not_there_is_named() {
    let folder = folder();
    fs::write(folder.path().join("PERSON.csv"), "id,gender_concept_id\n1,8507\n").unwrap();
    let error = read(&folder, &OmopConfig::default()).unwrap_err().to_string();
    assert!(error.contains("PERSON.csv has no column person_id; it has: id, gender_concept_id"), "{error}");
    fs::remove_file(folder.path().join("PERSON.csv")).unwrap();
    let error = read(&folder, &OmopConfig::default()).unwrap_err().to_string();
    assert!(error.contains("the table person is missing"), "{error}");
}

#[test]
fn damaged_tables_are_errors_or_counted_and_never_a_panic() {
    for (name, text) in files() {
        let folder = folder();
        let path = folder.path().join(name);
        for length in (0..text.len()).step_by(61) {
            fs::write(&path, &text.as_bytes()[..length]).unwrap();
            let _ = read(&folder, &OmopConfig::default());
        }
        for bit in (0..text.len() * 8).step_by(211) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            if let Ok((_, report)) = read(&folder, &OmopConfig::default()) {
                let all = report.counts();
                assert_eq!(all.read, all.kept + all.dropped_rows());
            }
        }
    }
}
