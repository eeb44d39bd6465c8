//! OMOP, FHIR, `PhysioNet` 2012 and the published sets as they are passed on, against what Python counts in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ehr::events::Events;
use ehr::io::etl::{self, EtlReport, Sink, Source};
use ehr::io::fhir::{self, FhirConfig};
use ehr::io::omop::{self, OmopConfig};
use ehr::io::p12::{self, P12Config};
use ehr::io::sets::{self, SurvivalSet, diabetes};
use ehr::time::Time;
use serde_json::Value;

use crate::data;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/open_formats.json")).unwrap()
}

fn int(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn read(mut source: Box<dyn Source>) -> (Events, EtlReport) {
    let (events, report) = etl::read(source.as_mut()).unwrap();
    let counts = report.counts();
    assert_eq!(counts.read, counts.kept + counts.dropped_rows(), "{counts}");
    (events, report)
}

/// Events whose code begins with a text, and the sum of their values.
fn of(events: &Events, prefix: &str) -> (u64, f64) {
    let wanted: Vec<bool> = events.codebook.iter().map(|(_, name)| name.starts_with(prefix)).collect();
    let found = (0..events.rows()).map(|row| events.event(row)).filter(|event| wanted[event.code.index()]);
    found.fold((0, 0.0), |(rows, sum), event| (rows + 1, sum + event.value.map_or(0.0, f64::from)))
}

/// Values are kept in single precision, whose rounding is 6e-8 of each.
fn assert_near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-7 * expected.abs(), "{what}: {found}, expected {expected}");
}

fn unpacked(relative: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    zip::ZipArchive::new(File::open(data::path(relative)?).unwrap()).unwrap().extract(folder.path()).unwrap();
    Some(folder)
}

#[test]
fn omop_tables_of_synthea() {
    let Some(folder) = unpacked("synthea27nj_omop/Synthea27Nj_5.4.zip") else { return };
    let expected = &golden()["omop"];
    let (events, report) = read(omop::open(folder.path(), &OmopConfig::default()).unwrap());
    assert_eq!(events.subjects() as u64, int(&expected["persons"]));
    assert_eq!(report.counts().dropped_rows(), 0, "{report}");
    for (prefix, name) in [
        ("MEDS_BIRTH", "persons"),
        ("MEDS_DEATH", "deaths"),
        ("HOSPITAL_ADMISSION//IP", "inpatient"),
        ("HOSPITAL_DISCHARGE", "inpatient"),
        ("ED_REGISTRATION//ER", "emergency"),
        ("DIAGNOSIS//SNOMED//", "conditions"),
        ("PROCEDURE//", "procedures"),
        ("MEDICATION//RxNorm//", "drugs"),
        ("DEVICE//", "devices"),
        ("OBSERVATION//", "observations"),
        ("LAB//LOINC//", "laboratory"),
    ] {
        assert_eq!(of(&events, prefix).0, int(&expected[name]), "{prefix}");
    }
    let measured = of(&events, "LAB//").0 + of(&events, "MEASUREMENT//").0;
    assert_eq!(measured, int(&expected["measurements"]));
    let weights = of(&events, "MEASUREMENT//LOINC//29463-7//kg");
    assert_eq!(weights.0, int(&expected["weights"]["rows"]));
    assert_near(weights.1, &expected["weights"]["sum"], "weights");
    let moved = report.counts().changed["a condition counts as known from the end of its inpatient visit"];
    assert_eq!(moved, int(&expected["conditions_moved"]));
    let most = format!("DIAGNOSIS//SNOMED//{}", expected["most_diagnosed"].as_str().unwrap());
    assert_eq!(of(&events, &most).0, int(&expected["most_diagnosed_rows"]));
    let relations = format!("{} concepts, {} relations", expected["concepts"], expected["relations"]);
    assert!(report.remarks[0].contains(&relations), "{:?}", report.remarks);
    let code = events.codebook.get(&most).unwrap();
    assert!(events.codebook.description(code).is_some_and(|name| !name.is_empty()));
}

