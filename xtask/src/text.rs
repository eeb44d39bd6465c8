//! What the verbs print: plain tables, numbers, sizes, the date.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, Write as _},
};

use anyhow::{Context, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Writes `text` to standard output. A reader that has gone away (`| head`) is not an error.
///
/// # Errors
/// Any other failure to write.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// A table with aligned columns and a rule under its head.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    push_row(&mut out, &widths, head.iter().copied());
    let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    push_row(&mut out, &widths, rules.iter().map(String::as_str));
    for row in rows {
        push_row(&mut out, &widths, row.iter().map(String::as_str));
    }
    out
}

fn push_row<'a>(out: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let mut line = String::new();
    for (&width, cell) in widths.iter().zip(cells) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        // `{:<width$}` counts characters, as the widths do.
        let _ = write!(line, "{cell:<width$}");
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// A number as tables show it: three decimals below 10, one below 1,000, none above.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size < 10.0 {
        format!("{value:.3}")
    } else if size < 1000.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A byte count in the unit that a reader expects.
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e3 {
        format!("{bytes:.0} B")
    } else if bytes < 1e6 {
        format!("{:.1} kB", bytes / 1e3)
    } else if bytes < 1e9 {
        format!("{:.1} MB", bytes / 1e6)
    } else {
        format!("{:.1} GB", bytes / 1e9)
    }
}

/// `seconds` to the millisecond; more digits say nothing and clutter the results.
pub(crate) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// The present moment, ISO 8601 in UTC, to the second.
///
/// # Errors
/// The clock stands outside the years 0 to 9999.
pub(crate) fn now() -> Result<String> {
    date(OffsetDateTime::now_utc().unix_timestamp())
}

fn date(unix_seconds: i64) -> Result<String> {
    let moment = OffsetDateTime::from_unix_timestamp(unix_seconds).context("the system clock is out of range")?;
    moment.format(&Rfc3339).context("the system clock is out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_iso_in_utc() {
        // `date -u -d @951782400 +%FT%TZ` and two more from the same tool
        assert_eq!(date(951_782_400).unwrap(), "2000-02-29T00:00:00Z");
        assert_eq!(date(0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(date(1_795_463_999).unwrap(), "2026-11-23T19:59:59Z");
    }

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["Öz".to_owned(), String::new()]];
        assert_eq!(table(&["name", "n"], &rows), "name  n\n----  -\na     1\nÖz\n");
    }

    #[test]
    fn numbers_keep_what_a_reader_needs() {
        for (value, text) in [(0.2745, "0.275"), (-0.5, "-0.500"), (57.25, "57.2"), (3950.4, "3950")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(size(999), "999 B");
        assert_eq!(size(3_646_675), "3.6 MB");
    }
}
