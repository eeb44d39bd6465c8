//! Variant files out: what was read, with fields added to INFO.

use std::io::{self, Write};
use std::path::Path;

use super::{FIXED, VcfHeader, VcfRecord};
use crate::io::{IoError, text};

/// The version that a header is given where it has none.
const VERSION: &str = "##fileformat=VCFv4.2";

/// The columns that a file without a header has.
const COLUMNS: &str = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO";

/// What the names of our INFO fields begin with.
pub(crate) const PREFIX: &str = "GALEN_";

/// The definition of an INFO field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoField {
    /// Its name.
    pub id: String,
    /// How many values it has: `1`, `A` for one for each alternate allele.
    pub number: &'static str,
    /// `Float`, `String`.
    pub kind: &'static str,
    /// What it is, without quotes and line ends.
    pub description: String,
}

/// Writes records with fields added. Fields whose names begin with `GALEN_`, which an earlier run may have added, are
/// left out.
#[derive(Debug)]
pub struct VcfWriter<W> {
    out: W,
}

impl<W: Write> VcfWriter<W> {
    /// Writes the header, with the definitions of `fields` before the line that names the columns.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(mut out: W, header: &VcfHeader, fields: &[InfoField]) -> io::Result<Self> {
        let ours = format!("##INFO=<ID={PREFIX}");
        if header.lines().first().is_none_or(|line| !line.starts_with("##fileformat=")) {
            writeln!(out, "{VERSION}")?;
        }
        for line in header.lines().iter().filter(|line| !line.starts_with(&ours)) {
            writeln!(out, "{line}")?;
        }
        for InfoField { id, number, kind, description } in fields {
            writeln!(out, "##INFO=<ID={id},Number={number},Type={kind},Description=\"{description}\">")?;
        }
        writeln!(out, "{}", header.columns().unwrap_or(COLUMNS))?;
        Ok(Self { out })
    }

    /// Writes a record with `added` (`KEY=value;KEY=value`) at the end of INFO.
    ///
    /// # Errors
    /// What the stream says.
    pub fn write(&mut self, record: &VcfRecord, added: &str) -> io::Result<()> {
        for number in 0..FIXED - 1 {
            let column = record.column(number);
            write!(self.out, "{}\t", if column.is_empty() { "." } else { column })?;
        }
        let old = record.info();
        let kept: Vec<&str> = old.split(';').filter(|field| *field != "." && !field.starts_with(PREFIX)).collect();
        let info = kept.into_iter().chain(Some(added).filter(|added| !added.is_empty())).collect::<Vec<_>>().join(";");
        let info = if info.is_empty() { "." } else { info.as_str() };
        writeln!(self.out, "{info}{}", record.samples())
    }
}

/// Hands `fill` the file to write to, if there is one: it is there whole or not at all, and is a bgzip file if its name
/// ends in `.gz`. What `fill` returns comes back.
pub(crate) fn write_with<T, E: From<IoError>>(
    path: Option<&Path>,
    fill: impl FnOnce(Option<&mut dyn Write>) -> Result<T, E>,
) -> Result<T, E> {
    let Some(path) = path else { return fill(None) };
    let given_up = || io::Error::other("writing was given up");
    let mut outcome = None;
    let written = text::write(path, |out| match fill(Some(out)) {
        Ok(value) => {
            outcome = Some(Ok(value));
            Ok(())
        }
        Err(error) => {
            outcome = Some(Err(error));
            Err(given_up())
        }
    });
    match (outcome, written) {
        (Some(Err(error)), _) => Err(error),
        (_, Err(error)) => Err(error.into()),
        (Some(Ok(value)), Ok(())) => Ok(value),
        (None, Ok(())) => Err(IoError::Write { path: path.to_path_buf(), cause: given_up() }.into()),
    }
}
