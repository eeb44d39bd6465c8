//! Any table as events, by a file that says what its columns are.
//!
//! ```toml
//! name = "clinic"
//!
//! [[table]]
//! file = "labs.csv.gz"                # in the folder that is opened; .csv, .csv.gz or .parquet
//! subject = "patient"                 # its column; texts become numbers as the FHIR reader makes them
//! only = { status = ["final", "corrected"] }
//!
//! [[table.event]]
//! code = "LAB//{test}//{unit}"        # `{column}` is what stands there, `{column?}` or UNK
//! time = "resulted"                   # its column; left out for what holds at all times
//! value = "result"
//!
//! [[table.event]]
//! code = "MEDS_BIRTH"
//! time = "born"
//! dates = "start"                     # known from the beginning of the day, not from its end
//!
//! [[table]]
//! file = "charts.parquet"
//! subject = "patient"                 # which only the stay says
//!
//! [[table.join]]
//! file = "stays.csv"
//! on = "stay"                         # a column of both; with `key = "id"` it is called so in stays.csv
//! columns = ["patient"]               # what the rows get from there
//!
//! [[table.event]]
//! code = "CHART//{item}"
//! time = "charted"
//! ```
//!
//! A row is kept if it makes at least one event. An event whose time is missing or wrong, or a column of whose code is
//! empty, is not made; what has a date only counts as known from the last second of that day, unless `dates` says otherwise.
//! With `unit = "min"` a time is a number of such units since 1970-01-01, for tables that count from an origin. The rows
//! of a table that is joined are counted with those of the table that they are joined to.

mod join;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

pub use self::join::JoinMapping;

use self::join::Join;
use self::template::Template;
use super::etl::{Cell, Row, Sink, Source, rows_of};
use super::known::DayRule;
use super::rows::{Reason, each_row};
use super::terms::{finite, subject_number};
use super::{Counts, IoError};
use crate::time::{Precision, Span, Time};

/// What the tables of a source mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name of the source.
    pub name: String,
    /// Its tables, at least one.
    #[serde(rename = "table")]
    pub tables: Vec<TableMapping>,
}

/// What the rows of a table mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableMapping {
    /// The file, within the folder.
    pub file: PathBuf,
    /// Column of the subject.
    pub subject: String,
    /// For columns, the values of the rows that are read; of the others nothing is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<String>>,
    /// Columns that the rows get from other tables, in this order.
    #[serde(rename = "join", default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<JoinMapping>,
    /// What a row becomes, at least one.
    #[serde(rename = "event")]
    pub events: Vec<EventMapping>,
}

/// One event of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventMapping {
    /// Its code, with `{column}` for what stands in a column, and `{column?}` where nothing may stand there.
    pub code: String,
    /// Column of the time; none for what holds at all times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Unit of times that are numbers, counted from 1970-01-01: `s`, `min`, `h`, `d`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// From when on it is known, if there is a date only.
    #[serde(default)]
    pub dates: DayRule,
    /// Column of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Column of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Mapping {
    /// Reads a mapping from TOML.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        mapping.validate()?;
        Ok(mapping)
    }

    /// Checks that there are tables, events, and codes that can be made.
    ///
    /// # Errors
    /// What is wrong.
    pub fn validate(&self) -> Result<(), String> {
        if self.tables.is_empty() {
            return Err("there is no table in the mapping; write [[table]]".to_owned());
        }
        self.tables.iter().try_for_each(|table| plan(table).map(|_| ()))
    }
}

/// Opens the tables of a folder that a mapping file names.
///
/// # Errors
/// [`IoError`] if the mapping is wrong, or a table is not there.
pub fn open(folder: &Path, mapping: &Path) -> Result<Box<dyn Source>, IoError> {
    let text = fs::read_to_string(mapping).map_err(IoError::open(mapping))?;
    let mapping = Mapping::from_toml(&text).map_err(|problem| IoError::format(mapping, problem))?;
    of(folder, &mapping)
}

