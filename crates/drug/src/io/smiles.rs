//! Lists of compounds, one a line, read as a stream.
//!
//! `.csv` and `.tsv` files have a header; every other file is a list `SMILES name`, the name being all that follows the
//! first blank; its first line may be a heading, with the word `smiles` in the place of the SMILES. The SMILES are not
//! parsed here. Blank lines are passed over; every other line comes out, as a [`SmilesRow`] or as an error with its number.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::text::{Line, Lines, column, extension, split, too_long};
use super::{Input, IoError, RowError, open};

/// Names under which a SMILES column is found without being told, whatever their case, the first match counting.
pub const SMILES_COLUMNS: [&str; 7] = [
    "smiles",
    "canonical_smiles",
    "smiles_canonical",
    "isomeric_smiles",
    "smiles_isomeric",
    "compound_iso_smiles",
    "drug",
];

/// The same for the column of identifiers.
pub const ID_COLUMNS: [&str; 10] = [
    "id",
    "drug_id",
    "compound_id",
    "compound id",
    "name",
    "chembl_id",
    "molecule_chembl_id",
    "cmpd_chemblid",
    "mol_id",
    "cid",
];

/// Which columns to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SmilesOptions {
    /// Column of the SMILES; without it the first of [`SMILES_COLUMNS`].
    pub smiles_column: Option<String>,
    /// Column of the identifier; without it the first of [`ID_COLUMNS`], and the row number if there is none.
    pub id_column: Option<String>,
    /// In a list, the name stands before the SMILES.
    pub id_first: bool,
}

/// One compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmilesRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Identifier: the name beside the SMILES, else the number of the row, from 1.
    pub id: String,
    /// SMILES as written, without surrounding blanks.
    pub smiles: String,
}

enum Format {
    List { id_first: bool },
    Table { delimiter: char, width: usize, smiles: usize, id: Option<usize> },
}

/// Iterator over the compounds of a file.
///
/// An [`IoError::Row`] concerns one line, the iterator goes on behind it; after any other error it ends.
pub struct SmilesReader<R> {
    lines: Lines<R>,
    path: PathBuf,
    format: Format,
    rows: u64,
    ended: bool,
}

impl SmilesReader<Input> {
    /// Opens a list of compounds, plain or gzip.
    ///
    /// # Errors
    /// [`IoError`] if the file cannot be opened, or its header has no SMILES column.
    pub fn open(path: &Path, options: &SmilesOptions) -> Result<Self, IoError> {
        Self::new(open(path)?, path, options)
    }
}

impl<R: BufRead> SmilesReader<R> {
    /// Reads from `reader`; the extension of `path` tells the format, and messages name it.
    ///
    /// # Errors
    /// [`IoError`] if the header cannot be read or has no SMILES column.
    pub fn new(reader: R, path: &Path, options: &SmilesOptions) -> Result<Self, IoError> {
        let mut lines = Lines::new(reader);
        let format = match extension(path).as_str() {
            "csv" => table(&mut lines, path, ',', options)?,
            "tsv" | "tab" => table(&mut lines, path, '\t', options)?,
            _ => Format::List { id_first: options.id_first },
        };
        Ok(Self { lines, path: path.to_path_buf(), format, rows: 0, ended: false })
    }

    fn read(&self, line: &str) -> Result<SmilesRow, String> {
        let (smiles, id) = match &self.format {
            Format::List { id_first } => {
                let (first, second) = line.trim().split_once([' ', '\t']).unwrap_or((line.trim(), ""));
                let (first, second) = (first.to_owned(), second.trim().to_owned());
                if *id_first { (second, first) } else { (first, second) }
            }
            Format::Table { delimiter, width, smiles, id } => {
                let mut fields = split(line, *delimiter)?;
                if fields.len() != *width {
                    return Err(format!("{} fields, but the header has {width}", fields.len()));
                }
                let id = id.map(|id| fields[id].trim().to_owned()).unwrap_or_default();
                (std::mem::take(&mut fields[*smiles]).trim().to_owned(), id)
            }
        };
        if smiles.is_empty() {
            return Err("no SMILES".to_owned());
        }
        let id = if id.is_empty() { self.rows.to_string() } else { id };
        Ok(SmilesRow { line: self.lines.number(), id, smiles })
    }
}

