//! Rules at work on the rows of one table.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Code, Context, Keep, Rule, TableRules, Value, When, Who};
use crate::io::etl::batch::{Row, parse_number};
use crate::io::etl::stays::Stay;
use crate::io::etl::{Sink, Table};
use crate::io::{Counts, IoError};
use crate::time::{Span, Time};
use crate::units::Normal;

/// What stands for a part of a code that is missing, as in the published ETL of MIMIC-IV to MEDS.
const UNKNOWN: &str = "UNK";

/// Reads a table to its end and hands its events to the sink.
pub(crate) fn apply(
    rules: &TableRules,
    path: &Path,
    context: &Context,
    sink: &mut dyn Sink,
) -> Result<Counts, IoError> {
    let mut plan = Plan::new(rules);
    let mut table = Table::open(path, &plan.columns)?;
    let mut room = Room::default();
    plan.fit(&table, &mut room.counts)?;
    while let Some(batch) = table.batch()? {
        for (line, problem) in batch.ragged() {
            room.counts.drop_row(problem, path, *line);
        }
        for row in batch.rows() {
            plan.row(row, context, sink, &mut room, path);
        }
        if sink.broken() {
            break;
        }
    }
    Ok(room.counts)
}

/// Why there is no event.
#[derive(Clone, Copy)]
enum Why {
    /// A column is empty, which may be as it should be.
    Missing(usize),
    /// A column has something that cannot be used.
    Bad(usize, &'static str),
    /// The row is of another kind, as it may be.
    Skipped(&'static str),
    /// Anything else.
    Other(&'static str),
}

/// What has been counted, and texts that are used again for every row.
#[derive(Default)]
struct Room {
    code: String,
    item: String,
    text: String,
    counts: Counts,
    /// Numbers that no two rows may share.
    seen: HashSet<i64>,
}

/// The rules with columns as places.
struct Plan<'a> {
    rules: &'a TableRules,
    columns: Vec<&'static str>,
    who: usize,
    visit: Option<usize>,
    unique: Option<usize>,
    keep: Vec<usize>,
    events: Vec<Event<'a>>,
}

struct Event<'a> {
    rule: &'a Rule,
    when: Vec<usize>,
    /// Of each part of the code, where it is from a column.
    code: Vec<Option<usize>>,
    number: Option<usize>,
    text: Option<usize>,
    unit: Option<usize>,
    item: Option<usize>,
    only: Option<usize>,
}

impl<'a> Plan<'a> {
    fn new(rules: &'a TableRules) -> Self {
        let mut columns: Vec<&'static str> = Vec::new();
        let mut place = |name: &'static str| {
            columns.iter().position(|known| *known == name).unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            })
        };
        let (Who::Column(who) | Who::Visit(who)) = rules.who;
        let who = place(who);
        let visit = rules.visit.map(&mut place);
        let unique = rules.unique.map(&mut place);
        let keep = rules.keep.iter().map(Keep::column).map(&mut place).collect();
        let mut events = Vec::with_capacity(rules.rules.len());
        for rule in rules.rules {
            let when = match rule.when {
                When::First(names) | When::DayEnd(names) | When::Offset(names) => {
                    names.iter().map(|name| place(name)).collect()
                }
                When::Later(one, other) => vec![place(one), place(other)],
                When::VisitEnd(name) => vec![place(name)],
            };
            let part = |part: &Code| match part {
                Code::Of(name) | Code::Must(name) => Some(place(name)),
                Code::Is(_) | Code::Unit => None,
            };
            let code = rule.code.iter().map(part).collect();
            let (number, text) = match rule.value {
                Value::Nothing => (None, None),
                Value::Number(number) | Value::Needed(number) => (Some(place(number)), None),
                Value::Text(text) | Value::Note(text) | Value::Written(text) => (None, Some(place(text))),
                Value::Measured(number, text) => (Some(place(number)), Some(place(text))),
            };
            let (unit, item) = (rule.unit.map(&mut place), rule.item.map(&mut place));
            let only = rule.only.as_ref().map(Keep::column).map(&mut place);
            events.push(Event { rule, when, code, number, text, unit, item, only });
        }
        Self { rules, columns, who, visit, unique, keep, events }
    }

    /// Leaves out the events whose columns the table does not have. Fails if nothing is left, or if nothing says whose
    /// the rows are: then the table is not what it is taken for.
    fn fit(&mut self, table: &Table, counts: &mut Counts) -> Result<(), IoError> {
        let missing = |column: usize| IoError::column(table.path(), self.columns[column], table.header());
        if !table.has(self.who) {
            return Err(missing(self.who));
        }
        let absent: Vec<Option<usize>> = self.events.iter().map(|event| event.absent(table)).collect();
        if let (true, Some(Some(column))) = (absent.iter().all(Option::is_some), absent.first()) {
            return Err(missing(*column));
        }
        for column in absent.iter().flatten() {
            counts.change(&format!("there is no column {}, and no event that needs it", self.columns[*column]));
        }
        let mut absent = absent.into_iter();
        self.events.retain(|_| absent.next().flatten().is_none());
        Ok(())
    }

    /// Makes the events of a row, and counts it.
    fn row(&self, row: Row<'_>, context: &Context, sink: &mut dyn Sink, room: &mut Room, path: &Path) {
        let (mut made, mut bad, mut missing) = (None, None, None);
        match self.subject(row, context).and_then(|found| self.kept(row, room).map(|()| found)) {
            Err(why) => bad = Some(why),
            Ok((subject, stay)) => {
                for event in &self.events {
                    match event.make(row, subject, stay, context, sink, room) {
                        Ok(time) => made = made.or(Some((subject, time))),
                        Err(why @ (Why::Missing(_) | Why::Skipped(_))) => missing = missing.or(Some(why)),
                        Err(why) => bad = bad.or(Some(why)),
                    }
                }
            }
        }
        let Some((subject, time)) = made else {
            let why = bad.or(missing).map_or(Cow::Borrowed("there is nothing in it"), |why| self.reason(why));
            room.counts.drop_row(&why, path, row.number());
            return;
        };
        room.counts.keep();
        if let Some(why) = bad {
            room.counts.change(&format!("no event where {}", self.reason(why)));
        }
        if self.visit.is_some_and(|visit| matches!(row.cell(visit).int(), Ok(None))) {
            room.counts.change(match context.stays.during(subject, time) {
                Some(_) => "no number of a visit: by its time it belongs to one",
                None => "no number of a visit: by its time it is outside every one",
            });
        }
    }

    fn reason(&self, why: Why) -> Cow<'static, str> {
        match why {
            Why::Missing(column) => format!("{} is missing", self.columns[column]).into(),
            Why::Bad(column, what) => format!("{} {what}", self.columns[column]).into(),
            Why::Skipped(what) | Why::Other(what) => what.into(),
        }
    }

    fn subject<'c>(&self, row: Row<'_>, context: &'c Context) -> Result<(i64, Option<&'c Stay>), Why> {
        let number = row.cell(self.who).int().map_err(|what| Why::Bad(self.who, what))?;
        let number = number.ok_or(Why::Missing(self.who))?;
        match self.rules.who {
            Who::Column(_) => Ok((number, None)),
            Who::Visit(_) => {
                let stay = context.stays.get(number).ok_or(Why::Other("its visit is unknown"))?;
                Ok((stay.subject, Some(stay)))
            }
        }
    }

    fn kept(&self, row: Row<'_>, room: &mut Room) -> Result<(), Why> {
        if let Some(column) = self.unique {
            let number = row.cell(column).int().map_err(|what| Why::Bad(column, what))?;
            if !room.seen.insert(number.ok_or(Why::Missing(column))?) {
                return Err(Why::Bad(column, "is there twice"));
            }
        }
        for (keep, column) in self.rules.keep.iter().zip(&self.keep) {
            keep.met(row, *column, &mut room.item).map_err(Why::Other)?;
        }
        Ok(())
    }
}