#[test]
fn omop_as_csv_and_as_parquet_is_the_same() {
    let (Some(csv), Some(parquet)) =
        (unpacked("synthea27nj_omop/Synthea27Nj_5.4.zip"), unpacked("synthea27nj_omop/Synthea27NjParquet_5.4.zip"))
    else {
        return;
    };
    let told = |folder: &Path| {
        let (events, _) = read(omop::open(folder, &OmopConfig::default()).unwrap());
        let mut lines = Vec::new();
        for subject in events.iter() {
            lines.extend(subject.events().map(|event| {
                let name = events.codebook.name(event.code);
                (
                    subject.id(),
                    event.time,
                    name.to_owned(),
                    event.value.map(f32::to_bits),
                    event.text.map(str::to_owned),
                )
            }));
        }
        // Rows of one time stand in the order of each file.
        lines.sort();
        lines
    };
    assert_eq!(told(csv.path()), told(parquet.path()));
}

#[test]
fn fhir_bundles_of_synthea() {
    let Some(path) = data::path("synthea_fhir_r4/r4_100_bundles.tar.gz") else { return };
    let expected = &golden()["fhir"];
    let (events, report) = read(fhir::open(&path, &FhirConfig::default()).unwrap());
    let kind = |name: &str| int(&expected["kinds"][name]);
    assert_eq!(events.subjects() as u64, kind("Patient"));
    let counts = report.counts();
    let all: u64 = expected["kinds"].as_object().unwrap().values().map(int).sum();
    assert_eq!(counts.read, all);
    for left in ["Claim", "ExplanationOfBenefit", "CarePlan", "Goal", "ImagingStudy", "Organization", "Practitioner"] {
        assert_eq!(counts.dropped[&format!("{left} is not read")], kind(left), "{left}");
    }
    assert_eq!(counts.dropped.len(), 7, "{counts}");
    for (prefix, rows) in [
        ("MEDS_BIRTH", kind("Patient")),
        ("MEDS_DEATH", int(&expected["deaths"])),
        ("GENDER//", kind("Patient")),
        ("DIAGNOSIS//SNOMED//", kind("Condition")),
        ("PROCEDURE//SNOMED//", kind("Procedure")),
        ("MEDICATION//RxNorm//", kind("MedicationRequest")),
        ("IMMUNIZATION//CVX//", kind("Immunization")),
        ("ALLERGY//SNOMED//", kind("AllergyIntolerance")),
        ("REPORT//LOINC//", kind("DiagnosticReport")),
        ("HOSPITAL_ADMISSION//IMP", int(&expected["classes"]["IMP"])),
        ("HOSPITAL_DISCHARGE//", int(&expected["classes"]["IMP"])),
        ("ED_REGISTRATION//EMER", int(&expected["classes"]["EMER"])),
        ("ENCOUNTER//AMB", int(&expected["classes"]["AMB"])),
        ("ENCOUNTER_REASON//", int(&expected["reasons"])),
        ("LAB//LOINC//", int(&expected["laboratory"])),
    ] {
        assert_eq!(of(&events, prefix).0, rows, "{prefix}");
    }
    let ends = ["HOSPITAL_DISCHARGE//NUBC//01", "ED_OUT//NUBC//01", "ENCOUNTER_END//NUBC//01"];
    assert_eq!(ends.iter().map(|prefix| of(&events, prefix).0).sum::<u64>(), int(&expected["dispositions"]));
    let observed = ["LAB//", "MEASUREMENT//", "OBSERVATION//"].map(|prefix| of(&events, prefix).0);
    assert_eq!(observed.iter().sum::<u64>(), int(&expected["observed"]));
    for (code, kind, unit) in [
        ("8302-2", "MEASUREMENT", "cm"),
        ("29463-7", "MEASUREMENT", "kg"),
        ("8480-6", "MEASUREMENT", "mmHg"),
        ("8462-4", "MEASUREMENT", "mmHg"),
        ("4548-4", "LAB", "%"),
    ] {
        let code_of = format!("{kind}//LOINC//{code}//{unit}");
        assert_near(of(&events, &code_of).1, &expected["sums"][code], &code_of);
    }
}

/// The events of the stays that `raw` has.
fn told_of(events: &Events, raw: &Events) -> Vec<Vec<String>> {
    let line = |event: ehr::events::Event<'_>, events: &Events| {
        format!("{:?} {} {:?}", event.time, events.codebook.name(event.code), event.value)
    };
    raw.ids()
        .iter()
        .map(|id| {
            let mut lines: Vec<String> = events.find(*id).unwrap().events().map(|event| line(event, events)).collect();
            lines.sort();
            lines
        })
        .collect()
}

/// Takes nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn event(&mut self, _: i64, _: Option<Time>, _: &str, _: Option<f32>, _: Option<&str>) {}
}

