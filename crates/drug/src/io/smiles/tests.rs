//! Every line of a list comes out, with its own identifier or none.

use super::*;

fn rows(name: &str, text: &str, options: &SmilesOptions) -> Vec<String> {
    SmilesReader::new(text.as_bytes(), Path::new(name), options)
        .unwrap()
        .map(|row| match row {
            Ok(row) => format!("{} {} {}", row.line, row.id, row.smiles),
            Err(error) => error.to_string(),
        })
        .collect()
}

/// Line, identifier and SMILES of each row, or line, identifier and problem.
fn named(name: &str, text: &str) -> Vec<(u64, String, String)> {
    let mut reader = SmilesReader::new(text.as_bytes(), Path::new(name), &SmilesOptions::default()).unwrap();
    let mut found = Vec::new();
    while let Some(row) = reader.next() {
        found.push(match row {
            Ok(row) => (row.line, row.id, row.smiles),
            Err(IoError::Row { row, .. }) => (row.number, reader.refused_id().to_owned(), row.problem),
            Err(error) => panic!("{error}"),
        });
    }
    found
}

/// As [`named`], to be compared with.
fn owned(rows: &[(u64, &str, &str)]) -> Vec<(u64, String, String)> {
    rows.iter().map(|&(line, id, text)| (line, id.to_owned(), text.to_owned())).collect()
}

#[test]
fn lists() {
    let text = "CCO ethanol\r\n\nc1ccccc1\tbenzene ring\n  N  \nC";
    let expected = ["1 ethanol CCO", "a.smi, line 2: no SMILES", "3 benzene ring c1ccccc1", "4 4 N", "5 5 C"];
    assert_eq!(rows("a.smi", text, &SmilesOptions::default()), expected);
    let options = SmilesOptions { id_first: true, ..SmilesOptions::default() };
    assert_eq!(rows("a.txt", "x CCO\ny", &options), ["1 x CCO", "a.txt, line 2: no SMILES"]);
    assert_eq!(rows("a.txt", "x CCO\nsmiles N\n", &options), ["1 x CCO", "2 smiles N"]);
    assert_eq!(rows("a.txt", "name\tSmiles\nx CCO\n", &options), ["2 x CCO"]);
    assert_eq!(rows("a.txt", "SMILES\nC\n", &SmilesOptions::default()), ["2 1 C"]);
    // The word in a name makes no heading.
    assert_eq!(rows("a.txt", "CCO my smiles\nC\n", &SmilesOptions::default()), ["1 my smiles CCO", "2 2 C"]);
}

#[test]
fn tables() {
    let text = "name,Smiles,y\n\"a,b\",CCO,1\nc,CC\nd,,3\n,\"C=C\",4\n\"e,C,5\n";
    let expected = [
        "2 a,b CCO",
        "a.csv, line 3: 2 fields, but the header has 3",
        "a.csv, line 4: no SMILES",
        "5 4 C=C",
        "a.csv, line 6: a quoted field is not closed on its line",
    ];
    assert_eq!(rows("a.csv", text, &SmilesOptions::default()), expected);
    let options = SmilesOptions { smiles_column: Some("s2".into()), id_column: Some("k".into()), id_first: false };
    assert_eq!(rows("a.tsv", "k\tsmiles\tS2\n7\tC\tN\n", &options), ["2 7 N"]);
}

#[test]
fn columns_that_are_missing_are_named() {
    let open = |text: &'static str, options: &SmilesOptions| {
        SmilesReader::new(text.as_bytes(), Path::new("a.csv"), options).err().unwrap().to_string()
    };
    let message = open("x,y\n1,2\n", &SmilesOptions::default());
    assert!(message.starts_with("a.csv has no column smiles or "), "{message}");
    assert!(message.contains("it has: x, y"), "{message}");
    let options = SmilesOptions { id_column: Some("k".into()), ..SmilesOptions::default() };
    assert!(open("smiles\nC\n", &options).contains("no column k"));
    assert_eq!(open("", &SmilesOptions::default()), "a.csv has no rows");
}

#[test]
fn bytes_that_are_no_text() {
    let bytes: &[u8] = b"C\nC\xffC\nN\n";
    let reader = SmilesReader::new(bytes, Path::new("a.smi"), &SmilesOptions::default()).unwrap();
    let rows: Vec<_> = reader.collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[1].as_ref().unwrap_err().to_string().contains("line 2: not UTF-8 at byte 2"));
}

/// A row that cannot be used has its own identifier or none, never that of another compound.
#[test]
fn refused_rows_keep_their_identifier() {
    let text = "id,smiles\n2,CCO\n7,\n5,CCN,x\n\"3,CCC\n\n4,C\n";
    let expected = owned(&[
        (2, "2", "CCO"),
        (3, "7", "no SMILES"),
        (4, "5", "3 fields, but the header has 2"),
        (5, "", "a quoted field is not closed on its line"),
        (6, "", "no SMILES"),
        (7, "4", "C"),
    ]);
    assert_eq!(named("a.csv", text), expected);
    // A comma in a SMILES moves the name behind it.
    let expected = owned(&[(2, "", "3 fields, but the header has 2"), (3, "b", "C")]);
    assert_eq!(named("a.csv", "smiles,id\nC,C,a\nC,b\n"), expected);
    // Where all rows go by their numbers, these do too.
    let expected = owned(&[(2, "1", "CCO"), (3, "2", "no SMILES"), (4, "3", "CCN")]);
    assert_eq!(named("a.csv", "smiles\nCCO\n\nCCN\n"), expected);
}

#[test]
fn blank_lines_are_rows_where_another_follows() {
    let expected =
        owned(&[(1, "", "no SMILES"), (2, "", "no SMILES"), (3, "a", "CCO"), (4, "", "no SMILES"), (5, "5", "N")]);
    assert_eq!(named("a.smi", "\n \t\nCCO a\n\r\nN\n\n  \n\t"), expected);
    assert!(named("a.smi", "\n\n").is_empty());
    // A line of separators is not blank: it has fields.
    let expected = owned(&[(2, "", "no SMILES"), (3, "x", "C"), (4, "", "no SMILES")]);
    assert_eq!(named("a.tsv", "id\tsmiles\n\t\nx\tC\n\t\n \n"), expected);
}

#[test]
fn old_line_ends_are_told() {
    let found = named("a.smi", "CCO A\rCCN B\r");
    assert_eq!((found.len(), found[0].0), (1, 1));
    assert!(found[0].2.contains("carriage returns inside the line"), "{found:?}");
    let text = "id,smiles\r1,CCO\r2,CCN\r";
    let error = SmilesReader::new(text.as_bytes(), Path::new("a.csv"), &SmilesOptions::default()).err().unwrap();
    assert!(error.to_string().starts_with("a.csv, line 1: carriage returns inside the line"), "{error}");
}

#[test]
fn options_of_the_other_format_are_refused() {
    let refused = |name: &str, options: &SmilesOptions| {
        SmilesReader::new("smiles\nC\n".as_bytes(), Path::new(name), options).err().unwrap().to_string()
    };
    let column = SmilesOptions { smiles_column: Some("smiles".into()), ..SmilesOptions::default() };
    assert!(refused("a.smi", &column).starts_with("a.smi: a list has no names of columns"));
    let first = SmilesOptions { id_first: true, ..SmilesOptions::default() };
    assert!(refused("a.tsv.gz", &first).contains("in a table name the columns"));
}
