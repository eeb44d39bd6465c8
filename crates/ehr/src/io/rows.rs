//! The rows of a table one after the other, each of them kept or dropped for a reason.

use std::borrow::Cow;
use std::path::Path;

use super::etl::{Row, Sink, Table};
use super::{Counts, IoError};
use crate::time::Time;

/// Why a row is dropped.
pub(crate) type Reason = Cow<'static, str>;

/// What becomes of a row, or why it could not be used.
pub(crate) type Each<'f> = dyn FnMut(Row<'_>, &mut dyn Sink, &mut Counts) -> Result<(), Reason> + 'f;

/// Hands every row of a file to `each`, which says why it could not be used. `columns` are in small letters; a row asks for
/// its cells by their places among them. Those in `needed` must be there.
pub(crate) fn each_row(
    path: &Path,
    columns: &[&str],
    needed: &[&str],
    sink: &mut dyn Sink,
    counts: &mut Counts,
    each: &mut Each<'_>,
) -> Result<(), IoError> {
    let mut table = Table::open(path, columns)?;
    let missing = columns.iter().enumerate().find(|(place, name)| needed.contains(name) && !table.has(*place));
    if let Some((_, name)) = missing {
        return Err(IoError::column(path, name, table.header()));
    }
    while let Some(batch) = table.batch()? {
        for (line, problem) in batch.ragged() {
            counts.drop_row(problem, path, *line);
        }
        for row in batch.rows() {
            match each(row, sink, counts) {
                Ok(()) => counts.keep(),
                Err(reason) => counts.drop_row(&reason, path, row.number()),
            }
        }
        if sink.broken() {
            break;
        }
    }
    Ok(())
}

/// A whole number in a column; `Ok(None)` if it is missing.
pub(crate) fn int(row: Row<'_>, column: usize, name: &str) -> Result<Option<i64>, Reason> {
    row.cell(column).int().map_err(|what| format!("{name} {what}").into())
}

/// A whole number without which a row is of no use.
pub(crate) fn needed_int(row: Row<'_>, column: usize, name: &str) -> Result<i64, Reason> {
    int(row, column, name)?.ok_or_else(|| format!("{name} is missing").into())
}

/// A time in a column; `Ok(None)` if it is missing.
pub(crate) fn time(row: Row<'_>, column: usize, name: &str) -> Result<Option<Time>, Reason> {
    row.cell(column).time().map_err(|what| format!("{name} {what}").into())
}

/// Takes nothing: for tables that are read for what they say, not for events.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn event(&mut self, _: i64, _: Option<Time>, _: &str, _: Option<f32>, _: Option<&str>) {}
}
