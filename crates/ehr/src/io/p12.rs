//! The `PhysioNet`/Computing in Cardiology Challenge 2012 (Silva, Moody, Scott, Celi, Mark, Comput Cardiol 39:245-248, 2012):
//! the first 48 hours of intensive-care stays, and whether the patients left the hospital alive.
//!
//! A stay is a text of `Time,Parameter,Value` with times as `hh:mm` from admission; a set is a folder or a tar archive of
//! such texts, or one Parquet file of the same rows (`record_id`, `minute`, `parameter`, `value`). Stays have no dates, so
//! all of them begin at [`ADMISSION`]. What was measured gets the code `P12//HR`; [`PARAMETERS`] has the names.
//!
//! | parameter | event |
//! |---|---|
//! | `RecordID` | none: the number of the subject |
//! | `Age` | `P12//Age` at all times, `MEDS_BIRTH` so many years before admission; `AGE//OVER_89` from 90, which stands for more |
//! | `Gender`, `ICUType` | `GENDER//F`, `ICU_TYPE//2` at all times |
//! | `Height` | `P12//Height` at all times |
//! | the others, the first weight among them | `P12//…` at their time |
//!
//! -1 stands for "not recorded" and is dropped, as are rows without a parameter's name and, unless
//! [`P12Config::clean`] is off, values that no patient can have had; a pH written without its point (735, 73.5) gets it back.
//! The outcomes never become events: [`outcomes`] reads them, [`labels`] makes labels of them.

mod outcomes;
mod parameters;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{BufRead, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

pub use self::outcomes::{P12Outcome, labels, outcomes};
pub use self::parameters::{PARAMETERS, Parameter};
use self::parameters::{UNITS, cleaned};
use super::etl::{CodeNote, Row, Sink, Source, rows_of};
use super::rows::{Reason, each_row, needed_int};
use super::terms::finite;
use super::{Counts, IoError, RowError, archive, csv};
use crate::codebook::BIRTH;
use crate::time::{Span, Time};

/// When every stay begins: the stays have no dates.
pub const ADMISSION: Time = Time(0);

/// How long stays are recorded; the outcome is predicted at the end.
pub const RECORDED: Span = Span::hours(48);

/// Bytes of the longest text of one stay; the real ones have some 30 KB.
const MAX_STAY: u64 = 16 << 20;

/// Age from which ages are not told apart.
const OLDEST: f64 = 90.0;

/// How the set is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct P12Config {
    /// Which set of a folder: `a`, `b` or `c`; needed where there is more than one.
    pub part: Option<String>,
    /// Whether values that no patient can have had are dropped, and points in a pH put back.
    pub clean: bool,
}

impl Default for P12Config {
    fn default() -> Self {
        Self { part: None, clean: true }
    }
}

/// Opens a set: a Parquet file, a tar archive or a folder of texts, one text, or a folder with `set-a.parquet` or the like.
///
/// # Errors
/// [`IoError`] if there is none, or more than one and [`P12Config::part`] does not say which.
pub fn open(path: &Path, config: &P12Config) -> Result<Box<dyn Source>, IoError> {
    let records = records(path, config.part.as_deref())?;
    let data = fs::metadata(&records).map_err(IoError::open(&records))?;
    let changed = data.modified().map_err(IoError::open(&records))?;
    let changed = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let state = format!("{} {} {changed} {config:?}", records.display(), data.len());
    Ok(Box::new(P12 { records, state, clean: config.clean }))
}

struct P12 {
    records: PathBuf,
    state: String,
    clean: bool,
}

