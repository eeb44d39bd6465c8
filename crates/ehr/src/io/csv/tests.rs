//! CSV files as they come: what is wrong is named by line.

use std::io::Cursor;

// This module has the name of that package.
use ::tests::bytes::gzip;

use super::*;

fn reader(bytes: &[u8]) -> Result<Reader, IoError> {
    let path = Path::new("LABEVENTS.csv");
    Reader::new(decompressed(Cursor::new(bytes.to_vec())).map_err(IoError::read(path))?, path)
}

/// Each row's line and fields with `/` between, or what is wrong with it.
fn rows(bytes: &[u8]) -> Result<Vec<String>, IoError> {
    let mut reader = reader(bytes)?;
    let columns = reader.header().len();
    let mut rows = Vec::new();
    while let Some(row) = reader.advance()? {
        rows.push(match row {
            Ok(row) => {
                format!("{}: {}", row.line(), (0..columns).map(|at| row.get(at)).collect::<Vec<_>>().join("/"))
            }
            Err(error) => error.to_string(),
        });
    }
    Ok(rows)
}

const TABLE: &str =
    "\u{feff}SUBJECT_ID, ItemID ,\"VALUE\"\r\n1,50852,\"7.5\"\r\n2,\"a \"\"b\"\"\nc\",\r\n\r\n3, x ,9\r\n";

#[test]
fn rows_come_with_their_lines_whatever_the_wrapping() {
    let expected = ["2: 1/50852/7.5", "3: 2/a \"b\"\nc/", "6: 3/x/9"];
    assert_eq!(rows(TABLE.as_bytes()).unwrap(), expected);
    assert_eq!(rows(&gzip(TABLE.as_bytes())).unwrap(), expected);
    let two = [gzip(&TABLE.as_bytes()[..40]), gzip(&TABLE.as_bytes()[40..])].concat();
    assert_eq!(rows(&two).unwrap(), expected, "members of gzip one behind the other, as bgzip writes them");
    let reader = reader(TABLE.as_bytes()).unwrap();
    assert_eq!(reader.header(), ["subject_id", "itemid", "value"]);
    assert_eq!((reader.find("ITEMID"), reader.find("unit"), reader.need("value").unwrap()), (Some(1), None, 2));
    let error = reader.need("unit").unwrap_err().to_string();
    assert_eq!(error, "LABEVENTS.csv has no column unit; it has: subject_id, itemid, value");
}

#[test]
fn bad_rows_are_named_and_passed_over() {
    let bytes = b"a,b\n1,2\n1\n1,2,3\n\xff,2\n5,6";
    let expected = [
        "2: 1/2",
        "line 3: it has 1 fields where the heading has 2; check its quotation marks",
        "line 4: it has 3 fields where the heading has 2; check its quotation marks",
        "line 5: field 1 is not UTF-8; convert the file",
        "6: 5/6",
    ];
    assert_eq!(rows(bytes).unwrap(), expected);
}

#[test]
fn empty_lines_are_counted_but_are_no_rows() {
    for end in ["\n", "\r\n"] {
        let text = ["a,b", "", "1,2", "", "", "\"x", "y\",4", "5", "6,7", ""].join(end);
        let x = format!("6: x{end}y/4");
        let ragged = "line 8: it has 1 fields where the heading has 2; check its quotation marks";
        assert_eq!(rows(text.as_bytes()).unwrap(), ["3: 1/2", x.as_str(), ragged, "9: 6/7"]);
    }
}

#[test]
fn other_delimiters_are_found_in_the_heading() {
    for (text, fields) in [
        ("a;b;c\n1,5;2;3\n", "2: 1,5/2/3"),
        ("a\tb, with comma\tc\n1\t2\t3\n", "2: 1/2/3"),
        ("\"a,b,c,d\"|b|c\n1|2|3\n", "2: 1/2/3"),
        ("one\nx\n", "2: x"),
    ] {
        assert_eq!(rows(text.as_bytes()).unwrap(), [fields], "{text}");
    }
}

#[test]
fn files_that_are_no_tables_say_what_to_do() {
    let utf16: Vec<u8> = "\u{feff}a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let packed = gzip(TABLE.as_bytes());
    for (bytes, part) in [
        (&utf16[..], "the text is UTF-16; save it as UTF-8"),
        (&b""[..], "there is no heading"),
        (&b"\n\n"[..], "there is no heading"),
        (&b",,\n1,2,3\n"[..], "there is no heading"),
        (&b"a,b,A\n"[..], "the column a is there twice"),
        (&b"a,b\r1,2\r"[..], "save it with line feeds"),
        (&packed[..packed.len() - 9], "cannot read on in LABEVENTS.csv"),
    ] {
        let error = rows(bytes).unwrap_err().to_string();
        assert!(error.contains(part), "{error} has no {part}");
    }
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("it is a folder; name a file in it"), "{error}");
    let error = Reader::open(&folder.path().join("absent.csv")).err().unwrap().to_string();
    assert!(error.starts_with("cannot open "), "{error}");
}

#[test]
fn ten_thousand_columns_are_columns_like_others() {
    let heading: Vec<String> = (0..10_000).map(|column| format!("c{column}")).collect();
    let row: Vec<String> = (0..10_000).map(|column| column.to_string()).collect();
    let text = format!("{}\n{}\n", heading.join(","), row.join(","));
    let mut reader = reader(text.as_bytes()).unwrap();
    let last = reader.need("C9999").unwrap();
    assert_eq!(reader.advance().unwrap().unwrap().unwrap().get(last), "9999");
    let error = reader.need("x").unwrap_err().to_string();
    assert!(error.len() < 400 && error.ends_with("c39 and 9960 more"), "{error}");
}

#[test]
fn a_quotation_mark_without_end_stops_before_the_memory_is_full() {
    // A row that never ends, made without holding it.
    let endless = Cursor::new(b"a,b\n1,\"".to_vec()).chain(io::repeat(b'x').take(4 * MAX_ROW as u64));
    let mut reader = Reader::new(Box::new(BufReader::new(endless)), Path::new("a.csv")).unwrap();
    let error = reader.advance().err().unwrap().to_string();
    assert!(error.contains("a quotation mark may have no end"), "{error}");
    assert!(reader.advance().is_err() || reader.advance().unwrap().is_none());
}

#[test]
fn fields_are_numbers_and_times_or_say_why_not() {
    let text = "id,value,time\n7, 1.5 ,2130-04-01T12:00:00Z\n,x,soon\n";
    let mut reader = reader(text.as_bytes()).unwrap();
    let row = reader.advance().unwrap().unwrap().unwrap();
    assert_eq!((row.parse::<i64>(0), row.parse::<f32>(1)), (Ok(Some(7)), Ok(Some(1.5))));
    let (time, form) = row.time(2).unwrap().unwrap();
    assert_eq!((time.to_string().as_str(), form.zoned), ("2130-04-01 12:00:00", true));
    assert_eq!((row.text(Some(0)), row.text(None), row.get(9)), (Some("7"), None, ""));
    let row = reader.advance().unwrap().unwrap().unwrap();
    assert_eq!((row.parse::<i64>(0), row.text(Some(0))), (Ok(None), None));
    assert_eq!(row.parse::<f32>(1).unwrap_err(), "\"x\" is no number that fits there");
    assert_eq!(row.time(2).unwrap_err(), "\"soon\" is no date; write it as 2130-04-01 12:00:00");
    let error = row.problem(Path::new("a.csv"), "no subject").to_string();
    assert_eq!(error, "a.csv, line 3: no subject");
}
