//! Lists of compounds, one a line, read as a stream.
//!
//! `.csv` and `.tsv` files have a header; every other file is a list `SMILES name`, the name being all that follows the
//! first blank; its first line may be a heading, with the word `smiles` in the place of the SMILES. The SMILES are not
//! parsed here. Every line but the header and blank ones at the end comes out, as a [`SmilesRow`] or as an error with its
//! number, so that rows stay beside the lines they are from; a blank line between others is one without SMILES.

use std::io::{self, BufRead};
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
    /// In a table, the column of the SMILES; without it the first of [`SMILES_COLUMNS`].
    pub smiles_column: Option<String>,
    /// In a table, the column of the identifier; without it the first of [`ID_COLUMNS`], and the row number if there is
    /// none.
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

impl Format {
    /// Whether a line holds nothing. One of tabs alone has fields, where tabs separate them.
    fn is_blank(&self, line: &str) -> bool {
        let separator = match self {
            Self::List { .. } => None,
            Self::Table { delimiter, .. } => Some(*delimiter),
        };
        line.chars().all(|character| character.is_whitespace() && Some(character) != separator)
    }

    /// Lists that were exported from a table keep its heading: `smiles` where the SMILES stands. A compound whose name
    /// has that word in it is none.
    fn is_heading(&self, line: &str) -> bool {
        let Self::List { id_first } = self else { return false };
        let word = line.split_whitespace().nth(usize::from(*id_first));
        word.is_some_and(|word| word.eq_ignore_ascii_case("smiles"))
    }

    /// The identifier, which may be empty, and the SMILES of a line.
    fn read(&self, line: &str) -> Result<(String, String), Refusal> {
        let (id, smiles) = match self {
            Self::List { id_first } => {
                let line = line.trim();
                let (first, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
                let (first, rest) = (first.to_owned(), rest.trim().to_owned());
                if *id_first { (first, rest) } else { (rest, first) }
            }
            Self::Table { delimiter, width, smiles, id } => {
                let mut fields = split(line, *delimiter).map_err(Refusal::nameless)?;
                let whole = fields.len() == *width;
                // A field too many or too few moves those behind it; only the first is sure to be in its place.
                let id = id.filter(|&at| whole || at == 0).map(|at| fields[at].trim().to_owned()).unwrap_or_default();
                if !whole {
                    let problem = format!("{} fields, but the header has {width}", fields.len());
                    return Err(Refusal { id, problem });
                }
                (id, std::mem::take(&mut fields[*smiles]).trim().to_owned())
            }
        };
        if smiles.is_empty() { Err(Refusal { id, problem: NO_SMILES.to_owned() }) } else { Ok((id, smiles)) }
    }
}

/// What is said of a line without a SMILES, blank ones among them.
const NO_SMILES: &str = "no SMILES";

/// Why a line is no compound, with its identifier where that can be told.
struct Refusal {
    id: String,
    problem: String,
}

impl Refusal {
    fn nameless(problem: impl Into<String>) -> Self {
        Self { id: String::new(), problem: problem.into() }
    }
}

/// Iterator over the compounds of a file.
///
/// An [`IoError::Row`] concerns one line, the iterator goes on behind it; after any other error it ends.
pub struct SmilesReader<R> {
    lines: Lines<R>,
    path: PathBuf,
    format: Format,
    /// Rows up to the line last read; blank lines count when another one follows.
    rows: u64,
    /// Blank lines right before the line last read that are still to come out.
    blank: u64,
    /// That line, while they do.
    held: Option<Result<SmilesRow, Refusal>>,
    /// Identifier of the row last refused.
    refused_id: String,
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
    /// [`IoError`] if the header cannot be read or has no SMILES column, or for an option that the format has no use for.
    pub fn new(reader: R, path: &Path, options: &SmilesOptions) -> Result<Self, IoError> {
        let mut lines = Lines::new(reader);
        let delimiter = match extension(path).as_str() {
            "csv" => Some(','),
            "tsv" | "tab" => Some('\t'),
            _ => None,
        };
        let unused = |problem: &str| IoError::Format { path: path.to_path_buf(), problem: problem.to_owned() };
        let format = match delimiter {
            Some(_) if options.id_first => {
                return Err(unused(
                    "which of name and SMILES stands first is said of lists; in a table name the columns",
                ));
            }
            Some(delimiter) => table(&mut lines, path, delimiter, options)?,
            None if options.smiles_column.is_some() || options.id_column.is_some() => {
                return Err(unused("a list has no names of columns; call the file .csv or .tsv if it has a header"));
            }
            None => Format::List { id_first: options.id_first },
        };
        let path = path.to_path_buf();
        Ok(Self { lines, path, format, rows: 0, blank: 0, held: None, refused_id: String::new(), ended: false })
    }

    /// Identifier of the row that the last [`IoError::Row`] is about: what the line says, also of a line that has no
    /// SMILES; the number of the row in a table without identifiers; empty where it cannot be told.
    pub fn refused_id(&self) -> &str {
        &self.refused_id
    }

    /// Reads up to the next line that is not blank; `None` at the end of the file, whatever blank lines are there.
    fn advance(&mut self) -> io::Result<Option<Result<SmilesRow, Refusal>>> {
        let found = loop {
            match self.lines.advance()? {
                Line::End => {
                    self.blank = 0;
                    return Ok(None);
                }
                Line::TooLong(length) => break Err(Refusal::nameless(too_long(length))),
                Line::Text => match self.lines.text() {
                    Ok(line) if self.format.is_blank(line) => self.blank += 1,
                    Ok(line) if self.lines.number() == 1 && self.format.is_heading(line) => {}
                    Ok(line) => break self.format.read(line),
                    Err(problem) => break Err(Refusal::nameless(problem)),
                },
            }
        };
        self.rows += self.blank + 1;
        let (line, row) = (self.lines.number(), self.rows);
        Ok(Some(found.map(|(id, smiles)| {
            let id = if id.is_empty() { row.to_string() } else { id };
            SmilesRow { line, id, smiles }
        })))
    }

    /// The error for a row `above` lines above the line last read.
    fn refuse(&mut self, above: u64, refusal: Refusal) -> IoError {
        let numbered = matches!(self.format, Format::Table { id: None, .. });
        self.refused_id = if numbered { (self.rows - above).to_string() } else { refusal.id };
        let row = RowError::line(self.lines.number() - above, refusal.problem);
        IoError::Row { path: self.path.clone(), row }
    }
}

impl<R: BufRead> Iterator for SmilesReader<R> {
    type Item = Result<SmilesRow, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = match self.held.take() {
            Some(held) => held,
            None => match self.advance() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.ended = true;
                    return None;
                }
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(IoError::Read { path: self.path.clone(), cause }));
                }
            },
        };
        if self.blank > 0 {
            let above = self.blank;
            self.blank -= 1;
            self.held = Some(found);
            return Some(Err(self.refuse(above, Refusal::nameless(NO_SMILES))));
        }
        Some(found.map_err(|refusal| self.refuse(0, refusal)))
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
mod tests;
