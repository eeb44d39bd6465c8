//! MEDS data sets: the published sample, the Python package as judge of what we write, damaged files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ehr::codebook::CodeId;
use ehr::events::{Events, EventsBuilder};
use ehr::io::meds::{self, Metadata};
use ehr::io::{IoError, csv};
use ehr::labels::{Label, LabelValue};
use ehr::split::{Part, Split};
use ehr::time::{Span, Time};

use crate::data;

fn sample() -> Option<PathBuf> {
    data::path("meds_sample/sample_data/meds_sample")
}

/// Events of each code and the sum of their values.
fn totals(events: &Events) -> BTreeMap<String, (usize, f64)> {
    let mut totals = vec![(0, 0.0); events.codebook.len()];
    for subject in events.iter() {
        for event in subject.events() {
            let total: &mut (usize, f64) = &mut totals[event.code.index()];
            total.0 += 1;
            total.1 += event.value.map_or(0.0, f64::from);
        }
    }
    let name = |code: usize| events.codebook.name(CodeId(code as u32)).to_owned();
    totals.into_iter().enumerate().map(|(code, total)| (name(code), total)).collect()
}

#[test]
fn the_sample_is_aligned_not_refused() {
    let Some(folder) = sample() else { return };
    let set = meds::read(&folder).unwrap();
    // The sample of ACES (github.com/justin13601/ACES at d95e192, sample_data), counted by polars in its files.
    assert_eq!((set.events.subjects(), set.events.rows(), set.events.codebook.len()), (100, 77_542, 32));
    assert_eq!((set.counts.read, set.counts.kept, set.counts.dropped_rows()), (77_542, 77_542, 0));
    let totals = totals(&set.events);
    assert_eq!((totals["LAB//SpO2"].0, totals["TEMP"].0, totals["HR"].0), (26_928, 20_878, 20_275));
    // The values are float64, and each is rounded to float32 by at most 2^-24 of itself; their magnitudes sum to 50,042.
    let sum: f64 = totals.values().map(|total| total.1).sum();
    assert!((sum - 1.041_490_797).abs() < 3e-3, "{sum}");
    assert_eq!(set.events.iter().map(|subject| subject.statics().len()).sum::<usize>(), 100);
    let split = set.split.unwrap();
    assert_eq!(Part::ALL.map(|part| split.count(part)), [70, 15, 15]);
    let said: Vec<&str> = set.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("numeric_value is Float64 and is converted to Float32 (as in 3 more files)"), "{said:?}");
    assert!(said[1].contains("the parts are those of the folders' names"), "{said:?}");
    let first = set.events.subject(0);
    let names = first.events().take(3).map(|event| set.events.codebook.name(event.code)).collect::<Vec<_>>();
    assert_eq!((first.id(), names), (0, vec!["SEX//male", "ADMISSION//CARDIAC", "HR"]));
    assert_eq!(first.first_time().unwrap().to_string(), "2010-06-24 13:23:00");
    // As of one microsecond before the admission, the sex is all that is known.
    let before = Time(first.first_time().unwrap().0 - 1);
    assert_eq!((first.as_of(before).len(), first.as_of(before.plus(Span(1))).len()), (1, 5));
}

fn python(arguments: &[OsString]) -> Option<Output> {
    let program = std::env::var_os("GALEN_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(program).env("PYTHONDONTWRITEBYTECODE", "1").args(arguments).output().ok()
}

/// What `tests/golden/meds_set.py check` says about a data set; `None` where there is no Python with `meds`.
fn judged(folder: &Path) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/meds_set.py");
    let known = python(&["-c".into(), "import meds, pyarrow".into()]).is_some_and(|output| output.status.success());
    if !known {
        let _ = writeln!(std::io::stderr(), "ignored: needs a Python with meds (set GALEN_PYTHON)");
        return None;
    }
    let output = python(&[script.into(), "check".into(), folder.into()])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn metadata() -> Metadata {
    Metadata {
        dataset_name: Some("sample".to_owned()),
        etl_name: Some("galen".to_owned()),
        created_at: Some("2026-11-27T12:00:00".to_owned()),
        site_id_columns: Some(vec!["hospital".to_owned()]),
        ..Metadata::default()
    }
}

#[test]
fn the_python_package_takes_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (set, expected) = match sample() {
        Some(path) => (meds::read(&path).unwrap(), [100, 77_542, 32]),
        None => (meds::DataSet { events: small(), split: Some(parts(&small())), ..Default::default() }, [3, 9, 5]),
    };
    meds::write(root, &set.events, set.split.as_ref(), &metadata()).unwrap();
    let label = |subject, value| Label { subject, prediction_time: Time::parse("2130-04-01").unwrap(), value };
    for (name, values) in [
        ("boolean", [LabelValue::Boolean(true), LabelValue::Boolean(false)]),
        ("integer", [LabelValue::Integer(-1), LabelValue::Integer(i64::MAX)]),
        ("float", [LabelValue::Float(0.5), LabelValue::Float(-1.0)]),
        ("categorical", ["home", "died"].map(|name| LabelValue::Categorical(name.to_owned()))),
    ] {
        let labels: Vec<Label> = values.into_iter().zip([2, 1]).map(|(value, id)| label(id, value)).collect();
        meds::write_labels(&root.join("labels").join(format!("{name}.parquet")), &labels).unwrap();
    }
    meds::write_labels(&root.join("labels/none.parquet"), &[]).unwrap();
    let Some(said) = judged(root) else { return };
    let said: BTreeMap<String, serde_json::Value> = serde_json::from_str(&said).unwrap();
    assert_eq!(["subjects", "rows", "codes"].map(|key| said[key].as_u64().unwrap()), expected);
    assert_eq!(said["version"], meds::VERSION);
}