/// As [`open`], with a mapping that has been read.
///
/// # Errors
/// As [`open`].
pub fn of(folder: &Path, mapping: &Mapping) -> Result<Box<dyn Source>, IoError> {
    mapping.validate().map_err(|problem| IoError::format(folder, problem))?;
    let (mut tables, mut state) = (Vec::new(), format!("{mapping:?}\n"));
    for table in &mapping.tables {
        let path = within(folder, &table.file, &mut state)?;
        for join in &table.joins {
            within(folder, &join.file, &mut state)?;
        }
        let plan = plan(table).map_err(|problem| IoError::format(&path, problem))?;
        tables.push((path, plan));
    }
    Ok(Box::new(Mapped { name: mapping.name.clone(), folder: folder.to_path_buf(), tables, state }))
}

/// A file of the folder, whose size and date go into the state: a mapping reads what lies there, whatever it says.
fn within(folder: &Path, file: &Path, state: &mut String) -> Result<PathBuf, IoError> {
    if file.is_absolute() || file.components().any(|part| part.as_os_str() == "..") {
        let problem = "the mapping names a file outside the folder; give a name within it";
        return Err(IoError::format(file, problem));
    }
    let path = folder.join(file);
    let data = fs::metadata(&path).map_err(IoError::open(&path))?;
    let changed = data.modified().map_err(IoError::open(&path))?;
    let changed = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    // Writing to a `String` does not fail.
    let _ = writeln!(state, "{} {} {changed}", path.display(), data.len());
    Ok(path)
}

struct Mapped {
    name: String,
    folder: PathBuf,
    tables: Vec<(PathBuf, Plan)>,
    state: String,
}

/// A table with places instead of names of columns.
struct Plan {
    columns: Vec<String>,
    /// The columns without which nothing can be made, but for those of the joins.
    needed: Vec<String>,
    joins: Vec<Join>,
    only: Vec<(usize, Vec<String>)>,
    events: Vec<Planned>,
}

struct Planned {
    code: Template,
    time: Option<usize>,
    unit: Option<i64>,
    dates: DayRule,
    value: Option<usize>,
    text: Option<usize>,
}

fn plan(table: &TableMapping) -> Result<Plan, String> {
    let file = table.file.display();
    if table.events.is_empty() {
        return Err(format!("the table {file} has no event; write [[table.event]]"));
    }
    let (mut columns, mut needed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut place = |name: &str, must: bool| {
        let name = name.trim().to_lowercase();
        if must && !needed.contains(&name) {
            needed.push(name.clone());
        }
        columns.iter().position(|known| *known == name).unwrap_or_else(|| {
            columns.push(name);
            columns.len() - 1
        })
    };
    place(&table.subject, true);
    let (mut joins, mut taken) = (Vec::new(), Vec::new());
    for join in &table.joins {
        let join = Join::plan(join, &taken, &mut place).map_err(|problem| format!("{file}: {problem}"))?;
        taken.extend_from_slice(&join.places);
        joins.push(join);
    }
    let only = table.only.iter().map(|(name, values)| (place(name, true), values.clone())).collect();
    let mut events = Vec::new();
    for event in &table.events {
        let code = Template::parse(&event.code, &mut place).map_err(|problem| format!("{file}: {problem}"))?;
        let unit = match &event.unit {
            None => None,
            Some(unit) => {
                let span = Span::parse(&format!("1{unit}"));
                Some(span.ok_or_else(|| format!("{file}: {unit:?} is no unit of time; write s, min, h or d"))?.0)
            }
        };
        let time = event.time.as_deref().map(|name| place(name, true));
        let value = event.value.as_deref().map(|name| place(name, true));
        let text = event.text.as_deref().map(|name| place(name, true));
        events.push(Planned { code, time, unit, dates: event.dates, value, text });
    }
    needed.retain(|name| !taken.iter().any(|place| columns[*place] == *name));
    Ok(Plan { columns, needed, joins, only, events })
}

impl Source for Mapped {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(self.state.clone())
    }

    fn estimate(&self) -> u64 {
        self.tables.iter().map(|(path, plan)| rows_of(path).saturating_mul(plan.events.len() as u64)).sum()
    }

    fn steps(&self) -> Vec<String> {
        (0..self.tables.len()).map(|table| format!("table-{table:03}")).collect()
    }

    fn step(&mut self, step: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let number = step.strip_prefix("table-").and_then(|number| number.parse::<usize>().ok());
        let Some((path, plan)) = number.and_then(|number| self.tables.get(number)) else {
            return Err(IoError::format(Path::new(&self.name), format!("there is no step {step}")));
        };
        let (mut counts, mut room) = (Counts::default(), Room::default());
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, counts: &mut Counts| plan.row(row, &mut room, sink, counts);
        if !plan.joins.is_empty() {
            join::each_row(&self.folder, path, plan, sink, &mut counts, &mut each)?;
            return Ok(counts);
        }
        let columns: Vec<&str> = plan.columns.iter().map(String::as_str).collect();
        let needed: Vec<&str> = plan.needed.iter().map(String::as_str).collect();
        each_row(path, &columns, &needed, sink, &mut counts, &mut each)?;
        Ok(counts)
    }

    fn remarks(&self) -> Vec<String> {
        let line = |(number, (path, _)): (usize, &(PathBuf, Plan))| format!("table-{number:03} is {}", path.display());
        self.tables.iter().enumerate().map(line).collect()
    }
}

