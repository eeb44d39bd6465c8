//! The conversion on disk against the same events sorted in memory, broken off and gone on with, over damaged files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nn_core::data::rng;
use rand::RngExt;

use super::convert::Plan;
use super::shard::write_all;
use super::spill::Spill;
use super::*;
use crate::io::meds;

/// Made-up tables: `steps` of them with `rows` events each, of subjects that are in all of them.
struct Toy {
    rows: u64,
    steps: usize,
    fails_at: Option<&'static str>,
    version: u32,
}

impl Source for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(format!("{} {} {}", self.rows, self.steps, self.version))
    }

    fn estimate(&self) -> u64 {
        // As if it were large, to get several partitions.
        2_000_000
    }

    fn steps(&self) -> Vec<String> {
        (0..self.steps).map(|step| format!("table{step}")).collect()
    }

    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let mut draw = rng(u64::from(self.version), &[step.len() as u64, u64::from(step.as_bytes()[5])]);
        let mut counts = Counts::default();
        for row in 0..self.rows {
            let subject = draw.random_range(-50..50_i64) * 1_000_003;
            // Many events share a time, and some have none.
            let time = (draw.random_range(0..10_u32) > 0).then(|| Time(draw.random_range(-5..5)));
            let value = (draw.random_range(0..3_u32) > 0).then(|| draw.random::<f32>());
            let text = (draw.random_range(0..4_u32) == 0).then(|| format!("{step} row {row}, ünïcode"));
            let code = format!("{step}//{}", draw.random_range(0..30_u32));
            sink.event(subject, time, &code, value, text.as_deref());
            counts.keep();
            if self.fails_at == Some(step) && row == self.rows / 2 {
                return Err(IoError::format(Path::new(step), "the power failed"));
            }
        }
        Ok(counts)
    }

    fn note(&self, code: &str) -> CodeNote {
        CodeNote { description: Some(format!("about {code}")), parents: vec!["TOY/1".to_owned()] }
    }
}

fn toy() -> Toy {
    Toy { rows: 3000, steps: 3, fails_at: None, version: 1 }
}

fn small() -> EtlConfig {
    EtlConfig { max_memory: Memory::mib(192), threads: 2, created_at: None }
}

type Plain = (i64, Option<Time>, String, Option<u32>, Option<String>);

/// Every event, subjects by number and each subject's in order, with nothing that depends on the numbers of codes.
fn plain(events: &Events) -> Vec<Plain> {
    let mut all = Vec::new();
    for subject in events.iter() {
        for event in subject.events() {
            let code = events.codebook.name(event.code).to_owned();
            let text = event.text.map(str::to_owned);
            all.push((subject.id(), event.time, code, event.value.map(f32::to_bits), text));
        }
    }
    all
}

/// Every file below a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn on_disk_is_as_in_memory() {
    let (expected, in_memory) = read(&mut toy()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let report = convert(&mut toy(), &out, &small()).unwrap();
    let set = meds::read(&out).unwrap();
    assert_eq!(plain(&set.events), plain(&expected));
    assert!(set.notices.is_empty(), "{:?}", set.notices);
    assert_eq!((report.subjects, report.events), (expected.subjects() as u64, 9000));
    assert!(report.shards > 1, "several partitions were due");
    assert_eq!((report.steps.len(), report.counts().kept, report.codes), (3, 9000, in_memory.codes));
    assert_eq!(report.step("table1").unwrap().read, 3000);
    let code = set.events.codebook.get("table0//3").unwrap();
    assert_eq!(set.events.codebook.description(code), Some("about table0//3"));
    assert_eq!(set.events.codebook.parents(code), ["TOY/1"]);
    assert!(!out.join(".convert").exists(), "the working folder stays");
    let again = convert(&mut toy(), &out, &small()).unwrap_err().to_string();
    assert!(again.contains("holds a data set already"), "{again}");
}

#[test]
fn the_files_do_not_depend_on_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let made = [1, 2, 5].map(|threads| {
        let out = folder.path().join(threads.to_string());
        convert(&mut toy(), &out, &EtlConfig { threads, ..small() }).unwrap();
        files(&out)
    });
    assert!(made[0] == made[1] && made[1] == made[2]);
}

