use super::*;
use crate::events::{Event, Events};
use crate::io::etl::{self, EtlReport};

const MAPPING: &str = r#"
name = "clinic"

[[table]]
file = "labs.csv"
subject = "Patient"
only = { status = ["final", "corrected"] }

[[table.event]]
code = "LAB//{test}//{unit?}"
time = "resulted"
value = "result"
text = "comment"

[[table.event]]
code = "ORDER//{test}"
time = "ordered"

[[table]]
file = "people.csv"
subject = "patient"

[[table.event]]
code = "MEDS_BIRTH"
time = "born"
dates = "start"

[[table.event]]
code = "GENDER//{sex}"

[[table.event]]
code = "ICU//{sex?}"
time = "offset"
unit = "min"
"#;

const LABS: &str = "patient,status,test,unit,result,comment,ordered,resulted\n\
    P-1,final,K,mmol/L,4.1,,2130-04-01,2130-04-01 12:00\n\
    P-1,corrected,K,,x,hemolytic,,2130-04-02\n\
    P-1,draft,K,,4.0,,2130-04-03,2130-04-03\n\
    ,final,K,,4.0,,2130-04-03,2130-04-03\n\
    P-1,final,,,4.0,,2130-04-03,2130-04-03\n\
    P-1,final\n";

const PEOPLE: &str = "patient,born,sex,offset\nP-1,2050-01-02,F,-1.5\nP-2,0001-01-01,,x\n7,2050,M,\n";

fn with(mapping: &str) -> Result<(Events, EtlReport), IoError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("labs.csv", LABS), ("people.csv", PEOPLE), ("m.toml", mapping)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    etl::read(open(folder.path(), &folder.path().join("m.toml"))?.as_mut())
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

#[test]
fn tables_become_what_the_mapping_says() {
    let (events, report) = with(MAPPING).unwrap();
    assert_eq!(
        told(&events, subject_number("P-1")),
        [
            "- GENDER//F",
            "1969-12-31 23:58:30 ICU//F",
            "2050-01-02 00:00:00 MEDS_BIRTH",
            "2130-04-01 12:00:00 LAB//K//mmol/L 4.1",
            "2130-04-01 23:59:59 ORDER//K",
            "2130-04-02 23:59:59 LAB//K//UNK [hemolytic]",
        ]
    );
    assert_eq!(told(&events, 7), ["- GENDER//M", "2050-01-01 00:00:00 MEDS_BIRTH"]);
    let labs = report.step("table-000").unwrap();
    assert_eq!((labs.read, labs.kept), (6, 2));
    for reason in [
        "status has none of the values that are read",
        "patient is missing",
        "test is missing",
        "it has 2 fields where the heading has 8; check its quotation marks",
    ] {
        assert_eq!(labs.dropped[reason], 1, "{reason}");
    }
    assert_eq!(labs.changed["no value where result is no number"], 1);
    assert_eq!(labs.changed["no event where ordered is missing"], 1);
    let people = report.step("table-001").unwrap();
    assert_eq!((people.read, people.kept), (3, 2));
    assert_eq!(people.dropped["born is a date that stands for none"], 1);
    assert!(report.remarks[1].ends_with("people.csv"));
}

#[test]
fn a_wrong_mapping_says_what_is_wrong() {
    for (from, to, expected) in [
        ("{test}//{unit?}", "{test", "a brace without its end"),
        ("{test}//{unit?}", "test}", "a brace without its beginning"),
        ("{test}//{unit?}", "{}", "without the name of a column"),
        ("\"LAB//{test}//{unit?}\"", "\"\"", "a code is empty"),
        ("unit = \"min\"", "unit = \"fortnight\"", "\"fortnight\" is no unit of time"),
        ("time = \"resulted\"", "tmie = \"resulted\"", "unknown field `tmie`"),
        ("labs.csv", "../labs.csv", "outside the folder"),
        ("labs.csv", "rays.csv", "cannot open"),
        ("{test}", "{assay}", "has no column assay"),
    ] {
        let error = with(&MAPPING.replace(from, to)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    assert!(Mapping::from_toml("name = \"x\"\ntable = []").unwrap_err().contains("there is no table"));
    assert!(Mapping::from_toml("name = \"x\"\n[[table]]\nfile = \"a\"\nsubject = \"b\"\nevent = []").is_err());
}

#[test]
fn a_mapping_is_what_it_was_after_writing() {
    let mapping = Mapping::from_toml(MAPPING).unwrap();
    assert_eq!(Mapping::from_toml(&toml::to_string(&mapping).unwrap()).unwrap(), mapping);
}

#[test]
fn damaged_tables_and_mappings_never_panic() {
    for length in (0..MAPPING.len()).step_by(11) {
        let _ = with(&MAPPING[..length]);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.csv"), PEOPLE).unwrap();
    let mapping = Mapping::from_toml(MAPPING).unwrap();
    for bit in 0..LABS.len() * 8 {
        let mut bytes = LABS.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.path().join("labs.csv"), bytes).unwrap();
        let Ok(mut source) = of(folder.path(), &mapping) else { continue };
        if let Ok((_, report)) = etl::read(source.as_mut()) {
            let counts = report.counts();
            assert_eq!(counts.read, counts.kept + counts.dropped_rows());
        }
    }
}
