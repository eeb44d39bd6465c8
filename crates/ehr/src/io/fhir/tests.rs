//! FHIR resources, bundles and lines.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::events::{Event, Events};
use crate::io::etl::{self, EtlReport};

fn coding(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": format!("name of {code}")}]})
}

/// Resources of one patient, which refer to each other as a transaction does.
fn resources() -> Vec<Value> {
    let (subject, encounter) = (json!({"reference": "urn:uuid:p"}), json!({"reference": "urn:uuid:e"}));
    let (loinc, snomed) = ("http://loinc.org", "http://snomed.info/sct");
    vec![
        json!({"resourceType": "Condition", "subject": subject, "encounter": encounter, "code": coding(snomed, "44054006"),
            "category": [{"coding": [{"code": "encounter-diagnosis"}]}], "recordedDate": "2020-03-01T09:00:00+01:00"}),
        json!({"resourceType": "Patient", "id": "7", "gender": "male", "birthDate": "1950-04-09", "deceasedDateTime": "2021-01",
            "extension": [{"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension":
                [{"url": "ombCategory", "valueCoding": {"display": "White"}}, {"url": "text", "valueString": "x"}]}]}),
        json!({"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}, "subject": subject,
            "type": [coding(snomed, "185349003")], "reasonCode": [coding(snomed, "22298006")],
            "period": {"start": "2020-03-01T08:00:00Z", "end": "2020-03-05T12:00:00Z"},
            "hospitalization": {"dischargeDisposition": coding("http://www.nubc.org/patient-discharge", "01")}}),
        json!({"resourceType": "Condition", "subject": subject, "code": coding(snomed, "38341003"),
            "recordedDate": "2020-06-01", "onsetDateTime": "2015-01-01"}),
        json!({"resourceType": "Condition", "subject": subject, "code": coding(snomed, "1"), "recordedDate": "2020-06-01",
            "verificationStatus": {"coding": [{"code": "refuted"}]}}),
        json!({"resourceType": "Observation", "status": "final", "subject": subject, "code": coding(loinc, "4548-4"),
            "category": [{"coding": [{"code": "laboratory"}]}], "effectiveDateTime": "2020-03-01T10:00:00Z",
            "issued": "2020-03-01T15:00:00.5Z", "valueQuantity": {"value": 53, "unit": "mmol/mol"}}),
        json!({"resourceType": "Observation", "status": "final", "subject": subject, "code": coding(loinc, "85354-9"),
            "effectiveDateTime": "2020-03-01T10:30:00Z", "issued": "2020-03-02T15:00:00Z", "component": [
                {"code": coding(loinc, "8480-6"), "valueQuantity": {"value": 120.0, "code": "mm[Hg]"}},
                {"code": coding(loinc, "8462-4"), "valueQuantity": {"value": 80.0, "code": "mm[Hg]", "comparator": "<"}},
                {"code": coding(loinc, "1"), "dataAbsentReason": coding("x", "unknown")}]}),
        json!({"resourceType": "Observation", "status": "final", "subject": subject, "code": coding(loinc, "72166-2"),
            "effectivePeriod": {"start": "2020-03-01", "end": "2020-03-02"},
            "valueCodeableConcept": coding(snomed, "266919005")}),
        json!({"resourceType": "Observation", "status": "entered-in-error", "subject": subject, "code": coding(loinc, "1")}),
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/7"},
            "authoredOn": "2020-03-02T09:00:00Z", "medicationReference": {"reference": "#m"}, "contained":
                [{"resourceType": "Medication", "id": "m", "code": coding("http://hl7.org/fhir/sid/ndc", "0001")}]}),
        json!({"resourceType": "MedicationRequest", "intent": "plan", "subject": subject}),
        json!({"resourceType": "Procedure", "status": "completed", "subject": subject, "code": {"text": "Colonoscopy "},
            "performedPeriod": {"start": "2020-03-03T09:00:00Z", "end": "2020-03-03T10:00:00Z"}}),
        json!({"resourceType": "Immunization", "status": "completed", "patient": subject, "occurrenceDateTime": "2020-03-04",
            "vaccineCode": coding("http://hl7.org/fhir/sid/cvx", "140")}),
        json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "https://host/fhir/Patient/7"},
            "recordedDate": "2020-03-04T01:00:00Z", "code": coding(snomed, "91936005")}),
        json!({"resourceType": "DocumentReference", "status": "current", "subject": subject, "date": "2020-03-04T18:00:00Z",
            "type": coding(loinc, "34117-2"), "content": [{"attachment": {"contentType": "text/plain", "data": "Tm8gZmV2ZXI="}}]}),
        json!({"resourceType": "Claim", "patient": subject}),
        json!({"resourceType": "Observation", "status": "final", "subject": {"reference": "Group/7"}, "code": coding(loinc, "1")}),
        json!({"resourceType": "Procedure", "status": "completed", "subject": subject, "code": coding(snomed, "2")}),
    ]
}

