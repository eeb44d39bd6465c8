//! Rows of a delimited table.

use std::path::Path;

use crate::io::text::Lines;
use crate::io::{Input, IoError};

/// Rows with as many columns as the first.
pub(super) struct Rows {
    lines: Lines<Input>,
    delimiter: Option<char>,
    width: Option<(usize, u64)>,
}

impl Rows {
    /// Opens a table; without a delimiter it is told by the first row.
    pub(super) fn open(path: &Path, delimiter: Option<char>) -> Result<Self, IoError> {
        Ok(Self { lines: Lines::open(path)?, delimiter, width: None })
    }

    /// Number of the line last read.
    pub(super) fn number(&self) -> u64 {
        self.lines.number()
    }

    /// An error about the line last read.
    pub(super) fn problem(&self, problem: String) -> IoError {
        self.lines.problem(problem)
    }

    /// The next row that is not blank.
    pub(super) fn advance(&mut self) -> Result<Option<Vec<String>>, IoError> {
        let row = loop {
            match self.lines.text()? {
                None => return Ok(None),
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    let delimiter = *self.delimiter.get_or_insert_with(|| delimiter(line));
                    break split(line, delimiter);
                }
            }
        };
        let row = row.map_err(|problem| self.lines.problem(problem))?;
        let (due, first) = *self.width.get_or_insert((row.len(), self.lines.number()));
        if row.len() != due {
            return Err(self.lines.problem(format!("{} columns where line {first} has {due}", row.len())));
        }
        Ok(Some(row))
    }
}

/// What stands between the columns; a blank if it is nothing else.
fn delimiter(line: &str) -> char {
    ['\t', ',', ';'].into_iter().find(|&sign| line.contains(sign)).unwrap_or(' ')
}

/// Cuts a line into fields without blanks at their ends. A field may stand in double quotes, a quote inside it is
/// doubled (RFC 4180); it ends with its line, so that one stray quote cannot swallow the file. Blanks between columns
/// count once.
fn split(line: &str, delimiter: char) -> Result<Vec<String>, String> {
    if delimiter == ' ' {
        return Ok(line.split_whitespace().map(str::to_owned).collect());
    }
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let (field, behind) = if let Some(quoted) = rest.strip_prefix('"') {
            unquoted(quoted).ok_or("a quoted field is not closed on its line")?
        } else {
            let end = rest.find(delimiter).unwrap_or(rest.len());
            (rest[..end].trim().to_owned(), &rest[end..])
        };
        fields.push(field);
        match behind.strip_prefix(delimiter) {
            Some(more) => rest = more,
            None if behind.trim().is_empty() => return Ok(fields),
            None => return Err("text behind a closing quote".to_owned()),
        }
    }
}

/// What stands before the closing quote, and what behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        field.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, behind)),
        }
    }
}

/// Position of the column of that name, or of the first of the usual names that is there, in any case.
pub(super) fn column(header: &[String], named: Option<&str>, usual: &[&str]) -> Option<usize> {
    let place = |wanted: &str| {
        let exactly = header.iter().position(|name| name == wanted);
        exactly.or_else(|| header.iter().position(|name| name.eq_ignore_ascii_case(wanted)))
    };
    named.map_or_else(|| usual.iter().find_map(|wanted| place(wanted)), place)
}

/// As [`column`], for one that the table at `path` must have.
pub(super) fn required_column(
    path: &Path,
    header: &[String],
    named: Option<&str>,
    usual: &[&str],
) -> Result<usize, IoError> {
    column(header, named, usual).ok_or_else(|| IoError::Column {
        path: path.to_path_buf(),
        wanted: named.map_or_else(|| usual.join(" or "), str::to_owned),
        found: header.join(", "),
    })
}

/// Whether a field says that there is no value.
pub(super) fn missing(text: &str) -> bool {
    text.is_empty() || text == "." || ["na", "nan", "null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_and_quotes() {
        let fields = |line: &str| split(line, ',').unwrap();
        assert_eq!(fields("a, ,c"), ["a", "", "c"]);
        assert_eq!(fields(r#""","V1","say ""x, y""" "#), ["", "V1", r#"say "x, y""#]);
        assert_eq!(fields("a,"), ["a", ""]);
        assert_eq!(split("a  b", ' ').unwrap(), ["a", "b"]);
        assert!(split(r#""a,b"#, ',').is_err() && split(r#""a"b,c"#, ',').is_err());
        assert_eq!(
            (delimiter("a\tb,c"), delimiter("a;b"), delimiter("1 2"), delimiter("a,b;c")),
            ('\t', ';', ' ', ',')
        );
    }

    #[test]
    fn columns_by_name() {
        let header = ["ID", "Seq", "seq"].map(str::to_owned);
        assert_eq!(column(&header, Some("seq"), &[]), Some(2));
        assert_eq!(column(&header, Some("SEQ"), &[]), Some(1));
        assert_eq!(column(&header, None, &["name", "id"]), Some(0));
        assert_eq!(column(&header, Some("name"), &["id"]), None);
    }

    proptest! {
        /// What a CSV writer quotes, `split` reads back.
        #[test]
        fn split_reverses_the_csv_writer(fields in proptest::collection::vec("[a-c,\";]{0,6}", 2..6)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split(line.trim_end_matches('\n'), ',').unwrap(), fields);
        }
    }
}
