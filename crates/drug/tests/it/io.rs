//! The readers and writers: on damaged files, on long ones, and on the research data.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use arrow::array::{Array, Float32Array, StringArray, UInt64Array};
use drug::io::affinity::{self, AffinityOptions, Unit};
use drug::io::deepdta::{self, Ligands};
use drug::io::fasta::{self, FastaReader};
use drug::io::parquet::{PredictionRow, PredictionWriter};
use drug::io::smiles::{SmilesOptions, SmilesReader};
use drug::io::{IoError, parquet as predictions};
use drug::table::Quantity;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tests::bytes::gzip;

use crate::common;

mod data;
mod pickled;

/// Rows, refused rows, and whether reading broke off.
fn count_smiles(bytes: &[u8], name: &str) -> (usize, usize, bool) {
    let Ok(reader) = SmilesReader::new(bytes, Path::new(name), &SmilesOptions::default()) else { return (0, 0, true) };
    let (mut rows, mut refused, mut broken) = (0, 0, false);
    for row in reader {
        match row {
            Ok(_) => rows += 1,
            Err(IoError::Row { .. }) => refused += 1,
            Err(_) => broken = true,
        }
    }
    (rows, refused, broken)
}

/// How many rows a list must have: one for each line up to the last that is not blank.
fn lines_of_list(bytes: &[u8]) -> usize {
    // The file ends behind a line feed, or its last line counts as well.
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let filled = |line: &&[u8]| std::str::from_utf8(line).map_or(true, |text| !text.trim().is_empty());
    lines.iter().rposition(filled).map_or(0, |last| last + 1)
}

// ---------------------------------------------------------------- damaged files

#[test]
fn damaged_lists_lose_no_line() {
    let list = b"CCO ethanol\r\nc1ccccc1\tbenzene\n\nCl chloride\n";
    for bytes in common::damaged(list) {
        let ((rows, refused, broken), lines) = (count_smiles(&bytes, "a.smi"), lines_of_list(&bytes));
        assert!(!broken && rows + refused == lines, "{bytes:?}: {rows} + {refused}, not {lines}");
    }
    let table = b"name,smiles\n\"a,b\",CCO\nc,C=C\n";
    for bytes in common::damaged(table) {
        let (rows, refused, _) = count_smiles(&bytes, "a.csv");
        assert!(rows + refused <= 4);
    }
}

#[test]
fn damaged_fasta_gets_an_answer() {
    let fasta = b">P1 kinase\nMKVLA\nGG*\n>P2\nmk\n";
    for bytes in common::damaged(fasta) {
        let records: Vec<_> = FastaReader::new(bytes.as_slice(), Path::new("a.fa")).collect();
        assert!(records.len() <= 3, "{bytes:?}");
        for record in records {
            match record {
                Ok(target) => assert!(target.sequence.bytes().all(|byte| byte.is_ascii_uppercase())),
                Err(error) => assert!(error.to_string().starts_with("a.fa, record "), "{error}"),
            }
        }
    }
}

#[test]
fn damaged_affinity_tables_get_an_answer() {
    let table = b"Drug_ID,Drug,Target_ID,Target,Y\nD1,CCO,T1,MKV,100\nD2,C,T1,MKV,1\n";
    let options = AffinityOptions { unit: Unit::Nanomolar, ..AffinityOptions::default() };
    for bytes in common::damaged(table) {
        if let Ok(loaded) = affinity::read_from(bytes.as_slice(), Path::new("a.csv"), &options) {
            let table = loaded.value;
            assert_eq!(loaded.rows as usize, table.pairs.len() + loaded.refused.len());
            for pair in &table.pairs {
                assert!((pair.drug as usize) < table.drugs.len() && (pair.target as usize) < table.targets.len());
                assert!(pair.value.is_finite());
            }
        }
    }
}

