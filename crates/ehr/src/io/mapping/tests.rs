//! Tables that a mapping file describes.

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

const JOINED: &str = r#"
name = "ward"

[[table]]
file = "charts.csv"
subject = "person"

[[table.join]]
file = "stays.csv"
on = "icu"
key = "stay"
columns = ["person", "ward"]

[[table.event]]
code = "CHART//{item}//{ward?}"
time = "charted"
value = "value"
"#;

const CHARTS: &str = "icu,item,charted,value\n\
    10,HR,2130-04-01 09:00,80\n\
    11.0,HR,2130-05-01 09:00,90\n\
    99,HR,2130-05-01 09:00,91\n\
    ,HR,2130-05-01 09:00,92\n\
    10,SBP,2130-04-01 10:00,120\n";

const STAYS: &str = "Stay,Person,ward\n10,P-1,MICU\n11,7,\n10,P-2,SICU\n,P-3,MICU\n12\n";

fn joined(mapping: &str, stays: &str) -> Result<(Events, EtlReport), IoError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("charts.csv", CHARTS), ("stays.csv", stays)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mapping = Mapping::from_toml(mapping).map_err(|problem| IoError::format(Path::new("m.toml"), problem))?;
    etl::read(of(folder.path(), &mapping)?.as_mut())
}

#[test]
fn rows_get_columns_of_other_tables() {
    let (events, report) = joined(JOINED, STAYS).unwrap();
    assert_eq!(
        told(&events, subject_number("P-1")),
        ["2130-04-01 09:00:00 CHART//HR//MICU 80", "2130-04-01 10:00:00 CHART//SBP//MICU 120"]
    );
    assert_eq!(told(&events, 7), ["2130-05-01 09:00:00 CHART//HR//UNK 90"]);
    assert_eq!(events.subjects(), 2);
    let counts = report.step("table-000").unwrap();
    // five rows of each table, of which two stays and three charts are of use
    assert_eq!((counts.read, counts.kept), (10, 5));
    for (reason, rows) in [
        ("stay is missing", 1),
        ("stay is there twice", 1),
        ("it has 1 fields where the heading has 3; check its quotation marks", 1),
        ("person is missing", 2),
    ] {
        assert_eq!(counts.dropped[reason], rows, "{reason}");
    }
    assert_eq!(counts.changed["icu is not in stays.csv"], 1);
    let twice = counts.examples.iter().find(|example| example.reason == "stay is there twice").unwrap();
    assert!(twice.file.ends_with("stays.csv") && twice.row == 4);
}

#[test]
fn a_wrong_join_says_what_is_wrong() {
    for (from, to, expected) in [
        ("[\"person\", \"ward\"]", "[]", "the join of stays.csv has no columns"),
        ("[\"person\", \"ward\"]", "[\"person\", \"icu\"]", "a column icu that they have already"),
        ("[\"person\", \"ward\"]", "[\"ward\", \"person\", \"ward\"]", "a column ward that they have already"),
        ("[\"person\", \"ward\"]", "[\"person\", \"ward\", \"bed\"]", "has no column bed"),
        ("on = \"icu\"", "on = \"room\"", "has no column room"),
        ("file = \"stays.csv\"", "file = \"../stays.csv\"", "outside the folder"),
        ("file = \"stays.csv\"", "file = \"rooms.csv\"", "cannot open"),
        ("key = \"stay\"", "kye = \"stay\"", "unknown field `kye`"),
    ] {
        let error = joined(&JOINED.replace(from, to), STAYS).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    // both tables have the column that is joined
    let columns = JOINED.replace("[\"person\", \"ward\"]", "[\"person\", \"ward\", \"item\"]");
    let error = joined(&columns, "stay,person,ward,item\n10,1,A,B\n").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("charts.csv: it has the column item itself"), "{error}");
}

#[test]
fn damaged_tables_that_are_joined_never_panic() {
    for bit in 0..STAYS.len() * 8 {
        let mut bytes = STAYS.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok((_, report)) = joined(JOINED, &String::from_utf8_lossy(&bytes)) {
            let counts = report.counts();
            assert_eq!(counts.read, counts.kept + counts.dropped_rows());
        }
    }
    // no stay is left, and no chart has a subject
    let without = joined(JOINED, "stay,person,ward\n");
    assert!(without.is_err() || without.unwrap().0.rows() == 0);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("charts.csv"), CHARTS).unwrap();
    fs::write(folder.path().join("stays.csv"), "stay,person,ward\n11,P-9,A\n").unwrap();
    let one = etl::read(of(folder.path(), &Mapping::from_toml(JOINED).unwrap()).unwrap().as_mut()).unwrap().0;
    assert_eq!(told(&one, subject_number("P-9")), ["2130-05-01 09:00:00 CHART//HR//A 90"]);
}