fn stays(part: &str) {
    let Some(folder) = data::path("physionet2012") else { return };
    let expected = &golden()[format!("p12_{part}")];
    let config = P12Config { part: Some(part.to_owned()), clean: false };
    let (events, report) = read(p12::open(&folder, &config).unwrap());
    let counts = report.counts();
    assert_eq!((counts.read, events.subjects() as u64), (int(&expected["rows"]), int(&expected["stays"])));
    assert_eq!((counts.dropped.len(), counts.dropped["not recorded (-1)"]), (1, int(&expected["missing"])));
    let series = of(&events, "P12//").0 - of(&events, "P12//Age").0 - of(&events, "P12//Height").0;
    assert_eq!(series, int(&expected["series"]));
    let rates = of(&events, "P12//HR");
    assert_eq!(rates.0, int(&expected["heart_rates"]["rows"]));
    assert_near(rates.1, &expected["heart_rates"]["sum"], "heart rates");
    assert_eq!(of(&events, "AGE//OVER_89").0, int(&expected["old"]));
    assert_eq!(of(&events, "GENDER//F").0, int(&expected["female"]));
    let mut source = p12::open(&folder, &P12Config { clean: true, ..config }).unwrap();
    let cleaned = source.step("records", &mut Nowhere).unwrap();
    let pressures = cleaned.dropped["no patient can have had this value: NISysABP"];
    assert_eq!(pressures, int(&expected["low_pressures"]));
    let points = cleaned.changed.get("a pH got its point back").copied().unwrap_or_default();
    assert_eq!(points, int(&expected["without_points"]));
    let (outcomes, told) = p12::outcomes(&folder, Some(part)).unwrap();
    assert_eq!((outcomes.len() as u64, told.dropped_rows()), (int(&expected["stays"]), 0));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.died).count() as u64, int(&expected["died"]));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.saps.is_none()).count() as u64, int(&expected["no_saps"]));
    // Each stay has an outcome, and can be seen at its prediction time.
    let labels = p12::labels(&outcomes);
    assert_eq!(ehr::labels::views(&events, &labels).unwrap().len(), 4000);
}

#[test]
fn stays_of_physionet_2012_set_a() {
    stays("a");
}

#[test]
fn stays_of_physionet_2012_set_b() {
    stays("b");
}

#[test]
fn stays_as_texts_and_as_one_table_are_the_same() {
    let Some(folder) = data::path("physionet2012") else { return };
    let (long, _) = read(p12::open(&folder, &P12Config { part: Some("a".to_owned()), clean: true }).unwrap());
    let (raw, _) = read(p12::open(&folder.join("set-a.first600.raw.tar.gz"), &P12Config::default()).unwrap());
    assert_eq!(raw.subjects(), 600);
    assert_eq!(told_of(&long, &raw), told_of(&raw, &raw));
}

#[test]
fn stays_of_diabetics() {
    let Some(folder) = data::path("diabetes130") else { return };
    let set = diabetes::read(&folder).unwrap();
    // Counts of the set's own description.
    assert_eq!((set.encounters.len(), set.counts.dropped_rows()), (81_412, 0));
    let patients = set.encounters.windows(2).filter(|pair| pair[0].patient != pair[1].patient).count() + 1;
    assert_eq!(patients, 57_106);
    assert_eq!(set.encounters.iter().filter(|stay| stay.is_final()).count(), 1927);
    let early = set.encounters.iter().filter(|stay| stay.readmitted == diabetes::Readmitted::Within30Days);
    assert_eq!(early.count(), 9121);
    let labels = diabetes::labels(&set.encounters, false);
    // and 56 stays that follow one of these, most of them from a hospice
    assert_eq!(labels.len(), 81_412 - 1927 - 56);
    let (events, _) = read(diabetes::open(&folder).unwrap());
    assert_eq!(events.subjects(), 57_106);
    for (prefix, rows) in [("LAB//A1Cresult//Norm", 4024), ("LAB//A1Cresult//>7", 3040), ("LAB//A1Cresult//>8", 6543)] {
        assert_eq!(of(&events, prefix).0, rows, "{prefix}");
    }
    assert_eq!(ehr::labels::views(&events, &labels).unwrap().len(), labels.len());
}