/// Texts that are used again for every row.
#[derive(Default)]
struct Room {
    code: String,
    text: String,
}

impl Plan {
    fn row(&self, row: Row<'_>, room: &mut Room, sink: &mut dyn Sink, counts: &mut Counts) -> Result<(), Reason> {
        for (column, values) in &self.only {
            room.text.clear();
            row.cell(*column).write(&mut room.text);
            if !values.contains(&room.text) {
                return Err(format!("{} has none of the values that are read", self.columns[*column]).into());
            }
        }
        let subject = match row.cell(0) {
            Cell::Text(text) => subject_number(text),
            cell => match cell.int() {
                Ok(Some(number)) => number,
                Ok(None) => return Err(format!("{} is missing", self.columns[0]).into()),
                Err(what) => return Err(format!("{} {what}", self.columns[0]).into()),
            },
        };
        let mut problem = None;
        let mut made = 0;
        for event in &self.events {
            match self.event(event, subject, row, room, sink, counts) {
                Ok(()) => made += 1,
                Err(reason) => problem = problem.or(Some(reason)),
            }
        }
        match problem {
            Some(reason) if made == 0 => Err(reason),
            Some(reason) => {
                counts.change(&format!("no event where {reason}"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn event(
        &self,
        event: &Planned,
        subject: i64,
        row: Row<'_>,
        room: &mut Room,
        sink: &mut dyn Sink,
        counts: &mut Counts,
    ) -> Result<(), Reason> {
        let time = match event.time {
            None => None,
            Some(column) => Some(self.time(event, column, row)?),
        };
        room.code.clear();
        if let Err(column) = event.code.write(row, &mut room.code) {
            return Err(format!("{} is missing", self.columns[column]).into());
        }
        let mut value = None;
        if let Some(column) = event.value {
            match row.cell(column).number() {
                Ok(number) => value = number.and_then(finite),
                Err(what) => counts.change(&format!("no value where {} {what}", self.columns[column])),
            }
        }
        room.text.clear();
        let said = event.text.is_some_and(|column| row.cell(column).write(&mut room.text));
        sink.event(subject, time, &room.code, value, said.then_some(room.text.as_str()));
        Ok(())
    }

    fn time(&self, event: &Planned, column: usize, row: Row<'_>) -> Result<Time, Reason> {
        let name = &self.columns[column];
        let missing = || Reason::from(format!("{name} is missing"));
        let wrong = |what: &str| Reason::from(format!("{name} {what}"));
        if let Some(unit) = event.unit {
            let number = row.cell(column).number().map_err(wrong)?.ok_or_else(missing)?;
            let micros = (number * unit as f64).round();
            // Beyond 2^53 microseconds fractions are lost; and no patient lived 285 years from the origin.
            return if micros.abs() < 9.0e15 {
                Ok(Time(micros as i64))
            } else {
                Err(wrong("is too far from the origin"))
            };
        }
        let (time, precision) = match row.cell(column) {
            // A text says whether it is a day or a moment.
            Cell::Text(text) => {
                let (time, form) = Time::read(text).ok_or_else(|| wrong("is no date"))?;
                (time, form.precision)
            }
            cell => {
                let time = cell.time().map_err(wrong)?.ok_or_else(missing)?;
                (time, if time == time.midnight() { Precision::Day } else { Precision::Second })
            }
        };
        if time.is_plausible() {
            Ok(event.dates.of(time, precision))
        } else {
            Err(wrong("is a date that stands for none"))
        }
    }
}
