//! Tables whose rows become events by rules: who, when, which code, which value.
//!
//! What a hospital's tables mean is written down as constants of these types in the modules of the data sets; this one
//! applies them. Columns are names in small letters. A row is kept if at least one rule makes an event of it.

mod apply;

use std::collections::HashMap;

pub(crate) use self::apply::{apply, day_end};

use super::stays::Stays;
use crate::units::{Analyte, by_label};

/// Whose row it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// The number in a column.
    Column(&'static str),
    /// The subject of the visit whose number is in a column.
    Visit(&'static str),
}

/// When it was known. What is coded or measured is of no use to a prediction before somebody could have read it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// The first of these columns that is filled.
    First(&'static [&'static str]),
    /// The later of when it was measured and when it was stored.
    Later(&'static str, &'static str),
    /// The first of these columns that is filled; if that is a date only, the last second of the day.
    DayEnd(&'static [&'static str]),
    /// When the visit whose number is in a column ended: what is coded for billing is known then.
    VisitEnd(&'static str),
    /// So many minutes after the visit of [`Who::Visit`] began, in columns of which the latest counts: when it
    /// happened, and when it was entered.
    Offset(&'static [&'static str]),
}

/// A part of a code; parts are joined by `//`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    /// These words.
    Is(&'static str),
    /// What is in a column, or `UNK`.
    Of(&'static str),
    /// What is in a column; without it there is no event.
    Must(&'static str),
    /// The unit that the value is in now, or `UNK`.
    Unit,
}

/// What was measured or written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value {
    /// Nothing: it happened.
    Nothing,
    /// A number, if it is there.
    Number(&'static str),
    /// A number without which there is no event.
    Needed(&'static str),
    /// A text without which there is no event.
    Text(&'static str),
    /// A text, if it is there.
    Note(&'static str),
    /// What was written, which becomes a number where it is one.
    Written(&'static str),
    /// A number, and what was written, which is kept where it says more than the number.
    Measured(&'static str, &'static str),
}

/// A condition on a column, with what is said of the rows that do not meet it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keep {
    /// Rows that have none of these values.
    Unless(&'static str, &'static [&'static str], &'static str),
    /// Rows that have one of these values.
    Only(&'static str, &'static [&'static str], &'static str),
}

/// One event of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) when: When,
    pub(crate) code: &'static [Code],
    pub(crate) value: Value,
    /// Column of the unit.
    pub(crate) unit: Option<&'static str>,
    /// Column of what was measured, by which [`Context::analyte`] finds it.
    pub(crate) item: Option<&'static str>,
    /// Rows of which this event is made; the others are as they should be.
    pub(crate) only: Option<Keep>,
}

impl Rule {
    /// An event without a value.
    pub(crate) const fn event(when: When, code: &'static [Code]) -> Self {
        Self { when, code, value: Value::Nothing, unit: None, item: None, only: None }
    }

    /// An event with a value.
    pub(crate) const fn with(when: When, code: &'static [Code], value: Value) -> Self {
        Self { when, code, value, unit: None, item: None, only: None }
    }

    /// The same event, of some rows only.
    pub(crate) const fn of(self, only: Keep) -> Self {
        Self { only: Some(only), ..self }
    }

    /// A measurement that is brought to the unit of what is measured.
    pub(crate) const fn measured(
        when: When,
        code: &'static [Code],
        value: Value,
        unit: &'static str,
        item: &'static str,
    ) -> Self {
        Self { when, code, value, unit: Some(unit), item: Some(item), only: None }
    }

    /// An event whose value has a unit that goes into the code as it is.
    pub(crate) const fn of_unit(when: When, code: &'static [Code], value: Value, unit: &'static str) -> Self {
        Self { when, code, value, unit: Some(unit), item: None, only: None }
    }
}

/// What the rows of a table become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableRules {
    pub(crate) table: &'static str,
    pub(crate) who: Who,
    /// Column of the visit: rows without it are counted by whether a visit was going on at their time.
    pub(crate) visit: Option<&'static str>,
    /// Column of a number that no two rows share; those behind the first are dropped.
    pub(crate) unique: Option<&'static str>,
    pub(crate) keep: &'static [Keep],
    pub(crate) rules: &'static [Rule],
}

/// What rows refer to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) stays: Stays,
    /// What is measured under the numbers of the dictionaries, and the unit that its own name gives.
    pub(crate) items: HashMap<String, Item>,
    /// Whether what is measured goes by its name instead of a number.
    pub(crate) named: bool,
    /// Whether values are brought to the units of their analytes.
    pub(crate) normalise: bool,
}

/// What is measured, and the unit that the name says.
pub(crate) type Item = (&'static Analyte, Option<&'static str>);

impl Context {
    /// What is measured under a number or name.
    pub(crate) fn analyte(&self, item: &str) -> Option<Item> {
        if self.named { by_label(item) } else { self.items.get(item).copied() }
    }
}
