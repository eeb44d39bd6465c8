//! Rows of a table, a few thousand at a time, whatever kind of file they are from.

use std::fmt::Write as _;

use ::arrow::array::{Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

use crate::time::Time;

/// The values of one column. Text of CSV files stays as it is until somebody asks for a number or a time.
pub(crate) enum Column {
    /// The file has no such column: every value is missing.
    Absent,
    /// Fields of a CSV file one behind the other, and where each ends.
    Fields {
        text: String,
        ends: Vec<usize>,
    },
    Strings(StringArray),
    Ints(Int64Array),
    Floats(Float64Array),
    Times(TimestampMicrosecondArray),
}

/// Some rows of a table.
pub(crate) struct Batch {
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
    /// Number of the first row, from 1.
    pub(super) first: u64,
    /// Line of each row in a text file; empty for others, whose rows are counted.
    pub(super) lines: Vec<u64>,
    /// Rows that cannot be used at all (too many fields, no UTF-8): their lines and why.
    pub(super) ragged: Vec<(u64, String)>,
}

/// One row of a [`Batch`].
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    batch: &'a Batch,
    at: usize,
}

/// A value as the file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing: a null, or an empty field.
    Missing,
    Text(&'a str),
    Int(i64),
    Float(f64),
    Time(Time),
}

impl Batch {
    /// Its rows, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows).map(|at| Row { batch: self, at })
    }

    /// Rows that were left out because they cannot be used at all: their lines and why.
    pub(crate) fn ragged(&self) -> &[(u64, String)] {
        &self.ragged
    }
}

impl<'a> Row<'a> {
    /// Where it is in the file, from 1: the line of a text, the row of anything else.
    pub(crate) fn number(&self) -> u64 {
        self.batch.lines.get(self.at).copied().unwrap_or(self.batch.first + self.at as u64)
    }

    /// The value in a column, by its place among the columns that were asked for.
    pub(crate) fn cell(&self, column: usize) -> Cell<'a> {
        match &self.batch.columns[column] {
            Column::Fields { text, ends } => {
                let start = if self.at == 0 { 0 } else { ends[self.at - 1] };
                Cell::of_text(&text[start..ends[self.at]])
            }
            Column::Strings(values) if values.is_valid(self.at) => Cell::of_text(values.value(self.at)),
            Column::Ints(values) if values.is_valid(self.at) => Cell::Int(values.value(self.at)),
            Column::Floats(values) if values.is_valid(self.at) && !values.value(self.at).is_nan() => {
                Cell::Float(values.value(self.at))
            }
            // The smallest number stands for "no time" everywhere else.
            Column::Times(values) if values.is_valid(self.at) && values.value(self.at) != i64::MIN => {
                Cell::Time(Time(values.value(self.at)))
            }
            Column::Absent | Column::Strings(_) | Column::Ints(_) | Column::Floats(_) | Column::Times(_) => {
                Cell::Missing
            }
        }
    }

    /// A text; `None` if it is missing or no text.
    pub(crate) fn text(&self, column: usize) -> Option<&'a str> {
        match self.cell(column) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Cell<'a> {
    fn of_text(text: &'a str) -> Self {
        match text.trim() {
            "" => Self::Missing,
            text => Self::Text(text),
        }
    }

    /// As a whole number; `Ok(None)` if it is missing.
    pub(crate) fn int(self) -> Result<Option<i64>, &'static str> {
        const WRONG: &str = "is no whole number";
        match self {
            Self::Missing => Ok(None),
            Self::Int(number) => Ok(Some(number)),
            Self::Float(number) => whole(number).map(Some).ok_or(WRONG),
            // What pandas wrote of a column with gaps is `42.0`.
            Self::Text(text) => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => parse_number(text).and_then(whole).map(Some).ok_or(WRONG),
            },
            Self::Time(_) => Err(WRONG),
        }
    }

    /// As a finite number; `Ok(None)` if it is missing.
    pub(crate) fn number(self) -> Result<Option<f64>, &'static str> {
        const WRONG: &str = "is no number";
        match self {
            Self::Missing => Ok(None),
            Self::Int(number) => Ok(Some(number as f64)),
            Self::Float(number) => number.is_finite().then_some(Some(number)).ok_or(WRONG),
            Self::Text(text) => parse_number(text).map(Some).ok_or(WRONG),
            Self::Time(_) => Err(WRONG),
        }
    }

    /// As a time that a patient can have lived; `Ok(None)` if it is missing.
    pub(crate) fn time(self) -> Result<Option<Time>, &'static str> {
        let time = match self {
            Self::Missing => return Ok(None),
            Self::Time(time) => time,
            Self::Text(text) => Time::parse(text).ok_or("is no date")?,
            Self::Int(_) | Self::Float(_) => return Err("is no date"),
        };
        if time.is_plausible() { Ok(Some(time)) } else { Err("is a date that stands for none") }
    }

    /// Adds it to a text as the file has it, whole numbers without a point; `false` if there is nothing to add.
    pub(crate) fn write(self, out: &mut String) -> bool {
        // Writing to a `String` does not fail.
        let _ = match self {
            Self::Missing => return false,
            Self::Text(text) => {
                out.push_str(text);
                Ok(())
            }
            Self::Int(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Time(time) => write!(out, "{time}"),
        };
        true
    }
}

fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53 a float cannot tell neighbours apart.
    (number.fract() == 0.0 && number.abs() <= 9.0e15).then_some(number as i64)
}

/// A finite number with a decimal point. `inf`, `nan` and decimal commas are none.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let first = text.bytes().find(|byte| !matches!(byte, b'-' | b'+'))?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_they_are_asked_for_or_say_why_not() {
        assert_eq!(Cell::Text("42").int(), Ok(Some(42)));
        assert_eq!(Cell::Text("42.0").int(), Ok(Some(42)));
        assert_eq!(Cell::Float(42.5).int(), Err("is no whole number"));
        assert_eq!(Cell::Text("1e3").number(), Ok(Some(1000.0)));
        for text in ["inf", "NaN", "1,5", "<0.1", "ERROR", "-", "1e999"] {
            assert_eq!(Cell::Text(text).number(), Err("is no number"), "{text}");
        }
        assert_eq!(Cell::Missing.time(), Ok(None));
        assert_eq!(Cell::Text("9999-12-31").time(), Err("is a date that stands for none"));
        assert_eq!(Cell::Text("31/12/2130").time(), Err("is no date"));
        assert_eq!(Cell::Text("2130-04-01 12:00:00").time().unwrap(), Time::from_civil(2130, 4, 1, 12, 0, 0));
        let mut text = String::from("LAB//");
        assert!(Cell::Int(50852).write(&mut text) && !Cell::Missing.write(&mut text));
        assert!(Cell::Float(3.0).write(&mut text));
        assert_eq!(text, "LAB//508523");
    }
}
