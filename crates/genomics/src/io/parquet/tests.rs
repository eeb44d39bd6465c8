//! Predictions are read back, and what breaks off leaves nothing.

use std::fs;

use ::arrow::array::Array;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use nn_core::atomic::AtomicError;

use super::*;
use crate::locus::Strand;

fn some() -> (Vec<String>, Vec<Prediction>) {
    let scored = Prediction {
        row: 1,
        name: "a, b".to_owned(),
        locus: Some(Locus::new("chr1", 0, 101).unwrap().on(Strand::Reverse)),
        status: "ok".to_owned(),
        values: Some(vec![0.25, 1e-9]),
    };
    let status = "invalid: '-' at base 3 is no nucleotide".to_owned();
    let refused = Prediction { row: 2, name: "x".to_owned(), locus: None, status, values: None };
    (vec!["bound".to_owned(), "status".to_owned()], vec![scored, refused])
}

fn write(path: &Path) -> u64 {
    let (outputs, rows) = some();
    let mut writer = PredictionWriter::create(path, &outputs).unwrap();
    rows.into_iter().for_each(|row| writer.push(row).unwrap());
    assert!(!path.exists(), "the file has its name before it is whole");
    writer.finish().unwrap()
}

#[test]
fn parquet_holds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, again) = (folder.path().join("a.parquet"), folder.path().join("b.parquet"));
    assert_eq!((write(&path), write(&again)), (2, 2));
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap(), "equal rows, equal bytes");
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, [&COLUMNS[..], &["bound", "score status"]].concat());
    let text = |column: usize| batch.column(column).as_any().downcast_ref::<StringArray>().unwrap().clone();
    let scores = |column: usize| batch.column(column).as_any().downcast_ref::<Float64Array>().unwrap().clone();
    assert_eq!((text(1).value(0), text(2).value(0), text(5).value(0)), ("a, b", "chr1", "-"));
    assert!(text(2).is_null(1) && batch.column(3).is_null(1) && scores(7).is_null(1));
    assert_eq!((scores(7).value(0), scores(8).value(0)), (0.25, 1e-9));
}

#[test]
fn text_has_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    write(&path);
    let expected = "row,name,contig,start,end,strand,status,bound,score status\n\
                    1,\"a, b\",chr1,0,101,-,ok,0.25,0.000000001\n\
                    2,x,,,,,invalid: '-' at base 3 is no nucleotide,,\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let path = folder.path().join("empty.tsv");
    assert_eq!(PredictionWriter::create(&path, &[]).unwrap().finish().unwrap(), 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), COLUMNS.join("\t") + "\n");
}

#[test]
fn what_breaks_off_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "old").unwrap();
    let (outputs, rows) = some();
    let mut writer = PredictionWriter::create(&path, &outputs).unwrap();
    writer.push(rows[0].clone()).unwrap();
    let short = Prediction { values: Some(vec![1.0]), ..rows[0].clone() };
    assert!(writer.push(short).unwrap_err().to_string().contains("row 1 has 1 scores where 2 are due"));
    drop(writer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    for name in ["a.xlsx", "a.csv.gz"] {
        let error = PredictionWriter::create(&folder.path().join(name), &outputs).err().unwrap().to_string();
        assert!(error.contains(".parquet, .csv or .tsv"), "{error}");
    }
    assert!(PredictionWriter::create(&folder.path().join("absent/a.csv"), &outputs).is_err());
}

/// A stream on a full disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_apart_and_says_how_much() {
    let (outputs, rows) = some();
    // The first row waits in the buffer of the writer until the end, the second one is longer than that.
    for name in ["x".to_owned(), "x".repeat(100_000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.csv");
        let (temporary, mut file) = Temporary::beside(&path).unwrap();
        file.write_all(&[b'x'; 5000]).unwrap();
        let sink = Sink::text(Box::new(Full), b',', &outputs).unwrap();
        let mut writer = PredictionWriter::over(sink, &outputs, &path, Some(temporary));
        writer.push(Prediction { name, ..rows[0].clone() }).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, IoError::Atomic(AtomicError::Full { needed: 5000, .. })), "{error:?}");
        assert!(error.to_string().contains("o.csv: it needs at least 5000 bytes"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a half file is left");
    }
    let error = of_columns(io::Error::from(io::ErrorKind::StorageFull).into());
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