impl Source for P12 {
    fn name(&self) -> &'static str {
        "PhysioNet 2012"
    }

    fn fingerprint(&self) -> Result<String, IoError> {
        Ok(self.state.clone())
    }

    fn estimate(&self) -> u64 {
        // A full set has four thousand stays of some four hundred rows.
        if is_parquet(&self.records) { rows_of(&self.records) } else { 1_800_000 }
    }

    fn steps(&self) -> Vec<String> {
        vec!["records".to_owned()]
    }

    fn step(&mut self, _: &str, sink: &mut dyn Sink) -> Result<Counts, IoError> {
        let mut counts = Counts::default();
        let path = self.records.as_path();
        if is_parquet(path) {
            self.parquet(sink, &mut counts)?;
        } else if path.is_dir() {
            let mut texts = Vec::new();
            for entry in fs::read_dir(path).map_err(IoError::open(path))? {
                texts.push(entry.map_err(IoError::open(path))?.path());
            }
            texts.retain(|text| is_stay(&text.to_string_lossy()));
            texts.sort();
            for text in texts {
                self.stay(&text, &mut csv::open(&text)?, sink, &mut counts)?;
            }
        } else if archive::is_archive(&path.to_string_lossy()) {
            archive::each_file(path, &mut |name, input| {
                if is_stay(name) { self.stay(&path.join(name), input, sink, &mut counts) } else { Ok(()) }
            })?;
        } else {
            self.stay(path, &mut csv::open(path)?, sink, &mut counts)?;
        }
        if counts.read == 0 {
            return Err(IoError::Empty { path: path.to_path_buf(), what: "rows of stays" });
        }
        Ok(counts)
    }

    fn note(&self, code: &str) -> CodeNote {
        let mut parts = code.split("//");
        match (parts.next(), parts.next()) {
            (Some("ICU_TYPE"), Some(number)) => {
                let number = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let unit = number.and_then(|number| UNITS.get(number));
                CodeNote { description: unit.map(|unit| (*unit).to_owned()), parents: Vec::new() }
            }
            (Some("P12"), Some("Age")) => CodeNote { description: Some("Age (years)".to_owned()), parents: Vec::new() },
            (Some("P12"), Some("Height")) => {
                CodeNote { description: Some("Height (cm)".to_owned()), parents: vec!["LOINC//8302-2".to_owned()] }
            }
            (Some("P12"), Some(name)) => {
                PARAMETERS.iter().find(|known| known.name == name).map_or_else(CodeNote::default, |known| CodeNote {
                    description: Some(format!("{} ({})", known.description, known.unit)),
                    parents: Some(known.loinc)
                        .filter(|code| !code.is_empty())
                        .map(|code| format!("LOINC//{code}"))
                        .into_iter()
                        .collect(),
                })
            }
            _ => CodeNote::default(),
        }
    }
}