#[test]
fn a_conversion_that_broke_off_goes_on_behind_the_last_table() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let expected = convert(&mut toy(), &whole, &small()).unwrap();
    for step in ["table1", "table2"] {
        let error = convert(&mut Toy { fails_at: Some(step), ..toy() }, &broken, &small()).unwrap_err();
        assert!(error.to_string().contains("the power failed"));
        // What was being written when it happened lies behind what is certain.
        for entry in fs::read_dir(broken.join(".convert")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "events") {
                let mut bytes = fs::read(&path).unwrap();
                bytes.extend_from_slice(b"half an event");
                fs::write(&path, bytes).unwrap();
            }
        }
    }
    let report = convert(&mut toy(), &broken, &small()).unwrap();
    let resumed: Vec<bool> = report.steps.iter().map(|step| step.resumed).collect();
    assert_eq!(resumed, [true, true, false]);
    assert_eq!((report.events, report.codes, report.counts()), (expected.events, expected.codes, expected.counts()));
    let (whole, broken) = (files(&whole), files(&broken));
    for (name, bytes) in &whole {
        assert!(name == "conversion.json" || broken.get(name) == Some(bytes), "{name} differs");
    }
}

#[test]
fn other_input_starts_anew_and_two_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    convert(&mut Toy { fails_at: Some("table2"), ..toy() }, &out, &small()).unwrap_err();
    let other = || Toy { version: 2, ..toy() };
    let work = out.join(".convert");
    let (held, _) = Spill::open(&work, "held".to_owned(), 1, &[]).unwrap();
    let error = convert(&mut other(), &out, &small()).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(held);
    let report = convert(&mut other(), &out, &small()).unwrap();
    assert!(report.steps.iter().all(|step| !step.resumed));
    assert_eq!(plain(&meds::read(&out).unwrap().events), plain(&read(&mut other()).unwrap().0));
}

#[test]
fn too_little_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = EtlConfig { max_memory: Memory::mib(64), ..small() };
    let error = convert(&mut toy(), folder.path(), &config).unwrap_err().to_string();
    assert!(error.contains("max_memory = 64MiB is out of range; allowed: 192MiB to"), "{error}");
}

/// The events of [`toy`] in one partition.
fn spilt(work: &Path) -> Spill {
    let mut source = toy();
    let steps = source.steps();
    let (mut spill, _) = Spill::open(work, "x".to_owned(), 1, &steps).unwrap();
    for step in steps {
        let counts = source.step(&step, &mut spill).unwrap();
        spill.commit(&step, counts).unwrap();
    }
    spill
}

#[test]
fn a_partition_that_is_too_large_is_divided() {
    let folder = tempfile::tempdir().unwrap();
    let (work, data) = (folder.path().join("work"), folder.path().join("data"));
    let mut spill = spilt(&work);
    let plan = Plan { largest: 20_000, target: 10_000, workers: 2 };
    let shards = write_all(&work, &data, 1, spill.close(), &plan).unwrap();
    assert!(shards[0].count() > 10, "{} files", shards[0].count());
    assert_eq!((shards[0].events, shards[0].subjects), (9000, 100));
    let mut seen = std::collections::HashSet::new();
    for file in fs::read_dir(&data).unwrap() {
        let (events, ..) = meds::read_shard(&file.unwrap().path()).unwrap();
        assert!(events.ids().iter().all(|subject| seen.insert(*subject)), "a subject is in two files");
    }
    let (expected, _) = read(&mut toy()).unwrap();
    assert_eq!(plain(&meds::read(&data).unwrap().events), plain(&expected));
    // Nothing but what is due is left.
    let left: Vec<String> = files(&work).into_keys().filter(|name| name.contains(".events")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_subject_that_does_not_fit_is_named_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (work, data) = (folder.path().join("work"), folder.path().join("data"));
    let mut spill = spilt(&work);
    let plan = Plan { largest: 1000, target: 500, workers: 1 };
    let error = write_all(&work, &data, 1, spill.close(), &plan).unwrap_err().to_string();
    assert!(error.contains("the events of one subject take") && error.contains("times as much"), "{error}");
}

#[test]
fn damaged_partitions_are_refused_and_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (work, data) = (folder.path().join("work"), folder.path().join("data"));
    let mut source = Toy { rows: 6, steps: 1, ..toy() };
    let (mut spill, _) = Spill::open(&work, "x".to_owned(), 1, &source.steps()).unwrap();
    let counts = source.step("table0", &mut spill).unwrap();
    spill.commit("table0", counts).unwrap();
    let path = work.join("0000.events");
    let bytes = fs::read(&path).unwrap();
    let plan = Plan { largest: 1 << 20, target: 1 << 20, workers: 1 };
    let codebook = spill.close();
    let mut refused = 0;
    let flipped = (0..bytes.len()).map(|at| {
        let mut copy = bytes.clone();
        copy[at] ^= 1 << (at % 8);
        copy
    });
    for damaged in (0..bytes.len()).map(|length| bytes[..length].to_vec()).chain(flipped) {
        fs::write(&path, damaged).unwrap();
        let _ = fs::remove_file(work.join("shard-0000.done"));
        refused += usize::from(write_all(&work, &data, 1, codebook, &plan).is_err());
    }
    // All beginnings but those that end with an event, of which there are six.
    assert!(refused >= bytes.len() - 6, "{refused} of {}", bytes.len());
}

