//! Patients and admissions of MIMIC, which no rule for single rows can say, and its dictionaries.

use std::collections::HashMap;

use crate::codebook::{BIRTH, DEATH};
use crate::io::etl::{CodeNote, Folder, Hospital, Item, Sink, Stays, day_end, dotted, each_row};
use crate::io::{Counts, IoError};
use crate::time::{Span, Time};
use crate::units::{by_label, by_loinc};

/// Who is older at the first admission is one of those older than 89, whose births are moved by about 300 years.
const OLDEST: Span = Span::years(150);

/// What those count as; the median of their ages is 91 (MIMIC-III documentation, table PATIENTS).
const OVER_89: Span = Span::years(90);

/// Code of those whose age is only known to be above 89.
pub(crate) const OVER_89_CODE: &str = "AGE//OVER_89";

/// Reads when admissions began and ended. Rows that cannot be used are counted when the table becomes events.
pub(crate) fn admissions(folder: &Folder) -> Result<Stays, IoError> {
    let mut stays = Stays::default();
    let columns = ["subject_id", "hadm_id", "admittime", "dischtime"];
    each_row(folder.need("admissions")?, &columns, 4, &mut Counts::default(), |row, _| {
        if let (Ok(Some(subject)), Ok(Some(admission))) = (row.cell(0).int(), row.cell(1).int()) {
            let time = |column: usize| row.cell(column).time().ok().flatten();
            stays.add(admission, subject, time(2), time(3));
        }
    })?;
    Ok(stays)
}

/// When those died who died in hospital; the first of several times.
pub(crate) fn deaths(folder: &Folder) -> Result<HashMap<i64, Time>, IoError> {
    let mut deaths = HashMap::new();
    each_row(folder.need("admissions")?, &["subject_id", "deathtime"], 1, &mut Counts::default(), |row, _| {
        if let (Ok(Some(subject)), Ok(Some(time))) = (row.cell(0).int(), row.cell(1).time()) {
            let first = deaths.entry(subject).or_insert(time);
            *first = time.min(*first);
        }
    })?;
    Ok(deaths)
}

/// The events of the table of patients: sex, birth and death.
pub(super) fn patients(hospital: &Hospital, sink: &mut dyn Sink) -> Result<Counts, IoError> {
    let path = hospital.folder.need("patients")?;
    let deaths = deaths(&hospital.folder)?;
    let (mut counts, mut seen) = (Counts::default(), std::collections::HashSet::new());
    each_row(path, &["subject_id", "gender", "dob", "dod"], 1, &mut counts, |row, counts| {
        let subject = match row.cell(0).int() {
            Ok(Some(subject)) => subject,
            Ok(None) => return counts.drop_row("subject_id is missing", path, row.number()),
            Err(what) => return counts.drop_row(&format!("subject_id {what}"), path, row.number()),
        };
        if !seen.insert(subject) {
            return counts.drop_row("subject_id is there twice", path, row.number());
        }
        counts.keep();
        sex(subject, row.text(1), sink);
        match row.cell(2).time() {
            Ok(Some(birth)) => {
                let first = hospital.context.stays.first(subject);
                match first.filter(|first| first.since(birth) > OLDEST) {
                    Some(first) => over_89(subject, first, sink, counts),
                    None => sink.event(subject, Some(birth), BIRTH, None, None),
                }
            }
            Ok(None) => {}
            Err(what) => counts.change(&format!("no birth where dob {what}")),
        }
        death(subject, deaths.get(&subject).copied(), row.cell(3).time(), sink, counts);
    })?;
    Ok(counts)
}

/// The sex of a patient.
pub(crate) fn sex(subject: i64, sex: Option<&str>, sink: &mut dyn Sink) {
    if let Some(sex) = sex {
        sink.event(subject, None, &format!("GENDER//{sex}"), None, None);
    }
}

/// The birth of somebody of whom only is known that the age is above 89.
pub(crate) fn over_89(subject: i64, first: Time, sink: &mut dyn Sink, counts: &mut Counts) {
    counts.change("age above 89: counts as 90 years at the first admission");
    sink.event(subject, None, OVER_89_CODE, None, None);
    sink.event(subject, Some(first.minus(OVER_89)), BIRTH, None, None);
}

/// The death of a patient: by the minute if it was in hospital, else at the end of its day.
pub(crate) fn death(
    subject: i64,
    in_hospital: Option<Time>,
    day: Result<Option<Time>, &'static str>,
    sink: &mut dyn Sink,
    counts: &mut Counts,
) {
    let day = day.unwrap_or_else(|what| {
        counts.change(&format!("no day of death where dod {what}"));
        None
    });
    if let Some(time) = in_hospital.or(day.map(day_end)) {
        sink.event(subject, Some(time), DEATH, None, None);
    }
}