impl P12 {
    fn parquet(&self, sink: &mut dyn Sink, counts: &mut Counts) -> Result<(), IoError> {
        const COLUMNS: [&str; 4] = ["record_id", "minute", "parameter", "value"];
        let mut each = |row: Row<'_>, sink: &mut dyn Sink, counts: &mut Counts| -> Result<(), Reason> {
            let subject = needed_int(row, 0, COLUMNS[0])?;
            let minute = needed_int(row, 1, COLUMNS[1])?;
            let value = row.cell(3).number().map_err(|what| Reason::from(format!("the value {what}")))?;
            let value = value.ok_or("there is no value in it")?;
            self.measured(subject, minute, row.text(2).unwrap_or_default(), value, sink, counts)
        };
        each_row(&self.records, &COLUMNS, &COLUMNS, sink, counts, &mut each)
    }

    /// Reads the text of one stay.
    fn stay(
        &self,
        path: &Path,
        input: &mut dyn BufRead,
        sink: &mut dyn Sink,
        counts: &mut Counts,
    ) -> Result<(), IoError> {
        let mut bytes = Vec::new();
        input.take(MAX_STAY + 1).read_to_end(&mut bytes).map_err(IoError::read(path))?;
        if bytes.len() as u64 > MAX_STAY {
            counts.drop_row("the text of the stay is longer than any real one", path, 1);
            return Ok(());
        }
        let text = csv::decompressed(Cursor::new(bytes)).map_err(IoError::read(path))?;
        let mut rows = csv::Reader::new(text, path)?;
        let columns = [rows.need("time")?, rows.need("parameter")?, rows.need("value")?];
        // The number of the stay stands in its first row, and in the name of the file.
        let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<i64>().ok());
        let mut subject = name;
        while let Some(row) = rows.advance()? {
            let (line, done) = match row {
                Ok(row) => {
                    let done = self.row(row, columns, &mut subject, sink, counts);
                    (row.line(), done)
                }
                Err(RowError { number, problem, .. }) => (number, Err(Reason::from(problem))),
            };
            match done {
                Ok(()) => counts.keep(),
                Err(reason) => counts.drop_row(&reason, path, line),
            }
        }
        Ok(())
    }

    fn row(
        &self,
        row: csv::Row<'_>,
        [time, parameter, value]: [usize; 3],
        subject: &mut Option<i64>,
        sink: &mut dyn Sink,
        counts: &mut Counts,
    ) -> Result<(), Reason> {
        let minute = minutes(row.get(time)).ok_or("its time is not of the form hh:mm")?;
        let value: f64 = row.parse(value).ok().flatten().ok_or("its value is no number")?;
        let parameter = row.get(parameter);
        if parameter == "RecordID" {
            *subject = Some(value as i64);
        }
        let subject = subject.ok_or("the stay has no number yet: neither its file nor a row before says it")?;
        self.measured(subject, minute, parameter, value, sink, counts)
    }

    /// The events of a row.
    fn measured(
        &self,
        subject: i64,
        minute: i64,
        parameter: &str,
        value: f64,
        sink: &mut dyn Sink,
        counts: &mut Counts,
    ) -> Result<(), Reason> {
        if parameter.is_empty() {
            return Err("the parameter has no name".into());
        }
        if parameter == "RecordID" {
            return if value == subject as f64 { Ok(()) } else { Err("RecordID is that of another stay".into()) };
        }
        if !(0..=RECORDED.0 / Span::minutes(1).0).contains(&minute) {
            return Err("its time is not within the 48 hours".into());
        }
        if value == -1.0 {
            return Err("not recorded (-1)".into());
        }
        let value = if self.clean { cleaned(parameter, value, counts)? } else { value };
        let number = finite(value).ok_or("its value is no number")?;
        match parameter {
            "Age" => {
                if !(0.0..=150.0).contains(&value) {
                    return Err("no patient is that old".into());
                }
                let years = Span((Span::years(1).0 as f64 * value).round() as i64);
                sink.event(subject, None, "P12//Age", Some(number), None);
                if value >= OLDEST {
                    sink.event(subject, None, "AGE//OVER_89", None, None);
                }
                sink.event(subject, Some(ADMISSION.minus(years)), BIRTH, None, None);
            }
            "Gender" if value == 0.0 => sink.event(subject, None, "GENDER//F", None, None),
            "Gender" if value == 1.0 => sink.event(subject, None, "GENDER//M", None, None),
            "ICUType" if (1.0..=4.0).contains(&value) && value.fract() == 0.0 => {
                sink.event(subject, None, &format!("ICU_TYPE//{value}"), None, None);
            }
            "Gender" | "ICUType" => return Err("its value is none of those that are defined".into()),
            "Height" => sink.event(subject, None, "P12//Height", Some(number), None),
            name => {
                let known = PARAMETERS.iter().find(|known| known.name == name);
                let known = known.ok_or("the parameter is none of the challenge")?;
                let when = ADMISSION.plus(Span::minutes(minute));
                sink.event(subject, Some(when), &format!("P12//{}", known.name), Some(number), None);
            }
        }
        Ok(())
    }
}

/// Minutes of a time as `hh:mm`, with hours up to 99.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 100 && minutes < 60).then_some(hours * 60 + minutes)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// Whether a file of a folder or an archive is the text of a stay, whose name is its number.
fn is_stay(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.strip_suffix(".txt").is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The file or folder of records: `path` itself, or what it holds of a set.
fn records(path: &Path, part: Option<&str>) -> Result<PathBuf, IoError> {
    if !fs::metadata(path).map_err(IoError::open(path))?.is_dir() {
        return Ok(path.to_path_buf());
    }
    let parts = part.map_or_else(|| vec!["a", "b", "c"], |part| vec![part]);
    let names =
        |part: &str| ["", ".parquet", ".tar.gz", ".tgz", ".tar"].map(|ending| path.join(format!("set-{part}{ending}")));
    let mut found: Vec<PathBuf> =
        parts.iter().filter_map(|part| names(part).into_iter().find(|path| path.exists())).collect();
    match found.len() {
        0 if part.is_none() => Ok(path.to_path_buf()),
        0 => {
            let wanted = parts.join(", ");
            Err(IoError::format(
                path,
                format!("there is no set {wanted} in it (set-{wanted}.parquet, .tar.gz or a folder)"),
            ))
        }
        1 => Ok(found.remove(0)),
        _ => Err(IoError::format(path, "there is more than one set in it; say which one, as part a")),
    }
}
