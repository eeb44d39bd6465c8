//! The rule of the review on the MIMIC-III demo.

use std::fs;

use ehr::io::etl::{self, TableConfig};
use ehr::io::mimic3;
use ehr::phenotype::Phenotype;
use ehr::time::Time;

use crate::data;

#[test]
fn type_2_diabetes_in_the_mimic_iii_demo() {
    let Some(folder) = data::path("mimic3_demo") else { return };
    // the tables that the rule looks at, so that a million bedside values need not be read
    let some = tempfile::tempdir().unwrap();
    for table in [
        "patients",
        "admissions",
        "labevents",
        "d_items",
        "d_labitems",
        "diagnoses_icd",
        "d_icd_diagnoses",
        "procedures_icd",
    ] {
        let name = format!("{table}.parquet");
        fs::copy(folder.join(&name), some.path().join(&name)).unwrap();
    }
    let mut source = mimic3::open(some.path(), &TableConfig::default()).unwrap();
    let (events, _) = etl::read(&mut *source).unwrap();
    let found = Phenotype::shipped("t2dm").unwrap().find(&events).unwrap();
    let report = found.report();
    let arm = |name: &str| {
        let arm = report.arms.iter().find(|arm| arm.name == name).unwrap();
        (arm.looked_at, arm.fired, arm.subjects, arm.alone)
    };
    // counts by pandas on the same tables: 23 results of item 50852, and 4 of "Absolute A1c", which has the same LOINC code
    // and no numbers; 6 above 7.0 in 4 patients; 49 rows of ICD-9 250.x,
    // all of them of type 2 or unspecified, in 31 patients; 3 patients with both
    assert_eq!(arm("hba1c"), (27, 6, 4, 1));
    assert_eq!(arm("icd9"), (49, 49, 31, 28));
    assert_eq!(arm("icd10"), (0, 0, 0, 0));
    assert_eq!((report.subjects, report.found, report.together["hba1c + icd9"]), (100, 32, 3));
    // the result of the laboratory is known before the diagnosis is coded, or after the first stay
    assert_eq!(found.onset(10_017), Time::parse("2149-05-26 09:26"));
    assert_eq!(found.onset(44_222), Time::parse("2180-07-20 13:00"));
    assert!(found.holds(10_104) && !found.holds(10_011));
}
