//! Records of PhysioNet 2012.

use std::fmt::Write as _;

use super::*;
use crate::events::{Event, Events};
use crate::io::etl::{self, EtlReport};
use crate::labels::LabelValue;

const STAY: &str = "Time,Parameter,Value\n00:00,RecordID,132539\n00:00,Age,54\n00:00,Gender,0\n00:00,Height,-1\n\
    00:00,ICUType,4\n00:00,Weight,-1\n00:07,HR,73\n00:07,HR,75\n00:37,pH,735\n01:37,pH,7.35\n02:00,NISysABP,0\n03:00,,7\n\
    04:00,Wonder,7\n05:00,Temp,x\n48:00,Weight,80.5\n48:01,HR,80\n5:x,HR,80\n06:00,HR\n";

fn read(path: &Path, config: &P12Config) -> Result<(Events, EtlReport), IoError> {
    etl::read(open(path, config)?.as_mut())
}

fn told(events: &Events, subject: i64) -> Vec<String> {
    let line = |event: Event<'_>| {
        let time = event.time.map_or("-".to_owned(), |time| time.to_string());
        let value = event.value.map_or(String::new(), |value| format!(" {value}"));
        format!("{time} {}{value}", events.codebook.name(event.code))
    };
    events.find(subject).unwrap().events().map(line).collect()
}

#[test]
fn a_stay_becomes_events_and_every_row_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("132539.txt");
    fs::write(&path, STAY).unwrap();
    let (events, report) = read(&path, &P12Config::default()).unwrap();
    assert_eq!(
        told(&events, 132_539),
        [
            "- P12//Age 54",
            "- GENDER//F",
            "- ICU_TYPE//4",
            // 54 Julian years of 365.25 days are 19,723.5 days, half a day less than to the beginning of 1916
            "1916-01-01 12:00:00 MEDS_BIRTH",
            "1970-01-01 00:07:00 P12//HR 73",
            "1970-01-01 00:07:00 P12//HR 75",
            "1970-01-01 00:37:00 P12//pH 7.35",
            "1970-01-01 01:37:00 P12//pH 7.35",
            "1970-01-03 00:00:00 P12//Weight 80.5",
        ]
    );
    let counts = report.counts();
    assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (18, 9, 9));
    for (reason, rows) in [
        ("not recorded (-1)", 2),
        ("no patient can have had this value: NISysABP", 1),
        ("the parameter has no name", 1),
        ("the parameter is none of the challenge", 1),
        ("its value is no number", 1),
        ("its time is not within the 48 hours", 1),
        ("its time is not of the form hh:mm", 1),
        ("it has 2 fields where the heading has 3; check its quotation marks", 1),
    ] {
        assert_eq!(counts.dropped[reason], rows, "{reason}");
    }
    assert_eq!(counts.changed["a pH got its point back"], 1);
    let raw = P12Config { clean: false, ..P12Config::default() };
    let (events, report) = read(&path, &raw).unwrap();
    assert_eq!((report.counts().kept, told(&events, 132_539).len()), (10, 10));
    let code = events.codebook.get("P12//HR").unwrap();
    assert_eq!(events.codebook.description(code), Some("Heart rate (bpm)"));
    assert_eq!(events.codebook.parents(code), ["LOINC//8867-4"]);
    let code = events.codebook.get("ICU_TYPE//4").unwrap();
    assert_eq!(events.codebook.description(code), Some("Surgical intensive care unit"));
}

#[test]
fn a_folder_of_stays_is_read_in_order_and_a_stay_without_series_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set-a");
    fs::create_dir(&set).unwrap();
    for (record, age) in [(2, 90), (1, 30)] {
        let text = format!("Time,Parameter,Value\r\n00:00,RecordID,{record}\r\n00:00,Age,{age}\r\n00:00,Gender,-1\r\n");
        fs::write(set.join(format!("{record}.txt")), text).unwrap();
    }
    fs::write(set.join("readme.txt"), "nothing").unwrap();
    let (events, report) = read(folder.path(), &P12Config::default()).unwrap();
    assert_eq!((events.ids(), report.counts().kept), (&[1, 2][..], 4));
    assert_eq!(told(&events, 2)[1], "- AGE//OVER_89");
    // A folder with two sets is not guessed at.
    fs::create_dir(folder.path().join("set-b")).unwrap();
    assert!(read(folder.path(), &P12Config::default()).unwrap_err().to_string().contains("more than one set"));
    let part = |part: &str| P12Config { part: Some(part.to_owned()), ..P12Config::default() };
    assert!(read(folder.path(), &part("a")).is_ok());
    assert!(read(folder.path(), &part("b")).unwrap_err().to_string().contains("has no rows of stays"));
    assert!(read(folder.path(), &part("c")).unwrap_err().to_string().contains("there is no set c"));
}

#[test]
fn outcomes_are_labels_at_48_hours_and_never_events() {
    let folder = tempfile::tempdir().unwrap();
    let text = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n132540,16,8,8,-1,0\n132539,-1,1,5,3,1\n\
        132539,6,1,5,-1,0\n132541,6,1,5,-1,2\n132542,6\n";
    fs::write(folder.path().join("Outcomes-a.txt"), text).unwrap();
    let (found, counts) = outcomes(folder.path(), None).unwrap();
    assert_eq!((found.len(), counts.read, counts.dropped_rows()), (2, 5, 3));
    let expected = P12Outcome {
        record: 132_539,
        saps: None,
        sofa: Some(1),
        length_of_stay: Some(5),
        survival: Some(3),
        died: true,
    };
    assert_eq!(found[1], expected);
    let labels = labels(&found);
    assert_eq!((labels[0].subject, labels[0].prediction_time.to_string().as_str()), (132_539, "1970-01-03 00:00:00"));
    assert_eq!(
        labels.iter().map(|label| label.value.clone()).collect::<Vec<_>>(),
        [true, false].map(LabelValue::Boolean)
    );
    assert!(outcomes(folder.path(), Some("b")).is_err());
}

#[test]
fn times_are_hours_and_minutes() {
    for (text, minute) in [("00:00", Some(0)), ("47:59", Some(2879)), ("48:00", Some(2880)), ("7:05", Some(425))] {
        assert_eq!(minutes(text), minute);
    }
    for wrong in ["", "48", "1:60", "-1:00", "1:-2", ":5", "100:00", "1:2:3", "99999999999999999999:00"] {
        assert_eq!(minutes(wrong), None, "{wrong}");
    }
}

#[test]
fn the_variables_are_sorted_and_each_once() {
    assert!(PARAMETERS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn damaged_stays_are_errors_or_counted_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("132539.txt");
    let mut long = STAY.to_owned();
    for minute in 10..20 {
        let _ = writeln!(long, "0{}:{minute},GCS,15", minute % 10);
    }
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        if let Ok((_, report)) = read(&path, &P12Config::default()) {
            let counts = report.counts();
            assert_eq!(counts.read, counts.kept + counts.dropped_rows());
        }
    };
    (0..long.len()).for_each(|length| check(&long.as_bytes()[..length]));
    for bit in 0..long.len() * 8 {
        let mut bytes = long.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(&bytes);
    }
}
