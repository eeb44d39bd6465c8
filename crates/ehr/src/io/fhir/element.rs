//! The elements that resources share: texts, times, codings, references.

use serde_json::Value;

use super::Reader;
use crate::io::Counts;
use crate::io::etl::CodeNote;
use crate::io::known::DayRule;
use crate::io::rows::Reason;
use crate::io::terms::{UNKNOWN, part, subject_number, vocabulary};
use crate::time::Time;

/// A coding that was chosen among those of a concept.
pub(super) struct Coded {
    /// Vocabulary and code, joined by `//`.
    pub(super) code: String,
    /// In words.
    pub(super) display: Option<String>,
    /// The concept's other codings.
    pub(super) others: Vec<String>,
}

/// A text that is not empty.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The elements of a list; an element that stands alone is a list of one.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(elements) => elements,
        single => std::slice::from_ref(single),
    }
}

/// When something that has this time was known; `Ok(None)` if it is not there.
pub(super) fn time(value: &Value, dates: DayRule, counts: &mut Counts) -> Result<Option<Time>, Reason> {
    let Some(text) = text(value) else { return Ok(None) };
    let (time, form) = dates.read(text).ok_or("a time in it is no date")?;
    if !time.is_plausible() {
        return Err("a time in it is a date that stands for none".into());
    }
    if form.zoned {
        counts.change("the zone of a time is dropped, its local part kept");
    }
    Ok(Some(time))
}

/// Beginning and end of a period.
pub(super) fn period(value: &Value, dates: DayRule, counts: &mut Counts) -> [Result<Option<Time>, Reason>; 2] {
    [time(&value["start"], dates, counts), time(&value["end"], dates, counts)]
}

/// A concept as a code; none if nothing in it says what it is.
pub(super) fn coded(concept: &Value) -> Option<Coded> {
    let codings: Vec<&Value> =
        list(&concept["coding"]).iter().filter(|coding| text(&coding["code"]).is_some()).collect();
    let chosen = codings.iter().find(|coding| coding["userSelected"] == true);
    let chosen =
        chosen.or_else(|| codings.iter().find(|coding| coding["system"].as_str().and_then(vocabulary).is_some()));
    let words = text(&concept["text"]);
    let Some(chosen) = chosen.or(codings.first()).copied() else {
        let code = format!("TEXT//{}", part(words?));
        return Some(Coded { code, display: words.map(str::to_owned), others: Vec::new() });
    };
    let code = spelt(chosen);
    let others = codings.iter().map(|coding| spelt(coding)).filter(|other| *other != code).collect();
    let display = text(&chosen["display"]).or(words).map(str::to_owned);
    Some(Coded { code, display, others })
}

/// Vocabulary and code of a coding. A vocabulary without a name of its own has the last part of its address.
pub(super) fn spelt(coding: &Value) -> String {
    let system = coding["system"].as_str().unwrap_or_default().trim();
    let last = system.trim_end_matches('/').rsplit(['/', ':']).next().filter(|last| !last.is_empty());
    let name = vocabulary(system).or(last).unwrap_or(UNKNOWN);
    format!("{name}//{}", text(&coding["code"]).unwrap_or(UNKNOWN))
}

impl Reader {
    /// The subject of a resource.
    pub(super) fn subject(&self, resource: &Value) -> Result<i64, Reason> {
        let named = text(&resource["subject"]["reference"]).or_else(|| text(&resource["patient"]["reference"]));
        let reference = named.ok_or("it names no patient")?;
        if let Some(id) = self.local.patients.get(reference) {
            return Ok(subject_number(id));
        }
        if reference.contains('?') || reference.starts_with('#') {
            return Err("its patient is named by a search or within it, which is not looked up".into());
        }
        let id = identifier(reference, "Patient").ok_or("it is not about a patient")?;
        Ok(subject_number(id))
    }

    /// When something that has this time was known.
    pub(super) fn time(&mut self, value: &Value) -> Result<Option<Time>, Reason> {
        time(value, self.config.dates, &mut self.counts)
    }

    /// When something was over: the time of an element in one of its forms, the end of a period.
    pub(super) fn over(&mut self, resource: &Value, element: &str) -> Result<Option<Time>, Reason> {
        for form in ["DateTime", "Instant"] {
            if let Some(time) = self.time(&resource[format!("{element}{form}")])? {
                return Ok(Some(time));
            }
        }
        let period = &resource[format!("{element}Period")];
        match self.time(&period["end"])? {
            Some(end) => Ok(Some(end)),
            None => self.time(&period["start"]),
        }
    }

    /// What is said of a code, once.
    pub(super) fn describe(&mut self, code: &str, kind: &str, coded: &Coded) {
        if self.notes.contains_key(code) {
            return;
        }
        let own = format!("{kind}//{}", coded.code);
        // What stands behind the code is the unit or the answer.
        let above = Some(own).filter(|own| own != code);
        let others = coded.others.iter().map(|other| format!("{kind}//{other}"));
        let note = CodeNote { description: coded.display.clone(), parents: above.into_iter().chain(others).collect() };
        self.notes.insert(code.to_owned(), note);
    }

    /// What was known of the encounter that a resource belongs to.
    pub(super) fn stay(&self, resource: &Value) -> Option<super::Stay> {
        let reference = text(&resource["encounter"]["reference"])?;
        let found = |address: &str| self.local.encounters.get(address).or_else(|| self.shared.encounters.get(address));
        found(reference).or_else(|| found(identifier(reference, "Encounter")?)).copied()
    }
}

/// The identifier in a reference such as `Patient/123`, `https://host/fhir/Patient/123/_history/4`, `urn:uuid:123` or `123`;
/// none if it refers to something of another kind.
pub(super) fn identifier<'a>(reference: &'a str, kind: &str) -> Option<&'a str> {
    if let Some(id) = reference.strip_prefix("urn:uuid:").or_else(|| reference.strip_prefix("urn:oid:")) {
        return Some(id);
    }
    if !reference.contains('/') {
        return Some(reference);
    }
    let mut parts = reference.split('/').skip_while(|part| *part != kind);
    parts.nth(1).filter(|id| !id.is_empty())
}