fn small() -> Events {
    let mut rows = EventsBuilder::new();
    let start = Time::parse("2130-04-01 12:00:00").unwrap();
    for id in [1, 2, 7] {
        rows.push(id, None, "GENDER//F", None, None);
        rows.push(id, Some(start.plus(Span::hours(id))), "LAB//50852//%", Some(6.5 + id as f32), None);
        rows.push(id, Some(start.plus(Span::days(id))), &format!("NOTE//{id}"), None, Some("no sign of diabetes"));
    }
    rows.finish().unwrap()
}

fn parts(events: &Events) -> Split {
    Split::from_pairs(events.ids().iter().copied().zip([Part::Train, Part::Tuning, Part::HeldOut])).unwrap()
}

/// Reads every file of a set by itself, which must not panic whatever is in it.
fn attempt(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let told = |error: IoError| {
        let text = error.to_string();
        assert!(text.contains(&name), "{text} does not name {name}");
        false
    };
    match name.as_str() {
        "codes.parquet" => meds::read_codes(file, &mut small().codebook.clone()).map_or_else(told, |_| true),
        "subject_splits.parquet" => meds::read_splits(file).map_or_else(told, |_| true),
        "labels.parquet" => meds::read_labels(file).map_or_else(told, |_| true),
        "dataset.json" => meds::read_metadata(file).map_or_else(told, |_| true),
        _ => meds::read_shard(file).map_or_else(told, |(events, counts, _)| {
            assert_eq!((events.rows() as u64, counts.read), (counts.kept, counts.kept + counts.dropped_rows()));
            true
        }),
    }
}

#[test]
fn no_damage_makes_a_reader_panic() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    meds::write(root, &small(), Some(&parts(&small())), &metadata()).unwrap();
    let time = Time::parse("2130-04-01").unwrap();
    meds::write_labels(&root.join("labels.parquet"), &[Label::boolean(1, time, true)]).unwrap();
    for file in [
        "data/train/0.parquet",
        "metadata/codes.parquet",
        "metadata/subject_splits.parquet",
        "labels.parquet",
        "metadata/dataset.json",
    ] {
        let path = root.join(file);
        let whole = fs::read(&path).unwrap();
        let json = file.ends_with(".json");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            // A text without its last line end is whole.
            assert!(!attempt(&path) || (json && length + 1 == whole.len()), "{length} of {} bytes", whole.len());
        }
        // One bit of each byte; every bit of a text and of a footer, whose lengths and offsets are believed.
        let footer = whole.len().saturating_sub(if json { whole.len() } else { 400 });
        for byte in 0..whole.len() {
            for bit in (0..8).filter(|bit| byte >= footer || byte % 8 == *bit) {
                let mut copy = whole.clone();
                copy[byte] ^= 1 << bit;
                fs::write(&path, copy).unwrap();
                attempt(&path);
            }
        }
        fs::write(&path, whole).unwrap();
        assert!(attempt(&path));
    }
}

#[test]
fn a_footer_that_lies_about_its_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    meds::write(folder.path(), &small(), None, &Metadata::default()).unwrap();
    let whole = fs::read(folder.path().join("data/0.parquet")).unwrap();
    for length in [0, 1, whole.len() as u32, u32::MAX, i32::MAX as u32] {
        let mut copy = whole.clone();
        let at = copy.len() - 8;
        copy[at..at + 4].copy_from_slice(&length.to_le_bytes());
        fs::write(&path, copy).unwrap();
        let error = meds::read_shard(&path).unwrap_err();
        assert!(matches!(error, IoError::Read { .. }) && error.to_string().contains("a.parquet"), "{error}");
    }
}

#[test]
fn no_damage_makes_the_reader_of_tables_panic() {
    let text = "\u{feff}subject_id,time,\"va,lue\"\r\n1,2130-04-01 12:00:00,\"7.5\"\r\n2,\"a \"\"b\"\"\nc\",é\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    for bytes in [text.as_bytes().to_vec(), data::gzip(text.as_bytes())] {
        for copy in data::damaged(&bytes) {
            fs::write(&path, copy).unwrap();
            let Ok(mut reader) = csv::Reader::open(&path) else { continue };
            // Three lines cannot make more rows than the inflated file has bytes.
            for _ in 0..1 << 16 {
                match reader.advance() {
                    Ok(Some(Ok(row))) => {
                        let _ = (row.time(1), row.parse::<f32>(2), row.get(99));
                    }
                    Ok(Some(Err(error))) => assert!(error.number > 0, "{error}"),
                    Ok(None) | Err(_) => break,
                }
            }
        }
    }
}
