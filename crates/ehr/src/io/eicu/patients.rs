//! The timelines of eICU's patients, and the two tables that no rule does justice to.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::codebook::{BIRTH, DEATH};
use crate::io::etl::{Folder, Hospital, Row, Sink, Stays, dotted, each_row};
use crate::io::mimic3::{OVER_89_CODE, sex};
use crate::io::{Counts, IoError};
use crate::time::{Span, Time};
use crate::units::{Normal, by_label};

/// The columns of `patient` that make the timeline.
const TIMELINE: [&str; 10] = [
    "patientunitstayid",
    "patienthealthsystemstayid",
    "uniquepid",
    "hospitaladmitoffset",
    "hospitaldischargeoffset",
    "hospitaldischargeyear",
    "hospitaladmittime24",
    "hospitaldischargestatus",
    "unitdischargestatus",
    "unitdischargeoffset",
];

/// Those that become events.
const EVENTS: [&str; 9] = [
    "gender",
    "age",
    "ethnicity",
    "hospitaladmitsource",
    "hospitaldischargelocation",
    "unittype",
    "unitdischargelocation",
    "admissionheight",
    "admissionweight",
];

/// A row of `patient` as far as it makes the timeline.
struct UnitStay {
    number: i64,
    hospital: i64,
    subject: i64,
    /// Minutes from the unit's admission to those of the hospital.
    admitted: i64,
    discharged: i64,
    year: i32,
    /// Time of day of the admission to hospital.
    clock: Span,
    /// Minutes until the patient left the unit.
    left: Option<i64>,
    /// Minutes until the patient died, and whether that was in the unit.
    died: Option<(bool, i64)>,
}

impl UnitStay {
    fn of(row: Row<'_>) -> Result<Self, String> {
        let int = |column: usize| match row.cell(column).int() {
            Ok(Some(number)) => Ok(number),
            Ok(None) => Err(format!("{} is missing", TIMELINE[column])),
            Err(what) => Err(format!("{} {what}", TIMELINE[column])),
        };
        let subject = row.text(2).and_then(subject).ok_or("uniquepid is not of the form 002-1039")?;
        let year = i32::try_from(int(5)?).ok().filter(|year| (1900..2400).contains(year));
        let discharged = int(4)?;
        let left = row.cell(9).int().ok().flatten();
        let expired = |column: usize| row.text(column) == Some("Expired");
        let in_unit = left.filter(|_| expired(8)).map(|minutes| (true, minutes));
        Ok(Self {
            number: int(0)?,
            hospital: int(1)?,
            subject,
            admitted: int(3)?,
            discharged,
            year: year.ok_or("hospitaldischargeyear is no year")?,
            clock: row.text(6).and_then(clock).unwrap_or(Span::ZERO),
            left,
            died: in_unit.or_else(|| expired(7).then_some((false, discharged))),
        })
    }
}

/// `002-1039` as a number: the hospital system in front of nine digits of the patient.
fn subject(text: &str) -> Option<i64> {
    let (system, patient) = text.split_once('-')?;
    let part = |text: &str| {
        let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| digits)
    };
    Some(part(system)? * 1_000_000_000 + part(patient)?)
}

/// A time of day such as `23:36:00`.
fn clock(text: &str) -> Option<Span> {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().ok().filter(|number| (0..60).contains(number)));
    let (hours, minutes) = (parts.next()??, parts.next()??);
    (hours < 24).then(|| Span::minutes(60 * hours + minutes))
}

/// Reads when stays in units began, and when those in hospital ended that they belong to.
pub(super) fn stays(folder: &Folder) -> Result<Stays, IoError> {
    let mut patients: BTreeMap<i64, BTreeMap<(i32, i64), Vec<UnitStay>>> = BTreeMap::new();
    each_row(folder.need("patient")?, &TIMELINE, 6, &mut Counts::default(), |row, _| {
        if let Ok(stay) = UnitStay::of(row) {
            patients.entry(stay.subject).or_default().entry((stay.year, stay.hospital)).or_default().push(stay);
        }
    })?;
    let mut stays = Stays::default();
    for visits in patients.into_values() {
        // The numbers of a year's stays are in no order of time; the one that ended with death was the last.
        let mut visits: Vec<_> = visits.into_iter().collect();
        visits
            .sort_by_key(|((year, hospital), units)| (*year, units.iter().any(|unit| unit.died.is_some()), *hospital));
        let mut before: Option<Time> = None;
        for ((year, _), units) in visits {
            let january = Time::from_civil(year, 1, 1, 0, 0, 0);
            let next = before.map(|time| time.midnight().plus(Span::days(1)));
            let Some(day) = january.max(next) else { continue };
            for unit in units {
                let start = day.plus(unit.clock).minus(Span::minutes(unit.admitted));
                let end = start.plus(Span::minutes(unit.discharged));
                before = before.max(Some(end));
                stays.add(unit.number, unit.subject, Some(start), Some(end));
            }
        }
    }
    Ok(stays)
}