fn bundle() -> Value {
    let addresses = [("Patient", "urn:uuid:p"), ("Encounter", "urn:uuid:e")];
    let entry = |resource: Value| {
        let address = addresses.iter().find(|(kind, _)| resource["resourceType"] == *kind).map(|(_, address)| *address);
        json!({"fullUrl": address, "resource": resource})
    };
    json!({"resourceType": "Bundle", "type": "transaction", "entry": resources().into_iter().map(entry).collect::<Vec<_>>()})
}

/// The resources as a server exports them, one on a line.
fn lines() -> String {
    let plain = resources().into_iter().map(|resource| resource.to_string() + "\n").collect::<String>();
    plain.replace("urn:uuid:p", "Patient/7").replace("urn:uuid:e", "Encounter/e")
}

fn with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn read(path: &Path, config: &FhirConfig) -> Result<(Events, EtlReport), IoError> {
    etl::read(open(path, config)?.as_mut())
}

fn told(events: &Events, subject: i64) -> Vec<String> {
    let line = |event: Event<'_>| {
        let time = event.time.map_or("-".to_owned(), |time| time.to_string());
        let value = event.value.map_or(String::new(), |value| format!(" {value}"));
        let text = event.text.map_or(String::new(), |text| format!(" [{text}]"));
        format!("{time} {}{value}{text}", events.codebook.name(event.code))
    };
    events.find(subject).unwrap().events().map(line).collect()
}

const TOLD: [&str; 19] = [
    "- GENDER//M",
    "- RACE//WHITE",
    "1950-04-09 00:00:00 MEDS_BIRTH",
    "2020-03-01 08:00:00 HOSPITAL_ADMISSION//IMP",
    "2020-03-01 08:00:00 ENCOUNTER_TYPE//SNOMED//185349003",
    "2020-03-01 10:30:00 MEASUREMENT//LOINC//8480-6//mmHg 120",
    "2020-03-01 10:30:00 MEASUREMENT//LOINC//8462-4//mmHg 80 [<80]",
    // when the laboratory issued it; 0.09148 * 53 + 2.152
    "2020-03-01 15:00:00.500000 LAB//LOINC//4548-4//% 7.00044",
    "2020-03-02 09:00:00 MEDICATION//NDC//0001",
    "2020-03-02 23:59:59 OBSERVATION//LOINC//72166-2//SNOMED//266919005 [name of 266919005]",
    "2020-03-03 10:00:00 PROCEDURE//TEXT//COLONOSCOPY",
    "2020-03-04 01:00:00 ALLERGY//SNOMED//91936005",
    "2020-03-04 18:00:00 NOTE//LOINC//34117-2 [No fever]",
    "2020-03-04 23:59:59 IMMUNIZATION//CVX//140",
    // an encounter diagnosis is known at discharge
    "2020-03-05 12:00:00 DIAGNOSIS//SNOMED//44054006",
    "2020-03-05 12:00:00 ENCOUNTER_REASON//SNOMED//22298006",
    "2020-03-05 12:00:00 HOSPITAL_DISCHARGE//NUBC//01",
    // recorded five years after it began
    "2020-06-01 23:59:59 DIAGNOSIS//SNOMED//38341003",
    "2021-01-31 23:59:59 MEDS_DEATH",
];

#[test]
fn a_bundle_becomes_events_when_they_were_known() {
    let folder = with(&[("a.json", bundle().to_string().as_bytes())]);
    let (events, report) = read(folder.path(), &FhirConfig::default()).unwrap();
    assert_eq!(told(&events, 7), TOLD);
    let counts = report.counts();
    assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (18, 12, 6));
    for reason in [
        "it is refuted",
        "its status is entered-in-error",
        "it is a plan, or says that nothing is to be given",
        "Claim is not read",
        "it is not about a patient",
        "it has no time",
    ] {
        assert_eq!(counts.dropped[reason], 1, "{reason}");
    }
    let plan = counts.examples.iter().find(|example| example.reason.contains("plan")).unwrap();
    assert_eq!((plan.row, plan.file.ends_with("a.json")), (11, true));
    assert_eq!(counts.changed["the zone of a time is dropped, its local part kept"], 10);
    let code = events.codebook.get("DIAGNOSIS//SNOMED//44054006").unwrap();
    assert_eq!(events.codebook.description(code), Some("name of 44054006"));
}

