//! What became of the patients, and the scores of the first day: the files `Outcomes-a.txt` and `-b.txt`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ADMISSION, RECORDED};
use crate::io::{Counts, IoError, csv};
use crate::labels::Label;
use crate::time::Time;

const COLUMNS: [&str; 6] = ["recordid", "saps-i", "sofa", "length_of_stay", "survival", "in-hospital_death"];

/// The outcome of a stay. Where the file has -1, it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct P12Outcome {
    /// The stay.
    pub record: i64,
    /// Simplified acute physiology score of the first day (Le Gall 1984).
    pub saps: Option<u32>,
    /// Sequential organ failure assessment of the first day (Ferreira 2001).
    pub sofa: Option<u32>,
    /// Days from admission to the unit to the end of the stay in hospital.
    pub length_of_stay: Option<u32>,
    /// Days from admission to the unit to death; `None` for survivors as far as is known.
    pub survival: Option<u32>,
    /// Whether the patient died in hospital: the label of the challenge.
    pub died: bool,
}

impl P12Outcome {
    /// When it is predicted: at the end of the 48 hours.
    pub fn prediction_time(&self) -> Time {
        ADMISSION.plus(RECORDED)
    }
}

/// Reads the outcomes of a set: a file, or that of a folder (`part` says of which set, where there is more than one).
///
/// # Errors
/// [`IoError`] if there is no such file, or it lacks a column. Rows that cannot be used are counted.
pub fn outcomes(path: &Path, part: Option<&str>) -> Result<(Vec<P12Outcome>, Counts), IoError> {
    let path = file(path, part)?;
    let mut rows = csv::Reader::open(&path)?;
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        *place = rows.need(name)?;
    }
    let (mut found, mut counts) = (Vec::<P12Outcome>::new(), Counts::default());
    let mut seen = std::collections::HashSet::new();
    while let Some(row) = rows.advance()? {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                counts.drop_row(&error.problem, &path, error.number);
                continue;
            }
        };
        match outcome(row, places) {
            Some(outcome) if seen.insert(outcome.record) => {
                found.push(outcome);
                counts.keep();
            }
            Some(_) => counts.drop_row("RecordID is there twice", &path, row.line()),
            None => counts.drop_row("a number is missing or wrong", &path, row.line()),
        }
    }
    Ok((found, counts))
}

fn outcome(row: csv::Row<'_>, places: [usize; COLUMNS.len()]) -> Option<P12Outcome> {
    let number = |place: usize| row.parse::<i64>(places[place]).ok().flatten();
    let count = |place: usize| u32::try_from(number(place)?).ok();
    let died = match number(5)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some(P12Outcome {
        record: number(0)?,
        saps: count(1),
        sofa: count(2),
        length_of_stay: count(3),
        survival: count(4),
        died,
    })
}

/// A label for each stay: whether the patient died in hospital, predicted after 48 hours.
pub fn labels(outcomes: &[P12Outcome]) -> Vec<Label> {
    let label = |outcome: &P12Outcome| Label::boolean(outcome.record, outcome.prediction_time(), outcome.died);
    let mut labels: Vec<Label> = outcomes.iter().map(label).collect();
    crate::labels::sort(&mut labels);
    labels
}

fn file(path: &Path, part: Option<&str>) -> Result<PathBuf, IoError> {
    if !fs::metadata(path).map_err(IoError::open(path))?.is_dir() {
        return Ok(path.to_path_buf());
    }
    let parts = part.map_or_else(|| vec!["a", "b", "c"], |part| vec![part]);
    let names = parts.iter().map(|part| path.join(format!("Outcomes-{part}.txt")));
    let mut found: Vec<PathBuf> = names.filter(|path| path.exists()).collect();
    match found.len() {
        0 => Err(IoError::format(path, format!("there are no outcomes in it (Outcomes-{}.txt)", parts.join(" or ")))),
        1 => Ok(found.remove(0)),
        _ => Err(IoError::format(path, "there are outcomes of more than one set in it; say which, as part a")),
    }
}