/// The events of the table of patients: who they are, and when they came and went.
pub(super) fn patients(hospital: &Hospital, sink: &mut dyn Sink) -> Result<Counts, IoError> {
    let path = hospital.folder.need("patient")?;
    let stays = &hospital.context.stays;
    let (mut counts, mut seen) = (Counts::default(), HashSet::new());
    let columns: Vec<&str> = TIMELINE.iter().chain(&EVENTS).copied().collect();
    let summaries = summaries(hospital)?;
    let (mut visits, mut known) = (HashSet::new(), HashSet::new());
    each_row(path, &columns, 6, &mut counts, |row, counts| {
        let unit = match UnitStay::of(row) {
            Ok(unit) => unit,
            Err(why) => return counts.drop_row(&why, path, row.number()),
        };
        if !seen.insert(unit.number) {
            return counts.drop_row("patientunitstayid is there twice", path, row.number());
        }
        let Some(start) = stays.get(unit.number).and_then(|stay| stay.start) else {
            return counts.drop_row("its stay has no place on the timeline", path, row.number());
        };
        counts.keep();
        let subject = unit.subject;
        let text = |column: usize| row.text(TIMELINE.len() + column);
        let at = |minutes: i64| start.plus(Span::minutes(minutes));
        let admitted = at(unit.admitted);
        let summary = summaries.get(&subject).filter(|summary| summary.first.1 == unit.hospital);
        if let Some(summary) = summary.filter(|_| known.insert(subject)) {
            sex(subject, text(0), sink);
            birth(subject, row, admitted, sink, counts);
            if let Some((_, _, time)) = summary.death {
                sink.event(subject, Some(time), DEATH, None, None);
            }
        }
        if visits.insert(unit.hospital) {
            let code = format!("HOSPITAL_ADMISSION//{}", text(3).unwrap_or("UNK"));
            sink.event(subject, Some(admitted), &code, None, None);
            if let Some(ethnicity) = text(2) {
                sink.event(subject, Some(admitted), &format!("ETHNICITY//{ethnicity}"), None, None);
            }
            if unit.discharged >= unit.admitted {
                let code = format!("HOSPITAL_DISCHARGE//{}", text(4).unwrap_or("UNK"));
                sink.event(subject, Some(at(unit.discharged)), &code, None, None);
            } else {
                counts.change("no discharge where it is before the admission");
            }
        }
        let unit_type = text(5).unwrap_or("UNK");
        sink.event(subject, Some(start), &format!("ICU_ADMISSION//{unit_type}"), None, None);
        for (column, label, code) in [(7, "height", "HEIGHT//cm"), (8, "daily weight", "WEIGHT//kg")] {
            measure(subject, row.cell(TIMELINE.len() + column).number(), label, code, start, sink, counts);
        }
        if let Some(minutes) = unit.left {
            let code = format!("ICU_DISCHARGE//{}", text(6).unwrap_or("UNK"));
            sink.event(subject, Some(at(minutes)), &code, None, None);
        }
    })?;
    Ok(counts)
}

/// What all stays of a patient say together.
struct Summary {
    /// When the first stay in hospital began, and its number.
    first: (Time, i64),
    /// Of the last stay that ended with death: when it began, whether it was in the unit, and when it was.
    death: Option<(Time, bool, Time)>,
}

/// Reads what all stays of each patient say together: their rows stand in any order.
fn summaries(hospital: &Hospital) -> Result<HashMap<i64, Summary>, IoError> {
    let mut summaries: HashMap<i64, Summary> = HashMap::new();
    each_row(hospital.folder.need("patient")?, &TIMELINE, 6, &mut Counts::default(), |row, _| {
        let Ok(unit) = UnitStay::of(row) else { return };
        let Some(start) = hospital.context.stays.get(unit.number).and_then(|stay| stay.start) else { return };
        let admitted = start.plus(Span::minutes(unit.admitted));
        let first = (admitted, unit.hospital);
        let death = unit.died.map(|(in_unit, minutes)| (admitted, in_unit, start.plus(Span::minutes(minutes))));
        let summary = summaries.entry(unit.subject).or_insert(Summary { first, death });
        summary.first = summary.first.min(first);
        summary.death = summary.death.max(death);
    })?;
    Ok(summaries)
}

fn birth(subject: i64, row: Row<'_>, admitted: Time, sink: &mut dyn Sink, counts: &mut Counts) {
    let column = TIMELINE.len() + 1;
    let over = row.text(column).is_some_and(|age| age.trim_start().starts_with('>'));
    let age = if over { Ok(Some(90)) } else { row.cell(column).int() };
    match age {
        Ok(Some(years @ 0..=130)) => {
            if over {
                counts.change("age above 89: counts as 90 years at the first admission");
                sink.event(subject, None, OVER_89_CODE, None, None);
            }
            sink.event(subject, Some(admitted.minus(Span::years(years))), BIRTH, None, None);
        }
        Ok(None) => {}
        _ => counts.change("no birth where age is no age"),
    }
}

