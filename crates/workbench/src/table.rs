//! Tables of results: aligned plain text for a reader, JSON for a program; [`crate::report`] renders the same value as
//! HTML.

use std::io::{self, Write};

/// A table that cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A row has more or fewer cells than there are columns.
    #[error("table {caption:?}: row {row} has {found} cells, but there are {expected} columns")]
    Width {
        /// Caption of the table.
        caption: String,
        /// The row, counted from 0.
        row: usize,
        /// Number of columns.
        expected: usize,
        /// Number of cells in the row.
        found: usize,
    },
    /// The output did not take the text; a closed pipe among others.
    #[error("cannot write table {caption:?}: {source}")]
    Write {
        /// Caption of the table.
        caption: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Heading and kind of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading, with the unit where there is one.
    pub name: String,
    /// Whether the cells are numbers: they are then aligned to the right, and JSON carries them as numbers.
    pub numeric: bool,
}

/// A table: columns with headings, and rows of text already formatted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What the table shows, in one line.
    pub caption: String,
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table without columns.
    pub fn new(caption: impl Into<String>) -> Self {
        Self { caption: caption.into(), ..Self::default() }
    }

    /// Adds a column of text, aligned to the left.
    pub fn text(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), numeric: false });
        self
    }

    /// Adds a column of numbers, aligned to the right.
    pub fn number(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), numeric: true });
        self
    }

    /// Adds a row; its width is checked when the table is shown.
    pub fn row<I>(mut self, cells: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.push(cells);
        self
    }

    /// As [`Table::row`], on a table that already has a name.
    pub fn push<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Checks that every row has one cell for each column.
    ///
    /// # Errors
    /// [`TableError::Width`] with the first row that has not.
    pub fn check(&self) -> Result<(), TableError> {
        for (row, cells) in self.rows.iter().enumerate() {
            if cells.len() != self.columns.len() {
                return Err(TableError::Width {
                    caption: self.caption.clone(),
                    row,
                    expected: self.columns.len(),
                    found: cells.len(),
                });
            }
        }
        Ok(())
    }

    /// The table as text: caption, headings, a rule, rows; columns are two spaces apart.
    ///
    /// # Errors
    /// [`TableError::Width`].
    pub fn to_text(&self) -> Result<String, TableError> {
        self.check()?;
        let mut widths: Vec<usize> =
            self.columns.iter().map(|column| printable(&column.name).chars().count()).collect();
        for cells in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(printable(cell).chars().count());
            }
        }
        let mut text = String::new();
        if !self.caption.is_empty() {
            text.push_str(&printable(&self.caption));
            text.push('\n');
        }
        let headings: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        self.line(&mut text, &headings, &widths);
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        self.line(&mut text, &rule, &widths);
        for cells in &self.rows {
            self.line(&mut text, cells, &widths);
        }
        Ok(text)
    }

    fn line(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        let mut line = String::new();
        for (index, (cell, &width)) in cells.iter().zip(widths).enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            let cell = printable(cell);
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if self.columns[index].numeric {
                line.push_str(&padding);
                line.push_str(&cell);
            } else {
                line.push_str(&cell);
                line.push_str(&padding);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }

    /// The rows as a JSON array of objects with the headings as keys. A cell of a numeric column becomes a number; one
    /// that is empty or a dash becomes null; anything else stays text.
    ///
    /// # Errors
    /// [`TableError::Width`].
    pub fn to_json(&self) -> Result<serde_json::Value, TableError> {
        self.check()?;
        let rows = self.rows.iter().map(|cells| {
            let fields = self.columns.iter().zip(cells);
            let object: serde_json::Map<String, serde_json::Value> =
                fields.map(|(column, cell)| (column.name.clone(), json_cell(column, cell))).collect();
            serde_json::Value::Object(object)
        });
        Ok(serde_json::Value::Array(rows.collect()))
    }

    /// Writes the table to `out`, as text or as one line of JSON.
    ///
    /// # Errors
    /// [`TableError::Width`]; [`TableError::Write`] if `out` is closed or full.
    pub fn write(&self, out: &mut dyn Write, json: bool) -> Result<(), TableError> {
        let text = if json { format!("{}\n", self.to_json()?) } else { self.to_text()? };
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|source| TableError::Write { caption: self.caption.clone(), source })
    }
}

fn json_cell(column: &Column, cell: &str) -> serde_json::Value {
    let cell = cell.trim();
    if !column.numeric {
        return serde_json::Value::from(cell);
    }
    if matches!(cell, "" | "-" | "–" | "—") {
        return serde_json::Value::Null;
    }
    if let Ok(whole) = cell.parse::<i64>() {
        return serde_json::Value::from(whole);
    }
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => serde_json::Value::from(number),
        _ => serde_json::Value::from(cell),
    }
}

/// One line without control characters: a cell may hold text from a user's file, and that must not move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Table {
        Table::new("Test split").text("model").number("MSE").number("rows").row(["DeepDTA", "0.261", "5010"]).row([
            "mean of the training part",
            "0.8",
            "-",
        ])
    }

    #[test]
    fn text_is_aligned_and_has_no_trailing_spaces() {
        let expected = "\
Test split
model                        MSE  rows
-------------------------  -----  ----
DeepDTA                    0.261  5010
mean of the training part    0.8     -
";
        assert_eq!(results().to_text().unwrap(), expected);
    }

    #[test]
    fn json_carries_numbers_as_numbers() {
        let expected = serde_json::json!([
            {"model": "DeepDTA", "MSE": 0.261, "rows": 5010},
            {"model": "mean of the training part", "MSE": 0.8, "rows": null},
        ]);
        assert_eq!(results().to_json().unwrap(), expected);
    }

    #[test]
    fn a_number_in_a_text_column_stays_text() {
        let table = Table::new("").text("id").row(["00123"]);
        assert_eq!(table.to_json().unwrap(), serde_json::json!([{"id": "00123"}]));
    }

    #[test]
    fn a_row_of_the_wrong_width_is_named() {
        let error = results().row(["only one"]).to_text().unwrap_err();
        assert_eq!(error.to_string(), "table \"Test split\": row 2 has 1 cells, but there are 3 columns");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = Table::new("").text("name").row(["a\u{1b}[2Jb\nc"]).to_text().unwrap();
        assert!(text.ends_with("a [2Jb c\n"), "{text:?}");
    }

    #[test]
    fn width_counts_characters_and_not_bytes() {
        let text = Table::new("").text("name").number("n").row(["né", "1"]).row(["abcd", "2"]).to_text().unwrap();
        assert_eq!(text, "name  n\n----  -\nné    1\nabcd  2\n");
    }
}
