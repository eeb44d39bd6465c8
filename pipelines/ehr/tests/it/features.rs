//! `features` writes what was known at each prediction time and nothing else: every cell is what a few lines over the
//! same rows give, and no change of what came later changes a byte.

use crate::command::galen_ehr_in;
use crate::data::{events, set};
use ehr::events::{Events, EventsBuilder};
use ehr::io::meds::{self, Metadata};
use ehr::time::{Span, Time};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// When everybody of the generated set is asked: at the check-up on day 70.
fn asked() -> Time {
    Time(0).plus(Span::days(70))
}

/// Writes the table of a set into `out`, with every code that two subjects have.
fn table(folder: &Path, set: &str, out: &str, more: &[&str]) -> String {
    let base = ["features", "--data", set, "--task", "task.toml", "--out", out, "--set", "table.min_subjects=2"];
    galen_ehr_in(folder, &[&base[..], more].concat()).ends_with(0).says("chosen on");
    fs::read_to_string(folder.join(out)).unwrap()
}

/// Values of `LAB//X` of a subject up to the prediction time: days before it, and value.
fn known(events: &Events, subject: i64) -> Vec<(f64, f64)> {
    let code = events.codebook.get("LAB//X").unwrap();
    let of = events.find(subject).unwrap();
    let before = of.events().filter(|event| event.code == code && event.time.is_some_and(|time| time <= asked()));
    before.filter_map(|event| Some((-asked().since(event.time?).in_days(), f64::from(event.value?)))).collect()
}

#[test]
fn every_cell_is_what_the_rows_say() {
    let folder = set(60);
    let text = table(folder.path(), "set", "table.csv", &[]);
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header[..4], ["subject_id", "prediction_time", "boolean_value", "split"]);
    let place = |name: &str| header.iter().position(|own| *own == name).unwrap_or_else(|| panic!("{name}: {header:?}"));
    let wanted = ["last", "mean", "min", "max", "count", "slope"].map(|name| place(&format!("LAB//X|{name}")));
    // What happens later is no column, and neither is the outcome.
    for later in ["OUTCOME", "CONTACT", "BIRTH"] {
        assert!(header.iter().all(|name| !name.contains(later)), "{later}: {header:?}");
    }
    let events = events(60, 1);
    let mut rows = 0;
    let mut parts = std::collections::BTreeMap::<String, usize>::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let subject: i64 = cells[0].parse().unwrap();
        assert_eq!((cells[1], cells[2]), ("1970-03-12 00:00:00", if subject % 3 == 0 { "true" } else { "false" }));
        *parts.entry(cells[3].to_owned()).or_default() += 1;
        let known = known(&events, subject);
        let n = known.len() as f64;
        let (days, mean) =
            (known.iter().map(|(day, _)| day).sum::<f64>() / n, known.iter().map(|(_, value)| value).sum::<f64>() / n);
        let mixed: f64 = known.iter().map(|(day, value)| (day - days) * (value - mean)).sum();
        let squares: f64 = known.iter().map(|(day, _)| (day - days).powi(2)).sum();
        let values = || known.iter().map(|(_, value)| *value);
        let expected = [
            known.last().unwrap().1,
            mean,
            values().fold(f64::MAX, f64::min),
            values().fold(f64::MIN, f64::max),
            n,
            mixed / squares,
        ];
        for (column, expected) in wanted.iter().zip(expected) {
            let found: f64 = cells[*column].parse().unwrap();
            // Cells are in single precision; a slope is a difference of such numbers.
            assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{subject}: {found} {expected}");
        }
        rows += 1;
    }
    assert_eq!(rows, 60);
    let counted: Vec<(&str, usize)> = parts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counted.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["held_out", "train", "tuning"]);
    assert_eq!(counted.iter().map(|(_, count)| count).sum::<usize>(), 60);
}

/// The same records, with other values, more codes and more visits behind the prediction time.
fn with_another_future(events: &Events) -> Events {
    let mut rows = EventsBuilder::new();
    for subject in events.iter() {
        for event in subject.events() {
            let name = events.codebook.name(event.code);
            rows.push(subject.id(), event.time, name, event.value, event.text);
        }
        let later = asked().plus(Span(1));
        rows.push(subject.id(), Some(later), "LAB//X", Some(1e6), None);
        rows.push(subject.id(), Some(later), "LAB//LATER", Some(subject.id() as f32), None);
        rows.push(subject.id(), Some(later), "DIAGNOSIS//RISK", None, None);
    }
    rows.finish().unwrap()
}

#[test]
fn no_later_event_changes_a_byte() {
    let folder = set(60);
    let path = folder.path();
    let other = path.join("other");
    fs::create_dir_all(&other).unwrap();
    meds::write(&other, &with_another_future(&events(60, 1)), None, &Metadata::default()).unwrap();
    let settings: [&[&str]; 2] = [&[], &["--windows", "20d,40d", "--statistics", "last,sd,since"]];
    for more in settings {
        let (plain, changed) = (table(path, "set", "a.csv", more), table(path, "other", "b.csv", more));
        assert!(plain.lines().count() == 61 && plain == changed, "{more:?}");
        fs::remove_file(path.join("a.csv")).unwrap();
    }
    // An event at the prediction time itself is known then: the check-up is a column.
    assert!(table(path, "set", "c.csv", &[]).lines().next().unwrap().contains("CHECKUP|events"));
}

#[test]
fn parquet_and_settings_and_mistakes() {
    let folder = set(60);
    let path = folder.path();
    let base = ["features", "--data", "set", "--task", "task.toml", "--set", "table.min_subjects=2"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    let told = galen_ehr_in(path, &with(&["--out", "new/table.parquet", "--json"])).ends_with(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["rows"].as_u64(), told["task"].as_str()), (Some(60), Some("toy")));
    assert_eq!(told["parts"]["train"], told["chosen_on"]["subjects"]);
    assert!(fs::read(path.join("new/table.parquet")).unwrap().starts_with(b"PAR1"));
    let shown = galen_ehr_in(path, &with(&["--out", "t.csv", "--windows", "1d,7d", "--print-config"])).ends_with(0);
    for line in ["windows = [", "\"slope\"", "min_subjects = 2", "kind = \"subject\""] {
        assert!(shown.stdout.contains(line), "{line} is missing in:\n{}", shown.stdout);
    }
    let mistakes: [(&[&'static str], &str); 5] = [
        (&["--out", "table.xlsx"], ".parquet or .csv"),
        (&["--out", "t.csv", "--statistics", "median"], "median"),
        (&["--out", "t.csv", "--windows", "soon"], "24h"),
        (&["--out", "t.csv", "--split", "warm"], "calendar"),
        (&["--out", "t.csv", "--run-dir", "run"], "--run-dir"),
    ];
    for (more, text) in mistakes {
        galen_ehr_in(path, &with(more)).ends_with(2).says(text);
    }
    // The set has no parts of its own.
    galen_ehr_in(path, &with(&["--out", "t.csv", "--split", "upstream"])).ends_with(1).says("upstream split");
    let times = "name = 'times'\nindex.codes = ['CHECKUP']\noutcome.kind = 'survival'\n[[outcome.causes]]\n\
                 name = 'outcome'\nwhen.codes = ['DIAGNOSIS//OUTCOME']\n";
    fs::write(path.join("task.toml"), times).unwrap();
    galen_ehr_in(path, &with(&["--out", "t.csv"])).ends_with(1).says("within a horizon");
    assert!(!path.join("t.csv").exists());
}