#[test]
fn a_gzip_file_that_is_cut_short_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.smi.gz");
    let text = "CCO ethanol\n".repeat(50);
    let bytes = gzip(text.as_bytes());
    fs::write(&path, &bytes).unwrap();
    assert_eq!(SmilesReader::open(&path, &SmilesOptions::default()).unwrap().flatten().count(), 50);
    for length in 3..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let message = match SmilesReader::open(&path, &SmilesOptions::default()) {
            Err(error) => error.to_string(),
            Ok(reader) => reader.filter_map(Result::err).last().unwrap().to_string(),
        };
        assert!(message.contains("may be damaged or cut short"), "{length}: {message}");
    }
}

/// A benchmark folder of two drugs and two targets.
fn small_folder(folder: &Path) {
    fs::create_dir_all(folder.join("folds")).unwrap();
    for (name, text) in [
        ("ligands_can.txt", r#"{"z": "CCO", "a": "C"}"#),
        ("ligands_iso.txt", r#"{"z": "CC[OH]", "a": "[CH4]"}"#),
        ("proteins.txt", r#"{"T2": "MKV", "T1": "MK"}"#),
        ("affinities_Kd_raw.txt", "10000 1\nnan 100\n"),
        ("folds/train_fold_setting1.txt", "[[2], [0]]"),
        ("folds/test_fold_setting1.txt", "[1]"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn a_small_benchmark_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    small_folder(folder);
    let (table, folds) = deepdta::read(folder).unwrap();
    // Keys stay in file order, not in alphabetical order, and the position of a pair skips what was not measured.
    assert_eq!(table.drugs.iter().map(|drug| drug.id.as_str()).collect::<Vec<_>>(), ["z", "a"]);
    assert_eq!(table.targets[1].id, "T1");
    let pairs: Vec<_> = table.pairs.iter().map(|pair| (pair.drug, pair.target, pair.value)).collect();
    assert_eq!(pairs, [(0, 0, 5.0), (0, 1, 9.0), (1, 1, 7.0)]);
    assert_eq!((folds.train, folds.test), (vec![vec![2], vec![0]], vec![1]));
    assert_eq!(deepdta::read_with(folder, Ligands::Isomeric).unwrap().0.drugs[0].smiles, "CC[OH]");

    // affinity.csv comes first.
    let rows = "flat_index,drug_index,target_index,kiba_score\n0,0,0,11.5\n1,1,0,12\n2,1,1,0\n";
    fs::write(folder.join("affinity.csv"), rows).unwrap();
    let (table, _) = deepdta::read(folder).unwrap();
    assert_eq!((table.quantity, table.pairs[1].value), (Quantity::KibaScore, 12.0));
}

#[test]
fn mistakes_in_a_benchmark_folder_are_named() {
    let cases = [
        ("folds/test_fold_setting1.txt", "[2]", "names pair 2, which is in a fold already"),
        ("folds/test_fold_setting1.txt", "[3]", "the test fold names pair 3, but there are 3"),
        ("folds/test_fold_setting1.txt", "[]", "the test fold is empty"),
        ("folds/train_fold_setting1.txt", "[[2]]", "the folds name 2 of the 3 pairs"),
        ("folds/train_fold_setting1.txt", "{}", "not the JSON that is expected"),
        ("ligands_can.txt", r#"{"a": "C", "a": "N"}"#, "a stands there twice"),
        ("proteins.txt", r#"{"T2": "MKV", "T1": "M1"}"#, "T1: '1' at residue 2 is no amino acid"),
        ("affinities_Kd_raw.txt", "1 1\n1\n", "line 2: 1 numbers, but there are 2 proteins"),
        ("affinities_Kd_raw.txt", "1 1\n", "1 rows, but there are 2 ligands"),
        ("affinities_Kd_raw.txt", "1 0\n1 1\n", "line 1: number 2: a concentration of 0"),
        ("affinity.csv", "flat_index,drug_index,target_index,pkd\n1,0,0,5\n", "line 2: flat_index 1 where 0 is due"),
        ("affinity.csv", "flat_index,drug_index,target_index,pkd\n0,2,0,5\n", "drug_index 2, but there are 2"),
        (
            "affinity.csv",
            "flat_index,drug_index,target_index,pkd\n0,1,0,5\n1,0,1,5\n",
            "line 3: pair (0, 1) after (1, 0)",
        ),
        ("affinity.csv", "flat_index,drug_index,target_index\n", "has no column kd_nM, kiba_score or pkd"),
        (
            "affinity.csv",
            "flat_index,drug_index,target_index,kd_nM,pkd\n0,0,0,10,9\n",
            "pkd 9 is not that of kd_nM 10, 8",
        ),
    ];
    for (name, text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        small_folder(folder.path());
        fs::write(folder.path().join(name), text).unwrap();
        let message = deepdta::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{name} {text}: {message}");
        assert!(message.contains(name.rsplit('/').next().unwrap()) || message.contains("folds"), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    small_folder(folder.path());
    fs::remove_file(folder.path().join("affinities_Kd_raw.txt")).unwrap();
    let message = deepdta::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("neither affinity.csv nor affinities_Kd_raw.txt nor Y is there"), "{message}");
}

#[test]
fn damaged_benchmark_files_get_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    small_folder(folder);
    for name in ["ligands_can.txt", "proteins.txt", "affinities_Kd_raw.txt", "folds/train_fold_setting1.txt"] {
        let whole = fs::read(folder.join(name)).unwrap();
        for bytes in common::damaged(&whole) {
            fs::write(folder.join(name), &bytes).unwrap();
            if let Ok((table, folds)) = deepdta::read(folder) {
                assert_eq!(folds.train.iter().map(Vec::len).sum::<usize>() + folds.test.len(), table.pairs.len());
                assert!(table.pairs.iter().all(|pair| pair.value.is_finite()));
            }
        }
        fs::write(folder.join(name), whole).unwrap();
    }
}

// ---------------------------------------------------------------- long files

/// Lines that are made while they are read, and a count of the bytes that were.
struct Endless {
    left: u32,
    line: Vec<u8>,
    given: Rc<Cell<usize>>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() && self.left > 0 {
            self.left -= 1;
            self.line = format!("c1ccccc1CC(=O)N compound-{}\n", self.left).into_bytes();
        }
        let count = self.line.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.line[..count]);
        self.line.drain(..count);
        self.given.set(self.given.get() + count);
        Ok(count)
    }
}

#[test]
fn a_hundred_thousand_rows_stream() {
    let given = Rc::new(Cell::new(0));
    let source = Endless { left: 100_000, line: Vec::new(), given: Rc::clone(&given) };
    let mut reader =
        SmilesReader::new(BufReader::new(source), Path::new("library.smi"), &SmilesOptions::default()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().id, "compound-99999");
    assert!(given.get() < 20_000, "{} bytes read for the first row", given.get());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let mut writer = PredictionWriter::create(&path).unwrap();
    for (row, compound) in reader.enumerate() {
        let compound = compound.unwrap();
        let row =
            PredictionRow { row: row as u64 + 2, id: compound.id, smiles: compound.smiles, ..PredictionRow::default() };
        writer.push(row).unwrap();
    }
    assert!(!path.exists(), "the file has its name before it is whole");
    assert_eq!(writer.finish().unwrap(), 99_999);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 99_999);
}

// ---------------------------------------------------------------- predictions

fn some_rows() -> Vec<PredictionRow> {
    let scored = PredictionRow {
        row: 1,
        id: "a, b".to_owned(),
        smiles: "CCO".to_owned(),
        target: "T1".to_owned(),
        status: "ok".to_owned(),
        prediction: Some(7.25),
        low: Some(6.5),
        high: Some(8.0),
    };
    let refused =
        PredictionRow { row: 2, status: "invalid: byte 1: ring 1 not closed".to_owned(), ..PredictionRow::default() };
    vec![scored, refused]
}

#[test]
fn parquet_holds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    assert_eq!(predictions::write(&path, some_rows()).unwrap(), 2);
    let first = fs::read(&path).unwrap();
    predictions::write(&path, some_rows()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "equal rows, equal bytes");

    let mut reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["row", "id", "smiles", "target", "status", "prediction", "low", "high"]);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let text = |name: &str| column(name).as_any().downcast_ref::<StringArray>().unwrap().clone();
    let number = |name: &str| column(name).as_any().downcast_ref::<Float32Array>().unwrap().clone();
    assert_eq!(column("row").as_any().downcast_ref::<UInt64Array>().unwrap().values().to_vec(), [1, 2]);
    assert_eq!((text("id").value(0), text("status").value(1)), ("a, b", "invalid: byte 1: ring 1 not closed"));
    assert_eq!((number("prediction").value(0), number("high").value(0)), (7.25, 8.0));
    assert!(number("prediction").is_null(1) && number("low").is_null(1));
}

#[test]
fn csv_and_an_empty_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    predictions::write(&path, some_rows()).unwrap();
    let expected = "row,id,smiles,target,status,prediction,low,high\n1,\"a, b\",CCO,T1,ok,7.25,6.5,8\n\
                    2,,,,invalid: byte 1: ring 1 not closed,,,\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    for name in ["empty.csv", "empty.parquet", "empty.tsv"] {
        assert_eq!(predictions::write(&folder.path().join(name), []).unwrap(), 0);
        assert!(folder.path().join(name).exists());
    }
    let error = predictions::write(&folder.path().join("out.xlsx"), []).unwrap_err().to_string();
    assert!(error.contains(".parquet, .csv or .tsv"), "{error}");
    assert!(predictions::write(&folder.path().join("absent/out.csv"), []).is_err());
}