#[test]
fn all_forms_of_files_give_the_same_events() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(lines().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    // Encounters in a file of their own, behind the conditions by name.
    let (apart, rest): (Vec<Value>, Vec<Value>) =
        resources().into_iter().partition(|resource| resource["resourceType"] == "Encounter");
    let of = |resources: Vec<Value>| {
        let text: String = resources.into_iter().map(|resource| resource.to_string() + "\r\n").collect();
        text.replace("urn:uuid:p", "Patient/7").replace("urn:uuid:e", "Encounter/e")
    };
    let bom = format!("\u{feff}{}", bundle());
    let folders = [
        with(&[("a.json", bom.as_bytes())]),
        with(&[("b.ndjson.gz", packed.as_slice())]),
        with(&[("c.ndjson", lines().replace('\n', "\n\n").as_bytes())]),
        with(&[("All.ndjson", of(rest).as_bytes()), ("Encounter.000.ndjson", of(apart).as_bytes())]),
        with(&[("d.jsonl", format!("{}\n", bundle()).as_bytes())]),
    ];
    for (number, folder) in folders.iter().enumerate() {
        let (events, _) = read(folder.path(), &FhirConfig::default()).unwrap();
        let (mut found, mut expected) = (told(&events, 7), TOLD.map(str::to_owned).to_vec());
        // The order at one time is that of the files.
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "form {number}");
    }
    // Without their encounter nothing says when the diagnoses were coded; it is not passed over in silence.
    let rest: Vec<String> = lines().lines().filter(|line| !line.contains("\"Encounter\"")).map(str::to_owned).collect();
    let rest = rest.join("\n");
    let folder = with(&[("c.ndjson", rest.as_bytes())]);
    let (events, report) = read(folder.path(), &FhirConfig::default()).unwrap();
    assert!(told(&events, 7).contains(&"2020-03-01 09:00:00 DIAGNOSIS//SNOMED//44054006".to_owned()));
    let said = "the encounter of a diagnosis is not there: it counts as known from when it was recorded";
    assert_eq!(report.counts().changed[said], 1);
}

#[test]
fn limits_are_kept() {
    let config = FhirConfig { max_document: 2000, max_line: 2000, ..FhirConfig::default() };
    let folder = with(&[("a.json", bundle().to_string().as_bytes()), ("b.ndjson", lines().as_bytes())]);
    let (_, report) = read(folder.path(), &config).unwrap();
    assert_eq!(report.counts().dropped["the document is longer than max_document allows"], 1);
    let long = format!("{{\"resourceType\":\"Claim\",\"x\":\"{}\"}}\n{}", "y".repeat(5000), lines());
    let folder = with(&[("b.ndjson", long.as_bytes())]);
    let (events, report) = read(folder.path(), &config).unwrap();
    assert_eq!(report.counts().dropped["the line is longer than max_line allows"], 1);
    assert!(events.find(7).unwrap().len() > 10);
    // One file alone must be good.
    let folder = with(&[("a.json", bundle().to_string().as_bytes())]);
    let error = read(folder.path(), &config).unwrap_err().to_string();
    assert!(error.contains("more than 2000 bytes; raise max_document"), "{error}");
    assert!(FhirConfig { max_line: 0, ..FhirConfig::default() }.validate().is_err());
    let deep = "[".repeat(100_000);
    let folder = with(&[("a.json", format!("{{\"resourceType\":\"Patient\",\"x\":{deep}").as_bytes())]);
    assert!(read(folder.path(), &FhirConfig::default()).is_err());
}

#[test]
fn what_is_no_fhir_says_so() {
    for (text, expected) in [
        ("{}", "no resourceType"),
        ("[1]", "no JSON"),
        ("hello", "no JSON"),
        ("", "no JSON"),
        ("{\"entry\": 1}", "no JSON"),
    ] {
        let folder = with(&[("a.json", text.as_bytes())]);
        let error = read(&folder.path().join("a.json"), &FhirConfig::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        // Among others it is counted.
        let folder = with(&[("a.json", text.as_bytes()), ("b.json", bundle().to_string().as_bytes())]);
        let (_, report) = read(folder.path(), &FhirConfig::default()).unwrap();
        assert_eq!(report.counts().dropped_rows(), 7, "{text}");
    }
    let folder = with(&[("readme.txt", b"x".as_slice())]);
    assert!(read(folder.path(), &FhirConfig::default()).unwrap_err().to_string().contains("there are no FHIR files"));
}

#[test]
fn references_of_every_form_lead_to_the_identifier() {
    for reference in
        ["Patient/7", "7", "urn:uuid:7", "https://host/fhir/Patient/7", "Patient/7/_history/2", "http://x/Patient/7/"]
    {
        assert_eq!(element::identifier(reference, "Patient"), Some("7"), "{reference}");
    }
    for reference in ["Group/7", "Patient/", "x/Device/7"] {
        assert_eq!(element::identifier(reference, "Patient"), None, "{reference}");
    }
}

#[test]
fn damaged_documents_are_errors_or_counted_and_never_a_panic() {
    let (document, exported) = (bundle().to_string(), lines());
    for (name, text) in [("a.json", &document), ("a.ndjson", &exported)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            if let Ok((_, report)) = read(&path, &FhirConfig::default()) {
                let counts = report.counts();
                assert_eq!(counts.read, counts.kept + counts.dropped_rows());
            }
        };
        for length in (0..text.len()).step_by(37) {
            check(&text.as_bytes()[..length]);
        }
        for bit in (0..text.len() * 8).step_by(211) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            check(&bytes);
        }
    }
}