/// Time, name, value and subject of a row.
type Read = (Result<Option<Time>, &'static str>, Option<String>, Result<Option<f64>, &'static str>, Option<i64>);

#[test]
fn tables_are_read_alike_from_text_and_parquet_and_refused_where_damaged() {
    use ::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use ::parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    let folder = tempfile::tempdir().unwrap();
    let (text, parquet) = (folder.path().join("A.csv"), folder.path().join("b.PARQUET"));
    let heading = "\u{feff}SUBJECT_ID,Value,NAME,TIME\n";
    fs::write(&text, format!("{heading}1,2.5,\"a, b\",2130-04-01 12:00:00\n,,,\n3,oops,c\n4,inf, d ,2130-04-01\n"))
        .unwrap();
    let time = Time::from_civil(2130, 4, 1, 12, 0, 0).unwrap().0;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("subject_id", Arc::new(Int32Array::from(vec![Some(1), None, Some(4)]))),
        ("value", Arc::new(Float64Array::from(vec![Some(2.5), None, Some(f64::INFINITY)]))),
        ("name", Arc::new(StringArray::from(vec![Some("a, b"), None, Some(" d ")]))),
        ("time", Arc::new(TimestampMicrosecondArray::from(vec![Some(time), None, Some(time - 12 * 3_600_000_000)]))),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)));
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(&parquet).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let wanted = ["time", "name", "absent", "value", "subject_id"];
    let all = |path: &Path| -> Result<(Vec<Read>, usize), IoError> {
        let mut table = Table::open(path, &wanted)?;
        let (mut rows, mut ragged) = (Vec::new(), 0);
        while let Some(batch) = table.batch()? {
            ragged += batch.ragged().len();
            for row in batch.rows() {
                assert_eq!(row.cell(2), Cell::Missing);
                let name = row.text(1).map(str::to_owned);
                rows.push((row.cell(0).time(), name, row.cell(3).number(), row.cell(4).int().ok().flatten()));
            }
        }
        Ok((rows, ragged))
    };
    let (of_text, ragged) = all(&text).unwrap();
    let (of_parquet, _) = all(&parquet).unwrap();
    assert_eq!(of_text, of_parquet);
    assert_eq!((of_text.len(), ragged), (3, 1));
    assert_eq!(of_text[0], (Ok(Some(Time(time))), Some("a, b".to_owned()), Ok(Some(2.5)), Some(1)));
    assert_eq!(of_text[2].2, Err("is no number"));
    let found = Folder::open(folder.path()).unwrap();
    assert_eq!(found.names().collect::<Vec<_>>(), ["a", "b"]);
    assert!(found.need("c").unwrap_err().to_string().contains("there are: a, b"));

    for path in [&text, &parquet] {
        let bytes = fs::read(path).unwrap();
        let step = bytes.len().div_ceil(400);
        for at in (0..bytes.len()).step_by(step) {
            fs::write(path, &bytes[..at]).unwrap();
            let _ = all(path);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(path, flipped).unwrap();
            let _ = all(path);
        }
    }
    fs::write(folder.path().join("A.csv.gz"), "x").unwrap();
    let error = Folder::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("the table a too"), "{error}");
}