/// What the dictionaries say.
#[derive(Default)]
pub(crate) struct Dictionaries {
    /// By the keys of [`code_key`].
    pub(crate) notes: HashMap<String, CodeNote>,
    pub(crate) analytes: HashMap<String, Item>,
}

impl Dictionaries {
    /// Items of the charts.
    pub(crate) fn items(&mut self, folder: &Folder, table: &str) -> Result<(), IoError> {
        let Some(path) = folder.path(table) else { return Ok(()) };
        each_row(path, &["itemid", "label"], 2, &mut Counts::default(), |row, _| {
            let mut item = String::new();
            if let (true, Some(label)) = (row.cell(0).write(&mut item), row.text(1)) {
                let note = CodeNote { description: Some(label.to_owned()), parents: Vec::new() };
                self.notes.insert(format!("item/{item}"), note);
                if let Some(measured) = by_label(label) {
                    self.analytes.insert(item, measured);
                }
            }
        })
    }

    /// Items of the laboratory, with LOINC codes where the dictionary has them, or else `known` by item.
    pub(crate) fn laboratory(&mut self, folder: &Folder, table: &str, known: &[(i64, &str)]) -> Result<(), IoError> {
        let Some(path) = folder.path(table) else { return Ok(()) };
        let columns = ["itemid", "label", "fluid", "loinc_code"];
        each_row(path, &columns, 2, &mut Counts::default(), |row, _| {
            let mut item = String::new();
            let (true, Some(label)) = (row.cell(0).write(&mut item), row.text(1)) else { return };
            let fluid = row.text(2);
            let listed = || {
                let number = row.cell(0).int().ok().flatten()?;
                known.iter().find(|(item, _)| *item == number).map(|(_, code)| *code)
            };
            let loinc = row.text(3).or_else(listed);
            let description = fluid.map_or_else(|| label.to_owned(), |fluid| format!("{label} ({fluid})"));
            let parents = loinc.map(|code| format!("LOINC/{code}")).into_iter().collect();
            self.notes.insert(format!("item/{item}"), CodeNote { description: Some(description), parents });
            // A name alone means the blood.
            let blood = fluid.is_some_and(|fluid| fluid.eq_ignore_ascii_case("blood"));
            let measured = match loinc {
                Some(code) => by_loinc(code).map(|analyte| (analyte, None)),
                None => by_label(label).filter(|_| blood),
            };
            if let Some(measured) = measured {
                self.analytes.insert(item, measured);
            }
        })
    }

    /// ICD codes, of the version in the second column, or ICD-9 where there is none.
    pub(crate) fn icd(
        &mut self,
        folder: &Folder,
        table: &str,
        kind: &str,
        [code, version]: [&str; 2],
    ) -> Result<(), IoError> {
        let Some(path) = folder.path(table) else { return Ok(()) };
        each_row(path, &[code, "long_title", version], 2, &mut Counts::default(), |row, _| {
            let (mut code, mut version) = (String::new(), String::new());
            if let (true, Some(title)) = (row.cell(0).write(&mut code), row.text(1)) {
                if !row.cell(2).write(&mut version) {
                    version.push('9');
                }
                let note = CodeNote { description: Some(title.to_owned()), parents: Vec::new() };
                self.notes.insert(format!("{kind}/{version}/{code}"), note);
            }
        })
    }
}

/// The key of what the dictionaries say of a code.
pub(crate) fn code_key(code: &str) -> String {
    let parts: Vec<&str> = code.split("//").collect();
    match parts[..] {
        ["DIAGNOSIS", "ICD", version, code] => format!("dx/{version}/{code}"),
        ["PROCEDURE", "ICD", version, code] => format!("px/{version}/{code}"),
        ["PROCEDURE", "START" | "END", item] | [_, item, ..] => format!("item/{item}"),
        _ => String::new(),
    }
}

/// The code of a vocabulary that a code is, with the names that MEDS data sets of MIMIC use.
pub(crate) fn code_parent(code: &str) -> Option<String> {
    let parts: Vec<&str> = code.split("//").collect();
    match parts[..] {
        ["DIAGNOSIS", "ICD", "9", code] if code.starts_with('E') => Some(format!("ICD9CM/{}", dotted(code, 4))),
        ["DIAGNOSIS", "ICD", version, code] => Some(format!("ICD{version}CM/{}", dotted(code, 3))),
        ["PROCEDURE", "ICD", "9", code] => Some(format!("ICD9Proc/{}", dotted(code, 2))),
        ["PROCEDURE", "ICD", "10", code] => Some(format!("ICD10PCS/{code}")),
        ["PROCEDURE", "CPT", code] => Some(format!("CPT4/{code}")),
        ["MEDICATION", "NDC", code, ..] => Some(format!("NDC/{code}")),
        _ => None,
    }
}
