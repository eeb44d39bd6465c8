//! Benchmark folders whose values are in `Y`, a pickle.

use std::fs;
use std::path::Path;

use drug::io::deepdta;
use drug::table::Quantity;

use crate::common;

/// `[[11.5, NaN, 12.0], [0.25, 13.0, NaN]]`, written by Python 2.7 and numpy (`make_y.py` beside it).
const SMALL: &[u8] = include_bytes!("../../golden/small_y.pkl");
const FORTRAN: &[u8] = include_bytes!("../../golden/small_y_fortran.pkl");

/// A folder of two drugs and three targets with `folds` and nothing but a `Y`.
fn folder(path: &Path, y: &[u8], train: &str) {
    super::small_folder(path);
    fs::remove_file(path.join("affinities_Kd_raw.txt")).unwrap();
    fs::write(path.join("proteins.txt"), r#"{"T2": "MKV", "T1": "MK", "T3": "M"}"#).unwrap();
    fs::write(path.join("folds/train_fold_setting1.txt"), train).unwrap();
    fs::write(path.join("Y"), y).unwrap();
}

/// The golden pickle with other numbers.
fn with(numbers: [f64; 6]) -> Vec<u8> {
    let first = 11.5_f64.to_le_bytes();
    let at = SMALL.windows(8).position(|window| window == first).unwrap();
    [&SMALL[..at], &numbers.map(f64::to_le_bytes).concat()[..], &SMALL[at + 48..]].concat()
}

#[test]
fn scores_with_gaps_are_counted_row_by_row() {
    for pickle in [SMALL, FORTRAN] {
        let temporary = tempfile::tempdir().unwrap();
        folder(temporary.path(), pickle, "[[2], [0, 3]]");
        let (table, folds) = deepdta::read(temporary.path()).unwrap();
        assert_eq!(table.quantity, Quantity::KibaScore);
        let pairs: Vec<_> = table.pairs.iter().map(|pair| (pair.drug, pair.target, pair.value)).collect();
        assert_eq!(pairs, [(0, 0, 11.5), (0, 2, 12.0), (1, 0, 0.25), (1, 1, 13.0)]);
        assert_eq!((folds.train, folds.test), (vec![vec![2], vec![0, 3]], vec![1]));
    }
}

#[test]
fn what_the_numbers_are_follows_from_them() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    folder(path, &with([10_000.0, 1.0, 100.0, 10.0, 1.0, 1.0]), "[[2, 3], [0, 4, 5]]");
    let (table, _) = deepdta::read(path).unwrap();
    let values: Vec<f32> = table.pairs.iter().map(|pair| pair.value).collect();
    assert_eq!((table.quantity, values), (Quantity::Pkd, vec![5.0, 9.0, 7.0, 8.0, 9.0, 9.0]));

    // At 100 it is still a score.
    fs::write(path.join("Y"), with([100.0, 1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
    let (table, _) = deepdta::read(path).unwrap();
    assert_eq!((table.quantity, table.pairs[0].value), (Quantity::KibaScore, 100.0));

    for (numbers, expected) in [
        ([1.0, 101.0, 1.0, 1.0, 0.0, 1.0], "row 2, number 2: a concentration of 0"),
        ([f64::NAN, 1.0, 1.0, f64::INFINITY, 1.0, 1.0], "row 2, number 1: inf is not a finite number"),
    ] {
        fs::write(path.join("Y"), with(numbers)).unwrap();
        let message = deepdta::read(path).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("Y: "), "{message}");
    }
}

#[test]
fn other_sources_come_first() {
    let temporary = tempfile::tempdir().unwrap();
    folder(temporary.path(), SMALL, "[[2], [0, 3]]");
    fs::write(temporary.path().join("affinities_Kd_raw.txt"), "1 nan 1\n1 1 nan\n").unwrap();
    assert_eq!(deepdta::read(temporary.path()).unwrap().0.quantity, Quantity::Pkd);
}

#[test]
fn a_pickle_that_is_no_matrix_of_this_folder_is_refused_with_what_to_do() {
    let temporary = tempfile::tempdir().unwrap();
    folder(temporary.path(), b"\x80\x02cos\nsystem\nU\x14touch y-was-executed\x85R.", "[[2], [0, 3]]");
    let message = deepdta::read(temporary.path()).unwrap_err().to_string();
    for part in ["Y: ", "byte 2", "os.system", "could run code", "do not open it in Python", "write affinity.csv"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!Path::new("y-was-executed").exists());

    fs::write(temporary.path().join("Y"), SMALL).unwrap();
    fs::write(temporary.path().join("proteins.txt"), r#"{"T2": "MKV", "T1": "MK"}"#).unwrap();
    let message = deepdta::read(temporary.path()).unwrap_err().to_string();
    assert!(message.contains("2 × 3 numbers, but there are 2 ligands and 2 proteins"), "{message}");
}

#[test]
fn a_damaged_pickle_gets_an_answer() {
    let temporary = tempfile::tempdir().unwrap();
    folder(temporary.path(), SMALL, "[[2], [0, 3]]");
    for (number, bytes) in common::damaged(SMALL).enumerate() {
        fs::write(temporary.path().join("Y"), &bytes).unwrap();
        match deepdta::read(temporary.path()) {
            // Shorter than it should be it is never taken.
            Ok((table, _)) => assert!(number >= SMALL.len() && table.pairs.iter().all(|pair| pair.value.is_finite())),
            Err(error) => assert!(error.to_string().contains(&temporary.path().display().to_string()), "{error}"),
        }
    }
}
