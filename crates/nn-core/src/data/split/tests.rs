//! Splits as values and as files.

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;

#[test]
fn the_file_is_a_table_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.tsv");
    Split::new(vec![3, 0], vec![10], vec![2]).write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "row\tpart\n0\ttrain\n2\ttest\n3\ttrain\n10\tvalidation\n");
}

#[test]
fn a_damaged_file_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.tsv");
    let message = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Split::read(&path).unwrap_err().to_string()
    };
    assert!(message("").contains("line 1"));
    assert!(message("row,part\n").contains("\"row,part\" is not the header"));
    assert!(message("row\tpart\n1\ttrain\n2\tdev\n").contains("line 3: \"2\\tdev\""));
    assert!(message("row\tpart\n-1\ttrain\n").contains("line 2"));
    assert!(
        message("row\tpart\n7\ttrain\n7\ttest\n").starts_with("row 7 is named twice, in the train and in the test")
    );
    let absent = folder.path().join("absent.tsv");
    assert!(Split::read(&absent).unwrap_err().to_string().contains("absent.tsv"));
}

#[test]
fn check_finds_rows_out_of_range_and_rows_named_twice() {
    let split = Split::new(vec![0, 1], vec![], vec![2]);
    split.check(3).unwrap();
    assert!(matches!(split.check(2), Err(DataError::NoSuchRow { row: 2, part: Part::Test, rows: 2 })));
    let twice = Split::new(vec![0, 1], vec![1], vec![]);
    assert!(matches!(twice.check(9), Err(DataError::Twice { row: 1, first: Part::Train, second: Part::Validation })));
    let twice = Split::new(vec![4, 4], vec![], vec![]);
    assert!(matches!(twice.check(9), Err(DataError::Twice { row: 4, .. })));
}

proptest! {
    #[test]
    fn a_written_split_reads_back(rows in btree_map(0_usize..100_000, 0_usize..3, 0..60)) {
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for (row, part) in rows {
            parts[part].push(row);
        }
        let [train, validation, test] = parts;
        let split = Split::new(train, validation, test);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.tsv");
        split.write(&path).unwrap();
        prop_assert_eq!(Split::read(&path).unwrap(), split);
    }
}