impl Keep {
    fn column(&self) -> &'static str {
        match self {
            Self::Unless(column, ..) | Self::Only(column, ..) => column,
        }
    }

    /// Whether a row meets it, or what is said of those that do not.
    fn met(&self, row: Row<'_>, column: usize, room: &mut String) -> Result<(), &'static str> {
        room.clear();
        row.cell(column).write(room);
        let (met, why) = match self {
            Self::Unless(_, values, why) => (!values.contains(&room.as_str()), why),
            Self::Only(_, values, why) => (values.contains(&room.as_str()), why),
        };
        if met { Ok(()) } else { Err(why) }
    }
}

impl Event<'_> {
    /// A column without which there is no such event, and which the table does not have.
    fn absent(&self, table: &Table) -> Option<usize> {
        if !self.when.is_empty() && !self.when.iter().any(|column| table.has(*column)) {
            return Some(self.when[0]);
        }
        let parts = self.rule.code.iter().zip(&self.code).filter(|(part, _)| matches!(part, Code::Must(_)));
        let needed = match self.rule.value {
            Value::Needed(_) => self.number,
            Value::Text(_) => self.text,
            _ => None,
        };
        parts.filter_map(|(_, column)| *column).chain(needed).find(|column| !table.has(*column))
    }

    /// Hands one event to the sink, and returns its time.
    fn make(
        &self,
        row: Row<'_>,
        subject: i64,
        stay: Option<&Stay>,
        context: &Context,
        sink: &mut dyn Sink,
        room: &mut Room,
    ) -> Result<Time, Why> {
        if let (Some(only), Some(column)) = (&self.rule.only, self.only) {
            only.met(row, column, &mut room.item).map_err(Why::Skipped)?;
        }
        let time = self.time(row, subject, stay, context)?;
        let number = match self.number {
            None if matches!(self.rule.value, Value::Written(_)) => {
                self.text.and_then(|column| row.cell(column).number().ok().flatten())
            }
            None => None,
            Some(column) => match (row.cell(column).number(), self.rule.value) {
                (Ok(None), Value::Needed(_)) => return Err(Why::Missing(column)),
                (Ok(number), _) => number,
                (Err(what), Value::Needed(_)) => return Err(Why::Bad(column, what)),
                (Err(what), _) => {
                    room.counts.change(&self.column_problem(what));
                    None
                }
            },
        };
        let written = self.text.and_then(|column| row.text(column));
        if let (Value::Text(_), Some(column), None) = (self.rule.value, self.text, written) {
            return Err(Why::Missing(column));
        }
        let (number, written) = match (number, written) {
            _ if matches!(self.rule.value, Value::Text(_) | Value::Note(_)) => (None, written),
            (number, Some(text)) => match (parse_number(text), number) {
                // What is written is the number, perhaps with other digits behind the point.
                (Some(same), Some(number)) if (same - number).abs() <= 1e-6 * number.abs() => (Some(number), None),
                (Some(parsed), None) => (Some(parsed), None),
                _ => (number, written),
            },
            (number, None) => (number, None),
        };
        let mut unit = self.unit.and_then(|column| row.text(column));
        let mut value = number;
        let mut text = written;
        if let (true, Some(number), Some(item)) = (context.normalise, number, self.item) {
            room.item.clear();
            row.cell(item).write(&mut room.item);
            if let Some((analyte, implied)) = context.analyte(&room.item) {
                match analyte.normalise(number, unit.or(implied)) {
                    Normal::UnknownUnit => {}
                    Normal::Value { value: now, converted } => {
                        if converted {
                            room.counts.change("a value was brought to the unit of what was measured");
                        }
                        (value, unit) = (Some(now), Some(analyte.unit));
                    }
                    Normal::Outlier => {
                        room.counts.change("a value that no patient can have had is kept as text only");
                        room.text.clear();
                        let _ = write!(room.text, "{number}");
                        (value, text) = (None, written.or(Some(&room.text)));
                    }
                }
            }
        }
        room.code.clear();
        for (index, (part, column)) in self.rule.code.iter().zip(&self.code).enumerate() {
            if index > 0 {
                room.code.push_str("//");
            }
            let known = match (part, column) {
                (Code::Is(words), _) => {
                    room.code.push_str(words);
                    true
                }
                (Code::Unit, _) => {
                    room.code.push_str(unit.unwrap_or(UNKNOWN));
                    true
                }
                (_, Some(column)) => row.cell(*column).write(&mut room.code),
                (_, None) => false,
            };
            match (known, part, column) {
                (false, Code::Must(_), Some(column)) => return Err(Why::Missing(*column)),
                (false, ..) => room.code.push_str(UNKNOWN),
                _ => {}
            }
        }
        sink.event(subject, Some(time), &room.code, value.map(|value| value as f32), text);
        Ok(time)
    }

    fn column_problem(&self, what: &str) -> String {
        let column = match self.rule.value {
            Value::Number(column) | Value::Needed(column) | Value::Measured(column, _) => column,
            Value::Text(_) | Value::Note(_) | Value::Written(_) | Value::Nothing => "",
        };
        format!("no value where {column} {what}")
    }

    fn time(&self, row: Row<'_>, subject: i64, stay: Option<&Stay>, context: &Context) -> Result<Time, Why> {
        let read = |column: usize| row.cell(column).time().map_err(|what| Why::Bad(column, what));
        let first = || -> Result<Time, Why> {
            for column in &self.when {
                if let Some(time) = read(*column)? {
                    return Ok(time);
                }
            }
            Err(Why::Missing(self.when[0]))
        };
        let start = || {
            let start = stay.and_then(|stay| stay.start);
            start.ok_or(Why::Other("it is not known when its visit began"))
        };
        match self.rule.when {
            When::First(_) => first(),
            When::Later(..) => {
                let times = (read(self.when[0])?, read(self.when[1])?);
                times.0.max(times.1).ok_or(Why::Missing(self.when[0]))
            }
            When::DayEnd(_) => first().map(day_end),
            When::VisitEnd(_) => {
                let column = self.when[0];
                let number = row.cell(column).int().map_err(|what| Why::Bad(column, what))?;
                let stay = context.stays.get(number.ok_or(Why::Missing(column))?);
                match stay {
                    None => Err(Why::Other("its visit is unknown")),
                    Some(stay) if stay.subject != subject => Err(Why::Other("its visit is another subject's")),
                    Some(stay) => stay.end.ok_or(Why::Other("the end of its visit is missing or before the beginning")),
                }
            }
            When::Offset(_) => {
                let mut latest = None;
                for column in &self.when {
                    latest = latest.max(row.cell(*column).int().map_err(|what| Why::Bad(*column, what))?);
                }
                Ok(start()?.plus(Span::minutes(latest.ok_or(Why::Missing(self.when[0]))?)))
            }
        }
    }
}

/// The last second of the day of a time that has no time of day; another time as it is.
pub(crate) fn day_end(time: Time) -> Time {
    if time == time.midnight() { time.plus(Span::days(1)).minus(Span::seconds(1)) } else { time }
}