fn measure(
    subject: i64,
    value: Result<Option<f64>, &'static str>,
    label: &str,
    code: &str,
    time: Time,
    sink: &mut dyn Sink,
    counts: &mut Counts,
) {
    let Ok(Some(value)) = value else { return };
    let fine =
        by_label(label).is_none_or(|(analyte, _)| analyte.normalise(value, Some(analyte.unit)) != Normal::Outlier);
    if fine {
        sink.event(subject, Some(time), code, Some(value as f32), None);
    } else {
        counts.change("a value that no patient can have had is kept as text only");
        sink.event(subject, Some(time), code, None, Some(&value.to_string()));
    }
}

/// The events of the table of diagnoses: the path in eICU's own tree, and each of the ICD codes beside it.
pub(super) fn diagnoses(hospital: &Hospital, sink: &mut dyn Sink) -> Result<Counts, IoError> {
    let path = hospital.folder.need("diagnosis")?;
    let mut counts = Counts::default();
    let columns = ["patientunitstayid", "diagnosisoffset", "diagnosisstring", "icd9code"];
    each_row(path, &columns, 3, &mut counts, |row, counts| {
        let (Ok(Some(stay)), Ok(Some(minutes))) = (row.cell(0).int(), row.cell(1).int()) else {
            return counts.drop_row("patientunitstayid or diagnosisoffset is no number", path, row.number());
        };
        let Some(stay) = hospital.context.stays.get(stay) else {
            return counts.drop_row("its visit is unknown", path, row.number());
        };
        let Some(start) = stay.start else {
            return counts.drop_row("it is not known when its visit began", path, row.number());
        };
        let time = Some(start.plus(Span::minutes(minutes)));
        let (diagnosis, codes) = (row.text(2), row.text(3));
        if diagnosis.is_none() && codes.is_none() {
            return counts.drop_row("there is nothing in it", path, row.number());
        }
        counts.keep();
        if let Some(diagnosis) = diagnosis {
            sink.event(stay.subject, time, &format!("DIAGNOSIS//EICU//{diagnosis}"), None, None);
        }
        for code in codes.unwrap_or_default().split(',').map(str::trim).filter(|code| !code.is_empty()) {
            let code = format!("DIAGNOSIS//ICD//{}//{}", icd_version(code), code.replace('.', ""));
            sink.event(stay.subject, time, &code, None, None);
        }
    })?;
    Ok(counts)
}

/// The version of an ICD code. The column is named after the ninth and holds codes of the tenth too. V codes exist in
/// both: those of the tenth are accidents in transport, which these tables do not have.
fn icd_version(code: &str) -> u8 {
    let mut signs = code.bytes();
    match signs.next() {
        Some(b'0'..=b'9' | b'V' | b'v') => 9,
        // E849.7 of the ninth, E11.9 of the tenth.
        Some(b'E' | b'e') if signs.by_ref().take(3).filter(u8::is_ascii_digit).count() == 3 => 9,
        _ => 10,
    }
}

/// The code of a vocabulary that a code is.
pub(super) fn parent(code: &str) -> Option<String> {
    let rest = code.strip_prefix("DIAGNOSIS//ICD//")?;
    match rest.split_once("//")? {
        ("9", code) if code.starts_with(['E', 'e']) => Some(format!("ICD9CM/{}", dotted(code, 4))),
        (version, code) => Some(format!("ICD{version}CM/{}", dotted(code, 3))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_clocks_and_versions() {
        assert_eq!(subject("002-1039"), Some(2_000_001_039));
        assert_eq!((subject("002"), subject("a-1"), subject("1-"), subject("+1-2")), (None, None, None, None));
        assert_eq!(clock("23:36:00"), Some(Span::minutes(23 * 60 + 36)));
        assert_eq!((clock("24:00:00"), clock("noon"), clock("12")), (None, None, None));
        for (code, version) in
            [("401.9", 9), ("I10", 10), ("V58.61", 9), ("E849.7", 9), ("E11.9", 10), ("R41.82", 10), ("E878.8", 9)]
        {
            assert_eq!(icd_version(code), version, "{code}");
        }
        assert_eq!(parent("DIAGNOSIS//ICD//9//4019").as_deref(), Some("ICD9CM/401.9"));
        assert_eq!(parent("DIAGNOSIS//ICD//10//E119").as_deref(), Some("ICD10CM/E11.9"));
        assert_eq!(parent("LAB//glucose//mg/dL"), None);
    }
}