#[test]
fn repeated_measurements_of_pbc2() {
    let Some(folder) = data::path("pbc2") else { return };
    let (set, counts) = sets::pbc2(&folder).unwrap();
    assert_eq!((set.subjects.len(), set.rows(), set.names.len(), counts.dropped_rows()), (312, 1945, 15, 0));
    let of = |cause: u32| set.subjects.iter().filter(|subject| subject.cause == cause).count();
    assert_eq!([of(0), of(1), of(2)], [143, 140, 29]);
    // Weeks: the longest patient was watched for fourteen years.
    assert!(set.subjects.iter().all(|subject| subject.time <= 744.0));
}

fn sum(values: &[f32]) -> f64 {
    values.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value)).sum()
}

#[test]
fn survival_sets() {
    let golden = golden();
    if let Some(folder) = data::path("support2_framingham") {
        let (set, counts) = sets::support2(&folder).unwrap();
        let expected = &golden["support2"];
        assert_eq!((set.len() as u64, counts.dropped_rows()), (int(&expected["rows"]), 0));
        assert_eq!(set.cause.iter().map(|cause| u64::from(*cause)).sum::<u64>(), int(&expected["deaths"]));
        assert_near(set.time.iter().sum(), &expected["days"], "days");
        let column = |name: &str| {
            let place = set.names.iter().position(|known| known == name).unwrap();
            (0..set.len()).map(|row| set.row(row)[place]).collect::<Vec<_>>()
        };
        assert_near(sum(&column("alb")), &expected["albumin"], "albumin");
        let missing = |name: &str| column(name).iter().filter(|value| value.is_nan()).count() as u64;
        assert_eq!(missing("alb"), int(&expected["albumin_missing"]));
        assert_eq!(missing("income=>$50k"), int(&expected["income_missing"]));
        assert_eq!(sum(&column("sex=male")) as u64, int(&expected["male"]));
        for leak in ["death", "d.time", "hospdead", "slos", "surv2m", "dnr"] {
            assert!(!set.names.iter().any(|name| name.starts_with(leak)), "{leak}");
        }
    }
    if let Some(folder) = data::path("deephit_sample") {
        let (set, _) = sets::competing(&folder).unwrap();
        let of = |cause: u32| set.cause.iter().filter(|known| **known == cause).count();
        // Counts of the set's own description.
        assert_eq!([set.len(), of(0), of(1), of(2), set.names.len()], [15_000, 7508, 3802, 3690, 12]);
        let (set, _) = sets::metabric(&folder).unwrap();
        let expected = &golden["metabric"];
        assert_eq!((set.len() as u64, set.names.len() as u64), (int(&expected["rows"]), int(&expected["columns"])));
        assert_near(set.time.iter().sum(), &expected["time"], "time");
        assert_near(sum(&set.values), &expected["sum"], "values");
        assert_eq!(set.cause.iter().map(|cause| u64::from(*cause)).sum::<u64>(), int(&expected["events"]));
    }
}

fn hdf5(name: &str) -> Option<PathBuf> {
    data::path(&format!("deepsurv/{name}_train_test.h5"))
}

#[test]
fn hdf5_files_of_deepsurv() {
    let golden = golden();
    for (name, parts) in golden["deepsurv"].as_object().unwrap() {
        let Some(path) = hdf5(name) else { return };
        let (train, test) = sets::deepsurv(&path).unwrap();
        for (part, set) in [("train", &train), ("test", &test)] {
            let expected = &parts[part];
            assert_eq!((set.len() as u64, set.names.len() as u64), (int(&expected["rows"]), int(&expected["columns"])));
            assert_near(sum(&set.values), &expected["x"], "x");
            assert_near(set.time.iter().sum(), &expected["t"], "t");
            assert_eq!(set.cause.iter().map(|cause| u64::from(*cause)).sum::<u64>(), int(&expected["events"]));
        }
    }
}

#[test]
fn a_damaged_hdf5_file_is_an_error_and_never_a_panic() {
    let Some(path) = hdf5("whas") else { return };
    let whole = fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("a.h5");
    let check = |bytes: &[u8]| -> Result<(SurvivalSet, SurvivalSet), ehr::io::IoError> {
        fs::write(&copy, bytes).unwrap();
        sets::deepsurv(&copy)
    };
    for length in (0..whole.len()).step_by(1511) {
        assert!(check(&whole[..length]).is_err(), "{length}");
    }
    // What says where things are stands in the first KiB and between the arrays.
    for bit in (0..2048 * 8).step_by(3).chain((0..whole.len() * 8).step_by(4099)) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ = check(&bytes);
    }
}