impl<R: BufRead> Iterator for SmilesReader<R> {
    type Item = Result<SmilesRow, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let outcome = loop {
            match self.lines.advance() {
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(IoError::Read { path: self.path.clone(), cause }));
                }
                Ok(Line::End) => {
                    self.ended = true;
                    return None;
                }
                Ok(Line::TooLong(length)) => {
                    self.rows += 1;
                    break Err(too_long(length));
                }
                Ok(Line::Text) => match self.lines.text().map(str::to_owned) {
                    Err(problem) => {
                        self.rows += 1;
                        break Err(problem);
                    }
                    Ok(line) if line.trim().is_empty() => {}
                    Ok(line) if self.lines.number() == 1 && self.is_heading(&line) => {}
                    Ok(line) => {
                        self.rows += 1;
                        break self.read(&line);
                    }
                },
            }
        };
        Some(outcome.map_err(|problem| IoError::Row {
            path: self.path.clone(),
            row: RowError::line(self.lines.number(), problem),
        }))
    }
}

impl<R: BufRead> SmilesReader<R> {
    /// Lists that were exported from a table keep its heading: `smiles` where the SMILES stands. A compound whose name
    /// has that word in it is none.
    fn is_heading(&self, line: &str) -> bool {
        let Format::List { id_first } = self.format else { return false };
        let word = line.split_whitespace().nth(usize::from(id_first));
        word.is_some_and(|word| word.eq_ignore_ascii_case("smiles"))
    }
}

/// Reads the header of a table.
fn table<R: BufRead>(
    lines: &mut Lines<R>,
    path: &Path,
    delimiter: char,
    options: &SmilesOptions,
) -> Result<Format, IoError> {
    let header = header(lines, path, delimiter)?;
    let missing = |wanted: String| IoError::Column { path: path.to_path_buf(), wanted, found: header.join(", ") };
    let smiles = column(&header, options.smiles_column.as_deref(), &SMILES_COLUMNS)
        .ok_or_else(|| missing(options.smiles_column.clone().unwrap_or_else(|| SMILES_COLUMNS.join(" or "))))?;
    let id = column(&header, options.id_column.as_deref(), &ID_COLUMNS);
    if let (None, Some(wanted)) = (id, &options.id_column) {
        return Err(missing(wanted.clone()));
    }
    Ok(Format::Table { delimiter, width: header.len(), smiles, id })
}

/// The first line that is not blank, cut into names.
pub(super) fn header<R: BufRead>(lines: &mut Lines<R>, path: &Path, delimiter: char) -> Result<Vec<String>, IoError> {
    let path = || path.to_path_buf();
    loop {
        let problem = match lines.advance().map_err(|cause| IoError::Read { path: path(), cause })? {
            Line::End => return Err(IoError::Empty { path: path() }),
            Line::TooLong(length) => too_long(length),
            Line::Text => match lines.text() {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => match split(line, delimiter) {
                    Ok(fields) => return Ok(fields),
                    Err(problem) => problem.to_owned(),
                },
                Err(problem) => problem,
            },
        };
        return Err(IoError::Row { path: path(), row: RowError::line(lines.number(), problem) });
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn lists() {
        let text = "CCO ethanol\r\n\nc1ccccc1\tbenzene ring\n  N  \nC";
        let expected = ["1 ethanol CCO", "3 benzene ring c1ccccc1", "4 3 N", "5 4 C"];
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
        assert!(rows[1].as_ref().unwrap_err().to_string().contains("line 2: not UTF-8 at byte 1"));
    }
}
