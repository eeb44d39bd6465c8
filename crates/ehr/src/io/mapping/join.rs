//! Rows of a table with columns of others: of a stay, whose it is and when it began.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::etl::{Lookup, Sink, Table};
use super::super::rows::Each;
use super::super::{Counts, IoError};
use super::Plan;

/// Batches of rows that are joined at once.
const AT_ONCE: usize = 8;

/// Columns that the rows of a table get from another table, by a key. Of several rows with one key the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinMapping {
    /// The other file, within the folder. It is held in memory.
    pub file: PathBuf,
    /// Column of the key in the table, or in one that is joined before this one.
    pub on: String,
    /// Column of the key in the other file, where it has another name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Columns of the other file that the rows get; the table has none of these names.
    pub columns: Vec<String>,
}

/// A join with places instead of names.
pub(super) struct Join {
    pub(super) file: PathBuf,
    /// Columns of the other file: the key, then what the rows get.
    columns: Vec<String>,
    /// Where the key is among the columns of the rows.
    on: usize,
    /// Where the columns go that the rows get.
    pub(super) places: Vec<usize>,
}

impl Join {
    /// Checks a join; `place` says where a column of the rows is, `taken` are the places that other joins fill.
    pub(super) fn plan(
        join: &JoinMapping,
        taken: &[usize],
        place: &mut dyn FnMut(&str, bool) -> usize,
    ) -> Result<Self, String> {
        let file = join.file.display();
        let small = |name: &String| name.trim().to_lowercase();
        let on = place(&join.on, true);
        let places: Vec<usize> = join.columns.iter().map(|name| place(name, true)).collect();
        if places.is_empty() {
            return Err(format!("the join of {file} has no columns; name those that the rows get"));
        }
        for (at, column) in places.iter().enumerate() {
            if *column == on || taken.contains(column) || places[..at].contains(column) {
                let name = &join.columns[at];
                return Err(format!("the join of {file} gives the rows a column {name} that they have already"));
            }
        }
        let key = small(join.key.as_ref().unwrap_or(&join.on));
        let columns = [key].into_iter().chain(join.columns.iter().map(small)).collect();
        Ok(Self { file: join.file.clone(), columns, on, places })
    }
}

/// Hands every row of a table to `each`, with the columns of the tables that are joined to it.
pub(super) fn each_row(
    folder: &Path,
    path: &Path,
    plan: &Plan,
    sink: &mut dyn Sink,
    counts: &mut Counts,
    each: &mut Each<'_>,
) -> Result<(), IoError> {
    let read = |join: &Join, counts: &mut Counts| Lookup::read(&folder.join(&join.file), &join.columns, counts);
    let lookups = plan.joins.iter().map(|join| read(join, counts)).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<&str> = plan.columns.iter().map(String::as_str).collect();
    let mut table = Table::open(path, &columns)?;
    for (place, name) in plan.columns.iter().enumerate() {
        match plan.joins.iter().find(|join| join.places.contains(&place)) {
            Some(join) if table.has(place) => {
                let file = join.file.display();
                let problem = format!("it has the column {name} itself; leave it out of the join of {file}");
                return Err(IoError::format(path, problem));
            }
            None if plan.needed.contains(name) && !table.has(place) => {
                return Err(IoError::column(path, name, table.header()));
            }
            _ => {}
        }
    }
    loop {
        let mut batches = Vec::with_capacity(AT_ONCE);
        while batches.len() < AT_ONCE
            && let Some(batch) = table.batch()?
        {
            batches.push(batch);
        }
        if batches.is_empty() {
            return Ok(());
        }
        for (join, lookup) in plan.joins.iter().zip(&lookups) {
            let unknown = lookup.join(&mut batches, join.on, &join.places)?;
            if unknown > 0 {
                let what = format!("{} is not in {}", plan.columns[join.on], join.file.display());
                *counts.changed.entry(what).or_default() += unknown;
            }
        }
        for batch in &batches {
            for (line, problem) in batch.ragged() {
                counts.drop_row(problem, path, *line);
            }
            for row in batch.rows() {
                match each(row, sink, counts) {
                    Ok(()) => counts.keep(),
                    Err(reason) => counts.drop_row(&reason, path, row.number()),
                }
            }
        }
        if sink.broken() {
            return Ok(());
        }
    }
}