#[test]
fn an_abandoned_writer_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    fs::write(&path, "old").unwrap();
    let mut writer = PredictionWriter::create(&path).unwrap();
    for row in some_rows() {
        writer.push(row).unwrap();
    }
    drop(writer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn fasta_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets.fa.gz");
    fs::write(&path, gzip(b"\xef\xbb\xbf>P1 first\r\nMKV\r\nLL*\r\n>P1\nMM\n>P2\nmk")).unwrap();
    let loaded = fasta::read(&path).unwrap();
    assert_eq!(loaded.value.iter().map(|target| target.sequence.as_str()).collect::<Vec<_>>(), ["MKVLL", "MK"]);
    assert_eq!((loaded.rows, loaded.refused.len()), (3, 1));
    fs::write(&path, b"").unwrap();
    assert!(matches!(fasta::read(&path), Err(IoError::Empty { .. })));
    fs::write(&path, b">P1\n123\n").unwrap();
    assert!(matches!(fasta::read(&path), Err(IoError::NothingUsable { rows: 1, .. })));
    assert!(matches!(fasta::read(&folder.path().join("absent.fa")), Err(IoError::Open { .. })));
}

proptest! {
    /// No line is lost, whatever the bytes.
    #[test]
    fn every_line_of_a_list_comes_out(bytes in proptest::collection::vec(prop_oneof![
        4 => Just(b'C'), 2 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(b' '), 1 => Just(0xff_u8), 1 => Just(b'\t'), 1 => any::<u8>(),
    ], 0..120)) {
        let (rows, refused, broken) = count_smiles(&bytes, "a.smi");
        prop_assert!(!broken);
        prop_assert_eq!(rows + refused, lines_of_list(&bytes));
    }

    /// A table that is written with the csv crate is read back as it was.
    #[test]
    fn tables_come_back(names in proptest::collection::vec("[a-z ,\"]{0,8}", 1..8)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["name", "smiles"]).unwrap();
        for name in &names {
            writer.write_record([name.as_str(), "CCO"]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let reader = SmilesReader::new(bytes.as_slice(), Path::new("a.csv"), &SmilesOptions::default()).unwrap();
        let ids: Vec<String> = reader.map(|row| row.unwrap().id).collect();
        let expected: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(row, name)| if name.trim().is_empty() { (row + 1).to_string() } else { name.trim().to_owned() })
            .collect();
        prop_assert_eq!(ids, expected);
    }

    /// Sequences come out in capitals, letter for letter, however the lines are cut.
    #[test]
    fn sequences_come_back(sequence in "[A-Za-z]{1,200}", width in 1_usize..80) {
        let lines: Vec<&str> = sequence.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text = format!(">x\r\n{}*\r\n", lines.join("\r\n"));
        let target = FastaReader::new(text.as_bytes(), Path::new("a.fa")).next().unwrap().unwrap();
        prop_assert_eq!(target.sequence, sequence.to_ascii_uppercase());
    }
}
