//! Hospital tables as a source: patients first, then every table by its rules, with the dictionaries beside.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rules::{Context, TableRules, apply};
use super::{CodeNote, Folder, Row, Sink, Source, Table};
use crate::io::{Counts, IoError};

/// How hospital tables are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableConfig {
    /// Whether values of known analytes are brought to one unit each ([`crate::units`]), and those that no patient can
    /// have had are kept as text only.
    pub normalise_units: bool,
}

impl Default for TableConfig {
    fn default() -> Self {
        Self { normalise_units: true }
    }
}

/// A table, and what makes events of it that no rule can say.
pub(crate) type Special = (&'static str, fn(&Hospital, &mut dyn Sink) -> Result<Counts, IoError>);

/// The tables of a hospital.
pub(crate) struct Hospital {
    pub(crate) name: &'static str,
    pub(crate) folder: Folder,
    pub(crate) context: Context,
    /// The table of patients, which must be there, and others that rules do not do justice to.
    pub(crate) special: &'static [Special],
    pub(crate) tables: &'static [TableRules],
    /// Tables that are used without becoming events.
    pub(crate) dictionaries: &'static [&'static str],
    /// What is known of codes, by a key that `key` makes of them.
    pub(crate) notes: HashMap<String, CodeNote>,
    /// The key of a code's note.
    pub(crate) key: fn(&str) -> String,
    /// Vocabulary code of a code, such as `ICD9CM/250.00`.
    pub(crate) parent: fn(&str) -> Option<String>,
    /// Options that change the events.
    pub(crate) config: TableConfig,
}

impl Hospital {
    /// Every table that becomes events, whether it is there or not.
    fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.special.iter().map(|(table, _)| *table).chain(self.tables.iter().map(|rules| rules.table))
    }

    fn present(&self) -> impl Iterator<Item = &'static str> {
        self.tables().filter(move |table| self.folder.path(table).is_some())
    }
}

impl Source for Hospital {
    fn name(&self) -> &str {
        self.name
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        let Self { name, config, .. } = self;
        Ok(format!(
            "{name} {}\nnormalise_units {}\n{}",
            env!("CARGO_PKG_VERSION"),
            config.normalise_units,
            self.folder.fingerprint()?
        ))
    }

    fn estimate(&self) -> u64 {
        self.folder.rows(self.present())
    }

    fn steps(&self) -> Vec<String> {
        self.present().map(str::to_owned).collect()
    }

    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        if let Some((_, make)) = self.special.iter().find(|(table, _)| *table == step) {
            return make(self, sink);
        }
        let path = self.folder.need(step)?;
        match self.tables.iter().find(|rules| rules.table == step) {
            Some(rules) => apply(rules, path, &self.context, sink),
            None => Err(IoError::format(path, format!("no rules make events of the table {step}"))),
        }
    }

    fn note(&self, code: &str) -> CodeNote {
        let mut note = self.notes.get(&(self.key)(code)).cloned().unwrap_or_default();
        if let Some(parent) = (self.parent)(code) {
            note.parents.insert(0, parent);
        }
        note
    }

    fn remarks(&self) -> Vec<String> {
        let known = |name: &str| self.dictionaries.contains(&name) || self.tables().any(|table| table == name);
        let unread: Vec<&str> = self.folder.names().filter(|name| !known(name)).collect();
        let absent: Vec<&str> = self.tables().filter(|table| self.folder.path(table).is_none()).collect();
        let mut remarks = Vec::new();
        if !absent.is_empty() {
            remarks.push(format!("tables that are not there: {}", absent.join(", ")));
        }
        if !unread.is_empty() {
            remarks.push(format!("tables that are not read: {}", unread.join(", ")));
        }
        remarks
    }
}

/// Hands every row of a table to `take`; counts rows that cannot be used at all.
pub(crate) fn each_row(
    path: &Path,
    columns: &[&str],
    needed: usize,
    counts: &mut Counts,
    mut take: impl FnMut(Row<'_>, &mut Counts),
) -> Result<(), IoError> {
    let mut table = Table::open(path, columns)?;
    if let Some(absent) = (0..needed).find(|column| !table.has(*column)) {
        return Err(IoError::column(path, columns[absent], table.header()));
    }
    while let Some(batch) = table.batch()? {
        for (line, problem) in batch.ragged() {
            counts.drop_row(problem, path, *line);
        }
        batch.rows().for_each(|row| take(row, counts));
    }
    Ok(())
}

/// ICD codes with the dot that MIMIC leaves out: ICD-9 procedures have two digits before it, E codes of ICD-9 four
/// signs, all others three.
pub(crate) fn dotted(code: &str, before: usize) -> String {
    match (code.get(..before), code.get(before..)) {
        (Some(head), Some(tail)) if !tail.is_empty() => format!("{head}.{tail}"),
        _ => code.to_owned(),
    }
}
